// SPDX-License-Identifier: GPL-2.0-or-later
#include "explorer.h"

#define SOW_ZONES	508u	/* of 1200 blocks; one summary block holds 504 */

static const struct workload profiles[] = {
	/* a small device under everything */
	{ .logical_blocks = 512, .nr_values = 3, .max_extents = 4, .max_blocks = 24,
	  .max_discard = 300, .percent_flush = 15, .percent_commit = 8, .percent_discard = 10,
	  .percent_clean = 3, .percent_slip = 25, .repeat_root_writes = true },
	/* tiny writes: many equal records */
	{ .logical_blocks = 256, .nr_values = 1, .max_extents = 2, .max_blocks = 2,
	  .hot_lbas = 4, .max_discard = 4, .percent_flush = 20, .percent_commit = 10,
	  .percent_discard = 10, .percent_clean = 4, .percent_slip = 30,
	  .repeat_root_writes = true },
	/* deeper maps, few hot leaves, discards of whole leaves */
	{ .logical_blocks = 8192, .nr_values = 4, .max_extents = 6, .max_blocks = 32,
	  .hot_lbas = 1024, .max_discard = 2000, .percent_flush = 12, .percent_commit = 8,
	  .percent_discard = 12, .percent_clean = 2, .percent_slip = 20,
	  .repeat_root_writes = true },
	/* root writes silently lost */
	{ .logical_blocks = 512, .nr_values = 2, .max_extents = 3, .max_blocks = 16,
	  .max_discard = 200, .percent_flush = 15, .percent_commit = 12, .percent_discard = 8,
	  .percent_clean = 3, .percent_slip = 25, .lose_root_writes = true },
	/* records of 1 MiB */
	{ .logical_blocks = 4096, .nr_values = 8, .max_extents = 8, .max_blocks = 256,
	  .max_discard = 4096, .percent_flush = 15, .percent_commit = 8, .percent_discard = 8,
	  .percent_clean = 2, .percent_slip = 15, .repeat_root_writes = true },
	/* slow ones from here on: a device written full, and overwritten for ever */
	{ .logical_blocks = 0, .nr_values = 8, .max_extents = 4, .max_blocks = 128,
	  .max_discard = 64, .percent_flush = 12, .percent_commit = 3, .percent_discard = 3,
	  .percent_clean = 1, .percent_slip = 10, .repeat_root_writes = true, .fill = true },
	/* small changes all over a filled device: every zone comes to its turn */
	{ .logical_blocks = 0, .nr_values = 3, .max_extents = 3, .max_blocks = 6,
	  .max_discard = 600, .percent_flush = 12, .percent_commit = 12,
	  .percent_discard = 12, .percent_clean = 4, .percent_slip = 10,
	  .repeat_root_writes = true, .fill = true },
	/* a sparse device of more zones than one summary block holds */
	{ .logical_blocks = 524288, .nr_values = 3, .max_extents = 3, .max_blocks = 6,
	  .max_discard = 3000, .percent_flush = 12, .percent_commit = 20,
	  .percent_discard = 6, .percent_clean = 4, .percent_slip = 15,
	  .repeat_root_writes = true, .sow = true, .subtrees = true },
};

#define NR_PROFILES	(sizeof(profiles) / sizeof(profiles[0]))
#define NR_QUICK	5u

void profile_choose(struct explorer *x)
{
	static const u32 root_devices[] = { 0, 0, 1, 3 };
	u32 which = x->seed % NR_QUICK;

	if (x->seed % 8 == 7)
		which = NR_QUICK + x->seed / 8 % (NR_PROFILES - NR_QUICK);
	if (x->profile >= 0)
		which = min_t(u32, x->profile, NR_PROFILES - 1);
	x->load = profiles[which];
	x->load.zone_blocks = rng_percent(&x->rng, 70) ? 1536 : 2048 + 1024;
	x->load.segment_blocks = 16u << rng_below(&x->rng, 3);
	x->load.checksum_kind = rng_below(&x->rng, 2);
	x->load.nr_root_devices = root_devices[rng_below(&x->rng, 4)];
	if (x->seed % 3 == 2) {
		x->load.percent_keep = 6;
		x->load.keep_max = x->seed % 2 ? ~0u : 0;
	}
	if (x->seed % 3 == 1)
		x->load.percent_lend = 25;
	disk_blocks = DISK_BLOCKS;
	if (x->load.sow) {
		x->load.zone_blocks = 1200;
		disk_blocks = DISK_MAX_BLOCKS;
		x->budget = min_t(u64, x->budget, SEED_STATES / 20);
	} else if (x->load.fill) {
		x->budget = min_t(u64, x->budget, SEED_STATES / 2);
	}
}

/*
 * A little in nearly every zone: an opening begins to write in the zone that has
 * most free blocks, so with each restart another one comes into use.  The zones
 * before those that hold a slot, and are smaller, must be filled a little more.
 */
static void sow(struct explorer *x, struct driver *driver)
{
	u32 stop = SOW_ZONES - rng_below(&x->rng, 10), slip = x->load.percent_slip, lba = 0;

	x->load.percent_slip = 0;	/* no discards */

	while (!driver->error && driver->core.space.hwm < stop) {
		driver_close(driver);
		if (driver_open(driver, true))
			break;
		lba = (lba + 1031) % (driver->oracle->nr_lbas - 256);
		driver_fill(driver, lba, driver->core.space.hwm < 10 ? 256 : 1 + lba % 8);
		driver_drain(driver);
		driver_commit(driver, false);
	}
	x->load.percent_slip = slip;
}

void profile_first_image(struct explorer *x, u32 *image, u32 *content)
{
	struct oracle oracle;
	struct disk disk;
	struct driver driver;

	disk_init(&disk, image, &x->rng);
	driver_init(&driver, &disk, &x->rng, &x->load);
	x->load.logical_blocks = driver_format(&driver);
	oracle_init(&oracle, x->load.logical_blocks, NULL);
	driver.oracle = &oracle;
	if (!driver.error && x->load.sow && !driver_open(&driver, true))
		sow(x, &driver);
	memcpy(content, oracle.now, oracle.nr_lbas * sizeof(*content));
	if (driver.error)
		violation(x, "cannot make a device", driver.failed);
	driver_free(&driver);
	oracle_free(&oracle);
}
