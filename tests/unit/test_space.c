// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "space.h"

/*
 * A space over a simulated disk: planes of b (slot 1) and c (slot 2) written
 * from two arrays, lists of the log, and a model of what is busy.
 */
struct fixture {
	struct disk disk;
	struct rng rng;
	struct triad_geometry geo;
	struct triad_space space;
	struct triad_root root;
	u8 b[DISK_BLOCKS], c[DISK_BLOCKS], busy[DISK_BLOCKS];
	bool live;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *why;

	content_release(0);
	disk_init(&f->disk, disk_new_view(), &f->rng);
	f->rng.state = 31;
	assert_int_equal(triad_geometry_init(&f->geo, DISK_BLOCKS, 0, 1536, 32, 0, &why), 0);
	assert_int_equal(triad_space_init(&f->space, &f->geo, &f->disk.store), 0);
	f->root.generation = 10;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	triad_space_free(&f->space);
	free(f->disk.view);
	free(f);
	assert_int_equal(test_alloc.live, 0);
	return 0;
}

static void write_planes(struct fixture *f, const u8 *reached, u32 slot, u64 hwm)
{
	static struct triad_plane_disk plane;
	u64 zone;
	u32 i;

	f->root.slot = slot;
	for (zone = 0; zone < hwm; zone++) {
		triad_space_empty_plane(&f->geo, zone, plane.bits);
		for (i = 0; i < triad_zone_size(&f->geo, zone); i++)
			if (reached[triad_zone_start(&f->geo, zone) + i])
				triad_bit_set(plane.bits, i);
		assert_int_equal(triad_space_write(&f->space, TRIAD_PLANE_MAGIC, zone, &f->root,
						   triad_plane_pba(&f->geo, zone, slot), &plane), 0);
	}
}

/* Write b and c to disk, and set the counters as opening would. */
static void use(struct fixture *f, u64 hwm)
{
	struct triad_space *s = &f->space;
	u64 pba, zone;

	write_planes(f, f->b, 1, hwm);
	write_planes(f, f->c, 2, hwm);
	s->slot_b = 1;
	s->slot_c = 2;
	s->hwm = s->hwm_b = hwm;
	for (pba = TRIAD_FIRST_ZONE; pba < DISK_BLOCKS - TRIAD_TAIL_BLOCKS; pba++) {
		zone = triad_zone_of(&f->geo, pba);
		s->zones[zone].used += f->c[pba];
		s->zones[zone].pending += f->b[pba] && !f->c[pba];
		s->used += f->c[pba];
		s->pending += f->b[pba] && !f->c[pba];
		if (f->b[pba] || f->c[pba] || !triad_geometry_valid_pba(&f->geo, pba))
			f->busy[pba] = 1;
	}
	memset(f->busy, 1, TRIAD_FIRST_ZONE);
	memset(f->busy + DISK_BLOCKS - TRIAD_TAIL_BLOCKS, 1, TRIAD_TAIL_BLOCKS);
	triad_space_recount(s);
}

static u64 nr_free(const struct fixture *f)
{
	u64 i, n = 0;

	for (i = 0; i < DISK_BLOCKS; i++)
		n += !f->busy[i];
	return n;
}

static void reach(struct fixture *f, u8 *plane, u32 percent)
{
	u64 pba;

	for (pba = TRIAD_FIRST_ZONE; pba < DISK_BLOCKS - TRIAD_TAIL_BLOCKS; pba++)
		if (triad_geometry_valid_pba(&f->geo, pba) && rng_percent(&f->rng, percent))
			plane[pba] = 1;
}

/* Take what there is; every block was free, and the free ones all come. */
static void take_all(struct fixture *f, u32 most)
{
	u64 left = nr_free(f), pba;
	u32 got, i, use_cursor;
	struct triad_list *list;

	while (left) {
		use_cursor = rng_below(&f->rng, 2);
		assert_int_equal(triad_space_take(&f->space, use_cursor,
						  1 + rng_below(&f->rng, most), &pba, &got), 0);
		assert_in_range(got, 1, left);
		for (i = 0; i < got; i++) {
			assert_int_equal(f->busy[pba + i], 0);
			f->busy[pba + i] = 1;
		}
		list = use_cursor == TRIAD_CURSOR_LOG ? &f->space.log_active : &f->space.nodes;
		assert_int_equal(triad_list_push_run(list, pba, got), 0);
		left -= got;
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(triad_space_take(&f->space, i, 1, &pba, &got), -ENOSPC);
}

static void an_empty_device_gives_every_block_once(void **state)
{
	struct fixture *f = *state;

	use(f, 0);
	assert_int_equal(nr_free(f), f->geo.usable);
	take_all(f, 100);
}

static void blocks_of_b_and_c_are_never_taken_and_all_others_are(void **state)
{
	struct fixture *f = *state;

	reach(f, f->b, 30);
	reach(f, f->c, 50);
	use(f, f->geo.nr_zones);
	take_all(f, 300);
}

static void the_last_free_block_is_found(void **state)
{
	struct fixture *f = *state;
	u64 pba, lonely = 9000, got_pba;
	u32 got;

	for (pba = 0; pba < DISK_BLOCKS; pba++)
		f->c[pba] = triad_geometry_valid_pba(&f->geo, pba) && pba != lonely;
	use(f, f->geo.nr_zones);
	assert_int_equal(triad_space_take(&f->space, TRIAD_CURSOR_NODE, 5, &got_pba, &got), 0);
	assert_int_equal(got_pba, lonely);
	assert_int_equal(got, 1);
	assert_int_equal(triad_space_take(&f->space, TRIAD_CURSOR_LOG, 1, &got_pba, &got),
			 -ENOSPC);
}

static void the_log_since_b_and_the_next_place_are_never_taken(void **state)
{
	struct fixture *f = *state;
	struct triad_list *lists[] = {
		&f->space.log_backup, &f->space.log_frozen, &f->space.log_active,
		&f->space.nodes,
	};
	u64 pba, i, nr;

	reach(f, f->c, 20);
	for (i = 0; i < 400; i++) {
		pba = TRIAD_FIRST_ZONE + rng_below(&f->rng, 13000);
		for (nr = 0; nr < 1 + rng_below(&f->rng, 9); nr++, pba++) {
			if (!triad_geometry_valid_pba(&f->geo, pba) || f->c[pba] || f->busy[pba])
				continue;
			f->busy[pba] = 1;
			assert_int_equal(triad_list_push_run(lists[i % 4], pba, 1), 0);
		}
	}
	for (pba = 12000; f->busy[pba] || f->c[pba]; pba++)
		;
	f->busy[pba] = 1;
	f->space.next = pba;
	use(f, f->geo.nr_zones);
	triad_space_count(&f->space, &f->space.log_frozen);
	triad_space_count(&f->space, &f->space.nodes);
	take_all(f, 20);
}

/* A record that hops over many zones must not be given a block twice. */
static void planes_read_again_know_what_was_noted(void **state)
{
	struct fixture *f = *state;

	reach(f, f->c, 98);
	use(f, f->geo.nr_zones);
	take_all(f, 2);
}

static void what_is_lent_is_free_and_is_not_taken(void **state)
{
	static u8 bits[TRIAD_PLANE_BITS / 8];
	struct fixture *f = *state;
	struct triad_space *s = &f->space;
	u64 zone, start, pba, before;
	u32 size, nr = 0, i, got;

	reach(f, f->b, 30);
	reach(f, f->c, 50);
	use(f, f->geo.nr_zones);
	assert_int_equal(triad_space_take(s, TRIAD_CURSOR_LOG, 1, &pba, &got), 0);
	assert_int_equal(triad_list_push_run(&s->log_active, pba, 1), 0);
	f->busy[pba] = 1;
	/* a cursor works there, and there nothing is */
	zone = triad_zone_of(&f->geo, pba);
	assert_int_equal(triad_space_lend(s, zone, 0, bits), 0);
	assert_int_equal(triad_space_lend(s, f->geo.nr_zones, 0, bits), 0);
	zone = (zone + 1) % f->geo.nr_zones;
	start = triad_zone_start(&f->geo, zone);
	size = triad_zone_size(&f->geo, zone);
	for (i = 0; i < size; i++)
		nr += !f->busy[start + i];
	before = triad_space_available(s);
	assert_int_equal(triad_space_lend(s, zone, before - nr + 1, bits), 0);
	assert_int_equal(triad_space_lend(s, zone, before - nr, bits), nr);
	assert_int_equal(triad_space_available(s), before - nr);
	assert_int_equal(triad_space_lend(s, (zone + 1) % f->geo.nr_zones, 0, bits), 0);
	for (i = 0; i < size; i++) {
		assert_int_equal(triad_bit(bits, i), f->busy[start + i]);
		f->busy[start + i] = 1;
	}
	take_all(f, 100);
	/* what gets free in it is no room either */
	before = triad_space_available(s);
	s->zones[zone].used -= 50;
	s->used -= 50;
	assert_int_equal(triad_space_available(s), before);
	s->zones[zone].used += 50;
	s->used += 50;
	triad_space_give_back(s);
	for (i = 0; i < size; i++)
		f->busy[start + i] = triad_bit(bits, i);
	take_all(f, 100);
}

static void a_wrong_hint_ends_the_search_not_the_program(void **state)
{
	struct fixture *f = *state;
	u64 pba;
	u32 got;

	use(f, f->geo.nr_zones);
	/* b's log is in no counter of a zone: they say that there is room */
	for (pba = 0; pba < DISK_BLOCKS; pba++)
		if (triad_geometry_valid_pba(&f->geo, pba))
			assert_int_equal(triad_list_push_run(&f->space.log_backup, pba, 1), 0);
	assert_int_equal(triad_space_take(&f->space, TRIAD_CURSOR_LOG, 1, &pba, &got), -ENOSPC);
}

static void lists_merge_neighbours_and_know_their_length(void **state)
{
	struct triad_list list = { 0 };
	u32 i;

	(void)state;
	assert_int_equal(triad_list_push_run(&list, 3000, 4), 0);
	assert_int_equal(triad_list_push_run(&list, 3004, 1), 0);
	assert_int_equal(list.nr, 1);
	assert_int_equal(triad_list_push_run(&list, 3006, 1), 0);
	assert_int_equal(list.nr, 2);
	assert_int_equal(triad_list_blocks(&list), 6);
	list.nr = 0;
	for (i = 0; i < 70000; i++)
		assert_int_equal(triad_list_push_run(&list, 1000000 + i, 1), 0);
	assert_int_equal(triad_list_blocks(&list), 70000);
	triad_list_free(&list);
}

static void bits_are_counted_in_any_range(void **state)
{
	u8 bits[64];
	struct rng rng = { 8 };
	u32 i, from, to, n;

	(void)state;
	for (i = 0; i < sizeof(bits); i++)
		bits[i] = rng_next(&rng);
	for (from = 0; from < 130; from++) {
		for (to = from; to <= 8 * sizeof(bits); to += 7) {
			for (n = 0, i = from; i < to; i++)
				n += triad_bit(bits, i);
			assert_int_equal(triad_bits_count(bits, from, to), n);
		}
	}
}

static void a_rotten_stale_or_misplaced_plane_is_not_believed(void **state)
{
	static u8 bits[TRIAD_PLANE_BITS / 8];
	static struct triad_plane_disk buffer;
	struct fixture *f = *state;
	u64 p = triad_plane_pba(&f->geo, 3, 2);
	u32 good;

	use(f, f->geo.nr_zones);
	good = f->disk.view[p];
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 10, bits, &buffer), 0);
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 0, bits, &buffer), 0);
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 8, bits, &buffer), 0);
	/* older than the change; or from a commit that had no need to write it */
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 11, bits, &buffer), -EBADMSG);
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 7, bits, &buffer), -EBADMSG);
	f->disk.view[p] = content_mix(good, 0, 0x80);
	f->disk.view[p] = content_rotten(&f->rng);
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 0, bits, &buffer), -EBADMSG);
	f->disk.view[p] = f->disk.view[triad_plane_pba(&f->geo, 4, 2)];
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 0, bits, &buffer), -EBADMSG);
	f->disk.view[p] = f->disk.view[triad_plane_pba(&f->geo, 3, 1)];
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 0, bits, &buffer), -EBADMSG);
	f->disk.view[p] = good;
	f->space.uuid[0] ^= 1;
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 0, bits, &buffer), -EBADMSG);
	/* at and above the mark nothing is read */
	assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 3, 0, bits, &buffer), 0);
	assert_int_equal(triad_bits_count(bits, 0, 1536), triad_zone_header(&f->geo, 3));
}

static void every_bit_flip_of_a_plane_is_detected(void **state)
{
	static u8 bits[TRIAD_PLANE_BITS / 8], block[TRIAD_BLOCK_SIZE];
	static struct triad_plane_disk buffer;
	struct fixture *f = *state;
	u64 p = triad_plane_pba(&f->geo, 3, 2);
	u32 bit, mark;

	use(f, f->geo.nr_zones);
	memcpy(block, content_of(f->disk.view[p]), sizeof(block));
	for (bit = 0; bit < 8 * TRIAD_BLOCK_SIZE; bit++) {
		/* generation and version are told by the crc only */
		mark = content_mark();
		block[bit / 8] ^= 1u << bit % 8;
		f->disk.view[p] = content_id(block);
		assert_int_equal(triad_space_read_plane(&f->space, 3, 2, 9, 0, bits, &buffer),
				 -EBADMSG);
		block[bit / 8] ^= 1u << bit % 8;
		content_release(mark);
	}
}

static void a_read_error_of_a_plane_is_not_rot(void **state)
{
	struct fixture *f = *state;
	u64 pba;
	u32 got;

	use(f, f->geo.nr_zones);
	f->disk.fault = (struct disk_fault){ FAULT_READ, 1, true, -EIO };
	assert_int_equal(triad_space_take(&f->space, TRIAD_CURSOR_LOG, 1, &pba, &got), -EIO);
}

static void a_plane_that_the_medium_lost_is_rot(void **state)
{
	static struct triad_plane_disk buffer;
	static u8 bits[TRIAD_PLANE_BITS / 8];
	struct fixture *f = *state;

	use(f, 2);
	f->disk.nr_reads = 0;
	f->disk.fault = (struct disk_fault){ .kind = FAULT_READ, .at = 1, .error = -ENODATA };
	assert_int_equal(triad_space_read_plane(&f->space, 1, 1, 2, 0, bits, &buffer), -EBADMSG);
	f->disk.fault.at = 0;
}

static void a_plane_of_another_count_is_rebuilt(void **state)
{
	static u8 bits[TRIAD_PLANE_BITS / 8];
	static struct triad_plane_disk buffer;
	struct fixture *f = *state;
	bool rebuilt;

	reach(f, f->c, 30);
	use(f, f->geo.nr_zones);
	assert_int_equal(triad_space_read_current(&f->space, 3, bits, &buffer, NULL, &rebuilt), 0);
	assert_false(rebuilt);
	f->space.zones[3].used++;
	assert_int_equal(triad_space_read_current(&f->space, 3, bits, &buffer, NULL, &rebuilt), 0);
	assert_true(rebuilt);
}

static void a_rotten_plane_of_b_keeps_nothing_but_c(void **state)
{
	struct fixture *f = *state;
	u64 zone, pba;

	reach(f, f->c, 40);
	use(f, f->geo.nr_zones);
	for (zone = 0; zone < f->geo.nr_zones; zone++)
		f->disk.view[triad_plane_pba(&f->geo, zone, 1)] = content_rotten(&f->rng);
	for (pba = 0; pba < DISK_BLOCKS; pba++)
		assert_int_equal(f->b[pba], 0);
	take_all(f, 100);
	assert_true(f->space.nr_rotten > 0);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_device_gives_every_block_once),
		T(blocks_of_b_and_c_are_never_taken_and_all_others_are),
		T(the_last_free_block_is_found),
		T(the_log_since_b_and_the_next_place_are_never_taken),
		T(planes_read_again_know_what_was_noted),
		T(what_is_lent_is_free_and_is_not_taken),
		T(a_wrong_hint_ends_the_search_not_the_program),
		T(lists_merge_neighbours_and_know_their_length),
		T(bits_are_counted_in_any_range),
		T(a_rotten_stale_or_misplaced_plane_is_not_believed),
		T(every_bit_flip_of_a_plane_is_detected),
		T(a_read_error_of_a_plane_is_not_rot),
		T(a_plane_that_the_medium_lost_is_rot),
		T(a_plane_of_another_count_is_rebuilt),
		T(a_rotten_plane_of_b_keeps_nothing_but_c),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
