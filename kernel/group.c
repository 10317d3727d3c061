// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Group commit (DeWitt and others, "Implementation techniques for main memory database
 * systems", 1984): several writers that flush each of their writes share one record and
 * one flush.
 *
 * If every write of some records in a row had a flush behind it, so will the next, and the
 * record is written with FUA: the flushes that come find nothing to do.  Its writers come
 * back soon, each with a write, and the next record waits for them: else they would
 * fall apart into those that wait for one record and those that wait for the next.  It waits
 * as long as one after the other comes, with no longer a pause than that record took; who
 * waits in vain has lost no more than that, and soon nobody is waited for any more.
 */
#include "triad.h"

/* Records in a row that were flushed. */
#define SURE		4		/* the next one will be, too */
#define MOST		16		/* more are not counted */
#define DISAPPOINTED	8		/* so many less after a writer that was waited for in vain; */
#define NOT_SURE	(-64)		/* ... if that leaves too few, it begins here */

#define MAX_PAUSE	(5 * NSEC_PER_MSEC)

static enum hrtimer_restart group_timer(struct hrtimer *timer)
{
	struct triad_group *g = container_of(timer, struct triad_group, timer);
	struct triad *t = container_of(g, struct triad, group);
	enum hrtimer_restart again = HRTIMER_NORESTART;
	unsigned long flags;

	spin_lock_irqsave(&t->queue_lock, flags);
	if (hrtimer_is_queued(timer) || !g->awaited) {
		/* started anew just now, or over */
	} else if (g->came) {
		g->came = false;
		hrtimer_forward_now(timer, ns_to_ktime(g->pause_ns));
		again = HRTIMER_RESTART;
	} else {
		g->strayed = true;
		WRITE_ONCE(g->awaited, 0);
		triad_write_kick(t);
	}
	spin_unlock_irqrestore(&t->queue_lock, flags);
	return again;
}

void triad_group_init(struct triad *t)
{
	triad_hrtimer_setup(&t->group.timer, group_timer);
}

void triad_group_stop(struct triad *t)
{
	hrtimer_cancel(&t->group.timer);
	t->group.awaited = 0;
	t->group.sure = 0;
}

void triad_group_came(struct triad *t, struct bio *bio)
{
	struct triad_group *g = &t->group;
	bool is_flush = !triad_bio(bio)->nr;

	lockdep_assert_held(&t->queue_lock);
	if (is_flush || bio->bi_opf & REQ_FUA)
		g->asked++;
	g->came = true;
	if (g->awaited && !is_flush)
		WRITE_ONCE(g->awaited, g->awaited - 1);
}

/*
 * Was every write flushed that has ended since the last look?  Where two records are in flight
 * in turn the flush comes when the next one has ended, too.
 */
static void look(struct triad *t, struct triad_group *g)
{
	u32 asked, ended = min(g->ended, g->ended_before);
	unsigned long flags;
	bool strayed;

	spin_lock_irqsave(&t->queue_lock, flags);
	asked = g->asked;
	strayed = g->strayed;
	g->asked = 0;
	g->strayed = false;
	spin_unlock_irqrestore(&t->queue_lock, flags);
	g->ended_before = g->ended;
	g->ended = 0;

	if (strayed)
		g->sure = g->sure - DISAPPOINTED >= SURE ? g->sure - DISAPPOINTED : NOT_SURE;
	else if (asked && asked >= ended)
		g->sure = min(g->sure + 1, MOST);
	else
		g->sure = min(g->sure, 0);
}

bool triad_group_send(struct triad *t, struct triad_write *w)
{
	struct triad_group *g = &t->group;

	if (g->ended)
		look(t, g);
	w->grouped = g->sure >= SURE;
	if (w->grouped)
		w->begun = ktime_get_ns();
	return w->grouped;
}

void triad_group_end(struct triad *t, const struct triad_write *w)
{
	struct triad_group *g = &t->group;
	unsigned long flags;

	g->ended += w->nr_bios;
	/* a lone writer is not missed by anybody */
	if (!w->grouped || !w->durable ||
	    w->nr_bios + READ_ONCE(t->queue_blocks) + t->todo_blocks < 2)
		return;
	spin_lock_irqsave(&t->queue_lock, flags);
	WRITE_ONCE(g->awaited, g->awaited + w->nr_bios);
	g->came = false;
	g->pause_ns = min_t(u64, ktime_get_ns() - w->begun, MAX_PAUSE);
	hrtimer_start(&g->timer, ns_to_ktime(g->pause_ns), HRTIMER_MODE_REL);
	spin_unlock_irqrestore(&t->queue_lock, flags);
}
