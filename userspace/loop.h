/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - a loop device for a file that is to be mapped.
 */
#ifndef TRIAD_LOOP_H
#define TRIAD_LOOP_H

#include <stdbool.h>

struct loop {
	char path[32];		/* "/dev/loop7" */
	int fd;
};

/*
 * Attach path.  The loop device goes when nobody has it open any more: when fd is closed
 * and what was mapped on it is closed, too.  0 or -errno; -EBUSY: the file is in use.
 */
int loop_attach(struct loop *loop, const char *path, bool read_only);

#endif
