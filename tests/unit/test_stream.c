// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames: what was written is read, and nothing else. */
#include "stream.h"
#include "unit.h"

#define MAX_BYTES	(4u << 20)
#define MAX_FRAMES	32

static struct bytes {
	u8 data[MAX_BYTES];
	size_t size, at;
	size_t frame[MAX_FRAMES + 1];	/* where they begin */
	u32 nr_frames;
} stream;

static ssize_t put(void *context, void *data, size_t size)
{
	struct bytes *b = context;

	assert_true(b->size + size <= MAX_BYTES && b->nr_frames < MAX_FRAMES);
	b->frame[b->nr_frames++] = b->size;
	memcpy(b->data + b->size, data, size);
	b->size += size;
	b->frame[b->nr_frames] = b->size;
	return 0;
}

static ssize_t get(void *context, void *data, size_t size)
{
	struct bytes *b = context;
	size_t n = min_t(size_t, size, b->size - b->at);

	memcpy(data, b->data + b->at, n);
	b->at += n;
	return n;
}

static const struct stream_begin begin = {
	.uuid = { 1, 2, 3 }, .label = "label", .hash = "sha256", .logical_blocks = 4096,
	.nr_blocks = 303, .nr_holes = 2, .checksum_kind = TRIAD_CHECKSUM_XXH64,
	.from = { .uuid = { 1, 2, 3 }, .branch = 4, .generation = 1ull << 40, .state = "abcdefghijk" },
	.at = { .uuid = { 1, 2, 3 }, .generation = 5 },
};

static void block(u8 *data, u64 lba)
{
	memset(data, lba * 7 + 1, TRIAD_BLOCK_SIZE);
}

/* 300 blocks side by side, two ranges of holes, three blocks alone. */
static void make(void)
{
	struct stream_out *out = calloc(1, sizeof(*out));
	struct stream_end end = { .to = begin.at, .nr_mapped = 9, .sum = { 8, ~0ull } };
	u8 data[TRIAD_BLOCK_SIZE];
	u64 lba;

	memset(&stream, 0, sizeof(stream));
	out->write = put;
	out->context = &stream;
	assert_int_equal(stream_begin(out, &begin), 0);
	for (lba = 10; lba < 310; lba++) {
		block(data, lba);
		assert_int_equal(stream_block(out, lba, data), 0);
	}
	assert_int_equal(stream_hole(out, 500, 10), 0);
	assert_int_equal(stream_hole(out, 510, 6), 0);
	assert_int_equal(stream_hole(out, 600, 3496), 0);
	for (lba = 700; lba < 706; lba += 2) {
		block(data, lba);
		assert_int_equal(stream_block(out, lba, data), 0);
	}
	assert_int_equal(stream_end(out, &end), 0);
	assert_int_equal(out->bytes, stream.size);
	free(out);
}

/* Reads to the end; 0, or what refused it. */
static int read_stream(u64 *nr_blocks)
{
	struct stream_in *in = calloc(1, sizeof(*in));
	u8 data[TRIAD_BLOCK_SIZE];
	u32 i;
	int r;

	*nr_blocks = 0;
	stream.at = 0;
	in->read = get;
	in->context = &stream;
	do {
		r = stream_next(in);
		if (!r && in->type == STREAM_BLOCKS)
			for (i = 0; i < in->nr; i++, ++*nr_blocks) {
				block(data, in->lba + i);
				assert_memory_equal(in->data + i * sizeof(data), data, sizeof(data));
			}
	} while (!r && in->type != STREAM_END);
	if (!r) {
		assert_true(triad_origin_same(&in->begin.from, &begin.from));
		assert_true(triad_origin_same(&in->begin.at, &begin.at));
		assert_string_equal(in->begin.hash, "sha256");
		assert_int_equal(in->begin.logical_blocks, 4096);
		assert_int_equal(in->begin.checksum_kind, TRIAD_CHECKSUM_XXH64);
		assert_false(in->begin.is_full);
		assert_true(triad_origin_same(&in->end.to, &begin.at));
		assert_int_equal(in->end.nr_blocks, 303);
		assert_int_equal(in->end.nr_holes, 2);
		assert_int_equal(in->end.nr_mapped, 9);
		assert_true(in->end.sum[0] == 8 && in->end.sum[1] == ~0ull);
	} else {
		assert_true(in->why[0]);
	}
	free(in);
	return r;
}

static void what_was_written_is_read(void **state)
{
	u64 nr;

	(void)state;
	make();
	assert_int_equal(read_stream(&nr), 0);
	assert_int_equal(nr, 303);
	assert_int_equal(stream.nr_frames, 1 + 2 + 1 + 3 + 1);
}

static void a_stream_that_ends_anywhere_before_its_end_is_refused(void **state)
{
	size_t size;
	u32 i;
	u64 nr;

	(void)state;
	make();
	size = stream.size;
	for (i = 0; i < stream.nr_frames; i++) {
		static const int off[] = { 0, 1, 31, 32, 33 };
		size_t k;

		for (k = 0; k < sizeof(off) / sizeof(off[0]); k++) {
			stream.size = stream.frame[i] + off[k];
			assert_int_equal(read_stream(&nr), -EBADMSG);
		}
		stream.size = stream.frame[i + 1] - 1;
		assert_int_equal(read_stream(&nr), -EBADMSG);
	}
	stream.size = size;
	assert_int_equal(read_stream(&nr), 0);
}

static void every_bit_of_every_frame_is_guarded(void **state)
{
	size_t at, frame;
	u64 nr;
	u32 i;

	(void)state;
	make();
	for (i = 0; i < stream.nr_frames; i++) {
		frame = stream.frame[i + 1] - stream.frame[i];
		/* all of the header and what is said behind it, some of the data */
		for (at = 0; at < frame; at += at < SOME(300) ? 1 : 1009) {
			u8 *byte = &stream.data[stream.frame[i] + at];

			*byte ^= 1u << at % 8;
			assert_true(read_stream(&nr) < 0);
			*byte ^= 1u << at % 8;
		}
	}
	assert_int_equal(read_stream(&nr), 0);
}

/* Frames of the stream in another order: -1 ends it. */
static int arrange(const int *order)
{
	static struct bytes was;
	u64 nr;
	int r;

	was = stream;
	stream.size = 0;
	for (; *order >= 0; order++) {
		size_t size = was.frame[*order + 1] - was.frame[*order];

		memcpy(stream.data + stream.size, was.data + was.frame[*order], size);
		stream.size += size;
	}
	r = read_stream(&nr);
	stream = was;
	return r;
}

static void frames_are_believed_in_their_order_only(void **state)
{
	static const int orders[][12] = {
		{ 0, 2, 1, 3, 4, 5, 6, 7, -1 }, { 0, 1, 3, 4, 5, 6, 7, -1 },
		{ 0, 1, 1, 2, 3, 4, 5, 6, 7, -1 }, { 1, 2, 3, 4, 5, 6, 7, -1 },
		{ 0, 0, 1, 2, 3, 4, 5, 6, 7, -1 }, { 0, 7, -1 }, { 7, -1 },
		{ 0, 1, 2, 3, 4, 5, 6, 7, 7, -1 }, { 0, 1, 2, 3, 4, 5, 6, 7, 0, -1 },
	};
	static const int right[] = { 0, 1, 2, 3, 4, 5, 6, 7, -1 };
	size_t i;

	(void)state;
	make();
	assert_int_equal(arrange(right), 0);
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		assert_int_equal(arrange(orders[i]), -EBADMSG);
}

static void a_frame_of_another_stream_does_not_belong_here(void **state)
{
	static struct bytes other;
	u64 nr;

	(void)state;
	make();
	other = stream;
	make();	/* the same, but for its name */
	memcpy(stream.data + stream.frame[2], other.data + other.frame[2],
	       stream.frame[3] - stream.frame[2]);
	assert_int_equal(read_stream(&nr), -EBADMSG);
}

static void another_program_s_data_is_no_stream(void **state)
{
	u64 nr;

	(void)state;
	make();
	memset(stream.data, 'x', 64);
	assert_int_equal(read_stream(&nr), -EPROTO);
	make();
	stream.data[4]++;	/* version */
	assert_int_equal(read_stream(&nr), -EPROTO);
}

/* A frame with a right checksum may say anything all the same. */
static int forged(u32 frame, size_t at, u64 value)
{
	struct stream_header_disk *d = (void *)(stream.data + stream.frame[frame]);
	__le64 word = cpu_to_le64(value);
	u64 nr;

	make();
	memcpy(stream.data + stream.frame[frame] + sizeof(*d) + at, &word, sizeof(word));
	d->crc = 0;
	d->crc = cpu_to_le32(triad_crc32c(d, stream.frame[frame + 1] - stream.frame[frame]));
	return read_stream(&nr);
}

static void what_a_frame_says_is_bounded(void **state)
{
	(void)state;
	make();
	assert_int_equal(forged(1, 0, 10), 0);
	assert_int_equal(forged(1, 0, 4096 - 255), -EUCLEAN);		/* beyond the device */
	assert_int_equal(forged(1, 0, ~0ull), -EUCLEAN);
	assert_int_equal(forged(1, 8, 0), -EUCLEAN);
	assert_int_equal(forged(1, 8, 255), -EUCLEAN);
	assert_int_equal(forged(1, 8, 1ull << 52 | 256), -EUCLEAN);	/* 4096 times it is 256 again */
	assert_int_equal(forged(3, 0, 4096), -EUCLEAN);
	assert_int_equal(forged(3, 8, 0), -EUCLEAN);
	assert_int_equal(forged(3, 8, ~0ull), -EUCLEAN);
	assert_int_equal(forged(0, 80, 0), -EUCLEAN);			/* no blocks at all */
	assert_int_equal(forged(0, 80, TRIAD_MAX_BLOCKS + 256), -EUCLEAN);
	assert_int_equal(forged(0, 104, 77), -EUCLEAN);			/* since another device's position */
	assert_int_equal(forged(7, 48, 302), -EUCLEAN);			/* counts */
	assert_int_equal(forged(7, 56, 3), -EUCLEAN);
	assert_int_equal(forged(7, 0, 77), -EUCLEAN);
}

static void a_position_is_the_same_as_text(void **state)
{
	static const char *const bad[] = {
		"", "x", "0:1:2:3", "01020300-0000-0000-0000-000000000000",
		"01020300-0000-0000-0000-000000000000:4:5", "01020300-0000-0000-0000-000000000000:4:5:00",
		"01020300-0000-0000-0000-000000000000:-4:5:000000000000000000000000",
		"01020300-0000-0000-0000-000000000000: 4:5:000000000000000000000000",
		"01020300-0000-0000-0000-000000000000:4:99999999999999999999:000000000000000000000000",
		"01020300-0000-0000-0000-000000000000:4:5:00000000000000000000000g",
		"01020300-0000-0000-0000-000000000000:4:5:0000000000000000000000000",
		"g1020300-0000-0000-0000-000000000000:4:5:000000000000000000000000",
	};
	struct triad_origin position;
	char text[POSITION_SIZE];
	size_t i;

	(void)state;
	position_text(&begin.from, text);
	assert_string_equal(text, "01020300-0000-0000-0000-000000000000:4:1099511627776:"
			    "6162636465666768696a6b00");
	assert_true(position_parse(text, &position));
	assert_true(triad_origin_same(&position, &begin.from));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(position_parse(bad[i], &position));
	assert_true(position_parse(text, &position));
	position.state[11]++;
	assert_false(triad_origin_same(&position, &begin.from));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_stream_that_ends_anywhere_before_its_end_is_refused),
		cmocka_unit_test(every_bit_of_every_frame_is_guarded),
		cmocka_unit_test(frames_are_believed_in_their_order_only),
		cmocka_unit_test(a_frame_of_another_stream_does_not_belong_here),
		cmocka_unit_test(another_program_s_data_is_no_stream),
		cmocka_unit_test(what_a_frame_says_is_bounded),
		cmocka_unit_test(a_position_is_the_same_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
