// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another build of the module takes over devices that are in use.  Both are loaded then,
 * and a device goes from one to the other in a single call of the kernel's: whenever this
 * stops, each device runs on one of them, or waits for a second call to this.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "dm.h"
#include "kernel.h"
#include "report.h"
#include "takeover.h"

#define MAX_DEVICES	256

struct device_state {
	struct dm_live live;
	char version[32];	/* of the build that runs it; empty: an old one that does not tell */
	bool moved;
};

struct upgrade {
	struct device_state devices[MAX_DEVICES];
	unsigned int nr;
	struct build build;
	char target[64];
	char other[64];		/* that of a build that is loaded beside it, or empty */
};

/* ---- what is there --------------------------------------------------------------- */

static int add_device(const char *name, struct upgrade *up)
{
	struct device_state *d = &up->devices[up->nr];
	int r;

	if (up->nr == MAX_DEVICES)
		return tool_fail(TOOL_SYSTEM, "Nothing was changed.  Name some of them.",
				 "more than %d devices are open", MAX_DEVICES);
	memset(d, 0, sizeof(*d));
	r = dm_live_get(name, &d->live);
	if (r)
		return r;
	up->nr++;
	return dm_build_of(name, d->version, sizeof(d->version));
}

static int add_found(const char *name, void *context)
{
	return add_device(name, context);
}

static int find_devices(struct upgrade *up, const struct options *opt)
{
	int i, r = 0;

	if (!opt->nr_args)
		return dm_each_device(add_found, up);
	for (i = 0; i < opt->nr_args && !r; i++)
		r = add_device(opt->args[i], up);
	return r;
}

static void free_devices(struct upgrade *up)
{
	while (up->nr)
		dm_live_free(&up->devices[--up->nr].live);
}

static bool is_new(const struct upgrade *up, const struct device_state *d)
{
	return !strcmp(d->version, up->build.version) && !d->live.suspended;
}

static const char *version_text(const struct device_state *d)
{
	return d->version[0] ? d->version : "an older build";
}

/* ---- one device -------------------------------------------------------------------- */

/*
 * Undo: the table before was destroyed, so it is a new instance of the old build.  That
 * is why it is unloaded last.
 */
static int go_back(const struct upgrade *up, struct device_state *d)
{
	const char *target = strcmp(d->live.target, up->target) ? d->live.target : up->other;
	char *said = NULL;
	double ms;
	int error = *target ? dm_load_beside(&d->live, target, d->live.params, &said) : ENODEV;

	free(said);
	return error ? error : takeover_swap(d->live.name, &ms);
}

static int refused(struct upgrade *up, struct device_state *d, int error, const char *said)
{
	unsigned int i;
	int back = 0;

	/* first out of the window, then words */
	if (d->moved || d->live.suspended)
		back = go_back(up, d);
	for (i = 0; i < up->nr; i++) {
		if (&up->devices[i] == d)
			continue;
		dm_unload_beside(up->devices[i].live.name);
		if (up->devices[i].moved)
			go_back(up, &up->devices[i]);
	}
	build_unload(up->build.version);
	if (back)
		return tool_fail(TOOL_DAMAGED, "What is sent to it waits, and what was acknowledged is in "
				 "the log.\n  With the disk in order: triadsetup restart, or upgrade again.",
				 "%s: neither %s nor %s can open it: %s%s", d->live.name, up->build.version,
				 version_text(d), strerror(back), said ? said : "");
	return tool_fail(TOOL_SYSTEM, "All devices go on with the build that they had.",
			 "%s: %s does not take it: %s%s%s", d->live.name, up->build.version, strerror(error),
			 said ? "\n  The kernel says:" : "", said ? said : "");
}

static int move(struct upgrade *up, struct device_state *d, double *ms)
{
	char *said;
	int error, r, log;

	log = kernel_log_begin();
	error = takeover_swap(d->live.name, ms);
	d->moved = true;
	said = kernel_log_end(log);
	r = error ? refused(up, d, error, said) : 0;
	free(said);
	return r ? r : takeover_judge(d->live.name);
}

static int move_all(struct upgrade *up, struct json_object *list)
{
	struct json_object *entry;
	unsigned int i;
	double ms;
	int r = 0;

	for (i = 0; i < up->nr && !r; i++) {
		struct device_state *d = &up->devices[i];

		if (is_new(up, d))
			continue;
		r = move(up, d, &ms);
		if (r)
			break;
		if (!list) {
			printf("%s: %s instead of %s, in %.0f ms\n", d->live.name, up->build.version,
			       version_text(d), ms);
			continue;
		}
		entry = json_object_new_object();
		json_add_text(entry, "name", d->live.name);
		json_add_text(entry, "from", d->version[0] ? d->version : NULL);
		json_add(entry, "pause_ms", json_object_new_double(ms));
		json_object_array_add(list, entry);
	}
	return r;
}

/* ---- all of them -------------------------------------------------------------------- */

static int load_module(struct upgrade *up)
{
	bool loaded;
	char *said;
	int error, r;

	r = build_is_loaded(up->build.version, &loaded);
	if (r || loaded)
		return r;
	error = build_load(&up->build, &said);
	if (!error)
		r = build_is_loaded(up->build.version, &loaded);
	if (!error && !r && !loaded)
		error = ENODEV;
	if (error)
		r = tool_fail(TOOL_SYSTEM, "All devices go on with the build that they have.",
			      "%s cannot be loaded: %s%s%s", up->build.path, strerror(error),
			      said ? "\n  The kernel says:" : "", said ? said : "");
	free(said);
	return r;
}

/* All that needs memory, a key or a file, while the running instances go on. */
static int load_tables(struct upgrade *up)
{
	unsigned int i;
	char *said;
	int error, r;

	for (i = 0; i < up->nr; i++) {
		struct device_state *d = &up->devices[i];

		if (is_new(up, d))
			continue;
		error = takeover_load(&d->live, up->target, d->live.params, &said);
		if (error) {
			r = refused(up, d, error, said);
			free(said);
			return r;
		}
		free(said);
	}
	return 0;
}

static void unload(const char *version, void *context)
{
	const struct upgrade *up = context;

	if (strcmp(version, up->build.version))
		build_unload(version);		/* in use by another device: it stays */
}

/* For a device that an upgrade before has left suspended, with the new build. */
static void note_other(const char *version, void *context)
{
	struct upgrade *up = context;

	if (strcmp(version, up->build.version))
		snprintf(up->other, sizeof(up->other), DM_TARGET_OF "%s", version);
}

static int upgrade(struct upgrade *up, struct json_object *list)
{
	struct build old;
	unsigned int i;
	int r;

	for (i = 0; i < up->nr; i++)
		if (up->devices[i].version[0] &&
		    build_find_version(up->devices[i].version, &old))
			build_keep(&old);
	build_keep(&up->build);
	r = build_each_loaded(note_other, up);
	if (!r)
		r = load_module(up);
	if (!r)
		r = load_tables(up);
	if (r)
		return r;
	takeover_prepare("upgrade");
	r = move_all(up, list);
	takeover_done();
	return r ? r : build_each_loaded(unload, up);
}

/*
 * A child does it, in a session of its own: who kills the tool does not stop it halfway,
 * with a device suspended.
 */
static int upgrade_in_child(struct upgrade *up, bool json)
{
	struct json_object *list = json ? json_object_new_array() : NULL;
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		setsid();
		status = upgrade(up, list);
		if (json)
			json_add(json_document(), "devices", list);
		json_end(status);
		fflush(stdout);
		_exit(status);
	}
	json_forget();
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return tool_fail(TOOL_SYSTEM, "Nothing was changed.", "no process can be made");
	return WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_SYSTEM;
}

static int dry_run(const struct upgrade *up)
{
	unsigned int i, nr = 0;
	bool loaded;
	int r = build_is_loaded(up->build.version, &loaded);

	if (r)
		return r;
	printf("%s: version %s, %s\n", up->build.path, up->build.version,
	       loaded ? "loaded already" : "would be loaded");
	for (i = 0; i < up->nr; i++) {
		const struct device_state *d = &up->devices[i];

		printf("%s: %s, %s\n", d->live.name, version_text(d), is_new(up, d) ? "stays" :
		       d->live.suspended ? "suspended, would be taken over" :
		       "would be taken over");
		nr += !is_new(up, d);
	}
	printf("%u device%s would change; nothing was changed\n", nr, PLURAL(nr));
	return 0;
}

/* ---- is there a way back? ----------------------------------------------------------- */

struct ways {
	const struct upgrade *up;
	unsigned int nr;
};

static void show_way(struct ways *ways, const char *version, const char *where)
{
	unsigned int i;

	for (i = 0; i < ways->up->nr; i++)
		if (!strcmp(ways->up->devices[i].version, version))
			return;
	printf("  %s: %s\n", version, where);
	ways->nr++;
}

static void show_loaded(const char *version, void *context)
{
	show_way(context, version, "loaded");
}

static void show_file(const struct build *build, void *context)
{
	bool loaded;

	if (!build_is_loaded(build->version, &loaded) && !loaded)
		show_way(context, build->version, build->path);
}

static int show_ways(const struct upgrade *up)
{
	struct ways ways = { .up = up };
	unsigned int i;
	int r;

	for (i = 0; i < up->nr; i++)
		printf("%s: %s%s\n", up->devices[i].live.name, version_text(&up->devices[i]),
		       up->devices[i].live.suspended ? ", suspended" : "");
	printf("other builds that could take over; the disks' format does not change:\n");
	r = build_each_loaded(show_loaded, &ways);
	build_each_file(show_file, &ways);
	if (!r && !ways.nr)
		printf("  none\n");
	return r || ways.nr ? r : TOOL_DEGRADED;
}

int cmd_upgrade(const struct options *opt)
{
	struct upgrade *up = calloc(1, sizeof(*up));
	int r;

	if (!up)
		return tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	takeover_wait_turn();
	r = find_devices(up, opt);
	if (!r && opt->check) {
		r = show_ways(up);
	} else if (!r) {
		r = build_find(opt->module, &up->build);
		snprintf(up->target, sizeof(up->target), DM_TARGET_OF "%s", up->build.version);
		if (!r)
			r = opt->dry_run ? dry_run(up) : upgrade_in_child(up, opt->json);
	}
	free_devices(up);
	free(up);
	return r;
}
