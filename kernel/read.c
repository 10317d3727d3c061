// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads.  A read whose map nodes are cached is remapped in the submitter's
 * context and verified when it ends; everything that must sleep (a node to be
 * fetched, a large or failed verification) goes to a worker.
 */
#include "trace.h"
#include "triad.h"

/* Blocks verified in the context of the completion; more go to a worker. */
#define VERIFY_INLINE	16

#define MAX_OVERTAKEN	3	/* by two commits each, then they wait */

/* ---- views -------------------------------------------------------------------- */

/*
 * A slot comes round after two commits; the committer waits for a grace period between
 * any two, so nobody looks at it any more.
 */
void triad_view_publish(struct triad *t)
{
	struct triad_view *view;

	lockdep_assert_held(&t->lock);
	t->view_nr = (t->view_nr + 1) % TRIAD_NR_VIEWS;
	view = &t->views[t->view_nr];
	view->active = t->core.active;
	view->frozen = t->core.frozen;
	view->map = t->core.space.map.root;
	view->era = t->core.root.generation;
	/* before a block that this commit has made free can be written; see is_stale */
	smp_store_release(&t->era, view->era);
	rcu_assign_pointer(t->view, view);
}

/*
 * What the map reaches in one era is kept in the next one, for b's sake, and may be given
 * back in the one behind that: then a read that has ended saw who knows what, and begins
 * anew.  It had ended before this was asked, and whoever takes its blocks writes to them
 * after the era has changed.
 */
static bool is_stale(const struct triad_bio *tb)
{
	return smp_load_acquire(&tb->triad->era) - tb->era >= 2;
}

/* ---- lookup ---------------------------------------------------------------------- */

static const struct triad_node_disk *get_cached(void *context, const struct triad_ref *ref)
{
	return triad_cache_find(context, ref->pba, ref->birth);
}

/* Where the log has put a block since the map was made; false: it has not. */
static bool lookup_log(const struct triad_view *view, u64 lba, struct triad_ref *ref)
{
	return triad_index_lookup(view->active, lba, &ref->pba, &ref->csum) ||
	       (view->frozen && triad_index_lookup(view->frozen, lba, &ref->pba, &ref->csum));
}

/* What the log said about some blocks, to be looked at without it. */
struct logged {
	struct triad_ref ref[TRIAD_INLINE_CSUMS];
	unsigned long known;	/* bit n: the log has block n */
};

/*
 * The blocks from lba that lie one behind the other on disk (or are all holes),
 * at most max.  Fills csums, *pba (0: holes) and returns how many; -EAGAIN when
 * get has no map node.  The log is asked unless logged has its answers.
 */
static int lookup(struct triad *t, const struct triad_view *view, const struct logged *logged,
		  u64 lba, u32 max, triad_map_get_fn get, void *context, u64 *pba, u32 *csums)
{
	struct triad_ref missing;
	struct triad_spot spot;
	u64 leaf_nr = ~0ULL;
	u32 n;
	int r;

	for (n = 0; n < max; n++, lba++) {
		struct triad_ref ref = { 0 };

		if (logged ? logged->known & BIT(n) : lookup_log(view, lba, &ref)) {
			if (logged)
				ref = logged->ref[n];
			goto found;
		}
		if (lba >> TRIAD_FANOUT_SHIFT != leaf_nr) {
			r = triad_map_find(&t->core.geo, &view->map, lba, get, context, &spot,
					   &missing);
			if (r)
				return n ? n : r;
			leaf_nr = lba >> TRIAD_FANOUT_SHIFT;
		}
		r = triad_map_look(&t->core.geo, &spot, lba, get, context, &ref, &missing);
		if (r)
			return n ? n : r;
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
	if (is_stale(tb))
		return BLK_STS_IOERR;	/* nobody hears of it */
	atomic64_inc(&t->stats.checksum_errors);
	trace_checksum_error(triad_devt(t), tb->lba + nr, pba);
	DMERR_LIMIT("%s: checksum mismatch at LBA %llu (PBA %llu): the read fails, other data is not affected; run triadsetup check --data",
		    triad_name(t),
		    tb->lba + nr, pba);
	dm_table_event(t->ti->table);
	return BLK_STS_PROTECTION;
}

/* Sleeping verification of tb->nr blocks at tb->iter, with a buffer of one block. */
static blk_status_t verify_slowly(struct triad_bio *tb, void *page)
{
	struct bvec_iter iter = tb->iter, at;
	blk_status_t status = BLK_STS_OK;
	u32 i;

	for (i = 0; i < tb->nr && !status; i++) {
		at = iter;
		if (checksum_bio(tb->triad->checksum_kind, tb->bio, &iter) != tb->csums[i])
			status = read_again(tb, i, at, page);
	}
	return status;
}

/* ---- the life of a read --------------------------------------------------------------- */

static void release(struct triad_bio *tb)
{
	if (tb->csums != tb->inline_csums)
		kfree(tb->csums);
	tb->csums = NULL;
	tb->reading = false;
}

static void finish(struct triad_bio *tb, blk_status_t status)
{
	struct bio *bio = tb->bio;

	release(tb);
	if (status && triad_hold_read(tb->triad, bio, status))
		return;
	bio->bi_status = status;
	bio_endio(bio);		/* comes back to triad_read_end, which lets it pass */
}

static void read_in_pieces(struct triad_bio *tb, void *page);

static void verify_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);
	struct triad *t = tb->triad;
	void *page = mempool_alloc(&t->read_blocks, GFP_NOIO);
	blk_status_t status = verify_slowly(tb, page);

	/* it may have read again */
	if (is_stale(tb))
		read_in_pieces(tb, page);
	else
		finish(tb, status);
	mempool_free(page, &t->read_blocks);
}

static void read_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);
	struct triad *t = tb->triad;
	void *page = mempool_alloc(&t->read_blocks, GFP_NOIO);

	read_in_pieces(tb, page);
	mempool_free(page, &t->read_blocks);
}

static void go_to_worker(struct triad_bio *tb, work_func_t work)
{
	INIT_WORK(&tb->work, work);
	queue_work(tb->triad->read_wq, &tb->work);
}

int triad_read_end(struct triad *t, struct bio *bio, blk_status_t *error)
{
	struct triad_bio *tb = triad_bio(bio);

	if (!tb->reading)
		return DM_ENDIO_DONE;
	if (is_stale(tb)) {
		go_to_worker(tb, read_work);
		return DM_ENDIO_INCOMPLETE;
	}
	if (!*error && (tb->nr > VERIFY_INLINE || !verified(tb))) {
		go_to_worker(tb, verify_work);
		return DM_ENDIO_INCOMPLETE;
	}
	release(tb);
	return *error && triad_hold_read(t, bio, *error) ? DM_ENDIO_INCOMPLETE : DM_ENDIO_DONE;
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
static blk_status_t read_run(struct triad_bio *tb, void *page)
{
	struct triad *t = tb->triad;
	struct bio *clone;
	int r;

	clone = bio_alloc_clone(t->dev->bdev, tb->bio, GFP_NOIO, &t->bios);
	clone->bi_iter = tb->iter;
	clone->bi_iter.bi_sector = triad_sector(tb->pba);
	clone->bi_iter.bi_size = tb->nr << TRIAD_BLOCK_SHIFT;
	bio_clear_polled(clone);	/* nobody polls for it */
	clone->bi_opf &= ~REQ_NOWAIT;	/* a worker may wait */
	r = submit_bio_wait(clone);
	bio_put(clone);
	return r ? errno_to_blk_status(r) : verify_slowly(tb, page);
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

/*
 * The same without a view that must stay: what the log has is noted first, map nodes are
 * copied, and need not stay in the cache.
 */
static int lookup_sleeping(struct triad_bio *tb, u32 max, struct triad_node_disk *node)
{
	struct fetched f = { .t = tb->triad, .node = node };
	struct triad_view view;
	struct logged logged;
	u32 i;
	int n;

	trace_read_miss(triad_devt(tb->triad), tb->lba, max);
	logged.known = 0;
	rcu_read_lock();
	view = *rcu_dereference(tb->triad->view);
	for (i = 0; i < max; i++)
		if (lookup_log(&view, tb->lba + i, &logged.ref[i]))
			logged.known |= BIT(i);
	rcu_read_unlock();
	tb->era = view.era;
	n = lookup(tb->triad, &view, &logged, tb->lba, max, get_fetched, &f, &tb->pba, tb->csums);
	return n == -EAGAIN ? f.error : n;
}

static void read_zeroes(struct triad_bio *tb)
{
	struct bvec_iter iter = tb->iter;
	u32 i;

	for (i = 0; i < tb->nr; i++) {
		copy_to_bio(tb->bio, iter, page_address(ZERO_PAGE(0)));
		bio_advance_iter(tb->bio, &iter, TRIAD_BLOCK_SIZE);
	}
}

/* The next blocks that lie together, tb->nr of them; at most max. */
static blk_status_t read_piece(struct triad_bio *tb, u32 max, void *page)
{
	int n = lookup_sleeping(tb, max, page);

	tb->nr = max_t(int, n, 0);
	if (n < 0)
		return errno_to_blk_status(n);
	if (tb->pba)
		return read_run(tb, page);
	read_zeroes(tb);
	return BLK_STS_OK;
}

/*
 * The same, once more when it took too long.  A disk that is slower than its commits would
 * never be done: after some tries the next commit has to wait.
 */
static blk_status_t read_current_piece(struct triad_bio *tb, u32 max, void *page)
{
	struct triad *t = tb->triad;
	blk_status_t status;
	unsigned int i;

	for (i = 0; i <= MAX_OVERTAKEN; i++) {
		if (i == MAX_OVERTAKEN) {
			atomic_inc(&t->slow_reads);
			smp_mb__after_atomic();		/* before the view is looked at */
		}
		status = read_piece(tb, max, page);
		if (!is_stale(tb))
			break;
	}
	if (i >= MAX_OVERTAKEN && atomic_dec_and_test(&t->slow_reads))
		wake_up(&t->wait);
	return status;
}

/*
 * A whole read whose map is not in memory, or that took so long that its blocks are
 * somebody else's.  Such a one goes on with what is there now.
 */
static void read_in_pieces(struct triad_bio *tb, void *page)
{
	struct bio *bio = tb->bio;
	u32 left = tb->nr;
	blk_status_t status = BLK_STS_OK;

	while (left && !status) {
		status = read_current_piece(tb, min_t(u32, left, TRIAD_INLINE_CSUMS), page);
		bio_advance_iter(bio, &tb->iter, tb->nr << TRIAD_BLOCK_SHIFT);
		tb->lba += tb->nr;
		left -= tb->nr;
	}
	finish(tb, status);
}

int triad_read_bio(struct triad *t, struct bio *bio)
{
	struct triad_bio *tb = triad_bio(bio);
	u32 nr_all = bio->bi_iter.bi_size >> TRIAD_BLOCK_SHIFT, nr = nr_all;
	const struct triad_view *view;
	int n;

	if (!nr)
		return DM_MAPIO_KILL;
	tb->csums = tb->inline_csums;
	if (nr > TRIAD_INLINE_CSUMS) {
		nr = min(nr, TRIAD_RECORD_MAX_BLOCKS);
		tb->csums = kmalloc_array(nr, sizeof(u32), GFP_NOWAIT | __GFP_NOWARN);
		if (!tb->csums) {
			tb->csums = tb->inline_csums;
			nr = TRIAD_INLINE_CSUMS;
		}
	}
	rcu_read_lock();
	view = rcu_dereference(t->view);
	tb->era = view->era;
	n = lookup(t, view, NULL, tb->lba, nr, get_cached, &t->cache, &tb->pba, tb->csums);
	rcu_read_unlock();
	tb->reading = true;
	tb->iter = bio->bi_iter;
	if (n == -EAGAIN && bio->bi_opf & REQ_NOWAIT) {
		release(tb);
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (n == -EAGAIN) {
		tb->nr = nr_all;
		atomic64_add((u64)tb->nr << TRIAD_BLOCK_SHIFT, &t->stats.user_read);
		go_to_worker(tb, read_work);
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
	if (n < nr_all)
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
