/* SPDX-License-Identifier: Apache-2.0
 *
 * Key texts and lists. The key pair is Alice's, the other public key Bob's, of RFC 7748
 * section 6.1; their base64 was made by another program.
 */
#include "sys/crypto/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/test_hex.h"

#define ALICE_PRIV "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define ALICE_PUB "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define BOB_PUB "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="

static const char alice_priv[] = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
static const char alice_pub[] = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";

static void texts_round_trip(void **state)
{
    (void)state;
    uint8_t priv[32], pub[32], want[32];
    char text[KEY_TEXT_LEN + 1];
    assert_int_equal(key_parse(ALICE_PRIV, KEY_TEXT_LEN, priv), 0);
    assert_true(test_hex(alice_priv, want, 32));
    assert_memory_equal(priv, want, 32);
    key_public(priv, pub);
    assert_true(test_hex(alice_pub, want, 32));
    assert_memory_equal(pub, want, 32);
    key_format(pub, text);
    assert_string_equal(text, ALICE_PUB);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(key_generate(priv), 0);
        assert_int_equal(priv[0] & 7, 0);
        assert_int_equal(priv[31] & 0xc0, 0x40);
        key_format(priv, text);
        assert_int_equal(key_parse(text, strlen(text), want), 0);
        assert_memory_equal(priv, want, 32);
    }
    assert_int_equal(key_generate(want), 0);
    assert_memory_not_equal(priv, want, 32);
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "=",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",   /* no padding */
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo==", /* too much */
        "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=",  /* the URL alphabet */
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=",  /* stray bits: another text for it */
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066Spjqqb mo=",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm\n=",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTg==",    /* 31 bytes */
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoA",    /* 33 bytes */
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066S\xf0jqqbTmo=", /* a byte that is no letter */
        " SDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint8_t key[32] = {7};
        assert_int_equal(key_parse(bad[i], strlen(bad[i]), key), -EINVAL);
        assert_int_equal(key[0], 7); /* untouched */
    }
}

static int load(const char *text, uint8_t *key, struct error *err)
{
    return key_load_private(text, strlen(text), "tap.key", key, err);
}

static void key_files(void **state)
{
    (void)state;
    static const char *const good[] = {
        ALICE_PRIV,
        ALICE_PRIV "\n",
        "# a comment\r\n\r\n" ALICE_PRIV "\r\n",
        "\n\t # indented\n  " ALICE_PRIV " \t# mine\n\n#end",
    };
    uint8_t key[32], want[32];
    struct error err;
    assert_true(test_hex(alice_priv, want, 32));
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        memset(key, 0, sizeof(key));
        assert_int_equal(load(good[i], key, &err), 0);
        assert_memory_equal(key, want, 32);
    }
    memset(key, 0, sizeof(key));
    assert_int_equal(load("# c\n" ALICE_PRIV "x\n", key, &err), -EINVAL);
    assert_non_null(strstr(err.text, "tap.key:2: not a private key"));
    assert_null(strstr(err.text, "dwdt")); /* no secret in a message */
    assert_int_equal(load(ALICE_PRIV " name\n", key, &err), -EINVAL);
    assert_int_equal(load(ALICE_PRIV "\n\n" ALICE_PUB, key, &err), -EINVAL);
    assert_non_null(strstr(err.text, "tap.key:3: a second key"));
    assert_int_equal(load("# nothing\n", key, &err), -EINVAL);
    assert_non_null(strstr(err.text, "tap.key: holds no private key"));
    assert_int_equal(load("", key, NULL), -EINVAL);
    assert_int_equal(key[0], 0);
}

static int allow(const char *text, struct allow_list *ret, struct error *err)
{
    return allow_parse(text, strlen(text), "allow", ret, err);
}

static void lists(void **state)
{
    (void)state;
    struct allow_list l = {0};
    struct error err = {0};
    uint8_t key[32], other[32] = {1};
    assert_int_equal(allow("# taps\n\n" ALICE_PUB " web-1.example\t# first\r\n"
                           "  " BOB_PUB "\tDB_2 psk=" ALICE_PRIV "  \n",
                           &l, &err),
                     0);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.entries[0].name, "web-1.example");
    assert_int_equal(l.entries[0].line, 3);
    assert_false(l.entries[0].has_psk);
    assert_true(l.entries[1].has_psk);
    assert_int_equal(key_parse(ALICE_PRIV, KEY_TEXT_LEN, key), 0);
    assert_memory_equal(l.entries[1].psk, key, 32);
    assert_int_equal(key_parse(BOB_PUB, KEY_TEXT_LEN, key), 0);
    assert_ptr_equal(allow_find(&l, key), &l.entries[1]);
    assert_ptr_equal(allow_find_name(&l, "web-1.example"), &l.entries[0]);
    assert_null(allow_find_name(&l, "web-1.exampl"));
    assert_null(allow_find(&l, other));
    key[31] = (uint8_t)(key[31] ^ 0x80); /* the same point for X25519, but not the same key */
    assert_null(allow_find(&l, key));
    allow_done(&l);
    assert_null(allow_find(&l, key));

    assert_int_equal(allow("", &l, &err), 0);
    assert_int_equal(l.n, 0);
    assert_null(allow_find(&l, other));
    assert_null(allow_find_name(&l, ""));
    allow_done(&l);
    allow_done(&l);
    allow_done(NULL);
}

struct refusal {
    const char *text, *why;
};

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"hello\n", "allow:1: not a public key"},
        {"#\n" ALICE_PUB "\n", "allow:2: the tap's name is missing"},
        {ALICE_PUB " # name\n", "allow:1: the tap's name is missing"},
        {ALICE_PUB " a/b\n", "allow:1: not a name"},
        {ALICE_PUB " \xc3\xa4\n", "allow:1: not a name"},
        {ALICE_PUB " abcdefghijklmnopqrstuvwxyz0123456\n", "allow:1: not a name"},
        {ALICE_PUB " a psk=short\n", "allow:1: after the name"},
        {ALICE_PUB " a PSK=" BOB_PUB "\n", "allow:1: after the name"},
        {ALICE_PUB " a psk=" BOB_PUB " x\n", "allow:1: more words"},
        {ALICE_PUB " a\n" BOB_PUB " b\n" ALICE_PUB " c\n",
         "allow:3: this key is already in line 1"},
        {ALICE_PUB " a\n\n" BOB_PUB " a\n", "allow:3: the name a is already taken in line 1"},
        {ALICE_PUB "\r" BOB_PUB " a\n", "allow:1: not a public key"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct allow_list l = {0};
        struct error err = {0};
        assert_int_equal(allow(cases[i].text, &l, &err), -EINVAL);
        if (!strstr(err.text, cases[i].why)) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_null(l.entries);
    }
    struct allow_list l = {0};
    static const char nul[] = ALICE_PUB " a\0b\n";
    assert_int_equal(allow_parse(nul, sizeof(nul) - 1, "allow", &l, NULL), -EINVAL);
    /* 32 characters are a name */
    assert_int_equal(allow(ALICE_PUB " abcdefghijklmnopqrstuvwxyz012345\n", &l, NULL), 0);
    allow_done(&l);
}

/* `n` lines with keys 0, 1, 2 … */
static char *many(size_t n)
{
    char *text = malloc(n * 64 + 1), *p = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        uint8_t key[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        char key_text[KEY_TEXT_LEN + 1];
        key_format(key, key_text);
        p += snprintf(p, 64, "%s tap-%zu\n", key_text, i);
    }
    return text;
}

static void long_lists(void **state)
{
    (void)state;
    struct allow_list l = {0};
    struct error err = {0};
    char *text = many(ALLOW_ENTRIES_MAX);
    assert_int_equal(allow(text, &l, &err), 0);
    free(text);
    assert_int_equal(l.n, ALLOW_ENTRIES_MAX);
    for (size_t i = 0; i < l.n; i++) {
        assert_ptr_equal(allow_find(&l, l.entries[i].key), &l.entries[i]);
        assert_ptr_equal(allow_find_name(&l, l.entries[i].name), &l.entries[i]);
    }
    allow_done(&l);
    text = many(ALLOW_ENTRIES_MAX + 1);
    assert_int_equal(allow(text, &l, &err), -E2BIG);
    assert_non_null(strstr(err.text, "16385 taps"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_round_trip),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(key_files),
        cmocka_unit_test(lists),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(long_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
