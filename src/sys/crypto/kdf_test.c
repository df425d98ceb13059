/* SPDX-License-Identifier: Apache-2.0
 *
 * HKDF against the vectors of RFC 5869 appendix A (1 to 3), HMAC against RFC 4231, SipHash-2-4
 * against those of its authors.
 */
#include "sys/crypto/kdf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/test_hex.h"

struct hkdf_case {
    const char *ikm, *salt, *info, *prk, *okm;
};

static const struct hkdf_case cases[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
     "404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
     "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
     "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
     "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
     "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
     "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static size_t unhex(const char *text, uint8_t *ret)
{
    assert_true(test_hex(text, ret, strlen(text) / 2));
    return strlen(text) / 2;
}

static void test_hkdf_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t ikm[128], salt[128], info[128], want[128], prk[KDF_HASH_LEN], okm[128];
        size_t ikm_len = unhex(cases[i].ikm, ikm), salt_len = unhex(cases[i].salt, salt);
        size_t info_len = unhex(cases[i].info, info);
        hkdf_extract(salt_len ? salt : NULL, salt_len, ikm, ikm_len, prk);
        unhex(cases[i].prk, want);
        assert_memory_equal(prk, want, sizeof(prk));
        size_t n = unhex(cases[i].okm, want);
        assert_int_equal(hkdf_expand(prk, info, info_len, okm, n), 0);
        assert_memory_equal(okm, want, n);
    }
}

static void test_hkdf_bounds(void **state)
{
    (void)state;
    uint8_t prk[KDF_HASH_LEN] = {1}, out[HKDF_OUT_MAX + 1] = {0}, shorter[100];
    assert_int_equal(hkdf_expand(prk, "x", 1, out, HKDF_OUT_MAX + 1), -EINVAL);
    assert_int_equal(hkdf_expand(prk, "x", 1, out, HKDF_OUT_MAX), 0);
    assert_int_equal(out[HKDF_OUT_MAX], 0); /* not a byte beyond */
    assert_int_equal(hkdf_expand(prk, "x", 1, shorter, sizeof(shorter)), 0);
    assert_memory_equal(out, shorter, sizeof(shorter));
}

static void test_sha256_vectors(void **state)
{
    (void)state;
    uint8_t hash[KDF_HASH_LEN];
    static const uint8_t abc[KDF_HASH_LEN] = /* FIPS 180-2, B.1 */
        "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
        "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad";
    sha256("abc", 3, hash);
    assert_memory_equal(hash, abc, sizeof(abc));
    sha256(NULL, 0, hash);
    assert_memory_equal(hash, "\xe3\xb0\xc4\x42", 4);
}

static void test_hmac_vectors(void **state)
{
    (void)state;
    uint8_t mac[KDF_HASH_LEN], want[KDF_HASH_LEN], key[131];
    hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac); /* RFC 4231 case 2 */
    unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", want);
    assert_memory_equal(mac, want, sizeof(mac));

    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    memset(key, 0xaa, sizeof(key)); /* case 6 */
    hmac_sha256(key, sizeof(key), text, sizeof(text) - 1, mac);
    unhex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", want);
    assert_memory_equal(mac, want, sizeof(mac));
}

/* Aumasson, Bernstein: "SipHash: a fast short-input PRF", appendix A, and the list of their
 * reference implementation: key 00 01 … 0f, as many bytes 00 01 …. */
static void test_siphash_vectors(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
                   {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572}};
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        size_t len = vectors[i].len;
        assert_int_equal(keyed_hash(bytes, len ? bytes : NULL, len), vectors[i].hash);
    }
}

static void test_tools(void **state)
{
    (void)state;
    uint8_t a[64], b[64], zero[64] = {0};
    assert_int_equal(crypto_init(NULL), 0);
    assert_int_equal(crypto_init(NULL), 0);
    assert_int_equal(random_bytes(a, sizeof(a)), 0);
    assert_int_equal(random_bytes(b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(random_bytes(b, 0), 0);
    memcpy(b, a, sizeof(b));
    assert_true(secure_equal(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(b); i++) {
        b[i] = (uint8_t)(b[i] ^ 1);
        assert_false(secure_equal(a, b, sizeof(a)));
        b[i] = (uint8_t)(b[i] ^ 1);
    }
    secure_wipe(a, sizeof(a));
    assert_memory_equal(a, zero, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hkdf_vectors),    cmocka_unit_test(test_hkdf_bounds),
        cmocka_unit_test(test_sha256_vectors),  cmocka_unit_test(test_hmac_vectors),
        cmocka_unit_test(test_siphash_vectors), cmocka_unit_test(test_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
