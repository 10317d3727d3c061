// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * client - commit to a database until the power goes; later tell whether all of it is there
 *
 *	client WHERE ping		can it be reached?
 *	client WHERE create		rows as of commit 0
 *	client WHERE verify ACKED	the database must pass its own check and hold exactly
 *					the commits 1..n, with n = ACKED or, as one commit was
 *					in flight, ACKED + 1
 *	client WHERE run NAME [COUNT]	go on behind the last commit, for ever or COUNT times;
 *					after each, write "ack NAME n" to descriptor 3, in one
 *					write()
 *
 * What commit n writes is a function of n: a verifier needs no record of it.
 */
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_PER_COMMIT 8u

static uint64_t expected[NR_ROWS];
static uint32_t nr_seen;

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint32_t row_of(uint64_t n, unsigned int i)
{
	return mix(n * ROWS_PER_COMMIT + i) % NR_ROWS;
}

/* Rows change their length, so that pages split. */
static size_t make_body(char body[BODY_MAX + 1], uint32_t id, uint64_t n)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
	uint64_t seed = mix(n * NR_ROWS + id), bits = 0;
	size_t len = BODY_MAX / 3 + seed % (BODY_MAX * 2 / 3);

	for (size_t i = 0; i < len; i++) {
		if (i % 10 == 0)
			bits = mix(seed + i);
		body[i] = digits[bits & 63];
		bits >>= 6;
	}
	body[len] = 0;
	return len;
}

static void create(void)
{
	char body[BODY_MAX + 1];

	db_create();
	db_begin();
	for (uint32_t id = 0; id < NR_ROWS; id++) {
		make_body(body, id, 0);
		db_insert(id, 0, body);
	}
	db_commit(0);
}

static void check_row(uint32_t id, uint64_t n, const char *body, size_t len)
{
	char want[BODY_MAX + 1];

	if (id >= NR_ROWS)
		die("row %" PRIu32 ": never written", id);
	if (n != expected[id])
		die("row %" PRIu32 ": of commit %" PRIu64 ", not %" PRIu64, id, n, expected[id]);
	if (make_body(want, id, n) != len || memcmp(want, body, len))
		die("row %" PRIu32 ": its content is not that of commit %" PRIu64, id, n);
	nr_seen++;
}

static void verify(uint64_t acked)
{
	uint64_t last = db_last();

	if (last < acked || last > acked + 1)
		die("the last commit is %" PRIu64 ", acknowledged was %" PRIu64, last, acked);
	for (uint64_t n = 1; n <= last; n++)
		for (unsigned int i = 0; i < ROWS_PER_COMMIT; i++)
			expected[row_of(n, i)] = n;
	db_scan(check_row);
	if (nr_seen != NR_ROWS)
		die("%" PRIu32 " rows of %u", nr_seen, NR_ROWS);
	db_check();
}

static void acknowledge(const char *name, uint64_t n)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "ack %s %" PRIu64 "\n", name, n);

	if (write(3, line, len) != len)
		die("report: %s", strerror(errno));
}

static void run(const char *name, uint64_t count)
{
	uint64_t n = db_last();
	char body[BODY_MAX + 1];

	/* the commit that was in flight at the cut counts from now on */
	acknowledge(name, n);
	while (count--) {
		n++;
		db_begin();
		for (unsigned int i = 0; i < ROWS_PER_COMMIT; i++) {
			uint32_t id = row_of(n, i);

			make_body(body, id, n);
			db_update(id, n, body);
		}
		db_commit(n);
		acknowledge(name, n);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	bool has_arg = !strcmp(what, "verify") || !strcmp(what, "run");

	if (argc != 3 + has_arg && !(argc == 5 && !strcmp(what, "run")))
		die("usage: client WHERE ping|create|verify ACKED|run NAME [COUNT]");
	db_open(argv[1]);
	if (!strcmp(what, "create"))
		create();
	else if (!strcmp(what, "verify"))
		verify(strtoull(argv[3], NULL, 10));
	else if (!strcmp(what, "run"))
		run(argv[3], argc > 4 ? strtoull(argv[4], NULL, 10) : UINT64_MAX);
	else if (strcmp(what, "ping"))
		die("%s: not understood", what);
	db_close();
	return 0;
}
