/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * triad.pml - the root protocol (doc/protocol) on a disk that loses, reorders and
 * tears.
 *
 * A device of two LBAs; write number k puts k into LBA k mod 2, so that the
 * content tells the state after which prefix it is.  A record is one block,
 * header and payload, of which the payload alone may be torn.  A map is one
 * node that points at records.  Places are taken first fit, so that equal
 * records in equal places and early reuse are the rule.  Commits run beside
 * writes and flushes.  At any moment the power fails (of all that was not
 * flushed any part survives, roots and payload may be torn, and one root may
 * rot besides), or the kernel alone dies and the disk keeps its cache.
 *
 * Checked at every opening: the current root is proven, its map verifies, its
 * plane is what it reaches, the content is that of a prefix, at or behind the
 * last acknowledged flush; a log has a pointer.
 *
 * Each rule can be taken out with -D, see "run": the rule's name in capitals.
 * Not modelled: sizes, space reservation, time, rot of anything but roots.  So the
 * nonce of an opening record is not needed here (what is durable stays, and no
 * opening record comes twice), nor is its being alone.
 */

#ifndef WRITES
#define WRITES	3	/* records with data, over all lives */
#endif
#ifndef COMMITS
#define COMMITS	3	/* root writes of commits, over all lives */
#endif
#ifndef CRASHES
#define CRASHES	2
#endif
#ifndef WARM
#define WARM	1	/* ... and the kernel alone */
#endif
#ifndef ROTS
#define ROTS	1	/* roots that rot, at most one with each crash */
#endif
#ifndef FAILS
#define FAILS	1	/* root writes reported as failed that landed, or may land */
#endif
#ifndef LOST
#define LOST	0	/* root writes silently lost: that is one fault, b need not be whole */
#endif
#ifndef CLOSES
#define CLOSES	1
#endif
#ifndef BLOCKS
#define BLOCKS	10	/* 1 .. BLOCKS; 0: none */
#endif

#ifdef HONEST_FLUSH
#define FLUSHABLE	submitted
#else
#define FLUSHABLE	published
#endif

#define GARBAGE	0
#define NODE	1
#define RECORD	2

#define NONE	3	/* no slot */

/* 16 bits are enough: a collision would show as a violation that is none */
#define MIX(x, y)	((((((x) * 3) & 65535) ^ (y)) * 20021 + 77) & 65535)
#define H(a, b)		MIX(a, b)

/* a record's header, in w: write number (0: opening), next place, nonce; payload good */
#define REC(val, next, nonce)	((val) | (next) << 4 | (nonce) << 8 | 1 << 12)
#define VAL(w)		((w) & 15)
#define NEXT(w)		((w) >> 4 & 15)
#define GOOD(w)		((w) >> 12 & 1)
#define HEADER(w)	((w) & 4095)

/* a node, in w: place and value of both LBAs; it is its own checksum */
#define ENTRIES(p0, v0, p1, v1)	((p0) | (v0) << 4 | (p1) << 8 | (v1) << 12)

#define BIT(n)	(1 << (n))

typedef block {
	unsigned kind : 2;
	unsigned w : 16;
	unsigned chain : 16;	/* of a record: hash of the one before */
};

typedef root {
	bit ok;
	bit segment;		/* pointer set */
	unsigned gen : 5;
	unsigned next : 4;
	unsigned map : 4;
	unsigned version : 16;
	unsigned prev : 16;
	unsigned chain : 16;
	unsigned prev_chain : 16;
	unsigned sum : 16;
};

/* the disk: what is durable, and what reads see */
block durable[BLOCKS + 1];
block seen[BLOCKS + 1];
unsigned dirty : 16;
root droot[3];
root sroot[3];
unsigned dirty_root : 3;
int dplane[3];
int splane[3];
unsigned dirty_plane : 3;

/* the oracle */
unsigned submitted : 4;
unsigned acked : 4;
unsigned lives : 4;		/* openings: the nonce of the session */

/* budgets */
byte writes = WRITES, commits = COMMITS, crashes = CRASHES, warm = WARM, rots = ROTS;
byte fails = FAILS, lost = LOST, closes = CLOSES;

/* memory */
bit degraded;
unsigned cur : 2;
unsigned backup : 2;
unsigned over : 2;
unsigned parent : 16;		/* version that goes into H with c's */
unsigned mp0 : 4; unsigned mv0 : 4; unsigned mp1 : 4; unsigned mv1 : 4;	/* map of c */
unsigned ap0 : 4; unsigned av0 : 4; unsigned ap1 : 4; unsigned av1 : 4;	/* active index */
unsigned fp0 : 4; unsigned fv0 : 4; unsigned fp1 : 4; unsigned fv1 : 4;	/* frozen index */
unsigned plane_b : 16;
unsigned plane_c : 16;
unsigned log_b : 16;
unsigned log_f : 16;
unsigned log_a : 16;
unsigned next : 4;
unsigned chain : 16;
unsigned published : 4;
unsigned session : 3;		/* see the steps below */

unsigned nr_flights : 2;	/* records sealed, not all written */
byte flight_place[2];
int flight_w[2];
int flight_chain[2];
bit flight_written[2];

/* a commit */
unsigned phase : 3;
bit clean;
bit tried;			/* the root write was reported as failed once */
unsigned frozen_seq : 4;
unsigned frozen_next : 4;
unsigned frozen_chain : 16;
unsigned node : 4;
unsigned sum : 16;
unsigned reach : 16;

root c;				/* as it was written last */
byte n;				/* counts in steps that choose; else 0 */
bit trusted;			/* a write was accepted in this life */
unsigned had_bad : 2;

hidden byte i, j, k, place, x, y, z, found, order;
hidden byte v0, v1;
hidden int busy, h, log;

#define IDLE	0
#define FROZEN	1
#define WRITTEN	2
#define FLUSHED	3
#define ROOTED	4	/* the root write is under way */
#define LANDED	5	/* it is durable, the letters have not moved */
#define REFUSED	6	/* opening failed: this history ends here */

/* session: 0 none, 1 pointer under way, 2 pointer durable, 3 opening record written, 4 open */
#define OPEN	4

/* ---- the disk ------------------------------------------------------------------- */

inline copy_block(to, from)
{
	to.kind = from.kind;
	to.w = from.w;
	to.chain = from.chain;
}

inline copy_root(to, from)
{
	to.ok = from.ok;
	to.segment = from.segment;
	to.gen = from.gen;
	to.next = from.next;
	to.map = from.map;
	to.version = from.version;
	to.prev = from.prev;
	to.chain = from.chain;
	to.prev_chain = from.prev_chain;
	to.sum = from.sum;
}

inline tear_root(r)
{
	r.ok = 0; r.segment = 0; r.gen = 0; r.next = 0; r.map = 0;
	r.version = 0; r.prev = 0; r.chain = 0; r.prev_chain = 0; r.sum = 0;
}

/* What is written over a block that is dirty replaces it in the cache. */
inline write_block(b, akind, aw, achain)
{
	seen[b].kind = akind;
	seen[b].w = aw;
	seen[b].chain = achain;
	dirty = dirty | BIT(b);
}

inline root_durable(s)
{
	copy_root(droot[s], sroot[s]);
	dirty_root = dirty_root & ~BIT(s);
}

inline flush_disk()
{
	i = 1;
	do
	:: i <= BLOCKS ->
		if
		:: dirty & BIT(i) -> copy_block(durable[i], seen[i])
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < 3 ->
		if
		:: dirty_root & BIT(i) -> copy_root(droot[i], sroot[i])
		:: else
		fi;
		if
		:: dirty_plane & BIT(i) -> dplane[i] = splane[i]
		:: else
		fi;
		i++
	:: else -> break
	od;
	dirty = 0;
	dirty_root = 0;
	dirty_plane = 0;
	i = 0
}

/* ---- places ----------------------------------------------------------------------- */

#ifdef KEEP_PLANE_OF_B
#define PLANE_B	0
#else
#define PLANE_B	plane_b
#endif
#ifdef KEEP_LOG_OF_B
#define LOG_B	0
#else
#define LOG_B	log_b
#endif
#ifdef KEEP_LOG_OF_C
#define LOG_C	0
#else
#define LOG_C	log_a
#endif
#ifdef KEEP_NEXT_PLACE
#define NEXT_PLACE	0
#else
#define NEXT_PLACE	BIT(next)
#endif

#define BUSY	(plane_c | PLANE_B | LOG_C | log_f | LOG_B | NEXT_PLACE | (node -> BIT(node) : 0))
#define ALL	(BIT(BLOCKS + 1) - 2)
#define ROOM	((BUSY & ALL) != ALL)

/* The lowest free one. */
inline take(result)
{
	busy = BUSY;
	result = 1;
	do
	:: busy & BIT(result) -> result++
	:: else -> break
	od
}

/* ---- which root is current -------------------------------------------------------- */

#define FOLLOWS(p, q)	(sroot[p].ok && sroot[q].ok && sroot[q].prev == sroot[p].version && \
			 sroot[q].prev_chain == sroot[p].chain && sroot[q].gen == sroot[p].gen + 1)
#define GRANDCHILD(p, q)	(sroot[p].ok && sroot[q].ok && sroot[q].gen >= sroot[p].gen + 2 && \
			 H(sroot[p].version, sroot[q].prev) == sroot[q].version)
#define OUTRUNS(p, q, r)	(GRANDCHILD(q, r) || (sroot[r].ok && sroot[r].gen > sroot[q].gen && \
			 GRANDCHILD(p, r)))
#define NEWER(q, r)	(sroot[r].ok && sroot[r].prev == sroot[q].version)

/* found: the case, 4 for none */
inline choose_letters()
{
	found = 4;
	order = 0;
	do
	:: order < 6 && found == 4 ->
		x = order / 2;
		y = (x + 1 + order % 2) % 3;
		z = 3 - x - y;
		if
		:: sroot[x].ok && sroot[y].ok && sroot[z].ok &&
		   H(sroot[x].version, sroot[y].version) == sroot[z].version ->
			found = 1; over = x; backup = y; cur = z; k = y
		:: else
		fi;
		order++
	:: else -> break
	od;
	order = 0;
	do
	:: order < 6 && found == 4 ->
		x = order / 2;
		y = (x + 1 + order % 2) % 3;
		z = 3 - x - y;
		if
		:: FOLLOWS(x, y) && !NEWER(y, z) && !OUTRUNS(x, y, z) ->
			found = 2; cur = y; backup = x; over = z; k = x
		:: else
		fi;
		order++
	:: else -> break
	od;
	order = 0;
	do
	:: order < 6 && found == 4 ->
		x = order / 2;
		y = (x + 1 + order % 2) % 3;
		z = 3 - x - y;
		if
		:: GRANDCHILD(x, y) && !OUTRUNS(x, y, z) ->
			found = 3; cur = y; backup = NONE; over = z; k = x
		:: else
		fi;
		order++
	:: else -> break
	od;
	/* two stale roots that hide the youngest */
	if
	:: found != 4 && found != 1 && sroot[over].ok && sroot[over].gen >= sroot[cur].gen ->
		found = 4
	:: else
	fi;
	order = 0; x = 0; y = 0; z = 0
}

/* ---- opening ------------------------------------------------------------------------ */

#define IS_RECORD(b)	((b) && seen[b].kind == RECORD && seen[b].chain == h)
#define STEP(b)		MIX(h, HEADER(seen[b].w) | (b) << 12)
#ifdef VERIFY_PAYLOAD
#define ENDS(b)		0
#else
#define ENDS(b)		(!GOOD(seen[b].w))
#endif
#define HOLDS(p, v)	(seen[p].kind == RECORD && VAL(seen[p].w) == (v) && GOOD(seen[p].w))

inline read_data(p, v, to)
{
	if
	:: p ->
		assert(HOLDS(p, v));	/* data is what its checksum says */
		to = v
	:: else -> to = 0
	fi
}

/* Selects, replays and checks; from: the oldest state that is allowed. */
inline open_device(from)
{
	choose_letters();
	assert(found != 4 || LOST);	/* a root is proven current */
	if
	:: found == 4 -> phase = REFUSED
	:: else ->
		degraded = found != 1;
		copy_root(c, sroot[cur]);
		parent = sroot[k].version;

		/* the map and its plane */
		mp0 = 0; mv0 = 0; mp1 = 0; mv1 = 0;
		plane_c = 0;
		if
		:: c.map ->
			k = c.map;
			assert(seen[k].kind == NODE && seen[k].w == c.sum);
			mp0 = seen[k].w & 15; mv0 = seen[k].w >> 4 & 15;
			mp1 = seen[k].w >> 8 & 15; mv1 = seen[k].w >> 12 & 15;
			plane_c = BIT(k) | (mp0 -> BIT(mp0) : 0) | (mp1 -> BIT(mp1) : 0)
		:: else
		fi;
		assert(splane[cur] == plane_c);	/* a plane is what its root reaches */

		/* the log of c */
		ap0 = 0; av0 = 0; ap1 = 0; av1 = 0;
		log_a = 0;
		next = c.next;
		h = c.chain;
#ifdef ALWAYS_PROBE
		log = c.segment;
#else
		log = 1;
#endif
		do
		:: log && IS_RECORD(next) && !ENDS(next) && !(log_a & BIT(next)) ->
			log_a = log_a | BIT(next);
			j = VAL(seen[next].w);
			if
			:: j && j % 2 == 0 -> ap0 = next; av0 = j
			:: j % 2 -> ap1 = next; av1 = j
			:: else
			fi;
			k = NEXT(seen[next].w);
			h = STEP(next);
			next = k
		:: else -> break
		od;
		chain = h;
		assert(!log_a || c.segment || found != 1);	/* a log has a pointer */

		/* the log from b to c, and plane b */
		plane_b = 0;
		log_b = 0;
		if
		:: !degraded ->
			plane_b = splane[backup];
			k = sroot[backup].map;
#if !LOST
			if
			:: k ->
				/* b is whole, its plane is what it reaches */
				assert(seen[k].kind == NODE && seen[k].w == sroot[backup].sum);
				place = seen[k].w & 15;
				j = seen[k].w >> 8 & 15;
				assert(plane_b == (BIT(k) | (place -> BIT(place) : 0) | (j -> BIT(j) : 0)))
			:: else -> assert(plane_b == 0)
			fi;
#endif
			place = sroot[backup].next;
			h = sroot[backup].chain;
			do
			:: h != c.chain && IS_RECORD(place) && !(log_b & BIT(place)) ->
				log_b = log_b | BIT(place);
				k = NEXT(seen[place].w);
				h = STEP(place);
				place = k
			:: else -> break
			od;
#if !defined(KEEP_LOG_POSITION) && !LOST
			assert(h == c.chain);	/* b's log leads to c */
#endif
		:: else -> backup = NONE
		fi;

		/* the content */
		if
		:: ap0 -> read_data(ap0, av0, v0)
		:: else -> read_data(mp0, mv0, v0)
		fi;
		if
		:: ap1 -> read_data(ap1, av1, v1)
		:: else -> read_data(mp1, mv1, v1)
		fi;
		k = (v0 > v1 -> v0 : v1);
		j = (v0 > v1 -> v1 : v0);
		assert(k == 0 || j == k - 1);	/* a prefix */
		assert(k >= from);		/* behind the last acknowledged flush */
		assert(k <= submitted);		/* nothing from another history */
		printf("opened: case %d, slot %d, state %d\n", found, cur, k);
		submitted = k;
		published = k;
		lives++
	fi;
	i = 0; j = 0; k = 0; place = 0; v0 = 0; v1 = 0; h = 0; log = 0; found = 0
}

inline forget()
{
	degraded = 0; cur = 0; backup = 0; over = 0; parent = 0;
	mp0 = 0; mv0 = 0; mp1 = 0; mv1 = 0;
	ap0 = 0; av0 = 0; ap1 = 0; av1 = 0;
	fp0 = 0; fv0 = 0; fp1 = 0; fv1 = 0;
	plane_b = 0; plane_c = 0; log_b = 0; log_f = 0; log_a = 0;
	next = 0; chain = 0; published = 0; session = 0; trusted = 0;
	tear_root(c);
	drop_flights();
	phase = IDLE; clean = 0; tried = 0;
	frozen_seq = 0; frozen_next = 0; frozen_chain = 0; node = 0; sum = 0; reach = 0
}

inline drop_flights()
{
	nr_flights = 0;
	flight_place[0] = 0; flight_w[0] = 0; flight_chain[0] = 0; flight_written[0] = 0;
	flight_place[1] = 0; flight_w[1] = 0; flight_chain[1] = 0; flight_written[1] = 0
}

#define ALL_GOOD	(droot[0].ok && droot[1].ok && droot[2].ok)

/* Of what was not flushed, any part survives. */
inline lose_power()
{
	had_bad = trusted && !ALL_GOOD && !dirty_root;
	n = 1;
	do
	:: n <= BLOCKS ->
		if
		:: dirty & BIT(n) ->
			if
			:: copy_block(seen[n], durable[n])
			:: copy_block(durable[n], seen[n])
			:: seen[n].kind == RECORD && VAL(seen[n].w) ->
				seen[n].w = HEADER(seen[n].w);
				copy_block(durable[n], seen[n])
			fi
		:: else
		fi;
		n++
	:: else -> break
	od;
	dirty = 0;
	n = 0;
	do
	:: n < 3 ->
		if
		:: dirty_root & BIT(n) ->
			if
			:: copy_root(sroot[n], droot[n])
			:: copy_root(droot[n], sroot[n])
			:: tear_root(droot[n]); tear_root(sroot[n]); printf("slot %d torn\n", n)
			fi
		:: else
		fi;
		if
		:: dirty_plane & BIT(n) ->
			if
			:: splane[n] = dplane[n]
			:: dplane[n] = splane[n]
			fi
		:: else
		fi;
		n++
	:: else -> break
	od;
	dirty_root = 0;
	dirty_plane = 0;
	n = 0;
	/* one root rots, if all are good, or the device went on as if they were */
	if
	:: rots && (ALL_GOOD || had_bad) ->
		if
		:: tear_root(droot[0]); tear_root(sroot[0]); rots--; printf("slot 0 rots\n")
		:: tear_root(droot[1]); tear_root(sroot[1]); rots--; printf("slot 1 rots\n")
		:: tear_root(droot[2]); tear_root(sroot[2]); rots--; printf("slot 2 rots\n")
		:: skip
		fi
	:: else
	fi;
	had_bad = 0
}

/* ---- the device in use ----------------------------------------------------------- */

#ifdef HEAL_FIRST
#define HEALED	(1)
#else
#define HEALED	(!degraded)
#endif
#ifdef POINTER_NOT_DEGRADED
#define POINTS	(!c.segment)
#else
#define POINTS	(!c.segment && !degraded)
#endif
#define LOGGED	(ap0 || ap1)	/* there is something to commit */

/* Nothing is published before all records before it are written. */
inline publish()
{
#ifdef RECORD_ORDER
	if
	:: nr_flights == 2 && flight_written[1] -> published = VAL(flight_w[1])
	:: else
	fi;
#endif
	do
	:: nr_flights && flight_written[0] ->
		if
		:: VAL(flight_w[0]) > published -> published = VAL(flight_w[0])
		:: else
		fi;
		flight_place[0] = flight_place[1]; flight_w[0] = flight_w[1];
		flight_chain[0] = flight_chain[1]; flight_written[0] = flight_written[1];
		flight_place[1] = 0; flight_w[1] = 0; flight_chain[1] = 0; flight_written[1] = 0;
		nr_flights--
	:: else -> break
	od
}

inline write_flight(nr)
{
	write_block(flight_place[nr], RECORD, flight_w[nr], flight_chain[nr]);
	flight_written[nr] = 1;
	printf("  written: %d\n", VAL(flight_w[nr]));
	publish();
	skip
}

inline seal()
{
	printf("record %d at %d\n", submitted + 1, next);
	writes--;
	trusted = 1;
	submitted++;
	take(place);
	flight_place[nr_flights] = next;
	flight_w[nr_flights] = REC(submitted, place, 0);
	flight_chain[nr_flights] = chain;
	log_a = log_a | BIT(next);
	if
	:: submitted % 2 == 0 -> ap0 = next; av0 = submitted
	:: else -> ap1 = next; av1 = submitted
	fi;
	chain = MIX(chain, HEADER(flight_w[nr_flights]) | next << 12);
	nr_flights++;
	next = place;
	place = 0; busy = 0
}

/* The first record of a session. */
inline write_opening()
{
	printf("opening record at %d\n", next);
	take(place);
	write_block(next, RECORD, REC(0, place, lives), chain);
	log_a = log_a | BIT(next);
	chain = MIX(chain, HEADER(seen[next].w) | next << 12);
	next = place;
	place = 0; busy = 0
}

inline freeze(is_clean)
{
	commits--;
	clean = is_clean;
	printf("commit: freeze%d\n", is_clean);
	frozen_seq = submitted;
	frozen_next = next;
	frozen_chain = chain;
#ifdef KEEP_LOG_POSITION
	if
	:: clean -> take(place); frozen_next = place; place = 0; busy = 0
	:: else
	fi;
#endif
	fp0 = ap0; fv0 = av0; fp1 = ap1; fv1 = av1;
	ap0 = 0; av0 = 0; ap1 = 0; av1 = 0;
	log_f = log_a;
	log_a = 0;
	phase = FROZEN
}

/* Nodes and the plane of the slot. */
inline prepare()
{
#ifndef FLUSH_FIRST
	if
	:: session == 0 -> flush_disk()
	:: else
	fi;
#endif
	if
	:: fp0 || fp1 ->
		take(place);
		sum = ENTRIES((fp0 -> fp0 : mp0), (fp0 -> fv0 : mv0),
			      (fp1 -> fp1 : mp1), (fp1 -> fv1 : mv1));
		node = place;
		write_block(node, NODE, sum, 0);
		reach = BIT(node);
		if
		:: fp0 || mp0 -> reach = reach | BIT((fp0 -> fp0 : mp0))
		:: else
		fi;
		if
		:: fp1 || mp1 -> reach = reach | BIT((fp1 -> fp1 : mp1))
		:: else
		fi;
		place = 0; busy = 0
	:: else -> node = c.map; sum = c.sum; reach = plane_c
	fi;
#ifndef PLANE_WITH_ROOT
	printf("  node %d, plane %x of slot %d\n", node, reach, over);
	splane[over] = reach;
	dirty_plane = dirty_plane | BIT(over);
#endif
	phase = WRITTEN
}

/* r may be c itself. */
inline next_root(r)
{
	r.ok = 1;
	r.segment = !clean;
	h = c.version;
	r.version = H(parent, h);
	r.prev = h;
	h = c.chain;
	r.prev_chain = h;
	h = c.gen + 1;
	r.gen = h;
	h = 0;
	r.next = frozen_next;
	r.chain = frozen_chain;
	r.map = node;
	r.sum = sum
}

inline end_commit()
{
	fp0 = 0; fv0 = 0; fp1 = 0; fv1 = 0;
	log_f = 0; node = 0; sum = 0; reach = 0;
	frozen_seq = 0; frozen_next = 0; frozen_chain = 0;
	clean = 0; tried = 0; phase = IDLE
}

inline land()
{
	printf("  landed\n");
	mp0 = sum & 15; mv0 = sum >> 4 & 15;
	mp1 = sum >> 8 & 15; mv1 = sum >> 12 & 15;
	next_root(c);
	parent = c.prev;
	backup = cur;
	cur = over;
	over = 3 - cur - backup;
	plane_b = plane_c;
	plane_c = reach;
	log_b = log_f;
	degraded = 0;
	end_commit()
}

/* The root write failed, they say; give the interval back to the log. */
inline give_up()
{
	log_a = log_a | log_f;
	if
	:: !ap0 -> ap0 = fp0; av0 = fv0
	:: else
	fi;
	if
	:: !ap1 -> ap1 = fp1; av1 = fv1
	:: else
	fi;
	end_commit()
}

init {
	d_step {
		i = 0;
		do
		:: i < 3 ->
			droot[i].ok = 1;
			droot[i].gen = i + 1;
			droot[i].next = 1;
			droot[i].chain = 4242;
			droot[i].prev_chain = 4242;
			i++
		:: else -> break
		od;
		droot[0].version = 1001; droot[0].prev = 7;
		droot[1].version = 2002; droot[1].prev = 1001;
		droot[2].version = H(1001, 2002); droot[2].prev = 2002;
		copy_root(sroot[0], droot[0]);
		copy_root(sroot[1], droot[1]);
		copy_root(sroot[2], droot[2]);
		open_device(0)
	}
	do
	/* a session: pointer, opening record */
	:: d_step { phase == IDLE && session == 0 && ((HEALED && writes) || LOGGED) ->
#ifndef FLUSH_FIRST
		flush_disk();	/* what was read may lie in the cache */
#endif
#ifndef POINTER_BEFORE_RECORD
		if
		:: POINTS ->
			c.segment = 1;
			copy_root(sroot[cur], c);
			dirty_root = dirty_root | BIT(cur);
			session = 1;
			printf("pointer to slot %d\n", cur)
		:: else -> session = 2
		fi;
		skip
#else
		session = 2
#endif
	   }
	:: d_step { session == 1 -> root_durable(cur); session = 2 }
#ifdef OPENING_RECORD
	:: d_step { session == 2 -> session = OPEN }
#else
	:: d_step { session == 2 && ROOM -> write_opening(); session = 3 }
	:: d_step { session == 3 -> flush_disk(); session = OPEN }
#endif

	/* a record: sealed, then written in any order */
	:: d_step { session == OPEN && HEALED && !clean && writes && nr_flights < 2 && ROOM -> seal() }
	:: d_step { nr_flights && !flight_written[0] -> write_flight(0) }
	:: d_step { nr_flights == 2 && !flight_written[1] -> write_flight(1) }

	/* a flush, where it can tell anything */
	:: d_step { phase != REFUSED && (acked < published || acked < FLUSHABLE) ->
#ifdef FLUSH_AFTER_OPEN
		if
		:: session == 0 -> skip		/* nothing was written in this session */
		:: else -> flush_disk()
		fi;
#else
		flush_disk();
#endif
		acked = FLUSHABLE;
		printf("flush: %d\n", acked) }

	/* a commit */
	:: d_step { phase == IDLE && commits && nr_flights == 0 && closes && !degraded &&
		    (session == OPEN || (session == 0 && !LOGGED && c.segment)) ->
		closes--; freeze(1) }
	:: d_step { phase == IDLE && commits && (LOGGED -> session == OPEN : degraded) -> freeze(0) }
	:: d_step { phase == FROZEN && published >= frozen_seq && ROOM -> prepare() }
	:: d_step { phase == WRITTEN ->
#ifndef FLUSH_BEFORE_ROOT
		flush_disk();
#endif
		phase = FLUSHED }
	:: d_step { phase == FLUSHED ->
		printf("  root to slot %d\n", over);
		next_root(sroot[over]);
		dirty_root = dirty_root | BIT(over);
		phase = ROOTED }
	:: d_step { phase == ROOTED ->
#ifndef ROOT_DURABLE
		root_durable(over);
#endif
		phase = LANDED }
	:: d_step { phase == LANDED && !clean -> land() }
	:: d_step { phase == LANDED && clean -> land(); i = submitted; forget(); open_device(i) }
#if FAILS
	/* reported as failed, though it landed, or may still */
	:: d_step { phase == ROOTED && fails && !tried && !clean ->
		printf("  reported as failed\n");
		fails--;
		tried = 1;
		root_durable(over);
#ifdef REPEAT_ROOT_WRITE
		give_up()
#else
		phase = FLUSHED
#endif
	   }
#ifdef REPEAT_ROOT_WRITE
	:: d_step { phase == ROOTED && fails && !tried && !clean -> fails--; give_up() }
#endif
#endif
#if LOST
	:: d_step { phase == FLUSHED && lost && !clean && !degraded -> lost--; phase = LANDED }
#endif

	/* the end of a life */
	:: atomic { crashes && phase != REFUSED ->
		crashes--;
		printf("power lost\n");
		lose_power();
		d_step { forget(); open_device(acked) } }
#if WARM
	:: d_step { warm && phase != REFUSED ->
		printf("kernel dies\n");
		warm--; i = published; forget(); open_device(i) }
#endif
	od
}
