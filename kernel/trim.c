// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The message "trim": what nobody reaches any more is discarded on the disk.  A thin pool or a
 * drive may want to know; nothing here ever reads such a block again.
 *
 * A discard is as good as a write of anything, so where one may go is what rule 3 says of writes, and
 * whether any may, rule 12.  The space lends the free blocks of a zone, which nobody takes until they are
 * given back; the lock is not held while the disk discards them.  A suspend waits for the one that is
 * under way.
 */
#include <linux/blkdev.h>
#include <linux/find.h>
#include <linux/sched/mm.h>

#include "triad.h"

#define MESSAGE_MS	100	/* of one message, about: a suspend may wait for it */
#define LEAST_BLOCKS	16u	/* of a run: shorter ones are left until there is more beside them */

struct trim {
	struct triad *t;
	u64 pba, end;		/* it goes on there, up to there */
	u64 blocks;		/* that were discarded */
	unsigned long until;
	u8 *bits;
	bool is_ours;		/* the disk: that was looked at */
};

static bool goes_on(const struct trim *trim)
{
	return time_before(jiffies, trim->until) && !READ_ONCE(trim->t->leaving) &&
	       !fatal_signal_pending(current);
}

/* From trim->pba on; all of the zone, unless time is over. */
static int discard_runs(struct trim *trim, u64 zone)
{
	const struct triad_geometry *geo = &trim->t->core.geo;
	struct block_device *bdev = trim->t->dev->bdev;
	u32 least = max(LEAST_BLOCKS, bdev_discard_granularity(bdev) / TRIAD_BLOCK_SIZE);
	u64 start = triad_zone_start(geo, zone);
	u32 size = triad_zone_size(geo, zone), pos = trim->pba - start, end;
	int r = 0;

	for (; pos < size && !r; pos = end) {
		pos = find_next_zero_bit_le(trim->bits, size, pos);
		end = find_next_bit_le(trim->bits, size, pos);
		if (end - pos >= least) {
			r = blkdev_issue_discard(bdev, triad_sector(start + pos),
						 triad_sector(end - pos), GFP_NOIO);
			trim->blocks += r ? 0 : end - pos;
		}
		/* the last zone may be a short one */
		trim->pba = end < size ? start + end : triad_zone_start(geo, zone + 1);
		if (!goes_on(trim))
			break;
		cond_resched();
	}
	return r;
}

/* May this instance write?  Holds t->lock. */
static int look(struct trim *trim)
{
	struct triad *t = trim->t;
	int r;

	if (!t->active || t->leaving)
		return -EAGAIN;
	if (t->mode != TRIAD_MODE_RW)
		return -EROFS;
	if (t->core.space.nr_lent)
		return -EBUSY;
	trim->end = triad_zone_start(&t->core.geo, t->core.space.hwm);
	/* a commit that is under way looks itself */
	r = trim->is_ours || t->core.frozen ? 0 : triad_guard_check(&t->core);
	trim->is_ours = true;
	if (r)
		triad_worsen(t, "the disk is not to be written", r);
	return r;
}

static int trim_zone(struct trim *trim)
{
	struct triad *t = trim->t;
	u64 zone = 0;
	int r, nr = 0;

	mutex_lock(&t->lock);
	r = look(trim);
	if (!r && trim->pba < trim->end) {
		trim->pba = max_t(u64, trim->pba, TRIAD_FIRST_ZONE);
		zone = triad_zone_of(&t->core.geo, trim->pba);
		nr = triad_log_lend(&t->core, zone, trim->bits);
		if (!nr)
			trim->pba = triad_zone_start(&t->core.geo, zone + 1);
		/* a commit was abandoned */
		r = nr == -ECANCELED ? -EAGAIN : min(nr, 0);
	}
	mutex_unlock(&t->lock);
	if (r || !nr)
		return r;
	r = discard_runs(trim, zone);
	mutex_lock(&t->lock);
	triad_space_give_back(&t->core.space);
	wake_up(&t->wait);
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	return r;
}

void triad_trim_wait(struct triad *t)
{
	mutex_lock(&t->lock);
	wait_event_cmd(t->wait, !t->core.space.nr_lent, mutex_unlock(&t->lock), mutex_lock(&t->lock));
	mutex_unlock(&t->lock);
}

int triad_trim(struct triad *t, const char *text, char *result, unsigned int maxlen)
{
	struct trim trim = { .t = t, .until = jiffies + msecs_to_jiffies(MESSAGE_MS) };
	unsigned int noio;
	int r = kstrtou64(text, 10, &trim.pba);

	if (r)
		return r;
	if (!bdev_max_discard_sectors(t->dev->bdev))
		return -EOPNOTSUPP;
	/* a suspend waits for the message, and what would be written to free memory for that */
	noio = memalloc_noio_save();
	trim.bits = kmalloc(TRIAD_PLANE_BITS / 8, GFP_KERNEL);
	r = trim.bits ? 0 : -ENOMEM;
	if (!r)
		do
			r = trim_zone(&trim);
		while (!r && trim.pba < trim.end && goes_on(&trim));
	kfree(trim.bits);
	memalloc_noio_restore(noio);
	if (r)
		return r;
	scnprintf(result, maxlen, "%llu %llu %llu", trim.pba, trim.end, trim.blocks);
	return 1;
}
