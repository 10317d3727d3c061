// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "check.h"
#include "disk.h"
#include "recover.h"

#define MAX_MAPS	8u

static char problem[160];

static const char *say(const char *format, long long a)
{
	snprintf(problem, sizeof(problem), format, a);
	return problem;
}

/*
 * Maps are walked once: what a root reaches never changes while the root is in use.  A walk
 * is believed again only if every block it went through, nodes and data, is the same.
 */
struct block {
	u32 pba, id;
};

struct map {
	struct triad_ref root;
	struct block *blocks;
	u32 nr, max;
	u32 *content;		/* by touched LBA */
	u64 hash;
	/* while it is walked */
	struct triad_core *core;
	const struct image *image;
	const struct order *order;
	const char *what;
};

static struct map maps[MAX_MAPS];

static bool read_data(const struct triad_core *core, const struct image *image, u64 pba,
		      u32 csum, u32 *id)
{
	*id = image->ids[pba];
	return content_checksum(*id, core->root.checksum_kind) == csum;
}

static const char *add_data(struct map *map, u64 lba, const struct triad_ref *ref)
{
	u32 id, csum, nr = map->order->touched_of[lba];
	u64 pba;

	if (!read_data(map->core, map->image, ref->pba, ref->csum, &id)) {
		/* if the log has something newer it does not matter, but this walk is not kept */
		map->root.pba = 0;
		if (!triad_index_lookup(map->core->active, lba, &pba, &csum))
			return say("LBA %lld of the map does not match its checksum", lba);
		id = 0;
	}
	if (!nr)
		return id ? say("LBA %lld holds data, but was never written", lba) : NULL;
	map->hash += content_hash(lba, id) - content_hash(lba, map->content[nr - 1]);
	map->content[nr - 1] = id;
	return NULL;
}

static int visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct map *map = context;

	(void)nr;
	if (error) {
		map->what = say("the map cannot be read: %lld", error);
		return error;
	}
	if (map->nr == map->max) {
		map->max = map->max ? 2 * map->max : 1024;
		map->blocks = realloc(map->blocks, map->max * sizeof(*map->blocks));
		assert(map->blocks);
	}
	map->blocks[map->nr++] = (struct block){ ref->pba, map->image->ids[ref->pba] };
	if (level == TRIAD_VISIT_DATA)
		map->what = add_data(map, lba, ref);
	return map->what ? -EIO : 0;
}

static bool is_same(const struct map *map, const struct triad_ref *root,
		    const struct image *image)
{
	u32 i;

	if (!map->root.pba || map->root.pba != root->pba || map->root.csum != root->csum ||
	    map->root.birth != root->birth)
		return false;
	for (i = 0; i < map->nr; i++)
		if (image->ids[map->blocks[i].pba] != map->blocks[i].id)
			return false;
	return true;
}

static const char *walk(struct triad_core *core, const struct image *image,
			const struct order *order, const struct map **result)
{
	static u32 turn;
	struct map *map;
	u32 i;

	for (i = 0; i < MAX_MAPS; i++)
		if (is_same(&maps[i], &core->root.map, image)) {
			*result = &maps[i];
			return NULL;
		}
	*result = map = &maps[turn++ % MAX_MAPS];
	map->root = core->root.map;
	map->core = core;
	map->image = image;
	map->order = order;
	map->what = NULL;
	map->nr = 0;
	map->hash = 0;
	if (!map->content)
		map->content = malloc((order->nr_touched + 1) * sizeof(*map->content));
	assert(map->content);
	memset(map->content, 0, order->nr_touched * sizeof(*map->content));
	triad_map_walk(&core->space.map, visit, map);
	if (map->what)
		map->root.pba = 0;
	return map->what;
}

/* One LBA as the log has it, if it has it. */
static const char *read_log(struct triad_core *core, const struct image *image,
			    const struct order *order, u64 lba, struct recovered *found)
{
	u32 csum, id = 0, nr = order->touched_of[lba];
	u64 pba;

	if (!triad_index_lookup(core->active, lba, &pba, &csum))
		return NULL;
	if (pba && !read_data(core, image, pba, csum, &id))
		return say("LBA %lld of the log does not match its checksum", lba);
	if (!nr)
		return id ? say("LBA %lld of the log was never written", lba) : NULL;
	found->hash += content_hash(lba, id) - content_hash(lba, found->content[nr - 1]);
	found->content[nr - 1] = id;
	return NULL;
}

static const char *read_content(struct triad_core *core, const struct image *image,
				const struct order *order, struct recovered *found)
{
	const struct map *map;
	const char *what = walk(core, image, order, &map);
	bool ranges = false;
	u32 i;

	if (what)
		return what;
	memcpy(found->content, map->content, order->nr_touched * sizeof(*found->content));
	found->hash = map->hash;
	for (i = 0; i < core->active->nr && !what; i++) {
		ranges |= triad_index_level(&core->active->entries[i]);
		what = read_log(core, image, order, triad_index_lba(&core->active->entries[i]),
				found);
	}
	for (i = 0; ranges && i < order->nr_touched && !what; i++)
		what = read_log(core, image, order, order->touched[i], found);
	return what;
}

static const char *open_core(struct triad_core *core, struct image *image)
{
	int r;

	memset(core, 0, sizeof(*core));
	core->store = &image->store;
	r = triad_core_open(core, image->nr_blocks);
	if (!r)
		return NULL;
	return core->choice.why ? core->choice.why : say("it does not open: %lld", r);
}

const char *recover(struct image *image, const struct order *order, struct recovered *found)
{
	struct triad_core core;
	const char *what = open_core(&core, image);

	if (what)
		return what;
	found->degraded = core.degraded;
	found->nr_records = core.replayed_records;
	what = read_content(&core, image, order, found);
	triad_core_close(&core);
	return what;
}

const char *recover_twice(struct image *image, const struct order *order,
			  struct recovered *found)
{
	struct triad_core core;
	const char *what = open_core(&core, image);
	int r;

	if (what)
		return what;
	r = triad_core_heal(&core);
	if (!r)
		r = triad_log_start(&core);
	if (!r)
		r = triad_commit_alone(&core, true);
	triad_core_close(&core);
	if (r)
		return say("it cannot be written: %lld", r);
	what = recover(image, order, found);
	return what || !found->degraded ? what : "it is degraded after a commit";
}

const char *recover_check(struct image *image)
{
	struct disk disk = { .view = image->ids };
	struct triad_core core;
	const char *what;

	assert(image->nr_blocks <= DISK_MAX_BLOCKS);
	disk_blocks = image->nr_blocks;
	what = open_core(&core, image);
	if (what)
		return what;
	what = check_structure(&core, &disk, !core.degraded, true);
	triad_core_close(&core);
	return what;
}
