// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "params.h"

#define MAX_ARGS	20

/* Words of a table line, separated by one space. */
static int parse(struct triad_params *params, const char *line, const char **error)
{
	static char text[512];
	char *argv[MAX_ARGS], *p;
	unsigned int argc = 0;

	strcpy(text, line);
	for (p = strtok(text, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	*error = NULL;
	return triad_params_parse(params, argc, argv, error);
}

static void a_device_alone_gets_the_defaults(void **state)
{
	struct triad_params p;
	const char *error;

	(void)state;
	assert_int_equal(parse(&p, "/dev/sda", &error), 0);
	assert_string_equal(p.device, "/dev/sda");
	assert_int_equal(p.nr_root_dev, 0);
	assert_false(p.read_only);
	assert_false(p.backup);
	assert_null(p.key);
	assert_int_equal(p.interval_ms, TRIAD_DEFAULT_INTERVAL_MS);
	assert_int_equal(p.cache_blocks, TRIAD_DEFAULT_CACHE_BLOCKS);
	assert_int_equal(parse(&p, "/dev/sda 0", &error), 0);
}

static void every_option_is_taken(void **state)
{
	struct triad_params p;
	const char *error;

	(void)state;
	assert_int_equal(parse(&p, "a 14 root_dev b root_dev c read_only backup root_dev d key "
			       "00ff interval_ms 10 cache_blocks 64", &error), 0);
	assert_string_equal(p.root_dev[0], "b");
	assert_string_equal(p.root_dev[1], "c");
	assert_string_equal(p.root_dev[2], "d");
	assert_int_equal(p.nr_root_dev, 3);
	assert_int_equal(p.missing, -1);
	assert_true(p.read_only);
	assert_true(p.backup);
	assert_string_equal(p.key, "00ff");
	assert_int_equal(p.interval_ms, 10);
	assert_int_equal(p.cache_blocks, 64);
	assert_int_equal(parse(&p, "a 4 interval_ms 86400000 cache_blocks 16777216", &error), 0);
	assert_int_equal(p.interval_ms, 86400000);
	assert_int_equal(p.cache_blocks, 16777216);
	assert_int_equal(p.keep_max, 0);
	assert_int_equal(parse(&p, "a 2 keep_max 4294967295", &error), 0);
	assert_int_equal(p.keep_max, 4294967295u);
	assert_int_equal(p.heartbeat_ms, 0);
	assert_int_equal(parse(&p, "a 2 heartbeat_ms 2000", &error), 0);
	assert_int_equal(p.heartbeat_ms, 2000);
	assert_int_equal(p.sync, TRIAD_SYNC_OFF);
	assert_int_equal(p.sync_ms, TRIAD_DEFAULT_SYNC_MS);
	assert_int_equal(parse(&p, "a 4 sync ro sync_ms 10", &error), 0);
	assert_int_equal(p.sync, TRIAD_SYNC_RO);
	assert_int_equal(p.sync_ms, 10);
	assert_int_equal(parse(&p, "a 2 sync async", &error), 0);
	assert_int_equal(p.sync, TRIAD_SYNC_ASYNC);
	assert_int_equal(parse(&p, "a 2 sync block", &error), 0);
	assert_int_equal(p.sync, TRIAD_SYNC_BLOCK);
	assert_string_equal(triad_params_sync_name(p.sync), "block");
	assert_int_equal(parse(&p, "a 2 sync off", &error), 0);
	assert_int_equal(p.sync, TRIAD_SYNC_OFF);
}

static void wrong_lines_are_refused_with_a_reason(void **state)
{
	static const struct { const char *line, *reason; } wrong[] = {
		{ "", "Device missing" },
		{ "a x", "not a number" },
		{ "a 1x read_only", "not a number" },
		{ "a /", "not a number" },
		{ "a 4294967296", "not a number" },
		{ "a 2 read_only", "does not match" },
		{ "a 0 read_only", "does not match" },
		{ "a 1 root_dev", "value is missing" },
		{ "a 2 nonsense 1", "Unknown optional argument" },
		{ "a 8 root_dev b root_dev b root_dev b root_dev b", "More than three" },
		{ "a 4 root_dev b root_dev b", "once or three times" },
		{ "a 2 root_dev -", "only root_dev is missing" },
		{ "a 6 root_dev - root_dev b root_dev -", "More than one" },
		{ "a 2 interval_ms x", "interval_ms" },
		{ "a 2 interval_ms 9", "interval_ms" },
		{ "a 2 interval_ms 86400001", "interval_ms" },
		{ "a 2 cache_blocks 63", "cache_blocks" },
		{ "a 2 keep_max 4294967296", "keep_max" },
		{ "a 2 keep_max many", "keep_max" },
		{ "a 2 heartbeat_ms 99", "heartbeat_ms" },
		{ "a 2 heartbeat_ms 60001", "heartbeat_ms" },
		{ "a 2 sync both", "sync is not" },
		{ "a 2 sync_ms 9", "sync_ms" },
		{ "a 2 sync_ms 86400001", "sync_ms" },
		{ "a 2 cache_blocks -1", "cache_blocks" },
		{ "a 2 cache_blocks 16777217", "cache_blocks" },
		{ "a 2 cache_blocks 4294967295", "cache_blocks" },
	};
	struct triad_params p;
	const char *error;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(&p, wrong[i].line, &error), -EINVAL);
		assert_non_null(strstr(error, wrong[i].reason));
	}
}

static void an_empty_number_is_none(void **state)
{
	char *argv[] = { "a", "" };
	struct triad_params p;
	const char *error;

	(void)state;
	assert_int_equal(triad_params_parse(&p, 2, argv, &error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_alone_gets_the_defaults),
		cmocka_unit_test(every_option_is_taken),
		cmocka_unit_test(wrong_lines_are_refused_with_a_reason),
		cmocka_unit_test(an_empty_number_is_none),
	};

	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
