// SPDX-License-Identifier: GPL-2.0-or-later
/* send and position: what a device holds, or what has changed, as a stream. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "content.h"
#include "dm.h"
#include "replica.h"
#include "report.h"
#include "view.h"

#define LOOKS		50u
#define LOOK_AGAIN_US	20000u
#define BUFFER_BYTES	(64u << 20)	/* a pipe may be slow: what fits is read before it is written */
#define MOST_PASSES	128u	/* over a device whose commits overtake its reading */

static const char only_read[] = "The device was only read.";

/* ---- what is sent from -------------------------------------------------------------- */

struct source {
	const struct options *opt;	/* as typed */
	struct options its;		/* as typed for what lies below a mapping */
	struct dm_source dm;
	char *path;
	const char *mapping;		/* NULL: none was named */
	bool live;			/* it may be written meanwhile */
	struct view view;
	int slot;			/* live: of the root that is read */
};

static void find_source(struct source *s, const struct options *opt)
{
	memset(s, 0, sizeof(*s));
	s->opt = opt;
	s->its = *opt;
	s->path = s->dm.device;
	if (!dm_find_mapping(opt->args[0], &s->dm))
		return;
	dm_source_options(&s->dm, &s->its, &s->path);
	s->mapping = opt->args[0];
}

static void close_source(struct source *s)
{
	view_close(&s->view);
	explicit_bzero(s->dm.key, sizeof(s->dm.key));
}

/*
 * Of a device in use only what its current root reaches: that is durable, and stays as it is
 * until the second commit from now.  1: its roots have moved meanwhile.
 */
static int open_live(struct source *s)
{
	struct view *view = &s->view;
	u64 generation = view_current(view)->generation;
	int r;

	s->slot = view->choice.cur;
	view->core.store = &view->disk.store;
	view->core.hash = view->hash;
	r = triad_core_open_at(&view->core, disk_blocks(&view->disk), s->slot, false);
	if (r == -ENODATA || r == -EBADMSG || r == -EUCLEAN)
		return 1;
	if (r)
		return tool_fail(tool_exit_of(r), only_read, "%s: reading its root: %s", view->path,
				 strerror(-r));
	view->opened = true;
	return view->core.root.generation != generation;
}

static int open_closed(struct source *s)
{
	struct triad_store *store = &s->view.disk.store;
	int r = store->ops->flush(store);

	/* what lies in a cache could be sent, and lost here */
	if (r)
		return tool_fail(tool_exit_of(r), only_read, "%s: flushing it: %s", s->view.path,
				 strerror(-r));
	r = view_open(&s->view);
	if (!r && triad_core_lost_log(&s->view.core))
		r = tool_fail(TOOL_DAMAGED, "The device was only read.  See triadsetup check and export.",
			      "%s: flushed records of its log are damaged", s->view.path);
	return r;
}

/* Three roots of a device in use cannot be read at once: what a commit tore apart is whole again. */
static int open_source(struct source *s)
{
	struct view *view = &s->view;
	const char *which;
	unsigned int i;
	int r = 1;

	for (i = 0; i < LOOKS && r == 1; i++) {
		if (i) {
			view_close(view);
			usleep(LOOK_AGAIN_US);
		}
		r = view_probe(view, &s->its, s->its.args[0]);
		if (r)
			return r;
		/* nobody writes to a replica that is open */
		s->live = s->mapping ? !view_current(view) || !triad_root_is_replica(view_current(view)) :
			  disk_claimed(&view->disk, &which);
		if (!s->live)
			return open_closed(s);
		if (view->choice.which == 4) {
			r = 1;
			continue;
		}
		r = view_ready(view);
		if (!r)
			r = open_live(s);
	}
	if (r == 1)
		r = view->choice.which == 4 ? view_refuse(view) :
		    tool_fail(TOOL_BUSY, only_read, "%s: it commits faster than its roots can be read",
			      view->path);
	return r;
}

/*
 * Is what the root reaches still all there?  Only behind the second commit from it are its
 * blocks given back, and then a root says so; it goes over a or, while a slot is lost, over b.
 */
static int check_source(struct source *s)
{
	const struct triad_root *root = &s->view.core.root;
	struct triad_store *store = &s->view.disk.store;
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	bool there = false;
	int i, r;

	if (!s->live)
		return 0;
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		struct triad_slot slot;

		r = store->ops->read_root(store, i, block);
		if (r && i == s->slot)
			return r;
		if (r)
			continue;
		triad_root_decode(&slot, i, block);
		if (slot.state != TRIAD_SLOT_VALID ||
		    memcmp(slot.root.uuid, root->uuid, sizeof(root->uuid)))
			continue;
		if (slot.root.generation > root->generation + 1)
			return -ESTALE;
		there |= i == s->slot && slot.root.generation == root->generation &&
			 slot.root.branch == root->branch &&
			 !memcmp(slot.root.chain, root->chain, sizeof(root->chain));
	}
	return there ? 0 : -ESTALE;
}

/* ---- how far it is -------------------------------------------------------------------- */

/* The receiver has these LBAs, from the region before on, as they were in a generation. */
struct region {
	u64 end;
	bool any;		/* false: it has nothing of them */
	u64 generation;
};

struct send {
	struct source source;
	struct triad_origin from;
	bool is_full;
	struct stream_out *out;
	struct region region[MOST_PASSES + 2];
	unsigned int nr_regions;
	u64 nr_expected;		/* blocks and holes, about */
	u64 nr_done;
	double begun;
	unsigned int nr_overtaken;
	/* what was read and not checked */
	u8 *buffer;
	size_t filled;
	struct {
		u64 number, bytes, nr_blocks, nr_holes, lba;
	} mark;				/* of the stream, where the buffer begins */
};

static int write_all(int fd, const u8 *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		size -= n;
	}
	return 0;
}

/* What was read is what the root had, if the root still counts. */
static int flush_buffer(struct send *s)
{
	int r = check_source(&s->source);

	if (!r)
		r = write_all(STDOUT_FILENO, s->buffer, s->filled);
	if (r != -ESTALE)
		s->filled = 0;
	return r;
}

static ssize_t put_frame(void *context, void *data, size_t size)
{
	struct send *s = context;
	const struct stream_run_disk *first = (void *)((u8 *)data + sizeof(struct stream_header_disk));
	int r = s->filled + size > BUFFER_BYTES ? flush_buffer(s) : 0;

	if (r)
		return r;
	if (!s->filled) {
		s->mark.number = s->out->number;
		s->mark.bytes = s->out->bytes;
		s->mark.nr_blocks = s->out->nr_blocks;
		s->mark.nr_holes = s->out->nr_holes;
		s->mark.lba = le64_to_cpu(first->lba);
	}
	memcpy(s->buffer + s->filled, data, size);
	s->filled += size;
	return 0;
}

/* Forget what was not checked; LBAs before the mark were sent as this root has them. */
static void step_back(struct send *s, u64 generation)
{
	struct region old[MOST_PASSES + 2], *to = s->region;
	unsigned int i, nr = s->nr_regions;
	u64 at = s->mark.lba;

	memcpy(old, s->region, sizeof(old));
	if (s->filled) {
		s->out->number = s->mark.number;
		s->out->bytes = s->mark.bytes;
		s->out->nr_blocks = s->mark.nr_blocks;
		s->out->nr_holes = s->mark.nr_holes;
	}
	s->out->nr_gathered = s->out->nr_ranges = 0;
	s->filled = 0;
	if (at)
		*to++ = (struct region) { .end = at, .any = true, .generation = generation };
	for (i = 0; i < nr; i++)
		if (old[i].end > at)
			*to++ = old[i];
	s->nr_regions = to - s->region;
}

/* ---- content -------------------------------------------------------------------------- */

static int unreadable(const struct send *s, const struct content_block *block)
{
	progress("", 0, 0);
	return tool_fail(TOOL_DAMAGED, "Nothing goes on from here.  See triadsetup check --data and "
			 "repair.", "%s: LBA %" PRIu64 "%s: %s at block %" PRIu64 " %s",
			 s->source.view.path, block->lba, block->nr > 1 ? " and on" : "",
			 block->nr > 1 ? "the map node" : "the data", block->pba,
			 block->error == -EBADMSG ? "does not match its checksum" :
			 block->error == -EUCLEAN ? "is impossible" : "cannot be read");
}

/* Exit codes are positive, and end a walk as errors do. */
static int send_block(void *context, const struct content_block *block)
{
	struct send *s = context;
	int r;

	if (block->error) {
		/* overwritten, since it counts no more? */
		r = check_source(&s->source);
		return r ? r : unreadable(s, block);
	}
	if (s->out->write)
		progress("sending", ++s->nr_done, s->nr_expected + 1);
	return block->hole ? stream_hole(s->out, block->lba, block->nr) :
	       stream_block(s->out, block->lba, block->data);
}

/* All regions, as the root that is open has them. */
static int send_regions(struct send *s)
{
	struct triad_core *core = &s->source.view.core;
	u64 from = 0;
	unsigned int i;
	int r = 0;

	for (i = 0; i < s->nr_regions && !r; i++) {
		struct region *region = &s->region[i];
		struct content_range range = {
			.since = region->any ? (u32)region->generation + 1 : 0,
			.from = from,
			.to = region->end,
			.holes = region->any,
			.only_names = !s->out->write,
		};

		from = region->end;
		/* the log of a closed device is of no generation yet */
		if (region->any && region->generation == core->root.generation &&
		    !core->replayed_records)
			continue;
		/* even if nothing of it is in a frame yet */
		if (!s->filled && !s->out->nr_gathered && !s->out->nr_ranges)
			s->mark.lba = range.from;
		r = content_changes(core, &range, send_block, s);
		if (!r)
			r = stream_flush(s->out);
	}
	return r;
}

static int send_end(struct send *s)
{
	struct triad_core *core = &s->source.view.core;
	struct stream_end end;
	int gone, r = check_source(&s->source);

	memset(&end, 0, sizeof(end));
	if (!r)
		r = replica_position(core, &end.to);
	if (r)
		return r;
	if (s->out->write) {
		r = content_sum(core, core->root.checksum_kind, end.sum, &end.nr_mapped);
		/* a node that was overwritten reads as a wrong one */
		gone = check_source(&s->source);
		if (gone == -ESTALE) {
			/* all was sent as this root has it, only the sum is not to be had */
			r = write_all(STDOUT_FILENO, s->buffer, s->filled);
			s->filled = 0;
			s->mark.lba = core->geo.logical_blocks;
		}
		r = r ? r : gone;
	}
	if (r)
		return r;
	r = stream_end(s->out, &end);
	if (!r && s->out->write)
		r = write_all(STDOUT_FILENO, s->buffer, s->filled);
	s->filled = 0;
	s->from = end.to;
	return r;
}

/* Its commits have overtaken us: go on with a younger root, and what changed up to it. */
static int go_on(struct send *s)
{
	struct triad_root before = s->source.view.core.root;
	const struct triad_root *now;
	int r;

	step_back(s, before.generation);
	view_close(&s->source.view);
	r = open_source(&s->source);
	if (r)
		return r;
	now = view_current(&s->source.view);
	if (!s->source.live || memcmp(now->uuid, before.uuid, sizeof(before.uuid)) ||
	    now->branch != before.branch || now->generation < before.generation)
		return tool_fail(TOOL_BUSY, "Nothing goes on from here.  Send again.",
				 "%s: it was closed, healed or replaced meanwhile", s->source.view.path);
	return 0;
}

static int send_all(struct send *s)
{
	unsigned int i;
	int r = -ESTALE;

	for (i = 0; i < MOST_PASSES && r == -ESTALE; i++) {
		if (i) {
			s->nr_overtaken++;
			r = go_on(s);
			if (r)
				return r;
		}
		r = send_regions(s);
		if (!r)
			r = send_end(s);
	}
	progress("", 0, 0);
	if (r == -ESTALE)
		return tool_fail(TOOL_BUSY, "Nothing goes on from here.  Send again when less is "
				 "written, or with the device closed.",
				 "%s: it commits faster than what changes can be read",
				 s->source.view.path);
	if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG || r == -EIO)
		return tool_fail(TOOL_OUTPUT, "The device was only read; what was written is a part.",
				 "standard output: %s", strerror(-r));
	return r < 0 ? tool_fail(tool_exit_of(r), only_read, "%s: %s", s->source.view.path,
				 strerror(-r)) : r;
}

/* ---- since ------------------------------------------------------------------------------ */

static int refuse(const struct send *s, const struct triad_origin *now, const char *why,
		  const char *advice)
{
	char a[POSITION_SIZE], b[POSITION_SIZE];

	return tool_fail(TOOL_UNPROVABLE, advice, "%s: %s:\n  it is at %s,\n  and --since is %s",
			 s->source.view.path, why, position_text(now, a), position_text(&s->from, b));
}

/* Is it of this history? */
static int judge_since(struct send *s, const struct triad_origin *now)
{
	static const char full[] = "Nothing was sent.  Send all of it: without --since.";
	const struct triad_origin *from = &s->from;

	if (memcmp(from->uuid, now->uuid, sizeof(now->uuid)))
		return refuse(s, now, "this position is of another device", full);
	if (triad_root_is_replica(&s->source.view.core.root))
		return triad_origin_same(from, now) ? 0 :
		       refuse(s, now, "a replica does not know what changed since",
			      "Nothing was sent.  Send from the device itself, or all of it: without "
			      "--since.");
	switch (position_age(from, &s->source.view.core.root)) {
	case POSITION_OF_ANOTHER_HISTORY:
		return refuse(s, now, "this position is of another history", full);
	case POSITION_TOO_OLD:
		return refuse(s, now, "this position is too old", full);
	case POSITION_FITS:
		break;
	}
	if (from->branch != now->branch)
		tool_warn("%s: it was healed or rolled back since: whether a replica fits is known "
			  "when it has received all", s->source.view.path);
	return 0;
}

static int send_begin(struct send *s)
{
	struct stream_begin begin;
	int r = replica_begin(&s->source.view.core, s->is_full ? NULL : &s->from,
			      (u32)s->from.generation + 1, &begin);

	s->nr_expected = begin.nr_blocks + begin.nr_holes;
	if (!r)
		r = stream_begin(s->out, &begin);
	/* whatever becomes of the roots */
	if (!r && s->out->write)
		r = write_all(STDOUT_FILENO, s->buffer, s->filled);
	s->filled = 0;
	return r < 0 ? tool_fail(tool_exit_of(r), only_read, "standard output: %s", strerror(-r)) : 0;
}

/* ---- the commands ------------------------------------------------------------------------ */

static int report(const struct send *s)
{
	const struct options *opt = s->source.opt;
	const struct stream_out *out = s->out;
	double seconds = seconds_now() - s->begun;
	char position[POSITION_SIZE], bytes[TEXT_SIZE], rate[TEXT_SIZE];

	position_text(&s->from, position);
	if (opt->json) {
		json_add_text(json_document(), "position", position);
		json_add_number(json_document(), "bytes", out->bytes);
		json_add_number(json_document(), "blocks", out->nr_blocks);
		json_add_number(json_document(), "holes", out->nr_holes);
		return 0;
	}
	if (opt->batch)
		return 0;
	fprintf(opt->dry_run ? stdout : stderr, "%s: %s%s, %" PRIu64 " block%s and %" PRIu64 " hole%s",
		opt->args[0], opt->dry_run ? "about " : "", text_size(out->bytes, bytes),
		out->nr_blocks, PLURAL(out->nr_blocks), out->nr_holes, PLURAL(out->nr_holes));
	if (opt->dry_run)
		printf(" (%" PRIu64 " bytes)\n", out->bytes);
	else
		fprintf(stderr, " in %.1f s, %s/s\n  now at %s; commits overtook it %u time%s\n", seconds,
			text_rate(out->bytes, seconds, rate), position,
			s->nr_overtaken, PLURAL(s->nr_overtaken));
	return 0;
}

/* Of a device in use: what was acknowledged up to now, not only up to its last commit. */
static void commit_first(const struct source *s)
{
	int error = s->mapping && !s->dm.read_only && !s->dm.backup && !s->opt->dry_run ?
		    dm_message(s->mapping, "commit") : 0;

	/* read-only for another reason: then nothing is written */
	if (error && error != EROFS)
		tool_warn("%s: it cannot commit (%s): its last commit is sent", s->mapping,
			  strerror(error));
}

static int send_from(struct send *s)
{
	struct triad_core *core;
	struct triad_origin now;
	int r;

	commit_first(&s->source);
	r = open_source(&s->source);
	if (r)
		return r;
	core = &s->source.view.core;
	r = replica_position(core, &now);
	if (r)
		return tool_fail(tool_exit_of(r), only_read, "%s: %s", s->source.view.path, strerror(-r));
	if (!s->is_full)
		r = judge_since(s, &now);
	if (r)
		return r;
	s->region[0] = (struct region) {
		.end = core->geo.logical_blocks,
		.any = !s->is_full,
		.generation = s->from.generation,
	};
	s->nr_regions = triad_origin_same(&now, &s->from) ? 0 : 1;
	s->begun = seconds_now();
	r = send_begin(s);
	if (!r)
		r = send_all(s);
	if (!r && s->out->write && fsync(STDOUT_FILENO) && errno != EINVAL && errno != EROFS)
		r = tool_fail(TOOL_OUTPUT, "The device was only read; what was written may be a part.",
			      "standard output: %s", strerror(errno));
	return r ? r : report(s);
}

int cmd_send(const struct options *opt)
{
	struct send *s;
	int r = 0;

	if (opt->json && !opt->dry_run)
		return tool_fail(TOOL_USAGE, "Nothing was sent.  With --dry-run --json tells how much "
				 "it would be.", "send: --json and the stream both want standard output");
	if (!opt->dry_run && isatty(STDOUT_FILENO))
		return tool_fail(TOOL_USAGE, "Nothing was sent.  triadsetup send ... >FILE, or into a pipe.",
				 "send: standard output is a terminal");
	s = calloc(1, sizeof(*s));
	if (s)
		s->out = calloc(1, sizeof(*s->out));
	if (s)
		s->buffer = malloc(BUFFER_BYTES);
	if (!s || !s->out || !s->buffer)
		r = tool_fail(TOOL_MEMORY, "Nothing was sent.", "out of memory");
	if (!r) {
		s->is_full = !opt->since;
		s->out->write = opt->dry_run ? NULL : put_frame;
		s->out->context = s;
		if (opt->since && !position_parse(opt->since, &s->from))
			r = tool_fail(TOOL_USAGE, "Nothing was sent.  triadsetup position prints one.",
				      "--since: '%s' is no position", opt->since);
	}
	if (!r) {
		find_source(&s->source, opt);
		r = send_from(s);
		close_source(&s->source);
	}
	if (s) {
		free(s->out);
		free(s->buffer);
	}
	free(s);
	return r;
}

static int tell_position(struct source *s)
{
	const struct triad_root *root = &s->view.core.root;
	struct triad_origin position;
	char text[POSITION_SIZE];
	int r = replica_position(&s->view.core, &position);

	if (r)
		return tool_fail(tool_exit_of(r), only_read, "%s: %s", s->view.path, strerror(-r));
	position_text(&position, text);
	if (s->opt->json) {
		json_add_text(json_document(), "position", text);
		json_add_number(json_document(), "branch", position.branch);
		json_add_number(json_document(), "generation", position.generation);
		json_add_hex(json_document(), "state", position.state, sizeof(position.state));
		json_add_bool(json_document(), "replica", triad_root_is_replica(root));
	} else {
		puts(text);
	}
	return 0;
}

/* What it was half way from is all that helps now. */
static int tell_incomplete(struct source *s)
{
	const struct triad_origin *from = &view_current(&s->view)->origin;
	char text[POSITION_SIZE], *advice;
	int r;

	if (asprintf(&advice, position_is_none(from) ? "Receive all of it again." :
		     "Receive it again: triadsetup send --since %s, or all of it.",
		     position_text(from, text)) < 0)
		advice = NULL;
	r = tool_fail(TOOL_DEGRADED, advice, "%s: it is a replica, and what it received is not "
		      "complete: it has no position", s->view.path);
	free(advice);
	return r;
}

int cmd_position(const struct options *opt)
{
	struct source s;
	int r;

	find_source(&s, opt);
	r = view_probe(&s.view, &s.its, s.its.args[0]);
	if (!r && view_current(&s.view) &&
	    view_current(&s.view)->incompat & TRIAD_INCOMPAT_INCOMPLETE) {
		r = tell_incomplete(&s);
	} else if (!r) {
		view_close(&s.view);
		r = open_source(&s);
		if (!r)
			r = tell_position(&s);
	}
	close_source(&s);
	return r;
}
