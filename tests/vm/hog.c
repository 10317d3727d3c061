// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hog MIB [PASSES]: use so much memory that it must be swapped, and see that what comes
 * back is what went.  Exit status 1: it is not.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_WORDS	512

static uint64_t word(size_t i, unsigned int pass)
{
	return (i + 1) * 0x9e3779b97f4a7c15ULL ^ pass;
}

int main(int argc, char **argv)
{
	size_t nr, i, bytes = argc > 1 ? strtoull(argv[1], NULL, 10) << 20 : 0;
	unsigned int pass, passes = argc > 2 ? atoi(argv[2]) : 2;
	uint64_t *memory;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!bytes || memory == MAP_FAILED) {
		fprintf(stderr, "hog: cannot have that much memory\n");
		return 2;
	}
	nr = bytes / sizeof(*memory);
	/* no two pages alike, the first and the last word of each tell */
	for (pass = 0; pass < passes; pass++) {
		for (i = 0; i < nr; i += PAGE_WORDS)
			memory[i] = memory[i + PAGE_WORDS - 1] = word(i, pass);
		for (i = 0; i < nr; i += PAGE_WORDS) {
			if (memory[i] != word(i, pass) ||
			    memory[i + PAGE_WORDS - 1] != word(i, pass)) {
				fprintf(stderr, "hog: page %zu came back wrong\n", i / PAGE_WORDS);
				return 1;
			}
		}
	}
	return 0;
}
