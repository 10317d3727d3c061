// SPDX-License-Identifier: GPL-2.0-or-later
/* open, close and table: between a device and its mapping. */
#include <inttypes.h>
#include <stdio.h>

#include "dm.h"
#include "kernel.h"
#include "report.h"

static bool opens_read_only(const struct view *view, const struct options *opt)
{
	return opt->read_only || opt->backup || view_current(view)->ro_compat || view->choice.occupied ||
	       disk_read_only(&view->disk);
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

static int map(struct view *view, const struct options *opt, const char *name)
{
	bool read_only = opens_read_only(view, opt);
	char uuid[TEXT_SIZE], dm_uuid[TEXT_SIZE + 160];
	u64 sectors = sectors_of(view);
	const char *which;
	char *params;
	int r;

	r = disk_claimed(&view->disk, &which);
	if (r)
		return tool_fail_open(which, r, true);
	r = dm_load_module();
	if (r)
		return r;
	params = dm_params(view, opt);
	if (!params)
		return tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	snprintf(dm_uuid, sizeof(dm_uuid), DM_UUID_PREFIX "%s-%s", text_uuid(view_current(view)->uuid, uuid),
		 name);
	dm_uuid[128] = 0;	/* device-mapper keeps that much */
	/* device-mapper claims the device for itself */
	disk_close(&view->disk);
	r = dm_create(name, dm_uuid, sectors, params, read_only);
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

int cmd_open(const struct options *opt)
{
	const char *name = opt->args[0], *path = opt->args[1];
	struct view view;
	int r;

	r = check_new_name(name);
	if (r)
		return r;
	r = judge(&view, opt, path);
	if (!r && !view.disk.data.block)
		r = tool_fail(TOOL_DEVICE,
			      "Nothing was changed.  First: losetup --find --show FILE",
			      "%s: this is a file, not a block device", path);
	if (!r)
		r = check_hash(&view);
	if (!r)
		r = map(&view, opt, name);
	if (!r)
		r = explain_mode(name, opt, &view);
	if (!r && opt->backup)
		view_tell_backup(&view);
	if (!r && opt->verbose)
		printf("/dev/mapper/%s: %" PRIu64 " sectors\n", name, sectors_of(&view));
	view_close(&view);
	return r;
}

int cmd_close(const struct options *opt)
{
	int r = check_name(opt->args[0]);

	return r ? r : dm_remove(opt->args[0]);
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
