/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures that have been kept long enough go, with an event and with their files; where the store
 * fails none does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/retain.h"
#include "control/test_api.h"

#define MINUTE (60 * NSEC_PER_SEC)

struct gone {
    unsigned n;
    uint8_t last[16];
};

static void deleted(void *user, const uint8_t id[16])
{
    struct gone *g = user;
    g->n++;
    memcpy(g->last, id, sizeof(g->last));
}

static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    world_init(w, kinds, KINDS, table, &v1_n_routes, API_READ);
    *state = w;
    return 0;
}

static int leave(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

/* A capture that ended so many minutes ago; 0: it has no end. */
static void put(struct world *w, unsigned number, const char *state, int64_t minutes)
{
    struct object o;
    world_object(&o, &kind_capture, number, "local", "bob");
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, "packet"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, state), 0);
    object_set_int(&o, CAPTURE_F_BYTES, 100);
    if (minutes > 0) {
        object_set_int(&o, CAPTURE_F_ENDED, WORLD_NOW - minutes * MINUTE);
    }
    world_put(w, &o);
    object_done(&o);
}

static uint64_t count(struct world *w)
{
    const struct store_query q = {.n_filters = 0};
    uint64_t n = 0;
    struct store *s = w->counted.real;
    assert_int_equal(s->ops->count(s, &kind_capture, &q, &n, NULL), 0);
    return n;
}

static void by_age(void **state)
{
    struct world *w = *state;
    struct gone gone = {0};
    struct error err = {""};
    const struct retain_conf c = {.store = &w->counted.store,
                                  .retention = {.age_ns = 15 * MINUTE},
                                  .deleted = deleted,
                                  .user = &gone};
    put(w, 1, "done", 16);
    put(w, 2, "failed", 15);
    put(w, 3, "running", 16);
    put(w, 4, "cancelled", 0);
    w->counted.fail_commit = -ENOSPC;
    assert_int_equal(retain_look(&c, WORLD_NOW, &err), -ENOSPC);
    w->counted.fail_commit = 0;
    w->counted.fail_event = -EIO;
    assert_int_equal(retain_look(&c, WORLD_NOW, &err), -EIO);
    w->counted.fail_event = 0;
    assert_int_equal(gone.n, 0);
    assert_int_equal(count(w), 4);
    assert_int_equal(retain_look(&c, WORLD_NOW, &err), 1);
    assert_int_equal(gone.n, 1);
    assert_int_equal(gone.last[15], 1);
    assert_int_equal(count(w), 3);
    unsigned commits = w->counted.commits;
    assert_int_equal(retain_look(&c, WORLD_NOW, &err), 0);
    assert_int_equal(w->counted.commits, commits);
    assert_int_equal(retain_look(&c, WORLD_NOW + 16 * MINUTE, &err), 2);
    assert_int_equal(ask(w, HTTP_GET, "/v1/audit", NULL), 200);
    assert_true(body_has(w, "\"capture.deleted\""));
    assert_true(body_has(w, "\"retention\""));
}

static void many(void **state)
{
    struct world *w = *state;
    struct gone gone = {0};
    const struct retain_conf c = {.store = &w->counted.store,
                                  .retention = {.most_bytes = 1000},
                                  .deleted = deleted,
                                  .user = &gone};
    for (unsigned i = 0; i < 300; i++) {
        put(w, i, "done", 1 + i);
    }
    assert_int_equal(retain_look(&c, WORLD_NOW, NULL), RETAIN_MOST);
    assert_int_equal(retain_look(&c, WORLD_NOW, NULL), 300 - RETAIN_MOST - 10);
    assert_int_equal(retain_look(&c, WORLD_NOW, NULL), 0);
    assert_int_equal(count(w), 10);
    assert_int_equal(gone.n, 290);
    assert_int_equal(gone.last[15], 10); /* the newest of those that had to go */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_age, enter, leave),
        cmocka_unit_test_setup_teardown(many, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
