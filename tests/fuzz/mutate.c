// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Change an image at the places that mean something; then all checksums are repaired,
 * or most of them.
 */
#include "geometry.h"
#include "repair.h"
#include "rng.h"

/* libFuzzer's own; it knows which values the code compared with lately. */
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(u8 *bytes, size_t size, size_t max, unsigned int seed);

struct mutation {
	struct image *image;
	struct rng *rng;
	struct triad_geometry geo;	/* of some device, if the roots tell nothing */
};

/* ---- values ------------------------------------------------------------------- */

static u64 some_pba(struct mutation *m)
{
	static const int near[] = { -1, 0, 0, 0, 1, 2, 15, 16 };
	const struct triad_geometry *geo = &m->geo;
	u64 pba;

	switch (rng_below(m->rng, 6)) {
	case 0:
		pba = triad_zone_start(geo, rng_below(m->rng, geo->nr_zones + 1));
		break;
	case 1:
		pba = TRIAD_SLOT_PBA(rng_below(m->rng, 3)) + rng_below(m->rng, 2) * 255;
		break;
	case 2:
		pba = geo->device_blocks - (rng_below(m->rng, 2) ? TRIAD_TAIL_BLOCKS : 0);
		break;
	case 3:
		pba = TRIAD_FIRST_ZONE + rng_next(m->rng) % geo->device_blocks;
		break;
	default:
		if (!m->image->nr)
			return 0;
		pba = m->image->blocks[rng_below(m->rng, m->image->nr)]->pba;
	}
	return pba + near[rng_below(m->rng, 8)];
}

static u64 some_value(struct mutation *m)
{
	const struct triad_geometry *geo = &m->geo;
	u64 v;

	switch (rng_below(m->rng, 9)) {
	case 0:
		v = 0;
		break;
	case 1:
		v = 1ull << rng_below(m->rng, 64);
		break;
	case 2:
		v = ~0ull >> rng_below(m->rng, 64);
		break;
	case 3:
		v = geo->logical_blocks;
		break;
	case 4:
		v = rng_below(m->rng, 2) ? geo->usable : geo->nr_zones;
		break;
	case 5:
		v = rng_below(m->rng, 2) ? geo->device_blocks : geo->zone_blocks;
		break;
	case 6:
		v = rng_below(m->rng, 300);
		break;
	default:
		return some_pba(m);
	}
	return v + rng_below(m->rng, 3) - 1;
}

static void put(u8 *p, u32 size, u64 v)
{
	for (; size--; v >>= 8)
		*p++ = v;
}

static u64 get(const u8 *p, u32 size)
{
	u64 v = 0;

	while (size--)
		v = v << 8 | p[size];
	return v;
}

/* Change a number of so many bytes: anew, a little, or one bit. */
static void change(struct mutation *m, u8 *p, u32 size)
{
	u64 v = get(p, size);

	switch (rng_below(m->rng, 4)) {
	case 0:
		v ^= 1ull << rng_below(m->rng, 8 * size);
		break;
	case 1:
		v += rng_below(m->rng, 9) - 4ull;
		break;
	case 2:
		v = rng_below(m->rng, 2) ? rng_next(m->rng) : v << 1;
		break;
	default:
		v = some_value(m);
	}
	put(p, size, v);
}

/* ---- structures ------------------------------------------------------------------ */

static void *block_at(struct mutation *m, u64 pba)
{
	struct image_block *b = pba < m->image->device_blocks ? image_get(m->image, pba) : NULL;

	return b ? b->data : NULL;
}

static void *some_root(struct mutation *m)
{
	return block_at(m, TRIAD_SLOT_PBA(rng_below(m->rng, TRIAD_NR_SLOTS)));
}

#define FIELD(f) { offsetof(struct triad_root_disk, f), sizeof(((struct triad_root_disk *)0)->f) }

static void change_root(struct mutation *m)
{
	static const struct { u16 at, size; } fields[] = {
		FIELD(magic), FIELD(format_version), FIELD(incompat), FIELD(ro_compat),
		FIELD(compat), FIELD(branch), FIELD(checksum_kind), FIELD(slot), FIELD(root_layout),
		FIELD(map_depth), FIELD(entry_size), FIELD(fanout_shift), FIELD(plane_shift),
		FIELD(repeats), FIELD(device_blocks),
		FIELD(logical_blocks), FIELD(zone_blocks), FIELD(segment_blocks),
		FIELD(interval_blocks), FIELD(generation), FIELD(segment), FIELD(next),
		FIELD(next_seq), FIELD(map.pba_flags), FIELD(map.birth), FIELD(snapshots),
		FIELD(hwm_zones), FIELD(used), FIELD(pending), FIELD(dead), FIELD(time),
	};
	u8 *d = some_root(m);
	u32 i = rng_below(m->rng, sizeof(fields) / sizeof(fields[0]));

	if (d)
		change(m, d + fields[i].at, fields[i].size);
}

/* Any root says the same: else what one alone says is refused early. */
static void change_roots(struct mutation *m)
{
	static const u16 at[] = {
		offsetof(struct triad_root_disk, zone_blocks),
		offsetof(struct triad_root_disk, segment_blocks),
	};
	u32 i, where = at[rng_below(m->rng, 2)];
	u64 v = rng_below(m->rng, 2) ? 8 * rng_between(m->rng, 128, 4032) :
				       16u << rng_below(m->rng, 9);

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		u8 *d = block_at(m, TRIAD_SLOT_PBA(i));

		if (d)
			put(d + where, 4, v);
	}
}

static struct image_block *some_block(struct mutation *m)
{
	return m->image->nr ? m->image->blocks[rng_below(m->rng, m->image->nr)] : NULL;
}

/* A block that begins with this magic, from a random one on; 0: none of the known. */
static struct image_block *block_with(struct mutation *m, u64 magic)
{
	u32 i, n = m->image->nr, first = n ? rng_below(m->rng, n) : 0;

	for (i = 0; i < n; i++) {
		struct image_block *b = m->image->blocks[(first + i) % n];
		u64 found = get(b->data, 8);

		if (magic ? found == magic :
		    found != TRIAD_ROOT_MAGIC && found != TRIAD_RECORD_MAGIC &&
		    found != TRIAD_PLANE_MAGIC && found != TRIAD_SUMMARY_MAGIC)
			return b;
	}
	return NULL;
}

static u64 pack(u64 start, u64 nr)
{
	return (start & TRIAD_PBA_MASK) | (nr - 1) << TRIAD_PBA_BITS;
}

static u64 some_lba(struct mutation *m)
{
	u64 l = m->geo.logical_blocks;

	switch (rng_below(m->rng, 4)) {
	case 0:
		return rng_below(m->rng, 600);
	case 1:
		return l - rng_below(m->rng, 300);
	default:
		return rng_next(m->rng) % l;
	}
}

static void change_record(struct mutation *m)
{
	static const struct { u8 at, size; } fields[] = {
		{ offsetof(struct triad_record_disk, flags), 2 },
		{ offsetof(struct triad_record_disk, nr_extents), 2 },
		{ offsetof(struct triad_record_disk, nr_runs), 2 },
		{ offsetof(struct triad_record_disk, nr_blocks), 2 },
		{ offsetof(struct triad_record_disk, durable), 8 },
		{ offsetof(struct triad_record_disk, next), 8 },
	};
	struct image_block *b = block_with(m, TRIAD_RECORD_MAGIC);
	u32 i;

	if (!b)
		return;
	if (rng_below(m->rng, 2)) {
		i = rng_below(m->rng, sizeof(fields) / sizeof(fields[0]));
		change(m, b->data + fields[i].at, fields[i].size);
		return;
	}
	i = offsetof(struct triad_record_disk, body) + 8 * rng_below(m->rng, 8);
	if (rng_below(m->rng, 2))
		put(b->data + i, 8, pack(rng_below(m->rng, 2) ? some_pba(m) : some_lba(m),
					 rng_between(m->rng, 1, 4)));
	else
		change(m, b->data + i + 6 * rng_below(m->rng, 2), 2 + 6 * rng_below(m->rng, 2));
}

/* The last record leads to a place where none is: make one there. */
static void add_record(struct mutation *m)
{
	struct image_block *b = block_with(m, TRIAD_RECORD_MAGIC);
	struct triad_record_disk *d;
	__le64 *word;
	u32 i, n, flags;

	for (i = 0; b && i < 100; i++) {
		u64 next = get(b->data + offsetof(struct triad_record_disk, next), 8);
		struct image_block *to = image_find(m->image, next);

		if (!to || get(to->data, 8) != TRIAD_RECORD_MAGIC) {
			b = next < m->image->device_blocks ? image_get(m->image, next) : NULL;
			break;
		}
		b = to;
	}
	if (!b || i == 100)
		return;
	d = (void *)b->data;
	memset(d, 0, sizeof(*d));
	flags = rng_below(m->rng, 5);
	n = rng_below(m->rng, 4) ? rng_below(m->rng, 4) : rng_below(m->rng, 249);
	/* discards of much of a huge device take long, without telling anything new */
	if (flags & TRIAD_RECORD_DISCARD && m->geo.map_depth > 3)
		n = min_t(u32, n, 3);
	d->magic = cpu_to_le64(TRIAD_RECORD_MAGIC);
	d->flags = cpu_to_le16(flags);
	d->next = cpu_to_le64(rng_below(m->rng, 4) ? b->pba + n + 1 : some_pba(m));
	word = (__le64 *)d->body;
	if (flags & TRIAD_RECORD_RANGES) {
		u64 limit = flags & TRIAD_RECORD_INTENT ? m->geo.nr_zones : m->geo.logical_blocks;

		for (i = 0; i < n; i++) {
			u64 start = rng_below(m->rng, 4) ? rng_next(m->rng) % limit : 0;

			*word++ = cpu_to_le64(start);
			*word++ = cpu_to_le64(rng_below(m->rng, 3) ? limit - start :
					      rng_between(m->rng, 1, 600));
		}
	} else if (n) {
		n = min_t(u32, n, 20);
		*word++ = cpu_to_le64(pack(some_lba(m), n));
		*word++ = cpu_to_le64(pack(rng_below(m->rng, 4) ? b->pba + 1 : some_pba(m), n));
		d->nr_runs = cpu_to_le16(1);
		d->nr_blocks = cpu_to_le16(n);
		n = 1;
	}
	d->nr_extents = cpu_to_le16(n);
}

/* The flags stay: of a node of level 1 they tell of its pieces. */
static void set_pba(struct triad_entry_disk *e, u64 pba)
{
	u64 flags = le64_to_cpu(e->pba_flags) & ~TRIAD_PBA_MASK;

	e->pba_flags = cpu_to_le64((pba & TRIAD_PBA_MASK) | flags);
}

static void change_node(struct mutation *m)
{
	struct image_block *b = block_with(m, 0);
	struct triad_entry_disk *e;
	u32 i, n;

	if (!b)
		return;
	e = (struct triad_entry_disk *)b->data + rng_below(m->rng, TRIAD_FANOUT);
	switch (rng_below(m->rng, 4)) {
	case 0:		/* many entries, one target */
		n = rng_below(m->rng, TRIAD_FANOUT);
		for (i = 0; i < n; i++)
			set_pba((struct triad_entry_disk *)b->data + i, b->pba + 1);
		break;
	case 1:
		change(m, (u8 *)e, rng_below(m->rng, 4) ? 6 : 8);
		break;
	case 2:
		change(m, (u8 *)e + 12, 4);
		break;
	default:
		set_pba(e, some_pba(m));
	}
}

static u16 word_of(const struct triad_node_disk *node, u32 nr)
{
	return le64_to_cpu(node->entry[nr].pba_flags) >> TRIAD_PBA_BITS;
}

static void set_word(struct triad_node_disk *node, u32 nr, u16 word)
{
	put((u8 *)&node->entry[nr] + 6, 2, word);
}

static void set_address(struct triad_node_disk *node, u32 piece, u64 pba)
{
	u32 i;

	for (i = 0; i < 3; i++)
		set_word(node, piece * TRIAD_PIECE_WORDS + TRIAD_PIECE_PBA + i, pba >> 16 * i);
}

/* A node whose first piece lies in the image, from a random block on. */
static struct triad_node_disk *node_with_pieces(struct mutation *m, struct image_block **piece)
{
	u32 i, n = m->image->nr, first = n ? rng_below(m->rng, n) : 0;

	for (i = 0; i < n; i++) {
		struct triad_node_disk *node = (void *)m->image->blocks[(first + i) % n]->data;
		u64 pba = word_of(node, 0) | (u64)word_of(node, 1) << 16 |
			  (u64)word_of(node, 2) << 32;

		*piece = pba >= TRIAD_FIRST_ZONE ? image_find(m->image, pba) : NULL;
		if (*piece && word_of(node, TRIAD_PIECE_NR) &&
		    word_of(node, TRIAD_PIECE_NR) <= TRIAD_PIECE_ENTRIES)
			return node;
	}
	return NULL;
}

static void fill_piece(struct mutation *m, struct triad_node_disk *node,
		       struct triad_node_disk *piece)
{
	u32 step = rng_between(m->rng, 1, 300), nr = rng_between(m->rng, 1, TRIAD_PIECE_ENTRIES);
	u32 i, key = rng_below(m->rng, 4) ? rng_below(m->rng, 300) : 0;

	for (i = 0; i < nr && key < TRIAD_FANOUT * TRIAD_FANOUT; i++, key += step) {
		u64 pba = rng_below(m->rng, 8) ? some_pba(m) & TRIAD_PBA_MASK : 0;

		piece->entry[i].pba_flags = cpu_to_le64(pba | (u64)key << TRIAD_PBA_BITS);
	}
	set_word(node, TRIAD_PIECE_NR, i);
}

static void change_pieces(struct mutation *m)
{
	struct triad_node_disk *node, *piece;
	struct image_block *b;
	u32 i, nr;

	node = node_with_pieces(m, &b);
	if (!node) {		/* let some block be one, and what it says random */
		struct image_block *to = some_block(m);

		b = block_with(m, 0);
		if (!b || !to)
			return;
		set_address((void *)b->data, 0, to->pba);
		set_word((void *)b->data, TRIAD_PIECE_NR, rng_between(m->rng, 1, 20));
		return;
	}
	piece = (void *)b->data;
	nr = word_of(node, TRIAD_PIECE_NR);
	i = rng_below(m->rng, nr);
	switch (rng_below(m->rng, 7)) {
	case 0:		/* another LBA */
		change(m, (u8 *)&piece->entry[i] + 6, 2);
		break;
	case 1:
		change(m, (u8 *)&piece->entry[i], 6);
		break;
	case 2:		/* one more, or less, and what the next leaf says of it */
		set_word(node, TRIAD_PIECE_NR, nr + rng_below(m->rng, 3) - 1);
		break;
	case 3:
		fill_piece(m, node, piece);
		break;
	case 4:		/* cut in two, or said twice */
		set_address(node, 1, rng_below(m->rng, 2) ? b->pba : some_pba(m));
		set_word(node, TRIAD_PIECE_WORDS + TRIAD_PIECE_NR, rng_between(m->rng, 1, nr));
		set_word(node, TRIAD_PIECE_WORDS + TRIAD_PIECE_FIRST,
			 rng_below(m->rng, TRIAD_FANOUT));
		break;
	case 5:
		set_address(node, rng_below(m->rng, 2), some_pba(m));
		break;
	default:
		i = rng_below(m->rng, TRIAD_PIECE_WORDS * TRIAD_NR_PIECES + 2);
		change(m, (u8 *)&node->entry[i] + 6, 2);
	}
}

static void change_space(struct mutation *m)
{
	bool plane = rng_below(m->rng, 2);
	struct image_block *b = block_with(m, plane ? TRIAD_PLANE_MAGIC : TRIAD_SUMMARY_MAGIC);
	u32 i;

	if (!b)
		return;
	if (rng_below(m->rng, 3) == 0) {
		change(m, b->data + offsetof(struct triad_space_header_disk, turn), 8);
	} else if (plane) {
		i = sizeof(struct triad_space_header_disk);
		if (rng_below(m->rng, 8))
			change(m, b->data + i + 8 * rng_below(m->rng, 40), 8);
		else
			memset(b->data + i, rng_below(m->rng, 2) ? 0xff : 0, 32256 / 8);
	} else {
		i = rng_below(m->rng, 4) ? rng_below(m->rng, m->geo.nr_zones) : 0;
		i = sizeof(struct triad_space_header_disk) + 8 * (i % TRIAD_SUMMARY_ZONES);
		if (rng_below(m->rng, 2))
			change(m, b->data + i + 2 * rng_below(m->rng, 2), 2);
		else
			change(m, b->data + i + 4, 4);
	}
}

static void move_blocks(struct mutation *m)
{
	u64 to = rng_below(m->rng, 3) ? some_pba(m) :
		 TRIAD_SLOT_PBA(rng_below(m->rng, TRIAD_NR_SLOTS));
	struct image_block *b = some_block(m);
	u8 *d;

	if (!b)
		return;
	if (!rng_below(m->rng, 4)) {
		memset(b->data, 0, sizeof(b->data));
		return;
	}
	d = block_at(m, to);
	if (d)
		memcpy(d, b->data, sizeof(b->data));
}

static void change_bytes(struct mutation *m)
{
	struct image_block *b = some_block(m);

	if (b)
		LLVMFuzzerMutate(b->data, 512, 512);
}

static void change_size(struct mutation *m)
{
	static const u64 sizes[] = {
		16384, 16384, 16383, 65536, 1u << 20, 1ull << 32, 2048, 0,
	};
	u64 blocks = sizes[rng_below(m->rng, 8)];
	u32 i;

	if (rng_below(m->rng, 2))
		m->image->device_blocks = blocks;
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		struct triad_root_disk *d = block_at(m, TRIAD_SLOT_PBA(i));

		if (d)
			d->device_blocks = cpu_to_le64(m->image->device_blocks);
	}
}

static void mutate_image(struct image *image, struct rng *rng)
{
	static void (*const ways[])(struct mutation *m) = {
		change_root, change_root, change_roots, change_record, change_record,
		change_record, add_record, add_record, change_node, change_node, change_node,
		change_pieces, change_pieces, change_pieces,
		change_space, change_space, move_blocks, change_bytes, change_bytes,
	};
	struct mutation m = { .image = image, .rng = rng };
	unsigned int what = REPAIR_ALL;
	const char *why;
	u32 n = rng_between(rng, 1, 4);

	if (!repair_geometry(image, &m.geo))
		triad_geometry_init(&m.geo, TRIAD_MIN_BLOCKS, 0, 1536, 32, 0, &why);
	for (; n; n--) {
		if (rng_below(rng, 100))
			ways[rng_below(rng, sizeof(ways) / sizeof(ways[0]))](&m);
		else
			change_size(&m);
	}
	while (rng_below(rng, 3) == 0)
		what &= ~(1u << rng_below(rng, 7));
	repair(image, what);
}

size_t LLVMFuzzerCustomMutator(u8 *bytes, size_t size, size_t max, unsigned int seed)
{
	static struct image *image;
	struct rng rng = { seed };
	u8 target = size ? bytes[0] : 'p';

	if (target != IMAGE_CORE && target != IMAGE_TOOL)
		return 1 + LLVMFuzzerMutate(bytes + 1, size ? size - 1 : 0, max - 1);
	if (!image)
		image = image_create();
	image_parse(image, bytes, size);
	mutate_image(image, &rng);
	/* the tool is slow */
	target = rng_below(&rng, 20) ? IMAGE_CORE : IMAGE_TOOL;
	return image_encode(image, target, bytes, max);
}
