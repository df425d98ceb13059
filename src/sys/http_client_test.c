/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to servers of the test's own, on loopback and a Unix socket: what is asked is what was
 * meant, and whatever the answer is, it comes back whole or as a sentence.
 */
#include "sys/http_client.h"

#include <errno.h>

#include "sys/test_http_script.h"
#include "sys/unixsock.h"

static struct http_client *client_of(const char *server, const char *token)
{
    struct http_client *c = NULL;
    struct error err = {""};
    if (http_client_new(server, token, &c, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

/* One request to a server with that answer; its result. */
static int ask(struct script *s, const char *answer, const struct http_client_ask *what,
               struct http_client_answer *ret, struct error *err)
{
    const char *const answers[] = {answer, NULL};
    script_begin(s, answers, false);
    struct http_client *c = client_of(s->server, NULL);
    const int r = http_client_ask(c, what, ret, err);
    http_client_free(c);
    script_end(s);
    return r;
}

static void only_services_are_asked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",       "eth0",  "ftp://host", "file:///etc/passwd",
                                        "/run/x", "unix:", "http://",    "https:///x"};
    struct http_client *c = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct error err = {""};
        assert_int_equal(http_client_new(wrong[i], NULL, &c, &err), -EINVAL);
        assert_non_null(strstr(err.text, "is no service"));
        assert_null(c);
    }
    char path[UNIXSOCK_PATH_MAX + 8] = "unix:/";
    struct error err = {""};
    memset(path + 6, 'x', sizeof(path) - 7);
    assert_int_equal(http_client_new(path, NULL, &c, &err), -EINVAL);
    assert_int_equal(http_client_new("unix:/run/x", "a\r\nX: b", &c, &err), -EINVAL);
    assert_non_null(strstr(err.text, "token"));
    http_client_free(NULL);
}

static void a_request_is_what_was_meant(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Content-Length: 2\r\n\r\n{}",
        "HTTP/1.1 204 No Content\r\n\r\n", NULL};
    struct script s;
    struct error err = {""};
    struct http_client_answer a = {0};
    script_begin(&s, answers, true);
    struct http_client *c = client_of(s.server, "secret");
    assert_int_equal(http_client_ask(c,
                                     &(struct http_client_ask){.method = "POST",
                                                               .path = "/v1/captures?a=b",
                                                               .body = "{\"type\":\"packet\"}"},
                                     &a, &err),
                     0);
    assert_int_equal(a.status, 201);
    assert_string_equal(a.type, "application/json");
    assert_string_equal(a.body, "{}");
    assert_int_equal(a.len, 2);
    http_client_answer_done(&a);
    assert_int_equal(
        http_client_ask(c,
                        &(struct http_client_ask){
                            .method = "DELETE", .path = "/x", .accept = "*/*", .range = "5-"},
                        &a, &err),
        0);
    assert_int_equal(a.status, 204);
    assert_null(a.body);
    http_client_free(c);
    script_end(&s);
    assert_int_equal(strncmp(s.asked[0], "POST /v1/captures?a=b HTTP/1.1\r\n", 32), 0);
    assert_non_null(strstr(s.asked[0], "\r\nAuthorization: Bearer secret\r\n"));
    assert_non_null(strstr(s.asked[0], "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(s.asked[0], "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(s.asked[0], "\r\n\r\n{\"type\":\"packet\"}"));
    assert_int_equal(strncmp(s.asked[1], "DELETE /x HTTP/1.1\r\n", 20), 0);
    assert_non_null(strstr(s.asked[1], "\r\nAccept: */*\r\n"));
    assert_non_null(strstr(s.asked[1], "\r\nRange: bytes=5-\r\n"));
    assert_null(strstr(s.asked[1], "Content-Type"));
}

struct taken {
    char text[64];
    size_t len;
    int stops;
    volatile sig_atomic_t *flag;
};

static int take(void *user, const void *bytes, size_t len)
{
    struct taken *t = user;
    assert_true(t->len + len < sizeof(t->text));
    memcpy(t->text + t->len, bytes, len);
    t->len += len;
    if (t->flag) {
        *t->flag = 1;
    }
    return t->stops;
}

static void a_body_is_taken_as_it_comes(void **state)
{
    (void)state;
    static const char chunks[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    struct script s;
    struct error err = {""};
    struct taken t = {.stops = 0};
    struct http_client_answer a = {0};
    const struct http_client_ask what = {.method = "GET", .path = "/", .take = take, .user = &t};
    assert_int_equal(ask(&s, chunks, &what, &a, &err), 0);
    assert_int_equal(t.len, 7);
    assert_memory_equal(t.text, "abcdefg", 7);
    assert_null(a.body);

    t = (struct taken){.stops = -ENOSPC};
    assert_int_equal(ask(&s, chunks, &what, &a, &err), -ENOSPC);
    assert_non_null(strstr(err.text, "not taken to its end"));
}

static void a_refusal_is_kept_not_taken(void **state)
{
    (void)state;
    struct script s;
    struct error err = {""};
    struct taken t = {.stops = 0};
    struct http_client_answer a = {0};
    assert_int_equal(
        ask(&s, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
            &(struct http_client_ask){.method = "GET", .path = "/", .take = take, .user = &t}, &a,
            &err),
        0);
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body, "none");
    assert_int_equal(t.len, 0);
    http_client_answer_done(&a);
}

/* An answer that is cut short must not look whole. */
static void half_an_answer_is_none(void **state)
{
    (void)state;
    static const char *const cut[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Le", ""};
    for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
        struct script s;
        struct error err = {""};
        struct taken t = {.stops = 0};
        struct http_client_answer a = {.status = 7};
        const struct http_client_ask what = {
            .method = "GET", .path = "/", .take = take, .user = &t};
        assert_int_equal(ask(&s, cut[i], &what, &a, &err), -EIO);
        assert_non_null(strstr(err.text, "asking http://127.0.0.1:"));
        assert_int_equal(a.status, 7);
    }
}

static void nothing_is_followed(void **state)
{
    (void)state;
    struct script s;
    struct error err = {""};
    struct http_client_answer a = {0};
    assert_int_equal(ask(&s,
                         "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n"
                         "Content-Length: 0\r\n\r\n",
                         &(struct http_client_ask){.method = "GET", .path = "/"}, &a, &err),
                     0);
    assert_int_equal(a.status, 302);
}

static void a_flag_ends_it(void **state)
{
    (void)state;
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                          "3\r\nabc\r\n",
                                          NULL};
    volatile sig_atomic_t stop = 0;
    struct script s;
    struct error err = {""};
    struct taken t = {.flag = &stop};
    struct http_client_answer a = {0};
    script_begin(&s, answers, false);
    s.holds = true; /* before the request, and so before the thread looks */
    struct http_client *c = client_of(s.server, NULL);
    const int r =
        http_client_ask(c,
                        &(struct http_client_ask){
                            .method = "GET", .path = "/", .take = take, .user = &t, .stop = &stop},
                        &a, &err);
    http_client_free(c);
    script_end(&s);
    assert_int_equal(r, -EINTR);
    assert_int_equal(t.len, 3);
}

static void nobody_there_is_said(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    struct script s;
    struct http_client_answer a = {0};
    for (int is_unix = 0; is_unix < 2; is_unix++) {
        struct error err = {""};
        script_begin(&s, none, is_unix);
        script_end(&s);
        struct http_client *c = client_of(s.server, NULL);
        assert_int_equal(
            http_client_ask(c, &(struct http_client_ask){.method = "GET", .path = "/"}, &a, &err),
            is_unix ? -ENOENT : -ECONNREFUSED);
        assert_non_null(strstr(err.text, "is farspan serve running?"));
        assert_non_null(strstr(err.text, s.server));
        http_client_free(c);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 17825792\r\n\r\n";
    const size_t len = 17 << 20; /* more than HTTP_CLIENT_BODY */
    char *answer = calloc(1, sizeof(head) + len);
    struct script s;
    struct error err = {""};
    struct http_client_answer a = {0};
    assert_non_null(answer);
    memset(answer, 'x', sizeof(head) - 1 + len);
    memcpy(answer, head, sizeof(head) - 1);
    assert_int_equal(
        ask(&s, answer, &(struct http_client_ask){.method = "GET", .path = "/"}, &a, &err),
        -EMSGSIZE);
    free(answer);
    assert_null(a.body);

    char path[9100];
    memset(path, 'p', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    struct http_client *c = client_of("http://127.0.0.1:1", NULL);
    assert_int_equal(
        http_client_ask(c, &(struct http_client_ask){.method = "GET", .path = path}, &a, &err),
        -EMSGSIZE);
    http_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_services_are_asked),
        cmocka_unit_test(a_request_is_what_was_meant),
        cmocka_unit_test(a_body_is_taken_as_it_comes),
        cmocka_unit_test(a_refusal_is_kept_not_taken),
        cmocka_unit_test(half_an_answer_is_none),
        cmocka_unit_test(nothing_is_followed),
        cmocka_unit_test(a_flag_ends_it),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
