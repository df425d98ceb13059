/* SPDX-License-Identifier: Apache-2.0
 *
 * A back end of aead.h: an ops table and a structure that begins with `struct aead`.
 * aead.c has checked lengths and order before it calls one; `aad` and the texts are then never NULL
 * (an empty one points to some byte), so that no library sees a NULL that it might refuse.
 */
#pragma once

#include "sys/crypto/aead.h"

struct aead_ops {
    const char *name;
    bool (*can)(enum aead_alg alg);                                        /* on this CPU */
    int (*make)(enum aead_alg alg, const uint8_t *key, struct aead **ret); /* -ENOMEM, -EIO */
    void (*free)(struct aead *a);                                          /* wipes; not NULL */
    int (*seal)(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                uint8_t *buf, size_t len, uint8_t *tag);
    /* -EBADMSG for a wrong tag; aead.c wipes `buf` on every failure */
    int (*open)(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                uint8_t *buf, size_t len, const uint8_t *tag);
    int (*begin)(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len);
    int (*piece)(struct aead *a, const uint8_t *in, uint8_t *out, size_t len); /* len > 0 */
    int (*end)(struct aead *a, uint8_t *tag);
};

struct aead {
    const struct aead_ops *ops;
    enum aead_alg alg;
    bool begun;       /* between begin and end */
    size_t piece_len; /* bytes since begin, to bound the record */
};

extern const struct aead_ops aead_mb_ops; /* only where the library was found */
extern const struct aead_ops aead_ossl_ops;
extern const struct aead_ops aead_null_ops;
