// SPDX-License-Identifier: GPL-2.0-or-later
/* import: a file's content into a closed device, written as the driver would write it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "view.h"
#include "writer.h"

#define CHUNK_BLOCKS	256u
#define CHUNK		((size_t)CHUNK_BLOCKS * TRIAD_BLOCK_SIZE)

struct import {
	struct view *view;
	const char *path;
	struct device file;
	bool stream;
	struct writer *writer;
	u8 *chunk;
	u64 size;		/* of the device, in bytes */
	u64 bytes;		/* read from the file */
	u64 nr_blocks;		/* with data */
};

static const char untouched[] = "Nothing was changed.";

/* ---- the file --------------------------------------------------------------------- */

static int check_apart(const struct import *im)
{
	const struct disk *disk = &im->view->disk;
	bool one = device_overlaps(&im->file, &disk->data);
	unsigned int i;

	for (i = 0; i < disk->nr_roots; i++)
		one |= device_overlaps(&im->file, &disk->roots[i]);
	return one ? tool_fail(TOOL_USAGE, untouched, "%s: this is, or lies on, the device to fill",
			       im->path) : 0;
}

static int open_file(struct import *im)
{
	char a[TEXT_SIZE], b[TEXT_SIZE];
	struct stat st;
	int r;

	im->stream = !strcmp(im->path, "-");
	if (im->stream) {
		im->file.fd = STDIN_FILENO;
		if (isatty(STDIN_FILENO) || fstat(STDIN_FILENO, &st) || S_ISDIR(st.st_mode))
			return tool_fail(TOOL_USAGE, untouched,
					 "import: nothing comes from standard input");
		return 0;
	}
	r = device_open(&im->file, im->path, DEVICE_READ);
	if (r)
		return tool_fail_open(im->path, r, false);
	r = check_apart(im);
	if (!r && im->file.bytes > im->size)
		r = tool_fail(TOOL_DEVICE, "Nothing was changed.  Name a larger device.",
			      "%s: it has %s, and %s holds %s", im->path, text_size(im->file.bytes, a),
			      im->view->path, text_size(im->size, b));
	return r;
}

/* Up to a chunk; *got less only at the end.  -errno. */
static int read_chunk(struct import *im, size_t *got)
{
	size_t want = CHUNK;
	ssize_t n;

	/* direct I/O wants whole sectors, and a device ends with one */
	for (*got = 0; *got < want; *got += n) {
		n = im->stream ? read(im->file.fd, im->chunk + *got, want - *got) :
		    pread(im->file.fd, im->chunk + *got, want - *got, im->bytes + *got);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
		else if (!n)
			break;
	}
	return 0;
}

/* Where the file has data again, from byte at on: holes are not read. */
static u64 skip_hole(const struct import *im, u64 at)
{
	off_t data;

	if (im->stream || im->file.block)
		return at;
	data = lseek(im->file.fd, at, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? im->file.bytes : at;
	return (u64)data / CHUNK * CHUNK > at ? (u64)data / CHUNK * CHUNK : at;
}

/* ---- the device ------------------------------------------------------------------- */

static int put_chunk(struct import *im, size_t got)
{
	u64 lba = im->bytes >> TRIAD_BLOCK_SHIFT;
	size_t i, nr = (got + TRIAD_BLOCK_SIZE - 1) >> TRIAD_BLOCK_SHIFT;
	int r = 0;

	memset(im->chunk + got, 0, (nr << TRIAD_BLOCK_SHIFT) - got);
	for (i = 0; i < nr && !r; i++) {
		if (is_zero(im->chunk + (i << TRIAD_BLOCK_SHIFT), TRIAD_BLOCK_SIZE))
			continue;
		r = writer_put(im->writer, lba + i, im->chunk + (i << TRIAD_BLOCK_SHIFT));
		im->nr_blocks++;
	}
	return r;
}

static int too_much(const struct import *im)
{
	char text[TEXT_SIZE];

	return tool_fail(TOOL_OUTPUT, "It is full of the first part.  Use a larger device.",
			 "%s: more than the %s that it holds came from %s", im->view->path,
			 text_size(im->size, text), im->stream ? "standard input" : im->path);
}

/* What was there goes first: a hole of the file is one of the device. */
static int copy(struct import *im)
{
	struct triad_core *core = &im->view->core;
	size_t got = CHUNK;
	bool more = false;
	int r = 0;

	if (core->root.used || core->replayed_records)
		r = writer_discard(im->writer, 0, core->geo.logical_blocks);
	while (!r && !more && got == CHUNK) {
		im->bytes = skip_hole(im, im->bytes);
		progress("importing", im->bytes, (im->stream ? im->size : im->file.bytes) + 1);
		r = read_chunk(im, &got);
		if (r) {
			progress("", 0, 0);
			return tool_fail(TOOL_DEVICE, "The device holds a part of it.", "%s: %s",
					 im->stream ? "standard input" : im->path, strerror(-r));
		}
		more = im->bytes + got > im->size;
		if (more)
			got = im->size - im->bytes;
		r = put_chunk(im, got);
		im->bytes += got;
	}
	if (!r)
		r = writer_commit(im->writer);
	progress("", 0, 0);
	if (r)
		return tool_fail(tool_exit_of(r), "It holds a part of it.", "%s: %s", im->view->path,
				 strerror(-r));
	return more ? too_much(im) : 0;
}

static int report(const struct import *im, const struct options *opt)
{
	char text[TEXT_SIZE];

	if (opt->json) {
		json_add_text(json_document(), "file", im->path);
		json_add_number(json_document(), "bytes", im->bytes);
		json_add_number(json_document(), "blocks", im->nr_blocks);
	} else if (!opt->batch) {
		printf("%s: %s read, %" PRIu64 " block%s with data\n", im->view->path,
		       text_size(im->bytes, text), im->nr_blocks, PLURAL(im->nr_blocks));
	}
	return 0;
}

static int check_device(const struct view *view, const struct options *opt)
{
	const struct triad_core *core = &view->core;
	int r = view_may_write(view);

	if (!r && triad_core_lost_log(core))
		return tool_fail(TOOL_DAMAGED, untouched, "%s: flushed records of its log are damaged",
				 view->path);
	if (!r && triad_core_needs_heal(core))
		return tool_fail(TOOL_DEGRADED, "Nothing was changed.  Heal it first: triadsetup heal.",
				 "%s: one of its roots is bad: %s", view->path,
				 view_case(&view->choice));
	if (!r && (core->root.used || core->replayed_records) && !opt->force)
		return tool_fail(TOOL_BUSY, "Nothing was changed.  If that may be lost, use --force.",
				 "%s: it holds data", view->path);
	return r;
}

static int import(struct view *view, const struct options *opt)
{
	struct import im = {
		.view = view, .path = opt->args[0], .file.fd = -1,
		.size = view->core.geo.logical_blocks << TRIAD_BLOCK_SHIFT,
	};
	int r = open_file(&im);

	if (!r)
		r = check_device(view, opt);
	if (!r) {
		im.writer = aligned_alloc(TRIAD_BLOCK_SIZE, (sizeof(*im.writer) | 4095) + 1);
		im.chunk = aligned_alloc(TRIAD_BLOCK_SIZE, CHUNK);
		r = im.writer && im.chunk ? 0 : tool_fail(TOOL_MEMORY, untouched, "out of memory");
	}
	if (!r) {
		writer_begin(im.writer, &view->core);
		r = copy(&im);
	}
	if (!r)
		r = report(&im, opt);
	free(im.writer);
	free(im.chunk);
	if (!im.stream)
		device_close(&im.file);
	return r;
}

int cmd_import(const struct options *opt)
{
	return view_change(opt, opt->args[1], import);
}
