// SPDX-License-Identifier: GPL-2.0-or-later
/* Per zone: how many blocks c and b reach, and the age of the last change. */
#include "space.h"

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

int triad_space_sum(const struct triad_space *space, const struct triad_zone *zones, u64 nr,
		    u8 sum[TRIAD_HASH_SIZE])
{
	triad_space_encode_zones(zones, nr, space->table);
	return triad_hash(space->hash, space->table, nr * sizeof(*space->table), NULL, 0, sum);
}

int triad_space_load_summary(struct triad_space *space, const struct triad_root *root)
{
	struct triad_summary_disk *block = (struct triad_summary_disk *)space->buffer;
	unsigned int slot = triad_root_planes(root);
	u8 sum[TRIAD_HASH_SIZE];
	u64 zone, first = 0;
	int r;

	for (zone = 0; zone < root->hwm_zones; zone++) {
		const struct triad_zone_disk *d;
		struct triad_zone *z = &space->zones[zone];

		if (!zone || zone - first == TRIAD_SUMMARY_ZONES) {
			first = zone;
			r = triad_space_read(space, TRIAD_SUMMARY_MAGIC, first, slot,
					     triad_summary_pba(space->geo, first, slot),
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
	r = triad_space_sum(space, space->zones, root->hwm_zones, sum);
	if (!r && memcmp(sum, root->summary_sum, sizeof(sum)))
		r = -EBADMSG;
	return r;
}

static int count_visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct triad_space *space = context;
	struct triad_zone *z;
	u64 zone;

	(void)level;
	(void)lba;
	(void)nr;
	if (error)
		return error;
	zone = triad_zone_of(space->geo, ref->pba);
	z = &space->zones[zone];
	if (z->used == 0xffff)
		return -EUCLEAN;	/* more than a zone has */
	z->used++;
	space->sums[zone] += triad_plane_share(ref->pba);
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
