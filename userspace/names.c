// SPDX-License-Identifier: GPL-2.0-or-later
#include "names.h"

#include <uuid/uuid.h>

#include "report.h"

int label_parse(const char *what, const char *text, u8 label[TRIAD_LABEL_SIZE])
{
	const char *c;

	memset(label, 0, TRIAD_LABEL_SIZE);
	if (strlen(text) > TRIAD_LABEL_SIZE)
		return tool_fail(TOOL_USAGE, "Nothing was changed.", "%s: longer than %d bytes", what,
				 TRIAD_LABEL_SIZE);
	for (c = text; *c; c += text_printable(c))
		if (!text_printable(c))
			return tool_fail(TOOL_USAGE, "Nothing was changed.", "%s: it takes UTF-8 text "
					 "without control characters", what);
	memcpy(label, text, strlen(text));
	return 0;
}

int uuid_take(const char *what, const char *text, u8 uuid[TRIAD_UUID_SIZE])
{
	if (!text)
		uuid_generate(uuid);
	else if (uuid_parse(text, uuid))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  Make one with uuidgen.",
				 "%s: '%s' is no UUID", what, text);
	return 0;
}

int checksum_take(const char *what, const char *text, u8 *kind)
{
	if (!text)
		return 0;
	if (strcmp(text, "xxh64") && strcmp(text, "crc32c"))
		return tool_fail(TOOL_USAGE, "Nothing was changed.",
				 "%s: '%s' is neither crc32c nor xxh64", what, text);
	*kind = strcmp(text, "xxh64") ? TRIAD_CHECKSUM_CRC32C : TRIAD_CHECKSUM_XXH64;
	return 0;
}
