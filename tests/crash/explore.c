// SPDX-License-Identifier: GPL-2.0-only
/*
 * explore - power cuts at every operation of random lives of a device.
 *
 * A life is a run of the driver on the simulated disk; its trace gives the
 * images after a power cut at any operation.  Each image is opened by the core
 * and compared with the oracle: the content must be that of a prefix of the
 * submitted operations, at or behind the last acknowledged flush.  Some images
 * are rotted in one place first; some live on and crash again.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "driver.h"
#include "env.h"

#define MAX_DEPTH	3

enum class {
	CLASS_PLAIN,		/* power cut only */
	CLASS_ROOT,		/* and one root rotten, zeroed or an old copy */
	CLASS_ROOT_PLANES,	/* ... with its planes */
	CLASS_PLANES,		/* planes of one slot rotten */
	CLASS_SUMMARY,		/* summary block of c rotten */
	CLASS_PAYLOAD,		/* a payload block in the log rotten */
	CLASS_HEADER,		/* a header in the log rotten */
	NR_CLASSES,
};

static const char * const class_names[] = {
	"power cut", "root bad", "root and planes bad", "planes bad", "summary bad",
	"log payload rotten", "log header rotten",
};

struct fault {
	enum class class;
	u32 slot;
	u64 seq;		/* of the record that is hit */
	u64 pba;
	bool durable;		/* ... it is behind a durable mark */
	bool unseen;		/* an old root that passes for a root not yet overwritten */
	u64 nr_candidates;
	u64 first_seq;		/* of what the oracle knows */
	struct rng *rng;
};

struct explorer {
	struct rng rng;
	u64 seed;
	u64 states, max_states;
	u64 per_class[NR_CLASSES], per_depth[MAX_DEPTH + 1], per_case[4];
	u64 lives, continued, exhaustive, commits, records, skipped;
	enum disk_break broken;
	int profile;		/* -1: by seed */
	bool verbose;

	struct workload load;
	u64 budget;		/* states for this seed */
	int life;
	u32 old_roots[TRIAD_NR_SLOTS][64];	/* of the lives before, on the main line */
	u32 nr_old_roots[TRIAD_NR_SLOTS];
	struct driver *running;	/* whose lines explain a violation */
	struct fault fault;	/* the newest */
	u32 *image[MAX_DEPTH + 1];
	u32 *content;
};

static void violation(struct explorer *x, const char *what, const char *more)
{
	printf("VIOLATED: %s%s%s\n", what, more ? ": " : "", more ? more : "");
	printf("seed %llu, life %d; repeat with --seed %llu --states %llu\n",
	       (unsigned long long)x->seed, x->life, (unsigned long long)x->seed,
	       (unsigned long long)x->max_states);
	printf("fault: %s, slot %u, record %llu at %llu%s\n", class_names[x->fault.class],
	       x->fault.slot, (unsigned long long)x->fault.seq,
	       (unsigned long long)x->fault.pba, x->fault.durable ? ", durable" : "");
	if (x->running) {
		printf("what was done last:\n");
		driver_print_lines(x->running);
	}
	exit(1);
}

/* ---- faults --------------------------------------------------------------- */

static void rot_planes(struct explorer *x, u32 *image, u32 slot)
{
	struct triad_geometry geo;
	const char *why;
	u64 zone;
	bool all = rng_percent(&x->rng, 50);

	triad_geometry_init(&geo, DISK_BLOCKS, x->load.logical_blocks, x->load.zone_blocks,
			    x->load.segment_blocks, 1536, &why);
	for (zone = 0; zone < geo.nr_zones; zone++)
		if (all || rng_percent(&x->rng, 30))
			image[triad_plane_pba(&geo, zone, slot)] = content_rotten(&x->rng);
}

static void rot_summary(struct explorer *x, u32 *image, u32 slot)
{
	struct triad_geometry geo;
	const char *why;

	triad_geometry_init(&geo, DISK_BLOCKS, x->load.logical_blocks, x->load.zone_blocks,
			    x->load.segment_blocks, 1536, &why);
	image[triad_summary_pba(&geo, 0, slot)] = content_rotten(&x->rng);
}

static int pick_record(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct fault *fault = context;
	u32 run, block;

	(void)core;
	if (rec->seq < fault->first_seq || (fault->class == CLASS_PAYLOAD && !rec->nr_blocks) ||
	    rng_below(fault->rng, ++fault->nr_candidates))
		return 0;
	fault->seq = rec->seq;
	fault->pba = rec->place;
	if (fault->class != CLASS_PAYLOAD)
		return 0;
	block = rng_below(fault->rng, rec->nr_blocks);
	for (run = 0; block >= rec->runs[run].nr; run++)
		block -= rec->runs[run].nr;
	fault->pba = rec->runs[run].start + block;
	return 0;
}

/* Find a record of the log to hit; false if there is none. */
static bool rot_log(struct explorer *x, u32 *image, struct fault *fault)
{
	struct triad_hash hash = { 0 };
	struct triad_core core = { .hash = &hash };
	struct disk disk;
	u64 nr, durable;

	disk_init(&disk, image, &x->rng);
	core.store = &disk.store;
	if (triad_core_open(&core, DISK_BLOCKS))
		return false;
	if (core.degraded || triad_replay_walk(&core, &nr, &durable, pick_record, fault))
		fault->nr_candidates = 0;
	fault->durable = fault->seq <= durable;
	triad_core_close(&core);
	if (!fault->nr_candidates)
		return false;
	image[fault->pba] = content_rotten(&x->rng);
	return true;
}

/* The highest generation in the three slots, and how many hold a root. */
static u64 newest_generation(const u32 *image, u32 *nr_roots)
{
	u64 newest = 0, generation;
	u32 slot;

	*nr_roots = 0;
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		const struct triad_root_disk *root =
			(const void *)content_of(image[TRIAD_SLOT_PBA(slot)]);

		if (root->magic != cpu_to_le64(TRIAD_ROOT_MAGIC))
			continue;
		generation = le64_to_cpu(root->generation);
		newest = max_t(u64, newest, generation);
		++*nr_roots;
	}
	return newest;
}

/*
 * A version names a history, not its content: a root that was lost, and another
 * made in its place, have the same version.  Selection cannot tell them apart;
 * so what was lost must not come back while its place in the history is the
 * newest, or not yet taken again.
 */
static bool is_lost(u32 old, u32 pba, const u32 *image)
{
	const struct triad_root_disk *a = (const void *)content_of(old);
	const struct triad_root_disk *b = (const void *)content_of(image[pba]);
	u32 nr_roots;

	if (a->magic != cpu_to_le64(TRIAD_ROOT_MAGIC))
		return false;
	if (le64_to_cpu(a->generation) > newest_generation(image, &nr_roots))
		return true;
	return a->magic == b->magic && !memcmp(a->version, b->version, sizeof(a->version)) &&
	       memcmp(a->chain, b->chain, sizeof(a->chain));
}

/* Garbage, zeroes, or what the slot held before. */
static void rot_root(struct explorer *x, const struct trace *trace, u32 at, u32 *image,
		     u32 slot)
{
	u32 pba = TRIAD_SLOT_PBA(slot), i, tries, old = content_rotten(&x->rng);

	if (rng_percent(&x->rng, 20))
		old = 0;
	for (tries = 0; at && tries < 8 && rng_percent(&x->rng, 80); tries++) {
		i = rng_below(&x->rng, at);
		if (trace->ops[i].kind == DISK_ROOT && trace->ops[i].pba == pba) {
			old = trace->ops[i].id;
			break;
		}
	}
	if (rng_percent(&x->rng, 20))
		old = trace->base[pba];
	if (x->nr_old_roots[slot] && rng_percent(&x->rng, 30))
		old = x->old_roots[slot][rng_below(&x->rng, min_t(u32, 64,
								  x->nr_old_roots[slot]))];
	image[pba] = is_lost(old, pba, image) ? content_rotten(&x->rng) : old;
}

/*
 * One fault at a time: nothing is rotten, and a commit landed since an earlier
 * fault.
 */
static bool may_have_fault(const struct trace *trace, const u32 *image, bool clean_lineage)
{
	u64 block, was, is;
	u32 nr_roots;

	for (block = 0; block < DISK_BLOCKS; block++)
		if (image[block] && content_is_rotten(image[block]))
			return false;
	was = newest_generation(trace->base, &nr_roots);
	is = newest_generation(image, &nr_roots);
	return nr_roots == 3 && (clean_lineage || is > was);
}

/* Make a fault in the image, if one is allowed there now. */
static void make_fault(struct explorer *x, const struct trace *trace, u32 at,
		       const struct oracle *oracle, u32 *image, struct fault *fault,
		       bool clean_lineage)
{
	static const enum class log_classes[] = { CLASS_PAYLOAD, CLASS_HEADER };
	u32 what = rng_below(&x->rng, 100);

	memset(fault, 0, sizeof(*fault));
	fault->rng = &x->rng;
	fault->first_seq = oracle->nr ? oracle->ops[0].seq : ~0ULL;
	if (x->load.lose_root_writes || what < 50 ||
	    !may_have_fault(trace, image, clean_lineage))
		return;
	fault->slot = rng_below(&x->rng, TRIAD_NR_SLOTS);
	if (what < 66) {
		fault->class = CLASS_ROOT;
		rot_root(x, trace, at, image, fault->slot);
	} else if (what < 76) {
		fault->class = CLASS_ROOT_PLANES;
		rot_root(x, trace, at, image, fault->slot);
		rot_planes(x, image, fault->slot);
	} else if (what < 82) {
		fault->class = CLASS_PLANES;
		rot_planes(x, image, fault->slot);
	} else if (what < 85) {
		fault->class = CLASS_SUMMARY;
		rot_summary(x, image, fault->slot);
	} else {
		fault->class = log_classes[rng_below(&x->rng, 2)];
		if (!rot_log(x, image, fault))
			fault->class = CLASS_PLAIN;
	}
}

/* ---- one state ---------------------------------------------------------------- */

struct life {
	struct trace trace;
	struct oracle oracle;
	struct disk disk;
	struct driver driver;
	u32 *view;
	bool clean_lineage;	/* no root write was lost and nothing rotted before */
	bool leftovers;		/* see leaves_planes() */
	u64 script;		/* of the generator, before the first step */
};

static void live_on(struct explorer *x, const u32 *image, const u32 *content, int depth,
		    const struct life *parent, const struct fault *fault);

/* Rot in the log that cannot be told from its end. */
static bool cuts_log(const struct fault *fault)
{
	return fault->class == CLASS_HEADER ||
	       (fault->class == CLASS_PAYLOAD && !fault->durable);
}

/*
 * After these a commit that never landed, or was lost, may have left planes that
 * the next one has no reason to write again: they must be recognised.
 */
static bool leaves_planes(const struct fault *fault)
{
	return fault->unseen || cuts_log(fault);
}

/* Content with errors: every other block must be as in the state. */
static bool matches_but_errors(struct explorer *x, const struct oracle *oracle, u32 state,
			       u32 *nr_errors)
{
	static u32 want[DISK_BLOCKS];
	u32 i;

	oracle_content(oracle, state, want);
	*nr_errors = 0;
	for (i = 0; i < oracle->nr_lbas; i++) {
		if (x->content[i] == CONTENT_ERROR)
			++*nr_errors;
		else if (x->content[i] != want[i])
			return false;
	}
	return true;
}

/* The state that this content is, or a violation. */
static int find_state(struct explorer *x, const struct oracle *oracle, u32 from, u32 to,
		      const struct fault *fault)
{
	u64 hash = oracle_hash_content(x->content, oracle->nr_lbas);
	u32 state, nr_errors;
	int found;
	char more[160];

	if (cuts_log(fault)) {
		/* the log ends before the record that was hit */
		state = oracle_state_before(oracle, fault->seq);
		if (oracle_hash(oracle, state) != hash)
			violation(x, "the log does not end at its first rotten record", NULL);
		return state;
	}
	if (fault->class == CLASS_PAYLOAD) {
		for (state = to + 1; state-- > from; )
			if (matches_but_errors(x, oracle, state, &nr_errors) && nr_errors <= 1)
				return state;
		violation(x, "more than the rotten payload is lost", NULL);
	}
	found = oracle_find(oracle, from, to, hash);
	if (found < 0) {
		found = oracle_find(oracle, 0, oracle->nr, hash);
		snprintf(more, sizeof(more), "found state %d, allowed %u to %u", found, from, to);
		violation(x, "not a prefix at or behind the last acknowledged flush", more);
	}
	return found;
}

static void print_slots(const struct triad_core *core)
{
	const struct triad_slot *slot;
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		slot = &core->slots[i];
		printf("slot %d: %s, generation %llu, next %llu, seq %llu\n", i,
		       triad_slot_state_name(slot->state),
		       (unsigned long long)slot->root.generation,
		       (unsigned long long)slot->root.next,
		       (unsigned long long)slot->root.next_seq);
	}
}

static void open_or_die(struct explorer *x, struct driver *driver, bool heal)
{
	char more[160];

	if (!driver_open(driver, heal))
		return;
	snprintf(more, sizeof(more), "%s, error %d, case %d: %s", driver->failed, driver->error,
		 driver->core.choice.which,
		 driver->core.choice.why ? driver->core.choice.why : "");
	print_slots(&driver->core);
	violation(x, "a device that must open does not", more);
}

/*
 * Open the image and compare.  The content found stands in x->content; returns
 * the state.
 */
static int check_state(struct explorer *x, u32 *image, const struct oracle *oracle, u32 from,
		       u32 to, struct fault *fault, const struct life *life)
{
	bool with_backup = life->clean_lineage;
	struct disk disk;
	struct driver driver;
	const char *what;
	int r, state;

	x->fault = *fault;
	disk_init(&disk, image, &x->rng);
	driver_init(&driver, &disk, &x->rng, &x->load);
	open_or_die(x, &driver, false);
	x->per_case[driver.core.choice.which - 1]++;
	fault->unseen = (fault->class == CLASS_ROOT || fault->class == CLASS_ROOT_PLANES) &&
			driver.core.choice.which == 1;
	r = check_read(&driver.core, &disk, x->content);
	if (r) {
		print_slots(&driver.core);
		violation(x, "the map cannot be read", NULL);
	}
	state = find_state(x, oracle, from, to, fault);
	if (fault->class == CLASS_PLAIN && with_backup && driver.core.space.nr_rotten)
		violation(x, "a plane or the summary is bad that nobody touched", NULL);
	if (fault->class == CLASS_PLAIN && with_backup && driver.core.replayed_records &&
	    !driver.core.root.segment)
		violation(x, "there is a log, but the pointer is empty", NULL);
	what = check_structure(&driver.core, &disk,
			       with_backup && fault->class == CLASS_PLAIN,
			       life->leftovers || leaves_planes(fault));
	if (what) {
		print_slots(&driver.core);
		violation(x, "structure", what);
	}
	driver_free(&driver);
	return state;
}

static void explore_image(struct explorer *x, struct life *life, u32 *image, u32 from, u32 to,
			  int depth, u32 at)
{
	u32 mark = content_mark(), *found;
	struct fault fault;

	make_fault(x, &life->trace, at, &life->oracle, image, &fault, life->clean_lineage);
	check_state(x, image, &life->oracle, from, to, &fault, life);
	x->states++;
	x->per_class[fault.class]++;
	x->per_depth[depth]++;
	if (depth < MAX_DEPTH && fault.class != CLASS_PAYLOAD &&
	    rng_percent(&x->rng, fault.class == CLASS_PLAIN ? 4 : 20)) {
		found = malloc(life->oracle.nr_lbas * sizeof(*found));
		memcpy(found, x->content, life->oracle.nr_lbas * sizeof(*found));
		live_on(x, image, found, depth + 1, life, &fault);
		free(found);
	}
	content_release(mark);
}

/* ---- one life -------------------------------------------------------------------- */

/* Images of the moment at which the cutter stands. */
static void explore_moment(struct explorer *x, struct life *life, struct cutter *cutter,
			   int depth, u32 limit, u32 samples, bool end)
{
	const struct trace *trace = &life->trace;
	const struct disk_op *op = cutter->at ? &trace->ops[cutter->at - 1] : NULL;
	u32 from = op ? op->acked : 0, to = op ? op->submitted : 0, i;

	if (end) {
		from = life->oracle.acked;
		to = life->oracle.nr;
	}
	if (!end && op && op->kind == DISK_WRITE && cutter->nr_pending <= limit && cutter->nr_pending) {
		/* the subsets without the newest were explored before it */
		u32 newest = 1u << (cutter->nr_pending - 1);

		x->exhaustive++;
		for (i = 0; i < newest && x->states < x->budget; i++) {
			cutter_subset(cutter, newest | i, x->image[depth]);
			explore_image(x, life, x->image[depth], from, to, depth, cutter->at);
		}
		return;
	}
	for (i = 0; i < samples && x->states < x->budget; i++) {
		cutter_random(cutter, &x->rng, x->image[depth]);
		explore_image(x, life, x->image[depth], from, to, depth, cutter->at);
	}
}

/* Explore about nr states of a life. */
static void explore_life(struct explorer *x, struct life *life, int depth, u32 nr)
{
	u32 nr_ops = life->trace.nr - life->trace.nr_old, limit = 0;
	struct driver *before = x->running;
	u64 most = x->states + 4 * nr;
	u32 skip = life->trace.nr_old;
	struct cutter cutter;
	bool more = true;

	if (!nr_ops)
		return;
	x->running = &life->driver;
	if (depth == 0 && rng_percent(&x->rng, 5)) {
		/* all subsets of up to 12 pending blocks, from somewhere on */
		limit = 12;
		most = x->states + 3000;
		skip += rng_below(&x->rng, nr_ops);
	} else if (rng_percent(&x->rng, 30)) {
		limit = 3;
	}
	cutter_init(&cutter, &life->trace);
	while (more && x->states < most && x->states < x->budget) {
		more = cutter_step(&cutter);
		if (more && cutter.at <= skip)
			continue;
		if (limit == 12 || !more || rng_below(&x->rng, nr_ops) < nr)
			explore_moment(x, life, &cutter, depth, limit,
				       nr > nr_ops ? (nr + nr_ops - 1) / nr_ops : 1, !more);
	}
	cutter_free(&cutter);
	x->running = before;
}

static void life_attach(struct life *life)
{
	life->disk.trace = &life->trace;
	life->disk.submitted = &life->oracle.nr;
	life->disk.acked = &life->oracle.acked;
	life->driver.disk = &life->disk;
	life->driver.oracle = &life->oracle;
}

/* A device that starts from an image with a known content. */
static void life_init(struct explorer *x, struct life *life, const u32 *image,
		      const u32 *content, bool clean_lineage)
{
	memset(life, 0, sizeof(*life));
	life->view = disk_copy(disk_new_view(), image);
	trace_init(&life->trace, image);
	oracle_init(&life->oracle, x->load.logical_blocks, content);
	disk_init(&life->disk, life->view, &x->rng);
	life->disk.broken = x->broken;
	driver_init(&life->driver, &life->disk, &x->rng, &x->load);
	life->clean_lineage = clean_lineage;
	life_attach(life);
}

static void life_free(struct explorer *x, struct life *life)
{
	x->commits += life->driver.nr_commits;
	x->records += life->driver.nr_records;
	driver_free(&life->driver);
	trace_free(&life->trace);
	oracle_free(&life->oracle);
	free(life->view);
}

static void check_live(struct explorer *x, struct life *life)
{
	const char *what;
	int r;

	driver_drain(&life->driver);
	r = check_read(&life->driver.core, &life->disk, x->content);
	if (r || oracle_hash_content(x->content, life->oracle.nr_lbas) !=
		 oracle_hash(&life->oracle, life->oracle.nr))
		violation(x, "a running device does not read what was written", NULL);
	if (life->driver.core.degraded)
		violation(x, "opened for writing, but not healed", NULL);
	what = check_structure(&life->driver.core, &life->disk, life->clean_lineage,
			       life->leftovers);
	if (what)
		violation(x, "structure of a running device", what);
}

static void run(struct explorer *x, struct life *life, u32 steps)
{
	char more[160];

	for (; steps && !life->driver.error; steps--)
		driver_step(&life->driver);
	if (life->driver.error) {
		snprintf(more, sizeof(more), "%s: %d", life->driver.failed, life->driver.error);
		violation(x, "an operation failed", more);
	}
}

/* Open an image that was checked, use it, and crash again. */
static void live_on(struct explorer *x, const u32 *image, const u32 *content, int depth,
		    const struct life *parent, const struct fault *fault)
{
	u64 state;
	struct driver *before = x->running;
	struct life *life = malloc(sizeof(*life));

	life_init(x, life, image, content,
		  parent->clean_lineage && fault->class == CLASS_PLAIN);
	life->leftovers = parent->leftovers || leaves_planes(fault);
	driver_say(&life->driver, "-- continued at depth %d", depth);
	x->continued++;
	x->running = &life->driver;
	open_or_die(x, &life->driver, true);
	check_live(x, life);
	/* often the same again: equal records in equal places */
	life->script = x->rng.state;
	if (rng_percent(&x->rng, 40)) {
		life->script = parent->script;
		state = x->rng.state;
		x->rng.state = parent->script;
		run(x, life, 1 + (state >> 32) % 8);
		x->rng.state = state;
	} else {
		run(x, life, rng_below(&x->rng, 12));
	}
	check_live(x, life);
	explore_life(x, life, depth, 12);
	x->running = before;
	life_free(x, life);
	free(life);
}

/*
 * The kernel dies, the disk keeps its power and its cache: the next opening
 * sees what was written, and what was pending is pending still.
 */
static void warm_restart(struct explorer *x, struct life *life)
{
	struct trace old = life->trace, *trace = &life->trace;
	struct fault none = { 0 };
	struct cutter cutter;
	u32 i, last = 0;
	int state;

	driver_close(&life->driver);
	cutter_init(&cutter, &old);
	for (i = 0; i < old.nr; i++)
		if (old.ops[i].kind == DISK_FLUSH)
			last = i + 1;
	while (cutter.at < last)
		cutter_step(&cutter);
	for (i = 0; i < cutter.nr_pending && last; i++)
		cutter.durable[cutter.pending[i].pba] = cutter.pending[i].id;
	trace_init(trace, cutter.durable);
	cutter_free(&cutter);
	life->disk.trace = trace;
	trace->ops = malloc((old.nr - last + 1) * sizeof(*trace->ops));
	trace->max = old.nr - last + 1;
	memcpy(trace->ops, old.ops + last, (old.nr - last) * sizeof(*trace->ops));
	trace->nr = trace->nr_old = old.nr - last;
	trace_free(&old);

	driver_say(&life->driver, "-- warm restart");
	state = check_state(x, life->view, &life->oracle, life->driver.published_state,
			    life->oracle.nr, &none, life);
	oracle_truncate(&life->oracle, state);
	open_or_die(x, &life->driver, true);
}

/* ---- one seed ---------------------------------------------------------------------- */

static const struct workload profiles[] = {
	/* a small device under everything */
	{ .logical_blocks = 512, .nr_values = 3, .max_extents = 4, .max_blocks = 24,
	  .max_discard = 300, .percent_flush = 15, .percent_commit = 8, .percent_discard = 10,
	  .percent_clean = 3, .percent_slip = 25, .repeat_root_writes = true },
	/* tiny writes: many equal records */
	{ .logical_blocks = 256, .nr_values = 1, .max_extents = 2, .max_blocks = 2,
	  .hot_lbas = 4, .max_discard = 4, .percent_flush = 20, .percent_commit = 10,
	  .percent_discard = 10, .percent_clean = 4, .percent_slip = 30,
	  .repeat_root_writes = true },
	/* deeper maps, few hot leaves, discards of whole leaves */
	{ .logical_blocks = 8192, .nr_values = 4, .max_extents = 6, .max_blocks = 32,
	  .hot_lbas = 1024, .max_discard = 2000, .percent_flush = 12, .percent_commit = 8,
	  .percent_discard = 12, .percent_clean = 2, .percent_slip = 20,
	  .repeat_root_writes = true },
	/* root writes silently lost */
	{ .logical_blocks = 512, .nr_values = 2, .max_extents = 3, .max_blocks = 16,
	  .max_discard = 200, .percent_flush = 15, .percent_commit = 12, .percent_discard = 8,
	  .percent_clean = 3, .percent_slip = 25, .lose_root_writes = true },
	/* records of 1 MiB */
	{ .logical_blocks = 4096, .nr_values = 8, .max_extents = 8, .max_blocks = 256,
	  .max_discard = 4096, .percent_flush = 15, .percent_commit = 8, .percent_discard = 8,
	  .percent_clean = 2, .percent_slip = 15, .repeat_root_writes = true },
	/* a device written full, and overwritten for ever */
	{ .logical_blocks = 0, .nr_values = 8, .max_extents = 4, .max_blocks = 128,
	  .max_discard = 64, .percent_flush = 12, .percent_commit = 3, .percent_discard = 3,
	  .percent_clean = 1, .percent_slip = 10, .repeat_root_writes = true, .fill = true },
	/* small changes all over a filled device: every zone comes to its turn */
	{ .logical_blocks = 0, .nr_values = 3, .max_extents = 3, .max_blocks = 6,
	  .max_discard = 600, .percent_flush = 12, .percent_commit = 12,
	  .percent_discard = 12, .percent_clean = 4, .percent_slip = 10,
	  .repeat_root_writes = true, .fill = true },
};

#define NR_PROFILES	(sizeof(profiles) / sizeof(profiles[0]))
#define NR_FILLED	2u		/* the last ones: slow, since there is much to compare */

static void choose_load(struct explorer *x)
{
	u32 which = x->seed % (NR_PROFILES - NR_FILLED);

	if (x->seed % 8 == 7)
		which = NR_PROFILES - NR_FILLED + x->seed / 8 % NR_FILLED;
	if (x->profile >= 0)
		which = x->profile;
	x->load = profiles[which];
	x->load.zone_blocks = rng_percent(&x->rng, 70) ? 1536 : 2048 + 1024;
	x->load.segment_blocks = 16u << rng_below(&x->rng, 3);
	x->load.checksum_kind = rng_below(&x->rng, 2);
}

static void fill(struct explorer *x, struct life *life)
{
	u32 lba, nr;

	for (lba = 0; lba < life->oracle.nr_lbas && !life->driver.error; lba += nr) {
		nr = min_t(u32, 256, life->oracle.nr_lbas - lba);
		driver_fill(&life->driver, lba, nr);
		driver_drain(&life->driver);
	}
	run(x, life, 0);
}

static void first_image(struct explorer *x, u32 *image)
{
	struct disk disk;
	struct driver driver;

	disk_init(&disk, image, &x->rng);
	driver_init(&driver, &disk, &x->rng, &x->load);
	x->load.logical_blocks = driver_format(&driver);
	if (driver.error)
		violation(x, "cannot format", driver.failed);
	driver_free(&driver);
}

static void keep_roots(struct explorer *x, const struct trace *trace, u32 nr)
{
	u32 i, slot;

	for (i = 0; i < nr; i++) {
		for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
			if (trace->ops[i].kind == DISK_ROOT &&
			    trace->ops[i].pba == TRIAD_SLOT_PBA(slot))
				x->old_roots[slot][x->nr_old_roots[slot]++ % 64] =
					trace->ops[i].id;
	}
}

/* One life on the main line; its last power cut gives the image for the next. */
static void main_life(struct explorer *x, u32 *image, u32 *content, bool *clean_lineage,
		      bool *leftovers, bool fill_it)
{
	struct life *life = malloc(sizeof(*life));
	struct fault fault;
	struct cutter cutter;
	u32 stop, from, to, at, steps;

	life_init(x, life, image, content, *clean_lineage);
	life->leftovers = *leftovers;
	if (x->load.lose_root_writes)
		life->clean_lineage = false;
	x->running = &life->driver;
	open_or_die(x, &life->driver, true);
	check_live(x, life);
	if (fill_it)
		fill(x, life);
	steps = rng_between(&x->rng, 5, 60);
	life->script = x->rng.state;
	run(x, life, steps);
	check_live(x, life);
	explore_life(x, life, 0, fill_it ? 20 : 120);
	while (rng_percent(&x->rng, 30)) {
		run(x, life, rng_below(&x->rng, 3));
		warm_restart(x, life);
		run(x, life, rng_below(&x->rng, 15));
		check_live(x, life);
		explore_life(x, life, 0, 30);
	}

	/* cut the power somewhere and go on from there */
	cutter_init(&cutter, &life->trace);
	stop = rng_between(&x->rng, life->trace.nr_old + 1, life->trace.nr + 1);
	from = life->oracle.acked;
	to = life->oracle.nr;
	if (stop <= life->trace.nr) {
		from = life->trace.ops[stop - 1].acked;
		to = life->trace.ops[stop - 1].submitted;
	}
	for (at = 0; at < stop; at++)
		cutter_step(&cutter);
	cutter_random(&cutter, &x->rng, image);
	make_fault(x, &life->trace, cutter.at, &life->oracle, image, &fault, life->clean_lineage);
	keep_roots(x, &life->trace, cutter.at);
	cutter_free(&cutter);
	check_state(x, image, &life->oracle, from, to, &fault, life);
	memcpy(content, x->content, life->oracle.nr_lbas * sizeof(*content));
	*clean_lineage &= fault.class == CLASS_PLAIN;
	*leftovers |= leaves_planes(&fault);
	x->lives++;
	life_free(x, life);
	free(life);
	x->running = NULL;
	x->skipped += fault.class == CLASS_PAYLOAD;
}

static void run_seed(struct explorer *x, u64 seed)
{
	u32 *image = disk_new_view(), *content = calloc(DISK_BLOCKS, sizeof(*content));
	bool clean_lineage = true, leftovers = false;
	u32 i;

	x->seed = seed;
	memset(x->nr_old_roots, 0, sizeof(x->nr_old_roots));
	x->rng.state = seed * 0x2545f4914f6cdd1dULL;
	test_random.state = ~x->rng.state;
	content_release(0);
	content_mark();
	choose_load(x);
	first_image(x, image);
	for (x->life = 0; x->life < 6 && x->states < x->budget; x->life++) {
		main_life(x, image, content, &clean_lineage, &leftovers,
			  !x->life && x->load.fill);
		for (i = 0; i < x->load.logical_blocks; i++)
			if (content[i] == CONTENT_ERROR)
				goto out;
	}
out:
	free(image);
	free(content);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void report(const struct explorer *x, u64 first, u64 last, double seconds)
{
	int i;

	printf("%llu states held, seeds %llu-%llu, %.1f s, %.0f states/s\n",
	       (unsigned long long)x->states, (unsigned long long)first,
	       (unsigned long long)last, seconds, x->states / seconds);
	printf("lives %llu, continued %llu, moments explored exhaustively %llu, commits %llu, "
	       "records %llu\n", (unsigned long long)x->lives, (unsigned long long)x->continued,
	       (unsigned long long)x->exhaustive, (unsigned long long)x->commits,
	       (unsigned long long)x->records);
	for (i = 0; i < NR_CLASSES; i++)
		printf("  %-20s %llu\n", class_names[i], (unsigned long long)x->per_class[i]);
	for (i = 0; i <= MAX_DEPTH; i++)
		printf("  depth %d              %llu\n", i, (unsigned long long)x->per_depth[i]);
	for (i = 0; i < 4; i++)
		printf("  selection case %d     %llu\n", i + 1,
		       (unsigned long long)x->per_case[i]);
}

static enum disk_break parse_break(const char *name)
{
	static const char * const names[] = {
		[BREAK_FLUSH] = "flush", [BREAK_COMMIT_FLUSH] = "commit-flush",
		[BREAK_FUA] = "fua", [BREAK_PLANES] = "planes",
	};
	u32 i;

	for (i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	fprintf(stderr, "--break flush, commit-flush, fua or planes\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "states", required_argument, NULL, 'n' },
		{ "profile", required_argument, NULL, 'p' },
		{ "break", required_argument, NULL, 'b' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	static struct explorer x = { .profile = -1, .max_states = 100000 };
	u64 first = 1, seed;
	double start = now();
	int c, i;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': first = strtoull(optarg, NULL, 0); break;
		case 'n': x.max_states = strtoull(optarg, NULL, 0); break;
		case 'p': x.profile = atoi(optarg); break;
		case 'b': x.broken = parse_break(optarg); break;
		case 'v': x.verbose = true; break;
		default: return 2;
		}
	}
	/* keep what is freed: each state allocates the same again */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	for (i = 0; i <= MAX_DEPTH; i++)
		x.image[i] = disk_new_view();
	x.content = calloc(DISK_BLOCKS, sizeof(*x.content));
	x.budget = x.max_states;
	for (seed = first; x.states < x.max_states; seed++) {
		if (x.verbose)
			printf("seed %llu: %llu states, %.1f s\n", (unsigned long long)seed,
			       (unsigned long long)x.states, now() - start), fflush(stdout);
		run_seed(&x, seed);
	}
	report(&x, first, seed - 1, now() - start);
	return 0;
}
