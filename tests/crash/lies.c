// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lies - disks that do not do what they say.
 *
 * Of such a disk nothing can be asked that it has not kept.  What is asked of the
 * device: it is refused with a clear error, or there is one state of its past that
 * every block that can be read belongs to, and all others read as errors.  Never a
 * mixture of two states, never what was not written to this block.  What makes that
 * possible: a root is sealed, a node and a block of data are known by the checksum
 * in the entry that leads there, a record by the hash of the one before it.  So an
 * older block in its place, or another one, is an error, unless it is equal.
 *
 * States count one by one in the oracle, so "one state" is looked for by content:
 * most histories give each write a value of its own, the others few values, so that
 * equal records are made at equal places.
 *
 *   flushes    The disk says 0 to all flushes, to half of them or to one; to FUA, too,
 *              or not.  Cut at any operation, any part of what was never flushed
 *              is there.  Some of these lives begin behind an honest power cut,
 *              and repeat the operations that were lost in it: then a state of the
 *              life before may be found.
 *   write      One write at each index is lost, or goes to a place where something else
 *              lies, or over a root.  The life goes on with it; then the power is kept,
 *              or cut.  Of a lost write more is asked: no state before the flush that
 *              was acknowledged last before it.  Lost payload costs its own block, a
 *              lost root, plane or summary nothing.
 *   shrunk     Sizes below the formatted one (all with --stride 1): refused, and the disk
 *              is not touched.
 *   copies     The disk, and each disk that holds roots, as of one of several moments.
 *   format     The disk is formatted anew, under the old UUID or another, and sees the
 *              same operations: equal records at equal places.  Nothing old returns,
 *              but for a format that was cut: then it is the old device, the new one,
 *              or refused.
 *
 * Some images that open are used on an honest disk.  Whatever is written then must be
 * there after the next opening.
 */
#include <stdio.h>

#include "history.h"
#include "options.h"
#include "report.h"

enum outcome {
	RIGHT,			/* what an honest disk would show */
	OLDER,
	WITH_ERRORS,		/* of some blocks */
	NOTHING,		/* of all */
	REFUSED,		/* no root can be proven current */
	REFUSED_DAMAGED,	/* the summary or the map is not there */
	NR_OUTCOMES,
};

static const char * const outcome_names[] = {
	"right", "older", "with errors", "no block", "refused", "damaged",
};

enum class {
	FLUSH_ALL, FLUSH_ALL_FUA, FLUSH_HALF, FLUSH_ONE,
	WRITE_LOST, WRITE_ASTRAY, WRITE_OVER_ROOT, ROOT_WRITE_LOST, ROOT_ASTRAY,
	SHRUNK, OLD_DISK, OLD_ROOTS, OLD_MIXED,
	FORMAT_CUT, FORMAT_SAME, FORMAT_OTHER, FORMAT_LOST,
	NR_CLASSES,
};

static const char * const class_names[] = {
	"all flushes ignored", "... and FUA", "half of both ignored", "one ignored",
	"write lost", "write astray", "write over a root", "root write lost",
	"root write astray", "shrunk", "all of it old", "the disk or roots old",
	"a mixture of ages", "format cut", "new, same UUID", "new, other UUID",
	"format, root lost",
};

static u64 counts[NR_CLASSES][NR_OUTCOMES];
static u64 nr_compared, nr_errors, nr_lived, nr_stopped, nr_parent;

/* What is tried now, for the report of a violation. */
static struct {
	u64 seed;
	enum class class;
	u64 nr[4];
	const struct driver *driver;
} now;

static void violation(const char *what, long long detail)
{
	const struct triad_core *core = now.driver ? &now.driver->core : NULL;
	u32 slot;

	printf("VIOLATED: %s (%lld)\nseed %llu, %s, %llu %llu %llu %llu\n", what, detail,
	       (unsigned long long)now.seed, class_names[now.class],
	       (unsigned long long)now.nr[0], (unsigned long long)now.nr[1],
	       (unsigned long long)now.nr[2], (unsigned long long)now.nr[3]);
	for (slot = 0; core && slot < TRIAD_NR_SLOTS; slot++)
		printf("  slot %u: %s, generation %llu, next seq %llu at %llu\n", slot,
		       triad_slot_state_name(core->slots[slot].state),
		       (unsigned long long)core->slots[slot].root.generation,
		       (unsigned long long)core->slots[slot].root.next_seq,
		       (unsigned long long)core->slots[slot].root.next);
	if (core)
		printf("  case %d, current %d, %llu records\n", core->choice.which,
		       core->choice.cur, (unsigned long long)core->replayed_records);
	if (now.driver)
		driver_print_lines(now.driver);
	exit(1);
}

static bool is_damage(int error)
{
	return error == -EBADMSG || error == -EUCLEAN;
}

static void must(const struct history *h, int error)
{
	now.driver = &h->driver;
	if (error)
		violation(h->driver.failed, error);
}

/* ---- a device that is about to be lied to -------------------------------------- */

#define FULL_BLOCKS	9984u	/* of some 12,000 */

struct past {
	struct workload load;
	u64 seed;		/* of the life to come */
	u32 *image, *content;
	u32 nr_lbas;
	struct oracle *parent;	/* states before the cut, or NULL */
};

static void fill(struct history *h)
{
	u32 lba, nr;

	for (lba = 0; lba < h->oracle.nr_lbas; lba += nr) {
		nr = min_t(u32, 256, h->oracle.nr_lbas - lba);
		must(h, driver_fill(&h->driver, lba, nr));
		must(h, driver_drain(&h->driver));
	}
}

static u32 *new_content(u32 nr_lbas, const u32 *from)
{
	u32 *content = calloc(nr_lbas, sizeof(*content));

	assert(content);
	if (from)
		memcpy(content, from, nr_lbas * sizeof(*content));
	return content;
}

/*
 * A device with a map, a log and a backup.  A third of them are full, so that blocks
 * are used again.  On a third nothing is discarded: a commit takes as many blocks as it
 * gives back, and an old plane has the right number of them.
 */
static void past_init(struct past *p, u64 seed, u32 nr_root_devices)
{
	static const u32 nr_values[] = { 4000, 60, 4000, 3 };
	struct history h;
	u32 rounds;

	*p = (struct past){ .seed = seed, .load = {
		.logical_blocks = 768, .zone_blocks = 1536, .segment_blocks = 32,
		.checksum_kind = seed & 1, .nr_values = nr_values[seed % 4],
		.max_extents = 3, .max_blocks = 8, .max_discard = 100, .percent_flush = 15,
		.percent_commit = 12, .percent_discard = 10, .percent_clean = 5,
		.percent_slip = 25, .nr_root_devices = nr_root_devices,
	} };
	if (seed % 3 == 0)
		p->load.logical_blocks = FULL_BLOCKS;
	if (seed % 3 == 1)
		p->load.percent_discard = p->load.percent_slip = 0;
	history_init(&h, ~seed, &p->load, NULL);
	must(&h, history_begin(&h, driver_format(&h.driver), NULL));
	if (seed % 3 != 2)
		fill(&h);
	if (seed % 3 == 0)
		h.load.max_blocks = 200;
	for (rounds = 0; rounds < 4; rounds++) {
		must(&h, history_steps(&h, 8));
		must(&h, driver_commit(&h.driver, false));
	}
	must(&h, history_steps(&h, 4));
	must(&h, driver_flush(&h.driver));
	p->nr_lbas = h.oracle.nr_lbas;
	p->content = new_content(p->nr_lbas, h.oracle.now);
	p->image = disk_copy(disk_new_view(), h.view);
	history_free(&h);
}

static void past_free(struct past *p)
{
	if (p->parent)
		oracle_free(p->parent);
	free(p->parent);
	free(p->image);
	free(p->content);
}

/* ---- reading ------------------------------------------------------------------- */

struct judge {
	struct rng rng;
	struct disk disk;
	struct driver driver;
	struct workload load;
	u32 *image;
	u32 content[DISK_BLOCKS];	/* as read */
	u32 want[DISK_BLOCKS];		/* the state that it is */
	u32 nr_errors;
	int state;
	const struct oracle *of;
	u32 first_cut;			/* of a life; before it there was more than is known */
	u32 percent_used;		/* of the images that are not right */
};

static int find_state(struct judge *j, const struct oracle *oracle, u32 from, u32 to)
{
	u32 state, i;

	if (!j->nr_errors)
		return oracle_find(oracle, from, to,
				   oracle_hash_content(j->content, oracle->nr_lbas));
	for (state = to + 1; state-- > from; ) {
		oracle_content(oracle, state, j->want);
		for (i = 0; i < oracle->nr_lbas; i++)
			if (j->content[i] != CONTENT_ERROR && j->content[i] != j->want[i])
				break;
		if (i == oracle->nr_lbas)
			return state;
	}
	return -1;
}

static void read_all(const struct driver *driver, const struct disk *disk, u32 *content)
{
	int r = check_read_damaged(&driver->core, disk, content);

	if (r && !is_damage(r))
		violation("reading fails with an error that says something else", r);
}

/* What was read, against now; what was not written in this life may be lost. */
static void compare(const struct judge *j, const struct history *h, const u32 *content,
		    const u32 *want, const char *what)
{
	static u8 written[DISK_BLOCKS];
	u32 i;

	memset(written, 0, h->oracle.nr_lbas);
	for (i = 0; i < h->oracle.nr_undo; i++)
		written[h->oracle.undo[i].lba] = 1;
	for (i = 0; i < h->oracle.nr_lbas; i++) {
		if (content[i] == want[i])
			continue;
		if (content[i] != CONTENT_ERROR)
			violation(what, i);
		if (written[i] && !h->driver.error)
			violation("what was written to an honest disk is lost", i);
		if (!written[i] && !j->nr_errors && !h->driver.error)
			violation("what could be read is lost on an honest disk", i);
	}
}

/* ---- the days to come ---------------------------------------------------------- */

/* What an opening found behind a lie is where the life goes on. */
static void settle(struct judge *j, struct history *h)
{
	const struct disk_lying *l = &h->disk.lying;
	u32 i;

	read_all(&h->driver, &h->disk, j->content);
	for (i = j->nr_errors = 0; i < h->oracle.nr_lbas; i++)
		j->nr_errors += j->content[i] == CONTENT_ERROR;
	j->state = find_state(j, &h->oracle, l->lie == LIE_LOST ? l->acked : 0, h->oracle.nr);
	if (j->state < 0)
		violation("a restarted device shows not one state of its past",
			  find_state(j, &h->oracle, 0, h->oracle.nr));
	if ((u32)j->state < h->oracle.nr)
		j->first_cut = h->trace.nr;
	oracle_truncate(&h->oracle, j->state);
	h->driver.published_state = j->state;
}

static int reopen(struct judge *j, struct history *h)
{
	int r = history_reopen_closed(h);

	if (!r && h->disk.lying.told)
		settle(j, h);
	return r;
}

/* Some days: a few commits, a close, a restart.  Ends with the first error. */
static int live(struct judge *j, struct history *h)
{
	int r = history_steps(h, 6);

	if (!r)
		r = driver_commit(&h->driver, false);
	if (!r)
		r = history_steps(h, 4);
	if (!r)
		r = driver_flush(&h->driver);
	if (!r)
		r = reopen(j, h);
	if (!r)
		r = history_steps(h, 5);
	if (!r)
		r = driver_commit(&h->driver, false);
	if (!r)
		r = history_steps(h, 3);
	if (!r)
		r = driver_flush(&h->driver);
	if (!r)
		r = history_steps(h, 1);
	return r;
}

/* The next days of a past; the same ones each time but for the lie. */
static int live_from(struct judge *j, struct history *h, const struct past *p,
		     const struct disk_lying *lying)
{
	int r;

	history_init(h, p->seed, &p->load, p->image);
	now.driver = &h->driver;
	j->first_cut = 0;
	if (lying)
		h->disk.lying = *lying;
	r = history_begin(h, p->nr_lbas, p->content);
	return r ? r : live(j, h);
}

/* ---- judging an image ---------------------------------------------------------- */

/* The disk is honest from now on: what is written now must be there. */
static void live_on(struct judge *j)
{
	static u32 content[DISK_BLOCKS], want[DISK_BLOCKS];
	struct history h;
	int r;

	history_init(&h, rng_next(&j->rng), &j->load, j->image);
	h.load.percent_slip = 10;
	now.driver = &h.driver;
	r = history_begin(&h, j->of->nr_lbas, j->want);
	if (!r && !triad_core_must_not_write(&h.driver.core)) {
		r = history_steps(&h, rng_below(&j->rng, 10));
		if (!r)
			r = driver_commit(&h.driver, rng_percent(&j->rng, 30));
		if (!r)
			r = history_steps(&h, rng_below(&j->rng, 4));
	}
	if (r && !is_damage(r))
		violation(h.driver.failed, r);
	nr_lived++;
	nr_stopped += r != 0;
	if (h.driver.open && (!r || !h.driver.core.frozen)) {
		oracle_content(&h.oracle, h.driver.published_state, want);
		read_all(&h.driver, &h.disk, content);
		compare(j, &h, content, want, "a device in use shows something else");
	}
	if (!r) {
		driver_close(&h.driver);
		r = driver_open(&h.driver, true);
		if (r && (!j->nr_errors || !is_damage(r)))
			violation("it does not open again", r);
		if (!r) {
			read_all(&h.driver, &h.disk, content);
			compare(j, &h, content, h.oracle.now, "something else behind an opening");
		}
	}
	history_free(&h);
	now.driver = &j->driver;
}

static enum outcome refusal(const struct judge *j, int error)
{
	const struct triad_choice *choice = &j->driver.core.choice;

	if (error == -ENODATA && choice->which == 4 && choice->why)
		return REFUSED;
	if (!is_damage(error))
		violation("refused with an error that says something else", error);
	return REFUSED_DAMAGED;
}

/* Roots of one disk and blocks of another: what heals would destroy the roots. */
static bool is_map_here(const struct judge *j)
{
	const struct triad_root *root = &j->driver.core.root;

	return !root->map.pba || content_checksum(j->image[root->map.pba],
						  root->checksum_kind) == root->map.csum;
}

/*
 * Open the image and compare it with the states from .. to, or any of the parent's;
 * behind acked the disk could not have been asked for more.
 */
static enum outcome judge(struct judge *j, const struct oracle *oracle, u32 from, u32 to,
			  u32 acked, const struct oracle *parent)
{
	enum outcome outcome;
	u32 i;
	int r;

	disk_init(&j->disk, j->image, &j->rng);
	j->driver.disk = &j->disk;
	j->driver.rng = &j->rng;
	j->driver.load = &j->load;
	j->driver.oracle = NULL;
	now.driver = &j->driver;
	r = driver_open(&j->driver, false);
	if (r) {
		outcome = refusal(j, r);
		counts[now.class][outcome]++;
		return outcome;
	}
	if (j->driver.core.geo.logical_blocks != oracle->nr_lbas)
		violation("another size", j->driver.core.geo.logical_blocks);
	if (j->driver.core.degraded && !is_map_here(j))
		violation("to be healed on the word of a root whose map is not here", 0);
	read_all(&j->driver, &j->disk, j->content);
	for (i = j->nr_errors = 0; i < oracle->nr_lbas; i++)
		j->nr_errors += j->content[i] == CONTENT_ERROR;
	nr_compared += oracle->nr_lbas - j->nr_errors;
	nr_errors += j->nr_errors;
	j->of = oracle;
	j->state = find_state(j, oracle, from, to);
	if (j->state < 0 && parent) {
		j->of = parent;
		j->state = find_state(j, parent, 0, parent->nr);
		nr_parent += j->state >= 0;
	}
	if (j->state < 0)
		violation("not one state of its past", find_state(j, oracle, 0, oracle->nr));
	outcome = j->nr_errors == oracle->nr_lbas ? NOTHING : j->nr_errors ? WITH_ERRORS :
		  j->of == oracle && (u32)j->state >= acked ? RIGHT : OLDER;
	counts[now.class][outcome]++;
	driver_close(&j->driver);
	if (rng_percent(&j->rng, outcome == RIGHT ? j->percent_used / 5 : j->percent_used)) {
		oracle_content(j->of, j->state, j->want);
		live_on(j);
	}
	return outcome;
}

/* ---- flushes ------------------------------------------------------------------- */

/* The trace of a disk that ignored some of what it was told to keep. */
static void ignore_flushes(const struct trace *from, struct trace *to, enum class class,
			   struct rng *rng)
{
	u32 i, nr = 0, one;

	trace_init(to, from->base);
	to->nr_root_devices = from->nr_root_devices;
	to->ops = malloc(from->nr * sizeof(*to->ops));
	assert(to->ops);
	for (i = 0; i < from->nr; i++)
		nr += from->ops[i].kind != DISK_WRITE;
	one = rng_below(rng, nr);
	for (i = nr = 0; i < from->nr; i++) {
		struct disk_op op = from->ops[i];
		bool ignored = class == FLUSH_ALL_FUA;

		if (class == FLUSH_ALL)
			ignored = op.kind == DISK_FLUSH;
		else if (class == FLUSH_HALF)
			ignored = rng_percent(rng, 50);
		else if (class == FLUSH_ONE && op.kind != DISK_WRITE)
			ignored = nr++ == one;
		if (ignored && op.kind == DISK_FLUSH)
			continue;
		if (ignored && op.kind == DISK_ROOT)
			op.kind = DISK_WRITE;
		to->ops[to->nr++] = op;
	}
}

/* Caches are no larger than this: what is older was written some time. */
static void write_back(struct cutter *cutter, u32 nr)
{
	u32 i, old = cutter->nr_pending > nr ? cutter->nr_pending - nr : 0;

	for (i = 0; i < old; i++)
		cutter->durable[cutter->pending[i].pba] = cutter->pending[i].id;
	memmove(cutter->pending, cutter->pending + old,
		(cutter->nr_pending - old) * sizeof(*cutter->pending));
	cutter->nr_pending -= old;
}

/* The power is cut when nr operations have begun. */
static void cut(struct judge *j, const struct trace *trace, u32 nr)
{
	struct cutter cutter;

	cutter_init(&cutter, trace);
	while (cutter.at < nr && cutter_step(&cutter))
		;
	if (rng_percent(&j->rng, 50))
		write_back(&cutter, 1u << rng_below(&j->rng, 9));
	cutter_random(&cutter, &j->rng, j->image);
	cutter_free(&cutter);
}

/* What was submitted and acknowledged when the power was cut. */
static void known_at(const struct trace *trace, u32 nr, u32 *acked, u32 *submitted)
{
	*acked = nr ? trace->ops[nr - 1].acked : 0;
	*submitted = nr ? trace->ops[nr - 1].submitted : 0;
}

static void lie_about_flushes(struct judge *j, const struct past *p, u32 nr_images)
{
	u32 i, nr, mark, acked, submitted;
	struct history h;
	struct trace trace;

	must(&h, live_from(j, &h, p, NULL));
	for (i = 0; i < nr_images; i++) {
		mark = content_mark();
		now.class = FLUSH_ALL + i % 4;
		now.nr[0] = i;
		ignore_flushes(&h.trace, &trace, now.class, &j->rng);
		nr = now.nr[1] = rng_below(&j->rng, trace.nr + 1);
		cut(j, &trace, nr);
		known_at(&trace, nr, &acked, &submitted);
		judge(j, &h.oracle, 0, submitted, acked, p->parent);
		trace_free(&trace);
		content_release(mark);
	}
	history_free(&h);
}

/* As the past of another life: cut, and the same operations once more. */
static void cut_past(struct judge *j, struct past *p)
{
	u32 nr, acked, submitted;
	struct history h;

	must(&h, live_from(j, &h, p, NULL));
	now.class = FLUSH_ALL;
	do {
		nr = rng_below(&j->rng, h.trace.nr + 1);
		cut(j, &h.trace, nr);
		known_at(&h.trace, nr, &acked, &submitted);
	} while (judge(j, &h.oracle, acked, submitted, acked, NULL) != RIGHT);
	disk_copy(p->image, j->image);
	oracle_content(&h.oracle, j->state, p->content);
	p->parent = malloc(sizeof(*p->parent));
	*p->parent = h.oracle;
	memset(&h.oracle, 0, sizeof(h.oracle));
	history_free(&h);
}

/* ---- one write ----------------------------------------------------------------- */

static bool is_slot(u32 pba)
{
	return pba == TRIAD_SLOT_PBA(0) || pba == TRIAD_SLOT_PBA(1) || pba == TRIAD_SLOT_PBA(2);
}

static bool is_payload(const struct history *h, const struct disk_lying *l)
{
	u32 i;

	for (i = 0; i < h->oracle.nr_undo; i++)
		if (l->id == h->oracle.now[h->oracle.undo[i].lba])
			return true;
	return false;
}

static bool is_space(const struct disk_lying *l)
{
	const struct triad_space_header_disk *head = (const void *)content_of(l->id);

	return head->magic == cpu_to_le64(TRIAD_PLANE_MAGIC) ||
	       head->magic == cpu_to_le64(TRIAD_SUMMARY_MAGIC);
}

/* What the device shows that was lied to, while it runs. */
static void check_running(struct judge *j, const struct history *h)
{
	u32 i;

	/* with a commit under way the map is between two states */
	if (!h->driver.open || h->driver.core.frozen)
		return;
	oracle_content(&h->oracle, h->driver.published_state, j->want);
	read_all(&h->driver, &h->disk, j->content);
	for (i = 0; i < h->oracle.nr_lbas; i++)
		if (j->content[i] != CONTENT_ERROR && j->content[i] != j->want[i])
			violation("a running device shows something else", i);
}

static enum class class_of(const struct disk_lying *l)
{
	if (is_slot(l->pba))
		return l->lie == LIE_LOST ? ROOT_WRITE_LOST : ROOT_ASTRAY;
	if (l->lie == LIE_LOST)
		return WRITE_LOST;
	return is_slot(l->to) ? WRITE_OVER_ROOT : WRITE_ASTRAY;
}

static void judge_lie(struct judge *j, const struct history *h, u32 from, u32 to, u32 acked)
{
	bool payload = is_payload(h, &h->disk.lying), space = is_space(&h->disk.lying);
	u64 stopped = nr_stopped;
	enum outcome outcome;

	/* a lost plane would do harm later, if at all */
	j->percent_used = space ? 500 : 20;
	outcome = judge(j, &h->oracle, from, to, acked, NULL);
	j->percent_used = 20;
	if (now.class == WRITE_LOST && space && (outcome != RIGHT || stopped != nr_stopped))
		violation("a lost plane or summary costs something", outcome);
	if (now.class == WRITE_LOST && outcome >= REFUSED)
		violation("one write is lost, and the device is refused", outcome);
	if (now.class == ROOT_WRITE_LOST && outcome != RIGHT)
		violation("one root write is lost, and it is not as before", outcome);
	if (now.class == WRITE_LOST && outcome < REFUSED && j->nr_errors > 1 && payload)
		violation("lost payload costs more than its block", j->nr_errors);
}

/* False when the life is over before. */
static bool lie_about_write(struct judge *j, const struct past *p, struct disk_lying lying)
{
	u32 mark = content_mark(), from = 0, first, nr, acked, submitted;
	struct history h;
	int r = live_from(j, &h, p, &lying);
	const struct disk_lying *l = &h.disk.lying;
	bool told = l->told;

	if (r && told && lying.lie == LIE_LOST && is_space(l))
		violation("a lost plane or summary stops a running device", r);
	/* what lies over a root may be somebody else's, for all a device knows */
	if (r == -ESTALE && (lying.lie != LIE_MISDIRECTED || !is_slot(l->to)))
		violation("a disk that lies is taken for somebody else", r);
	if (r && (!told || (!is_damage(r) && r != -ENODATA && r != -ESTALE)))
		violation(h.driver.failed, r);
	if (told) {
		now.class = class_of(l);
		if (lying.lie == LIE_LOST)
			from = l->acked;
		check_running(j, &h);
		now.nr[2] = 0;
		disk_copy(j->image, h.view);
		judge_lie(j, &h, from, h.oracle.nr, h.oracle.acked);
	}
	first = max_t(u32, l->nr_ops, j->first_cut) + 1;
	if (told && first <= h.trace.nr) {
		now.nr[2] = nr = rng_between(&j->rng, first, h.trace.nr);
		cut(j, &h.trace, nr);
		known_at(&h.trace, nr, &acked, &submitted);
		judge_lie(j, &h, from, submitted, acked);
	}
	history_free(&h);
	content_release(mark);
	return told;
}

static void lie_about_writes(struct judge *j, const struct past *p, u32 stride)
{
	struct disk_lying lying = { .at = 1 + rng_below(&j->rng, stride) };
	struct history h;
	struct trace trace;
	bool told = true;
	u32 nr;

	must(&h, live_from(j, &h, p, NULL));
	trace = h.trace;
	memset(&h.trace, 0, sizeof(h.trace));
	history_free(&h);
	for (; told; lying.at += stride) {
		now.nr[0] = lying.at;
		lying.lie = LIE_LOST;
		told = lie_about_write(j, p, lying);
		lying.lie = LIE_MISDIRECTED;
		do {
			nr = rng_below(&j->rng, trace.nr);
		} while (trace.ops[nr].kind == DISK_FLUSH);
		now.nr[1] = lying.to = trace.ops[nr].pba;
		lie_about_write(j, p, lying);
		now.nr[1] = lying.to = TRIAD_SLOT_PBA(rng_below(&j->rng, TRIAD_NR_SLOTS));
		lie_about_write(j, p, lying);
	}
	trace_free(&trace);
}

/* ---- a disk that shrank -------------------------------------------------------- */

static void shrink(struct judge *j, const struct past *p, u32 stride)
{
	struct history h;
	u32 end;
	int r;

	now.class = SHRUNK;
	must(&h, live_from(j, &h, p, NULL));
	must(&h, driver_commit(&h.driver, true));
	driver_close(&h.driver);
	disk_copy(j->image, h.view);
	for (end = 1; end < DISK_BLOCKS; end += end == 4096 || end == 12288 ? 1 : stride) {
		bool two_roots = p->load.nr_root_devices || end > TRIAD_SLOT_PBA(1);

		now.nr[0] = end;
		memset(&j->driver.core, 0, sizeof(j->driver.core));
		disk_init(&j->disk, j->image, &j->rng);
		j->disk.end = end;
		/* a root on a disk of its own is there, but none on this one */
		if (!p->load.nr_root_devices)
			j->disk.unreadable = (end <= TRIAD_SLOT_PBA(1)) << 1 |
					     (end <= TRIAD_SLOT_PBA(2)) << 2;
		j->driver.core.store = &j->disk.store;
		j->driver.core.hash = &j->driver.hash;
		now.driver = &j->driver;
		r = triad_core_open(&j->driver.core, end);
		if (r != (two_roots ? -ENOSPC : -ENODATA))
			violation("a disk that shrank is not refused as it should be", r);
		if (j->disk.nr_writes || j->disk.nr_flushes)
			violation("a disk that shrank is written to", j->disk.nr_writes);
		counts[SHRUNK][REFUSED]++;
	}
	judge(j, &h.oracle, h.oracle.nr, h.oracle.nr, h.oracle.nr, NULL);
	history_free(&h);
}

/* ---- old copies ---------------------------------------------------------------- */

#define NR_AGES		5

static void age(u32 *image, const struct history *h, u32 nr)
{
	u32 i;

	disk_copy(image, h->trace.base);
	for (i = 0; i < nr; i++)
		if (h->trace.ops[i].kind != DISK_FLUSH)
			image[h->trace.ops[i].pba] = h->trace.ops[i].id;
}

/* The moments: spread over the life, and around the newest commit's root. */
static void list_ages(struct judge *j, const struct history *h, u32 nr[NR_AGES])
{
	u32 root = h->trace.nr;

	while (h->trace.ops[--root].kind != DISK_ROOT)
		;
	nr[0] = 0;
	nr[1] = rng_below(&j->rng, root);
	nr[2] = root - 1;
	nr[3] = root + 1;
	nr[4] = h->trace.nr;
}

static void mix_ages(struct judge *j, const struct past *p)
{
	u32 nr[NR_AGES], *images[NR_AGES], of[1 + TRIAD_NR_SLOTS];
	u32 i, n, slot, nr_disks = 1 + p->load.nr_root_devices, nr_all = 1, old, acked;
	struct history h;
	enum outcome outcome;

	must(&h, live_from(j, &h, p, NULL));
	list_ages(j, &h, nr);
	for (i = 0; i < NR_AGES; i++) {
		images[i] = disk_new_view();
		age(images[i], &h, nr[i]);
	}
	for (i = 0; i < nr_disks; i++)
		nr_all *= NR_AGES;
	for (n = 0; n < nr_all; n++) {
		u32 digits = n, same = 0;

		for (i = old = 0; i < nr_disks; i++, digits /= NR_AGES) {
			of[i] = now.nr[i] = digits % NR_AGES;
			same += of[i] == of[0];
			old += of[i] != NR_AGES - 1;
		}
		disk_copy(j->image, images[of[0]]);
		for (slot = 0; slot < TRIAD_NR_SLOTS && nr_disks > 1; slot++)
			j->image[TRIAD_SLOT_PBA(slot)] =
				images[of[1 + slot % (nr_disks - 1)]][TRIAD_SLOT_PBA(slot)];
		acked = nr[of[0]] < h.trace.nr ? h.trace.ops[nr[of[0]]].acked : h.oracle.acked;
		now.class = same == nr_disks ? OLD_DISK : old == 1 ? OLD_ROOTS : OLD_MIXED;
		if (now.class != OLD_DISK)
			acked = h.oracle.acked;
		outcome = judge(j, &h.oracle, now.class == OLD_DISK ? acked : 0, h.oracle.nr,
				acked, NULL);
		if (now.class == OLD_DISK && outcome != RIGHT)
			violation("an old copy of it all does not open", outcome);
		if (old == 1 && nr_disks == 1 + TRIAD_NR_SLOTS && of[0] == NR_AGES - 1 &&
		    outcome != RIGHT)
			violation("one old copy of a root's disk costs something", outcome);
	}
	for (i = 0; i < NR_AGES; i++)
		free(images[i]);
	history_free(&h);
}

/* ---- formatted anew ------------------------------------------------------------ */

static int format(struct history *h, const struct past *p, const u8 *uuid)
{
	struct triad_root root = { .checksum_kind = p->load.checksum_kind };
	struct triad_geometry geo;
	const char *why;

	if (triad_geometry_init(&geo, DISK_BLOCKS, p->load.logical_blocks, p->load.zone_blocks,
				p->load.segment_blocks, DRIVER_INTERVAL, &why))
		violation(why, 0);
	memcpy(root.hash, "test", 4);
	memcpy(root.uuid, uuid, sizeof(root.uuid));
	return triad_core_format(&h->disk.store, &h->driver.hash, &root, &geo);
}

static void new_uuid(struct judge *j, u8 uuid[TRIAD_UUID_SIZE])
{
	u32 i;

	for (i = 0; i < TRIAD_UUID_SIZE; i++)
		uuid[i] = rng_next(&j->rng);
}

/* A format that loses one of its roots says that all is well. */
static void format_lost(struct judge *j, const struct past *p, const struct history *old,
			const u8 *uuid)
{
	struct oracle empty;
	struct history h;
	u32 i;

	oracle_init(&empty, p->nr_lbas, NULL);
	for (i = 1; i <= TRIAD_NR_SLOTS; i++) {
		history_init(&h, p->seed + i, &p->load, old->view);
		h.disk.lying = (struct disk_lying){ .lie = LIE_LOST, .at = i };
		must(&h, format(&h, p, uuid));
		now.class = FORMAT_LOST;
		now.nr[0] = i;
		disk_copy(j->image, h.view);
		judge(j, &empty, 0, 0, 0, NULL);
		driver_free(&h.driver);
		trace_free(&h.trace);
		free(h.view);
	}
	oracle_free(&empty);
}

static void format_anew(struct judge *j, const struct past *p, bool same, u32 nr_images)
{
	u8 uuid[2][TRIAD_UUID_SIZE];
	u32 i, nr, nr_format, acked, submitted, mark;
	struct history old, h;

	new_uuid(j, uuid[0]);
	new_uuid(j, uuid[1]);
	now.class = same ? FORMAT_SAME : FORMAT_OTHER;
	history_init(&old, p->seed, &p->load, NULL);
	now.driver = &old.driver;
	must(&old, format(&old, p, uuid[0]));
	must(&old, history_begin(&old, p->nr_lbas, NULL));
	must(&old, live(j, &old));

	history_init(&h, p->seed, &p->load, old.view);
	test_random.state = p->seed * 31;
	now.driver = &h.driver;
	must(&h, format(&h, p, uuid[!same]));
	nr_format = h.trace.nr;
	/* what happens is the same as far as chance goes */
	h.rng.state = p->seed;
	must(&h, history_begin(&h, p->nr_lbas, NULL));
	must(&h, live(j, &h));
	for (i = 0; i < nr_images; i++) {
		mark = content_mark();
		nr = i < 5 * nr_format ? i % nr_format : rng_below(&j->rng, h.trace.nr + 1);
		now.nr[0] = i;
		now.nr[1] = nr;
		cut(j, &h.trace, nr);
		known_at(&h.trace, nr, &acked, &submitted);
		if (nr < nr_format) {
			now.class = FORMAT_CUT;
			judge(j, &h.oracle, 0, 0, 0, &old.oracle);
		} else {
			now.class = same ? FORMAT_SAME : FORMAT_OTHER;
			if (judge(j, &h.oracle, acked, submitted, acked, NULL) != RIGHT)
				violation("a device that was formatted anew is damaged", nr);
		}
		content_release(mark);
	}
	format_lost(j, p, &old, uuid[!same]);
	history_free(&h);
	history_free(&old);
}

/* ---- all ----------------------------------------------------------------------- */

struct sizes {
	u32 images;		/* of each history */
	u32 stride;		/* between indices, and between sizes */
};

static void run_seed(struct judge *j, u64 seed, const struct sizes *sizes)
{
	static const u32 nr_root_devices[] = { 0, 3, 1 };
	struct past p;

	memset(now.nr, 0, sizeof(now.nr));
	now.seed = seed;
	content_release(0);
	content_mark();
	j->rng.state = seed * 0x2545f4914f6cdd1dULL;
	j->percent_used = 20;
	past_init(&p, seed, nr_root_devices[seed / 2 % 3]);
	j->load = p.load;
	driver_init(&j->driver, &j->disk, &j->rng, &j->load);
	lie_about_writes(j, &p, sizes->stride);
	shrink(j, &p, sizes->stride > 1 ? 7 * sizes->stride : 1);
	mix_ages(j, &p);
	format_anew(j, &p, seed & 1, sizes->images / 4);
	lie_about_flushes(j, &p, sizes->images);
	cut_past(j, &p);
	lie_about_flushes(j, &p, sizes->images / 2);
	driver_free(&j->driver);
	past_free(&p);
}

static void report(u64 nr_seeds, double took)
{
	u64 sum = report_table(class_names, NR_CLASSES, outcome_names, NR_OUTCOMES, counts[0]);

	printf("%llu images of %llu devices held, %llu blocks compared, %llu read as errors;\n"
	       "%llu showed the life before, %llu were used again, of these %llu became "
	       "read-only; %.1f s\n",
	       (unsigned long long)sum, (unsigned long long)nr_seeds,
	       (unsigned long long)nr_compared, (unsigned long long)nr_errors,
	       (unsigned long long)nr_parent, (unsigned long long)nr_lived,
	       (unsigned long long)nr_stopped, took);
}

int main(int argc, char **argv)
{
	static struct judge j;
	u64 seed = 1, nr = 12, images = 400, stride = 3, i;
	double start = report_seconds();
	struct sizes sizes;
	const struct number_option options[] = {
		{ "seed", &seed },
		{ "devices", &nr },
		{ "images", &images },
		{ "stride", &stride },
		{ 0 },
	};

	parse_numbers(argc, argv, options);
	sizes = (struct sizes){ .images = images, .stride = stride };
	disk_keep_memory();
	j.image = disk_new_view();
	for (i = seed; i < seed + nr; i++)
		run_seed(&j, i, &sizes);
	report(nr, report_seconds() - start);
	return 0;
}
