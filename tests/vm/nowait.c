// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nowait read|write DEVICE BLOCK: one block of 4096 bytes to stdout or from stdin, past the page
 * cache, by a call that does not wait.  Exit status 11 (EAGAIN): it would have to.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096

int main(int argc, char **argv)
{
	static char buf[BLOCK] __attribute__((aligned(BLOCK)));
	struct iovec iov = { .iov_base = buf, .iov_len = BLOCK };
	ssize_t n;
	off_t at;
	int fd, write_it;

	if (argc != 4)
		errx(2, "usage: nowait read|write DEVICE BLOCK");
	write_it = !strcmp(argv[1], "write");
	at = strtoll(argv[3], NULL, 0) * BLOCK;
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0)
		err(1, "%s", argv[2]);
	if (write_it && read(STDIN_FILENO, buf, BLOCK) != BLOCK)
		errx(2, "no block on stdin");
	n = write_it ? pwritev2(fd, &iov, 1, at, RWF_NOWAIT) : preadv2(fd, &iov, 1, at, RWF_NOWAIT);
	if (n < 0 && errno == EAGAIN)
		return EAGAIN;
	if (n != BLOCK)
		err(1, "%s: %zd bytes", argv[1], n);
	if (!write_it && write(STDOUT_FILENO, buf, BLOCK) != BLOCK)
		err(1, "stdout");
	return 0;
}
