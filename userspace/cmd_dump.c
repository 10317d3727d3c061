// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>

#include "report.h"
#include "stream.h"
#include "view.h"

/* ---- root -------------------------------------------------------------------- */

struct field {
	const char *name;
	char text[TEXT_SIZE];
	u64 number;
	bool is_number;
};

#define MAX_FIELDS	40

struct fields {
	struct field v[MAX_FIELDS];
	unsigned int nr;
};

static void add_number(struct fields *f, const char *name, u64 n)
{
	struct field *field = &f->v[f->nr++];

	field->name = name;
	field->number = n;
	field->is_number = true;
	text_number(n, field->text);
}

static char *add_text(struct fields *f, const char *name)
{
	f->v[f->nr].name = name;
	f->v[f->nr].is_number = false;
	return f->v[f->nr++].text;
}

static void collect(struct fields *f, const struct triad_root *root)
{
	f->nr = 0;
	text_uuid(root->uuid, add_text(f, "uuid"));
	text_label(root->label, TRIAD_LABEL_SIZE, add_text(f, "label"));
	text_label((const u8 *)root->hash, TRIAD_HASH_NAME_SIZE, add_text(f, "hash"));
	strcpy(add_text(f, "checksum"), text_checksum(root->checksum_kind));
	add_number(f, "incompat", root->incompat);
	add_number(f, "ro_compat", root->ro_compat);
	add_number(f, "compat", root->compat);
	add_number(f, "root_layout", root->root_layout);
	add_number(f, "map_depth", root->map_depth);
	add_number(f, "device_blocks", root->device_blocks);
	add_number(f, "logical_blocks", root->logical_blocks);
	add_number(f, "zone_blocks", root->zone_blocks);
	add_number(f, "segment_blocks", root->segment_blocks);
	add_number(f, "interval_blocks", root->interval_blocks);
	text_hex(root->version, TRIAD_HASH_SIZE, add_text(f, "version"));
	text_hex(root->prev, TRIAD_HASH_SIZE, add_text(f, "prev"));
	add_number(f, "generation", root->generation);
	add_number(f, "segment", root->segment);
	add_number(f, "next", root->next);
	add_number(f, "next_seq", root->next_seq);
	text_hex(root->chain, TRIAD_HASH_SIZE, add_text(f, "chain"));
	text_hex(root->prev_chain, TRIAD_HASH_SIZE, add_text(f, "prev_chain"));
	add_number(f, "map_pba", root->map.pba);
	add_number(f, "map_checksum", root->map.csum);
	add_number(f, "map_birth", root->map.birth);
	text_hex(root->summary_sum, TRIAD_HASH_SIZE, add_text(f, "summary_sum"));
	add_number(f, "snapshots", root->snapshots);
	add_number(f, "hwm_zones", root->hwm_zones);
	add_number(f, "used", root->used);
	add_number(f, "pending", root->pending);
	add_number(f, "dead", root->dead);
	add_number(f, "time", root->time);
	add_number(f, "branch", root->branch);
	add_number(f, "repeats", root->repeats);
	add_number(f, "epoch", root->epoch);
	add_number(f, "planes", triad_root_planes(root));
}

static void dump_slot(const struct view *view, unsigned int nr, struct json_object *list)
{
	const struct triad_slot *slot = &view->slots[nr];
	struct json_object *out = NULL;
	struct fields f = { .nr = 0 };
	unsigned int i;

	/* what decoded at all: torn roots, too, but not blocks of something else */
	if (slot->root.device_blocks)
		collect(&f, &slot->root);
	if (list) {
		out = json_object_new_object();
		json_object_array_add(list, out);
		json_add_number(out, "slot", nr);
		json_add_text(out, "state", triad_slot_state_name(slot->state));
		json_add_text(out, "reason", slot->reason);
	} else {
		printf("slot %u: %s%s%s\n", nr, triad_slot_state_name(slot->state),
		       slot->reason ? ", " : "", slot->reason ? slot->reason : "");
	}
	for (i = 0; i < f.nr; i++) {
		if (!list)
			printf("  %-16s %s\n", f.v[i].name, f.v[i].text);
		else if (f.v[i].is_number)
			json_add_number(out, f.v[i].name, f.v[i].number);
		else
			json_add_text(out, f.v[i].name, f.v[i].text);
	}
}

static int dump_root(struct view *view, struct json_object *list)
{
	unsigned int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		dump_slot(view, i, list);
	return 0;
}

/* ---- log ----------------------------------------------------------------------- */

static const char *kind_of(const struct triad_record *rec)
{
	return rec->flags & TRIAD_RECORD_DISCARD ? "discard" :
	       rec->flags & TRIAD_RECORD_INTENT ? "intent" :
	       rec->flags & TRIAD_RECORD_OPENING ? "opening" : "write";
}

static struct json_object *extents_json(const struct triad_extent *v, u32 nr)
{
	struct json_object *list = json_object_new_array();
	u32 i;

	for (i = 0; i < nr; i++) {
		struct json_object *e = json_object_new_object();

		json_add_number(e, "start", v[i].start);
		json_add_number(e, "nr", v[i].nr);
		json_object_array_add(list, e);
	}
	return list;
}

static void print_extents(const char *name, const struct triad_extent *v, u32 nr)
{
	u32 i;

	if (nr)
		printf("  %s", name);
	for (i = 0; i < nr; i++)
		printf(" %" PRIu64 "+%" PRIu64, v[i].start, v[i].nr);
	if (nr)
		printf("\n");
}

static int dump_record(struct triad_core *core, const struct triad_record *rec, void *context)
{
	struct json_object *list = context, *out;
	char from[POSITION_SIZE], to[POSITION_SIZE];

	(void)core;
	if (!list) {
		printf("record %" PRIu64 " at block %" PRIu64
		       ": %s, %u block%s, durable up to %" PRIu64 ", next at %" PRIu64 "\n",
		       rec->seq, rec->place, kind_of(rec), rec->nr_blocks, PLURAL(rec->nr_blocks),
		       rec->durable, rec->next);
		print_extents(rec->flags & TRIAD_RECORD_INTENT ? "zones" : "LBA", rec->extents,
			      rec->nr_extents);
		print_extents("PBA", rec->runs, rec->nr_runs);
		if (rec->flags & TRIAD_RECORD_ARRIVAL)
			printf("  with the records from %" PRIu64 " on from %s\n  to %s\n", rec->arrival.first,
			       position_text(&rec->arrival.from, from), position_text(&rec->arrival.to, to));
		return 0;
	}
	out = json_object_new_object();
	json_add_number(out, "seq", rec->seq);
	json_add_number(out, "place", rec->place);
	json_add_text(out, "kind", kind_of(rec));
	json_add_number(out, "nr_blocks", rec->nr_blocks);
	json_add_number(out, "durable", rec->durable);
	json_add_number(out, "next", rec->next);
	json_add(out, rec->flags & TRIAD_RECORD_INTENT ? "zones" : "extents",
		 extents_json(rec->extents, rec->nr_extents));
	json_add(out, "runs", extents_json(rec->runs, rec->nr_runs));
	if (rec->flags & TRIAD_RECORD_ARRIVAL) {
		json_add_number(out, "first", rec->arrival.first);
		json_add_text(out, "from", position_text(&rec->arrival.from, from));
		json_add_text(out, "to", position_text(&rec->arrival.to, to));
	}
	json_object_array_add(list, out);
	return 0;
}

static int dump_log(struct view *view, struct json_object *list)
{
	u64 nr_records, durable;
	int r = triad_replay_walk(&view->core, &nr_records, &durable, dump_record, list);

	if (!r && !list)
		printf("log: %" PRIu64 " record%s behind generation %" PRIu64
		       ", durable up to %" PRIu64 ", the next goes to block %" PRIu64 "\n",
		       nr_records, PLURAL(nr_records), view->core.root.generation, durable, view->core.space.next);
	return r;
}

/* ---- map ------------------------------------------------------------------------- */

/* Neighbours that lie one behind the other are shown as one. */
struct run {
	struct json_object *list;
	u64 lba, pba, nr;
	u32 birth;
	u64 nr_nodes, nr_blocks;
};

static void show_run(struct run *run)
{
	struct json_object *out;

	if (!run->nr)
		return;
	if (run->list) {
		out = json_object_new_object();
		json_add_number(out, "lba", run->lba);
		json_add_number(out, "pba", run->pba);
		json_add_number(out, "nr", run->nr);
		json_add_number(out, "birth", run->birth);
		json_object_array_add(run->list, out);
	} else {
		printf("  LBA %" PRIu64 "+%" PRIu64 " -> block %" PRIu64
		       ", written by generation %u\n",
		       run->lba, run->nr, run->pba, run->birth);
	}
	run->nr = 0;
}

static int dump_entry(void *context, int level, u64 lba, u64 nr,
			const struct triad_ref *ref, int error)
{
	struct run *run = context;

	if (error) {
		show_run(run);
		tool_warn("map: LBA %" PRIu64 "+%" PRIu64 ", block %" PRIu64 ": %s", lba, nr,
			  ref->pba, error == -EBADMSG ? "wrong checksum" : strerror(-error));
		return 0;
	}
	if (level == TRIAD_VISIT_SHADOWED)
		return 0;
	if (level != TRIAD_VISIT_DATA) {
		run->nr_nodes++;
		return 0;
	}
	run->nr_blocks++;
	if (run->nr && lba == run->lba + run->nr && ref->pba == run->pba + run->nr &&
	    ref->birth == run->birth) {
		run->nr++;
		return 0;
	}
	show_run(run);
	run->lba = lba;
	run->pba = ref->pba;
	run->birth = ref->birth;
	run->nr = 1;
	return 0;
}

static int dump_map(struct view *view, struct json_object *list)
{
	struct run run = { .list = list };
	int r = triad_map_walk(&view->core.space.map, dump_entry, &run);

	show_run(&run);
	if (!r && !list)
		printf("map: %" PRIu64 " node%s, %" PRIu64 " block%s, without the log\n",
		       run.nr_nodes, PLURAL(run.nr_nodes), run.nr_blocks, PLURAL(run.nr_blocks));
	return r;
}

/* ---- space ------------------------------------------------------------------------- */

static int dump_space(struct view *view, struct json_object *list)
{
	static const char * const names[] = {
		">ZONE", ">FIRST BLOCK", ">USABLE", ">USED", ">PENDING", ">LOG", ">CHANGED",
	};
	const struct triad_space *space = &view->core.space;
	struct libscols_table *table = NULL;
	u64 zone, end = space->hwm;
	unsigned int i;

	/* the log may reach into zones that no root has used yet */
	for (zone = end; zone < space->geo->nr_zones; zone++)
		if (space->taken[zone])
			end = zone + 1;
	if (!list)
		table = table_new(names, sizeof(names) / sizeof(names[0]));
	for (zone = 0; zone < end; zone++) {
		const u64 row[] = {
			zone,
			triad_zone_start(space->geo, zone),
			triad_zone_usable(space->geo, zone),
			space->zones[zone].used,
			space->zones[zone].pending,
			space->taken[zone],
			space->zones[zone].changed,
		};
		static const char * const keys[] = {
			"zone", "first_block", "usable", "used", "pending", "log", "changed",
		};
		struct json_object *out = list ? json_object_new_object() : NULL;
		struct libscols_line *line = list ? NULL : table_line(table);
		char text[TEXT_SIZE];

		for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			if (list)
				json_add_number(out, keys[i], row[i]);
			else
				table_set(line, i, text_number(row[i], text));
		}
		if (list)
			json_object_array_add(list, out);
	}
	if (list)
		return 0;
	table_print(table);
	printf("space: %" PRIu64 " of %" PRIu64 " blocks used, %" PRIu64 " pending, %" PRIu64
	       " dead, %" PRIu64 " of %" PRIu64 " zones ever used\n", space->used,
	       space->geo->usable, space->pending, space->dead, space->hwm, space->geo->nr_zones);
	return 0;
}

/* ---- command ------------------------------------------------------------------------ */

static const struct part {
	const char *name;
	bool needs_core;
	int (*dump)(struct view *view, struct json_object *list);
} parts[] = {
	{ "root", false, dump_root },
	{ "log", true, dump_log },
	{ "map", true, dump_map },
	{ "space", true, dump_space },
};

#define NR_PARTS	(sizeof(parts) / sizeof(parts[0]))

static int choose(const struct options *opt, bool wanted[NR_PARTS])
{
	size_t p;
	int i;

	for (p = 0; p < NR_PARTS; p++)
		wanted[p] = opt->nr_args == 1;
	for (i = 1; i < opt->nr_args; i++) {
		for (p = 0; p < NR_PARTS; p++)
			if (!strcmp(opt->args[i], parts[p].name))
				break;
		if (p == NR_PARTS)
			return tool_fail(TOOL_USAGE,
					 "Nothing was changed.  There are: root, log, map, space.",
					 "dump: there is no part '%s'", opt->args[i]);
		wanted[p] = true;
	}
	return 0;
}

static int dump(struct view *view, const bool wanted[NR_PARTS])
{
	struct json_object *out = json_document();
	size_t p;
	int r;

	for (p = 0; p < NR_PARTS; p++) {
		struct json_object *list = out && wanted[p] ? json_object_new_array() : NULL;

		if (!wanted[p])
			continue;
		if (list)
			json_add(out, parts[p].name, list);
		if (parts[p].needs_core && !view->opened) {
			r = view_open(view);
			if (r)
				return r;
		}
		r = parts[p].dump(view, list);
		if (r)
			return tool_fail(tool_exit_of(r),
					 "Nothing was changed.  More: triadsetup check DEVICE",
					 "%s: dump of %s: %s", view->path, parts[p].name,
					 strerror(-r));
	}
	return 0;
}

int cmd_dump(const struct options *opt)
{
	bool wanted[NR_PARTS];
	struct view view;
	int r;

	r = choose(opt, wanted);
	if (r)
		return r;
	r = view_probe(&view, opt, opt->args[0]);
	if (!r)
		r = dump(&view, wanted);
	view_close(&view);
	return r;
}
