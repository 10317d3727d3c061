/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - read a whole opened device, and compare its structure with itself.
 */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include "core.h"
#include "disk.h"

#define CONTENT_ERROR	0xffffffffu	/* this block reads as an error */

/*
 * Read every LBA: index, then map, then data with its checksum.  Returns 0, or
 * the error that made the map unreadable.  A block whose data does not verify
 * is CONTENT_ERROR.
 */
int check_read(const struct triad_core *core, const struct disk *disk, u32 *content);

/* The same, but goes on: all that lies behind a bad map node is CONTENT_ERROR, too. */
int check_read_damaged(const struct triad_core *core, const struct disk *disk, u32 *content);

/*
 * Planes, counters and lists against the map: NULL when all is well, else what
 * is not.  Places that hold known rot are passed over; with_backup compares
 * what belongs to b too.  With leftovers, planes of a commit that never landed may
 * be found in place of c's: the core must not believe them.
 */
const char *check_structure(struct triad_core *core, const struct disk *disk,
			    bool with_backup, bool leftovers);

#endif
