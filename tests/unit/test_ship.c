// SPDX-License-Identifier: GPL-2.0-or-later
/* What a session does not allow, whoever says it.  What it does, tests/sim shows. */
#include <stdio.h>

#include "check.h"
#include "content.h"
#include "device.h"
#include "ship.h"

/* its header has a disk of its own */
int writer_flush(struct writer *w);

#define LBAS	1024u

/* ---- a replica, and what somebody says to it ------------------------------------------------- */

struct replica {
	struct disk disk;
	struct rng rng;
	struct triad_hash hash;
	struct triad_core core;
	struct ship_replica ship;
	u32 *before;
};

static struct replica *r;
static struct ship_out said;		/* by the owner */
static struct stream_in *in, *answer;
static const struct triad_origin origin = {
	.uuid = { 7 }, .generation = 3, .state = "position 1",
};
static const struct triad_origin next = {
	.uuid = { 7 }, .generation = 3, .state = "position 2",
};

static int open_core(void)
{
	r->ship.core = &r->core;
	return image_open(&r->core, &r->disk, &r->hash, true);
}

static int reopen(struct ship_replica *ship)
{
	(void)ship;
	triad_core_close(&r->core);
	return open_core();
}

static int setup(void **state)
{
	struct triad_root root = {
		.incompat = TRIAD_INCOMPAT_REPLICA, .origin = origin, .epoch = 5,
	};

	(void)state;
	content_release(0);
	r = calloc(1, sizeof(*r));
	in = calloc(1, sizeof(*in));
	answer = calloc(1, sizeof(*answer));
	r->rng.state = 3;
	disk_init(&r->disk, disk_new_view(), &r->rng);
	image_format(&r->disk, &r->hash, &root, LBAS);
	assert_int_equal(ship_replica_init(&r->ship), 0);
	assert_int_equal(ship_out_init(&said), 0);
	r->ship.reopen = reopen;
	assert_int_equal(open_core(), 0);
	ship_replica_connected(&r->ship);
	stream_session(&said.stream);
	in->session = answer->session = true;
	r->before = disk_copy(disk_new_view(), r->disk.view);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ship_replica_free(&r->ship);
	triad_core_close(&r->core);
	ship_out_free(&said);
	free(r->disk.view);
	free(r->before);
	free(r);
	free(in);
	free(answer);
	assert_int_equal(test_alloc.live, 0);
	return 0;
}

/* All that was staged arrives; what the last frame came to. */
static int arrives(void)
{
	size_t at = 0, nr;
	int error = 0;

	while (at < said.nr && !error) {
		memcpy(in->frame, said.staged + at, sizeof(struct stream_header_disk));
		nr = stream_need(in, sizeof(struct stream_header_disk));
		memcpy(in->frame, said.staged + at, nr);
		error = stream_take(in);
		if (!error)
			error = ship_replica_frame(&r->ship, in);
		at += nr;
	}
	said.nr = 0;
	return error;
}

/* The frames of the answer; the last one's type. */
static enum stream_type answered(void)
{
	struct ship_out *out = &r->ship.out;
	size_t at = 0, nr;

	while (at < out->nr) {
		memcpy(answer->frame, out->staged + at, sizeof(struct stream_header_disk));
		nr = stream_need(answer, sizeof(struct stream_header_disk));
		memcpy(answer->frame, out->staged + at, nr);
		assert_int_equal(stream_take(answer), 0);
		at += nr;
	}
	out->nr = 0;
	return answer->type;
}

static void is_untouched(void)
{
	assert_memory_equal(r->before, r->disk.view, disk_blocks * sizeof(u32));
}

static int greets(u32 epoch, u8 uuid)
{
	struct stream_hello hello = { .uuid = { uuid }, .logical_blocks = LBAS, .epoch = epoch };

	assert_int_equal(stream_hello(&said.stream, &hello), 0);
	return arrives();
}

/* Another session begins. */
static void connects(void)
{
	ship_replica_connected(&r->ship);
	memset(in, 0, offsetof(struct stream_in, frame));
	memset(answer, 0, offsetof(struct stream_in, frame));
	in->session = answer->session = true;
	said.stream.number = 0;
}

static int begins_of(u8 uuid, const struct triad_origin *from, bool full)
{
	struct stream_begin begin = {
		.uuid = { uuid }, .logical_blocks = LBAS, .at = next, .is_full = full, .is_log = !full,
	};

	if (from)
		begin.from = *from;
	assert_int_equal(stream_begin(&said.stream, &begin), 0);
	return arrives();
}

static int begins(const struct triad_origin *from, bool full)
{
	return begins_of(7, from, full);
}

static void refuses(enum stream_refusal code)
{
	assert_int_equal(answered(), STREAM_REFUSE);
	assert_int_equal(answer->refuse.code, code);
	/* and hears no more of it */
	assert_int_equal(greets(5, 7), -EPROTO);
	is_untouched();
}

static void block(u64 lba)
{
	static u8 data[TRIAD_BLOCK_SIZE];

	memset(data, lba, sizeof(data));
	assert_int_equal(stream_block(&said.stream, lba, data), 0);
}

/* What a block that block() has put there holds, or 0. */
static u8 block_of(u32 lba)
{
	static u32 content[DISK_BLOCKS];

	assert_int_equal(check_read(&r->core, &r->disk, content), 0);
	return content_of(content[lba])[0];
}

/* A whole batch of one block. */
static void batch(const struct triad_origin *from, const struct triad_origin *to, u32 lba)
{
	struct stream_end end = { .to = *to };

	assert_int_equal(begins(from, false), 0);
	block(lba);
	assert_int_equal(stream_end(&said.stream, &end), 0);
	assert_int_equal(arrives(), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	assert_true(triad_origin_same(&answer->at, to));
}

/* One that is cut off when its block is there, and another session begins. */
static void half_a_batch(const struct triad_origin *from, u32 lba)
{
	assert_int_equal(begins(from, false), 0);
	block(lba);
	assert_int_equal(stream_flush(&said.stream), 0);
	assert_int_equal(arrives(), 0);
	assert_int_equal(writer_flush(r->ship.writer), 0);
	assert_int_equal(ship_replica_drop(&r->ship), 0);
	connects();
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
}

static struct triad_origin number(u32 nr)
{
	struct triad_origin at = origin;

	snprintf((char *)at.state, sizeof(at.state), "position %u", nr);
	return at;
}

static void a_batch_ends_with_an_arrival_and_is_acknowledged(void **state)
{
	u64 generation;

	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	assert_true(triad_origin_same(&answer->position.at, &origin));
	generation = r->core.root.generation;
	batch(&origin, &next, 5);
	assert_true(triad_origin_same(&r->core.origin, &next));
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(triad_origin_same(&r->core.origin, &next));
	assert_int_equal(block_of(5), 5);
	/* no root tells of it */
	assert_int_equal(r->core.root.generation, generation);
	assert_true(triad_origin_same(&r->core.root.origin, &origin));
}

/* Who was killed may have written it, and not flushed it. */
static void where_it_says_that_it_is_it_stays(void **state)
{
	struct trace trace;
	u32 i, nr_flushes = 0;

	(void)state;
	trace_init(&trace, r->disk.view);
	r->disk.trace = &trace;
	assert_int_equal(greets(5, 7), 0);
	for (i = 0; i < trace.nr; i++)
		nr_flushes += trace.ops[i].kind == DISK_FLUSH;
	assert_int_equal(nr_flushes, 1);
	r->disk.trace = NULL;
	trace_free(&trace);
}

/* A difference was cut short between its two commits. */
static void what_it_says_is_in_two_roots(void **state)
{
	struct triad_root stamp = r->core.root;

	(void)state;
	stamp.origin = next;
	r->core.stamp = &stamp;
	assert_int_equal(triad_commit_alone(&r->core, true), 0);
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(r->core.alone);
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	assert_true(triad_origin_same(&answer->position.at, &next));
	assert_false(r->core.alone);
	r->disk.view[TRIAD_SLOT_PBA(r->core.slot_c)] = 0;
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(triad_origin_same(&r->core.origin, &next));
}

static void an_arrival_without_blocks_is_one(void **state)
{
	struct stream_end end = { .to = next };

	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(begins(&origin, false), 0);
	assert_int_equal(stream_hole(&said.stream, 0, LBAS), 0);
	assert_int_equal(stream_end(&said.stream, &end), 0);
	assert_int_equal(arrives(), 0);
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(triad_origin_same(&r->core.origin, &next));
}

static void what_came_in_part_never_counts(void **state)
{
	struct triad_origin at = origin, to;
	u32 i, nr = 2 * TRIAD_MAX_COUNTED, lost;

	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	/* others come in its place, time and again */
	for (i = 0; i < nr; i++) {
		to = number(i + 2);
		batch(&at, &to, 20 + i);
		half_a_batch(&to, 60 + i);
		assert_true(triad_origin_same(&r->core.origin, &to));
		at = to;
	}
	/* also when c is lost, and b's log leads there */
	for (lost = 0; lost < 2; lost++) {
		if (lost)
			r->disk.view[TRIAD_SLOT_PBA(r->core.slot_c)] = 0;
		assert_int_equal(reopen(&r->ship), 0);
		assert_int_equal(r->core.degraded, lost);
		assert_true(triad_origin_same(&r->core.origin, &at));
		for (i = 0; i < nr; i++) {
			assert_int_equal(block_of(20 + i), 20 + i);
			assert_int_equal(block_of(60 + i), 0);
		}
	}
}

static void a_log_is_committed_before_it_is_long(void **state)
{
	struct triad_origin at = origin, to;
	u64 generation = 0;
	u32 i;

	(void)state;
	r->ship.log_blocks = 8;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	for (i = 0; i < 20; i++) {
		if (i == 1)
			generation = r->core.root.generation;
		to = number(i + 2);
		batch(&at, &to, 20 + i);
		at = to;
	}
	assert_int_equal(r->core.root.generation, generation + 2);
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(triad_origin_same(&r->core.origin, &at));
	for (i = 0; i < 20; i++)
		assert_int_equal(block_of(20 + i), 20 + i);
}

/* Two commits are to follow what came in part.  Cut behind the first, b's log leads over it. */
static void ranges_are_told_apart(void **state)
{
	struct triad_origin third = number(3);

	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	batch(&origin, &next, 5);
	half_a_batch(&next, 6);
	assert_int_equal(triad_commit_alone(&r->core, false), 0);
	assert_int_equal(reopen(&r->ship), 0);
	assert_int_equal(r->core.counted.open, 0);
	batch(&next, &third, 7);
	r->disk.view[TRIAD_SLOT_PBA(r->core.slot_c)] = 0;
	assert_int_equal(reopen(&r->ship), 0);
	assert_int_equal(r->core.counted.nr, 2);
	assert_true(triad_origin_same(&r->core.origin, &third));
	assert_int_equal(block_of(5), 5);
	assert_int_equal(block_of(6), 0);
	assert_int_equal(block_of(7), 7);
}

/* It follows from another position than the replica's: of a commit that is lost with its root. */
static void an_arrival_from_elsewhere_does_not_count(void **state)
{
	struct triad_origin third = number(3), fourth = number(4);
	struct triad_root stamp;

	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	batch(&origin, &next, 5);
	stamp = r->core.root;
	stamp.origin = third;
	r->core.stamp = &stamp;
	assert_int_equal(triad_commit_alone(&r->core, false), 0);
	r->core.stamp = NULL;
	batch(&third, &fourth, 7);
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(triad_origin_same(&r->core.origin, &fourth));
	r->disk.view[TRIAD_SLOT_PBA(r->core.slot_c)] = 0;
	assert_int_equal(reopen(&r->ship), 0);
	assert_true(triad_origin_same(&r->core.origin, &next));
	assert_int_equal(block_of(5), 5);
	assert_int_equal(block_of(7), 0);
}

static void what_is_in_the_log_is_sealed_with_it(void **state)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	int i, first;

	(void)state;
	assert_int_equal(greets(5, 7), 0);
	batch(&origin, &next, 5);
	assert_int_equal(ship_replica_seal(&r->ship, 6), 0);
	assert_int_equal(triad_core_probe(slots, &r->disk.store, &first), 0);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		assert_true(triad_origin_same(&slots[i].root.origin, &next));
	assert_int_equal(reopen(&r->ship), 0);
	assert_int_equal(block_of(5), 5);
}

static void what_is_in_the_log_is_promoted_with_it(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	batch(&origin, &next, 5);
	half_a_batch(&next, 6);
	assert_int_equal(replica_promote(&r->core), 0);
	assert_int_equal(reopen(&r->ship), 0);
	assert_false(triad_root_is_replica(&r->core.root));
	assert_memory_equal(r->core.origin.state, next.state, sizeof(next.state));
	assert_int_equal(block_of(5), 5);
	assert_int_equal(block_of(6), 0);
}

static void an_older_owner_is_fenced(void **state)
{
	(void)state;
	assert_int_equal(greets(4, 7), -EPERM);
	refuses(STREAM_REFUSE_FENCED);
	assert_int_equal(answer->refuse.epoch, 5);
}

static void a_newer_owner_fences_the_one_before(void **state)
{
	(void)state;
	assert_int_equal(greets(6, 7), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	assert_int_equal(r->core.root.epoch, 6);
	connects();
	assert_int_equal(greets(5, 7), -EPERM);
	assert_int_equal(r->ship.out.nr != 0, 1);
}

static void a_seal_outlives_every_root(void **state)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	int i, first;

	(void)state;
	assert_int_equal(ship_replica_seal(&r->ship, 6), 0);
	assert_int_equal(triad_core_probe(slots, &r->disk.store, &first), 0);
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		assert_int_equal(slots[i].state, TRIAD_SLOT_VALID);
		assert_int_equal(slots[i].root.epoch, 6);
		assert_true(triad_origin_same(&slots[i].root.origin, &origin));
	}
}

static void an_epoch_is_granted_once(void **state)
{
	(void)state;
	assert_int_equal(ship_replica_seal(&r->ship, 5), -EPERM);
	assert_int_equal(ship_replica_seal(&r->ship, 9), 0);
	assert_int_equal(ship_replica_seal(&r->ship, 9), -EPERM);
	assert_int_equal(ship_replica_seal(&r->ship, 8), -EPERM);
	assert_int_equal(r->core.root.epoch, 9);
	r->ship.core = NULL;
	assert_int_equal(ship_replica_seal(&r->ship, 10), -ENODATA);
	r->ship.core = &r->core;
}

static void a_seal_ends_what_is_under_way(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(begins(&origin, false), 0);
	block(5);
	assert_int_equal(stream_flush(&said.stream), 0);
	assert_int_equal(arrives(), 0);
	assert_int_equal(ship_replica_seal(&r->ship, 6), 0);
	assert_int_equal(answered(), STREAM_REFUSE);
	assert_int_equal(answer->refuse.code, STREAM_REFUSE_FENCED);
	assert_true(triad_origin_same(&r->core.origin, &origin));
	block(6);
	assert_int_equal(stream_flush(&said.stream), 0);
	assert_int_equal(arrives(), -EPROTO);
}

static void another_device_is_refused(void **state)
{
	(void)state;
	assert_int_equal(greets(6, 8), 0);
	assert_int_equal(answered(), STREAM_CREDIT);
	assert_int_equal(r->core.root.epoch, 5);
	assert_int_equal(begins_of(8, &origin, false), -EPERM);
	refuses(STREAM_REFUSE_HISTORY);
}

static void nobody_grew_out_of_another_device(void **state)
{
	struct triad_origin other = origin;

	(void)state;
	other.uuid[0] = 9;
	assert_int_equal(greets(6, 8), 0);
	assert_int_equal(stream_branched(&said.stream, &other), 0);
	assert_int_equal(arrives(), -EPERM);
	refuses(STREAM_REFUSE_HISTORY);
}

static void its_own_device_did_not_grow_out_of_it(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(stream_branched(&said.stream, &origin), 0);
	assert_int_equal(arrives(), -EPERM);
	refuses(STREAM_REFUSE_HISTORY);
}

static void nothing_comes_before_a_greeting(void **state)
{
	(void)state;
	assert_int_equal(begins(&origin, false), -EPROTO);
	refuses(STREAM_REFUSE_OTHER);
}

static void a_replica_is_not_begun_anew(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(begins(NULL, true), -EPERM);
	refuses(STREAM_REFUSE_HISTORY);
}

static void what_does_not_follow_is_refused(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	assert_int_equal(begins(&next, false), -EPERM);
	refuses(STREAM_REFUSE_HISTORY);
}

static void blocks_outside_of_a_stream_are_refused(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	block(5);
	in->begin.logical_blocks = LBAS;
	assert_int_equal(stream_flush(&said.stream), 0);
	assert_int_equal(arrives(), -EPROTO);
	refuses(STREAM_REFUSE_OTHER);
}

static void more_than_the_credit_is_refused(void **state)
{
	(void)state;
	assert_int_equal(greets(5, 7), 0);
	r->ship.credit = in->bytes + 100;
	assert_int_equal(begins(&origin, false), -EPROTO);
	refuses(STREAM_REFUSE_OTHER);
}

static void a_device_is_no_replica(void **state)
{
	(void)state;
	r->ship.core = NULL;
	r->ship.is_device = true;
	r->ship.device_epoch = 6;
	assert_int_equal(greets(5, 7), -EPERM);
	assert_int_equal(answered(), STREAM_REFUSE);
	assert_int_equal(answer->refuse.code, STREAM_REFUSE_FENCED);
	assert_int_equal(answer->refuse.epoch, 6);
	connects();
	assert_int_equal(greets(6, 7), -EPERM);
	is_untouched();
}

/* Whatever bytes come behind a greeting: an error, and the replica is what it was. */
static void noise_changes_nothing(void **state)
{
	struct rng rng = { 11 };
	u8 frame[sizeof(in->frame)];
	size_t nr, i;
	int round;

	(void)state;
	for (round = 0; round < 300; round++) {
		connects();
		assert_int_equal(greets(5, 7), 0);
		assert_int_equal(begins(&origin, false), 0);
		block(rng_below(&rng, LBAS));
		assert_int_equal(stream_hole(&said.stream, 3, 9), 0);
		assert_int_equal(stream_flush(&said.stream), 0);
		nr = min_t(size_t, said.nr, sizeof(frame));
		memcpy(frame, said.staged, nr);
		said.nr = 0;
		for (i = 0; i < 3; i++)
			frame[rng_below(&rng, nr)] ^= 1u << rng_below(&rng, 8);
		memcpy(in->frame, frame, nr);
		if (stream_need(in, sizeof(struct stream_header_disk)) <= (ssize_t)sizeof(in->frame) &&
		    stream_need(in, sizeof(struct stream_header_disk)) > 0 && !stream_take(in))
			ship_replica_frame(&r->ship, in);
		assert_int_equal(ship_replica_drop(&r->ship), 0);
		assert_true(triad_origin_same(&r->core.origin, &origin));
		r->ship.out.nr = 0;
	}
}

/* ---- an owner ---------------------------------------------------------------------------------- */

static struct device *d;

static int owner_setup(void **state)
{
	return device_setup_used((void **)&d) || (*state = d, 0);
}

static struct ship_source source(void)
{
	return (struct ship_source) {
		.store = &d->disk.store, .hash = &d->driver.hash, .device_blocks = disk_blocks,
	};
}

static void an_owner_believes_its_replica_nothing_that_it_did_not_send(void **state)
{
	struct ship_source from = source();
	struct ship_owner owner;
	struct stream_in *said_to = calloc(1, sizeof(*said_to));

	(void)state;
	assert_int_equal(ship_owner_init(&owner, &from), 0);
	ship_owner_connected(&owner);
	said_to->type = STREAM_POSITION;
	assert_int_equal(ship_owner_frame(&owner, said_to), -EPROTO);
	assert_int_equal(ship_owner_step(&owner), 0);
	assert_int_equal(owner.state, SHIP_GREETED);
	said_to->type = STREAM_ACK;
	assert_int_equal(ship_owner_frame(&owner, said_to), -EPROTO);
	said_to->type = STREAM_BEGIN;
	assert_int_equal(ship_owner_frame(&owner, said_to), -EPROTO);
	ship_owner_free(&owner);
	free(said_to);
}

static void a_replica_that_is_ahead_is_left_alone(void **state)
{
	struct ship_source from = source();
	struct stream_in *said_to = calloc(1, sizeof(*said_to));
	struct ship_owner owner;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct stream_position *position = &said_to->position;

		assert_int_equal(ship_owner_init(&owner, &from), 0);
		ship_owner_connected(&owner);
		assert_int_equal(ship_owner_step(&owner), 0);
		said_to->type = STREAM_CHANGED;
		assert_int_equal(ship_owner_frame(&owner, said_to), -EPROTO);
		said_to->type = STREAM_POSITION;
		*position = (struct stream_position) {
			.kind = STREAM_KIND_WHOLE, .batch_blocks = 1, .logical_blocks = 1 << 20,
		};
		assert_int_equal(replica_position(&d->driver.core, &position->at), 0);
		if (i == 0)
			position->at.generation += 5;
		else if (i == 1)
			position->at.state[0] ^= 1;	/* of this root, and nowhere behind it */
		else
			position->at.uuid[0] ^= 1;
		assert_int_equal(ship_owner_frame(&owner, said_to), 0);
		assert_true(ship_owner_step(&owner) >= 0);
		assert_int_equal(owner.state, SHIP_STOPPED);
		ship_owner_free(&owner);
	}
	free(said_to);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define OWNER(f)	cmocka_unit_test_setup_teardown(f, owner_setup, device_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_batch_ends_with_an_arrival_and_is_acknowledged),
		TEST(where_it_says_that_it_is_it_stays),
		TEST(what_it_says_is_in_two_roots),
		TEST(an_arrival_without_blocks_is_one),
		TEST(what_came_in_part_never_counts),
		TEST(a_log_is_committed_before_it_is_long),
		TEST(ranges_are_told_apart),
		TEST(an_arrival_from_elsewhere_does_not_count),
		TEST(what_is_in_the_log_is_sealed_with_it),
		TEST(what_is_in_the_log_is_promoted_with_it),
		TEST(an_older_owner_is_fenced),
		TEST(a_newer_owner_fences_the_one_before),
		TEST(a_seal_outlives_every_root),
		TEST(a_seal_ends_what_is_under_way),
		TEST(an_epoch_is_granted_once),
		TEST(another_device_is_refused),
		TEST(nobody_grew_out_of_another_device),
		TEST(its_own_device_did_not_grow_out_of_it),
		TEST(nothing_comes_before_a_greeting),
		TEST(a_replica_is_not_begun_anew),
		TEST(what_does_not_follow_is_refused),
		TEST(blocks_outside_of_a_stream_are_refused),
		TEST(more_than_the_credit_is_refused),
		TEST(a_device_is_no_replica),
		TEST(noise_changes_nothing),
		OWNER(an_owner_believes_its_replica_nothing_that_it_did_not_send),
		OWNER(a_replica_that_is_ahead_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
