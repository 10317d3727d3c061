// SPDX-License-Identifier: GPL-2.0-or-later
/* How errors are said. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "tool.h"

/*
 * Names come from disks and file systems of others, and may hold what turns a
 * terminal's head.  A line may go on below, indented; a name cannot fake that we said
 * something.
 */
static void put_clean(const char *text)
{
	size_t n;

	for (; *text; text += n ? n : 1) {
		n = text_printable(text);
		if (!n && !strncmp(text, "\n  ", 3))
			n = 1;
		if (n)
			fwrite(text, 1, n, stderr);
		else
			putc('?', stderr);
	}
	putc('\n', stderr);
}

const char *tool_name = "triadsetup";

/* Returns what was said, to be freed; NULL when out of memory. */
static char *say(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	fflush(stdout);
	fprintf(stderr, "%s: ", tool_name);
	put_clean(text ? text : "out of memory");
	return text;
}

int tool_fail(enum tool_exit code, const char *next, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = say(format, args);
	va_end(args);
	if (next) {
		fprintf(stderr, "  ");
		put_clean(next);
	}
	json_error(text ? text : "out of memory", next);
	free(text);
	return code;
}

void tool_warn(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = say(format, args);
	va_end(args);
	json_warning(text ? text : "out of memory");
	free(text);
}

int tool_confirm(const struct options *opt, const char *path, const char *what)
{
	char answer[16];

	if (opt->batch)
		return 0;
	if (!isatty(STDIN_FILENO))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  With -q it goes ahead.",
				 "%s: there is no terminal to ask on", path);
	fprintf(stderr, "%s  Type YES to go ahead: ", what);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) && !strcmp(answer, "YES\n"))
		return 0;
	return tool_fail(TOOL_USAGE, "Nothing was changed.", "not confirmed");
}

enum tool_exit tool_exit_of(int error)
{
	switch (error) {
	case 0:
		return TOOL_OK;
	case -EPERM:
	case -EACCES:
	case -EROFS:
		return TOOL_PERMISSION;
	case -ENOMEM:
		return TOOL_MEMORY;
	case -EEXIST:
	case -EBUSY:
		return TOOL_BUSY;
	case -EUCLEAN:
	case -EBADMSG:
		return TOOL_DAMAGED;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return TOOL_OUTPUT;
	default:
		return TOOL_DEVICE;
	}
}

int tool_fail_open(const char *path, int error, bool writing)
{
	char users[2304];

	switch (error) {
	case -ENOENT:
		return tool_fail(TOOL_DEVICE,
				 "Nothing was changed.  See lsblk for the devices there are.",
				 "%s: there is no such device or file", path);
	case -EISDIR:
		return tool_fail(TOOL_DEVICE,
				 "Nothing was changed.  Name a block device or an image file.",
				 "%s: this is a directory", path);
	case -ENOTBLK:
		return tool_fail(TOOL_DEVICE,
				 "Nothing was changed.  Name a block device or an image file.",
				 "%s: this is neither a block device nor a file", path);
	case -EACCES:
	case -EPERM:
		return tool_fail(TOOL_PERMISSION,
				 "Nothing was changed.  Run it as root, or as a user "
				 "who may use the device.",
				 "%s: no permission to %s it", path, writing ? "write" : "read");
	case -EROFS:
		return tool_fail(TOOL_PERMISSION, "Nothing was changed.", "%s: it is read-only",
				 path);
	case -EBUSY:
		device_who_uses(path, users, sizeof(users));
		return tool_fail(TOOL_BUSY,
				 "Nothing was changed.  Close or unmount what uses it first.",
				 "%s: it is in use%s%s", path, users[0] ? ": " : "", users);
	case -ENOTSUP:
		return tool_fail(TOOL_DEVICE, "Nothing was changed.",
				 "%s: its sectors are larger than 4096 bytes", path);
	default:
		return tool_fail(tool_exit_of(error), "Nothing was changed.", "%s: %s", path,
				 strerror(-error));
	}
}
