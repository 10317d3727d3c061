/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.h - everything that dm-triad writes to a disk.
 *
 * All integers are little-endian and naturally aligned, reserved bytes are
 * written as zero.  Structures that end in _disk never leave the file that
 * encodes and decodes them.  triad(5) describes the same in words.
 *
 * Units: a block is 4096 bytes; a PBA counts blocks of the data device, an LBA
 * blocks of the mapped device.
 */
#ifndef TRIAD_FORMAT_H
#define TRIAD_FORMAT_H

#include <triad/env.h>

#define TRIAD_BLOCK_SIZE	4096u
#define TRIAD_BLOCK_SHIFT	12
#define TRIAD_SECTORS_PER_BLOCK	8u

#define TRIAD_FORMAT_VERSION	2u

#define TRIAD_ROOT_MAGIC	0x006461697274646dULL	/* "mdtriad" */
#define TRIAD_RECORD_MAGIC	0x64726f6365727274ULL	/* "trrecord" */
#define TRIAD_PLANE_MAGIC	0x0000656e616c7274ULL	/* "trplane" */
#define TRIAD_SUMMARY_MAGIC	0x007972616d6d7573ULL	/* "summary" */

/* ---- fixed places ------------------------------------------------------ */

#define TRIAD_NR_SLOTS		3
#define TRIAD_SLOT_PBA(slot)	((slot) == 0 ? 0ULL : (slot) == 1 ? 4096ULL : 12288ULL)
#define TRIAD_SLOT_BLOCKS	256u		/* every slot is alone in 1 MiB */
#define TRIAD_FIRST_ZONE	2048ULL		/* 8 MiB: no user data before it */
#define TRIAD_TAIL_BLOCKS	512ULL		/* 2 MiB: no user data behind it */
#define TRIAD_MIN_BLOCKS	16384ULL	/* 64 MiB */
#define TRIAD_MAX_BLOCKS	(1ULL << 32)	/* 16 TiB */

#define TRIAD_HASH_SIZE		32		/* bytes kept of every H() */
#define TRIAD_UUID_SIZE		16
#define TRIAD_LABEL_SIZE	32
#define TRIAD_HASH_NAME_SIZE	32

/* ---- map --------------------------------------------------------------- */

#define TRIAD_FANOUT_SHIFT	8
#define TRIAD_FANOUT		256u
#define TRIAD_MAX_DEPTH		4
#define TRIAD_PBA_BITS		48
#define TRIAD_PBA_MASK		((1ULL << TRIAD_PBA_BITS) - 1)

/*
 * A node of level 1 has up to four pieces: blocks with entries that are not in their leaves
 * yet.  The flag words of its entries 16 i to 16 i + 15 tell of piece i, those behind
 * are zero.  The pieces are in ascending order; piece i has the entries of the leaves from
 * its first to before piece i + 1's first.
 *
 * A piece is an array of nr entries, ascending by LBA, the rest zero.  The flags of an entry
 * are the low 16 bits of its LBA.
 */
#define TRIAD_NR_PIECES		4u
#define TRIAD_PIECE_WORDS	16u
#define TRIAD_PIECE_ENTRIES	256u
#define TRIAD_LEAF_PENDING	15u	/* entries of one leaf in all pieces, at most */

/* Pieces are cut between leaves, so not every one is filled to the last entry. */
#define TRIAD_MAX_PENDING	(TRIAD_NR_PIECES * (TRIAD_PIECE_ENTRIES - TRIAD_LEAF_PENDING))

enum triad_piece_word {
	TRIAD_PIECE_PBA = 0,		/* three words, low first, as all of these */
	TRIAD_PIECE_CSUM = 3,		/* two */
	TRIAD_PIECE_BIRTH = 5,		/* two */
	TRIAD_PIECE_NR = 7,		/* entries */
	TRIAD_PIECE_FIRST = 8,		/* leaf, 0-255; 0 in piece 0 */
	TRIAD_PIECE_UNUSED = 9,		/* zero */
};

/* PBA 0 is a hole: it reads as zeroes. */
struct triad_entry_disk {
	__le64 pba_flags;	/* bits 0-47 PBA, bits 48-63 flags: see above, else zero */
	__le32 csum;		/* of the 4096 bytes it points at */
	__le32 birth;		/* low half of the generation that wrote it */
};
static_assert(sizeof(struct triad_entry_disk) == 16, "entry");

struct triad_node_disk {
	struct triad_entry_disk entry[TRIAD_FANOUT];
};
static_assert(sizeof(struct triad_node_disk) == TRIAD_BLOCK_SIZE, "node");

/* ---- root -------------------------------------------------------------- */

enum triad_checksum_kind {
	TRIAD_CHECKSUM_CRC32C = 0,
	TRIAD_CHECKSUM_XXH64 = 1,	/* low 32 bits kept */
};

/* The checksum of one block of data or of a map node. */
static inline u32 triad_checksum(u8 kind, const void *block)
{
	if (kind == TRIAD_CHECKSUM_XXH64)
		return (u32)triad_xxh64(block, TRIAD_BLOCK_SIZE);
	return triad_crc32c(block, TRIAD_BLOCK_SIZE);
}

/* where the three slots lie */
enum triad_root_layout {
	TRIAD_ROOTS_INSIDE = 0,		/* on the data device */
	TRIAD_ROOTS_ONE_DEVICE = 1,	/* all on one other device */
	TRIAD_ROOTS_THREE_DEVICES = 3,	/* one on each of three, at offset 0 */
};

/*
 * The first two are said by the root in one place, while or after it went to another: neither
 * opens.  A replica holds a state of another device, which the root names, or the last record of
 * its log that tells of an arrival: it is only read, and what is received behind that does not count.
 */
enum triad_incompat {
	TRIAD_INCOMPAT_MOVING = 1 << 0,	/* the copy in the new place: not valid yet */
	TRIAD_INCOMPAT_MOVED = 1 << 1,	/* what it left in the old place */
	TRIAD_INCOMPAT_REPLICA = 1 << 2,
	TRIAD_INCOMPAT_INCOMPLETE = 1 << 3,	/* between two states of that device: not to be opened */
};

#define TRIAD_STATE_SIZE	12
#define TRIAD_STATE_NUMBER	6	/* bytes of it */

/*
 * Which state of which device a replica holds; what a position is made of.  The first bytes of
 * state are the number of the next record, high first: so positions of one history have an order.
 */
struct triad_origin_disk {
	u8 uuid[TRIAD_UUID_SIZE];
	__le64 branch;
	__le64 generation;
	u8 state[TRIAD_STATE_SIZE];	/* tells two of the same numbers apart */
} __attribute__((packed));
static_assert(sizeof(struct triad_origin_disk) == 44, "origin");

/*
 * One power-fail-atomic sector.  The rest of its 4 KiB block is zero and is
 * written with it.
 */
struct triad_root_disk {
	__le64 magic;
	__le32 format_version;
	__le32 incompat;		/* unknown bits: refuse */
	__le32 ro_compat;		/* unknown bits: read-only */
	__le32 compat;			/* unknown bits: ignore */
	u8 uuid[TRIAD_UUID_SIZE];
	u8 label[TRIAD_LABEL_SIZE];	/* not necessarily NUL-terminated */
	u8 hash[TRIAD_HASH_NAME_SIZE];	/* kernel crypto API name of H */
	u8 checksum_kind;
	u8 slot;
	u8 root_layout;
	u8 map_depth;
	u8 entry_size;			/* 16 */
	u8 fanout_shift;		/* 8 */
	u8 plane_shift;			/* 0-2, see triad_root_planes */
	u8 reserved0;
	__le64 device_blocks;
	__le64 logical_blocks;
	__le32 zone_blocks;
	__le32 segment_blocks;
	__le32 interval_blocks;		/* most index entries of one interval */
	__le32 epoch;			/* whose records count: those of no older owner */
	u8 version[TRIAD_HASH_SIZE];
	u8 prev[TRIAD_HASH_SIZE];
	__le64 generation;
	__le64 segment;			/* 0: empty */
	__le64 next;			/* where the next record goes */
	__le64 next_seq;
	u8 chain[TRIAD_HASH_SIZE];	/* that the next record must carry */
	u8 prev_chain[TRIAD_HASH_SIZE];	/* chain of the predecessor */
	struct triad_entry_disk map;
	u8 map_sum[16];			/* room for a longer checksum, zero */
	u8 summary_sum[TRIAD_HASH_SIZE];/* H over the zones' summary entries */
	__le64 snapshots;		/* no snapshots yet: zero */
	__le64 hwm_zones;		/* zones below it have planes on disk */
	__le64 used;			/* blocks this root reaches */
	__le64 pending;			/* blocks only the predecessor reaches */
	__le64 dead;			/* log blocks since the predecessor not reached */
	__le64 time;			/* of the commit, seconds since 1970 */
	__le64 branch;			/* generation of the last heal or rollback, 0: none */
	__le64 repeats;			/* roots before it that repeated their predecessor, and it */
	struct triad_origin_disk origin;	/* of a replica, and of what was one; else zero */
	__le32 crc;			/* crc32c of bytes 0-475 */
	u8 seal[TRIAD_HASH_SIZE];	/* H of bytes 0-479 */
};
static_assert(sizeof(struct triad_root_disk) == 512, "root");
static_assert(offsetof(struct triad_root_disk, version) == 144, "root.version");
static_assert(offsetof(struct triad_root_disk, branch) == 416, "root.branch");
static_assert(offsetof(struct triad_root_disk, repeats) == 424, "root.repeats");
static_assert(offsetof(struct triad_root_disk, origin) == 432, "root.origin");
static_assert(offsetof(struct triad_root_disk, crc) == 476, "root.crc");
static_assert(offsetof(struct triad_root_disk, seal) == 480, "root.seal");

/* ---- record ------------------------------------------------------------ */

#define TRIAD_RECORD_MAX_BLOCKS	256u	/* payload: 1 MiB */

enum triad_record_flags {
	TRIAD_RECORD_DISCARD = 1 << 0,	/* ranges, no payload */
	TRIAD_RECORD_OPENING = 1 << 1,	/* first of a session, random nonce */
	TRIAD_RECORD_INTENT = 1 << 2,	/* zones whose planes a commit may write */
	TRIAD_RECORD_ARRIVAL = 1 << 3,	/* a replica has arrived somewhere with it */
};

/*
 * Behind the header, in this order:
 *   __le64 extents[nr_extents]	LBA extents: bits 0-47 LBA, 48-63 length - 1
 *   __le64 runs[nr_runs]	PBA runs, encoded alike
 *   __le32 csums[nr_blocks]	one for each payload block
 * or, with TRIAD_RECORD_DISCARD, nr_extents pairs of __le64 LBA, length,
 * or, with TRIAD_RECORD_INTENT, nr_extents pairs of __le64 first zone, length.
 * Behind the checksums, with TRIAD_RECORD_ARRIVAL, a struct triad_arrival_disk.
 */
#define TRIAD_RECORD_BODY_SIZE	(TRIAD_BLOCK_SIZE - 128u)
#define TRIAD_RECORD_MAX_RANGES	(TRIAD_RECORD_BODY_SIZE / 16u)

#define TRIAD_RECORD_RANGES	(TRIAD_RECORD_DISCARD | TRIAD_RECORD_INTENT)

/*
 * With the records from first to this one a replica that is where from says is where to says.
 * Elsewhere none of them counts.
 */
struct triad_arrival_disk {
	__le64 first;
	struct triad_origin_disk from, to;
} __attribute__((packed));
static_assert(sizeof(struct triad_arrival_disk) == 96, "arrival");

struct triad_record_disk {
	__le64 magic;
	__le32 crc;			/* crc32c of the block, this field zero */
	__le16 flags;
	__le16 nr_extents;
	__le16 nr_runs;
	__le16 nr_blocks;
	__le32 reserved0;
	u8 uuid[TRIAD_UUID_SIZE];
	u8 chain[TRIAD_HASH_SIZE];	/* H of the previous record's header */
	__le64 seq;
	__le64 durable;			/* last record known durable when built */
	__le64 next;			/* PBA of the next record's header */
	u8 nonce[16];
	u8 reserved1[16];
	u8 body[TRIAD_RECORD_BODY_SIZE];
};
static_assert(sizeof(struct triad_record_disk) == TRIAD_BLOCK_SIZE, "record");
static_assert(offsetof(struct triad_record_disk, body) == 128, "record.body");

/* ---- zones: planes and summary ----------------------------------------- */

/*
 * Zones are grouped, so that planes which are written together lie together.  A group of n
 * zones begins with 3 (n + 1) blocks: for each slot its n planes and a summary block.
 * That tells of TRIAD_SUMMARY_ZONES zones from there on, and is used in every
 * TRIAD_SUMMARY_GROUPS-th group.
 */
#define TRIAD_GROUP_ZONES	64u
#define TRIAD_PLANE_BITS	((TRIAD_BLOCK_SIZE - 64u) * 8u)
#define TRIAD_SUMMARY_GROUPS	7u
#define TRIAD_SUMMARY_ZONES	(TRIAD_SUMMARY_GROUPS * TRIAD_GROUP_ZONES)
#define TRIAD_MIN_ZONE_BLOCKS	1024u
#define TRIAD_DEFAULT_SEGMENT	256u

struct triad_space_header_disk {
	__le64 magic;
	__le64 index;			/* number of the zone, or of the first zone */
	__le64 turn;			/* of the root it was written with */
	u8 uuid[TRIAD_UUID_SIZE];
	u8 version[16];			/* first half of that root's version */
	u8 slot;
	u8 reserved[3];
	__le32 crc;			/* crc32c of the block, this field zero */
};
static_assert(sizeof(struct triad_space_header_disk) == 64, "space header");

struct triad_plane_disk {
	struct triad_space_header_disk head;
	u8 bits[TRIAD_PLANE_BITS / 8];	/* bit n of byte n/8: block n of the zone */
};
static_assert(sizeof(struct triad_plane_disk) == TRIAD_BLOCK_SIZE, "plane");

struct triad_zone_disk {
	__le16 used;			/* blocks the root reaches */
	__le16 pending;			/* blocks only its predecessor reaches */
	__le32 changed;			/* low half of the last turn that changed it */
};

struct triad_summary_disk {
	struct triad_space_header_disk head;
	struct triad_zone_disk zone[TRIAD_SUMMARY_ZONES];
	u8 reserved[TRIAD_BLOCK_SIZE - 64 - 8 * TRIAD_SUMMARY_ZONES];
};
static_assert(sizeof(struct triad_summary_disk) == TRIAD_BLOCK_SIZE, "summary");

#endif
