// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Synchronous replication: what waits to be durable waits for the replicas, too.  Who
 * follows the log says how far they are ("replicated"); what is done when no word
 * comes is the policy.  Writes without FUA never wait.
 *
 * Nothing else of the write path knows of it.  A flush of the disk is never held back, so
 * the record that a replica is waited for is durable here first.
 */
#include "triad.h"

bool triad_sync_is_safe(const struct triad *t, u64 seq)
{
	return triad_order_is_durable(&t->core.order, seq) &&
	       (t->sync == TRIAD_SYNC_OFF || t->sync_lags || seq <= t->replicated);
}

/* All that flushes have answered for is in a replica, also what they did not wait for then. */
static bool is_settled(const struct triad *t)
{
	return !t->sync_lags && t->replicated >= t->sync_target;
}

const char *triad_sync_state(const struct triad *t)
{
	return t->sync == TRIAD_SYNC_OFF ? "-" : t->sync_said ? "waits" :
	       is_settled(t) ? "yes" : "lags";
}

static void tell(struct triad *t)
{
	triad_status_note(t);
	dm_table_event(t->ti->table);
}

void triad_sync_wait(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	if (t->sync_said || delayed_work_pending(&t->sync_timer))
		return;
	t->sync_moved = false;
	schedule_delayed_work(&t->sync_timer, msecs_to_jiffies(t->sync_ms));
}

static void stall(struct triad *t)
{
	switch (t->sync) {
	case TRIAD_SYNC_OFF:
		return;
	case TRIAD_SYNC_BLOCK:
		t->sync_said = true;
		DMWARN("%s: flushes wait: for %u ms no replica has got further; the device is well, and they go on when one does, or by the message \"sync\"",
		       triad_name(t), t->sync_ms);
		tell(t);
		return;
	case TRIAD_SYNC_ASYNC:
		t->sync_lags = true;
		t->sync_target = U64_MAX;
		DMWARN("%s: flushes do not wait any more: for %u ms no replica has got further; they will again when one is up to date",
		       triad_name(t), t->sync_ms);
		tell(t);
		break;
	case TRIAD_SYNC_RO:
		triad_worsen_to(t, TRIAD_MODE_RO, "no replica has got further", -ETIMEDOUT);
		break;
	}
	triad_write_kick(t);
}

static void sync_timer(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, sync_timer.work);
	struct bio *bio;

	mutex_lock(&t->lock);
	bio = t->active && t->mode == TRIAD_MODE_RW ? bio_list_peek(&t->waiting) : NULL;
	/* else there is nothing, or it is the disk that is waited for */
	if (bio && triad_order_is_durable(&t->core.order, triad_bio(bio)->needs) &&
	    !triad_sync_is_safe(t, triad_bio(bio)->needs)) {
		if (t->sync_moved)
			triad_sync_wait(t);
		else if (!t->sync_said)
			stall(t);
	}
	mutex_unlock(&t->lock);
}

/*
 * What lags is up to date when it has all that is durable; under load it never has, so
 * all that was durable at some moment, if it came in less time than flushes may wait.
 */
static bool is_up_to_date(struct triad *t, u64 seq)
{
	u64 durable = t->core.order.durable;

	if (seq >= durable || (seq >= t->sync_target && time_before(jiffies, t->sync_target_until)))
		return true;
	if (seq >= t->sync_target || t->sync_target == U64_MAX) {
		t->sync_target = durable;
		t->sync_target_until = jiffies + msecs_to_jiffies(t->sync_ms);
	}
	return false;
}

int triad_sync_replicated(struct triad *t, const char *text)
{
	bool settled;
	u64 seq;
	int r = kstrtou64(text, 10, &seq);

	if (r)
		return r;
	mutex_lock(&t->lock);
	settled = is_settled(t);
	if (!t->active) {
		r = -EAGAIN;
	} else if (seq > t->core.order.durable) {
		r = -ERANGE;
	} else {
		if (seq > t->replicated) {
			t->replicated = seq;
			t->sync_moved = true;
			t->sync_said = false;
		}
		if (t->sync_lags && t->mode == TRIAD_MODE_RW && is_up_to_date(t, seq)) {
			t->sync_lags = false;
			t->sync_target = t->core.order.durable;
			DMINFO("%s: a replica is up to date: flushes wait for it", triad_name(t));
		}
		if (is_settled(t) != settled)
			tell(t);
	}
	triad_status_note(t);
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	return r;
}

/* Who was not asked to wait for a replica from the first write on begins without one. */
static void begin(struct triad *t)
{
	t->sync_lags = t->sync == TRIAD_SYNC_ASYNC || t->mode != TRIAD_MODE_RW;
	t->sync_target = t->sync_lags ? U64_MAX : 0;
	t->sync_said = false;
}

int triad_sync_set(struct triad *t, const char *word)
{
	enum triad_sync sync;
	int r = 0;

	if (!triad_params_sync(word, &sync))
		return -EINVAL;
	mutex_lock(&t->lock);
	if (t->active) {
		WRITE_ONCE(t->sync, sync);
		begin(t);
		/* what was answered under another policy */
		if (!t->sync_lags)
			t->sync_target = t->core.order.durable;
		triad_status_note(t);
	} else {
		r = -EAGAIN;
	}
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	return r;
}

void triad_sync_start(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	t->replicated = 0;
	begin(t);
}

void triad_sync_init(struct triad *t)
{
	INIT_DELAYED_WORK(&t->sync_timer, sync_timer);
}
