// SPDX-License-Identifier: GPL-2.0-or-later
/* The core's checksums, from libraries: in the tool and in all the tests' environments. */
#include <isa-l/crc.h>
#include <xxhash.h>

#include <triad/env.h>

u32 triad_crc32c(const void *data, size_t size)
{
	/* the library reads only, and takes an int */
	return crc32_iscsi((unsigned char *)data, (int)size, ~0u);
}

u64 triad_xxh64(const void *data, size_t size)
{
	return XXH64(data, size, 0);
}
