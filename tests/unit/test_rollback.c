// SPDX-License-Identifier: GPL-2.0-or-later
/* The backup's state: looked at, and gone back to. */
#include "device.h"

/* What was the newest state when b was made, and c. */
static u32 state_b, state_c;

static void commit(struct device *d)
{
	assert_int_equal(driver_commit(&d->driver, false), 0);
	state_b = state_c;
	state_c = d->oracle.nr;
}

static int setup(void **state)
{
	struct device *d = device_create(1024);
	u32 i;

	d->load.percent_commit = 0;	/* it is known when they are */
	for (i = 0; i < 5; i++) {
		device_steps(d, 8);
		device_write(d, 7 * i, 30);
		commit(d);
	}
	device_steps(d, 6);
	device_write(d, 100, 20);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	device_destroy(*state);
	return 0;
}

static struct triad_core *closed_core(struct device *d)
{
	struct triad_core *core = &d->driver.core;

	if (d->driver.open)
		driver_close(&d->driver);
	memset(core, 0, sizeof(*core));
	core->store = &d->disk.store;
	core->hash = &d->driver.hash;
	return core;
}

static int opened(struct device *d, int r)
{
	d->driver.open = !r;
	return r;
}

static int open_backup(struct device *d)
{
	return opened(d, triad_core_open_backup(closed_core(d), disk_blocks));
}

static int open_at(struct device *d, int slot, bool with_log)
{
	return opened(d, triad_core_open_at(closed_core(d), disk_blocks, slot, with_log));
}

static bool is_state(struct device *d, u32 state)
{
	memset(d->content, 0xff, d->oracle.nr_lbas * sizeof(*d->content));
	assert_int_equal(check_read(&d->driver.core, &d->disk, d->content), 0);
	return oracle_hash_content(d->content, d->oracle.nr_lbas) ==
	       oracle_hash(&d->oracle, state);
}

static int rollback(struct device *d)
{
	assert_int_equal(device_reopen(d, false), 0);
	return triad_core_rollback(&d->driver.core);
}

static u32 *root_of(struct device *d, int slot)
{
	return &d->disk.view[TRIAD_SLOT_PBA(slot)];
}

/* ---- to look at it ------------------------------------------------------------- */

static void the_backup_alone_is_the_state_that_its_commit_made(void **state)
{
	struct device *d = *state;

	assert_int_equal(open_backup(d), 0);
	assert_true(is_state(d, state_b));
	assert_false(is_state(d, state_c));
	assert_int_equal(d->driver.core.replayed_records, 0);
	assert_true(triad_core_must_not_write(&d->driver.core));
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(is_state(d, d->oracle.nr));
}

static void looking_at_the_backup_writes_nothing(void **state)
{
	struct device *d = *state;
	u64 writes;

	driver_close(&d->driver);
	writes = d->disk.nr_writes + d->disk.nr_flushes;
	assert_int_equal(open_backup(d), 0);
	assert_true(is_state(d, state_b));
	driver_close(&d->driver);
	assert_int_equal(d->disk.nr_writes + d->disk.nr_flushes, writes);
}

static void the_backup_needs_neither_its_planes_nor_its_summary(void **state)
{
	struct device *d = *state;
	int slot = d->driver.core.slot_b;
	u64 zone;

	for (zone = 0; zone < d->driver.core.geo.nr_zones; zone++)
		d->disk.view[triad_plane_pba(&d->driver.core.geo, zone, slot)] =
			content_rotten(&d->rng);
	d->disk.view[triad_summary_pba(&d->driver.core.geo, 0, slot)] = content_rotten(&d->rng);
	assert_int_equal(open_backup(d), 0);
	assert_true(is_state(d, state_b));
}

static void a_lost_backup_is_not_opened(void **state)
{
	struct device *d = *state;
	int slot = d->driver.core.slot_b;
	u64 live;

	driver_close(&d->driver);
	live = test_alloc.live;
	*root_of(d, slot) = content_rotten(&d->rng);
	assert_int_equal(open_backup(d), -ENODATA);
	assert_string_equal(d->driver.core.choice.why, "the backup root is lost");
	assert_int_equal(test_alloc.live, live);
}

static void a_backup_whose_map_is_gone_is_not_opened(void **state)
{
	struct device *d = *state;
	const struct triad_core *core = &d->driver.core;

	assert_int_equal(device_reopen(d, false), 0);
	d->disk.view[core->slots[core->slot_b].root.map.pba] = content_rotten(&d->rng);
	assert_int_equal(open_backup(d), -EBADMSG);
}

static void each_root_can_be_opened_alone(void **state)
{
	struct device *d = *state;
	int b = d->driver.core.slot_b, c = d->driver.core.slot_c, a = d->driver.core.slot_a;

	driver_close(&d->driver);
	*root_of(d, a) = 0;
	assert_int_equal(open_at(d, a, false), -ENODATA);
	assert_int_equal(open_at(d, b, false), 0);
	assert_true(is_state(d, state_b));
	assert_int_equal(open_at(d, c, false), 0);
	assert_true(is_state(d, state_c));
	assert_int_equal(open_at(d, c, true), 0);
	assert_true(is_state(d, d->oracle.nr));
	/* b's log leads through c's */
	assert_int_equal(open_at(d, b, true), 0);
	assert_true(is_state(d, d->oracle.nr));
	/* whatever the others say */
	*root_of(d, c) = 0;
	assert_int_equal(open_at(d, b, true), 0);
	assert_true(is_state(d, d->oracle.nr));
	assert_true(triad_core_must_not_write(&d->driver.core));
}

/* ---- to go back ------------------------------------------------------------------ */

static void a_rollback_leaves_the_state_of_the_backup_alone(void **state)
{
	struct device *d = *state;

	assert_int_equal(rollback(d), 0);
	assert_true(is_state(d, state_b));
	device_check(d);
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(d->driver.core.choice.which, 1);
	assert_false(triad_core_needs_heal(&d->driver.core));
	assert_true(is_state(d, state_b));
	device_check(d);
	/* and there is no way back */
	assert_int_equal(open_backup(d), 0);
	assert_true(is_state(d, state_b));
}

static void numbers_of_records_and_places_are_not_used_again(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 seq, place, generation;
	u8 chain[TRIAD_HASH_SIZE];

	assert_int_equal(device_reopen(d, false), 0);
	seq = core->next_seq;
	place = core->space.next;
	generation = core->root.generation;
	memcpy(chain, core->chain, sizeof(chain));
	assert_int_equal(triad_core_rollback(core), 0);
	assert_true(core->root.next_seq >= seq);
	assert_int_not_equal(core->root.next, place);
	assert_memory_not_equal(core->root.chain, chain, sizeof(chain));
	assert_int_equal(core->root.generation, generation + 2);
	assert_int_equal(core->root.branch, generation + 1);
}

static void live_on(struct device *d, u32 nr)
{
	oracle_truncate(&d->oracle, state_b);
	d->driver.published_state = d->oracle.nr;
	device_steps(d, nr);
	device_write(d, 3, 40);
}

static void life_goes_on_behind_a_rollback(void **state)
{
	struct device *d = *state;
	u32 i;

	assert_int_equal(rollback(d), 0);
	live_on(d, 5);
	for (i = 0; i < 8; i++) {
		assert_int_equal(device_reopen(d, true), 0);
		assert_true(is_state(d, d->oracle.nr));
		device_check(d);
		d->driver.published_state = d->oracle.nr;
		device_steps(d, 10);
		commit(d);
		device_check(d);
	}
}

/* At each step behind a rollback, each slot: rotten, or what it held before the rollback. */
static void spoil_each_root(bool with_old)
{
	u32 old[TRIAD_NR_SLOTS], i, nr_commits;
	int slot;

	for (nr_commits = 0; nr_commits < 5; nr_commits++) {
		for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
			struct device *d;

			setup((void **)&d);
			for (i = 0; i < TRIAD_NR_SLOTS; i++)
				old[i] = *root_of(d, i);
			assert_int_equal(rollback(d), 0);
			live_on(d, 3);
			for (i = 0; i < nr_commits; i++) {
				device_write(d, 11 * i, 9);
				commit(d);
			}
			*root_of(d, slot) = with_old ? old[slot] : content_rotten(&d->rng);
			assert_int_equal(device_reopen(d, true), 0);
			assert_true(is_state(d, d->oracle.nr));
			device_check(d);
			device_destroy(d);
		}
	}
}

static void one_bad_root_brings_nothing_back(void **state)
{
	(void)state;
	spoil_each_root(false);
}

static void an_old_root_in_a_slot_brings_nothing_back(void **state)
{
	(void)state;
	spoil_each_root(true);
}

static void a_cut_leaves_one_state_or_the_other(void **state)
{
	struct device *d;
	struct cutter cutter;
	struct trace trace;
	u32 *image = disk_new_view(), at, i, j, newest, nr_before = 0, nr_behind = 0;
	bool more = true;

	(void)state;
	setup((void **)&d);
	assert_int_equal(device_reopen(d, false), 0);
	trace_init(&trace, d->disk.view);
	d->disk.trace = &trace;
	d->disk.submitted = d->disk.acked = &d->oracle.nr;
	newest = d->oracle.nr;
	assert_int_equal(triad_core_rollback(&d->driver.core), 0);
	d->disk.trace = NULL;
	driver_close(&d->driver);
	cutter_init(&cutter, &trace);
	while (more) {
		more = cutter_step(&cutter);
		at = cutter.at;
		for (i = 0; i < 30; i++) {
			cutter_random(&cutter, &d->rng, image);
			disk_copy(d->disk.view, image);
			assert_int_equal(device_reopen(d, i & 1), 0);
			if (is_state(d, d->oracle.nr)) {
				nr_before++;
				assert_int_not_equal(at, trace.nr + more);
			} else {
				nr_behind++;
				assert_true(is_state(d, state_b));
				assert_int_equal(d->driver.core.replayed_records, 0);
			}
			if (!(i & 1))
				continue;
			device_check(d);
			/* what it left in the slots' planes and summaries harms nobody later */
			for (j = 0; j < 3; j++) {
				device_write(d, 31 * j, 5);
				assert_int_equal(driver_commit(&d->driver, false), 0);
				device_check(d);
			}
			oracle_truncate(&d->oracle, newest);
		}
	}
	assert_true(nr_before && nr_behind);
	cutter_free(&cutter);
	trace_free(&trace);
	free(image);
	device_destroy(d);
}

/* Zones that no commit touched lately: only theirs would not be written again. */
static void what_never_landed_leaves_old_planes_alone(void **state)
{
	struct device *d = device_create(4096);
	u32 i;

	(void)state;
	/* three zones, of which the second is not touched for long */
	for (i = 0; i < 16; i++) {
		device_write(d, i * 250, 250);
		commit(d);
	}
	for (i = 0; i < 6; i++) {
		device_write(d, 3900 + 5 * i, 5);
		commit(d);
	}
	assert_int_equal(device_reopen(d, false), 0);
	d->disk.nr_flushes = 0;
	d->disk.fault.kind = FAULT_FLUSH;
	d->disk.fault.at = 2;	/* before the first root */
	d->disk.fault.error = -EIO;
	assert_int_equal(triad_core_rollback(&d->driver.core), -EIO);
	memset(&d->disk.fault, 0, sizeof(d->disk.fault));
	assert_int_equal(device_reopen(d, true), 0);
	assert_true(is_state(d, d->oracle.nr));
	for (i = 0; i < 3; i++) {
		device_write(d, 400 + i, 1);
		commit(d);
		device_check(d);
	}
	device_destroy(d);
}

/* ... in which a second one would lead back to what was left. */
static void half_a_rollback_is_finished_before_another(void **state)
{
	struct device *d = *state;

	assert_int_equal(device_reopen(d, false), 0);
	d->disk.fault.kind = FAULT_FLUSH;
	d->disk.nr_flushes = 0;
	d->disk.fault.at = 3;	/* before the second root */
	d->disk.fault.error = -EIO;
	assert_int_equal(triad_core_rollback(&d->driver.core), -EIO);
	memset(&d->disk.fault, 0, sizeof(d->disk.fault));
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(is_state(d, state_b));
	assert_true(triad_core_needs_heal(&d->driver.core));
	assert_int_equal(triad_core_rollback(&d->driver.core), -EAGAIN);
	assert_int_equal(device_reopen(d, true), 0);
	assert_true(is_state(d, state_b));
	device_check(d);
	assert_int_equal(rollback(d), 0);
	assert_true(is_state(d, state_b));
}

static void with_a_bad_root_nothing_is_rolled_back(void **state)
{
	struct device *d = *state;
	int slot;
	u32 good;
	u64 writes;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		good = *root_of(d, slot);
		*root_of(d, slot) = content_rotten(&d->rng);
		writes = d->disk.nr_writes;
		assert_true(rollback(d) < 0);
		assert_int_equal(d->disk.nr_writes, writes);
		*root_of(d, slot) = good;
	}
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(is_state(d, d->oracle.nr));
}

static void a_damaged_map_is_not_gone_back_to(void **state)
{
	struct device *d = *state;
	const struct triad_core *core = &d->driver.core;
	u64 pba, writes;

	assert_int_equal(device_reopen(d, false), 0);
	pba = core->slots[core->slot_b].root.map.pba;
	d->disk.view[pba] = content_rotten(&d->rng);
	writes = d->disk.nr_writes;
	assert_int_equal(rollback(d), -EBADMSG);
	assert_int_equal(d->disk.nr_writes, writes);
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(is_state(d, d->oracle.nr));
}

/* What else is lost of c does not matter: it is what is to be left. */
static void a_damaged_current_state_can_be_left(void **state)
{
	struct device *d = *state;
	const struct triad_core *core = &d->driver.core;
	u64 zone;

	assert_int_equal(device_reopen(d, false), 0);
	d->disk.view[core->root.map.pba] = content_rotten(&d->rng);
	for (zone = 0; zone < core->geo.nr_zones; zone++)
		d->disk.view[triad_plane_pba(&core->geo, zone, core->slot_b)] =
			content_rotten(&d->rng);
	assert_int_equal(rollback(d), 0);
	assert_true(is_state(d, state_b));
	assert_int_equal(device_reopen(d, true), 0);
	device_check(d);
	live_on(d, 20);
	assert_int_equal(device_reopen(d, true), 0);
	assert_true(is_state(d, d->oracle.nr));
	device_check(d);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_backup_alone_is_the_state_that_its_commit_made),
		TEST(looking_at_the_backup_writes_nothing),
		TEST(the_backup_needs_neither_its_planes_nor_its_summary),
		TEST(a_lost_backup_is_not_opened),
		TEST(a_backup_whose_map_is_gone_is_not_opened),
		TEST(each_root_can_be_opened_alone),
		TEST(a_rollback_leaves_the_state_of_the_backup_alone),
		TEST(numbers_of_records_and_places_are_not_used_again),
		TEST(life_goes_on_behind_a_rollback),
		cmocka_unit_test(one_bad_root_brings_nothing_back),
		cmocka_unit_test(an_old_root_in_a_slot_brings_nothing_back),
		cmocka_unit_test(a_cut_leaves_one_state_or_the_other),
		cmocka_unit_test(what_never_landed_leaves_old_planes_alone),
		TEST(half_a_rollback_is_finished_before_another),
		TEST(with_a_bad_root_nothing_is_rolled_back),
		TEST(a_damaged_map_is_not_gone_back_to),
		TEST(a_damaged_current_state_can_be_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
