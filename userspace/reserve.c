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
#include <sys/sysmacros.h>
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
 * Linux has had no call for that.  Nor can an NVMe namespace be left again by Linux's calls.
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

	int r = ioctl(fd, IOC_PR_REGISTER, &reg);

	/* a status of the disk's is positive */
	return r < 0 ? errno : r ? EBADE : 0;
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

static int taken(const char *path, u64 holder, u64 key)
{
	static const char advice[] = "Nothing was changed.  If that host is gone, or to be stopped: --take";

	return holder == key ?
	       tool_fail(TOOL_BUSY, advice, "%s: it is reserved with this host's key, through another path or by a "
			 "copy of this host", path) :
	       tool_fail(TOOL_BUSY, advice, "%s: another host has it reserved, key %016" PRIx64, path, holder);
}

/*
 * A reservation is of a whole disk: partitions and volumes of one would take and give it for each
 * other.  NULL, or why not.
 */
static const char *is_no_disk(int fd)
{
	char path[64], uuid[8] = "";
	struct stat st;
	int sysfs;

	if (fstat(fd, &st))
		return strerror(errno);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(st.st_rdev), minor(st.st_rdev));
	if (!access(path, F_OK))
		return "a partition takes no reservations, its disk does";
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(st.st_rdev), minor(st.st_rdev));
	sysfs = open(path, O_RDONLY | O_CLOEXEC);
	if (sysfs < 0)
		return NULL;
	if (read(sysfs, uuid, sizeof(uuid) - 1) < 0)
		uuid[0] = 0;
	close(sysfs);
	return strncmp(uuid, "mpath-", 6) ? "a volume takes no reservations, its disk does" : NULL;
}

/* From whoever has it: no write of that one begins any more. */
static int preempt(int fd, const char *path, u64 key, u64 holder)
{
	/* so the drivers put them into the command; Documentation/block/pr.rst says it the other way round */
	struct pr_preempt of = {
		.old_key = key, .new_key = holder, .type = PR_WRITE_EXCLUSIVE_REG_ONLY,
	};

	/* not "and abort": Linux's own target (6.12) waits for itself with it, for ever */
	if (ioctl(fd, IOC_PR_PREEMPT, &of))
		return tool_fail(TOOL_DEVICE, unchanged, "%s: the reservation cannot be taken over", path);
	usleep(UNDER_WAY_US);
	return 0;
}

/* *had: another one had it. */
static int reserve(const char *path, u64 key, bool take, bool *had)
{
	struct pr_reservation want = { .key = key, .type = PR_WRITE_EXCLUSIVE_REG_ONLY };
	int r = 0, error = 0, fd = open(path, DISK);
	const char *why;
	u64 holder = 0;

	if (fd < 0)
		return tool_fail_open(path, -errno, true);
	why = is_no_disk(fd);
	if (!why && read_holder(fd, &holder))
		why = "the disk takes no reservations that can be asked for (SCSI has them)";
	if (why) {
		r = cannot(path, why);
	} else if (holder && holder != key && !take) {
		r = taken(path, holder, key);
	} else {
		error = register_key(fd, 0, key, PR_FL_IGNORE_KEY);
		if (error == EPERM || error == EACCES)
			r = tool_fail(TOOL_PERMISSION, unchanged, "%s: %s", path, strerror(error));
		else if (error)
			r = cannot(path, "the disk takes no reservations");
		else if (ioctl(fd, IOC_PR_RESERVE, &want)) {
			read_holder(fd, &holder);
			*had = true;
			r = take ? preempt(fd, path, key, holder) : taken(path, holder, key);
			if (r)
				register_key(fd, key, 0, 0);
		}
	}
	close(fd);
	return r;
}

int reserve_disk(const struct disk *disk, bool take, bool *had)
{
	unsigned int i;
	u64 key;
	int r = own_key(&key);

	if (r)
		return r;
	*had = false;
	r = reserve(disk->data.path, key, take, had);
	for (i = 0; i < disk->nr_roots && !r; i++)
		if (disk->roots[i].fd >= 0)
			r = reserve(disk->roots[i].path, key, take, had);
	if (r && !*had)
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

void reserve_note(const char *name, bool had)
{
	char path[256];
	int fd;

	mkdir(TOOL_RUN_DIR, 0755);
	fd = open(mark_of(name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || (had && write(fd, "taken\n", 6) != 6))
		tool_warn("%s: %s; close will not give the reservation back", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

bool reserve_forget(const char *name)
{
	char path[256];
	struct stat st;

	if (stat(mark_of(name, path), &st) || unlink(path))
		return false;
	if (st.st_size)
		tool_warn("%s: its disk stays reserved for this host: the one that it was taken from may have it open "
			  "still.\n  Once that is not so: open it with --reserve, and close it.", name);
	return !st.st_size;
}
