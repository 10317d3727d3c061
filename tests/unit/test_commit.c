// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

/* blocks that hang on a leaf: data, itself, what is pending, a node above, its pieces */
#define OF_LEAF	(256 + 1 + 15 + 1 + 4)

static int setup(void **state)
{
	*state = device_create(2048);
	return 0;
}

static int setup_full(void **state)
{
	struct device *d = device_create(0);
	u32 lba;

	for (lba = 0; lba < d->oracle.nr_lbas; lba += 256)
		device_write(d, lba, 256);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	device_destroy(*state);
	return 0;
}

static void the_pointer_comes_before_the_first_record(void **state)
{
	struct device *d = *state;
	struct trace trace;
	u32 i, root = 0;

	trace_init(&trace, d->disk.view);
	d->disk.trace = &trace;
	assert_int_equal(d->driver.core.root.segment, 0);
	device_write(d, 0, 1);
	for (i = 0; i < trace.nr; i++)
		if (trace.ops[i].kind == DISK_ROOT)
			root++;
	/* what was read at the opening is durable before anything else */
	assert_int_equal(trace.ops[0].kind, DISK_FLUSH);
	assert_int_equal(trace.ops[1].kind, DISK_ROOT);
	assert_int_equal(root, 1);
	/* then the opening record alone, durable */
	assert_int_equal(trace.ops[2].kind, DISK_WRITE);
	assert_int_equal(trace.ops[3].kind, DISK_FLUSH);
	assert_int_not_equal(d->driver.core.root.segment, 0);
	d->disk.trace = NULL;
	trace_free(&trace);
}

/* The kernel alone may have died: a root that is read may not be durable yet. */
static void what_an_opening_read_is_durable_before_a_plane_is_written(void **state)
{
	struct device *d = *state;
	struct trace trace;

	device_write(d, 0, 1);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(device_reopen(d, true), 0);
	trace_init(&trace, d->disk.view);
	d->disk.trace = &trace;
	/* no record comes before this commit */
	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_int_equal(trace.ops[0].kind, DISK_FLUSH);
	assert_int_equal(trace.ops[1].kind, DISK_WRITE);
	d->disk.trace = NULL;
	trace_free(&trace);
}

/*
 * A root write fails, but the root is in a cache, and the kernel dies before it is
 * written again.  The next session builds on it: with one more root torn, that one
 * is needed.
 */
static void check_cached_root(u32 nr_root_devices, bool record_first)
{
	struct device *d = device_create(2048);
	struct trace trace;
	struct cutter cutter;
	u32 torn;

	trace_init(&trace, d->disk.view);
	trace.nr_root_devices = nr_root_devices;
	d->disk.trace = &trace;
	device_write(d, 0, 3);
	d->disk.root_fault = ROOT_UNKNOWN;
	d->driver.give_in = true;
	assert_int_equal(driver_commit(&d->driver, false), -EIO);
	d->driver.give_in = false;
	assert_int_equal(device_reopen(d, true), 0);
	if (record_first)
		device_write(d, 1, 3);
	assert_int_equal(driver_commit(&d->driver, true), 0);
	device_write(d, 2, 3);
	assert_int_equal(driver_flush(&d->driver), 0);
	torn = d->driver.core.slot_a;
	assert_int_equal(driver_commit(&d->driver, false), 0);
	driver_close(&d->driver);

	/* all caches are lost */
	cutter_init(&cutter, &trace);
	while (cutter_step(&cutter))
		;
	disk_copy(d->disk.view, cutter.durable);
	cutter_free(&cutter);
	trace_free(&trace);
	d->disk.trace = NULL;
	d->disk.view[TRIAD_SLOT_PBA(torn)] = content_rotten(&d->rng);
	assert_int_equal(driver_open(&d->driver, true), 0);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
	device_destroy(d);
}

static void a_root_in_a_cache_is_durable_before_it_is_built_on(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		check_cached_root(0, i);
		check_cached_root(1, i);
		check_cached_root(3, i);
	}
}

/*
 * A backup that was closed has no pointer.  With c lost it is the only good root
 * until it is healed, though there is a log behind it.
 */
static void healing_never_overwrites_the_root_it_heals_from(void **state)
{
	struct device *d = *state;
	struct trace trace;
	u32 i, held, slot;

	device_write(d, 0, 1);
	assert_int_equal(driver_commit(&d->driver, true), 0);
	/* of an empty log: nothing asked for a pointer */
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 5, 1);
	held = device_state(d);
	d->disk.view[TRIAD_SLOT_PBA(d->driver.core.slot_c)] = 0;
	assert_int_equal(device_reopen(d, false), 0);
	assert_true(d->driver.core.degraded);
	assert_int_equal(d->driver.core.root.segment, 0);
	assert_int_equal(device_state(d), held);

	slot = d->driver.core.slot_c;
	trace_init(&trace, d->disk.view);
	d->disk.trace = &trace;
	assert_int_equal(triad_core_heal(&d->driver.core), 0);
	for (i = 0; i < trace.nr; i++)
		assert_false(trace.ops[i].kind == DISK_ROOT &&
			     trace.ops[i].pba == TRIAD_SLOT_PBA(slot));
	assert_int_not_equal(d->driver.core.root.segment, 0);
	assert_int_equal(device_state(d), held);
	d->disk.trace = NULL;
	trace_free(&trace);
}

static void a_commit_keeps_content_and_empties_the_log(void **state)
{
	struct device *d = *state;
	int i;

	for (i = 0; i < 30; i++) {
		device_steps(d, 8);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
				 oracle_hash(&d->oracle, d->oracle.nr));
		device_check(d);
		assert_int_equal(d->driver.core.active->nr, 0);
	}
}

static void only_a_clean_commit_empties_the_pointer(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;

	device_steps(d, 10);
	assert_true(triad_commit_needed(core, true));
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_not_equal(core->root.segment, 0);
	assert_false(triad_commit_needed(core, false));
	assert_true(triad_commit_needed(core, true));
	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_int_equal(core->root.segment, 0);
	assert_false(triad_commit_needed(core, true));
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->replayed_records, 0);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
}

/* pending ends one commit behind the change, when the slot's block is not written */
static void zones_at_rest_keep_a_right_summary(void **state)
{
	struct device *d = *state;
	int i;

	device_steps(d, 40);
	for (i = 0; i < 8; i++) {
		assert_int_equal(driver_commit(&d->driver, i & 1), 0);
		assert_int_equal(device_reopen(d, false), 0);
		assert_false(d->driver.core.degraded);
		device_check(d);
	}
}

static void commits_at_rest_write_no_planes(void **state)
{
	struct device *d = *state;
	u64 writes;
	int i;

	device_steps(d, 40);
	for (i = 0; i < 6; i++) {
		writes = d->disk.nr_writes;
		assert_int_equal(driver_commit(&d->driver, true), 0);
	}
	assert_int_equal(d->disk.nr_writes - writes, 1);	/* the root */
}

static u32 nr_written_to(const struct trace *trace, const u8 *blocks)
{
	u32 i, n = 0;

	for (i = 0; i < trace->nr; i++)
		n += blocks[trace->ops[i].pba];
	return n;
}

static void what_a_commit_frees_is_kept_until_the_next_one(void **state)
{
	static u8 old[DISK_BLOCKS];
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct trace trace;
	u64 lba, pba;
	u32 csum, i;

	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 0, 200);
	for (lba = 0; lba < 200; lba++) {
		assert_true(triad_index_lookup(core->active, lba, &pba, &csum));
		old[pba] = 1;
	}
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 0, 200);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	/* b still reaches the old blocks: no interval may touch them, however full it gets */
	trace_init(&trace, d->disk.view);
	d->disk.trace = &trace;
	for (i = 0; triad_log_room(core, 50, 50, 0); i++)
		device_write(d, 1000 + 50 * i, 50);
	assert_int_not_equal(i, 0);
	assert_int_equal(nr_written_to(&trace, old), 0);
	/* once they are free a full device must use them again */
	for (i = 0; i < 100; i++)
		device_write(d, 50 * i, 50);
	assert_int_not_equal(nr_written_to(&trace, old), 0);
	d->disk.trace = NULL;
	trace_free(&trace);
}

/* Scattered changes, then a commit that gets as far as its planes. */
static void commit_without_root(struct device *d, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		device_write(d, rng_below(&d->rng, d->oracle.nr_lbas - 4),
			     1 + rng_below(&d->rng, 4));
	/* nodes where no redo would look for room first */
	d->driver.core.space.cursor[TRIAD_CURSOR_NODE] = (struct triad_cursor) {
		.zone = rng_below(&d->rng, d->driver.core.geo.nr_zones), .chosen = true,
	};
	d->driver.abandons = true;
	d->driver.abandon_at = TRIAD_COMMIT_PREPARED;
	assert_int_equal(driver_commit(&d->driver, false), -ECANCELED);
	d->driver.abandons = false;
}

static void planes_of_a_commit_that_never_landed_are_all_replaced(void **state)
{
	struct device *d = *state;
	u32 round, i;

	for (round = 0; round < 200; round++) {
		/* zones at rest, few changes: no other reason to write planes */
		device_write(d, rng_below(&d->rng, d->oracle.nr_lbas - 200), 1 + round);
		for (i = 0; i < 4; i++)
			assert_int_equal(driver_commit(&d->driver, false), 0);
		commit_without_root(d, 1 + round % 3);
		assert_int_equal(device_reopen(d, true), 0);
		device_check(d);
		if (round & 1)
			device_write(d, rng_below(&d->rng, d->oracle.nr_lbas - 4), 2);
		for (i = 0; i < 1 + round % 4; i++) {
			assert_int_equal(driver_commit(&d->driver, false), 0);
			device_check(d);
		}
	}
}

static int remember(struct triad_core *core, const struct triad_record *rec, void *context)
{
	u64 *place = context;

	(void)core;
	if (!place[0] && rec->nr_blocks)
		place[0] = rec->place;
	return 0;
}

/* ... and those it should not have written at all, since rot took its records. */
static void planes_of_a_commit_whose_records_rotted_are_not_believed(void **state)
{
	struct device *d = *state;
	u64 place, nr, durable;
	u32 round, i;
	int held;

	for (round = 0; round < 30; round++) {
		commit_without_root(d, 6);
		assert_int_equal(device_reopen(d, false), 0);
		place = 0;
		assert_int_equal(triad_replay_walk(&d->driver.core, &nr, &durable, remember,
						   &place), 0);
		d->disk.view[place] = content_rotten(&d->rng);
		assert_int_equal(device_reopen(d, true), 0);
		held = device_state(d);
		assert_true(held >= 0);
		oracle_truncate(&d->oracle, held);
		d->driver.published_state = held;
		for (i = 0; i < 4; i++) {
			device_write(d, 0, 1);
			assert_int_equal(driver_commit(&d->driver, false), 0);
			assert_null(check_structure(&d->driver.core, &d->disk, false, true));
			assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
					 oracle_hash(&d->oracle, d->oracle.nr));
		}
		assert_int_equal(device_reopen(d, true), 0);
	}
}

static void a_full_device_is_overwritten_for_ever(void **state)
{
	struct device *d = *state;
	u32 i, lba, nr;

	for (i = 0; i < 600; i++) {
		lba = rng_below(&d->rng, d->oracle.nr_lbas);
		nr = 1 + rng_below(&d->rng, 256);
		device_write(d, lba, min_t(u32, nr, d->oracle.nr_lbas - lba));
	}
	device_check(d);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
}

static void single_scattered_blocks_overwrite_a_full_device(void **state)
{
	struct device *d = *state;
	u32 i;

	for (i = 0; i < 6000; i++)
		device_write(d, rng_below(&d->rng, d->oracle.nr_lbas), 1);
	device_check(d);
}

static void one_interval_frees_a_bounded_number_of_blocks(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 used = core->space.used;

	/* if there is more than that to give back at all */
	assert_true(triad_log_room(core, 0, 16, 4097));
	core->geo.usable += 4096 * OF_LEAF;
	core->space.used = 4096 * OF_LEAF + 1;
	assert_true(triad_log_room(core, 0, 16, 4096));
	assert_false(triad_log_room(core, 0, 16, 4097));
	core->geo.usable -= 4096 * OF_LEAF;
	core->space.used = used;
}

/* The pointer of c is written while the next root waits for its turn. */
static void a_session_may_begin_behind_a_finished_image(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_commit_host host = { 0 };

	device_steps(d, 10);
	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_false(core->session);
	triad_commit_recycle(core);
	triad_commit_freeze(core, false);
	triad_commit_sort(core);
	assert_int_equal(triad_commit_update(core, &host), 0);
	assert_int_equal(triad_commit_prepare(core), 0);
	device_write(d, 0, 3);
	assert_true(core->session);
	/* rule 2: of unknown outcome, and repeated */
	d->disk.root_fault = ROOT_UNKNOWN;
	assert_int_equal(triad_commit_root(core), -EIO);
	assert_int_equal(triad_commit_root(core), 0);
	triad_commit_land(core);
	triad_commit_recycle(core);
	assert_int_equal(device_reopen(d, false), 0);
	assert_int_equal(core->choice.which, 1);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
	device_check(d);
}

/* Most of an interval of so many entries, and its commit. */
static void fill_interval(struct device *d)
{
	struct triad_core *core = &d->driver.core;

	while (!triad_log_is_long(core))
		device_write(d, rng_below(&d->rng, 1000) * 2, 2);
	assert_int_equal(driver_commit(&d->driver, false), 0);
}

static void the_memory_of_an_interval_grows_with_its_use(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 i, first = core->active->max;

	assert_int_equal(core->spare->max, first);
	core->geo.interval_blocks = first * 2 - 10;
	for (i = 0; i < 4; i++) {
		device_write(d, 0, 3);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	}
	assert_int_equal(core->active->max, first);	/* none was full */

	/* without memory it stays as it is */
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	test_alloc.forever = true;
	fill_interval(d);
	fill_interval(d);
	test_alloc.fail_at = 0;
	test_alloc.forever = false;
	assert_int_equal(core->active->max, first);

	for (i = 0; i < 6; i++)
		fill_interval(d);
	assert_int_equal(core->active->max, first * 2 - 10);
	assert_int_equal(core->spare->max, first * 2 - 10);
	assert_int_equal(core->commit.frees.max,
			 triad_log_most_freed(core, first * 2 - 10));
	device_check(d);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
}

/* N(d) is promised, the least of it is used. */
static void what_a_commit_did_not_need_is_free_again(void **state)
{
	struct device *d = *state;
	u32 i;

	for (i = 0; i < 8; i++) {
		device_write(d, i, 40);
		assert_true(d->driver.core.space.reserved);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		assert_int_equal(d->driver.core.space.reserved, 0);
	}
}

/* Rule 9 has two guards; each is looked at with the other one taken away. */
static void the_nodes_of_an_interval_have_room_without_a_budget(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 lba, i;

	for (i = 0; i < 3; i++) {
		/* nothing is pending or dead then */
		assert_int_equal(driver_commit(&d->driver, false), 0);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		core->interval.budget = ~0ULL;
		for (lba = i; triad_log_room(core, 1, 1, 0); lba += 257)
			device_write(d, lba % d->oracle.nr_lbas, 1);
		assert_true(core->interval.nr_entries > 50);
		assert_int_equal(driver_commit(&d->driver, false), 0);
	}
	device_check(d);
}

static void three_intervals_fit_beside_what_c_reaches(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u64 third, blocks;
	u32 lba, i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(driver_commit(&d->driver, false), 0);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		third = (core->geo.usable - core->root.used) / 3;
		for (lba = i; triad_log_room(core, 1, 1, 0); lba += 257)
			device_write(d, lba % d->oracle.nr_lbas, 1);
		blocks = core->interval.nr_blocks + triad_geometry_nodes(&core->geo, core->interval.nr_entries);
		assert_true(blocks <= third);
		assert_true(blocks > third / 2);
	}
}

/* A record over many zones must not be given one block twice. */
static void a_record_in_a_full_device_takes_every_block_once(void **state)
{
	static u8 seen[DISK_BLOCKS];
	static struct triad_record rec;
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 round, i, j;

	/* fragment: single blocks all over the device */
	for (i = 0; i < 3000; i++)
		device_write(d, rng_below(&d->rng, d->oracle.nr_lbas), 1);
	for (round = 0; round < 50; round++) {
		while (!triad_log_room(core, 128, 128, 0))
			assert_int_equal(driver_commit(&d->driver, false), 0);
		assert_int_equal(triad_log_start(core), 0);
		triad_log_begin(core, &rec, 0);
		assert_int_equal(triad_log_write(core, &rec, 0, 128), 0);
		memset(seen, 0, sizeof(seen));
		for (i = 0; i < rec.nr_runs; i++)
			for (j = 0; j < rec.runs[i].nr; j++)
				assert_int_equal(seen[rec.runs[i].start + j]++, 0);
		/* seal it as the driver would, with the content that it holds */
		for (i = 0; i < rec.nr_blocks; i++)
			rec.csums[i] = content_checksum(0, core->root.checksum_kind);
		for (i = 0; i < rec.nr_runs; i++)
			for (j = 0; j < rec.runs[i].nr; j++)
				d->disk.view[rec.runs[i].start + j] = 0;
		oracle_begin(&d->oracle, rec.seq);
		for (i = 0; i < 128; i++)
			oracle_set(&d->oracle, i, 0);
		assert_int_equal(triad_log_seal(core, &rec, d->driver.flights[0].header), 0);
		d->disk.view[rec.place] = content_id(d->driver.flights[0].header);
		assert_int_equal(triad_log_publish(core, &rec, 0), 0);
	}
	device_check(d);
}

/* A close takes the intent record into the interval: the list of its blocks grows. */
static void a_close_without_memory_for_its_list_is_an_error(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_space *space = &core->space;
	u64 far = triad_zone_start(&core->geo, 2);
	struct triad_commit_host host = { 0 };

	device_write(d, 0, 4);
	triad_commit_recycle(core);
	triad_commit_freeze(core, true);
	triad_commit_sort(core);
	assert_int_equal(triad_commit_update(core, &host), 0);
	/* two runs, and no room for the first */
	assert_int_equal(triad_list_push_run(&space->log_active, far, 1), 0);
	space->log_frozen.max = space->log_frozen.nr;
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	assert_int_equal(triad_commit_intent(core, &core->record, core->window), -ENOMEM);
	test_alloc.fail_at = 0;
}

static void discarding_a_full_device_frees_it(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct flight *flight = &d->driver.flights[0];
	u32 nr = d->oracle.nr_lbas, leaves, entries;

	entries = triad_index_discard_cost(&core->geo, 0, nr, &leaves);
	while (!triad_log_room(core, 0, entries, leaves))
		assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(triad_log_start(core), 0);
	triad_log_begin(core, &flight->rec, TRIAD_RECORD_DISCARD);
	triad_log_discard(core, &flight->rec, 0, nr, leaves);
	assert_int_equal(triad_log_seal(core, &flight->rec, flight->header), 0);
	d->driver.nr_flights = 1;
	assert_int_equal(driver_commit(&d->driver, false), 0);
	assert_int_equal(core->root.used, 0);
	assert_int_equal(core->root.map.pba, 0);
	device_check(d);
	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_true(triad_space_available(&core->space) > core->geo.usable - 100);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
#define FULL(name)	cmocka_unit_test_setup_teardown(name, setup_full, teardown)

/*
 * Memory may be what the writes are to free: it is taken at the opening, and never waited
 * for later.  Discards of whole leaves free most, scattered writes make most runs.
 */
static void nothing_is_allocated_after_an_opening(void **state)
{
	struct device *d = *state;
	u32 i;

	d->load.percent_slip = 30;
	d->load.max_discard = d->oracle.nr_lbas;
	d->load.percent_discard = 20;
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	test_alloc.forever = true;
	for (i = 0; i < 600; i++)
		assert_int_equal(driver_step(&d->driver), 0);
	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_int_equal(test_alloc.nr, 0);
	test_alloc.fail_at = 0;
	test_alloc.forever = false;
	assert_in_range(d->driver.nr_commits, 10, 600);
	device_check(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_pointer_comes_before_the_first_record),
		T(what_an_opening_read_is_durable_before_a_plane_is_written),
		cmocka_unit_test(a_root_in_a_cache_is_durable_before_it_is_built_on),
		T(healing_never_overwrites_the_root_it_heals_from),
		T(a_commit_keeps_content_and_empties_the_log),
		T(only_a_clean_commit_empties_the_pointer),
		T(zones_at_rest_keep_a_right_summary),
		T(commits_at_rest_write_no_planes),
		T(what_a_commit_did_not_need_is_free_again),
		T(one_interval_frees_a_bounded_number_of_blocks),
		T(a_session_may_begin_behind_a_finished_image),
		T(the_memory_of_an_interval_grows_with_its_use),
		T(a_close_without_memory_for_its_list_is_an_error),
		T(nothing_is_allocated_after_an_opening),
		FULL(what_a_commit_frees_is_kept_until_the_next_one),
		FULL(planes_of_a_commit_that_never_landed_are_all_replaced),
		FULL(planes_of_a_commit_whose_records_rotted_are_not_believed),
		FULL(a_full_device_is_overwritten_for_ever),
		FULL(single_scattered_blocks_overwrite_a_full_device),
		FULL(the_nodes_of_an_interval_have_room_without_a_budget),
		FULL(three_intervals_fit_beside_what_c_reaches),
		FULL(a_record_in_a_full_device_takes_every_block_once),
		FULL(discarding_a_full_device_frees_it),
	};

	return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
