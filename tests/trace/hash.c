// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * H for recorded devices: SHA-256, remembered.  Images of one trace differ little, so
 * nearly every header and root was hashed before.  What is remembered is found by 128
 * bits of another hash.
 */
#include <openssl/evp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <triad/env.h>

#define MEMO_SIZE	(1u << 16)

static struct memo {
	XXH128_hash_t key;
	u8 digest[32];
	bool used;
} memo[MEMO_SIZE];

static int digest(const void *a, size_t a_size, const void *b, size_t b_size, u8 out[32])
{
	static EVP_MD_CTX *ctx;
	static EVP_MD *md;

	if (!ctx) {
		ctx = EVP_MD_CTX_new();
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	}
	return ctx && md && EVP_DigestInit_ex(ctx, md, NULL) &&
	       (!a_size || EVP_DigestUpdate(ctx, a, a_size)) &&
	       (!b_size || EVP_DigestUpdate(ctx, b, b_size)) &&
	       EVP_DigestFinal_ex(ctx, out, NULL) ? 0 : -ENOMEM;
}

int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32])
{
	XXH128_hash_t key = XXH3_128bits_withSeed(a, a_size, 1);
	struct memo *m;
	int r = 0;

	(void)hash;
	if (b_size)
		key = XXH3_128bits_withSeed(b, b_size, key.low64 ^ (key.high64 << 1) ^ a_size);
	m = &memo[key.low64 % MEMO_SIZE];
	if (!m->used || !XXH128_isEqual(m->key, key)) {
		r = digest(a, a_size, b, b_size, m->digest);
		m->key = key;
		m->used = !r;
	}
	memcpy(out, m->digest, 32);
	return r;
}
