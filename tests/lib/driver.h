/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * driver.h - a device in use: what the kernel's shell does, one step at a time.
 *
 * Several records may be sealed and not yet written; they are written in any
 * order of blocks, published in their own.  Errors stick: after the first one
 * nothing is written any more, as in the shell.
 */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include "check.h"
#include "core.h"
#include "env.h"
#include "disk.h"
#include "oracle.h"

#define DRIVER_FLIGHTS	6u
#define DRIVER_LINES	48u
#define DRIVER_INTERVAL	1536u

struct workload {
	u32 logical_blocks;	/* 0: as large as possible */
	u32 zone_blocks;
	u32 segment_blocks;
	u8 checksum_kind;
	u32 nr_values;		/* of data; few make equal records likely */
	u32 max_extents;
	u32 max_blocks;		/* of one record */
	u32 hot_lbas;		/* 0: all; else most writes go below it */
	u32 max_discard;
	u32 percent_flush, percent_commit, percent_discard, percent_clean;
	u32 percent_keep;	/* the log is kept for somebody, who goes on */
	u32 keep_max;
	u32 percent_lend;	/* free blocks are discarded */
	u32 percent_slip;	/* writes and flushes between the steps of a commit */
	bool lose_root_writes;
	bool repeat_root_writes;
	bool fill;		/* write it all before anything else */
	bool sow;		/* two summary blocks: a little in nearly every zone */
	bool subtrees;		/* some discards cover subtrees of 65536 */
	u32 nr_root_devices;	/* 0, 1 or 3 */
};

struct flight {
	struct triad_record rec;
	u8 header[TRIAD_BLOCK_SIZE];
	u32 ids[TRIAD_RECORD_MAX_BLOCKS];
	u32 state;		/* oracle's, behind this record */
};

struct driver {
	struct triad_core core;
	struct triad_hash hash;
	struct disk *disk;
	struct rng *rng;
	struct rng keep_rng;	/* of its own: lives without it stay what they are */
	struct rng lend_rng;
	u8 lent[TRIAD_PLANE_BITS / 8];	/* zeroes are to be discarded */
	struct oracle *oracle;
	const struct workload *load;
	bool open;
	bool clean;		/* the commit that runs: nobody writes beside it */
	bool slipping;
	bool waiting;		/* for room */
	bool abandons;		/* commits end with -ECANCELED ... */
	enum triad_commit_step abandon_at;	/* ... behind this step */
	u32 abandon_write;	/* ... or at this write of nodes and planes; 0: at none */
	const struct triad_position *expected;	/* by the next opening, or NULL */
	bool expected_durable;
	bool fell_short;	/* ... and it was not there */
	bool give_in;		/* they end with -EIO when a slot is lost by its root write */
	int error;		/* the first */
	const char *failed;	/* where */
	const char *step;	/* of the commit that runs: what comes next */

	struct triad_commit_host host;
	struct flight *flights;
	u32 nr_flights;
	struct flight intent;
	u32 published_state;
	u32 calm;		/* commits until a root write may be lost again */
	u64 nr_commits, nr_records;
	u64 nr_lost, nr_landed, nr_unknown;	/* root writes */
	u64 nr_given_up;	/* slots, by a root write */
	u64 nr_prepared;	/* records when the root image was finished */
	u64 nr_late;		/* commits with records behind the finished root image */
	u64 nr_void;		/* discards that needed no record */
	u64 nr_kept;		/* times that there was something kept before b's log */
	u64 nr_lent, nr_discarded;	/* zones, free blocks */
	u32 max_frees;		/* that a commit has memory for */
	struct triad_node_disk node;	/* looked at last */

	char lines[DRIVER_LINES][96];	/* what was done lately */
	u32 nr_lines;
};

void driver_init(struct driver *driver, struct disk *disk, struct rng *rng,
		 const struct workload *load);
void driver_free(struct driver *driver);

/* Format the disk; returns the logical size. */
u32 driver_format(struct driver *driver);

/* 0 or the error of open; heals if heal is set.  The oracle must be set. */
int driver_open(struct driver *driver, bool heal);
void driver_close(struct driver *driver);

int driver_write(struct driver *driver);	/* random, as the workload says */
int driver_discard(struct driver *driver);
int driver_fill(struct driver *driver, u32 lba, u32 nr);	/* one record, given place */
int driver_drain(struct driver *driver);	/* write and publish what is in flight */
int driver_flush(struct driver *driver);
int driver_commit(struct driver *driver, bool clean);

/* One random step of the workload. */
int driver_step(struct driver *driver);

void driver_say(struct driver *driver, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void driver_print_lines(const struct driver *driver);

#endif
