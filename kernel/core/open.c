// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening writes nothing: roots are judged, c's numbers bounded, the summary read, the log
 * replayed.  What is wrong with one root, b's planes or its log only makes the device
 * degraded: nothing is kept for b then, and healing, a commit into the bad slot, comes
 * before any write (rule 8).
 *
 * A root is never healed on the word of one whose map is not on this disk: find_map.
 */
#include "core.h"

#define WINDOW_BYTES	(64u * TRIAD_BLOCK_SIZE)

static int read_slot(struct triad_slot *slot, struct triad_store *store, unsigned int nr,
		     void *block)
{
	int r = store->ops->read_root(store, nr, block);

	if (r == -ENOMEM)
		return r;
	if (!r) {
		triad_root_decode(slot, nr, block);
		return 0;
	}
	memset(slot, 0, sizeof(*slot));
	slot->state = TRIAD_SLOT_UNREADABLE;
	slot->reason = r == -ENXIO ? "its device is missing" : "its device reports a read error";
	slot->error = r;
	return 0;
}

int triad_core_probe(struct triad_slot slots[TRIAD_NR_SLOTS], struct triad_store *store,
		     int *first)
{
	void *block = triad_alloc(TRIAD_BLOCK_SIZE);
	int i, j, r = 0;

	if (!block)
		return -ENOMEM;
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = read_slot(&slots[i], store, i, block);
	triad_free(block);
	if (r)
		return r;
	/* a name that two roots agree on, else any */
	*first = -1;
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		if (slots[i].state != TRIAD_SLOT_VALID)
			continue;
		if (*first < 0)
			*first = i;
		for (j = i + 1; j < TRIAD_NR_SLOTS; j++) {
			if (slots[j].state == TRIAD_SLOT_VALID &&
			    !memcmp(slots[i].root.uuid, slots[j].root.uuid, TRIAD_UUID_SIZE)) {
				*first = i;
				return 0;
			}
		}
	}
	return *first < 0 ? -ENODATA : 0;
}

static int read_roots(struct triad_core *core)
{
	u8 *block = triad_alloc(TRIAD_BLOCK_SIZE);
	int i, r = 0;

	if (!block)
		return -ENOMEM;
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++) {
		r = read_slot(&core->slots[i], core->store, i, block);
		if (!r && core->slots[i].state != TRIAD_SLOT_UNREADABLE)
			triad_guard_read(core, i, block);
		if (!r && core->slots[i].state == TRIAD_SLOT_VALID)
			r = triad_root_verify(&core->slots[i], core->hash, block);
	}
	triad_free(block);
	return r;
}

/* Rule 10: nothing of the root is used before it is bounded. */
static int check_root(struct triad_core *core, u64 device_blocks)
{
	const struct triad_root *root = &core->root;
	struct triad_geometry *geo = &core->geo;
	const char *why;

	if (root->incompat & (TRIAD_INCOMPAT_MOVING | TRIAD_INCOMPAT_MOVED))
		core->choice.why = "its roots were moved, or are being moved: finish triadsetup move-roots, or name the place where they are now";
	else if (root->incompat & TRIAD_INCOMPAT_INCOMPLETE && !core->receives)
		core->choice.why = "it is a replica, and what it received is not complete: triadsetup receive ends that";
	if (root->incompat & ~(core->receives ? TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE :
			       TRIAD_INCOMPAT_REPLICA))
		return -EOPNOTSUPP;
	if (triad_geometry_init(geo, root->device_blocks, root->logical_blocks,
				root->zone_blocks, root->segment_blocks,
				root->interval_blocks, &why))
		return -EUCLEAN;
	/* zero asks geometry for a default: no root may */
	if (!root->logical_blocks || !root->interval_blocks ||
	    root->map_depth != geo->map_depth || root->hwm_zones > geo->nr_zones ||
	    !triad_geometry_valid_pba(geo, root->next) || !root->next_seq ||
	    (root->segment && !triad_geometry_valid_pba(geo, root->segment)) ||
	    (root->map.pba && !triad_geometry_valid_pba(geo, root->map.pba)) ||
	    root->used > geo->usable || root->pending > geo->usable ||
	    root->dead > geo->usable || root->branch > root->generation ||
	    root->repeats >= root->generation)
		return -EUCLEAN;
	return device_blocks < root->device_blocks ? -ENOSPC : 0;
}

static int init_space(struct triad_core *core)
{
	const struct triad_root *root = &core->root;
	struct triad_space *space = &core->space;
	int r;

	r = triad_space_init(space, &core->geo, core->store);
	if (r)
		return r;
	space->hash = core->hash;
	space->slot_c = triad_root_planes(root);
	space->slot_b = core->slot_b < 0 ? -1 : core->planes_b;
	space->hwm = root->hwm_zones;
	space->used = root->used;
	memcpy(space->uuid, root->uuid, sizeof(space->uuid));
	space->map = (struct triad_map) {
		.geo = &core->geo,
		.store = core->store,
		.checksum_kind = root->checksum_kind,
		.root = root->map,
	};
	return 0;
}

static int load_summary(struct triad_core *core)
{
	const struct triad_root *root = &core->root;
	struct triad_space *space = &core->space;
	int r = triad_space_load_summary(space, root);

	if (r == -EBADMSG) {
		/* the counts of b are lost with it: heal first */
		space->nr_rotten++;
		core->slot_b = space->slot_b = -1;
		core->degraded = true;
		r = triad_space_rebuild_summary(space);
	}
	if (!r && core->slot_b >= 0) {
		space->hwm_b = min_t(u64, core->slots[core->slot_b].root.hwm_zones,
				     core->geo.nr_zones);
		space->pending = root->pending;
		space->dead = root->dead;
		/* c repeats b, whose summary tells of the root before */
		if (core->planes_b == space->slot_c)
			triad_space_forget_backup(space);
	}
	return r;
}

/* Is the map of c on this disk?  Its uppermost node tells. */
static int find_map(struct triad_core *core)
{
	const struct triad_map *map = &core->space.map;
	int r = 0;

	if (map->root.pba)
		r = triad_map_read_node(map, &map->root, (void *)core->window);
	return r == -ENODATA ? -EBADMSG : r;
}

/* Where the planes of b lie. */
static void load_planes(struct triad_core *core)
{
	const struct triad_root *parent = &core->slots[core->choice.parent].root;
	int planes_c = triad_root_planes(&core->root);

	core->planes_b = triad_root_planes(parent);
	if (core->planes_b != planes_c) {
		/* the parent is a: of b only its planes are there */
		if (core->choice.which == 3)
			core->planes_b = TRIAD_NR_SLOTS - core->planes_b - planes_c;
	} else if (triad_root_turn(parent) != triad_root_turn(&core->root)) {
		/* no commit makes that: b counts as lost */
		core->slot_b = -1;
		core->degraded = true;
	}
}

/* Find the letters, and what hangs off c. */
static int load_current(struct triad_core *core, u64 device_blocks)
{
	int r = triad_root_select(core->slots, core->hash, &core->choice);

	if (r)
		return r;
	core->root = core->slots[core->choice.cur].root;
	core->slot_c = core->choice.cur;
	core->slot_a = core->choice.overwrite;
	core->degraded = core->choice.degraded;
	/* rule 8: while degraded nothing but c and its log is protected */
	core->slot_b = core->degraded ? -1 : core->choice.backup;
	memcpy(core->parent, core->slots[core->choice.parent].root.version,
	       sizeof(core->parent));
	load_planes(core);

	r = check_root(core, device_blocks);
	if (!r)
		r = init_space(core);
	if (!r)
		r = load_summary(core);
	/* nothing is to be healed on the word of a root that is not of this disk */
	if (!r && (core->degraded || core->choice.stray))
		r = find_map(core);
	return r;
}

/*
 * c does not continue b: one of the two is of a copy of this device that went its own way,
 * or was lost once and is back.  It is c, if its map is not here.  Else it is b, which is as
 * good as lost: healing writes over it, before anything over the a that proves c.
 */
static bool reject_stray(struct triad_core *core, int error)
{
	const struct triad_choice *choice = &core->choice;
	struct triad_slot *slot;
	int i;

	if (!choice->stray || (error && error != -EBADMSG && error != -EUCLEAN) ||
	    (!error && choice->backup < 0))
		return false;
	/* what was judged by this c is judged anew */
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (core->slots[i].state == TRIAD_SLOT_STALE)
			core->slots[i].state = TRIAD_SLOT_VALID;
	slot = &core->slots[error ? choice->cur : choice->backup];
	slot->state = TRIAD_SLOT_STALE;
	slot->reason = error ? "root of a copy of this device: its map is not here" :
		       "the current root was not made from it, but from one that was here before";
	triad_space_free(&core->space);
	return true;
}

static int begin(struct triad_core *core)
{
	int r;

	core->store->lost = 0;
	r = read_roots(core);
	if (r)
		return r;
	core->window = triad_alloc(WINDOW_BYTES);
	return core->window ? 0 : -ENOMEM;
}

int triad_core_open(struct triad_core *core, u64 device_blocks)
{
	bool was_degraded;
	int r;

	r = begin(core);
	if (r)
		return r;
	r = load_current(core, device_blocks);
	if (reject_stray(core, r))
		r = load_current(core, device_blocks);
	if (r)
		goto err;
	was_degraded = core->degraded;
	r = triad_replay(core);
	if (!r && core->degraded && !was_degraded)
		r = find_map(core);
	if (!r) {
		if (core->slot_b < 0) {
			core->space.slot_b = -1;
			triad_space_forget_backup(&core->space);
		}
		/* two roots on the same device say whose place it is, others do not */
		if (core->slots[core->slot_a].state == TRIAD_SLOT_UNREADABLE &&
		    core->root.root_layout == TRIAD_ROOTS_THREE_DEVICES)
			core->store->lost = 1u << core->slot_a;
		core->backup_seq = core->slot_b < 0 ? core->root.next_seq :
				   core->slots[core->slot_b].root.next_seq;
		core->interval.budget = triad_div64(core->geo.usable - core->space.used, 3);
		/*
		 * Also behind half a healing, whose first root may have had no planes of its own:
		 * no test shows that this is needed, 1.5 million states of the explorer neither.
		 */
		core->doubtful = triad_core_needs_heal(core);
		r = triad_commit_init(core);
	}
	if (r)
		goto err;
	return 0;
err:
	triad_core_close(core);
	return r;
}

static int prove_visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	(void)context;
	(void)level;
	(void)lba;
	(void)nr;
	(void)ref;
	return error == -ENODATA ? -EBADMSG : error;
}

int triad_core_prove(struct triad_core *core)
{
	struct triad_map map = core->space.map;
	int r = triad_replay_prove(core);

	/* a root that repeats another one has its nodes */
	if (core->planes_b != (int)triad_root_planes(&core->root))
		map.since = core->root.generation;
	return r ? r : triad_map_walk(&map, prove_visit, NULL);
}

/* ---- one root alone --------------------------------------------------------- */

static int load_root(struct triad_core *core, u64 device_blocks, int slot, bool with_log)
{
	int r;

	core->root = core->slots[slot].root;
	core->slot_c = slot;
	core->slot_a = (slot + 1) % TRIAD_NR_SLOTS;
	core->slot_b = -1;
	core->one_root = true;
	core->without_log = !with_log;
	core->backup_seq = core->root.next_seq;
	r = check_root(core, device_blocks);
	if (!r)
		r = init_space(core);
	if (!r)
		r = triad_replay(core);
	if (!r)
		r = triad_commit_init(core);
	return r;
}

int triad_core_open_at(struct triad_core *core, u64 device_blocks, int slot, bool with_log)
{
	int r = begin(core);

	if (!r)
		r = core->slots[slot].state == TRIAD_SLOT_VALID ?
		    load_root(core, device_blocks, slot, with_log) : -ENODATA;
	if (r)
		triad_core_close(core);
	return r;
}

int triad_core_backup(struct triad_core *core)
{
	struct triad_choice *choice = &core->choice;

	if (choice->stray)
		choice->why = "the backup and the current root are of different copies";
	else if (choice->backup < 0)
		choice->why = "the backup root is lost";
	else
		return choice->backup;
	return -1;
}

int triad_core_open_backup(struct triad_core *core, u64 device_blocks)
{
	int slot, r = begin(core);

	if (!r)
		r = triad_root_select(core->slots, core->hash, &core->choice);
	if (!r) {
		slot = triad_core_backup(core);
		r = slot < 0 ? -ENODATA : load_root(core, device_blocks, slot, false);
	}
	if (!r)
		r = find_map(core);
	if (r) {
		triad_core_close(core);
		return r;
	}
	core->slot_a = core->choice.overwrite;
	core->degraded = core->choice.degraded;
	return 0;
}

/* ---- healing ------------------------------------------------------------------ */

/*
 * A slot that could not be read may hold the root that is really current.  It must
 * be gone for certain before its blocks are taken for others: were it read again
 * after a heal that came halfway, it would be believed.
 */
static int blank_slot(struct triad_core *core)
{
	memset(core->window, 0, TRIAD_BLOCK_SIZE);
	return core->store->ops->write_root(core->store, core->slot_a, core->window);
}

/*
 * Two roots, or the one that was lost could come back in the place of the only one that
 * says so.  A slot that stays lost may hold what was current: both are made before
 * anything is written that such a root may reach.
 */
static int make_roots(struct triad_core *core)
{
	int r = 0;

	while (!r && triad_core_needs_heal(core))
		r = triad_core_has_lost(core, core->slot_a) ? triad_commit_again(core) :
		    triad_commit_alone(core, false);
	return r;
}

static bool must_blank(const struct triad_core *core)
{
	return core->degraded && core->slots[core->slot_a].state == TRIAD_SLOT_UNREADABLE &&
	       !triad_core_has_lost(core, core->slot_a);
}

int triad_core_heal_over(struct triad_core *core)
{
	int r = 0;

	core->store->lost = 0;
	if (must_blank(core))
		r = blank_slot(core);
	return r ? r : make_roots(core);
}

int triad_core_heal(struct triad_core *core)
{
	int r = 0;

	if (triad_core_is_occupied(core))
		return -EEXIST;
	if (must_blank(core) && blank_slot(core))
		r = triad_lost_give_up(core, core->slot_a);
	return r ? r : make_roots(core);
}

void triad_core_close(struct triad_core *core)
{
	triad_commit_free(core);
	triad_index_destroy(core->active);
	triad_index_destroy(core->frozen);
	triad_index_destroy(core->spare);
	core->active = core->frozen = core->spare = NULL;
	triad_space_free(&core->space);
	triad_free(core->suspects);
	core->suspects = NULL;
	triad_free(core->window);
	core->window = NULL;
}

int triad_core_format(struct triad_store *store, struct triad_hash *hash,
		      const struct triad_root *template, const struct triad_geometry *geo)
{
	struct triad_root root = *template, before;
	u8 parent[TRIAD_HASH_SIZE];
	u8 *block;
	int i, r;

	block = triad_alloc(TRIAD_BLOCK_SIZE);
	if (!block)
		return -ENOMEM;
	root.device_blocks = geo->device_blocks;
	root.logical_blocks = geo->logical_blocks;
	root.zone_blocks = geo->zone_blocks;
	root.segment_blocks = geo->segment_blocks;
	root.interval_blocks = geo->interval_blocks;
	root.map_depth = geo->map_depth;
	root.next = triad_zone_start(geo, 0) + triad_zone_header(geo, 0);
	root.next_seq = 1;
	root.time = triad_now();
	triad_random(root.chain, sizeof(root.chain));
	memcpy(root.prev_chain, root.chain, sizeof(root.chain));
	triad_random(root.version, sizeof(root.version));
	triad_random(root.prev, sizeof(root.prev));
	r = triad_hash(hash, NULL, 0, NULL, 0, root.summary_sum);

	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++) {
		root.slot = i;
		root.generation = i + 1;
		if (i) {
			before = root;
			memcpy(root.prev, before.version, sizeof(root.prev));
			if (i == 1)
				triad_random(root.version, sizeof(root.version));
			else
				r = triad_root_next_version(hash, parent, before.version,
							    root.version);
			memcpy(parent, before.version, sizeof(parent));
		}
		if (!r)
			r = triad_root_seal(&root, hash, block);
		if (!r)
			r = store->ops->write_root(store, i, block);
	}
	if (!r)
		r = store->ops->flush(store);
	triad_free(block);
	return r;
}
