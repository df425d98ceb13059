/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's part of a document: stages balance, and follow each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "node/report.h"
#include <cmocka.h>

/* Counts of which each is another, so that one in a wrong place is seen. */
static void fill(struct ledger *l)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(l, (enum ledger_id)i, UINT64_C(1) << i % 50);
    }
}

static int64_t at(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v)) {
        fail_msg("no figure \"%s\"", key);
    }
    return json_integer_value(v);
}

/* Every counter of the stage is in the document, where its kind belongs, and they balance. */
static void stages_balance(void **state)
{
    (void)state;
    struct ledger l = {0};
    fill(&l);
    for (unsigned st = 0; st < LEDGER_STAGE_COUNT; st++) {
        json_t *o = report_stage(&l, NULL, (enum ledger_stage)st),
               *drops = json_object_get(o, "drops");
        int64_t rest = at(o, "in");
        size_t n_drops = 0;
        for (unsigned i = 0; i < LEDGER_COUNT; i++) {
            const struct ledger_info *info = ledger_info((enum ledger_id)i);
            if (info->stage != st) {
                continue;
            }
            bool drop = info->kind == LEDGER_DROP;
            int64_t v = at(drop ? drops : o, info->key);
            assert_int_equal(v, ledger_get(&l, (enum ledger_id)i));
            n_drops += drop;
            rest += info->kind == LEDGER_MADE ? v : info->kind == LEDGER_OUT || drop ? -v : 0;
        }
        assert_int_equal(json_object_size(drops), n_drops);
        assert_int_equal(at(o, "in_flight"), rest);
        json_decref(o);
    }
}

/* A stage that does not count what comes in takes it from the stage before. */
static void stages_follow_each_other(void **state)
{
    (void)state;
    struct ledger l = {0};
    fill(&l);
    json_t *before = NULL;
    for (unsigned st = LEDGER_RING; st <= LEDGER_LINK_TX; st++) {
        json_t *o = report_stage(&l, NULL, (enum ledger_stage)st);
        if (before) {
            assert_int_equal(at(o, "in"), at(before, "out"));
        }
        json_decref(before);
        before = o;
    }
    json_decref(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_balance),
        cmocka_unit_test(stages_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
