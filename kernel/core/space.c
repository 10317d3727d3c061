// SPDX-License-Identifier: GPL-2.0-or-later
#include "space.h"
#include "record.h"

#define ADDRESS_MASK	((1ULL << TRIAD_PBA_BITS) - 1)
#define RUN_MAX		(1u << 16)

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
	space->buffer = triad_alloc(TRIAD_BLOCK_SIZE);
	space->backup_bits = triad_alloc(TRIAD_PLANE_BITS / 8);
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		space->loaded[i].bits = triad_alloc(TRIAD_PLANE_BITS / 8);
	if (!space->zones || !space->taken || !space->buffer ||
	    !space->backup_bits || !space->loaded[0].bits || !space->loaded[1].bits) {
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
	triad_free(space->buffer);
	triad_free(space->backup_bits);
	for (i = 0; i < TRIAD_NR_CURSORS; i++)
		triad_free(space->loaded[i].bits);
	triad_list_free(&space->log_backup);
	triad_list_free(&space->log_frozen);
	triad_list_free(&space->log_active);
	triad_list_free(&space->nodes);
	memset(space, 0, sizeof(*space));
}

u32 triad_bits_count(const u8 *bits, u32 from, u32 to)
{
	u32 n = 0;

	for (; from < to && from & 7; from++)
		n += triad_bit(bits, from);
	for (; from + 64 <= to; from += 64) {
		u64 word;

		memcpy(&word, bits + (from >> 3), sizeof(word));
		n += triad_popcount(word);
	}
	for (; from < to; from++)
		n += triad_bit(bits, from);
	return n;
}

/* ---- lists of runs ------------------------------------------------------ */

int triad_space_note(struct triad_list *list, u64 pba, u32 nr)
{
	if (list->nr) {
		u64 last = list->v[list->nr - 1];
		u64 len = (last >> TRIAD_PBA_BITS) + 1;

		if ((last & ADDRESS_MASK) + len == pba && len + nr <= RUN_MAX) {
			list->v[list->nr - 1] = last + ((u64)nr << TRIAD_PBA_BITS);
			return 0;
		}
	}
	return triad_list_push(list, pba | (u64)(nr - 1) << TRIAD_PBA_BITS);
}

u64 triad_space_list_blocks(const struct triad_list *list)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < list->nr; i++)
		n += (list->v[i] >> TRIAD_PBA_BITS) + 1;
	return n;
}

void triad_space_count(struct triad_space *space, const struct triad_list *list)
{
	const struct triad_geometry *geo = space->geo;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		u64 pba = list->v[i] & ADDRESS_MASK;
		u64 end = pba + (list->v[i] >> TRIAD_PBA_BITS) + 1;

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
		u64 pba = max_t(u64, list->v[i] & ADDRESS_MASK, start);
		u64 end = min_t(u64, stop, (list->v[i] & ADDRESS_MASK) +
				(list->v[i] >> TRIAD_PBA_BITS) + 1);

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

/* ---- blocks with a header ----------------------------------------------- */

static u32 block_crc(struct triad_space_header_disk *head)
{
	__le32 kept = head->crc;
	u32 crc;

	head->crc = 0;
	crc = triad_crc32c(head, TRIAD_BLOCK_SIZE);
	head->crc = kept;
	return crc;
}

int triad_space_write(const struct triad_space *space, u64 magic, u64 index,
		      const struct triad_root *root, u64 pba, void *block)
{
	struct triad_space_header_disk *head = block;

	memset(head, 0, sizeof(*head));
	head->magic = cpu_to_le64(magic);
	head->index = cpu_to_le64(index);
	head->generation = cpu_to_le64(root->generation);
	memcpy(head->uuid, root->uuid, sizeof(head->uuid));
	memcpy(head->version, root->version, sizeof(head->version));
	head->slot = root->slot;
	head->crc = cpu_to_le32(block_crc(head));
	return space->store->ops->write(space->store, pba, 1, block);
}

int triad_space_read(const struct triad_space *space, u64 magic, u64 index,
		     unsigned int slot, u64 pba, void *block)
{
	struct triad_space_header_disk *head = block;
	int r = space->store->ops->read(space->store, pba, 1, block);

	if (r == -ENODATA)
		return -EBADMSG;	/* lost is as good as rotten */
	if (r)
		return r;
	if (le64_to_cpu(head->magic) != magic || le64_to_cpu(head->index) != index ||
	    memcmp(head->uuid, space->uuid, sizeof(head->uuid)) || head->slot != slot ||
	    le32_to_cpu(head->crc) != block_crc(head))
		return -EBADMSG;
	return 0;
}

/* ---- planes -------------------------------------------------------------- */

void triad_space_empty_plane(const struct triad_geometry *geo, u64 zone, u8 *bits)
{
	u64 start = triad_zone_start(geo, zone);
	u32 i, size = triad_zone_size(geo, zone);
	int slot;

	memset(bits, 0, TRIAD_PLANE_BITS / 8);
	for (i = 0; i < TRIAD_ZONE_HEADER; i++)
		triad_bit_set(bits, i);
	for (slot = 1; slot < TRIAD_NR_SLOTS; slot++)
		for (i = 0; i < TRIAD_SLOT_BLOCKS; i++)
			if (TRIAD_SLOT_PBA(slot) + i - start < size)
				triad_bit_set(bits, TRIAD_SLOT_PBA(slot) + i - start);
}

int triad_space_read_plane(const struct triad_space *space, u64 zone, unsigned int slot,
			   u64 hwm, u32 changed, u8 *bits, struct triad_plane_disk *buffer)
{
	int r;

	if (zone >= hwm) {
		triad_space_empty_plane(space->geo, zone, bits);
		return 0;
	}
	r = triad_space_read(space, TRIAD_PLANE_MAGIC, zone, slot,
			     triad_plane_pba(space->geo, zone, slot), buffer);
	if (r)
		return r;
	if (changed && (u32)le64_to_cpu(buffer->head.generation) - changed >= TRIAD_TURNS)
		return -EBADMSG;
	memcpy(bits, buffer->bits, TRIAD_PLANE_BITS / 8);
	return 0;
}

struct rebuild {
	const struct triad_geometry *geo;
	u64 zone;
	u8 *bits;
	u64 left;		/* that the map may still reach: each block once */
};

static int rebuild_visit(void *context, int level, u64 lba, const struct triad_ref *ref,
			 int error)
{
	struct rebuild *rebuild = context;

	(void)level;
	(void)lba;
	if (error)
		return error;
	if (!rebuild->left--)
		return -EUCLEAN;
	if (triad_zone_of(rebuild->geo, ref->pba) == rebuild->zone)
		triad_bit_set(rebuild->bits, ref->pba -
			      triad_zone_start(rebuild->geo, rebuild->zone));
	return 0;
}

/* A plane that passes for c's has as many bits as c has blocks here. */
static bool has_right_count(const struct triad_space *space, u64 zone, const u8 *bits)
{
	u32 size = triad_zone_size(space->geo, zone);

	return triad_bits_count(bits, 0, size) ==
	       space->zones[zone].used + size - triad_zone_usable(space->geo, zone);
}

/* What a block adds to its zone's sum: no two sets of blocks are likely to share one. */
static u64 share_of(u64 pba)
{
	pba = (pba ^ pba << 29) * 0x9e3779b97f4a7c15ULL;
	pba = (pba ^ pba >> 30) * 0xbf58476d1ce4e5b9ULL;
	return pba ^ pba >> 27;
}

static u64 sum_of(const struct triad_space *space, u64 zone, const u8 *bits)
{
	u32 i, size = triad_zone_size(space->geo, zone);
	u64 sum = 0;

	for (i = 0; i < size; i++)
		if (triad_bit(bits, i) && !triad_zone_is_fixed(space->geo, zone, i))
			sum += share_of(triad_zone_start(space->geo, zone) + i);
	return sum;
}

int triad_space_read_current(const struct triad_space *space, u64 zone, u8 *bits,
			     struct triad_plane_disk *buffer, bool *rebuilt)
{
	struct rebuild rebuild = {
		.geo = space->geo, .zone = zone, .bits = bits, .left = space->used,
	};
	int r = triad_space_read_plane(space, zone, space->slot_c, space->hwm,
				       space->zones[zone].changed, bits, buffer);

	if (!r && !has_right_count(space, zone, bits))
		r = -EBADMSG;
	if (!r && space->sums && sum_of(space, zone, bits) != space->sums[zone])
		r = -EBADMSG;
	*rebuilt = r == -EBADMSG;
	if (r != -EBADMSG)
		return r;
	triad_space_empty_plane(space->geo, zone, bits);
	return triad_map_walk(&space->map, rebuild_visit, &rebuild);
}

/* ---- summary -------------------------------------------------------------- */

void triad_space_encode_zones(const struct triad_zone *zones, u64 nr,
			      struct triad_zone_disk *out)
{
	u64 i;

	for (i = 0; i < nr; i++) {
		out[i].used = cpu_to_le16(zones[i].used);
		out[i].pending = cpu_to_le16(zones[i].pending);
		out[i].changed = cpu_to_le32(zones[i].changed);
	}
}

int triad_space_sum(struct triad_hash *hash, const struct triad_zone *zones, u64 nr,
		    u8 sum[TRIAD_HASH_SIZE])
{
	struct triad_zone_disk *table = triad_alloc(nr * sizeof(*table) + 1);
	int r;

	if (!table)
		return -ENOMEM;
	triad_space_encode_zones(zones, nr, table);
	r = triad_hash(hash, table, nr * sizeof(*table), NULL, 0, sum);
	triad_free(table);
	return r;
}

int triad_space_load_summary(struct triad_space *space, const struct triad_root *root)
{
	struct triad_summary_disk *block = (struct triad_summary_disk *)space->buffer;
	u8 sum[TRIAD_HASH_SIZE];
	u64 zone, first = 0;
	int r;

	for (zone = 0; zone < root->hwm_zones; zone++) {
		const struct triad_zone_disk *d;
		struct triad_zone *z = &space->zones[zone];

		if (!zone || zone - first == TRIAD_SUMMARY_ZONES) {
			first = zone;
			r = triad_space_read(space, TRIAD_SUMMARY_MAGIC, first, root->slot,
					     triad_summary_pba(space->geo, first, root->slot),
					     block);
			if (r)
				return r;
		}
		d = &block->zone[zone - first];
		z->used = le16_to_cpu(d->used);
		z->pending = le16_to_cpu(d->pending);
		z->changed = le32_to_cpu(d->changed);
		if ((u32)z->used + z->pending > triad_zone_usable(space->geo, zone))
			return -EBADMSG;
	}
	r = triad_space_sum(space->hash, space->zones, root->hwm_zones, sum);
	if (!r && memcmp(sum, root->summary_sum, sizeof(sum)))
		r = -EBADMSG;
	return r;
}

static int count_visit(void *context, int level, u64 lba, const struct triad_ref *ref,
		       int error)
{
	struct triad_space *space = context;
	struct triad_zone *z;
	u64 zone;

	(void)level;
	(void)lba;
	if (error)
		return error;
	zone = triad_zone_of(space->geo, ref->pba);
	z = &space->zones[zone];
	if (z->used == 0xffff)
		return -EUCLEAN;	/* more than a zone has */
	z->used++;
	space->sums[zone] += share_of(ref->pba);
	space->used++;
	return 0;
}

int triad_space_rebuild_summary(struct triad_space *space)
{
	u64 zone;
	int r;

	triad_free(space->sums);
	space->sums = triad_alloc(space->geo->nr_zones * sizeof(*space->sums));
	if (!space->sums)
		return -ENOMEM;
	memset(space->zones, 0, space->geo->nr_zones * sizeof(*space->zones));
	space->used = 0;
	r = triad_map_walk(&space->map, count_visit, space);
	if (r)
		return r;
	for (zone = 0; zone < space->hwm; zone++) {
		struct triad_zone *z = &space->zones[zone];

		if (z->used > triad_zone_usable(space->geo, zone))
			return -EUCLEAN;
		z->changed = 0;	/* nobody knows: the sums tell, until healed */
	}
	return 0;
}

/* ---- taking blocks --------------------------------------------------------- */

static int load(struct triad_space *space, struct triad_zone_bits *z, u64 zone)
{
	u32 i, size = triad_zone_size(space->geo, zone);
	u8 *backup = space->backup_bits;
	bool rebuilt;
	int r;

	z->loaded = false;
	z->zone = zone;
	r = triad_space_read_current(space, zone, z->bits, space->buffer, &rebuilt);
	if (r)
		return r;
	if (rebuilt)
		space->nr_rotten++;
	if (space->slot_b >= 0) {
		r = triad_space_read_plane(space, zone, space->slot_b, space->hwm_b, 0,
					   backup, space->buffer);
		for (i = 0; !r && i < TRIAD_PLANE_BITS / 8; i++)
			z->bits[i] |= backup[i];
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
	z->loaded = true;
	return 0;
}

/* How many blocks of a zone look free; never too few. */
static u32 hint(const struct triad_space *space, u64 zone)
{
	u32 busy = space->zones[zone].used + space->zones[zone].pending + space->taken[zone];
	u32 usable = triad_zone_usable(space->geo, zone);

	return busy < usable ? usable - busy : 0;
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
