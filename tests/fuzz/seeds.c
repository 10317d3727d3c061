// SPDX-License-Identifier: GPL-2.0-or-later
#include "seeds.h"

#include "env.h"
#include "record.h"
#include "repair.h"
#include "use.h"

/* What makes images differ in which code reads them. */
static const struct {
	u64 device_blocks;
	u32 zone_blocks;
	u8 checksum_kind;
	u32 nr_commits;
	u32 nr_records;		/* behind the last commit */
	bool clean;
	int lost_root;		/* how many generations old; -1: none */
	u32 nr_spread;		/* leaves that get few blocks each, in two commits: pending */
	u32 nr_each;
} seeds[NR_SEEDS] = {
	{ 16384, 1536, 0, 3, 4, false, -1, 0, 0 },
	{ 16384, 1320, 1, 4, 2, false, -1, 0, 0 },
	{ 16384, 32256, 0, 2, 3, false, -1, 0, 0 },
	{ 16384, 1536, 0, 0, 0, false, -1, 0, 0 },
	{ 16384, 1536, 0, 4, 0, true, -1, 0, 0 },
	{ 16384, 1536, 0, 3, 3, false, 0, 0, 0 },
	{ 16384, 1536, 0, 3, 3, false, 1, 0, 0 },
	{ 16384, 1536, 0, 3, 3, false, 2, 0, 0 },
	{ 20000, 1520, 0, 5, 6, false, -1, 0, 0 },
	{ 131072, 32256, 0, 2, 3, false, -1, 0, 0 },
	{ 1u << 20, 1320, 1, 2, 2, false, -1, 0, 0 },
	{ 1ull << 32, 32256, 0, 2, 3, false, -1, 0, 0 },
	{ 16384, 1536, 0, 1, 3, false, -1, 24, 1 },
	{ 16384, 1536, 1, 1, 2, false, 0, 20, 1 },
	{ 16384, 1320, 0, 1, 2, false, 1, 20, 1 },
	{ 16384, 1536, 0, 1, 0, true, -1, 42, 7 },
	{ 131072, 1536, 0, 1, 3, false, -1, 40, 1 },
	{ 1ull << 32, 32256, 0, 1, 2, false, 2, 30, 1 },
};

static void must(int r)
{
	assert(!r);
}

static void format(struct image *image, u32 nr)
{
	struct triad_root root = { .checksum_kind = seeds[nr].checksum_kind };
	struct triad_hash *hash;
	struct triad_geometry geo;
	const char *why;

	image_clear(image);
	image->device_blocks = seeds[nr].device_blocks;
	must(triad_geometry_init(&geo, image->device_blocks, 0, seeds[nr].zone_blocks, 32, 1536,
				 &why));
	strcpy(root.hash, "sha256");
	triad_random(root.uuid, sizeof(root.uuid));
	hash = triad_hash_create(root.hash, NULL, 0, &why);
	must(triad_core_format(&image->store, hash, &root, &geo));
	triad_hash_destroy(hash);
}

static void add_records(struct use *use, u32 nr)
{
	u64 last = use->logical_blocks - 1;

	for (; nr; nr--) {
		must(use_write(use, rng_below(&fuzz_random, 300), rng_between(&fuzz_random, 1, 6),
			       nr << 20));
		if (nr % 3 == 0)
			must(use_write(use, last, 1, nr << 20));
		if (nr % 4 == 2)
			must(use_discard(use, 256 * (nr % 2), 270));
	}
}

/* Some blocks of each leaf in turn, then the half of them anew, and a discard over some. */
static void spread(struct use *use, u32 nr, u32 nr_each)
{
	u64 at, step = TRIAD_FANOUT + 1;
	u32 i;

	for (i = 0; i < nr; i++) {
		at = i * step % use->logical_blocks;
		must(use_write(use, at, nr_each, i << 20));
	}
	must(triad_commit_alone(&use->core, false));
	for (i = 0; i < nr; i += 2)
		must(use_write(use, i * step % use->logical_blocks, 1, ~(u64)i << 20));
	must(use_discard(use, 4 * TRIAD_FANOUT, TRIAD_FANOUT + 300));
	must(triad_commit_alone(&use->core, false));
}

void seed_make(struct image *image, u32 nr)
{
	struct use use;
	u32 i;
	int c;

	fuzz_random.state = nr;
	format(image, nr);
	must(use_open(&use, image, true));
	for (i = 0; i < seeds[nr].nr_commits; i++) {
		add_records(&use, 2);
		must(triad_commit_alone(&use.core, false));
	}
	if (seeds[nr].nr_spread)
		spread(&use, seeds[nr].nr_spread, seeds[nr].nr_each);
	add_records(&use, seeds[nr].nr_records);
	if (seeds[nr].clean)
		must(triad_commit_alone(&use.core, true));
	c = use.core.slot_c;
	if (seeds[nr].lost_root == 1)
		c = use.core.slot_b;
	if (seeds[nr].lost_root == 2)
		c = use.core.slot_a;
	use_close(&use);
	if (seeds[nr].lost_root >= 0)
		image_drop(image, TRIAD_SLOT_PBA(c));
}

/* ---- forged ------------------------------------------------------------------ */

static struct triad_root_disk *newest(struct image *image)
{
	struct triad_root_disk *best = NULL;
	u32 slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		struct triad_root_disk *d = (void *)image_get(image, TRIAD_SLOT_PBA(slot))->data;

		if (!best || le64_to_cpu(d->generation) > le64_to_cpu(best->generation))
			best = d;
	}
	return best;
}

/* The log of a huge device names all of its many zones again and again. */
static void forge_intents(struct image *image)
{
	struct triad_root_disk *c;
	struct triad_geometry geo;
	u64 place;
	u32 i, j;

	image_clear(image);
	seed_make(image, 11);
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		c = (void *)image_get(image, TRIAD_SLOT_PBA(i))->data;
		c->zone_blocks = cpu_to_le32(1320);
		c->logical_blocks = cpu_to_le64(1ull << 31);
		c->hwm_zones = c->map.pba_flags = c->used = c->pending = 0;
	}
	c = newest(image);
	assert(repair_geometry(image, &geo));
	place = triad_zone_start(&geo, 100) + 100;
	c->next = cpu_to_le64(place);
	for (i = 0; i < 3; i++, place++) {
		struct triad_record_disk *d = (void *)image_get(image, place)->data;
		__le64 *word = (__le64 *)d->body;

		d->magic = cpu_to_le64(TRIAD_RECORD_MAGIC);
		d->flags = cpu_to_le16(TRIAD_RECORD_INTENT);
		d->nr_extents = cpu_to_le16(TRIAD_RECORD_MAX_RANGES);
		d->next = cpu_to_le64(place + 1);
		for (j = 0; j < TRIAD_RECORD_MAX_RANGES; j++) {
			*word++ = cpu_to_le64(j);
			*word++ = cpu_to_le64(geo.nr_zones - j);
		}
	}
	repair(image, REPAIR_ALL);
}

/* Every entry of a node leads to the same node: 2^32 ways down. */
static void forge_braid(struct image *image)
{
	struct triad_plane_disk *plane;
	struct triad_root_disk *c;
	struct triad_geometry geo;
	u64 place;
	u32 level, i;

	image_clear(image);
	seed_make(image, 11);
	assert(repair_geometry(image, &geo));
	place = triad_zone_start(&geo, 0) + 5000;
	c = newest(image);
	c->map.pba_flags = cpu_to_le64(place);
	for (level = 0; level < geo.map_depth; level++, place++) {
		struct triad_node_disk *node = (void *)image_get(image, place)->data;

		for (i = 0; i < TRIAD_FANOUT; i++)
			node->entry[i].pba_flags = cpu_to_le64(place + 1);
	}
	/* enough blocks in use for a commit to free the same few again and again */
	plane = (void *)image_get(image, triad_plane_pba(&geo, 0, c->slot))->data;
	memset(plane->bits + 64, 0xff, 512);
	repair(image, REPAIR_ALL);
	/* without a plane the map must tell what is in use */
	memset(plane, 0, sizeof(*plane));
}

const char *seed_forge(struct image *image, u32 nr)
{
	if (!nr) {
		forge_intents(image);
		return "intents";
	}
	forge_braid(image);
	return "braid";
}
