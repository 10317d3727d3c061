// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"
#include "disk.h"
#include "order.h"

/* ---- records ------------------------------------------------------------------- */

/* What is known of a record while its payload comes in. */
struct body {
	struct triad_record rec;
	u32 ids[TRIAD_RECORD_MAX_BLOCKS];
};

struct builder {
	struct order *order;
	const struct tape *tape;
	struct body **bodies;		/* by record */
	u64 place, seq;			/* of the next record */
	u8 chain[TRIAD_HASH_SIZE];
	u32 *wanted;			/* by PBA: record + 1 whose payload goes there */
	u32 *wanted_nr;			/* ... and which block of it */
	u32 *now;			/* content, by LBA */
	u64 hash;
	/* upper writes and discards, by first LBA */
	u32 *first;			/* event + 1 */
	u32 *next;			/* by event */
};

static void want(struct builder *b, u32 nr)
{
	const struct triad_record *rec = &b->bodies[nr]->rec;
	u32 i, j, block = 0;

	for (i = 0; i < rec->nr_runs; i++)
		for (j = 0; j < rec->runs[i].nr; j++) {
			b->wanted[rec->runs[i].start + j] = nr + 1;
			b->wanted_nr[rec->runs[i].start + j] = block++;
		}
}

/* A header that goes where the chain leads: the next record, or nothing may be there. */
static bool add_record(struct builder *b, u32 event, u32 id)
{
	struct order *order = b->order;
	struct body *body = calloc(1, sizeof(*body));
	u8 block[TRIAD_BLOCK_SIZE];

	assert(body);
	memcpy(block, content_of(id), sizeof(block));
	if (triad_record_decode(&body->rec, &order->geo, NULL, order->uuid, b->place, b->seq,
				b->chain, block)) {
		violation("event %u: not a record at the place of record %llu", event,
			  (unsigned long long)b->seq);
		free(body);
		return false;
	}
	if (order->nr == order->max) {
		order->max = order->max ? 2 * order->max : 1024;
		order->records = realloc(order->records, order->max * sizeof(*order->records));
		b->bodies = realloc(b->bodies, order->max * sizeof(*b->bodies));
		assert(order->records && b->bodies);
	}
	order->records[order->nr] = (struct record){
		.seq = b->seq, .flags = body->rec.flags, .sent = event, .fua = true,
		.nr_missing = body->rec.nr_blocks,
	};
	b->bodies[order->nr] = body;
	want(b, order->nr++);
	b->place = body->rec.next;
	b->seq++;
	return true;
}

static void own(struct builder *b, u32 event, u32 nr)
{
	const struct event *e = &b->tape->events[event];
	struct record *record = &b->order->records[nr];

	if (b->order->owner[event] && b->order->owner[event] != nr + 1)
		violation("event %u: a write that belongs to two records", event);
	b->order->owner[event] = nr + 1;
	record->done = max_t(u32, record->done, done_well(e));	/* NEVER is the latest */
	record->fua &= e->flags & WITNESS_FUA;
}

static void lower_write(struct builder *b, u32 event)
{
	const struct event *e = &b->tape->events[event];
	u32 i, nr;

	for (i = 0; i < e->nr; i++) {
		u64 pba = e->block + i;
		u32 id = b->tape->ids[e->of + i];

		if (pba == b->place && add_record(b, event, id))
			own(b, event, b->order->nr - 1);
		nr = b->wanted[pba];
		if (nr) {
			b->bodies[nr - 1]->ids[b->wanted_nr[pba]] = id;
			b->order->records[nr - 1].nr_missing--;
			b->wanted[pba] = 0;
			own(b, event, nr - 1);
		}
	}
}

/* ---- who wrote it ------------------------------------------------------------------ */

static bool under_way(const struct builder *b, u32 event, const struct record *record)
{
	const struct event *e = &b->tape->events[event];

	return !b->order->record_of[event] && event < record->sent && e->done > record->sent;
}

/* What a record holds, or the rest of it: data, or without lbas a discarded range. */
struct part {
	const u64 *lbas;
	const u32 *ids;
	u64 lba;		/* of a range */
	u64 nr;
};

/* Is this bio what the part begins with? */
static bool begins(const struct builder *b, const struct event *e, const struct part *part)
{
	u32 i;

	if (e->op != (part->lbas ? WITNESS_WRITE : WITNESS_DISCARD) || e->nr > part->nr)
		return false;
	for (i = 0; part->lbas && i < e->nr; i++)
		if (part->lbas[i] != e->block + i || part->ids[i] != b->tape->ids[e->of + i])
			return false;
	return true;
}

static struct part behind(const struct part *part, u32 nr)
{
	if (!part->lbas)
		return (struct part){ .lba = part->lba + nr, .nr = part->nr - nr };
	return (struct part){ part->lbas + nr, part->ids + nr, 0, part->nr - nr };
}

/* Who failed comes last: it may be in no record. */
static u32 turn_of(const struct builder *b, const struct event *e)
{
	return e->failed ? b->tape->nr + e->done : e->done;
}

/*
 * Which whole bios make up the part: writes, or discards that lie one behind the other.
 * Of equal ones the one that was acknowledged first is taken first: if any choice is
 * right, this one is.  Those of different lengths at one place may need a second try.
 */
static bool match(struct builder *b, u32 nr, struct part part)
{
	u32 tried = 0, event, best;

	if (!part.nr)
		return true;
	for (;;) {
		best = NEVER;
		event = b->first[part.lbas ? part.lbas[0] : part.lba];
		for (; event; event = b->next[event - 1]) {
			const struct event *e = &b->tape->events[event - 1];

			if (under_way(b, event - 1, &b->order->records[nr]) &&
			    turn_of(b, e) > tried && begins(b, e, &part) &&
			    (best == NEVER || turn_of(b, e) < turn_of(b, &b->tape->events[best])))
				best = event - 1;
		}
		if (best == NEVER)
			return false;
		b->order->record_of[best] = nr + 1;
		if (match(b, nr, behind(&part, b->tape->events[best].nr)))
			return true;
		b->order->record_of[best] = 0;
		tried = turn_of(b, &b->tape->events[best]);
	}
}

static void change(struct builder *b, u64 lba, u32 id)
{
	struct order *order = b->order;

	if (b->now[lba] == id)
		return;
	if (order->nr_changes == order->max_changes) {
		order->max_changes = order->max_changes ? 2 * order->max_changes : 4096;
		order->changes = realloc(order->changes,
					 order->max_changes * sizeof(*order->changes));
		assert(order->changes);
	}
	order->changes[order->nr_changes++] = (struct content_change){ lba, id };
	b->hash += content_hash(lba, id) - content_hash(lba, b->now[lba]);
	b->now[lba] = id;
	order->touched_of[lba] = 1;
}

static void explain_data(struct builder *b, u32 nr)
{
	const struct body *body = b->bodies[nr];
	u64 lbas[TRIAD_RECORD_MAX_BLOCKS] = { 0 }, i, j;
	u32 n = 0;

	for (i = 0; i < body->rec.nr_extents; i++)
		for (j = 0; j < body->rec.extents[i].nr; j++)
			lbas[n++] = body->rec.extents[i].start + j;
	if (!match(b, nr, (struct part){ lbas, body->ids, 0, n }))
		violation("record %llu (event %u) holds what nobody wrote",
			  (unsigned long long)body->rec.seq, b->order->records[nr].sent);
	for (i = 0; i < n; i++)
		change(b, lbas[i], body->ids[i]);
}

static void explain_ranges(struct builder *b, u32 nr)
{
	const struct triad_record *rec = &b->bodies[nr]->rec;
	u64 i, j;

	for (i = 0; i < rec->nr_extents; i++) {
		const struct triad_extent *e = &rec->extents[i];

		if (!match(b, nr, (struct part){ .lba = e->start, .nr = e->nr }))
			violation("record %llu (event %u) discards what nobody discarded",
				  (unsigned long long)rec->seq, b->order->records[nr].sent);
		for (j = 0; j < e->nr; j++)
			change(b, e->start + j, 0);
	}
}

static void explain(struct builder *b, u32 nr)
{
	struct record *record = &b->order->records[nr];

	record->change = b->order->nr_changes;
	if (record->nr_missing)
		violation("record %llu: %u blocks of its payload were never written",
			  (unsigned long long)record->seq, record->nr_missing);
	else if (record->flags & TRIAD_RECORD_DISCARD)
		explain_ranges(b, nr);
	else if (!(record->flags & TRIAD_RECORD_INTENT))
		explain_data(b, nr);
	record->hash = b->hash;
}

/* ---- durable from when on -------------------------------------------------------------- */

static void find_durable(struct order *order, const struct tape *tape)
{
	u32 i, done = 0, durable = 0;

	order->flushed[tape->nr] = NEVER;
	for (i = tape->nr; i--;) {
		const struct event *e = &tape->events[i];

		order->flushed[i] = order->flushed[i + 1];
		if (is_submission(e, WITNESS_LOWER, WITNESS_FLUSH))
			order->flushed[i] = min_t(u32, order->flushed[i], done_well(e));
	}
	for (i = 0; i < order->nr; i++) {
		struct record *r = &order->records[i];
		u32 flushed;

		done = max_t(u32, done, r->done);
		flushed = done == NEVER ? NEVER : order->flushed[done];
		if (r->fua)
			flushed = min_t(u32, flushed, r->done);
		durable = max_t(u32, durable, flushed);
		r->durable = durable;
	}
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int open_base(struct builder *b, struct image *base)
{
	struct triad_core core = { .store = &base->store };
	int r = triad_core_open(&core, base->nr_blocks);

	if (r)
		return r;
	b->order->geo = core.geo;
	memcpy(b->order->uuid, core.root.uuid, sizeof(core.root.uuid));
	b->place = core.space.next;
	b->seq = core.next_seq;
	memcpy(b->chain, core.chain, sizeof(b->chain));
	/* the content must be known: nothing */
	r = core.root.map.pba || core.replayed_records ? -ENOTEMPTY : 0;
	triad_core_close(&core);
	return r;
}

static void build(struct builder *b)
{
	const struct tape *tape = b->tape;
	struct order *order = b->order;
	u32 i;

	for (i = tape->nr; i--;) {
		const struct event *e = &tape->events[i];

		if (is_submission(e, WITNESS_UPPER, WITNESS_WRITE) ||
		    is_submission(e, WITNESS_UPPER, WITNESS_DISCARD)) {
			assert(e->block + e->nr <= order->geo.logical_blocks);
			b->next[i] = b->first[e->block];
			b->first[e->block] = i + 1;
		}
	}
	for (i = 0; i < tape->nr; i++)
		if (is_submission(&tape->events[i], WITNESS_LOWER, WITNESS_WRITE))
			lower_write(b, i);
	for (i = 0; i < order->nr; i++)
		explain(b, i);
	find_durable(order, tape);
	for (i = 0; i < order->geo.logical_blocks; i++)
		if (order->touched_of[i]) {
			order->touched[order->nr_touched++] = i;
			order->touched_of[i] = order->nr_touched;
		}
}

static void *zeroes(u64 nr, size_t size)
{
	void *p = calloc(nr + 1, size);

	assert(p);
	return p;
}

int order_build(struct order *order, const struct tape *tape, struct image *base)
{
	struct builder b = { .order = order, .tape = tape };
	u64 lbas;
	u32 i;
	int r;

	memset(order, 0, sizeof(*order));
	r = open_base(&b, base);
	if (r)
		return r;
	lbas = order->geo.logical_blocks;
	order->owner = zeroes(tape->nr, sizeof(u32));
	order->record_of = zeroes(tape->nr, sizeof(u32));
	order->flushed = zeroes(tape->nr, sizeof(u32));
	order->touched = zeroes(lbas, sizeof(u32));
	order->touched_of = zeroes(lbas, sizeof(u32));
	b.wanted = zeroes(base->nr_blocks, sizeof(u32));
	b.wanted_nr = zeroes(base->nr_blocks, sizeof(u32));
	b.now = zeroes(lbas, sizeof(u32));
	b.first = zeroes(lbas, sizeof(u32));
	b.next = zeroes(tape->nr, sizeof(u32));
	build(&b);
	for (i = 0; i < order->nr; i++)
		free(b.bodies[i]);
	free(b.bodies);
	free(b.wanted);
	free(b.wanted_nr);
	free(b.now);
	free(b.first);
	free(b.next);
	return 0;
}

void order_free(struct order *order)
{
	free(order->records);
	free(order->changes);
	free(order->owner);
	free(order->record_of);
	free(order->flushed);
	free(order->touched);
	free(order->touched_of);
}
