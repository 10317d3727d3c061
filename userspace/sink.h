/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sink.h - where export writes to: a file, a block device, or standard output.
 *
 * A file is written beside its place and gets its name at the end, so that whatever
 * had that name stays until the copy is whole and on the disk.
 */
#ifndef TRIAD_SINK_H
#define TRIAD_SINK_H

#include "device.h"
#include "tool.h"

enum sink_kind {
	SINK_FILE,
	SINK_BLOCK,
	SINK_STREAM,
};

struct sink {
	enum sink_kind kind;
	const char *path;	/* the user's */
	char *place;		/* SINK_FILE: the same, links resolved */
	char *temporary;
	bool replaces;
	struct device old;	/* what is replaced, or the block device: locked until the end */
	int fd;
	u64 size;		/* bytes */
	u64 at;			/* blocks before it are written */
	u64 lba;		/* of what is in the buffer */
	u32 nr;
	u8 *buffer;
};

/*
 * Open it for size bytes; path "-" is standard output.  Never anything that is, holds
 * or lies on source, nor what is in use; what exists only with force.  Returns an
 * exit code and has said why it is not 0.  To be closed in any case.
 */
int sink_open(struct sink *sink, const char *path, u64 size, const struct disk *source,
	      bool force);

/* One block; LBAs must rise.  What is left out is zeroes.  -errno. */
int sink_put(struct sink *sink, u64 lba, const u8 *data);

/* All that is left, onto the disk and under its name.  -errno. */
int sink_finish(struct sink *sink);

/* What is not finished is removed. */
void sink_close(struct sink *sink);

#endif
