// SPDX-License-Identifier: GPL-2.0-or-later
/* Bios of the shell's own: whole blocks of a buffer, and records. */
#include <linux/highmem.h>
#include <linux/vmalloc.h>

#include "triad.h"

/* ---- whole blocks of a buffer ------------------------------------------------ */

static struct page *page_of(void *p)
{
	return is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p);
}

/*
 * A device sees pages.  Where caches go by virtual address, what was written through
 * another mapping of them is not there yet, and what is read is not seen through it.
 */
static void show_to_device(void *buf, u32 nr)
{
	if (is_vmalloc_addr(buf))
		flush_kernel_vmap_range(buf, nr << TRIAD_BLOCK_SHIFT);
}

static void see_from_device(void *buf, u32 nr)
{
	if (is_vmalloc_addr(buf))
		invalidate_kernel_vmap_range(buf, nr << TRIAD_BLOCK_SHIFT);
}

static bool add_block(struct bio *bio, void *p)
{
	return bio_add_page(bio, page_of(p), TRIAD_BLOCK_SIZE, offset_in_page(p)) ==
	       TRIAD_BLOCK_SIZE;
}

int triad_io_wait(struct triad *t, struct block_device *bdev, blk_opf_t opf, u64 pba,
		  u32 nr, void *buf)
{
	opf |= op_is_write(opf) ? TRIAD_AWAITED : REQ_SYNC;
	show_to_device(buf, nr);
	while (nr) {
		struct bio *bio = bio_alloc_bioset(bdev, bio_max_segs(nr), opf, GFP_NOIO, &t->bios);
		u32 n = 0;
		int r;

		bio->bi_iter.bi_sector = triad_sector(pba);
		while (n < nr && add_block(bio, buf + (size_t)n * TRIAD_BLOCK_SIZE))
			n++;
		r = submit_bio_wait(bio);
		bio_put(bio);
		if (r)
			return r;
		if (op_is_write(opf))
			atomic64_add((u64)n * TRIAD_BLOCK_SIZE, &t->stats.device_written);
		else
			see_from_device(buf, n);
		buf += (size_t)n * TRIAD_BLOCK_SIZE;
		pba += n;
		nr -= n;
	}
	return 0;
}

/* ---- records ------------------------------------------------------------------- */

/*
 * Who sees the last completion may suspend and free the instance.  device-mapper
 * waits for a grace period in between (dm_sync_table): completions tell under RCU.
 */
static void record_put(struct triad_write *w)
{
	struct triad *t = w->triad;

	rcu_read_lock();
	if (atomic_dec_and_test(&w->pending)) {
		smp_store_release(&w->done, true);	/* after w->status; see publish() */
		triad_write_kick(t);
	}
	rcu_read_unlock();
}

static void record_endio(struct bio *bio)
{
	struct triad_write *w = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(w->status, bio->bi_status);
	bio_put(bio);
	record_put(w);
}

static void write_run(struct triad *t, struct triad_write *w, blk_opf_t flags, u64 pba,
		      u32 nr, void **block)
{
	void **end = block + nr;

	atomic64_add((u64)nr * TRIAD_BLOCK_SIZE, &t->stats.device_written);
	while (block < end) {
		struct bio *bio = bio_alloc_bioset(t->dev->bdev, bio_max_segs(end - block),
						   REQ_OP_WRITE | TRIAD_AWAITED | flags, GFP_NOIO, &t->bios);

		bio->bi_iter.bi_sector = triad_sector(pba);
		bio->bi_private = w;
		bio->bi_end_io = record_endio;
		for (; block < end && add_block(bio, *block); block++, pba++)
			show_to_device(*block, 1);
		atomic_inc(&w->pending);
		submit_bio(bio);
	}
}

void triad_io_record(struct triad *t, struct triad_write *w, blk_opf_t flags)
{
	const struct triad_record *rec = &w->rec;
	u64 pba = rec->place;
	void **from = w->blocks;
	u32 i, nr = 1;

	w->status = BLK_STS_OK;
	w->done = false;
	atomic_set(&w->pending, 1);
	/* the header and what lies directly behind it are one device write */
	for (i = 0; i < rec->nr_runs; i++) {
		const struct triad_extent *run = &rec->runs[i];

		if (run->start != pba + nr) {
			write_run(t, w, flags, pba, nr, from);
			from += nr;
			pba = run->start;
			nr = 0;
		}
		nr += run->nr;
	}
	write_run(t, w, flags, pba, nr, from);
	record_put(w);
}
