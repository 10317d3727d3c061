// SPDX-License-Identifier: GPL-2.0-or-later
/* LMDB: WHERE is a directory. */
#include "client.h"

#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct value {
	uint64_t n;
	char body[BODY_MAX];
};

static MDB_env *env;
static MDB_txn *txn;
static MDB_dbi page, last;	/* one tree for the rows, one for the last commit */

static void must(int err)
{
	if (err)
		die("LMDB: %s", mdb_strerror(err));
}

static void begin(unsigned int flags)
{
	unsigned int create = flags & MDB_RDONLY ? 0 : MDB_CREATE;

	must(mdb_txn_begin(env, NULL, flags, &txn));
	must(mdb_dbi_open(txn, "page", MDB_INTEGERKEY | create, &page));
	must(mdb_dbi_open(txn, "last", MDB_INTEGERKEY | create, &last));
}

void db_open(const char *where)
{
	must(mdb_env_create(&env));
	must(mdb_env_set_mapsize(env, 64 << 20));
	must(mdb_env_set_maxdbs(env, 2));
	must(mdb_env_open(env, where, 0, 0600));
}

void db_close(void)
{
	mdb_env_close(env);
}

void db_create(void)
{
	/* the trees come with the first commit */
}

void db_begin(void)
{
	begin(0);
}

void db_update(uint32_t id, uint64_t n, const char *body)
{
	struct value value = { .n = n };
	size_t len = strlen(body);
	MDB_val k = { sizeof(id), &id }, v = { offsetof(struct value, body) + len, &value };

	memcpy(value.body, body, len);
	must(mdb_put(txn, page, &k, &v, 0));
}

void db_insert(uint32_t id, uint64_t n, const char *body)
{
	db_update(id, n, body);
}

void db_commit(uint64_t n)
{
	uint32_t id = 0;
	MDB_val k = { sizeof(id), &id }, v = { sizeof(n), &n };

	must(mdb_put(txn, last, &k, &v, 0));
	must(mdb_txn_commit(txn));
}

uint64_t db_last(void)
{
	uint32_t id = 0;
	MDB_val k = { sizeof(id), &id }, v;
	uint64_t n;

	begin(MDB_RDONLY);
	must(mdb_get(txn, last, &k, &v));
	if (v.mv_size != sizeof(n))
		die("LMDB: the last commit has %zu bytes", v.mv_size);
	memcpy(&n, v.mv_data, sizeof(n));
	mdb_txn_abort(txn);
	return n;
}

void db_scan(void (*row)(uint32_t id, uint64_t n, const char *body, size_t len))
{
	const size_t head = offsetof(struct value, body);
	MDB_cursor *cursor;
	MDB_val k, v;
	uint32_t id;
	uint64_t n;
	int err;

	begin(MDB_RDONLY);
	must(mdb_cursor_open(txn, page, &cursor));
	while (!(err = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) {
		if (k.mv_size != sizeof(id) || v.mv_size < head)
			die("LMDB: a key of %zu and a value of %zu bytes", k.mv_size, v.mv_size);
		memcpy(&id, k.mv_data, sizeof(id));
		memcpy(&n, v.mv_data, sizeof(n));
		row(id, n, (char *)v.mv_data + head, v.mv_size - head);
	}
	if (err != MDB_NOTFOUND)
		must(err);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
}

/* A compacting copy walks every page and compares their number with the free list's. */
void db_check(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	must(mdb_env_copyfd2(env, fd, MDB_CP_COMPACT));
	close(fd);
}
