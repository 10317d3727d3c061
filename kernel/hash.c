// SPDX-License-Identifier: GPL-2.0-or-later
/* H: a keyed or plain hash of the kernel's crypto API. */
#include <linux/key.h>
#include <keys/user-type.h>

#include "triad.h"
#include "compat.h"

struct triad_hash {
	struct crypto_shash *tfm;
};

int triad_hash(struct triad_hash *hash, const void *a, size_t a_size,
	       const void *b, size_t b_size, u8 out[32])
{
	SHASH_DESC_ON_STACK(desc, hash->tfm);
	u8 digest[HASH_MAX_DIGESTSIZE];
	int r;

	desc->tfm = hash->tfm;
	r = crypto_shash_init(desc);
	if (!r && a_size)
		r = crypto_shash_update(desc, a, a_size);
	if (!r && b_size)
		r = crypto_shash_update(desc, b, b_size);
	if (!r)
		r = crypto_shash_final(desc, digest);
	shash_desc_zero(desc);
	if (!r)
		memcpy(out, digest, TRIAD_HASH_SIZE);
	return r;
}

static int set_key_hex(struct crypto_shash *tfm, const char *text)
{
	size_t size = strlen(text) / 2;
	u8 *raw;
	int r;

	if (!size || strlen(text) % 2)
		return -EINVAL;
	raw = kmalloc(size, GFP_KERNEL);
	if (!raw)
		return -ENOMEM;
	r = hex2bin(raw, text, size);
	if (!r)
		r = crypto_shash_setkey(tfm, raw, size);
	kfree_sensitive(raw);
	return r;
}

#ifdef CONFIG_KEYS
/* ":<size>:<type>:<description>", as dm-crypt writes it */
static int set_key_keyring(struct crypto_shash *tfm, const char *text)
{
	const struct user_key_payload *payload;
	struct key_type *type;
	const char *description;
	unsigned int size;
	struct key *key;
	int n = 0, r;

	if (sscanf(text, ":%u:%n", &size, &n) != 1 || !n)
		return -EINVAL;
	text += n;
	if (!strncmp(text, "logon:", 6))
		type = &key_type_logon;
	else if (!strncmp(text, "user:", 5))
		type = &key_type_user;
	else
		return -EINVAL;
	description = strchr(text, ':') + 1;
	key = request_key(type, description, NULL);
	if (IS_ERR(key))
		return PTR_ERR(key);
	down_read(&key->sem);
	payload = user_key_payload_locked(key);
	if (!payload)
		r = -EKEYREVOKED;
	else if (payload->datalen != size)
		r = -EINVAL;
	else
		r = crypto_shash_setkey(tfm, payload->data, size);
	up_read(&key->sem);
	key_put(key);
	return r;
}
#else
static int set_key_keyring(struct crypto_shash *tfm, const char *text)
{
	return -EOPNOTSUPP;
}
#endif

struct triad_hash *triad_hash_create(const char *name, const char *key, char **error)
{
	struct triad_hash *hash = kzalloc(sizeof(*hash), GFP_KERNEL);
	int r = -EINVAL;

	*error = "Out of memory";
	if (!hash)
		return ERR_PTR(-ENOMEM);
	hash->tfm = crypto_alloc_shash(name, 0, 0);
	if (IS_ERR(hash->tfm)) {
		*error = "The hash this device was formatted with is not in this kernel";
		r = PTR_ERR(hash->tfm);
		kfree(hash);
		return ERR_PTR(r);
	}
	if (crypto_shash_digestsize(hash->tfm) < TRIAD_HASH_SIZE) {
		*error = "The hash's digest is shorter than 32 bytes";
		goto err;
	}
	if (key) {
		r = *key == ':' ? set_key_keyring(hash->tfm, key) : set_key_hex(hash->tfm, key);
		*error = "The key cannot be used";
		if (r)
			goto err;
	} else if (crypto_shash_get_flags(hash->tfm) & CRYPTO_TFM_NEED_KEY) {
		*error = "This device was formatted with a keyed hash: give its key";
		r = -ENOKEY;
		goto err;
	}
	return hash;
err:
	triad_hash_destroy(hash);
	return ERR_PTR(r);
}

void triad_hash_destroy(struct triad_hash *hash)
{
	if (!hash)
		return;
	crypto_free_shash(hash->tfm);
	kfree(hash);
}
