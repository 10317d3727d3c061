/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace.h - tracepoints: what an instance does, as it does it.  doc/kernel tells of each.
 *
 * They belong to dm-triad-base, so that a trace goes on when one build of the module takes
 * over from another.  So their arguments are numbers, and stay as they are.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM triad

#if !defined(TRIAD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TRIAD_TRACE_H

#include <linux/types.h>
#include <linux/kdev_t.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#define TRIAD_TRACE_DEV	__field(u32, major) __field(u32, minor)
#define TRIAD_TRACE_SET	__entry->major = MAJOR(dev), __entry->minor = MINOR(dev)

/* A record goes to the disk. */
TRACE_EVENT(record_submit,
	TP_PROTO(dev_t dev, u64 seq, u32 blocks, bool fua),
	TP_ARGS(dev, seq, blocks, fua),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(u64, seq) __field(u32, blocks) __field(bool, fua)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->seq = seq; __entry->blocks = blocks;
		       __entry->fua = fua;),
	TP_printk("%u:%u seq %llu blocks %u%s", __entry->major, __entry->minor, __entry->seq,
		  __entry->blocks, __entry->fua ? " fua" : "")
);

/* It is there, and so are all before it: its writes are acknowledged now. */
TRACE_EVENT(record_publish,
	TP_PROTO(dev_t dev, u64 seq, int error),
	TP_ARGS(dev, seq, error),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(u64, seq) __field(int, error)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->seq = seq; __entry->error = error;),
	TP_printk("%u:%u seq %llu error %d", __entry->major, __entry->minor, __entry->seq,
		  __entry->error)
);

/* The disk has answered a flush; by whom it was sent, and how long that took. */
TRACE_EVENT(flush,
	TP_PROTO(dev_t dev, bool commit, u64 nsecs, int error),
	TP_ARGS(dev, commit, nsecs, error),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(bool, commit) __field(u64, nsecs)
			 __field(int, error)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->commit = commit; __entry->nsecs = nsecs;
		       __entry->error = error;),
	TP_printk("%u:%u of %s nsecs %llu error %d", __entry->major, __entry->minor,
		  __entry->commit ? "a commit" : "the log", __entry->nsecs, __entry->error)
);

TRACE_EVENT(commit_begin,
	TP_PROTO(dev_t dev, u64 generation, u64 log_blocks),
	TP_ARGS(dev, generation, log_blocks),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(u64, generation) __field(u64, log_blocks)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->generation = generation;
		       __entry->log_blocks = log_blocks;),
	TP_printk("%u:%u generation %llu log_blocks %llu", __entry->major, __entry->minor,
		  __entry->generation, __entry->log_blocks)
);

/* generation: the one that is current now. */
TRACE_EVENT(commit_end,
	TP_PROTO(dev_t dev, u64 generation, u32 nodes, int error),
	TP_ARGS(dev, generation, nodes, error),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(u64, generation) __field(u32, nodes)
			 __field(int, error)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->generation = generation; __entry->nodes = nodes;
		       __entry->error = error;),
	TP_printk("%u:%u generation %llu nodes %u error %d", __entry->major, __entry->minor,
		  __entry->generation, __entry->nodes, __entry->error)
);

/* A read waits for a map node that is not in memory. */
TRACE_EVENT(read_miss,
	TP_PROTO(dev_t dev, u64 lba, u32 blocks),
	TP_ARGS(dev, lba, blocks),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(u64, lba) __field(u32, blocks)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->lba = lba; __entry->blocks = blocks;),
	TP_printk("%u:%u lba %llu blocks %u", __entry->major, __entry->minor, __entry->lba,
		  __entry->blocks)
);

TRACE_EVENT(checksum_error,
	TP_PROTO(dev_t dev, u64 lba, u64 pba),
	TP_ARGS(dev, lba, pba),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(u64, lba) __field(u64, pba)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->lba = lba; __entry->pba = pba;),
	TP_printk("%u:%u lba %llu pba %llu", __entry->major, __entry->minor, __entry->lba,
		  __entry->pba)
);

/* It got worse: 0 rw, 1 hold, 2 ro, 3 fail. */
TRACE_EVENT(mode,
	TP_PROTO(dev_t dev, unsigned int mode, int error, const char *why),
	TP_ARGS(dev, mode, error, why),
	TP_STRUCT__entry(TRIAD_TRACE_DEV __field(unsigned int, mode) __field(int, error)
			 __array(char, why, 64)),
	TP_fast_assign(TRIAD_TRACE_SET; __entry->mode = mode; __entry->error = error;
		       strscpy(__entry->why, why, sizeof(__entry->why));),
	TP_printk("%u:%u mode %u error %d: %s", __entry->major, __entry->minor, __entry->mode,
		  __entry->error, __entry->why)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
