/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * live.h - what goes on: status --watch, and how a command that runs on is ended.
 */
#ifndef TRIAD_LIVE_H
#define TRIAD_LIVE_H

#include "tool.h"

/* From now on SIGINT and SIGTERM only end the next wait: what is said at the end is. */
void live_begin(void);
bool live_ended(void);

/* False when it was ended meanwhile. */
bool live_sleep(double seconds);

int live_watch(const struct options *opt);

#endif
