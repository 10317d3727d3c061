// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "dm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

/* libdevmapper's own words, kept for the one message that we print. */
static char last_words[256];

static void keep_words(int level, const char *file, int line, int error, const char *format, ...)
{
	va_list args;

	(void)file;
	(void)line;
	(void)error;
	if ((level & 7) > 3)	/* _LOG_ERR and worse */
		return;
	va_start(args, format);
	vsnprintf(last_words, sizeof(last_words), format, args);
	va_end(args);
}

static struct dm_task *new_task(int type, const char *name)
{
	struct dm_task *task;

	dm_log_with_errno_init(keep_words);
	last_words[0] = 0;
	task = dm_task_create(type);
	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task;
}

static int no_device_mapper(const char *what)
{
	if (geteuid())
		return tool_fail(TOOL_PERMISSION, "Nothing was changed.  Run it as root.",
				 "%s: this needs root's rights", what);
	return tool_fail(TOOL_USAGE, "Nothing was changed.  Does the kernel have device-mapper "
			 "(modprobe dm-mod)?", "%s: device-mapper does not answer%s%s", what,
			 last_words[0] ? ": " : "", last_words);
}

/* ---- table line ------------------------------------------------------------- */

static char *absolute(const char *path)
{
	char *full = realpath(path, NULL);

	return full ? full : strdup(path);
}

static void append_root_devices(FILE *f, const struct view *view)
{
	unsigned int i;

	for (i = 0; i < view->disk.nr_roots; i++) {
		char *path = absolute(view->disk.roots[i].path);

		fprintf(f, " root_dev %s", path ? path : "?");
		free(path);
	}
}

char *dm_params(const struct view *view, const struct options *opt)
{
	unsigned int nr = 2 * view->disk.nr_roots + opt->read_only + 2 * !!opt->interval_ms +
			  2 * !!opt->cache_blocks + 2 * !!view->key_size;
	char *params = NULL, *path = absolute(view->path);
	size_t i, size;
	FILE *f = path ? open_memstream(&params, &size) : NULL;

	if (!f) {
		free(path);
		return NULL;
	}
	fprintf(f, "%s", path);
	if (nr)
		fprintf(f, " %u", nr);
	append_root_devices(f, view);
	if (opt->read_only)
		fprintf(f, " read_only");
	if (opt->interval_ms)
		fprintf(f, " interval_ms %u", opt->interval_ms);
	if (opt->cache_blocks)
		fprintf(f, " cache_blocks %u", opt->cache_blocks);
	if (view->key_size)
		fprintf(f, " key ");
	for (i = 0; i < view->key_size; i++)
		fprintf(f, "%02x", view->key[i]);
	free(path);
	if (fclose(f)) {
		free(params);
		return NULL;
	}
	return params;
}

/* ---- module ------------------------------------------------------------------- */

static int has_target(bool *found)
{
	struct dm_task *task = new_task(DM_DEVICE_LIST_VERSIONS, NULL);
	struct dm_versions *versions, *last = NULL;

	*found = false;
	if (!task || !dm_task_run(task)) {
		if (task)
			dm_task_destroy(task);
		return no_device_mapper("open");
	}
	/* the list ends with an entry that leads to itself */
	for (versions = dm_task_get_versions(task); versions && versions != last;
	     versions = (struct dm_versions *)((char *)versions + versions->next)) {
		*found |= !strcmp(versions->name, DM_TARGET);
		last = versions;
	}
	dm_task_destroy(task);
	return 0;
}

static void modprobe(const char *module)
{
	pid_t child = fork();

	if (!child) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			dup2(null, STDERR_FILENO);
		execlp("modprobe", "modprobe", module, (char *)NULL);
		execl("/sbin/modprobe", "modprobe", module, (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

int dm_load_module(void)
{
	bool found;
	int r;

	if (access("/dev/mapper/control", F_OK) && access("/sys/class/misc/device-mapper", F_OK))
		modprobe("dm-mod");
	r = has_target(&found);
	if (r || found)
		return r;
	modprobe("dm-triad");
	r = has_target(&found);
	if (r || found)
		return r;
	return tool_fail(TOOL_USAGE,
			 "Nothing was changed.  Build and install the module for this kernel, "
			 "then: modprobe dm-triad",
			 "the kernel has no target '" DM_TARGET "', and modprobe dm-triad "
			 "did not help");
}

/* ---- create, remove ------------------------------------------------------------- */

static bool exists(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_INFO, name);
	struct dm_info info;
	bool found = task && dm_task_run(task) && dm_task_get_info(task, &info) && info.exists;

	if (task)
		dm_task_destroy(task);
	return found;
}

/* Run a task that makes or removes a node, and wait for udev if there is one. */
static int run_with_udev(struct dm_task *task)
{
	u32 cookie = 0;
	int ok = dm_task_set_cookie(task, &cookie, 0) && dm_task_run(task);

	if (cookie)
		dm_udev_wait(cookie);
	return ok;
}

static void ensure_node(const char *name)
{
	char path[512];

	dm_task_update_nodes();
	snprintf(path, sizeof(path), "%s/%s", dm_dir(), name);
	if (access(path, F_OK))
		dm_mknodes(name);
}

int dm_create(const char *name, const char *uuid, u64 sectors, const char *params,
	      bool read_only)
{
	struct dm_task *task;
	int ok, error;

	if (exists(name))
		return tool_fail(TOOL_BUSY,
				 "Nothing was changed.  Take another name, or close that first.",
				 "%s: a mapping of this name exists", name);
	task = new_task(DM_DEVICE_CREATE, name);
	ok = task && dm_task_set_uuid(task, uuid) && (!read_only || dm_task_set_ro(task)) &&
	     dm_task_add_target(task, 0, sectors, DM_TARGET, params) &&
	     dm_task_secure_data(task) && dm_task_set_add_node(task, DM_ADD_NODE_ON_CREATE);
	if (ok)
		ok = run_with_udev(task);
	error = task ? dm_task_get_errno(task) : ENOMEM;
	if (task)
		dm_task_destroy(task);
	if (ok) {
		ensure_node(name);
		return 0;
	}
	return tool_fail(error == EBUSY ? TOOL_BUSY : tool_exit_of(-error),
			 "The device was not opened; what it holds is safe.  dmesg says why.",
			 "%s: %s", name,
			 error == EBUSY ? "the device is in use, or open already" :
			 last_words[0] ? last_words : strerror(error));
}

int dm_remove(const char *name)
{
	struct dm_task *task;
	int ok, error;

	if (!exists(name)) {
		if (geteuid())
			return no_device_mapper(name);
		return tool_fail(TOOL_DEVICE,
				 "Nothing was changed.  See: dmsetup ls --target triad",
				 "%s: there is no mapping of this name", name);
	}
	task = new_task(DM_DEVICE_REMOVE, name);
	ok = task && run_with_udev(task);
	error = task ? dm_task_get_errno(task) : ENOMEM;
	if (task)
		dm_task_destroy(task);
	dm_task_update_nodes();
	if (ok)
		return 0;
	return tool_fail(error == EBUSY ? TOOL_BUSY : tool_exit_of(-error),
			 "It stays open, and its data is safe.  Unmount what uses it first.",
			 "%s: %s", name, error == EBUSY ? "it is in use" : last_words);
}

/* ---- status ----------------------------------------------------------------------- */

int dm_status(const char *name, char **line, bool *suspended, u64 *sectors)
{
	struct dm_task *task = new_task(DM_DEVICE_STATUS, name);
	char *type = NULL, *params = NULL;
	struct dm_info info;
	u64 start;
	int r = 0;

	*line = NULL;
	if (!task || !dm_task_no_flush(task) || !dm_task_run(task)) {
		r = task ? dm_task_get_errno(task) : ENOMEM;
		if (task)
			dm_task_destroy(task);
		if (r == ENXIO)
			return tool_fail(TOOL_DEVICE,
					 "Nothing was changed.  See: dmsetup ls --target triad",
					 "%s: there is no mapping of this name", name);
		return no_device_mapper(name);
	}
	if (!dm_task_get_info(task, &info) || !info.exists) {
		r = tool_fail(TOOL_DEVICE, "Nothing was changed.  See: dmsetup ls --target triad",
			      "%s: there is no mapping of this name", name);
		goto out;
	}
	dm_get_next_target(task, NULL, &start, sectors, &type, &params);
	if (!type || strcmp(type, DM_TARGET)) {
		r = tool_fail(TOOL_DEVICE, "Nothing was changed.",
			      "%s: this is no dm-triad mapping but '%s'", name,
			      type ? type : "without a table");
		goto out;
	}
	*suspended = info.suspended;
	*line = strdup(params ? params : "");
	if (!*line)
		r = tool_fail(TOOL_MEMORY, NULL, "out of memory");
out:
	dm_task_destroy(task);
	return r;
}
