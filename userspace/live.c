// SPDX-License-Identifier: GPL-2.0-or-later
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

/* ---- to the end ------------------------------------------------------------------ */

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

void live_begin(void)
{
	struct sigaction action = { .sa_handler = end };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool live_ended(void)
{
	return ended;
}

bool live_sleep(double seconds)
{
	struct timespec t = { .tv_sec = seconds, .tv_nsec = (seconds - (time_t)seconds) * 1e9 };

	while (!ended && nanosleep(&t, &t) && errno == EINTR)
		;
	return !ended;
}

/* ---- looks ------------------------------------------------------------------------ */

struct look {
	struct status_list devices;
	double time;
};

static int take(const struct options *opt, struct look *look)
{
	look->time = seconds_now();
	return status_all(opt, &look->devices);
}

static const struct status *find(const struct look *look, const char *name)
{
	size_t i;

	for (i = 0; i < look->devices.nr; i++)
		if (!strcmp(look->devices.one[i].name, name))
			return &look->devices.one[i];
	return NULL;
}

/* ---- what is between two of them ---------------------------------------------------- */

struct rates {
	double written, disk, read, flushes, records;	/* per second */
	u64 commits;
	double amplification;				/* -1: nothing was written */
};

/* Counters begin anew with another instance, and with clear_stats. */
static u64 grown(const struct status *from, const struct status *to, enum status_field field)
{
	u64 was = from->number[field], is = to->number[field];

	return is < was ? is : is - was;
}

static struct rates rates(const struct status *from, const struct status *to, double seconds)
{
	u64 user = grown(from, to, STATUS_USER_WRITTEN);
	u64 disk = grown(from, to, STATUS_DEVICE_WRITTEN);

	return (struct rates) {
		.written = user / seconds,
		.disk = disk / seconds,
		.read = grown(from, to, STATUS_READ) / seconds,
		.flushes = grown(from, to, STATUS_FLUSHES) / seconds,
		.records = grown(from, to, STATUS_RECORDS) / seconds,
		.commits = grown(from, to, STATUS_COMMITS),
		.amplification = user ? (double)disk / user : -1,
	};
}

static void add_json(struct json_object *devices, const struct status *status,
		     const struct rates *rates)
{
	struct json_object *out = json_object_new_object();
	double percent = status_used_percent(status);

	json_add_text(out, "name", status->name);
	json_add_text(out, "mode", status_mode(status));
	json_add_text(out, "health", status->text[STATUS_HEALTH]);
	json_add(out, "written_bytes_per_second", json_object_new_double(rates->written));
	json_add(out, "read_bytes_per_second", json_object_new_double(rates->read));
	json_add(out, "disk_written_bytes_per_second", json_object_new_double(rates->disk));
	json_add(out, "amplification", rates->amplification < 0 ? NULL :
		 json_object_new_double(rates->amplification));
	json_add(out, "records_per_second", json_object_new_double(rates->records));
	json_add(out, "flushes_per_second", json_object_new_double(rates->flushes));
	json_add_number(out, "commits", rates->commits);
	json_add_number(out, "log_records", status->number[STATUS_LOG_RECORDS]);
	json_add_number(out, "log_bytes", status->number[STATUS_LOG_BLOCKS] << TRIAD_BLOCK_SHIFT);
	json_add(out, "used_percent", percent < 0 ? NULL : json_object_new_double(percent));
	json_object_array_add(devices, out);
}

/* As long as a screen is high, so that a heading is always to be seen. */
static unsigned int lines_of_screen(void)
{
	struct winsize size;

	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 4 ? size.ws_row - 1 : 50;
}

static void print_line(const struct status *status, const struct rates *rates)
{
	static unsigned int nr;
	char written[TEXT_SIZE], read[TEXT_SIZE], disk[TEXT_SIZE], log[TEXT_SIZE];
	char amplification[TEXT_SIZE] = "-";

	if (nr++ % lines_of_screen() == 0) {
		printf("%-11s %-9s %8s %8s %8s %5s %7s %6s %8s\n", "NAME", "MODE", "WRITE/s",
		       "READ/s", "DISK/s", "AMPL", "COMMITS", "FLUSH/s", "LOG");
		nr += nr > 1;
	}
	if (rates->amplification >= 0)
		snprintf(amplification, sizeof(amplification), "%.2f", rates->amplification);
	printf("%-11s %-9s %8s %8s %8s %5.5s %7llu %7.0f %8s\n", status->name, status_mode(status),
	       text_size(rates->written, written), text_size(rates->read, read),
	       text_size(rates->disk, disk), amplification,
	       (unsigned long long)rates->commits, rates->flushes,
	       text_size(status->number[STATUS_LOG_BLOCKS] << TRIAD_BLOCK_SHIFT, log));
}

static void print(const struct look *before, const struct look *look, const struct options *opt)
{
	struct json_object *out = NULL, *devices = NULL;
	double seconds = look->time - before->time;
	struct rates between;
	size_t i;

	if (opt->json) {
		out = json_object_new_object();
		devices = json_object_new_array();
		json_add_number(out, "time", time(NULL));
		json_add(out, "seconds", json_object_new_double(seconds));
		json_add(out, "devices", devices);
	}
	for (i = 0; i < look->devices.nr; i++) {
		const struct status *to = &look->devices.one[i], *from = find(before, to->name);

		if (!from)
			continue;
		between = rates(from, to, seconds);
		if (devices)
			add_json(devices, to, &between);
		else
			print_line(to, &between);
	}
	if (out)
		json_line(out);
	fflush(stdout);
}

static int worst(const struct look *look)
{
	int r, code = 0;
	size_t i;

	for (i = 0; i < look->devices.nr; i++) {
		r = status_worth(&look->devices.one[i]);
		code = r > code ? r : code;
	}
	return code;
}

int live_watch(const struct options *opt)
{
	struct look before = { 0 }, look = { 0 };
	u32 nr = 0;
	int r;

	live_begin();
	if (opt->json)
		json_lines();
	r = take(opt, &before);
	while (!r && (!opt->count || nr < opt->count) && live_sleep(opt->watch)) {
		r = take(opt, &look);
		if (!r) {
			print(&before, &look, opt);
			nr++;
			status_all_free(&before.devices);
			before = look;
			memset(&look, 0, sizeof(look));
			if (ferror(stdout))
				break;
		}
	}
	if (!r)
		r = worst(&before);
	status_all_free(&before.devices);
	status_all_free(&look.devices);
	return r;
}
