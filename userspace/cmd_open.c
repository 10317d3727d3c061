// SPDX-License-Identifier: GPL-2.0-or-later
/* open, close and table: between a device and its mapping. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "dm.h"
#include "kernel.h"
#include "locate.h"
#include "loop.h"
#include "report.h"
#include "others.h"
#include "reserve.h"
#include "tab.h"

static bool opens_read_only(const struct view *view, const struct options *opt)
{
	return opt->read_only || opt->backup || view_current(view)->ro_compat || view->choice.occupied ||
	       triad_root_is_replica(view_current(view)) || disk_read_only(&view->disk);
}

/*
 * Judge the roots as the kernel will: what it would refuse is explained here.  The
 * log is left to the kernel, so that opening reads it once.
 */
static int judge(struct view *view, const struct options *opt, const char *path)
{
	char owner[TEXT_SIZE];
	int r;

	r = view_probe(view, opt, path);
	if (!r)
		r = view_ready(view);
	if (r)
		return r;
	if (opt->backup)
		return view_ready_backup(view);
	if (disk_read_only(&view->disk) && !opt->read_only)
		tool_warn("%s: a disk of it is write-protected: it opens read-only", path);
	if (view->choice.occupied)
		tool_warn("%s: usable but degraded: %s.\n"
			  "  It opens read-only: what lies in slot %d may be somebody else's: %s%s.\n"
			  "  If that may be lost: triadsetup heal --force %s", path,
			  view_case(&view->choice), view->choice.overwrite,
			  view->slots[view->choice.overwrite].reason,
			  view_owner(&view->slots[view->choice.overwrite], owner), path);
	else if (view_has_lost(view))
		tool_warn("%s: usable but degraded: the root in slot %d cannot be had: %s.\n"
			  "  Nothing is lost, and the other two carry on.  Put its device back, or an "
			  "empty one in its place.", path, view->choice.overwrite,
			  view->slots[view->choice.overwrite].reason);
	else if (view->choice.degraded)
		tool_warn("%s: usable but degraded: %s.\n  %s", path,
			  view_case(&view->choice), opens_read_only(view, opt) ?
			  "Opened read-only it stays so." :
			  "It heals before the first write; no data is lost.");
	if (triad_root_is_replica(view_current(view)) && !opt->read_only)
		tool_warn("%s: it is a replica: it opens read-only.\n"
			  "  triadsetup receive --promote makes it a device of its own.", path);
	if (view_current(view)->ro_compat && !opt->read_only)
		tool_warn("%s: it uses features this version cannot write: it opens read-only",
			  path);
	return 0;
}

static u64 sectors_of(const struct view *view)
{
	return view_current(view)->logical_blocks * TRIAD_SECTORS_PER_BLOCK;
}

static void forget(char *params)
{
	if (params)
		explicit_bzero(params, strlen(params));
	free(params);
}

static int check_name(const char *name)
{
	if (*name && strlen(name) < 128 && !strchr(name, '/'))
		return 0;
	return tool_fail(TOOL_USAGE, "Nothing was changed.", "'%s' cannot be the name of a mapping",
			 name);
}

/*
 * Other characters device-mapper would keep in another spelling than the user's, and
 * a node by the user's would be left behind when the mapping is removed.
 */
static int check_new_name(const char *name)
{
	static const char may[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "#+-.:=@_";

	if (name[strspn(name, may)] || !strcmp(name, ".") || !strcmp(name, "..") ||
	    !strcmp(name, "control"))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Use letters, digits and any of "
				 "#+-.:=@_", "'%s' cannot be the name of a mapping", name);
	return check_name(name);
}

static int check_hash(const struct view *view)
{
	const char *name = view_current(view)->hash;

	if (kernel_may_have_hash(name))
		return 0;
	return tool_fail(TOOL_SYSTEM, "Nothing was changed.  Use a kernel that has it; "
			 "triadsetup export works here, too.",
			 "%s: it was formatted with the hash %s, which this kernel (%s) does not have",
			 view->path, name, kernel_release());
}

/* What is mapped must be a block device: loop devices for the files among the disks. */
struct loops {
	struct loop loop[1 + TRIAD_NR_SLOTS];
	unsigned int nr;
};

static int attach(struct device *dev, struct loops *loops, bool read_only)
{
	struct loop *loop = &loops->loop[loops->nr];
	int r;

	if (dev->block || dev->fd < 0)
		return 0;
	r = loop_attach(loop, dev->path, read_only);
	if (r == -ENOENT || r == -ENXIO || r == -ENODEV)
		return tool_fail(TOOL_SYSTEM, "Nothing was changed.  Does the kernel have loop devices "
				 "(modprobe loop)?", "%s: no loop device can be had for it: %s",
				 dev->path, strerror(-r));
	if (r)
		return tool_fail_open(dev->path, r, !read_only);
	loops->nr++;
	device_close(dev);
	r = device_open(dev, loop->path, DEVICE_READ);
	return r ? tool_fail_open(loop->path, r, false) : 0;
}

static int attach_files(struct view *view, struct loops *loops, bool read_only)
{
	unsigned int i;
	int r;

	r = attach(&view->disk.data, loops, read_only);
	for (i = 0; i < view->disk.nr_roots && !r; i++)
		r = attach(&view->disk.roots[i], loops, read_only);
	return r;
}

static void let_loops_go(struct loops *loops)
{
	while (loops->nr)
		close(loops->loop[--loops->nr].fd);
}

static void release(const char *path, const char *const *roots, unsigned int nr_roots)
{
	reserve_release(path);
	while (nr_roots)
		reserve_release(roots[--nr_roots]);
}

static int map(struct view *view, const struct options *opt, const char *name,
	       struct loops *loops)
{
	bool read_only = opens_read_only(view, opt), reserved = opt->reserve && !read_only, had = false;
	char uuid[TEXT_SIZE], dm_uuid[TEXT_SIZE + 160];
	u64 sectors = sectors_of(view);
	const char *which;
	char *params;
	int r;

	r = disk_claimed(&view->disk, &which);
	if (r)
		return tool_fail_open(which, r, true);
	r = dm_load_module();
	if (!r)
		r = attach_files(view, loops, read_only);
	if (r)
		return r;
	params = dm_params(view, opt);
	if (!params)
		return tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	snprintf(dm_uuid, sizeof(dm_uuid), DM_UUID_PREFIX "%s-%s", text_uuid(view_current(view)->uuid, uuid),
		 name);
	dm_uuid[128] = 0;	/* device-mapper keeps that much */
	if (reserved)
		r = reserve_disk(&view->disk, opt->take, &had);
	/* device-mapper claims the device for itself */
	disk_close(&view->disk);
	if (!r) {
		r = dm_create(name, dm_uuid, sectors, params, read_only);
		/* whoever had it is kept out, also if it cannot be used here */
		if (reserved && r && !had)
			release(view->path, opt->root_device, opt->nr_root_devices);
		else if (reserved && !r)
			reserve_note(name, had);
	}
	forget(params);
	return r;
}

/* The kernel has read the log meanwhile: tell what it found. */
static int explain_mode(const char *name, const struct options *opt, const struct view *view)
{
	char reason[TEXT_SIZE];
	bool suspended;
	char *line;
	u64 sectors;
	int r;

	r = dm_status(name, &line, &suspended, &sectors);
	if (r)
		return r;
	if (!strncmp(line, "ro ", 3) && !opens_read_only(view, opt))
		tool_warn("%s: opened read-only: %s.\n"
			  "  dmesg tells more.  Save what it holds: triadsetup export %s FILE",
			  name, status_reason(line, reason), view->args);
	free(line);
	return 0;
}

static int open_device(const struct options *opt, const char *name, const char *path)
{
	struct loops loops = { .nr = 0 };
	struct view view;
	int r;

	if (json_document())
		json_add_text(json_document(), "name", name);
	r = check_new_name(name);
	if (!r && opt->reserve && (opt->read_only || opt->backup))
		r = tool_fail(TOOL_USAGE, "Nothing was changed.", "--reserve is for who writes");
	if (r)
		return r;
	r = judge(&view, opt, path);
	if (!r)
		r = check_hash(&view);
	if (!r && opt->wait && !opens_read_only(&view, opt))
		r = others_wait(opt, path);
	if (!r)
		r = map(&view, opt, name, &loops);
	let_loops_go(&loops);
	if (!r)
		r = explain_mode(name, opt, &view);
	if (!r && opt->backup)
		view_tell_backup(&view);
	if (!r && json_document())
		json_add_number(json_document(), "sectors", sectors_of(&view));
	else if (!r && opt->verbose)
		printf("/dev/mapper/%s: %" PRIu64 " sectors\n", name, sectors_of(&view));
	view_close(&view);
	return r;
}

/* ---- triadtab ---------------------------------------------------------------- */

static void complain(const char *path, unsigned int line, const char *why)
{
	tool_warn("%s, line %u: %s; it is left out", path, line, why);
}

static int read_tab(struct tab *tab)
{
	int r = tab_read(tab, complain);

	return r ? tool_fail(tool_exit_of(r), "Nothing was changed.  See triadtab(5).", "%s: %s",
			     tab_path(), strerror(-r)) : 0;
}

/* What the line says, and what was typed beside it. */
static struct options options_of(const struct tab_entry *entry, const struct options *typed)
{
	struct options opt = entry->opt;

	opt.verbose = typed->verbose;
	opt.read_only |= typed->read_only;
	opt.backup |= typed->backup;
	opt.reserve |= typed->reserve;
	opt.take |= typed->take;
	opt.wait |= typed->wait;
	if (typed->nr_root_devices) {
		memcpy(opt.root_device, typed->root_device, sizeof(opt.root_device));
		opt.nr_root_devices = typed->nr_root_devices;
	}
	if (typed->key_file)
		opt.key_file = typed->key_file;
	if (typed->on_error)
		opt.on_error = typed->on_error;
	if (typed->hold_ms)
		opt.hold_ms = typed->hold_ms;
	if (typed->keep_max)
		opt.keep_max = typed->keep_max;
	if (typed->sync)
		opt.sync = typed->sync;
	if (typed->sync_ms)
		opt.sync_ms = typed->sync_ms;
	if (typed->interval_ms)
		opt.interval_ms = typed->interval_ms;
	if (typed->cache_blocks)
		opt.cache_blocks = typed->cache_blocks;
	return opt;
}

static int open_entry(const struct tab_entry *entry, const struct options *typed)
{
	struct options opt = options_of(entry, typed);
	const char *path = entry->device;
	unsigned int i;
	int r;

	/* as who starts a service twice: it is what was asked for */
	if (dm_is_ours(entry->name)) {
		if (typed->reserve)
			return tool_fail(TOOL_BUSY, "Nothing was changed.", "%s: it is open already; a disk is reserved "
					 "when it is opened", entry->name);
		if (json_document())
			json_add_text(json_document(), "name", entry->name);
		else if (typed->verbose)
			printf("/dev/mapper/%s: open already\n", entry->name);
		return 0;
	}
	r = locate(&path);
	for (i = 0; i < opt.nr_root_devices && !r; i++)
		r = locate(&opt.root_device[i]);
	return r ? r : open_device(&opt, entry->name, path);
}

/* One of several: what is told of it alone would be that of the last one. */
static void tell_one(struct json_object *list, const char *name, int code)
{
	static const char *const alone[] = { "name", "device", "uuid", "label", "sectors" };
	struct json_object *entry;
	unsigned int i;

	if (!list)
		return;
	for (i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		json_object_object_del(json_document(), alone[i]);
	entry = json_object_new_object();
	json_add_text(entry, "name", name);
	json_add_number(entry, "exit_code", code);
	json_object_array_add(list, entry);
}

/* The document's list of devices; NULL if it is not wanted. */
static struct json_object *list_of_devices(void)
{
	struct json_object *list = json_document() ? json_object_new_array() : NULL;

	if (list)
		json_add(json_document(), "devices", list);
	return list;
}

static int open_all(const struct tab *tab, const struct options *typed)
{
	struct json_object *list = list_of_devices();
	int r, result = tab->nr_wrong ? TOOL_USAGE : 0;
	unsigned int i;

	for (i = 0; i < tab->nr; i++) {
		if (tab->entry[i].noauto)
			continue;
		r = open_entry(&tab->entry[i], typed);
		tell_one(list, tab->entry[i].name, r);
		if (!result && !tab->entry[i].nofail)
			result = r;
	}
	return result;
}

static int close_one(const char *name, bool deferred)
{
	struct dm_source source;
	const char *roots[TRIAD_NR_SLOTS];
	bool known = dm_source(name, &source);
	unsigned int i;
	u32 events;
	int r = dm_remove(name, deferred);

	if (!known)
		return r;
	explicit_bzero(source.key, sizeof(source.key));
	for (i = 0; i < source.nr_roots; i++)
		roots[i] = source.root[i];
	/* deferred, it may be there still: then whoever opens it next on this host has it */
	if (!r && !dm_exists(name, &events) && reserve_forget(name))
		release(source.device, roots, source.nr_roots);
	return r;
}

/* In reverse: one may lie on another. */
static int close_all(const struct tab *tab, const struct options *opt)
{
	struct json_object *list = list_of_devices();
	unsigned int i;
	int r, result = 0;

	for (i = tab->nr; i-- > 0; ) {
		if (!dm_is_ours(tab->entry[i].name))
			continue;
		r = close_one(tab->entry[i].name, opt->deferred);
		tell_one(list, tab->entry[i].name, r);
		result = result ? result : r;
	}
	return result;
}

static int no_line(const char *name)
{
	return tool_fail(TOOL_USAGE, "Nothing was changed.  Name the device, or see triadtab(5).",
			 "%s has no line for %s", tab_path(), name);
}

/* All of it, or one line. */
static int with_tab(const struct options *opt,
		    int (*all)(const struct tab *tab, const struct options *opt))
{
	struct tab *tab = calloc(1, sizeof(*tab));
	const struct tab_entry *entry;
	int r;

	if (!tab)
		return tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	r = read_tab(tab);
	if (!r && opt->all) {
		r = all(tab, opt);
	} else if (!r) {
		entry = tab_find(tab, opt->args[0]);
		r = entry ? open_entry(entry, opt) : no_line(opt->args[0]);
	}
	tab_free(tab);
	free(tab);
	return r;
}

static int wrong_number(const char *command, const struct options *opt)
{
	return tool_fail(TOOL_USAGE, "Nothing was changed.", opt->all ?
			 "%s: with --all no name is given" : "%s: too few arguments", command);
}

int cmd_open(const struct options *opt)
{
	if (opt->all ? opt->nr_args : !opt->nr_args)
		return wrong_number("open", opt);
	if (opt->nr_args == 2)
		return open_device(opt, opt->args[0], opt->args[1]);
	return with_tab(opt, open_all);
}

int cmd_close(const struct options *opt)
{
	int r;

	if (opt->all ? opt->nr_args : !opt->nr_args)
		return wrong_number("close", opt);
	if (opt->all)
		return with_tab(opt, close_all);
	if (json_document())
		json_add_text(json_document(), "name", opt->args[0]);
	r = check_name(opt->args[0]);
	return r ? r : close_one(opt->args[0], opt->deferred);
}

int cmd_table(const struct options *opt)
{
	struct json_object *out;
	struct view view;
	char *params = NULL;
	int r;

	r = judge(&view, opt, opt->args[0]);
	if (!r) {
		params = dm_params(&view, opt);
		if (!params)
			r = tool_fail(TOOL_MEMORY, NULL, "out of memory");
	}
	if (params && opt->json) {
		out = json_document();
		json_add_number(out, "start", 0);
		json_add_number(out, "sectors", sectors_of(&view));
		json_add_text(out, "target", DM_TARGET);
		json_add_text(out, "params", params);
	} else if (params) {
		printf("0 %" PRIu64 " %s %s\n", sectors_of(&view), DM_TARGET, params);
	}
	forget(params);
	if (!r && opt->backup)
		view_tell_backup(&view);
	view_close(&view);
	return r;
}
