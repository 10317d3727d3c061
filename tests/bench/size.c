// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * size - what random writes cost on devices of any size, counted in blocks.
 *
 * The real core on a sparse disk in memory; payload is counted, not stored.  Records hold
 * 31 blocks, as with fio at queue depth 32.  Prints for each interval how many blocks were
 * written for each of the user's, from what, and how many blocks were read one by one or
 * together.
 *
 * usage: size --gib N [--intervals N] [--share PERCENT] [--span PERCENT] [--fill PERCENT] [--seed N]
 *
 * share: of an interval that is used (100: it is full); span: of the LBAs that are written; fill: so
 * much of the device is written in sequence before, and only that is written then.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "core.h"
#include "env.h"
#include "options.h"

#define RECORD	31u

static struct {
	struct triad_store store;
	u8 *disk;
	u64 nr_written, nr_roots, nr_reads, nr_read;
} memory;

static int memory_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	(void)store;
	memory.nr_reads++;
	memory.nr_read += nr;
	memcpy(buf, memory.disk + pba * TRIAD_BLOCK_SIZE, (size_t)nr * TRIAD_BLOCK_SIZE);
	return 0;
}

static int memory_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	(void)store;
	memory.nr_written += nr;
	memcpy(memory.disk + pba * TRIAD_BLOCK_SIZE, buf, (size_t)nr * TRIAD_BLOCK_SIZE);
	return 0;
}

static int memory_flush(struct triad_store *store)
{
	(void)store;
	return 0;
}

static int read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	return memory_read(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static int write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	memory.nr_roots++;
	return memory_write(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static const struct triad_store_ops ops = {
	.read = memory_read, .write = memory_write, .flush = memory_flush,
	.read_root = read_root, .write_root = write_root,
};

/* Blocks that b does not need any more either: their memory is given back. */
static void forget(u64 *blocks, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		madvise(memory.disk + blocks[i] * TRIAD_BLOCK_SIZE, TRIAD_BLOCK_SIZE, MADV_DONTNEED);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Random blocks below span; or, without an rng, so many from there on. */
static void write_record(struct triad_core *core, struct rng *rng, u64 span, u32 nr)
{
	static struct triad_record rec;
	static u8 header[TRIAD_BLOCK_SIZE];
	u32 i;

	assert(!triad_log_start(core));
	triad_log_begin(core, &rec, 0);
	for (i = 0; rng && i < nr; i++)
		assert(!triad_log_write(core, &rec, rng_next(rng) % span, 1));
	if (!rng)
		assert(!triad_log_write(core, &rec, span, nr));
	assert(!triad_log_seal(core, &rec, header));
	assert(!triad_log_publish(core, &rec, 0));
}

/* Commit, and give back the memory of what the commit before has freed. */
static double commit(struct triad_core *core)
{
	static u64 *freed;
	static u32 nr_freed;
	double t = now();

	assert(!triad_commit_alone(core, false));
	t = now() - t;
	forget(freed, nr_freed);
	nr_freed = core->commit.frees.nr;
	freed = realloc(freed, (nr_freed + 1) * sizeof(*freed));
	memcpy(freed, core->commit.frees.v, nr_freed * sizeof(*freed));
	return t;
}

static void fill(struct triad_core *core, u64 end)
{
	u64 lba;
	u32 nr;

	for (lba = 0; lba < end; lba += nr) {
		nr = min_t(u64, TRIAD_RECORD_MAX_BLOCKS / 2, end - lba);
		if (!triad_log_room(core, nr, nr, 0))
			commit(core);
		write_record(core, NULL, lba, nr);
	}
	commit(core);
}

int main(int argc, char **argv)
{
	u64 gib = 0, intervals = 30, share = 100, span = 100, filled = 0, seed = 1, i, n, records = 0;
	const struct number_option options[] = {
		{ "gib", &gib }, { "intervals", &intervals }, { "share", &share },
		{ "span", &span }, { "fill", &filled }, { "seed", &seed }, { 0 },
	};
	struct triad_root root = { .hash = "test" };
	struct triad_core core = { 0 };
	struct triad_hash hash = { 0 };
	struct triad_geometry geo;
	struct rng rng = { 0 };
	const char *why = "--gib is missing";
	u64 all = 0, all_written = 0;

	parse_numbers(argc, argv, options);
	if (!gib || triad_geometry_init(&geo, gib << 18, 0, 32256, 256, 0, &why)) {
		fprintf(stderr, "size: %s\n", why);
		return 1;
	}
	rng.state = seed;
	memory.store.ops = &ops;
	memory.disk = mmap(NULL, geo.device_blocks * TRIAD_BLOCK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(memory.disk != MAP_FAILED);
	assert(!triad_core_format(&memory.store, &hash, &root, &geo));
	core.store = &memory.store;
	core.hash = &hash;
	assert(!triad_core_open(&core, geo.device_blocks));
	printf("%llu GiB, intervals of %u, %llu nodes of level 1\n", (unsigned long long)gib,
	       geo.interval_blocks, (unsigned long long)(geo.logical_blocks + 65535) / 65536);
	if (filled) {
		span = filled;
		fill(&core, geo.logical_blocks / 100 * filled);
	}
	printf("%9s %9s %9s %9s %9s %9s %9s %9s\n", "entries", "blocks/", "nodes/", "used+", "reads/",
	       "read/", "seconds", "freed");
	for (i = 0; i < intervals; i++) {
		u64 entries, before = memory.nr_written, reads = memory.nr_reads, read = memory.nr_read;
		u64 limit, used = core.space.used;
		double t;

		limit = min_t(u32, geo.interval_blocks, core.active->max) * share / 100;
		for (n = 0; n + RECORD < limit && triad_log_room(&core, RECORD, RECORD, 0); n += RECORD) {
			write_record(&core, &rng, geo.logical_blocks / 100 * span, RECORD);
			records++;
		}
		entries = n;
		t = commit(&core);
		n = memory.nr_written - before;
		if (i >= intervals / 2) {
			all += entries;
			all_written += entries + entries / RECORD + n;
		}
		printf("%9llu %9.3f %9.3f %9lld %9.3f %9.3f %9.2f %9u\n", (unsigned long long)entries,
		       1 + 1. / RECORD + (double)n / entries,
		       (double)(core.commit.adds.nr - core.commit.update.nr_data_added) / entries,
		       (long long)(core.space.used - used), (double)(memory.nr_reads - reads) / entries,
		       (double)(memory.nr_read - read) / entries, t, (u32)core.commit.frees.nr);
		fflush(stdout);
	}
	printf("amplification in the second half: %.3f\n", (double)all_written / all);
	return 0;
}
