/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.h - what a device is, from its roots alone: no key, and nothing but three reads.
 */
#ifndef TRIAD_PROBE_H
#define TRIAD_PROBE_H

#include "core.h"

struct probe {
	bool root_device;	/* only roots, of a device whose data lies elsewhere */
	u8 uuid[TRIAD_UUID_SIZE];
	char label[TRIAD_LABEL_SIZE + 1];
};

/*
 * 0; -ENODATA: no root that is whole, so none of ours; another -errno: it cannot be read.
 * Whether the roots prove anything is not asked.
 */
int probe_device(const char *path, struct probe *found);

#endif
