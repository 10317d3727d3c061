// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The replica's end: records become records of its own log, the last of which says where it has
 * arrived; other streams become a commit.  They are acknowledged when that is durable.
 *
 * What was received in part lies in the replica's log, and does not count.  It is given back
 * when the replica is opened anew; so whatever goes wrong in the middle ends with that.
 */
#include "ship.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "content.h"
#include "writer.h"

int ship_replica_init(struct ship_replica *rep)
{
	rep->writer = triad_alloc(sizeof(*rep->writer));
	rep->batch_blocks = SHIP_BATCH;
	rep->log_blocks = SHIP_LOG_BLOCKS;
	return rep->writer ? ship_out_init(&rep->out) : -ENOMEM;
}

enum stream_kind ship_replica_kind(const struct ship_replica *rep)
{
	if (!rep->core)
		return rep->is_device ? STREAM_KIND_OWNER : STREAM_KIND_BLANK;
	return rep->core->root.incompat & TRIAD_INCOMPAT_INCOMPLETE ? STREAM_KIND_INCOMPLETE : STREAM_KIND_WHOLE;
}

void ship_replica_free(struct ship_replica *rep)
{
	if (rep->rx.writer)
		receive_free(&rep->rx);
	rep->rx.writer = NULL;
	triad_free(rep->writer);
	triad_free(rep->differs);
	ship_out_free(&rep->out);
}

void ship_replica_connected(struct ship_replica *rep)
{
	ship_out_connected(&rep->out);
	rep->greeted = rep->stopped = rep->branched = false;
	triad_free(rep->differs);
	rep->differs = NULL;
	rep->credit = 0;
	rep->why[0] = 0;
}

int ship_replica_drop(struct ship_replica *rep)
{
	if (!rep->rx.writer)
		return 0;
	receive_free(&rep->rx);
	rep->rx.writer = NULL;
	return rep->reopen(rep);
}

static u32 epoch_of(const struct ship_replica *rep)
{
	return rep->core ? rep->core->root.epoch : rep->is_device ? rep->device_epoch : 0;
}

__attribute__((format(printf, 4, 5)))
static int refuse(struct ship_replica *rep, enum stream_refusal code, int error, const char *format, ...)
{
	struct stream_refuse refuse = {
		.code = code, .epoch = epoch_of(rep),
	};
	va_list args;

	va_start(args, format);
	vsnprintf(refuse.text, sizeof(refuse.text), format, args);
	va_end(args);
	snprintf(rep->why, sizeof(rep->why), "%s", refuse.text);
	rep->stopped = true;
	stream_refuse(&rep->out.stream, &refuse);
	return error;
}

static int fenced(struct ship_replica *rep)
{
	return refuse(rep, STREAM_REFUSE_FENCED, -EPERM, "it was sealed, or taken over: epoch %u, and "
		      "the owner's is %u", epoch_of(rep), rep->hello.epoch);
}

/* What went wrong with the disk or the stream, as the owner is to know it. */
static int failed(struct ship_replica *rep, int error)
{
	const struct stream_in *in = rep->in;
	bool is_log = rep->rx.writer && in->begin.is_log;

	switch (error) {
	case -EFBIG:
		if (is_log && rep->batch_blocks > 1)
			rep->batch_blocks /= 2;
		if (is_log)
			return refuse(rep, STREAM_REFUSE_TOO_LONG, error, "these records are more than it "
				      "has room for at once");
		return refuse(rep, STREAM_REFUSE_TOO_LONG, error, "what changed is too much for one "
			      "commit; triadsetup receive --in-steps takes it, or \"in_steps\"");
	case -ENOSPC:
		return refuse(rep, STREAM_REFUSE_FULL, error, "it is full");
	case -ESTALE:
		return refuse(rep, STREAM_REFUSE_HISTORY, error, "with this it would not hold what the "
			      "device holds: it is of another history");
	default:
		return refuse(rep, STREAM_REFUSE_OTHER, error, "%s", strerror(-error));
	}
}

/* ---- seals --------------------------------------------------------------------------------- */

static int raise_epoch(struct ship_replica *rep, u32 epoch)
{
	int r = ship_replica_drop(rep);

	if (!r)
		r = replica_seal(rep->core, epoch);
	return r;
}

int ship_replica_seal(struct ship_replica *rep, u32 epoch)
{
	int r = !rep->core ? -ENODATA : epoch <= rep->core->root.epoch ? -EPERM : raise_epoch(rep, epoch);

	if (!r && rep->greeted && !rep->stopped)
		fenced(rep);
	return r;
}

/* ---- greetings ------------------------------------------------------------------------------- */

static int stage_credit(struct ship_replica *rep)
{
	rep->credit = rep->in->bytes + SHIP_WINDOW;
	return stream_credit(&rep->out.stream, rep->credit);
}

/* It comes in time, however long what comes is. */
static int renew_credit(struct ship_replica *rep)
{
	return rep->in->bytes + SHIP_WINDOW / 2 > rep->credit ? stage_credit(rep) : 0;
}

/* It is a replica of whoever is the owner, or of nobody yet. */
static bool is_its_own(const struct ship_replica *rep)
{
	const struct triad_origin *at = rep->core ? &rep->core->origin : NULL;

	return !at || position_is_none(at) || !memcmp(at->uuid, rep->hello.uuid, sizeof(at->uuid));
}

static int another(struct ship_replica *rep)
{
	return refuse(rep, STREAM_REFUSE_HISTORY, -EPERM, "it is a replica of another device");
}

/* Whoever owned it before is to be refused from now on. */
static int follow(struct ship_replica *rep)
{
	return rep->core && rep->hello.epoch > rep->core->root.epoch ?
	       raise_epoch(rep, rep->hello.epoch) : 0;
}

static int take_hello(struct ship_replica *rep)
{
	struct stream_position position = { .batch_blocks = rep->batch_blocks, .kind = ship_replica_kind(rep) };
	const struct triad_root *root = rep->core ? &rep->core->root : NULL;
	int r = 0;

	rep->hello = rep->in->hello;
	rep->greeted = true;
	if (rep->hello.epoch < epoch_of(rep))
		return fenced(rep);
	if (rep->is_device)
		return refuse(rep, STREAM_REFUSE_OTHER, -EPERM, "what is there is no replica");
	/* another's position may be one that the owner grew out of: it says so then */
	if (is_its_own(rep))
		r = follow(rep);
	/* what a difference was cut short behind its first commit is told by one root alone */
	if (!r && root && rep->core->alone)
		r = triad_core_needs_heal(rep->core) ? triad_core_heal(rep->core) :
		    triad_commit_alone(rep->core, false);
	/* who was killed may have written that root, and not flushed it */
	if (!r && root)
		r = rep->core->store->ops->flush(rep->core->store);
	if (r)
		return failed(rep, r);
	if (root) {
		position.at = rep->core->origin;
		position.epoch = root->epoch;
		position.logical_blocks = root->logical_blocks;
	}
	r = stream_position(&rep->out.stream, &position);
	return r ? r : stage_credit(rep);
}

/* ---- the owner was a replica of what is here ------------------------------------------------- */

struct changes {
	struct ship_replica *rep;
	bool stage;			/* else they are counted */
	u64 gap;			/* so near to each other they are one */
	struct stream_range range[STREAM_RANGES];
	u32 nr, total;
};

static int add_change(void *context, const struct content_block *block)
{
	struct changes *c = context;
	struct stream_range *last = c->nr ? &c->range[c->nr - 1] : NULL;
	int r = 0;

	if (last && block->lba <= last->lba + last->nr + c->gap) {
		last->nr = max_t(u64, last->nr, block->lba + block->nr - last->lba);
		return 0;
	}
	if (++c->total > SHIP_CHANGED)
		return c->stage ? -EFBIG : 1;
	if (c->nr == STREAM_RANGES) {
		if (c->stage)
			r = stream_changed(&c->rep->out.stream, c->range, c->nr, true);
		c->nr = 0;
	}
	c->range[c->nr++] = (struct stream_range) { block->lba, block->nr };
	return r;
}

static u64 nr_chunks(const struct ship_replica *rep)
{
	return rep->core->geo.logical_blocks / STREAM_SUM_BLOCKS;
}

/* All that was found to differ; or, where that was not looked for, was written here since a generation. */
static int find_changes(struct ship_replica *rep, u64 generation, struct changes *c)
{
	struct content_range range = {
		.since = (u32)generation + 1, .to = rep->core->geo.logical_blocks,
		.holes = true, .only_names = true,
	};
	u64 chunk, nr = nr_chunks(rep);
	int r = 0;

	if (!rep->differs)
		return content_changes(rep->core, &range, add_change, c);
	for (chunk = 0; chunk < nr && !r; chunk++) {
		struct content_block block = { .lba = chunk * STREAM_SUM_BLOCKS, .nr = STREAM_SUM_BLOCKS };

		if (triad_bit(rep->differs, chunk))
			r = add_change(c, &block);
	}
	return r;
}

/* Where these are too many, with what lies between. */
static int stage_changes(struct ship_replica *rep, u64 generation)
{
	struct changes *c = triad_alloc(sizeof(*c));
	u64 gap = 0;
	int r;

	if (!c)
		return -ENOMEM;
	do {
		*c = (struct changes) { .rep = rep, .gap = gap };
		r = find_changes(rep, generation, c);
		gap = 2 * gap + 1;
	} while (r == 1);
	*c = (struct changes) { .rep = rep, .gap = c->gap, .stage = true };
	if (!r)
		r = find_changes(rep, generation, c);
	if (!r)
		r = stream_changed(&rep->out.stream, c->range, c->nr, false);
	triad_free(c);
	return r;
}

/* ---- ... or it is found out by sums of all that is there --------------------------------------- */

static void differs(struct ship_replica *rep, u64 chunk)
{
	triad_bit_set(rep->differs, chunk);
}

struct compared {
	struct ship_replica *rep;
	u32 next;		/* sum of the frame */
};

/* A chunk with data here: it differs, unless there is the same sum there. */
static int compare_sum(void *context, const struct stream_sum *own)
{
	struct compared *c = context;
	const struct stream_in *in = c->rep->in;

	/* these have data there alone */
	for (; c->next < in->nr && in->sum[c->next].chunk < own->chunk; c->next++)
		differs(c->rep, in->sum[c->next].chunk);
	if (c->next == in->nr || in->sum[c->next].chunk != own->chunk)
		differs(c->rep, own->chunk);
	else if (memcmp(in->sum[c->next++].sum, own->sum, STREAM_SUM_SIZE))
		differs(c->rep, own->chunk);
	return 0;
}

static int take_sums(struct ship_replica *rep)
{
	const struct stream_in *in = rep->in;
	u64 nr = rep->core ? nr_chunks(rep) : 0;
	u64 end = !in->more ? nr : in->nr ? in->sum[in->nr - 1].chunk + 1 : 0;
	struct compared c = { .rep = rep };
	struct ship_sum sum = { .hash = rep->sums, .take = compare_sum, .context = &c };
	struct content_range range = {
		.from = rep->nr_compared * STREAM_SUM_BLOCKS,
		.to = min_t(u64, end * STREAM_SUM_BLOCKS, rep->core ? rep->core->geo.logical_blocks : 0),
	};
	int r;

	if (!rep->differs || !end || end > nr ||
	    (in->nr && (in->sum[0].chunk < rep->nr_compared || in->sum[in->nr - 1].chunk >= end)))
		return refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "sums come that were not asked for");
	r = content_changes(rep->core, &range, ship_sum_block, &sum);
	if (!r)
		r = ship_sum_end(&sum);
	for (; c.next < in->nr; c.next++)
		differs(rep, in->sum[c.next].chunk);
	rep->nr_compared = end;
	if (!r && !in->more) {
		r = stage_changes(rep, 0);
		triad_free(rep->differs);
		rep->differs = NULL;
	}
	if (!r)
		r = renew_credit(rep);
	return r ? failed(rep, r) : 0;
}

static int ask_for_sums(struct ship_replica *rep)
{
	rep->nr_compared = 0;
	rep->differs = triad_alloc(nr_chunks(rep) / 8 + 1);
	return rep->differs ? stream_compare(&rep->out.stream) : -ENOMEM;
}

/*
 * What was the device that the owner was a replica of tells what it wrote since, if it knows.  It, and
 * any other replica of that which was no further, is compared else.
 */
static int take_branched(struct ship_replica *rep)
{
	const struct triad_root *root = rep->core ? &rep->core->root : NULL;
	struct triad_origin at = rep->in->at;
	bool is_itself, parted;
	int r;

	if (!root || rep->branched || is_its_own(rep) || memcmp(at.uuid, root->origin.uuid, sizeof(at.uuid)))
		return another(rep);
	/* it is told without its branch: the newest that it can be of */
	at.branch = min_t(u64, root->branch, at.generation);
	is_itself = !memcmp(root->uuid, root->origin.uuid, sizeof(root->uuid));
	/* of what is incomplete nothing is told: all comes */
	parted = ship_replica_kind(rep) == STREAM_KIND_WHOLE &&
		 memcmp(at.state, rep->core->origin.state, sizeof(at.state));
	if (parted && !is_itself && position_record(&rep->core->origin) > position_record(&at))
		return refuse(rep, STREAM_REFUSE_HISTORY, -EPERM, "it is further than the device was when that "
			      "took over: what it holds alone would be lost; a blank image takes all");
	rep->branched = true;
	r = follow(rep);
	/* a root that was lost behind it was healed by another of its number, with births of that */
	if (!r && !parted)
		r = stream_changed(&rep->out.stream, NULL, 0, false);
	else if (!r && is_itself && position_age(&at, root) == POSITION_FITS)
		r = stage_changes(rep, at.generation - (root->branch == at.generation));
	else if (!r)
		r = ask_for_sums(rep);
	return r ? failed(rep, r) : 0;
}

/* ---- streams --------------------------------------------------------------------------------- */

/* Index entries that the stream needs, with some to spare. */
static u64 entries_of(const struct stream_begin *begin)
{
	u64 holes = min_t(u64, begin->nr_holes, 1u << 20);

	return min_t(u64, begin->nr_blocks, TRIAD_MAX_BLOCKS) * 9 / 8 + 64 * holes + 65536;
}

/*
 * For records the replica stays open, and room is made before them: a commit that changes
 * nothing gives back what the one before held for its own sake.  What was received in part is
 * behind two commits then, too, so that no root's log leads over it to what follows.
 */
static int make_ready(struct ship_replica *rep)
{
	const struct stream_begin *begin = &rep->in->begin;
	struct triad_core *core = rep->core;
	u32 i, nr = min_t(u32, 2 * rep->batch_blocks + 64, core->geo.interval_blocks / 2);
	u32 commits = core->counted.open ? 2 : core->active->nr >= rep->log_blocks;
	int r = 0;

	if (!begin->is_log)
		return replica_ready(core, rep->rx.in_steps ? 0 : entries_of(begin));
	if (triad_core_needs_heal(core))
		r = triad_core_heal(core);
	for (i = 0; i < 2 && !r && (i < commits || !triad_log_room(core, nr, nr, TRIAD_FANOUT)); i++)
		r = triad_commit_alone(core, false);
	return r;
}

static int take_begin(struct ship_replica *rep)
{
	const struct stream_begin *begin = &rep->in->begin;
	bool whole = ship_replica_kind(rep) == STREAM_KIND_WHOLE;
	struct receive *rx = &rep->rx;
	int r = 0;

	if (rx->writer)
		return refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "a stream begins in another one");
	if (memcmp(begin->uuid, rep->hello.uuid, sizeof(begin->uuid)))
		return refuse(rep, STREAM_REFUSE_HISTORY, -EPERM, "what comes is of another device");
	/* sealed since */
	if (rep->hello.epoch < epoch_of(rep))
		return fenced(rep);
	if (!is_its_own(rep) && !rep->branched)
		return another(rep);
	if (begin->is_full ? whole : !whole || !triad_origin_same(&begin->from, &rep->core->origin))
		return refuse(rep, STREAM_REFUSE_HISTORY, -EPERM, "what comes does not follow what is here");
	if (!rep->core)
		r = rep->make(rep);
	if (!r && rep->core->root.logical_blocks < begin->logical_blocks)
		return refuse(rep, STREAM_REFUSE_OTHER, -EPERM, "it is too small");
	memset(rx, 0, sizeof(*rx));
	rx->in = rep->in;
	rx->epoch = rep->hello.epoch;
	rx->in_steps = !begin->is_log && (rep->in_steps || begin->is_full);
	if (!r)
		r = make_ready(rep);
	if (r)
		return failed(rep, r);
	rx->writer = rep->writer;
	writer_begin(rep->writer, rep->core);
	r = receive_begin(rx);
	return r ? failed(rep, r) : 0;
}

static int take_end(struct ship_replica *rep)
{
	const struct stream_begin *begin = &rep->in->begin;
	int r = receive_end(&rep->rx);

	if (r)
		return failed(rep, r);
	receive_free(&rep->rx);
	rep->rx.writer = NULL;
	rep->nr_batches += begin->is_log;
	rep->nr_fulls += begin->is_full;
	rep->nr_differences += !begin->is_log && !begin->is_full;
	rep->nr_blocks += rep->in->nr_blocks;
	/* as it was before it was made ready for a long commit */
	if (!begin->is_log)
		r = rep->reopen(rep);
	if (!r)
		r = stream_ack(&rep->out.stream, &rep->core->origin);
	return r ? failed(rep, r) : stage_credit(rep);
}

static int take_ping(struct ship_replica *rep)
{
	rep->durable = rep->in->durable;
	return stream_ping(&rep->out.stream, 0);
}

static int take_part(struct ship_replica *rep)
{
	int r;

	if (!rep->rx.writer)
		return refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "blocks come outside of a stream");
	r = receive_frame(&rep->rx);
	/* an ACK comes late in a long stream */
	if (!r)
		r = renew_credit(rep);
	return r ? failed(rep, r) : 0;
}

int ship_replica_frame(struct ship_replica *rep, struct stream_in *in)
{
	rep->in = in;
	if (rep->stopped)
		return -EPROTO;
	if ((in->type == STREAM_HELLO) == rep->greeted)
		return refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "a session begins with a greeting, and has one");
	if (rep->greeted && in->bytes > rep->credit)
		return refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "more came than it gave credit for");
	switch (in->type) {
	case STREAM_HELLO:
		return take_hello(rep);
	case STREAM_BRANCHED:
		return take_branched(rep);
	case STREAM_BEGIN:
		return take_begin(rep);
	case STREAM_BLOCKS:
	case STREAM_HOLES:
		return take_part(rep);
	case STREAM_END:
		return rep->rx.writer ? take_end(rep) :
		       refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "an end without a beginning");
	case STREAM_SUM:
		return take_sums(rep);
	case STREAM_PING:
		return take_ping(rep);
	default:
		return refuse(rep, STREAM_REFUSE_OTHER, -EPROTO, "only a replica says that");
	}
}
