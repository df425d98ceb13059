/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of ivTAP's settings in the forms of ours, one by one; all sets of days.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cmd/import_values.h"

static void interfaces(void **state)
{
    (void)state;
    static const char *const good[] = {"eth0", "any",   "a", "enp0s31f6.100", "fifteen-letters",
                                       "...",  "br_0@x"};
    static const char *const bad[] = {"",      ".",      "..",  "sixteen-letters-",
                                      "a/b",   "eth0:1", "a b", "a\tb",
                                      "eth*",  "eth?",   "[e]", "{0A}",
                                      "\\NPF", "e]",     "e}"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(import_is_interface(good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(import_is_interface(bad[i]));
    }
}

static void assert_collector(const char *host, const char *want)
{
    char got[64];
    struct error err = {""};
    const int r = import_collector(host, 20, got, sizeof(got), &err);
    assert_int_equal(r, want ? 0 : -EINVAL);
    if (want) {
        assert_string_equal(got, want);
    } else {
        assert_string_not_equal(err.text, "");
    }
}

static void collectors(void **state)
{
    (void)state;
    assert_collector("10.0.0.1", "10.0.0.1:20");
    assert_collector("a-b_c.example", "a-b_c.example:20");
    assert_collector("fe80::1%eth0", "[fe80::1%eth0]:20");
    assert_collector("[::1]", "[::1]:20");
    assert_collector("", NULL);
    assert_collector("a b", NULL);
    assert_collector("a\nb", NULL);
    assert_collector("a#b", NULL);
    assert_collector("h\xc3\xb6st", NULL);
    assert_collector("[::1", NULL);
}

static void assert_days(const char *text, const char *want, const char *wrong)
{
    char got[IMPORT_DAYS] = "before";
    const char *at = "before";
    assert_int_equal(import_days(text, got, &at), want ? 0 : -EINVAL);
    assert_string_equal(got, want ? want : "");
    if (wrong) {
        assert_non_null(at);
        assert_string_equal(at, wrong);
    } else {
        assert_null(at);
    }
}

static void days(void **state)
{
    (void)state;
    assert_days("2,3,4,5,6", "mon-fri", NULL);
    assert_days("2,4,6", "mon, wed, fri", NULL);
    assert_days("6,4,2,4", "mon, wed, fri", NULL);
    assert_days("1", "sun", NULL);
    assert_days("7,1", "sat, sun", NULL);
    assert_days("1,2,3", "mon, tue, sun", NULL);
    assert_days(" 2 ,\t3, 4,6 ", "mon-wed, fri", NULL);
    assert_days("2,4,5,6,1", "mon, wed-fri, sun", NULL);
    assert_days("1,2,3,4,5,6,7", "", NULL);
    assert_days("", NULL, "");
    assert_days("0,8", NULL, "0,8");
    assert_days("2,8,x", "mon", "8,x");
    assert_days("2,", "mon", "");
    assert_days(",2", "mon", ",2");
    assert_days("2 3,4", "wed", "2 3,4");
    assert_days("23,4", "wed", "23,4");
}

/* The set that words give, bit 0 for Sunday, as a reader of such words would find it. */
static unsigned set_of(const char *words)
{
    static const char all[] = "montuewedthufrisatsun";
    unsigned set = 0;
    for (const char *p = words; *p; p += strspn(p, ", ")) {
        unsigned first = (unsigned)(strstr(all, (char[]){p[0], p[1], p[2], '\0'}) - all) / 3;
        unsigned last = first;
        p += 3;
        if (*p == '-') {
            last = (unsigned)(strstr(all, (char[]){p[1], p[2], p[3], '\0'}) - all) / 3;
            p += 4;
        }
        for (; first <= last; first++) {
            set |= 1U << (first + 1) % 7;
        }
    }
    return set;
}

static void all_sets_of_days(void **state)
{
    (void)state;
    for (unsigned set = 1; set < 0x7f; set++) {
        char text[16] = "", got[IMPORT_DAYS];
        const char *wrong = NULL;
        size_t n = 0;
        for (unsigned day = 0; day < 7; day++) {
            n += set >> day & 1
                     ? (size_t)snprintf(text + n, sizeof(text) - n, n > 0 ? ",%u" : "%u", day + 1)
                     : 0;
        }
        assert_int_equal(import_days(text, got, &wrong), 0);
        assert_null(wrong);
        assert_int_equal(set_of(got), set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interfaces),
        cmocka_unit_test(collectors),
        cmocka_unit_test(days),
        cmocka_unit_test(all_sets_of_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
