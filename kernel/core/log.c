// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a write.  A record takes its place in the space, its entries in the interval
 * and its nodes' promise in the reserve before anything of it is written; so whatever was
 * accepted can be committed (rule 9).
 *
 * Each header names the place of the next one, which is therefore taken with it, and carries
 * the hash of the one before: records have to be sealed in their order, and may be written
 * in any.
 */
#include "core.h"

/*
 * What a leaf holds, itself, what is pending for it, and perhaps the node above and its
 * pieces.
 */
#define BLOCKS_OF_LEAF	(TRIAD_FANOUT + 1 + TRIAD_LEAF_PENDING + 1 + TRIAD_NR_PIECES)
#define MAX_DROPPED	(TRIAD_MAX_LEAVES * BLOCKS_OF_LEAF)

/* Intervals that a log may hold: a commit that did not land, one whose root was lost, and the last. */
#define MAX_INTERVALS	3u

static u64 nodes_of(const struct triad_core *core, u32 nr_entries)
{
	return triad_geometry_nodes(&core->geo, nr_entries);
}

int triad_log_is_void(const struct triad_core *core, u64 lba, u64 nr, triad_map_get_fn get,
		      void *context, struct triad_ref *missing)
{
	/*
	 * What is a hole in c, and was written by no record since, is a hole in every
	 * state that recovery can find, and stays one until a later write.
	 */
	if (triad_index_may_write(core->active, lba, nr) ||
	    (core->frozen && triad_index_may_write(core->frozen, lba, nr)))
		return 0;
	return triad_map_is_hole(&core->geo, &core->space.map.root, lba, nr, get, context,
				 missing);
}

/* What a frozen interval adds to the map meanwhile is counted in triad_log_most_freed. */
static bool leaves_fit(const struct triad_core *core, u32 nr_leaves)
{
	/* all discards together give back no more than there is */
	return core->interval.nr_leaves + nr_leaves <= TRIAD_MAX_LEAVES ||
	       core->space.used <= MAX_DROPPED;
}

u32 triad_log_most_freed(const struct triad_core *core, u32 max)
{
	/* leaves of a log that was replayed are counted whether they are there or not */
	u32 leaves = min_t(u32, max_t(u32, core->interval.nr_leaves, TRIAD_MAX_LEAVES),
			   MAX_INTERVALS * TRIAD_MAX_LEAVES);
	/*
	 * An entry replaces what is in its leaf and what is pending, and earns that another
	 * one moves (triad_map_update); nodes move.  What the interval before brings into
	 * the map while this one is filled may be given back, too.
	 */
	u64 most = 4ULL * max + 2 * nodes_of(core, max) + leaves * (u64)BLOCKS_OF_LEAF;

	return min_t(u64, most, core->geo.usable);
}

bool triad_log_room(struct triad_core *core, u32 nr_blocks, u32 nr_entries,
		    u32 nr_leaves)
{
	/* payload, next place, and perhaps an opening and an intent record */
	u64 need = nr_blocks + 3ULL;
	const struct triad_interval *in = &core->interval;
	u64 nodes = nodes_of(core, in->nr_entries + nr_entries);
	u64 room = triad_space_available(&core->space) + in->nr_nodes;

	if (need + nodes > room + core->space.keep.nr_blocks)
		return false;
	/* a log that recovery found long is committed before it gets longer */
	if (core->frozen && core->frozen->nr > core->geo.interval_blocks)
		return false;
	if (in->nr_entries + nr_entries > core->geo.interval_blocks ||
	    in->nr_entries + nr_entries > core->active->max ||
	    !leaves_fit(core, nr_leaves))
		return false;
	if (in->nr_entries && in->nr_blocks + need + nodes > in->budget)
		return false;
	if (need + nodes > room)
		triad_keep_give_up(core);
	return true;
}

int triad_log_lend(struct triad_core *core, u64 zone, u8 *bits)
{
	const struct triad_interval *in = &core->interval;
	u64 taken = in->nr_blocks + in->nr_nodes;
	u64 rest = in->budget > taken ? in->budget - taken : 0;

	return triad_space_lend(&core->space, zone, rest + triad_geometry_reserve(&core->geo), bits);
}

bool triad_log_is_long(const struct triad_core *core)
{
	const struct triad_interval *in = &core->interval;

	return in->nr_entries > min_t(u32, core->geo.interval_blocks, core->active->max) / 4 * 3 ||
	       !leaves_fit(core, TRIAD_MAX_LEAVES / 4) ||
	       in->nr_blocks + in->nr_nodes > in->budget / 4 * 3;
}

/* Promise nodes to the active interval's commit. */
static void account(struct triad_core *core, u32 nr_entries)
{
	struct triad_interval *in = &core->interval;
	u64 nodes = nodes_of(core, in->nr_entries + nr_entries);

	core->space.reserved += nodes - in->nr_nodes;
	in->nr_entries += nr_entries;
	in->nr_nodes = nodes;
}

bool triad_log_at_hand(struct triad_core *core, u32 nr)
{
	const struct triad_list *list = &core->space.log_active;

	/* header, payload, and the next header's place */
	return core->session && list->nr + 3 <= list->max &&
	       triad_space_at_hand(&core->space, nr) && triad_log_room(core, nr, nr, 0);
}

void triad_log_begin(struct triad_core *core, struct triad_record *rec, u16 flags)
{
	triad_record_begin(rec, core->space.next, core->next_seq, flags);
	rec->index = core->active;
}

int triad_log_write(struct triad_core *core, struct triad_record *rec, u64 lba, u32 nr)
{
	u64 pba;
	u32 got;
	int r;

	triad_record_add_extent(rec, lba, nr);
	triad_index_announce(rec->index, lba, nr);
	account(core, nr);
	for (; nr; nr -= got) {
		r = triad_space_take(&core->space, TRIAD_CURSOR_LOG, nr, &pba, &got);
		/* noted at once: taking on may read this zone's planes again */
		if (!r)
			r = triad_list_push_run(&core->space.log_active, pba, got);
		if (r)
			return r;
		triad_record_add_run(rec, pba, got);
	}
	return 0;
}

void triad_log_discard(struct triad_core *core, struct triad_record *rec, u64 lba, u64 nr,
		       u32 nr_leaves)
{
	u32 covered;

	triad_record_add_extent(rec, lba, nr);
	account(core, triad_index_discard_cost(&core->geo, lba, nr, &covered));
	core->interval.nr_leaves += nr_leaves;
}

int triad_log_seal(struct triad_core *core, struct triad_record *rec, void *block)
{
	struct triad_space *space = &core->space;
	u32 got;
	int r;

	r = triad_list_push_run(&space->log_active, rec->place, 1);
	if (!r)
		r = triad_space_take(space, TRIAD_CURSOR_LOG, 1, &rec->next, &got);
	if (r)
		return r;
	rec->durable = triad_order_mark(&core->order);
	r = triad_record_seal(rec, core->hash, core->root.uuid, core->chain, block);
	if (r)
		return r;
	memcpy(rec->chain, core->chain, sizeof(rec->chain));
	space->next = rec->next;
	core->next_seq = rec->seq + 1;
	core->interval.nr_blocks += rec->nr_blocks + 1;
	return 0;
}

/* Make what a record says visible to lookups. */
static int index_record(struct triad_core *core, const struct triad_record *rec)
{
	struct triad_index *index = rec->index;
	const struct triad_extent *run = rec->runs;
	u32 i, j, used = 0, block = 0;
	int r;

	if (rec->flags & TRIAD_RECORD_INTENT)
		return 0;
	for (i = 0; i < rec->nr_extents; i++) {
		const struct triad_extent *e = &rec->extents[i];

		if (rec->flags & TRIAD_RECORD_DISCARD) {
			r = triad_index_discard(index, &core->geo, e->start, e->nr);
			if (r)
				return r;
			continue;
		}
		for (j = 0; j < e->nr; j++) {
			r = triad_index_add(index, e->start + j, run->start + used,
					    rec->csums[block++]);
			if (r)
				return r;
			if (++used == run->nr) {
				run++;
				used = 0;
			}
		}
	}
	return 0;
}

bool triad_log_is_expected(const struct triad_core *core, const struct triad_position *pos)
{
	const struct triad_position *expected = core->expected;

	return expected && expected->seq == pos->seq && expected->place == pos->place &&
	       !memcmp(expected->chain, pos->chain, sizeof(pos->chain));
}

void triad_log_reach(struct triad_core *core, const struct triad_position *pos)
{
	core->published = *pos;
	core->expected_met |= triad_log_is_expected(core, pos);
}

static void reach_end_of(struct triad_core *core, const struct triad_record *rec)
{
	struct triad_position pos = { .place = rec->next, .seq = rec->seq + 1 };

	memcpy(pos.chain, rec->chain, sizeof(pos.chain));
	triad_log_reach(core, &pos);
}

int triad_log_publish(struct triad_core *core, const struct triad_record *rec, int error)
{
	int r = triad_order_written(&core->order, error);

	if (!r) {
		r = index_record(core, rec);
		core->order.failed = r != 0;
	}
	if (!r) {
		triad_order_publish(&core->order, rec->seq);
		reach_end_of(core, rec);
	}
	return r;
}

/* Overwrite the segment pointer of c in place (rule 1). */
static int point(struct triad_core *core)
{
	struct triad_root root = core->root;
	int r;

	root.segment = root.next;
	r = triad_root_seal(&root, core->hash, core->window);
	if (r)
		return r;
	r = triad_guard_write(core, core->slot_c, core->window);
	if (!r)
		core->root = root;
	/* with or without it, or torn: b leads to the same (rule 6 asks for no pointer) */
	return r && r != -ESTALE ? triad_lost_give_up(core, core->slot_c) : r;
}

int triad_log_start(struct triad_core *core)
{
	struct triad_record *rec = &core->record;
	int r;

	if (core->session)
		return 0;
	/*
	 * The roots that were read may lie in a cache still, the disk's or that of a
	 * root's own device, if only the kernel died: places are taken, and written
	 * to, on their word.
	 */
	r = triad_lost_flush(core);
	/* rule 8: c is the only good root until it is healed, and the new root points */
	if (!r && !core->root.segment && !core->degraded &&
	    !triad_core_has_lost(core, core->slot_c))
		r = point(core);
	else if (!r)
		r = triad_guard_check(core);
	if (r)
		return r;
	triad_log_begin(core, rec, TRIAD_RECORD_OPENING);
	r = triad_log_seal(core, rec, core->window);
	if (!r)
		r = core->store->ops->write(core->store, rec->place, 1, core->window);
	if (!r)
		r = triad_lost_flush(core);
	if (r)
		return r;
	triad_order_made_durable(&core->order, rec->seq);
	reach_end_of(core, rec);
	core->session = true;
	return 0;
}
