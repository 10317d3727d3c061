/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * others.h - a disk that several hosts reach is opened by one of them: open --wait.
 */
#ifndef TRIAD_OTHERS_H
#define TRIAD_OTHERS_H

#include "tool.h"

#define OTHERS_HEARTBEAT_MS	2000u	/* of an instance that is open */
#define OTHERS_LOOK_MS		10000u	/* so long nothing may move before it is taken */
#define OTHERS_CLAIM_MS		3000u	/* and so long what was written then has to stay */

/*
 * Wait until it is sure that no other host has the device open, or will have opened it at the same
 * time.  An exit code, and the reason was said.  What is written for that is an empty session in the
 * log.  An instance with heartbeats has to be there right behind.
 */
int others_wait(const struct options *opt, const char *path);

#endif
