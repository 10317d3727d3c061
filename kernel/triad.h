/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * triad.h - the kernel shell: one mapped device.
 *
 * Locks, in the order they are taken:
 *
 *   lock           mutex: the core, the records in flight, the flush in flight.
 *                  Held by the log worker for a pass, by the commit worker for
 *                  freeze, take and land.  Of all writes only that of the session's
 *                  opening record, and its flush, are awaited under it.
 *   cache->lock    mutex: inserting into the node cache; lookups run under RCU.
 *   fetch_lock     spinlock: which map nodes readers read.
 *   queue_lock     spinlock, any context: bios that wait for the log worker.
 *   status_lock    spinlock: what status shows.
 *
 * Lookups (read.c) take none of them, and nobody waits for a read: they run under RCU
 * on the published view, and a read that has ended asks whether so many commits landed
 * meanwhile that its blocks may have been taken anew (rule 3).
 *
 * Fields carry the lock that protects them in [brackets]; [ctr] is constant from
 * the constructor on, [resume] from preresume to postsuspend.  What is [lock] to
 * write may be read without it where a stale value does no harm.
 */
#ifndef TRIAD_H
#define TRIAD_H

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/hrtimer.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <crypto/hash.h>

#include "base.h"
#include "compat.h"
#include "core.h"
#include "params.h"

#define DM_MSG_PREFIX "triad"

#define TRIAD_NR_WRITES		8	/* records in flight, 1 MiB each */
#define TRIAD_NR_VIEWS		4
#define TRIAD_INLINE_CSUMS	16
#define TRIAD_MAX_DISCARD	((1u << 20) - 1)	/* blocks: as large as a bio can be */

/*
 * Of what somebody waits for, often with t->lock held: without both flags writeback
 * throttling queues a flush or a root behind the nodes of the commit.
 */
#define TRIAD_AWAITED		(REQ_SYNC | REQ_IDLE)
#define TRIAD_OP_FLUSH		(REQ_OP_WRITE | REQ_PREFLUSH | TRIAD_AWAITED)

enum triad_mode {	/* only ever worsens while active */
	TRIAD_MODE_RW,
	TRIAD_MODE_HOLD,	/* the disk cannot be reached: all that would fail waits */
	TRIAD_MODE_RO,
	TRIAD_MODE_FAIL,
};

struct triad;

/* What lookups see: always of one moment. */
struct triad_view {
	struct triad_index *active;
	struct triad_index *frozen;
	struct triad_ref map;
	unsigned long era;
};

/* One record in flight. */
struct triad_write {
	struct list_head list;
	struct triad *triad;
	struct triad_record rec;
	void *buffer;		/* header block, then payload that was not prepared */
	void *blocks[1 + TRIAD_RECORD_MAX_BLOCKS];	/* what is written, each wherever it lies */
	struct bio_list bios;	/* to be acknowledged */
	u32 nr_bios;
	bool durable;		/* written with FUA on top of a durable log */
	bool grouped;		/* its writers will flush it */
	u64 begun;		/* ... when it was sent, in ns */
	atomic_t pending;
	blk_status_t status;
	bool done;
};

/* Writers that flush each of their writes: see group.c. */
struct triad_group {
	u32 awaited;		/* [queue_lock] of those, the next record waits for so many */
	bool came;		/* [queue_lock] a bio, since the timer looked */
	bool strayed;		/* [queue_lock] one did not come back in time */
	u32 asked;		/* [queue_lock] flushes, since the last record was sent */
	u32 ended;		/* [lock] ... and writes that have ended */
	u32 ended_before;	/* [lock] ... between that record and the one before */
	int sure;		/* [lock] that each write is flushed; from SURE on it counts */
	u64 pause_ns;		/* [queue_lock] the longest pause between one and the next */
	struct hrtimer timer;	/* of it */
};

/* Nodes of the map, verified. */
struct triad_cache {
	struct xarray nodes;	/* by PBA */
	struct mutex lock;
	struct list_head lru;	/* [lock] oldest first, second chance */
	u32 nr, max;		/* [lock] */
	triad_shrinker_t shrinker;	/* [ctr] */
};

/* Of the core, for status: kept so that nobody waits for t->lock. */
struct triad_status {
	char letters[TRIAD_NR_SLOTS + 1];
	bool degraded;
	u64 generation, log_records, log_blocks, used, usable, memory;
	u64 next, durable, kept, kept_blocks, keep_from;	/* see doc/kernel */
	const char *sync, *sync_state;
	u64 replicated;
	bool given_up;
	u8 uuid[TRIAD_UUID_SIZE];
	u8 label[TRIAD_LABEL_SIZE];
};

struct triad_stats {
	atomic64_t commits, records, user_written, device_written;
	atomic64_t checksum_errors, flushes;
};

/* Where a block of a read lies; PBA 0: nowhere. */
struct triad_place {
	u64 pba;
	u32 csum;
};

/* Of a read in a worker. */
struct triad_scratch {
	u8 block[TRIAD_BLOCK_SIZE];	/* aligned, as the whole is */
	struct triad_place place[TRIAD_RECORD_MAX_BLOCKS];
};
static_assert(sizeof(struct triad_scratch) == 2 * TRIAD_BLOCK_SIZE);

/* A map node that is being read because it will be needed. */
struct triad_ahead {
	struct triad *triad;
	void *block;		/* NULL: not this one */
	bool is_here;
};

/* What the core has done beside it. */
struct triad_beside {
	struct work_struct work;
	struct triad_job *job;
	struct completion done;
};

struct triad {
	struct dm_target *ti;			/* [ctr] */
	struct dm_dev *dev;			/* [ctr] */
	struct dm_dev *root_dev[TRIAD_NR_SLOTS];	/* [ctr] one for each slot, or NULL; of three
						 * one may be missing */
	u32 interval_ms;			/* [ctr] */
	bool read_only;				/* [ctr] */
	bool hold;				/* [ctr] mode hold before ro, if the disk may come back */
	u32 hold_ms;				/* [ctr] for so long, or 0 */
	bool backup;				/* [ctr] the backup's state is shown */
	u32 keep_max;				/* [ctr] blocks kept for a follower, or 0 */
	u32 heartbeat_ms;			/* [ctr] or 0 */
	char *key_text;				/* [ctr] as in the table, or NULL */
	unsigned int nr_root_dev;		/* [ctr] */
	struct triad_hash *hash;		/* [ctr] */
	char hash_name[TRIAD_HASH_NAME_SIZE + 1];	/* [ctr] */
	struct bio_set bios;			/* [ctr] */
	mempool_t blocks;			/* [ctr] of the store's writes */
	mempool_t scratch;			/* [ctr] one for each read in a worker */

	struct mutex lock;			/* see above */
	struct triad_core core;			/* [lock] */
	bool active;				/* [lock] between preresume and postsuspend */
	bool handover;				/* [lock] to write: suspended without flush, see restart */
	bool leaving;				/* [lock] to write: from presuspend on; no trim goes on */
	bool crash;				/* ... and nothing is done for the next one; no lock */
	enum triad_mode mode;			/* [lock] to write */
	const char *why;			/* [lock] the mode is not rw, or NULL */
	int why_error;				/* [lock] not 0: nobody asked for that mode */
	u8 checksum_kind;			/* [resume] */

	/* reads */
	struct triad_view views[TRIAD_NR_VIEWS];
	struct triad_view __rcu *view;		/* [lock] to write */
	unsigned int view_nr;			/* [lock] */
	unsigned long era;			/* [lock] to write: c's generation */
	atomic_t slow_reads;			/* that the next commit waits for */
	spinlock_t fetch_lock;
	struct list_head fetches;		/* [fetch_lock] map nodes that a reader reads */
	wait_queue_head_t fetch_wait;		/* they change */
	u64 __percpu *user_read;		/* [ctr] bytes: all readers count, on their own CPU */
	struct triad_cache cache;
	struct workqueue_struct *read_wq;	/* [ctr] */

	/* the log */
	struct workqueue_struct *payload_wq;	/* [ctr] */
	atomic_t payload_blocks;		/* copied, and not written yet */
	spinlock_t queue_lock;
	struct bio_list queue;			/* [queue_lock] writes and discards */
	struct bio_list flush_queue;		/* [queue_lock] */
	u64 queue_blocks;			/* [queue_lock] to write: in queue */
	struct bio_list todo;			/* [lock] writes taken from queue, in order */
	u64 todo_blocks;			/* [lock] */
	struct list_head discards;		/* [lock] taken from queue, in order */
	struct hlist_head discards_at[256];	/* [lock] by the step that they lie in */
	u32 nr_discards;			/* [lock] */
	bool discards_turn;			/* [lock] if writes wait, too */
	u64 arrivals;				/* [lock] taken from queue so far */
	bool no_room;				/* [lock] to write: writes wait for a commit */
	struct workqueue_struct *log_wq;	/* [ctr] on the CPU of who kicks */
	struct workqueue_struct *log_any_wq;	/* [ctr] wherever one is idle */
	const void *submitter;			/* the last one, only to be compared; no lock */
	unsigned long submitter_nvcsw;		/* ... how often it had slept */
	unsigned int nr_slept;			/* of such writes in a row: with a sleep before each */
	struct work_struct log_work;
	unsigned int nr_alone;			/* [lock] to write: records of one bio in a row */
	struct list_head in_flight;		/* [lock] in record order */
	struct list_head idle;			/* [lock] */
	struct triad_write *announce;		/* [lock] kept for the commit's intent */
	struct triad_write writes[TRIAD_NR_WRITES + 1];	/* [ctr] */

	/* flushes: bios that wait until the record in their private data is durable */
	struct bio_list waiting;		/* [lock] ordered by record */
	struct bio flush_bio;			/* [lock] */
	bool flushing;				/* [lock] to write */
	bool flush_done;			/* set by its completion */
	u64 flush_covers;			/* [lock] */
	u64 flush_begun;			/* [lock] for its tracepoint */
	struct triad_group group;		/* see its fields */

	/* who follows the log */
	u64 notify;				/* [lock] an event when this record is durable, or 0 */
	u32 nr_given_up_said;			/* [lock] of core.space.keep */
	u64 flush_wanted;			/* [lock] it wants this record to be durable */

	/* for other hosts that reach the disk */
	struct delayed_work beat;
	u64 beat_seq;				/* [lock] the next record, when it was looked at last */
	bool beat_due;				/* [lock] it has stayed that since */

	/* flushes that wait for replicas */
	enum triad_sync sync;			/* [lock] */
	u32 sync_ms;				/* [ctr] */
	u64 replicated;				/* [lock] replicas have this record and all before */
	u64 sync_target;			/* [lock] what one that lags must have */
	unsigned long sync_target_until;	/* [lock] ... before that, in jiffies */
	bool sync_lags;				/* [lock] nobody waits for it */
	bool sync_moved;			/* [lock] since the timer was set */
	bool sync_said;				/* [lock] that flushes wait */
	struct delayed_work sync_timer;

	/* mode hold: what would have failed */
	struct bio_list held;			/* [lock] writes of records that failed */
	struct bio_list held_reads;		/* [queue_lock] */
	struct delayed_work hold_timer;

	/* commits */
	struct triad_commit_host commit_host;	/* [ctr] */
	unsigned long view_grace;		/* [commit worker] RCU state of the last view */
	struct workqueue_struct *commit_wq;	/* [ctr] */
	struct work_struct commit_work;
	unsigned long commit_runs;		/* [commit worker] of it */
	struct delayed_work timer;
	u64 timer_seq, timer_era;		/* [lock] what it saw last */
	unsigned int timer_ticks;		/* [lock] without a commit */
	wait_queue_head_t wait;			/* published, flushing, mode, pending, commits change */
	bool commit_forced;			/* [lock] even with an empty log */
	bool closing;				/* [lock] the commit to come is the clean one */
	unsigned int starved;			/* [lock] commits that made no room */
	bool low_space;				/* [lock] said so already */
	u8 lost_said;				/* [lock] of the store's slots */
	u64 nr_rotten;				/* [lock] rotten planes said so far */
	u8 abandoned;				/* [commit worker, resume] in a row, for a restart */

	/* the core's store */
	struct triad_store store;
	atomic_t store_pending;
	struct triad_ahead ahead[TRIAD_FANOUT];	/* [commit worker] */
	atomic_t ahead_pending;
	struct triad_beside beside[TRIAD_NR_JOBS];	/* [resume] */
	int store_error;			/* sticky; -ECANCELED ends a commit for a restart */

	struct triad_stats stats;
	spinlock_t status_lock;
	struct triad_status status;		/* [status_lock] */
	struct list_head instance;		/* of all that are open */
	struct triad_claim claim;
	bool attached;				/* [ctr] to what the base keeps of the mapped device */
	struct delayed_work patience;		/* tells of a long suspend or resume */
	const char *busy_with;			/* what that is doing */
	unsigned long busy_since;		/* jiffies */
};

/* Of one bio, in dm's per-bio data. */
struct triad_bio {
	struct triad *triad;
	struct bio *bio;
	bool reading;			/* a read that has to be verified when it ends */
	unsigned long era;		/* ... and when its blocks were looked up */
	struct work_struct work;
	struct bvec_iter iter;		/* of the read as it was sent */
	u64 lba, pba;
	u32 nr;
	u64 arrival;			/* of a write or discard: its number */
	struct list_head waiting;	/* a discard: in t->discards */
	struct hlist_node place;	/* ... and in t->discards_at */
	u64 needs;			/* a flush or FUA write: record to be durable */
	bool overwritten;		/* ... that was acknowledged while it waited */
	struct list_head payload;	/* a write: pages with its copy, or empty; see payload.c */
	u32 *csums;			/* inline_csums or allocated */
	u32 inline_csums[TRIAD_INLINE_CSUMS];
};

static inline struct triad_bio *triad_bio(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct triad_bio));
}

static inline struct mapped_device *triad_md(const struct triad *t)
{
	return dm_table_get_md(t->ti->table);
}

/*
 * Whoever sent it is told while it still submits, or not at all: io_uring, up to 6.13, loses
 * a request that hears "not now" later.  Of those who poll device-mapper makes it later.
 */
static inline bool triad_must_not_wait(const struct bio *bio)
{
	return (bio->bi_opf & (REQ_NOWAIT | REQ_POLLED)) == REQ_NOWAIT;
}

/* For the log: "253:0". */
static inline const char *triad_name(const struct triad *t)
{
	return dm_device_name(triad_md(t));
}

/* For tracepoints. */
static inline dev_t triad_devt(const struct triad *t)
{
	return disk_devt(dm_disk(triad_md(t)));
}

static inline enum triad_mode triad_mode(const struct triad *t)
{
	return READ_ONCE(t->mode);
}

static inline sector_t triad_sector(u64 block)
{
	return (sector_t)block * TRIAD_SECTORS_PER_BLOCK;
}

/* Memory for single blocks; a page may be larger.  Lives as long as the module. */
extern struct kmem_cache *triad_block_cache;

/* ---- target.c -------------------------------------------------------------- */

/* Keep what status shows; the caller holds t->lock. */
void triad_status_note(struct triad *t);

/* ---- trim.c ---------------------------------------------------------------- */

/*
 * Discard on the disk what is free, from a block on, for some 100 ms; may wait for the disk.
 * 1, and result has "NEXT END BLOCKS": the block to go on with, the one behind the last, and how many
 * were discarded; or a negative error.
 */
int triad_trim(struct triad *t, const char *block, char *result, unsigned int maxlen);
/* After presuspend: no discard is under way then. */
void triad_trim_wait(struct triad *t);

/* ---- follow.c -------------------------------------------------------------- */

/* What a follower of the log asks for; 0 or a negative error.  Waits for nothing. */
int triad_follow_notify(struct triad *t, const char *seq);
int triad_follow_keep(struct triad *t, const char *seq);
int triad_follow_fence(struct triad *t);
int triad_follow_flush(struct triad *t);
/* The log is durable further on.  Holds t->lock. */
void triad_follow_durable(struct triad *t);
/* Tell that what was kept is given up, before its blocks are written to.  Holds t->lock. */
void triad_follow_given_up(struct triad *t);
/* The instance ends, and with it what was asked for.  Holds t->lock. */
void triad_follow_end(struct triad *t);

/* ---- sync.c ---------------------------------------------------------------- */

void triad_sync_init(struct triad *t);		/* from the constructor */
void triad_sync_start(struct triad *t);		/* core is open, its mode known.  Holds t->lock */
/* Durable here, and wherever else it has to be.  Holds t->lock. */
bool triad_sync_is_safe(const struct triad *t, u64 seq);
/* What waits is durable here: watch the time.  Holds t->lock. */
void triad_sync_wait(struct triad *t);
/* For the status: "-", "yes", "waits" or "lags". */
const char *triad_sync_state(const struct triad *t);
/* Messages; 0 or a negative error. */
int triad_sync_replicated(struct triad *t, const char *seq);
int triad_sync_set(struct triad *t, const char *policy);

/* ---- device.c ------------------------------------------------------------- */

void triad_device_init(struct triad *t);	/* from the constructor */

/* From preresume: claim the disk and open it.  0 or a negative error, with its reason logged. */
int triad_device_start(struct triad *t);
/* From postsuspend: commit and close.  No bio is under way. */
void triad_device_stop(struct triad *t);
/* Call fn for every instance that is open.  It must not open or close one. */
void triad_device_each(void (*fn)(struct triad *t));

/* From presuspend: without flush, users go on and another instance takes over. */
void triad_device_fence(struct triad *t, bool noflush);
/* It came to nothing. */
void triad_device_unfence(struct triad *t);
/* A table goes that was to take over from another instance: that one's mark "crash" goes with it. */
void triad_device_unmark(struct triad *t);

/* Worsen the mode, once, with one line in the log and a dm event.  May sleep. */
void triad_worsen_to(struct triad *t, enum triad_mode mode, const char *why, int error);
/* ... to read-only; if the disk may come back and somebody waits for it, to hold first. */
void triad_worsen(struct triad *t, const char *why, int error);

/* Tell of slots that were lost, or are back; the caller holds t->lock. */
void triad_watch_slots(struct triad *t);

/* ---- hash.c, store.c -------------------------------------------------------- */

struct triad_hash *triad_hash_create(const char *name, const char *key, char **error);
void triad_hash_destroy(struct triad_hash *hash);	/* NULL is fine */

extern const struct triad_store_ops triad_store_ops;
/* Flush the disk and the root devices, whatever has failed before. */
int triad_store_flush_all(struct triad *t);

/* ---- io.c --------------------------------------------------------------------- */

/* Read or write whole blocks of a buffer and wait.  0 or a negative error. */
int triad_io_wait(struct triad *t, struct block_device *bdev, blk_opf_t opf, u64 pba,
		  u32 nr, void *buf);

/* Write a sealed record; w->done is set and the log worker woken at its end. */
void triad_io_record(struct triad *t, struct triad_write *w, blk_opf_t flags);

/* ---- cache.c ---------------------------------------------------------------- */

/* From the constructor; exit also if that failed, or was never called. */
int triad_cache_init(struct triad_cache *cache, u32 max);
void triad_cache_exit(struct triad_cache *cache);
void triad_cache_clear(struct triad_cache *cache);
/* Under RCU: the node or NULL. */
const struct triad_node_disk *triad_cache_find(struct triad_cache *cache, u64 pba, u32 birth);
/* May sleep; forgetting to keep a node is no error. */
void triad_cache_insert(struct triad_cache *cache, u64 pba, u32 birth, const void *data);

/* ---- read.c ------------------------------------------------------------------ */

int triad_read_bio(struct triad *t, struct bio *bio);
int triad_read_end(struct triad *t, struct bio *bio, blk_status_t *error);

/* Publish the core's indices and map; the caller holds t->lock. */
void triad_view_publish(struct triad *t);

/* ---- payload.c ------------------------------------------------------------------ */

/* Copy a write's blocks and take their checksums, if that can be had at once, and queue it. */
void triad_payload_bio(struct triad *t, struct bio *bio);
/* Put them into a record, from its block "first" on: places and checksums.  Holds t->lock. */
void triad_payload_add(struct triad_write *w, struct bio *bio, u32 first);
/* It is written, or will not be.  Any context. */
void triad_payload_free(struct triad *t, struct bio *bio);

/* ---- write.c ------------------------------------------------------------------ */

int triad_write_init(struct triad *t);		/* buffers; from the constructor */
void triad_write_exit(struct triad *t);
void triad_write_start(struct triad *t);	/* from preresume, core is open */
int triad_write_bio(struct triad *t, struct bio *bio);
void triad_write_queue(struct triad *t, struct bio *bio);	/* hand it to the log worker */
void triad_write_kick(struct triad *t);
/* What was kicked before has ended. */
void triad_write_drain(struct triad *t);
/* End bios; any context. */
void triad_write_end(struct bio *bio, blk_status_t status);
void triad_write_end_all(struct bio_list *list, blk_status_t status);
/* Give what waits to be taken into the log back to device-mapper.  From presuspend only. */
void triad_write_requeue(struct triad *t);
/* Fail what waits to be taken into the log; true if there was anything. */
bool triad_write_refuse(struct triad *t);
void triad_writer_work(struct work_struct *work);

/* ---- beat.c ------------------------------------------------------------------------ */

void triad_beat_work(struct work_struct *work);
void triad_beat_start(struct triad *t);		/* it has become writable */
void triad_beat_stop(struct triad *t);		/* may sleep */

/* ---- group.c ----------------------------------------------------------------------- */

void triad_group_init(struct triad *t);		/* from the constructor */
void triad_group_stop(struct triad *t);		/* nothing is under way; may sleep */
/* It is in the queue.  Holds t->queue_lock. */
void triad_group_came(struct triad *t, struct bio *bio);
/* A record is about to be sent: true if its writers will flush it.  Holds t->lock. */
bool triad_group_send(struct triad *t, struct triad_write *w);
/* It is published, its writers are told next.  Holds t->lock. */
void triad_group_end(struct triad *t, const struct triad_write *w);

/* The next record waits for writers. */
static inline bool triad_group_is_awaited(const struct triad *t)
{
	return READ_ONCE(t->group.awaited);
}

/* ---- hold.c ------------------------------------------------------------------------ */

void triad_hold_init(struct triad *t);		/* from the constructor */
/* True if this error makes the device wait instead of fail.  Holds t->lock. */
bool triad_hold_wants(const struct triad *t, int error);
/* Mode hold has begun.  Holds t->lock. */
void triad_hold_begin(struct triad *t);
/* A read has failed: true if it is kept for later.  Any context. */
bool triad_hold_read(struct triad *t, struct bio *bio, blk_status_t status);
/* From the log worker: give back what is held, or fail it, if the time has come.  Holds t->lock. */
void triad_hold_look(struct triad *t);
/* Fail all that is held.  Holds t->lock. */
void triad_hold_end(struct triad *t, const char *who);

/* ---- hibernate.c ----------------------------------------------------------------- */

#ifdef CONFIG_HIBERNATION
int triad_hibernate_init(void);
void triad_hibernate_exit(void);
/* True while a memory image exists: no record and no commit may begin. */
bool triad_hibernate_holds(void);
/* True if the write that comes is of the image itself: it must fail. */
bool triad_hibernate_refuses(struct triad *t);
#else
static inline int triad_hibernate_init(void) { return 0; }
static inline void triad_hibernate_exit(void) {}
static inline bool triad_hibernate_holds(void) { return false; }
static inline bool triad_hibernate_refuses(struct triad *t) { return false; }
#endif

/* ---- discard.c ---------------------------------------------------------------- */

/* Look for what the discard would change, and queue it.  Any context that may submit. */
void triad_discard_bio(struct triad *t, struct bio *bio);

/* The discards that wait for the log worker, which holds t->lock. */
void triad_discard_add(struct triad *t, struct triad_bio *tb);
void triad_discard_del(struct triad *t, struct triad_bio *tb);

/* One that must be done before the write w: it overlaps and came first.  Or NULL. */
struct triad_bio *triad_discard_before(struct triad *t, const struct triad_bio *w);

/* The one whose turn it is, if the oldest write that waits (or NULL) is younger. */
struct triad_bio *triad_discard_next(struct triad *t, const struct triad_bio *w);

/* True if it changes nothing and needs no record. */
bool triad_discard_is_void(struct triad *t, const struct triad_bio *tb);

/* Leaves of the map that it gives back, at most. */
u32 triad_discard_leaves(struct triad *t, const struct triad_bio *tb);

/* ---- committer.c ----------------------------------------------------------------- */

void triad_committer_init(struct triad *t);	/* from the constructor */
void triad_committer_work(struct work_struct *work);
void triad_committer_timer(struct work_struct *work);
/* Ask for a commit; force: even if there is nothing to commit.  Holds t->lock. */
void triad_committer_ask(struct triad *t, bool force);
/* Ask and wait until it has landed; 0 or -EIO when the mode worsened. */
int triad_committer_wait(struct triad *t, bool closing);

#endif
