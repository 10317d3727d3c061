/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - a device in use, and all that was ever done to its disk.
 */
#ifndef TEST_HISTORY_H
#define TEST_HISTORY_H

#include "driver.h"

struct history {
	struct workload load;
	struct rng rng;
	struct oracle oracle;
	struct disk disk;
	struct trace trace;
	struct driver driver;
	u32 *view;
};

/* On a copy of the image, or on an empty disk; not open yet. */
void history_init(struct history *h, u64 seed, const struct workload *load, const u32 *image);

/*
 * Begin with this content (NULL: all zeroes), and open the device, healed.  Returns
 * what driver_open does.
 */
int history_begin(struct history *h, u32 nr_lbas, const u32 *content);
void history_free(struct history *h);

/* Random steps and commits; 0 or the driver's error. */
int history_steps(struct history *h, u32 nr);
int history_reopen_closed(struct history *h);

#endif
