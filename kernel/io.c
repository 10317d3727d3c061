// SPDX-License-Identifier: GPL-2.0-or-later
/* Bios of the shell's own, the core's store on top of them, and H. */
#include <linux/key.h>
#include <linux/vmalloc.h>
#include <keys/user-type.h>

#include "triad.h"

#define MAX_STORE_PENDING	256

/* ---- whole blocks of a buffer ------------------------------------------------ */

static struct page *page_of(void *p)
{
	return is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p);
}

/* Add the buffer's blocks to a bio, as many as it takes. */
static u32 fill(struct bio *bio, void *buf, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		void *p = buf + (size_t)i * TRIAD_BLOCK_SIZE;

		if (bio_add_page(bio, page_of(p), TRIAD_BLOCK_SIZE, offset_in_page(p)) !=
		    TRIAD_BLOCK_SIZE)
			break;
	}
	return i;
}

int triad_io_wait(struct triad *t, struct block_device *bdev, blk_opf_t opf, u64 pba,
		  u32 nr, void *buf)
{
	while (nr) {
		struct bio *bio = bio_alloc_bioset(bdev, bio_max_segs(nr), opf | REQ_SYNC,
						   GFP_NOIO, &t->bios);
		u32 n;
		int r;

		bio->bi_iter.bi_sector = triad_sector(pba);
		n = fill(bio, buf, nr);
		r = submit_bio_wait(bio);
		bio_put(bio);
		if (r)
			return r;
		if (op_is_write(opf))
			atomic64_add((u64)n * TRIAD_BLOCK_SIZE, &t->stats.device_written);
		buf += (size_t)n * TRIAD_BLOCK_SIZE;
		pba += n;
		nr -= n;
	}
	return 0;
}

/* ---- records ------------------------------------------------------------------- */

/*
 * Who sees the last completion may suspend and free the instance.  device-mapper
 * waits for a grace period in between (dm_sync_table): completions tell under RCU.
 */
static void record_put(struct triad_write *w)
{
	struct triad *t = w->triad;

	rcu_read_lock();
	if (atomic_dec_and_test(&w->pending)) {
		smp_store_release(&w->done, true);	/* after w->status; see publish() */
		queue_work(t->log_wq, &t->log_work);
	}
	rcu_read_unlock();
}

static void record_endio(struct bio *bio)
{
	struct triad_write *w = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(w->status, bio->bi_status);
	bio_put(bio);
	record_put(w);
}

static void write_run(struct triad *t, struct triad_write *w, blk_opf_t flags, u64 pba,
		      u32 nr, void *buf)
{
	atomic64_add((u64)nr * TRIAD_BLOCK_SIZE, &t->stats.device_written);
	while (nr) {
		struct bio *bio = bio_alloc_bioset(t->dev->bdev, bio_max_segs(nr),
						   REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | flags,
						   GFP_NOIO, &t->bios);
		u32 n;

		bio->bi_iter.bi_sector = triad_sector(pba);
		bio->bi_private = w;
		bio->bi_end_io = record_endio;
		n = fill(bio, buf, nr);
		atomic_inc(&w->pending);
		submit_bio(bio);
		buf += (size_t)n * TRIAD_BLOCK_SIZE;
		pba += n;
		nr -= n;
	}
}

void triad_io_record(struct triad *t, struct triad_write *w, blk_opf_t flags)
{
	const struct triad_record *rec = &w->rec;
	u64 pba = rec->place;
	void *from = w->buffer, *to = w->buffer + TRIAD_BLOCK_SIZE;
	u32 i, nr = 1;

	w->status = BLK_STS_OK;
	w->done = false;
	atomic_set(&w->pending, 1);
	/* the header and what lies directly behind it are one device write */
	for (i = 0; i < rec->nr_runs; i++) {
		const struct triad_extent *run = &rec->runs[i];

		if (run->start != pba + nr) {
			write_run(t, w, flags, pba, nr, from);
			pba = run->start;
			from = to;
			nr = 0;
		}
		nr += run->nr;
		to += run->nr * TRIAD_BLOCK_SIZE;
	}
	write_run(t, w, flags, pba, nr, from);
	record_put(w);
}

/* ---- the core's store ------------------------------------------------------------ */

static struct triad *triad_of(struct triad_store *store)
{
	return container_of(store, struct triad, store);
}

static int store_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct triad *t = triad_of(store);

	return triad_io_wait(t, t->dev->bdev, REQ_OP_READ | REQ_META, pba, nr, buf);
}

static void store_endio(struct bio *bio)
{
	struct triad *t = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(t->store_error, blk_status_to_errno(bio->bi_status));
	mempool_free(bio_first_page_all(bio), &t->pages);
	bio_put(bio);
	rcu_read_lock();		/* see record_put */
	smp_mb__before_atomic();	/* the error is there; see store_flush */
	atomic_dec(&t->store_pending);
	wake_up(&t->wait);
	rcu_read_unlock();
}

static int store_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct triad *t = triad_of(store);

	while (nr--) {
		struct page *page;
		struct bio *bio;

		wait_event(t->wait, atomic_read(&t->store_pending) < MAX_STORE_PENDING);
		page = mempool_alloc(&t->pages, GFP_NOIO);
		memcpy(page_address(page), buf, TRIAD_BLOCK_SIZE);
		bio = bio_alloc_bioset(t->dev->bdev, 1, REQ_OP_WRITE | REQ_META, GFP_NOIO,
				       &t->bios);
		bio->bi_iter.bi_sector = triad_sector(pba++);
		bio->bi_private = t;
		bio->bi_end_io = store_endio;
		__bio_add_page(bio, page, TRIAD_BLOCK_SIZE, 0);
		atomic_inc(&t->store_pending);
		atomic64_add(TRIAD_BLOCK_SIZE, &t->stats.device_written);
		submit_bio(bio);
		buf += TRIAD_BLOCK_SIZE;
	}
	return READ_ONCE(t->store_error);
}

static int flush_device(struct triad *t, struct block_device *bdev)
{
	struct bio bio;
	int r;

	bio_init(&bio, bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	atomic64_inc(&t->stats.flushes);
	if (r)
		WRITE_ONCE(t->store_error, r);
	return r;
}

static int store_flush(struct triad_store *store)
{
	struct triad *t = triad_of(store);
	unsigned int i;
	int r;

	wait_event(t->wait, !atomic_read(&t->store_pending));
	smp_rmb();			/* pairs with store_endio */
	r = READ_ONCE(t->store_error);
	if (r)
		return r;
	r = flush_device(t, t->dev->bdev);
	/* one device holds all three slots, or each has its own */
	for (i = 0; i < t->nr_root_dev && !r; i++)
		r = flush_device(t, t->root_dev[i]->bdev);
	return r;
}

static struct block_device *slot_place(struct triad *t, unsigned int slot, u64 *pba)
{
	*pba = t->nr_root_dev == TRIAD_NR_SLOTS ? 0 : TRIAD_SLOT_PBA(slot);
	return t->nr_root_dev ? t->root_dev[slot]->bdev : t->dev->bdev;
}

static int store_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	struct triad *t = triad_of(store);
	u64 pba;
	struct block_device *bdev = slot_place(t, slot, &pba);

	return triad_io_wait(t, bdev, REQ_OP_READ | REQ_META, pba, 1, buf);
}

static int store_write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	struct triad *t = triad_of(store);
	u64 pba;
	struct block_device *bdev = slot_place(t, slot, &pba);

	return triad_io_wait(t, bdev, REQ_OP_WRITE | REQ_META | REQ_FUA, pba, 1, (void *)buf);
}

static bool store_node_get(struct triad_store *store, u64 pba, u32 birth, void *buf)
{
	const struct triad_node_disk *node;

	rcu_read_lock();
	node = triad_cache_find(&triad_of(store)->cache, pba, birth);
	if (node)
		memcpy(buf, node, sizeof(*node));
	rcu_read_unlock();
	return node;
}

static void store_node_put(struct triad_store *store, u64 pba, u32 birth, const void *buf)
{
	triad_cache_insert(&triad_of(store)->cache, pba, birth, buf);
}

const struct triad_store_ops triad_store_ops = {
	.read = store_read,
	.write = store_write,
	.flush = store_flush,
	.read_root = store_read_root,
	.write_root = store_write_root,
	.node_get = store_node_get,
	.node_put = store_node_put,
};

/* ---- H ----------------------------------------------------------------------------- */

struct triad_hash {
	struct crypto_shash *tfm;
};

int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32])
{
	SHASH_DESC_ON_STACK(desc, hash->tfm);
	u8 digest[HASH_MAX_DIGESTSIZE];
	int r;

	desc->tfm = hash->tfm;
	r = crypto_shash_init(desc);
	if (!r && a_size)
		r = crypto_shash_update(desc, a, a_size);
	if (!r && b_size)
		r = crypto_shash_update(desc, b, b_size);
	if (!r)
		r = crypto_shash_final(desc, digest);
	shash_desc_zero(desc);
	if (!r)
		memcpy(out, digest, TRIAD_HASH_SIZE);
	return r;
}

static int set_key_hex(struct crypto_shash *tfm, const char *text)
{
	size_t size = strlen(text) / 2;
	u8 *raw;
	int r;

	if (!size || strlen(text) % 2)
		return -EINVAL;
	raw = kmalloc(size, GFP_KERNEL);
	if (!raw)
		return -ENOMEM;
	r = hex2bin(raw, text, size);
	if (!r)
		r = crypto_shash_setkey(tfm, raw, size);
	kfree_sensitive(raw);
	return r;
}

#ifdef CONFIG_KEYS
/* ":<size>:<type>:<description>", as dm-crypt writes it */
static int set_key_keyring(struct crypto_shash *tfm, const char *text)
{
	const struct user_key_payload *payload;
	struct key_type *type;
	const char *description;
	unsigned int size;
	struct key *key;
	int n = 0, r;

	if (sscanf(text, ":%u:%n", &size, &n) != 1 || !n)
		return -EINVAL;
	text += n;
	if (!strncmp(text, "logon:", 6))
		type = &key_type_logon;
	else if (!strncmp(text, "user:", 5))
		type = &key_type_user;
	else
		return -EINVAL;
	description = strchr(text, ':') + 1;
	key = request_key(type, description, NULL);
	if (IS_ERR(key))
		return PTR_ERR(key);
	down_read(&key->sem);
	payload = user_key_payload_locked(key);
	if (!payload)
		r = -EKEYREVOKED;
	else if (payload->datalen != size)
		r = -EINVAL;
	else
		r = crypto_shash_setkey(tfm, payload->data, size);
	up_read(&key->sem);
	key_put(key);
	return r;
}
#else
static int set_key_keyring(struct crypto_shash *tfm, const char *text)
{
	return -EOPNOTSUPP;
}
#endif

struct triad_hash *triad_hash_create(const char *name, const char *key, char **error)
{
	struct triad_hash *hash = kzalloc(sizeof(*hash), GFP_KERNEL);
	int r = -EINVAL;

	*error = "Out of memory";
	if (!hash)
		return ERR_PTR(-ENOMEM);
	hash->tfm = crypto_alloc_shash(name, 0, 0);
	if (IS_ERR(hash->tfm)) {
		*error = "The hash this device was formatted with is not in this kernel";
		r = PTR_ERR(hash->tfm);
		kfree(hash);
		return ERR_PTR(r);
	}
	if (crypto_shash_digestsize(hash->tfm) < TRIAD_HASH_SIZE) {
		*error = "The hash's digest is shorter than 32 bytes";
		goto err;
	}
	if (key) {
		r = *key == ':' ? set_key_keyring(hash->tfm, key) : set_key_hex(hash->tfm, key);
		*error = "The key cannot be used";
		if (r)
			goto err;
	} else if (crypto_shash_get_flags(hash->tfm) & CRYPTO_TFM_NEED_KEY) {
		*error = "This device was formatted with a keyed hash: give its key";
		r = -ENOKEY;
		goto err;
	}
	return hash;
err:
	triad_hash_destroy(hash);
	return ERR_PTR(r);
}

void triad_hash_destroy(struct triad_hash *hash)
{
	if (!hash)
		return;
	crypto_free_shash(hash->tfm);
	kfree(hash);
}
