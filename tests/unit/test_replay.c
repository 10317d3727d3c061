// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

#define RECORDS	6u

/* Six records of four blocks; a flush behind the third is known from the fourth on. */
struct fixture {
	struct device *d;
	struct triad_record rec[RECORDS + 2];
	u32 nr;
};

static int keep(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct fixture *f = context;

	(void)core;
	assert_true(f->nr < RECORDS + 2);
	f->rec[f->nr++] = *rec;
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	u64 nr, durable;
	u32 i;

	f->d = device_create(512);
	for (i = 0; i < RECORDS; i++) {
		device_write(f->d, 10 * i, 4);
		if (i == 2)
			assert_int_equal(driver_flush(&f->d->driver), 0);
	}
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_int_equal(triad_replay_walk(&f->d->driver.core, &nr, &durable, keep, f), 0);
	assert_int_equal(nr, RECORDS + 1);
	assert_true(f->rec[0].flags & TRIAD_RECORD_OPENING);
	/* f->rec[n] is the n-th record from here on, with sequence number n + 1 */
	assert_int_equal(f->rec[3].seq, 4);
	assert_int_equal(durable, 4);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	device_destroy(f->d);
	free(f);
	return 0;
}

static void rot(struct fixture *f, u64 pba)
{
	f->d->disk.view[pba] = content_rotten(&f->d->rng);
	assert_int_equal(device_reopen(f->d, false), 0);
}

static u32 nr_errors(struct fixture *f)
{
	u32 i, n = 0;

	assert_int_equal(check_read(&f->d->driver.core, &f->d->disk, f->d->content), 0);
	for (i = 0; i < 512; i++)
		n += f->d->content[i] == CONTENT_ERROR;
	return n;
}

static void the_whole_log_is_loaded_and_nothing_is_written(void **state)
{
	struct fixture *f = *state;
	u64 writes = f->d->disk.nr_writes, flushes = f->d->disk.nr_flushes;
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(device_reopen(f->d, true), 0);
		assert_int_equal(f->d->driver.core.replayed_records, RECORDS + 1);
		assert_int_equal(f->d->driver.core.replayed_blocks, 4 * RECORDS);
		assert_int_equal(device_state(f->d), RECORDS);
		device_check(f->d);
	}
	assert_int_equal(f->d->disk.nr_writes, writes);
	assert_int_equal(f->d->disk.nr_flushes, flushes);
}

static void rot_before_the_mark_costs_that_block_only(void **state)
{
	struct fixture *f = *state;

	rot(f, f->rec[2].runs[0].start + 1);
	assert_int_equal(f->d->driver.core.replayed_records, RECORDS + 1);
	assert_int_equal(nr_errors(f), 1);
	assert_int_equal(f->d->content[11], CONTENT_ERROR);
}

static void a_tear_behind_the_mark_ends_the_log_there(void **state)
{
	struct fixture *f = *state;

	rot(f, f->rec[5].runs[0].start);
	assert_int_equal(f->d->driver.core.replayed_records, 5);
	assert_int_equal(nr_errors(f), 0);
	assert_int_equal(device_state(f->d), 4);
	assert_int_equal(f->d->driver.core.space.next, f->rec[5].place);
}

static void a_rotten_header_ends_the_log_there(void **state)
{
	struct fixture *f = *state;

	rot(f, f->rec[2].place);
	assert_int_equal(f->d->driver.core.replayed_records, 2);
	assert_int_equal(device_state(f->d), 1);
}

static void rot_in_a_flushed_header_is_told_from_a_tear(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	u32 whole, i;

	assert_int_equal(core->log_end, TRIAD_LOG_CLEAN);
	for (i = 0; i <= RECORDS; i++) {
		whole = f->d->disk.view[f->rec[i].place];
		rot(f, f->rec[i].place);
		/* record 4 is the last that a later one calls durable */
		assert_int_equal(triad_core_lost_log(core), i < 4);
		assert_int_equal(triad_core_must_not_write(core), i < 4);
		f->d->disk.view[f->rec[i].place] = whole;
	}
	rot(f, f->rec[RECORDS].runs[0].start);
	assert_int_equal(core->log_end, TRIAD_LOG_TORN_DATA);
}

/*
 * The only header that calls rotten payload durable is that of a torn record, and the
 * next session's opening record is written over it: whatever is left of the two.
 */
static void a_torn_opening_keeps_the_durable_mark(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	u32 *header, before, after, sectors;
	u64 flushed, place;

	assert_int_equal(triad_log_start(core), 0);
	flushed = core->space.next;
	device_write(f->d, 100, 1);
	assert_int_equal(driver_flush(&f->d->driver), 0);
	place = core->space.next;
	device_write(f->d, 200, 128);	/* its checksums fill more than one sector */
	rot(f, flushed + 1);
	rot(f, place + 1);
	assert_int_equal(core->replayed_records, RECORDS + 3);
	assert_int_equal(nr_errors(f), 1);
	header = &f->d->disk.view[place];
	before = *header;
	assert_int_equal(triad_log_start(core), 0);
	after = *header;
	assert_int_not_equal(after, before);
	for (sectors = 0; sectors < 256; sectors++) {
		*header = content_mix(before, after, sectors);
		assert_int_equal(device_reopen(f->d, false), 0);
		assert_in_range(core->replayed_records, RECORDS + 3, RECORDS + 4);
		assert_int_equal(nr_errors(f), 1);
		assert_int_equal(f->d->content[100], CONTENT_ERROR);
	}
}

static void what_lay_behind_a_stop_never_comes_back(void **state)
{
	struct fixture *f = *state;
	u64 payload = f->rec[5].runs[0].start;
	u32 whole = f->d->disk.view[payload], seq;

	rot(f, payload);
	oracle_truncate(&f->d->oracle, 4);
	assert_int_equal(triad_log_start(&f->d->driver.core), 0);
	seq = f->d->driver.core.next_seq;
	/* the torn payload turns up again, as late as can be */
	f->d->disk.view[payload] = whole;
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_int_equal(f->d->driver.core.next_seq, seq);
	assert_int_equal(device_state(f->d), 4);
}

/* Equal openings in equal places would lead on into the log of before. */
static void what_lay_behind_a_rotten_opening_never_comes_back(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;

	rot(f, f->rec[0].place);
	assert_int_equal(core->replayed_records, 0);
	oracle_truncate(&f->d->oracle, 0);
	assert_int_equal(triad_log_start(core), 0);
	/* the same place, and the same next one: only the nonce differs */
	assert_int_equal(core->space.next, f->rec[0].next);
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_int_equal(core->replayed_records, 1);
	assert_int_equal(device_state(f->d), 0);
}

/*
 * The log ends at a header of which one sector was lost.  The opening record is
 * written over it: torn, it must not bring the missing sector.
 */
static void a_torn_opening_completes_no_record(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	u32 *header = &f->d->disk.view[f->rec[RECORDS].place];
	u32 whole = *header, lost, before, after, sectors;

	for (lost = 0; lost < 8; lost++) {
		before = content_mix(whole, content_rotten(&f->d->rng), 1u << lost);
		*header = before;
		assert_int_equal(device_reopen(f->d, false), 0);
		assert_int_equal(core->replayed_records, RECORDS);
		assert_int_equal(triad_log_start(core), 0);
		after = *header;
		for (sectors = 0; sectors < 255; sectors++) {
			*header = content_mix(before, after, sectors);
			assert_int_equal(device_reopen(f->d, false), 0);
			assert_int_equal(core->replayed_records, RECORDS);
		}
	}
}

static void an_empty_pointer_is_not_trusted(void **state)
{
	struct fixture *f = *state;
	struct triad_root root = f->d->driver.core.root;
	u8 block[TRIAD_BLOCK_SIZE];

	assert_int_not_equal(root.segment, 0);
	root.segment = 0;
	assert_int_equal(triad_root_seal(&root, &f->d->driver.hash, block), 0);
	f->d->disk.view[TRIAD_SLOT_PBA(root.slot)] = content_id(block);
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_int_equal(device_state(f->d), RECORDS);
}

/* Reads of one block fail with an error; all others are good. */
struct picky {
	struct triad_store store;
	struct triad_store *under;
	u64 bad;
	int error;
	u64 nr_blocks;		/* read */
	u64 nr_bad;
};

static int picky_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct picky *p = (struct picky *)store;

	p->nr_blocks += nr;
	if (p->bad >= pba && p->bad < pba + nr) {
		p->nr_bad++;
		return p->error;
	}
	return p->under->ops->read(p->under, pba, nr, buf);
}

static int picky_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	struct picky *p = (struct picky *)store;

	return p->under->ops->read_root(p->under, slot, buf);
}

static void picky_start(struct triad_store *store, struct triad_job *job)
{
	struct picky *p = (struct picky *)store;

	p->under->ops->start(p->under, job);
}

static void picky_wait(struct triad_store *store, struct triad_job *job)
{
	struct picky *p = (struct picky *)store;

	p->under->ops->wait(p->under, job);
}

static struct picky p;

static int open_with(struct fixture *f, struct triad_core *core, u64 bad, int error)
{
	static const struct triad_store_ops ops = {
		.read = picky_read, .read_root = picky_read_root,
		.start = picky_start, .wait = picky_wait,
	};

	p = (struct picky){ { .ops = &ops }, &f->d->disk.store, bad, error, 0, 0 };
	memset(core, 0, sizeof(*core));
	core->store = &p.store;
	core->hash = &f->d->driver.hash;
	return triad_core_open(core, DISK_BLOCKS);
}

static void a_block_that_the_medium_lost_is_like_a_rotten_one(void **state)
{
	static struct triad_core core;
	struct fixture *f = *state;
	struct { u64 bad; u32 records; } cases[] = {
		{ f->rec[2].runs[0].start, RECORDS + 1 },	/* durable: kept */
		{ f->rec[5].runs[0].start, 5 },
		{ f->rec[2].place, 2 },
		{ f->rec[6].next, RECORDS + 1 },
	};
	u32 i;

	for (i = 0; i < 4; i++) {
		assert_int_equal(open_with(f, &core, cases[i].bad, -ENODATA), 0);
		assert_int_equal(core.replayed_records, cases[i].records);
		triad_core_close(&core);
	}
}

/* The way to a record that proves rot leads over a block that is lost, too. */
static void a_lost_block_hides_no_damage(void **state)
{
	static struct triad_core core;
	struct fixture *f = *state;

	rot(f, f->rec[2].place);
	assert_int_equal(f->d->driver.core.log_end, TRIAD_LOG_DAMAGED);
	assert_int_equal(open_with(f, &core, f->rec[2].place + 1, -ENODATA), 0);
	assert_int_equal(core.replayed_records, 2);
	assert_int_equal(core.log_end, TRIAD_LOG_DAMAGED);
	triad_core_close(&core);
}

static void other_read_errors_fail_the_opening(void **state)
{
	static struct triad_core core;
	struct fixture *f = *state;

	assert_int_equal(open_with(f, &core, f->rec[5].runs[0].start, -EIO), -EIO);
	assert_int_equal(open_with(f, &core, f->rec[2].place, -EIO), -EIO);
	assert_int_equal(open_with(f, &core, f->rec[6].next, -EIO), -EIO);
}

#define MANY	120u

/* A log longer than what is read at once, of which nothing was flushed but its beginning. */
static void lay_long(struct fixture *f, u32 nr_blocks)
{
	u32 i;

	for (i = 0; i < MANY; i++)
		device_write(f->d, i, nr_blocks);
	assert_int_equal(device_reopen(f->d, false), 0);
}

struct places {
	u64 header[MANY + RECORDS + 2], payload[MANY + RECORDS + 2];
	u32 nr;
};

static int note_places(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct places *at = context;

	(void)core;
	at->header[at->nr] = rec->place;
	at->payload[at->nr++] = rec->nr_runs ? rec->runs[rec->nr_runs - 1].start : 0;
	return 0;
}

static void the_log_is_read_once(void **state)
{
	static struct triad_core core;
	struct fixture *f = *state;
	struct triad_hash *hash = &f->d->driver.hash;
	u64 few, few_blocks;

	hash->nr = 0;
	assert_int_equal(open_with(f, &core, ~0ull, 0), 0);
	triad_core_close(&core);
	few = hash->nr;
	few_blocks = p.nr_blocks;
	lay_long(f, 4);
	hash->nr = 0;
	assert_int_equal(open_with(f, &core, ~0ull, 0), 0);
	triad_core_close(&core);
	assert_int_equal(hash->nr - few, 1 + MANY);
	/* and what was read ahead */
	assert_in_range(p.nr_blocks - few_blocks, 5 * MANY, 5 * MANY + TRIAD_READER_BLOCKS * TRIAD_READER_CHUNKS);
}

/* Their headers tell: the payload of large records that were flushed is not read. */
static void what_later_headers_call_durable_is_not_read(void **state)
{
	static struct triad_core core;
	struct fixture *f = *state;
	u64 pba, nr_blocks;
	u32 i;

	for (i = 0; i < 8; i++)
		device_write(f->d, i, 100);
	assert_int_equal(open_with(f, &core, ~0ull, 0), 0);
	nr_blocks = p.nr_blocks;
	triad_core_close(&core);
	assert_int_equal(driver_flush(&f->d->driver), 0);
	pba = f->d->driver.core.space.next - 1;
	device_write(f->d, 0, 1);
	assert_int_equal(open_with(f, &core, ~0ull, 0), 0);
	assert_int_equal(core.replayed_records, RECORDS + 2 + 9);
	assert_true(p.nr_blocks + 6 * 100 < nr_blocks);
	triad_core_close(&core);
	/* and does not end the log */
	rot(f, pba);
	assert_int_equal(f->d->driver.core.replayed_records, RECORDS + 2 + 9);
	assert_int_equal(nr_errors(f), 1);
}

/* What is read ahead of the walk lies behind the log's end, or is no block of its. */
static void an_error_of_a_read_ahead_fails_nothing(void **state)
{
	static struct triad_core core;
	struct fixture *f = *state;
	u64 end, bad, nr_bad = 0;

	lay_long(f, 4);
	end = f->d->driver.core.space.next;
	/* so far behind a damaged header the next one is looked for */
	for (bad = end + 2 * TRIAD_RECORD_MAX_BLOCKS + 1; bad < end + 1000; bad += 7) {
		assert_int_equal(open_with(f, &core, bad, -EIO), 0);
		assert_int_equal(core.replayed_records, RECORDS + 2 + MANY);
		assert_int_equal(core.space.next, end);
		triad_core_close(&core);
		nr_bad += p.nr_bad;
	}
	assert_true(nr_bad > 0);
	/* in the log it is an error, wherever it lies in what is read at once */
	for (bad = f->rec[5].place; bad < end; bad += 7)
		assert_int_equal(open_with(f, &core, bad, -EIO), -EIO);
}

static void a_tear_ends_a_long_log_wherever_it_is(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	static struct places at;
	u64 nr, durable;
	u32 i, whole;

	lay_long(f, 4);
	at.nr = 0;
	assert_int_equal(triad_replay_walk(core, &nr, &durable, note_places, &at), 0);
	assert_int_equal(nr, at.nr);
	for (i = RECORDS + 2; i < at.nr; i += 5) {
		whole = f->d->disk.view[at.payload[i]];
		rot(f, at.payload[i]);
		assert_int_equal(core->replayed_records, i);
		assert_int_equal(core->space.next, at.header[i]);
		f->d->disk.view[at.payload[i]] = whole;
		/* a header's crc, where its hash does not reach */
		whole = f->d->disk.view[at.header[i]];
		f->d->disk.view[at.header[i]] = content_mix(whole, content_rotten(&f->d->rng), 0x80);
		assert_int_equal(device_reopen(f->d, false), 0);
		assert_int_equal(core->replayed_records, i);
		f->d->disk.view[at.header[i]] = whole;
	}
	/* a flush, and a record behind it that tells, make rot of all these tears */
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_int_equal(triad_log_start(core), 0);
	device_write(f->d, 0, 1);
	for (i = RECORDS + 2; i < at.nr; i += 9) {
		whole = f->d->disk.view[at.payload[i]];
		rot(f, at.payload[i]);
		assert_int_equal(core->replayed_records, at.nr + 2);
		f->d->disk.view[at.payload[i]] = whole;
	}
}

/* How many entries it has is not known before its end. */
static void a_log_longer_than_an_interval_is_replayed(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	u32 max = core->active->max, nr, i;

	while (triad_log_room(core, 20, 20, 0))
		device_write(f->d, rng_below(&f->d->rng, 490), 20);
	/* a commit that never lands */
	triad_commit_freeze(core, false);
	for (i = 0; i < 30; i++)
		device_write(f->d, rng_below(&f->d->rng, 490), 20);
	nr = core->frozen->nr + core->active->nr;
	assert_true(nr > max);
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_int_equal(core->active->nr, nr);
	assert_int_equal(core->active->max, nr);
	assert_int_equal(oracle_hash(&f->d->oracle, device_state(f->d)),
			 oracle_hash(&f->d->oracle, f->d->oracle.nr));
	device_check(f->d);
}

static void an_error_of_visit_ends_the_walk(void **state)
{
	struct fixture *f = *state;
	struct triad_hash *hash = f->d->driver.core.hash;
	u64 nr, durable;

	f->nr = 0;
	hash->nr = 0;
	hash->fail_at = 3;
	assert_int_equal(triad_replay_walk(&f->d->driver.core, &nr, &durable, keep, f), -ENOMEM);
	hash->fail_at = 0;
	assert_int_equal(f->nr, 2);
}

static void a_damaged_log_of_b_makes_a_new_backup_first(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;

	assert_int_equal(driver_commit(&f->d->driver, false), 0);
	device_write(f->d, 3, 1);
	rot(f, f->rec[2].place);
	assert_true(core->degraded);
	assert_int_equal(core->slot_b, -1);
	assert_int_equal(triad_core_heal(core), 0);
	assert_int_equal(device_reopen(f->d, false), 0);
	assert_false(core->degraded);
	device_check(f->d);
}

/* The next instance opens what this one leaves; true if it finds all that was published. */
static bool is_found(struct fixture *f, const struct triad_position *published)
{
	f->d->driver.expected = published;
	assert_int_equal(device_reopen(f->d, false), 0);
	f->d->driver.expected = NULL;
	return !f->d->driver.fell_short;
}

static void what_was_published_is_found_by_the_next_instance(void **state)
{
	struct fixture *f = *state;
	struct triad_position published = f->d->driver.core.published;

	assert_int_equal(published.seq, f->rec[RECORDS].seq + 1);
	assert_true(is_found(f, &published));
	/* also behind a commit, and with its root lost */
	assert_int_equal(driver_commit(&f->d->driver, false), 0);
	device_write(f->d, 3, 1);
	published = f->d->driver.core.published;
	assert_true(is_found(f, &published));
	f->d->disk.view[TRIAD_SLOT_PBA(f->d->driver.core.slot_c)] = content_rotten(&f->d->rng);
	assert_true(is_found(f, &published));
}

static void a_log_that_is_shorter_falls_short(void **state)
{
	struct fixture *f = *state;
	struct triad_position published = f->d->driver.core.published;

	/* what was published and never flushed */
	f->d->disk.view[f->rec[RECORDS].place] = content_rotten(&f->d->rng);
	assert_false(is_found(f, &published));
}

static void payload_that_is_not_there_falls_short(void **state)
{
	struct fixture *f = *state;
	struct triad_position published = f->d->driver.core.published;

	f->d->disk.view[f->rec[5].runs[0].start] = content_rotten(&f->d->rng);
	assert_false(is_found(f, &published));
}

/* Flushed by the instance before, it is rot: nothing else is lost, and nothing old is read. */
static void payload_that_was_flushed_at_the_handover_is_not_looked_at(void **state)
{
	struct fixture *f = *state;
	struct triad_position published = f->d->driver.core.published;

	f->d->disk.view[f->rec[5].runs[0].start] = content_rotten(&f->d->rng);
	f->d->driver.expected_durable = true;
	assert_true(is_found(f, &published));
	assert_int_equal(nr_errors(f), 1);
	assert_int_equal(triad_order_mark(&f->d->driver.core.order), f->rec[RECORDS].seq);
	/* a log that was not this one is */
	published.chain[7] ^= 1;
	assert_false(is_found(f, &published));
	assert_int_equal(nr_errors(f), 0);
	assert_int_equal(triad_order_mark(&f->d->driver.core.order), 4);
}

/* Where the log ends is known then: the hash there stands for every header on the way. */
static void a_log_that_was_flushed_at_the_handover_is_read_once(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	struct triad_position published;
	u64 reads, slow, entries, records;
	u32 i;

	for (i = 0; i < 60; i++)
		device_write(f->d, 8 * i, 4);
	published = core->published;
	entries = core->active->nr;
	reads = f->d->disk.nr_reads;
	assert_true(is_found(f, &published));
	slow = f->d->disk.nr_reads - reads;
	records = core->replayed_records;
	f->d->driver.expected_durable = true;
	reads = f->d->disk.nr_reads;
	assert_true(is_found(f, &published));
	assert_true(f->d->disk.nr_reads - reads <= slow);
	assert_int_equal(core->replayed_records, records);
	assert_int_equal(core->active->nr, entries);
	device_check(f->d);
	/* a header that is not what it was, its crc or not, is in no log */
	for (i = 1; i <= RECORDS; i++) {
		u64 kept = f->d->disk.view[f->rec[i].place];

		f->d->disk.view[f->rec[i].place] = content_rotten(&f->d->rng);
		assert_false(is_found(f, &published));
		assert_int_equal(core->replayed_records, i);
		f->d->disk.view[f->rec[i].place] = kept;
	}
	assert_true(is_found(f, &published));
	device_check(f->d);
	/* one that goes on behind it is walked as ever */
	published = (struct triad_position){ .place = f->rec[5].next, .seq = f->rec[5].seq + 1 };
	memcpy(published.chain, f->rec[5].chain, sizeof(published.chain));
	is_found(f, &published);
	assert_int_equal(core->replayed_records, records);
	assert_int_equal(core->active->nr, entries);
}

static void another_log_of_the_same_length_falls_short(void **state)
{
	struct fixture *f = *state;
	struct triad_position published = f->d->driver.core.published;

	published.chain[7] ^= 1;
	assert_false(is_found(f, &published));
	published.chain[7] ^= 1;
	published.place++;
	assert_false(is_found(f, &published));
	published.place--;
	assert_true(is_found(f, &published));
}

/* A log that goes on behind it is another one's: nobody else may write. */
static void a_root_behind_what_was_published_falls_short(void **state)
{
	struct fixture *f = *state;
	struct triad_position published = f->d->driver.core.published;

	device_write(f->d, 3, 1);
	assert_int_equal(driver_commit(&f->d->driver, false), 0);
	assert_int_equal(driver_commit(&f->d->driver, true), 0);
	assert_false(is_found(f, &published));
}

/* After an error of the disk also what counts as durable is looked at. */
static void payload_below_the_mark_is_proven(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	u64 pba = f->rec[2].runs[0].start;
	u32 id = f->d->disk.view[pba];

	assert_int_equal(triad_core_prove(core), 0);
	rot(f, pba);
	assert_int_equal(triad_core_prove(core), -EBADMSG);
	f->d->disk.view[pba] = id;
	assert_int_equal(device_reopen(f->d, false), 0);
	/* between b and c, too */
	assert_int_equal(driver_commit(&f->d->driver, false), 0);
	assert_int_equal(triad_core_prove(core), 0);
	f->d->disk.view[pba] = content_rotten(&f->d->rng);
	assert_int_equal(triad_core_prove(core), -EBADMSG);
}

static void nodes_of_the_last_commit_are_proven(void **state)
{
	struct fixture *f = *state;
	struct triad_core *core = &f->d->driver.core;
	struct triad_ref leaf;
	u8 *block;

	assert_int_equal(driver_commit(&f->d->driver, false), 0);
	assert_int_equal(device_reopen(f->d, false), 0);
	block = (u8 *)content_of(f->d->disk.view[core->root.map.pba]);
	assert_int_equal(triad_map_entry(&core->geo, (void *)block, core->geo.map_depth - 1, 0, &leaf), 0);
	assert_int_equal(triad_core_prove(core), 0);
	f->d->disk.view[leaf.pba] = content_rotten(&f->d->rng);
	assert_int_equal(triad_core_prove(core), -EBADMSG);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_whole_log_is_loaded_and_nothing_is_written),
		T(rot_before_the_mark_costs_that_block_only),
		T(a_tear_behind_the_mark_ends_the_log_there),
		T(a_rotten_header_ends_the_log_there),
		T(rot_in_a_flushed_header_is_told_from_a_tear),
		T(a_torn_opening_keeps_the_durable_mark),
		T(what_lay_behind_a_stop_never_comes_back),
		T(what_lay_behind_a_rotten_opening_never_comes_back),
		T(a_torn_opening_completes_no_record),
		T(an_empty_pointer_is_not_trusted),
		T(a_block_that_the_medium_lost_is_like_a_rotten_one),
		T(a_lost_block_hides_no_damage),
		T(other_read_errors_fail_the_opening),
		T(the_log_is_read_once),
		T(what_later_headers_call_durable_is_not_read),
		T(an_error_of_a_read_ahead_fails_nothing),
		T(a_tear_ends_a_long_log_wherever_it_is),
		T(a_log_longer_than_an_interval_is_replayed),
		T(an_error_of_visit_ends_the_walk),
		T(a_damaged_log_of_b_makes_a_new_backup_first),
		T(what_was_published_is_found_by_the_next_instance),
		T(a_log_that_is_shorter_falls_short),
		T(payload_that_is_not_there_falls_short),
		T(a_log_that_was_flushed_at_the_handover_is_read_once),
		T(payload_that_was_flushed_at_the_handover_is_not_looked_at),
		T(another_log_of_the_same_length_falls_short),
		T(a_root_behind_what_was_published_falls_short),
		T(payload_below_the_mark_is_proven),
		T(nodes_of_the_last_commit_are_proven),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
