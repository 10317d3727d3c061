// SPDX-License-Identifier: GPL-2.0-or-later
/* info: one screen for a person, of a device that is open or closed. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "status.h"
#include "stream.h"
#include "view.h"

struct info {
	const char *path;		/* of the disk or image */
	char disk_size[TEXT_SIZE];
	struct status status;		/* of the mapping, if it is open */
	bool open;
	char users[2304];		/* of the mapping, or of the disk */
	const struct triad_root *root;	/* NULL: it could not be read */
	const struct triad_origin *at;	/* of a replica */
	bool degraded;
	bool occupied;			/* something else lies in a root's place */
	bool lost_log;
	u64 used, usable;		/* blocks; usable 0: not known */
	u64 nr_records;			/* in the log */
	int worth;
};

static const char *how_safe(const struct info *info)
{
	if (info->worth == TOOL_DAMAGED)
		return info->open ? "it has failed, or went read-only, and nobody asked for that" :
		       "a part of its log that was flushed is damaged: it opens read-only";
	if (info->degraded || (info->open && status_is(&info->status, STATUS_HEALTH, "degraded")))
		return "degraded: one of the three copies of its state is bad; nothing is lost";
	if (info->open && info->status.number[STATUS_CHECKSUM_ERRORS])
		return "blocks did not match their checksums, and could not be read";
	return "well: its state is there three times";
}

static void advise(const struct info *info)
{
	const char *what = NULL;

	if (!info->open && info->lost_log)
		what = "repair";
	else if (!info->open)
		what = info->occupied ? "roots" : info->degraded ? "heal" : NULL;
	if (what) {
		printf("  %-12s triadsetup %s ", "what to do", what);
		put_quoted(stdout, info->path);
		putchar('\n');
	} else if (info->open && info->worth) {
		printf("  %-12s triadsetup status %s tells more\n", "what to do", info->status.name);
	}
}

static void print_where(const struct info *info)
{
	unsigned int i;

	printf("  %-12s %s (%s)\n", "where", info->path, info->disk_size);
	for (i = 0; info->open && i < info->status.source.nr_roots; i++)
		printf("  %-12s and %s\n", "", info->status.source.root[i]);
	if (info->open)
		printf("  %-12s open as /dev/mapper/%s, %s\n", "", info->status.name,
		       status_mode(&info->status));
	else	/* a replica's log is not there to be emptied */
		printf("  %-12s %s\n", "", info->nr_records && !triad_root_is_replica(info->root) ?
		       "not open, and was not closed: opening it applies its log" : "closed");
	if (info->users[0])
		printf("  %-12s %s\n", "", info->users);
}

static void print(const struct info *info)
{
	const struct triad_root *root = info->root;
	char text[TEXT_SIZE], more[TEXT_SIZE], position[POSITION_SIZE];

	text_label(root->label, TRIAD_LABEL_SIZE, text);
	printf("%s%sa dm-triad device of %s\n", text, text[0] ? ": " : "",
	       text_size(root->logical_blocks << TRIAD_BLOCK_SHIFT, more));
	printf("  %-12s %s\n", "UUID", text_uuid(root->uuid, text));
	if (triad_root_is_replica(root))
		printf("  %-12s %s\n", "replica", root->incompat & TRIAD_INCOMPAT_INCOMPLETE ?
		       "not complete: receive into it again" : position_text(info->at, position));
	print_where(info);
	if (info->usable)
		printf("  %-12s %s of %s, %.1f %%\n", "how full",
		       text_size(info->used << TRIAD_BLOCK_SHIFT, text),
		       text_size(info->usable << TRIAD_BLOCK_SHIFT, more),
		       100.0 * info->used / info->usable);
	printf("  %-12s %s\n", "how safe", how_safe(info));
	printf("  %-12s each block is verified by %s, its state by %s\n", "",
	       text_checksum(root->checksum_kind), root->hash);
	printf("  %-12s last commit %s, and %" PRIu64 " write%s in the log behind it\n", "since when",
	       text_time(root->time, text), info->nr_records, PLURAL(info->nr_records));
	advise(info);
}

static void fill_json(const struct info *info)
{
	struct json_object *out = json_document();
	const struct triad_root *root = info->root;

	json_add_text(out, "name", info->open ? info->status.name : NULL);
	json_add_number(out, "size", root->logical_blocks << TRIAD_BLOCK_SHIFT);
	json_add(out, "used", info->usable ?
		 json_object_new_uint64(info->used << TRIAD_BLOCK_SHIFT) : NULL);
	json_add(out, "usable", info->usable ?
		 json_object_new_uint64(info->usable << TRIAD_BLOCK_SHIFT) : NULL);
	json_add_bool(out, "open", info->open);
	json_add_text(out, "mode", info->open ? status_mode(&info->status) : NULL);
	json_add_text(out, "users", info->users[0] ? info->users : NULL);
	json_add_text(out, "safe", how_safe(info));
	json_add_bool(out, "replica", triad_root_is_replica(root));
	json_add_text(out, "hash", root->hash);
	json_add_text(out, "checksum", text_checksum(root->checksum_kind));
	json_add_number(out, "last_commit", root->time);
	json_add_number(out, "generation", root->generation);
	json_add_number(out, "log_records", info->nr_records);
}

/* ---- closed ------------------------------------------------------------------------- */

static int look_closed(struct info *info, struct view *view)
{
	const struct triad_core *core = &view->core;
	int r = view_open(view);

	if (r)
		return r;
	info->degraded = core->degraded;
	info->lost_log = triad_core_lost_log(core);
	info->used = core->root.used + core->space.nr_taken;
	info->usable = core->geo.usable;
	info->nr_records = core->replayed_records;
	info->worth = info->lost_log ? TOOL_DAMAGED : info->degraded ? TOOL_DEGRADED : TOOL_OK;
	device_who_uses(info->path, info->users, sizeof(info->users));
	return 0;
}

/* ---- open ---------------------------------------------------------------------------- */

static int look_open(struct info *info, struct view *view)
{
	char node[512];

	info->used = status_used_blocks(&info->status);
	info->usable = info->status.number[STATUS_USABLE];
	info->nr_records = info->status.number[STATUS_LOG_RECORDS];
	info->worth = status_worth(&info->status);
	snprintf(node, sizeof(node), "%s/%s", dm_mapper_dir(), info->status.name);
	device_who_uses(node, info->users, sizeof(info->users));
	/* a replica's log tells where it is; nobody writes to one that is open */
	return triad_root_is_replica(info->root) ? view_open(view) : 0;
}

struct search {
	const char *path;
	char name[160];
};

/* The mapping that lies on this disk. */
static int is_below(struct status *status, void *context)
{
	struct search *search = context;
	struct stat disk, its;

	if (!stat(search->path, &disk) && !stat(status->source.device, &its) &&
	    S_ISBLK(disk.st_mode) && disk.st_rdev == its.st_rdev)
		snprintf(search->name, sizeof(search->name), "%s", status->name);
	return 0;
}

static bool find_mapping(const char *what, char *name, size_t size)
{
	struct search search = { .path = what };
	const struct options all = { 0 };
	struct dm_source source;
	struct stat st;
	bool found;

	if (dm_find_mapping(what, &source)) {
		explicit_bzero(source.key, sizeof(source.key));
		snprintf(name, size, "%s", strrchr(what, '/') ? strrchr(what, '/') + 1 : what);
		return true;
	}
	/* without device-mapper nothing is open, and an image is no disk below one */
	found = !stat(what, &st) && S_ISBLK(st.st_mode) && dm_is_there() &&
		!status_each(&all, is_below, &search) && search.name[0];
	snprintf(name, size, "%s", search.name);
	return found;
}

static int show(struct info *info, const struct options *opt)
{
	struct view view;
	int r = view_probe(&view, opt, opt->args[0]);

	info->path = opt->args[0];
	text_size(view.disk.data.bytes, info->disk_size);
	if (!r)
		r = view_ready(&view);
	if (!r) {
		info->root = view_current(&view);
		info->degraded = view.choice.degraded;
		info->occupied = view.choice.occupied;
		info->at = &view.core.origin;
		r = info->open ? look_open(info, &view) : look_closed(info, &view);
	}
	if (!r && opt->json)
		fill_json(info);
	else if (!r)
		print(info);
	view_close(&view);
	return r ? r : info->worth;
}

int cmd_info(const struct options *opt)
{
	struct options its = *opt;
	struct info info = { 0 };
	struct dm_source source;
	char *path = source.device, name[160];
	int r;

	info.open = find_mapping(opt->args[0], name, sizeof(name));
	if (!info.open)
		return show(&info, opt);
	r = status_get(name, &info.status);
	if (!r && dm_source(name, &source)) {
		dm_source_options(&source, &its, &path);
		r = show(&info, &its);
		explicit_bzero(source.key, sizeof(source.key));
	}
	status_free(&info.status);
	return r;
}
