// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>

#include "content.h"
#include "report.h"
#include "sink.h"
#include "view.h"

#define MAX_SHOWN	20u	/* unreadable places that are named one by one */

struct export {
	struct view *view;
	const char *path;
	struct sink sink;
	u64 nr_blocks;
	u64 nr_lost;		/* blocks */
	u32 nr_places;		/* what they were reported as */
	struct json_object *lost;
};

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
	return sink_put(&e->sink, block->lba, block->data);
}

static u64 content_bytes(const struct export *e)
{
	return e->view->core.geo.logical_blocks << TRIAD_BLOCK_SHIFT;
}

static int copy(struct export *e)
{
	static const char * const left[] = {
		[SINK_FILE] = "The device was only read; what the name stood for is as it was.",
		[SINK_BLOCK] = "The device was only read; what was written to holds a part.",
		[SINK_STREAM] = "The device was only read; what was written is a part.",
	};
	int r;

	r = content_walk(&e->view->core, false, export_block, e);
	if (!r)
		r = sink_finish(&e->sink);
	progress("", 0, 0);
	return r ? tool_fail(tool_exit_of(r), left[e->sink.kind], "%s: %s", e->path,
			     strerror(-r)) : 0;
}

static int report(struct export *e, const struct options *opt)
{
	const struct triad_core *core = &e->view->core;
	u64 size = content_bytes(e);
	struct json_object *out;
	char text[TEXT_SIZE];

	if (opt->json) {
		out = json_document();
		json_add_text(out, "file", e->path);
		json_add_number(out, "size", size);
		json_add_number(out, "blocks", e->nr_blocks);
		json_add_number(out, "log_records", core->replayed_records);
		json_add_number(out, "lost_blocks", e->nr_lost);
		json_add(out, "lost", json_object_get(e->lost));
	} else if (!opt->batch) {
		fprintf(e->sink.kind == SINK_STREAM ? stderr : stdout,
			"%s: %s, %" PRIu64 " block%s with data, %" PRIu64
			" record%s of the log applied\n", e->path, text_size(size, text),
			e->nr_blocks, PLURAL(e->nr_blocks), core->replayed_records,
			PLURAL(core->replayed_records));
	}
	if (!e->nr_lost)
		return 0;
	return tool_fail(TOOL_DAMAGED, "All else was exported.  Look for these in a backup; more: "
			 "triadsetup check --data DEVICE",
			 "%s: %" PRIu64 " block%s could not be read: zeroes in %s",
			 e->view->path, e->nr_lost, PLURAL(e->nr_lost), e->path);
}

static int export(struct export *e, const struct options *opt)
{
	const struct view *view = e->view;
	int r;

	r = sink_open(&e->sink, e->path, content_bytes(e), &view->disk, opt->force);
	if (r)
		return r;
	if (view->core.degraded)
		tool_warn("%s: degraded (one root is bad), the content is complete", view->path);
	if (triad_core_lost_log(&view->core))
		tool_warn("%s: record %" PRIu64 " of the log was flushed and is damaged: "
			  "this is the state before it", view->path, view->core.next_seq);
	r = copy(e);
	return r ? r : report(e, opt);
}

int cmd_export(const struct options *opt)
{
	struct view view;
	struct export e = { .view = &view, .path = opt->args[1] };
	int r;

	if (opt->json && !strcmp(e.path, "-"))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Take one of them.",
				 "export: --json and '-' both want standard output");
	r = view_probe(&view, opt, opt->args[0]);
	if (!r)
		r = opt->backup ? view_open_backup(&view) : view_open(&view);
	if (!r) {
		e.lost = json_object_new_array();
		r = export(&e, opt);
		json_object_put(e.lost);
		sink_close(&e.sink);
	}
	view_close(&view);
	return r;
}
