// SPDX-License-Identifier: GPL-2.0-or-later
/* PostgreSQL: WHERE is the directory of the socket. */
#include "client.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static PGconn *conn;

static PGresult *done(PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_SINGLE_TUPLE)
		die("PostgreSQL: %s", PQerrorMessage(conn));
	return res;
}

static void run(const char *sql)
{
	PQclear(done(PQexec(conn, sql)));
}

void db_open(const char *where)
{
	const char *const names[] = { "host", "user", "dbname", NULL };
	const char *const values[] = { where, "postgres", "postgres", NULL };

	conn = PQconnectdbParams(names, values, 0);
	if (PQstatus(conn) != CONNECTION_OK)
		die("PostgreSQL: %s", PQerrorMessage(conn));
}

void db_close(void)
{
	PQfinish(conn);
}

void db_create(void)
{
	run("CREATE EXTENSION amcheck");
	run("CREATE TABLE page (id int PRIMARY KEY, n bigint, body text)");
	run("ALTER TABLE page ALTER body SET STORAGE PLAIN");
	run("CREATE INDEX page_n ON page (n)");
	run("CREATE TABLE last (n bigint)");
	run("INSERT INTO last VALUES (0)");
}

static void change(const char *name, const char *sql, uint32_t id, uint64_t n, const char *body)
{
	static const char *prepared;
	char id_text[24], n_text[24];
	const char *values[] = { id_text, n_text, body };
	PGresult *res;

	if (prepared != name)
		PQclear(done(PQprepare(conn, name, sql, 3, NULL)));
	prepared = name;
	snprintf(id_text, sizeof(id_text), "%" PRIu32, id);
	snprintf(n_text, sizeof(n_text), "%" PRIu64, n);
	res = done(PQexecPrepared(conn, name, 3, values, NULL, NULL, 0));
	if (atoi(PQcmdTuples(res)) != 1)
		die("PostgreSQL: no row %" PRIu32, id);
	PQclear(res);
}

void db_begin(void)
{
	run("BEGIN");
}

void db_insert(uint32_t id, uint64_t n, const char *body)
{
	change("insert", "INSERT INTO page VALUES ($1, $2, $3)", id, n, body);
}

void db_update(uint32_t id, uint64_t n, const char *body)
{
	change("update", "UPDATE page SET n = $2, body = $3 WHERE id = $1", id, n, body);
}

void db_commit(uint64_t n)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "UPDATE last SET n = %" PRIu64, n);
	run(sql);
	run("COMMIT");
}

uint64_t db_last(void)
{
	PGresult *res = done(PQexec(conn, "SELECT n FROM last"));
	uint64_t n;

	if (PQntuples(res) != 1)
		die("PostgreSQL: %d rows in last", PQntuples(res));
	n = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
	PQclear(res);
	return n;
}

void db_scan(void (*row)(uint32_t id, uint64_t n, const char *body, size_t len))
{
	PGresult *res;

	if (!PQsendQuery(conn, "SELECT id, n, body FROM page") || !PQsetSingleRowMode(conn))
		die("PostgreSQL: %s", PQerrorMessage(conn));
	while ((res = PQgetResult(conn))) {
		done(res);
		for (int i = 0; i < PQntuples(res); i++)
			row(strtoul(PQgetvalue(res, i, 0), NULL, 10),
			    strtoull(PQgetvalue(res, i, 1), NULL, 10),
			    PQgetvalue(res, i, 2), PQgetlength(res, i, 2));
		PQclear(res);
	}
}

void db_check(void)
{
	PGresult *res;

	res = done(PQexec(conn, "SELECT r.* FROM pg_class c, LATERAL verify_heapam(c.oid) r "
			  "WHERE c.relname IN ('page', 'last')"));
	if (PQntuples(res))
		die("PostgreSQL: verify_heapam: block %s: %s", PQgetvalue(res, 0, 0),
		    PQgetvalue(res, 0, 3));
	PQclear(res);
	run("SELECT bt_index_parent_check('page_pkey', true), bt_index_parent_check('page_n', true)");
	/* A crash forgets what there is to vacuum, and a life is too short to learn it again. */
	run("VACUUM page");
	run("VACUUM last");
}
