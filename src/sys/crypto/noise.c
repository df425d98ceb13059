/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crypto/noise.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "sys/crypto/aead.h"
#include "sys/crypto/kdf.h"

enum {
    BLOCK_LEN = 64, /* of SHA-256 and of BLAKE2s */
};

/* HASH(a || b) */
static int digest2(enum noise_digest d, const void *a, size_t a_len, const void *b, size_t b_len,
                   uint8_t ret[NOISE_HASH_LEN])
{
    if (d == NOISE_SHA256) {
        crypto_hash_sha256_state s;
        crypto_hash_sha256_init(&s);
        crypto_hash_sha256_update(&s, a, a_len);
        crypto_hash_sha256_update(&s, b, b_len);
        crypto_hash_sha256_final(&s, ret);
        secure_wipe(&s, sizeof(s));
        return 0;
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestInit_ex(c, EVP_blake2s256(), NULL) == 1 &&
              EVP_DigestUpdate(c, a, a_len) == 1 && EVP_DigestUpdate(c, b, b_len) == 1 &&
              EVP_DigestFinal_ex(c, ret, NULL) == 1;
    EVP_MD_CTX_free(c);
    return ok ? 0 : -EIO;
}

/* HMAC-HASH with a key of HASHLEN (RFC 2104). */
static int hmac(enum noise_digest d, const uint8_t key[NOISE_HASH_LEN], const void *data,
                size_t len, uint8_t ret[NOISE_HASH_LEN])
{
    uint8_t inner[BLOCK_LEN], outer[BLOCK_LEN], t[NOISE_HASH_LEN];
    memset(inner, 0x36, sizeof(inner));
    memset(outer, 0x5c, sizeof(outer));
    for (size_t i = 0; i < NOISE_HASH_LEN; i++) {
        inner[i] = (uint8_t)(inner[i] ^ key[i]);
        outer[i] = (uint8_t)(outer[i] ^ key[i]);
    }
    int r = digest2(d, inner, sizeof(inner), data, len, t);
    if (r == 0) {
        r = digest2(d, outer, sizeof(outer), t, sizeof(t), ret);
    }
    secure_wipe(inner, sizeof(inner));
    secure_wipe(outer, sizeof(outer));
    secure_wipe(t, sizeof(t));
    return r;
}

/* HKDF(chaining_key, input, n): `n` outputs of HASHLEN, 2 or 3, one after the other. */
static int noise_hkdf(const struct noise *ns, const void *input, size_t len,
                      uint8_t ret[][NOISE_HASH_LEN], unsigned n)
{
    uint8_t temp[NOISE_HASH_LEN], block[NOISE_HASH_LEN + 1];
    int r = hmac(ns->digest, ns->ck, input, len, temp);
    size_t used = 0;
    for (unsigned i = 0; i < n && r == 0; i++) {
        block[used] = (uint8_t)(i + 1);
        r = hmac(ns->digest, temp, block, used + 1, ret[i]);
        memcpy(block, ret[i], NOISE_HASH_LEN);
        used = NOISE_HASH_LEN;
    }
    secure_wipe(temp, sizeof(temp));
    secure_wipe(block, sizeof(block));
    return r;
}

static int mix_hash(struct noise *ns, const void *data, size_t len)
{
    return digest2(ns->digest, ns->h, sizeof(ns->h), data, len, ns->h);
}

static int mix_key(struct noise *ns, const uint8_t input[NOISE_KEY_LEN])
{
    uint8_t out[2][NOISE_HASH_LEN];
    int r = noise_hkdf(ns, input, NOISE_KEY_LEN, out, 2);
    if (r == 0) {
        memcpy(ns->ck, out[0], sizeof(ns->ck));
        memcpy(ns->k, out[1], sizeof(ns->k));
        ns->has_key = true;
        ns->n = 0;
    }
    secure_wipe(out, sizeof(out));
    return r;
}

static int mix_key_and_hash(struct noise *ns, const uint8_t input[NOISE_KEY_LEN])
{
    uint8_t out[3][NOISE_HASH_LEN];
    int r = noise_hkdf(ns, input, NOISE_KEY_LEN, out, 3);
    if (r == 0) {
        memcpy(ns->ck, out[0], sizeof(ns->ck));
        memcpy(ns->k, out[2], sizeof(ns->k));
        ns->has_key = true;
        ns->n = 0;
        r = mix_hash(ns, out[1], NOISE_HASH_LEN);
    }
    secure_wipe(out, sizeof(out));
    return r;
}

void noise_nonce(enum noise_cipher cipher, uint64_t n, uint8_t ret[12])
{
    struct wr w = wr_make(ret, 12);
    wr_zero(&w, 4);
    if (cipher == NOISE_AESGCM) {
        wr_u64(&w, n);
    } else {
        wr_u64le(&w, n);
    }
}

/* OpenSSL always: each key encrypts two or three short texts at most, so setting up counts. */
static int cipher_new(const struct noise *ns, struct aead **ret)
{
    enum aead_alg alg = ns->cipher == NOISE_AESGCM ? AEAD_AES256GCM : AEAD_CHACHA20POLY1305;
    return aead_new_backend("openssl", alg, ns->k, ret, NULL);
}

/* EncryptAndHash: `out` gets len + 16 bytes. In both patterns a key is always there by now. */
static int encrypt_and_hash(struct noise *ns, const void *text, size_t len, uint8_t *out)
{
    uint8_t nonce[AEAD_NONCE_LEN];
    _cleanup_(aead_freep) struct aead *a = NULL;
    int r = ns->has_key ? cipher_new(ns, &a) : -EIO;
    if (r < 0) {
        return r;
    }
    noise_nonce(ns->cipher, ns->n, nonce);
    if (len) {
        memcpy(out, text, len);
    }
    r = aead_seal(a, nonce, ns->h, sizeof(ns->h), out, len, out + len);
    if (r < 0) {
        return r;
    }
    ns->n++;
    return mix_hash(ns, out, len + AEAD_TAG_MAX);
}

/* DecryptAndHash of len + 16 bytes; `ret` gets `len`. -EBADMSG. */
static int decrypt_and_hash(struct noise *ns, const uint8_t *msg, size_t len, uint8_t *ret)
{
    uint8_t nonce[AEAD_NONCE_LEN];
    _cleanup_(aead_freep) struct aead *a = NULL;
    int r = ns->has_key ? cipher_new(ns, &a) : -EIO;
    if (r < 0) {
        return r;
    }
    noise_nonce(ns->cipher, ns->n, nonce);
    if (len) {
        memcpy(ret, msg, len);
    }
    r = aead_open(a, nonce, ns->h, sizeof(ns->h), ret, len, msg + len);
    if (r < 0) {
        return r;
    }
    ns->n++;
    return mix_hash(ns, msg, len + AEAD_TAG_MAX);
}

/* MixKey(DH(priv, pub)). libsodium refuses a result of all zeros, which only points of low order
 * give: a peer could otherwise force a key that everybody knows. */
static int mix_dh(struct noise *ns, const uint8_t *priv, const uint8_t *pub)
{
    uint8_t shared[NOISE_KEY_LEN];
    if (crypto_scalarmult_curve25519(shared, priv, pub) != 0) {
        return -EKEYREJECTED;
    }
    int r = mix_key(ns, shared);
    secure_wipe(shared, sizeof(shared));
    return r;
}

/* Token e, with the MixKey that patterns with a psk add (section 9.2). */
static int mix_e(struct noise *ns, const uint8_t *pub)
{
    int r = mix_hash(ns, pub, NOISE_KEY_LEN);
    return r == 0 && ns->psk ? mix_key(ns, pub) : r;
}

static int mix_name(struct noise *ns)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "Noise_%s_25519_%s_%s", ns->psk ? "IKpsk2" : "IK",
                     ns->cipher == NOISE_AESGCM ? "AESGCM" : "ChaChaPoly",
                     ns->digest == NOISE_SHA256 ? "SHA256" : "BLAKE2s");
    int r = 0;
    if ((size_t)n <= NOISE_HASH_LEN) {
        memset(ns->h, 0, sizeof(ns->h));
        memcpy(ns->h, name, (size_t)n);
    } else {
        r = digest2(ns->digest, name, (size_t)n, "", 0, ns->h);
    }
    memcpy(ns->ck, ns->h, sizeof(ns->ck));
    return r;
}

static int noise_keys(struct noise *ns, const struct noise_conf *conf)
{
    memcpy(ns->s, conf->s_priv, sizeof(ns->s));
    if (conf->initiator) {
        memcpy(ns->rs, conf->rs_pub, sizeof(ns->rs));
    }
    if (conf->psk && conf->psk_key) {
        memcpy(ns->psk_key, conf->psk_key, sizeof(ns->psk_key));
        ns->has_psk = true;
    }
    if (conf->fixed_e_priv) {
        memcpy(ns->e, conf->fixed_e_priv, sizeof(ns->e));
    } else {
        int r = random_bytes(ns->e, sizeof(ns->e));
        if (r < 0) {
            return r;
        }
    }
    crypto_scalarmult_curve25519_base(ns->s_pub, ns->s);
    crypto_scalarmult_curve25519_base(ns->e_pub, ns->e);
    return 0;
}

int noise_init(struct noise *ns, const struct noise_conf *conf)
{
    *ns = (struct noise){0};
    if (!conf->s_priv || (conf->initiator && !conf->rs_pub) ||
        (conf->prologue_len && !conf->prologue) || (unsigned)conf->cipher > NOISE_AESGCM ||
        (unsigned)conf->digest > NOISE_BLAKE2S) {
        return -EINVAL;
    }
    ns->initiator = conf->initiator;
    ns->psk = conf->psk;
    ns->cipher = conf->cipher;
    ns->digest = conf->digest;
    int r = noise_keys(ns, conf);
    if (r == 0) {
        r = mix_name(ns);
    }
    if (r == 0) {
        r = mix_hash(ns, conf->prologue_len ? conf->prologue : "", conf->prologue_len);
    }
    if (r == 0) { /* the pre-message: <- s */
        r = mix_hash(ns, ns->initiator ? ns->rs : ns->s_pub, NOISE_KEY_LEN);
    }
    if (r < 0) {
        noise_done(ns);
        return r;
    }
    ns->state = NOISE_FIRST;
    return 0;
}

int noise_set_psk(struct noise *ns, const uint8_t psk[NOISE_KEY_LEN])
{
    if (!ns->psk || (ns->state != NOISE_FIRST && ns->state != NOISE_SECOND)) {
        return -EINVAL;
    }
    memcpy(ns->psk_key, psk, sizeof(ns->psk_key));
    ns->has_psk = true;
    return 0;
}

/* -> e, es, s, ss */
static int write_first(struct noise *ns, const void *payload, size_t len, uint8_t *out)
{
    memcpy(out, ns->e_pub, NOISE_KEY_LEN);
    int r = mix_e(ns, ns->e_pub);
    if (r == 0) {
        r = mix_dh(ns, ns->e, ns->rs);
    }
    if (r == 0) {
        r = encrypt_and_hash(ns, ns->s_pub, NOISE_KEY_LEN, out + NOISE_KEY_LEN);
    }
    if (r == 0) {
        r = mix_dh(ns, ns->s, ns->rs);
    }
    if (r == 0) {
        r = encrypt_and_hash(ns, payload, len, out + NOISE_FIRST_OVERHEAD - AEAD_TAG_MAX);
    }
    return r;
}

static int read_first(struct noise *ns, const uint8_t *msg, size_t len, uint8_t *ret)
{
    memcpy(ns->re, msg, NOISE_KEY_LEN);
    int r = mix_e(ns, ns->re);
    if (r == 0) {
        r = mix_dh(ns, ns->s, ns->re);
    }
    if (r == 0) {
        r = decrypt_and_hash(ns, msg + NOISE_KEY_LEN, NOISE_KEY_LEN, ns->rs);
    }
    if (r == 0) {
        r = mix_dh(ns, ns->s, ns->rs);
    }
    if (r == 0) {
        r = decrypt_and_hash(ns, msg + NOISE_FIRST_OVERHEAD - AEAD_TAG_MAX, len, ret);
    }
    return r;
}

/* ee, se and psk: the same for who writes and who reads. */
static int mix_second(struct noise *ns)
{
    int r = mix_dh(ns, ns->e, ns->re);
    if (r == 0) { /* se: the initiator's static key with the responder's ephemeral one */
        r = ns->initiator ? mix_dh(ns, ns->s, ns->re) : mix_dh(ns, ns->e, ns->rs);
    }
    if (r == 0 && ns->psk) {
        r = mix_key_and_hash(ns, ns->psk_key);
    }
    return r;
}

/* <- e, ee, se, psk */
static int write_second(struct noise *ns, const void *payload, size_t len, uint8_t *out)
{
    memcpy(out, ns->e_pub, NOISE_KEY_LEN);
    int r = mix_e(ns, ns->e_pub);
    if (r == 0) {
        r = mix_second(ns);
    }
    return r < 0 ? r : encrypt_and_hash(ns, payload, len, out + NOISE_KEY_LEN);
}

static int read_second(struct noise *ns, const uint8_t *msg, size_t len, uint8_t *ret)
{
    memcpy(ns->re, msg, NOISE_KEY_LEN);
    int r = mix_e(ns, ns->re);
    if (r == 0) {
        r = mix_second(ns);
    }
    return r < 0 ? r : decrypt_and_hash(ns, msg + NOISE_KEY_LEN, len, ret);
}

/* The one place that moves a handshake on, or ends it. */
static int noise_advance(struct noise *ns, int r)
{
    if (r < 0) {
        noise_done(ns);
        return r;
    }
    ns->state = ns->state == NOISE_FIRST ? NOISE_SECOND : NOISE_SPLIT;
    return 0;
}

static bool noise_turn(const struct noise *ns, bool write)
{
    return (ns->state == NOISE_FIRST && ns->initiator == write) ||
           (ns->state == NOISE_SECOND && ns->initiator != write);
}

static size_t noise_overhead(const struct noise *ns)
{
    return ns->state == NOISE_FIRST ? NOISE_FIRST_OVERHEAD : NOISE_SECOND_OVERHEAD;
}

int noise_write(struct noise *ns, const void *payload, size_t len, uint8_t *out, size_t cap,
                size_t *ret_len)
{
    if (!noise_turn(ns, true)) {
        return -EINVAL;
    }
    size_t overhead = noise_overhead(ns);
    if (len > NOISE_MESSAGE_MAX - overhead) {
        return -EMSGSIZE;
    }
    if (cap < len + overhead) {
        return -ENOBUFS;
    }
    if (ns->psk && !ns->has_psk && ns->state == NOISE_SECOND) {
        return -ENOKEY;
    }
    int r =
        ns->initiator ? write_first(ns, payload, len, out) : write_second(ns, payload, len, out);
    r = noise_advance(ns, r);
    if (r == 0) {
        *ret_len = len + overhead;
    }
    return r;
}

int noise_read(struct noise *ns, const void *msg, size_t len, uint8_t *ret_payload, size_t cap,
               size_t *ret_len)
{
    if (!noise_turn(ns, false)) {
        return -EINVAL;
    }
    size_t overhead = noise_overhead(ns);
    if (len < overhead || len > NOISE_MESSAGE_MAX) {
        return noise_advance(ns, -EBADMSG);
    }
    if (cap < len - overhead) {
        return noise_advance(ns, -ENOBUFS);
    }
    if (ns->psk && !ns->has_psk && ns->initiator) {
        return noise_advance(ns, -ENOKEY);
    }
    int r = ns->initiator ? read_second(ns, msg, len - overhead, ret_payload)
                          : read_first(ns, msg, len - overhead, ret_payload);
    r = noise_advance(ns, r == -EKEYREJECTED ? -EBADMSG : r);
    if (r == 0) {
        *ret_len = len - overhead;
    }
    return r;
}

const uint8_t *noise_remote_static(const struct noise *ns)
{
    if (ns->state == NOISE_DEAD || (ns->state == NOISE_FIRST && !ns->initiator)) {
        return NULL;
    }
    return ns->rs;
}

const uint8_t *noise_hash(const struct noise *ns)
{
    return ns->state == NOISE_SPLIT || ns->state == NOISE_FINISHED ? ns->h : NULL;
}

int noise_split(struct noise *ns, uint8_t ret_i2r[NOISE_KEY_LEN], uint8_t ret_r2i[NOISE_KEY_LEN])
{
    if (ns->state != NOISE_SPLIT) {
        return -EINVAL;
    }
    uint8_t out[2][NOISE_HASH_LEN];
    int r = noise_hkdf(ns, "", 0, out, 2);
    if (r == 0) {
        memcpy(ret_i2r, out[0], NOISE_KEY_LEN);
        memcpy(ret_r2i, out[1], NOISE_KEY_LEN);
        /* what could give the keys again, or earlier ones, goes; the hash and the peer stay */
        secure_wipe(ns->ck, sizeof(ns->ck));
        secure_wipe(ns->k, sizeof(ns->k));
        secure_wipe(ns->s, sizeof(ns->s));
        secure_wipe(ns->e, sizeof(ns->e));
        secure_wipe(ns->psk_key, sizeof(ns->psk_key));
        ns->state = NOISE_FINISHED;
    }
    secure_wipe(out, sizeof(out));
    return r;
}

void noise_done(struct noise *ns)
{
    if (ns) {
        secure_wipe(ns, sizeof(*ns));
    }
}
