/* SPDX-License-Identifier: Apache-2.0
 *
 * The worked example of docs/protocol.md, as this program makes it. tests/net/test_protocol.py
 * reads the same bytes out of the document with a decoder that shares no code with us; here are the
 * inputs once more, so that neither the document nor the program can change alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/link/handshake.h"
#include "sys/crypto/kdf.h"

enum { TEXT_MAX = 64 << 10 };

/* The bytes of the block "```hex NAME" in docs/protocol.md; returns their number. */
static size_t documented(const char *name, uint8_t *ret, size_t cap)
{
    static char text[TEXT_MAX * 2];
    char path[4096], mark[64];
    const char *top = getenv("FARSPAN_SOURCE");
    snprintf(path, sizeof(path), "%s/docs/protocol.md", top ? top : ".");
    snprintf(mark, sizeof(mark), "```hex %s\n", name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = 0, len = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[len] = '\0';
    const char *p = strstr(text, mark);
    assert_non_null(p);
    for (p += strlen(mark); *p && *p != '`'; p++) {
        if (*p == ' ' || *p == '\n') {
            continue;
        }
        char digits[3] = {p[0], p[1], 0}, *end;
        assert_true(n < cap);
        ret[n++] = (uint8_t)strtoul(digits, &end, 16);
        assert_ptr_equal(end, digits + 2);
        p++;
    }
    return n;
}

static void assert_documented(const char *name, const uint8_t *got, size_t len)
{
    uint8_t want[1024];
    assert_int_equal(documented(name, want, sizeof(want)), len);
    assert_memory_equal(got, want, len);
}

static void numbered(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)i;
    }
}

static void messages(void **state)
{
    (void)state;
    uint8_t data[48], hello[LINK_HELLO_LEN], answer[LINK_HELLO_LEN], isk[64], tag[32];
    numbered(data, 16);
    assert_int_equal(documented("Ya", data + 16, 32), 32);
    struct link_hs m = {.type = LINK_HELLO,
                        .version = LINK_VERSION,
                        .method = LINK_CPACE,
                        .sender = 0x01020304,
                        .min_version = LINK_VERSION,
                        .max_version = LINK_VERSION,
                        .aeads = 1u << AEAD_AES256GCM | 1u << AEAD_CHACHA20POLY1305,
                        .data = data,
                        .data_len = sizeof(data)};
    assert_int_equal(link_hs_encode(&m, hello, sizeof(hello)), LINK_HELLO_LEN);
    assert_documented("HELLO", hello, 70);
    uint8_t yb[32];
    assert_int_equal(documented("Yb", yb, sizeof(yb)), 32);
    m = (struct link_hs){.type = LINK_ANSWER,
                         .version = LINK_VERSION,
                         .method = LINK_CPACE,
                         .sender = 0x0a0b0c0d,
                         .receiver = 0x01020304,
                         .aead = AEAD_AES256GCM,
                         .data = yb,
                         .data_len = sizeof(yb)};
    int n = link_hs_encode(&m, answer, sizeof(answer));
    assert_documented("ANSWER", answer, (size_t)n);
    numbered(isk, sizeof(isk));
    assert_int_equal(cpace_confirm(isk, data, 16, data + 16, hello, HANDSHAKE_BOUND, tag), 0);
    assert_documented("Ta", tag, sizeof(tag));
    assert_int_equal(cpace_confirm(isk, data, 16, yb, answer, HANDSHAKE_BOUND, tag), 0);
    assert_documented("Tb", tag, sizeof(tag));
}

/* As docs/protocol.md says it, by hand: HKDF's extract and its first block. */
static void specified_key(const uint8_t secret[64], const char *label, uint8_t alg, uint8_t ret[32])
{
    uint8_t prk[32], info[64];
    hmac_sha256("farspan link 1", 14, secret, 64, prk);
    size_t n = strlen(label);
    memcpy(info, label, n);
    info[n++] = alg;
    info[n++] = 1;
    hmac_sha256(prk, sizeof(prk), info, n, ret);
}

static void record(void **state)
{
    (void)state;
    uint8_t isk[64], key[32], d[1024], nonce[12];
    numbered(isk, sizeof(isk));
    specified_key(isk, "collector to tap", AEAD_AES256GCM, key);
    assert_documented("key_ct", key, sizeof(key));
    specified_key(isk, "tap to collector", AEAD_AES256GCM, key);
    assert_documented("key_tc", key, sizeof(key));

    struct link_record rec = {.stream = 1, .receiver = 0x0a0b0c0d, .counter = 258};
    link_record_encode(&rec, d);
    link_record_nonce(&rec, nonce);
    assert_documented("header", d, LINK_RECORD_HEADER);
    assert_documented("nonce", nonce, sizeof(nonce));

    const int64_t ts = INT64_C(1700000000000000000);
    const uint8_t one[14] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6};
    const uint8_t two[16] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5, 'h', 'i'};
    const struct link_frame f1 = {.caplen = 14, .origlen = 14, .ts_ns = ts, .dir = FRAME_DIR_IN};
    const struct link_frame f2 = {.caplen = 16,
                                  .origlen = 1500,
                                  .ts_ns = ts + 60,
                                  .dir = FRAME_DIR_OUT,
                                  .has_port = true,
                                  .port = 3};
    uint8_t *p = d + LINK_RECORD_HEADER;
    link_segment_encode(&(struct link_segment){.first = 0, .frame_no = 41, .base_ts = ts}, p);
    p += LINK_SEGMENT_HEADER;
    p += link_frame_encode(&f1, ts, p);
    memcpy(p, one, sizeof(one));
    p += sizeof(one);
    p += link_frame_encode(&f2, ts, p);
    memcpy(p, two, sizeof(two));
    p += sizeof(two);
    size_t len = (size_t)(p - d) - LINK_RECORD_HEADER;
    assert_documented("segment", d + LINK_RECORD_HEADER, len);

    _cleanup_(aead_freep) struct aead *a = NULL;
    assert_int_equal(aead_new_backend("openssl", AEAD_AES256GCM, key, &a, NULL), 0);
    assert_int_equal(aead_seal(a, nonce, d, LINK_RECORD_HEADER, d + LINK_RECORD_HEADER, len, p), 0);
    assert_documented("sealed", d, LINK_RECORD_HEADER + len + AEAD_TAG_MAX);
}

/* A real handshake's keys are those of the specification's formula. */
static void keys(void **state)
{
    (void)state;
    const struct handshake_conf conf = {
        .method = LINK_CPACE, .passphrase = "hello", .aeads = handshake_aeads(LINK_CPACE)};
    static struct handshake_tap t;
    static struct handshake_collector c;
    struct handshake_keys tk, ck;
    struct link_hs m;
    uint8_t a[HANDSHAKE_MESSAGE_MAX], b[HANDSHAKE_MESSAGE_MAX], want[32], reason = 0;
    assert_true(handshake_tap_hello(&t, &conf, 1, a) > 0);
    assert_int_equal(link_hs_decode(a, LINK_HELLO_LEN, &m), 0);
    int n = handshake_collector_hello(&c, &conf, a, &m, 2, b, &ck, &reason);
    assert_int_equal(handshake_tap_answer(&t, b, (size_t)n, &tk), -EINPROGRESS);
    n = handshake_tap_confirm(&t, 0, a);
    assert_int_equal(link_hs_decode(a, (size_t)n, &m), 0);
    n = handshake_collector_confirm(&c, &m, b, &ck);
    assert_int_equal(handshake_tap_accept(&t, b, (size_t)n, &tk), 0);
    specified_key(t.answer[0].isk, "tap to collector", (uint8_t)tk.alg, want);
    assert_memory_equal(want, tk.send, sizeof(want));
    assert_memory_equal(want, ck.recv, sizeof(want));
    specified_key(t.answer[0].isk, "collector to tap", (uint8_t)tk.alg, want);
    assert_memory_equal(want, tk.recv, sizeof(want));
    handshake_tap_done(&t);
    handshake_collector_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(record),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
