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
};

/* The fields of the status line, in order. */
static const struct status_field {
	const char *name;	/* in JSON */
	const char *words;
	enum unit unit;
} fields[] = {
	{ "mode", "mode", UNIT_TEXT },
	{ "letters", "letters of slots 0-2", UNIT_TEXT },
	{ "generation", "generation", UNIT_NUMBER },
	{ "health", "health", UNIT_TEXT },
	{ "log_records", "records in the log", UNIT_NUMBER },
	{ "log_blocks", "log", UNIT_BLOCKS },
	{ "used_blocks", "used", UNIT_BLOCKS },
	{ "usable_blocks", "usable", UNIT_BLOCKS },
	{ "commits", "commits", UNIT_NUMBER },
	{ "records", "records written", UNIT_NUMBER },
	{ "user_bytes_written", "written by users", UNIT_BYTES },
	{ "device_bytes_written", "written to the disk", UNIT_BYTES },
	{ "bytes_read", "read", UNIT_BYTES },
	{ "checksum_errors", "checksum errors", UNIT_NUMBER },
	{ "device_flushes", "flushes of the disk", UNIT_NUMBER },
	{ "cached_nodes", "map nodes cached", UNIT_NUMBER },
	{ "memory_kib", "memory", UNIT_KIB },
};

#define NR_FIELDS	(sizeof(fields) / sizeof(fields[0]))

struct status {
	const char *text[NR_FIELDS];
	u64 number[NR_FIELDS];
	unsigned int nr;
};

/* Fields are added at the end: more of them than we know is fine. */
static bool parse(char *line, struct status *status)
{
	char *rest = NULL, *word, *end;

	memset(status, 0, sizeof(*status));
	for (word = strtok_r(line, " ", &rest); word && status->nr < NR_FIELDS;
	     word = strtok_r(NULL, " ", &rest)) {
		status->text[status->nr] = word;
		if (fields[status->nr].unit != UNIT_TEXT) {
			status->number[status->nr] = strtoull(word, &end, 10);
			if (*end)
				return false;
		}
		status->nr++;
	}
	return status->nr >= 4;
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
		snprintf(text, sizeof(text), "%s", status->text[i]);
	}
	printf("  %-22s %s\n", fields[i].words, text);
}

static void print_status(const char *name, const struct status *status, bool suspended,
			 u64 sectors)
{
	char text[TEXT_SIZE];
	unsigned int i;

	printf("/dev/mapper/%s: %s%s\n", name, text_size(sectors * 512, text),
	       suspended ? ", suspended" : "");
	for (i = 0; i < status->nr; i++)
		print_field(status, i);
}

static void print_json(const char *name, const struct status *status, bool suspended,
		       u64 sectors)
{
	struct json_object *out = json_object_new_object();
	unsigned int i;

	json_add_text(out, "name", name);
	json_add_number(out, "sectors", sectors);
	json_add_bool(out, "suspended", suspended);
	for (i = 0; i < status->nr; i++) {
		if (fields[i].unit == UNIT_TEXT)
			json_add_text(out, fields[i].name, status->text[i]);
		else
			json_add_number(out, fields[i].name, status->number[i]);
	}
	json_print(out);
}

static int judge(const char *name, const struct status *status)
{
	if (!strcmp(status->text[0], "fail"))
		return tool_fail(TOOL_DAMAGED,
				 "What was flushed is safe.  See dmesg, close it, then: "
				 "triadsetup check DEVICE",
				 "%s: it has failed", name);
	return strcmp(status->text[3], "ok") ? TOOL_DEGRADED : TOOL_OK;
}

int cmd_status(const struct options *opt)
{
	const char *name = opt->args[0];
	struct status status;
	bool suspended;
	u64 sectors;
	char *line;
	int r;

	r = dm_status(name, &line, &suspended, &sectors);
	if (r)
		return r;
	if (!parse(line, &status)) {
		free(line);
		return tool_fail(TOOL_USAGE,
				 "Nothing was changed.  Use a triadsetup as new as the module; "
				 "dmsetup status shows the line.",
				 "%s: its status line is not known to this version", name);
	}
	if (opt->json)
		print_json(name, &status, suspended, sectors);
	else
		print_status(name, &status, suspended, sectors);
	r = judge(name, &status);
	free(line);
	return r;
}
