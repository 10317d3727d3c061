// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads.  A read whose map nodes are cached is remapped in the submitter's
 * context and verified when it ends; everything that must sleep (a node to be
 * fetched, a large or failed verification) goes to a worker.
 */
#include "triad.h"

/* Blocks verified in the context of the completion; more go to a worker. */
#define VERIFY_INLINE	16

/* ---- views -------------------------------------------------------------------- */

static void view_put(struct triad_view *view)
{
	if (refcount_dec_and_test(&view->ref))
		complete(&view->drained);
}

static struct triad_view *view_get(struct triad *t)
{
	struct triad_view *view;

	rcu_read_lock();
	do {
		view = rcu_dereference(t->view);
	} while (!refcount_inc_not_zero(&view->ref));
	rcu_read_unlock();
	return view;
}

void triad_view_publish(struct triad *t)
{
	struct triad_view *old = rcu_dereference_protected(t->view, lockdep_is_held(&t->lock));
	struct triad_view *view;

	lockdep_assert_held(&t->lock);
	t->view_nr = (t->view_nr + 1) % TRIAD_NR_VIEWS;
	view = &t->views[t->view_nr];
	view->active = t->core.active;
	view->frozen = t->core.frozen;
	view->map = t->core.space.map.root;
	init_completion(&view->drained);
	refcount_set(&view->ref, 1);
	rcu_assign_pointer(t->view, view);
	if (old)
		view_put(old);
}

void triad_view_drain(struct triad *t, unsigned int n)
{
	unsigned int i;

	for (i = 1; i <= n; i++)
		wait_for_completion(&t->views[(t->view_nr + TRIAD_NR_VIEWS - i) %
					      TRIAD_NR_VIEWS].drained);
	/* nobody stands between finding an old view and failing to take it */
	synchronize_rcu();
}

/* ---- lookup ---------------------------------------------------------------------- */

static const struct triad_node_disk *get_cached(void *context, const struct triad_ref *ref)
{
	return triad_cache_find(context, ref->pba, ref->birth);
}

/*
 * The blocks from lba that lie one behind the other on disk (or are all holes),
 * at most max.  Fills csums, *pba (0: holes) and returns how many; -EAGAIN when
 * get has no map node.  Under RCU with get_cached.
 */
static int lookup(struct triad *t, const struct triad_view *view, u64 lba, u32 max,
		  triad_map_get_fn get, void *context, u64 *pba, u32 *csums)
{
	const struct triad_node_disk *leaf = NULL;
	struct triad_ref missing;
	u64 leaf_nr = ~0ULL;
	u32 n;
	int r;

	for (n = 0; n < max; n++, lba++) {
		struct triad_ref ref = { 0 };

		if (triad_index_lookup(view->active, lba, &ref.pba, &ref.csum) ||
		    (view->frozen &&
		     triad_index_lookup(view->frozen, lba, &ref.pba, &ref.csum)))
			goto found;
		if (lba >> TRIAD_FANOUT_SHIFT != leaf_nr) {
			r = triad_map_leaf(&t->core.geo, &view->map, lba, get, context, &leaf,
					   &missing);
			if (r)
				return n ? n : r;
			leaf_nr = lba >> TRIAD_FANOUT_SHIFT;
		}
		if (leaf) {
			r = triad_map_entry(&t->core.geo, leaf, triad_map_slot(lba, 0), &ref);
			if (r)
				return n ? n : r;
		}
found:
		if (!n)
			*pba = ref.pba;
		else if (ref.pba != (*pba ? *pba + n : 0))
			break;
		csums[n] = ref.csum;
	}
	return n;
}

/* ---- verification ------------------------------------------------------------------ */

/* The checksum of the next block of a bio; advances iter. */
static u32 checksum_bio(u8 kind, struct bio *bio, struct bvec_iter *iter)
{
	unsigned int left = TRIAD_BLOCK_SIZE;
	struct xxh64_state state;
	u32 crc = ~0u;

	xxh64_reset(&state, 0);
	while (left) {
		struct bio_vec bv = bio_iter_iovec(bio, *iter);
		unsigned int n = min(bv.bv_len, left);
		void *p = bvec_kmap_local(&bv);

		if (kind == TRIAD_CHECKSUM_XXH64)
			xxh64_update(&state, p, n);
		else
			crc = crc32c(crc, p, n);
		kunmap_local(p);
		bio_advance_iter_single(bio, iter, n);
		left -= n;
	}
	return kind == TRIAD_CHECKSUM_XXH64 ? (u32)xxh64_digest(&state) : crc;
}

static bool verified(struct triad_bio *tb)
{
	struct bvec_iter iter = tb->iter;
	u32 i;

	for (i = 0; i < tb->nr; i++)
		if (checksum_bio(tb->triad->checksum_kind, tb->bio, &iter) != tb->csums[i])
			return false;
	return true;
}

static void copy_to_bio(struct bio *bio, struct bvec_iter iter, const void *from)
{
	unsigned int left = TRIAD_BLOCK_SIZE;

	while (left) {
		struct bio_vec bv = bio_iter_iovec(bio, iter);

		bv.bv_len = min(bv.bv_len, left);
		memcpy_to_bvec(&bv, from);
		bio_advance_iter_single(bio, &iter, bv.bv_len);
		from += bv.bv_len;
		left -= bv.bv_len;
	}
}

/*
 * One block did not verify.  The page may belong to somebody who changed it
 * meanwhile, so read it again into one of our own before saying anything.
 */
static blk_status_t read_again(struct triad_bio *tb, u32 nr, struct bvec_iter iter, void *page)
{
	struct triad *t = tb->triad;
	u64 pba = tb->pba + nr;
	int r;

	r = triad_io_wait(t, t->dev->bdev, REQ_OP_READ, pba, 1, page);
	if (r)
		return errno_to_blk_status(r);
	if (triad_checksum(t->checksum_kind, page) == tb->csums[nr]) {
		copy_to_bio(tb->bio, iter, page);
		return BLK_STS_OK;
	}
	atomic64_inc(&t->stats.checksum_errors);
	DMERR_LIMIT("%s: checksum mismatch at LBA %llu (PBA %llu): the read fails, other data is not affected; run triadsetup check --data",
		    triad_name(t),
		    tb->lba + nr, pba);
	dm_table_event(t->ti->table);
	return BLK_STS_PROTECTION;
}

/* Sleeping verification of tb->nr blocks at tb->iter. */
static blk_status_t verify_slowly(struct triad_bio *tb)
{
	struct bvec_iter iter = tb->iter, at;
	blk_status_t status = BLK_STS_OK;
	void *page;
	u32 i;

	page = (void *)__get_free_page(GFP_NOIO);
	if (!page)
		return BLK_STS_RESOURCE;
	for (i = 0; i < tb->nr && !status; i++) {
		at = iter;
		if (checksum_bio(tb->triad->checksum_kind, tb->bio, &iter) != tb->csums[i])
			status = read_again(tb, i, at, page);
	}
	free_page((unsigned long)page);
	return status;
}

/* ---- the life of a read --------------------------------------------------------------- */

/* The read has ended: its blocks may be reused from now on. */
static void release(struct triad_bio *tb)
{
	if (tb->csums != tb->inline_csums)
		kfree(tb->csums);
	tb->csums = NULL;
	view_put(tb->view);
	tb->view = NULL;
}

static void finish(struct triad_bio *tb, blk_status_t status)
{
	struct bio *bio = tb->bio;

	release(tb);
	bio->bi_status = status;
	bio_endio(bio);		/* comes back to triad_read_end, which sees no view */
}

static void verify_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);

	finish(tb, verify_slowly(tb));
}

int triad_read_end(struct triad *t, struct bio *bio, blk_status_t *error)
{
	struct triad_bio *tb = triad_bio(bio);

	if (!tb->view)
		return DM_ENDIO_DONE;
	if (!*error && (tb->nr > VERIFY_INLINE || !verified(tb))) {
		INIT_WORK(&tb->work, verify_work);
		queue_work(t->read_wq, &tb->work);
		return DM_ENDIO_INCOMPLETE;
	}
	release(tb);
	return DM_ENDIO_DONE;
}

/* Fetch the missing node into the cache; nodes are verified on the way. */
static int fetch(struct triad *t, const struct triad_ref *ref, struct triad_node_disk *node)
{
	struct triad_map map = {
		.geo = &t->core.geo,
		.store = &t->store,
		.checksum_kind = t->checksum_kind,
	};
	int r;

	r = triad_map_read_node(&map, ref, node);
	if (r == -EBADMSG || r == -EUCLEAN || r == -ENODATA) {
		DMERR_LIMIT("%s: map node at PBA %llu is damaged: reads behind it fail; run triadsetup check",
			    triad_name(t), ref->pba);
		r = -EILSEQ;
	}
	return r;
}

/* Read and verify one run of the bio, tb->nr blocks at tb->iter, and wait. */
static blk_status_t read_run(struct triad_bio *tb)
{
	struct triad *t = tb->triad;
	struct bio *clone;
	int r;

	clone = bio_alloc_clone(t->dev->bdev, tb->bio, GFP_NOIO, &t->bios);
	clone->bi_iter = tb->iter;
	clone->bi_iter.bi_sector = triad_sector(tb->pba);
	clone->bi_iter.bi_size = tb->nr << TRIAD_BLOCK_SHIFT;
	bio_clear_polled(clone);	/* nobody polls for it */
	r = submit_bio_wait(clone);
	bio_put(clone);
	return r ? errno_to_blk_status(r) : verify_slowly(tb);
}

/* Where get_fetched has put a node, and why it could not. */
struct fetched {
	struct triad *t;
	struct triad_node_disk *node;
	int error;
};

/* One buffer serves a whole path: nobody looks back. */
static const struct triad_node_disk *get_fetched(void *context, const struct triad_ref *ref)
{
	struct fetched *f = context;

	f->error = fetch(f->t, ref, f->node);
	return f->error ? NULL : f->node;
}

/* The same with copies of nodes, which need not stay in the cache. */
static int lookup_sleeping(struct triad_bio *tb, u32 max, struct triad_node_disk *node)
{
	struct fetched f = { .t = tb->triad, .node = node };
	int n = lookup(tb->triad, tb->view, tb->lba, max, get_fetched, &f, &tb->pba, tb->csums);

	return n == -EAGAIN ? f.error : n;
}

/* A whole read whose map is not in memory. */
static void read_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);
	struct bio *bio = tb->bio;
	u32 left = bio->bi_iter.bi_size >> TRIAD_BLOCK_SHIFT;
	blk_status_t status = BLK_STS_OK;
	struct triad_node_disk *node;

	node = (void *)__get_free_page(GFP_NOIO);
	if (!node) {
		finish(tb, BLK_STS_RESOURCE);
		return;
	}
	tb->iter = bio->bi_iter;
	while (left && !status) {
		int n = lookup_sleeping(tb, min_t(u32, left, TRIAD_INLINE_CSUMS), node);

		if (n < 0) {
			status = errno_to_blk_status(n);
			break;
		}
		tb->nr = n;
		atomic64_add((u64)n << TRIAD_BLOCK_SHIFT, &tb->triad->stats.user_read);
		if (tb->pba) {
			status = read_run(tb);
		} else {
			struct bvec_iter iter = tb->iter;
			u32 i;

			for (i = 0; i < tb->nr; i++) {
				copy_to_bio(bio, iter, page_address(ZERO_PAGE(0)));
				bio_advance_iter(bio, &iter, TRIAD_BLOCK_SIZE);
			}
		}
		bio_advance_iter(bio, &tb->iter, n << TRIAD_BLOCK_SHIFT);
		tb->lba += n;
		left -= n;
	}
	free_page((unsigned long)node);
	finish(tb, status);
}

int triad_read_bio(struct triad *t, struct bio *bio)
{
	struct triad_bio *tb = triad_bio(bio);
	u32 nr = bio->bi_iter.bi_size >> TRIAD_BLOCK_SHIFT;
	int n;

	if (!nr)
		return DM_MAPIO_KILL;
	tb->csums = tb->inline_csums;
	if (nr > TRIAD_INLINE_CSUMS) {
		nr = min(nr, TRIAD_RECORD_MAX_BLOCKS);
		tb->csums = kmalloc_array(nr, sizeof(u32), GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
		if (!tb->csums) {
			tb->csums = tb->inline_csums;
			nr = TRIAD_INLINE_CSUMS;
		}
	}
	tb->view = view_get(t);
	rcu_read_lock();
	n = lookup(t, tb->view, tb->lba, nr, get_cached, &t->cache, &tb->pba, tb->csums);
	rcu_read_unlock();
	if (n == -EAGAIN) {
		INIT_WORK(&tb->work, read_work);
		queue_work(t->read_wq, &tb->work);
		return DM_MAPIO_SUBMITTED;
	}
	if (n < 0) {
		release(tb);
		bio->bi_status = errno_to_blk_status(n);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	tb->nr = n;
	atomic64_add((u64)n << TRIAD_BLOCK_SHIFT, &t->stats.user_read);
	if (n < bio->bi_iter.bi_size >> TRIAD_BLOCK_SHIFT)
		dm_accept_partial_bio(bio, triad_sector(n));
	if (!tb->pba) {
		release(tb);
		zero_fill_bio(bio);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	bio_set_dev(bio, t->dev->bdev);
	bio->bi_iter.bi_sector = triad_sector(tb->pba);
	tb->iter = bio->bi_iter;
	return DM_MAPIO_REMAPPED;
}
