// SPDX-License-Identifier: GPL-2.0-or-later
#include "map.h"
#include "record.h"

/*
 * How much is kept pending.  A leaf that would have more pending entries is written; a
 * piece is not filled further; a node is emptied from three quarters on.  Tests make it
 * small, so that all of this happens within a short life.
 */
#ifdef TRIAD_TEST_PENDING
#define LEAF_PENDING	3u
#define PIECE_ENTRIES	8u
#else
#define LEAF_PENDING	TRIAD_LEAF_PENDING
#define PIECE_ENTRIES	TRIAD_PIECE_ENTRIES
#endif
#define MAX_PENDING	(TRIAD_NR_PIECES * (PIECE_ENTRIES - LEAF_PENDING))
#define FLUSH_PENDING	(MAX_PENDING / 4 * 3)

static u16 flags_of(const struct triad_node_disk *node, u32 nr)
{
	return le64_to_cpu(node->entry[nr].pba_flags) >> TRIAD_PBA_BITS;
}

static void set_flags(struct triad_node_disk *node, u32 nr, u16 flags)
{
	u64 word = le64_to_cpu(node->entry[nr].pba_flags) & TRIAD_PBA_MASK;

	node->entry[nr].pba_flags = cpu_to_le64(word | (u64)flags << TRIAD_PBA_BITS);
}

/* Any entry, flags aside. */
static int decode(const struct triad_geometry *geo, const struct triad_entry_disk *e,
		  struct triad_ref *ref)
{
	ref->pba = le64_to_cpu(e->pba_flags) & TRIAD_PBA_MASK;
	ref->csum = le32_to_cpu(e->csum);
	ref->birth = le32_to_cpu(e->birth);
	return !ref->pba || triad_geometry_valid_pba(geo, ref->pba) ? 0 : -EUCLEAN;
}

static void encode(struct triad_entry_disk *e, const struct triad_ref *ref, u16 flags)
{
	e->pba_flags = cpu_to_le64(ref->pba | (u64)flags << TRIAD_PBA_BITS);
	e->csum = cpu_to_le32(ref->csum);
	e->birth = cpu_to_le32(ref->birth);
}

/* Only nodes of level 1 have flags, and only if there is a level above data and leaves. */
static bool may_have_pieces(const struct triad_geometry *geo, unsigned int level)
{
	return level == 1 && geo->map_depth > 1;
}

int triad_map_entry(const struct triad_geometry *geo, const struct triad_node_disk *node,
		    unsigned int level, u32 nr, struct triad_ref *ref)
{
	int r = decode(geo, &node->entry[nr], ref);

	return !r && flags_of(node, nr) && !may_have_pieces(geo, level) ? -EUCLEAN : r;
}

static void set_entry(struct triad_node_disk *node, u32 nr, const struct triad_ref *ref)
{
	encode(&node->entry[nr], ref, flags_of(node, nr));
}

/* Piece i alone, as far as it says something; 1: there is none. */
static int decode_piece(const struct triad_geometry *geo, const struct triad_node_disk *node,
			u32 i, struct triad_piece *piece)
{
	u16 w[TRIAD_PIECE_UNUSED];
	u32 k;

	for (k = 0; k < TRIAD_PIECE_UNUSED; k++)
		w[k] = flags_of(node, i * TRIAD_PIECE_WORDS + k);
	piece->ref.pba = w[TRIAD_PIECE_PBA] | (u64)w[TRIAD_PIECE_PBA + 1] << 16 |
			 (u64)w[TRIAD_PIECE_PBA + 2] << 32;
	piece->ref.csum = w[TRIAD_PIECE_CSUM] | (u32)w[TRIAD_PIECE_CSUM + 1] << 16;
	piece->ref.birth = w[TRIAD_PIECE_BIRTH] | (u32)w[TRIAD_PIECE_BIRTH + 1] << 16;
	piece->nr = w[TRIAD_PIECE_NR];
	piece->first = w[TRIAD_PIECE_FIRST];
	if (!piece->ref.pba)
		return 1;
	return piece->nr && piece->nr <= TRIAD_PIECE_ENTRIES && piece->first < TRIAD_FANOUT &&
	       triad_geometry_valid_pba(geo, piece->ref.pba) ? 0 : -EUCLEAN;
}

int triad_map_pieces(const struct triad_geometry *geo, const struct triad_node_disk *node,
		     struct triad_pieces *pieces)
{
	u32 i, k, total = 0;
	int r;

	pieces->nr = 0;
	for (i = 0; i < TRIAD_NR_PIECES; i++) {
		struct triad_piece *piece = &pieces->piece[i];

		r = decode_piece(geo, node, i, piece);
		if (r < 0)
			return r;
		if (r)
			break;
		if (i ? piece->first <= piece[-1].first : piece->first)
			return -EUCLEAN;
		for (k = TRIAD_PIECE_UNUSED; k < TRIAD_PIECE_WORDS; k++)
			if (flags_of(node, i * TRIAD_PIECE_WORDS + k))
				return -EUCLEAN;
		total += piece->nr;
		pieces->nr++;
	}
	for (k = i * TRIAD_PIECE_WORDS; k < TRIAD_FANOUT; k++)
		if (flags_of(node, k))
			return -EUCLEAN;
	return total <= TRIAD_MAX_PENDING ? 0 : -EUCLEAN;
}

static void set_pieces(struct triad_node_disk *node, const struct triad_pieces *pieces)
{
	u32 i, k;

	for (k = 0; k < TRIAD_FANOUT; k++)
		set_flags(node, k, 0);
	for (i = 0; i < pieces->nr; i++) {
		const struct triad_piece *p = &pieces->piece[i];
		const u16 w[TRIAD_PIECE_UNUSED] = {
			p->ref.pba, p->ref.pba >> 16, p->ref.pba >> 32,
			p->ref.csum, p->ref.csum >> 16,
			p->ref.birth, p->ref.birth >> 16,
			p->nr, p->first,
		};

		for (k = 0; k < TRIAD_PIECE_UNUSED; k++)
			set_flags(node, i * TRIAD_PIECE_WORDS + k, w[k]);
	}
}

/* Where the leaves of a piece end. */
static u32 piece_end(const struct triad_pieces *pieces, u32 i)
{
	return i + 1 < pieces->nr ? pieces->piece[i + 1].first : TRIAD_FANOUT;
}

int triad_map_read_node(const struct triad_map *map, const struct triad_ref *ref,
			struct triad_node_disk *node)
{
	const struct triad_store_ops *ops = map->store->ops;
	int r;

	if (!triad_geometry_valid_pba(map->geo, ref->pba))
		return -EUCLEAN;
	if (ops->node_get && ops->node_get(map->store, ref->pba, ref->birth, node))
		return 0;
	r = ops->read(map->store, ref->pba, 1, node);
	if (r)
		return r;
	if (triad_checksum(map->checksum_kind, node) != ref->csum)
		return -EBADMSG;
	if (ops->node_put)
		ops->node_put(map->store, ref->pba, ref->birth, node);
	return 0;
}

/* The entries of leaf nr in a piece.  It has a right checksum, but may say anything. */
static int find_pending(const struct triad_geometry *geo, const struct triad_node_disk *block,
			u32 nr_entries, u32 leaf, struct triad_spot *spot)
{
	u32 low = 0, high = nr_entries;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (flags_of(block, mid) >> TRIAD_FANOUT_SHIFT < leaf)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < nr_entries && flags_of(block, low) >> TRIAD_FANOUT_SHIFT == leaf; low++) {
		int r;

		if (spot->nr_pending == TRIAD_LEAF_PENDING)
			return -EUCLEAN;
		r = decode(geo, &block->entry[low], &spot->pending[spot->nr_pending]);
		if (r)
			return r;
		spot->slot[spot->nr_pending++] = flags_of(block, low) % TRIAD_FANOUT;
	}
	return 0;
}

/* 1: this is the piece that may speak of a leaf.  0: there is none. */
static int piece_for(const struct triad_geometry *geo, const struct triad_node_disk *node,
		     u32 leaf, struct triad_piece *piece)
{
	struct triad_piece next;
	int r = decode_piece(geo, node, 0, piece);
	u32 i;

	if (r)
		return r < 0 ? r : 0;
	for (i = 1; i < TRIAD_NR_PIECES; i++) {
		r = decode_piece(geo, node, i, &next);
		if (r < 0)
			return r;
		if (r || next.first > leaf)
			break;
		*piece = next;
	}
	return 1;
}

int triad_map_find(const struct triad_geometry *geo, const struct triad_ref *root, u64 lba,
		   triad_map_get_fn get, void *context, struct triad_spot *spot,
		   struct triad_ref *missing)
{
	unsigned int level = geo->map_depth;
	const struct triad_node_disk *node;
	u32 leaf = triad_map_slot(lba, 1);
	struct triad_piece piece;
	int r, has_piece = 0;

	spot->node = NULL;
	spot->nr_pending = 0;
	for (spot->leaf = *root; spot->leaf.pba && --level; ) {
		node = get(context, &spot->leaf);
		if (!node) {
			*missing = spot->leaf;
			return -EAGAIN;
		}
		if (level == 1)
			has_piece = piece_for(geo, node, leaf, &piece);
		r = triad_map_entry(geo, node, level, triad_map_slot(lba, level), &spot->leaf);
		if (r || has_piece < 0)
			return -EUCLEAN;
	}
	if (!has_piece)
		return 0;
	node = get(context, &piece.ref);
	if (!node) {
		*missing = piece.ref;
		return -EAGAIN;
	}
	return find_pending(geo, node, piece.nr, leaf, spot);
}

int triad_map_look(const struct triad_geometry *geo, struct triad_spot *spot, u64 lba,
		   triad_map_get_fn get, void *context, struct triad_ref *ref,
		   struct triad_ref *missing)
{
	u32 i, slot = triad_map_slot(lba, 0);

	for (i = 0; i < spot->nr_pending; i++) {
		if (spot->slot[i] == slot) {
			*ref = spot->pending[i];
			return 0;
		}
	}
	memset(ref, 0, sizeof(*ref));
	if (!spot->leaf.pba)
		return 0;
	if (!spot->node)
		spot->node = get(context, &spot->leaf);
	if (!spot->node) {
		*missing = spot->leaf;
		return -EAGAIN;
	}
	return triad_map_entry(geo, spot->node, 0, slot, ref);
}

/*
 * Down from the root to the unit of level *level that holds lba, or to a hole above it;
 * *level is where that ended and *ref what is there.
 */
static int descend(const struct triad_geometry *geo, const struct triad_ref *root, u64 lba,
		   triad_map_get_fn get, void *context, unsigned int *level,
		   struct triad_ref *ref)
{
	const struct triad_node_disk *node;
	unsigned int stop = *level;
	int r;

	*ref = *root;
	for (*level = geo->map_depth; ref->pba && *level > stop; ) {
		node = get(context, ref);
		if (!node)
			return -EAGAIN;
		--*level;
		r = triad_map_entry(geo, node, *level, triad_map_slot(lba, *level), ref);
		if (r)
			return r;
	}
	return 0;
}

static u64 behind_unit(u64 lba, unsigned int level)
{
	return ((lba >> (level * TRIAD_FANOUT_SHIFT)) + 1) << (level * TRIAD_FANOUT_SHIFT);
}

/* Is a unit of one LBA, or one leaf, a hole?  As triad_map_is_hole. */
static int is_hole(const struct triad_geometry *geo, const struct triad_ref *root, u64 lba,
		   unsigned int level, triad_map_get_fn get, void *context,
		   struct triad_ref *missing)
{
	struct triad_spot spot;
	struct triad_ref ref;
	u32 i;
	int r = triad_map_find(geo, root, lba, get, context, &spot, missing);

	if (!r && !level)
		r = triad_map_look(geo, &spot, lba, get, context, &ref, missing);
	if (r)
		return r;
	if (!level)
		return !ref.pba;
	for (i = 0; i < spot.nr_pending; i++)
		if (spot.pending[i].pba)
			return 0;
	return !spot.leaf.pba;
}

int triad_map_is_hole(const struct triad_geometry *geo, const struct triad_ref *root,
		      u64 lba, u64 nr, triad_map_get_fn get, void *context,
		      struct triad_ref *missing)
{
	u64 end = lba + nr;

	while (lba < end) {
		unsigned int unit = triad_index_unit(geo, lba, end), level = max_t(u32, unit, 2);
		struct triad_ref ref;
		int r;

		r = descend(geo, root, lba, get, context, &level, &ref);
		if (r == -EAGAIN)
			*missing = ref;
		if (r)
			return r;
		if (ref.pba && unit == 2)
			return 0;
		if (ref.pba) {
			level = unit;
			r = is_hole(geo, root, lba, unit, get, context, missing);
			if (r != 1)
				return r;
		}
		lba = behind_unit(lba, level);
	}
	return 1;
}

/* Leaves of a node of level 1 that hold something, at most: as such or pending. */
static u32 count_leaves(const struct triad_node_disk *node)
{
	u32 i, nr = 0;

	for (i = 0; i < TRIAD_FANOUT; i++)
		nr += (le64_to_cpu(node->entry[i].pba_flags) & TRIAD_PBA_MASK) != 0;
	for (i = 0; i < TRIAD_NR_PIECES; i++)
		nr += flags_of(node, i * TRIAD_PIECE_WORDS + TRIAD_PIECE_NR);
	return min_t(u32, nr, TRIAD_FANOUT);
}

static bool may_have_leaf(const struct triad_node_disk *node, u32 nr)
{
	return le64_to_cpu(node->entry[nr].pba_flags) & TRIAD_PBA_MASK ||
	       flags_of(node, TRIAD_PIECE_NR);
}

u32 triad_map_leaves(const struct triad_geometry *geo, const struct triad_ref *root,
		     u64 lba, u64 nr, triad_map_get_fn get, void *context)
{
	u64 end = lba + nr;
	u32 leaves = 0;

	while (lba < end) {
		unsigned int unit = triad_index_unit(geo, lba, end), level = max_t(u32, unit, 2);
		const struct triad_node_disk *node = NULL;
		struct triad_ref ref;
		int r;

		r = descend(geo, root, lba, get, context, &level, &ref);
		if (!r && !ref.pba) {
			lba = behind_unit(lba, level);
			continue;
		}
		if (!r && unit && geo->map_depth > 1)
			node = get(context, &ref);
		if (node)
			leaves += unit == 2 ? count_leaves(node) :
				  may_have_leaf(node, triad_map_slot(lba, 1));
		else if (unit)
			leaves += 1u << ((unit - 1) * TRIAD_FANOUT_SHIFT);
		lba = behind_unit(lba, unit);
	}
	return leaves;
}

/*
 * Read nr nodes, as many as the store can at a time; a hole reads as an empty node.  Those
 * that are written at once by the commit before lie together, mostly.
 */
static int read_nodes(const struct triad_map *map, const struct triad_ref *refs, u32 nr,
		      struct triad_node_disk *nodes)
{
	const struct triad_store_ops *ops = map->store->ops;
	u32 i;
	int r = 0;

	if (ops->read_ahead && nr > 1)
		ops->read_ahead(map->store, map->checksum_kind, refs, nr);
	for (i = 0; i < nr && !r; i++) {
		if (refs[i].pba)
			r = triad_map_read_node(map, &refs[i], &nodes[i]);
		else
			memset(&nodes[i], 0, sizeof(nodes[i]));
	}
	return r;
}

/* ---- pieces as a whole --------------------------------------------------- */

/*
 * Decode a piece's entries and see that they are what its node says: of its leaves,
 * ascending, not too many of one.  Returns -EUCLEAN, or 0 with nr of them added to list.
 */
static int decode_entries(const struct triad_geometry *geo, const struct triad_pieces *pieces,
			  u32 i, const struct triad_node_disk *block,
			  struct triad_pending *list, u32 *nr)
{
	const struct triad_piece *piece = &pieces->piece[i];
	u32 k, of_leaf = 0;
	int last = -1;

	for (k = 0; k < piece->nr; k++) {
		struct triad_pending *p = &list[*nr];
		int r = decode(geo, &block->entry[k], &p->ref);

		if (r)
			return r;
		p->key = flags_of(block, k);
		p->state = 0;
		of_leaf = last >= 0 && last >> TRIAD_FANOUT_SHIFT == p->key >> TRIAD_FANOUT_SHIFT ?
			  of_leaf + 1 : 1;
		if (p->key <= last || p->key >> TRIAD_FANOUT_SHIFT < piece->first ||
		    p->key >> TRIAD_FANOUT_SHIFT >= piece_end(pieces, i) ||
		    of_leaf > TRIAD_LEAF_PENDING)
			return -EUCLEAN;
		last = p->key;
		++*nr;
	}
	return 0;
}

/* ---- walk -------------------------------------------------------------- */

struct walk {
	const struct triad_map *map;
	triad_map_visit_fn visit;
	void *context;
	struct triad_node_disk *buffer;		/* one per level, one for a piece */
	struct triad_pending *pending;		/* of the node of level 1 */
	u32 nr_pending;
	u8 bad[TRIAD_FANOUT];			/* leaves behind a bad piece */
};

static bool is_old(const struct triad_map *map, u32 birth)
{
	return map->since && birth - map->since > 0x7fffffffu;
}

static bool is_outside(const struct triad_map *map, u64 lba, u64 nr)
{
	return map->to && (lba + nr <= map->from || lba >= map->to);
}

static int visit_hole(struct walk *w, u64 lba, u64 nr)
{
	static const struct triad_ref none;

	return w->map->holes ? w->visit(w->context, TRIAD_VISIT_HOLE, lba, nr, &none, 0) : 0;
}

/* How many LBAs hang on a node; none, if it should not be there. */
static u64 lbas_of(const struct walk *w, u64 lba, int level)
{
	u64 left = w->map->geo->logical_blocks - lba;

	return lba < w->map->geo->logical_blocks ?
	       min_t(u64, left, 1ULL << ((level + 1) * TRIAD_FANOUT_SHIFT)) : 0;
}

/* A leaf that cannot be read: what is pending for it can be had all the same. */
static int walk_bad_leaf(struct walk *w, u64 lba, const struct triad_ref *ref, u32 nr, int error)
{
	u64 end = lba + lbas_of(w, lba, 0);
	int r = 0;

	for (; lba < end && !r; lba++) {
		u64 from = lba;

		for (; lba < end; lba++)
			if (nr < w->nr_pending && w->pending[nr].key == (u16)lba)
				break;
		nr++;
		if (from < lba)
			r = w->visit(w->context, 0, from, lba - from, ref, error);
	}
	return r;
}

/* A leaf that may not be there, and its pending entries from *nr on. */
static int walk_leaf(struct walk *w, u64 lba, const struct triad_ref *ref, u32 *nr)
{
	struct triad_node_disk *node = &w->buffer[0];
	u32 i, leaf = triad_map_slot(lba, 1);
	bool here = ref->pba && !is_old(w->map, ref->birth);
	bool empty = !ref->pba;	/* whatever is above it is not old */
	int r = 0, error = -ENOENT;

	if (here) {
		error = triad_map_read_node(w->map, ref, node);
		r = error ? walk_bad_leaf(w, lba, ref, *nr, error) :
		    w->visit(w->context, 0, lba, lbas_of(w, lba, 0), ref, 0);
	}
	for (i = 0; i < TRIAD_FANOUT && !r; i++) {
		const struct triad_pending *p = &w->pending[*nr];
		bool is_pending = *nr < w->nr_pending && p->key == (leaf << TRIAD_FANOUT_SHIFT | i);
		struct triad_ref child = { 0 };
		int bad = error ? 0 : triad_map_entry(w->map->geo, node, 0, i, &child);

		if ((is_pending || child.pba || bad) && lba + i >= w->map->geo->logical_blocks)
			bad = -EUCLEAN;
		if (!child.pba && !bad && !is_pending && (empty || !error) &&
		    lba + i < w->map->geo->logical_blocks)
			r = visit_hole(w, lba + i, 1);
		if (bad || (child.pba && !is_old(w->map, child.birth)))
			r = w->visit(w->context, is_pending && !bad ? TRIAD_VISIT_SHADOWED :
				     TRIAD_VISIT_DATA, lba + i, 1, &child, bad);
		if (!is_pending)
			continue;
		++*nr;
		if (!r && !bad && p->ref.pba && !is_old(w->map, p->ref.birth))
			r = w->visit(w->context, TRIAD_VISIT_DATA, lba + i, 1, &p->ref, 0);
		else if (!r && !bad && !p->ref.pba)
			r = visit_hole(w, lba + i, 1);
	}
	triad_yield();
	return r;
}

/* Read what is pending, and hand its blocks to visit. */
static int walk_pieces(struct walk *w, u64 lba, const struct triad_pieces *pieces)
{
	struct triad_node_disk *block = &w->buffer[w->map->geo->map_depth];
	u32 i;
	int r = 0;

	w->nr_pending = 0;
	memset(w->bad, 0, sizeof(w->bad));
	for (i = 0; i < pieces->nr && !r; i++) {
		const struct triad_piece *piece = &pieces->piece[i];
		u32 nr = w->nr_pending;
		u64 at, end;
		int error;

		/* for holes all of them are needed: what is in an old one is none */
		if (is_old(w->map, piece->ref.birth) && !w->map->holes)
			continue;
		error = triad_map_read_node(w->map, &piece->ref, block);
		if (!error)
			error = decode_entries(w->map->geo, pieces, i, block, w->pending, &nr);
		if (!error)
			w->nr_pending = nr;
		if (error)
			memset(w->bad + piece->first, 1, piece_end(pieces, i) - piece->first);
		at = lba + (piece->first << TRIAD_FANOUT_SHIFT);
		end = lba + (piece_end(pieces, i) << TRIAD_FANOUT_SHIFT);
		end = min_t(u64, end, w->map->geo->logical_blocks);
		r = w->visit(w->context, TRIAD_VISIT_PIECE, at, end > at ? end - at : 0,
			     &piece->ref, error);
	}
	return r;
}

static int walk_node(struct walk *w, int level, u64 lba, const struct triad_ref *ref)
{
	const struct triad_geometry *geo = w->map->geo;
	struct triad_node_disk *node = &w->buffer[level];
	struct triad_pieces pieces = { 0 };
	struct triad_ref child;
	u32 i, nr = 0;
	int r, error;

	error = triad_map_read_node(w->map, ref, node);
	if (!error && may_have_pieces(geo, level))
		error = triad_map_pieces(geo, node, &pieces);
	r = w->visit(w->context, level, lba, lbas_of(w, lba, level), ref, error);
	if (!r && !error && level == 1)
		r = walk_pieces(w, lba, &pieces);
	if (r || error)
		return r;
	triad_yield();
	for (i = 0; i < TRIAD_FANOUT && !r; i++) {
		u64 at = lba + ((u64)i << (level * TRIAD_FANOUT_SHIFT));
		bool is_pending = level == 1 && nr < w->nr_pending &&
				  w->pending[nr].key >> TRIAD_FANOUT_SHIFT == i;

		error = triad_map_entry(geo, node, level, i, &child);
		if (level == 1 && w->bad[i])
			continue;
		if (!error && !is_pending && is_outside(w->map, at, 1ULL << (level * TRIAD_FANOUT_SHIFT)))
			continue;
		if (!error && !is_pending && !child.pba && at < geo->logical_blocks)
			r = visit_hole(w, at, lbas_of(w, at, level - 1));
		if ((!child.pba || is_old(w->map, child.birth)) && !error && !is_pending)
			continue;
		if (!error && at >= geo->logical_blocks)
			error = -EUCLEAN;
		if (error)
			r = w->visit(w->context, level - 1, at, lbas_of(w, at, level - 1), &child,
				     error);
		else if (level == 1)
			r = walk_leaf(w, at, &child, &nr);
		else
			r = walk_node(w, level - 1, at, &child);
		if (error)	/* what is pending there is not to be trusted either */
			while (nr < w->nr_pending && level == 1 &&
			       w->pending[nr].key >> TRIAD_FANOUT_SHIFT == i)
				nr++;
	}
	return r;
}

int triad_map_walk(const struct triad_map *map, triad_map_visit_fn visit, void *context)
{
	struct walk *w;
	u32 nr = 0;
	int r = -ENOMEM;

	if (!map->root.pba)
		return map->holes ? visit(context, TRIAD_VISIT_HOLE, 0, map->geo->logical_blocks,
					  &map->root, 0) : 0;
	if (is_old(map, map->root.birth))
		return 0;
	w = triad_alloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->map = map;
	w->visit = visit;
	w->context = context;
	w->buffer = triad_alloc((map->geo->map_depth + 1) * sizeof(*w->buffer));
	w->pending = triad_alloc(TRIAD_MAX_PENDING * sizeof(*w->pending));
	if (w->buffer && w->pending)
		r = map->geo->map_depth > 1 ?
		    walk_node(w, map->geo->map_depth - 1, 0, &map->root) :
		    walk_leaf(w, 0, &map->root, &nr);
	triad_free(w->buffer);
	triad_free(w->pending);
	triad_free(w);
	return r;
}

/* ---- update ------------------------------------------------------------ */

/* A slice of the sorted entries that lies under one node. */
struct slice {
	u32 from, to;
};

enum {
	LEAF_STAYS = 0,		/* its new entries are pending */
	LEAF_FRESH,		/* is written, with its new entries */
	LEAF_ALL,		/* ... and with those that were pending */
	LEAF_DROPPED,		/* a discard covers it; what is newer is written */
};

enum { PENDING_STAYS = 0, PENDING_REPLACED };

static const struct triad_index_entry *entry_of(const struct triad_map_update *u, u32 i)
{
	return &u->index->entries[u->order[i]];
}

/* The key of an entry under a node of level 1. */
static u16 key_of(const struct triad_map_update *u, u32 i)
{
	return triad_index_lba(entry_of(u, i));
}

/* A map that leads to a block in many ways would give back more than there is. */
static int give_back(struct triad_map_update *u, u64 pba)
{
	if (!pba)
		return 0;
	return u->frees->nr < u->max_frees ? triad_list_push(u->frees, pba) : -EUCLEAN;
}

/* The same of a block of data. */
static int give_back_data(struct triad_map_update *u, const struct triad_ref *ref)
{
	if (ref->pba)
		triad_keep_freed(u->keep, ref->birth);
	return give_back(u, ref->pba);
}

/* Give back what is pending under a node of level 1. */
static int drop_pieces(struct triad_map_update *u, const struct triad_node_disk *node)
{
	struct triad_pieces pieces;
	u32 i, k, nr;
	int r = triad_map_pieces(u->map->geo, node, &pieces);

	for (i = 0; i < pieces.nr && !r; i++) {
		r = give_back(u, pieces.piece[i].ref.pba);
		if (!r)
			r = triad_map_read_node(u->map, &pieces.piece[i].ref, &u->work->block);
		nr = 0;
		if (!r)
			r = decode_entries(u->map->geo, &pieces, i, &u->work->block, u->work->old,
					   &nr);
		for (k = 0; k < nr && !r; k++)
			r = give_back_data(u, &u->work->old[k].ref);
	}
	return r;
}

static int drop_children(struct triad_map_update *u, int level,
			 const struct triad_node_disk *node);

/* Give back a whole subtree.  Its nodes are read into buffer[0..level]. */
static int drop(struct triad_map_update *u, int level, const struct triad_ref *ref)
{
	struct triad_node_disk *node;
	int r;

	if (!ref->pba)
		return 0;
	if (level < 0)
		return give_back_data(u, ref);
	r = give_back(u, ref->pba);
	if (r)
		return r;
	node = u->buffer[level];
	r = triad_map_read_node(u->map, ref, node);
	if (!r && may_have_pieces(u->map->geo, level))
		r = drop_pieces(u, node);
	return r ? r : drop_children(u, level, node);
}

static int drop_children(struct triad_map_update *u, int level,
			 const struct triad_node_disk *node)
{
	struct triad_ref child;
	u32 i;
	int r = 0;

	for (i = 0; i < TRIAD_FANOUT && !r; i++) {
		r = triad_map_entry(u->map->geo, node, level, i, &child);
		if (!r)
			r = drop(u, level - 1, &child);
	}
	triad_yield();
	return r;
}

/*
 * Entries of the slice that belong to child nr of the node at (level, lba);
 * moves from behind them.
 */
static struct slice child_slice(const struct triad_map_update *u, u32 *from, u32 to,
				int level)
{
	struct slice s = { *from, *from };
	u64 child = triad_index_lba(entry_of(u, *from)) >> (level * TRIAD_FANOUT_SHIFT);

	while (s.to < to &&
	       triad_index_lba(entry_of(u, s.to)) >> (level * TRIAD_FANOUT_SHIFT) == child)
		s.to++;
	*from = s.to;
	return s;
}

/* Write a node, or a piece, to a new place. */
static int write_block(struct triad_map_update *u, const struct triad_node_disk *node,
		       struct triad_ref *ref)
{
	struct triad_store *store = u->map->store;
	int r = 0;

	if (u->nr_used == u->nr_nodes)
		r = u->more ? u->more(u) : -ENOSPC;
	if (r)
		return r;
	ref->pba = u->nodes[u->nr_used++];
	ref->birth = u->birth;
	ref->csum = triad_checksum(u->map->checksum_kind, node);
	r = triad_list_push(u->adds, ref->pba);
	if (!r)
		r = store->ops->write(store, ref->pba, 1, node);
	if (!r && store->ops->node_put)
		store->ops->node_put(store, ref->pba, ref->birth, node);
	return r;
}

/* The same; an empty node becomes a hole. */
static int write_node(struct triad_map_update *u, const struct triad_node_disk *node,
		      struct triad_ref *ref)
{
	u32 i;

	for (i = 0; i < TRIAD_FANOUT; i++)
		if (node->entry[i].pba_flags)
			return write_block(u, node, ref);
	memset(ref, 0, sizeof(*ref));
	return 0;
}

/* The block of an entry enters the map. */
static int add_data(struct triad_map_update *u, const struct triad_index_entry *e,
		    struct triad_ref *ref)
{
	memset(ref, 0, sizeof(*ref));
	ref->birth = u->birth;
	if (!e->pba)
		return 0;
	ref->pba = e->pba;
	ref->csum = e->csum;
	u->nr_data_added++;
	return triad_list_push(u->adds, e->pba);
}

/* Put entries [from, to) that are not older than a discard into a leaf. */
static int change_leaf(struct triad_map_update *u, const struct slice *s, u32 cover,
		       struct triad_node_disk *node)
{
	struct triad_ref ref;
	u32 i, nr;
	int r = 0;

	for (i = s->from; i < s->to && !r; i++) {
		if (u->order[i] + 1 <= cover)
			continue;
		nr = triad_map_slot(triad_index_lba(entry_of(u, i)), 0);
		r = triad_map_entry(u->map->geo, node, 0, nr, &ref);
		if (!r)
			r = give_back_data(u, &ref);
		if (!r)
			r = add_data(u, entry_of(u, i), &ref);
		if (!ref.pba)
			memset(&ref, 0, sizeof(ref));
		set_entry(node, nr, &ref);
	}
	return r;
}

/* ---- a node of level 1 ------------------------------------------------------ */

static int read_pending(struct triad_map_update *u, const struct triad_pieces *pieces, u32 *nr)
{
	struct triad_map_work *work = u->work;
	u32 i;
	int r = 0;

	*nr = 0;
	for (i = 0; i < pieces->nr && !r; i++) {
		r = triad_map_read_node(u->map, &pieces->piece[i].ref, &work->block);
		if (!r)
			r = decode_entries(u->map->geo, pieces, i, &work->block, work->old, nr);
	}
	return r;
}

/* What the interval has for each leaf, beside what is pending. */
static int plan_leaves(struct triad_map_update *u, struct slice s, u32 cover,
		       const struct triad_node_disk *node, u32 nr_old)
{
	struct triad_map_work *work = u->work;
	struct triad_leaf_plan *plan;
	struct triad_ref child;
	u32 i, k;
	int r;

	memset(work->plan, 0, sizeof(work->plan));
	for (i = k = 0; i < TRIAD_FANOUT; i++) {
		plan = &work->plan[i];
		plan->old = k;
		while (k < nr_old && work->old[k].key >> TRIAD_FANOUT_SHIFT == i)
			k++;
		plan->old_end = k;
		plan->nr_stay = plan->old_end - plan->old;
	}
	while (s.from < s.to) {
		struct slice c = child_slice(u, &s.from, s.to, 1);
		u32 nr = key_of(u, c.from) >> TRIAD_FANOUT_SHIFT;

		plan = &work->plan[nr];
		plan->cover = cover;
		for (; c.from < c.to && triad_index_level(entry_of(u, c.from)) == 1; c.from++) {
			plan->cover = max_t(u32, plan->cover, u->order[c.from] + 1);
			plan->action = LEAF_DROPPED;
		}
		plan->from = c.from;
		plan->to = c.to;
		r = triad_map_entry(u->map->geo, node, 1, nr, &child);
		if (r)
			return r;
		for (k = plan->old; c.from < c.to; c.from++) {
			if (u->order[c.from] + 1 <= plan->cover)
				continue;
			plan->nr_fresh++;
			/* a hole need not hide that there is nothing */
			plan->nr_kept += entry_of(u, c.from)->pba || child.pba;
			while (k < plan->old_end && work->old[k].key < key_of(u, c.from))
				k++;
			if (k == plan->old_end || work->old[k].key != key_of(u, c.from))
				continue;
			work->old[k].state = PENDING_REPLACED;
			plan->nr_stay--;
		}
	}
	return 0;
}

/* Take a leaf's pending entries along, if there is credit for it. */
static void take_along(struct triad_map_update *u, struct triad_leaf_plan *plan)
{
	if (plan->nr_stay > u->credit)
		return;
	u->credit -= plan->nr_stay;
	plan->action = LEAF_ALL;
}

/* Decide which leaves are written. */
static void choose_leaves(struct triad_map_update *u)
{
	struct triad_leaf_plan *plan, *end = u->work->plan + TRIAD_FANOUT;
	u32 total = 0;

	for (plan = u->work->plan; plan < end; plan++) {
		if (plan->action == LEAF_STAYS && plan->nr_fresh &&
		    plan->nr_fresh + plan->nr_stay > LEAF_PENDING)
			plan->action = LEAF_FRESH;
		/* one of them pays for the leaf */
		if (plan->nr_fresh)
			u->credit += plan->nr_fresh - (plan->action != LEAF_STAYS);
	}
	for (plan = u->work->plan; plan < end; plan++) {
		if (plan->action == LEAF_FRESH)
			take_along(u, plan);
		if (plan->action == LEAF_STAYS)
			total += plan->nr_stay + plan->nr_kept;
		else if (plan->action == LEAF_FRESH)
			total += plan->nr_stay;
	}
	if (total >= FLUSH_PENDING && u->credit >= total) {
		u->credit -= total;
		for (plan = u->work->plan; plan < end; plan++)
			if (plan->action <= LEAF_FRESH && plan->nr_stay + plan->nr_fresh)
				plan->action = LEAF_ALL;
		return;
	}
	for (plan = u->work->plan; plan < end && total > MAX_PENDING; plan++) {
		if (plan->action != LEAF_STAYS || !plan->nr_kept)
			continue;
		total -= plan->nr_kept;
		plan->action = LEAF_FRESH;
		u->credit -= u->credit > 0;
		take_along(u, plan);
		if (plan->action == LEAF_ALL)
			total -= plan->nr_stay;
	}
}

/* The leaf as it is written. */
static int rewrite_leaf(struct triad_map_update *u, u32 nr, struct triad_node_disk *leaf,
			struct triad_ref *child)
{
	const struct triad_leaf_plan *plan = &u->work->plan[nr];
	struct slice s = { plan->from, plan->to };
	struct triad_ref ref;
	u32 k, slot;
	int r = give_back(u, child->pba);

	if (!r && plan->action == LEAF_DROPPED) {
		r = drop_children(u, 0, leaf);
		memset(leaf, 0, sizeof(*leaf));
	}
	for (k = plan->old; k < plan->old_end && !r; k++) {
		const struct triad_pending *p = &u->work->old[k];

		if (p->state == PENDING_REPLACED || plan->action != LEAF_ALL)
			continue;
		slot = p->key % TRIAD_FANOUT;
		r = triad_map_entry(u->map->geo, leaf, 0, slot, &ref);
		if (!r)
			r = give_back_data(u, &ref);
		ref = p->ref;
		if (!ref.pba)
			memset(&ref, 0, sizeof(ref));
		set_entry(leaf, slot, &ref);
	}
	if (!r)
		r = change_leaf(u, &s, plan->cover, leaf);
	return r ? r : write_node(u, leaf, child);
}

/* Read the leaves of work->at together, and write them. */
static int write_batch(struct triad_map_update *u, struct triad_node_disk *node, u32 nr)
{
	struct triad_map_work *work = u->work;
	u32 i;
	int r = read_nodes(u->map, work->refs, nr, work->leaves);

	for (i = 0; i < nr && !r; i++) {
		r = rewrite_leaf(u, work->at[i], &work->leaves[i], &work->refs[i]);
		set_entry(node, work->at[i], &work->refs[i]);
	}
	return r;
}

static int write_leaves(struct triad_map_update *u, struct triad_node_disk *node)
{
	struct triad_map_work *work = u->work;
	u32 i, nr = 0;
	int r = 0;

	for (i = 0; i < TRIAD_FANOUT && !r; i++) {
		if (work->plan[i].action == LEAF_STAYS)
			continue;
		r = triad_map_entry(u->map->geo, node, 1, i, &work->refs[nr]);
		work->at[nr++] = i;
		if (!r && nr == TRIAD_LEAF_BATCH) {
			r = write_batch(u, node, nr);
			nr = 0;
		}
	}
	return r ? r : write_batch(u, node, nr);
}

/* The entries of one leaf that are pending from now on; *nr grows. */
static int merge_pending(struct triad_map_update *u, u32 leaf, bool is_hole, u32 *nr)
{
	struct triad_map_work *work = u->work;
	struct triad_leaf_plan *plan = &work->plan[leaf];
	u32 i = plan->from, k = plan->old;
	int r = 0;

	if (plan->action != LEAF_STAYS)
		i = plan->to;
	if (plan->action > LEAF_FRESH)
		k = plan->old_end;
	plan->changed = i < plan->to || (k == plan->old_end && plan->old < plan->old_end);
	while ((i < plan->to || k < plan->old_end) && !r) {
		if (k < plan->old_end &&
		    (i == plan->to || work->old[k].key <= key_of(u, i))) {
			if (work->old[k].state == PENDING_STAYS)
				work->now[(*nr)++] = work->old[k];
			else
				plan->changed = true;
			k++;
			continue;
		}
		if (u->order[i] + 1 > plan->cover && (entry_of(u, i)->pba || !is_hole)) {
			work->now[*nr].key = key_of(u, i);
			r = add_data(u, entry_of(u, i), &work->now[(*nr)++].ref);
		}
		i++;
	}
	return r;
}

/* All that is pending from now on; what it replaces, or a discard covers, is given back. */
static int merge(struct triad_map_update *u, const struct triad_node_disk *node, u32 nr_old,
		 u32 *nr)
{
	struct triad_map_work *work = u->work;
	struct triad_ref child;
	u32 i, k;
	int r = 0;

	*nr = 0;
	for (i = 0; i < TRIAD_FANOUT && !r; i++) {
		r = triad_map_entry(u->map->geo, node, 1, i, &child);
		if (!r)
			r = merge_pending(u, i, !child.pba, nr);
	}
	for (k = 0; k < nr_old && !r; k++)
		if (work->old[k].state == PENDING_REPLACED ||
		    work->plan[work->old[k].key >> TRIAD_FANOUT_SHIFT].action == LEAF_DROPPED)
			r = give_back_data(u, &work->old[k].ref);
	return r;
}

static int write_piece(struct triad_map_update *u, const struct triad_pending *list,
		       struct triad_piece *piece)
{
	struct triad_node_disk *block = &u->work->block;
	u32 i;

	memset(block, 0, sizeof(*block));
	for (i = 0; i < piece->nr; i++)
		encode(&block->entry[i], &list[i].ref, list[i].key);
	return write_block(u, block, &piece->ref);
}

/* How many of list are of leaves before end. */
static u32 count_before(const struct triad_pending *list, u32 nr, u32 end)
{
	u32 n = 0;

	while (n < nr && list[n].key >> TRIAD_FANOUT_SHIFT < end)
		n++;
	return n;
}

/* May the pieces stay as they are cut?  They are neither too full nor too many. */
static bool fits(const struct triad_pieces *pieces, const struct triad_pending *list, u32 nr)
{
	u32 i, n, at = 0;

	for (i = 0; i < pieces->nr; i++, at += n) {
		n = count_before(list + at, nr - at, piece_end(pieces, i));
		if (n > PIECE_ENTRIES)
			return false;
	}
	return pieces->nr && pieces->nr <= nr / (PIECE_ENTRIES / 4 * 3) + 1;
}

/* Cut the entries into pieces anew, between leaves and evenly. */
static void cut(struct triad_pieces *pieces, const struct triad_pending *list, u32 nr)
{
	u32 want = min_t(u32, nr / (PIECE_ENTRIES / 4 * 3) + 1, TRIAD_NR_PIECES);
	u32 each = (nr + want - 1) / want, n, of_leaf;
	struct triad_piece *piece = pieces->piece;

	pieces->nr = 1;
	piece->first = piece->nr = 0;
	for (n = 0; n < nr; n += of_leaf) {
		u32 leaf = list[n].key >> TRIAD_FANOUT_SHIFT;

		of_leaf = count_before(list + n, nr - n, leaf + 1);
		if (piece->nr >= each && each) {
			(++piece)->first = leaf;
			piece->nr = 0;
			pieces->nr++;
		}
		piece->nr += of_leaf;
	}
}

static bool has_changed(const struct triad_map_work *work, const struct triad_pieces *pieces, u32 i)
{
	u32 leaf, end = piece_end(pieces, i);

	for (leaf = pieces->piece[i].first; leaf < end; leaf++)
		if (work->plan[leaf].changed)
			return true;
	return false;
}

static int write_pieces(struct triad_map_update *u, struct triad_node_disk *node,
			struct triad_pieces *pieces, u32 nr)
{
	struct triad_map_work *work = u->work;
	struct triad_pieces now = { 0 };
	bool keep = fits(pieces, work->now, nr);
	u32 i, at = 0;
	int r = 0;

	for (i = 0; i < pieces->nr && !keep && !r; i++)
		r = give_back(u, pieces->piece[i].ref.pba);
	if (!keep)
		cut(pieces, work->now, nr);
	for (i = 0; i < pieces->nr && !r; i++) {
		struct triad_piece piece = pieces->piece[i];
		bool write = !keep || has_changed(work, pieces, i);

		if (keep && write)
			r = give_back(u, piece.ref.pba);
		piece.nr = count_before(work->now + at, nr - at, piece_end(pieces, i));
		/* an empty one is none; its leaves are the one's before */
		if (!piece.nr)
			continue;
		if (!now.nr)
			piece.first = 0;
		if (!r && write)
			r = write_piece(u, work->now + at, &piece);
		at += piece.nr;
		now.piece[now.nr++] = piece;
	}
	set_pieces(node, &now);
	return r;
}

/* Apply a slice to a node of level 1 that has been read. */
static int apply_pending(struct triad_map_update *u, struct triad_node_disk *node,
			 struct slice s, u32 cover)
{
	struct triad_pieces pieces;
	u32 nr_old, nr;
	int r = triad_map_pieces(u->map->geo, node, &pieces);

	if (!r)
		r = read_pending(u, &pieces, &nr_old);
	if (!r)
		r = plan_leaves(u, s, cover, node, nr_old);
	if (r)
		return r;
	choose_leaves(u);
	/* before leaves are written: holes are told by what they were */
	r = merge(u, node, nr_old, &nr);
	if (!r)
		r = write_leaves(u, node);
	return r ? r : write_pieces(u, node, &pieces, nr);
}

/*
 * The children on the way to a slice of a node of level 2, and their pieces, will be read:
 * all at once.
 */
static void read_ahead(struct triad_map_update *u, const struct triad_node_disk *node,
		       struct slice s)
{
	struct triad_store *store = u->map->store;
	struct triad_map_work *work = u->work;
	u32 i, k, nr = 0, nr_ahead = 0;
	struct triad_pieces pieces;
	struct triad_ref ref;

	if (!store->ops->read_ahead || !store->ops->node_get)
		return;
	while (s.from < s.to) {
		struct slice c = child_slice(u, &s.from, s.to, 2);
		u32 slot = triad_map_slot(triad_index_lba(entry_of(u, c.from)), 2);

		if (!triad_map_entry(u->map->geo, node, 2, slot, &ref) && ref.pba)
			work->children[nr++] = ref;
	}
	store->ops->read_ahead(store, u->map->checksum_kind, work->children, nr);
	/* of those that are there now; what is wrong with one is found when it is needed */
	for (i = 0; i < nr; i++) {
		if (!store->ops->node_get(store, work->children[i].pba, work->children[i].birth,
					  &work->block) ||
		    triad_map_pieces(u->map->geo, &work->block, &pieces))
			continue;
		for (k = 0; k < pieces.nr; k++)
			work->refs[nr_ahead++] = pieces.piece[k].ref;
		if (nr_ahead + TRIAD_NR_PIECES > TRIAD_LEAF_BATCH) {
			store->ops->read_ahead(store, u->map->checksum_kind, work->refs, nr_ahead);
			nr_ahead = 0;
		}
	}
	store->ops->read_ahead(store, u->map->checksum_kind, work->refs, nr_ahead);
}

/*
 * Apply a slice to the subtree at ref.  cover is 1 + the age of the newest
 * discard that covers the whole subtree: older entries are void.
 *
 * Every node on the way to an entry moves, even if the entry changes nothing (a
 * hole is discarded).
 */
static int apply(struct triad_map_update *u, int level, struct slice s, u32 cover,
		 struct triad_ref *ref)
{
	struct triad_node_disk *node = u->buffer[level];
	bool dropped = false;
	int r;

	/* ranges that cover just this subtree come first */
	for (; s.from < s.to && (int)triad_index_level(entry_of(u, s.from)) == level + 1;
	     s.from++) {
		cover = max_t(u32, cover, u->order[s.from] + 1);
		dropped = true;
	}
	if (dropped) {
		r = drop(u, level, ref);
	} else if (ref->pba) {
		r = give_back(u, ref->pba);
		if (!r)
			r = triad_map_read_node(u->map, ref, node);
	} else {
		r = 0;
	}
	if (r)
		return r;
	if (dropped || !ref->pba)
		memset(node, 0, sizeof(*node));
	if (may_have_pieces(u->map->geo, level)) {
		r = apply_pending(u, node, s, cover);
	} else if (!level) {
		r = change_leaf(u, &s, cover, node);
	} else {
		if (level == 2)
			read_ahead(u, node, s);
		while (s.from < s.to && !r) {
			struct slice c = child_slice(u, &s.from, s.to, level);
			u32 nr = triad_map_slot(triad_index_lba(entry_of(u, c.from)), level);
			struct triad_ref child;

			r = triad_map_entry(u->map->geo, node, level, nr, &child);
			if (!r)
				r = apply(u, level - 1, c, cover, &child);
			set_entry(node, nr, &child);
		}
	}
	triad_yield();
	return r ? r : write_node(u, node, ref);
}

int triad_map_apply(struct triad_map_update *u)
{
	struct slice all = { 0, u->nr_order };

	u->root = u->map->root;
	u->nr_used = 0;
	u->nr_data_added = 0;
	u->credit = 0;
	return u->nr_order ? apply(u, u->map->geo->map_depth - 1, all, 0, &u->root) : 0;
}
