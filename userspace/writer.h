/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.h - write blocks to a closed device: what repair and import write to.
 *
 * On a new device the roots are kept back until all else is on the disk: what is cut short
 * is no device.
 */
#ifndef TRIAD_WRITER_H
#define TRIAD_WRITER_H

#include "device.h"

struct writer {
	struct triad_core *core;	/* somebody's, or own */
	struct triad_core own;		/* of a new device, on this store: */
	struct triad_store store;
	struct disk disk;		/* below it */
	u8 roots[TRIAD_NR_SLOTS][TRIAD_BLOCK_SIZE];
	bool opened;
	/* Optional, before a commit that only makes room: 0, or an error that ends it all. */
	int (*make_room)(struct writer *w);
	bool writes_over;		/* blocks of the same LBA: what is in the log does not count yet */
	void *context;			/* for it */
	struct triad_record record;
	u8 header[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u8 data[TRIAD_RECORD_MAX_BLOCKS][TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u64 lba[TRIAD_RECORD_MAX_BLOCKS];
	u32 csum[TRIAD_RECORD_MAX_BLOCKS];
	u32 nr;
};

/*
 * On the device dev, in the geometry geo; root holds all that never changes.  bounce is as
 * a disk's.  -errno, as from all of these.
 */
int writer_open(struct writer *w, const struct device *dev, void *bounce,
		const struct triad_root *root, const struct triad_geometry *geo,
		struct triad_hash *hash);

/* On a device that is open, and stays so: as if it were mapped. */
void writer_begin(struct writer *w, struct triad_core *core);

/* One block, each LBA once.  NULL: it is lost, and will read as an error until written. */
int writer_put(struct writer *w, u64 lba, const u8 *data);

/* So many blocks hold nothing. */
int writer_discard(struct writer *w, u64 lba, u64 nr);

/* Write out what was gathered; an LBA may be put once more then. */
int writer_flush(struct writer *w);

/*
 * With what was written the replica has arrived; durable on return.  -ENOSPC also when it needed a
 * commit before.
 */
int writer_arrive(struct writer *w, const struct triad_arrival *arrival);

/* Commit what was written; the log is empty then. */
int writer_commit(struct writer *w);

/* The same, and write the roots of a new device. */
int writer_finish(struct writer *w);

void writer_close(struct writer *w);

#endif
