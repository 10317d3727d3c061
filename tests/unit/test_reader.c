// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "reader.h"
#include "record.h"

#define BLOCKS	2000u		/* of the disk; some look like headers */
#define KIND	TRIAD_CHECKSUM_XXH64

struct fixture {
	struct disk disk;
	struct rng rng;
	struct triad_reader reader;
	struct triad_store_ops ops;
};

static struct { u64 bad, nr_blocks, most; int error; } medium;
static const struct triad_store_ops *under;

static int read_some(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	medium.nr_blocks += nr;
	medium.most = medium.most > nr ? medium.most : nr;
	if (medium.bad >= pba && medium.bad < pba + nr) {
		memset(buf, 0xee, nr * TRIAD_BLOCK_SIZE);
		return medium.error;
	}
	return under->read(store, pba, nr, buf);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	u64 words[TRIAD_BLOCK_SIZE / 8];
	u32 pba, i;

	content_release(0);
	f->rng.state = 1;
	disk_init(&f->disk, disk_new_view(), &f->rng);
	for (pba = 0; pba < BLOCKS; pba++) {
		for (i = 0; i < TRIAD_BLOCK_SIZE / 8; i++)
			words[i] = rng_next(&f->rng);
		if (pba % 5 == 0)
			words[0] = cpu_to_le64(TRIAD_RECORD_MAGIC);
		f->disk.view[pba] = content_id(words);
	}
	under = f->disk.store.ops;
	f->ops = *under;
	f->ops.read = read_some;
	f->disk.store.ops = &f->ops;
	memset(&medium, 0, sizeof(medium));
	medium.bad = ~0ull;
	triad_reader_begin(&f->reader, &f->disk.store, BLOCKS);
	triad_reader_want_payload(&f->reader, KIND);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	triad_reader_end(&f->reader);
	assert_int_equal(f->disk.started, 0);
	assert_int_equal(test_alloc.live, 0);
	free(f->disk.view);
	free(f);
	return 0;
}

/* What is told of a block is true; whether it was summed. */
static bool check(struct fixture *f, u64 pba, bool goes_on)
{
	struct triad_block b = { 0 };
	u8 whole[TRIAD_BLOCK_SIZE];
	int r = triad_reader_get(&f->reader, pba, goes_on, &b);

	if (r == 1 && !goes_on)
		return false;
	assert_int_equal(r, 0);
	memcpy(whole, content_of(f->disk.view[pba]), sizeof(whole));
	assert_memory_equal(b.data, whole, sizeof(whole));
	if (b.csum)
		assert_int_equal(*b.csum, triad_checksum(KIND, whole));
	if (b.crc && triad_record_may_be(whole))
		assert_int_equal(*b.crc, triad_record_crc(whole));
	return b.csum;
}

static void a_walk_gets_what_lies_there_and_its_sums(void **state)
{
	struct fixture *f = *state;
	u64 pba, nr_summed = 0;

	for (pba = 3; pba < BLOCKS; pba++)
		nr_summed += check(f, pba, true);
	/* all but what it had to wait for anyway */
	assert_int_equal(nr_summed, BLOCKS - 3 - TRIAD_READER_FIRST);
	assert_int_equal(medium.nr_blocks, BLOCKS - 3);
	assert_int_equal(medium.most, TRIAD_READER_BLOCKS);
}

static void a_walk_that_jumps_gets_it_too(void **state)
{
	struct fixture *f = *state;
	u64 pba = 0;
	u32 i;

	for (i = 0; i < 5000; i++) {
		u32 what = rng_below(&f->rng, 100);

		if (what < 2)
			pba = rng_below(&f->rng, BLOCKS);
		else if (what < 5)
			pba += rng_below(&f->rng, 300);
		else if (what < 10)	/* a look ahead */
			check(f, rng_below(&f->rng, BLOCKS), false);
		else
			pba++;
		pba %= BLOCKS;
		check(f, pba, true);
		if (what == 99) {	/* another walk, which wants it or not */
			triad_reader_begin(&f->reader, &f->disk.store, BLOCKS);
			if (i % 2)
				triad_reader_want_payload(&f->reader, KIND);
		}
	}
}

static void little_is_read_where_a_walk_is_short(void **state)
{
	struct fixture *f = *state;

	check(f, 700, true);
	assert_int_equal(medium.nr_blocks, TRIAD_READER_FIRST);
	check(f, 100, true);
	assert_int_equal(medium.nr_blocks, 2 * TRIAD_READER_FIRST);
	/* looking ahead reads nothing */
	assert_false(check(f, 900, false));
	assert_int_equal(medium.nr_blocks, 2 * TRIAD_READER_FIRST);
}

/* Wherever it lies in what is read at once: the error is of this block alone. */
static void an_error_is_that_of_its_block(void **state)
{
	struct fixture *f = *state;
	struct triad_block b;
	u64 pba;

	medium.error = -EIO;
	for (medium.bad = 0; medium.bad < BLOCKS; medium.bad += 111) {
		triad_reader_begin(&f->reader, &f->disk.store, BLOCKS);
		triad_reader_want_payload(&f->reader, KIND);
		for (pba = 0; pba < BLOCKS; pba++) {
			if (pba == medium.bad)
				assert_int_equal(triad_reader_get(&f->reader, pba, true, &b), -EIO);
			else
				check(f, pba, true);
		}
	}
}

static void without_memory_for_more_it_reads_less_ahead(void **state)
{
	struct fixture *f = *state;
	u64 pba, fail_at;
	struct triad_block b;

	for (fail_at = 3; fail_at < 12; fail_at++) {
		triad_reader_end(&f->reader);
		test_alloc = (struct test_alloc){ .fail_at = fail_at, .forever = true };
		triad_reader_begin(&f->reader, &f->disk.store, BLOCKS);
		triad_reader_want_payload(&f->reader, KIND);
		for (pba = 0; pba < BLOCKS; pba++)
			check(f, pba, true);
	}
	triad_reader_end(&f->reader);
	test_alloc = (struct test_alloc){ .fail_at = 1, .forever = true };
	assert_int_equal(triad_reader_get(&f->reader, 0, true, &b), -ENOMEM);
	test_alloc.fail_at = 0;
}

/* As in the tool: nobody reads beside the walk, so nothing is read for later. */
static void alone_it_reads_no_further_than_it_must(void **state)
{
	struct fixture *f = *state;
	u64 pba;

	f->ops.start = NULL;
	for (pba = 0; pba < 500; pba++)
		check(f, pba, true);
	assert_in_range(medium.nr_blocks, 500, 500 + TRIAD_READER_BLOCKS);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_walk_gets_what_lies_there_and_its_sums),
		T(a_walk_that_jumps_gets_it_too),
		T(little_is_read_where_a_walk_is_short),
		T(an_error_is_that_of_its_block),
		T(without_memory_for_more_it_reads_less_ahead),
		T(alone_it_reads_no_further_than_it_must),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
