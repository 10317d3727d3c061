// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The message "trim": what nobody reaches any more is discarded on the disk.  A thin pool or a
 * drive may want to know; nothing here ever reads such a block again.
 *
 * A discard is as good as a write of anything, so where one may go is what rule 3 says of writes.
 * The space lends the free blocks of a zone, which nobody takes until they are given back; the lock is
 * not held while the disk discards them.
 */
#include <linux/blkdev.h>

#include "triad.h"

#define MESSAGE_MS	100	/* of one message, about: a suspend waits for it */
#define LEAST_BLOCKS	16u	/* of a run: shorter ones are left until there is more beside them */

static u32 next_of(const u8 *bits, u32 pos, u32 size, bool busy)
{
	while (pos < size && triad_bit(bits, pos) != busy)
		pos++;
	return pos;
}

static int discard_runs(struct triad *t, u64 zone, const u8 *bits, u64 *blocks)
{
	const struct triad_geometry *geo = &t->core.geo;
	struct block_device *bdev = t->dev->bdev;
	u32 least = max(LEAST_BLOCKS, bdev_discard_granularity(bdev) / TRIAD_BLOCK_SIZE);
	u32 size = triad_zone_size(geo, zone), pos = 0, end;
	int r = 0;

	while (!r) {
		pos = next_of(bits, pos, size, false);
		if (pos == size)
			break;
		end = next_of(bits, pos, size, true);
		if (end - pos >= least) {
			r = blkdev_issue_discard(bdev, triad_sector(triad_zone_start(geo, zone) + pos),
						 triad_sector(end - pos), GFP_NOIO);
			*blocks += end - pos;
		}
		pos = end;
		cond_resched();
	}
	return r;
}

/* 1: there is none; else 0 or an error. */
static int trim_zone(struct triad *t, u64 zone, u8 *bits, u64 *zones, u64 *blocks)
{
	int r, nr = 0;

	mutex_lock(&t->lock);
	*zones = t->core.space.hwm;
	if (!t->active || t->mode != TRIAD_MODE_RW)
		r = t->active ? -EROFS : -EAGAIN;
	else if (t->core.space.nr_lent)
		r = -EBUSY;
	else
		r = zone >= *zones;
	if (!r)
		nr = triad_log_lend(&t->core, zone, bits);
	mutex_unlock(&t->lock);
	if (r || nr <= 0)
		return r ?: nr;
	r = discard_runs(t, zone, bits, blocks);
	mutex_lock(&t->lock);
	triad_space_give_back(&t->core.space);
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	return r;
}

int triad_trim(struct triad *t, const char *text, char *result, unsigned int maxlen)
{
	unsigned long until = jiffies + msecs_to_jiffies(MESSAGE_MS);
	u64 zone, zones, blocks = 0;
	u8 *bits;
	int r = kstrtou64(text, 10, &zone);

	if (r)
		return r;
	if (!bdev_max_discard_sectors(t->dev->bdev))
		return -EOPNOTSUPP;
	bits = kmalloc(TRIAD_PLANE_BITS / 8, GFP_KERNEL);
	if (!bits)
		return -ENOMEM;
	do {
		r = trim_zone(t, zone, bits, &zones, &blocks);
		zone += !r;
	} while (!r && time_before(jiffies, until) && !fatal_signal_pending(current));
	kfree(bits);
	if (r < 0)
		return r;
	scnprintf(result, maxlen, "%llu %llu %llu", zone, zones, blocks);
	return 1;
}
