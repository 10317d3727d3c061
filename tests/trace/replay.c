// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay - power cuts out of a recorded trace.
 *
 *	replay [OPTION]... BASE TRACE DISK
 *
 * BASE is the device as it was formatted, TRACE what dm-witness saw, DISK the device as
 * it was left.  First the trace is checked by rules (order.h, rules.c).  Then the power is
 * cut behind its events, again and again: what a completed flush or FUA covers is there, of
 * all else a random part, torn at 512 bytes.  Each image is opened by the core, and its whole
 * content must be the state behind some record of the log, not before what was
 * acknowledged as durable, not behind what was submitted.
 *
 *	--images N	how many; events with a root under way get more than others
 *	--seed N
 *	--sample N FILE	write N of them for the module (sample.h)
 *	--name NAME	for the report
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "disk.h"
#include "order.h"
#include "recover.h"
#include "sample.h"

#define MAX_WEIGHT	32u	/* of an event: loose blocks, for there is more to lose */
#define ROOT_WEIGHT	64u	/* ... with a root under way */
#define MAX_TRIES	4u	/* to find an image that was not there yet */
#define TWICE_EVERY	64u	/* of so many images one is written to and opened again */
#define CHECK_EVERY	16u

struct options {
	const char *name, *base, *trace, *disk, *sample;
	u64 nr_images, nr_samples, seed;
};

struct replay {
	struct options opt;
	struct tape tape;
	struct order order;
	struct image image;
	struct cut cut;
	struct recovered found;

	/* the oracle, as of the cut */
	u32 must;		/* records that must be there */
	u32 can;		/* records whose header was submitted */
	u32 acked;		/* newest record + 1 with an acknowledged write */
	u32 *needs;		/* by event of a flush: acked when it was sent */
	u32 nr_roots;		/* root writes under way */

	u64 *seen;		/* hashes of images */
	u64 nr_seen, seen_mask;

	FILE *sample;
	u32 *sampled;		/* the image written last */
	u64 nr_broken_rules;
	u64 nr_images, nr_degraded, nr_twice, nr_checked, nr_samples, nr_replayed;
};

static void *zeroes(u64 nr, size_t size)
{
	void *p = calloc(nr + 1, size);

	assert(p);
	return p;
}

/* ---- the oracle ------------------------------------------------------------------ */

static bool is_root(const struct event *e)
{
	int slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (e->block == TRIAD_SLOT_PBA(slot))
			return true;
	return false;
}

static void oracle_step(struct replay *r, u32 at)
{
	const struct event *e = &r->tape.events[at];
	const struct order *order = &r->order;

	if (e->kind == WITNESS_COMPLETE && e->where == WITNESS_UPPER && e->failed) {
		;	/* promises nothing */
	} else if (is_completion(e, WITNESS_UPPER, WITNESS_WRITE) ||
		   is_completion(e, WITNESS_UPPER, WITNESS_DISCARD)) {
		r->acked = max_t(u32, r->acked, order->record_of[e->of]);
		if (e->flags & WITNESS_FUA)
			r->must = max_t(u32, r->must, order->record_of[e->of]);
	} else if (is_submission(e, WITNESS_UPPER, WITNESS_FLUSH)) {
		r->needs[at] = r->acked;
	} else if (is_completion(e, WITNESS_UPPER, WITNESS_FLUSH)) {
		r->must = max_t(u32, r->must, r->needs[e->of]);
	} else if (is_submission(e, WITNESS_LOWER, WITNESS_WRITE)) {
		while (r->can < order->nr && order->records[r->can].sent <= at)
			r->can++;
		r->nr_roots += is_root(e);
	} else if (is_completion(e, WITNESS_LOWER, WITNESS_WRITE)) {
		r->nr_roots -= is_root(e);
	}
}

/* The newest state in reach with this content, or -1. */
static long find_state(const struct replay *r, u64 hash)
{
	u32 n = r->can + 1;

	while (n-- > r->must)
		if (order_hash(&r->order, n) == hash)
			return n;
	return -1;
}

/* ---- what went wrong --------------------------------------------------------------- */

static u32 count_differing(const struct replay *r, u32 state, u64 *lba)
{
	u32 *content = calloc(r->order.geo.logical_blocks, sizeof(*content));
	u32 i, end, nr = 0;

	assert(content);
	end = state < r->order.nr ? r->order.records[state].change : r->order.nr_changes;
	for (i = 0; i < end; i++)
		content[r->order.changes[i].lba] = r->order.changes[i].id;
	for (i = 0; i < r->order.nr_touched; i++) {
		u64 at = r->order.touched[i];

		if (content[at] != r->found.content[i] && !nr++)
			*lba = at;
	}
	free(content);
	return nr;
}

static void explain(const struct replay *r, u64 number, const char *what)
{
	u64 lba = 0;
	u32 nr, n;

	if (what) {
		violation("image %llu, cut behind event %u: %s", (unsigned long long)number,
			  r->cut.at - 1, what);
		return;
	}
	for (n = 0; n <= r->order.nr; n++)
		if (order_hash(&r->order, n) == r->found.hash)
			break;
	if (n <= r->order.nr) {
		violation("image %llu, cut behind event %u: state %u, but %u were durable and %u submitted",
			  (unsigned long long)number, r->cut.at - 1, n, r->must, r->can);
		return;
	}
	nr = count_differing(r, r->must, &lba);
	violation("image %llu, cut behind event %u: no state at all; from the last durable one, %u, differ %u blocks, LBA %llu first",
		  (unsigned long long)number, r->cut.at - 1, r->must, nr,
		  (unsigned long long)lba);
}

/* ---- samples for the module ------------------------------------------------------------ */

static u64 hash_content(const struct replay *r)
{
	XXH64_state_t *state = XXH64_createState();
	u64 lba, hash;

	assert(state);
	XXH64_reset(state, 0);
	for (lba = 0; lba < r->order.geo.logical_blocks; lba++) {
		u32 nr = r->order.touched_of[lba];

		XXH64_update(state, content_of(nr ? r->found.content[nr - 1] : 0), SAMPLE_BLOCK);
	}
	hash = XXH64_digest(state);
	XXH64_freeState(state);
	return hash;
}

static void put(FILE *f, const void *p, size_t size)
{
	static const u8 zero[SAMPLE_BLOCK];
	size_t pad = -size % SAMPLE_BLOCK;

	fwrite(p, 1, size, f);
	fwrite(zero, 1, pad, f);
}

static void write_sample(struct replay *r)
{
	struct sample_header h = { .magic = SAMPLE_MAGIC, .number = r->nr_samples++ };
	u64 *pbas = calloc(r->image.nr_blocks, sizeof(*pbas));
	u64 i;

	assert(pbas);
	h.hash = hash_content(r);
	for (i = 0; i < r->image.nr_blocks; i++)
		if (r->image.ids[i] != r->sampled[i])
			pbas[h.nr_blocks++] = i;
	put(r->sample, &h, sizeof(h));
	put(r->sample, pbas, h.nr_blocks * sizeof(*pbas));
	for (i = 0; i < h.nr_blocks; i++) {
		put(r->sample, content_of(r->image.ids[pbas[i]]), SAMPLE_BLOCK);
		r->sampled[pbas[i]] = r->image.ids[pbas[i]];
	}
	free(pbas);
}

static bool is_sampled(const struct replay *r, u64 number)
{
	u64 n = r->opt.nr_samples;

	return n && number * n / r->opt.nr_images != (number + 1) * n / r->opt.nr_images;
}

/* ---- images -------------------------------------------------------------------------------- */

static bool is_new(struct replay *r, u64 hash)
{
	u64 at;

	hash |= 1;	/* 0: free */
	for (at = hash >> 8 & r->seen_mask; r->seen[at]; at = (at + 1) & r->seen_mask)
		if (r->seen[at] == hash)
			return false;
	r->seen[at] = hash;
	r->nr_seen++;
	return true;
}

static void try_image(struct replay *r, u64 number)
{
	struct rng rng = { r->opt.seed << 40 ^ number };
	u32 mark = content_mark(), tries;
	bool sampled = false;
	const char *what;
	u64 hash;

	rng_next(&rng);
	for (tries = 0; tries < MAX_TRIES; tries++) {
		image_restore(&r->image);
		content_release(mark);
		cut_tear(&r->cut, &rng);
		if (is_new(r, r->image.hash))
			break;
	}
	r->nr_images++;
	what = recover(&r->image, &r->order, &r->found);
	hash = r->found.hash;
	r->nr_degraded += !what && r->found.degraded;
	r->nr_replayed += what ? 0 : r->found.nr_records;
	if (what || find_state(r, hash) < 0) {
		explain(r, number, what);
	} else if (is_sampled(r, number)) {
		write_sample(r);
		sampled = true;
	}
	if (!what && !(rng_next(&rng) % CHECK_EVERY)) {
		r->nr_checked++;
		what = recover_check(&r->image);
		if (what)
			explain(r, number, what);
	}
	if (!what && !(rng_next(&rng) % TWICE_EVERY)) {
		r->nr_twice++;
		what = recover_twice(&r->image, &r->order, &r->found);
		if (!what && r->found.hash != hash)
			what = "another content after it was healed, committed and opened again";
		if (what)
			explain(r, number, what);
	}
	image_restore(&r->image);
	/* the next sample is the difference from this one: its blocks stay known */
	if (!sampled)
		content_release(mark);
}

static u64 weight(const struct replay *r)
{
	return r->nr_roots ? ROOT_WEIGHT : 1 + min_t(u32, r->cut.nr_loose, MAX_WEIGHT);
}

/* Twice along the trace: the weights must be known first. */
static void run(struct replay *r)
{
	u64 *so_far = zeroes(r->tape.nr, sizeof(*so_far)), number = 0;
	u32 i;

	for (i = 0; i < r->tape.nr; i++) {
		oracle_step(r, i);
		cut_step(&r->cut);
		so_far[i + 1] = so_far[i] + weight(r);
	}
	r->must = r->can = r->acked = r->nr_roots = 0;
	cut_rewind(&r->cut);
	for (i = 0; i < r->tape.nr; i++) {
		oracle_step(r, i);
		cut_step(&r->cut);
		while (number < so_far[i + 1] * r->opt.nr_images / so_far[r->tape.nr])
			try_image(r, number++);
	}
	free(so_far);
}

/* All of the trace applied to the base is what was left: nothing went past the witness. */
static void check_disk(struct replay *r)
{
	struct image disk;
	u64 i;
	u32 k;

	if (!image_load(&disk, r->opt.disk) || disk.nr_blocks != r->image.nr_blocks) {
		violation("%s cannot be read", r->opt.disk);
		return;
	}
	for (k = 0; k < r->cut.nr_loose; k++)
		if (!(r->tape.events[r->cut.loose[k].event].flags & WITNESS_LOST))
			image_set(&r->image, r->cut.loose[k].pba, r->cut.loose[k].id);
	for (i = 0; i < disk.nr_blocks; i++)
		if (disk.ids[i] != r->image.ids[i]) {
			violation("block %llu of %s is not what the trace wrote",
				  (unsigned long long)i, r->opt.disk);
			break;
		}
	image_free(&disk);
}

/* ---- report ------------------------------------------------------------------------------------ */

static void report_trace(const struct replay *r)
{
	u32 nr[2][3] = { 0 }, nr_fua = 0, nr_roots = 0, nr_sent = 0, i;

	for (i = 0; i < r->tape.nr; i++) {
		const struct event *e = &r->tape.events[i];

		if (e->kind != WITNESS_SUBMIT)
			continue;
		nr_sent++;
		nr[e->where][e->op]++;
		nr_fua += e->where == WITNESS_UPPER && e->flags & WITNESS_FUA;
		nr_roots += e->where == WITNESS_LOWER && e->op == WITNESS_WRITE && is_root(e);
	}
	printf("%s: above %u writes (%u FUA), %u flushes, %u discards; below %u writes, %u flushes; %u records, %u root writes\n",
	       r->opt.name, nr[WITNESS_UPPER][WITNESS_WRITE], nr_fua,
	       nr[WITNESS_UPPER][WITNESS_FLUSH], nr[WITNESS_UPPER][WITNESS_DISCARD],
	       nr[WITNESS_LOWER][WITNESS_WRITE], nr[WITNESS_LOWER][WITNESS_FLUSH],
	       r->order.nr, nr_roots);
	printf("%s: %u bios sent, %u completions; %llu reads", r->opt.name, nr_sent,
	       r->tape.nr - nr_sent, (unsigned long long)r->tape.nr_reads);
	if (r->tape.died != NEVER)
		printf("; the disk dies at event %u: %u bios failed below, %u above", r->tape.died,
		       r->tape.nr_failed[WITNESS_LOWER], r->tape.nr_failed[WITNESS_UPPER]);
	printf("\n");
}

static void report_images(const struct replay *r, double seconds)
{
	printf("%s: %llu images (%llu different), %llu degraded, %.0f records recovered from each; %llu checked, %llu written to and opened again; %.0f images per second of CPU\n",
	       r->opt.name, (unsigned long long)r->nr_images, (unsigned long long)r->nr_seen,
	       (unsigned long long)r->nr_degraded,
	       r->nr_images ? (double)r->nr_replayed / r->nr_images : 0,
	       (unsigned long long)r->nr_checked, (unsigned long long)r->nr_twice,
	       seconds > 0 ? r->nr_images / seconds : 0);
	printf("%s: %llu violations of rules, %llu by images\n", r->opt.name,
	       (unsigned long long)r->nr_broken_rules,
	       (unsigned long long)(nr_violations - r->nr_broken_rules));
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ---- main ------------------------------------------------------------------------------------------ */

static int usage(void)
{
	fprintf(stderr, "usage: replay [--images N] [--seed N] [--sample N FILE] [--name NAME] BASE TRACE DISK\n");
	return 2;
}

static bool parse(struct options *opt, int argc, char **argv)
{
	static const struct option known[] = {
		{ "images", required_argument, NULL, 'i' },
		{ "seed", required_argument, NULL, 's' },
		{ "sample", required_argument, NULL, 'a' },
		{ "name", required_argument, NULL, 'n' },
		{ }
	};
	int c;

	*opt = (struct options){ .name = "trace", .nr_images = 20000, .seed = 1 };
	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (c) {
		case 'i':
			opt->nr_images = strtoull(optarg, NULL, 0);
			break;
		case 's':
			opt->seed = strtoull(optarg, NULL, 0);
			break;
		case 'a':
			opt->nr_samples = strtoull(optarg, NULL, 0);
			if (optind == argc)
				return false;
			opt->sample = argv[optind++];
			break;
		case 'n':
			opt->name = optarg;
			break;
		default:
			return false;
		}
	}
	if (argc - optind != 3)
		return false;
	opt->base = argv[optind];
	opt->trace = argv[optind + 1];
	opt->disk = argv[optind + 2];
	return true;
}

int main(int argc, char **argv)
{
	static struct replay r;
	double begun;
	int e;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(&r.opt, argc, argv))
		return usage();
	if (!image_load(&r.image, r.opt.base) || !tape_load(&r.tape, r.opt.trace)) {
		fprintf(stderr, "replay: %s or %s cannot be read\n", r.opt.base, r.opt.trace);
		return 2;
	}
	e = order_build(&r.order, &r.tape, &r.image);
	if (e) {
		fprintf(stderr, "replay: %s is not a formatted, empty device: %s\n", r.opt.base,
			strerror(-e));
		return 2;
	}
	report_trace(&r);
	rules_check(&r.order, &r.tape, &r.image);
	r.nr_broken_rules = nr_violations;

	for (r.seen_mask = 1; r.seen_mask < 2 * r.opt.nr_images; r.seen_mask *= 2)
		;
	r.seen = zeroes(r.seen_mask--, sizeof(*r.seen));
	r.needs = zeroes(r.tape.nr, sizeof(*r.needs));
	r.found.content = zeroes(r.order.nr_touched, sizeof(*r.found.content));
	cut_init(&r.cut, &r.tape, &r.image);
	if (r.opt.sample) {
		r.sample = fopen(r.opt.sample, "w");
		if (!r.sample) {
			fprintf(stderr, "replay: %s cannot be written\n", r.opt.sample);
			return 2;
		}
		r.sampled = zeroes(r.image.nr_blocks, sizeof(*r.sampled));
		memcpy(r.sampled, r.image.ids, r.image.nr_blocks * sizeof(*r.sampled));
	}
	begun = cpu_seconds();
	run(&r);
	begun = cpu_seconds() - begun;
	check_disk(&r);
	report_images(&r, begun);
	if (r.sample) {
		put(r.sample, &(struct sample_header){ 0 }, sizeof(struct sample_header));
		if (fclose(r.sample)) {
			fprintf(stderr, "replay: %s cannot be written\n", r.opt.sample);
			return 2;
		}
	}
	order_free(&r.order);
	tape_free(&r.tape);
	image_free(&r.image);
	cut_free(&r.cut);
	free(r.found.content);
	free(r.seen);
	free(r.needs);
	free(r.sampled);
	return nr_violations ? 1 : 0;
}
