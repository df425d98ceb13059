/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server against raw bytes: what is asked reaches the program as it was sent, or is
 * refused, and what is answered arrives.
 */
#include "sys/test_http_world.h"

static char got[4 << 20];

static const char *body_of(const char *answer)
{
    const char *at = strstr(answer, "\r\n\r\n");
    assert_non_null(at);
    return at + 4;
}

/* ---- requests ---- */

static void whole_requests(void **state)
{
    struct world *w = *state;
    ask(w, false, "GET /a%2fb%00c?d=%20e HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 200 "));
    assert_non_null(strstr(got, "Content-Type: text/plain\r\n"));
    assert_string_equal(body_of(got), "hello");
    assert_string_equal(w->last_target, "/a%2fb%00c?d=%20e"); /* as it was sent */
    assert_string_equal(w->last_peer, "127.0.0.1 0 1");
    ask(w, true, "POST /b HTTP/1.1\r\nContent-Length: 7\r\n" CLOSE "{\"a\":1}", got, sizeof(got));
    assert_string_equal(w->last_body, "{\"a\":1}");
    assert_string_equal(w->last_peer, "local 1 0");
    ask(w, false,
        "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        got, sizeof(got));
    assert_string_equal(w->last_body, "abcde");
    ask(w, false, "GET /old HTTP/1.0\r\n\r\n", got, sizeof(got));
    assert_string_equal(body_of(got), "hello");
    ask(w, false, "BREW /pot HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 405 "));
    wait_for(&w->turns, 5);
}

/* HEAD has the length of each kind of answer, and nothing else of it. */
static void heads(void **state)
{
    struct world *w = *state;
    char length[64];
    (void)snprintf(length, sizeof(length), "Content-Length: %d\r\n", FILE_LEN - 2000);
    for (unsigned local = 0; local < 2; local++) {
        ask(w, local, "HEAD /d HTTP/1.1\r\n" CLOSE, got, sizeof(got));
        assert_non_null(strstr(got, "Content-Length: 5\r\n"));
        assert_string_equal(body_of(got), "");
        ask(w, local, "HEAD /file HTTP/1.1\r\n" CLOSE, got, sizeof(got));
        assert_non_null(strstr(got, length));
        assert_string_equal(body_of(got), "");
        ask(w, local, "HEAD /body HTTP/1.1\r\n" CLOSE, got, sizeof(got));
        assert_string_equal(body_of(got), "");
        wait_for(&w->bodies_freed, local + 1);
    }
}

static void many_on_one_connection(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    for (unsigned i = 0; i < 20; i++) {
        say(fd, "GET /again HTTP/1.1\r\n" KEEP);
        (void)hear(fd, got, sizeof(got), "hello");
        assert_true(begins(got, "HTTP/1.1 200 "));
    }
    close(fd);
    assert_int_equal(w->asked, 20);
}

/* Requests that do not wait for the answer before are answered in their order. */
static void one_behind_the_other(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    say(fd, "GET /later HTTP/1.1\r\n" KEEP "POST /second HTTP/1.1\r\nContent-Length: 2\r\n" KEEP
            "hiGET /third HTTP/1.1\r\n" CLOSE);
    wait_for(&w->asked, 1);
    go(w);
    assert_int_equal(w->asked, 1);
    atomic_store(&w->answers, true);
    go(w);
    (void)hear(fd, got, sizeof(got), NULL);
    const char *first = strstr(got, "at last"), *second = strstr(got, "hello");
    assert_true(first && second && first < second && strstr(second + 1, "hello"));
    assert_string_equal(w->last_target, "/third");
    assert_int_equal(w->asked, 3);
    close(fd);
}

static void bodies_that_are_announced(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    say(fd, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" CLOSE);
    (void)hear(fd, got, sizeof(got), "\r\n\r\n");
    assert_true(begins(got, "HTTP/1.1 100 "));
    say(fd, "abc");
    (void)hear(fd, got, sizeof(got), NULL);
    assert_true(begins(got, "HTTP/1.1 200 "));
    assert_string_equal(w->last_body, "abc");
    close(fd);
    ask(w, false, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n" CLOSE,
        got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 413 "));
    assert_int_equal(w->asked, 1);
}

/* ---- refusals ---- */

struct refused {
    const char *request;
    unsigned status;
    const char *words;
};

/* Followed by what another program would take for a request of its own. */
static const struct refused two_ways[] = {
    {"POST /a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" CLOSE "abcd", 400, "twice"},
    {"POST /a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n" CLOSE "abc", 400, "twice"},
    {"POST /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n",
     400, "twice"},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" CLOSE
     "0\r\n\r\n",
     400, "twice"},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" CLOSE "0\r\n\r\n", 501, "only"},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding: identity\r\n" CLOSE "abc", 501, "only"},
    {"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n", 400, "1.0"},
    {"POST /a HTTP/1.1\r\nContent-Length : 30\r\n" CLOSE "GET /b HTTP/1.1\r\n" CLOSE, 400, "malf"},
    {"POST /a HTTP/1.1\r\nTransfer-Encoding : chunked\r\n" CLOSE "0\r\n\r\n", 400, "malformed"},
    {"POST /a HTTP/1.1\r\n Content-Length: 3\r\n" CLOSE "abc", 400, "malformed"},
    {"POST /a HTTP/1.1\r\n: 3\r\n" CLOSE "abc", 400, "malformed"},
    {"GET /a b HTTP/1.1\r\n" CLOSE, 400, "malformed"},
    {"GET /a\tb HTTP/1.1\r\n" CLOSE, 400, "malformed"},
    {"GET /a HTTP/1.1\r\nHost: x\r\n" CLOSE, 400, "one Host"},
    {"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "one Host"},
};

static void assert_refused(const struct refused *r)
{
    char line[32], status[32];
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", r->status);
    (void)snprintf(status, sizeof(status), "\"status\":%u,\"detail\":\"", r->status);
    if (!begins(got, line) || !strstr(got, "Content-Type: application/problem+json\r\n") ||
        !strstr(got, "Connection: close\r\n") || !strstr(body_of(got), r->words) ||
        !strstr(body_of(got), status)) {
        fail_msg("%.60s: not %u, %s: %.400s", r->request, r->status, r->words, got);
    }
}

/* A request that could be read in two ways reaches nobody. */
static void what_could_be_read_in_two_ways(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_SIZE(two_ways); i++) {
        ask(w, i % 2, two_ways[i].request, got, sizeof(got));
        assert_refused(&two_ways[i]);
    }
    assert_int_equal(w->asked, 0);
}

/* The library's own refusals: only their status is ours to tell. */
static void what_is_no_request(void **state)
{
    struct world *w = *state;
    static const struct refused none[] = {
        {"GET /a HTTP/1.1\r\nFoo\r\n" CLOSE, 400, ""},
        {"GET /a\r\n\r\n", 400, ""},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ""},
        {"POST /a HTTP/1.1\r\nContent-Length: -3\r\n" CLOSE "abc", 400, ""},
        {"POST /a HTTP/1.1\r\nContent-Length: 0x3\r\n" CLOSE "abc", 400, ""},
        {"POST /a HTTP/1.1\r\nContent-Length: 3, 3\r\n" CLOSE "abc", 400, ""},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "zz\r\nabc", 400, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", none[i].status);
        ask(w, false, none[i].request, got, sizeof(got));
        if (!begins(got, line)) {
            fail_msg("%s: not %u: %s", none[i].request, none[i].status, got);
        }
    }
    assert_int_equal(w->asked, 0);
}

static void what_is_too_long(void **state)
{
    struct world *w = *state;
    static char text[HTTP_HEADERS_MAX + 4096];
    ask(w, false, "POST /a HTTP/1.1\r\nContent-Length: 1000000000\r\n" CLOSE, got, sizeof(got));
    assert_refused(&(struct refused){"", 413, "body"});
    (void)snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" CLOSE, HTTP_TARGET_MAX, 7);
    ask(w, false, text, got, sizeof(got));
    assert_refused(&(struct refused){"", 414, "address"});
    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nX: %0*d\r\n" CLOSE, HTTP_HEADERS_MAX, 7);
    ask(w, false, text, got, sizeof(got));
    assert_refused(&(struct refused){"", 431, "headers"});
    size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < HTTP_HEADERS; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "X: %u\r\n", i);
    }
    (void)snprintf(text + n, sizeof(text) - n, CLOSE);
    ask(w, false, text, got, sizeof(got));
    assert_refused(&(struct refused){"", 431, "headers"});
    assert_int_equal(w->asked, 0);
    (void)snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" CLOSE, HTTP_TARGET_MAX - 1, 7);
    ask(w, false, text, got, sizeof(got)); /* as long as it may be */
    assert_true(begins(got, "HTTP/1.1 200 "));
}

/* Bodies that are sent all the same: whoever does so reads the refusal behind. */
static void bodies_that_are_too_long(void **state)
{
    struct world *w = *state;
    enum { PIECE = HTTP_BODY_MAX / 8 };
    static char piece[PIECE + 16];
    const int n = snprintf(piece, sizeof(piece), "%x\r\n", PIECE);
    memset(piece + n, 'x', PIECE);
    memcpy(piece + n + PIECE, "\r\n", 3);
    for (unsigned chunked = 0; chunked < 2; chunked++) {
        const int fd = dial(w, false);
        say(fd, chunked ? "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
                        : "POST /a HTTP/1.1\r\nContent-Length: 524288\r\n" CLOSE);
        for (unsigned i = 0; i < 64; i++) {
            say_bytes(fd, chunked ? piece : piece + n, chunked ? strlen(piece) : PIECE);
        }
        if (chunked) {
            say(fd, "0\r\n\r\n");
        }
        (void)hear(fd, got, sizeof(got), NULL);
        assert_refused(&(struct refused){"", 413, "body"});
        close(fd);
    }
    assert_int_equal(w->asked, 0);
}

/* ---- answers ---- */

static void files_by_descriptor(void **state)
{
    struct world *w = *state;
    for (unsigned local = 0; local < 2; local++) {
        const int fd = dial(w, local);
        say(fd, "GET /file HTTP/1.1\r\n" CLOSE);
        const size_t n = hear(fd, got, sizeof(got), NULL);
        const char *body = body_of(got);
        assert_true(begins(got, "HTTP/1.1 206 "));
        assert_int_equal(n - (size_t)(body - got), FILE_LEN - 2000);
        for (size_t i = 0; i < FILE_LEN - 2000; i++) {
            if ((uint8_t)body[i] != (uint8_t)((i + 1000) / 7)) {
                fail_msg("byte %zu is another", i);
            }
        }
        close(fd);
    }
}

static void long_texts(void **state)
{
    struct world *w = *state;
    for (unsigned local = 0; local < 2; local++) {
        ask(w, local, "GET /text HTTP/1.1\r\n" CLOSE, got, sizeof(got));
        const char *body = body_of(got);
        assert_int_equal(strlen(body), FILE_LEN);
        assert_int_equal(strspn(body, "l"), FILE_LEN);
    }
}

static void bodies_that_wait(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 2; i++) {
        const int fd = dial(w, i);
        say(fd, "GET /body HTTP/1.1\r\n" CLOSE);
        (void)hear(fd, got, sizeof(got), "part\n");
        wait_for(&w->body[i].reads, 2);
        assert_int_equal(w->bodies_freed, i);
        atomic_store(&w->body[i].allowed, BODY_PARTS);
        atomic_store(&w->body[i].told, true);
        go(w);
        (void)hear(fd, got, sizeof(got), NULL);
        assert_string_equal(got, "5\r\npart\n\r\n5\r\npart\n\r\n0\r\n\r\n");
        wait_for(&w->bodies_freed, i + 1);
        close(fd);
    }
}

/* That one has more is nothing to the others. */
static void only_one_is_told(void **state)
{
    struct world *w = *state;
    int fd[8];
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        fd[i] = dial(w, i % 2);
        say(fd[i], "GET /body HTTP/1.1\r\n" CLOSE);
        (void)hear(fd[i], got, sizeof(got), "part\n");
        wait_for(&w->body[i].reads, 2);
    }
    atomic_store(&w->body[3].allowed, 2);
    atomic_store(&w->body[3].told, true);
    go(w);
    (void)hear(fd[3], got, sizeof(got), "part\n");
    wait_for(&w->body[3].reads, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        assert_int_equal(w->body[i].reads, i == 3 ? 4 : 2);
        close(fd[i]);
    }
}

/* A body that is not whole must not look so. */
static void bodies_that_fail(void **state)
{
    struct world *w = *state;
    ask(w, false, "GET /fails HTTP/1.1\r\n" KEEP, got, sizeof(got));
    assert_string_equal(body_of(got), "5\r\npart\n\r\n5\r\npart\n\r\n5\r\npart\n\r\n");
    wait_for(&w->bodies_freed, 1);
}

static void an_answer_that_comes_later(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    say(fd, "GET /later HTTP/1.1\r\n" CLOSE);
    wait_for(&w->asked, 1);
    ask(w, false, "GET /other HTTP/1.1\r\n" CLOSE, got, sizeof(got)); /* others do not wait */
    assert_true(begins(got, "HTTP/1.1 200 "));
    atomic_store(&w->answers, true);
    go(w);
    (void)hear(fd, got, sizeof(got), NULL);
    assert_string_equal(body_of(got), "at last");
    close(fd);
}

static void headers_of_an_answer(void **state)
{
    (void)state;
    struct http_answer a = HTTP_ANSWER_NONE;
    for (unsigned i = 0; i < HTTP_ANSWER_HEADERS + 3; i++) {
        http_answer_header(&a, "X-Number", "%u", i);
    }
    assert_int_equal(a.n_headers, HTTP_ANSWER_HEADERS);
    assert_string_equal(a.header[15].value, "15");
    http_answer_done(&a);
    assert_int_equal(a.n_headers, 0);
    assert_int_equal(a.fd, -1);
    const struct http_request r = {.header = {{"Host", "x"}, {"aCCept", "y"}}, .n_headers = 2};
    assert_string_equal(http_header_of(&r, "Accept"), "y");
    assert_null(http_header_of(&r, "Accep"));
}

#define LIVING(test) cmocka_unit_test_setup_teardown(test, begin_patient, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVING(whole_requests),
        LIVING(heads),
        LIVING(many_on_one_connection),
        LIVING(one_behind_the_other),
        LIVING(bodies_that_are_announced),
        LIVING(what_could_be_read_in_two_ways),
        LIVING(what_is_no_request),
        LIVING(what_is_too_long),
        LIVING(bodies_that_are_too_long),
        LIVING(files_by_descriptor),
        LIVING(long_texts),
        LIVING(bodies_that_wait),
        LIVING(only_one_is_told),
        LIVING(bodies_that_fail),
        LIVING(an_answer_that_comes_later),
        cmocka_unit_test(headers_of_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
