// SPDX-License-Identifier: GPL-2.0-or-later
#include "repair.h"

#include "env.h"
#include "record.h"
#include "root.h"

#define MAX_RECORDS	2000u
#define MAX_ZONES	4096u

enum mark { UNSEEN, BUSY, DONE };

struct repairer {
	struct image *image;
	struct triad_hash *hash;
	struct triad_geometry geo;
	unsigned int what;
	u32 nr_roots;
	struct triad_root_disk *roots[TRIAD_NR_SLOTS];	/* newest first */
};

static u32 checksum(const struct repairer *r, const void *block)
{
	return triad_checksum(r->roots[0]->checksum_kind, block);
}

static u32 checksum_at(const struct repairer *r, u64 pba)
{
	static const u8 zero[TRIAD_BLOCK_SIZE];
	const struct image_block *b = image_find(r->image, pba);

	return checksum(r, b ? b->data : zero);
}

static void find_roots(struct repairer *r)
{
	int slot, i, j;

	r->nr_roots = 0;
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		struct image_block *b = image_find(r->image, TRIAD_SLOT_PBA(slot));
		struct triad_root_disk *d = b ? (void *)b->data : NULL;

		if (d && le64_to_cpu(d->magic) == TRIAD_ROOT_MAGIC)
			r->roots[r->nr_roots++] = d;
	}
	for (i = 0; i < (int)r->nr_roots; i++)
		for (j = i + 1; j < (int)r->nr_roots; j++)
			if (le64_to_cpu(r->roots[j]->generation) >
			    le64_to_cpu(r->roots[i]->generation)) {
				struct triad_root_disk *t = r->roots[i];

				r->roots[i] = r->roots[j];
				r->roots[j] = t;
			}
}

static bool geometry_of(const struct triad_root_disk *d, struct triad_geometry *geo)
{
	const char *why;

	return !triad_geometry_init(geo, le64_to_cpu(d->device_blocks),
				    le64_to_cpu(d->logical_blocks), le32_to_cpu(d->zone_blocks),
				    le32_to_cpu(d->segment_blocks),
				    le32_to_cpu(d->interval_blocks), &why);
}

bool repair_geometry(const struct image *image, struct triad_geometry *geo)
{
	struct repairer r = { .image = (struct image *)image };

	find_roots(&r);
	return r.nr_roots && geometry_of(r.roots[0], geo);
}

/* ---- map ---------------------------------------------------------------------- */

static void fix_pieces(struct repairer *r, struct triad_node_disk *node);

/* level: of the node that it leads to; -1: data */
static void fix_entry(struct repairer *r, struct triad_entry_disk *e, int level)
{
	u64 pba = le64_to_cpu(e->pba_flags) & TRIAD_PBA_MASK;
	struct image_block *b = image_find(r->image, pba);
	struct triad_node_disk *node;
	u32 i;

	if (!pba)
		return;
	if (b && level >= 0 && b->mark == UNSEEN) {
		node = (void *)b->data;
		b->mark = BUSY;
		for (i = 0; i < TRIAD_FANOUT; i++)
			fix_entry(r, &node->entry[i], level - 1);
		if (level == 1)
			fix_pieces(r, node);
		b->mark = DONE;
	}
	e->csum = cpu_to_le32(checksum_at(r, pba));
}

static u16 flags_of(const struct triad_node_disk *node, u32 nr)
{
	return le64_to_cpu(node->entry[nr].pba_flags) >> TRIAD_PBA_BITS;
}

static void set_flags(struct triad_node_disk *node, u32 nr, u16 flags)
{
	u64 word = le64_to_cpu(node->entry[nr].pba_flags) & TRIAD_PBA_MASK;

	node->entry[nr].pba_flags = cpu_to_le64(word | (u64)flags << TRIAD_PBA_BITS);
}

/* A piece is as a leaf, but for what its node says of it in many words. */
static void fix_pieces(struct repairer *r, struct triad_node_disk *node)
{
	struct triad_entry_disk e = { 0 };
	u32 i, at, csum;
	u64 pba;

	for (i = 0; i < TRIAD_NR_PIECES; i++) {
		at = i * TRIAD_PIECE_WORDS;
		pba = flags_of(node, at) | (u64)flags_of(node, at + 1) << 16 |
		      (u64)flags_of(node, at + 2) << 32;
		if (!pba)
			break;
		e.pba_flags = cpu_to_le64(pba);
		fix_entry(r, &e, 0);
		csum = le32_to_cpu(e.csum);
		set_flags(node, at + TRIAD_PIECE_CSUM, csum);
		set_flags(node, at + TRIAD_PIECE_CSUM + 1, csum >> 16);
	}
}

/* The same log block may be data of a map: so maps come behind planes and log. */
static void fix_maps(struct repairer *r)
{
	u32 i;

	for (i = 0; i < r->nr_roots; i++)
		fix_entry(r, &r->roots[i]->map,
			  min_t(int, r->roots[i]->map_depth, TRIAD_MAX_DEPTH) - 1);
}

/* ---- log ----------------------------------------------------------------------- */

struct position {
	u64 place;
	u64 seq;
	u8 chain[TRIAD_HASH_SIZE];
};

static struct position position_of(const struct triad_root_disk *d)
{
	struct position p = { .place = le64_to_cpu(d->next), .seq = le64_to_cpu(d->next_seq) };

	memcpy(p.chain, d->chain, sizeof(p.chain));
	return p;
}

static u32 crc_of(void *block, __le32 *crc)
{
	*crc = 0;
	return triad_crc32c(block, TRIAD_BLOCK_SIZE);
}

static void fix_payload(struct repairer *r, struct triad_record_disk *d)
{
	u32 i, j, nr = 0, nr_runs = le16_to_cpu(d->nr_runs), nr_blocks = le16_to_cpu(d->nr_blocks);
	__le64 *run = (__le64 *)d->body + le16_to_cpu(d->nr_extents);
	__le32 *csum = (__le32 *)(run + nr_runs);

	for (i = 0; i < nr_runs; i++) {
		u64 word = le64_to_cpu(run[i]);

		for (j = 0; j <= word >> TRIAD_PBA_BITS && nr < nr_blocks; j++)
			csum[nr++] = cpu_to_le32(checksum_at(r, (word & TRIAD_PBA_MASK) + j));
	}
}

/* Make the block at pos the record that the chain asks for, and step behind it. */
static bool fix_record(struct repairer *r, struct position *pos)
{
	struct image_block *b = image_find(r->image, pos->place);
	struct triad_record_disk *d = b ? (void *)b->data : NULL;
	size_t size = offsetof(struct triad_record_disk, body);
	bool ranges;

	if (!d || b->mark != UNSEEN || le64_to_cpu(d->magic) != TRIAD_RECORD_MAGIC)
		return false;
	b->mark = DONE;
	memcpy(d->uuid, r->roots[0]->uuid, sizeof(d->uuid));
	memcpy(d->chain, pos->chain, sizeof(d->chain));
	d->seq = cpu_to_le64(pos->seq);
	if (le64_to_cpu(d->durable) >= pos->seq)
		d->durable = cpu_to_le64(pos->seq - 1);
	ranges = le16_to_cpu(d->flags) & TRIAD_RECORD_RANGES;
	size += 8 * (ranges ? 2u * le16_to_cpu(d->nr_extents) :
		     (u32)le16_to_cpu(d->nr_extents) + le16_to_cpu(d->nr_runs));
	size += 4 * le16_to_cpu(d->nr_blocks);
	if (size <= sizeof(*d) && !ranges)
		fix_payload(r, d);
	d->crc = cpu_to_le32(crc_of(d, &d->crc));
	if (size > sizeof(*d) || triad_hash(r->hash, d, size, NULL, 0, pos->chain))
		return false;
	pos->place = le64_to_cpu(d->next);
	pos->seq++;
	return true;
}

static void fix_log(struct repairer *r)
{
	struct triad_root_disk *c = r->roots[0], *b = r->roots[r->nr_roots > 1 ? 1 : 0];
	struct position pos = position_of(b);
	u32 n = 0;

	while (b != c && pos.place != le64_to_cpu(c->next) && n++ < MAX_RECORDS &&
	       fix_record(r, &pos))
		;
	if (pos.place == le64_to_cpu(c->next)) {
		memcpy(c->chain, pos.chain, sizeof(c->chain));
		c->next_seq = cpu_to_le64(pos.seq);
	}
	memcpy(c->prev_chain, b->chain, sizeof(c->prev_chain));
	pos = position_of(c);
	while (n++ < MAX_RECORDS && fix_record(r, &pos))
		;
}

/* ---- planes and summary ------------------------------------------------------------ */

static void fix_header(struct repairer *r, void *block, u64 magic, u64 index, u8 slot)
{
	struct triad_space_header_disk *head = block;

	head->magic = cpu_to_le64(magic);
	head->index = cpu_to_le64(index);
	head->slot = slot;
	memcpy(head->uuid, r->roots[0]->uuid, sizeof(head->uuid));
	head->crc = cpu_to_le32(crc_of(block, &head->crc));
}

static void fix_planes(struct repairer *r)
{
	u32 i;

	for (i = 0; i < r->image->nr; i++) {
		struct image_block *b = r->image->blocks[i];
		u64 first, offset, nr;

		if (b->pba < TRIAD_FIRST_ZONE)
			continue;
		first = triad_group_of(triad_zone_of(&r->geo, b->pba));
		if (first >= r->geo.nr_zones)
			continue;
		offset = b->pba - triad_zone_start(&r->geo, first);
		nr = triad_group_zones(&r->geo, first) + 1;
		if (offset < TRIAD_NR_SLOTS * nr && offset % nr != nr - 1)
			fix_header(r, b->data, TRIAD_PLANE_MAGIC, first + offset % nr,
				   offset / nr);
	}
}

static u16 count_plane(struct repairer *r, u64 zone, u8 slot)
{
	const struct image_block *b = image_find(r->image, triad_plane_pba(&r->geo, zone, slot));
	const struct triad_plane_disk *d = b ? (void *)b->data : NULL;
	u32 i, size = triad_zone_size(&r->geo, zone), n = 0;

	for (i = 0; d && i < size; i++)
		n += d->bits[i >> 3] >> (i & 7) & 1;
	size -= triad_zone_usable(&r->geo, zone);
	return n > size ? n - size : 0;
}

static void fix_summary(struct repairer *r, struct triad_root_disk *root)
{
	static struct triad_zone_disk zones[MAX_ZONES];
	u64 zone, hwm = min_t(u64, le64_to_cpu(root->hwm_zones), r->geo.nr_zones), used = 0;
	u8 slot = (root->slot + root->plane_shift) % TRIAD_NR_SLOTS;

	if (hwm > MAX_ZONES || slot >= TRIAD_NR_SLOTS)
		return;
	memset(zones, 0, sizeof(zones));
	for (zone = 0; zone < hwm; zone++) {
		u64 first = zone - zone % TRIAD_SUMMARY_ZONES;
		struct image_block *b = image_find(r->image,
						   triad_summary_pba(&r->geo, zone, slot));
		struct triad_summary_disk *d = b ? (void *)b->data : NULL;

		if (!d)
			continue;
		if (r->what & REPAIR_COUNTS)
			d->zone[zone - first].used = cpu_to_le16(count_plane(r, zone, slot));
		zones[zone] = d->zone[zone - first];
		used += le16_to_cpu(zones[zone].used);
		if (r->what & REPAIR_SUMMARY && (zone + 1 == hwm ||
						 zone + 1 - first == TRIAD_SUMMARY_ZONES))
			fix_header(r, d, TRIAD_SUMMARY_MAGIC, first, slot);
	}
	if (r->what & REPAIR_COUNTS)
		root->used = cpu_to_le64(used);
	if (r->what & REPAIR_SUMMARY)
		triad_hash(r->hash, zones, hwm * sizeof(zones[0]), NULL, 0, root->summary_sum);
}

/* ---- roots --------------------------------------------------------------------------- */

static void fix_links(struct repairer *r)
{
	struct triad_root_disk **d = r->roots;
	u64 generation = le64_to_cpu(d[0]->generation);
	u32 i;

	for (i = 0; i < r->nr_roots; i++) {
		memcpy(d[i]->uuid, d[0]->uuid, sizeof(d[i]->uuid));
		d[i]->generation = cpu_to_le64(generation - i);
		d[i]->branch = d[0]->branch;
		if (i + 1 < r->nr_roots)
			memcpy(d[i]->prev, d[i + 1]->version, sizeof(d[i]->prev));
	}
	if (r->nr_roots == TRIAD_NR_SLOTS)
		triad_hash(r->hash, d[2]->version, TRIAD_HASH_SIZE, d[1]->version,
			   TRIAD_HASH_SIZE, d[0]->version);
}

static void fix_seals(struct repairer *r)
{
	u32 i;

	for (i = 0; i < r->nr_roots; i++) {
		struct triad_root_disk *d = r->roots[i];

		d->crc = cpu_to_le32(triad_crc32c(d, offsetof(struct triad_root_disk, crc)));
		triad_hash(r->hash, d, offsetof(struct triad_root_disk, seal), NULL, 0, d->seal);
	}
}

void repair(struct image *image, unsigned int what)
{
	struct repairer r = { .image = image, .hash = fuzz_hash(), .what = what };
	bool possible;
	u32 i;

	find_roots(&r);
	if (!r.nr_roots)
		return;
	for (i = 0; i < image->nr; i++)
		image->blocks[i]->mark = UNSEEN;
	possible = geometry_of(r.roots[0], &r.geo);
	if (what & REPAIR_LOG)
		fix_log(&r);
	if (possible && what & REPAIR_PLANES)
		fix_planes(&r);
	for (i = 0; possible && i < r.nr_roots; i++)
		fix_summary(&r, r.roots[i]);
	if (what & REPAIR_NODES)
		fix_maps(&r);
	if (what & REPAIR_LINKS)
		fix_links(&r);
	if (what & REPAIR_SEALS)
		fix_seals(&r);
}
