// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

static u32 *slot(struct device *d, u32 nr)
{
	return &d->disk.view[TRIAD_SLOT_PBA(nr)];
}

/* Another instance on the same disk, which knows nothing of the first. */
static struct triad_core *stranger_open(struct device *d)
{
	static struct triad_core core;

	memset(&core, 0, sizeof(core));
	core.store = &d->disk.store;
	core.hash = &d->driver.hash;
	assert_int_equal(triad_core_open(&core, disk_blocks), 0);
	return &core;
}

static void stranger_commits(struct device *d)
{
	struct triad_core *core = stranger_open(d);

	assert_int_equal(triad_commit_alone(core, false), 0);
	triad_core_close(core);
}

/* The next commit is refused, and the disk is as it was; slots, since planes lie elsewhere. */
static void assert_refused(struct device *d, u32 nr)
{
	u32 *before = disk_copy(disk_new_view(), d->disk.view);

	assert_int_equal(driver_commit(&d->driver, false), -ESTALE);
	assert_int_equal(d->driver.core.stranger, nr);
	assert_memory_equal(before, d->disk.view, disk_blocks * sizeof(*before));
	free(before);
}

static void a_root_of_somebody_else_is_noticed_before_anything_is_written(void **state)
{
	struct device *d = *state;
	u32 i, nr;

	for (i = 1; i <= 4; i++) {
		nr = d->driver.core.slot_a;
		stranger_commits(d);
		assert_refused(d, nr);
		/* to whom the other one's root belongs goes on with it */
		assert_int_equal(device_reopen(d, false), 0);
		assert_false(d->driver.core.degraded);
		device_check(d);
		assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
				 oracle_hash(&d->oracle, d->oracle.nr));
		d->driver.error = 0;
		device_write(d, i, 3);
	}
}

static void a_session_of_somebody_else_is_noticed_before_the_first_record(void **state)
{
	struct device *d = *state;
	struct triad_core *other;
	u64 writes;

	/* closed: no pointer yet */
	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_int_equal(device_reopen(d, false), 0);
	other = stranger_open(d);
	assert_int_equal(triad_log_start(other), 0);
	triad_core_close(other);
	writes = d->disk.nr_writes;
	assert_int_equal(triad_log_start(&d->driver.core), -ESTALE);
	assert_int_equal(d->driver.core.stranger, d->driver.core.slot_c);
	assert_int_equal(d->disk.nr_writes, writes);
}

static void a_commit_of_somebody_else_is_noticed_before_the_first_record(void **state)
{
	struct device *d = *state;
	u64 writes;

	assert_int_equal(device_reopen(d, false), 0);
	stranger_commits(d);
	writes = d->disk.nr_writes;
	assert_int_equal(triad_log_start(&d->driver.core), -ESTALE);
	assert_int_equal(d->disk.nr_writes, writes);
}

/* Somebody comes while nodes and planes are being written. */
static void who_comes_during_a_commit_is_noticed_before_its_root(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 id;

	d->driver.abandons = true;
	d->driver.abandon_at = TRIAD_COMMIT_PREPARED;
	assert_int_equal(driver_commit(&d->driver, false), -ECANCELED);
	stranger_commits(d);
	id = *slot(d, core->slot_a);
	assert_int_equal(triad_commit_root(core), -ESTALE);
	assert_int_equal(*slot(d, core->slot_a), id);
}

static void what_is_no_root_at_all_is_not_overwritten(void **state)
{
	static u8 text[TRIAD_BLOCK_SIZE] = "LUKS\xba\xbe";
	struct device *d = *state;
	u32 nr = d->driver.core.slot_a;

	*slot(d, nr) = content_id(text);
	assert_refused(d, nr);
	assert_int_equal(*slot(d, nr), content_id(text));
}

/* A disk may forget; only somebody else makes roots. */
static void what_a_disk_lost_is_no_stranger(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 i, nr, rotten, before;
	u8 block[TRIAD_BLOCK_SIZE];

	for (i = 0; i < 8; i++) {
		nr = i & 1 ? core->slot_c : core->slot_a;
		memcpy(block, content_of(*slot(d, nr)), sizeof(block));
		block[200] ^= 4;
		rotten = content_id(block);
		switch (i / 2) {
		case 0:
			*slot(d, nr) = 0;
			break;
		case 1:
			*slot(d, nr) = rotten;
			break;
		case 2:
			d->disk.unreadable = 1u << nr;
			break;
		case 3:
			/* the root went nowhere, and what lay there is seen again later */
			before = *slot(d, core->slot_a);
			nr = core->slot_a;
			d->disk.root_fault = ROOT_LOST;
			assert_int_equal(driver_commit(&d->driver, false), 0);
			assert_int_equal(*slot(d, nr), before);
			if (i & 1)
				break;	/* looked at as c only */
			device_write(d, i, 1);
			assert_int_equal(driver_commit(&d->driver, false), 0);
			device_write(d, i, 2);
			assert_int_equal(driver_commit(&d->driver, false), 0);
			assert_int_equal(core->slot_a, nr);
			break;
		}
		device_write(d, i, 3);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		d->disk.unreadable = 0;
		device_write(d, i, 3);
	}
	for (i = 0; i < 3; i++)
		assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->choice.which, 1);
	device_check(d);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
}

/* Rule 2: of unknown outcome, and repeated: the old root, the new one, or half of it. */
static void the_own_root_is_no_stranger_when_its_write_is_repeated(void **state)
{
	static const enum disk_root_fault faults[] = { ROOT_LANDED, ROOT_UNKNOWN };
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i, old, nr;

	for (i = 0; i < 6; i++) {
		nr = core->slot_a;
		old = *slot(d, nr);
		device_write(d, i, 3);
		d->driver.abandons = true;
		d->driver.abandon_at = TRIAD_COMMIT_PREPARED;
		assert_int_equal(driver_commit(&d->driver, false), -ECANCELED);
		d->driver.abandons = false;
		d->disk.root_fault = faults[i & 1];
		assert_int_equal(triad_commit_root(core), -EIO);
		if (i / 2 == 1)
			*slot(d, nr) = old;
		if (i / 2 == 2) {
			memcpy(block, content_of(*slot(d, nr)), sizeof(block));
			memset(block + 300, 0, 8);
			*slot(d, nr) = content_id(block);
		}
		assert_int_equal(triad_commit_root(core), 0);
		triad_commit_land(core);
		triad_commit_recycle(core);
		device_write(d, i, 3);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	}
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->choice.which, 1);
	device_check(d);
}

/* What was found at the opening is what is healed, whatever it is. */
static void a_slot_that_was_bad_at_the_opening_is_healed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i, nr;

	for (i = 0; i < 12; i++) {
		nr = i % 3;
		memcpy(block, content_of(*slot(d, nr)), sizeof(block));
		block[200] ^= 4;
		if (i / 3 == 3)
			d->disk.unreadable = 1u << nr;
		else
			*slot(d, nr) = i / 3 == 0 ? 0 : i / 3 == 1 ? content_id(block) :
				       content_id(memset(block, 'x', 8));
		assert_int_equal(device_reopen(d, true), 0);
		assert_false(core->degraded);
		assert_int_equal(d->disk.unreadable, 0);
		device_write(d, i, 3);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		device_check(d);
	}
}

#define T(name)	cmocka_unit_test_setup_teardown(name, device_setup_used, device_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_root_of_somebody_else_is_noticed_before_anything_is_written),
		T(a_session_of_somebody_else_is_noticed_before_the_first_record),
		T(a_commit_of_somebody_else_is_noticed_before_the_first_record),
		T(who_comes_during_a_commit_is_noticed_before_its_root),
		T(what_is_no_root_at_all_is_not_overwritten),
		T(what_a_disk_lost_is_no_stranger),
		T(the_own_root_is_no_stranger_when_its_write_is_repeated),
		T(a_slot_that_was_bad_at_the_opening_is_healed),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
