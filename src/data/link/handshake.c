/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/handshake.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/crypto/kdf.h"

/* A text that both ends have in common before any secret: CPace's channel identifier, and the start
 * of Noise's prologue. */
static const char channel[] = "farspan link 1";

enum {
    NOISE_BOUND = 20, /* a HELLO up to and with its offer of ciphers */
    SID_LEN = 16,
    NOISE_ANSWER_LEN = 5, /* the cipher chosen and the collector's session index */
};

uint16_t handshake_aeads(enum link_method method)
{
    if (method == LINK_PLAIN) {
        return 1u << AEAD_NULL;
    }
    /* Without AES instructions AES is slow and leaks by timing: then it is neither offered nor
     * taken. ChaCha20 every end can do. */
    return (uint16_t)((aead_has_aes() ? 1u << AEAD_AES256GCM : 0) | 1u << AEAD_CHACHA20POLY1305);
}

void handshake_keys_wipe(struct handshake_keys *k)
{
    secure_wipe(k, sizeof(*k));
}

static bool choose_aead(uint16_t both, enum aead_alg *ret)
{
    static const enum aead_alg preferred[] = {AEAD_AES256GCM, AEAD_CHACHA20POLY1305, AEAD_NULL};
    for (size_t i = 0; i < ARRAY_SIZE(preferred); i++) {
        if (both >> preferred[i] & 1) {
            *ret = preferred[i];
            return true;
        }
    }
    return false;
}

/* One key for each direction from the handshake's secret, bound to the cipher. */
static void derive(const uint8_t secret[64], enum aead_alg alg, bool tap, uint32_t local,
                   uint32_t remote, struct handshake_keys *ret)
{
    uint8_t prk[KDF_HASH_LEN], info[64];
    uint8_t *to[2] = {tap ? ret->send : ret->recv, tap ? ret->recv : ret->send};
    static const char *const label[2] = {"tap to collector", "collector to tap"};
    *ret = (struct handshake_keys){.alg = alg, .local = local, .remote = remote};
    hkdf_extract(channel, sizeof(channel) - 1, secret, 64, prk);
    for (unsigned i = 0; i < 2; i++) {
        int n = snprintf((char *)info, sizeof(info), "%s", label[i]);
        info[n] = (uint8_t)alg;
        (void)hkdf_expand(prk, info, (size_t)n + 1, to[i], AEAD_KEY_LEN);
    }
    secure_wipe(prk, sizeof(prk));
}

static int noise_keys(struct noise *noise, enum aead_alg alg, bool tap, uint32_t local,
                      uint32_t remote, struct handshake_keys *ret)
{
    uint8_t secret[64];
    int r = noise_split(noise, secret, secret + 32);
    if (r == 0) {
        derive(secret, alg, tap, local, remote, ret);
    }
    secure_wipe(secret, sizeof(secret));
    return r;
}

/* ---- tap ---- */

static int tap_cpace_begin(struct handshake_tap *h, uint8_t data[48])
{
    int r = random_bytes(h->sid, SID_LEN);
    if (r < 0) {
        return r;
    }
    r = cpace_init(&h->cpace, h->conf->passphrase, strlen(h->conf->passphrase), channel,
                   sizeof(channel) - 1, h->sid, SID_LEN, NULL, h->own_public);
    memcpy(data, h->sid, SID_LEN);
    memcpy(data + SID_LEN, h->own_public, CPACE_POINT_LEN);
    return r < 0 ? r : SID_LEN + CPACE_POINT_LEN;
}

static int noise_begin(struct noise *noise, const struct handshake_conf *conf, bool tap,
                       const uint8_t hello[NOISE_BOUND])
{
    uint8_t prologue[sizeof(channel) - 1 + NOISE_BOUND];
    memcpy(prologue, channel, sizeof(channel) - 1);
    memcpy(prologue + sizeof(channel) - 1, hello, NOISE_BOUND);
    static const uint8_t no_psk[KEY_LEN];
    const struct noise_conf nc = {
        .initiator = tap,
        .psk = true,
        .cipher = NOISE_CHACHAPOLY,
        .digest = NOISE_SHA256,
        .prologue = prologue,
        .prologue_len = sizeof(prologue),
        .s_priv = conf->identity,
        .rs_pub = tap ? conf->peer : NULL,
        .psk_key = !tap            ? NULL
                   : conf->has_psk ? conf->psk
                                   : no_psk,
    };
    return noise_init(noise, &nc);
}

static int tap_noise_begin(struct handshake_tap *h, const uint8_t *hello, uint8_t *data, size_t cap)
{
    size_t len = 0;
    int r = noise_begin(&h->noise, h->conf, true, hello);
    if (r == 0) {
        r = noise_write(&h->noise, NULL, 0, data, cap, &len);
    }
    return r < 0 ? r : (int)len;
}

int handshake_tap_hello(struct handshake_tap *h, const struct handshake_conf *conf, uint32_t local,
                        uint8_t out[HANDSHAKE_MESSAGE_MAX])
{
    return handshake_tap_again(h, conf, local, 0, out);
}

int handshake_tap_again(struct handshake_tap *h, const struct handshake_conf *conf, uint32_t local,
                        uint32_t session, uint8_t out[HANDSHAKE_MESSAGE_MAX])
{
    uint8_t data[LINK_HS_DATA_MAX];
    handshake_tap_done(h);
    *h = (struct handshake_tap){.conf = conf, .local = local};
    struct link_hs m = {.type = LINK_HELLO,
                        .version = LINK_VERSION,
                        .method = (uint8_t)conf->method,
                        .sender = local,
                        .receiver = session,
                        .min_version = LINK_VERSION,
                        .max_version = LINK_VERSION,
                        .aeads = conf->aeads,
                        .data = data};
    int r = link_hs_encode(&m, out, HANDSHAKE_MESSAGE_MAX); /* the part that the keys depend on */
    if (r >= 0 && conf->method == LINK_CPACE) {
        r = tap_cpace_begin(h, data);
    } else if (r >= 0 && conf->method == LINK_NOISE) {
        r = tap_noise_begin(h, out, data, sizeof(data));
    } else {
        r = MIN(r, 0);
    }
    if (r < 0) {
        return r;
    }
    m.data_len = (uint16_t)r;
    r = link_hs_encode(&m, out, HANDSHAKE_MESSAGE_MAX);
    memcpy(h->hello, out, HANDSHAKE_BOUND);
    return r;
}

/* Has it been taken already? */
static bool answer_known(const struct handshake_tap *h, const struct link_hs *m)
{
    for (unsigned i = 0; i < h->answers; i++) {
        if (h->answer[i].remote == m->sender &&
            memcmp(h->answer[i].peer_public, m->data, CPACE_POINT_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static int tap_cpace_answer(struct handshake_tap *h, const struct link_hs *m, const uint8_t *d)
{
    if (m->data_len != CPACE_POINT_LEN || h->answers == HANDSHAKE_ANSWERS || answer_known(h, m)) {
        return -EBADMSG;
    }
    struct handshake_answer *a = &h->answer[h->answers];
    a->remote = m->sender;
    a->alg = (enum aead_alg)m->aead;
    memcpy(a->bound, d, HANDSHAKE_BOUND);
    memcpy(a->peer_public, m->data, CPACE_POINT_LEN);
    struct cpace c = h->cpace; /* another answer may want it */
    int r = cpace_finish(&c, true, h->hello, HANDSHAKE_BOUND, a->peer_public, a->bound,
                         HANDSHAKE_BOUND, a->isk);
    cpace_done(&c);
    if (r < 0) {
        return -EBADMSG;
    }
    h->answers++;
    return -EINPROGRESS;
}

/* The ANSWER's header is in the clear; what matters of it is repeated where it is authentic. */
static void noise_answer_payload(uint8_t aead, uint32_t index, uint8_t ret[NOISE_ANSWER_LEN])
{
    ret[0] = aead;
    st_u32(ret + 1, index);
}

static int tap_noise_answer(struct handshake_tap *h, const struct link_hs *m,
                            struct handshake_keys *ret)
{
    uint8_t said[NOISE_ANSWER_LEN] = {0}, want[NOISE_ANSWER_LEN];
    size_t len = 0;
    struct noise n = h->noise;
    int r = noise_read(&n, m->data, m->data_len, said, sizeof(said), &len);
    noise_answer_payload(m->aead, m->sender, want);
    if (r == 0 && len == sizeof(said) && memcmp(said, want, sizeof(said)) == 0) {
        r = noise_keys(&n, (enum aead_alg)m->aead, true, h->local, m->sender, ret);
    } else {
        r = -EBADMSG;
    }
    noise_done(&n);
    return r;
}

int handshake_tap_answer(struct handshake_tap *h, const uint8_t *d, size_t len,
                         struct handshake_keys *ret)
{
    struct link_hs m;
    if (link_hs_decode(d, len, &m) < 0 || m.type != LINK_ANSWER || !h->conf || h->complete ||
        m.method != h->conf->method || m.receiver != h->local || m.sender == 0 || m.aead > 15 ||
        !(h->conf->aeads >> m.aead & 1) || len < HANDSHAKE_BOUND - 2) {
        return -EBADMSG;
    }
    int r = 0;
    if (m.method == LINK_CPACE) {
        return tap_cpace_answer(h, &m, d);
    }
    if (m.method == LINK_NOISE) {
        r = tap_noise_answer(h, &m, ret);
    } else {
        *ret = (struct handshake_keys){
            .alg = (enum aead_alg)m.aead, .local = h->local, .remote = m.sender};
    }
    h->complete = r != -EBADMSG;
    return r;
}

bool handshake_tap_cookie(const struct handshake_tap *h, const uint8_t *d, size_t len,
                          uint8_t ret[LINK_COOKIE_LEN])
{
    struct link_hs m;
    if (link_hs_decode(d, len, &m) < 0 || m.type != LINK_COOKIE || !h->conf || h->complete ||
        h->answers > 0 || m.receiver != h->local) {
        return false;
    }
    memcpy(ret, m.data, LINK_COOKIE_LEN);
    return true;
}

int handshake_tap_confirm(const struct handshake_tap *h, unsigned i,
                          uint8_t out[HANDSHAKE_MESSAGE_MAX])
{
    uint8_t tag[CPACE_TAG_LEN];
    if (i >= h->answers) {
        return -EINVAL;
    }
    int r = cpace_confirm(h->answer[i].isk, h->sid, SID_LEN, h->own_public, h->hello,
                          HANDSHAKE_BOUND, tag);
    struct link_hs m = {.type = LINK_CONFIRM,
                        .version = LINK_VERSION,
                        .method = LINK_CPACE,
                        .sender = h->local,
                        .receiver = h->answer[i].remote,
                        .data = tag};
    return r < 0 ? r : link_hs_encode(&m, out, HANDSHAKE_MESSAGE_MAX);
}

int handshake_tap_accept(struct handshake_tap *h, const uint8_t *d, size_t len,
                         struct handshake_keys *ret)
{
    struct link_hs m;
    uint8_t tag[CPACE_TAG_LEN];
    if (link_hs_decode(d, len, &m) < 0 || m.type != LINK_ACCEPT || h->complete ||
        m.receiver != h->local) {
        return -EBADMSG;
    }
    for (unsigned i = 0; i < h->answers; i++) {
        const struct handshake_answer *a = &h->answer[i];
        if (m.sender == a->remote &&
            cpace_confirm(a->isk, h->sid, SID_LEN, a->peer_public, a->bound, HANDSHAKE_BOUND,
                          tag) == 0 &&
            secure_equal(tag, m.data, sizeof(tag))) {
            derive(a->isk, a->alg, true, h->local, a->remote, ret);
            h->complete = true;
            return 0;
        }
    }
    return -EBADMSG;
}

void handshake_tap_done(struct handshake_tap *h)
{
    if (h) {
        secure_wipe(h, sizeof(*h));
    }
}

/* ---- collector ---- */

static int collector_cpace(struct handshake_collector *h, const struct handshake_conf *conf,
                           const struct link_hs *m, uint8_t *data)
{
    struct cpace c = {0};
    if (m->data_len != SID_LEN + CPACE_POINT_LEN) {
        return -EBADMSG;
    }
    memcpy(h->sid, m->data, SID_LEN);
    memcpy(h->tap_public, m->data + SID_LEN, CPACE_POINT_LEN);
    int r = cpace_init(&c, conf->passphrase, strlen(conf->passphrase), channel, sizeof(channel) - 1,
                       h->sid, SID_LEN, NULL, h->own_public);
    /* The answer's first bytes are known before the key: its data is the public message itself. */
    uint8_t answer[HANDSHAKE_MESSAGE_MAX];
    struct link_hs a = {.type = LINK_ANSWER,
                        .version = LINK_VERSION,
                        .method = LINK_CPACE,
                        .sender = h->local,
                        .receiver = h->remote,
                        .aead = (uint8_t)h->alg,
                        .data = h->own_public,
                        .data_len = CPACE_POINT_LEN};
    if (r == 0 && link_hs_encode(&a, answer, sizeof(answer)) < HANDSHAKE_BOUND) {
        r = -EBADMSG;
    }
    if (r == 0) {
        memcpy(h->answer, answer, HANDSHAKE_BOUND);
        r = cpace_finish(&c, false, h->answer, HANDSHAKE_BOUND, h->tap_public, h->hello,
                         HANDSHAKE_BOUND, h->isk);
    }
    cpace_done(&c);
    memcpy(data, h->own_public, CPACE_POINT_LEN);
    h->need_confirm = true;
    return r < 0 ? -EBADMSG : CPACE_POINT_LEN;
}

static int collector_noise_answer(struct handshake_collector *h, struct noise *n, uint8_t *data,
                                  struct handshake_keys *keys)
{
    uint8_t payload[NOISE_ANSWER_LEN];
    size_t len = 0;
    noise_answer_payload((uint8_t)h->alg, h->local, payload);
    int r = noise_set_psk(n, h->entry->psk); /* zeros where the list names none */
    if (r == 0) {
        r = noise_write(n, payload, sizeof(payload), data, LINK_HS_DATA_MAX, &len);
    }
    if (r == 0) {
        r = noise_keys(n, h->alg, false, h->local, h->remote, keys);
    }
    h->complete = r == 0;
    return r < 0 ? -EBADMSG : (int)len;
}

static int collector_noise(struct handshake_collector *h, const struct handshake_conf *conf,
                           const uint8_t *d, const struct link_hs *m, uint8_t *data,
                           struct handshake_keys *keys, uint8_t *ret_reason)
{
    struct noise n = {0};
    uint8_t none[1];
    size_t len = 0;
    int r = noise_begin(&n, conf, false, d);
    if (r == 0) {
        r = noise_read(&n, m->data, m->data_len, none, sizeof(none), &len);
    }
    if (r < 0 || len != 0) {
        noise_done(&n);
        return -EBADMSG; /* who does not know our public key learns nothing */
    }
    h->entry = conf->allow ? allow_find(conf->allow, noise_remote_static(&n)) : NULL;
    if (h->entry) {
        r = collector_noise_answer(h, &n, data, keys);
    } else {
        *ret_reason = LINK_REASON_KEY;
        r = -EACCES;
    }
    noise_done(&n);
    return r;
}

int handshake_collector_hello(struct handshake_collector *h, const struct handshake_conf *conf,
                              const uint8_t *d, const struct link_hs *m, uint32_t local,
                              uint8_t out[HANDSHAKE_MESSAGE_MAX], struct handshake_keys *ret,
                              uint8_t *ret_reason)
{
    uint8_t data[LINK_HS_DATA_MAX];
    *h = (struct handshake_collector){.local = local, .remote = m->sender};
    memcpy(h->hello, d, HANDSHAKE_BOUND);
    if (m->sender == 0) {
        return -EBADMSG;
    }
    if (m->method != conf->method || !choose_aead(m->aeads & conf->aeads, &h->alg)) {
        *ret_reason = LINK_REASON_METHOD;
        return -EACCES;
    }
    int n = 0;
    if (m->method == LINK_CPACE) {
        n = collector_cpace(h, conf, m, data);
    } else if (m->method == LINK_NOISE) {
        n = collector_noise(h, conf, d, m, data, ret, ret_reason);
    } else {
        *ret = (struct handshake_keys){.alg = h->alg, .local = local, .remote = h->remote};
        h->complete = true;
    }
    if (n < 0) {
        return n;
    }
    struct link_hs a = {.type = LINK_ANSWER,
                        .version = LINK_VERSION,
                        .method = m->method,
                        .sender = local,
                        .receiver = m->sender,
                        .aead = (uint8_t)h->alg,
                        .data = data,
                        .data_len = (uint16_t)n};
    return link_hs_encode(&a, out, HANDSHAKE_MESSAGE_MAX);
}

int handshake_collector_expects(const struct handshake_collector *h, uint8_t ret[CPACE_TAG_LEN])
{
    return cpace_confirm(h->isk, h->sid, SID_LEN, h->tap_public, h->hello, HANDSHAKE_BOUND, ret);
}

int handshake_collector_confirm(struct handshake_collector *h, const struct link_hs *m,
                                uint8_t out[HANDSHAKE_MESSAGE_MAX], struct handshake_keys *ret)
{
    uint8_t tag[CPACE_TAG_LEN];
    if (!h->need_confirm || m->type != LINK_CONFIRM || m->sender != h->remote) {
        return -EBADMSG;
    }
    int r = handshake_collector_expects(h, tag);
    if (r < 0 || !secure_equal(tag, m->data, sizeof(tag))) {
        return -EACCES;
    }
    r = cpace_confirm(h->isk, h->sid, SID_LEN, h->own_public, h->answer, HANDSHAKE_BOUND, tag);
    if (r < 0) {
        return r;
    }
    h->complete = true;
    derive(h->isk, h->alg, false, h->local, h->remote, ret);
    struct link_hs a = {.type = LINK_ACCEPT,
                        .version = LINK_VERSION,
                        .method = LINK_CPACE,
                        .sender = h->local,
                        .receiver = h->remote,
                        .data = tag};
    return link_hs_encode(&a, out, HANDSHAKE_MESSAGE_MAX);
}

void handshake_collector_forget(struct handshake_collector *h)
{
    struct handshake_collector kept = {.local = h->local,
                                       .remote = h->remote,
                                       .alg = h->alg,
                                       .entry = h->entry,
                                       .complete = h->complete};
    secure_wipe(h, sizeof(*h));
    *h = kept;
}

void handshake_collector_done(struct handshake_collector *h)
{
    if (h) {
        secure_wipe(h, sizeof(*h));
    }
}

int handshake_cookie(const uint8_t cookie[LINK_COOKIE_LEN], uint32_t receiver,
                     uint8_t out[HANDSHAKE_MESSAGE_MAX])
{
    struct link_hs m = {
        .type = LINK_COOKIE, .version = LINK_VERSION, .receiver = receiver, .data = cookie};
    return link_hs_encode(&m, out, HANDSHAKE_MESSAGE_MAX);
}

int handshake_reject(uint8_t reason, uint32_t receiver, uint8_t out[HANDSHAKE_MESSAGE_MAX])
{
    struct link_hs m = {.type = LINK_REJECT,
                        .version = LINK_VERSION,
                        .receiver = receiver,
                        .reason = reason,
                        .min_version = LINK_VERSION,
                        .max_version = LINK_VERSION};
    return link_hs_encode(&m, out, HANDSHAKE_MESSAGE_MAX);
}
