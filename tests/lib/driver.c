// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>

#include "driver.h"
#include "env.h"

void driver_say(struct driver *driver, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(driver->lines[driver->nr_lines++ % DRIVER_LINES],
		  sizeof(driver->lines[0]), format, args);
	va_end(args);
}

void driver_print_lines(const struct driver *driver)
{
	u32 i = driver->nr_lines > DRIVER_LINES ? driver->nr_lines - DRIVER_LINES : 0;

	for (; i < driver->nr_lines; i++)
		printf("  %4u %s\n", i, driver->lines[i % DRIVER_LINES]);
}

static int failed(struct driver *driver, const char *where, int error)
{
	if (error && !driver->error) {
		driver->error = error;
		driver->failed = where;
		driver_say(driver, "%s: error %d", where, error);
	}
	return error;
}

void driver_init(struct driver *driver, struct disk *disk, struct rng *rng,
		 const struct workload *load)
{
	memset(driver, 0, sizeof(*driver));
	driver->disk = disk;
	driver->rng = rng;
	driver->load = load;
	driver->calm = 3;
	driver->keep_rng.state = 1;
	driver->lend_rng.state = 2;
	driver->flights = calloc(DRIVER_FLIGHTS, sizeof(*driver->flights));
	assert(driver->flights);
}

void driver_free(struct driver *driver)
{
	if (driver->open)
		driver_close(driver);
	free(driver->flights);
}

u32 driver_format(struct driver *driver)
{
	const struct workload *load = driver->load;
	struct triad_geometry geo;
	struct triad_root root = {
		.checksum_kind = load->checksum_kind, .root_layout = load->nr_root_devices,
	};
	const char *why = "";

	failed(driver, "geometry",
	       triad_geometry_init(&geo, disk_blocks, load->logical_blocks, load->zone_blocks,
				   load->segment_blocks, DRIVER_INTERVAL, &why));
	memcpy(root.hash, "test", 4);
	triad_random(root.uuid, sizeof(root.uuid));
	if (!driver->error)
		failed(driver, "format",
		       triad_core_format(&driver->disk->store, &driver->hash, &root, &geo));
	return geo.logical_blocks;
}

int driver_open(struct driver *driver, bool heal)
{
	struct triad_core *core = &driver->core;
	int r;

	memset(core, 0, sizeof(*core));
	core->store = &driver->disk->store;
	core->hash = &driver->hash;
	core->keep_max = driver->load->keep_max;
	core->expected = driver->expected;
	core->expected_durable = driver->expected && driver->expected_durable;
	driver->error = 0;
	driver->nr_flights = 0;
	driver->slipping = false;
	r = triad_core_open(core, disk_blocks);
	if (r)
		return failed(driver, "open", r);
	driver->open = true;
	driver->fell_short = triad_core_fell_short(core);
	core->expected = NULL;
	driver->max_frees = core->commit.frees.max;
	driver_say(driver, "open: case %d, slot %d, next %llu, %llu records%s",
		   core->choice.which, core->slot_c, (unsigned long long)core->space.next,
		   (unsigned long long)core->replayed_records,
		   core->degraded ? ", degraded" : "");
	if (heal && triad_core_needs_heal(core)) {
		/* as if a person had looked at what lies there */
		r = failed(driver, "heal", triad_core_is_occupied(core) ?
			   triad_core_heal_over(core) : triad_core_heal(core));
		driver_say(driver, "healed: slot %d", core->slot_c);
	}
	driver->published_state = driver->oracle ? driver->oracle->nr : 0;
	return r;
}

void driver_close(struct driver *driver)
{
	driver->disk->hook = NULL;
	triad_core_close(&driver->core);
	driver->open = false;
}

/* ---- records -------------------------------------------------------------- */

static bool room(struct driver *driver, u32 nr_blocks, u32 nr_entries, u32 nr_leaves)
{
	u32 commits = 0;
	int r = 0;

	/* later writers wait behind this one: nothing slips in */
	while (!r && !triad_log_room(&driver->core, nr_blocks, nr_entries, nr_leaves)) {
		if (driver->slipping)
			return false;
		/* as the shell, which waits for that */
		if (commits)
			triad_space_give_back(&driver->core.space);
		if (commits++ == 2)
			r = failed(driver, "no room after two commits", -EDEADLK);
		driver->waiting = true;
		if (!r)
			r = driver_commit(driver, false);
		driver->waiting = false;
	}
	return !r;
}

/* The session's first record is durable before anything else; a flight to fill. */
static struct flight *start(struct driver *driver)
{
	if (driver->error)
		return NULL;
	/* its flush makes what was read durable, too; nobody is told */
	if (failed(driver, "start", triad_log_start(&driver->core)))
		return NULL;
	if (driver->nr_flights == DRIVER_FLIGHTS && driver_drain(driver))
		return NULL;
	return &driver->flights[driver->nr_flights];
}

static int seal(struct driver *driver, struct flight *flight)
{
	struct triad_record *rec = &flight->rec;
	int r = failed(driver, "seal", triad_log_seal(&driver->core, rec, flight->header));

	if (r)
		return r;
	driver->nr_flights++;
	driver->nr_records++;
	flight->state = driver->oracle->nr;
	return 0;
}

static u32 pick_lba(struct driver *driver)
{
	const struct workload *load = driver->load;
	u32 all = driver->oracle->nr_lbas;

	if (load->hot_lbas && load->hot_lbas < all && rng_percent(driver->rng, 80))
		all = load->hot_lbas;
	return rng_below(driver->rng, all);
}

static int add_extent(struct driver *driver, struct flight *flight, u32 lba, u32 nr)
{
	u32 i, id;

	for (i = 0; i < nr; i++) {
		id = content_value(rng_below(driver->rng, driver->load->nr_values + 1));
		flight->ids[flight->rec.nr_blocks + i] = id;
		flight->rec.csums[flight->rec.nr_blocks + i] =
			content_checksum(id, driver->core.root.checksum_kind);
		oracle_set(driver->oracle, lba + i, id);
	}
	driver_say(driver, "write seq %llu lba %u+%u%s", (unsigned long long)flight->rec.seq,
		   lba, nr, driver->slipping ? " (beside a commit)" : "");
	return failed(driver, "write", triad_log_write(&driver->core, &flight->rec, lba, nr));
}

int driver_fill(struct driver *driver, u32 lba, u32 nr)
{
	struct flight *flight;
	int r;

	if (!room(driver, nr, nr, 0))
		return driver->error;
	flight = start(driver);
	if (!flight)
		return driver->error;
	triad_log_begin(&driver->core, &flight->rec, 0);
	oracle_begin(driver->oracle, flight->rec.seq);
	r = add_extent(driver, flight, lba, nr);
	return r ? r : seal(driver, flight);
}

int driver_write(struct driver *driver)
{
	const struct workload *load = driver->load;
	u32 nr_extents = rng_between(driver->rng, 1, load->max_extents);
	u32 left = rng_between(driver->rng, 1, load->max_blocks);
	struct flight *flight;
	int r = 0;

	if (!room(driver, left, left, 0))
		return driver->error;
	flight = start(driver);
	if (!flight)
		return driver->error;
	triad_log_begin(&driver->core, &flight->rec, 0);
	oracle_begin(driver->oracle, flight->rec.seq);
	for (; nr_extents && left && !r; nr_extents--) {
		u32 lba = pick_lba(driver);
		u32 nr = nr_extents == 1 ? left : rng_between(driver->rng, 1, left);

		nr = min_t(u32, nr, driver->oracle->nr_lbas - lba);
		r = add_extent(driver, flight, lba, nr);
		left -= nr;
	}
	return r ? r : seal(driver, flight);
}

/* A node of c's map; one buffer, as nobody looks back.  Some are not at hand. */
static const struct triad_node_disk *get_node(void *context, const struct triad_ref *ref)
{
	struct driver *driver = context;

	if (rng_percent(driver->rng, 10) ||
	    triad_map_read_node(&driver->core.space.map, ref, &driver->node))
		return NULL;
	return &driver->node;
}

/*
 * A discard that changes nothing is acknowledged without a record.  So nothing may lie
 * there in any state from the last published record on: a flush covers no more.
 */
static bool is_void(struct driver *driver, u32 lba, u32 nr)
{
	const struct oracle *oracle = driver->oracle;
	struct triad_ref missing;
	u32 i, from;

	if (triad_log_is_void(&driver->core, lba, nr, get_node, driver, &missing) != 1)
		return false;
	driver->nr_void++;
	driver_say(driver, "discard lba %u+%u changes nothing", lba, nr);
	for (i = 0; i < nr; i++)
		if (oracle->now[lba + i])
			failed(driver, "a discard that was needed was left out", -EUCLEAN);
	from = driver->published_state < oracle->nr ?
		oracle->ops[driver->published_state].undo : oracle->nr_undo;
	for (i = from; i < oracle->nr_undo; i++)
		if (oracle->undo[i].id && oracle->undo[i].lba - lba < nr)
			failed(driver, "a discard was left out on the word of another one",
			       -EUCLEAN);
	return true;
}

int driver_discard(struct driver *driver)
{
	u32 lba = pick_lba(driver), entries, covered, leaves, i;
	u32 nr = rng_between(driver->rng, 1, driver->load->max_discard);
	struct flight *flight;

	if (rng_percent(driver->rng, 30))
		lba &= ~0xffu;
	if (driver->load->subtrees && rng_percent(driver->rng, 20)) {
		lba &= ~0xffffu;
		nr += rng_below(driver->rng, 3) * 65536;
	}
	nr = min_t(u32, nr, driver->oracle->nr_lbas - lba);
	if (driver->error || is_void(driver, lba, nr))
		return driver->error;
	entries = triad_index_discard_cost(&driver->core.geo, lba, nr, &covered);
	if (!room(driver, 0, entries, covered))
		return driver->error;
	flight = start(driver);
	if (!flight)
		return driver->error;
	leaves = triad_map_leaves(&driver->core.geo, &driver->core.space.map.root, lba, nr,
				  get_node, driver);
	if (leaves > covered)
		return failed(driver, "more leaves than there can be", -EUCLEAN);
	triad_log_begin(&driver->core, &flight->rec, TRIAD_RECORD_DISCARD);
	oracle_begin(driver->oracle, flight->rec.seq);
	for (i = 0; i < nr; i++)
		oracle_set(driver->oracle, lba + i, 0);
	triad_log_discard(&driver->core, &flight->rec, lba, nr, leaves);
	driver_say(driver, "discard seq %llu lba %u+%u%s", (unsigned long long)flight->rec.seq,
		   lba, nr, driver->slipping ? " (beside a commit)" : "");
	return seal(driver, flight);
}

struct block {
	u64 pba;
	const void *data;
};

static void shuffle(struct rng *rng, struct block *blocks, u32 nr)
{
	struct block t;
	u32 i, j;

	for (i = nr; i > 1; i--) {
		j = rng_below(rng, i);
		t = blocks[i - 1];
		blocks[i - 1] = blocks[j];
		blocks[j] = t;
	}
}

static u32 blocks_of(const struct flight *flight, struct block *blocks)
{
	u32 i, j, nr = 0, k = 0;

	for (i = 0; i < flight->rec.nr_runs; i++)
		for (j = 0; j < flight->rec.runs[i].nr; j++)
			blocks[nr++] = (struct block) {
				flight->rec.runs[i].start + j, content_of(flight->ids[k++]),
			};
	blocks[nr++] = (struct block){ flight->rec.place, flight->header };
	return nr;
}

/* Write some blocks, or fewer when the hook of a write drains the rest. */
static int write_blocks(struct driver *driver, const struct block *blocks, u32 nr)
{
	struct triad_store *store = &driver->disk->store;
	u32 i;
	int r = 0;

	for (i = 0; i < nr && !r; i++)
		r = failed(driver, "record write",
			   store->ops->write(store, blocks[i].pba, 1, blocks[i].data));
	return r;
}

int driver_drain(struct driver *driver)
{
	static struct block blocks[DRIVER_FLIGHTS * (TRIAD_RECORD_MAX_BLOCKS + 1)];
	void (*hook)(void *) = driver->disk->hook;
	u32 i, nr = 0;
	int r;

	if (!driver->nr_flights)
		return 0;
	if (driver->error)
		return driver->error;
	driver->disk->hook = NULL;
	for (i = 0; i < driver->nr_flights; i++)
		nr += blocks_of(&driver->flights[i], blocks + nr);
	shuffle(driver->rng, blocks, nr);
	r = write_blocks(driver, blocks, nr);
	for (i = 0; i < driver->nr_flights && !r; i++) {
		struct flight *flight = &driver->flights[i];

		r = failed(driver, "publish",
			   triad_log_publish(&driver->core, &flight->rec, 0));
		driver->published_state = flight->state;
	}
	driver->nr_flights = 0;
	driver->disk->hook = hook;
	return r;
}

int driver_flush(struct driver *driver)
{
	u64 seq = triad_order_flush_begin(&driver->core.order);
	u32 state = driver->published_state;
	int r;

	if (driver->error)
		return driver->error;
	r = failed(driver, "flush", disk_flush_data(driver->disk));
	triad_order_flush_end(&driver->core.order, seq, r);
	if (r)
		return r;
	driver->oracle->acked = max_t(u32, driver->oracle->acked, state);
	driver_say(driver, "flushed: state %u, seq %llu", state, (unsigned long long)seq);
	return 0;
}

/* ---- commit ----------------------------------------------------------------- */

/* Whoever follows the log moves its mark; at times it is gone, or begins anew. */
static void follow(struct driver *driver)
{
	struct triad_core *core = &driver->core;
	struct rng *rng = &driver->keep_rng;
	u64 first = triad_keep_first(core), seq = TRIAD_KEEP_NONE;

	driver->nr_kept += core->space.keep.nr > 0;
	if (!driver->load->percent_keep || !rng_percent(rng, driver->load->percent_keep))
		return;
	if (!rng_percent(rng, 10))
		seq = first + rng_below(rng, core->next_seq - first + 1) / 2;
	triad_keep_from(core, seq);
	driver_say(driver, "keep from seq %lld", (long long)seq);
}

/* What nobody reaches is discarded, some of it at a time, while all goes on. */
static void discard_free(struct driver *driver)
{
	struct triad_space *space = &driver->core.space;
	struct triad_store *store = &driver->disk->store;
	struct rng *rng = &driver->lend_rng;
	u32 i, pos, size;
	int r = 0;

	if (!driver->load->percent_lend || driver->error || !rng_percent(rng, driver->load->percent_lend))
		return;
	if (!space->nr_lent) {
		r = triad_log_lend(&driver->core, rng_below(rng, space->hwm + 1), driver->lent);
		driver->nr_lent += r > 0;
		if (r > 0)
			driver_say(driver, "lent: %d blocks of zone %llu", r, (unsigned long long)space->lent);
		failed(driver, "lend", r < 0 ? r : 0);
		return;
	}
	size = triad_zone_size(space->geo, space->lent);
	for (i = rng_below(rng, 30); i && !r; i--) {
		pos = rng_below(rng, size);
		if (triad_bit(driver->lent, pos))
			continue;
		driver->nr_discarded++;
		r = store->ops->write(store, triad_zone_start(space->geo, space->lent) + pos, 1,
				      content_of(rng_percent(rng, 50) ? content_value(0) : content_rotten(rng)));
	}
	failed(driver, "discard", r);
	if (rng_percent(rng, 30))
		triad_space_give_back(space);
}

/* What comes in while a commit runs. */
static void slip(void *context)
{
	struct driver *driver = context;

	if (driver->slipping || driver->waiting ||
	    !rng_percent(driver->rng, driver->load->percent_slip))
		return;
	driver->slipping = true;
	follow(driver);
	discard_free(driver);
	if (rng_percent(driver->rng, 15))
		driver_discard(driver);
	else
		driver_write(driver);
	if (rng_percent(driver->rng, 50) && !driver_drain(driver) &&
	    rng_percent(driver->rng, 60))
		driver_flush(driver);
	driver->slipping = false;
}

static struct driver *driver_of(struct triad_commit_host *host)
{
	return (struct driver *)((char *)host - offsetof(struct driver, host));
}

/* Its write is under way, among those of other records. */
static void submit_intent(struct triad_commit_host *host)
{
	struct driver *driver = driver_of(host);
	struct flight *flight;

	if (driver->nr_flights == DRIVER_FLIGHTS && driver_drain(driver))
		return;
	flight = &driver->flights[driver->nr_flights++];
	flight->rec = driver->intent.rec;
	memcpy(flight->header, driver->intent.header, sizeof(flight->header));
	flight->state = driver->oracle->nr;
}

static int wait_published(struct triad_commit_host *host, u64 seq)
{
	struct driver *driver = driver_of(host);
	int r = driver_drain(driver);

	assert(r || triad_order_flush_begin(&driver->core.order) >= seq);
	return r;
}

/* What the next root write will come to. */
static void plan_root(struct driver *driver)
{
	const struct workload *load = driver->load;

	if (driver->calm)
		driver->calm--;
	if (load->lose_root_writes && !driver->calm && rng_percent(driver->rng, 15)) {
		driver->disk->root_fault = ROOT_LOST;
		driver->calm = 4;
		driver->nr_lost++;
		driver_say(driver, "the next root write is lost");
	} else if (load->repeat_root_writes && rng_percent(driver->rng, 15)) {
		driver->disk->root_fault = rng_percent(driver->rng, 50) ?
			ROOT_LANDED : ROOT_UNKNOWN;
		if (driver->disk->root_fault == ROOT_LANDED)
			driver->nr_landed++;
		else
			driver->nr_unknown++;
	}
}

/* Of the driver's own faults each is met once. */
static bool try_again(struct triad_commit_host *host, u32 nr, int error)
{
	struct driver *driver = driver_of(host);

	if (nr > 1 || error != -EIO || !driver->load->repeat_root_writes)
		return false;
	driver_say(driver, "root write reported as failed");
	if (!driver->clean)
		slip(driver);
	return true;
}

static int step(struct triad_commit_host *host, enum triad_commit_step ended)
{
	static const char * const next[] = {
		[TRIAD_COMMIT_FROZEN] = "sort", [TRIAD_COMMIT_SORTED] = "announce",
		[TRIAD_COMMIT_BUILT] = "announce", [TRIAD_COMMIT_ANNOUNCED] = "prepare",
		[TRIAD_COMMIT_PREPARED] = "root", [TRIAD_COMMIT_GIVEN_UP] = "root again",
		[TRIAD_COMMIT_WRITTEN] = "land",
		[TRIAD_COMMIT_LANDED] = "land",
	};
	struct driver *driver = driver_of(host);
	struct disk *disk = driver->disk;

	driver->step = next[ended];
	if (driver->error)
		return driver->error;
	if (ended == TRIAD_COMMIT_GIVEN_UP) {
		driver->nr_given_up++;
		driver_say(driver, "slot %d is given up, the root goes over %d",
			   driver->core.slot_a, driver->core.commit.slot);
		if (driver->give_in)
			return failed(driver, driver->step, -EIO);
	}
	if (driver->abandons && ended == driver->abandon_at)
		return -ECANCELED;
	disk->preparing = ended == TRIAD_COMMIT_ANNOUNCED;
	disk->hook = disk->preparing && !driver->clean ? slip : NULL;
	if (disk->preparing && driver->abandons && driver->abandon_write) {
		/* writers are held off by then */
		disk->hook = NULL;
		disk->nr_writes = 0;
		disk->fault = (struct disk_fault){
			.kind = FAULT_WRITE, .at = driver->abandon_write, .forever = true,
			.error = -ECANCELED,
		};
	}
	disk->hook_context = driver;
	if (disk->preparing)
		return 0;
	if (ended == TRIAD_COMMIT_FROZEN)	/* memory may have grown just before */
		driver->max_frees = driver->core.commit.frees.max;
	if (driver->core.commit.frees.max != driver->max_frees)
		return failed(driver, "a commit freed more than it has memory for", -ENOMEM);
	if (ended == TRIAD_COMMIT_PREPARED)
		driver->nr_prepared = driver->nr_records;
	if (!driver->clean)
		slip(driver);
	if (ended == TRIAD_COMMIT_PREPARED)
		plan_root(driver);
	if (ended == TRIAD_COMMIT_WRITTEN)
		driver->nr_late += driver->nr_records != driver->nr_prepared;
	return driver->error;
}

int driver_commit(struct driver *driver, bool clean)
{
	struct triad_core *core = &driver->core;
	int r;

	if (driver->error)
		return driver->error;
	if (clean && driver_drain(driver))
		return driver->error;
	driver_say(driver, "commit%s: %u entries, to slot %d", clean ? " clean" : "",
		   core->interval.nr_entries, core->slot_a);
	driver->host = (struct triad_commit_host) {
		.intent = &driver->intent.rec,
		.intent_block = driver->intent.header,
		.submit = submit_intent,
		.wait_published = wait_published,
		.step = step,
		.try_again = try_again,
	};
	driver->clean = clean;
	driver->step = "start";
	r = triad_commit_run(core, clean, &driver->host);
	driver->disk->preparing = false;
	driver->disk->hook = NULL;
	if (r == -ECANCELED)
		return r;
	if (failed(driver, driver->step, r))
		return r;
	driver->nr_commits++;
	return 0;
}

int driver_step(struct driver *driver)
{
	const struct workload *load = driver->load;
	u32 what = rng_below(driver->rng, 100);
	int r;

	if (driver->error)
		return driver->error;
	follow(driver);
	discard_free(driver);
	if (driver->error)
		return driver->error;
	if (what < load->percent_commit)
		return driver_commit(driver, false);
	what -= load->percent_commit;
	if (what < load->percent_clean)
		return driver_commit(driver, true);
	what -= load->percent_clean;
	if (what < load->percent_flush) {
		r = rng_percent(driver->rng, 80) ? driver_drain(driver) : 0;
		return r ? r : driver_flush(driver);
	}
	what -= load->percent_flush;
	r = what < load->percent_discard ? driver_discard(driver) : driver_write(driver);
	if (!r && rng_percent(driver->rng, 40))
		r = driver_drain(driver);
	return r;
}
