// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * faults - every disk operation and every allocation fails once, or from then on.
 *
 * The same short life runs again and again with the failure one step later:
 * nothing may crash or leak, and after reopening (with the power kept, or lost)
 * the content must be that of a prefix at or behind the last acknowledged flush.
 */
#include <stdio.h>

#include "driver.h"
#include "env.h"
#include "options.h"

static const struct workload load = {
	.logical_blocks = 1024, .zone_blocks = 1536, .segment_blocks = 32, .nr_values = 3,
	.max_extents = 4, .max_blocks = 24, .max_discard = 300, .percent_flush = 20,
	.percent_commit = 15, .percent_discard = 12, .percent_clean = 4, .percent_slip = 20,
	.repeat_root_writes = true,
};

enum what { WHAT_READ, WHAT_WRITE, WHAT_FLUSH, WHAT_ALLOC, NR_WHATS };

static const char * const names[] = { "read", "write", "flush", "allocation" };

struct test {
	u64 seed;
	enum what what;
	u64 at;			/* 0: none */
	bool forever;
	bool rot_root;		/* start degraded, so that a heal runs */
	struct rng rng;
	struct oracle oracle;
	struct disk disk;
	struct trace trace;
	struct driver driver;
	u32 *view;
	u32 *content;
};

static u64 nr_runs, nr_hit;

static void violation(const struct test *t, const char *what, int error)
{
	printf("VIOLATED: %s (%d)\n%s %llu fails %s, seed %llu%s\n", what, error,
	       names[t->what], (unsigned long long)t->at, t->forever ? "for ever" : "once",
	       (unsigned long long)t->seed, t->rot_root ? ", degraded" : "");
	driver_print_lines(&t->driver);
	exit(1);
}

static void set_fault(struct test *t, bool on)
{
	memset(&t->disk.fault, 0, sizeof(t->disk.fault));
	test_alloc.fail_at = 0;
	if (!on || !t->at)
		return;
	if (t->what == WHAT_ALLOC) {
		test_alloc.nr = 0;
		test_alloc.fail_at = t->at;
		test_alloc.forever = t->forever;
		return;
	}
	t->disk.nr_reads = t->disk.nr_writes = t->disk.nr_flushes = 0;
	t->disk.fault.kind = t->what == WHAT_READ ? FAULT_READ :
			     t->what == WHAT_WRITE ? FAULT_WRITE : FAULT_FLUSH;
	t->disk.fault.at = t->at;
	t->disk.fault.forever = t->forever;
	t->disk.fault.error = -EIO;
}

static bool was_hit(const struct test *t)
{
	switch (t->what) {
	case WHAT_READ: return t->disk.nr_reads >= t->at;
	case WHAT_WRITE: return t->disk.nr_writes >= t->at;
	case WHAT_FLUSH: return t->disk.nr_flushes >= t->at;
	default: return test_alloc.nr >= t->at;
	}
}

/* A device with something in its map and something in its log. */
static void start(struct test *t)
{
	t->rng.state = t->seed;
	test_random.state = ~t->seed;
	content_release(0);
	t->view = disk_new_view();
	t->content = calloc(DISK_BLOCKS, sizeof(*t->content));
	disk_init(&t->disk, t->view, &t->rng);
	driver_init(&t->driver, &t->disk, &t->rng, &load);
	driver_format(&t->driver);
	oracle_init(&t->oracle, load.logical_blocks, NULL);
	t->driver.oracle = &t->oracle;
	driver_open(&t->driver, true);
	for (int i = 0; i < 20; i++)
		driver_step(&t->driver);
	driver_drain(&t->driver);
	driver_flush(&t->driver);
	driver_close(&t->driver);
	if (t->driver.error)
		violation(t, t->driver.failed, t->driver.error);
	if (t->rot_root)
		t->view[TRIAD_SLOT_PBA(t->seed % 3)] = content_rotten(&t->rng);
	trace_init(&t->trace, t->view);
	t->disk.trace = &t->trace;
	t->disk.submitted = &t->oracle.nr;
	t->disk.acked = &t->oracle.acked;
}

static void finish(struct test *t)
{
	driver_free(&t->driver);
	oracle_free(&t->oracle);
	trace_free(&t->trace);
	free(t->view);
	free(t->content);
}

static void verify(struct test *t, u32 from, const char *when)
{
	u64 hash;
	const char *what;
	int r;

	r = driver_open(&t->driver, false);
	if (r)
		violation(t, when, r);
	r = check_read(&t->driver.core, &t->disk, t->content);
	if (r)
		violation(t, "the map cannot be read", r);
	hash = oracle_hash_content(t->content, t->oracle.nr_lbas);
	if (oracle_find(&t->oracle, from, t->oracle.nr, hash) < 0)
		violation(t, when, oracle_find(&t->oracle, 0, t->oracle.nr, hash));
	what = check_structure(&t->driver.core, &t->disk, false, false);
	if (what)
		violation(t, what, 0);
	driver_close(&t->driver);
}

/* Returns false when the failure was never reached. */
static bool run(struct test *t)
{
	u64 live = test_alloc.live;
	struct cutter cutter;
	bool hit;
	int i, r;

	start(t);
	set_fault(t, true);
	r = driver_open(&t->driver, true);
	for (i = 0; i < 12 && !r; i++)
		r = driver_step(&t->driver);
	if (!r)
		r = driver_commit(&t->driver, true);
	hit = t->at && was_hit(t);
	if (r && !hit)
		violation(t, t->driver.failed, r);
	set_fault(t, false);
	if (t->driver.open)
		driver_close(&t->driver);
	if (test_alloc.live != live)
		violation(t, "memory leaked", test_alloc.live - live);

	verify(t, t->oracle.acked, "after reopening, power kept");
	cutter_init(&cutter, &t->trace);
	while (cutter_step(&cutter))
		;
	cutter_random(&cutter, &t->rng, t->view);
	cutter_free(&cutter);
	t->disk.trace = NULL;
	verify(t, t->oracle.acked, "after reopening, power lost");
	if (driver_open(&t->driver, true))
		violation(t, "heal after a failure", t->driver.error);
	finish(t);
	if (test_alloc.live != live)
		violation(t, "memory leaked", test_alloc.live - live);
	nr_runs++;
	nr_hit += hit;
	return hit;
}

static void all_of(u64 seed, enum what what, bool forever, bool rot_root)
{
	struct test t;
	u64 at = 0;

	do {
		memset(&t, 0, sizeof(t));
		t.seed = seed;
		t.what = what;
		t.forever = forever;
		t.rot_root = rot_root;
		t.at = ++at;
	} while (run(&t) && at < 2000);
}

int main(int argc, char **argv)
{
	u64 seed = 1, nr = 4, i, before;
	int what;
	const struct number_option options[] = {
		{ "seed", &seed },
		{ "seeds", &nr },
		{ 0 },
	};

	parse_numbers(argc, argv, options);
	disk_keep_memory();
	for (what = 0; what < NR_WHATS; what++) {
		before = nr_hit;
		for (i = seed; i < seed + nr; i++) {
			all_of(i, what, false, false);
			all_of(i, what, true, false);
			all_of(i, what, false, true);
			all_of(i, what, true, true);
		}
		printf("%-12s %llu failures held\n", names[what],
		       (unsigned long long)(nr_hit - before));
	}
	printf("%llu runs\n", (unsigned long long)nr_runs);
	return 0;
}
