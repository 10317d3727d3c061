// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle.h"

static u64 mix(u32 lba, u32 id)
{
	u64 z = ((u64)lba << 32 | id) * 0x9e3779b97f4a7c15ULL;

	if (!id)
		return 0;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

u64 oracle_hash_content(const u32 *content, u32 nr_lbas)
{
	u64 hash = 0;
	u32 i;

	for (i = 0; i < nr_lbas; i++)
		hash ^= mix(i, content[i]);
	return hash;
}

void oracle_init(struct oracle *oracle, u32 nr_lbas, const u32 *now)
{
	memset(oracle, 0, sizeof(*oracle));
	oracle->nr_lbas = nr_lbas;
	oracle->now = calloc(nr_lbas, sizeof(*oracle->now));
	assert(oracle->now);
	if (now)
		memcpy(oracle->now, now, nr_lbas * sizeof(*now));
	oracle->base = oracle_hash_content(oracle->now, nr_lbas);
}

void oracle_free(struct oracle *oracle)
{
	free(oracle->now);
	free(oracle->ops);
	free(oracle->undo);
}

void oracle_begin(struct oracle *oracle, u64 seq)
{
	struct oracle_op op = {
		.hash = oracle_hash(oracle, oracle->nr), .seq = seq, .undo = oracle->nr_undo,
	};

	if (oracle->nr == oracle->max_ops) {
		oracle->max_ops = oracle->max_ops ? 2 * oracle->max_ops : 256;
		oracle->ops = realloc(oracle->ops, oracle->max_ops * sizeof(*oracle->ops));
		assert(oracle->ops);
	}
	oracle->ops[oracle->nr++] = op;
}

void oracle_set(struct oracle *oracle, u32 lba, u32 id)
{
	if (oracle->nr_undo == oracle->max_undo) {
		oracle->max_undo = oracle->max_undo ? 2 * oracle->max_undo : 1024;
		oracle->undo = realloc(oracle->undo, oracle->max_undo * sizeof(*oracle->undo));
		assert(oracle->undo);
	}
	oracle->undo[oracle->nr_undo++] = (struct oracle_undo){ lba, oracle->now[lba] };
	oracle->ops[oracle->nr - 1].hash ^= mix(lba, oracle->now[lba]) ^ mix(lba, id);
	oracle->now[lba] = id;
}

static void go_back(const struct oracle *oracle, u32 state, u32 *content)
{
	u32 i, end = state < oracle->nr ? oracle->ops[state].undo : oracle->nr_undo;

	for (i = oracle->nr_undo; i > end; i--)
		content[oracle->undo[i - 1].lba] = oracle->undo[i - 1].id;
}

void oracle_truncate(struct oracle *oracle, u32 state)
{
	go_back(oracle, state, oracle->now);
	if (state < oracle->nr)
		oracle->nr_undo = oracle->ops[state].undo;
	oracle->nr = state;
	if (oracle->acked > state)
		oracle->acked = state;
}

void oracle_content(const struct oracle *oracle, u32 state, u32 *content)
{
	memcpy(content, oracle->now, oracle->nr_lbas * sizeof(*content));
	go_back(oracle, state, content);
}

int oracle_find(const struct oracle *oracle, u32 from, u32 to, u64 hash)
{
	u32 state;

	for (state = to + 1; state-- > from; )
		if (oracle_hash(oracle, state) == hash)
			return state;
	return -1;
}

u32 oracle_state_before(const struct oracle *oracle, u64 seq)
{
	u32 state = oracle->nr;

	while (state && oracle->ops[state - 1].seq >= seq)
		state--;
	return state;
}
