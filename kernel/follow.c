// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who follows the log: a daemon that ships it, by the messages "notify", "flush", "keep"
 * and "read_only".  Nothing in the write path waits for it; but see sync.c.
 *
 * What it reads on the disk it has read if the status says so afterwards: the record is
 * still kept.  So the status is brought up to date before a block that was kept is written
 * to, and not when the lock is given back.
 */
#include "triad.h"

static const char fenced[] = "fenced";

void triad_follow_durable(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	if (!t->notify || !triad_order_is_durable(&t->core.order, t->notify))
		return;
	t->notify = 0;
	triad_status_note(t);
	dm_table_event(t->ti->table);
}

/* Two may ask: none of them waits in vain. */
int triad_follow_notify(struct triad *t, const char *text)
{
	u64 seq;
	int r = kstrtou64(text, 10, &seq);

	if (r)
		return r;
	mutex_lock(&t->lock);
	if (t->active)
		t->notify = min(seq ?: 1, t->notify ?: U64_MAX);
	else
		r = -EAGAIN;
	triad_follow_durable(t);
	mutex_unlock(&t->lock);
	return r;
}

int triad_follow_keep(struct triad *t, const char *text)
{
	u64 seq = TRIAD_KEEP_NONE;
	int r = strcasecmp(text, "none") ? kstrtou64(text, 10, &seq) : 0;

	if (r)
		return r;
	mutex_lock(&t->lock);
	if (t->active)
		triad_keep_from(&t->core, seq);
	else
		r = -EAGAIN;
	triad_status_note(t);
	mutex_unlock(&t->lock);
	return r;
}

void triad_follow_given_up(struct triad *t)
{
	const struct triad_keep *keep = &t->core.space.keep;

	lockdep_assert_held(&t->lock);
	if (keep->nr_given_up == t->nr_given_up_said)
		return;
	t->nr_given_up_said = keep->nr_given_up;
	DMINFO("%s: the log before record %llu is not kept any more, for want of room: whoever follows it has to go on with a difference. The device is well",
	       triad_name(t), triad_keep_first(&t->core));
	triad_status_note(t);
	dm_table_event(t->ti->table);
}

int triad_follow_flush(struct triad *t)
{
	int r = 0;

	mutex_lock(&t->lock);
	if (t->active && t->mode == TRIAD_MODE_RW)
		t->flush_wanted = triad_order_flush_begin(&t->core.order);
	else
		r = t->active ? -EROFS : -EAGAIN;
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	return r;
}

int triad_follow_fence(struct triad *t)
{
	int r = 0;

	mutex_lock(&t->lock);
	if (t->active)
		triad_worsen_to(t, TRIAD_MODE_RO, fenced, t->why_error);
	else
		r = -EAGAIN;
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	return r;
}

void triad_follow_end(struct triad *t)
{
	bool followed = t->notify || t->core.space.keep.from != TRIAD_KEEP_NONE ||
			t->why == fenced;

	lockdep_assert_held(&t->lock);
	t->notify = t->flush_wanted = 0;
	t->nr_given_up_said = 0;
	if (followed)
		dm_table_event(t->ti->table);
}
