// SPDX-License-Identifier: GPL-2.0-or-later
#include "list.h"
#include "record.h"

static_assert(sizeof(__le64) + TRIAD_RECORD_MAX_BLOCKS *
	      (sizeof(__le64) + sizeof(__le32)) <= TRIAD_RECORD_BODY_SIZE,
	      "1 MiB in 256 runs fits one header");
static_assert(TRIAD_RECORD_ARRIVAL_EXTENTS * sizeof(__le64) + TRIAD_RECORD_MAX_BLOCKS *
	      (sizeof(__le64) + sizeof(__le32)) + sizeof(struct triad_arrival_disk) <=
	      TRIAD_RECORD_BODY_SIZE, "and in fewer extents with an arrival");

void triad_record_begin(struct triad_record *rec, u64 place, u64 seq, u16 flags)
{
	rec->place = place;
	rec->next = 0;
	rec->seq = seq;
	rec->durable = 0;
	rec->flags = flags;
	rec->nr_extents = 0;
	rec->nr_runs = 0;
	rec->nr_blocks = 0;
	rec->index = NULL;
}

bool triad_record_fits(const struct triad_record *rec, u32 nr)
{
	u32 bytes = (rec->nr_extents + 1u + rec->nr_runs + nr) * sizeof(__le64) +
		    (rec->nr_blocks + nr) * sizeof(__le32);

	return rec->nr_blocks + nr <= TRIAD_RECORD_MAX_BLOCKS &&
	       bytes <= TRIAD_RECORD_BODY_SIZE;
}

static u16 append(struct triad_extent *list, u16 nr_list, u64 start, u64 nr)
{
	if (nr_list && list[nr_list - 1].start + list[nr_list - 1].nr == start) {
		list[nr_list - 1].nr += nr;
		return nr_list;
	}
	list[nr_list] = (struct triad_extent){ start, nr };
	return nr_list + 1;
}

void triad_record_add_extent(struct triad_record *rec, u64 lba, u64 nr)
{
	rec->nr_extents = append(rec->extents, rec->nr_extents, lba, nr);
}

void triad_record_add_run(struct triad_record *rec, u64 pba, u32 nr)
{
	rec->nr_blocks += nr;
	rec->nr_runs = append(rec->runs, rec->nr_runs, pba, nr);
}

/* The part of a header that says something. */
static size_t used_bytes(const struct triad_record *rec)
{
	size_t words = rec->flags & TRIAD_RECORD_RANGES ?
		2u * rec->nr_extents : (size_t)rec->nr_extents + rec->nr_runs;

	return offsetof(struct triad_record_disk, body) +
	       words * sizeof(__le64) + rec->nr_blocks * sizeof(__le32) +
	       (rec->flags & TRIAD_RECORD_ARRIVAL ? sizeof(struct triad_arrival_disk) : 0);
}

static int link(const struct triad_record *rec, struct triad_hash *hash,
		const void *block, u8 chain[TRIAD_HASH_SIZE])
{
	return triad_hash(hash, block, used_bytes(rec), NULL, 0, chain);
}

static void pack_arrival(struct triad_arrival_disk *d, const struct triad_arrival *arrival)
{
	d->first = cpu_to_le64(arrival->first);
	triad_origin_encode(&d->from, &arrival->from);
	triad_origin_encode(&d->to, &arrival->to);
}

static void unpack_arrival(struct triad_arrival *arrival, const struct triad_arrival_disk *d)
{
	arrival->first = le64_to_cpu(d->first);
	triad_origin_decode(&arrival->from, &d->from);
	triad_origin_decode(&arrival->to, &d->to);
}

static __le64 pack(const struct triad_extent *e)
{
	return cpu_to_le64(triad_run(e->start, e->nr));
}

static struct triad_extent unpack(__le64 word)
{
	u64 v = le64_to_cpu(word);

	return (struct triad_extent){ triad_run_start(v), triad_run_nr(v) };
}

bool triad_record_may_be(const void *block)
{
	const struct triad_record_disk *d = block;

	return le64_to_cpu(d->magic) == TRIAD_RECORD_MAGIC;
}

u32 triad_record_crc(void *block)
{
	struct triad_record_disk *d = block;
	__le32 kept = d->crc;
	u32 crc;

	d->crc = 0;
	crc = triad_crc32c(d, sizeof(*d));
	d->crc = kept;
	return crc;
}

/* Product of two polynomials over GF(2) modulo that of crc32c, x^31 in bit 0. */
static u32 multiply(u32 a, u32 b)
{
	u32 i, product = 0;

	for (i = 1u << 31; i; i >>= 1) {
		if (a & i)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? 0x82f63b78 : 0);
	}
	return product;
}

/*
 * crc32c of a block of which only the first bytes are not zero: behind them each 64 zeros
 * multiply by x^512.  For a lone write without this the sum of its header would take longer
 * than that of its data, where there is no instruction for it.
 */
static u32 crc_of_first(const void *block, u32 size)
{
	/* x^(512 * 2^i) */
	static const u32 power[] = {
		0xb82be955, 0xb8fdb1e7, 0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a,
	};
	u32 nr = (TRIAD_BLOCK_SIZE - size) / 64, i;
	u32 crc = triad_crc32c(block, TRIAD_BLOCK_SIZE - 64 * nr);

	for (i = 0; nr >> i; i++)
		if (nr >> i & 1)
			crc = multiply(crc, power[i]);
	return crc;
}

int triad_record_seal(const struct triad_record *rec, struct triad_hash *hash,
		      const u8 uuid[TRIAD_UUID_SIZE], u8 chain[TRIAD_HASH_SIZE],
		      void *block)
{
	struct triad_record_disk *d = block;
	__le64 *word = (__le64 *)d->body;
	__le32 *csum;
	u32 i;

	memset(d, 0, sizeof(*d));
	d->magic = cpu_to_le64(TRIAD_RECORD_MAGIC);
	d->flags = cpu_to_le16(rec->flags);
	d->nr_extents = cpu_to_le16(rec->nr_extents);
	d->nr_runs = cpu_to_le16(rec->nr_runs);
	d->nr_blocks = cpu_to_le16(rec->nr_blocks);
	memcpy(d->uuid, uuid, sizeof(d->uuid));
	memcpy(d->chain, chain, sizeof(d->chain));
	d->seq = cpu_to_le64(rec->seq);
	d->durable = cpu_to_le64(rec->durable);
	d->next = cpu_to_le64(rec->next);
	if (rec->flags & TRIAD_RECORD_OPENING) {
		triad_random(d->nonce, sizeof(d->nonce));
		/* it may lie on a torn header: no sector of it must complete that one */
		triad_random(d->body, sizeof(d->body));
	}

	for (i = 0; i < rec->nr_extents; i++) {
		if (rec->flags & TRIAD_RECORD_RANGES) {
			*word++ = cpu_to_le64(rec->extents[i].start);
			*word++ = cpu_to_le64(rec->extents[i].nr);
		} else {
			*word++ = pack(&rec->extents[i]);
		}
	}
	for (i = 0; i < rec->nr_runs; i++)
		*word++ = pack(&rec->runs[i]);
	csum = (__le32 *)word;
	for (i = 0; i < rec->nr_blocks; i++)
		*csum++ = cpu_to_le32(rec->csums[i]);
	if (rec->flags & TRIAD_RECORD_ARRIVAL)
		pack_arrival((struct triad_arrival_disk *)csum, &rec->arrival);

	d->crc = cpu_to_le32(crc_of_first(d, rec->flags & TRIAD_RECORD_OPENING ?
					  TRIAD_BLOCK_SIZE : used_bytes(rec)));
	return link(rec, hash, d, chain);
}

/* Bounds of everything a header says (rule 10). */
static int check(const struct triad_record *rec, const struct triad_geometry *geo)
{
	u64 limit = rec->flags & TRIAD_RECORD_INTENT ? geo->nr_zones : geo->logical_blocks;
	u64 nr = 0;
	u32 i;

	if (!triad_geometry_valid_pba(geo, rec->next) || rec->next == rec->place)
		return -EUCLEAN;
	if (rec->flags & TRIAD_RECORD_ARRIVAL &&
	    (!rec->arrival.first || rec->arrival.first > rec->seq))
		return -EUCLEAN;
	for (i = 0; i < rec->nr_extents; i++) {
		const struct triad_extent *e = &rec->extents[i];

		if (!e->nr || e->start >= limit || e->nr > limit - e->start)
			return -EUCLEAN;
		nr += e->nr;
	}
	if (rec->flags & TRIAD_RECORD_RANGES)
		return 0;
	if (nr != rec->nr_blocks)
		return -EUCLEAN;
	for (i = 0, nr = 0; i < rec->nr_runs; i++) {
		const struct triad_extent *e = &rec->runs[i];

		if (e->nr > TRIAD_RECORD_MAX_BLOCKS ||
		    !triad_geometry_valid_run(geo, e->start, e->nr))
			return -EUCLEAN;
		nr += e->nr;
	}
	return nr == rec->nr_blocks ? 0 : -EUCLEAN;
}

int triad_record_decode_summed(struct triad_record *rec, const struct triad_geometry *geo,
			       struct triad_hash *hash, const u8 uuid[TRIAD_UUID_SIZE],
			       u64 place, u64 seq, u8 chain[TRIAD_HASH_SIZE], const void *block,
			       u32 crc)
{
	const struct triad_record_disk *d = block;
	const __le64 *word = (const __le64 *)d->body;
	const __le32 *csum;
	u8 own[TRIAD_HASH_SIZE];
	u32 i;
	int r;

	if (!triad_record_may_be(block) ||
	    memcmp(d->uuid, uuid, sizeof(d->uuid)) ||
	    memcmp(d->chain, chain, sizeof(d->chain)) ||
	    le64_to_cpu(d->seq) != seq ||
	    le32_to_cpu(d->crc) != crc)
		return -ENOENT;

	triad_record_begin(rec, place, seq, le16_to_cpu(d->flags));
	rec->durable = le64_to_cpu(d->durable);
	rec->next = le64_to_cpu(d->next);
	rec->nr_extents = le16_to_cpu(d->nr_extents);
	rec->nr_runs = le16_to_cpu(d->nr_runs);
	rec->nr_blocks = le16_to_cpu(d->nr_blocks);
	if (rec->flags & ~(TRIAD_RECORD_RANGES | TRIAD_RECORD_OPENING | TRIAD_RECORD_ARRIVAL) ||
	    (rec->flags & TRIAD_RECORD_RANGES) == TRIAD_RECORD_RANGES ||
	    (rec->flags & TRIAD_RECORD_RANGES && rec->flags & TRIAD_RECORD_ARRIVAL) ||
	    rec->nr_extents > TRIAD_RECORD_MAX_BLOCKS ||
	    rec->nr_runs > TRIAD_RECORD_MAX_BLOCKS ||
	    rec->nr_blocks > TRIAD_RECORD_MAX_BLOCKS ||
	    (rec->flags & TRIAD_RECORD_RANGES && (rec->nr_runs || rec->nr_blocks)) ||
	    used_bytes(rec) > sizeof(*d) || rec->durable >= seq)
		return -EUCLEAN;

	for (i = 0; i < rec->nr_extents; i++) {
		if (rec->flags & TRIAD_RECORD_RANGES) {
			rec->extents[i].start = le64_to_cpu(*word++);
			rec->extents[i].nr = le64_to_cpu(*word++);
		} else {
			rec->extents[i] = unpack(*word++);
		}
	}
	for (i = 0; i < rec->nr_runs; i++)
		rec->runs[i] = unpack(*word++);
	csum = (const __le32 *)word;
	for (i = 0; i < rec->nr_blocks; i++)
		rec->csums[i] = le32_to_cpu(*csum++);
	if (rec->flags & TRIAD_RECORD_ARRIVAL)
		unpack_arrival(&rec->arrival, (const struct triad_arrival_disk *)csum);

	r = check(rec, geo);
	if (r)
		return r;
	r = link(rec, hash, d, own);
	if (!r)
		memcpy(chain, own, sizeof(own));
	return r;
}

int triad_record_decode(struct triad_record *rec, const struct triad_geometry *geo,
			struct triad_hash *hash, const u8 uuid[TRIAD_UUID_SIZE],
			u64 place, u64 seq, u8 chain[TRIAD_HASH_SIZE], void *block)
{
	return triad_record_decode_summed(rec, geo, hash, uuid, place, seq, chain, block,
					  triad_record_crc(block));
}
