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
	bool hole;		/* nothing is there; only of content_changes */
	u32 csum;		/* as the map or the log says */
};

/* Returns 0 to go on; anything else ends the walk and is returned. */
typedef int (*content_fn)(void *context, const struct content_block *block);

/*
 * Hand every block that holds data to visit, by rising LBA.  With all also the
 * blocks of the map that the log replaces.  Returns -ENOMEM or what visit returned.
 */
int content_walk(struct triad_core *core, bool all, content_fn visit, void *context);

/* What content_changes is to tell. */
struct content_range {
	u32 since;		/* a generation's low half: what is older is left out; 0: nothing is */
	u64 from, to;		/* LBAs */
	bool holes;		/* also places that hold nothing, and may have held something before */
	bool only_names;	/* do not read data: it is NULL then */
};

/*
 * The same of a part.  What comes later counts: a hole that the log made may come before a
 * block in it.  Without a log LBAs rise.
 */
int content_changes(struct triad_core *core, const struct content_range *range, content_fn visit,
		    void *context);

/*
 * A sum over the LBAs of all blocks with data and their checksums of this kind: equal if two
 * devices hold the same.  A block that cannot be read is an error, and so is one whose data
 * had to be read for its checksum and was rotten.
 */
int content_sum(struct triad_core *core, u8 checksum_kind, u64 sum[2], u64 *nr_blocks);

#endif
