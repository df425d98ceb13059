/* SPDX-License-Identifier: Apache-2.0
 *
 * The times for which points are complete, where a limit ends them and where the clock is set. No
 * port is needed for that; engine_test.c has some.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/engine_output.h"
#include "node/engine_points.h"

#define S NSEC_PER_SEC

struct fixture {
    struct wanted wanted;
    struct engine_output output;
    struct filter_prog filter;
    struct engine_points points;
};

/* Three points from 10 to 20 s: one has given a frame at 15 s and was refused the next, one has
 * given one at 25 s, behind what is known to be read, and one none. */
static void begin(struct fixture *f)
{
    *f = (struct fixture){
        .wanted = {.n_points = 3, .start_ns = 10 * S, .stop_ns = 60 * S, .most_frames = 2}};
    engine_points_init(&f->points, NULL, &f->wanted, &f->output, &f->filter);
    for (unsigned i = 0; i < 3; i++) {
        struct engine_point *k = &f->points.at[i];
        k->from_ns = 10 * S;
        k->until_ns = 20 * S;
        k->ring_since = 9 * S;
        k->counts.last_ns = i == 0 ? 15 * S : i == 1 ? 25 * S : 0;
        k->counts.full = i == 0;
    }
}

static void are_until(const struct fixture *f, int64_t a, int64_t b, int64_t c)
{
    assert_int_equal(f->points.at[0].until_ns, a);
    assert_int_equal(f->points.at[1].until_ns, b);
    assert_int_equal(f->points.at[2].until_ns, c);
}

static void a_limit_of_frames(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f);
    assert_false(engine_points_spent(&f.points));
    f.points.budget = 0;
    assert_true(engine_points_spent(&f.points));
    engine_points_end_spent(&f.points);
    are_until(&f, 15 * S + 1, 25 * S + 1, 20 * S);
    begin(&f);
    f.points.at[0].counts.last_ns = 0; /* others took the whole budget */
    engine_points_end_spent(&f.points);
    are_until(&f, 10 * S, 25 * S + 1, 20 * S);
    begin(&f);
    f.points.at[0].from_ns = f.points.at[0].until_ns = 18 * S; /* of a ring after its last frame */
    engine_points_end_spent(&f.points);
    are_until(&f, 18 * S, 25 * S + 1, 20 * S);
    f.wanted.most_frames = 0;
    f.points.budget = 0;
    assert_false(engine_points_spent(&f.points));
}

static void a_limit_of_bytes(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f);
    engine_points_end_at(&f.points, 22 * S);
    are_until(&f, 20 * S, 22 * S, 20 * S);
    engine_points_end_at(&f.points, 12 * S);
    are_until(&f, 12 * S, 12 * S, 12 * S);
    engine_points_end_at(&f.points, 5 * S); /* nothing fitted */
    are_until(&f, 10 * S, 10 * S, 10 * S);
}

static void the_clock_is_set(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f);
    engine_points_shift(&f.points, 100 * S);
    are_until(&f, 20 * S, 20 * S, 20 * S);
    assert_true(f.points.at[0].from_ns == 10 * S && f.points.at[0].ring_since == 109 * S);
    begin(&f);
    engine_points_shift(&f.points, -5 * S);
    are_until(&f, 15 * S, 15 * S, 15 * S);
    assert_true(f.points.at[0].from_ns == 5 * S && f.points.at[0].ring_since == 4 * S);
    engine_points_shift(&f.points, -100 * S); /* before 1970 there is nothing */
    are_until(&f, 0, 0, 0);
    assert_true(f.points.at[0].from_ns == 0 && f.points.at[0].ring_since == 1);
    assert_false(engine_points_ever(&f.points));
    f.points.at[2].ever = true;
    assert_true(engine_points_ever(&f.points));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_of_frames),
        cmocka_unit_test(a_limit_of_bytes),
        cmocka_unit_test(the_clock_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
