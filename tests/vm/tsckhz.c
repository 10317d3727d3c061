// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tsckhz - print how many thousand ticks a second the processor's time stamp counter makes.
 *
 * QEMU shows it to the guest as it is.  On a busy host the guest's own measurement while it boots
 * can be wrong by a factor; then its clock runs as much too fast and every time-out is too short.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Both at one moment: nothing came between. */
static void sample(int64_t *ns, int64_t *ticks)
{
	int64_t end;

	do {
		*ns = now();
		*ticks = __rdtsc();
		end = now();
	} while (end - *ns > 10000);
}

int main(void)
{
	int64_t ns, ticks, ns2, ticks2;

	sample(&ns, &ticks);
	usleep(20000);
	sample(&ns2, &ticks2);
	printf("%lld\n", (long long)((ticks2 - ticks) * 1000000 / (ns2 - ns)));
	return 0;
}
