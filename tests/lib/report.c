// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <time.h>

#include "report.h"

double report_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

u64 report_table(const char * const *classes, u32 nr_classes, const char * const *outcomes,
		 u32 nr_outcomes, const u64 *counts)
{
	u64 sum = 0;
	u32 i, k;

	printf("%-24s", "");
	for (k = 0; k < nr_outcomes; k++)
		printf(" %11s", outcomes[k]);
	printf("\n");
	for (i = 0; i < nr_classes; i++) {
		printf("%-24s", classes[i]);
		for (k = 0; k < nr_outcomes; k++, counts++) {
			printf(" %11llu", (unsigned long long)*counts);
			sum += *counts;
		}
		printf("\n");
	}
	return sum;
}
