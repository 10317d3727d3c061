/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seeds.h - images to begin with: sound ones, and some that only a forger makes. */
#ifndef FUZZ_SEEDS_H
#define FUZZ_SEEDS_H

#include "image.h"

#define NR_SEEDS	18u
#define NR_FORGED	2u

void seed_make(struct image *image, u32 nr);
const char *seed_forge(struct image *image, u32 nr);	/* its name */

#endif
