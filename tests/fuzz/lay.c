// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lay - inputs of the fuzzer as disks that something else can open.
 *
 *	lay seeds DIR		write the images that fuzzing begins with
 *	lay image INPUT FILE	write the image of one input as a (sparse) file
 *	lay disk FILE INPUT...	write the images of many, one behind the other
 *	lay reach INPUT...	how far the images lead; 1 if the corpus has grown old
 *	lay old INPUT		0 if that is an image of which no more than its version is read
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
#include "repair.h"
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

/* ---- how far ---------------------------------------------------------------- */

/* What some image of a useful corpus has: else the code behind it sees no hostile disk. */
enum reach { OPENED, MAPPED, PIECES, LOGGED, DEGRADED, THREE_LEVELS, NR_REACHED };

struct walker {
	bool *reached;
	u32 left;
};

static int visit(void *context, int level, u64 lba, u64 nr, const struct triad_ref *ref,
		 int error)
{
	struct walker *walker = context;

	(void)lba, (void)nr, (void)ref;
	walker->reached[MAPPED] |= level == TRIAD_VISIT_DATA && !error;
	walker->reached[PIECES] |= level == TRIAD_VISIT_PIECE && !error;
	return --walker->left ? 0 : -ECANCELED;
}

/* There are roots, all that are valid but for their version are of another one. */
static bool dies_at_its_version(const struct image *image)
{
	bool other = false;
	int slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		const struct image_block *b = image_find(image, TRIAD_SLOT_PBA(slot));
		const struct triad_root_disk *d = b ? (const void *)b->data : NULL;

		if (!d || le64_to_cpu(d->magic) != TRIAD_ROOT_MAGIC)
			continue;
		if (le32_to_cpu(d->format_version) == TRIAD_FORMAT_VERSION)
			return false;
		other = true;
	}
	return other;
}

static void reach(struct image *image, bool reached[NR_REACHED])
{
	struct walker walker = { .reached = reached, .left = 20000 };
	static struct use use;

	if (use_open(&use, image, false))
		return;
	reached[OPENED] = true;
	reached[LOGGED] = use.core.active->nr;
	reached[DEGRADED] = triad_core_needs_heal(&use.core);
	reached[THREE_LEVELS] = use.core.geo.map_depth > 2;
	triad_map_walk(&use.core.space.map, visit, &walker);
	use_close(&use);
}

/* What is whole stays as it is when it is made whole: or repair.c knows another format. */
static bool repair_knows_the_format(struct image *image)
{
	static u8 before[MAX_INPUT], after[MAX_INPUT];
	size_t size;
	u32 i;
	int slot;

	for (i = 0; i < NR_SEEDS; i++) {
		seed_make(image, i);
		for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
			if (*image_get(image, TRIAD_SLOT_PBA(slot))->data == 0)
				break;
		if (slot < TRIAD_NR_SLOTS)	/* what it is without one of them, others may be, too */
			continue;
		size = image_encode(image, IMAGE_CORE, before, sizeof(before));
		repair(image, REPAIR_ALL);
		if (image_encode(image, IMAGE_CORE, after, sizeof(after)) == size &&
		    !memcmp(before, after, size))
			continue;
		printf("seed-%02u is whole, and repair() changes it\n", i);
		return false;
	}
	return true;
}

static int tell_reach(struct image *image, int nr, char **inputs)
{
	static const char *const names[] = {
		"are opened", "with something in the map", "with pending entries",
		"with a log to recover", "without one of their roots", "with more than two levels",
	};
	bool bad = !repair_knows_the_format(image);
	u32 total = 0, old = 0, nr_reached[NR_REACHED] = { 0 };
	int i, k;

	for (i = 0; i < nr; i++) {
		bool reached[NR_REACHED] = { false };

		if (!read_input(image, inputs[i]))
			continue;
		total++;
		if (dies_at_its_version(image)) {
			printf("%s: of another version\n", inputs[i]);
			old++;
		}
		reach(image, reached);
		for (k = 0; k < NR_REACHED; k++)
			nr_reached[k] += reached[k];
	}
	printf("of %u images", total);
	bad |= old;
	for (k = 0; k < NR_REACHED; k++) {
		printf("%s %u %s", k ? "," : "", nr_reached[k], names[k]);
		bad |= !nr_reached[k];
	}
	printf("; %u die at their version\n", old);
	return bad;
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
	if (argc >= 3 && !strcmp(argv[1], "reach"))
		return tell_reach(image, argc - 2, argv + 2);
	if (argc == 3 && !strcmp(argv[1], "old"))
		return !(read_input(image, argv[2]) && dies_at_its_version(image));
	fprintf(stderr, "usage: lay seeds DIR | image INPUT FILE | disk FILE INPUT... | "
		"reach INPUT... | old INPUT\n");
	return 2;
}
