// SPDX-License-Identifier: GPL-2.0-or-later
#include <sanitizer/asan_interface.h>

#include "env.h"

struct rng fuzz_random;
u64 fuzz_live_bytes;

/*
 * Large pieces are kept and given out again, poisoned meanwhile: fresh pages from
 * the system took most of the time of a run.
 */
#define LARGE		(32u << 10)
#define TOO_LARGE	(1u << 20)
#define NR_KEPT		32

struct piece {
	size_t size;
	u64 unused;		/* what follows is aligned to 16 */
	u8 memory[];
};

static struct piece *kept[NR_KEPT];

static bool is_kept(size_t size)
{
	return size >= LARGE && size <= TOO_LARGE;
}

static struct piece *take_kept(size_t size)
{
	struct piece *p;
	int i;

	for (i = 0; i < NR_KEPT; i++) {
		p = kept[i];
		if (!p || p->size != size)
			continue;
		kept[i] = NULL;
		ASAN_UNPOISON_MEMORY_REGION(p->memory, size);
		memset(p->memory, 0, size);
		return p;
	}
	return NULL;
}

static bool keep(struct piece *p)
{
	int i;

	for (i = 0; i < NR_KEPT; i++) {
		if (kept[i])
			continue;
		kept[i] = p;
		ASAN_POISON_MEMORY_REGION(p->memory, p->size);
		return true;
	}
	return false;
}

void *triad_alloc(size_t size)
{
	struct piece *p = is_kept(size) ? take_kept(size) : NULL;

	fuzz_live_bytes += size;
	assert(fuzz_live_bytes <= FUZZ_MAX_BYTES);
	if (!p)
		p = calloc(1, sizeof(*p) + size);
	assert(p);
	p->size = size;
	return p->memory;
}

void triad_free(void *memory)
{
	struct piece *p;

	if (!memory)
		return;
	p = (struct piece *)((u8 *)memory - offsetof(struct piece, memory));
	fuzz_live_bytes -= p->size;
	if (!is_kept(p->size) || !keep(p))
		free(p);
}

void triad_random(void *buf, size_t size)
{
	u8 *p = buf;

	while (size--)
		*p++ = rng_next(&fuzz_random);
}

u64 triad_now(void)
{
	return 1700000000;
}

struct triad_hash *fuzz_hash(void)
{
	static struct triad_hash *hash;
	const char *why;

	if (!hash)
		hash = triad_hash_create("sha256", NULL, 0, &why);
	assert(hash);
	return hash;
}
