# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of the core: what is taken out or turned, what it breaks, and which test says so.

A mutant is (name, file of kernel/core, text, replacement, what breaks, killer).  The text must
stand in the file exactly once.  The killer is the first test that notices, in the order in
which the runner tries them: a unit test, "faults", "lies", "crash" with the seeds from 1 on as in
"make check", or "crash OPTIONS" where the explorer is told where to look first.
"""

# design.md's rules, each switched off in its most direct way
RULES = [
    ("rule-1", "log.c", "if (!r && !core->root.segment && !core->degraded)", "if (0)",
     "the pointer is durable before the first record", "test_commit"),
    ("rule-2", "commit.c", """	if (!r)
		r = core->store->ops->flush(core->store);
	if (!r)
		r = triad_root_seal(""", """	if (!r)
		r = triad_root_seal(""",
     "all of the interval is durable before the root is written", "faults"),
    ("rule-3", "space.c", "if (space->slot_b >= 0) {", "if (0) {",
     "what b reaches is not taken", "test_commit"),
    ("rule-4", "commit.c", """		if (plane_is_old(commit, zone)) {
			r = write_plane""", """		if (0) {
			r = write_plane""",
     "a plane is exactly what its root reaches", "test_commit"),
    ("rule-5", "record.c", "	    memcmp(d->chain, chain, sizeof(d->chain)) ||\n", "",
     "a record continues the chain", "test_record"),
    ("rule-6", "replay.c", "	core->window_nr = 0;\n	for (;;) {\n		r = step(",
     "	core->window_nr = 0;\n	for (; core->root.segment;) {\n		r = step(",
     "the log is probed, whatever the pointer says", "test_replay"),
    ("rule-7", "log.c", "	rec->durable = triad_order_mark(&core->order);\n", "	rec->durable = rec->seq - 1;\n",
     "only what was flushed is called durable", "test_replay"),
    ("rule-8", "open.c", "	while (!r && triad_core_needs_heal(core))\n", "	if (0)\n",
     "a degraded device is healed first", "test_open"),
    ("rule-9", "log.c", "if (need + nodes > triad_space_available(&core->space) + in->nr_nodes)",
     "if (need > triad_space_available(&core->space) + core->space.reserved)",
     "the nodes of commits to come have room", "test_commit"),
    ("rule-10", "record.c", "	r = check(rec, geo);\n", "	r = 0;\n",
     "what a header says is bounded", "test_record"),
    ("rule-11", "open.c", "		r = triad_commit_init(core);\n",
     "		r = triad_commit_init(core);\n		if (!r)\n			r = triad_log_start(core);\n",
     "opening writes nothing", "test_replay"),
]

MUTANTS = [
    # roots that somebody else wrote
    ("stranger-not-noticed", "guard.c", "if (!is_ours(&core->seen[nr], nr, block))", "if (0)",
     "a root of somebody else is not written over", "test_guard"),
    ("stranger-not-noticed-at-start", "log.c", "		r = triad_guard_check(core);\n", "		r = 0;\n",
     "roots are looked at before the first record of a session", "test_guard"),
    ("stranger-not-noticed-by-commit", "commit.c", "		r = triad_guard_check(core);\n", "		r = 0;\n",
     "roots are looked at before a commit writes anything", "test_guard"),
    ("stranger-not-noticed-at-root", "guard.c", "	int r = triad_guard_check(core);\n", "	int r = 0;\n",
     "roots are looked at once more before one is written", "test_guard"),
    ("lost-root-is-a-stranger", "guard.c", " || !memcmp(block, seen->before, SECTOR) ||", " ||",
     "a root write that was lost is no stranger", "test_guard"),
    ("torn-root-is-a-stranger", "guard.c", "return slot.state == TRIAD_SLOT_TORN;", "return false;",
     "a torn root is no stranger", "test_guard"),
    ("unreadable-root-is-a-stranger", "guard.c",
     "	if (core->store->ops->read_root(core->store, nr, block))\n		return 0;\n",
     "	int r = core->store->ops->read_root(core->store, nr, block);\n\n	if (r)\n		return r;\n",
     "what cannot be read is no stranger", "test_guard"),
    ("commit-does-not-wait", "commit.c", "		r = wait_published(host, last);", "		r = 0;",
     "a commit waits for every record before its freeze", "test_commit"),
    ("intent-not-awaited", "commit.c", "	r = wait_published(host, seq);", "	r = 0;",
     "the intent record is written before the first plane", "test_commit"),
    ("root-not-repeated", "commit.c", "host->try_again(host, ++nr, r)", "0",
     "a root write of unknown outcome is repeated", "faults"),
    ("failed-flush-covers", "order.c", "	if (!error)\n", "	if (1)\n",
     "a flush that failed covers nothing", "test_log"),
    ("published-behind-a-failure", "order.c", "	if (order->failed)\n", "	if (0)\n",
     "nothing behind a record that failed is published", "test_log"),
    # roots
    ("seal-not-compared", "root.c", "if (memcmp(seal, d->seal, sizeof(seal)))", "if (0)",
     "a root with a wrong seal is no root", "test_root"),
    ("root-crc-not-compared", "root.c", "if (le32_to_cpu(d->crc) != triad_crc32c(d, CRC_BYTES))",
     "if (0)", "a torn root is told from a wrong key", "test_root"),
    ("root-of-another-slot", "root.c", "else if (d->slot != nr)", "else if (0)",
     "a root counts in its own slot only", "test_root"),
    ("foreign-not-dropped", "root.c", "	drop_foreign(slots);\n", "",
     "a root of another device takes no part", "test_root"),
    ("two-permutations", "root.c", "if (nr_found > 1) {", "if (0) {",
     "what is ambiguous is refused", "test_root"),
    ("link-without-chain", "root.c", " && same(y->prev_chain, x->chain) &&", " &&",
     "a version names a history, the chain its content", "test_root"),
    ("link-without-generation", "root.c", "y->generation == x->generation + 1 &&", "1 &&",
     "a child is one generation younger", "test_root"),
    ("link-with-a-child", "root.c",
     "(same(s[third].root.prev, s[y].root.version) ||", "(0 ||",
     "c is the root from which none was made", "test_root"),
    ("grandchild-of-a-heal", "root.c", "< x->root.generation + 2)", "!= x->root.generation + 2)",
     "a healed device that loses its backup again opens", "test_root"),
    ("outrun", "root.c", "int r = is_grandchild(hash, y, z);", "int r = 0;",
     "an old copy is not current", "test_root"),
    ("outrun-fork", "root.c", "if (!r && valid(z) && z->root", "if (0 && z->root",
     "an old copy that is a cousin is not current", "test_root"),

    # opening and healing
    ("unreadable-not-emptied", "open.c", "state == TRIAD_SLOT_UNREADABLE)", "state == 99)",
     "a root that comes back finds its blocks", "test_open"),
    ("backup-while-degraded", "open.c", "core->slot_b = core->degraded ? -1 : core->choice.backup;",
     "core->slot_b = core->choice.backup;", "the heal has room: nothing is kept for b", "test_open"),
    ("forget-backup", "open.c", "space->zones[zone].pending = 0;", ";",
     "without a backup its blocks are free", "test_open"),
    ("heal-keeps-parent", "open.c", "core->slots[core->choice.parent].root.version",
     "core->slots[core->choice.cur].root.version", "the next version follows from b and c", "test_commit"),
    ("root-unbounded", "open.c", "!triad_geometry_valid_pba(geo, root->next) || ", "",
     "addresses of a root are bounded", "test_open"),
    ("device-may-shrink", "open.c", "return device_blocks < root->device_blocks ? -ENOSPC : 0;",
     "return 0;", "a device that shrank is refused", "test_open"),

    # the log
    ("opening-record", "log.c", "	triad_log_begin(core, rec, TRIAD_RECORD_OPENING);\n",
     "	core->session = true;\n	return 0;\n"
     "	triad_log_begin(core, rec, TRIAD_RECORD_OPENING);\n",
     "the first record of a session is a header alone", "test_commit"),
    ("opening-not-flushed", "log.c", """		r = core->store->ops->write(core->store, rec->place, 1, core->window);
	if (!r)
		r = core->store->ops->flush(core->store);
""", """		r = core->store->ops->write(core->store, rec->place, 1, core->window);
""", "... and durable before anything else is written", "test_commit"),
    ("nonce", "record.c", "if (rec->flags & TRIAD_RECORD_OPENING) {", "if (0) {",
     "what lay behind the end of the log never comes back", "test_replay"),
    ("opening-of-zeroes", "record.c", "		triad_random(d->body, sizeof(d->body));\n", "",
     "a torn opening record completes no other", "test_replay"),
    ("pointer-beside-a-commit", "log.c", """core->window);
	if (!r)
		r = triad_guard_write(core, core->slot_c, core->window);""",
     """core->commit.block);
	if (!r)
		r = triad_guard_write(core, core->slot_c, core->commit.block);""",
     "the image of a root stays as it was sealed", "test_commit"),
    ("note-late", "log.c", """		if (!r)
			r = triad_list_push_run(&core->space.log_active, pba, got);
		if (r)
			return r;
		triad_record_add_run(rec, pba, got);
	}
	return 0;
""", """		if (r)
			return r;
		triad_record_add_run(rec, pba, got);
	}
	for (u32 i = 0; i < rec->nr_runs; i++)
		triad_list_push_run(&core->space.log_active, rec->runs[i].start, rec->runs[i].nr);
	return 0;
""", "no block is given out twice", "test_commit"),
    ("header-not-noted", "log.c", "r = triad_list_push_run(&space->log_active, rec->place, 1);",
     "r = 0;", "headers of the log are kept", "test_commit"),
    ("room-without-headers", "log.c", "u64 need = nr_blocks + 3ULL;", "u64 need = nr_blocks;",
     "the opening and the intent record have room", "test_commit"),
    ("frozen-budget", "log.c",
     "return !in->nr_entries || in->nr_blocks + need + nodes <= in->budget;",
     "return true;", "three intervals fit beside what c reaches", "test_commit"),
    ("discards-unbounded", "log.c", " ||\n	    !leaves_fit(core, nr_leaves))",
     ")", "one commit frees a bounded number of blocks", "test_commit"),
    ("discards-not-awaited", "log.c", "!leaves_fit(core, TRIAD_MAX_LEAVES / 4) ||\n", "0 ||\n",
     "a commit begins before discards have to wait", "test_log"),
    ("replayed-discards-without-memory", "log.c",
     "max_t(u32, core->interval.nr_leaves, TRIAD_MAX_LEAVES)", "TRIAD_MAX_LEAVES",
     "a commit has memory for all that it may free", "test_log"),
    ("write-not-announced", "log.c", "	triad_index_announce(rec->index, lba, nr);\n", "",
     "a discard of what is being written needs a record", "test_log"),
    ("replay-not-announced", "replay.c",
     "		triad_index_announce(core->active, rec->extents[i].start, rec->extents[i].nr);\n",
     "		;\n", "a discard of what was replayed needs a record", "test_log"),
    ("frozen-not-asked", "log.c",
     "(core->frozen && triad_index_may_write(core->frozen, lba, nr))", "0",
     "a discard of what is being committed needs a record", "test_log"),
    ("announced-for-ever", "index.c", "	memset(index->written, 0, sizeof(index->written));\n", "",
     "what an interval wrote is forgotten with it", "test_index"),
    ("publish-next-checksum", "log.c", "rec->csums[block", "rec->csums[!block + block",
     "a block is read with its own checksum", "test_commit"),

    # records
    ("record-crc-not-compared", "record.c", " ||\n	    le32_to_cpu(d->crc) != record_crc(d))",
     ")", "a torn header ends the log", "test_record"),
    ("record-of-another-device", "record.c",
     "	    memcmp(d->uuid, uuid, sizeof(d->uuid)) ||\n", "",
     "records of another device are none", "test_record"),
    ("record-seq-not-compared", "record.c", "	    le64_to_cpu(d->seq) != seq ||\n", "",
     "records come in sequence", "test_record"),
    ("record-durable-unbounded", "record.c", " || rec->durable >= seq)", ")",
     "a record cannot call itself durable", "test_record"),
    ("chain-of-the-magic", "record.c", "triad_hash(hash, block, used_bytes(rec), NULL, 0, chain);",
     "triad_hash(hash, block, 8, NULL, 0, chain);", "the chain covers what a record says",
     "test_record"),

    # replay
    ("verify-payload", "replay.c", "if (!r && rec->seq > scan->durable)", "if (0)",
     "a torn record ends the log", "test_replay"),
    ("durable-mark", "replay.c", "if (!r && rec->seq > scan->durable)", "if (!r)",
     "rot in a durable record does not end the log", "test_replay"),
    ("first-mark-only", "replay.c", "scan->durable = max_t(u64, scan->durable, core->record.durable);",
     "scan->durable = scan->durable ? scan->durable : core->record.durable;",
     "the highest durable mark counts", "test_replay"),
    ("intent", "replay.c", "if (rec->flags & TRIAD_RECORD_INTENT)\n		for (i = 0;",
     "if (0)\n		for (i = 0;", "zones of a commit that never landed are suspect", "test_commit"),
    ("records-not-suspect", "replay.c", "	core->suspects[triad_zone_of(&core->geo, rec->place)] = 1;\n",
     "	return;\n", "zones of the log's records are suspect", "test_commit"),
    ("backup-log-not-kept", "replay.c", "			r = note_record(&core->space.log_backup, &core->record);\n",
     "			;\n", "the log from b to c is kept", "test_commit"),
    ("backup-log-damaged", "replay.c", "		if (r) {\n			/* b could", "		if (0) {\n			/* b could",
     "b with a damaged log is no backup", "test_replay"),

    ("rot-taken-for-the-end", "replay.c", "		if (core->record.durable >= seq) {", "		if (0) {",
     "a rotten header is told from the end of the log", "test_replay"),
    ("torn-opening-loses-the-mark", "replay.c", "	return le64_to_cpu(d->durable);", "	return 0;",
     "a torn opening record keeps the durable mark", "test_replay"),
    ("session-not-flushed", "log.c", "	r = core->store->ops->flush(core->store);\n	/* rule 8",
     "	r = 0;\n	/* rule 8",
     "what an opening read is durable before it is built on", "test_commit"),
    ("healing-points", "log.c", " && !core->root.segment && !core->degraded)", " && !core->root.segment)",
     "healing never overwrites the root it heals from", "test_commit"),

    # the log's index
    ("newer-record-wins", "index.c", "newest = max_t(u32, newest,", "newest = max_t(u32, 0,",
     "the newest record counts", "test_index"),
    ("sorted-keeps-shadowed", "index.c", "if (find(index, e->key) != i + 1)", "if (0)",
     "an overwritten block of the log does not enter the map", "test_index"),
    ("largest-unit-not-looked-up", "index.c", "for (level = 0; level < nr_levels; level++)\n		newest",
     "for (level = 0; level < nr_levels && level < 2; level++)\n		newest",
     "large discards cover their blocks", "test_index"),
    ("unit-beyond-the-end", "index.c", "(lba + size <= end || end == geo->logical_blocks)",
     "(lba <= end)", "a discard covers its own blocks only", "test_index"),

    # the map
    ("hole-of-one-unit", "map.c", "		if (ref.pba)\n			return 0;\n		lba = behind_unit(lba, level);",
     "		return !ref.pba;", "all of a discard is looked at", "test_map"),
    ("missing-node-is-a-hole", "map.c", "		if (r == -EAGAIN)\n			*missing = ref;\n		if (r)\n			return r;\n		if (ref.pba)\n			return 0;",
     "		if (r == -EAGAIN)\n			*missing = ref;\n		if (r && r != -EAGAIN)\n			return r;\n		if (!r && ref.pba)\n			return 0;",
     "what nobody has seen is no hole", "test_map"),
    ("missing-leaves-not-counted", "map.c", "		else if (unit)\n			leaves += 1u << ((unit - 1) * TRIAD_FANOUT_SHIFT);",
     "", "leaves that nobody has seen count", "test_map"),
    ("discard-covers", "map.c", "		dropped = true;\n	}\n	node", "		dropped = false;\n	}\n	node",
     "a discarded subtree is given back", "test_map"),
    ("cover-age", "map.c", "cover = max_t(u32, cover, u->order[s.from] + 1);", ";",
     "what a later discard covers is void", "test_map"),
    ("cover-too-much", "map.c", "if (u->order[s.from] + 1 <= cover)", "if (cover)",
     "what is written behind a discard stays", "test_map"),
    ("node-not-freed", "map.c", """		r = triad_list_push(u->frees, ref->pba);
		if (!r)
			r = triad_map_read_node""", """		r = 0;
		if (!r)
			r = triad_map_read_node""", "replaced nodes are given back", "test_map"),
    ("data-not-freed", "map.c", "	if (ref->pba)\n		r = triad_list_push(u->frees, ref->pba);\n	memset",
     "	memset", "overwritten blocks are given back", "test_map"),
    ("node-checksum-not-compared", "map.c",
     "if (triad_checksum(map->checksum_kind, node) != ref->csum)", "if (0)",
     "a rotten node is not believed", "test_map"),
    ("entry-unbounded", "map.c",
     "return !ref->pba || triad_geometry_valid_pba(geo, ref->pba) ? 0 : -EUCLEAN;", "return 0;",
     "addresses of a node are bounded", "test_map"),
    ("empty-node-kept", "map.c", "	if (i == TRIAD_FANOUT) {", "	if (0) {",
     "an empty node becomes a hole", "test_map"),

    # space
    ("keep-log-of-b", "space.c", "	mark(space, zone, &space->log_backup, z->bits);\n", "",
     "the log from b to c is not taken", "test_commit"),
    ("keep-frozen-log", "space.c", "	mark(space, zone, &space->log_frozen, z->bits);\n", "",
     "the frozen log is not taken", "test_space"),
    ("keep-log-of-c", "space.c", "	mark(space, zone, &space->log_active, z->bits);\n", "",
     "the log is not taken", "test_space"),
    ("keep-nodes", "space.c", "	mark(space, zone, &space->nodes, z->bits);\n", "",
     "the nodes of a running commit are not taken", "test_commit"),
    ("keep-next-place", "space.c", "if (space->next && triad_zone_of", "if (0 && triad_zone_of",
     "the place of the next record is not taken", "test_space"),
    ("bits-not-forgotten", "space.c", "		space->loaded[i].loaded = false;\n", "		;\n",
     "what a commit frees is found", "test_commit"),
    ("plane-crc-not-compared", "plane.c", " ||\n	    le32_to_cpu(head->crc) != block_crc(head))", ")",
     "a rotten plane is not believed", "test_space"),
    ("plane-of-another-zone", "plane.c", " || le64_to_cpu(head->index) != index ||", " ||",
     "a misplaced plane is not believed", "test_space"),
    ("planes-never-landed", "plane.c", "head.generation) - changed >= TRIAD_TURNS)",
     "head.generation) - changed >= 0x80000000u)",
     "a plane left by a commit that never landed is not believed", "test_space"),
    ("plane-count", "plane.c", "if (!r && !has_right_count(space, zone, bits))", "if (0)",
     "a plane with a wrong count is not believed", "test_space"),
    ("rebuild-planes", "plane.c", "*rebuilt = r == -EBADMSG;", "return r;",
     "a rotten plane of c is rebuilt", "test_space"),
    ("summary-not-compared", "summary.c", "if (!r && memcmp(sum, root->summary_sum, sizeof(sum)))",
     "if (0)", "a summary of another root is not believed", "test_open"),
    ("mark-of-b", "space.c", "space->slot_b, space->hwm_b, 0,", "space->slot_b, space->hwm, 0,",
     "planes that b never had are not read", "test_commit"),
    ("take-one-too-many", "space.c", "for (n = 0; n < nr && c->pos + n < size && !triad_bit(z->bits, c->pos + n); n++)",
     "for (n = 0; n < nr && c->pos + n < size && (n == 1 || !triad_bit(z->bits, c->pos + n)); n++)",
     "no block is given out twice", "test_space"),

    # commit
    ("root-error-ignored", "commit.c", "	return triad_guard_write(core, core->commit.slot, core->commit.block);",
     "	triad_guard_write(core, core->commit.slot, core->commit.block);\n	return 0;", "the letters move behind the root's write", "test_commit"),
    ("over-b", "commit.c", "	commit->slot = core->slot_a;\n", "	commit->slot = core->slot_b >= 0 ? core->slot_b : core->slot_a;\n",
     "the new root is written over a", "test_commit"),
    ("pointer-emptied", "commit.c", "root->segment = commit->clean ? 0 : root->next;", "root->segment = 0;",
     "only a close empties the pointer", "test_commit"),
    ("pointer-kept", "commit.c", "root->segment = commit->clean ? 0 : root->next;",
     "root->segment = root->next;", "a close empties the pointer", "test_commit"),
    ("session-goes-on", "commit.c", "	if (commit->clean)\n		core->session = false;\n", "",
     "behind a close a session begins anew", "test_commit"),
    ("clean-intent-in-log", "commit.c", "		core->space.log_active.nr = 0;\n		capture(core);\n",
     "		core->space.log_active.nr = 0;\n", "a close leaves no log", "test_commit"),
    ("lost-root-beside-its-heir", "root.c", " ||\n						 was_replaced(&s[y].root, &s[third].root)))", "))",
     "a lost root beside the one that replaced it does not count", "test_root"),
    ("lost-root-is-the-youngest", "root.c", " &&\n	    !was_replaced(&third->root, &cur->root)) {", ") {",
     "a lost root beside the one that replaced it is no reason to refuse", "test_root"),
    ("version-turned", "commit.c", "core->parent, core->root.version, root->version);",
     "core->root.version, core->parent, root->version);",
     "the version is H(b, c)", "test_commit"),
    ("doubt-suspects", "commit.c", "if (core->suspects[zone])", "if (0)",
     "suspect planes are written anew", "test_commit"),
    ("doubt-degraded", "commit.c", "for (zone = 0; core->degraded &&", "for (zone = 0; 0 &&",
     "planes that a slot missed are written anew", "test_open"),
    ("summary-after-pending", "commit.c", "commit->zones[zone].changed <= TRIAD_TURNS;",
     "commit->zones[zone].changed < TRIAD_TURNS;", "the summary knows when pending ends", "test_commit"),
    ("three-turns", "commit.c", "changed < TRIAD_TURNS;", "changed < 2;",
     "each slot gets each changed plane", "test_commit"),
    ("zones-between", "commit.c", "			for (; hwm <= zone; hwm++)\n				commit->zones[hwm].changed = now;\n",
     "			hwm = zone + 1;\n", "zones that were passed over get their planes", "faults"),
    ("dead-not-counted", "commit.c", "triad_list_blocks(&core->space.log_frozen) -\n			    commit->update.nr_data_added;",
     "0;", "log blocks that are kept for b are counted", "test_commit"),
    ("nodes-stay-promised", "commit.c", "	core->space.reserved -= commit->reserved;\n", "",
     "a promise ends when it is kept", "test_commit"),
    ("summary-one-block", "commit.c", "		first = zone + 1;", "		first = zone;",
     "each summary block has its zones", "crash --profile 7 --states 450"),

    # healing
    ("heal-over-others", "root.c", "choice->occupied = third->state == TRIAD_SLOT_FOREIGN ||",
     "choice->occupied = ", "what others keep in a slot is not healed over", "test_open"),
    ("heal-over-torn-others", "root.c", "if (third->state == TRIAD_SLOT_TORN && !ours)", "if (0)",
     "... nor a torn root of theirs", "test_open"),
    ("heal-over-unreadable", "root.c", "cur->root_layout == TRIAD_ROOTS_THREE_DEVICES", "0",
     "... nor what cannot be read on a disk of its own", "test_open"),
    ("empty-by-its-first-sector", "root.c", "if (all_zero(block, TRIAD_BLOCK_SIZE))",
     "if (all_zero(block, sizeof(*d)))", "zeroes are zeroes to the end of the block", "test_open"),
    ("heal-does-not-ask", "open.c", "return triad_core_is_occupied(core) ? -EEXIST :", "return 0 ? -EEXIST :",
     "healing by itself refuses what others keep", "test_open"),
    ("healed-by-one-root", "open.c", "	while (!r && triad_core_needs_heal(core))\n",
     "	if (!r && core->degraded)\n", "two roots say that one was healed", "test_open"),
    ("branch-not-begun", "commit.c", "	if (core->degraded)\n		root->branch = root->generation;\n", "",
     "branch and generation name a state", "test_open"),
    ("branch-not-followed", "root.c", " &&\n	       (y->branch == x->branch || y->branch == y->generation);",
     ";", "a branch of another line is no link", "test_root"),
    ("lost-root-is-backup", "root.c", "return x->generation == y->branch && x->branch != y->branch;",
     "return false;", "a lost root that comes back is not believed", "test_root"),

    # disks that lie
    ("format-chain", "open.c", "	triad_random(root.chain, sizeof(root.chain));\n", "",
     "nothing of the log before a format returns", "lies"),
    ("heal-without-a-map", "open.c", "	if (!r && (core->degraded || core->choice.stray))\n", "	if (0)\n",
     "nothing is healed on the word of a root whose map is not here", "test_open"),
    ("heal-without-a-map-or-b", "open.c", "	if (!r && core->degraded && !was_degraded)\n", "	if (0)\n",
     "... nor when it is the log of b that is not here", "lies"),
    ("old-planes-with-the-summary", "plane.c", "	if (!r && space->sums && sum_of", "	if (0 && sum_of",
     "a plane with the right number of blocks may be an old one", "test_open"),

    # one instance behind another
    ("chain-not-compared", "log.c", "!memcmp(expected->chain, pos->chain, sizeof(pos->chain));",
     "true;", "another log of the same length is not what was published", "test_replay"),
    ("start-not-compared", "replay.c", "	triad_log_reach(core, &start);\n", "",
     "what was published may be what c holds", "crash"),
    ("only-c-is-proven", "replay.c", "	const struct triad_root *from = core->slot_b < 0 ? &core->root :\n					&core->slots[core->slot_b].root;",
     "	const struct triad_root *from = &core->root;", "payload between b and c is proven, too", "test_replay"),
    ("nodes-not-proven", "open.c", "	return r ? r : triad_map_walk(&map, prove_visit, NULL);", "	return r;",
     "nodes of the last commit are proven", "test_replay"),

    # sizes
    ("reserve-missing", "geometry.c", "	       reserve_for(usable, logical_blocks);", "	       0;",
     "overwriting a full device has room", "test_geometry"),
    ("slot-given-out", "geometry.c", "return offset < TRIAD_ZONE_HEADER ||\n	       slot_of(triad_zone_start(geo, zone) + offset) >= 0;",
     "return offset < TRIAD_ZONE_HEADER;", "the slots' own MiB are never given out", "test_geometry"),
]
