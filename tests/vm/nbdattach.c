// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbdattach ADDRESS PORT DEVICE - runs in the guest: connect /dev/nbdN to an NBD server.
 *
 * QEMU's disks turn FUA into a flush of everything. The kernel's own NBD client passes it on, so
 * that a power-disk sees which one the guest asked for.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(1);
	}
}

static void receive(int s, void *buf, size_t bytes)
{
	check(recv(s, buf, bytes, MSG_WAITALL) != (ssize_t)bytes, "receive");
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct { uint32_t flags; char magic[8]; uint32_t option, length; } __attribute__((packed)) hello = {
		htobe32(3), "IHAVEOPT", htobe32(1), 0 };	/* the default export, no padding */
	struct { uint64_t size; uint16_t flags; } __attribute__((packed)) export;
	char greeting[18];
	int s, dev, one = 1;

	if (argc != 4 || !inet_aton(argv[1], &addr.sin_addr)) {
		fprintf(stderr, "usage: nbdattach ADDRESS PORT DEVICE\n");
		return 2;
	}
	addr.sin_port = htons(atoi(argv[2]));
	s = socket(AF_INET, SOCK_STREAM, 0);
	check(s < 0 || connect(s, (struct sockaddr *)&addr, sizeof(addr)), "connect");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	receive(s, greeting, sizeof(greeting));
	check(memcmp(greeting, "NBDMAGICIHAVEOPT", 16), "this is no NBD server");
	check(send(s, &hello, sizeof(hello), 0) != sizeof(hello), "send");
	receive(s, &export, sizeof(export));

	dev = open(argv[3], O_RDWR);
	check(dev < 0, argv[3]);
	check(ioctl(dev, NBD_SET_BLKSIZE, 512UL), "NBD_SET_BLKSIZE");
	check(ioctl(dev, NBD_SET_SIZE_BLOCKS, (unsigned long)(be64toh(export.size) / 512)), "NBD_SET_SIZE_BLOCKS");
	check(ioctl(dev, NBD_SET_FLAGS, (unsigned long)be16toh(export.flags)), "NBD_SET_FLAGS");
	check(ioctl(dev, NBD_SET_SOCK, (unsigned long)s), "NBD_SET_SOCK");
	check(daemon(0, 0), "daemon");
	return ioctl(dev, NBD_DO_IT) != 0;
}
