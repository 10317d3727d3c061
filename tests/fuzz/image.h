/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - a disk of any size of which few blocks are not zero.
 *
 * The same thing as bytes is what the fuzzer works on and what corpus/ holds:
 *
 *	u8 target		IMAGE_CORE or IMAGE_TOOL, see fuzz.c
 *	le64 device_blocks
 *	any number of		le32 pba, le16 offset, le16 size, size bytes
 */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include "format.h"
#include "store.h"

#define IMAGE_CORE	'c'
#define IMAGE_TOOL	't'

#define IMAGE_MAX_BLOCKS	16384u	/* not zero, writes included */

struct image_block {
	u64 pba;
	u32 slot;		/* in the table */
	u8 mark;		/* repair.c's */
	u8 data[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
};

struct image {
	struct triad_store store;
	u64 device_blocks;
	u32 nr;
	struct image_block *blocks[IMAGE_MAX_BLOCKS];
	u16 table[4 * IMAGE_MAX_BLOCKS];	/* number + 1 */
	u64 nr_reads, nr_writes, nr_flushes;
	bool read_only;		/* nobody may write now */
	bool full;		/* a write failed: IMAGE_MAX_BLOCKS */
};

struct image *image_create(void);
void image_clear(struct image *image);
void image_destroy(struct image *image);

struct image_block *image_find(const struct image *image, u64 pba);

/* The same, made if it was not there; NULL when there are too many. */
struct image_block *image_get(struct image *image, u64 pba);

/* Forget a block: it is zero again. */
void image_drop(struct image *image, u64 pba);

/*
 * Both directions.  What does not fit into bytes is left out, what is not
 * understood is passed over: every input is some image.
 */
void image_parse(struct image *image, const u8 *bytes, size_t size);
size_t image_encode(const struct image *image, u8 target, u8 *bytes, size_t max);

#endif
