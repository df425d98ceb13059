/* SPDX-License-Identifier: Apache-2.0
 *
 * CPace against every value of the draft's vectors (tests/data/cpace-vectors.json).
 */
#include "sys/crypto/cpace.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct blob {
    uint8_t p[128];
    size_t n;
};

struct vectors {
    json_t *root, *g, *points;
    struct blob prs, ci, sid, ada, adb, ya, yb, Ya, Yb;
};

static struct blob hex(const json_t *from, const char *name)
{
    struct blob b = {0};
    const char *text = json_string_value(json_object_get(from, name));
    assert_non_null(text);
    assert_int_equal(sodium_hex2bin(b.p, sizeof(b.p), text, strlen(text), NULL, &b.n, NULL), 0);
    return b;
}

static int load(void **state)
{
    static struct vectors v;
    char path[4096];
    const char *source = getenv("FARSPAN_SOURCE");
    snprintf(path, sizeof(path), "%s/tests/data/cpace-vectors.json", source ? source : ".");
    v.root = json_load_file(path, 0, NULL);
    v.g = json_object_get(v.root, "G_Ristretto255");
    v.points = json_object_get(v.root, "points");
    if (!v.g || !v.points) {
        fprintf(stderr, "cannot read %s\n", path);
        return -1;
    }
    v.prs = hex(v.g, "PRS");
    v.ci = hex(v.g, "CI");
    v.sid = hex(v.g, "sid");
    v.ada = hex(v.g, "ADa");
    v.adb = hex(v.g, "ADb");
    v.ya = hex(v.g, "ya");
    v.yb = hex(v.g, "yb");
    v.Ya = hex(v.g, "Ya");
    v.Yb = hex(v.g, "Yb");
    *state = &v;
    return 0;
}

static int unload(void **state)
{
    struct vectors *v = *state;
    json_decref(v->root);
    return 0;
}

static int start(const struct vectors *v, struct cpace *c, const uint8_t *scalar, uint8_t *ret)
{
    return cpace_init(c, v->prs.p, v->prs.n, v->ci.p, v->ci.n, v->sid.p, v->sid.n, scalar, ret);
}

static void vectors_are_met(void **state)
{
    const struct vectors *v = *state;
    struct cpace a, b;
    uint8_t out[64], isk[64];
    assert_int_equal(cpace_generator(v->prs.p, v->prs.n, v->ci.p, v->ci.n, v->sid.p, v->sid.n, out),
                     0);
    assert_memory_equal(out, hex(v->g, "g").p, 32);
    assert_int_equal(start(v, &a, v->ya.p, out), 0);
    assert_memory_equal(out, v->Ya.p, 32);
    assert_int_equal(start(v, &b, v->yb.p, out), 0);
    assert_memory_equal(out, v->Yb.p, 32);
    assert_int_equal(cpace_scalar_mult_vfy(v->ya.p, v->Yb.p, out), 0);
    assert_memory_equal(out, hex(v->g, "K").p, 32);
    assert_int_equal(cpace_scalar_mult_vfy(v->yb.p, v->Ya.p, out), 0);
    assert_memory_equal(out, hex(v->g, "K").p, 32);

    assert_int_equal(cpace_finish(&a, true, v->ada.p, v->ada.n, v->Yb.p, v->adb.p, v->adb.n, isk),
                     0);
    assert_memory_equal(isk, hex(v->g, "ISK_IR").p, 64);
    memset(isk, 0, sizeof(isk));
    assert_int_equal(cpace_finish(&b, false, v->adb.p, v->adb.n, v->Ya.p, v->ada.p, v->ada.n, isk),
                     0);
    assert_memory_equal(isk, hex(v->g, "ISK_IR").p, 64);
    assert_int_equal(
        cpace_session_id(v->Ya.p, v->ada.p, v->ada.n, v->Yb.p, v->adb.p, v->adb.n, out), 0);
    assert_memory_equal(out, hex(v->g, "sid_output_ir").p, 64);
}

static void points_are_checked(void **state)
{
    const struct vectors *v = *state;
    const json_t *valid = json_object_get(v->points, "Valid");
    static const char *const bad[] = {"Invalid Y1", "Invalid Y2"};
    struct blob s = hex(valid, "s"), x = hex(valid, "X");
    uint8_t out[64], kept[64];
    assert_int_equal(cpace_scalar_mult_vfy(s.p, x.p, out), 0);
    assert_memory_equal(out, hex(valid, "G.scalar_mult_vfy(s,X)").p, 32);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct cpace c;
        struct blob y = hex(v->points, bad[i]);
        assert_int_equal(cpace_scalar_mult_vfy(s.p, y.p, out), -EBADMSG);
        assert_int_equal(start(v, &c, NULL, out), 0);
        memset(out, 7, sizeof(out));
        memcpy(kept, out, sizeof(kept));
        assert_int_equal(cpace_finish(&c, true, NULL, 0, y.p, NULL, 0, out), -EBADMSG);
        assert_memory_equal(out, kept, sizeof(out));
        /* a refusal uses it up as well: one guess an exchange */
        assert_int_equal(cpace_finish(&c, true, NULL, 0, v->Yb.p, NULL, 0, out), -EINVAL);
    }
}

static void own_message_sent_back_is_refused(void **state)
{
    const struct vectors *v = *state;
    struct cpace c;
    uint8_t mine[32], isk[64];
    assert_int_equal(start(v, &c, NULL, mine), 0);
    assert_int_equal(cpace_finish(&c, true, "x", 1, mine, "x", 1, isk), -EBADMSG);
}

struct side {
    const char *prs, *ci, *sid, *ad, *peer_ad;
};

/* Runs an exchange with random scalars. True when both ends come to the same key. */
static bool agree(const struct side *x, const struct side *y)
{
    struct cpace a, b;
    uint8_t pa[32], pb[32], ka[64], kb[64];
    assert_int_equal(cpace_init(&a, x->prs, strlen(x->prs), x->ci, strlen(x->ci),
                                (const uint8_t *)x->sid, strlen(x->sid), NULL, pa),
                     0);
    assert_int_equal(cpace_init(&b, y->prs, strlen(y->prs), y->ci, strlen(y->ci),
                                (const uint8_t *)y->sid, strlen(y->sid), NULL, pb),
                     0);
    assert_memory_not_equal(pa, pb, 32);
    assert_int_equal(
        cpace_finish(&a, true, x->ad, strlen(x->ad), pb, x->peer_ad, strlen(x->peer_ad), ka), 0);
    assert_int_equal(
        cpace_finish(&b, false, y->ad, strlen(y->ad), pa, y->peer_ad, strlen(y->peer_ad), kb), 0);
    return memcmp(ka, kb, 64) == 0;
}

static void every_input_counts(void **state)
{
    (void)state;
    const struct side x = {"hello", "tap,collector", "session", "A", "B"};
    const struct side y = {"hello", "tap,collector", "session", "B", "A"};
    assert_true(agree(&x, &y));
    const struct side others[] = {
        {"hellO", "tap,collector", "session", "B", "A"},
        {"hello", "tap,collectoR", "session", "B", "A"},
        {"hello", "tap,collector", "sessioN", "B", "A"},
        {"hello", "tap,collector", "session", "b", "A"},
        {"hello", "tap,collector", "session", "B", "a"},
        {"hell", "otap,collector", "session", "B", "A"},
        {"hello", "tap,collectors", "ession", "B", "A"},
        {"", "", "", "B", "A"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_false(agree(&x, &others[i]));
    }
    const struct side empty = {"", "", "", "", ""};
    assert_true(agree(&empty, &empty));
}

/* The draft has no vector for its confirmation tags: so the formula again, by the one-shot calls of
 * libsodium and a buffer put together by hand. */
static void confirmation_is_the_drafts(void **state)
{
    const struct vectors *v = *state;
    struct blob isk = hex(v->g, "ISK_IR");
    uint8_t in[256] = "CPaceMac", key[64], msg[64], want[64], ta[32], tb[32];
    memcpy(in + 8, v->sid.p, v->sid.n);
    memcpy(in + 8 + v->sid.n, isk.p, 64);
    crypto_hash_sha512(key, in, 8 + v->sid.n + 64);
    msg[0] = 32;
    memcpy(msg + 1, v->Ya.p, 32);
    msg[33] = (uint8_t)v->ada.n;
    memcpy(msg + 34, v->ada.p, v->ada.n);
    crypto_auth_hmacsha512_state m;
    crypto_auth_hmacsha512_init(&m, key, sizeof(key));
    crypto_auth_hmacsha512_update(&m, msg, 34 + v->ada.n);
    crypto_auth_hmacsha512_final(&m, want);
    assert_int_equal(cpace_confirm(isk.p, v->sid.p, v->sid.n, v->Ya.p, v->ada.p, v->ada.n, ta), 0);
    assert_memory_equal(ta, want, 32);
    assert_int_equal(cpace_confirm(isk.p, v->sid.p, v->sid.n, v->Yb.p, v->adb.p, v->adb.n, tb), 0);
    assert_memory_not_equal(ta, tb, 32);
    isk.p[63] = (uint8_t)(isk.p[63] ^ 1);
    assert_int_equal(cpace_confirm(isk.p, v->sid.p, v->sid.n, v->Yb.p, v->adb.p, v->adb.n, ta), 0);
    assert_memory_not_equal(ta, tb, 32);
}

/* The published vector has short inputs alone. So a passphrase whose length takes two bytes of
 * LEB128 (200 = 0xc8 0x01) and leaves no room for padding, its generator string put together by
 * hand. */
static void long_inputs_have_long_lengths(void **state)
{
    (void)state;
    uint8_t in[256] = "\x11"
                      "CPaceRistretto255\xc8\x01",
            hash[64], want[32], got[32];
    uint8_t *p = in + 20;
    memset(p, 'p', 200);
    p += 200;
    *p++ = 0; /* no zeros */
    *p++ = 1;
    *p++ = 'c';
    *p++ = 1;
    *p++ = 's';
    crypto_hash_sha512(hash, in, (size_t)(p - in));
    crypto_core_ristretto255_from_hash(want, hash);
    assert_int_equal(cpace_generator(in + 20, 200, "c", 1, (const uint8_t *)"s", 1, got), 0);
    assert_memory_equal(got, want, 32);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    static const uint8_t much[CPACE_INPUT_MAX + 1];
    const uint8_t zero[32] = {0};
    struct cpace c;
    uint8_t out[64], isk[64];
    assert_int_equal(cpace_init(&c, much, sizeof(much), "", 0, much, 0, NULL, out), -EMSGSIZE);
    assert_int_equal(cpace_init(&c, "", 0, much, sizeof(much), much, 0, NULL, out), -EMSGSIZE);
    assert_int_equal(cpace_init(&c, "", 0, "", 0, much, CPACE_SID_MAX + 1, NULL, out), -EMSGSIZE);
    assert_int_equal(cpace_init(&c, "", 0, "", 0, much, 0, zero, out), -EINVAL);
    /* prs long enough that its length takes two bytes and no zeros fit */
    assert_int_equal(cpace_init(&c, much, CPACE_INPUT_MAX, "", 0, much, CPACE_SID_MAX, NULL, out),
                     0);
    assert_int_equal(cpace_finish(&c, true, much, sizeof(much), out, "", 0, isk), -EMSGSIZE);
    assert_int_equal(cpace_confirm(isk, much, CPACE_SID_MAX + 1, out, "", 0, out), -EMSGSIZE);
    cpace_done(&c);
    cpace_done(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_met),
        cmocka_unit_test(points_are_checked),
        cmocka_unit_test(own_message_sent_back_is_refused),
        cmocka_unit_test(every_input_counts),
        cmocka_unit_test(confirmation_is_the_drafts),
        cmocka_unit_test(long_inputs_have_long_lengths),
        cmocka_unit_test(sizes_are_checked),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, load, unload);
}
