/* SPDX-License-Identifier: Apache-2.0
 *
 * Times that are corrected: by what was set, never backwards within a point, never later than the
 * frame had come; and what the first frames tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "data/align.h"
#include "data/stage.h"

#define S NSEC_PER_SEC

enum {
    AHEAD_S = 1000,
};

static struct align_point point[2];
static struct align_point *const at[] = {NULL, &point[0], &point[1]};
static struct frame last;

/* A frame of the point comes `now_s` after the start; its time becomes … */
static int64_t pass(uint32_t of, int64_t ts, int64_t now_s)
{
    struct stage *s = NULL;
    struct batch *b = test_calloc(1, sizeof(*b));
    b->n = 1;
    b->f[0] = (struct frame){.point = of, .ts_ns = ts};
    const struct pass p = {.now = {now_s * S}, .n = ARRAY_SIZE(at), .align = at};
    assert_int_equal(align_stage_new(&(struct stage_conf){.align = true}, &s), 0);
    s->ops->run(s, b, &p);
    s->ops->free(s);
    last = b->f[0];
    test_free(b);
    return last.ts_ns;
}

static void set(struct align_point *p, int64_t offset, bool tell, bool anew)
{
    align_point_set(p, &(struct align){offset, 1500, AHEAD_S * S, tell, anew});
}

static int setup(void **state)
{
    (void)state;
    point[0] = point[1] = (struct align_point){0};
    return 0;
}

static void only_where_it_is_wanted(void **state)
{
    (void)state;
    struct stage *s = NULL;
    assert_int_equal(align_stage_new(&(struct stage_conf){0}, &s), 0);
    assert_null(s);
}

static void times_are_corrected(void **state)
{
    (void)state;
    assert_int_equal(pass(1, 5000 * S, 1), 5000 * S); /* nothing is known: as it came */
    assert_int_equal(last.clock, 0);
    set(&point[0], 4000 * S, true, false);
    assert_int_equal(pass(1, 5000 * S, 2), 1000 * S); /* earlier than the one that was not */
    assert_int_equal(last.clock, ALIGN_TELLS | ALIGN_FIRST);
    assert_int_equal(last.clock_offset, 4000 * S);
    assert_int_equal(last.clock_bound_us, 2);
    assert_int_equal(pass(1, 5000 * S + 7, 2), 1000 * S + 7);
    assert_int_equal(last.clock, 0);
    assert_int_equal(pass(2, 77, 2), 77); /* another point */
    assert_int_equal(pass(0, 77, 2), 77);
    set(&point[0], 4000 * S - 5, false, false);
    assert_int_equal(pass(1, 5000 * S + 8, 2), 1000 * S + 13);
    assert_int_equal(last.clock, 0);
    set(&point[0], 4000 * S - 6, true, false);
    set(&point[0], 4000 * S - 6, false, false); /* no frame came to tell it */
    assert_int_equal(pass(1, 5000 * S + 8, 2), 1000 * S + 14);
    assert_int_equal(last.clock, ALIGN_TELLS);
}

static void never_backwards(void **state)
{
    (void)state;
    set(&point[0], 0, false, false);
    assert_int_equal(pass(1, 100 * S, 2), 100 * S);
    set(&point[0], 3 * S, true, false);
    assert_int_equal(pass(1, 101 * S, 2), 100 * S); /* it stands still, … */
    assert_int_equal(last.clock, ALIGN_TELLS);
    assert_int_equal(pass(1, 102 * S, 2), 100 * S);
    assert_int_equal(pass(1, 104 * S, 2), 101 * S); /* … until it is that late again */
    assert_int_equal(pass(1, 103 * S, 2), 101 * S); /* out of order at the tap */
    set(&point[0], 50 * S, true, true);             /* our own clock went back */
    assert_int_equal(pass(1, 105 * S, 2), 55 * S);
}

static void never_later_than_now(void **state)
{
    (void)state;
    set(&point[0], 0, false, false);
    assert_int_equal(pass(1, (AHEAD_S + 5) * S, 5), (AHEAD_S + 5) * S);
    assert_int_equal(pass(1, (AHEAD_S + 3600) * S, 6),
                     (AHEAD_S + 6) * S); /* the tap's clock was set */
    assert_int_equal(pass(1, INT64_MAX, 7), (AHEAD_S + 7) * S);
    set(&point[0], INT64_MAX, false, false);
    assert_int_equal(pass(1, INT64_MIN, 8), (AHEAD_S + 8) * S); /* no time of a clock's */
    assert_int_equal(pass(1, 0, 9), (AHEAD_S + 8) * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_where_it_is_wanted),
        cmocka_unit_test_setup(times_are_corrected, setup),
        cmocka_unit_test_setup(never_backwards, setup),
        cmocka_unit_test_setup(never_later_than_now, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
