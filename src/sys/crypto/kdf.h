/* SPDX-License-Identifier: Apache-2.0
 *
 * The small tools that every user of a secret needs: deriving keys from it (HMAC-SHA256, RFC 2104;
 * HKDF, RFC 5869), hashing short things under it, wiping it, comparing it without telling by the
 * time taken where it differs, and getting it from the kernel's random number generator in the
 * first place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    KDF_HASH_LEN = 32,                 /* SHA-256 */
    HKDF_OUT_MAX = 255 * KDF_HASH_LEN, /* RFC 5869 section 2.3 */
    KEYED_HASH_KEY_LEN = 16,
};

/* Makes the libraries under src/sys/crypto ready: once a process, before it gives up the right to
 * open files (OpenSSL would otherwise look for its configuration at its first use) and before
 * threads start. Calling it again does nothing. -EIO with a sentence. Everything here also works
 * without it; X25519 is then slower. */
int crypto_init(struct error *err);

/* SHA-256 (FIPS 180-4) of `len` bytes. */
void sha256(const void *data, size_t len, uint8_t ret[KDF_HASH_LEN]);

/* The same of bytes that come in pieces. */
struct sha256 {
    uint64_t state[16];
};
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, uint8_t ret[KDF_HASH_LEN]);

/* HMAC-SHA256 of `len` bytes. A key may have any length. */
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t ret[KDF_HASH_LEN]);

/* HKDF-Extract with SHA-256; no salt is NULL and 0. */
void hkdf_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
                  uint8_t ret_prk[KDF_HASH_LEN]);

/* HKDF-Expand with SHA-256. -EINVAL when more than HKDF_OUT_MAX bytes are wanted. */
int hkdf_expand(const uint8_t prk[KDF_HASH_LEN], const void *info, size_t info_len, uint8_t *ret,
                size_t ret_len);

/* SipHash-2-4 of `len` bytes, some nanoseconds for a few: for a choice among things that others
 * name (flows, by their addresses), which must be even, and which nobody without the key foresees.
 */
uint64_t keyed_hash(const uint8_t key[KEYED_HASH_KEY_LEN], const void *data, size_t len);

/* Overwrites with zeros, also where a compiler sees that nobody reads them. */
void secure_wipe(void *p, size_t n);

/* Equal? The time taken depends on `n` alone. */
bool secure_equal(const void *a, const void *b, size_t n);

/* Bytes from the kernel (getrandom); waits for its pool to be filled after boot. -errno, and then
 * the bytes must not be used. */
int random_bytes(void *ret, size_t n);
