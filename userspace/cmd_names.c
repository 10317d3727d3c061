// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * label and uuid: other names for a closed device.
 *
 * A label is in the roots alone, and they need not agree in it.  Each is sealed anew and
 * written over itself, the current one last: whichever write is cut short, two roots are
 * whole, and they are those of the same state.
 *
 * The UUID is in the headers of log records, of bitmaps and counters, too, and roots belong
 * together only if they agree in it:
 *
 *  1. A commit empties the log, and three roots are made that repeat it.  So there is one
 *     state, without any record, whichever two roots tell of it.
 *  2. The bitmaps of the zones in use get the new UUID, then the counters.  Those that have
 *     it count as damaged under the old one.  Cut short among the bitmaps it opens as ever,
 *     but for each such zone that it needs it looks through the whole map.
 *  3. The roots get it, the current one last.  After the first the third is another
 *     device's, after the second the first is: opened in between it is read-only.
 *
 * The same command, given again, goes on from any of this.
 */
#include <inttypes.h>
#include <stdio.h>

#include "names.h"
#include "report.h"
#include "view.h"

static const char finish[] = "No data is lost.  Give the same command again to finish it.";

/* Each root over itself, the current one last. */
static int seal_again(struct view *view, const u8 *uuid, const u8 *label)
{
	const struct triad_core *core = &view->core;
	const int order[] = { core->slot_a, TRIAD_NR_SLOTS - core->slot_a - core->slot_c, core->slot_c };
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	struct triad_store *store = &view->disk.store;
	struct triad_slot slot;
	u64 offset;
	int i, nr, r;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		nr = order[i];
		r = store->ops->read_root(store, nr, block);
		if (!r) {
			triad_root_decode(&slot, nr, block);
			r = slot.state == TRIAD_SLOT_VALID ? 0 : -EUCLEAN;
		}
		if (uuid)
			memcpy(slot.root.uuid, uuid, TRIAD_UUID_SIZE);
		if (label)
			memcpy(slot.root.label, label, TRIAD_LABEL_SIZE);
		if (!r)
			r = triad_root_seal(&slot.root, view->hash, block);
		if (!r)
			r = store->ops->write_root(store, nr, block);
		if (r)
			return tool_fail(tool_exit_of(r), finish, "%s: writing the root of slot %d: %s",
					 disk_slot(&view->disk, nr, &offset)->path, nr, strerror(-r));
	}
	return 0;
}

static int refuse_degraded(const struct view *view)
{
	return tool_fail(TOOL_DEGRADED, "Nothing was changed.  Heal it first: triadsetup heal.",
			 "%s: one of its roots is bad: %s", view->path, view_case(&view->choice));
}

/* ---- label ------------------------------------------------------------------------ */

static int change_label(struct view *view, const struct options *opt)
{
	u8 label[TRIAD_LABEL_SIZE];
	char text[TEXT_SIZE];
	int r;

	r = label_parse("label", opt->args[1], label);
	if (!r)
		r = view_may_write(view);
	if (!r && view->choice.degraded)
		r = refuse_degraded(view);
	if (!r)
		r = seal_again(view, NULL, label);
	if (r)
		return r;
	text_label(label, sizeof(label), text);
	if (opt->json)
		json_add_text(json_document(), "label", text);
	else if (text[0])
		printf("%s: its label is %s now\n", view->path, text);
	else
		printf("%s: it has no label now\n", view->path);
	return 0;
}

int cmd_label(const struct options *opt)
{
	return view_change(opt, opt->args[0], change_label);
}

/* ---- UUID ------------------------------------------------------------------------- */

static bool same_state(const struct triad_root *x, const struct triad_root *y)
{
	return x->device_blocks == y->device_blocks && x->logical_blocks == y->logical_blocks &&
	       x->next == y->next && x->next_seq == y->next_seq && x->segment == y->segment &&
	       x->hwm_zones == y->hwm_zones && !memcmp(&x->map, &y->map, sizeof(x->map)) &&
	       !memcmp(x->chain, y->chain, sizeof(x->chain)) &&
	       !memcmp(x->summary_sum, y->summary_sum, sizeof(x->summary_sum));
}

/* What step 1 makes, as far as an interrupted step 3 has left it: there is nothing to heal. */
static bool is_one_state(const struct triad_core *core)
{
	const struct triad_slot *slot;
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		slot = &core->slots[i];
		if ((slot->state != TRIAD_SLOT_VALID && slot->state != TRIAD_SLOT_FOREIGN) ||
		    !same_state(&slot->root, &core->root))
			return false;
	}
	return !core->replayed_records;
}

/* Step 1.  What is read anew has no session, as repeats want it. */
static int make_one_state(struct view *view)
{
	struct triad_core *core = &view->core;
	int i, r = 0;

	if (triad_core_needs_heal(core))
		r = triad_core_heal_over(core);
	if (!r && triad_commit_needed(core, true))
		r = triad_commit_alone(core, true);
	if (r)
		return r;
	triad_core_close(core);
	memset(core, 0, sizeof(*core));
	core->store = &view->disk.store;
	core->hash = view->hash;
	r = triad_core_open(core, disk_blocks(&view->disk));
	view->opened = !r;
	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = triad_commit_again(core);
	return r ? r : core->store->ops->flush(core->store);
}

/* A block with this header, whoever's: the rest of it is verified by whoever may use it. */
static bool is_whole(struct triad_space_header_disk *head, u64 magic, u64 index, unsigned int slot)
{
	__le32 crc = head->crc;
	bool right;

	head->crc = 0;
	right = le32_to_cpu(crc) == triad_crc32c(head, TRIAD_BLOCK_SIZE);
	head->crc = crc;
	return right && le64_to_cpu(head->magic) == magic && le64_to_cpu(head->index) == index &&
	       head->slot == slot;
}

static int stamp(struct triad_store *store, u64 pba, struct triad_space_header_disk *head,
		 const u8 *uuid)
{
	memcpy(head->uuid, uuid, TRIAD_UUID_SIZE);
	head->crc = 0;
	head->crc = cpu_to_le32(triad_crc32c(head, TRIAD_BLOCK_SIZE));
	return store->ops->write(store, pba, 1, head);
}

/*
 * The counters.  Those of the current root are proven by the sum in it; others are written
 * anew before they are read.
 */
static int stamp_summaries(struct view *view, const u8 *uuid)
{
	struct triad_core *core = &view->core;
	struct triad_summary_disk block;
	u64 zone, pba;
	unsigned int slot;
	int r = 0;

	for (zone = 0; zone < core->space.hwm && !r; zone += TRIAD_SUMMARY_ZONES) {
		for (slot = 0; slot < TRIAD_NR_SLOTS && !r; slot++) {
			pba = triad_summary_pba(&core->geo, zone, slot);
			r = core->store->ops->read(core->store, pba, 1, &block);
			if (!r && is_whole(&block.head, TRIAD_SUMMARY_MAGIC, zone, slot))
				r = stamp(core->store, pba, &block.head, uuid);
		}
	}
	return r;
}

/* Under which UUID the bitmap of the current root is: the old one, but for a change that was cut. */
static void peek(struct triad_space *space, bool goes_on, const struct triad_plane_disk *plane)
{
	if (goes_on)
		memcpy(space->uuid, plane->head.uuid, sizeof(space->uuid));
}

/* A bitmap built anew is as old as the last change of its zone. */
static int write_plane(const struct triad_core *core, u64 zone, const u8 *uuid, const u8 *bits,
		       struct triad_plane_disk *plane)
{
	const struct triad_space *space = &core->space;
	struct triad_root root = core->root;
	u32 changed = space->zones[zone].changed;

	memcpy(root.uuid, uuid, sizeof(root.uuid));
	root.generation -= changed ? (u32)triad_root_turn(&root) - changed : 0;
	memcpy(plane->bits, bits, sizeof(plane->bits));
	return triad_space_write(space, TRIAD_PLANE_MAGIC, zone, &root,
				 triad_plane_pba(space->geo, zone, space->slot_c), plane);
}

/*
 * The bitmaps of one zone.  That of the current root is verified, or built anew.  The other
 * two are taken if they are this device's, or say the same: a zone that did not change for
 * long relies on them.
 */
static int stamp_zone(struct triad_core *core, u64 zone, bool goes_on, const u8 *uuid)
{
	struct triad_space *space = &core->space;
	static u8 bits[TRIAD_PLANE_BITS / 8];
	struct triad_plane_disk plane;
	const u8 *old = core->root.uuid;
	bool rebuilt = false;
	unsigned int slot;
	u64 pba;
	int r;

	r = core->store->ops->read(core->store, triad_plane_pba(&core->geo, zone, space->slot_c), 1,
				   &plane);
	if (r)
		return r;
	peek(space, goes_on, &plane);
	r = triad_space_read_current(space, zone, bits, space->buffer, NULL, &rebuilt);
	memcpy(space->uuid, old, sizeof(space->uuid));
	if (!r && rebuilt)
		r = write_plane(core, zone, uuid, bits, &plane);
	for (slot = 0; slot < TRIAD_NR_SLOTS && !r; slot++) {
		pba = triad_plane_pba(&core->geo, zone, slot);
		r = core->store->ops->read(core->store, pba, 1, &plane);
		if (!r && is_whole(&plane.head, TRIAD_PLANE_MAGIC, zone, slot) &&
		    (!memcmp(plane.head.uuid, old, TRIAD_UUID_SIZE) ||
		     !memcmp(plane.bits, bits, sizeof(bits))))
			r = stamp(core->store, pba, &plane.head, uuid);
	}
	return r;
}

static int change_all(struct view *view, const u8 *uuid)
{
	struct triad_core *core = &view->core;
	bool goes_on = is_one_state(core);
	u64 zone;
	int r = goes_on ? 0 : make_one_state(view);

	for (zone = 0; zone < core->space.hwm && !r; zone++) {
		progress("bitmaps", zone, core->space.hwm);
		r = stamp_zone(core, zone, goes_on, uuid);
	}
	progress("", 0, 0);
	if (!r)
		r = core->store->ops->flush(core->store);
	if (!r)
		r = stamp_summaries(view, uuid);
	if (!r)
		r = core->store->ops->flush(core->store);
	if (r)
		return tool_fail(tool_exit_of(r), finish, "%s: %s", view->path, strerror(-r));
	return seal_again(view, uuid, NULL);
}

static int change_uuid(struct view *view, const struct options *opt)
{
	char text[TEXT_SIZE], was[TEXT_SIZE];
	u8 uuid[TRIAD_UUID_SIZE];
	int r;

	r = uuid_take("uuid", opt->nr_args > 1 ? opt->args[1] : NULL, uuid);
	if (!r)
		r = view_may_write(view);
	if (!r && triad_core_lost_log(&view->core))
		r = tool_fail(TOOL_DAMAGED, "Nothing was changed.", "%s: flushed records of its log are "
			      "damaged", view->path);
	if (!r && view->choice.degraded && !is_one_state(&view->core))
		r = refuse_degraded(view);
	if (r)
		return r;
	text_uuid(view->core.root.uuid, was);
	r = change_all(view, uuid);
	if (r)
		return r;
	text_uuid(uuid, text);
	if (opt->json) {
		json_add_text(json_document(), "uuid", text);
		json_add_text(json_document(), "old_uuid", was);
	} else {
		printf("%s: its UUID is %s now\n", view->path, text);
	}
	return 0;
}

int cmd_uuid(const struct options *opt)
{
	return view_change(opt, opt->args[0], change_uuid);
}
