/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.h - the only file that knows kernel versions.
 */
#ifndef TRIAD_COMPAT_H
#define TRIAD_COMPAT_H

#include <linux/blkdev.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 83)
#error "dm-triad needs Linux 6.1.83 or newer"
#endif

/* The bit of dm_table_get_mode() that says the table is writable. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define TRIAD_FMODE_WRITE	FMODE_WRITE
#else
#define TRIAD_FMODE_WRITE	BLK_OPEN_WRITE
#endif

/* Largest discard that one bio may ask for. */
static inline void triad_limit_discard(struct queue_limits *limits, unsigned int sectors,
				       unsigned int granularity)
{
	limits->discard_granularity = granularity;
	limits->max_hw_discard_sectors = sectors;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	limits->max_discard_sectors = sectors;
#endif
}

/* Not misaligned, whatever lies below. */
static inline void triad_limit_aligned(struct queue_limits *limits)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	limits->misaligned = 0;
	limits->discard_misaligned = 0;
#else
	limits->flags &= ~BLK_FLAG_MISALIGNED;
#endif
}

#endif
