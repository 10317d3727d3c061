// SPDX-License-Identifier: GPL-2.0-or-later
/* atomic DEVICE SIZE: one write at the beginning, which is to be atomic, and its content read back */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x40
#endif

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	char *out = aligned_alloc(4096, size), *in = aligned_alloc(4096, size);
	struct iovec iov = { .iov_base = out, .iov_len = size };
	int fd;

	if (!size || !out || !in)
		errx(2, "usage: atomic DEVICE SIZE");
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0)
		err(1, "%s", argv[1]);
	memset(out, 0x5a, size);
	if (pwritev2(fd, &iov, 1, 0, RWF_ATOMIC) != (ssize_t)size)
		err(1, "an atomic write of %zu bytes", size);
	if (pread(fd, in, size, 0) != (ssize_t)size || memcmp(in, out, size))
		errx(1, "it is not read back");
	return 0;
}
