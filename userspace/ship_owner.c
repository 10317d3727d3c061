// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The owner's end: what a replica needs, from the log, or as what changed since.
 *
 * A difference is read in pieces, each from the root that is current then, so that it ends
 * however long it takes.  If more than one root was read, what is there is of no one state:
 * another pass sends what changed since the first of them, until one root lasts for a pass.
 * All of that is one stream, and one commit of the replica.
 */
#include "ship.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "content.h"

#define MOST_PASSES	128u
#define PIECE_RANGES	64u	/* each may be far from the one before */
#define SUMS_OF_PIECE	(SHIP_CHUNK / (STREAM_SUM_BLOCKS * TRIAD_BLOCK_SIZE))

int ship_owner_init(struct ship_owner *o, struct ship_source *source)
{
	int r;

	memset(o, 0, sizeof(*o));
	o->source = source;
	r = ship_log_init(&o->log, source);
	return r ? r : ship_out_init(&o->out);
}

static void close_root(struct ship_owner *o)
{
	if (o->is_open)
		triad_core_close(&o->core);
	o->is_open = false;
}

void ship_owner_free(struct ship_owner *o)
{
	close_root(o);
	ship_log_free(&o->log);
	ship_out_free(&o->out);
	triad_free(o->changed);
	o->changed = NULL;
}

void ship_owner_connected(struct ship_owner *o)
{
	close_root(o);
	ship_out_connected(&o->out);
	o->state = SHIP_NEW;
	o->nr_changed = 0;
	o->credit = 0;
	o->why[0] = 0;
	o->refusal = STREAM_REFUSE_OTHER;
}

__attribute__((format(printf, 2, 3)))
static int stop(struct ship_owner *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(o->why, sizeof(o->why), format, args);
	va_end(args);
	o->state = SHIP_STOPPED;
	return 0;
}

/* ---- where to begin ---------------------------------------------------------------------- */

static int greet(struct ship_owner *o)
{
	struct stream_hello hello = { 0 };
	struct ship_look look;
	int r = ship_look(o->source, &look);

	if (r)
		return r;
	if (triad_root_is_replica(&look.c))
		return stop(o, "the device is a replica itself");
	memcpy(hello.uuid, look.c.uuid, sizeof(hello.uuid));
	memcpy(hello.label, look.c.label, sizeof(hello.label));
	hello.logical_blocks = look.c.logical_blocks;
	hello.checksum_kind = look.c.checksum_kind;
	hello.epoch = o->epoch = look.c.epoch;
	o->state = SHIP_GREETED;
	return stream_hello(&o->out.stream, &hello);
}

/* floor: where the replica is, if that was found in the log; else all roots are behind it. */
static void begin_difference(struct ship_owner *o, bool full, u64 floor)
{
	close_root(o);
	o->floor = floor;
	o->wants_commit = false;
	o->state = full ? SHIP_FULL : SHIP_DIFFERENCE;
	o->begun = o->moved = false;
	o->lba = 0;
	o->next_changed = 0;
	o->nr_passes = 0;
	o->since = full ? 0 : (u32)o->sent.generation + 1;
	memset(&o->first, 0, sizeof(o->first));
}

/* A commit of the replica that we know the place of. */
static bool recall(struct ship_owner *o, const struct triad_origin *at)
{
	u32 i;

	if (o->has_acked && triad_origin_same(&o->acked.at, at)) {
		o->log.mark = o->acked;
		return true;
	}
	for (i = 0; i < o->nr_flights; i++) {
		if (triad_origin_same(&o->flight[i].at, at)) {
			o->log.mark = o->acked = o->flight[i];
			o->has_acked = true;
			return true;
		}
	}
	return false;
}

static int attach(struct ship_owner *o)
{
	const struct triad_origin *at = &o->position.at;
	struct ship_look look;
	char text[POSITION_SIZE];
	bool known;
	int r = ship_look(o->source, &look);

	if (r)
		return r;
	/* of what it had acknowledged it has nothing any more, or only a part */
	o->has_acked &= o->position.kind == STREAM_KIND_WHOLE;
	known = o->position.kind == STREAM_KIND_WHOLE && recall(o, at);
	o->nr_flights = 0;
	o->sent = *at;
	if (o->position.kind != STREAM_KIND_BLANK && o->position.logical_blocks < look.c.logical_blocks)
		return stop(o, "it is too small: it holds %" PRIu64 " MiB, and the device %" PRIu64,
			    o->position.logical_blocks >> 8, look.c.logical_blocks >> 8);
	if (o->position.kind != STREAM_KIND_BLANK && !position_is_none(at) &&
	    memcmp(at->uuid, look.c.uuid, sizeof(at->uuid))) {
		if (memcmp(at->uuid, look.c.origin.uuid, sizeof(at->uuid)))
			return stop(o, "it is a replica of another device: %s", position_text(at, text));
		o->state = SHIP_BRANCHED;
		o->branched = look.c.origin.branch;
		return stream_branched(&o->out.stream, &look.c.origin);
	}
	if (o->position.kind != STREAM_KIND_WHOLE) {
		begin_difference(o, true, 0);
		return 0;
	}
	r = known ? 0 : ship_log_find(&o->log, &look, at);
	if (r == -EILSEQ || (r == 1 && position_age(at, &look.c) != POSITION_FITS))
		return stop(o, "it is ahead of the device, or of another history: %s; it may hold what "
			    "the device has lost", position_text(at, text));
	if (r < 0)
		return r;
	if (r) {
		begin_difference(o, false, 0);
	} else {
		o->state = SHIP_LOG;
		o->acked = o->log.mark;
		o->has_acked = true;
	}
	return 0;
}

/* ---- whoever was one with it before -------------------------------------------------------- */

/*
 * This device was a replica once, and the other end holds what became of the device that it was a
 * replica of.  What differs is what changed there since, which it tells, and what changed here.
 */
static int take_changed(struct ship_owner *o, const struct stream_in *in)
{
	u64 end = 0;
	u32 i;

	if (!o->changed)
		o->changed = triad_alloc(SHIP_CHANGED * sizeof(*o->changed));
	if (!o->changed)
		return -ENOMEM;
	for (i = 0; i < in->nr; i++) {
		if (o->nr_changed)
			end = o->changed[o->nr_changed - 1].lba + o->changed[o->nr_changed - 1].nr;
		if (o->nr_changed == SHIP_CHANGED || in->range[i].lba < end)
			return -EPROTO;
		o->changed[o->nr_changed++] = in->range[i];
	}
	if (in->more)
		return 0;
	begin_difference(o, o->position.kind == STREAM_KIND_INCOMPLETE, 0);
	if (o->state == SHIP_DIFFERENCE)
		o->since = o->branched;
	else
		o->nr_changed = 0;
	return 0;
}

/* ... which it cannot tell: it is told sums of all that is here, and answers what differs. */
static int take_compare(struct ship_owner *o)
{
	close_root(o);
	o->state = SHIP_COMPARE;
	o->floor = 0;
	o->lba = 0;
	o->nr_sums = 0;
	memset(&o->first, 0, sizeof(o->first));
	return 0;
}

/* ---- frames -------------------------------------------------------------------------------- */

static int take_ack(struct ship_owner *o, const struct triad_origin *at)
{
	u32 i;

	for (i = 0; i < o->nr_flights; i++)
		if (triad_origin_same(&o->flight[i].at, at))
			break;
	if (i == o->nr_flights)
		return -EPROTO;
	o->acked = o->flight[i];
	o->has_acked = true;
	o->nr_flights -= i + 1;
	memmove(o->flight, o->flight + i + 1, o->nr_flights * sizeof(o->flight[0]));
	return 0;
}

static int take_refusal(struct ship_owner *o, const struct stream_refuse *refuse)
{
	o->refusal = refuse->code;
	stop(o, "the replica refuses: %s", refuse->text);
	if (refuse->code == STREAM_REFUSE_FENCED && refuse->epoch > o->epoch) {
		o->fenced = true;
		o->fenced_epoch = refuse->epoch;
	}
	return 0;
}

int ship_owner_frame(struct ship_owner *o, const struct stream_in *in)
{
	switch (in->type) {
	case STREAM_POSITION:
		if (o->state != SHIP_GREETED)
			return -EPROTO;
		o->position = in->position;
		o->state = SHIP_ATTACHED;
		return 0;
	case STREAM_ACK:
		return take_ack(o, &in->at);
	case STREAM_CHANGED:
		return o->state == SHIP_BRANCHED ? take_changed(o, in) : -EPROTO;
	case STREAM_COMPARE:
		return o->state == SHIP_BRANCHED ? take_compare(o) : -EPROTO;
	case STREAM_CREDIT:
		o->credit = max_t(u64, o->credit, in->credit);
		return 0;
	case STREAM_REFUSE:
		return take_refusal(o, &in->refuse);
	case STREAM_PING:
		return 0;
	default:
		return -EPROTO;
	}
}

int ship_owner_ping(struct ship_owner *o)
{
	return o->state < SHIP_COMPARE || o->state == SHIP_STOPPED ? 0 :
	       stream_ping(&o->out.stream, o->durable);
}

/* ---- the log --------------------------------------------------------------------------------- */

static void sent(struct ship_owner *o)
{
	o->sent = o->log.mark.at;
	o->sent_seq = o->log.mark.next.seq - 1;
	o->durable = max_t(u64, o->log.durable, o->sent_seq);
	o->flight[o->nr_flights++] = o->log.mark;
}

static int ship_records(struct ship_owner *o)
{
	int r = ship_log_read(&o->log, &o->out, min_t(u32, o->position.batch_blocks, SHIP_BATCH));

	o->durable = max_t(u64, o->durable, o->log.durable);
	if (r == -ESTALE) {
		begin_difference(o, false, o->log.mark.next.seq);
		return 1;
	}
	if (r > 0) {
		o->nr_batches++;
		sent(o);
		r = ship_owner_ping(o);
		return r ? r : 1;
	}
	return r;
}

/* ---- differences ------------------------------------------------------------------------------ */

static int open_root(struct ship_owner *o)
{
	struct ship_look look;
	int r = ship_look(o->source, &look);

	if (r)
		return r;
	/* it would lead back */
	o->wants_commit = look.c.next_seq < o->floor;
	if (o->wants_commit)
		return -EAGAIN;
	memset(&o->core, 0, sizeof(o->core));
	o->core.store = o->source->store;
	o->core.hash = o->source->hash;
	r = triad_core_open_at(&o->core, o->source->device_blocks, look.slot, false);
	if (r)
		return r == -ENODATA || r == -EBADMSG || r == -EUCLEAN ? -EAGAIN : r;
	o->is_open = true;
	if (!ship_same_root(&o->core.root, &look.c)) {
		close_root(o);
		return -EAGAIN;
	}
	/* what c reaches is durable: so far the replica is behind, at least */
	o->durable = max_t(u64, o->durable, look.c.next_seq - 1);
	if (!o->first.generation)
		o->first = look.c;
	else if (!ship_same_root(&o->first, &look.c))
		o->moved = true;
	return 0;
}

static int check_root(struct ship_owner *o)
{
	struct ship_look look;

	return ship_check(o->source, &o->core.root, true, 0, &look);
}

struct piece {
	struct ship_owner *o;
	u64 next;		/* LBA that did not fit any more */
	u32 next_changed;	/* range that it lies in */
};

static int stage_block(void *context, const struct content_block *block)
{
	struct piece *p = context;
	struct ship_out *out = &p->o->out;

	if (out->nr + out->stream.nr_gathered * TRIAD_BLOCK_SIZE > SHIP_CHUNK) {
		p->next = block->lba;
		return 1;
	}
	if (block->error)
		return block->error;
	return block->hole ? stream_hole(&out->stream, block->lba, block->nr) :
	       stream_block(&out->stream, block->lba, block->data);
}

static int stage_begin(struct ship_owner *o)
{
	struct stream_begin begin;
	int r = replica_begin(&o->core, o->state == SHIP_FULL ? NULL : &o->sent, o->since, &begin);
	u32 i;

	for (i = 0; i < o->nr_changed; i++)
		begin.nr_blocks += o->changed[i].nr;
	return r ? r : stream_begin(&o->out.stream, &begin);
}

static int stage_end(struct ship_owner *o)
{
	struct triad_core *core = &o->core;
	struct stream_end end = { 0 };
	int r = replica_position(core, &end.to);

	if (!r)
		r = content_sum(core, core->root.checksum_kind, end.sum, &end.nr_mapped);
	return r ? r : stream_end(&o->out.stream, &end);
}

/* One root was read from the first LBA on to the last. */
static int end_difference(struct ship_owner *o)
{
	int r = ship_log_begin(&o->log, &o->core.root);

	if (r)
		return r;
	if (o->state == SHIP_FULL)
		o->nr_fulls++;
	else
		o->nr_differences++;
	close_root(o);
	o->nr_changed = 0;
	o->log.durable = 0;
	o->state = SHIP_LOG;
	sent(o);
	return ship_owner_ping(o);
}

/* Of what changed at the other end: all that is here, or is not. */
static int stage_changed(struct ship_owner *o, struct piece *p)
{
	u32 end = min_t(u32, o->nr_changed, p->next_changed + PIECE_RANGES);
	int r = 0;

	for (; p->next_changed < end && !r; p->next_changed += !r) {
		const struct stream_range *changed = &o->changed[p->next_changed];
		struct content_range range = {
			.from = max_t(u64, p->next, changed->lba),
			.to = min_t(u64, changed->lba + changed->nr, o->core.geo.logical_blocks),
			.holes = true,
		};

		r = content_changes(&o->core, &range, stage_block, p);
	}
	if (!r)
		p->next = 0;
	return r;
}

static int stage_piece(struct ship_owner *o, struct piece *p)
{
	struct content_range range = {
		.since = o->since, .from = o->lba, .to = o->core.geo.logical_blocks,
		.holes = o->since != 0,
	};
	int r;

	if (o->next_changed < o->nr_changed) {
		r = stage_changed(o, p);
	} else {
		p->next = range.to;
		r = content_changes(&o->core, &range, stage_block, p);
	}
	return r < 0 ? r : stream_flush(&o->out.stream);
}

/* The next pass, if this one was of more than one root. */
static bool goes_on(struct ship_owner *o)
{
	if (!o->moved)
		return false;
	o->since = (u32)o->first.generation + 1;
	o->first = o->core.root;
	o->moved = false;
	o->lba = 0;
	o->nr_passes++;
	return true;
}

/* Nothing of a piece counts whose root is gone: again, with the one that is current now. */
static int drop_piece(struct ship_owner *o, const struct ship_out_mark *staged, int gone, int r)
{
	ship_out_back(&o->out, staged);
	close_root(o);
	if (gone == -ESTALE || gone == -EAGAIN)
		return 1;
	return gone ? gone : r;
}

static int ship_difference(struct ship_owner *o)
{
	struct ship_out_mark staged = ship_out_mark(&o->out);
	struct piece p = { .o = o, .next = o->lba, .next_changed = o->next_changed };
	bool ends = false;
	int gone, r = o->is_open ? 0 : open_root(o);

	if (r)
		return r;
	if (o->nr_passes > MOST_PASSES)
		return stop(o, "the device commits faster than what changes can be read");
	if (!o->begun) {
		r = stage_begin(o);
	} else if (o->lba < o->core.geo.logical_blocks) {
		r = stage_piece(o, &p);
	} else if (goes_on(o)) {
		p.next = 0;
	} else {
		r = stage_end(o);
		ends = true;
	}
	gone = check_root(o);
	if (!gone && !r) {
		if (ends)
			r = end_difference(o);
		o->begun = true;
		o->lba = p.next;
		o->next_changed = p.next_changed;
		return r ? r : 1;
	}
	return drop_piece(o, &staged, gone, r);
}

/* ---- sums -------------------------------------------------------------------------------------- */

/*
 * Of what is here, piece by piece, each from the root that is current then.  What changes
 * meanwhile is younger than the first of these, and is sent in any case.
 */
struct sums {
	struct ship_owner *o;
	struct ship_sum sum;
	u64 next;		/* LBA that begins the next piece */
	u32 nr;			/* in this one */
};

static int send_sums(struct ship_owner *o, bool more)
{
	u32 nr = o->nr_sums;

	o->nr_sums = 0;
	return stream_sums(&o->out.stream, o->sum, nr, more);
}

static int keep_sum(void *context, const struct stream_sum *sum)
{
	struct sums *s = context;
	struct ship_owner *o = s->o;

	o->sum[o->nr_sums++] = *sum;
	s->next = (sum->chunk + 1) * STREAM_SUM_BLOCKS;
	return ++s->nr == SUMS_OF_PIECE || o->nr_sums == STREAM_SUMS;
}

static int ship_sums(struct ship_owner *o)
{
	struct ship_out_mark staged = ship_out_mark(&o->out);
	struct sums s = { .o = o };
	u32 nr = o->nr_sums;
	int gone, r = o->is_open ? 0 : open_root(o);
	bool ends;

	if (r)
		return r;
	s.sum = (struct ship_sum) { .hash = o->source->sums, .take = keep_sum, .context = &s };
	r = content_changes(&o->core, &(struct content_range) {
		.from = o->lba, .to = o->core.geo.logical_blocks,
	}, ship_sum_block, &s.sum);
	if (!r)
		r = ship_sum_end(&s.sum);
	ends = !r;
	if (r >= 0 && (ends || o->nr_sums == STREAM_SUMS))
		r = send_sums(o, !ends);
	gone = check_root(o);
	if (!gone && r >= 0) {
		o->lba = s.next;
		if (ends) {
			o->branched = o->first.generation + 1;
			o->state = SHIP_BRANCHED;
		}
		return 1;
	}
	o->nr_sums = nr;
	return drop_piece(o, &staged, gone, r);
}

/* ---- the whole --------------------------------------------------------------------------------- */

static int go_on(struct ship_owner *o)
{
	switch (o->state) {
	case SHIP_NEW:
		return greet(o);
	case SHIP_ATTACHED:
		return attach(o) ? : 1;
	case SHIP_COMPARE:
	case SHIP_LOG:
	case SHIP_DIFFERENCE:
	case SHIP_FULL:
		if (o->credit < o->out.stream.bytes + SHIP_STAGED || o->nr_flights == SHIP_FLIGHTS)
			return 0;
		return o->state == SHIP_LOG ? ship_records(o) :
		       o->state == SHIP_COMPARE ? ship_sums(o) : ship_difference(o);
	case SHIP_GREETED:
	case SHIP_BRANCHED:
	case SHIP_STOPPED:
		break;
	}
	return 0;
}

int ship_owner_step(struct ship_owner *o)
{
	int r = go_on(o);

	if (r != -EBADMSG && r != -EUCLEAN && r != -ENODATA)
		return r == -EAGAIN ? 0 : r;
	return stop(o, "the device: %s", r == -EBADMSG ? "a block does not match its checksum" :
		    r == -EUCLEAN ? "it says what cannot be" : "its roots prove nothing");
}
