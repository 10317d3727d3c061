// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A replica took over, and what it was a replica of comes back: it is brought on by what differs,
 * however often the session is cut short.
 */
#include "content.h"
#include "device.h"
#include "replica.h"
#include "ship.h"

#define LBAS	2048u
#define ALL	1000000u	/* frames */

/* An image that both ends may have open. */
struct image {
	struct disk disk;
	struct triad_hash hash;
	struct triad_core core;
	struct ship_replica ship;
	bool served;
};

static struct device *a;		/* who owned it first */
static struct image r, s;		/* its replicas */
static struct rng rng;
static struct stream_in *to_replica, *to_owner;
static u64 nr_sent;			/* blocks, of a session */
static struct driver *own;		/* of r, when it took over */
static struct oracle oracle;
static u32 beside;			/* steps of it that sessions have beside them */
static bool overtakes;			/* it commits in the middle of a comparison */

/* ---- images ---------------------------------------------------------------------------------- */

static int open_core(struct image *im, bool receives)
{
	return image_open(&im->core, &im->disk, &im->hash, receives);
}

static int reopen(struct ship_replica *ship)
{
	struct image *im = (struct image *)((char *)ship - offsetof(struct image, ship));

	triad_core_close(&im->core);
	return open_core(im, true);
}

static void serve(struct image *im)
{
	memset(&im->ship, 0, sizeof(im->ship));
	assert_int_equal(ship_replica_init(&im->ship), 0);
	assert_int_equal(open_core(im, true), 0);
	im->ship.core = &im->core;
	im->ship.reopen = reopen;
	im->ship.sums = &im->hash;
	im->served = true;
}

static void unserve(struct image *im)
{
	if (!im->served)
		return;
	ship_replica_free(&im->ship);
	triad_core_close(&im->core);
	im->served = false;
}

static void make(struct image *im)
{
	struct triad_root root = { .incompat = TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE };

	memset(im, 0, sizeof(*im));
	disk_init(&im->disk, disk_new_view(), &rng);
	image_format(&im->disk, &im->hash, &root, LBAS);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static void begin(struct stream_in *in)
{
	memset(in, 0, offsetof(struct stream_in, frame));
	in->session = true;
}

/* What was staged arrives, but for what a broken link loses. */
static int deliver(struct ship_out *out, struct stream_in *in, u32 *most, void *end,
		   int (*take)(void *end, struct stream_in *in))
{
	size_t at, nr;
	int error = 0;

	for (at = 0; at < out->nr && !error && *most; at += nr, --*most) {
		memcpy(in->frame, out->staged + at, sizeof(struct stream_header_disk));
		nr = stream_need(in, sizeof(struct stream_header_disk));
		memcpy(in->frame, out->staged + at, nr);
		error = stream_take(in);
		if (!error)
			error = take(end, in);
	}
	out->nr = 0;
	return error;
}

static int take_owner(void *end, struct stream_in *in)
{
	return ship_owner_frame(end, in);
}

static int take_replica(void *end, struct stream_in *in)
{
	nr_sent += in->type == STREAM_BLOCKS ? in->nr : 0;
	return ship_replica_frame(end, in);
}

static void write_beside(void)
{
	if (!beside || rng_below(&rng, 2))
		return;
	beside--;
	assert_int_equal(driver_step(own), 0);
	assert_int_equal(driver_drain(own), 0);
	if (!rng_below(&rng, 3) || !beside)
		assert_int_equal(driver_commit(own, false), 0);
}

/* What was compared already changes, and the root that it was read from is gone. */
static void overtake(const struct ship_owner *owner)
{
	u32 i, k;

	if (!overtakes || owner->state != SHIP_COMPARE || !owner->lba)
		return;
	overtakes = false;
	for (i = 0; i < 3; i++) {
		for (k = 0; k < 20; k++)
			assert_int_equal(driver_step(own), 0);
		assert_int_equal(driver_drain(own), 0);
		assert_int_equal(driver_commit(own, false), 0);
	}
}

/* One session of at most so many frames; the owner's state at its end. */
static enum ship_state talk(struct ship_source *from, struct image *to, u32 most)
{
	struct ship_owner *owner = calloc(1, sizeof(*owner));
	enum ship_state state;
	bool idle = false;
	int error = 0;

	nr_sent = 0;
	assert_int_equal(ship_owner_init(owner, from), 0);
	ship_owner_connected(owner);
	ship_replica_connected(&to->ship);
	begin(to_replica);
	begin(to_owner);
	while (!error && most && !idle && owner->state != SHIP_STOPPED) {
		write_beside();
		overtake(owner);
		error = ship_owner_step(owner);
		idle = !error && !owner->out.nr && !to->ship.out.nr && !beside;
		if (error > 0)
			error = 0;
		if (!error)
			error = deliver(&owner->out, to_replica, &most, &to->ship, take_replica);
		/* a refusal is heard */
		if (deliver(&to->ship.out, to_owner, &most, owner, take_owner))
			error = -EPROTO;
	}
	state = owner->state;
	to->ship.out.nr = 0;
	assert_int_equal(ship_replica_drop(&to->ship), 0);
	ship_owner_free(owner);
	free(owner);
	return state;
}

static struct ship_source source_of(struct disk *disk, struct triad_hash *hash)
{
	return (struct ship_source) {
		.store = &disk->store, .hash = hash, .sums = hash, .device_blocks = disk_blocks,
	};
}

static struct ship_source first_owner(void)
{
	return source_of(&a->disk, &a->driver.hash);
}

static struct ship_source new_owner(void)
{
	return source_of(&r.disk, &r.hash);
}

/* ---- both hold the same ------------------------------------------------------------------------ */

static void same(struct triad_core *x, struct triad_core *y)
{
	u64 sum[2][2], nr[2];

	assert_int_equal(content_sum(x, TRIAD_CHECKSUM_XXH64, sum[0], &nr[0]), 0);
	assert_int_equal(content_sum(y, TRIAD_CHECKSUM_XXH64, sum[1], &nr[1]), 0);
	assert_int_equal(nr[0], nr[1]);
	assert_memory_equal(sum[0], sum[1], sizeof(sum[0]));
}

/* ---- a history ----------------------------------------------------------------------------------- */

static void close_own(void)
{
	if (!own)
		return;
	driver_free(own);
	oracle_free(&oracle);
	free(own);
	own = NULL;
}

static int setup(void **state)
{
	(void)state;
	a = device_create(LBAS);
	rng.state = a->rng.state = 5;
	to_replica = calloc(1, sizeof(*to_replica));
	to_owner = calloc(1, sizeof(*to_owner));
	make(&r);
	make(&s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_own();
	unserve(&r);
	unserve(&s);
	free(r.disk.view);
	free(s.disk.view);
	free(to_replica);
	free(to_owner);
	device_destroy(a);
	return 0;
}

static void first_owner_writes(u32 nr)
{
	device_steps(a, nr);
	assert_int_equal(driver_commit(&a->driver, false), 0);
}

static void replicate(struct image *to)
{
	struct ship_source from = first_owner();

	serve(to);
	assert_int_equal(talk(&from, to, 1000000), SHIP_LOG);
	unserve(to);
}

/* The replica becomes the device, and is written to. */
static void take_over(u32 nr)
{
	assert_int_equal(open_core(&r, true), 0);
	assert_int_equal(replica_seal(&r.core, r.core.root.epoch + 1), 0);
	assert_int_equal(replica_promote(&r.core), 0);
	triad_core_close(&r.core);
	assert_int_equal(open_core(&r, false), 0);
	assert_int_equal(check_read(&r.core, &r.disk, a->content), 0);
	triad_core_close(&r.core);
	oracle_init(&oracle, LBAS, a->content);
	own = calloc(1, sizeof(*own));
	driver_init(own, &r.disk, &rng, &a->load);
	own->oracle = &oracle;
	assert_int_equal(driver_open(own, true), 0);
	while (nr--)
		assert_int_equal(driver_step(own), 0);
	assert_int_equal(driver_drain(own), 0);
	assert_int_equal(driver_commit(own, false), 0);
}

/* What was the device lies in s, and is no device any more.  lost: its current root was. */
static void come_back(bool lost)
{
	unsigned int slot = a->driver.core.slot_c;

	driver_close(&a->driver);
	memcpy(s.disk.view, a->disk.view, disk_blocks * sizeof(u32));
	if (lost)
		s.disk.view[TRIAD_SLOT_PBA(slot)] = content_value(0);
	assert_int_equal(open_core(&s, false), 0);
	assert_int_equal(replica_demote(&s.core), 0);
	triad_core_close(&s.core);
	assert_int_equal(open_core(&s, false), 0);
	assert_true(triad_root_is_replica(&s.core.root));
	triad_core_close(&s.core);
}

static void holds_the_same(struct image *im)
{
	unserve(im);
	close_own();
	assert_int_equal(open_core(&r, false), 0);
	assert_int_equal(open_core(im, false), 0);
	same(&r.core, &im->core);
	assert_true(triad_root_is_replica(&im->core.root));
	assert_memory_equal(im->core.root.origin.uuid, r.core.root.uuid, TRIAD_UUID_SIZE);
	assert_int_equal(im->core.root.epoch, r.core.root.epoch);
	triad_core_close(&im->core);
	triad_core_close(&r.core);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

static void what_differs_is_sent_and_no_more(void **state)
{
	struct ship_source from = new_owner();

	(void)state;
	assert_int_equal(driver_fill(&a->driver, 0, 250), 0);
	assert_int_equal(driver_fill(&a->driver, 300, 250), 0);
	first_owner_writes(30);
	replicate(&r);
	device_write(a, 700, 3);
	first_owner_writes(0);
	take_over(3);
	come_back(false);
	serve(&s);
	assert_int_equal(talk(&from, &s, 1000000), SHIP_LOG);
	assert_in_range(nr_sent, 1, 63);
	holds_the_same(&s);
}

static void it_is_brought_on_however_often_it_is_cut_short(void **state)
{
	struct ship_source from = new_owner();
	u32 round;

	(void)state;
	for (round = 0; round < SOME(24); round++) {
		u32 cuts = 0;

		if (round) {
			teardown(NULL);
			setup(NULL);
		}
		rng.state = a->rng.state = 100 + round;
		first_owner_writes(10 + rng_below(&rng, 60));
		replicate(&r);
		first_owner_writes(rng_below(&rng, 60));
		take_over(rng_below(&rng, 60));
		beside = rng_below(&rng, 2) * rng_below(&rng, 100);
		come_back(false);
		serve(&s);
		while (talk(&from, &s, 1 + 4 * cuts + rng_below(&rng, 12)) != SHIP_LOG ||
		       memcmp(s.core.root.origin.uuid, s.core.root.uuid, TRIAD_UUID_SIZE) == 0)
			assert_true(++cuts < 200);
		assert_int_equal(talk(&from, &s, 1000000), SHIP_LOG);
		holds_the_same(&s);
	}
}

/* Its last root did not outlive the crash: what it wrote since has births that were there before. */
static void its_current_root_was_lost(void **state)
{
	struct ship_source from = new_owner();

	(void)state;
	first_owner_writes(30);
	replicate(&r);
	device_write(a, 700, 3);
	device_write(a, 900, 5);
	assert_int_equal(driver_flush(&a->driver), 0);
	take_over(10);
	come_back(true);
	serve(&s);
	assert_int_equal(talk(&from, &s, 1000000), SHIP_LOG);
	holds_the_same(&s);
}

/* Until something was received it can be undone, and what only it held is there. */
static void a_device_again(void **state)
{
	struct ship_source from = new_owner();
	int was;

	(void)state;
	first_owner_writes(30);
	replicate(&r);
	first_owner_writes(30);
	was = device_state(a);
	take_over(10);
	come_back(false);
	serve(&s);
	assert_int_equal(talk(&from, &s, 6), SHIP_DIFFERENCE);
	unserve(&s);
	assert_int_equal(open_core(&s, true), 0);
	assert_int_equal(replica_promote(&s.core), 0);
	triad_core_close(&s.core);
	assert_int_equal(open_core(&s, false), 0);
	assert_false(triad_root_is_replica(&s.core.root));
	assert_int_equal(check_read(&s.core, &s.disk, a->content), 0);
	triad_core_close(&s.core);
	assert_int_equal(oracle_find(&a->oracle, was, a->oracle.nr,
				     oracle_hash_content(a->content, a->oracle.nr_lbas)), was);
}

static void a_cut_leaves_the_one_or_the_other(void **state)
{
	struct image cut = { .served = false };
	u32 nr_replicas = 0, nr_devices = 0, i;
	struct cutter cutter;
	struct trace trace;
	u64 old;
	bool more;

	(void)state;
	first_owner_writes(30);
	device_steps(a, 20);
	assert_int_equal(driver_flush(&a->driver), 0);
	old = oracle_hash(&a->oracle, device_state(a));
	driver_close(&a->driver);
	memcpy(s.disk.view, a->disk.view, disk_blocks * sizeof(u32));
	disk_init(&cut.disk, disk_new_view(), &rng);
	trace_init(&trace, s.disk.view);
	s.disk.trace = &trace;
	assert_int_equal(open_core(&s, false), 0);
	assert_int_equal(replica_demote(&s.core), 0);
	triad_core_close(&s.core);
	s.disk.trace = NULL;
	cutter_init(&cutter, &trace);
	do {
		more = cutter_step(&cutter);
		if (!more)
			cutter_complete(&cutter);
		for (i = 0; i < 5; i++) {
			cutter_random(&cutter, &rng, cut.disk.view);
			assert_int_equal(open_core(&cut, false), 0);
			assert_int_equal(check_read(&cut.core, &cut.disk, a->content), 0);
			assert_true(oracle_hash_content(a->content, a->oracle.nr_lbas) == old);
			*(triad_root_is_replica(&cut.core.root) ? &nr_replicas : &nr_devices) += 1;
			triad_core_close(&cut.core);
		}
	} while (more);
	cutter_free(&cutter);
	trace_free(&trace);
	free(cut.disk.view);
	assert_true(nr_replicas > 5 && nr_devices > 5);
}

/* Another replica, which is before, at or behind where the one that took over was. */
static enum ship_state another_replica(int further, u32 most)
{
	struct ship_source from = new_owner();

	assert_int_equal(driver_fill(&a->driver, 0, 250), 0);
	assert_int_equal(driver_fill(&a->driver, 800, 100), 0);
	first_owner_writes(30);
	if (further < 0)
		replicate(&s);
	first_owner_writes(20);
	replicate(&r);
	if (further > 0)
		first_owner_writes(5);
	if (further >= 0)
		replicate(&s);
	take_over(10);
	beside = most == ALL ? 0 : 40;
	serve(&s);
	return talk(&from, &s, most);
}

static void another_replica_that_was_as_far_goes_on(void **state)
{
	(void)state;
	assert_int_equal(another_replica(0, ALL), SHIP_LOG);
	holds_the_same(&s);
}

static void another_replica_that_was_behind_is_compared(void **state)
{
	(void)state;
	assert_int_equal(another_replica(-1, ALL), SHIP_LOG);
	/* of chunks that differ, and of what was written since */
	assert_in_range(nr_sent, 1, 1500);
	holds_the_same(&s);
}

static void what_changes_while_it_is_compared_is_sent(void **state)
{
	(void)state;
	overtakes = true;
	assert_int_equal(another_replica(-1, ALL), SHIP_LOG);
	assert_false(overtakes);
	holds_the_same(&s);
}

static void also_when_it_is_cut_short_and_written_beside(void **state)
{
	struct ship_source from = new_owner();
	u32 most, cuts = 0;

	(void)state;
	for (most = 1; another_replica(-1, most) != SHIP_LOG; most++) {
		cuts++;
		/* it is what it was, or what it is to be */
		while (talk(&from, &s, rng_below(&rng, 20) + 5 * cuts) != SHIP_LOG)
			assert_true(++cuts < 1000);
		assert_int_equal(talk(&from, &s, ALL), SHIP_LOG);
		holds_the_same(&s);
		teardown(NULL);
		setup(NULL);
		rng.state = a->rng.state = 900 + most;
		if (most > SOME(12))
			break;
	}
	assert_true(cuts > 10);
}

static void what_is_alike_is_not_sent(void **state)
{
	struct ship_source from = new_owner();
	u32 lba;

	(void)state;
	for (lba = 0; lba < LBAS; lba += 512)
		device_write(a, lba, 64);
	device_write(a, 7 * 64, 2);
	assert_int_equal(driver_commit(&a->driver, false), 0);
	replicate(&s);
	/* one chunk has data here alone, one on both sides, which differs */
	device_write(a, 3 * 64 + 9, 1);
	device_write(a, 7 * 64 + 2, 1);
	assert_int_equal(driver_commit(&a->driver, false), 0);
	replicate(&r);
	take_over(0);
	serve(&s);
	assert_int_equal(talk(&from, &s, ALL), SHIP_LOG);
	assert_int_equal(nr_sent, 4);
	holds_the_same(&s);
}

/* What it holds beyond, whoever took over has emptied. */
static void what_is_there_alone_is_emptied(void **state)
{
	struct ship_source from = new_owner();
	u32 i;

	(void)state;
	for (i = 0; i < LBAS; i += 64)
		device_write(a, i, 60);
	assert_int_equal(driver_commit(&a->driver, false), 0);
	replicate(&s);
	a->load.max_discard = LBAS;
	for (i = 0; i < 12; i++)
		assert_int_equal(driver_discard(&a->driver), 0);
	assert_int_equal(driver_drain(&a->driver), 0);
	assert_int_equal(driver_commit(&a->driver, false), 0);
	replicate(&r);
	take_over(0);
	serve(&s);
	assert_int_equal(talk(&from, &s, ALL), SHIP_LOG);
	holds_the_same(&s);
}

static void another_replica_that_is_further_is_left_alone(void **state)
{
	struct triad_origin was;

	(void)state;
	assert_int_equal(another_replica(1, ALL), SHIP_STOPPED);
	was = s.core.root.origin;
	assert_memory_equal(was.uuid, a->driver.core.root.uuid, TRIAD_UUID_SIZE);
	assert_int_equal(s.core.root.epoch, 0);
}

/* Somebody else's device does not get in, whatever it says of itself. */
static void only_who_grew_out_of_it(void **state)
{
	struct ship_source from = new_owner();
	struct triad_root other = { .epoch = 9 };

	(void)state;
	first_owner_writes(30);
	replicate(&r);
	take_over(10);
	come_back(false);
	close_own();
	assert_int_equal(open_core(&r, false), 0);
	other.origin = r.core.root.origin;
	other.origin.uuid[3] ^= 1;
	r.core.stamp = &other;
	assert_int_equal(triad_commit_alone(&r.core, false), 0);
	triad_core_close(&r.core);
	serve(&s);
	assert_int_equal(talk(&from, &s, 1000000), SHIP_STOPPED);
	assert_int_equal(s.core.root.epoch, 0);
}

/* As if it had gone on before the place that the other one knows: the sum finds it. */
static void a_history_that_does_not_fit_is_refused(void **state)
{
	struct ship_source from = new_owner();
	struct triad_root early = { .epoch = 1 };
	struct triad_origin was;

	(void)state;
	first_owner_writes(30);
	replicate(&r);
	first_owner_writes(30);
	take_over(10);
	come_back(false);
	close_own();
	assert_int_equal(open_core(&r, false), 0);
	early.origin = r.core.root.origin;
	early.origin.generation = s.core.root.generation;
	r.core.stamp = &early;
	assert_int_equal(triad_commit_alone(&r.core, false), 0);
	triad_core_close(&r.core);
	serve(&s);
	was = s.core.root.origin;
	assert_int_not_equal(talk(&from, &s, 1000000), SHIP_LOG);
	assert_true(triad_origin_same(&was, &s.core.root.origin));
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_differs_is_sent_and_no_more),
		TEST(it_is_brought_on_however_often_it_is_cut_short),
		TEST(its_current_root_was_lost),
		TEST(a_device_again),
		TEST(a_cut_leaves_the_one_or_the_other),
		TEST(another_replica_that_was_as_far_goes_on),
		TEST(another_replica_that_was_behind_is_compared),
		TEST(what_changes_while_it_is_compared_is_sent),
		TEST(also_when_it_is_cut_short_and_written_beside),
		TEST(what_is_alike_is_not_sent),
		TEST(what_is_there_alone_is_emptied),
		TEST(another_replica_that_is_further_is_left_alone),
		TEST(only_who_grew_out_of_it),
		TEST(a_history_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
