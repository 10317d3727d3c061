// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "dm.h"

/* A free one may be somebody else's a moment later: then the next one. */
static int configure(struct loop *loop, int control, struct loop_config *config)
{
	int tries, nr;

	for (tries = 0; tries < 64; tries++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		if (nr < 0)
			return -errno;
		snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", nr);
		loop->fd = open(loop->path, (config->info.lo_flags & LO_FLAGS_READ_ONLY ?
					     O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (loop->fd < 0)
			return -errno;
		if (!ioctl(loop->fd, LOOP_CONFIGURE, config))
			return 0;
		if (errno != EBUSY) {
			nr = -errno;
			close(loop->fd);
			loop->fd = -1;
			return nr;
		}
		close(loop->fd);
	}
	loop->fd = -1;
	return -EBUSY;
}

static int open_control(void)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV)) {
		dm_modprobe("loop");
		fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

int loop_attach(struct loop *loop, const char *path, bool read_only)
{
	struct loop_config config = { 0 };
	struct device file;
	char user[2304];
	int control, r;

	loop->fd = -1;
	/* locked while it is attached: not twice at once */
	r = device_open(&file, path, read_only ? DEVICE_READ : DEVICE_WRITE);
	if (r)
		return r;
	device_who_uses(path, user, sizeof(user));
	control = user[0] ? -EBUSY : open_control();
	if (control < 0) {
		device_close(&file);
		return control;
	}
	config.fd = file.fd;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);
	r = configure(loop, control, &config);
	close(control);
	device_close(&file);
	return r;
}
