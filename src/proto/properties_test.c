/* SPDX-License-Identifier: Apache-2.0
 *
 * Property files against lists of what java.util.Properties (OpenJDK 17) made of the same bytes,
 * what is refused, and names and values that the test writes in every form that the format has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/properties.h"

/* All that a file has as "line:name=value;" and "line!sentence;". */
static void read_all(const void *data, size_t len, char *ret, size_t cap)
{
    struct properties p;
    struct property it = {.value = ""};
    struct error err = {""};
    size_t at = 0;
    ret[0] = '\0';
    if (properties_begin(&p, data, len, &err) < 0) {
        snprintf(ret, cap, "!%s", err.text);
        return;
    }
    for (int r; (r = properties_next(&p, &it, &err)) != 0;) {
        at += (size_t)(r > 0 ? snprintf(ret + at, cap - at, "%u:%s=%s;", p.line, it.name, it.value)
                             : snprintf(ret + at, cap - at, "%u!%s;", p.line, err.text));
        assert_true(at < cap);
        assert_true(r == 1 || r == -EINVAL);
    }
    assert_int_equal(rd_left(&p.in), 0);
    assert_int_equal(properties_next(&p, &it, &err), 0);
}

static void assert_reads(const void *data, size_t len, const char *want)
{
    char got[2048];
    char *exact = malloc(len + 1); /* so that a sanitizer sees the end */
    assert_non_null(exact);
    memcpy(exact, data, len);
    read_all(exact, len, got, sizeof(got));
    free(exact);
    assert_string_equal(got, want);
}

#define READS(file, want) assert_reads(file, sizeof(file) - 1, want)

/* The examples of the documentation of java.util.Properties.load(Reader). */
static void documented(void **state)
{
    (void)state;
    READS("Truth = Beauty\n Truth:Beauty\nTruth                    :Beauty\n",
          "1:Truth=Beauty;2:Truth=Beauty;3:Truth=Beauty;");
    READS("fruits                           apple, banana, pear, \\\n"
          "                                 cantaloupe, watermelon, \\\n"
          "                                 kiwi, mango\n",
          "1:fruits=apple, banana, pear, cantaloupe, watermelon, kiwi, mango;");
    READS("cheeses\n", "1:cheeses=;");
    READS("\\:\\=", "1::==;");
}

static void separators(void **state)
{
    (void)state;
    READS("a=1\nb:2\nc 3\nd\t4\ne\f5\n", "1:a=1;2:b=2;3:c=3;4:d=4;5:e=5;");
    READS("a = = 1\nb==2\nc : 3 \n d\t \f=\t \f4\t \n", "1:a== 1;2:b==2;3:c=3 ;4:d=4\t ;");
    READS("=1\n:\n =\n", "1:=1;2:=;3:=;");
    READS("a\\ b\\=c\\:d\\\te\\\ff=\\ 1", "1:a b=c:d\te\ff= 1;");
}

static void ends_of_lines(void **state)
{
    (void)state;
    READS("", "");
    READS("a=1", "1:a=1;");
    READS("a=1\rb=2\r\nc=3\n\rd=4\r\r\ne=5\n", "1:a=1;2:b=2;3:c=3;5:d=4;7:e=5;");
    READS(" \t\f\n\r\n  a=1\n \n", "3:a=1;");
    READS("#a=1\n ! b=2 \\\nc=3\n\t#\n#", "3:c=3;");
    READS("a=#1\nb=2 !3\nc#=4", "1:a=#1;2:b=2 !3;3:c#=4;");
}

static void joined_lines(void **state)
{
    (void)state;
    READS("a=1\\\n  2\\\r\n\t3\\\r\f4\nb=5", "1:a=1234;5:b=5;");
    READS("a\\\nb=1\nc\\\n =2\nd =\\\n\n3=\\", "1:ab=1;3:c=2;5:d=;7:3=;");
    READS("a=1\\\\\nb=2\\\\\\\nc=3\\\\\\\\", "1:a=1\\;2:b=2\\c=3\\\\;");
    READS("a=1\\\n#2\nb=1\\\n!2", "1:a=1#2;3:b=1!2;");
    READS("\\\n#a\n\\\n\\\n\n b=1\\ \nc=2", "6:b=1 ;7:c=2;");
    READS("a=\\\n\\\n\\\n1", "1:a=1;");
    READS("a=1\\", "1:a=1;");
    READS("a=\\u00\\\n   4\\\n1", "1:a=A;");
}

static void escapes(void **state)
{
    (void)state;
    READS("a=\\t\\n\\r\\f\\\\\\\"\\'\\b\\z\\0\\#\\!", "1:a=\t\n\r\f\\\"'bz0#!;");
    READS("a=\\u0041\\u00e9\\u00E9\\u20AC\\u07ff\\u0800\\uffff",
          "1:a=A\xc3\xa9\xc3\xa9\xe2\x82\xac\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf;");
    READS("a=\\ud83d\\ude00\\ud800\\udc00\\udbff\\udfff",
          "1:a=\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf;");
    READS("a=\\ud83d\\\n \\ude00", "1:a=\xf0\x9f\x98\x80;");
    READS("\\u0061\\u003d\\u0020b=\\uu", "1!\\u is not followed by four hexadecimal digits, as in "
                                         "\\u00e4;");
    READS("\\u0061\\u003d\\u0020b\\u000a=1", "1:a= b\n=1;");
    READS("caf\xe9=\x80\xff\x7f\x01", "1:caf\xc3\xa9=\xc2\x80\xc3\xbf\x7f\x01;");
}

#define DIGITS "\\u is not followed by four hexadecimal digits, as in \\u00e4;"

/* A mistake has its line, and the next property is read. */
static void mistakes(void **state)
{
    (void)state;
    READS("a=\\u12\nb=2", "1!" DIGITS "2:b=2;");
    READS("a=1\\\n\\u00g0\\\n c=3\\\\\nb=2", "2!" DIGITS "4:b=2;");
    READS("a\\u00=41\n\\u 041\n\\u004", "1!" DIGITS "2!" DIGITS "3!" DIGITS);
    READS("a=\\ud83d\nb=\\ude00\nc=\\ud83d\\u0041\nd=\\ud83dx\ne=\\ud83d\\ud83d\nf=\\ud83d\\u1\n"
          "g=\\ud83d\\\\ude00\nh=1\ni=\\udc00\\udc00",
          "1!\\ud83d is half of a character: the other half is missing;"
          "2!\\ude00 is half of a character: the other half is missing;"
          "3!\\ud83d is half of a character: the other half is missing;"
          "4!\\ud83d is half of a character: the other half is missing;"
          "5!\\ud83d is half of a character: the other half is missing;"
          "6!" DIGITS "7!\\ud83d is half of a character: the other half is missing;8:h=1;"
          "9!\\udc00 is half of a character: the other half is missing;");
    READS("a=1\\u00002\nb=2", "1!\\u0000 stands in it, which no setting has;2:b=2;");
}

static void no_such_files(void **state)
{
    (void)state;
    static const char utf16[] =
        "!it is written in UTF-16, which Java does not take for settings: it "
        "has to be in Latin-1";
    READS("\xff\xfe"
          "a\0=\0",
          utf16);
    READS("\xfe\xff\0a\0=", utf16);
    READS("a=1\0", "!it has a zero byte: this is no text file");
    READS("\0", "!it has a zero byte: this is no text file");
    READS("\xef\xbb\xbf"
          "a=1",
          "1:a=1;");
    READS("\xef\xbb", "1:\xc3\xaf\xc2\xbb=;");
    READS("\xff", "1:\xc3\xbf=;");
}

/* As large as may be, and by one byte larger. */
static void sizes(void **state)
{
    (void)state;
    static char file[PROPERTIES_MAX + 1];
    struct properties p;
    struct property it = {.value = ""};
    struct error err = {""};
    memset(file, '#', sizeof(file));
    assert_int_equal(properties_begin(&p, file, sizeof(file) - 1, &err), 0);
    assert_int_equal(properties_next(&p, &it, &err), 0);
    assert_int_equal(properties_begin(&p, file, sizeof(file), &err), -EFBIG);
    assert_string_equal(err.text, "it is larger than 65536 bytes: not a file of settings");

    int n = snprintf(file, sizeof(file), "%0*d=%0*d\n%0*d=2\n3=%0*d\n%0*d\xe9=5\n6=7",
                     PROPERTIES_NAME_MAX, 1, PROPERTIES_VALUE_MAX, 2, PROPERTIES_NAME_MAX + 1, 3,
                     PROPERTIES_VALUE_MAX + 1, 4, PROPERTIES_NAME_MAX - 1, 5);
    assert_int_equal(properties_begin(&p, file, (size_t)n, &err), 0);
    assert_int_equal(properties_next(&p, &it, &err), 1);
    assert_int_equal(strlen(it.name), PROPERTIES_NAME_MAX);
    assert_int_equal(strlen(it.value), PROPERTIES_VALUE_MAX);
    assert_int_equal(properties_next(&p, &it, &err), -EINVAL);
    assert_string_equal(err.text, "the name is longer than 64 bytes");
    assert_int_equal(properties_next(&p, &it, &err), -EINVAL);
    assert_string_equal(err.text, "the value is longer than 4096 bytes");
    assert_int_equal(p.line, 3);
    assert_int_equal(strlen(it.value), PROPERTIES_VALUE_MAX); /* untouched */
    assert_int_equal(properties_next(&p, &it, &err), -EINVAL);
    assert_string_equal(err.text, "the name is longer than 64 bytes");
    assert_int_equal(properties_next(&p, &it, &err), 1);
    assert_string_equal(it.name, "6");
    assert_int_equal(p.line, 5);
}

/* ---- all forms of a text ---- */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

/* A character in one of its forms; `plain` tells whether it may stand for itself here. */
static size_t put_form(char *to, size_t cap, uint32_t c, bool plain, uint32_t *seed)
{
    static const char letters[] = "tnrf", means[] = "\t\n\r\f";
    const char *letter = c < 0x80 ? memchr(means, (int)c, 4) : NULL;
    const uint32_t form = draw(seed, 3);
    if (c > 0xffff) {
        return (size_t)snprintf(to, cap, "\\u%04x\\u%04X", 0xd7c0 + (c >> 10),
                                0xdc00 | (c & 0x3ff));
    }
    if (c > 0xff || form == 0) {
        return (size_t)snprintf(to, cap, "\\u%04x", c);
    }
    if (letter) {
        return (size_t)snprintf(to, cap, "\\%c", letters[letter - means]);
    }
    if (form == 1 && plain && c != '\\') {
        return (size_t)snprintf(to, cap, "%c", (int)c);
    }
    return (size_t)snprintf(to, cap,
                            c == 'u'                 ? "\\u0075"
                            : strchr("tnrf", (int)c) ? "%c"
                                                     : "\\%c",
                            (int)c);
}

static size_t put_text(char *to, size_t cap, const uint32_t *text, size_t n, bool name,
                       uint32_t *seed)
{
    static const char *const joins[] = {"\\\n", "\\\r\n  ", "\\\r \t"};
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool plain = !(name && strchr("=: #!", (int)text[i])) && !(i == 0 && text[i] == ' ') &&
                     text[i] != '=' && text[i] != ':';
        at += put_form(to + at, cap - at, text[i], plain && text[i] != ' ', seed);
        if (draw(seed, 8) == 0) {
            at += (size_t)snprintf(to + at, cap - at, "%s", joins[draw(seed, 3)]);
        }
    }
    assert_true(at < cap);
    return at;
}

static size_t utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void any_text_in_any_form(void **state)
{
    (void)state;
    static const uint32_t some[] = {'a',    'u',    'n',    ' ',     '=',     ':',     '#',
                                    '!',    '\\',   '\t',   '\n',    '\r',    '\f',    1,
                                    0x7f,   0xa0,   0xe9,   0xff,    0x100,   0x7ff,   0x800,
                                    0xd7ff, 0xe000, 0xffff, 0x10000, 0x1f600, 0x10ffff};
    for (uint32_t round = 1; round <= 3000; round++) {
        uint32_t seed = round, text[2][8];
        char file[1024], want[2][64] = {"", ""};
        size_t at = 0, n[2];
        for (unsigned k = 0; k < 2; k++) {
            size_t w = 0;
            n[k] = draw(&seed, 8) + (k == 0); /* a name has a character at least */
            for (size_t i = 0; i < n[k]; i++) {
                text[k][i] = some[draw(&seed, sizeof(some) / sizeof(some[0]))];
                w += utf8(want[k] + w, text[k][i]);
            }
            at += put_text(file + at, sizeof(file) - at, text[k], n[k], k == 0, &seed);
            at += (size_t)snprintf(file + at, sizeof(file) - at, "%s", k == 0 ? "=" : "");
        }
        struct properties p;
        struct property it = {.value = ""};
        struct error err = {""};
        assert_int_equal(properties_begin(&p, file, at, &err), 0);
        assert_int_equal(properties_next(&p, &it, &err), 1);
        assert_string_equal(it.name, want[0]);
        assert_string_equal(it.value, want[1]);
        assert_int_equal(properties_next(&p, &it, &err), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented),
        cmocka_unit_test(separators),
        cmocka_unit_test(ends_of_lines),
        cmocka_unit_test(joined_lines),
        cmocka_unit_test(escapes),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(no_such_files),
        cmocka_unit_test(sizes),
        cmocka_unit_test(any_text_in_any_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
