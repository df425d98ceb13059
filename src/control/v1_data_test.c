/* SPDX-License-Identifier: Apache-2.0
 *
 * Downloads: in which form, in each state, whole, in parts, and while the file grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/test_api.h"

#define DATA "/v1/captures/00000000-0000-7000-8000-000000000005/data"
#define ETAG "\"00000000-0000-7000-8000-000000000005.pcapng\""

static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    world_init(w, kinds, KINDS, table, &v1_n_routes, API_READ);
    w->file = "0123456789abcdef";
    w->second = "flows";
    *state = w;
    return 0;
}

static int leave(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

/* The capture 5, as it is from now on. */
static void set(struct world *w, const char *type, const char *state, int64_t bytes)
{
    struct object o;
    world_object(&o, &kind_capture, 5, "local", "bob");
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, type), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, "[\"eth0\"]"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, state), 0);
    object_set_int(&o, CAPTURE_F_BYTES, bytes);
    if (strcmp(state, "failed") == 0) {
        assert_int_equal(object_set_text(&o, CAPTURE_F_REASON, "the disk was full"), 0);
    }
    world_put(w, &o);
    v1_published(w->api, &o);
    object_done(&o);
}

static int get(struct world *w, const char *target, const char *name, const char *value)
{
    const char *const headers[] = {name, value, NULL};
    return ask_with(w, HTTP_GET, target, NULL, &peer_root, name ? headers : NULL);
}

/* The bytes that the server would send of the answer's descriptor. */
static void sent(const struct world *w, const char *want)
{
    char buf[64] = "";
    assert_true(w->answer.fd >= 0);
    assert_int_equal(w->answer.len, strlen(want));
    assert_int_equal(pread(w->answer.fd, buf, w->answer.len, (off_t)w->answer.offset),
                     w->answer.len);
    assert_string_equal(buf, want);
}

static void header_is(const struct world *w, const char *name, const char *want)
{
    const char *value = header_of(w, name);
    if (!value || !want || strcmp(value, want) != 0) {
        assert_true(!value && !want);
    }
}

static void finished(void **state)
{
    struct world *w = *state;
    set(w, "packet", "done", 10); /* bytes behind those that are published are nobody's */
    assert_int_equal(get(w, DATA, NULL, NULL), 200);
    sent(w, "0123456789");
    header_is(w, "Content-Type", "application/x-pcapng");
    header_is(w, "Accept-Ranges", "bytes");
    header_is(w, "ETag", ETAG);
    header_is(w, "Content-Range", NULL);
    assert_int_equal(ask(w, HTTP_HEAD, DATA, NULL), 200);
    assert_int_equal(w->answer.len, 10);
    assert_int_equal(get(w, DATA "?follow=false", NULL, NULL), 200);
    assert_int_equal(get(w, DATA "?follow=true", NULL, NULL), 200);
    sent(w, "0123456789");
    assert_int_equal(get(w, DATA "?follow=maybe", NULL, NULL), 400);
    assert_int_equal(get(w, "/v1/audit", NULL, NULL), 200);
    assert_true(body_has(w, "capture.downloaded"));
    assert_true(body_has(w, "\"number\":3"));
    assert_false(body_has(w, "\"number\":4")); /* HEAD is no download */
}

static void parts(void **state)
{
    struct world *w = *state;
    set(w, "packet", "done", 10);
    assert_int_equal(get(w, DATA, "Range", "bytes=2-4"), 206);
    sent(w, "234");
    header_is(w, "Content-Range", "bytes 2-4/10");
    assert_int_equal(get(w, DATA, "Range", "bytes=-3"), 206);
    sent(w, "789");
    assert_int_equal(get(w, DATA, "Range", "bytes=8-99"), 206);
    sent(w, "89");
    header_is(w, "Content-Range", "bytes 8-9/10");
    assert_int_equal(get(w, DATA, "Range", "bytes=10-"), 416);
    header_is(w, "Content-Range", "bytes */10");
    assert_int_equal(get(w, DATA, "Range", "bytes=1-2,5-6"), 200);
    sent(w, "0123456789");
    const char *const resumes[] = {"Range", "bytes=5-", "If-Range", ETAG, NULL};
    assert_int_equal(ask_with(w, HTTP_GET, DATA, NULL, &peer_root, resumes), 206);
    sent(w, "56789");
    const char *const other[] = {"Range", "bytes=5-", "If-Range", "\"other\"", NULL};
    assert_int_equal(ask_with(w, HTTP_GET, DATA, NULL, &peer_root, other), 200);
    sent(w, "0123456789");
}

static void parts_while_it_runs(void **state)
{
    struct world *w = *state;
    set(w, "packet", "running", 10);
    assert_int_equal(get(w, DATA, "Range", "bytes=2-4"), 206);
    sent(w, "234");
    header_is(w, "Content-Range", "bytes 2-4/*");
    assert_int_equal(get(w, DATA, "Range", "bytes=6-"), 206);
    sent(w, "6789");
    header_is(w, "Content-Range", "bytes 6-9/*");
    assert_int_equal(get(w, DATA, "Range", "bytes=10-"), 416);
    header_is(w, "Content-Range", NULL);
    assert_int_equal(get(w, DATA, "Range", "bytes=-3"), 416);
    assert_int_equal(get(w, DATA "?follow=false", NULL, NULL), 200);
    sent(w, "0123456789");
    assert_null(w->answer.body.read);
}

static void followed(void **state)
{
    struct world *w = *state;
    uint8_t buf[64];
    set(w, "packet", "running", 4);
    assert_int_equal(get(w, DATA, NULL, NULL), 200);
    const struct http_body body = w->answer.body;
    assert_non_null(body.read);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "0123", 4);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), -EAGAIN);
    set(w, "packet", "running", 6);
    assert_int_equal(w->mores, 1);
    assert_ptr_equal(w->body, body.user);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), 2);
    set(w, "packet", "finishing", 9);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), 3);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), -EAGAIN);
    set(w, "packet", "done", 10);
    assert_int_equal(w->mores, 3);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), 1);
    assert_int_equal(body.read(body.user, buf, sizeof(buf)), 0);
}

static void deleted_meanwhile(void **state)
{
    struct world *w = *state;
    uint8_t buf[64];
    set(w, "packet", "running", 4);
    assert_int_equal(get(w, DATA, NULL, NULL), 200);
    struct http_answer mine = w->answer;
    w->answer = HTTP_ANSWER_NONE;
    char path[sizeof(DATA)];
    (void)snprintf(path, sizeof(path), "%.*s", (int)(sizeof(DATA) - sizeof("/data")), DATA);
    assert_int_equal(ask(w, HTTP_DELETE, path, NULL), 204);
    assert_int_equal(w->mores, 1);
    assert_int_equal(mine.body.read(mine.body.user, buf, sizeof(buf)), 4);
    assert_int_equal(mine.body.read(mine.body.user, buf, sizeof(buf)), 0);
    http_answer_done(&mine);
}

static void not_there(void **state)
{
    struct world *w = *state;
    set(w, "packet", "scheduled", 0);
    assert_int_equal(get(w, DATA, NULL, NULL), 409);
    header_is(w, "Retry-After", "1");
    set(w, "packet", "failed", 0);
    w->open = -ENOENT;
    assert_int_equal(get(w, DATA, NULL, NULL), 404);
    assert_true(body_has(w, "the disk was full"));
    w->open = -EIO;
    assert_int_equal(get(w, DATA, NULL, NULL), 503);
    set(w, "packet", "running", 4);
    w->open = -EAGAIN;
    assert_int_equal(get(w, DATA, NULL, NULL), 0);
    assert_int_equal(w->counted.changes, 0);
}

static void opened_later(void **state)
{
    struct world *w = *state;
    const struct http_request r = request_of(HTTP_GET, DATA, NULL, &peer_root, NULL);
    set(w, "packet", "done", 10);
    w->open = -EAGAIN;
    api_request(w->api, &r, world_reply, w);
    api_commit(w->api);
    assert_int_equal(w->answers, 0);
    w->open = 0;
    api_wake(w->api, w->waiter);
    api_commit(w->api);
    assert_int_equal(w->answer.status, 200);
    sent(w, "0123456789");
}

static void forms(void **state)
{
    struct world *w = *state;
    set(w, "packet", "done", 10);
    assert_int_equal(get(w, DATA, "Accept", "application/x-pcapng"), 200);
    assert_int_equal(get(w, DATA, "Accept", "application/*"), 200);
    assert_int_equal(get(w, DATA, "Accept", "text/csv"), 406);
    assert_true(body_has(w, "pcapng (application/x-pcapng)"));
    assert_int_equal(get(w, DATA "?format=pcapng", "Accept", "text/csv"), 200);
    assert_int_equal(get(w, DATA "?format=csv", NULL, NULL), 406);
    assert_int_equal(get(w, DATA "?format=", NULL, NULL), 406);
    assert_int_equal(get(w, DATA "?format=pcap", NULL, NULL), 500);
    assert_true(body_has(w, "the data is not there as pcap: the capture's file is damaged"));
    set(w, "ethernet", "done", 10);
    assert_int_equal(get(w, DATA, NULL, NULL), 200);
    header_is(w, "Content-Type", "text/csv");
    assert_int_equal(get(w, DATA "?format=pcapng", NULL, NULL), 406);
}

/* Of a running netflow capture: the flows of this moment, which come from a second file. */
static void flows(void **state)
{
    struct world *w = *state;
    const struct http_request r =
        request_of(HTTP_GET, DATA "?format=ipfix", NULL, &peer_root, NULL);
    set(w, "netflow", "running", 0);
    w->snapshot = -EAGAIN;
    api_request(w->api, &r, world_reply, w);
    api_commit(w->api);
    assert_int_equal(w->answers, 0);
    w->snapshot = 0;
    w->open = -EAGAIN;
    api_wake(w->api, w->waiter);
    api_commit(w->api);
    assert_int_equal(w->answers, 0);
    w->open = 0;
    api_wake(w->api, w->waiter);
    api_commit(w->api);
    assert_int_equal(w->snapshots, 2); /* not again for the file */
    assert_int_equal(w->answer.status, 200);
    sent(w, "flows");
    header_is(w, "Accept-Ranges", "none");
    header_is(w, "ETag", NULL);
    set(w, "netflow", "done", 16);
    assert_int_equal(get(w, DATA "?format=ipfix", NULL, NULL), 200);
    sent(w, "0123456789abcdef");
    set(w, "netflow", "running", 7);
    w->snapshot = -EOPNOTSUPP; /* then it is what is published */
    assert_int_equal(get(w, DATA "?format=ipfix&follow=false", NULL, NULL), 200);
    sent(w, "0123456");
    const unsigned asked = w->snapshots;
    w->open = -EAGAIN;
    api_request(w->api, &r, world_reply, w);
    w->open = 0;
    api_wake(w->api, w->waiter);
    api_commit(w->api);
    assert_int_equal(w->answer.status, 200);
    assert_int_equal(w->snapshots, asked + 1); /* that is kept, too */
    w->snapshot = -EIO;
    assert_int_equal(get(w, DATA "?format=ipfix", NULL, NULL), 503);
}

/* All that a made body gives, in pieces of so many bytes. */
static void given(const struct world *w, size_t piece, const char *want)
{
    const struct http_body *body = &w->answer.body;
    char all[4096] = "";
    size_t len = 0;
    ssize_t n = 0;
    assert_non_null(body->read);
    while ((n = body->read(body->user, (uint8_t *)all + len, piece)) > 0) {
        len += (size_t)n;
        assert_true(len + piece < sizeof(all));
    }
    assert_int_equal(n, 0);
    all[len] = '\0';
    assert_string_equal(all, want);
}

static void made_as_it_is_sent(void **state)
{
    struct world *w = *state;
    w->file = "time,state\n1000,1\n2000,0\n30";
    set(w, "ethernet", "done", 25);
    assert_int_equal(get(w, DATA "?format=jsonl", "Range", "bytes=2-4"), 200);
    header_is(w, "Content-Type", "application/x-ndjson");
    header_is(w, "Accept-Ranges", "none");
    header_is(w, "ETag", NULL);
    header_is(w, "Content-Disposition",
              "attachment; filename=\"00000000-0000-7000-8000-000000000005.jsonl\"");
    given(w, 3, "{\"time\":1000,\"state\":1}\n{\"time\":2000,\"state\":0}\n");
    assert_int_equal(get(w, DATA, "Accept", "application/x-ndjson"), 200);
    given(w, 64, "{\"time\":1000,\"state\":1}\n{\"time\":2000,\"state\":0}\n");
    set(w, "ethernet", "running", 27); /* in the midst of a row */
    assert_int_equal(get(w, DATA "?format=jsonl&follow=false", NULL, NULL), 200);
    given(w, 64, "{\"time\":1000,\"state\":1}\n{\"time\":2000,\"state\":0}\n");
}

/* A made body that follows the file is told of more by its own name. */
static void made_as_it_grows(void **state)
{
    struct world *w = *state;
    char buf[64] = "";
    w->file = "time\n1\n2\n";
    set(w, "ethernet", "running", 7);
    assert_int_equal(get(w, DATA "?format=jsonl", NULL, NULL), 200);
    const struct http_body body = w->answer.body;
    assert_int_equal(body.read(body.user, (uint8_t *)buf, sizeof(buf)), 11);
    assert_string_equal(buf, "{\"time\":1}\n");
    assert_int_equal(body.read(body.user, (uint8_t *)buf, sizeof(buf)), -EAGAIN);
    set(w, "ethernet", "done", 9);
    assert_int_equal(w->mores, 1);
    assert_ptr_equal(w->body, body.user);
    assert_int_equal(body.read(body.user, (uint8_t *)buf, sizeof(buf)), 11);
    assert_int_equal(body.read(body.user, (uint8_t *)buf, sizeof(buf)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finished, enter, leave),
        cmocka_unit_test_setup_teardown(parts, enter, leave),
        cmocka_unit_test_setup_teardown(parts_while_it_runs, enter, leave),
        cmocka_unit_test_setup_teardown(followed, enter, leave),
        cmocka_unit_test_setup_teardown(deleted_meanwhile, enter, leave),
        cmocka_unit_test_setup_teardown(not_there, enter, leave),
        cmocka_unit_test_setup_teardown(opened_later, enter, leave),
        cmocka_unit_test_setup_teardown(forms, enter, leave),
        cmocka_unit_test_setup_teardown(flows, enter, leave),
        cmocka_unit_test_setup_teardown(made_as_it_is_sent, enter, leave),
        cmocka_unit_test_setup_teardown(made_as_it_grows, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
