// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commit worker: the host of the core's commit, beside the log worker.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "trace.h"
#include "triad.h"

#define ROOT_TRIES	5
#define ROOT_RETRY_MS	200
#define MAX_TICKS	20	/* of the timer, with writes: 10 minutes */
#define MAX_STARVED	4	/* commits in a row that made no room: a bug */

void triad_committer_ask(struct triad *t, bool force)
{
	lockdep_assert_held(&t->lock);
	if (force)
		t->commit_forced = true;
	if (!t->core.frozen)	/* else one runs, and looks again at its end */
		queue_work(t->commit_wq, &t->commit_work);
}

/*
 * Each commit costs nodes, fewer for each write the longer the interval is.  So unless
 * somebody asked for a time, a log under load is left to grow, for a while.
 */
static bool is_due(struct triad *t)
{
	u64 seq = t->core.next_seq, era = t->core.root.generation;
	bool idle = seq == t->timer_seq;

	if (era != t->timer_era)
		t->timer_ticks = 0;
	t->timer_era = era;
	t->timer_seq = seq;
	return t->interval_ms != TRIAD_DEFAULT_INTERVAL_MS || idle ||
	       ++t->timer_ticks >= MAX_TICKS;
}

void triad_committer_timer(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, timer.work);

	/*
	 * Who only opens and reads leaves the disk as it is, also with a log: a system may
	 * wait to go on from a memory image, and its initramfs opens the device before.
	 */
	mutex_lock(&t->lock);
	if (t->core.session && is_due(t))
		queue_work(t->commit_wq, &t->commit_work);
	mutex_unlock(&t->lock);
	queue_delayed_work(t->commit_wq, &t->timer, msecs_to_jiffies(t->interval_ms));
}

/* ---- the host of the core's commit -------------------------------------------- */

static struct triad *triad_of(struct triad_commit_host *host)
{
	return container_of(host, struct triad, commit_host);
}

static void lock_core(struct triad_commit_host *host)
{
	mutex_lock(&triad_of(host)->lock);
}

static void unlock_core(struct triad_commit_host *host)
{
	struct triad *t = triad_of(host);

	triad_status_note(t);
	mutex_unlock(&t->lock);
}

static void submit_intent(struct triad_commit_host *host)
{
	struct triad *t = triad_of(host);
	struct triad_write *w = t->announce;

	lockdep_assert_held(&t->lock);
	list_add_tail(&w->list, &t->in_flight);
	w->durable = false;
	atomic64_inc(&t->stats.records);
	trace_record_submit(triad_devt(t), w->rec.seq, 0, false);
	triad_io_record(t, w, 0);
}

static int wait_published(struct triad_commit_host *host, u64 seq)
{
	struct triad *t = triad_of(host);

	const struct triad_order *order = &t->core.order;
	int r;

	triad_write_kick(t);
	mutex_lock(&t->lock);
	wait_event_cmd(t->wait, order->published >= seq || t->mode != TRIAD_MODE_RW,
		       mutex_unlock(&t->lock), mutex_lock(&t->lock));
	r = order->published >= seq ? 0 : -EIO;
	mutex_unlock(&t->lock);
	return r;
}

static void view_changed(struct triad_commit_host *host)
{
	triad_view_publish(triad_of(host));
}

/*
 * What failed beside the commit ends it.  Above all its root is not written after a
 * flush that failed: what was lost then may be of it.
 */
static int go_on(struct triad_commit_host *host, enum triad_commit_step step)
{
	return triad_mode(triad_of(host)) == TRIAD_MODE_RW ? 0 : -EIO;
}

static bool try_again(struct triad_commit_host *host, u32 nr, int error)
{
	struct triad *t = triad_of(host);

	if (nr >= ROOT_TRIES)
		return false;
	DMWARN("%s: writing the root in slot %d failed (%d), trying again",
	       triad_name(t), t->core.commit.slot, error);
	msleep(ROOT_RETRY_MS);
	return triad_mode(t) == TRIAD_MODE_RW;
}

void triad_committer_init(struct triad *t)
{
	t->commit_host = (struct triad_commit_host) {
		.intent = &t->announce->rec,
		.intent_block = t->announce->buffer,
		.lock = lock_core,
		.unlock = unlock_core,
		.submit = submit_intent,
		.wait_published = wait_published,
		.view_changed = view_changed,
		.step = go_on,
		.try_again = try_again,
	};
}

/* ---- the worker ------------------------------------------------------------------ */

/*
 * All that was promised still fits, but intervals get short and writers wait for
 * commits: say so once, so that somebody may discard.
 */
static void watch_space(struct triad *t)
{
	/* what is kept for a follower is given up first */
	u64 left = triad_space_available(&t->core.space) + t->core.space.keep.nr_blocks;
	bool low = left < triad_geometry_reserve(&t->core.geo);

	if (low && !t->low_space) {
		DMWARN("%s: nearly full, %llu blocks are free: overwriting gets slower",
		       triad_name(t), left);
		dm_table_event(t->ti->table);
	}
	t->low_space = low;
}

static bool is_wanted(const struct triad *t)
{
	return t->active && t->mode == TRIAD_MODE_RW && !READ_ONCE(t->store_error) &&
	       (t->commit_forced || triad_commit_needed(&t->core, t->closing));
}

void triad_committer_work(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, commit_work);
	unsigned int noio = memalloc_noio_save();
	struct blk_plug plug;
	bool wanted;
	int r = 0;

	if (triad_hibernate_holds()) {
		memalloc_noio_restore(noio);
		return;
	}
	wait_event(t->wait, !atomic_read(&t->slow_reads));
	/* lookups that saw the spare index before the last commit landed are over */
	cond_synchronize_rcu(t->view_grace);
	blk_start_plug(&plug);
	mutex_lock(&t->lock);
	wanted = is_wanted(t);
	t->commit_forced = false;
	if (wanted) {
		trace_commit_begin(triad_devt(t), t->core.root.generation + 1,
				   t->core.space.nr_taken);
		r = triad_commit_run(&t->core, t->closing, &t->commit_host);
		trace_commit_end(triad_devt(t), t->core.root.generation,
				 t->core.commit.adds.nr -
				 (u32)t->core.commit.update.nr_data_added, r);
	}
	if (wanted)
		t->abandoned = r ? t->abandoned + 1 : 0;
	if (r && READ_ONCE(t->store_error) != -ECANCELED)
		triad_worsen(t, "a commit failed", r);
	else if (wanted && !r && (!bio_list_empty(&t->todo) || t->nr_discards) &&
		 !t->core.space.nr_lent && ++t->starved > MAX_STARVED)
		triad_worsen(t, "commits made no room", -ENOSPC);
	triad_watch_slots(t);
	triad_follow_given_up(t);
	if (wanted && !r) {
		atomic64_inc(&t->stats.commits);
		watch_space(t);
		WRITE_ONCE(t->no_room, false);	/* the log worker looks again */
	}
	mutex_unlock(&t->lock);
	blk_finish_plug(&plug);
	t->view_grace = get_state_synchronize_rcu();
	WRITE_ONCE(t->commit_runs, t->commit_runs + 1);
	wake_up(&t->wait);
	triad_write_kick(t);
	memalloc_noio_restore(noio);
}

#define LOOK_MS		10

/*
 * device-mapper's suspend waits for messages: one that waits for a commit goes when another
 * instance is to take over.
 */
static bool wait_for_work(struct triad *t, bool closing)
{
	unsigned long nr = READ_ONCE(t->commit_runs);

	if (closing) {
		flush_work(&t->commit_work);
		return true;
	}
	while (work_busy(&t->commit_work) && READ_ONCE(t->commit_runs) == nr &&
	       !READ_ONCE(t->handover))
		wait_event_timeout(t->wait, READ_ONCE(t->handover), msecs_to_jiffies(LOOK_MS));
	return !READ_ONCE(t->handover);
}

int triad_committer_wait(struct triad *t, bool closing)
{
	mutex_lock(&t->lock);
	if (closing)	/* and stays so: a message may come at any time */
		t->closing = true;
	mutex_unlock(&t->lock);
	/* a commit that runs already does not cover what came after its freeze */
	if (!wait_for_work(t, closing))
		return -EAGAIN;
	queue_work(t->commit_wq, &t->commit_work);
	if (!wait_for_work(t, closing))
		return -EAGAIN;
	return triad_mode(t) == TRIAD_MODE_RW ? 0 : -EIO;
}
