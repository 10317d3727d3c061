// SPDX-License-Identifier: GPL-2.0-or-later
/* replay - run inputs once without libFuzzer, for builds that it is not part of. */
#include <stdio.h>

#include "image.h"

#define MAX_INPUT	(1u << 20)

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

int main(int argc, char **argv)
{
	static u8 bytes[MAX_INPUT];
	int i;

	for (i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "re");
		size_t size;

		if (!f) {
			perror(argv[i]);
			return 1;
		}
		size = fread(bytes, 1, sizeof(bytes), f);
		fclose(f);
		LLVMFuzzerTestOneInput(bytes, size);
	}
	return 0;
}
