/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order.h - the order of the log, read from a trace, and proven against what was
 * written above.
 *
 * The promise: what is recovered is a prefix of the writes in some order that respects
 * who was acknowledged before whom was sent.  The log says which order it claims.  It is
 * believed only if every record holds whole writes of the layer above that were under way
 * when it was sent, each write in one record, and nothing else; and if no write was
 * acknowledged before its record, and all before it, were written.  Then
 *
 *	w1 acknowledged before w2 was sent
 *
 * means that w1's record was written before w2's was sent, so that it stands before it.
 * An image whose content is the state behind some record is therefore explained by a set
 * of writes that is closed under precedence, each of them whole.
 */
#ifndef TRACE_ORDER_H
#define TRACE_ORDER_H

#include "geometry.h"
#include "image.h"
#include "tape.h"

struct record {
	u64 seq;
	u16 flags;
	u32 sent;		/* event: its header was submitted */
	u32 done;		/* event: all of it was completed well, or NEVER */
	u32 durable;		/* event: it and all before it were durable, or NEVER */
	bool fua;		/* every bio of it */
	u32 nr_missing;		/* payload blocks not seen yet */
	u32 change;		/* where its changes begin */
	u64 hash;		/* of the content behind it */
};

struct content_change {
	u32 lba, id;
};

struct order {
	struct triad_geometry geo;
	u8 uuid[TRIAD_UUID_SIZE];
	struct record *records;
	u32 nr, max;
	struct content_change *changes;
	u32 nr_changes, max_changes;
	u32 *owner;		/* by event: a lower write's record + 1, 0: not of the log */
	u32 *record_of;		/* by event: an upper write's record + 1, 0: none */
	u32 *flushed;		/* by event: end of the first flush that is sent behind it */
	u32 *touched;		/* LBAs that ever held data, ascending */
	u32 nr_touched;
	u32 *touched_of;	/* by LBA: index in touched + 1 */
};

/* base: the device as it was formatted.  -errno if it is none. */
int order_build(struct order *order, const struct tape *tape, struct image *base);
void order_free(struct order *order);

static inline u64 content_hash(u64 lba, u32 id)
{
	struct rng rng = { ~(lba << 32 | id) };

	return id ? rng_next(&rng) : 0;
}

/* The content behind nr records; 0: as formatted. */
static inline u64 order_hash(const struct order *order, u32 nr)
{
	return nr ? order->records[nr - 1].hash : 0;
}

/* The rules that need no image; each breach is a violation. */
void rules_check(const struct order *order, const struct tape *tape, struct image *base);

#endif
