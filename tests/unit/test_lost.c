// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

static bool lost(const struct device *d, int slot)
{
	return triad_core_has_lost(&d->driver.core, slot);
}

static int letter(const struct device *d, u32 i)
{
	const struct triad_core *core = &d->driver.core;

	return i == 0 ? core->slot_a : i == 1 ? core->slot_b : core->slot_c;
}

static u32 *root_in(struct device *d, int slot)
{
	return &d->disk.view[TRIAD_SLOT_PBA(slot)];
}

static void assert_holds_all(struct device *d)
{
	assert_int_equal(oracle_hash(&d->oracle, device_state(d)),
			 oracle_hash(&d->oracle, d->oracle.nr));
}

/* More than a round of commits with something in each. */
static void write_on(struct device *d, u32 nr)
{
	while (nr--) {
		device_write(d, nr * 7, 5);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		device_check(d);
	}
	device_write(d, 1, 2);
	assert_int_equal(driver_flush(&d->driver), 0);
}

/* Whatever letter it has, and whether what was written there landed or not. */
static void a_lost_slot_is_not_the_end_of_commits(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 i, id;
	int slot;

	for (i = 0; i < 12; i++) {
		slot = letter(d, i % 3);
		d->disk.dead_slot = slot;
		d->disk.dead_keeps = i & 1;
		d->disk.dead_flushes = i & 2;
		write_on(d, 4);
		assert_true(lost(d, slot));
		id = *root_in(d, slot);
		write_on(d, 3);
		/* given up once, it is left alone */
		assert_int_equal(*root_in(d, slot), id);
		assert_int_equal(core->slot_a, slot);

		/* without it, and with what it holds now */
		assert_int_equal(device_reopen(d, false), 0);
		assert_true(core->degraded);
		assert_holds_all(d);
		d->disk.dead_slot = -1;
		assert_int_equal(device_reopen(d, true), 0);
		assert_holds_all(d);
		device_check(d);
		write_on(d, 3);
		assert_int_equal(device_reopen(d, false), 0);
		assert_int_equal(core->choice.which, 1);
	}
}

/* Empty, or older, or the root of unknown outcome: the next commit goes over it. */
static void a_slot_that_answers_again_is_written_again(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 i, old;
	int slot;

	for (i = 0; i < 9; i++) {
		slot = letter(d, i % 3);
		old = *root_in(d, slot);
		d->disk.dead_slot = slot;
		d->disk.dead_keeps = true;
		write_on(d, 4);
		d->disk.dead_slot = -1;
		if (i / 3 == 1)
			*root_in(d, slot) = 0;
		if (i / 3 == 2)
			*root_in(d, slot) = old;
		write_on(d, 1);
		assert_false(lost(d, slot));
		assert_int_equal(core->slot_c, slot);
		assert_int_equal(device_reopen(d, false), 0);
		assert_int_equal(core->choice.which, 1);
		assert_holds_all(d);
		assert_int_equal(device_reopen(d, true), 0);
		device_write(d, 9, 1);
	}
}

/* Another device's disk, text, and roots of this device that nobody here wrote. */
static void what_others_put_into_a_lost_slot_is_left_alone(void **state)
{
	static u8 text[TRIAD_BLOCK_SIZE] = "LUKS\xba\xbe";
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct triad_root other;
	u8 block[TRIAD_BLOCK_SIZE];
	u32 i, id;

	d->disk.dead_slot = core->slot_a;
	write_on(d, 4);
	d->disk.dead_slot = -1;
	for (i = 0; i < 4; i++) {
		other = core->root;
		other.slot = core->slot_a;
		if (i == 1)
			other.uuid[0] ^= 1;
		if (i == 2)
			other.generation += 5;
		if (i == 3)
			other.slot = core->slot_b;
		assert_int_equal(triad_root_seal(&other, &d->driver.hash, block), 0);
		id = content_id(i ? block : text);
		*root_in(d, core->slot_a) = id;
		write_on(d, 3);
		assert_true(lost(d, core->slot_a));
		assert_int_equal(*root_in(d, core->slot_a), id);
	}
	*root_in(d, core->slot_a) = 0;
	write_on(d, 1);
	assert_int_equal(core->store->lost, 0);
}

/* What a slot that cannot be read may reach is whole until two roots know better. */
static void without_a_slot_only_roots_are_written_first(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	struct trace trace;
	u32 i, n, nr;
	int slot, held;

	for (i = 0; i < 9; i++) {
		device_steps(d, 6);
		assert_int_equal(driver_commit(&d->driver, i & 1), 0);
		device_write(d, i, 3);
		held = device_state(d);
		slot = letter(d, i % 3);
		d->disk.dead_slot = slot;
		trace_init(&trace, d->disk.view);
		d->disk.trace = &trace;
		assert_int_equal(device_reopen(d, true), 0);
		d->disk.trace = NULL;
		for (n = nr = 0; n < trace.nr; n++) {
			assert_int_not_equal(trace.ops[n].kind, DISK_WRITE);
			nr += trace.ops[n].kind == DISK_ROOT;
		}
		assert_int_equal(nr, 2);
		trace_free(&trace);
		assert_false(triad_core_needs_heal(core));
		assert_true(lost(d, slot));
		assert_int_equal(device_state(d), held);
		device_check(d);
		write_on(d, 1);
		d->disk.dead_slot = -1;
		write_on(d, 3);
		assert_int_equal(core->store->lost, 0);
	}
}

/* A healing, cut by a failing flush: before its n-th root at the latest. */
static void heal_half(struct device *d, u32 n)
{
	d->disk.nr_flushes = 0;
	d->disk.fault.kind = FAULT_FLUSH;
	d->disk.fault.at = n;
	d->disk.fault.error = -EIO;
	device_reopen(d, true);
	memset(&d->disk.fault, 0, sizeof(d->disk.fault));
	d->driver.error = 0;
}

/* Two roots of one generation, both made by healings on top of the same root. */
static bool are_two_healings(const struct triad_root *x, const struct triad_root *y)
{
	return x->generation == y->generation && x->branch == y->branch &&
	       x->repeats != y->repeats;
}

/* Healed half, gone again before the second root, and back when another healing is half done. */
static void a_slot_may_come_and_go_while_it_is_healed(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	const struct triad_slot *slots = core->slots;
	u32 i, met = 0;
	int slot;

	for (i = 0; i < 54; i++) {
		write_on(d, 3);
		slot = letter(d, i % 3);
		d->disk.dead_slot = slot;
		d->disk.dead_flushes = true;
		assert_int_equal(device_reopen(d, true), 0);
		d->disk.dead_slot = -1;
		heal_half(d, 1 + i / 3 % 6);
		d->disk.dead_slot = slot;
		heal_half(d, 1 + i / 18);
		d->disk.dead_slot = -1;
		assert_int_equal(device_reopen(d, false), 0);
		met += are_two_healings(&slots[0].root, &slots[1].root) ||
		       are_two_healings(&slots[1].root, &slots[2].root) ||
		       are_two_healings(&slots[2].root, &slots[0].root);
		assert_holds_all(d);
		device_check(d);
		assert_int_equal(device_reopen(d, true), 0);
		assert_int_equal(core->store->lost, 0);
		assert_holds_all(d);
	}
	assert_true(met);
}

/* The slot is back behind the first root of a healing: slots do not take turns as ever then. */
static void half_a_healing_by_repeats_is_finished(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	u32 i, half = 0;

	for (i = 0; i < 40; i++) {
		device_steps(d, 2 + i % 5);
		assert_int_equal(driver_commit(&d->driver, false), 0);
		d->disk.dead_slot = letter(d, i % 3);
		d->disk.dead_flushes = true;
		heal_half(d, 2);
		d->disk.dead_slot = -1;
		assert_int_equal(device_reopen(d, false), 0);
		half += core->root.branch == core->root.generation;
		assert_int_equal(device_reopen(d, true), 0);
		assert_holds_all(d);
		device_check(d);
		write_on(d, 4);
	}
	assert_true(half > 3);
}

/* a is lost; then the device of c fails, or that of b, and may flush still. */
static void no_commit_over_a_second_loss(struct device *d, bool of_c, bool flushes)
{
	static const u8 text[TRIAD_BLOCK_SIZE] = "somebody else's";
	struct triad_core *core = &d->driver.core;
	u64 generation;

	d->disk.dead_slot = core->slot_a;
	write_on(d, 2);
	generation = core->root.generation;
	*root_in(d, core->slot_a) = content_id(text);
	d->disk.dead_flushes = flushes;
	d->disk.dead_slot = of_c ? core->slot_c : TRIAD_NR_SLOTS - core->slot_a - core->slot_c;
	assert_int_equal(driver_commit(&d->driver, false), -EIO);
	assert_int_equal(core->root.generation, generation);
	d->disk.dead_slot = -1;
	assert_int_equal(device_reopen(d, true), 0);
	assert_holds_all(d);
}

static void a_second_loss_ends_commits(void **state)
{
	no_commit_over_a_second_loss(*state, false, true);
}

/* A root over b would be the only one. */
static void a_commit_does_not_end_with_one_root(void **state)
{
	no_commit_over_a_second_loss(*state, true, false);
}

/* The pointer of a closed device cannot be written: b leads to the same content. */
static void a_pointer_that_cannot_be_written_is_done_without(void **state)
{
	struct device *d = *state;
	struct triad_core *core = &d->driver.core;
	int slot;

	assert_int_equal(driver_commit(&d->driver, true), 0);
	assert_int_equal(device_reopen(d, true), 0);
	slot = core->slot_c;
	d->disk.dead_slot = slot;
	d->disk.dead_flushes = true;
	device_write(d, 4, 4);
	assert_true(lost(d, slot));
	assert_int_equal(driver_flush(&d->driver), 0);
	assert_int_equal(device_reopen(d, false), 0);
	assert_holds_all(d);
	d->disk.dead_slot = -1;
	assert_int_equal(device_reopen(d, true), 0);
	assert_holds_all(d);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, device_setup_used, device_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_lost_slot_is_not_the_end_of_commits),
		T(a_slot_that_answers_again_is_written_again),
		T(what_others_put_into_a_lost_slot_is_left_alone),
		T(without_a_slot_only_roots_are_written_first),
		T(a_slot_may_come_and_go_while_it_is_healed),
		T(half_a_healing_by_repeats_is_finished),
		T(a_second_loss_ends_commits),
		T(a_commit_does_not_end_with_one_root),
		T(a_pointer_that_cannot_be_written_is_done_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
