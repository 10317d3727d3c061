/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - one atomic unit of the log: encode, decode, chain.
 *
 * A record is built by begin, any number of add_* and one seal; a record read
 * from disk comes out of decode in the same native form.  No I/O.
 */
#ifndef TRIAD_RECORD_H
#define TRIAD_RECORD_H

#include "geometry.h"
#include "root.h"

struct triad_extent {
	u64 start;		/* LBA or PBA */
	u64 nr;
};

struct triad_index;

/* A record with an arrival has no more extents than this. */
#define TRIAD_RECORD_ARRIVAL_EXTENTS	64u

/* Of a replica: see struct triad_arrival_disk. */
struct triad_arrival {
	u64 first;
	struct triad_origin from, to;
};

struct triad_record {
	u64 place;		/* PBA of the header */
	u64 next;
	u64 seq;
	u64 durable;
	u16 flags;
	u16 nr_extents;
	u16 nr_runs;
	u16 nr_blocks;
	struct triad_index *index;	/* interval it belongs to; log.c */
	u8 chain[TRIAD_HASH_SIZE];	/* its own hash, that the next one carries; log.c, replay.c */
	struct triad_extent extents[TRIAD_RECORD_MAX_BLOCKS];
	struct triad_extent runs[TRIAD_RECORD_MAX_BLOCKS];
	u32 csums[TRIAD_RECORD_MAX_BLOCKS];
	struct triad_arrival arrival;	/* with TRIAD_RECORD_ARRIVAL */
};

void triad_record_begin(struct triad_record *rec, u64 place, u64 seq, u16 flags);

/* True if nr more blocks fit, however scattered their places are. */
bool triad_record_fits(const struct triad_record *rec, u32 nr);

/* Add an LBA extent (or, for a discard record, a range). */
void triad_record_add_extent(struct triad_record *rec, u64 lba, u64 nr);

/* Add payload places; extents and runs cover the same blocks in order. */
void triad_record_add_run(struct triad_record *rec, u64 pba, u32 nr);

/*
 * Encode the header into a block of 4096 bytes.  chain is the hash of the
 * previous record and is replaced by the hash of this one.
 */
int triad_record_seal(const struct triad_record *rec, struct triad_hash *hash,
		      const u8 uuid[TRIAD_UUID_SIZE], u8 chain[TRIAD_HASH_SIZE],
		      void *block);

/* Does it begin as a header does?  And the crc that it should have then. */
bool triad_record_may_be(const void *block);
u32 triad_record_crc(void *block);

/*
 * Decode and verify a header read from place.  -ENOENT: not the record that
 * chain, seq and uuid ask for (the log ends here); -EUCLEAN: it carries the
 * right chain and crc, but says something impossible.  On success chain is
 * replaced by the hash of this record.
 */
int triad_record_decode(struct triad_record *rec, const struct triad_geometry *geo,
			struct triad_hash *hash, const u8 uuid[TRIAD_UUID_SIZE],
			u64 place, u64 seq, u8 chain[TRIAD_HASH_SIZE], void *block);

/* The same, if somebody has computed triad_record_crc already. */
int triad_record_decode_summed(struct triad_record *rec, const struct triad_geometry *geo,
			       struct triad_hash *hash, const u8 uuid[TRIAD_UUID_SIZE],
			       u64 place, u64 seq, u8 chain[TRIAD_HASH_SIZE], const void *block,
			       u32 crc);

#endif
