// SPDX-License-Identifier: GPL-2.0-or-later
#include "index.h"

static u64 make_key(u64 lba, unsigned int level)
{
	return (lba >> (level * TRIAD_FANOUT_SHIFT) << (level * TRIAD_FANOUT_SHIFT)) << 2 | level;
}

static u32 *bucket_of(const struct triad_index *index, u64 key)
{
	u64 h = key * 0x9e3779b97f4a7c15ULL;

	return &index->buckets[(h >> 32) & index->bucket_mask];
}

struct triad_index *triad_index_create(u32 max, void *(*alloc)(size_t size))
{
	struct triad_index *index = alloc(sizeof(*index));
	u32 nr_buckets = 64;

	if (!index)
		return NULL;
	while (nr_buckets < max)
		nr_buckets *= 2;
	index->max = max;
	index->bucket_mask = nr_buckets - 1;
	index->buckets = alloc(nr_buckets * sizeof(*index->buckets));
	index->entries = alloc(max * sizeof(*index->entries));
	if (!index->buckets || !index->entries) {
		triad_index_destroy(index);
		return NULL;
	}
	return index;
}

void triad_index_destroy(struct triad_index *index)
{
	if (!index)
		return;
	triad_free(index->buckets);
	triad_free(index->entries);
	triad_free(index);
}

void triad_index_reset(struct triad_index *index)
{
	memset(index->buckets, 0, (index->bucket_mask + 1ULL) * sizeof(*index->buckets));
	index->nr = 0;
	index->nr_levels = 0;
	memset(index->written, 0, sizeof(index->written));
}

/* The word that holds a subtree's bit, and its number. */
static u32 word_of(u64 lba)
{
	return (lba >> (2 * TRIAD_FANOUT_SHIFT)) % TRIAD_INDEX_SUBTREES / 32;
}

static u32 bit_of(u64 lba)
{
	return 1u << ((lba >> (2 * TRIAD_FANOUT_SHIFT)) % 32);
}

/* The first LBA of the subtree behind this one's. */
static u64 next_subtree(u64 lba)
{
	return ((lba >> (2 * TRIAD_FANOUT_SHIFT)) + 1) << (2 * TRIAD_FANOUT_SHIFT);
}

void triad_index_announce(struct triad_index *index, u64 lba, u64 nr)
{
	u64 end = lba + nr;

	for (; lba < end; lba = next_subtree(lba)) {
		u32 *word = &index->written[word_of(lba)];

		triad_store(word, *word | bit_of(lba));
	}
}

bool triad_index_may_write(const struct triad_index *index, u64 lba, u64 nr)
{
	u64 end = lba + nr;

	for (; lba < end; lba = next_subtree(lba))
		if (triad_load(&index->written[word_of(lba)]) & bit_of(lba))
			return true;
	return false;
}

static struct triad_index_entry *entry_at(const struct triad_index *index, u32 link)
{
	return link ? &index->entries[link - 1] : NULL;
}

/* Publish one entry and take the one it shadows out of the bucket. */
static int insert(struct triad_index *index, u64 key, u64 pba, u32 csum)
{
	u32 *bucket = bucket_of(index, key);
	struct triad_index_entry *e, *old;
	u32 *link;

	if (index->nr >= index->max)
		return -ENOSPC;
	e = &index->entries[index->nr];
	e->key = key;
	e->pba = pba;
	e->csum = csum;
	e->older = *bucket;
	if ((key & 3) + 1 > index->nr_levels)
		triad_store(&index->nr_levels, (u32)(key & 3) + 1);
	triad_store(bucket, index->nr + 1);
	index->nr++;

	/* a lookup that stands on the old entry still finds its way down */
	for (link = &e->older; (old = entry_at(index, *link)); link = &old->older) {
		if (old->key == key) {
			triad_store(link, old->older);
			break;
		}
	}
	return 0;
}

int triad_index_add(struct triad_index *index, u64 lba, u64 pba, u32 csum)
{
	return insert(index, make_key(lba, 0), pba, csum);
}

void triad_index_copy(struct triad_index *to, const struct triad_index *from)
{
	u32 i;

	for (i = 0; i < from->nr; i++)
		insert(to, from->entries[i].key, from->entries[i].pba, from->entries[i].csum);
	memcpy(to->written, from->written, sizeof(to->written));
}

unsigned int triad_index_unit(const struct triad_geometry *geo, u64 lba, u64 end)
{
	unsigned int level;

	for (level = TRIAD_INDEX_LEVELS - 1; level; level--) {
		u64 size = 1ULL << (level * TRIAD_FANOUT_SHIFT);

		/* behind the last LBA there is nothing to spare */
		if (!(lba & (size - 1)) &&
		    (lba + size <= end || end == geo->logical_blocks) &&
		    level <= geo->map_depth)
			break;
	}
	return level;
}

u32 triad_index_discard_cost(const struct triad_geometry *geo, u64 lba, u64 nr,
			     u32 *leaves)
{
	u64 end = lba + nr;
	u32 entries = 0;

	*leaves = 0;
	while (lba < end) {
		unsigned int level = triad_index_unit(geo, lba, end);

		if (level)
			*leaves += 1u << ((level - 1) * TRIAD_FANOUT_SHIFT);
		lba += 1ULL << (level * TRIAD_FANOUT_SHIFT);
		entries++;
	}
	return entries;
}

int triad_index_discard(struct triad_index *index, const struct triad_geometry *geo,
			u64 lba, u64 nr)
{
	u64 end = lba + nr;
	int r;

	while (lba < end) {
		unsigned int level = triad_index_unit(geo, lba, end);

		r = insert(index, make_key(lba, level), 0, 0);
		if (r)
			return r;
		lba += 1ULL << (level * TRIAD_FANOUT_SHIFT);
	}
	return 0;
}

static u32 find(const struct triad_index *index, u64 key)
{
	u32 link = triad_load(bucket_of(index, key));

	while (link && index->entries[link - 1].key != key)
		link = triad_load(&index->entries[link - 1].older);
	return link;
}

static struct triad_index_entry *newest(const struct triad_index *index, u64 lba)
{
	u32 link = 0, level, nr_levels = triad_load(&index->nr_levels);

	for (level = 0; level < nr_levels; level++)
		link = max_t(u32, link, find(index, make_key(lba, level)));
	return entry_at(index, link);
}

u64 triad_index_rewrite(struct triad_index *index, u64 lba, u32 csum)
{
	struct triad_index_entry *e = newest(index, lba);

	if (!e || !e->pba)
		return 0;
	e->csum = csum;
	return e->pba;
}

bool triad_index_lookup(const struct triad_index *index, u64 lba, u64 *pba, u32 *csum)
{
	const struct triad_index_entry *e = newest(index, lba);

	if (!e)
		return false;
	*pba = e->pba;
	*csum = e->csum;
	return true;
}

static int compare(const void *x, const void *y)
{
	u64 a = *(const u64 *)x, b = *(const u64 *)y;

	return a < b ? -1 : a > b;
}

u32 triad_index_sorted(const struct triad_index *index, u64 *scratch, u32 *out)
{
	u32 i, nr = 0;

	/*
	 * One word sorts by LBA, then larger levels first, and names the entry:
	 * LBA < 2^32, 2 bits of level, entry number < 2^24.
	 */
	for (i = 0; i < index->nr; i++) {
		const struct triad_index_entry *e = &index->entries[i];

		if (find(index, e->key) != i + 1)
			continue;
		scratch[nr++] = triad_index_lba(e) << 26 |
				(u64)(3 - triad_index_level(e)) << 24 | i;
	}
	triad_sort(scratch, nr, sizeof(*scratch), compare);
	for (i = 0; i < nr; i++)
		out[i] = scratch[i] & 0xffffff;
	return nr;
}
