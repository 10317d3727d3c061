// SPDX-License-Identifier: GPL-2.0-or-later
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
	forge_log(d, &root, 600, &rec);
	d->driver.hash.nr = 0;
	assert_int_equal(device_reopen(d, false), -EUCLEAN);
	assert_true(d->driver.hash.nr < 400);
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
	assert_int_equal(triad_space_read_current(space, zone, bits, &buffer, NULL, &rebuilt), 0);
	assert_true(rebuilt);
	space->used--;
	assert_int_equal(triad_space_read_current(space, zone, bits, &buffer, NULL, &rebuilt), -EUCLEAN);
	space->used++;
}

/* The backup's log holds a record with the right chain that says something impossible. */
static void an_impossible_record_before_c_costs_the_backup(void **state)
{
	struct device *d = *state;
	struct triad_record rec;
	struct triad_root b;

	device_write(d, 0, 3);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 5, 3);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(device_reopen(d, false), 0);
	b = d->driver.core.slots[d->driver.core.slot_b].root;
	triad_record_begin(&rec, 0, 0, TRIAD_RECORD_DISCARD);
	triad_record_add_extent(&rec, 512, 1);
	forge_log(d, &b, 1, &rec);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(d->driver.core.slot_b, -1);
	assert_true(d->driver.core.degraded);
}

/* As if each block were reached in many ways: the list does not grow beyond what is whole. */
static void a_map_that_gives_back_more_than_there_is_ends_the_commit(void **state)
{
	struct device *d = *state;
	struct triad_list *frees = &d->driver.core.commit.frees;
	u32 max = frees->max;

	device_write(d, 0, 100);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 0, 100);
	frees->max = 60;
	assert_int_equal(driver_commit(&d->driver, false), -EUCLEAN);
	assert_int_equal(frees->max, 60);
	frees->max = max;
}

/* The map says one thing, planes and counters another: commits stop. */
static void a_commit_that_does_not_add_up_is_an_error(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_zone *z;
	u64 zone;
	u32 i;

	for (i = 0; i < 3; i++) {
		if (d->driver.open)
			driver_close(&d->driver);
		assert_int_equal(driver_open(&d->driver, true), 0);
		device_write(d, 0, 10);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		device_write(d, 0, 2);
		zone = triad_zone_of(&core->geo, core->space.map.root.pba);
		z = &core->space.zones[zone];
		if (i == 0) {
			/* fewer in use than are freed */
			z->used = 0;
		} else if (i == 1) {
			/* one more in use than the map reaches: the plane is rebuilt */
			z->used++;
		} else {
			/* a block of the map is not in its plane, another one is */
			static struct triad_plane_disk plane;
			u64 pba = triad_plane_pba(&core->geo, zone, core->slot_c);
			u64 start = triad_zone_start(&core->geo, zone);

			memcpy(&plane, content_of(d->disk.view[pba]), sizeof(plane));
			triad_bit_clear(plane.bits, core->space.map.root.pba - start);
			triad_bit_set(plane.bits, triad_zone_size(&core->geo, zone) - 1);
			assert_int_equal(triad_space_write(&core->space, TRIAD_PLANE_MAGIC, zone,
							   &core->root, pba, &plane), 0);
		}
		assert_int_equal(driver_commit(&d->driver, false), -EUCLEAN);
	}
}

/* More zones in a map than any zone has blocks: counted, but not beyond what fits. */
static void a_zone_that_is_reached_too_often_ends_the_count(void **state)
{
	struct device *d = *state;
	struct triad_space *space = &d->driver.core.space;
	struct triad_node_disk node = { 0 };
	u64 pba = TRIAD_FIRST_ZONE + 500;
	u32 i, level;

	d->driver.core.geo.map_depth = 3;
	d->driver.core.geo.logical_blocks = 1u << 24;
	for (level = 0; level < 3; level++, pba++) {
		for (i = 0; i < TRIAD_FANOUT; i++) {
			node.entry[i].pba_flags = cpu_to_le64(level ? pba - 1 : pba + 100);
			node.entry[i].csum = level ? cpu_to_le32(space->map.root.csum) : 0;
		}
		d->disk.view[pba] = content_id(&node);
		space->map.root.pba = pba;
		space->map.root.csum = triad_checksum(space->map.checksum_kind, &node);
	}
	assert_int_equal(triad_space_rebuild_summary(space), -EUCLEAN);

	/* less than that, but more than the zone has */
	d->driver.core.geo.map_depth = 1;
	d->driver.core.geo.logical_blocks = 256;
	space->hwm = 1;
	for (i = 0; i < TRIAD_FANOUT; i++)
		node.entry[i].pba_flags = cpu_to_le64(TRIAD_FIRST_ZONE + 700);
	d->disk.view[pba] = content_id(&node);
	space->map.root.pba = pba;
	space->map.root.csum = triad_checksum(space->map.checksum_kind, &node);
	assert_int_equal(triad_space_rebuild_summary(space), 0);
	assert_int_equal(space->zones[0].used, 257);
	d->driver.core.geo.map_depth = 2;
	d->driver.core.geo.logical_blocks = 65536;
	memset(&node.entry[10], 0, sizeof(node) - 10 * sizeof(node.entry[0]));
	for (i = 0; i < 10; i++) {
		node.entry[i].pba_flags = cpu_to_le64(pba);
		node.entry[i].csum = cpu_to_le32(space->map.root.csum);
	}
	d->disk.view[++pba] = content_id(&node);
	space->map.root.pba = pba;
	space->map.root.csum = triad_checksum(space->map.checksum_kind, &node);
	assert_int_equal(triad_space_rebuild_summary(space), -EUCLEAN);
	assert_int_equal(space->zones[0].used, 10 * 257 + 1);
}

/* What leaves the map changes planes as well as what enters it. */
static void an_intent_names_the_zones_of_both(void **state)
{
	static const u64 add[] = { 1, 1, 4 }, give[] = { 0, 2, 4, 6 };
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_list *adds = &core->commit.adds, *frees = &core->commit.frees;
	struct triad_record rec;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i;

	device_write(d, 0, 1);
	adds->nr = frees->nr = 0;
	for (i = 0; i < 3; i++)
		assert_int_equal(triad_list_push(adds, triad_zone_start(&core->geo, add[i]) + 50 + i),
				 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(triad_list_push(frees, triad_zone_start(&core->geo, give[i]) + 60),
				 0);
	core->commit.clean = false;
	assert_int_equal(triad_commit_intent(core, &rec, block), 0);
	assert_int_equal(rec.nr_extents, 3);
	assert_int_equal(rec.extents[0].start, 0);
	assert_int_equal(rec.extents[0].nr, 3);
	assert_int_equal(rec.extents[1].start, 4);
	assert_int_equal(rec.extents[1].nr, 1);
	assert_int_equal(rec.extents[2].start, 6);
	assert_int_equal(rec.extents[2].nr, 1);
	adds->nr = frees->nr = 0;
}

/* Nodes in so many places that one header cannot name them: all between is named. */
static void an_intent_of_too_many_zones_names_them_all(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_list *adds = &core->commit.adds;
	struct triad_record rec;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i;

	device_write(d, 0, 1);
	adds->nr = 0;
	for (i = 0; i < 600; i++) {
		u64 zone = i % 2 ? 5 : 1 + i % 3;

		assert_int_equal(triad_list_push(adds, triad_zone_start(&core->geo, zone)), 0);
	}
	core->commit.clean = false;
	assert_int_equal(triad_commit_intent(core, &rec, block), 0);
	assert_int_equal(rec.nr_extents, 1);
	assert_int_equal(rec.extents[0].start, 1);
	assert_int_equal(rec.extents[0].nr, 5);
	adds->nr = 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_intent_names_the_zones_of_both),
		T(a_log_of_too_many_entries_is_not_read_to_its_end),
		T(a_backup_log_of_too_many_blocks_costs_the_backup),
		T(a_map_that_reaches_more_than_its_root_counts_ends_the_rebuild),
		T(an_impossible_record_before_c_costs_the_backup),
		T(a_map_that_gives_back_more_than_there_is_ends_the_commit),
		T(a_commit_that_does_not_add_up_is_an_error),
		T(a_zone_that_is_reached_too_often_ends_the_count),
		T(an_intent_of_too_many_zones_names_them_all),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
