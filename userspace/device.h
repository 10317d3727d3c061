/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.h - block devices and image files, and the core's store on top of them.
 *
 * Says nothing to the user; errors are negative errno.
 */
#ifndef TRIAD_DEVICE_H
#define TRIAD_DEVICE_H

#include <sys/types.h>

#include "core.h"

struct device {
	const char *path;	/* the caller's */
	int fd;			/* -1: not open, or missing */
	u64 bytes;
	bool block;		/* a block device, read and written past the page cache */
	bool read_only;		/* a block device that is write-protected */
	u32 sector;		/* logical sector size, 512 for images */
	dev_t dev;		/* what it is, to compare devices with each other */
	ino_t ino;
};

enum device_mode {
	DEVICE_READ,
	DEVICE_WRITE,	/* alone: -EBUSY when mounted or claimed by anyone */
};

/*
 * -EISDIR, -ENOTBLK (neither block device nor file), -EBUSY, -EACCES, -ENOENT, ...
 * DEVICE_WRITE of a write-protected one: -EROFS.
 */
int device_open(struct device *dev, const char *path, enum device_mode mode);

/* Both paths lead to one device, or to one file. */
bool device_is_same(const char *x, const char *y);
void device_close(struct device *dev);

/* True if both are the same disk. */
bool device_same(const struct device *x, const struct device *y);

/*
 * True if they share storage: one is the other, or lies on it as a partition, through
 * device-mapper or md, as a loop device's file or on a filesystem's device.
 */
bool device_overlaps(const struct device *x, const struct device *y);

/*
 * What was written to a whole disk replaced its partition table: let the kernel read
 * it again.  To be called when it is closed, since reading it claims the disk.
 */
void device_forget_partitions(const char *path);

/*
 * Why a device is in use, as far as the system tells: a mount point, swap, the
 * name of a holder.  Writes a sentence; empty when nothing is known.
 */
void device_who_uses(const char *path, char *text, size_t size);
void device_who_uses_dev(dev_t dev, char *text, size_t size);

/* A data device with its root devices (0, 1 or 3 of them), as one store. */
struct disk {
	struct triad_store store;
	struct device data;
	struct device roots[TRIAD_NR_SLOTS];
	unsigned int nr_roots;
	void *bounce;		/* aligned for direct I/O */
};

#define DEVICE_MISSING	"missing"	/* in the place of a root device's path */

/*
 * Open all devices, but for those that are named as missing.  On an error nothing stays open and *which is the path that
 * failed.  -EEXIST: two of them are the same device; -ENOTSUP: sectors larger
 * than a block.
 */
int disk_open(struct disk *disk, const char *path, const char *const *root_paths,
	      unsigned int nr_roots, enum device_mode mode, const char **which);
void disk_close(struct disk *disk);

/*
 * Another place for the roots of a disk that is open for writing: the disk itself, if its
 * path is the only one, or other devices.  To be closed before the disk.
 */
int disk_open_target(struct disk *target, const struct disk *disk, const char *const *paths,
		     unsigned int nr, const char **which);
void disk_close_target(struct disk *target);
void disk_none(struct disk *disk);	/* nothing is open */
/* A disk of a device that somebody else opened and closes; bounce is another disk's. */
void disk_init(struct disk *disk, const struct device *dev, void *bounce);

/* One of the devices is write-protected. */
bool disk_read_only(const struct disk *disk);

/* 0, or -EBUSY with *which set: one of them is a file that something is attached to. */
int disk_attached(const struct disk *disk, const char **which);

/* 0, or -EBUSY with *which set: somebody has claimed one of the devices. */
int disk_claimed(const struct disk *disk, const char **which);

/* The number of the root device that is missing, or -1. */
int disk_missing(const struct disk *disk);

/* Which device a slot lies on, and at which byte. */
const struct device *disk_slot(const struct disk *disk, unsigned int slot, u64 *offset);

static inline u64 disk_blocks(const struct disk *disk)
{
	return disk->data.bytes >> TRIAD_BLOCK_SHIFT;
}

/* Nothing but zeroes; size is not 0. */
static inline bool is_zero(const u8 *data, size_t size)
{
	return !data[0] && !memcmp(data, data + 1, size - 1);
}

#endif
