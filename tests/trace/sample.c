// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sample - in the guest: put images on a disk, one after the other, and hash what the
 * module makes of them.
 *
 *	sample next COPY DISK <STREAM	the next image; prints the hash its content must have.
 *					COPY is a file that holds the image before; status 9
 *					at the end
 *	sample hash DEVICE		prints the hash of its content
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sample.h"

#define CHUNK	(1u << 20)

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void get(void *p, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(STDIN_FILENO, (char *)p + have, size - have);

		if (n <= 0)
			die("stream");
		have += n;
	}
}

static size_t padded(size_t size)
{
	return (size + SAMPLE_BLOCK - 1) / SAMPLE_BLOCK * SAMPLE_BLOCK;
}

/* All of the copy, since the module may have written anywhere. */
static void write_disk(const char *path, const char *copy, size_t size)
{
	int fd = open(path, O_WRONLY | O_DIRECT);
	size_t at, n;

	if (fd < 0)
		die(path);
	for (at = 0; at < size; at += n) {
		n = size - at < CHUNK ? size - at : CHUNK;
		if (pwrite(fd, copy + at, n, at) != (ssize_t)n)
			die(path);
	}
	close(fd);
}

static int next(const char *copy_path, const char *disk)
{
	union {
		struct sample_header h;
		char block[SAMPLE_BLOCK];
	} head;
	int fd = open(copy_path, O_RDWR);
	struct stat st;
	uint64_t *pbas;
	char *copy;
	__u64 i;

	get(&head, sizeof(head));
	if (head.h.magic != SAMPLE_MAGIC)
		return 9;
	if (fd < 0 || fstat(fd, &st))
		die(copy_path);
	copy = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pbas = malloc(padded(head.h.nr_blocks * sizeof(*pbas)) + 1);
	if (copy == MAP_FAILED || !pbas)
		die(copy_path);
	get(pbas, padded(head.h.nr_blocks * sizeof(*pbas)));
	for (i = 0; i < head.h.nr_blocks; i++)
		get(copy + pbas[i] * SAMPLE_BLOCK, SAMPLE_BLOCK);
	write_disk(disk, copy, st.st_size);
	printf("%016" PRIx64 "\n", (uint64_t)head.h.hash);
	return 0;
}

static int hash(const char *path)
{
	XXH64_state_t *state = XXH64_createState();
	int fd = open(path, O_RDONLY | O_DIRECT);
	void *p = NULL;
	ssize_t n;

	if (fd < 0 || !state || posix_memalign(&p, SAMPLE_BLOCK, CHUNK))
		die(path);
	XXH64_reset(state, 0);
	while ((n = read(fd, p, CHUNK)) > 0)
		XXH64_update(state, p, n);
	if (n < 0)
		die(path);
	printf("%016" PRIx64 "\n", (uint64_t)XXH64_digest(state));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "next"))
		return next(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "hash"))
		return hash(argv[2]);
	fprintf(stderr, "usage: sample next COPY DISK | sample hash DEVICE\n");
	return 2;
}
