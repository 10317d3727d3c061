// SPDX-License-Identifier: GPL-2.0-or-later
#include "image.h"

#define TABLE_MASK	(4 * IMAGE_MAX_BLOCKS - 1)
#define HEADER		9u
#define FRAGMENT	8u
#define WORTH_A_GAP	12u	/* zeroes that are cheaper left out */

static u32 start_of(u64 pba)
{
	return (pba * 0x9e3779b97f4a7c15ULL) >> 48 & TABLE_MASK;
}

struct image_block *image_find(const struct image *image, u64 pba)
{
	u32 slot = start_of(pba);

	for (; image->table[slot]; slot = (slot + 1) & TABLE_MASK)
		if (image->blocks[image->table[slot] - 1]->pba == pba)
			return image->blocks[image->table[slot] - 1];
	return NULL;
}

struct image_block *image_get(struct image *image, u64 pba)
{
	struct image_block *b = image_find(image, pba);

	if (b || image->nr == IMAGE_MAX_BLOCKS)
		return b;
	b = calloc(1, sizeof(*b));
	assert(b);
	b->pba = pba;
	for (b->slot = start_of(pba); image->table[b->slot];)
		b->slot = (b->slot + 1) & TABLE_MASK;
	image->blocks[image->nr++] = b;
	image->table[b->slot] = image->nr;
	return b;
}

void image_drop(struct image *image, u64 pba)
{
	struct image_block *b = image_find(image, pba);

	if (b)
		memset(b->data, 0, sizeof(b->data));
}

void image_clear(struct image *image)
{
	u32 i;

	for (i = 0; i < image->nr; i++) {
		image->table[image->blocks[i]->slot] = 0;
		free(image->blocks[i]);
	}
	image->nr = 0;
	image->nr_reads = image->nr_writes = image->nr_flushes = 0;
	image->read_only = image->full = false;
}

void image_destroy(struct image *image)
{
	image_clear(image);
	free(image);
}

/* ---- bytes ----------------------------------------------------------------- */

static u64 get_le(const u8 *p, u32 size)
{
	u64 v = 0;

	while (size--)
		v = v << 8 | p[size];
	return v;
}

static void put_le(u8 *p, u32 size, u64 v)
{
	for (; size--; v >>= 8)
		*p++ = v;
}

void image_parse(struct image *image, const u8 *bytes, size_t size)
{
	image_clear(image);
	image->device_blocks = 0;
	if (size < HEADER)
		return;
	image->device_blocks = get_le(bytes + 1, 8);
	if (image->device_blocks > TRIAD_MAX_BLOCKS)
		image->device_blocks = TRIAD_MAX_BLOCKS;
	bytes += HEADER;
	size -= HEADER;
	while (size >= FRAGMENT) {
		u64 pba = get_le(bytes, 4);
		size_t at = get_le(bytes + 4, 2), n = get_le(bytes + 6, 2);
		struct image_block *b;

		bytes += FRAGMENT;
		size -= FRAGMENT;
		n = min_t(size_t, n, size);
		b = pba < image->device_blocks ? image_get(image, pba) : NULL;
		if (b && at < TRIAD_BLOCK_SIZE)
			memcpy(b->data + at, bytes, min_t(size_t, n, TRIAD_BLOCK_SIZE - at));
		bytes += n;
		size -= n;
	}
}

/* Where the next run of bytes worth a fragment begins and ends. */
static bool next_fragment(const u8 *data, u32 *at, u32 *end)
{
	u32 i, last;

	while (*at < TRIAD_BLOCK_SIZE && !data[*at])
		++*at;
	if (*at == TRIAD_BLOCK_SIZE)
		return false;
	for (i = last = *at; i < TRIAD_BLOCK_SIZE && i - last <= WORTH_A_GAP; i++)
		if (data[i])
			last = i;
	*end = last + 1;
	return true;
}

size_t image_encode(const struct image *image, u8 target, u8 *bytes, size_t max)
{
	size_t size = HEADER;
	u32 i, at, end;

	if (max < HEADER)
		return 0;
	bytes[0] = target;
	put_le(bytes + 1, 8, image->device_blocks);
	for (i = 0; i < image->nr; i++) {
		const struct image_block *b = image->blocks[i];

		for (at = 0; next_fragment(b->data, &at, &end); at = end) {
			if (size + FRAGMENT + end - at > max)
				return size;
			put_le(bytes + size, 4, b->pba);
			put_le(bytes + size + 4, 2, at);
			put_le(bytes + size + 6, 2, end - at);
			memcpy(bytes + size + FRAGMENT, b->data + at, end - at);
			size += FRAGMENT + end - at;
		}
	}
	return size;
}

/* ---- store ------------------------------------------------------------------- */

static int image_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct image *image = (struct image *)store;
	u8 *p = buf;

	assert(nr && pba < image->device_blocks && nr <= image->device_blocks - pba);
	image->nr_reads++;
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE) {
		const struct image_block *b = image_find(image, pba);

		if (b)
			memcpy(p, b->data, TRIAD_BLOCK_SIZE);
		else
			memset(p, 0, TRIAD_BLOCK_SIZE);
	}
	return 0;
}

static int put(struct image *image, u64 pba, u32 nr, const void *buf)
{
	const u8 *p = buf;

	assert(!image->read_only);
	image->nr_writes += nr;
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE) {
		struct image_block *b = image_get(image, pba);

		if (!b) {
			image->full = true;
			return -EIO;
		}
		memcpy(b->data, p, TRIAD_BLOCK_SIZE);
	}
	return 0;
}

/* Nothing but roots may be written in the slots, before zone 0 or at the end. */
static int image_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct image *image = (struct image *)store;
	u32 slot;

	assert(nr && pba >= TRIAD_FIRST_ZONE && pba < image->device_blocks - TRIAD_TAIL_BLOCKS &&
	       nr <= image->device_blocks - TRIAD_TAIL_BLOCKS - pba);
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		assert(pba + nr <= TRIAD_SLOT_PBA(slot) ||
		       pba >= TRIAD_SLOT_PBA(slot) + TRIAD_SLOT_BLOCKS);
	return put(image, pba, nr, buf);
}

static int image_flush(struct triad_store *store)
{
	((struct image *)store)->nr_flushes++;
	return 0;
}

static int image_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	struct image *image = (struct image *)store;

	assert(slot < TRIAD_NR_SLOTS);
	if (TRIAD_SLOT_PBA(slot) >= image->device_blocks)
		return -EIO;
	return image_read(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static int image_write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	assert(slot < TRIAD_NR_SLOTS);
	return put((struct image *)store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static const struct triad_store_ops image_ops = {
	.read = image_read,
	.write = image_write,
	.flush = image_flush,
	.read_root = image_read_root,
	.write_root = image_write_root,
};

struct image *image_create(void)
{
	struct image *image = calloc(1, sizeof(*image));

	assert(image);
	image->store.ops = &image_ops;
	return image;
}
