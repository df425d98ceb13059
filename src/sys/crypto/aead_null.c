/* SPDX-License-Identifier: Apache-2.0
 *
 * The back end of aead.h that protects nothing, for links whose both ends asked for clear text: no
 * tag, and no byte is touched. Only pieces that go elsewhere are copied there.
 */
#include <errno.h>
#include <string.h>

#include "sys/crypto/aead_impl.h"

static bool null_can(enum aead_alg alg)
{
    return alg == AEAD_NULL;
}

static int null_make(enum aead_alg alg, const uint8_t *key, struct aead **ret)
{
    (void)alg;
    (void)key;
    *ret = calloc(1, sizeof(struct aead));
    return *ret ? 0 : -ENOMEM;
}

static void null_free(struct aead *a)
{
    free(a);
}

static int null_seal(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                     uint8_t *buf, size_t len, uint8_t *tag)
{
    (void)a, (void)nonce, (void)aad, (void)aad_len, (void)buf, (void)len, (void)tag;
    return 0;
}

static int null_open(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                     uint8_t *buf, size_t len, const uint8_t *tag)
{
    (void)a, (void)nonce, (void)aad, (void)aad_len, (void)buf, (void)len, (void)tag;
    return 0;
}

static int null_begin(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
    (void)a, (void)nonce, (void)aad, (void)aad_len;
    return 0;
}

static int null_piece(struct aead *a, const uint8_t *in, uint8_t *out, size_t len)
{
    (void)a;
    if (in != out) {
        memcpy(out, in, len);
    }
    return 0;
}

static int null_end(struct aead *a, uint8_t *tag)
{
    (void)a, (void)tag;
    return 0;
}

const struct aead_ops aead_null_ops = {
    .name = "null",
    .can = null_can,
    .make = null_make,
    .free = null_free,
    .seal = null_seal,
    .open = null_open,
    .begin = null_begin,
    .piece = null_piece,
    .end = null_end,
};
