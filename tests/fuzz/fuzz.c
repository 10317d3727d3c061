// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz.c - what reads a disk must bear any disk.
 *
 * The first byte of an input says what the rest is:
 *	c  an image (image.h): open, read, heal, write, commit, open again; each root
 *	   alone; back to the backup
 *	t  an image for the tool's reading commands
 *	r  a root block	    l  a record	    n  a map node    s  a plane or summary
 *	p  a table line
 *	x  a stream for a replica (receive.h)
 *	y  a session of triadd, one end of it (session.h)
 *
 * A failure is a signal, a sanitizer's report, an access outside the device, a write
 * where none is allowed, 1 GiB of memory, or more time than libFuzzer's -timeout.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "env.h"
#include "image.h"
#include "parsers.h"
#include "receive.h"
#include "report.h"
#include "session.h"
#include "tool.h"
#include "use.h"

#define MAX_READ	20000u
#define MAX_TOOL_BLOCKS	(1ull << 20)	/* the tool looks at each zone */

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

/* ---- the core -------------------------------------------------------------- */

static int write_things(struct use *use)
{
	int r;

	r = use_write(use, 3, 2, 7);
	if (!r)
		r = use_write(use, use->logical_blocks - 1, 1, 8);
	if (!r)
		r = use_discard(use, 1, 300 < use->logical_blocks ? 300 : 1);
	if (!r)
		r = triad_commit_alone(&use->core, false);
	if (!r)
		r = use_write(use, 3, 1, 9);
	if (!r)
		r = triad_commit_alone(&use->core, true);
	return r;
}

static void read_alone(struct image *image)
{
	struct use use;
	int slot;

	for (slot = -1; slot < TRIAD_NR_SLOTS; slot++) {
		if (slot < 0 ? use_open_backup(&use, image) : use_open_at(&use, image, slot))
			continue;
		assert(triad_core_must_not_write(&use.core));
		use_read(&use, MAX_READ);
		use_close(&use);
	}
	assert(!image->nr_writes);
}

/* Back to b, in what was parsed anew. */
static void go_back(struct image *image, const u8 *bytes, size_t size)
{
	struct use use;

	image_parse(image, bytes, size);
	if (use_open(&use, image, false))
		return;
	image->read_only = false;
	if (!triad_core_rollback(&use.core)) {
		use_read(&use, MAX_READ);
		write_things(&use);
	}
	use_close(&use);
	if (!use_open(&use, image, false)) {
		use_read(&use, MAX_READ);
		use_close(&use);
	}
}

static void run_core(struct image *image, const u8 *bytes, size_t size)
{
	struct use use;

	image_parse(image, bytes, size);
	read_alone(image);
	if (use_open(&use, image, false))
		return;
	use_read(&use, MAX_READ);
	use_close(&use);
	assert(!image->nr_writes);

	if (use_open(&use, image, true))
		return;
	if (!triad_core_must_not_write(&use.core))
		write_things(&use);
	use_read(&use, MAX_READ);
	use_close(&use);

	/* whatever that left: again */
	if (!use_open(&use, image, false)) {
		use_read(&use, MAX_READ);
		use_close(&use);
	}
}

/* ---- the tool ---------------------------------------------------------------- */

static int file_of(const struct image *image)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	u32 i;

	assert(fd >= 0 && !ftruncate(fd, image->device_blocks * TRIAD_BLOCK_SIZE));
	for (i = 0; i < image->nr; i++) {
		const struct image_block *b = image->blocks[i];
		ssize_t n = pwrite(fd, b->data, sizeof(b->data), b->pba * TRIAD_BLOCK_SIZE);

		assert(n == sizeof(b->data));
	}
	return fd;
}

static void run_tool(struct image *image, const u8 *bytes, size_t size)
{
	static int (*const commands[])(const struct options *) = {
		cmd_roots, cmd_check, cmd_dump, cmd_repair, cmd_export, cmd_export,
	};
	char from[64], to[64], *args[] = { from, to };
	struct options opt = { .data = true, .verbose = true, .force = true, .args = args };
	int fd, out;
	u32 i;

	image_parse(image, bytes, size);
	if (image->device_blocks > MAX_TOOL_BLOCKS)
		return;
	fd = file_of(image);
	out = memfd_create("out", MFD_CLOEXEC);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	snprintf(to, sizeof(to), "/proc/self/fd/%d", out);
	for (i = 0; i < 12; i++) {
		opt.json = i & 1;
		opt.nr_args = i / 2 >= 4 ? 2 : 1;
		opt.backup = i / 2 == 5;
		if (opt.json)
			json_begin();
		json_end(commands[i / 2](&opt));
	}
	close(fd);
	close(out);
}

/* ---- libFuzzer ------------------------------------------------------------------ */

/* Large pieces of freed memory would soon fill a quarantine of the usual size. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=4";
}

static struct image *the_image(void)
{
	static struct image *image;

	if (!image)
		image = image_create();
	return image;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct image *image = the_image();

	if (!size)
		return -1;
	fuzz_random.state = 1;
	switch (bytes[0]) {
	case IMAGE_CORE:
		run_core(image, bytes, size);
		go_back(image, bytes, size);
		break;
	case IMAGE_TOOL:
		run_tool(image, bytes, size);
		break;
	case 'r':
		parse_root(bytes + 1, size - 1);
		break;
	case 'l':
		parse_record(bytes + 1, size - 1);
		break;
	case 'n':
		parse_node(bytes + 1, size - 1);
		break;
	case 's':
		parse_space(image, bytes + 1, size - 1);
		break;
	case 'p':
		parse_params(bytes + 1, size - 1);
		break;
	case RECEIVE:
		fuzz_receive(image, bytes + 1, size - 1);
		break;
	case SESSION:
		fuzz_session(image, bytes + 1, size - 1);
		break;
	default:
		return -1;
	}
	assert(!fuzz_live_bytes);
	image_clear(image);
	return 0;
}
