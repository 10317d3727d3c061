// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "root.h"

static struct triad_hash hash;

/* A history: generation n in slot n % 3, as commits make it. */
struct history {
	struct triad_root root[16];	/* by generation, from 1 */
	u8 block[16][TRIAD_BLOCK_SIZE];
};

static struct triad_root first_root(void)
{
	struct triad_root r = {
		.map_depth = 2, .device_blocks = DISK_BLOCKS, .logical_blocks = 4096,
		.zone_blocks = 1536, .segment_blocks = 16, .interval_blocks = 1536,
		.generation = 1, .next = 2064, .next_seq = 1, .slot = 1,
	};

	memcpy(r.hash, "test", 4);
	memset(r.uuid, 7, sizeof(r.uuid));
	triad_random(r.version, sizeof(r.version));
	triad_random(r.prev, sizeof(r.prev));
	triad_random(r.chain, sizeof(r.chain));
	return r;
}

static void make_history(struct history *h)
{
	u32 n;

	h->root[1] = first_root();
	for (n = 2; n < 16; n++) {
		struct triad_root *r = &h->root[n];

		*r = h->root[n - 1];
		r->slot = n % 3;
		r->generation = n;
		memcpy(r->prev, h->root[n - 1].version, sizeof(r->prev));
		memcpy(r->prev_chain, h->root[n - 1].chain, sizeof(r->chain));
		triad_random(r->chain, sizeof(r->chain));
		if (n == 2)
			triad_random(r->version, sizeof(r->version));
		else
			assert_int_equal(triad_root_next_version(&hash, h->root[n - 2].version,
								 h->root[n - 1].version, r->version), 0);
	}
	for (n = 1; n < 16; n++)
		assert_int_equal(triad_root_seal(&h->root[n], &hash, h->block[n]), 0);
}

/* The slots with these generations in them; 0 leaves one empty. */
static void put(const struct history *h, const u32 *generations, struct triad_slot *slots)
{
	static const u8 zero[TRIAD_BLOCK_SIZE];
	u32 i, slot;

	for (slot = 0; slot < 3; slot++)
		triad_root_decode(&slots[slot], slot, zero);
	for (i = 0; i < 3; i++) {
		if (!generations[i])
			continue;
		slot = generations[i] % 3;
		triad_root_decode(&slots[slot], slot, h->block[generations[i]]);
		assert_int_equal(slots[slot].state, TRIAD_SLOT_VALID);
		assert_int_equal(triad_root_verify(&slots[slot], &hash,
						   h->block[generations[i]]), 0);
	}
}

#define GENERATIONS(...)	((const u32[3]){ __VA_ARGS__ })

static int setup(void **state)
{
	static struct history h;

	hash = (struct triad_hash){ 0 };
	test_random.state = 42;
	make_history(&h);
	*state = &h;
	return 0;
}

static void a_sealed_root_reads_back(void **state)
{
	struct history *h = *state;
	struct triad_root r = h->root[5], *got;
	struct triad_slot slot;
	u8 block[TRIAD_BLOCK_SIZE];

	r.segment = 5000;
	r.map = (struct triad_ref){ 3000, 0x12345678, 9 };
	r.hwm_zones = 3;
	r.used = 11;
	r.pending = 12;
	r.dead = 13;
	r.time = 14;
	r.branch = 15;
	memset(r.label, 'x', sizeof(r.label));
	assert_int_equal(triad_root_seal(&r, &hash, block), 0);
	triad_root_decode(&slot, 2, block);
	assert_int_equal(slot.state, TRIAD_SLOT_VALID);
	assert_int_equal(triad_root_verify(&slot, &hash, block), 0);
	assert_int_equal(slot.state, TRIAD_SLOT_VALID);
	got = &slot.root;
	assert_memory_equal(got->version, r.version, 32);
	assert_memory_equal(got->prev_chain, r.prev_chain, 32);
	assert_memory_equal(got->label, r.label, 32);
	assert_memory_equal(got->summary_sum, r.summary_sum, 32);
	assert_int_equal(got->segment, 5000);
	assert_int_equal(got->map.pba, 3000);
	assert_int_equal(got->map.csum, 0x12345678);
	assert_int_equal(got->hwm_zones, 3);
	assert_int_equal(got->used, 11);
	assert_int_equal(got->pending, 12);
	assert_int_equal(got->dead, 13);
	assert_int_equal(got->time, 14);
	assert_int_equal(got->branch, 15);
	assert_string_equal(got->hash, "test");
}

static void every_single_bit_flip_is_detected(void **state)
{
	struct history *h = *state;
	u8 block[TRIAD_BLOCK_SIZE];
	struct triad_slot slot;
	u32 bit;

	memcpy(block, h->block[4], sizeof(block));
	for (bit = 0; bit < 512 * 8; bit++) {
		block[bit / 8] ^= 1u << bit % 8;
		triad_root_decode(&slot, 1, block);
		/* the crc alone tells damage, so that a wrong key is not taken for it */
		if (bit < offsetof(struct triad_root_disk, crc) * 8)
			assert_int_not_equal(slot.state, TRIAD_SLOT_VALID);
		if (slot.state == TRIAD_SLOT_VALID)
			assert_int_equal(triad_root_verify(&slot, &hash, block), 0);
		assert_int_not_equal(slot.state, TRIAD_SLOT_VALID);
		assert_non_null(slot.reason);
		block[bit / 8] ^= 1u << bit % 8;
	}
}

static void a_root_of_another_slot_is_foreign(void **state)
{
	struct history *h = *state;
	struct triad_slot slot;

	triad_root_decode(&slot, 2, h->block[4]);
	assert_int_equal(slot.state, TRIAD_SLOT_FOREIGN);
}

static void three_good_roots_give_the_letters(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 n;

	for (n = 3; n < 16; n++) {
		put(*state, GENERATIONS(n - 2, n - 1, n), slots);
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(choice.which, 1);
		assert_int_equal(choice.cur, n % 3);
		assert_int_equal(choice.backup, (n - 1) % 3);
		assert_int_equal(choice.overwrite, (n - 2) % 3);
		assert_int_equal(choice.parent, (n - 1) % 3);
		assert_false(choice.degraded);
	}
}

static void without_a_the_link_gives_b_and_c(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(0, 6, 7), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 2);
	assert_int_equal(choice.cur, 7 % 3);
	assert_int_equal(choice.backup, 6 % 3);
	assert_int_equal(choice.overwrite, 5 % 3);
	assert_true(choice.degraded);
}

static void without_c_the_old_b_is_current(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(5, 6, 0), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 2);
	assert_int_equal(choice.cur, 6 % 3);
	assert_int_equal(choice.backup, 5 % 3);
	assert_int_equal(choice.overwrite, 7 % 3);
}

static void without_b_the_grandchild_is_current(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(5, 0, 7), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 3);
	assert_int_equal(choice.cur, 7 % 3);
	assert_int_equal(choice.backup, -1);
	assert_int_equal(choice.overwrite, 6 % 3);
	assert_int_equal(choice.parent, 5 % 3);
	assert_true(choice.degraded);
}

static void a_stale_slot_is_never_used(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 age;

	for (age = 3; age <= 9; age += 3) {
		/* an old copy in a's slot, then b's, then c's */
		put(*state, GENERATIONS(13 - age, 14, 15), slots);
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(choice.cur, 15 % 3);
		assert_int_equal(slots[13 % 3].state, TRIAD_SLOT_STALE);
		put(*state, GENERATIONS(13, 14 - age, 15), slots);
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(choice.cur, 15 % 3);
		put(*state, GENERATIONS(13, 14, 15 - age), slots);
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(choice.cur, 14 % 3);
	}
}

static void a_lost_root_write_leaves_the_letters_before_it(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	/* generation 8 was lost: as before; 9 landed behind it */
	put(*state, GENERATIONS(5, 6, 7), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.cur, 7 % 3);
	put(*state, GENERATIONS(5, 9, 7), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 3);
	assert_int_equal(choice.cur, 9 % 3);
	assert_int_equal(choice.overwrite, 5 % 3);
}

/* Generation 6 lost its backup 5; healing made 7 in 5's slot from 4 and 6. */
static void put_healed(struct history *h, struct triad_slot *slots)
{
	struct triad_root root = h->root[7];
	u8 block[TRIAD_BLOCK_SIZE];

	put(h, GENERATIONS(4, 6, 0), slots);
	root.slot = 2;
	assert_int_equal(triad_root_next_version(&hash, h->root[4].version, h->root[6].version,
						 root.version), 0);
	assert_int_equal(triad_root_seal(&root, &hash, block), 0);
	triad_root_decode(&slots[2], 2, block);
	assert_int_equal(triad_root_verify(&slots[2], &hash, block), 0);
	assert_int_equal(slots[2].state, TRIAD_SLOT_VALID);
}

static void a_healed_device_can_lose_any_root_again(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put_healed(*state, slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 1);
	assert_int_equal(choice.cur, 2);
	put_healed(*state, slots);
	slots[6 % 3].state = TRIAD_SLOT_UNREADABLE;
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 3);
	assert_int_equal(choice.cur, 2);
	put_healed(*state, slots);
	slots[4 % 3].state = TRIAD_SLOT_UNREADABLE;
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.cur, 2);
	put_healed(*state, slots);
	slots[2].state = TRIAD_SLOT_UNREADABLE;
	/* c is what it was before the heal */
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.cur, 6 % 3);
}

static void a_stale_slot_beside_a_healed_root_is_never_used(void **state)
{
	struct history *h = *state;
	struct triad_slot slots[3];
	struct triad_choice choice;

	/* in b's slot the predecessor of a: a link, but an old one */
	put_healed(h, slots);
	triad_root_decode(&slots[0], 0, h->block[3]);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.cur, 2);
	/* or another successor of a */
	put_healed(h, slots);
	slots[0].root = h->root[5];
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.cur, 2);
}

static void two_bad_roots_are_refused(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 n;

	for (n = 5; n < 8; n++) {
		put(*state, GENERATIONS(n, 0, 0), slots);
		assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
		assert_int_equal(choice.which, 4);
		assert_non_null(choice.why);
	}
	put(*state, GENERATIONS(0, 0, 0), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
}

static void unrelated_roots_are_refused(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(1, 5, 15), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
}

/* Going back to an older pair would be guessing, and healing would overwrite the proof. */
static void two_stale_roots_do_not_hide_the_youngest(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	/* linked, then two apart */
	put(*state, GENERATIONS(10, 11, 15), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
	assert_int_equal(choice.which, 4);
	assert_int_equal(choice.cur, -1);
	assert_non_null(choice.why);
	put(*state, GENERATIONS(8, 10, 15), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
	put(*state, GENERATIONS(10, 11, 6), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.cur, 11 % 3);
}

static void a_root_that_does_not_continue_the_chain_is_a_stray(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(13, 14, 15), slots);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_false(choice.stray);
	slots[15 % 3].root.prev_chain[0] ^= 1;
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 1);
	assert_true(choice.stray);
}

static void a_root_of_another_device_is_foreign(void **state)
{
	struct history *h = *state;
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 slot;

	for (slot = 0; slot < 3; slot++) {
		put(h, GENERATIONS(12, 13, 14), slots);
		slots[slot].root.uuid[3] ^= 1;
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(slots[slot].state, TRIAD_SLOT_FOREIGN);
		assert_true(choice.degraded);
	}
}

static void a_broken_chain_is_no_link(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(0, 6, 7), slots);
	slots[7 % 3].root.prev_chain[0] ^= 1;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
	put(*state, GENERATIONS(0, 6, 7), slots);
	slots[7 % 3].root.generation++;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
}

/* A branch is carried on, or begins where a root was healed; nothing else is a link. */
static void a_branch_of_another_line_is_no_link(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 branch;

	for (branch = 0; branch < 9; branch++) {
		put(*state, GENERATIONS(0, 6, 7), slots);
		slots[6 % 3].root.branch = 4;
		slots[7 % 3].root.branch = branch;
		assert_int_equal(triad_root_select(slots, &hash, &choice),
				 branch == 4 || branch == 7 ? 0 : -ENODATA);
	}
}

/* Case 1 by its version, but what c was made on was another root of that generation. */
static void a_lost_root_is_no_backup_of_what_replaced_it(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 i;

	for (i = 0; i < 2; i++) {
		put(*state, GENERATIONS(5, 6, 7), slots);
		slots[7 % 3].root.branch = 6;
		if (i)
			slots[6 % 3].root.branch = 6;
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(choice.cur, 7 % 3);
		assert_int_equal(choice.which, i ? 1 : 3);
		assert_int_equal(choice.backup, i ? 6 % 3 : -1);
		assert_int_equal(choice.parent, i ? 6 % 3 : 5 % 3);
		assert_int_equal(slots[6 % 3].state, i ? TRIAD_SLOT_VALID : TRIAD_SLOT_STALE);
		assert_false(choice.occupied);
		/* or c is of a copy that healed: its map must tell */
		assert_int_equal(choice.stray, !i);
	}
	/* nor is c anything, if it names neither as its parent */
	put(*state, GENERATIONS(5, 6, 7), slots);
	slots[7 % 3].root.branch = 6;
	slots[7 % 3].root.prev[0] ^= 1;
	slots[6 % 3].root.prev_chain[0] ^= 1;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
	assert_int_equal(choice.cur, -1);
}

/* Both were made on the same root, and what healing made there later is the younger. */
static void a_lost_root_beside_what_replaced_it_does_not_count(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 i;

	for (i = 0; i < 2; i++) {
		u32 healed = i ? 1 : 6 % 3, lost = 1 - healed;

		put(*state, GENERATIONS(5, 6, 0), slots);
		slots[1] = slots[6 % 3];
		slots[healed].root.branch = 6;
		slots[healed].root.next_seq += 10;
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(choice.cur, healed);
		assert_int_equal(choice.which, 2);
		assert_int_equal(choice.backup, 5 % 3);
		assert_int_equal(choice.overwrite, lost);
		assert_int_equal(slots[lost].state, TRIAD_SLOT_STALE);
	}
	/* of two that healing made neither is known to be the younger */
	put(*state, GENERATIONS(5, 6, 0), slots);
	slots[6 % 3].root.branch = 6;
	slots[1] = slots[6 % 3];
	slots[1].root.next_seq += 10;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
}

static void two_permutations_are_refused(void **state)
{
	struct history *h = *state;
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 slot;

	put(h, GENERATIONS(12, 13, 14), slots);
	hash.collide = true;
	for (slot = 0; slot < 3; slot++)
		memset(slots[slot].root.version, 0xcc, 32);
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
	assert_int_equal(choice.cur, -1);
	assert_non_null(choice.why);
}

/* A root that is whole, but says something this program does not know. */
static void what_is_not_known_is_foreign(void **state)
{
	static const u16 fields[] = {
		offsetof(struct triad_root_disk, format_version),
		offsetof(struct triad_root_disk, entry_size),
		offsetof(struct triad_root_disk, fanout_shift),
		offsetof(struct triad_root_disk, checksum_kind),
	};
	struct history *h = *state;
	struct triad_slot slot;
	u32 i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct triad_root_disk d;

		memcpy(&d, h->block[6], sizeof(d));
		((u8 *)&d)[fields[i]] += 2;
		d.crc = cpu_to_le32(triad_crc32c(&d, offsetof(struct triad_root_disk, crc)));
		triad_root_decode(&slot, 0, &d);
		assert_int_equal(slot.state, TRIAD_SLOT_FOREIGN);
		assert_non_null(slot.reason);
	}
}

/* All that never changes makes a device: one difference is enough. */
static void any_difference_makes_another_device(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 i;

	for (i = 0; i < 5; i++) {
		struct triad_root *root = &slots[12 % 3].root;

		put(*state, GENERATIONS(12, 13, 14), slots);
		switch (i) {
		case 0:
			root->hash[0] ^= 1;
			break;
		case 1:
			root->checksum_kind ^= 1;
			break;
		case 2:
			root->root_layout ^= 1;
			break;
		case 3:
			root->zone_blocks ^= 8;
			break;
		case 4:
			root->segment_blocks ^= 16;
			break;
		}
		assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
		assert_int_equal(slots[12 % 3].state, TRIAD_SLOT_FOREIGN);
	}
	/* three devices in three slots prove nothing */
	put(*state, GENERATIONS(12, 13, 14), slots);
	slots[0].root.uuid[0] ^= 1;
	slots[1].root.uuid[0] ^= 2;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
	/* nor do two */
	put(*state, GENERATIONS(0, 13, 14), slots);
	slots[1].root.uuid[0] ^= 2;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENODATA);
}

/* A link is none if something was made from its end, whatever its version says. */
static void the_end_of_a_chain_of_links_is_current(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(5, 6, 7), slots);
	slots[7 % 3].root.version[0] ^= 1;
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 2);
	assert_int_equal(choice.cur, 7 % 3);
	assert_int_equal(choice.backup, 6 % 3);
}

/* The n-th call of H fails, in every case of the selection. */
static void every_error_of_the_hash_is_passed_on(void **state)
{
	static const u32 cases[][3] = {
		{ 12, 13, 14 }, { 0, 13, 14 }, { 12, 0, 14 }, { 12, 13, 0 }, { 12, 13, 8 },
		{ 11, 13, 15 }, { 9, 13, 14 }, { 5, 6, 10 }, { 5, 7, 12 },
	};
	struct triad_slot slots[3];
	struct triad_choice choice;
	u32 i, n;
	int want, r;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(*state, cases[i], slots);
		hash.fail_at = 0;
		want = triad_root_select(slots, &hash, &choice);
		for (n = 1;; n++) {
			put(*state, cases[i], slots);
			hash.nr = 0;
			hash.fail_at = n;
			r = triad_root_select(slots, &hash, &choice);
			hash.fail_at = 0;
			if (hash.nr < n)
				break;
			assert_int_equal(r, -ENOMEM);
		}
		assert_int_equal(r, want);
	}
}

/* Its version does not follow, but it says whose child it is. */
static void a_root_with_a_child_is_not_current(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;

	put(*state, GENERATIONS(12, 13, 14), slots);
	memset(slots[14 % 3].root.version, 0x55, 32);
	assert_int_equal(triad_root_select(slots, &hash, &choice), 0);
	assert_int_equal(choice.which, 2);
	assert_int_equal(choice.cur, 14 % 3);
	assert_int_equal(choice.backup, 13 % 3);
}

static void an_error_of_the_hash_is_passed_on(void **state)
{
	struct triad_slot slots[3];
	struct triad_choice choice;
	u8 block[TRIAD_BLOCK_SIZE];

	put(*state, GENERATIONS(5, 6, 7), slots);
	hash.nr = 0;
	hash.fail_at = 2;
	assert_int_equal(triad_root_select(slots, &hash, &choice), -ENOMEM);
	hash.nr = 0;
	hash.fail_at = 1;
	assert_int_equal(triad_root_seal(&slots[0].root, &hash, block), -ENOMEM);
	hash.nr = 0;
	assert_int_equal(triad_root_verify(&slots[0], &hash, block), -ENOMEM);
	hash.fail_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_sealed_root_reads_back, setup),
		cmocka_unit_test_setup(every_single_bit_flip_is_detected, setup),
		cmocka_unit_test_setup(a_root_of_another_slot_is_foreign, setup),
		cmocka_unit_test_setup(three_good_roots_give_the_letters, setup),
		cmocka_unit_test_setup(without_a_the_link_gives_b_and_c, setup),
		cmocka_unit_test_setup(without_c_the_old_b_is_current, setup),
		cmocka_unit_test_setup(without_b_the_grandchild_is_current, setup),
		cmocka_unit_test_setup(a_stale_slot_is_never_used, setup),
		cmocka_unit_test_setup(a_lost_root_write_leaves_the_letters_before_it, setup),
		cmocka_unit_test_setup(a_healed_device_can_lose_any_root_again, setup),
		cmocka_unit_test_setup(a_stale_slot_beside_a_healed_root_is_never_used, setup),
		cmocka_unit_test_setup(two_bad_roots_are_refused, setup),
		cmocka_unit_test_setup(unrelated_roots_are_refused, setup),
		cmocka_unit_test_setup(two_stale_roots_do_not_hide_the_youngest, setup),
		cmocka_unit_test_setup(a_root_that_does_not_continue_the_chain_is_a_stray, setup),
		cmocka_unit_test_setup(a_root_of_another_device_is_foreign, setup),
		cmocka_unit_test_setup(a_broken_chain_is_no_link, setup),
		cmocka_unit_test_setup(a_branch_of_another_line_is_no_link, setup),
		cmocka_unit_test_setup(a_lost_root_is_no_backup_of_what_replaced_it, setup),
		cmocka_unit_test_setup(a_lost_root_beside_what_replaced_it_does_not_count, setup),
		cmocka_unit_test_setup(two_permutations_are_refused, setup),
		cmocka_unit_test_setup(what_is_not_known_is_foreign, setup),
		cmocka_unit_test_setup(any_difference_makes_another_device, setup),
		cmocka_unit_test_setup(the_end_of_a_chain_of_links_is_current, setup),
		cmocka_unit_test_setup(every_error_of_the_hash_is_passed_on, setup),
		cmocka_unit_test_setup(a_root_with_a_child_is_not_current, setup),
		cmocka_unit_test_setup(an_error_of_the_hash_is_passed_on, setup),
	};

	return cmocka_run_group_tests_name("root", tests, NULL, NULL);
}
