/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ship.h - replication while a device is written: what both ends of a session do.
 *
 * The owner follows the log of its device and sends what is durable in it, some records at
 * once, as a stream (stream.h); the replica makes one commit of each, whose root names the
 * position.  What the log no longer has is sent as a difference, and to a blank replica all
 * there is.  doc/replication tells what is promised and why it holds.
 *
 * Nothing here does I/O but through stores, reads a clock, or knows of networks and threads:
 * frames go in, bytes to be sent come out in "staged", which whoever calls takes before the
 * next call.  One call at a time for each end.  Errors are negative errno.
 */
#ifndef TRIAD_SHIP_H
#define TRIAD_SHIP_H

#include "content.h"
#include "replica.h"
#include "stream.h"

#define SHIP_CHUNK	(4u << 20)	/* bytes read before the roots are looked at again, about */
#define SHIP_WINDOW	(16u << 20)	/* that an owner may be ahead of its replica */
#define SHIP_STAGED	(SHIP_CHUNK + 3 * (u32)STREAM_FRAME)
#define SHIP_BATCH	1024u		/* blocks of one batch */
#define SHIP_LOG_BLOCKS	8192u	/* blocks in a replica's log: nobody waits long for a commit */
#define SHIP_CHANGED	(1u << 17)	/* ranges that whoever was one with the device before tells, at most */
#define SHIP_FLIGHTS	32u		/* streams that are sent and not acknowledged */

/* Bytes to be sent. */
struct ship_out {
	struct stream_out stream;
	u8 *staged;		/* SHIP_STAGED bytes */
	size_t nr;
};

int ship_out_init(struct ship_out *out);
void ship_out_free(struct ship_out *out);
void ship_out_connected(struct ship_out *out);	/* a session begins */

/* What was staged since it was marked counts for nothing. */
struct ship_out_mark {
	size_t nr;
	u64 number, bytes, nr_blocks, nr_holes;
};

struct ship_out_mark ship_out_mark(const struct ship_out *out);
void ship_out_back(struct ship_out *out, const struct ship_out_mark *mark);

/* ---- ship_log.c: a device that may be written meanwhile --------------------------------- */

/* What the instance that has it open tells, if it does. */
struct ship_told {
	bool known;
	u64 durable;		/* the last record that is */
	u64 kept;		/* records from here on are not overwritten; 0: not told */
	u64 generation;		/* of its current root; 0: not told */
};

/* The roots, as they were just now. */
struct ship_look {
	struct triad_root c, b, a;
	bool has_b, has_a;
	int slot;		/* of c */
};

/* What lay in the slots when they were looked at last, and what that means. */
struct ship_seen {
	u8 sector[TRIAD_NR_SLOTS][sizeof(struct triad_root_disk)];
	struct ship_look look;
	bool is_known;
};

struct ship_source {
	struct triad_store *store;
	struct triad_hash *hash;
	u64 device_blocks;
	struct ship_seen *seen;	/* NULL: it is found out each time */
	struct triad_hash *sums;	/* of ship_sum.c, without a key */
	void (*tell)(void *context, struct ship_told *told);	/* NULL: nobody has it open */
	void *context;
};

/* -EAGAIN: they were being written; -ENODATA, ... */
int ship_look(const struct ship_source *source, struct ship_look *look);

/* A place in a log: behind these records, with the newest root before them that was known. */
struct ship_mark {
	struct triad_root root;
	bool seen_as_c;		/* by us: the log behind it is kept for as long as it is b */
	struct triad_position next;
	struct triad_origin at;
};

struct ship_log {
	const struct ship_source *source;
	struct triad_geometry geo;
	struct ship_mark mark;	/* what is read next */
	u64 durable;		/* as far as it was known when it was read last */
	struct triad_record record;
	u8 *window;
	u64 window_pba;
	u32 window_nr, window_most;
	u8 *payload;
};

int ship_log_init(struct ship_log *log, const struct ship_source *source);
void ship_log_free(struct ship_log *log);

/* Begin behind a root, which was seen as c. */
int ship_log_begin(struct ship_log *log, const struct triad_root *root);

/*
 * Find a position.  0: the log goes on there.  1: it does not lead there from any root that
 * is there; -EILSEQ: it would have to, so it is not of this history or ahead of it.
 */
int ship_log_find(struct ship_log *log, const struct ship_look *look,
		  const struct triad_origin *at);

/*
 * Stage what records hold from the mark on, and move that: of at most max blocks, but of one
 * record at least.  Returns how many records; 0: there is none that is durable; -ESTALE: they were
 * overwritten, or may have been; -EBADMSG: rotten.
 */
int ship_log_read(struct ship_log *log, struct ship_out *out, u32 max);

/* Two roots are the same one. */
bool ship_same_root(const struct triad_root *x, const struct triad_root *y);

/*
 * Is all there still that this root reaches, and the log behind it?  Or, if first is not 0, at
 * least the log from record first on?  0 or -ESTALE, -EAGAIN, ...
 */
int ship_check(const struct ship_source *source, const struct triad_root *root, bool seen_as_c,
	       u64 first, struct ship_look *look);

/* ---- ship_sum.c: what differs, whatever the histories ----------------------------------- */

#define SHIP_SUM_HASH	"sha256"

/* Of blocks with data, by rising LBA. */
struct ship_sum {
	struct triad_hash *hash;	/* the same on both ends */
	int (*take)(void *context, const struct stream_sum *sum);	/* what ends it if not 0 */
	void *context;
	u64 chunk;
	bool is_open;
	u8 state[TRIAD_HASH_SIZE];
};

int ship_sum_block(void *sum, const struct content_block *block);	/* a content_fn */
int ship_sum_end(struct ship_sum *sum);		/* no more blocks come */

/* ---- ship_owner.c ----------------------------------------------------------------------- */

enum ship_state {
	SHIP_NEW,
	SHIP_GREETED,		/* the replica is to say where it is */
	SHIP_ATTACHED,		/* it said so */
	SHIP_BRANCHED,		/* it is to say what changed there since both were one */
	SHIP_COMPARE,		/* it cannot, and is told sums of what is here */
	SHIP_LOG,
	SHIP_DIFFERENCE,
	SHIP_FULL,
	SHIP_STOPPED,		/* why says why; nothing more comes of this session */
};

struct ship_owner {
	struct ship_source *source;
	struct ship_log log;
	struct ship_out out;
	enum ship_state state;
	bool fenced;		/* somebody else owns it: epoch */
	u32 fenced_epoch;
	enum stream_refusal refusal;	/* with SHIP_STOPPED, if the replica said so */
	char why[256];
	u32 epoch;
	struct stream_position position;
	u64 credit;
	struct triad_origin sent;
	u64 sent_seq, durable;
	/* behind these commits of the replica: known, or sent */
	struct ship_mark acked;
	bool has_acked;
	struct ship_mark flight[SHIP_FLIGHTS];
	u32 nr_flights;
	/* a difference */
	struct triad_core core;
	bool is_open;
	bool begun;		/* its BEGIN was sent */
	bool moved;		/* more than one root was read in this pass */
	u64 floor;		/* the record behind what the replica has, if that is known */
	bool wants_commit;	/* no root has got there yet */
	u32 since;		/* of this pass: generation's low half, 0: all */
	u64 branched;		/* what is of this generation, or later, is to be sent */
	struct stream_range *changed;	/* SHIP_CHANGED; sent before all else */
	u32 nr_changed, next_changed;
	struct triad_root first;	/* of this pass */
	u64 lba;
	u32 nr_passes;
	struct stream_sum sum[STREAM_SUMS];	/* not sent yet */
	u32 nr_sums;
	u64 nr_batches, nr_differences, nr_fulls;
};

int ship_owner_init(struct ship_owner *owner, struct ship_source *source);
void ship_owner_free(struct ship_owner *owner);

/* A session begins; what was known of the replica stays known. */
void ship_owner_connected(struct ship_owner *owner);

/* A frame came. */
int ship_owner_frame(struct ship_owner *owner, const struct stream_in *in);

/*
 * Go on.  1: there may be more to do at once; 0: not before something comes, or the device was
 * written; an error ends the session, and so does SHIP_STOPPED.
 */
int ship_owner_step(struct ship_owner *owner);

/* Tell the replica how far the device is; from time to time. */
int ship_owner_ping(struct ship_owner *owner);

/* ---- ship_replica.c --------------------------------------------------------------------- */

struct ship_replica {
	/* given: */
	struct triad_core *core;	/* opened with receives; NULL: the place is blank */
	bool is_device;			/* it is no replica, or none any more; core is NULL */
	u32 device_epoch;		/* of that */
	/* Make a replica of a blank place, incomplete, and set core. */
	int (*make)(struct ship_replica *replica);
	/* Close core and open it again. */
	int (*reopen)(struct ship_replica *replica);
	bool in_steps;			/* what is too long for one commit may take several */
	struct triad_hash *sums;	/* as in ship_source */
	/* own: */
	struct ship_out out;
	struct stream_hello hello;
	bool greeted, stopped;
	bool branched;			/* the owner grew out of what is here */
	u8 *differs;			/* a bit for each chunk: what differs is being found out */
	u64 nr_compared;		/* chunks */
	struct receive rx;
	struct writer *writer;
	struct stream_in *in;
	u64 credit;
	u32 batch_blocks;		/* fewer when one was too long */
	u32 log_blocks;			/* that are committed before more come */
	u64 durable;			/* the last record that the owner has */
	u64 nr_batches, nr_differences, nr_fulls, nr_blocks;
	char why[256];
};

int ship_replica_init(struct ship_replica *replica);
enum stream_kind ship_replica_kind(const struct ship_replica *replica);	/* what is there */
void ship_replica_free(struct ship_replica *replica);

void ship_replica_connected(struct ship_replica *replica);

/* An error ends the session, when what is staged was sent. */
int ship_replica_frame(struct ship_replica *replica, struct stream_in *in);

/* The session has ended, or ends: what was received and not committed is dropped. */
int ship_replica_drop(struct ship_replica *replica);

/*
 * Nothing of an owner before this epoch is taken any more; durable on return.  A session ends with
 * it: what is staged says so.  -EPERM: it is at this epoch or a later one already, so nobody is
 * granted one twice.  -ENODATA: there is no replica.
 */
int ship_replica_seal(struct ship_replica *replica, u32 epoch);

#endif
