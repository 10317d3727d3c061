// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What can be seen from a trace without any image: acknowledgements that come too early,
 * roots that go down too early, blocks that are overwritten too early.  The numbers are
 * those of doc/protocol.
 */
#include "disk.h"
#include "order.h"
#include "root.h"

struct rules {
	const struct order *order;
	const struct tape *tape;
	u32 at;
	u32 *written;		/* by record: event at which it and all before it were written */
	u32 acked;		/* newest record + 1 with an acknowledged write */
	u32 *needs;		/* by event of a flush's submission: acked then */
	u32 *writer;		/* by PBA: submission + 1 of the write under way */
	u32 *logged;		/* by PBA: record + 1 that was written there last */
	struct triad_root b, c;	/* as durable */
	u32 root_under_way;	/* submission + 1 */
	struct triad_root next;
	u32 since_root;		/* event: writes before it were checked already */
	u32 nr_records;		/* seen */
	u32 opening;		/* record + 1 of this session's; 0: none yet */
};

/* ---- above: rule 7 ------------------------------------------------------------------ */

/* Where the changes of a record begin, or of those that are not there yet. */
static u32 changes_of(const struct order *order, u32 nr)
{
	return nr < order->nr ? order->records[nr].change : order->nr_changes;
}

/*
 * A discard may be acknowledged without a record if it changes nothing: if there is
 * nothing behind what was acknowledged, nor behind any record that was sent since.
 */
static bool changes_nothing(const struct rules *r, const struct event *e)
{
	const struct order *order = r->order;
	const struct event *sent = &r->tape->events[e->of];
	u32 i, nr_sent = r->acked, from = changes_of(order, r->acked);
	u8 *held = calloc(sent->nr, 1);
	bool any;

	assert(held);
	while (nr_sent < order->nr && order->records[nr_sent].sent < r->at)
		nr_sent++;
	for (i = 0; i < from; i++)
		if (order->changes[i].lba - sent->block < sent->nr)
			held[order->changes[i].lba - sent->block] = order->changes[i].id != 0;
	any = memchr(held, 1, sent->nr);
	for (; i < changes_of(order, nr_sent); i++)
		any |= order->changes[i].lba - sent->block < sent->nr && order->changes[i].id;
	free(held);
	return !any;
}

static void upper_write_done(struct rules *r, const struct event *e)
{
	u32 nr = r->order->record_of[e->of];
	const struct record *record;

	if (!nr && r->tape->events[e->of].op == WITNESS_DISCARD && changes_nothing(r, e))
		return;
	if (!nr) {
		violation("event %u: the write of event %u is acknowledged, but in no record",
			  r->at, e->of);
		return;
	}
	record = &r->order->records[nr - 1];
	if (r->written[nr - 1] > r->at)
		violation("event %u: a write is acknowledged before record %llu, and all before it, were written",
			  r->at, (unsigned long long)record->seq);
	if (e->flags & WITNESS_FUA && record->durable > r->at)
		violation("event %u: a FUA write is acknowledged before record %llu is durable",
			  r->at, (unsigned long long)record->seq);
	r->acked = max_t(u32, r->acked, nr);
}

static void upper_flush_done(struct rules *r, const struct event *e)
{
	u32 nr = r->needs[e->of];

	if (nr && r->order->records[nr - 1].durable > r->at)
		violation("event %u: a flush is acknowledged before record %llu is durable", r->at,
			  (unsigned long long)r->order->records[nr - 1].seq);
}

/* ---- below: roots -------------------------------------------------------------------- */

static int slot_of(const struct event *e)
{
	int slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (e->block == TRIAD_SLOT_PBA(slot))
			return slot;
	return -1;
}

/* Rule 2: all that the root says is durable before it is sent. */
static void root_sent(struct rules *r, const struct event *e, int slot)
{
	const struct order *order = r->order;
	struct triad_slot found;
	u32 i;

	triad_root_decode(&found, slot, content_of(r->tape->ids[e->of]));
	if (e->nr != 1 || found.state != TRIAD_SLOT_VALID) {
		violation("event %u: what is written to slot %d is no root", r->at, slot);
		return;
	}
	r->next = found.root;
	if (!(e->flags & WITNESS_FUA))
		violation("event %u: a root is written without FUA", r->at);
	if (r->root_under_way)
		violation("event %u: two roots are written at a time", r->at);
	r->root_under_way = r->at + 1;
	for (i = r->since_root; i < r->at; i++) {
		const struct event *w = &r->tape->events[i];

		if (!is_submission(w, WITNESS_LOWER, WITNESS_WRITE) || slot_of(w) >= 0)
			continue;
		/* a record behind the root's "next" may still be under way */
		if (order->owner[i] && order->records[order->owner[i] - 1].seq >= r->next.next_seq)
			continue;
		if (done_well(w) == NEVER ||
		    (order->flushed[w->done] > r->at &&
		     !(order->owner[i] && order->records[order->owner[i] - 1].durable < r->at)))
			violation("event %u: the root goes down before the write of event %u is durable",
				  r->at, i);
	}
	for (i = 0; i < r->nr_records; i++)
		if (order->records[i].seq + 1 == r->next.next_seq && order->records[i].durable > r->at)
			violation("event %u: the root goes down before record %llu is durable",
				  r->at, (unsigned long long)order->records[i].seq);
	r->since_root = r->at;
}

/* Whether one that failed is there nobody knows: what b needs stays forbidden. */
static void root_done(struct rules *r, bool failed)
{
	r->root_under_way = 0;
	if (failed)
		return;
	if (r->next.generation != r->c.generation)
		r->b = r->c;
	r->c = r->next;
	if (!r->c.segment)
		r->opening = 0;
}

/* ---- below: the log --------------------------------------------------------------------- */

/* Rules 1 and 5: the pointer, then the session's first record, then all others. */
static void record_sent(struct rules *r, u32 nr)
{
	const struct record *record = &r->order->records[nr];
	unsigned long long seq = record->seq;

	if (nr != r->nr_records)
		violation("event %u: record %llu is out of turn", r->at, seq);
	r->nr_records = nr + 1;
	if (!r->c.segment)
		violation("event %u: record %llu goes down before the segment pointer", r->at, seq);
	if (!r->opening) {
		r->opening = nr + 1;
		if (!(record->flags & TRIAD_RECORD_OPENING))
			violation("event %u: record %llu is the session's first, but not its opening",
				  r->at, seq);
	}
}

/* Rule 3, as far as the log goes: blocks of the log since b stay; nothing is written twice. */
static void claim(struct rules *r, const struct event *e)
{
	u32 i, mine = r->order->owner[r->at];

	for (i = 0; i < e->nr; i++) {
		u32 *writer = &r->writer[e->block + i], *logged = &r->logged[e->block + i];

		if (*writer)
			violation("event %u: block %llu is being written by event %u", r->at,
				  (unsigned long long)e->block + i, *writer - 1);
		*writer = r->at + 1;
		if (*logged && *logged != mine &&
		    r->order->records[*logged - 1].seq >= r->b.next_seq)
			violation("event %u: block %llu is overwritten, it belongs to record %llu since b",
				  r->at, (unsigned long long)e->block + i,
				  (unsigned long long)r->order->records[*logged - 1].seq);
		*logged = mine;
	}
}

static void lower_write_sent(struct rules *r, const struct event *e)
{
	u32 owner = r->order->owner[r->at];
	int slot = slot_of(e);

	claim(r, e);
	if (r->opening && r->order->records[r->opening - 1].durable > r->at)
		violation("event %u: a write goes down before the session's opening is durable",
			  r->at);
	if (slot >= 0)
		root_sent(r, e, slot);
	else if (owner && r->order->records[owner - 1].sent == r->at)
		record_sent(r, owner - 1);
	else if (!owner && r->root_under_way)
		violation("event %u: a commit's block goes down while a root is under way", r->at);
}

static void lower_write_done(struct rules *r, const struct event *e)
{
	u32 i;

	for (i = 0; i < e->nr; i++)
		r->writer[e->block + i] = 0;
	if (r->root_under_way == e->of + 1)
		root_done(r, e->failed);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void load_roots(struct rules *r, const struct image *base)
{
	struct triad_slot slot;
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		triad_root_decode(&slot, i, content_of(base->ids[TRIAD_SLOT_PBA(i)]));
		if (slot.root.generation > r->c.generation) {
			r->b = r->c;
			r->c = slot.root;
		} else if (slot.root.generation > r->b.generation) {
			r->b = slot.root;
		}
	}
}

static void step(struct rules *r, const struct event *e)
{
	if (e->failed && e->kind == WITNESS_COMPLETE && e->where == WITNESS_UPPER)
		return;		/* nothing was promised */
	if (is_completion(e, WITNESS_UPPER, WITNESS_WRITE) ||
	    is_completion(e, WITNESS_UPPER, WITNESS_DISCARD))
		upper_write_done(r, e);
	else if (is_submission(e, WITNESS_UPPER, WITNESS_FLUSH))
		r->needs[r->at] = r->acked;
	else if (is_completion(e, WITNESS_UPPER, WITNESS_FLUSH))
		upper_flush_done(r, e);
	else if (is_submission(e, WITNESS_LOWER, WITNESS_WRITE))
		lower_write_sent(r, e);
	else if (is_completion(e, WITNESS_LOWER, WITNESS_WRITE))
		lower_write_done(r, e);
}

void rules_check(const struct order *order, const struct tape *tape, struct image *base)
{
	struct rules r = { .order = order, .tape = tape };
	u32 i;

	r.written = calloc(order->nr + 1, sizeof(*r.written));
	r.needs = calloc(tape->nr + 1, sizeof(*r.needs));
	r.writer = calloc(base->nr_blocks, sizeof(*r.writer));
	r.logged = calloc(base->nr_blocks, sizeof(*r.logged));
	assert(r.written && r.needs && r.writer && r.logged);
	for (i = 0; i < order->nr; i++)
		r.written[i] = max_t(u32, order->records[i].done, i ? r.written[i - 1] : 0);
	load_roots(&r, base);
	for (r.at = 0; r.at < tape->nr; r.at++)
		step(&r, &tape->events[r.at]);
	free(r.written);
	free(r.needs);
	free(r.writer);
	free(r.logged);
}
