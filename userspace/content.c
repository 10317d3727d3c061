// SPDX-License-Identifier: GPL-2.0-or-later
#include "content.h"

#define BATCH	256u

/* Blocks that lie one behind the other are read at once. */
struct walk {
	struct triad_core *core;
	content_fn visit;
	void *context;
	bool all;
	struct content_range range;
	bool in_log;
	u64 pba;		/* of the first */
	u32 nr;
	u64 lba[BATCH];
	u32 csum[BATCH];
	u8 *buffer;
	/* the log's blocks, by LBA */
	u32 *order;
	u32 nr_order;
	u32 next;		/* of order, not gathered yet */
};

static int hand_over(struct walk *w, u32 i, int error)
{
	struct content_block block = {
		.lba = w->lba[i],
		.nr = 1,
		.pba = w->pba + i,
		.in_log = w->in_log,
		.csum = w->csum[i],
	};
	const u8 *data = w->buffer + (size_t)i * TRIAD_BLOCK_SIZE;

	if (!error && !w->range.only_names &&
	    triad_checksum(w->core->root.checksum_kind, data) != w->csum[i])
		error = -EBADMSG;
	block.error = error;
	block.data = error || w->range.only_names ? NULL : data;
	return w->visit(w->context, &block);
}

static int drain(struct walk *w)
{
	struct triad_store *store = w->core->store;
	int r = 0, error;
	u32 i;

	if (!w->nr)
		return 0;
	error = w->range.only_names ? 0 : store->ops->read(store, w->pba, w->nr, w->buffer);
	for (i = 0; i < w->nr && !r; i++) {
		if (error)	/* find out which */
			r = hand_over(w, i, store->ops->read(store, w->pba + i, 1, w->buffer +
							     (size_t)i * TRIAD_BLOCK_SIZE));
		else
			r = hand_over(w, i, 0);
	}
	w->nr = 0;
	return r;
}

static int gather(struct walk *w, bool in_log, u64 lba, u64 pba, u32 csum)
{
	int r;

	if (lba < w->range.from || lba >= w->range.to)
		return 0;
	if (w->nr && (w->nr == BATCH || pba != w->pba + w->nr || in_log != w->in_log)) {
		r = drain(w);
		if (r)
			return r;
	}
	if (!w->nr) {
		w->pba = pba;
		w->in_log = in_log;
	}
	w->lba[w->nr] = lba;
	w->csum[w->nr] = csum;
	w->nr++;
	return 0;
}

/* What the log holds below an LBA and has not been visited. */
static int gather_log(struct walk *w, u64 end)
{
	const struct triad_index *index = w->core->active;
	int r = 0;

	for (; w->next < w->nr_order && !r; w->next++) {
		const struct triad_index_entry *e = &index->entries[w->order[w->next]];
		u64 pba, lba = triad_index_lba(e);
		u32 csum;

		if (lba >= end)
			break;
		/* a newer discard may cover it */
		if (e->pba && triad_index_lookup(index, lba, &pba, &csum) && pba == e->pba)
			r = gather(w, true, lba, pba, csum);
	}
	return r;
}

static int visit_hole(struct walk *w, u64 lba, u64 nr)
{
	u64 end = min_t(u64, lba + nr, w->range.to);
	struct content_block block = { .lba = max_t(u64, lba, w->range.from), .hole = true };

	if (block.lba >= end)
		return 0;
	block.nr = end - block.lba;
	return w->visit(w->context, &block);
}

/* What the log discards, and may fill again: before all else. */
static int visit_discards(struct walk *w)
{
	const struct triad_index *index = w->core->active;
	int r = 0;
	u32 i;

	for (i = 0; i < w->nr_order && !r; i++) {
		const struct triad_index_entry *e = &index->entries[w->order[i]];

		if (!e->pba)
			r = visit_hole(w, triad_index_lba(e),
				       1ULL << (triad_index_level(e) * TRIAD_FANOUT_SHIFT));
	}
	return r;
}

static int visit_map(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct walk *w = context;
	u64 pba;
	u32 csum;
	int r;

	if (!error && level != TRIAD_VISIT_DATA && level != TRIAD_VISIT_HOLE)
		return 0;
	r = gather_log(w, lba);
	if (r)
		return r;
	if (!error && level == TRIAD_VISIT_HOLE) {
		r = drain(w);
		return r ? r : visit_hole(w, lba, nr);
	}
	if (error) {
		struct content_block block = {
			.lba = lba,
			.nr = max_t(u64, nr, 1),
			.pba = ref->pba,
			.error = error,
		};

		r = drain(w);
		return r ? r : w->visit(w->context, &block);
	}
	if (!w->all && triad_index_lookup(w->core->active, lba, &pba, &csum))
		return 0;
	return gather(w, false, lba, ref->pba, ref->csum);
}

static int sort_log(struct walk *w)
{
	const struct triad_index *index = w->core->active;
	u64 *scratch = triad_alloc(index->nr * sizeof(*scratch));

	w->order = triad_alloc(index->nr * sizeof(*w->order));
	if (scratch && w->order)
		w->nr_order = triad_index_sorted(index, scratch, w->order);
	triad_free(scratch);
	return scratch && w->order ? 0 : -ENOMEM;
}

static int walk_range(struct triad_core *core, bool all, const struct content_range *range,
		      content_fn visit, void *context)
{
	struct triad_map map = core->space.map;
	struct walk *w = triad_alloc(sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->core = core;
	w->visit = visit;
	w->context = context;
	w->all = all;
	w->range = *range;
	map.since = range->since;
	map.holes = range->holes;
	map.from = range->from;
	map.to = range->to;
	w->buffer = triad_alloc((size_t)BATCH * TRIAD_BLOCK_SIZE);
	r = w->buffer ? sort_log(w) : -ENOMEM;
	if (!r && range->holes)
		r = visit_discards(w);
	if (!r)
		r = triad_map_walk(&map, visit_map, w);
	if (!r)
		r = gather_log(w, core->geo.logical_blocks);
	if (!r)
		r = drain(w);
	triad_free(w->order);
	triad_free(w->buffer);
	triad_free(w);
	return r;
}

int content_walk(struct triad_core *core, bool all, content_fn visit, void *context)
{
	const struct content_range range = { .to = core->geo.logical_blocks };

	return walk_range(core, all, &range, visit, context);
}

int content_changes(struct triad_core *core, const struct content_range *range, content_fn visit,
		    void *context)
{
	return walk_range(core, false, range, visit, context);
}

struct sum {
	u64 *sum;
	u64 nr;
	int kind;	/* of checksum, from data; -1: as it is said */
};

static int add_block(void *context, const struct content_block *block)
{
	struct sum *s = context;
	struct {
		__le64 lba;
		__le32 csum;
		__le32 half;
	} word = {
		.lba = cpu_to_le64(block->lba),
		.csum = cpu_to_le32(s->kind < 0 ? block->csum : 0),
	};

	if (block->error)
		return block->error;
	if (s->kind >= 0)
		word.csum = cpu_to_le32(triad_checksum(s->kind, block->data));
	s->sum[0] += triad_xxh64(&word, sizeof(word));
	word.half = cpu_to_le32(1);
	s->sum[1] += triad_xxh64(&word, sizeof(word));
	s->nr++;
	return 0;
}

int content_sum(struct triad_core *core, u8 checksum_kind, u64 sum[2], u64 *nr_blocks)
{
	bool same = checksum_kind == core->root.checksum_kind;
	struct content_range range = { .to = core->geo.logical_blocks, .only_names = same };
	struct sum s = { .sum = sum, .kind = same ? -1 : checksum_kind };
	int r;

	sum[0] = sum[1] = 0;
	r = content_changes(core, &range, add_block, &s);
	*nr_blocks = s.nr;
	return r;
}
