// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Going back to b, for good: two commits on top of c that change nothing in b's map.
 *
 * To drop c would do nothing: b's log leads to c's content again.  So the new roots begin
 * a log of their own: at another place, with a chain that no record carries, and with
 * numbers that none had.  They stand for another content than what anybody else could
 * make from c, so they begin a branch; and there are two of them before anything is
 * written, as after a healing, so that none of the two brings the old state back by
 * being lost.
 */
#include "core.h"

static bool is_possible(const struct triad_core *core, const struct triad_root *b)
{
	const struct triad_geometry *geo = &core->geo;

	return b->map_depth == geo->map_depth && b->device_blocks == geo->device_blocks &&
	       b->logical_blocks == geo->logical_blocks && b->hwm_zones <= geo->nr_zones &&
	       (!b->map.pba || triad_geometry_valid_pba(geo, b->map.pba));
}

/*
 * Every zone that b or c touched counts as changed, so that each slot gets its plane anew:
 * those of c hold another state, those of a are older than b.  But no others: should the
 * first commit never land, the next one on top of c writes just these.
 */
static void doubt_zones(struct triad_core *core, const struct triad_zone *as_of_c)
{
	struct triad_space *space = &core->space;
	u64 zone;

	for (zone = 0; zone < space->hwm; zone++) {
		u32 changed = as_of_c[zone].changed;

		if (!changed || (u32)triad_root_turn(&core->root) - changed <= 1)
			core->suspects[zone] = 1;
		else if (!core->suspects[zone])
			space->zones[zone].changed = changed;
	}
}

/* b's map in c's place.  It is counted, not taken on trust: all of its nodes are read. */
static int adopt_map(struct triad_core *core, int slot)
{
	const struct triad_root *b = &core->slots[slot].root;
	struct triad_space *space = &core->space;
	struct triad_zone *as_of_c = core->commit.zones;
	u64 zone;
	int r;

	memcpy(as_of_c, space->zones, core->geo.nr_zones * sizeof(*as_of_c));

	space->map.root = b->map;
	space->slot_c = triad_root_planes(b);
	space->hwm = b->hwm_zones;
	/* c is what a cut leaves: nothing is to be taken that it needs */
	space->slot_b = triad_root_planes(&core->root);
	space->hwm_b = core->root.hwm_zones;
	space->pending = space->dead = 0;
	r = triad_space_rebuild_summary(space);
	for (zone = space->hwm; zone < core->geo.nr_zones && !r; zone++)
		r = space->zones[zone].used ? -EUCLEAN : 0;
	doubt_zones(core, as_of_c);
	return r;
}

static int begin_log(struct triad_core *core)
{
	struct triad_position start = { .seq = core->next_seq };
	struct triad_space *space = &core->space;
	u64 next;
	u32 got;
	int r;

	r = triad_space_take(space, TRIAD_CURSOR_LOG, 1, &next, &got);
	if (r)
		return r;
	triad_index_reset(core->active);
	core->interval = (struct triad_interval) { 0 };
	space->log_active.nr = space->log_backup.nr = 0;
	space->reserved = 0;
	space->slot_b = -1;
	space->next = next;
	triad_random(core->chain, sizeof(core->chain));
	start.place = next;
	memcpy(start.chain, core->chain, sizeof(start.chain));
	triad_log_reach(core, &start);
	return 0;
}

int triad_core_rollback(struct triad_core *core)
{
	int r, slot = triad_core_backup(core);

	if (slot < 0)
		return -ENODATA;
	if (triad_core_cannot_write(core))
		return -EROFS;
	/*
	 * With a bad root b may be an a whose blocks were taken for others since.  Behind half
	 * of a healing, or of this, it is what was to be left.
	 */
	if (core->choice.degraded || core->root.branch == core->root.generation)
		return -EAGAIN;
	if (!is_possible(core, &core->slots[slot].root))
		return -EUCLEAN;
	r = adopt_map(core, slot);
	if (!r)
		r = begin_log(core);
	core->branches_off = true;
	if (!r)
		r = triad_commit_alone(core, false);
	/* and the second, as behind a healing */
	return r ? r : triad_core_heal(core);
}
