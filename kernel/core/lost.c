// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A slot whose device fails is given up for the session: the other two carry on, with the
 * next root always over b.  c alone is whole while that is written, and one sector is
 * written whole or not at all.  doc/protocol, "A lost slot", argues each moment.
 *
 * Planes and summaries lie on the data device and take turns as ever.
 */
#include "core.h"

/* Two of the three must stay; while degraded one of them is bad already. */
static bool is_too_many(const struct triad_core *core)
{
	u8 lost = core->store->lost;

	return lost & (lost - 1) ||
	       (core->degraded && lost && lost != 1u << core->slot_a);
}

int triad_lost_give_up(struct triad_core *core, int slot)
{
	u8 before = core->store->lost;

	core->store->lost |= 1u << slot;
	if (!is_too_many(core))
		return 0;
	core->store->lost = before;
	return -EIO;
}

int triad_lost_flush(struct triad_core *core)
{
	int r = core->store->ops->flush(core->store);

	return !r && is_too_many(core) ? -EIO : r;
}

int triad_lost_next(const struct triad_core *core)
{
	return triad_core_has_lost(core, core->slot_a) ?
		TRIAD_NR_SLOTS - core->slot_a - core->slot_c : core->slot_a;
}

void triad_lost_look(struct triad_core *core)
{
	if (triad_core_has_lost(core, core->slot_a) && triad_guard_accept(core, core->slot_a))
		core->store->lost &= ~(1u << core->slot_a);
}
