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

/* Where the map has a block; spot is of leaf *leaf_nr, and kept for those behind it. */
static int lookup_map(struct triad *t, const struct triad_ref *root, u64 lba,
		      triad_map_get_fn get, void *context, struct triad_spot *spot, u64 *leaf_nr,
		      struct triad_ref *ref)
{
	struct triad_ref missing;
	int r;

	if (lba >> TRIAD_FANOUT_SHIFT != *leaf_nr) {
		r = triad_map_find(&t->core.geo, root, lba, get, context, spot, &missing);
		if (r)
			return r;
		*leaf_nr = lba >> TRIAD_FANOUT_SHIFT;
	}
	return triad_map_look(&t->core.geo, spot, lba, get, context, ref, &missing);
}

/*
 * The blocks from lba that lie one behind the other on disk (or are all holes),
 * at most max.  Fills csums, *pba (0: holes) and returns how many; -EAGAIN when
 * a map node is not in memory.
 */
static int lookup(struct triad *t, const struct triad_view *view, u64 lba, u32 max, u64 *pba,
		  u32 *csums)
{
	struct triad_spot spot;
	u64 leaf_nr = ~0ULL;
	u32 n;
	int r;

	for (n = 0; n < max; n++, lba++) {
		struct triad_ref ref = { 0 };

		if (!lookup_log(view, lba, &ref)) {
			r = lookup_map(t, &view->map, lba, get_cached, &t->cache, &spot, &leaf_nr,
				       &ref);
			if (r)
				return n ? n : r;
		}
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
static blk_status_t read_again(struct triad_bio *tb, u32 nr, u64 pba, u32 csum,
			       struct bvec_iter iter, void *page)
{
	struct triad *t = tb->triad;
	int r;

	r = triad_io_wait(t, t->dev->bdev, REQ_OP_READ, pba, 1, page);
	if (r)
		return errno_to_blk_status(r);
	if (triad_checksum(t->checksum_kind, page) == csum) {
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

/* Sleeping verification of block nr of a read, at iter, which advances. */
static blk_status_t verify_block(struct triad_bio *tb, u32 nr, u64 pba, u32 csum,
				 struct bvec_iter *iter, void *page)
{
	struct bvec_iter at = *iter;

	if (checksum_bio(tb->triad->checksum_kind, tb->bio, iter) == csum)
		return BLK_STS_OK;
	return read_again(tb, nr, pba, csum, at, page);
}

static blk_status_t verify_slowly(struct triad_bio *tb, void *page)
{
	struct bvec_iter iter = tb->iter;
	blk_status_t status = BLK_STS_OK;
	u32 i;

	for (i = 0; i < tb->nr && !status; i++)
		status = verify_block(tb, i, tb->pba + i, tb->csums[i], &iter, page);
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

static void read_in_pieces(struct triad_bio *tb, struct triad_scratch *s);

static void verify_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);
	struct triad *t = tb->triad;
	struct triad_scratch *s = mempool_alloc(&t->scratch, GFP_NOIO);
	blk_status_t status = verify_slowly(tb, s->block);

	/* it may have read again */
	if (is_stale(tb))
		read_in_pieces(tb, s);
	else
		finish(tb, status);
	mempool_free(s, &t->scratch);
}

static void read_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);
	struct triad *t = tb->triad;
	struct triad_scratch *s = mempool_alloc(&t->scratch, GFP_NOIO);

	read_in_pieces(tb, s);
	mempool_free(s, &t->scratch);
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

/* Of somebody who wants a node: where it is put, and why it could not be. */
struct fetched {
	struct triad *t;
	struct triad_node_disk *node;
	int error;
	struct list_head list;		/* [fetch_lock] in t->fetches, while it reads */
	u64 pba;
};

static bool is_fetching(struct triad *t, u64 pba)
{
	const struct fetched *f;
	bool found = false;

	spin_lock(&t->fetch_lock);
	list_for_each_entry(f, &t->fetches, list)
		found |= f->pba == pba;
	spin_unlock(&t->fetch_lock);
	return found;
}

/* False: somebody else reads that node. */
static bool fetch_begin(struct fetched *f, u64 pba)
{
	struct triad *t = f->t;
	const struct fetched *other;
	bool mine = true;

	spin_lock(&t->fetch_lock);
	list_for_each_entry(other, &t->fetches, list)
		mine &= other->pba != pba;
	if (mine) {
		f->pba = pba;
		list_add(&f->list, &t->fetches);
	}
	spin_unlock(&t->fetch_lock);
	return mine;
}

static void fetch_end(struct fetched *f)
{
	struct triad *t = f->t;

	spin_lock(&t->fetch_lock);
	list_del(&f->list);
	spin_unlock(&t->fetch_lock);
	wake_up_all(&t->fetch_wait);
}

/*
 * One reads it, and those who wait find it in the cache; if it could not be had, or kept,
 * each tries for itself.  One buffer serves a whole path: nobody looks back.
 */
static const struct triad_node_disk *get_fetched(void *context, const struct triad_ref *ref)
{
	struct fetched *f = context;
	struct triad *t = f->t;
	bool mine;

	f->error = 0;
	if (t->store.ops->node_get(&t->store, ref->pba, ref->birth, f->node))
		return f->node;
	mine = fetch_begin(f, ref->pba);
	if (!mine)
		wait_event(t->fetch_wait, !is_fetching(t, ref->pba));
	f->error = fetch(t, ref, f->node);
	if (mine)
		fetch_end(f);
	return f->error ? NULL : f->node;
}

/*
 * Look up max blocks, without a view that must stay: what the log has is noted first, map
 * nodes are copied, and need not stay in the cache.  How many could be, or an error.
 */
static int lookup_sleeping(struct triad_bio *tb, u32 max, struct triad_scratch *s)
{
	struct fetched f = { .t = tb->triad, .node = (void *)s->block };
	DECLARE_BITMAP(known, TRIAD_RECORD_MAX_BLOCKS);
	struct triad_spot spot;
	struct triad_view view;
	u64 leaf_nr = ~0ULL;
	u32 n;
	int r;

	trace_read_miss(triad_devt(tb->triad), tb->lba, max);
	bitmap_zero(known, TRIAD_RECORD_MAX_BLOCKS);
	rcu_read_lock();
	view = *rcu_dereference(tb->triad->view);
	for (n = 0; n < max; n++) {
		struct triad_ref ref;

		if (!lookup_log(&view, tb->lba + n, &ref))
			continue;
		__set_bit(n, known);
		s->place[n] = (struct triad_place){ .pba = ref.pba, .csum = ref.csum };
	}
	rcu_read_unlock();
	tb->era = view.era;
	for (n = 0; n < max; n++) {
		struct triad_ref ref;

		if (test_bit(n, known))
			continue;
		r = lookup_map(tb->triad, &view.map, tb->lba + n, get_fetched, &f, &spot,
			       &leaf_nr, &ref);
		if (r && n)
			break;
		if (r)
			return r == -EAGAIN ? f.error : r;
		s->place[n] = (struct triad_place){ .pba = ref.pba, .csum = ref.csum };
	}
	return n;
}

/* Runs that are being read, with the one who sends them counted. */
struct runs {
	atomic_t pending;
	blk_status_t status;
	struct completion done;
};

static void runs_put(struct runs *runs)
{
	if (atomic_dec_and_test(&runs->pending))
		complete(&runs->done);
}

static void run_endio(struct bio *bio)
{
	struct runs *runs = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(runs->status, bio->bi_status);
	bio_put(bio);
	runs_put(runs);
}

static void submit_run(struct triad_bio *tb, struct runs *runs, u64 pba, u32 nr,
		       struct bvec_iter iter)
{
	struct triad *t = tb->triad;
	struct bio *clone = bio_alloc_clone(t->dev->bdev, tb->bio, GFP_NOIO, &t->bios);

	clone->bi_iter = iter;
	clone->bi_iter.bi_sector = triad_sector(pba);
	clone->bi_iter.bi_size = nr << TRIAD_BLOCK_SHIFT;
	clone->bi_private = runs;
	clone->bi_end_io = run_endio;
	bio_clear_polled(clone);	/* nobody polls for it */
	clone->bi_opf &= ~REQ_NOWAIT;	/* a worker may wait */
	atomic_inc(&runs->pending);
	submit_bio(clone);
}

/* Read nr blocks, wherever they lie, all at once; holes are filled with zeroes. */
static blk_status_t read_runs(struct triad_bio *tb, u32 nr, const struct triad_place *place)
{
	struct runs runs = { .pending = ATOMIC_INIT(1) };
	struct bvec_iter iter = tb->iter;
	struct blk_plug plug;
	u32 i, n;

	init_completion(&runs.done);
	blk_start_plug(&plug);
	for (i = 0; i < nr; i += n) {
		u64 pba = place[i].pba;

		for (n = 1; pba && i + n < nr && place[i + n].pba == pba + n; n++)
			;
		if (pba)
			submit_run(tb, &runs, pba, n, iter);
		else
			copy_to_bio(tb->bio, iter, page_address(ZERO_PAGE(0)));
		bio_advance_iter(tb->bio, &iter, n << TRIAD_BLOCK_SHIFT);
	}
	blk_finish_plug(&plug);
	runs_put(&runs);
	wait_for_completion_io(&runs.done);
	return runs.status;
}

/* The next blocks, tb->nr of them; at most max. */
static blk_status_t read_piece(struct triad_bio *tb, u32 max, struct triad_scratch *s)
{
	int n = lookup_sleeping(tb, max, s);
	struct bvec_iter iter = tb->iter;
	blk_status_t status;
	u32 i;

	tb->nr = max_t(int, n, 0);
	if (n < 0)
		return errno_to_blk_status(n);
	status = read_runs(tb, n, s->place);
	for (i = 0; i < n && !status; i++) {
		if (s->place[i].pba)
			status = verify_block(tb, i, s->place[i].pba, s->place[i].csum, &iter,
					      s->block);
		else
			bio_advance_iter(tb->bio, &iter, TRIAD_BLOCK_SIZE);
	}
	return status;
}

/*
 * The same, once more when it took too long.  A disk that is slower than its commits would
 * never be done: after some tries the next commit has to wait.
 */
static blk_status_t read_current_piece(struct triad_bio *tb, u32 max,
				       struct triad_scratch *s)
{
	struct triad *t = tb->triad;
	blk_status_t status;
	unsigned int i;

	for (i = 0; i <= MAX_OVERTAKEN; i++) {
		if (i == MAX_OVERTAKEN) {
			atomic_inc(&t->slow_reads);
			smp_mb__after_atomic();		/* before the view is looked at */
		}
		status = read_piece(tb, max, s);
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
static void read_in_pieces(struct triad_bio *tb, struct triad_scratch *s)
{
	struct bio *bio = tb->bio;
	u32 left = tb->nr;
	blk_status_t status = BLK_STS_OK;

	while (left && !status) {
		status = read_current_piece(tb, min_t(u32, left, TRIAD_RECORD_MAX_BLOCKS), s);
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
	n = lookup(t, view, tb->lba, nr, &tb->pba, tb->csums);
	rcu_read_unlock();
	tb->reading = true;
	tb->iter = bio->bi_iter;
	if (n == -EAGAIN && triad_must_not_wait(bio)) {
		release(tb);
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (n == -EAGAIN) {
		tb->nr = nr_all;
		this_cpu_add(*t->user_read, (u64)tb->nr << TRIAD_BLOCK_SHIFT);
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
	this_cpu_add(*t->user_read, (u64)n << TRIAD_BLOCK_SHIFT);
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
