// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading the log, twice (rule 5).  The headers alone tell how far it was flushed once: by
 * the highest durable mark in any of them.  Up to there a payload that does not match is
 * rot, and stays mapped; behind it the log ends at the first one.
 *
 * What is found goes into the active index as if it had been written just now.  The log
 * between b and c is walked for its places only: they must stay while b may be needed.
 */
#include "core.h"

/*
 * Blocks read at once.  Records lie mostly one behind the other: far when payload
 * is needed or headers stand close, little when large payload lies between them.
 */
#define WINDOW		64u
#define WINDOW_HEADERS	8u

/*
 * What one log may hold: many intervals of the largest size.  More was never written
 * here; whoever forges it does not get memory and time for it.
 */
#define MAX_ENTRIES	((1u << 24) - 1)	/* see triad_index_sorted */
#define MAX_BLOCKS	(4 * MAX_ENTRIES)

static u32 headers_ahead(const struct triad_record *last)
{
	return last->nr_blocks < WINDOW / 2 ? WINDOW : WINDOW_HEADERS;
}

static struct triad_position position_of(const struct triad_root *root)
{
	struct triad_position p = { .place = root->next, .seq = root->next_seq };

	memcpy(p.chain, root->chain, sizeof(p.chain));
	return p;
}

/* One block through the window.  -ENODATA: the medium lost it. */
static int window_read(struct triad_core *core, u64 pba, u32 ahead, u8 **block)
{
	u64 left = core->geo.device_blocks - pba;
	int r;

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
	*block = core->window + (pba - core->window_pba) * TRIAD_BLOCK_SIZE;
	return 0;
}

/*
 * Read and decode the record at pos and step behind it.  1: there is none, the
 * log ends here.
 */
static int step(struct triad_core *core, struct triad_position *pos, u32 ahead,
		struct triad_record *rec)
{
	u8 *block;
	int r;

	r = window_read(core, pos->place, ahead, &block);
	if (!r)
		r = triad_record_decode(rec, &core->geo, core->hash, core->root.uuid,
					pos->place, pos->seq, pos->chain, block);
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
	u32 i, j, nr = 0;
	u8 *block;
	int r;

	for (i = 0; i < rec->nr_runs; i++) {
		for (j = 0; j < rec->runs[i].nr; j++) {
			r = window_read(core, rec->runs[i].start + j, WINDOW, &block);
			if (r == -ENODATA)
				return 1;
			if (r)
				return r;
			if (triad_checksum(core->root.checksum_kind, block) != rec->csums[nr++])
				return 1;
		}
	}
	return 0;
}

/*
 * Rule 5: the headers are walked first.  Up to the highest durable mark that
 * any of them carries records are durable and rot in their payload is rot;
 * behind it the log ends at the first record whose payload does not verify.
 */
struct scan {
	u64 nr_headers;
	u64 durable;
	u64 entries;		/* that the index needs, at most */
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
 * Of a replica's log only the places count: what was received and not committed is a part of
 * a state, which nobody is to see.
 */
static bool counts(const struct triad_core *core)
{
	return !triad_root_is_replica(&core->root);
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
static u64 mark_at_end(const struct triad_core *core, const struct triad_position *pos)
{
	const struct triad_record_disk *d;

	if (pos->place < core->window_pba || pos->place >= core->window_pba + core->window_nr)
		return 0;	/* it could not be read */
	d = (const void *)(core->window + (pos->place - core->window_pba) * TRIAD_BLOCK_SIZE);
	if (!names(core, d, pos->seq) || memcmp(d->chain, pos->chain, sizeof(d->chain)) ||
	    le64_to_cpu(d->durable) >= pos->seq)
		return 0;
	return le64_to_cpu(d->durable);
}

static int scan_headers(struct triad_core *core, struct scan *scan)
{
	struct triad_position pos = position_of(&core->root);
	u32 leaves;
	int r;

	memset(scan, 0, sizeof(*scan));
	core->window_nr = 0;
	for (;;) {
		r = step(core, &pos, headers_ahead(&core->record), &core->record);
		if (r < 0)
			return r;
		if (r) {
			scan->durable = max_t(u64, scan->durable, mark_at_end(core, &pos));
			return 0;
		}
		scan->durable = max_t(u64, scan->durable, core->record.durable);
		/* the chain proves that these are the records which were flushed */
		if (core->expected_durable && triad_log_is_expected(core, &pos))
			scan->durable = max_t(u64, scan->durable, core->record.seq);
		if (counts(core))
			scan->entries += entries_of(core, &core->record, &leaves);
		if (is_too_long(core, ++scan->nr_headers) || scan->entries > MAX_ENTRIES)
			return -EUCLEAN;
	}
}

/* Visit the records that count, and leave the log's position behind them. */
static int walk(struct triad_core *core, const struct scan *scan, u64 *nr_records,
		triad_replay_fn visit, void *context)
{
	struct triad_position pos = position_of(&core->root), before;
	struct triad_record *rec = &core->record;
	int r;

	*nr_records = 0;
	while (*nr_records < scan->nr_headers) {
		before = pos;
		r = step(core, &pos, pos.seq > scan->durable ? WINDOW : headers_ahead(rec), rec);
		if (!r && rec->seq > scan->durable)
			r = verify_payload(core, rec);
		if (r < 0)
			return r;
		if (r) {
			pos = before;
			break;
		}
		r = visit(core, rec, context);
		if (r)
			return r;
		++*nr_records;
	}
	core->next_seq = pos.seq;
	memcpy(core->chain, pos.chain, sizeof(core->chain));
	core->space.next = pos.place;
	return 0;
}

int triad_replay_walk(struct triad_core *core, u64 *nr_records, u64 *durable,
		      triad_replay_fn visit, void *context)
{
	struct scan scan;
	int r;

	r = scan_headers(core, &scan);
	*durable = scan.durable;
	return r ? r : walk(core, &scan, nr_records, visit, context);
}

/* The record with this number at pba, whatever chain it carries; 1: there is none. */
static int peek(struct triad_core *core, u64 pba, u64 seq)
{
	u8 chain[TRIAD_HASH_SIZE];
	u8 *block;
	int r;

	if (!triad_geometry_valid_pba(&core->geo, pba))
		return 1;
	r = window_read(core, pba, WINDOW, &block);
	if (!r) {
		memcpy(chain, ((struct triad_record_disk *)block)->chain, sizeof(chain));
		r = triad_record_decode(&core->record, &core->geo, core->hash, core->root.uuid,
					pba, seq, chain, block);
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
	u8 *block;
	bool ours = true;
	u64 next = 0;
	int r;

	r = window_read(core, core->space.next, WINDOW, &block);
	if (r && r != -ENODATA)
		return r;
	if (!r) {
		d = (struct triad_record_disk *)block;
		/* one flipped bit spoils only one of the two */
		ours = !memcmp(d->chain, core->chain, sizeof(d->chain)) ||
		       names(core, d, core->next_seq);
		next = le64_to_cpu(d->next);
		memcpy(chain, core->chain, sizeof(chain));
		r = triad_record_decode(&core->record, &core->geo, core->hash, core->root.uuid,
					core->space.next, core->next_seq, chain, block);
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

static int apply(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct triad_record *mine = (struct triad_record *)rec;
	u32 i, leaves;
	int r;

	(void)context;
	mine->index = core->active;
	core->interval.nr_blocks += rec->nr_blocks + 1;
	suspect_record(core, rec);
	r = note_record(&core->space.log_active, rec);
	if (!counts(core))
		mine->nr_extents = 0;
	core->interval.nr_entries += entries_of(core, rec, &leaves);
	core->interval.nr_leaves += leaves;
	for (i = 0; i < rec->nr_extents && !(rec->flags & TRIAD_RECORD_RANGES); i++)
		triad_index_announce(core->active, rec->extents[i].start, rec->extents[i].nr);
	core->replayed_blocks += counts(core) ? rec->nr_blocks : 0;
	return r ? r : triad_log_publish(core, rec, 0);
}

/*
 * The log from b to c must stay: with c lost, it leads from b to c's content.
 * 1: it is damaged.
 */
static int load_backup_log(struct triad_core *core)
{
	const struct triad_root *c = &core->root;
	struct triad_position pos = position_of(&core->slots[core->slot_b].root);
	u64 nr = 0;
	int r;

	core->window_nr = 0;
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
	}
	return pos.seq == c->next_seq && pos.place == c->next &&
	       !memcmp(pos.chain, c->chain, sizeof(pos.chain)) ? 0 : 1;
}

int triad_replay_prove(struct triad_core *core)
{
	const struct triad_root *from = core->slot_b < 0 ? &core->root :
					&core->slots[core->slot_b].root;
	struct triad_position pos = position_of(from);
	int r = 0;

	core->window_nr = 0;
	while (!r && pos.seq < core->next_seq) {
		r = step(core, &pos, WINDOW, &core->record);
		if (!r)
			r = verify_payload(core, &core->record);
	}
	return r == 1 ? -EBADMSG : r;
}

/* Entries of an interval, until one was full: see triad_commit_recycle. */
static u32 first_length(const struct triad_core *core)
{
	return min_t(u32, core->geo.interval_blocks, TRIAD_FIRST_INTERVAL);
}

static int create_active(struct triad_core *core, u64 nr_entries)
{
	core->active = triad_index_create(max_t(u64, first_length(core), nr_entries), triad_alloc);
	return core->active ? 0 : -ENOMEM;
}

/*
 * The instance before says where its log ends, and that all of it is durable: it is walked
 * once.  1: it does not lead there, or it goes on, or its number of entries is wrong.
 */
static int replay_expected(struct triad_core *core, struct scan *scan)
{
	struct triad_position pos = position_of(&core->root), behind;
	int r;

	if (core->without_log || !core->expected || !core->expected_durable ||
	    core->expected_entries > MAX_ENTRIES)
		return 1;
	r = create_active(core, core->expected_entries);
	core->window_nr = 0;
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
		r = step(core, &behind, WINDOW, &core->record);
	if (r != 1)
		return r == -EUCLEAN || r == -ENOSPC || !r ? 1 : r;
	if (!core->expected_met)
		return 1;
	scan->durable = pos.seq - 1;
	core->next_seq = pos.seq;
	memcpy(core->chain, pos.chain, sizeof(core->chain));
	core->space.next = pos.place;
	return 0;
}

/* With nothing of the log; also behind a walk that came to nothing. */
static void begin_log(struct triad_core *core)
{
	struct triad_position start = position_of(&core->root);

	triad_index_destroy(core->active);
	core->active = NULL;
	core->space.log_active.nr = 0;
	memset(core->suspects, 0, core->geo.nr_zones);
	memset(&core->interval, 0, sizeof(core->interval));
	memset(&core->order, 0, sizeof(core->order));
	core->replayed_records = core->replayed_blocks = 0;
	core->expected_met = false;
	triad_log_reach(core, &start);
}

static int replay_log(struct triad_core *core, struct scan *scan)
{
	int r = core->without_log ? 0 : scan_headers(core, scan);

	if (!r)
		r = create_active(core, scan->entries);
	return r ? r : walk(core, scan, &core->replayed_records, apply, NULL);
}

int triad_replay(struct triad_core *core)
{
	struct scan scan = { 0 };
	int r;

	core->space.nr_taken = 1;
	core->spare = triad_index_create(first_length(core), triad_alloc);
	core->suspects = triad_alloc(core->geo.nr_zones);
	if (!core->spare || !core->suspects)
		return -ENOMEM;
	begin_log(core);
	r = replay_expected(core, &scan);
	if (r == 1) {
		begin_log(core);
		r = replay_log(core, &scan);
	}
	if (!r && !core->without_log)
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
