// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "explorer.h"

/* ---- steps ------------------------------------------------------------------ */

static void fill(struct life *life)
{
	u32 lba, nr;

	for (lba = 0; lba < life->oracle.nr_lbas && !life->driver.error; lba += nr) {
		nr = min_t(u32, 256, life->oracle.nr_lbas - lba);
		driver_fill(&life->driver, lba, nr);
		driver_drain(&life->driver);
	}
}

static void fail_some(struct life *life)
{
	static const int kinds[] = { FAULT_WRITE, FAULT_WRITE, FAULT_FLUSH, FAULT_READ };
	struct disk *disk = &life->disk;
	int kind = kinds[rng_below(&life->rng, 4)];

	disk->nr_reads = disk->nr_writes = disk->nr_flushes = 0;
	disk->fault.kind = kind;
	disk->fault.error = -EIO;
	disk->fault.forever = rng_percent(&life->rng, 50);
	disk->fault.at = 1 + rng_below(&life->rng, kind == FAULT_FLUSH ? 4 : 40);
	driver_say(&life->driver, "%s %llu fails", kind == FAULT_WRITE ? "write" :
		   kind == FAULT_FLUSH ? "flush" : "read", (unsigned long long)disk->fault.at);
}

#define MOST_FAILED	3u	/* commits */

/*
 * A disk operation fails soon, mostly inside a commit with writes beside it; or a
 * root is reported as failed, yet lies in a cache, and is not written again.
 */
static void fail(struct explorer *x, struct life *life)
{
	struct driver *driver = &life->driver;
	struct disk *disk = &life->disk;
	bool repeat = x->load.repeat_root_writes;
	u32 slip = x->load.percent_slip, i;

	/* one slot may fail; with the disk's errors on top, or a root just lost, nothing is promised */
	if (disk->bad || (x->load.lose_root_writes && driver->calm))
		return;
	driver->calm += x->load.lose_root_writes ? MOST_FAILED + 4 : 0;
	driver_write(driver);
	if (repeat && rng_percent(&life->rng, 30)) {
		disk->root_fault = ROOT_UNKNOWN;
		driver->give_in = rng_percent(&life->rng, 50);
		x->load.repeat_root_writes = false;
	} else {
		fail_some(life);
	}
	x->load.percent_slip = 60;
	for (i = 0; i < MOST_FAILED && !driver->error; i++) {
		driver_commit(driver, false);
		life->failed_commit |= driver->error && driver->failed &&
				       driver->core.frozen && driver->core.active->nr;
		driver_write(driver);
	}
	life->root_left |= driver->error && !x->load.repeat_root_writes && repeat;
	x->load.repeat_root_writes = repeat;
	x->load.percent_slip = slip;
	driver->give_in = false;
	memset(&disk->fault, 0, sizeof(disk->fault));
}

/* One slot's device answers with errors from now on; what is written there may land. */
static void lose(struct life *life)
{
	struct disk *disk = &life->disk;

	if (disk->bad || disk->dead_slot >= 0 || life->driver.load->lose_root_writes ||
	    !may_have_fault(life, life->view))
		return;
	disk->dead_slot = rng_below(&life->rng, TRIAD_NR_SLOTS);
	disk->dead_keeps = rng_percent(&life->rng, 50);
	disk->dead_flushes = rng_percent(&life->rng, 50);
	disk->bad = 1u << disk->dead_slot;
	life->dead = true;
	driver_say(&life->driver, "slot %d dies%s%s", disk->dead_slot,
		   disk->dead_keeps ? ", but keeps what is written" : "",
		   disk->dead_flushes ? "" : ", with its device");
}

/* It answers again: as it was, empty, with what it held in the beginning, or as text. */
static void revive(struct life *life)
{
	static const u8 text[TRIAD_BLOCK_SIZE] = "somebody else's";
	struct disk *disk = &life->disk;
	u32 pba;

	if (disk->dead_slot < 0)
		return;
	pba = TRIAD_SLOT_PBA(disk->dead_slot);
	/* an exchange that nobody noticed looks as if somebody else had written */
	switch (disk->store.lost ? rng_below(&life->rng, 4) : 3) {
	case 0:
		disk_replace_root(disk, pba, 0);
		break;
	case 1:
		disk_replace_root(disk, pba, life->trace.base[pba]);
		break;
	case 2:
		if (rng_percent(&life->rng, 30))
			disk_replace_root(disk, pba, content_id(text));
		break;
	default:
		break;
	}
	driver_say(&life->driver, "slot %d answers again", disk->dead_slot);
	disk->dead_slot = -1;
	life->back = true;
}

/* The driver is gone, the disk keeps its power: what was pending is pending still. */
static void keep_cache(struct life *life)
{
	struct trace old = life->trace, *trace = &life->trace;
	u32 at, last = 0, i, nr_old = life->trace.nr_root_devices;
	struct cutter cutter;

	for (at = 0; at < old.nr; at++)
		if (old.ops[at].kind == DISK_FLUSH)
			last = at + 1;
	cutter_init(&cutter, &old);
	while (cutter.at < last)
		cutter_step(&cutter);
	if (last)
		cutter_complete(&cutter);
	trace_init(trace, cutter.durable);
	trace->nr_root_devices = nr_old;
	trace->bad = life->disk.bad;
	trace->max = old.nr - last + cutter.nr_pending + 1;
	trace->ops = calloc(trace->max, sizeof(*trace->ops));
	for (i = 0; i < cutter.nr_pending; i++)
		trace->ops[trace->nr++] = (struct disk_op) {
			.kind = DISK_WRITE, .pba = cutter.pending[i].pba,
			.id = cutter.pending[i].id, .bad = life->disk.bad,
		};
	memcpy(trace->ops + trace->nr, old.ops + last, (old.nr - last) * sizeof(*trace->ops));
	trace->nr += old.nr - last;
	trace->nr_old = trace->nr;
	cutter_free(&cutter);
	trace_free(&old);
	life->rollback_from = life->rollback_to = 0;
}

/* The kernel dies: the next opening sees what was written, acknowledged or not. */
static void warm_restart(struct explorer *x, struct life *life)
{
	struct fault none = { 0 };
	int state;

	driver_close(&life->driver);
	keep_cache(life);
	driver_say(&life->driver, "-- warm restart");
	state = check_state(x, life->view, life->driver.published_state, life->oracle.nr,
			    &none, life);
	oracle_truncate(&life->oracle, state);
	life->warm = true;
	life->nr_recovery_ops = 0;
	open_or_die(x, life);
}

/* A commit that goes no further, from some step or some write of its own on. */
static void abandon_commit(struct life *life)
{
	struct driver *driver = &life->driver;

	driver->abandons = true;
	driver->abandon_at = rng_below(&life->rng, TRIAD_COMMIT_PREPARED + 1);
	driver->abandon_write = driver->abandon_at == TRIAD_COMMIT_PREPARED ?
		rng_below(&life->rng, 30) : 0;
	if (driver_commit(driver, false) == -ECANCELED)
		driver_say(driver, "abandoned");
	driver->abandons = false;
	memset(&life->disk.fault, 0, sizeof(life->disk.fault));
}

/*
 * Another instance takes over: what is under way ends and is published, a commit may be
 * left where it stands, and at times not even a flush is sent.  What device-mapper got
 * back is as if it was never sent.  The next one finds all of what was published.
 */
static void restart(struct explorer *x, struct life *life)
{
	struct driver *driver = &life->driver;
	struct triad_position expected;
	struct fault none = { 0 };

	if (rng_percent(&life->rng, 60))
		abandon_commit(life);
	driver_drain(driver);
	driver->expected_durable = rng_percent(&life->rng, 50);
	if (driver->expected_durable)
		driver_flush(driver);
	if (driver->error)
		return;
	expected = driver->core.published;
	driver_close(driver);
	keep_cache(life);
	driver_say(driver, "-- restart");
	check_state(x, life->view, life->oracle.nr, life->oracle.nr, &none, life);
	life->restarted = true;
	life->nr_recovery_ops = 0;
	driver->expected = &expected;
	open_or_die(x, life);
	driver->expected = NULL;
	if (driver->fell_short)
		violation(x, "a restart does not find what was published", NULL);
}

/* What the backup alone holds, to x->content; false: nothing that can be gone back to. */
static bool read_backup(struct explorer *x, struct life *life)
{
	struct triad_core core = { .store = &life->disk.store, .hash = &life->driver.hash };
	u32 i;
	int r = triad_core_open_backup(&core, disk_blocks);

	if (r == -ENODATA || r == -EBADMSG)
		return false;
	if (r)
		violation(x, "the backup cannot be opened", NULL);
	r = check_read_damaged(&core, &life->disk, x->content);
	/* a disk that lost a root write may have lost more of it */
	for (i = 0; i < life->oracle.nr_lbas && !r; i++)
		r = x->content[i] == CONTENT_ERROR;
	triad_core_close(&core);
	if (r && life->clean_lineage && !life->rotten)
		violation(x, "the backup is not whole", NULL);
	return !r;
}

/*
 * For the oracle it is one operation, that writes all at once: each cut leaves what was
 * there before it or what is behind it.
 */
static void roll_back(struct explorer *x, struct life *life)
{
	struct driver *driver = &life->driver;
	struct triad_core *core = &driver->core;
	struct oracle *oracle = &life->oracle;
	u32 i, from = life->trace.nr;
	char more[32];
	int r;

	driver_close(driver);
	if (driver_open(driver, false))
		violation(x, "a device that was open does not open again", NULL);
	if (core->choice.degraded || core->root.branch == core->root.generation ||
	    life->damaged || !read_backup(x, life)) {
		driver_close(driver);
		open_or_die(x, life);
		return;
	}
	driver_say(driver, "-- rollback");
	oracle_begin(oracle, core->next_seq - 1);
	for (i = 0; i < oracle->nr_lbas; i++)
		if (oracle->now[i] != x->content[i])
			oracle_set(oracle, i, x->content[i]);
	r = triad_core_rollback(core);
	if (r) {
		snprintf(more, sizeof(more), "%d", r);
		violation(x, "the rollback failed", more);
	}
	oracle->acked = driver->published_state = oracle->nr;
	life->rollback_from = from;
	life->rollback_to = life->trace.nr;
	life->begins_back |= oracle->nr == 1;
}

static void step(struct explorer *x, struct life *life, const struct step *step)
{
	struct driver *driver = &life->driver;
	char more[160];

	life->steps = realloc(life->steps, (life->nr_steps + 1) * sizeof(*life->steps));
	life->steps[life->nr_steps++] = *step;
	life->rng.state = step->seed;
	switch (step->kind) {
	case STEP_OPERATE:
		driver_step(driver);
		break;
	case STEP_FILL:
		fill(life);
		break;
	case STEP_FAIL:
		fail(x, life);
		check_live(x, life);
		return;
	case STEP_LOSE:
		lose(life);
		break;
	case STEP_REVIVE:
		revive(life);
		break;
	case STEP_WARM:
		check_live(x, life);
		explore_life(x, life, 0, 30);
		warm_restart(x, life);
		break;
	case STEP_RESTART:
		check_live(x, life);
		restart(x, life);
		break;
	case STEP_ROLLBACK:
		check_live(x, life);
		explore_life(x, life, 0, 30);
		warm_restart(x, life);
		roll_back(x, life);
		break;
	}
	life->lost |= life->disk.bad;
	if (driver->error == -EBADMSG && life->damaged)
		return;
	if (driver->error) {
		snprintf(more, sizeof(more), "%s: %d", driver->failed, driver->error);
		violation(x, "an operation failed", more);
	}
}

/* A device that failed is read-only; only a restart makes it new. */
static void run(struct explorer *x, struct life *life, const struct step *steps, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!life->driver.error || steps[i].kind >= STEP_WARM)
			step(x, life, &steps[i]);
}

/* ---- lives ------------------------------------------------------------------ */

/* A device that starts from an image with a known content. */
struct life *life_create(struct explorer *x, const u32 *image, const u32 *content, u8 bad)
{
	struct life *life = calloc(1, sizeof(*life));

	life->rng.state = rng_next(&x->rng);
	life->view = disk_copy(disk_new_view(), image);
	trace_init(&life->trace, image);
	life->trace.bad = bad;
	life->trace.nr_root_devices = x->load.nr_root_devices;
	oracle_init(&life->oracle, x->load.logical_blocks, content);
	disk_init(&life->disk, life->view, &life->rng);
	life->disk.broken = x->broken;
	driver_init(&life->driver, &life->disk, &life->rng, &x->load);
	life->disk.bad = bad;
	life->lost = bad;
	life->disk.trace = &life->trace;
	life->disk.submitted = &life->oracle.nr;
	life->disk.acked = &life->oracle.acked;
	life->driver.oracle = &life->oracle;
	return life;
}

void life_destroy(struct explorer *x, struct life *life)
{
	x->counts.commits += life->driver.nr_commits;
	x->counts.records += life->driver.nr_records;
	driver_free(&life->driver);
	trace_free(&life->trace);
	oracle_free(&life->oracle);
	free(life->steps);
	free(life->view);
	free(life);
}

static void begin(struct explorer *x, struct life *life)
{
	x->running = life;
	open_or_die(x, life);
	life->nr_recovery_ops = life->trace.nr;
	check_live(x, life);
}

struct life *life_of_script(struct explorer *x)
{
	struct beginning *b = &x->beginning;
	struct life *life;

	x->rng.state = b->random;
	test_random = b->test_random;
	life = life_create(x, b->image, b->content, b->bad);
	life->lost |= b->lost;
	life->clean_lineage = b->clean_lineage && !x->load.lose_root_writes;
	life->leftovers = b->leftovers;
	life->rotten = b->rotten;
	life->half_back = b->half_back;
	begin(x, life);
	run(x, life, x->script, x->nr_script);
	check_live(x, life);
	return life;
}

/* What is known at the moment at which the cutter stands. */
struct moment {
	u32 depth;
	u32 at;
	u32 from, to;		/* states that may be found */
	u32 nr_recoveries;
	bool end;		/* the driver still stands there */
};

static bool in_rollback(const struct life *life, u32 at)
{
	return at > life->rollback_from && at <= life->rollback_to;
}

bool life_is_half_back(const struct life *life, u32 at)
{
	return in_rollback(life, at) || (life->half_back && at <= life->nr_recovery_ops);
}

/* Open an image that was checked, use it, and crash again. */
static void live_on(struct explorer *x, const u32 *image, const u32 *content,
		    const struct moment *m, const struct life *parent,
		    const struct fault *fault)
{
	struct life *before = x->running, *life = life_create(x, image, content, fault->bad);
	struct step steps[14];
	u32 i, nr = rng_below(&x->rng, x->most_steps), depth = m->depth + 1;

	if (fault->class == CLASS_DEAD_SLOT) {
		life->disk.dead_slot = fault->slot;
		life->disk.dead_keeps = rng_percent(&x->rng, 50);
		life->disk.dead_flushes = rng_percent(&x->rng, 50);
		life->dead = true;
	}
	life->lost |= parent->lost;
	life->clean_lineage = parent->clean_lineage &&
			      (fault->class == CLASS_PLAIN || fault->class == CLASS_DATA ||
			       fault->class == CLASS_DEAD_SLOT);
	life->leftovers = parent->leftovers || leaves_planes(fault);
	life->rotten = parent->rotten || fault->class == CLASS_DATA;
	life->damaged = parent->damaged || fault->class == CLASS_NODE;
	life->half_back = life_is_half_back(parent, m->at);
	life->nr_recoveries = m->nr_recoveries;
	driver_say(&life->driver, "-- continued at depth %u", depth);
	x->counts.continued++;
	begin(x, life);
	/* often the same again: equal records in equal places */
	if (rng_percent(&x->rng, 40)) {
		nr = min_t(u32, nr, parent->nr_steps);
		run(x, life, parent->steps, nr);
		life->same_again = nr;
	} else {
		for (i = 0; i < nr; i++)
			steps[i] = (struct step){ STEP_OPERATE, rng_next(&x->rng) };
		for (i = 0; i < nr; i++)
			if (rng_percent(&x->rng, 5))
				steps[i].kind = STEP_RESTART;
		if (nr && rng_percent(&x->rng, 8))
			steps[nr - 1].kind = STEP_FAIL;
		else if (nr > 1 && rng_percent(&x->rng, 10))
			steps[rng_below(&x->rng, nr)].kind = STEP_LOSE;
		if (nr > 1 && life->dead && rng_percent(&x->rng, 50))
			steps[nr - 2].kind = STEP_REVIVE;
		run(x, life, steps, nr);
	}
	check_live(x, life);
	explore_life(x, life, depth, 12);
	x->running = before;
	life_destroy(x, life);
}

/* ---- exploring --------------------------------------------------------------- */

static void count(struct explorer *x, const struct life *life, const struct fault *fault,
		  u32 depth, u32 at, u32 nr_recoveries)
{
	const struct driver *driver = &life->driver;
	const bool holds[NR_CIRCUMSTANCES] = {
		[WITH_ROOT_DEVICE] = x->load.nr_root_devices == 1,
		[WITH_ROOT_DEVICES] = x->load.nr_root_devices == 3,
		[WITH_SUMMARIES] = driver->core.space.hwm > TRIAD_SUMMARY_ZONES,
		[WITH_BLOCK_SUBSETS] = x->subset == WITH_BLOCK_SUBSETS,
		[WITH_SECTOR_SUBSETS] = x->subset == WITH_SECTOR_SUBSETS,
		[WITH_WARM_RESTART] = life->warm,
		[WITH_RESTART] = life->restarted,
		[WITH_ROOT_LANDED] = driver->nr_landed,
		[WITH_ROOT_UNKNOWN] = driver->nr_unknown,
		[WITH_ROOT_LEFT] = life->root_left,
		[WITH_SLOT_DEAD] = life->dead,
		[WITH_SLOT_GIVEN_UP] = driver->nr_given_up,
		[WITH_SLOT_BACK] = life->back && !life->disk.bad,
		[WITH_ROOT_LOST] = driver->nr_lost,
		[WITH_LATE_RECORD] = driver->nr_late,
		[WITH_VOID_DISCARD] = driver->nr_void,
		[WITH_LOG_KEPT] = driver->nr_kept,
		[WITH_FREE_DISCARDED] = driver->nr_discarded,
		[WITH_FAILED_DISK] = driver->error == -EIO,
		[WITH_FAILED_COMMIT] = life->failed_commit,
		[WITH_DAMAGED_MAP] = life->damaged,
		[WITH_SAME_AGAIN] = life->same_again,
		[WITH_ROLLBACK] = life->rollback_to && at > life->rollback_to,
		[IN_ROLLBACK] = in_rollback(life, at),
		[IN_RECOVERY] = nr_recoveries >= 1,
		[IN_RECOVERY_2] = nr_recoveries >= 2,
		[IN_RECOVERY_3] = nr_recoveries >= 3,
	};
	u32 i;

	x->counts.states++;
	x->counts.classes[fault->class]++;
	x->counts.depths[depth]++;
	for (i = 0; i < NR_CIRCUMSTANCES; i++)
		x->counts.circumstances[i] += holds[i];
}

static void explore_image(struct explorer *x, struct life *life, u32 *image,
			  const struct moment *m)
{
	struct fault fault;
	u32 *found, percent;

	make_fault(x, life, m->at, image, &fault);
	x->expected = m->end && !life->driver.error ? &life->driver.core.published : NULL;
	check_state(x, image, m->from, m->to, &fault, life);
	x->expected = NULL;
	count(x, life, &fault, m->depth, m->at, m->nr_recoveries);
	percent = fault.class == CLASS_PLAIN ? 3 : 15;
	if (m->nr_recoveries)
		percent = 18;
	if (m->depth == MAX_DEPTH || !rng_percent(&x->rng, percent))
		return;
	found = malloc(life->oracle.nr_lbas * sizeof(*found));
	memcpy(found, x->content, life->oracle.nr_lbas * sizeof(*found));
	live_on(x, image, found, m, life, &fault);
	free(found);
}

static bool spent(const struct explorer *x)
{
	return x->counts.states >= x->budget;
}

/* Every subset that holds something of the newest write: the others came before it. */
static bool explore_subsets(struct explorer *x, struct life *life, struct cutter *cutter,
			    const struct moment *m, u32 limit)
{
	struct unit units[MAX_SUBSET_BITS];
	u32 nr = ~0u, newest = 0, i, mark;

	if (limit == MAX_SUBSET_BITS)
		nr = cutter_units(cutter, units, limit, &newest);
	x->subset = WITH_SECTOR_SUBSETS;
	if (nr > limit) {
		if (!cutter->nr_pending || cutter->nr_pending > limit)
			return false;
		nr = cutter->nr_pending;
		newest = 1u << (nr - 1);
		x->subset = WITH_BLOCK_SUBSETS;
	}
	for (i = 0; i < 1u << nr && !spent(x); i++) {
		if (!(i & newest))
			continue;
		mark = content_mark();
		if (x->subset == WITH_SECTOR_SUBSETS)
			cutter_tear(cutter, units, nr, i, x->image[m->depth]);
		else
			cutter_subset(cutter, i, x->image[m->depth]);
		explore_image(x, life, x->image[m->depth], m);
		content_release(mark);
	}
	return true;
}

/* Images of the moment at which the cutter stands. */
static void explore_moment(struct explorer *x, struct life *life, struct cutter *cutter,
			   u32 depth, u32 limit, u32 samples, bool end)
{
	const struct disk_op *op = cutter->at ? &life->trace.ops[cutter->at - 1] : NULL;
	enum circumstance before = x->subset;
	struct moment m = {
		.depth = depth, .at = cutter->at, .from = op ? op->acked : 0,
		.to = op ? op->submitted : 0,
	};
	u32 i, mark;

	if (end) {
		m.end = true;
		m.from = life->oracle.acked;
		m.to = life->oracle.nr;
	}
	if (!end && cutter->at <= life->nr_recovery_ops)
		m.nr_recoveries = life->nr_recoveries + 1;
	if (end || !op || op->kind == DISK_FLUSH || !limit ||
	    !explore_subsets(x, life, cutter, &m, limit)) {
		x->subset = NR_CIRCUMSTANCES;
		for (i = 0; i < samples && !spent(x); i++) {
			mark = content_mark();
			cutter_random(cutter, &x->rng, x->image[depth]);
			explore_image(x, life, x->image[depth], &m);
			content_release(mark);
		}
	}
	x->subset = before;
}

void explore_life(struct explorer *x, struct life *life, u32 depth, u32 nr)
{
	u32 nr_ops = life->trace.nr - life->trace.nr_old, limit = 0;
	u32 nr_recovery = life->nr_recovery_ops;
	struct life *before = x->running;
	u64 most = x->counts.states + 4 * nr;
	u32 skip = life->trace.nr_old;
	struct cutter cutter;
	bool more = true, wanted;

	if (!nr_ops)
		return;
	x->running = life;
	if (depth == 0 && rng_percent(&x->rng, 8)) {
		/* every subset, from somewhere on */
		limit = MAX_SUBSET_BITS;
		most = x->counts.states + SEED_STATES / 2;
		skip += rng_below(&x->rng, nr_ops);
	} else if (rng_percent(&x->rng, 30)) {
		limit = 3;
	}
	cutter_init(&cutter, &life->trace);
	while (more && x->counts.states < most && !spent(x)) {
		more = cutter_step(&cutter);
		if (more && cutter.at <= skip)
			continue;
		wanted = rng_below(&x->rng, nr_ops) < nr;
		/* healing is short: look at it closely */
		if (in_rollback(life, cutter.at))
			wanted = rng_below(&x->rng, life->rollback_to - life->rollback_from) < nr;
		if (cutter.at <= nr_recovery)
			wanted = rng_below(&x->rng, nr_recovery) < 2 + nr / 4;
		if (limit == MAX_SUBSET_BITS || !more || wanted)
			explore_moment(x, life, &cutter, depth, limit,
				       nr > nr_ops ? (nr + nr_ops - 1) / nr_ops : 1, !more);
	}
	cutter_free(&cutter);
	x->running = before;
}
