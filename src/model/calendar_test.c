/* SPDX-License-Identifier: Apache-2.0
 *
 * The calendar: hours as they are written, and each mistake with its place. Whether local time is
 * right over a year is judged in tests/net/test_calendar.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "model/calendar.h"

enum {
    SUN,
    MON,
    TUE,
    WED,
    THU,
    FRI,
    SAT,
};

static struct calendar parsed(const char *text)
{
    struct calendar c;
    struct error err = {""};
    int r = calendar_parse(text, "--business-hours", &c, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    return c;
}

static bool at(const struct calendar *c, unsigned day, unsigned hour, unsigned minute)
{
    return calendar_is_open(c, day, (hour * 60 + minute) * 60);
}

/* Minutes of the week that are open. */
static unsigned minutes(const char *text)
{
    const struct calendar c = parsed(text);
    unsigned n = 0;
    for (unsigned d = 0; d < CALENDAR_DAYS; d++) {
        for (unsigned m = 0; m < CALENDAR_MINUTES; m++) {
            n += at(&c, d, 0, m);
        }
    }
    return n;
}

static void hours_of_a_week(void **state)
{
    (void)state;
    const struct calendar c = parsed("mon-fri 08:00-18:00, sat 09:00-12:00");
    for (unsigned d = MON; d <= FRI; d++) {
        assert_false(at(&c, d, 7, 59));
        assert_true(at(&c, d, 8, 0));
        assert_true(at(&c, d, 17, 59));
        assert_false(at(&c, d, 18, 0));
    }
    assert_false(at(&c, SAT, 8, 59));
    assert_true(at(&c, SAT, 9, 0));
    assert_true(at(&c, SAT, 11, 59));
    assert_false(at(&c, SAT, 12, 0));
    assert_false(at(&c, SUN, 10, 0));
    assert_false(calendar_is_open(&c, MON, 8 * 3600 - 1));
    assert_true(calendar_is_open(&c, MON, 18 * 3600 - 1));
}

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned minutes;
    } cases[] = {
        {"mon-fri 08:00-18:00, sat 09:00-12:00", 5 * 600 + 180},
        {"mon-fri", 5 * 1440},
        {"MON-Fri", 5 * 1440},
        {"  sat\t", 1440},
        {"sun-sat", 7 * 1440},
        {"fri-mon", 4 * 1440},
        {"mon-mon", 1440},
        {"sat,sun 10:00-16:00", 2 * 360},
        {"mon-wed , fri 8:00-9:30", 4 * 90},
        {"mon 00:00-24:00", 1440},
        {"mon 23:59-24:00", 1},
        {"mon 8:00-12:00,13:00-18:00", 540},
        {"mon 8:00-12:00, 13:00-18:00, tue 9:00-10:00", 600},
        {"mon 08:00-10:00,09:00-11:00", 180},
        {"mon 8:00-9:00,tue", 60 + 1440},
        {"mon08:00-09:00", 60},
        {"sat 22:00-06:00", 8 * 60},
        {"mon-sun 12:00-11:59", 7 * 1439},
        {"mon 22:00-00:00", 2 * 60},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (minutes(cases[i].text) != cases[i].minutes) {
            fail_msg("\"%s\": %u minutes", cases[i].text, minutes(cases[i].text));
        }
    }
}

static void over_midnight(void **state)
{
    (void)state;
    const struct calendar c = parsed("sat 22:00-06:00");
    assert_false(at(&c, SAT, 5, 59));
    assert_false(at(&c, SAT, 21, 59));
    assert_true(at(&c, SAT, 22, 0));
    assert_true(at(&c, SAT, 23, 59));
    assert_true(at(&c, SUN, 0, 0));
    assert_true(at(&c, SUN, 5, 59));
    assert_false(at(&c, SUN, 6, 0));
}

/* A leap second belongs to its minute; a day that there is not is closed. */
static void odd_times(void **state)
{
    (void)state;
    struct calendar c = parsed("mon 23:00-24:00");
    assert_true(calendar_is_open(&c, MON, 86400));
    assert_false(calendar_is_open(&c, TUE, 0));
    c = parsed("mon-sun");
    for (unsigned d = 0; d < CALENDAR_DAYS; d++) {
        assert_true(calendar_is_open(&c, d, 0));
        assert_true(calendar_is_open(&c, d, 86399));
    }
    assert_false(calendar_is_open(&c, CALENDAR_DAYS, 0));
}

#define DAYS "a day is mon, tue, wed, thu, fri, sat or sun, several are mon-fri or sat,sun"
#define TIMES "times are HH:MM-HH:MM, as in 'mon-fri 08:00-18:00, sat 09:00-12:00'"

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "bh never open: give days and times, as in 'mon-fri 08:00-18:00, sat 09:00-12:00'"},
        {" \t", "bh never open: give days and times, as in 'mon-fri 08:00-18:00, sat 09:00-12:00'"},
        {"mon 08:00-08:00",
         "bh: at character 5, \"08:00-08:00\": this never opens; a whole day is 00:00-24:00"},
        {"monday", "bh: at character 1, \"monday\": " DAYS},
        {"mo-fr", "bh: at character 1, \"mo-fr\": " DAYS},
        {"mon-", "bh: at its end: " DAYS},
        {"mon-5", "bh: at character 5, \"5\": " DAYS},
        {"08:00-18:00", "bh: at character 1, \"08:00-18:00\": " DAYS},
        {"mon, tuesday 8:00-9:00", "bh: at character 6, \"tuesday 8:00-9:0...\": " DAYS},
        {"mon-fri 8-18", "bh: at character 9, \"8-18\": " TIMES},
        {"mon-fri 08:00", "bh: at character 9, \"08:00\": " TIMES},
        {"mon-fri 08:00 - 18:00", "bh: at character 9, \"08:00 - 18:00\": " TIMES},
        {"mon-fri 008:00-18:00", "bh: at character 9, \"008:00-18:00\": " TIMES},
        {"mon-fri 08:000-18:00", "bh: at character 9, \"08:000-18:00\": " TIMES},
        {"mon-fri 08:0-18:00", "bh: at character 9, \"08:0-18:00\": " TIMES},
        {"mon-fri -08:00-18:00", "bh: at character 9, \"-08:00-18:00\": " TIMES},
        {"mon 08:00-18:00,", "bh: at character 16, \",\": behind a time there is a comma and days, "
                             "or the end"},
        {"mon 08:00-18:00 sat", "bh: at character 17, \"sat\": behind a time there is a comma and "
                                "days, or the end"},
        {"mon,", "bh: at character 4, \",\": " TIMES},
        {"mon 08:00-24:01", "bh: at character 11, \"24:01\": a time is from 00:00 to 24:00"},
        {"mon 08:60-09:00", "bh: at character 5, \"08:60-09:00\": a time is from 00:00 to 24:00"},
        {"mon 99:00-09:00", "bh: at character 5, \"99:00-09:00\": a time is from 00:00 to 24:00"},
        {"mon 24:00-09:00",
         "bh: at character 5, \"24:00-09:00\": 24:00 is an end only; a day begins at 00:00"},
        {"mon \x1b[1m\xff", "bh: at character 5, \"\\x1b[1m\\xff\": " TIMES},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct calendar c = parsed("wed 01:02-03:04"), before = c;
        struct error err = {""};
        assert_int_equal(calendar_parse(cases[i].text, "bh", &c, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].words);
        assert_memory_equal(&c, &before, sizeof(c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_of_a_week), cmocka_unit_test(forms),
        cmocka_unit_test(over_midnight),   cmocka_unit_test(odd_times),
        cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
