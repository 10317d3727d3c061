/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - a simulated disk that loses, reorders and tears.
 *
 * A disk is an array of content ids, one for each block: equal blocks are kept
 * once, so an image is small and two images are compared by their ids.  What is
 * done to a disk is recorded as a trace, from which the image after a power cut
 * at any operation can be made.
 */
#ifndef TEST_DISK_H
#define TEST_DISK_H

#include "format.h"
#include "rng.h"
#include "store.h"

#define DISK_BLOCKS	16384u		/* 64 MiB */
#define DISK_MAX_BLOCKS	612160u		/* 508 zones of 1200 blocks: two summary blocks */

extern u32 disk_blocks;			/* size of every disk; DISK_BLOCKS unless changed */

/* ---- contents ------------------------------------------------------------ */

u32 content_id(const void *block);		/* of these 4096 bytes */
const u8 *content_of(u32 id);
u32 content_checksum(u32 id, u8 kind);
u32 content_value(u32 value);			/* test data number value; 0: zeroes */
u32 content_rotten(struct rng *rng);		/* garbage that is known to be garbage */
bool content_is_rotten(u32 id);
u32 content_mix(u32 under, u32 over, u8 sectors);	/* sectors of over torn into under */

/* Contents made since a mark are forgotten together; 0 forgets all. */
u32 content_mark(void);
void content_release(u32 mark);

/* ---- trace ----------------------------------------------------------------- */

enum disk_op_kind { DISK_WRITE, DISK_FLUSH, DISK_ROOT };

struct disk_op {
	u8 kind;
	bool everywhere;	/* of a flush: it reaches the root devices, too */
	u8 dead;		/* ... but not those of these slots */
	u8 bad;			/* slots that may hold anything, when it was issued */
	u32 pba;
	u32 id;
	/* what the oracle knew when it was issued */
	u32 submitted;
	u32 acked;
};

struct trace {
	u32 *base;		/* durable at the beginning */
	struct disk_op *ops;
	u32 nr;
	u32 max;
	u32 nr_old;		/* taken over from before, already explored */
	u32 nr_root_devices;	/* 0: the slots share the disk's cache; else 1 or 3 */
	u8 bad;			/* slots, at the beginning */
};

void trace_init(struct trace *trace, const u32 *base);
void trace_free(struct trace *trace);

/* ---- disk ------------------------------------------------------------------ */

enum disk_break {
	BREAK_NOTHING,
	BREAK_FLUSH,		/* flushes say 0 and do nothing */
	BREAK_COMMIT_FLUSH,	/* ... while a commit is prepared */
	BREAK_FUA,		/* root writes stay in the cache */
	BREAK_OPENING,		/* no header-only first record, see disk_swallow */
	BREAK_PLANES,		/* planes are never written */
	BREAK_ROOT_FLUSH,	/* the store's flushes reach the disk alone */
};

enum disk_root_fault {
	ROOT_FINE,
	ROOT_LOST,		/* success reported, nothing written */
	ROOT_LANDED,		/* failure reported, yet written */
	ROOT_UNKNOWN,		/* failure reported, in the cache */
};

enum disk_lie {
	LIE_NOT,
	LIE_LOST,		/* success reported, nothing written */
	LIE_MISDIRECTED,	/* ... written elsewhere */
};

/* One write of a block, roots included, about which the disk lies. */
struct disk_lying {
	enum disk_lie lie;
	u64 at;			/* nr_writes */
	u32 to;			/* if misdirected */
	/* which one it was */
	bool told;
	u32 pba, id;
	u32 acked;		/* known by the oracle then */
	u32 nr_ops;		/* in the trace then */
};

struct disk_fault {
	enum { FAULT_READ, FAULT_WRITE, FAULT_FLUSH } kind;
	u64 at;			/* the at-th operation of this kind fails; 0: none */
	bool forever;
	int error;
};

struct disk {
	struct triad_store store;
	u32 *view;		/* what reads see */
	struct trace *trace;	/* NULL: not recorded */
	const u32 *submitted, *acked;	/* for the trace */
	struct rng *rng;
	enum disk_break broken;
	bool preparing;		/* see BREAK_COMMIT_FLUSH */
	enum disk_root_fault root_fault;	/* of the next root write */
	u8 unreadable;		/* bit n: slot n cannot be read until it is written */
	int dead_slot;		/* -1, or a slot whose own device answers with errors */
	bool dead_keeps;	/* what is written there lands in a cache all the same */
	bool dead_flushes;	/* only that slot is bad, not its device */
	u8 bad;			/* slots that failed and were not written since */
	struct disk_fault fault;
	struct disk_lying lying;
	u32 end;		/* blocks left of a disk that shrank, but for slots; 0: all */
	u64 nr_reads, nr_writes, nr_flushes;
	u32 started;		/* bit n: job n, that nobody has waited for yet */
	void (*hook)(void *context);	/* behind every write */
	void *hook_context;
};

void disk_init(struct disk *disk, u32 *view, struct rng *rng);

/* Another block lies in a slot's place, as if its device had been replaced. */
void disk_replace_root(struct disk *disk, u32 pba, u32 id);

/* What the shell does for FLUSH and FUA: root devices are not asked. */
int disk_flush_data(struct disk *disk);

/* All of it, for tests that need an empty disk. */
u32 *disk_new_view(void);

/* Keep what is freed: each image allocates the same again. */
void disk_keep_memory(void);

static inline u32 *disk_copy(u32 *to, const u32 *from)
{
	return memcpy(to, from, disk_blocks * sizeof(*to));
}

/* ---- power cuts ---------------------------------------------------------------- */

struct pending {
	u32 pba;
	u32 id;
};

/* Walks along a trace: what is durable and what is pending at each operation. */
struct cutter {
	const struct trace *trace;
	u32 at;			/* operations begun */
	u32 *durable;
	struct pending *pending;
	u32 nr_pending;
	bool root_pending;	/* the newest pending one is a root write */
};

void cutter_init(struct cutter *cutter, const struct trace *trace);
void cutter_free(struct cutter *cutter);

/* Begin the next operation (the one before it is complete).  False at the end. */
bool cutter_step(struct cutter *cutter);

/* Complete what was begun without beginning anything. */
void cutter_complete(struct cutter *cutter);

/* The image with just those pending writes whose bit is set (nr_pending <= 32). */
void cutter_subset(const struct cutter *cutter, u32 subset, u32 *image);

/*
 * The sectors that the pending writes change, one unit each: how many, or max + 1
 * if there are more.  *newest are those of the newest write.
 */
struct unit {
	u32 pending;
	u8 sector;
};
u32 cutter_units(const struct cutter *cutter, struct unit *units, u32 max, u32 *newest);

/* The image with just those units whose bit is set. */
void cutter_tear(const struct cutter *cutter, const struct unit *units, u32 nr, u32 subset,
		 u32 *image);

/* The image with an arbitrary subset, torn here and there; each cache loses its own. */
void cutter_random(const struct cutter *cutter, struct rng *rng, u32 *image);

#endif
