// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <uuid/uuid.h>

const char *text_size(u64 bytes, char *text)
{
	static const char units[] = "KMGTPE";
	double value = bytes;
	int unit = -1;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, TEXT_SIZE, "%" PRIu64 " B", bytes);
	else
		snprintf(text, TEXT_SIZE, "%.*f %ciB", value < 10 && value != (u64)value,
			 value, units[unit]);
	return text;
}

const char *text_hex(const u8 *bytes, size_t nr, char *text)
{
	size_t i;

	text[0] = 0;
	for (i = 0; i < nr && i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

const char *text_time(u64 seconds, char *text)
{
	time_t t = seconds;
	struct tm tm;

	if (!seconds || !localtime_r(&t, &tm) ||
	    !strftime(text, TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, TEXT_SIZE, "-");
	return text;
}

const char *text_uuid(const u8 uuid[16], char *text)
{
	uuid_unparse_lower(uuid, text);
	return text;
}

const char *text_label(const u8 *label, size_t size, char *text)
{
	size_t i;

	for (i = 0; i < size && i < TEXT_SIZE - 1 && label[i]; i++)
		text[i] = isprint(label[i]) ? label[i] : '?';
	text[i] = 0;
	return text;
}

const char *text_number(u64 n, char *text)
{
	snprintf(text, TEXT_SIZE, "%" PRIu64, n);
	return text;
}

bool parse_size(const char *s, u64 *bytes)
{
	static const char units[] = "KMGTPE";
	const char *unit;
	double value;
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	value = strtod(s, &end);
	if (*end && (unit = strchr(units, toupper((unsigned char)*end)))) {
		value *= (double)(1ULL << (10 * (unit - units + 1)));
		end++;
		if (!strcmp(end, "iB") || !strcmp(end, "B"))
			end += strlen(end);
	}
	/* doubles hold whole bytes up to 8 PiB, far beyond any device */
	if (*end || value < 1 || value > 9e15 || value != (double)(u64)value)
		return false;
	*bytes = value;
	return true;
}

/* ---- tables --------------------------------------------------------------- */

static void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "triadsetup: out of memory\n");
		exit(TOOL_MEMORY);
	}
	return p;
}

struct libscols_table *table_new(const char *const *names, unsigned int nr)
{
	struct libscols_table *table = need(scols_new_table());
	unsigned int i;

	for (i = 0; i < nr; i++) {
		bool right = names[i][0] == '>';

		need(scols_table_new_column(table, names[i] + right, 0,
					    right ? SCOLS_FL_RIGHT : 0));
	}
	return table;
}

struct libscols_line *table_line(struct libscols_table *table)
{
	return need(scols_table_new_line(table, NULL));
}

void table_set(struct libscols_line *line, unsigned int column, const char *text)
{
	if (scols_line_set_data(line, column, text))
		need(NULL);
}

void table_print(struct libscols_table *table)
{
	scols_print_table(table);
	scols_unref_table(table);
}

/* ---- JSON ------------------------------------------------------------------ */

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add(need(object), name, value);
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	json_add(object, name, text ? need(json_object_new_string(text)) : NULL);
}

void json_add_number(struct json_object *object, const char *name, u64 n)
{
	json_add(object, name, need(json_object_new_uint64(n)));
}

void json_add_bool(struct json_object *object, const char *name, bool value)
{
	json_add(object, name, need(json_object_new_boolean(value)));
}

void json_add_hex(struct json_object *object, const char *name, const u8 *bytes, size_t nr)
{
	char text[TEXT_SIZE];

	json_add_text(object, name, text_hex(bytes, nr, text));
}

void json_print(struct json_object *object)
{
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_SPACED |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* ---- progress --------------------------------------------------------------- */

void progress(const char *what, u64 done, u64 total)
{
	static int terminal = -1;
	static time_t last;
	time_t now;

	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	if (!terminal)
		return;
	if (!total) {
		if (last)
			fprintf(stderr, "\r\033[K");
		last = 0;
		return;
	}
	now = time(NULL);
	if (now == last)
		return;
	last = now;
	fprintf(stderr, "\r%s: %3.0f %%\033[K", what, 100.0 * done / total);
	fflush(stderr);
}
