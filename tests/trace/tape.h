/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tape.h - a trace of dm-witness in memory: events, and content ids (disk.h of
 * tests/lib) of what was written.
 */
#ifndef TRACE_TAPE_H
#define TRACE_TAPE_H

#include <triad/env.h>

#include "witness.h"

#define NEVER	0xffffffffu

struct event {
	u64 block;		/* LBA above, PBA below */
	u32 nr;			/* blocks */
	u32 of;			/* submission: index of its first id; completion: its submission */
	u32 done;		/* of a submission: number of the completion, or NEVER */
	u8 kind, where, op, flags;	/* completions have their submission's, too */
	bool failed;		/* completed with an error: nobody knows what was done */
};

struct tape {
	struct event *events;
	u32 nr;
	u32 *ids;
	u32 nr_ids;
	u32 died;		/* the event from which on the disk fails, or NEVER */
	u32 nr_failed[2];	/* bios, by where */
	u64 nr_reads;
};

/* Event at which it was done for certain. */
static inline u32 done_well(const struct event *e)
{
	return e->failed ? NEVER : e->done;
}

/* Load a trace; counts violations of what every trace must obey.  False: cannot be read. */
bool tape_load(struct tape *tape, const char *path);
void tape_free(struct tape *tape);

static inline bool is_submission(const struct event *e, int where, int op)
{
	return e->kind == WITNESS_SUBMIT && e->where == where && e->op == op;
}

static inline bool is_completion(const struct event *e, int where, int op)
{
	return e->kind == WITNESS_COMPLETE && e->where == where && e->op == op;
}

/* Say and count what must not be; the first ones are printed. */
extern u64 nr_violations;
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
