// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>

#include "dm.h"
#include "report.h"

enum unit {
	UNIT_TEXT,
	UNIT_NUMBER,
	UNIT_BLOCKS,
	UNIT_BYTES,
	UNIT_KIB,
	UNIT_ERROR,
};

enum {
	MODE = 0,
	HEALTH = 3,
	CHECKSUM_ERRORS = 13,
	REASON = 17,
	ERROR = 18,
	VERSION = 19,
};

/* The fields of the status line, in order. */
static const struct status_field {
	const char *name;	/* in JSON */
	const char *words;
	enum unit unit;
} fields[] = {
	[MODE] = { "mode", "mode", UNIT_TEXT },
	{ "letters", "letters of slots 0-2", UNIT_TEXT },
	{ "generation", "generation", UNIT_NUMBER },
	[HEALTH] = { "health", "health", UNIT_TEXT },
	{ "log_records", "records in the log", UNIT_NUMBER },
	{ "log_blocks", "log", UNIT_BLOCKS },
	{ "used_blocks", "used", UNIT_BLOCKS },
	{ "usable_blocks", "usable", UNIT_BLOCKS },
	{ "commits", "commits", UNIT_NUMBER },
	{ "records", "records written", UNIT_NUMBER },
	{ "user_bytes_written", "written by users", UNIT_BYTES },
	{ "device_bytes_written", "written to the disk", UNIT_BYTES },
	{ "bytes_read", "read", UNIT_BYTES },
	[CHECKSUM_ERRORS] = { "checksum_errors", "checksum errors", UNIT_NUMBER },
	{ "device_flushes", "flushes of the disk", UNIT_NUMBER },
	{ "cached_nodes", "map nodes cached", UNIT_NUMBER },
	{ "memory_kib", "memory", UNIT_KIB },
	[REASON] = { "reason", "reason", UNIT_TEXT },
	[ERROR] = { "error_number", NULL, UNIT_ERROR },
	[VERSION] = { "version", "version of the module", UNIT_TEXT },
};

#define NR_FIELDS	(sizeof(fields) / sizeof(fields[0]))

struct status {
	const char *name;
	const char *text[NR_FIELDS];
	u64 number[NR_FIELDS];
	int error;		/* why it is in a mode that nobody asked for, or 0 */
	unsigned int nr;
	bool suspended;
	u64 sectors;
	char device[512];
};

static bool is(const struct status *status, unsigned int field, const char *word)
{
	return status->text[field] && !strcmp(status->text[field], word);
}

/*
 * Fields are added at the end: more of them than we know is fine, and so are less,
 * from an older module.
 */
static bool parse(char *line, struct status *status)
{
	char *rest = NULL, *word, *end;
	unsigned int i;

	for (word = strtok_r(line, " ", &rest); word && status->nr < NR_FIELDS;
	     word = strtok_r(NULL, " ", &rest)) {
		i = status->nr++;
		status->text[i] = word;
		if (i == REASON)
			for (end = word; *end; end++)
				*end = *end == '_' ? ' ' : *end;
		if (fields[i].unit == UNIT_TEXT)
			continue;
		if (fields[i].unit == UNIT_ERROR)
			status->error = strtol(word, &end, 10);
		else
			status->number[i] = strtoull(word, &end, 10);
		if (*end)
			return false;
	}
	/* the target has nothing open then, and calls that fail; it is no failure */
	if (status->suspended && !status->error && is(status, MODE, "fail"))
		status->text[MODE] = "suspended";
	return status->nr >= 4;
}

const char *status_reason(const char *line, char *text)
{
	struct status status = { 0 };
	char *copy = strdup(line);

	snprintf(text, TEXT_SIZE, "%s", copy && parse(copy, &status) && status.text[REASON] ?
		 status.text[REASON] : "its module does not tell why");
	free(copy);
	return text;
}

int dm_build_of(const char *name, char *version, size_t size)
{
	struct status status = { 0 };
	char *line;
	int r = dm_status(name, &line, &status.suspended, &status.sectors);

	*version = 0;
	if (r)
		return r;
	if (parse(line, &status) && status.text[VERSION])
		snprintf(version, size, "%s", status.text[VERSION]);
	free(line);
	return 0;
}

static const char *explain_health(const char *health)
{
	return !strcmp(health, "degraded") ? ": one root is bad" :
	       !strcmp(health, "rotten") ? ": blocks did not match their checksums" : "";
}

static void print_field(const struct status *status, unsigned int i)
{
	char text[TEXT_SIZE];

	switch (fields[i].unit) {
	case UNIT_BLOCKS:
		text_size(status->number[i] << TRIAD_BLOCK_SHIFT, text);
		break;
	case UNIT_BYTES:
		text_size(status->number[i], text);
		break;
	case UNIT_KIB:
		text_size(status->number[i] << 10, text);
		break;
	default:
		snprintf(text, sizeof(text), "%s%s", status->text[i],
			 i == HEALTH ? explain_health(status->text[i]) : "");
	}
	printf("  %-22s %s\n", fields[i].words, text);
}

static void print_status(const struct status *status)
{
	char text[TEXT_SIZE];
	unsigned int i;

	printf("/dev/mapper/%s: %s%s\n", status->name, text_size(status->sectors * 512, text),
	       status->suspended ? ", suspended" : "");
	if (status->device[0])
		printf("  %-22s %s\n", "device", status->device);
	for (i = 0; i < status->nr; i++) {
		if (!fields[i].words || i == REASON)
			continue;
		print_field(status, i);
		/* beside what it explains */
		if (i == HEALTH && !is(status, MODE, "rw") && status->text[REASON])
			print_field(status, REASON);
	}
}

static void fill_json(const struct status *status)
{
	struct json_object *out = json_document();
	unsigned int i;

	json_add_text(out, "device", status->device[0] ? status->device : NULL);
	json_add_number(out, "sectors", status->sectors);
	json_add_bool(out, "suspended", status->suspended);
	for (i = 0; i < status->nr; i++) {
		if (fields[i].unit == UNIT_ERROR)
			json_add(out, fields[i].name, json_object_new_int(status->error));
		else if (i == REASON && is(status, REASON, "-"))
			json_add_text(out, fields[i].name, NULL);
		else if (fields[i].unit == UNIT_TEXT)
			json_add_text(out, fields[i].name, status->text[i]);
		else
			json_add_number(out, fields[i].name, status->number[i]);
	}
}

static int judge(const struct status *status)
{
	const char *reason = status->text[REASON] ? status->text[REASON] : "dmesg tells why";
	char *advice = NULL, because[TEXT_SIZE] = "";
	bool failed = is(status, MODE, "fail");
	size_t size;
	FILE *f;
	int r;

	if (!failed && !status->error)
		return is(status, HEALTH, "ok") && !status->number[CHECKSUM_ERRORS] ? TOOL_OK :
		       TOOL_DEGRADED;
	f = open_memstream(&advice, &size);
	if (f) {
		fprintf(f, "%s  See dmesg, close it, then: triadsetup check ",
			failed ? "Nothing can be read or written." : "Reads go on.");
		put_quoted(f, status->device[0] ? status->device : "DEVICE");
		fclose(f);
	}
	if (status->error)
		snprintf(because, sizeof(because), " (%s)", strerror(-status->error));
	r = tool_fail(TOOL_DAMAGED, advice, "%s: it %s: %s%s", status->name, failed ?
		      "has failed" : "is read-only, and nobody asked for that", reason, because);
	free(advice);
	return r;
}

int cmd_status(const struct options *opt)
{
	struct status status = { .name = opt->args[0] };
	struct dm_source source;
	char *line;
	int r;

	if (opt->json)
		json_add_text(json_document(), "name", status.name);
	r = dm_status(status.name, &line, &status.suspended, &status.sectors);
	if (r)
		return r;
	dm_source(status.name, &source);
	explicit_bzero(source.key, sizeof(source.key));
	snprintf(status.device, sizeof(status.device), "%s", source.device);
	if (!parse(line, &status)) {
		free(line);
		return tool_fail(TOOL_SYSTEM,
				 "Nothing was changed.  Use a triadsetup as new as the module; "
				 "dmsetup status shows the line.",
				 "%s: its status line is not known to this version", status.name);
	}
	if (opt->json)
		fill_json(&status);
	else
		print_status(&status);
	r = judge(&status);
	free(line);
	return r;
}
