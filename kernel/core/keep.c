// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"

#define FIRST_MAX	16u

static bool grow(struct triad_keep *keep, u32 max)
{
	struct triad_kept *kept = triad_try_alloc(max * sizeof(*kept));
	u32 *freed = triad_try_alloc(max * sizeof(*freed));

	if (!kept || !freed) {
		triad_free(kept);
		triad_free(freed);
		return false;
	}
	if (keep->nr)
		memcpy(kept, keep->kept, keep->nr * sizeof(*kept));
	triad_free(keep->kept);
	triad_free(keep->freed);
	keep->kept = kept;
	keep->freed = freed;
	keep->nr_freed = 0;	/* they were read already */
	keep->max = max;
	return true;
}

int triad_keep_init(struct triad_keep *keep, const struct triad_geometry *geo)
{
	keep->from = TRIAD_KEEP_NONE;
	keep->zones = triad_alloc(geo->nr_zones * sizeof(*keep->zones));
	return keep->zones && grow(keep, FIRST_MAX) ? 0 : -ENOMEM;
}

void triad_keep_free(struct triad_keep *keep)
{
	while (keep->nr)
		triad_list_free(&keep->kept[--keep->nr].runs);
	triad_free(keep->kept);
	triad_free(keep->freed);
	triad_free(keep->zones);
}

u64 triad_keep_first(const struct triad_core *core)
{
	const struct triad_keep *keep = &core->space.keep;

	return keep->nr ? keep->kept[0].first : core->backup_seq;
}

/* What the zones of this interval hold is not known any more. */
static void forget_zones(struct triad_space *space, const struct triad_list *runs)
{
	u64 zone, last;
	u32 i;

	for (i = 0; i < runs->nr; i++) {
		zone = triad_zone_of(space->geo, triad_run_start(runs->v[i]));
		last = triad_zone_of(space->geo, triad_run_end(runs->v[i]) - 1);
		for (; zone <= last; zone++)
			space->keep.zones[zone] = 0;
	}
}

/* Let the oldest intervals go that end before this record, or there. */
static void release(struct triad_space *space, u64 seq)
{
	struct triad_keep *keep = &space->keep;
	u32 i, nr;

	for (nr = 0; nr < keep->nr && keep->kept[nr].end <= seq; nr++) {
		struct triad_kept *k = &keep->kept[nr];

		keep->nr_blocks -= k->nr_blocks;
		keep->nr_runs -= k->runs.nr;
		forget_zones(space, &k->runs);
		triad_list_free(&k->runs);
	}
	if (!nr)
		return;
	keep->nr -= nr;
	memmove(keep->kept, keep->kept + nr, keep->nr * sizeof(*keep->kept));
	/* as they are, they do not know that there is room */
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		space->loaded[i].loaded = false;
}

void triad_keep_from(struct triad_core *core, u64 seq)
{
	struct triad_keep *keep = &core->space.keep;

	keep->from = seq;
	keep->given_up = false;
	release(&core->space, seq);
}

void triad_keep_give_up(struct triad_core *core)
{
	struct triad_keep *keep = &core->space.keep;

	triad_keep_from(core, TRIAD_KEEP_NONE);
	keep->given_up = true;
	keep->nr_given_up++;
}

void triad_keep_begin(struct triad_core *core)
{
	struct triad_keep *keep = &core->space.keep;
	u32 birth = (u32)core->root.generation;

	/* b's log is kept from its end on, if at all: that may be asked for meanwhile */
	keep->freed_birth = keep->nr ? keep->kept[0].birth : birth;
	keep->nr_freed = birth - keep->freed_birth + 1;
	memset(keep->freed, 0, keep->nr_freed * sizeof(*keep->freed));
}

static u32 freed_of(const struct triad_keep *keep, u32 birth)
{
	return birth - keep->freed_birth < keep->nr_freed ?
		keep->freed[birth - keep->freed_birth] : 0;
}

/* b's log, of which c has all that it needs; false: there is no memory for that. */
static bool add(struct triad_core *core)
{
	struct triad_space *space = &core->space;
	struct triad_keep *keep = &space->keep;
	const struct triad_list *log = &space->log_backup;
	struct triad_kept *k = &keep->kept[keep->nr];
	u64 *runs = NULL;

	if (keep->nr_runs + log->nr > TRIAD_MAX_KEPT_RUNS)
		return false;
	if (log->nr) {
		runs = triad_try_alloc(log->nr * sizeof(*runs));
		if (!runs)
			return false;
		memcpy(runs, log->v, log->nr * sizeof(*runs));
	}
	*k = (struct triad_kept) {
		.first = core->backup_seq, .end = core->root.next_seq,
		.birth = (u32)core->root.generation,
		.runs = { .v = runs, .nr = log->nr, .max = log->nr },
		.nr_blocks = space->dead,
		.nr_leaving = freed_of(keep, (u32)core->root.generation),
	};
	keep->nr++;
	keep->nr_runs += log->nr;
	keep->nr_blocks += k->nr_blocks;
	/* for one more, the one that is b's then */
	return keep->nr < keep->max ||
	       (keep->max < TRIAD_MAX_KEPT && grow(keep, 2 * keep->max));
}

/* Whoever asks for more than half of what is free would have commits without end. */
static u64 limit(const struct triad_core *core)
{
	u64 left = core->geo.usable - core->commit.root.used;

	return core->keep_max ? min_t(u64, core->keep_max, left / 2) : left / 8;
}

void triad_keep_land(struct triad_core *core)
{
	struct triad_keep *keep = &core->space.keep;
	bool fits = true;
	u32 i;

	for (i = 0; i < keep->nr; i++) {
		struct triad_kept *k = &keep->kept[i];

		keep->nr_blocks += k->nr_leaving;
		k->nr_blocks += k->nr_leaving;
		k->nr_leaving = freed_of(keep, k->birth);
	}
	if (keep->from < core->root.next_seq)
		fits = add(core);
	keep->nr_freed = 0;
	core->backup_seq = core->root.next_seq;
	if (!fits || keep->nr_blocks > limit(core))
		triad_keep_give_up(core);
}
