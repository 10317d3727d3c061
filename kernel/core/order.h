/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order.h - rule 7 as data: how far the log can be seen, and how far it is durable.
 *
 * Records are written in any order and published in their own.  A flush covers what was
 * published when it was sent.  A FLUSH, and a write with FUA, is acknowledged when the
 * records it waits for are durable; other writes when they are published.  After an
 * opening nothing is durable before the session's first flush, whatever the log's marks
 * say: they speak of the session that wrote them.
 *
 * Not locked: it lies in struct triad_core and shares its lock.
 */
#ifndef TRIAD_ORDER_H
#define TRIAD_ORDER_H

#include <triad/env.h>

struct triad_order {
	u64 published;	/* this record and all before it are written and can be looked up */
	u64 durable;	/* ... were made durable by this session; 0: none */
	u64 mark;	/* ... were durable when the log was read */
	bool failed;	/* a record could not be written: none behind it is published */
};

/* The log was read up to record last; mark is the highest durable mark found in it. */
void triad_order_open(struct triad_order *order, u64 last, u64 mark);

/*
 * Record seq has ended with error, 0 if it is written.  To be called in the order of the
 * log.  Returns 0 if it may be published, else the error that it and all behind it have.
 */
int triad_order_written(struct triad_order *order, int error);

/* It can be looked up. */
void triad_order_publish(struct triad_order *order, u64 seq);

/* This record, and so all before it, is durable: its session's first, or written with FUA. */
void triad_order_made_durable(struct triad_order *order, u64 seq);

/* A flush is sent now: what it covers, for triad_order_flush_end. */
u64 triad_order_flush_begin(const struct triad_order *order);

/* It has ended.  One that failed covers nothing. */
void triad_order_flush_end(struct triad_order *order, u64 covers, int error);

static inline bool triad_order_is_durable(const struct triad_order *order, u64 seq)
{
	return seq <= order->durable;
}

/* All before record seq is durable: written with FUA it is so, too, without a flush. */
bool triad_order_fua_suffices(const struct triad_order *order, u64 seq);

/* The durable mark that the next header carries. */
static inline u64 triad_order_mark(const struct triad_order *order)
{
	return max_t(u64, order->durable, order->mark);
}

#endif
