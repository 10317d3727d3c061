/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - the disk as the pure core sees it.
 *
 * The kernel, the tool and the tests each bring one.  Every operation may
 * sleep.  Errors are negative: -ENODATA says that the medium lost this place
 * (rot), any other error that nothing is known about it.
 */
#ifndef TRIAD_STORE_H
#define TRIAD_STORE_H

#include <triad/env.h>

struct triad_store;
struct triad_ref;

/* Something to be done beside the caller: it may read, and touches what is its own. */
struct triad_job {
	void (*run)(struct triad_job *job);
	unsigned int nr;	/* below TRIAD_NR_JOBS, of each at most one at a time */
};

#define TRIAD_NR_JOBS	16u

struct triad_store_ops {
	/* Read nr blocks at pba.  On an error buf is undefined. */
	int (*read)(struct triad_store *store, u64 pba, u32 nr, void *buf);

	/*
	 * Write nr blocks at pba.  buf may be used again on return; the write
	 * itself, and its error, may come as late as the next flush.
	 */
	int (*write)(struct triad_store *store, u64 pba, u32 nr, const void *buf);

	/*
	 * Wait for every write of this store, then make durable all that the disk and
	 * the devices of the roots have in their caches, whoever put it there.  The
	 * device of a slot that is lost is not asked; if another one that holds a
	 * single slot fails, that is no error: its slot is lost.
	 */
	int (*flush)(struct triad_store *store);

	/*
	 * One root block of 4096 bytes.  write_root is durable on return (FUA).  -ENXIO:
	 * there is no such device.
	 */
	int (*read_root)(struct triad_store *store, unsigned int slot, void *buf);
	int (*write_root)(struct triad_store *store, unsigned int slot, const void *buf);

	/*
	 * Both optional.  node_get copies a map node (already verified) out of a
	 * cache and returns true if it was there; node_put offers one.  A node is
	 * known by its place and birth.
	 */
	bool (*node_get)(struct triad_store *store, u64 pba, u32 birth, void *buf);
	void (*node_put)(struct triad_store *store, u64 pba, u32 birth, const void *buf);

	/*
	 * Optional.  These nodes will be read next (PBA 0: not this one): have them in the
	 * cache then, verified with this kind of checksum, if that is possible.
	 */
	void (*read_ahead)(struct triad_store *store, u8 checksum_kind,
			   const struct triad_ref *refs, u32 nr);

	/*
	 * Optional, both or none.  job->run(job) is called now or later, by anybody, beside
	 * all else; when wait returns it has ended.  Each that was started is waited for.
	 */
	void (*start)(struct triad_store *store, struct triad_job *job);
	void (*wait)(struct triad_store *store, struct triad_job *job);
};

struct triad_store {
	const struct triad_store_ops *ops;
	u8 lost;	/* bit n: slot n was given up, see lost.c */
};

#endif
