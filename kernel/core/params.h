/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * params.h - the table line as a struct.
 *
 *	<device> [<#opts> <opts>...]
 *
 * Pure parsing: nothing is opened, the strings stay the caller's.
 */
#ifndef TRIAD_PARAMS_H
#define TRIAD_PARAMS_H

#include "format.h"

#define TRIAD_DEFAULT_INTERVAL_MS	30000u
#define TRIAD_DEFAULT_CACHE_BLOCKS	16384u
#define TRIAD_DEFAULT_SYNC_MS		5000u
#define TRIAD_MAX_CACHE_BLOCKS		16777216u	/* the leaves of 16 TiB */

/* What a flush does that no replica answers for: doc/kernel, "sync". */
enum triad_sync {
	TRIAD_SYNC_OFF,		/* it does not wait for one */
	TRIAD_SYNC_BLOCK,	/* it waits */
	TRIAD_SYNC_ASYNC,	/* it waits no longer, until one is up to date */
	TRIAD_SYNC_RO,		/* it fails, and so does all that is written */
};

struct triad_params {
	const char *device;
	const char *root_dev[TRIAD_NR_SLOTS];
	unsigned int nr_root_dev;	/* 0, 1 or 3 */
	int missing;			/* the one of three that is named "-", or -1 */
	bool read_only;
	bool backup;			/* the backup's state, read-only */
	const char *key;		/* hex, or :<size>:<type>:<description> */
	u32 interval_ms;		/* a log older than that is committed */
	bool hold;			/* while the disk cannot be reached, nobody hears of it */
	u32 hold_ms;			/* ... for so long; 0: for ever */
	u32 cache_blocks;		/* map nodes kept in memory, at most */
	enum triad_sync sync;
	u32 sync_ms;			/* how long no word of a replica may come */
	u32 keep_max;			/* blocks kept for a follower of the log; 0: an eighth of the free ones */
	u32 heartbeat_ms;		/* so often other hosts see that it is open here; 0: they do not */
};

/* "off", "block", "async" or "ro"; false: none of these. */
bool triad_params_sync(const char *word, enum triad_sync *sync);
const char *triad_params_sync_name(enum triad_sync sync);

/* -EINVAL, and *error says what is wrong with the line. */
int triad_params_parse(struct triad_params *params, unsigned int argc, char **argv,
		       const char **error);

#endif
