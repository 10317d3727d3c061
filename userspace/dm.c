// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "dm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "others.h"
#include "params.h"
#include "report.h"

#define MAX_WORDS	32u	/* of a table line */

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

/*
 * A task that holds the live table of a mapping.  Its line may have a key, and nobody is
 * waited for.  NULL when out of memory; *ok: it was read.
 */
static struct dm_task *read_table(const char *name, bool *ok)
{
	struct dm_task *task = new_task(DM_DEVICE_TABLE, name);

	*ok = task && dm_task_secure_data(task) && dm_task_no_flush(task) && dm_task_run(task);
	return task;
}

/* What modprobe said, in one line. */
static char modprobe_words[256];

static int no_device_mapper(const char *what)
{
	const char *words = modprobe_words[0] ? modprobe_words : last_words;

	if (geteuid())
		return tool_fail(TOOL_PERMISSION, "Nothing was changed.  Run it as root.",
				 "%s: this needs root's rights", what);
	return tool_fail(TOOL_SYSTEM, "Nothing was changed.  Does the kernel have device-mapper "
			 "(modprobe dm-mod)?", "%s: device-mapper does not answer%s%s", what,
			 words[0] ? ": " : "", words);
}

/* ---- table line ------------------------------------------------------------- */

/* Links stay: /dev/disk/by-id/... is right also after the next boot. */
static char *absolute(const char *path)
{
	char *here = getcwd(NULL, 0), *full = NULL;

	if (path[0] == '/')
		full = strdup(path);
	else if (!here || asprintf(&full, "%s/%s", here, path) < 0)
		full = NULL;
	free(here);
	return full;
}

/*
 * The kernel splits its line at blanks, for which its isspace() also takes 0xa0, a byte
 * of many UTF-8 letters.  It knows a quoting, but libdevmapper, and so dmsetup, doubles
 * the backslashes of a line.  What would be split goes by its number.
 */
static void print_device(FILE *f, const struct device *dev)
{
	char *path = absolute(dev->path);

	if (dev->block && (!path || strpbrk(path, " \t\n\v\f\r\xa0")))
		fprintf(f, "%u:%u", major(dev->dev), minor(dev->dev));
	else
		fprintf(f, "%s", path ? path : "?");
	free(path);
}

static void append_root_devices(FILE *f, const struct view *view)
{
	unsigned int i;

	for (i = 0; i < view->disk.nr_roots; i++) {
		fprintf(f, " root_dev ");
		if (disk_missing(&view->disk) == (int)i)
			putc('-', f);
		else
			print_device(f, &view->disk.roots[i]);
	}
}

char *dm_params(const struct view *view, const struct options *opt)
{
	bool read_only = opt->read_only || disk_read_only(&view->disk);
	bool hold = opt->on_error && !strcmp(opt->on_error, "hold");
	bool sync = opt->sync && strcmp(opt->sync, "off");
	unsigned int nr = 2 * view->disk.nr_roots + read_only + opt->backup + 2 * !!opt->interval_ms +
			  2 * !!opt->cache_blocks + 2 * !!view->key_size + 2 * hold +
			  2 * (hold && opt->hold_ms) + 2 * !!opt->keep_max + 2 * sync +
			  2 * (sync && opt->sync_ms) + 2 * (opt->wait && !read_only);
	char *params = NULL;
	size_t i, size;
	FILE *f = open_memstream(&params, &size);

	if (!f)
		return NULL;
	print_device(f, &view->disk.data);
	if (nr)
		fprintf(f, " %u", nr);
	append_root_devices(f, view);
	if (read_only)
		fprintf(f, " read_only");
	if (opt->backup)
		fprintf(f, " backup");
	if (opt->interval_ms)
		fprintf(f, " interval_ms %u", opt->interval_ms);
	if (opt->cache_blocks)
		fprintf(f, " cache_blocks %u", opt->cache_blocks);
	if (hold)
		fprintf(f, " on_error hold");
	if (hold && opt->hold_ms)
		fprintf(f, " hold_ms %u", opt->hold_ms);
	if (sync)
		fprintf(f, " sync %s", opt->sync);
	if (sync && opt->sync_ms)
		fprintf(f, " sync_ms %u", opt->sync_ms);
	if (opt->keep_max)
		fprintf(f, " keep_max %u", opt->keep_max);
	if (opt->wait && !read_only)
		fprintf(f, " heartbeat_ms %u", OTHERS_HEARTBEAT_MS);
	if (view->key_size)
		fprintf(f, " key ");
	for (i = 0; i < view->key_size; i++)
		fprintf(f, "%02x", view->key[i]);
	if (fclose(f)) {
		free(params);
		return NULL;
	}
	return params;
}

/* ---- module ------------------------------------------------------------------- */

int dm_each_target(const char *prefix, void (*fn)(const char *rest, void *context),
		   void *context)
{
	struct dm_task *task = new_task(DM_DEVICE_LIST_VERSIONS, NULL);
	struct dm_versions *versions, *last = NULL;

	if (!task || !dm_task_run(task)) {
		if (task)
			dm_task_destroy(task);
		return no_device_mapper("dm-triad");
	}
	/* the list ends with an entry that leads to itself */
	for (versions = dm_task_get_versions(task); versions && versions != last;
	     versions = (struct dm_versions *)((char *)versions + versions->next)) {
		if (!strncmp(versions->name, prefix, strlen(prefix)))
			fn(versions->name + strlen(prefix), context);
		last = versions;
	}
	dm_task_destroy(task);
	return 0;
}

static void note_whole(const char *rest, void *context)
{
	*(bool *)context |= !*rest;
}

static int has_target(bool *found)
{
	*found = false;
	return dm_each_target(DM_TARGET, note_whole, found);
}

static void exec_modprobe(const char *module, int words)
{
	dup2(words, STDERR_FILENO);
	execlp("modprobe", "modprobe", module, (char *)NULL);
	execl("/sbin/modprobe", "modprobe", module, (char *)NULL);
	dprintf(STDERR_FILENO, "modprobe cannot be run: %s\n", strerror(errno));
	_exit(127);
}

/* Its words are shown only if it did not help. */
void dm_modprobe(const char *module)
{
	size_t nr = 0, room = sizeof(modprobe_words) - 1;
	int words[2];
	pid_t child;
	FILE *f;
	int c;

	modprobe_words[0] = 0;
	if (pipe2(words, O_CLOEXEC))
		return;
	child = fork();
	if (!child)
		exec_modprobe(module, words[1]);
	close(words[1]);
	f = fdopen(words[0], "r");
	while (f && (c = getc(f)) != EOF)
		if (nr < room)
			modprobe_words[nr++] = c == '\n' ? ' ' : c;
	while (nr && modprobe_words[nr - 1] == ' ')
		nr--;
	modprobe_words[nr] = 0;
	if (f)
		fclose(f);
	else
		close(words[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

int dm_load_module(void)
{
	char advice[512];
	bool found;
	int r;

	if (access("/dev/mapper/control", F_OK) && access("/sys/class/misc/device-mapper", F_OK))
		dm_modprobe("dm-mod");
	r = has_target(&found);
	if (r || found)
		return r;
	dm_modprobe("dm-triad");
	r = has_target(&found);
	if (r || found)
		return r;
	snprintf(advice, sizeof(advice), strstr(modprobe_words, "Key was rejected") ?
		 "Nothing was changed.  Secure Boot wants the module signed with a key that this machine\n"
		 "  trusts: mokutil --import %s, then boot; triadsetup doctor tells more." :
		 "Nothing was changed.  Build and install the module for this kernel, then: modprobe dm-triad",
		 kernel_signing_key());
	return tool_fail(TOOL_SYSTEM, advice,
			 "the kernel has no target '" DM_TARGET "', and modprobe dm-triad "
			 "did not help%s%s", modprobe_words[0] ? ":\n  " : "", modprobe_words);
}

/* ---- create, remove ------------------------------------------------------------- */

/* Run a task that makes or removes a node, and wait for udev if there is one. */
static int run_with_udev(struct dm_task *task)
{
	u32 cookie = 0;
	int ok = dm_task_set_cookie(task, &cookie, 0) && dm_task_run(task);

	if (cookie)
		dm_udev_wait(cookie);
	return ok;
}

/* What a task that failed returned: libdevmapper refuses some by itself, without an errno. */
static int error_of(struct dm_task *task)
{
	int error = task ? dm_task_get_errno(task) : 0;

	return error ? error : EIO;
}

/* A step of dm_create(): 0 or an errno.  task may be NULL, and is freed. */
static int step(struct dm_task *task, int ok, struct dm_info *info)
{
	int error = 0;

	if (!task || !ok || !(info ? run_with_udev(task) : dm_task_run(task)) ||
	    (info && !dm_task_get_info(task, info)))
		error = error_of(task);
	if (task)
		dm_task_destroy(task);
	return error;
}

static int create(const char *name, const char *uuid)
{
	struct dm_task *task = new_task(DM_DEVICE_CREATE, name);

	return step(task, task && dm_task_set_uuid(task, uuid), NULL);
}

static int load(const char *name, u64 sectors, const char *target, const char *params,
		bool read_only)
{
	struct dm_task *task = new_task(DM_DEVICE_RELOAD, name);

	return step(task, task && (!read_only || dm_task_set_ro(task)) &&
		    dm_task_add_target(task, 0, sectors, target, params) &&
		    dm_task_secure_data(task), NULL);
}

static int resume(const char *name, struct dm_info *info)
{
	struct dm_task *task = new_task(DM_DEVICE_RESUME, name);

	return step(task, task && dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME), info);
}

static int remove_mapping(const char *name, bool retry)
{
	struct dm_task *task = new_task(DM_DEVICE_REMOVE, name);
	struct dm_info info;
	int error = step(task, task && (!retry || dm_task_retry_remove(task)), &info);

	dm_task_update_nodes();
	return error;
}

static int stat_node(const char *name, struct stat *st)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dm_dir(), name);
	return stat(path, st);
}

/*
 * The node is there and leads to this device: that of a mapping that is gone would
 * take what is written to the name.
 */
static bool node_is_right(const char *name, const struct dm_info *info)
{
	dev_t dev = makedev(info->major, info->minor);
	struct stat st;
	int i;

	for (i = 0; i < 2; i++) {
		dm_task_update_nodes();
		if (!stat_node(name, &st) && S_ISBLK(st.st_mode) && st.st_rdev == dev)
			return true;
		dm_mknodes(name);
	}
	return false;
}

static int name_is_taken(const char *name)
{
	return tool_fail(TOOL_BUSY, "The device is not open; what it holds is safe.  Move away what "
			 "lies there.", "%s/%s: something else has this name", dm_dir(), name);
}

/* said is what the kernel logged meanwhile, or NULL. */
static int not_opened(const char *name, int error, const char *said)
{
	char advice[2048];

	snprintf(advice, sizeof(advice), "The device was not opened; what it holds is safe.  %s%s",
		 said ? "The kernel says:" : "dmesg says why.", said ? said : "");
	/* the kernel's ENOSPC: the device is too short */
	return tool_fail(error == ENOSPC ? TOOL_DEVICE : tool_exit_of(-error), advice, "%s: %s", name,
			 error == EBUSY ? "the device is in use, or open already" :
			 last_words[0] ? last_words : strerror(error));
}

/*
 * Each step is a task of its own: of a creation that also loads, libdevmapper does
 * not tell the error.
 */
int dm_create(const char *name, const char *uuid, u64 sectors, const char *params,
	      bool read_only)
{
	struct dm_info info;
	char words[256];
	struct stat st;
	int error, log, r;
	char *said;

	/* a file, where something wrote to a device that was not there: libdevmapper would remove it */
	if (!stat_node(name, &st) && !S_ISBLK(st.st_mode))
		return name_is_taken(name);
	error = create(name, uuid);
	if (error == EBUSY)
		return tool_fail(TOOL_BUSY,
				 "Nothing was changed.  Take another name, or close that first.",
				 "%s: a mapping of this name exists", name);
	if (!error) {
		log = kernel_log_begin();
		error = load(name, sectors, DM_TARGET, params, read_only);
		if (!error)
			error = resume(name, &info);
		if (!error && node_is_right(name, &info)) {
			free(kernel_log_end(log));
			return 0;
		}
		said = kernel_log_end(log);
		snprintf(words, sizeof(words), "%s", last_words);
		remove_mapping(name, true);
		snprintf(last_words, sizeof(last_words), "%s", words);
		r = error ? not_opened(name, error, said) : name_is_taken(name);
		free(said);
		return r;
	}
	return not_opened(name, error, NULL);
}

static int no_mapping(const char *name)
{
	return tool_fail(TOOL_DEVICE, "Nothing was changed.  See: dmsetup ls --target triad",
			 "%s: there is no mapping of this name", name);
}

static bool is_our_target(const char *type)
{
	return type && (!strcmp(type, DM_TARGET) ||
			!strncmp(type, DM_TARGET_OF, strlen(DM_TARGET_OF)));
}

/* Made by open, or by hand with triad's target; never what others made. */
static bool is_ours(struct dm_task *task)
{
	const char *uuid = dm_task_get_uuid(task);
	char *type = NULL, *params;
	u64 start, length;

	if (uuid && *uuid)
		return !strncmp(uuid, DM_UUID_PREFIX, strlen(DM_UUID_PREFIX));
	dm_get_next_target(task, NULL, &start, &length, &type, &params);
	return is_our_target(type);
}

/* 0 for a mapping that may be removed */
static int look_at(const char *name, struct dm_info *info)
{
	bool ok;
	struct dm_task *task = read_table(name, &ok);
	int r = 0;

	if (!ok)
		r = error_of(task) == ENXIO ? no_mapping(name) : no_device_mapper(name);
	else if (!dm_task_get_info(task, info) || !info->exists)
		r = no_mapping(name);
	else if (!is_ours(task))
		r = tool_fail(TOOL_DEVICE, "Nothing was changed.",
			      "%s: this is no dm-triad mapping", name);
	if (task)
		dm_task_destroy(task);
	return r;
}

static int remove_later(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_REMOVE, name);
	struct dm_info info;

	return step(task, task && dm_task_deferred_remove(task), &info);
}

int dm_remove(const char *name, bool deferred)
{
	char users[2304];
	struct dm_info info;
	int r, error;

	r = look_at(name, &info);
	if (r)
		return r;
	device_who_uses_dev(makedev(info.major, info.minor), users, sizeof(users));
	/* a look by udev ends by itself, a mount does not */
	error = deferred ? remove_later(name) : users[0] ? EBUSY : remove_mapping(name, true);
	if (!error)
		return 0;
	return tool_fail(tool_exit_of(-error),
			 "It stays open, and its data is safe.  Unmount what uses it first.",
			 "%s: %s%s%s", name, error != EBUSY ? last_words : "it is in use",
			 users[0] ? ": " : "", users);
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
	if (!is_our_target(type)) {
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

bool dm_find_status(const char *name, char **line, bool *suspended)
{
	struct dm_task *task = new_task(DM_DEVICE_STATUS, name);
	char *type = NULL, *params = NULL;
	struct dm_info info;
	u64 start, sectors;

	*line = NULL;
	if (task && dm_task_no_flush(task) && dm_task_run(task) && dm_task_get_info(task, &info) && info.exists) {
		dm_get_next_target(task, NULL, &start, &sectors, &type, &params);
		if (is_our_target(type))
			*line = strdup(params ? params : "");
		*suspended = info.suspended;
	}
	if (task)
		dm_task_destroy(task);
	return *line;
}

/* ---- another instance takes over ----------------------------------------------- */

int dm_live_get(const char *name, struct dm_live *live)
{
	bool ok;
	struct dm_task *task = read_table(name, &ok);
	char *type = NULL, *params = NULL;
	struct dm_info info;
	u64 start;
	int r = 0;

	memset(live, 0, sizeof(*live));
	if (!ok)
		r = error_of(task) == ENXIO ? no_mapping(name) : no_device_mapper(name);
	else if (!dm_task_get_info(task, &info) || !info.exists)
		r = no_mapping(name);
	if (!r) {
		dm_get_next_target(task, NULL, &start, &live->sectors, &type, &params);
		if (!is_our_target(type))
			r = tool_fail(TOOL_DEVICE, "Nothing was changed.",
				      "%s: this is no dm-triad mapping", name);
	}
	if (!r) {
		snprintf(live->name, sizeof(live->name), "%s", name);
		snprintf(live->target, sizeof(live->target), "%s", type);
		live->params = strdup(params ? params : "");
		live->read_only = info.read_only;
		live->suspended = info.suspended;
		if (!live->params)
			r = tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	}
	if (task)
		dm_task_destroy(task);
	return r;
}

void dm_live_free(struct dm_live *live)
{
	if (live->params)
		explicit_bzero(live->params, strlen(live->params));
	free(live->params);
	live->params = NULL;
}

int dm_load_beside(const struct dm_live *live, const char *target, const char *params,
		   char **said)
{
	int log = kernel_log_begin();
	int error = load(live->name, live->sectors, target, params, live->read_only);

	*said = kernel_log_end(log);
	return error;
}

int dm_each_device(int (*fn)(const char *name, void *context), void *context)
{
	struct dm_task *task = new_task(DM_DEVICE_LIST, NULL), *table;
	struct dm_names *names, *last = NULL;
	char *type, *params;
	u64 start, length;
	bool ok;
	int r = 0;

	if (!task || !dm_task_run(task)) {
		if (task)
			dm_task_destroy(task);
		return no_device_mapper("dm-triad");
	}
	names = dm_task_get_names(task);
	for (; !r && names && names->dev && names != last;
	     names = (struct dm_names *)((char *)names + names->next)) {
		last = names;
		type = NULL;
		table = read_table(names->name, &ok);
		if (ok)
			dm_get_next_target(table, NULL, &start, &length, &type, &params);
		if (is_our_target(type))
			r = fn(names->name, context);
		if (table)
			dm_task_destroy(table);
		if (!names->next)
			break;
	}
	dm_task_destroy(task);
	return r;
}

void dm_unload_beside(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_CLEAR, name);

	step(task, task != NULL, NULL);
}

/* No node changes its name: udev is not waited for, which might read the device. */
int dm_take_over(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_RESUME, name);

	return step(task, task && dm_task_no_flush(task) && dm_task_skip_lockfs(task), NULL);
}

int dm_wait_event(const char *name, u32 *nr)
{
	struct dm_task *task = new_task(DM_DEVICE_WAITEVENT, name);
	struct dm_info info;
	int error = 0;

	if (!task || !dm_task_set_event_nr(task, *nr) || !dm_task_no_flush(task) ||
	    !dm_task_run(task) || !dm_task_get_info(task, &info))
		error = error_of(task);
	else if (!info.exists)
		error = ENXIO;
	else
		*nr = info.event_nr;
	if (task)
		dm_task_destroy(task);
	return error;
}

bool dm_exists(const char *name, u32 *event_nr)
{
	struct dm_task *task = new_task(DM_DEVICE_INFO, name);
	struct dm_info info;
	bool found = task && dm_task_run(task) && dm_task_get_info(task, &info) && info.exists;

	*event_nr = found ? info.event_nr : 0;
	if (task)
		dm_task_destroy(task);
	return found;
}

int dm_events_open(void)
{
	return open(DM_CONTROL, O_RDWR | O_CLOEXEC);
}

/* It can be polled once for each time. */
void dm_events_arm(int events)
{
	struct dm_ioctl arm = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(arm),
		.data_start = sizeof(arm),
	};

	if (events >= 0)
		ioctl(events, DM_DEV_ARM_POLL, &arm);
}

void dm_events_wait(int events, int timeout_ms)
{
	struct pollfd armed = { .fd = events, .events = POLLIN };

	poll(&armed, 1, timeout_ms);
}

void dm_events_close(int events)
{
	if (events >= 0)
		close(events);
}

int dm_let_fail(const char *name, u64 sectors)
{
	int error = load(name, sectors, "error", "", false);

	return error ? error : dm_take_over(name);
}

int dm_ask(const char *name, const char *message, char *answer, size_t size)
{
	struct dm_task *task = new_task(DM_DEVICE_TARGET_MSG, name);
	const char *said;
	int error = 0;

	if (!task || !dm_task_set_sector(task, 0) || !dm_task_set_message(task, message) ||
	    !dm_task_run(task))
		error = error_of(task);
	said = error ? NULL : dm_task_get_message_response(task);
	snprintf(answer, size, "%s", said ? said : "");
	if (task)
		dm_task_destroy(task);
	return error;
}

int dm_message(const char *name, const char *message)
{
	char answer[8];

	return dm_ask(name, message, answer, sizeof(answer));
}

int dm_suspend(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_SUSPEND, name);

	return step(task, task != NULL, NULL);
}

int dm_resume(const char *name)
{
	struct dm_info info;

	return resume(name, &info);
}

/* ---- what lies below ---------------------------------------------------------------- */

/* "253:0" or a path, as the table has it, to a path. */
static void device_path(const char *device, char *path, size_t size)
{
	unsigned int major_nr, minor_nr;
	char link[64], line[256], word[256];
	FILE *f;

	if (sscanf(device, "%u:%u", &major_nr, &minor_nr) != 2) {
		snprintf(path, size, "%s", device);
		return;
	}
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u/uevent", major_nr, minor_nr);
	f = fopen(link, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "DEVNAME=%255s", word) == 1)
			snprintf(path, size, "/dev/%s", word);
	if (f)
		fclose(f);
	/* what is a mapping itself is known by its name */
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u/dm/name", major_nr, minor_nr);
	f = fopen(link, "re");
	if (f && fgets(line, sizeof(line), f) && sscanf(line, "%255s", word) == 1)
		snprintf(path, size, "%s/%s", dm_dir(), word);
	if (f)
		fclose(f);
}

/* The words of the live table's line, for triad_params_parse(); in place. */
static unsigned int split(char *params, char **words, unsigned int max)
{
	unsigned int nr = 0;
	char *rest = NULL, *word;

	for (word = strtok_r(params, " ", &rest); word && nr < max;
	     word = strtok_r(NULL, " ", &rest))
		words[nr++] = word;
	return nr;
}

bool dm_source(const char *name, struct dm_source *source)
{
	bool ok;
	struct dm_task *task = read_table(name, &ok);
	char *type = NULL, *params = NULL, *words[MAX_WORDS];
	struct triad_params parsed;
	const char *error;
	u64 start, length;
	unsigned int i;

	memset(source, 0, sizeof(*source));
	if (ok) {
		dm_get_next_target(task, NULL, &start, &length, &type, &params);
		ok = params && is_our_target(type) &&
		     !triad_params_parse(&parsed, split(params, words, MAX_WORDS), words, &error);
	}
	if (ok) {
		device_path(parsed.device, source->device, sizeof(source->device));
		source->nr_roots = parsed.nr_root_dev;
		source->read_only = parsed.read_only;
		source->backup = parsed.backup;
		source->hold = parsed.hold;
		source->interval_ms = parsed.interval_ms;
		source->cache_blocks = parsed.cache_blocks;
		source->hold_ms = parsed.hold_ms;
		source->keep_max = parsed.keep_max;
		source->heartbeat_ms = parsed.heartbeat_ms;
		source->sync = parsed.sync;
		source->sync_ms = parsed.sync_ms;
		snprintf(source->uuid, sizeof(source->uuid), "%s",
			 dm_task_get_uuid(task) ? dm_task_get_uuid(task) : "");
		for (i = 0; i < parsed.nr_root_dev; i++)
			if ((int)i == parsed.missing)
				strcpy(source->root[i], DEVICE_MISSING);
			else
				device_path(parsed.root_dev[i], source->root[i],
					    sizeof(source->root[i]));
		if (parsed.key)
			snprintf(source->key, sizeof(source->key), "%s", parsed.key);
	}
	if (task)
		dm_task_destroy(task);
	return ok;
}

bool dm_is_ours(const char *name)
{
	struct dm_source source;
	bool ours = dm_source(name, &source);

	explicit_bzero(source.key, sizeof(source.key));
	return ours;
}

bool dm_find_mapping(const char *what, struct dm_source *source)
{
	size_t dir = strlen(dm_dir());
	struct stat st;

	if (!strncmp(what, dm_dir(), dir) && what[dir] == '/')
		return dm_source(what + dir + 1, source);
	return !strchr(what, '/') && stat(what, &st) && dm_source(what, source);
}

void dm_source_options(const struct dm_source *source, struct options *opt, char **path)
{
	unsigned int i;

	opt->args = path;
	opt->nr_args = 1;
	opt->nr_root_devices = source->nr_roots;
	for (i = 0; i < source->nr_roots; i++)
		opt->root_device[i] = source->root[i];
	/* one in the kernel's keyring is not ours to read */
	if (source->key[0] && source->key[0] != ':')
		opt->key = source->key;
}

bool dm_is_there(void)
{
	struct dm_task *task = new_task(DM_DEVICE_LIST, NULL);
	bool there = task && dm_task_run(task);

	if (task)
		dm_task_destroy(task);
	return there;
}

const char *dm_mapper_dir(void)
{
	return dm_dir();
}
