/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signature.h - what libblkid finds on a device, and how to wipe it.
 */
#ifndef TRIAD_SIGNATURE_H
#define TRIAD_SIGNATURE_H

#include "device.h"

#define MAX_SIGNATURES	32

struct signature {
	char type[64];		/* "ext4", "gpt", ... */
	char label[64];		/* may be empty */
	u64 offset;
};

/*
 * Find signatures of filesystems, RAIDs and partition tables.  Returns how many
 * (at most MAX_SIGNATURES), or -errno.
 */
int signature_find(const struct device *dev, struct signature found[MAX_SIGNATURES]);

/* Remove all that signature_find() finds.  The device must be open for writing. */
int signature_wipe(const struct device *dev);

#endif
