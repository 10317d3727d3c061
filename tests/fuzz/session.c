// SPDX-License-Identifier: GPL-2.0-or-later
#include "session.h"

#include "content.h"
#include "env.h"
#include "hash.h"
#include "replica.h"
#include "ship.h"
#include "use.h"

#define FLAG_OWNER	1u	/* it is the owner that has to bear it */
#define FLAG_BRANCHED	2u	/* the two were one before */
#define EPOCH		5u
#define MOST_STEPS	200u
#define LBAS		2048u

static const struct triad_origin origin = {
	.uuid = { 7 }, .generation = 3, .state = "position 1",
};

static struct end {
	struct image *image;
	struct triad_hash *hash;
	struct triad_core core;
	struct ship_replica replica;
	struct ship_owner owner;
	struct ship_out *out;
	struct stream_in *in, *said;	/* to it, and by it */
	struct triad_origin at;		/* that a position or beginning would name */
	struct triad_origin to;		/* of the last end */
} end;

static const enum stream_type types[] = {
	STREAM_HELLO, STREAM_BEGIN, STREAM_BLOCKS, STREAM_HOLES, STREAM_END, STREAM_PING, STREAM_BRANCHED,
	STREAM_POSITION, STREAM_ACK, STREAM_CREDIT, STREAM_REFUSE, STREAM_CHANGED, STREAM_VOTE, STREAM_VOTED,
	STREAM_COMPARE, STREAM_SUM,
};

/* ---- the two ends ---------------------------------------------------------------------------- */

static void format(struct image *image, struct triad_root *root)
{
	struct triad_geometry geo;
	const char *why;
	int r;

	image_clear(image);
	image->read_only = false;
	image->device_blocks = TRIAD_MIN_BLOCKS;
	r = triad_geometry_init(&geo, TRIAD_MIN_BLOCKS, LBAS, 1536, 32, 1536, &why);
	assert(!r);
	memcpy(root->hash, "sha256", 6);
	end.hash = triad_hash_create("sha256", NULL, 0, &why);
	assert(end.hash);
	r = triad_core_format(&image->store, end.hash, root, &geo);
	assert(!r);
}

static int open_core(bool receives)
{
	end.core = (struct triad_core) {
		.store = &end.image->store, .hash = end.hash, .receives = receives,
	};
	return triad_core_open(&end.core, end.image->device_blocks);
}

static int reopen(struct ship_replica *replica)
{
	int r;

	triad_core_close(&end.core);
	r = open_core(true);
	replica->core = r ? NULL : &end.core;
	return r;
}

/* With something in it.  branched: it was the device that the owner was a replica of. */
static bool begin_replica(bool branched)
{
	struct triad_root stamp = {
		.incompat = TRIAD_INCOMPAT_REPLICA, .origin = origin, .epoch = EPOCH,
	};
	struct triad_root root = { .uuid = { 1 } };
	struct use use;
	int r;

	if (branched)
		memcpy(root.uuid, origin.uuid, sizeof(root.uuid));
	format(end.image, &root);
	if (use_open(&use, end.image, true))
		return false;
	r = use_write(&use, 3, 2, 7);
	use.core.stamp = &stamp;
	if (!r)
		r = triad_commit_alone(&use.core, true);
	use.core.stamp = NULL;
	use_close(&use);
	memset(&end.replica, 0, sizeof(end.replica));
	end.replica.reopen = reopen;
	end.replica.sums = end.hash;
	if (r || open_core(true) || ship_replica_init(&end.replica))
		return false;
	end.replica.core = &end.core;
	ship_replica_connected(&end.replica);
	end.out = &end.replica.out;
	end.at = origin;
	return true;
}

/* A device with a little in its map and in its log, as if it had been a replica once. */
static bool begin_owner(bool branched)
{
	static struct ship_source source;
	struct triad_root root = { .epoch = EPOCH, .uuid = { 7 } };
	struct triad_root stamp = { .epoch = EPOCH, .origin = origin };
	struct use use;
	int r;

	format(end.image, &root);
	if (use_open(&use, end.image, true))
		return false;
	stamp.origin.uuid[0] = 9;
	stamp.origin.branch = 4;
	use.core.stamp = branched ? &stamp : NULL;
	r = use_write(&use, 3, 2, 7);
	if (!r)
		r = triad_commit_alone(&use.core, false);
	use.core.stamp = NULL;
	if (!r)
		r = replica_position(&use.core, &end.at);
	if (!r)
		r = use_write(&use, 100, 1, 8);
	if (!r)
		r = use_discard(&use, 3, 1);
	use_close(&use);
	if (r)
		return false;
	if (branched)
		end.at.uuid[0] = 9;
	end.image->read_only = true;
	source = (struct ship_source) {
		.store = &end.image->store, .hash = end.hash, .sums = end.hash, .device_blocks = end.image->device_blocks,
	};
	if (ship_owner_init(&end.owner, &source))
		return false;
	ship_owner_connected(&end.owner);
	end.out = &end.owner.out;
	return true;
}

/* ---- what is said to it ------------------------------------------------------------------------ */

static void put_origin(struct triad_origin_disk *d, const struct triad_origin *at)
{
	memcpy(d->uuid, at->uuid, sizeof(d->uuid));
	d->branch = cpu_to_le64(at->branch);
	d->generation = cpu_to_le64(at->generation);
	memcpy(d->state, at->state, sizeof(d->state));
}

/* What would be right; its length. */
static u32 model(enum stream_type type, void *payload)
{
	struct stream_begin_disk *begin = payload;
	struct stream_run_disk *run = payload;
	struct stream_hello_disk *hello = payload;
	struct stream_position_disk *position = payload;
	u8 uuid[TRIAD_UUID_SIZE] = { 7 };

	/* it is what this one grew out of */
	if (end.core.root.uuid[0] == uuid[0])
		uuid[0] = 8;
	switch (type) {
	case STREAM_HELLO:
		memcpy(hello->uuid, uuid, sizeof(uuid));
		hello->logical_blocks = cpu_to_le64(LBAS);
		hello->epoch = cpu_to_le32(EPOCH);
		return sizeof(*hello);
	case STREAM_BEGIN:
		memcpy(begin->uuid, uuid, sizeof(uuid));
		begin->logical_blocks = cpu_to_le64(LBAS);
		put_origin(&begin->from, &end.core.origin);
		begin->is_log = 1;
		return sizeof(*begin);
	case STREAM_BLOCKS:
		run->nr = cpu_to_le64(1);
		return sizeof(*run) + TRIAD_BLOCK_SIZE;
	case STREAM_HOLES:
		run->nr = cpu_to_le64(3);
		return sizeof(*run);
	case STREAM_END:
		memcpy(((struct stream_end_disk *)payload)->to.uuid, uuid, sizeof(uuid));
		((struct stream_end_disk *)payload)->nr_blocks = cpu_to_le64(end.in->nr_blocks);
		((struct stream_end_disk *)payload)->nr_holes = cpu_to_le64(end.in->nr_holes);
		return sizeof(struct stream_end_disk);
	case STREAM_BRANCHED:
		put_origin(payload, &end.at);
		return sizeof(struct stream_at_disk);
	case STREAM_POSITION:
		put_origin(&position->at, &end.at);
		position->logical_blocks = cpu_to_le64(LBAS);
		position->batch_blocks = cpu_to_le32(64);
		position->kind = STREAM_KIND_WHOLE;
		return sizeof(*position);
	case STREAM_ACK:
		put_origin(payload, &end.owner.sent);
		return sizeof(struct stream_at_disk);
	case STREAM_CREDIT:
		((struct stream_credit_disk *)payload)->bytes = cpu_to_le64(1ull << 40);
		return sizeof(struct stream_credit_disk);
	case STREAM_CHANGED:
		((struct stream_changed_disk *)payload)->nr = cpu_to_le32(1);
		((struct stream_changed_disk *)payload)->run[0].nr = cpu_to_le64(5);
		return sizeof(struct stream_changed_disk);
	case STREAM_PING:
		return sizeof(struct stream_ping_disk);
	case STREAM_REFUSE:
		return sizeof(struct stream_refuse_disk);
	case STREAM_VOTE:
		return sizeof(struct stream_vote_disk);
	case STREAM_VOTED:
		return sizeof(struct stream_voted_disk);
	case STREAM_COMPARE:
		return sizeof(struct stream_nothing_disk);
	case STREAM_SUM:
		((struct stream_sums_disk *)payload)->nr = cpu_to_le32(2);
		((struct stream_sums_disk *)payload)->sum[1].chunk = cpu_to_le64(3);
		return sizeof(struct stream_sums_disk);
	}
	return 0;
}

/* The next frame in end.in->frame; how many bytes of the input it took, 0: none is left. */
static size_t make_frame(const u8 *bytes, size_t size)
{
	struct stream_header_disk *d = (void *)end.in->frame;
	enum stream_type type;
	u8 *payload = (u8 *)(d + 1);
	u32 length, most = sizeof(end.in->frame) - sizeof(*d);
	size_t i, n;

	if (size < 4)
		return 0;
	type = types[bytes[0] % (sizeof(types) / sizeof(types[0]))];
	memset(end.in->frame, 0, sizeof(end.in->frame));
	length = model(type, payload);
	if (bytes[1] | bytes[2])
		length = min_t(u32, (bytes[1] | bytes[2] << 8) * 8, most);
	n = min_t(size_t, min_t(size_t, bytes[3], size - 4), length);
	for (i = 0; i < n; i++)
		payload[i] ^= bytes[4 + i];
	d->magic = cpu_to_le32(STREAM_MAGIC);
	d->version = cpu_to_le16(STREAM_VERSION);
	d->type = cpu_to_le16(type);
	d->length = cpu_to_le32(length);
	d->number = cpu_to_le64(end.in->number);
	d->crc = cpu_to_le32(triad_crc32c(end.in->frame, sizeof(*d) + length));
	return 4 + n;
}

/* ---- what it says --------------------------------------------------------------------------------- */

/* Whatever it hears, what it says is right. */
static void listen(void)
{
	size_t at = 0;

	while (at < end.out->nr) {
		ssize_t need;
		int r;

		memcpy(end.said->frame, end.out->staged + at, sizeof(struct stream_header_disk));
		need = stream_need(end.said, sizeof(struct stream_header_disk));
		assert(need > 0 && at + need <= end.out->nr);
		memcpy(end.said->frame, end.out->staged + at, need);
		r = stream_take(end.said);
		assert(!r);
		at += need;
	}
	end.out->nr = 0;
}

static int hear(bool owner)
{
	u32 i;
	int r = stream_need(end.in, sizeof(struct stream_header_disk)) > 0 ? stream_take(end.in) : -EBADMSG;

	if (!r && end.in->type == STREAM_END)
		end.to = end.in->end.to;
	if (!r)
		r = owner ? ship_owner_frame(&end.owner, end.in) : ship_replica_frame(&end.replica, end.in);
	listen();
	for (i = 0; owner && !r && i < MOST_STEPS; i++) {
		r = ship_owner_step(&end.owner);
		listen();
		if (r <= 0)
			break;
		r = 0;
	}
	return r;
}

static struct stream_in *new_in(void)
{
	struct stream_in *in = calloc(1, sizeof(*in));

	assert(in);
	in->session = true;
	return in;
}

/* It is a replica as before, or as somebody said at an end. */
static void look(void)
{
	struct use use;
	u32 epoch = end.core.root.epoch;
	int r;

	r = use_open(&use, end.image, false);
	if (r == -EOPNOTSUPP)
		return;
	assert(!r);
	assert(triad_root_is_replica(&use.core.root));
	assert(use.core.root.epoch >= EPOCH && use.core.root.epoch == epoch);
	assert(triad_origin_same(&use.core.origin, &origin) ||
	       triad_origin_same(&use.core.origin, &end.to));
	use_read(&use, 3000);
	use_close(&use);
}

void fuzz_session(struct image *image, const u8 *bytes, size_t size)
{
	bool owner, branched, begun;
	size_t n, at = 1;

	if (!size)
		return;
	owner = bytes[0] & FLAG_OWNER;
	branched = bytes[0] & FLAG_BRANCHED;
	memset(&end, 0, sizeof(end));
	end.image = image;
	end.in = new_in();
	end.said = new_in();
	begun = owner ? begin_owner(branched) : begin_replica(branched);
	if (begun && owner) {
		ship_owner_step(&end.owner);
		listen();
	}
	while (begun && (n = make_frame(bytes + at, size - at))) {
		at += n;
		if (hear(owner))
			break;
	}
	if (begun && !owner) {
		int r = ship_replica_drop(&end.replica);

		if (!r && !image->full)
			look();
		ship_replica_free(&end.replica);
		if (end.replica.core)
			triad_core_close(&end.core);
	} else if (begun) {
		ship_owner_free(&end.owner);
	}
	triad_hash_destroy(end.hash);
	free(end.in);
	free(end.said);
	image->read_only = false;
}
