// SPDX-License-Identifier: GPL-2.0-or-later
#include "order.h"

void triad_order_open(struct triad_order *order, u64 last, u64 mark)
{
	order->published = last;
	order->durable = 0;
	order->mark = mark;
	order->failed = false;
}

int triad_order_written(struct triad_order *order, int error)
{
	if (order->failed)
		return -EIO;
	order->failed = error != 0;
	return error;
}

void triad_order_publish(struct triad_order *order, u64 seq)
{
	order->published = seq;
}

u64 triad_order_flush_begin(const struct triad_order *order)
{
	return order->published;
}

void triad_order_flush_end(struct triad_order *order, u64 covers, int error)
{
	if (!error)
		triad_order_made_durable(order, covers);
}

bool triad_order_fua_suffices(const struct triad_order *order, u64 seq)
{
	return order->durable + 1 == seq;
}

void triad_order_made_durable(struct triad_order *order, u64 seq)
{
	/* an opening record is published by being durable */
	if (order->published < seq)
		triad_order_publish(order, seq);
	order->durable = max_t(u64, order->durable, seq);
}
