/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.h - the copy-on-write radix tree LBA -> (PBA, checksum, birth).
 *
 * Nodes are 256 entries wide and never change once written.  Every node read
 * is verified against the checksum in its parent before it is used, every
 * entry against the geometry (-EUCLEAN).
 *
 * A node of level 1 keeps mappings that are not in their leaves yet: its pending
 * entries, which lie in up to four blocks, the pieces.  So a few changes in each of
 * many leaves cost a few blocks, and a leaf is written for many of them at once.  The
 * idea is that of the B-epsilon tree (Brodal, Fagerberg: Lower bounds for external
 * memory dictionaries, 2003).  A pending entry shadows its leaf's, whose block stays
 * reached until the leaf is written.
 */
#ifndef TRIAD_MAP_H
#define TRIAD_MAP_H

#include "geometry.h"
#include "index.h"
#include "keep.h"
#include "list.h"
#include "root.h"
#include "store.h"

/* Leaves that a commit reads at once. */
#ifdef TRIAD_TEST_PENDING
#define TRIAD_LEAF_BATCH	4u
#else
#define TRIAD_LEAF_BATCH	TRIAD_FANOUT
#endif

/* What is needed to read the map of one root. */
struct triad_map {
	const struct triad_geometry *geo;
	struct triad_store *store;
	u8 checksum_kind;
	u32 since;		/* triad_map_walk passes over what is older; 0: nothing is */
	bool holes;		/* ... and tells what is empty in nodes that are not */
	u64 from, to;		/* ... and leaves out nodes all of whose LBAs are outside; to 0: none */
	struct triad_ref root;
};

/*
 * Entry nr of a node of a level (leaf: 0); -EUCLEAN if it points where nothing can lie, or
 * has flags, which belong to level 1.
 */
int triad_map_entry(const struct triad_geometry *geo, const struct triad_node_disk *node,
		    unsigned int level, u32 nr, struct triad_ref *ref);

/* One block of pending entries: those of the leaves from first to before the next piece's. */
struct triad_piece {
	struct triad_ref ref;
	u32 nr;			/* entries, ascending by LBA */
	u32 first;		/* number of a leaf; 0 in the first piece */
};

struct triad_pieces {
	u32 nr;
	struct triad_piece piece[TRIAD_NR_PIECES];
};

/* What the flags of a node of level 1 say; -EUCLEAN. */
int triad_map_pieces(const struct triad_geometry *geo, const struct triad_node_disk *node,
		     struct triad_pieces *pieces);

/* Which entry of a node at level (leaf: 0) leads to lba. */
static inline u32 triad_map_slot(u64 lba, unsigned int level)
{
	return (lba >> (level * TRIAD_FANOUT_SHIFT)) & (TRIAD_FANOUT - 1);
}

/*
 * Read a node and verify it: -EBADMSG if its checksum is wrong.  May sleep.
 */
int triad_map_read_node(const struct triad_map *map, const struct triad_ref *ref,
			struct triad_node_disk *node);

/*
 * get returns the verified node for a ref, or NULL when it cannot: then *missing is the
 * ref it needs and the result is -EAGAIN.  A node is not looked at any more when the next
 * one is asked for, so one buffer is enough for all of them.
 */
typedef const struct triad_node_disk *(*triad_map_get_fn)(void *context,
							  const struct triad_ref *ref);

/* What is known about the LBAs of one leaf without the leaf itself. */
struct triad_spot {
	struct triad_ref leaf;			/* PBA 0: holes */
	const struct triad_node_disk *node;	/* of it, once somebody had to look */
	u32 nr_pending;
	u8 slot[TRIAD_LEAF_PENDING];		/* entry of the leaf */
	struct triad_ref pending[TRIAD_LEAF_PENDING];
};

/* Go down to the leaf that holds lba.  Context: whatever get allows. */
int triad_map_find(const struct triad_geometry *geo, const struct triad_ref *root, u64 lba,
		   triad_map_get_fn get, void *context, struct triad_spot *spot,
		   struct triad_ref *missing);

/* Where an LBA of that leaf is; PBA 0: it is a hole. */
int triad_map_look(const struct triad_geometry *geo, struct triad_spot *spot, u64 lba,
		   triad_map_get_fn get, void *context, struct triad_ref *ref,
		   struct triad_ref *missing);

/*
 * Is all of [lba, lba + nr) a hole?  1: yes, 0: no, -EAGAIN as above: then missing is
 * a node that it takes to know, or another error.  Looks down no further than it must.
 */
int triad_map_is_hole(const struct triad_geometry *geo, const struct triad_ref *root,
		      u64 lba, u64 nr, triad_map_get_fn get, void *context,
		      struct triad_ref *missing);

/*
 * How many leaves lie wholly in [lba, lba + nr), at most: where get has no node, as
 * many as there can be.
 */
u32 triad_map_leaves(const struct triad_geometry *geo, const struct triad_ref *root,
		     u64 lba, u64 nr, triad_map_get_fn get, void *context);

/*
 * Call visit for every block that the map reaches: nodes with their level (leaf: 0), each
 * before what is behind it, and the rest with one of these.  lba and nr are the LBAs that
 * hang on it; of each kind they ascend.  Stops at the first error of visit.  What cannot
 * be read is handed to visit with error set, and not descended into: nothing of these LBAs
 * is told then.  A bad leaf comes once for each stretch of LBAs between pending ones.
 *
 * Birth is a generation's low half: what is old is told as long as less than 2^31 commits lie
 * between since and the newest.
 */
enum triad_map_visit {
	TRIAD_VISIT_DATA = -1,
	TRIAD_VISIT_SHADOWED = -2,	/* data that a pending entry has replaced */
	TRIAD_VISIT_PIECE = -3,
	TRIAD_VISIT_HOLE = -4,		/* nothing: no block, all zero */
};
typedef int (*triad_map_visit_fn)(void *context, int level, u64 lba, u64 nr,
				  const struct triad_ref *ref, int error);
int triad_map_walk(const struct triad_map *map, triad_map_visit_fn visit, void *context);

/* ---- update ---------------------------------------------------------------- */

struct triad_pending {
	struct triad_ref ref;
	u16 key;		/* LBA within the node of level 1 */
	u16 state;
};

/* What becomes of a leaf. */
struct triad_leaf_plan {
	u32 from, to;		/* its entries of the interval */
	u32 cover;		/* older ones are void */
	u16 old, old_end;	/* its pending entries */
	u16 nr_fresh;		/* entries of the interval that count */
	u16 nr_kept;		/* of these, what would be pending */
	u16 nr_stay;		/* old ones that no fresh one replaces */
	u8 action;
	u8 changed;		/* its pending entries are others now */
};

/* Working memory for nodes of level 1, for a whole life. */
struct triad_map_work {
	struct triad_leaf_plan plan[TRIAD_FANOUT];
	struct triad_pending old[TRIAD_MAX_PENDING];
	struct triad_pending now[TRIAD_MAX_PENDING];
	struct triad_ref children[TRIAD_FANOUT];
	struct triad_ref refs[TRIAD_LEAF_BATCH];
	u8 at[TRIAD_LEAF_BATCH];
	struct triad_node_disk block;				/* a piece, or one of children */
	struct triad_node_disk leaves[TRIAD_LEAF_BATCH];	/* read at once */
};

/*
 * Copy-on-write: the map that results from applying an interval of d entries.
 *
 * It takes at most triad_geometry_nodes(d) nodes, and at most d pending entries move to
 * their leaves: each new entry that does not make a leaf be written earns one to be
 * moved (credit).  Without credit a full node has just the leaves of new entries
 * written.
 *
 * more is asked for free blocks when nodes are used up.  Blocks that enter the map go to
 * adds, blocks that leave it to frees (nodes and pieces included in both).
 */
struct triad_map_update {
	const struct triad_map *map;
	const struct triad_index *index;
	const u32 *order;	/* from triad_index_sorted() */
	u32 nr_order;
	u32 birth;
	int (*more)(struct triad_map_update *u);	/* put some into nodes, nr_used is 0 then */
	void *context;		/* ... for it */
	const u64 *nodes;
	u32 nr_nodes;
	u32 nr_used;
	struct triad_list *adds;
	struct triad_list *frees;
	u32 max_frees;		/* more of them: -EUCLEAN, nothing that is whole has so many */
	struct triad_keep *keep;	/* told of frees that are data, not nodes; or NULL */
	u64 nr_data_added;	/* adds that are data, not nodes */
	u64 credit;
	struct triad_node_disk *buffer[TRIAD_MAX_DEPTH];
	struct triad_map_work *work;
	struct triad_ref root;	/* the result */
};

int triad_map_apply(struct triad_map_update *update);

#endif
