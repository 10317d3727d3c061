// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planes, and what they share with the summary: blocks that carry a header of
 * their own.  A plane of c that does not verify is built anew from the map (rule 4).
 */
#include "space.h"

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
	head->turn = cpu_to_le64(triad_root_turn(root));
	memcpy(head->uuid, root->uuid, sizeof(head->uuid));
	memcpy(head->version, root->version, sizeof(head->version));
	head->slot = triad_root_planes(root);
	head->crc = cpu_to_le32(block_crc(head));
	return space->store->ops->write(space->store, pba, 1, block);
}

/* Is that what should lie there? */
static int verify(const struct triad_space *space, u64 magic, u64 index, unsigned int slot,
		  void *block)
{
	struct triad_space_header_disk *head = block;

	if (le64_to_cpu(head->magic) != magic || le64_to_cpu(head->index) != index ||
	    memcmp(head->uuid, space->uuid, sizeof(head->uuid)) || head->slot != slot ||
	    le32_to_cpu(head->crc) != block_crc(head))
		return -EBADMSG;
	return 0;
}

int triad_space_read(const struct triad_space *space, u64 magic, u64 index,
		     unsigned int slot, u64 pba, void *block)
{
	int r = space->store->ops->read(space->store, pba, 1, block);

	if (r == -ENODATA)
		return -EBADMSG;	/* lost is as good as rotten */
	return r ? r : verify(space, magic, index, slot, block);
}

/* ---- planes -------------------------------------------------------------- */

void triad_space_empty_plane(const struct triad_geometry *geo, u64 zone, u8 *bits)
{
	u64 start = triad_zone_start(geo, zone);
	u32 i, size = triad_zone_size(geo, zone);
	int slot;

	memset(bits, 0, TRIAD_PLANE_BITS / 8);
	for (i = 0; i < triad_zone_header(geo, zone); i++)
		triad_bit_set(bits, i);
	for (slot = 1; slot < TRIAD_NR_SLOTS; slot++)
		for (i = 0; i < TRIAD_SLOT_BLOCKS; i++)
			if (TRIAD_SLOT_PBA(slot) + i - start < size)
				triad_bit_set(bits, TRIAD_SLOT_PBA(slot) + i - start);
}

/* The same with the block read already, or NULL. */
static int read_plane(const struct triad_space *space, u64 zone, unsigned int slot, u64 hwm,
		      u32 changed, u8 *bits, struct triad_plane_disk *buffer, const void *ahead)
{
	int r;

	if (zone >= hwm) {
		triad_space_empty_plane(space->geo, zone, bits);
		return 0;
	}
	if (ahead) {
		memcpy(buffer, ahead, sizeof(*buffer));
		r = verify(space, TRIAD_PLANE_MAGIC, zone, slot, buffer);
	} else {
		r = triad_space_read(space, TRIAD_PLANE_MAGIC, zone, slot,
				     triad_plane_pba(space->geo, zone, slot), buffer);
	}
	if (r)
		return r;
	if (changed && (u32)le64_to_cpu(buffer->head.turn) - changed >= TRIAD_TURNS)
		return -EBADMSG;
	memcpy(bits, buffer->bits, TRIAD_PLANE_BITS / 8);
	return 0;
}

int triad_space_read_plane(const struct triad_space *space, u64 zone, unsigned int slot,
			   u64 hwm, u32 changed, u8 *bits, struct triad_plane_disk *buffer)
{
	return read_plane(space, zone, slot, hwm, changed, bits, buffer, NULL);
}

struct rebuild {
	const struct triad_geometry *geo;
	u64 zone;
	u8 *bits;
	u64 left;		/* that the map may still reach: each block once */
};

static int rebuild_visit(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct rebuild *rebuild = context;

	(void)level;
	(void)lba;
	(void)nr;
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

u64 triad_plane_share(u64 pba)
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
			sum += triad_plane_share(triad_zone_start(space->geo, zone) + i);
	return sum;
}

int triad_space_read_current(const struct triad_space *space, u64 zone, u8 *bits,
			     struct triad_plane_disk *buffer, const void *ahead, bool *rebuilt)
{
	struct rebuild rebuild = {
		.geo = space->geo, .zone = zone, .bits = bits, .left = space->used,
	};
	int r = read_plane(space, zone, space->slot_c, space->hwm, space->zones[zone].changed,
			   bits, buffer, ahead);

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
