/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crypto/cpace.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/crypto/kdf.h"

enum {
    BLOCK_LEN = 128, /* of SHA-512 */
};

static const char dsi[] = "CPaceRistretto255";
static const char dsi_isk[] = "CPaceRistretto255_ISK";
static const char dsi_sid[] = "CPaceSidOutput";
static const char dsi_mac[] = "CPaceMac";

/* A length in LEB128: seven bits a byte, the lowest first, the top bit says that more follow. */
static size_t leb128(size_t value, uint8_t ret[10])
{
    size_t n = 0;
    do {
        ret[n] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
        n++;
    } while (value);
    return n;
}

static size_t lv_len(size_t len)
{
    uint8_t prefix[10];
    return leb128(len, prefix) + len;
}

static void hash_lv(crypto_hash_sha512_state *s, const void *data, size_t len)
{
    uint8_t prefix[10];
    crypto_hash_sha512_update(s, prefix, leb128(len, prefix));
    crypto_hash_sha512_update(s, data, len);
}

/* transcript_ir(Ya, ADa, Yb, ADb) */
static void hash_transcript(crypto_hash_sha512_state *s, const uint8_t *ya, const void *ada,
                            size_t ada_len, const uint8_t *yb, const void *adb, size_t adb_len)
{
    hash_lv(s, ya, CPACE_POINT_LEN);
    hash_lv(s, ada, ada_len);
    hash_lv(s, yb, CPACE_POINT_LEN);
    hash_lv(s, adb, adb_len);
}

int cpace_generator(const void *prs, size_t prs_len, const void *ci, size_t ci_len,
                    const uint8_t *sid, size_t sid_len, uint8_t ret[CPACE_POINT_LEN])
{
    static const uint8_t zeros[BLOCK_LEN];
    if (prs_len > CPACE_INPUT_MAX || ci_len > CPACE_INPUT_MAX || sid_len > CPACE_SID_MAX) {
        return -EMSGSIZE;
    }
    /* The zeros fill the hash's first block, so that the secret never shares a block with what an
     * attacker may choose (ci, sid): that leaves less to learn from power and timing. */
    size_t before = lv_len(sizeof(dsi) - 1) + lv_len(prs_len) + 1;
    size_t pad = before < BLOCK_LEN ? BLOCK_LEN - before : 0;
    crypto_hash_sha512_state s;
    uint8_t hash[64];
    crypto_hash_sha512_init(&s);
    hash_lv(&s, dsi, sizeof(dsi) - 1);
    hash_lv(&s, prs, prs_len);
    hash_lv(&s, zeros, pad);
    hash_lv(&s, ci, ci_len);
    hash_lv(&s, sid, sid_len);
    crypto_hash_sha512_final(&s, hash);
    crypto_core_ristretto255_from_hash(ret, hash);
    secure_wipe(&s, sizeof(s));
    secure_wipe(hash, sizeof(hash));
    return 0;
}

int cpace_scalar_mult_vfy(const uint8_t scalar[32], const uint8_t point[CPACE_POINT_LEN],
                          uint8_t ret[CPACE_POINT_LEN])
{
    uint8_t product[CPACE_POINT_LEN];
    /* libsodium refuses encodings that are not canonical, and the identity as a result */
    if (crypto_scalarmult_ristretto255(product, scalar, point) != 0) {
        return -EBADMSG;
    }
    memcpy(ret, product, sizeof(product));
    secure_wipe(product, sizeof(product));
    return 0;
}

/* A scalar between 1 and the order less 1. 64 random bytes reduced are uniform to 2^-259. */
static int draw_scalar(uint8_t ret[32])
{
    uint8_t wide[crypto_core_ristretto255_NONREDUCEDSCALARBYTES];
    int r;
    do {
        r = random_bytes(wide, sizeof(wide));
        if (r == 0) {
            crypto_core_ristretto255_scalar_reduce(ret, wide);
        }
    } while (r == 0 && sodium_is_zero(ret, 32));
    secure_wipe(wide, sizeof(wide));
    return r;
}

int cpace_init(struct cpace *c, const void *prs, size_t prs_len, const void *ci, size_t ci_len,
               const uint8_t *sid, size_t sid_len, const uint8_t *fixed_scalar,
               uint8_t ret_public[CPACE_POINT_LEN])
{
    uint8_t g[CPACE_POINT_LEN];
    *c = (struct cpace){0};
    int r = cpace_generator(prs, prs_len, ci, ci_len, sid, sid_len, g);
    if (r < 0) {
        return r;
    }
    if (fixed_scalar) {
        memcpy(c->scalar, fixed_scalar, sizeof(c->scalar));
    } else {
        r = draw_scalar(c->scalar);
    }
    if (r == 0 && cpace_scalar_mult_vfy(c->scalar, g, c->own) < 0) {
        r = -EINVAL;
    }
    secure_wipe(g, sizeof(g)); /* who has it can test guesses */
    if (r < 0) {
        cpace_done(c);
        return r;
    }
    if (sid_len) {
        memcpy(c->sid, sid, sid_len);
    }
    c->sid_len = sid_len;
    c->ready = true;
    memcpy(ret_public, c->own, CPACE_POINT_LEN);
    return 0;
}

static int cpace_derive(const struct cpace *c, bool initiator, const void *own_ad,
                        size_t own_ad_len, const uint8_t *peer, const void *peer_ad,
                        size_t peer_ad_len, uint8_t *ret_isk)
{
    if (!c->ready) {
        return -EINVAL;
    }
    if (own_ad_len > CPACE_INPUT_MAX || peer_ad_len > CPACE_INPUT_MAX) {
        return -EMSGSIZE;
    }
    /* Public values. One's own message sent back would let one's own tag be sent back too, as a
     * confirmation by somebody who does not know the passphrase. */
    if (memcmp(peer, c->own, CPACE_POINT_LEN) == 0) {
        return -EBADMSG;
    }
    uint8_t k[CPACE_POINT_LEN];
    int r = cpace_scalar_mult_vfy(c->scalar, peer, k);
    if (r < 0) {
        return r;
    }
    crypto_hash_sha512_state s;
    crypto_hash_sha512_init(&s);
    hash_lv(&s, dsi_isk, sizeof(dsi_isk) - 1);
    hash_lv(&s, c->sid, c->sid_len);
    hash_lv(&s, k, sizeof(k));
    if (initiator) {
        hash_transcript(&s, c->own, own_ad, own_ad_len, peer, peer_ad, peer_ad_len);
    } else {
        hash_transcript(&s, peer, peer_ad, peer_ad_len, c->own, own_ad, own_ad_len);
    }
    crypto_hash_sha512_final(&s, ret_isk);
    secure_wipe(&s, sizeof(s));
    secure_wipe(k, sizeof(k));
    return 0;
}

int cpace_finish(struct cpace *c, bool initiator, const void *own_ad, size_t own_ad_len,
                 const uint8_t peer_public[CPACE_POINT_LEN], const void *peer_ad,
                 size_t peer_ad_len, uint8_t ret_isk[CPACE_ISK_LEN])
{
    int r =
        cpace_derive(c, initiator, own_ad, own_ad_len, peer_public, peer_ad, peer_ad_len, ret_isk);
    cpace_done(c);
    return r;
}

int cpace_confirm(const uint8_t isk[CPACE_ISK_LEN], const uint8_t *sid, size_t sid_len,
                  const uint8_t public_msg[CPACE_POINT_LEN], const void *ad, size_t ad_len,
                  uint8_t ret_tag[CPACE_TAG_LEN])
{
    if (sid_len > CPACE_SID_MAX || ad_len > CPACE_INPUT_MAX) {
        return -EMSGSIZE;
    }
    uint8_t key[crypto_hash_sha512_BYTES], full[crypto_auth_hmacsha512_BYTES], prefix[10];
    crypto_hash_sha512_state s;
    crypto_hash_sha512_init(&s);
    crypto_hash_sha512_update(&s, (const uint8_t *)dsi_mac, sizeof(dsi_mac) - 1);
    crypto_hash_sha512_update(&s, sid, sid_len);
    crypto_hash_sha512_update(&s, isk, CPACE_ISK_LEN);
    crypto_hash_sha512_final(&s, key);

    crypto_auth_hmacsha512_state m;
    crypto_auth_hmacsha512_init(&m, key, sizeof(key));
    crypto_auth_hmacsha512_update(&m, prefix, leb128(CPACE_POINT_LEN, prefix));
    crypto_auth_hmacsha512_update(&m, public_msg, CPACE_POINT_LEN);
    crypto_auth_hmacsha512_update(&m, prefix, leb128(ad_len, prefix));
    crypto_auth_hmacsha512_update(&m, ad, ad_len);
    crypto_auth_hmacsha512_final(&m, full);
    memcpy(ret_tag, full, CPACE_TAG_LEN);
    secure_wipe(key, sizeof(key));
    secure_wipe(full, sizeof(full));
    secure_wipe(&s, sizeof(s));
    secure_wipe(&m, sizeof(m));
    return 0;
}

int cpace_session_id(const uint8_t ya[CPACE_POINT_LEN], const void *ada, size_t ada_len,
                     const uint8_t yb[CPACE_POINT_LEN], const void *adb, size_t adb_len,
                     uint8_t ret[64])
{
    if (ada_len > CPACE_INPUT_MAX || adb_len > CPACE_INPUT_MAX) {
        return -EMSGSIZE;
    }
    crypto_hash_sha512_state s;
    crypto_hash_sha512_init(&s);
    crypto_hash_sha512_update(&s, (const uint8_t *)dsi_sid, sizeof(dsi_sid) - 1);
    hash_transcript(&s, ya, ada, ada_len, yb, adb, adb_len);
    crypto_hash_sha512_final(&s, ret);
    return 0;
}

void cpace_done(struct cpace *c)
{
    if (c) {
        secure_wipe(c, sizeof(*c));
    }
}
