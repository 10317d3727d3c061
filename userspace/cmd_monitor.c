// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * monitor: what happens to open devices.  device-mapper tells when something has happened;
 * what that was is the difference of two looks at the status.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "live.h"
#include "status.h"

/* What no event tells (a closing, on some kernels an opening) is seen that much later, in ms. */
#define LOOK_ANYWAY	1000

struct seen {
	char name[160];
	char mode[32];
	char health[32];
	char version[64];
	u64 checksum_errors;
	u32 event_nr;
	bool here;
};

struct monitor {
	const struct options *opt;
	struct seen *seen;
	size_t nr;
	u32 nr_told;
	bool began;		/* what is open already is no news */
};

static void tell(struct monitor *m, const char *name, const char *event, const char *format, ...)
	PRINTF(4, 5);

static void tell(struct monitor *m, const char *name, const char *event, const char *format, ...)
{
	char when[TEXT_SIZE], text[512];
	struct json_object *out;
	time_t t = time(NULL);
	va_list args;
	struct tm tm;

	if (m->opt->count && m->nr_told >= m->opt->count)
		return;
	m->nr_told++;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (m->opt->json) {
		out = json_object_new_object();
		json_add_number(out, "time", t);
		json_add_text(out, "name", name);
		json_add_text(out, "event", event);
		json_add_text(out, "message", text);
		json_line(out);
	} else {
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
		printf("%s %s: %s\n", when, name, text);
	}
	fflush(stdout);
}

static struct seen as_of(const struct status *status)
{
	struct seen seen = {
		.checksum_errors = status->number[STATUS_CHECKSUM_ERRORS],
		.event_nr = status->event_nr,
		.here = true,
	};
	const char *version = status->text[STATUS_VERSION];

	snprintf(seen.name, sizeof(seen.name), "%s", status->name);
	snprintf(seen.mode, sizeof(seen.mode), "%s", status_mode(status));
	snprintf(seen.health, sizeof(seen.health), "%s", status->text[STATUS_HEALTH]);
	snprintf(seen.version, sizeof(seen.version), "%s", version ? version : "");
	return seen;
}

static void compare(struct monitor *m, const struct seen *was, const struct seen *is,
		    const struct status *status)
{
	u32 nr = m->nr_told;
	const char *reason = status->text[STATUS_REASON];
	u64 errors = is->checksum_errors;

	if (strcmp(was->version, is->version))
		tell(m, is->name, "version", "version %s of the module instead of %s",
		     is->version, was->version);
	if (strcmp(was->mode, is->mode))
		tell(m, is->name, "mode", "mode %s instead of %s%s%s", is->mode, was->mode,
		     reason && strcmp(reason, "-") ? ": " : "",
		     reason && strcmp(reason, "-") ? reason : "");
	if (strcmp(was->health, is->health))
		tell(m, is->name, "health", "health %s instead of %s", is->health, was->health);
	if (errors > was->checksum_errors) {
		errors -= was->checksum_errors;
		tell(m, is->name, "checksum", "%llu block%s did not match %s checksum%s; dmesg "
		     "tells which", (unsigned long long)errors, PLURAL(errors),
		     errors == 1 ? "its" : "their", PLURAL(errors));
	}
	/* its event may be counted a moment after what it is about: better once too often */
	if (is->event_nr != was->event_nr && m->nr_told == nr)
		tell(m, is->name, "event", "something happened, and it is %s, %s; dmesg tells what",
		     is->mode, is->health);
}

/* All are looked at: what was named may be closed and opened again. */
static bool is_wanted(const struct options *opt, const char *name)
{
	int i;

	for (i = 0; i < opt->nr_args; i++)
		if (!strcmp(opt->args[i], name))
			return true;
	return !opt->nr_args;
}

static int look_at(struct status *status, void *context)
{
	struct monitor *m = context;
	struct seen is = as_of(status), *more;
	size_t i;

	if (!is_wanted(m->opt, is.name))
		return 0;
	for (i = 0; i < m->nr; i++)
		if (!strcmp(m->seen[i].name, is.name)) {
			compare(m, &m->seen[i], &is, status);
			m->seen[i] = is;
			return 0;
		}
	/* it is being opened */
	if (status_is(status, STATUS_REASON, "not resumed yet"))
		return 0;
	more = realloc(m->seen, (m->nr + 1) * sizeof(*more));
	if (!more)
		return tool_fail(TOOL_MEMORY, NULL, "out of memory");
	m->seen = more;
	more[m->nr++] = is;
	if (m->began)
		tell(m, is.name, "opened", "opened, mode %s, health %s", is.mode, is.health);
	return 0;
}

static int look(struct monitor *m)
{
	const struct options *opt = m->opt;
	struct options all = *opt;
	size_t i, left = 0;
	int r;

	for (i = 0; i < m->nr; i++)
		m->seen[i].here = false;
	all.nr_args = 0;
	r = status_each(&all, look_at, m);
	if (r)
		return r;
	for (i = 0; i < m->nr; i++) {
		if (!m->seen[i].here)
			tell(m, m->seen[i].name, "closed", "closed");
		else
			m->seen[left++] = m->seen[i];
	}
	m->nr = left;
	m->began = true;
	return 0;
}

static bool is_seen(const struct monitor *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->nr; i++)
		if (!strcmp(m->seen[i].name, name))
			return true;
	return false;
}

int cmd_monitor(const struct options *opt)
{
	struct monitor m = { .opt = opt };
	int i, r, events = dm_events_open();

	live_begin();
	if (opt->json)
		json_lines();
	dm_events_arm(events);
	r = look(&m);
	for (i = 0; !r && i < opt->nr_args; i++)
		if (!is_seen(&m, opt->args[i]))
			tool_warn("%s: it is not open yet", opt->args[i]);
	while (!r && !live_ended() && !ferror(stdout) && (!opt->count || m.nr_told < opt->count)) {
		dm_events_wait(events, LOOK_ANYWAY);
		dm_events_arm(events);
		if (!live_ended())
			r = look(&m);
	}
	dm_events_close(events);
	free(m.seen);
	return r;
}
