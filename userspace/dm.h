/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm.h - device-mapper as the tool uses it, and triad's table line.
 *
 * Functions return an exit code and have said what is wrong when it is not 0.
 */
#ifndef TRIAD_DM_H
#define TRIAD_DM_H

#include "view.h"

#define DM_TARGET	"triad"
#define DM_UUID_PREFIX	"TRIAD-"

/*
 * The parameters of the table line ("DEVICE 2 root_dev ...").  Devices are named
 * by their absolute path, or by number where a blank in it would split the line.  NULL when out of memory; the caller frees it.  It may
 * hold a key: overwrite it first.
 */
char *dm_params(const struct view *view, const struct options *opt);

/* The target is there; loads the module if need be. */
int dm_load_module(void);

int dm_create(const char *name, const char *uuid, u64 sectors, const char *params,
	      bool read_only);

/* Only what is dm-triad's.  Waits some seconds for those who only have a look at it. */
int dm_remove(const char *name);

/* The status line of a mapped device; the caller frees it. */
int dm_status(const char *name, char **line, bool *suspended, u64 *sectors);

/* The path of the device that holds the data of a mapping; empty if it cannot be told. */
void dm_data_device(const char *name, char *path, size_t size);

#endif
