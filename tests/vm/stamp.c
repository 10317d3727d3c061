// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stamp - does a block device hold exactly a prefix of what was written to it?
 *
 *	stamp init STATE [key=value]...	begin a history (see "options")
 *	stamp verify STATE DEVICE	find, per thread, the k such that the device holds exactly
 *					writes 1..k; this becomes the base of the next life
 *	stamp write STATE DEVICE REPORT	one life: write until killed, or for so many seconds
 *	stamp absorb STATE REPORT	learn from a report what that life submitted and was
 *					told to be durable; to be done before verify
 *	stamp show STATE
 *
 * The n-th operation of a thread (place, length, kind, content, flush behind it) is a function
 * of the seed, the thread and n, so a verifier needs no record of what was written. Threads
 * write to regions of their own. Every 4 KiB block carries its place and the number of the
 * operation. Numbers are never used twice: a life goes on behind what the last one announced.
 *
 * REPORT must survive the machine that writes: "S life thread n" = nothing beyond n is submitted
 * before the next such line; "F life thread n" = a flush came back that began after 1..n had.
 *
 * STATE is a file, or a disk that holds it: a guest can verify and go on in one boot. It holds
 * two copies written in turn, so that killing the machine at any time leaves a whole one.
 *
 * verify succeeds if there is a k with (last F) <= k <= (last S) such that every block holds the
 * newest write with number <= k, or zeroes if that was a discard or there was none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define CHUNK 256u		/* blocks; no write crosses a chunk */
#define MAX_THREADS 16u
#define MAX_QD 64u
#define ANNOUNCE 256u
#define MAGIC UINT64_C(0x31706d6174735f64)

struct thread_state {
	uint64_t first;		/* first operation of the current life */
	uint64_t acked;		/* all up to this one are durable */
	uint64_t announced;	/* none behind this one was submitted */
};

struct state {
	uint64_t magic, check, generation;
	uint64_t seed, life;
	/* options */
	uint64_t start;		/* first block on the device */
	uint64_t blocks;	/* of each thread, a multiple of CHUNK */
	uint64_t stride;	/* from chunk to chunk, in blocks */
	uint64_t threads;
	uint64_t qd;		/* writes in flight per thread */
	uint64_t max;		/* blocks per write */
	uint64_t flush;		/* one flush per so many operations, on average */
	uint64_t fua;		/* percent of the writes */
	uint64_t discard;	/* percent of the operations */
	uint64_t seconds;	/* of a life; 0: until killed */
	uint64_t skew;		/* bytes from a page's beginning to what is written */
	struct thread_state thread[MAX_THREADS];
	uint64_t expect[];	/* per block: the operation it holds, 0 for zeroes */
};

static const struct {
	const char *name;
	size_t offset;
	uint64_t value, min, max;
} options[] = {
#define OPTION(field, value, min, max) { #field, offsetof(struct state, field), value, min, max }
	OPTION(seed, 1, 0, UINT64_MAX),
	OPTION(start, 0, 0, UINT64_MAX),
	OPTION(blocks, 8192, CHUNK, UINT64_C(1) << 24),
	OPTION(stride, CHUNK, CHUNK, UINT64_MAX),
	OPTION(threads, 1, 1, MAX_THREADS),
	OPTION(qd, 1, 1, MAX_QD),
	OPTION(max, 16, 1, CHUNK),
	OPTION(flush, 64, 1, UINT64_MAX),
	OPTION(fua, 2, 0, 100),
	OPTION(discard, 0, 0, 100),
	OPTION(seconds, 0, 0, UINT64_MAX),
	OPTION(skew, 0, 0, BLOCK - 1),
};
#define NR_OPTIONS (sizeof(options) / sizeof(*options))

static struct state *state;
static int state_fd, device, report = -1;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("stamp: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint64_t dice(uint64_t thread, uint64_t n, uint64_t what)
{
	return mix(mix(mix(state->seed) ^ (thread << 56 | n)) ^ what);
}

/* -- state -- */

static size_t copy_bytes(const struct state *s)
{
	size_t n = sizeof(*s) + s->threads * s->blocks * sizeof(uint64_t);

	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static uint64_t state_check(const struct state *s)
{
	const uint64_t *p = (const uint64_t *)s;
	uint64_t sum = 0;

	for (size_t i = 2; i < copy_bytes(s) / 8; i++)
		sum = (sum ^ p[i]) * 0x100000001b3 + (sum >> 29);
	return sum;
}

static void state_save(void)
{
	size_t bytes = copy_bytes(state);

	state->generation++;
	state->check = state_check(state);
	if (pwrite(state_fd, state, bytes, state->generation % 2 * bytes) != (ssize_t)bytes || fsync(state_fd))
		die("cannot write the state: %s", strerror(errno));
}

static struct state *load_copy(uint64_t offset)
{
	struct state head, *s;
	size_t bytes;

	if (pread(state_fd, &head, sizeof(head), offset) != sizeof(head) || head.magic != MAGIC ||
	    head.threads > MAX_THREADS || head.blocks > UINT64_C(1) << 24)
		return NULL;
	bytes = copy_bytes(&head);
	s = malloc(bytes);
	if (!s || pread(state_fd, s, bytes, offset) != (ssize_t)bytes || s->check != state_check(s)) {
		free(s);
		return NULL;
	}
	return s;
}

static void state_load(const char *path)
{
	struct state *other = NULL;
	off_t end;

	state_fd = open(path, O_RDWR | O_CLOEXEC);
	if (state_fd < 0)
		die("%s: %s", path, strerror(errno));
	/* the second copy lies behind the first, whose size may be unreadable */
	end = lseek(state_fd, 0, SEEK_END) / 2;
	state = load_copy(0);
	other = load_copy(end);
	if (!state || (other && other->generation > state->generation))
		state = other;
	if (!state)
		die("%s: no whole state", path);
}

/* -- what is written -- */

struct op {
	uint64_t block;		/* in the thread's region */
	unsigned int nr;
	bool discard, fua, flush;
};

static struct op op_get(uint64_t thread, uint64_t n)
{
	uint64_t phase = dice(thread, n / 64, 1), d = dice(thread, n, 2);
	struct op op = { .nr = 1 };

	if (d % 2)
		op.nr = 1 + (d >> 8) % (d % 16 == 1 ? state->max : state->max < 16 ? state->max : 16);
	switch (phase % 8) {
	case 0:
	case 1:		/* sequential */
		op.nr = state->max < 16 ? state->max : 16;
		op.block = (phase / 8 + n % 64 * op.nr) % state->blocks;
		break;
	case 2:
	case 3:		/* the same few again and again */
		op.block = (phase / 8 + (d >> 20) % 64) % state->blocks;
		break;
	default:
		op.block = (d >> 20) % state->blocks;
	}
	if (op.nr > CHUNK - op.block % CHUNK)
		op.nr = CHUNK - op.block % CHUNK;
	op.discard = dice(thread, n, 3) % 100 < state->discard;
	op.fua = !op.discard && dice(thread, n, 4) % 100 < state->fua;
	op.flush = dice(thread, n, 5) % state->flush == 0;
	return op;
}

/* Device block of a thread's block. */
static uint64_t place(uint64_t thread, uint64_t block)
{
	uint64_t b = thread * state->blocks + block;

	return state->start + b / CHUNK * state->stride + b % CHUNK;
}

struct stamp {
	uint64_t magic, seed, thread, block, n, check;
};

static void block_fill(void *buf, uint64_t thread, uint64_t block, uint64_t n)
{
	struct stamp *stamp = buf;
	uint64_t *p = buf, x = dice(thread, n, ~block);

	for (unsigned int i = sizeof(*stamp) / 8; i < BLOCK / 8; i++) {
		x = x * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
		p[i] = x;
	}
	*stamp = (struct stamp){ MAGIC, state->seed, thread, block, n, mix(x) };
}

/* -- writing -- */

struct slot {
	struct iocb iocb;
	void *buf;
	struct op op;
	uint64_t n;
	bool busy;
};

struct writer {
	pthread_t pthread;
	uint64_t thread;
	aio_context_t aio;
	struct slot slot[MAX_QD];
	unsigned int in_flight;
	uint64_t submitted;
	time_t end;
};

static void say(char what, uint64_t thread, uint64_t n)
{
	char line[80];
	int len = snprintf(line, sizeof(line), "%c %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", what, state->life, thread, n);

	/* one write: a line is there whole or not at all */
	if (write(report, line, len) != len)
		die("report: %s", strerror(errno));
}

static void reap(struct writer *w, unsigned int at_least)
{
	struct io_event events[MAX_QD];
	long n = syscall(SYS_io_getevents, w->aio, (long)at_least, (long)w->in_flight, events, NULL);

	if (n < 0 && errno != EINTR)
		die("io_getevents: %s", strerror(errno));
	for (long i = 0; i < n; i++) {
		struct slot *s = (struct slot *)(uintptr_t)events[i].data;

		if (events[i].res != (int64_t)s->op.nr * BLOCK)
			die("write %" PRIu64 " of thread %" PRIu64 ": %s", s->n, w->thread,
			    events[i].res < 0 ? strerror(-events[i].res) : "short");
		s->busy = false;
		w->in_flight--;
	}
}

static void drain(struct writer *w)
{
	while (w->in_flight)
		reap(w, w->in_flight);
}

/* All up to this one have been acknowledged. */
static uint64_t completed(const struct writer *w)
{
	uint64_t n = w->submitted;

	for (unsigned int i = 0; i < state->qd; i++)
		if (w->slot[i].busy && w->slot[i].n <= n)
			n = w->slot[i].n - 1;
	return n;
}

static bool overlaps_in_flight(const struct writer *w, const struct op *op)
{
	for (unsigned int i = 0; i < state->qd; i++) {
		const struct op *o = &w->slot[i].op;

		if (w->slot[i].busy && op->block < o->block + o->nr && o->block < op->block + op->nr)
			return true;
	}
	return false;
}

static void write_one(struct writer *w, uint64_t n, const struct op *op)
{
	uint64_t offset = place(w->thread, op->block) * BLOCK;
	size_t bytes = (size_t)op->nr * BLOCK;
	struct slot *s = w->slot;
	struct iocb *iocb;
	struct iovec iov;

	/* order between overlapping writes in flight is nobody's promise */
	if (op->discard || op->fua || overlaps_in_flight(w, op))
		drain(w);
	while (w->in_flight == state->qd)
		reap(w, 1);
	while (s->busy)
		s++;
	w->submitted = n;
	if (op->discard) {
		uint64_t range[2] = { offset, bytes };

		if (ioctl(device, BLKDISCARD, range))
			die("discard %" PRIu64 ": %s", n, strerror(errno));
		return;
	}
	for (unsigned int i = 0; i < op->nr; i++)
		block_fill((char *)s->buf + i * BLOCK, w->thread, op->block + i, n);
	if (op->fua || state->qd == 1) {
		iov = (struct iovec){ s->buf, bytes };
		if (pwritev2(device, &iov, 1, offset, op->fua ? RWF_DSYNC : 0) != (ssize_t)bytes)
			die("write %" PRIu64 " of thread %" PRIu64 ": %s", n, w->thread, strerror(errno));
		if (op->fua)
			say('F', w->thread, n);
		return;
	}
	s->iocb = (struct iocb){
		.aio_data = (uintptr_t)s, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = device,
		.aio_buf = (uintptr_t)s->buf, .aio_nbytes = bytes, .aio_offset = offset,
	};
	s->op = *op;
	s->n = n;
	s->busy = true;
	w->in_flight++;
	iocb = &s->iocb;
	if (syscall(SYS_io_submit, w->aio, 1L, &iocb) != 1)
		die("io_submit: %s", strerror(errno));
}

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	uint64_t announced = 0, n = state->thread[w->thread].first, done;

	if (state->qd > 1 && syscall(SYS_io_setup, MAX_QD, &w->aio))
		die("io_setup: %s", strerror(errno));
	for (unsigned int i = 0; i < state->qd; i++) {
		if (posix_memalign(&w->slot[i].buf, BLOCK, (CHUNK + 1) * BLOCK))
			die("no memory");
		w->slot[i].buf = (char *)w->slot[i].buf + state->skew;
	}
	w->submitted = n - 1;
	for (; !w->end || time(NULL) < w->end; n++) {
		struct op op = op_get(w->thread, n);

		if (n > announced) {
			announced = n + ANNOUNCE - 1;
			say('S', w->thread, announced);
		}
		write_one(w, n, &op);
		if (op.flush) {
			if (n % 2)
				drain(w);
			done = completed(w);
			if (fdatasync(device))
				die("flush: %s", strerror(errno));
			say('F', w->thread, done);
		}
	}
	drain(w);
	done = completed(w);
	if (fdatasync(device))
		die("flush: %s", strerror(errno));
	say('F', w->thread, done);
	return NULL;
}

static int command_write(const char *report_path)
{
	static struct writer writers[MAX_THREADS];

	report = open(report_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (report < 0)
		die("%s: %s", report_path, strerror(errno));
	for (uint64_t t = 0; t < state->threads; t++) {
		if (state->thread[t].acked >= state->thread[t].first)
			die("this life is over: verify first");
		writers[t].thread = t;
		writers[t].end = state->seconds ? time(NULL) + (time_t)state->seconds : 0;
		if (pthread_create(&writers[t].pthread, NULL, writer_run, &writers[t]))
			die("no thread");
	}
	for (uint64_t t = 0; t < state->threads; t++)
		pthread_join(writers[t].pthread, NULL);
	return 0;
}

/* -- reading -- */

#define DAMAGED UINT64_MAX

/* Which operation of this thread does the block hold? 0: zeroes, DAMAGED: none. */
static uint64_t block_identify(const void *buf, uint64_t thread, uint64_t block)
{
	static const char zero[BLOCK];
	const struct stamp *stamp = buf;
	char want[BLOCK] __attribute__((aligned(8)));
	struct op op;

	if (!memcmp(buf, zero, BLOCK))
		return 0;
	if (stamp->magic != MAGIC || stamp->thread != thread || stamp->block != block || !stamp->n)
		return DAMAGED;
	block_fill(want, thread, block, stamp->n);
	if (memcmp(buf, want, BLOCK))
		return DAMAGED;
	op = op_get(thread, stamp->n);
	return !op.discard && block >= op.block && block < op.block + op.nr ? stamp->n : DAMAGED;
}

static void explain_damage(const char *buf, uint64_t thread, uint64_t block)
{
	char want[BLOCK] __attribute__((aligned(8)));
	const struct stamp *stamp = (const void *)buf;
	unsigned int sectors = 0;

	block_fill(want, thread, block, stamp->n);
	for (unsigned int s = 0; s < BLOCK / 512; s++)
		if (!memcmp(buf + s * 512, want + s * 512, 512))
			sectors |= 1u << s;
	printf("thread %" PRIu64 " block %" PRIu64 " (device block %" PRIu64 "): damaged; first words %016" PRIx64 " %016" PRIx64
	       " n %" PRIu64 ", sectors that agree with that write: %#x\n",
	       thread, block, place(thread, block), stamp->magic, stamp->block, stamp->n, sectors);
}

/* Fill found[] with what the blocks of a thread hold; returns the number of damaged ones. */
static uint64_t scan(uint64_t thread, uint64_t *found)
{
	uint64_t nr_damaged = 0;
	char *buf;

	if (posix_memalign((void **)&buf, BLOCK, CHUNK * BLOCK))
		die("no memory");
	for (uint64_t b = 0; b < state->blocks; b += CHUNK) {
		uint64_t at = place(thread, b) * BLOCK;
		ssize_t n = pread(device, buf, CHUNK * BLOCK, at);

		if (n != CHUNK * BLOCK)
			die("read of device block %" PRIu64 ": %s", at / BLOCK, n < 0 ? strerror(errno) : "short");
		for (unsigned int i = 0; i < CHUNK; i++) {
			found[b + i] = block_identify(buf + i * BLOCK, thread, b + i);
			if (found[b + i] == DAMAGED && nr_damaged++ < 5)
				explain_damage(buf + i * BLOCK, thread, b + i);
		}
	}
	free(buf);
	return nr_damaged;
}

/*
 * For how many blocks does k fit? The life's operations are gone through in order; each block has
 * a content after each of them, and fits for those k where this is what was found. fits[] is
 * kept as differences. lo and hi: what each block alone demands.
 */
struct demand {
	uint64_t current;	/* content after the operations gone through so far */
	uint64_t lo, hi;	/* smallest and largest k that fit, UINT64_MAX and 0 if none */
	uint64_t since;		/* first k of the current content */
};

static void demand_close(struct demand *d, uint64_t found, uint64_t upto, int64_t *fits, uint64_t base)
{
	if (d->current != found)
		return;
	fits[d->since - base]++;
	fits[upto + 1 - base]--;
	if (d->lo == UINT64_MAX)
		d->lo = d->since;
	d->hi = upto;
}

static bool verify_thread(uint64_t t)
{
	struct thread_state *ts = &state->thread[t];
	uint64_t base = ts->first - 1, last = ts->announced, nr = last - base + 1;
	uint64_t *expect = state->expect + t * state->blocks, *found, k = 0, nr_damaged, nr_foreign = 0;
	uint64_t lo_block = 0, hi_block = 0;
	struct demand *demand;
	int64_t *fits, sum = 0;
	bool good = false;

	found = calloc(state->blocks, sizeof(*found));
	demand = calloc(state->blocks, sizeof(*demand));
	fits = calloc(nr + 1, sizeof(*fits));
	if (!found || !demand || !fits)
		die("no memory");
	nr_damaged = scan(t, found);
	for (uint64_t b = 0; b < state->blocks; b++)
		demand[b] = (struct demand){ expect[b], UINT64_MAX, 0, base };
	for (uint64_t n = ts->first; n <= last; n++) {
		struct op op = op_get(t, n);

		for (uint64_t b = op.block; b < op.block + op.nr; b++) {
			demand_close(&demand[b], found[b], n - 1, fits, base);
			demand[b].current = op.discard ? 0 : n;
			demand[b].since = n;
		}
	}
	for (uint64_t b = 0; b < state->blocks; b++) {
		struct demand *d = &demand[b];

		demand_close(d, found[b], last, fits, base);
		if (d->lo == UINT64_MAX) {
			if (found[b] != DAMAGED && nr_foreign++ < 5)
				printf("thread %" PRIu64 " block %" PRIu64 " (device block %" PRIu64 "): holds %" PRIu64
				       ", which it held at no moment since %" PRIu64 " (base %" PRIu64 ")\n",
				       t, b, place(t, b), found[b], base, expect[b]);
			continue;
		}
		if (demand[lo_block].lo == UINT64_MAX || d->lo > demand[lo_block].lo)
			lo_block = b;
		if (demand[hi_block].lo == UINT64_MAX || d->hi < demand[hi_block].hi)
			hi_block = b;
	}
	for (uint64_t n = base; n <= last; n++) {
		sum += fits[n - base];
		if (n >= ts->acked && sum == (int64_t)state->blocks) {
			good = true;
			k = n;
		}
	}
	printf("thread %" PRIu64 ": life %" PRIu64 ", %" PRIu64 " <= k <= %" PRIu64 ", ", t, state->life, ts->acked, last);
	if (good) {
		printf("k = %" PRIu64 ": %" PRIu64 " since the base, %" PRIu64 " behind the last flush\n", k, k - base,
		       k - ts->acked);
		memcpy(expect, found, state->blocks * sizeof(*found));
	} else {
		printf("NO PREFIX: %" PRIu64 " damaged, %" PRIu64 " foreign", nr_damaged, nr_foreign);
		if (demand[lo_block].lo != UINT64_MAX && demand[hi_block].lo != UINT64_MAX)
			printf("; block %" PRIu64 " holds %" PRIu64 " so k >= %" PRIu64 ", block %" PRIu64 " holds %" PRIu64
			       " so k <= %" PRIu64 "%s", lo_block, found[lo_block], demand[lo_block].lo, hi_block,
			       found[hi_block], demand[hi_block].hi,
			       demand[hi_block].hi < ts->acked ? " (ACKNOWLEDGED AND LOST)" : "");
		printf("\n");
	}
	free(found);
	free(demand);
	free(fits);
	return good;
}

static int command_verify(void)
{
	bool good = true;

	for (uint64_t t = 0; t < state->threads; t++)
		good &= verify_thread(t);
	if (!good)
		return 1;
	state->life++;
	for (uint64_t t = 0; t < state->threads; t++) {
		struct thread_state *ts = &state->thread[t];

		ts->acked = ts->announced;
		ts->first = ts->announced + 1;
	}
	state_save();
	return 0;
}

/* -- host -- */

static int command_absorb(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256], what;
	uint64_t life, t, n, nr = 0;

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		struct thread_state *ts;

		/* a last line without its end may lack digits */
		if (!strchr(line, '\n') ||
		    sscanf(line, "%c %" SCNu64 " %" SCNu64 " %" SCNu64, &what, &life, &t, &n) != 4 ||
		    life != state->life || t >= state->threads)
			continue;
		ts = &state->thread[t];
		if (what == 'S' && n > ts->announced)
			ts->announced = n;
		else if (what == 'F' && n > ts->acked)
			ts->acked = n;
		nr++;
	}
	fclose(f);
	printf("absorbed %" PRIu64 " reports of life %" PRIu64 "\n", nr, state->life);
	state_save();
	return 0;
}

static int command_init(const char *path, char **args)
{
	struct state s = { .magic = MAGIC, .life = 1 };

	for (unsigned int i = 0; i < NR_OPTIONS; i++)
		*(uint64_t *)((char *)&s + options[i].offset) = options[i].value;
	for (; *args; args++) {
		char *eq = strchr(*args, '='), *end;
		unsigned int i = 0;
		uint64_t value;

		while (i < NR_OPTIONS && (!eq || strlen(options[i].name) != (size_t)(eq - *args) ||
					  strncmp(options[i].name, *args, eq - *args)))
			i++;
		if (i == NR_OPTIONS)
			die("%s: unknown option", *args);
		value = strtoull(eq + 1, &end, 0);
		if (*end || end == eq + 1 || value < options[i].min || value > options[i].max)
			die("%s: out of range", *args);
		*(uint64_t *)((char *)&s + options[i].offset) = value;
	}
	if (s.blocks % CHUNK)
		die("blocks must be a multiple of %u", CHUNK);
	for (unsigned int t = 0; t < MAX_THREADS; t++)
		s.thread[t].first = 1;
	state = calloc(1, copy_bytes(&s));
	if (!state)
		die("no memory");
	*state = s;
	state_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (state_fd < 0 || ftruncate(state_fd, 2 * copy_bytes(&s)))
		die("%s: %s", path, strerror(errno));
	state_save();
	return 0;
}

static int command_show(void)
{
	for (unsigned int i = 0; i < NR_OPTIONS; i++)
		printf("%s=%" PRIu64 " ", options[i].name, *(uint64_t *)((char *)state + options[i].offset));
	printf("life=%" PRIu64 "\n", state->life);
	for (uint64_t t = 0; t < state->threads; t++)
		printf("thread %" PRIu64 ": first %" PRIu64 " acked %" PRIu64 " announced %" PRIu64 "\n", t,
		       state->thread[t].first, state->thread[t].acked, state->thread[t].announced);
	return 0;
}

static void device_open(const char *path, int mode)
{
	device = open(path, mode | O_DIRECT | O_CLOEXEC);
	if (device < 0 && errno == EINVAL)
		device = open(path, mode | O_CLOEXEC);
	if (device < 0)
		die("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(command, "init"))
		return command_init(argv[2], argv + 3);
	if (*command)
		state_load(argv[2]);
	if (!strcmp(command, "show") && argc == 3)
		return command_show();
	if (!strcmp(command, "absorb") && argc == 4)
		return command_absorb(argv[3]);
	if (!strcmp(command, "verify") && argc == 4) {
		device_open(argv[3], O_RDONLY);
		return command_verify();
	}
	if (!strcmp(command, "write") && argc == 5) {
		device_open(argv[3], O_RDWR);
		return command_write(argv[4]);
	}
	die("usage: stamp init|verify|write|absorb|show STATE ... (see stamp.c)");
}
