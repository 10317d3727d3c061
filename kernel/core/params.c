// SPDX-License-Identifier: GPL-2.0-or-later
#include "params.h"

static bool parse_u32(const char *text, u32 *value)
{
	u64 v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (*text - '0');
		if (v > 0xffffffffULL)
			return false;
	}
	*value = v;
	return true;
}

static const char * const syncs[] = { "off", "block", "async", "ro" };

bool triad_params_sync(const char *word, enum triad_sync *sync)
{
	unsigned int i;

	for (i = 0; i < sizeof(syncs) / sizeof(syncs[0]); i++) {
		if (!strcmp(word, syncs[i])) {
			*sync = i;
			return true;
		}
	}
	return false;
}

const char *triad_params_sync_name(enum triad_sync sync)
{
	return syncs[sync];
}

static int fail(const char **error, const char *what)
{
	*error = what;
	return -EINVAL;
}

int triad_params_parse(struct triad_params *params, unsigned int argc, char **argv,
		       const char **error)
{
	unsigned int i = 2;
	u32 nr_opts = 0;

	memset(params, 0, sizeof(*params));
	params->missing = -1;
	params->interval_ms = TRIAD_DEFAULT_INTERVAL_MS;
	params->cache_blocks = TRIAD_DEFAULT_CACHE_BLOCKS;
	params->sync_ms = TRIAD_DEFAULT_SYNC_MS;
	if (!argc)
		return fail(error, "Device missing: triad <device> [<#opts> <opts>...]");
	params->device = argv[0];
	if (argc > 1 && !parse_u32(argv[1], &nr_opts))
		return fail(error, "The number of optional arguments is not a number");
	if (argc > 1 && nr_opts != argc - 2)
		return fail(error, "The number of optional arguments does not match");

	while (i < argc) {
		const char *name = argv[i++];
		const char *value = i < argc ? argv[i] : NULL;

		if (!strcmp(name, "read_only")) {
			params->read_only = true;
			continue;
		}
		if (!strcmp(name, "backup")) {
			params->backup = true;
			continue;
		}
		if (!value)
			return fail(error, "Unknown optional argument, or its value is missing");
		i++;
		if (!strcmp(name, "root_dev")) {
			if (params->nr_root_dev == TRIAD_NR_SLOTS)
				return fail(error, "More than three root_dev");
			if (!strcmp(value, "-")) {
				if (params->missing >= 0)
					return fail(error, "More than one root_dev is missing");
				params->missing = params->nr_root_dev;
			}
			params->root_dev[params->nr_root_dev++] = value;
		} else if (!strcmp(name, "key")) {
			params->key = value;
		} else if (!strcmp(name, "interval_ms")) {
			if (!parse_u32(value, &params->interval_ms) || params->interval_ms < 10 ||
			    params->interval_ms > 86400000)
				return fail(error, "interval_ms is not between 10 and 86400000");
		} else if (!strcmp(name, "cache_blocks")) {
			if (!parse_u32(value, &params->cache_blocks) ||
			    params->cache_blocks < 64 ||
			    params->cache_blocks > TRIAD_MAX_CACHE_BLOCKS)
				return fail(error, "cache_blocks is not between 64 and 16777216");
		} else if (!strcmp(name, "on_error")) {
			params->hold = !strcmp(value, "hold");
			if (!params->hold && strcmp(value, "fail"))
				return fail(error, "on_error is not hold or fail");
		} else if (!strcmp(name, "sync")) {
			if (!triad_params_sync(value, &params->sync))
				return fail(error, "sync is not off, block, async or ro");
		} else if (!strcmp(name, "sync_ms")) {
			if (!parse_u32(value, &params->sync_ms) || params->sync_ms < 10 ||
			    params->sync_ms > 86400000)
				return fail(error, "sync_ms is not between 10 and 86400000");
		} else if (!strcmp(name, "keep_max")) {
			if (!parse_u32(value, &params->keep_max))
				return fail(error, "keep_max is not a number of blocks");
		} else if (!strcmp(name, "heartbeat_ms")) {
			if (!parse_u32(value, &params->heartbeat_ms) || params->heartbeat_ms < 100 ||
			    params->heartbeat_ms > 60000)
				return fail(error, "heartbeat_ms is not between 100 and 60000");
		} else if (!strcmp(name, "hold_ms")) {
			if (!parse_u32(value, &params->hold_ms) || params->hold_ms > 86400000)
				return fail(error, "hold_ms is not between 0 and 86400000");
		} else {
			return fail(error, "Unknown optional argument");
		}
	}
	if (params->nr_root_dev == 2)
		return fail(error, "root_dev must be given once or three times");
	if (params->nr_root_dev == 1 && params->missing >= 0)
		return fail(error, "The only root_dev is missing");
	return 0;
}
