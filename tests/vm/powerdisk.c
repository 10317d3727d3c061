// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powerdisk - an nbdkit plugin: a disk with a volatile write cache and a power switch.
 *
 *	nbdkit ./powerdisk.so FILE [size=BYTES] [control=SOCKET] [limit=BYTES]
 *
 * FILE is what has reached the medium. Writes, zeroes and trims stay in memory until a
 * flush makes all of them durable, or FUA the range of one. Reads see the cache. When
 * the power is cut, every 512-byte sector keeps, of the versions written since it was last
 * made durable, the newest, an older one or none; whether sectors decide alone, or whole
 * requests do, or all of them before some moment survive, depends on the mode. Over the
 * limit (default 1 GiB) the oldest pages go to the medium unasked, as in any disk; so
 * does a trim or zero of more than LARGE_PAGES.
 *
 * Commands, one line to the control socket, one line back ("powerctl SOCKET word..."):
 *
 *	stats | stats-reset
 *	freeze | thaw		requests hang, from this instant | go on
 *	cut SEED [MODE]		the power goes now; survivors are written; exit
 *	off SEED [MODE] | on	the same without an exit: until "on" all requests fail at once, so
 *				that a running guest can be put through a power cut of its disk
 *	arm KIND N SEED [MODE]	the power goes during the n-th KIND request from now; survivors
 *				are written, and all requests hang until "quit", or fail until "on"
 *				after "off"
 *	wait			answers when an armed cut has happened, with its outcome
 *	fail KIND N COUNT|forever [lost|kept|torn] [OFFSET LENGTH]
 *				EIO for requests N .. N+COUNT-1 of this kind from now that touch
 *				the range; a failed write had no effect, its full effect, or part
 *	fail none		forget all of these
 *	trace FILE | trace off	one line per request
 *	quit			write everything (unless cut) and exit
 *
 * KIND: read write flush trim any. MODE: all none prefix torn request page sector mixed;
 * without one the seed chooses. An answer that begins with "error" is one.
 */
#define _GNU_SOURCE
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#define SECTOR 512u
#define PAGE 4096u
#define SECTORS (PAGE / SECTOR)
#define NR_BUCKETS (1u << 18)
#define LARGE_PAGES 4096u
#define BATCH 256u
#define NR_RULES 32

/* What one request did to one page: the sectors in mask, with the bytes behind it. */
struct version {
	struct version *older;
	uint64_t seq;
	uint8_t mask;
	bool zero;		/* no bytes follow: the sectors became zero */
	unsigned char data[];
};

/* A page with sectors that are not durable. */
struct page {
	uint64_t nr;
	struct page *hash_next;
	struct page *prev, *next;	/* in the order in which they became dirty */
	struct version *newest;
};

enum kind { READ = 1, WRITE = 2, FLUSH = 4, TRIM = 8, ANY = 15 };

enum mode { ALL, NONE, PREFIX, TORN, REQUEST, PAGES, SECTORWISE, MIXED, NR_MODES };
static const char *const mode_names[NR_MODES] = {
	"all", "none", "prefix", "torn", "request", "page", "sector", "mixed",
};

enum effect { LOST, KEPT, PART };

struct rule {
	enum kind kind;		/* 0: unused */
	uint64_t wait;		/* matching requests to let pass */
	uint64_t left;		/* and then to fail */
	enum effect effect;
	uint64_t offset, length;
};

static struct {
	uint64_t reads, read_bytes, writes, write_bytes, fua_writes, zeroes, zero_bytes;
	uint64_t trims, trim_bytes, flushes, flushed_bytes, destaged_bytes, failed;
} stats;

/* Everything below is protected by lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct page *buckets[NR_BUCKETS];
static struct page dirty = { .prev = &dirty, .next = &dirty };
static uint64_t nr_dirty, cached_bytes;
static uint64_t seq;			/* of the last request that changed something */
static uint64_t durable_seq;		/* of the last flush */
static bool frozen, is_cut, is_off;
static char outcome[512];		/* of the cut */
static struct rule rules[NR_RULES];
static struct {
	enum kind kind;
	uint64_t wait, seed;
	enum mode mode;
} armed;
static FILE *trace;

static char *file, *control;
static uint64_t size, limit = 1ull << 30;
static int fd = -1, control_fd = -1;
static const unsigned char zeroes[PAGE];

/* -- random decisions, a function of the seed and of what is decided -- */

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint64_t chance(uint64_t seed, uint64_t a, uint64_t b)
{
	return mix(mix(mix(seed) ^ a) ^ b);
}

/* -- the cache -- */

static struct page **bucket(uint64_t nr)
{
	return &buckets[mix(nr) % NR_BUCKETS];
}

static struct page *page_find(uint64_t nr)
{
	struct page *p = *bucket(nr);

	while (p && p->nr != nr)
		p = p->hash_next;
	return p;
}

static void version_free(struct version *v)
{
	cached_bytes -= sizeof(*v) + (v->zero ? 0 : PAGE);
	free(v);
}

static void page_free(struct page *p)
{
	struct page **link = bucket(p->nr);
	struct version *v;

	while (*link != p)
		link = &(*link)->hash_next;
	*link = p->hash_next;
	p->prev->next = p->next;
	p->next->prev = p->prev;
	while ((v = p->newest)) {
		p->newest = v->older;
		version_free(v);
	}
	nr_dirty--;
	free(p);
}

static struct page *page_get(uint64_t nr)
{
	struct page *p = page_find(nr), **head;

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	head = bucket(nr);
	p->nr = nr;
	p->hash_next = *head;
	*head = p;
	p->prev = dirty.prev;
	p->next = &dirty;
	p->prev->next = p;
	dirty.prev = p;
	nr_dirty++;
	return p;
}

/* data: the bytes of the masked sectors at their place in a page; NULL: zeroes */
static void page_add(uint64_t nr, uint8_t mask, const unsigned char *data, unsigned int from,
		     unsigned int bytes)
{
	struct page *p = page_get(nr);
	struct version *v = p->newest;

	if (!v || v->seq != seq || v->zero != !data) {
		v = malloc(sizeof(*v) + (data ? PAGE : 0));
		if (!v)
			abort();
		v->older = p->newest;
		v->seq = seq;
		v->mask = 0;
		v->zero = !data;
		p->newest = v;
		cached_bytes += sizeof(*v) + (data ? PAGE : 0);
	}
	v->mask |= mask;
	if (data)
		memcpy(v->data + from, data, bytes);
}

/* Take sectors out of the cache: what they hold has become durable. */
static void page_forget(struct page *p, uint8_t mask)
{
	struct version **link = &p->newest, *v;

	while ((v = *link)) {
		v->mask &= ~mask;
		if (v->mask) {
			link = &v->older;
		} else {
			*link = v->older;
			version_free(v);
		}
	}
	if (!p->newest)
		page_free(p);
}

/* Overlay the newest cached bytes; returns the sectors that are cached. */
static uint8_t page_read(const struct page *p, unsigned char *buf)
{
	uint8_t have = 0;

	for (const struct version *v = p->newest; v; v = v->older) {
		for (unsigned int s = 0; s < SECTORS; s++) {
			if (!(v->mask & ~have & (1u << s)))
				continue;
			memcpy(buf + s * SECTOR, v->zero ? zeroes : v->data + s * SECTOR, SECTOR);
		}
		have |= v->mask;
	}
	return have;
}

/* -- the medium -- */

static void medium_fail(const char *what)
{
	fprintf(stderr, "powerdisk: %s %s: %s\n", what, file, strerror(errno));
	abort();
}

static void medium_write(struct iovec *iov, int nr, uint64_t offset)
{
	while (nr) {
		ssize_t n = pwritev(fd, iov, nr, offset);

		if (n <= 0)
			medium_fail("write");
		offset += n;
		while (nr && (size_t)n >= iov->iov_len) {
			n -= iov->iov_len;
			iov++;
			nr--;
		}
		if (nr) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= n;
		}
	}
}

static void medium_zero(uint64_t offset, uint64_t length)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length))
		medium_fail("punch a hole into");
}

/* Write the masked sectors of one page. */
static void medium_write_sectors(uint64_t nr, uint8_t mask, unsigned char *buf)
{
	for (unsigned int s = 0, e; s < SECTORS; s = e) {
		e = s + 1;
		if (!(mask & (1u << s)))
			continue;
		while (e < SECTORS && mask & (1u << e))
			e++;
		medium_write(&(struct iovec){ buf + s * SECTOR, (e - s) * SECTOR }, 1,
			     nr * PAGE + s * SECTOR);
	}
}

static void page_destage(struct page *p)
{
	unsigned char buf[PAGE];
	uint8_t mask;

	if (p->newest->zero && p->newest->mask == 0xff && p->nr * PAGE + PAGE <= size) {
		medium_zero(p->nr * PAGE, PAGE);
	} else {
		mask = page_read(p, buf);
		medium_write_sectors(p->nr, mask, buf);
	}
	page_free(p);
}

static void destage_all(void)
{
	struct iovec iov[BATCH];

	while (dirty.next != &dirty) {
		struct page *p = dirty.next;
		uint64_t first = p->nr;
		unsigned int n = 0;

		/* mostly whole pages that follow one another */
		while (p != &dirty && n < BATCH && p->nr == first + n && !p->newest->zero &&
		       p->newest->mask == 0xff) {
			iov[n++] = (struct iovec){ p->newest->data, PAGE };
			p = p->next;
		}
		if (!n) {
			page_destage(p);
			continue;
		}
		medium_write(iov, n, first * PAGE);
		while (n--)
			page_free(dirty.next);
	}
}

/* -- the cut -- */

static bool survives(enum mode mode, uint64_t seed, uint64_t point, uint64_t of, uint64_t s)
{
	uint64_t percent = 5 + chance(seed, 1, 0) % 91;

	switch (mode) {
	case ALL:
		return true;
	case NONE:
		return false;
	case PREFIX:
		return of <= point;
	case TORN:
		return of < point || (of == point && chance(seed, 2, s) % 2);
	case REQUEST:
		return chance(seed, 3, of) % 100 < percent;
	case PAGES:
		return chance(seed, of, s / SECTORS) % 100 < percent;
	case SECTORWISE:
		return chance(seed, of, s) % 100 < percent;
	default:
		/* mixed: most requests are there or not, one in four is torn */
		if (chance(seed, 4, of) % 4 == 0)
			return chance(seed, of, s) % 2;
		return chance(seed, 5, of) % 100 < percent;
	}
}

static enum mode choose_mode(uint64_t seed)
{
	static const uint8_t weight[NR_MODES] = { 8, 8, 12, 14, 20, 8, 10, 20 };
	unsigned int dice = chance(seed, 6, 0) % 100;
	enum mode mode = ALL;

	while (dice >= weight[mode])
		dice -= weight[mode++];
	return mode;
}

/* mode: NR_MODES lets the seed choose. Afterwards all requests hang. */
static void power_cut(uint64_t seed, enum mode mode)
{
	uint64_t nr_sectors = 0, newest = 0, older = 0, lost = 0;
	uint64_t point = durable_seq + chance(seed, 7, 0) % (seq - durable_seq + 1);

	if (mode == NR_MODES)
		mode = choose_mode(seed);
	is_cut = frozen = true;
	durable_seq = seq;
	armed.kind = 0;
	while (dirty.next != &dirty) {
		struct page *p = dirty.next;
		unsigned char buf[PAGE];
		uint8_t mask = 0;

		for (unsigned int s = 0; s < SECTORS; s++) {
			const struct version *v, *top = NULL;

			for (v = p->newest; v; v = v->older) {
				if (!(v->mask & (1u << s)))
					continue;
				if (!top)
					top = v;
				if (survives(mode, seed, point, v->seq, p->nr * SECTORS + s))
					break;
			}
			if (!top)
				continue;
			nr_sectors++;
			if (!v) {
				lost++;
				continue;
			}
			if (v == top)
				newest++;
			else
				older++;
			mask |= 1u << s;
			memcpy(buf + s * SECTOR, v->zero ? zeroes : v->data + s * SECTOR, SECTOR);
		}
		medium_write_sectors(p->nr, mask, buf);
		page_free(p);
	}
	snprintf(outcome, sizeof(outcome),
		 "{\"cut\": true, \"seed\": %" PRIu64 ", \"mode\": \"%s\", \"unflushed_sectors\": %" PRIu64
		 ", \"newest\": %" PRIu64 ", \"older\": %" PRIu64 ", \"lost\": %" PRIu64 "}",
		 seed, mode_names[mode], nr_sectors, newest, older, lost);
	if (trace) {
		fprintf(trace, "cut %s\n", outcome);
		fflush(trace);
	}
	pthread_cond_broadcast(&changed);
}

/* -- requests -- */

/*
 * The beginning of every request, with the lock taken: wait while frozen, apply rules.
 * Returns 0, or -1 with *effect saying what shall happen all the same.
 */
static int request_begin(enum kind kind, const char *name, uint64_t offset, uint64_t length, bool fua,
			 enum effect *effect)
{
	int ret = 0;

	while (frozen)
		pthread_cond_wait(&changed, &lock);
	if (is_off) {
		*effect = LOST;
		return -1;
	}
	if (trace)
		fprintf(trace, "%s %" PRIu64 " %" PRIu64 "%s\n", name, offset, length, fua ? " fua" : "");
	for (struct rule *r = rules; r < rules + NR_RULES; r++) {
		if (!(r->kind & kind))
			continue;
		if (kind != FLUSH && (offset >= r->offset + r->length || offset + length <= r->offset))
			continue;
		if (r->wait) {
			r->wait--;
			continue;
		}
		*effect = r->effect;
		ret = -1;
		if (r->left != UINT64_MAX && !--r->left)
			r->kind = 0;
	}
	if (ret)
		stats.failed++;
	return ret;
}

/* Is this the request during which the power goes? */
static bool cut_due(enum kind kind)
{
	if (is_off || !(armed.kind & kind) || --armed.wait)
		return false;
	armed.kind = 0;
	return true;
}

static int request_end(int ret)
{
	/* nobody hears of what ends after the power has gone */
	while (frozen)
		pthread_cond_wait(&changed, &lock);
	if (is_off)
		ret = -1;
	pthread_mutex_unlock(&lock);
	if (ret)
		nbdkit_set_error(EIO);
	return ret;
}

static void large_zero(uint64_t first, uint64_t last)
{
	if (last - first < nr_dirty) {
		for (uint64_t nr = first; nr < last; nr++) {
			struct page *p = page_find(nr);

			if (p)
				page_free(p);
		}
	} else {
		for (struct page *p = dirty.next, *next; p != &dirty; p = next) {
			next = p->next;
			if (p->nr >= first && p->nr < last)
				page_free(p);
		}
	}
	medium_zero(first * PAGE, (last - first) * PAGE);
	stats.destaged_bytes += (last - first) * PAGE;
}

/* Into the cache; buf NULL: zeroes. part: only some sectors, as the outcome of an error. */
static void change(const unsigned char *buf, uint64_t offset, uint64_t length, bool part)
{
	uint64_t end = offset + length;

	seq++;
	while (offset < end) {
		uint64_t nr = offset / PAGE;
		unsigned int from = offset % PAGE;
		unsigned int bytes = end - offset < PAGE - from ? end - offset : PAGE - from;

		if (!buf && !from && (end - offset) / PAGE > LARGE_PAGES) {
			uint64_t last = end / PAGE;

			large_zero(nr, last);
			offset = last * PAGE;
			continue;
		}
		for (unsigned int s = from / SECTOR; s < (from + bytes) / SECTOR; s++) {
			if (part && chance(seq, nr, s) % 2)
				continue;
			page_add(nr, 1u << s, buf ? buf + s * SECTOR - from : NULL, s * SECTOR, SECTOR);
		}
		if (buf)
			buf += bytes;
		offset += bytes;
	}
}

static void make_durable(uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	while (offset < end) {
		uint64_t nr = offset / PAGE;
		unsigned int from = offset % PAGE;
		unsigned int bytes = end - offset < PAGE - from ? end - offset : PAGE - from;
		struct page *p = page_find(nr);
		unsigned char buf[PAGE];
		uint8_t mask = 0;

		for (unsigned int s = from / SECTOR; s < (from + bytes) / SECTOR; s++)
			mask |= 1u << s;
		if (p) {
			mask &= page_read(p, buf);
			medium_write_sectors(nr, mask, buf);
			page_forget(p, mask);
		}
		offset += bytes;
	}
}

/* buf NULL: zeroes or a trim */
static int modify(enum kind kind, const char *name, const void *buf, uint64_t length, uint64_t offset,
		  bool fua)
{
	enum effect effect = KEPT;
	int ret;

	pthread_mutex_lock(&lock);
	ret = request_begin(kind, name, offset, length, fua, &effect);
	if (kind == TRIM) {
		stats.trims++;
		stats.trim_bytes += length;
	} else if (!buf) {
		stats.zeroes++;
		stats.zero_bytes += length;
	} else {
		stats.writes++;
		stats.write_bytes += length;
	}
	stats.fua_writes += fua;
	if (effect != LOST)
		change(buf, offset, length, effect == PART);
	if (cut_due(kind))
		power_cut(armed.seed, armed.mode);
	else if (fua && !ret)
		make_durable(offset, length);
	while (cached_bytes > limit && dirty.next != &dirty) {
		stats.destaged_bytes += PAGE;
		page_destage(dirty.next);
	}
	return request_end(ret);
}

static int pd_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	return modify(WRITE, "write", buf, count, offset, flags & NBDKIT_FLAG_FUA);
}

static int pd_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	return modify(WRITE, "zero", NULL, count, offset, flags & NBDKIT_FLAG_FUA);
}

static int pd_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	return modify(TRIM, "trim", NULL, count, offset, flags & NBDKIT_FLAG_FUA);
}

static int pd_flush(void *handle, uint32_t flags)
{
	enum effect effect;
	int ret;

	(void)handle;
	(void)flags;
	pthread_mutex_lock(&lock);
	ret = request_begin(FLUSH, "flush", 0, 0, false, &effect);
	stats.flushes++;
	if (cut_due(FLUSH)) {
		power_cut(armed.seed, armed.mode);
	} else if (!ret) {
		stats.flushed_bytes += nr_dirty * PAGE;
		destage_all();
		durable_seq = seq;
	}
	return request_end(ret);
}

static int pd_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	unsigned char *to = buf, page[PAGE];
	enum effect effect;
	int ret;

	(void)handle;
	(void)flags;
	pthread_mutex_lock(&lock);
	ret = request_begin(READ, "read", offset, count, false, &effect);
	stats.reads++;
	stats.read_bytes += count;
	if (cut_due(READ))
		power_cut(armed.seed, armed.mode);
	for (uint32_t done = 0; !ret && done < count;) {
		ssize_t n = pread(fd, to + done, count - done, offset + done);

		if (n <= 0)
			medium_fail("read");
		done += n;
	}
	while (!ret && nr_dirty && count) {
		unsigned int from = offset % PAGE;
		unsigned int bytes = count < PAGE - from ? count : PAGE - from;
		struct page *p = page_find(offset / PAGE);

		if (p) {
			memcpy(page + from, to, bytes);
			page_read(p, page);
			memcpy(to, page + from, bytes);
		}
		to += bytes;
		offset += bytes;
		count -= bytes;
	}
	return request_end(ret);
}

/* -- control -- */

static int parse_kind(const char *word, enum kind *kind)
{
	static const struct { const char *name; enum kind kind; } kinds[] = {
		{ "read", READ }, { "write", WRITE }, { "flush", FLUSH }, { "trim", TRIM }, { "any", ANY },
	};

	for (unsigned int i = 0; word && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(word, kinds[i].name)) {
			*kind = kinds[i].kind;
			return 0;
		}
	return -1;
}

static int parse_mode(const char *word, enum mode *mode)
{
	*mode = NR_MODES;
	if (!word)
		return 0;
	for (enum mode m = 0; m < NR_MODES; m++)
		if (!strcmp(word, mode_names[m])) {
			*mode = m;
			return 0;
		}
	return -1;
}

static int parse_number(const char *word, uint64_t *n)
{
	char *end;

	if (!word)
		return -1;
	errno = 0;
	*n = strtoull(word, &end, 0);
	return errno || *end || end == word ? -1 : 0;
}

/* fail KIND N COUNT|forever [EFFECT] [OFFSET LENGTH] */
static int command_fail(char **w, int n)
{
	struct rule rule = { .length = size };
	int i = 4;

	if (n == 2 && !strcmp(w[1], "none")) {
		memset(rules, 0, sizeof(rules));
		return 0;
	}
	if (n < 4 || parse_kind(w[1], &rule.kind) || parse_number(w[2], &rule.wait) || !rule.wait--)
		return -1;
	rule.left = UINT64_MAX;
	if (strcmp(w[3], "forever") && (parse_number(w[3], &rule.left) || !rule.left))
		return -1;
	if (i < n && !strcmp(w[i], "lost"))
		i++;
	else if (i < n && !strcmp(w[i], "kept"))
		rule.effect = KEPT, i++;
	else if (i < n && !strcmp(w[i], "torn"))
		rule.effect = PART, i++;
	if (i < n && (n != i + 2 || parse_number(w[i], &rule.offset) || parse_number(w[i + 1], &rule.length)))
		return -1;
	for (struct rule *r = rules; r < rules + NR_RULES; r++)
		if (!r->kind) {
			*r = rule;
			return 0;
		}
	return -1;
}

static void command_stats(FILE *out)
{
	fprintf(out, "{");
#define FIELD(f) fprintf(out, "\"" #f "\": %" PRIu64 ", ", stats.f)
	FIELD(reads); FIELD(read_bytes); FIELD(writes); FIELD(write_bytes); FIELD(fua_writes);
	FIELD(zeroes); FIELD(zero_bytes); FIELD(trims); FIELD(trim_bytes); FIELD(flushes);
	FIELD(flushed_bytes); FIELD(destaged_bytes); FIELD(failed);
#undef FIELD
	fprintf(out, "\"dirty_bytes\": %" PRIu64 ", \"cut\": %s}\n", nr_dirty * PAGE, is_cut ? "true" : "false");
}

/* Returns true if the disk shall end after the answer. Called with the lock. */
static bool command(char *line, FILE *out)
{
	char *w[10], *save;
	uint64_t seed;
	enum mode mode;
	int n = 0;

	for (char *t = strtok_r(line, " \n", &save); t && n < 10; t = strtok_r(NULL, " \n", &save))
		w[n++] = t;
	if (!n)
		goto bad;
	if (!strcmp(w[0], "stats")) {
		command_stats(out);
		return false;
	} else if (!strcmp(w[0], "stats-reset")) {
		memset(&stats, 0, sizeof(stats));
	} else if (!strcmp(w[0], "freeze")) {
		frozen = true;
	} else if (!strcmp(w[0], "thaw") && !is_cut) {
		frozen = false;
		pthread_cond_broadcast(&changed);
	} else if (!strcmp(w[0], "off") && (is_cut ? n == 1 : n >= 2)) {
		if (!is_cut) {
			if (parse_number(w[1], &seed) || parse_mode(n > 2 ? w[2] : NULL, &mode))
				goto bad;
			power_cut(seed, mode);
		}
		is_off = true;
		frozen = false;
		pthread_cond_broadcast(&changed);
		fprintf(out, "%s\n", outcome);
		return false;
	} else if (!strcmp(w[0], "on") && is_off) {
		is_cut = is_off = false;
	} else if (!strcmp(w[0], "cut") && n >= 2 && !is_cut) {
		if (parse_number(w[1], &seed) || parse_mode(n > 2 ? w[2] : NULL, &mode))
			goto bad;
		power_cut(seed, mode);
		fprintf(out, "%s\n", outcome);
		return true;
	} else if (!strcmp(w[0], "arm") && n >= 4 && !is_cut) {
		enum kind kind;

		if (parse_kind(w[1], &kind) || parse_number(w[2], &armed.wait) || !armed.wait ||
		    parse_number(w[3], &armed.seed) || parse_mode(n > 4 ? w[4] : NULL, &armed.mode))
			goto bad;
		armed.kind = kind;
	} else if (!strcmp(w[0], "wait")) {
		while (!is_cut)
			pthread_cond_wait(&changed, &lock);
		fprintf(out, "%s\n", outcome);
		return false;
	} else if (!strcmp(w[0], "fail")) {
		if (command_fail(w, n))
			goto bad;
	} else if (!strcmp(w[0], "trace") && n == 2) {
		if (trace)
			fclose(trace);
		trace = NULL;
		if (strcmp(w[1], "off")) {
			trace = fopen(w[1], "ae");
			if (!trace)
				goto bad;
		}
	} else if (!strcmp(w[0], "quit")) {
		if (!is_cut)
			destage_all();
		fprintf(out, "ok\n");
		return true;
	} else {
		goto bad;
	}
	fprintf(out, "ok\n");
	return false;
bad:
	fprintf(out, "error: not understood, or too late\n");
	return false;
}

static void *serve(void *arg)
{
	FILE *f = fdopen((int)(intptr_t)arg, "r+");
	char line[1024];

	if (!f)
		return NULL;
	if (fgets(line, sizeof(line), f)) {
		bool end;

		fseek(f, 0, SEEK_CUR);	/* stdio wants it between reading and writing */
		pthread_mutex_lock(&lock);
		end = command(line, f);
		fflush(f);
		if (trace)
			fflush(trace);
		if (end)
			_exit(0);
		pthread_mutex_unlock(&lock);
	}
	fclose(f);
	return NULL;
}

static void *listen_for_commands(void *arg)
{
	(void)arg;
	for (;;) {
		int s = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t t;

		if (s < 0)
			continue;
		/* a thread each: "wait" waits while others are served */
		if (pthread_create(&t, NULL, serve, (void *)(intptr_t)s))
			close(s);
		else
			pthread_detach(t);
	}
	return NULL;
}

/* -- nbdkit -- */

static int pd_config(const char *key, const char *value)
{
	int64_t n;

	if (!strcmp(key, "file")) {
		file = nbdkit_absolute_path(value);
		return file ? 0 : -1;
	}
	if (!strcmp(key, "control")) {
		control = nbdkit_absolute_path(value);
		return control ? 0 : -1;
	}
	n = nbdkit_parse_size(value);
	if (n < 0)
		return -1;
	if (!strcmp(key, "size")) {
		size = n;
	} else if (!strcmp(key, "limit")) {
		limit = n;
	} else {
		nbdkit_error("unknown parameter %s", key);
		return -1;
	}
	return 0;
}

static int pd_get_ready(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	if (!file) {
		nbdkit_error("which file?");
		return -1;
	}
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fstat(fd, &st) || ((uint64_t)st.st_size < size && ftruncate(fd, size))) {
		nbdkit_error("%s: %m", file);
		return -1;
	}
	if (!size)
		size = st.st_size;
	if (size % SECTOR) {
		nbdkit_error("%s: not a multiple of %u bytes", file, SECTOR);
		return -1;
	}
	if (!control)
		return 0;
	if (strlen(control) >= sizeof(addr.sun_path)) {
		nbdkit_error("%s: too long for a socket", control);
		return -1;
	}
	strcpy(addr.sun_path, control);
	unlink(control);
	control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control_fd < 0 || bind(control_fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(control_fd, 8)) {
		nbdkit_error("%s: %m", control);
		return -1;
	}
	return 0;
}

static int pd_after_fork(void)
{
	pthread_t t;

	if (control_fd < 0)
		return 0;
	if (pthread_create(&t, NULL, listen_for_commands, NULL)) {
		nbdkit_error("no thread: %m");
		return -1;
	}
	pthread_detach(t);
	return 0;
}

/* SIGTERM is an orderly end, not a cut */
static void pd_cleanup(void)
{
	pthread_mutex_lock(&lock);
	if (!is_cut)
		destage_all();
	pthread_mutex_unlock(&lock);
}

static void *pd_open(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t pd_get_size(void *handle)
{
	(void)handle;
	return size;
}

static int pd_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	(void)handle;
	*minimum = SECTOR;
	*preferred = PAGE;
	*maximum = 32 << 20;
	return 0;
}

static int pd_yes(void *handle)
{
	(void)handle;
	return 1;
}

static int pd_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static struct nbdkit_plugin plugin = {
	.name = "powerdisk",
	.description = "a disk with a volatile write cache and a power switch",
	.magic_config_key = "file",
	.config = pd_config,
	.get_ready = pd_get_ready,
	.after_fork = pd_after_fork,
	.cleanup = pd_cleanup,
	.open = pd_open,
	.get_size = pd_get_size,
	.block_size = pd_block_size,
	.can_write = pd_yes,
	.can_flush = pd_yes,
	.can_trim = pd_yes,
	.can_zero = pd_yes,
	.can_fua = pd_can_fua,
	.pread = pd_pread,
	.pwrite = pd_pwrite,
	.zero = pd_zero,
	.trim = pd_trim,
	.flush = pd_flush,
};

NBDKIT_REGISTER_PLUGIN(plugin)
