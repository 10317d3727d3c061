/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rng.h - a small seeded generator; everything random in a test comes from one. */
#ifndef TEST_RNG_H
#define TEST_RNG_H

#include <triad/env.h>

struct rng {
	u64 state;
};

static inline u64 rng_next(struct rng *rng)
{
	u64 z = (rng->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 .. n - 1 */
static inline u32 rng_below(struct rng *rng, u32 n)
{
	return (rng_next(rng) >> 32) * n >> 32;
}

static inline u32 rng_between(struct rng *rng, u32 low, u32 high)
{
	return low + rng_below(rng, high - low + 1);
}

static inline bool rng_percent(struct rng *rng, u32 percent)
{
	return rng_below(rng, 100) < percent;
}

#endif
