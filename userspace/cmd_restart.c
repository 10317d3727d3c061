// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another instance takes over a device that is in use.  It reads its state from the disk:
 * the one before makes no closing commit, and who uses the device sees a pause.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "kernel.h"
#include "report.h"
#include "takeover.h"

/* ---- table line --------------------------------------------------------------- */

static void put_device(FILE *f, const char *path, const char *instead)
{
	fprintf(f, "%s", !instead ? path : strcmp(instead, DEVICE_MISSING) ? instead : "-");
}

/*
 * The line of the instance to come: that of the running one, but for devices that have
 * another name now.  NULL when out of memory.
 */
static char *next_params(const char *params, const struct options *opt)
{
	char *copy = strdup(params), *out = NULL, *rest = NULL, *word;
	bool root = false;
	size_t size;
	unsigned int nr = 0;
	FILE *f = copy ? open_memstream(&out, &size) : NULL;

	for (word = f ? strtok_r(copy, " ", &rest) : NULL; word;
	     word = strtok_r(NULL, " ", &rest)) {
		if (word != copy)
			fputc(' ', f);
		if (word == copy)
			put_device(f, word, opt->device);
		else if (root && nr < opt->nr_root_devices)
			put_device(f, word, opt->root_device[nr++]);
		else
			fputs(word, f);
		root = !strcmp(word, "root_dev");
	}
	if (copy)
		explicit_bzero(copy, strlen(params));
	free(copy);
	if (f && fclose(f)) {
		free(out);
		return NULL;
	}
	return out;
}

/* ---- the window ---------------------------------------------------------------- */

#define PATIENCE	5	/* s, before it is said what is waited for */
#define PATIENCE_AGAIN	30

/*
 * Says what is waited for, if that takes long.  A process of its own: this one is in the
 * kernel then, where no signal reaches it, and a line may itself have to wait for the device.
 */
static pid_t say_waiting(const char *name, const char *what)
{
	pid_t parent = getpid(), child;
	unsigned int n, seconds = PATIENCE;

	fflush(stdout);
	child = fork();
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	for (n = PATIENCE; ; n = PATIENCE_AGAIN, seconds += n) {
		sleep(n);
		tool_warn("%s: waiting for %u s now: %s", name, seconds, what);
	}
}

/* Not waited for: it may be where it cannot be ended yet. */
static void say_no_more(pid_t child)
{
	if (child > 0)
		kill(child, SIGKILL);
}

void takeover_wait_turn(void)
{
	static const char path[] = TOOL_RUN_DIR "/takeover.lock";
	pid_t child;
	int fd;

	mkdir(TOOL_RUN_DIR, 0700);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* no room there, or not writable: who uses device-mapper has its node */
	if (fd < 0)
		fd = open(DM_CONTROL, O_RDWR | O_CLOEXEC);
	/* without that it is the administrator who sees to it */
	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return;
	child = say_waiting("taking turns", "another restart or upgrade is under way");
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	say_no_more(child);
}

static pid_t window_child;

void takeover_prepare(const char *name)
{
	sigset_t all;

	/* before memory is locked: after a fork each page that is written is copied first */
	window_child = say_waiting(name, "the disk must end what is under way, and the new instance "
				   "read its log; users wait, and see no error; dmesg says more");
	/* from here on nothing may need a block of a device that is suspended */
	mlockall(MCL_CURRENT | MCL_FUTURE);
#ifdef PR_SET_IO_FLUSHER
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
#endif
	/* a suspend that waits can be interrupted: not by a key that was meant for the tool */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

int takeover_load(const struct dm_live *live, const char *target, const char *params, char **said)
{
	pid_t child = say_waiting(live->name, "the new instance reads the roots on its disk, which does "
				  "not answer; nothing was changed yet, and the running one goes on");
	int error = dm_load_beside(live, target, params, said);

	say_no_more(child);
	return error;
}

int takeover_swap(const char *name, double *ms)
{
	double begun = seconds_now();
	int error = dm_take_over(name);

	*ms = (seconds_now() - begun) * 1e3;
	return error;
}

void takeover_done(void)
{
	say_no_more(window_child);
}

int takeover_judge(const char *name)
{
	char reason[TEXT_SIZE];
	bool suspended, failed, read_only;
	char *line;
	u64 sectors;
	int r = dm_status(name, &line, &suspended, &sectors);

	if (r)
		return r;
	failed = !strncmp(line, "fail ", 5);
	read_only = !strncmp(line, "ro ", 3);
	status_reason(line, reason);
	free(line);
	if (failed)
		return tool_fail(TOOL_DAMAGED, "Reads and flushes fail, too, so that nobody goes on "
				 "with older data; nothing was written.\n  With the disk that has it all: "
				 "triadsetup restart --device DISK.\n  Else unmount, close and open it: "
				 "it is then as this disk has it, older.  See dmesg.",
				 "%s: it was restarted, and fails: %s", name, reason);
	if (read_only)
		tool_warn("%s: read-only now: %s", name, reason);
	return 0;
}

/* ---- restart ------------------------------------------------------------------------ */

static int not_loaded(const char *name, int error, const char *said)
{
	char advice[2048];

	snprintf(advice, sizeof(advice), "Nothing was changed; the running instance goes on.%s%s",
		 said ? "  The kernel says:" : "  dmesg says why.", said ? said : "");
	return tool_fail(tool_exit_of(-error), advice, "%s: no new instance can be made: %s", name,
			 strerror(error));
}

static int not_resumed(const char *name, int error, const char *said)
{
	char advice[2560];

	snprintf(advice, sizeof(advice), "What is sent to it waits, and no user sees an error; what was "
		 "acknowledged is in the log.\n  With the disk in order: triadsetup restart %s.  "
		 "To let all that waits fail: dmsetup wipe_table %s.%s%s", name, name,
		 said ? "\n  The kernel says:" : "", said ? said : "");
	return tool_fail(TOOL_DAMAGED, advice, "%s: suspended, and the new instance cannot open the disk: %s",
			 name, strerror(error));
}

static int restart(const struct dm_live *live, const char *params, const struct options *opt)
{
	char *said = NULL;
	double ms;
	int error, log, r;

	error = takeover_load(live, live->target, params, &said);
	if (error) {
		r = not_loaded(live->name, error, said);
		free(said);
		return r;
	}
	free(said);
	if (opt->crash && !live->suspended) {
		error = dm_message(live->name, "crash");
		if (error) {
			dm_unload_beside(live->name);
			return tool_fail(TOOL_SYSTEM, "Nothing was changed.", "%s: the module does "
					 "not know --crash: %s", live->name, strerror(error));
		}
	}
	takeover_prepare(live->name);
	log = kernel_log_begin();
	error = takeover_swap(live->name, &ms);
	takeover_done();
	said = kernel_log_end(log);
	if (error) {
		r = not_resumed(live->name, error, said);
		free(said);
		return r;
	}
	free(said);
	r = takeover_judge(live->name);
	if (r)
		return r;
	if (opt->json)
		json_add(json_document(), "pause_ms", json_object_new_double(ms));
	else
		printf("%s: restarted in %.0f ms\n", live->name, ms);
	return 0;
}

int cmd_restart(const struct options *opt)
{
	const char *name = opt->args[0];
	struct dm_live live;
	char *params;
	int r;

	if (opt->json)
		json_add_text(json_document(), "name", name);
	takeover_wait_turn();
	r = dm_live_get(name, &live);
	if (r)
		return r;
	params = next_params(live.params, opt);
	r = params ? restart(&live, params, opt) :
	    tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	if (params)
		explicit_bzero(params, strlen(params));
	free(params);
	dm_live_free(&live);
	return r;
}

/* ---- a device that holds -------------------------------------------------------- */

struct mode {
	char word[16];
	char reason[TEXT_SIZE];
	bool suspended;
	u64 sectors;
};

static int mode_of(const char *name, struct mode *mode)
{
	char *line;
	int r = dm_status(name, &line, &mode->suspended, &mode->sectors);

	if (r)
		return r;
	snprintf(mode->word, sizeof(mode->word), "%.*s", (int)strcspn(line, " "), line);
	status_reason(line, mode->reason);
	free(line);
	return 0;
}

/* It holds, or the instance that was to take over from one that did found no disk. */
static bool waits_for_disk(const struct mode *mode)
{
	return !strcmp(mode->word, "hold") ||
	       (mode->suspended && !strcmp(mode->reason, "it could not be opened"));
}

int cmd_fail(const struct options *opt)
{
	const char *name = opt->args[0];
	struct mode mode;
	int error, r;

	if (opt->json)
		json_add_text(json_document(), "name", name);
	r = mode_of(name, &mode);
	if (r)
		return r;
	if (!waits_for_disk(&mode))
		return tool_fail(TOOL_USAGE, "Nothing was changed.",
				 "%s: it holds nothing; its mode is %s", name, mode.word);
	error = mode.suspended ? dm_let_fail(name, mode.sectors) : dm_message(name, "fail");
	if (error)
		return tool_fail(tool_exit_of(-error), "It goes on waiting.", "%s: %s", name,
				 strerror(error));
	return 0;
}

/* In a process of its own, which the window may change. */
static int restart_in_child(const struct options *opt)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		status = cmd_restart(opt);
		fflush(stdout);
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return TOOL_SYSTEM;
	return WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_SYSTEM;
}

/* One thing that watch does; seconds or an exit code. */
static void tell(const struct options *opt, const char *event, const char *what, int number,
		 const char *format)
{
	struct json_object *out;

	if (opt->json) {
		out = json_object_new_object();
		json_add_number(out, "time", time(NULL));
		json_add_text(out, "name", opt->args[0]);
		json_add_text(out, "event", event);
		json_add(out, what, json_object_new_int(number));
		json_line(out);
	} else if (format) {
		printf(format, opt->args[0], number);
	}
	fflush(stdout);
}

#define LONGEST_PAUSE	60	/* s, between two tries */

int cmd_watch(const struct options *opt)
{
	const char *name = opt->args[0];
	unsigned int pause = 1;
	u32 event = 0;
	struct mode mode;
	int error, r;

	if (opt->json)
		json_lines();
	for (;;) {
		r = mode_of(name, &mode);
		if (r)
			return event ? 0 : r;	/* closed meanwhile */
		if (!waits_for_disk(&mode)) {
			pause = 1;
			error = dm_wait_event(name, &event);
			if (error == ENXIO)
				return 0;
			if (error)
				return tool_fail(TOOL_SYSTEM, NULL, "%s: %s", name, strerror(error));
			continue;
		}
		tell(opt, "waits", "seconds", pause,
		     "%s: it waits for its disk; trying again in %d s\n");
		sleep(pause);
		pause = pause * 2 > LONGEST_PAUSE ? LONGEST_PAUSE : pause * 2;
		tell(opt, "restart", "exit_code", restart_in_child(opt), NULL);
	}
}
