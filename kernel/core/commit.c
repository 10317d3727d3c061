// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of a commit.  The interval is frozen and a new one begins at once; the frozen
 * one is sorted, and its entries are put into a copy of the map's nodes, at places that
 * neither b nor c reaches.  Planes and summary of slot a say what the new root reaches.
 * All that is durable before the root is written over a; then the letters move.  While a is
 * lost the root goes over b instead, and only that.
 *
 * Before the first plane is written an intent record names the zones of all blocks that
 * enter or leave the map: should the commit never land, slot a's planes of these zones
 * belong to no root, and the next commit has to write them all.  It need not enter and
 * leave by the same blocks: which leaves are written depends on the whole interval.
 *
 * Writers go on beside all of it but freeze, take and land, which hold the core's lock.
 */
#include "core.h"

/* Places of nodes that are taken at once; in tests few, so that one commit takes some again. */
#ifdef TRIAD_TEST_PENDING
#define NODE_BATCH	8u
#else
#define NODE_BATCH	256u
#endif

/* ---- memory ------------------------------------------------------------------ */

/*
 * Room for all that an interval of max entries can ask for: neither the log nor a commit
 * needs memory later, when it may be this device that has to free some.
 */
static void lists_for(struct triad_core *core, u32 max, struct triad_list *list[TRIAD_NR_LISTS],
		      u32 want[TRIAD_NR_LISTS])
{
	struct triad_commit *commit = &core->commit;
	struct triad_space *space = &core->space;
	u32 nodes = triad_geometry_nodes(&core->geo, max), i;
	/* each block alone: payload, headers, and a record of the core's own or two */
	u32 runs = 2 * max + 4;

	list[0] = &space->log_backup;
	list[1] = &space->log_frozen;
	list[2] = &space->log_active;
	for (i = 0; i < 3; i++)
		want[i] = runs;
	list[3] = &space->nodes;
	want[3] = nodes;
	list[4] = &commit->nodes;
	want[4] = NODE_BATCH;
	list[5] = &commit->adds;
	want[5] = max + nodes;
	list[6] = &commit->frees;
	want[6] = triad_log_most_freed(core, max);
}

static int reserve_lists(struct triad_core *core, u32 max)
{
	struct triad_list *list[TRIAD_NR_LISTS];
	u32 i, want[TRIAD_NR_LISTS];
	int r = 0;

	lists_for(core, max, list, want);
	for (i = 0; i < TRIAD_NR_LISTS && !r; i++)
		r = triad_list_reserve(list[i], want[i]);
	return r;
}

int triad_commit_init(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	u32 max = max_t(u32, core->active->max, core->spare->max);
	int i;

	commit->block = triad_alloc(TRIAD_BLOCK_SIZE);
	commit->scratch = triad_alloc(max * sizeof(*commit->scratch));
	commit->order = triad_alloc(max * sizeof(*commit->order));
	commit->zones = triad_alloc(core->geo.nr_zones * sizeof(*commit->zones));
	commit->plane = triad_alloc(TRIAD_BLOCK_SIZE);
	commit->bits = triad_alloc(TRIAD_PLANE_BITS / 8);
	commit->ahead = triad_alloc(triad_group_zones(&core->geo, 0) * sizeof(*commit->ahead));
	commit->update.work = triad_alloc(sizeof(*commit->update.work));
	for (i = 0; i < core->geo.map_depth; i++)
		commit->update.buffer[i] = triad_alloc(TRIAD_BLOCK_SIZE);
	if (!commit->block || !commit->scratch || !commit->order || !commit->zones ||
	    !commit->plane || !commit->bits || !commit->ahead || !commit->update.work ||
	    !commit->update.buffer[core->geo.map_depth - 1])
		return -ENOMEM;
	for (i = 0; i < core->geo.map_depth; i++)
		if (!commit->update.buffer[i])
			return -ENOMEM;
	commit->max = max;
	commit->want = core->spare->max;
	return reserve_lists(core, max);
}

static void free_growth(struct triad_growth *growth)
{
	u32 i;

	triad_index_destroy(growth->index);
	triad_free(growth->scratch);
	triad_free(growth->order);
	for (i = 0; i < TRIAD_NR_LISTS; i++)
		triad_list_free(&growth->list[i]);
	memset(growth, 0, sizeof(*growth));
}

void triad_commit_free(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	int i;

	free_growth(&commit->growth);
	triad_free(commit->block);
	triad_free(commit->scratch);
	triad_free(commit->order);
	triad_free(commit->zones);
	triad_free(commit->plane);
	triad_free(commit->bits);
	triad_free(commit->ahead);
	triad_free(commit->update.work);
	for (i = 0; i < TRIAD_MAX_DEPTH; i++)
		triad_free(commit->update.buffer[i]);
	triad_list_free(&commit->nodes);
	triad_list_free(&commit->adds);
	triad_list_free(&commit->frees);
	memset(commit, 0, sizeof(*commit));
}

/* Lists and buffers of the commit, for an interval of max entries; false: no memory. */
static bool grow_lists(struct triad_core *core, struct triad_growth *growth, u32 max)
{
	struct triad_list *list[TRIAD_NR_LISTS];
	u32 i, want[TRIAD_NR_LISTS];

	lists_for(core, max, list, want);
	growth->scratch = triad_try_alloc(max * sizeof(*growth->scratch));
	growth->order = triad_try_alloc(max * sizeof(*growth->order));
	for (i = 0; i < TRIAD_NR_LISTS; i++) {
		growth->list[i].max = want[i];
		growth->list[i].v = triad_try_alloc(want[i] * sizeof(u64));
		if (!growth->list[i].v)
			return false;
	}
	growth->max = max;
	return growth->scratch && growth->order;
}

/*
 * The memory of an interval grows with its use: when one was full, the next but one may be
 * twice as long, up to what the device was formatted for.  If there is no memory, it is
 * as long as before.  Beside writes; triad_commit_recycle puts it in place.
 */
static void grow(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_growth *growth = &commit->growth;
	u32 max = core->frozen->max;

	if (core->frozen->nr >= max / 4 * 3 && max == commit->want)
		commit->want = min_t(u64, 2ULL * max, core->geo.interval_blocks);
	if (max >= commit->want)
		return;
	growth->index = triad_index_create(commit->want, triad_try_alloc);
	if (!growth->index ||
	    (commit->want > commit->max && !grow_lists(core, growth, commit->want))) {
		free_growth(growth);
		commit->want = max_t(u32, max, core->active->max);
	}
}

/* Move a list into a longer one. */
static void adopt_list(struct triad_list *list, struct triad_list *longer)
{
	struct triad_list t = *list;

	memcpy(longer->v, list->v, list->nr * sizeof(*list->v));
	longer->nr = list->nr;
	*list = *longer;
	*longer = t;
}

static void adopt(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_growth *growth = &commit->growth;
	struct triad_list *list[TRIAD_NR_LISTS];
	u32 i, want[TRIAD_NR_LISTS], *order;
	u64 *scratch;

	if (!growth->index)
		return;
	triad_index_destroy(core->spare);
	core->spare = growth->index;
	core->spare_is_dirty = false;
	growth->index = NULL;
	if (growth->max) {
		lists_for(core, growth->max, list, want);
		for (i = 0; i < TRIAD_NR_LISTS; i++)
			if (growth->list[i].max > list[i]->max)
				adopt_list(list[i], &growth->list[i]);
		/* free_growth frees the old ones */
		scratch = commit->scratch;
		commit->scratch = growth->scratch;
		growth->scratch = scratch;
		order = commit->order;
		commit->order = growth->order;
		growth->order = order;
		commit->max = growth->max;
	}
	free_growth(growth);
}

bool triad_commit_needed(const struct triad_core *core, bool clean)
{
	return core->interval.nr_entries || (clean && core->root.segment);
}

/* The next root begins where the log stands now. */
static void capture(struct triad_core *core)
{
	struct triad_root *root = &core->commit.root;

	root->next = core->space.next;
	root->next_seq = core->next_seq;
	memcpy(root->chain, core->chain, sizeof(root->chain));
}

static void swap_lists(struct triad_list *x, struct triad_list *y)
{
	struct triad_list t = *x;

	*x = *y;
	*y = t;
}

void triad_commit_freeze(struct triad_core *core, bool clean)
{
	struct triad_commit *commit = &core->commit;
	struct triad_space *space = &core->space;
	u64 room = core->geo.usable - space->used - space->keep.nr_blocks;

	commit->clean = clean;
	commit->root = core->root;
	commit->root.origin = core->origin;
	capture(core);
	commit->reserved = core->interval.nr_nodes;
	space->nodes.nr = 0;

	core->frozen = core->active;
	core->active = core->spare;
	core->spare = NULL;
	swap_lists(&space->log_frozen, &space->log_active);
	space->log_active.nr = 0;
	core->interval = (struct triad_interval) {
		.budget = triad_div64(room - min_t(u64, room, triad_space_lent(space)), 3),
	};
	triad_keep_begin(core);
}

void triad_commit_sort(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;

	commit->nr_order = triad_index_sorted(core->frozen, commit->scratch, commit->order);
}

/* The places of some more nodes.  Locked. */
static int take_some(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_list *nodes = &commit->nodes;
	u32 i, got, left = min_t(u64, NODE_BATCH, commit->reserved);
	u64 pba;
	int r;

	if (!left)
		return -ENOSPC;
	for (nodes->nr = 0; left; left -= got) {
		r = triad_space_take(&core->space, TRIAD_CURSOR_NODE, left, &pba, &got);
		if (!r)
			r = triad_list_push_run(&core->space.nodes, pba, got);
		for (i = 0; i < got && !r; i++)
			r = triad_list_push(nodes, pba + i);
		if (r)
			return r;
		core->space.reserved -= got;
		commit->reserved -= got;
	}
	return 0;
}

/* The next zone of what enters or leaves the map; both lists are sorted. */
static u64 pop_zone(const struct triad_core *core, u32 *add, u32 *free)
{
	const struct triad_list *adds = &core->commit.adds, *frees = &core->commit.frees;
	u64 a = *add < adds->nr ? adds->v[*add] : ~0ULL;
	u64 f = *free < frees->nr ? frees->v[*free] : ~0ULL;

	if (a < f)
		++*add;
	else
		++*free;
	return triad_zone_of(&core->geo, min_t(u64, a, f));
}

int triad_commit_intent(struct triad_core *core, struct triad_record *rec, void *block)
{
	struct triad_commit *commit = &core->commit;
	u64 zone, lowest = ~0ULL, highest = 0;
	u32 i, add = 0, free = 0;
	int r;

	if (!commit->adds.nr && !commit->frees.nr)
		return 1;
	triad_log_begin(core, rec, TRIAD_RECORD_INTENT);
	while (add < commit->adds.nr || free < commit->frees.nr) {
		zone = pop_zone(core, &add, &free);
		if (lowest == ~0ULL)
			lowest = zone;
		else if (zone == highest)
			continue;
		highest = zone;
		if (rec->nr_extents < TRIAD_RECORD_MAX_RANGES)
			triad_record_add_extent(rec, zone, 1);
	}
	if (rec->nr_extents == TRIAD_RECORD_MAX_RANGES) {
		/* too many to name one by one: too many is safe, too few is not */
		rec->nr_extents = 0;
		triad_record_add_extent(rec, lowest, highest - lowest + 1);
	}
	r = triad_log_seal(core, rec, block);
	if (!r && commit->clean) {
		/* nobody writes: this record still belongs to the interval */
		for (i = 0; i < core->space.log_active.nr && !r; i++)
			r = triad_list_push(&core->space.log_frozen,
					    core->space.log_active.v[i]);
		core->space.log_active.nr = 0;
		capture(core);
	}
	return r;
}

/* ---- the map --------------------------------------------------------------- */

static void lock(struct triad_commit_host *host)
{
	if (host->lock)
		host->lock(host);
}

static void unlock(struct triad_commit_host *host)
{
	if (host->unlock)
		host->unlock(host);
}

static int compare(const void *x, const void *y)
{
	u64 a = *(const u64 *)x, b = *(const u64 *)y;

	return a < b ? -1 : a > b;
}

struct taker {
	struct triad_core *core;
	struct triad_commit_host *host;
};

/* More places for nodes. */
static int take_nodes(struct triad_map_update *u)
{
	struct taker *taker = u->context;
	int r;

	lock(taker->host);
	r = take_some(taker->core);
	unlock(taker->host);
	u->nodes = taker->core->commit.nodes.v;
	u->nr_nodes = taker->core->commit.nodes.nr;
	u->nr_used = 0;
	return r;
}

static int update_map(struct triad_core *core, struct triad_commit_host *host)
{
	struct triad_commit *commit = &core->commit;
	struct triad_map_update *u = &commit->update;
	struct taker taker = { core, host };
	int r;

	commit->adds.nr = 0;
	commit->frees.nr = 0;
	u->more = take_nodes;
	u->context = &taker;
	u->nr_nodes = 0;
	u->map = &core->space.map;
	u->index = core->frozen;
	u->order = commit->order;
	u->nr_order = commit->nr_order;
	u->birth = (u32)commit->root.generation;
	u->adds = &commit->adds;
	u->frees = &commit->frees;
	u->max_frees = commit->frees.max;
	u->keep = &core->space.keep;
	r = triad_map_apply(u);
	lock(host);
	core->space.reserved -= commit->reserved;
	commit->reserved = 0;
	unlock(host);
	if (r)
		return r;
	commit->root.map = u->root;
	triad_sort(commit->adds.v, commit->adds.nr, sizeof(u64), compare);
	triad_sort(commit->frees.v, commit->frees.nr, sizeof(u64), compare);
	return 0;
}

/*
 * Planes of which a slot may hold another state than its turn says count as
 * changed, so that every slot gets them anew: those that a commit which never
 * landed may have written, and, when the slots do not take turns as usual, those
 * that a slot may have missed.
 */
static void doubt_planes(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	u32 now = (u32)triad_root_turn(&commit->root);
	u64 zone;

	for (zone = 0; zone < commit->root.hwm_zones; zone++)
		if (core->suspects[zone])
			commit->zones[zone].changed = now;
	for (zone = 0; core->doubtful && zone < commit->root.hwm_zones; zone++) {
		u32 changed = commit->zones[zone].changed;

		if (!changed || now - changed <= TRIAD_TURNS)
			commit->zones[zone].changed = now;
	}
}

/* The zones as they will be, and the root's counters. */
static int update_zones(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	const struct triad_geometry *geo = &core->geo;
	u32 now = (u32)triad_root_turn(&commit->root);
	struct triad_zone *z;
	u64 zone, hwm = core->space.hwm;
	u32 i;

	memcpy(commit->zones, core->space.zones, geo->nr_zones * sizeof(*commit->zones));
	for (zone = 0; zone < hwm; zone++)
		commit->zones[zone].pending = 0;
	for (i = 0; i < commit->adds.nr; i++) {
		zone = triad_zone_of(geo, commit->adds.v[i]);
		z = &commit->zones[zone];
		z->used++;
		z->changed = now;
		if (zone >= hwm) {
			/* zones that come into use get their planes from now on */
			for (; hwm <= zone; hwm++)
				commit->zones[hwm].changed = now;
		}
	}
	for (i = 0; i < commit->frees.nr; i++) {
		z = &commit->zones[triad_zone_of(geo, commit->frees.v[i])];
		if (!z->used)
			return -EUCLEAN;
		z->used--;
		z->pending++;
		z->changed = now;
	}
	commit->root.hwm_zones = hwm;
	commit->root.used = core->space.used + commit->adds.nr - commit->frees.nr;
	commit->root.pending = commit->frees.nr;
	commit->root.dead = triad_list_blocks(&core->space.log_frozen) -
			    commit->update.nr_data_added;
	doubt_planes(core);
	return 0;
}

/*
 * Does the slot's plane on disk differ from what it must say?  The slot had its
 * turn three turns ago.
 */
static bool plane_is_old(const struct triad_commit *commit, u64 zone)
{
	return (u32)triad_root_turn(&commit->root) - commit->zones[zone].changed < TRIAD_TURNS;
}

/* A summary entry changes once more in the commit behind a change: pending ends. */
static bool summary_is_old(const struct triad_commit *commit, u64 zone)
{
	return (u32)triad_root_turn(&commit->root) - commit->zones[zone].changed <= TRIAD_TURNS;
}

/* Set and clear the bits of one zone; lists are sorted, at and behind pos. */
static int change_bits(const struct triad_geometry *geo, u64 zone,
		       const struct triad_list *list, u32 *pos, u8 *bits, bool set)
{
	u64 start = triad_zone_start(geo, zone);
	u64 end = start + geo->zone_blocks;

	for (; *pos < list->nr && list->v[*pos] < end; ++*pos) {
		u32 nr = list->v[*pos] - start;

		if (triad_bit(bits, nr) == set)
			return -EUCLEAN;
		if (set)
			triad_bit_set(bits, nr);
		else
			triad_bit_clear(bits, nr);
	}
	return 0;
}

/* Few planes are read one by one. */
#define MIN_AHEAD	4u

/* The planes of a group lie together: if many are changed, read them at once. */
static void read_ahead(struct triad_core *core, u64 first)
{
	struct triad_commit *commit = &core->commit;
	struct triad_store *store = core->store;
	u32 i, nr = min_t(u64, triad_group_zones(&core->geo, first), core->space.hwm - first);
	u32 nr_old = 0;

	for (i = 0; i < nr; i++)
		nr_old += plane_is_old(commit, first + i);
	commit->ahead_first = first;
	commit->nr_ahead = 0;
	/* what cannot be read this way is looked at one by one */
	if (nr_old >= MIN_AHEAD &&
	    !store->ops->read(store, triad_plane_pba(&core->geo, first, core->space.slot_c), nr,
			      commit->ahead))
		commit->nr_ahead = nr;
}

static const void *ahead_of(const struct triad_commit *commit, u64 zone)
{
	u64 nr = zone - commit->ahead_first;

	return nr < commit->nr_ahead ? &commit->ahead[nr] : NULL;
}

static int write_plane(struct triad_core *core, u64 zone, u32 *add, u32 *free)
{
	struct triad_commit *commit = &core->commit;
	u32 size = triad_zone_size(&core->geo, zone);
	bool rebuilt;
	int r;

	r = triad_space_read_current(&core->space, zone, commit->bits, commit->plane,
				     ahead_of(commit, zone), &rebuilt);
	if (!r)
		r = change_bits(&core->geo, zone, &commit->frees, free, commit->bits, false);
	if (!r)
		r = change_bits(&core->geo, zone, &commit->adds, add, commit->bits, true);
	if (r)
		return r;
	if (rebuilt)
		commit->zones[zone].changed = (u32)triad_root_turn(&commit->root);
	/* two ways to know how much is used: they must agree */
	if (triad_bits_count(commit->bits, 0, size) !=
	    commit->zones[zone].used + size - triad_zone_usable(&core->geo, zone))
		return -EUCLEAN;
	memcpy(commit->plane->bits, commit->bits, sizeof(commit->plane->bits));
	return triad_space_write(&core->space, TRIAD_PLANE_MAGIC, zone, &commit->root,
				 triad_plane_pba(&core->geo, zone, commit->planes), commit->plane);
}

/* Planes and summary blocks of the slot that are older than what they describe. */
static int write_space(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_summary_disk *block = (struct triad_summary_disk *)commit->plane;
	u64 zone, first = 0, hwm = commit->root.hwm_zones;
	u32 add = 0, free = 0;
	bool old = false;
	int r;

	for (zone = 0; zone < hwm; zone++) {
		if (zone == triad_group_of(zone) && zone < core->space.hwm)
			read_ahead(core, zone);
		old |= summary_is_old(commit, zone);
		if (plane_is_old(commit, zone)) {
			r = write_plane(core, zone, &add, &free);
			if (r)
				return r;
			triad_yield();
		}
		if (zone + 1 - first < TRIAD_SUMMARY_ZONES && zone + 1 < hwm)
			continue;
		if (old) {
			memset(block, 0, sizeof(*block));
			triad_space_encode_zones(&commit->zones[first], zone + 1 - first,
						 block->zone);
			r = triad_space_write(&core->space, TRIAD_SUMMARY_MAGIC, first,
					      &commit->root,
					      triad_summary_pba(&core->geo, first, commit->planes),
					      block);
			if (r)
				return r;
		}
		old = false;
		first = zone + 1;
	}
	return add == commit->adds.nr && free == commit->frees.nr ? 0 : -EUCLEAN;
}

/* The slot that the root will lie in. */
static void aim(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;

	commit->slot = triad_lost_next(core);
	commit->root.slot = commit->slot;
	commit->root.plane_shift = (commit->planes + TRIAD_NR_SLOTS - commit->slot) %
				   TRIAD_NR_SLOTS;
}

/* The root, but for what it reaches. */
static int begin_root(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_root *root = &commit->root;
	int r;

	aim(core);
	root->generation = core->root.generation + 1;
	if (core->degraded || core->branches_off)
		root->branch = root->generation;
	if (core->stamp) {
		root->incompat = core->stamp->incompat;
		root->origin = core->stamp->origin;
		root->epoch = core->stamp->epoch;
	}
	root->segment = commit->clean ? 0 : root->next;
	root->time = triad_now();
	memcpy(root->prev, core->root.version, sizeof(root->prev));
	memcpy(root->prev_chain, core->root.chain, sizeof(root->prev_chain));
	r = triad_root_next_version(core->hash, core->parent, core->root.version, root->version);
	/* with no record before it: see triad_log_start */
	if (!r && !core->session)
		r = triad_lost_flush(core);
	return r;
}

static int seal_root(struct triad_core *core)
{
	aim(core);	/* the flush may have lost the slot */
	return triad_root_seal(&core->commit.root, core->hash, core->commit.block);
}

int triad_commit_prepare(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_root *root = &commit->root;
	int r;

	r = update_zones(core);
	if (!r)
		r = write_space(core);
	if (!r)
		r = triad_space_sum(&core->space, commit->zones, root->hwm_zones,
				    root->summary_sum);
	/* rule 2: all of the interval is durable before the root is written */
	if (!r)
		r = triad_lost_flush(core);
	return r ? r : seal_root(core);
}

int triad_commit_update(struct triad_core *core, struct triad_commit_host *host)
{
	int r, planes_c = triad_root_planes(&core->root);

	/* those that neither c nor its parent has; they may share theirs */
	core->commit.planes = core->planes_b == planes_c ? (planes_c + 1) % TRIAD_NR_SLOTS :
			      TRIAD_NR_SLOTS - core->planes_b - planes_c;
	r = begin_root(core);
	return r ? r : update_map(core, host);
}

int triad_commit_root(struct triad_core *core)
{
	return triad_guard_write(core, core->commit.slot, core->commit.block);
}

/* The letters, and what is known of c and b. */
static void move_letters(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	struct triad_space *space = &core->space;
	struct triad_zone *zones = space->zones;

	triad_keep_land(core);
	memcpy(core->parent, core->root.version, sizeof(core->parent));
	core->planes_b = triad_root_planes(&core->root);
	core->slot_b = core->slot_c;
	core->slot_c = commit->slot;
	core->slot_a = 3 - core->slot_b - core->slot_c;
	space->hwm_b = core->root.hwm_zones;
	core->root = commit->root;
	core->degraded = core->branches_off = false;

	space->zones = commit->zones;
	commit->zones = zones;
	space->slot_b = core->planes_b;
	space->slot_c = commit->planes;
	space->hwm = core->root.hwm_zones;
	space->used = core->root.used;
	space->pending = core->root.pending;
	space->dead = core->root.dead;
	space->map.root = core->root.map;
	swap_lists(&space->log_backup, &space->log_frozen);
	space->log_frozen.nr = 0;
	space->nodes.nr = 0;
	triad_space_recount(space);
}

void triad_commit_land(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;

	move_letters(core);
	core->origin = core->root.origin;
	core->counted.open = 0;
	core->alone = false;
	core->doubtful = false;
	memset(core->suspects, 0, core->geo.nr_zones);
	core->spare = core->frozen;
	core->spare_is_dirty = true;
	core->frozen = NULL;
	if (commit->clean)
		core->session = false;
}

void triad_commit_recycle(struct triad_core *core)
{
	adopt(core);
	if (core->spare_is_dirty)
		triad_index_reset(core->spare);
	core->spare_is_dirty = false;
}

/* ---- the whole ------------------------------------------------------------- */

static void view_changed(struct triad_commit_host *host)
{
	if (host->view_changed)
		host->view_changed(host);
}

static int wait_published(struct triad_commit_host *host, u64 seq)
{
	return host->wait_published ? host->wait_published(host, seq) : 0;
}

static int step(struct triad_commit_host *host, enum triad_commit_step ended)
{
	return host->step ? host->step(host, ended) : 0;
}

static int submit(struct triad_core *core, struct triad_commit_host *host)
{
	int r;

	if (host->submit) {
		host->submit(host);
		return 0;
	}
	r = core->store->ops->write(core->store, host->intent->place, 1, host->intent_block);
	return r ? r : triad_log_publish(core, host->intent, 0);
}

/* The record that says which planes change, durable before the first of them. */
static int announce(struct triad_core *core, struct triad_commit_host *host)
{
	bool nothing;
	u64 seq;
	int r;

	lock(host);
	seq = core->next_seq;
	r = triad_commit_intent(core, host->intent, host->intent_block);
	nothing = r == 1;
	if (!r)
		r = submit(core, host);
	else if (nothing)
		r = 0;
	unlock(host);
	if (!r)
		r = step(host, TRIAD_COMMIT_BUILT);
	if (r || nothing)
		return r;
	r = wait_published(host, seq);
	return r ? r : triad_lost_flush(core);
}

/*
 * Rule 2: a root write of unknown outcome is repeated with the same image; until it
 * succeeds nothing else is written that this image could contradict.
 */
static int try_root(struct triad_core *core, struct triad_commit_host *host)
{
	u32 nr = 0;
	int r;

	do
		r = triad_commit_root(core);
	while (r && r != -ESTALE && host->try_again && host->try_again(host, ++nr, r));
	return r;
}

/*
 * The root could not be written over a: it may be there all the same, or land later.  It
 * goes over b as well; to the two of them all is the same but the slot.
 */
static int write_root(struct triad_core *core, struct triad_commit_host *host)
{
	int r = try_root(core, host);

	if (!r || r == -ESTALE || core->commit.slot != core->slot_a ||
	    triad_lost_give_up(core, core->slot_a))
		return r;
	r = seal_root(core);
	if (!r)
		r = step(host, TRIAD_COMMIT_GIVEN_UP);
	return r ? r : try_root(core, host);
}

/* What runs beside writes. */
static int build(struct triad_core *core, struct triad_commit_host *host, u64 last)
{
	int r = step(host, TRIAD_COMMIT_FROZEN);

	/* every record before the freeze point is in the index */
	if (!r)
		r = wait_published(host, last);
	if (r)
		return r;
	triad_commit_sort(core);
	r = step(host, TRIAD_COMMIT_SORTED);
	if (!r) {
		triad_lost_look(core);
		r = triad_guard_check(core);
	}
	if (!r)
		r = triad_commit_update(core, host);
	if (!r)
		r = announce(core, host);
	if (!r)
		r = step(host, TRIAD_COMMIT_ANNOUNCED);
	if (!r)
		r = triad_commit_prepare(core);
	if (!r)
		r = step(host, TRIAD_COMMIT_PREPARED);
	if (!r)
		r = write_root(core, host);
	if (!r)
		grow(core);
	return r ? r : step(host, TRIAD_COMMIT_WRITTEN);
}

int triad_commit_run(struct triad_core *core, bool clean, struct triad_commit_host *host)
{
	u64 last;
	int r;

	/* the intent record may be this session's first; without entries there is none */
	if (core->interval.nr_entries) {
		r = triad_log_start(core);
		if (r)
			return r;
	}
	triad_commit_recycle(core);
	triad_commit_freeze(core, clean);
	view_changed(host);
	last = core->next_seq - 1;
	unlock(host);
	r = build(core, host, last);
	lock(host);
	if (r)
		return r;
	triad_commit_land(core);
	view_changed(host);
	unlock(host);
	r = step(host, TRIAD_COMMIT_LANDED);
	lock(host);
	return r;
}

int triad_commit_alone(struct triad_core *core, bool clean)
{
	struct triad_commit_host host = {
		.intent = &core->record,
		.intent_block = core->window,
	};

	return triad_commit_run(core, clean, &host);
}

int triad_commit_again(struct triad_core *core)
{
	struct triad_commit *commit = &core->commit;
	int r = triad_guard_check(core);

	if (r)
		return r;
	commit->clean = false;
	commit->root = core->root;
	commit->root.repeats++;
	commit->planes = triad_root_planes(&core->root);
	memcpy(commit->zones, core->space.zones, core->geo.nr_zones * sizeof(*commit->zones));
	r = begin_root(core);
	if (!r)
		r = seal_root(core);
	if (!r)
		r = triad_commit_root(core);
	if (r)
		return r;
	move_letters(core);
	triad_space_forget_backup(&core->space);
	return 0;	/* and what was doubtful is so still */
}
