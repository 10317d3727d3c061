// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who has a device open on another host writes a record, or a root, each heartbeat.  So first it is
 * seen that neither moves.  Then an opening record is written, with random bytes, as the kernel's
 * would be: of two that do so at the same time one finds the other's in its place, and whoever
 * looks from then on sees that something has moved.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "others.h"

#include <stdio.h>
#include <unistd.h>

#include "view.h"

static const char unchanged[] = "Nothing was changed.  Close it there first; if nobody has it open there, give "
				"the same command again.";

/* The roots, and where the next record would lie; what cannot be read is zeroes. */
struct sight {
	u8 block[TRIAD_NR_SLOTS + 1][TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
};

static void look(const struct view *view, u64 place, struct sight *sight)
{
	struct triad_store *store = (struct triad_store *)&view->disk.store;
	unsigned int i;

	memset(sight, 0, sizeof(*sight));
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (store->ops->read_root(store, i, sight->block[i]))
			memset(sight->block[i], 0, TRIAD_BLOCK_SIZE);
	if (store->ops->read(store, place, 1, sight->block[TRIAD_NR_SLOTS]))
		memset(sight->block[TRIAD_NR_SLOTS], 0, TRIAD_BLOCK_SIZE);
}

static int is_open(const char *path)
{
	return tool_fail(TOOL_BUSY, unchanged, "%s: another host has it open, or opens it: its log or its roots move",
			 path);
}

static int claim(struct view *view)
{
	struct triad_core *core = &view->core;
	struct sight sight, now;
	int r = triad_log_start(core);

	if (!r)
		r = core->store->ops->flush(core->store);
	if (r == -ESTALE)
		return is_open(view->path);
	if (r)
		return tool_fail(tool_exit_of(r), "What it holds is as it was.", "%s: %s", view->path, strerror(-r));
	look(view, core->record.place, &sight);
	/* somebody else's already? */
	if (memcmp(sight.block[TRIAD_NR_SLOTS], core->window, TRIAD_BLOCK_SIZE))
		return is_open(view->path);
	usleep(OTHERS_CLAIM_MS * 1000u);
	look(view, core->record.place, &now);
	return memcmp(&sight, &now, sizeof(now)) ? is_open(view->path) : 0;
}

/* Where its history has got to. */
struct position {
	u64 generation, seq;
	u8 version[TRIAD_HASH_SIZE], chain[TRIAD_HASH_SIZE];
};

static int open_at(struct view *view, const struct options *opt, const char *path, struct position *at)
{
	const struct triad_core *core = &view->core;
	int r = view_probe_to_write(view, opt, path);

	if (!r)
		r = view_open(view);
	if (r)
		return r;
	memset(at, 0, sizeof(*at));
	at->generation = core->root.generation;
	at->seq = core->next_seq;
	memcpy(at->version, core->root.version, sizeof(at->version));
	memcpy(at->chain, core->chain, sizeof(at->chain));
	return 0;
}

int others_wait(const struct options *opt, const char *path)
{
	struct position before, now;
	struct view view;
	int r = open_at(&view, opt, path, &before);

	view_close(&view);
	if (r)
		return r;
	if (opt->verbose)
		fprintf(stderr, "%s: waiting %u s to see whether another host has it open\n", path,
			(OTHERS_LOOK_MS + OTHERS_CLAIM_MS) / 1000);
	usleep(OTHERS_LOOK_MS * 1000u);
	/* a log that has grown meanwhile is read to its end again */
	r = open_at(&view, opt, path, &now);
	if (!r && memcmp(&before, &now, sizeof(now)))
		r = is_open(path);
	if (!r)
		r = claim(&view);
	view_close(&view);
	return r;
}
