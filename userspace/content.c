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

static int gather(struct walk *w, bool in_log, u64 lba, u64 pba, u32 csum)
{
	int r;

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

static int visit_map(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct walk *w = context;
	u64 pba;
	u32 csum;
	int r;

	if (!error && level != TRIAD_VISIT_DATA)
		return 0;
	r = gather_log(w, lba);
	if (r)
		return r;
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

int content_walk(struct triad_core *core, bool all, content_fn visit, void *context)
{
	struct walk *w = triad_alloc(sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->core = core;
	w->visit = visit;
	w->context = context;
	w->all = all;
	w->buffer = triad_alloc((size_t)BATCH * TRIAD_BLOCK_SIZE);
	r = w->buffer ? sort_log(w) : -ENOMEM;
	if (!r)
		r = triad_map_walk(&core->space.map, visit_map, w);
	if (!r)
		r = gather_log(w, core->geo.logical_blocks);
	if (!r)
		r = drain(w);
	triad_free(w->order);
	triad_free(w->buffer);
	triad_free(w);
	return r;
}
