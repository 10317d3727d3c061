// SPDX-License-Identifier: GPL-2.0-only
#include "seeds.h"

#include "env.h"
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
} seeds[NR_SEEDS] = {
	{ 16384, 1536, 0, 3, 4, false, -1 },
	{ 16384, 1320, 1, 4, 2, false, -1 },
	{ 16384, 32256, 0, 2, 3, false, -1 },
	{ 16384, 1536, 0, 0, 0, false, -1 },
	{ 16384, 1536, 0, 4, 0, true, -1 },
	{ 16384, 1536, 0, 3, 3, false, 0 },
	{ 16384, 1536, 0, 3, 3, false, 1 },
	{ 16384, 1536, 0, 3, 3, false, 2 },
	{ 20000, 1520, 0, 5, 6, false, -1 },
	{ 131072, 32256, 0, 2, 3, false, -1 },
	{ 1u << 20, 1320, 1, 2, 2, false, -1 },
	{ 1ull << 32, 32256, 0, 2, 3, false, -1 },
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
		must(triad_commit_run(&use.core, false));
	}
	add_records(&use, seeds[nr].nr_records);
	if (seeds[nr].clean)
		must(triad_commit_run(&use.core, true));
	c = use.core.slot_c;
	if (seeds[nr].lost_root == 1)
		c = use.core.slot_b;
	if (seeds[nr].lost_root == 2)
		c = use.core.slot_a;
	use_close(&use);
	if (seeds[nr].lost_root >= 0)
		image_drop(image, TRIAD_SLOT_PBA(c));
}
