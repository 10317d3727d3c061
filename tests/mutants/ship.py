# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of replication: (name, file of userspace/, text, replacement, what breaks, killer).

The killer is "sim": the simulator finds it within some hundred schedules.
"""

MUTANTS = [
    ("seal-ignored", "ship_replica.c", "	return rep->core ? rep->core->root.epoch : ", "	return rep->core ? 0 : ",
     "nothing is taken from an owner of an older epoch", "sim"),
    ("seal-not-written", "replica.c", "	sealed.epoch = epoch;\n", "", "a seal is durable", "sim"),
    ("acked-not-committed", "ship_replica.c", "	int r = receive_end(&rep->rx);\n",
     "	int r = rep->in->begin.is_log ? (rep->core->root.origin = rep->in->end.to, 0) : receive_end(&rep->rx);\n",
     "what is acknowledged is durable", "sim"),
    ("told-not-flushed", "ship_replica.c", "	if (!r && root)\n		r = rep->core->store->ops->flush(rep->core->store);\n", "",
     "where a replica says that it is, it stays", "sim"),
    ("newest-acked", "ship_owner.c", "	o->acked = o->flight[i];\n	o->has_acked = true;\n	o->nr_flights -=",
     "	o->acked = o->flight[o->nr_flights - 1];\n	o->has_acked = true;\n	o->nr_flights -=",
     "a flush waits for what the replica has, not for what was sent", "sim"),
    ("chain-ignored", "ship_log.c", "		if (!r && position_same(&here, at)) {", "		if (!r) {",
     "a replica's place in the log is known by its hash", "sim"),
    ("roots-not-read-again", "ship_log.c", "	return ship_same_root(&look->c, root) || ", "	return 1 || ",
     "what was read is believed when the roots were read once more", "sim"),
    ("holes-dropped", "ship_log.c", "			r = stream_hole(&out->stream, e->start, e->nr);\n",
     "			r = 0;\n", "discards in the log are sent", "sim"),
    ("holes-not-told", "ship_owner.c", "		.holes = o->since != 0,",
     "		.holes = false,", "holes in a difference are sent", "sim"),
    ("not-durable-shipped", "ship_log.c", "	while (!r && pos->seq <= log->durable) {", "	while (!r) {",
     "nothing beyond what is durable is sent", "sim"),
    ("since-too-new", "ship_owner.c", "	o->since = full ? 0 : (u32)o->sent.generation + 1;",
     "	o->since = full ? 0 : (u32)o->sent.generation + 2;", "a difference has all that changed", "sim"),
    ("passes-of-two-roots", "ship_owner.c", "		o->moved = true;\n", "		;\n",
     "a difference is of one root", "sim"),
    ("position-of-an-old-root", "ship_log.c", "		if (!root || root->next_seq > mark->next.seq || ",
     "		if (1 || ", "a difference never leads back behind the log", "sim"),
    ("difference-leads-back", "ship_owner.c", "	o->wants_commit = look.c.next_seq < o->floor;\n",
     "	o->wants_commit = false;\n", "a difference does not lead to a root behind the replica", "sim"),
    ("written-counts-as-emptied", "replica.c", ", &csum) || pba)", ", &csum))",
     "a hole that comes behind a block empties it", "sim"),
    ("left-over-kept", "ship_replica.c", "	return rep->reopen(rep);\n}", "	return 0;\n}",
     "what was received in part is dropped", "sim"),
]
