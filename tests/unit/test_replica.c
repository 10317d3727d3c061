// SPDX-License-Identifier: GPL-2.0-or-later
/* Replicas under power cuts: the old state or the new one, and nothing else. */
#include "content.h"
#include "device.h"
#include "replica.h"

#define LBAS		1024u
#define MAX_BYTES	(128u << 20)

/* ---- streams in memory ------------------------------------------------------------ */

static struct bytes {
	u8 data[MAX_BYTES];
	size_t size, at;
} stream;

static ssize_t put(void *context, void *data, size_t size)
{
	struct bytes *b = context;

	assert_true(b->size + size <= MAX_BYTES);
	memcpy(b->data + b->size, data, size);
	b->size += size;
	return 0;
}

static ssize_t get(void *context, void *data, size_t size)
{
	struct bytes *b = context;
	size_t n = min_t(size_t, size, b->size - b->at);

	memcpy(data, b->data + b->at, n);
	b->at += n;
	return n;
}

static int send_block(void *context, const struct content_block *block)
{
	assert_int_equal(block->error, 0);
	return block->hole ? stream_hole(context, block->lba, block->nr) :
	       stream_block(context, block->lba, block->data);
}

static u32 passes = 1;
static void (*between)(void);	/* passes: the device goes on */

/* What the device holds, or what changed since; to is where it is then. */
static void send(struct device *d, const struct triad_origin *from, struct triad_origin *to)
{
	struct stream_out *out = calloc(1, sizeof(*out));
	struct triad_core *core = &d->driver.core;
	struct content_range range = {
		.since = from ? from->generation + 1 : 0, .to = LBAS, .holes = from,
	};
	struct stream_begin begin = { .logical_blocks = LBAS, .is_full = !from };
	struct stream_end end = { .nr_mapped = 0 };
	u32 i;

	stream.size = 0;
	out->write = put;
	out->context = &stream;
	assert_int_equal(replica_position(core, &begin.at), 0);
	memcpy(begin.uuid, begin.at.uuid, sizeof(begin.uuid));
	if (from)
		begin.from = *from;
	assert_int_equal(stream_begin(out, &begin), 0);
	for (i = 0; i < passes; i++) {
		if (i && between)
			between();
		assert_int_equal(content_changes(core, &range, send_block, out), 0);
	}
	assert_int_equal(replica_position(core, &end.to), 0);
	assert_int_equal(content_sum(core, core->root.checksum_kind, end.sum, &end.nr_mapped), 0);
	assert_int_equal(stream_end(out, &end), 0);
	*to = end.to;
	free(out);
}

/* ---- the replica ------------------------------------------------------------------ */

struct replica {
	struct disk disk;
	struct triad_hash hash;
	struct rng rng;
	struct triad_core core;
	u32 *content;
};

static int open_core(struct replica *r, bool receives)
{
	return image_open(&r->core, &r->disk, &r->hash, receives);
}

/* The stream is taken by what is opened; closed again. */
static int take(struct replica *r, bool in_steps, u64 entries)
{
	struct stream_in *in = calloc(1, sizeof(*in));
	struct receive rx = { .in = in, .in_steps = in_steps };
	int error = open_core(r, true);

	stream.at = 0;
	in->read = get;
	in->context = &stream;
	assert_int_equal(error, 0);
	error = stream_next(in);
	if (!error)
		error = replica_ready(&r->core, entries);
	if (!error)
		error = replica_take(&r->core, &rx);
	triad_core_close(&r->core);
	free(in);
	return error;
}

static struct replica *replica_create(void)
{
	struct triad_root root = { .incompat = TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE };
	struct replica *r = calloc(1, sizeof(*r));

	r->rng.state = 9;
	disk_init(&r->disk, disk_new_view(), &r->rng);
	r->content = calloc(DISK_BLOCKS, sizeof(*r->content));
	image_format(&r->disk, &r->hash, &root, LBAS);
	return r;
}

static void replica_destroy(struct replica *r)
{
	free(r->disk.view);
	free(r->content);
	free(r);
}

/* What it holds, as anybody sees it who opens it. */
static u64 holds(struct replica *r, struct triad_origin *position)
{
	const char *what;
	u64 hash;

	assert_int_equal(open_core(r, false), 0);
	assert_true(triad_core_must_not_write(&r->core));
	assert_int_equal(check_read(&r->core, &r->disk, r->content), 0);
	hash = oracle_hash_content(r->content, LBAS);
	*position = r->core.origin;
	what = check_structure(&r->core, &r->disk, true, true);
	if (what)
		fail_msg("%s", what);
	triad_core_close(&r->core);
	return hash;
}

static u64 device_hash(struct device *d)
{
	assert_int_equal(check_read(&d->driver.core, &d->disk, d->content), 0);
	return oracle_hash_content(d->content, LBAS);
}

static struct device *d;
static struct replica *r;
static struct triad_origin at;

static int setup(void **state)
{
	(void)state;
	d = device_create(LBAS);
	d->load.percent_discard = 25;
	device_steps(d, 60);
	r = replica_create();
	send(d, NULL, &at);
	assert_int_equal(take(r, true, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replica_destroy(r);
	device_destroy(d);
	return 0;
}

static void a_replica_holds_what_the_device_held(void **state)
{
	struct triad_origin position;

	(void)state;
	assert_true(holds(r, &position) == device_hash(d));
	assert_true(triad_origin_same(&position, &at));
}

static void each_difference_makes_it_the_same_again(void **state)
{
	struct triad_origin position, old[4];
	u64 hash;
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		old[i % 4] = at;
		device_steps(d, rng_below(&d->rng, 12));
		if (i % 3 == 0)
			assert_int_equal(driver_commit(&d->driver, i % 2), 0);
		if (i % 41 == 40)
			assert_int_equal(driver_discard(&d->driver), 0);
		assert_int_equal(driver_drain(&d->driver), 0);
		send(d, &at, &at);
		assert_int_equal(take(r, false, 4096), 0);
		hash = holds(r, &position);
		assert_true(hash == device_hash(d));
		assert_true(triad_origin_same(&position, &at));
	}
	/* one that is longer than it need be makes the same */
	send(d, &old[(i - 3) % 4], &at);
	assert_int_equal(take(r, false, 4096), 0);
	assert_true(holds(r, &position) == hash);
}

static void a_lost_root_takes_back_nothing_that_was_received(void **state)
{
	struct triad_origin position;
	int i, slot;
	u32 was;

	(void)state;
	for (i = 0; i < 20; i++) {
		for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
			was = r->disk.view[TRIAD_SLOT_PBA(slot)];
			r->disk.view[TRIAD_SLOT_PBA(slot)] = 0;
			assert_true(holds(r, &position) == device_hash(d));
			assert_true(triad_origin_same(&position, &at));
			r->disk.view[TRIAD_SLOT_PBA(slot)] = was;
		}
		device_steps(d, 10);
		send(d, &at, &at);
		assert_int_equal(take(r, false, 4096), 0);
	}
}

/* Single blocks: most of them are pending in the map, beside leaves that are not there. */
static void few_changes_leave_what_is_pending_beside_them(void **state)
{
	struct triad_origin position;
	int i, k;

	(void)state;
	teardown(NULL);
	d = device_create(LBAS);
	d->load.max_discard = 2;
	r = replica_create();
	send(d, NULL, &at);
	assert_int_equal(take(r, true, 0), 0);
	for (i = 0; i < 150; i++) {
		for (k = 0; k < 2; k++) {
			if (rng_percent(&d->rng, 40))
				assert_int_equal(driver_discard(&d->driver), 0);
			else
				device_write(d, rng_below(&d->rng, LBAS), 1);
			assert_int_equal(driver_drain(&d->driver), 0);
			assert_int_equal(driver_commit(&d->driver, false), 0);
		}
		send(d, &at, &at);
		assert_int_equal(take(r, false, 0), 0);
		assert_true(holds(r, &position) == device_hash(d));
	}
}

static void a_cut_shows_the_old_state_or_the_new_one(void **state)
{
	struct triad_origin before, position;
	struct replica image = { .content = r->content, .rng.state = 5 };
	u32 nr_old = 0, nr_new = 0, round;
	struct cutter cutter;
	struct trace trace;
	u64 old, new, now;
	bool more;

	(void)state;
	disk_init(&image.disk, malloc(disk_blocks * sizeof(u32)), &image.rng);
	for (round = 0; round < SOME(4); round++) {
		old = holds(r, &before);
		device_steps(d, 15);
		send(d, &at, &at);
		new = device_hash(d);
		trace_init(&trace, r->disk.view);
		r->disk.trace = &trace;
		assert_int_equal(take(r, false, 4096), 0);
		r->disk.trace = NULL;
		cutter_init(&cutter, &trace);
		do {
			more = cutter_step(&cutter);
			if (!more)
				cutter_complete(&cutter);
			cutter_random(&cutter, &r->rng, image.disk.view);
			now = holds(&image, &position);
			if (triad_origin_same(&position, &before)) {
				nr_old++;
				assert_true(now == old);
				/* and goes on from there */
				assert_int_equal(take(&image, false, 4096), 0);
				now = holds(&image, &position);
			} else {
				nr_new++;
			}
			assert_true(triad_origin_same(&position, &at));
			assert_true(now == new);
		} while (more);
		cutter_free(&cutter);
		trace_free(&trace);
	}
	assert_true(nr_old > SOME(100) && nr_new >= round);
	free(image.disk.view);
}

static void what_was_cut_off_many_times_leaves_room(void **state)
{
	struct triad_origin position;
	size_t size;
	u64 old = holds(r, &position);
	int i;

	(void)state;
	for (i = 0; i < 40; i++)
		device_write(d, 20 * i, 20);
	send(d, &at, &position);
	size = stream.size;
	stream.size -= 88;	/* the end is missing */
	for (i = 0; i < 60; i++) {
		assert_int_equal(take(r, false, 4096), -EBADMSG);
		assert_true(holds(r, &position) == old);
		assert_true(triad_origin_same(&position, &at));
	}
	stream.size = size;
	assert_int_equal(take(r, false, 4096), 0);
	assert_true(holds(r, &position) == device_hash(d));
}

static void what_would_not_be_the_sender_s_is_not_committed(void **state)
{
	struct triad_origin position, other = at;
	u64 old = holds(r, &position);

	(void)state;
	device_write(d, 5, 3);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 900, 3);
	/* as if what the commit brought had been there before */
	other.generation = d->driver.core.root.generation;
	send(d, &other, &position);
	assert_int_equal(take(r, false, 4096), -ESTALE);
	assert_true(holds(r, &position) == old);
	assert_true(triad_origin_same(&position, &at));
}

static void write_and_discard(void)
{
	u32 i;

	for (i = 0; i < 10; i++)
		device_write(d, 40 * rng_below(&d->rng, 25), 40);
	assert_int_equal(driver_discard(&d->driver), 0);
	assert_int_equal(driver_drain(&d->driver), 0);
	assert_int_equal(driver_commit(&d->driver, false), 0);
}

/* The device is overtaken, again and again: what changes comes in each pass. */
static void what_comes_again_takes_up_one_place(void **state)
{
	struct triad_origin position;

	(void)state;
	write_and_discard();
	passes = 30;
	between = write_and_discard;
	send(d, &at, &at);
	passes = 1;
	between = NULL;
	assert_true(stream.size > disk_blocks * TRIAD_BLOCK_SIZE);
	assert_int_equal(take(r, false, 4096), 0);
	assert_true(holds(r, &position) == device_hash(d));
	assert_true(triad_origin_same(&position, &at));
}

static void more_than_a_commit_is_refused_or_incomplete_in_between(void **state)
{
	struct replica image = { .content = r->content, .rng.state = 5 };
	u32 nr_old = 0, nr_between = 0, nr_new = 0, i;
	struct triad_origin position, before = at;
	struct cutter cutter;
	struct trace trace;
	u64 old, new;
	int error;

	(void)state;
	for (i = 0; i < 51; i++)
		device_write(d, 20 * i, 20);
	/* what is written, emptied and written again needs an entry each time */
	passes = 16;
	between = write_and_discard;
	send(d, &at, &at);
	passes = 1;
	between = NULL;
	old = holds(r, &position);
	new = device_hash(d);
	assert_int_equal(take(r, false, 0), -EFBIG);
	assert_true(holds(r, &position) == old);
	assert_true(triad_origin_same(&position, &before));

	disk_init(&image.disk, malloc(disk_blocks * sizeof(u32)), &image.rng);
	trace_init(&trace, r->disk.view);
	r->disk.trace = &trace;
	assert_int_equal(take(r, true, 0), 0);
	r->disk.trace = NULL;
	cutter_init(&cutter, &trace);
	while (cutter_step(&cutter)) {
		if (cutter.at % 97 && cutter.at + 8 < trace.nr)
			continue;
		cutter_random(&cutter, &r->rng, image.disk.view);
		error = open_core(&image, false);
		if (error) {
			assert_int_equal(error, -EOPNOTSUPP);
			nr_between++;
		} else {
			triad_core_close(&image.core);
			if (holds(&image, &position) == old) {
				assert_true(triad_origin_same(&position, &before));
				nr_old++;
			} else {
				assert_true(holds(&image, &position) == new);
				assert_true(triad_origin_same(&position, &at));
				nr_new++;
				continue;
			}
		}
		/* the same difference makes it whole */
		assert_int_equal(take(&image, true, 0), 0);
		assert_true(holds(&image, &position) == new);
	}
	cutter_free(&cutter);
	trace_free(&trace);
	assert_true(nr_old && nr_between > 20 && nr_new);
	assert_true(holds(r, &position) == new);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		assert_int_equal(r->core.slots[i].root.incompat, TRIAD_INCOMPAT_REPLICA);
	free(image.disk.view);
}

static void promoted_it_is_a_device_of_its_own_whenever_it_is_cut(void **state)
{
	struct replica image = { .content = r->content, .rng.state = 5 };
	struct triad_origin position;
	u64 old = holds(r, &position);
	u32 nr_replicas = 0, nr_devices = 0, i;
	struct cutter cutter;
	struct trace trace;
	bool more;

	(void)state;
	disk_init(&image.disk, malloc(disk_blocks * sizeof(u32)), &image.rng);
	trace_init(&trace, r->disk.view);
	r->disk.trace = &trace;
	assert_int_equal(open_core(r, true), 0);
	assert_int_equal(replica_promote(&r->core), 0);
	triad_core_close(&r->core);
	r->disk.trace = NULL;
	cutter_init(&cutter, &trace);
	do {
		more = cutter_step(&cutter);
		if (!more)
			cutter_complete(&cutter);
		for (i = 0; i < 5; i++) {
			cutter_random(&cutter, &r->rng, image.disk.view);
			assert_int_equal(open_core(&image, false), 0);
			assert_int_equal(check_read(&image.core, &image.disk, image.content), 0);
			assert_true(oracle_hash_content(image.content, LBAS) == old);
			if (triad_root_is_replica(&image.core.root)) {
				nr_replicas++;
				triad_core_close(&image.core);
				continue;
			}
			nr_devices++;
			/* before anything is written b is none, too */
			assert_false(triad_core_must_not_write(&image.core));
			assert_int_equal(triad_core_heal(&image.core), 0);
			triad_core_close(&image.core);
			assert_int_equal(open_core(&image, false), 0);
			assert_false(triad_root_is_replica(&image.core.slots[image.core.slot_b].root));
			triad_core_close(&image.core);
		}
	} while (more);
	cutter_free(&cutter);
	trace_free(&trace);
	assert_true(nr_replicas > 5 && nr_devices > 5);
	assert_int_equal(open_core(r, false), 0);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		assert_int_equal(r->core.slots[i].root.incompat, 0);
	triad_core_close(&r->core);
	free(image.disk.view);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_replica_holds_what_the_device_held),
		TEST(each_difference_makes_it_the_same_again),
		TEST(a_lost_root_takes_back_nothing_that_was_received),
		TEST(few_changes_leave_what_is_pending_beside_them),
		TEST(a_cut_shows_the_old_state_or_the_new_one),
		TEST(what_was_cut_off_many_times_leaves_room),
		TEST(what_would_not_be_the_sender_s_is_not_committed),
		TEST(what_comes_again_takes_up_one_place),
		TEST(more_than_a_commit_is_refused_or_incomplete_in_between),
		TEST(promoted_it_is_a_device_of_its_own_whenever_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
