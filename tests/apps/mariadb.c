// SPDX-License-Identifier: GPL-2.0-or-later
/* MariaDB: WHERE is the socket. */
#include "client.h"

#include <inttypes.h>
#include <mysql.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MYSQL *conn;

static void __attribute__((format(printf, 1, 2))) run(const char *fmt, ...)
{
	char sql[BODY_MAX + 256];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(sql, sizeof(sql), fmt, args);
	va_end(args);
	if (mysql_real_query(conn, sql, len))
		die("MariaDB: %s", mysql_error(conn));
}

void db_open(const char *where)
{
	conn = mysql_init(NULL);
	if (!conn || !mysql_real_connect(conn, NULL, "root", NULL, NULL, 0, where, CLIENT_FOUND_ROWS))
		die("MariaDB: %s", conn ? mysql_error(conn) : "no memory");
	run("CREATE DATABASE IF NOT EXISTS apps");
	run("USE apps");
}

void db_close(void)
{
	mysql_close(conn);
}

void db_create(void)
{
	run("CREATE TABLE page (id INT PRIMARY KEY, n BIGINT, body VARCHAR(%u), INDEX (n)) "
	    "ENGINE=InnoDB CHARSET=latin1", BODY_MAX);
	run("CREATE TABLE last (id INT PRIMARY KEY, n BIGINT) ENGINE=InnoDB");
	run("INSERT INTO last VALUES (0, 0)");
}

void db_begin(void)
{
	run("BEGIN");
}

void db_insert(uint32_t id, uint64_t n, const char *body)
{
	run("INSERT INTO page VALUES (%" PRIu32 ", %" PRIu64 ", '%s')", id, n, body);
}

void db_update(uint32_t id, uint64_t n, const char *body)
{
	run("UPDATE page SET n = %" PRIu64 ", body = '%s' WHERE id = %" PRIu32, n, body, id);
	if (mysql_affected_rows(conn) != 1)
		die("MariaDB: no row %" PRIu32, id);
}

void db_commit(uint64_t n)
{
	run("UPDATE last SET n = %" PRIu64, n);
	run("COMMIT");
}

uint64_t db_last(void)
{
	MYSQL_RES *res;
	MYSQL_ROW row;
	uint64_t n;

	run("SELECT n FROM last");
	res = mysql_store_result(conn);
	row = res ? mysql_fetch_row(res) : NULL;
	if (!row)
		die("MariaDB: no row in last: %s", mysql_error(conn));
	n = strtoull(row[0], NULL, 10);
	mysql_free_result(res);
	return n;
}

void db_scan(void (*row)(uint32_t id, uint64_t n, const char *body, size_t len))
{
	MYSQL_RES *res;
	MYSQL_ROW r;

	run("SELECT id, n, body FROM page");
	res = mysql_use_result(conn);
	if (!res)
		die("MariaDB: %s", mysql_error(conn));
	while ((r = mysql_fetch_row(res)))
		row(strtoul(r[0], NULL, 10), strtoull(r[1], NULL, 10), r[2],
		    mysql_fetch_lengths(res)[2]);
	if (mysql_errno(conn))
		die("MariaDB: %s", mysql_error(conn));
	mysql_free_result(res);
}

void db_check(void)
{
	MYSQL_RES *res;
	MYSQL_ROW r;

	run("CHECK TABLE page, last EXTENDED");
	res = mysql_store_result(conn);
	if (!res)
		die("MariaDB: %s", mysql_error(conn));
	/* Table, Op, Msg_type, Msg_text */
	while ((r = mysql_fetch_row(res)))
		if (strcmp(r[2], "status") || strcmp(r[3], "OK"))
			die("MariaDB: %s: %s: %s", r[0], r[2], r[3]);
	mysql_free_result(res);
}
