// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shortest script that still fails, by delta debugging: leave out parts of it,
 * large ones first, for as long as a violation of any kind is found behind what is
 * left.  Each trial runs in a process of its own, so a crash is a failure, too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explorer.h"

#define MAX_TRIALS	150u
#define TRIAL_SECONDS	20u

static u32 nr_trials;
static u64 nr_states;		/* of one trial */

static void live_script(struct explorer *x)
{
	x->counts.states = 0;
	x->budget = nr_states;
	explore_life(x, life_of_script(x), 0, 120);
}

static bool fails(struct explorer *x, const struct step *script, u32 nr)
{
	pid_t child;
	int status, null;

	if (nr_trials == MAX_TRIALS)
		return false;
	nr_trials++;
	fflush(stdout);
	child = fork();
	if (!child) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		alarm(TRIAL_SECONDS);
		x->trial = true;
		x->script = script;
		x->nr_script = nr;
		live_script(x);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	return WIFSIGNALED(status) ? WTERMSIG(status) != SIGALRM : WEXITSTATUS(status) != 0;
}

/* script without [from, to) */
static u32 without(const struct step *script, u32 nr, u32 from, u32 to, struct step *out)
{
	memcpy(out, script, from * sizeof(*out));
	memcpy(out + from, script + to, (nr - to) * sizeof(*out));
	return nr - (to - from);
}

static u32 shorten(struct explorer *x, struct step *script, u32 nr)
{
	struct step *shorter = malloc((nr + 1) * sizeof(*shorter));
	u32 part, from, n;

	for (part = (nr + 1) / 2; part; part = part > 1 ? (part + 1) / 2 : 0) {
		for (from = 0; from < nr; ) {
			n = without(script, nr, from, min_t(u32, nr, from + part), shorter);
			if (fails(x, shorter, n)) {
				memcpy(script, shorter, n * sizeof(*script));
				nr = n;
			} else {
				from += part;
			}
		}
	}
	free(shorter);
	return nr;
}

/* The device of the seed, as it was formatted. */
static void from_the_first_image(struct explorer *x, struct beginning *b)
{
	memset(b, 0, sizeof(*b));
	b->image = disk_new_view();
	b->content = calloc(disk_blocks, sizeof(*b->content));
	b->clean_lineage = true;
	b->random = x->beginning.random;
	b->test_random = x->beginning.test_random;
	profile_first_image(x, b->image, b->content);
}

static const char *name_of(const struct step *step)
{
	static const char * const names[] = {
		[STEP_OPERATE] = "operate", [STEP_FILL] = "fill", [STEP_FAIL] = "failing disk",
		[STEP_WARM] = "warm restart", [STEP_RESTART] = "restart",
		[STEP_LOSE] = "a slot dies", [STEP_REVIVE] = "it answers again",
		[STEP_ROLLBACK] = "rollback",
	};

	return names[step->kind];
}

void minimise(struct explorer *x)
{
	struct step *script = malloc((x->nr_script + 1) * sizeof(*script));
	struct beginning b, old = x->beginning;
	u32 nr = x->nr_script, i, most_steps = x->most_steps;
	bool fresh;

	printf("minimising the %u steps of this life ...\n", nr);
	memcpy(script, x->script, nr * sizeof(*script));
	/* what is left out shifts everything behind it, so look somewhat further */
	nr_states = 2 * (x->counts.states - x->beginning.states) + 300;
	if (!fails(x, script, nr)) {
		printf("not found again from the beginning of this life; repeat the seed\n");
		return;
	}
	from_the_first_image(x, &b);
	x->beginning = b;
	fresh = fails(x, script, nr);
	if (!fresh)
		x->beginning = old;
	nr = shorten(x, script, nr);
	for (; x->most_steps > 1; most_steps = x->most_steps) {
		x->most_steps = x->most_steps / 2;
		if (!fails(x, script, nr))
			break;
	}
	x->most_steps = most_steps;
	printf("%u of %u steps are enough, from %s, after %u trials:\n", nr, x->nr_script,
	       fresh ? "a fresh device" : "this life's beginning", nr_trials);
	for (i = 0; i < nr; i++)
		printf("  %s, seed 0x%llx\n", name_of(&script[i]),
		       (unsigned long long)script[i].seed);
	fflush(stdout);
	/* tell the short story, then */
	x->script = script;
	x->nr_script = nr;
	live_script(x);
}
