// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "view.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "hash.h"
#include "report.h"

#define MAX_KEY		256u

static const char untouched[] = "Nothing was changed.";

/* ---- key -------------------------------------------------------------------- */

static int digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* 1: not hexadecimal, 2: too long */
static int parse_key(FILE *f, u8 *key, size_t *size)
{
	int c, high = -1;

	*size = 0;
	while ((c = getc(f)) != EOF) {
		if (isspace(c) && high < 0)
			continue;
		if (digit(c) < 0)
			return 1;
		if (high < 0) {
			high = digit(c);
			continue;
		}
		if (*size == MAX_KEY)
			return 2;
		key[(*size)++] = high << 4 | digit(c);
		high = -1;
	}
	return high >= 0 || !*size;
}

/* What the kernel took, it has shown to be one. */
static int take_key(const char *digits, u8 **key, size_t *size)
{
	FILE *f = fmemopen((void *)digits, strlen(digits), "r");

	*key = calloc(1, MAX_KEY);
	if (!*key || !f || parse_key(f, *key, size)) {
		if (f)
			fclose(f);
		return tool_fail(TOOL_MEMORY, untouched, "out of memory");
	}
	fclose(f);
	return 0;
}

int key_read(const char *path, u8 **key, size_t *size)
{
	struct stat st;
	FILE *f = fopen(path, "re");
	int r;

	*key = NULL;
	if (!f || fstat(fileno(f), &st) || S_ISDIR(st.st_mode)) {
		r = f ? EISDIR : errno;
		if (f)
			fclose(f);
		return tool_fail(r == EACCES ? TOOL_PERMISSION : TOOL_USAGE, untouched,
				 "key file %s: %s", path, strerror(r));
	}
	*key = calloc(1, MAX_KEY);
	r = *key ? parse_key(f, *key, size) : 0;
	fclose(f);
	if (!*key)
		return tool_fail(TOOL_MEMORY, untouched, "out of memory");
	if (!r)
		return 0;
	key_free(*key, MAX_KEY);
	*key = NULL;
	return tool_fail(TOOL_USAGE,
			 "Nothing was changed.  Make one with: openssl rand -hex 32 > FILE",
			 "key file %s: %s", path, r == 1 ?
			 "it must hold pairs of hexadecimal digits and nothing else" :
			 "it holds more than 256 bytes");
}

void key_free(u8 *key, size_t size)
{
	if (key)
		explicit_bzero(key, size);
	free(key);
}

/* ---- probe ------------------------------------------------------------------- */

static int open_devices(struct view *view, const struct options *opt, enum device_mode mode)
{
	const char *which;
	int r;

	if (opt->nr_root_devices == 2)
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Name one device for all three "
				 "roots, or three devices.",
				 "--root-device is given twice: it takes one device or three");
	r = disk_open(&view->disk, view->path, opt->root_device, opt->nr_root_devices,
		      mode, &which);
	if (r == -EEXIST)
		return tool_fail(TOOL_USAGE, untouched, "%s is named twice", which);
	if (r == -ENXIO && !strcmp(which, DEVICE_MISSING))
		return tool_fail(TOOL_USAGE, untouched,
				 "one root device of three may be missing, no more");
	if (r)
		return tool_fail_open(which, r, mode == DEVICE_WRITE);
	if (mode == DEVICE_WRITE)
		r = disk_attached(&view->disk, &which);
	return r ? tool_fail_open(which, r, true) : 0;
}

static int judge_slots(struct view *view)
{
	struct triad_store *store = &view->disk.store;
	u8 block[TRIAD_BLOCK_SIZE] __attribute__((aligned(8)));
	int i, r;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		if (view->slots[i].state != TRIAD_SLOT_VALID)
			continue;
		r = store->ops->read_root(store, i, block);
		if (!r) {
			/* a running device may have written it since */
			triad_root_decode(&view->slots[i], i, block);
			if (view->slots[i].state == TRIAD_SLOT_VALID)
				r = triad_root_verify(&view->slots[i], view->hash, block);
		}
		if (r)
			return r;
	}
	return triad_root_select(view->slots, view->hash, &view->choice);
}

static void nothing_proven(struct view *view, const char *why)
{
	view->choice = (struct triad_choice) {
		.cur = -1, .backup = -1, .overwrite = -1, .parent = -1,
		.which = 4, .why = why,
	};
}

/* What a person types to name this device, for the commands that we advise. */
static char *name_args(const char *path, const struct options *opt)
{
	char *args = NULL;
	size_t size;
	FILE *f = open_memstream(&args, &size);
	unsigned int i;

	if (!f)
		return NULL;
	for (i = 0; i < opt->nr_root_devices; i++) {
		fprintf(f, "--root-device ");
		put_quoted(f, opt->root_device[i]);
		putc(' ', f);
	}
	if (opt->key_file) {
		fprintf(f, "--key-file ");
		put_quoted(f, opt->key_file);
		putc(' ', f);
	}
	put_quoted(f, path);
	if (fclose(f)) {
		free(args);
		return NULL;
	}
	return args;
}

static void tell_json(const struct view *view)
{
	const struct triad_root *root = view_current(view);
	char text[TEXT_SIZE];

	if (!json_document() || !root)
		return;
	json_add_text(json_document(), "uuid", text_uuid(root->uuid, text));
	json_add_text(json_document(), "label", text_label(root->label, TRIAD_LABEL_SIZE, text));
}

static int make_hash(struct view *view, const char *name)
{
	const char *why;

	view->hash = triad_hash_create(name, view->key, view->key_size, &why);
	if (view->hash)
		return 0;
	if (triad_hash_is_keyed(name) && !view->key)
		return tool_fail(TOOL_PERMISSION, "Nothing was changed.  Give it with --key-file.",
				 "%s: its roots are sealed with %s and need a key", view->path,
				 name);
	return tool_fail(view->key && !triad_hash_is_keyed(name) ? TOOL_USAGE : TOOL_SYSTEM, untouched,
			 "%s: hash %s: %s", view->path, name, why);
}

static int probe(struct view *view, const struct options *opt, const char *path,
		 enum device_mode mode)
{
	int i, r, first;

	memset(view, 0, sizeof(*view));
	view->path = path;
	view->disk.data.fd = -1;
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		view->disk.roots[i].fd = -1;
	view->args = name_args(path, opt);
	if (!view->args)
		return tool_fail(TOOL_MEMORY, untouched, "out of memory");
	if (json_document())
		json_add_text(json_document(), "device", path);
	r = opt->key_file ? key_read(opt->key_file, &view->key, &view->key_size) :
	    opt->key ? take_key(opt->key, &view->key, &view->key_size) : 0;
	if (r)
		return r;
	r = open_devices(view, opt, mode);
	if (r)
		return r;
	r = triad_core_probe(view->slots, &view->disk.store, &first);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (view->slots[i].state == TRIAD_SLOT_UNREADABLE &&
		    view->slots[i].error == -ERANGE)
			view->slots[i].reason = "its device ends before this slot";
	if (r == -ENODATA) {
		nothing_proven(view, "no slot holds a root");
		return 0;
	}
	if (!r) {
		r = make_hash(view, view->slots[first].root.hash);
		if (r)
			return r;
		r = judge_slots(view);
	}
	if (r && r != -ENODATA)
		return tool_fail(tool_exit_of(r), untouched, "%s: reading the roots: %s", path,
				 strerror(-r));
	tell_json(view);
	return 0;
}

int view_probe(struct view *view, const struct options *opt, const char *path)
{
	return probe(view, opt, path, DEVICE_READ);
}

int view_probe_to_write(struct view *view, const struct options *opt, const char *path)
{
	return probe(view, opt, path, DEVICE_WRITE);
}

int view_change(const struct options *opt, const char *path,
		int (*change)(struct view *view, const struct options *opt))
{
	struct view view;
	int r;

	r = view_probe_to_write(&view, opt, path);
	if (!r)
		r = view_open(&view);
	if (!r)
		r = change(&view, opt);
	view_close(&view);
	return r;
}

int view_may_write(const struct view *view)
{
	if (!triad_core_cannot_write(&view->core))
		return 0;
	if (triad_root_is_replica(&view->core.root))
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  triadsetup receive writes to it; "
				 "triadsetup receive --promote makes\n  it a device of its own.",
				 "%s: it is a replica", view->path);
	return tool_fail(TOOL_DEVICE, "Nothing was changed.  Use a newer triadsetup.",
			 "%s: it uses features this program cannot write (%#x)", view->path,
			 view->core.root.ro_compat);
}

const struct triad_root *view_current(const struct view *view)
{
	return view->choice.cur < 0 ? NULL : &view->slots[view->choice.cur].root;
}

bool view_too_short(const struct view *view)
{
	const struct triad_root *root = view_current(view);

	return root && root->device_blocks > disk_blocks(&view->disk);
}

bool view_has_lost(const struct view *view)
{
	return view->choice.degraded && view->disk.nr_roots == TRIAD_NR_SLOTS &&
	       view->slots[view->choice.overwrite].state == TRIAD_SLOT_UNREADABLE;
}

/* ---- refusals ------------------------------------------------------------------ */

/* No slot holds anything that looks like a root. */
static bool all_foreign(const struct view *view)
{
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++) {
		const struct triad_slot *slot = &view->slots[i];
		bool too_short = slot->state == TRIAD_SLOT_UNREADABLE && slot->error == -ERANGE;

		if (!too_short && slot->state != TRIAD_SLOT_EMPTY &&
		    (slot->state != TRIAD_SLOT_FOREIGN || slot->root.device_blocks))
			return false;
	}
	return true;
}

static bool wrong_key(const struct view *view)
{
	int i, nr = 0;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		nr += view->slots[i].state == TRIAD_SLOT_TORN &&
		      strstr(view->slots[i].reason, "wrong key") != NULL;
	return view->key && nr >= 2;
}

static bool swapped(const struct view *view)
{
	int i, nr = 0;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		nr += view->slots[i].state == TRIAD_SLOT_FOREIGN &&
		      view->slots[i].root.device_blocks && view->slots[i].root.slot != i;
	return view->disk.nr_roots == TRIAD_NR_SLOTS && nr;
}

int view_refuse(const struct view *view)
{
	char slots[3 * 128] = "", *advice;
	int i, r;

	if (all_foreign(view))
		return tool_fail(TOOL_DEVICE,
				 "Nothing was changed.  Is it the right device?  If its "
				 "roots lie on other devices,\n  name them with --root-device.",
				 "%s: no dm-triad device: no slot holds a root", view->path);
	if (wrong_key(view))
		return tool_fail(TOOL_PERMISSION,
				 "Nothing was changed.  Try again with the right --key-file.",
				 "%s: the key does not fit: its roots are whole, but their seals "
				 "do not verify", view->path);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		snprintf(slots + strlen(slots), sizeof(slots) - strlen(slots), "slot %d: %s%s%s\n  ",
			 i, triad_slot_state_name(view->slots[i].state),
			 view->slots[i].reason ? ": " : "",
			 view->slots[i].reason ? view->slots[i].reason : "");
	if (asprintf(&advice, "%s%sNothing was changed, and whatever data there is stays where it is.  "
		     "Do not format it.\n  More: triadsetup roots -v %s\n  What can be copied: triadsetup repair %s",
		     slots, swapped(view) ?
		     "Name the root devices in the order of the slots: 0, 1, 2.\n  " : "",
		     view->args, view->args) < 0)
		advice = NULL;
	r = tool_fail(TOOL_UNPROVABLE, advice, "%s: %s", view->path, view->choice.why);
	free(advice);
	return r;
}

int view_layout(const struct view *view)
{
	unsigned int layout = view_current(view)->root_layout;
	unsigned int given = view->disk.nr_roots;

	if (layout == given)
		return 0;
	return tool_fail(TOOL_USAGE, "Nothing was changed.",
			 "%s: it was formatted with %s, but %u --root-device %s given", view->path,
			 layout == TRIAD_ROOTS_INSIDE ? "its roots inside" :
			 layout == TRIAD_ROOTS_ONE_DEVICE ? "one root device" : "three of them",
			 given, given == 1 ? "is" : "are");
}

static int explain_open(const struct view *view, int error)
{
	const struct triad_root *root = view_current(view);
	char a[TEXT_SIZE], b[TEXT_SIZE];

	switch (error) {
	case -ENOMEM:
		return tool_fail(TOOL_MEMORY, untouched, "%s: out of memory", view->path);
	case -ENODATA:
		return view_refuse(view);
	case -ENOSPC:
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  Give the device its full size "
				 "back, or take the right copy of the image.",
				 "%s: it is %s, but its root says %s: it was cut short", view->path,
				 text_size(view->disk.data.bytes, a),
				 text_size(root->device_blocks << TRIAD_BLOCK_SHIFT, b));
	case -EOPNOTSUPP:
		if (root->incompat == TRIAD_INCOMPAT_MOVED)
			return tool_fail(TOOL_DEVICE, "Nothing was changed.  Name them with "
					 "--root-device, or leave that out if they lie on the device "
					 "itself.\n  If the move was cut short, give the same triadsetup "
					 "move-roots again.",
					 "%s: its roots were moved from here", view->path);
		if (root->incompat == TRIAD_INCOMPAT_MOVING)
			return tool_fail(TOOL_DEVICE, "Nothing was changed.  Give the same triadsetup "
					 "move-roots again, or open it where they were.",
					 "%s: the move of its roots to here is not finished",
					 view->path);
		if (root->incompat & TRIAD_INCOMPAT_INCOMPLETE)
			return tool_fail(TOOL_DEGRADED, "Nothing was changed.  Receive into it again, and "
					 "to the end: see triadsetup position.",
					 "%s: it is a replica, and what it received is not complete",
					 view->path);
		return tool_fail(TOOL_DEVICE, "Nothing was changed and the data is not at risk.  "
				 "Use a newer triadsetup.",
				 "%s: it uses features this program does not know (%#x)",
				 view->path, root->incompat);
	case -EUCLEAN:
	case -EBADMSG:
		return tool_fail(TOOL_DAMAGED,
				 "Nothing was changed.  Take a copy of the device "
				 "before anything else, then see:\n  triadsetup dump DEVICE root\n"
				 "  triadsetup repair DEVICE shows what can be copied.",
				 "%s: %s", view->path,
				 error == -EUCLEAN ?
				 "its current root or log says something impossible" :
				 "its summary is damaged, and so is the map to rebuild it from");
	default:
		return tool_fail(TOOL_DEVICE,
				 "Nothing was changed.  See dmesg for the disk's errors.",
				 "%s: reading the log: %s", view->path, strerror(-error));
	}
}

int view_ready(struct view *view)
{
	const struct triad_root *root = view_current(view);
	int r;

	if (!root)
		return view_refuse(view);
	r = view_layout(view);
	if (!r && root->incompat & ~(TRIAD_INCOMPAT_REPLICA |
				     (view->core.receives ? TRIAD_INCOMPAT_INCOMPLETE : 0)))
		r = explain_open(view, -EOPNOTSUPP);
	if (!r && view_too_short(view))
		r = explain_open(view, -ENOSPC);
	return r;
}

int view_ready_backup(const struct view *view)
{
	const struct triad_choice *choice = &view->choice;

	if (choice->stray || choice->backup < 0)
		return tool_fail(TOOL_UNPROVABLE, untouched, "%s: there is no backup to go back to: %s",
				 view->path, choice->stray ?
				 "it and the current root are of different copies of the device" :
				 "its root is lost");
	return 0;
}

void view_tell_backup(const struct view *view)
{
	char text[TEXT_SIZE];

	tool_warn("%s: this is the backup: the state of the last commit but one, %s", view->path,
		  text_time(view->slots[view->choice.backup].root.time, text));
}

int view_fail_backup(const struct view *view, int error)
{
	if (error != -EBADMSG && error != -EUCLEAN)
		return explain_open(view, error);
	return tool_fail(TOOL_DAMAGED, untouched, "%s: the backup is damaged: %s", view->path,
			 error == -EBADMSG ? "its map is not what its root says" :
			 "its root or map says something impossible");
}

int view_open_backup(struct view *view)
{
	int r;

	r = view_ready(view);
	if (!r)
		r = view_ready_backup(view);
	if (r)
		return r;
	view->core.store = &view->disk.store;
	view->core.hash = view->hash;
	r = triad_core_open_backup(&view->core, disk_blocks(&view->disk));
	if (r)
		return view_fail_backup(view, r);
	view->opened = true;
	view_tell_backup(view);
	return 0;
}

int view_open(struct view *view)
{
	int r;

	r = view_ready(view);
	if (r)
		return r;
	view->core.store = &view->disk.store;
	view->core.hash = view->hash;
	r = triad_core_open(&view->core, disk_blocks(&view->disk));
	if (r)
		return explain_open(view, r);
	view->opened = true;
	return 0;
}

/* ---- words ------------------------------------------------------------------------ */

char view_letter(const struct view *view, unsigned int slot)
{
	const struct triad_choice *choice = &view->choice;
	int nr = slot;

	if (nr == choice->cur)
		return 'c';
	if (nr == choice->backup)
		return 'b';
	/* case 3: it proves c, as the a of H(a, b) = c */
	if (nr == choice->parent)
		return 'a';
	if (nr == choice->overwrite && view->slots[slot].state == TRIAD_SLOT_VALID)
		return 'a';
	return '-';
}

const char *view_use(const struct view *view, unsigned int slot)
{
	const struct triad_choice *choice = &view->choice;
	int nr = slot;

	if (nr == choice->cur)
		return "current";
	if (nr == choice->backup)
		return "backup";
	if (nr == choice->overwrite)
		return "written next";
	if (nr == choice->parent)
		return "proves current";
	return "-";
}

const char *view_owner(const struct triad_slot *slot, char *text)
{
	char uuid[TEXT_SIZE];

	text[0] = 0;
	if (slot->state == TRIAD_SLOT_FOREIGN && slot->root.device_blocks)
		snprintf(text, TEXT_SIZE, " (UUID %s)", text_uuid(slot->root.uuid, uuid));
	return text;
}

const char *view_case(const struct triad_choice *choice)
{
	switch (choice->which) {
	case 1:
		return "three good roots, H(a,b)=c holds";
	case 2:
		return "one root is bad; the current one names the backup as its predecessor";
	case 3:
		return "the backup is lost; the current root is proven by its grandparent";
	default:
		return choice->why;
	}
}

void view_print_name(const struct view *view)
{
	const struct triad_root *root = view_current(view);
	char uuid[TEXT_SIZE], label[TEXT_SIZE];

	if (root)
		printf("UUID %s%s%s\n", text_uuid(root->uuid, uuid), root->label[0] ? ", label " : "",
		       text_label(root->label, TRIAD_LABEL_SIZE, label));
}

void view_close(struct view *view)
{
	if (view->opened)
		triad_core_close(&view->core);
	view->opened = false;
	triad_hash_destroy(view->hash);
	view->hash = NULL;
	key_free(view->key, view->key_size);
	view->key = NULL;
	free(view->args);
	view->args = NULL;
	disk_close(&view->disk);
}
