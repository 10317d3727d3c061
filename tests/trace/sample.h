/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.h - images for a guest: each as its difference from the one before, the first
 * from the formatted device.  A header block, PBAs padded to whole blocks, the data.
 */
#ifndef TRACE_SAMPLE_H
#define TRACE_SAMPLE_H

#include <linux/types.h>

#define SAMPLE_MAGIC	0x316c706d61737274ULL	/* "trsampl1" */
#define SAMPLE_BLOCK	4096u

struct sample_header {
	__u64 magic;
	__u64 number;		/* from 0; the last one is followed by a header of zeroes */
	__u64 nr_blocks;	/* that differ */
	__u64 hash;		/* XXH64 of the whole logical content */
};

#endif
