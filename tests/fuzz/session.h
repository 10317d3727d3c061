/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - what either end of a session bears from the other one. */
#ifndef FUZZ_SESSION_H
#define FUZZ_SESSION_H

#include "image.h"

#define SESSION	'y'

/*
 * bytes: u8 flags, then frames as the other end might send them:
 *	u8 type, le16 length / 8 (0: as it should be), u8 n, n bytes
 * A frame is what would be right now, with these bytes over it by exclusive or: all zero is a
 * session that works.
 */
void fuzz_session(struct image *image, const u8 *bytes, size_t size);

#endif
