/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env.h - what tests may turn in their own environment of the core: an
 * allocator that fails on demand, a seeded random source, a fast H.
 */
#ifndef TEST_ENV_H
#define TEST_ENV_H

#include "rng.h"

extern struct rng test_random;		/* behind triad_random() */

struct test_alloc {
	u64 nr;			/* allocations so far */
	u64 live;		/* not yet freed */
	u64 fail_at;		/* this one fails (1: the first); 0: none */
	bool forever;		/* and all behind it */
};
extern struct test_alloc test_alloc;

/*
 * Not cryptographic: 256 bits of fast mixing.  collide makes every digest the
 * same but for what the test writes into it; fail_at as above.
 */
struct triad_hash {
	bool collide;
	u64 nr;
	u64 fail_at;
};

#endif
