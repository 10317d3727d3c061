/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - what a program of many images prints at its end. */
#ifndef TEST_REPORT_H
#define TEST_REPORT_H

#include <triad/env.h>

/* A clock for how long it took. */
double report_seconds(void);

/*
 * A row for each class, a column for each outcome; counts has nr_outcomes numbers for
 * each class.  Returns their sum.
 */
u64 report_table(const char * const *classes, u32 nr_classes, const char * const *outcomes,
		 u32 nr_outcomes, const u64 *counts);

#endif
