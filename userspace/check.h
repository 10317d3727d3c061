/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - verify what a device holds, and collect what is wrong with it.
 */
#ifndef TRIAD_CHECK_H
#define TRIAD_CHECK_H

#include "report.h"
#include "view.h"

enum severity {
	CHECK_NOTE,		/* normal after a power cut */
	CHECK_DEGRADED,		/* heals by itself, data is not at risk */
	CHECK_DAMAGED,
};

/* What a root reaches, and counts, zone by zone. */
struct reach {
	u8 **zones;		/* a bitmap of a zone, NULL while nothing is in it */
	u64 nr_nodes;
	u64 nr_data;
};

struct check {
	struct view *view;
	const struct options *opt;
	struct reach current;
	struct reach backup;
	struct reach log;
	bool backup_counts;	/* there is a backup, and it is protected */
	bool map_damaged;	/* comparing planes with it would only make noise */
	bool backup_damaged;	/* its map: what it reaches cannot be counted */
	u64 nr_data_verified;
	u64 log_end_seq;
	u32 nr_problems;
	enum severity worst;
	struct json_object *problems;
};

/*
 * Report one finding.  what is a word for programs: "root", "log", "map", "plane",
 * "summary", "data".
 */
void check_say(struct check *check, enum severity severity, const char *what,
	       const char *format, ...) PRINTF(4, 5);

/*
 * The parts.  0, or a negative errno that ends the check; what is wrong with the
 * disk is no error here.
 */
int check_roots(struct check *check);
int check_log(struct check *check);
int check_maps(struct check *check);
int check_space(struct check *check);
int check_data(struct check *check);

void check_free(struct check *check);

#endif
