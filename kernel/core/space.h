/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * space.h - which blocks are busy, and where the next ones are taken.
 *
 * Rule 3: busy = plane(b) U plane(c) U the log since b U the place of the next
 * record, and as long as there is room what is kept of the log before b (keep.h).
 * The planes stay on disk; in memory are two counters for each zone,
 * the log's runs since b, and the bitmaps of the (at most two) zones that are
 * being filled.  A zone's bitmap is built from its planes and the runs when the
 * zone is chosen, and anew after every commit, when b and c change.
 *
 * Not locked: the caller serialises everything that takes a struct triad_space,
 * but triad_space_read_plane, which only reads planes of c and may run beside
 * allocations.
 */
#ifndef TRIAD_SPACE_H
#define TRIAD_SPACE_H

#include "map.h"

#define TRIAD_TURNS	3u	/* every third commit writes the same slot */

struct triad_zone {
	u16 used;		/* plane(c) */
	u16 pending;		/* plane(b) without plane(c) */
	u32 changed;		/* low half of the turn of the last change */
};

enum triad_cursor_use {
	TRIAD_CURSOR_LOG,
	TRIAD_CURSOR_NODE,
	TRIAD_NR_CURSORS,
};

struct triad_cursor {
	u64 zone;
	u32 pos;		/* next block to look at, offset in the zone */
	u32 end;		/* of the segment being filled */
	u32 floor;		/* look for another zone when fewer are free here */
	bool chosen;
};

struct triad_zone_bits {
	u64 zone;
	bool loaded;
	u32 nr_free;
	u8 *bits;		/* TRIAD_PLANE_BITS: set is busy */
};

struct triad_space {
	const struct triad_geometry *geo;
	struct triad_store *store;
	struct triad_hash *hash;
	struct triad_zone *zones;	/* as of c */
	u64 *sums;			/* NULL, or what tells c's planes: see rebuild_summary */
	u16 *taken;			/* taken since c, for each zone */
	struct triad_zone_disk *table;	/* to sum the zones up */
	u64 hwm;			/* zones below it have planes on disk */
	u64 used, pending, dead;	/* as of c, see the root */
	u64 nr_taken;			/* taken since c, and the next place */
	u64 reserved;			/* promised to the nodes of commits to come */

	/* the log since b, as packed runs; and what a running commit holds */
	struct triad_list log_backup;	/* b to c */
	struct triad_list log_frozen;	/* being committed */
	struct triad_list log_active;
	struct triad_list nodes;
	u64 next;			/* place of the next record */
	struct triad_keep keep;		/* of the log before b */
	u64 lent;			/* zone, if nr_lent is not 0 */
	u32 nr_lent;			/* free blocks of it that nobody may take */

	int slot_c, slot_b;		/* of their planes; slot_b -1: nothing to protect */
	u64 hwm_b;
	u8 uuid[TRIAD_UUID_SIZE];
	struct triad_map map;		/* of c, to rebuild a rotten plane */
	u64 nr_rotten;			/* planes that had to be rebuilt or given up */

	struct triad_cursor cursor[TRIAD_NR_CURSORS];
	struct triad_zone_bits loaded[TRIAD_NR_CURSORS];
	struct triad_plane_disk *buffer;
	u8 *backup_bits;
};

int triad_space_init(struct triad_space *space, const struct triad_geometry *geo,
		     struct triad_store *store);
void triad_space_free(struct triad_space *space);

/* Free blocks that may not be taken: with those that got free in that zone since it was lent. */
u32 triad_space_lent(const struct triad_space *space);

/* Blocks that could still be taken, without those reserved. */
static inline u64 triad_space_available(const struct triad_space *space)
{
	u64 busy = space->used + space->pending + space->dead +
		   space->nr_taken + space->reserved + space->keep.nr_blocks +
		   triad_space_lent(space);

	return busy < space->geo->usable ? space->geo->usable - busy : 0;
}

/*
 * Take up to nr contiguous blocks; *got >= 1 of them.  -ENOSPC when there is no
 * free block at all.  May read planes.
 */
int triad_space_take(struct triad_space *space, enum triad_cursor_use use, u32 nr,
		     u64 *pba, u32 *got);

/*
 * True if the next record with nr blocks of payload is one run behind its header, the place
 * of the record behind it follows, and taking them reads nothing.
 */
bool triad_space_at_hand(struct triad_space *space, u32 nr);

/*
 * Lend the free blocks of a zone, the zeroes in bits (TRIAD_PLANE_BITS), to whoever wants to discard
 * them: that is as good as writing to them, and none is taken until they are given back.  One zone at
 * a time, none that a cursor works in or whose planes are rotten, and only if more than a few are free,
 * and so many more elsewhere.  Returns how many they are, 0: none; or -errno.  May read planes.
 */
int triad_space_lend(struct triad_space *space, u64 zone, u64 others, u8 *bits);

static inline void triad_space_give_back(struct triad_space *space)
{
	space->nr_lent = 0;
}

/* Count blocks as taken since c (after replay); they need not be in any plane. */
void triad_space_count(struct triad_space *space, const struct triad_list *list);

/* Nothing is reached by b alone, or nothing of that is kept. */
void triad_space_forget_backup(struct triad_space *space);

/* After the letters moved: forget what was taken, count the active log anew. */
void triad_space_recount(struct triad_space *space);

/*
 * The plane of a slot as bits; zones at and above hwm are empty but for their
 * fixed blocks.  changed is the zone's (0: unknown, any age will do): a plane
 * is written by the commit that changes the zone and by the two behind it, each
 * in its slot.  -EBADMSG if it is rotten, stale, or left by a commit that never
 * landed.
 */
int triad_space_read_plane(const struct triad_space *space, u64 zone, unsigned int slot,
			   u64 hwm, u32 changed, u8 *bits, struct triad_plane_disk *buffer);

/*
 * The same for c, rebuilt from the map if it is rotten (*rebuilt then).  ahead: its block,
 * if that was read already, or NULL.
 */
int triad_space_read_current(const struct triad_space *space, u64 zone, u8 *bits,
			     struct triad_plane_disk *buffer, const void *ahead, bool *rebuilt);

/* What a block adds to its zone's sum: no two sets of blocks are likely to share one. */
u64 triad_plane_share(u64 pba);

/* An unused zone's plane: the blocks that never hold data. */
void triad_space_empty_plane(const struct triad_geometry *geo, u64 zone, u8 *bits);

/* Fill in a header and write a plane or summary block. */
int triad_space_write(const struct triad_space *space, u64 magic, u64 index,
		      const struct triad_root *root, u64 pba, void *block);

/* Read and verify such a block; -EBADMSG. */
int triad_space_read(const struct triad_space *space, u64 magic, u64 index,
		     unsigned int slot, u64 pba, void *block);

/* The zones' counters as they stand on disk, and H over them for the root. */
void triad_space_encode_zones(const struct triad_zone *zones, u64 nr,
			      struct triad_zone_disk *out);
int triad_space_sum(const struct triad_space *space, const struct triad_zone *zones, u64 nr,
		    u8 sum[TRIAD_HASH_SIZE]);

/*
 * Read the summary of the root in slot, and compare it with root->summary_sum.
 * -EBADMSG if it is damaged; zones is undefined then.
 */
int triad_space_load_summary(struct triad_space *space, const struct triad_root *root);

/*
 * Build zones and the counters from a walk over the map of c instead.  Nobody knows
 * then when a zone changed, and a plane may be an old one, too: until the next root
 * has landed a plane is c's if it has the sum of the blocks that the walk met.
 */
int triad_space_rebuild_summary(struct triad_space *space);

static inline bool triad_bit(const u8 *bits, u32 nr)
{
	return bits[nr >> 3] & 1u << (nr & 7);
}

static inline void triad_bit_set(u8 *bits, u32 nr)
{
	bits[nr >> 3] |= 1u << (nr & 7);
}

static inline void triad_bit_clear(u8 *bits, u32 nr)
{
	bits[nr >> 3] &= ~(1u << (nr & 7));
}

u32 triad_bits_count(const u8 *bits, u32 from, u32 to);

#endif
