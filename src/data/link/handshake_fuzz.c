/* SPDX-License-Identifier: Apache-2.0
 *
 * A handshake on a network that may do anything to it, at both ends, with every method. Each of the
 * four messages is one that the other end has really made, with changes from the input, or the
 * input itself. Keys and random numbers are fixed, so that an input means the same each time.
 *
 * An end that comes to keys with a passphrase or identities, where nothing but padding was changed,
 * comes to those of the other end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/fuzz_random.h"
#include "data/link/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void set_up(uint8_t how, struct handshake_conf *tap, struct handshake_conf *col,
                   struct allow_list *list)
{
    uint8_t pub[KEY_LEN];
    char text[KEY_TEXT_LEN + 1], psk[KEY_TEXT_LEN + 1], line[160];
    *tap = (struct handshake_conf){.method = (enum link_method)(how % 3),
                                   .passphrase = "hello",
                                   .identity = {0x11},
                                   .aeads = 1u << AEAD_AES256GCM | 1u << AEAD_CHACHA20POLY1305};
    if (tap->method == LINK_PLAIN) {
        tap->aeads = 1u << AEAD_NULL;
    }
    *col = *tap;
    col->identity[0] = 0x22;
    col->allow = list;
    key_public(col->identity, tap->peer);
    key_public(tap->identity, pub);
    key_format(pub, text);
    tap->has_psk = how & 4;
    tap->psk[0] = 0x33;
    key_format(tap->psk, psk);
    int n = snprintf(line, sizeof(line), "%s tap%s%s\n", text, tap->has_psk ? " psk=" : "",
                     tap->has_psk ? psk : "");
    must(allow_parse(line, (size_t)n, "allow", list, NULL) == 0);
}

/* Changes a message on its way. The first byte: 0 leaves it alone, 1 replaces it by so many bytes
 * of the input as the next two say, otherwise that many less one bytes are changed (place,
 * difference), after which it may be cut. Gives an allocation of exactly `*len` bytes. */
static uint8_t *change(struct rd *in, const uint8_t *d, size_t *len, bool *touched)
{
    uint8_t what = rd_u8(in) % 16;
    if (what == 1) {
        size_t n = MIN(rd_u16(in) % (HANDSHAKE_MESSAGE_MAX + 16), rd_left(in));
        const uint8_t *p = rd_take(in, n);
        uint8_t *raw = malloc(n + 1);
        must(raw != NULL);
        *touched = true;
        *len = p ? n : 0;
        memcpy(raw, p ? p : d, *len);
        return raw;
    }
    size_t cut = what > 1 ? rd_u8(in) : 0;
    cut = cut < *len ? cut : 0;
    uint8_t *copy = malloc(*len - cut);
    must(copy != NULL);
    memcpy(copy, d, *len - cut);
    *len -= cut;
    for (uint8_t i = 1; i < what; i++) {
        size_t at = rd_u16(in) % *len;
        copy[at] ^= rd_u8(in);
    }
    *touched |= cut > 0 || memcmp(copy, d, *len) != 0;
    return copy;
}

struct ends {
    struct handshake_tap tap;
    struct handshake_collector col;
    struct handshake_keys tap_keys, col_keys;
    bool tap_has, col_has, touched;
};

/* HELLO and CONFIRM at the collector; the answer's length, or less than 1. */
static int at_collector(struct ends *e, const struct handshake_conf *conf, struct rd *in,
                        const uint8_t *d, int len, uint8_t *out)
{
    struct link_hs m;
    uint8_t reason = 0;
    size_t n = (size_t)len;
    int r = 0;
    _cleanup_(freep) uint8_t *got = change(in, d, &n, &e->touched);
    if (link_hs_decode(got, n, &m) < 0) {
        return 0;
    }
    if (m.type == LINK_HELLO) {
        r = handshake_collector_hello(&e->col, conf, got, &m, 0x2222, out, &e->col_keys, &reason);
        must((r == -EACCES) == (reason != 0));
        e->col_has = r > 0 && !e->col.need_confirm;
    } else if (m.type == LINK_CONFIRM) {
        r = handshake_collector_confirm(&e->col, &m, out, &e->col_keys);
        e->col_has |= r > 0;
    }
    must(r <= (int)n); /* never more than what asked for it */
    must(e->col_has == e->col.complete);
    return r;
}

static void one(struct ends *e, const struct handshake_conf *tc, const struct handshake_conf *cc,
                struct rd *in)
{
    uint8_t a[HANDSHAKE_MESSAGE_MAX] = {0}, b[HANDSHAKE_MESSAGE_MAX] = {0};
    int n = handshake_tap_hello(&e->tap, tc, 0x1111, a);
    must(n == LINK_HELLO_LEN);
    n = at_collector(e, cc, in, a, n, b);
    size_t len = n > 0 ? (size_t)n : HANDSHAKE_MESSAGE_MAX;
    uint8_t *got = change(in, b, &len, &e->touched);
    uint8_t cookie[LINK_COOKIE_LEN];
    if (handshake_tap_cookie(&e->tap, got, len, cookie)) {
        must(e->touched && memcmp(cookie, got + LINK_HS_HEADER, sizeof(cookie)) == 0);
    }
    int r = handshake_tap_answer(&e->tap, got, len, &e->tap_keys);
    free(got);
    e->tap_has = r == 0;
    must(r == 0 || r == -EBADMSG || r == -EINPROGRESS);
    n = tc->method == LINK_CPACE ? handshake_tap_confirm(&e->tap, 0, a) : -EINVAL;
    must((n == LINK_CONFIRM_LEN) == (r == -EINPROGRESS) && (n == LINK_CONFIRM_LEN || n < 0));
    if (n > 0) {
        n = at_collector(e, cc, in, a, n, b);
        len = n > 0 ? (size_t)n : HANDSHAKE_MESSAGE_MAX;
        got = change(in, b, &len, &e->touched);
        e->tap_has |= handshake_tap_accept(&e->tap, got, len, &e->tap_keys) == 0;
        free(got);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ends e;
    struct handshake_conf tc, cc;
    struct allow_list list = {0};
    struct rd in = rd_make(data, size);
    fuzz_drawn = 0;
    e = (struct ends){0};
    set_up(rd_u8(&in), &tc, &cc, &list);
    one(&e, &tc, &cc, &in);
    must(e.touched || (e.tap_has && e.col_has));
    if (e.tap_has && tc.method != LINK_PLAIN) { /* only the collector itself could give it keys */
        must(e.col_has && e.tap_keys.alg == e.col_keys.alg);
        must(e.tap_keys.local == e.col_keys.remote && e.tap_keys.remote == e.col_keys.local);
        must(memcmp(e.tap_keys.send, e.col_keys.recv, AEAD_KEY_LEN) == 0);
        must(memcmp(e.tap_keys.recv, e.col_keys.send, AEAD_KEY_LEN) == 0);
    }
    handshake_tap_done(&e.tap);
    handshake_collector_done(&e.col);
    allow_done(&list);
    return 0;
}
