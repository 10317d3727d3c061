/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.h - what a replica takes, and what not. */
#ifndef FUZZ_RECEIVE_H
#define FUZZ_RECEIVE_H

#include "image.h"

#define RECEIVE	'x'

/*
 * bytes: u8 flags, then with FLAG_RAW a stream as it is, else frames that are made right:
 *	u8 type, le16 length / 8, u8 n, n bytes of it, the rest zero
 */
void fuzz_receive(struct image *image, const u8 *bytes, size_t size);

#endif
