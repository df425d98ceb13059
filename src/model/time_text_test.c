/* SPDX-License-Identifier: Apache-2.0
 *
 * Times in text; the C library's calendar is the judge of dates.
 */
#include "model/time_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/time.h"

static void check_text(int64_t ns, const char *text)
{
    char got[TIME_TEXT];
    time_text(ns, got);
    assert_string_equal(got, text);
}

static void test_text(void **state)
{
    (void)state;
    check_text(0, "1970-01-01T00:00:00Z");
    check_text(INT64_C(1795183390500000000), "2026-11-20T14:03:10.5Z");
    check_text(1, "1970-01-01T00:00:00.000000001Z");
    check_text(100, "1970-01-01T00:00:00.0000001Z");
    check_text(INT64_C(951782400000000000), "2000-02-29T00:00:00Z");
    check_text(TIME_TEXT_END - 1, "2199-12-31T23:59:59.999999999Z");
    check_text(-1, "1969-12-31T23:59:59.999999999Z");
    check_text(INT64_MIN, "1677-09-21T00:12:43.145224192Z");
    check_text(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
}

/* Each day of 230 years, forth and back. */
static void test_days(void **state)
{
    char judge[TIME_TEXT], got[TIME_TEXT];
    (void)state;
    for (int64_t day = 0; day < TIME_TEXT_END / NSEC_PER_SEC / 86400; day++) {
        time_t s = day * 86400 + day % 86400;
        struct tm tm;
        int64_t ns = -1;
        assert_non_null(gmtime_r(&s, &tm));
        strftime(judge, sizeof(judge), "%Y-%m-%dT%H:%M:%SZ", &tm);
        time_text(s * NSEC_PER_SEC, got);
        assert_string_equal(got, judge);
        assert_int_equal(time_parse_rfc3339(got, &ns), 0);
        assert_true(ns == s * NSEC_PER_SEC);
    }
}

static void check_rfc3339(const char *text, int64_t ns)
{
    int64_t got = -1;
    assert_int_equal(time_parse_rfc3339(text, &got), 0);
    assert_true(got == ns);
}

static void test_rfc3339(void **state)
{
    const int64_t at = INT64_C(1795183390) * NSEC_PER_SEC;
    (void)state;
    check_rfc3339("2026-11-20T14:03:10Z", at);
    check_rfc3339("2026-11-20t14:03:10z", at);
    check_rfc3339("2026-11-20 14:03:10Z", at);
    check_rfc3339("2026-11-20T15:33:10+01:30", at);
    check_rfc3339("2026-11-19T22:03:10-16:00", at);
    check_rfc3339("2026-11-20T14:03:10.25Z", at + 250000000);
    check_rfc3339("2026-11-20T14:03:10.1234567899Z", at + 123456789);
    check_rfc3339("1969-12-31T23:00:00-01:00", 0);
    check_rfc3339("2016-12-31T23:59:60Z", INT64_C(1483228800) * NSEC_PER_SEC);
    check_rfc3339("2017-01-01T00:59:60+01:00", INT64_C(1483228800) * NSEC_PER_SEC);
}

static void test_not_rfc3339(void **state)
{
    static const char *const wrong[] = {
        "",
        "tomorrow",
        "2026-11-20",
        "2026-11-20T14:03:10",
        "2026-11-20T14:03Z",
        "2026-11-20T14:03:10.Z",
        "2026-11-20T14:03:10,5Z",
        "2026-11-20T14:03:10ZZ",
        "2026-11-20T14:03:10+0100",
        "2026-11-20T14:03:10+24:00",
        "2026-11-20T14:03:10+01:60",
        "2026-13-20T14:03:10Z",
        "2026-00-20T14:03:10Z",
        "2026-11-31T14:03:10Z",
        "2026-11-00T14:03:10Z",
        "2026-02-29T14:03:10Z",
        "2100-02-29T14:03:10Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T14:60:00Z",
        "2026-11-20T14:03:60Z",
        "2026-11-20T14:03:61Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "2200-01-01T00:00:00Z",
        "292278-01-01T00:00:00Z",
        "+026-11-20T14:03:10Z",
        " 2026-11-20T14:03:10Z",
    };
    int64_t ns = -7;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (time_parse_rfc3339(wrong[i], &ns) != -EINVAL) {
            fail_msg("%s is accepted", wrong[i]);
        }
        assert_true(ns == -7);
    }
}

static void test_seconds(void **state)
{
    static const char *const wrong[] = {"",    "-1",  "1.",         ".5",          "1e9",
                                        "1 ",  "0x1", "7258118400", "99999999999", "nan",
                                        "+1s", "now", "1.5s"};
    int64_t ns = -7;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(time_parse_seconds(wrong[i], &ns), -EINVAL);
        assert_true(ns == -7);
    }
    assert_int_equal(time_parse_seconds("1795183390.000000001", &ns), 0);
    assert_true(ns == INT64_C(1795183390000000001));
    assert_int_equal(time_parse_seconds("7258118399.999999999", &ns), 0);
    assert_true(ns == TIME_TEXT_END - 1);
    assert_int_equal(time_parse_seconds("0", &ns), 0);
    assert_true(ns == 0);
}

static void check_ahead(const char *text, int64_t ms)
{
    const int64_t now = INT64_C(1795183390123456789);
    int64_t got = -1;
    assert_int_equal(time_parse(text, now, &got), 0);
    assert_true(got == now + ms * NSEC_PER_MSEC);
}

static void test_from_now_on(void **state)
{
    static const char *const wrong[] = {"+",    "+s",   "+3",       "+3w", "+-3s", "+3 s", "-3s",
                                        "+3ss", "+3.s", "+400000d", "Now", "now ", "++3s"};
    int64_t ns = -7;
    (void)state;
    check_ahead("now", 0);
    check_ahead("+30s", 30000);
    check_ahead("+250ms", 250);
    check_ahead("+1.5min", 90000);
    check_ahead("+2h", 7200000);
    check_ahead("+1d", 86400000);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(time_parse(wrong[i], INT64_C(1795183390123456789), &ns), -EINVAL);
        assert_true(ns == -7);
    }
    assert_int_equal(time_parse("2026-11-20T14:03:10Z", 0, &ns), 0);
    assert_true(ns == INT64_C(1795183390000000000));
    assert_int_equal(time_parse("1795183390", 0, &ns), 0);
    assert_true(ns == INT64_C(1795183390000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_days),
        cmocka_unit_test(test_rfc3339), cmocka_unit_test(test_not_rfc3339),
        cmocka_unit_test(test_seconds), cmocka_unit_test(test_from_now_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
