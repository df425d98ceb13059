/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures through the object and back, what clients see of them, and what is told of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/batch.h"
#include "control/capture_object.h"

#define SEC INT64_C(1000000000)
#define ID "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a55"

static void make(struct object *o)
{
    object_init(o, &kind_capture);
    assert_int_equal(object_set_text(o, FIELD_OF_ID, ID), 0);
    assert_int_equal(object_set_text(o, CAPTURE_F_TYPE, "packet"), 0);
    assert_int_equal(object_set_text(o, CAPTURE_F_POINTS, "[\"eth0\",\"a\\\\x22\"]"), 0);
    object_set_int(o, CAPTURE_F_START, 1000 * SEC);
    object_set_int(o, CAPTURE_F_STOP, 1060 * SEC);
    assert_int_equal(object_defaults(o, NULL), 0);
}

static void it_comes_back(void **state)
{
    (void)state;
    static struct capture c, again;
    struct object o;
    make(&o);
    assert_int_equal(capture_of_object(&o, &c), 0);
    assert_int_equal(c.state, CAPTURE_SCHEDULED);
    assert_int_equal(c.n_points, 2);
    for (uint64_t life = 1; life <= CAPTURE_LIVES + 3; life++) {
        const struct capture_report r = {
            .life = life << 60 | life,
            .state = CAPTURE_RUNNING,
            .words = "",
            .published = life,
            .found = life % 3 > 0 ? CAPTURE_UNKNOWN : life * (life - 1), /* as counted */
            .counts = {life * 4, life, life * 2, life},
            .n_points = 2,
            .point = {{(1000 + (int64_t)life * 5) * SEC, (1002 + (int64_t)life * 5) * SEC}}};
        assert_true(capture_take(&c, &r, 0));
    }
    assert_int_equal(capture_into_object(&c, &o), 0);
    assert_int_equal(o.v[FIELD_OF_GENERATION].n, 1);
    assert_int_equal(capture_of_object(&o, &again), 0);
    assert_memory_equal(&again.life, &c.life, sizeof(c.life));
    assert_memory_equal(&again.covered, &c.covered, sizeof(c.covered));
    assert_memory_equal(&again.older, &c.older, sizeof(c.older));
    assert_int_equal(again.n_lives, CAPTURE_LIVES);
    assert_true(again.state == c.state && again.code == c.code && again.published == c.published);
    assert_true(again.began_ns == c.began_ns && again.ended_ns == 0);
    assert_int_equal(o.v[CAPTURE_F_FRAMES].n, 2 * 66);
    assert_int_equal(o.v[CAPTURE_F_OFFERED].n, 4 * 66);
    assert_int_equal(o.v[CAPTURE_F_UNWANTED].n, 66);
    assert_int_equal(o.v[CAPTURE_F_DROPPED].n, 66);
    object_done(&o);
}

static void clients_see_times_and_reasons(void **state)
{
    (void)state;
    static struct capture c;
    struct object o;
    make(&o);
    assert_int_equal(capture_of_object(&o, &c), 0);
    const struct capture_report r = {.life = 1,
                                     .state = CAPTURE_DONE,
                                     .code = CAPTURE_CODE_STOP_TIME,
                                     .words = "",
                                     .counts = {3, 3, 0, 0},
                                     .n_points = 2,
                                     .point = {{1001 * SEC, 1060 * SEC}, {1000 * SEC, 1060 * SEC}}};
    assert_true(capture_take(&c, &r, 1061 * SEC));
    assert_int_equal(capture_into_object(&c, &o), 0);
    assert_string_equal(o.v[CAPTURE_F_STATE].text, "done");
    assert_string_equal(o.v[CAPTURE_F_CODE].text, "stop-time");
    assert_string_equal(o.v[CAPTURE_F_REASON].text,
                        "its stop has come; 3 frames passed by and none was wanted");
    assert_string_equal(o.v[CAPTURE_F_COVERED].text,
                        "[{\"point\":\"eth0\",\"from\":\"1970-01-01T00:16:41Z\",\"until\":\"1970-"
                        "01-01T00:17:40Z\"},"
                        "{\"point\":\"a\\\\x22\",\"from\":\"1970-01-01T00:16:40Z\","
                        "\"until\":\"1970-01-01T00:17:40Z\"}]");
    assert_string_equal(o.v[CAPTURE_F_GAPS].text,
                        "[{\"point\":\"eth0\",\"from\":\"1970-01-01T00:16:40Z\","
                        "\"until\":\"1970-01-01T00:16:41Z\",\"why\":\"it began late\"}]");
    assert_int_equal(o.v[CAPTURE_F_BEGAN].n, 1000 * SEC);
    assert_int_equal(o.v[CAPTURE_F_ENDED].n, 1060 * SEC);
    struct error err = {""};
    for (unsigned i = 0; i < CAPTURE_FIELDS; i++) {
        if (o.v[i].set) {
            assert_int_equal(field_check(&kind_capture.field[i], &o.v[i], &err), 0);
        }
    }
    json_t *root = json_loads(o.v[CAPTURE_F_PROGRESS].text, 0, NULL);
    assert_non_null(root);
    json_decref(root);
    object_done(&o);
}

static void what_is_told(void **state)
{
    (void)state;
    static struct capture c;
    static struct wanted w;
    struct error err = {""};
    struct object o;
    make(&o);
    assert_int_equal(object_set_text(&o, CAPTURE_F_VLANS, "100,200-210"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_DIRECTION, "out"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_FILTER, "udp port 53"), 0);
    object_set_int(&o, CAPTURE_F_SNAPLEN, 96);
    object_set_int(&o, CAPTURE_F_LIMIT_FRAMES, 10);
    object_set_int(&o, CAPTURE_F_LIMIT_BYTES, 1 << 20);
    assert_int_equal(capture_of_object(&o, &c), 0);
    assert_int_equal(capture_wish(&o, &c, 1, &w, &err), 0);
    assert_true(w.id[0] == 0x01 && w.id[15] == 0x55 && w.kind == WANTED_PACKET);
    assert_true(w.n_points == 2 && strcmp(w.point[1], "a\\x22") == 0);
    assert_true(w.dir == FRAME_DIR_OUT && w.has_vlans && w.snaplen == 96 && !w.cancelled);
    assert_true(vlan_set_has(&w.vlans, 205) && !vlan_set_has(&w.vlans, 211));
    assert_true(w.start_ns == 1000 * SEC && w.stop_ns == 1060 * SEC && w.period_ms == 1000);
    assert_true(w.most_bytes == 1 << 20 && w.most_frames == 10);
    assert_string_equal(w.filter, "udp port 53");
    object_set_null(&o, CAPTURE_F_STOP);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, "finishing"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_CODE, "cancelled"), 0);
    assert_int_equal(capture_of_object(&o, &c), 0);
    assert_int_equal(capture_wish(&o, &c, 1, &w, &err), 0);
    assert_true(w.stop_ns == INT64_MAX && w.cancelled);
    char list[100] = "[\"";
    memset(list + 2, 'x', WANTED_NAME);
    memcpy(list + 2 + WANTED_NAME, "\"]", 3);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, list), 0);
    assert_int_equal(capture_wish(&o, &c, 1, &w, &err), -EINVAL);
    assert_non_null(strstr(err.text, "is no name of an interface"));
    object_done(&o);
}

static void what_is_none(void **state)
{
    (void)state;
    static struct capture c;
    static const char *const broken[] = {"",
                                         "[",
                                         "{\"lives\":[[1,2]]}",
                                         "{\"spans\":[[99,1,2]]}",
                                         "{\"spans\":[[0,\"x\",2]]}",
                                         "[[[[]]]]",
                                         "7"};
    struct object o;
    make(&o);
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        assert_int_equal(object_set_text(&o, CAPTURE_F_PROGRESS, broken[i]), 0);
        assert_int_equal(capture_of_object(&o, &c), 0);
        assert_int_equal(c.n_lives, 0);
        assert_int_equal(c.covered[0].n, 0);
    }
    object_set_null(&o, CAPTURE_F_START);
    assert_int_equal(capture_of_object(&o, &c), -EINVAL);
    object_done(&o);
    make(&o);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, "[]"), 0);
    assert_int_equal(capture_of_object(&o, &c), -EINVAL);
    object_done(&o);
    object_init(&o, &kind_port);
    assert_int_equal(capture_of_object(&o, &c), -EINVAL);
    object_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(clients_see_times_and_reasons),
        cmocka_unit_test(what_is_told),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
