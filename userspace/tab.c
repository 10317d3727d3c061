// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tab.h"

#include <stdio.h>

#include "params.h"

static const char blanks[] = " \t\r\n";

const char *tab_path(void)
{
	const char *path = getenv("TRIADTAB");

	return path ? path : TAB_PATH;
}

/* "\040" is a blank, as in fstab; in place. */
static void unescape(char *word)
{
	char *to = word;

	for (; *word; to++) {
		if (word[0] == '\\' && word[1] >= '0' && word[1] <= '3' && word[2] >= '0' &&
		    word[2] <= '7' && word[3] >= '0' && word[3] <= '7') {
			*to = (word[1] - '0') << 6 | (word[2] - '0') << 3 | (word[3] - '0');
			word += 4;
		} else {
			*to = *word++;
		}
	}
	*to = 0;
}

static bool take_number(const char *value, u32 *number)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	*number = n;
	return *value >= '0' && *value <= '9' && !*end && n <= UINT32_MAX;
}

/* What is said of a flag: the option has no value. */
static bool *flag_of(struct tab_entry *e, const char *name)
{
	return !strcmp(name, "noauto") ? &e->noauto :
	       !strcmp(name, "nofail") ? &e->nofail :
	       !strcmp(name, "_netdev") ? &e->netdev :
	       !strcmp(name, "x-initrd.attach") ? &e->initrd :
	       !strcmp(name, "reserve") ? &e->opt.reserve :
	       !strcmp(name, "wait") ? &e->opt.wait :
	       !strcmp(name, "read-only") ? &e->opt.read_only :
	       !strcmp(name, "backup") ? &e->opt.backup : NULL;
}

/* NULL, or what is wrong with it. */
static const char *take_option(struct tab_entry *e, char *option)
{
	enum triad_sync sync;
	struct options *opt = &e->opt;
	char *value = strchr(option, '=');
	bool *flag;

	if (value)
		*value++ = 0;
	flag = flag_of(e, option);
	if (flag) {
		*flag = true;
		return value ? "this option takes no value" : NULL;
	}
	if (!strcmp(option, "x-systemd.device-timeout")) {
		e->device_timeout = value;
		return value && *value ? NULL : "this option needs a value";
	}
	/* other programs' */
	if (!strncmp(option, "x-", 2))
		return NULL;
	if (!value)
		return "there is no such option, or it needs a value";
	if (!strcmp(option, "root-device")) {
		if (opt->nr_root_devices == TOOL_MAX_ROOTS)
			return "more than three root devices";
		opt->root_device[opt->nr_root_devices++] = value;
		return NULL;
	}
	if (!strcmp(option, "on-error")) {
		opt->on_error = value;
		return !strcmp(value, "hold") || !strcmp(value, "fail") ? NULL :
		       "it is on-error=hold or on-error=fail";
	}
	if (!strcmp(option, "hold-ms"))
		return take_number(value, &opt->hold_ms) ? NULL : "this is no number";
	if (!strcmp(option, "sync")) {
		opt->sync = value;
		return triad_params_sync(value, &sync) ? NULL :
		       "it is sync=off, sync=block, sync=async or sync=ro";
	}
	if (!strcmp(option, "sync-ms"))
		return take_number(value, &opt->sync_ms) && opt->sync_ms >= 10 ? NULL :
		       "this is no number from 10";
	if (!strcmp(option, "keep-max"))
		return take_number(value, &opt->keep_max) ? NULL : "this is no number";
	if (!strcmp(option, "interval-ms"))
		return take_number(value, &opt->interval_ms) && opt->interval_ms >= 10 ? NULL :
		       "this is no number from 10";
	if (!strcmp(option, "cache-blocks"))
		return take_number(value, &opt->cache_blocks) && opt->cache_blocks >= 64 ? NULL :
		       "this is no number from 64";
	return "there is no such option";
}

static bool is_none(const char *word)
{
	return !word || !strcmp(word, "-") || !strcmp(word, "none");
}

/* NULL, or what is wrong with the line. */
static const char *parse(struct tab_entry *e)
{
	char *rest = NULL, *key, *options, *option, *comma = NULL;
	const char *why = NULL;

	e->name = strtok_r(e->text, blanks, &rest);
	e->device = strtok_r(NULL, blanks, &rest);
	key = strtok_r(NULL, blanks, &rest);
	options = strtok_r(NULL, blanks, &rest);
	if (!e->device)
		return "a name and a device are needed";
	if (strtok_r(NULL, blanks, &rest))
		return "more than four fields";
	unescape((char *)e->device);
	if (!is_none(key)) {
		unescape(key);
		e->opt.key_file = key;
	}
	if (is_none(options))
		return NULL;
	for (option = strtok_r(options, ",", &comma); option && !why;
	     option = strtok_r(NULL, ",", &comma)) {
		unescape(option);
		why = take_option(e, option);
	}
	if (!why && e->initrd && e->opt.reserve)
		why = "an initramfs does not know this host's name: reserve does not go with x-initrd.attach";
	return why;
}

const struct tab_entry *tab_find(const struct tab *tab, const char *name)
{
	unsigned int i;

	for (i = 0; i < tab->nr; i++)
		if (!strcmp(tab->entry[i].name, name))
			return &tab->entry[i];
	return NULL;
}

bool tab_is_file(const char *device)
{
	return device[0] == '/' && strncmp(device, "/dev/", 5);
}

int tab_read(struct tab *tab, void (*complain)(const char *path, unsigned int line, const char *why))
{
	const char *path = tab_path(), *why;
	unsigned int line = 0;
	char *text = NULL;
	size_t size = 0;
	FILE *f;

	memset(tab, 0, sizeof(*tab));
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&text, &size, f) > 0) {
		struct tab_entry e = { 0 };

		line++;
		if (!text[strspn(text, blanks)] || text[strspn(text, blanks)] == '#')
			continue;
		e.text = text;
		text = NULL;
		size = 0;
		why = parse(&e);
		if (!why && tab_find(tab, e.name))
			why = "there is a line of this name already";
		if (!why && tab->nr == TAB_MAX)
			why = "too many lines";
		if (!why) {
			tab->entry[tab->nr++] = e;
			continue;
		}
		complain(path, line, why);
		tab->nr_wrong++;
		free(e.text);
	}
	free(text);
	fclose(f);
	return 0;
}

void tab_free(struct tab *tab)
{
	while (tab->nr)
		free(tab->entry[--tab->nr].text);
}
