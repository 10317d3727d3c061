// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Map nodes in memory.  A node never changes once written, and (PBA, birth) names
 * it for good: a block that was given back and taken again has another birth.
 */
#include "triad.h"

struct node {
	struct rcu_head rcu;
	struct list_head lru;
	unsigned long pba;
	u32 birth;
	bool used;		/* since it last passed the end of the list */
	struct triad_node_disk *data;
};

static void free_node(struct rcu_head *rcu)
{
	struct node *node = container_of(rcu, struct node, rcu);

	kmem_cache_free(triad_block_cache, node->data);
	kfree(node);
}

static void drop(struct triad_cache *cache, struct node *node)
{
	list_del(&node->lru);
	cache->nr--;
	call_rcu(&node->rcu, free_node);
}

/* Look at nr of them, oldest first: who was used since the last time stays.  How many are gone. */
static unsigned long evict(struct triad_cache *cache, unsigned long nr)
{
	unsigned long gone = 0;

	while (nr-- && cache->nr) {
		struct node *node = list_first_entry(&cache->lru, struct node, lru);

		if (READ_ONCE(node->used)) {
			WRITE_ONCE(node->used, false);
			list_move_tail(&node->lru, &cache->lru);
		} else {
			xa_erase(&cache->nodes, node->pba);
			drop(cache, node);
			gone++;
		}
		cond_resched();
	}
	return gone;
}

/* ---- memory runs short --------------------------------------------------- */

static unsigned long count_nodes(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct triad_cache *cache = triad_shrinker_owner(shrinker, struct triad_cache, shrinker);

	return READ_ONCE(cache->nr);
}

static unsigned long shrink(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct triad_cache *cache = triad_shrinker_owner(shrinker, struct triad_cache, shrinker);
	unsigned long gone;

	if (!mutex_trylock(&cache->lock))
		return SHRINK_STOP;
	gone = evict(cache, sc->nr_to_scan);
	mutex_unlock(&cache->lock);
	return gone;
}

int triad_cache_init(struct triad_cache *cache, u32 max)
{
	xa_init(&cache->nodes);
	mutex_init(&cache->lock);
	INIT_LIST_HEAD(&cache->lru);
	cache->max = max;
	return triad_shrinker_begin(&cache->shrinker, cache, count_nodes, shrink);
}

void triad_cache_exit(struct triad_cache *cache)
{
	triad_shrinker_end(&cache->shrinker);
}

/* ---- lookups and insertions ------------------------------------------------ */

const struct triad_node_disk *triad_cache_find(struct triad_cache *cache, u64 pba, u32 birth)
{
	struct node *node = xa_load(&cache->nodes, pba);

	if (!node || node->birth != birth)
		return NULL;
	if (!READ_ONCE(node->used))
		WRITE_ONCE(node->used, true);
	return node->data;
}

void triad_cache_insert(struct triad_cache *cache, u64 pba, u32 birth, const void *data)
{
	struct node *node, *old;

	/* optional, so it never waits for memory: it may be this device that has to free some */
	node = kmalloc(sizeof(*node), GFP_NOWAIT | __GFP_NOWARN);
	if (!node)
		return;
	node->data = kmem_cache_alloc(triad_block_cache, GFP_NOWAIT | __GFP_NOWARN);
	if (!node->data) {
		kfree(node);
		return;
	}
	memcpy(node->data, data, sizeof(*node->data));
	node->pba = pba;
	node->birth = birth;
	node->used = true;

	mutex_lock(&cache->lock);
	while (cache->nr >= cache->max)
		evict(cache, 1);
	old = xa_store(&cache->nodes, pba, node, GFP_NOWAIT | __GFP_NOWARN);
	if (xa_is_err(old)) {
		free_node(&node->rcu);
	} else {
		list_add_tail(&node->lru, &cache->lru);
		cache->nr++;
		if (old)
			drop(cache, old);
	}
	mutex_unlock(&cache->lock);
}

void triad_cache_clear(struct triad_cache *cache)
{
	struct node *node, *next;

	mutex_lock(&cache->lock);
	list_for_each_entry_safe(node, next, &cache->lru, lru) {
		xa_erase(&cache->nodes, node->pba);
		drop(cache, node);
		cond_resched();
	}
	mutex_unlock(&cache->lock);
}
