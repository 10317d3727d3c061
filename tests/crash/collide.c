// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * collide - an H that collides: two orders of the roots that both satisfy H(a, b) = c.
 *
 * Linked with an H of 8 bits (lib/narrow).  The image of a device that was just
 * formatted is opened, and after every commit of random lives the image as it is, and
 * with each of its roots gone.  With three roots, this program counts by itself how
 * many orders of them satisfy H(a, b) = c: with one, the newest root is current and
 * the content is the newest; with more, nobody can tell, and the device must be
 * refused as damaged.  With one root gone the links decide, which a collision alone
 * cannot forge: the newest content again.
 */
#include <stdio.h>

#include "driver.h"
#include "env.h"
#include "options.h"

static const struct workload load = {
	.logical_blocks = 256, .zone_blocks = 1536, .segment_blocks = 32, .nr_values = 5,
	.max_extents = 2, .max_blocks = 6, .max_discard = 20, .percent_discard = 10,
};

static struct triad_hash narrow;
static u64 nr_orders[7], nr_refused, nr_opened, nr_degraded;
static u64 seed = 1;

static void violation(const char *what, const struct driver *driver)
{
	printf("VIOLATED: %s (seed %llu)\n", what, (unsigned long long)seed);
	driver_print_lines(driver);
	exit(1);
}

static const u8 *version_of(const u32 *image, u32 slot)
{
	return ((const struct triad_root_disk *)content_of(image[TRIAD_SLOT_PBA(slot)]))->version;
}

/* In how many orders do the three roots satisfy H(a, b) = c? */
static u32 count_orders(const u32 *image)
{
	static const u8 orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	u8 version[TRIAD_HASH_SIZE];
	u32 i, nr = 0;

	for (i = 0; i < 6; i++) {
		const u8 *o = orders[i];

		triad_hash(&narrow, version_of(image, o[0]), sizeof(version),
			   version_of(image, o[1]), sizeof(version), version);
		nr += !memcmp(version, version_of(image, o[2]), sizeof(version));
	}
	return nr;
}

static void expect_newest(struct driver *driver, struct disk *disk, const struct oracle *oracle)
{
	static u32 content[DISK_BLOCKS];

	if (check_read(&driver->core, disk, content) ||
	    oracle_hash_content(content, oracle->nr_lbas) != oracle_hash(oracle, oracle->nr))
		violation("opened with another content", driver);
}

/* Open a copy with one slot (or, 3, none) gone. */
static void try_image(const u32 *view, const struct oracle *oracle, struct rng *rng, u32 gone)
{
	static u32 image[DISK_BLOCKS];
	struct triad_choice *choice;
	struct disk disk;
	struct driver driver;
	u32 nr = 1;
	int r;

	disk_copy(image, view);
	if (gone < TRIAD_NR_SLOTS)
		image[TRIAD_SLOT_PBA(gone)] = 0;
	else
		nr_orders[nr = count_orders(image)]++;
	disk_init(&disk, image, rng);
	driver_init(&driver, &disk, rng, &load);
	choice = &driver.core.choice;
	r = driver_open(&driver, false);
	if (nr > 1) {
		if (r != -ENODATA || choice->which != 4 || choice->cur >= 0 ||
		    !choice->why || !strstr(choice->why, "two permutations"))
			violation("two orders hold, and the device is not refused for that", &driver);
		nr_refused++;
	} else {
		if (r)
			violation("one order holds, and the device is refused", &driver);
		expect_newest(&driver, &disk, oracle);
		if (driver.core.degraded)
			nr_degraded++;
		else
			nr_opened++;
	}
	driver_free(&driver);
}

static void live(u32 nr_commits)
{
	struct rng rng = { seed };
	u32 *view = disk_new_view(), gone, i;
	struct oracle oracle;
	struct driver driver;
	struct disk disk;

	test_random.state = ~seed;
	disk_init(&disk, view, &rng);
	driver_init(&driver, &disk, &rng, &load);
	oracle_init(&oracle, driver_format(&driver), NULL);
	driver.oracle = &oracle;
	/* even a device that was just formatted may have two orders */
	try_image(view, &oracle, &rng, TRIAD_NR_SLOTS);
	if (count_orders(view) > 1)
		nr_commits = 0;
	else
		driver_open(&driver, true);
	for (; nr_commits && !driver.error; nr_commits--) {
		u32 mark;

		for (i = rng_between(&rng, 1, 3); i; i--)
			driver_step(&driver);
		driver_drain(&driver);
		driver_commit(&driver, rng_percent(&rng, 10));
		mark = content_mark();
		for (gone = 0; gone <= TRIAD_NR_SLOTS; gone++)
			try_image(view, &oracle, &rng, gone);
		content_release(mark);
	}
	if (driver.error)
		violation(driver.failed, &driver);
	driver_free(&driver);
	oracle_free(&oracle);
	free(view);
}

int main(int argc, char **argv)
{
	u64 nr = 4000, several = 0;
	u32 i;
	const struct number_option options[] = {
		{ "seed", &seed },
		{ "commits", &nr },
		{ 0 },
	};

	parse_numbers(argc, argv, options);
	disk_keep_memory();
	/* lives of 100 commits, so that the images stay few */
	for (i = 0; i < (nr + 99) / 100; i++, seed++) {
		content_release(0);
		content_mark();
		live(100);
	}
	for (i = 2; i < 7; i++)
		several += nr_orders[i];
	printf("H of 8 bits: %llu triples of roots with one order, %llu with more: %llu refused, "
	       "%llu opened; %llu opened with one root gone\n",
	       (unsigned long long)nr_orders[1], (unsigned long long)several,
	       (unsigned long long)nr_refused, (unsigned long long)nr_opened,
	       (unsigned long long)nr_degraded);
	if (!nr_refused || nr_orders[0]) {
		printf("VIOLATED: %s\n", nr_orders[0] ? "no order holds" :
		       "two orders never came up: nothing was tested");
		return 1;
	}
	return 0;
}
