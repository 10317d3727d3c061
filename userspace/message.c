// SPDX-License-Identifier: GPL-2.0-or-later
/* How errors are said. */
#include <stdarg.h>
#include <stdio.h>

#include "device.h"
#include "tool.h"

static void say(const char *format, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "triadsetup: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
}

int tool_fail(enum tool_exit code, const char *next, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	if (next)
		fprintf(stderr, "  %s\n", next);
	return code;
}

void tool_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

enum tool_exit tool_exit_of(int error)
{
	switch (error) {
	case 0:
		return TOOL_OK;
	case -EINVAL:
		return TOOL_USAGE;
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
