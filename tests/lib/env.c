// SPDX-License-Identifier: GPL-2.0-or-later
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "env.h"

struct rng test_random;
struct test_alloc test_alloc;

void *triad_alloc(size_t size)
{
	void *p;

	test_alloc.nr++;
	if (test_alloc.fail_at && (test_alloc.forever ? test_alloc.nr >= test_alloc.fail_at :
				   test_alloc.nr == test_alloc.fail_at))
		return NULL;
	p = calloc(1, size ? size : 1);
	if (p)
		test_alloc.live++;
	return p;
}

void triad_free(void *p)
{
	if (p)
		test_alloc.live--;
	free(p);
}

void triad_random(void *buf, size_t size)
{
	u8 *p = buf;

	while (size--)
		*p++ = rng_next(&test_random);
}

u64 triad_now(void)
{
	return 1700000000;
}

/* Weak: a program may bring a worse one. */
__attribute__((weak))
int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32])
{
	XXH128_hash_t x, y;

	hash->nr++;
	if (hash->fail_at && hash->nr == hash->fail_at)
		return -ENOMEM;
	if (hash->collide) {
		memset(out, 0xcc, 32);
		return 0;
	}
	x = XXH3_128bits_withSeed(a, a_size, 1);
	y = XXH3_128bits_withSeed(b, b_size, x.low64 + a_size);
	memcpy(out, &x, 16);
	memcpy(out + 16, &y, 16);
	x = XXH3_128bits_withSeed(out, 32, 2);
	y = XXH3_128bits_withSeed(out, 32, 3);
	memcpy(out, &x, 16);
	memcpy(out + 16, &y, 16);
	return 0;
}
