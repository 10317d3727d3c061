// SPDX-License-Identifier: GPL-2.0-or-later
#include "explorer.h"

static void geometry_of(const struct explorer *x, struct triad_geometry *geo)
{
	const char *why;

	triad_geometry_init(geo, disk_blocks, x->load.logical_blocks, x->load.zone_blocks,
			    x->load.segment_blocks, DRIVER_INTERVAL, &why);
}

static void rot_planes(struct explorer *x, u32 *image, u32 slot)
{
	struct triad_geometry geo;
	u64 zone;
	u32 percent = rng_percent(&x->rng, 50) ? 100 : 30;

	geometry_of(x, &geo);
	/* each is rebuilt by a walk over the map */
	if (geo.nr_zones > 100)
		percent = 1;
	for (zone = 0; zone < geo.nr_zones; zone++)
		if (rng_percent(&x->rng, percent))
			image[triad_plane_pba(&geo, zone, slot)] = content_rotten(&x->rng);
}

static void rot_summary(struct explorer *x, u32 *image, u32 slot)
{
	struct triad_geometry geo;

	geometry_of(x, &geo);
	image[triad_summary_pba(&geo, rng_below(&x->rng, geo.nr_zones), slot)] =
		content_rotten(&x->rng);
}

/* ---- the log ---------------------------------------------------------------- */

static int pick_record(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct fault *fault = context;
	u32 run, block;

	(void)core;
	if (rec->seq < fault->first_seq || (fault->class == CLASS_PAYLOAD && !rec->nr_blocks) ||
	    rng_below(fault->rng, ++fault->nr_candidates))
		return 0;
	fault->seq = rec->seq;
	fault->pba = rec->place;
	if (fault->class != CLASS_PAYLOAD)
		return 0;
	block = rng_below(fault->rng, rec->nr_blocks);
	for (run = 0; block >= rec->runs[run].nr; run++)
		block -= rec->runs[run].nr;
	fault->pba = rec->runs[run].start + block;
	return 0;
}

/* ---- what is committed -------------------------------------------------------- */

static int pick_block(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct fault *fault = context;

	if (error)
		return error;
	if (level == TRIAD_VISIT_SHADOWED ||
	    (level == TRIAD_VISIT_DATA) != (fault->class == CLASS_DATA) ||
	    rng_below(fault->rng, ++fault->nr_candidates))
		return 0;
	fault->pba = ref->pba;
	fault->first_lba = lba;
	fault->nr_lbas = nr;
	fault->is_leaf = !level;
	return 0;
}

static const struct triad_node_disk *read_node(void *context, const struct triad_ref *ref)
{
	static struct triad_node_disk node;

	return triad_map_read_node(context, ref, &node) ? NULL : &node;
}

/* Can this LBA be read without the leaf? */
static bool is_pending(const struct triad_core *core, u64 lba)
{
	const struct triad_map *map = &core->space.map;
	struct triad_ref missing;
	struct triad_spot spot;
	u32 i;

	assert(!triad_map_find(map->geo, &map->root, lba, read_node, (void *)map, &spot, &missing));
	for (i = 0; i < spot.nr_pending; i++)
		if (spot.slot[i] == triad_map_slot(lba, 0))
			return true;
	return false;
}

/* What must be read with the fault: errors where the map leads to it, else the same. */
static void want_errors(struct explorer *x, const struct triad_core *core,
			const struct disk *disk, struct fault *fault)
{
	u64 lba, pba, end = fault->first_lba + fault->nr_lbas;
	u32 csum;

	check_read_damaged(core, disk, x->want);
	end = min_t(u64, end, core->geo.logical_blocks);
	for (lba = fault->first_lba; lba < end; lba++)
		if (!triad_index_lookup(core->active, lba, &pba, &csum) &&
		    !(fault->is_leaf && is_pending(core, lba)))
			x->want[lba] = CONTENT_ERROR;
}

/* Find a place for the fault in the opened device, and rot it; false: there is none. */
static bool rot_block(struct explorer *x, const struct life *life, u32 *image,
		      struct fault *fault)
{
	struct triad_hash hash = { 0 };
	struct triad_core core = { .hash = &hash };
	bool in_log = fault->class == CLASS_PAYLOAD || fault->class == CLASS_HEADER;
	struct disk disk;
	u64 nr, durable;
	int r;

	disk_init(&disk, image, &x->rng);
	core.store = &disk.store;
	if (triad_core_open(&core, disk_blocks))
		return false;
	if (in_log) {
		r = triad_replay_walk(&core, &nr, &durable, pick_record, fault);
		if (core.degraded)
			fault->nr_candidates = 0;
		fault->durable = fault->seq <= durable;
	} else {
		r = triad_map_walk(&core.space.map, pick_block, fault);
		/* without the uppermost one it is not opened, if b does not count */
		if (core.degraded && fault->class == CLASS_NODE)
			fault->nr_candidates = 0;
		if (!r && fault->nr_candidates) {
			want_errors(x, &core, &disk, fault);
			check_read(&core, &disk, x->content);
			fault->state = find_plain_state(x, &life->oracle, 0, life->oracle.nr);
		}
	}
	triad_core_close(&core);
	if (r || !fault->nr_candidates)
		return false;
	image[fault->pba] = content_rotten(&x->rng);
	return true;
}

/* ---- roots ------------------------------------------------------------------ */

/* The root of the highest generation in the three slots, or none; and how many there are. */
static const struct triad_root_disk *newest_root(const u32 *image, u32 *nr_roots)
{
	const struct triad_root_disk *newest = NULL;
	u32 slot;

	*nr_roots = 0;
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		const struct triad_root_disk *root =
			(const void *)content_of(image[TRIAD_SLOT_PBA(slot)]);

		if (root->magic != cpu_to_le64(TRIAD_ROOT_MAGIC))
			continue;
		if (!newest || le64_to_cpu(root->generation) > le64_to_cpu(newest->generation))
			newest = root;
		++*nr_roots;
	}
	return newest;
}

static u64 newest_generation(const u32 *image, u32 *nr_roots)
{
	const struct triad_root_disk *root = newest_root(image, nr_roots);

	return root ? le64_to_cpu(root->generation) : 0;
}

/*
 * A root that was lost may come back when a healing has landed: not while its place in
 * the history is not taken again, or only by the first root of the healing, which it
 * could hide.  Nor may one come back that the disk never had, or has lost unnoticed, so
 * that a commit as usual took its place: of that no branch tells, of a branch of its own
 * as little.
 */
static bool is_lost(u32 old, const u32 *image)
{
	const struct triad_root_disk *a = (const void *)content_of(old), *newest;
	u32 nr_roots, slot;

	newest = newest_root(image, &nr_roots);
	if (a->magic != cpu_to_le64(TRIAD_ROOT_MAGIC) || !newest)
		return false;
	if (le64_to_cpu(a->generation) > le64_to_cpu(newest->generation) ||
	    (a->generation == newest->generation && a->branch != newest->branch &&
	     (newest->branch == newest->generation ||
	      le64_to_cpu(a->branch) > le64_to_cpu(newest->branch))))
		return true;
	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++) {
		const struct triad_root_disk *b =
			(const void *)content_of(image[TRIAD_SLOT_PBA(slot)]);

		if (a->magic == b->magic && a->generation == b->generation &&
		    a->branch == b->branch && memcmp(a->chain, b->chain, sizeof(a->chain)))
			return true;
	}
	return false;
}

/* Garbage, zeroes, or what the slot held before. */
static void rot_root(struct explorer *x, const struct trace *trace, u32 at, u32 *image,
		     u32 slot)
{
	u32 pba = TRIAD_SLOT_PBA(slot), i, tries, old = content_rotten(&x->rng);

	if (rng_percent(&x->rng, 20))
		old = 0;
	for (tries = 0; at && tries < 8 && rng_percent(&x->rng, 80); tries++) {
		i = rng_below(&x->rng, at);
		if (trace->ops[i].kind == DISK_ROOT && trace->ops[i].pba == pba) {
			old = trace->ops[i].id;
			break;
		}
	}
	if (rng_percent(&x->rng, 20))
		old = trace->base[pba];
	if (x->nr_old_roots[slot] && rng_percent(&x->rng, 30))
		old = x->old_roots[slot][rng_below(&x->rng, min_t(u32, 64,
								  x->nr_old_roots[slot]))];
	image[pba] = is_lost(old, image) ? content_rotten(&x->rng) : old;
}

/* ---- one fault at a time ----------------------------------------------------- */

/* Nothing is rotten, and a commit landed since an earlier fault. */
bool may_have_fault(const struct life *life, const u32 *image)
{
	u64 block, was, is;
	u32 nr_roots;

	for (block = 0; block < disk_blocks; block++)
		if (image[block] && content_is_rotten(image[block]))
			return false;
	was = newest_generation(life->trace.base, &nr_roots);
	is = newest_generation(image, &nr_roots);
	return nr_roots == 3 && ((life->clean_lineage && !life->half_back) || is > was);
}

static enum class pick_class(struct explorer *x)
{
	static const struct {
		enum class class;
		u32 percent;
	} shares[] = {
		{ CLASS_PLAIN, 50 }, { CLASS_ROOT, 14 }, { CLASS_ROOT_PLANES, 8 },
		{ CLASS_DEAD_SLOT, 4 }, { CLASS_PLANES, 5 }, { CLASS_SUMMARY, 3 },
		{ CLASS_PAYLOAD, 5 }, { CLASS_HEADER, 5 }, { CLASS_DATA, 3 },
		{ CLASS_NODE, 3 },
	};
	u32 what = rng_below(&x->rng, 100), i;

	for (i = 0; what >= shares[i].percent; i++)
		what -= shares[i].percent;
	return shares[i].class;
}

int bad_slot(const struct life *life, u32 at)
{
	u8 bad = at ? life->trace.ops[at - 1].bad : life->trace.bad;
	int slot;

	for (slot = 0; slot < TRIAD_NR_SLOTS; slot++)
		if (bad & 1u << slot)
			return slot;
	return -1;
}

/* One slot is bad already: it stays dead, or comes back as it was, or another way. */
static void make_bad_slot(struct explorer *x, const struct life *life, u32 at, u32 *image,
			  struct fault *fault, int slot)
{
	u32 what = rng_below(&x->rng, 100);

	fault->slot = slot;
	fault->bad = 1u << slot;
	if (what < 40) {
		fault->class = CLASS_DEAD_SLOT;
	} else if (what < 70) {
		fault->class = CLASS_ROOT;
		rot_root(x, &life->trace, at, image, slot);
	}
}

void make_fault(struct explorer *x, const struct life *life, u32 at, u32 *image,
		struct fault *fault)
{
	const struct oracle *oracle = &life->oracle;
	enum class class = pick_class(x);

	memset(fault, 0, sizeof(*fault));
	fault->rng = &x->rng;
	fault->first_seq = oracle->nr ? oracle->ops[0].seq + life->begins_back : ~0ULL;
	if (!life->damaged && bad_slot(life, at) >= 0) {
		make_bad_slot(x, life, at, image, fault, bad_slot(life, at));
		return;
	}
	if (class == CLASS_PLAIN || x->load.lose_root_writes || !may_have_fault(life, image))
		return;
	fault->class = class;
	fault->slot = rng_below(&x->rng, TRIAD_NR_SLOTS);
	switch (class) {
	case CLASS_ROOT:
		rot_root(x, &life->trace, at, image, fault->slot);
		break;
	case CLASS_ROOT_PLANES:
		rot_root(x, &life->trace, at, image, fault->slot);
		rot_planes(x, image, fault->slot);
		break;
	case CLASS_PLANES:
		rot_planes(x, image, fault->slot);
		break;
	case CLASS_SUMMARY:
		rot_summary(x, image, fault->slot);
		break;
	case CLASS_PAYLOAD:
	case CLASS_HEADER:
	case CLASS_DATA:
	case CLASS_NODE:
		if (!rot_block(x, life, image, fault))
			fault->class = CLASS_PLAIN;
		break;
	default:		/* a dead slot is the disk's affair */
		fault->bad = 1u << fault->slot;
		break;
	}
}

bool cuts_log(const struct fault *fault)
{
	return fault->class == CLASS_HEADER ||
	       (fault->class == CLASS_PAYLOAD && !fault->durable);
}

bool leaves_planes(const struct fault *fault)
{
	return fault->unseen || cuts_log(fault);
}
