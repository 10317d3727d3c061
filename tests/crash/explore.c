// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore - see explorer.h.
 *
 *   explore [--states N] [--seed FIRST] [--jobs N] [--profile P] [--break WHAT] [--progress S]
 *           [--brief]
 *
 * Seeds are handed to --jobs processes; each explores SEED_STATES states of its
 * seed, whatever the others do, so what is found does not depend on their number.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explorer.h"
#include "report.h"

#define MAX_JOBS	64

static const char * const class_names[NR_CLASSES] = {
	"power cut", "root bad", "root and planes bad", "root's disk dead, and back",
	"planes bad", "summary bad", "log payload rotten", "log header rotten",
	"data block rotten", "map node rotten",
};

static const char * const circumstance_names[NR_CIRCUMSTANCES] = {
	[WITH_ROOT_DEVICE] = "roots on one other disk",
	[WITH_ROOT_DEVICES] = "roots on three other disks",
	[WITH_SUMMARIES] = "two summary blocks",
	[WITH_BLOCK_SUBSETS] = "all subsets, <= 12 blocks",
	[WITH_SECTOR_SUBSETS] = "all subsets, <= 12 sectors",
	[WITH_WARM_RESTART] = "warm restart before",
	[WITH_RESTART] = "another instance took over",
	[WITH_ROOT_LANDED] = "failed root write, landed",
	[WITH_ROOT_UNKNOWN] = "failed root write, cached",
	[WITH_ROOT_LEFT] = "... and not repeated",
	[WITH_SLOT_DEAD] = "a slot was dead",
	[WITH_SLOT_GIVEN_UP] = "... given up by its root",
	[WITH_SLOT_BACK] = "... back, and written again",
	[WITH_ROOT_LOST] = "root write silently lost",
	[WITH_LATE_RECORD] = "records behind root image",
	[WITH_VOID_DISCARD] = "discards without a record",
	[WITH_LOG_KEPT] = "log kept for a follower",
	[WITH_FREE_DISCARDED] = "free blocks discarded",
	[WITH_FAILED_DISK] = "disk operation failed",
	[WITH_FAILED_COMMIT] = "... commit, with writes",
	[WITH_DAMAGED_MAP] = "lived on with rotten node",
	[WITH_SAME_AGAIN] = "same operations again",
	[WITH_ROLLBACK] = "gone back to the backup",
	[IN_ROLLBACK] = "... cut meanwhile",
	[IN_RECOVERY] = "cut while healing",
	[IN_RECOVERY_2] = "... twice in a row",
	[IN_RECOVERY_3] = "... three times",
};

void violation(struct explorer *x, const char *what, const char *more)
{
	if (x->trial)
		_exit(1);
	printf("VIOLATED: %s%s%s\n", what, more ? ": " : "", more ? more : "");
	printf("seed %llu, life %u, state %llu of it; repeat with --seed %llu --states %u",
	       (unsigned long long)x->seed, x->life, (unsigned long long)x->counts.states,
	       (unsigned long long)x->seed, SEED_STATES);
	if (x->profile >= 0)
		printf(" --profile %d", x->profile);
	printf("\nfault: %s, slot %u, record %llu at %llu%s\n", class_names[x->fault.class],
	       x->fault.slot, (unsigned long long)x->fault.seq,
	       (unsigned long long)x->fault.pba, x->fault.durable ? ", durable" : "");
	if (x->running) {
		printf("what was done last:\n");
		driver_print_lines(&x->running->driver);
	}
	if (x->script && !x->minimised) {
		x->minimised = true;
		minimise(x);
	}
	fflush(stdout);
	_exit(1);
}

/* ---- one seed ------------------------------------------------------------------ */

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

/* What a life will do: operations, at times a failing disk, at times warm restarts. */
static u32 write_script(struct explorer *x, struct step *script, u32 max)
{
	u32 i, nr = 0, left = rng_between(&x->rng, 5, 60);
	bool fails;

	if (!x->life && x->load.fill)
		script[nr++].kind = STEP_FILL;
	do {
		for (i = 0; i < left && nr < max - 2; i++)
			script[nr++].kind = rng_percent(&x->rng, 3) ? STEP_RESTART : STEP_OPERATE;
		if (!x->load.lose_root_writes && rng_percent(&x->rng, 20))
			script[rng_between(&x->rng, 0, nr - 1)].kind = STEP_LOSE;
		if (rng_percent(&x->rng, 25))
			script[rng_between(&x->rng, nr / 2, nr - 1)].kind = STEP_REVIVE;
		fails = rng_percent(&x->rng, 12);
		if (fails)
			script[nr++].kind = STEP_FAIL;
		if (!rng_percent(&x->rng, fails ? 60 : 30) || nr >= max - 2)
			break;
		script[nr++].kind = STEP_WARM;
		left = rng_below(&x->rng, 15);
	} while (1);
	for (i = 0; i < nr; i++) {
		script[i].seed = rng_next(&x->rng);
		if (script[i].kind == STEP_WARM && script[i].seed % 4 == 0)
			script[i].kind = STEP_ROLLBACK;
	}
	return nr;
}

/* Cut the power somewhere in this life; the image is where the next one begins. */
static void end_life(struct explorer *x, struct life *life)
{
	struct beginning *b = &x->beginning;
	struct fault fault;
	struct cutter cutter;
	u32 stop, from = life->oracle.acked, to = life->oracle.nr;
	bool half_back;

	stop = rng_between(&x->rng, life->trace.nr_old + 1, life->trace.nr + 1);
	if (stop <= life->trace.nr) {
		from = life->trace.ops[stop - 1].acked;
		to = life->trace.ops[stop - 1].submitted;
	}
	cutter_init(&cutter, &life->trace);
	while (cutter.at < stop && cutter_step(&cutter))
		;
	do {
		cutter_random(&cutter, &x->rng, b->image);
		make_fault(x, life, cutter.at, b->image, &fault);
		/* the main line goes on for long, and must be able to commit */
	} while (fault.class == CLASS_NODE);
	half_back = life_is_half_back(life, cutter.at);
	keep_roots(x, &life->trace, cutter.at);
	cutter_free(&cutter);
	check_state(x, b->image, from, to, &fault, life);
	memcpy(b->content, x->content, life->oracle.nr_lbas * sizeof(*b->content));
	b->bad = fault.bad;
	b->lost |= life->lost;
	b->clean_lineage &= fault.class == CLASS_PLAIN || fault.class == CLASS_DATA ||
			    fault.class == CLASS_DEAD_SLOT;
	b->leftovers |= leaves_planes(&fault);
	b->rotten |= fault.class == CLASS_DATA;
	b->half_back = half_back;
}

static void main_life(struct explorer *x)
{
	struct step script[256];
	struct life *life;

	memset(script, 0, sizeof(script));
	x->nr_script = write_script(x, script, 256);
	x->script = script;
	x->beginning.states = x->counts.states;
	x->beginning.random = x->rng.state;
	x->beginning.test_random = test_random;
	life = life_of_script(x);
	explore_life(x, life, 0, x->load.fill || x->load.sow ? 40 : 120);
	end_life(x, life);
	x->counts.lives++;
	x->running = NULL;
	x->script = NULL;
	life_destroy(x, life);
}

static void run_seed(struct explorer *x, u64 seed, u64 budget)
{
	struct beginning *b = &x->beginning;
	u32 i;

	memset(&x->counts, 0, sizeof(x->counts));
	memset(x->nr_old_roots, 0, sizeof(x->nr_old_roots));
	x->seed = seed;
	x->budget = budget;
	x->rng.state = seed * 0x2545f4914f6cdd1dULL;
	test_random.state = ~x->rng.state;
	content_release(0);
	content_mark();
	profile_choose(x);
	memset(b, 0, sizeof(*b));
	b->image = disk_new_view();
	b->content = calloc(disk_blocks, sizeof(*b->content));
	b->clean_lineage = true;
	for (i = 0; i <= MAX_DEPTH; i++)
		x->image[i] = disk_new_view();
	x->content = calloc(disk_blocks, sizeof(*x->content));
	x->want = calloc(disk_blocks, sizeof(*x->want));
	profile_first_image(x, b->image, b->content);
	for (x->life = 0; x->counts.states < x->budget; x->life++)
		main_life(x);
	for (i = 0; i <= MAX_DEPTH; i++)
		free(x->image[i]);
	free(x->content);
	free(x->want);
	free(b->image);
	free(b->content);
}

/* ---- processes -------------------------------------------------------------------- */

struct order {
	u64 seed, budget;
};

struct worker {
	pid_t pid;
	int orders, results;
};

static void work(struct explorer *x, int orders, int results)
{
	struct order order;

	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		run_seed(x, order.seed, order.budget);
		if (write(results, &x->counts, sizeof(x->counts)) != sizeof(x->counts))
			break;
	}
	exit(0);	/* not _exit: coverage is written at the end */
}

static void start_worker(struct explorer *x, struct worker *w)
{
	int orders[2], results[2];

	if (pipe(orders) || pipe(results)) {
		perror("pipe");
		exit(2);
	}
	fflush(stdout);
	w->pid = fork();
	if (w->pid < 0) {
		perror("fork");
		exit(2);
	}
	if (!w->pid) {
		close(orders[1]);
		close(results[0]);
		work(x, orders[0], results[1]);
	}
	close(orders[0]);
	close(results[1]);
	w->orders = orders[1];
	w->results = results[0];
}

static void add(struct counts *to, const struct counts *from)
{
	u64 *t = (u64 *)to;
	const u64 *f = (const u64 *)from;
	u32 i;

	for (i = 0; i < sizeof(*to) / sizeof(u64); i++)
		t[i] += f[i];
}

static void print(const char *name, u64 n)
{
	printf("  %-28s %llu\n", name, (unsigned long long)n);
}

static void report(const struct counts *c, u64 first, u64 last, double seconds)
{
	char name[32];
	u32 i;

	printf("%llu states held, seeds %llu-%llu, %.1f s, %.0f states/s\n",
	       (unsigned long long)c->states, (unsigned long long)first,
	       (unsigned long long)last, seconds, c->states / seconds);
	printf("lives %llu, continued %llu, commits %llu, records %llu\n",
	       (unsigned long long)c->lives, (unsigned long long)c->continued,
	       (unsigned long long)c->commits, (unsigned long long)c->records);
	printf("states by fault:\n");
	for (i = 0; i < NR_CLASSES; i++)
		print(class_names[i], c->classes[i]);
	printf("states by circumstance (several may hold):\n");
	for (i = 0; i < NR_CIRCUMSTANCES; i++)
		print(circumstance_names[i], c->circumstances[i]);
	printf("states by crashes before:\n");
	for (i = 0; i <= MAX_DEPTH; i++) {
		snprintf(name, sizeof(name), "%u", i);
		print(name, c->depths[i]);
	}
	printf("states by selection of roots:\n");
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "case %u", i + 1);
		print(name, c->cases[i]);
	}
}

struct run {
	struct worker workers[MAX_JOBS];
	u32 nr_jobs, nr_busy;
	u64 first, next, max_states, ordered;
	struct counts total;
	double start, progress, shown;
};

static void order(struct run *run, struct worker *w)
{
	struct order order = {
		.seed = run->next,
		.budget = min_t(u64, SEED_STATES, run->max_states - run->total.states),
	};

	if (run->total.states + run->ordered >= run->max_states ||
	    write(w->orders, &order, sizeof(order)) != sizeof(order)) {
		close(w->orders);
		w->orders = -1;
		return;
	}
	run->ordered += SEED_STATES;
	run->next++;
	run->nr_busy++;
}

/* The result of one seed; false: the worker found a violation, or died. */
static bool take_result(struct run *run, struct worker *w)
{
	struct counts counts;

	if (read(w->results, &counts, sizeof(counts)) != sizeof(counts))
		return false;
	add(&run->total, &counts);
	run->ordered -= SEED_STATES;
	run->nr_busy--;
	if (run->progress && report_seconds() - run->shown >= run->progress) {
		run->shown = report_seconds();
		printf("%llu of %llu states, seed %llu, %.0f s\n",
		       (unsigned long long)run->total.states,
		       (unsigned long long)run->max_states, (unsigned long long)run->next - 1,
		       run->shown - run->start);
		fflush(stdout);
	}
	order(run, w);
	return true;
}

static int end(struct run *run, int status)
{
	struct worker *w;

	for (w = run->workers; w < run->workers + run->nr_jobs; w++) {
		if (w->pid <= 0)
			continue;	/* has ended */
		if (status)
			kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	return status;
}

static int explore(struct explorer *x, struct run *run)
{
	struct pollfd fds[MAX_JOBS];
	u32 i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < run->nr_jobs; i++) {
		start_worker(x, &run->workers[i]);
		fds[i] = (struct pollfd){ run->workers[i].results, POLLIN, 0 };
	}
	for (i = 0; i < run->nr_jobs; i++)
		order(run, &run->workers[i]);
	while (run->nr_busy) {
		poll(fds, run->nr_jobs, -1);
		for (i = 0; i < run->nr_jobs; i++) {
			int status = 0;

			if (!fds[i].revents || take_result(run, &run->workers[i]))
				continue;
			fds[i].fd = -1;
			waitpid(run->workers[i].pid, &status, 0);
			run->workers[i].pid = 0;
			if (!status)
				continue;	/* nothing was left for it to do */
			if (WIFSIGNALED(status))
				printf("VIOLATED: crashed with signal %d, seed %llu or one before\n",
				       WTERMSIG(status), (unsigned long long)run->next - 1);
			printf("found after %llu states of other seeds\n",
			       (unsigned long long)run->total.states);
			return end(run, 1);
		}
	}
	return end(run, 0);
}

/* ---- main --------------------------------------------------------------------------- */

static enum disk_break parse_break(const char *name)
{
	static const char * const names[] = {
		[BREAK_FLUSH] = "flush", [BREAK_COMMIT_FLUSH] = "commit-flush",
		[BREAK_FUA] = "fua", [BREAK_PLANES] = "planes",
		[BREAK_ROOT_FLUSH] = "root-flush",
	};
	u32 i;

	for (i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	fprintf(stderr, "--break flush, commit-flush, fua, planes or root-flush\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "states", required_argument, NULL, 'n' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "profile", required_argument, NULL, 'p' },
		{ "break", required_argument, NULL, 'b' },
		{ "progress", required_argument, NULL, 'v' },
		{ "brief", no_argument, NULL, 'q' },
		{ 0 },
	};
	static struct explorer x = { .profile = -1, .most_steps = 12 };
	static struct run run = { .nr_jobs = 1, .first = 1, .max_states = 100000 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': run.first = strtoull(optarg, NULL, 0); break;
		case 'n': run.max_states = strtoull(optarg, NULL, 0); break;
		case 'j': run.nr_jobs = min_t(u32, MAX_JOBS, strtoul(optarg, NULL, 0)); break;
		case 'p': x.profile = atoi(optarg); break;
		case 'b': x.broken = parse_break(optarg); break;
		case 'q': x.minimised = true; break;
		case 'v': run.progress = atof(optarg); break;
		default: return 2;
		}
	}
	disk_keep_memory();
	run.next = run.first;
	run.start = run.shown = report_seconds();
	if (explore(&x, &run))
		return 1;
	report(&run.total, run.first, run.next - 1, report_seconds() - run.start);
	return 0;
}
