// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "reserve.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/pr.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define PERSISTENT_RESERVE_IN	0x5e
#define READ_RESERVATION	1
#define TIMEOUT_MS		10000u
#define UNDER_WAY_US		1000000u	/* what the disk was doing for the other one ends */
#define DISK			(O_RDWR | O_NONBLOCK | O_CLOEXEC)

static const char unchanged[] = "Nothing was changed.";

/* By what disks know this host: made of /etc/machine-id, which is not to be told as it is. */
static int own_key(u64 *key)
{
	char id[64] = "";
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, id, sizeof(id) - 1) < 32) {
		if (fd >= 0)
			close(fd);
		return tool_fail(TOOL_SYSTEM, "Nothing was changed.  systemd-machine-id-setup makes one.",
				 "/etc/machine-id is missing: by that disks know this host");
	}
	close(fd);
	*key = triad_xxh64(id, 32) | 1;
	return 0;
}

/*
 * The key of whoever has it reserved, 0: nobody.  Only SCSI disks can be asked, by the command itself:
 * Linux has had no call for that.
 */
static int read_holder(int fd, u64 *key)
{
	u8 cdb[10] = { PERSISTENT_RESERVE_IN, READ_RESERVATION }, data[24] = { 0 }, sense[32];
	sg_io_hdr_t io = {
		.interface_id = 'S', .dxfer_direction = SG_DXFER_FROM_DEV, .cmd_len = sizeof(cdb),
		.cmdp = cdb, .dxferp = data, .dxfer_len = sizeof(data), .sbp = sense,
		.mx_sb_len = sizeof(sense), .timeout = TIMEOUT_MS,
	};
	unsigned int i;

	cdb[8] = sizeof(data);
	*key = 0;
	if (ioctl(fd, SG_IO, &io))
		return -errno;
	if (io.status || io.host_status)
		return -EIO;
	/* header: generation, additional length; then the descriptor, if there is one */
	if (data[7] >= 16)
		for (i = 8; i < 16; i++)
			*key = *key << 8 | data[i];
	return 0;
}

static int register_key(int fd, u64 old, u64 new, u32 flags)
{
	struct pr_registration reg = { .old_key = old, .new_key = new, .flags = flags };

	return ioctl(fd, IOC_PR_REGISTER, &reg) ? errno ?: EIO : 0;
}

static void give_back(int fd, u64 key)
{
	struct pr_reservation held = { .key = key, .type = PR_WRITE_EXCLUSIVE_REG_ONLY };

	ioctl(fd, IOC_PR_RELEASE, &held);
	register_key(fd, key, 0, 0);
}

static int cannot(const char *path, const char *what)
{
	return tool_fail(TOOL_SYSTEM, "Nothing was changed.  Without --reserve nobody keeps two hosts from "
			 "writing to it.", "%s: %s", path, what);
}

static int taken(const char *path, u64 holder)
{
	char by[64] = "";

	if (holder)
		snprintf(by, sizeof(by), ", key %016" PRIx64, holder);
	return tool_fail(TOOL_BUSY, "Nothing was changed.  If that host is gone, or to be stopped: --take",
			 "%s: another host has it reserved%s", path, by);
}

/* From whoever has it: no write of that one begins any more. */
static int preempt(int fd, const char *path, u64 key)
{
	struct pr_preempt of = { .old_key = key, .type = PR_WRITE_EXCLUSIVE_REG_ONLY };
	u64 holder;
	int r = read_holder(fd, &holder);

	if (r)
		return cannot(path, "who has it reserved cannot be told, so it cannot be taken from him");
	/* so the drivers put them into the command; Documentation/block/pr.rst says it the other way round */
	of.new_key = holder;
	/* not "and abort": Linux's own target (6.12) waits for itself with it, for ever */
	if (!ioctl(fd, IOC_PR_PREEMPT, &of)) {
		usleep(UNDER_WAY_US);
		return 0;
	}
	return tool_fail(TOOL_DEVICE, unchanged, "%s: the reservation cannot be taken over", path);
}

static int reserve(const char *path, u64 key, bool take)
{
	struct pr_reservation want = { .key = key, .type = PR_WRITE_EXCLUSIVE_REG_ONLY };
	int r = 0, error, fd = open(path, DISK);
	u64 holder = 0;

	if (fd < 0)
		return tool_fail_open(path, -errno, true);
	error = register_key(fd, 0, key, PR_FL_IGNORE_KEY);
	if (error == EPERM || error == EACCES)
		r = tool_fail(TOOL_PERMISSION, unchanged, "%s: %s", path, strerror(error));
	else if (error)
		r = cannot(path, "the disk takes no reservations");
	else if (ioctl(fd, IOC_PR_RESERVE, &want))
		r = take ? preempt(fd, path, key) : (read_holder(fd, &holder), taken(path, holder));
	if (r && !error)
		register_key(fd, key, 0, 0);
	close(fd);
	return r;
}

int reserve_disk(const struct disk *disk, bool take)
{
	unsigned int i;
	u64 key;
	int r = own_key(&key);

	if (r)
		return r;
	r = reserve(disk->data.path, key, take);
	for (i = 0; i < disk->nr_roots && !r; i++)
		if (disk->roots[i].fd >= 0)
			r = reserve(disk->roots[i].path, key, take);
	if (r)
		while (i-- > 0)
			reserve_release(i ? disk->roots[i - 1].path : disk->data.path);
	return r;
}

void reserve_release(const char *path)
{
	int fd = open(path, DISK);
	u64 key;

	if (fd < 0)
		return;
	if (!own_key(&key))
		give_back(fd, key);
	close(fd);
}

/* ---- which mappings have one, until the next start ------------------------------------------- */

static const char *mark_of(const char *name, char path[256])
{
	snprintf(path, 256, TOOL_RUN_DIR "/reserved.%s", name);
	return path;
}

void reserve_note(const char *name)
{
	char path[256];
	int fd;

	mkdir(TOOL_RUN_DIR, 0755);
	fd = open(mark_of(name, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		tool_warn("%s: %s; close will not give the reservation back", path, strerror(errno));
	else
		close(fd);
}

bool reserve_forget(const char *name)
{
	char path[256];

	return !unlink(mark_of(name, path));
}
