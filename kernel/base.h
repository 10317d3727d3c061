/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * base.h - what outlives an instance, and a build of the module.
 *
 * dm-triad-base is a module of its own that is never replaced while a device is open: it
 * is small, and what is in this file does not change.  It holds
 *
 *   claims      of disks, data and roots (rule 12): device-mapper shares its own among all
 *               its tables, also those of two builds of dm-triad;
 *   positions   how far the log of a mapped device was published when its last instance
 *               ended: the next one must find as much;
 *   builds      of dm-triad that are loaded side by side.  Each has a target
 *               "triad-VERSION"; one of them has the name "triad" as well.
 */
#ifndef TRIAD_BASE_H
#define TRIAD_BASE_H

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/list.h>

#define TRIAD_BASE_DISKS	4	/* of one device: data and three roots */

/* ---- claims ------------------------------------------------------------------ */

struct triad_claim {
	struct list_head list;		/* empty while not held */
	unsigned int nr;
	struct block_device *bdev[TRIAD_BASE_DISKS];
};

/* -EBUSY: another claim has one of these disks, or a part of it.  May sleep. */
int triad_base_claim(struct triad_claim *claim);
void triad_base_release(struct triad_claim *claim);	/* also if it is not held */

/* ---- positions ----------------------------------------------------------------- */

/* What an instance leaves to the next one of the same mapped device. */
struct triad_legacy {
	u8 uuid[16];		/* of the root */
	u64 place, seq;		/* of the record behind the last one that was published */
	u8 chain[32];		/* ... that it must carry */
	bool users;		/* they go on: suspended without flush */
	bool doubtful;		/* the disk had failed before */
	bool wrote;		/* it was in mode rw, or had been before it failed */
	u8 abandoned;		/* commits in a row that were not let land */
	u32 entries;		/* of its indices: as many the next one needs */
	bool flushed;		/* all that was published is durable */
	u8 reserved[59];	/* zero */
};

/* A table of this mapped device is there, or no longer; with the last one its legacy goes. */
int triad_base_attach(struct mapped_device *md);
void triad_base_detach(struct mapped_device *md);

/* Leave a legacy, or take it back (NULL).  The mapped device is attached. */
void triad_base_leave(struct mapped_device *md, const struct triad_legacy *legacy);
/* False: there is none.  It stays until another one is left. */
bool triad_base_find(struct mapped_device *md, struct triad_legacy *legacy);

/* ---- builds ---------------------------------------------------------------------- */

struct triad_build {
	struct list_head list;
	struct target_type *target;	/* its name is "triad" */
	bool has_name;
};

/* From module init: the first build gets the name.  May sleep. */
int triad_base_join(struct triad_build *build);
/* From module exit: who has the name hands it on to the youngest. */
void triad_base_part(struct triad_build *build);

#endif
