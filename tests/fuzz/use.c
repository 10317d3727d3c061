// SPDX-License-Identifier: GPL-2.0-or-later
#include "use.h"

#include "env.h"

/* ---- open ------------------------------------------------------------------ */

static int make_hash(struct use *use)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	const struct triad_root *root;
	const char *why;
	int first, r;

	r = triad_core_probe(slots, &use->image->store, &first);
	if (r)
		return r;
	root = &slots[first].root;
	use->logical_blocks = root->logical_blocks;
	if (root->root_layout != TRIAD_ROOTS_INSIDE)
		return -EINVAL;
	memcpy(use->hash_name, root->hash, sizeof(use->hash_name));
	use->hash = triad_hash_create(root->hash, NULL, 0, &why);
	return use->hash ? 0 : -ENOENT;
}

static int begin(struct use *use, struct image *image)
{
	int r;

	memset(use, 0, sizeof(*use));
	use->image = image;
	image->read_only = true;
	r = make_hash(use);
	use->core.store = &image->store;
	use->core.hash = use->hash;
	return r;
}

int use_open_backup(struct use *use, struct image *image)
{
	int r = begin(use, image);

	if (!r)
		r = triad_core_open_backup(&use->core, image->device_blocks);
	if (r)
		use_close(use);
	return r;
}

int use_open_at(struct use *use, struct image *image, int slot)
{
	int r = begin(use, image);

	if (!r)
		r = triad_core_open_at(&use->core, image->device_blocks, slot, true);
	if (r)
		use_close(use);
	return r;
}

int use_open(struct use *use, struct image *image, bool heal)
{
	struct triad_core *core = &use->core;
	int r = begin(use, image);

	if (r)
		return r;
	r = triad_core_open(core, image->device_blocks);
	/* the module compares sectors: of a root that is not c, any number is possible */
	if (!r && (core->root.logical_blocks * TRIAD_SECTORS_PER_BLOCK !=
		   use->logical_blocks * TRIAD_SECTORS_PER_BLOCK ||
		   strcmp(core->root.hash, use->hash_name))) {
		triad_core_close(core);
		r = -ESTALE;
	}
	image->read_only = !heal;
	if (!r && heal && !triad_core_must_not_write(core))
		r = triad_core_heal(core);
	if (r)
		use_close(use);
	return r;
}

void use_close(struct use *use)
{
	triad_core_close(&use->core);
	triad_hash_destroy(use->hash);
	use->hash = NULL;
}

/* ---- read -------------------------------------------------------------------- */

struct reader {
	struct use *use;
	u32 left;
	struct triad_node_disk node;	/* of the way down to a leaf */
};

static const struct triad_node_disk *get_node(void *context, const struct triad_ref *ref)
{
	struct reader *reader = context;

	return triad_map_read_node(&reader->use->core.space.map, ref, &reader->node) ?
		NULL : &reader->node;
}

static void read_data(struct use *use, u64 pba, u32 csum)
{
	struct triad_store *store = &use->image->store;
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));

	if (!store->ops->read(store, pba, 1, block) &&
	    triad_checksum(use->core.root.checksum_kind, block) == csum)
		use->nr_read++;
}

/* The walk's own idea of where a block is must be the lookup's. */
static int visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct reader *reader = context;
	struct triad_core *core = &reader->use->core;
	struct triad_ref missing, found;
	struct triad_spot spot;

	(void)nr;
	if (!reader->left--)
		return -ECANCELED;
	if (level != TRIAD_VISIT_DATA || error)
		return 0;
	if (!triad_map_find(&core->geo, &core->space.map.root, lba, get_node, reader, &spot,
			    &missing) &&
	    !triad_map_look(&core->geo, &spot, lba, get_node, reader, &found, &missing))
		assert(found.pba == ref->pba && found.csum == ref->csum);
	read_data(reader->use, ref->pba, ref->csum);
	return 0;
}

void use_read(struct use *use, u32 max)
{
	struct reader reader = { .use = use, .left = max };
	const struct triad_index *index = use->core.active;
	u32 i, csum;
	u64 pba;

	triad_map_walk(&use->core.space.map, visit, &reader);
	for (i = 0; i < index->nr && i < max; i++)
		if (triad_index_lookup(index, triad_index_lba(&index->entries[i]), &pba, &csum) &&
		    pba)
			read_data(use, pba, csum);
}

/* ---- write ------------------------------------------------------------------- */

static int have_room(struct triad_core *core, u32 nr_blocks, u32 nr_entries, u32 nr_leaves)
{
	int i, r;

	for (i = 0; !triad_log_room(core, nr_blocks, nr_entries, nr_leaves); i++) {
		if (i == 4)
			return -ENOSPC;
		r = triad_commit_alone(core, false);
		if (r)
			return r;
	}
	return triad_log_start(core);
}

static int finish(struct use *use, struct triad_record *rec)
{
	struct triad_store *store = &use->image->store;
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	int r;

	r = triad_log_seal(&use->core, rec, block);
	if (!r)
		r = store->ops->write(store, rec->place, 1, block);
	if (!r)
		r = store->ops->flush(store);
	if (!r)
		r = triad_log_publish(&use->core, rec, 0);
	if (!r)
		triad_order_flush_end(&use->core.order, rec->seq, 0);
	return r;
}

int use_write(struct use *use, u64 lba, u32 nr, u64 stamp)
{
	struct triad_store *store = &use->image->store;
	struct triad_record *rec = &use->core.record;
	__le64 block[TRIAD_BLOCK_SIZE / 8] = { 0 };
	u32 i, j, n = 0;
	int r;

	r = have_room(&use->core, nr, nr, 0);
	if (r)
		return r;
	triad_log_begin(&use->core, rec, 0);
	r = triad_log_write(&use->core, rec, lba, nr);
	for (i = 0; i < rec->nr_runs && !r; i++) {
		for (j = 0; j < rec->runs[i].nr && !r; j++) {
			/* a few bytes, so that an image stays small */
			block[0] = cpu_to_le64(stamp + lba + n);
			rec->csums[n++] = triad_checksum(use->core.root.checksum_kind, block);
			r = store->ops->write(store, rec->runs[i].start + j, 1, block);
		}
	}
	return r ? r : finish(use, rec);
}

int use_discard(struct use *use, u64 lba, u64 nr)
{
	struct triad_record *rec = &use->core.record;
	u32 leaves, entries = triad_index_discard_cost(&use->core.geo, lba, nr, &leaves);
	int r = have_room(&use->core, 0, entries, leaves);

	if (r)
		return r;
	triad_log_begin(&use->core, rec, TRIAD_RECORD_DISCARD);
	triad_log_discard(&use->core, rec, lba, nr, leaves);
	return finish(use, rec);
}
