// SPDX-License-Identifier: GPL-2.0-only
/* What the pure core needs, from userspace libraries. */
#include <isa-l/crc.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#include <triad/env.h>

void *triad_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void triad_free(void *p)
{
	free(p);
}

u32 triad_crc32c(const void *data, size_t size)
{
	/* the library reads only, and takes an int */
	return crc32_iscsi((unsigned char *)data, (int)size, ~0u);
}

u64 triad_xxh64(const void *data, size_t size)
{
	return XXH64(data, size, 0);
}

void triad_random(void *buf, size_t size)
{
	u8 *p = buf;

	while (size) {
		ssize_t n = getrandom(p, size, 0);

		if (n < 0)
			continue;	/* interrupted */
		p += n;
		size -= n;
	}
}

u64 triad_now(void)
{
	return time(NULL);
}
