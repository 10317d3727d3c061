// SPDX-License-Identifier: GPL-2.0-or-later
/* What the pure core needs, from userspace libraries. */
#include <sys/random.h>
#include <time.h>

#include <triad/env.h>

void *triad_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void triad_free(void *p)
{
	free(p);
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
