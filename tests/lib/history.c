// SPDX-License-Identifier: GPL-2.0-or-later
#include "history.h"

void history_init(struct history *h, u64 seed, const struct workload *load, const u32 *image)
{
	*h = (struct history){ .load = *load, .rng = { seed }, .view = disk_new_view() };
	test_random.state = ~seed;
	if (image)
		disk_copy(h->view, image);
	disk_init(&h->disk, h->view, &h->rng);
	driver_init(&h->driver, &h->disk, &h->rng, &h->load);
	trace_init(&h->trace, h->view);
	h->trace.nr_root_devices = load->nr_root_devices;
	h->disk.trace = &h->trace;
}

int history_begin(struct history *h, u32 nr_lbas, const u32 *content)
{
	oracle_init(&h->oracle, nr_lbas, content);
	h->driver.oracle = &h->oracle;
	h->disk.submitted = &h->oracle.nr;
	h->disk.acked = &h->oracle.acked;
	return h->driver.error ? h->driver.error : driver_open(&h->driver, true);
}

void history_free(struct history *h)
{
	driver_free(&h->driver);
	oracle_free(&h->oracle);
	trace_free(&h->trace);
	free(h->view);
}

int history_steps(struct history *h, u32 nr)
{
	while (nr-- && !driver_step(&h->driver))
		;
	return driver_drain(&h->driver) ? : h->driver.error;
}

int history_reopen_closed(struct history *h)
{
	if (driver_commit(&h->driver, true))
		return h->driver.error;
	driver_close(&h->driver);
	return driver_open(&h->driver, true);
}
