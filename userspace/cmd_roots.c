// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "dm.h"
#include "report.h"

#define SHORT_HASH	4	/* bytes shown of a version */
#define LOOKS		5	/* at roots that a commit may be moving */
#define LOOK_AGAIN_US	100000

static bool has_content(const struct triad_slot *slot)
{
	return slot->state == TRIAD_SLOT_VALID || slot->state == TRIAD_SLOT_STALE ||
	       slot->root.device_blocks;
}

static void add_row(struct libscols_table *table, const struct view *view, unsigned int nr)
{
	const struct triad_slot *slot = &view->slots[nr];
	const struct triad_root *root = &slot->root;
	struct libscols_line *line = table_line(table);
	char text[TEXT_SIZE] = { view_letter(view, nr), 0 };
	char number[TEXT_SIZE];

	table_set(line, 0, text_number(nr, number));
	table_set(line, 1, text);
	table_set(line, 2, triad_slot_state_name(slot->state));
	table_set(line, 3, view_use(view, nr));
	if (has_content(slot)) {
		table_set(line, 4, text_number(root->generation, text));
		table_set(line, 5, text_hex(root->version, SHORT_HASH, text));
		table_set(line, 6, root->segment ? text_number(root->segment, text) : "empty");
		table_set(line, 7, text_time(root->time, text));
	}
}

/* What is too wide for a table. */
static void print_slot(const struct view *view, unsigned int nr, bool versions)
{
	const struct triad_slot *slot = &view->slots[nr];
	char text[TEXT_SIZE];

	if (slot->reason)
		printf("slot %u is %s: %s\n", nr, triad_slot_state_name(slot->state),
		       slot->reason);
	if (!versions || !has_content(slot))
		return;
	printf("slot %u version  %s\n", nr, text_hex(slot->root.version, TRIAD_HASH_SIZE, text));
	printf("       prev     %s\n", text_hex(slot->root.prev, TRIAD_HASH_SIZE, text));
}

static void print_table(const struct view *view, const struct options *opt)
{
	static const char * const names[] = {
		">SLOT", "LETTER", "STATE", "-USE", ">GENERATION", "-VERSION", ">SEGMENT", "-TIME",
	};
	struct libscols_table *table = table_new(names, sizeof(names) / sizeof(names[0]));
	const struct triad_choice *choice = &view->choice;
	char text[TEXT_SIZE];
	unsigned int i;

	view_print_name(view);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		add_row(table, view, i);
	table_print(table);
	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		print_slot(view, i, opt->verbose);
	printf("case %d: %s\n", view->choice.which, view_case(&view->choice));
	if (choice->occupied)
		printf("what lies in slot %d may be somebody else's%s; if it may be lost: "
		       "triadsetup heal --force %s\n", choice->overwrite,
		       view_owner(&view->slots[choice->overwrite], text), view->args);
}

static struct json_object *slot_json(const struct view *view, unsigned int nr)
{
	const struct triad_slot *slot = &view->slots[nr];
	const struct triad_root *root = &slot->root;
	char letter[2] = { view_letter(view, nr), 0 }, uuid[TEXT_SIZE];
	struct json_object *out = json_object_new_object();
	u64 offset;
	const struct device *dev = disk_slot(&view->disk, nr, &offset);

	json_add_number(out, "slot", nr);
	json_add_text(out, "device", dev->path);
	json_add_number(out, "offset", offset);
	json_add_text(out, "letter", letter);
	json_add_text(out, "state", triad_slot_state_name(slot->state));
	json_add_text(out, "reason", slot->reason);
	json_add_text(out, "uuid", slot->root.device_blocks ?
		      text_uuid(slot->root.uuid, uuid) : NULL);
	json_add_text(out, "use", view_use(view, nr));
	if (has_content(slot)) {
		json_add_hex(out, "version", root->version, TRIAD_HASH_SIZE);
		json_add_hex(out, "prev", root->prev, TRIAD_HASH_SIZE);
		json_add_number(out, "generation", root->generation);
		json_add_number(out, "branch", root->branch);
		json_add_number(out, "segment", root->segment);
		json_add_number(out, "next", root->next);
		json_add_number(out, "next_seq", root->next_seq);
		json_add_number(out, "time", root->time);
	} else {
		json_add(out, "version", NULL);
		json_add(out, "prev", NULL);
		json_add(out, "generation", NULL);
		json_add(out, "branch", NULL);
		json_add(out, "segment", NULL);
	}
	return out;
}

static void fill_json(const struct view *view)
{
	const struct triad_choice *choice = &view->choice;
	struct json_object *out = json_document();
	struct json_object *slots = json_object_new_array();
	unsigned int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		json_object_array_add(slots, slot_json(view, i));
	json_add(out, "slots", slots);
	json_add(out, "current", choice->cur < 0 ? NULL :
		 json_object_new_int(choice->cur));
	json_add(out, "backup", choice->backup < 0 ? NULL : json_object_new_int(choice->backup));
	json_add_number(out, "case", choice->which);
	json_add_text(out, "meaning", view_case(choice));
	json_add_bool(out, "degraded", choice->degraded);
	json_add_bool(out, "occupied", choice->occupied);
	json_add_bool(out, "hash_holds", choice->which == 1);
}

/* Three roots cannot be read at once: what a commit tore apart is whole the next time. */
static int look(struct view *view, const struct options *opt, bool live)
{
	int r, nr = 0;

	while (!(r = view_probe(view, opt, opt->args[0])) && live && view->choice.which != 1 &&
	       ++nr < LOOKS) {
		view_close(view);
		usleep(LOOK_AGAIN_US);
	}
	return r;
}

static int show(const struct options *opt, const char *mapping)
{
	struct view view;
	int r = look(&view, opt, mapping);

	if (!r) {
		if (opt->json) {
			fill_json(&view);
			json_add_text(json_document(), "mapping", mapping);
		} else {
			print_table(&view, opt);
		}
		/* what open would say to it */
		r = view_ready(&view);
		if (!r && !opt->json && mapping)
			printf("%s is open: its commits may have moved the letters meanwhile\n",
			       mapping);
		else if (!r && !opt->json)
			printf("open would use slot %d%s\n", view.choice.cur, view_has_lost(&view) ?
			       " and go on with two roots" : view.choice.degraded ?
			       " and heal the bad slot before anything is written" : "");
		if (!r && view.choice.degraded)
			r = TOOL_DEGRADED;
	}
	view_close(&view);
	return r;
}

int cmd_roots(const struct options *opt)
{
	struct options its = *opt;
	struct dm_source source;
	char *path = source.device;
	int r;

	if (!dm_find_mapping(opt->args[0], &source))
		return show(opt, NULL);
	dm_source_options(&source, &its, &path);
	r = show(&its, opt->args[0]);
	explicit_bzero(source.key, sizeof(source.key));
	return r;
}
