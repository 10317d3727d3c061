// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rule 12 as far as the disk can tell: has somebody else written roots here?
 *
 * Who does that commits over slot a, or writes the pointer of c: those two are looked at
 * before anything is written that relies on them; with a lost, what is written in its place.  Not all that differs is somebody
 * else's: the disk may have lost a root, or a part of it, and a write that failed may
 * have come as far as the disk or not.  All that heals by being written anew.
 */
#include "core.h"

#define SECTOR	sizeof(struct triad_root_disk)

static bool is_empty(const u8 *p)
{
	u32 i;

	for (i = 0; i < SECTOR; i++)
		if (p[i])
			return false;
	return true;
}

static bool is_ours(const struct triad_seen *seen, unsigned int nr, const void *block)
{
	struct triad_slot slot;

	/* what was there before comes back if the disk lost the last write */
	if (!memcmp(block, seen->last, SECTOR) || !memcmp(block, seen->before, SECTOR) ||
	    is_empty(block))
		return true;
	triad_root_decode(&slot, nr, block);
	return slot.state == TRIAD_SLOT_TORN;
}

/* What cannot be read, on the other hand, tells nothing, and is no reason to stop. */
static int check(struct triad_core *core, int nr)
{
	void *block = core->commit.plane;

	if (core->store->ops->read_root(core->store, nr, block))
		return 0;
	if (!is_ours(&core->seen[nr], nr, block)) {
		core->stranger = nr;
		return -ESTALE;
	}
	memcpy(core->seen[nr].before, block, SECTOR);
	return 0;
}

void triad_guard_read(struct triad_core *core, int nr, const void *block)
{
	struct triad_seen *seen = &core->seen[nr];

	memcpy(seen->last, block, SECTOR);
	memcpy(seen->before, block, SECTOR);
}

int triad_guard_check(struct triad_core *core)
{
	int r = check(core, triad_lost_next(core));

	return r ? r : check(core, core->slot_c);
}

bool triad_guard_accept(struct triad_core *core, int nr)
{
	struct triad_seen *seen = &core->seen[nr];
	void *block = core->commit.plane;
	struct triad_slot slot;

	if (core->store->ops->read_root(core->store, nr, block))
		return false;
	triad_root_decode(&slot, nr, block);
	if (memcmp(block, seen->last, SECTOR) && slot.state != TRIAD_SLOT_EMPTY &&
	    (slot.state == TRIAD_SLOT_FOREIGN ||
	     memcmp(slot.root.uuid, core->root.uuid, sizeof(slot.root.uuid)) ||
	     (slot.state == TRIAD_SLOT_VALID && slot.root.generation > core->root.generation)))
		return false;
	memcpy(seen->before, block, SECTOR);
	return true;
}

int triad_guard_write(struct triad_core *core, int nr, const void *block)
{
	int r = triad_guard_check(core);

	if (r)
		return r;
	memcpy(core->seen[nr].last, block, SECTOR);
	return core->store->ops->write_root(core->store, nr, block);
}
