// SPDX-License-Identifier: GPL-2.0-or-later
/* Which replica may take over, as far as members say where they are. */
#include "unit.h"
#include "vote.h"

static struct vote votes[VOTE_MEMBERS];
static u32 nr;

static struct triad_origin at(u64 branch, u64 generation, u64 next)
{
	struct triad_origin position = { .uuid = { 1 }, .branch = branch, .generation = generation };
	int i;

	for (i = 0; i < TRIAD_STATE_NUMBER; i++)
		position.state[i] = next >> 8 * (TRIAD_STATE_NUMBER - 1 - i);
	position.state[i] = next;
	return position;
}

static struct stream_voted *member(enum stream_kind kind, u64 next, u32 epoch)
{
	struct vote *v = &votes[nr++];

	*v = (struct vote) { .answered = true, .is_self = nr == 1 };
	v->said = (struct stream_voted) { .kind = kind, .epoch = epoch };
	if (next)
		v->said.at = at(0, next / 10, next);
	return &v->said;
}

static void absent(void)
{
	votes[nr++] = (struct vote) { .answered = false };
}

static enum vote_verdict verdict(bool granted)
{
	struct vote_result result;

	vote_count(votes, nr, granted, &result);
	return result.verdict;
}

static int begin(void **state)
{
	(void)state;
	nr = 0;
	return 0;
}

static void a_majority_and_nobody_further(void **state)
{
	struct vote_result result;

	(void)state;
	member(STREAM_KIND_WHOLE, 20, 3);
	member(STREAM_KIND_WHOLE, 20, 7);
	absent();
	vote_count(votes, nr, false, &result);
	assert_int_equal(result.verdict, VOTE_YES);
	assert_int_equal(result.nr, 2);
	assert_int_equal(result.majority, 2);
	assert_int_equal(result.epoch, 7);
	votes[1].said.at = at(0, 1, 19);
	assert_int_equal(verdict(false), VOTE_YES);
}

static void too_few(void **state)
{
	(void)state;
	member(STREAM_KIND_WHOLE, 20, 0);
	absent();
	absent();
	assert_int_equal(verdict(false), VOTE_TOO_FEW);
	/* four have no majority of two */
	member(STREAM_KIND_WHOLE, 20, 0);
	assert_int_equal(verdict(false), VOTE_TOO_FEW);
	votes[1].answered = true;
	votes[1].said.kind = STREAM_KIND_WHOLE;
	assert_int_equal(verdict(false), VOTE_YES);
}

static void only_replicas_vote(void **state)
{
	static const enum stream_kind none[] = { STREAM_KIND_OWNER, STREAM_KIND_BLANK, STREAM_KIND_BUSY };
	u32 i;

	(void)state;
	member(STREAM_KIND_WHOLE, 20, 0);
	member(STREAM_KIND_INCOMPLETE, 0, 0);
	absent();
	assert_int_equal(verdict(false), VOTE_YES);
	for (i = 0; i < 3; i++) {
		votes[1].said.kind = none[i];
		assert_int_equal(verdict(false), VOTE_TOO_FEW);
	}
}

static void what_was_granted_counts(void **state)
{
	(void)state;
	member(STREAM_KIND_WHOLE, 20, 1)->granted = true;
	member(STREAM_KIND_WHOLE, 20, 1);
	absent();
	assert_int_equal(verdict(true), VOTE_TOO_FEW);
	votes[1].said.granted = true;
	assert_int_equal(verdict(true), VOTE_YES);
	votes[0].said.granted = false;
	votes[2] = votes[1];
	assert_int_equal(verdict(true), VOTE_NOT_SELF);
}

static void who_is_further_is_named(void **state)
{
	struct vote_result result;

	(void)state;
	member(STREAM_KIND_WHOLE, 20, 0);
	member(STREAM_KIND_WHOLE, 19, 0);
	member(STREAM_KIND_WHOLE, 21, 0);
	vote_count(votes, nr, false, &result);
	assert_int_equal(result.verdict, VOTE_FURTHER);
	assert_int_equal(result.which, 2);
	/* what it held is lost with whatever was to replace it */
	votes[2].said.kind = STREAM_KIND_INCOMPLETE;
	assert_int_equal(verdict(false), VOTE_FURTHER);
	votes[2].answered = false;
	assert_int_equal(verdict(false), VOTE_YES);
}

static void another_history_is_not_compared(void **state)
{
	(void)state;
	member(STREAM_KIND_WHOLE, 20, 0);
	member(STREAM_KIND_WHOLE, 5, 0);
	absent();
	votes[1].said.at.uuid[3] = 1;
	assert_int_equal(verdict(false), VOTE_UNRELATED);
	/* one place, twice, of two histories */
	votes[1].said.at = votes[0].said.at;
	assert_int_equal(verdict(false), VOTE_YES);
	votes[1].said.at.state[TRIAD_STATE_SIZE - 1]++;
	assert_int_equal(verdict(false), VOTE_UNRELATED);
}

static void a_candidate_is_whole_and_here(void **state)
{
	(void)state;
	member(STREAM_KIND_INCOMPLETE, 20, 0);
	member(STREAM_KIND_WHOLE, 20, 0);
	absent();
	assert_int_equal(verdict(false), VOTE_NOT_SELF);
	votes[0].said.kind = STREAM_KIND_WHOLE;
	votes[0].is_self = false;
	assert_int_equal(verdict(false), VOTE_NOT_SELF);
}

static void positions_have_an_order(void **state)
{
	struct triad_origin x = at(0, 5, 1000), y = at(0, 4, 1001);

	(void)state;
	assert_int_equal(position_record(&x), 999);
	/* an older root may lead further */
	assert_int_equal(position_order(&x, &y), POSITION_BEFORE);
	assert_int_equal(position_order(&y, &x), POSITION_BEHIND);
	assert_int_equal(position_order(&x, &x), POSITION_SAME);
	y = at(0, 4, 1000);
	assert_int_equal(position_order(&x, &y), POSITION_SAME);
	y = at(0, 5, 1ull << 47);
	assert_int_equal(position_order(&x, &y), POSITION_BEFORE);
	/* a branch is behind all that it grew out of, and of what went on beside it nothing is known */
	y = at(6, 6, 10);
	assert_int_equal(position_order(&x, &y), POSITION_BEFORE);
	assert_int_equal(position_order(&y, &x), POSITION_BEHIND);
	y = at(5, 6, 10);
	assert_int_equal(position_order(&x, &y), POSITION_UNRELATED);
	assert_int_equal(position_order(&y, &x), POSITION_UNRELATED);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_majority_and_nobody_further),
		TEST(too_few),
		TEST(only_replicas_vote),
		TEST(what_was_granted_counts),
		TEST(who_is_further_is_named),
		TEST(another_history_is_not_compared),
		TEST(a_candidate_is_whole_and_here),
		TEST(positions_have_an_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
