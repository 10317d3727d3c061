// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader.h"
#include "record.h"

static struct triad_chunk *chunk_at(struct triad_reader *reader, u32 i)
{
	return &reader->chunk[(reader->first + i) % TRIAD_READER_CHUNKS];
}

/* Behind the last block that is here or will be. */
static u64 end_of(struct triad_reader *reader)
{
	const struct triad_chunk *last = chunk_at(reader, reader->nr - 1);

	return last->pba + last->nr;
}

static int read_chunk(struct triad_chunk *c)
{
	struct triad_store *store = c->reader->store;

	return store->ops->read(store, c->pba, c->nr, c->data);
}

static void read_and_sum(struct triad_job *job)
{
	struct triad_chunk *c = (struct triad_chunk *)job;
	const struct triad_reader *reader = c->reader;
	u8 *block = c->data;
	u32 i;

	c->error = read_chunk(c);
	if (c->error)
		return;
	for (i = 0; i < c->nr; i++, block += TRIAD_BLOCK_SIZE) {
		if (triad_record_may_be(block))
			c->sums->crc[i] = triad_record_crc(block);
		if (reader->with_payload)
			c->sums->csum[i] = triad_checksum(reader->checksum_kind, block);
	}
	c->summed = true;
}

static void wait_for(struct triad_chunk *c)
{
	struct triad_store *store = c->reader->store;

	if (c->started)
		store->ops->wait(store, &c->job);
	c->started = false;
}

/* The oldest n. */
static void drop(struct triad_reader *reader, u32 n)
{
	while (n--) {
		wait_for(chunk_at(reader, 0));
		reader->first = (reader->first + 1) % TRIAD_READER_CHUNKS;
		reader->nr--;
	}
}

/* In what was allocated before, if it can be: the first chunk has memory if any has. */
static bool has_memory(struct triad_chunk *c)
{
	if (!c->data)
		c->data = triad_alloc(TRIAD_READER_BLOCKS * TRIAD_BLOCK_SIZE);
	if (!c->sums)
		c->sums = triad_alloc(sizeof(*c->sums));
	return c->data && c->sums;
}

/* One more chunk.  false: it cannot be had. */
static bool begin_chunk(struct triad_reader *reader, u64 pba, u32 nr, bool beside)
{
	struct triad_store *store = reader->store;
	struct triad_chunk *c = chunk_at(reader, reader->nr);

	if (pba >= reader->device_blocks || !has_memory(c))
		return false;
	c->job.run = read_and_sum;
	c->job.nr = c - reader->chunk;
	c->reader = reader;
	c->pba = pba;
	c->nr = min_t(u64, nr, reader->device_blocks - pba);
	c->summed = false;
	reader->nr++;
	/* nobody else would be any faster: only what is asked for is summed */
	if (!beside || !store->ops->start) {
		c->error = read_chunk(c);
		return true;
	}
	c->started = true;
	store->ops->start(store, &c->job);
	return true;
}

/* The walk is at pba, which is not here. */
static int begin_at(struct triad_reader *reader, u64 pba)
{
	bool is_near = reader->nr && pba >= end_of(reader) &&
		       pba - end_of(reader) < TRIAD_READER_BLOCKS;

	if (!is_near)
		reader->depth = 0;
	drop(reader, reader->nr);
	reader->first = 0;
	return begin_chunk(reader, pba, is_near ? TRIAD_READER_BLOCKS : TRIAD_READER_FIRST,
			   is_near) ? 0 : -ENOMEM;
}

/* The walk has come to another chunk: twice as much is read ahead. */
static void go_on(struct triad_reader *reader)
{
	reader->depth = !reader->depth || !reader->store->ops->start ? 1 :
			min_t(u32, 2 * reader->depth, TRIAD_READER_CHUNKS);
	while (reader->nr < reader->depth &&
	       begin_chunk(reader, end_of(reader), TRIAD_READER_BLOCKS, true))
		;
}

static bool holds(const struct triad_chunk *c, u64 pba)
{
	return pba >= c->pba && pba < c->pba + c->nr;
}

int triad_reader_get(struct triad_reader *reader, u64 pba, bool goes_on,
		     struct triad_block *block)
{
	struct triad_store *store = reader->store;
	struct triad_chunk *c;
	u32 i, at;
	int r;

	for (i = 0; i < reader->nr && !holds(chunk_at(reader, i), pba); i++)
		;
	if (i == reader->nr) {
		if (!goes_on)
			return 1;
		r = begin_at(reader, pba);
		if (r)
			return r;
		go_on(reader);
		i = 0;
	} else if (goes_on && i) {
		drop(reader, i);
		go_on(reader);
		i = 0;
	}
	c = chunk_at(reader, i);
	wait_for(c);
	at = pba - c->pba;
	block->data = c->data + (size_t)at * TRIAD_BLOCK_SIZE;
	block->crc = c->summed ? &c->sums->crc[at] : NULL;
	block->csum = c->summed && reader->with_payload ? &c->sums->csum[at] : NULL;
	/* which block is it? */
	return c->error ? store->ops->read(store, pba, 1, block->data) : 0;
}

void triad_reader_begin(struct triad_reader *reader, struct triad_store *store, u64 device_blocks)
{
	drop(reader, reader->nr);
	reader->store = store;
	reader->device_blocks = device_blocks;
	reader->with_payload = false;
	reader->depth = 0;
}

void triad_reader_want_payload(struct triad_reader *reader, u8 checksum_kind)
{
	reader->with_payload = true;
	reader->checksum_kind = checksum_kind;
}

void triad_reader_end(struct triad_reader *reader)
{
	u32 i;

	drop(reader, reader->nr);
	for (i = 0; i < TRIAD_READER_CHUNKS; i++) {
		triad_free(reader->chunk[i].data);
		triad_free(reader->chunk[i].sums);
		reader->chunk[i].data = NULL;
		reader->chunk[i].sums = NULL;
	}
}
