/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * content.h - every block of a device's logical content, map and log together.
 */
#ifndef TRIAD_CONTENT_H
#define TRIAD_CONTENT_H

#include "core.h"

struct content_block {
	u64 lba;
	u64 nr;			/* 1; more when a map node cannot be read: all below it */
	u64 pba;
	const u8 *data;		/* 4096 bytes, or NULL */
	int error;		/* why there are none: -EBADMSG, -ENODATA, ... */
	bool in_log;		/* found in the log, not in the map */
};

/* Returns 0 to go on; anything else ends the walk and is returned. */
typedef int (*content_fn)(void *context, const struct content_block *block);

/*
 * Hand every block that holds data to visit, by rising LBA.  With all also the
 * blocks of the map that the log replaces.  Returns -ENOMEM or what visit returned.
 */
int content_walk(struct triad_core *core, bool all, content_fn visit, void *context);

#endif
