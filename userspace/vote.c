// SPDX-License-Identifier: GPL-2.0-or-later
#include "vote.h"

u32 vote_majority(u32 nr_members)
{
	return nr_members / 2 + 1;
}

static bool is_replica(const struct vote *v)
{
	return v->answered && (v->said.kind == STREAM_KIND_WHOLE || v->said.kind == STREAM_KIND_INCOMPLETE);
}

static bool counts(const struct vote *v, bool granted)
{
	return granted ? v->answered && v->said.granted : is_replica(v);
}

/* One that is incomplete has lost what it held, and says where that was. */
static bool held_something(const struct vote *v)
{
	return (is_replica(v) || (v->answered && v->said.kind == STREAM_KIND_BUSY)) &&
	       !position_is_none(&v->said.at);
}

void vote_count(const struct vote *votes, u32 nr, bool granted, struct vote_result *result)
{
	const struct vote *self = NULL;
	u32 i;

	*result = (struct vote_result) { .majority = vote_majority(nr) };
	for (i = 0; i < nr; i++) {
		result->nr += counts(&votes[i], granted);
		if (votes[i].answered)
			result->epoch = max_t(u32, result->epoch, votes[i].said.epoch);
		if (votes[i].is_self && counts(&votes[i], granted) && votes[i].said.kind == STREAM_KIND_WHOLE)
			self = &votes[i];
	}
	result->verdict = !self ? VOTE_NOT_SELF : result->nr < result->majority ? VOTE_TOO_FEW : VOTE_YES;
	for (i = 0; i < nr && result->verdict == VOTE_YES; i++) {
		enum position_order order = held_something(&votes[i]) ?
					    position_order(&self->said.at, &votes[i].said.at) : POSITION_SAME;

		result->which = i;
		if (order == POSITION_BEFORE)
			result->verdict = VOTE_FURTHER;
		else if (order == POSITION_UNRELATED)
			result->verdict = VOTE_UNRELATED;
	}
}
