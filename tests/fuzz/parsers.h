/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parsers.h - one structure of the disk at a time, without a disk around it.
 *
 * Each takes any bytes.  What a parser lets pass must be within its bounds, and
 * must come out the same when it is written and read once more.
 */
#ifndef FUZZ_PARSERS_H
#define FUZZ_PARSERS_H

#include "image.h"

void parse_root(const u8 *bytes, size_t size);
void parse_record(const u8 *bytes, size_t size);
void parse_node(const u8 *bytes, size_t size);
void parse_space(struct image *image, const u8 *bytes, size_t size);
void parse_params(const u8 *bytes, size_t size);

#endif
