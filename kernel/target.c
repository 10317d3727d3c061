// SPDX-License-Identifier: GPL-2.0-or-later
/* The glue to the device-mapper core: one target, one mapped device. */
#include <linux/module.h>

#include "triad.h"

/* ---- constructor ----------------------------------------------------------------- */

/* Whole blocks of the target's are written, wherever it likes. */
static bool takes_blocks(const struct dm_dev *dev)
{
	return bdev_logical_block_size(dev->bdev) <= TRIAD_BLOCK_SIZE;
}

static int get_devices(struct triad *t, const struct triad_params *params)
{
	struct dm_target *ti = t->ti;
	unsigned int i;
	int r;

	r = dm_get_device(ti, params->device, dm_table_get_mode(ti->table), &t->dev);
	if (r) {
		ti->error = "The data device cannot be opened";
		return r;
	}
	if (!takes_blocks(t->dev)) {
		ti->error = "The data device has logical blocks of more than 4096 bytes";
		return -EINVAL;
	}
	t->nr_root_dev = params->nr_root_dev;
	for (i = 0; t->nr_root_dev && i < TRIAD_NR_SLOTS; i++) {
		const char *name = params->root_dev[t->nr_root_dev == 1 ? 0 : i];

		if ((int)i == params->missing)
			continue;
		r = dm_get_device(ti, name, dm_table_get_mode(ti->table), &t->root_dev[i]);
		if (r) {
			ti->error = "A root device cannot be opened";
			return r;
		}
		if (!takes_blocks(t->root_dev[i])) {
			ti->error = "A root device has logical blocks of more than 4096 bytes";
			return -EINVAL;
		}
	}
	return 0;
}

static void put_devices(struct triad *t)
{
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (t->root_dev[i])
			dm_put_device(t->ti, t->root_dev[i]);
	if (t->dev)
		dm_put_device(t->ti, t->dev);
}

/*
 * What cannot change between load and resume: H and the size.  Everything else is
 * read in preresume, since until then another table may be using the device.
 */
static int probe(struct triad *t, const struct triad_params *params)
{
	struct triad_slot *slots = kcalloc(TRIAD_NR_SLOTS, sizeof(*slots), GFP_KERNEL);
	const struct triad_root *root;
	int first, r;

	if (!slots)
		return -ENOMEM;
	r = triad_core_probe(slots, &t->store, &first);
	if (r) {
		t->ti->error = r != -ENODATA ? "The roots cannot be read" :
			"No dm-triad root here (not formatted? root_dev missing?): triadsetup roots";
		goto out;
	}
	root = &slots[first].root;
	if (t->ti->len != triad_sector(root->logical_blocks)) {
		DMERR("the table says %llu sectors, the device was formatted with %llu",
		      (u64)t->ti->len, (u64)triad_sector(root->logical_blocks));
		t->ti->error = "The table's length is not the formatted size: triadsetup table";
		r = -EINVAL;
		goto out;
	}
	if (root->root_layout != t->nr_root_dev) {
		t->ti->error = "Formatted with another number of root devices: triadsetup table";
		r = -EINVAL;
		goto out;
	}
	memcpy(t->hash_name, root->hash, sizeof(t->hash_name));
	t->hash = triad_hash_create(t->hash_name, params->key, &t->ti->error);
	r = PTR_ERR_OR_ZERO(t->hash);
	if (r)
		t->hash = NULL;
out:
	kfree(slots);
	return r;
}

static int make_workqueues(struct triad *t)
{
	t->read_wq = alloc_workqueue("triad-read", WQ_MEM_RECLAIM | WQ_UNBOUND, 64);
	t->log_wq = alloc_workqueue("triad-log", WQ_MEM_RECLAIM | WQ_CPU_INTENSIVE |
				    TRIAD_WQ_PERCPU, 1);
	t->log_any_wq = alloc_workqueue("triad-log-any", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	t->commit_wq = alloc_workqueue("triad-commit", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	t->payload_wq = alloc_workqueue("triad-payload", WQ_MEM_RECLAIM | WQ_UNBOUND |
					WQ_CPU_INTENSIVE, num_online_cpus());
	return t->read_wq && t->log_wq && t->log_any_wq && t->commit_wq && t->payload_wq ? 0 :
	       -ENOMEM;
}

static void triad_free_instance(struct triad *t)
{
	if (t->read_wq)
		destroy_workqueue(t->read_wq);
	if (t->payload_wq)
		destroy_workqueue(t->payload_wq);
	if (t->log_wq)
		destroy_workqueue(t->log_wq);
	if (t->log_any_wq)
		destroy_workqueue(t->log_any_wq);
	if (t->commit_wq)
		destroy_workqueue(t->commit_wq);
	triad_cache_exit(&t->cache);
	triad_write_exit(t);
	mempool_exit(&t->blocks);
	mempool_exit(&t->scratch);
	free_percpu(t->user_read);
	bioset_exit(&t->bios);
	triad_hash_destroy(t->hash);
	if (t->attached)
		triad_base_detach(triad_md(t));
	put_devices(t);
	kfree_sensitive(t->key_text);
	mutex_destroy(&t->lock);
	kvfree(t);
}

static struct triad *triad_new_instance(struct dm_target *ti, const struct triad_params *params)
{
	struct triad *t = kvzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->ti = ti;
	t->interval_ms = params->interval_ms;
	t->hold = params->hold;
	t->hold_ms = params->hold_ms;
	t->read_only = params->read_only || !(dm_table_get_mode(ti->table) & TRIAD_FMODE_WRITE);
	t->backup = params->backup;
	t->keep_max = params->keep_max;
	t->heartbeat_ms = params->heartbeat_ms;
	t->sync = params->sync;
	t->sync_ms = params->sync_ms;
	t->mode = TRIAD_MODE_FAIL;	/* until preresume has loaded it */
	t->why = "not resumed yet";
	t->store.ops = &triad_store_ops;
	mutex_init(&t->lock);
	spin_lock_init(&t->queue_lock);
	spin_lock_init(&t->status_lock);
	bio_list_init(&t->queue);
	bio_list_init(&t->flush_queue);
	bio_list_init(&t->todo);
	INIT_LIST_HEAD(&t->discards);
	bio_list_init(&t->waiting);
	spin_lock_init(&t->fetch_lock);
	INIT_LIST_HEAD(&t->fetches);
	init_waitqueue_head(&t->fetch_wait);
	init_waitqueue_head(&t->wait);
	INIT_WORK(&t->log_work, triad_writer_work);
	triad_group_init(t);
	INIT_WORK(&t->commit_work, triad_committer_work);
	INIT_DELAYED_WORK(&t->timer, triad_committer_timer);
	INIT_DELAYED_WORK(&t->beat, triad_beat_work);
	triad_device_init(t);
	mutex_lock(&t->lock);
	triad_status_note(t);
	mutex_unlock(&t->lock);
	return t;
}

static int triad_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct triad_params params;
	const char *error = NULL;
	struct triad *t;
	int r;

	r = triad_params_parse(&params, argc, argv, &error);
	if (r) {
		ti->error = (char *)error;
		return r;
	}
	t = triad_new_instance(ti, &params);
	if (!t) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	r = get_devices(t, &params);
	if (r)
		goto err;
	ti->error = "Out of memory";
	r = -ENOMEM;
	if (params.key) {
		t->key_text = kstrdup(params.key, GFP_KERNEL);
		if (!t->key_text)
			goto err;
	}
	t->user_read = alloc_percpu(u64);
	if (!t->user_read || triad_cache_init(&t->cache, params.cache_blocks) ||
	    bioset_init(&t->bios, 64, 0, BIOSET_NEED_BVECS) ||
	    mempool_init_slab_pool(&t->blocks, 16, triad_block_cache) ||
	    mempool_init_kmalloc_pool(&t->scratch, 4, sizeof(struct triad_scratch)) ||
	    make_workqueues(t) ||
	    triad_write_init(t))
		goto err;
	r = triad_base_attach(triad_md(t));
	if (r)
		goto err;
	t->attached = true;
	triad_committer_init(t);
	r = probe(t, &params);
	if (r)
		goto err;

	ti->private = t;
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	ti->num_write_zeroes_bios = 1;
	ti->limit_swap_bios = true;
	ti->per_io_data_size = sizeof(struct triad_bio);
	ti->error = NULL;
	return 0;
err:
	triad_free_instance(t);
	return r;
}

static void triad_dtr(struct dm_target *ti)
{
	triad_device_unmark(ti->private);
	triad_free_instance(ti->private);
}

/* ---- suspend and resume -------------------------------------------------------------- */

static int triad_preresume(struct dm_target *ti)
{
	return triad_device_start(ti->private);
}

static void triad_presuspend(struct dm_target *ti)
{
	/* postsuspend cannot tell any more */
	triad_device_fence(ti->private, dm_noflush_suspending(ti));
}

static void triad_presuspend_undo(struct dm_target *ti)
{
	triad_device_unfence(ti->private);
}

/* No bio is under way any more.  What is kept in memory ends here. */
static void triad_postsuspend(struct dm_target *ti)
{
	triad_device_stop(ti->private);
}

/* ---- bios -------------------------------------------------------------------------------- */

static int triad_map_bio(struct dm_target *ti, struct bio *bio)
{
	struct triad *t = ti->private;
	struct triad_bio *tb = triad_bio(bio);

	tb->triad = t;
	tb->bio = bio;
	tb->reading = false;
	INIT_LIST_HEAD(&tb->payload);
	tb->lba = dm_target_offset(ti, bio->bi_iter.bi_sector) / TRIAD_SECTORS_PER_BLOCK;
	if ((bio->bi_iter.bi_sector | bio_sectors(bio)) & (TRIAD_SECTORS_PER_BLOCK - 1))
		return DM_MAPIO_KILL;	/* not in whole blocks */
	if (unlikely(triad_mode(t) == TRIAD_MODE_FAIL))
		return DM_MAPIO_KILL;	/* what the disk holds is not what was acknowledged */

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return triad_read_bio(t, bio);
	case REQ_OP_WRITE:
	case REQ_OP_FLUSH:
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		return triad_write_bio(t, bio);
	default:
		return DM_MAPIO_KILL;
	}
}

static int triad_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	return triad_read_end(ti->private, bio, error);
}

/*
 * An address above says nothing about the place below: what depends on where the
 * lower device begins, or on how it is divided, means nothing here.
 */
static void triad_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	limits->logical_block_size = TRIAD_BLOCK_SIZE;
	limits->physical_block_size = TRIAD_BLOCK_SIZE;
	limits->io_min = TRIAD_BLOCK_SIZE;
	limits->io_opt = TRIAD_RECORD_MAX_BLOCKS * TRIAD_BLOCK_SIZE;
	triad_limit_discard(limits, triad_sector(TRIAD_MAX_DISCARD), TRIAD_BLOCK_SIZE);
	triad_limit_write_zeroes(limits, triad_sector(TRIAD_MAX_DISCARD));
	triad_limit_atomic_writes(limits, TRIAD_BLOCK_SIZE, limits->io_opt);
	limits->alignment_offset = 0;
	limits->discard_alignment = 0;
	limits->chunk_sectors = 0;
	triad_limit_aligned(limits);
}

/* As far as it is used: what is behind the last whole block is not. */
static sector_t used_sectors(const struct dm_dev *dev)
{
	return round_down(bdev_nr_sectors(dev->bdev), TRIAD_SECTORS_PER_BLOCK);
}

static int triad_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct triad *t = ti->private;
	unsigned int i;
	int r;

	r = fn(ti, t->dev, 0, used_sectors(t->dev), data);
	for (i = 0; i < t->nr_root_dev && !r; i++)
		if (t->root_dev[i])
			r = fn(ti, t->root_dev[i], 0, used_sectors(t->root_dev[i]), data);
	return r;
}

/* ---- status and messages --------------------------------------------------------------------- */

static const char * const mode_names[] = {
	[TRIAD_MODE_RW] = "rw",
	[TRIAD_MODE_HOLD] = "hold",
	[TRIAD_MODE_RO] = "ro",
	[TRIAD_MODE_FAIL] = "fail",
};

static const char *root_dev_name(const struct triad *t, unsigned int i)
{
	return t->root_dev[i] ? t->root_dev[i]->name : "-";
}

/* Which letter each slot has; '-' for a root that is bad, or not written any more. */
static void letters(const struct triad *t, char out[TRIAD_NR_SLOTS + 1])
{
	const struct triad_core *core = &t->core;

	memcpy(out, "---", TRIAD_NR_SLOTS + 1);
	if (!t->active)
		return;
	out[core->slot_c] = core->one_root ? 'b' : 'c';
	if (core->one_root)
		out[core->choice.cur] = 'c';
	if (core->slot_b >= 0)
		out[core->slot_b] = 'b';
	if (!core->degraded && !triad_core_has_lost(core, core->slot_a))
		out[core->slot_a] = 'a';
}

static u64 memory_bytes(const struct triad *t)
{
	const struct triad_core *core = &t->core;
	const struct triad_commit *commit = &core->commit;
	const struct triad_keep *keep = &core->space.keep;
	const struct triad_index *indices[] = { core->active, core->frozen, core->spare };
	const struct triad_list *lists[] = {
		&core->space.log_backup, &core->space.log_frozen, &core->space.log_active,
		&core->space.nodes, &commit->nodes, &commit->adds, &commit->frees,
	};
	u64 sum = sizeof(*t) + sizeof(*commit->update.work) +
		  TRIAD_NR_WRITES * (TRIAD_RECORD_MAX_BLOCKS + 1) * TRIAD_BLOCK_SIZE +
		  (u64)atomic_read(&t->payload_blocks) * TRIAD_BLOCK_SIZE;
	u32 i, max = 0;

	if (!t->active)
		return sum;
	for (i = 0; i < ARRAY_SIZE(indices); i++) {
		if (!indices[i])
			continue;
		sum += sizeof(*indices[i]) + (u64)indices[i]->max * sizeof(*indices[i]->entries) +
		       (indices[i]->bucket_mask + 1ULL) * sizeof(u32);
		max = max(max, indices[i]->max);
	}
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		sum += (u64)lists[i]->max * sizeof(u64);
	sum += (u64)max * (sizeof(u64) + sizeof(u32));
	sum += (u64)keep->nr_runs * sizeof(u64) +
	       (u64)keep->max * (sizeof(*keep->kept) + sizeof(*keep->freed));
	sum += core->geo.nr_zones * (2 * sizeof(struct triad_zone) +
				     sizeof(struct triad_zone_disk) + 2 * sizeof(u16) + sizeof(u8));
	return sum;
}

void triad_status_note(struct triad *t)
{
	const struct triad_core *core = &t->core;
	const struct triad_keep *keep = &core->space.keep;
	struct triad_status s = {
		.degraded = core->degraded || (t->active && t->store.lost),
		.generation = core->root.generation,
		.log_records = t->active ? core->next_seq - core->root.next_seq : 0,
		.log_blocks = core->space.nr_taken,
		.used = core->space.used,
		.usable = t->active ? core->geo.usable : 0,
		.memory = memory_bytes(t),
		.next = t->active ? core->next_seq : 0,
		.durable = t->active ? core->order.durable : 0,
		.kept = t->active ? triad_keep_first(core) : 0,
		.kept_blocks = keep->nr_blocks,
		.keep_from = keep->from,
		.given_up = keep->given_up,
		.sync = t->sync == TRIAD_SYNC_OFF ? "-" : triad_params_sync_name(t->sync),
		.sync_state = triad_sync_state(t),
		.replicated = t->replicated,
	};

	memcpy(s.uuid, core->root.uuid, sizeof(s.uuid));
	memcpy(s.label, core->root.label, sizeof(s.label));

	lockdep_assert_held(&t->lock);
	letters(t, s.letters);
	spin_lock(&t->status_lock);
	t->status = s;
	spin_unlock(&t->status_lock);
}

/*
 * Nobody waits here: the lock may be held while the disk is awaited.  What was kept
 * when it was last given back is shown then.
 */
static struct triad_status status_now(struct triad *t)
{
	struct triad_status s;

	if (mutex_trylock(&t->lock)) {
		triad_status_note(t);
		mutex_unlock(&t->lock);
	}
	spin_lock(&t->status_lock);
	s = t->status;
	spin_unlock(&t->status_lock);
	return s;
}

static const char *health(struct triad *t, const struct triad_status *now)
{
	return READ_ONCE(t->why_error) ? "failed" :
	       atomic64_read(&t->stats.checksum_errors) ? "rotten" :
	       now->degraded ? "degraded" : "ok";
}

/* As one word of the line.  Both are empty until a device was opened for the first time. */
static unsigned int emit_names(const struct triad_status *now, char *result, unsigned int maxlen)
{
	static const u8 none[TRIAD_UUID_SIZE];
	const u8 *label = now->label;
	size_t i, n = strnlen((const char *)label, TRIAD_LABEL_SIZE);
	unsigned int sz = 0;

	if (memcmp(now->uuid, none, sizeof(none)))
		DMEMIT(" %pUb ", now->uuid);
	else
		DMEMIT(" - ");
	for (i = 0; i < n; i++) {
		/* "-" alone stands for a label that is empty */
		bool plain = label[i] > ' ' && label[i] < 0x7f && label[i] != '\\' &&
			     (n > 1 || label[i] != '-');

		DMEMIT(plain ? "%c" : "\\x%02x", label[i]);
	}
	if (!n)
		DMEMIT("-");
	return sz;
}

static u64 user_read(const struct triad *t)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(t->user_read, cpu));
	return sum;
}

static void status_info(struct triad *t, char *result, unsigned int maxlen)
{
	const struct triad_status now = status_now(t);
	const struct triad_stats *s = &t->stats;
	u32 cached = READ_ONCE(t->cache.nr);
	unsigned int sz = 0, why;

	DMEMIT("%s %s %llu %s", mode_names[triad_mode(t)], now.letters, now.generation,
	       health(t, &now));
	DMEMIT(" %llu %llu", now.log_records, now.log_blocks);
	DMEMIT(" %llu %llu", now.used, now.usable);
	DMEMIT(" %lld %lld", (s64)atomic64_read(&s->commits), (s64)atomic64_read(&s->records));
	DMEMIT(" %lld %lld %lld", (s64)atomic64_read(&s->user_written),
	       (s64)atomic64_read(&s->device_written), (s64)user_read(t));
	DMEMIT(" %lld %lld", (s64)atomic64_read(&s->checksum_errors),
	       (s64)atomic64_read(&s->flushes));
	DMEMIT(" %u %llu ", cached,
	       (now.memory + (u64)cached * (TRIAD_BLOCK_SIZE + 64)) >> 10);
	why = sz;
	DMEMIT("%s", READ_ONCE(t->why) ?: "-");
	strreplace(result + why, ' ', '_');	/* one word of the line */
	DMEMIT(" %d %s", READ_ONCE(t->why_error), TRIAD_VERSION);
	sz += emit_names(&now, result + sz, maxlen - sz);
	DMEMIT(" %llu %llu %llu %llu", now.next, now.durable, now.kept, now.kept_blocks);
	if (now.kept && now.keep_from != TRIAD_KEEP_NONE)
		DMEMIT(" %llu", now.keep_from);
	else
		DMEMIT(now.given_up ? " given_up" : " -");
	DMEMIT(" %s %s %llu", now.sync, now.sync_state, now.replicated);
}

static void status_table(struct triad *t, char *result, unsigned int maxlen)
{
	unsigned int i, nr_opts = 2 * t->nr_root_dev, sz = 0;
	bool interval = t->interval_ms != TRIAD_DEFAULT_INTERVAL_MS;
	bool cache = t->cache.max != TRIAD_DEFAULT_CACHE_BLOCKS;
	bool sync_ms = t->sync_ms != TRIAD_DEFAULT_SYNC_MS;
	enum triad_sync sync = READ_ONCE(t->sync);

	nr_opts += t->read_only + t->backup + 2 * !!t->key_text + 2 * interval + 2 * cache + 2 * t->hold +
		   2 * !!t->hold_ms + 2 * (sync != TRIAD_SYNC_OFF) + 2 * sync_ms + 2 * !!t->keep_max +
		   2 * !!t->heartbeat_ms;
	DMEMIT("%s", t->dev->name);
	if (!nr_opts)
		return;
	DMEMIT(" %u", nr_opts);
	for (i = 0; i < t->nr_root_dev; i++)
		DMEMIT(" root_dev %s", root_dev_name(t, i));
	if (t->read_only)
		DMEMIT(" read_only");
	if (t->backup)
		DMEMIT(" backup");
	if (t->key_text)
		DMEMIT(" key %s", t->key_text);
	if (interval)
		DMEMIT(" interval_ms %u", t->interval_ms);
	if (cache)
		DMEMIT(" cache_blocks %u", t->cache.max);
	if (t->hold)
		DMEMIT(" on_error hold");
	if (t->hold_ms)
		DMEMIT(" hold_ms %u", t->hold_ms);
	if (sync != TRIAD_SYNC_OFF)
		DMEMIT(" sync %s", triad_params_sync_name(sync));
	if (sync_ms)
		DMEMIT(" sync_ms %u", t->sync_ms);
	if (t->keep_max)
		DMEMIT(" keep_max %u", t->keep_max);
	if (t->heartbeat_ms)
		DMEMIT(" heartbeat_ms %u", t->heartbeat_ms);
}

static void status_ima(struct triad *t, char *result, unsigned int maxlen)
{
	unsigned int i, sz = 0;

	DMEMIT_TARGET_NAME_VERSION(t->ti->type);
	DMEMIT(",device_name=%s,hash=%s,keyed=%c,read_only=%c,backup=%c", t->dev->name,
	       t->hash_name, t->key_text ? 'y' : 'n', t->read_only ? 'y' : 'n',
	       t->backup ? 'y' : 'n');
	for (i = 0; i < t->nr_root_dev; i++)
		DMEMIT(",root_dev_%u=%s", i, root_dev_name(t, i));
	DMEMIT(";");
}

static void triad_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			 char *result, unsigned int maxlen)
{
	struct triad *t = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		status_info(t, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		status_table(t, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		status_ima(t, result, maxlen);
		break;
	}
}

static void clear_stats(struct triad *t)
{
	struct triad_stats *s = &t->stats;
	atomic64_t *all[] = { &s->commits, &s->records, &s->user_written, &s->device_written,
			      &s->checksum_errors, &s->flushes };
	unsigned int i;
	int cpu;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		atomic64_set(all[i], 0);
	for_each_possible_cpu(cpu)
		*per_cpu_ptr(t->user_read, cpu) = 0;
}

static int triad_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			 unsigned int maxlen)
{
	struct triad *t = ti->private;

	if (argc == 1 && !strcasecmp(argv[0], "clear_stats")) {
		clear_stats(t);
		return 0;
	}
	if (argc == 1 && !strcasecmp(argv[0], "commit")) {
		if (triad_mode(t) != TRIAD_MODE_RW)
			return -EROFS;
		return triad_committer_wait(t, false);
	}
	/* the next suspend without flush leaves everything as it lies: for tests of restarts */
	if (argc == 1 && !strcasecmp(argv[0], "crash")) {
		WRITE_ONCE(t->crash, true);
		return 0;
	}
	if (argc == 1 && !strcasecmp(argv[0], "fail")) {
		mutex_lock(&t->lock);
		triad_hold_end(t, "a message");
		mutex_unlock(&t->lock);
		return 0;
	}
	if (argc == 2 && !strcasecmp(argv[0], "notify"))
		return triad_follow_notify(t, argv[1]);
	if (argc == 2 && !strcasecmp(argv[0], "keep"))
		return triad_follow_keep(t, argv[1]);
	if (argc == 1 && !strcasecmp(argv[0], "flush"))
		return triad_follow_flush(t);
	if (argc == 1 && !strcasecmp(argv[0], "read_only"))
		return triad_follow_fence(t);
	if (argc == 2 && !strcasecmp(argv[0], "replicated"))
		return triad_sync_replicated(t, argv[1]);
	if (argc == 2 && !strcasecmp(argv[0], "sync"))
		return triad_sync_set(t, argv[1]);
	if (argc == 2 && !strcasecmp(argv[0], "trim"))
		return triad_trim(t, argv[1], result, maxlen);
	DMERR("%s: unknown message; known are clear_stats, commit, crash, fail, flush, keep, notify, read_only, replicated, sync and trim",
	      triad_name(t));
	return -EINVAL;
}

static struct target_type triad_target = {
	.name = "triad",
	.version = { 1, 1, 0 },
	.module = THIS_MODULE,
	.features = DM_TARGET_SINGLETON | DM_TARGET_NOWAIT | TRIAD_ATOMIC_WRITES,
	.ctr = triad_ctr,
	.dtr = triad_dtr,
	.map = triad_map_bio,
	.end_io = triad_end_io,
	.preresume = triad_preresume,
	.presuspend = triad_presuspend,
	.presuspend_undo = triad_presuspend_undo,
	.postsuspend = triad_postsuspend,
	.status = triad_status,
	.message = triad_message,
	.iterate_devices = triad_iterate_devices,
	.io_hints = triad_io_hints,
};

/* The same under the name of this build: another one may have the short one. */
static struct target_type versioned_target;
static struct triad_build build = { .target = &triad_target };

struct kmem_cache *triad_block_cache;

static int __init triad_init(void)
{
	int r = -ENOMEM;

	triad_block_cache = kmem_cache_create("triad_block-" TRIAD_VERSION, TRIAD_BLOCK_SIZE,
					      TRIAD_BLOCK_SIZE, SLAB_RECLAIM_ACCOUNT, NULL);
	if (!triad_block_cache)
		return r;
	r = triad_hibernate_init();
	if (r)
		goto no_hibernate;
	versioned_target = triad_target;
	versioned_target.name = "triad-" TRIAD_VERSION;
	r = dm_register_target(&versioned_target);
	if (r)
		goto no_target;
	r = triad_base_join(&build);
	if (!r)
		return 0;
	dm_unregister_target(&versioned_target);
no_target:
	triad_hibernate_exit();
no_hibernate:
	kmem_cache_destroy(triad_block_cache);
	return r;
}

static void __exit triad_exit(void)
{
	triad_base_part(&build);
	dm_unregister_target(&versioned_target);
	triad_hibernate_exit();
	rcu_barrier();		/* nodes that are still being freed */
	kmem_cache_destroy(triad_block_cache);
}

module_init(triad_init);
module_exit(triad_exit);

MODULE_DESCRIPTION("device-mapper target that is restartable and crash-atomic");
MODULE_AUTHOR("dm-triad developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(TRIAD_VERSION);
MODULE_ALIAS("dm-triad");
MODULE_ALIAS("dm-triad-" TRIAD_VERSION);	/* what the core asks for, for that target */
MODULE_SOFTDEP("pre: crc32c sha256");
