/* SPDX-License-Identifier: Apache-2.0
 *
 * Handshakes between the two ends' functions in memory: each method comes to the same keys at both
 * ends, a wrong secret or a changed message to none, and secrets are wiped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "data/link/handshake.h"

static struct handshake_conf cpace_conf(const char *passphrase)
{
    return (struct handshake_conf){
        .method = LINK_CPACE, .passphrase = passphrase, .aeads = handshake_aeads(LINK_CPACE)};
}

static void same_keys(const struct handshake_keys *tap, const struct handshake_keys *col)
{
    assert_memory_equal(tap->send, col->recv, AEAD_KEY_LEN);
    assert_memory_equal(tap->recv, col->send, AEAD_KEY_LEN);
    assert_memory_not_equal(tap->send, tap->recv, AEAD_KEY_LEN);
    assert_int_equal(tap->alg, col->alg);
    assert_int_equal(tap->local, col->remote);
    assert_int_equal(tap->remote, col->local);
}

/* Lets one bit of a message fall over on its way; -1: none. */
struct path {
    int hello, answer, confirm, accept;
};
static const struct path clean = {-1, -1, -1, -1};

static void flip(uint8_t *d, int bit, int len)
{
    if (bit >= 0 && bit < len * 8) {
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Runs a handshake. Returns 0 when both ends have keys, else where it ended: 1 the collector
 * refused the HELLO, 2 the tap the ANSWER, 3 the collector the CONFIRM, 4 the tap the ACCEPT. */
static int shake(const struct handshake_conf *tc, const struct handshake_conf *cc, struct path p,
                 struct handshake_keys *tk, struct handshake_keys *ck, uint8_t *reason)
{
    static struct handshake_tap t;
    static struct handshake_collector c;
    uint8_t a[HANDSHAKE_MESSAGE_MAX], b[HANDSHAKE_MESSAGE_MAX];
    struct link_hs m;
    int n = handshake_tap_hello(&t, tc, 0x1111, a);
    assert_int_equal(n, LINK_HELLO_LEN);
    flip(a, p.hello, n);
    if (link_hs_decode(a, (size_t)n, &m) < 0 || m.type != LINK_HELLO) {
        return 1;
    }
    int bn = handshake_collector_hello(&c, cc, a, &m, 0x2222, b, ck, reason);
    if (bn < 0) {
        return 1;
    }
    assert_true(bn <= n); /* no amplification */
    flip(b, p.answer, bn);
    int r = handshake_tap_answer(&t, b, (size_t)bn, tk);
    if (r == 0) {
        return 0;
    }
    if (r != -EINPROGRESS) {
        return 2;
    }
    n = handshake_tap_confirm(&t, 0, a);
    assert_int_equal(n, LINK_CONFIRM_LEN);
    flip(a, p.confirm, n);
    if (link_hs_decode(a, (size_t)n, &m) < 0) {
        return 3;
    }
    bn = handshake_collector_confirm(&c, &m, b, ck);
    if (bn < 0) {
        return 3;
    }
    assert_true(bn <= n);
    flip(b, p.accept, bn);
    r = handshake_tap_accept(&t, b, (size_t)bn, tk);
    struct handshake_keys again;
    assert_int_equal(handshake_tap_accept(&t, b, (size_t)bn, &again), -EBADMSG);
    handshake_tap_done(&t);
    handshake_collector_done(&c);
    return r == 0 ? 0 : 4;
}

static void passphrase(void **state)
{
    (void)state;
    struct handshake_conf good = cpace_conf("hello"), bad = cpace_conf("Hello");
    struct handshake_keys tk, ck, tk2, ck2;
    uint8_t reason = 0;
    assert_int_equal(shake(&good, &good, clean, &tk, &ck, &reason), 0);
    same_keys(&tk, &ck);
    assert_int_equal(shake(&good, &good, clean, &tk2, &ck2, &reason), 0);
    assert_memory_not_equal(tk.send, tk2.send, AEAD_KEY_LEN); /* forward secret: new each time */
    assert_int_equal(shake(&bad, &good, clean, &tk, &ck, &reason),
                     3); /* the collector learns first */
}

static void identities(struct handshake_conf *tc, struct handshake_conf *cc,
                       struct allow_list *list, const char *psk)
{
    uint8_t tap_pub[KEY_LEN];
    char text[KEY_TEXT_LEN + 1], line[256];
    *tc = (struct handshake_conf){.method = LINK_NOISE, .aeads = handshake_aeads(LINK_NOISE)};
    *cc = *tc;
    assert_int_equal(key_generate(tc->identity), 0);
    assert_int_equal(key_generate(cc->identity), 0);
    key_public(cc->identity, tc->peer);
    key_public(tc->identity, tap_pub);
    key_format(tap_pub, text);
    int n = snprintf(line, sizeof(line), "%s web1%s%s\n", text, psk ? " psk=" : "", psk ? psk : "");
    assert_int_equal(allow_parse(line, (size_t)n, "allow", list, NULL), 0);
    cc->allow = list;
}

static void keys_and_allow_list(void **state)
{
    (void)state;
    struct handshake_conf tc, cc;
    struct allow_list list = {0};
    struct handshake_keys tk, ck;
    uint8_t reason = 0;
    identities(&tc, &cc, &list, NULL);
    assert_int_equal(shake(&tc, &cc, clean, &tk, &ck, &reason), 0);
    same_keys(&tk, &ck);
    struct handshake_conf other = tc;
    assert_int_equal(key_generate(other.identity), 0);
    assert_int_equal(shake(&other, &cc, clean, &tk, &ck, &reason), 1);
    assert_int_equal(reason, LINK_REASON_KEY);
    other = tc;
    other.peer[0] ^= 1;
    assert_int_equal(shake(&other, &cc, clean, &tk, &ck, &reason), 1);
    other = tc;
    other.has_psk = true; /* which the list does not name */
    other.psk[0] = 1;
    assert_int_equal(shake(&other, &cc, clean, &tk, &ck, &reason), 2);
    allow_done(&list);
    uint8_t psk[KEY_LEN] = {42};
    char text[KEY_TEXT_LEN + 1];
    key_format(psk, text);
    identities(&tc, &cc, &list, text);
    assert_int_equal(shake(&tc, &cc, clean, &tk, &ck, &reason), 2);
    tc.has_psk = true;
    memcpy(tc.psk, psk, sizeof(psk));
    assert_int_equal(shake(&tc, &cc, clean, &tk, &ck, &reason), 0);
    allow_done(&list);
}

static void methods_do_not_mix(void **state)
{
    (void)state;
    struct handshake_conf plain = {.method = LINK_PLAIN, .aeads = handshake_aeads(LINK_PLAIN)};
    struct handshake_conf pass = cpace_conf("hello");
    struct handshake_keys tk, ck;
    uint8_t reason = 0;
    assert_int_equal(shake(&plain, &plain, clean, &tk, &ck, &reason), 0);
    assert_int_equal(tk.alg, AEAD_NULL);
    assert_int_equal(shake(&plain, &pass, clean, &tk, &ck, &reason), 1);
    assert_int_equal(reason, LINK_REASON_METHOD);
    reason = 0;
    assert_int_equal(shake(&pass, &plain, clean, &tk, &ck, &reason), 1);
    assert_int_equal(reason, LINK_REASON_METHOD);
}

static void ciphers_are_chosen(void **state)
{
    (void)state;
    struct handshake_conf tap = cpace_conf("x"), col = cpace_conf("x");
    struct handshake_keys tk, ck;
    uint8_t reason = 0;
    col.aeads = 1u << AEAD_CHACHA20POLY1305 | 1u << AEAD_AES256GCM;
    tap.aeads = 1u << AEAD_CHACHA20POLY1305;
    assert_int_equal(shake(&tap, &col, clean, &tk, &ck, &reason), 0);
    assert_int_equal(ck.alg, AEAD_CHACHA20POLY1305);
    tap.aeads = col.aeads;
    assert_int_equal(shake(&tap, &col, clean, &tk, &ck, &reason), 0);
    assert_int_equal(ck.alg, AEAD_AES256GCM);
    tap.aeads = 1u << AEAD_NULL; /* no clear text by negotiation */
    assert_int_equal(shake(&tap, &col, clean, &tk, &ck, &reason), 1);
}

/* One bit of a message is changed on its way: either an end refuses, or the bit was padding. In no
 * case do both ends have keys that differ in cipher or value. */
static void no_bit_can_be_changed(void **state)
{
    (void)state;
    struct handshake_conf tc, cc, good = cpace_conf("hello");
    struct allow_list list = {0};
    identities(&tc, &cc, &list, NULL);
    for (int method = 0; method < 2; method++) {
        const struct handshake_conf *t = method ? &tc : &good, *c = method ? &cc : &good;
        for (int message = 0; message < 4; message++) {
            int bits = message == 0 ? LINK_HELLO_LEN * 8 : 600;
            for (int bit = 0; bit < bits; bit += message == 0 ? 5 : 3) {
                struct handshake_keys tk = {0}, ck = {0};
                struct path p = clean;
                uint8_t reason = 0;
                *(message == 0   ? &p.hello
                  : message == 1 ? &p.answer
                  : message == 2 ? &p.confirm
                                 : &p.accept) = bit;
                int r = shake(t, c, p, &tk, &ck, &reason);
                if (r == 0) {
                    /* reserved bytes and padding, or a message that this method does not have */
                    same_keys(&tk, &ck);
                }
            }
        }
    }
    allow_done(&list);
    struct handshake_keys tk, ck;
    uint8_t reason = 0;
    /* The offer of ciphers in HELLO, the choice in ANSWER, the session indices: each matters. */
    assert_true(shake(&good, &good, (struct path){18 * 8 + 1, -1, -1, -1}, &tk, &ck, &reason) != 0);
    assert_true(shake(&good, &good, (struct path){19 * 8 + 3, -1, -1, -1}, &tk, &ck, &reason) != 0);
    assert_true(shake(&good, &good, (struct path){-1, 16 * 8, -1, -1}, &tk, &ck, &reason) != 0);
    assert_true(shake(&good, &good, (struct path){8 * 8, -1, -1, -1}, &tk, &ck, &reason) != 0);
}

/* A handshake of both ends with the right passphrase, up to the CONFIRM. */
static int open_both(struct handshake_tap *t, struct handshake_collector *c,
                     const struct handshake_conf *conf, uint8_t answer[HANDSHAKE_MESSAGE_MAX])
{
    uint8_t hello[HANDSHAKE_MESSAGE_MAX], reason = 0;
    struct handshake_keys keys;
    struct link_hs m;
    int n = handshake_tap_hello(t, conf, 0x1111, hello);
    assert_int_equal(link_hs_decode(hello, (size_t)n, &m), 0);
    n = handshake_collector_hello(c, conf, hello, &m, 0x2222, answer, &keys, &reason);
    assert_true(n > 0);
    return n;
}

/* An ACCEPT has the collector's tag and both indices. Where one of them is wrong, the tap goes on
 * waiting, and the right ACCEPT still counts. */
static void accept_is_checked(void **state)
{
    (void)state;
    struct handshake_conf conf = cpace_conf("hello");
    struct handshake_tap t = {0};
    struct handshake_collector c;
    struct handshake_keys tk = {0}, ck;
    struct link_hs m;
    uint8_t d[HANDSHAKE_MESSAGE_MAX], accept[HANDSHAKE_MESSAGE_MAX], forged[HANDSHAKE_MESSAGE_MAX];
    int n = open_both(&t, &c, &conf, d);
    assert_int_equal(handshake_tap_accept(&t, d, (size_t)n, &tk), -EBADMSG); /* not before ANSWER */
    assert_int_equal(handshake_tap_answer(&t, d, (size_t)n, &tk), -EINPROGRESS);
    n = handshake_tap_confirm(&t, 0, d);
    assert_int_equal(link_hs_decode(d, (size_t)n, &m), 0);
    n = handshake_collector_confirm(&c, &m, accept, &ck);
    assert_int_equal(n, LINK_CONFIRM_LEN);
    for (int bit = 8 * 8; bit < n * 8; bit++) { /* indices and tag */
        memcpy(forged, accept, (size_t)n);
        flip(forged, bit, n);
        assert_int_equal(handshake_tap_accept(&t, forged, (size_t)n, &tk), -EBADMSG);
    }
    memset(forged + 16, 0, CPACE_TAG_LEN);
    assert_int_equal(handshake_tap_accept(&t, forged, (size_t)n, &tk), -EBADMSG);
    handshake_tap_confirm(&t, 0, d); /* one's own tag sent back */
    memcpy(forged, accept, (size_t)n);
    memcpy(forged + 16, d + 16, CPACE_TAG_LEN);
    assert_int_equal(handshake_tap_accept(&t, forged, (size_t)n, &tk), -EBADMSG);
    static const struct handshake_keys none;
    assert_memory_equal(&tk, &none, sizeof(tk));
    assert_int_equal(handshake_tap_accept(&t, accept, (size_t)n, &tk), 0);
    same_keys(&tk, &ck);
    handshake_tap_done(&t);
    handshake_collector_done(&c);
}

/* A tap takes no cipher that it has not offered, no other method, and no answer to another HELLO,
 * and waits on. In clear text nothing but this check stands in between. */
static void answer_is_checked(void **state)
{
    (void)state;
    struct handshake_conf confs[] = {{.method = LINK_PLAIN, .aeads = handshake_aeads(LINK_PLAIN)},
                                     cpace_conf("hello")};
    for (unsigned i = 0; i < 2; i++) {
        struct handshake_tap t = {0};
        struct handshake_collector c;
        struct handshake_keys tk;
        uint8_t d[HANDSHAKE_MESSAGE_MAX], forged[HANDSHAKE_MESSAGE_MAX];
        int n = open_both(&t, &c, &confs[i], d);
        for (unsigned aead = 0; aead < 256; aead++) {
            memcpy(forged, d, (size_t)n);
            forged[16] = (uint8_t)aead;
            if (aead > 15 || !(confs[i].aeads >> aead & 1)) {
                assert_int_equal(handshake_tap_answer(&t, forged, (size_t)n, &tk), -EBADMSG);
            }
        }
        for (unsigned method = 0; method < 256; method++) {
            memcpy(forged, d, (size_t)n);
            forged[2] = (uint8_t)method;
            if (method != confs[i].method) {
                assert_int_equal(handshake_tap_answer(&t, forged, (size_t)n, &tk), -EBADMSG);
            }
        }
        memcpy(forged, d, (size_t)n);
        st_u32(forged + 8, 0); /* an index that nobody has */
        assert_int_equal(handshake_tap_answer(&t, forged, (size_t)n, &tk), -EBADMSG);
        for (int bit = 12 * 8; bit < 16 * 8; bit++) {
            memcpy(forged, d, (size_t)n);
            flip(forged, bit, n);
            assert_int_equal(handshake_tap_answer(&t, forged, (size_t)n, &tk), -EBADMSG);
        }
        int r = handshake_tap_answer(&t, d, (size_t)n, &tk);
        assert_int_equal(r, i == 0 ? 0 : -EINPROGRESS);
        handshake_tap_done(&t);
        handshake_collector_done(&c);
    }
}

/* A collector refuses another method also where a cipher is common, and one without ciphers. */
static void hello_is_checked(void **state)
{
    (void)state;
    struct handshake_conf pass = cpace_conf("hello"), tc, cc;
    struct allow_list list = {0};
    identities(&tc, &cc, &list, NULL);
    struct handshake_keys tk, ck;
    uint8_t reason = 0;
    assert_true(pass.aeads == tc.aeads);
    assert_int_equal(shake(&pass, &cc, clean, &tk, &ck, &reason), 1);
    assert_int_equal(reason, LINK_REASON_METHOD);
    reason = 0;
    assert_int_equal(shake(&tc, &pass, clean, &tk, &ck, &reason), 1);
    assert_int_equal(reason, LINK_REASON_METHOD);
    reason = 0;
    struct handshake_conf no_cipher = pass;
    no_cipher.aeads = 1 << 3;
    assert_int_equal(shake(&no_cipher, &pass, clean, &tk, &ck, &reason), 1);
    assert_int_equal(reason, LINK_REASON_METHOD);
    allow_done(&list);
}

static bool zero(const void *p, size_t n)
{
    const uint8_t *d = p;
    for (size_t i = 0; i < n; i++) {
        if (d[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Secrets that are done with are overwritten where they lie. */
static void secrets_are_wiped(void **state)
{
    (void)state;
    struct handshake_conf conf = cpace_conf("hello");
    struct handshake_tap t = {0};
    struct handshake_collector c;
    struct handshake_keys keys = {.alg = AEAD_AES256GCM, .send = {1}, .recv = {2}};
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    int n = open_both(&t, &c, &conf, d);
    assert_int_equal(handshake_tap_answer(&t, d, (size_t)n, &keys), -EINPROGRESS);
    assert_false(zero(t.answer[0].isk, sizeof(t.answer[0].isk)) || zero(c.isk, sizeof(c.isk)));
    handshake_collector_forget(&c);
    assert_true(zero(c.isk, sizeof(c.isk)) && zero(c.sid, sizeof(c.sid)));
    assert_int_equal(c.local, 0x2222);
    handshake_collector_done(&c);
    assert_true(zero(&c, sizeof(c)));
    handshake_tap_done(&t);
    assert_true(zero(&t, sizeof(t)));
    handshake_keys_wipe(&keys);
    assert_true(zero(&keys, sizeof(keys)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passphrase),
        cmocka_unit_test(keys_and_allow_list),
        cmocka_unit_test(methods_do_not_mix),
        cmocka_unit_test(ciphers_are_chosen),
        cmocka_unit_test(no_bit_can_be_changed),
        cmocka_unit_test(accept_is_checked),
        cmocka_unit_test(answer_is_checked),
        cmocka_unit_test(hello_is_checked),
        cmocka_unit_test(secrets_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
