// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pausemeter [OPTION]... DEVICE [COMMAND [ARG]...]: how long a lone writer waits.
 *
 * It writes 4 KiB at random places with O_DIRECT, one write behind the other, while COMMAND
 * runs.  Prints, in ms: the longest write that COMMAND overlapped, as p50, p99 and maximum over
 * all its runs, and p50, p99 and maximum of the other writes.  Without COMMAND it writes until
 * SIGTERM.
 *
 *	-n N	run COMMAND so often, else once
 *	-p TEXT	before each time, and not counted: sh -c TEXT
 *	-g MS	then wait so long, else 100
 *	-d	O_DSYNC
 *	-t FILE	every write into FILE: when it began, in ms since the boot, and how long it took
 *
 * Exit status 1: a write or COMMAND failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096
#define MAX_WRITES	(8u << 20)
#define MAX_RUNS	10000u

struct span {
	double from, to;		/* ms */
};

static struct span *writes;		/* each whole before nr_writes says so */
static atomic_uint nr_writes;
static struct span runs[MAX_RUNS];
static volatile sig_atomic_t stop;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);	/* as /proc/uptime */
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "pausemeter: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t device_blocks(int fd)
{
	uint64_t bytes;
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	if (!S_ISBLK(st.st_mode))
		return st.st_size / BLOCK;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		die("BLKGETSIZE64");
	return bytes / BLOCK;
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void *writer(void *context)
{
	int fd = *(int *)context;
	uint64_t nr = device_blocks(fd), seed = 0x9e3779b97f4a7c15ULL;
	unsigned int i;
	char *block;

	if (!nr || posix_memalign((void **)&block, BLOCK, BLOCK))
		die("setting up");
	memset(block, 0x5a, BLOCK);
	for (i = 0; i < MAX_WRITES && !stop; i++) {
		off_t place = next_random(&seed) % nr * BLOCK;

		writes[i].from = now();
		if (pwrite(fd, block, BLOCK, place) != BLOCK)
			die("write");
		writes[i].to = now();
		atomic_store(&nr_writes, i + 1);
	}
	return NULL;
}

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

/* Its output is shown if it fails. */
static void run(char **argv, struct span *span)
{
	FILE *out = tmpfile();
	char line[256];
	int status;
	pid_t pid;

	if (!out)
		die("tmpfile");
	span->from = now();
	pid = fork();
	if (!pid) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(out), STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die(argv[0]);
	span->to = now();
	if (status) {
		rewind(out);
		while (fgets(line, sizeof(line), out))
			fputs(line, stderr);
		fprintf(stderr, "pausemeter: %s: status %#x\n", argv[0], status);
		exit(1);
	}
	fclose(out);
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static void print_quantiles(double *v, size_t nr)
{
	qsort(v, nr, sizeof(*v), compare);
	if (nr)
		printf(" %8.1f %8.1f %8.1f", v[nr / 2], v[nr * 99 / 100], v[nr - 1]);
	else
		printf(" %8s %8s %8s", "-", "-", "-");
}

static void report(unsigned int nr_runs)
{
	unsigned int i, r, nr = nr_writes, nr_others = 0;
	double *others = malloc((nr + 1) * sizeof(*others)), *longest = calloc(nr_runs + 1, sizeof(*longest));

	if (!others || !longest)
		die("report");
	for (i = 0, r = 0; i < nr; i++) {
		double took = writes[i].to - writes[i].from;

		while (r < nr_runs && runs[r].to < writes[i].from)
			r++;
		if (r < nr_runs && writes[i].to > runs[r].from)
			longest[r] = took > longest[r] ? took : longest[r];
		else
			others[nr_others++] = took;
	}
	printf("%4u", nr_runs);
	print_quantiles(longest, nr_runs);
	print_quantiles(others, nr_others);
	printf("\n");
	free(longest);
	free(others);
}

static void trace(const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned int i;

	for (i = 0; f && i < nr_writes; i++)
		fprintf(f, "%.3f %.3f\n", writes[i].from, writes[i].to - writes[i].from);
	if (!f || fclose(f))
		die(path);
}

int main(int argc, char **argv)
{
	const char *before = NULL, *file = NULL;
	unsigned int i, n = 1, gap_ms = 100;
	struct sigaction on = { .sa_handler = on_term };
	int fd, c, flags = O_RDWR | O_DIRECT | O_CLOEXEC;
	pthread_t thread;

	while ((c = getopt(argc, argv, "+n:p:g:dt:")) != -1) {
		switch (c) {
		case 'n':	n = atoi(optarg); break;
		case 'p':	before = optarg; break;
		case 'g':	gap_ms = atoi(optarg); break;
		case 'd':	flags |= O_DSYNC; break;
		case 't':	file = optarg; break;
		default:	return 2;
		}
	}
	if (optind == argc || n > MAX_RUNS)
		return 2;
	fd = open(argv[optind], flags);
	if (fd < 0)
		die(argv[optind]);
	argv += optind + 1;
	writes = mmap(NULL, MAX_WRITES * sizeof(*writes), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (writes == MAP_FAILED)
		die("mmap");
	sigaction(SIGTERM, &on, NULL);
	if (pthread_create(&thread, NULL, writer, &fd))
		die("pthread_create");
	while (!nr_writes)
		usleep(1000);
	for (i = 0; i < n && *argv; i++) {
		if (before && system(before)) {
			fprintf(stderr, "pausemeter: %s: failed\n", before);
			return 1;
		}
		usleep(gap_ms * 1000);
		run(argv, &runs[i]);
	}
	stop |= i != 0;
	pthread_join(thread, NULL);
	if (i)
		report(i);
	if (file)
		trace(file);
	return 0;
}
