/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vote.h - which of several replicas may take over.
 *
 * It is raft's election (Ongaro, Ousterhout: In Search of an Understandable Consensus Algorithm,
 * 2014, 5.2 and 5.4.1) on what is here anyway: the term is the epoch in a replica's roots, which a
 * seal raises and which is granted once; the log is the device's; who is elected is at least as far
 * as each of a majority that takes nothing more from who was the owner.  doc/replication has the
 * rest.
 */
#ifndef TRIAD_VOTE_H
#define TRIAD_VOTE_H

#include "replica.h"

#define VOTE_LEAST	3u	/* members: of two, none may be missing */
#define VOTE_MEMBERS	7u

/* What is known of a member. */
struct vote {
	bool answered;
	bool is_self;
	struct stream_voted said;
};

enum vote_verdict {
	VOTE_YES,
	VOTE_TOO_FEW,		/* no majority is there, or none granted it */
	VOTE_NOT_SELF,		/* whoever wants it is not among them, or no whole replica */
	VOTE_FURTHER,		/* "which" has what the candidate has not */
	VOTE_UNRELATED,		/* ... or is of another history: nobody here knows which one is newer */
};

struct vote_result {
	enum vote_verdict verdict;
	u32 nr;			/* that would grant it, or did */
	u32 majority;
	u32 epoch;		/* the highest that anybody has */
	u32 which;		/* member */
};

/* Of all members; granted: they were asked for an epoch, and the ones that granted it count. */
void vote_count(const struct vote *votes, u32 nr, bool granted, struct vote_result *result);

/* So many members have to have what must not be lost, the owner being one of them. */
u32 vote_majority(u32 nr_members);

#endif
