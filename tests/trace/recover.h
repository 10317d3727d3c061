/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recover.h - open an image with the core, and read what it holds. */
#ifndef TRACE_RECOVER_H
#define TRACE_RECOVER_H

#include "core.h"
#include "image.h"
#include "order.h"

struct recovered {
	bool degraded;
	u64 nr_records;		/* of the log, applied */
	u64 hash;		/* of the content */
	u32 *content;		/* ids, one for each touched LBA of the order */
};

/*
 * NULL, or what is wrong.  Every LBA is compared: those never touched must be holes or
 * zeroes.  content is allocated by the caller.
 */
const char *recover(struct image *image, const struct order *order, struct recovered *found);

/*
 * Open it for writing, as the kernel does: heal, begin a session, commit, close; then
 * recover again.  The image is changed.
 */
const char *recover_twice(struct image *image, const struct order *order,
			  struct recovered *found);

/* Planes and counters against the map, see tests/lib/check.h. */
const char *recover_check(struct image *image);

#endif
