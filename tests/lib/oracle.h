/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle.h - what a device may hold after a power cut.
 *
 * Keeps the content after every submitted operation as a hash, and enough to
 * go back.  Content is one content id for each LBA (disk.h).
 */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <triad/env.h>

struct oracle_op {
	u64 hash;		/* of the content behind it */
	u64 seq;		/* of the record that carries it */
	u32 undo;		/* where its changes begin */
};

struct oracle_undo {
	u32 lba;
	u32 id;
};

struct oracle {
	u32 nr_lbas;
	u32 *now;		/* content behind the newest operation */
	u32 nr;			/* operations; states are 0 .. nr */
	u32 acked;		/* state at the last acknowledged flush */
	u64 base;		/* hash of state 0 */
	struct oracle_op *ops;
	u32 max_ops;
	struct oracle_undo *undo;
	u32 nr_undo, max_undo;
};

/* now may be NULL: all zeroes. */
void oracle_init(struct oracle *oracle, u32 nr_lbas, const u32 *now);
void oracle_free(struct oracle *oracle);

void oracle_begin(struct oracle *oracle, u64 seq);
void oracle_set(struct oracle *oracle, u32 lba, u32 id);	/* in the newest operation */

static inline u64 oracle_hash(const struct oracle *oracle, u32 state)
{
	return state ? oracle->ops[state - 1].hash : oracle->base;
}

/* Forget all behind a state. */
void oracle_truncate(struct oracle *oracle, u32 state);

/* The content of a state. */
void oracle_content(const struct oracle *oracle, u32 state, u32 *content);

/* The newest state in from .. to that has this content, or -1. */
int oracle_find(const struct oracle *oracle, u32 from, u32 to, u64 hash);

/* The last state whose record is before seq. */
u32 oracle_state_before(const struct oracle *oracle, u64 seq);

u64 oracle_hash_content(const u32 *content, u32 nr_lbas);

#endif
