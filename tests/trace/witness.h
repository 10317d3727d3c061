/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * witness.h - what dm-witness hands out: one header block, the events in their
 * order (padded to whole blocks), the data blocks.  Native byte order.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include <linux/types.h>

#define WITNESS_MAGIC	0x31737365746e7477ULL	/* "wtntess1" */
#define WITNESS_BLOCK	4096u

enum witness_kind { WITNESS_SUBMIT, WITNESS_COMPLETE };
enum witness_where { WITNESS_LOWER, WITNESS_UPPER };
enum witness_op { WITNESS_WRITE, WITNESS_FLUSH, WITNESS_DISCARD };	/* discard: or write zeroes */

#define WITNESS_FUA	1u
#define WITNESS_LOST	2u	/* answered with an error and never passed on */

struct witness_header {
	__u64 magic;
	__u64 nr_events;
	__u64 nr_blocks;
	__u64 in_flight;	/* submitted, not completed */
	__u64 again;		/* completions of what had completed */
	__u64 failures;		/* that the lower instance made itself ... */
	__u64 died;		/* ... from this event on */
	__u64 reads[2];		/* by where; they are counted only */
	__u64 reads_done[2];
};

struct witness_event {
	__u64 sector;
	__u32 sectors;
	__u32 of;	/* write: its first data block; completion: number of its submission */
	__u8 kind;
	__u8 where;
	__u8 op;
	__u8 flags;
	__s32 error;	/* of a completion: 0 or -errno */
};

#endif
