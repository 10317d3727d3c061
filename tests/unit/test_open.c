// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

static int setup(void **state)
{
	struct device *d = device_create(1024);

	device_steps(d, 40);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_steps(d, 5);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	device_destroy(*state);
	return 0;
}

static void a_fresh_device_opens_empty(void **state)
{
	struct device *d = device_create(1024);

	(void)state;
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(d->driver.core.choice.which, 1);
	assert_int_equal(device_state(d), 0);
	device_check(d);
	device_destroy(d);
}

static void reopening_finds_the_newest_state(void **state)
{
	struct device *d = *state;

	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
	device_check(d);
}

/* The current root with one field changed, sealed again: bounded before use. */
static int open_forged(struct device *d, void (*change)(struct triad_root *))
{
	struct triad_root root = d->driver.core.root;
	u32 *view = &d->disk.view[TRIAD_SLOT_PBA(root.slot)], good = *view;
	u8 block[TRIAD_BLOCK_SIZE];
	u64 live;
	int r;

	if (d->driver.open)
		driver_close(&d->driver);
	change(&root);
	assert_int_equal(triad_root_seal(&root, &d->driver.hash, block), 0);
	*view = content_id(block);
	live = test_alloc.live;
	r = driver_open(&d->driver, false);
	if (r)
		assert_int_equal(test_alloc.live, live);
	*view = good;
	if (r)
		assert_int_equal(driver_open(&d->driver, false), 0);
	return r;
}

#define CHANGE(name, ...)	static void name(struct triad_root *root) { __VA_ARGS__; }
CHANGE(next_zero, root->next = 0)
CHANGE(next_slot, root->next = 4096)
CHANGE(next_far, root->next = ~0ULL)
CHANGE(seq_zero, root->next_seq = 0)
CHANGE(segment_bad, root->segment = 5)
CHANGE(map_bad, root->map.pba = DISK_BLOCKS + 7)
CHANGE(depth_bad, root->map_depth = 3)
CHANGE(hwm_bad, root->hwm_zones = 10)
CHANGE(hwm_far, root->hwm_zones = ~0ULL)
CHANGE(used_bad, root->used = DISK_BLOCKS)
CHANGE(pending_bad, root->pending = ~0ULL)
CHANGE(dead_bad, root->dead = ~0ULL)
CHANGE(branch_bad, root->branch = root->generation + 1)
CHANGE(device_small, root->device_blocks = 5)
CHANGE(device_far, root->device_blocks = ~0ULL)
CHANGE(logical_bad, root->logical_blocks = ~0xffULL)
CHANGE(logical_zero, root->logical_blocks = 0)
CHANGE(interval_bad, root->interval_blocks = ~0u)
CHANGE(interval_zero, root->interval_blocks = 0)
CHANGE(interval_small, root->interval_blocks = 1)
CHANGE(device_larger, root->device_blocks = DISK_BLOCKS + 8)
CHANGE(incompat, root->incompat = 1)
CHANGE(ro_compat, root->ro_compat = 1)
CHANGE(map_csum, root->map.csum ^= 1)

static void every_field_of_a_root_is_bounded(void **state)
{
	void (*changes[])(struct triad_root *) = {
		next_zero, next_slot, next_far, seq_zero, segment_bad, map_bad, depth_bad,
		hwm_bad, hwm_far, used_bad, pending_bad, dead_bad, device_small, device_far,
		logical_bad, interval_bad, interval_zero,
		interval_small, logical_zero,
	};
	u32 i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert_int_equal(open_forged(*state, changes[i]), -EUCLEAN);
}

/* With b there, it shows that c is none; without it c is all there is. */
static void a_branch_is_never_behind_its_root(void **state)
{
	struct device *d = *state;

	assert_int_equal(open_forged(d, branch_bad), 0);
	assert_int_equal(device_reopen(d, false), 0);
	d->disk.view[TRIAD_SLOT_PBA(d->driver.core.slot_b)] = 0;
	assert_int_equal(open_forged(d, branch_bad), -EUCLEAN);
}

/* What only b says wrong costs b, never the opening. */
static void an_impossible_backup_is_lost_and_healed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 forged[] = { 0, 4096, ~0ULL, DISK_BLOCKS };
	struct triad_root root;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i;

	for (i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		device_steps(d, 20);
		device_write(d, 7, 1);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		assert_int_equal(device_reopen(d, false), 0);
		root = core->slots[core->slot_b].root;
		assert_true(root.next_seq < core->root.next_seq);
		root.next = forged[i];
		driver_close(&d->driver);
		assert_int_equal(triad_root_seal(&root, &d->driver.hash, block), 0);
		d->disk.view[TRIAD_SLOT_PBA(root.slot)] = content_id(block);
		assert_int_equal(driver_open(&d->driver, false), 0);
		assert_true(core->degraded);
		assert_int_equal(triad_core_heal(core), 0);
		assert_int_equal(device_reopen(d, true), 0);
		assert_false(core->degraded);
		device_check(d);
	}
}

static void a_device_that_shrank_is_refused(void **state)
{
	assert_int_equal(open_forged(*state, device_larger), -ENOSPC);
}

static void unknown_features_refuse_or_forbid_writing(void **state)
{
	struct device *d = *state;

	assert_int_equal(open_forged(d, incompat), -EOPNOTSUPP);
	assert_false(triad_core_must_not_write(&d->driver.core));
	assert_int_equal(open_forged(d, ro_compat), 0);
	assert_true(triad_core_must_not_write(&d->driver.core));
}

static void a_damaged_map_is_an_error_of_reading_only(void **state)
{
	struct device *d = *state;

	assert_int_equal(open_forged(d, map_csum), 0);
	assert_int_equal(check_read(&d->driver.core, &d->disk, d->content), -EBADMSG);
}

static void two_bad_roots_are_refused_and_named(void **state)
{
	struct device *d = *state;

	d->disk.view[0] = 0;
	d->disk.view[TRIAD_SLOT_PBA(2)] = content_rotten(&d->rng);
	assert_int_equal(device_reopen(d, false), -ENODATA);
	assert_int_equal(d->driver.core.slots[0].state, TRIAD_SLOT_EMPTY);
	assert_int_equal(d->driver.core.slots[2].state, TRIAD_SLOT_FOREIGN);
	assert_int_equal(d->driver.core.slots[1].state, TRIAD_SLOT_VALID);
	assert_non_null(d->driver.core.choice.why);
	assert_non_null(d->driver.core.slots[0].reason);
}

/* Two intervals and commits from here on; the roots that they lead to. */
static void live_on(struct device *d, u32 roots[TRIAD_NR_SLOTS])
{
	u32 i;

	assert_int_equal(device_reopen(d, true), 0);
	for (i = 0; i < 2; i++) {
		device_steps(d, 4);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	}
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		roots[i] = d->disk.view[TRIAD_SLOT_PBA(i)];
}

static void a_root_of_a_copy_never_counts(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 parted = d->oracle.nr, twin[TRIAD_NR_SLOTS], own[TRIAD_NR_SLOTS], b, c;
	struct triad_slot slot;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 *copy = disk_copy(disk_new_view(), d->disk.view), *whole;

	d->load.percent_commit = 0;
	live_on(d, twin);
	disk_copy(d->disk.view, copy);
	oracle_truncate(&d->oracle, parted);
	live_on(d, own);
	whole = disk_copy(disk_new_view(), d->disk.view);
	c = core->slot_c;
	b = core->slot_b;

	/* in c's place: its version fits, its chain does not; b leads on to c's content */
	d->disk.view[TRIAD_SLOT_PBA(c)] = twin[c];
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(core->slots[c].state, TRIAD_SLOT_STALE);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
	device_check(d);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->choice.which, 1);
	assert_false(core->choice.stray);

	/* the same, if its map lies where no map can lie */
	triad_root_decode(&slot, c, content_of(twin[c]));
	slot.root.map.pba = DISK_BLOCKS + 7;
	assert_int_equal(triad_root_seal(&slot.root, &d->driver.hash, block), 0);
	d->disk.view[TRIAD_SLOT_PBA(c)] = content_id(block);
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(core->slots[c].state, TRIAD_SLOT_STALE);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));

	/* in b's place: c is right, and a proves it until b was written over */
	disk_copy(d->disk.view, whole);
	d->disk.view[TRIAD_SLOT_PBA(b)] = twin[b];
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->slots[b].state, TRIAD_SLOT_STALE);
	assert_int_equal(core->slot_c, c);
	assert_int_equal(core->slot_a, b);
	assert_int_equal(core->slot_b, -1);
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
	device_check(d);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->choice.which, 1);
	assert_false(core->choice.stray);
	free(whole);
	free(copy);
}

static void probing_finds_a_root_that_names_the_hash(void **state)
{
	struct device *d = *state;
	struct triad_slot slots[3];
	int first;

	d->disk.view[0] = content_rotten(&d->rng);
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), 0);
	assert_int_equal(first, 1);
	assert_string_equal(slots[first].root.hash, "test");
	d->disk.view[TRIAD_SLOT_PBA(1)] = d->disk.view[TRIAD_SLOT_PBA(2)] = 0;
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), -ENODATA);
}

/* Roots of two devices: the name that two of them agree on is taken. */
static void probing_takes_what_two_roots_agree_on(void **state)
{
	struct device *d = *state;
	struct triad_slot slots[3];
	struct triad_root root = d->driver.core.slots[0].root;
	u8 block[TRIAD_BLOCK_SIZE];
	int first;

	root.uuid[0] ^= 1;
	assert_int_equal(triad_root_seal(&root, &d->driver.hash, block), 0);
	d->disk.view[0] = content_id(block);
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), 0);
	assert_int_equal(first, 1);
	/* of two that do not agree, the first; of one, that one */
	d->disk.view[TRIAD_SLOT_PBA(1)] = 0;
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), 0);
	assert_int_equal(first, 0);
	d->disk.view[0] = 0;
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), 0);
	assert_int_equal(first, 2);
}

/* An unreadable slot is a slot's trouble, want of memory is not. */
static void probing_without_memory_is_an_error(void **state)
{
	struct device *d = *state;
	struct triad_slot slots[3];
	int first;

	d->disk.nr_reads = 0;
	d->disk.fault = (struct disk_fault){ .kind = FAULT_READ, .at = 2, .error = -EIO };
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), 0);
	assert_int_equal(slots[1].state, TRIAD_SLOT_UNREADABLE);
	assert_int_equal(slots[1].error, -EIO);
	d->disk.nr_reads = 0;
	d->disk.fault.error = -ENOMEM;
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), -ENOMEM);
	d->disk.nr_reads = 0;
	assert_int_equal(device_reopen(d, false), -ENOMEM);
	d->disk.fault.at = 0;
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	assert_int_equal(triad_core_probe(slots, &d->disk.store, &first), -ENOMEM);
	test_alloc.fail_at = 0;
}

static void every_failure_of_a_format_is_passed_on(void **state)
{
	struct device *d = *state;
	struct triad_geometry geo = d->driver.core.geo;
	struct triad_root root = d->driver.core.root;
	struct triad_store *store = &d->disk.store;
	u32 i;

	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	assert_int_equal(triad_core_format(store, &d->driver.hash, &root, &geo), -ENOMEM);
	test_alloc.fail_at = 0;
	/* the summary's sum, three seals, and the version of the third */
	for (i = 1; i <= 5; i++) {
		d->driver.hash.nr = 0;
		d->driver.hash.fail_at = i;
		assert_int_equal(triad_core_format(store, &d->driver.hash, &root, &geo), -ENOMEM);
	}
	d->driver.hash.fail_at = 0;
	for (i = 1; i <= 3; i++) {
		d->disk.nr_writes = 0;
		d->disk.fault = (struct disk_fault){ .kind = FAULT_WRITE, .at = i, .error = -EIO };
		assert_int_equal(triad_core_format(store, &d->driver.hash, &root, &geo), -EIO);
	}
	d->disk.nr_flushes = 0;
	d->disk.fault = (struct disk_fault){ .kind = FAULT_FLUSH, .at = 1, .error = -EIO };
	assert_int_equal(triad_core_format(store, &d->driver.hash, &root, &geo), -EIO);
	d->disk.fault.at = 0;
	assert_int_equal(triad_core_format(store, &d->driver.hash, &root, &geo), 0);
}

/* H and memory fail at every step of an opening and of a healing. */
/* Open the same image with the i-th use of memory or H failing; true when all went well. */
static bool opens_with_failure(struct device *d, const u32 *image, u32 i, u64 *nr, u64 *fail_at)
{
	int r;

	if (d->driver.open)
		driver_close(&d->driver);
	disk_copy(d->disk.view, image);	/* a healing that failed has left a record */
	*nr = 0;
	*fail_at = i;
	r = driver_open(&d->driver, true);
	*fail_at = 0;
	assert_true(!r || r == -ENOMEM);
	return !r;
}

static void every_failure_of_an_opening_is_passed_on(void **state)
{
	struct device *d = *state;
	u32 *image, i;

	d->disk.view[TRIAD_SLOT_PBA(0)] = 0;
	image = disk_copy(disk_new_view(), d->disk.view);
	for (i = 1; i < 500; i++)
		if (opens_with_failure(d, image, i, &d->driver.hash.nr, &d->driver.hash.fail_at))
			break;
	assert_in_range(i, 10, 499);

	/* counting the map instead of reading the summary needs memory, too */
	disk_copy(d->disk.view, image);
	d->disk.view[triad_summary_pba(&d->driver.core.geo, 0, d->driver.core.slot_c)] = 0;
	disk_copy(image, d->disk.view);
	for (i = 1; i < 100; i++)
		if (opens_with_failure(d, image, i, &test_alloc.nr, &test_alloc.fail_at))
			break;
	assert_in_range(i, 10, 99);
	free(image);
}

/* With a bad root the uppermost node is looked at; lost is as good as rotten there. */
static void a_lost_map_is_not_healed_from(void **state)
{
	struct device *d = *state;
	u32 i, nr_lost = 0;
	int r;

	device_write(d, 0, 1);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	driver_close(&d->driver);
	d->disk.view[TRIAD_SLOT_PBA(d->driver.core.slot_a)] = 0;
	for (i = 1; i < 50; i++) {
		d->disk.nr_reads = 0;
		d->disk.fault = (struct disk_fault){ FAULT_READ, i, false, -ENODATA };
		r = driver_open(&d->driver, false);
		if (d->disk.nr_reads < i)
			break;
		nr_lost += r == -EBADMSG;
		/* a second root cannot be read; or nothing is lost but time */
		assert_true(!r || r == -EBADMSG || (r == -ENODATA && i <= TRIAD_NR_SLOTS));
		if (!r)
			driver_close(&d->driver);
	}
	assert_int_equal(nr_lost, 1);
	memset(&d->disk.fault, 0, sizeof(d->disk.fault));
}

/* A summary with a right crc, but counts that no zone can have, or not these. */
static void an_impossible_summary_is_rebuilt(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 pba = triad_summary_pba(&core->geo, 0, core->slot_c);
	struct triad_summary_disk block;
	u32 i;

	for (i = 0; i < 2; i++) {
		memcpy(&block, content_of(d->disk.view[pba]), sizeof(block));
		block.zone[0].used = cpu_to_le16(i ? le16_to_cpu(block.zone[0].used) ^ 1 : 0xffff);
		assert_int_equal(triad_space_write(&core->space, TRIAD_SUMMARY_MAGIC, 0,
						   &core->root, pba, &block), 0);
		assert_int_equal(device_reopen(d, false), 0);
		assert_int_equal(core->space.nr_rotten, 1);
		assert_true(core->degraded);
	}
	/* and without a map to count there is nothing to open */
	d->disk.view[core->root.map.pba] = content_rotten(&d->rng);
	assert_int_equal(device_reopen(d, false), -EBADMSG);
}

/* Rule 8: what only b reaches makes room for the heal. */
static void check_nothing_is_kept_for_b(const struct triad_core *core)
{
	u64 zone;

	assert_int_equal(core->slot_b, -1);
	assert_int_equal(core->space.slot_b, -1);
	assert_int_equal(core->space.pending + core->space.dead, 0);
	for (zone = 0; zone < core->geo.nr_zones; zone++)
		assert_int_equal(core->space.zones[zone].pending, 0);
}

static void one_bad_root_heals_to_three_good_ones(void **state)
{
	struct device *d = *state;
	u32 slot, again;
	int held;

	for (again = 0; again < 3; again++) {
		for (slot = 0; slot < 3; slot++) {
			held = device_state(d);
			d->disk.view[TRIAD_SLOT_PBA(slot)] = content_rotten(&d->rng);
			assert_int_equal(device_reopen(d, false), 0);
			assert_true(d->driver.core.degraded);
			check_nothing_is_kept_for_b(&d->driver.core);
			assert_int_equal(device_state(d), held);
			assert_int_equal(device_reopen(d, true), 0);
			assert_false(d->driver.core.degraded);
			assert_int_equal(device_reopen(d, true), 0);
			assert_int_equal(d->driver.core.choice.which, 1);
			assert_int_equal(device_state(d), held);
			device_check(d);
			device_steps(d, again);
		}
	}
}

/*
 * c's own disk answers with errors while the device is opened for writing, and is
 * back later: nothing that c reaches may have been taken for the heal.
 */
static void a_root_that_could_not_be_read_may_come_back(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	int held, i;

	for (i = 0; i < 9; i++) {
		device_steps(d, 6);
		assert_int_equal(driver_commit(&d->driver, i & 1), 0);
		device_write(d, i, 3);
		held = device_state(d);
		d->disk.dead_slot = core->slot_c;
		assert_int_equal(device_reopen(d, false), 0);
		assert_int_equal(device_state(d), held);
		assert_int_equal(device_reopen(d, true), 0);
		assert_int_equal(device_state(d), held);
		d->disk.dead_slot = -1;
		assert_int_equal(device_reopen(d, true), 0);
		assert_int_equal(device_state(d), held);
		device_check(d);
	}
}

/* A slot that can be written, but not read: gone before anything else is written. */
static void an_unreadable_slot_is_emptied_before_it_is_healed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct trace trace;
	int slot;

	device_steps(d, 20);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 0, 1);
	d->disk.dead_slot = slot = core->slot_c;
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->slot_a, slot);
	d->disk.dead_slot = -1;
	trace_init(&trace, d->disk.view);
	d->disk.trace = &trace;
	assert_int_equal(triad_core_heal(core), 0);
	assert_int_equal(trace.ops[0].kind, DISK_ROOT);
	assert_int_equal(trace.ops[0].pba, TRIAD_SLOT_PBA(slot));
	assert_int_equal(trace.ops[0].id, 0);
	d->disk.trace = NULL;
	trace_free(&trace);
}

/* A rotten summary: counted from the map, and healed without a walk per zone. */
static void a_rotten_summary_is_rebuilt_once(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 reads;
	int held;

	for (u32 lba = 0; lba < 1024; lba += 128)
		device_write(d, lba, 128);
	assert_int_equal(driver_commit(&d->driver, true), 0);
	held = device_state(d);
	d->disk.view[triad_summary_pba(&core->geo, 0, core->slot_c)] = content_rotten(&d->rng);
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(core->degraded);
	assert_int_equal(device_state(d), held);
	reads = d->disk.nr_reads;
	assert_int_equal(triad_core_heal(core), 0);
	/* two commits: one plane for each zone in use, no node; and c and a, looked at twice */
	assert_true(d->disk.nr_reads - reads <= 2 * (core->space.hwm + 4));
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(device_state(d), held);
	device_check(d);
}

/* Whole, in its place, but of an older root. */
static void an_old_summary_is_not_believed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 pba = triad_summary_pba(&core->geo, 0, core->slot_c);
	u32 old = d->disk.view[pba], slot = core->slot_c, lba = 0;
	int held;

	do {
		device_write(d, lba, 40);
		lba += 40;
		assert_int_equal(driver_commit(&d->driver, false), 0);
	} while (core->slot_c != (int)slot || lba < 200);
	held = device_state(d);
	assert_int_not_equal(d->disk.view[pba], old);
	d->disk.view[pba] = old;
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(core->degraded);
	assert_int_equal(device_state(d), held);
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(device_state(d), held);
	device_check(d);
}

/*
 * The disk lost a commit's plane and summary, though not its root: the plane that is
 * there has as many bits, but healing must not write where the map reaches.
 */
static void an_old_plane_with_an_old_summary_is_not_believed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 summary, plane;
	u32 old[2];
	int slot, held;

	/* from now on each commit takes as many blocks of the zone as it gives back */
	do {
		device_write(d, 0, 40);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	} while (core->root.generation < 8);
	slot = core->slot_c;
	summary = triad_summary_pba(&core->geo, 0, slot);
	plane = triad_plane_pba(&core->geo, 0, slot);
	old[0] = d->disk.view[summary];
	old[1] = d->disk.view[plane];
	do {
		device_write(d, 0, 40);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	} while (core->slot_c != slot);
	held = device_state(d);
	d->disk.view[summary] = old[0];
	d->disk.view[plane] = old[1];
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(device_state(d), held);
	device_steps(d, 10);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
	device_check(d);
}

/* ---- what healing may write over ------------------------------------------------ */

static void check_not_healed(struct device *d, enum triad_slot_state state)
{
	struct triad_core *core = &d->driver.core;
	u32 *view = disk_copy(disk_new_view(), d->disk.view);
	int held = -1, slot;

	assert_int_equal(device_reopen(d, false), 0);
	slot = core->slot_a;
	assert_int_equal(core->slots[slot].state, state);
	assert_non_null(core->slots[slot].reason);
	assert_true(triad_core_must_not_write(core));
	assert_false(triad_core_cannot_write(core));
	held = device_state(d);
	assert_int_equal(triad_core_heal(core), -EEXIST);
	assert_memory_equal(d->disk.view, view, DISK_BLOCKS * sizeof(*view));
	/* a person says that it may go */
	assert_int_equal(triad_core_heal_over(core), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->choice.which, 1);
	assert_false(core->degraded);
	assert_int_equal(device_state(d), held);
	device_check(d);
	disk_copy(d->disk.view, view);
	free(view);
}

static void put_block(struct device *d, int slot, const void *block)
{
	d->disk.view[TRIAD_SLOT_PBA(slot)] = content_id(block);
}

static void what_others_keep_in_a_slot_is_not_healed_over(void **state)
{
	static const char * const texts[] = { "LUKS\xba\xbe", "XFSB", "hello", "mdtriae" };
	static const u16 places[] = { 0, 438, 510, 512, 1080, 4086 };
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u8 own[TRIAD_BLOCK_SIZE], block[TRIAD_BLOCK_SIZE];
	struct triad_root root;
	int i, slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		memcpy(own, content_of(d->disk.view[TRIAD_SLOT_PBA(slot)]), sizeof(own));
		/* over what was there, or alone; the rest of the block is as good as its start */
		for (i = 0; i < 4; i++) {
			memcpy(block, own, sizeof(block));
			memcpy(block, texts[i], strlen(texts[i]));
			put_block(d, slot, block);
			check_not_healed(d, TRIAD_SLOT_FOREIGN);
		}
		for (i = 0; i < 6; i++) {
			memset(block, 0, sizeof(block));
			memcpy(block + places[i], "text", 4);
			put_block(d, slot, block);
			check_not_healed(d, TRIAD_SLOT_FOREIGN);
		}
		/* another device's root: whole, of unknown shape, torn; our own, of another place */
		root = core->slots[slot].root;
		root.slot = slot;
		root.uuid[5] ^= 1;
		assert_int_equal(triad_root_seal(&root, &d->driver.hash, block), 0);
		put_block(d, slot, block);
		check_not_healed(d, TRIAD_SLOT_FOREIGN);
		assert_memory_not_equal(core->root.uuid, root.uuid, sizeof(root.uuid));
		block[300] ^= 1;
		put_block(d, slot, block);
		check_not_healed(d, TRIAD_SLOT_FOREIGN);
		put_block(d, slot, content_of(d->disk.view[TRIAD_SLOT_PBA((slot + 1) % 3)]));
		check_not_healed(d, TRIAD_SLOT_FOREIGN);
		put_block(d, slot, own);
	}
}

static void zeroes_and_own_roots_are_healed_over(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 *view, old;
	u8 block[TRIAD_BLOCK_SIZE];
	int slot, i;

	old = d->disk.view[TRIAD_SLOT_PBA(core->slot_a)];
	slot = core->slot_a;
	while (d->disk.view[TRIAD_SLOT_PBA(slot)] == old || core->slot_a != slot) {
		device_steps(d, 4);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	}
	assert_int_equal(driver_commit(&d->driver, false), 0);
	view = disk_copy(disk_new_view(), d->disk.view);
	for (i = 0; i < 4; i++) {
		memcpy(block, content_of(view[TRIAD_SLOT_PBA(slot)]), sizeof(block));
		block[i == 1 ? 476 : i == 2 ? 500 : 40] ^= 4;	/* crc, seal, what they cover */
		d->disk.view[TRIAD_SLOT_PBA(slot)] = i == 3 ? 0 : content_id(block);
		assert_int_equal(device_reopen(d, false), 0);
		assert_true(core->degraded);
		assert_int_equal(core->slots[slot].state, i == 3 ? TRIAD_SLOT_EMPTY :
				 TRIAD_SLOT_TORN);
		assert_false(triad_core_must_not_write(core));
		assert_int_equal(triad_core_heal(core), 0);
		device_check(d);
		driver_close(&d->driver);
		disk_copy(d->disk.view, view);
	}
	assert_int_equal(device_reopen(d, false), 0);
	d->disk.view[TRIAD_SLOT_PBA(core->slot_b)] = old;
	if (core->slot_b == slot) {
		assert_int_equal(device_reopen(d, false), 0);
		assert_int_equal(core->slots[slot].state, TRIAD_SLOT_STALE);
		assert_int_equal(triad_core_heal(core), 0);
	}
	free(view);
}

/* On a device of its own nobody can say whose an unreadable place is. */
static void an_unreadable_slot_is_written_only_beside_other_roots(void **state)
{
	static const u8 layouts[] = { TRIAD_ROOTS_INSIDE, TRIAD_ROOTS_ONE_DEVICE,
				      TRIAD_ROOTS_THREE_DEVICES };
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_root root;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i, slot;

	for (i = 0; i < 3; i++) {
		for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
			assert_int_equal(device_reopen(d, false), 0);
			root = core->slots[slot].root;
			root.root_layout = layouts[i];
			assert_int_equal(triad_root_seal(&root, &d->driver.hash, block), 0);
			driver_close(&d->driver);
			put_block(d, slot, block);
			if (slot < 2)
				continue;
			d->disk.unreadable = 1;
			assert_int_equal(device_reopen(d, false), 0);
			assert_int_equal(core->slots[0].state, TRIAD_SLOT_UNREADABLE);
			assert_false(triad_core_must_not_write(core));
			assert_int_equal(triad_core_heal(core), 0);
			assert_int_equal(d->disk.unreadable, i == 2);
			assert_int_equal(device_reopen(d, false), 0);
			assert_int_equal(triad_core_heal_over(core), 0);
			assert_int_equal(d->disk.unreadable, 0);
		}
	}
}

/* ---- the branch -------------------------------------------------------------------- */

/* c is lost and healed: the root that is lost, and how far its log had come. */
static u32 lose_current(struct device *d, struct triad_root *lost)
{
	struct triad_core *core = &d->driver.core;
	u32 id;

	*lost = core->root;
	id = d->disk.view[TRIAD_SLOT_PBA(core->slot_c)];
	d->disk.view[TRIAD_SLOT_PBA(core->slot_c)] = 0;
	return id;
}

static void a_state_is_named_by_branch_and_generation(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_root lost, again;
	u64 before;

	assert_int_equal(core->root.branch, 0);
	device_write(d, 7, 3);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 9, 3);
	lose_current(d, &lost);
	assert_int_equal(device_reopen(d, true), 0);
	/* two roots of one version and generation, and of two states; told by the branch */
	again = core->slots[core->slot_b].root;
	assert_int_equal(device_reopen(d, false), 0);
	again = core->slots[lost.slot].root;
	assert_memory_equal(again.version, lost.version, sizeof(lost.version));
	assert_int_equal(again.generation, lost.generation);
	assert_true(again.next_seq > lost.next_seq);
	assert_int_equal(lost.branch, 0);
	assert_int_equal(again.branch, again.generation);
	/* two roots carry it before anything is written, then all */
	assert_int_equal(core->root.branch, again.branch);
	assert_int_equal(core->root.generation, again.generation + 1);
	before = core->root.generation;
	device_write(d, 1, 1);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(core->root.branch, again.branch);
	/* once more: another name again */
	lose_current(d, &lost);
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(core->root.branch, before + 1);
	assert_int_equal(core->root.generation, before + 2);
	device_check(d);
}

static void a_lost_root_that_comes_back_is_not_believed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_root lost;
	u32 i, id, *healed;
	int held;

	device_write(d, 7, 3);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 9, 3);
	id = lose_current(d, &lost);
	assert_int_equal(device_reopen(d, true), 0);
	for (i = 0; i < 4; i++) {
		device_write(d, 3 * i, 2);
		held = device_state(d);
		driver_close(&d->driver);
		healed = disk_copy(disk_new_view(), d->disk.view);
		d->disk.view[TRIAD_SLOT_PBA(lost.slot)] = id;
		assert_int_equal(device_reopen(d, false), 0);
		assert_int_not_equal(core->slot_c, lost.slot);
		assert_int_equal(device_state(d), held);
		if (!i) {
			/* in b's place; the version says that it belongs there */
			assert_int_equal(core->choice.which, 3);
			assert_int_equal(core->slots[lost.slot].state, TRIAD_SLOT_STALE);
			assert_non_null(strstr(core->slots[lost.slot].reason, "lost once"));
		}
		assert_int_equal(device_reopen(d, true), 0);
		assert_int_equal(device_state(d), held);
		device_check(d);
		driver_close(&d->driver);
		disk_copy(d->disk.view, healed);
		free(healed);
		assert_int_equal(device_reopen(d, true), 0);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	}
}

/* Its first root alone could be hidden by what was lost. */
static void a_healing_that_was_cut_short_is_finished(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_root lost;

	device_write(d, 7, 3);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	lose_current(d, &lost);
	assert_int_equal(device_reopen(d, false), 0);
	d->disk.nr_writes = 0;
	assert_int_equal(triad_commit_alone(core, false), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_false(core->degraded);
	assert_int_equal(core->root.branch, core->root.generation);
	assert_int_equal(triad_core_heal(core), 0);
	assert_int_equal(core->root.branch + 1, core->root.generation);
	d->disk.nr_writes = 0;
	assert_int_equal(triad_core_heal(core), 0);
	assert_int_equal(d->disk.nr_writes, 0);
	device_check(d);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_device_opens_empty),
		T(reopening_finds_the_newest_state),
		T(every_field_of_a_root_is_bounded),
		T(a_branch_is_never_behind_its_root),
		T(a_device_that_shrank_is_refused),
		T(an_impossible_backup_is_lost_and_healed),
		T(unknown_features_refuse_or_forbid_writing),
		T(a_damaged_map_is_an_error_of_reading_only),
		T(two_bad_roots_are_refused_and_named),
		T(a_root_of_a_copy_never_counts),
		T(probing_finds_a_root_that_names_the_hash),
		T(probing_takes_what_two_roots_agree_on),
		T(probing_without_memory_is_an_error),
		T(every_failure_of_a_format_is_passed_on),
		T(every_failure_of_an_opening_is_passed_on),
		T(a_lost_map_is_not_healed_from),
		T(an_impossible_summary_is_rebuilt),
		T(one_bad_root_heals_to_three_good_ones),
		T(a_root_that_could_not_be_read_may_come_back),
		T(an_unreadable_slot_is_emptied_before_it_is_healed),
		T(a_rotten_summary_is_rebuilt_once),
		T(an_old_summary_is_not_believed),
		T(an_old_plane_with_an_old_summary_is_not_believed),
		T(what_others_keep_in_a_slot_is_not_healed_over),
		T(zeroes_and_own_roots_are_healed_over),
		T(an_unreadable_slot_is_written_only_beside_other_roots),
		T(a_state_is_named_by_branch_and_generation),
		T(a_lost_root_that_comes_back_is_not_believed),
		T(a_healing_that_was_cut_short_is_finished),
	};

	return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
