// SPDX-License-Identifier: GPL-2.0-or-later
/* Preloaded: the process ends instead of its CUT_AT-th write at an offset. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static ssize_t count_and_write(int fd, const void *buf, size_t size, off_t offset)
{
	static long nr;
	const char *at = getenv("CUT_AT");

	if (at && ++nr == atol(at))
		_exit(99);
	return syscall(SYS_pwrite64, fd, buf, size, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	return count_and_write(fd, buf, size, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t size, off_t offset)
{
	return count_and_write(fd, buf, size, offset);
}
