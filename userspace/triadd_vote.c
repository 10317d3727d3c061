// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups: hosts that decide by majority which of their replicas takes over (vote.h).  A member is
 * asked over a session of its own, which has one question and one answer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "triadd.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "report.h"

#define QUESTION_MS	10000
#define ANSWER_MS	30000	/* a seal waits for what is under way, */
#define GRANT_SECONDS	20.0	/* ... no longer than somebody waits for it */

static struct group *groups[TRIADD_EVER];	/* never freed: a session may have it */
static unsigned int nr_groups;			/* atomic */

static u8 member[TRIAD_UUID_SIZE];	/* this daemon, for as long as it runs */

void vote_start(void)
{
	triad_random(member, sizeof(member));
}

bool vote_has_room(unsigned int nr)
{
	return nr_groups + nr <= TRIADD_EVER;
}

void vote_add(struct group *group)
{
	groups[nr_groups] = group;
	__atomic_store_n(&nr_groups, nr_groups + 1, __ATOMIC_RELEASE);
}

struct group *vote_next(unsigned int *i)
{
	for (; *i < __atomic_load_n(&nr_groups, __ATOMIC_ACQUIRE); ++*i)
		if (!__atomic_load_n(&groups[*i]->removed, __ATOMIC_RELAXED))
			return groups[*i];
	return NULL;
}

struct group *vote_group(const char *name)
{
	struct group *group;
	unsigned int i;

	for (i = 0; (group = vote_next(&i)); i++)
		if (!strcmp(group->name, name))
			return group;
	return NULL;
}

struct group *vote_group_of_key(const char *identity)
{
	size_t n = strlen(TRIADD_VOTES);

	return strncmp(identity, TRIADD_VOTES, n) ? NULL : vote_group(identity + n);
}

/* What goes out in a session of one frame each way; NULL: out of memory. */
static struct ship_out *new_out(void)
{
	struct ship_out *out = calloc(1, sizeof(*out));

	if (out && ship_out_init(out)) {
		free(out);
		return NULL;
	}
	if (out)
		ship_out_connected(out);
	return out;
}

static void free_out(struct ship_out *out)
{
	if (out)
		ship_out_free(out);
	free(out);
}

/* ---- who is asked --------------------------------------------------------------------------- */

static void answer(const struct group *group, u32 epoch, struct stream_voted *voted)
{
	struct peer *replica = triadd_find(ROLE_REPLICA, group->name), *owner;
	unsigned int i;

	*voted = (struct stream_voted) { .kind = STREAM_KIND_BLANK };
	if (replica)
		replica_vote(replica, epoch, GRANT_SECONDS, voted);
	/* each of its lines knows what its own replica has answered to */
	for_each_peer(i, owner) {
		if (replica || owner->role != ROLE_OWNER || strcmp(owner->name, group->name))
			continue;
		voted->kind = STREAM_KIND_OWNER;
		pthread_mutex_lock(&owner->lock);
		voted->epoch = max_t(u32, voted->epoch, owner->epoch);
		pthread_mutex_unlock(&owner->lock);
	}
	memcpy(voted->member, member, sizeof(member));
	if (voted->granted)
		triadd_say(replica, "epoch %u is granted to a member of its group", epoch);
}

void vote_session(const struct group *group, struct net *net)
{
	struct stream_voted voted;
	struct ship_out *out = new_out();

	if (out && net_receive(net, QUESTION_MS, -1) == 1 && net->in->type == STREAM_VOTE) {
		answer(group, net->in->epoch, &voted);
		if (!stream_voted(&out->stream, &voted))
			net_send(net, out);
	}
	free_out(out);
}

/* ---- who asks --------------------------------------------------------------------------------- */

struct question {
	const struct group *group;
	const char *host, *port;
	u32 epoch;
	struct vote vote;
	char why[160];
	pthread_t thread;
	bool has_thread;
};

static void *ask(void *context)
{
	struct question *q = context;
	struct ship_out *out = new_out();
	char name[64];
	struct net net;
	int r;

	snprintf(name, sizeof(name), "%s%s", TRIADD_VOTES, q->group->name);
	r = net_connect(&net, q->host, q->port, name, q->group->key, q->group->key_size, -1);
	if (!r)
		r = out ? stream_vote(&out->stream, q->epoch) : -ENOMEM;
	if (!r)
		r = net_send(&net, out);
	if (!r && net_receive(&net, ANSWER_MS, -1) == 1 && net.in->type == STREAM_VOTED) {
		q->vote.said = net.in->voted;
		q->vote.answered = true;
		q->vote.is_self = !memcmp(q->vote.said.member, member, sizeof(member));
	} else {
		snprintf(q->why, sizeof(q->why), "%s", net.why[0] ? net.why : r ? strerror(-r) :
			 "it does not answer");
	}
	net_close(&net);
	free_out(out);
	return NULL;
}

static struct json_object *vote_json(const struct question *q)
{
	static const char *const kinds[STREAM_NR_KINDS] = {
		[STREAM_KIND_BLANK] = "nothing", [STREAM_KIND_WHOLE] = "replica",
		[STREAM_KIND_INCOMPLETE] = "incomplete", [STREAM_KIND_OWNER] = "device",
		[STREAM_KIND_BUSY] = "busy",
	};
	struct json_object *out = json_object_new_object();
	const struct stream_voted *said = &q->vote.said;
	bool is_somewhere = q->vote.answered && !position_is_none(&said->at);
	char text[POSITION_SIZE];

	snprintf(text, sizeof(text), "%s:%s", q->host, q->port);
	json_add_text(out, "host", text);
	json_add_bool(out, "answered", q->vote.answered);
	json_add_text(out, "reason", q->why[0] ? q->why : NULL);
	json_add_bool(out, "self", q->vote.is_self);
	json_add_text(out, "kind", q->vote.answered ? kinds[said->kind] : NULL);
	json_add_bool(out, "granted", said->granted);
	json_add_number(out, "epoch", said->epoch);
	json_add_text(out, "position", is_somewhere ? position_text(&said->at, text) : NULL);
	json_add_number(out, "record", is_somewhere ? position_record(&said->at) : 0);
	return out;
}

struct json_object *vote_ask(const struct group *group, u32 epoch)
{
	struct json_object *out = json_object_new_object(), *list = json_object_new_array();
	struct question *q = calloc(group->nr, sizeof(*q));
	struct vote votes[VOTE_MEMBERS];
	static const char *const verdicts[] = {
		[VOTE_YES] = "yes", [VOTE_TOO_FEW] = "too few", [VOTE_NOT_SELF] = "not here",
		[VOTE_FURTHER] = "further", [VOTE_UNRELATED] = "unrelated",
	};
	struct vote_result result;
	unsigned int i;

	for (i = 0; q && i < group->nr; i++) {
		q[i].group = group;
		q[i].host = group->host[i];
		q[i].port = group->port[i];
		q[i].epoch = epoch;
		q[i].has_thread = !pthread_create(&q[i].thread, NULL, ask, &q[i]);
	}
	for (i = 0; q && i < group->nr; i++) {
		if (q[i].has_thread)
			pthread_join(q[i].thread, NULL);
		votes[i] = q[i].vote;
		json_object_array_add(list, vote_json(&q[i]));
	}
	json_add(out, "members", list);
	if (q) {
		vote_count(votes, group->nr, epoch != 0, &result);
		json_add_text(out, "verdict", verdicts[result.verdict]);
		json_add_number(out, "votes", result.nr);
		json_add_number(out, "majority", result.majority);
		json_add_number(out, "epoch", result.epoch);
		json_add_number(out, "which", result.which);
	}
	free(q);
	return out;
}
