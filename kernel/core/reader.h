/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.h - large reads in flight ahead of a walk over the log.
 *
 * A log lies mostly one behind the other, with gaps of what was in use already.  While a
 * walk goes on so, more and more is read ahead of it; a walk that jumps begins with little
 * again.  What is read beside the walk is summed there, too, on all processors.
 *
 * An error of a read ahead says nothing: a block is asked for alone when the walk needs it.
 *
 * Sequential, as the core; jobs touch nothing but their own chunk.
 */
#ifndef TRIAD_READER_H
#define TRIAD_READER_H

#include "format.h"
#include "store.h"

#define TRIAD_READER_CHUNKS	TRIAD_NR_JOBS
#define TRIAD_READER_BLOCKS	128u	/* of a chunk: in all 8 MiB */
#define TRIAD_READER_FIRST	64u	/* of one that is waited for at once */

/* Of each block of a chunk. */
struct triad_sums {
	u32 crc[TRIAD_READER_BLOCKS];	/* as a header has it, if it may be one */
	u32 csum[TRIAD_READER_BLOCKS];
};

struct triad_chunk {
	struct triad_job job;
	struct triad_reader *reader;
	u64 pba;
	u32 nr;
	int error;
	bool started;		/* and not waited for yet */
	bool summed;
	u8 *data;		/* NULL: no memory yet */
	struct triad_sums *sums;
};

struct triad_reader {
	struct triad_store *store;
	u64 device_blocks;
	bool with_payload;	/* checksums of it are wanted */
	u8 checksum_kind;
	u32 first, nr;		/* chunks in use, a ring; one lies behind the other */
	u32 depth;		/* as many there should be */
	struct triad_chunk chunk[TRIAD_READER_CHUNKS];
};

/* One block, until the next is asked for, and what was computed of it already, or NULL. */
struct triad_block {
	u8 *data;
	const u32 *crc;
	const u32 *csum;
};

/* Begin a walk.  The memory of one before is used again. */
void triad_reader_begin(struct triad_reader *reader, struct triad_store *store, u64 device_blocks);
void triad_reader_want_payload(struct triad_reader *reader, u8 checksum_kind);

/* Wait for what is under way, and free everything. */
void triad_reader_end(struct triad_reader *reader);

/*
 * goes_on: the walk has come to this block, and will go on from there; without it nothing is
 * read that has not been read or begun, and 1 is returned for the rest.  Else 0 or the error
 * of reading this block.
 */
int triad_reader_get(struct triad_reader *reader, u64 pba, bool goes_on,
		     struct triad_block *block);

#endif
