// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "record.h"

static struct triad_hash hash;
static struct triad_geometry geo;
static const u8 uuid[TRIAD_UUID_SIZE] = "the device's one";

#define PLACE	3000u
#define SEQ	77u

struct fixture {
	struct triad_record rec, got;
	u8 chain[TRIAD_HASH_SIZE], old_chain[TRIAD_HASH_SIZE];
	union {
		struct triad_record_disk disk;
		u8 block[TRIAD_BLOCK_SIZE];
	};
};

static int setup(void **state)
{
	static struct fixture f;
	const char *why;

	memset(&f, 0, sizeof(f));
	hash = (struct triad_hash){ 0 };
	assert_int_equal(triad_geometry_init(&geo, DISK_BLOCKS, 8192, 1536, 16, 0, &why), 0);
	memset(f.chain, 9, sizeof(f.chain));
	memcpy(f.old_chain, f.chain, sizeof(f.chain));
	triad_record_begin(&f.rec, PLACE, SEQ, 0);
	f.rec.next = 3500;
	f.rec.durable = SEQ - 1;
	*state = &f;
	return 0;
}

static int decode(struct fixture *f)
{
	u8 chain[TRIAD_HASH_SIZE];
	int r;

	memcpy(chain, f->old_chain, sizeof(chain));
	r = triad_record_decode(&f->got, &geo, &hash, uuid, PLACE, SEQ, chain, f->block);
	if (!r)
		assert_memory_equal(chain, f->chain, sizeof(chain));
	else
		assert_memory_equal(chain, f->old_chain, sizeof(chain));
	return r;
}

static void seal(struct fixture *f)
{
	memcpy(f->chain, f->old_chain, sizeof(f->chain));
	assert_int_equal(triad_record_seal(&f->rec, &hash, uuid, f->chain, f->block), 0);
	assert_memory_not_equal(f->chain, f->old_chain, sizeof(f->chain));
}

/* Give a changed header its crc again: what a forger or a bug would write. */
static void fix_crc(struct fixture *f)
{
	f->disk.crc = 0;
	f->disk.crc = cpu_to_le32(triad_crc32c(f->block, sizeof(f->block)));
}

static void add_blocks(struct fixture *f, u64 lba, u64 pba, u32 nr)
{
	u32 i;

	triad_record_add_extent(&f->rec, lba, nr);
	triad_record_add_run(&f->rec, pba, nr);
	for (i = 0; i < nr; i++)
		f->rec.csums[f->rec.nr_blocks - nr + i] = lba + i;
}

static void what_is_sealed_is_decoded(void **state)
{
	struct fixture *f = *state;
	u32 i;

	add_blocks(f, 10, 5000, 5);
	add_blocks(f, 100, 5008, 1);
	add_blocks(f, 101, 5009, 2);	/* both continue what was before */
	seal(f);
	assert_int_equal(decode(f), 0);
	assert_int_equal(f->got.place, PLACE);
	assert_int_equal(f->got.next, 3500);
	assert_int_equal(f->got.seq, SEQ);
	assert_int_equal(f->got.durable, SEQ - 1);
	assert_int_equal(f->got.nr_extents, 2);
	assert_int_equal(f->got.nr_runs, 2);
	assert_int_equal(f->got.nr_blocks, 8);
	assert_int_equal(f->got.extents[1].start, 100);
	assert_int_equal(f->got.extents[1].nr, 3);
	assert_int_equal(f->got.runs[1].start, 5008);
	for (i = 0; i < 8; i++)
		assert_int_equal(f->got.csums[i], f->rec.csums[i]);
}

/* The writer sums what is used and reckons the rest, the reader sums it all. */
static void headers_of_every_length_are_summed_alike(void **state)
{
	struct fixture *f = *state;
	u32 nr;

	for (nr = 0; triad_record_fits(&f->rec, 1); nr++) {
		add_blocks(f, 3 * nr, 5000 + 2 * nr, 1);
		seal(f);
		assert_int_equal(le32_to_cpu(f->disk.crc), triad_record_crc(f->block));
		assert_int_equal(decode(f), 0);
	}
	/* with these extents and runs no zero is left behind */
	assert_in_range(nr, 190, TRIAD_RECORD_MAX_BLOCKS);
}

/* Whoever continues the chain continues this very record, its payload included. */
static void the_chain_covers_all_that_a_record_says(void **state)
{
	struct fixture *f = *state;
	u8 chain[TRIAD_HASH_SIZE];
	struct triad_record was;
	u32 i;

	add_blocks(f, 10, 5000, 5);
	add_blocks(f, 100, 5008, 3);
	seal(f);
	was = f->rec;
	memcpy(chain, f->chain, sizeof(chain));
	seal(f);
	assert_memory_equal(f->chain, chain, sizeof(chain));
	for (i = 0; i < 6; i++) {
		f->rec = was;
		switch (i) {
		case 0: f->rec.csums[0]++; break;
		case 1: f->rec.csums[7]++; break;
		case 2: f->rec.runs[1].start++; break;
		case 3: f->rec.extents[1].start++; break;
		case 4: f->rec.next++; break;
		case 5: f->rec.durable--; break;
		}
		seal(f);
		assert_memory_not_equal(f->chain, chain, sizeof(chain));
	}
}

static void a_mebibyte_in_256_runs_fits(void **state)
{
	struct fixture *f = *state;
	u32 i;

	for (i = 0; i < 256; i++) {
		assert_true(triad_record_fits(&f->rec, 256 - i));
		triad_record_add_run(&f->rec, 5200 + 2 * i, 1);
	}
	triad_record_add_extent(&f->rec, 0, 256);
	assert_false(triad_record_fits(&f->rec, 1));
	seal(f);
	assert_int_equal(decode(f), 0);
	assert_int_equal(f->got.nr_runs, 256);
}

static void scattered_extents_and_runs_fill_a_header_and_no_more(void **state)
{
	struct fixture *f = *state;
	u32 n = 0;

	/* one LBA, one PBA and one checksum each: 20 bytes of 3968 */
	while (triad_record_fits(&f->rec, 1)) {
		add_blocks(f, 3 * n, 4500 + 3 * n, 1);
		n++;
	}
	assert_in_range(n, 190, 198);
	seal(f);
	assert_int_equal(decode(f), 0);
	assert_int_equal(f->got.nr_extents, n);
	assert_int_equal(f->got.csums[n - 1], 3 * (n - 1));
}

static void discards_round_trip(void **state)
{
	struct fixture *f = *state;

	f->rec.flags = TRIAD_RECORD_DISCARD;
	triad_record_add_extent(&f->rec, 0, 8192);
	triad_record_add_extent(&f->rec, 7, 1);
	seal(f);
	assert_int_equal(decode(f), 0);
	assert_int_equal(f->got.nr_extents, 2);
	assert_int_equal(f->got.extents[0].nr, 8192);
	assert_int_equal(f->got.nr_blocks, 0);
}

static void every_bit_flip_ends_the_log(void **state)
{
	struct fixture *f = *state;
	u32 bit;

	add_blocks(f, 10, 5000, 40);
	seal(f);
	for (bit = 0; bit < 8 * TRIAD_BLOCK_SIZE; bit++) {
		f->block[bit / 8] ^= 1u << bit % 8;
		assert_int_equal(decode(f), -ENOENT);
		f->block[bit / 8] ^= 1u << bit % 8;
	}
	assert_int_equal(decode(f), 0);
}

static void a_record_of_another_chain_device_or_number_ends_the_log(void **state)
{
	struct fixture *f = *state;
	u8 chain[TRIAD_HASH_SIZE];

	seal(f);
	memcpy(chain, f->old_chain, sizeof(chain));
	assert_int_equal(triad_record_decode(&f->got, &geo, &hash, uuid, PLACE, SEQ + 1, chain,
					     f->block), -ENOENT);
	assert_int_equal(triad_record_decode(&f->got, &geo, &hash, (const u8 *)"another device's",
					     PLACE, SEQ, chain, f->block), -ENOENT);
	chain[31] ^= 1;
	assert_int_equal(triad_record_decode(&f->got, &geo, &hash, uuid, PLACE, SEQ, chain,
					     f->block), -ENOENT);
}

/* A field set to a value, with a right crc: impossible, and said so. */
#define REJECTED(f, ...)				\
	do {						\
		struct fixture kept = *(f);		\
		__VA_ARGS__;				\
		fix_crc(f);				\
		assert_int_equal(decode(f), -EUCLEAN);	\
		*(f) = kept;				\
	} while (0)

static void every_field_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct triad_record_disk *d = &f->disk;
	__le64 *word = (__le64 *)d->body;

	add_blocks(f, 10, 5000, 5);
	seal(f);
	REJECTED(f, d->flags = cpu_to_le16(8));
	REJECTED(f, d->flags = cpu_to_le16(0x8000));
	REJECTED(f, d->flags = cpu_to_le16(TRIAD_RECORD_DISCARD));
	REJECTED(f, d->flags = cpu_to_le16(TRIAD_RECORD_INTENT));
	REJECTED(f, d->nr_extents = cpu_to_le16(0xffff));
	REJECTED(f, d->nr_runs = cpu_to_le16(0xffff));
	REJECTED(f, d->nr_blocks = cpu_to_le16(0xffff));
	REJECTED(f, d->nr_extents = cpu_to_le16(257));
	REJECTED(f, d->nr_extents = 0);
	REJECTED(f, d->nr_runs = 0);
	REJECTED(f, d->nr_blocks = cpu_to_le16(4));
	REJECTED(f, d->nr_extents = cpu_to_le16(256), d->nr_runs = cpu_to_le16(256),
		 d->nr_blocks = cpu_to_le16(256));
	REJECTED(f, d->durable = cpu_to_le64(SEQ));
	REJECTED(f, d->durable = cpu_to_le64(~0ULL));
	REJECTED(f, d->next = 0);
	REJECTED(f, d->next = cpu_to_le64(PLACE));
	REJECTED(f, d->next = cpu_to_le64(4096));
	REJECTED(f, d->next = cpu_to_le64(TRIAD_FIRST_ZONE));
	REJECTED(f, d->next = cpu_to_le64(DISK_BLOCKS));
	REJECTED(f, d->next = cpu_to_le64(~0ULL));
	/* LBA extent */
	REJECTED(f, word[0] = cpu_to_le64(8188 | 4ULL << 48));
	REJECTED(f, word[0] = cpu_to_le64(8192 | 4ULL << 48));
	REJECTED(f, word[0] = cpu_to_le64(10 | 5ULL << 48));
	REJECTED(f, word[0] = cpu_to_le64(((1ULL << 48) - 1) | 4ULL << 48));
	/* PBA run */
	REJECTED(f, word[1] = cpu_to_le64(0 | 4ULL << 48));
	REJECTED(f, word[1] = cpu_to_le64(4096 | 4ULL << 48));
	REJECTED(f, word[1] = cpu_to_le64(4094 | 4ULL << 48));
	REJECTED(f, word[1] = cpu_to_le64((DISK_BLOCKS - 514) | 4ULL << 48));
	REJECTED(f, word[1] = cpu_to_le64(5000 | 3ULL << 48));
	REJECTED(f, word[1] = cpu_to_le64(5000 | 0xffffULL << 48));
	assert_int_equal(decode(f), 0);
}

static void ranges_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct triad_record_disk *d = &f->disk;
	__le64 *word = (__le64 *)d->body;

	f->rec.flags = TRIAD_RECORD_DISCARD;
	triad_record_add_extent(&f->rec, 5, 100);
	seal(f);
	REJECTED(f, word[1] = 0);
	REJECTED(f, word[1] = cpu_to_le64(8188));
	REJECTED(f, word[1] = cpu_to_le64(~0ULL));
	REJECTED(f, word[0] = cpu_to_le64(8192));
	REJECTED(f, word[0] = cpu_to_le64(~0ULL));
	REJECTED(f, d->nr_extents = cpu_to_le16(249));
	REJECTED(f, d->nr_blocks = cpu_to_le16(1));
	REJECTED(f, d->flags = cpu_to_le16(TRIAD_RECORD_INTENT));	/* 9 zones only */
	REJECTED(f, d->flags = cpu_to_le16(TRIAD_RECORD_INTENT | TRIAD_RECORD_DISCARD));
	assert_int_equal(decode(f), 0);
}

static void an_arrival_goes_with_as_many_blocks_as_fit(void **state)
{
	struct fixture *f = *state, other;
	__le64 *word = (__le64 *)f->disk.body;
	size_t behind;
	u32 i;

	for (i = 0; i < TRIAD_RECORD_ARRIVAL_EXTENTS; i++)
		triad_record_add_extent(&f->rec, 20 * i, 4);
	for (i = 0; i < TRIAD_RECORD_MAX_BLOCKS; i++) {
		triad_record_add_run(&f->rec, 5000 + 2 * i, 1);
		f->rec.csums[i] = i;
	}
	f->rec.flags = TRIAD_RECORD_ARRIVAL;
	f->rec.arrival.first = SEQ - 5;
	f->rec.arrival.from.generation = 7;
	f->rec.arrival.to.branch = 3;
	f->rec.arrival.to.uuid[15] = 8;
	f->rec.arrival.to.state[11] = 9;
	other = *f;
	seal(f);
	assert_int_equal(decode(f), 0);
	assert_int_equal(f->got.arrival.first, SEQ - 5);
	assert_true(triad_origin_same(&f->got.arrival.from, &f->rec.arrival.from));
	assert_true(triad_origin_same(&f->got.arrival.to, &f->rec.arrival.to));
	assert_memory_equal(f->got.csums, f->rec.csums, sizeof(f->got.csums));
	other.rec.arrival.to.state[11]++;
	seal(&other);
	assert_memory_not_equal(f->chain, other.chain, sizeof(f->chain));

	behind = f->rec.nr_extents + f->rec.nr_runs + f->rec.nr_blocks / 2;
	REJECTED(f, word[behind] = 0);
	REJECTED(f, word[behind] = cpu_to_le64(SEQ + 1));
	REJECTED(f, word[behind] = cpu_to_le64(~0ULL));
}

static void an_arrival_is_no_discard_and_no_intent(void **state)
{
	struct fixture *f = *state;
	struct triad_record_disk *d = &f->disk;

	f->rec.flags = TRIAD_RECORD_ARRIVAL;
	f->rec.arrival.first = SEQ;
	seal(f);
	assert_int_equal(decode(f), 0);
	REJECTED(f, d->flags = cpu_to_le16(TRIAD_RECORD_ARRIVAL | TRIAD_RECORD_DISCARD));
	REJECTED(f, d->flags = cpu_to_le16(TRIAD_RECORD_ARRIVAL | TRIAD_RECORD_INTENT));
}

static void opening_records_differ_though_they_say_the_same(void **state)
{
	struct fixture *f = *state, other;

	f->rec.flags = TRIAD_RECORD_OPENING;
	other = *f;
	seal(f);
	seal(&other);
	assert_memory_not_equal(f->chain, other.chain, sizeof(f->chain));
	assert_int_equal(decode(f), 0);
}

static void noise_never_decodes(void **state)
{
	struct fixture *f = *state;
	struct rng rng = { 5 };
	u32 i, j;

	for (i = 0; i < 20000; i++) {
		/* a right header with noise where the lengths and addresses are */
		seal(f);
		for (j = 0; j < 8; j++)
			f->block[rng_below(&rng, 200)] = rng_next(&rng);
		memcpy(&f->disk.magic, &(__le64){ cpu_to_le64(TRIAD_RECORD_MAGIC) }, 8);
		memcpy(f->disk.uuid, uuid, sizeof(uuid));
		memcpy(f->disk.chain, f->old_chain, sizeof(f->old_chain));
		f->disk.seq = cpu_to_le64(SEQ);
		fix_crc(f);
		memcpy(f->chain, f->old_chain, sizeof(f->chain));
		triad_record_decode(&f->got, &geo, &hash, uuid, PLACE, SEQ, f->chain, f->block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_sealed_is_decoded, setup),
		cmocka_unit_test_setup(headers_of_every_length_are_summed_alike, setup),
		cmocka_unit_test_setup(the_chain_covers_all_that_a_record_says, setup),
		cmocka_unit_test_setup(a_mebibyte_in_256_runs_fits, setup),
		cmocka_unit_test_setup(scattered_extents_and_runs_fill_a_header_and_no_more, setup),
		cmocka_unit_test_setup(discards_round_trip, setup),
		cmocka_unit_test_setup(every_bit_flip_ends_the_log, setup),
		cmocka_unit_test_setup(a_record_of_another_chain_device_or_number_ends_the_log,
				       setup),
		cmocka_unit_test_setup(every_field_is_bounded, setup),
		cmocka_unit_test_setup(ranges_are_bounded, setup),
		cmocka_unit_test_setup(an_arrival_goes_with_as_many_blocks_as_fit, setup),
		cmocka_unit_test_setup(an_arrival_is_no_discard_and_no_intent, setup),
		cmocka_unit_test_setup(opening_records_differ_though_they_say_the_same, setup),
		cmocka_unit_test_setup(noise_never_decodes, setup),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
