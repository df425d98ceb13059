/* SPDX-License-Identifier: Apache-2.0
 *
 * Each back end against published vectors, against every other back end, and against libsodium,
 * which is no back end and so an independent judge.
 */
#include "sys/crypto/aead.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/test_hex.h"
#include "sys/crypto/aead_config.h"
#include "sys/crypto/kdf.h"

enum {
    BIG_MAX = 70000,
    CANARY = 0xa5,
};

struct pair {
    const char *backend;
    enum aead_alg alg;
};

static const struct pair pairs[] = {
#ifdef HAVE_IPSEC_MB
    {"ipsec-mb", AEAD_AES256GCM},
#endif
    {"openssl", AEAD_AES256GCM},
    {"openssl", AEAD_CHACHA20POLY1305},
};

struct known {
    enum aead_alg alg;
    const char *key, *nonce, *aad, *text, *sealed, *tag;
};

/* Cases 13, 14 and 16 of the GCM specification that NIST published; RFC 8439 section 2.8.2. */
static const struct known known[] = {
    {AEAD_AES256GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {AEAD_AES256GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {AEAD_AES256GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {AEAD_CHACHA20POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
     "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
     "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
     "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
     "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};

static size_t unhex(const char *text, uint8_t *ret)
{
    assert_true(test_hex(text, ret, strlen(text) / 2));
    return strlen(text) / 2;
}

static bool here(const struct pair *p)
{
    return strcmp(p->backend, "ipsec-mb") != 0 || aead_has_aes();
}

static struct aead *make(const struct pair *p, const uint8_t *key)
{
    struct aead *a = NULL;
    struct error err = {0};
    if (aead_new_backend(p->backend, p->alg, key, &a, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(aead_backend(a), p->backend);
    assert_int_equal(aead_tag_len(a), 16);
    return a;
}

static void check_known(const struct pair *p, const struct known *k)
{
    uint8_t key[32], nonce[12], aad[64], text[256], sealed[256], want_tag[16], tag[16], buf[256];
    unhex(k->key, key);
    unhex(k->nonce, nonce);
    unhex(k->tag, want_tag);
    size_t aad_len = unhex(k->aad, aad), len = unhex(k->text, text);
    unhex(k->sealed, sealed);
    struct aead *a = make(p, key);
    memcpy(buf, text, len);
    assert_int_equal(aead_seal(a, nonce, aad, aad_len, len ? buf : NULL, len, tag), 0);
    assert_memory_equal(buf, sealed, len);
    assert_memory_equal(tag, want_tag, 16);
    assert_int_equal(aead_open(a, nonce, aad, aad_len, len ? buf : NULL, len, tag), 0);
    assert_memory_equal(buf, text, len);
    aead_free(a);
}

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(known); j++) {
            if (here(&pairs[i]) && pairs[i].alg == known[j].alg) {
                check_known(&pairs[i], &known[j]);
            }
        }
    }
}

/* Lets libsodium seal. False where it cannot (AES without the instructions). */
static bool judge(enum aead_alg alg, const uint8_t *key, const uint8_t *nonce, const uint8_t *aad,
                  size_t aad_len, uint8_t *buf, size_t len, uint8_t *tag)
{
    if (alg == AEAD_CHACHA20POLY1305) {
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(buf, tag, NULL, buf, len, aad, aad_len,
                                                           NULL, nonce, key);
        return true;
    }
    if (!crypto_aead_aes256gcm_is_available()) {
        return false;
    }
    crypto_aead_aes256gcm_encrypt_detached(buf, tag, NULL, buf, len, aad, aad_len, NULL, nonce,
                                           key);
    return true;
}

struct bench {
    uint8_t key[32], nonce[12], aad[64], text[BIG_MAX];
    uint8_t want[BIG_MAX], want_tag[16], got[BIG_MAX + 1], tag[17];
};

static void seal_in_pieces(struct aead *a, struct bench *b, size_t aad_len, size_t len, size_t step)
{
    b->got[len] = CANARY;
    assert_int_equal(aead_seal_begin(a, b->nonce, b->aad, aad_len), 0);
    for (size_t at = 0; at < len; at += step) {
        size_t n = MIN(step, len - at);
        assert_int_equal(aead_seal_piece(a, b->text + at, b->got + at, n), 0);
    }
    assert_int_equal(aead_seal_piece(a, NULL, NULL, 0), 0);
    assert_int_equal(aead_seal_end(a, b->tag), 0);
    assert_memory_equal(b->got, b->want, len);
    assert_memory_equal(b->tag, b->want_tag, 16);
    assert_int_equal(b->got[len], CANARY);
}

static void check_length(struct aead *a, enum aead_alg alg, struct bench *b, size_t len)
{
    size_t aad_len = len % (sizeof(b->aad) + 1);
    b->nonce[0] = (uint8_t)len;
    memcpy(b->want, b->text, len);
    if (!judge(alg, b->key, b->nonce, b->aad, aad_len, b->want, len, b->want_tag)) {
        return;
    }
    memcpy(b->got, b->text, len);
    b->got[len] = b->tag[16] = CANARY;
    assert_int_equal(aead_seal(a, b->nonce, b->aad, aad_len, b->got, len, b->tag), 0);
    assert_memory_equal(b->got, b->want, len);
    assert_memory_equal(b->tag, b->want_tag, 16);
    assert_int_equal(b->got[len], CANARY);
    assert_int_equal(b->tag[16], CANARY);
    assert_int_equal(aead_open(a, b->nonce, b->aad, aad_len, b->got, len, b->tag), 0);
    assert_memory_equal(b->got, b->text, len);
    assert_int_equal(b->got[len], CANARY);

    static const size_t steps[] = {1, 7, 16, 17, 64, 1000};
    for (size_t i = len > 300 ? 1 : 0; i < ARRAY_SIZE(steps); i++) {
        seal_in_pieces(a, b, aad_len, len, steps[i]);
    }
}

static void same_bytes_everywhere(void **state)
{
    (void)state;
    static const size_t big[] = {1449, 1450, 9000, 65000, 65535, BIG_MAX};
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    assert_int_equal(random_bytes(b->key, sizeof(b->key)), 0);
    assert_int_equal(random_bytes(b->aad, sizeof(b->aad)), 0);
    assert_int_equal(random_bytes(b->text, sizeof(b->text)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        if (!here(&pairs[i])) {
            continue;
        }
        struct aead *a = make(&pairs[i], b->key);
        for (size_t len = 0; len <= 300; len++) {
            check_length(a, pairs[i].alg, b, len);
        }
        for (size_t j = 0; j < ARRAY_SIZE(big); j++) {
            check_length(a, pairs[i].alg, b, big[j]);
        }
        aead_free(a);
    }
    free(b);
}

/* A sealed record of `len` bytes with one bit flipped somewhere must not open. */
static void check_flips(struct aead *a, size_t len)
{
    uint8_t nonce[12] = {1}, aad[8] = {2}, buf[96], sealed[96], zero[96] = {0}, tag[16];
    uint8_t *const parts[] = {sealed, tag, aad, nonce};
    const size_t sizes[] = {len, sizeof(tag), sizeof(aad), sizeof(nonce)};
    memset(sealed, 0x42, len);
    assert_int_equal(aead_seal(a, nonce, aad, sizeof(aad), sealed, len, tag), 0);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        for (size_t bit = 0; bit < 8 * sizes[i]; bit++) {
            uint8_t *at = &parts[i][bit / 8], was = *at;
            *at = (uint8_t)(was ^ 1U << bit % 8);
            memcpy(buf, sealed, len);
            assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), buf, len, tag), -EBADMSG);
            assert_memory_equal(buf, zero, len); /* nothing released */
            *at = was;
        }
    }
    memcpy(buf, sealed, len);
    assert_int_equal(aead_open(a, nonce, aad, sizeof(aad) - 1, buf, len, tag), -EBADMSG);
    memcpy(buf, sealed, len);
    assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), buf, len - 1, tag), -EBADMSG);
    memcpy(buf, sealed, len); /* and the object still works */
    assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), buf, len, tag), 0);
    assert_int_equal(buf[len - 1], 0x42);
}

static void flipped_bits_are_refused(void **state)
{
    (void)state;
    const uint8_t key[32] = {9};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        if (here(&pairs[i])) {
            struct aead *a = make(&pairs[i], key);
            check_flips(a, 1);
            check_flips(a, 16);
            check_flips(a, 93);
            aead_free(a);
        }
    }
}

static void null_touches_nothing(void **state)
{
    (void)state;
    struct aead *a = NULL;
    const uint8_t key[32] = {0}, nonce[12] = {0};
    uint8_t buf[4] = "abc", out[4] = {0};
    assert_int_equal(aead_new(AEAD_NULL, key, &a, NULL), 0);
    assert_string_equal(aead_backend(a), "null");
    assert_int_equal(aead_tag_len(a), 0);
    assert_int_equal(aead_seal(a, nonce, NULL, 0, buf, 4, NULL), 0);
    assert_int_equal(aead_open(a, nonce, NULL, 0, buf, 4, NULL), 0);
    assert_string_equal((char *)buf, "abc");
    assert_int_equal(aead_seal_begin(a, nonce, NULL, 0), 0);
    assert_int_equal(aead_seal_piece(a, buf, out, 4), 0);
    assert_int_equal(aead_seal_piece(a, out, out, 4), 0);
    assert_int_equal(aead_seal_end(a, NULL), 0);
    assert_string_equal((char *)out, "abc");
    aead_free(a);
    aead_free(NULL);
}

static void order_and_sizes_are_checked(void **state)
{
    (void)state;
    const uint8_t key[32] = {0}, nonce[12] = {0};
    uint8_t buf[8] = {0}, tag[16];
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        if (!here(&pairs[i])) {
            continue;
        }
        struct aead *a = make(&pairs[i], key);
        assert_int_equal(aead_seal_piece(a, buf, buf, 8), -EINVAL);
        assert_int_equal(aead_seal_end(a, tag), -EINVAL);
        assert_int_equal(aead_seal_begin(a, nonce, NULL, 0), 0);
        assert_int_equal(aead_seal(a, nonce, NULL, 0, buf, 8, tag), 0); /* drops the record */
        assert_int_equal(aead_seal_end(a, tag), -EINVAL);
        assert_int_equal(aead_seal_begin(a, nonce, NULL, 0), 0);
        assert_int_equal(aead_open(a, nonce, NULL, 0, buf, 8, tag), 0); /* as does this */
        assert_int_equal(aead_seal_end(a, tag), -EINVAL);
        assert_int_equal(aead_seal_begin(a, nonce, NULL, 0), 0);
        assert_int_equal(aead_seal_end(a, tag), 0);
        assert_int_equal(aead_seal_piece(a, buf, buf, 8), -EINVAL); /* it has ended */
        assert_int_equal(aead_seal_end(a, tag), -EINVAL);
        size_t much = (size_t)AEAD_RECORD_MAX + 1;
        assert_int_equal(aead_seal(a, nonce, NULL, 0, buf, much, tag), -EMSGSIZE);
        assert_int_equal(aead_open(a, nonce, NULL, 0, buf, much, tag), -EMSGSIZE);
        assert_int_equal(aead_seal(a, nonce, buf, much, buf, 8, tag), -EMSGSIZE);
        assert_int_equal(aead_seal_begin(a, nonce, NULL, 0), 0);
        assert_int_equal(aead_seal_begin(a, nonce, buf, much), -EMSGSIZE);
        assert_int_equal(aead_seal_end(a, tag), -EINVAL); /* and the one before is gone */
        assert_int_equal(aead_seal_begin(a, nonce, buf, 8), 0);
        assert_int_equal(aead_seal_piece(a, buf, buf, much), -EMSGSIZE);
        assert_int_equal(aead_seal_end(a, tag), -EINVAL);
        aead_free(a);
    }
}

static void the_best_is_chosen(void **state)
{
    (void)state;
    struct aead *a = NULL;
    struct error err = {0};
    const uint8_t key[32] = {0};
    assert_int_equal(aead_new(AEAD_AES256GCM, key, &a, &err), 0);
#ifdef HAVE_IPSEC_MB
    assert_string_equal(aead_backend(a), aead_has_aes() ? "ipsec-mb" : "openssl");
#else
    assert_string_equal(aead_backend(a), "openssl");
#endif
    aead_free(a);
    a = NULL;
    assert_int_equal(aead_new(AEAD_CHACHA20POLY1305, key, &a, &err), 0);
    assert_string_equal(aead_backend(a), "openssl");
    aead_free(a);
    a = NULL;
    assert_int_equal(aead_new((enum aead_alg)9, key, &a, &err), -EOPNOTSUPP);
    assert_non_null(strstr(err.text, "9"));
    assert_int_equal(aead_new_backend("rot13", AEAD_AES256GCM, key, &a, &err), -EOPNOTSUPP);
    assert_non_null(strstr(err.text, "rot13"));
    assert_int_equal(aead_new_backend("null", AEAD_AES256GCM, key, &a, NULL), -EOPNOTSUPP);
    assert_null(a);
    assert_string_equal(aead_alg_name(AEAD_AES256GCM), "aes-256-gcm");
    assert_string_equal(aead_alg_name(AEAD_CHACHA20POLY1305), "chacha20-poly1305");
    assert_string_equal(aead_alg_name(AEAD_NULL), "none");
    assert_null(aead_alg_name((enum aead_alg)9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(same_bytes_everywhere),
        cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(null_touches_nothing),
        cmocka_unit_test(order_and_sizes_are_checked),
        cmocka_unit_test(the_best_is_chosen),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
