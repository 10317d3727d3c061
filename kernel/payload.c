// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The payload of a write: copied, and its checksums taken, before it comes to the log worker,
 * by whoever submits it, so on all processors at once.  The copy goes to the disk from there.
 *
 * Nothing waits for memory.  Without it, or beyond MAX_BLOCKS, the worker copies into the
 * record's own buffer as its turn comes.
 */
#include <linux/highmem.h>

#include "triad.h"

#define MAX_BLOCKS	8192	/* of a device's copies: 32 MiB */
#define INLINE_BLOCKS	16	/* in the submitter's context; larger ones by a worker each */

/* Copy first, then take the checksum of the copy: the page may change under us. */
static void copy_block(struct bio *bio, struct bvec_iter *iter, void *to)
{
	u32 n, done;

	for (done = 0; done < TRIAD_BLOCK_SIZE; done += n) {
		struct bio_vec bv = bio_iter_iovec(bio, *iter);

		n = min_t(u32, bv.bv_len, TRIAD_BLOCK_SIZE - done);
		bv.bv_len = n;
		memcpy_from_bvec(to + done, &bv);
		bio_advance_iter_single(bio, iter, n);
	}
}

static void free_pages_of(struct triad_bio *tb)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &tb->payload, lru) {
		list_del(&page->lru);
		set_page_private(page, 0);
		__free_page(page);
	}
}

/* All of it or nothing. */
static bool take_pages(struct triad_bio *tb)
{
	u32 i;

	for (i = 0; i < tb->nr; i++) {
		struct page *page = alloc_page(GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC);

		if (!page) {
			free_pages_of(tb);
			return false;
		}
		list_add_tail(&page->lru, &tb->payload);
	}
	return true;
}

static bool take_memory(struct triad *t, struct triad_bio *tb)
{
	if (PAGE_SIZE != TRIAD_BLOCK_SIZE)
		return false;	/* a larger page for each block would be a waste */
	if (atomic_add_return(tb->nr, &t->payload_blocks) <= MAX_BLOCKS && take_pages(tb))
		return true;
	atomic_sub(tb->nr, &t->payload_blocks);
	return false;
}

static void prepare(struct triad_bio *tb)
{
	struct bvec_iter iter = tb->bio->bi_iter;
	u8 kind = tb->triad->checksum_kind;
	struct page *page;

	list_for_each_entry(page, &tb->payload, lru) {
		copy_block(tb->bio, &iter, page_address(page));
		set_page_private(page, triad_checksum(kind, page_address(page)));
	}
}

static void prepare_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);

	prepare(tb);
	triad_write_queue(tb->triad, tb->bio);
}

void triad_payload_bio(struct triad *t, struct bio *bio)
{
	struct triad_bio *tb = triad_bio(bio);

	if (!take_memory(t, tb)) {
		triad_write_queue(t, bio);
	} else if (tb->nr > INLINE_BLOCKS) {
		INIT_WORK(&tb->work, prepare_work);
		queue_work(t->payload_wq, &tb->work);
	} else {
		prepare(tb);
		triad_write_queue(t, bio);
	}
}

void triad_payload_add(struct triad_write *w, struct bio *bio, u32 first)
{
	struct triad_bio *tb = triad_bio(bio);
	struct triad_record *rec = &w->rec;
	struct bvec_iter iter = bio->bi_iter;
	struct page *page;
	u32 i = first;

	list_for_each_entry(page, &tb->payload, lru) {
		w->blocks[1 + i] = page_address(page);
		rec->csums[i++] = page_private(page);
	}
	for (; i < first + tb->nr; i++) {
		void *to = w->buffer + (1 + i) * TRIAD_BLOCK_SIZE;

		copy_block(bio, &iter, to);
		w->blocks[1 + i] = to;
		rec->csums[i] = triad_checksum(w->triad->checksum_kind, to);
	}
}

void triad_payload_free(struct triad *t, struct bio *bio)
{
	struct triad_bio *tb = triad_bio(bio);

	if (list_empty(&tb->payload))
		return;
	free_pages_of(tb);
	atomic_sub(tb->nr, &t->payload_blocks);
}
