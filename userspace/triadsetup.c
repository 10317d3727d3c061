// SPDX-License-Identifier: GPL-2.0-or-later
/* triadsetup: the commands and their options. */
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "device.h"
#include "params.h"
#include "hash.h"
#include "locate.h"
#include "report.h"
#include "tool.h"

/* ---- commands -------------------------------------------------------------- */

static int cmd_version(const struct options *opt)
{
	struct json_object *hashes;
	unsigned int i;

	if (!opt->json) {
		printf("triadsetup %s, on-disk format %u\n", TOOL_VERSION, TRIAD_FORMAT_VERSION);
		return 0;
	}
	json_add_text(json_document(), "version", TOOL_VERSION);
	json_add_number(json_document(), "format", TRIAD_FORMAT_VERSION);
	hashes = json_object_new_array();
	for (i = 0; triad_hash_known(i); i++)
		json_object_array_add(hashes, json_object_new_string(triad_hash_known(i)));
	json_add(json_document(), "hashes", hashes);
	return 0;
}

static const struct command commands[] = {
	{ "format", "DEVICE", 1, 1, "qfjrkHcluszgi", "make a device ready; what it holds is lost",
	  "Checks everything first, shows what would be lost and asks.  Without a terminal\n"
	  "it refuses unless -q is given; over data and what other programs wrote it needs\n"
	  "--force.\n",
	  cmd_format },
	{ "open", "NAME [DEVICE]", 0, 2, "vjrkRbtCEMoIJWGZA", "map a device to /dev/mapper/NAME",
	  "Judges the roots first and refuses, with the reason, what the kernel would.\n"
	  "A file gets a loop device.  Without DEVICE: as /etc/triadtab says.\n",
	  cmd_open },
	{ "close", "[NAME]", 0, 1, "jAB", "remove the mapping",
	  "Commits and leaves an empty log; the next opening has nothing to replay.\n", cmd_close },
	{ "restart", "NAME", 1, 1, "jdrX", "replace the running instance; users see a pause",
	  "It goes on from what the disk holds, under mounted filesystems and databases.\n"
	  "What the running one acknowledged is compared with what the new one finds.\n",
	  cmd_restart },
	{ "fail", "NAME", 1, 1, "j", "let fail what a device holds that lost its disk",
	  "Of a device opened with --on-error hold.  The log keeps what was acknowledged.\n",
	  cmd_fail },
	{ "watch", "NAME", 1, 1, "j", "restart a device that holds when its disk is back",
	  "Tries again after 1, 2, 4 ... 60 seconds and says what it does; ends when the\n"
	  "device is closed.  For a service: triad-watch@NAME.\n",
	  cmd_watch },
	{ "upgrade", "[NAME]...", 0, 64, "jmnK", "another build of the module takes over",
	  "All devices unless some are named.  The build is that of --module, or what\n"
	  "modprobe would load.  If it cannot be loaded or does not take a device, the one\n"
	  "before goes on; a second call finishes what an interrupted one has left.\n",
	  cmd_upgrade },
	{ "scrub", "NAME", 1, 1, "jqPOa", "read and verify all data of an open device",
	  "At a bounded rate, while it is in use.  What is interrupted goes on where it was\n"
	  "when it is called again.  Exit code 7 if blocks did not match their checksums.\n",
	  cmd_scrub },
	{ "doctor", "[DEVICE|NAME]...", 0, 64, "j", "does this system have what it takes?",
	  "Kernel, module, hashes, and the disks of open devices or those that are named:\n"
	  "what was found, and what to do.  Exit code 6 if something is to be done, 9 if no\n"
	  "device can be opened here.\n", cmd_doctor },
	{ "commit", "NAME", 1, 1, "j", "commit now, and wait until that is done",
	  "What was flushed is safe without it; it makes the next opening short.\n", cmd_commit },
	{ "trim", "NAME", 1, 1, "jq", "tell the disk which blocks hold nothing any more",
	  "Its users go on.  For thin pools and drives that take discards.  What was discarded\n"
	  "on the device, by fstrim or else, is told when two commits have followed.\n", cmd_trim },
	{ "suspend", "NAME", 1, 1, "j", "hold an open device still: its users wait",
	  "The disk below is as a close leaves it, until resume.  A mounted filesystem is\n"
	  "frozen.\n", cmd_suspend },
	{ "resume", "NAME", 1, 1, "j", "let a suspended device go on", "", cmd_resume },
	{ "table", "DEVICE", 1, 1, "jrkRbtCEMoIJ", "print the table line for dmsetup",
	  "With a key the line names it in clear: mind where it goes.\n", cmd_table },
	{ "status", "[NAME]...", 0, 64, "jwNp", "how open devices are",
	  "All of them unless some are named.  Exit code 6 while a root is bad or blocks\n"
	  "did not match their checksums, 7 when one has failed or is read-only though\n"
	  "nobody asked for that.\n", cmd_status },
	{ "info", "DEVICE|NAME", 1, 1, "jrk", "what a device is, on one screen",
	  "Where it is, how full, how safe, since when.  Changes nothing.\n", cmd_info },
	{ "list", "", 0, 0, "j", "the open devices, a line for each", "", cmd_list },
	{ "monitor", "[NAME]...", 0, 64, "jN", "tell what happens to open devices",
	  "A line when one is opened or closed, when its mode or health changes, when blocks\n"
	  "do not match their checksums and when it gets nearly full.\n", cmd_monitor },
	{ "roots", "DEVICE|NAME", 1, 1, "jvrk", "show the three roots and which one counts",
	  "Changes nothing.  NAME is that of an open device: its mapping knows where the\n"
	  "roots lie.  They may move meanwhile.\n", cmd_roots },
	{ "heal", "DEVICE", 1, 1, "jfrk", "replace a bad root, as opening does",
	  "What lies in the bad slot and is not this device's is shown, and written over\n"
	  "only with --force.  The device must be closed.\n", cmd_heal },
	{ "move-roots", "DEVICE", 1, 1, "jfrkT", "put the roots into another place",
	  "--to names one device for all three, or three devices; DEVICE itself puts them\n"
	  "back inside.  The device must be closed.  If it is cut short, nothing is lost:\n"
	  "the same command goes on.\n", cmd_move_roots },
	{ "label", "DEVICE TEXT", 2, 2, "jrk", "give a device another label",
	  "Up to 32 bytes of UTF-8; '' takes it away.  The device must be closed.\n", cmd_label },
	{ "uuid", "DEVICE [UUID]", 1, 2, "jrk", "give a device another UUID",
	  "A random one unless one is given.  The device must be closed.  If it is cut short,\n"
	  "nothing is lost: the same command goes on.\n", cmd_uuid },
	{ "rollback", "DEVICE", 1, 1, "jqrkD", "go back to the last commit but one, for good",
	  "Shows what would be lost and asks.  Without a terminal it refuses unless -q\n"
	  "is given.  To look at that state first: open --backup, export --backup.\n"
	  "The device must be closed.\n",
	  cmd_rollback },
	{ "dump", "DEVICE [PART]...", 1, 5, "jrk", "show what is on the disk",
	  "PART is root, log, map or space; all four unless some are named.  Changes\n"
	  "nothing.\n",
	  cmd_dump },
	{ "check", "DEVICE", 1, 1, "qjrkD", "verify everything that is on the disk",
	  "Roots, log, every map node, planes and counters; with --data all data, too.\n"
	  "Changes nothing.  Close the device first: one that is being written looks\n"
	  "damaged.\n",
	  cmd_check },
	{ "export", "DEVICE FILE", 2, 2, "qjrkfb", "copy the content, as recovered, to a file",
	  "The log is replayed in memory, the device only read.  The file is sparse; it\n"
	  "may be a block device, and - is standard output.\n",
	  cmd_export },
	{ "import", "FILE DEVICE", 2, 2, "qjrkf", "fill a device from a file: export's inverse",
	  "DEVICE was formatted, and is closed.  - is standard input.  What the file has no\n"
	  "data for, and what is behind its end, is empty then.  If it is cut short the\n"
	  "device holds a part of it.\n", cmd_import },
	{ "send", "DEVICE|NAME", 1, 1, "qjrknx", "write its content, or what changed, as a stream",
	  "All of it, or with --since what has changed since a position, for receive.  The\n"
	  "device may be in use: it commits first, and its users go on.  It is only read.\n",
	  cmd_send },
	{ "receive", "DEVICE", 1, 1, "qjfknHcyY", "make a replica of what send writes, or go on",
	  "From standard input, into a blank or just formatted device, or a replica.  That\n"
	  "holds the old state or the new one, whenever it is cut short.  It is read-only\n"
	  "until receive --promote, which reads no input.\n",
	  cmd_receive },
	{ "position", "DEVICE|NAME", 1, 1, "jrk", "print what state it holds: for send --since",
	  "Of a replica: which state of the device that it was received from.\n", cmd_position },
	{ "replica", "WHAT [NAME] [POLICY]", 1, 4, "jqfp", "set replicas up, see how they are, take over",
	  "invite DEVICE HOST[:PORT] [sync]: a line of triadd.conf, and what HOST needs for\n"
	  "replica join IMAGE [in_steps] there.  remove NAME [HOST]: it is none any more.\n"
	  "status: how far the replicas are, all or the named one; exit code 6 while one is\n"
	  "not connected.  seal: nothing is taken any more from who owned it.  takeover:\n"
	  "shows what the replica holds and what may be missing, asks, seals it, and makes\n"
	  "it a device of its own.  Whoever owned it finds itself fenced.  Of a group that\n"
	  "needs a majority, and that no other is further; group: how they are.  rejoin:\n"
	  "what was the device becomes a replica, for whoever took over to bring on.\n"
	  "sync NAME POLICY: as open --sync, of a device in use.\n",
	  cmd_replica },
	{ "repair", "DEVICE [TARGET]", 1, 2, "qjrkfuDSL", "copy what a damaged device still holds",
	  "Shows what each root leads to and what it would lose.  With --slot that is\n"
	  "copied into TARGET, a file or a block device, which becomes a new dm-triad\n"
	  "device.  DEVICE is only read.  What cannot be had reads as errors there.\n",
	  cmd_repair },
	{ "probe", "DEVICE", 1, 1, "jU", "say whether it is a dm-triad device, and which",
	  "Reads the roots and nothing else; needs no key.\n", cmd_probe },
	{ "version", "", 0, 0, "j", "print the version", "", cmd_version },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

/* One option; the letter is what a command's list of options names it by. */
static const struct option_help {
	char letter;
	bool is_short;
	const char *name;
	const char *arg;
	const char *help;
} option_table[] = {
	{ 'q', true, "batch-mode", NULL, "ask nothing" },
	{ 'v', true, "verbose", NULL, "say more" },
	{ 'h', true, "help", NULL, "this text" },
	{ 'j', false, "json", NULL, "print JSON" },
	{ 'f', false, "force", NULL, "overwrite data, also of others, or a file" },
	{ 'r', false, "root-device", "DEV", "where the roots lie: once, or three times" },
	{ 'T', false, "to", "DEV", "where the roots go: once, or three times" },
	{ 'd', false, "device", "DISK", "the disk has this name now" },
	{ 'k', false, "key-file", "FILE", "key of a keyed hash, in hexadecimal digits" },
	{ 'H', false, "hash", "NAME", "sha256 (default), sha512, hmac(sha256), ..." },
	{ 'c', false, "checksum", "KIND", "of data and map: xxh64 (default) or crc32c" },
	{ 'l', false, "label", "TEXT", "up to 32 bytes" },
	{ 'u', false, "uuid", "UUID", "instead of a random one" },
	{ 's', false, "size", "SIZE", "of the mapped device; default: all that fits" },
	{ 'z', false, "zone-size", "SIZE", "4M to 126M, default 126M" },
	{ 'g', false, "segment-size", "SIZE", "64K to 16M, default 1M" },
	{ 'i', false, "interval", "SIZE", "most data between two commits (1/768, 256M)" },
	{ 't', false, "interval-ms", "MS", "commit at least so often" },
	{ 'C', false, "cache-blocks", "NR", "map nodes kept in memory" },
	{ 'R', false, "read-only", NULL, "write nothing, not even to heal" },
	{ 'E', false, "on-error", "WHAT", "while the disk is gone: fail (default) or hold" },
	{ 'M', false, "hold-ms", "MS", "with hold: fail after so long; default: never" },
	{ 'o', false, "keep-max", "BLOCKS", "of the log, kept for who follows it" },
	{ 'I', false, "sync", "POLICY", "flushes wait for replicas: block, async, ro" },
	{ 'J', false, "sync-ms", "MS", "no word of them for so long: do that; 5000" },
	{ 'W', false, "reserve", NULL, "the disk: no other host writes to it" },
	{ 'G', false, "take", NULL, "from the host that has it reserved" },
	{ 'Z', false, "wait", NULL, "13 s: it is seen that no other host has it open" },
	{ 'm', false, "module", "FILE.ko", "this build" },
	{ 'n', false, "dry-run", NULL, "only say what would be done" },
	{ 'K', false, "check", NULL, "only say whether there is a way back" },
	{ 'w', false, "watch", "SECONDS", "again and again: what was done meanwhile" },
	{ 'N', false, "count", "NR", "end after so many" },
	{ 'p', false, "prometheus", NULL, "in Prometheus' text format" },
	{ 'P', false, "rate", "SIZE", "read so much in a second, default 100M" },
	{ 'O', false, "anew", NULL, "from the beginning, not where it was left" },
	{ 'a', false, "status", NULL, "only say how far it is, and what was found" },
	{ 'X', false, "crash", NULL, "as if it had crashed: not even a flush" },
	{ 'b', false, "backup", NULL, "the state of the last commit but one, read-only" },
	{ 'S', false, "slot", "SLOT", "copy what the root in this slot leads to" },
	{ 'L', false, "without-log", NULL, "leave out what the log behind it adds" },
	{ 'A', false, "all", NULL, "all that /etc/triadtab names" },
	{ 'B', false, "deferred", NULL, "if it is in use: when that ends" },
	{ 'x', false, "since", "POSITION", "only what has changed since then" },
	{ 'y', false, "promote", NULL, "no replica any more: a device of its own" },
	{ 'Y', false, "in-steps", NULL, "in several commits: incomplete until the end" },
	{ 'U', false, "udev", NULL, "as properties for udev" },
	{ 'D', false, "data", NULL, "read all data and verify its checksums" },
};

#define NR_OPTIONS	(sizeof(option_table) / sizeof(option_table[0]))

static bool takes(const struct command *cmd, char letter)
{
	return letter == 'h' || strchr(cmd->options, letter);
}

/* In what order they are shown; each is in one group. */
static const struct {
	const char *title;
	const char *names[10];
} groups[] = {
	{ "Made once, opened after each start (triadtab(5) does so), closed",
	  { "format", "open", "close" } },
	{ "How it is", { "list", "status", "info", "monitor", "doctor" } },
	{ "While it is in use", { "scrub", "trim", "commit", "suspend", "resume", "restart", "upgrade",
				  "watch", "fail" } },
	{ "While it is closed", { "label", "uuid", "move-roots", "rollback" } },
	{ "Copies of what it holds", { "export", "import", "send", "receive", "position", "replica" } },
	{ "When something is wrong", { "check", "roots", "heal", "repair", "dump" } },
	{ "For other programs", { "probe", "table", "version" } },
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static void usage(FILE *to)
{
	const char *const *name;
	size_t i;

	fprintf(to, "usage: triadsetup COMMAND [OPTIONS] ...\n"
		"DEVICE is a disk or a file, or LABEL=, UUID= ...; NAME is that of an open one.\n");
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		fprintf(to, "\n%s:\n", groups[i].title);
		for (name = groups[i].names; *name; name++) {
			const struct command *cmd = find_command(*name);

			fprintf(to, "  %-10s %-16s %s\n", cmd->name, cmd->args, cmd->summary);
		}
	}
	fprintf(to, "\ntriadsetup help COMMAND tells the options.\n"
		"Exit codes: 1 usage, 2 permission or key, 3 memory, 4 wrong device, 5 exists\n"
		"or busy, 6 usable but degraded, 7 damaged or failed, 8 no root can be proven\n"
		"current, 9 this system lacks what it takes, 10 the output could not be written.\n"
		"See triadsetup(8).\n");
}

static void command_usage(const struct command *cmd, FILE *to)
{
	char left[64];
	size_t i;

	fprintf(to, "usage: triadsetup %s [OPTIONS] %s\n\n%s.\n%s\n", cmd->name, cmd->args,
		cmd->summary, cmd->help);
	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_help *o = &option_table[i];

		if (!takes(cmd, o->letter))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		fprintf(to, "  %c%c%c %-24s %s\n", o->is_short ? '-' : ' ',
			o->is_short ? o->letter : ' ', o->is_short ? ',' : ' ', left, o->help);
	}
}

/* ---- options ---------------------------------------------------------------- */

static int take_size(const char *name, u64 *size)
{
	if (parse_size(optarg, size))
		return 0;
	return tool_fail(TOOL_USAGE, "Nothing was changed.  Write 512M, 10G or a number of bytes.",
			 "--%s: '%s' is no size", name, optarg);
}

static int take_number(const char *name, u32 least, u32 most, u32 *number)
{
	char *end;
	unsigned long long n = strtoull(optarg, &end, 10);

	if (*optarg >= '0' && *optarg <= '9' && !*end && n >= least && n <= most) {
		*number = n;
		return 0;
	}
	return tool_fail(TOOL_USAGE, "Nothing was changed.",
			 "--%s: '%s' is no number from %u to %u", name, optarg, least, most);
}

static int take_root_device(const char **devices, unsigned int *nr, const char *name)
{
	if (*nr == TOOL_MAX_ROOTS)
		return tool_fail(TOOL_USAGE, "Nothing was changed.",
				 "--%s is given more than three times", name);
	devices[(*nr)++] = optarg;
	return 0;
}

static int take_option(struct options *opt, char letter, const char *name)
{
	enum triad_sync sync;
	int r;

	switch (letter) {
	case 'q':
		opt->batch = true;
		return 0;
	case 'v':
		opt->verbose = true;
		return 0;
	case 'j':
		json_begin();
		opt->json = true;
		return 0;
	case 'f':
		opt->force = true;
		return 0;
	case 'R':
		opt->read_only = true;
		return 0;
	case 'S':
		r = take_number(name, 0, TRIAD_NR_SLOTS - 1, &opt->slot);
		opt->slot += !r;
		return r;
	case 'L':
		opt->without_log = true;
		return 0;
	case 'b':
		opt->backup = true;
		return 0;
	case 'D':
		opt->data = true;
		return 0;
	case 'A':
		opt->all = true;
		return 0;
	case 'B':
		opt->deferred = true;
		return 0;
	case 'W':
		opt->reserve = true;
		return 0;
	case 'Z':
		opt->wait = true;
		return 0;
	case 'G':
		opt->reserve = opt->take = true;
		return 0;
	case 'U':
		opt->udev = true;
		return 0;
	case 'E':
		opt->on_error = optarg;
		return !strcmp(optarg, "hold") || !strcmp(optarg, "fail") ? 0 :
		       tool_fail(TOOL_USAGE, "Nothing was changed.",
				 "--%s: it is hold or fail, not '%s'", name, optarg);
	case 'M':
		return take_number(name, 0, 86400000, &opt->hold_ms);
	case 'o':
		return take_number(name, 0, ~0u, &opt->keep_max);
	case 'I':
		opt->sync = optarg;
		return triad_params_sync(optarg, &sync) ? 0 :
		       tool_fail(TOOL_USAGE, "Nothing was changed.",
				 "--%s: it is off, block, async or ro, not '%s'", name, optarg);
	case 'J':
		return take_number(name, 10, 86400000, &opt->sync_ms);
	case 'm':
		opt->module = optarg;
		return 0;
	case 'n':
		opt->dry_run = true;
		return 0;
	case 'K':
		opt->check = true;
		return 0;
	case 'P':
		return take_size(name, &opt->rate);
	case 'O':
		opt->anew = true;
		return 0;
	case 'a':
		opt->status = true;
		return 0;
	case 'x':
		opt->since = optarg;
		return 0;
	case 'y':
		opt->promote = true;
		return 0;
	case 'Y':
		opt->in_steps = true;
		return 0;
	case 'w':
		return take_number(name, 1, 86400, &opt->watch);
	case 'N':
		return take_number(name, 1, 1000000000, &opt->count);
	case 'p':
		opt->prometheus = true;
		return 0;
	case 'X':
		opt->crash = true;
		return 0;
	case 'd':
		opt->device = optarg;
		return 0;
	case 'r':
		return take_root_device(opt->root_device, &opt->nr_root_devices, name);
	case 'T':
		return take_root_device(opt->to, &opt->nr_to, name);
	case 'k':
		opt->key_file = optarg;
		return 0;
	case 'H':
		opt->hash = optarg;
		return 0;
	case 'c':
		opt->checksum = optarg;
		return 0;
	case 'l':
		opt->label = optarg;
		return 0;
	case 'u':
		opt->uuid = optarg;
		return 0;
	case 's':
		return take_size(name, &opt->size);
	case 'z':
		return take_size(name, &opt->zone_size);
	case 'g':
		return take_size(name, &opt->segment_size);
	case 'i':
		return take_size(name, &opt->interval);
	case 't':
		return take_number(name, 10, 86400000, &opt->interval_ms);
	default:
		return take_number(name, 64, TRIAD_MAX_CACHE_BLOCKS, &opt->cache_blocks);
	}
}

/* What getopt gives back for a long option: this, and its place in option_table. */
#define LONG	256

/* The options of one command as getopt_long wants them. */
static void getopt_table(const struct command *cmd, struct option *longs, char *shorts)
{
	size_t i;

	*shorts++ = ':';	/* tell a value that is missing */
	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_help *o = &option_table[i];

		if (!takes(cmd, o->letter))
			continue;
		*longs++ = (struct option){ o->name, o->arg ? required_argument : no_argument,
					    NULL, LONG + i };
		if (o->is_short)
			*shorts++ = o->letter;
	}
	*longs = (struct option){ NULL, 0, NULL, 0 };
	*shorts = 0;
}

/* ---- what was meant ------------------------------------------------------------ */

#define LONGEST_WORD	32

/* Letters to be added, taken away, replaced or exchanged with the next to get from a to b. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[3][LONGEST_WORD + 1], *before = row[0], *last = row[1], *now = row[2], *old;
	size_t i, j, n = strlen(a), m = strlen(b);

	if (n > LONGEST_WORD || m > LONGEST_WORD)
		return LONGEST_WORD;
	for (j = 0; j <= m; j++)
		last[j] = j;
	for (i = 1; i <= n; i++) {
		now[0] = i;
		for (j = 1; j <= m; j++) {
			now[j] = min_t(unsigned int, last[j - 1] + (a[i - 1] != b[j - 1]),
				       min_t(unsigned int, last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min_t(unsigned int, now[j], before[j - 2] + 1);
		}
		old = before;
		before = last;
		last = now;
		now = old;
	}
	return last[m];
}

/* As close as a slip of the finger. */
static bool resembles(const char *typed, const char *word)
{
	size_t n = strlen(typed);

	return distance(typed, word) <= (n < 4 ? 1u : 2u) || (n > 1 && !strncmp(typed, word, n));
}

/* What others call it. */
static const struct {
	const char *typed, *name;
} synonyms[] = {
	{ "activate", "open" },		{ "attach", "open" },		{ "create", "format" },
	{ "deactivate", "close" },	{ "destroy", "format" },	{ "detach", "close" },
	{ "freeze", "suspend" },	{ "fsck", "check" },		{ "init", "format" },
	{ "ls", "list" },		{ "map", "open" },		{ "mkfs", "format" },
	{ "mount", "open" },		{ "name", "label" },		{ "remove", "close" },
	{ "rename", "label" },		{ "restore", "import" },	{ "save", "export" },
	{ "show", "info" },		{ "start", "open" },		{ "stop", "close" },
	{ "sync", "commit" },		{ "thaw", "resume" },		{ "umount", "close" },
	{ "undo", "rollback" },		{ "unmap", "close" },		{ "verify", "scrub" },
};

/* The command that was meant, or NULL; of several the one with the fewest slips. */
static const struct command *guess_command(const char *typed)
{
	const struct command *best = NULL;
	size_t i;

	for (i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++)
		if (!strcmp(typed, synonyms[i].typed))
			return find_command(synonyms[i].name);
	for (i = 0; i < NR_COMMANDS; i++)
		if (resembles(typed, commands[i].name) &&
		    (!best || distance(typed, commands[i].name) < distance(typed, best->name)))
			best = &commands[i];
	return best;
}

static const char *guess_option(const struct command *cmd, const char *typed)
{
	const char *best = NULL;
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_help *o = &option_table[i];

		if (takes(cmd, o->letter) && resembles(typed, o->name) &&
		    (!best || distance(typed, o->name) < distance(typed, best)))
			best = o->name;
	}
	return best;
}

static int no_command(const char *typed)
{
	const struct command *cmd = guess_command(typed);

	if (!cmd)
		return tool_fail(TOOL_USAGE, "Nothing was changed.  triadsetup --help lists the commands.",
				 "there is no command '%s'", typed);
	return tool_fail(TOOL_USAGE, "Nothing was changed.  triadsetup --help lists the commands.",
			 "there is no command '%s'; did you mean %s: %s?", typed, cmd->name,
			 cmd->summary);
}

/* A long option that getopt does not take: of another command, cut too short, or of none. */
static int wrong_long_option(const struct command *cmd, const char *word, const char *advice)
{
	size_t i, n = strcspn(word, "=") - 2;
	const char *guess;
	char many[256] = "";

	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_help *o = &option_table[i];
		size_t used = strlen(many);

		if (strncmp(o->name, word + 2, n))
			continue;
		if (!o->name[n] && !takes(cmd, o->letter))
			return tool_fail(TOOL_USAGE, advice, "%s: it takes no --%s", cmd->name,
					 o->name);
		if (takes(cmd, o->letter))
			snprintf(many + used, sizeof(many) - used, "%s--%s", used ? " or " : "",
				 o->name);
	}
	if (many[0])
		return tool_fail(TOOL_USAGE, advice, "%s: %s could be %s", cmd->name, word, many);
	snprintf(many, sizeof(many), "%.*s", (int)n, word + 2);
	guess = guess_option(cmd, many);
	if (guess)
		return tool_fail(TOOL_USAGE, advice, "%s: there is no option %s; did you mean --%s?",
				 cmd->name, word, guess);
	return tool_fail(TOOL_USAGE, advice, "%s: there is no option %s", cmd->name, word);
}

/* c is what getopt_long returned, word what it looked at. */
static int wrong_option(const struct command *cmd, int c, const char *word)
{
	const struct option_help *o = optopt >= LONG ? &option_table[optopt - LONG] : NULL;
	char advice[128];

	snprintf(advice, sizeof(advice), "Nothing was changed.  The options: triadsetup help %s",
		 cmd->name);
	if (c == ':')
		return tool_fail(TOOL_USAGE, advice, "%s: --%s needs a value: %s", cmd->name,
				 o->name, o->arg);
	if (o)
		return tool_fail(TOOL_USAGE, advice, "%s: --%s takes no value", cmd->name,
				 o->name);
	if (optopt)
		return tool_fail(TOOL_USAGE, advice, "%s: there is no option -%c", cmd->name,
				 optopt);
	return wrong_long_option(cmd, word, advice);
}

static int run(const struct command *cmd, int argc, char **argv)
{
	struct option longs[NR_OPTIONS + 1];
	char shorts[NR_OPTIONS + 2], advice[256];
	struct options opt = { 0 };
	int c, r;

	getopt_table(cmd, longs, shorts);
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_help *o = c >= LONG ? &option_table[c - LONG] : NULL;

		if (c == '?' || c == ':')
			return wrong_option(cmd, c, argv[optind - 1]);
		if (c == 'h' || (o && o->letter == 'h')) {
			json_forget();
			command_usage(cmd, stdout);
			return 0;
		}
		r = take_option(&opt, o ? o->letter : c, o ? o->name : NULL);
		if (r)
			return r;
	}
	opt.args = argv + optind;
	opt.nr_args = argc - optind;
	if (opt.nr_args < cmd->min_args || opt.nr_args > cmd->max_args) {
		snprintf(advice, sizeof(advice), "Nothing was changed.  usage: triadsetup %s "
			 "[OPTIONS] %s", cmd->name, cmd->args);
		return tool_fail(TOOL_USAGE, advice, "%s: too %s arguments", cmd->name,
				 opt.nr_args < cmd->min_args ? "few" : "many");
	}
	r = locate_devices(&opt, cmd->args);
	return r ? r : cmd->run(&opt);
}

/*
 * The next file that is opened gets the lowest free number.  Were 2 free, a device
 * would get it, and the first message would be written into it.  A descriptor
 * that was closed stays unusable: reading from 0 and writing to 1 and 2 fails.
 */
static void hold_standard_descriptors(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(TOOL_USAGE);
}

/* Also an error of what getopt sees before it sees --json is told in JSON. */
static bool wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}

/* What nobody could read was not said. */
static int finish(int code)
{
	bool failed;

	json_end(code);
	errno = 0;
	failed = fflush(stdout) || ferror(stdout);
	if (!failed || (code != TOOL_OK && code != TOOL_DEGRADED))
		return code;
	return tool_fail(TOOL_OUTPUT, "What was asked for was done; only what is said about it "
			 "is not complete.", "writing the output: %s",
			 strerror(errno ? errno : EIO));
}

/* "help", or "help COMMAND". */
static int help(int argc, char **argv)
{
	const struct command *cmd;

	json_forget();
	if (argc < 3) {
		usage(stdout);
		return 0;
	}
	cmd = find_command(argv[2]);
	if (!cmd)
		return no_command(argv[2]);
	command_usage(cmd, stdout);
	return 0;
}

static int command(int argc, char **argv)
{
	const struct command *cmd;

	hold_standard_descriptors();
	if (argc < 2) {
		usage(stderr);
		return TOOL_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argc, argv);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		argv[1] += strspn(argv[1], "-") == 2 ? 2 : 0;
	cmd = find_command(strcmp(argv[1], "-V") ? argv[1] : "version");
	return cmd ? run(cmd, argc - 1, argv + 1) : no_command(argv[1]);
}

int main(int argc, char **argv)
{
	/* how wide a character is; numbers stay as they are written everywhere */
	setlocale(LC_CTYPE, "");
	if (wants_json(argc, argv))
		json_begin();
	return finish(command(argc, argv));
}
