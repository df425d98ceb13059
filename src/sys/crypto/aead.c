/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crypto/aead.h"

#include <errno.h>
#include <string.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "sys/crypto/aead_config.h"
#include "sys/crypto/aead_impl.h"
#include "sys/crypto/kdf.h"

/* The fastest first. */
static const struct aead_ops *const backends[] = {
#ifdef HAVE_IPSEC_MB
    &aead_mb_ops,
#endif
    &aead_ossl_ops,
    &aead_null_ops,
};

/* An empty text or associated data points here. */
static const uint8_t nothing[1];

bool aead_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    unsigned long caps = getauxval(AT_HWCAP);
    return (caps & HWCAP_AES) && (caps & HWCAP_PMULL);
#else
    return false;
#endif
}

const char *aead_alg_name(enum aead_alg alg)
{
    switch (alg) {
    case AEAD_NULL:
        return "none";
    case AEAD_AES256GCM:
        return "aes-256-gcm";
    case AEAD_CHACHA20POLY1305:
        return "chacha20-poly1305";
    }
    return NULL;
}

static int aead_make(const struct aead_ops *ops, enum aead_alg alg, const uint8_t *key,
                     struct aead **ret, struct error *err)
{
    struct aead *a = NULL;
    int r = ops->make(alg, key, &a);
    if (r < 0) {
        return error_sys(err, -r, "cannot set up %s with %s", aead_alg_name(alg), ops->name);
    }
    a->ops = ops;
    a->alg = alg;
    *ret = a;
    return 0;
}

int aead_new(enum aead_alg alg, const uint8_t key[AEAD_KEY_LEN], struct aead **ret,
             struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        if (backends[i]->can(alg)) {
            return aead_make(backends[i], alg, key, ret, err);
        }
    }
    return error_set(err, EOPNOTSUPP, "there is no cipher number %d", (int)alg);
}

int aead_new_backend(const char *backend, enum aead_alg alg, const uint8_t key[AEAD_KEY_LEN],
                     struct aead **ret, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        if (strcmp(backends[i]->name, backend) == 0 && backends[i]->can(alg)) {
            return aead_make(backends[i], alg, key, ret, err);
        }
    }
    const char *name = aead_alg_name(alg);
    return error_set(err, EOPNOTSUPP, "no cipher back end %s for %s here", backend,
                     name ? name : "an unknown cipher");
}

void aead_free(struct aead *a)
{
    if (a) {
        a->ops->free(a);
    }
}

size_t aead_tag_len(const struct aead *a)
{
    return a->alg == AEAD_NULL ? 0 : AEAD_TAG_MAX;
}

const char *aead_backend(const struct aead *a)
{
    return a->ops->name;
}

int aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
              uint8_t *buf, size_t len, uint8_t *tag)
{
    uint8_t empty[1] = {0};
    a->begun = false;
    if (len > AEAD_RECORD_MAX || aad_len > AEAD_RECORD_MAX) {
        return -EMSGSIZE;
    }
    return a->ops->seal(a, nonce, aad_len ? aad : nothing, aad_len, len ? buf : empty, len, tag);
}

int aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
              uint8_t *buf, size_t len, const uint8_t *tag)
{
    uint8_t empty[1] = {0};
    a->begun = false;
    if (len > AEAD_RECORD_MAX || aad_len > AEAD_RECORD_MAX) {
        return -EMSGSIZE;
    }
    int r = a->ops->open(a, nonce, aad_len ? aad : nothing, aad_len, len ? buf : empty, len, tag);
    if (r < 0 && len) {
        secure_wipe(buf, len);
    }
    return r;
}

int aead_seal_begin(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad,
                    size_t aad_len)
{
    a->begun = false;
    if (aad_len > AEAD_RECORD_MAX) {
        return -EMSGSIZE;
    }
    int r = a->ops->begin(a, nonce, aad_len ? aad : nothing, aad_len);
    a->begun = r == 0;
    a->piece_len = 0;
    return r;
}

int aead_seal_piece(struct aead *a, const uint8_t *in, uint8_t *out, size_t len)
{
    if (!a->begun) {
        return -EINVAL;
    }
    if (len > AEAD_RECORD_MAX - a->piece_len) {
        a->begun = false;
        return -EMSGSIZE;
    }
    a->piece_len += len;
    return len ? a->ops->piece(a, in, out, len) : 0;
}

int aead_seal_end(struct aead *a, uint8_t *tag)
{
    if (!a->begun) {
        return -EINVAL;
    }
    a->begun = false;
    return a->ops->end(a, tag);
}
