/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replica.h - a device that holds a state of another one: positions, receiving, promoting.
 *
 * Says nothing to the user; errors are negative errno.
 */
#ifndef TRIAD_REPLICA_H
#define TRIAD_REPLICA_H

#include "core.h"
#include "stream.h"

struct writer;

/*
 * Where an opened core stands, its log included; of a replica: which state of the other
 * device it holds.
 */
int replica_position(const struct triad_core *core, struct triad_origin *position);

/* The same of a device, at any place in the log behind a root. */
int replica_position_at(struct triad_hash *hash, const struct triad_root *root,
			const struct triad_position *next, struct triad_origin *position);

/*
 * May what holds this position be brought on by what changed since in the device that is at now?
 * As far as the numbers tell; what they cannot tell the sum at the end does.
 */
enum position_age {
	POSITION_FITS,
	POSITION_OF_ANOTHER_HISTORY,
	POSITION_TOO_OLD,	/* births have 32 bits */
};

enum position_age position_age(const struct triad_origin *from, const struct triad_root *now);
bool position_is_none(const struct triad_origin *position);

/* The last record that it holds. */
u64 position_record(const struct triad_origin *position);

/* Which of two states is the older one, as far as their names tell. */
enum position_order {
	POSITION_BEFORE,	/* the first holds less */
	POSITION_SAME,
	POSITION_BEHIND,
	POSITION_UNRELATED,	/* of another device, or another history of it */
};

enum position_order position_order(const struct triad_origin *x, const struct triad_origin *y);

/*
 * What a stream begins with: of all; or, from a position, of what changed since a generation, whose
 * low half is given.
 */
int replica_begin(struct triad_core *core, const struct triad_origin *from, u32 since,
		  struct stream_begin *begin);

struct receive {
	struct writer *writer;
	struct stream_in *in;		/* BEGIN was read */
	u32 epoch;			/* of whoever sends; no less than the replica's */
	bool in_steps;			/* what is too long for one commit takes several */
	bool incomplete;		/* one of these landed, or is about to */
	void (*progress)(struct receive *rx);
	u64 nr_blocks;			/* written so far */
	u64 first;			/* its first record */
	struct triad_root stamp;
	struct node_cache *cache;	/* once something is discarded */
};

/*
 * Make an opened replica fit to receive: whole, and rid of what an interrupted receive left
 * in its log.  With entries, what is to come, its next interval gets as long as it can be.
 */
int replica_ready(struct triad_core *core, u64 entries);

/*
 * Take all frames up to END, which is checked against what would result, and commit that: it
 * is the first write that anybody can see, unless in_steps.  On a new device (writer_open) the
 * roots are left to the caller, who calls writer_finish.
 *
 * -EBADMSG, -EUCLEAN: of the stream, in->why says it; -EFBIG: too long for one commit;
 * -ESTALE: the result is not what the sender has: another history; else of the disk.
 */
int replica_receive(struct receive *rx);

/*
 * Its parts, for those to whom frames come as they like: behind BEGIN, for each frame of blocks
 * or holes, and behind END; receive_free() in any case.  What was written and not committed is
 * in the log until the replica is opened anew.
 */
int receive_begin(struct receive *rx);
int receive_frame(struct receive *rx);
int receive_end(struct receive *rx);
void receive_free(struct receive *rx);

/* The same into an opened replica, with a writer of its own. */
int replica_take(struct triad_core *core, struct receive *rx);

/*
 * Nothing of an older owner than this one is taken any more; in all three roots on return.  core
 * was opened with receives, and nothing was received into it.
 */
int replica_seal(struct triad_core *core, u32 epoch);

/*
 * No replica any more: a device of its own, and a new branch of it.  -EAGAIN: it is incomplete.
 * Its roots keep the position it had, with the first generation of its own in place of the branch.
 */
int replica_promote(struct triad_core *core);

/* The other way: a device becomes a replica of itself, as it is; in all three roots on return. */
int replica_demote(struct triad_core *core);

#endif
