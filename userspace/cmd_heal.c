// SPDX-License-Identifier: GPL-2.0-or-later
/* heal: what a writable opening does by itself, and with --force what it must not do. */
#include <inttypes.h>
#include <stdio.h>

#include "report.h"
#include "signature.h"
#include "view.h"

/* What libblkid knows may tell whose disk it is, wherever on it that lies. */
static void show_signatures(const struct device *dev)
{
	struct signature found[MAX_SIGNATURES];
	int i, nr = signature_find(dev, found);

	for (i = 0; i < nr; i++)
		fprintf(stderr, "  %s: %s%s%s at byte %" PRIu64 "\n", dev->path, found[i].type,
			found[i].label[0] ? ", label " : "", found[i].label, found[i].offset);
}

static int refuse_occupied(const struct view *view)
{
	int nr = view->core.slot_a;
	const struct triad_slot *slot = &view->core.slots[nr];
	char owner[TEXT_SIZE];
	u64 offset;
	const struct device *dev = disk_slot(&view->disk, nr, &offset);

	fprintf(stderr, "  slot %d, %s at byte %" PRIu64 ": %s%s\n", nr, dev->path, offset,
		slot->reason, view_owner(slot, owner));
	show_signatures(dev);
	return tool_fail(TOOL_BUSY,
			 "Nothing was changed.  If that may be lost, use --force.",
			 "%s: what lies in slot %d may be somebody else's (see above)",
			 view->path, nr);
}

/* Two roots carry on without it: there is nothing to be done before its device is there. */
static int refuse_lost(const struct view *view)
{
	int nr = view->core.slot_a;

	return tool_fail(TOOL_DEVICE,
			 "Nothing was changed; it can be opened as it is.  Put its device back, or an "
			 "empty one in its\n  place.  If it can be written though not read: --force.",
			 "%s: the root in slot %d cannot be had: %s", view->path, nr,
			 view->core.slots[nr].reason);
}

static int heal(struct view *view, const struct options *opt)
{
	struct triad_core *core = &view->core;
	int r, slot = core->slot_a;

	if (triad_core_lost_log(core))
		return tool_fail(TOOL_DAMAGED,
				 "Nothing was changed.  Copy what there is: triadsetup repair DEVICE",
				 "%s: flushed records of its log are damaged: healing would make that "
				 "final", view->path);
	r = view_may_write(view);
	if (r)
		return r;
	if (!triad_core_needs_heal(core)) {
		if (opt->json)
			json_add(json_document(), "healed", NULL);
		else
			printf("%s: three good roots, nothing to heal\n", view->path);
		return 0;
	}
	if (triad_core_is_occupied(core) && !opt->force)
		return refuse_occupied(view);
	if (triad_core_has_lost(core, slot) &&
	    (!opt->force || disk_missing(&view->disk) == slot))
		return refuse_lost(view);
	r = opt->force ? triad_core_heal_over(core) : triad_core_heal(core);
	if (r)
		return tool_fail(tool_exit_of(r),
				 "No data is lost; as long as a slot cannot be written, it stays so.",
				 "%s: healing failed: %s", view->path, strerror(-r));
	if (opt->json) {
		json_add_number(json_document(), "healed", slot);
		json_add_number(json_document(), "generation", core->root.generation);
		json_add_number(json_document(), "branch", core->root.branch);
		return 0;
	}
	printf("%s: healed slot %d; generation %" PRIu64 ", branch %" PRIu64 "\n", view->path,
	       slot, core->root.generation, core->root.branch);
	return 0;
}

int cmd_heal(const struct options *opt)
{
	return view_change(opt, opt->args[0], heal);
}
