/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the note of features: one that is written is read as it was, and what is no line is
 * refused.
 */
#include "proto/offnote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define BOOT "0b1e1c1e-7b0c-4b7a-9b5e-3c1d5a0f9e11"
#define LINE BOOT " 7 02:00:00:00:0a:ff da tx-tcp-segmentation,tx-checksum-ip-generic\n"

static int get(const char *text, struct offnote *ret)
{
    struct rd r = rd_make(text, strlen(text));
    return offnote_get(&r, ret);
}

static void a_line_says_all(void **state)
{
    (void)state;
    struct offnote v;
    char again[OFFNOTE_LINE + 1] = "";
    struct wr w = wr_make(again, sizeof(again) - 1);
    assert_int_equal(get(LINE, &v), 0);
    assert_string_equal(v.boot, BOOT);
    assert_int_equal(v.ifindex, 7);
    assert_int_equal(v.mac_len, 6);
    assert_memory_equal(v.mac, "\2\0\0\0\x0a\xff", 6);
    assert_string_equal(v.name, "da");
    assert_int_equal(v.n, 2);
    assert_true(offnote_has(&v, "tx-tcp-segmentation"));
    assert_true(offnote_has(&v, "tx-checksum-ip-generic"));
    assert_false(offnote_has(&v, "tx-tcp"));
    assert_int_equal(offnote_put(&w, &v), 0);
    assert_string_equal(again, LINE);
    v.mac_len = 0;
    w = wr_make(again, sizeof(again) - 1);
    assert_int_equal(offnote_put(&w, &v), 0);
    again[wr_len(&w)] = '\0';
    assert_int_equal(get(again, &v), 0);
    assert_int_equal(v.mac_len, 0);
}

static void the_longest_fits(void **state)
{
    (void)state;
    struct offnote v = {.ifindex = INT32_MAX, .mac_len = OFFNOTE_MAC, .name = "0123456789abcde"};
    struct offnote again;
    char name[OFFNOTE_FEATURE + 1], line[OFFNOTE_LINE], line2[OFFNOTE_LINE];
    memset(v.boot, 'b', OFFNOTE_BOOT);
    for (unsigned i = 0; i < OFFNOTE_FEATURES; i++) {
        (void)snprintf(name, sizeof(name), "%031u", i);
        assert_true(offnote_add(&v, name));
        assert_true(offnote_add(&v, name)); /* it has it */
    }
    assert_int_equal(v.n, OFFNOTE_FEATURES);
    assert_false(offnote_add(&v, "one-more"));
    struct wr w = wr_make(line, sizeof(line));
    assert_int_equal(offnote_put(&w, &v), 0);
    struct rd r = rd_make(line, wr_len(&w));
    assert_int_equal(offnote_get(&r, &again), 0);
    struct wr w2 = wr_make(line2, sizeof(line2));
    assert_int_equal(offnote_put(&w2, &again), 0);
    assert_int_equal(wr_len(&w2), wr_len(&w));
    assert_memory_equal(line2, line, wr_len(&w));
    w = wr_make(line, wr_len(&w) - 1);
    assert_int_equal(offnote_put(&w, &v), -EMSGSIZE);
}

static void names_that_are_none_are_left_out(void **state)
{
    (void)state;
    struct offnote v = {.n = 0};
    assert_false(offnote_add(&v, ""));
    assert_false(offnote_add(&v, "tx checksum"));
    assert_false(offnote_add(&v, "a,b"));
    assert_false(offnote_add(&v, "0123456789abcdef0123456789abcdef"));
    assert_int_equal(v.n, 0);
}

static void lines_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\n",
        " \n",
        BOOT "\n",
        BOOT " 7\n",
        BOOT " 7 - da\n",
        BOOT " 7 - da \n",
        BOOT " 7 -  tx-a\n",
        BOOT " 0 - da tx-a\n",
        BOOT " 07 - da tx-a\n",
        BOOT " 2147483648 - da tx-a\n",
        BOOT " 99999999999 - da tx-a\n",
        BOOT " -7 - da tx-a\n",
        BOOT " 7 02: da tx-a\n",
        BOOT " 7 02:0 da tx-a\n",
        BOOT " 7 02-00 da tx-a\n",
        BOOT " 7 0g da tx-a\n",
        BOOT " 7 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00 da tx-a\n",
        BOOT " 7 - 0123456789abcdef tx-a\n",
        BOOT " 7 - da tx-a,\n",
        BOOT " 7 - da ,tx-a\n",
        BOOT " 7 - da tx-a tx-b\n",
        BOOT " 7 - da TX\n",
        BOOT " 7 - da 0123456789abcdef0123456789abcdef\n",
        BOOT "0 7 - da tx-a\n",
    };
    struct offnote v;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (get(bad[i], &v) != -EBADMSG) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

/* A process may have been killed while it wrote. */
static void a_last_line_without_an_end_is_none(void **state)
{
    (void)state;
    static const char text[] = "nonsense\n" LINE BOOT " 7 - da tx-a";
    struct offnote v;
    struct rd r = rd_make(text, sizeof(text) - 1);
    assert_int_equal(offnote_get(&r, &v), -EBADMSG);
    assert_int_equal(offnote_get(&r, &v), 0);
    assert_int_equal(offnote_get(&r, &v), -ENODATA);
    assert_int_equal(offnote_get(&r, &v), -ENODATA);
    r = rd_make(LINE, sizeof(LINE) - 1);
    assert_int_equal(offnote_get(&r, &v), 0);
    assert_int_equal(offnote_get(&r, &v), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_all),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(names_that_are_none_are_left_out),
        cmocka_unit_test(lines_that_are_none_are_refused),
        cmocka_unit_test(a_last_line_without_an_end_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
