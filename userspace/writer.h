/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.h - make a new device out of blocks: what repair writes to.
 *
 * The roots are kept back until all else is on the disk: what is cut short is no device.
 */
#ifndef TRIAD_WRITER_H
#define TRIAD_WRITER_H

#include "device.h"

struct writer {
	struct triad_store store;
	struct disk disk;		/* below it */
	u8 roots[TRIAD_NR_SLOTS][TRIAD_BLOCK_SIZE];
	struct triad_core core;
	bool opened;
	struct triad_record record;
	u8 header[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u8 data[TRIAD_RECORD_MAX_BLOCKS][TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u64 lba[TRIAD_RECORD_MAX_BLOCKS];
	bool lost[TRIAD_RECORD_MAX_BLOCKS];
	u32 nr;
};

/*
 * On the device dev, in the geometry geo; root holds all that never changes.  bounce is as
 * a disk's.  -errno, as from all of these.
 */
int writer_open(struct writer *w, const struct device *dev, void *bounce,
		const struct triad_root *root, const struct triad_geometry *geo,
		struct triad_hash *hash);

/* One block, each LBA once.  NULL: it is lost, and will read as an error until written. */
int writer_put(struct writer *w, u64 lba, const u8 *data);

/* Commit, and write the roots. */
int writer_finish(struct writer *w);

void writer_close(struct writer *w);

#endif
