// SPDX-License-Identifier: GPL-2.0-or-later
#include "locate.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <dirent.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "device.h"
#include "probe.h"

struct search {
	const char *tag;	/* as it was typed */
	const char *label;	/* or NULL: the UUID */
	uuid_t uuid;
	char path[3][512];	/* the first of those that have it */
	unsigned int nr;
	char user[512];		/* of one that is in use */
	char used[512];
	unsigned int unreadable;
};

static bool read_word(const char *dir, const char *file, char *word, size_t size)
{
	char path[768];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	ok = f && fgets(word, size, f);
	if (f)
		fclose(f);
	if (ok)
		word[strcspn(word, "\n")] = 0;
	return ok;
}

static void node_of(const char *dir, const char *name, char *path, size_t size)
{
	char word[256], *p;

	if (read_word(dir, "dm/name", word, sizeof(word))) {
		snprintf(path, size, "%s/%s", dm_dir(), word);
		return;
	}
	snprintf(path, size, "/dev/%s", name);
	for (p = path; (p = strchr(p, '!')); )
		*p = '/';
}

/* What is made of it, so that itself it is not meant: a path of a multipath, a RAID's disk. */
static bool is_held(const char *dir, char *holder, size_t size)
{
	char path[768];
	struct dirent *entry;
	bool held = false;
	DIR *holders;

	snprintf(path, sizeof(path), "%s/holders", dir);
	holders = opendir(path);
	while (holders && (entry = readdir(holders)))
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof(path), "/sys/class/block/%s", entry->d_name);
			node_of(path, entry->d_name, holder, size);
			held = true;
		}
	if (holders)
		closedir(holders);
	return held;
}

static bool matches(const struct search *s, const struct probe *found)
{
	if (found->root_device)
		return false;
	return s->label ? !strcmp(s->label, found->label) :
	       !memcmp(s->uuid, found->uuid, sizeof(s->uuid));
}

static void look_at(struct search *s, const char *name)
{
	char dir[512], path[512], size[32], holder[512];
	struct probe found;
	int r;

	snprintf(dir, sizeof(dir), "/sys/class/block/%.255s", name);
	if (!read_word(dir, "size", size, sizeof(size)) ||
	    strtoull(size, NULL, 10) < TRIAD_MIN_BLOCKS * TRIAD_SECTORS_PER_BLOCK)
		return;
	node_of(dir, name, path, sizeof(path));
	r = probe_device(path, &found);
	s->unreadable += r == -EACCES || r == -EPERM;
	if (r || !matches(s, &found))
		return;
	if (is_held(dir, holder, sizeof(holder))) {
		snprintf(s->used, sizeof(s->used), "%s", path);
		snprintf(s->user, sizeof(s->user), "%s", holder);
		return;
	}
	if (s->nr < 3)
		strcpy(s->path[s->nr], path);
	s->nr++;
}

static int judge(const struct search *s, const char **path)
{
	if (s->nr == 1) {
		*path = strdup(s->path[0]);
		return *path ? 0 : tool_fail(TOOL_MEMORY, "Nothing was changed.", "out of memory");
	}
	if (s->nr)
		return tool_fail(TOOL_BUSY, "Nothing was changed.  One may be a copy of the other: "
				 "name the device that is meant.", "%s: %u devices have it: %s, %s%s%s",
				 s->tag, s->nr, s->path[0], s->path[1], s->nr > 2 ? ", " : "",
				 s->path[2]);
	if (s->user[0])
		return tool_fail(TOOL_BUSY, "Nothing was changed.", "%s: %s has it, and is part of %s",
				 s->tag, s->used, s->user);
	return tool_fail(s->unreadable ? TOOL_PERMISSION : TOOL_DEVICE, s->unreadable ?
			 "Nothing was changed.  Run it as root: there are devices that cannot be read." :
			 "Nothing was changed.  Devices whose roots lie elsewhere have to be named.",
			 "%s: no dm-triad device has it", s->tag);
}

static int search(struct search *s, const char **path)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/class/block");

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			look_at(s, entry->d_name);
	if (dir)
		closedir(dir);
	return judge(s, path);
}

static const char *value_of(const char *tag, const char *name)
{
	size_t n = strlen(name);

	return strncmp(tag, name, n) ? NULL : tag + n;
}

int locate(const char **path)
{
	const char *tag = *path, *value;
	struct search s = { .tag = tag };

	if (value_of(tag, "PARTUUID=") || value_of(tag, "PARTLABEL=")) {
		value = strchr(tag, '=');
		*path = blkid_evaluate_tag(tag[4] == 'U' ? "PARTUUID" : "PARTLABEL", value + 1, NULL);
		return *path ? 0 : tool_fail(TOOL_DEVICE, "Nothing was changed.  See lsblk -o "
					     "+PARTUUID,PARTLABEL.", "%s: no partition has it", tag);
	}
	s.label = value_of(tag, "LABEL=");
	value = value_of(tag, "UUID=");
	if (value && uuid_parse(value, s.uuid))
		return tool_fail(TOOL_USAGE, "Nothing was changed.", "%s: this is no UUID", tag);
	return s.label || value ? search(&s, path) : 0;
}

/* As an instance of a unit has it: "a\x2bb" is a+b.  No name of ours has a backslash. */
static void unescape(char *name)
{
	char *to = name, byte[3] = "";

	for (; *name; to++) {
		bool spelled = name[0] == '\\' && name[1] == 'x' && isxdigit((unsigned char)name[2]) &&
			       isxdigit((unsigned char)name[3]);

		*to = spelled ? (char)strtoul(memcpy(byte, name + 2, 2), NULL, 16) : *name;
		name += spelled ? 4 : 1;
	}
	*to = 0;
}

int locate_devices(struct options *opt, const char *args)
{
	unsigned int i;
	int nr, r = 0;

	for (nr = 0; nr < opt->nr_args && *args && !r; nr++) {
		if (!strncmp(args + (*args == '['), "DEVICE", 6))
			r = locate((const char **)&opt->args[nr]);
		else if (!strncmp(args + (*args == '['), "NAME", 4))
			unescape(opt->args[nr]);
		args += strcspn(args, " ");
		args += strspn(args, " ");
	}
	for (i = 0; i < opt->nr_root_devices && !r; i++)
		r = locate(&opt->root_device[i]);
	return r;
}
