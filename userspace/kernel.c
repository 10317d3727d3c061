// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel.h"

#include <fcntl.h>
#include <linux/if_alg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- hashes ------------------------------------------------------------------- */

/* 0 or a negative errno: what the kernel's crypto API answers, modules and all. */
static int ask_for_hash(const char *name)
{
	struct sockaddr_alg alg = { .salg_family = AF_ALG, .salg_type = "hash" };
	int r = 0, fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf((char *)alg.salg_name, sizeof(alg.salg_name), "%s", name);
	if (bind(fd, (struct sockaddr *)&alg, sizeof(alg)))
		r = -errno;
	close(fd);
	return r;
}

/* Loaded or built in. */
static bool is_listed(const char *name)
{
	char line[256], found[128];
	bool listed = false;
	FILE *f = fopen("/proc/crypto", "re");

	while (f && !listed && fgets(line, sizeof(line), f))
		listed = sscanf(line, "name : %127s", found) == 1 && !strcmp(found, name);
	if (f)
		fclose(f);
	return listed;
}

bool kernel_may_have_hash(const char *name)
{
	int r = ask_for_hash(name);

	/* without the user's interface to hashes it is "no such thing" for all of them */
	return r != -ENOENT || is_listed(name) || ask_for_hash("sha256");
}

const char *kernel_release(void)
{
	static struct utsname uts;

	return uname(&uts) ? "" : uts.release;
}

/* ---- signatures ----------------------------------------------------------------- */

bool kernel_trusts(const char *signer)
{
	static const char type[] = " asymmetri ";
	size_t n = strlen(signer);
	char line[512], *key;
	bool found = false;
	FILE *f = fopen("/proc/keys", "re");

	while (f && n && !found && fgets(line, sizeof(line), f)) {
		key = strstr(line, type);
		key = key ? key + strlen(type) : line;
		/* "signer: number of the key: kind" */
		found = !strncmp(key, signer, n) && key[n] == ':';
	}
	if (f)
		fclose(f);
	return found;
}

const char *kernel_signing_key(void)
{
	static const char *const places[] = {
		"/var/lib/shim-signed/mok/MOK.der",	/* Ubuntu's */
		"/var/lib/dkms/mok.pub",
	};
	unsigned int i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!access(places[i], F_OK))
			return places[i];
	return "KEY";
}

/* ---- log ------------------------------------------------------------------------ */

int kernel_log_begin(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

char *kernel_log_end(int log)
{
	char record[8192], *text = NULL, *line;
	size_t size;
	FILE *f = log < 0 ? NULL : open_memstream(&text, &size);
	ssize_t n = 0;

	/* each read gives one record: "priority,number,time,flags;message\n..." */
	while (f) {
		n = read(log, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* EPIPE: some were overwritten */
		if (n <= 0)
			break;
		record[n] = 0;
		line = strchr(record, ';');
		if (!line || strncmp(line + 1, "device-mapper: ", 15))
			continue;
		line[strcspn(line, "\n")] = 0;
		fprintf(f, "\n  %s", line + 1);
	}
	if (log >= 0)
		close(log);
	if (f && fclose(f))
		return NULL;
	if (text && !*text) {
		free(text);
		return NULL;
	}
	return text;
}
