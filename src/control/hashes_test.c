/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes of files of captures that have ended: vectors of FIPS 180-4, files in several pieces,
 * descriptors that come later, and captures that nobody can hash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/hashes.h"
#include "control/test_api.h"

enum {
    MILLION = 1000000,
    DEADLINE_MS = 10000,
};

static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char of_million[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

struct fixture {
    struct world w;
    struct loop *loop;
    struct hashes *hashes;
    struct mono deadline;
    unsigned opened, settled, wanted; /* `wanted`: captures with a hash, before the loop ends */
};

static int open_file(void *user, const uint8_t id[16], void *waiter, int *ret_fd, struct error *err)
{
    struct fixture *f = user;
    f->opened++;
    return world_open(&f->w, id, false, waiter, ret_fd, err);
}

static void settle(void *user)
{
    ((struct fixture *)user)->settled++;
}

static int count_hash(void *user, const struct object *o)
{
    *(unsigned *)user += o->v[CAPTURE_F_SHA256].set;
    return 0;
}

static unsigned hashed(struct fixture *f)
{
    const struct store_query q = {.n_filters = 0};
    struct store *s = f->w.counted.real;
    unsigned n = 0;
    assert_int_equal(s->ops->list(s, &kind_capture, &q, count_hash, &n, NULL), 0);
    return n;
}

static void on_look(struct loop *l, struct mono now, void *user)
{
    struct fixture *f = user;
    if (hashed(f) == f->wanted) {
        loop_stop(l, 0);
    }
    assert_false(mono_due(now, f->deadline));
}

static void run(struct fixture *f, unsigned wanted)
{
    struct loop_timer *timer;
    f->wanted = wanted;
    f->deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    assert_int_equal(loop_add_timer(f->loop, mono_now(), NSEC_PER_MSEC, on_look, f, &timer), 0);
    assert_int_equal(loop_run(f->loop), 0);
    loop_del_timer(f->loop, timer);
}

static void put(struct fixture *f, unsigned number, const char *state, int64_t bytes)
{
    struct object o;
    world_object(&o, &kind_capture, number, "local", "bob");
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, "packet"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, state), 0);
    object_set_int(&o, CAPTURE_F_BYTES, bytes);
    world_put(&f->w, &o);
    object_done(&o);
}

static const char *hash_of(struct fixture *f, unsigned number)
{
    static char text[65];
    struct store *s = f->w.counted.real;
    struct object key, o;
    world_object(&key, &kind_capture, number, "local", "bob");
    assert_int_equal(s->ops->get(s, &kind_capture, key.v[FIELD_OF_ID].text, &o, NULL), 0);
    const struct value *v = &o.v[CAPTURE_F_SHA256];
    (void)snprintf(text, sizeof(text), "%s", v->set ? v->text : "");
    object_done(&o);
    object_done(&key);
    return text;
}

static void begin(struct fixture *f)
{
    const struct hashes_conf conf = {.loop = f->loop,
                                     .store = &f->w.counted.store,
                                     .open = open_file,
                                     .settle = settle,
                                     .user = f};
    assert_int_equal(hashes_new(&conf, mono_add_ms(mono_now(), -5000), &f->hashes), 0);
}

static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    world_init(&f->w, kinds, KINDS, table, &v1_n_routes, API_READ);
    f->w.file = "abc";
    assert_int_equal(loop_new(&f->loop), 0);
    *state = f;
    return 0;
}

static int leave(void **state)
{
    struct fixture *f = *state;
    hashes_free(f->hashes);
    loop_free(f->loop);
    world_done(&f->w);
    free(f);
    return 0;
}

static void those_that_had_ended(void **state)
{
    struct fixture *f = *state;
    put(f, 1, "done", 3);
    put(f, 2, "failed", 3);
    put(f, 3, "cancelled", 3);
    put(f, 4, "running", 3);
    put(f, 5, "failed", 0); /* it has no file */
    begin(f);
    run(f, 3);
    for (unsigned i = 1; i <= 3; i++) {
        assert_string_equal(hash_of(f, i), of_abc);
    }
    assert_string_equal(hash_of(f, 4), "");
    assert_int_equal(f->opened, 3);
    assert_int_equal(f->settled, 3);
}

static void one_in_several_pieces(void **state)
{
    struct fixture *f = *state;
    char *bytes = malloc(MILLION);
    assert_non_null(bytes);
    memset(bytes, 'a', MILLION);
    f->w.file = bytes;
    f->w.file_len = MILLION;
    begin(f);
    run(f, 0); /* there is none */
    struct object o;
    put(f, 9, "done", MILLION);
    world_object(&o, &kind_capture, 9, "local", "bob");
    hashes_add(f->hashes, o.v[FIELD_OF_ID].text);
    hashes_add(f->hashes, o.v[FIELD_OF_ID].text); /* again */
    object_done(&o);
    run(f, 1);
    assert_string_equal(hash_of(f, 9), of_million);
    free(bytes);
}

static void on_answer(struct loop *l, struct mono now, void *user)
{
    struct fixture *f = user;
    (void)l;
    (void)now;
    assert_false(hashes_woken(f->hashes, f));
    if (f->opened > 0 && f->w.open != 0) {
        f->w.open = 0;
        assert_true(hashes_woken(f->hashes, f->w.waiter));
    }
}

/* The broker opens files, which takes a while, or it is busy. */
static void descriptors_that_come_later(void **state)
{
    static const int answers[] = {-EAGAIN, -EBUSY};
    struct fixture *f = *state;
    struct loop_timer *timer;
    put(f, 1, "done", 3);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        f->w.open = answers[i];
        f->opened = 0;
        put(f, 1 + (unsigned)i, "done", 3);
        begin(f);
        assert_int_equal(
            loop_add_timer(f->loop, mono_now(), 3 * NSEC_PER_MSEC, on_answer, f, &timer), 0);
        run(f, 1 + (unsigned)i);
        assert_string_equal(hash_of(f, 1 + (unsigned)i), of_abc);
        loop_del_timer(f->loop, timer);
        hashes_free(f->hashes);
        f->hashes = NULL;
    }
}

/* One without a file, and a store that fails: others have theirs. */
static void what_cannot_be(void **state)
{
    struct fixture *f = *state;
    put(f, 1, "done", 3);
    f->w.open = -ENOENT;
    begin(f);
    while (f->opened == 0) {
        run(f, 0);
    }
    f->w.open = 0;
    hashes_add(f->hashes, "no id");
    struct object o;
    world_object(&o, &kind_capture, 7, "local", "bob");
    hashes_add(f->hashes, o.v[FIELD_OF_ID].text); /* it is deleted */
    object_done(&o);
    put(f, 2, "done", 3);
    world_object(&o, &kind_capture, 2, "local", "bob");
    hashes_add(f->hashes, o.v[FIELD_OF_ID].text);
    run(f, 1);
    assert_string_equal(hash_of(f, 2), of_abc);
    put(f, 3, "done", 3);
    f->w.counted.fail_commit = -ENOSPC;
    const unsigned before = f->w.counted.commits;
    object_done(&o);
    world_object(&o, &kind_capture, 3, "local", "bob");
    hashes_add(f->hashes, o.v[FIELD_OF_ID].text);
    object_done(&o);
    while (f->w.counted.commits == before) {
        run(f, 1);
    }
    assert_string_equal(hash_of(f, 3), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_had_ended, enter, leave),
        cmocka_unit_test_setup_teardown(one_in_several_pieces, enter, leave),
        cmocka_unit_test_setup_teardown(descriptors_that_come_later, enter, leave),
        cmocka_unit_test_setup_teardown(what_cannot_be, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
