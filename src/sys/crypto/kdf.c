/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crypto/kdf.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

int crypto_init(struct error *err)
{
    if (sodium_init() < 0) {
        return error_set(err, EIO, "libsodium cannot be initialised");
    }
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
                                OPENSSL_INIT_ADD_ALL_DIGESTS,
                            NULL) != 1) {
        return error_set(err, EIO, "OpenSSL cannot be initialised");
    }
    return 0;
}

_Static_assert((int)crypto_shorthash_KEYBYTES == KEYED_HASH_KEY_LEN &&
                   crypto_shorthash_BYTES == sizeof(uint64_t),
               "SipHash-2-4");

void sha256(const void *data, size_t len, uint8_t ret[KDF_HASH_LEN])
{
    crypto_hash_sha256(ret, len ? data : (const void *)"", len);
}

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct sha256), "its state fits");
_Static_assert(_Alignof(crypto_hash_sha256_state) <= 8, "and may lie where a uint64_t may");

static crypto_hash_sha256_state *state_of(struct sha256 *s)
{
    return (crypto_hash_sha256_state *)(void *)s->state;
}

void sha256_begin(struct sha256 *s)
{
    crypto_hash_sha256_init(state_of(s));
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
    crypto_hash_sha256_update(state_of(s), len ? data : (const void *)"", len);
}

void sha256_end(struct sha256 *s, uint8_t ret[KDF_HASH_LEN])
{
    crypto_hash_sha256_final(state_of(s), ret);
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t ret[KDF_HASH_LEN])
{
    crypto_auth_hmacsha256_state s;
    /* libsodium takes no NULL, and callers may say "nothing" by that */
    crypto_auth_hmacsha256_init(&s, key_len ? key : "", key_len);
    crypto_auth_hmacsha256_update(&s, len ? data : "", len);
    crypto_auth_hmacsha256_final(&s, ret);
    secure_wipe(&s, sizeof(s));
}

void hkdf_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
                  uint8_t ret_prk[KDF_HASH_LEN])
{
    /* no salt means HashLen zeros, which HMAC pads to the same block as none at all */
    hmac_sha256(salt, salt_len, ikm, ikm_len, ret_prk);
}

int hkdf_expand(const uint8_t prk[KDF_HASH_LEN], const void *info, size_t info_len, uint8_t *ret,
                size_t ret_len)
{
    if (ret_len > HKDF_OUT_MAX) {
        return -EINVAL;
    }
    crypto_auth_hmacsha256_state s;
    uint8_t t[KDF_HASH_LEN];
    size_t done = 0;
    for (uint8_t i = 1; done < ret_len; i++) {
        crypto_auth_hmacsha256_init(&s, prk, KDF_HASH_LEN);
        crypto_auth_hmacsha256_update(&s, t, i == 1 ? 0 : sizeof(t));
        crypto_auth_hmacsha256_update(&s, info_len ? info : "", info_len);
        crypto_auth_hmacsha256_update(&s, &i, 1);
        crypto_auth_hmacsha256_final(&s, t);
        size_t n = MIN(ret_len - done, sizeof(t));
        memcpy(ret + done, t, n);
        done += n;
    }
    secure_wipe(&s, sizeof(s));
    secure_wipe(t, sizeof(t));
    return 0;
}

uint64_t keyed_hash(const uint8_t key[KEYED_HASH_KEY_LEN], const void *data, size_t len)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(out, len ? data : (const uint8_t *)"", len, key);
    memcpy(&hash, out, sizeof(hash)); /* little-endian, as bytes.h has the host */
    return hash;
}

void secure_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

bool secure_equal(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}

int random_bytes(void *ret, size_t n)
{
    uint8_t *p = ret;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
    return 0;
}
