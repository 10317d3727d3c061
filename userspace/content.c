// SPDX-License-Identifier: GPL-2.0-or-later
#include "content.h"

#define BATCH	256u

/* Blocks that lie one behind the other are read at once. */
struct walk {
	struct triad_core *core;
	content_fn visit;
	void *context;
	bool all;
	bool in_log;
	u64 pba;		/* of the first */
	u32 nr;
	u64 lba[BATCH];
	u32 csum[BATCH];
	u8 *buffer;
};

static int hand_over(struct walk *w, u32 i, int error)
{
	struct content_block block = {
		.lba = w->lba[i],
		.nr = 1,
		.pba = w->pba + i,
		.in_log = w->in_log,
	};
	const u8 *data = w->buffer + (size_t)i * TRIAD_BLOCK_SIZE;

	if (!error && triad_checksum(w->core->root.checksum_kind, data) != w->csum[i])
		error = -EBADMSG;
	block.error = error;
	block.data = error ? NULL : data;
	return w->visit(w->context, &block);
}

static int drain(struct walk *w)
{
	struct triad_store *store = w->core->store;
	int r = 0, error;
	u32 i;

	if (!w->nr)
		return 0;
	error = store->ops->read(store, w->pba, w->nr, w->buffer);
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

static int gather(struct walk *w, u64 lba, u64 pba, u32 csum)
{
	int r;

	if (w->nr && (w->nr == BATCH || pba != w->pba + w->nr)) {
		r = drain(w);
		if (r)
			return r;
	}
	if (!w->nr)
		w->pba = pba;
	w->lba[w->nr] = lba;
	w->csum[w->nr] = csum;
	w->nr++;
	return 0;
}

static int visit_map(void *context, int level, u64 lba, const struct triad_ref *ref, int error)
{
	struct walk *w = context;
	u64 pba;
	u32 csum;

	if (error) {
		struct content_block block = {
			.lba = lba,
			.nr = 1ULL << ((level + 1) * TRIAD_FANOUT_SHIFT),
			.pba = ref->pba,
			.error = error,
		};
		u64 end = w->core->geo.logical_blocks;
		int r = drain(w);

		block.nr = min_t(u64, block.nr, lba < end ? end - lba : 1);
		return r ? r : w->visit(w->context, &block);
	}
	if (level >= 0 || (!w->all && triad_index_lookup(w->core->active, lba, &pba, &csum)))
		return 0;
	return gather(w, lba, ref->pba, ref->csum);
}

static int walk_log(struct walk *w)
{
	const struct triad_index *index = w->core->active;
	u64 *scratch = triad_alloc(index->nr * sizeof(*scratch));
	u32 *order = triad_alloc(index->nr * sizeof(*order));
	u32 i, csum, nr = 0;
	u64 pba;
	int r = 0;

	if (!scratch || !order)
		r = -ENOMEM;
	else
		nr = triad_index_sorted(index, scratch, order);
	for (i = 0; i < nr && !r; i++) {
		const struct triad_index_entry *e = &index->entries[order[i]];
		u64 lba = triad_index_lba(e);

		/* a newer discard may cover it */
		if (e->pba && triad_index_lookup(index, lba, &pba, &csum) && pba == e->pba)
			r = gather(w, lba, pba, csum);
	}
	triad_free(scratch);
	triad_free(order);
	return r ? r : drain(w);
}

int content_walk(struct triad_core *core, bool all, content_fn visit, void *context)
{
	struct walk *w = triad_alloc(sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return -ENOMEM;
	w->core = core;
	w->visit = visit;
	w->context = context;
	w->all = all;
	w->buffer = triad_alloc((size_t)BATCH * TRIAD_BLOCK_SIZE);
	if (w->buffer)
		r = triad_map_walk(&core->space.map, visit_map, w);
	if (!r)
		r = drain(w);
	if (!r) {
		w->in_log = true;
		r = walk_log(w);
	}
	triad_free(w->buffer);
	triad_free(w);
	return r;
}
