// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "index.h"

#define LBAS	(3u * 65536u + 512u)

static struct triad_geometry geo;

static int setup(void **state)
{
	const char *why;

	assert_int_equal(triad_geometry_init(&geo, 1 << 20, LBAS, 32256, 16, 0, &why), 0);
	*state = triad_index_create(4096, triad_alloc);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	triad_index_destroy(*state);
	assert_int_equal(test_alloc.live, 0);
	return 0;
}

static void assert_at(const struct triad_index *index, u64 lba, u64 pba, u32 csum)
{
	u64 got;
	u32 sum;

	assert_true(triad_index_lookup(index, lba, &got, &sum));
	assert_int_equal(got, pba);
	if (pba)
		assert_int_equal(sum, csum);
}

static void assert_unknown(const struct triad_index *index, u64 lba)
{
	u64 pba;
	u32 csum;

	assert_false(triad_index_lookup(index, lba, &pba, &csum));
}

static void the_newest_write_wins(void **state)
{
	struct triad_index *index = *state;

	assert_unknown(index, 5);
	assert_int_equal(triad_index_add(index, 5, 1000, 1), 0);
	assert_int_equal(triad_index_add(index, 6, 1001, 2), 0);
	assert_int_equal(triad_index_add(index, 5, 1002, 3), 0);
	assert_at(index, 5, 1002, 3);
	assert_at(index, 6, 1001, 2);
	assert_unknown(index, 7);
}

static void a_discard_hides_older_writes_and_is_hidden_by_newer_ones(void **state)
{
	struct triad_index *index = *state;

	assert_int_equal(triad_index_add(index, 300, 1000, 1), 0);
	assert_int_equal(triad_index_add(index, 70000, 1001, 2), 0);
	assert_int_equal(triad_index_discard(index, &geo, 256, 256), 0);
	assert_at(index, 300, 0, 0);
	assert_at(index, 511, 0, 0);
	assert_unknown(index, 512);
	assert_unknown(index, 255);
	assert_at(index, 70000, 1001, 2);
	assert_int_equal(triad_index_discard(index, &geo, 65536, 65536), 0);
	assert_at(index, 70000, 0, 0);
	assert_at(index, 131071, 0, 0);
	assert_unknown(index, 131072);
	assert_int_equal(triad_index_add(index, 70000, 1003, 4), 0);
	assert_at(index, 70000, 1003, 4);
	assert_at(index, 70001, 0, 0);
}

static void a_discard_to_the_end_takes_few_entries(void **state)
{
	u32 leaves;

	(void)state;
	assert_int_equal(triad_index_discard_cost(&geo, 0, LBAS, &leaves), 4);
	assert_int_equal(leaves, 4 * 256);
	assert_int_equal(triad_index_discard_cost(&geo, 0, 65536, &leaves), 1);
	assert_int_equal(leaves, 256);
	assert_int_equal(triad_index_discard_cost(&geo, 1, 255, &leaves), 255);
	assert_int_equal(leaves, 0);
	assert_int_equal(triad_index_discard_cost(&geo, 1, 511, &leaves), 256);
	assert_int_equal(leaves, 1);
}

static void a_full_index_says_so_and_stays_right(void **state)
{
	struct triad_index *index = *state;
	u32 i;

	for (i = 0; i < 4096; i++)
		assert_int_equal(triad_index_add(index, i, 5000 + i, i), 0);
	assert_int_equal(triad_index_add(index, 9999, 1, 1), -ENOSPC);
	assert_int_equal(triad_index_discard(index, &geo, 0, 1), -ENOSPC);
	assert_unknown(index, 9999);
	for (i = 0; i < 4096; i++)
		assert_at(index, i, 5000 + i, i);
	triad_index_reset(index);
	assert_unknown(index, 17);
	assert_int_equal(triad_index_add(index, 17, 1, 1), 0);
}

static void sorted_gives_the_newest_of_every_key_larger_levels_first(void **state)
{
	static u64 scratch[4096];
	static u32 order[4096];
	struct triad_index *index = *state;
	struct rng rng = { 11 };
	u32 i, nr;

	for (i = 0; i < 1500; i++)
		assert_int_equal(triad_index_add(index, rng_below(&rng, 1024), 5000 + i, i), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(triad_index_discard(index, &geo, rng_below(&rng, 4) * 256, 256), 0);
	assert_int_equal(triad_index_discard(index, &geo, 0, 65536), 0);
	nr = triad_index_sorted(index, scratch, order);
	assert_int_equal(triad_index_level(&index->entries[order[0]]), 2);
	assert_int_equal(triad_index_level(&index->entries[order[1]]), 1);
	for (i = 1; i < nr; i++) {
		const struct triad_index_entry *x = &index->entries[order[i - 1]];
		const struct triad_index_entry *y = &index->entries[order[i]];

		assert_int_not_equal(x->key, y->key);
		assert_true(triad_index_lba(x) < triad_index_lba(y) ||
			    (triad_index_lba(x) == triad_index_lba(y) &&
			     triad_index_level(x) > triad_index_level(y)));
	}
	/* nothing newer of the same key was left out */
	for (i = 0; i < index->nr; i++) {
		u32 j, newer = 0;

		for (j = 0; j < nr; j++)
			newer += index->entries[order[j]].key == index->entries[i].key &&
				 order[j] >= i;
		assert_int_equal(newer, 1);
	}
}

static void random_operations_equal_a_plain_array(void **state)
{
	static u64 want[LBAS];	/* PBA + 1; 0: unknown */
	struct triad_index *index = *state;
	struct rng rng = { 12 };
	u32 round, i;

	for (round = 0; round < 20; round++) {
		memset(want, 0, sizeof(want));
		triad_index_reset(index);
		for (;;) {
			u32 lba = rng_below(&rng, LBAS), nr, leaves;

			if (rng_percent(&rng, 70)) {
				if (index->nr == index->max)
					break;
				assert_int_equal(triad_index_add(index, lba, 3000 + index->nr, lba), 0);
				want[lba] = 3000 + index->nr;
				continue;
			}
			lba &= rng_percent(&rng, 50) ? ~0xffu : ~0u;
			nr = 1 + rng_below(&rng, rng_percent(&rng, 20) ? 140000 : 600);
			nr = min_t(u32, nr, LBAS - lba);
			if (index->nr + triad_index_discard_cost(&geo, lba, nr, &leaves) >
			    index->max)
				break;
			assert_int_equal(triad_index_discard(index, &geo, lba, nr), 0);
			for (i = lba; i < lba + nr; i++)
				want[i] = 1;
		}
		for (i = 0; i < LBAS; i++) {
			u64 pba = 0;
			u32 csum;
			bool known = triad_index_lookup(index, i, &pba, &csum);

			assert_int_equal(known ? pba + 1 : 0, want[i]);
		}
	}
}

static void no_memory_gives_no_index(void **state)
{
	u64 live = test_alloc.live;
	int i;

	(void)state;
	for (i = 1; i <= 3; i++) {
		test_alloc.nr = 0;
		test_alloc.fail_at = i;
		assert_null(triad_index_create(100, triad_alloc));
		assert_int_equal(test_alloc.live, live);
	}
	test_alloc.fail_at = 0;
}

/* A discard asks before it is given a record; many subtrees, of a device of any size. */
static void where_an_interval_writes_is_known_before_it_is_published(void **state)
{
	static u8 want[TRIAD_INDEX_SUBTREES];
	struct triad_index *index = *state;
	struct rng rng = { 13 };
	u32 i, j;

	assert_false(triad_index_may_write(index, 0, 1ULL << 32));
	for (i = 0; i < 300; i++) {
		u64 lba = (u64)rng_below(&rng, TRIAD_INDEX_SUBTREES) << 16 | rng_below(&rng, 65536);
		u64 nr = 1 + rng_below(&rng, 256);

		nr = min_t(u64, nr, (1ULL << 32) - lba);
		triad_index_announce(index, lba, nr);
		want[lba >> 16] = want[(lba + nr - 1) >> 16] = 1;
	}
	for (i = 0; i < TRIAD_INDEX_SUBTREES; i++)
		assert_int_equal(triad_index_may_write(index, (u64)i << 16, 65536), want[i]);
	for (i = 0; i < 3000; i++) {
		u32 from = rng_below(&rng, TRIAD_INDEX_SUBTREES);
		u32 nr = 1 + rng_below(&rng, 300);
		bool any = false;

		nr = min_t(u32, nr, TRIAD_INDEX_SUBTREES - from);
		for (j = from; j < from + nr; j++)
			any |= want[j];
		assert_int_equal(triad_index_may_write(index, ((u64)from << 16) + 65535,
						       ((u64)(nr - 1) << 16) + 1), any);
	}
	triad_index_reset(index);
	assert_false(triad_index_may_write(index, 0, 1ULL << 32));
}

static void a_longer_copy_knows_as_much(void **state)
{
	struct triad_index *index = *state, *copy = triad_index_create(8192, triad_alloc);
	u32 i, sum, csum;
	u64 pba, got;

	for (i = 0; i < 3000; i++)
		assert_int_equal(triad_index_add(index, i * 7 % 1000, 1000 + i, i), 0);
	assert_int_equal(triad_index_discard(index, &geo, 65536, 65536), 0);
	assert_int_equal(triad_index_add(index, 65536 + 5, 9000, 7), 0);
	triad_index_announce(index, 3 * 65536, 1);
	triad_index_copy(copy, index);
	assert_int_equal(copy->nr, index->nr);
	for (i = 0; i < LBAS; i++) {
		bool known = triad_index_lookup(index, i, &pba, &csum);

		assert_int_equal(triad_index_lookup(copy, i, &got, &sum), known);
		if (known)
			assert_true(got == pba && (!pba || sum == csum));
		assert_int_equal(triad_index_may_write(copy, i, 1), triad_index_may_write(index, i, 1));
	}
	triad_index_destroy(copy);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A map of one leaf has no subtrees: all of it is one leaf's discard. */
static void the_smallest_map_is_discarded_as_a_leaf(void **state)
{
	struct triad_geometry small = geo;
	u32 leaves, csum;
	u64 pba;

	small.logical_blocks = 256;
	small.map_depth = 1;
	assert_int_equal(triad_index_discard_cost(&small, 0, 256, &leaves), 1);
	assert_int_equal(leaves, 1);
	assert_int_equal(triad_index_discard(*state, &small, 0, 256), 0);
	assert_true(triad_index_lookup(*state, 255, &pba, &csum));
	assert_int_equal(pba, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_newest_write_wins),
		T(a_discard_hides_older_writes_and_is_hidden_by_newer_ones),
		T(a_discard_to_the_end_takes_few_entries),
		T(a_full_index_says_so_and_stays_right),
		T(sorted_gives_the_newest_of_every_key_larger_levels_first),
		T(random_operations_equal_a_plain_array),
		T(where_an_interval_writes_is_known_before_it_is_published),
		T(the_smallest_map_is_discarded_as_a_leaf),
		T(a_longer_copy_knows_as_much),
		T(no_memory_gives_no_index),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
