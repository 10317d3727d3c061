// SPDX-License-Identifier: GPL-2.0-or-later
#include "geometry.h"

#define MIN_DEFAULT		65536u		/* 256 MiB of 4 KiB blocks */
#define DEFAULT_PART		768u		/* or this part of the device */
#define MIN_INTERVAL		1536u		/* one discard of 1 GiB fits */
#define MAX_INTERVAL		(1u << 22)	/* 16 GiB; a log may hold three */

/*
 * Entries of an interval, if nobody says: the larger the device, the more leaves random
 * writes touch, and the more writes have to share them.
 */
static u32 default_interval(u64 device_blocks)
{
	u64 part = triad_div64(device_blocks, DEFAULT_PART) & ~0xffULL;

	return min_t(u64, max_t(u64, MIN_DEFAULT, part), MAX_INTERVAL);
}

u32 triad_zone_size(const struct triad_geometry *geo, u64 zone)
{
	u64 end = geo->device_blocks - TRIAD_TAIL_BLOCKS;
	u64 start = triad_zone_start(geo, zone);

	return end - start < geo->zone_blocks ? end - start : geo->zone_blocks;
}

/* The slot whose 1 MiB holds this block, or -1. */
static int slot_of(u64 pba)
{
	int slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (pba >= TRIAD_SLOT_PBA(slot) &&
		    pba < TRIAD_SLOT_PBA(slot) + TRIAD_SLOT_BLOCKS)
			return slot;
	return -1;
}

bool triad_zone_is_fixed(const struct triad_geometry *geo, u64 zone, u32 offset)
{
	return offset < triad_zone_header(geo, zone) ||
	       slot_of(triad_zone_start(geo, zone) + offset) >= 0;
}

u32 triad_zone_usable(const struct triad_geometry *geo, u64 zone)
{
	u64 start = triad_zone_start(geo, zone);
	u32 size = triad_zone_size(geo, zone);
	u32 usable = size - triad_zone_header(geo, zone);
	int slot;

	for (slot = 1; slot < TRIAD_NR_SLOTS; slot++) {
		u64 from = max_t(u64, TRIAD_SLOT_PBA(slot), start);
		u64 to = min_t(u64, TRIAD_SLOT_PBA(slot) + TRIAD_SLOT_BLOCKS,
			       start + size);

		if (from < to)
			usable -= to - from;
	}
	return usable;
}

bool triad_geometry_valid_pba(const struct triad_geometry *geo, u64 pba)
{
	u64 zone;

	if (pba < TRIAD_FIRST_ZONE || pba >= geo->device_blocks - TRIAD_TAIL_BLOCKS)
		return false;
	zone = triad_zone_of(geo, pba);
	return zone < geo->nr_zones &&
	       !triad_zone_is_fixed(geo, zone, pba - triad_zone_start(geo, zone));
}

bool triad_geometry_valid_run(const struct triad_geometry *geo, u64 pba, u32 nr)
{
	u32 i;

	if (!nr || pba > geo->device_blocks)
		return false;
	for (i = 0; i < nr; i++)
		if (!triad_geometry_valid_pba(geo, pba + i))
			return false;
	return true;
}

/* Nodes of level 1, if they are not leaves. */
static u64 nodes_with_pieces(u64 logical_blocks)
{
	u64 leaves = triad_div64(logical_blocks + TRIAD_FANOUT - 1, TRIAD_FANOUT);

	return leaves > 1 ? triad_div64(leaves + TRIAD_FANOUT - 1, TRIAD_FANOUT) : 0;
}

static u64 nodes_for(u64 logical_blocks, u64 nr_entries)
{
	u64 span = logical_blocks, sum = 0;

	do {
		span = triad_div64(span + TRIAD_FANOUT - 1, TRIAD_FANOUT);
		sum += min_t(u64, nr_entries, span);
	} while (span > 1);
	return sum + TRIAD_NR_PIECES * min_t(u64, nr_entries, nodes_with_pieces(logical_blocks));
}

u64 triad_geometry_nodes(const struct triad_geometry *geo, u64 nr_entries)
{
	return nodes_for(geo->logical_blocks, nr_entries);
}

static u64 reserve_for(const struct triad_geometry *geo, u64 logical_blocks)
{
	u64 usable = geo->usable, interval = default_interval(geo->device_blocks);
	u64 w = 2 * interval;	/* a header for each block */
	u64 most = 3 * (w + nodes_for(logical_blocks, interval));

	return max_t(u64, 1024, min_t(u64, triad_div64(usable, 32), most));
}

u64 triad_geometry_reserve(const struct triad_geometry *geo)
{
	return reserve_for(geo, geo->logical_blocks);
}

static u64 cost_of(const struct triad_geometry *geo, u64 logical_blocks)
{
	/* each pending entry may shadow a block */
	return logical_blocks + nodes_for(logical_blocks, logical_blocks) +
	       TRIAD_MAX_PENDING * nodes_with_pieces(logical_blocks) +
	       reserve_for(geo, logical_blocks);
}

/* The largest logical size, in whole MiB, that leaves nodes and reserve. */
static u64 largest_logical(const struct triad_geometry *geo)
{
	u64 low = 0, high = geo->usable >> 8;	/* in MiB */

	while (low < high) {
		u64 mid = low + (high - low + 1) / 2;

		if (cost_of(geo, mid << 8) <= geo->usable)
			low = mid;
		else
			high = mid - 1;
	}
	return low << 8;
}

int triad_geometry_init(struct triad_geometry *geo, u64 device_blocks,
			u64 logical_blocks, u32 zone_blocks, u32 segment_blocks,
			u32 interval_blocks, const char **why)
{
	u64 space, tail, largest, zone;
	int slot;

	memset(geo, 0, sizeof(*geo));
	if (device_blocks < TRIAD_MIN_BLOCKS) {
		*why = "the device is smaller than 64 MiB";
		return -EINVAL;
	}
	if (device_blocks > TRIAD_MAX_BLOCKS) {
		*why = "the device is larger than 16 TiB";
		return -EINVAL;
	}
	if (segment_blocks < 16 || segment_blocks > 4096 ||
	    (segment_blocks & (segment_blocks - 1))) {
		*why = "the segment size is not a power of two from 64 KiB to 16 MiB";
		return -EINVAL;
	}
	if (zone_blocks < TRIAD_MIN_ZONE_BLOCKS || zone_blocks > TRIAD_PLANE_BITS ||
	    zone_blocks & 7) {
		*why = "the zone size is not a multiple of 32 KiB from 4 MiB to 126 MiB";
		return -EINVAL;
	}
	geo->device_blocks = device_blocks;
	geo->zone_blocks = zone_blocks;
	geo->segment_blocks = segment_blocks;

	space = device_blocks - TRIAD_TAIL_BLOCKS - TRIAD_FIRST_ZONE;
	geo->nr_zones = triad_div64(space, zone_blocks);
	tail = space - geo->nr_zones * zone_blocks;
	if (tail >= TRIAD_FANOUT)	/* else not worth a zone */
		geo->nr_zones++;
	else
		space -= tail;
	geo->usable = space;
	for (zone = 0; zone < geo->nr_zones; zone += TRIAD_GROUP_ZONES)
		geo->usable -= triad_zone_header(geo, zone);
	for (slot = 1; slot < TRIAD_NR_SLOTS; slot++)
		geo->usable -= TRIAD_SLOT_BLOCKS;

	largest = largest_logical(geo);
	if (!logical_blocks)
		logical_blocks = largest;
	if (logical_blocks > largest || !logical_blocks || logical_blocks & 0xff) {
		*why = "the logical size is not a multiple of 1 MiB that fits the device";
		return -EINVAL;
	}
	geo->logical_blocks = logical_blocks;
	geo->map_depth = 1;
	while (logical_blocks > 1ULL << (TRIAD_FANOUT_SHIFT * geo->map_depth))
		geo->map_depth++;
	geo->interval_blocks = interval_blocks ? interval_blocks : default_interval(device_blocks);
	if (geo->interval_blocks < MIN_INTERVAL || geo->interval_blocks > MAX_INTERVAL) {
		*why = "the interval is not between 6 MiB and 16 GiB";
		return -EINVAL;
	}
	return 0;
}
