// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sums of content: two devices find what differs, with no word of their histories.  What has no
 * data has no sum.
 */
#include "ship.h"

/* The chunk's blocks are one chain, each with its place. */
static int add(struct ship_sum *s, const struct content_block *block)
{
	struct {
		u8 before[TRIAD_HASH_SIZE];
		__le64 lba;
	} head = { .lba = cpu_to_le64(block->lba) };

	memcpy(head.before, s->state, sizeof(head.before));
	return triad_hash(s->hash, &head, sizeof(head), block->data, TRIAD_BLOCK_SIZE, s->state);
}

int ship_sum_end(struct ship_sum *s)
{
	struct stream_sum sum = { .chunk = s->chunk };

	if (!s->is_open)
		return 0;
	s->is_open = false;
	memcpy(sum.sum, s->state, sizeof(sum.sum));
	return s->take(s->context, &sum);
}

int ship_sum_block(void *context, const struct content_block *block)
{
	struct ship_sum *s = context;
	u64 chunk = block->lba / STREAM_SUM_BLOCKS;
	int r = 0;

	if (block->error)
		return block->error;
	if (s->is_open && chunk != s->chunk)
		r = ship_sum_end(s);
	if (r)
		return r;
	if (!s->is_open) {
		s->is_open = true;
		s->chunk = chunk;
		memset(s->state, 0, sizeof(s->state));
	}
	return add(s, block);
}
