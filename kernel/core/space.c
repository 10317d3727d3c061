// SPDX-License-Identifier: GPL-2.0-or-later
#include "space.h"

#define LEAST_LENT	16u	/* blocks */

int triad_space_init(struct triad_space *space, const struct triad_geometry *geo,
		     struct triad_store *store)
{
	int i;

	memset(space, 0, sizeof(*space));
	space->geo = geo;
	space->store = store;
	space->slot_b = -1;
	space->zones = triad_alloc(geo->nr_zones * sizeof(*space->zones));
	space->taken = triad_alloc(geo->nr_zones * sizeof(*space->taken));
	space->table = triad_alloc(geo->nr_zones * sizeof(*space->table));
	space->buffer = triad_alloc(TRIAD_BLOCK_SIZE);
	space->backup_bits = triad_alloc(TRIAD_PLANE_BITS / 8);
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		space->loaded[i].bits = triad_alloc(TRIAD_PLANE_BITS / 8);
	if (!space->zones || !space->taken || !space->table || !space->buffer ||
	    !space->backup_bits || !space->loaded[0].bits || !space->loaded[1].bits ||
	    triad_keep_init(&space->keep, geo)) {
		triad_space_free(space);
		return -ENOMEM;
	}
	return 0;
}

void triad_space_free(struct triad_space *space)
{
	int i;

	triad_free(space->zones);
	triad_free(space->sums);
	triad_free(space->taken);
	triad_free(space->table);
	triad_free(space->buffer);
	triad_free(space->backup_bits);
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		triad_free(space->loaded[i].bits);
	triad_list_free(&space->log_backup);
	triad_list_free(&space->log_frozen);
	triad_list_free(&space->log_active);
	triad_list_free(&space->nodes);
	triad_keep_free(&space->keep);
	memset(space, 0, sizeof(*space));
}

/* ---- lists of runs ------------------------------------------------------ */

void triad_space_count(struct triad_space *space, const struct triad_list *list)
{
	const struct triad_geometry *geo = space->geo;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		u64 pba = triad_run_start(list->v[i]);
		u64 end = triad_run_end(list->v[i]);

		space->nr_taken += end - pba;
		while (pba < end) {
			u64 zone = triad_zone_of(geo, pba);
			u64 to = min_t(u64, end, triad_zone_start(geo, zone + 1));

			space->taken[zone] += to - pba;
			pba = to;
		}
	}
}

static void mark(const struct triad_space *space, u64 zone, const struct triad_list *list,
		 u8 *bits)
{
	u64 start = triad_zone_start(space->geo, zone);
	u64 stop = start + triad_zone_size(space->geo, zone);
	u32 i;

	for (i = 0; i < list->nr; i++) {
		u64 pba = max_t(u64, triad_run_start(list->v[i]), start);
		u64 end = min_t(u64, stop, triad_run_end(list->v[i]));

		for (; pba < end; pba++)
			triad_bit_set(bits, pba - start);
	}
}

void triad_space_recount(struct triad_space *space)
{
	int i;

	triad_free(space->sums);
	space->sums = NULL;	/* they were of the root before */
	memset(space->taken, 0, space->geo->nr_zones * sizeof(*space->taken));
	space->nr_taken = 1;	/* the next record's place */
	triad_space_count(space, &space->log_active);
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		space->loaded[i].loaded = false;
}

void triad_space_forget_backup(struct triad_space *space)
{
	u64 zone;

	space->pending = 0;
	space->dead = 0;
	for (zone = 0; zone < space->hwm; zone++)
		space->zones[zone].pending = 0;
}

/* ---- taking blocks --------------------------------------------------------- */

static int load(struct triad_space *space, struct triad_zone_bits *z, u64 zone)
{
	u32 i, nr_free, size = triad_zone_size(space->geo, zone);
	u8 *backup = space->backup_bits;
	struct triad_keep *keep = &space->keep;
	bool rebuilt, known = true;
	int r;

	z->loaded = false;
	z->zone = zone;
	r = triad_space_read_current(space, zone, z->bits, space->buffer, NULL, &rebuilt);
	if (r)
		return r;
	if (rebuilt)
		space->nr_rotten++;
	if (space->slot_b >= 0) {
		r = triad_space_read_plane(space, zone, space->slot_b, space->hwm_b, 0,
					   backup, space->buffer);
		for (i = 0; !r && i < TRIAD_PLANE_BITS / 8; i++)
			z->bits[i] |= backup[i];
		known = !r;
		if (r == -EBADMSG)
			space->nr_rotten++;	/* b counts as lost: nothing to keep */
		else if (r)
			return r;
	}
	mark(space, zone, &space->log_backup, z->bits);
	mark(space, zone, &space->log_frozen, z->bits);
	mark(space, zone, &space->log_active, z->bits);
	mark(space, zone, &space->nodes, z->bits);
	if (space->next && triad_zone_of(space->geo, space->next) == zone)
		triad_bit_set(z->bits, space->next - triad_zone_start(space->geo, zone));
	z->nr_free = size - triad_bits_count(z->bits, 0, size);
	for (i = 0; i < keep->nr; i++)
		mark(space, zone, &keep->kept[i].runs, z->bits);
	nr_free = size - triad_bits_count(z->bits, 0, size);
	/* until some are let go there are only more of them */
	if (known)
		keep->zones[zone] = z->nr_free - nr_free;
	z->nr_free = nr_free;
	z->loaded = true;
	return 0;
}

/* How many blocks of a zone look free; never too few. */
static u32 most_free(const struct triad_space *space, u64 zone)
{
	u32 busy = space->zones[zone].used + space->zones[zone].pending + space->taken[zone] +
		   space->keep.zones[zone];
	u32 usable = triad_zone_usable(space->geo, zone);

	return busy < usable ? usable - busy : 0;
}

/* The same of what may be taken. */
static u32 hint(const struct triad_space *space, u64 zone)
{
	return space->nr_lent && zone == space->lent ? 0 : most_free(space, zone);
}

u32 triad_space_lent(const struct triad_space *space)
{
	return space->nr_lent ? max_t(u32, space->nr_lent, most_free(space, space->lent)) : 0;
}

static struct triad_zone_bits *bits_of(struct triad_space *space, u64 zone)
{
	int i;

	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		if (space->loaded[i].loaded && space->loaded[i].zone == zone)
			return &space->loaded[i];
	return NULL;
}

/* The bitmap of a cursor's zone, read if need be; the other cursor may share it. */
static int get_bits(struct triad_space *space, enum triad_cursor_use use,
		    struct triad_zone_bits **out)
{
	struct triad_cursor *c = &space->cursor[use];
	const struct triad_cursor *other = &space->cursor[!use];
	struct triad_zone_bits *z = bits_of(space, c->zone);
	int r;

	if (!z) {
		/* not the bitmap that the other cursor works on */
		z = &space->loaded[0];
		if (z->loaded && other->chosen && z->zone == other->zone)
			z = &space->loaded[1];
		r = load(space, z, c->zone);
		if (r)
			return r;
	}
	/* a wrong hint is corrected here, so that the search ends */
	if (hint(space, c->zone) > z->nr_free)
		space->taken[c->zone] += hint(space, c->zone) - z->nr_free;
	*out = z;
	return 0;
}

/*
 * A zone that was never used has no plane, and the zones are put to use in their order: none of
 * them is lent.
 */
int triad_space_lend(struct triad_space *space, u64 zone, u64 others, u8 *bits)
{
	struct triad_zone_bits z = { .bits = bits };
	u64 rotten = space->nr_rotten;
	u32 most;
	int i, r;

	if (space->nr_lent || zone >= space->hwm)
		return 0;
	/* planes are read only where it is worth it */
	most = most_free(space, zone);
	if (most < LEAST_LENT || triad_space_available(space) < most + others)
		return 0;
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		if (space->cursor[i].chosen && space->cursor[i].zone == zone)
			return 0;
	r = load(space, &z, zone);
	if (r || space->nr_rotten != rotten)
		return r;
	space->lent = zone;
	space->nr_lent = z.nr_free;
	return z.nr_free;
}

bool triad_space_at_hand(struct triad_space *space, u32 nr)
{
	const struct triad_cursor *c = &space->cursor[TRIAD_CURSOR_LOG];
	const struct triad_zone_bits *z = bits_of(space, c->zone);
	u32 end = c->pos + nr + 1;

	/* the place of the next header was this cursor's last */
	return c->chosen && z && end <= c->end && !triad_bits_count(z->bits, c->pos, end);
}

/* The zone that has most free blocks. */
static bool choose_zone(struct triad_space *space, struct triad_cursor *c)
{
	u64 zone, best = 0;
	u32 most = 0;

	for (zone = 0; zone < space->geo->nr_zones; zone++) {
		u32 h = hint(space, zone);

		if (h > most) {
			most = h;
			best = zone;
		}
		/* behind an untouched zone there are only more of them */
		if (zone >= space->hwm && !space->taken[zone])
			break;
	}
	if (!most)
		return false;
	c->zone = best;
	c->pos = c->end = 0;
	c->floor = most / 2;
	c->chosen = true;
	return true;
}

/*
 * The next segment of the cursor's zone: the first wholly free one behind the
 * cursor, else the one with most free blocks.  Returns false if the zone has
 * no free block, or so few that another may do better.
 */
static bool choose_segment(struct triad_space *space, struct triad_cursor *c,
			   const struct triad_zone_bits *z, const struct triad_cursor *other)
{
	u32 size = triad_zone_size(space->geo, c->zone);
	u32 step = space->geo->segment_blocks;
	u32 nr = (size + step - 1) / step, first = c->end / step;
	u32 i, most = 0, best = 0;

	for (i = 0; i < nr; i++) {
		u32 from = (first + i) % nr * step;
		u32 to = min_t(u32, from + step, size);
		u32 nr_free = to - from - triad_bits_count(z->bits, from, to);

		if (other->chosen && other->zone == c->zone && other->pos < other->end &&
		    other->end == to)
			nr_free = min_t(u32, nr_free, 1);	/* rather not the other's */
		if (nr_free > most) {
			most = nr_free;
			best = from;
			if (most == step)
				break;
		}
	}
	if (!most || (most < step && z->nr_free <= c->floor))
		return false;
	c->pos = best;
	c->end = min_t(u32, best + step, size);
	return true;
}

int triad_space_take(struct triad_space *space, enum triad_cursor_use use, u32 nr,
		     u64 *pba, u32 *got)
{
	struct triad_cursor *c = &space->cursor[use];
	const struct triad_cursor *other = &space->cursor[!use];
	struct triad_zone_bits *z;
	u32 size, n;
	int r;

	for (;;) {
		if (!c->chosen && !choose_zone(space, c))
			return -ENOSPC;
		r = get_bits(space, use, &z);
		if (r)
			return r;
		while (c->pos < c->end && triad_bit(z->bits, c->pos))
			c->pos++;
		if (c->pos < c->end)
			break;
		if (choose_segment(space, c, z, other))
			continue;
		/* choose_zone may well choose this one again, with a lower floor */
		c->chosen = false;
	}
	size = triad_zone_size(space->geo, c->zone);
	for (n = 0; n < nr && c->pos + n < size && !triad_bit(z->bits, c->pos + n); n++)
		triad_bit_set(z->bits, c->pos + n);
	*pba = triad_zone_start(space->geo, c->zone) + c->pos;
	*got = n;
	c->pos += n;
	while (c->end < c->pos)		/* on into the next segment */
		c->end = min_t(u32, c->end + space->geo->segment_blocks, size);
	z->nr_free -= n;
	space->taken[c->zone] += n;
	space->nr_taken += n;
	return 0;
}
