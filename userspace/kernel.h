/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.h - what the running kernel has, and what it says.
 */
#ifndef TRIAD_KERNEL_H
#define TRIAD_KERNEL_H

#include <triad/env.h>

/*
 * False only if the kernel was asked and lacks this hash; its modules are looked
 * for, too.  Needs no rights.
 */
bool kernel_may_have_hash(const char *name);

/* The kernel's release, as uname -r prints it. */
const char *kernel_release(void);

/* Has it a key of this signer, from firmware, the machine's owner or whoever built it? */
bool kernel_trusts(const char *signer);

/* The certificate of the key that dkms signs modules with here; "KEY" if there is none. */
const char *kernel_signing_key(void);

/*
 * What device-mapper says in the kernel's log from begin on: lines that belong below
 * a sentence, each begun with a line end and a margin.  NULL if it says nothing or
 * the log may not be read; the caller frees it.  end takes what begin returned.
 */
int kernel_log_begin(void);
char *kernel_log_end(int log);

#endif
