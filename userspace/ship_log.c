// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a log that is being written, and reused.
 *
 * Headers prove themselves: each carries H of the one before, and the first of a session random
 * bytes.  Payload has no more than 32 bits for a checksum, which whoever writes to the device
 * can make collide.  So it is believed only of a record that is known to be durable, and was so
 * before it was read; and only if it cannot have been overwritten when it had been read: the
 * instance that has the device open says from which record on the log is kept, or the roots
 * are read once more, and the one that the log was followed from is c still, or b and was c
 * when we first saw it.  (Whether what was b from the beginning is one to that instance, its roots
 * do not tell.)
 */
#include "ship.h"

#define WINDOW		64u
#define FEW		8u		/* of it for each record, if there are not many */
#define MARKS_AHEAD	1024u	/* headers that are looked at for a mark of durability */

/* ---- what is staged ---------------------------------------------------------------- */

static ssize_t stage(void *context, void *data, size_t size)
{
	struct ship_out *out = context;

	if (out->nr + size > SHIP_STAGED)
		return -ENOBUFS;
	memcpy(out->staged + out->nr, data, size);
	out->nr += size;
	return 0;
}

int ship_out_init(struct ship_out *out)
{
	memset(out, 0, sizeof(*out));
	out->staged = triad_alloc(SHIP_STAGED);
	out->stream.write = stage;
	out->stream.context = out;
	return out->staged ? 0 : -ENOMEM;
}

void ship_out_free(struct ship_out *out)
{
	triad_free(out->staged);
	out->staged = NULL;
}

void ship_out_connected(struct ship_out *out)
{
	ship_out_back(out, &(struct ship_out_mark){ 0 });
	stream_session(&out->stream);
}

struct ship_out_mark ship_out_mark(const struct ship_out *out)
{
	const struct stream_out *stream = &out->stream;

	return (struct ship_out_mark) {
		.nr = out->nr, .number = stream->number, .bytes = stream->bytes,
		.nr_blocks = stream->nr_blocks, .nr_holes = stream->nr_holes,
	};
}

void ship_out_back(struct ship_out *out, const struct ship_out_mark *mark)
{
	struct stream_out *stream = &out->stream;

	out->nr = mark->nr;
	stream->number = mark->number;
	stream->bytes = mark->bytes;
	stream->nr_blocks = mark->nr_blocks;
	stream->nr_holes = mark->nr_holes;
	stream->nr_gathered = stream->nr_ranges = 0;
}

/* ---- roots -------------------------------------------------------------------------- */

bool ship_same_root(const struct triad_root *x, const struct triad_root *y)
{
	return x->generation == y->generation && x->branch == y->branch &&
	       x->next_seq == y->next_seq &&
	       !memcmp(x->version, y->version, sizeof(x->version)) &&
	       !memcmp(x->chain, y->chain, sizeof(x->chain));
}

int ship_look(const struct ship_source *source, struct ship_look *look)
{
	u8 block[TRIAD_NR_SLOTS][TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	struct triad_slot slots[TRIAD_NR_SLOTS];
	struct triad_store *store = source->store;
	struct ship_seen *seen = source->seen;
	bool is_same = seen && seen->is_known;
	struct triad_choice choice;
	int i, r, error[TRIAD_NR_SLOTS], nr = 0;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		error[i] = store->ops->read_root(store, i, block[i]);
		if (error[i] == -ENOMEM)
			return error[i];
		is_same = is_same && !error[i] && !memcmp(block[i], seen->sector[i], sizeof(seen->sector[i]));
	}
	if (is_same) {
		*look = seen->look;
		return 0;
	}
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		if (error[i]) {
			memset(&slots[i], 0, sizeof(slots[i]));
			slots[i].state = TRIAD_SLOT_UNREADABLE;
			slots[i].error = error[i];
			continue;
		}
		triad_root_decode(&slots[i], i, block[i]);
		r = slots[i].state == TRIAD_SLOT_VALID ?
		    triad_root_verify(&slots[i], source->hash, block[i]) : 0;
		if (r)
			return r;
		nr += slots[i].state == TRIAD_SLOT_VALID;
	}
	r = triad_root_select(slots, source->hash, &choice);
	if (r)
		return r == -ENODATA && nr ? -EAGAIN : r;
	look->slot = choice.cur;
	look->c = slots[choice.cur].root;
	look->has_b = choice.backup >= 0 && !choice.stray;
	if (look->has_b)
		look->b = slots[choice.backup].root;
	look->has_a = choice.which == 1 && slots[choice.overwrite].state == TRIAD_SLOT_VALID;
	if (look->has_a)
		look->a = slots[choice.overwrite].root;
	if (seen) {
		for (i = 0; i < TRIAD_NR_SLOTS; i++)
			memcpy(seen->sector[i], block[i], sizeof(seen->sector[i]));
		seen->look = *look;
		seen->is_known = !error[0] && !error[1] && !error[2];
	}
	return 0;
}

/* Of roots that were looked at already there is no need to read them: no commit has landed since. */
static bool is_seen(const struct ship_seen *seen, const struct ship_told *told)
{
	return seen && seen->is_known && told->generation &&
	       told->generation == seen->look.c.generation;
}

int ship_check(const struct ship_source *source, const struct triad_root *root, bool seen_as_c,
	       u64 first, struct ship_look *look)
{
	struct ship_told told = { 0 };
	bool is_kept;
	int r;

	if (source->tell)
		source->tell(source->context, &told);
	is_kept = first && told.kept && told.kept <= first;
	if (is_kept && is_seen(source->seen, &told)) {
		*look = source->seen->look;
		return 0;
	}
	r = ship_look(source, look);
	if (r || is_kept)
		return r;
	return ship_same_root(&look->c, root) || (seen_as_c && look->has_b && ship_same_root(&look->b, root)) ?
	       0 : -ESTALE;
}

/* ---- records ------------------------------------------------------------------------- */

int ship_log_init(struct ship_log *log, const struct ship_source *source)
{
	memset(log, 0, sizeof(*log));
	log->source = source;
	log->window = triad_alloc((size_t)WINDOW * TRIAD_BLOCK_SIZE);
	log->payload = triad_alloc((size_t)TRIAD_RECORD_MAX_BLOCKS * TRIAD_BLOCK_SIZE);
	return log->window && log->payload ? 0 : -ENOMEM;
}

void ship_log_free(struct ship_log *log)
{
	triad_free(log->window);
	triad_free(log->payload);
	log->window = log->payload = NULL;
}

/* Headers that lie close are read at once; the window is emptied when they may have changed. */
static int read_header(struct ship_log *log, u64 pba, u8 **block)
{
	struct triad_store *store = log->source->store;
	int r;

	if (pba < log->window_pba || pba >= log->window_pba + log->window_nr) {
		log->window_pba = pba;
		log->window_nr = min_t(u64, log->window_most, log->source->device_blocks - pba);
		r = store->ops->read(store, pba, log->window_nr, log->window);
		if (r) {
			log->window_nr = 1;
			r = store->ops->read(store, pba, 1, log->window);
		}
		if (r) {
			log->window_nr = 0;
			return r;
		}
	}
	*block = log->window + (pba - log->window_pba) * TRIAD_BLOCK_SIZE;
	return 0;
}

/* Decode what lies at pos, and move that behind it.  1: no record of this log. */
static int step(struct ship_log *log, const struct triad_root *root, struct triad_position *pos)
{
	struct triad_position before = *pos;
	u8 *block;
	int r = read_header(log, pos->place, &block);

	if (!r)
		r = triad_record_decode(&log->record, &log->geo, log->source->hash, root->uuid,
					pos->place, pos->seq, pos->chain, block);
	if (r) {
		*pos = before;
		return r == -ENOENT || r == -ENODATA ? 1 : r;
	}
	pos->place = log->record.next;
	pos->seq++;
	return 0;
}

static int take_geometry(struct ship_log *log, const struct triad_root *root)
{
	const char *why;

	if (triad_geometry_init(&log->geo, root->device_blocks, root->logical_blocks,
				root->zone_blocks, root->segment_blocks, root->interval_blocks,
				&why) ||
	    root->device_blocks > log->source->device_blocks ||
	    !triad_geometry_valid_pba(&log->geo, root->next))
		return -EUCLEAN;
	log->window_nr = 0;
	log->window_most = WINDOW;
	return 0;
}

int ship_log_begin(struct ship_log *log, const struct triad_root *root)
{
	struct ship_mark *mark = &log->mark;
	int r = take_geometry(log, root);

	mark->root = *root;
	mark->seen_as_c = true;
	mark->next = triad_position_of(root);
	return r ? r : replica_position_at(log->source->hash, root, &mark->next, &mark->at);
}

/* Does the log behind this root lead to the position? 1: no; *passed: it leads to c's place. */
static int search(struct ship_log *log, const struct triad_root *root, bool seen_as_c,
		  const struct triad_root *c, const struct triad_origin *at, bool *passed)
{
	struct triad_position pos = triad_position_of(root);
	struct triad_origin here;
	u64 nr;
	int r = 0;

	*passed = false;
	for (nr = 0; !r && nr <= log->geo.usable; nr++) {
		*passed |= pos.seq == c->next_seq && !memcmp(pos.chain, c->chain, sizeof(pos.chain));
		r = replica_position_at(log->source->hash, root, &pos, &here);
		if (!r && triad_origin_same(&here, at)) {
			log->mark = (struct ship_mark) {
				.root = *root, .seen_as_c = seen_as_c, .next = pos, .at = *at,
			};
			return 0;
		}
		if (!r)
			r = step(log, root, &pos);
	}
	return r ? r : 1;
}

int ship_log_find(struct ship_log *log, const struct ship_look *look,
		  const struct triad_origin *at)
{
	const struct triad_root *roots[] = {
		&look->c, look->has_b ? &look->b : NULL, look->has_a ? &look->a : NULL,
	};
	bool passed;
	u32 i;
	int r = take_geometry(log, &look->c);

	for (i = 0; i < 3 && !r; i++) {
		const struct triad_root *root = roots[i];

		if (!root || root->generation != at->generation || root->branch != at->branch)
			continue;
		log->window_nr = 0;
		r = search(log, root, !i, &look->c, at, &passed);
		if (r != 1)
			return r;
		/* it is behind this root, and what is behind that does not have it */
		return passed ? -EILSEQ : 1;
	}
	return r ? r : 1;
}

/*
 * The newest of the roots whose log leads to the mark: what is sent when the log is lost is
 * what changed since, and that never leads back behind the mark.
 */
static int move_root(struct ship_log *log, const struct ship_look *look)
{
	const struct triad_root *roots[] = { &look->c, look->has_b ? &look->b : NULL };
	struct ship_mark *mark = &log->mark;
	u32 i;
	int r;

	for (i = 0; i < 2; i++) {
		const struct triad_root *root = roots[i];
		struct triad_position pos;

		if (!root || root->next_seq > mark->next.seq || root->generation <= mark->root.generation)
			continue;
		pos = triad_position_of(root);
		log->window_nr = 0;
		for (r = 0; !r && pos.seq < mark->next.seq; )
			r = step(log, root, &pos);
		if (r < 0)
			return r;
		if (r || memcmp(pos.chain, mark->next.chain, sizeof(pos.chain)))
			continue;
		mark->root = *root;
		mark->seen_as_c = !i;
		break;
	}
	log->window_nr = 0;
	return replica_position_at(log->source->hash, &mark->root, &mark->next, &mark->at);
}

/* What is durable by the roots, and by what later headers say of earlier ones. */
static int durable_by_headers(struct ship_log *log, const struct triad_root *c, u64 *durable)
{
	struct triad_position pos = log->mark.next;
	u32 nr;
	int r = 0;

	*durable = c->next_seq - 1;
	for (nr = 0; nr < MARKS_AHEAD && !r; nr++) {
		r = step(log, &log->mark.root, &pos);
		if (!r)
			*durable = max_t(u64, *durable, log->record.durable);
	}
	log->window_nr = 0;
	return r < 0 ? r : 0;
}

/* Its payload, verified.  -EBADMSG: it does not match; what that means the roots tell. */
static int read_payload(struct ship_log *log)
{
	const struct triad_record *rec = &log->record;
	struct triad_store *store = log->source->store;
	u32 i, done = 0;
	int r = 0;

	for (i = 0; i < rec->nr_runs && !r; i++) {
		const struct triad_extent *run = &rec->runs[i];
		u8 *to = log->payload + (size_t)done * TRIAD_BLOCK_SIZE;

		/* a short one lies behind its header, and was read with it */
		if (run->start >= log->window_pba && run->start + run->nr <= log->window_pba + log->window_nr)
			memcpy(to, log->window + (run->start - log->window_pba) * TRIAD_BLOCK_SIZE,
			       (size_t)run->nr * TRIAD_BLOCK_SIZE);
		else
			r = store->ops->read(store, run->start, run->nr, to);
		done += run->nr;
	}
	for (i = 0; i < rec->nr_blocks && !r; i++)
		if (triad_checksum(log->mark.root.checksum_kind,
				   log->payload + (size_t)i * TRIAD_BLOCK_SIZE) != rec->csums[i])
			r = -EBADMSG;
	return r == -ENODATA ? -EBADMSG : r;
}

static int stage_record(struct ship_log *log, struct ship_out *out)
{
	const struct triad_record *rec = &log->record;
	u32 i, j, done = 0;
	int r = 0;

	if (rec->flags & (TRIAD_RECORD_INTENT | TRIAD_RECORD_OPENING))
		return 0;
	for (i = 0; i < rec->nr_extents && !r; i++) {
		const struct triad_extent *e = &rec->extents[i];

		if (rec->flags & TRIAD_RECORD_DISCARD) {
			r = stream_hole(&out->stream, e->start, e->nr);
			continue;
		}
		for (j = 0; j < e->nr && !r; j++, done++)
			r = stream_block(&out->stream, e->start + j,
					 log->payload + (size_t)done * TRIAD_BLOCK_SIZE);
	}
	return r;
}

static u64 discards_of(const struct triad_record *rec)
{
	u64 nr = 0;
	u32 i;

	for (i = 0; i < rec->nr_extents && rec->flags & TRIAD_RECORD_DISCARD; i++)
		nr += rec->extents[i].nr;
	return nr;
}

/* Records up to durable, as many as fit; *pos moves.  How many, or an error. */
static int stage_records(struct ship_log *log, struct ship_out *out, u32 max,
			 struct triad_position *pos)
{
	u64 blocks = 0, holes = 0;
	int nr = 0, r = 0;

	while (!r && pos->seq <= log->durable) {
		struct triad_position next = *pos;

		r = step(log, &log->mark.root, &next);
		if (r)
			break;
		blocks += log->record.nr_blocks;
		holes += discards_of(&log->record);
		if (nr && (blocks > max || holes > TRIAD_DISCARD_STEP ||
			   out->nr + out->stream.nr_gathered * TRIAD_BLOCK_SIZE > SHIP_CHUNK))
			break;
		r = read_payload(log);
		if (!r)
			r = stage_record(log, out);
		if (!r) {
			*pos = next;
			nr++;
		}
	}
	return r < 0 ? r : nr;
}

int ship_log_read(struct ship_log *log, struct ship_out *out, u32 max)
{
	const struct ship_source *source = log->source;
	struct ship_mark before = log->mark;
	struct triad_position pos = before.next;
	struct ship_told told = { 0 };
	struct ship_look look;
	struct stream_begin begin = {
		.logical_blocks = before.root.logical_blocks, .from = before.at, .at = before.at,
		.checksum_kind = before.root.checksum_kind, .is_log = true,
	};
	struct stream_end end = { 0 };
	struct stream_out *stream = &out->stream;
	struct ship_out_mark staged = ship_out_mark(out);
	int nr, r;

	memcpy(begin.uuid, before.root.uuid, sizeof(begin.uuid));
	log->window_nr = 0;
	if (source->tell)
		source->tell(source->context, &told);
	log->durable = told.durable;
	/* few records that may be short, or all that comes */
	log->window_most = WINDOW;
	if (told.known && told.durable - before.next.seq < WINDOW / FEW)
		log->window_most = FEW * (told.durable - before.next.seq + 1);
	if (told.known && told.durable < before.next.seq)
		return 0;
	if (!told.known) {
		r = ship_look(source, &look);
		if (!r)
			r = durable_by_headers(log, &look.c, &log->durable);
		if (r)
			return r;
	}
	r = stream_begin(stream, &begin);
	nr = r ? r : stage_records(log, out, max, &pos);
	/* in any case: it may have been overwritten, and look like an end or like rot */
	r = ship_check(source, &before.root, before.seen_as_c, before.next.seq, &look);
	/* what is durable was there; what a root reaches comes with a difference, the rest by and by */
	if (!r && !nr && log->durable >= before.next.seq && look.c.next_seq > before.next.seq)
		r = -ESTALE;
	if (!r && nr > 0) {
		log->mark.next = pos;
		r = move_root(log, &look);
	}
	if (!r && nr > 0) {
		end.to = log->mark.at;
		r = stream_end(stream, &end);
	}
	if (r || nr <= 0) {
		log->mark = before;
		ship_out_back(out, &staged);
	}
	return r ? r : nr;
}
