// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "geometry.h"

static const u32 zone_sizes[] = { 1024, 1536, 3072, 32256 };

/* Rule 9, counted from the design's words and not from the code under test. */
static u64 all_nodes(u64 logical)
{
	u64 sum = 0, leaves = (logical + 255) / 256;

	/* four pieces to each node above leaves */
	if (leaves > 1)
		sum = 4 * ((leaves + 255) / 256);
	do {
		logical = (logical + 255) / 256;
		sum += logical;
	} while (logical > 1);
	return sum;
}

static u64 wanted_reserve(const struct triad_geometry *geo)
{
	u64 n = 0, span = geo->logical_blocks, interval = 65536, usable = geo->usable, most;

	/* as long as 1/768 of the device, if that is more */
	if (geo->device_blocks / 768 > interval)
		interval = geo->device_blocks / 768 / 256 * 256;
	if (interval > 1 << 22)
		interval = 1 << 22;
	assert_int_equal(geo->interval_blocks, interval);
	do {
		span = (span + 255) / 256;
		n += span < interval ? span : interval;
	} while (span > 1);
	span = (geo->logical_blocks + 65535) / 65536;
	if (geo->map_depth > 1)
		n += 4 * (span < interval ? span : interval);
	most = 3 * (2 * interval + n);
	most = usable / 32 < most ? usable / 32 : most;
	return most < 1024 ? 1024 : most;
}

static void check_size(u64 blocks, u32 zone_blocks)
{
	struct triad_geometry geo;
	const char *why = NULL;
	u64 zone, usable = 0;

	assert_int_equal(triad_geometry_init(&geo, blocks, 0, zone_blocks, 256, 0, &why), 0);
	for (zone = 0; zone < geo.nr_zones; zone++) {
		u32 size = triad_zone_size(&geo, zone);

		u32 in_group = geo.nr_zones - zone / 64 * 64;

		if (in_group > 64)
			in_group = 64;
		assert_int_equal(triad_zone_header(&geo, zone),
				 zone % 64 ? 0 : 3 * (in_group + 1));
		assert_true(size > triad_zone_header(&geo, zone) && size <= zone_blocks);
		assert_true(triad_zone_start(&geo, zone) + size <= blocks - TRIAD_TAIL_BLOCKS);
		usable += triad_zone_usable(&geo, zone);
		if (zone == 2047 && geo.nr_zones > 3000) {
			/* whole groups without slots: all alike */
			u64 groups = geo.nr_zones / 64 - 33;

			usable += groups * (64ULL * zone_blocks - 195);
			zone += groups * 64;
		}
	}
	assert_int_equal(usable, geo.usable);
	assert_int_equal(triad_geometry_reserve(&geo), wanted_reserve(&geo));
	assert_int_equal(triad_geometry_nodes(&geo, geo.logical_blocks), all_nodes(geo.logical_blocks));
	assert_true(geo.logical_blocks + all_nodes(geo.logical_blocks) +
		    964 * ((geo.logical_blocks + 65535) / 65536) + wanted_reserve(&geo) <= geo.usable);
	assert_int_equal(geo.logical_blocks % 256, 0);
	/* and it is the largest */
	assert_int_equal(triad_geometry_init(&geo, blocks, geo.logical_blocks + 256, zone_blocks,
					     256, 0, &why), -EINVAL);
}

static void the_largest_logical_size_leaves_nodes_and_reserve(void **state)
{
	struct rng rng = { 3 };
	u64 blocks;
	u32 i;

	(void)state;
	for (blocks = TRIAD_MIN_BLOCKS; blocks <= TRIAD_MAX_BLOCKS; blocks *= 2)
		check_size(blocks, 32256);
	for (i = 0; i < 300; i++) {
		blocks = TRIAD_MIN_BLOCKS + (rng_next(&rng) >> (34 + rng_below(&rng, 14)));
		check_size(blocks, zone_sizes[rng_below(&rng, 4)]);
	}
	for (blocks = TRIAD_MIN_BLOCKS; blocks < TRIAD_MIN_BLOCKS + 3000; blocks += 7)
		check_size(blocks, 1536);
}

static void sizes_out_of_range_are_refused(void **state)
{
	struct triad_geometry geo;
	const char *why;
	u64 n = TRIAD_MIN_BLOCKS;

	(void)state;
	assert_int_equal(triad_geometry_init(&geo, n, 512, 1536, 16, 1536, &why), 0);
	assert_int_equal(triad_geometry_init(&geo, n - 1, 0, 1536, 16, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, TRIAD_MAX_BLOCKS + 1, 0, 32256, 16, 0, &why),
			 -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1016, 16, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1537, 16, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 32264, 16, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1536, 8, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1536, 24, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1536, 8192, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 100, 1536, 16, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 1ULL << 60, 1536, 16, 0, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1536, 16, 1535, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1536, 16, ~0u, &why), -EINVAL);
	assert_int_equal(triad_geometry_init(&geo, n, 0, 1024, 16, 0, &why), 0);
}

static void depth_is_what_the_logical_size_needs(void **state)
{
	struct triad_geometry geo;
	const char *why;

	(void)state;
	assert_int_equal(triad_geometry_init(&geo, 1 << 28, 256, 32256, 16, 0, &why), 0);
	assert_int_equal(geo.map_depth, 1);
	assert_int_equal(triad_geometry_init(&geo, 1 << 28, 512, 32256, 16, 0, &why), 0);
	assert_int_equal(geo.map_depth, 2);
	assert_int_equal(triad_geometry_init(&geo, 1 << 28, 65536, 32256, 16, 0, &why), 0);
	assert_int_equal(geo.map_depth, 2);
	assert_int_equal(triad_geometry_init(&geo, 1 << 28, 65536 + 256, 32256, 16, 0, &why), 0);
	assert_int_equal(geo.map_depth, 3);
	assert_int_equal(triad_geometry_init(&geo, TRIAD_MAX_BLOCKS, 0, 32256, 16, 0, &why), 0);
	assert_int_equal(geo.map_depth, 4);
}

static void only_usable_blocks_are_valid_places(void **state)
{
	struct triad_geometry geo;
	const char *why;
	u64 pba, nr = 0;
	int slot;

	(void)state;
	assert_int_equal(triad_geometry_init(&geo, DISK_BLOCKS + 5, 512, 1536, 16, 0, &why), 0);
	for (pba = 0; pba < DISK_BLOCKS + 100; pba++)
		nr += triad_geometry_valid_pba(&geo, pba);
	assert_int_equal(nr, geo.usable);
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		assert_false(triad_geometry_valid_pba(&geo, TRIAD_SLOT_PBA(slot)));
		assert_false(triad_geometry_valid_pba(&geo, TRIAD_SLOT_PBA(slot) + 255));
	}
	assert_false(triad_geometry_valid_pba(&geo, ~0ULL));
	/* over the zones' borders, up to slot 1 */
	pba = 2048 + 3 * (geo.nr_zones + 1);
	assert_false(triad_geometry_valid_run(&geo, pba - 1, 1));
	assert_false(triad_geometry_valid_run(&geo, pba, 0));
	assert_true(triad_geometry_valid_run(&geo, pba, 4096 - pba));
	assert_false(triad_geometry_valid_run(&geo, pba, 4096 - pba + 1));
	assert_false(triad_geometry_valid_run(&geo, ~0ULL - 3, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_logical_size_leaves_nodes_and_reserve),
		cmocka_unit_test(sizes_out_of_range_are_refused),
		cmocka_unit_test(depth_is_what_the_logical_size_needs),
		cmocka_unit_test(only_usable_blocks_are_valid_places),
	};

	return cmocka_run_group_tests_name("geometry", tests, NULL, NULL);
}
