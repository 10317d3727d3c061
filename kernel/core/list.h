/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - growing arrays of block numbers, and runs of blocks packed into one word.
 *
 * A run is up to 65536 blocks: its first one in the low 48 bits, its length - 1 above.
 * Records store extents and runs in the same form.
 */
#ifndef TRIAD_LIST_H
#define TRIAD_LIST_H

#include "format.h"

#define TRIAD_RUN_MAX	(1u << 16)

static inline u64 triad_run(u64 start, u32 nr)
{
	return start | (u64)(nr - 1) << TRIAD_PBA_BITS;
}

static inline u64 triad_run_start(u64 run)
{
	return run & TRIAD_PBA_MASK;
}

static inline u32 triad_run_nr(u64 run)
{
	return (run >> TRIAD_PBA_BITS) + 1;
}

static inline u64 triad_run_end(u64 run)
{
	return triad_run_start(run) + triad_run_nr(run);
}

struct triad_list {
	u64 *v;
	u32 nr;
	u32 max;
};

int triad_list_reserve(struct triad_list *list, u32 max);	/* -ENOMEM */
int triad_list_push(struct triad_list *list, u64 value);	/* -ENOMEM */
void triad_list_free(struct triad_list *list);

/* Append a run to a list of runs, merging with the last one.  -ENOMEM. */
int triad_list_push_run(struct triad_list *list, u64 start, u32 nr);

/* Total length of a list of runs in blocks. */
u64 triad_list_blocks(const struct triad_list *list);

#endif
