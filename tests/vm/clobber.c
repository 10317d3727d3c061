// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clobber DEVICE: several readers, one buffer.  Each reads its own 64 KiB of the device
 * directly into the memory of all, which so changes before it can be verified.  What they
 * read is worth nothing, but no read may fail.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_READERS 4
#define NR_READS 300
#define SIZE 65536

static void read_often(const char *device, int nr, void *buffer)
{
	int i, fd = open(device, O_RDONLY | O_DIRECT);

	if (fd < 0)
		err(1, "%s", device);
	for (i = 0; i < NR_READS; i++)
		if (pread(fd, buffer, SIZE, (off_t)nr * SIZE) != SIZE)
			err(1, "reader %d, read %d", nr, i);
	exit(0);
}

int main(int argc, char **argv)
{
	int i, status, failed = 0;
	void *buffer;

	if (argc != 2)
		errx(2, "usage: clobber DEVICE");
	buffer = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		err(2, "mmap");
	for (i = 0; i < NR_READERS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(2, "fork");
		if (!pid)
			read_often(argv[1], i, buffer);
	}
	while (wait(&status) > 0)
		failed |= !!status;
	return failed;
}
