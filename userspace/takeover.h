/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * takeover.h - one instance of an open device in the place of another: what restart and
 * upgrade share.
 */
#ifndef TRIAD_TAKEOVER_H
#define TRIAD_TAKEOVER_H

#include "dm.h"

/*
 * One at a time on this machine: wait for another restart or upgrade to end, also one
 * whose caller was killed.  Held until this process and its children are gone.
 */
void takeover_wait_turn(void);

/*
 * dm_load_beside(); if it takes some seconds, it is said on stderr what is waited for, since
 * no signal ends the kernel's wait for a disk.  Only before takeover_prepare().
 */
int takeover_load(const struct dm_live *live, const char *target, const char *params, char **said);

/*
 * Before the first device is suspended: no page of the tool may be missing then.  Until
 * takeover_done() it is said what is waited for, if that takes long.
 */
void takeover_prepare(const char *name);
void takeover_done(void);

/* The table that was loaded takes over.  0 or an errno; *ms is how long that took. */
int takeover_swap(const char *name, double *ms);

/* An exit code: what became of it, said if it is not well. */
int takeover_judge(const char *name);

#endif
