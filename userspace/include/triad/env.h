/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env.h - what the pure core needs from around it, userspace flavour.
 *
 * kernel/include/triad/env.h offers the same names; the include path picks.
 */
#ifndef TRIAD_ENV_H
#define TRIAD_ENV_H

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define cpu_to_le16 htole16
#define cpu_to_le32 htole32
#define cpu_to_le64 htole64
#define le16_to_cpu le16toh
#define le32_to_cpu le32toh
#define le64_to_cpu le64toh

#define min_t(t, a, b) ((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b) ((t)(a) > (t)(b) ? (t)(a) : (t)(b))

/* env.c; the contracts stand in the kernel's env.h */
void *triad_alloc(size_t size);

/* The same, for what can be done without. */
static inline void *triad_try_alloc(size_t size)
{
	return triad_alloc(size);
}
void triad_free(void *p);
u32 triad_crc32c(const void *data, size_t size);
u64 triad_xxh64(const void *data, size_t size);
void triad_random(void *buf, size_t size);
u64 triad_now(void);

static inline u32 triad_popcount(u64 word)
{
	return __builtin_popcountll(word);
}

static inline u64 triad_div64(u64 n, u32 d)
{
	return n / d;
}

static inline void triad_sort(void *base, size_t nr, size_t size,
			      int (*cmp)(const void *, const void *))
{
	qsort(base, nr, size, cmp);
}

static inline void triad_yield(void)
{
}

#define triad_load(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define triad_store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

struct triad_hash;
int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32]);

#endif
