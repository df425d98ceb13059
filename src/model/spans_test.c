/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans against a plain model: a byte for each moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/spans.h"

enum {
    MOMENTS = 60, /* so few that the list is never full */
};

static uint32_t chance(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

static void check_form(const struct spans *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        assert_true(s->at[i].from_ns < s->at[i].until_ns);
        assert_true(i == 0 || s->at[i - 1].until_ns < s->at[i].from_ns);
    }
}

static void check_alike(const struct spans *s, const bool *model)
{
    bool is[MOMENTS] = {false}, gap[MOMENTS] = {false};
    struct span g = {0, 0};
    for (unsigned i = 0; i < s->n; i++) {
        for (int64_t t = s->at[i].from_ns; t < s->at[i].until_ns; t++) {
            is[t] = true;
        }
    }
    assert_memory_equal(is, model, sizeof(is));
    while (spans_gap(s, g.until_ns, MOMENTS, &g)) {
        for (int64_t t = g.from_ns; t < g.until_ns; t++) {
            gap[t] = true;
        }
    }
    for (unsigned t = 0; t < MOMENTS; t++) {
        assert_true(gap[t] == !model[t]);
    }
}

static void they_are_the_union(void **state)
{
    (void)state;
    for (uint64_t story = 1; story <= 2000; story++) {
        uint64_t seed = story;
        struct spans s = {.n = 0};
        bool model[MOMENTS] = {false};
        for (unsigned k = 0; k < 12; k++) {
            const int64_t from = chance(&seed, MOMENTS);
            const int64_t until = from + chance(&seed, 8);
            bool changes = false;
            for (int64_t t = from; t < until && t < MOMENTS; t++) {
                changes |= !model[t];
                model[t] = true;
            }
            const int64_t end = until < MOMENTS ? until : MOMENTS;
            assert_true(spans_add(&s, from, end) == changes);
            assert_false(spans_add(&s, from, end));
            check_form(&s);
            check_alike(&s, model);
        }
    }
}

static void too_many_claim_too_little(void **state)
{
    (void)state;
    struct spans s = {.n = 0};
    for (int64_t i = 0; i < SPANS_MAX; i++) {
        assert_true(spans_add(&s, i * 100, i * 100 + 10 + (i == 5 ? -5 : i)));
    }
    assert_false(spans_add(&s, 5000, 5005)); /* no longer than the shortest */
    assert_true(spans_add(&s, 6000, 6006));
    assert_int_equal(s.n, SPANS_MAX);
    check_form(&s);
    struct span g;
    assert_true(spans_gap(&s, 500, 505, &g));
    assert_true(g.from_ns == 500 && g.until_ns == 505);
    assert_false(spans_gap(&s, 6000, 6006, &g));
    assert_true(spans_add(&s, INT64_MIN, INT64_MAX));
    assert_int_equal(s.n, 1);
    assert_false(spans_gap(&s, INT64_MIN, INT64_MAX, &g));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_the_union),
        cmocka_unit_test(too_many_claim_too_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
