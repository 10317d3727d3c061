// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkimage - write to a formatted image without the kernel, one record at a time.
 *
 * usage: mkimage IMAGE EXPECT [KEYFILE|- [ROOT-DEVICE...]] < script
 *
 * A degraded device is healed first, as the kernel heals it.
 * The script has a command per line; EXPECT becomes what the device must read as:
 *	write LBA NR SEED	discard LBA NR		flush
 *	commit			close (commit, clean)	stop (end, as after a crash)
 *
 *        mkimage --sums FILE...
 *
 * A line for each that can be read: its size and a sum of what is not zero, however large it is.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#include "hash.h"
#include "view.h"

struct writer {
	struct view view;
	struct triad_core *core;
	struct triad_store *store;
	struct triad_record record;
	int expect;
	u8 header[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u8 data[TRIAD_RECORD_MAX_BLOCKS][TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
};

static void die(const char *what, int error)
{
	fprintf(stderr, "mkimage: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void must(const char *what, int error)
{
	if (error)
		die(what, error);
}

static void fill(u8 *block, u64 lba, u64 seed)
{
	u64 x = seed * 0x9e3779b97f4a7c15ULL + lba, *word = (u64 *)block;
	u32 i;

	for (i = 0; i < TRIAD_BLOCK_SIZE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		word[i] = x + i;
	}
}

static void need_room(struct writer *w, u32 nr_blocks, u32 nr_entries, u32 nr_leaves)
{
	if (triad_log_room(w->core, nr_blocks, nr_entries, nr_leaves))
		return;
	must("commit", triad_commit_alone(w->core, false));
	if (!triad_log_room(w->core, nr_blocks, nr_entries, nr_leaves))
		die("room", -ENOSPC);
}

static void write_record(struct writer *w)
{
	struct triad_record *rec = &w->record;
	u32 i, done = 0;

	must("seal", triad_log_seal(w->core, rec, w->header));
	must("write", w->store->ops->write(w->store, rec->place, 1, w->header));
	for (i = 0; i < rec->nr_runs; i++) {
		must("write", w->store->ops->write(w->store, rec->runs[i].start, rec->runs[i].nr,
						   w->data[done]));
		done += rec->runs[i].nr;
	}
	must("publish", triad_log_publish(w->core, rec, 0));
}

static void do_write(struct writer *w, u64 lba, u64 nr, u64 seed)
{
	struct triad_record *rec = &w->record;
	u32 i, n;

	for (; nr; nr -= n, lba += n) {
		n = min_t(u64, nr, TRIAD_RECORD_MAX_BLOCKS);
		need_room(w, n, n, 0);
		must("start", triad_log_start(w->core));
		triad_log_begin(w->core, rec, 0);
		must("take", triad_log_write(w->core, rec, lba, n));
		for (i = 0; i < n; i++) {
			fill(w->data[i], lba + i, seed);
			rec->csums[i] = triad_checksum(w->core->root.checksum_kind, w->data[i]);
		}
		if (pwrite(w->expect, w->data, n * TRIAD_BLOCK_SIZE, lba << TRIAD_BLOCK_SHIFT) < 0)
			die("expect", -errno);
		write_record(w);
	}
}

static void do_discard(struct writer *w, u64 lba, u64 nr)
{
	u32 leaves, entries = triad_index_discard_cost(&w->core->geo, lba, nr, &leaves);

	need_room(w, 0, entries, leaves);
	must("start", triad_log_start(w->core));
	triad_log_begin(w->core, &w->record, TRIAD_RECORD_DISCARD);
	triad_log_discard(w->core, &w->record, lba, nr, leaves);
	if (fallocate(w->expect, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      lba << TRIAD_BLOCK_SHIFT, nr << TRIAD_BLOCK_SHIFT))
		die("expect", -errno);
	write_record(w);
}

static bool run_line(struct writer *w, const char *line)
{
	u64 a = 0, b = 0, c = 0;
	char word[16] = "";

	sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %" SCNu64, word, &a, &b, &c);
	if (!strcmp(word, "write")) {
		do_write(w, a, b, c);
	} else if (!strcmp(word, "discard")) {
		do_discard(w, a, b);
	} else if (!strcmp(word, "flush")) {
		must("flush", w->store->ops->flush(w->store));
		triad_order_flush_end(&w->core->order, w->core->next_seq - 1, 0);
	} else if (!strcmp(word, "commit")) {
		must("commit", triad_commit_alone(w->core, false));
		triad_order_flush_end(&w->core->order, w->core->next_seq - 1, 0);
	} else if (!strcmp(word, "close")) {
		if (triad_commit_needed(w->core, true))
			must("close", triad_commit_alone(w->core, true));
		return false;
	} else if (!strcmp(word, "stop")) {
		return false;
	} else if (word[0]) {
		die(word, -EINVAL);
	}
	return true;
}

static void print_sum(const char *path)
{
	static const u8 zero[1 << 16];
	static u8 data[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = 0, size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	u64 sum = 0;
	ssize_t n;

	while (size >= 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		/* the same pieces whatever is a hole */
		at &= ~(off_t)(sizeof(data) - 1);
		n = pread(fd, data, sizeof(data), at);
		if (n <= 0)
			break;
		if (memcmp(data, zero, n))
			sum = XXH64(data, n, sum ^ at);
		at += n;
	}
	if (size >= 0)
		printf("%016" PRIx64 " %" PRId64 " %s\n", sum, (int64_t)size, path);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct writer *w = calloc(1, sizeof(*w));
	struct options opt = { 0 };
	struct device devices[4];
	char line[256];
	int i;

	if (argc > 1 && !strcmp(argv[1], "--sums")) {
		for (i = 2; i < argc; i++)
			print_sum(argv[i]);
		free(w);
		return 0;
	}
	if (argc < 3 || !w) {
		fprintf(stderr, "usage: mkimage IMAGE EXPECT [KEYFILE|- [ROOT-DEVICE...]]\n");
		return 1;
	}
	if (argc > 3 && strcmp(argv[3], "-"))
		opt.key_file = argv[3];
	for (i = 4; i < argc && i < 7; i++)
		opt.root_device[opt.nr_root_devices++] = argv[i];
	if (view_probe(&w->view, &opt, argv[1]) || view_open(&w->view))
		return 1;
	/* the view reads: open its devices once more, for writing */
	must("open", device_open(&devices[3], argv[1], DEVICE_WRITE));
	dup2(devices[3].fd, w->view.disk.data.fd);
	for (i = 0; i < (int)opt.nr_root_devices; i++) {
		if (!strcmp(opt.root_device[i], DEVICE_MISSING))
			continue;
		must("open", device_open(&devices[i], opt.root_device[i], DEVICE_WRITE));
		dup2(devices[i].fd, w->view.disk.roots[i].fd);
	}
	w->core = &w->view.core;
	w->store = &w->view.disk.store;
	w->expect = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (w->expect < 0 ||
	    ftruncate(w->expect, w->core->geo.logical_blocks << TRIAD_BLOCK_SHIFT))
		die(argv[2], -errno);
	must("heal", triad_core_heal(w->core));
	while (fgets(line, sizeof(line), stdin) && run_line(w, line))
		;
	close(w->expect);
	view_close(&w->view);
	free(w);
	return 0;
}
