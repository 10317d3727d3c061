/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm.h - device-mapper as the tool uses it, and triad's table line.
 *
 * Functions return an exit code and have said what is wrong when it is not 0.
 */
#ifndef TRIAD_DM_H
#define TRIAD_DM_H

#include "params.h"
#include "view.h"

#define DM_TARGET	"triad"		/* of whichever build of the module has the short name */
#define DM_TARGET_OF	"triad-"	/* and a version: of this build */
#define DM_UUID_PREFIX	"TRIAD-"
#define DM_CONTROL	"/dev/mapper/control"

/*
 * The parameters of the table line ("DEVICE 2 root_dev ...").  Devices are named
 * by their absolute path, or by number where a blank in it would split the line.  NULL when out of memory; the caller frees it.  It may
 * hold a key: overwrite it first.
 */
char *dm_params(const struct view *view, const struct options *opt);

/* The target is there; loads the module if need be. */
int dm_load_module(void);

void dm_modprobe(const char *module);

int dm_create(const char *name, const char *uuid, u64 sectors, const char *params,
	      bool read_only);

/*
 * Only what is dm-triad's.  Waits some seconds for those who only have a look at it.
 * Deferred: if it is in use it goes when that ends.
 */
int dm_remove(const char *name, bool deferred);

/* The status line of a mapped device; the caller frees it. */
int dm_status(const char *name, char **line, bool *suspended, u64 *sectors);

/* The same for who asks often; false, and nothing said, if there is none. */
bool dm_find_status(const char *name, char **line, bool *suspended);

/* What a mapping is made of, and what another instance of it is made from. */
struct dm_live {
	char name[160];
	char target[64];
	char *params;		/* may hold a key */
	u64 sectors;
	bool read_only;
	bool suspended;
};

int dm_live_get(const char *name, struct dm_live *live);
void dm_live_free(struct dm_live *live);

/*
 * Load a table beside the one that is live, to be taken over by it.  0 or an errno;
 * *said is what the kernel logged, or NULL; the caller frees it.
 */
int dm_load_beside(const struct dm_live *live, const char *target, const char *params,
		   char **said);
void dm_unload_beside(const char *name);

/*
 * Suspend without flush, swap the tables, resume: in one call of the kernel's, which no
 * signal ends halfway.  0 or an errno; it is not resumed then, and who uses it waits.
 */
int dm_take_over(const char *name);

/* Calls fn with the name of every mapping of ours, until it fails. */
int dm_each_device(int (*fn)(const char *name, void *context), void *context);

/* Calls fn with what is behind prefix of every target's name that has it. */
int dm_each_target(const char *prefix, void (*fn)(const char *rest, void *context),
		   void *context);

/* The version of the build that runs a mapping; empty if it does not tell. */
int dm_build_of(const char *name, char *version, size_t size);

/* There is a mapping of this name, whosever; how many events it has had. */
bool dm_exists(const char *name, u32 *event_nr);

/*
 * Events of all mappings, whosever.  Arm, look at what is to be known, then wait: an event
 * since then ends the wait at once.  Without device-mapper (-1) it is just a pause.
 */
int dm_events_open(void);
void dm_events_arm(int events);
void dm_events_wait(int events, int timeout_ms);
void dm_events_close(int events);

/* All that is sent to a suspended mapping fails from now on; its table is lost.  0 or an errno. */
int dm_let_fail(const char *name, u64 sectors);

/* Wait for an event behind number *nr, and note its number.  0 or an errno: ENXIO, it is gone. */
int dm_wait_event(const char *name, u32 *nr);

int dm_message(const char *name, const char *message);	/* 0 or an errno */

/* The same, for one that the target answers. */
int dm_ask(const char *name, const char *message, char *answer, size_t size);

/* With flush, a filesystem frozen; and on again.  0 or an errno. */
int dm_suspend(const char *name);
int dm_resume(const char *name);

/* What a mapping lies on, as paths, and its key as in the table; overwrite that. */
struct dm_source {
	char device[512];
	char root[TRIAD_NR_SLOTS][512];
	unsigned int nr_roots;
	char key[1024];		/* empty: none */
	bool keyed;		/* what is left of it when it was overwritten */
	char uuid[129];		/* of the mapping */
	bool read_only, backup, hold;
	u32 interval_ms, cache_blocks, hold_ms, keep_max, sync_ms, heartbeat_ms;
	enum triad_sync sync;
};

/* False, and nothing said, if there is no live mapping of this name that is dm-triad's. */
bool dm_source(const char *name, struct dm_source *source);

/* There is one. */
bool dm_is_ours(const char *name);

/*
 * The same of what a person named: the name of an open device, or its node.  A file or
 * another device of that name goes first.
 */
bool dm_find_mapping(const char *what, struct dm_source *source);

/* What a person would have typed for what lies below; path is where opt->args points to. */
void dm_source_options(const struct dm_source *source, struct options *opt, char **path);

/* The kernel has device-mapper; says nothing. */
bool dm_is_there(void);

const char *dm_mapper_dir(void);

#endif
