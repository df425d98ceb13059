/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server against raw bytes: it runs in a thread of the test's, which answers by the
 * target, and the test is its clients, over loopback and over a Unix socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/http.h"

enum {
    REQUEST_MS = 600,
    STILL_MS = 900,
    DEADLINE_MS = 15000,
    FILE_LEN = 3 << 20,
};

struct world {
    struct loop *loop;
    struct http *http;
    struct wake stop, go;
    pthread_t thread;
    struct sockaddr_in at;
    struct sockaddr_un local_at;
    int tcp, local, file;
    struct http_call *later; /* a call that is answered once `go` is signalled */
    _Atomic unsigned asked, gone, turns, bodies_freed;
    _Atomic bool dry; /* the body has nothing now */
    unsigned parts;
    char last_target[64], last_body[64], last_peer[64];
};

/* ---- the program behind the server, in its thread ---- */

static ssize_t body_read(void *user, uint8_t *buf, size_t cap)
{
    struct world *w = user;
    assert_true(cap >= 5);
    if (w->parts == 3) {
        return 0;
    }
    if (w->parts == 1 && !atomic_load(&w->dry)) {
        atomic_store(&w->dry, true);
        return -EAGAIN;
    }
    w->parts++;
    memcpy(buf, "part\n", 5);
    return 5;
}

static void body_free(void *user)
{
    atomic_fetch_add(&((struct world *)user)->bodies_freed, 1);
}

static void answer_text(struct http_call *call, int status, const char *text)
{
    struct http_answer a = HTTP_ANSWER_NONE;
    a.status = status;
    a.bytes = (uint8_t *)strdup(text);
    a.len = strlen(text);
    http_answer_header(&a, "Content-Type", "text/%s", "plain");
    http_reply(call, &a);
}

static void on_request(void *user, struct http_call *call, const struct http_request *r)
{
    struct world *w = user;
    struct http_answer a = HTTP_ANSWER_NONE;
    atomic_fetch_add(&w->asked, 1);
    (void)snprintf(w->last_target, sizeof(w->last_target), "%.60s", r->target);
    (void)snprintf(w->last_body, sizeof(w->last_body), "%.*s", (int)MIN(r->len, (size_t)60),
                   r->body ? (const char *)r->body : "");
    (void)snprintf(w->last_peer, sizeof(w->last_peer), "%s %d %d", r->peer.address, r->peer.local,
                   r->peer.loopback);
    if (strcmp(r->target, "/later") == 0) {
        w->later = call;
    } else if (strcmp(r->target, "/file") == 0) {
        a.status = 206;
        a.fd = fcntl(w->file, F_DUPFD_CLOEXEC, 3);
        a.offset = 1000;
        a.len = FILE_LEN - 2000;
        http_reply(call, &a);
    } else if (strcmp(r->target, "/body") == 0) {
        w->parts = 0;
        atomic_store(&w->dry, false);
        a.status = 200;
        a.body = (struct http_body){body_read, body_free, w};
        http_reply(call, &a);
    } else {
        answer_text(call, r->method == HTTP_OTHER ? 405 : 200, "hello");
    }
}

static void on_gone(void *user, struct http_call *call)
{
    struct world *w = user;
    assert_ptr_equal(call, w->later);
    w->later = NULL;
    atomic_fetch_add(&w->gone, 1);
}

static void on_turn(void *user)
{
    atomic_fetch_add(&((struct world *)user)->turns, 1);
}

static const struct http_ops ops = {.request = on_request, .gone = on_gone, .turn = on_turn};

static void on_stop(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)fd;
    (void)events;
    (void)user;
    loop_stop(l, 0);
}

static void on_go(struct loop *l, int fd, uint32_t events, void *user)
{
    struct world *w = user;
    (void)l;
    (void)fd;
    (void)events;
    wake_clear(&w->go);
    if (w->later) {
        answer_text(TAKE_PTR(w->later), 200, "at last");
    }
    http_more(w->http, w);
}

static void *serve(void *user)
{
    (void)loop_run(((struct world *)user)->loop);
    return NULL;
}

/* ---- its life ---- */

static void listen_all(struct world *w)
{
    socklen_t len = sizeof(w->at);
    w->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->tcp, (struct sockaddr *)&w->at, sizeof(w->at)), 0);
    assert_int_equal(listen(w->tcp, 64), 0);
    assert_int_equal(getsockname(w->tcp, (struct sockaddr *)&w->at, &len), 0);
    w->local_at = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(w->local_at.sun_path + 1, 60, "farspan-http-test-%d", (int)getpid());
    w->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->local, (struct sockaddr *)&w->local_at, sizeof(w->local_at)), 0);
    assert_int_equal(listen(w->local, 64), 0);
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    static uint8_t bytes[FILE_LEN];
    listen_all(w);
    w->file = memfd_create("file", MFD_CLOEXEC);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i / 7);
    }
    assert_int_equal(write(w->file, bytes, sizeof(bytes)), FILE_LEN);
    assert_int_equal(loop_new(&w->loop), 0);
    assert_int_equal(wake_init(&w->stop), 0);
    assert_int_equal(wake_init(&w->go), 0);
    assert_int_equal(loop_add_fd(w->loop, w->stop.fd, EPOLLIN, on_stop, w, NULL), 0);
    assert_int_equal(loop_add_fd(w->loop, w->go.fd, EPOLLIN, on_go, w, NULL), 0);
    const struct http_conf conf = {.loop = w->loop,
                                   .tcp = {w->tcp},
                                   .n_tcp = 1,
                                   .local = w->local,
                                   .ops = &ops,
                                   .user = w,
                                   .request_ms = REQUEST_MS,
                                   .still_ms = STILL_MS};
    assert_int_equal(http_new(&conf, &w->http, NULL), 0);
    assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    wake_signal(&w->stop);
    pthread_join(w->thread, NULL);
    http_free(w->http);
    loop_free(w->loop);
    wake_done(&w->stop);
    wake_done(&w->go);
    close(w->tcp); /* borrowed: it is still open */
    close(w->local);
    close(w->file);
    free(w);
    return 0;
}

/* ---- clients ---- */

static int dial(const struct world *w, bool local)
{
    const struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    const int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const void *to = local ? (const void *)&w->local_at : &w->at;
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, to, local ? sizeof(w->local_at) : sizeof(w->at)), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void say(int fd, const char *text)
{
    const size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Everything up to the end, or to `until`, ended with 0. */
static size_t hear(int fd, char *ret, size_t cap, const char *until)
{
    size_t len = 0;
    ssize_t n = 1;
    ret[0] = '\0';
    while (n > 0 && len + 1 < cap && !(until && strstr(ret, until))) {
        n = recv(fd, ret + len, cap - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
        ret[len] = '\0';
    }
    assert_false(n < 0 && errno == EAGAIN);
    return len;
}

static void ask(const struct world *w, bool local, const char *request, char *ret, size_t cap)
{
    const int fd = dial(w, local);
    say(fd, request);
    (void)hear(fd, ret, cap, NULL);
    close(fd);
}

static void wait_for(const _Atomic unsigned *n, unsigned least)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (atomic_load(n) < least) {
        assert_false(mono_due(mono_now(), until));
        (void)poll(NULL, 0, 2);
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- tests ---- */

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

static char got[4 << 20];

static void whole_requests(void **state)
{
    struct world *w = *state;
    ask(w, false, "GET /a%2fb%00c?d=%20e HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 200 "));
    assert_non_null(strstr(got, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(got, "\r\n\r\nhello"));
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
    ask(w, false, "HEAD /d HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    assert_non_null(strstr(got, "Content-Length: 5\r\n"));
    assert_null(strstr(got, "hello"));
    ask(w, false, "BREW /pot HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 405 "));
    wait_for(&w->turns, 5);
}

static void many_on_one_connection(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    for (unsigned i = 0; i < 20; i++) {
        say(fd, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
        (void)hear(fd, got, sizeof(got), "hello");
        assert_true(begins(got, "HTTP/1.1 200 "));
    }
    close(fd);
    assert_int_equal(w->asked, 20);
}

/* A request that could be read in two ways, or is too long, reaches nobody. */
static void refused_before_anybody_asks(void **state)
{
    struct world *w = *state;
    static char long_one[HTTP_HEADERS_MAX + 4096];
    ask(w, false, "POST /a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" CLOSE "abcd",
        got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 400 "));
    ask(w, false,
        "POST /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n",
        got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 400 "));
    ask(w, false, "POST /a HTTP/1.1\r\nContent-Length: 1000000000\r\n" CLOSE, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 413 "));
    assert_non_null(strstr(got, "application/problem+json"));
    (void)snprintf(long_one, sizeof(long_one), "GET /%0*d HTTP/1.1\r\n" CLOSE, HTTP_TARGET_MAX, 7);
    ask(w, false, long_one, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 414 "));
    (void)snprintf(long_one, sizeof(long_one), "GET / HTTP/1.1\r\nX: %0*d\r\n" CLOSE,
                   HTTP_HEADERS_MAX, 7);
    ask(w, false, long_one, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 431 "));
    assert_int_equal(w->asked, 0);
}

/* A body in pieces that becomes too long. */
static void a_body_that_grows(void **state)
{
    struct world *w = *state;
    static char piece[HTTP_BODY_MAX / 8 + 16];
    const int fd = dial(w, false);
    const int n = snprintf(piece, sizeof(piece), "%x\r\n", HTTP_BODY_MAX / 8);
    memset(piece + n, 'x', HTTP_BODY_MAX / 8);
    memcpy(piece + n + HTTP_BODY_MAX / 8, "\r\n", 3);
    say(fd, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE);
    for (unsigned i = 0; i < 9; i++) {
        say(fd, piece);
    }
    say(fd, "0\r\n\r\n");
    (void)hear(fd, got, sizeof(got), NULL);
    assert_true(begins(got, "HTTP/1.1 413 "));
    assert_int_equal(w->asked, 0);
    close(fd);
}

static void files_and_bodies(void **state)
{
    struct world *w = *state;
    for (unsigned local = 0; local < 2; local++) {
        const int fd = dial(w, local);
        say(fd, "GET /file HTTP/1.1\r\n" CLOSE);
        const size_t n = hear(fd, got, sizeof(got), NULL);
        const char *body = strstr(got, "\r\n\r\n");
        assert_true(begins(got, "HTTP/1.1 206 "));
        assert_non_null(body);
        body += 4;
        assert_int_equal(n - (size_t)(body - got), FILE_LEN - 2000);
        for (size_t i = 0; i < FILE_LEN - 2000; i += 997) {
            assert_int_equal((uint8_t)body[i], (uint8_t)((i + 1000) / 7));
        }
        close(fd);
    }
    const int fd = dial(w, false);
    say(fd, "GET /body HTTP/1.1\r\n" CLOSE);
    (void)hear(fd, got, sizeof(got), "part\n");
    while (!atomic_load(&w->dry)) {
        (void)poll(NULL, 0, 1);
    }
    wake_signal(&w->go);
    (void)hear(fd, got, sizeof(got), NULL);
    assert_non_null(strstr(got, "part\n"));
    wait_for(&w->bodies_freed, 1);
    close(fd);
}

static void an_answer_that_comes_later(void **state)
{
    struct world *w = *state;
    int fd = dial(w, false);
    say(fd, "GET /later HTTP/1.1\r\n" CLOSE);
    wait_for(&w->asked, 1);
    ask(w, false, "GET /other HTTP/1.1\r\n" CLOSE, got, sizeof(got)); /* others do not wait */
    assert_true(begins(got, "HTTP/1.1 200 "));
    wake_signal(&w->go);
    (void)hear(fd, got, sizeof(got), NULL);
    assert_non_null(strstr(got, "at last"));
    close(fd);
    fd = dial(w, false); /* one that does not wait for it */
    say(fd, "GET /later HTTP/1.1\r\n" CLOSE);
    wait_for(&w->asked, 3);
    close(fd);
    wait_for(&w->gone, 1);
    fd = dial(w, false);
    say(fd, "GET /body HTTP/1.1\r\n" CLOSE);
    (void)hear(fd, got, sizeof(got), "part\n");
    close(fd);
    wait_for(&w->bodies_freed, 1);
}

/* A byte now and then holds no connection. */
static void slow_senders_end(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    const struct mono began = mono_now();
    const char *slow =
        "GET /slow HTTP/1.1\r\nHost: x\r\nX-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    bool over = false;
    for (const char *p = slow; *p && !over; p++) {
        over = send(fd, p, 1, MSG_NOSIGNAL) != 1;
        struct pollfd wait = {fd, POLLIN, 0};
        over = over || poll(&wait, 1, REQUEST_MS / 10) > 0;
    }
    assert_true(over);
    assert_true(mono_diff(mono_now(), began) >= (int64_t)REQUEST_MS * NSEC_PER_MSEC / 2);
    assert_int_equal(w->asked, 0);
    close(fd);
}

/* Nobody takes the answer: the connection ends, and what it held is free. */
static void slow_takers_end(void **state)
{
    struct world *w = *state;
    const int small = 4096, fd = dial(w, true);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    say(fd, "GET /file HTTP/1.1\r\n" CLOSE);
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    struct pollfd p = {fd, POLLRDHUP, 0};
    while (poll(&p, 1, 10) <= 0) {
        assert_false(mono_due(mono_now(), until));
    }
    assert_true(hear(fd, got, sizeof(got), NULL) < FILE_LEN - 2000);
    close(fd);
}

/* One address gets so many connections, and those by the Unix socket are bounded alike. */
static void connections_are_bounded(void **state)
{
    struct world *w = *state;
    int fd[HTTP_OF_ADDRESS + 8];
    unsigned served = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        fd[i] = dial(w, false);
        (void)send(fd[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 28, MSG_NOSIGNAL);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        served += hear(fd[i], got, sizeof(got), "hello") > 0;
    }
    assert_int_equal(served, HTTP_OF_ADDRESS);
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        close(fd[i]);
    }
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    do { /* there is room again */
        assert_false(mono_due(mono_now(), until));
        ask(w, false, "GET /y HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    } while (!begins(got, "HTTP/1.1 200 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_requests, begin, end),
        cmocka_unit_test_setup_teardown(many_on_one_connection, begin, end),
        cmocka_unit_test_setup_teardown(refused_before_anybody_asks, begin, end),
        cmocka_unit_test_setup_teardown(a_body_that_grows, begin, end),
        cmocka_unit_test_setup_teardown(files_and_bodies, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_that_comes_later, begin, end),
        cmocka_unit_test_setup_teardown(slow_senders_end, begin, end),
        cmocka_unit_test_setup_teardown(slow_takers_end, begin, end),
        cmocka_unit_test_setup_teardown(connections_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
