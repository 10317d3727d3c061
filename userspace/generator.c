// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * triad-generator: tells systemd of the lines of /etc/triadtab, before it starts anything.
 * Each becomes a drop-in of triad@NAME.service and links to it; triadtab(5) has the promises.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <blkid/blkid.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tab.h"

static const char *out;		/* where units are generated */
static char prefix[2048];	/* below which this program, the units and the tool are installed */
static int failed;

/* Into the kernel's log, as it is early: the journal takes it from there. */
static void complain(const char *path, unsigned int line, const char *why)
{
	FILE *f = fopen("/dev/kmsg", "we");

	fprintf(f ? f : stderr, "triad-generator: %s, line %u: %s; it is left out\n", path, line, why);
	if (f)
		fclose(f);
}

static void find_prefix(void)
{
	static const char below[] = "/lib/systemd/system-generators/";
	ssize_t n = readlink("/proc/self/exe", prefix, sizeof(prefix) - 1);
	char *end;

	prefix[n > 0 ? n : 0] = 0;
	end = strstr(prefix, below);
	if (end)
		*end = 0;
	else
		strcpy(prefix, "/usr");
}

/* ---- names ------------------------------------------------------------------ */

/* A path or a word as a part of a unit's name; dash: '-' stays as it is. */
static void escape(const char *word, bool path, bool dash, char *to, size_t size)
{
	static const char may[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:_.";
	const char *begin = word + (path ? strspn(word, "/") : 0);
	size_t n = 0;

	for (word = begin; *word && n + 5 < size; word++) {
		if (path && *word == '/')
			to[n++] = '-';
		else if ((strchr(may, *word) && !(*word == '.' && word == begin)) ||
			 (dash && strchr("-@", *word)))
			to[n++] = *word;
		else
			n += snprintf(to + n, size - n, "\\x%02x", (unsigned char)*word);
	}
	to[n] = 0;
}

/* What udev has a link for; false: it is a file. */
static bool node_of(const char *device, char *path, size_t size)
{
	static const char *const tags[][2] = {
		{ "LABEL=", "by-label" }, { "UUID=", "by-uuid" },
		{ "PARTUUID=", "by-partuuid" }, { "PARTLABEL=", "by-partlabel" },
	};
	char value[1024];
	unsigned int i;
	char *p;

	for (i = 0; i < 4; i++) {
		size_t n = strlen(tags[i][0]);

		if (strncmp(device, tags[i][0], n))
			continue;
		if (blkid_encode_string(device + n, value, sizeof(value)))
			return false;
		/* the link has the UUID as it is printed */
		for (p = value; (i == 1 || i == 2) && *p; p++)
			*p |= *p >= 'A' && *p <= 'F' ? 0x20 : 0;
		snprintf(path, size, "/dev/disk/%s/%s", tags[i][1], value);
		return true;
	}
	snprintf(path, size, "%s", device);
	return !tab_is_file(device);
}

/* ---- files ------------------------------------------------------------------- */

static FILE *create(const char *format, ...) __attribute__((format(printf, 1, 2)));
static FILE *create(const char *format, ...)
{
	char path[4096], *slash;
	va_list args;
	size_t n;
	FILE *f;

	n = snprintf(path, sizeof(path), "%s/", out);
	va_start(args, format);
	vsnprintf(path + n, sizeof(path) - n, format, args);
	va_end(args);
	slash = strrchr(path, '/');
	*slash = 0;
	mkdir(path, 0755);
	*slash = '/';
	f = fopen(path, "we");
	if (!f)
		failed = 1;
	else
		fprintf(f, "# From %s, by triad-generator.\n", tab_path());
	return f;
}

/* "sysinit.target.wants", "triad.target" */
static void put_link(const char *unit, const char *kind, const char *name, const char *file)
{
	char path[4096], to[4096];

	snprintf(path, sizeof(path), "%s/%s.%s", out, unit, kind);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s.%s/%s", out, unit, kind, name);
	snprintf(to, sizeof(to), "%s/lib/systemd/system/%s", prefix, file);
	if (symlink(to, path) && errno != EEXIST)
		failed = 1;
}

static void pull_in(const char *unit, const char *kind, const char *instance)
{
	char name[2048];

	snprintf(name, sizeof(name), "triad@%s.service", instance);
	put_link(unit, kind, name, "triad@.service");
}

/* A word in a unit file: "%" would begin a specifier, and blanks end a word. */
static void put_word(FILE *f, const char *word)
{
	putc('"', f);
	for (; *word; word++) {
		if (strchr("\"\\", *word))
			putc('\\', f);
		if (*word == '%' || *word == '$')
			putc(*word, f);
		putc(*word, f);
	}
	putc('"', f);
}

/* ---- one line ------------------------------------------------------------------ */

static void wait_longer(const char *unit, const char *timeout)
{
	FILE *f = create("%s.d/50-triadtab.conf", unit);

	if (!f)
		return;
	fprintf(f, "[Unit]\nJobRunningTimeoutSec=%s\n", timeout);
	fclose(f);
}

/* Not BindsTo: what becomes of a device whose disk goes away is dm-triad's business. */
static void need_disk(FILE *f, const struct tab_entry *e, const char *device, const char *instance)
{
	char path[2048], unit[4096];

	if (!strcmp(device, "missing"))
		return;
	if (!node_of(device, path, sizeof(path))) {
		fprintf(f, "RequiresMountsFor=");
		put_word(f, path);
		putc('\n', f);
		return;
	}
	escape(path, true, false, unit, sizeof(unit) - 16);
	strcat(unit, ".device");
	fprintf(f, "Requires=%s\nAfter=%s\n", unit, unit);
	if (e->device_timeout)
		wait_longer(unit, e->device_timeout);
	/* that comes late, or comes back */
	if (e->nofail && !e->noauto)
		pull_in(unit, "wants", instance);
}

static void generate(const struct tab_entry *e)
{
	const char *target = e->netdev ? "remote-fs.target" : "triad.target";
	char path[512], mapped[2048], instance[1024];
	unsigned int i;
	FILE *f;

	escape(e->name, false, true, instance, sizeof(instance));
	snprintf(path, sizeof(path), "/dev/mapper/%s", e->name);
	escape(path, true, false, mapped, sizeof(mapped));
	f = create("triad@%s.service.d/50-triadtab.conf", instance);
	if (!f)
		return;
	fprintf(f, "[Unit]\nSourcePath=%s\n", tab_path());
	fprintf(f, "Wants=blockdev@%s.target\nBefore=blockdev@%s.target\n", mapped, mapped);
	need_disk(f, e, e->device, instance);
	for (i = 0; i < e->opt.nr_root_devices; i++)
		need_disk(f, e, e->opt.root_device[i], instance);
	if (e->opt.key_file) {
		fprintf(f, "RequiresMountsFor=");
		put_word(f, e->opt.key_file);
		putc('\n', f);
	}
	if (e->netdev)
		fprintf(f, "Wants=network-online.target\nAfter=network-online.target\n");
	if (!e->noauto && !e->nofail)
		fprintf(f, "Before=%s\n", target);
	/* what the root file system lies on stays to the end */
	if (e->initrd)
		fprintf(f, "[Service]\nExecStop=\n");
	if (ferror(f) | fclose(f))
		failed = 1;
	if (!e->noauto)
		pull_in(target, e->nofail ? "wants" : "requires", instance);
	strcat(mapped, ".device");
	pull_in(mapped, "requires", instance);
	if (e->device_timeout)
		wait_longer(mapped, e->device_timeout);
}

int main(int argc, char **argv)
{
	static struct tab tab;
	unsigned int i;
	int r;

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "usage: triad-generator DIRECTORY [EARLY LATE]\n");
		return 1;
	}
	out = argv[1];
	umask(022);
	find_prefix();
	r = tab_read(&tab, complain);
	if (r)
		return r != -ENOENT;
	for (i = 0; i < tab.nr; i++)
		generate(&tab.entry[i]);
	if (tab.nr)
		put_link("sysinit.target", "wants", "triad.target", "triad.target");
	tab_free(&tab);
	return failed;
}
