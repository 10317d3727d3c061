// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scrub: read all of an open device, past the page cache.  The driver verifies each block
 * that it hands out, so reading is all there is to do.
 *
 * Where it is stands in a file, by the device's UUID: it is replaced every few seconds, and
 * what is interrupted goes on from there.  A piece that is nothing but zeroes is most likely
 * one that was never written, and cost the disk nothing: it does not count against the rate.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "status.h"

#define STATE_DIR	"/var/lib/triadsetup"
#define CHUNK_BLOCKS	256u
#define CHUNK		(CHUNK_BLOCKS * TRIAD_BLOCK_SIZE)
#define DEFAULT_RATE	(100ULL << 20)
#define SAVE_SECONDS	5
#define MAX_BAD		1000u	/* that are remembered one by one */
#define MAX_SHOWN	20u

struct scrub {
	const char *name;
	char uuid[TEXT_SIZE];
	char path[512];			/* of the state */
	int lock;			/* -1: another one is at it, or nobody may */
	u64 at, blocks;
	u64 begun, ended;		/* seconds since 1970; ended 0: not yet */
	u64 nr_bad;
	struct json_object *bad;	/* LBAs */
	bool known;			/* there is a state */
	/* of this run */
	u8 *chunk;
	int fd;
	u64 rate, charged;
	double since;
	time_t saved;
};

/* ---- state ------------------------------------------------------------------------- */

static const char *state_dir(void)
{
	const char *dir = getenv("STATE_DIRECTORY");	/* systemd's */

	return dir && dir[0] == '/' ? dir : STATE_DIR;
}

static u64 number(struct json_object *state, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(state, key, &value) ? json_object_get_uint64(value) : 0;
}

static void load(struct scrub *scrub)
{
	struct json_object *state = json_object_from_file(scrub->path), *bad;

	if (state && number(state, "blocks") == scrub->blocks && number(state, "at") <= scrub->blocks) {
		scrub->known = true;
		scrub->at = number(state, "at");
		scrub->begun = number(state, "begun");
		scrub->ended = number(state, "ended");
		scrub->nr_bad = number(state, "nr_bad");
		if (json_object_object_get_ex(state, "bad", &bad) &&
		    json_object_is_type(bad, json_type_array)) {
			json_object_put(scrub->bad);
			scrub->bad = json_object_get(bad);
		}
	}
	json_object_put(state);
}

static int save(struct scrub *scrub)
{
	struct json_object *state = json_object_new_object();
	char temporary[520];
	int r;

	snprintf(temporary, sizeof(temporary), "%s.new", scrub->path);
	json_add_text(state, "uuid", scrub->uuid);
	json_add_number(state, "blocks", scrub->blocks);
	json_add_number(state, "at", scrub->at);
	json_add_number(state, "begun", scrub->begun);
	json_add_number(state, "ended", scrub->ended);
	json_add_number(state, "nr_bad", scrub->nr_bad);
	json_add(state, "bad", json_object_get(scrub->bad));
	errno = 0;
	r = json_object_to_file(temporary, state) || rename(temporary, scrub->path);
	json_object_put(state);
	scrub->saved = time(NULL);
	return r ? tool_fail(TOOL_OUTPUT, "The device was only read.", "%s: %s", scrub->path,
			     strerror(errno ? errno : EIO)) : 0;
}

static void make_dir(const char *dir)
{
	char path[512], *slash;

	snprintf(path, sizeof(path), "%s", dir);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(path, 0755);
}

/* The one who holds it is at it. */
static int take_lock(struct scrub *scrub, bool make)
{
	char path[520];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", scrub->path);
	if (make)
		make_dir(state_dir());
	fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return -EBUSY;
	}
	scrub->lock = fd;
	return 0;
}

/* ---- reading ------------------------------------------------------------------------- */

static void note_bad(struct scrub *scrub, u64 lba, int error)
{
	scrub->nr_bad++;
	if (json_object_array_length(scrub->bad) < MAX_BAD)
		json_object_array_add(scrub->bad, json_object_new_uint64(lba));
	if (scrub->nr_bad <= MAX_SHOWN)
		tool_warn("%s: block %" PRIu64 ": %s", scrub->name, lba, error == EILSEQ ?
			  "it does not match its checksum" : strerror(error));
}

/* 0, or an errno. */
static int read_blocks(const struct scrub *scrub, u64 lba, u32 nr)
{
	size_t size = (size_t)nr << TRIAD_BLOCK_SHIFT;
	ssize_t n;

	do
		n = pread(scrub->fd, scrub->chunk, size, lba << TRIAD_BLOCK_SHIFT);
	while (n < 0 && errno == EINTR && !live_ended());
	return n == (ssize_t)size ? 0 : n < 0 ? errno : EIO;
}

/* One bad block fails the whole of a direct read. */
static int read_chunk(struct scrub *scrub, u32 nr, bool *empty)
{
	u32 i;
	int error = read_blocks(scrub, scrub->at, nr);

	*empty = !error && is_zero(scrub->chunk, (size_t)nr << TRIAD_BLOCK_SHIFT);
	for (i = 0; error && i < nr; i++) {
		if (live_ended())
			return EINTR;
		error = read_blocks(scrub, scrub->at + i, 1);
		if (error == ENXIO || error == ENODEV)
			return error;
		if (error && error != EINTR)
			note_bad(scrub, scrub->at + i, error);
		error = EAGAIN;
	}
	return 0;
}

static void keep_rate(struct scrub *scrub)
{
	double ahead = scrub->since + (double)scrub->charged / scrub->rate - seconds_now();

	if (ahead > 0)
		live_sleep(ahead);
}

static int read_all(struct scrub *scrub)
{
	bool empty;
	int r = 0, error;
	u32 nr;

	scrub->since = seconds_now();
	while (scrub->at < scrub->blocks && !live_ended() && !r) {
		nr = min_t(u64, CHUNK_BLOCKS, scrub->blocks - scrub->at);
		error = read_chunk(scrub, nr, &empty);
		if (error == EINTR)
			break;
		if (error)
			return tool_fail(TOOL_DEVICE, "The same command goes on where it was.", "%s: %s",
					 scrub->name, strerror(error));
		scrub->at += nr;
		scrub->charged += empty ? 0 : (u64)nr << TRIAD_BLOCK_SHIFT;
		progress("verifying", scrub->at, scrub->blocks);
		if (time(NULL) >= scrub->saved + SAVE_SECONDS)
			r = save(scrub);
		keep_rate(scrub);
	}
	progress("", 0, 0);
	return r;
}

/* ---- words ---------------------------------------------------------------------------- */

static void report(const struct scrub *scrub, const char *state, const struct options *opt)
{
	struct json_object *out = json_document();
	char a[TEXT_SIZE], b[TEXT_SIZE], when[TEXT_SIZE];

	if (opt->json) {
		json_add_text(out, "uuid", scrub->uuid);
		json_add_text(out, "state", state);
		json_add_number(out, "verified", scrub->at << TRIAD_BLOCK_SHIFT);
		json_add_number(out, "size", scrub->blocks << TRIAD_BLOCK_SHIFT);
		json_add_number(out, "begun", scrub->begun);
		json_add(out, "ended", scrub->ended ? json_object_new_uint64(scrub->ended) : NULL);
		json_add_number(out, "bad_blocks", scrub->nr_bad);
		json_add(out, "bad", json_object_get(scrub->bad));
		return;
	}
	if (opt->batch && !scrub->nr_bad)
		return;
	if (!scrub->begun) {
		printf("%s: not verified yet\n", scrub->name);
		return;
	}
	printf("%s: %s, %.1f %% (%s of %s), begun %s: %" PRIu64 " bad block%s\n", scrub->name, state,
	       100.0 * scrub->at / scrub->blocks, text_size(scrub->at << TRIAD_BLOCK_SHIFT, a),
	       text_size(scrub->blocks << TRIAD_BLOCK_SHIFT, b), text_time(scrub->begun, when),
	       scrub->nr_bad, PLURAL(scrub->nr_bad));
}

static int judge(const struct scrub *scrub)
{
	if (!scrub->nr_bad)
		return 0;
	return tool_fail(TOOL_DAMAGED, "Reading them fails, and writing them makes them good again: look for "
			 "them in a backup.\n  --json names them.  The disk may be failing: see its SMART data "
			 "and dmesg.", "%s: %" PRIu64 " block%s could not be read", scrub->name,
			 scrub->nr_bad, PLURAL(scrub->nr_bad));
}

/* ---- the command --------------------------------------------------------------------- */

static int say_status(struct scrub *scrub, const struct options *opt)
{
	int r = take_lock(scrub, false);

	load(scrub);
	report(scrub, !scrub->known ? "never" : r == -EBUSY ? "running" : scrub->ended ? "finished" :
	       "interrupted", opt);
	return judge(scrub);
}

static void begin(struct scrub *scrub, const struct options *opt)
{
	load(scrub);
	if (scrub->known && !scrub->ended && !opt->anew)
		return;
	json_object_put(scrub->bad);
	scrub->bad = json_object_new_array();
	scrub->at = scrub->nr_bad = scrub->ended = 0;
	scrub->begun = time(NULL);
}

static int run(struct scrub *scrub, const struct options *opt)
{
	char node[512];
	int r = take_lock(scrub, true);

	if (r == -EBUSY)
		return tool_fail(TOOL_BUSY, "It goes on.  How far it is: triadsetup scrub --status NAME.",
				 "%s: it is being verified already", scrub->name);
	if (r)
		return tool_fail(tool_exit_of(r), "Nothing was changed.", "%s.lock: %s", scrub->path,
				 strerror(-r));
	snprintf(node, sizeof(node), "%s/%s", dm_mapper_dir(), scrub->name);
	scrub->fd = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (scrub->fd < 0)
		return tool_fail_open(node, -errno, false);
	scrub->chunk = aligned_alloc(TRIAD_BLOCK_SIZE, CHUNK);
	if (!scrub->chunk)
		return tool_fail(TOOL_MEMORY, NULL, "out of memory");
	begin(scrub, opt);
	live_begin();
	scrub->rate = opt->rate ? opt->rate : DEFAULT_RATE;
	r = save(scrub);
	if (!r)
		r = read_all(scrub);
	if (!r && scrub->at == scrub->blocks)
		scrub->ended = time(NULL);
	if (!r)
		r = save(scrub);
	if (r)
		return r;
	report(scrub, scrub->ended ? "finished" : "interrupted", opt);
	return judge(scrub);
}

static int check(const struct status *status, const struct options *opt)
{
	if (!status->uuid[0])
		return tool_fail(TOOL_SYSTEM, "Nothing was changed.  Upgrade the module.",
				 "%s: its module does not tell its UUID", status->name);
	if (opt->status)
		return 0;
	if (status->suspended)
		return tool_fail(TOOL_BUSY, "Nothing was changed.  First: triadsetup resume.",
				 "%s: it is suspended", status->name);
	if (status_is(status, STATUS_MODE, "fail"))
		return tool_fail(TOOL_DAMAGED, "Nothing was changed.  See triadsetup status.",
				 "%s: it has failed", status->name);
	return 0;
}

int cmd_scrub(const struct options *opt)
{
	struct scrub scrub = { .name = opt->args[0], .lock = -1, .fd = -1 };
	struct status status;
	int r;

	if (opt->json)
		json_add_text(json_document(), "name", scrub.name);
	r = status_get(scrub.name, &status);
	if (!r)
		r = check(&status, opt);
	if (!r) {
		snprintf(scrub.uuid, sizeof(scrub.uuid), "%s", status.uuid);
		snprintf(scrub.path, sizeof(scrub.path), "%.400s/scrub-%s", state_dir(), scrub.uuid);
		scrub.blocks = status.sectors / TRIAD_SECTORS_PER_BLOCK;
		scrub.bad = json_object_new_array();
		r = opt->status ? say_status(&scrub, opt) : run(&scrub, opt);
		json_object_put(scrub.bad);
	}
	status_free(&status);
	if (scrub.fd >= 0)
		close(scrub.fd);
	if (scrub.lock >= 0)
		close(scrub.lock);
	free(scrub.chunk);
	return r;
}
