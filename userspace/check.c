// SPDX-License-Identifier: GPL-2.0-or-later
#include "check.h"

#include <inttypes.h>
#include <stdio.h>

#include "content.h"

static const struct triad_geometry *geo_of(const struct check *check)
{
	return &check->view->core.geo;
}

/* ---- roots ----------------------------------------------------------------- */

int check_roots(struct check *check)
{
	const struct view *view = check->view;
	const struct triad_core *core = &view->core;
	char owner[TEXT_SIZE];
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (view->slots[i].state != TRIAD_SLOT_VALID)
			check_say(check, CHECK_DEGRADED, "root", "slot %d is %s: %s%s", i,
				  triad_slot_state_name(view->slots[i].state),
				  view->slots[i].reason, view_owner(&view->slots[i], owner));
	if (view->choice.backup < 0)
		check_say(check, CHECK_DEGRADED, "root", "the backup root is lost");
	if (core->root.ro_compat)
		check_say(check, CHECK_NOTE, "root",
			  "features this program does not know (%#x): opens read-only",
			  core->root.ro_compat);
	return 0;
}

/* ---- log --------------------------------------------------------------------- */

static void check_log_end(struct check *check)
{
	const struct triad_core *core = &check->view->core;
	const char *part = core->log_end == TRIAD_LOG_TORN_DATA ? "data" : "header";

	if (triad_core_lost_log(core))
		check_say(check, CHECK_DAMAGED, "log", "record %" PRIu64 " at block %" PRIu64
			  " was durable and is damaged: it and what came after it is lost",
			  core->next_seq, core->space.next);
	else if (core->log_end != TRIAD_LOG_CLEAN)
		check_say(check, CHECK_NOTE, "log", "the log ends at record %" PRIu64 " (block %"
			  PRIu64 "), whose %s is not whole: normal after a power cut, nothing "
			  "that was flushed is lost", core->next_seq, core->space.next, part);
}

int check_log(struct check *check)
{
	const struct triad_core *core = &check->view->core;

	if (core->choice.backup >= 0 && core->slot_b < 0 && !core->choice.degraded &&
	    !core->space.nr_rotten)
		check_say(check, CHECK_DEGRADED, "log",
			  "the log from the backup to the current root is damaged: "
			  "the backup is lost");
	check_log_end(check);
	return 0;
}

/* ---- maps --------------------------------------------------------------------- */

static int reach_init(struct reach *reach, const struct triad_geometry *geo)
{
	reach->zones = triad_alloc(geo->nr_zones * sizeof(*reach->zones));
	return reach->zones ? 0 : -ENOMEM;
}

/* 1: it was there already */
static int reach_add(struct reach *reach, const struct triad_geometry *geo, u64 pba)
{
	u64 zone = triad_zone_of(geo, pba);
	u32 nr = pba - triad_zone_start(geo, zone);

	if (!reach->zones[zone]) {
		reach->zones[zone] = triad_alloc(TRIAD_PLANE_BITS / 8);
		if (!reach->zones[zone])
			return -ENOMEM;
	}
	if (triad_bit(reach->zones[zone], nr))
		return 1;
	triad_bit_set(reach->zones[zone], nr);
	return 0;
}

static bool reach_has(const struct reach *reach, const struct triad_geometry *geo, u64 pba)
{
	u64 zone = triad_zone_of(geo, pba);

	return reach->zones[zone] &&
	       triad_bit(reach->zones[zone], pba - triad_zone_start(geo, zone));
}

struct visit {
	struct check *check;
	struct reach *reach;
	bool is_backup;
};

static void say_node(struct check *check, const struct visit *v, int level, u64 lba, u64 nr,
		     const struct triad_ref *ref, int error)
{
	const char *what = level == TRIAD_VISIT_PIECE ? "pending entries" : level ? "node" : "leaf";
	const char *why = error == -EBADMSG ? "does not match its checksum" :
			  error == -EUCLEAN ? "points where nothing can lie" :
			  error == -ENODATA ? "cannot be read" : strerror(-error);

	if (v->is_backup) {
		check->backup_damaged = true;
		check_say(check, CHECK_DEGRADED, "map",
			  "backup: %s at block %" PRIu64 " (LBA %" PRIu64
			  ") %s: the backup is lost",
			  what, ref->pba, lba, why);
		return;
	}
	check->map_damaged = true;
	check_say(check, CHECK_DAMAGED, "map",
		  "%s at block %" PRIu64 " %s: LBA %" PRIu64 " to %" PRIu64
		  " cannot be read", what, ref->pba, why, lba, lba + (nr ? nr - 1 : 0));
}

static int visit_node(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct visit *v = context;
	struct check *check = v->check;
	int r;

	if (error)
		say_node(check, v, level, lba, nr, ref, error);
	if (!triad_geometry_valid_pba(geo_of(check), ref->pba))
		return 0;
	if (level == TRIAD_VISIT_DATA || level == TRIAD_VISIT_SHADOWED)
		v->reach->nr_data++;
	else
		v->reach->nr_nodes++;
	progress(v->is_backup ? "map of the backup" : "map",
		 v->reach->nr_nodes + v->reach->nr_data, check->view->core.root.used + 1);
	r = reach_add(v->reach, geo_of(check), ref->pba);
	if (r == 1 && error) {		/* a bad leaf, more than once */
		r = 0;
	} else if (r == 1) {
		check_say(check, v->is_backup ? CHECK_DEGRADED : CHECK_DAMAGED, "map",
			  "block %" PRIu64 " (LBA %" PRIu64 ") is mapped twice", ref->pba, lba);
		r = 0;
	}
	return r;
}

static int walk(struct check *check, struct reach *reach, const struct triad_root *root,
		bool is_backup)
{
	struct visit v = { .check = check, .reach = reach, .is_backup = is_backup };
	struct triad_map map = check->view->core.space.map;
	int r = reach_init(reach, geo_of(check));

	map.root = root->map;
	if (root->map.pba && !triad_geometry_valid_pba(geo_of(check), root->map.pba)) {
		say_node(check, &v, 1, 0, map.geo->logical_blocks, &root->map, -EUCLEAN);
		return r;
	}
	if (!r)
		r = triad_map_walk(&map, visit_node, &v);
	progress("", 0, 0);
	return r;
}

/* The core has bounded what c says, but needs little of b. */
static bool backup_is_possible(struct check *check)
{
	const struct triad_core *core = &check->view->core;
	const struct triad_root *b = &core->slots[core->choice.backup].root;

	if (b->hwm_zones <= core->geo.nr_zones && b->map_depth == core->geo.map_depth &&
	    b->logical_blocks == core->geo.logical_blocks)
		return true;
	check_say(check, CHECK_DEGRADED, "root", "the backup root says something impossible");
	return false;
}

int check_maps(struct check *check)
{
	const struct view *view = check->view;
	const struct triad_core *core = &view->core;
	int r;

	r = walk(check, &check->current, &core->root, false);
	/*
	 * While degraded only the current root and its log are protected (rule 8), and behind
	 * half a rollback b is what was to be left.
	 */
	check->backup_counts = !core->choice.degraded && core->choice.backup >= 0 &&
			       (core->slot_b >= 0 || core->root.branch != core->root.generation) &&
			       backup_is_possible(check);
	if (!r && check->backup_counts)
		r = walk(check, &check->backup, &core->slots[core->choice.backup].root, true);
	return r;
}

/* ---- space: summary and planes -------------------------------------------------- */

/* One root's planes against what its map reaches. */
struct side {
	struct check *check;
	const struct reach *reach;
	const struct triad_root *root;
	const char *name;
	enum severity rotten;		/* a plane that does not verify */
	enum severity wrong;		/* one that says something else than the map */
	bool has_summary;
	struct triad_space space;
	u8 bits[TRIAD_PLANE_BITS / 8];
	u8 expected[TRIAD_PLANE_BITS / 8];
};

static int open_side(struct side *side)
{
	struct check *check = side->check;
	const struct triad_core *core = &check->view->core;
	int r;

	r = triad_space_init(&side->space, &core->geo, core->store);
	if (r)
		return r;
	side->space.hash = core->hash;
	memcpy(side->space.uuid, core->root.uuid, TRIAD_UUID_SIZE);
	r = triad_space_load_summary(&side->space, side->root);
	side->has_summary = !r;
	if (r != -EBADMSG)
		return r;
	check_say(check, CHECK_DEGRADED, "summary",
		  "%s: the summary in slot %d's blocks is damaged: %s", side->name,
		  triad_root_planes(side->root),
		  side->reach == &check->current ?
		  "it is rebuilt from the map, and a new backup is made" : "the backup is lost");
	return 0;
}

static void expect(struct side *side, u64 zone)
{
	const u8 *reached = side->reach->zones[zone];
	u32 i;

	triad_space_empty_plane(geo_of(side->check), zone, side->expected);
	for (i = 0; reached && i < sizeof(side->expected); i++)
		side->expected[i] |= reached[i];
}

static void compare(struct side *side, u64 zone)
{
	u32 i, first = triad_zone_size(geo_of(side->check), zone), missing = 0, extra = 0;

	for (i = 0; i < TRIAD_PLANE_BITS; i++) {
		bool have = triad_bit(side->bits, i), want = triad_bit(side->expected, i);

		if (have == want)
			continue;
		first = min_t(u32, first, i);
		if (want)
			missing++;
		else
			extra++;
	}
	if (!missing && !extra)
		return;
	check_say(side->check, side->wrong, "plane",
		  "%s: the plane of zone %" PRIu64 " says %u used block%s free and %u free one%s "
		  "used (first: block %" PRIu64 ")",
		  side->name, zone, missing, missing == 1 ? " is" : "s are", extra,
		  extra == 1 ? " is" : "s are",
		  triad_zone_start(geo_of(side->check), zone) + first);
}

static int check_plane(struct side *side, u64 zone)
{
	const struct triad_geometry *geo = geo_of(side->check);
	const struct triad_zone *z = &side->space.zones[zone];
	u32 used;
	int r;

	expect(side, zone);
	if (zone >= side->root->hwm_zones) {
		if (side->reach->zones[zone])
			check_say(side->check, side->wrong, "plane", "%s: zone %" PRIu64
				  " is in use, but its root says it never was", side->name, zone);
		return 0;
	}
	used = triad_bits_count(side->expected, 0, triad_zone_size(geo, zone)) -
	       (triad_zone_size(geo, zone) - triad_zone_usable(geo, zone));
	if (side->has_summary && z->used != used)
		check_say(side->check, side->wrong, "summary",
			  "%s: zone %" PRIu64 ": used blocks are %u, its summary says %u",
			  side->name, zone, used, z->used);
	r = triad_space_read_plane(&side->space, zone, triad_root_planes(side->root), side->root->hwm_zones,
				   side->has_summary ? z->changed : 0, side->bits,
				   side->space.buffer);
	if (r == -EBADMSG) {
		check_say(side->check, side->rotten, "plane", "%s: the plane of zone %" PRIu64
			  " (block %" PRIu64 ") is damaged: %s", side->name, zone,
			  triad_plane_pba(geo, zone, triad_root_planes(side->root)),
			  side->reach == &side->check->current ? "it is rebuilt from the map" :
			  "the backup is lost");
		return 0;
	}
	if (!r)
		compare(side, zone);
	return r;
}

static int check_side(struct check *check, const struct reach *reach, const struct triad_root *root,
		      bool is_backup, struct triad_zone **zones)
{
	struct side *side = triad_alloc(sizeof(*side));
	u64 zone;
	int r;

	*zones = NULL;
	if (!side)
		return -ENOMEM;
	side->check = check;
	side->reach = reach;
	side->root = root;
	side->name = is_backup ? "backup" : "current";
	side->rotten = CHECK_DEGRADED;
	/* what b would lose is lost only together with c */
	side->wrong = is_backup ? CHECK_DEGRADED : CHECK_DAMAGED;
	r = open_side(side);
	for (zone = 0; zone < geo_of(check)->nr_zones && !r; zone++) {
		progress("planes", zone, geo_of(check)->nr_zones);
		r = check_plane(side, zone);
	}
	progress("", 0, 0);
	if (!r && side->has_summary) {
		*zones = side->space.zones;
		side->space.zones = NULL;
	}
	triad_space_free(&side->space);
	triad_free(side);
	return r;
}

/* ---- space: counters and the log's blocks ----------------------------------------- */

static void check_count(struct check *check, const char *name, u64 said, u64 counted)
{
	if (said != counted)
		check_say(check, CHECK_DAMAGED, "summary",
			  "%s blocks: the root counts %" PRIu64 ", there are %" PRIu64,
			  name, said, counted);
}

/* c repeats b: what it says of its predecessor is of the one before. */
static bool is_repeat(const struct triad_core *core)
{
	return triad_root_turn(&core->slots[core->choice.backup].root) ==
	       triad_root_turn(&core->root);
}

/* Blocks of b that are not in c any more. */
static u32 pending_in(const struct check *check, u64 zone)
{
	const u8 *b = check->backup.zones[zone], *c = check->current.zones[zone];
	u32 i, nr = 0;

	for (i = 0; b && i < TRIAD_PLANE_BITS / 8; i++)
		nr += __builtin_popcount(b[i] & ~(c ? c[i] : 0u));
	return nr;
}

static void check_counters(struct check *check, const struct triad_zone *zones)
{
	const struct triad_root *root = &check->view->core.root;
	bool know_b = check->backup_counts && !check->backup_damaged &&
		      !is_repeat(&check->view->core);
	u64 zone, used = 0, pending = 0;

	for (zone = 0; zone < root->hwm_zones; zone++) {
		u32 nr = know_b ? pending_in(check, zone) : zones[zone].pending;

		used += zones[zone].used;
		pending += zones[zone].pending;
		if (nr != zones[zone].pending)
			check_say(check, CHECK_DAMAGED, "summary",
				  "zone %" PRIu64 ": pending blocks are %u, its summary says %u",
				  zone, nr, zones[zone].pending);
		if ((u32)triad_root_turn(root) - zones[zone].changed >= 0x80000000u)
			check_say(check, CHECK_DAMAGED, "summary",
				  "zone %" PRIu64 " changed after the root it belongs to", zone);
	}
	check_count(check, "used", root->used, used);
	check_count(check, "pending", root->pending, pending);
}

static int check_log_block(struct check *check, u64 pba, bool is_backup, u64 *nr_dead)
{
	const struct triad_geometry *geo = geo_of(check);
	bool in_c = reach_has(&check->current, geo, pba);
	int r;

	/* data that the log wrote before c is in c's map now; the rest of it is not */
	if (in_c && !is_backup)
		check_say(check, CHECK_DAMAGED, "log",
			  "block %" PRIu64 " of the log is also in the map", pba);
	if (!in_c && is_backup)
		++*nr_dead;
	if (check->backup_counts && reach_has(&check->backup, geo, pba))
		check_say(check, CHECK_DEGRADED, "log",
			  "block %" PRIu64 " of the log is also in the backup's map: "
			  "the backup is lost", pba);
	r = reach_add(&check->log, geo, pba);
	if (r == 1) {
		check_say(check, CHECK_DAMAGED, "log", "block %" PRIu64 " is in the log twice",
			  pba);
		r = 0;
	}
	return r;
}

static int check_log_list(struct check *check, const struct triad_list *list, bool is_backup,
			  u64 *nr_dead)
{
	u64 pba, end;
	u32 i;
	int r = 0;

	for (i = 0; i < list->nr && !r; i++) {
		pba = triad_run_start(list->v[i]);
		end = triad_run_end(list->v[i]);
		for (; pba < end && !r; pba++)
			r = check_log_block(check, pba, is_backup, nr_dead);
	}
	return r;
}

static int check_log_places(struct check *check)
{
	const struct triad_core *core = &check->view->core;
	u64 nr_dead = 0;
	int r;

	r = reach_init(&check->log, &core->geo);
	if (!r)
		r = check_log_list(check, &core->space.log_active, false, &nr_dead);
	if (!r)
		r = check_log_list(check, &core->space.log_backup, true, &nr_dead);
	if (!r && check->backup_counts && core->slot_b >= 0 && !is_repeat(core))
		check_count(check, "dead", core->root.dead, nr_dead);
	if (!r)
		r = check_log_block(check, core->space.next, false, &nr_dead);
	return r;
}

int check_space(struct check *check)
{
	const struct triad_core *core = &check->view->core;
	struct triad_zone *zones = NULL, *ignored = NULL;
	int r;

	/* what a damaged map still reaches is no measure for planes */
	if (check->map_damaged)
		return 0;
	r = check_side(check, &check->current, &core->root, false, &zones);
	if (!r && check->backup_counts)
		r = check_side(check, &check->backup, &core->slots[core->choice.backup].root, true,
			       &ignored);
	if (!r && zones)
		check_counters(check, zones);
	if (!r)
		r = check_log_places(check);
	triad_free(zones);
	triad_free(ignored);
	return r;
}

/* ---- data --------------------------------------------------------------------------- */

static int check_block(void *context, const struct content_block *block)
{
	struct check *check = context;
	const struct triad_core *core = &check->view->core;

	progress("data", check->nr_data_verified, check->current.nr_data + core->active->nr + 1);
	if (block->data) {
		check->nr_data_verified++;
		return 0;
	}
	if (block->nr == 1)	/* damaged nodes were named before */
		check_say(check, CHECK_DAMAGED, "data",
			  "LBA %" PRIu64 ": its %s at block %" PRIu64 " %s", block->lba,
			  block->in_log ? "data in the log" : "data", block->pba,
			  block->error == -EBADMSG ? "does not match its checksum" :
			  "cannot be read");
	return 0;
}

int check_data(struct check *check)
{
	int r = content_walk(&check->view->core, true, check_block, check);

	progress("", 0, 0);
	return r;
}

/* ---- end ------------------------------------------------------------------------------ */

static void reach_free(struct reach *reach, const struct triad_geometry *geo)
{
	u64 zone;

	for (zone = 0; reach->zones && zone < geo->nr_zones; zone++)
		triad_free(reach->zones[zone]);
	triad_free(reach->zones);
	reach->zones = NULL;
}

void check_free(struct check *check)
{
	reach_free(&check->current, geo_of(check));
	reach_free(&check->backup, geo_of(check));
	reach_free(&check->log, geo_of(check));
}
