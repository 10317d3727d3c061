// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Discards wait in a queue of their own: they may be many and large, and writes must
 * not wait for them.  They are cut into steps; a record of discards and a record of
 * writes take turns.
 *
 * Nobody is surprised by that: who overlaps keeps its place.  A write goes behind the
 * discards of its blocks that came before it, which are done first for its sake; and a
 * discard never goes before a write that came before it.
 */
#include "triad.h"

#define MAX_LOOKS	8	/* map nodes fetched to see whether a discard is needed */

static struct hlist_head *bucket(struct triad *t, u64 lba)
{
	return &t->discards_at[(lba / TRIAD_DISCARD_STEP) % ARRAY_SIZE(t->discards_at)];
}

void triad_discard_add(struct triad *t, struct triad_bio *tb)
{
	lockdep_assert_held(&t->lock);
	list_add_tail(&tb->waiting, &t->discards);
	hlist_add_head(&tb->place, bucket(t, tb->lba));
	t->nr_discards++;
}

void triad_discard_del(struct triad *t, struct triad_bio *tb)
{
	lockdep_assert_held(&t->lock);
	list_del(&tb->waiting);
	hlist_del(&tb->place);
	t->nr_discards--;
}

/* A discard lies within one step, so it is found where the write begins or ends. */
static struct triad_bio *find_at(struct triad *t, const struct triad_bio *w, u64 lba)
{
	struct triad_bio *d;

	hlist_for_each_entry(d, bucket(t, lba), place)
		if (d->arrival < w->arrival && d->lba < w->lba + w->nr && w->lba < d->lba + d->nr)
			return d;
	return NULL;
}

struct triad_bio *triad_discard_before(struct triad *t, const struct triad_bio *w)
{
	struct triad_bio *d = NULL;

	if (!list_empty(&t->discards))
		d = find_at(t, w, w->lba);
	if (!d && !list_empty(&t->discards))
		d = find_at(t, w, w->lba + w->nr - 1);
	return d;
}

struct triad_bio *triad_discard_next(struct triad *t, const struct triad_bio *w)
{
	struct triad_bio *d = list_first_entry_or_null(&t->discards, struct triad_bio, waiting);

	return d && (!w || d->arrival < w->arrival) ? d : NULL;
}

/* ---- what it would change ---------------------------------------------------- */

static const struct triad_node_disk *get_cached(void *context, const struct triad_ref *ref)
{
	return triad_cache_find(context, ref->pba, ref->birth);
}

bool triad_discard_is_void(struct triad *t, const struct triad_bio *tb)
{
	struct triad_ref missing;
	int r;

	lockdep_assert_held(&t->lock);
	rcu_read_lock();
	r = triad_log_is_void(&t->core, tb->lba, tb->nr, get_cached, &t->cache, &missing);
	rcu_read_unlock();
	return r == 1;
}

u32 triad_discard_leaves(struct triad *t, const struct triad_bio *tb)
{
	u32 leaves;

	lockdep_assert_held(&t->lock);
	rcu_read_lock();
	leaves = triad_map_leaves(&t->core.geo, &t->core.space.map.root, tb->lba, tb->nr,
				  get_cached, &t->cache);
	rcu_read_unlock();
	return leaves;
}

/* -EAGAIN: it takes a node to know whether there is anything. */
static int look(struct triad *t, const struct triad_bio *tb, struct triad_ref *missing)
{
	int r;

	rcu_read_lock();
	r = triad_map_is_hole(&t->core.geo, &rcu_dereference(t->view)->map, tb->lba, tb->nr,
			      get_cached, &t->cache, missing);
	rcu_read_unlock();
	return r;
}

/*
 * Have the nodes at hand by the time that the log worker asks.  Without them the
 * discard gets a record, so it does not matter what goes wrong, nor that the map may
 * have moved on and the node's place been taken: then it does not verify.
 */
static void look_work(struct work_struct *work)
{
	struct triad_bio *tb = container_of(work, struct triad_bio, work);
	struct triad *t = tb->triad;
	struct triad_map map = {
		.geo = &t->core.geo,
		.store = &t->store,
		.checksum_kind = t->checksum_kind,
	};
	struct triad_scratch *s = mempool_alloc(&t->scratch, GFP_NOIO);
	struct triad_ref missing;
	int i;

	for (i = 0; i < MAX_LOOKS && look(t, tb, &missing) == -EAGAIN; i++)
		if (triad_map_read_node(&map, &missing, (void *)s->block))
			break;
	mempool_free(s, &t->scratch);
	triad_write_queue(t, tb->bio);
}

void triad_discard_bio(struct triad *t, struct bio *bio)
{
	struct triad_bio *tb = triad_bio(bio);
	struct triad_ref missing;

	if (look(t, tb, &missing) == -EAGAIN) {
		INIT_WORK(&tb->work, look_work);
		queue_work(t->read_wq, &tb->work);
	} else {
		triad_write_queue(t, bio);
	}
}
