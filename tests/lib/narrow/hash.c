// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An H of 8 bits, linked in place of the one in env.c: versions collide all the
 * time, so that what no cryptographic hash ever does can be seen.
 */
#include <xxhash.h>

#include "env.h"

int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32])
{
	hash->nr++;
	memset(out, 0, 32);
	out[0] = XXH3_64bits_withSeed(b, b_size, XXH3_64bits(a, a_size) + a_size);
	return 0;
}
