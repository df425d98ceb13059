/* SPDX-License-Identifier: Apache-2.0
 *
 * Authenticated encryption of one record (RFC 5116): the one interface that the link and the Noise
 * handshake use, over back ends that all give the same bytes. `aead_new` picks the fastest for this
 * CPU: intel-ipsec-mb for AES-256-GCM on x86-64, OpenSSL for everything else. The null "cipher"
 * exists so that a link whose both ends asked for clear text runs through the same code. aead.c has
 * the checks that all back ends share, and the choice among them.
 *
 * An object holds one key and all that can be computed from it beforehand; a record then costs no
 * allocation and no system call. An object belongs to one thread at a time, and to one direction of
 * a link: the caller alone makes sure that a nonce is never used twice with a key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum aead_alg {
    AEAD_NULL = 0, /* clear text, no tag: protects nothing */
    AEAD_AES256GCM = 1,
    AEAD_CHACHA20POLY1305 = 2, /* RFC 8439 */
};

enum {
    AEAD_KEY_LEN = 32,
    AEAD_NONCE_LEN = 12,
    AEAD_TAG_MAX = 16,
    AEAD_RECORD_MAX = 1 << 30, /* bytes of text, and of associated data; more is -EMSGSIZE */
};

struct aead;

/* The best back end for `alg` on this CPU. The key is copied; the caller wipes its own. -ENOMEM,
 * -EOPNOTSUPP, -EIO, each with a sentence. */
int aead_new(enum aead_alg alg, const uint8_t key[AEAD_KEY_LEN], struct aead **ret,
             struct error *err);

/* The back end by name, "ipsec-mb", "openssl" or "null", for tests and measurements. -EOPNOTSUPP
 * when it was not built in, or cannot do `alg` on this CPU. */
int aead_new_backend(const char *backend, enum aead_alg alg, const uint8_t key[AEAD_KEY_LEN],
                     struct aead **ret, struct error *err);

/* Wipes the key. Takes NULL. */
void aead_free(struct aead *a);
DEFINE_FREEP(struct aead, aead_free)

/* Bytes of tag that a record carries: AEAD_TAG_MAX, or 0 for AEAD_NULL. */
size_t aead_tag_len(const struct aead *a);

/* Encrypts `len` bytes in place and writes aead_tag_len bytes to `tag`. `aad` may be NULL when
 * `aad_len` is 0, and `buf` when `len` is 0. -EMSGSIZE; -EIO when the library fails: `buf` is then
 * not to be sent. */
int aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
              uint8_t *buf, size_t len, uint8_t *tag);

/* Decrypts in place. -EBADMSG when tag, text, associated data or nonce are not what was sealed:
 * `buf` is then zeros, and nothing of it was ever trustworthy. The tags are compared in constant
 * time. -EMSGSIZE (`buf` untouched), -EIO. */
int aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
              uint8_t *buf, size_t len, const uint8_t *tag);

/* A record in pieces, for frames that are encrypted from the capture ring into the send buffer:
 * begin, any number of pieces, end. `out` gets `len` bytes and is either `in` itself or does not
 * overlap it. The bytes are those of aead_seal over the joined pieces. A piece or an end without a
 * begin is -EINVAL; a new begin (or a seal or open) drops a record that was not ended. */
int aead_seal_begin(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad,
                    size_t aad_len);
int aead_seal_piece(struct aead *a, const uint8_t *in, uint8_t *out, size_t len);
int aead_seal_end(struct aead *a, uint8_t *tag);

/* "ipsec-mb", "openssl" or "null". */
const char *aead_backend(const struct aead *a);

/* "aes-256-gcm", "chacha20-poly1305", "none"; NULL for a number that is no algorithm. */
const char *aead_alg_name(enum aead_alg alg);

/* This CPU has instructions for AES and for the carry-less multiplication of GCM. Without them
 * ChaCha20-Poly1305 is the better choice, and AES in software leaks by timing. */
bool aead_has_aes(void);
