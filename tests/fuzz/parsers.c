// SPDX-License-Identifier: GPL-2.0-or-later
#include "parsers.h"

#include "env.h"
#include "params.h"
#include "record.h"
#include "root.h"
#include "space.h"

static struct triad_geometry geometry(void)
{
	struct triad_geometry geo;
	const char *why;
	int r = triad_geometry_init(&geo, TRIAD_MIN_BLOCKS, 0, 1536, 32, 1536, &why);

	assert(!r);
	return geo;
}

/* A block that begins with the bytes. */
static void *block_of(const u8 *bytes, size_t size)
{
	static u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));

	memset(block, 0, sizeof(block));
	memcpy(block, bytes, min_t(size_t, size, sizeof(block)));
	return block;
}

void parse_root(const u8 *bytes, size_t size)
{
	struct triad_root_disk *d = block_of(bytes, size);
	u8 again[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	struct triad_slot slot, same;
	unsigned int nr = d->slot % TRIAD_NR_SLOTS;

	if (d->reserved0 & 1)
		d->magic = cpu_to_le64(TRIAD_ROOT_MAGIC);
	if (d->reserved0 & 2)
		d->crc = cpu_to_le32(triad_crc32c(d, offsetof(struct triad_root_disk, crc)));
	triad_root_decode(&slot, nr, d);
	assert(triad_slot_state_name(slot.state));
	assert((slot.state == TRIAD_SLOT_VALID) == !slot.reason);
	if (slot.state != TRIAD_SLOT_VALID)
		return;
	assert(!triad_root_seal(&slot.root, fuzz_hash(), again));
	triad_root_decode(&same, nr, again);
	assert(!triad_root_verify(&same, fuzz_hash(), again));
	assert(same.state == TRIAD_SLOT_VALID);
	assert(!memcmp(&same.root, &slot.root, sizeof(same.root)));
}

static void check_record(const struct triad_record *rec, const struct triad_geometry *geo)
{
	u64 nr = 0;
	u32 i;

	assert(triad_geometry_valid_pba(geo, rec->next) && rec->durable < rec->seq);
	assert(rec->nr_extents <= TRIAD_RECORD_MAX_BLOCKS);
	if (rec->flags & TRIAD_RECORD_RANGES)
		return;
	for (i = 0; i < rec->nr_extents; i++) {
		nr += rec->extents[i].nr;
		assert(rec->extents[i].start + rec->extents[i].nr <= geo->logical_blocks);
	}
	assert(nr == rec->nr_blocks && nr <= TRIAD_RECORD_MAX_BLOCKS);
	for (i = 0; i < rec->nr_runs; i++) {
		nr -= rec->runs[i].nr;
		assert(triad_geometry_valid_run(geo, rec->runs[i].start, rec->runs[i].nr));
	}
	assert(!nr);
}

void parse_record(const u8 *bytes, size_t size)
{
	struct triad_record_disk *d = block_of(bytes, size);
	u8 again[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u8 uuid[TRIAD_UUID_SIZE], chain[TRIAD_HASH_SIZE], first[TRIAD_HASH_SIZE];
	static struct triad_record rec, same;
	struct triad_geometry geo = geometry();
	u64 seq = le64_to_cpu(d->seq);
	int r;

	d->magic = cpu_to_le64(TRIAD_RECORD_MAGIC);
	d->crc = 0;
	d->crc = cpu_to_le32(triad_crc32c(d, sizeof(*d)));
	memcpy(uuid, d->uuid, sizeof(uuid));
	memcpy(first, d->chain, sizeof(first));
	memcpy(chain, first, sizeof(chain));
	r = triad_record_decode(&rec, &geo, fuzz_hash(), uuid, TRIAD_FIRST_ZONE + 256, seq, chain, d);
	assert(!r || r == -EUCLEAN);
	if (r)
		return;
	check_record(&rec, &geo);
	memcpy(chain, first, sizeof(chain));
	assert(!triad_record_seal(&rec, fuzz_hash(), uuid, chain, again));
	r = triad_record_decode(&same, &geo, fuzz_hash(), uuid, rec.place, seq, first, again);
	assert(!r && !memcmp(chain, first, sizeof(chain)));
	assert(same.nr_extents == rec.nr_extents && same.nr_runs == rec.nr_runs &&
	       same.nr_blocks == rec.nr_blocks && same.flags == rec.flags &&
	       same.next == rec.next && same.durable == rec.durable);
	assert(!memcmp(same.extents, rec.extents, rec.nr_extents * sizeof(rec.extents[0])));
	assert(!memcmp(same.runs, rec.runs, rec.nr_runs * sizeof(rec.runs[0])));
	assert(!memcmp(same.csums, rec.csums, rec.nr_blocks * sizeof(rec.csums[0])));
}

/* Every node is this one. */
static const struct triad_node_disk *get_same(void *context, const struct triad_ref *ref)
{
	(void)ref;
	return context;
}

void parse_node(const u8 *bytes, size_t size)
{
	const struct triad_node_disk *node = block_of(bytes, size);
	struct triad_geometry geo = geometry();
	struct triad_ref ref, missing, root = { .pba = TRIAD_FIRST_ZONE + 256 };
	struct triad_pieces pieces;
	u64 lba;
	u32 i;

	if (!triad_map_pieces(&geo, node, &pieces))
		for (i = 0; i < pieces.nr; i++)
			assert(triad_geometry_valid_pba(&geo, pieces.piece[i].ref.pba));
	for (i = 0; i < TRIAD_FANOUT; i++)
		if (!triad_map_entry(&geo, node, 1, i, &ref) && ref.pba)
			assert(triad_geometry_valid_pba(&geo, ref.pba));
	for (lba = 0; lba < geo.logical_blocks; lba += TRIAD_FANOUT) {
		struct triad_spot spot;
		int r = triad_map_find(&geo, &root, lba, get_same, (void *)node, &spot, &missing);

		if (!r)
			r = triad_map_look(&geo, &spot, lba + 3, get_same, (void *)node, &ref,
					   &missing);
		assert(!r || r == -EUCLEAN);
		assert(r || !ref.pba || triad_geometry_valid_pba(&geo, ref.pba));
	}
}

/* The same bytes as plane and as summary of zone 0 in slot 1. */
void parse_space(struct image *image, const u8 *bytes, size_t size)
{
	struct triad_space_header_disk *head = block_of(bytes, size);
	static u8 bits[TRIAD_PLANE_BITS / 8];
	static struct triad_plane_disk buffer;
	struct triad_geometry geo = geometry();
	struct triad_root root = { .slot = 1, .hwm_zones = 1 };
	struct triad_space space;
	u64 pba = triad_plane_pba(&geo, 0, 1);
	int r;

	image_clear(image);
	image->device_blocks = geo.device_blocks;
	head->crc = 0;
	head->crc = cpu_to_le32(triad_crc32c(head, TRIAD_BLOCK_SIZE));
	memcpy(image_get(image, pba)->data, head, TRIAD_BLOCK_SIZE);
	memcpy(image_get(image, triad_summary_pba(&geo, 0, 1))->data, head, TRIAD_BLOCK_SIZE);
	assert(!triad_space_init(&space, &geo, &image->store));
	space.hash = fuzz_hash();
	memcpy(space.uuid, head->uuid, sizeof(space.uuid));
	r = triad_space_read_plane(&space, 0, 1, 1, head->reserved[0], bits, &buffer);
	assert(!r || r == -EBADMSG);
	r = triad_space_load_summary(&space, &root);
	assert(r == -EBADMSG);
	triad_space_sum(&space, space.zones, 1, root.summary_sum);
	r = triad_space_load_summary(&space, &root);
	assert(!r || r == -EBADMSG);
	if (!r)
		assert(space.zones[0].used + space.zones[0].pending <=
		       triad_zone_usable(&geo, 0));
	triad_space_free(&space);
}

void parse_params(const u8 *bytes, size_t size)
{
	struct triad_params params;
	const char *error = NULL;
	char text[512], *argv[24], *p;
	unsigned int argc = 0;

	size = min_t(size_t, size, sizeof(text) - 1);
	memcpy(text, bytes, size);
	text[size] = 0;
	for (p = strtok(text, " "); p && argc < 24; p = strtok(NULL, " "))
		argv[argc++] = p;
	if (triad_params_parse(&params, argc, argv, &error)) {
		assert(error);
		return;
	}
	assert(!error && params.device == argv[0]);
	assert(params.interval_ms >= 10 && params.interval_ms <= 86400000);
	assert(params.cache_blocks >= 64 && params.cache_blocks <= TRIAD_MAX_CACHE_BLOCKS);
	assert(params.nr_root_dev == 0 || params.nr_root_dev == 1 || params.nr_root_dev == 3);
}
