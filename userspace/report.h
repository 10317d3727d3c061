/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - how numbers, tables and JSON look.
 */
#ifndef TRIAD_REPORT_H
#define TRIAD_REPORT_H

#include <json-c/json.h>
#include <libsmartcols.h>
#include <stdio.h>

#include "tool.h"

#define TEXT_SIZE	96

/* Texts for people; text has TEXT_SIZE bytes and is returned. */
const char *text_size(u64 bytes, char *text);		/* "1.5 GiB" */
const char *text_rate(u64 bytes, double seconds, char *text);	/* of a second of them */
const char *text_hex(const u8 *bytes, size_t nr, char *text);	/* nr <= 32 */
const char *text_time(u64 seconds, char *text);

/* Name of a kind of checksum. */
const char *text_checksum(u8 kind);

/* Of a clock that nobody sets, to tell how long something takes. */
double seconds_now(void);
const char *text_uuid(const u8 uuid[16], char *text);
const char *text_label(const u8 *label, size_t size, char *text);	/* printable */
const char *text_number(u64 n, char *text);

/* "1 block", "2 blocks": printf(..., n, PLURAL(n)) */
#define PLURAL(n)	((n) == 1 ? "" : "s")

/*
 * How many bytes the character at s has: 0 if it is not whole UTF-8, or would do
 * something to a terminal instead of showing.
 */
size_t text_printable(const char *s);

/* A word as a shell takes it. */
void put_quoted(FILE *to, const char *word);

/*
 * "4096", "64K", "10G", "1.5T" to bytes.  False if it is no size.
 */
bool parse_size(const char *s, u64 *bytes);

/*
 * Tables.  A name that begins with '>' is aligned to the right; a column with '-' is
 * cut where the table would be wider than the terminal.
 */
struct libscols_table *table_new(const char *const *names, unsigned int nr);
struct libscols_line *table_line(struct libscols_table *table);
void table_set(struct libscols_line *line, unsigned int column, const char *text);
void table_print(struct libscols_table *table);		/* and free it */

/*
 * JSON.  A command prints one document, at its end and whatever that is: what it
 * added to json_document(), then exit_code, error and warnings.
 */
void json_begin(void);				/* from now on it is wanted */
void json_forget(void);				/* and now it is not */
struct json_object *json_document(void);	/* NULL if it is not */
void json_end(int code);			/* print it, if it is wanted */
/*
 * From now on documents are single lines, each printed with json_line() when it is
 * complete; the one at the end has exit_code and error.
 */
void json_lines(void);
void json_line(struct json_object *object);	/* and free it */
void json_error(const char *message, const char *advice);	/* the first one counts */
void json_warning(const char *message);

/* Objects are owned by what they are added to. */
void json_add(struct json_object *object, const char *name, struct json_object *value);
void json_add_text(struct json_object *object, const char *name, const char *text);
void json_array_add_text(struct json_object *array, const char *text);
void json_add_number(struct json_object *object, const char *name, u64 n);
void json_add_bool(struct json_object *object, const char *name, bool value);
void json_add_hex(struct json_object *object, const char *name, const u8 *bytes, size_t nr);

/*
 * A line on stderr that is overwritten, if that is a terminal; done 0 and total 0
 * clears it.
 */
void progress(const char *what, u64 done, u64 total);

#endif
