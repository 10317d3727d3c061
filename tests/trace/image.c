// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "image.h"

/* ---- the store ---------------------------------------------------------------- */

static int image_read(struct triad_store *store, u64 pba, u32 nr, void *buf)
{
	struct image *image = (struct image *)store;
	u8 *p = buf;

	assert(nr && pba < image->nr_blocks && nr <= image->nr_blocks - pba);
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE)
		memcpy(p, content_of(image->ids[pba]), TRIAD_BLOCK_SIZE);
	return 0;
}

static int image_write(struct triad_store *store, u64 pba, u32 nr, const void *buf)
{
	struct image *image = (struct image *)store;
	const u8 *p = buf;

	assert(nr && pba < image->nr_blocks && nr <= image->nr_blocks - pba);
	for (; nr; nr--, pba++, p += TRIAD_BLOCK_SIZE)
		image_set(image, pba, content_id(p));
	return 0;
}

static int image_flush(struct triad_store *store)
{
	(void)store;
	return 0;
}

static int image_read_root(struct triad_store *store, unsigned int slot, void *buf)
{
	return image_read(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static int image_write_root(struct triad_store *store, unsigned int slot, const void *buf)
{
	return image_write(store, TRIAD_SLOT_PBA(slot), 1, buf);
}

static const struct triad_store_ops image_ops = {
	.read = image_read,
	.write = image_write,
	.flush = image_flush,
	.read_root = image_read_root,
	.write_root = image_write_root,
};

/* ---- the array ------------------------------------------------------------------ */

bool image_load(struct image *image, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	u8 block[TRIAD_BLOCK_SIZE];
	off_t at = 0, end;
	struct stat st;

	memset(image, 0, sizeof(*image));
	image->store.ops = &image_ops;
	content_mark();
	if (fd < 0 || fstat(fd, &st))
		return false;
	image->nr_blocks = st.st_size / TRIAD_BLOCK_SIZE;
	image->ids = calloc(image->nr_blocks, sizeof(*image->ids));
	assert(image->ids);
	/* holes are zeroes, which have id 0 */
	for (; (at = lseek(fd, at, SEEK_DATA)) >= 0; at = end) {
		end = lseek(fd, at, SEEK_HOLE);
		for (at -= at % TRIAD_BLOCK_SIZE; at < end; at += TRIAD_BLOCK_SIZE) {
			if (pread(fd, block, sizeof(block), at) != sizeof(block))
				return false;
			image->ids[at / TRIAD_BLOCK_SIZE] = content_id(block);
		}
	}
	close(fd);
	return true;
}

void image_free(struct image *image)
{
	free(image->ids);
	free(image->changes);
}

static u64 mix(u64 pba, u64 id)
{
	struct rng rng = { pba << 32 | id };

	return rng_next(&rng);
}

void image_set(struct image *image, u32 pba, u32 id)
{
	u32 old = image->ids[pba];

	if (old == id)
		return;
	if (image->nr_changes == image->max_changes) {
		image->max_changes = image->max_changes ? 2 * image->max_changes : 1024;
		image->changes = realloc(image->changes,
					 image->max_changes * sizeof(*image->changes));
		assert(image->changes);
	}
	image->changes[image->nr_changes++] = (struct change){ pba, old };
	image->hash += mix(pba, id) - mix(pba, old);
	image->ids[pba] = id;
}

void image_restore(struct image *image)
{
	while (image->nr_changes) {
		struct change *c = &image->changes[--image->nr_changes];

		image->hash += mix(c->pba, c->id) - mix(c->pba, image->ids[c->pba]);
		image->ids[c->pba] = c->id;
	}
}

void image_keep(struct image *image)
{
	image->nr_changes = 0;
}

/* ---- power cuts -------------------------------------------------------------------- */

void cut_init(struct cut *cut, const struct tape *tape, struct image *image)
{
	*cut = (struct cut){ .tape = tape, .image = image };
	cut->base = malloc(image->nr_blocks * sizeof(*cut->base));
	assert(cut->base);
	memcpy(cut->base, image->ids, image->nr_blocks * sizeof(*cut->base));
}

void cut_free(struct cut *cut)
{
	free(cut->base);
	free(cut->loose);
}

void cut_rewind(struct cut *cut)
{
	memcpy(cut->image->ids, cut->base, cut->image->nr_blocks * sizeof(*cut->base));
	cut->image->hash = 0;
	cut->nr_loose = 0;
	cut->at = 0;
}

static void add_loose(struct cut *cut, u32 nr)
{
	const struct event *e = &cut->tape->events[nr];
	u32 i;

	while (cut->nr_loose + e->nr > cut->max_loose) {
		cut->max_loose = cut->max_loose ? 2 * cut->max_loose : 4096;
		cut->loose = realloc(cut->loose,
					  cut->max_loose * sizeof(*cut->loose));
		assert(cut->loose);
	}
	for (i = 0; i < e->nr; i++)
		cut->loose[cut->nr_loose++] = (struct loose){
			e->block + i, cut->tape->ids[e->of + i], nr,
		};
}

/* A flush makes durable what was completed before it was sent. */
static void end_flush(struct cut *cut, u32 sent)
{
	u32 i, nr = 0;

	for (i = 0; i < cut->nr_loose; i++) {
		struct loose *p = &cut->loose[i];

		if (done_well(&cut->tape->events[p->event]) < sent)
			image_set(cut->image, p->pba, p->id);
		else
			cut->loose[nr++] = *p;
	}
	cut->nr_loose = nr;
}

/* A FUA write is durable at its end; what was older at its place can not come back. */
static void end_fua(struct cut *cut, u32 sent)
{
	const struct event *e = &cut->tape->events[sent];
	u32 i, nr = 0;

	for (i = 0; i < cut->nr_loose; i++) {
		struct loose *p = &cut->loose[i];

		if (p->event == sent)
			image_set(cut->image, p->pba, p->id);
		else if (p->event > sent || p->pba < e->block || p->pba >= e->block + e->nr)
			cut->loose[nr++] = *p;
	}
	cut->nr_loose = nr;
}

void cut_step(struct cut *cut)
{
	const struct event *e = &cut->tape->events[cut->at];

	if (is_submission(e, WITNESS_LOWER, WITNESS_WRITE))
		add_loose(cut, cut->at);
	else if (e->failed)
		;	/* promises nothing */
	else if (is_completion(e, WITNESS_LOWER, WITNESS_FLUSH))
		end_flush(cut, e->of);
	else if (is_completion(e, WITNESS_LOWER, WITNESS_WRITE) && e->flags & WITNESS_FUA)
		end_fua(cut, e->of);
	cut->at++;
	image_keep(cut->image);
}

/*
 * Three ways to lose: every block by itself, every bio by itself, all behind some moment.
 * Half of the images have blocks of which only some sectors were written.
 */
void cut_tear(struct cut *cut, struct rng *rng)
{
	u32 keep = rng_below(rng, 5) * 25, torn = rng_percent(rng, 50) ? 15 : 0;
	bool whole_bios = rng_percent(rng, 30), keeps = true;
	u32 i, last = NEVER, end = cut->nr_loose;

	if (rng_percent(rng, 25)) {
		end = rng_below(rng, end + 1);
		keep = 100;
	}
	for (i = 0; i < end; i++) {
		const struct loose *p = &cut->loose[i];

		if (!whole_bios || p->event != last)
			keeps = rng_percent(rng, keep);
		last = p->event;
		if (!whole_bios && torn && rng_percent(rng, torn))
			image_set(cut->image, p->pba,
				  content_mix(cut->image->ids[p->pba], p->id, rng_next(rng)));
		else if (keeps)
			image_set(cut->image, p->pba, p->id);
	}
}
