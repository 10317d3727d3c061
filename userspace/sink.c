// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sink.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH		256u
#define BATCH_BYTES	((u64)BATCH * TRIAD_BLOCK_SIZE)
#define ZERO_BYTES	(1ULL << 30)	/* in one ioctl: signals wait for its end */

static const char unchanged[] = "Nothing was changed.";

/* ---- the unfinished file ------------------------------------------------------ */

static const char *unfinished;

static void remove_unfinished(int signal_nr)
{
	if (unfinished)
		unlink(unfinished);
	signal(signal_nr, SIG_DFL);
	raise(signal_nr);
}

static void watch_signals(void)
{
	static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU };
	struct sigaction old;
	size_t i;

	for (i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		if (!sigaction(deadly[i], NULL, &old) && old.sa_handler != SIG_IGN)
			signal(deadly[i], remove_unfinished);
	/* a limit is an error like a full disk */
	signal(SIGXFSZ, SIG_IGN);
}

/* Beside its place: only there can it be renamed to it. */
static int make_temporary(struct sink *sink)
{
	const char *slash = strrchr(sink->place, '/');
	int nr = slash ? slash + 1 - sink->place : 0;
	mode_t mode = 0600;
	struct stat st;

	if (asprintf(&sink->temporary, "%.*s.triadsetup.XXXXXX", nr, sink->place) < 0) {
		sink->temporary = NULL;
		return -ENOMEM;
	}
	unfinished = sink->temporary;
	watch_signals();
	sink->fd = mkostemp(sink->temporary, O_CLOEXEC);
	if (sink->fd < 0)
		return -errno;
	/* whoever could read the old one; nobody else if its owner cannot be kept */
	if (sink->replaces && !fstat(sink->old.fd, &st) &&
	    !fchown(sink->fd, st.st_uid, st.st_gid))
		mode = st.st_mode & 07777;
	if (fchmod(sink->fd, mode) || ftruncate(sink->fd, sink->size))
		return -errno;
	return 0;
}

static void sync_directory(const char *place)
{
	const char *slash = strrchr(place, '/');
	char *path = slash ? strndup(place, slash + 1 - place) : strdup(".");
	int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	/* not every filesystem can */
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(path);
}

static int give_name(struct sink *sink)
{
	int r;

	if (sink->replaces)
		r = rename(sink->temporary, sink->place);
	else
		r = renameat2(AT_FDCWD, sink->temporary, AT_FDCWD, sink->place, RENAME_NOREPLACE);
	/* a filesystem without that, NFS for one */
	if (r && errno == EINVAL && !sink->replaces) {
		r = link(sink->temporary, sink->place);
		if (!r)
			unlink(sink->temporary);
	}
	if (r)
		return -errno;
	unfinished = NULL;
	free(sink->temporary);
	sink->temporary = NULL;
	sync_directory(sink->place);
	return 0;
}

/* ---- open ---------------------------------------------------------------------- */

static int check_apart(const struct sink *sink, const struct device *target,
		       const struct disk *source)
{
	bool one = device_overlaps(target, &source->data);
	unsigned int i;

	for (i = 0; i < source->nr_roots; i++)
		one |= device_overlaps(target, &source->roots[i]);
	return one ? tool_fail(TOOL_USAGE, "Nothing was changed.  Name another place.",
			       "%s: this is, or lies on, the device to export", sink->path) : 0;
}

static int open_stream(struct sink *sink, const struct disk *source)
{
	struct device target = { .path = sink->path, .fd = -1 };
	struct stat st;

	sink->kind = SINK_STREAM;
	sink->fd = STDOUT_FILENO;
	if (isatty(sink->fd) || (!fstat(sink->fd, &st) && S_ISBLK(st.st_mode)))
		return tool_fail(TOOL_USAGE, "Nothing was written.  Name a file or a device, or "
				 "pipe it into a program.",
				 "export: standard output is a %s",
				 isatty(sink->fd) ? "terminal" : "block device");
	if (fstat(sink->fd, &st))
		return tool_fail(TOOL_USAGE, unchanged, "export: standard output: %s",
				 strerror(errno));
	target.dev = st.st_dev;
	target.ino = st.st_ino;
	return S_ISREG(st.st_mode) ? check_apart(sink, &target, source) : 0;
}

/* The same of what has the name now, opened for a look only. */
static int look_apart(struct sink *sink, const struct disk *source)
{
	int r = device_open(&sink->old, sink->path, DEVICE_READ);

	if (r)
		return tool_fail_open(sink->path, r, true);
	r = check_apart(sink, &sink->old, source);
	device_close(&sink->old);
	return r;
}

static int open_block(struct sink *sink, const struct disk *source, bool force)
{
	int r;

	sink->kind = SINK_BLOCK;
	if (!force)
		return tool_fail(TOOL_BUSY,
				 "Nothing was changed.  With --force what it holds is lost.",
				 "%s: it is a block device", sink->path);
	r = look_apart(sink, source);
	if (r)
		return r;
	r = device_open(&sink->old, sink->path, DEVICE_WRITE);
	if (r)
		return tool_fail_open(sink->path, r, true);
	sink->fd = sink->old.fd;
	if (sink->old.sector > TRIAD_BLOCK_SIZE)
		return tool_fail_open(sink->path, -ENOTSUP, true);
	if (sink->old.bytes < sink->size)
		return tool_fail(TOOL_DEVICE, unchanged, "%s: it has %llu bytes, the content %llu",
				 sink->path, (unsigned long long)sink->old.bytes,
				 (unsigned long long)sink->size);
	return 0;
}

/* The file that has the name now. */
static int look_at_old(struct sink *sink, const struct disk *source, bool force)
{
	char users[2304];
	int r;

	r = look_apart(sink, source);
	if (r)
		return r;
	if (!force)
		return tool_fail(TOOL_BUSY, "Nothing was changed.  With --force it is replaced.",
				 "%s: it exists", sink->path);
	r = device_open(&sink->old, sink->path, DEVICE_WRITE);
	device_who_uses(sink->path, users, sizeof(users));
	if (r || users[0])
		return tool_fail_open(sink->path, r ? r : -EBUSY, true);
	sink->replaces = true;
	return 0;
}

static int open_file(struct sink *sink, const struct disk *source, const struct stat *st,
		     bool force)
{
	struct device target = { .path = sink->path, .fd = -1 };
	struct stat made;
	int r = 0;

	sink->kind = SINK_FILE;
	if (st)
		r = look_at_old(sink, source, force);
	if (r)
		return r;
	sink->place = st ? realpath(sink->path, NULL) : strdup(sink->path);
	r = sink->place ? make_temporary(sink) : -errno;
	if (r)
		return tool_fail(tool_exit_of(r), unchanged, "%s: %s", sink->path, strerror(-r));
	/* a filesystem on the device itself, mounted */
	if (!fstat(sink->fd, &made))
		target.dev = made.st_dev;
	return check_apart(sink, &target, source);
}

int sink_open(struct sink *sink, const char *path, u64 size, const struct disk *source,
	      bool force)
{
	struct stat st;

	memset(sink, 0, sizeof(*sink));
	sink->path = path;
	sink->size = size;
	sink->fd = sink->old.fd = -1;
	sink->buffer = aligned_alloc(TRIAD_BLOCK_SIZE, BATCH_BYTES);
	if (!sink->buffer)
		return tool_fail(TOOL_MEMORY, unchanged, "out of memory");
	if (!strcmp(path, "-"))
		return open_stream(sink, source);
	if (stat(path, &st)) {
		if (errno != ENOENT)
			return tool_fail_open(path, -errno, true);
		if (lstat(path, &st))
			return open_file(sink, source, NULL, force);
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  Remove it, or name another place.",
				 "%s: it is a link that leads nowhere", path);
	}
	if (S_ISBLK(st.st_mode))
		return open_block(sink, source, force);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return open_file(sink, source, &st, force);
	return tool_fail(TOOL_USAGE, "Nothing was changed.  Name a file or a block device; '-' is "
			 "standard output.", "%s: it is neither a file nor a block device", path);
}

/* ---- write ----------------------------------------------------------------------- */

static int write_all(const struct sink *sink, const u8 *from, size_t size, u64 at)
{
	while (size) {
		ssize_t n = sink->kind == SINK_STREAM ? write(sink->fd, from, size) :
			    pwrite(sink->fd, from, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		at += n;
		size -= n;
	}
	return 0;
}

/* Zeroes from what is written to end, a block; a file has a hole there. */
static int write_zeroes(const struct sink *sink, u64 end)
{
	static const u8 zeroes[64 * TRIAD_BLOCK_SIZE];
	u64 most = sink->kind == SINK_BLOCK ? ZERO_BYTES : sizeof(zeroes);
	u64 at = sink->at << TRIAD_BLOCK_SHIFT;
	int r = 0;

	if (sink->kind == SINK_FILE)
		return 0;
	for (end <<= TRIAD_BLOCK_SHIFT; at < end && !r; ) {
		u64 range[2] = { at, min_t(u64, most, end - at) };

		if (sink->kind == SINK_STREAM)
			r = write_all(sink, zeroes, range[1], at);
		else if (ioctl(sink->fd, BLKZEROOUT, range))
			r = -errno;
		at += range[1];
	}
	return r;
}

static int flush(struct sink *sink)
{
	int r;

	if (!sink->nr)
		return 0;
	r = write_zeroes(sink, sink->lba);
	if (!r)
		r = write_all(sink, sink->buffer, (size_t)sink->nr << TRIAD_BLOCK_SHIFT,
			      sink->lba << TRIAD_BLOCK_SHIFT);
	sink->at = sink->lba + sink->nr;
	sink->nr = 0;
	return r;
}

int sink_put(struct sink *sink, u64 lba, const u8 *data)
{
	int r;

	if (is_zero(data, TRIAD_BLOCK_SIZE))
		return 0;
	if (sink->nr == BATCH || lba != sink->lba + sink->nr) {
		r = flush(sink);
		if (r)
			return r;
	}
	if (!sink->nr)
		sink->lba = lba;
	memcpy(sink->buffer + ((size_t)sink->nr++ << TRIAD_BLOCK_SHIFT), data, TRIAD_BLOCK_SIZE);
	return 0;
}

int sink_finish(struct sink *sink)
{
	int r;

	r = flush(sink);
	if (!r)
		r = write_zeroes(sink, sink->size >> TRIAD_BLOCK_SHIFT);
	/* a pipe cannot */
	if (!r && fsync(sink->fd) && (sink->kind != SINK_STREAM || errno != EINVAL))
		r = -errno;
	if (!r && sink->kind == SINK_FILE)
		r = give_name(sink);
	if (!r && sink->kind == SINK_BLOCK) {
		device_close(&sink->old);
		device_forget_partitions(sink->path);
	}
	return r;
}

void sink_close(struct sink *sink)
{
	if (sink->kind == SINK_FILE && sink->fd >= 0)
		close(sink->fd);
	if (sink->temporary && sink->fd >= 0)
		unlink(sink->temporary);
	unfinished = NULL;
	free(sink->temporary);
	free(sink->place);
	free(sink->buffer);
	device_close(&sink->old);
	memset(sink, 0, sizeof(*sink));
	sink->fd = sink->old.fd = -1;
}
