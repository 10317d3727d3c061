// SPDX-License-Identifier: GPL-2.0-or-later
/* What outlives an instance, and a build of the module: base.h tells what and why. */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "base.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(record_submit);
EXPORT_TRACEPOINT_SYMBOL_GPL(record_publish);
EXPORT_TRACEPOINT_SYMBOL_GPL(flush);
EXPORT_TRACEPOINT_SYMBOL_GPL(commit_begin);
EXPORT_TRACEPOINT_SYMBOL_GPL(commit_end);
EXPORT_TRACEPOINT_SYMBOL_GPL(read_miss);
EXPORT_TRACEPOINT_SYMBOL_GPL(checksum_error);
EXPORT_TRACEPOINT_SYMBOL_GPL(mode);

/* Of one mapped device that has a table of ours. */
struct estate {
	struct list_head list;
	struct mapped_device *md;
	unsigned int nr_tables;
	bool left;
	struct triad_legacy legacy;
};

static DEFINE_MUTEX(lock);		/* of all that is below */
static LIST_HEAD(claims);
static LIST_HEAD(estates);
static LIST_HEAD(builds);		/* oldest first */

/* ---- claims ------------------------------------------------------------------ */

/* A disk and a partition of it are one, two partitions are two. */
static bool overlap(struct block_device *a, struct block_device *b)
{
	sector_t end_a = get_start_sect(a) + bdev_nr_sectors(a);
	sector_t end_b = get_start_sect(b) + bdev_nr_sectors(b);

	return a->bd_disk == b->bd_disk && get_start_sect(a) < end_b && get_start_sect(b) < end_a;
}

static bool share_a_disk(const struct triad_claim *x, const struct triad_claim *y)
{
	unsigned int i, j;

	for (i = 0; i < x->nr; i++)
		for (j = 0; j < y->nr; j++)
			if (overlap(x->bdev[i], y->bdev[j]))
				return true;
	return false;
}

int triad_base_claim(struct triad_claim *claim)
{
	struct triad_claim *other;
	int r = 0;

	mutex_lock(&lock);
	list_for_each_entry(other, &claims, list)
		if (share_a_disk(other, claim))
			r = -EBUSY;
	if (!r)
		list_add(&claim->list, &claims);
	mutex_unlock(&lock);
	return r;
}
EXPORT_SYMBOL_GPL(triad_base_claim);

void triad_base_release(struct triad_claim *claim)
{
	mutex_lock(&lock);
	list_del_init(&claim->list);
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(triad_base_release);

/* ---- positions ----------------------------------------------------------------- */

static struct estate *find_estate(struct mapped_device *md)
{
	struct estate *e;

	lockdep_assert_held(&lock);
	list_for_each_entry(e, &estates, list)
		if (e->md == md)
			return e;
	return NULL;
}

int triad_base_attach(struct mapped_device *md)
{
	struct estate *e, *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);

	mutex_lock(&lock);
	e = find_estate(md);
	if (!e && fresh) {
		e = fresh;
		fresh = NULL;
		e->md = md;
		list_add(&e->list, &estates);
	}
	if (e)
		e->nr_tables++;
	mutex_unlock(&lock);
	kfree(fresh);
	return e ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(triad_base_attach);

void triad_base_detach(struct mapped_device *md)
{
	struct estate *e;

	mutex_lock(&lock);
	e = find_estate(md);
	if (e && !--e->nr_tables) {
		list_del(&e->list);
		kfree(e);
	}
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(triad_base_detach);

void triad_base_leave(struct mapped_device *md, const struct triad_legacy *legacy)
{
	struct estate *e;

	mutex_lock(&lock);
	e = find_estate(md);
	if (e) {
		e->left = legacy;
		if (legacy)
			e->legacy = *legacy;
	}
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(triad_base_leave);

bool triad_base_find(struct mapped_device *md, struct triad_legacy *legacy)
{
	struct estate *e;
	bool left;

	mutex_lock(&lock);
	e = find_estate(md);
	left = e && e->left;
	if (left)
		*legacy = e->legacy;
	mutex_unlock(&lock);
	return left;
}
EXPORT_SYMBOL_GPL(triad_base_find);

/* ---- builds ---------------------------------------------------------------------- */

int triad_base_join(struct triad_build *build)
{
	struct triad_build *other;
	bool taken = false;
	int r = 0;

	mutex_lock(&lock);
	list_for_each_entry(other, &builds, list)
		taken |= other->has_name;
	if (!taken)
		r = dm_register_target(build->target);
	if (!r) {
		build->has_name = !taken;
		list_add_tail(&build->list, &builds);
	}
	mutex_unlock(&lock);
	return r;
}
EXPORT_SYMBOL_GPL(triad_base_join);

void triad_base_part(struct triad_build *build)
{
	struct triad_build *heir;

	mutex_lock(&lock);
	list_del(&build->list);
	if (build->has_name) {
		dm_unregister_target(build->target);
		heir = list_empty(&builds) ? NULL :
		       list_last_entry(&builds, struct triad_build, list);
		if (heir)
			heir->has_name = !dm_register_target(heir->target);
	}
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(triad_base_part);

MODULE_DESCRIPTION("what outlives an instance of dm-triad, and a build of it");
MODULE_AUTHOR("dm-triad developers");
MODULE_LICENSE("GPL");
