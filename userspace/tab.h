/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tab.h - /etc/triadtab: what is to be opened, for the tool and for systemd's generator.
 * triadtab(5) describes it.
 */
#ifndef TRIAD_TAB_H
#define TRIAD_TAB_H

#include "tool.h"

#define TAB_PATH	"/etc/triadtab"		/* TRIADTAB in the environment: another one */
#define TAB_MAX		256

struct tab_entry {
	char *text;		/* all strings point into it */
	const char *name;
	const char *device;	/* a path or TAG=VALUE */
	struct options opt;	/* those of open */
	bool noauto, nofail, netdev, initrd;
	const char *device_timeout;	/* as systemd takes it, or NULL */
};

struct tab {
	struct tab_entry entry[TAB_MAX];
	unsigned int nr;
	unsigned int nr_wrong;	/* lines that were left out */
};

/*
 * Read it.  complain is told of each line that cannot be taken; the others are there.  0 or
 * -errno; -ENOENT: there is no such file.
 */
int tab_read(struct tab *tab, void (*complain)(const char *path, unsigned int line, const char *why));
void tab_free(struct tab *tab);

const char *tab_path(void);

/* NULL: it is not there. */
const struct tab_entry *tab_find(const struct tab *tab, const char *name);

/* It has to be made a loop device first: neither a tag nor below /dev. */
bool tab_is_file(const char *device);

#endif
