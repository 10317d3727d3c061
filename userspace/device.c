// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "device.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BOUNCE_BLOCKS	256u
#define BOUNCE_BYTES	((size_t)BOUNCE_BLOCKS * TRIAD_BLOCK_SIZE)

static int block_size(struct device *dev)
{
	int sector = 512, read_only = 0;

	if (ioctl(dev->fd, BLKGETSIZE64, &dev->bytes) || ioctl(dev->fd, BLKSSZGET, &sector) ||
	    ioctl(dev->fd, BLKROGET, &read_only))
		return -errno;
	dev->sector = sector;
	dev->read_only = read_only;
	return 0;
}

/* As QEMU does with an image that a machine uses. */
static bool locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

int device_open(struct device *dev, const char *path, enum device_mode mode)
{
	int flags = (mode == DEVICE_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	struct stat st;
	int r = 0;

	memset(dev, 0, sizeof(*dev));
	dev->path = path;
	dev->fd = -1;
	/* before opening: a fifo would wait for its other end */
	if (stat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return -ENOTBLK;
	dev->block = S_ISBLK(st.st_mode);
	/*
	 * A running dm-triad writes past the page cache: what is cached of its
	 * device may be old.
	 */
	if (dev->block)
		flags |= O_DIRECT | (mode == DEVICE_WRITE ? O_EXCL : 0);
	dev->fd = open(path, flags);
	if (dev->fd < 0)
		return -errno;
	if (dev->block) {
		dev->dev = st.st_rdev;
		r = block_size(dev);
		/* opening it for writing succeeds, writing fails */
		if (!r && mode == DEVICE_WRITE && dev->read_only)
			r = -EROFS;
	} else {
		dev->dev = st.st_dev;
		dev->ino = st.st_ino;
		dev->bytes = st.st_size;
		dev->sector = 512;
		if (mode == DEVICE_WRITE && (flock(dev->fd, LOCK_EX | LOCK_NB) || locked(dev->fd)))
			r = -EBUSY;
	}
	if (r)
		device_close(dev);
	return r;
}

void device_close(struct device *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

bool device_same(const struct device *x, const struct device *y)
{
	return x->block == y->block && x->dev == y->dev && x->ino == y->ino;
}

/* ---- who uses it ----------------------------------------------------------- */

/* The mount point of a device, from a line of mountinfo: "id parent maj:min root point". */
static bool find_mount(dev_t dev, char *point, size_t size)
{
	char line[4096], path[2048];
	unsigned int major_nr, minor_nr;
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %u:%u %*s %2047s", &major_nr, &minor_nr, path) != 3)
			continue;
		if (makedev(major_nr, minor_nr) != dev)
			continue;
		snprintf(point, size, "it is mounted on %s", path);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static bool same_file(const struct stat *x, const struct stat *y)
{
	if (S_ISBLK(x->st_mode) || S_ISBLK(y->st_mode))
		return S_ISBLK(x->st_mode) && S_ISBLK(y->st_mode) && x->st_rdev == y->st_rdev;
	return x->st_dev == y->st_dev && x->st_ino == y->st_ino;
}

bool device_is_same(const char *x, const char *y)
{
	struct stat a, b;

	return !stat(x, &a) && !stat(y, &b) && same_file(&a, &b);
}

/* A device, or a file. */
static bool find_swap(const struct stat *what, char *text, size_t size)
{
	char line[4096], path[2048];
	bool found = false;
	struct stat st;
	FILE *f = fopen("/proc/swaps", "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%2047s", path) != 1 || stat(path, &st) || !same_file(&st, what))
			continue;
		snprintf(text, size, "it is swap space");
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static void read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	line[0] = 0;
	if (f && fgets(line, size, f))
		line[strcspn(line, "\n")] = 0;
	if (f)
		fclose(f);
}

static bool find_holder(dev_t dev, char *text, size_t size)
{
	char path[512], name[256];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", entry->d_name);
		read_line(path, name, sizeof(name));
		if (name[0])
			snprintf(text, size, "it is part of /dev/mapper/%s", name);
		else
			snprintf(text, size, "it is part of /dev/%s", entry->d_name);
		found = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

/*
 * Whether a loop device ("loop0") has this file, by whatever name.  The path may be
 * gone, or lead elsewhere from here; the loop device itself may not be ours to open.
 */
static bool loop_has(const char *loop, const struct stat *file)
{
	char path[512], backing[4096];
	struct loop_info64 info;
	struct stat st;
	bool found;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", loop);
	read_line(path, backing, sizeof(backing));
	if (!backing[0])
		return false;
	if (!stat(backing, &st) && same_file(&st, file))
		return true;
	snprintf(path, sizeof(path), "/dev/%s", loop);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	found = fd >= 0 && !ioctl(fd, LOOP_GET_STATUS64, &info) &&
		info.lo_device == file->st_dev && info.lo_inode == file->st_ino;
	if (fd >= 0)
		close(fd);
	return found;
}

static bool find_loop(const struct stat *file, char *text, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir("/sys/block");
	while (dir && !found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4) || !loop_has(entry->d_name, file))
			continue;
		snprintf(text, size, "it is attached to /dev/%s", entry->d_name);
		found = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool find_user(const struct stat *what, char *text, size_t size)
{
	if (find_swap(what, text, size))
		return true;
	if (!S_ISBLK(what->st_mode))
		return find_loop(what, text, size);
	return find_mount(what->st_rdev, text, size) || find_holder(what->st_rdev, text, size);
}

/* The device number in a file of sysfs. */
static bool read_dev(const char *path, dev_t *dev)
{
	unsigned int major_nr, minor_nr;
	char line[64];

	read_line(path, line, sizeof(line));
	if (sscanf(line, "%u:%u", &major_nr, &minor_nr) != 2)
		return false;
	*dev = makedev(major_nr, minor_nr);
	return true;
}

static void find_partition(dev_t dev, char *text, size_t size)
{
	struct stat st = { .st_mode = S_IFBLK };
	char path[512], user[2304];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/partition", major(dev),
			 minor(dev), entry->d_name);
		if (access(path, F_OK))
			continue;
		strcpy(strrchr(path, '/'), "/dev");
		found = read_dev(path, &st.st_rdev) && find_user(&st, user, sizeof(user));
		if (found)
			snprintf(text, size, "its partition %s: %s", entry->d_name, user);
	}
	if (dir)
		closedir(dir);
}

static void find_any_user(const struct stat *what, char *text, size_t size)
{
	text[0] = 0;
	if (!find_user(what, text, size) && S_ISBLK(what->st_mode))
		find_partition(what->st_rdev, text, size);
}

void device_who_uses_dev(dev_t dev, char *text, size_t size)
{
	struct stat st = { .st_mode = S_IFBLK, .st_rdev = dev };

	find_any_user(&st, text, size);
}

void device_who_uses(const char *path, char *text, size_t size)
{
	struct stat st;

	text[0] = 0;
	if (!stat(path, &st))
		find_any_user(&st, text, size);
}

/* ---- what lies on what -------------------------------------------------------- */

static bool lies_on(dev_t dev, const struct device *below, int depth);

static bool loop_lies_on(dev_t dev, const struct device *below, int depth)
{
	char path[512], target[512], backing[4096];
	struct stat st, file = { .st_mode = S_IFREG, .st_dev = below->dev, .st_ino = below->ino };
	ssize_t nr;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	nr = readlink(path, target, sizeof(target) - 1);
	target[nr > 0 ? nr : 0] = 0;
	if (!strstr(target, "/loop"))
		return false;
	if (!below->block && loop_has(strrchr(target, '/') + 1, &file))
		return true;
	strcat(path, "/loop/backing_file");
	read_line(path, backing, sizeof(backing));
	return !stat(backing, &st) &&
	       lies_on(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev, below, depth);
}

static bool slaves_lie_on(dev_t dev, const struct device *below, int depth)
{
	struct dirent *entry;
	bool found = false;
	char path[512];
	dev_t slave;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(dev), minor(dev));
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves/%s/dev", major(dev),
			 minor(dev), entry->d_name);
		found = entry->d_name[0] != '.' && read_dev(path, &slave) &&
			lies_on(slave, below, depth);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool lies_on(dev_t dev, const struct device *below, int depth)
{
	char path[512];
	dev_t disk;

	if (below->block && dev == below->dev)
		return true;
	if (!depth--)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
	if (!access(path, F_OK)) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
		if (read_dev(path, &disk) && lies_on(disk, below, depth))
			return true;
	}
	return slaves_lie_on(dev, below, depth) || loop_lies_on(dev, below, depth);
}

bool device_overlaps(const struct device *x, const struct device *y)
{
	return device_same(x, y) || lies_on(x->dev, y, 16) || lies_on(y->dev, x, 16);
}

void device_forget_partitions(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* what is no whole disk, or has none, says EINVAL or ENOTTY */
	ioctl(fd, BLKRRPART);
	close(fd);
}

/* ---- store ------------------------------------------------------------------- */

static int read_bytes(const struct device *dev, u64 offset, size_t size, u8 *buf)
{
	/* not rot: the device is too short */
	if (offset > dev->bytes || size > dev->bytes - offset)
		return -ERANGE;
	while (size) {
		ssize_t n = pread(dev->fd, buf, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EIO ? -ENODATA : -errno;
		if (!n)
			return -ERANGE;
		buf += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static int write_bytes(const struct device *dev, u64 offset, size_t size, const u8 *buf)
{
	if (offset > dev->bytes || size > dev->bytes - offset)
		return -ERANGE;
	while (size) {
		ssize_t n = pwrite(dev->fd, buf, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static struct disk *disk_of(struct triad_store *store)
{
	return (struct disk *)((char *)store - offsetof(struct disk, store));
}

static int disk_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct disk *disk = disk_of(store);
	u8 *to = buf;
	int r;

	for (; nr; ) {
		u32 n = min_t(u32, nr, BOUNCE_BLOCKS);
		size_t size = (size_t)n * TRIAD_BLOCK_SIZE;

		r = read_bytes(&disk->data, pba << TRIAD_BLOCK_SHIFT, size, disk->bounce);
		if (r)
			return r;
		memcpy(to, disk->bounce, size);
		to += size;
		pba += n;
		nr -= n;
	}
	return 0;
}

static int disk_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct disk *disk = disk_of(store);
	const u8 *from = buf;
	int r;

	for (; nr; ) {
		u32 n = min_t(u32, nr, BOUNCE_BLOCKS);
		size_t size = (size_t)n * TRIAD_BLOCK_SIZE;

		memcpy(disk->bounce, from, size);
		r = write_bytes(&disk->data, pba << TRIAD_BLOCK_SHIFT, size, disk->bounce);
		if (r)
			return r;
		from += size;
		pba += n;
		nr -= n;
	}
	return 0;
}

static int disk_flush(struct triad_store *store)
{
	const struct disk *disk = disk_of(store);
	unsigned int i;
	int r = fdatasync(disk->data.fd);

	for (i = 0; i < disk->nr_roots && !r; i++)
		if (!(disk->store.lost & 1u << i))
			r = fdatasync(disk->roots[i].fd);
	return r ? -errno : 0;
}

static bool is_missing(const char *path)
{
	return !strcmp(path, DEVICE_MISSING);
}

int disk_missing(const struct disk *disk)
{
	unsigned int i;

	for (i = 0; i < disk->nr_roots; i++)
		if (is_missing(disk->roots[i].path))
			return i;
	return -1;
}

const struct device *disk_slot(const struct disk *disk, unsigned int slot, u64 *offset)
{
	*offset = disk->nr_roots == TRIAD_NR_SLOTS ? 0 :
		  TRIAD_SLOT_PBA(slot) << TRIAD_BLOCK_SHIFT;
	if (!disk->nr_roots)
		return &disk->data;
	return &disk->roots[disk->nr_roots == TRIAD_NR_SLOTS ? slot : 0];
}

static int disk_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	struct disk *disk = disk_of(store);
	u64 offset;
	const struct device *dev = disk_slot(disk, slot, &offset);
	int r = dev->fd < 0 ? -ENXIO :
		read_bytes(dev, offset, TRIAD_BLOCK_SIZE, disk->bounce);

	if (!r)
		memcpy(buf, disk->bounce, TRIAD_BLOCK_SIZE);
	return r;
}

static int disk_write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	struct disk *disk = disk_of(store);
	u64 offset;
	const struct device *dev = disk_slot(disk, slot, &offset);
	int r;

	if (dev->fd < 0)
		return -ENXIO;
	memcpy(disk->bounce, buf, TRIAD_BLOCK_SIZE);
	r = write_bytes(dev, offset, TRIAD_BLOCK_SIZE, disk->bounce);
	if (!r && fdatasync(dev->fd))
		r = -errno;
	return r;
}

static const struct triad_store_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.read_root = disk_read_root,
	.write_root = disk_write_root,
};

static int check_devices(const struct disk *disk, const char **which)
{
	unsigned int i, j;

	*which = disk->data.path;
	if (disk->data.sector > TRIAD_BLOCK_SIZE)
		return -ENOTSUP;
	for (i = 0; i < disk->nr_roots; i++) {
		*which = disk->roots[i].path;
		if (disk->roots[i].fd < 0) {
			/* one of three at most */
			if (disk->nr_roots != TRIAD_NR_SLOTS || disk_missing(disk) != (int)i)
				return -ENXIO;
			continue;
		}
		if (disk->roots[i].sector > TRIAD_BLOCK_SIZE)
			return -ENOTSUP;
		if (device_same(&disk->roots[i], &disk->data))
			return -EEXIST;
		for (j = 0; j < i; j++)
			if (disk->roots[j].fd >= 0 &&
			    device_same(&disk->roots[i], &disk->roots[j]))
				return -EEXIST;
	}
	return 0;
}

void disk_init(struct disk *disk, const struct device *dev, void *bounce)
{
	unsigned int i;

	memset(disk, 0, sizeof(*disk));
	disk->store.ops = &disk_ops;
	disk->data = *dev;
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		disk->roots[i].fd = -1;
	disk->bounce = bounce;
}

void disk_none(struct disk *disk)
{
	const struct device none = { .fd = -1 };

	disk_init(disk, &none, NULL);
}

int disk_open(struct disk *disk, const char *path, const char *const *root_paths,
	      unsigned int nr_roots, enum device_mode mode, const char **which)
{
	unsigned int i;
	int r;

	disk_none(disk);
	disk->nr_roots = nr_roots;

	/* the same device twice would look busy: compare before claiming */
	if (mode == DEVICE_WRITE) {
		r = disk_open(disk, path, root_paths, nr_roots, DEVICE_READ, which);
		if (r)
			return r;
		disk_close(disk);
	}
	*which = path;
	disk->bounce = aligned_alloc(TRIAD_BLOCK_SIZE, BOUNCE_BYTES);
	if (!disk->bounce)
		return -ENOMEM;
	r = device_open(&disk->data, path, mode);
	for (i = 0; i < nr_roots && !r; i++) {
		*which = disk->roots[i].path = root_paths[i];
		if (!is_missing(root_paths[i]))
			r = device_open(&disk->roots[i], root_paths[i], mode);
	}
	if (!r)
		r = check_devices(disk, which);
	if (r)
		disk_close(disk);
	return r;
}

void disk_close(struct disk *disk)
{
	unsigned int i;

	device_close(&disk->data);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		device_close(&disk->roots[i]);
	free(disk->bounce);
	disk->bounce = NULL;
}

int disk_open_target(struct disk *target, const struct disk *disk, const char *const *paths,
		     unsigned int nr, const char **which)
{
	struct device first;
	struct disk both;
	unsigned int i;
	int r;

	disk_none(target);
	*which = paths[0];
	r = device_open(&first, paths[0], DEVICE_READ);
	if (r)
		return r;
	device_close(&first);
	target->bounce = aligned_alloc(TRIAD_BLOCK_SIZE, BOUNCE_BYTES);
	if (!target->bounce)
		return -ENOMEM;
	target->data = disk->data;
	if (nr == 1 && device_same(&first, &disk->data))
		return 0;
	/* the same device twice would look busy */
	r = disk_open(&both, disk->data.path, paths, nr, DEVICE_READ, which);
	if (r)
		return r;
	disk_close(&both);
	target->nr_roots = nr;
	for (i = 0; i < nr && !r; i++) {
		*which = paths[i];
		r = device_open(&target->roots[i], paths[i], DEVICE_WRITE);
	}
	return r;
}

void disk_close_target(struct disk *target)
{
	target->data.fd = -1;	/* the disk's */
	disk_close(target);
}

static const struct device *member(const struct disk *disk, unsigned int i)
{
	return i < disk->nr_roots ? &disk->roots[i] : &disk->data;
}

bool disk_read_only(const struct disk *disk)
{
	unsigned int i;

	for (i = 0; i <= disk->nr_roots; i++)
		if (member(disk, i)->read_only)
			return true;
	return false;
}

int disk_attached(const struct disk *disk, const char **which)
{
	char users[2304];
	unsigned int i;

	for (i = 0; i <= disk->nr_roots; i++) {
		/* the data device first: it is told of when several are */
		const struct device *dev = i ? &disk->roots[i - 1] : &disk->data;

		*which = dev->path;
		if (dev->block || dev->fd < 0)
			continue;
		device_who_uses(dev->path, users, sizeof(users));
		if (users[0])
			return -EBUSY;
	}
	return 0;
}

int disk_claimed(const struct disk *disk, const char **which)
{
	unsigned int i;
	int fd;

	for (i = 0; i <= disk->nr_roots; i++) {
		const struct device *dev = member(disk, i);

		if (!dev->block)
			continue;
		*which = dev->path;
		fd = open(dev->path, O_RDONLY | O_EXCL | O_CLOEXEC);
		if (fd < 0 && errno == EBUSY)
			return -EBUSY;
		if (fd >= 0)
			close(fd);
	}
	return 0;
}
