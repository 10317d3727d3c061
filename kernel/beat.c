// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Heartbeats, of a disk that other hosts reach, too: whoever wants to open it there looks for a while
 * whether the log or the roots move (triadsetup open --wait), and they do, also while nobody writes.
 * And it is looked whether somebody else has written roots.
 *
 * This is what ext4's multiple mount protection does with a block of its own.  It finds two that
 * use one disk by mistake; it keeps out nobody who was silent for longer than others wait.
 */
#include <linux/sched/mm.h>

#include "triad.h"

void triad_beat_work(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, beat.work);
	unsigned int noio = memalloc_noio_save();
	int r = 0;

	mutex_lock(&t->lock);
	if (t->mode == TRIAD_MODE_RW && !triad_hibernate_holds()) {
		/* a commit under way looks for itself, before its root is written */
		if (t->core.session && !t->core.frozen)
			r = triad_guard_check(&t->core);
		if (r)
			triad_worsen(t, "the roots were looked at", r);
		t->beat_due = t->core.next_seq == t->beat_seq;
		t->beat_seq = t->core.next_seq;
	}
	mutex_unlock(&t->lock);
	triad_write_kick(t);
	memalloc_noio_restore(noio);
	queue_delayed_work(t->log_any_wq, &t->beat, msecs_to_jiffies(t->heartbeat_ms));
}

/* The first one at once: from then on it is seen to be open. */
void triad_beat_start(struct triad *t)
{
	if (!t->heartbeat_ms)
		return;
	mutex_lock(&t->lock);
	t->beat_seq = t->core.next_seq;
	mutex_unlock(&t->lock);
	queue_delayed_work(t->log_any_wq, &t->beat, 0);
}

void triad_beat_stop(struct triad *t)
{
	cancel_delayed_work_sync(&t->beat);
	mutex_lock(&t->lock);
	t->beat_due = false;
	mutex_unlock(&t->lock);
}
