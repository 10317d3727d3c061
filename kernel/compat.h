/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.h - the only file that knows kernel versions.
 */
#ifndef TRIAD_COMPAT_H
#define TRIAD_COMPAT_H

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/hrtimer.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/hex.h>
#endif

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

/* Largest write of zeroes that one bio may ask for; it frees blocks, as a discard does. */
static inline void triad_limit_write_zeroes(struct queue_limits *limits, unsigned int sectors)
{
	limits->max_write_zeroes_sectors = sectors;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	limits->max_hw_wzeroes_unmap_sectors = sectors;
#endif
}

/*
 * Writes of so many bytes, a power of two, are atomic.  The device-mapper core announces it if
 * the disk below has atomic writes too, which matters for other targets only.
 */
#ifdef DM_TARGET_ATOMIC_WRITES
#define TRIAD_ATOMIC_WRITES	DM_TARGET_ATOMIC_WRITES
#else
#define TRIAD_ATOMIC_WRITES	0
#endif

static inline void triad_limit_atomic_writes(struct queue_limits *limits, unsigned int least,
					     unsigned int most)
{
#ifdef DM_TARGET_ATOMIC_WRITES
	limits->atomic_write_hw_max = most;
	limits->atomic_write_hw_unit_min = least;
	limits->atomic_write_hw_unit_max = most;
	limits->atomic_write_hw_boundary = 0;
#endif
}

/* What gives memory back when the system asks for it: part of its owner, or allocated. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
typedef struct shrinker triad_shrinker_t;
#define triad_shrinker_owner(shrinker, type, member)	container_of(shrinker, type, member)
#else
typedef struct shrinker *triad_shrinker_t;
#define triad_shrinker_owner(shrinker, type, member)	((type *)(shrinker)->private_data)
#endif

typedef unsigned long (*triad_shrink_fn)(struct shrinker *shrinker, struct shrink_control *sc);

static inline int triad_shrinker_begin(triad_shrinker_t *s, void *owner, triad_shrink_fn count,
				       triad_shrink_fn scan)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	return register_shrinker(s, "triad-nodes");
#else
	*s = shrinker_alloc(0, "triad-nodes");
	if (!*s)
		return -ENOMEM;
	(*s)->count_objects = count;
	(*s)->scan_objects = scan;
	(*s)->private_data = owner;
	shrinker_register(*s);
	return 0;
#endif
}

/* Also of one that never began. */
static inline void triad_shrinker_end(triad_shrinker_t *s)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	unregister_shrinker(s);
#else
	shrinker_free(*s);
#endif
}

/* Of relative times; fn is called in hard interrupt context. */
static inline void triad_hrtimer_setup(struct hrtimer *timer,
				       enum hrtimer_restart (*fn)(struct hrtimer *timer))
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = fn;
#else
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#endif
}

/* A workqueue is to say which one it is, bound to a processor or not. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define TRIAD_WQ_PERCPU		0
#else
#define TRIAD_WQ_PERCPU		WQ_PERCPU
#endif

#endif
