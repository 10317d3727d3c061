// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "build.h"
#include "tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm.h"
#include "kernel.h"

#define KEPT	TOOL_RUN_DIR

static const char *module_of(const char *version, char name[64])
{
	char *p;

	snprintf(name, 64, "dm_triad_%s", version);
	for (p = name; *p; p++)
		*p = *p == '.' || *p == '-' ? '_' : *p;
	return name;
}

static struct kmod_ctx *new_context(void)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	/* its words are not for people; what went wrong is told by the kernel's */
	if (ctx)
		kmod_set_log_priority(ctx, 0);
	return ctx;
}

/* False: it is none of ours. */
static bool describe(struct kmod_module *mod, struct build *build)
{
	struct kmod_list *info = NULL, *entry;
	const char *path = kmod_module_get_path(mod);

	memset(build, 0, sizeof(*build));
	if (!path || kmod_module_get_info(mod, &info) < 0)
		return false;
	snprintf(build->path, sizeof(build->path), "%s", path);
	kmod_list_foreach(entry, info) {
		const char *key = kmod_module_info_get_key(entry);
		const char *value = kmod_module_info_get_value(entry);

		if (!strcmp(key, "version"))
			snprintf(build->version, sizeof(build->version), "%s", value);
		else if (!strcmp(key, "name"))
			snprintf(build->module, sizeof(build->module), "%s", value);
		else if (!strcmp(key, "signer"))
			snprintf(build->signer, sizeof(build->signer), "%s", value);
		build->is_signed |= !strcmp(key, "sig_id");
	}
	kmod_module_info_free_list(info);
	if (!build->module[0])
		snprintf(build->module, sizeof(build->module), "%s", kmod_module_get_name(mod));
	return build->version[0] && !strncmp(build->module, "dm_triad_", 9);
}

static bool describe_file(struct kmod_ctx *ctx, const char *path, struct build *build)
{
	struct kmod_module *mod = NULL;
	bool ours = false;

	if (!access(path, R_OK) && !kmod_module_new_from_path(ctx, path, &mod)) {
		ours = describe(mod, build);
		kmod_module_unref(mod);
	}
	return ours;
}

/* By alias or name, of several the one with the highest version. */
static bool look_up(struct kmod_ctx *ctx, const char *name, struct build *best)
{
	struct kmod_list *list = NULL, *entry;
	struct build build;
	bool found = false;

	if (kmod_module_new_from_lookup(ctx, name, &list) < 0)
		return false;
	kmod_list_foreach(entry, list) {
		struct kmod_module *mod = kmod_module_get_module(entry);

		if (describe(mod, &build) &&
		    (!found || strverscmp(build.version, best->version) > 0)) {
			*best = build;
			found = true;
		}
		kmod_module_unref(mod);
	}
	kmod_module_unref_list(list);
	return found;
}

int build_find(const char *path, struct build *build)
{
	struct kmod_ctx *ctx = new_context();
	bool found;

	if (!ctx)
		return tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	found = path ? describe_file(ctx, path, build) : look_up(ctx, "dm-triad", build);
	kmod_unref(ctx);
	if (found)
		return 0;
	return path ? tool_fail(TOOL_DEVICE, "Nothing was changed.",
				"%s: this is no module file of dm-triad", path) :
	       tool_fail(TOOL_SYSTEM, "Nothing was changed.  Install it for this kernel, or "
			 "name a file with --module.",
			 "modprobe knows no module dm-triad for %s", kernel_release());
}

static void kept_path(const char *module, char path[512])
{
	snprintf(path, 512, KEPT "/%s.ko", module);
}

bool build_find_version(const char *version, struct build *build)
{
	struct kmod_ctx *ctx = new_context();
	char name[64], path[512];
	bool found;

	if (!ctx)
		return false;
	module_of(version, name);
	kept_path(name, path);
	found = (look_up(ctx, name, build) && !strcmp(build->version, version)) ||
		(describe_file(ctx, path, build) && !strcmp(build->version, version));
	kmod_unref(ctx);
	return found;
}

int build_load(const struct build *build, char **said)
{
	struct kmod_ctx *ctx = new_context();
	struct kmod_module *mod = NULL, *needed = NULL;
	int log = kernel_log_begin();
	int r = ctx ? kmod_module_new_from_path(ctx, build->path, &mod) : -ENOMEM;

	/* a file of its own directory has no list of what it needs */
	if (!r && !kmod_module_new_from_name(ctx, "dm-triad-base", &needed))
		kmod_module_probe_insert_module(needed, 0, NULL, NULL, NULL, NULL);
	if (!r)
		r = kmod_module_insert_module(mod, 0, NULL);
	kmod_module_unref(needed);
	kmod_module_unref(mod);
	kmod_unref(ctx);
	*said = kernel_log_end(log);
	return -r;
}

int build_unload(const char *version)
{
	struct kmod_ctx *ctx = new_context();
	struct kmod_module *mod = NULL;
	char name[64];
	int r = ctx ? kmod_module_new_from_name(ctx, module_of(version, name), &mod) : -ENOMEM;

	if (!r)
		r = kmod_module_remove_module(mod, O_NONBLOCK);
	kmod_module_unref(mod);
	kmod_unref(ctx);
	return -r;
}

void build_keep(const struct build *build)
{
	char path[512], part[520], buffer[1 << 16];
	int from, to = -1;
	ssize_t n = -1;

	kept_path(build->module, path);
	if (!strcmp(path, build->path))
		return;
	snprintf(part, sizeof(part), "%s.part", path);
	mkdir(KEPT, 0700);
	from = open(build->path, O_RDONLY | O_CLOEXEC);
	if (from >= 0)
		to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (to >= 0 && (n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, n) != n)
			break;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	/* no copy is better than half of one */
	if (n || rename(part, path))
		unlink(part);
}

void build_each_file(void (*fn)(const struct build *build, void *context), void *context)
{
	struct kmod_ctx *ctx = new_context();
	DIR *dir = opendir(KEPT);
	struct dirent *entry;
	struct build build;
	char path[512];

	if (ctx && look_up(ctx, "dm-triad", &build))
		fn(&build, context);
	while (ctx && dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), KEPT "/%.200s", entry->d_name);
		if (describe_file(ctx, path, &build))
			fn(&build, context);
	}
	if (dir)
		closedir(dir);
	kmod_unref(ctx);
}

int build_each_loaded(void (*fn)(const char *version, void *context), void *context)
{
	return dm_each_target(DM_TARGET_OF, fn, context);
}

struct search {
	const char *version;
	bool found;
};

static void compare(const char *version, void *context)
{
	struct search *search = context;

	search->found |= !strcmp(version, search->version);
}

int build_is_loaded(const char *version, bool *loaded)
{
	struct search search = { .version = version };
	int r = build_each_loaded(compare, &search);

	*loaded = search.found;
	return r;
}
