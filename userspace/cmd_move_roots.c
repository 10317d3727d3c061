// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * move-roots: the three roots of a closed device go to another place.
 *
 * At no moment are both places valid, and the moment at which one takes over from the other
 * is the write of one sector:
 *
 *  1. Copies of the roots are written to the new place, marked as not finished.
 *  2. The current root in the old place is marked as moved; then the other two.
 *  3. The marks in the new place are taken away, that of the current root last.
 *
 * Up to the first sector of 2 the old place is as it was.  From then on neither opens until
 * the last sector of 3, and the same command, given again, goes on where it was cut.
 */
#include <inttypes.h>
#include <stdio.h>

#include "report.h"
#include "signature.h"
#include "view.h"

struct move {
	const struct options *opt;
	struct view view;	/* the old place */
	struct disk to;		/* the new one */
	u8 layout;
	int order[TRIAD_NR_SLOTS];	/* the current root first */
};

static const char untouched[] = "Nothing was changed.";

static int open_target(struct move *move)
{
	const struct options *opt = move->opt;
	const char *which;
	int r;

	if (!opt->nr_to)
		return tool_fail(TOOL_USAGE, untouched, "move-roots: --to is missing");
	if (opt->nr_to == 2)
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Name one device for all three "
				 "roots, or three devices.",
				 "--to is given twice: it takes one device or three");
	r = disk_open_target(&move->to, &move->view.disk, opt->to, opt->nr_to, &which);
	if (r == -EEXIST)
		return tool_fail(TOOL_USAGE, untouched, "%s is named twice", which);
	if (!r)
		r = disk_attached(&move->to, &which);
	if (r)
		return tool_fail_open(which, r, true);
	move->layout = move->to.nr_roots;
	if (move->layout == view_current(&move->view)->root_layout && !move->layout)
		return tool_fail(TOOL_USAGE, untouched, "%s: its roots lie there already",
				 move->view.path);
	return 0;
}

static int refuse_others(const struct device *dev, const char *why)
{
	return tool_fail(TOOL_BUSY, "Nothing was changed.  If that may be lost, use --force.",
			 "%s: %s", dev->path, why);
}

/* May this slot of the new place be written over? */
static int check_slot(struct move *move, unsigned int nr)
{
	struct signature found[MAX_SIGNATURES];
	const u8 *uuid = view_current(&move->view)->uuid;
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	struct triad_slot slot;
	char why[160];
	u64 offset;
	const struct device *dev = disk_slot(&move->to, nr, &offset);
	int r;

	if (dev->bytes < offset + TRIAD_BLOCK_SIZE)
		return tool_fail(TOOL_DEVICE, untouched, "%s: it ends before the place of slot %u",
				 dev->path, nr);
	r = move->to.store.ops->read_root(&move->to.store, nr, block);
	if (r)
		return tool_fail(tool_exit_of(r), untouched, "%s: reading it: %s", dev->path,
				 strerror(-r));
	if (move->opt->force)
		return 0;
	triad_root_decode(&slot, nr, block);
	if (slot.state != TRIAD_SLOT_EMPTY &&
	    memcmp(slot.root.uuid, uuid, sizeof(slot.root.uuid))) {
		snprintf(why, sizeof(why), "what lies in the place of slot %u may be somebody "
			 "else's", nr);
		return refuse_others(dev, why);
	}
	if (move->layout && signature_find(dev, found) > 0) {
		snprintf(why, sizeof(why), "it holds data (%s)", found[0].type);
		return refuse_others(dev, why);
	}
	return 0;
}

/* A root of the old place as it is here or there, with this mark. */
static int write_root(struct move *move, struct disk *disk, unsigned int nr, u8 layout,
		      u32 incompat)
{
	struct triad_root root = move->view.slots[nr].root;
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u64 offset;
	int r;

	root.root_layout = layout;
	root.incompat = incompat;
	r = triad_root_seal(&root, move->view.hash, block);
	if (!r)
		r = disk->store.ops->write_root(&disk->store, nr, block);
	if (!r)
		return 0;
	return tool_fail(tool_exit_of(r),
			 "No data is lost.  Give the same command again to finish it.",
			 "%s: writing the root of slot %u: %s", disk_slot(disk, nr, &offset)->path,
			 nr, strerror(-r));
}

/* The root that lies in the new place is this one of the old place. */
static bool is_copy(struct move *move, unsigned int nr, u32 incompat)
{
	struct triad_root root = move->view.slots[nr].root;
	u8 there[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	u8 want[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));

	root.root_layout = move->layout;
	root.incompat = incompat;
	return !triad_root_seal(&root, move->view.hash, want) &&
	       !move->to.store.ops->read_root(&move->to.store, nr, there) &&
	       !memcmp(there, want, sizeof(want));
}

/* Where an interrupted move goes on: the new place must hold what is to become valid. */
static int check_copies(struct move *move)
{
	int i, nr_done = 0;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		if (is_copy(move, move->order[i], 0))
			nr_done++;
		else if (!is_copy(move, move->order[i], TRIAD_INCOMPAT_MOVING))
			break;
	}
	if (i < TRIAD_NR_SLOTS)
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  Name the devices of --to that "
				 "were given when it began; if\n  it was finished, those are its root "
				 "devices now.",
				 "%s: its roots were moved, but not to here, or they are in use there",
				 move->view.path);
	if (nr_done == TRIAD_NR_SLOTS)
		return tool_fail(TOOL_BUSY, untouched, "%s: its roots were moved to there already",
				 move->view.path);
	return 0;
}

static int copy(struct move *move)
{
	int i, r = 0;

	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = check_slot(move, i);
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = write_root(move, &move->to, i, move->layout, TRIAD_INCOMPAT_MOVING);
	return r;
}

/* Steps 2 and 3. */
static int take_over(struct move *move)
{
	u8 layout = view_current(&move->view)->root_layout;
	int i, r = 0;

	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		if (move->view.slots[move->order[i]].root.incompat != TRIAD_INCOMPAT_MOVED)
			r = write_root(move, &move->view.disk, move->order[i], layout,
				       TRIAD_INCOMPAT_MOVED);
	for (i = TRIAD_NR_SLOTS; i-- && !r; )
		if (!is_copy(move, move->order[i], 0))
			r = write_root(move, &move->to, move->order[i], move->layout, 0);
	return r;
}

/* Of the old place: whole, and closed. */
static int check_source(struct move *move)
{
	struct view *view = &move->view;
	int i, nr = 0, r;

	if (!view_current(view))
		return view_refuse(view);
	move->order[nr++] = view->choice.cur;
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (i != view->choice.cur)
			move->order[nr++] = i;
	if (view->choice.degraded)
		return tool_fail(TOOL_DEGRADED, "Nothing was changed.  Heal it first: triadsetup heal.",
				 "%s: one of its roots is bad: %s", view->path,
				 view_case(&view->choice));
	if (view_current(view)->incompat == TRIAD_INCOMPAT_MOVED)
		return view_layout(view);
	r = view_open(view);
	if (!r && triad_core_lost_log(&view->core))
		r = tool_fail(TOOL_DAMAGED, untouched, "%s: flushed records of its log are damaged",
			      view->path);
	return r ? r : view_may_write(view);
}

static void say_done(const struct move *move)
{
	const struct options *opt = move->opt;
	struct json_object *devices;
	unsigned int i;

	if (opt->json) {
		devices = json_object_new_array();
		for (i = 0; move->layout && i < opt->nr_to; i++)
			json_array_add_text(devices, opt->to[i]);
		json_add(json_document(), "root_devices", devices);
		return;
	}
	printf("%s: its roots lie %s now%s", move->view.path, move->layout ? "elsewhere" :
	       "on the device itself", move->layout ? ":" : "");
	for (i = 0; move->layout && i < opt->nr_to; i++) {
		printf(" --root-device ");
		put_quoted(stdout, opt->to[i]);
	}
	putchar('\n');
}

int cmd_move_roots(const struct options *opt)
{
	struct move move = { .opt = opt };
	bool goes_on;
	int r;

	disk_none(&move.to);
	r = view_probe_to_write(&move.view, opt, opt->args[0]);
	if (!r)
		r = check_source(&move);
	if (!r)
		r = open_target(&move);
	if (!r) {
		goes_on = view_current(&move.view)->incompat == TRIAD_INCOMPAT_MOVED;
		r = goes_on ? check_copies(&move) : copy(&move);
	}
	if (!r)
		r = take_over(&move);
	if (!r)
		say_done(&move);
	disk_close_target(&move.to);
	view_close(&move.view);
	return r;
}
