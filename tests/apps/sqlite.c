// SPDX-License-Identifier: GPL-2.0-or-later
/* SQLite: WHERE is the file, its journal mode and "synchronous": "FILE,wal|delete,full|extra". */
#include "client.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *db;
static sqlite3_stmt *insert, *update;

static void run(const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error))
		die("SQLite: %s", error);
}

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		die("SQLite: %s: %s", sql, sqlite3_errmsg(db));
	return stmt;
}

/* The first answer to a query, as text; the caller frees it. */
static char *ask(const char *sql)
{
	sqlite3_stmt *stmt = prepare(sql);
	char *text;

	if (sqlite3_step(stmt) != SQLITE_ROW)
		die("SQLite: %s: %s", sql, sqlite3_errmsg(db));
	text = strdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return text;
}

void db_open(const char *where)
{
	char *file = strdup(where), *mode = strchr(file, ','), *sync = strrchr(file, ','), sql[64], *got;

	if (mode == sync)
		die("SQLite: which journal mode, and how synchronous?");
	*mode++ = 0;
	*sync++ = 0;
	if (sqlite3_open(file, &db))
		die("SQLite: %s: %s", file, sqlite3_errmsg(db));
	snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", mode);
	got = ask(sql);
	if (strcmp(got, mode))
		die("SQLite: journal mode %s, not %s", got, mode);
	free(got);
	/*
	 * With FULL, a commit ends with an unlink() of the journal that is not synced: until the
	 * filesystem's own next commit a power cut brings the journal back, which undoes the last
	 * acknowledged commit.  test-sqlite shows that it happens on any disk, that the database
	 * itself holds the commit then, and that with EXTRA nothing is lost.
	 */
	snprintf(sql, sizeof(sql), "PRAGMA synchronous=%s", sync);
	run(sql);
	free(file);
	/* 1 MiB of cache, and a checkpoint of the WAL every few commits */
	run("PRAGMA cache_size=-1024");
	run("PRAGMA wal_autocheckpoint=100");
}

void db_close(void)
{
	sqlite3_finalize(insert);
	sqlite3_finalize(update);
	if (sqlite3_close(db))
		die("SQLite: %s", sqlite3_errmsg(db));
}

void db_create(void)
{
	run("CREATE TABLE page (id INTEGER PRIMARY KEY, n INTEGER, body TEXT)");
	run("CREATE INDEX page_n ON page (n)");
	run("CREATE TABLE last (n INTEGER)");
	run("INSERT INTO last VALUES (0)");
}

static void change(sqlite3_stmt *stmt, uint32_t id, uint64_t n, const char *body)
{
	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, n);
	sqlite3_bind_text(stmt, 3, body, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_DONE || sqlite3_changes(db) != 1)
		die("SQLite: row %" PRIu32 ": %s", id, sqlite3_errmsg(db));
	sqlite3_reset(stmt);
}

void db_begin(void)
{
	run("BEGIN");
}

void db_insert(uint32_t id, uint64_t n, const char *body)
{
	if (!insert)
		insert = prepare("INSERT INTO page VALUES (?1, ?2, ?3)");
	change(insert, id, n, body);
}

void db_update(uint32_t id, uint64_t n, const char *body)
{
	if (!update)
		update = prepare("UPDATE page SET n = ?2, body = ?3 WHERE id = ?1");
	change(update, id, n, body);
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
	char *text = ask("SELECT n FROM last");
	uint64_t n = strtoull(text, NULL, 10);

	free(text);
	return n;
}

void db_scan(void (*row)(uint32_t id, uint64_t n, const char *body, size_t len))
{
	sqlite3_stmt *stmt = prepare("SELECT id, n, body FROM page");
	int ret;

	while ((ret = sqlite3_step(stmt)) == SQLITE_ROW)
		row(sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
		    (const char *)sqlite3_column_text(stmt, 2), sqlite3_column_bytes(stmt, 2));
	if (ret != SQLITE_DONE)
		die("SQLite: %s", sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
}

void db_check(void)
{
	char *text = ask("PRAGMA integrity_check");

	if (strcmp(text, "ok"))
		die("SQLite: integrity_check: %s", text);
	free(text);
}
