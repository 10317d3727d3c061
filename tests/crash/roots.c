// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * roots - every way to damage the root blocks, at every phase of a commit.
 *
 * A device goes through several commits, a close and an opening.  It is frozen
 * at eight moments of its last interval and commit, with all writes landed and
 * with all unflushed ones lost, and each time the blocks in its three slots are
 * replaced in all combinations of the faults below.  Then it loses a root, heals,
 * and is frozen behind each root from there on; among the faults is that the root
 * that was lost comes back.  Besides: every single bit
 * of each root, and every tear of each of the last three root writes.
 *
 * What must hold:
 *
 * One slot damaged.  The device opens.  Its content is that of a prefix at or
 * behind the last acknowledged flush.  Its structure is sound, before and after
 * healing; a second opening finds three good roots and the same content.
 *
 * Nothing but zeroes and roots of this device is healed over, unless by force.  The
 * root that was lost and comes back is not used, once the healing has landed (between
 * its two roots it would hide all that says so).
 *
 * Two or three slots damaged.  The youngest root is current if one of the others
 * proves it, and none is if not (expected_current).  The device is refused with a
 * clear error, or opens with such a prefix, or, only if no sound root that is left
 * in any slot is younger than the one chosen, with an older one: then the slots
 * show, with at most one root bad, what they showed when the chosen root was
 * current, and no program can tell.  The content is then exactly that of a prefix
 * at or behind the state for which that root was written.  Blocks that only that
 * root reaches may have been used again since: such a block reads as an error,
 * never as something else, and if it is a map node the opening fails.
 *
 * A twin is a copy of the device, of the same UUID, that went on by itself.  Its
 * roots have the same versions: a version names a history, not its content.  The
 * early twin parted several commits ago, and its root in any one slot must be
 * told by its chain.  The late twin parted behind b: its c follows from b as well
 * as the true one does, so the device may be refused (its map is not on this
 * disk), but must not show anything that is not a prefix as above.  Two roots of
 * a twin show that twin, with one root bad; its blocks are not here, so that
 * refusing is all that is left, or reading errors.
 */
#include <stdio.h>

#include "history.h"
#include "options.h"
#include "report.h"

enum fault {
	INTACT,
	PREVIOUS,	/* what the slot held before: perhaps this root without its pointer */
	OLDER,		/* ... and before that */
	FIRST,		/* as formatted */
	ZERO,
	GARBAGE,
	TEXT,		/* what mkfs leaves, behind an empty boot sector, or a header at once */
	FOREIGN,	/* of another device of the same geometry */
	EARLY_TWIN,
	LATE_TWIN,
	MOVED,		/* what the next slot holds */
	UNREADABLE,
	NR_FAULTS,
	TORN = NR_FAULTS,	/* or whole, at the ends of a tear */
};

static const char * const fault_names[] = {
	"intact", "previous", "older", "first", "zero", "garbage", "text", "foreign",
	"early twin", "late twin", "moved", "unreadable", "torn",
};

enum outcome {
	RIGHT,			/* a prefix at or behind the last acknowledged flush */
	OLDER_STATE,
	OLDER_WITH_ERRORS,
	NO_READING,		/* opened, but the map does not verify */
	REFUSED,		/* no root can be proven current */
	REFUSED_DAMAGED,	/* the chosen root's map is not there */
	NR_OUTCOMES,
};

static const char * const outcome_names[] = {
	"right", "older", "with errors", "unreadable", "refused", "damaged",
};

enum class {
	CLASS_NONE, CLASS_BIT, CLASS_BIT_BEHIND, CLASS_TEAR, CLASS_TEAR_INSIDE,
	CLASS_ONE, CLASS_ONE_TWIN, CLASS_TWO, CLASS_THREE, NR_CLASSES,
};

static const char * const class_names[] = {
	"no damage", "bit of a root", "bit behind a root", "tear at 512 bytes",
	"tear inside 512 bytes", "one slot", "one slot: a twin", "two slots",
	"three slots",
};

static u64 counts[NR_CLASSES][NR_OUTCOMES];
static u64 nr_cases[5], nr_healed, nr_forced, nr_returned;

/* ---- a device with a past ------------------------------------------------------ */

#define NR_MOMENTS	12
#define FULL_BLOCKS	9984u	/* of some 12,000 */

struct moment {
	const char *name;
	u32 nr_ops;		/* that are done */
	u32 nr_healed;		/* roots that carry the branch of the healing, and later */
};

struct device {
	u64 seed;
	struct history own, foreign, twins[2];
	struct moment moments[NR_MOMENTS];
	u32 writes[3];		/* root writes to be torn: close, pointer, commit */
	u32 lost_slot, lost;	/* whose root was lost and healed, and which: see lose_root */
};

/* What is being tried, for the report of a violation. */
static struct {
	const struct device *device;
	const char *moment;
	const char *what;
	u32 nr_healed;
	bool lost;
	enum fault faults[TRIAD_NR_SLOTS];
	u32 nr;
} now;

static const struct triad_core *now_core;

static void violation(const char *what, long long detail)
{
	const struct triad_slot *s;
	u32 slot;

	printf("VIOLATED: %s (%lld)\nseed %llu, %s%s, %s %u, slots:", what, detail,
	       (unsigned long long)now.device->seed, now.moment,
	       now.lost ? ", unflushed writes lost" : "", now.what, now.nr);
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		printf(" %s%s", fault_names[now.faults[slot]], slot < 2 ? "," : "\n");
	for (slot = 0; now_core && slot < TRIAD_NR_SLOTS; slot++) {
		s = &now_core->slots[slot];
		printf("  slot %u: %s, generation %llu, next seq %llu at %llu\n", slot,
		       triad_slot_state_name(s->state), (unsigned long long)s->root.generation,
		       (unsigned long long)s->root.next_seq, (unsigned long long)s->root.next);
	}
	if (now_core)
		printf("  case %d, current %d, %llu records\n", now_core->choice.which,
		       now_core->choice.cur, (unsigned long long)now_core->replayed_records);
	driver_print_lines(&now.device->own.driver);
	exit(1);
}

static void must(const struct history *h, int error)
{
	if (error || h->driver.error)
		violation(h->driver.failed, error ? error : h->driver.error);
}

enum kind {
	ROOMY,		/* no block is used twice */
	TIGHT,		/* so much is written that blocks are used again */
	FULL,		/* ... at once */
	NR_KINDS,
};

static void start(struct history *h, u64 seed, enum kind kind, const u32 *image, u32 nr_lbas,
		  const u32 *content)
{
	struct workload load = {
		.logical_blocks = 1024, .zone_blocks = 1536, .segment_blocks = 32, .nr_values = 5,
		.max_extents = 4, .max_blocks = 24, .max_discard = 200, .percent_flush = 15,
		.percent_discard = 12, .percent_slip = 20,
	};

	if (kind != ROOMY) {
		load.max_blocks = 200;
		load.max_discard = 600;
	}
	if (kind == FULL)
		load.logical_blocks = FULL_BLOCKS;
	history_init(h, seed, &load, image);
	if (!image)
		nr_lbas = driver_format(&h->driver);
	must(h, history_begin(h, nr_lbas, content));
}

static void steps(struct history *h, u32 nr)
{
	must(h, history_steps(h, nr));
}

static void rounds(struct history *h, u32 nr)
{
	while (nr--) {
		steps(h, 8);
		must(h, driver_commit(&h->driver, false));
	}
}

/* Write it all once; the driver commits when there is no room. */
static void fill(struct history *h)
{
	u32 lba, nr;

	for (lba = 0; lba < h->oracle.nr_lbas; lba += nr) {
		nr = min_t(u32, 256, h->oracle.nr_lbas - lba);
		must(h, driver_fill(&h->driver, lba, nr));
		must(h, driver_drain(&h->driver));
	}
}

static u32 find_root_write(const struct history *h, u32 from)
{
	while (from < h->trace.nr && h->trace.ops[from].kind != DISK_ROOT)
		from++;
	assert(from < h->trace.nr);
	return from;
}

/* Write and flush, then write more. */
static void interval(struct history *h)
{
	steps(h, 5);
	must(h, driver_fill(&h->driver, 7, 3));
	must(h, driver_drain(&h->driver));
	must(h, driver_flush(&h->driver));
	steps(h, 2);
	must(h, driver_fill(&h->driver, 9, 2));
	must(h, driver_drain(&h->driver));
}

static void reopen_closed(struct history *h)
{
	must(h, history_reopen_closed(h));
}

static void last_interval(struct history *h)
{
	h->load.max_blocks = min_t(u32, h->load.max_blocks, 100);
	interval(h);
}

static void last_commit(struct history *h)
{
	h->load.percent_slip = 60;
	h->load.max_blocks = 20;
	must(h, driver_commit(&h->driver, false));
}

/* c, b or a is lost and healed; frozen behind each of the four roots from there on. */
static void lose_root(struct device *d, struct moment *m)
{
	static const char * const names[] = {
		"healing half done", "healed", "one commit behind healing",
		"two commits behind healing",
	};
	struct history *h = &d->own;
	const struct triad_core *core = &h->driver.core;
	const int letters[] = { core->slot_c, core->slot_b, core->slot_a };
	u32 i, begin = h->trace.nr;

	d->lost_slot = letters[d->seed % 3];
	d->lost = h->view[TRIAD_SLOT_PBA(d->lost_slot)];
	driver_close(&h->driver);
	h->view[TRIAD_SLOT_PBA(d->lost_slot)] = 0;
	must(h, driver_open(&h->driver, true));
	*m++ = (struct moment){ names[0], find_root_write(h, begin) + 1, 1 };
	interval(h);
	*m++ = (struct moment){ names[1], h->trace.nr, 2 };
	for (i = 2; i < 4; i++) {
		must(h, driver_commit(&h->driver, false));
		interval(h);
		*m++ = (struct moment){ names[i], h->trace.nr, i + 1 };
	}
}

/* The last interval and commit, and what comes behind it. */
static void last_days(struct device *d)
{
	struct history *h = &d->own;
	struct moment *m = d->moments;
	u32 begin, root;

	*m++ = (struct moment){ "closed, no pointer", h->trace.nr, 0 };
	begin = h->trace.nr;
	last_interval(h);
	d->writes[1] = find_root_write(h, begin);
	*m++ = (struct moment){ "pointer written", d->writes[1] + 1, 0 };
	*m++ = (struct moment){ "records written", h->trace.nr, 0 };
	begin = h->trace.nr;
	last_commit(h);
	root = d->writes[2] = find_root_write(h, begin);
	*m++ = (struct moment){ "planes half written", begin + (root - begin) * 4 / 5, 0 };
	*m++ = (struct moment){ "all but the root written", root, 0 };
	*m++ = (struct moment){ "root written", root + 1, 0 };
	*m++ = (struct moment){ "log goes on, letters moved", h->trace.nr, 0 };
	interval(h);
	*m++ = (struct moment){ "next interval", h->trace.nr, 0 };
	lose_root(d, m);
}

static void device_init(struct device *d, u64 seed)
{
	struct history *h = &d->own;
	u32 *image = disk_new_view();
	enum kind kind = (seed - 1) % NR_KINDS;
	u32 begin;

	memset(d, 0, sizeof(*d));
	d->seed = seed;
	now.device = d;
	now.moment = now.what = "making the device";
	start(h, 3 * seed, kind, NULL, 0, NULL);
	if (kind == FULL)
		fill(h);
	rounds(h, kind == TIGHT ? 12 : 3);
	start(&d->twins[0], 3 * seed + 1, kind, h->view, h->oracle.nr_lbas, h->oracle.now);
	rounds(&d->twins[0], 3);
	reopen_closed(&d->twins[0]);
	rounds(&d->twins[0], 1);

	test_random.state = 3 * seed ^ 0x5555;
	rounds(h, 3);
	begin = h->trace.nr;
	reopen_closed(h);
	d->writes[0] = find_root_write(h, begin);
	disk_copy(image, h->view);
	start(&d->twins[1], 3 * seed + 2, kind, image, h->oracle.nr_lbas, h->oracle.now);
	/* the same in all but the data: it has the same counters */
	d->twins[1].rng = h->rng;
	d->twins[1].load.nr_values = 60;
	last_interval(&d->twins[1]);
	last_commit(&d->twins[1]);

	start(&d->foreign, ~seed, kind, NULL, 0, NULL);
	if (kind == FULL)
		fill(&d->foreign);
	rounds(&d->foreign, 6);
	reopen_closed(&d->foreign);
	rounds(&d->foreign, 1);

	test_random.state = 3 * seed ^ 0xaaaa;
	last_days(d);
	free(image);
}

static void device_free(struct device *d)
{
	history_free(&d->own);
	history_free(&d->foreign);
	history_free(&d->twins[0]);
	history_free(&d->twins[1]);
}

/* ---- what may lie in a slot ------------------------------------------------------ */

static u64 generation_of(u32 id)
{
	return le64_to_cpu(((const struct triad_root_disk *)content_of(id))->generation);
}

/* The root that was written to a slot, back contents before the newest of nr ops. */
static u32 past_root(const struct history *h, u32 nr, u32 slot, u32 back, u32 none)
{
	u32 id = none, last = 0;

	while (nr--) {
		const struct disk_op *op = &h->trace.ops[nr];

		if (op->kind != DISK_ROOT || op->pba != TRIAD_SLOT_PBA(slot) || op->id == last)
			continue;
		id = last = op->id;
		if (!back--)
			return id;
	}
	return id;
}

/* The twin's root of this generation, else its newest one, else none. */
static u32 twin_root(const struct history *twin, u32 slot, u32 id)
{
	u32 newest = past_root(twin, twin->trace.nr, slot, 0, id);
	u32 i;

	for (i = twin->trace.nr; i--; ) {
		const struct disk_op *op = &twin->trace.ops[i];

		if (op->kind == DISK_ROOT && op->pba == TRIAD_SLOT_PBA(slot) &&
		    generation_of(op->id) == generation_of(id))
			return op->id;
	}
	return newest;
}

/* The root's own sector is free; or a header that begins where the magic was. */
static u32 content_text(u32 slot)
{
	u8 block[TRIAD_BLOCK_SIZE] = { 0 };

	strcpy((char *)block + (slot ? 1024 : 0), "what another program keeps here");
	return content_id(block);
}

struct choices {
	u32 id[TRIAD_NR_SLOTS][NR_FAULTS];	/* as intact: this fault cannot be made */
	struct rng rng;
};

static void list_choices(struct choices *c, const struct device *d, const struct moment *m,
			 const u32 *image)
{
	const struct history *h = &d->own;
	u32 slot, *id, intact;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		id = c->id[slot];
		intact = image[TRIAD_SLOT_PBA(slot)];
		id[INTACT] = intact;
		id[PREVIOUS] = past_root(h, m->nr_ops, slot, 1, intact);
		if (m->nr_healed == 1 && slot == d->lost_slot)
			id[PREVIOUS] = intact;
		id[OLDER] = past_root(h, m->nr_ops, slot, 2, intact);
		id[FIRST] = past_root(h, m->nr_ops, slot, ~0u, intact);
		id[ZERO] = 0;
		id[GARBAGE] = content_rotten(&c->rng);
		id[TEXT] = content_text(slot);
		id[FOREIGN] = d->foreign.view[TRIAD_SLOT_PBA(slot)];
		id[EARLY_TWIN] = twin_root(&d->twins[0], slot, intact);
		id[LATE_TWIN] = twin_root(&d->twins[1], slot, intact);
		id[MOVED] = image[TRIAD_SLOT_PBA((slot + 1) % TRIAD_NR_SLOTS)];
		id[UNREADABLE] = intact;
	}
}

/* ---- judging one image ------------------------------------------------------------- */

struct judge {
	struct device *d;
	const u32 *base;	/* the image before it is damaged */
	u32 *image;
	u32 *landed;		/* the image before it with all writes landed */
	u32 *content, *again;
	u32 from, to;		/* states that are right */
	struct disk disk;
	struct driver driver;
};

static u32 nr_faults(void)
{
	u32 slot, nr = 0;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		nr += now.faults[slot] != INTACT;
	return nr;
}

/* A root write in flight: the slot may as well hold the new root. */
static bool is_torn(void)
{
	return now.faults[0] == TORN || now.faults[1] == TORN || now.faults[2] == TORN;
}

static bool is_twin(enum fault fault)
{
	return fault == EARLY_TWIN || fault == LATE_TWIN;
}

/* A root of this very device, of whatever age. */
static bool is_own(enum fault fault)
{
	return fault == INTACT || fault == PREVIOUS || fault == OLDER || fault == FIRST;
}

static bool is_younger_root_left(const struct judge *j)
{
	u32 slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (is_own(now.faults[slot]) && generation_of(j->image[TRIAD_SLOT_PBA(slot)]) >
		    j->driver.core.root.generation)
			return true;
	return false;
}

/* One root is a twin's: the late twin's c, or one that is younger than all of ours. */
static bool may_refuse_twin(const struct judge *j)
{
	u32 slot, other;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		u64 generation = generation_of(j->image[TRIAD_SLOT_PBA(slot)]);
		bool youngest = true;

		if (!is_twin(now.faults[slot]))
			continue;
		for (other = 0; other < TRIAD_NR_SLOTS; other++)
			youngest &= generation_of(j->base[TRIAD_SLOT_PBA(other)]) < generation;
		return youngest || now.faults[slot] == LATE_TWIN;
	}
	return false;
}

static enum outcome refusal(const struct judge *j, int error)
{
	const struct triad_core *core = &j->driver.core;

	if (nr_faults() < 2 && !may_refuse_twin(j))
		violation("one slot is damaged, and the device is refused", error);
	if (error == -ENODATA) {
		if (core->choice.which != 4 || !core->choice.why)
			violation("refused without a reason", core->choice.which);
		return REFUSED;
	}
	if (error != -EBADMSG && error != -EUCLEAN)
		violation("refused with an error that says something else", error);
	return REFUSED_DAMAGED;
}

/* States from .. to whose content this is but for errors; their number. */
static int find_with_errors(const struct oracle *oracle, u32 from, u32 to, const u32 *content)
{
	static u32 want[DISK_BLOCKS];
	u32 state, i;

	for (state = to + 1; state-- > from; ) {
		oracle_content(oracle, state, want);
		for (i = 0; i < oracle->nr_lbas; i++)
			if (content[i] != CONTENT_ERROR && content[i] != want[i])
				break;
		if (i == oracle->nr_lbas)
			return state;
	}
	return -1;
}

static enum outcome judge_content(struct judge *j)
{
	const struct triad_core *core = &j->driver.core;
	const struct oracle *oracle = &j->d->own.oracle;
	u64 hash = oracle_hash_content(j->content, oracle->nr_lbas);
	u32 low, cur = core->slot_c;

	if (oracle_find(oracle, j->from, j->to, hash) >= 0)
		return RIGHT;
	if (nr_faults() < 2)
		violation("not a prefix at or behind the last acknowledged flush",
			  oracle_find(oracle, 0, oracle->nr, hash));
	if (is_twin(now.faults[cur])) {
		oracle = &j->d->twins[now.faults[cur] == LATE_TWIN].oracle;
		if (find_with_errors(oracle, 0, oracle->nr, j->content) < 0)
			violation("a twin's root shows what the twin never held", core->slot_c);
		return OLDER_WITH_ERRORS;
	}
	if (!is_own(now.faults[cur]))
		violation("a root of another device was chosen", cur);
	if (is_younger_root_left(j))
		violation("older than the last acknowledged flush beside a younger root",
			  core->root.generation);
	low = oracle_state_before(oracle, core->root.next_seq);
	if (oracle_find(oracle, low, j->to, hash) >= 0)
		return OLDER_STATE;
	if (find_with_errors(oracle, low, j->to, j->content) < 0)
		violation("not a prefix at all", oracle_find(oracle, 0, oracle->nr, hash));
	return OLDER_WITH_ERRORS;
}

static void check_sound(struct judge *j, bool with_backup, bool leftovers)
{
	const char *what = check_structure(&j->driver.core, &j->disk, with_backup, leftovers);

	if (what)
		violation(what, 0);
}

/*
 * What was read once is read again, or something is wrong.  With stale roots, whose
 * planes may be younger ones, a heal may take blocks that c reaches: then they
 * read as errors.
 */
static void read_again(struct judge *j, const char *what)
{
	u32 nr = j->d->own.oracle.nr_lbas, i;
	int r = check_read(&j->driver.core, &j->disk, j->again);

	if (r && nr_faults() > 1)
		return;
	for (i = 0; i < nr; i++)
		if (r || (j->content[i] != j->again[i] &&
			  (nr_faults() < 2 || j->again[i] != CONTENT_ERROR)))
			violation(what, r ? r : (int)i);
}

static void check_verdicts(const struct triad_core *core)
{
	u32 slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		enum fault fault = now.faults[slot];

		if (core->slots[slot].state == TRIAD_SLOT_VALID &&
		    (fault == ZERO || fault == GARBAGE || fault == TEXT || fault == MOVED ||
		     fault == UNREADABLE))
			violation("what is no root passes for one", slot);
		if (core->slots[slot].state != TRIAD_SLOT_VALID && !core->slots[slot].reason)
			violation("a slot is bad, but it is not said why", slot);
	}
}

/*
 * What the slots prove, told by generations, which count one by one in these
 * histories: the youngest root is current if one of the others is its parent or
 * grandparent, and nothing is current if not.  -1: nothing; -2: no telling here.
 */
static int expected_current(const struct judge *j)
{
	u64 generation[TRIAD_NR_SLOTS] = { 0 };
	u32 slot, youngest = 0, nr_foreign = 0;

	if (now.nr_healed)
		return -2;
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		nr_foreign += now.faults[slot] == FOREIGN;
		if (is_twin(now.faults[slot]) || now.faults[slot] == TORN || nr_foreign > 1)
			return -2;
		if (is_own(now.faults[slot]))
			generation[slot] = generation_of(j->image[TRIAD_SLOT_PBA(slot)]);
		if (generation[slot] > generation[youngest])
			youngest = slot;
	}
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (slot != youngest && generation[slot] &&
		    generation[slot] + 2 >= generation[youngest])
			return youngest;
	return -1;
}

/* By the block alone: not zeroes, nor anything that a root of this device can leave. */
static bool is_of_others(const struct judge *j, u32 slot)
{
	static const u8 zero[TRIAD_BLOCK_SIZE];
	const u8 *block = content_of(j->image[TRIAD_SLOT_PBA(slot)]);
	const struct triad_root_disk *d = (const void *)block;

	if (now.faults[slot] == UNREADABLE || !memcmp(block, zero, sizeof(zero)))
		return false;
	return le64_to_cpu(d->magic) != TRIAD_ROOT_MAGIC ||
	       memcmp(d->uuid, j->driver.core.root.uuid, sizeof(d->uuid)) ||
	       now.faults[slot] == MOVED;
}

static int heal(struct judge *j)
{
	struct triad_core *core = &j->driver.core;
	bool others = is_of_others(j, core->slot_a);
	u32 before = j->image[TRIAD_SLOT_PBA(core->slot_a)];
	u64 nr_writes = j->disk.nr_writes;
	int r;

	if (others != triad_core_is_occupied(core) || others != triad_core_must_not_write(core))
		violation(others ? "what others keep would be healed over" :
			  "a root of its own is not healed over", core->slot_a);
	r = triad_core_heal(core);
	if ((r == -EEXIST) != others ||
	    (others && (j->disk.nr_writes != nr_writes ||
			j->image[TRIAD_SLOT_PBA(core->slot_a)] != before)))
		violation("healing writes over what others keep", r);
	if (!others)
		return r;
	nr_forced++;
	return triad_core_heal_over(core);
}

/* What one bad slot hides is at most the current root, and then its parent is next. */
static void check_line(const struct judge *j)
{
	const struct triad_choice *choice = &j->driver.core.choice;
	u32 slot, youngest = 0, id = j->image[TRIAD_SLOT_PBA(j->d->lost_slot)];

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (generation_of(j->base[TRIAD_SLOT_PBA(slot)]) >
		    generation_of(j->base[TRIAD_SLOT_PBA(youngest)]))
			youngest = slot;
	if (now.faults[youngest] == INTACT && !is_torn() && choice->cur != (int)youngest)
		violation("a line that healing left is current", choice->cur);
	if (!now.nr_healed || id != j->d->lost)
		return;
	nr_returned++;
	if (choice->backup == (int)j->d->lost_slot)
		violation("a root that was lost is the backup", choice->backup);
}

static enum outcome judge_open(struct judge *j, bool harmless)
{
	int expected = expected_current(j);
	struct triad_core *core = &j->driver.core;
	enum outcome outcome;
	bool degraded;
	int r = driver_open(&j->driver, false);

	nr_cases[core->choice.which]++;
	check_verdicts(core);
	if (expected != -2 && core->choice.cur != expected)
		violation("another root is current than the slots prove", expected);
	if (r)
		return refusal(j, r);
	if (nr_faults() < 2 && !may_refuse_twin(j))
		check_line(j);
	degraded = core->degraded;
	if (harmless && degraded)
		violation("degraded, with nothing wrong", core->choice.which);
	r = check_read(core, &j->disk, j->content);
	if (r && nr_faults() < 2)
		violation("one slot is damaged, and the map cannot be read", r);
	if (r)
		return NO_READING;
	outcome = judge_content(j);
	if (nr_faults() < 2)
		check_sound(j, false, true);
	/* old roots find a log that somebody else's records have cut: a person decides */
	if (triad_core_lost_log(core) && nr_faults() < 2)
		violation("one slot is damaged, and the log is", core->log_end);
	if (degraded && !triad_core_lost_log(core)) {
		r = heal(j);
		if (r && (nr_faults() < 2 || (r != -EBADMSG && r != -EUCLEAN)))
			violation("it cannot be healed", r);
		if (r)
			return outcome;
		nr_healed++;
		read_again(j, "healing changed the content");
		if (nr_faults() < 2)
			check_sound(j, true, true);
	}
	driver_close(&j->driver);
	r = driver_open(&j->driver, false);
	if (r && (nr_faults() < 2 || (r != -EBADMSG && r != -EUCLEAN)))
		violation("a healed device does not open", r);
	if (r)
		return outcome;
	if (nr_faults() < 2 && (core->degraded || core->choice.which != 1))
		violation("a healed device is degraded", core->choice.which);
	read_again(j, "the second opening shows something else");
	return outcome;
}

/* The image with these blocks in its slots. */
static enum outcome judge(struct judge *j, enum class class, const u32 ids[TRIAD_NR_SLOTS],
			  bool harmless)
{
	enum outcome outcome;
	u32 slot;

	disk_copy(j->image, j->base);
	disk_init(&j->disk, j->image, &j->d->own.rng);
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		j->image[TRIAD_SLOT_PBA(slot)] = ids[slot];
		if (now.faults[slot] == UNREADABLE)
			j->disk.unreadable |= 1u << slot;
	}
	j->driver.disk = &j->disk;
	j->driver.rng = &j->d->own.rng;
	j->driver.load = &j->d->own.load;
	outcome = judge_open(j, harmless);
	if (j->driver.open)
		driver_close(&j->driver);
	counts[class][outcome]++;
	return outcome;
}

/* ---- images ------------------------------------------------------------------------ */

/* After nr operations: all landed, or only what was flushed.  False: the same. */
static bool make_image(struct judge *j, u32 nr, bool lost, u32 *image)
{
	const struct history *h = &j->d->own;
	struct cutter cutter;
	bool differs = true;
	u32 i;

	cutter_init(&cutter, &h->trace);
	while (cutter.at <= nr && cutter_step(&cutter))
		;
	disk_copy(image, cutter.durable);
	cutter_free(&cutter);
	for (i = 0; i < nr; i++) {
		const struct disk_op *op = &h->trace.ops[i];

		if (op->kind != DISK_FLUSH && !lost)
			image[op->pba] = op->id;
	}
	if (lost)
		differs = memcmp(image, j->landed, DISK_BLOCKS * sizeof(*image));
	else
		disk_copy(j->landed, image);
	j->base = image;
	j->from = nr < h->trace.nr ? h->trace.ops[nr].acked : h->oracle.acked;
	j->to = nr < h->trace.nr ? h->trace.ops[nr].submitted : h->oracle.nr;
	now.lost = lost;
	return differs;
}

static void slots_of(const u32 *image, u32 ids[TRIAD_NR_SLOTS])
{
	u32 slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		ids[slot] = image[TRIAD_SLOT_PBA(slot)];
}

static void flip_bits(struct judge *j, u32 stride, u32 stride_behind)
{
	u32 mark = content_mark(), ids[TRIAD_NR_SLOTS], slot, bit;
	u8 block[TRIAD_BLOCK_SIZE];
	bool behind;

	now.what = "bit";
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		/* another first bit in each slot and image, so that all get their turn */
		for (bit = rng_below(&j->d->own.rng, stride); bit < TRIAD_BLOCK_SIZE * 8;
		     bit += behind ? stride_behind : stride) {
			behind = bit >= 512 * 8;
			slots_of(j->base, ids);
			memcpy(block, content_of(ids[slot]), sizeof(block));
			block[bit / 8] ^= 1u << bit % 8;
			ids[slot] = content_id(block);
			now.faults[slot] = behind ? INTACT : GARBAGE;
			now.nr = bit;
			judge(j, behind ? CLASS_BIT_BEHIND : CLASS_BIT, ids, behind);
			content_release(mark);
		}
		now.faults[slot] = INTACT;
	}
}

static void tear(struct judge *j, enum class class, u32 slot, const u8 *block)
{
	u32 mark = content_mark(), ids[TRIAD_NR_SLOTS];

	slots_of(j->base, ids);
	ids[slot] = content_id(block);
	judge(j, class, ids, false);
	content_release(mark);
	now.nr++;
}

/* A root write in flight: any part of it over what was there. */
static void tear_write(struct judge *j, u32 at)
{
	const struct disk_op *op = &j->d->own.trace.ops[at];
	u8 block[TRIAD_BLOCK_SIZE], old[TRIAD_BLOCK_SIZE], new[TRIAD_BLOCK_SIZE];
	u32 slot, mask, i, cut;

	assert(op->kind == DISK_ROOT);
	for (slot = 0; TRIAD_SLOT_PBA(slot) != op->pba; slot++)
		;
	memcpy(old, content_of(j->base[op->pba]), sizeof(old));
	memcpy(new, content_of(op->id), sizeof(new));
	now.faults[slot] = TORN;
	now.what = "sector mask";
	for (mask = now.nr = 0; mask < 256; mask++) {
		memcpy(block, old, sizeof(block));
		for (i = 0; i < 8; i++)
			if (mask & 1u << i)
				memcpy(block + 512 * i, new + 512 * i, 512);
		tear(j, CLASS_TEAR, slot, block);
	}
	now.what = "64-byte mask";
	for (mask = now.nr = 0; mask < 256; mask++) {
		memcpy(block, old, sizeof(block));
		for (i = 0; i < 8; i++)
			if (mask & 1u << i)
				memcpy(block + 64 * i, new + 64 * i, 64);
		tear(j, CLASS_TEAR_INSIDE, slot, block);
	}
	now.what = "prefix or suffix";
	for (cut = now.nr = 0; cut <= 512; cut++) {
		memcpy(block, new, cut);
		memcpy(block + cut, old + cut, sizeof(block) - cut);
		tear(j, CLASS_TEAR_INSIDE, slot, block);
		memcpy(block, old, cut);
		memcpy(block + cut, new + cut, sizeof(block) - cut);
		tear(j, CLASS_TEAR_INSIDE, slot, block);
	}
	now.faults[slot] = INTACT;
}

/* All combinations of faults; one whose content is no other than intact is none. */
static void combine(struct judge *j, const struct choices *c)
{
	u32 nr = NR_FAULTS * NR_FAULTS * NR_FAULTS, i, n, slot, ids[TRIAD_NR_SLOTS];
	enum class class;

	now.what = "combination";
	for (i = 0; i < nr; i++) {
		bool possible = true, twin = false;

		for (slot = 0, n = i; slot < TRIAD_NR_SLOTS; slot++, n /= NR_FAULTS) {
			enum fault fault = n % NR_FAULTS;

			now.faults[slot] = fault;
			ids[slot] = c->id[slot][fault];
			twin |= is_twin(fault);
			if (fault != INTACT && fault != UNREADABLE &&
			    ids[slot] == c->id[slot][INTACT])
				possible = false;
		}
		if (!possible)
			continue;
		now.nr = i;
		n = nr_faults();
		class = n == 0 ? CLASS_NONE : n == 1 ? (twin ? CLASS_ONE_TWIN : CLASS_ONE) :
			n == 2 ? CLASS_TWO : CLASS_THREE;
		judge(j, class, ids, n == 0);
	}
	memset(now.faults, 0, sizeof(now.faults));
}

static void run_device(struct judge *j, struct device *d, u32 stride)
{
	static const char * const writes[] = {
		"close in flight", "pointer in flight", "root in flight",
	};
	struct choices choices = { .rng = { d->seed } };
	u32 *image = disk_new_view(), i, lost;

	j->d = d;
	for (i = 0; i < NR_MOMENTS; i++) {
		for (lost = 0; lost < 2; lost++) {
			u32 mark = content_mark();

			now.moment = d->moments[i].name;
			now.nr_healed = d->moments[i].nr_healed;
			if (!make_image(j, d->moments[i].nr_ops, lost, image))
				continue;
			list_choices(&choices, d, &d->moments[i], image);
			combine(j, &choices);
			flip_bits(j, stride, 1021);
			content_release(mark);
		}
	}
	now.nr_healed = 0;
	for (i = 0; i < 3; i++) {
		for (lost = 0; lost < 2; lost++) {
			now.moment = writes[i];
			if (make_image(j, d->writes[i], lost, image))
				tear_write(j, d->writes[i]);
		}
	}
	free(image);
}

static void report(u64 nr_devices, double took)
{
	u64 sum = report_table(class_names, NR_CLASSES, outcome_names, NR_OUTCOMES, counts[0]);

	printf("%llu images of %llu devices held, %llu healed, %llu by force; %llu times a lost "
	       "root came back; selection case 1: %llu, 2: %llu, 3: %llu, 4: %llu; %.1f s\n",
	       (unsigned long long)sum, (unsigned long long)nr_devices,
	       (unsigned long long)nr_healed, (unsigned long long)nr_forced,
	       (unsigned long long)nr_returned,
	       (unsigned long long)nr_cases[1], (unsigned long long)nr_cases[2],
	       (unsigned long long)nr_cases[3], (unsigned long long)nr_cases[4], took);
}

int main(int argc, char **argv)
{
	static struct judge j;
	struct device *d = malloc(sizeof(*d));
	u64 seed = 1, nr = 3, stride = 64, i;
	double start = report_seconds();
	const struct number_option options[] = {
		{ "seed", &seed },
		{ "devices", &nr },
		{ "stride", &stride },
		{ 0 },
	};

	parse_numbers(argc, argv, options);
	disk_keep_memory();
	j.image = disk_new_view();
	j.landed = disk_new_view();
	j.content = calloc(DISK_BLOCKS, sizeof(*j.content));
	j.again = calloc(DISK_BLOCKS, sizeof(*j.again));
	for (i = seed; i < seed + nr; i++) {
		content_release(0);
		content_mark();
		device_init(d, i);
		driver_init(&j.driver, &j.disk, &d->own.rng, &d->own.load);
		now_core = &j.driver.core;
		run_device(&j, d, stride);
		driver_free(&j.driver);
		device_free(d);
	}
	report(nr, report_seconds() - start);
	return 0;
}
