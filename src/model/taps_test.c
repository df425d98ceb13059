/* SPDX-License-Identifier: Apache-2.0
 *
 * Directions, statuses, counts and circles of tap flows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/taps.h"

/* The owner of a port that faces him gets what the host sends. */
static void directions(void **state)
{
    (void)state;
    assert_int_equal(taps_dir(TAP_BOTH, false), FRAME_DIR_UNKNOWN);
    assert_int_equal(taps_dir(TAP_BOTH, true), FRAME_DIR_UNKNOWN);
    assert_int_equal(taps_dir(TAP_IN, false), FRAME_DIR_IN);
    assert_int_equal(taps_dir(TAP_OUT, false), FRAME_DIR_OUT);
    assert_int_equal(taps_dir(TAP_IN, true), FRAME_DIR_OUT);
    assert_int_equal(taps_dir(TAP_OUT, true), FRAME_DIR_IN);
}

static void vlans(void **state)
{
    static const char *const good[] = {"0", "4095", "100,200-210", "0-4095"}, *const bad[] = {
                                                                                  "",       "4096",
                                                                                  "20-10",  "1,,2",
                                                                                  "10-25,", "2,1",
                                                                                  "1,1",    "1-5,3",
                                                                                  "1 2",    "-1"};
    struct error err;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(taps_check_vlans(good[i], &err), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        err.text[0] = '\0';
        assert_int_equal(taps_check_vlans(bad[i], &err), -22);
        assert_true(err.text[0]);
    }
}

static void statuses(void **state)
{
    char reason[TAP_REASON_MAX + 1];
    struct taps_ends e = {.source = "web0", .destination = "ids0", .words = "no such thing"};
    (void)state;
    assert_int_equal(taps_status(&e, reason), TAP_DOWN);
    assert_string_equal(reason, "the port web0 is not there");
    e.source_there = true;
    assert_int_equal(taps_status(&e, reason), TAP_DOWN);
    assert_string_equal(reason, "the port ids0 is not there");
    e.service_there = true;
    assert_int_equal(taps_status(&e, reason), TAP_DOWN);
    assert_string_equal(reason, "the port ids0 is down");
    e.service_up = true;
    assert_int_equal(taps_status(&e, reason), TAP_DOWN);
    assert_string_equal(reason, "it is being set up");
    e.reported = TAPS_FLOWS;
    assert_int_equal(taps_status(&e, reason), TAP_ACTIVE);
    assert_string_equal(reason, "");
    e.reported = TAPS_FAILED;
    assert_int_equal(taps_status(&e, reason), TAP_ERROR);
    assert_string_equal(reason, "no such thing");
    e.reported = TAPS_AWAY;
    e.words = NULL;
    assert_int_equal(taps_status(&e, reason), TAP_DOWN);
    assert_string_equal(reason, "no reason was told");
    e.source_there = false; /* whatever is told of it */
    e.reported = TAPS_FLOWS;
    assert_int_equal(taps_status(&e, reason), TAP_DOWN);
}

static void counts_of_lives(void **state)
{
    struct taps_progress p = {0};
    (void)state;
    assert_true(taps_take(&p, 7, &(struct taps_counts){10, 1000, 1}));
    assert_false(taps_take(&p, 7, &(struct taps_counts){10, 1000, 1}));
    assert_false(taps_take(&p, 7, &(struct taps_counts){9, 1000, 1})); /* it counts backwards */
    assert_int_equal(taps_sum(&p).frames, 10);
    assert_false(taps_take(&p, 8, &(struct taps_counts){0})); /* another life begins */
    assert_true(taps_take(&p, 8, &(struct taps_counts){5, 500, 0}));
    const struct taps_counts sum = taps_sum(&p);
    assert_int_equal(sum.frames, 15);
    assert_int_equal(sum.bytes, 1500);
    assert_int_equal(sum.dropped, 1);
    assert_true(taps_take(&p, 9, &(struct taps_counts){UINT64_MAX, 0, 0}));
    assert_true(taps_sum(&p).frames == UINT64_MAX);
}

static void circles(void **state)
{
    struct taps_edge chain[] = {{3, 4}, {1, 2}, {2, 3}, {2, 9}, {4, 5}};
    (void)state;
    assert_int_equal(taps_closes_circle(NULL, 0, (struct taps_edge){1, 1}), 1);
    assert_int_equal(taps_closes_circle(NULL, 0, (struct taps_edge){1, 2}), 0);
    assert_int_equal(taps_closes_circle(chain, ARRAY_SIZE(chain), (struct taps_edge){5, 1}), 1);
    assert_int_equal(taps_closes_circle(chain, ARRAY_SIZE(chain), (struct taps_edge){9, 1}), 1);
    assert_int_equal(taps_closes_circle(chain, ARRAY_SIZE(chain), (struct taps_edge){5, 9}), 0);
    assert_int_equal(taps_closes_circle(chain, ARRAY_SIZE(chain), (struct taps_edge){1, 5}), 0);
    struct taps_edge old[] = {{1, 2}, {2, 1}}; /* a circle that is there is no new one */
    assert_int_equal(taps_closes_circle(old, ARRAY_SIZE(old), (struct taps_edge){3, 1}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions),      cmocka_unit_test(vlans),   cmocka_unit_test(statuses),
        cmocka_unit_test(counts_of_lives), cmocka_unit_test(circles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
