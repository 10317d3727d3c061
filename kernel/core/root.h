/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * root.h - the three roots: seal, verify, select, next.
 *
 * The selection is a pure function of three decoded slots (design section 2).
 * Nothing here does I/O; hashing may sleep.
 */
#ifndef TRIAD_ROOT_H
#define TRIAD_ROOT_H

#include "format.h"

/* Where a map node lies and how to verify it.  pba 0: a hole. */
struct triad_ref {
	u64 pba;
	u32 csum;
	u32 birth;
};

/* A state of a device. */
struct triad_origin {
	u8 uuid[TRIAD_UUID_SIZE];
	u64 branch;
	u64 generation;
	u8 state[TRIAD_STATE_SIZE];
};

void triad_origin_encode(struct triad_origin_disk *d, const struct triad_origin *origin);
void triad_origin_decode(struct triad_origin *origin, const struct triad_origin_disk *d);
bool triad_origin_same(const struct triad_origin *x, const struct triad_origin *y);

struct triad_root {
	u32 incompat, ro_compat, compat;
	u8 uuid[TRIAD_UUID_SIZE];
	u8 label[TRIAD_LABEL_SIZE];
	char hash[TRIAD_HASH_NAME_SIZE + 1];
	u8 checksum_kind;
	u8 slot;
	u8 plane_shift;
	u8 root_layout;
	u8 map_depth;
	u64 device_blocks;
	u64 logical_blocks;
	u32 zone_blocks;
	u32 segment_blocks;
	u32 interval_blocks;
	u32 epoch;
	u8 version[TRIAD_HASH_SIZE];
	u8 prev[TRIAD_HASH_SIZE];
	u64 generation;
	u64 segment;
	u64 next;
	u64 next_seq;
	u8 chain[TRIAD_HASH_SIZE];
	u8 prev_chain[TRIAD_HASH_SIZE];
	struct triad_ref map;
	u8 summary_sum[TRIAD_HASH_SIZE];
	u64 snapshots;
	u64 hwm_zones;
	u64 used;
	u64 pending;
	u64 dead;
	u64 time;
	u64 branch;
	u64 repeats;
	struct triad_origin origin;
};

static inline bool triad_root_is_replica(const struct triad_root *root)
{
	return root->incompat & TRIAD_INCOMPAT_REPLICA;
}

enum triad_slot_state {
	TRIAD_SLOT_VALID,
	TRIAD_SLOT_TORN,	/* magic is there, checksum or seal is not */
	TRIAD_SLOT_EMPTY,	/* nothing but zeroes */
	TRIAD_SLOT_FOREIGN,	/* not ours, of another device or slot */
	TRIAD_SLOT_STALE,	/* valid, but neither current nor its backup */
	TRIAD_SLOT_UNREADABLE,
};

struct triad_slot {
	enum triad_slot_state state;
	const char *reason;	/* static text; NULL when valid */
	int error;		/* of the read, when unreadable */
	struct triad_root root;	/* decoded as far as the state allows */
};

/* What section 2's cases found. */
struct triad_choice {
	int cur;		/* slot of c */
	int backup;		/* slot of b, or -1: lost */
	int overwrite;		/* slot of a: written next */
	int parent;		/* slot whose version goes into H with c's */
	int which;		/* case 1-4 of design section 2 */
	bool degraded;
	bool stray;		/* case 1, but c does not continue b's history: see below */
	bool occupied;		/* what lies in overwrite's slot is not this device's, see below */
	const char *why;	/* for case 4 */
};

/*
 * A root that repeats its predecessor has the same map, planes and summary.  So planes
 * are not counted by generations but by turns, which leave the repeats out.
 */
static inline u64 triad_root_turn(const struct triad_root *root)
{
	return root->generation - root->repeats;
}

/*
 * The slot in whose places the planes and the summary of this root lie: its own, as long as
 * the slots take turns.  When one of them is lost the planes take turns all the same.
 */
static inline unsigned int triad_root_planes(const struct triad_root *root)
{
	return (root->slot + root->plane_shift) % TRIAD_NR_SLOTS;
}

/*
 * Decode one slot's sector without trusting any of it.  Says what it is, but
 * not whether it is sealed: that needs H, whose name is in the root.
 */
void triad_root_decode(struct triad_slot *slot, unsigned int nr, const void *block);

/*
 * Verify the seal of a slot that decoded as valid; sets the state to torn, with
 * a reason that tells a wrong key from rot, when it does not hold.  block is
 * what decode saw.
 */
int triad_root_verify(struct triad_slot *slot, struct triad_hash *hash, const void *block);

/* Encode and seal into a block of 4096 bytes. */
int triad_root_seal(const struct triad_root *root, struct triad_hash *hash, void *block);

/*
 * Find the letters.  Slots that are valid but of another device than the
 * majority are set to foreign, valid ones that play no part to stale.
 * Returns 0, -ENODATA when nothing can be proven (case 4), or an error of H.
 *
 * Versions name a history, not its content: a copy of the device that went on by
 * itself has roots of the same versions.  With one of them in b's or c's place
 * case 1 holds, but the chain does not continue: choice->stray, and what lies on the
 * disk must decide.
 *
 * A root that was lost is replaced by another one of its version and generation; the
 * branch tells them apart.  Should it come back, it does not count beside a root that
 * was made on the other.
 *
 * A slot is occupied unless it holds zeroes or what names itself as a root of this
 * device: healing would destroy what belongs to somebody else.
 */
int triad_root_select(struct triad_slot slots[TRIAD_NR_SLOTS],
		      struct triad_hash *hash, struct triad_choice *choice);

/* The version of the root that follows c, from b's and c's: H(b, c). */
int triad_root_next_version(struct triad_hash *hash, const u8 b[TRIAD_HASH_SIZE],
			    const u8 c[TRIAD_HASH_SIZE], u8 version[TRIAD_HASH_SIZE]);

const char *triad_slot_state_name(enum triad_slot_state state);

#endif
