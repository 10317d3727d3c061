/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * repair.h - make a damaged image look whole again.
 *
 * What a fuzzer changes is found out by the first checksum that covers it.  This
 * computes all of them anew, from the bottom up: so what was changed is believed,
 * and the code behind the checksums must bear it.
 */
#ifndef FUZZ_REPAIR_H
#define FUZZ_REPAIR_H

#include "image.h"

enum repair {
	REPAIR_NODES = 1 << 0,		/* checksums of nodes and data, up to the roots */
	REPAIR_LOG = 1 << 1,		/* chain, numbers, checksums of the records */
	REPAIR_PLANES = 1 << 2,		/* headers and checksums of planes */
	REPAIR_COUNTS = 1 << 3,		/* counters say what the planes say */
	REPAIR_SUMMARY = 1 << 4,	/* checksum, and the sum in the root */
	REPAIR_LINKS = 1 << 5,		/* the roots' versions */
	REPAIR_SEALS = 1 << 6,
	REPAIR_ALL = 0x7f,
};

void repair(struct image *image, unsigned int what);

/* Geometry as the newest root tells, however wrong; false if there is none. */
struct triad_geometry;
bool repair_geometry(const struct image *image, struct triad_geometry *geo);

#endif
