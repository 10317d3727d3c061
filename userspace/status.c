// SPDX-License-Identifier: GPL-2.0-or-later
#include "status.h"

#include <stdio.h>
#include <stdlib.h>

#include "params.h"

enum unit {
	UNIT_TEXT,
	UNIT_NUMBER,
	UNIT_ERROR,
};

static const struct status_format {
	const char *name;	/* in JSON */
	enum unit unit;
} fields[STATUS_NR] = {
	[STATUS_MODE] = { "mode", UNIT_TEXT },
	[STATUS_LETTERS] = { "letters", UNIT_TEXT },
	[STATUS_GENERATION] = { "generation", UNIT_NUMBER },
	[STATUS_HEALTH] = { "health", UNIT_TEXT },
	[STATUS_LOG_RECORDS] = { "log_records", UNIT_NUMBER },
	[STATUS_LOG_BLOCKS] = { "log_blocks", UNIT_NUMBER },
	[STATUS_USED] = { "used_blocks", UNIT_NUMBER },
	[STATUS_USABLE] = { "usable_blocks", UNIT_NUMBER },
	[STATUS_COMMITS] = { "commits", UNIT_NUMBER },
	[STATUS_RECORDS] = { "records", UNIT_NUMBER },
	[STATUS_USER_WRITTEN] = { "user_bytes_written", UNIT_NUMBER },
	[STATUS_DEVICE_WRITTEN] = { "device_bytes_written", UNIT_NUMBER },
	[STATUS_READ] = { "bytes_read", UNIT_NUMBER },
	[STATUS_CHECKSUM_ERRORS] = { "checksum_errors", UNIT_NUMBER },
	[STATUS_FLUSHES] = { "device_flushes", UNIT_NUMBER },
	[STATUS_CACHED_NODES] = { "cached_nodes", UNIT_NUMBER },
	[STATUS_MEMORY_KIB] = { "memory_kib", UNIT_NUMBER },
	[STATUS_REASON] = { "reason", UNIT_TEXT },
	[STATUS_ERROR] = { "error_number", UNIT_ERROR },
	[STATUS_VERSION] = { "version", UNIT_TEXT },
	/* these two are told beside the device */
	[STATUS_UUID] = { NULL, UNIT_TEXT },
	[STATUS_LABEL] = { NULL, UNIT_TEXT },
	[STATUS_NEXT_RECORD] = { "next_record", UNIT_NUMBER },
	[STATUS_DURABLE_RECORD] = { "durable_record", UNIT_NUMBER },
	[STATUS_KEPT_RECORD] = { "kept_record", UNIT_NUMBER },
	[STATUS_KEPT_BLOCKS] = { "kept_blocks", UNIT_NUMBER },
	[STATUS_KEEP] = { "keep", UNIT_TEXT },
	[STATUS_SYNC] = { "sync", UNIT_TEXT },
	[STATUS_SYNCHRONOUS] = { "synchronous", UNIT_TEXT },
	[STATUS_REPLICATED_RECORD] = { "replicated_record", UNIT_NUMBER },
};

/* ---- the line ------------------------------------------------------------------ */

bool status_is(const struct status *status, enum status_field field, const char *word)
{
	return status->text[field] && !strcmp(status->text[field], word);
}

/*
 * Fields are added at the end: more of them than we know is fine, and so are less,
 * from an older module.
 */
static bool parse(struct status *status)
{
	char *rest = NULL, *word, *end;
	unsigned int i;

	for (word = strtok_r(status->line, " ", &rest); word && status->nr < STATUS_NR;
	     word = strtok_r(NULL, " ", &rest)) {
		i = status->nr++;
		status->text[i] = word;
		if (i == STATUS_REASON)
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
	if (status->suspended && !status->error && status_is(status, STATUS_MODE, "fail"))
		status->text[STATUS_MODE] = "suspended";
	return status->nr >= 4;
}

const char *status_mode(const struct status *status)
{
	return status->text[STATUS_MODE];
}

const char *status_reason(const char *line, char *text)
{
	struct status status = { .line = strdup(line) };

	snprintf(text, TEXT_SIZE, "%s", status.line && parse(&status) && status.text[STATUS_REASON] ?
		 status.text[STATUS_REASON] : "its module does not tell why");
	status_free(&status);
	return text;
}

int status_read(const char *name, struct status *status)
{
	int r;

	memset(status, 0, sizeof(*status));
	r = dm_status(name, &status->line, &status->suspended, &status->sectors);
	if (!r && !parse(status))
		memset(status->text, 0, sizeof(status->text));
	return r;
}

bool status_find(const char *name, struct status *status)
{
	memset(status, 0, sizeof(*status));
	if (!dm_find_status(name, &status->line, &status->suspended))
		return false;
	if (!parse(status))
		memset(status->text, 0, sizeof(status->text));
	return true;
}

int dm_build_of(const char *name, char *version, size_t size)
{
	struct status status;
	int r = status_read(name, &status);

	snprintf(version, size, "%s", status.text[STATUS_VERSION] ?: "");
	status_free(&status);
	return r;
}

/* A label is one word of the line: other bytes than letters, digits and such are \xHH. */
static void take_label(struct status *status)
{
	u8 raw[TEXT_SIZE - 1];
	const char *c = status->text[STATUS_LABEL];
	unsigned int byte;
	size_t nr = 0;

	status->label_known = c != NULL;
	if (!c || !strcmp(c, "-"))
		return;
	for (; *c && nr < sizeof(raw); nr++) {
		if (sscanf(c, "\\x%2x", &byte) == 1) {
			raw[nr] = byte;
			c += strnlen(c, 4);
		} else {
			raw[nr] = *c++;
		}
	}
	text_label(raw, nr, status->label);
}

/* As the module says, or an older one's mapping, which open has named. */
static void take_uuid(struct status *status)
{
	const char *c = status->text[STATUS_UUID];
	size_t prefix = strlen(DM_UUID_PREFIX);

	if (c && strlen(c) == 36)
		snprintf(status->uuid, sizeof(status->uuid), "%s", c);
	else if (!c && !strncmp(status->source.uuid, DM_UUID_PREFIX, prefix) &&
		 strlen(status->source.uuid) > prefix + 36)
		snprintf(status->uuid, sizeof(status->uuid), "%.36s", status->source.uuid + prefix);
}

#define LOOKS	3

/* The line, and the number of events that have brought it about. */
static int read_line(struct status *status)
{
	unsigned int nr = 0;
	u32 after;
	int r;

	do {
		free(status->line);
		status->line = NULL;
		dm_exists(status->name, &status->event_nr);
		r = dm_status(status->name, &status->line, &status->suspended, &status->sectors);
		if (r)
			return r;
		dm_exists(status->name, &after);
	} while (after != status->event_nr && ++nr < LOOKS);
	return 0;
}

int status_get(const char *name, struct status *status)
{
	int r;

	memset(status, 0, sizeof(*status));
	snprintf(status->name, sizeof(status->name), "%s", name);
	r = read_line(status);
	if (r)
		return r;
	dm_source(name, &status->source);
	status->source.keyed = status->source.key[0];
	explicit_bzero(status->source.key, sizeof(status->source.key));
	if (!parse(status))
		return tool_fail(TOOL_SYSTEM,
				 "Nothing was changed.  Use a triadsetup as new as the module; "
				 "dmsetup status shows the line.",
				 "%s: its status line is not known to this version", name);
	take_uuid(status);
	take_label(status);
	return 0;
}

void status_free(struct status *status)
{
	free(status->line);
	status->line = NULL;
}

/* ---- each of them --------------------------------------------------------------- */

struct names {
	char **name;
	size_t nr;
};

static int note_name(const char *name, void *context)
{
	struct names *names = context;
	char **more = realloc(names->name, (names->nr + 1) * sizeof(*more));

	if (more)
		names->name = more;
	if (!more || !(more[names->nr] = strdup(name)))
		return tool_fail(TOOL_MEMORY, NULL, "out of memory");
	names->nr++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int status_each(const struct options *opt, int (*fn)(struct status *status, void *context),
		void *context)
{
	struct names names = { 0 };
	struct status status;
	u32 event_nr;
	bool gone;
	size_t i;
	int r = 0;

	for (i = 0; i < (size_t)opt->nr_args && !r; i++)
		r = note_name(opt->args[i], &names);
	if (!opt->nr_args) {
		r = dm_each_device(note_name, &names);
		if (names.nr)
			qsort(names.name, names.nr, sizeof(*names.name), by_name);
	}
	for (i = 0; i < names.nr; i++) {
		/* one of all may be closed meanwhile */
		gone = !opt->nr_args && !dm_exists(names.name[i], &event_nr);
		if (!r && !gone) {
			r = status_get(names.name[i], &status);
			if (!r)
				r = fn(&status, context);
			status_free(&status);
		}
		free(names.name[i]);
	}
	free(names.name);
	return r;
}

static int keep(struct status *status, void *context)
{
	struct status_list *list = context;
	struct status *more = realloc(list->one, (list->nr + 1) * sizeof(*more));

	if (!more)
		return tool_fail(TOOL_MEMORY, NULL, "out of memory");
	list->one = more;
	more[list->nr++] = *status;
	status->line = NULL;	/* it is the list's now */
	return 0;
}

int status_all(const struct options *opt, struct status_list *list)
{
	memset(list, 0, sizeof(*list));
	return status_each(opt, keep, list);
}

void status_all_free(struct status_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		status_free(&list->one[i]);
	free(list->one);
	memset(list, 0, sizeof(*list));
}

/* ---- what it says ---------------------------------------------------------------- */

int status_worth(const struct status *status)
{
	if (status_is(status, STATUS_MODE, "fail") || status->error)
		return TOOL_DAMAGED;
	return status_is(status, STATUS_HEALTH, "ok") && !status->number[STATUS_CHECKSUM_ERRORS] &&
	       !status_is(status, STATUS_SYNCHRONOUS, "waits") ?
	       TOOL_OK : TOOL_DEGRADED;
}

u64 status_used_blocks(const struct status *status)
{
	return status->number[STATUS_USED] + status->number[STATUS_LOG_BLOCKS];
}

double status_used_percent(const struct status *status)
{
	u64 usable = status->number[STATUS_USABLE];

	return usable ? 100.0 * status_used_blocks(status) / usable : -1;
}

const char *status_options(const struct status *status, char *text, size_t size)
{
	const struct dm_source *source = &status->source;
	FILE *f = source->device[0] ? fmemopen(text, size, "w") : NULL;
	unsigned int i;

	text[0] = 0;
	if (!f)
		return text;
	for (i = 0; i < source->nr_roots; i++) {
		fprintf(f, " --root-device ");
		put_quoted(f, source->root[i]);
	}
	if (source->backup)
		fprintf(f, " --backup");
	else if (source->read_only)
		fprintf(f, " --read-only");
	if (source->interval_ms != TRIAD_DEFAULT_INTERVAL_MS)
		fprintf(f, " --interval-ms %u", source->interval_ms);
	if (source->cache_blocks != TRIAD_DEFAULT_CACHE_BLOCKS)
		fprintf(f, " --cache-blocks %u", source->cache_blocks);
	if (source->hold)
		fprintf(f, " --on-error hold");
	if (source->hold_ms)
		fprintf(f, " --hold-ms %u", source->hold_ms);
	if (source->sync != TRIAD_SYNC_OFF)
		fprintf(f, " --sync %s", triad_params_sync_name(source->sync));
	if (source->sync_ms != TRIAD_DEFAULT_SYNC_MS)
		fprintf(f, " --sync-ms %u", source->sync_ms);
	if (source->keep_max)
		fprintf(f, " --keep-max %u", source->keep_max);
	if (source->heartbeat_ms)
		fprintf(f, " --wait");
	if (source->keyed)
		fprintf(f, " --key-file ...");
	fclose(f);
	text[size - 1] = 0;
	return text[0] ? text + 1 : text;
}

static struct json_object *options_json(const struct dm_source *source)
{
	struct json_object *out = json_object_new_object(), *roots = json_object_new_array();
	unsigned int i;

	json_add_bool(out, "read_only", source->read_only);
	json_add_bool(out, "backup", source->backup);
	json_add_number(out, "interval_ms", source->interval_ms);
	json_add_number(out, "cache_blocks", source->cache_blocks);
	json_add_text(out, "on_error", source->hold ? "hold" : "fail");
	json_add_number(out, "hold_ms", source->hold_ms);
	json_add_number(out, "keep_max", source->keep_max);
	json_add_number(out, "heartbeat_ms", source->heartbeat_ms);
	json_add_text(out, "sync", triad_params_sync_name(source->sync));
	json_add_number(out, "sync_ms", source->sync_ms);
	json_add_bool(out, "keyed", source->keyed);
	for (i = 0; i < source->nr_roots; i++)
		json_array_add_text(roots, source->root[i]);
	json_add(out, "root_devices", roots);
	return out;
}

void status_json(const struct status *status, struct json_object *out)
{
	const struct dm_source *source = &status->source;
	unsigned int i;

	json_add_text(out, "device", source->device[0] ? source->device : NULL);
	json_add_text(out, "uuid", status->uuid[0] ? status->uuid : NULL);
	json_add_text(out, "label", status->label_known ? status->label : NULL);
	json_add(out, "options", source->device[0] ? options_json(source) : NULL);
	json_add_number(out, "sectors", status->sectors);
	json_add_bool(out, "suspended", status->suspended);
	for (i = 0; i < status->nr; i++) {
		if (!fields[i].name)
			continue;
		if (fields[i].unit == UNIT_ERROR)
			json_add(out, fields[i].name, json_object_new_int(status->error));
		else if ((i == STATUS_REASON || i == STATUS_KEEP || i == STATUS_SYNC ||
			  i == STATUS_SYNCHRONOUS) && status_is(status, i, "-"))
			json_add_text(out, fields[i].name, NULL);
		else if (fields[i].unit == UNIT_TEXT)
			json_add_text(out, fields[i].name, status->text[i]);
		else
			json_add_number(out, fields[i].name, status->number[i]);
	}
}
