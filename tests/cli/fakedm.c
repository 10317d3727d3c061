// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded: device-mapper with the mappings that the file $FAKE_DM lists, a line for each:
 *
 *	name <tab> uuid <tab> suspended <tab> event number <tab> sectors <tab> target <tab>
 *	table <tab> status
 *
 * What changes something is not done but noted in $FAKE_DM.log.
 */
#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_FIELDS	8
#define MAX_MAPPINGS	32

enum { NAME, UUID, SUSPENDED, EVENT_NR, SECTORS, TARGET, TABLE, STATUS };

struct dm_task {
	int type;
	char name[160], message[64], answer[64];
	char text[65536];
	char *mapping[MAX_MAPPINGS][NR_FIELDS];
	int nr;
	char **found;
	union {
		struct dm_names names;
		char room[8192];
	} list;
};

static void load(struct dm_task *task)
{
	FILE *f = fopen(getenv("FAKE_DM"), "r");
	char *line, *rest;
	size_t n;
	int i;

	n = f ? fread(task->text, 1, sizeof(task->text) - 1, f) : 0;
	task->text[n] = 0;
	if (f)
		fclose(f);
	rest = task->text;
	while ((line = strsep(&rest, "\n")) && *line && task->nr < MAX_MAPPINGS) {
		for (i = 0; i < NR_FIELDS; i++)
			task->mapping[task->nr][i] = strsep(&line, "\t");
		if (!strcmp(task->mapping[task->nr][NAME], task->name))
			task->found = task->mapping[task->nr];
		task->nr++;
	}
}

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task) { free(task); }

int dm_task_set_name(struct dm_task *task, const char *name)
{
	snprintf(task->name, sizeof(task->name), "%s", name);
	return 1;
}

int dm_task_set_message(struct dm_task *task, const char *message)
{
	snprintf(task->message, sizeof(task->message), "%s", message);
	return 1;
}

static void list(struct dm_task *task)
{
	struct dm_names *names = &task->list.names;
	int i;

	for (i = 0; i < task->nr; i++) {
		names->dev = 65024 + i;
		strcpy(names->name, task->mapping[i][NAME]);
		names->next = i + 1 < task->nr ? (sizeof(*names) + strlen(names->name) + 8) & ~7u : 0;
		names = (struct dm_names *)((char *)names + names->next);
	}
}

int dm_task_run(struct dm_task *task)
{
	char path[512];
	FILE *f;

	load(task);
	if (task->type == DM_DEVICE_LIST_VERSIONS)
		return 1;
	if (task->type == DM_DEVICE_LIST) {
		list(task);
		return 1;
	}
	if (!task->found && task->type != DM_DEVICE_INFO) {
		errno = ENXIO;
		return 0;
	}
	if (task->type == DM_DEVICE_TABLE || task->type == DM_DEVICE_STATUS ||
	    task->type == DM_DEVICE_INFO)
		return 1;
	snprintf(path, sizeof(path), "%s.log", getenv("FAKE_DM"));
	f = fopen(path, "a");
	fprintf(f, "%s %s%s%s\n", task->type == DM_DEVICE_SUSPEND ? "suspend" :
		task->type == DM_DEVICE_RESUME ? "resume" :
		task->type == DM_DEVICE_TARGET_MSG ? "message" : "other", task->name,
		task->message[0] ? " " : "", task->message);
	fclose(f);
	return 1;
}

/* A trim of five zones, two at a time. */
const char *dm_task_get_message_response(struct dm_task *task)
{
	unsigned int zone;

	if (sscanf(task->message, "trim %u", &zone) != 1)
		return NULL;
	snprintf(task->answer, sizeof(task->answer), "%u 5 1000", zone + 2 < 5 ? zone + 2 : 5);
	return task->answer;
}

int dm_task_get_errno(struct dm_task *task) { return task->found ? 0 : ENXIO; }

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->exists = task->found != NULL;
	if (task->found) {
		info->suspended = atoi(task->found[SUSPENDED]);
		info->event_nr = atoi(task->found[EVENT_NR]);
		info->live_table = 1;
	}
	return 1;
}

const char *dm_task_get_uuid(const struct dm_task *task)
{
	return task->found ? task->found[UUID] : "";
}

/* One build of the module is loaded. */
struct dm_versions *dm_task_get_versions(struct dm_task *task)
{
	struct dm_versions *one = (struct dm_versions *)task->list.room;
	struct dm_versions *two = (struct dm_versions *)(task->list.room + 64);

	*one = (struct dm_versions){ .next = 64, .version = { 1, 1, 0 } };
	strcpy(one->name, "triad");
	*two = (struct dm_versions){ .next = 0, .version = { 1, 1, 0 } };
	strcpy(two->name, "triad-0.2.0");
	return one;
}

/* Where the nodes are: files, in $FAKE_DM.nodes. */
const char *dm_dir(void)
{
	static char dir[512];

	snprintf(dir, sizeof(dir), "%s.nodes", getenv("FAKE_DM"));
	return dir;
}

struct dm_names *dm_task_get_names(struct dm_task *task) { return &task->list.names; }

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length,
			 char **type, char **params)
{
	*start = 0;
	*length = strtoull(task->found[SECTORS], NULL, 10);
	*type = task->found[TARGET];
	*params = task->found[task->type == DM_DEVICE_STATUS ? STATUS : TABLE];
	return next ? NULL : NULL;
}

int dm_task_set_cookie(struct dm_task *task, uint32_t *cookie, uint16_t flags)
{
	*cookie = flags;
	return task != NULL;
}

int dm_task_set_add_node(struct dm_task *task, dm_add_node_t add_node)
{
	return task && add_node == DM_ADD_NODE_ON_RESUME;
}

int dm_task_no_flush(struct dm_task *task) { return task != NULL; }
int dm_task_secure_data(struct dm_task *task) { return task != NULL; }
int dm_task_skip_lockfs(struct dm_task *task) { return task != NULL; }
int dm_task_set_sector(struct dm_task *task, uint64_t sector) { return task && !sector; }
