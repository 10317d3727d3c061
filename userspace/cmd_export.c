// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"
#include "report.h"
#include "view.h"

#define MAX_SHOWN	20u	/* unreadable places that are named one by one */

struct export {
	struct view *view;
	const char *path;
	int fd;
	u64 nr_blocks;
	u64 nr_lost;		/* blocks */
	u32 nr_places;		/* what they were reported as */
	struct json_object *lost;
};

static bool is_zero(const u8 *data)
{
	return !data[0] && !memcmp(data, data + 1, TRIAD_BLOCK_SIZE - 1);
}

static int write_block(const struct export *e, u64 lba, const u8 *data)
{
	off_t at = lba << TRIAD_BLOCK_SHIFT;
	size_t left = TRIAD_BLOCK_SIZE;

	/* a hole reads as zeroes */
	while (left && !is_zero(data)) {
		ssize_t n = pwrite(e->fd, data + TRIAD_BLOCK_SIZE - left, left,
				   at + TRIAD_BLOCK_SIZE - left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		left -= n;
	}
	return 0;
}

static void note_lost(struct export *e, const struct content_block *block)
{
	struct json_object *place;

	e->nr_lost += block->nr;
	if (e->nr_places++ >= MAX_SHOWN)
		return;
	tool_warn("LBA %" PRIu64 "%s: %s at block %" PRIu64 " %s; zeroes are written instead",
		  block->lba, block->nr > 1 ? " and on" : "",
		  block->nr > 1 ? "the map node" : "the data", block->pba,
		  block->error == -EBADMSG ? "does not match its checksum" :
		  block->error == -EUCLEAN ? "is impossible" : "cannot be read");
	place = json_object_new_object();
	json_add_number(place, "lba", block->lba);
	json_add_number(place, "blocks", block->nr);
	json_object_array_add(e->lost, place);
}

static int export_block(void *context, const struct content_block *block)
{
	struct export *e = context;

	progress("exporting", e->nr_blocks, e->view->core.root.used +
		 e->view->core.replayed_blocks + 1);
	if (!block->data) {
		note_lost(e, block);
		return 0;
	}
	e->nr_blocks++;
	return write_block(e, block->lba, block->data);
}

static bool is_source(const struct export *e, const struct device *target)
{
	const struct disk *disk = &e->view->disk;
	bool same = device_same(target, &disk->data);
	unsigned int i;

	for (i = 0; i < disk->nr_roots; i++)
		same |= device_same(target, &disk->roots[i]);
	return same;
}

/* Never onto the device itself, and never over a file without being told to. */
static int create(struct export *e, const struct options *opt)
{
	struct device target;
	int r;

	r = device_open(&target, e->path, DEVICE_READ);
	if (!r) {
		bool same = is_source(e, &target), block = target.block;

		device_close(&target);
		if (same || block)
			return tool_fail(TOOL_USAGE,
					 "Nothing was changed.  Name a file that does not exist.",
					 "%s: %s", e->path, same ?
					 "this is the device to export" : "not a regular file");
		if (!opt->force)
			return tool_fail(TOOL_BUSY,
					 "Nothing was changed.  With --force it is replaced.",
					 "%s: it exists", e->path);
	} else if (r != -ENOENT) {
		return tool_fail_open(e->path, r, true);
	}
	e->fd = open(e->path, O_WRONLY | O_CREAT | O_CLOEXEC | (opt->force ? O_TRUNC : O_EXCL),
		     0600);
	if (e->fd < 0)
		return tool_fail(tool_exit_of(-errno), "Nothing was changed.", "%s: %s", e->path,
				 strerror(errno));
	return 0;
}

static int copy(struct export *e)
{
	off_t size = e->view->core.geo.logical_blocks << TRIAD_BLOCK_SHIFT;
	int r = 0;

	if (ftruncate(e->fd, size))
		r = -errno;
	if (!r)
		r = content_walk(&e->view->core, false, export_block, e);
	if (!r && fsync(e->fd))
		r = -errno;
	progress("", 0, 0);
	if (!r)
		return 0;
	unlink(e->path);
	return tool_fail(tool_exit_of(r),
			 "The device was only read; the unfinished file was removed.", "%s: %s",
			 e->path, strerror(-r));
}

static int report(struct export *e, const struct options *opt)
{
	const struct triad_core *core = &e->view->core;
	u64 size = core->geo.logical_blocks << TRIAD_BLOCK_SHIFT;
	struct json_object *out;
	char text[TEXT_SIZE];

	if (opt->json) {
		out = json_object_new_object();
		json_add_text(out, "device", e->view->path);
		json_add_text(out, "file", e->path);
		json_add_number(out, "size", size);
		json_add_number(out, "blocks", e->nr_blocks);
		json_add_number(out, "log_records", core->replayed_records);
		json_add_number(out, "lost_blocks", e->nr_lost);
		json_add(out, "lost", json_object_get(e->lost));
		json_print(out);
	} else if (!opt->batch) {
		printf("%s: %s, %" PRIu64 " blocks with data, %" PRIu64
		       " records of the log applied\n", e->path, text_size(size, text),
		       e->nr_blocks, core->replayed_records);
	}
	if (!e->nr_lost)
		return 0;
	return tool_fail(TOOL_DAMAGED, "All else was exported.  Look for these in a backup; more: "
			 "triadsetup check --data DEVICE",
			 "%s: %" PRIu64 " blocks could not be read and are zeroes in %s",
			 e->view->path, e->nr_lost, e->path);
}

int cmd_export(const struct options *opt)
{
	struct view view;
	struct export e = { .view = &view, .path = opt->args[1], .fd = -1 };
	int r;

	r = view_probe(&view, opt, opt->args[0]);
	if (!r)
		r = view_open(&view);
	if (!r)
		r = create(&e, opt);
	if (!r) {
		e.lost = json_object_new_array();
		if (view.core.degraded)
			tool_warn("%s: degraded (one root is bad), the content is complete",
				  view.path);
		if (triad_core_lost_log(&view.core))
			tool_warn("%s: record %" PRIu64 " of the log was flushed and is damaged: "
				  "this is the state before it", view.path, view.core.next_seq);
		r = copy(&e);
		if (!r)
			r = report(&e, opt);
		json_object_put(e.lost);
	}
	if (e.fd >= 0 && close(e.fd) && !r)
		r = tool_fail(TOOL_DEVICE, NULL, "%s: %s", e.path, strerror(errno));
	view_close(&view);
	return r;
}
