// SPDX-License-Identifier: GPL-2.0-or-later
/* What a device is, for udev and for people. */
#include <blkid/blkid.h>
#include <stdio.h>

#include "probe.h"
#include "report.h"

/* As udev's own blkid does: NAME for people, NAME_ENC for the name of a link. */
static void print_property(const char *name, const char *value)
{
	char text[4 * TEXT_SIZE + 1];

	if (!blkid_safe_string(value, text, sizeof(text)))
		printf("%s=%s\n", name, text);
	if (!blkid_encode_string(value, text, sizeof(text)))
		printf("%s_ENC=%s\n", name, text);
}

static void print_udev(const struct probe *found, const char *uuid)
{
	printf("ID_FS_TYPE=%s\n", found->root_device ? "triad_root" : "triad");
	printf("ID_FS_USAGE=other\nID_FS_VERSION=%u\n", TRIAD_FORMAT_VERSION);
	print_property("ID_FS_UUID", uuid);
	if (found->label[0])
		print_property("ID_FS_LABEL", found->label);
}

static void add_json(const struct probe *found, const char *uuid, const char *label)
{
	struct json_object *out = json_document();

	json_add_text(out, "type", found->root_device ? "triad_root" : "triad");
	json_add_text(out, "uuid", uuid);
	json_add_text(out, "label", label);
	json_add_number(out, "version", TRIAD_FORMAT_VERSION);
}

int cmd_probe(const struct options *opt)
{
	char uuid[TEXT_SIZE], label[TEXT_SIZE];
	const char *path = opt->args[0];
	struct probe found;
	int r;

	if (opt->json)
		json_add_text(json_document(), "device", path);
	r = probe_device(path, &found);
	if (r && opt->udev)
		return tool_exit_of(r);
	if (r == -ENODATA)
		return tool_fail(TOOL_DEVICE, "Nothing was changed.", "%s: no dm-triad device", path);
	if (r)
		return tool_fail_open(path, r, false);
	text_uuid(found.uuid, uuid);
	text_label((const u8 *)found.label, sizeof(found.label), label);
	if (opt->udev)
		print_udev(&found, uuid);
	else if (opt->json)
		add_json(&found, uuid, label);
	else
		printf("%s: %s, UUID %s%s%s\n", path, found.root_device ? "triad_root" : "triad", uuid,
		       label[0] ? ", label " : "", label);
	return 0;
}
