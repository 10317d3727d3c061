/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - what send writes and receive reads: frames, and positions as text.
 *
 * A session of triadd (ship.h) is made of the same frames: streams one behind the other, and
 * what both sides say beside them.
 *
 * doc/format tells the bytes.  A frame is believed when its length, its number, the stream it
 * belongs to and its checksum are right, and the stream when its last frame was seen.
 */
#ifndef TRIAD_STREAM_H
#define TRIAD_STREAM_H

#include <sys/types.h>

#include "root.h"

#define STREAM_MAGIC	0x74646e73u	/* "sndt" on disk */
#define STREAM_VERSION	1u
#define STREAM_RANGES	256u		/* holes of one frame, at most */
#define STREAM_RUN	256u		/* blocks of one frame, at most */
#define STREAM_SUMS	170u		/* sums of one frame, at most, */
#define STREAM_SUM_BLOCKS	64u	/* each of so many blocks */
#define STREAM_SUM_SIZE	16u

enum stream_type {
	STREAM_BEGIN = 1,
	STREAM_BLOCKS,
	STREAM_HOLES,
	STREAM_END,
	/* only in sessions */
	STREAM_HELLO = 16,
	STREAM_POSITION,
	STREAM_ACK,
	STREAM_CREDIT,
	STREAM_PING,
	STREAM_REFUSE,
	STREAM_BRANCHED,
	STREAM_CHANGED,
	/* between members of a group */
	STREAM_VOTE,
	STREAM_VOTED,
	/* of two that have parted, when one cannot tell what differs */
	STREAM_COMPARE,
	STREAM_SUM,
};

struct stream_header_disk {
	__le32 magic;
	__le16 version;
	__le16 type;
	__le32 length;		/* of what follows */
	__le32 crc;		/* crc32c of the frame, this field zero */
	__le64 number;		/* of the frame, from 0 */
	u8 id[8];		/* of the stream, random */
};
static_assert(sizeof(struct stream_header_disk) == 32, "stream header");

struct stream_begin_disk {
	u8 uuid[TRIAD_UUID_SIZE];	/* of the device whose content it is */
	u8 label[TRIAD_LABEL_SIZE];
	u8 hash[TRIAD_HASH_NAME_SIZE];
	__le64 logical_blocks;
	__le64 nr_blocks;		/* that follow, about */
	__le64 nr_holes;
	struct triad_origin_disk from;	/* zero: from nothing, it is all there is */
	struct triad_origin_disk at;	/* where the sender stood; it may end further on */
	u8 checksum_kind;
	u8 is_full;
	u8 is_log;			/* records, which lead to their end: no sum is needed */
	u8 reserved[5];
};
static_assert(sizeof(struct stream_begin_disk) == 200, "stream begin");

struct stream_run_disk {
	__le64 lba;
	__le64 nr;
};

struct stream_end_disk {
	struct triad_origin_disk to;
	u8 reserved[4];
	__le64 nr_blocks;		/* that were sent */
	__le64 nr_holes;		/* ranges */
	__le64 nr_mapped;		/* blocks with data that there are in all, and */
	__le64 sum[2];			/* the sum over them: see content_sum() */
};
static_assert(sizeof(struct stream_end_disk) == 88, "stream end");

/* ---- of sessions: doc/format tells who says what, and when ---------------------------- */

struct stream_hello_disk {
	u8 uuid[TRIAD_UUID_SIZE];
	u8 label[TRIAD_LABEL_SIZE];
	__le64 logical_blocks;
	__le32 epoch;
	u8 checksum_kind;
	u8 reserved[3];
};
static_assert(sizeof(struct stream_hello_disk) == 64, "stream hello");

struct stream_position_disk {
	struct triad_origin_disk at;
	__le32 epoch;
	__le64 logical_blocks;
	__le32 batch_blocks;		/* of records that it takes at once, at most */
	u8 kind;			/* enum stream_kind */
	u8 reserved[3];
};
static_assert(sizeof(struct stream_position_disk) == 64, "stream position");

/* Of ACK and BRANCHED. */
struct stream_at_disk {
	struct triad_origin_disk at;
	u8 reserved[4];
};

struct stream_changed_disk {
	__le32 nr;
	u8 more;			/* frames of it follow */
	u8 reserved[3];
	struct stream_run_disk run[STREAM_RANGES];
};
static_assert(sizeof(struct stream_changed_disk) == 4104, "stream changed");

/* Of COMPARE. */
struct stream_nothing_disk {
	u8 reserved[8];
};

struct stream_sum_disk {
	__le64 chunk;			/* of STREAM_SUM_BLOCKS blocks, by rising number */
	u8 sum[STREAM_SUM_SIZE];	/* of its blocks with data */
};

struct stream_sums_disk {
	__le32 nr;
	u8 more;			/* frames of it follow */
	u8 reserved[3];
	struct stream_sum_disk sum[STREAM_SUMS];
};
static_assert(sizeof(struct stream_sums_disk) == 4088, "stream sums");

struct stream_credit_disk {
	__le64 bytes;			/* of frames, since the session began */
};

struct stream_ping_disk {
	__le64 durable;			/* the last record that the owner has */
};

/* Of a member of a group, who wants to be the owner; and what one says to that. */
struct stream_vote_disk {
	__le32 epoch;			/* to be granted; 0: it only asks */
	u8 reserved[4];
};

struct stream_voted_disk {
	struct triad_origin_disk at;
	__le32 epoch;			/* that it has now */
	u8 member[TRIAD_UUID_SIZE];	/* who says it */
	u8 kind;			/* enum stream_kind */
	u8 granted;
	u8 reserved[6];
};
static_assert(sizeof(struct stream_voted_disk) == 72, "stream voted");

struct stream_refuse_disk {
	__le32 code;			/* enum stream_refusal */
	__le32 epoch;
	u8 text[248];
};
static_assert(sizeof(struct stream_refuse_disk) == 256, "stream refuse");

#define STREAM_FRAME	(sizeof(struct stream_header_disk) + sizeof(struct stream_run_disk) + \
			 STREAM_RUN * TRIAD_BLOCK_SIZE)

/* ---- positions ----------------------------------------------------------------- */

#define POSITION_SIZE	128

/* "UUID:BRANCH:GENERATION:STATE"; text has POSITION_SIZE bytes and is returned. */
const char *position_text(const struct triad_origin *position, char *text);
bool position_parse(const char *text, struct triad_origin *position);

/* ---- frames -------------------------------------------------------------------- */

struct stream_begin {
	u8 uuid[TRIAD_UUID_SIZE];
	u8 label[TRIAD_LABEL_SIZE];
	char hash[TRIAD_HASH_NAME_SIZE + 1];
	u64 logical_blocks;
	u64 nr_blocks, nr_holes;
	struct triad_origin from, at;
	u8 checksum_kind;
	bool is_full, is_log;
};

struct stream_end {
	struct triad_origin to;
	u64 nr_blocks, nr_holes, nr_mapped;
	u64 sum[2];
};

struct stream_range {
	u64 lba, nr;
};

struct stream_sum {
	u64 chunk;
	u8 sum[STREAM_SUM_SIZE];
};

struct stream_hello {
	u8 uuid[TRIAD_UUID_SIZE];
	u8 label[TRIAD_LABEL_SIZE];
	u64 logical_blocks;
	u32 epoch;
	u8 checksum_kind;
};

enum stream_kind {
	STREAM_KIND_BLANK,		/* a replica is yet to be made there */
	STREAM_KIND_WHOLE,
	STREAM_KIND_INCOMPLETE,		/* between two states: it has no position */
	/* of a member of a group, not in a position: */
	STREAM_KIND_OWNER,		/* a device, and no replica */
	STREAM_KIND_BUSY,		/* in use, not readable, or incomplete and no witness */
	STREAM_NR_KINDS,
};

struct stream_position {
	struct triad_origin at;
	u32 epoch;
	u64 logical_blocks;
	u32 batch_blocks;
	enum stream_kind kind;
};

struct stream_voted {
	struct triad_origin at;
	u32 epoch;
	u8 member[TRIAD_UUID_SIZE];
	enum stream_kind kind;
	bool granted;
};

enum stream_refusal {
	STREAM_REFUSE_OTHER,		/* the text says it */
	STREAM_REFUSE_FENCED,		/* epoch: of whoever took over, or sealed it */
	STREAM_REFUSE_FULL,
	STREAM_REFUSE_TOO_LONG,		/* for one commit: fewer records, or a person */
	STREAM_REFUSE_HISTORY,		/* it would not hold what the owner has */
	STREAM_REFUSE_BUSY,
	STREAM_NR_REFUSALS,
};

struct stream_refuse {
	enum stream_refusal code;
	u32 epoch;
	char text[249];
};

/* Takes, or gives, exactly size bytes; read gives fewer at the end only.  -errno. */
typedef ssize_t (*stream_io)(void *context, void *data, size_t size);

struct stream_out {
	stream_io write;	/* NULL: nothing is written, bytes are counted */
	void *context;
	bool session;		/* id was set, and BEGIN is not the first frame */
	u64 bytes;
	u64 number;
	u64 nr_blocks, nr_holes;
	u8 id[8];
	u64 lba;		/* of the blocks that are gathered */
	u32 nr_gathered;
	u32 nr_ranges;		/* of the holes that are */
	struct stream_range range[STREAM_RANGES];
	u8 frame[STREAM_FRAME] __attribute__((aligned(8)));
};

/* All return 0 or -errno. */
int stream_begin(struct stream_out *out, const struct stream_begin *begin);
/* data may be NULL if nothing is written. */
int stream_block(struct stream_out *out, u64 lba, const u8 *data);
int stream_hole(struct stream_out *out, u64 lba, u64 nr);
int stream_flush(struct stream_out *out);	/* what is gathered, as frames */
int stream_end(struct stream_out *out, struct stream_end *end);	/* fills in the counts */

void stream_session(struct stream_out *out);	/* what is sent is one */
int stream_hello(struct stream_out *out, const struct stream_hello *hello);
int stream_position(struct stream_out *out, const struct stream_position *position);
int stream_ack(struct stream_out *out, const struct triad_origin *at);
int stream_credit(struct stream_out *out, u64 bytes);
int stream_ping(struct stream_out *out, u64 durable);
int stream_refuse(struct stream_out *out, const struct stream_refuse *refuse);
int stream_branched(struct stream_out *out, const struct triad_origin *at);
/* As many of ranges as a frame takes; the last one of a list says so, and may have none. */
int stream_changed(struct stream_out *out, const struct stream_range *range, u32 nr, bool more);
int stream_compare(struct stream_out *out);
int stream_sums(struct stream_out *out, const struct stream_sum *sum, u32 nr, bool more);
int stream_vote(struct stream_out *out, u32 epoch);
int stream_voted(struct stream_out *out, const struct stream_voted *voted);

struct stream_in {
	stream_io read;		/* of a session: not used */
	void *context;
	bool session;
	u64 bytes;
	u64 number;		/* of the next frame */
	u8 id[8];
	struct stream_begin begin;
	u64 nr_blocks, nr_holes;
	char why[128];		/* of -EBADMSG and -EUCLEAN */
	/* the frame that was read */
	enum stream_type type;
	u64 lba;		/* blocks: */
	u32 nr;			/* ... and holes */
	const u8 *data;
	struct stream_range range[STREAM_RANGES];
	struct stream_end end;
	struct stream_hello hello;
	struct stream_position position;
	struct triad_origin at;	/* ack, branched */
	bool more;		/* changed, whose ranges are as those of holes, and sums */
	struct stream_sum sum[STREAM_SUMS];
	u64 credit;
	u64 durable;		/* ping */
	u32 epoch;		/* vote */
	struct stream_voted voted;
	struct stream_refuse refuse;
	u8 frame[STREAM_FRAME] __attribute__((aligned(8)));
};

/*
 * The next frame: the first is BEGIN, the last END, behind which nothing follows.  -EBADMSG:
 * cut short, damaged, or out of order; -EUCLEAN: it says what cannot be; -EPROTO: it is no
 * stream of ours, or of a version that is not known here.
 */
int stream_next(struct stream_in *in);

/*
 * The same of a session, whose bytes come as they like.  have of them are in frame: how many
 * there have to be before stream_take() can be called, which is more at first when the header
 * is there; or -EBADMSG.
 */
ssize_t stream_need(struct stream_in *in, size_t have);
int stream_take(struct stream_in *in);

#endif
