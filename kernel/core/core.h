/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core.h - one opened device: letters, log position, map, space.
 *
 * The core is plain sequential code.  The kernel's shell serialises it with one
 * mutex; the calls that may run without it say so.  An error from any call that
 * writes means that the device must not be written any further ("read-only"):
 * what was acknowledged is in the log, and the next opening recovers it.  After
 * -ESTALE it may not: somebody else writes to the disk (guard.c).
 *
 * Life of a write:  triad_log_room -> triad_log_begin -> triad_log_write ... ->
 * triad_log_seal -> (the shell writes the blocks) -> triad_log_publish.
 * Life of a commit: triad_commit_run.
 */
#ifndef TRIAD_CORE_H
#define TRIAD_CORE_H

#include "order.h"
#include "reader.h"
#include "record.h"
#include "space.h"

struct triad_core;

/* Leaves of the map that one interval's discards give back: bounds what a commit frees. */
#define TRIAD_MAX_LEAVES	4096u

/* Entries that there is memory for when a device is opened. */
#define TRIAD_FIRST_INTERVAL	65536u

/* Blocks of one discard: it does not cross a multiple of this. */
#define TRIAD_DISCARD_STEP	(1u << 18)	/* 1 GiB */

/* What has just ended when a commit's host is told of a step. */
enum triad_commit_step {
	TRIAD_COMMIT_FROZEN,	/* the interval; records of it may still be under way */
	TRIAD_COMMIT_SORTED,
	TRIAD_COMMIT_BUILT,	/* the map's nodes, and the intent record, are under way */
	TRIAD_COMMIT_ANNOUNCED,	/* it is durable */
	TRIAD_COMMIT_PREPARED,	/* all but the root is durable, the root is sealed */
	TRIAD_COMMIT_GIVEN_UP,	/* the slot: the root is sealed again, for another one */
	TRIAD_COMMIT_WRITTEN,	/* the root is durable, the letters have not moved */
	TRIAD_COMMIT_LANDED,
};

#define TRIAD_NR_LISTS	7u	/* whose length depends on that of an interval */

/* Memory for longer intervals, until it is put in place. */
struct triad_growth {
	struct triad_index *index;	/* NULL: none of it */
	u32 max;			/* entries that the rest is for; 0: only the index */
	struct triad_list list[TRIAD_NR_LISTS];
	u64 *scratch;
	u32 *order;
};

struct triad_commit {
	bool clean;		/* writes are fenced off: empty segment pointer */
	int slot;		/* that is overwritten */
	int planes;		/* the slot in whose places the planes go */
	struct triad_root root;	/* the next root */
	void *block;		/* ... sealed */
	u32 max;		/* entries of an interval that there is memory for */
	u32 want;		/* ... that an index should have */
	struct triad_growth growth;
	u64 *scratch;
	u32 *order;
	u32 nr_order;
	u64 reserved;		/* of space->reserved, for the frozen interval */
	struct triad_list nodes;
	struct triad_list adds;
	struct triad_list frees;
	struct triad_map_update update;
	struct triad_zone *zones;	/* as of the next root */
	struct triad_plane_disk *plane;
	struct triad_plane_disk *ahead;	/* a group's planes of c, as read */
	u64 ahead_first;
	u32 nr_ahead;
	u8 *bits;
};

/* What an index will hold when all that was accepted for it is published. */
struct triad_interval {
	u32 nr_entries;
	u32 nr_leaves;		/* that its discards may give back */
	u64 nr_blocks;		/* taken: headers and payload */
	u64 nr_nodes;		/* N(nr_entries): promised to its commit, in space.reserved */
	u64 budget;		/* blocks it may take in all */
};

/* The sector of one slot. */
struct triad_seen {
	u8 last[sizeof(struct triad_root_disk)];	/* read or written here */
	u8 before[sizeof(struct triad_root_disk)];	/* found there before that */
};

/*
 * The records of a replica's log that count: those that led to where it is.  Between two ranges lies
 * what was received in part; two commits follow before the next range begins.  So from whatever
 * root a log begins, it has two, or three when these commits were cut short.
 */
#define TRIAD_MAX_COUNTED	4u

struct triad_counted {
	struct triad_extent range[TRIAD_MAX_COUNTED];	/* of records' numbers */
	u32 nr;
	u64 open;		/* the first record with data behind the last range, until a commit; or 0 */
};

/* Where the next record of a log goes, its number, and the hash that it carries. */
struct triad_position {
	u64 place;
	u64 seq;
	u8 chain[TRIAD_HASH_SIZE];
};

/* Where the log behind a root begins. */
static inline struct triad_position triad_position_of(const struct triad_root *root)
{
	struct triad_position p = { .place = root->next, .seq = root->next_seq };

	memcpy(p.chain, root->chain, sizeof(p.chain));
	return p;
}

/* What lies where the log ends. */
enum triad_log_end {
	TRIAD_LOG_CLEAN,	/* nothing of this log */
	TRIAD_LOG_TORN_DATA,	/* a record with torn payload, normal after a power cut */
	TRIAD_LOG_TORN_HEADER,	/* a torn header, normal after a power cut */
	TRIAD_LOG_DAMAGED,	/* rot: a record behind it says that it was durable */
};

struct triad_core {
	struct triad_store *store;
	struct triad_hash *hash;
	struct triad_geometry geo;
	struct triad_slot slots[TRIAD_NR_SLOTS];	/* as found */
	struct triad_choice choice;			/* as found */

	struct triad_root root;		/* c, as it is on disk; else see triad_core_open_at */
	u8 parent[TRIAD_HASH_SIZE];	/* b's version, goes into the next one */
	int slot_a, slot_b, slot_c;
	int planes_b;		/* as triad_root_planes(), of the parent */
	bool degraded;
	bool doubtful;		/* it was, or half healed, when opened: a slot may have missed turns */
	bool branches_off;	/* the next root begins a branch, though nothing was bad */
	bool one_root;		/* see triad_core_open_at */
	bool receives;		/* set before the opening: of a replica, to be written all the same */
	struct triad_origin origin;	/* where a replica is: as its log says, if it does; else as c */
	struct triad_counted counted;
	bool alone;		/* of a replica: without c nothing leads to where c's root says that it is */
	const struct triad_root *stamp;	/* whose incompat, origin and epoch the next roots get, or NULL */
	bool without_log;
	struct triad_seen seen[TRIAD_NR_SLOTS];
	int stranger;		/* slot that somebody else wrote, after -ESTALE */

	struct triad_space space;
	struct triad_index *active;
	struct triad_index *frozen;	/* NULL when no commit runs */
	struct triad_index *spare;	/* next active, see triad_commit_recycle */
	bool spare_is_dirty;

	/* the log */
	u64 next_seq;
	u64 backup_seq;		/* of the first record since b */
	u32 keep_max;		/* set before the opening: blocks kept for a follower, 0: an eighth */
	u8 chain[TRIAD_HASH_SIZE];
	struct triad_order order;
	struct triad_position published;	/* behind the last record that is */
	const struct triad_position *expected;	/* that the log must reach, or NULL; see */
	bool expected_durable;			/* ... by a flush of the instance before */
	u32 expected_entries;			/* ... with so many in its indices, or fewer */
	bool expected_met;			/* triad_core_fell_short() */
	bool session;		/* the opening record is durable */
	u8 *suspects;		/* of each zone: a commit that never landed may have written it */

	struct triad_interval interval;	/* the active one */

	/* what recovery did */
	u64 replayed_records;
	u64 replayed_blocks;
	enum triad_log_end log_end;

	struct triad_commit commit;
	struct triad_record record;	/* replay and the records of the core itself */
	struct triad_record ahead;	/* the header that replay looked at before its turn came */
	struct triad_reader reader;	/* replay's, while it runs */
	u8 *window;			/* where it reads single headers, empty when a walk begins; else scratch */
	u64 window_pba;
	u32 window_nr;
};

/* ---- open.c --------------------------------------------------------------- */

/*
 * Read the three slots; no seal is verified, since H is not known yet.
 * Returns 0, or -ENODATA if there is no slot from which H's name can be taken;
 * *first is the slot whose root names it.
 */
int triad_core_probe(struct triad_slot slots[TRIAD_NR_SLOTS], struct triad_store *store,
		     int *first);

/*
 * Open a device: read roots, select, load the summary, replay.  Writes nothing.
 * device_blocks is the size of what the store reads.  core must be zeroed, with
 * store and hash set.  -ENODATA: no root can be proven current (core->slots and
 * core->choice say why); -EUCLEAN, -EBADMSG: a structure is damaged; -ENOSPC:
 * the device is smaller than the root says.  On any error the core is freed but
 * for slots and choice.
 */
int triad_core_open(struct triad_core *core, u64 device_blocks);

/*
 * Open one root for reading alone, whatever the other two say: what its map reaches and,
 * with_log, what the log behind it adds.  It stands in c's place in core; summary and
 * planes are not looked at, and neither is the map: what is read tells for itself
 * whether it is still whole.  -ENODATA: the slot holds no root.  Else as above.
 */
int triad_core_open_at(struct triad_core *core, u64 device_blocks, int slot, bool with_log);

/* b's slot, if there is a b that can be looked at; else -1, and choice.why says why. */
int triad_core_backup(struct triad_core *core);

/*
 * The same of b, without its log: the state that the last commit but one made.  -ENODATA:
 * there is no b; -EBADMSG: its map is gone.
 */
int triad_core_open_backup(struct triad_core *core, u64 device_blocks);

/* True if healing would overwrite what is not this device's: see triad_root_select. */
static inline bool triad_core_is_occupied(const struct triad_core *core)
{
	return core->degraded && core->choice.occupied;
}

/* True if the slot was given up for this session: see lost.c. */
static inline bool triad_core_has_lost(const struct triad_core *core, int slot)
{
	return core->store->lost & 1u << slot;
}

/* True if a root is bad, or the healing of one was cut short. */
static inline bool triad_core_needs_heal(const struct triad_core *core)
{
	return core->degraded || core->root.branch == core->root.generation;
}

/*
 * Make three good roots and a protected backup again, if core needs it; two, if the bad
 * slot is lost: it is left alone then.  Sequential; to be called before anything is
 * written.  -EEXIST: the slot is occupied, nothing was written.
 */
int triad_core_heal(struct triad_core *core);

/*
 * The same over what is not this device's, or cannot be read: only when a person has
 * said so.
 */
int triad_core_heal_over(struct triad_core *core);

void triad_core_close(struct triad_core *core);

/*
 * True if flushed records are lost: writing on would make that final.  Opened
 * read-only it holds the state before the damaged record.
 */
static inline bool triad_core_lost_log(const struct triad_core *core)
{
	return core->log_end == TRIAD_LOG_DAMAGED;
}

/* True if feature bits, being a replica, a lost log or one root alone forbid writing, whoever asks for it. */
static inline bool triad_core_cannot_write(const struct triad_core *core)
{
	return core->root.ro_compat != 0 || triad_core_lost_log(core) || core->one_root ||
	       (triad_root_is_replica(&core->root) && !core->receives);
}

/* True if nothing may be written, not even to heal, unless a person decides. */
static inline bool triad_core_must_not_write(const struct triad_core *core)
{
	return triad_core_cannot_write(core) || triad_core_is_occupied(core);
}

/*
 * The log does not lead to core->expected, which was set before the opening: where the
 * instance before had published to.  Somebody may have seen what is missing: nothing may
 * be answered from what is there, and nothing written.
 */
static inline bool triad_core_fell_short(const struct triad_core *core)
{
	return core->expected && !core->expected_met;
}

/*
 * Read and verify all that the instance before may have written, whatever was said of its
 * durability: payload since b, and the nodes of c's own commit.  After an error of the
 * disk nothing else proves that it is there.  -EBADMSG: something is not.
 */
int triad_core_prove(struct triad_core *core);

/* Write three fresh roots; root holds all that never changes.  For triadsetup. */
int triad_core_format(struct triad_store *store, struct triad_hash *hash,
		      const struct triad_root *root, const struct triad_geometry *geo);

/* ---- rollback.c, not part of the module ---------------------------------------- */

/*
 * Make b's state the only one: what was written since is lost, and c's map with it.  core
 * was opened and not healed.  -ENODATA: there is no b; -EROFS: it cannot be written;
 * -EAGAIN: a root is bad, or a healing or rollback is not finished: b need not be what was
 * kept; -EBADMSG, -EUCLEAN: b's map is damaged.  With these nothing was written.  After any
 * error core is only good for being closed.
 */
int triad_core_rollback(struct triad_core *core);

/* ---- replay.c -------------------------------------------------------------- */

/*
 * Load the log behind c into the active index, and the places of the records
 * between b and c into the space.  Sets core->degraded if b's log is damaged.
 */
int triad_replay(struct triad_core *core);

/* Verify the payload of every record since b.  -EBADMSG: some of it is not there. */
int triad_replay_prove(struct triad_core *core);

/*
 * Hand every record behind c to visit, in order.  Used by replay, and by the
 * tool to show a log.  An error of visit ends the walk and is returned.
 */
typedef int (*triad_replay_fn)(struct triad_core *core, const struct triad_record *rec,
			       void *context);
int triad_replay_walk(struct triad_core *core, u64 *nr_records, u64 *durable,
		      triad_replay_fn visit, void *context);

/* ---- log.c ------------------------------------------------------------------ */

/*
 * Make the pointer and this session's opening record durable (rules 1 and 5).
 * To be called before the first record; free when already done.
 */
int triad_log_start(struct triad_core *core);

/* How much of a discard is done at once. */
static inline u64 triad_log_step(u64 lba, u64 nr)
{
	return min_t(u64, nr, TRIAD_DISCARD_STEP - lba % TRIAD_DISCARD_STEP);
}

/*
 * Does a discard of [lba, lba + nr) change nothing?  1: it needs no record, as it is
 * true of what every record since c left that nothing lies there (rule 11).  0: it may
 * change something.  -EAGAIN and missing as of triad_map_find(), or another error.
 */
int triad_log_is_void(const struct triad_core *core, u64 lba, u64 nr, triad_map_get_fn get,
		      void *context, struct triad_ref *missing);

/*
 * True if a record with so many payload blocks and index entries, whose discards give
 * back so many leaves (triad_map_leaves), may be added to the interval now.  If not, a
 * commit is needed first.  What is kept for a follower is given up if that is the room.
 */
bool triad_log_room(struct triad_core *core, u32 nr_blocks, u32 nr_entries,
		    u32 nr_leaves);

/* True if there is room for a record of nr blocks, and making it waits for nothing. */
bool triad_log_at_hand(struct triad_core *core, u32 nr);

/*
 * triad_space_lend(), while what the interval may still take, and the reserve, are free elsewhere.
 * Whoever finds no room then waits until it is given back.
 */
int triad_log_lend(struct triad_core *core, u64 zone, u8 *bits);

/* True if a commit should begin now, so that writers need not wait for it. */
bool triad_log_is_long(const struct triad_core *core);

/* Account for what is about to be added.  Call room first. */
void triad_log_begin(struct triad_core *core, struct triad_record *rec, u16 flags);
int triad_log_write(struct triad_core *core, struct triad_record *rec, u64 lba, u32 nr);
void triad_log_discard(struct triad_core *core, struct triad_record *rec, u64 lba, u64 nr,
		       u32 nr_leaves);

/* Blocks that the commit of an interval of max entries can free, at most. */
u32 triad_log_most_freed(const struct triad_core *core, u32 max);

/*
 * Take the place of the next record and encode the header.  The payload's
 * checksums must stand in rec->csums.
 */
int triad_log_seal(struct triad_core *core, struct triad_record *rec, void *block);

/*
 * The record's write has ended with error, or 0.  To be called in the order of the log.
 * Makes the record visible to lookups; returns 0, or the error that it and all behind it
 * have: they must not be acknowledged.
 */
int triad_log_publish(struct triad_core *core, const struct triad_record *rec, int error);

/* Is this where the instance before had published to? */
bool triad_log_is_expected(const struct triad_core *core, const struct triad_position *pos);

/* All before this position is published. */
void triad_log_reach(struct triad_core *core, const struct triad_position *pos);

/* ---- lost.c ------------------------------------------------------------------- */

/* Give a slot up; an error if that would be one too many. */
int triad_lost_give_up(struct triad_core *core, int slot);

/* The store's flush, which may give slots up. */
int triad_lost_flush(struct triad_core *core);

/* The slot that the next root goes over: a, or while that is lost the one of b. */
int triad_lost_next(const struct triad_core *core);

/* Before a commit: if a is lost, but can be read and may be written over, it is none any more. */
void triad_lost_look(struct triad_core *core);

/* ---- guard.c ------------------------------------------------------------------ */

/* block was read from slot nr at the opening. */
void triad_guard_read(struct triad_core *core, int nr, const void *block);

/*
 * Are c and the slot that is written next, on the disk, what this instance read or wrote
 * last?  -ESTALE if somebody else wrote them: nothing may be written then.  No lock
 * needed, but no root may be written meanwhile.
 */
int triad_guard_check(struct triad_core *core);

/*
 * Slot nr was not looked at for a while: may what lies there now be written over?  Zeroes
 * may, and roots of this device, but none that is younger than c.
 */
bool triad_guard_accept(struct triad_core *core, int nr);

/* Check, then write a sealed root over slot nr, which is written next, or c. */
int triad_guard_write(struct triad_core *core, int nr, const void *block);

/* ---- commit.c ----------------------------------------------------------------- */

int triad_commit_init(struct triad_core *core);	/* memory for commits to come */
void triad_commit_free(struct triad_core *core);

/* True if there is something to commit, or (clean) the pointer to be emptied. */
bool triad_commit_needed(const struct triad_core *core, bool clean);

/*
 * What a commit needs from around it.  It runs beside writes: between its steps the core
 * is unlocked.
 */
struct triad_commit_host {
	struct triad_record *intent;	/* where the intent record is built, and its header; */
	void *intent_block;		/* in use until it is published */

	/* The lock of the core.  Both optional, as all of these. */
	void (*lock)(struct triad_commit_host *host);
	void (*unlock)(struct triad_commit_host *host);

	/*
	 * Write the sealed intent record, in its turn behind those that are under way, and
	 * publish it.  Locked, must not wait.  Without this hook the core does both.
	 */
	void (*submit)(struct triad_commit_host *host);

	/* Wait until the records up to seq are published; an error if one failed. */
	int (*wait_published)(struct triad_commit_host *host, u64 seq);

	/* Lookups have to see core->active, core->frozen and the map as they are now.  Locked. */
	void (*view_changed)(struct triad_commit_host *host);

	/* A step has ended.  Not locked.  An error ends the commit there. */
	int (*step)(struct triad_commit_host *host, enum triad_commit_step step);

	/* The root could not be written nr times: try again? */
	bool (*try_again)(struct triad_commit_host *host, u32 nr, int error);
};

/*
 * Make the next root, the whole of it (design: Commit).  Called with the core locked and
 * returns so; unlocks it for everything that waits.  clean: writes are fenced off, the
 * pointer is left empty.  0, or an error: the device must not be written any further.
 */
int triad_commit_run(struct triad_core *core, bool clean, struct triad_commit_host *host);

/* The same for callers without concurrency. */
int triad_commit_alone(struct triad_core *core, bool clean);

/*
 * Write c once more, as the next root: same map and planes, same place in the log.  This
 * sector is all that is written, so that nothing is overwritten which a root in a lost slot
 * may reach.  Sequential, and before the session's first record.
 */
int triad_commit_again(struct triad_core *core);

/* ---- the steps of a commit, in the order in which triad_commit_run takes them ---- */

/* No lookup can be using the spare index any more: make it ready. */
void triad_commit_recycle(struct triad_core *core);

/* Freeze the interval at the last sealed record; a new one begins. */
void triad_commit_freeze(struct triad_core *core, bool clean);

/* Every record before the freeze is published.  No lock needed. */
void triad_commit_sort(struct triad_core *core);

/* The next root, and the map that it reaches: nodes are written.  Not locked. */
int triad_commit_update(struct triad_core *core, struct triad_commit_host *host);

/*
 * Build the record that announces which zones' planes change.  It must be durable before
 * prepare writes the first plane: a commit that never lands leaves planes that
 * the next one must know of.  Returns 1 if there is nothing to announce.
 */
int triad_commit_intent(struct triad_core *core, struct triad_record *rec, void *block);

/* Write planes and summary, flush, seal the root.  No lock needed. */
int triad_commit_prepare(struct triad_core *core);

/*
 * Write the root.  No lock needed.  An error leaves the outcome unknown: repeat until
 * it succeeds, give the slot up, or go read-only (rule 2).
 */
int triad_commit_root(struct triad_core *core);

/* Move the letters. */
void triad_commit_land(struct triad_core *core);

#endif
