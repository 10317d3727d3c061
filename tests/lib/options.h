/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of the programs in tests/crash: --NAME NUMBER. */
#ifndef TEST_OPTIONS_H
#define TEST_OPTIONS_H

#include <triad/env.h>

struct number_option {
	const char *name;
	u64 *value;		/* keeps its default when the option is not given */
};

/* The table ends with a NULL name.  Exits with status 2 on anything else. */
void parse_numbers(int argc, char **argv, const struct number_option *options);

#endif
