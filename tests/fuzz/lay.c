// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lay - inputs of the fuzzer as disks that something else can open.
 *
 *	lay seeds DIR		write the images that fuzzing begins with
 *	lay image INPUT FILE	write the image of one input as a (sparse) file
 *	lay disk FILE INPUT...	write the images of many, one behind the other
 *
 * "disk" prints a line for each image: its name, where it begins and how long it is,
 * how long a table line must be (all in sectors), and the core's verdict: "open",
 * "refuse", or "any" if the kernel may know a hash that is not known here, or healing
 * writes more than fits into memory.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "seeds.h"
#include "use.h"

#define MAX_INPUT	(1u << 20)

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* False if the input is none of an image. */
static bool read_input(struct image *image, const char *path)
{
	static u8 bytes[MAX_INPUT];
	FILE *f = fopen(path, "re");
	size_t size;

	if (!f)
		die(path);
	size = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	if (!size || (bytes[0] != IMAGE_CORE && bytes[0] != IMAGE_TOOL))
		return false;
	image_parse(image, bytes, size);
	return true;
}

static void write_image(const struct image *image, int fd, u64 at)
{
	u32 i;

	for (i = 0; i < image->nr; i++) {
		const struct image_block *b = image->blocks[i];

		if (pwrite(fd, b->data, sizeof(b->data), (at + b->pba) * TRIAD_BLOCK_SIZE) !=
		    sizeof(b->data))
			die("write");
	}
}

static void write_input(const struct image *image, u8 target, const char *directory,
			const char *name)
{
	static u8 bytes[MAX_INPUT];
	size_t size = image_encode(image, target, bytes, sizeof(bytes));
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%c", directory, name, target);
	f = fopen(path, "we");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
		die(path);
}

static int make_seeds(const char *directory)
{
	struct image *image = image_create();
	char name[16];
	u32 i;

	for (i = 0; i < NR_SEEDS; i++) {
		seed_make(image, i);
		snprintf(name, sizeof(name), "seed-%02u", i);
		write_input(image, IMAGE_CORE, directory, name);
		write_input(image, IMAGE_TOOL, directory, name);
	}
	for (i = 0; i < NR_FORGED; i++) {
		const char *forged = seed_forge(image, i);

		write_input(image, IMAGE_CORE, directory, forged);
	}
	image_destroy(image);
	return 0;
}

static int make_file(struct image *image, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, image->device_blocks * TRIAD_BLOCK_SIZE))
		die(path);
	write_image(image, fd, 0);
	return close(fd);
}

static const char *verdict(struct use *use, struct image *image)
{
	int r = use_open(use, image, true);

	if (!r)
		use_close(use);
	return r == -ENOENT || image->full ? "any" : r ? "refuse" : "open";
}

static int make_disk(struct image *image, const char *path, int nr, char **inputs)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), i;
	static struct use use;
	u64 at = 0;

	if (fd < 0)
		die(path);
	for (i = 0; i < nr; i++) {
		const char *name = strrchr(inputs[i], '/'), *what;

		/* of no size no device can be made */
		if (!read_input(image, inputs[i]) || !image->device_blocks)
			continue;
		write_image(image, fd, at);
		what = verdict(&use, image);
		printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", name ? name + 1 : inputs[i],
		       at * TRIAD_SECTORS_PER_BLOCK,
		       image->device_blocks * TRIAD_SECTORS_PER_BLOCK,
		       use.logical_blocks * TRIAD_SECTORS_PER_BLOCK, what);
		at += image->device_blocks;
	}
	if (ftruncate(fd, at * TRIAD_BLOCK_SIZE))
		die(path);
	return close(fd);
}

int main(int argc, char **argv)
{
	static struct image *image;

	image = image_create();
	if (argc == 3 && !strcmp(argv[1], "seeds"))
		return make_seeds(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "image")) {
		if (!read_input(image, argv[2])) {
			fprintf(stderr, "lay: %s: no image\n", argv[2]);
			return 1;
		}
		return make_file(image, argv[3]);
	}
	if (argc >= 4 && !strcmp(argv[1], "disk"))
		return make_disk(image, argv[2], argc - 3, argv + 3);
	fprintf(stderr, "usage: lay seeds DIR | image INPUT FILE | disk FILE INPUT...\n");
	return 2;
}
