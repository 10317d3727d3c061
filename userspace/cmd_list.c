// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "status.h"

static int add_row(struct status *status, void *context)
{
	struct libscols_line *line = table_line(context);
	double percent = status_used_percent(status);
	char text[TEXT_SIZE];

	table_set(line, 0, status->name);
	table_set(line, 1, status->source.device);
	table_set(line, 2, text_size(status->sectors * 512, text));
	snprintf(text, sizeof(text), "%.1f%%", percent);
	table_set(line, 3, percent < 0 ? "" : text);
	table_set(line, 4, status_mode(status));
	table_set(line, 5, status->text[STATUS_HEALTH]);
	table_set(line, 6, status->label);
	return 0;
}

static int add_json(struct status *status, void *context)
{
	struct json_object *out = json_object_new_object();

	json_add_text(out, "name", status->name);
	status_json(status, out);
	json_object_array_add(context, out);
	return 0;
}

int cmd_list(const struct options *opt)
{
	static const char * const names[] = {
		"-NAME", "-DEVICE", ">SIZE", ">USED", "MODE", "HEALTH", "-LABEL",
	};
	struct libscols_table *table;
	struct json_object *devices;
	int r;

	if (opt->json) {
		devices = json_object_new_array();
		json_add(json_document(), "devices", devices);
		return status_each(opt, add_json, devices);
	}
	table = table_new(names, sizeof(names) / sizeof(names[0]));
	r = status_each(opt, add_row, table);
	table_print(table);
	return r;
}
