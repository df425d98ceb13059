/* SPDX-License-Identifier: Apache-2.0
 *
 * The backlog gives memory back while the system has none, and gets it again a minute later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "node/memory.h"

enum {
    POOL_BYTES = 16 << 20,
    FRAME = 1500,
    MINUTE_MS = 60000,
};

struct world {
    struct memory memory;
    struct backlog_pool *pool;
    struct backlog *backlog;
    struct mono now;
};

static void fill(struct world *w, uint64_t up_to)
{
    static uint8_t bytes[FRAME];
    const struct frame f = {
        .data = bytes, .datalen = FRAME, .caplen = FRAME, .origlen = FRAME, .ts_ns = 1};
    while (backlog_pool_used(w->pool) < up_to && backlog_put(w->backlog, &f) == 0) {
    }
}

static void begin(struct world *w)
{
    *w = (struct world){.now = {NSEC_PER_SEC}};
    w->pool = backlog_pool_new(POOL_BYTES);
    assert_non_null(w->pool);
    w->backlog = backlog_new(w->pool);
    assert_non_null(w->backlog);
}

static void end(struct world *w)
{
    backlog_free(w->backlog);
    backlog_pool_free(w->pool);
}

/* A look `ms` after the one before. Where memory is short, the process may map no more. */
static struct memory_look look(struct world *w, int64_t ms, bool is_short)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    none = before;
    none.rlim_cur = 1;
    w->now = mono_add_ms(w->now, ms);
    if (is_short) {
        assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    }
    struct memory_look ret = memory_look(&w->memory, w->pool, w->now);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    return ret;
}

static void an_empty_backlog_gives_nothing(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    assert_false(look(&w, 0, true).shrunk);
    struct memory none = {0};
    assert_false(memory_look(&none, NULL, w.now).shrunk);
    fill(&w, POOL_BYTES / 2);
    assert_false(look(&w, 0, false).shrunk);
    end(&w);
}

static void a_shortage_takes_some_and_is_told_once_a_minute(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    fill(&w, POOL_BYTES / 2);
    uint64_t used = backlog_pool_used(w.pool);
    struct memory_look m = look(&w, 0, true);
    assert_true(m.shrunk && m.tell);
    assert_true(m.may_wait > 0 && m.may_wait < used);
    (void)backlog_yield(w.backlog);
    assert_true(backlog_pool_used(w.pool) <= m.may_wait);
    m = look(&w, MINUTE_MS - 1, true);
    assert_true(m.shrunk && !m.tell);
    m = look(&w, 1, true);
    assert_true(m.shrunk && m.tell);
    end(&w);
}

/* A budget that is shrunk takes no more; a whole one takes what it was made for. */
static void the_budget_is_whole_again_after_a_minute(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    fill(&w, POOL_BYTES / 2);
    uint64_t may_wait = look(&w, 0, true).may_wait;
    (void)backlog_yield(w.backlog);
    fill(&w, POOL_BYTES / 2);
    assert_true(backlog_pool_used(w.pool) <= may_wait);
    assert_false(look(&w, MINUTE_MS - 1, false).shrunk);
    fill(&w, POOL_BYTES / 2);
    assert_true(backlog_pool_used(w.pool) <= may_wait);
    assert_false(look(&w, 1, false).shrunk);
    fill(&w, POOL_BYTES / 2);
    assert_true(backlog_pool_used(w.pool) >= POOL_BYTES / 2);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_backlog_gives_nothing),
        cmocka_unit_test(a_shortage_takes_some_and_is_told_once_a_minute),
        cmocka_unit_test(the_budget_is_whole_again_after_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
