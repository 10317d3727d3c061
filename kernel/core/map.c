// SPDX-License-Identifier: GPL-2.0-or-later
#include "map.h"
#include "record.h"

int triad_map_entry(const struct triad_geometry *geo, const struct triad_node_disk *node,
		    u32 nr, struct triad_ref *ref)
{
	const struct triad_entry_disk *e = &node->entry[nr];
	u64 word = le64_to_cpu(e->pba_flags);

	ref->pba = word & TRIAD_PBA_MASK;
	ref->csum = le32_to_cpu(e->csum);
	ref->birth = le32_to_cpu(e->birth);
	if (word >> TRIAD_PBA_BITS)
		return -EUCLEAN;
	return !ref->pba || triad_geometry_valid_pba(geo, ref->pba) ? 0 : -EUCLEAN;
}

static void set_entry(struct triad_node_disk *node, u32 nr, const struct triad_ref *ref)
{
	struct triad_entry_disk *e = &node->entry[nr];

	e->pba_flags = cpu_to_le64(ref->pba);
	e->csum = cpu_to_le32(ref->csum);
	e->birth = cpu_to_le32(ref->birth);
}

int triad_map_read_node(const struct triad_map *map, const struct triad_ref *ref,
			struct triad_node_disk *node)
{
	const struct triad_store_ops *ops = map->store->ops;
	int r;

	if (!triad_geometry_valid_pba(map->geo, ref->pba))
		return -EUCLEAN;
	if (ops->node_get && ops->node_get(map->store, ref->pba, ref->birth, node))
		return 0;
	r = ops->read(map->store, ref->pba, 1, node);
	if (r)
		return r;
	if (triad_checksum(map->checksum_kind, node) != ref->csum)
		return -EBADMSG;
	if (ops->node_put)
		ops->node_put(map->store, ref->pba, ref->birth, node);
	return 0;
}

int triad_map_leaf(const struct triad_geometry *geo, const struct triad_ref *root,
		   u64 lba, triad_map_get_fn get, void *context,
		   const struct triad_node_disk **leaf, struct triad_ref *missing)
{
	unsigned int level = geo->map_depth;
	struct triad_ref ref = *root;
	int r;

	*leaf = NULL;
	while (ref.pba) {
		const struct triad_node_disk *node = get(context, &ref);

		if (!node) {
			*missing = ref;
			return -EAGAIN;
		}
		if (!--level) {
			*leaf = node;
			return 0;
		}
		r = triad_map_entry(geo, node, triad_map_slot(lba, level), &ref);
		if (r)
			return r;
	}
	return 0;
}

/*
 * Down from the root to the unit of level *level that holds lba, or to a hole above it;
 * *level is where that ended and *ref what is there.
 */
static int descend(const struct triad_geometry *geo, const struct triad_ref *root, u64 lba,
		   triad_map_get_fn get, void *context, unsigned int *level,
		   struct triad_ref *ref)
{
	const struct triad_node_disk *node;
	unsigned int stop = *level;
	int r;

	*ref = *root;
	for (*level = geo->map_depth; ref->pba && *level > stop; ) {
		node = get(context, ref);
		if (!node)
			return -EAGAIN;
		--*level;
		r = triad_map_entry(geo, node, triad_map_slot(lba, *level), ref);
		if (r)
			return r;
	}
	return 0;
}

static u64 behind_unit(u64 lba, unsigned int level)
{
	return ((lba >> (level * TRIAD_FANOUT_SHIFT)) + 1) << (level * TRIAD_FANOUT_SHIFT);
}

int triad_map_is_hole(const struct triad_geometry *geo, const struct triad_ref *root,
		      u64 lba, u64 nr, triad_map_get_fn get, void *context,
		      struct triad_ref *missing)
{
	u64 end = lba + nr;

	while (lba < end) {
		unsigned int level = triad_index_unit(geo, lba, end);
		struct triad_ref ref;
		int r;

		r = descend(geo, root, lba, get, context, &level, &ref);
		if (r == -EAGAIN)
			*missing = ref;
		if (r)
			return r;
		if (ref.pba)
			return 0;
		lba = behind_unit(lba, level);
	}
	return 1;
}

/* Entries of a node that lead somewhere. */
static u32 count_entries(const struct triad_node_disk *node)
{
	u32 i, nr = 0;

	for (i = 0; i < TRIAD_FANOUT; i++)
		nr += node->entry[i].pba_flags != 0;
	return nr;
}

u32 triad_map_leaves(const struct triad_geometry *geo, const struct triad_ref *root,
		     u64 lba, u64 nr, triad_map_get_fn get, void *context)
{
	u64 end = lba + nr;
	u32 leaves = 0;

	while (lba < end) {
		unsigned int unit = triad_index_unit(geo, lba, end), level = unit;
		const struct triad_node_disk *node = NULL;
		struct triad_ref ref;
		int r;

		r = descend(geo, root, lba, get, context, &level, &ref);
		if (!r && !ref.pba) {
			lba = behind_unit(lba, level);
			continue;
		}
		if (!r && unit == 2)
			node = get(context, &ref);
		if (node)
			leaves += count_entries(node);
		else if (unit)
			leaves += 1u << ((unit - 1) * TRIAD_FANOUT_SHIFT);
		lba = behind_unit(lba, unit);
	}
	return leaves;
}

/* ---- walk -------------------------------------------------------------- */

struct walk {
	const struct triad_map *map;
	triad_map_visit_fn visit;
	void *context;
	struct triad_node_disk *buffer;	/* one per level */
};

static int walk_node(struct walk *w, int level, u64 lba, const struct triad_ref *ref)
{
	struct triad_node_disk *node = &w->buffer[level];
	struct triad_ref child;
	u32 i;
	int r, error;

	error = triad_map_read_node(w->map, ref, node);
	r = w->visit(w->context, level, lba, ref, error);
	if (r || error)
		return r;
	triad_yield();
	for (i = 0; i < TRIAD_FANOUT; i++) {
		u64 at = lba + ((u64)i << (level * TRIAD_FANOUT_SHIFT));

		error = triad_map_entry(w->map->geo, node, i, &child);
		if ((!child.pba || child.birth < w->map->since) && !error)
			continue;
		if (!error && at >= w->map->geo->logical_blocks)
			error = -EUCLEAN;
		if (error || !level)
			r = w->visit(w->context, level - 1, at, &child, error);
		else
			r = walk_node(w, level - 1, at, &child);
		if (r)
			return r;
	}
	return 0;
}

int triad_map_walk(const struct triad_map *map, triad_map_visit_fn visit, void *context)
{
	struct walk w = { .map = map, .visit = visit, .context = context };
	int r;

	if (!map->root.pba)
		return 0;
	w.buffer = triad_alloc(map->geo->map_depth * sizeof(*w.buffer));
	if (!w.buffer)
		return -ENOMEM;
	r = walk_node(&w, map->geo->map_depth - 1, 0, &map->root);
	triad_free(w.buffer);
	return r;
}

/* ---- update ------------------------------------------------------------ */

/* A slice of the sorted entries that lies under one node. */
struct slice {
	u32 from, to;
};

static const struct triad_index_entry *entry_of(const struct triad_map_update *u, u32 i)
{
	return &u->index->entries[u->order[i]];
}

u32 triad_map_count(const struct triad_geometry *geo, const struct triad_index *index,
		    const u32 *order, u32 nr_order)
{
	u32 i, level, count = 0;

	for (level = 1; level <= geo->map_depth; level++) {
		u64 last = ~0ULL;

		for (i = 0; i < nr_order; i++) {
			const struct triad_index_entry *e = &index->entries[order[i]];
			u64 node = triad_index_lba(e) >> (level * TRIAD_FANOUT_SHIFT);

			if (node != last)
				count++;
			last = node;
		}
	}
	return count;
}

/* Give back a whole subtree.  Its nodes are read into buffer[0..level]. */
static int drop(struct triad_map_update *u, int level, const struct triad_ref *ref)
{
	struct triad_ref child;
	u32 i;
	int r;

	if (!ref->pba)
		return 0;
	r = triad_list_push(u->frees, ref->pba);
	if (r || level < 0)
		return r;
	r = triad_map_read_node(u->map, ref, u->buffer[level]);
	for (i = 0; i < TRIAD_FANOUT && !r; i++) {
		r = triad_map_entry(u->map->geo, u->buffer[level], i, &child);
		if (!r)
			r = drop(u, level - 1, &child);
	}
	triad_yield();
	return r;
}

/*
 * Entries of the slice that belong to child nr of the node at (level, lba);
 * moves from behind them.
 */
static struct slice child_slice(const struct triad_map_update *u, u32 *from, u32 to,
				int level)
{
	struct slice s = { *from, *from };
	u64 child = triad_index_lba(entry_of(u, *from)) >> (level * TRIAD_FANOUT_SHIFT);

	while (s.to < to &&
	       triad_index_lba(entry_of(u, s.to)) >> (level * TRIAD_FANOUT_SHIFT) == child)
		s.to++;
	*from = s.to;
	return s;
}

/* Write a changed node to a new place; an empty one becomes a hole. */
static int write_node(struct triad_map_update *u, int level, struct triad_ref *ref)
{
	struct triad_node_disk *node = u->buffer[level];
	struct triad_store *store = u->map->store;
	u32 i;
	int r;

	for (i = 0; i < TRIAD_FANOUT; i++)
		if (node->entry[i].pba_flags)
			break;
	if (i == TRIAD_FANOUT) {
		memset(ref, 0, sizeof(*ref));
		return 0;
	}
	if (u->nr_used == u->nr_nodes)
		return -ENOSPC;
	ref->pba = u->nodes[u->nr_used++];
	ref->birth = u->birth;
	ref->csum = triad_checksum(u->map->checksum_kind, node);
	r = triad_list_push(u->adds, ref->pba);
	if (!r)
		r = store->ops->write(store, ref->pba, 1, node);
	if (!r && store->ops->node_put)
		store->ops->node_put(store, ref->pba, ref->birth, node);
	return r;
}

static int apply_data(struct triad_map_update *u, const struct triad_index_entry *e,
		      struct triad_ref *ref)
{
	int r = 0;

	if (ref->pba)
		r = triad_list_push(u->frees, ref->pba);
	memset(ref, 0, sizeof(*ref));
	if (r || !e->pba)
		return r;
	ref->pba = e->pba;
	ref->csum = e->csum;
	ref->birth = u->birth;
	u->nr_data_added++;
	return triad_list_push(u->adds, e->pba);
}

/*
 * Apply a slice to the subtree at ref.  cover is 1 + the age of the newest
 * discard that covers the whole subtree: older entries are void.  Level -1 is
 * data.
 *
 * Every node on the way to an entry moves, even if the entry changes nothing (a
 * hole is discarded): so what a longer interval frees includes what a part of it
 * frees, and the zones whose planes a commit that never landed may have written
 * are all written by the one that replaces it.
 */
static int apply(struct triad_map_update *u, int level, struct slice s, u32 cover,
		 struct triad_ref *ref)
{
	struct triad_node_disk *node;
	bool dropped = false;
	int r;

	if (level < 0) {
		for (; s.from < s.to; s.from++) {
			if (u->order[s.from] + 1 <= cover)
				continue;
			r = apply_data(u, entry_of(u, s.from), ref);
			if (r)
				return r;
		}
		return 0;
	}
	/* ranges that cover just this subtree come first */
	for (; s.from < s.to && (int)triad_index_level(entry_of(u, s.from)) == level + 1;
	     s.from++) {
		cover = max_t(u32, cover, u->order[s.from] + 1);
		dropped = true;
	}
	node = u->buffer[level];
	if (dropped) {
		r = drop(u, level, ref);
	} else if (ref->pba) {
		r = triad_list_push(u->frees, ref->pba);
		if (!r)
			r = triad_map_read_node(u->map, ref, node);
	} else {
		r = 0;
	}
	if (r)
		return r;
	if (dropped || !ref->pba)
		memset(node, 0, sizeof(*node));
	while (s.from < s.to) {
		struct slice c = child_slice(u, &s.from, s.to, level);
		u32 nr = triad_map_slot(triad_index_lba(entry_of(u, c.from)), level);
		struct triad_ref child;

		r = triad_map_entry(u->map->geo, node, nr, &child);
		if (!r)
			r = apply(u, level - 1, c, cover, &child);
		if (r)
			return r;
		set_entry(node, nr, &child);
	}
	triad_yield();
	return write_node(u, level, ref);
}

int triad_map_apply(struct triad_map_update *u)
{
	struct slice all = { 0, u->nr_order };

	u->root = u->map->root;
	u->nr_used = 0;
	u->nr_data_added = 0;
	return u->nr_order ? apply(u, u->map->geo->map_depth - 1, all, 0, &u->root) : 0;
}
