// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sim - an owner and its replicas on disks that lose power, and links that break.
 *
 * The owner's device is the real core in use (lib/driver); each end of a session is the real
 * code (userspace/ship*), and so is the replica below it.  A schedule is a random order of
 * steps: the device is written; the owner's end reads, while the operations of the device's
 * last step reach its disk one by one; some bytes arrive; a link breaks; a daemon is killed; the
 * power goes, at any operation of the last step, and what was not flushed is there in part.
 * At the end all is healed, and must come to rest.
 *
 * After each commit of a replica, and whenever one was opened anew:
 *
 *   - its content is a state of the device's history, at exactly the position that it names;
 *   - that is behind what it has acknowledged, and not before what it held;
 *   - the device has not lost that state, however its power went;
 *   - the owner takes it to have no more than that (and lets flushes end, if they wait for it);
 *   - after a seal it has not moved.
 *
 * Some schedules hold elections among the replicas (vote.h), one or two at once, with members that
 * are not reached, or lose power with the vote on their disk or not.  Of two that want the same epoch
 * one is elected at most; and who is elected has all that a majority, the device being one of
 * it, has ever acknowledged: also what is acknowledged later by those that were not reached.
 *
 * Who is elected, or sealed by a person, may become the device of another reign, and what was the
 * device its replica.  The others go on with it, but for those that hold what it has lost: they stay
 * as they are.
 *
 * And at the end each replica that is not sealed holds what the device holds; no session has
 * ended with damage, since there is none; who is fenced knows it; and a sealed replica that is
 * promoted holds what it held, with an epoch above the owner's.
 */
#include <stdarg.h>
#include <stdio.h>

#include "history.h"
#include "options.h"
#include "report.h"
#include "ship.h"
#include "vote.h"

#define MOST_REPLICAS	4u
#define REST_STEPS	4000u

/* ---- what is tried now, and what went wrong --------------------------------------------- */

static u64 now_seed, now_step;
static const struct driver *now_driver;
static bool verbose;

static struct {
	u64 batches, differences, fulls, crashes, kills, cuts, cut_in_commit, lost_roots, resumed, stale, seals,
	    checks, stopped, elections, elected, too_few, further, unrelated, reigns, left, replaced;
} count;

__attribute__((format(printf, 1, 2), noreturn))
static void violated(const char *format, ...)
{
	va_list args;

	printf("VIOLATED: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nseed %llu, step %llu\n", (unsigned long long)now_seed, (unsigned long long)now_step);
	if (now_driver)
		driver_print_lines(now_driver);
	exit(1);
}

static void must(const char *what, int error)
{
	if (error)
		violated("%s: %d", what, error);
}

/* ---- nodes and links --------------------------------------------------------------------- */

struct pipe {
	u8 *data;
	size_t nr, max;
};

/* One end of a session. */
struct end {
	struct pipe inbox;	/* what is on its way to it */
	struct stream_in *in;
	size_t have;		/* bytes of a frame in it */
};

struct owner;

struct replica {
	struct owner *owner;
	struct rng *rng;
	struct disk disk;
	struct trace trace;
	u32 *view, *content;
	struct triad_hash hash;
	struct triad_core core;
	bool is_open, is_up;
	struct ship_replica ship;
	struct end end;
	struct owner *reign;	/* whose history it is in; NULL: it holds nothing */
	u64 floor;		/* in that: the record behind what it has acknowledged last */
	u64 held;		/* ... behind what it holds */
	bool in_steps;
	bool sealed;
	u32 sealed_epoch;
	struct triad_origin sealed_at;
	/* the owner's end */
	struct ship_owner sender;
	struct end sender_end;
	bool connected;
};

/* Where a record of the history would go that is not there yet: a position's place. */
struct point {
	u64 seq;
	u8 chain[TRIAD_HASH_SIZE];
};

struct owner {
	struct history h;
	struct triad_store seen;	/* its disk, as a reader beside it sees it */
	u32 *seen_view;
	u32 seen_op;
	u64 device_blocks;
	struct ship_source source;
	struct ship_seen known;
	u32 tells;			/* 0: nothing, 1: what is durable, 2: and what is kept */
	struct told {
		u32 op;			/* operations that were over */
		u64 durable;
		u64 kept;
		u64 generation;
	} *told;
	u32 nr_told, max_told;
	struct point *points;
	u32 nr_points, max_points;
	u32 pointed_op;
	struct triad_root *roots;	/* that were ever written */
	u32 nr_roots, max_roots;
	struct replica *replica[MOST_REPLICAS];
	u32 nr_replicas;
	struct owner *before;		/* whose replica it was, or NULL */
	u64 safe;			/* the record behind what a majority has */
	struct replica *elected;	/* the last one that was */
};

#define GROW(v, nr, max) do { \
	if ((nr) == (max)) { \
		(max) = (max) ? 2 * (max) : 64; \
		(v) = realloc(v, (max) * sizeof(*(v))); \
		assert(v); \
	} \
} while (0)

/* ---- the owner's disk, seen from beside -------------------------------------------------- */

static struct owner *owner_of(struct triad_store *store)
{
	return (struct owner *)((char *)store - offsetof(struct owner, seen));
}

static void see(struct owner *o, u32 nr)
{
	const struct trace *trace = &o->h.trace;

	for (; nr && o->seen_op < trace->nr; nr--, o->seen_op++)
		if (trace->ops[o->seen_op].kind != DISK_FLUSH)
			o->seen_view[trace->ops[o->seen_op].pba] = trace->ops[o->seen_op].id;
}

/* Time goes by between blocks. */
static void pass_time(struct owner *o)
{
	if (rng_percent(&o->h.rng, 30))
		see(o, rng_below(&o->h.rng, 6));
}

static int seen_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct owner *o = owner_of(store);
	u8 *p = buf;

	assert(pba < disk_blocks && nr && nr <= disk_blocks - pba);
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE) {
		if (!(pba % 8))
			pass_time(o);
		memcpy(p, content_of(o->seen_view[pba]), TRIAD_BLOCK_SIZE);
	}
	return 0;
}

static int seen_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	pass_time(owner_of(store));
	memcpy(buf, content_of(owner_of(store)->seen_view[TRIAD_SLOT_PBA(slot)]), TRIAD_BLOCK_SIZE);
	return 0;
}

static int no_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	(void)store;
	(void)nr;
	(void)buf;
	violated("the owner's end writes to block %llu", (unsigned long long)pba);
}

static int no_flush(struct triad_store *store)
{
	(void)store;
	return 0;
}

static int no_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	(void)store;
	(void)buf;
	violated("the owner's end writes to slot %u", slot);
}

static const struct triad_store_ops seen_ops = {
	.read = seen_read,
	.write = no_write,
	.flush = no_flush,
	.read_root = seen_read_root,
	.write_root = no_root,
};

/* What is said is true of when it is said: durable since, and kept until then. */
static void tell(void *context, struct ship_told *told)
{
	struct owner *o = context;
	u32 i = 0;
	const struct told *last;

	if (!o->tells)
		return;
	while (i < o->nr_told && o->told[i].op < o->seen_op)
		i++;
	told->known = true;
	if (o->tells > 1)
		told->kept = i < o->nr_told ? o->told[i].kept : triad_keep_first(&o->h.driver.core);
	/* what is known since an operation that is over */
	if (i < o->nr_told && o->told[i].op == o->seen_op)
		i++;
	if (!i)
		return;
	last = &o->told[i - 1];
	told->durable = last->durable;
	told->generation = last->generation;
}

/* ---- the history --------------------------------------------------------------------------- */

static void add_point(struct owner *o, u64 seq, const u8 *chain)
{
	struct point *p;

	if (o->nr_points && o->points[o->nr_points - 1].seq == seq &&
	    !memcmp(o->points[o->nr_points - 1].chain, chain, TRIAD_HASH_SIZE))
		return;
	GROW(o->points, o->nr_points, o->max_points);
	p = &o->points[o->nr_points++];
	p->seq = seq;
	memcpy(p->chain, chain, TRIAD_HASH_SIZE);
}

static void add_root(struct owner *o, const struct triad_root *root, u64 next_seq, const u8 *chain)
{
	GROW(o->roots, o->nr_roots, o->max_roots);
	o->roots[o->nr_roots++] = *root;
	add_point(o, next_seq, chain);
}

static void note_block(struct owner *o, const struct disk_op *op)
{
	const struct triad_record_disk *d = (const void *)content_of(op->id);
	struct triad_slot slot;

	if (op->pba == TRIAD_SLOT_PBA(0) || op->pba == TRIAD_SLOT_PBA(1) ||
	    op->pba == TRIAD_SLOT_PBA(2)) {
		triad_root_decode(&slot, op->pba == TRIAD_SLOT_PBA(0) ? 0 :
				  op->pba == TRIAD_SLOT_PBA(1) ? 1 : 2, d);
		GROW(o->roots, o->nr_roots, o->max_roots);
		o->roots[o->nr_roots++] = slot.root;
	} else if (d->magic == cpu_to_le64(TRIAD_RECORD_MAGIC)) {
		add_point(o, le64_to_cpu(d->seq), d->chain);
	}
}

/* What the device did since. */
static void note(struct owner *o)
{
	const struct triad_core *core = &o->h.driver.core;
	u32 i;

	for (; o->pointed_op < o->h.trace.nr; o->pointed_op++)
		if (o->h.trace.ops[o->pointed_op].kind != DISK_FLUSH)
			note_block(o, &o->h.trace.ops[o->pointed_op]);
	/* sealed, and not written yet */
	for (i = 0; i < o->h.driver.nr_flights; i++) {
		const struct triad_record_disk *d = (const void *)o->h.driver.flights[i].header;

		add_point(o, le64_to_cpu(d->seq), d->chain);
	}
	add_point(o, core->next_seq, core->chain);
	GROW(o->told, o->nr_told, o->max_told);
	/* never more than what was flushed in this session, or is reached by a root */
	o->told[o->nr_told++] = (struct told){
		o->h.trace.nr, core->order.durable, triad_keep_first(core), core->root.generation,
	};
}

/* The record that comes behind a position, or 0: there is none in this history. */
static u64 record_of(struct owner *o, const struct triad_origin *at)
{
	struct triad_origin there;
	u32 i, k;

	for (i = o->nr_roots; i--; ) {
		const struct triad_root *root = &o->roots[i];

		if (root->generation != at->generation || root->branch != at->branch)
			continue;
		for (k = o->nr_points; k--; ) {
			struct triad_position pos = { .seq = o->points[k].seq };

			memcpy(pos.chain, o->points[k].chain, sizeof(pos.chain));
			must("hash", replica_position_at(&o->h.driver.hash, root, &pos, &there));
			if (triad_origin_same(&there, at))
				return pos.seq;
		}
	}
	return 0;
}

static struct owner *reign_of(struct owner *o, const struct triad_origin *at, u64 *seq)
{
	while (o && !(*seq = record_of(o, at)))
		o = o->before;
	return o;
}

/* ---- replicas ------------------------------------------------------------------------------ */

/* Behind what it holds of what this one wrote. */
static u64 held_of(const struct replica *rep, const struct owner *o)
{
	return rep->reign == o ? rep->held : 0;
}

static void check_replica(struct replica *rep)
{
	static const struct triad_origin none;
	const struct triad_root *root = &rep->core.root;
	struct owner *reign;
	char text[POSITION_SIZE];
	u64 seq, hash;
	u32 state;

	if (!rep->is_open || !triad_root_is_replica(root))
		return;
	count.checks++;
	if (root->incompat & TRIAD_INCOMPAT_INCOMPLETE) {
		if (rep->floor && !rep->in_steps)
			violated("a replica that was whole is incomplete");
		return;
	}
	if (triad_origin_same(&rep->core.origin, &none))
		violated("a whole replica names no position");
	reign = reign_of(rep->owner, &rep->core.origin, &seq);
	if (!reign)
		violated("a replica is at %s, which is not in the history",
			 position_text(&rep->core.origin, text));
	must("reading a replica", check_read(&rep->core, &rep->disk, rep->content));
	hash = oracle_hash_content(rep->content, reign->h.oracle.nr_lbas);
	state = oracle_state_before(&reign->h.oracle, seq);
	if (hash != oracle_hash(&reign->h.oracle, state))
		violated("a replica before record %llu holds another state (%d) than %u",
			 (unsigned long long)seq, oracle_find(&reign->h.oracle, 0, reign->h.oracle.nr, hash),
			 state);
	/* an owner before it may have been further: what that had alone is given up */
	if (reign != rep->reign)
		rep->floor = 0;
	rep->reign = reign;
	if (seq < rep->floor)
		violated("a replica went back to record %llu, having acknowledged %llu",
			 (unsigned long long)seq, (unsigned long long)rep->floor);
	if (rep->sealed && !triad_origin_same(&rep->core.origin, &rep->sealed_at))
		violated("a replica moved to record %llu after its seal", (unsigned long long)seq);
	rep->held = seq;
}

static int open_core(struct replica *rep)
{
	int r;

	memset(&rep->core, 0, sizeof(rep->core));
	rep->core.store = &rep->disk.store;
	rep->core.hash = &rep->hash;
	rep->core.receives = true;
	r = triad_core_open(&rep->core, disk_blocks);
	rep->is_open = !r;
	rep->ship.core = r ? NULL : &rep->core;
	return r;
}

static struct replica *replica_of(struct ship_replica *ship)
{
	return (struct replica *)((char *)ship - offsetof(struct replica, ship));
}

static int reopen(struct ship_replica *ship)
{
	struct replica *rep = replica_of(ship);

	triad_core_close(&rep->core);
	return open_core(rep);
}

static int make(struct ship_replica *ship)
{
	struct triad_root root = { .incompat = TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE };
	struct replica *rep = replica_of(ship);
	struct triad_geometry geo;
	const char *why;

	must("geometry", triad_geometry_init(&geo, disk_blocks, ship->hello.logical_blocks, 1536, 32,
					     DRIVER_INTERVAL, &why));
	memcpy(root.hash, "test", 4);
	root.epoch = ship->hello.epoch;
	triad_random(root.uuid, sizeof(root.uuid));
	must("format", triad_core_format(&rep->disk.store, &rep->hash, &root, &geo));
	return open_core(rep);
}

static void start_replica(struct replica *rep)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	int r, first;

	memset(&rep->ship, 0, sizeof(rep->ship));
	rep->ship.make = make;
	rep->ship.reopen = reopen;
	rep->ship.in_steps = rep->in_steps;
	rep->ship.sums = &rep->hash;
	must("memory", ship_replica_init(&rep->ship));
	if (rng_percent(rep->rng, 50))
		rep->ship.log_blocks = rng_between(rep->rng, 1, 200);
	rep->is_up = true;
	r = triad_core_probe(slots, &rep->disk.store, &first);
	if (r == -ENODATA)
		return;		/* blank, or the format was cut */
	r = open_core(rep);
	/* a format that was cut: nothing was there, and nothing was promised */
	if (r == -ENODATA && !rep->floor) {
		memset(rep->view, 0, disk_blocks * sizeof(*rep->view));
		trace_free(&rep->trace);
		trace_init(&rep->trace, rep->view);
		return;
	}
	must("opening a replica", r);
	check_replica(rep);
}

static void disconnect(struct replica *rep)
{
	if (!rep->connected)
		return;
	rep->connected = false;
	rep->end.inbox.nr = rep->sender_end.inbox.nr = 0;
	rep->end.have = rep->sender_end.have = 0;
	if (rep->is_up)
		must("dropping what was received", ship_replica_drop(&rep->ship));
	count.cuts++;
}

static void stop_replica(struct replica *rep)
{
	rep->is_up = false;
	disconnect(rep);
	ship_replica_free(&rep->ship);
	if (rep->is_open)
		triad_core_close(&rep->core);
	rep->is_open = false;
}

static void connect(struct replica *rep)
{
	if (rep->connected || !rep->is_up)
		return;
	rep->connected = true;
	memset(rep->end.in, 0, offsetof(struct stream_in, frame));
	memset(rep->sender_end.in, 0, offsetof(struct stream_in, frame));
	rep->end.in->session = rep->sender_end.in->session = true;
	ship_owner_connected(&rep->sender);
	ship_replica_connected(&rep->ship);
}

/* ---- bytes --------------------------------------------------------------------------------- */

static void push(struct pipe *pipe, struct ship_out *out)
{
	if (pipe->nr + out->nr > pipe->max) {
		pipe->max = 2 * (pipe->nr + out->nr);
		pipe->data = realloc(pipe->data, pipe->max);
		assert(pipe->data);
	}
	if (out->nr)
		memcpy(pipe->data + pipe->nr, out->staged, out->nr);
	pipe->nr += out->nr;
	out->nr = 0;
}

/* Of these bytes a frame, if it is whole; *used of them are in. */
static bool next_frame(struct end *end, const u8 *data, size_t nr, size_t *used)
{
	ssize_t need = 0;
	size_t n;

	for (*used = 0; ; ) {
		need = stream_need(end->in, end->have);
		if (need < 0)
			violated("a frame came that cannot be: %s", end->in->why);
		n = min_t(size_t, need - end->have, nr - *used);
		memcpy(end->in->frame + end->have, data + *used, n);
		end->have += n;
		*used += n;
		if (end->have < (size_t)need)
			return false;
		if (end->have > sizeof(struct stream_header_disk) ||
		    stream_need(end->in, end->have) == need)
			break;
	}
	end->have = 0;
	if (stream_take(end->in))
		violated("a frame came that is wrong: %s", end->in->why);
	return true;
}

/* What was taken. */
static void pop(struct pipe *pipe, size_t nr)
{
	pipe->nr -= nr;
	if (pipe->nr)
		memmove(pipe->data, pipe->data + nr, pipe->nr);
}

static size_t some(struct rng *rng, size_t nr)
{
	return rng_percent(rng, 60) ? nr : rng_below(rng, nr + 1);
}

/* What survives any election: enough replicas have it, and the device. */
static void note_safe(struct owner *o)
{
	u32 need = vote_majority(o->nr_replicas + 1) - 1, i, k, nr;

	for (i = 0; i < o->nr_replicas; i++) {
		const struct ship_owner *s = &o->replica[i]->sender;

		if (!s->has_acked)
			continue;
		for (k = nr = 0; k < o->nr_replicas; k++)
			nr += o->replica[k]->sender.has_acked &&
			      o->replica[k]->sender.acked.next.seq >= s->acked.next.seq;
		if (nr >= need)
			o->safe = max_t(u64, o->safe, s->acked.next.seq);
	}
	if (o->elected && held_of(o->elected, o) < o->safe)
		violated("the replica that was elected is before record %llu, and flushes up to record %llu "
			 "were answered", (unsigned long long)held_of(o->elected, o),
			 (unsigned long long)o->safe - 1);
}

/* What flushes of a synchronous device are told: it must survive whatever comes. */
static void check_acked(struct replica *rep)
{
	const struct ship_owner *s = &rep->sender;

	/* of what was said before it greeted nothing counts */
	if (!s->has_acked || rep->sealed || s->state < SHIP_COMPARE)
		return;
	/* it was opened anew, and told more than it had acknowledged */
	if (s->acked.next.seq > rep->floor && s->acked.next.seq <= held_of(rep, rep->owner))
		rep->floor = s->acked.next.seq;
	if (s->acked.next.seq > rep->floor || rep->reign != rep->owner)
		violated("the owner takes a replica to have all before record %llu, and it has acknowledged %llu",
			 (unsigned long long)s->acked.next.seq, (unsigned long long)rep->floor);
	note_safe(rep->owner);
}

static void deliver_to_owner(struct replica *rep)
{
	struct pipe *inbox = &rep->sender_end.inbox;
	size_t used, at = 0, end = some(rep->rng, inbox->nr);
	int r = 0;

	while (at < end && !r && rep->connected) {
		bool whole = next_frame(&rep->sender_end, inbox->data + at, end - at, &used);

		at += used;
		if (whole)
			r = ship_owner_frame(&rep->sender, rep->sender_end.in);
	}
	pop(inbox, at);
	must("a frame for the owner", r);
	check_acked(rep);
}

static void crash_replica(struct replica *rep, u32 from);
static void kill_replica(struct replica *rep, u32 from);

/* One frame; the power may go in the middle of what it brings about. */
static bool take_frame(struct replica *rep, u32 percent_crash)
{
	struct ship_replica was = rep->ship;
	u32 from = rep->trace.nr;
	int r = ship_replica_frame(&rep->ship, rep->end.in);

	if (rep->trace.nr > from && rng_percent(rep->rng, percent_crash)) {
		count.cut_in_commit++;
		rep->ship.out.nr = 0;
		if (rng_percent(rep->rng, 30))
			kill_replica(rep, from);
		else
			crash_replica(rep, from);
		return false;
	}
	count.batches += rep->ship.nr_batches - was.nr_batches;
	count.differences += rep->ship.nr_differences - was.nr_differences;
	count.fulls += rep->ship.nr_fulls - was.nr_fulls;
	if (rep->ship.nr_batches != was.nr_batches || rep->ship.nr_fulls != was.nr_fulls ||
	    rep->ship.nr_differences != was.nr_differences) {
		check_replica(rep);
		rep->floor = rep->held;
	}
	push(&rep->sender_end.inbox, &rep->ship.out);
	if (!r)
		return true;
	if (r != -EPERM && r != -EFBIG)
		violated("a replica refuses: %s (%d)", rep->ship.why, r);
	return false;
}

static void deliver_to_replica(struct replica *rep, u32 percent_crash)
{
	struct pipe *inbox = &rep->end.inbox;
	size_t used, at = 0, end = some(rep->rng, inbox->nr);
	bool goes_on = true;

	while (at < end && goes_on) {
		bool whole = next_frame(&rep->end, inbox->data + at, end - at, &used);

		at += used;
		if (whole)
			goes_on = take_frame(rep, percent_crash);
	}
	if (!rep->is_up || !rep->connected) {
		inbox->nr = 0;
	} else if (!goes_on) {
		/* what it says arrives, then it hangs up */
		deliver_to_owner(rep);
		disconnect(rep);
	} else {
		pop(inbox, at);
	}
}

/*
 * It is further than the replica was that became its owner, or was another's replica before that: nobody
 * throws away what it holds alone.
 */
static bool is_left(const struct replica *rep)
{
	const struct triad_root *root = &rep->owner->h.driver.core.root;
	const struct triad_origin *at = &rep->core.origin;

	if (!rep->is_open || position_is_none(at) || !memcmp(at->uuid, root->uuid, sizeof(at->uuid)))
		return false;
	return memcmp(at->uuid, root->origin.uuid, sizeof(at->uuid)) ||
	       (ship_replica_kind(&rep->ship) == STREAM_KIND_WHOLE &&
		position_record(at) > position_record(&root->origin));
}

static void step_owner_end(struct replica *rep)
{
	bool was_difference = rep->sender.state == SHIP_DIFFERENCE;
	int r;

	if (!rep->connected)
		return;
	r = ship_owner_step(&rep->sender);
	if (r < 0)
		violated("the owner's end fails: %d", r);
	count.stale += !was_difference && rep->sender.state == SHIP_DIFFERENCE;
	check_acked(rep);
	push(&rep->end.inbox, &rep->sender.out);
	if (rep->sender.state != SHIP_STOPPED)
		return;
	count.stopped++;
	if (rep->sender.fenced ? !rep->sealed :
	    rep->sender.refusal != STREAM_REFUSE_TOO_LONG && !is_left(rep))
		violated("a session stopped: %s", rep->sender.why);
	disconnect(rep);
}

/* ---- the power goes -------------------------------------------------------------------------- */

static void cut(struct trace *trace, u32 at, bool complete, struct rng *rng, u32 *image)
{
	struct cutter cutter;

	cutter_init(&cutter, trace);
	while (cutter.at < at && cutter_step(&cutter))
		;
	if (complete)
		cutter_complete(&cutter);
	cutter_random(&cutter, rng, image);
	cutter_free(&cutter);
}

/* One root rots away while the power is gone, if all three are there: that takes back nothing. */
static void lose_root(struct replica *rep)
{
	struct triad_core core = { .store = &rep->disk.store, .hash = &rep->hash, .receives = true };

	if (triad_core_open(&core, disk_blocks))
		return;
	if (!triad_core_needs_heal(&core)) {
		rep->view[TRIAD_SLOT_PBA(rng_below(rep->rng, TRIAD_NR_SLOTS))] = 0;
		count.lost_roots++;
	}
	triad_core_close(&core);
}

static void crash_replica(struct replica *rep, u32 from)
{
	u32 at = rng_between(rep->rng, from, rep->trace.nr);

	count.crashes++;
	stop_replica(rep);
	cut(&rep->trace, at, at == from || rng_percent(rep->rng, 50), rep->rng, rep->view);
	trace_free(&rep->trace);
	if (rng_percent(rep->rng, 10))
		lose_root(rep);
	trace_init(&rep->trace, rep->view);
	rep->held = 0;
	start_replica(rep);
}

/* Its disk is another one, with nothing on it. */
static void replace_disk(struct replica *rep)
{
	count.replaced++;
	stop_replica(rep);
	memset(rep->view, 0, disk_blocks * sizeof(*rep->view));
	trace_free(&rep->trace);
	trace_init(&rep->trace, rep->view);
	rep->reign = NULL;
	rep->floor = rep->held = 0;
	start_replica(rep);
}

/* What it had written by then is there to be read, and not durable. */
static void kill_replica(struct replica *rep, u32 from)
{
	u32 at = rng_between(rep->rng, from, rep->trace.nr), i;

	count.kills++;
	stop_replica(rep);
	if (rng_percent(rep->rng, 50))
		for (i = rep->trace.nr; i > from; i--) {
			if (rep->trace.ops[i - 1].kind == DISK_ROOT)
				at = i;
			else if (rep->trace.ops[i - 1].kind == DISK_FLUSH && at == rep->trace.nr)
				at = i - 1;
		}
	rep->trace.nr = at;
	/* a root is written, and then flushed */
	if (at > from && rep->trace.ops[at - 1].kind == DISK_ROOT)
		rep->trace.ops[at - 1].kind = DISK_WRITE;
	disk_copy(rep->view, rep->trace.base);
	for (i = 0; i < at; i++)
		if (rep->trace.ops[i].kind != DISK_FLUSH)
			rep->view[rep->trace.ops[i].pba] = rep->trace.ops[i].id;
	start_replica(rep);
}

static void begin_senders(struct owner *o)
{
	u32 i;

	for (i = 0; i < o->nr_replicas; i++) {
		disconnect(o->replica[i]);
		ship_owner_free(&o->replica[i]->sender);
		must("memory", ship_owner_init(&o->replica[i]->sender, &o->source));
	}
}

static void kill_owner(struct owner *o)
{
	count.kills++;
	begin_senders(o);
}

/* from: operations that were over when the last step began, and whoever looked has seen. */
static void crash_owner(struct owner *o, u32 from)
{
	struct history *h = &o->h;
	u32 at, state, i;

	count.crashes++;
	from = max_t(u32, from, o->seen_op);
	at = rng_between(&h->rng, from, h->trace.nr);
	driver_close(&h->driver);
	cut(&h->trace, at, at == from || rng_percent(&h->rng, 50), &h->rng, h->view);
	trace_free(&h->trace);
	trace_init(&h->trace, h->view);
	h->disk.trace = &h->trace;
	o->nr_told = 0;
	o->pointed_op = o->seen_op = 0;
	must("opening the device", driver_open(&h->driver, false));
	/* what is behind is not of this history any more */
	state = oracle_state_before(&h->oracle, h->driver.core.next_seq);
	must("reading the device", check_read(&h->driver.core, &h->disk, o->replica[0]->content));
	if (oracle_hash_content(o->replica[0]->content, h->oracle.nr_lbas) !=
	    oracle_hash(&h->oracle, state))
		violated("the device itself is not at record %llu",
			 (unsigned long long)h->driver.core.next_seq - 1);
	oracle_truncate(&h->oracle, state);
	for (i = 0; i < o->nr_points; )
		if (o->points[i].seq > h->driver.core.next_seq)
			o->points[i] = o->points[--o->nr_points];
		else
			i++;
	if (triad_core_needs_heal(&h->driver.core))
		must("healing", triad_core_heal(&h->driver.core));
	disk_copy(o->seen_view, h->trace.base);
	note(o);
	begin_senders(o);
	for (i = 0; i < o->nr_replicas; i++)
		check_replica(o->replica[i]);
}

/* ---- schedules -------------------------------------------------------------------------------- */

static bool vote(struct replica *rep, u32 epoch)
{
	int r;

	if (!rep->is_up || ship_replica_kind(&rep->ship) != STREAM_KIND_WHOLE)
		return false;
	r = ship_replica_seal(&rep->ship, epoch);
	if (r == -EPERM)
		return false;
	must("sealing", r);
	if (rep->connected) {
		push(&rep->sender_end.inbox, &rep->ship.out);
		deliver_to_owner(rep);
		disconnect(rep);
	}
	rep->sealed = true;
	rep->sealed_at = rep->core.origin;
	rep->sealed_epoch = rep->core.root.epoch;
	count.seals++;
	return true;
}

static void seal(struct replica *rep)
{
	/* nobody takes over with one that does not know of the last one that did */
	if (!rep->sealed && rep->is_open && rep->core.root.epoch >= rep->owner->h.driver.core.root.epoch)
		vote(rep, rep->core.root.epoch + 1);
}

/* The log is kept for the slowest of them. */
static void keep(struct owner *o)
{
	u64 first = ~0ULL;
	u32 i;

	for (i = 0; i < o->nr_replicas; i++)
		if (o->replica[i]->sender.has_acked)
			first = min_t(u64, first, o->replica[i]->sender.acked.next.seq);
	if (first != ~0ULL)
		triad_keep_from(&o->h.driver.core, first);
}

static void work(struct owner *o, u32 percent_crash)
{
	u32 from = o->h.trace.nr, i;

	if (o->tells > 1 && rng_percent(&o->h.rng, 30))
		keep(o);
	must(o->h.driver.failed ? o->h.driver.failed : "writing", driver_step(&o->h.driver));
	/* somebody reads while it goes on */
	for (i = 0; i < o->nr_replicas && o->tells; i++)
		if (rng_percent(&o->h.rng, 30))
			step_owner_end(o->replica[i]);
	note(o);
	for (i = 0; i < o->nr_replicas; i++)
		if (rng_percent(&o->h.rng, 40))
			step_owner_end(o->replica[i]);
	if (rng_percent(&o->h.rng, percent_crash))
		crash_owner(o, from);
	else if (rng_percent(&o->h.rng, 50))
		see(o, ~0u);
}

/* ---- elections --------------------------------------------------------------------------------- */

#define MOST_CANDIDATES	2u

struct candidate {
	struct replica *rep;
	struct vote votes[MOST_REPLICAS + 1];
	struct vote_result result;
};

/* What a member says to a candidate, if it is there; the device itself votes for nobody. */
static void poll_member(struct candidate *c, u32 i)
{
	struct owner *o = c->rep->owner;
	struct vote *v = &c->votes[i];

	*v = (struct vote) { .is_self = i < o->nr_replicas && c->rep == o->replica[i] };
	if (!v->is_self && rng_percent(&o->h.rng, 25))
		return;
	if (i == o->nr_replicas) {
		v->answered = true;
		v->said.kind = STREAM_KIND_OWNER;
		v->said.epoch = o->h.driver.core.root.epoch;
	} else if (o->replica[i]->is_up) {
		struct replica *rep = o->replica[i];

		v->answered = true;
		v->said.kind = ship_replica_kind(&rep->ship);
		if (rep->is_open) {
			v->said.at = rep->core.origin;
			v->said.epoch = rep->core.root.epoch;
		}
	}
}

/* It may lose its power with the vote on its disk, or not; then nobody hears of it. */
static void ask_for_vote(struct candidate *c, u32 i)
{
	struct owner *o = c->rep->owner;
	struct replica *rep = i < o->nr_replicas ? o->replica[i] : NULL;
	bool granted, was_sealed, crashes;
	u32 from, was_epoch;

	c->votes[i].answered = false;
	if (!rep || (rep != c->rep && rng_percent(&o->h.rng, 25)))
		return;
	from = rep->trace.nr;
	was_epoch = rep->sealed_epoch;
	was_sealed = rep->sealed;
	crashes = rng_percent(&o->h.rng, 10);
	/* what the crash may take back the owner has not heard of either */
	if (crashes && rep->connected)
		disconnect(rep);
	granted = vote(rep, c->result.epoch + 1);
	if (!crashes) {
		poll_member(c, i);
		c->votes[i].answered = true;
		c->votes[i].said.granted = granted;
		return;
	}
	crash_replica(rep, from);
	if (!granted)
		return;
	rep->sealed = was_sealed;
	rep->sealed_epoch = was_epoch;
	/* one root may say so, which another loss could take back */
	if (rep->core.root.epoch > c->result.epoch)
		vote(rep, rep->core.root.epoch + 1);
}

/* Returns the one that takes over, or NULL. */
static struct replica *elect(struct owner *o)
{
	struct candidate c[MOST_CANDIDATES];
	u32 nr = rng_between(&o->h.rng, 1, MOST_CANDIDATES), i, k, winners = 0, epoch = 0;
	u32 members = o->nr_replicas + 1;
	struct replica *winner = NULL;

	count.elections++;
	for (k = 0; k < nr; k++) {
		c[k].rep = o->replica[rng_below(&o->h.rng, o->nr_replicas)];
		for (i = 0; i < members; i++)
			poll_member(&c[k], i);
		vote_count(c[k].votes, members, false, &c[k].result);
		count.too_few += c[k].result.verdict == VOTE_TOO_FEW;
		count.further += c[k].result.verdict == VOTE_FURTHER;
		count.unrelated += c[k].result.verdict == VOTE_UNRELATED;
	}
	/* both have asked before either wants votes; the device goes on meanwhile */
	for (i = rng_below(&o->h.rng, 20); i; i--)
		work(o, 1);
	for (i = 0; i < members; i++) {
		u32 first = rng_below(&o->h.rng, nr);

		for (k = 0; k < nr; k++)
			if (c[(first + k) % nr].result.verdict == VOTE_YES)
				ask_for_vote(&c[(first + k) % nr], i);
	}
	for (k = 0; k < nr; k++) {
		struct vote_result result;

		if (c[k].result.verdict != VOTE_YES)
			continue;
		vote_count(c[k].votes, members, true, &result);
		if (result.verdict != VOTE_YES)
			continue;
		if (winners && epoch == c[k].result.epoch + 1 && o->elected != c[k].rep)
			violated("two are elected in epoch %u", epoch);
		winners++;
		epoch = c[k].result.epoch + 1;
		o->elected = c[k].rep;
		check_replica(o->elected);
		count.elected++;
		note_safe(o);
		/* another one was elected since */
		winner = o->elected->core.root.epoch == epoch ? o->elected : NULL;
	}
	return winner;
}

static struct stream_in *new_in(void)
{
	struct stream_in *in = calloc(1, sizeof(*in));

	assert(in);
	return in;
}

/* ---- reigns ------------------------------------------------------------------------------------ */

static struct replica *new_replica(struct rng *rng)
{
	struct replica *rep = calloc(1, sizeof(*rep));

	assert(rep);
	rep->rng = rng;
	rep->view = disk_new_view();
	rep->content = calloc(DISK_BLOCKS, sizeof(*rep->content));
	rep->in_steps = rng_percent(rng, 30);
	disk_init(&rep->disk, rep->view, rep->rng);
	trace_init(&rep->trace, rep->view);
	rep->disk.trace = &rep->trace;
	rep->end.in = new_in();
	rep->sender_end.in = new_in();
	return rep;
}

static void begin_reign(struct owner *o, u32 nr_lbas, const u32 *content, u32 tells)
{
	struct triad_slot slot;
	int i;

	now_driver = &o->h.driver;
	must("beginning", history_begin(&o->h, nr_lbas, content));
	o->tells = tells;
	o->seen.ops = &seen_ops;
	o->seen_view = disk_copy(disk_new_view(), o->h.trace.base);
	o->source = (struct ship_source) {
		.store = &o->seen, .hash = &o->h.driver.hash, .sums = &o->h.driver.hash,
		.device_blocks = disk_blocks, .seen = &o->known, .tell = tell, .context = o,
	};
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		triad_root_decode(&slot, i, content_of(o->h.trace.base[TRIAD_SLOT_PBA(i)]));
		add_root(o, &slot.root, slot.root.next_seq, slot.root.chain);
	}
	note(o);
	see(o, ~0u);
}

/* One is in its place, or the other, until it is done; the power may go at any operation of it. */
static void become(struct replica *rep, bool a_device)
{
	struct owner *was = rep->owner->before;
	u32 from;

	do {
		from = rep->trace.nr;
		/* also one that it made when it was cut short */
		if (!a_device)
			add_root(was, &rep->core.root, rep->core.next_seq, rep->core.chain);
		must("becoming another", a_device ? replica_promote(&rep->core) : replica_demote(&rep->core));
		if (!rng_percent(rep->rng, 30))
			return;
		crash_replica(rep, from);
	} while (triad_root_is_replica(&rep->core.root) == a_device);
}

/*
 * A sealed replica becomes the device.  What was the device comes back as a replica of it, in that one's
 * place; the others go on with it if they can.
 */
static struct owner *reign(struct replica *rep, u64 seed)
{
	struct owner *was = rep->owner, *o = calloc(1, sizeof(*o));
	u32 tells = rng_below(rep->rng, 3), epoch = rep->core.root.epoch, i;
	u64 held;

	count.reigns++;
	now_driver = NULL;
	begin_senders(was);
	must("dropping", ship_replica_drop(&rep->ship));
	must("reading", check_read(&rep->core, &rep->disk, rep->content));
	held = oracle_hash_content(rep->content, was->h.oracle.nr_lbas);
	become(rep, true);
	must("reading it", check_read(&rep->core, &rep->disk, rep->content));
	if (oracle_hash_content(rep->content, was->h.oracle.nr_lbas) != held || rep->core.root.epoch != epoch)
		violated("it holds another state when it was promoted, or has epoch %u", rep->core.root.epoch);
	stop_replica(rep);
	history_init(&o->h, seed, &was->h.load, rep->view);
	o->before = was;
	o->nr_replicas = was->nr_replicas;
	memcpy(o->replica, was->replica, sizeof(o->replica));
	begin_reign(o, was->h.oracle.nr_lbas, rep->content, tells);

	if (rng_percent(rep->rng, 50))
		crash_owner(was, was->h.trace.nr);
	else
		must("closing", driver_drain(&was->h.driver) ? : driver_flush(&was->h.driver));
	note(was);
	driver_close(&was->h.driver);
	trace_free(&rep->trace);
	disk_copy(rep->view, was->h.view);
	trace_init(&rep->trace, rep->view);
	rep->reign = NULL;
	rep->floor = 0;
	rep->sealed = false;
	rep->owner = o;
	start_replica(rep);
	become(rep, false);
	stop_replica(rep);
	for (i = 0; i < o->nr_replicas; i++) {
		struct replica *other = o->replica[i];

		ship_owner_free(&other->sender);
		must("memory", ship_owner_init(&other->sender, &o->source));
		other->owner = o;
		/* a vote is for whoever got it */
		other->sealed &= other->is_open && other->core.root.epoch > epoch;
	}
	start_replica(rep);
	return o;
}

/* Without a group: by a person, or its disk is another one. */
static struct replica *succeed(struct replica *rep)
{
	/* whoever is fenced stays so */
	if (!rep->sealed && rng_percent(rep->rng, 30)) {
		replace_disk(rep);
		return NULL;
	}
	if (!rep->is_up || ship_replica_kind(&rep->ship) != STREAM_KIND_WHOLE)
		return NULL;
	seal(rep);
	return rep->sealed ? rep : NULL;
}

static void end_reigns(struct owner *o)
{
	struct owner *before;

	for (; o; o = before) {
		before = o->before;
		history_free(&o->h);
		free(o->seen_view);
		free(o->told);
		free(o->points);
		free(o->roots);
		free(o);
	}
}

static void ping(struct replica *rep)
{
	must("ping", ship_owner_ping(&rep->sender));
	push(&rep->end.inbox, &rep->sender.out);
}

static void act(struct owner *o, struct replica *rep, u32 percent_outage)
{
	struct rng *rng = &o->h.rng;
	u32 what = rng_below(rng, 1000);

	if (what < 2)
		kill_owner(o);
	else if (what < 4)
		kill_replica(rep, rep->trace.nr);
	else if (what < 6)
		crash_replica(rep, rep->trace.nr);
	else if (what < 10 && rng_percent(rng, 4))
		seal(rep);
	else if (what < 10 + percent_outage)
		disconnect(rep);
	else if (what < 50)
		connect(rep);
	else if (what < 300)
		step_owner_end(rep);
	else if (what < 500 && rep->connected)
		deliver_to_replica(rep, 2);
	else if (what < 700 && rep->connected)
		deliver_to_owner(rep);
	else if (what < 710 && rep->connected)
		ping(rep);
	else
		work(o, 1);
}

/* It may look so while roots are being written: then what is durable was not sent yet. */
static bool at_rest(const struct replica *rep)
{
	const struct ship_owner *s = &rep->sender;

	return rep->connected && s->state == SHIP_LOG && !s->nr_flights && !rep->end.inbox.nr &&
	       !rep->sender_end.inbox.nr && s->sent_seq >= s->durable;
}

/* All links hold, nobody writes. */
static void come_to_rest(struct owner *o, struct replica *rep)
{
	u32 i, quiet = 0;
	bool left = false;

	for (i = 0; i < REST_STEPS && quiet < 3; i++) {
		if (!left && (!rep->sealed || !rep->sender.fenced))
			connect(rep);
		step_owner_end(rep);
		if (rep->connected)
			deliver_to_replica(rep, 0);
		if (rep->connected)
			deliver_to_owner(rep);
		left |= rep->sender.state == SHIP_STOPPED && is_left(rep);
		quiet = at_rest(rep) || rep->sender.fenced || left ? quiet + 1 : 0;
	}
	if (quiet < 3)
		violated("nothing comes to rest: state %d, %s", rep->sender.state, rep->sender.why);
	if (rep->sealed != rep->sender.fenced)
		violated("sealed: %d, and the owner is fenced: %d", rep->sealed, rep->sender.fenced);
	check_replica(rep);
	count.left += left;
	if (!rep->sealed && !left && oracle_hash_content(rep->content, o->h.oracle.nr_lbas) !=
	    oracle_hash(&o->h.oracle, o->h.oracle.nr))
		violated("a replica is not at the end: record %llu of %llu",
			 (unsigned long long)rep->held,
			 (unsigned long long)o->h.driver.core.next_seq - 1);
}

static void take_over(struct replica *rep)
{
	u64 hash;

	must("reading", check_read(&rep->core, &rep->disk, rep->content));
	hash = oracle_hash_content(rep->content, rep->owner->h.oracle.nr_lbas);
	must("dropping", ship_replica_drop(&rep->ship));
	if (rep->core.root.incompat & TRIAD_INCOMPAT_INCOMPLETE) {
		if (replica_promote(&rep->core) != -EAGAIN)
			violated("what is not complete was promoted");
		return;
	}
	must("promoting", replica_promote(&rep->core));
	must("opening it", reopen(&rep->ship));
	must("reading it", check_read(&rep->core, &rep->disk, rep->content));
	if (oracle_hash_content(rep->content, rep->owner->h.oracle.nr_lbas) != hash)
		violated("it holds another state when it was promoted");
	if (triad_core_must_not_write(&rep->core) || rep->core.root.epoch != rep->sealed_epoch ||
	    rep->sealed_epoch <= rep->sender.epoch)
		violated("it is promoted to epoch %u, and the owner has %u", rep->core.root.epoch,
			 rep->sender.epoch);
}

static void plan(struct rng *rng, struct workload *load)
{
	*load = (struct workload) {
		.logical_blocks = 256 * rng_between(rng, 2, 8), .zone_blocks = 1536,
		.segment_blocks = 32, .nr_values = rng_percent(rng, 30) ? 2 : 50,
		.max_extents = rng_between(rng, 1, 4), .max_blocks = rng_between(rng, 1, 40),
		.max_discard = rng_percent(rng, 20) ? 2000 : 50,
		.percent_flush = rng_between(rng, 5, 30), .percent_commit = rng_between(rng, 1, 20),
		.percent_clean = rng_below(rng, 3), .percent_discard = rng_below(rng, 15),
		.percent_slip = rng_percent(rng, 50) ? 20 : 0,
		.hot_lbas = rng_percent(rng, 50) ? 64 : 0,
		.checksum_kind = rng_below(rng, 2),
	};
}

static void run(u64 seed, u32 nr_steps)
{
	struct owner *o = calloc(1, sizeof(*o));
	struct rng first = { seed * 0x9e3779b97f4a7c15ULL };
	u32 i, step, percent_outage = rng_below(&first, 12);
	struct workload load;
	struct replica *rep;
	bool elects;
	u32 nr_lbas;

	now_seed = seed;
	content_release(0);
	plan(&first, &load);
	history_init(&o->h, seed, &load, NULL);
	now_driver = &o->h.driver;
	nr_lbas = driver_format(&o->h.driver);
	begin_reign(o, nr_lbas, NULL, rng_below(&first, 3));
	o->nr_replicas = rng_between(&first, 1, 2);
	/* an even number, with the device an odd one */
	elects = rng_percent(&first, 40);
	if (elects)
		o->nr_replicas = rng_percent(&first, 60) ? 2 : 4;
	for (i = 0; i < o->nr_replicas; i++) {
		o->replica[i] = new_replica(&o->h.rng);
		o->replica[i]->owner = o;
		must("memory", ship_owner_init(&o->replica[i]->sender, &o->source));
		start_replica(o->replica[i]);
	}
	for (step = 0; step < nr_steps; step++) {
		now_step = step;
		act(o, o->replica[rng_below(&o->h.rng, o->nr_replicas)], percent_outage);
		rep = NULL;
		if (elects && step > nr_steps / 2 && rng_below(&o->h.rng, nr_steps) < 10)
			rep = elect(o);
		else if (!elects && rng_below(&o->h.rng, nr_steps) < 2)
			rep = succeed(o->replica[rng_below(&o->h.rng, o->nr_replicas)]);
		if (rep && rng_percent(&o->h.rng, 60))
			o = reign(rep, seed + ((u64)step << 32));
	}
	now_step = nr_steps;
	o->h.load.percent_slip = 0;
	must("the end", driver_drain(&o->h.driver) ? : driver_flush(&o->h.driver) ? :
	     driver_commit(&o->h.driver, false));
	note(o);
	see(o, ~0u);
	for (i = 0; i < o->nr_replicas; i++) {
		rep = o->replica[i];
		come_to_rest(o, rep);
		if (rep->sealed)
			take_over(rep);
		stop_replica(rep);
		ship_owner_free(&rep->sender);
		trace_free(&rep->trace);
		free(rep->view);
		free(rep->content);
		free(rep->end.inbox.data);
		free(rep->sender_end.inbox.data);
		free(rep->end.in);
		free(rep->sender_end.in);
		free(rep);
	}
	end_reigns(o);
}

int main(int argc, char **argv)
{
	u64 seed = 1, schedules = 300, steps = 2500, seconds = 0, one = 0, i;
	double begun = report_seconds();

	parse_numbers(argc, argv, (const struct number_option[]) {
		{ "seed", &seed }, { "schedules", &schedules }, { "steps", &steps },
		{ "seconds", &seconds }, { "one", &one }, { NULL, NULL },
	});
	verbose = one;
	disk_keep_memory();
	for (i = 0; i < schedules && (!seconds || report_seconds() - begun < seconds); i++)
		run(seed + i, steps);
	printf("%llu schedules of %llu steps: %llu batches of records, %llu differences, %llu in full;\n"
	       "%llu links cut, %llu daemons killed, %llu power cuts, %llu of them in a commit; the log was "
	       "lost %llu times,\n%llu roots of replicas; %llu seals; %llu checks of a replica;\n"
	       "%llu elections: %llu won, too few were there for %llu, another was further in %llu, or unrelated "
	       "in %llu;\n%llu took over, and %llu replicas were left behind these; %llu disks were replaced.  "
	       "All held, in %.1f s.\n",
	       (unsigned long long)i, (unsigned long long)steps, (unsigned long long)count.batches,
	       (unsigned long long)count.differences, (unsigned long long)count.fulls,
	       (unsigned long long)count.cuts, (unsigned long long)count.kills,
	       (unsigned long long)count.crashes, (unsigned long long)count.cut_in_commit,
	       (unsigned long long)count.stale, (unsigned long long)count.lost_roots,
	       (unsigned long long)count.seals,
	       (unsigned long long)count.checks, (unsigned long long)count.elections,
	       (unsigned long long)count.elected, (unsigned long long)count.too_few,
	       (unsigned long long)count.further, (unsigned long long)count.unrelated,
	       (unsigned long long)count.reigns, (unsigned long long)count.left,
	       (unsigned long long)count.replaced, report_seconds() - begun);
	return 0;
}
