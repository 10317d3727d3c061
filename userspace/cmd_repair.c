// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * repair: what each root still leads to, and one of them copied into a new device.
 *
 * What is right cannot be told any more when nothing can be proven, or the log has lost
 * what was flushed: a person decides.  The damaged device is only read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <uuid/uuid.h>

#include "content.h"
#include "report.h"
#include "signature.h"
#include "sink.h"
#include "view.h"
#include "writer.h"

#define MAX_SHOWN	20u	/* places that are named one by one */

static const char untouched[] = "Nothing was changed.";

/* ---- LBAs that cannot be had -------------------------------------------------------- */

typedef int (*lost_fn)(void *context, u64 lba);

/* Those of a place that the log has nothing newer for. */
static int each_lost(const struct triad_core *core, u64 lba, u64 nr, lost_fn fn, void *context)
{
	u64 pba, end = min_t(u64, lba + nr, core->geo.logical_blocks);
	u32 csum;
	int r = 0;

	for (; lba < end && !r; lba++)
		if (!triad_index_lookup(core->active, lba, &pba, &csum))
			r = fn(context, lba);
	return r;
}

/* ---- the candidates ------------------------------------------------------------------- */

/* What is left behind the root in one slot. */
struct candidate {
	bool usable;
	const char *why;	/* else */
	struct triad_root root;
	u64 nr_records, nr_blocks;	/* of its log */
	u64 end;		/* number of the record that comes next */
	u64 furthest;		/* the same, with the log */
	u64 end_pba;
	bool lost_log;		/* record end was flushed and is damaged */
	u64 nr_lost;		/* LBAs that cannot be read: see --data */
};

static int count_lost(void *context, u64 lba)
{
	struct candidate *c = context;

	(void)lba;
	c->nr_lost++;
	return 0;
}

struct look {
	const struct triad_core *core;
	struct candidate *candidate;
	u64 nr_seen;
};

static int look_at_node(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct look *look = context;

	(void)level;
	(void)ref;
	progress("map", look->nr_seen++, look->core->root.used + 1);
	return error ? each_lost(look->core, lba, nr, count_lost, look->candidate) : 0;
}

static int look_at_block(void *context, const struct content_block *block)
{
	struct look *look = context;

	progress("data", look->nr_seen++, look->core->root.used + 1);
	if (block->data)
		return 0;
	if (block->in_log)
		return count_lost(look->candidate, block->lba);
	return each_lost(look->core, block->lba, block->nr, count_lost, look->candidate);
}

static const char *explain(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
		return "it uses features that this program does not know";
	case -EUCLEAN:
		return "it, or its log, says something impossible";
	case -ENODATA:
		return "no whole root";
	default:
		return strerror(-error);
	}
}

/* The device may be shorter than its root says: what lies behind is lost. */
static int open_slot(struct view *view, struct triad_core *core, int slot, bool with_log)
{
	memset(core, 0, sizeof(*core));
	core->store = &view->disk.store;
	core->hash = view->hash;
	return triad_core_open_at(core, ~0ULL, slot, with_log);
}

/* A root that is somebody else's, or not whole, leads nowhere. */
static const char *why_not(const struct triad_slot *slot)
{
	return slot->state == TRIAD_SLOT_VALID || slot->state == TRIAD_SLOT_STALE ? NULL :
	       slot->reason;
}

static int examine(struct view *view, const struct options *opt, int slot, struct candidate *c)
{
	struct triad_core *core = triad_alloc(sizeof(*core));
	struct look look = { .core = core, .candidate = c };
	int r;

	memset(c, 0, sizeof(*c));
	c->why = why_not(&view->slots[slot]);
	if (!core || c->why) {
		triad_free(core);
		return c->why ? 0 : -ENOMEM;
	}
	r = open_slot(view, core, slot, true);
	if (!r)
		c->furthest = core->next_seq;
	if (opt->without_log) {
		triad_core_close(core);
		r = open_slot(view, core, slot, false);
	}
	if (r) {
		c->why = explain(r);
		triad_free(core);
		return r == -ENOMEM ? r : 0;
	}
	c->usable = true;
	c->root = core->root;
	c->nr_records = core->replayed_records;
	c->nr_blocks = core->replayed_blocks;
	c->end = core->next_seq;
	c->end_pba = core->space.next;
	c->lost_log = triad_core_lost_log(core);
	r = opt->data ? content_walk(core, false, look_at_block, &look) :
			triad_map_walk(&core->space.map, look_at_node, &look);
	progress("", 0, 0);
	triad_core_close(core);
	triad_free(core);
	return r;
}

/* The furthest that any of them comes, with its log. */
static u64 furthest(const struct candidate *c)
{
	u64 most = 0;
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		most = c[i].furthest > most ? c[i].furthest : most;
	return most;
}

static void add_row(struct libscols_table *table, const struct view *view, int nr,
		    const struct candidate *c, u64 end)
{
	struct libscols_line *line = table_line(table);
	char text[TEXT_SIZE] = { view_letter(view, nr), 0 }, number[TEXT_SIZE];

	table_set(line, 0, text_number(nr, number));
	table_set(line, 1, text);
	if (!c->usable) {
		table_set(line, 7, c->why);
		return;
	}
	table_set(line, 2, text_number(c->root.generation, text));
	table_set(line, 3, text_time(c->root.time, text));
	table_set(line, 4, text_number(c->nr_records, text));
	table_set(line, 5, text_number(end - c->end, text));
	table_set(line, 6, text_number(c->nr_lost, text));
	table_set(line, 7, c->lost_log ? "its log has lost what was flushed" : "");
}

static struct json_object *candidate_json(const struct candidate *c, int nr, u64 end)
{
	struct json_object *out = json_object_new_object();

	json_add_number(out, "slot", nr);
	json_add_bool(out, "usable", c->usable);
	json_add_text(out, "reason", c->why);
	if (!c->usable)
		return out;
	json_add_number(out, "generation", c->root.generation);
	json_add_number(out, "time", c->root.time);
	json_add_number(out, "log_records", c->nr_records);
	json_add_number(out, "log_blocks", c->nr_blocks);
	json_add_number(out, "records_missing", end - c->end);
	json_add_number(out, "lost_blocks", c->nr_lost);
	json_add_bool(out, "lost_log", c->lost_log);
	return out;
}

static void show(const struct view *view, const struct options *opt, const struct candidate *c)
{
	static const char * const names[] = {
		">SLOT", "LETTER", ">GENERATION", "TIME", ">LOG", ">MISSING", ">LOST", "-",
	};
	struct libscols_table *table;
	u64 end = furthest(c);
	int i;

	if (opt->json) {
		struct json_object *list = json_object_new_array();

		for (i = 0; i < TRIAD_NR_SLOTS; i++)
			json_object_array_add(list, candidate_json(&c[i], i, end));
		json_add_number(json_document(), "case", view->choice.which);
		json_add_bool(json_document(), "data_checked", opt->data);
		json_add(json_document(), "candidates", list);
		return;
	}
	view_print_name(view);
	table = table_new(names, sizeof(names) / sizeof(names[0]));
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		add_row(table, view, i, &c[i], end);
	table_print(table);
	printf("LOG: records behind the root%s.  MISSING: records that the furthest of these has "
	       "more.\nLOST: blocks that cannot be read, %s.\n",
	       opt->without_log ? ", left out" : "", opt->data ? "map and data" :
	       "by the map; with --data also by their checksums");
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (c[i].lost_log)
			printf("slot %d: record %" PRIu64 " at block %" PRIu64 " was flushed and is "
			       "damaged: it and what came after it is lost\n", i, c[i].end,
			       c[i].end_pba);
	printf("case %d: %s\nTo copy one of them into a new device: triadsetup repair --slot SLOT "
	       "%s TARGET\n", view->choice.which, view_case(&view->choice), view->args);
}

static int list(struct view *view, const struct options *opt)
{
	struct candidate c[TRIAD_NR_SLOTS];
	bool any = false;
	int i, r;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		r = examine(view, opt, i, &c[i]);
		if (r)
			return tool_fail(tool_exit_of(r), untouched, "%s: slot %d: %s", view->path,
					 i, strerror(-r));
		any |= c[i].usable;
	}
	show(view, opt, c);
	return any ? 0 : tool_fail(TOOL_DAMAGED, untouched, "%s: no root leads to anything",
				   view->path);
}

/* ---- copying ------------------------------------------------------------------------------ */

struct repair {
	struct view *view;
	const char *path;
	struct triad_core *core;	/* what is copied */
	struct sink sink;
	struct triad_root root;		/* of the copy */
	struct triad_geometry geo;
	struct writer *writer;
	u64 nr_blocks, nr_lost;
	u64 lost_lba, lost_nr;		/* neighbours, not said yet */
	u32 nr_places;
	struct json_object *lost;
};

static void say_lost(struct repair *repair)
{
	struct json_object *place;

	if (!repair->lost_nr)
		return;
	if (repair->nr_places++ < MAX_SHOWN && repair->lost_nr == 1)
		tool_warn("LBA %" PRIu64 ": lost, and will read as an error", repair->lost_lba);
	else if (repair->nr_places <= MAX_SHOWN)
		tool_warn("LBA %" PRIu64 " to %" PRIu64 ": lost, and will read as errors",
			  repair->lost_lba, repair->lost_lba + repair->lost_nr - 1);
	place = json_object_new_object();
	json_add_number(place, "lba", repair->lost_lba);
	json_add_number(place, "blocks", repair->lost_nr);
	json_object_array_add(repair->lost, place);
	repair->lost_nr = 0;
}

static int put_lost(void *context, u64 lba)
{
	struct repair *repair = context;

	if (lba != repair->lost_lba + repair->lost_nr)
		say_lost(repair);
	if (!repair->lost_nr)
		repair->lost_lba = lba;
	repair->lost_nr++;
	repair->nr_lost++;
	return writer_put(repair->writer, lba, NULL);
}

static int put_block(void *context, const struct content_block *block)
{
	struct repair *repair = context;

	progress("copying", repair->nr_blocks, repair->core->root.used +
		 repair->core->replayed_blocks + 1);
	if (block->data) {
		repair->nr_blocks++;
		return writer_put(repair->writer, block->lba, block->data);
	}
	if (block->in_log)
		return put_lost(repair, block->lba);
	return each_lost(repair->core, block->lba, block->nr, put_lost, repair);
}

/* All that was chosen once stays as it was, but for the UUID, and the roots lie inside. */
static int take_root(struct repair *repair, const struct options *opt, u64 blocks)
{
	const struct triad_root *old = &repair->core->root;
	struct triad_root *root = &repair->root;
	const char *why;

	memcpy(root->label, old->label, sizeof(root->label));
	memcpy(root->hash, old->hash, sizeof(root->hash));
	root->checksum_kind = old->checksum_kind;
	root->root_layout = TRIAD_ROOTS_INSIDE;
	if (opt->uuid && uuid_parse(opt->uuid, root->uuid))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Make one with uuidgen.",
				 "--uuid: '%s' is no UUID", opt->uuid);
	if (!opt->uuid)
		uuid_generate(root->uuid);
	if (triad_geometry_init(&repair->geo, min_t(u64, blocks, TRIAD_MAX_BLOCKS),
				old->logical_blocks, old->zone_blocks, old->segment_blocks,
				old->interval_blocks, &why))
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  Name one that is at least as "
				 "large as the damaged device was.", "%s: %s", repair->path, why);
	return 0;
}

static int open_target(struct repair *repair, const struct options *opt)
{
	u64 blocks = repair->core->root.device_blocks;
	struct stat st;
	bool block;
	int r;

	if (!strcmp(repair->path, "-"))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Name a file or a device.",
				 "repair: it cannot write to a pipe");
	/* a device takes what fits, a file is made as large as the old device */
	block = !stat(repair->path, &st) && S_ISBLK(st.st_mode);
	r = sink_open(&repair->sink, repair->path, block ? 0 : blocks << TRIAD_BLOCK_SHIFT,
		      &repair->view->disk, opt->force);
	if (r)
		return r;
	if (block)
		blocks = repair->sink.old.bytes >> TRIAD_BLOCK_SHIFT;
	return take_root(repair, opt, blocks);
}

/* Whole or not at all: a file gets its name at the end, a device its roots. */
static int copy(struct repair *repair)
{
	struct device dev = repair->sink.old;
	int r = 0;

	if (repair->sink.kind == SINK_FILE)
		dev = (struct device) {
			.path = repair->path, .fd = repair->sink.fd, .sector = 512,
			.bytes = repair->geo.device_blocks << TRIAD_BLOCK_SHIFT,
		};
	else
		r = signature_wipe(&dev);
	if (!r)
		r = writer_open(repair->writer, &dev, repair->view->disk.bounce, &repair->root,
				&repair->geo, repair->view->hash);
	if (!r)
		r = content_walk(repair->core, false, put_block, repair);
	say_lost(repair);
	if (!r)
		r = writer_finish(repair->writer);
	writer_close(repair->writer);
	progress("", 0, 0);
	/* nothing is to be zeroed */
	repair->sink.at = repair->sink.size >> TRIAD_BLOCK_SHIFT;
	if (!r)
		r = sink_finish(&repair->sink);
	return r ? tool_fail(tool_exit_of(r), repair->sink.kind == SINK_FILE ?
			     "The damaged device was only read; what the name stood for is as it was." :
			     "The damaged device was only read; what was written to is no device yet.",
			     "%s: %s", repair->path, strerror(-r)) : 0;
}

static int report(const struct repair *repair, const struct options *opt)
{
	char uuid[TEXT_SIZE];
	struct json_object *out;

	text_uuid(repair->root.uuid, uuid);
	if (opt->json) {
		out = json_document();
		json_add_text(out, "target", repair->path);
		json_add_text(out, "target_uuid", uuid);
		json_add_number(out, "blocks", repair->nr_blocks);
		json_add_number(out, "log_records", repair->core->replayed_records);
		json_add_number(out, "lost_blocks", repair->nr_lost);
		json_add(out, "lost", json_object_get(repair->lost));
	} else if (!opt->batch) {
		printf("%s: a new device, UUID %s: %" PRIu64 " block%s, %" PRIu64
		       " record%s of the log applied\n", repair->path, uuid, repair->nr_blocks,
		       PLURAL(repair->nr_blocks), repair->core->replayed_records,
		       PLURAL(repair->core->replayed_records));
	}
	if (!repair->nr_lost)
		return 0;
	if (repair->nr_places > MAX_SHOWN)
		tool_warn("%u places in all; --json names them", repair->nr_places);
	return tool_fail(TOOL_DAMAGED, "All else is there.  Look for these in a backup and write "
			 "them: until then they read as errors.",
			 "%s: %" PRIu64 " block%s could not be read", repair->view->path,
			 repair->nr_lost, PLURAL(repair->nr_lost));
}

static int make_copy(struct view *view, const struct options *opt)
{
	struct repair repair = { .view = view, .path = opt->args[1] };
	int slot = opt->slot - 1, r;
	const char *why = why_not(&view->slots[slot]);

	repair.core = triad_alloc(sizeof(*repair.core));
	repair.writer = aligned_alloc(TRIAD_BLOCK_SIZE, (sizeof(*repair.writer) | 4095) + 1);
	if (!repair.core || !repair.writer) {
		r = tool_fail(TOOL_MEMORY, untouched, "out of memory");
		goto out;
	}
	r = why ? -ENODATA : open_slot(view, repair.core, slot, !opt->without_log);
	if (r) {
		r = tool_fail(TOOL_DAMAGED, "Nothing was changed.  See what there is: triadsetup "
			      "repair DEVICE", "%s: slot %d: %s", view->path, slot,
			      why ? why : explain(r));
		goto out;
	}
	repair.lost = json_object_new_array();
	r = open_target(&repair, opt);
	if (!r)
		r = copy(&repair);
	if (!r)
		r = report(&repair, opt);
	sink_close(&repair.sink);
	json_object_put(repair.lost);
	triad_core_close(repair.core);
out:
	triad_free(repair.core);
	free(repair.writer);
	return r;
}

int cmd_repair(const struct options *opt)
{
	bool copies = opt->nr_args == 2;
	struct view view;
	int r;

	if (copies != (opt->slot > 0))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  See what there is: triadsetup repair "
				 "DEVICE", copies ? "repair: with a target it takes --slot, too: what is right "
				 "a person decides" : "repair: with --slot it takes a target, too");
	r = view_probe(&view, opt, opt->args[0]);
	if (!r && !view.hash)
		r = view_refuse(&view);
	if (!r)
		r = copies ? make_copy(&view, opt) : list(&view, opt);
	view_close(&view);
	return r;
}
