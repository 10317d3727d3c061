// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

void parse_numbers(int argc, char **argv, const struct number_option *options)
{
	const struct number_option *o;
	char *end;
	int i;

	for (i = 1; i < argc; i += 2) {
		for (o = options; o->name; o++)
			if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, o->name))
				break;
		if (!o->name || i + 1 == argc) {
			fprintf(stderr, "%s: %s: not an option with a number\n", argv[0], argv[i]);
			exit(2);
		}
		*o->value = strtoull(argv[i + 1], &end, 0);
		if (!*argv[i + 1] || *end) {
			fprintf(stderr, "%s: %s: not a number\n", argv[0], argv[i + 1]);
			exit(2);
		}
	}
}
