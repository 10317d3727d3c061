// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * opening - how long the real core needs to read a log, from a disk of a given speed.
 *
 * The disk is memory; each read takes its latency, and its bytes' time on a bus that all
 * reads share.  What the core has done beside it threads do, as the module's workers.
 *
 * usage: opening [--record BLOCKS] [--mib N] [--mbps N] [--us LATENCY] [--flushed 1]
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "core.h"
#include "env.h"
#include "options.h"

#define DEVICE_BLOCKS	(4u << 18)
#define ROUNDS		5

static struct {
	struct triad_store store;
	u8 *blocks;
	bool slow;
	double latency, bandwidth, free_at;
	pthread_mutex_t bus;
	u64 nr_reads, nr_read;
} disk = { .bus = PTHREAD_MUTEX_INITIALIZER };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct triad_job *queue[TRIAD_NR_JOBS];
	u32 nr;
	bool ended[TRIAD_NR_JOBS];
} beside = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void pass(u32 nr)
{
	double at = now(), end;

	pthread_mutex_lock(&disk.bus);
	disk.nr_reads++;
	disk.nr_read += nr;
	if (disk.free_at < at)
		disk.free_at = at;
	disk.free_at += nr * TRIAD_BLOCK_SIZE / disk.bandwidth;
	end = disk.free_at + disk.latency;
	pthread_mutex_unlock(&disk.bus);
	if (disk.slow && end > at) {
		struct timespec t = { (time_t)(end - at), (long)((end - at) * 1e9) % 1000000000 };

		nanosleep(&t, NULL);
	}
}

static int disk_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	(void)store;
	pass(nr);
	memcpy(buf, disk.blocks + pba * TRIAD_BLOCK_SIZE, (size_t)nr * TRIAD_BLOCK_SIZE);
	return 0;
}

static int disk_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	(void)store;
	memcpy(disk.blocks + pba * TRIAD_BLOCK_SIZE, buf, (size_t)nr * TRIAD_BLOCK_SIZE);
	return 0;
}

static int disk_flush(struct triad_store *store)
{
	(void)store;
	return 0;
}

static int read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	return disk_read(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static int write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	return disk_write(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static void *work(void *context)
{
	struct triad_job *job;

	(void)context;
	pthread_mutex_lock(&beside.lock);
	for (;;) {
		while (!beside.nr)
			pthread_cond_wait(&beside.change, &beside.lock);
		job = beside.queue[0];
		memmove(beside.queue, beside.queue + 1, --beside.nr * sizeof(job));
		pthread_mutex_unlock(&beside.lock);
		job->run(job);
		pthread_mutex_lock(&beside.lock);
		beside.ended[job->nr] = true;
		pthread_cond_broadcast(&beside.change);
	}
	return NULL;
}

static void start(struct triad_store *store, struct triad_job *job)
{
	(void)store;
	pthread_mutex_lock(&beside.lock);
	beside.ended[job->nr] = false;
	beside.queue[beside.nr++] = job;
	pthread_cond_broadcast(&beside.change);
	pthread_mutex_unlock(&beside.lock);
}

static void wait_for(struct triad_store *store, struct triad_job *job)
{
	(void)store;
	pthread_mutex_lock(&beside.lock);
	while (!beside.ended[job->nr])
		pthread_cond_wait(&beside.change, &beside.lock);
	pthread_mutex_unlock(&beside.lock);
}

static const struct triad_store_ops ops = {
	.read = disk_read, .write = disk_write, .flush = disk_flush,
	.read_root = read_root, .write_root = write_root, .start = start, .wait = wait_for,
};

static void write_record(struct triad_core *core, struct rng *rng, u32 nr)
{
	static struct triad_record rec;
	static u8 header[TRIAD_BLOCK_SIZE];
	u64 block[TRIAD_BLOCK_SIZE / 8] = { 0 };
	u32 i, j, n = 0;

	assert(!triad_log_start(core) && triad_log_room(core, nr, nr, 0));
	triad_log_begin(core, &rec, 0);
	for (i = 0; i < nr; i++)
		assert(!triad_log_write(core, &rec, rng_next(rng) % core->geo.logical_blocks, 1));
	for (i = 0; i < rec.nr_runs; i++) {
		for (j = 0; j < rec.runs[i].nr; j++) {
			block[0] = rng_next(rng);
			disk_write(core->store, rec.runs[i].start + j, 1, block);
			rec.csums[n++] = triad_checksum(core->root.checksum_kind, block);
		}
	}
	assert(!triad_log_seal(core, &rec, header));
	disk_write(core->store, rec.place, 1, header);
	assert(!triad_log_publish(core, &rec, 0));
}

static void lay_log(struct triad_hash *hash, u32 record, u64 nr_blocks, bool flushed)
{
	static struct triad_core core;
	struct triad_root root = { .hash = "test", .checksum_kind = TRIAD_CHECKSUM_XXH64 };
	struct triad_geometry geo;
	struct rng rng = { 1 };
	const char *why;
	u64 n;

	assert(!triad_geometry_init(&geo, DEVICE_BLOCKS, 0, 32256, 256, 1u << 18, &why));
	assert(!triad_core_format(&disk.store, hash, &root, &geo));
	core.store = &disk.store;
	core.hash = hash;
	/* as after intervals that were full */
	assert(!triad_core_open(&core, DEVICE_BLOCKS));
	triad_index_destroy(core.active);
	core.active = triad_index_create(1u << 18, triad_alloc);
	for (n = 0; n < nr_blocks; n += record)
		write_record(&core, &rng, record);
	if (flushed) {
		triad_order_made_durable(&core.order, core.next_seq - 1);
		write_record(&core, &rng, record);
	}
	triad_core_close(&core);
}

int main(int argc, char **argv)
{
	u64 record = 20, mib = 64, mbps = 600, us = 100, flushed = 0;
	const struct number_option options[] = {
		{ "record", &record }, { "mib", &mib }, { "mbps", &mbps }, { "us", &us },
		{ "flushed", &flushed }, { 0 },
	};
	static struct triad_core core;
	struct triad_hash hash = { 0 };
	double best = 1e9, t;
	pthread_t thread;
	u32 i;

	parse_numbers(argc, argv, options);
	if (!record || record > TRIAD_RECORD_MAX_BLOCKS || mib > 512 || !mbps) {
		fprintf(stderr, "opening: a record has 1 to 256 blocks, a log up to 512 MiB\n");
		return 1;
	}
	disk.store.ops = &ops;
	disk.bandwidth = mbps * 1e6;
	disk.latency = us / 1e6;
	disk.blocks = mmap(NULL, (size_t)DEVICE_BLOCKS * TRIAD_BLOCK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(disk.blocks != MAP_FAILED);
	lay_log(&hash, record, mib * 256, flushed);
	for (i = 0; i < TRIAD_NR_JOBS; i++)
		assert(!pthread_create(&thread, NULL, work, NULL));
	disk.slow = true;
	for (i = 0; i < ROUNDS; i++) {
		disk.nr_reads = disk.nr_read = 0;
		memset(&core, 0, sizeof(core));
		core.store = &disk.store;
		core.hash = &hash;
		t = now();
		assert(!triad_core_open(&core, DEVICE_BLOCKS));
		t = now() - t;
		best = t < best ? t : best;
		assert(core.replayed_blocks >= mib * 256);
		triad_core_close(&core);
	}
	printf("log of %llu MiB, records of %llu blocks%s: %.0f ms, the least of %d; %llu reads of %llu MiB, which take %.0f ms at %llu MB/s\n",
	       (unsigned long long)mib, (unsigned long long)record, flushed ? ", flushed" : "", best * 1e3,
	       ROUNDS, (unsigned long long)disk.nr_reads, (unsigned long long)disk.nr_read / 256,
	       (double)disk.nr_read * TRIAD_BLOCK_SIZE / disk.bandwidth * 1e3, (unsigned long long)mbps);
	return 0;
}
