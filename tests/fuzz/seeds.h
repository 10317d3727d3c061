/* SPDX-License-Identifier: GPL-2.0-only */
/* seeds.h - sound images to begin with. */
#ifndef FUZZ_SEEDS_H
#define FUZZ_SEEDS_H

#include "image.h"

#define NR_SEEDS	12u

void seed_make(struct image *image, u32 nr);

#endif
