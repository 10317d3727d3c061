/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.h - builds of the kernel module, by libkmod: more than one can be loaded.
 */
#ifndef TRIAD_BUILD_H
#define TRIAD_BUILD_H

#include <triad/env.h>

/* A file of the module. */
struct build {
	char path[512];
	char module[64];	/* "dm_triad_0_2_0" */
	char version[32];	/* "0.2.0" */
	bool is_signed;
	char signer[128];	/* "" if that cannot be told */
};

/*
 * What this file is, or, with path NULL, what modprobe would load; of several the one with
 * the highest version.  An exit code; it has said what is wrong.
 */
int build_find(const char *path, struct build *build);

/* The file of a build that was loaded: where modprobe looks, or kept.  False: none. */
bool build_find_version(const char *version, struct build *build);

/* Is the target of this version there? */
int build_is_loaded(const char *version, bool *loaded);

/* Load it, with what it needs.  0 or an errno; *said is what the kernel logged, or NULL. */
int build_load(const struct build *build, char **said);

/* Unload the module of this version, if nobody uses it.  0 or an errno. */
int build_unload(const char *version);

/* Keep a copy of the file as long as the system runs: a package may replace it. */
void build_keep(const struct build *build);

/* Calls fn with the file that modprobe would load, and every one that is kept. */
void build_each_file(void (*fn)(const struct build *build, void *context), void *context);

/* Calls fn with every version that is loaded, oldest first. */
int build_each_loaded(void (*fn)(const char *version, void *context), void *context);

#endif
