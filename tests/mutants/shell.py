# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of the kernel shell: (name, file of kernel/, text, replacement, what breaks, killer).

The killer is a command in a folder of tests, behind KERNEL=... if need be; it runs with a module built from the mutated copy.
"""

MUTANTS = [
    ("failed-write-succeeds", "write.c", "		triad_write_end_all(list, BLK_STS_IOERR);", "		triad_write_end_all(list, BLK_STS_OK);",
     "a failed write never becomes a success", "test-device failing"),
    ("read-not-verified", "read.c", "tb->csums[i])\n			return false;", "tb->csums[i])\n			return true;",
     "rotten data is not handed out", "test-device rot"),
    ("stale-read-passes", "read.c", "tb->era >= 2;", "tb->era >= 1000000;",
     "a read that was overtaken begins anew", "test-device stuck_read"),
    ("frozen-not-looked-up", "read.c", "	view->frozen = t->core.frozen;", "	view->frozen = NULL;",
     "reads see the frozen interval", "test-relatives root_before_data"),
    ("written-behind-the-image", "hibernate.c", "	WRITE_ONCE(holding, true);\n", "",
     "nothing is written behind a memory image", "test-hibernate swap_on_it"),
    ("rule-12", "base.c", "if (share_a_disk(other, claim))", "if (0 && share_a_disk(other, claim))",
     "one device, one instance", "test-device under_load"),
    ("close-not-clean", "device.c", "triad_committer_wait(t, true)",
     "triad_committer_wait(t, false)", "a close empties the pointer", "test-device tables"),
    ("flush-not-sent", "write.c", "	submit_bio(&t->flush_bio);", "	bio_endio(&t->flush_bio);",
     "what a flush covers is durable", "test-power 0 12 1"),
    ("fua-at-once", "write.c", """if (bio->bi_opf & REQ_FUA &&
		    !triad_order_is_durable(&t->core.order, w->rec.seq)) {""", "if (0) {",
     "an acknowledged FUA write is durable", "test-relatives fua_before_log"),
    ("commit-not-flushed", "store.c",
     "	r = submit_bio_wait(&bio);\n	bio_uninit(&bio);\n	atomic64_inc(&t->stats.flushes);",
     "	r = 0;\n	bio_uninit(&bio);\n	atomic64_inc(&t->stats.flushes);", "nodes and planes are durable before the root",
     "test-trace 400 0"),
    ("failed-healing-runs-on", "device.c", "		wait_event(t->wait, !atomic_read(&t->store_pending));\n		triad_cache_clear",
     "		triad_cache_clear", "an instance outlives its writes", "KERNEL=uml test-device heal_fails"),
    ("failed-healing-leaks", "device.c", "		triad_cache_clear(&t->cache);\n	}\n", "	}\n",
     "an instance frees its nodes", "KERNEL=uml test-device heal_fails"),
    ("read-not-repeated", "read.c", "	if (triad_checksum(t->checksum_kind, page) == csum) {", "	if (0) {",
     "memory that somebody else changes is no rot", "test-device one_buffer"),
    ("odd-size", "target.c", "	return round_down(bdev_nr_sectors(dev->bdev), TRIAD_SECTORS_PER_BLOCK);",
     "	return bdev_nr_sectors(dev->bdev);", "a disk ends where its last whole block ends", "test-device odd_sizes"),
    ("root-device-shared", "base.c", "j < y->nr", "j < 1", "a root device belongs to one instance",
     "test-device elsewhere"),
    ("flush-throttled", "triad.h", "(REQ_OP_WRITE | REQ_PREFLUSH | TRIAD_AWAITED)", "(REQ_OP_WRITE | REQ_PREFLUSH)",
     "a flush does not wait behind a commit's nodes", "test-device awaited"),
    ("status-waits", "target.c", "if (mutex_trylock(&t->lock)) {", "if (mutex_lock(&t->lock), true) {",
     "status never waits for the disk", "test-device waiting"),
    ("nodes-kept", "cache.c", "	gone = evict(cache, sc->nr_to_scan);", "	gone = 0;",
     "map nodes are given back when memory runs short", "test-device pressure"),
    ("node-waited-for", "read.c", "	if (n == -EAGAIN && triad_must_not_wait(bio)) {", "	if (0) {",
     "a read that must not wait waits for no map node", "test-device not_waiting"),
    ("not-now-is-held", "hold.c", "status == BLK_STS_AGAIN || ", "",
     "a disk that says 'not now' has not failed", "test-device not_waiting"),
    ("room-waited-for", "write.c", "	WRITE_ONCE(t->no_room, true);\n", "",
     "a write that must not wait waits for no commit", "test-device not_waiting"),
    ("polled-told-not-now", "triad.h", "(bio->bi_opf & (REQ_NOWAIT | REQ_POLLED)) == REQ_NOWAIT",
     "bio->bi_opf & REQ_NOWAIT", "who polls hears no EAGAIN", "test-device polled"),
    ("each-fetches", "read.c", "		mine &= other->pba != pba;\n", "",
     "a map node is read once, whoever waits for it", "test-device cold"),

    ("opening-not-settled", "device.c",
     "	int r = t->store.ops->flush(&t->store);\n\n	triad_order_flush_end(&t->core.order, covers, r);",
     "	int r = 0;\n\n	triad_order_flush_end(&t->core.order, covers, r);",
     "what an opening found does not go with the power", "test-recovery"),

    # copies of payload
    ("copy-freed-early", "write.c", "	triad_payload_add(w, bio, first);\n",
     "	triad_payload_add(w, bio, first);\n	triad_payload_free(t, bio);\n",
     "a copy is kept until it is written", "test-device under_load"),
    ("copy-misplaced", "payload.c", "	u32 i = first;\n", "	u32 i = 0;\n",
     "each write of a record is its own", "test-device under_load"),
    ("fallback-repeats", "payload.c", "		copy_block(bio, &iter, to);\n",
     "		iter = bio->bi_iter;\n		copy_block(bio, &iter, to);\n",
     "without memory for copies writes are whole, too", "test-device full"),
    ("copies-not-counted", "payload.c", "	free_pages_of(tb);\n	atomic_sub(tb->nr, &t->payload_blocks);\n",
     "	free_pages_of(tb);\n", "what is written gives its room back", "test-device full"),

    # one instance behind another
    ("only-durable-compared", "device.c", "	if (t->mode != TRIAD_MODE_FAIL && !t->backup)\n",
     "	if (t->mode != TRIAD_MODE_FAIL && t->core.order.durable == t->core.order.published)\n",
     "what was acknowledged is there, or the device fails", "test-restart cache_lost"),
    ("handover-not-flushed", "device.c", "	if (flushes)\n		r = triad_store_flush_all(t);\n", "",
     "a restart makes durable what was acknowledged", "test-restart cache_lost"),
    ("no-flush-before-comparing", "device.c", "	if (legacy && legacy->doubtful)\n		r = triad_store_flush_all(t);\n", "",
     "after an error the disk must flush before it is believed", "test-restart flush_failed"),
    ("visible-fua-sent-again", "hold.c", "triad_bio(bio)->overwritten ? BLK_STS_IOERR :\n				BLK_STS_DM_REQUEUE", "BLK_STS_DM_REQUEUE",
     "what was seen is not written again over a later write", "test-restart overwritten"),
    ("held-given-back-at-once", "hold.c", "	if (t->mode == TRIAD_MODE_HOLD && t->handover && dm_noflush_suspending(t->ti)) {",
     "	if (t->mode == TRIAD_MODE_HOLD) {", "what is held goes back while a suspend waits, at no other time", "test-restart held"),
    ("writes-not-awaited", "device.c", """	wait_event(t->wait, list_empty_careful(&t->in_flight));
	wait_event(t->wait, !atomic_read(&t->store_pending));
""", "", "an instance that ends leaves no write under way", "test-restart slow"),
    ("root-not-awaited", "device.c", """	flush_workqueue(t->commit_wq);
	busy_with(t, "suspend: waiting for what is under way");
""", "", "an instance that ends leaves no root under way", "test-restart slow"),

    # who follows the log
    ("notify-too-early", "follow.c", "!triad_order_is_durable(&t->core.order, t->notify))", "0)",
     "an event says that the record is durable", "test-device kept"),
    ("notify-never", "write.c", "	triad_follow_durable(t);\n", "", "who waits for a record hears of it", "test-device kept"),
    ("given-up-in-silence", "follow.c", "	if (keep->nr_given_up == t->nr_given_up_said)\n", "	if (1)\n",
     "who follows hears that the log is gone", "test-device kept"),
    ("suspended-in-silence", "follow.c", "	if (followed)\n		dm_table_event(t->ti->table);\n", "	(void)followed;\n",
     "who follows hears that nothing is kept any more", "test-device kept"),
]
