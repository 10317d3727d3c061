// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

/* blocks that hang on a leaf: data, itself, what is pending, a node above, its pieces */
#define OF_LEAF	(256 + 1 + 15 + 1 + 4)

static int setup(void **state)
{
	*state = device_create(4096);
	return 0;
}

static int teardown(void **state)
{
	device_destroy(*state);
	return 0;
}

static void a_record_without_a_place_for_its_nodes_has_no_room(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 used = core->space.used;

	assert_true(triad_log_room(core, 8, 8, 0));
	/* payload, three headers, and the nodes of as many leaves as there may be */
	core->space.used += triad_space_available(&core->space) -
			    (8 + 3 + triad_geometry_nodes(&core->geo, 8));
	assert_true(triad_log_room(core, 8, 8, 0));
	core->space.used++;
	assert_false(triad_log_room(core, 8, 8, 0));
	core->space.used = used;
}

static void an_interval_is_bounded_in_entries_leaves_and_blocks(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 max = core->geo.interval_blocks;
	u64 used = core->space.used, usable = core->geo.usable;

	assert_false(triad_log_is_long(core));
	core->interval.nr_entries = max - 1;
	core->interval.budget = 1u << 30;
	assert_true(triad_log_room(core, 1, 1, 0));
	assert_false(triad_log_room(core, 2, 2, 0));
	assert_true(triad_log_is_long(core));
	core->active->max = max - 1;
	assert_false(triad_log_room(core, 1, 1, 0));
	core->active->max = max;

	/* leaves count where there is more to give back than they hold */
	core->interval.nr_entries = 1;
	core->interval.nr_leaves = 4095;
	core->geo.usable = 1u << 30;
	core->space.used = 4096 * OF_LEAF + 1;
	assert_true(triad_log_room(core, 0, 1, 1));
	assert_false(triad_log_room(core, 0, 1, 2));
	assert_true(triad_log_is_long(core));
	core->interval.nr_leaves = 0;
	assert_false(triad_log_is_long(core));
	core->interval.nr_leaves = 1u << 20;
	core->space.used--;
	assert_true(triad_log_room(core, 0, 1, 1u << 20));
	assert_false(triad_log_is_long(core));
	core->interval.nr_leaves = 0;
	core->space.used = used;
	core->geo.usable = usable;

	core->interval.budget = 100;
	core->interval.nr_blocks = 80;
	assert_true(triad_log_is_long(core));
	assert_true(triad_log_room(core, 10, 1, 0));
	assert_false(triad_log_room(core, 20, 1, 0));
	/* but the first record always has room: else nothing would ever be written */
	core->interval.nr_entries = 0;
	assert_true(triad_log_room(core, 20, 1, 0));
	core->interval.nr_blocks = 0;
}

static const struct triad_node_disk *read_node(void *context, const struct triad_ref *ref)
{
	static struct triad_node_disk node;
	struct triad_core *core = context;

	return triad_map_read_node(&core->space.map, ref, &node) ? NULL : &node;
}

static bool is_void(struct triad_core *core, u64 lba, u64 nr)
{
	struct triad_ref missing;
	int r = triad_log_is_void(core, lba, nr, read_node, core, &missing);

	assert_true(r == 0 || r == 1);
	return r;
}

/* From the record on, while it is frozen, and when it has come into the map. */
static void a_discard_of_what_was_ever_written_needs_a_record(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;

	assert_true(is_void(core, 0, 4096));
	assert_int_equal(driver_fill(&d->driver, 300, 8), 0);	/* not even written to disk */
	assert_false(is_void(core, 0, 4096));
	assert_int_equal(driver_drain(&d->driver), 0);
	assert_false(is_void(core, 300, 1));
	assert_int_equal(device_reopen(d, true), 0);		/* replayed */
	assert_false(is_void(core, 300, 1));

	assert_int_equal(triad_log_start(core), 0);
	triad_commit_recycle(core);
	triad_commit_freeze(core, false);
	assert_false(is_void(core, 300, 1));
	assert_int_equal(device_reopen(d, true), 0);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_false(is_void(core, 300, 1));
	assert_false(is_void(core, 256, 256));
	assert_false(is_void(core, 0, 4096));
	assert_true(is_void(core, 0, 300));
	assert_true(is_void(core, 308, 4096 - 308));
}

static void a_discard_is_done_in_steps_that_cross_no_multiple(void **state)
{
	const u64 step = TRIAD_DISCARD_STEP;
	u64 lba, nr, n;
	u32 leaves;
	struct triad_geometry geo;
	const char *why;

	(void)state;
	assert_int_equal(triad_geometry_init(&geo, 1u << 30, 0, 32256, 256, 0, &why), 0);
	/* one bio of 4 GiB less a block, as the block layer cuts them */
	for (lba = 4 * step - 1, nr = 4 * step - 1; nr; lba += n, nr -= n) {
		n = triad_log_step(lba, nr);
		assert_true(n && n <= nr);
		assert_int_equal(lba / step, (lba + n - 1) / step);
		assert_true(n == nr || !((lba + n) % step));
		/* so it fits the smallest interval, and mostly takes little of it */
		assert_true(triad_index_discard_cost(&geo, lba, n, &leaves) <= 4 ||
			    n < step);
		assert_true(leaves <= 1024);
	}
	assert_int_equal(triad_index_discard_cost(&geo, 1, step - 2, &leaves), 4 * 255 + 2);
	assert_true(triad_geometry_init(&geo, 1u << 20, 0, 32256, 256, 4 * 255 + 2, &why));
}

/*
 * What one commit has to give back at most: as much as its discards may drop, beside
 * what the interval before has just brought.
 */
static void a_commit_frees_no_more_than_it_has_memory_for(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 max = core->geo.interval_blocks, most;

	assert_int_equal(triad_log_most_freed(core, max), core->geo.usable);
	core->geo.usable = 1u << 30;
	most = 4 * max + 2 * triad_geometry_nodes(&core->geo, max) + 4096 * OF_LEAF;
	assert_int_equal(triad_log_most_freed(core, max), most);
	/* a log that was replayed may hold three intervals' discards, or say anything */
	core->interval.nr_leaves = 8000;
	assert_int_equal(triad_log_most_freed(core, max), most + (8000 - 4096) * OF_LEAF);
	core->interval.nr_leaves = ~0u;
	assert_int_equal(triad_log_most_freed(core, max), most + 2 * 4096 * OF_LEAF);
	core->interval.nr_leaves = 0;
}

static void what_does_not_fit_the_index_is_an_error(void **state)
{
	struct device *d = *state;
	struct triad_index *index = triad_index_create(1, triad_alloc);
	struct triad_record rec;

	triad_record_begin(&rec, 0, 1, 0);
	rec.index = index;
	triad_record_add_extent(&rec, 0, 2);
	triad_record_add_run(&rec, TRIAD_FIRST_ZONE + 256, 2);
	rec.csums[0] = rec.csums[1] = 1;
	assert_int_equal(triad_log_publish(&d->driver.core, &rec, 0), -ENOSPC);

	triad_record_begin(&rec, 0, 1, TRIAD_RECORD_DISCARD);
	rec.index = index;
	triad_record_add_extent(&rec, 5, 1);
	/* nothing behind a record that failed is published */
	assert_int_equal(triad_log_publish(&d->driver.core, &rec, 0), -EIO);
	d->driver.core.order.failed = false;
	assert_int_equal(triad_log_publish(&d->driver.core, &rec, 0), -ENOSPC);
	triad_index_destroy(index);
}

static void a_failed_flush_covers_nothing(void **state)
{
	struct triad_order order;
	u64 covers;

	(void)state;
	triad_order_open(&order, 7, 5);
	assert_false(triad_order_is_durable(&order, 1));
	assert_int_equal(triad_order_mark(&order), 5);
	covers = triad_order_flush_begin(&order);
	triad_order_publish(&order, 8);
	triad_order_flush_end(&order, covers, -EIO);
	assert_false(triad_order_is_durable(&order, 1));
	assert_int_equal(triad_order_mark(&order), 5);
	/* one that succeeds covers what was published when it was sent */
	triad_order_flush_end(&order, covers, 0);
	assert_true(triad_order_is_durable(&order, 7));
	assert_false(triad_order_is_durable(&order, 8));
	assert_int_equal(triad_order_mark(&order), 7);
	assert_true(triad_order_fua_suffices(&order, 8));
	assert_false(triad_order_fua_suffices(&order, 9));
}

/* H and memory fail at every step of a session's first record. */
static void every_failure_of_the_first_record_is_passed_on(void **state)
{
	struct device *d = *state;
	u32 i;
	int r = -1;

	for (i = 1; r && i < 20; i++) {
		assert_int_equal(device_reopen(d, false), 0);
		d->driver.hash.nr = 0;
		d->driver.hash.fail_at = i;
		r = triad_log_start(&d->driver.core);
		d->driver.hash.fail_at = 0;
		assert_true(!r || r == -ENOMEM);
	}
	assert_true(i > 2 && i < 20);

	for (i = 1, r = -1; r && i < 20; i++) {
		assert_int_equal(device_reopen(d, false), 0);
		test_alloc.nr = 0;
		test_alloc.fail_at = i;
		r = triad_log_start(&d->driver.core);
		test_alloc.fail_at = 0;
		assert_true(!r || r == -ENOMEM);
	}
	assert_true(i < 20);
}

static void a_write_into_a_full_space_is_an_error(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_record rec;
	u64 zone;

	device_write(d, 0, 1);
	triad_log_begin(core, &rec, 0);
	for (zone = 0; zone < core->geo.nr_zones; zone++)
		core->space.taken[zone] = 0xffff;
	core->space.cursor[TRIAD_CURSOR_LOG].chosen = false;
	core->space.hwm = core->geo.nr_zones;
	assert_int_equal(triad_log_write(core, &rec, 0, 4), -ENOSPC);
}

/* Over two times the space, so that zones and segments with holes are met, too. */
static void what_is_at_hand_is_taken_in_one_run_without_reading(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 i, lba = 0, nr, nr_at_hand = 0, nr_far = 0;
	u64 reads, place;
	bool at_hand;

	assert_false(triad_log_at_hand(core, 1));	/* the session is not open yet */
	for (i = 0; i < 20000 && (i < 2000 || !nr_far); i++) {
		nr = 1 + (i * 7 + i / 11) % 16;
		lba = (lba + 677) % (d->oracle.nr_lbas - 16);
		if (!triad_log_room(core, nr, nr, 0)) {
			assert_int_equal(driver_drain(&d->driver), 0);
			assert_int_equal(driver_commit(&d->driver, false), 0);
			continue;
		}
		at_hand = triad_log_at_hand(core, nr);
		reads = d->disk.nr_reads;
		place = core->space.next;
		assert_int_equal(driver_fill(&d->driver, lba, nr), 0);
		if (at_hand) {
			assert_int_equal(d->disk.nr_reads, reads);
			assert_int_equal(core->space.next, place + nr + 1);
			nr_at_hand++;
		} else {
			nr_far++;
		}
		assert_int_equal(driver_drain(&d->driver), 0);
	}
	assert_true(nr_at_hand > 100 && nr_far > 10);

	while (!triad_log_at_hand(core, 1))
		assert_int_equal(driver_fill(&d->driver, lba, 1), 0);
	core->session = false;
	assert_false(triad_log_at_hand(core, 1));
	core->session = true;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_record_without_a_place_for_its_nodes_has_no_room),
		T(an_interval_is_bounded_in_entries_leaves_and_blocks),
		T(a_discard_of_what_was_ever_written_needs_a_record),
		T(a_discard_is_done_in_steps_that_cross_no_multiple),
		T(a_commit_frees_no_more_than_it_has_memory_for),
		T(what_does_not_fit_the_index_is_an_error),
		T(a_failed_flush_covers_nothing),
		T(every_failure_of_the_first_record_is_passed_on),
		T(a_write_into_a_full_space_is_an_error),
		T(what_is_at_hand_is_taken_in_one_run_without_reading),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
