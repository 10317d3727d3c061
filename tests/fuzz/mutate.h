/* SPDX-License-Identifier: GPL-2.0-only */
/* mutate.h - change an image at the places that mean something. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include "image.h"
#include "rng.h"

/* A few changes; then all checksums are repaired, or most of them. */
void mutate_image(struct image *image, struct rng *rng);

#endif
