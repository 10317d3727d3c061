/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * geometry.h - sizes and fixed places, computed from what a root says.
 *
 * Plain arithmetic, any context.
 */
#ifndef TRIAD_GEOMETRY_H
#define TRIAD_GEOMETRY_H

#include "format.h"

struct triad_geometry {
	u64 device_blocks;
	u64 logical_blocks;
	u64 nr_zones;
	u64 usable;		/* blocks that can be allocated */
	u32 zone_blocks;
	u32 segment_blocks;
	u32 interval_blocks;	/* index entries of one interval, at most */
	u8 map_depth;
};

/*
 * Fill in geo for a device.  logical_blocks 0 asks for the largest that leaves
 * the reserve of rule 9; interval_blocks 0 for the default.  Returns -EINVAL
 * (why tells) for sizes that are out of range or do not fit.
 */
int triad_geometry_init(struct triad_geometry *geo, u64 device_blocks,
			u64 logical_blocks, u32 zone_blocks, u32 segment_blocks,
			u32 interval_blocks, const char **why);

/* Rule 9: N(d), the most map nodes that d changed entries can touch. */
u64 triad_geometry_nodes(const struct triad_geometry *geo, u64 nr_entries);

/* Rule 9: blocks kept from the logical size so that overwrites never starve. */
u64 triad_geometry_reserve(const struct triad_geometry *geo);

static inline u64 triad_zone_start(const struct triad_geometry *geo, u64 zone)
{
	return TRIAD_FIRST_ZONE + zone * geo->zone_blocks;
}

/* Blocks in a zone, its header included; the last one may be short. */
u32 triad_zone_size(const struct triad_geometry *geo, u64 zone);

/* True if the block is a group header's or a slot's, and can never hold data. */
bool triad_zone_is_fixed(const struct triad_geometry *geo, u64 zone, u32 offset);

/* Blocks of a zone that can be allocated. */
u32 triad_zone_usable(const struct triad_geometry *geo, u64 zone);

/* True if pba is a block that can hold a record, data or a node. */
bool triad_geometry_valid_pba(const struct triad_geometry *geo, u64 pba);

/* True if each of nr blocks from pba can; false for nr == 0. */
bool triad_geometry_valid_run(const struct triad_geometry *geo, u64 pba, u32 nr);

static inline u64 triad_zone_of(const struct triad_geometry *geo, u64 pba)
{
	return triad_div64(pba - TRIAD_FIRST_ZONE, geo->zone_blocks);
}

static inline u64 triad_group_of(u64 zone)
{
	return zone / TRIAD_GROUP_ZONES * TRIAD_GROUP_ZONES;
}

/* Zones of the group that begins with this one. */
static inline u32 triad_group_zones(const struct triad_geometry *geo, u64 first)
{
	return min_t(u64, TRIAD_GROUP_ZONES, geo->nr_zones - first);
}

/* Blocks at the zone's beginning that never hold data. */
static inline u32 triad_zone_header(const struct triad_geometry *geo, u64 zone)
{
	return zone == triad_group_of(zone) ?
	       TRIAD_NR_SLOTS * (triad_group_zones(geo, zone) + 1) : 0;
}

static inline u64 triad_plane_pba(const struct triad_geometry *geo, u64 zone,
				  unsigned int slot)
{
	u64 first = triad_group_of(zone);

	return triad_zone_start(geo, first) + slot * (triad_group_zones(geo, first) + 1) +
	       zone - first;
}

/* Place of the slot's summary block that covers the zone. */
static inline u64 triad_summary_pba(const struct triad_geometry *geo, u64 zone,
				    unsigned int slot)
{
	u64 first = triad_div64(zone, TRIAD_SUMMARY_ZONES) * TRIAD_SUMMARY_ZONES;

	return triad_plane_pba(geo, first, slot) + triad_group_zones(geo, first);
}

#endif
