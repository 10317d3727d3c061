// SPDX-License-Identifier: GPL-2.0-or-later
#include "stream.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/types.h>
#include <uuid/uuid.h>

/* ---- positions ----------------------------------------------------------------- */

const char *position_text(const struct triad_origin *position, char *text)
{
	char uuid[37];
	size_t n, i;

	uuid_unparse_lower(position->uuid, uuid);
	n = snprintf(text, POSITION_SIZE, "%s:%" PRIu64 ":%" PRIu64 ":", uuid, position->branch,
		     position->generation);
	for (i = 0; i < TRIAD_STATE_SIZE; i++)
		n += snprintf(text + n, POSITION_SIZE - n, "%02x", position->state[i]);
	return text;
}

static bool take_number(const char **text, u64 *number)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*number = strtoull(*text, &end, 10);
	if (errno || *end != ':')
		return false;
	*text = end + 1;
	return true;
}

bool position_parse(const char *text, struct triad_origin *position)
{
	char uuid[37];
	unsigned int byte;
	size_t i;

	memset(position, 0, sizeof(*position));
	if (strlen(text) < 37 || text[36] != ':')
		return false;
	memcpy(uuid, text, 36);
	uuid[36] = 0;
	if (uuid_parse(uuid, position->uuid))
		return false;
	text += 37;
	if (!take_number(&text, &position->branch) || !take_number(&text, &position->generation) ||
	    strlen(text) != 2 * TRIAD_STATE_SIZE)
		return false;
	for (i = 0; i < TRIAD_STATE_SIZE; i++, text += 2) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    sscanf(text, "%2x", &byte) != 1)
			return false;
		position->state[i] = byte;
	}
	return true;
}

/* ---- out ------------------------------------------------------------------------ */

static void *payload(u8 *frame)
{
	return frame + sizeof(struct stream_header_disk);
}

/* What the frame holds behind its header has so many bytes. */
static int send_frame(struct stream_out *out, enum stream_type type, u32 length)
{
	struct stream_header_disk *d = (void *)out->frame;
	size_t size = sizeof(*d) + length;
	int r = 0;

	memset(d, 0, sizeof(*d));
	d->magic = cpu_to_le32(STREAM_MAGIC);
	d->version = cpu_to_le16(STREAM_VERSION);
	d->type = cpu_to_le16(type);
	d->length = cpu_to_le32(length);
	d->number = cpu_to_le64(out->number);
	memcpy(d->id, out->id, sizeof(d->id));
	if (out->write) {
		d->crc = cpu_to_le32(triad_crc32c(out->frame, size));
		r = out->write(out->context, out->frame, size);
	}
	if (!r) {
		out->bytes += size;
		out->number++;
	}
	return r;
}

static int send_blocks(struct stream_out *out)
{
	struct stream_run_disk *run = payload(out->frame);
	u32 nr = out->nr_gathered;
	int r;

	if (!nr)
		return 0;
	run->lba = cpu_to_le64(out->lba);
	run->nr = cpu_to_le64(nr);
	out->nr_gathered = 0;
	r = send_frame(out, STREAM_BLOCKS, sizeof(*run) + nr * TRIAD_BLOCK_SIZE);
	out->nr_blocks += r ? 0 : nr;
	return r;
}

static void encode_ranges(struct stream_run_disk *run, const struct stream_range *range, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		run[i].lba = cpu_to_le64(range[i].lba);
		run[i].nr = cpu_to_le64(range[i].nr);
	}
}

static int send_holes(struct stream_out *out)
{
	struct stream_run_disk *run = payload(out->frame);
	u32 nr = out->nr_ranges;
	int r;

	if (!nr)
		return 0;
	encode_ranges(run, out->range, nr);
	out->nr_ranges = 0;
	r = send_frame(out, STREAM_HOLES, nr * sizeof(*run));
	out->nr_holes += r ? 0 : nr;
	return r;
}

int stream_begin(struct stream_out *out, const struct stream_begin *begin)
{
	struct stream_begin_disk *d = payload(out->frame);

	if (!out->session)
		triad_random(out->id, sizeof(out->id));
	out->nr_blocks = out->nr_holes = 0;
	memset(d, 0, sizeof(*d));
	memcpy(d->uuid, begin->uuid, sizeof(d->uuid));
	memcpy(d->label, begin->label, sizeof(d->label));
	memcpy(d->hash, begin->hash, strnlen(begin->hash, sizeof(d->hash)));
	d->logical_blocks = cpu_to_le64(begin->logical_blocks);
	d->nr_blocks = cpu_to_le64(begin->nr_blocks);
	d->nr_holes = cpu_to_le64(begin->nr_holes);
	triad_origin_encode(&d->from, &begin->from);
	triad_origin_encode(&d->at, &begin->at);
	d->checksum_kind = begin->checksum_kind;
	d->is_full = begin->is_full;
	d->is_log = begin->is_log;
	return send_frame(out, STREAM_BEGIN, sizeof(*d));
}

int stream_flush(struct stream_out *out)
{
	int r = send_blocks(out);

	return r ? r : send_holes(out);
}

int stream_block(struct stream_out *out, u64 lba, const u8 *data)
{
	int r = send_holes(out);

	if (!r && out->nr_gathered &&
	    (out->nr_gathered == STREAM_RUN || lba != out->lba + out->nr_gathered))
		r = send_blocks(out);
	if (r)
		return r;
	if (!out->nr_gathered)
		out->lba = lba;
	if (data)
		memcpy((u8 *)payload(out->frame) + sizeof(struct stream_run_disk) +
		       out->nr_gathered * TRIAD_BLOCK_SIZE, data, TRIAD_BLOCK_SIZE);
	out->nr_gathered++;
	return 0;
}

int stream_hole(struct stream_out *out, u64 lba, u64 nr)
{
	struct stream_range *last = out->nr_ranges ? &out->range[out->nr_ranges - 1] : NULL;
	int r = send_blocks(out);

	if (!r && last && last->lba + last->nr == lba) {
		last->nr += nr;
		return 0;
	}
	if (!r && out->nr_ranges == STREAM_RANGES)
		r = send_holes(out);
	out->range[out->nr_ranges++] = (struct stream_range) { lba, nr };
	return r;
}

int stream_end(struct stream_out *out, struct stream_end *end)
{
	struct stream_end_disk *d = payload(out->frame);
	int r = stream_flush(out);

	if (r)
		return r;
	end->nr_blocks = out->nr_blocks;
	end->nr_holes = out->nr_holes;
	memset(d, 0, sizeof(*d));
	triad_origin_encode(&d->to, &end->to);
	d->nr_blocks = cpu_to_le64(end->nr_blocks);
	d->nr_holes = cpu_to_le64(end->nr_holes);
	d->nr_mapped = cpu_to_le64(end->nr_mapped);
	d->sum[0] = cpu_to_le64(end->sum[0]);
	d->sum[1] = cpu_to_le64(end->sum[1]);
	return send_frame(out, STREAM_END, sizeof(*d));
}

/* ---- out, in sessions ------------------------------------------------------------- */

void stream_session(struct stream_out *out)
{
	out->session = true;
	triad_random(out->id, sizeof(out->id));
}

int stream_hello(struct stream_out *out, const struct stream_hello *hello)
{
	struct stream_hello_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	memcpy(d->uuid, hello->uuid, sizeof(d->uuid));
	memcpy(d->label, hello->label, sizeof(d->label));
	d->logical_blocks = cpu_to_le64(hello->logical_blocks);
	d->epoch = cpu_to_le32(hello->epoch);
	d->checksum_kind = hello->checksum_kind;
	return send_frame(out, STREAM_HELLO, sizeof(*d));
}

int stream_position(struct stream_out *out, const struct stream_position *position)
{
	struct stream_position_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	triad_origin_encode(&d->at, &position->at);
	d->epoch = cpu_to_le32(position->epoch);
	d->logical_blocks = cpu_to_le64(position->logical_blocks);
	d->batch_blocks = cpu_to_le32(position->batch_blocks);
	d->kind = position->kind;
	return send_frame(out, STREAM_POSITION, sizeof(*d));
}

static int send_at(struct stream_out *out, enum stream_type type, const struct triad_origin *at)
{
	struct stream_at_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	triad_origin_encode(&d->at, at);
	return send_frame(out, type, sizeof(*d));
}

int stream_ack(struct stream_out *out, const struct triad_origin *at)
{
	return send_at(out, STREAM_ACK, at);
}

int stream_branched(struct stream_out *out, const struct triad_origin *at)
{
	return send_at(out, STREAM_BRANCHED, at);
}

int stream_changed(struct stream_out *out, const struct stream_range *range, u32 nr, bool more)
{
	struct stream_changed_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	d->nr = cpu_to_le32(nr);
	d->more = more;
	encode_ranges(d->run, range, nr);
	return send_frame(out, STREAM_CHANGED, sizeof(*d));
}

int stream_compare(struct stream_out *out)
{
	memset(payload(out->frame), 0, sizeof(struct stream_nothing_disk));
	return send_frame(out, STREAM_COMPARE, sizeof(struct stream_nothing_disk));
}

int stream_sums(struct stream_out *out, const struct stream_sum *sum, u32 nr, bool more)
{
	struct stream_sums_disk *d = payload(out->frame);
	u32 i;

	memset(d, 0, sizeof(*d));
	d->nr = cpu_to_le32(nr);
	d->more = more;
	for (i = 0; i < nr; i++) {
		d->sum[i].chunk = cpu_to_le64(sum[i].chunk);
		memcpy(d->sum[i].sum, sum[i].sum, STREAM_SUM_SIZE);
	}
	return send_frame(out, STREAM_SUM, sizeof(*d));
}

int stream_credit(struct stream_out *out, u64 bytes)
{
	struct stream_credit_disk *d = payload(out->frame);

	d->bytes = cpu_to_le64(bytes);
	return send_frame(out, STREAM_CREDIT, sizeof(*d));
}

int stream_ping(struct stream_out *out, u64 durable)
{
	struct stream_ping_disk *d = payload(out->frame);

	d->durable = cpu_to_le64(durable);
	return send_frame(out, STREAM_PING, sizeof(*d));
}

int stream_vote(struct stream_out *out, u32 epoch)
{
	struct stream_vote_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	d->epoch = cpu_to_le32(epoch);
	return send_frame(out, STREAM_VOTE, sizeof(*d));
}

int stream_voted(struct stream_out *out, const struct stream_voted *voted)
{
	struct stream_voted_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	triad_origin_encode(&d->at, &voted->at);
	d->epoch = cpu_to_le32(voted->epoch);
	memcpy(d->member, voted->member, sizeof(d->member));
	d->kind = voted->kind;
	d->granted = voted->granted;
	return send_frame(out, STREAM_VOTED, sizeof(*d));
}

int stream_refuse(struct stream_out *out, const struct stream_refuse *refuse)
{
	struct stream_refuse_disk *d = payload(out->frame);

	memset(d, 0, sizeof(*d));
	d->code = cpu_to_le32(refuse->code);
	d->epoch = cpu_to_le32(refuse->epoch);
	memcpy(d->text, refuse->text, strnlen(refuse->text, sizeof(d->text)));
	return send_frame(out, STREAM_REFUSE, sizeof(*d));
}

/* ---- in ------------------------------------------------------------------------- */

static int bad(struct stream_in *in, int error, const char *what)
{
	snprintf(in->why, sizeof(in->why), "frame %" PRIu64 ", at byte %" PRIu64 ": %s", in->number,
		 in->bytes, what);
	return error;
}

static int read_all(struct stream_in *in, void *data, size_t size)
{
	ssize_t n = in->read(in->context, data, size);

	if (n < 0)
		return n;
	return (size_t)n == size ? 0 : bad(in, -EBADMSG, n || in->number ? "it is cut short" :
					   "there is nothing");
}

/* Frames are no longer than this. */
static u32 longest(enum stream_type type)
{
	switch (type) {
	case STREAM_BEGIN:
		return sizeof(struct stream_begin_disk);
	case STREAM_BLOCKS:
		return sizeof(struct stream_run_disk) + STREAM_RUN * TRIAD_BLOCK_SIZE;
	case STREAM_HOLES:
		return STREAM_RANGES * sizeof(struct stream_run_disk);
	case STREAM_END:
		return sizeof(struct stream_end_disk);
	case STREAM_HELLO:
		return sizeof(struct stream_hello_disk);
	case STREAM_POSITION:
		return sizeof(struct stream_position_disk);
	case STREAM_ACK:
	case STREAM_BRANCHED:
		return sizeof(struct stream_at_disk);
	case STREAM_CHANGED:
		return sizeof(struct stream_changed_disk);
	case STREAM_CREDIT:
		return sizeof(struct stream_credit_disk);
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
		return sizeof(struct stream_sums_disk);
	}
	return 0;
}

/* What follows it is read by its word: no more than a frame of its type can be. */
static int check_header(struct stream_in *in, u32 *length)
{
	const struct stream_header_disk *d = (const void *)in->frame;

	if (le32_to_cpu(d->magic) != STREAM_MAGIC)
		return bad(in, in->number ? -EBADMSG : -EPROTO, in->number ? "no frame begins here" :
			   "this is no stream of triadsetup send");
	if (le16_to_cpu(d->version) != STREAM_VERSION)
		return bad(in, in->number ? -EBADMSG : -EPROTO,
			   "of a version that this program does not know");
	in->type = le16_to_cpu(d->type);
	*length = le32_to_cpu(d->length);
	if (!longest(in->type))
		return bad(in, -EBADMSG, "its type is not known");
	if (*length > longest(in->type))
		return bad(in, -EBADMSG, "its length cannot be");
	return 0;
}

static int check_frame(struct stream_in *in, u32 length)
{
	struct stream_header_disk *d = (void *)in->frame;
	u32 crc;

	crc = le32_to_cpu(d->crc);
	d->crc = 0;
	if (triad_crc32c(in->frame, sizeof(*d) + length) != crc)
		return bad(in, -EBADMSG, "its checksum does not match");
	if (!in->number)
		memcpy(in->id, d->id, sizeof(in->id));
	if (memcmp(in->id, d->id, sizeof(in->id)))
		return bad(in, -EBADMSG, "it is of another stream");
	if (le64_to_cpu(d->number) != in->number)
		return bad(in, -EBADMSG, "frames are missing, or not in their order");
	/* what belongs where in a session is for those to say who hold it (ship.h) */
	if (!in->session && ((in->type == STREAM_BEGIN) != !in->number || in->type >= STREAM_HELLO))
		return bad(in, -EBADMSG, "it does not belong here");
	return 0;
}

static int take_begin(struct stream_in *in, u32 length)
{
	const struct stream_begin_disk *d = payload(in->frame);
	struct stream_begin *begin = &in->begin;

	if (length != sizeof(*d))
		return bad(in, -EUCLEAN, "it has another length");
	memset(begin, 0, sizeof(*begin));
	memcpy(begin->uuid, d->uuid, sizeof(begin->uuid));
	memcpy(begin->label, d->label, sizeof(begin->label));
	memcpy(begin->hash, d->hash, TRIAD_HASH_NAME_SIZE);
	begin->logical_blocks = le64_to_cpu(d->logical_blocks);
	begin->nr_blocks = le64_to_cpu(d->nr_blocks);
	begin->nr_holes = le64_to_cpu(d->nr_holes);
	triad_origin_decode(&begin->from, &d->from);
	triad_origin_decode(&begin->at, &d->at);
	begin->checksum_kind = d->checksum_kind;
	begin->is_full = d->is_full;
	begin->is_log = d->is_log;
	in->nr_blocks = in->nr_holes = 0;
	if (!begin->logical_blocks || begin->logical_blocks % 256 ||
	    begin->logical_blocks > TRIAD_MAX_BLOCKS ||
	    begin->checksum_kind > TRIAD_CHECKSUM_XXH64 || d->is_full > 1 || d->is_log > (in->session && !d->is_full))
		return bad(in, -EUCLEAN, "it says what cannot be");
	/* in a session it may: ship_replica.c knows whether */
	if (!begin->is_full && !in->session && memcmp(begin->uuid, begin->from.uuid, sizeof(begin->uuid)))
		return bad(in, -EUCLEAN, "it begins at another device's position");
	return 0;
}

static bool is_inside(u64 lba, u64 nr, u64 size)
{
	return nr && lba < size && nr <= size - lba;
}

static bool take_ranges(struct stream_in *in, const struct stream_run_disk *run, u64 size)
{
	u32 i;

	for (i = 0; i < in->nr; i++) {
		in->range[i] = (struct stream_range) { le64_to_cpu(run[i].lba), le64_to_cpu(run[i].nr) };
		if (!is_inside(in->range[i].lba, in->range[i].nr, size))
			return false;
	}
	return true;
}

static int take_blocks(struct stream_in *in, u32 length)
{
	const struct stream_run_disk *run = payload(in->frame);

	if (length < sizeof(*run) || length != sizeof(*run) + le64_to_cpu(run->nr) * TRIAD_BLOCK_SIZE ||
	    le64_to_cpu(run->nr) > STREAM_RUN)
		return bad(in, -EUCLEAN, "it has another length");
	in->lba = le64_to_cpu(run->lba);
	in->nr = le64_to_cpu(run->nr);
	in->data = (const u8 *)(run + 1);
	if (!is_inside(in->lba, in->nr, in->begin.logical_blocks))
		return bad(in, -EUCLEAN, "its blocks lie outside of the device");
	in->nr_blocks += in->nr;
	return 0;
}

static int take_holes(struct stream_in *in, u32 length)
{
	const struct stream_run_disk *run = payload(in->frame);

	if (!length || length % sizeof(*run))
		return bad(in, -EUCLEAN, "it has another length");
	in->nr = length / sizeof(*run);
	if (!take_ranges(in, run, in->begin.logical_blocks))
		return bad(in, -EUCLEAN, "its holes lie outside of the device");
	in->nr_holes += in->nr;
	return 0;
}

static int take_end(struct stream_in *in, u32 length)
{
	const struct stream_end_disk *d = payload(in->frame);
	struct stream_end *end = &in->end;
	u8 more;
	ssize_t n;

	if (length != sizeof(*d))
		return bad(in, -EUCLEAN, "it has another length");
	triad_origin_decode(&end->to, &d->to);
	end->nr_blocks = le64_to_cpu(d->nr_blocks);
	end->nr_holes = le64_to_cpu(d->nr_holes);
	end->nr_mapped = le64_to_cpu(d->nr_mapped);
	end->sum[0] = le64_to_cpu(d->sum[0]);
	end->sum[1] = le64_to_cpu(d->sum[1]);
	if (end->nr_blocks != in->nr_blocks || end->nr_holes != in->nr_holes ||
	    memcmp(end->to.uuid, in->begin.uuid, sizeof(end->to.uuid)))
		return bad(in, -EUCLEAN, "the end tells of another stream");
	if (in->session)
		return 0;
	n = in->read(in->context, &more, 1);
	if (n < 0)
		return n;
	return n ? bad(in, -EBADMSG, "something follows behind the end") : 0;
}

static int take_hello(struct stream_in *in)
{
	const struct stream_hello_disk *d = payload(in->frame);
	struct stream_hello *hello = &in->hello;

	memcpy(hello->uuid, d->uuid, sizeof(hello->uuid));
	memcpy(hello->label, d->label, sizeof(hello->label));
	hello->logical_blocks = le64_to_cpu(d->logical_blocks);
	hello->epoch = le32_to_cpu(d->epoch);
	hello->checksum_kind = d->checksum_kind;
	if (!hello->logical_blocks || hello->logical_blocks % 256 ||
	    hello->logical_blocks > TRIAD_MAX_BLOCKS || hello->checksum_kind > TRIAD_CHECKSUM_XXH64)
		return bad(in, -EUCLEAN, "it says what cannot be");
	return 0;
}

static int take_position(struct stream_in *in)
{
	const struct stream_position_disk *d = payload(in->frame);
	struct stream_position *position = &in->position;

	triad_origin_decode(&position->at, &d->at);
	position->epoch = le32_to_cpu(d->epoch);
	position->logical_blocks = le64_to_cpu(d->logical_blocks);
	position->batch_blocks = le32_to_cpu(d->batch_blocks);
	position->kind = d->kind;
	if (d->kind > STREAM_KIND_INCOMPLETE || !position->batch_blocks)
		return bad(in, -EUCLEAN, "it says what cannot be");
	return 0;
}

static int take_voted(struct stream_in *in)
{
	const struct stream_voted_disk *d = payload(in->frame);

	triad_origin_decode(&in->voted.at, &d->at);
	in->voted.epoch = le32_to_cpu(d->epoch);
	memcpy(in->voted.member, d->member, sizeof(d->member));
	in->voted.kind = d->kind;
	in->voted.granted = d->granted;
	return d->kind >= STREAM_NR_KINDS || d->granted > 1 ? bad(in, -EUCLEAN, "it says what cannot be") : 0;
}

static int take_refuse(struct stream_in *in)
{
	const struct stream_refuse_disk *d = payload(in->frame);

	in->refuse.code = le32_to_cpu(d->code);
	if (in->refuse.code >= STREAM_NR_REFUSALS)
		in->refuse.code = STREAM_REFUSE_OTHER;
	in->refuse.epoch = le32_to_cpu(d->epoch);
	memcpy(in->refuse.text, d->text, sizeof(d->text));
	in->refuse.text[sizeof(d->text)] = 0;
	return 0;
}

static int take_changed(struct stream_in *in)
{
	const struct stream_changed_disk *d = payload(in->frame);

	in->nr = le32_to_cpu(d->nr);
	in->more = d->more;
	if (in->nr > STREAM_RANGES || d->more > 1 || !take_ranges(in, d->run, TRIAD_MAX_BLOCKS))
		return bad(in, -EUCLEAN, "it says what cannot be");
	return 0;
}

static int take_sums(struct stream_in *in)
{
	const struct stream_sums_disk *d = payload(in->frame);
	u32 i;

	in->nr = le32_to_cpu(d->nr);
	in->more = d->more;
	if (in->nr > STREAM_SUMS || d->more > 1)
		return bad(in, -EUCLEAN, "it says what cannot be");
	for (i = 0; i < in->nr; i++) {
		in->sum[i].chunk = le64_to_cpu(d->sum[i].chunk);
		memcpy(in->sum[i].sum, d->sum[i].sum, STREAM_SUM_SIZE);
		if (i && in->sum[i].chunk <= in->sum[i - 1].chunk)
			return bad(in, -EUCLEAN, "it says what cannot be");
	}
	return 0;
}

static int take(struct stream_in *in, u32 length)
{
	int r = check_frame(in, length);

	if (!r && in->type >= STREAM_HELLO && length != longest(in->type))
		r = bad(in, -EUCLEAN, "it has another length");
	if (r)
		return r;
	switch (in->type) {
	case STREAM_BEGIN:
		r = take_begin(in, length);
		break;
	case STREAM_BLOCKS:
		r = take_blocks(in, length);
		break;
	case STREAM_HOLES:
		r = take_holes(in, length);
		break;
	case STREAM_END:
		r = take_end(in, length);
		break;
	case STREAM_HELLO:
		r = take_hello(in);
		break;
	case STREAM_POSITION:
		r = take_position(in);
		break;
	case STREAM_ACK:
	case STREAM_BRANCHED:
		triad_origin_decode(&in->at, &((struct stream_at_disk *)payload(in->frame))->at);
		break;
	case STREAM_CHANGED:
		r = take_changed(in);
		break;
	case STREAM_CREDIT:
		in->credit = le64_to_cpu(((struct stream_credit_disk *)payload(in->frame))->bytes);
		break;
	case STREAM_PING:
		in->durable = le64_to_cpu(((struct stream_ping_disk *)payload(in->frame))->durable);
		break;
	case STREAM_VOTE:
		in->epoch = le32_to_cpu(((struct stream_vote_disk *)payload(in->frame))->epoch);
		break;
	case STREAM_VOTED:
		r = take_voted(in);
		break;
	case STREAM_COMPARE:
		break;
	case STREAM_SUM:
		r = take_sums(in);
		break;
	case STREAM_REFUSE:
		r = take_refuse(in);
		break;
	}
	in->number++;
	in->bytes += sizeof(struct stream_header_disk) + length;
	return r;
}

int stream_next(struct stream_in *in)
{
	u32 length;
	int r = read_all(in, in->frame, sizeof(struct stream_header_disk));

	if (!r)
		r = check_header(in, &length);
	if (!r)
		r = read_all(in, payload(in->frame), length);
	return r ? r : take(in, length);
}

ssize_t stream_need(struct stream_in *in, size_t have)
{
	u32 length;
	int r;

	if (have < sizeof(struct stream_header_disk))
		return sizeof(struct stream_header_disk);
	r = check_header(in, &length);
	return r ? r : (ssize_t)(sizeof(struct stream_header_disk) + length);
}

int stream_take(struct stream_in *in)
{
	return take(in, le32_to_cpu(((struct stream_header_disk *)in->frame)->length));
}
