/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of negotiation: Accept by its weights, types of bodies, tags, and ranges of bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "control/negotiate.h"
#include <cmocka.h>

static void accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        unsigned json, csv;
    } cases[] = {
        {NULL, 1000, 1000},
        {"", 1000, 1000},
        {"*/*", 1000, 1000},
        {"application/json", 1000, 0},
        {"APPLICATION/JSON", 1000, 0},
        {"application/*;q=0.5, text/csv", 500, 1000},
        {"application/json ; q=0.25,*/*;q=0.125", 250, 125},
        {"application/json;q=0, */*", 0, 1000},
        {"*/*, application/json;q=0", 0, 1000},
        {"text/*;q=0.001", 0, 1},
        {"application/json;v=1;q=0.3", 300, 0},
        {"application/json;Q=1.000", 1000, 0},
        {"application/jsonx, application, text", 0, 0},
        {"text/csv;q=", 0, 1000},
        {",,, text/csv ,", 0, 1000},
        {"application/json;q=7", 1000, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(negotiate_accept(cases[i].accept, "application/json"), cases[i].json);
        assert_int_equal(negotiate_accept(cases[i].accept, "text/csv"), cases[i].csv);
    }
}

static void types(void **state)
{
    (void)state;
    assert_true(negotiate_is("application/json", "application/json"));
    assert_true(negotiate_is("Application/JSON; charset=UTF-8", "application/json"));
    assert_true(negotiate_is("application/json;charset=\"utf-8\"", "application/json"));
    assert_false(negotiate_is("application/json; charset=latin1", "application/json"));
    assert_false(negotiate_is("application/jsonp", "application/json"));
    assert_false(negotiate_is("application/x-www-form-urlencoded", "application/json"));
    assert_false(negotiate_is("text/plain; application/json", "application/json"));
    assert_false(negotiate_is(NULL, "application/json"));
}

static void tags(void **state)
{
    (void)state;
    assert_true(negotiate_has_tag("\"a-1\"", "\"a-1\""));
    assert_true(negotiate_has_tag("\"b\", W/\"a-1\"", "\"a-1\""));
    assert_true(negotiate_has_tag("*", "\"a-1\""));
    assert_false(negotiate_has_tag("\"a-12\"", "\"a-1\""));
    assert_false(negotiate_has_tag("\"a-1", "\"a-1\""));
    assert_false(negotiate_has_tag("a-1", "\"a-1\""));
    assert_false(negotiate_has_tag("x, y", "\"a-1\""));
    assert_false(negotiate_has_tag("", "\"a-1\""));
    assert_false(negotiate_has_tag(NULL, "\"a-1\""));
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *range;
        uint64_t len;
        bool open;
        enum negotiate_range is;
        uint64_t from, to;
    } cases[] = {
        {"bytes=0-9", 100, false, RANGE_PART, 0, 9},
        {"bytes=0-0", 100, true, RANGE_PART, 0, 0},
        {"Bytes=90-", 100, false, RANGE_PART, 90, 99},
        {"bytes=90-500", 100, true, RANGE_PART, 90, 99},
        {"bytes=-10", 100, false, RANGE_PART, 90, 99},
        {"bytes=-1000", 100, false, RANGE_PART, 0, 99},
        {"bytes=-10", 100, true, RANGE_OUT, 0, 0},
        {"bytes=-0", 100, false, RANGE_OUT, 0, 0},
        {"bytes=100-", 100, false, RANGE_OUT, 0, 0},
        {"bytes=0-", 0, true, RANGE_OUT, 0, 0},
        {"bytes=-5", 0, false, RANGE_OUT, 0, 0},
        {"bytes=9-0", 100, false, RANGE_NONE, 0, 0},
        {"bytes=-", 100, false, RANGE_NONE, 0, 0},
        {"bytes=", 100, false, RANGE_NONE, 0, 0},
        {"bytes=1-2,4-5", 100, false, RANGE_NONE, 0, 0},
        {"bytes=a-b", 100, false, RANGE_NONE, 0, 0},
        {"bytes=5", 100, false, RANGE_NONE, 0, 0},
        {"rows=1-2", 100, false, RANGE_NONE, 0, 0},
        {"bytes=99999999999999999999-", 100, false, RANGE_NONE, 0, 0},
        {NULL, 100, false, RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t from = 0, to = 0;
        if (negotiate_range(cases[i].range, cases[i].len, cases[i].open, &from, &to) !=
                cases[i].is ||
            from != cases[i].from || to != cases[i].to) {
            fail_msg("%s", cases[i].range);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept),
        cmocka_unit_test(types),
        cmocka_unit_test(tags),
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
