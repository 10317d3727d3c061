// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe.h"

#include "device.h"

/* On one of three root devices lies a root at the place of slot 0, whatever its number is. */
static bool is_third(const struct triad_slot *slot)
{
	return slot->state == TRIAD_SLOT_FOREIGN && slot->root.slot > 0 &&
	       slot->root.slot < TRIAD_NR_SLOTS &&
	       slot->root.root_layout == TRIAD_ROOTS_THREE_DEVICES;
}

static void take(struct probe *found, const struct triad_root *root)
{
	found->root_device = root->root_layout != TRIAD_ROOTS_INSIDE;
	memcpy(found->uuid, root->uuid, sizeof(found->uuid));
	memcpy(found->label, root->label, sizeof(root->label));
}

/* The youngest of those that agree with slot first. */
static const struct triad_root *youngest(const struct triad_slot *slots, int first)
{
	const struct triad_root *best = &slots[first].root;
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (slots[i].state == TRIAD_SLOT_VALID &&
		    !memcmp(slots[i].root.uuid, best->uuid, TRIAD_UUID_SIZE) &&
		    slots[i].root.generation > best->generation)
			best = &slots[i].root;
	return best;
}

int probe_device(const char *path, struct probe *found)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	const char *which;
	struct disk disk;
	int first, r;

	memset(found, 0, sizeof(*found));
	r = disk_open(&disk, path, NULL, 0, DEVICE_READ, &which);
	if (r)
		return r;
	r = triad_core_probe(slots, &disk.store, &first);
	disk_close(&disk);
	if (!r)
		take(found, youngest(slots, first));
	else if (r == -ENODATA && is_third(&slots[0]))
		take(found, &slots[0].root), r = 0;
	else if (r == -ENODATA && slots[0].state == TRIAD_SLOT_UNREADABLE &&
		 slots[0].error != -ERANGE)
		r = slots[0].error;
	return r;
}
