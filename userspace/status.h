/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status.h - the status line of an open device, taken apart.
 */
#ifndef TRIAD_STATUS_H
#define TRIAD_STATUS_H

#include "dm.h"
#include "report.h"

/* The fields of the line, in order (doc/kernel). */
enum status_field {
	STATUS_MODE,
	STATUS_LETTERS,
	STATUS_GENERATION,
	STATUS_HEALTH,
	STATUS_LOG_RECORDS,
	STATUS_LOG_BLOCKS,
	STATUS_USED,
	STATUS_USABLE,
	STATUS_COMMITS,
	STATUS_RECORDS,
	STATUS_USER_WRITTEN,
	STATUS_DEVICE_WRITTEN,
	STATUS_READ,
	STATUS_CHECKSUM_ERRORS,
	STATUS_FLUSHES,
	STATUS_CACHED_NODES,
	STATUS_MEMORY_KIB,
	STATUS_REASON,
	STATUS_ERROR,
	STATUS_VERSION,
	STATUS_UUID,
	STATUS_LABEL,
	STATUS_NEXT_RECORD,
	STATUS_DURABLE_RECORD,
	STATUS_KEPT_RECORD,
	STATUS_KEPT_BLOCKS,
	STATUS_KEEP,
	STATUS_SYNC,			/* the policy */
	STATUS_SYNCHRONOUS,		/* whether it is so now */
	STATUS_REPLICATED_RECORD,
	STATUS_NR,
};

struct status {
	char name[160];
	char *line;			/* what text points into */
	const char *text[STATUS_NR];	/* NULL: the module is older than the field */
	u64 number[STATUS_NR];
	unsigned int nr;
	int error;			/* why it is in a mode that nobody asked for, or 0 */
	bool suspended;
	u32 event_nr;			/* no later than the rest */
	u64 sectors;
	struct dm_source source;	/* without the key */
	char uuid[TEXT_SIZE];		/* empty: not known */
	char label[TEXT_SIZE];
	bool label_known;
};

/* As dm_status(), of what its line tells alone; what it does not tell is NULL.  Free it in any case. */
int status_read(const char *name, struct status *status);
bool status_find(const char *name, struct status *status);	/* ... dm_find_status() */

/* An exit code, and it has said what is wrong.  Free it in any case. */
int status_get(const char *name, struct status *status);
void status_free(struct status *status);

/* Each of the mappings that are named, or of all, by rising name, until fn fails. */
int status_each(const struct options *opt, int (*fn)(struct status *status, void *context),
		void *context);

/* All of these at one time. */
struct status_list {
	struct status *one;
	size_t nr;
};

int status_all(const struct options *opt, struct status_list *list);
void status_all_free(struct status_list *list);

bool status_is(const struct status *status, enum status_field field, const char *word);

/* rw, hold, ro, fail or suspended: that is no failure. */
const char *status_mode(const struct status *status);

/* What its state is worth: TOOL_OK, TOOL_DEGRADED or TOOL_DAMAGED. */
int status_worth(const struct status *status);

/* What the current root reaches and what lies in the log. */
u64 status_used_blocks(const struct status *status);

/* How much is used of what can be: in percent, or -1. */
double status_used_percent(const struct status *status);

/* What open was told beside name and device, in its own words; text is returned. */
const char *status_options(const struct status *status, char *text, size_t size);

/* What status and list say in JSON. */
void status_json(const struct status *status, struct json_object *out);

#endif
