/* SPDX-License-Identifier: Apache-2.0
 *
 * Chores are done at once and again, after what was under way is settled; what fails is told once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/chores.h"
#include "control/test_api.h"

struct fixture {
    struct world w;
    struct loop *loop;
    struct chores chores;
    struct opentap_conf opentap;
    unsigned settled, stop_at, said, deleted, changed;
    char words[400];
};

static void settle(void *user)
{
    struct fixture *f = user;
    if (++f->settled == f->stop_at) {
        loop_stop(f->loop, 0);
    }
}

static void say(void *user, const char *words)
{
    struct fixture *f = user;
    f->said++;
    (void)snprintf(f->words, sizeof(f->words), "%s", words);
}

static void deleted(void *user, const uint8_t id[16])
{
    (void)id;
    ((struct fixture *)user)->deleted++;
}

static void changed(void *user)
{
    ((struct fixture *)user)->changed++;
}

/* Runs until so many chores have begun. */
static void run(struct fixture *f, unsigned chores)
{
    const struct chores_conf conf = {
        .loop = f->loop,
        .retain = {.store = &f->w.counted.store,
                   .retention = {.age_ns = NSEC_PER_SEC},
                   .deleted = deleted,
                   .user = f},
        .opentap = &f->opentap,
        .settle = settle,
        .changed = changed,
        .say = say,
        .user = f,
    };
    f->settled = 0;
    f->stop_at = chores;
    assert_int_equal(chores_start(&f->chores, &conf, mono_now()), 0);
    assert_int_equal(loop_run(f->loop), 0);
    chores_stop(&f->chores);
}

static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    world_init(&f->w, kinds, KINDS, table, &v1_n_routes, API_READ);
    assert_int_equal(loop_new(&f->loop), 0);
    f->opentap.alias[f->opentap.n_aliases++] = (struct opentap_alias){"eth0", "web"};
    world_port(&f->w, 1, "eth0", NULL, true);
    struct object o;
    world_object(&o, &kind_capture, 5, "local", "bob");
    (void)object_set_text(&o, CAPTURE_F_TYPE, "packet");
    (void)object_set_text(&o, CAPTURE_F_STATE, "done");
    object_set_int(&o, CAPTURE_F_ENDED, 1);
    world_put(&f->w, &o);
    object_done(&o);
    *state = f;
    return 0;
}

static int leave(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    world_done(&f->w);
    free(f);
    return 0;
}

static void all_are_done(void **state)
{
    struct fixture *f = *state;
    struct object o;
    world_port(&f->w, 2, "eth1", NULL, true);
    world_object(&o, &kind_port, 6, "red", "bob"); /* a claim whose interface is there */
    (void)object_set_text(&o, PORT_F_NAME, "eth1");
    (void)object_set_text(&o, PORT_F_CLAIM, o.v[FIELD_OF_ID].text);
    (void)object_set_text(&o, PORT_F_CLAIM_WORDS, "{}");
    world_put(&f->w, &o);
    object_done(&o);
    run(f, 3);
    assert_int_equal(f->deleted, 1);
    assert_int_equal(f->changed, 1);
    assert_int_equal(f->said, 0);
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/ports?fields=alias,project", NULL), 200);
    assert_true(body_has(
        &f->w,
        "[\n{\"project\":\"local\",\"alias\":\"web\"},\n{\"project\":\"red\",\"alias\":null}]"));
}

static void failures_are_told_once(void **state)
{
    struct fixture *f = *state;
    f->w.counted.fail_list = -EIO;
    run(f, 3);
    assert_int_equal(f->said, 1);
    assert_non_null(strstr(f->words, ": no list"));
    assert_int_equal(f->deleted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_done, enter, leave),
        cmocka_unit_test_setup_teardown(failures_are_told_once, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
