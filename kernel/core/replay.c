// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading the log, once (rule 5).  How far it was flushed once the highest durable mark in
 * any of its headers tells.  Up to there a payload that does not match is rot, and stays
 * mapped; behind it the log ends at the first one.  So what is not known to be durable yet
 * is verified on the way, and the headers behind it are asked first where that is cheaper,
 * and before a payload that does not match ends the log.
 *
 * What is found goes into the active index as if it had been written just now.  The log
 * between b and c is walked for its places only: they must stay while b may be needed.
 */
#include "core.h"

/* Where a block is looked for that the walk has not come to yet: so much is read there. */
#define WINDOW		64u
#define WINDOW_HEADERS	8u

/* ... or as much as can be had, as the walk goes on there: see reader.h. */
#define GO_ON		0u

/* With more payload than this, blocks between two headers are not worth reading. */
#define SMALL		31u

/*
 * What one log may hold: many intervals of the largest size.  More was never written
 * here; whoever forges it does not get memory and time for it.
 */
#define MAX_ENTRIES	((1u << 24) - 1)	/* see triad_index_sorted */
#define MAX_BLOCKS	(4 * MAX_ENTRIES)

static bool is_small(const struct triad_record *rec)
{
	return rec->nr_blocks <= SMALL;
}

/* Where the next header stands. */
static u32 headers_ahead(const struct triad_record *last)
{
	return is_small(last) ? GO_ON : WINDOW_HEADERS;
}

/* A walk begins, that needs payload or does not. */
static void begin_walk(struct triad_core *core, bool with_payload)
{
	core->window_nr = 0;
	core->record.nr_blocks = 0;
	triad_reader_begin(&core->reader, core->store, core->geo.device_blocks);
	if (with_payload)
		triad_reader_want_payload(&core->reader, core->root.checksum_kind);
}

/* -ENODATA: the medium lost it. */
static int read_block(struct triad_core *core, u64 pba, u32 ahead, struct triad_block *block)
{
	u64 left = core->geo.device_blocks - pba;
	int r = triad_reader_get(&core->reader, pba, ahead == GO_ON, block);

	if (r != 1)
		return r;
	if (pba < core->window_pba || pba >= core->window_pba + core->window_nr) {
		core->window_nr = min_t(u64, ahead, left);
		core->window_pba = pba;
		r = core->store->ops->read(core->store, pba, core->window_nr, core->window);
		if (r) {
			/* which block is it? */
			core->window_nr = 1;
			r = core->store->ops->read(core->store, pba, 1, core->window);
		}
		if (r) {
			core->window_nr = 0;
			return r;
		}
	}
	*block = (struct triad_block) {
		.data = core->window + (pba - core->window_pba) * TRIAD_BLOCK_SIZE,
	};
	return 0;
}

static int decode(struct triad_core *core, struct triad_record *rec, u64 place, u64 seq,
		  u8 chain[TRIAD_HASH_SIZE], const struct triad_block *block)
{
	u32 crc = block->crc ? *block->crc : triad_record_crc(block->data);

	return triad_record_decode_summed(rec, &core->geo, core->hash, core->root.uuid, place, seq,
					  chain, block->data, crc);
}

/*
 * Read and decode the record at pos and step behind it.  1: there is none, the
 * log ends here.
 */
static int step(struct triad_core *core, struct triad_position *pos, u32 ahead,
		struct triad_record *rec)
{
	struct triad_block block;
	int r;

	r = read_block(core, pos->place, ahead, &block);
	if (!r)
		r = decode(core, rec, pos->place, pos->seq, pos->chain, &block);
	if (r == -ENOENT || r == -ENODATA)
		return 1;
	if (r)
		return r;
	memcpy(rec->chain, pos->chain, sizeof(rec->chain));
	pos->place = rec->next;
	pos->seq++;
	triad_yield();
	return 0;
}

/* 1: some payload block does not verify or was lost. */
static int verify_payload(struct triad_core *core, const struct triad_record *rec)
{
	struct triad_block block;
	u32 i, j, csum, nr = 0;
	int r;

	for (i = 0; i < rec->nr_runs; i++) {
		for (j = 0; j < rec->runs[i].nr; j++) {
			r = read_block(core, rec->runs[i].start + j, GO_ON, &block);
			if (r == -ENODATA)
				return 1;
			if (r)
				return r;
			csum = block.csum ? *block.csum :
			       triad_checksum(core->root.checksum_kind, block.data);
			if (csum != rec->csums[nr++])
				return 1;
		}
	}
	return 0;
}

/* The highest durable mark, of all headers before this position. */
struct scan {
	struct triad_position pos;
	u64 durable;
	bool is_final;		/* the log ends there */
};

static u32 entries_of(const struct triad_core *core, const struct triad_record *rec,
		      u32 *leaves)
{
	u32 i, part, nr = 0;

	*leaves = 0;
	if (rec->flags & TRIAD_RECORD_INTENT || !rec->nr_extents)
		return 0;
	if (!(rec->flags & TRIAD_RECORD_DISCARD))
		return rec->nr_blocks;
	for (i = 0; i < rec->nr_extents; i++) {
		nr += triad_index_discard_cost(&core->geo, rec->extents[i].start,
					       rec->extents[i].nr, &part);
		*leaves += part;
	}
	return nr;
}

/*
 * Of what a replica received behind the last arrival only the places count: it is a part of a
 * state, which nobody is to see.
 */
static bool counts(const struct triad_core *core, const struct triad_record *rec)
{
	const struct triad_counted *counted = &core->counted;
	u32 i;

	for (i = 0; i < counted->nr; i++)
		if (rec->seq - counted->range[i].start < counted->range[i].nr)
			return true;
	return !triad_root_is_replica(&core->root);
}

static bool leads_on(const struct triad_record *rec, const struct triad_origin *at)
{
	return rec->flags & TRIAD_RECORD_ARRIVAL && triad_origin_same(&rec->arrival.from, at);
}

/* Does it lead on from where the replica is?  Then all since its first record counts. */
static int note_arrival(struct triad_core *core, const struct triad_record *rec, void *context)
{
	const struct triad_arrival *arrival = &rec->arrival;
	struct triad_counted *counted = &core->counted;
	struct triad_extent *last;

	(void)context;
	if (!counted->open && rec->nr_extents && !(rec->flags & TRIAD_RECORD_INTENT))
		counted->open = rec->seq;
	if (!leads_on(rec, &core->origin))
		return 0;
	if (!counted->nr || (counted->open && counted->open < arrival->first)) {
		if (counted->nr == TRIAD_MAX_COUNTED)
			return 0;
		counted->range[counted->nr++].start = arrival->first;
	}
	last = &counted->range[counted->nr - 1];
	last->nr = rec->seq + 1 - last->start;
	core->origin = arrival->to;
	counted->open = 0;
	return 0;
}

/* A log has each of its blocks once, be it header or payload. */
static bool is_too_long(const struct triad_core *core, u64 nr_blocks)
{
	return nr_blocks > min_t(u64, core->geo.usable, MAX_BLOCKS);
}

/* Does this header, whole or not, name itself as record seq of this device? */
static bool names(const struct triad_core *core, const struct triad_record_disk *d, u64 seq)
{
	return le64_to_cpu(d->magic) == TRIAD_RECORD_MAGIC && le64_to_cpu(d->seq) == seq &&
	       !memcmp(d->uuid, core->root.uuid, sizeof(d->uuid));
}

/*
 * The header where the walk stops may be torn, this session's or the last one's
 * opening record over an older header.  All of these carry the mark in their first
 * sector, which is whole, beside what proves whose it is; with rot before them it
 * may be the only one.
 */
static u64 mark_at_end(struct triad_core *core, const struct triad_position *pos)
{
	const struct triad_record_disk *d;
	struct triad_block block;

	if (read_block(core, pos->place, WINDOW, &block))
		return 0;
	d = (const void *)block.data;
	if (!names(core, d, pos->seq) || memcmp(d->chain, pos->chain, sizeof(d->chain)) ||
	    le64_to_cpu(d->durable) >= pos->seq)
		return 0;
	return le64_to_cpu(d->durable);
}

/* Behind rec, if there is one, the log goes on at pos, or else it ends there. */
static int note_header(struct triad_core *core, struct scan *scan,
		       const struct triad_position *pos, const struct triad_record *rec)
{
	scan->pos = *pos;
	if (!rec) {
		scan->durable = max_t(u64, scan->durable, mark_at_end(core, pos));
		scan->is_final = true;
		return 0;
	}
	scan->durable = max_t(u64, scan->durable, rec->durable);
	/* the chain proves that these are the records which were flushed */
	if (core->expected_durable && triad_log_is_expected(core, pos))
		scan->durable = max_t(u64, scan->durable, rec->seq);
	return is_too_long(core, pos->seq - core->root.next_seq) ? -EUCLEAN : 0;
}

/*
 * Is this record durable?  Headers behind it may say so: all of them are asked, or as long as
 * that is cheaper than to read its payload.
 */
static int look_ahead(struct triad_core *core, struct scan *scan, const struct triad_record *rec,
		      bool to_the_end)
{
	int r = 0;

	if (scan->pos.seq == rec->seq + 1)
		core->ahead.nr_blocks = rec->nr_blocks;
	while (!r && !scan->is_final && scan->durable < rec->seq &&
	       (to_the_end || !is_small(&core->ahead))) {
		r = step(core, &scan->pos, is_small(&core->ahead) ? WINDOW : WINDOW_HEADERS,
			 &core->ahead);
		if (r >= 0)
			r = note_header(core, scan, &scan->pos, r ? NULL : &core->ahead);
	}
	return r;
}

/* The log ends here, as far as it counts. */
static void end_log(struct triad_core *core, const struct triad_position *pos)
{
	core->next_seq = pos->seq;
	memcpy(core->chain, pos->chain, sizeof(core->chain));
	core->space.next = pos->place;
}

/* Does this record count?  1: its payload is not all there, and never was durable. */
static int judge(struct triad_core *core, struct scan *scan, const struct triad_record *rec,
		 bool *is_read)
{
	int r = is_small(rec) ? 0 : look_ahead(core, scan, rec, false);

	*is_read = rec->seq > scan->durable;
	if (r || !*is_read)
		return r;
	r = verify_payload(core, rec);
	if (r != 1)
		return r;
	r = look_ahead(core, scan, rec, true);
	return r ? r : rec->seq > scan->durable;
}

/* Visit the records that count, and leave the log's position behind them. */
static int walk(struct triad_core *core, struct scan *scan, u64 *nr_records,
		triad_replay_fn visit, void *context)
{
	struct triad_position pos = triad_position_of(&core->root), before;
	struct triad_record *rec = &core->record;
	bool is_read = false;	/* the last one's payload: what lies behind it comes with it */
	bool ends;
	int r;

	memset(scan, 0, sizeof(*scan));
	begin_walk(core, true);
	for (*nr_records = 0;; ++*nr_records) {
		before = pos;
		r = step(core, &pos, is_read ? GO_ON : headers_ahead(rec), rec);
		if (r < 0)
			return r;
		ends = r;
		r = ends || pos.seq > scan->pos.seq ?
		    note_header(core, scan, &pos, ends ? NULL : rec) : 0;
		if (!r && !ends)
			r = judge(core, scan, rec, &is_read);
		if (r < 0)
			return r;
		if (r || ends)
			break;
		r = visit(core, rec, context);
		if (r)
			return r;
	}
	end_log(core, &before);
	return 0;
}

int triad_replay_walk(struct triad_core *core, u64 *nr_records, u64 *durable,
		      triad_replay_fn visit, void *context)
{
	struct scan scan;
	int r = walk(core, &scan, nr_records, visit, context);

	triad_reader_end(&core->reader);
	*durable = scan.durable;
	return r;
}

/* The record with this number at pba, whatever chain it carries; 1: there is none. */
static int peek(struct triad_core *core, u64 pba, u64 seq)
{
	u8 chain[TRIAD_HASH_SIZE];
	struct triad_block block;
	int r;

	if (!triad_geometry_valid_pba(&core->geo, pba))
		return 1;
	r = read_block(core, pba, WINDOW, &block);
	if (!r) {
		memcpy(chain, ((struct triad_record_disk *)block.data)->chain, sizeof(chain));
		r = decode(core, &core->record, pba, seq, chain, &block);
	}
	return r == -ENOENT || r == -ENODATA || r == -EUCLEAN ? 1 : r;
}

/*
 * Where the log ends, a record behind that says the missing one was durable proves
 * rot.  Its header may have lost the way there, but it mostly lies close by.
 */
static int look_behind(struct triad_core *core, u64 next)
{
	u64 i, seq = core->next_seq;
	int r = peek(core, next, seq + 1);

	for (i = 1; r == 1 && i <= 2 * TRIAD_RECORD_MAX_BLOCKS; i++)
		r = peek(core, core->space.next + i, seq + 1);
	for (i = 0; !r && i < core->geo.usable; i++) {
		if (core->record.durable >= seq) {
			core->log_end = TRIAD_LOG_DAMAGED;
			return 0;
		}
		r = peek(core, core->record.next, core->record.seq + 1);
	}
	return r < 0 ? r : 0;
}

/* Tell an end from a tear and a tear from rot, as far as the disk can tell. */
static int judge_end(struct triad_core *core)
{
	struct triad_record_disk *d;
	u8 chain[TRIAD_HASH_SIZE];
	struct triad_block block;
	bool ours = true;
	u64 next = 0;
	int r;

	r = read_block(core, core->space.next, WINDOW, &block);
	if (r && r != -ENODATA)
		return r;
	if (!r) {
		d = (struct triad_record_disk *)block.data;
		/* one flipped bit spoils only one of the two */
		ours = !memcmp(d->chain, core->chain, sizeof(d->chain)) ||
		       names(core, d, core->next_seq);
		next = le64_to_cpu(d->next);
		memcpy(chain, core->chain, sizeof(chain));
		r = decode(core, &core->record, core->space.next, core->next_seq, chain, &block);
		if (!r)
			core->log_end = TRIAD_LOG_TORN_DATA;
		if (r != -ENOENT)
			return r;
	}
	core->log_end = ours ? TRIAD_LOG_TORN_HEADER : TRIAD_LOG_CLEAN;
	return look_behind(core, next);
}

static int note_record(struct triad_list *list, const struct triad_record *rec)
{
	u32 i;
	int r;

	r = triad_list_push_run(list, rec->place, 1);
	for (i = 0; i < rec->nr_runs && !r; i++)
		r = triad_list_push_run(list, rec->runs[i].start, rec->runs[i].nr);
	return r;
}

/* Zones whose planes a commit of these records may have written already. */
static void suspect_record(struct triad_core *core, const struct triad_record *rec)
{
	u32 i;

	core->suspects[triad_zone_of(&core->geo, rec->place)] = 1;
	for (i = 0; i < rec->nr_runs; i++) {
		u64 zone = triad_zone_of(&core->geo, rec->runs[i].start);
		u64 last = triad_zone_of(&core->geo, rec->runs[i].start + rec->runs[i].nr - 1);

		memset(core->suspects + zone, 1, last - zone + 1);
	}
	if (rec->flags & TRIAD_RECORD_INTENT)
		for (i = 0; i < rec->nr_extents; i++)
			memset(core->suspects + rec->extents[i].start, 1, rec->extents[i].nr);
}

/* Entries of an interval, until one was full: see triad_commit_recycle. */
static u32 first_length(const struct triad_core *core)
{
	return min_t(u32, core->geo.interval_blocks, TRIAD_FIRST_INTERVAL);
}

/* An active index of this size, with what the one before has. */
static int resize_active(struct triad_core *core, u64 nr_entries)
{
	struct triad_index *index;

	index = triad_index_create(max_t(u64, first_length(core), nr_entries), triad_alloc);
	if (!index)
		return -ENOMEM;
	if (core->active)
		triad_index_copy(index, core->active);
	triad_index_destroy(core->active);
	core->active = index;
	return 0;
}

/* How long the log is nobody knows before its end. */
static int make_room(struct triad_core *core, u32 nr_entries)
{
	u64 nr = (u64)core->active->nr + nr_entries;

	if (nr <= core->active->max)
		return 0;
	if (nr > MAX_ENTRIES)
		return -EUCLEAN;
	return resize_active(core, min_t(u64, MAX_ENTRIES, max_t(u64, nr, 2ULL * core->active->max)));
}

static int apply(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct triad_record *mine = (struct triad_record *)rec;
	u32 i, leaves, nr_entries;
	int r;

	(void)context;
	core->interval.nr_blocks += rec->nr_blocks + 1;
	suspect_record(core, rec);
	r = note_record(&core->space.log_active, rec);
	if (counts(core, rec))
		core->replayed_blocks += rec->nr_blocks;
	else
		mine->nr_extents = 0;
	nr_entries = entries_of(core, rec, &leaves);
	core->interval.nr_entries += nr_entries;
	core->interval.nr_leaves += leaves;
	if (!r)
		r = make_room(core, nr_entries);
	if (r)
		return r;
	mine->index = core->active;
	for (i = 0; i < rec->nr_extents && !(rec->flags & TRIAD_RECORD_RANGES); i++)
		triad_index_announce(core->active, rec->extents[i].start, rec->extents[i].nr);
	return triad_log_publish(core, rec, 0);
}

/*
 * The log from b to c must stay: with c lost, it leads from b to c's content.
 * 1: it is damaged.
 */
static int load_backup_log(struct triad_core *core)
{
	const struct triad_root *c = &core->root;
	const struct triad_root *b = &core->slots[core->slot_b].root;
	struct triad_position pos = triad_position_of(b);
	struct triad_origin at = b->origin;
	u64 nr = 0;
	int r;

	begin_walk(core, false);
	if (!triad_geometry_valid_pba(&core->geo, pos.place))
		return 1;
	while (pos.seq < c->next_seq) {
		r = step(core, &pos, headers_ahead(&core->record), &core->record);
		if (r == -EUCLEAN)
			return 1;	/* b's trouble alone */
		if (!r)
			r = note_record(&core->space.log_backup, &core->record);
		if (r)
			return r;
		nr += 1 + core->record.nr_blocks;
		if (is_too_long(core, nr))
			return 1;
		if (leads_on(&core->record, &at))
			at = core->record.arrival.to;
	}
	core->alone = triad_root_is_replica(c) && !triad_origin_same(&at, &c->origin);
	return pos.seq == c->next_seq && pos.place == c->next &&
	       !memcmp(pos.chain, c->chain, sizeof(pos.chain)) ? 0 : 1;
}

int triad_replay_prove(struct triad_core *core)
{
	const struct triad_root *from = core->slot_b < 0 ? &core->root :
					&core->slots[core->slot_b].root;
	struct triad_position pos = triad_position_of(from);
	int r = 0;

	begin_walk(core, true);
	while (!r && pos.seq < core->next_seq) {
		r = step(core, &pos, GO_ON, &core->record);
		if (!r)
			r = verify_payload(core, &core->record);
	}
	triad_reader_end(&core->reader);
	return r == 1 ? -EBADMSG : r;
}

/*
 * The instance before says where its log ends, and that all of it is durable: only its headers
 * are looked at.  1: it does not lead there, or it goes on.
 */
static int replay_expected(struct triad_core *core, struct scan *scan)
{
	struct triad_position pos = triad_position_of(&core->root), behind;
	int r;

	if (core->without_log || !core->expected || !core->expected_durable ||
	    core->expected_entries > MAX_ENTRIES || triad_root_is_replica(&core->root))
		return 1;
	r = resize_active(core, core->expected_entries);
	begin_walk(core, false);
	while (!r && pos.seq < core->expected->seq) {
		r = step(core, &pos, headers_ahead(&core->record), &core->record);
		if (!r)
			r = apply(core, &core->record, NULL);
		core->replayed_records += !r;
	}
	if (!r && !triad_log_is_expected(core, &pos))
		r = 1;
	behind = pos;
	if (!r)
		r = step(core, &behind, headers_ahead(&core->record), &core->record);
	if (r != 1)
		return r == -EUCLEAN || !r ? 1 : r;
	if (!core->expected_met)
		return 1;
	scan->durable = pos.seq - 1;
	end_log(core, &pos);
	return 0;
}

/* With nothing of the log; also behind a walk that came to nothing. */
static void begin_log(struct triad_core *core)
{
	struct triad_position start = triad_position_of(&core->root);

	triad_index_destroy(core->active);
	core->active = NULL;
	core->space.log_active.nr = 0;
	memset(core->suspects, 0, core->geo.nr_zones);
	memset(&core->interval, 0, sizeof(core->interval));
	memset(&core->order, 0, sizeof(core->order));
	memset(&core->counted, 0, sizeof(core->counted));
	core->origin = core->root.origin;
	core->replayed_records = core->replayed_blocks = 0;
	core->expected_met = false;
	triad_log_reach(core, &start);
}

static int replay_log(struct triad_core *core, struct scan *scan)
{
	struct triad_position start = triad_position_of(&core->root);
	int r = resize_active(core, 0);

	if (core->without_log) {
		end_log(core, &start);
	} else {
		if (!r && triad_root_is_replica(&core->root))
			r = walk(core, scan, &core->replayed_records, note_arrival, NULL);
		if (!r)
			r = walk(core, scan, &core->replayed_records, apply, NULL);
	}
	/* commits get memory for as many entries as it has room for */
	if (!r && core->active->max > max_t(u32, core->active->nr, first_length(core)))
		r = resize_active(core, core->active->nr);
	return r;
}

static int replay(struct triad_core *core)
{
	struct scan scan = { 0 };
	bool is_proven;
	int r;

	core->space.nr_taken = 1;
	core->spare = triad_index_create(first_length(core), triad_alloc);
	core->suspects = triad_alloc(core->geo.nr_zones);
	if (!core->spare || !core->suspects)
		return -ENOMEM;
	begin_log(core);
	r = replay_expected(core, &scan);
	is_proven = !r;
	if (r == 1) {
		begin_log(core);
		r = replay_log(core, &scan);
	}
	/* who left it there knows that nothing lies behind */
	if (!r && !is_proven && !core->without_log)
		r = judge_end(core);
	if (r)
		return r;
	triad_order_open(&core->order, core->next_seq - 1, scan.durable);
	triad_space_count(&core->space, &core->space.log_active);
	core->interval.nr_nodes = triad_geometry_nodes(&core->geo, core->interval.nr_entries);
	core->space.reserved = core->interval.nr_nodes;

	if (core->slot_b >= 0) {
		r = load_backup_log(core);
		if (r < 0)
			return r;
		if (r) {
			/* b could not be used any more: make a new backup first */
			core->slot_b = -1;
			core->space.log_backup.nr = 0;
			core->degraded = true;
		}
	}
	return 0;
}

int triad_replay(struct triad_core *core)
{
	int r = replay(core);

	triad_reader_end(&core->reader);
	return r;
}
