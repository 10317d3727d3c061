// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "map.h"
#include "record.h"

#define LBAS	(65536u + 4096u)	/* three levels */
#define MAX	2048u
#define NODES	(8 * MAX)

/* A map on a simulated disk beside a plain array, and every block's owner. */
struct fixture {
	struct disk disk;
	struct rng rng;
	struct triad_geometry geo;
	struct triad_map map;
	struct triad_index *index;
	u64 want[LBAS];		/* PBA or 0 */
	u32 want_csum[LBAS];
	u8 busy[DISK_BLOCKS];	/* reached from the map */
	u8 log[DISK_BLOCKS];	/* data of the interval */
	u64 scratch[MAX];
	u32 order[MAX];
	u64 nodes[NODES];
	struct triad_list adds, frees;
	struct triad_map_update update;
	u32 birth;
	u32 nr_nodes, max_nodes;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *why;
	int i;

	content_release(0);
	disk_init(&f->disk, disk_new_view(), &f->rng);
	f->rng.state = 21;
	/* an address space larger than the disk: the map's addresses all lie below */
	assert_int_equal(triad_geometry_init(&f->geo, 1 << 18, LBAS, 32256, 16, 0, &why), 0);
	assert_int_equal(f->geo.map_depth, 3);
	f->map = (struct triad_map){ .geo = &f->geo, .store = &f->disk.store };
	f->index = triad_index_create(MAX, triad_alloc);
	for (i = 0; i < f->geo.map_depth; i++)
		f->update.buffer[i] = triad_alloc(TRIAD_BLOCK_SIZE);
	f->update.work = triad_alloc(sizeof(*f->update.work));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < f->geo.map_depth; i++)
		triad_free(f->update.buffer[i]);
	triad_free(f->update.work);
	triad_index_destroy(f->index);
	triad_list_free(&f->adds);
	triad_list_free(&f->frees);
	free(f->disk.view);
	free(f);
	assert_int_equal(test_alloc.live, 0);
	return 0;
}

static u64 take(struct fixture *f)
{
	u64 pba;

	do {
		pba = TRIAD_FIRST_ZONE + rng_below(&f->rng, DISK_BLOCKS - TRIAD_FIRST_ZONE - 512);
	} while (!triad_geometry_valid_pba(&f->geo, pba) || f->busy[pba] || f->log[pba]);
	f->log[pba] = 1;
	return pba;
}

static void do_write(struct fixture *f, u32 lba)
{
	u64 pba = take(f);
	u32 csum = rng_next(&f->rng);

	assert_int_equal(triad_index_add(f->index, lba, pba, csum), 0);
	f->want[lba] = pba;
	f->want_csum[lba] = csum;
}

static void do_discard(struct fixture *f, u32 lba, u32 nr)
{
	assert_int_equal(triad_index_discard(f->index, &f->geo, lba, nr), 0);
	memset(f->want + lba, 0, nr * sizeof(*f->want));
}

static void random_interval(struct fixture *f, u32 nr, u32 span)
{
	u32 leaves, lba, n;

	while (nr--) {
		lba = rng_percent(&f->rng, 10) ? LBAS - 1 - rng_below(&f->rng, 600) :
						 rng_below(&f->rng, span);
		if (rng_percent(&f->rng, 80) && f->index->nr < f->index->max) {
			do_write(f, lba);
			continue;
		}
		n = 1 + rng_below(&f->rng, rng_percent(&f->rng, 10) ? LBAS : 700);
		lba &= rng_percent(&f->rng, 50) ? ~0xffu : ~0u;
		n = min_t(u32, n, LBAS - lba);
		if (f->index->nr + triad_index_discard_cost(&f->geo, lba, n, &leaves) >
		    f->index->max)
			return;
		do_discard(f, lba, n);
	}
}

/* One more; no more than were promised. */
static int more(struct triad_map_update *u)
{
	struct fixture *f = u->context;

	if (f->nr_nodes == f->max_nodes)
		return -ENOSPC;
	f->nodes[f->nr_nodes] = take(f);
	u->nodes = &f->nodes[f->nr_nodes++];
	u->nr_nodes = 1;
	u->nr_used = 0;
	return 0;
}

static int apply(struct fixture *f)
{
	struct triad_map_update *u = &f->update;

	u->map = &f->map;
	u->index = f->index;
	u->order = f->order;
	u->nr_order = triad_index_sorted(f->index, f->scratch, f->order);
	u->birth = ++f->birth;
	f->nr_nodes = u->nr_nodes = 0;
	f->max_nodes = min_t(u64, triad_geometry_nodes(&f->geo, u->nr_order), NODES);
	u->more = more;
	u->context = f;
	u->adds = &f->adds;
	u->frees = &f->frees;
	u->max_frees = f->geo.usable;
	f->adds.nr = f->frees.nr = 0;
	return triad_map_apply(u);
}

/* Adds were free and are reached now, frees the other way round. */
static void account(struct fixture *f)
{
	u32 i;

	for (i = 0; i < f->frees.nr; i++) {
		assert_int_equal(f->busy[f->frees.v[i]], 1);
		f->busy[f->frees.v[i]] = 0;
	}
	for (i = 0; i < f->adds.nr; i++) {
		assert_int_equal(f->busy[f->adds.v[i]], 0);
		assert_int_equal(f->log[f->adds.v[i]], 1);
		f->busy[f->adds.v[i]] = 1;
	}
	memset(f->log, 0, sizeof(f->log));
	f->map.root = f->update.root;
	triad_index_reset(f->index);
}

struct compare {
	struct fixture *f;
	u8 seen[DISK_BLOCKS];
	u64 nr_data;
	u64 nr[2];		/* pieces, shadowed blocks */
};

static int visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct compare *c = context;

	assert_true(nr && lba + nr <= LBAS);
	assert_int_equal(error, 0);
	assert_int_equal(c->seen[ref->pba]++, 0);
	assert_int_equal(c->f->busy[ref->pba], 1);
	c->nr[level == TRIAD_VISIT_PIECE ? 0 : 1] += level < TRIAD_VISIT_DATA;
	if (level != TRIAD_VISIT_DATA)
		return 0;
	assert_int_equal(ref->pba, c->f->want[lba]);
	assert_int_equal(ref->csum, c->f->want_csum[lba]);
	c->nr_data++;
	return 0;
}

static struct compare last_compared;

static void compare(struct fixture *f)
{
	struct compare *c = &last_compared;
	u64 nr = 0;
	u32 i;

	memset(c, 0, sizeof(*c));
	c->f = f;
	assert_int_equal(triad_map_walk(&f->map, visit, c), 0);
	for (i = 0; i < LBAS; i++)
		nr += !!f->want[i];
	assert_int_equal(c->nr_data, nr);
	assert_memory_equal(c->seen, f->busy, sizeof(c->seen));
}

static void random_intervals_equal_a_plain_array(void **state)
{
	static const u32 spans[] = { 300, 2000, LBAS };
	struct fixture *f = *state;
	u32 round;

	for (round = 0; round < 120; round++) {
		random_interval(f, 1 + rng_below(&f->rng, 200), spans[rng_below(&f->rng, 3)]);
		assert_int_equal(apply(f), 0);
		account(f);
		compare(f);
	}
}

static void discarding_all_leaves_no_map(void **state)
{
	struct fixture *f = *state;

	random_interval(f, 300, LBAS);
	assert_int_equal(apply(f), 0);
	account(f);
	do_discard(f, 0, LBAS);
	assert_int_equal(apply(f), 0);
	account(f);
	compare(f);
	assert_int_equal(f->map.root.pba, 0);
}

static void an_empty_interval_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct triad_ref before;

	do_write(f, 7);
	assert_int_equal(apply(f), 0);
	account(f);
	before = f->map.root;
	assert_int_equal(apply(f), 0);
	assert_int_equal(f->adds.nr, 0);
	assert_int_equal(f->frees.nr, 0);
	assert_memory_equal(&before, &f->update.root, sizeof(before));
}

/*
 * N(d) nodes (more() gives no more), and lists for 3 d + N(d): who writes blocks alone has
 * each replace one that is pending and one in a leaf, and pays for another one to move.
 */
static void what_a_commit_takes_and_gives_back_is_bounded(void **state)
{
	struct fixture *f = *state;
	u32 round, i, nr_flushed = 0, nr_pieces = 0;
	u64 nr_shadowed;

	for (round = 0; round < 300; round++) {
		u32 nr = 1 + rng_below(&f->rng, round % 3 ? 8 : 300), d;
		u32 span = round % 2 ? LBAS : 20000;

		for (i = 0; i < nr; i++) {
			u32 lba = rng_below(&f->rng, span);

			if (rng_percent(&f->rng, 15))
				do_discard(f, lba, 1);
			else
				do_write(f, lba);
		}
		d = f->index->nr;
		assert_int_equal(apply(f), 0);
		assert_true(f->frees.nr <= 3 * d + triad_geometry_nodes(&f->geo, d));
		nr_shadowed = last_compared.nr[1];
		account(f);
		compare(f);
		nr_flushed += last_compared.nr[1] < nr_shadowed;
		/* one for each entry that went into its leaf, and one that it paid for */
		assert_true(nr_shadowed <= last_compared.nr[1] + 2 * d);
		nr_pieces += last_compared.nr[0];
		assert_true(last_compared.nr[1] <= 964 * 2);
	}
	assert_true(nr_flushed > 5 && nr_pieces > 300);
}

/* Leaves that are written for one entry each leave alone what is pending for them. */
static void what_nobody_pays_for_stays_pending(void **state)
{
	struct fixture *f = *state;
	u32 leaf, i;

	for (leaf = 0; leaf < 6; leaf++)
		for (i = 0; i < 200; i++)
			do_write(f, leaf * 256 + i);
	assert_int_equal(apply(f), 0);
	account(f);
	/* too few at a time to empty the node */
	for (leaf = 0; leaf < 6; leaf++) {
		for (i = 0; i < 3; i++)
			do_write(f, leaf * 256 + i);
		assert_int_equal(apply(f), 0);
		account(f);
	}
	compare(f);
	assert_int_equal(last_compared.nr[1], 18);
	for (leaf = 0; leaf < 6; leaf++)
		do_write(f, leaf * 256 + 100);
	assert_int_equal(apply(f), 0);
	account(f);
	compare(f);
	assert_true(last_compared.nr[1] >= 18);
}

/* All that comes behind the discard is pending, or written; nothing of before is left. */
static void what_is_written_behind_a_large_discard_counts(void **state)
{
	struct fixture *f = *state;
	u32 round, i;

	for (round = 0; round < 20; round++) {
		random_interval(f, 300, LBAS);
		assert_int_equal(apply(f), 0);
		account(f);
		do_discard(f, 0, 65536);
		/* in the end more than can be pending */
		for (i = 0; i < 60 * round; i++)
			do_write(f, rng_below(&f->rng, 65536));
		assert_int_equal(apply(f), 0);
		account(f);
		compare(f);
		assert_true(last_compared.nr[0] <= 2 * TRIAD_NR_PIECES);
	}
}

static void too_few_nodes_are_an_error(void **state)
{
	struct fixture *f = *state;
	u32 i;

	for (i = 0; i < 50; i++)
		do_write(f, i * 300);
	assert_int_equal(apply(f), 0);
	f->max_nodes = f->nr_nodes - 1;
	f->nr_nodes = f->update.nr_nodes = 0;
	f->adds.nr = f->frees.nr = 0;
	assert_int_equal(triad_map_apply(&f->update), -ENOSPC);
}

static void build(struct fixture *f)
{
	random_interval(f, 300, LBAS);
	do_write(f, 5);
	assert_int_equal(apply(f), 0);
	account(f);
	do_write(f, 5);
}

static void a_corrupted_node_is_an_error_not_a_map(void **state)
{
	struct fixture *f = *state;
	u64 root;
	u32 good;

	build(f);
	root = f->map.root.pba;
	good = f->disk.view[root];
	f->disk.view[root] = content_rotten(&f->rng);
	assert_int_equal(apply(f), -EBADMSG);
	f->disk.view[root] = 0;
	assert_int_equal(apply(f), -EBADMSG);
	f->disk.view[root] = good;
	assert_int_equal(apply(f), 0);
}

/* A node with a right checksum that says something impossible. */
static void forge(struct fixture *f, u32 nr, u64 word)
{
	struct triad_node_disk node;

	memcpy(&node, content_of(f->disk.view[f->map.root.pba]), sizeof(node));
	node.entry[nr].pba_flags = cpu_to_le64(word);
	f->disk.view[f->map.root.pba] = content_id(&node);
	f->map.root.csum = triad_checksum(f->map.checksum_kind, &node);
}

static int error_visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	(void)context;
	(void)level;
	(void)lba;
	(void)nr;
	(void)ref;
	return error;
}

/* A store that keeps the nodes it is offered, as the kernel's does. */
static struct {
	u64 pba;
	u32 birth;
	struct triad_node_disk node;
} cache[16];
static u32 nr_cached, nr_hits;

static bool cache_get(struct triad_store *store, u64 pba, u32 birth, void *buf)
{
	u32 i;

	(void)store;
	for (i = 0; i < nr_cached; i++) {
		if (cache[i].pba != pba || cache[i].birth != birth)
			continue;
		memcpy(buf, &cache[i].node, TRIAD_BLOCK_SIZE);
		nr_hits++;
		return true;
	}
	return false;
}

static void cache_put(struct triad_store *store, u64 pba, u32 birth, const void *buf)
{
	(void)store;
	if (nr_cached == 16)
		return;
	cache[nr_cached].pba = pba;
	cache[nr_cached].birth = birth;
	memcpy(&cache[nr_cached++].node, buf, TRIAD_BLOCK_SIZE);
}

static void nodes_come_from_the_cache_if_it_has_them(void **state)
{
	struct fixture *f = *state;
	struct triad_store_ops ops = *f->disk.store.ops;
	struct triad_node_disk node;
	u64 reads;

	build(f);
	ops.node_get = cache_get;
	ops.node_put = cache_put;
	f->disk.store.ops = &ops;
	nr_cached = nr_hits = 0;
	assert_int_equal(triad_map_read_node(&f->map, &f->map.root, &node), 0);
	assert_int_equal(nr_cached, 1);
	reads = f->disk.nr_reads;
	assert_int_equal(triad_map_read_node(&f->map, &f->map.root, &node), 0);
	assert_int_equal(nr_hits, 1);
	assert_int_equal(f->disk.nr_reads, reads);
	/* a block that was given away and taken again is another node */
	f->map.root.birth++;
	assert_int_equal(triad_map_read_node(&f->map, &f->map.root, &node), 0);
	assert_int_equal(nr_hits, 1);
	f->map.root.birth--;
	/* what a commit writes is offered, too */
	triad_index_reset(f->index);
	do_write(f, 3);
	nr_cached = 0;
	assert_int_equal(apply(f), 0);
	assert_int_equal(nr_cached >= f->update.nr_used, 1);
}

static void a_list_that_is_long_enough_stays_where_it_is(void **state)
{
	struct fixture *f = *state;
	u64 *v;

	assert_int_equal(triad_list_reserve(&f->adds, 10), 0);
	v = f->adds.v;
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	assert_int_equal(triad_list_reserve(&f->adds, 10), 0);
	assert_int_equal(triad_list_reserve(&f->adds, 3), 0);
	assert_ptr_equal(f->adds.v, v);
	assert_int_equal(triad_list_reserve(&f->adds, f->adds.max + 1), -ENOMEM);
	test_alloc.fail_at = 0;
}

static void impossible_entries_are_refused(void **state)
{
	static const u64 words[] = {
		1, 4096, TRIAD_FIRST_ZONE, 1ULL << 47, (1ULL << 48) | 3000, ~0ULL,
	};
	struct fixture *f = *state;
	u32 i;

	build(f);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		forge(f, 0, words[i]);
		assert_int_equal(apply(f), -EUCLEAN);
		assert_int_equal(triad_map_walk(&f->map, error_visit, NULL), -EUCLEAN);
	}
	f->map.root.pba = 4096;
	assert_int_equal(apply(f), -EUCLEAN);
}

/* Of data and nodes alike: what is no place for either is refused at once. */
static void every_address_of_an_entry_is_bounded(void **state)
{
	struct fixture *f = *state;
	static struct triad_node_disk node;
	struct triad_ref ref;
	u64 good = TRIAD_FIRST_ZONE + triad_zone_header(&f->geo, 0);
	const u64 words[] = {
		1, TRIAD_FIRST_ZONE - 1, TRIAD_FIRST_ZONE, good - 1, TRIAD_SLOT_PBA(1),
		f->geo.device_blocks - TRIAD_TAIL_BLOCKS, f->geo.device_blocks,
		(1ULL << TRIAD_PBA_BITS) - 1, good | 1ULL << TRIAD_PBA_BITS, good | 1ULL << 63,
	};
	u32 i;

	node.entry[7].pba_flags = cpu_to_le64(good);
	assert_int_equal(triad_map_entry(&f->geo, &node, 0, 7, &ref), 0);
	assert_int_equal(ref.pba, good);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		node.entry[7].pba_flags = cpu_to_le64(words[i]);
		assert_int_equal(triad_map_entry(&f->geo, &node, 0, 7, &ref), -EUCLEAN);
	}
}

static void entries_behind_the_end_are_refused(void **state)
{
	struct fixture *f = *state;

	build(f);
	forge(f, 200, 3000);
	assert_int_equal(triad_map_walk(&f->map, error_visit, NULL), -EUCLEAN);
}

static void a_map_that_points_at_itself_ends(void **state)
{
	struct fixture *f = *state;

	build(f);
	forge(f, 0, f->map.root.pba);
	assert_int_equal(triad_map_walk(&f->map, error_visit, NULL), -EBADMSG);
	assert_int_equal(apply(f), -EBADMSG);
}

/* ---- lookups -------------------------------------------------------------- */

struct getter {
	struct fixture *f;
	struct triad_node_disk node;
	u64 missing;
};

static const struct triad_node_disk *get(void *context, const struct triad_ref *ref)
{
	struct getter *g = context;

	if (ref->pba == g->missing)
		return NULL;
	assert_int_equal(triad_map_read_node(&g->f->map, ref, &g->node), 0);
	return &g->node;
}

static void a_lookup_finds_what_was_written_or_says_what_is_missing(void **state)
{
	static struct getter g;
	struct fixture *f = *state;
	struct triad_ref ref, missing;
	struct triad_spot spot;
	u32 lba;

	g.f = f;
	g.missing = 0;
	random_interval(f, 400, LBAS);
	do_write(f, 5);
	assert_int_equal(apply(f), 0);
	account(f);
	for (lba = 0; lba < LBAS; lba++) {
		assert_int_equal(triad_map_find(&f->geo, &f->map.root, lba, get, &g, &spot,
						&missing), 0);
		assert_int_equal(triad_map_look(&f->geo, &spot, lba, get, &g, &ref, &missing), 0);
		assert_int_equal(ref.pba, f->want[lba]);
		if (ref.pba)
			assert_int_equal(ref.csum, f->want_csum[lba]);
	}
	g.missing = f->map.root.pba;
	assert_int_equal(triad_map_find(&f->geo, &f->map.root, 5, get, &g, &spot, &missing),
			 -EAGAIN);
	assert_int_equal(missing.pba, f->map.root.pba);
}

/* The lists hold so many blocks and do not grow: at every length somewhere. */
static void a_list_that_cannot_grow_is_an_error(void **state)
{
	struct fixture *f = *state;
	u32 max;
	int r = -ENOMEM;

	build(f);
	triad_index_reset(f->index);
	do_discard(f, 0, 256);
	random_interval(f, 30, 1024);
	for (max = 1; r; max++) {
		triad_list_free(&f->adds);
		triad_list_free(&f->frees);
		assert_int_equal(triad_list_reserve(&f->adds, 4 * max), 0);
		assert_int_equal(triad_list_reserve(&f->frees, max), 0);
		test_alloc.nr = 0;
		test_alloc.fail_at = 1;
		test_alloc.forever = true;
		r = apply(f);
		test_alloc.fail_at = 0;
		test_alloc.forever = false;
		assert_true(!r || r == -ENOMEM);
		memset(f->log, 0, sizeof(f->log));
	}
	assert_true(max > 3);
	for (max = 1, r = -ENOMEM; r; max++) {
		triad_list_free(&f->adds);
		assert_int_equal(triad_list_reserve(&f->adds, max), 0);
		test_alloc.nr = 0;
		test_alloc.fail_at = 1;
		r = apply(f);
		test_alloc.fail_at = 0;
		memset(f->log, 0, sizeof(f->log));
	}
	assert_true(max > 3);
	/* the nodes on the way and the piece, and last what is pending */
	triad_index_reset(f->index);
	do_write(f, 5);
	assert_int_equal(apply(f), 0);
	account(f);
	do_write(f, 5);
	for (max = 1, r = -ENOMEM; r; max++) {
		triad_list_free(&f->frees);
		assert_int_equal(triad_list_reserve(&f->frees, max), 0);
		test_alloc.nr = 0;
		test_alloc.fail_at = 1;
		r = apply(f);
		test_alloc.fail_at = 0;
		memset(f->log, 0, sizeof(f->log));
	}
	assert_int_equal(max, f->geo.map_depth + 2);
}

static void every_failure_is_passed_on(void **state)
{
	struct fixture *f = *state;
	u32 at;
	int r = -EIO;

	build(f);
	random_interval(f, 200, LBAS);
	for (at = 1; r; at++) {
		f->disk.nr_reads = 0;
		f->disk.fault = (struct disk_fault){ FAULT_READ, at, false, -EIO };
		r = apply(f);
		assert_true(!r || r == -EIO);
	}
	assert_true(at > 10);
	memset(&f->disk.fault, 0, sizeof(f->disk.fault));
	triad_list_free(&f->adds);
	triad_list_free(&f->frees);
	test_alloc.nr = 0;
	test_alloc.fail_at = 1;
	assert_int_equal(apply(f), -ENOMEM);
	test_alloc.nr = 0;
	assert_int_equal(triad_map_walk(&f->map, error_visit, NULL), -ENOMEM);
	test_alloc.fail_at = 0;
}

/* Nodes for a lookup in one buffer; none with a birth below a limit. */
struct nodes {
	struct fixture *f;
	struct triad_node_disk node;
	u32 missing_below;
};

static const struct triad_node_disk *get_one(void *context, const struct triad_ref *ref)
{
	struct nodes *n = context;

	return ref->birth < n->missing_below ||
	       triad_map_read_node(&n->f->map, ref, &n->node) ? NULL : &n->node;
}

/* Leaves that lie wholly in a range and hold something. */
static u32 count_leaves(const struct fixture *f, u32 lba, u32 nr)
{
	u32 at, i, leaves = 0;

	for (at = (lba + 255) & ~0xffu; at < lba + nr; at += 256) {
		bool any = false;

		if (at + 256 > lba + nr)
			break;
		for (i = at; i < at + 256; i++)
			any |= f->want[i] != 0;
		leaves += any;
	}
	return leaves;
}

static void what_a_discard_would_give_back_equals_a_plain_array(void **state)
{
	static struct nodes n;
	struct fixture *f = *state;
	struct triad_ref missing;
	u32 round, i, lba, nr, at, covered, leaves, nr_holes = 0, nr_missing = 0;

	n.f = f;
	for (round = 0; round < 60; round++) {
		random_interval(f, rng_below(&f->rng, 20), LBAS);
		if (round % 10 == 9)
			do_discard(f, 0, LBAS);
		assert_int_equal(apply(f), 0);
		account(f);
		for (i = 0; i < 200; i++) {
			bool any = false;
			int r;

			lba = rng_below(&f->rng, LBAS);
			nr = 1 + rng_below(&f->rng, rng_percent(&f->rng, 30) ? LBAS : 600);
			lba &= rng_percent(&f->rng, 30) ? ~0xffffu : ~0u;
			nr = min_t(u32, nr, LBAS - lba);
			for (at = lba; at < lba + nr; at++)
				any |= f->want[at] != 0;
			n.missing_below = 0;
			r = triad_map_is_hole(&f->geo, &f->map.root, lba, nr, get_one, &n,
					      &missing);
			/* a leaf whose blocks are all shadowed by holes is not looked into */
			assert_true(r == !any || (!r && !any));
			leaves = triad_map_leaves(&f->geo, &f->map.root, lba, nr, get_one, &n);
			assert_true(leaves >= count_leaves(f, lba, nr));
			nr_holes += r;

			/* without a node it is never called a hole, nor its leaves fewer */
			n.missing_below = f->birth;
			r = triad_map_is_hole(&f->geo, &f->map.root, lba, nr, get_one, &n,
					      &missing);
			assert_true(r == -EAGAIN || r == 0 || !any);
			if (r == -EAGAIN) {
				nr_missing++;
				assert_true(missing.pba && missing.birth < f->birth);
			}
			assert_true(triad_map_leaves(&f->geo, &f->map.root, lba, nr, get_one,
						     &n) >= leaves);
			triad_index_discard_cost(&f->geo, lba, nr, &covered);
			n.missing_below = ~0u;
			assert_int_equal(triad_map_is_hole(&f->geo, &f->map.root, lba, nr,
							   get_one, &n, &missing),
					 f->map.root.pba ? -EAGAIN : 1);
			assert_int_equal(triad_map_leaves(&f->geo, &f->map.root, lba, nr,
							  get_one, &n),
					 f->map.root.pba ? covered : 0);
		}
	}
	assert_true(nr_holes > 100 && nr_missing > 100);
}

/* What points nowhere may hide anything: it is no hole, and its leaves are all there. */
static void an_impossible_entry_is_no_hole(void **state)
{
	static struct nodes n;
	struct fixture *f = *state;
	struct triad_node_disk *node = &n.node;
	struct triad_ref ref = { .pba = TRIAD_FIRST_ZONE + 100, .birth = 1 }, missing;

	n.f = f;
	memset(node, 0, sizeof(*node));
	node->entry[0].pba_flags = cpu_to_le64(1);
	assert_int_equal(f->disk.store.ops->write(&f->disk.store, ref.pba, 1, node), 0);
	ref.csum = triad_checksum(0, node);
	assert_int_equal(triad_map_is_hole(&f->geo, &ref, 0, 65536, get_one, &n, &missing),
			 -EUCLEAN);
	assert_int_equal(triad_map_leaves(&f->geo, &ref, 0, 65536, get_one, &n), 256);
	assert_int_equal(triad_map_is_hole(&f->geo, &ref, 65536, 4096, get_one, &n, &missing), 1);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(random_intervals_equal_a_plain_array),
		T(discarding_all_leaves_no_map),
		T(an_empty_interval_changes_nothing),
		T(what_a_commit_takes_and_gives_back_is_bounded),
		T(what_nobody_pays_for_stays_pending),
		T(what_is_written_behind_a_large_discard_counts),
		T(too_few_nodes_are_an_error),
		T(a_corrupted_node_is_an_error_not_a_map),
		T(nodes_come_from_the_cache_if_it_has_them),
		T(a_list_that_is_long_enough_stays_where_it_is),
		T(impossible_entries_are_refused),
		T(every_address_of_an_entry_is_bounded),
		T(entries_behind_the_end_are_refused),
		T(a_map_that_points_at_itself_ends),
		T(a_lookup_finds_what_was_written_or_says_what_is_missing),
		T(what_a_discard_would_give_back_equals_a_plain_array),
		T(an_impossible_entry_is_no_hole),
		T(a_list_that_cannot_grow_is_an_error),
		T(every_failure_is_passed_on),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
