// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dm-witness: passes bios through and records them, for tests.
 *
 *	witness <device> lower|upper
 *
 * Every write, flush and discard is two events, its submission (with a copy of the
 * data) and its completion.  All instances put their events into one list, in one
 * order: a submission is there before the device below sees the bio, a completion
 * before the layer above sees it.  So whatever the layer above knew when it sent a
 * bio stands before that bio.
 *
 * The upper instance passes the copy on, not the pages it was given: what is
 * recorded is what was written, even if somebody changes a page under way.
 *
 * The lower instance holds some completions back for a while, so that writes end in another
 * order than they were sent.
 *
 * From a bio of a chosen kind on the lower instance answers all with errors, as a disk that dies.
 * Half of the writes and flushes get to the disk nevertheless.
 *
 * /dev/witness is the list (witness.h); writing anything to it empties it.  It does
 * not wrap: with the buffer full, reading it fails with EOVERFLOW.
 */
#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "witness.h"

#define DM_MSG_PREFIX "witness"
#define BLOCK_SECTORS	(WITNESS_BLOCK / SECTOR_SIZE)

static unsigned int data_mb = 256;
module_param(data_mb, uint, 0444);
MODULE_PARM_DESC(data_mb, "room for data, in MiB");

static unsigned int max_events = 1 << 19;
module_param(max_events, uint, 0444);
MODULE_PARM_DESC(max_events, "room for events");

static unsigned int late = 4;
module_param(late, uint, 0644);
MODULE_PARM_DESC(late, "one lower write in so many completes late; 0: none");

static unsigned int fail_in;
module_param(fail_in, uint, 0644);
MODULE_PARM_DESC(fail_in, "the disk dies with the so-manieth bio below of the kind; 0: not");

enum fail_kind { FAIL_WRITE, FAIL_FLUSH, FAIL_FUA, FAIL_READ };
static unsigned int fail_kind;
module_param(fail_kind, uint, 0644);
MODULE_PARM_DESC(fail_kind, "0: write, 1: flush, 2: FUA write, 3: read");

static struct workqueue_struct *late_wq;
static DEFINE_SPINLOCK(lock);		/* protects what follows, but for the data */
static struct witness_event *events;
static u8 *data;
static u32 nr_events, nr_blocks, in_flight;
static u64 lost;
static struct witness_header count;	/* only what is counted */

struct witness {
	struct dm_dev *dev;
	enum witness_where where;
	struct bio_set bios;
};

struct witness_bio {
	u32 number;		/* of the submission, + 1; 0: not recorded */
	bool late;		/* to be held back */
	bool fails;		/* with an error of ours */
	bool ended;
	struct bio *bio;
	struct delayed_work work;
};

/* ---- the list ---------------------------------------------------------------- */

/* Reserve an event and room for its data. NULL: full. */
static const struct witness_event *append(struct witness_event e, u32 blocks, u32 *number)
{
	struct witness_event *p = NULL;
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	if (nr_events == max_events || nr_blocks + blocks > data_mb << 8) {
		lost++;
	} else {
		*number = nr_events++;
		p = &events[*number];
		if (e.kind == WITNESS_SUBMIT) {
			e.of = nr_blocks;
			in_flight++;
		} else {
			in_flight--;
		}
		*p = e;
		nr_blocks += blocks;
	}
	spin_unlock_irqrestore(&lock, flags);
	return p;
}

/* A bio below: does it fail? */
static bool is_doomed(const struct bio *bio)
{
	enum fail_kind kind = bio->bi_opf & REQ_FUA ? FAIL_FUA : FAIL_WRITE;
	unsigned long flags;
	bool doomed;

	if (!op_is_write(bio_op(bio)))
		kind = FAIL_READ;
	else if (!bio_sectors(bio))
		kind = FAIL_FLUSH;
	spin_lock_irqsave(&lock, flags);
	doomed = count.failures || (fail_in && kind == fail_kind && !--fail_in);
	if (doomed && !count.failures++)
		count.died = nr_events;
	spin_unlock_irqrestore(&lock, flags);
	return doomed;
}

static void count_one(u64 *counter)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	++*counter;
	spin_unlock_irqrestore(&lock, flags);
}

static void copy_data(void *to, struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		memcpy_from_bvec(to, &bv);
		to += bv.bv_len;
	}
}

/* ---- bios --------------------------------------------------------------------- */

static void copy_endio(struct bio *copy)
{
	struct bio *bio = copy->bi_private;

	bio->bi_status = copy->bi_status;
	bio_put(copy);
	bio_endio(bio);
}

static void submit_copy(struct witness *w, struct bio *bio, u32 block)
{
	u32 i, nr = bio_sectors(bio) / BLOCK_SECTORS;
	blk_opf_t opf = REQ_OP_WRITE | (bio->bi_opf & (REQ_FUA | REQ_SYNC | REQ_IDLE | REQ_META));
	struct bio *copy = bio_alloc_bioset(w->dev->bdev, nr, opf, GFP_NOIO, &w->bios);

	copy->bi_iter.bi_sector = bio->bi_iter.bi_sector;
	copy->bi_private = bio;
	copy->bi_end_io = copy_endio;
	for (i = 0; i < nr; i++)
		__bio_add_page(copy, vmalloc_to_page(data + (size_t)(block + i) * WITNESS_BLOCK),
			       WITNESS_BLOCK, 0);
	submit_bio_noacct(copy);
}

static void end_late(struct work_struct *work)
{
	struct witness_bio *wb = container_of(work, struct witness_bio, work.work);

	bio_endio(wb->bio);	/* comes through witness_end_io again */
}

static enum witness_op op_of(const struct bio *bio)
{
	if (bio_op(bio) != REQ_OP_WRITE)
		return WITNESS_DISCARD;
	/* the dm core sends the flush of a write ahead, as a bio without data */
	return bio_sectors(bio) ? WITNESS_WRITE : WITNESS_FLUSH;
}

static int witness_map(struct dm_target *ti, struct bio *bio)
{
	struct witness_bio *wb = dm_per_bio_data(bio, sizeof(*wb));
	struct witness_event e = { .kind = WITNESS_SUBMIT };
	const struct witness_event *recorded;
	struct witness *w = ti->private;
	bool lost = false;

	wb->number = 0;
	wb->late = false;
	wb->ended = false;
	wb->fails = w->where == WITNESS_LOWER && is_doomed(bio);
	bio_set_dev(bio, w->dev->bdev);
	if (!op_is_write(bio_op(bio))) {
		count_one(&count.reads[w->where]);
		return DM_MAPIO_REMAPPED;
	}
	if (wb->fails)
		lost = get_random_u32() & 1;
	e.op = op_of(bio);
	if (e.op == WITNESS_WRITE && bio_sectors(bio) > BIO_MAX_VECS * BLOCK_SECTORS)
		dm_accept_partial_bio(bio, BIO_MAX_VECS * BLOCK_SECTORS);
	e.where = w->where;
	e.flags = (bio->bi_opf & REQ_FUA ? WITNESS_FUA : 0) | (lost ? WITNESS_LOST : 0);
	e.sector = bio->bi_iter.bi_sector;
	e.sectors = bio_sectors(bio);
	recorded = append(e, e.op == WITNESS_WRITE ? e.sectors / BLOCK_SECTORS : 0, &wb->number);
	if (!recorded)
		return DM_MAPIO_REMAPPED;
	wb->number++;
	if (e.op == WITNESS_WRITE)
		copy_data(data + (size_t)recorded->of * WITNESS_BLOCK, bio);
	if (lost) {
		bio_io_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (e.op != WITNESS_WRITE)
		return DM_MAPIO_REMAPPED;
	if (w->where == WITNESS_LOWER) {
		wb->late = late && !(get_random_u32() % late);
		return DM_MAPIO_REMAPPED;
	}
	submit_copy(w, bio, recorded->of);
	return DM_MAPIO_SUBMITTED;
}

static int witness_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct witness_bio *wb = dm_per_bio_data(bio, sizeof(*wb));
	struct witness *w = ti->private;
	u32 number;

	if (wb->late) {
		wb->late = false;
		wb->bio = bio;
		INIT_DELAYED_WORK(&wb->work, end_late);
		queue_delayed_work(late_wq, &wb->work, 1);
		return DM_ENDIO_INCOMPLETE;
	}
	if (wb->fails)
		*error = BLK_STS_IOERR;
	if (wb->ended)
		count_one(&count.again);
	else if (bio_op(bio) == REQ_OP_READ)
		count_one(&count.reads_done[w->where]);
	wb->ended = true;
	if (wb->number) {
		append((struct witness_event){
			.kind = WITNESS_COMPLETE,
			.where = w->where,
			.of = wb->number - 1,
			.error = blk_status_to_errno(*error),
		}, 0, &number);
		wb->number = 0;
	}
	return DM_ENDIO_DONE;
}

/* ---- the target ------------------------------------------------------------------ */

static int witness_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct witness *w;
	int r;

	if (argc != 2 || (strcmp(argv[1], "lower") && strcmp(argv[1], "upper"))) {
		ti->error = "Expected: <device> lower|upper";
		return -EINVAL;
	}
	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	w->where = strcmp(argv[1], "lower") ? WITNESS_UPPER : WITNESS_LOWER;
	r = bioset_init(&w->bios, 64, 0, BIOSET_NEED_BVECS);
	if (r) {
		ti->error = "Out of memory";
		goto err_free;
	}
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &w->dev);
	if (r) {
		ti->error = "The device cannot be opened";
		goto err_bios;
	}
	ti->private = w;
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->per_io_data_size = sizeof(struct witness_bio);
	return 0;
err_bios:
	bioset_exit(&w->bios);
err_free:
	kfree(w);
	return r;
}

static void witness_dtr(struct dm_target *ti)
{
	struct witness *w = ti->private;

	dm_put_device(ti, w->dev);
	bioset_exit(&w->bios);
	kfree(w);
}

static int witness_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				   void *context)
{
	struct witness *w = ti->private;

	return fn(ti, w->dev, 0, ti->len, context);
}

/* Whole blocks only, so that every bio has whole blocks of data. */
static void witness_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	limits->logical_block_size = WITNESS_BLOCK;
	limits->physical_block_size = WITNESS_BLOCK;
	limits->io_min = WITNESS_BLOCK;
}

static struct target_type witness_target = {
	.name = "witness",
	.version = { 1, 0, 0 },
	.module = THIS_MODULE,
	.ctr = witness_ctr,
	.dtr = witness_dtr,
	.map = witness_map,
	.end_io = witness_end_io,
	.iterate_devices = witness_iterate_devices,
	.io_hints = witness_io_hints,
};

/* ---- /dev/witness ------------------------------------------------------------------ */

static ssize_t witness_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	u64 end_of_events = WITNESS_BLOCK + round_up((u64)nr_events * sizeof(*events),
						     WITNESS_BLOCK);
	u64 end = end_of_events + (u64)nr_blocks * WITNESS_BLOCK;
	struct witness_header *header;
	ssize_t r;
	loff_t at;

	if (lost)
		return -EOVERFLOW;
	if (*pos >= end)
		return 0;
	if (*pos >= end_of_events) {
		at = *pos - end_of_events;
		r = simple_read_from_buffer(to, size, &at, data, end - end_of_events);
	} else if (*pos >= WITNESS_BLOCK) {
		at = *pos - WITNESS_BLOCK;
		r = simple_read_from_buffer(to, size, &at, events, end_of_events - WITNESS_BLOCK);
	} else {
		header = kzalloc(WITNESS_BLOCK, GFP_KERNEL);
		if (!header)
			return -ENOMEM;
		*header = count;
		header->magic = WITNESS_MAGIC;
		header->nr_events = nr_events;
		header->nr_blocks = nr_blocks;
		header->in_flight = in_flight;
		at = *pos;
		r = simple_read_from_buffer(to, size, &at, header, WITNESS_BLOCK);
		kfree(header);
	}
	if (r > 0)
		*pos += r;
	return r;
}

static ssize_t witness_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	ssize_t r = size;

	spin_lock_irq(&lock);
	if (in_flight) {
		r = -EBUSY;
	} else {
		memset(events, 0, (size_t)nr_events * sizeof(*events));
		nr_events = 0;
		nr_blocks = 0;
		lost = 0;
		count = (struct witness_header){ };
	}
	spin_unlock_irq(&lock);
	return r;
}

static const struct file_operations witness_fops = {
	.owner = THIS_MODULE,
	.read = witness_read,
	.write = witness_write,
};

static struct miscdevice witness_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "witness",
	.fops = &witness_fops,
};

static int __init witness_init(void)
{
	int r = -ENOMEM;

	events = vzalloc(round_up((size_t)max_events * sizeof(*events), WITNESS_BLOCK));
	data = vmalloc((size_t)data_mb << 20);
	late_wq = alloc_workqueue("witness", WQ_MEM_RECLAIM, 0);
	if (!events || !data || !late_wq)
		goto err;
	r = misc_register(&witness_device);
	if (r)
		goto err;
	r = dm_register_target(&witness_target);
	if (!r)
		return 0;
	misc_deregister(&witness_device);
err:
	if (late_wq)
		destroy_workqueue(late_wq);
	vfree(events);
	vfree(data);
	return r;
}

static void __exit witness_exit(void)
{
	dm_unregister_target(&witness_target);
	misc_deregister(&witness_device);
	destroy_workqueue(late_wq);
	vfree(events);
	vfree(data);
}

module_init(witness_init);
module_exit(witness_exit);

MODULE_DESCRIPTION("device-mapper target that records what passes through it");
MODULE_AUTHOR("dm-triad developers");
MODULE_LICENSE("GPL");
