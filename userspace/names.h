/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - label, UUID and checksum as they are typed.
 *
 * An exit code; what is wrong has been said.  what names it in the message.
 */
#ifndef TRIAD_NAMES_H
#define TRIAD_NAMES_H

#include "format.h"

int label_parse(const char *what, const char *text, u8 label[TRIAD_LABEL_SIZE]);

/* NULL: a random one. */
int uuid_take(const char *what, const char *text, u8 uuid[TRIAD_UUID_SIZE]);

/* NULL: kind stays what it is. */
int checksum_take(const char *what, const char *text, u8 *kind);

#endif
