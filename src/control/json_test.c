/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of clients, good and bad; the JSON library is the judge of what is put.
 */
#include "control/json.h"
#include "control/json_document.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/kinds.h"

/* ---- text ---- */

static void check_string(const char *s, const char *json)
{
    struct text t = {0};
    text_add_json(&t, s);
    assert_string_equal(t.p, json);
    assert_int_equal(t.len, strlen(json));
    text_free(&t);
}

static void test_strings(void **state)
{
    (void)state;
    check_string("", "\"\"");
    check_string("eth0", "\"eth0\"");
    check_string("a\"b\\c/", "\"a\\\"b\\\\c/\"");
    check_string("\x01\n\x1f", "\"\\u0001\\u000a\\u001f\"");
    check_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    check_string("\xff"
                 "a",
                 "\"\\ufffda\"");
    check_string("\xc3", "\"\\ufffd\"");                       /* cut */
    check_string("\xc0\xaf", "\"\\ufffd\\ufffd\"");            /* overlong */
    check_string("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
    check_string("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

/* Any bytes become a string that the JSON library takes. */
static void test_strings_of_any_bytes(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 256; i++) {
        for (unsigned j = 1; j < 256; j++) {
            const char s[] = {(char)i, (char)j, '\x80', '\0'};
            struct text t = {0};
            text_add_json(&t, s);
            json_t *judge = json_loadb(t.p, t.len, JSON_DECODE_ANY, NULL);
            assert_true(json_is_string(judge));
            json_decref(judge);
            text_free(&t);
        }
    }
}

static void test_text_grows(void **state)
{
    struct text t = {0};
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        text_add(&t, "%u,", i % 10);
        text_add_bytes(&t, "xy", 1);
    }
    assert_int_equal(t.len, 3000);
    assert_int_equal(strlen(t.p), 3000);
    assert_memory_equal(t.p + 2997, "9,x", 3);
    assert_false(t.failed);
    text_free(&t);
    assert_null(t.p);
    text_free(&t);
}

/* ---- out ---- */

static void test_put(void **state)
{
    struct text t = {0};
    struct object o;
    bool fields[KIND_FIELDS] = {false};
    (void)state;
    object_init(&o, &kind_token);
    assert_int_equal(object_defaults(&o, NULL), 0);
    assert_int_equal(object_set_text(&o, TOKEN_F_NAME, "al\"ice"), 0);
    assert_int_equal(object_set_text(&o, TOKEN_F_HASH, "secret"), 0);
    object_set_int(&o, TOKEN_F_EXPIRES, INT64_C(1795183390500000000));
    object_set_int(&o, FIELD_OF_GENERATION, -3);
    json_put_object(&t, &o, NULL);
    assert_string_equal(t.p, "{\"id\":null,\"project\":null,\"owner\":null,\"generation\":-3,"
                             "\"created\":null,\"name\":\"al\\\"ice\",\"role\":\"read\","
                             "\"expires\":\"2026-11-20T14:03:10.5Z\",\"revoked\":false}");
    text_free(&t);
    json_put_object(&t, &o, fields);
    assert_string_equal(t.p, "{}");
    text_free(&t);
    fields[TOKEN_F_ROLE] = fields[TOKEN_F_HASH] = true; /* hidden, whatever is asked for */
    json_put_object(&t, &o, fields);
    assert_string_equal(t.p, "{\"role\":\"read\"}");
    text_free(&t);
    object_done(&o);
}

static void test_put_lists(void **state)
{
    struct text t = {0};
    struct object o;
    bool fields[KIND_FIELDS] = {false};
    (void)state;
    object_init(&o, &kind_capture);
    assert_int_equal(object_defaults(&o, NULL), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, "[\"a\",\"b\"]"), 0);
    fields[CAPTURE_F_POINTS] = fields[CAPTURE_F_GAPS] = fields[CAPTURE_F_STOP] = true;
    json_put_object(&t, &o, fields);
    assert_string_equal(t.p, "{\"points\":[\"a\",\"b\"],\"stop\":null,\"gaps\":[]}");
    text_free(&t);
    object_done(&o);
}

/* ---- in ---- */

static struct object taken(const struct kind *k, const char *json, bool change)
{
    struct json_faults f;
    struct object o;
    object_init(&o, k);
    int r = json_take_object(json, strlen(json), change, &o, &f);
    if (r < 0) {
        fail_msg("%s: %s", f.n ? f.at[0].pointer : "", f.n ? f.at[0].text : "");
    }
    assert_int_equal(f.n, 0);
    return o;
}

static void test_take(void **state)
{
    (void)state;
    struct object o = taken(&kind_capture,
                            "{\"type\":\"packet\", \"points\":[\"eth0\",\"web1:eth0\"],"
                            " \"filter\":\"tcp port 443\", \"snaplen\":96, \"start\":null,"
                            " \"stop\":\"2026-11-20T14:03:10.5+00:00\", \"vlans\":\"100,200-210\"}",
                            false);
    assert_string_equal(o.v[CAPTURE_F_TYPE].text, "packet");
    assert_string_equal(o.v[CAPTURE_F_POINTS].text, "[\"eth0\",\"web1:eth0\"]");
    assert_string_equal(o.v[CAPTURE_F_FILTER].text, "tcp port 443");
    assert_int_equal(o.v[CAPTURE_F_SNAPLEN].n, 96);
    assert_false(o.v[CAPTURE_F_START].set);
    assert_int_equal(o.v[CAPTURE_F_STOP].n, INT64_C(1795183390500000000));
    assert_string_equal(o.v[CAPTURE_F_DIRECTION].text, "both"); /* defaults */
    assert_string_equal(o.v[CAPTURE_F_STATE].text, "scheduled");
    object_done(&o);
    o = taken(&kind_capture, "{\"type\":\"netflow\",\"stop\":1795183390.1,\"start\":1795183390}",
              false);
    assert_int_equal(o.v[CAPTURE_F_STOP].n, INT64_C(1795183390100000000));
    assert_int_equal(o.v[CAPTURE_F_START].n, INT64_C(1795183390000000000));
    assert_false(o.v[CAPTURE_F_POINTS].set);
    object_done(&o);
}

static void test_change(void **state)
{
    struct json_faults f;
    (void)state;
    struct object o = taken(&kind_token, "{\"name\":\"alice\",\"expires\":10}", false);
    static const char some[] = "{\"revoked\":true}", null[] = "{\"expires\":null}";
    static const char wrong[] = "{\"revoked\":false,\"name\":\"bob\"}";
    assert_int_equal(json_take_object(some, strlen(some), true, &o, &f), 0);
    assert_int_equal(o.v[TOKEN_F_REVOKED].n, 1);
    assert_int_equal(o.v[TOKEN_F_EXPIRES].n, INT64_C(10000000000));
    assert_string_equal(o.v[TOKEN_F_NAME].text, "alice");
    assert_int_equal(json_take_object(null, strlen(null), true, &o, &f), 0);
    assert_false(o.v[TOKEN_F_EXPIRES].set);
    assert_int_equal(json_take_object(wrong, strlen(wrong), true, &o, &f), -EINVAL);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.at[0].pointer, "/name");
    assert_string_equal(f.at[0].text, "name cannot be changed any more");
    assert_int_equal(o.v[TOKEN_F_REVOKED].n, 1); /* nothing of it is taken */
    assert_string_equal(o.v[TOKEN_F_NAME].text, "alice");
    object_done(&o);
}

/* ---- faults ---- */

static void check_has(const struct json_faults *f, const char *pointer, const char *text)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (strcmp(f->at[i].pointer, pointer) == 0) {
            assert_string_equal(f->at[i].text, text);
            return;
        }
    }
    fail_msg("nothing is said of \"%s\"", pointer);
}

static void refused(const struct kind *k, const char *json, size_t len, bool change,
                    struct json_faults *f)
{
    struct object o;
    object_init(&o, k);
    object_set_int(&o, FIELD_OF_GENERATION, 5);
    assert_int_equal(json_take_object(json, len, change, &o, f), -EINVAL);
    assert_true(f->n > 0);
    for (size_t i = 0; i < k->n; i++) {
        assert_int_equal(o.v[i].set, i == FIELD_OF_GENERATION); /* as before */
    }
    object_done(&o);
}

static void test_all_faults_at_once(void **state)
{
    static const char json[] =
        "{\"points\":[\"eth0\",\"\",3], \"snaplen\":262145, \"start\":1e99, \"stop\":true,"
        " \"filter\":7, \"direction\":\"sideways\", \"frames\":1, \"limit_byte\":1, \"xyz\":1,"
        " \"~/a\":{}, \"opentap_id\":\"x\", \"limit_frames\":1.5, \"period\":null, "
        "\"vlans\":\"x\"}";
    struct json_faults f;
    (void)state;
    refused(&kind_capture, json, strlen(json), false, &f);
    check_has(&f, "/type", "type is missing");
    check_has(&f, "/points/1", "points: item 1 is not a text of 1 to 255 bytes");
    check_has(&f, "/snaplen", "snaplen: 262145 is not from 0 to 262144");
    check_has(&f, "/start",
              "start: is not a time such as \"2026-11-20T14:03:10Z\", or seconds since 1970");
    check_has(&f, "/stop",
              "stop: is not a time such as \"2026-11-20T14:03:10Z\", or seconds since 1970");
    check_has(&f, "/filter", "filter: is not a text");
    check_has(&f, "/direction", "direction: \"sideways\" is not one of both, in, out");
    check_has(&f, "/frames", "frames is the service's own to say");
    check_has(&f, "/limit_byte", "limit_byte is no field of a capture; the nearest is limit_bytes");
    check_has(&f, "/xyz", "xyz is no field of a capture");
    check_has(&f, "/~0~1a", "~/a is no field of a capture");
    check_has(&f, "/opentap_id", "opentap_id is no field of a capture");
    check_has(&f, "/limit_frames", "limit_frames: is not a whole number");
    check_has(&f, "/period", "period: has no value");
    check_has(&f, "/vlans", "vlans: VLAN list \"x\" is not of the form 100,200-210");
    assert_int_equal(f.n, 15);
}

static void test_faults_of_times_and_lists(void **state)
{
    static const char json[] =
        "{\"type\":\"packet\",\"start\":\"1795183390\",\"stop\":-1,\"points\":[],\"limit_bytes\":"
        "10000000001}";
    static const char seventeen[] =
        "{\"type\":1,\"points\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\","
        "\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"],\"start\":7258118400,\"stop\":null}";
    struct json_faults f;
    (void)state;
    refused(&kind_capture, json, strlen(json), false, &f);
    check_has(&f, "/start",
              "start: is not a time such as \"2026-11-20T14:03:10Z\", or seconds since 1970");
    check_has(&f, "/stop",
              "stop: is not a time such as \"2026-11-20T14:03:10Z\", or seconds since 1970");
    check_has(&f, "/points", "points: has 0, and must have from 1 to 16");
    check_has(&f, "/limit_bytes", "limit_bytes: 10000000001 is not from 1 to 10000000000");
    assert_int_equal(f.n, 4);
    refused(&kind_capture, seventeen, strlen(seventeen), false, &f);
    check_has(&f, "/type", "type: is not a text");
    check_has(&f, "/points", "points: has 17, and must have from 1 to 16");
    assert_int_equal(f.n, 3);
}

static void test_who_may_give_what(void **state)
{
    static const char json[] = "{\"name\":\"a\",\"revoked\":true,\"id\":\"x\",\"hash\":\"x\"}";
    struct json_faults f;
    (void)state;
    refused(&kind_token, json, strlen(json), false, &f);
    check_has(&f, "/revoked", "revoked can be changed only once there is a token");
    check_has(&f, "/id", "id is the service's own to say");
    check_has(&f, "/hash", "hash is no field of a token");
    assert_int_equal(f.n, 3);
}

static void one_fault(const char *json, size_t len, const char *begins)
{
    struct json_faults f;
    refused(&kind_capture, json, len, false, &f);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.at[0].pointer, "");
    if (strncmp(f.at[0].text, begins, strlen(begins)) != 0) {
        fail_msg("%s", f.at[0].text);
    }
}

static void test_no_documents(void **state)
{
    static const char *const none[] = {"",
                                       " ",
                                       "{",
                                       "{\"type\":}",
                                       "{\"a\":\"\\u0000\"}",
                                       "{\"a\":\"\xff\"}",
                                       "{} {}",
                                       "{\"a\":1e999}",
                                       "{\"a\":99999999999999999999}",
                                       "{a:1}"};
    static const char *const other[] = {"[]", "1", "null", "\"packet\""};
    static const char twice[] = "{\"type\":\"packet\",\"type\":\"netflow\"}";
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        one_fault(none[i], strlen(none[i]), "the document is not JSON: line 1, column ");
    }
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        one_fault(other[i], strlen(other[i]), "the document is not an object");
    }
    one_fault(
        twice, strlen(twice),
        "a field stands there twice: line 1, column 23: duplicate object key near '\"type\"'");
    one_fault("{\0}", 3, "the document is not JSON");
}

static void test_bounds(void **state)
{
    enum {
        LEN = 64 << 10,
    };
    static char deep[LEN], wide[LEN];
    static const char brackets[] =
        "{\"type\":\"[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[\"}";
    struct json_faults f;
    (void)state;
    memset(deep, '[', sizeof(deep));
    one_fault(deep, sizeof(deep), "the document is nested deeper than 16 levels");
    one_fault(deep, JSON_DEPTH + 1, "the document is nested deeper than 16 levels");
    one_fault(deep, JSON_DEPTH, "the document is not JSON");
    int n =
        snprintf(deep, sizeof(deep), "{\"a\":\"\\\"\\\\\",\"b\":"); /* a text ends where it ends */
    memset(deep + n, '[', JSON_DEPTH);
    one_fault(deep, (size_t)n + JSON_DEPTH, "the document is nested deeper than 16 levels");
    memset(wide, ',', sizeof(wide));
    one_fault(wide, sizeof(wide), "the document has more than 2048 values");
    refused(&kind_capture, brackets, strlen(brackets), false, &f); /* those of texts do not count */
    check_has(&f, "/type",
              "type: \"[[[[[[[[[[[[[[[[[[[[[[[[\"[[[[[[[[[[[[[[...\" is not one of packet, "
              "netflow, ethernet");
}

/* Many faults, with names of any length: cut at whole characters. */
static void test_faults_are_bounded(void **state)
{
    struct text t = {0};
    struct json_faults f;
    (void)state;
    text_add(&t, "{");
    for (unsigned i = 0; i < 100; i++) {
        text_add(&t, "%s\"%u", i ? "," : "", i);
        for (unsigned j = 0; j < i; j++) {
            text_add(&t, "\xe2\x82\xac");
        }
        text_add(&t, "\":1");
    }
    text_add(&t, "}");
    refused(&kind_capture, t.p, t.len, false, &f);
    assert_int_equal(f.n, JSON_FAULTS);
    text_free(&t);
    for (unsigned i = 0; i < 300; i++) {
        struct json_faults one = {.n = 0};
        char name[301];
        memset(name, 'a', i);
        snprintf(name + i, sizeof(name) - i, "\xe2\x82\xac\xc3\xa9");
        json_fault(&one, name, "%s", name);
        json_t *whole = json_string(one.at[0].text), *pointer = json_string(one.at[0].pointer);
        assert_non_null(whole); /* the library refuses what is not UTF-8 */
        assert_non_null(pointer);
        json_decref(whole);
        json_decref(pointer);
    }
    json_fault(NULL, "/x", "nobody listens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_strings_of_any_bytes),
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_put_lists),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_faults_of_times_and_lists),
        cmocka_unit_test(test_who_may_give_what),
        cmocka_unit_test(test_no_documents),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_faults_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
