/* SPDX-License-Identifier: Apache-2.0
 *
 * The handshake against every IK and IKpsk2 vector of tests/data/noise-vectors.json whose hash we
 * have, transport messages included; and against what a peer may get wrong.
 */
#include "sys/crypto/noise.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/crypto/aead.h"

struct blob {
    uint8_t p[512];
    size_t n;
};

static struct blob unhex(const json_t *text)
{
    struct blob b = {0};
    const char *s = json_string_value(text);
    assert_non_null(s);
    assert_int_equal(sodium_hex2bin(b.p, sizeof(b.p), s, strlen(s), NULL, &b.n, NULL), 0);
    return b;
}

static struct blob field(const json_t *v, const char *name)
{
    return unhex(json_object_get(v, name));
}

static int load(void **state)
{
    char path[4096];
    const char *source = getenv("FARSPAN_SOURCE");
    snprintf(path, sizeof(path), "%s/tests/data/noise-vectors.json", source ? source : ".");
    *state = json_load_file(path, 0, NULL);
    if (!*state) {
        fprintf(stderr, "cannot read %s\n", path);
        return -1;
    }
    return 0;
}

static int unload(void **state)
{
    json_decref(*state);
    return 0;
}

/* False for patterns and hashes that we do not have. */
static bool conf_from_name(const char *name, struct noise_conf *ret)
{
    char pattern[16], cipher[16], digest[16];
    if (sscanf(name, "Noise_%15[^_]_25519_%15[^_]_%15s", pattern, cipher, digest) != 3) {
        return false;
    }
    ret->psk = strcmp(pattern, "IKpsk2") == 0;
    ret->cipher = strcmp(cipher, "AESGCM") == 0 ? NOISE_AESGCM : NOISE_CHACHAPOLY;
    ret->digest = strcmp(digest, "BLAKE2s") == 0 ? NOISE_BLAKE2S : NOISE_SHA256;
    return (ret->psk || strcmp(pattern, "IK") == 0) &&
           (strcmp(digest, "SHA256") == 0 || strcmp(digest, "BLAKE2s") == 0);
}

static void check_transport(const json_t *messages, const struct noise_conf *conf,
                            const uint8_t *i2r, const uint8_t *r2i)
{
    enum aead_alg alg = conf->cipher == NOISE_AESGCM ? AEAD_AES256GCM : AEAD_CHACHA20POLY1305;
    const uint8_t *keys[] = {i2r, r2i};
    for (size_t i = 2; i < json_array_size(messages); i++) {
        struct aead *a = NULL;
        struct blob payload = field(json_array_get(messages, i), "payload");
        struct blob want = field(json_array_get(messages, i), "ciphertext");
        uint8_t nonce[12];
        assert_int_equal(aead_new(alg, keys[i % 2], &a, NULL), 0);
        noise_nonce(conf->cipher, (i - 2) / 2, nonce);
        assert_int_equal(aead_seal(a, nonce, NULL, 0, payload.p, payload.n, payload.p + payload.n),
                         0);
        assert_int_equal(payload.n + 16, want.n);
        assert_memory_equal(payload.p, want.p, want.n);
        aead_free(a);
    }
}

/* One message from `from` to `to`, as the vector says. */
static void check_message(const json_t *message, struct noise *from, struct noise *to)
{
    struct blob payload = field(message, "payload"), want = field(message, "ciphertext"), out;
    assert_int_equal(noise_write(from, payload.p, payload.n, out.p, sizeof(out.p), &out.n), 0);
    assert_int_equal(out.n, want.n);
    assert_memory_equal(out.p, want.p, want.n);
    uint8_t got[512];
    size_t n = 0;
    assert_int_equal(noise_read(to, out.p, out.n, got, sizeof(got), &n), 0);
    assert_int_equal(n, payload.n);
    assert_memory_equal(got, payload.p, n);
}

static void check_vector(const json_t *v, struct noise_conf conf)
{
    struct noise i, r;
    struct blob ip = field(v, "init_prologue"), is = field(v, "init_static");
    struct blob ie = field(v, "init_ephemeral"), irs = field(v, "init_remote_static");
    struct blob rp = field(v, "resp_prologue"), rs = field(v, "resp_static");
    struct blob re = field(v, "resp_ephemeral"), ipsk = {0}, rpsk = {0};
    if (conf.psk) {
        ipsk = unhex(json_array_get(json_object_get(v, "init_psks"), 0));
        rpsk = unhex(json_array_get(json_object_get(v, "resp_psks"), 0));
    }
    conf.initiator = true;
    conf.prologue = ip.p, conf.prologue_len = ip.n;
    conf.s_priv = is.p, conf.fixed_e_priv = ie.p, conf.rs_pub = irs.p, conf.psk_key = ipsk.p;
    assert_int_equal(noise_init(&i, &conf), 0);
    conf.initiator = false;
    conf.prologue = rp.p, conf.prologue_len = rp.n;
    conf.s_priv = rs.p, conf.fixed_e_priv = re.p, conf.rs_pub = NULL, conf.psk_key = NULL;
    assert_int_equal(noise_init(&r, &conf), 0);
    assert_null(noise_remote_static(&r));

    json_t *messages = json_object_get(v, "messages");
    check_message(json_array_get(messages, 0), &i, &r);
    uint8_t pub[32];
    crypto_scalarmult_curve25519_base(pub, is.p);
    assert_memory_equal(noise_remote_static(&r), pub, 32); /* known before the answer */
    if (conf.psk) {
        assert_int_equal(noise_set_psk(&r, rpsk.p), 0);
    }
    check_message(json_array_get(messages, 1), &r, &i);
    struct blob hash = field(v, "handshake_hash");
    assert_memory_equal(noise_hash(&i), hash.p, 32);
    assert_memory_equal(noise_hash(&r), hash.p, 32);

    uint8_t a1[32], a2[32], b1[32], b2[32];
    assert_int_equal(noise_split(&i, a1, a2), 0);
    assert_int_equal(noise_split(&r, b1, b2), 0);
    assert_int_equal(noise_split(&r, b1, b2), -EINVAL); /* once */
    assert_memory_equal(noise_hash(&r), hash.p, 32);
    assert_memory_equal(a1, b1, 32);
    assert_memory_equal(a2, b2, 32);
    check_transport(messages, &conf, a1, a2);
    noise_done(&i);
    noise_done(&r);
}

static void vectors_are_met(void **state)
{
    json_t *v, *all = json_object_get(*state, "vectors");
    size_t at;
    unsigned ran = 0, blake = 0;
    json_array_foreach(all, at, v)
    {
        struct noise_conf conf = {0};
        if (conf_from_name(json_string_value(json_object_get(v, "protocol_name")), &conf)) {
            check_vector(v, conf);
            ran++;
            blake += conf.digest == NOISE_BLAKE2S;
        }
    }
    assert_int_equal(ran, 5); /* IK and IKpsk2 with both ciphers, and one with BLAKE2s */
    assert_int_equal(blake, 1);
}

/* Two ends with keys of their own, for the tests below. */
struct duo {
    struct noise i, r;
    uint8_t is[32], rs[32], rs_pub[32], psk[32];
    uint8_t msg[512], payload[512];
    size_t len, n;
};

static void duo_init(struct duo *d, bool psk, const char *prologue_i, const char *prologue_r)
{
    memset(d, 0, sizeof(*d));
    randombytes_buf(d->is, 32);
    randombytes_buf(d->rs, 32);
    randombytes_buf(d->psk, 32);
    crypto_scalarmult_curve25519_base(d->rs_pub, d->rs);
    struct noise_conf conf = {.psk = psk,
                              .initiator = true,
                              .prologue = prologue_i,
                              .prologue_len = strlen(prologue_i),
                              .s_priv = d->is,
                              .rs_pub = d->rs_pub,
                              .psk_key = psk ? d->psk : NULL};
    assert_int_equal(noise_init(&d->i, &conf), 0);
    conf.initiator = false;
    conf.s_priv = d->rs;
    conf.prologue = prologue_r;
    conf.prologue_len = strlen(prologue_r);
    assert_int_equal(noise_init(&d->r, &conf), 0);
}

static int duo_first(struct duo *d)
{
    assert_int_equal(noise_write(&d->i, "who", 3, d->msg, sizeof(d->msg), &d->len), 0);
    assert_int_equal(d->len, 3 + NOISE_FIRST_OVERHEAD);
    return noise_read(&d->r, d->msg, d->len, d->payload, sizeof(d->payload), &d->n);
}

static void assert_dead(struct noise *ns)
{
    const struct noise zero = {0};
    uint8_t out[256];
    size_t n;
    assert_memory_equal(ns, &zero, sizeof(zero)); /* every key is wiped */
    assert_int_equal(noise_read(ns, out, sizeof(out), out, sizeof(out), &n), -EINVAL);
    assert_int_equal(noise_write(ns, "", 0, out, sizeof(out), &n), -EINVAL);
    assert_int_equal(noise_split(ns, out, out + 32), -EINVAL);
    assert_null(noise_hash(ns));
    assert_null(noise_remote_static(ns));
}

static void random_keys_work(void **state)
{
    (void)state;
    for (unsigned psk = 0; psk < 2; psk++) {
        struct duo d;
        duo_init(&d, psk, "v1", "v1");
        assert_int_equal(duo_first(&d), 0);
        assert_int_equal(d.n, 3);
        assert_memory_equal(d.payload, "who", 3);
        assert_int_equal(noise_write(&d.r, NULL, 0, d.msg, NOISE_SECOND_OVERHEAD, &d.len), 0);
        assert_int_equal(noise_read(&d.i, d.msg, d.len, d.payload, 0, &d.n), 0);
        assert_int_equal(d.n, 0);
        assert_memory_equal(noise_hash(&d.i), noise_hash(&d.r), 32);
        noise_done(&d.i);
        noise_done(&d.r);
    }
}

static void flipped_bits_are_refused(void **state)
{
    (void)state;
    struct duo d;
    duo_init(&d, true, "v1", "v1");
    struct noise r = d.r;
    assert_int_equal(duo_first(&d), 0);
    for (size_t bit = 0; bit < 8 * d.len; bit += 5) {
        if (bit == 255) {
            continue; /* X25519 ignores it, but the hash does not: tried below */
        }
        struct noise copy = r;
        d.msg[bit / 8] = (uint8_t)(d.msg[bit / 8] ^ 1U << bit % 8);
        assert_int_equal(noise_read(&copy, d.msg, d.len, d.payload, 512, &d.n), -EBADMSG);
        assert_dead(&copy);
        d.msg[bit / 8] = (uint8_t)(d.msg[bit / 8] ^ 1U << bit % 8);
    }
    d.msg[31] = (uint8_t)(d.msg[31] ^ 0x80);
    assert_int_equal(noise_read(&r, d.msg, d.len, d.payload, 512, &d.n), -EBADMSG);

    assert_int_equal(noise_write(&d.r, "ok", 2, d.msg, sizeof(d.msg), &d.len), 0);
    for (size_t bit = 0; bit < 8 * d.len; bit += 5) {
        struct noise copy = d.i; /* as an initiator does that must survive forged answers */
        d.msg[bit / 8] = (uint8_t)(d.msg[bit / 8] ^ 1U << bit % 8);
        memset(d.payload, 0, 2);
        assert_int_equal(noise_read(&copy, d.msg, d.len, d.payload, 512, &d.n), -EBADMSG);
        assert_memory_not_equal(d.payload, "ok", 2);
        assert_dead(&copy);
        d.msg[bit / 8] = (uint8_t)(d.msg[bit / 8] ^ 1U << bit % 8);
    }
    assert_int_equal(noise_read(&d.i, d.msg, d.len, d.payload, 512, &d.n), 0);
}

static void every_secret_counts(void **state)
{
    (void)state;
    struct duo d;
    uint8_t other[32] = {1};
    duo_init(&d, false, "v1", "v2");
    assert_int_equal(duo_first(&d), -EBADMSG); /* another prologue */
    assert_dead(&d.r);

    duo_init(&d, false, "v1", "v1");
    struct noise_conf conf = {.s_priv = other, .prologue = "v1", .prologue_len = 2};
    assert_int_equal(noise_init(&d.r, &conf), 0);
    assert_int_equal(duo_first(&d), -EBADMSG); /* for another responder */

    duo_init(&d, true, "v1", "v1");
    assert_int_equal(duo_first(&d), 0);
    assert_int_equal(noise_set_psk(&d.r, other), 0);
    assert_int_equal(noise_write(&d.r, "", 0, d.msg, sizeof(d.msg), &d.len), 0);
    assert_int_equal(noise_read(&d.i, d.msg, d.len, d.payload, 512, &d.n), -EBADMSG);
    assert_dead(&d.i); /* another psk */

    duo_init(&d, true, "v1", "v1"); /* a psk pattern does not speak with one without */
    conf = (struct noise_conf){.s_priv = d.rs, .prologue = "v1", .prologue_len = 2};
    assert_int_equal(noise_init(&d.r, &conf), 0);
    assert_int_equal(duo_first(&d), -EBADMSG);
}

static void low_order_points_are_refused(void **state)
{
    (void)state;
    struct duo d;
    static const uint8_t low[3][32] = {{0}, {1}, {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae,
                                                  0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
                                                  0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
                                                  0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}};
    for (size_t k = 0; k < ARRAY_SIZE(low); k++) {
        duo_init(&d, false, "", "");
        memcpy(d.msg, low[k], 32);
        assert_int_equal(noise_read(&d.r, d.msg, 100, d.payload, 512, &d.n), -EBADMSG);
        assert_dead(&d.r);
        struct noise_conf conf = {.initiator = true, .s_priv = d.is, .rs_pub = low[k]};
        assert_int_equal(noise_init(&d.i, &conf), 0);
        assert_int_equal(noise_write(&d.i, "", 0, d.msg, 512, &d.len), -EKEYREJECTED);
        assert_dead(&d.i);
    }
}

static void order_and_sizes_are_checked(void **state)
{
    (void)state;
    struct duo d;
    uint8_t key[32];
    static uint8_t much[NOISE_MESSAGE_MAX + 1];
    duo_init(&d, true, "", "");
    d.r.has_psk = false;
    assert_int_equal(noise_write(&d.r, "", 0, d.msg, 512, &d.len), -EINVAL);
    assert_int_equal(noise_read(&d.i, d.msg, 100, d.payload, 512, &d.n), -EINVAL);
    assert_int_equal(noise_split(&d.i, key, key), -EINVAL);
    assert_null(noise_hash(&d.i));
    assert_int_equal(noise_write(&d.i, "", 0, d.msg, NOISE_FIRST_OVERHEAD - 1, &d.len), -ENOBUFS);
    assert_int_equal(noise_write(&d.i, much, NOISE_MESSAGE_MAX, much, sizeof(much), &d.len),
                     -EMSGSIZE);
    assert_int_equal(duo_first(&d), 0); /* none of that did harm */
    assert_int_equal(noise_write(&d.r, "", 0, d.msg, 512, &d.len), -ENOKEY);
    assert_int_equal(noise_set_psk(&d.r, d.psk), 0);
    assert_int_equal(noise_write(&d.r, "", 0, d.msg, 512, &d.len), 0);
    assert_int_equal(noise_set_psk(&d.r, d.psk), -EINVAL);

    for (size_t len = 0; len < NOISE_FIRST_OVERHEAD; len++) {
        duo_init(&d, false, "", "");
        assert_int_equal(noise_set_psk(&d.r, key), -EINVAL); /* no psk pattern */
        assert_int_equal(noise_read(&d.r, much, len, d.payload, 512, &d.n), -EBADMSG);
        assert_dead(&d.r);
    }
    duo_init(&d, false, "", "");
    assert_int_equal(noise_read(&d.r, much, sizeof(much), much, sizeof(much), &d.n), -EBADMSG);
    duo_init(&d, false, "", "");
    assert_int_equal(noise_write(&d.i, "abc", 3, d.msg, 512, &d.len), 0);
    assert_int_equal(noise_read(&d.r, d.msg, d.len, d.payload, 2, &d.n), -ENOBUFS);
    assert_dead(&d.r);

    struct noise_conf conf = {.initiator = true, .s_priv = key};
    assert_int_equal(noise_init(&d.i, &conf), -EINVAL);
    conf = (struct noise_conf){.rs_pub = key};
    assert_int_equal(noise_init(&d.i, &conf), -EINVAL);
    noise_done(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_met),
        cmocka_unit_test(random_keys_work),
        cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(every_secret_counts),
        cmocka_unit_test(low_order_points_are_refused),
        cmocka_unit_test(order_and_sizes_are_checked),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, load, unload);
}
