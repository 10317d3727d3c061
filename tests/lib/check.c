// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "check.h"

static char problem[200];

/* ---- reading -------------------------------------------------------------- */

struct reader {
	const struct triad_core *core;
	const struct disk *disk;
	u32 *content;
	bool tolerant;		/* of bad nodes */
	int error;		/* of the first one */
};

static u32 read_block(const struct reader *reader, u64 pba, u32 csum)
{
	u32 id = reader->disk->view[pba];

	return content_checksum(id, reader->core->root.checksum_kind) == csum ?
		id : CONTENT_ERROR;
}

static int read_visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct reader *reader = context;
	u64 end;

	if (error) {
		for (end = lba + nr; lba < end; lba++)
			reader->content[lba] = CONTENT_ERROR;
		reader->error = error;
		return reader->tolerant ? 0 : error;
	}
	if (level == TRIAD_VISIT_DATA)
		reader->content[lba] = read_block(reader, ref->pba, ref->csum);
	return 0;
}

static int read_all(const struct triad_core *core, const struct disk *disk, u32 *content,
		    bool tolerant)
{
	struct reader reader = { core, disk, content, tolerant, 0 };
	u64 lba, pba;
	u32 csum;
	int r;

	memset(content, 0, core->geo.logical_blocks * sizeof(*content));
	r = triad_map_walk(&core->space.map, read_visit, &reader);
	if (r)
		return r;
	for (lba = 0; lba < core->geo.logical_blocks; lba++) {
		if (triad_index_lookup(core->active, lba, &pba, &csum) ||
		    (core->frozen && triad_index_lookup(core->frozen, lba, &pba, &csum)))
			content[lba] = pba ? read_block(&reader, pba, csum) : 0;
	}
	return reader.error;
}

int check_read(const struct triad_core *core, const struct disk *disk, u32 *content)
{
	return read_all(core, disk, content, false);
}

int check_read_damaged(const struct triad_core *core, const struct disk *disk, u32 *content)
{
	return read_all(core, disk, content, true);
}

/* ---- structure ---------------------------------------------------------------- */

struct census {
	const struct triad_geometry *geo;
	u8 *c;			/* one byte per block: reached from c's map */
	u8 *log;		/* in a log list, or the next place */
};

static const char *say(const char *format, u64 a, u64 b, u64 c)
{
	snprintf(problem, sizeof(problem), format, (unsigned long long)a,
		 (unsigned long long)b, (unsigned long long)c);
	return problem;
}

static int census_visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct census *census = context;

	(void)level;
	(void)lba;
	(void)nr;
	if (error)
		return error;
	if (census->c[ref->pba]++)
		return -EEXIST;
	return 0;
}

static const char *check_planes(struct triad_core *core, const struct disk *disk,
				const struct census *census, bool leftovers)
{
	static struct triad_plane_disk buffer;
	static u8 bits[TRIAD_PLANE_BITS / 8], want[TRIAD_PLANE_BITS / 8];
	const struct triad_geometry *geo = &core->geo;
	u64 zone, used = 0, pending = 0;
	bool rebuilt;
	u32 i, n, plane;

	for (zone = 0; zone < geo->nr_zones; zone++) {
		u64 start = triad_zone_start(geo, zone);

		triad_space_empty_plane(geo, zone, want);
		for (i = n = 0; i < triad_zone_size(geo, zone); i++) {
			if (!census->c[start + i])
				continue;
			if (triad_bit(want, i))
				return say("block %llu is reached, but fixed", start + i, 0, 0);
			triad_bit_set(want, i);
			n++;
		}
		if (n && zone >= core->space.hwm)
			return say("zone %llu holds %llu blocks above the mark %llu", zone, n,
				   core->space.hwm);
		if (n != core->space.zones[zone].used)
			return say("zone %llu: %llu used, counter says %llu", zone, n,
				   core->space.zones[zone].used);
		used += n;
		pending += core->space.zones[zone].pending;
		if (triad_space_read_current(&core->space, zone, bits, &buffer, NULL, &rebuilt))
			return say("plane of zone %llu in slot %llu cannot be had", zone,
				   core->slot_c, 0);
		plane = disk->view[triad_plane_pba(geo, zone, core->space.slot_c)];
		if (rebuilt && !leftovers && !content_is_rotten(plane))
			return say("plane of zone %llu in slot %llu is bad or old", zone,
				   core->slot_c, 0);
		if (memcmp(bits, want, sizeof(bits)))
			return say("plane of zone %llu in slot %llu is not what c reaches", zone,
				   core->slot_c, 0);
	}
	if (used != core->space.used || used != core->root.used)
		return say("%llu used, space says %llu, root %llu", used, core->space.used,
			   core->root.used);
	/* without a backup nothing is pending: else free blocks would not be found */
	if (pending != core->space.pending)
		return say("%llu pending, root says %llu", pending, core->space.pending, 0);
	return NULL;
}

static const char *check_list(const struct census *census, const struct triad_list *list,
			      bool may_be_reached, const char *what, u64 *nr_unreached)
{
	u32 i;

	for (i = 0; i < list->nr; i++) {
		u64 pba = triad_run_start(list->v[i]);
		u64 end = triad_run_end(list->v[i]);

		for (; pba < end; pba++) {
			if (census->log[pba]++)
				return say(what, pba, 1, 0);
			if (census->c[pba] && !may_be_reached)
				return say(what, pba, 2, 0);
			*nr_unreached += !census->c[pba];
		}
	}
	return NULL;
}

/* b's plane, as far as it can be had. */
static bool b_reaches(struct triad_core *core, u64 pba)
{
	static struct triad_plane_disk buffer;
	static u8 bits[TRIAD_PLANE_BITS / 8];
	u64 zone = triad_zone_of(&core->geo, pba);

	return core->space.slot_b >= 0 &&
	       !triad_space_read_plane(&core->space, zone, core->space.slot_b, core->space.hwm_b,
				       0, bits, &buffer) &&
	       triad_bit(bits, pba - triad_zone_start(&core->geo, zone));
}

/* What is kept of the log before b is no part of it, and what nothing else holds is counted. */
static const char *check_kept(struct triad_core *core, const struct census *census)
{
	const struct triad_keep *keep = &core->space.keep;
	const char *what = NULL;
	u64 unreached = 0, nr = 0, pba;
	u32 i, j;

	for (i = 0; i < keep->nr && !what; i++)
		what = check_list(census, &keep->kept[i].runs, true,
				  "block %llu of the log that is kept is used twice (%llu)",
				  &unreached);
	for (i = 0; i < keep->nr && !what; i++)
		for (j = 0; j < keep->kept[i].runs.nr; j++)
			for (pba = triad_run_start(keep->kept[i].runs.v[j]);
			     pba < triad_run_end(keep->kept[i].runs.v[j]); pba++)
				nr += !census->c[pba] && !b_reaches(core, pba);
	if (!what && nr != keep->nr_blocks)
		what = say("%llu blocks are kept, counter says %llu", nr, keep->nr_blocks, 0);
	return what;
}

/* plane(b) against what is pending, and nothing of b taken for the log. */
static const char *check_backup(struct triad_core *core, const struct disk *disk,
				const struct census *census)
{
	static struct triad_plane_disk buffer;
	static u8 bits[TRIAD_PLANE_BITS / 8];
	const struct triad_geometry *geo = &core->geo;
	u64 zone, start;
	u32 i, n;

	for (zone = 0; zone < geo->nr_zones; zone++) {
		if (content_is_rotten(disk->view[triad_plane_pba(geo, zone, core->space.slot_b)]))
			continue;
		if (triad_space_read_plane(&core->space, zone, core->space.slot_b, core->space.hwm_b,
					   0, bits, &buffer))
			return say("plane of zone %llu in b's slot is unreadable", zone, 0, 0);
		start = triad_zone_start(geo, zone);
		for (i = n = 0; i < triad_zone_size(geo, zone); i++) {
			if (triad_zone_is_fixed(geo, zone, i) || !triad_bit(bits, i))
				continue;
			n += !census->c[start + i];
			if (census->log[start + i] && !census->c[start + i])
				return say("block %llu of b is in the log", start + i, 0, 0);
		}
		if (n != core->space.zones[zone].pending)
			return say("zone %llu: %llu blocks only b reaches, counter says %llu",
				   zone, n, core->space.zones[zone].pending);
	}
	return NULL;
}

static const char *check_lists(struct triad_core *core, const struct disk *disk,
			       const struct census *census, bool with_backup)
{
	struct triad_space *space = &core->space;
	const char *what = NULL;
	u64 dead = 0, unused = 0;

	/* with c lost before, b's log may have been taken for another already */
	if (with_backup)
		what = check_list(census, &space->log_backup, true,
				  "block %llu of b's log is used twice (%llu)", &dead);
	if (!what)
		what = check_list(census, &space->log_frozen, false,
				  "block %llu of the frozen log is used twice (%llu)", &unused);
	if (!what)
		what = check_list(census, &space->log_active, false,
				  "block %llu of the log is used twice (%llu)", &unused);
	if (what)
		return what;
	if (census->c[space->next] || census->log[space->next])
		return say("the next place %llu is in use", space->next, 0, 0);
	if (with_backup && core->slot_b >= 0 && dead != space->dead)
		return say("%llu dead, root says %llu", dead, space->dead, 0);
	if (!core->frozen && space->nr_taken != unused + 1)
		return say("%llu taken, space says %llu", unused + 1, space->nr_taken, 0);
	if (with_backup && core->slot_b >= 0)
		what = check_backup(core, disk, census);
	return what || !with_backup ? what : check_kept(core, census);
}

const char *check_structure(struct triad_core *core, const struct disk *disk,
			    bool with_backup, bool leftovers)
{
	static u8 c[DISK_MAX_BLOCKS], log[DISK_MAX_BLOCKS];
	struct census census = { &core->geo, c, log };
	const char *what;
	int r;

	memset(c, 0, disk_blocks);
	memset(log, 0, disk_blocks);
	r = triad_map_walk(&core->space.map, census_visit, &census);
	if (r)
		return say(r == -EEXIST ? "a block is reached twice" : "map error -%llu", -r, 0, 0);
	what = check_planes(core, disk, &census, leftovers);
	return what ? what : check_lists(core, disk, &census, with_backup);
}
