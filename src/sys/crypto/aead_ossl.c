/* SPDX-License-Identifier: Apache-2.0
 *
 * The back end of aead.h that runs everywhere: OpenSSL 3's EVP. Finding the cipher and scheduling
 * the key costs more than a short record, so both contexts are made once a key; a record sets its
 * nonce and goes.
 */
#include <errno.h>
#include <openssl/evp.h>

#include "sys/crypto/aead_impl.h"

struct aead_ossl {
    struct aead a;
    EVP_CIPHER_CTX *enc, *dec; /* their own memory, which EVP_CIPHER_CTX_free wipes */
};

static struct aead_ossl *ossl_of(struct aead *a)
{
    return (struct aead_ossl *)a;
}

static bool ossl_can(enum aead_alg alg)
{
    return alg == AEAD_AES256GCM || alg == AEAD_CHACHA20POLY1305;
}

static void ossl_free(struct aead *a)
{
    struct aead_ossl *o = ossl_of(a);
    EVP_CIPHER_CTX_free(o->enc);
    EVP_CIPHER_CTX_free(o->dec);
    free(o);
}

static int ossl_make(enum aead_alg alg, const uint8_t *key, struct aead **ret)
{
    const EVP_CIPHER *cipher = alg == AEAD_AES256GCM ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
    struct aead_ossl *o = calloc(1, sizeof(*o));
    if (!o) {
        return -ENOMEM;
    }
    o->enc = EVP_CIPHER_CTX_new();
    o->dec = EVP_CIPHER_CTX_new();
    if (!o->enc || !o->dec || EVP_EncryptInit_ex(o->enc, cipher, NULL, key, NULL) != 1 ||
        EVP_DecryptInit_ex(o->dec, cipher, NULL, key, NULL) != 1) {
        int r = o->enc && o->dec ? -EIO : -ENOMEM;
        ossl_free(&o->a);
        return r;
    }
    *ret = &o->a;
    return 0;
}

static int ossl_begin(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len)
{
    EVP_CIPHER_CTX *c = ossl_of(a)->enc;
    int n;
    if (EVP_EncryptInit_ex(c, NULL, NULL, NULL, nonce) != 1 ||
        (aad_len && EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len) != 1)) {
        return -EIO;
    }
    return 0;
}

static int ossl_piece(struct aead *a, const uint8_t *in, uint8_t *out, size_t len)
{
    int n;
    return EVP_EncryptUpdate(ossl_of(a)->enc, out, &n, in, (int)len) == 1 ? 0 : -EIO;
}

static int ossl_end(struct aead *a, uint8_t *tag)
{
    EVP_CIPHER_CTX *c = ossl_of(a)->enc;
    uint8_t last[EVP_MAX_BLOCK_LENGTH]; /* both are stream modes: nothing comes at the end */
    int n;
    if (EVP_EncryptFinal_ex(c, last, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_MAX, tag) != 1) {
        return -EIO;
    }
    return 0;
}

static int ossl_seal(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                     uint8_t *buf, size_t len, uint8_t *tag)
{
    int r = ossl_begin(a, nonce, aad, aad_len);
    if (r == 0 && len) {
        r = ossl_piece(a, buf, buf, len);
    }
    return r < 0 ? r : ossl_end(a, tag);
}

static int ossl_open(struct aead *a, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                     uint8_t *buf, size_t len, const uint8_t *tag)
{
    EVP_CIPHER_CTX *c = ossl_of(a)->dec;
    uint8_t last[EVP_MAX_BLOCK_LENGTH], expected[AEAD_TAG_MAX];
    int n;
    memcpy(expected, tag, sizeof(expected)); /* the control call takes no const */
    if (EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce) != 1 ||
        (aad_len && EVP_DecryptUpdate(c, NULL, &n, aad, (int)aad_len) != 1) ||
        (len && EVP_DecryptUpdate(c, buf, &n, buf, (int)len) != 1) ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_MAX, expected) != 1) {
        return -EIO;
    }
    /* compares the tags with CRYPTO_memcmp, which does not depend on where they differ */
    return EVP_DecryptFinal_ex(c, last, &n) == 1 ? 0 : -EBADMSG;
}

const struct aead_ops aead_ossl_ops = {
    .name = "openssl",
    .can = ossl_can,
    .make = ossl_make,
    .free = ossl_free,
    .seal = ossl_seal,
    .open = ossl_open,
    .begin = ossl_begin,
    .piece = ossl_piece,
    .end = ossl_end,
};
