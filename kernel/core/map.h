/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.h - the copy-on-write radix tree LBA -> (PBA, checksum, birth).
 *
 * Nodes are 256 entries wide and never change once written.  Every node read
 * is verified against the checksum in its parent before it is used, every
 * entry against the geometry (-EUCLEAN).
 */
#ifndef TRIAD_MAP_H
#define TRIAD_MAP_H

#include "geometry.h"
#include "index.h"
#include "list.h"
#include "root.h"
#include "store.h"

/* What is needed to read the map of one root. */
struct triad_map {
	const struct triad_geometry *geo;
	struct triad_store *store;
	u8 checksum_kind;
	u32 since;		/* triad_map_walk passes over what is older */
	struct triad_ref root;
};

/* Entry nr of a node; -EUCLEAN if it points where nothing can lie. */
int triad_map_entry(const struct triad_geometry *geo, const struct triad_node_disk *node,
		    u32 nr, struct triad_ref *ref);

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
 * Find the leaf that holds lba.  get returns the verified node for a ref or an
 * ERR_PTR-free NULL when it cannot (then *missing is the ref it needs and the
 * result is -EAGAIN).  0 with *leaf NULL: everything there is a hole.
 * Context: whatever get allows.
 */
typedef const struct triad_node_disk *(*triad_map_get_fn)(void *context,
							  const struct triad_ref *ref);
int triad_map_leaf(const struct triad_geometry *geo, const struct triad_ref *root,
		   u64 lba, triad_map_get_fn get, void *context,
		   const struct triad_node_disk **leaf, struct triad_ref *missing);

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
 * Call visit for every node (level >= 1: points at nodes; 0: leaf; data blocks
 * come as level -1 with their LBA).  Stops at the first error of visit.  A node
 * that cannot be read is handed to visit with error set and not descended into.
 */
typedef int (*triad_map_visit_fn)(void *context, int level, u64 lba,
				  const struct triad_ref *ref, int error);
int triad_map_walk(const struct triad_map *map, triad_map_visit_fn visit, void *context);

/*
 * Copy-on-write: the map that results from applying an interval.
 *
 * nodes are free blocks for the new nodes, as many as triad_map_count() says at
 * most; nr_used tells how many were needed.  Blocks that enter the map go to
 * adds, blocks that leave it to frees (nodes included in both).
 */
struct triad_map_update {
	const struct triad_map *map;
	const struct triad_index *index;
	const u32 *order;	/* from triad_index_sorted() */
	u32 nr_order;
	u32 birth;
	const u64 *nodes;
	u32 nr_nodes;
	u32 nr_used;
	struct triad_list *adds;
	struct triad_list *frees;
	u64 nr_data_added;	/* adds that are data, not nodes */
	struct triad_node_disk *buffer[TRIAD_MAX_DEPTH];
	struct triad_ref root;	/* the result */
};

u32 triad_map_count(const struct triad_geometry *geo, const struct triad_index *index,
		    const u32 *order, u32 nr_order);
int triad_map_apply(struct triad_map_update *update);

#endif
