// SPDX-License-Identifier: GPL-2.0-or-later
/* receive: make a replica of a stream, bring it on, and end its being one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "hash.h"
#include "names.h"
#include "replica.h"
#include "report.h"
#include "signature.h"
#include "view.h"
#include "writer.h"

static const char untouched[] = "Nothing was changed.";

struct job {
	const struct options *opt;
	struct view view;
	struct stream_in *in;
	struct receive rx;
	double begun;
	/* a new device */
	bool fresh;
	struct triad_root root;
	struct triad_geometry geo;
	struct triad_hash *hash;
};

static ssize_t read_input(void *context, void *data, size_t size)
{
	size_t done = 0;

	(void)context;
	while (done < size) {
		ssize_t n = read(STDIN_FILENO, (u8 *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

static int next_frame(struct job *job)
{
	int r = stream_next(job->in);

	if (!r)
		return 0;
	return tool_fail(r == -EPROTO ? TOOL_USAGE : r == -EBADMSG || r == -EUCLEAN ? TOOL_DAMAGED :
			 tool_exit_of(r), untouched, "standard input: %s",
			 r == -EPROTO || r == -EBADMSG || r == -EUCLEAN ? job->in->why : strerror(-r));
}

/* ---- a new replica ---------------------------------------------------------------- */

/* No slot holds anything of ours. */
static bool is_blank(const struct view *view)
{
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		const struct triad_slot *slot = &view->slots[i];

		if (slot->root.device_blocks || (slot->state == TRIAD_SLOT_UNREADABLE && slot->error != -ERANGE))
			return false;
	}
	return true;
}

static int too_small(const struct job *job, u64 most)
{
	char a[TEXT_SIZE], b[TEXT_SIZE];

	return tool_fail(TOOL_DEVICE, "Nothing was changed.  Use a larger one.",
			 "%s: it maps to %s at most, and what comes to %s", job->view.path,
			 text_size(most << TRIAD_BLOCK_SHIFT, a),
			 text_size(job->in->begin.logical_blocks << TRIAD_BLOCK_SHIFT, b));
}

/* On a blank one: as the sender's, as far as it can be. */
static int plan_blank(struct job *job)
{
	const struct stream_begin *begin = &job->in->begin;
	const struct options *opt = job->opt;
	struct triad_root *root = &job->root;
	struct view *view = &job->view;
	const char *why, *name = opt->hash ? opt->hash : "sha256";
	u64 blocks = min_t(u64, disk_blocks(&view->disk), TRIAD_MAX_BLOCKS);
	char text[TEXT_SIZE];
	int r;

	if (strlen(name) > TRIAD_HASH_NAME_SIZE)
		return tool_fail(TOOL_USAGE, untouched, "--hash: '%s' is too long", name);
	job->hash = triad_hash_create(name, view->key, view->key_size, &why);
	if (!job->hash)
		return tool_fail(TOOL_USAGE, untouched, "--hash %s: %s", name, why);
	memcpy(root->hash, name, strlen(name));
	root->checksum_kind = begin->checksum_kind;
	r = checksum_take("--checksum", opt->checksum, &root->checksum_kind);
	if (r)
		return r;
	memcpy(root->label, begin->label, sizeof(root->label));
	uuid_generate(root->uuid);
	if (triad_geometry_init(&job->geo, blocks, 0, TRIAD_PLANE_BITS, TRIAD_DEFAULT_SEGMENT, 0, &why))
		return tool_fail(TOOL_DEVICE, untouched, "%s (%s): %s", view->path,
				 text_size(view->disk.data.bytes, text), why);
	if (job->geo.logical_blocks < begin->logical_blocks)
		return too_small(job, job->geo.logical_blocks);
	if (triad_geometry_init(&job->geo, blocks, begin->logical_blocks, TRIAD_PLANE_BITS,
				TRIAD_DEFAULT_SEGMENT, 0, &why))
		return tool_fail(TOOL_DEVICE, untouched, "%s: %s", view->path, why);
	return 0;
}

/* On one that was just formatted: it stays what it was made. */
static int plan_formatted(struct job *job)
{
	struct view *view = &job->view;
	const struct triad_root *root = view_current(view);
	const char *why;

	if (job->opt->hash || job->opt->checksum)
		return tool_fail(TOOL_USAGE, untouched, "%s: it is formatted: it takes no --hash and no "
				 "--checksum", view->path);
	if (root->root_layout != TRIAD_ROOTS_INSIDE)
		return tool_fail(TOOL_USAGE, untouched, "%s: a replica has its roots inside",
				 view->path);
	if (triad_geometry_init(&job->geo, root->device_blocks, root->logical_blocks,
				root->zone_blocks, root->segment_blocks, root->interval_blocks, &why))
		return tool_fail(TOOL_DEVICE, untouched, "%s: %s", view->path, why);
	if (root->logical_blocks < job->in->begin.logical_blocks)
		return too_small(job, root->logical_blocks);
	memcpy(job->root.uuid, root->uuid, sizeof(job->root.uuid));
	memcpy(job->root.label, root->label, sizeof(job->root.label));
	memcpy(job->root.hash, root->hash, TRIAD_HASH_NAME_SIZE);
	job->root.checksum_kind = root->checksum_kind;
	job->hash = view->hash;
	return 0;
}

static int check_foreign(const struct job *job)
{
	struct signature found[MAX_SIGNATURES];
	int nr = signature_find(&job->view.disk.data, found);

	if (nr < 0)
		return tool_fail_open(job->view.path, nr, false);
	if (!nr || job->opt->force)
		return 0;
	return tool_fail(TOOL_BUSY, "Nothing was changed.  If that may be lost, use --force.",
			 "%s: it holds what another program knows: %s", job->view.path, found[0].type);
}

static int plan_fresh(struct job *job)
{
	const struct triad_root *root = view_current(&job->view);
	int r = 0;

	if (!job->in->begin.is_full)
		return tool_fail(TOOL_UNPROVABLE, "Nothing was changed.  Send all of it: without --since.",
				 "%s: it is no replica yet, and what comes is only what changed",
				 job->view.path);
	if (!root)
		r = check_foreign(job);
	job->fresh = true;
	if (!r)
		r = root ? plan_formatted(job) : plan_blank(job);
	job->root.incompat = TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE;
	return r;
}

/* ---- one that is there ------------------------------------------------------------- */

static int refuse(const struct job *job, const char *why, const char *advice)
{
	const struct stream_begin *begin = &job->in->begin;
	char a[POSITION_SIZE], b[POSITION_SIZE];

	return tool_fail(TOOL_UNPROVABLE, advice, "%s: %s:\n  it is at %s,\n  and what comes is %s %s",
			 job->view.path, why, position_text(&job->view.core.origin, a),
			 begin->is_full ? "all of" : "since",
			 position_text(begin->is_full ? &begin->at : &begin->from, b));
}

/* May this stream follow what the replica holds? */
static int judge(const struct job *job)
{
	const struct triad_root *root = &job->view.core.root;
	const struct stream_begin *begin = &job->in->begin;
	const struct triad_origin *here = &job->view.core.origin;
	bool incomplete = root->incompat & TRIAD_INCOMPAT_INCOMPLETE;

	if (root->logical_blocks < begin->logical_blocks)
		return too_small(job, root->logical_blocks);
	if (!position_is_none(here) && memcmp(here->uuid, begin->uuid, sizeof(here->uuid)))
		return refuse(job, "it is a replica of another device", "Nothing was changed.  Name the right replica, or a "
			      "blank device.");
	if (!begin->is_full && !triad_origin_same(here, &begin->from))
		return refuse(job, "it is at another position", "Nothing was changed.  Send what is missing, with --since "
			      "as it is said here, or all of it.");
	if (begin->is_full && !incomplete && !job->opt->force && here->branch == begin->at.branch &&
	    here->generation > begin->at.generation)
		return refuse(job, "it is ahead of what comes", "Nothing was changed.  It may hold what the sender has lost.  "
			      "If that may go, use --force.");
	return 0;
}

static int open_replica(struct job *job)
{
	struct view *view = &job->view;
	int r;

	view->core.receives = true;
	r = view_open(view);
	if (!r && triad_core_lost_log(&view->core))
		r = tool_fail(TOOL_DAMAGED, "Nothing was changed.  Receive all of it into a blank device.",
			      "%s: flushed records of its log are damaged", view->path);
	return r ? r : view_may_write(view);
}

/* Index entries that the stream needs, with some to spare. */
static u64 entries_of(const struct stream_begin *begin)
{
	u64 holes = min_t(u64, begin->nr_holes, 1u << 20);

	return min_t(u64, begin->nr_blocks, TRIAD_MAX_BLOCKS) * 9 / 8 + 64 * holes + 65536 +
	       (begin->is_full ? begin->logical_blocks / 256 : 0);
}

/* ---- all of it ---------------------------------------------------------------------- */

static void say_progress(struct receive *rx)
{
	progress("receiving", rx->nr_blocks, rx->in->begin.nr_blocks + 1);
}

static const char *left(const struct job *job)
{
	if (job->fresh)
		return "It holds nothing.  Receive all of it again.";
	return job->rx.incomplete ? "It is not complete and does not open: receive it again, with "
				    "--in-steps." : "It holds what it held before.";
}

static int failed(const struct job *job, int error)
{
	const char *path = job->view.path;
	char a[POSITION_SIZE], b[POSITION_SIZE];

	progress("", 0, 0);
	if ((error == -EBADMSG || error == -EUCLEAN || error == -EPROTO) && job->in->why[0])
		return tool_fail(TOOL_DAMAGED, left(job), "standard input: %s", job->in->why);
	if (error == -EFBIG)
		return tool_fail(TOOL_OUTPUT, "It holds what it held before.  Receive all of it into a "
				 "blank device, or allow it with --in-steps:\n  until that ends it cannot "
				 "be opened.",
				 "%s: this is more than it can take in one commit", path);
	if (error == -ESTALE)
		return tool_fail(TOOL_UNPROVABLE, left(job), "%s: with this it would not hold what the "
				 "sender has: it is of another history.\n  It is at %s,\n  and what comes "
				 "leads to %s", path,
				 job->fresh ? "none" : position_text(&job->view.core.origin, a),
				 position_text(&job->in->end.to, b));
	if (error == -ENOSPC)
		return tool_fail(TOOL_OUTPUT, left(job), "%s: it is full", path);
	return tool_fail(tool_exit_of(error), left(job), "%s: %s", path, strerror(-error));
}

static int report(const struct job *job)
{
	const struct stream_in *in = job->in;
	double seconds = seconds_now() - job->begun;
	char position[POSITION_SIZE], bytes[TEXT_SIZE], rate[TEXT_SIZE];

	position_text(&in->end.to, position);
	if (job->opt->json) {
		json_add_text(json_document(), "position", position);
		json_add_bool(json_document(), "full", in->begin.is_full);
		json_add_number(json_document(), "bytes", in->bytes);
		json_add_number(json_document(), "blocks", in->nr_blocks);
		json_add_number(json_document(), "holes", in->nr_holes);
		return 0;
	}
	if (job->opt->batch)
		return 0;
	printf("%s: %s%s, %" PRIu64 " block%s and %" PRIu64 " hole%s in %.1f s, %s/s\n",
	       job->view.path, job->opt->dry_run ? "would receive " : "", text_size(in->bytes, bytes),
	       in->nr_blocks, PLURAL(in->nr_blocks), in->nr_holes, PLURAL(in->nr_holes), seconds,
	       text_rate(in->bytes, seconds, rate));
	printf("  %s at %s\n", job->opt->dry_run ? "it would be" : "now", position);
	return 0;
}

/* Nothing is written: is the stream whole, and does it fit? */
static int only_look(struct job *job)
{
	int r = 0;

	while (!r && job->in->type != STREAM_END)
		r = next_frame(job);
	return r ? r : report(job);
}

static int receive_fresh(struct job *job)
{
	struct view *view = &job->view;
	struct writer *w = aligned_alloc(TRIAD_BLOCK_SIZE, (sizeof(*w) | 4095) + 1);
	int r;

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	job->rx.writer = w;
	r = signature_wipe(&view->disk.data);
	if (!r)
		r = writer_open(w, &view->disk.data, view->disk.bounce, &job->root, &job->geo, job->hash);
	job->rx.in_steps = true;
	if (!r)
		r = replica_receive(&job->rx);
	if (!r)
		r = writer_finish(w);
	writer_close(w);
	free(w);
	return r;
}

static int receive_more(struct job *job)
{
	struct triad_core *core = &job->view.core;
	int r = replica_ready(core, job->opt->in_steps ? 0 : entries_of(&job->in->begin));

	job->rx.in_steps = job->opt->in_steps || core->root.incompat & TRIAD_INCOMPAT_INCOMPLETE;
	return r ? r : replica_take(core, &job->rx);
}

static int receive(struct job *job)
{
	const struct options *opt = job->opt;
	const struct triad_root *root;
	struct view *view = &job->view;
	int r = next_frame(job);

	if (r)
		return r;
	r = view_probe_to_write(view, opt, opt->args[0]);
	if (r)
		return r;
	root = view_current(view);
	if (root ? !triad_root_is_replica(root) : !is_blank(view)) {
		if (!root)
			return view_refuse(view);
		r = view_open(view);
		if (!r && (view->core.root.used || view->core.replayed_records))
			r = tool_fail(TOOL_BUSY, "Nothing was changed.  If that may be lost, format it first.",
				      "%s: it is no replica, and holds data", view->path);
		if (!r)
			r = plan_fresh(job);
	} else if (!root) {
		r = plan_fresh(job);
	} else {
		r = open_replica(job);
		if (!r)
			r = judge(job);
	}
	if (r)
		return r;
	job->begun = seconds_now();
	if (opt->dry_run)
		return only_look(job);
	job->rx.in = job->in;
	job->rx.progress = say_progress;
	r = job->fresh ? receive_fresh(job) : receive_more(job);
	progress("", 0, 0);
	return r ? failed(job, r) : report(job);
}

/* ---- no replica any more ------------------------------------------------------------- */

static int promote(struct job *job)
{
	struct view *view = &job->view;
	char text[POSITION_SIZE];
	struct triad_origin held;
	int r = view_probe_to_write(view, job->opt, job->opt->args[0]);

	if (!r && view_current(view) && !triad_root_is_replica(view_current(view)))
		return tool_fail(TOOL_USAGE, untouched, "%s: it is no replica", view->path);
	/* incomplete it is not opened, and says so */
	if (!r)
		r = view_ready(view);
	if (!r)
		r = open_replica(job);
	if (r)
		return r;
	held = view->core.origin;
	r = job->opt->dry_run ? 0 : replica_promote(&view->core);
	if (r)
		return tool_fail(tool_exit_of(r), "It is a replica still, or none any more: see triadsetup "
				 "info.  Either way its data is whole.", "%s: %s", view->path, strerror(-r));
	position_text(&held, text);
	if (job->opt->json)
		json_add_text(json_document(), "was", text);
	else if (!job->opt->batch)
		printf("%s: %sno replica any more; it held %s\n", view->path,
		       job->opt->dry_run ? "would be " : "", text);
	return 0;
}

int cmd_receive(const struct options *opt)
{
	struct job job = { .opt = opt };
	int r;

	if (!opt->promote && isatty(STDIN_FILENO))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  triadsetup receive DEVICE <FILE, or "
				 "from a pipe.", "receive: standard input is a terminal");
	disk_none(&job.view.disk);
	job.in = calloc(1, sizeof(*job.in));
	if (job.in) {
		job.in->read = read_input;
		r = opt->promote ? promote(&job) : receive(&job);
	} else {
		r = tool_fail(TOOL_MEMORY, untouched, "out of memory");
	}
	if (job.hash != job.view.hash)
		triad_hash_destroy(job.hash);
	view_close(&job.view);
	free(job.in);
	return r;
}
