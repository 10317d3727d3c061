// SPDX-License-Identifier: GPL-2.0-or-later
#include "hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define MAX_DIGEST	64

struct triad_hash {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	EVP_MAC_CTX *mac;	/* NULL when not keyed */
	unsigned char *key;
	size_t key_size;
};

bool triad_hash_is_keyed(const char *name)
{
	return !strncmp(name, "hmac(", 5);
}

/*
 * Kernel names and OpenSSL's.  OpenSSL knows more spellings ("SHA2-256") and more
 * hashes (sm3), but a device sealed with such a one could not be opened by Debian's
 * kernels.
 */
static const struct {
	const char *kernel, *openssl;
} digests[] = {
	{ "sha256", "SHA256" },		{ "sha384", "SHA384" },		{ "sha512", "SHA512" },
	{ "sha3-256", "SHA3-256" },	{ "sha3-384", "SHA3-384" },	{ "sha3-512", "SHA3-512" },
	{ "blake2b-512", "BLAKE2b512" },
	/* too short for H, which is then said */
	{ "sha1", "SHA1" },		{ "sha224", "SHA224" },		{ "md5", "MD5" },
};

#define NR_LONG_ENOUGH	7

const char *triad_hash_known(unsigned int nr)
{
	return nr < NR_LONG_ENOUGH ? digests[nr].kernel : NULL;
}

/* The digest inside of name in OpenSSL's spelling, or NULL. */
static const char *digest_name(const char *name)
{
	size_t i, n = strlen(name);

	if (triad_hash_is_keyed(name)) {
		if (name[n - 1] != ')')
			return NULL;
		name += 5;
		n -= 6;
	}
	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		if (strlen(digests[i].kernel) == n && !memcmp(digests[i].kernel, name, n))
			return digests[i].openssl;
	return NULL;
}

struct triad_hash *triad_hash_create(const char *name, const void *key, size_t key_size,
				     const char **why)
{
	struct triad_hash *hash = calloc(1, sizeof(*hash));
	const char *digest = digest_name(name);
	EVP_MAC *mac;

	*why = "out of memory";
	if (!hash)
		return NULL;
	hash->md = digest ? EVP_MD_fetch(NULL, digest, NULL) : NULL;
	if (!hash->md) {
		*why = "it is not known here; there are sha256, sha384, sha512, sha3-256, sha3-384, "
		       "sha3-512, blake2b-512, and hmac() of each";
		goto err;
	}
	if (EVP_MD_get_size(hash->md) < 32) {
		*why = "its digest is shorter than 32 bytes";
		goto err;
	}
	if (triad_hash_is_keyed(name) != (key != NULL)) {
		*why = key ? "it takes no key, but one was given" : "it needs a key: --key-file";
		goto err;
	}
	hash->ctx = EVP_MD_CTX_new();
	if (!hash->ctx)
		goto err;
	if (key) {
		OSSL_PARAM params[2] = {
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0),
			OSSL_PARAM_construct_end(),
		};

		mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
		hash->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
		EVP_MAC_free(mac);
		hash->key = malloc(key_size ? key_size : 1);
		if (!hash->mac || !hash->key || !EVP_MAC_CTX_set_params(hash->mac, params))
			goto err;
		memcpy(hash->key, key, key_size);
		hash->key_size = key_size;
	}
	return hash;
err:
	triad_hash_destroy(hash);
	return NULL;
}

void triad_hash_destroy(struct triad_hash *hash)
{
	if (!hash)
		return;
	EVP_MAC_CTX_free(hash->mac);
	EVP_MD_CTX_free(hash->ctx);
	EVP_MD_free(hash->md);
	if (hash->key)
		explicit_bzero(hash->key, hash->key_size);
	free(hash->key);
	free(hash);
}

int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32])
{
	unsigned char digest[MAX_DIGEST];
	unsigned int n;
	size_t m;
	int ok;

	if (hash->mac)
		ok = EVP_MAC_init(hash->mac, hash->key, hash->key_size, NULL) &&
		     (!a_size || EVP_MAC_update(hash->mac, a, a_size)) &&
		     (!b_size || EVP_MAC_update(hash->mac, b, b_size)) &&
		     EVP_MAC_final(hash->mac, digest, &m, sizeof(digest));
	else
		ok = EVP_DigestInit_ex(hash->ctx, hash->md, NULL) &&
		     (!a_size || EVP_DigestUpdate(hash->ctx, a, a_size)) &&
		     (!b_size || EVP_DigestUpdate(hash->ctx, b, b_size)) &&
		     EVP_DigestFinal_ex(hash->ctx, digest, &n);
	if (!ok)
		return -ENOMEM;
	memcpy(out, digest, 32);
	return 0;
}
