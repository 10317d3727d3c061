// SPDX-License-Identifier: GPL-2.0-or-later
#include "status.h"

#include <stdio.h>

#include "live.h"
#include "prometheus.h"

static const char *explain_health(const char *health)
{
	return !strcmp(health, "degraded") ? ": one root is bad" :
	       !strcmp(health, "rotten") ? ": blocks did not match their checksums" : "";
}

static void print_text(const char *words, const char *text)
{
	if (text && *text)
		printf("  %-22s %s\n", words, text);
}

static void print_number(const struct status *status, enum status_field field, const char *words)
{
	char text[TEXT_SIZE];

	if (field < status->nr)
		print_text(words, text_number(status->number[field], text));
}

static void print_size(const struct status *status, enum status_field field, const char *words,
		       unsigned int shift)
{
	char text[TEXT_SIZE];

	if (field < status->nr)
		print_text(words, text_size(status->number[field] << shift, text));
}

static void print_used(const struct status *status)
{
	double percent = status_used_percent(status);
	char used[TEXT_SIZE], usable[TEXT_SIZE];

	if (percent < 0)
		return;
	text_size(status_used_blocks(status) << TRIAD_BLOCK_SHIFT, used);
	text_size(status->number[STATUS_USABLE] << TRIAD_BLOCK_SHIFT, usable);
	printf("  %-22s %s of %s, %.1f %%\n", "used", used, usable, percent);
}

/* Nobody is told of it unless somebody follows the log. */
static void print_kept(const struct status *status)
{
	const char *keep = status->nr > STATUS_KEEP ? status->text[STATUS_KEEP] : "-";
	char text[TEXT_SIZE];

	if (!strcmp(keep, "given_up"))
		print_text("log kept", "given up, for want of room");
	else if (strcmp(keep, "-"))
		printf("  %-22s from record %s, %s\n", "log kept", keep,
		       text_size(status->number[STATUS_KEPT_BLOCKS] << TRIAD_BLOCK_SHIFT, text));
}

static void print_sync(const struct status *status)
{
	const char *now = status->text[STATUS_SYNCHRONOUS];

	if (!now || !strcmp(now, "-"))
		return;
	printf("  %-22s %s; policy %s, replicas have record %" PRIu64 "\n", "synchronous",
	       !strcmp(now, "lags") ? "no: flushes do not wait for replicas now" :
	       !strcmp(now, "waits") ? "yes: FLUSHES WAIT, no replica answers" : "yes",
	       status->text[STATUS_SYNC], status->number[STATUS_REPLICATED_RECORD]);
}

/* Of slots 0, 1 and 2. */
static void print_roots(const struct status *status)
{
	const char *letters = status->text[STATUS_LETTERS];
	char text[TEXT_SIZE] = "";
	size_t n = 0;

	for (; letters && *letters && n + 16 < sizeof(text); letters++)
		n += snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "",
			      *letters == 'a' ? "written next" : *letters == 'b' ? "backup" :
			      *letters == 'c' ? "current" : "-");
	print_text("roots, slot 0 to 2", text);
}

static void print_generation(const struct status *status)
{
	if (STATUS_GENERATION < status->nr)
		printf("  %-22s %" PRIu64 ", each commit makes the next\n", "generation",
		       status->number[STATUS_GENERATION]);
}

/* What an opening would read. */
static void print_log(const struct status *status)
{
	u64 nr = status->number[STATUS_LOG_RECORDS];
	char text[TEXT_SIZE];

	text_size(status->number[STATUS_LOG_BLOCKS] << TRIAD_BLOCK_SHIFT, text);
	printf("  %-22s %s of it, %" PRIu64 " record%s to be applied by a commit\n", "log", text, nr, PLURAL(nr));
}

static void print_memory(const struct status *status)
{
	u64 nr = status->number[STATUS_CACHED_NODES];
	char text[TEXT_SIZE];

	if (STATUS_MEMORY_KIB < status->nr)
		printf("  %-22s %s, with %" PRIu64 " node%s of the map\n", "memory",
		       text_size(status->number[STATUS_MEMORY_KIB] << 10, text), nr, PLURAL(nr));
}

static void print_status(const struct status *status)
{
	const char *reason = status->text[STATUS_REASON];
	char text[2048];

	printf("/dev/mapper/%s: %s%s\n", status->name, text_size(status->sectors * 512, text),
	       status->suspended ? ", suspended" : "");
	print_text("device", status->source.device);
	print_text("UUID", status->uuid);
	print_text("label", status->label);
	print_text("options", status_options(status, text, sizeof(text)));
	print_text("mode", status_mode(status));
	print_roots(status);
	print_generation(status);
	printf("  %-22s %s%s\n", "health", status->text[STATUS_HEALTH],
	       explain_health(status->text[STATUS_HEALTH]));
	if (!status_is(status, STATUS_MODE, "rw"))
		print_text("reason", reason);
	print_used(status);
	print_log(status);
	print_kept(status);
	print_sync(status);
	print_memory(status);
	print_text("version of the module", status->text[STATUS_VERSION]);
	puts("since it was opened");
	print_number(status, STATUS_COMMITS, "commits");
	print_number(status, STATUS_RECORDS, "records written");
	print_size(status, STATUS_USER_WRITTEN, "written by users", 0);
	print_size(status, STATUS_DEVICE_WRITTEN, "written to the disk", 0);
	print_size(status, STATUS_READ, "read", 0);
	print_number(status, STATUS_FLUSHES, "flushes of the disk");
	print_number(status, STATUS_CHECKSUM_ERRORS, "checksum errors");
}

static int judge(const struct status *status)
{
	const char *reason = status->text[STATUS_REASON] ? status->text[STATUS_REASON] :
			     "dmesg tells why";
	char *advice = NULL, because[TEXT_SIZE] = "";
	bool failed = status_is(status, STATUS_MODE, "fail");
	size_t size;
	FILE *f;
	int r = status_worth(status);

	if (r != TOOL_DAMAGED)
		return r;
	f = open_memstream(&advice, &size);
	if (f) {
		fprintf(f, "%s  See dmesg, close it, then: triadsetup check ",
			failed ? "Nothing can be read or written." : "Reads go on.");
		put_quoted(f, status->source.device[0] ? status->source.device : "DEVICE");
		fclose(f);
	}
	if (status->error)
		snprintf(because, sizeof(because), " (%s)", strerror(-status->error));
	r = tool_fail(TOOL_DAMAGED, advice, "%s: it %s: %s%s", status->name, failed ?
		      "has failed" : "is read-only, and nobody asked for that", reason, because);
	free(advice);
	return r;
}

struct all {
	struct json_object *devices;	/* NULL: no JSON, or it is of one */
	unsigned int nr;
	int worst;
};

static int show(struct status *status, void *context)
{
	struct all *all = context;
	struct json_object *out = json_document();
	int r;

	if (all->devices) {
		out = json_object_new_object();
		json_add_text(out, "name", status->name);
		json_object_array_add(all->devices, out);
	}
	if (out)
		status_json(status, out);
	else
		print_status(status);
	all->nr++;
	r = judge(status);
	if (r > all->worst)
		all->worst = r;
	if (all->devices)
		json_add(out, "exit_code", json_object_new_int(r));
	return 0;
}

int cmd_status(const struct options *opt)
{
	struct all all = { 0 };
	int r;

	if (opt->prometheus)
		return opt->json || opt->watch ?
		       tool_fail(TOOL_USAGE, "Nothing was changed.  Take one of them.",
				 "status: --prometheus is a form of its own, without --json and "
				 "--watch") : prometheus_print(opt);
	if (opt->watch)
		return live_watch(opt);
	if (opt->count)
		return tool_fail(TOOL_USAGE, "Nothing was changed.",
				 "status: --count belongs to --watch");
	if (opt->json && opt->nr_args == 1) {
		json_add_text(json_document(), "name", opt->args[0]);
	} else if (opt->json) {
		all.devices = json_object_new_array();
		json_add(json_document(), "devices", all.devices);
	}
	r = status_each(opt, show, &all);
	if (!r && !all.nr && !opt->json)
		printf("No dm-triad device is open.\n");
	return r ? r : all.worst;
}
