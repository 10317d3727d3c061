// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log: bios become records, records become visible and acknowledged in
 * their order, flushes make them durable.
 *
 * One worker does all of it, a pass at a time under t->lock, so there is no
 * other order than the log's.  Completions only mark what has ended and wake it.
 */
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "trace.h"
#include "triad.h"

/*
 * With a record in flight, bios are gathered until so many blocks wait, or have come
 * since the worker looked: many small writes share a header, while large ones keep the
 * device busy.
 */
#define GATHER_BLOCKS	64

#define MAX_VOID	256	/* discards that need no record, in a row */

#define SLEEPER		4	/* writes in a row with a sleep before each: it waits for them */
#define ALONE		4	/* records of one bio in a row: so will the next be */

int triad_write_init(struct triad *t)
{
	int i;

	INIT_LIST_HEAD(&t->in_flight);
	INIT_LIST_HEAD(&t->idle);
	for (i = 0; i <= TRIAD_NR_WRITES; i++) {
		struct triad_write *w = &t->writes[i];

		w->triad = t;
		/* the one for commits carries a header alone */
		w->buffer = i == TRIAD_NR_WRITES ? vzalloc(TRIAD_BLOCK_SIZE) :
			vzalloc((TRIAD_RECORD_MAX_BLOCKS + 1) * TRIAD_BLOCK_SIZE);
		if (!w->buffer)
			return -ENOMEM;
		w->blocks[0] = w->buffer;
		bio_list_init(&w->bios);
		if (i < TRIAD_NR_WRITES)
			list_add_tail(&w->list, &t->idle);
		else
			t->announce = w;
	}
	return 0;
}

void triad_write_exit(struct triad *t)
{
	int i;

	for (i = 0; i <= TRIAD_NR_WRITES; i++)
		vfree(t->writes[i].buffer);
}

void triad_write_start(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	t->flushing = false;
	t->starved = 0;
	t->no_room = false;
	t->nr_rotten = t->core.space.nr_rotten;
	triad_sync_start(t);
}

/*
 * A submitter that sleeps until its write has ended leaves its CPU to the worker: nothing is
 * faster than to stay there.  One that goes on would wait for it, or it for him.  So several
 * passes may be under way, of which t->lock lets one do its work.
 */
static bool is_sleeper(const struct triad *t)
{
	return READ_ONCE(t->nr_slept) >= SLEEPER;
}

void triad_write_kick(struct triad *t)
{
	queue_work(is_sleeper(t) ? t->log_wq : t->log_any_wq, &t->log_work);
}

void triad_write_drain(struct triad *t)
{
	/* a turn in a submitter's context, see write_at_once */
	mutex_lock(&t->lock);
	mutex_unlock(&t->lock);
	flush_workqueue(t->log_wq);
	flush_workqueue(t->log_any_wq);
}

/* Of several submitters at a time it tells little, and then little depends on it. */
static void watch_submitter(struct triad *t)
{
	unsigned long nr = current->nvcsw;

	if (READ_ONCE(t->submitter) != current)
		WRITE_ONCE(t->submitter, current);
	else if (READ_ONCE(t->submitter_nvcsw) == nr)
		WRITE_ONCE(t->nr_slept, 0);
	else if (READ_ONCE(t->nr_slept) < SLEEPER)
		WRITE_ONCE(t->nr_slept, READ_ONCE(t->nr_slept) + 1);
	WRITE_ONCE(t->submitter_nvcsw, nr);
}

static bool is_discard(const struct bio *bio)
{
	return bio_op(bio) == REQ_OP_DISCARD || bio_op(bio) == REQ_OP_WRITE_ZEROES;
}

static void enqueue(struct triad *t, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&t->queue_lock, flags);
	bio_list_add(triad_bio(bio)->nr ? &t->queue : &t->flush_queue, bio);
	WRITE_ONCE(t->queue_blocks, t->queue_blocks + triad_bio(bio)->nr);
	triad_group_came(t, bio);
	spin_unlock_irqrestore(&t->queue_lock, flags);
}

static struct bio_list empty_queue(struct triad *t)
{
	struct bio_list list;
	unsigned long flags;

	spin_lock_irqsave(&t->queue_lock, flags);
	list = t->queue;
	bio_list_init(&t->queue);
	WRITE_ONCE(t->queue_blocks, 0);
	spin_unlock_irqrestore(&t->queue_lock, flags);
	return list;
}

/* Many small ones share a record while another one is under way, or others are to come. */
static bool has_time(const struct triad *t)
{
	return !list_empty(&t->in_flight) || triad_group_is_awaited(t);
}

/*
 * The record in flight kicks the worker when it ends, or who comes last of a group does, and
 * few writes wait for that.  Asked behind queue_lock: either the worker has yet to empty the
 * queue, or what it did before is seen here.  Who makes it leave the queue alone (hibernate.c)
 * kicks it later.
 */
static bool is_looked_for(struct triad *t)
{
	return has_time(t) && READ_ONCE(t->queue_blocks) < GATHER_BLOCKS;
}

static void take_queue(struct triad *t);
static bool build(struct triad *t);

/*
 * The worker's turn, in the context of a lone submitter that sleeps until its write has ended:
 * the worker need not wake up for it.  Nothing of it may wait, for the record, one bio, leaves when
 * device-mapper is done with this write.  Several would have less company.
 */
static bool write_at_once(struct triad *t)
{
	unsigned int noio;
	bool done = false;

	if (READ_ONCE(t->nr_alone) < ALONE || !is_sleeper(t) || !mutex_trylock(&t->lock))
		return false;
	noio = memalloc_noio_save();
	if (triad_mode(t) == TRIAD_MODE_RW && list_empty(&t->in_flight) && !triad_hibernate_holds()) {
		take_queue(t);
		done = t->todo_blocks && !t->nr_discards &&
		       triad_log_at_hand(&t->core, t->todo_blocks) && build(t);
	}
	if (done)
		triad_status_note(t);
	memalloc_noio_restore(noio);
	mutex_unlock(&t->lock);
	return done;
}

void triad_write_queue(struct triad *t, struct bio *bio)
{
	bool is_write = triad_bio(bio)->nr && !is_discard(bio);

	enqueue(t, bio);		/* it may be over and gone now */
	if (!is_write || !(is_looked_for(t) || write_at_once(t)))
		triad_write_kick(t);
}

static void flush(struct triad *t);

/* Nothing of it waits for anything: if the worker is idle, it need not wake up for that. */
static void flush_bio(struct triad *t, struct bio *bio)
{
	if (triad_mode(t) != TRIAD_MODE_RW || !mutex_trylock(&t->lock)) {
		triad_write_queue(t, bio);
		return;
	}
	enqueue(t, bio);
	flush(t);
	mutex_unlock(&t->lock);
}

/* More than that a record is written. */
static bool has_to_wait(const struct triad *t)
{
	return READ_ONCE(t->no_room) || READ_ONCE(t->handover) ||
	       triad_mode(t) == TRIAD_MODE_HOLD || triad_hibernate_holds();
}

int triad_write_bio(struct triad *t, struct bio *bio)
{
	struct triad_bio *tb = triad_bio(bio);
	u32 nr = bio_sectors(bio) / TRIAD_SECTORS_PER_BLOCK;

	if (nr && triad_mode(t) > TRIAD_MODE_HOLD)
		return DM_MAPIO_KILL;
	if (nr && triad_hibernate_refuses(t))
		return DM_MAPIO_KILL;
	if (nr && triad_must_not_wait(bio) && has_to_wait(t)) {
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	/* between presuspend and the end of the wait for what is under way, and no longer */
	if (nr && READ_ONCE(t->handover) && dm_noflush_suspending(t->ti))
		return DM_MAPIO_REQUEUE;
	if (nr)
		watch_submitter(t);
	tb->overwritten = false;
	tb->nr = is_discard(bio) ? triad_log_step(tb->lba, nr) :
		 min_t(u32, nr, TRIAD_RECORD_MAX_BLOCKS);
	if (tb->nr < nr)
		dm_accept_partial_bio(bio, triad_sector(tb->nr));
	if (tb->nr && is_discard(bio))
		triad_discard_bio(t, bio);
	else if (tb->nr)
		triad_payload_bio(t, bio);
	else
		flush_bio(t, bio);
	return DM_MAPIO_SUBMITTED;
}

void triad_write_end(struct bio *bio, blk_status_t status)
{
	triad_payload_free(triad_bio(bio)->triad, bio);
	bio->bi_status = status;
	bio_endio(bio);
}

void triad_write_end_all(struct bio_list *list, blk_status_t status)
{
	struct bio *bio;

	while ((bio = bio_list_pop(list)))
		triad_write_end(bio, status);
}

/* The record of these bios will not be: they fail, or wait for the disk to come back. */
static void fail_or_hold(struct triad *t, struct bio_list *list)
{
	if (t->mode == TRIAD_MODE_HOLD) {
		bio_list_merge(&t->held, list);
		bio_list_init(list);
	} else {
		triad_write_end_all(list, BLK_STS_IOERR);
	}
}

bool triad_write_refuse(struct triad *t)
{
	struct bio_list refused = empty_queue(t);
	bool any = !bio_list_empty(&refused);

	triad_write_end_all(&refused, BLK_STS_IOERR);
	return any;
}

/* ---- building records -------------------------------------------------------------- */

/*
 * Whose turn it is: a discard or a write.  Nothing waits for long: a write goes before
 * discards that do not concern it, but not before two records of them in a row.
 */
static struct bio *choose(struct triad *t)
{
	struct bio *bio = bio_list_peek(&t->todo);
	struct triad_bio *w = bio ? triad_bio(bio) : NULL;
	struct triad_bio *d = w ? triad_discard_before(t, w) : NULL;

	if (!d && (!w || t->discards_turn))
		d = triad_discard_next(t, w);
	return d ? d->bio : bio;
}

/* What may follow it in the same record, or NULL. */
static struct bio *choose_same(struct triad *t, bool discard)
{
	struct bio *bio = bio_list_peek(&t->todo);
	struct triad_bio *w = bio ? triad_bio(bio) : NULL, *d;

	if (!discard)
		return w && !triad_discard_before(t, w) ? bio : NULL;
	d = triad_discard_next(t, w);
	return d ? d->bio : NULL;
}

/*
 * Can this bio go into a new record?  leaves: those that a discard gives back.  Discards
 * leave the last quarter of an interval to writes.
 */
static bool has_room(struct triad *t, const struct bio *bio, u32 leaves)
{
	struct triad_bio *tb = triad_bio((struct bio *)bio);
	u32 covered;
	bool fits;

	if (is_discard(bio))
		fits = !triad_log_is_long(&t->core) &&
		       triad_log_room(&t->core, 0,
				      triad_index_discard_cost(&t->core.geo, tb->lba, tb->nr,
							       &covered), leaves);
	else
		fits = triad_log_room(&t->core, tb->nr, tb->nr, 0);
	triad_follow_given_up(t);
	return fits;
}

/* Does it fit the record that is being built? */
static bool fits(const struct triad_record *rec, struct bio *bio)
{
	return is_discard(bio) ? rec->nr_extents < TRIAD_RECORD_MAX_RANGES :
		triad_record_fits(rec, triad_bio(bio)->nr);
}

static int add_bio(struct triad *t, struct triad_write *w, struct bio *bio, u32 leaves)
{
	struct triad_bio *tb = triad_bio(bio);
	struct triad_record *rec = &w->rec;
	u32 first = rec->nr_blocks;
	int r;

	bio_list_add(&w->bios, bio);
	w->nr_bios++;
	if (is_discard(bio)) {
		triad_log_discard(&t->core, rec, tb->lba, tb->nr, leaves);
		return 0;
	}
	r = triad_log_write(&t->core, rec, tb->lba, tb->nr);
	if (r)
		return r;
	triad_payload_add(w, bio, first);
	atomic64_add((u64)tb->nr * TRIAD_BLOCK_SIZE, &t->stats.user_written);
	return 0;
}

/* From the queue: it is to go into a record. */
static void take(struct triad *t, struct bio *bio)
{
	triad_bio(bio)->arrival = ++t->arrivals;
	if (is_discard(bio)) {
		triad_discard_add(t, triad_bio(bio));
	} else {
		bio_list_add(&t->todo, bio);
		t->todo_blocks += triad_bio(bio)->nr;
	}
}

static void take_queue(struct triad *t)
{
	struct bio_list fresh = empty_queue(t);
	struct bio *bio;

	while ((bio = bio_list_pop(&fresh)))
		take(t, bio);
}

/* It goes into a record now, or needs none. */
static void leave_queue(struct triad *t, struct bio *bio)
{
	if (is_discard(bio)) {
		triad_discard_del(t, triad_bio(bio));
	} else {
		bio_list_pop(&t->todo);
		t->todo_blocks -= triad_bio(bio)->nr;
	}
}

static bool gathers(const struct triad *t, const struct bio *bio)
{
	return has_time(t) &&
	       (is_discard(bio) ? t->nr_discards : t->todo_blocks) < GATHER_BLOCKS;
}

/*
 * Discards that change nothing are over at once; the next bio that needs a record, or
 * NULL.  After many of them flushes and new writes have their turn.
 */
static struct bio *skip_void(struct triad *t, struct bio *bio, bool discard)
{
	u32 nr = 0;

	while (bio && is_discard(bio) && triad_discard_is_void(t, triad_bio(bio))) {
		if (nr++ == MAX_VOID) {
			triad_write_kick(t);
			return NULL;
		}
		leave_queue(t, bio);
		triad_write_end(bio, BLK_STS_OK);
		bio = discard ? choose_same(t, true) : choose(t);
	}
	return bio;
}

/*
 * A bio that a new record may begin with, or NULL: a commit must make room first.  An
 * interval that can take no more discards still takes writes; the next one begins with
 * the discard.
 */
static struct bio *admit(struct triad *t, struct bio *bio, u32 *leaves)
{
	struct bio *w;

	*leaves = is_discard(bio) ? triad_discard_leaves(t, triad_bio(bio)) : 0;
	if (has_room(t, bio, *leaves))
		return bio;
	triad_committer_ask(t, true);
	if (is_discard(bio) && (triad_log_is_long(&t->core) || has_room(t, bio, 0))) {
		w = choose_same(t, false);
		if (!w || has_room(t, w, 0))
			return w;
	}
	WRITE_ONCE(t->no_room, true);
	return NULL;
}

/* Somebody has asked for it, or will as soon as the record is there. */
static bool is_to_be_durable(struct triad *t, struct triad_write *w)
{
	struct bio *bio;

	if (triad_group_send(t, w))
		return true;
	bio_list_for_each(bio, &w->bios)
		if (bio->bi_opf & REQ_FUA)
			return true;
	return false;
}

static void submit(struct triad *t, struct triad_write *w)
{
	list_move_tail(&w->list, &t->in_flight);
	atomic64_inc(&t->stats.records);
	WRITE_ONCE(t->nr_alone, w->nr_bios == 1 ? min(t->nr_alone + 1, ALONE) : 0);
	/* on top of a durable log FUA makes the record durable without a flush */
	w->durable = is_to_be_durable(t, w) && w->rec.nr_runs <= 1 &&
		     triad_order_fua_suffices(&t->core.order, w->rec.seq);
	trace_record_submit(triad_devt(t), w->rec.seq, w->rec.nr_blocks, w->durable);
	triad_io_record(t, w, w->durable ? REQ_FUA : 0);
}

/*
 * Rule 4: a rotten plane of c was rebuilt, and with one of b, b counts as lost.
 * A commit writes it anew, or moves the letters on.
 */
static void watch_planes(struct triad *t)
{
	if (t->core.space.nr_rotten == t->nr_rotten)
		return;
	t->nr_rotten = t->core.space.nr_rotten;
	DMWARN("%s: a damaged space bitmap was found and is replaced; no data is affected",
	       triad_name(t));
	dm_table_event(t->ti->table);
	triad_committer_ask(t, true);
}

static void end_queued(struct triad *t, blk_status_t status)
{
	struct triad_bio *d;

	triad_write_end_all(&t->todo, status);
	t->todo_blocks = 0;
	while ((d = triad_discard_next(t, NULL))) {
		leave_queue(t, d->bio);
		triad_write_end(d->bio, status);
	}
}

/* What comes behind this, by way of a lookup, is taken into the log as ever. */
void triad_write_requeue(struct triad *t)
{
	lockdep_assert_held(&t->lock);
	take_queue(t);
	end_queued(t, BLK_STS_DM_REQUEUE);
}

/* One record out of the bios that wait.  False: wait for something first. */
static bool build(struct triad *t)
{
	struct bio *bio = skip_void(t, choose(t), false);
	struct triad_write *w = NULL;
	bool discard;
	u32 leaves;
	int r;

	if (!bio || list_empty(&t->idle) || gathers(t, bio))
		return false;
	if (!t->core.session && t->core.frozen)
		return false;	/* the pointer of c must not move under a commit */
	bio = admit(t, bio, &leaves);
	if (!bio || gathers(t, bio))
		return false;
	t->starved = 0;
	WRITE_ONCE(t->no_room, false);
	t->commit_forced = false;
	r = triad_log_start(&t->core);
	if (r)
		goto err;
	w = list_first_entry(&t->idle, struct triad_write, list);
	w->nr_bios = 0;
	discard = is_discard(bio);
	triad_log_begin(&t->core, &w->rec, discard ? TRIAD_RECORD_DISCARD : 0);
	do {
		leave_queue(t, bio);
		r = add_bio(t, w, bio, leaves);
		if (r)
			goto err;
		bio = skip_void(t, choose_same(t, discard), true);
		if (bio && discard)
			leaves = triad_discard_leaves(t, triad_bio(bio));
	} while (bio && has_room(t, bio, leaves) && fits(&w->rec, bio));
	t->discards_turn = !discard;
	r = triad_log_seal(&t->core, &w->rec, w->buffer);
	if (r)
		goto err;
	submit(t, w);
	watch_planes(t);
	triad_watch_slots(t);
	if (triad_log_is_long(&t->core))
		triad_committer_ask(t, false);
	return true;

err:
	triad_worsen(t, "the log cannot be written", r);
	if (w)
		fail_or_hold(t, &w->bios);
	return false;
}

/*
 * A record with nothing in it: who looks at the disk sees that it is open here.  Without room
 * for it the commit that makes room is seen.
 */
static void beat(struct triad *t)
{
	struct triad_write *w;
	int r;

	if (!t->beat_due || list_empty(&t->idle) || (!t->core.session && t->core.frozen))
		return;
	t->beat_due = false;
	if (t->core.next_seq != t->beat_seq)
		return;
	if (!triad_log_room(&t->core, 0, 0, 0)) {
		triad_committer_ask(t, true);
		return;
	}
	w = list_first_entry(&t->idle, struct triad_write, list);
	w->nr_bios = 0;
	r = triad_log_start(&t->core);
	if (!r) {
		triad_log_begin(&t->core, &w->rec, 0);
		r = triad_log_seal(&t->core, &w->rec, w->buffer);
	}
	if (r)
		triad_worsen(t, "the log cannot be written", r);
	else
		submit(t, w);
}

/* ---- publishing ------------------------------------------------------------------------ */

/* Such a one may not be sent again: see hold.c. */
static void note_overwritten(struct triad *t, struct bio *by)
{
	const struct triad_bio *w = triad_bio(by);
	struct bio *bio;

	bio_list_for_each(bio, &t->waiting) {
		struct triad_bio *tb = triad_bio(bio);

		if (tb->lba < w->lba + w->nr && w->lba < tb->lba + tb->nr)
			tb->overwritten = true;
	}
}

static void acknowledge(struct triad *t, struct triad_write *w)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&w->bios))) {
		if (bio->bi_opf & REQ_FUA && !triad_sync_is_safe(t, w->rec.seq)) {
			triad_bio(bio)->needs = w->rec.seq;
			bio_list_add(&t->waiting, bio);
			triad_payload_free(t, bio);
		} else {
			if (t->hold || t->sync)
				note_overwritten(t, bio);
			triad_write_end(bio, BLK_STS_OK);
		}
	}
}

/* Rule 7: in record order, and nothing behind a record that failed. */
static void publish(struct triad *t)
{
	struct triad_write *w, *next;
	bool any = false;
	int r;

	list_for_each_entry_safe(w, next, &t->in_flight, list) {
		if (!smp_load_acquire(&w->done))	/* before w->status */
			break;
		r = blk_status_to_errno(w->status);
		r = triad_log_publish(&t->core, &w->rec, r);
		trace_record_publish(triad_devt(t), w->rec.seq, r);
		if (r) {
			triad_worsen(t, "a log record could not be written", r);
			fail_or_hold(t, &w->bios);
		} else {
			/* see end_flush */
			if (w->durable && !READ_ONCE(t->store_error))
				triad_order_made_durable(&t->core.order, w->rec.seq);
			triad_group_end(t, w);
			acknowledge(t, w);
		}
		if (w == t->announce)
			list_del_init(&w->list);
		else
			list_move(&w->list, &t->idle);
		any = true;
	}
	if (any)
		wake_up(&t->wait);
}

/* ---- flushing ---------------------------------------------------------------------------- */

static void flush_endio(struct bio *bio)
{
	struct triad *t = bio->bi_private;

	rcu_read_lock();		/* see record_put */
	smp_store_release(&t->flush_done, true);	/* after the bio's status */
	triad_write_kick(t);
	rcu_read_unlock();
}

static void end_flush(struct triad *t)
{
	int r;

	/* pairs with flush_endio: the bio's status is there */
	if (!t->flushing || !smp_load_acquire(&t->flush_done))
		return;
	WRITE_ONCE(t->flushing, false);
	r = blk_status_to_errno(t->flush_bio.bi_status);
	bio_uninit(&t->flush_bio);
	trace_flush(triad_devt(t), false, ktime_get_ns() - t->flush_begun, r);
	/* a lost write may have been told to a flush of the commit, and to that one alone */
	if (!r)
		r = READ_ONCE(t->store_error);
	if (r)
		triad_worsen(t, "the device failed a flush", r);
	triad_order_flush_end(&t->core.order, t->flush_covers, r);
	wake_up(&t->wait);
}

/* One device flush serves all who wait; with nothing new to make durable it is free. */
static void flush(struct triad *t)
{
	struct bio_list fresh;
	unsigned long flags;
	struct bio *bio;
	u64 needs;

	end_flush(t);
	triad_follow_durable(t);
	spin_lock_irqsave(&t->queue_lock, flags);
	fresh = t->flush_queue;
	bio_list_init(&t->flush_queue);
	spin_unlock_irqrestore(&t->queue_lock, flags);
	while ((bio = bio_list_pop(&fresh))) {
		triad_bio(bio)->needs = triad_order_flush_begin(&t->core.order);
		bio_list_add(&t->waiting, bio);
	}
	/* who waits keeps the instance while its flush is under way */
	if (t->flushing)
		return;
	while ((bio = bio_list_peek(&t->waiting)) &&
	       triad_sync_is_safe(t, triad_bio(bio)->needs)) {
		bio_list_pop(&t->waiting);
		triad_write_end(bio, BLK_STS_OK);
	}
	if (triad_mode(t) == TRIAD_MODE_HOLD)
		return;
	if (triad_mode(t) != TRIAD_MODE_RW) {
		triad_write_end_all(&t->waiting, BLK_STS_IOERR);
		return;
	}
	needs = bio ? triad_bio(t->waiting.tail)->needs : 0;
	if (triad_order_is_durable(&t->core.order, max(needs, t->flush_wanted))) {
		if (bio)
			triad_sync_wait(t);
		return;
	}
	WRITE_ONCE(t->flushing, true);
	t->flush_done = false;
	t->flush_begun = ktime_get_ns();
	t->flush_covers = triad_order_flush_begin(&t->core.order);
	atomic64_inc(&t->stats.flushes);
	bio_init(&t->flush_bio, t->dev->bdev, NULL, 0, TRIAD_OP_FLUSH);
	t->flush_bio.bi_private = t;
	t->flush_bio.bi_end_io = flush_endio;
	submit_bio(&t->flush_bio);
}

void triad_writer_work(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, log_work);
	unsigned int noio = memalloc_noio_save();
	struct blk_plug plug;

	mutex_lock(&t->lock);
	blk_start_plug(&plug);
	publish(t);
	if (!triad_hibernate_holds()) {
		take_queue(t);
		while (triad_mode(t) == TRIAD_MODE_RW && build(t))
			;
		if (triad_mode(t) == TRIAD_MODE_RW)
			beat(t);
	}
	if (triad_mode(t) > TRIAD_MODE_HOLD)
		end_queued(t, BLK_STS_IOERR);
	flush(t);
	triad_hold_look(t);
	blk_finish_plug(&plug);
	triad_status_note(t);
	mutex_unlock(&t->lock);
	memalloc_noio_restore(noio);
}
