// SPDX-License-Identifier: GPL-2.0-or-later
/* doctor: does this system have what dm-triad takes, and what would make it better? */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "build.h"
#include "hash.h"
#include "kernel.h"
#include "status.h"
#include "tab.h"

#define OLDEST_KERNEL	"6.1.83"
#define SECURE_BOOT	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

enum finding {
	FINE,
	NOTE,		/* as it is */
	TO_DO,
	CANNOT,		/* no device can be opened */
};

static const char * const findings[] = { "ok", "note", "to do", "cannot" };

struct doctor {
	struct json_object *checks;	/* NULL: for people */
	int worst;
};

static void tell(struct doctor *d, enum finding finding, const char *what, const char *advice,
		 const char *format, ...) PRINTF(5, 6);

static void tell(struct doctor *d, enum finding finding, const char *what, const char *advice,
		 const char *format, ...)
{
	struct json_object *out;
	char found[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(found, sizeof(found), format, args);
	va_end(args);
	if ((int)finding > d->worst)
		d->worst = finding;
	if (!d->checks) {
		printf("%-6s  %-12s %s\n", findings[finding], what, found);
		if (advice)
			printf("        %-12s %s\n", "", advice);
		return;
	}
	out = json_object_new_object();
	json_add_text(out, "what", what);
	json_add_text(out, "finding", findings[finding]);
	json_add_text(out, "found", found);
	json_add_text(out, "advice", advice);
	json_object_array_add(d->checks, out);
}

/* The first line of a file of the kernel's; false: there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool found = f && fgets(line, size, f);

	if (f)
		fclose(f);
	if (found)
		line[strcspn(line, "\n")] = 0;
	return found;
}

/* ---- kernel and module ---------------------------------------------------------------- */

static void check_kernel(struct doctor *d)
{
	const char *release = kernel_release();
	unsigned int is[3] = { 0 }, least[3];
	int i;

	sscanf(OLDEST_KERNEL, "%u.%u.%u", &least[0], &least[1], &least[2]);
	sscanf(release, "%u.%u.%u", &is[0], &is[1], &is[2]);
	for (i = 0; i < 2 && is[i] == least[i]; i++)
		;
	/* a distribution's 6.1.0-56 says nothing of the third */
	if (is[i] < least[i] && (i < 2 || is[i]))
		tell(d, CANNOT, "kernel", "It takes a newer kernel.", "%s is older than " OLDEST_KERNEL,
		     release);
	else
		tell(d, FINE, "kernel", NULL, "%s", release);
}

struct versions {
	char loaded[64];	/* the highest */
	struct build file;
};

static void note_loaded(const char *version, void *context)
{
	struct versions *v = context;

	if (!v->loaded[0] || strverscmp(version, v->loaded) > 0)
		snprintf(v->loaded, sizeof(v->loaded), "%s", version);
}

/* The first one is modprobe's. */
static void note_file(const struct build *build, void *context)
{
	struct versions *v = context;

	if (!v->file.version[0])
		v->file = *build;
}

static bool wants_signature(void)
{
	char line[256];
	u8 boot[5] = { 0 };
	FILE *f = fopen(SECURE_BOOT, "re");
	bool secure = f && fread(boot, sizeof(boot), 1, f) == 1 && boot[4] == 1;

	if (f)
		fclose(f);
	return secure || (read_line("/sys/module/module/parameters/sig_enforce", line, sizeof(line)) &&
			  line[0] == 'Y') ||
	       (read_line("/sys/kernel/security/lockdown", line, sizeof(line)) &&
		!strstr(line, "[none]"));
}

static void check_signature(struct doctor *d, const struct versions *v)
{
	const struct build *file = &v->file;
	char advice[256];

	snprintf(advice, sizeof(advice), "mokutil --import %s, then boot; see README, Secure Boot.",
		 kernel_signing_key());
	if (!wants_signature())
		tell(d, FINE, "signature", NULL, "this system loads modules that are not signed");
	else if (!file->version[0])
		tell(d, FINE, "signature", NULL, "this system wants one, and the module is loaded");
	else if (!file->is_signed)
		tell(d, v->loaded[0] ? TO_DO : CANNOT, "signature", "Sign it with a key that mokutil has "
		     "enrolled; see README, Secure Boot.", "this system wants one, and %s has none",
		     file->path);
	else if (kernel_trusts(file->signer))
		tell(d, FINE, "signature", NULL, "%s, which this system knows, has signed %s",
		     file->signer, file->path);
	else
		tell(d, v->loaded[0] ? TO_DO : CANNOT, "signature", advice, "%s, which this system does "
		     "not know, has signed %s", file->signer[0] ? file->signer : "somebody", file->path);
}

static void check_module(struct doctor *d)
{
	struct versions v = { 0 };

	if (!dm_is_there()) {
		if (geteuid())
			tell(d, NOTE, "devices", "Run it as root.", "only root may look at them");
		else
			tell(d, CANNOT, "devices", "modprobe dm-mod, or a kernel that has it.",
			     "the kernel's device-mapper does not answer");
	} else {
		build_each_loaded(note_loaded, &v);
	}
	build_each_file(note_file, &v);
	if (!v.file.version[0] && !v.loaded[0]) {
		tell(d, CANNOT, "module", "Install it for this kernel; see README.",
		     "modprobe knows no dm-triad for %s", kernel_release());
		return;
	}
	if (v.loaded[0] && v.file.version[0] && strcmp(v.loaded, v.file.version))
		tell(d, TO_DO, "module", "triadsetup upgrade",
		     "%s is loaded, %s is installed", v.loaded, v.file.version);
	else if (!v.file.version[0])
		tell(d, TO_DO, "module", "Install it for this kernel, or it will be missing after the next "
		     "boot.", "%s is loaded, and modprobe knows none", v.loaded);
	else
		tell(d, FINE, "module", NULL, "%s, %s", v.file.version,
		     v.loaded[0] ? "loaded" : v.file.path);
	if (strcmp(v.file.version[0] ? v.file.version : v.loaded, TOOL_VERSION))
		tell(d, NOTE, "tool", "The same version of both is what was tested.",
		     "triadsetup is %s", TOOL_VERSION);
	else
		tell(d, FINE, "tool", NULL, "%s", TOOL_VERSION);
	check_signature(d, &v);
}

/* ---- hashes ----------------------------------------------------------------------------- */

/* What the kernel would take for this: of several the one with the highest priority. */
static bool driver_of(const char *name, char *best, size_t size)
{
	char line[256], value[128], driver[128] = "";
	bool is_it = false;
	int priority, highest = -1;
	FILE *f = fopen("/proc/crypto", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "name : %127s", value) == 1)
			is_it = !strcmp(value, name);
		else if (sscanf(line, "driver : %127s", value) == 1)
			snprintf(driver, sizeof(driver), "%s", value);
		else if (is_it && sscanf(line, "priority : %d", &priority) == 1 && priority > highest) {
			highest = priority;
			snprintf(best, size, "%s", driver);
		}
	}
	if (f)
		fclose(f);
	return highest >= 0;
}

static void check_driver(struct doctor *d, const char *name)
{
	char driver[128];

	if (!kernel_may_have_hash(name))
		tell(d, CANNOT, name, "Use a kernel that has it.", "this kernel does not have it");
	else if (!driver_of(name, driver, sizeof(driver)))
		tell(d, NOTE, name, NULL, "not loaded yet; the module loads it");
	else if (strstr(driver, "generic"))
		tell(d, NOTE, name, "If the processor has instructions for it, their module is not loaded.",
		     "the kernel has it in plain C (%s)", driver);
	else
		tell(d, FINE, name, NULL, "the kernel has it as %s", driver);
}

#define MEASURE_SECONDS	0.05
#define MEASURE_BYTES	65536u

enum measured { CRC32C, XXH64, SHA256 };

/* So that the compiler takes none of it for useless. */
static volatile u64 result;

/* Bytes in a second. */
static double measure(enum measured what, struct triad_hash *hash)
{
	static u8 data[MEASURE_BYTES];
	double begun = seconds_now(), seconds = 0, bytes = 0;
	u8 out[32];

	do {
		if (what == CRC32C)
			result = triad_crc32c(data, sizeof(data));
		else if (what == XXH64)
			result = triad_xxh64(data, sizeof(data));
		else if (triad_hash(hash, data, sizeof(data), NULL, 0, out))
			break;
		bytes += sizeof(data);
		seconds = seconds_now() - begun;
	} while (seconds < MEASURE_SECONDS);
	return seconds > 0 ? bytes / seconds : 0;
}

static void check_speed(struct doctor *d)
{
	const char *why;
	struct triad_hash *hash = triad_hash_create("sha256", NULL, 0, &why);
	double crc = measure(CRC32C, NULL), xxh = measure(XXH64, NULL);

	tell(d, FINE, "speed", crc > 2 * xxh ? "format --checksum crc32c is the faster one here." : NULL,
	     "crc32c %.1f, xxh64 %.1f, sha256 %.1f GB/s on one processor", crc / 1e9, xxh / 1e9,
	     hash ? measure(SHA256, hash) / 1e9 : 0);
	triad_hash_destroy(hash);
}

/* ---- disks ---------------------------------------------------------------------------------- */

/* Of the disk, or of the one that a partition is on; "" if there is none. */
static void queue_value(dev_t dev, const char *name, char *value, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/%s", major(dev), minor(dev), name);
	if (read_line(path, value, size))
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../queue/%s", major(dev), minor(dev), name);
	if (!read_line(path, value, size))
		*value = 0;
}

static u64 disk_value(dev_t dev, const char *name)
{
	char path[256], line[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), name);
	return read_line(path, line, sizeof(line)) ? strtoull(line, NULL, 10) : 0;
}

static void check_cache(struct doctor *d, const char *path, dev_t dev)
{
	char cache[64], fua[64];

	queue_value(dev, "write_cache", cache, sizeof(cache));
	queue_value(dev, "fua", fua, sizeof(fua));
	if (!strcmp(cache, "write through"))
		tell(d, NOTE, "write cache", "Right if it has none, or a battery: flushes are not even sent to "
		     "it.", "%s says that it has none", path);
	else if (!strcmp(fua, "1"))
		tell(d, FINE, "write cache", NULL, "%s has one, can be flushed, and has FUA", path);
	else
		tell(d, FINE, "write cache", NULL, "%s has one, and can be flushed", path);
}

static void check_place(struct doctor *d, const char *path, dev_t dev)
{
	char logical[64], physical[64];
	u64 begin = disk_value(dev, "start") * 512, block;

	queue_value(dev, "logical_block_size", logical, sizeof(logical));
	queue_value(dev, "physical_block_size", physical, sizeof(physical));
	block = strtoull(physical, NULL, 10);
	block = block > TRIAD_BLOCK_SIZE ? block : TRIAD_BLOCK_SIZE;
	if (strtoull(logical, NULL, 10) > TRIAD_BLOCK_SIZE)
		tell(d, TO_DO, "blocks", "Use another disk.", "%s has blocks of %s bytes: it is refused", path,
		     logical);
	else if (disk_value(dev, "alignment_offset") || begin % block)
		tell(d, TO_DO, "alignment", "Begin the partition at a multiple of 1 MiB: each write costs two "
		     "otherwise.", "%s begins in the middle of a block of %" PRIu64 " bytes", path, block);
	else
		tell(d, FINE, "alignment", NULL, "%s begins at a whole block of %" PRIu64 " bytes", path,
		     block);
}

static void check_disk(struct doctor *d, const char *path)
{
	char zoned[64];
	struct stat st;

	if (!strcmp(path, DEVICE_MISSING)) {
		tell(d, TO_DO, "disk", "Put it back, or an empty one in its place.",
		     "one of three devices with copies of the state is missing");
		return;
	}
	if (stat(path, &st)) {
		tell(d, TO_DO, "disk", "See lsblk for the devices there are.", "%s: %s", path,
		     strerror(errno));
		return;
	}
	if (!S_ISBLK(st.st_mode)) {
		tell(d, NOTE, "disk", NULL, "%s is a file: what lies below it was not looked at", path);
		return;
	}
	queue_value(st.st_rdev, "zoned", zoned, sizeof(zoned));
	if (zoned[0] && strcmp(zoned, "none")) {
		tell(d, TO_DO, "zones", "Use another disk.", "%s is zoned: it is refused", path);
		return;
	}
	check_cache(d, path, st.st_rdev);
	check_place(d, path, st.st_rdev);
}

static void check_source(struct doctor *d, const struct dm_source *source)
{
	unsigned int i;

	check_disk(d, source->device);
	for (i = 0; i < source->nr_roots; i++)
		check_disk(d, source->root[i]);
}

/* ---- devices --------------------------------------------------------------------------------- */

static int check_open(struct status *status, void *context)
{
	struct doctor *d = context;
	int worth = status_worth(status);

	if (worth)
		tell(d, TO_DO, "device", "triadsetup status tells more.", "%s is %s, and its health is %s",
		     status->name, status_mode(status), status->text[STATUS_HEALTH]);
	else
		tell(d, FINE, "device", NULL, "%s is open, %s, and well", status->name,
		     status_mode(status));
	check_source(d, &status->source);
	return 0;
}

static struct doctor *reader;		/* of triadtab, which complains without a context */

static void note_wrong(const char *path, unsigned int line, const char *why)
{
	tell(reader, TO_DO, "triadtab", "See triadtab(5).", "%s, line %u: %s; it is left out", path, line,
	     why);
}

/* What is to be open, by the table for the start of the system. */
static void check_table(struct doctor *d)
{
	struct tab *tab = calloc(1, sizeof(*tab));
	char advice[256];
	unsigned int i;
	u32 nr;

	reader = d;
	if (tab && !tab_read(tab, note_wrong))
		for (i = 0; i < tab->nr; i++) {
			const struct tab_entry *e = &tab->entry[i];

			if (e->noauto || dm_exists(e->name, &nr))
				continue;
			snprintf(advice, sizeof(advice), "triadsetup open %s", e->name);
			tell(d, TO_DO, "triadtab", advice, "%s (%s) is not open", e->name, e->device);
		}
	if (tab)
		tab_free(tab);
	free(tab);
}

int cmd_doctor(const struct options *opt)
{
	struct doctor d = { .worst = FINE };
	const struct options all = { 0 };
	struct status status;
	struct dm_source source;
	int i, r = 0;

	if (opt->json) {
		d.checks = json_object_new_array();
		json_add(json_document(), "checks", d.checks);
	}
	check_kernel(&d);
	check_module(&d);
	check_driver(&d, "sha256");
	check_driver(&d, "crc32c");
	check_speed(&d);
	for (i = 0; i < opt->nr_args; i++) {
		if (!dm_find_mapping(opt->args[i], &source)) {
			check_disk(&d, opt->args[i]);
			continue;
		}
		explicit_bzero(source.key, sizeof(source.key));
		if (!status_get(opt->args[i], &status))
			check_open(&status, &d);
		status_free(&status);
	}
	if (!opt->nr_args && dm_is_there())
		r = status_each(&all, check_open, &d);
	check_table(&d);
	return r ? r : d.worst == CANNOT ? TOOL_SYSTEM : d.worst == TO_DO ? TOOL_DEGRADED : TOOL_OK;
}
