// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "explorer.h"

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

static void cannot_open(struct explorer *x, const struct driver *driver)
{
	char more[160];

	snprintf(more, sizeof(more), "%s, error %d, case %d: %s", driver->failed, driver->error,
		 driver->core.choice.which,
		 driver->core.choice.why ? driver->core.choice.why : "");
	if (!x->trial)
		print_slots(&driver->core);
	violation(x, "a device that must open does not", more);
}

void open_or_die(struct explorer *x, struct life *life)
{
	int r = driver_open(&life->driver, true);

	/* behind a rotten node nothing can be committed, but all else be read */
	if (r == -EBADMSG && life->damaged && life->driver.open)
		return;
	if (r)
		cannot_open(x, &life->driver);
}

/* ---- contents --------------------------------------------------------------- */

/* Content with errors: every other block must be as in the state. */
static bool matches_but_errors(struct explorer *x, const struct oracle *oracle, u32 state,
			       u32 *nr_errors)
{
	u32 i;

	oracle_content(oracle, state, x->want);
	*nr_errors = 0;
	for (i = 0; i < oracle->nr_lbas; i++) {
		if (x->content[i] == x->want[i])
			continue;
		if (x->content[i] != CONTENT_ERROR)
			return false;
		++*nr_errors;
	}
	return true;
}

int find_plain_state(struct explorer *x, const struct oracle *oracle, u32 from, u32 to)
{
	u64 hash = oracle_hash_content(x->content, oracle->nr_lbas);
	int found = oracle_find(oracle, from, to, hash);
	char more[160];

	if (found < 0) {
		found = oracle_find(oracle, 0, oracle->nr, hash);
		snprintf(more, sizeof(more), "found state %d, allowed %u to %u", found, from, to);
		violation(x, "not a prefix at or behind the last acknowledged flush", more);
	}
	return found;
}

/* The state that this content is, or a violation. */
static int find_state(struct explorer *x, const struct oracle *oracle, u32 from, u32 to,
		      const struct fault *fault)
{
	u32 state, nr_errors;

	if (cuts_log(fault)) {
		/* the log ends before the record that was hit */
		state = oracle_state_before(oracle, fault->seq);
		if (oracle_hash(oracle, state) !=
		    oracle_hash_content(x->content, oracle->nr_lbas))
			violation(x, "the log does not end at its first rotten record", NULL);
		return state;
	}
	switch (fault->class) {
	case CLASS_PAYLOAD:
		for (state = to + 1; state-- > from; )
			if (matches_but_errors(x, oracle, state, &nr_errors) && nr_errors <= 1)
				return state;
		violation(x, "more than the rotten payload is lost", NULL);
	case CLASS_DATA:
	case CLASS_NODE:
		if (memcmp(x->content, x->want, oracle->nr_lbas * sizeof(*x->want)))
			violation(x, "a rotten block shows elsewhere, or is handed out", NULL);
		return fault->state;
	default:
		return find_plain_state(x, oracle, from, to);
	}
}

/* ---- images ----------------------------------------------------------------- */

/*
 * The dead slot's disk comes back, behind an attempt to open the device for
 * writing without it, and an attempt to write: nothing of that may harm.
 */
static void revive_slot(struct explorer *x, struct driver *driver, u32 from, u32 to,
			const struct oracle *oracle)
{
	struct disk *disk = driver->disk;
	bool degraded = driver->core.degraded;
	int r;

	driver_close(driver);
	r = driver_open(driver, true);
	if (r)
		cannot_open(x, driver);
	if (degraded && driver->core.degraded)
		violation(x, "not healed for the sake of a dead slot", NULL);
	driver_close(driver);
	disk->dead_slot = -1;
	r = driver_open(driver, false);
	if (r)
		cannot_open(x, driver);
	if (check_read(&driver->core, disk, x->content))
		violation(x, "a map node is lost with a disk that came back", NULL);
	find_plain_state(x, oracle, from, to);
}

int check_state(struct explorer *x, u32 *image, u32 from, u32 to, struct fault *fault,
		const struct life *life)
{
	const struct oracle *oracle = &life->oracle;
	bool untouched = fault->class == CLASS_PLAIN || fault->class == CLASS_DATA;
	struct disk disk;
	struct driver driver;
	const char *what = NULL;
	bool damaged;
	int state;

	x->fault = *fault;
	disk_init(&disk, image, &x->rng);
	if (fault->class == CLASS_DEAD_SLOT)
		disk.dead_slot = fault->slot;
	driver_init(&driver, &disk, &x->rng, &x->load);
	driver.expected = x->expected;
	if (driver_open(&driver, false))
		cannot_open(x, &driver);
	x->counts.cases[driver.core.choice.which - 1]++;
	fault->unseen = (fault->class == CLASS_ROOT || fault->class == CLASS_ROOT_PLANES) &&
			driver.core.choice.which == 1;
	damaged = life->damaged || fault->class == CLASS_NODE;
	if (check_read_damaged(&driver.core, &disk, x->content) && !damaged)
		violation(x, "the map cannot be read", NULL);
	state = find_state(x, oracle, from, to, fault);
	if (x->expected && state < (int)life->driver.published_state && !driver.fell_short)
		violation(x, "what users saw is lost, and the next instance does not notice", NULL);
	if (life->clean_lineage && untouched && driver.core.space.nr_rotten)
		violation(x, "a plane or the summary is bad that nobody touched", NULL);
	if (life->clean_lineage && !life->lost && untouched && driver.core.replayed_records &&
	    !driver.core.root.segment)
		violation(x, "there is a log, but the pointer is empty", NULL);
	if (!damaged)
		what = check_structure(&driver.core, &disk, life->clean_lineage && untouched,
				       life->leftovers || leaves_planes(fault));
	if (what) {
		if (!x->trial)
			print_slots(&driver.core);
		violation(x, "structure", what);
	}
	if (fault->class == CLASS_DEAD_SLOT)
		revive_slot(x, &driver, from, to, oracle);
	driver_free(&driver);
	return state;
}

void check_live(struct explorer *x, struct life *life)
{
	struct driver *driver = &life->driver;
	u32 state = driver->published_state;
	const char *what;
	int r;

	if (!driver->error) {
		driver_drain(driver);
		state = life->oracle.nr;
	}
	r = check_read_damaged(&driver->core, &life->disk, x->content);
	if ((r && !life->damaged) || oracle_hash_content(x->content, life->oracle.nr_lbas) !=
		 oracle_hash(&life->oracle, state))
		violation(x, "a running device does not read what was written", NULL);
	if (driver->error || life->damaged)
		return;		/* between two roots, or with a map that cannot be walked */
	if (driver->core.degraded)
		violation(x, "opened for writing, but not healed", NULL);
	what = check_structure(&driver->core, &life->disk, life->clean_lineage,
			       life->leftovers);
	if (what)
		violation(x, "structure of a running device", what);
}
