// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "tape.h"

#define MAX_SHOWN	12u
#define SECTORS		(WITNESS_BLOCK / 512)

u64 nr_violations;

void violation(const char *format, ...)
{
	va_list args;

	if (nr_violations++ >= MAX_SHOWN)
		return;
	fputs("VIOLATION: ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* Every bio completes once, none is left, and none fails before the disk does. */
static void load_event(struct tape *tape, u32 i, const struct witness_event *from)
{
	struct event *e = &tape->events[i], *sent;

	*e = (struct event){
		.block = from->sector / SECTORS, .nr = from->sectors / SECTORS, .of = from->of,
		.done = NEVER, .kind = from->kind, .where = from->where, .op = from->op,
		.flags = from->flags,
	};
	if (e->kind == WITNESS_SUBMIT) {
		if (from->sector % SECTORS || from->sectors % SECTORS)
			violation("event %u: no whole blocks", i);
		return;
	}
	if (e->of >= i || tape->events[e->of].kind != WITNESS_SUBMIT) {
		violation("event %u completes what was not submitted", i);
		e->of = 0;
		return;
	}
	sent = &tape->events[e->of];
	if (sent->done != NEVER)
		violation("event %u: the bio of event %u completes again", i, e->of);
	if (from->error && i < tape->died)
		violation("event %u: the bio of event %u failed: %d", i, e->of, from->error);
	sent->done = i;
	e->failed = from->error;
	sent->failed = e->failed;
	tape->nr_failed[e->where] += e->failed;
	e->block = sent->block;
	e->nr = sent->nr;
	e->op = sent->op;
	e->flags = sent->flags;
}

static bool load(struct tape *tape, const u8 *file, u64 size)
{
	const struct witness_header *h = (const void *)file;
	const struct witness_event *events = (const void *)(file + WITNESS_BLOCK);
	u64 at, i, nr = 0;

	if (size < WITNESS_BLOCK || h->magic != WITNESS_MAGIC || h->nr_events >= NEVER)
		return false;
	at = WITNESS_BLOCK + h->nr_events * sizeof(*events);
	at = (at + WITNESS_BLOCK - 1) / WITNESS_BLOCK * WITNESS_BLOCK;
	if (size < at + h->nr_blocks * WITNESS_BLOCK)
		return false;
	tape->nr = h->nr_events;
	tape->nr_ids = h->nr_blocks;
	tape->died = h->failures ? h->died : NEVER;
	tape->nr_reads = h->reads[WITNESS_UPPER] + h->reads[WITNESS_LOWER];
	tape->events = calloc(tape->nr + 1, sizeof(*tape->events));
	tape->ids = calloc(tape->nr_ids + 1, sizeof(*tape->ids));
	assert(tape->events && tape->ids);
	for (i = 0; i < tape->nr_ids; i++)
		tape->ids[i] = content_id(file + at + i * WITNESS_BLOCK);
	for (i = 0; i < tape->nr; i++) {
		load_event(tape, i, &events[i]);
		if (events[i].kind == WITNESS_SUBMIT && events[i].op == WITNESS_WRITE &&
		    events[i].of + (u64)tape->events[i].nr > tape->nr_ids)
			return false;
	}
	for (i = 0; i < tape->nr; i++)
		nr += tape->events[i].kind == WITNESS_SUBMIT && tape->events[i].done == NEVER;
	if (nr || h->in_flight)
		violation("%llu bios were never completed", (unsigned long long)nr);
	for (i = 0; i < 2; i++)
		if (h->reads[i] != h->reads_done[i])
			violation("%llu reads %s, %llu completions of reads",
				  (unsigned long long)h->reads[i],
				  i == WITNESS_UPPER ? "above" : "below",
				  (unsigned long long)h->reads_done[i]);
	if (h->again)
		violation("%llu bios completed again", (unsigned long long)h->again);
	return true;
}

bool tape_load(struct tape *tape, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok = false;
	void *file;

	memset(tape, 0, sizeof(*tape));
	content_mark();
	if (fd < 0 || fstat(fd, &st))
		return false;
	file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file != MAP_FAILED) {
		ok = load(tape, file, st.st_size);
		munmap(file, st.st_size);
	}
	close(fd);
	return ok;
}

void tape_free(struct tape *tape)
{
	free(tape->events);
	free(tape->ids);
}
