/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - a disk as an array of content ids that can be changed and changed back,
 * with a store for the core on top; and what a power cut leaves of a trace.
 */
#ifndef TRACE_IMAGE_H
#define TRACE_IMAGE_H

#include "format.h"
#include "rng.h"
#include "store.h"
#include "tape.h"

struct image {
	struct triad_store store;
	u64 nr_blocks;
	u32 *ids;
	u64 hash;		/* of all changes since it was loaded */
	struct change {
		u32 pba;
		u32 id;		/* before */
	} *changes;
	u32 nr_changes, max_changes;
};

bool image_load(struct image *image, const char *path);
void image_free(struct image *image);

void image_set(struct image *image, u32 pba, u32 id);
void image_restore(struct image *image);	/* back to where it was kept last */
void image_keep(struct image *image);

/* ---- power cuts -------------------------------------------------------------- */

struct loose {
	u32 pba;
	u32 id;
	u32 event;		/* its submission */
};

/* Walks along a trace; the image is what is durable for certain. */
struct cut {
	const struct tape *tape;
	struct image *image;
	u32 at;			/* events that happened */
	struct loose *loose;	/* submitted and not durable, in their order */
	u32 nr_loose, max_loose;
	u32 *base;		/* the image at the beginning */
};

void cut_init(struct cut *cut, const struct tape *tape, struct image *image);
void cut_free(struct cut *cut);
void cut_rewind(struct cut *cut);

/* One event more. */
void cut_step(struct cut *cut);

/* Put a random part of what is loose onto the image, torn here and there. */
void cut_tear(struct cut *cut, struct rng *rng);

#endif
