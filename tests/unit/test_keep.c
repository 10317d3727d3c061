// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

#define MAX_SEQ		200000u

/* Who follows the log, by reading the disk: where each record lies, as the one before it says. */
struct follower {
	struct device *device;
	struct triad_position pos[MAX_SEQ];
	u64 next;
	u64 generation;		/* looked at last */
	u64 from;		/* the mark; since it was set so much was there, too: */
	bool promised;
	u64 nr_checks, nr_kept_checks, most;
};

static struct triad_record rec;
static u8 header[TRIAD_BLOCK_SIZE];

/* The record with this number: header and payload are on the disk. */
static void read_record(struct follower *f, u64 seq, struct triad_position *behind)
{
	struct triad_core *core = &f->device->driver.core;
	const u32 *view = f->device->disk.view;
	u32 i, j, nr = 0;

	*behind = f->pos[seq];
	memcpy(header, content_of(view[behind->place]), sizeof(header));
	assert_int_equal(triad_record_decode(&rec, &core->geo, core->hash, core->root.uuid,
					     behind->place, seq, behind->chain, header), 0);
	behind->place = rec.next;
	behind->seq = seq + 1;
	for (i = 0; i < rec.nr_runs; i++)
		for (j = 0; j < rec.runs[i].nr; j++)
			assert_int_equal(content_checksum(view[rec.runs[i].start + j],
							  core->root.checksum_kind),
					 rec.csums[nr++]);
}

static void go_on(struct follower *f)
{
	struct triad_core *core = &f->device->driver.core;
	struct triad_position behind;

	for (; f->next < core->published.seq; f->next++) {
		read_record(f, f->next, &behind);
		assert_true(f->next + 1 < MAX_SEQ);
		f->pos[f->next + 1] = behind;
	}
}

static struct follower *follower_create(struct device *d)
{
	struct follower *f = calloc(1, sizeof(*f));
	const struct triad_position *start = &d->driver.core.published;

	f->device = d;
	f->next = start->seq;
	f->pos[f->next] = *start;
	f->from = TRIAD_KEEP_NONE;
	go_on(f);
	return f;
}

static int note_visit(void *context, int level, u64 lba, u64 nr, const struct triad_ref *ref,
		      int error)
{
	u8 *reached = context;

	(void)level;
	(void)lba;
	(void)nr;
	reached[ref->pba] = 1;
	return error;
}

/* As the disk has it. */
static void note_root(const struct follower *f, int nr, u8 *reached)
{
	struct triad_map map = f->device->driver.core.space.map;
	struct triad_slot slot;

	triad_root_decode(&slot, nr, content_of(f->device->disk.view[TRIAD_SLOT_PBA(nr)]));
	assert_int_equal(slot.state, TRIAD_SLOT_VALID);
	map.root = slot.root.map;
	assert_int_equal(triad_map_walk(&map, note_visit, reached), 0);
}

/* All that is promised, from scratch; nothing is in flight, no commit runs. */
static void check(struct follower *f)
{
	static u8 reached[DISK_BLOCKS], busy[DISK_BLOCKS];
	struct triad_core *core = &f->device->driver.core;
	struct triad_space *space = &core->space;
	u64 seq, pba, kept = triad_keep_first(core), nr_kept = 0, nr_busy = 0;
	struct triad_position behind;
	u32 i, j;

	go_on(f);
	assert_int_equal(f->next, core->next_seq);
	memset(reached, 0, sizeof(reached));
	note_root(f, core->slot_c, reached);
	note_root(f, core->slot_b, reached);
	memcpy(busy, reached, sizeof(busy));
	for (seq = kept; seq < f->next; seq++) {
		read_record(f, seq, &behind);
		busy[f->pos[seq].place] = 1;
		nr_kept += seq < core->backup_seq && !reached[f->pos[seq].place];
		for (i = 0; i < rec.nr_runs; i++)
			for (j = 0; j < rec.runs[i].nr; j++) {
				pba = rec.runs[i].start + j;
				busy[pba] = 1;
				nr_kept += seq < core->backup_seq && !reached[pba];
			}
	}
	busy[space->next] = 1;
	for (pba = 0; pba < DISK_BLOCKS; pba++)
		nr_busy += busy[pba];
	assert_int_equal(nr_kept, space->keep.nr_blocks);
	assert_int_equal(nr_busy + space->reserved, core->geo.usable - triad_space_available(space));
	/* no more than was asked for, and no less */
	assert_true(!space->keep.nr || space->keep.kept[0].end > space->keep.from);
	if (f->promised && !space->keep.given_up)
		assert_true(kept <= f->from);
	f->nr_checks++;
	f->nr_kept_checks += space->keep.nr > 0;
	f->most = max_t(u64, f->most, nr_kept);
}

static void keep(struct follower *f, u64 seq)
{
	struct triad_core *core = &f->device->driver.core;

	triad_keep_from(core, seq);
	f->from = seq;
	f->promised = seq != TRIAD_KEEP_NONE && triad_keep_first(core) <= seq;
}

static int setup(void **state)
{
	*state = follower_create(device_create(2048));
	return 0;
}

static void fill(struct follower *f, u32 percent)
{
	u32 lba, end = (u64)f->device->oracle.nr_lbas * percent / 100 & ~0xffu;

	for (lba = 0; lba < end; lba += 256) {
		device_write(f->device, lba, 256);
		go_on(f);
	}
}

static int setup_full(void **state)
{
	struct follower *f = follower_create(device_create(0));

	fill(f, 95);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct follower *f = *state;

	device_destroy(f->device);
	free(f);
	return 0;
}

/* ---- the model -------------------------------------------------------------------- */

/*
 * Steps at random, with writes beside commits; the mark rests, follows and jumps, also
 * while a commit runs.
 */
static void simulate(struct follower *f, u32 nr_steps, u32 percent_move)
{
	struct device *d = f->device;
	struct triad_core *core = &d->driver.core;
	u64 first;
	u32 i;

	for (i = 0; i < nr_steps; i++) {
		bool moves = rng_percent(&d->rng, percent_move);

		if (moves) {
			first = triad_keep_first(core);
			keep(f, rng_percent(&d->rng, 15) ? TRIAD_KEEP_NONE :
			     first + rng_below(&d->rng, core->next_seq - first + 3) / 2);
		}
		assert_int_equal(driver_step(&d->driver), 0);
		/* the driver moves it, too: then nothing is known of it */
		f->promised &= core->space.keep.from == f->from;
		assert_int_equal(driver_drain(&d->driver), 0);
		go_on(f);
		if (moves || core->root.generation != f->generation || i % 16 == 0)
			check(f);
		f->generation = core->root.generation;
		if (i % 500 == 0)
			device_check(d);
	}
	device_check(d);
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
}

static void what_is_kept_can_be_read_and_is_counted_to_the_block(void **state)
{
	struct follower *f = *state;
	struct device *d = f->device;

	d->driver.core.keep_max = 3000;
	d->load.percent_slip = 25;
	simulate(f, 20000, 3);
	assert_true(f->nr_kept_checks > 1000);
	assert_true(f->most > 500);
}

static void so_it_is_when_the_mark_moves_beside_commits(void **state)
{
	struct follower *f = *state;
	struct device *d = f->device;

	d->driver.core.keep_max = 3000;
	d->load.percent_slip = 40;
	d->load.percent_keep = 5;
	d->load.max_discard = 600;
	simulate(f, 20000, 0);
	assert_true(f->nr_kept_checks > 1000);
}

static void a_full_device_whose_log_is_kept_is_overwritten_for_ever(void **state)
{
	struct follower *f = *state;
	struct device *d = f->device;
	struct triad_core *core = &d->driver.core;

	core->keep_max = ~0u;
	d->load.percent_slip = 10;
	d->load.percent_keep = 3;
	d->load.percent_commit = 2;
	d->load.percent_discard = 1;
	d->load.max_blocks = 100;
	simulate(f, 12000, 0);
	assert_true(core->space.keep.nr_given_up > 10);
	assert_true(f->nr_kept_checks > 100);
}

/* ---- one by one --------------------------------------------------------------------- */

static void commit(struct follower *f)
{
	assert_int_equal(driver_commit(&f->device->driver, false), 0);
	go_on(f);
}

/* A record of one block and a commit, nr times; the last two intervals are b's and c's own. */
static void commits(struct follower *f, u32 nr)
{
	while (nr--) {
		device_write(f->device, nr % 7 * 256, 1);
		commit(f);
	}
}

static void without_a_mark_nothing_is_kept_but_the_log_since_b(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	u64 before;

	commits(f, 3);
	before = core->root.next_seq;
	commits(f, 1);
	assert_int_equal(triad_keep_first(core), before);
	assert_int_equal(core->space.keep.nr_blocks, 0);
	check(f);
	/* also behind an opening, which reads the log since b */
	assert_int_equal(device_reopen(f->device, true), 0);
	assert_int_equal(triad_keep_first(core), before);
}

static void the_mark_lets_go_what_lies_behind_it(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	u64 first = triad_keep_first(core), left = triad_space_available(&core->space), last;

	keep(f, first);
	commits(f, 30);
	check(f);
	assert_int_equal(triad_keep_first(core), first);
	/* a header for the write and one for the commit's intent, each */
	assert_true(core->space.keep.nr_blocks >= 2 * 28);
	last = core->space.keep.kept[9].first;
	keep(f, last + 1);
	assert_int_equal(triad_keep_first(core), last);
	check(f);
	keep(f, TRIAD_KEEP_NONE);
	assert_int_equal(core->space.keep.nr_blocks, 0);
	assert_int_equal(triad_keep_first(core), core->backup_seq);
	check(f);
	/* and what was let go can be taken */
	commit(f);
	commit(f);
	assert_in_range(left - triad_space_available(&core->space), 0, 40);
	assert_false(core->space.keep.given_up);
}

/* Blocks until there is none left. */
static u64 take_all(struct triad_space *space)
{
	u64 pba, nr = 0;
	u32 got;
	int r;

	while (!(r = triad_space_take(space, TRIAD_CURSOR_NODE, 50, &pba, &got))) {
		assert_int_equal(triad_list_push_run(&space->nodes, pba, got), 0);
		nr += got;
	}
	assert_int_equal(r, -ENOSPC);
	return nr;
}

static void what_is_let_go_can_be_taken_at_once(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	struct triad_space *space = &core->space;
	u32 i;
	u64 kept, free;

	core->keep_max = ~0u;
	keep(f, triad_keep_first(core));
	/* in many zones, as the cursor goes to the one with most free blocks */
	for (i = 0; i < 40; i++) {
		device_write(f->device, i % 3 * 200, 100);
		commit(f);
	}
	assert_false(space->keep.given_up);
	kept = space->keep.nr_blocks;
	free = triad_space_available(space) + space->reserved;
	assert_true(kept > 2000);
	/* what is kept is not found, wherever it is looked for */
	assert_int_equal(take_all(space), free);
	keep(f, TRIAD_KEEP_NONE);
	assert_int_equal(take_all(space), kept);
}

/* Whoever follows says so while a commit runs: what b's log is now is kept as well. */
static int keep_while_it_runs(struct triad_commit_host *host, enum triad_commit_step step)
{
	struct follower **f = (struct follower **)(host + 1);

	if (step == TRIAD_COMMIT_PREPARED)
		keep(*f, triad_keep_first(&(*f)->device->driver.core));
	return 0;
}

static void a_mark_that_comes_while_a_commit_runs_counts_for_it(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	struct {
		struct triad_commit_host host;
		struct follower *f;
	} hook = { .f = f };

	commits(f, 3);
	/* the commit overwrites what b's log brought */
	device_write(f->device, 0, 20);
	commit(f);
	device_write(f->device, 0, 20);
	hook.host.intent = &core->record;
	hook.host.intent_block = core->window;
	hook.host.step = keep_while_it_runs;
	assert_int_equal(triad_commit_run(core, false, &hook.host), 0);
	go_on(f);
	assert_int_equal(core->space.keep.nr, 1);
	assert_true(f->promised);
	check(f);
	commits(f, 5);
	check(f);
}

static void the_log_is_given_up_before_a_writer_waits_for_a_commit(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	u64 left, kept;

	keep(f, triad_keep_first(core));
	commits(f, 40);
	left = triad_space_available(&core->space);
	kept = core->space.keep.nr_blocks;
	assert_true(kept > 50);
	/* as if the rest of the device was in use */
	core->space.used += left - 20;
	assert_true(triad_log_room(core, 1, 1, 0));
	assert_int_equal(core->space.keep.nr_blocks, kept);
	assert_true(triad_log_room(core, 20, 20, 0));
	assert_true(core->space.keep.given_up);
	assert_int_equal(core->space.keep.nr_given_up, 1);
	assert_int_equal(core->space.keep.nr_blocks, 0);
	core->space.used -= left - 20;
	check(f);
}

static void the_log_is_not_given_up_if_that_is_not_the_room(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	u64 left;

	keep(f, triad_keep_first(core));
	commits(f, 40);
	core->interval.budget = 30;
	device_write(f->device, 0, 4);
	assert_false(triad_log_room(core, 200, 200, 0));
	assert_false(core->space.keep.given_up);
	/* nor if a commit has to make room all the same */
	core->interval.budget = ~0ULL;
	left = triad_space_available(&core->space);
	core->space.used += left;
	assert_false(triad_log_room(core, core->space.keep.nr_blocks, 1, 0));
	assert_false(core->space.keep.given_up);
	core->space.used -= left;
	check(f);
}

static void no_more_is_kept_than_the_limit(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;
	u32 i, most = 0;

	core->keep_max = 100;
	keep(f, triad_keep_first(core));
	for (i = 0; i < 100 && !core->space.keep.given_up; i++) {
		commits(f, 1);
		most = max_t(u32, most, core->space.keep.nr_blocks);
	}
	assert_true(core->space.keep.given_up);
	assert_in_range(most, 90, 100);
	/* an eighth of what is free, if nobody says; more than half of it nobody gets */
	core->keep_max = 0;
	keep(f, triad_keep_first(core));
	for (i = 0; i < 300; i++) {
		device_write(f->device, 0, 100);
		device_write(f->device, 0, 100);
		commit(f);
		assert_true(core->space.keep.nr_blocks <= (core->geo.usable - core->root.used) / 8);
		if (core->space.keep.given_up) {
			core->keep_max = ~0u;
			keep(f, triad_keep_first(core));
			break;
		}
	}
	assert_true(i < 300);
	for (i = 0; i < 300 && !core->space.keep.given_up; i++) {
		device_write(f->device, 0, 100);
		commit(f);
		assert_true(core->space.keep.nr_blocks <= (core->geo.usable - core->root.used) / 2);
	}
	assert_true(core->space.keep.given_up);
	check(f);
}

static void intervals_have_room_beside_what_is_kept(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;

	core->keep_max = ~0u;
	keep(f, triad_keep_first(core));
	commits(f, 100);
	assert_true(core->space.keep.nr_blocks > 150);
	commit(f);
	assert_in_range(core->interval.budget, 1,
			(core->geo.usable - core->space.used - core->space.keep.nr_blocks) / 3 + 2);
}

static void without_memory_the_log_is_given_up_and_nothing_else(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;

	keep(f, triad_keep_first(core));
	commits(f, 5);
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	test_alloc.forever = true;
	commits(f, 3);
	test_alloc.fail_at = 0;
	test_alloc.forever = false;
	assert_true(core->space.keep.given_up);
	check(f);
}

static void too_many_intervals_are_given_up(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;

	core->keep_max = ~0u;
	keep(f, triad_keep_first(core));
	commits(f, TRIAD_MAX_KEPT);
	assert_false(core->space.keep.given_up);
	check(f);
	commits(f, 5);
	assert_true(core->space.keep.given_up);
	check(f);
}

/* Nothing of it is on the disk. */
static void behind_an_opening_nothing_is_kept(void **state)
{
	struct follower *f = *state;
	struct triad_core *core = &f->device->driver.core;

	keep(f, triad_keep_first(core));
	commits(f, 20);
	assert_int_equal(device_reopen(f->device, true), 0);
	assert_int_equal(core->space.keep.from, TRIAD_KEEP_NONE);
	assert_int_equal(triad_keep_first(core), core->backup_seq);
	f->promised = false;
	check(f);
	device_check(f->device);
}

/* What an opening does not read cannot be followed: with b lost the log begins with c. */
static void without_a_backup_the_log_begins_with_c(void **state)
{
	struct follower *f = *state;
	struct device *d = f->device;
	struct triad_core *core = &d->driver.core;
	u32 slot;

	commits(f, 4);
	slot = core->slot_b;
	driver_close(&d->driver);
	d->disk.view[TRIAD_SLOT_PBA(slot)] = content_rotten(&d->rng);
	assert_int_equal(driver_open(&d->driver, false), 0);
	assert_int_equal(triad_keep_first(core), core->root.next_seq);
	slot = core->slot_c;
	driver_close(&d->driver);
	/* so it does for who looks at one root */
	*core = (struct triad_core) { .store = &d->disk.store, .hash = &d->driver.hash };
	assert_int_equal(triad_core_open_at(core, DISK_BLOCKS, slot, false), 0);
	assert_int_equal(triad_keep_first(core), core->root.next_seq);
	triad_core_close(core);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_a_mark_nothing_is_kept_but_the_log_since_b),
		T(the_mark_lets_go_what_lies_behind_it),
		T(what_is_let_go_can_be_taken_at_once),
		T(a_mark_that_comes_while_a_commit_runs_counts_for_it),
		T(the_log_is_given_up_before_a_writer_waits_for_a_commit),
		T(the_log_is_not_given_up_if_that_is_not_the_room),
		T(no_more_is_kept_than_the_limit),
		T(intervals_have_room_beside_what_is_kept),
		T(without_memory_the_log_is_given_up_and_nothing_else),
		T(too_many_intervals_are_given_up),
		T(behind_an_opening_nothing_is_kept),
		T(without_a_backup_the_log_begins_with_c),
		T(what_is_kept_can_be_read_and_is_counted_to_the_block),
		T(so_it_is_when_the_mark_moves_beside_commits),
		cmocka_unit_test_setup_teardown(
			a_full_device_whose_log_is_kept_is_overwritten_for_ever, setup_full, teardown),
	};

	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
