/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env.h - what the pure core needs from around it, kernel flavour.
 *
 * userspace/include/triad/env.h offers the same names; the include path picks.
 */
#ifndef TRIAD_ENV_H
#define TRIAD_ENV_H

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/types.h>
#include <linux/xxhash.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

/* Zeroed memory or NULL; may sleep, never starts I/O. */
static inline void *triad_alloc(size_t size)
{
	return kvzalloc(size, GFP_NOIO);
}

/* The same, for what can be done without: does not wait for memory for long. */
static inline void *triad_try_alloc(size_t size)
{
	return kvzalloc(size, GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
}

static inline void triad_free(void *p)
{
	kvfree(p);
}

static inline u32 triad_popcount(u64 word)
{
	return hweight64(word);
}

static inline u64 triad_div64(u64 n, u32 d)
{
	return div_u64(n, d);
}

static inline u32 triad_crc32c(const void *data, size_t size)
{
	return crc32c(~0u, data, size);
}

static inline u64 triad_xxh64(const void *data, size_t size)
{
	return xxh64(data, size, 0);
}

struct triad_sorting {
	int (*cmp)(const void *a, const void *b);
	u32 nr;
};

/* sort() itself never yields, and a million entries take a second. */
static inline int triad_sort_compare(const void *a, const void *b, const void *context)
{
	struct triad_sorting *s = (struct triad_sorting *)context;

	if (!(++s->nr & 1023))
		cond_resched();
	return s->cmp(a, b);
}

static inline void triad_sort(void *base, size_t nr, size_t size,
			      int (*cmp)(const void *, const void *))
{
	struct triad_sorting s = { .cmp = cmp };

	sort_r(base, nr, size, triad_sort_compare, NULL, &s);
}

static inline void triad_random(void *buf, size_t size)
{
	get_random_bytes(buf, size);
}

static inline u64 triad_now(void)
{
	return ktime_get_real_seconds();
}

/* A long loop in the core passes here. */
static inline void triad_yield(void)
{
	cond_resched();
}

/* Publish and find an index entry: what it says is visible before its number. */
#define triad_load(p)		smp_load_acquire(p)
#define triad_store(p, v)	smp_store_release(p, v)	/* pairs with triad_load */

/*
 * H, as the shell set it up: the digest of a followed by b, cut to 32 bytes.
 * Returns 0 or a negative error; may sleep.
 */
struct triad_hash;
int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32]);

#endif
