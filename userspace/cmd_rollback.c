// SPDX-License-Identifier: GPL-2.0-or-later
/* rollback: back to the backup, for good; first what would be lost, then a question. */
#include <inttypes.h>
#include <stdio.h>

#include "content.h"
#include "report.h"
#include "view.h"

struct loss {
	u64 nr_writes, nr_discards;	/* what lies side by side in one record counts once */
	u64 nr_blocks;
	bool complete;
};

static int count_record(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct loss *loss = context;

	(void)core;
	if (rec->flags & TRIAD_RECORD_DISCARD)
		loss->nr_discards += rec->nr_extents;
	else if (!(rec->flags & TRIAD_RECORD_INTENT))
		loss->nr_writes += rec->nr_extents;
	loss->nr_blocks += rec->nr_blocks;
	return 0;
}

/* b's log leads through c to the newest write, if all of it is there. */
static int count_loss(struct triad_core *backup, u64 end, struct loss *loss)
{
	u64 nr_records, durable;
	int r = triad_replay_walk(backup, &nr_records, &durable, count_record, loss);

	loss->complete = backup->next_seq >= end;
	return r;
}

static void say_loss(const struct view *view, const struct loss *loss)
{
	const struct triad_core *core = &view->core;
	const struct triad_root *b = &core->slots[core->choice.backup].root, *c = &core->root;
	char bytes[TEXT_SIZE], from[TEXT_SIZE], to[TEXT_SIZE];

	text_size(loss->nr_blocks << TRIAD_BLOCK_SHIFT, bytes);
	fprintf(stderr, "%s: the backup is the state of the last commit but one, %s.\n",
		view->path, text_time(b->time, from));
	fprintf(stderr, "  Lost would be %s%" PRIu64 " write%s with %s and %" PRIu64 " discard%s",
		loss->complete ? "" : "at least ", loss->nr_writes, PLURAL(loss->nr_writes), bytes,
		loss->nr_discards, PLURAL(loss->nr_discards));
	fprintf(stderr, " in the %" PRIu64 " s\n  up to the last commit, %s, and %" PRIu64
		" record%s that the log holds since.\n%s", c->time > b->time ? c->time - b->time : 0,
		text_time(c->time, to), core->replayed_records, PLURAL(core->replayed_records),
		loss->complete ? "" : "  The log since the backup is damaged: what more there was "
		"cannot be counted.\n");
}

/* ---- is it whole? --------------------------------------------------------------- */

struct verify {
	const struct triad_core *core;
	u64 nr_good, nr_bad;
};

static int verify_block(void *context, const struct content_block *block)
{
	struct verify *v = context;

	progress("data of the backup", v->nr_good, v->core->root.used + 1);
	if (block->data)
		v->nr_good++;
	else
		v->nr_bad += block->nr;
	return 0;
}

static int verify_data(const struct view *view, struct triad_core *backup)
{
	struct verify v = { .core = backup };
	int r = content_walk(backup, false, verify_block, &v);

	progress("", 0, 0);
	if (r)
		return tool_fail(tool_exit_of(r), "Nothing was changed.", "%s: reading the backup: %s",
				 view->path, strerror(-r));
	if (v.nr_bad)
		return tool_fail(TOOL_DAMAGED, "Nothing was changed.  Save what there is: triadsetup "
				 "export --backup DEVICE FILE", "%s: %" PRIu64 " block%s of the backup "
				 "cannot be read", view->path, v.nr_bad, PLURAL(v.nr_bad));
	return 0;
}

/* ---- the command ------------------------------------------------------------------ */

/* What the core would refuse, in words. */
static int judge(struct view *view)
{
	struct triad_core *core = &view->core;
	int r;

	if (triad_core_lost_log(core))
		return tool_fail(TOOL_DAMAGED, "Nothing was changed.  See what there is, and copy "
				 "it elsewhere: triadsetup repair DEVICE",
				 "%s: flushed records of its log are damaged", view->path);
	r = view_may_write(view);
	if (r)
		return r;
	if (core->choice.degraded)
		return tool_fail(TOOL_DEGRADED, "Nothing was changed.  Copy what a root holds "
				 "elsewhere: triadsetup repair DEVICE",
				 "%s: a root is bad: what looks like the backup need not be whole",
				 view->path);
	if (core->root.branch == core->root.generation)
		return tool_fail(TOOL_DEGRADED, "Nothing was changed.  Finish that first: "
				 "triadsetup heal DEVICE",
				 "%s: healing or a rollback was cut short", view->path);
	return view_ready_backup(view);
}

static bool is_same(const struct triad_core *core, const struct loss *loss)
{
	const struct triad_root *b = &core->slots[core->choice.backup].root;

	return loss->complete && !loss->nr_writes && !loss->nr_discards &&
	       b->map.pba == core->root.map.pba && b->map.birth == core->root.map.birth;
}

static int examine(struct view *view, const struct options *opt, struct loss *loss)
{
	struct triad_core *backup = triad_alloc(sizeof(*backup));
	int r;

	if (!backup)
		return tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	backup->store = view->core.store;
	backup->hash = view->core.hash;
	r = triad_core_open_backup(backup, disk_blocks(&view->disk));
	if (!r)
		r = count_loss(backup, view->core.next_seq, loss);
	if (r)
		r = view_fail_backup(view, r);
	else if (opt->data)
		r = verify_data(view, backup);
	triad_core_close(backup);
	triad_free(backup);
	return r;
}

static int roll_back(struct view *view, const struct options *opt)
{
	struct triad_core *core = &view->core;
	struct loss loss = { 0 };
	int r;

	r = judge(view);
	if (!r)
		r = examine(view, opt, &loss);
	if (r)
		return r;
	if (is_same(core, &loss)) {
		if (opt->json)
			json_add_bool(json_document(), "gone_back", false);
		else
			printf("%s: the backup holds the same: nothing to go back from\n", view->path);
		return 0;
	}
	say_loss(view, &loss);
	r = tool_confirm(opt, view->path, "Going back cannot be undone.");
	if (r)
		return r;
	r = triad_core_rollback(core);
	if (r == -EBADMSG || r == -EUCLEAN)
		return view_fail_backup(view, r);
	if (r)
		return tool_fail(tool_exit_of(r), "It holds the one state or the other, whole: see "
				 "triadsetup roots.  If a commit landed, opening it finishes the rest.",
				 "%s: going back failed: %s", view->path, strerror(-r));
	if (opt->json) {
		json_add_bool(json_document(), "gone_back", true);
		json_add_number(json_document(), "lost_writes", loss.nr_writes);
		json_add_number(json_document(), "lost_discards", loss.nr_discards);
		json_add_number(json_document(), "lost_blocks", loss.nr_blocks);
		json_add_bool(json_document(), "counted_all", loss.complete);
		json_add_number(json_document(), "generation", core->root.generation);
		json_add_number(json_document(), "branch", core->root.branch);
		return 0;
	}
	printf("%s: gone back to the backup; generation %" PRIu64 ", branch %" PRIu64 "\n",
	       view->path, core->root.generation, core->root.branch);
	return 0;
}

int cmd_rollback(const struct options *opt)
{
	return view_change(opt, opt->args[0], roll_back);
}
