// SPDX-License-Identifier: GPL-2.0-or-later
/* powerctl SOCKET WORD... - one command to a powerdisk (see powerdisk.c), its answer on stdout. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char buf[4096];
	size_t n = 0;
	int s;

	if (argc < 3 || strlen(argv[1]) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "usage: powerctl SOCKET WORD...\n");
		return 2;
	}
	strcpy(addr.sun_path, argv[1]);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&addr, sizeof(addr))) {
		perror(argv[1]);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		dprintf(s, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
	for (;;) {
		ssize_t got = read(s, buf + n, sizeof(buf) - 1 - n);

		if (got <= 0)
			break;
		n += got;
	}
	buf[n] = 0;
	fputs(buf, stdout);
	return !n || !strncmp(buf, "error", 5);
}
