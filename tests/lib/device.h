/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - a formatted device under a driver, for unit tests. */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include "driver.h"
#include "unit.h"

struct device {
	struct workload load;
	struct rng rng;
	struct disk disk;
	struct oracle oracle;
	struct driver driver;
	u32 *content;
};

static inline struct device *device_create(u32 logical_blocks)
{
	struct device *d = calloc(1, sizeof(*d));

	d->load = (struct workload) {
		.logical_blocks = logical_blocks, .zone_blocks = 1536, .segment_blocks = 32,
		.nr_values = 5, .max_extents = 3, .max_blocks = 20, .max_discard = 50,
		.percent_flush = 10, .percent_commit = 10, .percent_discard = 10,
	};
	content_release(0);
	d->rng.state = test_random.state = 1;
	disk_init(&d->disk, disk_new_view(), &d->rng);
	driver_init(&d->driver, &d->disk, &d->rng, &d->load);
	oracle_init(&d->oracle, driver_format(&d->driver), NULL);
	d->driver.oracle = &d->oracle;
	d->content = calloc(DISK_BLOCKS, sizeof(*d->content));
	assert_int_equal(d->driver.error, 0);
	assert_int_equal(driver_open(&d->driver, true), 0);
	return d;
}

static inline void device_destroy(struct device *d)
{
	driver_free(&d->driver);
	oracle_free(&d->oracle);
	free(d->disk.view);
	free(d->content);
	free(d);
	assert_int_equal(test_alloc.live, 0);
}

/* A disk of a replica, or of what may become one: open, and formatted. */
static inline int image_open(struct triad_core *core, struct disk *disk, struct triad_hash *hash,
			     bool receives)
{
	memset(core, 0, sizeof(*core));
	core->store = &disk->store;
	core->hash = hash;
	core->receives = receives;
	return triad_core_open(core, disk_blocks);
}

static inline void image_format(struct disk *disk, struct triad_hash *hash, struct triad_root *root,
				u32 logical_blocks)
{
	struct triad_geometry geo;
	const char *why;

	assert_int_equal(triad_geometry_init(&geo, disk_blocks, logical_blocks, 1536, 32, 1536, &why), 0);
	memcpy(root->hash, "test", 4);
	triad_random(root->uuid, sizeof(root->uuid));
	assert_int_equal(triad_core_format(&disk->store, hash, root, &geo), 0);
}

/* One record of equal blocks, written and published. */
static inline void device_write(struct device *d, u32 lba, u32 nr)
{
	assert_int_equal(driver_fill(&d->driver, lba, nr), 0);
	assert_int_equal(driver_drain(&d->driver), 0);
}

static inline void device_steps(struct device *d, u32 nr)
{
	while (nr--)
		assert_int_equal(driver_step(&d->driver), 0);
	assert_int_equal(driver_drain(&d->driver), 0);
}

/* For setup: a history, a commit of it, and something in the log. */
static inline int device_setup_used(void **state)
{
	struct device *d = device_create(2048);

	device_steps(d, 20);
	assert_int_equal(driver_commit(&d->driver, false), 0);
	device_write(d, 0, 3);
	*state = d;
	return 0;
}

static inline int device_teardown(void **state)
{
	device_destroy(*state);
	return 0;
}

/* As after a crash with everything on disk. */
static inline int device_reopen(struct device *d, bool heal)
{
	if (d->driver.open)
		driver_close(&d->driver);
	return driver_open(&d->driver, heal);
}

/* The state that the device holds, or -1. */
static inline int device_state(struct device *d)
{
	assert_int_equal(check_read(&d->driver.core, &d->disk, d->content), 0);
	return oracle_find(&d->oracle, 0, d->oracle.nr,
			   oracle_hash_content(d->content, d->oracle.nr_lbas));
}

static inline void device_check(struct device *d)
{
	const char *what = check_structure(&d->driver.core, &d->disk, true, false);

	if (what)
		fail_msg("%s", what);
	assert_int_equal(d->driver.core.space.nr_rotten, 0);
}

#endif
