// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer.h"

#include <stdio.h>

/* Runs and extents of one record that surely fit into its header beside the checksums. */
#define MAX_EXTENTS	TRIAD_RECORD_ARRIVAL_EXTENTS

/* ---- a store whose roots stay in memory ---------------------------------------- */

static struct writer *writer_of(struct triad_store *store)
{
	return (struct writer *)((char *)store - offsetof(struct writer, store));
}

static int read_blocks(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct triad_store *disk = &writer_of(store)->disk.store;

	return disk->ops->read(disk, pba, nr, buf);
}

static int write_blocks(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct triad_store *disk = &writer_of(store)->disk.store;

	return disk->ops->write(disk, pba, nr, buf);
}

/* Without roots nothing of it is of use: once, at the end, is enough. */
static int no_flush(struct triad_store *store)
{
	(void)store;
	return 0;
}

static int read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	memcpy(buf, writer_of(store)->roots[slot], TRIAD_BLOCK_SIZE);
	return 0;
}

static int write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	memcpy(writer_of(store)->roots[slot], buf, TRIAD_BLOCK_SIZE);
	return 0;
}

static const struct triad_store_ops writer_ops = {
	.read = read_blocks,
	.write = write_blocks,
	.flush = no_flush,
	.read_root = read_root,
	.write_root = write_root,
};

/* ---- records -------------------------------------------------------------------- */

/* What a lost block holds: whoever reads the disk below is not to take it for data. */
static void fill_lost(u8 *block, u64 lba)
{
	memset(block, 0, TRIAD_BLOCK_SIZE);
	snprintf((char *)block, TRIAD_BLOCK_SIZE, "dm-triad: block %llu was lost before a repair\n",
		 (unsigned long long)lba);
}

/* What is replaced is free after the second commit. */
#define MOST_COMMITS	3

static int need_room(struct writer *w, u32 nr_blocks, u32 nr_entries, u32 nr_leaves)
{
	struct triad_core *core = w->core;
	int i, r;

	for (i = 0; !triad_log_room(core, nr_blocks, nr_entries, nr_leaves); i++) {
		r = w->make_room ? w->make_room(w) : 0;
		if (!r)
			r = i < MOST_COMMITS ? triad_commit_alone(core, false) : -ENOSPC;
		if (r)
			return r;
	}
	return triad_log_start(core);
}

static_assert(offsetof(struct writer, data) == offsetof(struct writer, header) + TRIAD_BLOCK_SIZE,
	      "one behind the other");

/* Seal it, write it, publish it. */
static int end_record(struct writer *w)
{
	struct triad_record *rec = &w->record;
	struct triad_core *core = w->core;
	struct triad_store *store = core->store;
	u32 i, done = 0;
	int r = triad_log_seal(core, rec, w->header);
	bool joined = rec->nr_runs && rec->runs[0].start == rec->place + 1;

	/* the first run mostly lies behind the header, as it does in memory */
	if (joined)
		done = rec->runs[0].nr;
	if (!r)
		r = store->ops->write(store, rec->place, 1 + done, w->header);
	for (i = joined; i < rec->nr_runs && !r; i++) {
		r = store->ops->write(store, rec->runs[i].start, rec->runs[i].nr, w->data[done]);
		done += rec->runs[i].nr;
	}
	return r ? r : triad_log_publish(core, rec, 0);
}

/*
 * What this interval has written of the same LBAs is written over: of a replica's log nothing
 * counts before the commit.  So however often a stream has a block, it takes up one place.
 */
static int write_over(struct writer *w)
{
	struct triad_store *store = w->core->store;
	u32 i, kept = 0;
	int r = 0;

	for (i = 0; i < w->nr && !r; i++) {
		u64 pba = triad_index_rewrite(w->core->active, w->lba[i], w->csum[i]);

		if (pba) {
			r = store->ops->write(store, pba, 1, w->data[i]);
			continue;
		}
		if (kept != i)
			memcpy(w->data[kept], w->data[i], TRIAD_BLOCK_SIZE);
		w->csum[kept] = w->csum[i];
		w->lba[kept++] = w->lba[i];
	}
	w->nr = kept;
	return r;
}

/* What was gathered, as one record, with which the replica may arrive. */
static int write_record(struct writer *w, const struct triad_arrival *arrival)
{
	struct triad_record *rec = &w->record;
	struct triad_core *core = w->core;
	int r = w->writes_over ? write_over(w) : 0;
	u32 i, run;

	if (r || (!w->nr && !arrival))
		return r;
	r = need_room(w, w->nr, w->nr, 0);
	if (r)
		return r;
	triad_log_begin(core, rec, arrival ? TRIAD_RECORD_ARRIVAL : 0);
	if (arrival)
		rec->arrival = *arrival;
	for (i = 0; i < w->nr && !r; i += run) {
		for (run = 1; i + run < w->nr && w->lba[i + run] == w->lba[i] + run; run++)
			;
		r = triad_log_write(core, rec, w->lba[i], run);
	}
	memcpy(rec->csums, w->csum, w->nr * sizeof(w->csum[0]));
	w->nr = 0;
	return r ? r : end_record(w);
}

static bool is_full(const struct writer *w, u64 lba)
{
	u32 i, nr = 1;

	if (w->nr == TRIAD_RECORD_MAX_BLOCKS)
		return true;
	for (i = 1; i < w->nr; i++)
		nr += w->lba[i] != w->lba[i - 1] + 1;
	return w->nr && lba != w->lba[w->nr - 1] + 1 && nr == MAX_EXTENTS;
}

int writer_put(struct writer *w, u64 lba, const u8 *data)
{
	int r = is_full(w, lba) ? write_record(w, NULL) : 0;

	if (r)
		return r;
	if (data)
		memcpy(w->data[w->nr], data, TRIAD_BLOCK_SIZE);
	else
		fill_lost(w->data[w->nr], lba);
	/* a checksum that does not match is how a block says that it cannot be had */
	w->csum[w->nr] = triad_checksum(w->core->root.checksum_kind, w->data[w->nr]) ^
			 (data ? 0 : 0xffffffffu);
	w->lba[w->nr++] = lba;
	return 0;
}

int writer_flush(struct writer *w)
{
	return w->nr ? write_record(w, NULL) : 0;
}

int writer_arrive(struct writer *w, const struct triad_arrival *arrival)
{
	struct triad_core *core = w->core;
	int r = write_record(w, arrival);

	if (!r)
		r = core->store->ops->flush(core->store);
	if (r)
		return r;
	triad_order_made_durable(&core->order, w->record.seq);
	core->origin = arrival->to;
	return 0;
}

int writer_discard(struct writer *w, u64 lba, u64 nr)
{
	struct triad_core *core = w->core;
	int r = writer_flush(w);
	u32 leaves, entries;
	u64 n;

	for (; nr && !r; lba += n, nr -= n) {
		n = triad_log_step(lba, nr);
		entries = triad_index_discard_cost(&core->geo, lba, n, &leaves);
		r = need_room(w, 0, entries, leaves);
		if (r)
			break;
		triad_log_begin(core, &w->record, TRIAD_RECORD_DISCARD);
		triad_log_discard(core, &w->record, lba, n, leaves);
		r = end_record(w);
	}
	return r;
}

/* ---- the whole -------------------------------------------------------------------- */

int writer_open(struct writer *w, const struct device *dev, void *bounce,
		const struct triad_root *root, const struct triad_geometry *geo,
		struct triad_hash *hash)
{
	static const u8 zero[TRIAD_BLOCK_SIZE];
	int i, r = 0;

	memset(w, 0, sizeof(*w));
	disk_init(&w->disk, dev, bounce);
	w->store.ops = &writer_ops;
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = write_blocks(&w->store, TRIAD_SLOT_PBA(i), 1, zero);
	if (!r)
		r = w->disk.store.ops->flush(&w->disk.store);
	if (!r)
		r = triad_core_format(&w->store, hash, root, geo);
	w->core = &w->own;
	w->own.store = &w->store;
	w->own.hash = hash;
	w->own.receives = triad_root_is_replica(root);
	if (!r)
		r = triad_core_open(&w->own, geo->device_blocks);
	w->opened = !r;
	return r;
}

void writer_begin(struct writer *w, struct triad_core *core)
{
	/* but for a mebibyte of data, which counts by nr */
	memset(w, 0, offsetof(struct writer, header));
	w->nr = 0;
	w->core = core;
}

int writer_commit(struct writer *w)
{
	int r = writer_flush(w);

	/* the last of what is gathered, and the one that empties the log and its pointer */
	if (!r && triad_commit_needed(w->core, true))
		r = triad_commit_alone(w->core, true);
	return r;
}

int writer_finish(struct writer *w)
{
	struct triad_store *disk = &w->disk.store;
	int i, r = writer_commit(w);

	if (!r)
		r = disk->ops->flush(disk);
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = disk->ops->write_root(disk, i, w->roots[i]);
	return r;
}

void writer_close(struct writer *w)
{
	if (w->opened)
		triad_core_close(&w->own);
	w->opened = false;
}
