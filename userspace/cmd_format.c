// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdio.h>

#include "device.h"
#include "hash.h"
#include "kernel.h"
#include "names.h"
#include "report.h"
#include "signature.h"
#include "tool.h"
#include "view.h"

static const char unchanged[] = "Nothing was changed.";

struct format {
	const struct options *opt;
	struct disk disk;
	struct triad_root root;		/* what never changes */
	struct triad_geometry geo;
	struct triad_hash *hash;
};

/* ---- check everything first -------------------------------------------------- */

static int to_blocks(const char *name, u64 bytes, u32 *blocks)
{
	if (bytes % TRIAD_BLOCK_SIZE || bytes >> TRIAD_BLOCK_SHIFT > 0xffffffffu)
		return tool_fail(TOOL_USAGE, unchanged, "--%s: not a multiple of 4096 bytes", name);
	*blocks = bytes >> TRIAD_BLOCK_SHIFT;
	return 0;
}

static int take_names(struct format *f)
{
	const struct options *opt = f->opt;
	struct triad_root *root = &f->root;
	int r;

	r = uuid_take("--uuid", opt->uuid, root->uuid);
	if (!r && opt->label)
		r = label_parse("--label", opt->label, root->label);
	if (r)
		return r;
	root->checksum_kind = TRIAD_CHECKSUM_XXH64;
	return checksum_take("--checksum", opt->checksum, &root->checksum_kind);
}

static int take_hash(struct format *f)
{
	const char *why, *name = f->opt->hash ? f->opt->hash : "sha256";
	size_t size = 0;
	u8 *key = NULL;
	int r;

	if (strlen(name) > TRIAD_HASH_NAME_SIZE)
		return tool_fail(TOOL_USAGE, unchanged, "--hash: '%s' is longer than %d bytes",
				 name, TRIAD_HASH_NAME_SIZE);
	if (f->opt->key_file) {
		r = key_read(f->opt->key_file, &key, &size);
		if (r)
			return r;
	}
	f->hash = triad_hash_create(name, key, size, &why);
	key_free(key, size);
	if (!f->hash)
		return tool_fail(TOOL_USAGE, unchanged, "--hash %s: %s", name, why);
	memcpy(f->root.hash, name, strlen(name));
	if (!kernel_may_have_hash(name))
		tool_warn("--hash %s: this kernel (%s) does not have it and cannot open the device;\n"
			  "  others may", name, kernel_release());
	return 0;
}

static int take_geometry(struct format *f)
{
	const struct options *opt = f->opt;
	u64 logical = opt->size >> TRIAD_BLOCK_SHIFT, blocks = disk_blocks(&f->disk);
	u32 zone = TRIAD_PLANE_BITS, segment = TRIAD_DEFAULT_SEGMENT, interval = 0;
	char a[TEXT_SIZE], b[TEXT_SIZE];
	const char *why;
	int r = 0;

	if (opt->zone_size)
		r = to_blocks("zone-size", opt->zone_size, &zone);
	if (!r && opt->segment_size)
		r = to_blocks("segment-size", opt->segment_size, &segment);
	if (!r && opt->interval)
		r = to_blocks("interval", opt->interval, &interval);
	if (r)
		return r;
	if (blocks > TRIAD_MAX_BLOCKS && !opt->size)
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  With --size (15T, say) the first "
				 "16 TiB of it are used.", "%s (%s): the device is larger than 16 TiB",
				 f->disk.data.path, text_size(f->disk.data.bytes, a));
	blocks = min_t(u64, blocks, TRIAD_MAX_BLOCKS);
	if (triad_geometry_init(&f->geo, blocks, 0, zone, segment, interval, &why))
		return tool_fail(strstr(why, "the device") ? TOOL_DEVICE : TOOL_USAGE, unchanged,
				 "%s (%s): %s", f->disk.data.path,
				 text_size(f->disk.data.bytes, a), why);
	if (!opt->size)
		return 0;
	if (opt->size & ((1u << 20) - 1))
		return tool_fail(TOOL_USAGE, unchanged, "--size: not a multiple of 1 MiB");
	if (logical > f->geo.logical_blocks)
		return tool_fail(TOOL_USAGE, unchanged, "--size %s: %s holds at most %s (%" PRIu64
				 "M)", text_size(opt->size, a), f->disk.data.path,
				 text_size(f->geo.logical_blocks << TRIAD_BLOCK_SHIFT, b),
				 f->geo.logical_blocks >> 8);
	if (triad_geometry_init(&f->geo, blocks, logical, zone, segment, interval, &why))
		return tool_fail(TOOL_USAGE, unchanged, "%s: %s", f->disk.data.path, why);
	return 0;
}

static int check_root_devices(const struct format *f)
{
	unsigned int i;

	for (i = 0; i < f->disk.nr_roots; i++) {
		u64 need = f->disk.nr_roots == 1 ?
			   (TRIAD_SLOT_PBA(2) + TRIAD_SLOT_BLOCKS) << TRIAD_BLOCK_SHIFT :
			   TRIAD_BLOCK_SIZE;
		char text[TEXT_SIZE];

		if (f->disk.roots[i].bytes < need)
			return tool_fail(TOOL_DEVICE, unchanged, "%s: a root device needs %s",
					 f->disk.roots[i].path, text_size(need, text));
	}
	return 0;
}

static int open_devices(struct format *f)
{
	const struct options *opt = f->opt;
	const char *which;
	unsigned int i;
	int r;

	for (i = 0; i < opt->nr_root_devices; i++)
		if (!strcmp(opt->root_device[i], DEVICE_MISSING))
			return tool_fail(TOOL_USAGE, unchanged,
					 "--root-device: a new device has none that is missing");
	if (opt->nr_root_devices == 2)
		return tool_fail(TOOL_USAGE, unchanged,
				 "--root-device is given twice: it takes one device or three");
	r = disk_open(&f->disk, opt->args[0], opt->root_device, opt->nr_root_devices,
		      DEVICE_WRITE, &which);
	if (r == -EEXIST)
		return tool_fail(TOOL_USAGE, unchanged, "%s is named twice", which);
	if (r)
		return tool_fail_open(which, r, true);
	f->root.root_layout = opt->nr_root_devices;
	r = disk_attached(&f->disk, &which);
	return r ? tool_fail_open(which, r, true) : 0;
}

/* ---- what would be lost --------------------------------------------------------- */

/* What libblkid does not know: something of our own, and whether data would be lost. */
struct own {
	bool found;
	bool data;
	struct triad_root root;
};

/* Roots, where those of a device with its roots inside lie. */
static void find_roots(const struct format *f, const struct device *dev, struct own *own)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	struct disk inside = f->disk;
	int i, first;

	memset(own, 0, sizeof(*own));
	inside.data = *dev;
	inside.nr_roots = 0;
	if (triad_core_probe(slots, &inside.store, &first) == -ENOMEM)
		return;
	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		const struct triad_root *root = &slots[i].root;

		if (!root->device_blocks)	/* no magic */
			continue;
		if (!own->found || slots[i].state == TRIAD_SLOT_VALID)
			own->root = *root;
		own->found = true;
		/* also what cannot be understood; the slot is another one's on root devices */
		own->data |= root->used || root->segment || root->pending ||
			     slots[i].state == TRIAD_SLOT_TORN ||
			     (slots[i].state == TRIAD_SLOT_FOREIGN && root->slot == i);
	}
}

/* What commits and the log write, on a device whose roots lie elsewhere. */
static void find_blocks(struct format *f, struct own *own)
{
	/* the largest group's planes, and what may be the first record */
	static const u32 nr = TRIAD_NR_SLOTS * (TRIAD_GROUP_ZONES + 1) + 1;
	struct triad_store *store = &f->disk.store;
	u8 *blocks = triad_alloc((size_t)nr * TRIAD_BLOCK_SIZE);
	u32 i;

	memset(own, 0, sizeof(*own));
	if (blocks && store->ops->read(store, TRIAD_FIRST_ZONE, nr, blocks))
		memset(blocks, 0, (size_t)nr * TRIAD_BLOCK_SIZE);	/* format will say it */
	for (i = 0; blocks && i < nr; i++) {
		__le64 magic;

		memcpy(&magic, blocks + (size_t)i * TRIAD_BLOCK_SIZE, sizeof(magic));
		if (le64_to_cpu(magic) == TRIAD_PLANE_MAGIC ||
		    le64_to_cpu(magic) == TRIAD_RECORD_MAGIC)
			own->found = own->data = true;
	}
	triad_free(blocks);
}

static void show_own(const struct format *f, const struct device *dev, const struct own *own)
{
	char uuid[TEXT_SIZE], label[TEXT_SIZE];

	if (!own->found || (f->opt->batch && f->opt->force))
		return;
	if (!own->root.device_blocks) {
		fprintf(stderr, "  %s: data of a dm-triad device whose roots lie elsewhere\n",
			dev->path);
		return;
	}
	fprintf(stderr, "  %s: a dm-triad device %s data, UUID %s%s%s\n", dev->path,
		own->data ? "with" : "without", text_uuid(own->root.uuid, uuid),
		own->root.label[0] ? ", label " : "",
		text_label(own->root.label, TRIAD_LABEL_SIZE, label));
}

static void find_own(struct format *f, bool *found, bool *data)
{
	struct own own;
	unsigned int i;

	*found = *data = false;
	for (i = 0; i <= f->disk.nr_roots; i++) {
		const struct device *dev = i ? &f->disk.roots[i - 1] : &f->disk.data;

		find_roots(f, dev, &own);
		show_own(f, dev, &own);
		*found |= own.found;
		*data |= own.data;
	}
	if (*found)
		return;
	find_blocks(f, &own);
	show_own(f, &f->disk.data, &own);
	*found = own.found;
	*data = own.data;
}

static int show_signatures(const struct format *f, const struct device *dev,
			   unsigned int *nr_found)
{
	bool quiet = f->opt->batch && f->opt->force;
	struct signature found[MAX_SIGNATURES];
	char label[TEXT_SIZE];
	int i, nr = signature_find(dev, found);

	if (nr < 0)
		return tool_fail_open(dev->path, nr, false);
	for (i = 0; i < nr && !quiet; i++)
		fprintf(stderr, "  %s: %s%s%s at byte %" PRIu64 "\n", dev->path, found[i].type,
			found[i].label[0] ? ", label " : "",
			text_label((const u8 *)found[i].label, sizeof(found[i].label), label),
			found[i].offset);
	*nr_found += nr;
	return 0;
}

static int ask(const struct format *f, bool something)
{
	char *what, text[TEXT_SIZE];
	int r;

	if (asprintf(&what, "%s all %s of %s will be lost.",
		     something ? "The above and" : "No known signature was found, but",
		     text_size(f->disk.data.bytes, text), f->opt->args[0]) < 0)
		return tool_fail(TOOL_MEMORY, unchanged, "out of memory");
	r = tool_confirm(f->opt, f->opt->args[0], what);
	free(what);
	return r;
}

static int confirm(struct format *f)
{
	unsigned int i, nr_found = 0;
	bool own, data;
	int r;

	find_own(f, &own, &data);
	r = show_signatures(f, &f->disk.data, &nr_found);
	for (i = 0; i < f->disk.nr_roots && !r; i++)
		r = show_signatures(f, &f->disk.roots[i], &nr_found);
	if (r)
		return r;
	if (data && !f->opt->force)
		return tool_fail(TOOL_BUSY,
				 "Nothing was changed.  If that may be lost, use --force.",
				 "%s: it holds data of dm-triad (see above)", f->opt->args[0]);
	if (nr_found && !f->opt->force)
		return tool_fail(TOOL_BUSY,
				 "Nothing was changed.  If that may be lost, use --force.",
				 "%s: it holds what another program knows (see above)",
				 f->opt->args[0]);
	return ask(f, own || nr_found);
}

/* ---- write ------------------------------------------------------------------------- */

/* Roots that an earlier format left on the data device could be found by mistake. */
static int wipe_inner_slots(struct format *f)
{
	struct triad_store *store = &f->disk.store;
	u8 zero[TRIAD_BLOCK_SIZE] = { 0 };
	int i, r = 0;

	for (i = 0; i < TRIAD_NR_SLOTS && !r; i++)
		r = store->ops->write(store, TRIAD_SLOT_PBA(i), 1, zero);
	return r ? r : store->ops->flush(store);
}

static int write_all(struct format *f)
{
	unsigned int i;
	int r;

	r = signature_wipe(&f->disk.data);
	for (i = 0; i < f->disk.nr_roots && !r; i++)
		r = signature_wipe(&f->disk.roots[i]);
	if (!r && f->disk.nr_roots)
		r = wipe_inner_slots(f);
	return r ? r : triad_core_format(&f->disk.store, f->hash, &f->root, &f->geo);
}

static void report(const struct format *f)
{
	u64 size = f->geo.logical_blocks << TRIAD_BLOCK_SHIFT;
	char uuid[TEXT_SIZE], label[TEXT_SIZE], text[TEXT_SIZE];
	struct json_object *out;

	text_label(f->root.label, TRIAD_LABEL_SIZE, label);
	text_uuid(f->root.uuid, uuid);
	if (f->opt->json) {
		out = json_document();
		json_add_text(out, "uuid", uuid);
		json_add_text(out, "label", label);
		json_add_text(out, "hash", f->root.hash);
		json_add_number(out, "size", size);
		json_add_number(out, "zones", f->geo.nr_zones);
		json_add_number(out, "zone_size", (u64)f->geo.zone_blocks << TRIAD_BLOCK_SHIFT);
		json_add_number(out, "segment_size",
				(u64)f->geo.segment_blocks << TRIAD_BLOCK_SHIFT);
		json_add_number(out, "interval", (u64)f->geo.interval_blocks << TRIAD_BLOCK_SHIFT);
		return;
	}
	printf("%s: formatted, UUID %s%s%s\n", f->opt->args[0], uuid, label[0] ? ", label " : "",
	       label);
	printf("  maps to %s (%" PRIu64 " sectors), checksum %s, hash %s\n", text_size(size, text),
	       size / 512, text_checksum(f->root.checksum_kind), f->root.hash);
}

static int format(struct format *f)
{
	int r;

	r = take_names(f);
	if (!r)
		r = take_hash(f);
	if (!r)
		r = open_devices(f);
	if (!r)
		r = check_root_devices(f);
	if (!r)
		r = take_geometry(f);
	if (!r)
		r = confirm(f);
	if (r)
		return r;
	r = write_all(f);
	if (r)
		return tool_fail(tool_exit_of(r),
				 "The device is neither what it was nor formatted.  "
				 "See dmesg, then format it again.",
				 "%s: writing it failed: %s", f->opt->args[0], strerror(-r));
	report(f);
	return 0;
}

int cmd_format(const struct options *opt)
{
	struct format f = { .opt = opt };
	unsigned int i;
	int r;

	if (json_document())
		json_add_text(json_document(), "device", opt->args[0]);
	f.disk.data.fd = -1;
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		f.disk.roots[i].fd = -1;
	r = format(&f);
	disk_close(&f.disk);
	if (!r) {
		device_forget_partitions(opt->args[0]);
		for (i = 0; i < opt->nr_root_devices; i++)
			device_forget_partitions(opt->root_device[i]);
	}
	triad_hash_destroy(f.hash);
	return r;
}
