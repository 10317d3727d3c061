/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * use.h - open an image as the module does, and use it.
 *
 * Nothing is said about an error: a damaged image may give one anywhere.  What must
 * not happen is seen by the image's store, the allocator and the sanitizers.
 */
#ifndef FUZZ_USE_H
#define FUZZ_USE_H

#include "core.h"
#include "image.h"

struct use {
	struct image *image;
	struct triad_hash *hash;
	struct triad_core core;
	u64 logical_blocks;	/* that a table line must ask for; 0: no root */
	char hash_name[TRIAD_HASH_NAME_SIZE + 1];
	u32 nr_read;		/* blocks of data that verified */
};

/*
 * The verdict of the module: 0, or why it refuses.  What is damaged is healed, if
 * heal is set; otherwise nothing is written.
 */
int use_open(struct use *use, struct image *image, bool heal);

/* One root alone: b's, without its log, or that of a slot with it. */
int use_open_backup(struct use *use, struct image *image);
int use_open_at(struct use *use, struct image *image, int slot);

void use_close(struct use *use);

/* Read what is mapped, in the log and in the map, as far as max blocks go. */
void use_read(struct use *use, u32 max);

/* One record, durable and published. */
int use_write(struct use *use, u64 lba, u32 nr, u64 stamp);
int use_discard(struct use *use, u64 lba, u64 nr);

#endif
