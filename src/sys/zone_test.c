/* SPDX-License-Identifier: Apache-2.0
 *
 * Local time: names that are refused, both changes of the clock, and that all of that works behind
 * the sandbox's walls. A year of three zones is judged in tests/net/test_calendar.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sys/sandbox_testing.h"
#include "sys/zone.h"

static struct zone_time at(int64_t seconds)
{
    return zone_local((struct wall){seconds * NSEC_PER_SEC});
}

static bool is(int64_t seconds, unsigned weekday, unsigned hour, unsigned minute)
{
    const struct zone_time t = at(seconds);
    return t.weekday == weekday && t.second == (hour * 60 + minute) * 60;
}

/* Of 2026: Sunday, March 29, 01:00 UTC and Sunday, October 25, 01:00 UTC. */
static bool berlin_is_right(void)
{
    const int64_t spring = 1774746000, autumn = 1792890000;
    return is(spring - 60, 0, 1, 59) && is(spring, 0, 3, 0) && is(autumn - 60, 0, 2, 59) &&
           is(autumn, 0, 2, 0) && is(autumn + 3600, 0, 3, 0);
}

static void both_changes_of_the_clock(void **state)
{
    (void)state;
    assert_int_equal(zone_load("Europe/Berlin", NULL), 0);
    assert_true(berlin_is_right());
    assert_int_equal(zone_offset_ns((struct wall){1774746000 * NSEC_PER_SEC}),
                     2 * 3600 * NSEC_PER_SEC);
    assert_int_equal(zone_offset_ns((struct wall){1774746000 * NSEC_PER_SEC - 1}),
                     3600 * NSEC_PER_SEC);
    assert_int_equal(zone_load("America/New_York", NULL), 0);
    assert_int_equal(zone_offset_ns((struct wall){0}), -5 * 3600 * NSEC_PER_SEC);
    assert_false(berlin_is_right());
    assert_true(is(1772953200 - 60, 0, 1, 59)); /* March 8, 07:00 UTC */
    assert_true(is(1772953200, 0, 3, 0));
    assert_int_equal(zone_load("UTC", NULL), 0);
    assert_true(is(0, 4, 0, 0));
    assert_true(is(-60, 3, 23, 59));
    assert_int_equal(zone_local((struct wall){-1}).second, 86399);
}

static void the_hosts_zone(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "XYZ-03:30", 1), 0);
    assert_int_equal(zone_load(NULL, NULL), 0);
    assert_true(is(0, 4, 3, 30));
    assert_int_equal(unsetenv("TZ"), 0);
    assert_int_equal(zone_load(NULL, NULL), 0);
    assert_string_equal(getenv("TZ"), ":/etc/localtime");
}

static void names_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"", "--timezone: \"\" is no name of a time zone: one is like Europe/Berlin or UTC"},
        {"../zoneinfo/UTC", "--timezone: \"../zoneinfo/UTC\" is no name of a time zone: one is "
                            "like Europe/Berlin or UTC"},
        {"/usr/share/zoneinfo/UTC", "--timezone: \"/usr/share/zoneinfo/UTC\" is no name of a time "
                                    "zone: one is like Europe/Berlin or UTC"},
        {"Europe//Berlin", "--timezone: \"Europe//Berlin\" is no name of a time zone: one is like "
                           "Europe/Berlin or UTC"},
        {"Europe/", "--timezone: \"Europe/\" is no name of a time zone: one is like Europe/Berlin "
                    "or UTC"},
        {":UTC", "--timezone: \":UTC\" is no name of a time zone: one is like Europe/Berlin or "
                 "UTC"},
        {"zone.tab", "--timezone: \"zone.tab\" is no name of a time zone: one is like "
                     "Europe/Berlin or UTC"},
        {"A\nB", "--timezone: \"A\\x0aB\" is no name of a time zone: one is like Europe/Berlin or "
                 "UTC"},
        {"Europe", "--timezone: there is no time zone \"Europe\" in /usr/share/zoneinfo: a name is "
                   "like Europe/Berlin or UTC"},
        {"Europe/Berln", "--timezone: there is no time zone \"Europe/Berln\" in "
                         "/usr/share/zoneinfo: a name is like Europe/Berlin or UTC"},
        {"CEST-2", "--timezone: there is no time zone \"CEST-2\" in /usr/share/zoneinfo: a name is "
                   "like Europe/Berlin or UTC"},
    };
    char long_name[ZONE_NAME_MAX + 2];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {""};
        assert_in_range(-zone_check(cases[i].name, "--timezone", &err), 1, 200);
        assert_string_equal(err.text, cases[i].words);
        assert_true(zone_load(cases[i].name, NULL) < 0);
    }
    memset(long_name, 'A', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(zone_check(long_name, "--timezone", NULL), -EINVAL);
    assert_int_equal(zone_check(long_name + 1, "--timezone", NULL), -ENOENT);
    assert_int_equal(zone_check("America/Argentina/Buenos_Aires", "--timezone", NULL), 0);
    assert_int_equal(zone_check("Etc/GMT+12", "--timezone", NULL), 0);
}

/* A child's exit status: 0 where local time is right, behind the walls and of the zone. */
static int behind_walls(enum mode mode)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (zone_load("Europe/Berlin", NULL) < 0) {
            _exit(20);
        }
        enter(mode);
        if (zone_check("Asia/Tokyo", "it", NULL) == 0 && mode == AS_ROOT) {
            _exit(DID_IT); /* the file could be read: there is no wall */
        }
        if (zone_check("Europe/Berlin", "it", NULL) < 0) {
            _exit(22); /* the one that is loaded is known without its file */
        }
        tzset(); /* as strftime() does */
        _exit(berlin_is_right() ? 0 : 21);
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void works_behind_the_walls(void **state)
{
    (void)state;
    for (enum mode m = AS_ROOT; m < MODES; m++) {
        assert_int_equal(behind_walls(m), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_changes_of_the_clock),
        cmocka_unit_test(the_hosts_zone),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(works_behind_the_walls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
