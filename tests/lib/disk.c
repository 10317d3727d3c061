// SPDX-License-Identifier: GPL-2.0-or-later
#include <malloc.h>
#include <xxhash.h>

#include "disk.h"
#include "map.h"
#include "record.h"

u32 disk_blocks = DISK_BLOCKS;

/* ---- contents ------------------------------------------------------------ */

#define CHUNK		256u		/* contents allocated at once */
#define MAX_CHUNKS	4096u
#define MAX_VALUES	64u

struct content {
	u64 key;
	u32 slot;		/* in the hash table */
	u32 csum[2];
	bool has_csum[2];
	bool rotten;
};

static u8 *chunks[MAX_CHUNKS];
static struct content *contents;
static u32 nr_contents, *table, table_mask;
static u32 values[MAX_VALUES];

const u8 *content_of(u32 id)
{
	return chunks[id / CHUNK] + id % CHUNK * TRIAD_BLOCK_SIZE;
}

static void content_start(void)
{
	static const u8 zero[TRIAD_BLOCK_SIZE];

	if (!contents) {
		contents = calloc(CHUNK * MAX_CHUNKS, sizeof(*contents));
		table_mask = 4 * CHUNK * MAX_CHUNKS - 1;
		table = calloc(table_mask + 1, sizeof(*table));
		assert(contents && table);
	}
	if (!nr_contents)
		content_id(zero);
}

u32 content_id(const void *block)
{
	u64 key = XXH3_64bits(block, TRIAD_BLOCK_SIZE);
	struct content *c;
	u32 slot, id;

	if (!contents)
		content_start();
	for (slot = key & table_mask; table[slot]; slot = (slot + 1) & table_mask) {
		id = table[slot] - 1;
		if (contents[id].key == key &&
		    !memcmp(content_of(id), block, TRIAD_BLOCK_SIZE))
			return id;
	}
	id = nr_contents++;
	assert(id < CHUNK * MAX_CHUNKS);
	if (!chunks[id / CHUNK]) {
		chunks[id / CHUNK] = malloc(CHUNK * TRIAD_BLOCK_SIZE);
		assert(chunks[id / CHUNK]);
	}
	memcpy(chunks[id / CHUNK] + id % CHUNK * TRIAD_BLOCK_SIZE, block, TRIAD_BLOCK_SIZE);
	c = &contents[id];
	*c = (struct content){ .key = key, .slot = slot };
	table[slot] = id + 1;
	return id;
}

u32 content_checksum(u32 id, u8 kind)
{
	struct content *c = &contents[id];

	if (!c->has_csum[kind]) {
		c->csum[kind] = triad_checksum(kind, content_of(id));
		c->has_csum[kind] = true;
	}
	return c->csum[kind];
}

u32 content_value(u32 value)
{
	u64 words[TRIAD_BLOCK_SIZE / 8];
	struct rng rng = { value * 7919ull };
	u32 i;

	content_start();
	if (!value)
		return 0;
	if (value < MAX_VALUES && values[value])
		return values[value];
	for (i = 0; i < TRIAD_BLOCK_SIZE / 8; i++)
		words[i] = rng_next(&rng);
	i = content_id(words);
	if (value < MAX_VALUES)
		values[value] = i;
	return i;
}

u32 content_rotten(struct rng *rng)
{
	u64 words[TRIAD_BLOCK_SIZE / 8];
	u32 i;

	for (i = 0; i < TRIAD_BLOCK_SIZE / 8; i++)
		words[i] = rng_next(rng);
	i = content_id(words);
	contents[i].rotten = true;
	return i;
}

bool content_is_rotten(u32 id)
{
	return contents[id].rotten;
}

u32 content_mix(u32 under, u32 over, u8 sectors)
{
	u8 block[TRIAD_BLOCK_SIZE];
	int i;

	if (!sectors || under == over)
		return under;
	if (sectors == 0xff)
		return over;
	memcpy(block, content_of(under), sizeof(block));
	for (i = 0; i < 8; i++)
		if (sectors & 1u << i)
			memcpy(block + i * 512, content_of(over) + i * 512, 512);
	return content_id(block);
}

u32 content_mark(void)
{
	content_start();
	return nr_contents;
}

/* The newest go first: so the probe sequences of those that stay are whole. */
void content_release(u32 mark)
{
	u32 i;

	for (i = 0; i < MAX_VALUES; i++)
		if (values[i] >= mark)
			values[i] = 0;
	while (nr_contents > mark)
		table[contents[--nr_contents].slot] = 0;
}

/* ---- trace ----------------------------------------------------------------- */

void trace_init(struct trace *trace, const u32 *base)
{
	memset(trace, 0, sizeof(*trace));
	trace->base = disk_copy(disk_new_view(), base);
}

void trace_free(struct trace *trace)
{
	free(trace->base);
	free(trace->ops);
}

static void record(struct disk *disk, enum disk_op_kind kind, u32 pba, u32 id)
{
	struct trace *trace = disk->trace;

	if (!trace)
		return;
	if (trace->nr == trace->max) {
		trace->max = trace->max ? 2 * trace->max : 1024;
		trace->ops = realloc(trace->ops, trace->max * sizeof(*trace->ops));
		assert(trace->ops);
	}
	trace->ops[trace->nr++] = (struct disk_op) {
		.kind = kind, .pba = pba, .id = id, .bad = disk->bad,
		.submitted = disk->submitted ? *disk->submitted : 0,
		.acked = disk->acked ? *disk->acked : 0,
	};
}

/* ---- store ------------------------------------------------------------------ */

static bool fails(const struct disk_fault *fault, int kind, u64 nr)
{
	return fault->at && (int)fault->kind == kind &&
	       (fault->forever ? nr >= fault->at : nr == fault->at);
}

static int read_blocks(struct disk *disk, u64 pba, u32 nr, void *buf)
{
	u8 *p = buf;

	assert(pba < disk_blocks && nr && nr <= disk_blocks - pba);
	if (fails(&disk->fault, FAULT_READ, ++disk->nr_reads))
		return disk->fault.error;
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE)
		memcpy(p, content_of(disk->view[pba]), TRIAD_BLOCK_SIZE);
	return 0;
}

static int disk_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct disk *disk = (struct disk *)store;

	if (disk->end && pba + nr > disk->end)
		return -EIO;
	return read_blocks(disk, pba, nr, buf);
}

/* A write that failed may have done anything to its block. */
static int fail_write(struct disk *disk, u64 pba, u32 id)
{
	id = content_mix(disk->view[pba], id, rng_next(disk->rng));
	disk->view[pba] = id;
	record(disk, DISK_WRITE, pba, id);
	return disk->fault.error;
}

#define NOWHERE		(~0u)

/* Where this write really goes. */
static u32 place_of(struct disk *disk, u32 pba, u32 id)
{
	struct disk_lying *l = &disk->lying;

	if (!l->lie || l->at != disk->nr_writes)
		return pba;
	l->told = true;
	l->pba = pba;
	l->id = id;
	l->acked = disk->acked ? *disk->acked : 0;
	l->nr_ops = disk->trace ? disk->trace->nr : 0;
	return l->lie == LIE_LOST ? NOWHERE : l->to;
}

static int disk_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct disk *disk = (struct disk *)store;
	const u8 *p = buf;
	u32 id, slot, place;

	assert(pba >= TRIAD_FIRST_ZONE && nr && nr <= disk_blocks - TRIAD_TAIL_BLOCKS - pba);
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		assert(pba + nr <= TRIAD_SLOT_PBA(slot) ||
		       pba >= TRIAD_SLOT_PBA(slot) + TRIAD_SLOT_BLOCKS);
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE) {
		id = content_id(p);
		if (fails(&disk->fault, FAULT_WRITE, ++disk->nr_writes))
			return fail_write(disk, pba, id);
		if (disk->broken == BREAK_PLANES &&
		    ((const struct triad_space_header_disk *)p)->magic ==
		    cpu_to_le64(TRIAD_PLANE_MAGIC))
			continue;
		place = place_of(disk, pba, id);
		if (place == NOWHERE)
			continue;
		disk->view[place] = id;
		record(disk, DISK_WRITE, place, id);
	}
	if (disk->hook)
		disk->hook(disk->hook_context);
	return 0;
}

static int flush(struct disk *disk, bool everywhere)
{
	if (fails(&disk->fault, FAULT_FLUSH, ++disk->nr_flushes))
		return disk->fault.error;
	if (disk->broken == BREAK_FLUSH ||
	    (disk->broken == BREAK_COMMIT_FLUSH && disk->preparing))
		return 0;
	record(disk, DISK_FLUSH, 0, 0);
	if (disk->trace) {
		struct disk_op *op = &disk->trace->ops[disk->trace->nr - 1];

		op->everywhere = everywhere;
		op->dead = disk->store.lost;
	}
	return 0;
}

int disk_flush_data(struct disk *disk)
{
	return flush(disk, false);
}

static int disk_flush(struct triad_store *store)
{
	struct disk *disk = (struct disk *)store;

	if (disk->dead_slot >= 0 && !disk->dead_flushes) {
		disk->store.lost |= 1u << disk->dead_slot;
		disk->bad = 1u << disk->dead_slot;
	}
	return flush(disk, disk->broken != BREAK_ROOT_FLUSH);
}

static int disk_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	struct disk *disk = (struct disk *)store;

	if (disk->unreadable & 1u << slot || (int)slot == disk->dead_slot)
		return -EIO;
	return read_blocks(disk, TRIAD_SLOT_PBA(slot), 1, buf);
}

/* With another one bad it will be written again, or nothing will. */
static void may_be_bad(struct disk *disk, u32 slot)
{
	if (!disk->bad)
		disk->bad = 1u << slot;
}

static int disk_write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	struct disk *disk = (struct disk *)store;
	enum disk_root_fault fault = disk->root_fault;
	u32 pba = TRIAD_SLOT_PBA(slot), id = content_id(buf), place;

	disk->root_fault = ROOT_FINE;
	if ((int)slot == disk->dead_slot) {
		disk->bad = 1u << slot;
		if (disk->dead_keeps) {
			disk->view[pba] = id;
			record(disk, DISK_WRITE, pba, id);
		}
		return -EIO;
	}
	if (fails(&disk->fault, FAULT_WRITE, ++disk->nr_writes)) {
		may_be_bad(disk, slot);
		return fail_write(disk, pba, id);
	}
	place = place_of(disk, pba, id);
	if (fault == ROOT_LOST || place == NOWHERE)
		return 0;
	disk->view[place] = id;
	disk->unreadable &= ~(1u << slot);
	record(disk, disk->broken == BREAK_FUA || fault == ROOT_UNKNOWN ? DISK_WRITE : DISK_ROOT,
	       place, id);
	if (fault != ROOT_FINE) {
		may_be_bad(disk, slot);
		return -EIO;
	}
	disk->bad &= ~(1u << slot);
	return 0;
}

void disk_replace_root(struct disk *disk, u32 pba, u32 id)
{
	disk->view[pba] = id;
	record(disk, DISK_ROOT, pba, id);
}

/* The store of the tests is as fast either way: only what is asked for is looked at. */
static void disk_read_ahead(struct triad_store *store, u8 checksum_kind,
			    const struct triad_ref *refs, u32 nr)
{
	u32 i;

	(void)store;
	(void)checksum_kind;
	for (i = 0; i < nr; i++)
		assert(refs[i].pba < disk_blocks);
}

/* One half is done before anybody asks for it, the other when it cannot be put off any more. */
static void disk_start(struct triad_store *store, struct triad_job *job)
{
	struct disk *disk = (struct disk *)store;

	assert(job->nr < TRIAD_NR_JOBS && !(disk->started & 1u << job->nr));
	disk->started |= 1u << job->nr;
	if (job->nr % 2)
		job->run(job);
}

static void disk_wait(struct triad_store *store, struct triad_job *job)
{
	struct disk *disk = (struct disk *)store;

	assert(disk->started & 1u << job->nr);
	disk->started &= ~(1u << job->nr);
	if (!(job->nr % 2))
		job->run(job);
}

static const struct triad_store_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.read_root = disk_read_root,
	.write_root = disk_write_root,
	.read_ahead = disk_read_ahead,
	.start = disk_start,
	.wait = disk_wait,
};

void disk_init(struct disk *disk, u32 *view, struct rng *rng)
{
	memset(disk, 0, sizeof(*disk));
	disk->store.ops = &disk_ops;
	disk->view = view;
	disk->rng = rng;
	disk->dead_slot = -1;
}

u32 *disk_new_view(void)
{
	u32 *view = calloc(disk_blocks, sizeof(*view));

	assert(view);
	content_mark();
	return view;
}

void disk_keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/* ---- power cuts ---------------------------------------------------------------- */

void cutter_init(struct cutter *cutter, const struct trace *trace)
{
	memset(cutter, 0, sizeof(*cutter));
	cutter->trace = trace;
	cutter->durable = disk_copy(disk_new_view(), trace->base);
	cutter->pending = malloc((trace->nr + 1) * sizeof(*cutter->pending));
	assert(cutter->pending);
}

void cutter_free(struct cutter *cutter)
{
	free(cutter->durable);
	free(cutter->pending);
}

/* A root write is durable on return, whatever was pending for its block. */
static void complete_root(struct cutter *cutter)
{
	struct pending root = cutter->pending[--cutter->nr_pending];
	u32 i, nr = 0;

	for (i = 0; i < cutter->nr_pending; i++)
		if (cutter->pending[i].pba != root.pba)
			cutter->pending[nr++] = cutter->pending[i];
	cutter->nr_pending = nr;
	cutter->durable[root.pba] = root.id;
	cutter->root_pending = false;
}

/* The cache that a block is pending in: 0 the disk's, else a root device's. */
static u32 cache_of(const struct trace *trace, u32 pba)
{
	u32 slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS && trace->nr_root_devices; slot++)
		if (pba == TRIAD_SLOT_PBA(slot))
			return 1 + slot % trace->nr_root_devices;
	return 0;
}

/* Does the flush reach the cache that a block is pending in? */
static bool reaches(const struct cutter *cutter, const struct disk_op *flush, u32 pba)
{
	u32 cache = cache_of(cutter->trace, pba);

	if (!cache)
		return true;
	/* each slot that is dead has a device of its own, if it has one at all */
	return flush->everywhere && !(cutter->trace->nr_root_devices == TRIAD_NR_SLOTS &&
				      flush->dead & 1u << (cache - 1));
}

/* Flushing the disk alone leaves what is pending for a root elsewhere. */
static void complete_flush(struct cutter *cutter, const struct disk_op *flush)
{
	u32 i, nr = 0;

	for (i = 0; i < cutter->nr_pending; i++) {
		if (!reaches(cutter, flush, cutter->pending[i].pba))
			cutter->pending[nr++] = cutter->pending[i];
		else
			cutter->durable[cutter->pending[i].pba] = cutter->pending[i].id;
	}
	cutter->nr_pending = nr;
}

void cutter_complete(struct cutter *cutter)
{
	const struct disk_op *op = cutter->at ? &cutter->trace->ops[cutter->at - 1] : NULL;

	if (cutter->root_pending)
		complete_root(cutter);
	if (op && op->kind == DISK_FLUSH)
		complete_flush(cutter, op);
}

bool cutter_step(struct cutter *cutter)
{
	const struct disk_op *op;

	cutter_complete(cutter);
	if (cutter->at == cutter->trace->nr)
		return false;
	op = &cutter->trace->ops[cutter->at++];
	if (op->kind != DISK_FLUSH)
		cutter->pending[cutter->nr_pending++] = (struct pending){ op->pba, op->id };
	cutter->root_pending = op->kind == DISK_ROOT;
	return true;
}

void cutter_subset(const struct cutter *cutter, u32 subset, u32 *image)
{
	u32 i;

	disk_copy(image, cutter->durable);
	for (i = 0; i < cutter->nr_pending; i++)
		if (subset & 1u << i)
			image[cutter->pending[i].pba] = cutter->pending[i].id;
}

/* Sectors in which the write differs from what is, or may be, below it. */
static u8 changed_sectors(const struct cutter *cutter, u32 nr)
{
	const struct pending *p = &cutter->pending[nr];
	u32 below = cutter->durable[p->pba], i, sector;
	u8 mask = 0;

	for (i = 0; i <= nr; i++) {
		if (i < nr && cutter->pending[i].pba != p->pba)
			continue;
		for (sector = 0; sector < 8; sector++)
			if (memcmp(content_of(below) + sector * 512,
				   content_of(p->id) + sector * 512, 512))
				mask |= 1u << sector;
		below = cutter->pending[i].id;
	}
	return mask;
}

u32 cutter_units(const struct cutter *cutter, struct unit *units, u32 max, u32 *newest)
{
	u32 i, sector, nr = 0;

	*newest = 0;
	for (i = 0; i < cutter->nr_pending; i++) {
		u8 mask = changed_sectors(cutter, i);

		for (sector = 0; sector < 8; sector++) {
			if (!(mask & 1u << sector))
				continue;
			if (nr == max)
				return max + 1;
			if (i + 1 == cutter->nr_pending)
				*newest |= 1u << nr;
			units[nr++] = (struct unit){ i, sector };
		}
	}
	return nr;
}

void cutter_tear(const struct cutter *cutter, const struct unit *units, u32 nr, u32 subset,
		 u32 *image)
{
	u32 i, unit = 0;

	disk_copy(image, cutter->durable);
	for (i = 0; i < cutter->nr_pending; i++) {
		u32 *block = &image[cutter->pending[i].pba];
		u8 mask = 0, all = 0;

		for (; unit < nr && units[unit].pending == i; unit++) {
			all |= 1u << units[unit].sector;
			if (subset & 1u << unit)
				mask |= 1u << units[unit].sector;
		}
		/* sectors that are equal anyway go with the others */
		*block = content_mix(*block, cutter->pending[i].id, mask == all && all ? 0xff : mask);
	}
}

/* How much of one cache a power cut leaves. */
struct loss {
	u32 keep, torn;		/* percent */
	u32 prefix;		/* of the writes, in order */
};

void cutter_random(const struct cutter *cutter, struct rng *rng, u32 *image)
{
	u32 nr_caches = 1 + cutter->trace->nr_root_devices, i, cache;
	struct loss losses[1 + TRIAD_NR_SLOTS];

	disk_copy(image, cutter->durable);
	for (cache = 0; cache < nr_caches; cache++) {
		struct loss *loss = &losses[cache];

		loss->keep = rng_below(rng, 5) * 25;
		loss->torn = rng_percent(rng, 50) ? 15 : 0;
		loss->prefix = ~0u;
		if (rng_percent(rng, 25)) {
			loss->prefix = rng_below(rng, cutter->nr_pending + 1);
			loss->keep = 100;
		}
	}
	for (i = 0; i < cutter->nr_pending; i++) {
		const struct pending *p = &cutter->pending[i];
		const struct loss *loss = &losses[cache_of(cutter->trace, p->pba)];

		if (i >= loss->prefix)
			continue;
		if (rng_percent(rng, loss->torn))
			image[p->pba] = content_mix(image[p->pba], p->id, rng_next(rng));
		else if (rng_percent(rng, loss->keep))
			image[p->pba] = p->id;
	}
}
