// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer.h"

#include <stdio.h>

/* Runs and extents of one record that surely fit into its header beside the checksums. */
#define MAX_EXTENTS	64u

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

static int need_room(struct triad_core *core, u32 nr)
{
	int r;

	if (triad_log_room(core, nr, nr, 0))
		return 0;
	r = triad_commit_alone(core, false);
	if (!r && !triad_log_room(core, nr, nr, 0))
		r = -ENOSPC;
	return r;
}

/* What was gathered, as one record. */
static int write_record(struct writer *w)
{
	struct triad_record *rec = &w->record;
	struct triad_core *core = &w->core;
	u32 i, run, done = 0;
	int r;

	r = need_room(core, w->nr);
	if (!r)
		r = triad_log_start(core);
	if (r)
		return r;
	triad_log_begin(core, rec, 0);
	for (i = 0; i < w->nr && !r; i += run) {
		for (run = 1; i + run < w->nr && w->lba[i + run] == w->lba[i] + run; run++)
			;
		r = triad_log_write(core, rec, w->lba[i], run);
	}
	/* a checksum that does not match is how a block says that it cannot be had */
	for (i = 0; i < w->nr; i++)
		rec->csums[i] = triad_checksum(core->root.checksum_kind, w->data[i]) ^
				(w->lost[i] ? 0xffffffffu : 0);
	w->nr = 0;
	if (!r)
		r = triad_log_seal(core, rec, w->header);
	if (!r)
		r = write_blocks(&w->store, rec->place, 1, w->header);
	for (i = 0; i < rec->nr_runs && !r; i++) {
		r = write_blocks(&w->store, rec->runs[i].start, rec->runs[i].nr, w->data[done]);
		done += rec->runs[i].nr;
	}
	return r ? r : triad_log_publish(core, rec, 0);
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
	int r = is_full(w, lba) ? write_record(w) : 0;

	if (r)
		return r;
	if (data)
		memcpy(w->data[w->nr], data, TRIAD_BLOCK_SIZE);
	else
		fill_lost(w->data[w->nr], lba);
	w->lost[w->nr] = !data;
	w->lba[w->nr++] = lba;
	return 0;
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
	w->core.store = &w->store;
	w->core.hash = hash;
	if (!r)
		r = triad_core_open(&w->core, geo->device_blocks);
	w->opened = !r;
	return r;
}

int writer_finish(struct writer *w)
{
	struct triad_store *disk = &w->disk.store;
	int i, r = w->nr ? write_record(w) : 0;

	/* the last of what is gathered, and the one that empties the log and its pointer */
	if (!r && triad_commit_needed(&w->core, true))
		r = triad_commit_alone(&w->core, true);
	if (!r)
		r = disk->ops->flush(disk);
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = disk->ops->write_root(disk, i, w->roots[i]);
	return r;
}

void writer_close(struct writer *w)
{
	if (w->opened)
		triad_core_close(&w->core);
	w->opened = false;
}
