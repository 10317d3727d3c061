// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commit worker: drives the core's commit beside the log worker.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "triad.h"

#define ROOT_TRIES	5
#define ROOT_RETRY_MS	200
#define MAX_STARVED	4	/* commits in a row that made no room: a bug */

void triad_committer_ask(struct triad *t, bool force)
{
	lockdep_assert_held(&t->lock);
	if (force)
		t->commit_forced = true;
	if (!t->committing)
		queue_work(t->commit_wq, &t->commit_work);
}

void triad_committer_timer(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, timer.work);

	queue_work(t->commit_wq, &t->commit_work);
	queue_delayed_work(t->commit_wq, &t->timer, msecs_to_jiffies(t->interval_ms));
}

static bool published(struct triad *t, u64 seq)
{
	return READ_ONCE(t->published) >= seq || triad_mode(t) != TRIAD_MODE_RW;
}

/* Wait until the records up to seq are in the index; false if one failed. */
static bool wait_published(struct triad *t, u64 seq)
{
	bool done;

	wait_event(t->wait, published(t, seq));
	mutex_lock(&t->lock);		/* the index is seen as publish() left it */
	done = t->published >= seq;
	mutex_unlock(&t->lock);
	return done;
}

/* The record that says where the nodes go, durable before the first plane. */
static int announce(struct triad *t)
{
	struct triad_write *w = t->announce;
	u64 seq;
	int r;

	mutex_lock(&t->lock);
	r = triad_commit_take(&t->core);
	if (!r)
		r = triad_commit_intent(&t->core, &w->rec, t->durable, w->buffer);
	seq = w->rec.seq;
	if (!r) {
		list_add_tail(&w->list, &t->in_flight);
		w->durable = false;
		atomic64_inc(&t->stats.records);
		triad_io_record(t, w, 0);
	}
	mutex_unlock(&t->lock);
	if (r)
		return r < 0 ? r : 0;
	if (!wait_published(t, seq))
		return -EIO;
	return t->store.ops->flush(&t->store);
}

/*
 * Rule 2: a root write of unknown outcome is repeated with the same image; until
 * it succeeds nothing else is written that this image could contradict.  And not
 * after a flush that failed beside the commit: what was lost then may be of it.
 */
static int write_root(struct triad *t)
{
	int i, r = -EIO;

	for (i = 0; i < ROOT_TRIES && triad_mode(t) == TRIAD_MODE_RW; i++) {
		if (i)
			msleep(ROOT_RETRY_MS);
		r = triad_commit_root(&t->core);
		if (!r)
			return 0;
		DMWARN("%s: writing the root in slot %d failed (%d), trying again",
		       triad_name(t), t->core.commit.slot, r);
	}
	return r;
}

/* Freeze the interval; false if there is nothing to do. */
static int freeze(struct triad *t, u64 *seq)
{
	int r = 0;

	mutex_lock(&t->lock);
	if (!t->active || t->mode != TRIAD_MODE_RW ||
	    (!t->commit_forced && !triad_commit_needed(&t->core, t->closing))) {
		t->commit_forced = false;
		mutex_unlock(&t->lock);
		return 1;
	}
	if (t->core.nr_entries)
		r = triad_log_start(&t->core);
	if (!r) {
		t->durable = max(t->durable, t->core.known_durable);
		t->published = max(t->published, t->core.known_durable);
		t->committing = true;
		t->commit_forced = false;
		triad_commit_recycle(&t->core);
		triad_commit_freeze(&t->core, t->closing);
		triad_view_publish(t);
		*seq = t->core.next_seq - 1;
	}
	mutex_unlock(&t->lock);
	return r;
}

/*
 * All that was promised still fits, but intervals get short and writers wait for
 * commits: say so once, so that somebody may discard.
 */
static void watch_space(struct triad *t)
{
	u64 left = triad_space_available(&t->core.space);
	bool low = left < triad_geometry_reserve(&t->core.geo);

	if (low && !t->low_space) {
		DMWARN("%s: nearly full, %llu blocks are free: overwriting gets slower",
		       triad_name(t), left);
		dm_table_event(t->ti->table);
	}
	t->low_space = low;
}

static int run(struct triad *t)
{
	struct blk_plug plug;
	u64 seq;
	int r;

	r = freeze(t, &seq);
	if (r)
		return r < 0 ? r : 0;
	triad_write_kick(t);
	if (!wait_published(t, seq))
		return -EIO;
	triad_commit_sort(&t->core);
	r = announce(t);
	if (r)
		return r;
	blk_start_plug(&plug);
	r = triad_commit_prepare(&t->core);
	blk_finish_plug(&plug);
	if (!r)
		r = write_root(t);
	if (r)
		return r;

	mutex_lock(&t->lock);
	triad_commit_land(&t->core);
	triad_view_publish(t);
	watch_space(t);
	mutex_unlock(&t->lock);
	atomic64_inc(&t->stats.commits);
	/*
	 * Reads that began before stay on blocks that the next commit gives back:
	 * they must have ended before it lands.
	 */
	triad_view_drain(t, 2);
	return 0;
}

void triad_committer_work(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, commit_work);
	unsigned int noio = memalloc_noio_save();
	bool worked;
	int r;

	r = run(t);
	mutex_lock(&t->lock);
	worked = t->committing;
	t->committing = false;
	if (r < 0)
		triad_worsen(t, TRIAD_MODE_RO, "a commit failed", r);
	else if (worked && !bio_list_empty(&t->todo) && ++t->starved > MAX_STARVED)
		triad_worsen(t, TRIAD_MODE_RO, "commits made no room", -ENOSPC);
	mutex_unlock(&t->lock);
	wake_up(&t->wait);
	triad_write_kick(t);
	memalloc_noio_restore(noio);
}

int triad_committer_wait(struct triad *t, bool closing)
{
	mutex_lock(&t->lock);
	if (closing)	/* and stays so: a message may come at any time */
		t->closing = true;
	mutex_unlock(&t->lock);
	/* a commit that runs already does not cover what came after its freeze */
	flush_work(&t->commit_work);
	queue_work(t->commit_wq, &t->commit_work);
	flush_work(&t->commit_work);
	return triad_mode(t) == TRIAD_MODE_RW ? 0 : -EIO;
}
