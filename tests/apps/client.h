/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What client.c asks of a database.  One of pg.c, mariadb.c, sqlite.c and lmdb.c is linked.
 *
 * The database holds NR_ROWS rows (id, n, body), n being the commit that wrote the row last, and
 * one number: the last commit.  Every function ends the program with die() if the database
 * says no.
 */
#ifndef APPS_CLIENT_H
#define APPS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#define NR_ROWS 4096u
#define BODY_MAX 1200u		/* letters, digits, _ and - */

/* where: a socket, file or directory, as the engine wants it */
void db_open(const char *where);
void db_close(void);

/* Tables without rows. */
void db_create(void);

void db_begin(void);
void db_insert(uint32_t id, uint64_t n, const char *body);
void db_update(uint32_t id, uint64_t n, const char *body);
/* Returns when commit n is durable. */
void db_commit(uint64_t n);

uint64_t db_last(void);
/* Read every row, in any order. */
void db_scan(void (*row)(uint32_t id, uint64_t n, const char *body, size_t len));
/* The database's own check of all that it stores; may tidy up. */
void db_check(void);

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
