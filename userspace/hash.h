/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash.h - H in userspace: kernel crypto API names on top of OpenSSL.
 */
#ifndef TRIAD_HASH_H
#define TRIAD_HASH_H

#include <triad/env.h>

/*
 * Make H from a name as the kernel knows it: "sha256", "sha512", "sha3-256",
 * "blake2b-512", or "hmac(NAME)" with a key.  Returns NULL, and *why says what is
 * missing, for names not known here, digests shorter than 32 bytes and keyed names
 * without key (or the reverse).
 */
struct triad_hash *triad_hash_create(const char *name, const void *key, size_t key_size,
				     const char **why);
void triad_hash_destroy(struct triad_hash *hash);

/* The names that are long enough for H, without hmac(); NULL behind the last. */
const char *triad_hash_known(unsigned int nr);

/* True for names that need a key. */
bool triad_hash_is_keyed(const char *name);

#endif
