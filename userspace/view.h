/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view.h - a device as the reading commands see it: roots, letters, content.
 *
 * Nothing here writes.  All functions return an exit code and have said what is
 * wrong when it is not 0.
 */
#ifndef TRIAD_VIEW_H
#define TRIAD_VIEW_H

#include "device.h"
#include "tool.h"

struct view {
	const char *path;
	char *args;			/* how a command names it: options and path, quoted */
	struct disk disk;
	struct triad_hash *hash;	/* NULL when no slot holds a root */
	struct triad_slot slots[TRIAD_NR_SLOTS];
	struct triad_choice choice;	/* case 4 when nothing is proven */
	u8 *key;
	size_t key_size;
	struct triad_core core;
	bool opened;			/* core is */
};

/*
 * Open the devices, read and judge the roots.  A refusal (case 4) is no error here.
 * Tells --json the device, and, once they are known, its UUID and label.
 */
int view_probe(struct view *view, const struct options *opt, const char *path);

/* The same for a command that will write: the devices must be used by nobody else. */
int view_probe_to_write(struct view *view, const struct options *opt, const char *path);

/* A command that changes a closed device: open it, make the change, close it. */
int view_change(const struct options *opt, const char *path,
		int (*change)(struct view *view, const struct options *opt));

/* Refuse if the loaded core uses features that this program cannot write. */
int view_may_write(const struct view *view);

/* One of three root devices is missing, or cannot be read: two roots carry on. */
bool view_has_lost(const struct view *view);

/* Say why nothing can be proven; the exit code is that of the refusal. */
int view_refuse(const struct view *view);

/* The current root, or NULL in case 4. */
const struct triad_root *view_current(const struct view *view);

/* The device is shorter than its current root says. */
bool view_too_short(const struct view *view);

/* Refuse what cannot be opened, as far as the roots tell; reads nothing more. */
int view_ready(struct view *view);

/* Refuse another number of root devices than it was formatted with. */
int view_layout(const struct view *view);
/* Refuse if there is no backup to be looked at; ready must have said yes. */
int view_ready_backup(const struct view *view);

/* Say that it is shown, and how old it is. */
void view_tell_backup(const struct view *view);

/*
 * Load the core: probe must have found a current root, else this refuses.  With core.receives
 * set also an incomplete replica.
 */
int view_open(struct view *view);

/* The same of the backup alone: what it holds is the state of the last commit but one. */
int view_open_backup(struct view *view);

/* Say why the backup could not be had, from a negative errno. */
int view_fail_backup(const struct view *view, int error);

/* 'a', 'b', 'c', or '-' for a slot that holds nothing usable. */
char view_letter(const struct view *view, unsigned int slot);

/* What the slot is used for, in words. */
const char *view_use(const struct view *view, unsigned int slot);

/* In words, what the case of design section 2 means. */
const char *view_case(const struct triad_choice *choice);

/* Whose root lies there, " (UUID ...)", if it can be told, else ""; text has TEXT_SIZE bytes. */
const char *view_owner(const struct triad_slot *slot, char *text);

/* A line with its UUID and label, if there is a current root. */
void view_print_name(const struct view *view);

void view_close(struct view *view);

/* Read a key from a file of hexadecimal digits; the caller frees it. */
int key_read(const char *path, u8 **key, size_t *size);
void key_free(u8 *key, size_t size);

#endif
