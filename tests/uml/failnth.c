// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failnth self|all N COMMAND...: run it with the N-th possible failure injected, in the
 * command itself or also in each kworker, whose countdowns are independent.
 *
 * What may fail is decided in debugfs (guest-fail.sh); a countdown that nothing there lets
 * count stays.  How many of them fired goes to /tmp/fired.  The exit status is the
 * command's, or 128 + signal, or 127 if it could not be started, or 124 if it takes longer
 * than two minutes.
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORKERS 1000
#define MAX_SECONDS 120

static void write_nth(const char *pid, const char *n)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.15s/fail-nth", pid);
	f = fopen(path, "w");
	if (!f)
		return;		/* a worker that has just ended */
	fputs(n, f);
	fclose(f);
}

/* Has the countdown of this task ended? */
static int fired(const char *pid)
{
	char path[300], left[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.15s/fail-nth", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(left, sizeof(left), f))
		left[0] = '\0';
	fclose(f);
	return atoi(left) == 0;
}

static int find_workers(char pids[][16])
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0;

	if (!proc)
		err(127, "/proc");
	while (n < MAX_WORKERS && (e = readdir(proc))) {
		char path[300], comm[32] = "";
		FILE *f;

		if (!isdigit((unsigned char)e->d_name[0]) || strlen(e->d_name) > 15)
			continue;
		snprintf(path, sizeof(path), "/proc/%.15s/comm", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && !strncmp(comm, "kworker", 7))
			strcpy(pids[n++], e->d_name);
		fclose(f);
	}
	closedir(proc);
	return n;
}

static void late(int sig)
{
	(void)sig;
	_exit(124);
}

int main(int argc, char **argv)
{
	static char workers[MAX_WORKERS][16];
	int i, status, nr_workers = 0, nr_fired = 0;
	char self[16];
	siginfo_t info;
	FILE *out;
	pid_t pid;

	if (argc < 4 || atoi(argv[2]) < 1)
		errx(127, "usage: failnth self|all N COMMAND...");
	if (!strcmp(argv[1], "all"))
		nr_workers = find_workers(workers);
	for (i = 0; i < nr_workers; i++)
		write_nth(workers[i], argv[2]);
	signal(SIGALRM, late);
	alarm(MAX_SECONDS);
	pid = fork();
	if (pid < 0)
		err(127, "fork");
	if (!pid) {
		write_nth("self", argv[2]);
		execvp(argv[3], argv + 3);
		err(127, "%s", argv[3]);
	}
	/* it must still be there when its countdown is read */
	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		err(127, "waitid");
	snprintf(self, sizeof(self), "%d", pid);
	nr_fired += fired(self);
	if (waitpid(pid, &status, 0) < 0)
		err(127, "waitpid");
	for (i = 0; i < nr_workers; i++) {
		nr_fired += fired(workers[i]);
		write_nth(workers[i], "0");
	}
	out = fopen("/tmp/fired", "w");
	if (!out)
		err(127, "/tmp/fired");
	fprintf(out, "%d\n", nr_fired);
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
