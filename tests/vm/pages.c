// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pages - a small database: pages of 16 KiB overwritten in place, and files that come and go.
 *
 *	pages write NAME DIR LIFE [BATCH]	until killed; "pages NAME ready" when each page is
 *						there, "pages NAME acked PAGES FILES" when this
 *						many writes, and files, are known to be durable:
 *						after every BATCH (32) writes
 *	pages check DIR LIFE PAGES FILES	what a power cut left of it, as "key=value ..."
 *
 * The n-th write is of a place and a content that follow from LIFE and n.  Of a page all
 * sectors must be of one write (else it is torn), and that one no older than the newest that is
 * known to be durable (else it is lost).  File k is written, synced, renamed, and its directory
 * synced; then file k - KEPT is removed.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 16384
#define PAGES 512u
#define SECTOR 512
#define WORDS (SECTOR / 8)
#define KEPT 32u

static uint64_t life;
static uint64_t *page;

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* The first PAGES writes are of each page once. */
static uint64_t place(uint64_t n) { return n <= PAGES ? n - 1 : mix(life << 32 | n) % PAGES; }

/* A sector begins with the number of its write; the rest follows from that and its place. */
static uint64_t word(uint64_t write, uint64_t place, unsigned int i)
{
	return i % WORDS ? mix(write ^ place << 52 ^ (uint64_t)i << 40) : write;
}

static void fill(uint64_t write, uint64_t place)
{
	for (unsigned int i = 0; i < PAGE / 8; i++)
		page[i] = word(write, place, i);
}

/* the write that page is of, or UINT64_MAX */
static uint64_t whole(uint64_t place)
{
	for (unsigned int i = 0; i < PAGE / 8; i++)
		if (page[i] != word(page[0], place, i))
			return UINT64_MAX;
	return page[0];
}

static const char *name(uint64_t k)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "f.%" PRIu64 ".%" PRIu64, life, k);
	return buf;
}

static void put_file(uint64_t k, int dir)
{
	int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		err(1, "new");
	fill(k, PAGES);
	if (write(fd, page, PAGE) != PAGE || fsync(fd) || close(fd) ||
	    renameat(dir, "new", dir, name(k)) || fsync(dir))
		err(1, "%s", name(k));
	if (k > KEPT && unlinkat(dir, name(k - KEPT), 0))
		err(1, "%s", name(k - KEPT));
}

static int file_is_there(uint64_t k, int dir)
{
	int fd = openat(dir, name(k), O_RDONLY);
	int good = fd >= 0 && read(fd, page, PAGE) == PAGE && whole(PAGES) == k;

	if (fd >= 0)
		close(fd);
	return good;
}

static void write_pages(const char *who, int dir, uint64_t batch)
{
	int fd = openat(dir, "pages", O_RDWR | O_CREAT | O_DIRECT, 0600);
	uint64_t files = 0;

	if (fd < 0)
		err(1, "pages");
	for (uint64_t n = 1;; n++) {
		fill(life << 32 | n, place(n));
		if (pwrite(fd, page, PAGE, place(n) * PAGE) != PAGE)
			err(1, "%s: write", who);
		if (n < PAGES || n % batch)
			continue;
		if (fdatasync(fd))
			err(1, "%s: fdatasync", who);
		if (n == PAGES)
			printf("pages %s ready\n", who);
		put_file(files + 1, dir);
		files++;
		printf("pages %s acked %" PRIu64 " %" PRIu64 "\n", who, n, files);
	}
}

static void check_pages(uint64_t acked, uint64_t files, int dir)
{
	static uint64_t expect[PAGES];
	unsigned int torn = 0, lost = 0, unread = 0, files_lost = 0, files_checked = 0;
	int fd = openat(dir, "pages", O_RDONLY | O_DIRECT);

	for (uint64_t n = 1; n <= acked; n++)
		expect[place(n)] = life << 32 | n;
	for (uint64_t p = 0; p < PAGES; p++) {
		uint64_t found;

		if (fd < 0 || pread(fd, page, PAGE, p * PAGE) != PAGE) {
			unread++;
			continue;
		}
		found = whole(p);
		if (found == UINT64_MAX)
			torn++;
		else if (found < expect[p])
			lost++;
	}
	for (uint64_t k = files; k && k + KEPT > files + 1; k--) {
		files_checked++;
		files_lost += !file_is_there(k, dir);
	}
	printf("pages=%u torn=%u lost=%u unread=%u files=%u files_lost=%u\n", PAGES, torn, lost,
	       unread, files_checked, files_lost);
}

int main(int argc, char **argv)
{
	int writes = (argc == 5 || argc == 6) && !strcmp(argv[1], "write"), dir;
	uint64_t batch = writes && argc == 6 ? strtoull(argv[5], NULL, 10) : 32;

	if (!batch || (!writes && !(argc == 6 && !strcmp(argv[1], "check"))))
		errx(2, "usage: pages write NAME DIR LIFE [BATCH] | pages check DIR LIFE PAGES FILES");
	setlinebuf(stdout);
	page = aligned_alloc(4096, PAGE);
	dir = open(argv[writes ? 3 : 2], O_RDONLY | O_DIRECTORY);
	if (!page || dir < 0)
		err(1, "%s", argv[writes ? 3 : 2]);
	life = strtoull(argv[writes ? 4 : 3], NULL, 10);
	if (writes)
		write_pages(argv[2], dir, batch);
	check_pages(strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10), dir);
	return 0;
}
