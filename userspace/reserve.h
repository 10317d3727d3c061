/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reserve.h - a disk that several hosts reach is written by one of them: persistent reservations
 * of the type "write exclusive, registrants only" (SPC-4, 5.13), of SCSI disks.
 *
 * The disk itself keeps them and refuses everybody else's writes, also those that were under way
 * or come late; they outlive a power cut of the host, and where the disk can, its own.
 */
#ifndef TRIAD_RESERVE_H
#define TRIAD_RESERVE_H

#include "device.h"

/*
 * For this host, all devices of a disk, whose paths must be block devices.  With take from
 * whoever holds it, which loses what it has not written.  *had: another one had it.  An exit code, and the
 * reason was said; nothing is reserved then, but for what was taken from somebody.
 */
int reserve_disk(const struct disk *disk, bool take, bool *had);

/* Give back what this host has; says nothing. */
void reserve_release(const char *path);

/*
 * A mapping whose disk is to be given back when it is closed; and whether it is.  What was taken from
 * somebody is not: that one may come back, and must find it reserved.
 */
void reserve_note(const char *name, bool had);
bool reserve_forget(const char *name);

#endif
