// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * on_error hold: when the disk cannot be reached, nobody hears of it.  Nothing new is
 * built; what failed and what comes waits, until another instance takes over (a restart)
 * or somebody gives up.
 *
 * What is held goes back to device-mapper between presuspend and the end of its wait for
 * what is under way, and at no other time: then a requeue is an I/O error.
 */
#include "triad.h"

/* Of the way to the disk, not of what is asked of it: it may come back. */
static bool is_of_path(int error)
{
	return error == -EIO || error == -ETIMEDOUT || error == -ENOLINK || error == -ENODEV ||
	       error == -ENXIO;
}

bool triad_hold_wants(const struct triad *t, int error)
{
	return t->hold && t->mode <= TRIAD_MODE_HOLD && is_of_path(error);
}

bool triad_hold_read(struct triad *t, struct bio *bio, blk_status_t status)
{
	unsigned long flags;

	/* who reads ahead has no use for an answer that comes late, and "not now" is no error */
	if (!t->hold || triad_mode(t) > TRIAD_MODE_HOLD || !blk_path_error(status) ||
	    status == BLK_STS_AGAIN || bio->bi_opf & REQ_RAHEAD)
		return false;
	spin_lock_irqsave(&t->queue_lock, flags);
	bio_list_add(&t->held_reads, bio);
	spin_unlock_irqrestore(&t->queue_lock, flags);
	triad_write_kick(t);		/* looks at the mode again */
	return true;
}

static void end_reads(struct triad *t, blk_status_t status)
{
	struct bio_list reads;
	unsigned long flags;

	spin_lock_irqsave(&t->queue_lock, flags);
	reads = t->held_reads;
	bio_list_init(&t->held_reads);
	spin_unlock_irqrestore(&t->queue_lock, flags);
	triad_write_end_all(&reads, status);
}

static bool has_reads(struct triad *t)
{
	unsigned long flags;
	bool any;

	spin_lock_irqsave(&t->queue_lock, flags);
	any = !bio_list_empty(&t->held_reads);
	spin_unlock_irqrestore(&t->queue_lock, flags);
	return any;
}

/*
 * A write that can be seen already, and waits to be durable, was seen by later ones to
 * the same place.  Were it sent again, these would be undone: it fails, or goes on waiting
 * for a replica.
 */
static void give_back_waiting(struct triad *t, bool fail)
{
	struct bio_list all = t->waiting;
	struct bio *bio;

	if (t->flushing)
		return;		/* its end comes back here */
	bio_list_init(&t->waiting);
	while ((bio = bio_list_pop(&all))) {
		if (!triad_bio(bio)->overwritten)
			triad_write_end(bio, BLK_STS_DM_REQUEUE);
		else if (fail)
			triad_write_end(bio, BLK_STS_IOERR);
		else
			bio_list_add(&t->waiting, bio);
	}
}

void triad_hold_look(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	if (t->mode == TRIAD_MODE_RW && has_reads(t))
		triad_worsen(t, "the disk cannot be read", -EIO);
	if (t->mode == TRIAD_MODE_HOLD && t->handover && dm_noflush_suspending(t->ti)) {
		triad_write_end_all(&t->held, BLK_STS_DM_REQUEUE);
		end_reads(t, BLK_STS_DM_REQUEUE);
		triad_write_requeue(t);
		give_back_waiting(t, true);
	} else if (t->mode == TRIAD_MODE_RW && t->sync != TRIAD_SYNC_OFF && t->handover &&
		   dm_noflush_suspending(t->ti)) {
		give_back_waiting(t, false);
	} else if (t->mode > TRIAD_MODE_HOLD) {
		triad_write_end_all(&t->held, BLK_STS_IOERR);
		end_reads(t, BLK_STS_IOERR);
	}
}

void triad_hold_end(struct triad *t, const char *who)
{
	lockdep_assert_held(&t->lock);
	if (t->mode != TRIAD_MODE_HOLD)
		return;
	DMERR("%s: no longer held, by %s", triad_name(t), who);
	triad_worsen_to(t, TRIAD_MODE_RO, t->why, t->why_error);
	triad_write_kick(t);
}

static void give_up(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, hold_timer.work);

	mutex_lock(&t->lock);
	triad_hold_end(t, "its time limit");
	mutex_unlock(&t->lock);
}

void triad_hold_begin(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	if (t->hold_ms)
		schedule_delayed_work(&t->hold_timer, msecs_to_jiffies(t->hold_ms));
	triad_write_kick(t);
}

void triad_hold_init(struct triad *t)
{
	bio_list_init(&t->held);
	bio_list_init(&t->held_reads);
	INIT_DELAYED_WORK(&t->hold_timer, give_up);
}
