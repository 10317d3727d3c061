// SPDX-License-Identifier: GPL-2.0-or-later
#include "receive.h"

#include "content.h"
#include "env.h"
#include "hash.h"
#include "replica.h"
#include "use.h"

#define FLAG_RAW	1u
#define FLAG_STEPS	2u
#define MAX_STREAM	(3u << 20)

struct bytes {
	u8 data[MAX_STREAM];
	size_t size, at;
	size_t end;		/* where END begins, or 0 */
};

static ssize_t get(void *context, void *data, size_t size)
{
	struct bytes *b = context;
	size_t n = min_t(size_t, size, b->size - b->at);

	memcpy(data, b->data + b->at, n);
	b->at += n;
	return n;
}

static void seal_frame(u8 *frame, size_t size)
{
	struct stream_header_disk *d = (void *)frame;

	d->crc = 0;
	d->crc = cpu_to_le32(triad_crc32c(frame, size));
}

static void make_stream(struct bytes *b, const u8 *bytes, size_t size)
{
	u64 number;

	b->size = b->end = 0;
	for (number = 0; size >= 4; number++) {
		struct stream_header_disk *d = (void *)(b->data + b->size);
		u32 length = (bytes[1] | bytes[2] << 8) * 8;
		size_t n = min_t(size_t, min_t(size_t, bytes[3], size - 4), length);

		if (b->size + sizeof(*d) + length > MAX_STREAM)
			break;
		memset(d, 0, sizeof(*d) + length);
		d->magic = cpu_to_le32(STREAM_MAGIC);
		d->version = cpu_to_le16(STREAM_VERSION);
		d->type = cpu_to_le16(bytes[0] % 6);
		d->length = cpu_to_le32(length);
		d->number = cpu_to_le64(number);
		memcpy(d + 1, bytes + 4, n);
		seal_frame((u8 *)d, sizeof(*d) + length);
		if (bytes[0] % 6 == STREAM_END && length == sizeof(struct stream_end_disk))
			b->end = b->size;
		b->size += sizeof(*d) + length;
		bytes += 4 + n;
		size -= 4 + n;
	}
}

/* A replica of which nothing was received yet. */
static void make_replica(struct image *image)
{
	struct triad_root root = { .incompat = TRIAD_INCOMPAT_REPLICA };
	struct triad_geometry geo;
	struct triad_hash *hash;
	const char *why;
	int r;

	image_clear(image);
	image->device_blocks = TRIAD_MIN_BLOCKS;
	r = triad_geometry_init(&geo, TRIAD_MIN_BLOCKS, 0, 1536, 32, 1536, &why);
	assert(!r);
	memcpy(root.hash, "sha256", 6);
	hash = triad_hash_create("sha256", NULL, 0, &why);
	assert(hash);
	r = triad_core_format(&image->store, hash, &root, &geo);
	assert(!r);
	triad_hash_destroy(hash);
}

/* Returns what the receiver does; *sum what would have been. */
static int take(struct image *image, struct bytes *b, bool in_steps, struct stream_end *would)
{
	struct stream_in *in = calloc(1, sizeof(*in));
	struct receive rx = { .in = in, .in_steps = in_steps };
	struct triad_core core = { .store = &image->store, .receives = true };
	const char *why;
	int r;

	assert(in);
	image->read_only = false;
	in->read = get;
	in->context = b;
	b->at = 0;
	core.hash = triad_hash_create("sha256", NULL, 0, &why);
	r = stream_next(in);
	if (!r)
		r = triad_core_open(&core, image->device_blocks);
	if (!r) {
		if (in->begin.logical_blocks > core.geo.logical_blocks)
			r = -ENOSPC;
		if (!r)
			r = replica_ready(&core, in->begin.nr_blocks);
		if (!r)
			r = replica_take(&core, &rx);
		*would = in->end;
		if (r == -ESTALE && content_sum(&core, in->begin.checksum_kind, would->sum,
						&would->nr_mapped))
			r = -EIO;
		triad_core_close(&core);
	}
	triad_hash_destroy(core.hash);
	free(in);
	return r;
}

/* It opens, and shows what it should. */
static void look(struct image *image, const struct triad_origin *origin, bool may_be_incomplete)
{
	struct use use;
	int r = use_open(&use, image, false);

	if (r == -EOPNOTSUPP && may_be_incomplete)
		return;
	assert(!r);
	assert(may_be_incomplete || triad_origin_same(&use.core.origin, origin));
	use_read(&use, 3000);
	use_close(&use);
}

void fuzz_receive(struct image *image, const u8 *bytes, size_t size)
{
	static struct bytes b;
	static const struct triad_origin none;
	struct stream_end would;
	bool in_steps;
	int r;

	if (!size)
		return;
	in_steps = bytes[0] & FLAG_STEPS;
	if (bytes[0] & FLAG_RAW) {
		b.end = 0;
		b.size = min_t(size_t, size - 1, MAX_STREAM);
		memcpy(b.data, bytes + 1, b.size);
	} else {
		make_stream(&b, bytes + 1, size - 1);
	}
	make_replica(image);
	r = take(image, &b, in_steps, &would);
	if (image->full)
		return;
	look(image, r ? &none : &would.to, r && in_steps);
	if (r != -ESTALE || !b.end)
		return;
	/* with the right sum it is what the sender has */
	struct stream_end_disk *d = (void *)(b.data + b.end + sizeof(struct stream_header_disk));

	d->nr_mapped = cpu_to_le64(would.nr_mapped);
	d->sum[0] = cpu_to_le64(would.sum[0]);
	d->sum[1] = cpu_to_le64(would.sum[1]);
	seal_frame(b.data + b.end, sizeof(struct stream_header_disk) + sizeof(*d));
	make_replica(image);
	r = take(image, &b, in_steps, &would);
	if (image->full)
		return;
	assert(!r);
	look(image, &would.to, false);
}
