/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that others chose: names are escaped so that they can be read back, lines keep all that is
 * harmless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static void names_can_be_read_back(void **state)
{
    (void)state;
    char to[64];
    text_name(to, sizeof(to), "eth0.5-a~", 9);
    assert_string_equal(to, "eth0.5-a~");
    text_name(to, sizeof(to), "a\x1b[2J\xff\n", 7);
    assert_string_equal(to, "a\\x1b[2J\\xff\\x0a");
    text_name(to, sizeof(to), "\\xff", 4); /* not the byte ff */
    assert_string_equal(to, "\\x5cxff");
    text_name(to, sizeof(to), "\xc3\xa4\0b", 4);
    assert_string_equal(to, "\\xc3\\xa4\\x00b");
}

static void names_are_read_back(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\\",    "a\\x",  "\\x1",    "\\x4g", "\\X5c", "\\x5C",
                                        "\\x41", "\\x00", "\\\\x5c", "\xff",  "\n",    "01234567"};
    char to[64], name[8] = "";
    assert_int_equal(text_name_read(to, sizeof(to), "a\\x5cb\\xff"), 4);
    assert_string_equal(to, "a\\b\xff");
    assert_int_equal(text_name_read(to, sizeof(to), ""), 0);
    assert_string_equal(to, "");
    assert_int_equal(text_name_read(name, sizeof(name), "0123456"), 7);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(text_name_read(name, sizeof(name), wrong[i]), -EINVAL);
    }
    for (int b = 1; b < 256; b++) {
        const char in[2] = {(char)b};
        text_name(to, sizeof(to), in, 1);
        assert_int_equal(text_name_read(name, sizeof(name), to), 1);
        assert_string_equal(name, in);
    }
}

/* Every byte, taken back. */
static void each_byte_is_another(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        char in = (char)b, to[8];
        text_name(to, sizeof(to), &in, 1);
        assert_int_equal(to[0] == '\\' ? (int)strtol(to + 2, NULL, 16) : (uint8_t)to[0], b);
        assert_true(text_is_clean(to));
    }
}

static void never_cut_in_an_escape(void **state)
{
    (void)state;
    static const char *const want[] = {"", "a", "a", "a", "a", "a\\xff", "a\\xffb", "a\\xffb"};
    for (size_t cap = 1; cap <= 8; cap++) {
        char to[8];
        memset(to, 'Z', sizeof(to));
        text_name(to, cap,
                  "a\xff"
                  "b",
                  3);
        assert_string_equal(to, want[cap - 1]);
    }
}

static void lines_keep_what_is_harmless(void **state)
{
    (void)state;
    static const char *const same[] = {"", "plain \\x1b", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb8",
                                       "\xf4\x8f\xbf\xbf", "\xc2\xa0"};
    static const char leftward[] = {'\xe2', '\x80', '\xae', 'g', 'p', 'j', '\0'};
    static const char *const other[][2] = {
        {"\x1b]0;t\x07", "\\x1b]0;t\\x07"},
        {"a\r\nb\t\x7f", "a\\x0d\\x0ab\\x09\\x7f"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"}, /* C1's CSI */
        {leftward, "\\xe2\\x80\\xaegpj"},
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* the first surrogate */
        {"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},          /* the last one */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut short */
        {"\xff", "\\xff"},
    };
    char to[64];
    memset(to, 'Z', sizeof(to));
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        text_line(to, sizeof(to), same[i]);
        assert_string_equal(to, same[i]);
        assert_true(text_is_clean(same[i]));
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        text_line(to, sizeof(to), other[i][0]);
        assert_string_equal(to, other[i][1]);
        assert_false(text_is_clean(other[i][0]));
    }
    text_line(to, 3, "\xc3\xa4\xc3\xa4"); /* nor in a character */
    assert_string_equal(to, "\xc3\xa4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_can_be_read_back),      cmocka_unit_test(each_byte_is_another),
        cmocka_unit_test(names_are_read_back),         cmocka_unit_test(never_cut_in_an_escape),
        cmocka_unit_test(lines_keep_what_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
