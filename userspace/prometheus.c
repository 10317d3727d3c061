// SPDX-License-Identifier: GPL-2.0-or-later
#include "prometheus.h"

#include <inttypes.h>
#include <stdio.h>

#include "status.h"

/* Numbers of the status line; a time series of each. */
static const struct metric {
	const char *name, *type, *help;
	enum status_field field;
	u64 unit;	/* in bytes, or 1 */
} metrics[] = {
	{ "used_bytes", "gauge", "Space that is in use.", STATUS_USED, TRIAD_BLOCK_SIZE },
	{ "usable_bytes", "gauge", "Space that can be used in all.", STATUS_USABLE,
	  TRIAD_BLOCK_SIZE },
	{ "log_bytes", "gauge", "Length of the log: what a restart reads.", STATUS_LOG_BLOCKS,
	  TRIAD_BLOCK_SIZE },
	{ "log_records", "gauge", "Records in the log.", STATUS_LOG_RECORDS, 1 },
	{ "generation", "gauge", "Number of the current root.", STATUS_GENERATION, 1 },
	{ "memory_bytes", "gauge", "Memory of the driver for this device.", STATUS_MEMORY_KIB,
	  1024 },
	{ "cached_nodes", "gauge", "Map nodes in memory.", STATUS_CACHED_NODES, 1 },
	{ "commits_total", "counter", "Commits.", STATUS_COMMITS, 1 },
	{ "records_total", "counter", "Records written to the log.", STATUS_RECORDS, 1 },
	{ "written_bytes_total", "counter", "Bytes written by users.", STATUS_USER_WRITTEN, 1 },
	{ "disk_written_bytes_total", "counter", "Bytes written to the disk.",
	  STATUS_DEVICE_WRITTEN, 1 },
	{ "read_bytes_total", "counter", "Bytes read by users.", STATUS_READ, 1 },
	{ "disk_flushes_total", "counter", "Flushes sent to the disk.", STATUS_FLUSHES, 1 },
	{ "next_record", "gauge", "Number of the log's next record.", STATUS_NEXT_RECORD, 1 },
	{ "durable_record", "gauge", "Highest record that is durable.", STATUS_DURABLE_RECORD, 1 },
	{ "kept_record", "gauge", "Lowest record that can still be read.", STATUS_KEPT_RECORD, 1 },
	{ "kept_bytes", "gauge", "Space of the log that is kept for a follower only.",
	  STATUS_KEPT_BLOCKS, TRIAD_BLOCK_SIZE },
	{ "replicated_record", "gauge", "Highest record that synchronous replicas have.",
	  STATUS_REPLICATED_RECORD, 1 },
	{ "checksum_errors_total", "counter", "Blocks that did not match their checksum.",
	  STATUS_CHECKSUM_ERRORS, 1 },
};

static const char * const modes[] = { "rw", "hold", "ro", "fail", "suspended" };
static const char * const healths[] = { "ok", "degraded", "rotten", "failed" };

/* A path can hold anything; the format is UTF-8, in lines. */
static void print_value(const char *value)
{
	size_t n;

	for (; *value; value += n ? n : 1) {
		n = text_printable(value);
		if (*value == '"' || *value == '\\')
			putchar('\\');
		if (n)
			fwrite(value, 1, n, stdout);
		else
			putchar('?');
	}
}

static void print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	print_value(value);
	putchar('"');
}

static void print_family(const char *name, const char *type, const char *help)
{
	printf("# HELP dm_triad_%s %s\n# TYPE dm_triad_%s %s\n", name, help, name, type);
}

static void print_series(const char *name, const struct status *status)
{
	printf("dm_triad_%s{", name);
	print_label("name", status->name);
}

static void print_info(const struct status_list *devices)
{
	size_t i;

	print_family("info", "gauge", "What a device is; the value is always 1.");
	for (i = 0; i < devices->nr; i++) {
		const struct status *status = &devices->one[i];
		const char *version = status->text[STATUS_VERSION];

		print_series("info", status);
		putchar(',');
		print_label("device", status->source.device);
		putchar(',');
		print_label("uuid", status->uuid);
		putchar(',');
		print_label("label", status->label);
		putchar(',');
		print_label("version", version ? version : "");
		printf("} 1\n");
	}
	print_family("size_bytes", "gauge", "Size of the mapped device.");
	for (i = 0; i < devices->nr; i++) {
		print_series("size_bytes", &devices->one[i]);
		printf("} %" PRIu64 "\n", devices->one[i].sectors * 512);
	}
}

/* One series for each word that it can be: 1 for the one it is. */
static void print_states(const struct status_list *devices, const char *name, const char *help,
			 enum status_field field, const char *const *words, size_t nr_words)
{
	size_t i, word;

	print_family(name, "gauge", help);
	for (i = 0; i < devices->nr; i++)
		for (word = 0; word < nr_words; word++) {
			print_series(name, &devices->one[i]);
			putchar(',');
			print_label(name, words[word]);
			printf("} %d\n", status_is(&devices->one[i], field, words[word]));
		}
}

static void print_metric(const struct status_list *devices, const struct metric *m)
{
	size_t i;

	print_family(m->name, m->type, m->help);
	for (i = 0; i < devices->nr; i++) {
		/* of an older module */
		if (devices->one[i].nr <= (unsigned int)m->field)
			continue;
		print_series(m->name, &devices->one[i]);
		printf("} %" PRIu64 "\n", devices->one[i].number[m->field] * m->unit);
	}
}

/* 0, 6 or 7, as the exit code of status: what to raise an alarm on. */
static void print_worth(const struct status_list *devices)
{
	size_t i;

	print_family("worth", "gauge", "Exit code of triadsetup status: 0 well, 6 degraded or "
		     "rotten, 7 failed.");
	for (i = 0; i < devices->nr; i++) {
		print_series("worth", &devices->one[i]);
		printf("} %d\n", status_worth(&devices->one[i]));
	}
}

int prometheus_print(const struct options *opt)
{
	struct status_list devices;
	size_t i;
	int r = status_all(opt, &devices);

	if (!r) {
		print_info(&devices);
		print_worth(&devices);
		print_states(&devices, "mode", "Mode of the device: 1 for the one it is in.",
			     STATUS_MODE, modes, sizeof(modes) / sizeof(modes[0]));
		print_states(&devices, "health", "Health of the device: 1 for the one it has.",
			     STATUS_HEALTH, healths, sizeof(healths) / sizeof(healths[0]));
		for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
			print_metric(&devices, &metrics[i]);
	}
	status_all_free(&devices);
	return r;
}
