// SPDX-License-Identifier: GPL-2.0-or-later
#include "replica.h"

#include <stdio.h>

#include "content.h"
#include "writer.h"

/* ---- positions ----------------------------------------------------------------- */

/*
 * Two copies of a device that go on by themselves, or a device that was set back, have the same
 * versions again; but every session's log begins with random bytes, and so its chain differs.
 */
int replica_position_at(struct triad_hash *hash, const struct triad_root *root,
			const struct triad_position *next, struct triad_origin *position)
{
	struct {
		u8 version[TRIAD_HASH_SIZE];
		u8 chain[TRIAD_HASH_SIZE];
		__le64 seq;
	} state;
	u8 out[TRIAD_HASH_SIZE];
	int i, r;

	memset(position, 0, sizeof(*position));
	memcpy(position->uuid, root->uuid, sizeof(position->uuid));
	position->branch = root->branch;
	position->generation = root->generation;
	memcpy(state.version, root->version, sizeof(state.version));
	memcpy(state.chain, next->chain, sizeof(state.chain));
	state.seq = cpu_to_le64(next->seq);
	r = triad_hash(hash, &state, sizeof(state), NULL, 0, out);
	for (i = 0; i < TRIAD_STATE_NUMBER; i++)
		position->state[i] = next->seq >> (8 * (TRIAD_STATE_NUMBER - 1 - i));
	memcpy(position->state + i, out, sizeof(position->state) - i);
	return r;
}

u64 position_record(const struct triad_origin *position)
{
	u64 next = 0;
	int i;

	for (i = 0; i < TRIAD_STATE_NUMBER; i++)
		next = next << 8 | position->state[i];
	return next ? next - 1 : 0;
}

/*
 * The record numbers say it where both are of one branch; across one, only what was left behind
 * before it is surely older.
 */
enum position_order position_order(const struct triad_origin *x, const struct triad_origin *y)
{
	u64 a = position_record(x), b = position_record(y);

	if (memcmp(x->uuid, y->uuid, sizeof(x->uuid)))
		return POSITION_UNRELATED;
	if (triad_origin_same(x, y))
		return POSITION_SAME;
	if (x->branch != y->branch)
		return x->branch < y->branch && x->generation < y->branch ? POSITION_BEFORE :
		       y->branch < x->branch && y->generation < x->branch ? POSITION_BEHIND :
		       POSITION_UNRELATED;
	if (a != b)
		return a < b ? POSITION_BEFORE : POSITION_BEHIND;
	/* one place may be named from either of two roots */
	return x->generation != y->generation ? POSITION_SAME : POSITION_UNRELATED;
}

int replica_position(const struct triad_core *core, struct triad_origin *position)
{
	struct triad_position next = { .seq = core->next_seq };

	if (triad_root_is_replica(&core->root)) {
		*position = core->origin;
		return 0;
	}
	memcpy(next.chain, core->chain, sizeof(next.chain));
	return replica_position_at(core->hash, &core->root, &next, position);
}

enum position_age position_age(const struct triad_origin *from, const struct triad_root *now)
{
	if (from->generation > now->generation || from->branch > now->branch ||
	    (from->branch != now->branch && from->generation >= now->branch))
		return POSITION_OF_ANOTHER_HISTORY;
	return now->generation - from->generation > 0x7fffffffu ? POSITION_TOO_OLD : POSITION_FITS;
}

bool position_is_none(const struct triad_origin *position)
{
	static const struct triad_origin none;

	return triad_origin_same(position, &none);
}

static int count_block(void *context, const struct content_block *block)
{
	struct stream_begin *begin = context;

	begin->nr_blocks += !block->hole && !block->error;
	begin->nr_holes += block->hole;
	return 0;
}

int replica_begin(struct triad_core *core, const struct triad_origin *from, u32 since,
		  struct stream_begin *begin)
{
	struct content_range range = {
		.since = from ? since : 0,
		.to = core->geo.logical_blocks,
		.holes = from,
		.only_names = true,
	};
	int r;

	*begin = (struct stream_begin) {
		.logical_blocks = core->geo.logical_blocks,
		.checksum_kind = core->root.checksum_kind,
		.is_full = !from,
	};
	if (from)
		begin->from = *from;
	memcpy(begin->label, core->root.label, sizeof(begin->label));
	snprintf(begin->hash, sizeof(begin->hash), "%s", core->root.hash);
	r = replica_position(core, &begin->at);
	memcpy(begin->uuid, begin->at.uuid, sizeof(begin->uuid));
	if (r || (from && triad_origin_same(&begin->at, from)))
		return r;
	return content_changes(core, &range, count_block, begin);
}

/* ---- what is a hole already ------------------------------------------------------ */

#define CACHED	64u

/* Nodes that were read lately, by their place. */
struct node_cache {
	struct triad_map *map;
	struct triad_ref ref[CACHED];
	struct triad_node_disk node[CACHED];
};

static const struct triad_node_disk *get_node(void *context, const struct triad_ref *ref)
{
	struct node_cache *cache = context;
	u32 i = ref->pba % CACHED;

	if (cache->ref[i].pba != ref->pba || cache->ref[i].birth != ref->birth) {
		memset(&cache->ref[i], 0, sizeof(cache->ref[i]));
		if (triad_map_read_node(cache->map, ref, &cache->node[i]))
			return NULL;
		cache->ref[i] = *ref;
	}
	return &cache->node[i];
}

/* So many blocks are asked for one by one: more need few entries for each of them. */
#define MOST_ASKED	65536u

/* This interval has emptied all of it, and need not keep it in mind once more. */
static bool is_emptied(const struct triad_core *core, u64 lba, u64 nr)
{
	u64 pba = 0, end = lba + nr;
	u32 csum;

	for (; nr <= MOST_ASKED && lba < end; lba++)
		if (!triad_index_lookup(core->active, lba, &pba, &csum) || pba)
			break;
	return lba == end;
}

/* Most of what a difference says to be empty is so already. */
static int discard(struct receive *rx, u64 lba, u64 nr)
{
	struct triad_core *core = rx->writer->core;
	struct triad_ref missing;
	int r;

	if (!rx->cache) {
		rx->cache = triad_alloc(sizeof(*rx->cache));
		if (!rx->cache)
			return -ENOMEM;
		rx->cache->map = &core->space.map;
	}
	for (; nr; ) {
		u64 n = triad_log_step(lba, nr);

		r = triad_log_is_void(core, lba, n, get_node, rx->cache, &missing);
		/* what cannot be read is discarded with what is below it */
		if (r != 1 && !is_emptied(core, lba, n))
			r = writer_discard(rx->writer, lba, n);
		if (r < 0)
			return r;
		lba += n;
		nr -= n;
	}
	return 0;
}

/* ---- receiving ------------------------------------------------------------------- */

/* A commit in between would be neither the old state nor the new one. */
static int make_room(struct writer *w)
{
	struct receive *rx = w->context;

	if (!rx->in_steps)
		return -EFBIG;
	rx->incomplete = true;
	w->core->stamp = &rx->stamp;
	return 0;
}

static int put_blocks(struct receive *rx)
{
	struct stream_in *in = rx->in;
	struct writer *w = rx->writer;
	int r = 0;
	u32 i;

	/* a record has each LBA once */
	if (w->nr && in->lba <= w->lba[w->nr - 1])
		r = writer_flush(w);
	for (i = 0; i < in->nr && !r; i++)
		r = writer_put(w, in->lba + i, in->data + (size_t)i * TRIAD_BLOCK_SIZE);
	rx->nr_blocks += in->nr;
	return r;
}

static int put_holes(struct receive *rx)
{
	struct stream_in *in = rx->in;
	int r = writer_flush(rx->writer);
	u32 i;

	for (i = 0; i < in->nr && !r; i++)
		r = discard(rx, in->range[i].lba, in->range[i].nr);
	return r;
}

/* Is the result what the sender has?  Whatever else it was made of. */
static int compare(struct receive *rx)
{
	const struct stream_end *end = &rx->in->end;
	u64 sum[2], nr;
	int r = content_sum(rx->writer->core, rx->in->begin.checksum_kind, sum, &nr);

	if (r)
		return r;
	return sum[0] == end->sum[0] && sum[1] == end->sum[1] && nr == end->nr_mapped ? 0 : -ESTALE;
}

/* All that was received becomes visible, and is so with a root lost; if steps landed before, in all. */
static int commit(struct receive *rx)
{
	struct triad_core *core = rx->writer->core;
	int i, r = 0;

	rx->stamp.incompat = TRIAD_INCOMPAT_REPLICA;
	rx->stamp.origin = rx->in->end.to;
	core->stamp = &rx->stamp;
	for (i = 0; i < (rx->incomplete ? TRIAD_NR_SLOTS : 2) && !r; i++)
		r = triad_commit_alone(core, true);
	return r;
}

/* Records lead where they lead, and a record says so. */
static int arrive(struct receive *rx)
{
	struct triad_arrival arrival = {
		.first = rx->first, .from = rx->in->begin.from, .to = rx->in->end.to,
	};

	return writer_arrive(rx->writer, &arrival);
}

int receive_begin(struct receive *rx)
{
	struct triad_core *core = rx->writer->core;

	/* half done it is still what the same difference makes whole */
	rx->stamp.incompat = TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE;
	rx->stamp.origin = rx->in->begin.from;
	rx->stamp.epoch = max_t(u32, rx->epoch, core->root.epoch);
	rx->incomplete = core->root.incompat & TRIAD_INCOMPAT_INCOMPLETE;
	rx->writer->make_room = make_room;
	rx->writer->context = rx;
	rx->writer->writes_over = !rx->in->begin.is_log;
	rx->first = core->next_seq;
	/* all that there is: nothing else stays */
	return rx->in->begin.is_full ? discard(rx, 0, core->geo.logical_blocks) : 0;
}

int receive_frame(struct receive *rx)
{
	int r = rx->in->type == STREAM_BLOCKS ? put_blocks(rx) : put_holes(rx);

	if (rx->progress)
		rx->progress(rx);
	return r;
}

int receive_end(struct receive *rx)
{
	int r;

	if (rx->in->begin.is_log)
		return arrive(rx);
	r = writer_flush(rx->writer);
	if (!r)
		r = compare(rx);
	return r ? r : commit(rx);
}

void receive_free(struct receive *rx)
{
	rx->writer->core->stamp = NULL;
	triad_free(rx->cache);
	rx->cache = NULL;
}

int replica_receive(struct receive *rx)
{
	int r = receive_begin(rx);

	while (!r) {
		r = stream_next(rx->in);
		if (r || rx->in->type == STREAM_END)
			break;
		r = receive_frame(rx);
	}
	if (!r)
		r = receive_end(rx);
	receive_free(rx);
	return r;
}

int replica_take(struct triad_core *core, struct receive *rx)
{
	int r = -ENOMEM;

	rx->writer = triad_alloc(sizeof(*rx->writer));
	if (rx->writer) {
		writer_begin(rx->writer, core);
		r = replica_receive(rx);
	}
	triad_free(rx->writer);
	rx->writer = NULL;
	return r;
}

/* ---- before and after -------------------------------------------------------------- */

/* 24 bits name an entry when they are sorted; some memory for each. */
#define MOST_ENTRIES	(1u << 22)

/*
 * An interval as long as there is room, so that what comes is one commit.  Nobody else
 * writes, and nothing is in the index yet.
 */
static int widen(struct triad_core *core, u64 entries)
{
	u64 room = core->geo.usable - core->space.used;
	u32 most = min_t(u64, min_t(u64, entries, room), MOST_ENTRIES);
	struct triad_index *index;

	core->interval.budget = room;
	if (most <= core->active->max)
		return 0;
	index = triad_index_create(most, triad_alloc);
	if (!index)
		return -ENOMEM;
	triad_index_destroy(core->active);
	core->active = index;
	core->geo.interval_blocks = max_t(u32, core->geo.interval_blocks, most);
	triad_commit_free(core);
	return triad_commit_init(core);
}

int replica_ready(struct triad_core *core, u64 entries)
{
	u64 first = core->root.next_seq;
	int i, r = triad_core_heal(core);

	/* twice: then not even b's log begins before what was left */
	for (i = 0; core->next_seq != first && i < 2 && !r; i++)
		r = triad_commit_alone(core, false);
	return r ? r : widen(core, entries);
}

/* In all three roots, and nothing in the log. */
static int stamp_all(struct triad_core *core, const struct triad_root *stamp)
{
	int i, r = replica_ready(core, 0);

	core->stamp = stamp;
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = triad_commit_alone(core, true);
	core->stamp = NULL;
	return r;
}

int replica_seal(struct triad_core *core, u32 epoch)
{
	struct triad_root sealed = core->root;

	sealed.epoch = epoch;
	sealed.origin = core->origin;
	return stamp_all(core, &sealed);
}

int replica_demote(struct triad_core *core)
{
	struct triad_root replica = core->root;
	int r = replica_position(core, &replica.origin);

	replica.incompat |= TRIAD_INCOMPAT_REPLICA;
	return r ? r : stamp_all(core, &replica);
}

int replica_promote(struct triad_core *core)
{
	struct triad_root own = { .epoch = core->root.epoch, .origin = core->origin };
	int r;

	if (core->root.incompat & TRIAD_INCOMPAT_INCOMPLETE)
		return -EAGAIN;
	r = replica_ready(core, 0);
	/* where it grows out of another history; which is told by its state, and not by its branch */
	own.origin.branch = core->root.generation + 1;
	core->stamp = &own;
	core->branches_off = true;
	if (!r)
		r = triad_commit_alone(core, false);
	/* cut short here it is as after half a healing: whoever opens it makes the second */
	if (!r)
		r = triad_core_heal(core);
	if (!r)
		r = triad_commit_alone(core, true);
	core->stamp = NULL;
	return r;
}
