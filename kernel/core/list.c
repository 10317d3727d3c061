// SPDX-License-Identifier: GPL-2.0-or-later
#include "list.h"

int triad_list_reserve(struct triad_list *list, u32 max)
{
	u64 *v;

	if (max <= list->max)
		return 0;
	v = triad_alloc(max * sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (list->nr)
		memcpy(v, list->v, list->nr * sizeof(*v));
	triad_free(list->v);
	list->v = v;
	list->max = max;
	return 0;
}

int triad_list_push(struct triad_list *list, u64 value)
{
	if (list->nr == list->max) {
		int r = triad_list_reserve(list, list->max ? 2 * list->max : 256);

		if (r)
			return r;
	}
	list->v[list->nr++] = value;
	return 0;
}

void triad_list_free(struct triad_list *list)
{
	triad_free(list->v);
	memset(list, 0, sizeof(*list));
}

int triad_list_push_run(struct triad_list *list, u64 start, u32 nr)
{
	if (list->nr) {
		u64 *last = &list->v[list->nr - 1];

		if (triad_run_end(*last) == start && triad_run_nr(*last) + nr <= TRIAD_RUN_MAX) {
			*last = triad_run(triad_run_start(*last), triad_run_nr(*last) + nr);
			return 0;
		}
	}
	return triad_list_push(list, triad_run(start, nr));
}

u64 triad_list_blocks(const struct triad_list *list)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < list->nr; i++)
		n += triad_run_nr(list->v[i]);
	return n;
}
