/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index.h - the log index: where an interval's newest blocks lie.
 *
 * A hash table of fixed size, allocated in advance.  One writer at a time (the
 * caller's lock); lookups need no lock, but the index must not be reset or
 * freed under them (the kernel looks up under RCU).  Entries are never changed
 * once published: a newer one shadows an older one.
 *
 * A discard is kept as few entries: level 0 covers one LBA, level 1 a map leaf
 * (256 LBAs), level 2 a subtree of 65536.
 *
 * Beside the entries it remembers which subtrees were written to, from the moment
 * that a record was built: so what a discard need not be told of is known without
 * a search, and before the record is published.
 */
#ifndef TRIAD_INDEX_H
#define TRIAD_INDEX_H

#include "geometry.h"

#define TRIAD_INDEX_LEVELS	3

/* LBAs are below 2^32: a bit for each subtree of 65536. */
#define TRIAD_INDEX_SUBTREES	65536u

struct triad_index_entry {
	u64 key;	/* first LBA of what it covers << 2 | level */
	u64 pba;	/* 0: discarded */
	u32 csum;
	u32 older;	/* next in the bucket, number + 1, 0 at the end */
};

struct triad_index {
	u32 nr;			/* published entries; the number is the age */
	u32 max;
	u32 nr_levels;		/* levels in use: 0 empty, 1 no ranges, ... */
	u32 bucket_mask;
	u32 *buckets;		/* number + 1 of the newest entry, 0: none */
	struct triad_index_entry *entries;
	u32 written[TRIAD_INDEX_SUBTREES / 32];
};

static inline u64 triad_index_lba(const struct triad_index_entry *e)
{
	return e->key >> 2;
}

static inline unsigned int triad_index_level(const struct triad_index_entry *e)
{
	return e->key & 3;
}

/* Room for max entries, of triad_alloc or triad_try_alloc, or NULL. */
struct triad_index *triad_index_create(u32 max, void *(*alloc)(size_t size));
void triad_index_destroy(struct triad_index *index);	/* NULL is fine */
void triad_index_reset(struct triad_index *index);

/* Put what one holds into another one, which is empty and has room. */
void triad_index_copy(struct triad_index *to, const struct triad_index *from);

/* The largest unit that begins at lba and lies within [lba, end): its level. */
unsigned int triad_index_unit(const struct triad_geometry *geo, u64 lba, u64 end);

/* Something in [lba, lba + nr) will be added.  Before its record can be acknowledged. */
void triad_index_announce(struct triad_index *index, u64 lba, u64 nr);

/* False: no record of this interval writes to [lba, lba + nr).  Needs no lock. */
bool triad_index_may_write(const struct triad_index *index, u64 lba, u64 nr);

/* Entries that one discard needs; leaves is how many map leaves it covers. */
u32 triad_index_discard_cost(const struct triad_geometry *geo, u64 lba, u64 nr,
			     u32 *leaves);

/* Both return -ENOSPC when the index is full (the caller reserved too little). */
int triad_index_add(struct triad_index *index, u64 lba, u64 pba, u32 csum);
int triad_index_discard(struct triad_index *index, const struct triad_geometry *geo,
			u64 lba, u64 nr);

/*
 * The place of an LBA's block that the index has, which the caller writes over and which has
 * this checksum from now on; 0: it has none.  Not beside lookups, nor where a log counts.
 */
u64 triad_index_rewrite(struct triad_index *index, u64 lba, u32 csum);

/* True if the index knows the LBA; *pba is 0 when it was discarded. */
bool triad_index_lookup(const struct triad_index *index, u64 lba, u64 *pba, u32 *csum);

/*
 * The newest entry of every key, sorted by LBA, larger levels first.  out holds
 * index->nr entry numbers; returns how many were stored.
 */
u32 triad_index_sorted(const struct triad_index *index, u64 *scratch, u32 *out);

#endif
