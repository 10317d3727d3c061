/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env.h - the core's environment under the fuzzer: the same input does the same
 * thing each time, and memory is counted.
 */
#ifndef FUZZ_ENV_H
#define FUZZ_ENV_H

#include "hash.h"
#include "rng.h"

extern struct rng fuzz_random;		/* behind triad_random() */
extern u64 fuzz_live_bytes;		/* allocated by the core */

#define FUZZ_MAX_BYTES	(1ull << 30)	/* no device of 16 TiB needs more */

struct triad_hash *fuzz_hash(void);	/* the default H, made once */

#endif
