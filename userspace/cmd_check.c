// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "check.h"

#define MAX_SHOWN	50u	/* findings that are named one by one */

static const char * const severities[] = {
	[CHECK_NOTE] = "note",
	[CHECK_DEGRADED] = "degraded",
	[CHECK_DAMAGED] = "damaged",
};

void check_say(struct check *check, enum severity severity, const char *what,
	       const char *format, ...)
{
	struct json_object *problem;
	char text[512];
	va_list args;

	if (severity > check->worst)
		check->worst = severity;
	if (severity == CHECK_NOTE && check->opt->batch && !check->opt->json)
		return;
	if (check->nr_problems++ >= MAX_SHOWN)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!check->opt->json) {
		progress("", 0, 0);
		printf("%s: %s: %s\n", severities[severity], what, text);
		return;
	}
	problem = json_object_new_object();
	json_add_text(problem, "severity", severities[severity]);
	json_add_text(problem, "what", what);
	json_add_text(problem, "text", text);
	json_object_array_add(check->problems, problem);
}

static int exit_code(const struct check *check)
{
	switch (check->worst) {
	case CHECK_DAMAGED:
		return TOOL_DAMAGED;
	case CHECK_DEGRADED:
		return TOOL_DEGRADED;
	default:
		return TOOL_OK;
	}
}

static void fill_json(struct check *check)
{
	const struct triad_core *core = &check->view->core;
	struct json_object *out = json_document();

	json_add_text(out, "result", check->worst == CHECK_DAMAGED ? "damaged" :
		      check->worst == CHECK_DEGRADED ? "degraded" : "ok");
	json_add_number(out, "case", core->choice.which);
	json_add_bool(out, "degraded", core->degraded);
	json_add_bool(out, "occupied", triad_core_is_occupied(core));
	json_add_number(out, "generation", core->root.generation);
	json_add_number(out, "branch", core->root.branch);
	json_add_number(out, "log_records", core->replayed_records);
	json_add_number(out, "nodes", check->current.nr_nodes);
	json_add_number(out, "mapped_blocks", check->current.nr_data);
	json_add_bool(out, "data_checked", check->opt->data);
	json_add_number(out, "data_verified", check->nr_data_verified);
	json_add_number(out, "nr_problems", check->nr_problems);
}

static void print_counts(const struct check *check)
{
	const struct triad_core *core = &check->view->core;

	view_print_name(check->view);
	printf("generation %" PRIu64 ": %" PRIu64 " map node%s, %" PRIu64 " mapped block%s, %"
	       PRIu64 " record%s in the log\n", core->root.generation, check->current.nr_nodes,
	       PLURAL(check->current.nr_nodes), check->current.nr_data,
	       PLURAL(check->current.nr_data), core->replayed_records,
	       PLURAL(core->replayed_records));
	if (check->opt->data)
		printf(check->nr_data_verified == 1 ? "%" PRIu64 " block of data matches its checksum\n" :
		       "%" PRIu64 " blocks of data match their checksums\n",
		       check->nr_data_verified);
	if (check->nr_problems > MAX_SHOWN)
		printf("... %u findings in all\n", check->nr_problems);
}

static void verdict(const struct check *check)
{
	const char *path = check->view->path, *args = check->view->args;

	switch (check->worst) {
	case CHECK_DAMAGED:
		printf("%s: DAMAGED.  What is named above is at risk; nothing was changed.\n"
		       "  Next: triadsetup export %s FILE saves all that can be read.\n",
		       path, args);
		break;
	case CHECK_DEGRADED:
		if (triad_core_is_occupied(&check->view->core)) {
			printf("%s: usable but degraded.  It opens read-only: what lies in slot %d "
			       "may be somebody else's.\n"
			       "  Next, if that may be lost: triadsetup heal --force %s\n",
			       path, check->view->choice.overwrite, path);
			break;
		}
		printf("%s: usable but degraded.  Data is at risk only from a second fault.\n", path);
		if (view_has_lost(check->view))
			printf("  Next: put the device of slot %d back, or an empty one in its place; "
			       "without it triadsetup\n  open goes on with two roots.\n",
			       check->view->choice.overwrite);
		else
			printf("  Next: triadsetup open NAME %s heals it.\n", args);
		break;
	default:
		printf("%s: ok\n", path);
		if (!check->opt->data)
			printf("  The data itself was not read; for that: "
			       "triadsetup check --data %s\n",
			       args);
	}
}

/* What is written while it is read looks damaged. */
static void warn_if_used(const struct view *view)
{
	char users[2304];

	device_who_uses(view->path, users, sizeof(users));
	if (users[0])
		tool_warn("%s: %s.\n  Close that first, or findings may only be writes under way.",
			  view->path, users);
}

static int run_check(struct check *check)
{
	int r;

	r = check_roots(check);
	if (!r)
		r = check_log(check);
	if (!r)
		r = check_maps(check);
	if (!r)
		r = check_space(check);
	if (!r && check->opt->data)
		r = check_data(check);
	if (r)
		return tool_fail(tool_exit_of(r),
				 "Nothing was changed.  See dmesg for the disk's errors.",
				 "%s: the check could not be finished: %s", check->view->path,
				 strerror(-r));
	if (check->opt->json) {
		fill_json(check);
	} else {
		if (!check->opt->batch)
			print_counts(check);
		verdict(check);
	}
	return exit_code(check);
}

int cmd_check(const struct options *opt)
{
	struct view view;
	struct check check = { .view = &view, .opt = opt };
	int r;

	r = view_probe(&view, opt, opt->args[0]);
	if (!r)
		r = view_open(&view);
	if (!r) {
		warn_if_used(&view);
		check.problems = json_object_new_array();
		/* also what was found before something ends it */
		if (opt->json)
			json_add(json_document(), "problems", json_object_get(check.problems));
		r = run_check(&check);
		json_object_put(check.problems);
		check_free(&check);
	}
	view_close(&view);
	return r;
}
