/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tool.h - what the commands of triadsetup share: options, exit codes, messages.
 */
#ifndef TRIAD_TOOL_H
#define TRIAD_TOOL_H

#include <triad/env.h>

/* 1-5 as cryptsetup documents them */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_USAGE = 1,		/* what was typed cannot be meant */
	TOOL_PERMISSION = 2,	/* also a missing or wrong key */
	TOOL_MEMORY = 3,
	TOOL_DEVICE = 4,	/* not there, not ours, or cannot be read */
	TOOL_BUSY = 5,		/* exists already, or in use */
	TOOL_DEGRADED = 6,	/* usable, but a root or a block is bad */
	TOOL_DAMAGED = 7,	/* also a mapping in a mode that nobody asked for */
	TOOL_UNPROVABLE = 8,	/* no root can be proven current */
	TOOL_SYSTEM = 9,	/* no device-mapper, no target, no such hash here */
	TOOL_OUTPUT = 10,	/* stdout or the file to write takes no more */
};

#define TOOL_MAX_ROOTS	3

struct options {
	const char *root_device[TOOL_MAX_ROOTS];
	unsigned int nr_root_devices;
	const char *to[TOOL_MAX_ROOTS];	/* where the roots are moved */
	unsigned int nr_to;
	const char *device;	/* another name of the disk */
	const char *module;	/* a file */
	const char *on_error;	/* hold or fail */
	u32 hold_ms;
	u32 keep_max;
	const char *sync;	/* off, block, async or ro */
	u32 sync_ms;		/* 0: the module's default */
	const char *key_file;
	const char *key;	/* in hexadecimal digits, if there is no file */
	const char *hash;
	const char *checksum;
	const char *label;
	const char *uuid;
	u64 size;		/* bytes; 0: the largest, or the default */
	u64 zone_size;
	u64 segment_size;
	u64 interval;
	u32 interval_ms;	/* 0: the module's default */
	u32 cache_blocks;
	bool json;
	bool batch;
	bool force;
	bool read_only;
	u32 slot;		/* number + 1; 0: none was named */
	bool without_log;
	bool backup;		/* the state of the backup root */
	bool data;
	bool verbose;
	bool crash;
	bool check;
	bool dry_run;
	bool udev;
	bool all;		/* that triadtab names */
	bool deferred;
	bool reserve, take;	/* the disk, from other hosts */
	bool wait;		/* for other hosts that may have it open */
	bool prometheus;
	bool status;		/* only say how far it is */
	bool anew;		/* not where it was left */
	const char *since;	/* a position */
	bool promote;
	bool in_steps;
	u64 rate;		/* bytes per second */
	u32 watch;		/* seconds between two looks; 0: one look */
	u32 count;		/* looks, or events; 0: no end */
	int nr_args;
	char **args;
};

/* One command; run returns an exit code and has said why it is not 0. */
struct command {
	const char *name;
	const char *args;	/* as the usage line shows them */
	int min_args, max_args;
	const char *options;	/* which of the tool's options it takes */
	const char *summary;
	const char *help;
	int (*run)(const struct options *opt);
};

int cmd_format(const struct options *opt);
int cmd_open(const struct options *opt);
int cmd_restart(const struct options *opt);
int cmd_fail(const struct options *opt);
int cmd_watch(const struct options *opt);
int cmd_upgrade(const struct options *opt);
int cmd_close(const struct options *opt);
int cmd_table(const struct options *opt);
int cmd_probe(const struct options *opt);
int cmd_status(const struct options *opt);
int cmd_list(const struct options *opt);
int cmd_monitor(const struct options *opt);
int cmd_info(const struct options *opt);
int cmd_scrub(const struct options *opt);
int cmd_doctor(const struct options *opt);
int cmd_label(const struct options *opt);
int cmd_uuid(const struct options *opt);
int cmd_commit(const struct options *opt);
int cmd_trim(const struct options *opt);
int cmd_suspend(const struct options *opt);
int cmd_resume(const struct options *opt);
int cmd_import(const struct options *opt);
int cmd_roots(const struct options *opt);
int cmd_rollback(const struct options *opt);
int cmd_heal(const struct options *opt);
int cmd_move_roots(const struct options *opt);
int cmd_dump(const struct options *opt);
int cmd_check(const struct options *opt);
int cmd_repair(const struct options *opt);
int cmd_export(const struct options *opt);
int cmd_send(const struct options *opt);
int cmd_receive(const struct options *opt);
int cmd_position(const struct options *opt);
int cmd_replica(const struct options *opt);

#define TOOL_RUN_DIR	"/run/triadsetup"
#define TRIADD_SOCKET	"/run/triadd.sock"	/* where triadd answers; in the environment: another one */

#define PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Who says it. */
extern const char *tool_name;

/*
 * Say what is wrong on stderr, then, indented, whether data is safe and what to
 * do next (next may be NULL).  Returns code.  With --json both are in the document,
 * too.
 */
int tool_fail(enum tool_exit code, const char *next, const char *format, ...) PRINTF(3, 4);
void tool_warn(const char *format, ...) PRINTF(1, 2);

/*
 * Ask for YES behind what will be lost, unless -q was given.  0, or an exit code: without
 * a terminal nobody can be asked.
 */
int tool_confirm(const struct options *opt, const char *path, const char *what);

/* The exit code that fits a negative errno. */
enum tool_exit tool_exit_of(int error);

/*
 * Why a mapping is in its mode, from its status line; text has TEXT_SIZE bytes and
 * is returned.
 */
const char *status_reason(const char *line, char *text);

/* A device cannot be opened: say why.  writing tells what was attempted. */
int tool_fail_open(const char *path, int error, bool writing);

#endif
