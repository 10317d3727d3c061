// SPDX-License-Identifier: GPL-2.0-or-later
/* The core's store: the disk and the root devices, by bios. */
#include "trace.h"
#include "triad.h"

#define MAX_STORE_PENDING	256

static struct triad *triad_of(struct triad_store *store)
{
	return container_of(store, struct triad, store);
}

static int store_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct triad *t = triad_of(store);

	/* a commit that is abandoned reads no further */
	if (READ_ONCE(t->store_error) == -ECANCELED)
		return -ECANCELED;
	return triad_io_wait(t, t->dev->bdev, REQ_OP_READ | REQ_META, pba, nr, buf);
}

static void store_endio(struct bio *bio)
{
	struct triad *t = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(t->store_error, blk_status_to_errno(bio->bi_status));
	mempool_free(bvec_virt(bio_first_bvec_all(bio)), &t->blocks);
	bio_put(bio);
	rcu_read_lock();		/* see record_put */
	smp_mb__before_atomic();	/* the error is there; see store_flush */
	atomic_dec(&t->store_pending);
	wake_up(&t->wait);
	rcu_read_unlock();
}

static int store_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct triad *t = triad_of(store);

	while (nr--) {
		struct bio *bio;
		void *block;

		wait_event(t->wait, atomic_read(&t->store_pending) < MAX_STORE_PENDING);
		block = mempool_alloc(&t->blocks, GFP_NOIO);
		memcpy(block, buf, TRIAD_BLOCK_SIZE);
		bio = bio_alloc_bioset(t->dev->bdev, 1, REQ_OP_WRITE | REQ_META, GFP_NOIO,
				       &t->bios);
		bio->bi_iter.bi_sector = triad_sector(pba++);
		bio->bi_private = t;
		bio->bi_end_io = store_endio;
		__bio_add_page(bio, virt_to_page(block), TRIAD_BLOCK_SIZE,
			       offset_in_page(block));
		atomic_inc(&t->store_pending);
		atomic64_add(TRIAD_BLOCK_SIZE, &t->stats.device_written);
		submit_bio(bio);
		buf += TRIAD_BLOCK_SIZE;
	}
	return READ_ONCE(t->store_error);
}

static int flush_device(struct triad *t, struct block_device *bdev)
{
	u64 begun = ktime_get_ns();
	struct bio bio;
	int r;

	bio_init(&bio, bdev, NULL, 0, TRIAD_OP_FLUSH);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	atomic64_inc(&t->stats.flushes);
	trace_flush(triad_devt(t), true, ktime_get_ns() - begun, r);
	return r;
}

/* Of three root devices one may fail: then its slot is lost. */
static int flush_roots(struct triad *t)
{
	unsigned int i;
	int r;

	for (i = 0; i < t->nr_root_dev; i++) {
		if (t->store.lost & 1u << i)
			continue;
		/* one device holds all three slots, or each has its own */
		r = t->root_dev[i] ? flush_device(t, t->root_dev[i]->bdev) : -ENXIO;
		if (r && t->nr_root_dev != TRIAD_NR_SLOTS)
			return r;
		if (r)
			t->store.lost |= 1u << i;
	}
	return 0;
}

int triad_store_flush_all(struct triad *t)
{
	int r = flush_device(t, t->dev->bdev);

	if (!r)
		r = flush_roots(t);
	if (r)
		WRITE_ONCE(t->store_error, r);
	return r;
}

static int store_flush(struct triad_store *store)
{
	struct triad *t = triad_of(store);
	int r;

	wait_event(t->wait, !atomic_read(&t->store_pending));
	smp_rmb();			/* pairs with store_endio */
	r = READ_ONCE(t->store_error);
	return r ? r : triad_store_flush_all(t);
}

static int root_io(struct triad *t, unsigned int slot, blk_opf_t opf, void *buf)
{
	u64 pba = t->nr_root_dev == TRIAD_NR_SLOTS ? 0 : TRIAD_SLOT_PBA(slot);
	struct dm_dev *dev = t->nr_root_dev ? t->root_dev[slot] : t->dev;

	return dev ? triad_io_wait(t, dev->bdev, opf | REQ_META, pba, 1, buf) : -ENXIO;
}

static int store_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	return root_io(triad_of(store), slot, REQ_OP_READ, buf);
}

static int store_write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	return root_io(triad_of(store), slot, REQ_OP_WRITE | REQ_FUA, (void *)buf);
}

static bool store_node_get(struct triad_store *store, u64 pba, u32 birth, void *buf)
{
	const struct triad_node_disk *node;

	rcu_read_lock();
	node = triad_cache_find(&triad_of(store)->cache, pba, birth);
	if (node)
		memcpy(buf, node, sizeof(*node));
	rcu_read_unlock();
	return node;
}

static void store_node_put(struct triad_store *store, u64 pba, u32 birth, const void *buf)
{
	triad_cache_insert(&triad_of(store)->cache, pba, birth, buf);
}

static bool is_cached(struct triad *t, const struct triad_ref *ref)
{
	bool found;

	rcu_read_lock();
	found = triad_cache_find(&t->cache, ref->pba, ref->birth);
	rcu_read_unlock();
	return found;
}

static void ahead_endio(struct bio *bio)
{
	struct triad_ahead *a = bio->bi_private;
	struct triad *t = a->triad;

	a->is_here = !bio->bi_status;
	bio_put(bio);
	rcu_read_lock();		/* see record_put */
	smp_mb__before_atomic();	/* pairs with the wait for all of them */
	atomic_dec(&t->ahead_pending);
	wake_up(&t->wait);
	rcu_read_unlock();
}

/*
 * Optional from the first to the last: nodes that do not get memory or cannot be read
 * are read again by who needs them.  The cache must have room for all of them at once.
 */
static void store_read_ahead(struct triad_store *store, u8 checksum_kind,
			     const struct triad_ref *refs, u32 nr)
{
	struct triad *t = triad_of(store);
	u32 i;

	nr = min3(nr, (u32)ARRAY_SIZE(t->ahead), t->cache.max / 4);
	for (i = 0; i < nr; i++) {
		struct triad_ahead *a = &t->ahead[i];
		struct bio *bio;

		a->block = NULL;
		if (!refs[i].pba || is_cached(t, &refs[i]) ||
		    READ_ONCE(t->store_error) == -ECANCELED)
			continue;
		a->block = kmem_cache_alloc(triad_block_cache, GFP_NOWAIT | __GFP_NOWARN);
		if (!a->block)
			continue;
		a->triad = t;
		bio = bio_alloc_bioset(t->dev->bdev, 1, REQ_OP_READ | REQ_META, GFP_NOIO, &t->bios);
		bio->bi_iter.bi_sector = triad_sector(refs[i].pba);
		bio->bi_private = a;
		bio->bi_end_io = ahead_endio;
		__bio_add_page(bio, virt_to_page(a->block), TRIAD_BLOCK_SIZE,
			       offset_in_page(a->block));
		atomic_inc(&t->ahead_pending);
		submit_bio(bio);
	}
	wait_event(t->wait, !atomic_read(&t->ahead_pending));
	smp_rmb();			/* pairs with ahead_endio */
	for (i = 0; i < nr; i++) {
		struct triad_ahead *a = &t->ahead[i];

		if (!a->block)
			continue;
		if (a->is_here && triad_checksum(checksum_kind, a->block) == refs[i].csum)
			triad_cache_insert(&t->cache, refs[i].pba, refs[i].birth, a->block);
		kmem_cache_free(triad_block_cache, a->block);
	}
}

static void beside_work(struct work_struct *work)
{
	struct triad_beside *b = container_of(work, struct triad_beside, work);

	b->job->run(b->job);
	complete(&b->done);
}

static void store_start(struct triad_store *store, struct triad_job *job)
{
	struct triad *t = triad_of(store);
	struct triad_beside *b = &t->beside[job->nr];

	b->job = job;
	init_completion(&b->done);
	INIT_WORK(&b->work, beside_work);
	queue_work(t->read_wq, &b->work);
}

static void store_wait(struct triad_store *store, struct triad_job *job)
{
	wait_for_completion(&triad_of(store)->beside[job->nr].done);
}

const struct triad_store_ops triad_store_ops = {
	.read = store_read,
	.write = store_write,
	.flush = store_flush,
	.read_root = store_read_root,
	.write_root = store_write_root,
	.node_get = store_node_get,
	.node_put = store_node_put,
	.read_ahead = store_read_ahead,
	.start = store_start,
	.wait = store_wait,
};
