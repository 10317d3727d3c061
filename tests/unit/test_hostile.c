// SPDX-License-Identifier: GPL-2.0-only
/* What only a forger writes: nothing of it may cost more than it is worth. */
#include "device.h"

static int setup(void **state)
{
	*state = device_create(512);
	return 0;
}

static int teardown(void **state)
{
	device_destroy(*state);
	return 0;
}

/* Seal records like this one, one behind the other, from a root's log on. */
static void forge_log(struct device *d, const struct triad_root *root, u32 nr,
		      struct triad_record *rec)
{
	u8 block[TRIAD_BLOCK_SIZE], chain[TRIAD_HASH_SIZE];

	memcpy(chain, root->chain, sizeof(chain));
	rec->place = root->next;
	rec->seq = root->next_seq;
	for (; nr; nr--, rec->seq++, rec->place = rec->next) {
		rec->next = rec->place + 1;
		while (!triad_geometry_valid_pba(&d->driver.core.geo, rec->next))
			rec->next++;
		assert_int_equal(triad_record_seal(rec, &d->driver.hash, root->uuid, chain, block),
				 0);
		d->disk.view[rec->place] = content_id(block);
	}
}

static void a_log_of_too_many_entries_is_not_read_to_its_end(void **state)
{
	struct device *d = *state;
	struct triad_root root = d->driver.core.root;
	struct triad_record rec;
	u32 i;

	triad_record_begin(&rec, 0, 0, TRIAD_RECORD_DISCARD);
	for (i = 0; i < TRIAD_RECORD_MAX_RANGES; i++)
		triad_record_add_extent(&rec, 1, 511);
	forge_log(d, &root, 300, &rec);
	d->driver.hash.nr = 0;
	assert_int_equal(device_reopen(d, false), -EUCLEAN);
	assert_true(d->driver.hash.nr < 200);
}

static void a_backup_log_of_too_many_blocks_costs_the_backup(void **state)
{
	struct device *d = *state;
	struct triad_root b;
	struct triad_record rec;
	u32 i;

	assert_int_equal(driver_commit(&d->driver, false), 0);
	for (i = 0; i < 100; i++)
		device_write(d, i, 1);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(d->driver.core.slot_b >= 0);
	b = d->driver.core.slots[d->driver.core.slot_b].root;

	triad_record_begin(&rec, 0, 0, 0);
	triad_record_add_extent(&rec, 0, TRIAD_RECORD_MAX_BLOCKS);
	triad_record_add_run(&rec, TRIAD_FIRST_ZONE + 100, TRIAD_RECORD_MAX_BLOCKS);
	forge_log(d, &b, 100, &rec);
	d->driver.hash.nr = 0;
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(d->driver.core.slot_b, -1);
	assert_true(d->driver.core.degraded);
	assert_true(d->driver.hash.nr < 80);
}

static void a_map_that_reaches_more_than_its_root_counts_ends_the_rebuild(void **state)
{
	struct device *d = *state;
	struct triad_space *space = &d->driver.core.space;
	static struct triad_plane_disk buffer;
	static u8 bits[TRIAD_PLANE_BITS / 8];
	bool rebuilt;
	u64 zone;

	device_write(d, 0, 10);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	zone = triad_zone_of(&d->driver.core.geo, space->map.root.pba);
	d->disk.view[triad_plane_pba(&d->driver.core.geo, zone, d->driver.core.slot_c)] = 0;
	assert_int_equal(triad_space_read_current(space, zone, bits, &buffer, &rebuilt), 0);
	assert_true(rebuilt);
	space->used--;
	assert_int_equal(triad_space_read_current(space, zone, bits, &buffer, &rebuilt), -EUCLEAN);
	space->used++;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_log_of_too_many_entries_is_not_read_to_its_end),
		T(a_backup_log_of_too_many_blocks_costs_the_backup),
		T(a_map_that_reaches_more_than_its_root_counts_ends_the_rebuild),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
