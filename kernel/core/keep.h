/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep.h - the log before b, kept for somebody who follows it.
 *
 * The log since b is there anyway (rule 3).  What is kept beside it are whole intervals:
 * each that holds a record from the mark on enters when its commit's root becomes b's
 * predecessor, and leaves when the mark has passed it.  Its blocks are not taken, whether
 * the map still reaches them or not.
 *
 * As used count those that the map reaches; for the others nobody else pays.  These are the
 * ones that never came into the map (headers, what was overwritten within the interval),
 * which every root counts (dead), and those that a commit has freed.  An entry of the map
 * carries the generation of the interval that its block came with (birth).  So it is known,
 * when a block leaves the map, whose it was, and nothing has to be looked up.
 *
 * All of it is given up before anybody waits for room, and nothing of it is on the disk.
 * It lies in struct triad_space and is locked with it; only what a running commit frees
 * is the commit's own.
 */
#ifndef TRIAD_KEEP_H
#define TRIAD_KEEP_H

#include "list.h"

struct triad_core;
struct triad_geometry;

#define TRIAD_KEEP_NONE		(~0ULL)
/* Intervals; in tests few, so that there are too many at times. */
#ifdef TRIAD_TEST_PENDING
#define TRIAD_MAX_KEPT		256u
#else
#define TRIAD_MAX_KEPT		65536u
#endif
#define TRIAD_MAX_KEPT_RUNS	(1u << 20)	/* 8 MiB; each is looked at for every zone chosen */

/* One interval. */
struct triad_kept {
	u64 first, end;		/* its records */
	u32 birth;		/* of its blocks in the map */
	struct triad_list runs;	/* headers and payload */
	u64 nr_blocks;		/* that nothing else holds */
	u64 nr_leaving;		/* that the last commit freed: b still reaches them */
};

struct triad_keep {
	u64 from;		/* records from here on; or none */
	bool given_up;		/* ... because there was no room, or no memory */
	u32 nr_given_up;	/* so often */
	struct triad_kept *kept;	/* oldest first */
	u32 nr, max;
	u32 nr_runs;		/* of all */
	u64 nr_blocks;		/* of all */
	u16 *zones;		/* of each: blocks that it has of these, or fewer */

	/* [commit] data blocks that it frees, by birth */
	u32 *freed;
	u32 freed_birth;	/* of the first */
	u32 nr_freed;
};

/* For struct triad_space. */
int triad_keep_init(struct triad_keep *keep, const struct triad_geometry *geo);	/* -ENOMEM */
void triad_keep_free(struct triad_keep *keep);

/* Keep what there is from this record on, and what comes; TRIAD_KEEP_NONE: nothing. */
void triad_keep_from(struct triad_core *core, u64 seq);

/* Keep nothing any more, for want of room. */
void triad_keep_give_up(struct triad_core *core);

/* The first record whose header and payload are still there, as all behind it. */
u64 triad_keep_first(const struct triad_core *core);

/* A commit begins: count what it frees.  Locked. */
void triad_keep_begin(struct triad_core *core);

/* It lands, but nothing has moved: b's log goes.  Locked. */
void triad_keep_land(struct triad_core *core);

/* A block of data leaves the map. */
static inline void triad_keep_freed(struct triad_keep *keep, u32 birth)
{
	if (keep && birth - keep->freed_birth < keep->nr_freed)
		keep->freed[birth - keep->freed_birth]++;
}

#endif
