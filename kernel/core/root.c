// SPDX-License-Identifier: GPL-2.0-or-later
#include "root.h"

#define CRC_BYTES	offsetof(struct triad_root_disk, crc)
#define SEALED_BYTES	offsetof(struct triad_root_disk, seal)

static bool all_zero(const void *data, size_t size)
{
	const u8 *p = data;

	while (size--)
		if (*p++)
			return false;
	return true;
}

static void bad(struct triad_slot *slot, enum triad_slot_state state, const char *reason)
{
	slot->state = state;
	slot->reason = reason;
}

void triad_origin_encode(struct triad_origin_disk *d, const struct triad_origin *origin)
{
	memcpy(d->uuid, origin->uuid, sizeof(d->uuid));
	d->branch = cpu_to_le64(origin->branch);
	d->generation = cpu_to_le64(origin->generation);
	memcpy(d->state, origin->state, sizeof(d->state));
}

void triad_origin_decode(struct triad_origin *origin, const struct triad_origin_disk *d)
{
	memset(origin, 0, sizeof(*origin));
	memcpy(origin->uuid, d->uuid, sizeof(origin->uuid));
	origin->branch = le64_to_cpu(d->branch);
	origin->generation = le64_to_cpu(d->generation);
	memcpy(origin->state, d->state, sizeof(origin->state));
}

bool triad_origin_same(const struct triad_origin *x, const struct triad_origin *y)
{
	return !memcmp(x->uuid, y->uuid, sizeof(x->uuid)) && x->branch == y->branch &&
	       x->generation == y->generation && !memcmp(x->state, y->state, sizeof(x->state));
}

static void to_native(struct triad_root *r, const struct triad_root_disk *d)
{
	u64 map = le64_to_cpu(d->map.pba_flags);

	r->incompat = le32_to_cpu(d->incompat);
	r->ro_compat = le32_to_cpu(d->ro_compat);
	r->compat = le32_to_cpu(d->compat);
	memcpy(r->uuid, d->uuid, sizeof(r->uuid));
	memcpy(r->label, d->label, sizeof(r->label));
	memcpy(r->hash, d->hash, TRIAD_HASH_NAME_SIZE);
	r->hash[TRIAD_HASH_NAME_SIZE] = 0;
	r->checksum_kind = d->checksum_kind;
	r->slot = d->slot;
	r->plane_shift = d->plane_shift;
	r->root_layout = d->root_layout;
	r->map_depth = d->map_depth;
	r->device_blocks = le64_to_cpu(d->device_blocks);
	r->logical_blocks = le64_to_cpu(d->logical_blocks);
	r->zone_blocks = le32_to_cpu(d->zone_blocks);
	r->segment_blocks = le32_to_cpu(d->segment_blocks);
	r->interval_blocks = le32_to_cpu(d->interval_blocks);
	memcpy(r->version, d->version, sizeof(r->version));
	memcpy(r->prev, d->prev, sizeof(r->prev));
	r->generation = le64_to_cpu(d->generation);
	r->segment = le64_to_cpu(d->segment);
	r->next = le64_to_cpu(d->next);
	r->next_seq = le64_to_cpu(d->next_seq);
	memcpy(r->chain, d->chain, sizeof(r->chain));
	memcpy(r->prev_chain, d->prev_chain, sizeof(r->prev_chain));
	r->map.pba = map & TRIAD_PBA_MASK;
	r->map.csum = le32_to_cpu(d->map.csum);
	r->map.birth = le32_to_cpu(d->map.birth);
	memcpy(r->summary_sum, d->summary_sum, sizeof(r->summary_sum));
	r->snapshots = le64_to_cpu(d->snapshots);
	r->hwm_zones = le64_to_cpu(d->hwm_zones);
	r->used = le64_to_cpu(d->used);
	r->pending = le64_to_cpu(d->pending);
	r->dead = le64_to_cpu(d->dead);
	r->time = le64_to_cpu(d->time);
	r->branch = le64_to_cpu(d->branch);
	r->repeats = le64_to_cpu(d->repeats);
	r->epoch = le32_to_cpu(d->epoch);
	triad_origin_decode(&r->origin, &d->origin);
}

void triad_root_decode(struct triad_slot *slot, unsigned int nr, const void *block)
{
	const struct triad_root_disk *d = block;

	memset(slot, 0, sizeof(*slot));
	if (le64_to_cpu(d->magic) != TRIAD_ROOT_MAGIC) {
		/* all that a root is written over: the beginning alone is often left free */
		if (all_zero(block, TRIAD_BLOCK_SIZE))
			bad(slot, TRIAD_SLOT_EMPTY, "nothing but zeroes");
		else
			bad(slot, TRIAD_SLOT_FOREIGN, "no dm-triad root here, but other data");
		return;
	}
	to_native(&slot->root, d);
	if (le32_to_cpu(d->crc) != triad_crc32c(d, CRC_BYTES))
		bad(slot, TRIAD_SLOT_TORN, "torn or rotten: its crc does not match");
	else if (le32_to_cpu(d->format_version) != TRIAD_FORMAT_VERSION)
		bad(slot, TRIAD_SLOT_FOREIGN, "of a format version this program does not know");
	else if (d->slot != nr)
		bad(slot, TRIAD_SLOT_FOREIGN, "written for another slot");
	else if (d->entry_size != sizeof(struct triad_entry_disk) ||
		 d->fanout_shift != TRIAD_FANOUT_SHIFT || d->plane_shift >= TRIAD_NR_SLOTS ||
		 d->checksum_kind > TRIAD_CHECKSUM_XXH64)
		bad(slot, TRIAD_SLOT_FOREIGN, "of a geometry this program does not know");
	else
		slot->state = TRIAD_SLOT_VALID;
}

int triad_root_verify(struct triad_slot *slot, struct triad_hash *hash, const void *block)
{
	const struct triad_root_disk *d = block;
	u8 seal[TRIAD_HASH_SIZE];
	int r;

	r = triad_hash(hash, d, SEALED_BYTES, NULL, 0, seal);
	if (r)
		return r;
	if (memcmp(seal, d->seal, sizeof(seal)))
		bad(slot, TRIAD_SLOT_TORN, "its crc matches but not its seal: wrong key or damaged");
	return 0;
}

int triad_root_seal(const struct triad_root *r, struct triad_hash *hash, void *block)
{
	struct triad_root_disk *d = block;

	memset(block, 0, TRIAD_BLOCK_SIZE);
	d->magic = cpu_to_le64(TRIAD_ROOT_MAGIC);
	d->format_version = cpu_to_le32(TRIAD_FORMAT_VERSION);
	d->incompat = cpu_to_le32(r->incompat);
	d->ro_compat = cpu_to_le32(r->ro_compat);
	d->compat = cpu_to_le32(r->compat);
	memcpy(d->uuid, r->uuid, sizeof(d->uuid));
	memcpy(d->label, r->label, sizeof(d->label));
	memcpy(d->hash, r->hash, sizeof(d->hash));
	d->checksum_kind = r->checksum_kind;
	d->slot = r->slot;
	d->plane_shift = r->plane_shift;
	d->root_layout = r->root_layout;
	d->map_depth = r->map_depth;
	d->entry_size = sizeof(struct triad_entry_disk);
	d->fanout_shift = TRIAD_FANOUT_SHIFT;
	d->device_blocks = cpu_to_le64(r->device_blocks);
	d->logical_blocks = cpu_to_le64(r->logical_blocks);
	d->zone_blocks = cpu_to_le32(r->zone_blocks);
	d->segment_blocks = cpu_to_le32(r->segment_blocks);
	d->interval_blocks = cpu_to_le32(r->interval_blocks);
	memcpy(d->version, r->version, sizeof(d->version));
	memcpy(d->prev, r->prev, sizeof(d->prev));
	d->generation = cpu_to_le64(r->generation);
	d->segment = cpu_to_le64(r->segment);
	d->next = cpu_to_le64(r->next);
	d->next_seq = cpu_to_le64(r->next_seq);
	memcpy(d->chain, r->chain, sizeof(d->chain));
	memcpy(d->prev_chain, r->prev_chain, sizeof(d->prev_chain));
	d->map.pba_flags = cpu_to_le64(r->map.pba);
	d->map.csum = cpu_to_le32(r->map.csum);
	d->map.birth = cpu_to_le32(r->map.birth);
	memcpy(d->summary_sum, r->summary_sum, sizeof(d->summary_sum));
	d->snapshots = cpu_to_le64(r->snapshots);
	d->hwm_zones = cpu_to_le64(r->hwm_zones);
	d->used = cpu_to_le64(r->used);
	d->pending = cpu_to_le64(r->pending);
	d->dead = cpu_to_le64(r->dead);
	d->time = cpu_to_le64(r->time);
	d->branch = cpu_to_le64(r->branch);
	d->repeats = cpu_to_le64(r->repeats);
	d->epoch = cpu_to_le32(r->epoch);
	triad_origin_encode(&d->origin, &r->origin);
	d->crc = cpu_to_le32(triad_crc32c(d, CRC_BYTES));
	return triad_hash(hash, d, SEALED_BYTES, NULL, 0, d->seal);
}

int triad_root_next_version(struct triad_hash *hash, const u8 b[TRIAD_HASH_SIZE],
			    const u8 c[TRIAD_HASH_SIZE], u8 version[TRIAD_HASH_SIZE])
{
	return triad_hash(hash, b, TRIAD_HASH_SIZE, c, TRIAD_HASH_SIZE, version);
}

static bool same(const u8 *x, const u8 *y)
{
	return !memcmp(x, y, TRIAD_HASH_SIZE);
}

/* y was made by a commit on top of x */
static bool follows(const struct triad_root *x, const struct triad_root *y)
{
	return same(y->prev, x->version) && same(y->prev_chain, x->chain) &&
	       y->generation == x->generation + 1 &&
	       (y->branch == x->branch || y->branch == y->generation);
}

/*
 * x was lost, and y descends from the root of this generation that healing made instead; or
 * x began a healing itself, and y repeats in another one what x was made on.
 */
static bool was_replaced(const struct triad_root *x, const struct triad_root *y)
{
	if (x->branch != y->branch)
		return x->generation == y->branch;
	return x->generation == y->generation && same(x->prev, y->prev) &&
	       same(x->prev_chain, y->prev_chain) && x->repeats < y->repeats;
}

/*
 * The same state in two slots: a heal's root whose write was given up, and went to the other
 * slot, may have landed in both.  Either will do.
 */
static bool is_twin(const struct triad_root *x, const struct triad_root *y)
{
	return same(x->version, y->version) && same(x->prev, y->prev) &&
	       same(x->chain, y->chain) && same(x->summary_sum, y->summary_sum) &&
	       x->generation == y->generation && x->branch == y->branch &&
	       x->next == y->next && x->next_seq == y->next_seq &&
	       x->map.pba == y->map.pba && x->map.csum == y->map.csum &&
	       x->map.birth == y->map.birth;
}

/* Roots of one device agree in all that never changes. */
static bool same_device(const struct triad_root *x, const struct triad_root *y)
{
	return !memcmp(x->uuid, y->uuid, sizeof(x->uuid)) &&
	       !memcmp(x->hash, y->hash, sizeof(x->hash)) &&
	       x->checksum_kind == y->checksum_kind &&
	       x->root_layout == y->root_layout &&
	       x->zone_blocks == y->zone_blocks &&
	       x->segment_blocks == y->segment_blocks;
}

static bool valid(const struct triad_slot *slot)
{
	return slot->state == TRIAD_SLOT_VALID;
}

/* A slot that agrees with no other, while two others agree, is foreign. */
static void drop_foreign(struct triad_slot slots[TRIAD_NR_SLOTS])
{
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		struct triad_slot *s = &slots[i];
		struct triad_slot *x = &slots[(i + 1) % 3], *y = &slots[(i + 2) % 3];

		if (valid(s) && valid(x) && valid(y) &&
		    same_device(&x->root, &y->root) && !same_device(&s->root, &x->root)) {
			bad(s, TRIAD_SLOT_FOREIGN, "root of another device");
			return;
		}
	}
}

static void choose(struct triad_choice *choice, int which, int cur, int backup,
		   int overwrite, int parent)
{
	choice->which = which;
	choice->cur = cur;
	choice->backup = backup;
	choice->overwrite = overwrite;
	choice->parent = parent;
	choice->degraded = which != 1;
}

/* Case 1: the one permutation of three valid roots with H(a, b) == c. */
static int select_permutation(struct triad_slot *s, struct triad_hash *hash,
			      struct triad_choice *choice, int *nr_found)
{
	u8 version[TRIAD_HASH_SIZE];
	int a, b, c, r;

	*nr_found = 0;
	for (a = 0; a < 3; a++) {
		for (b = 0; b < 3; b++) {
			if (a == b)
				continue;
			c = 3 - a - b;
			r = triad_root_next_version(hash, s[a].root.version,
						    s[b].root.version, version);
			if (r)
				return r;
			if (!same(version, s[c].root.version))
				continue;
			++*nr_found;
			choose(choice, 1, c, b, a, b);
		}
	}
	return 0;
}

/* Two generations apart, or three if y healed the loss of the root between them. */
static int is_grandchild(struct triad_hash *hash, const struct triad_slot *x,
			 const struct triad_slot *y)
{
	u8 version[TRIAD_HASH_SIZE];
	int r;

	if (!valid(x) || !valid(y) || !same_device(&x->root, &y->root) ||
	    y->root.generation < x->root.generation + 2)
		return 0;
	r = triad_root_next_version(hash, x->root.version, y->root.prev, version);
	return r ? r : same(version, y->root.version);
}

/*
 * 1: y, made from x or from its child, is an old copy, since z is younger and
 * has y or x as its grandparent.  Slots lose their turn when one root in between
 * was lost and healed; an old copy there may well have been made from x.
 */
static int is_outrun(struct triad_hash *hash, const struct triad_slot *x,
		     const struct triad_slot *y, const struct triad_slot *z)
{
	int r = is_grandchild(hash, y, z);

	if (!r && valid(z) && z->root.generation > y->root.generation)
		r = is_grandchild(hash, x, z);
	return r;
}

/* Case 2: y was made from x, and nothing was made from y, or in y's place. */
static int select_link(struct triad_slot *s, struct triad_hash *hash,
		       struct triad_choice *choice)
{
	int x, y, third, r;

	for (x = 0; x < 3; x++) {
		for (y = 0; y < 3; y++) {
			third = 3 - x - y;
			if (x == y || !valid(&s[x]) || !valid(&s[y]) ||
			    !same_device(&s[x].root, &s[y].root) ||
			    !follows(&s[x].root, &s[y].root))
				continue;
			if (valid(&s[third]) && (same(s[third].root.prev, s[y].root.version) ||
						 was_replaced(&s[y].root, &s[third].root)))
				continue;
			r = is_outrun(hash, &s[x], &s[y], &s[third]);
			if (r < 0)
				return r;
			if (r)
				continue;
			choose(choice, 2, y, x, third, x);
			return 1;
		}
	}
	return 0;
}

/* Case 3: x is a to y's c, and b between them is lost. */
static int select_grandchild(struct triad_slot *s, struct triad_hash *hash,
			     struct triad_choice *choice)
{
	int x, y, third, r;

	for (x = 0; x < 3; x++) {
		for (y = 0; y < 3; y++) {
			third = 3 - x - y;
			if (x == y)
				continue;
			r = is_grandchild(hash, &s[x], &s[y]);
			if (r < 0)
				return r;
			if (!r)
				continue;
			r = is_outrun(hash, &s[x], &s[y], &s[third]);
			if (r < 0)
				return r;
			if (r)
				continue;
			choose(choice, 3, y, -1, third, x);
			return 1;
		}
	}
	return 0;
}

/* The slot that would be overwritten; its bad state was told before. */
static void judge_third(struct triad_slot *third, const struct triad_root *cur,
			struct triad_choice *choice)
{
	bool ours = !memcmp(third->root.uuid, cur->uuid, sizeof(cur->uuid));

	if (third->state == TRIAD_SLOT_TORN && !ours)
		bad(third, TRIAD_SLOT_FOREIGN, "root of another device");
	if (valid(third))
		bad(third, TRIAD_SLOT_STALE, was_replaced(&third->root, cur) ?
		    "it was lost once, and healing put another in its place" :
		    is_twin(&third->root, cur) ?
		    "the current root once more: writing it here was given up" :
		    "an older copy: its version does not belong to the others");
	choice->occupied = third->state == TRIAD_SLOT_FOREIGN;
}

int triad_root_select(struct triad_slot slots[TRIAD_NR_SLOTS],
		      struct triad_hash *hash, struct triad_choice *choice)
{
	struct triad_slot *third, *cur;
	bool all_agree;
	int nr_found = 0, r;

	memset(choice, 0, sizeof(*choice));
	choice->which = 4;
	choice->cur = choice->backup = choice->overwrite = choice->parent = -1;
	drop_foreign(slots);

	all_agree = valid(&slots[0]) && valid(&slots[1]) && valid(&slots[2]) &&
		    same_device(&slots[0].root, &slots[1].root) &&
		    same_device(&slots[0].root, &slots[2].root);
	if (all_agree) {
		r = select_permutation(slots, hash, choice, &nr_found);
		if (r)
			return r;
		if (nr_found > 1) {
			choose(choice, 4, -1, -1, -1, -1);
			choice->why = "two permutations satisfy H(a,b)=c: damaged";
			return -ENODATA;
		}
		if (nr_found == 1) {
			choice->stray = !follows(&slots[choice->backup].root,
						 &slots[choice->cur].root);
			/* b that came back is none; a and c are left, as with b lost */
			if (!was_replaced(&slots[choice->backup].root, &slots[choice->cur].root))
				return 0;
		}
	}
	r = select_link(slots, hash, choice);
	if (!r)
		r = select_grandchild(slots, hash, choice);
	if (r < 0)
		return r;
	if (!r) {
		if (nr_found)
			choose(choice, 4, -1, -1, -1, -1);
		choice->why = "no two roots prove which one is current";
		return -ENODATA;
	}
	third = &slots[choice->overwrite];
	cur = &slots[choice->cur];
	if (valid(third) && same_device(&third->root, &cur->root) &&
	    third->root.generation >= cur->root.generation &&
	    !was_replaced(&third->root, &cur->root) && !is_twin(&third->root, &cur->root)) {
		/* the pair may be two stale roots: going back to them is no healing */
		choose(choice, 4, -1, -1, -1, -1);
		choice->why = "the youngest root does not belong to the other two";
		return -ENODATA;
	}
	judge_third(third, &cur->root, choice);
	return 0;
}

const char *triad_slot_state_name(enum triad_slot_state state)
{
	static const char * const names[] = {
		[TRIAD_SLOT_VALID] = "valid",
		[TRIAD_SLOT_TORN] = "torn",
		[TRIAD_SLOT_EMPTY] = "empty",
		[TRIAD_SLOT_FOREIGN] = "foreign",
		[TRIAD_SLOT_STALE] = "stale",
		[TRIAD_SLOT_UNREADABLE] = "unreadable",
	};

	return names[state];
}
