// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "format.h"

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

const char *text_rate(u64 bytes, double seconds, char *text)
{
	return text_size(bytes / (seconds > 0.001 ? seconds : 0.001), text);
}

const char *text_hex(const u8 *bytes, size_t nr, char *text)
{
	size_t i;

	text[0] = 0;
	for (i = 0; i < nr && i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

const char *text_checksum(u8 kind)
{
	return kind == TRIAD_CHECKSUM_XXH64 ? "xxh64" : "crc32c";
}

double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

const char *text_time(u64 seconds, char *text)
{
	time_t t = seconds;
	struct tm tm;

	if (!seconds || !localtime_r(&t, &tm) ||
	    !strftime(text, TEXT_SIZE, "%Y-%m-%d %H:%M", &tm))
		snprintf(text, TEXT_SIZE, "-");
	return text;
}

const char *text_uuid(const u8 uuid[16], char *text)
{
	uuid_unparse_lower(uuid, text);
	return text;
}

/* The bytes of a whole UTF-8 character, 0 if it is none. */
static size_t utf8_char(const char *s, u32 *c)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	u8 first = *s;
	size_t i, n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	*c = first;
	if (n == 1)
		return first != 0;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	*c &= 0x7f >> n;
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)	/* also the end of the text */
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : n;
}

size_t text_printable(const char *s)
{
	u32 c;
	size_t n = utf8_char(s, &c);
	bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
	/* line ends, and what changes the direction of the text after it */
	bool turns = (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);

	return control || turns ? 0 : n;
}

const char *text_label(const u8 *label, size_t size, char *text)
{
	char raw[TEXT_SIZE] = { 0 };
	size_t i, n;

	memcpy(raw, label, min_t(size_t, size, sizeof(raw) - 1));
	memcpy(text, raw, sizeof(raw));
	for (i = 0; raw[i]; i += n ? n : 1) {
		n = text_printable(raw + i);
		if (!n)
			text[i] = '?';
	}
	return text;
}

void put_quoted(FILE *to, const char *word)
{
	if (*word && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			    "/._-+:,@%=") == strlen(word)) {
		fputs(word, to);
		return;
	}
	putc('\'', to);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", to);
		else
			putc(*word, to);
	}
	putc('\'', to);
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
		int flag = names[i][0] == '>' ? SCOLS_FL_RIGHT :
			   names[i][0] == '-' ? SCOLS_FL_TRUNC : 0;

		need(scols_table_new_column(table, names[i] + (flag != 0), 0, flag));
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

static struct {
	bool wanted;
	bool lines;
	struct json_object *document, *error, *warnings;
} json;

static void json_free(void)
{
	json_object_put(json.document);
	json_object_put(json.error);
	json_object_put(json.warnings);
	memset(&json, 0, sizeof(json));
}

void json_begin(void)
{
	if (json.wanted)
		return;
	json.wanted = true;
	json.document = need(json_object_new_object());
	json.warnings = need(json_object_new_array());
}

void json_forget(void)
{
	json_free();
}

struct json_object *json_document(void)
{
	return json.document;
}

void json_error(const char *message, const char *advice)
{
	if (!json.wanted || json.error)
		return;
	json.error = need(json_object_new_object());
	json_add_text(json.error, "message", message);
	json_add_text(json.error, "advice", advice);
}

/* JSON is UTF-8; a name in a file system may be anything. */
static struct json_object *json_text(const char *text)
{
	size_t n, size = 0;
	struct json_object *value;
	char *clean;
	u32 c;

	if (!text)
		return NULL;
	clean = need(malloc(3 * strlen(text) + 1));
	for (; *text; text += n ? n : 1) {
		n = utf8_char(text, &c);
		memcpy(clean + size, n ? text : "\xef\xbf\xbd", n ? n : 3);
		size += n ? n : 3;
	}
	value = need(json_object_new_string_len(clean, size));
	free(clean);
	return value;
}

void json_warning(const char *message)
{
	if (json.wanted)
		json_object_array_add(json.warnings, json_text(message));
}

void json_lines(void)
{
	json.lines = true;
}

void json_line(struct json_object *object)
{
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void json_end(int code)
{
	if (!json.wanted)
		return;
	json_add(json.document, "exit_code", need(json_object_new_int(code)));
	json_add(json.document, "error", json_object_get(json.error));
	json_add(json.document, "warnings", json_object_get(json.warnings));
	if (json.lines)
		json_line(json_object_get(json.document));
	else
		printf("%s\n", json_object_to_json_string_ext(json.document, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_free();
}

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add(need(object), name, value);
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	json_add(object, name, json_text(text));
}

void json_array_add_text(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_text(text));
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
