/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * locate.h - devices by what is on them: LABEL=, UUID=, PARTUUID=, PARTLABEL=.
 */
#ifndef TRIAD_LOCATE_H
#define TRIAD_LOCATE_H

#include "tool.h"

/*
 * In *path the device that *path names by a tag, if it does; never freed.  An exit code, and
 * it was said why it is not 0: nothing has it, or more than one.
 */
int locate(const char **path);

/*
 * The same for all that a command was given and is a device, as args tells ("NAME DEVICE").  The
 * name of a mapping may be spelled as in the name of a unit.
 */
int locate_devices(struct options *opt, const char *args);

#endif
