// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One mapped device in use: claimed, opened from its disk at resume, closed at suspend.
 */
#include <linux/sched/mm.h>

#include "trace.h"
#include "triad.h"

#define MAX_ABANDONED	2	/* commits in a row, for restarts: the next one must land */
#define PATIENCE_S	5	/* a suspend or resume that takes longer says so */
#define PATIENCE_AGAIN_S	30

/* ---- rule 12: one instance -------------------------------------------------- */

static DEFINE_MUTEX(instances_lock);
static LIST_HEAD(instances);

static int claim(struct triad *t)
{
	unsigned int i;
	int r;

	t->claim.nr = 0;
	t->claim.bdev[t->claim.nr++] = t->dev->bdev;
	for (i = 0; i < t->nr_root_dev; i++)
		if (t->root_dev[i])
			t->claim.bdev[t->claim.nr++] = t->root_dev[i]->bdev;
	r = triad_base_claim(&t->claim);
	if (r)
		return r;
	mutex_lock(&instances_lock);
	list_add(&t->instance, &instances);
	mutex_unlock(&instances_lock);
	return 0;
}

static void release(struct triad *t)
{
	mutex_lock(&instances_lock);
	list_del_init(&t->instance);
	mutex_unlock(&instances_lock);
	triad_base_release(&t->claim);
}

void triad_device_each(void (*fn)(struct triad *t))
{
	struct triad *t;

	mutex_lock(&instances_lock);
	list_for_each_entry(t, &instances, instance)
		fn(t);
	mutex_unlock(&instances_lock);
}

void triad_device_unmark(struct triad *t)
{
	struct triad *other;

	mutex_lock(&instances_lock);
	list_for_each_entry(other, &instances, instance)
		if (other != t && triad_md(other) == triad_md(t))
			WRITE_ONCE(other->crash, false);
	mutex_unlock(&instances_lock);
}

/* ---- mode --------------------------------------------------------------------- */

static void set_mode(struct triad *t, enum triad_mode mode, const char *why, int error)
{
	WRITE_ONCE(t->mode, mode);
	WRITE_ONCE(t->why, why);
	WRITE_ONCE(t->why_error, error);
}

void triad_worsen_to(struct triad *t, enum triad_mode mode, const char *why, int error)
{
	lockdep_assert_held(&t->lock);
	if (t->mode >= mode)
		return;
	set_mode(t, mode, why, error);
	trace_mode(triad_devt(t), mode, error, why);
	if (mode == TRIAD_MODE_HOLD)
		DMERR("%s: now held: %s (error %d). What was acknowledged is safe, and no user hears of it: writes and what fails wait. Once the disk is well: triadsetup restart; to let it fail: triadsetup fail",
		      triad_name(t), why, error);
	else if (error == -ESTALE)
		DMERR("%s: now read-only: somebody else wrote to the disk: the root in slot %d is not the one that was read or written here. Nothing more is written. Close the device, find who else uses the disk (another system, another device on it, a system that was resumed from hibernation), then run triadsetup check",
		      triad_name(t), t->core.stranger);
	else if (!error)
		DMWARN("%s: now read-only: %s, by a message. What was acknowledged is safe; the next instance may write again",
		       triad_name(t), why);
	else
		DMERR("%s: now %s: %s (error %d). What was acknowledged is safe; remove and open the device again once the disk is well",
		      triad_name(t), mode == TRIAD_MODE_RO ? "read-only" : "failed", why, error);
	if (mode == TRIAD_MODE_HOLD)
		triad_hold_begin(t);
	wake_up(&t->wait);
	dm_table_event(t->ti->table);
}

void triad_worsen(struct triad *t, const char *why, int error)
{
	triad_worsen_to(t, triad_hold_wants(t, error) ? TRIAD_MODE_HOLD : TRIAD_MODE_RO, why,
			error);
}

/* ---- patience ----------------------------------------------------------------- */

/*
 * Who resumes or suspends cannot be interrupted.  If it takes long, the log says what
 * is waited for.
 */
static void say_busy(struct work_struct *work)
{
	struct triad *t = container_of(work, struct triad, patience.work);

	DMWARN("%s: %s for %lu s now; what was flushed is safe; it goes on as the disk answers",
	       triad_name(t), READ_ONCE(t->busy_with), (jiffies - t->busy_since) / HZ);
	schedule_delayed_work(&t->patience, PATIENCE_AGAIN_S * HZ);
}

static void busy_with(struct triad *t, const char *what)
{
	WRITE_ONCE(t->busy_with, what);
}

static void busy_begin(struct triad *t, const char *what)
{
	busy_with(t, what);
	t->busy_since = jiffies;
	schedule_delayed_work(&t->patience, PATIENCE_S * HZ);
}

static void busy_end(struct triad *t)
{
	cancel_delayed_work_sync(&t->patience);
}

void triad_device_init(struct triad *t)
{
	INIT_LIST_HEAD(&t->instance);
	INIT_LIST_HEAD(&t->claim.list);
	triad_hold_init(t);
	triad_sync_init(t);
	INIT_DELAYED_WORK(&t->patience, say_busy);
}

/* ---- resume: read the state from the disk ------------------------------------- */

static u64 device_blocks(struct triad *t)
{
	return bdev_nr_bytes(t->dev->bdev) >> TRIAD_BLOCK_SHIFT;
}

static bool must_not_write(const struct triad *t)
{
	return t->read_only || triad_core_must_not_write(&t->core);
}

static void set_mode_opened(struct triad *t)
{
	if (!must_not_write(t))
		set_mode(t, TRIAD_MODE_RW, NULL, 0);
	else if (t->backup)
		set_mode(t, TRIAD_MODE_RO, "the backup was asked for", 0);
	else if (triad_core_lost_log(&t->core))
		set_mode(t, TRIAD_MODE_RO, "a flushed record of the log is damaged", -EBADMSG);
	else if (triad_core_is_occupied(&t->core))
		/* degraded, and as open maps it: nothing has failed */
		set_mode(t, TRIAD_MODE_RO, "a slot holds what may be somebody else's", 0);
	else if (triad_root_is_replica(&t->core.root))
		set_mode(t, TRIAD_MODE_RO, "it is a replica", 0);	/* open asks for it, too */
	else if (t->read_only)
		set_mode(t, TRIAD_MODE_RO, "asked for", 0);
	else
		set_mode(t, TRIAD_MODE_RO, "this module may not write what the disk holds",
			 -EOPNOTSUPP);
}

void triad_watch_slots(struct triad *t)
{
	u8 changed = t->store.lost ^ t->lost_said;
	int i;

	lockdep_assert_held(&t->lock);
	if (!changed)
		return;
	t->lost_said = t->store.lost;
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		if (!(changed & 1u << i))
			continue;
		if (t->store.lost & 1u << i)
			DMERR("%s: the root in slot %d cannot be written or flushed: it is given up, and commits go on with two. Nothing is lost, but with another one lost, too, the device gets read-only. Put its device back, or an empty one in its place: the next commit takes it in",
			      triad_name(t), i);
		else
			DMINFO("%s: the root in slot %d was written again: all three are well",
			       triad_name(t), i);
	}
	dm_table_event(t->ti->table);
}

/* Another device is named by its UUID. */
static void say_slots(struct triad *t)
{
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		const struct triad_slot *slot = &t->core.slots[i];

		if (slot->state == TRIAD_SLOT_FOREIGN && slot->root.device_blocks)
			DMWARN("%s: root in slot %d is %s: %s (UUID %pUb)", triad_name(t), i,
			       triad_slot_state_name(slot->state), slot->reason,
			       slot->root.uuid);
		else if (slot->state != TRIAD_SLOT_VALID)
			DMWARN("%s: root in slot %d is %s: %s", triad_name(t), i,
			       triad_slot_state_name(slot->state), slot->reason);
	}
}

static void say_opened(struct triad *t)
{
	const struct triad_core *core = &t->core;

	say_slots(t);
	if (core->one_root)
		DMINFO("%s: opened read-only at the backup: the state of the last commit but one",
		       triad_name(t));
	if (triad_core_is_occupied(core))
		DMWARN("%s: opened degraded and read-only; nothing is lost, but what lies in slot %d may be somebody else's: if it is not, close the device and run triadsetup heal --force",
		       triad_name(t), core->slot_a);
	else if (t->store.lost)
		DMWARN("%s: opened degraded; nothing is lost, and commits go on with two roots; put the device of slot %d back, or an empty one in its place",
		       triad_name(t), core->slot_a);
	else if (core->degraded || core->space.nr_rotten)
		DMWARN("%s: opened degraded; nothing is lost%s", triad_name(t),
		       must_not_write(t) ? ", open it writable to heal it" : ", healing it now");
	if (triad_core_lost_log(core))
		DMERR("%s: record %llu at block %llu was flushed and is damaged: it and what came after it is lost; opened read-only at the state before it, see triadsetup check and export",
		      triad_name(t), core->next_seq, core->space.next);
	if (core->degraded || triad_core_lost_log(core))
		dm_table_event(t->ti->table);
	DMINFO("%s: generation %llu, %llu records with %llu blocks recovered from the log",
	       triad_name(t), core->root.generation, core->replayed_records,
	       core->replayed_blocks);
}

static void say_refused(struct triad *t, int error)
{
	const struct triad_core *core = &t->core;

	say_slots(t);
	DMERR("%s: not opened (error %d)%s%s; nothing was changed; see triadsetup roots and triadsetup check",
	      triad_name(t), error, core->choice.why ? ": " : "",
	      core->choice.why ? core->choice.why : "");
}

/* device-mapper leaves it suspended, with its table loaded. */
static void say_parked(struct triad *t)
{
	DMERR("%s: not resumed: reads and writes sent to it wait; dmsetup resume tries again, dmsetup wipe_table makes them fail, dmsetup remove if nobody has it open",
	      triad_name(t));
}

/*
 * The log must lead as far as the instance before had published: what it acknowledged was
 * seen by those who go on.  -ENODATA: it does not.
 */
static int compare(struct triad *t, const struct triad_legacy *legacy)
{
	struct triad_core *core = &t->core;
	int r = triad_core_fell_short(core) ? -ENODATA : 0;

	if (!r && legacy->doubtful) {
		busy_with(t, "resume: reading all that was written before the disk failed");
		r = triad_core_prove(core);
	}
	if (r == -EBADMSG)
		r = -ENODATA;
	if (r != -ENODATA)
		return r;
	DMERR("%s: the disk has lost writes that were acknowledged: its log leads to record %llu, and it had been at %llu. Nothing was changed. Reads and flushes fail, too, so that nobody goes on with older data. With the disk that has them, triadsetup restart; else close the device and open it again, to have it as the disk has it",
	      triad_name(t), core->next_seq - 1, legacy->seq - 1);
	return r;
}

/* Is this the device that the users of the one before know, and may it be theirs? */
static const char *unlike(const struct triad *t, const struct triad_legacy *legacy)
{
	const struct triad_root *root = &t->core.root;

	if (memcmp(legacy->uuid, root->uuid, sizeof(legacy->uuid)))
		return "it is another device than its users know";
	if (legacy->wrote && (root->ro_compat || triad_root_is_replica(root)))
		return "this module may not write it, and its users do";
	return NULL;
}

static const char *why_not(const struct triad *t, const struct triad_legacy *legacy)
{
	const struct triad_root *root = &t->core.root;

	if (strcmp(root->hash, t->hash_name) ||
	    triad_sector(root->logical_blocks) != t->ti->len)
		return "it was formatted again since the table was loaded";
	return legacy && legacy->users ? unlike(t, legacy) : NULL;
}

/* Open the disk; legacy, or NULL, is what the instance before left.  Says what went wrong. */
static int open_disk(struct triad *t, const struct triad_legacy *legacy)
{
	struct triad_core *core = &t->core;
	struct triad_position expected;
	const char *why;
	int r = 0;

	memset(core, 0, sizeof(*core));
	core->store = &t->store;
	core->hash = t->hash;
	core->keep_max = t->keep_max;
	t->store_error = 0;
	/* a flush that succeeds now proves nothing of what one that failed has lost */
	if (legacy && legacy->doubtful)
		r = triad_store_flush_all(t);
	if (legacy) {
		expected = (struct triad_position){ .place = legacy->place, .seq = legacy->seq };
		memcpy(expected.chain, legacy->chain, sizeof(expected.chain));
		core->expected = &expected;
		core->expected_durable = legacy->flushed;
		core->expected_entries = legacy->entries;
	}
	if (!r)
		r = t->backup ? triad_core_open_backup(core, device_blocks(t)) :
			triad_core_open(core, device_blocks(t));
	why = r ? NULL : why_not(t, legacy);
	if (why) {
		triad_core_close(core);
		core->choice.why = why;
		r = -ESTALE;
	}
	if (r) {
		core->expected = NULL;
		say_refused(t, r);
		return r;
	}
	if (legacy && !memcmp(legacy->uuid, core->root.uuid, sizeof(legacy->uuid)))
		r = compare(t, legacy);
	core->expected = NULL;
	if (r && r != -ENODATA) {
		say_refused(t, r);
		triad_core_close(core);
	}
	return r;
}

static int load(struct triad *t)
{
	struct triad_legacy legacy;
	bool left = triad_base_find(triad_md(t), &legacy);
	int r = open_disk(t, left ? &legacy : NULL);

	t->abandoned = left ? legacy.abandoned : 0;
	if (r == -ENODATA && t->core.active) {	/* open, but short: not refused for want of roots */
		set_mode(t, TRIAD_MODE_FAIL, "the disk has lost acknowledged writes", r);
		dm_table_event(t->ti->table);
		return 0;
	}
	if (r)
		return r;
	say_opened(t);
	if (!must_not_write(t)) {
		busy_with(t, "resume: healing");
		r = triad_core_heal(&t->core);
	}
	if (r) {
		DMERR("%s: healing failed (error %d); nothing is lost, but the device is not opened",
		      triad_name(t), r);
		triad_core_close(&t->core);
		return r;
	}
	t->lost_said = t->store.lost;
	set_mode_opened(t);
	triad_base_leave(triad_md(t), NULL);
	return 0;
}

/*
 * What a kernel that died has left may lie in the disk's cache still, and who reads it here may
 * go by it: it is made durable first, so that a power cut does not take back what was seen.
 */
static void settle(struct triad *t)
{
	u64 covers = triad_order_flush_begin(&t->core.order);
	int r = t->store.ops->flush(&t->store);

	triad_order_flush_end(&t->core.order, covers, r);
	if (!r)
		return;
	if (t->mode == TRIAD_MODE_RO)
		DMERR("%s: the device failed a flush (error %d): so will every flush of this read-only device",
		      triad_name(t), r);
	else
		triad_worsen(t, "the device failed the first flush", r);
}

int triad_device_start(struct triad *t)
{
	unsigned int noio;
	int r;

	if (t->active)
		return 0;
	r = claim(t);
	if (r) {
		DMERR("%s: another dm-triad device is active on the same disk or root device: remove it first",
		      triad_name(t));
		say_parked(t);
		return r;
	}
	/* what would be written to free memory may wait for this device */
	noio = memalloc_noio_save();
	busy_begin(t, "resume: reading the roots and the log");
	mutex_lock(&t->lock);
	t->handover = t->leaving = t->crash = false;
	t->closing = false;
	r = load(t);
	if (!r) {
		t->checksum_kind = t->core.root.checksum_kind;
		triad_write_start(t);
		if (t->mode != TRIAD_MODE_FAIL)
			settle(t);
		triad_view_publish(t);
		t->active = true;
	} else {
		set_mode(t, TRIAD_MODE_FAIL, "it could not be opened", r);
		/* writes and nodes of a healing that failed */
		wait_event(t->wait, !atomic_read(&t->store_pending));
		triad_cache_clear(&t->cache);
	}
	triad_status_note(t);
	mutex_unlock(&t->lock);
	busy_end(t);
	memalloc_noio_restore(noio);
	if (r) {
		release(t);
		say_parked(t);
		return r;
	}
	if (triad_mode(t) == TRIAD_MODE_RW) {
		queue_delayed_work(t->commit_wq, &t->timer, msecs_to_jiffies(t->interval_ms));
		triad_beat_start(t);
	}
	return 0;
}

/* ---- suspend: to be closed, or for another instance to take over --------------- */

/*
 * Nothing here that could not be undone: a suspend that waits can be interrupted.  What
 * is not in the log yet goes back to device-mapper, so that nobody waits for a commit to
 * make room; records under way, reads and flushes end as ever.
 *
 * What goes back is sent again at once, and goes back again, until device-mapper lets
 * nothing through any more: right behind this.  That may keep the processor from the
 * log worker, so once it has begun nothing is waited for.
 */
void triad_device_fence(struct triad *t, bool noflush)
{
	mutex_lock(&t->lock);
	WRITE_ONCE(t->handover, noflush);
	WRITE_ONCE(t->leaving, true);
	if (noflush) {
		triad_write_requeue(t);
		triad_hold_look(t);
		mutex_unlock(&t->lock);
		return;
	}
	/* a filesystem that is frozen would wait for what is held */
	triad_hold_end(t, "a suspend");
	mutex_unlock(&t->lock);
	triad_write_drain(t);
}

void triad_device_unfence(struct triad *t)
{
	mutex_lock(&t->lock);
	WRITE_ONCE(t->handover, false);
	WRITE_ONCE(t->leaving, false);
	WRITE_ONCE(t->crash, false);
	mutex_unlock(&t->lock);
	triad_write_kick(t);
}

/*
 * A commit under way is of no use: the log holds all of it, and the next instance makes
 * it anew.  But a storm of restarts must not lengthen the log for ever.  A root that is
 * being written is waited for.
 */
static void abandon_commit(struct triad *t)
{
	if (t->abandoned < MAX_ABANDONED)
		cmpxchg(&t->store_error, 0, -ECANCELED);
}

static void leave(struct triad *t, bool flushed, int error)
{
	const struct triad_position *pos = &t->core.published;
	struct triad_legacy legacy = {
		.place = pos->place,
		.seq = pos->seq,
		.users = t->handover,
		.doubtful = error || t->why_error,
		.wrote = t->mode == TRIAD_MODE_RW || t->why_error,
		.abandoned = t->abandoned,
		.entries = t->core.active->nr + (t->core.frozen ? t->core.frozen->nr : 0),
		.flushed = flushed && !error && !t->why_error,
	};

	memcpy(legacy.chain, pos->chain, sizeof(legacy.chain));
	memcpy(legacy.uuid, t->core.root.uuid, sizeof(legacy.uuid));
	triad_base_leave(triad_md(t), &legacy);
}

/* No bio is under way any more.  What is kept in memory ends here. */
void triad_device_stop(struct triad *t)
{
	bool flushes, rw = triad_mode(t) == TRIAD_MODE_RW;
	int r = 0;

	if (!t->active)
		return;
	busy_begin(t, "suspend: waiting for a trim");
	triad_trim_wait(t);
	busy_with(t, "suspend: waiting for writes to the log");
	cancel_delayed_work_sync(&t->timer);
	cancel_delayed_work_sync(&t->hold_timer);
	cancel_delayed_work_sync(&t->sync_timer);
	triad_beat_stop(t);
	triad_write_drain(t);
	if (t->handover) {
		busy_with(t, "suspend: waiting for a commit to end");
		abandon_commit(t);
	} else {
		busy_with(t, "suspend: writing the closing commit");
		if (rw && triad_committer_wait(t, true))
			DMERR("%s: the closing commit failed; the log is kept and will be recovered",
			      triad_name(t));
	}
	flush_workqueue(t->commit_wq);
	busy_with(t, "suspend: waiting for what is under way");
	wait_event(t->wait, list_empty_careful(&t->in_flight));
	wait_event(t->wait, !atomic_read(&t->store_pending));
	/* nobody waits for one that a follower has asked for */
	wait_event(t->wait, !READ_ONCE(t->flushing));
	triad_group_stop(t);
	triad_write_drain(t);
	flush_workqueue(t->read_wq);
	flushes = t->handover && !READ_ONCE(t->crash) && rw;
	if (flushes)
		r = triad_store_flush_all(t);

	mutex_lock(&t->lock);
	WARN_ON_ONCE(t->flushing);
	/* who looks at the backup publishes nothing */
	if (t->mode != TRIAD_MODE_FAIL && !t->backup)
		leave(t, flushes, r);
	t->active = false;
	triad_follow_end(t);
	set_mode(t, TRIAD_MODE_FAIL, "suspended", 0);
	triad_core_close(&t->core);
	RCU_INIT_POINTER(t->view, NULL);
	triad_cache_clear(&t->cache);
	triad_status_note(t);
	mutex_unlock(&t->lock);
	busy_end(t);
	release(t);
}
