/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: an HTTP server in a thread of the test's, which answers by the target, and
 * clients of it that send raw bytes, over loopback and over a Unix socket.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
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
    LARGE_LEN = 64 << 20, /* more than sockets keep; zeros behind FILE_LEN */
    BODIES = 32,
    BODY_PARTS = 3,
};

/* A body of BODY_PARTS times "part\n". */
struct world_body {
    _Atomic unsigned allowed; /* parts that it may give by now */
    _Atomic unsigned reads;
    _Atomic bool told; /* http_more() is to be called of it */
    unsigned given;
    bool fails; /* in place of its end */
    struct world *world;
};

struct world {
    struct loop *loop;
    struct http *http;
    struct wake stop, go;
    pthread_t thread;
    struct sockaddr_in at;
    struct sockaddr_un local_at;
    int tcp, local, file;
    struct http_call *later; /* a call that is answered once `go` is signalled and `answers` */
    _Atomic bool answers;
    _Atomic unsigned asked, gone, turns, bodies, bodies_freed, looks, open, busy_ms;
    struct world_body body[BODIES];
    char last_target[64], last_body[64], last_peer[64];
};

/* ---- the program behind the server, in its thread ---- */

static inline ssize_t body_read(void *user, uint8_t *buf, size_t cap)
{
    struct world_body *b = user;
    assert_true(cap >= 5);
    atomic_fetch_add(&b->reads, 1);
    if (b->given == BODY_PARTS) {
        return b->fails ? -EIO : 0;
    }
    if (b->given >= atomic_load(&b->allowed)) {
        return -EAGAIN;
    }
    b->given++;
    memcpy(buf, "part\n", 5);
    return 5;
}

static inline void body_free(void *user)
{
    atomic_fetch_add(&((struct world_body *)user)->world->bodies_freed, 1);
}

static inline void answer_text(struct http_call *call, int status, const char *text)
{
    struct http_answer a = HTTP_ANSWER_NONE;
    a.status = status;
    a.bytes = (uint8_t *)strdup(text);
    a.len = strlen(text);
    http_answer_header(&a, "Content-Type", "text/%s", "plain");
    http_reply(call, &a);
}

static inline void answer_large(struct http_call *call)
{
    struct http_answer a = HTTP_ANSWER_NONE;
    a.status = 200;
    a.bytes = malloc(FILE_LEN);
    a.len = FILE_LEN;
    memset(a.bytes, 'l', FILE_LEN);
    http_reply(call, &a);
}

static inline void answer_file(struct world *w, struct http_call *call, uint64_t at, size_t len)
{
    struct http_answer a = HTTP_ANSWER_NONE;
    a.status = 206;
    a.fd = fcntl(w->file, F_DUPFD_CLOEXEC, 3);
    a.offset = at;
    a.len = len;
    http_reply(call, &a);
}

static inline void answer_body(struct world *w, struct http_call *call, bool fails)
{
    struct world_body *b = &w->body[atomic_fetch_add(&w->bodies, 1)];
    struct http_answer a = HTTP_ANSWER_NONE;
    *b = (struct world_body){.allowed = fails ? BODY_PARTS : 1, .fails = fails, .world = w};
    a.status = 200;
    a.body = (struct http_body){body_read, body_free, b};
    http_reply(call, &a);
}

static inline void world_request(void *user, struct http_call *call, const struct http_request *r)
{
    struct world *w = user;
    (void)snprintf(w->last_target, sizeof(w->last_target), "%.60s", r->target);
    (void)snprintf(w->last_body, sizeof(w->last_body), "%.*s", (int)MIN(r->len, (size_t)60),
                   r->body ? (const char *)r->body : "");
    (void)snprintf(w->last_peer, sizeof(w->last_peer), "%s %d %d", r->peer.address, r->peer.local,
                   r->peer.loopback);
    if (strcmp(r->target, "/later") == 0) {
        w->later = call;
    } else if (strcmp(r->target, "/file") == 0) {
        answer_file(w, call, 1000, FILE_LEN - 2000);
    } else if (strcmp(r->target, "/large") == 0) {
        answer_file(w, call, 0, LARGE_LEN);
    } else if (strcmp(r->target, "/text") == 0) {
        answer_large(call);
    } else if (strcmp(r->target, "/body") == 0 || strcmp(r->target, "/fails") == 0) {
        answer_body(w, call, r->target[1] == 'f');
    } else {
        answer_text(call, r->method == HTTP_OTHER ? 405 : 200, "hello");
    }
    atomic_fetch_add(&w->asked, 1);
}

static inline void world_gone(void *user, struct http_call *call)
{
    struct world *w = user;
    assert_ptr_equal(call, w->later);
    w->later = NULL;
    atomic_fetch_add(&w->gone, 1);
}

static inline void world_turn(void *user)
{
    atomic_fetch_add(&((struct world *)user)->turns, 1);
}

static inline void on_stop(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)fd;
    (void)events;
    (void)user;
    loop_stop(l, 0);
}

static inline void on_go(struct loop *l, int fd, uint32_t events, void *user)
{
    struct world *w = user;
    (void)l;
    (void)fd;
    (void)events;
    wake_clear(&w->go);
    (void)poll(NULL, 0, (int)atomic_exchange(&w->busy_ms, 0));
    if (w->later && atomic_load(&w->answers)) {
        answer_text(TAKE_PTR(w->later), 200, "at last");
    }
    for (unsigned i = 0; i < BODIES; i++) {
        if (atomic_exchange(&w->body[i].told, false)) {
            http_more(w->http, &w->body[i]);
        }
    }
    atomic_store(&w->open, http_open(w->http));
    atomic_fetch_add(&w->looks, 1);
}

static inline void *world_serve(void *user)
{
    (void)loop_run(((struct world *)user)->loop);
    return NULL;
}

/* ---- its life ---- */

static inline void world_listen(struct world *w)
{
    socklen_t len = sizeof(w->at);
    w->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->tcp, (struct sockaddr *)&w->at, sizeof(w->at)), 0);
    assert_int_equal(listen(w->tcp, 512), 0);
    assert_int_equal(getsockname(w->tcp, (struct sockaddr *)&w->at, &len), 0);
    w->local_at = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(w->local_at.sun_path + 1, 60, "farspan-http-test-%d", (int)getpid());
    w->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->local, (struct sockaddr *)&w->local_at, sizeof(w->local_at)), 0);
    assert_int_equal(listen(w->local, 512), 0);
}

static inline void world_file(struct world *w)
{
    uint8_t *bytes = malloc(FILE_LEN);
    assert_non_null(bytes);
    w->file = memfd_create("file", MFD_CLOEXEC);
    for (size_t i = 0; i < FILE_LEN; i++) {
        bytes[i] = (uint8_t)(i / 7);
    }
    assert_int_equal(write(w->file, bytes, FILE_LEN), FILE_LEN);
    assert_int_equal(ftruncate(w->file, LARGE_LEN), 0);
    free(bytes);
}

static inline void world_http(struct world *w, unsigned request_ms)
{
    static const struct http_ops ops = {
        .request = world_request, .gone = world_gone, .turn = world_turn};
    const struct http_conf conf = {.loop = w->loop,
                                   .tcp = {w->tcp},
                                   .n_tcp = 1,
                                   .local = w->local,
                                   .ops = &ops,
                                   .user = w,
                                   .request_ms = request_ms,
                                   .still_ms = STILL_MS};
    assert_int_equal(http_new(&conf, &w->http, NULL), 0);
}

static inline int world_start(void **state, unsigned request_ms)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    (void)signal(SIGPIPE, SIG_IGN);
    world_listen(w);
    world_file(w);
    assert_int_equal(loop_new(&w->loop), 0);
    assert_int_equal(wake_init(&w->stop), 0);
    assert_int_equal(wake_init(&w->go), 0);
    assert_int_equal(loop_add_fd(w->loop, w->stop.fd, EPOLLIN, on_stop, w, NULL), 0);
    assert_int_equal(loop_add_fd(w->loop, w->go.fd, EPOLLIN, on_go, w, NULL), 0);
    world_http(w, request_ms);
    assert_int_equal(pthread_create(&w->thread, NULL, world_serve, w), 0);
    *state = w;
    return 0;
}

static inline int begin(void **state)
{
    return world_start(state, REQUEST_MS);
}

/* For what waits for something else than the time of a request. */
static inline int begin_patient(void **state)
{
    return world_start(state, 4 * DEADLINE_MS);
}

static inline int end(void **state)
{
    struct world *w = *state;
    wake_signal(&w->stop);
    pthread_join(w->thread, NULL);
    http_free(w->http);
    loop_free(w->loop);
    wake_done(&w->stop);
    wake_done(&w->go);
    assert_int_equal(close(w->tcp), 0); /* borrowed: it is still open */
    assert_int_equal(close(w->local), 0);
    close(w->file);
    assert_int_equal(w->bodies, w->bodies_freed);
    free(w);
    return 0;
}

/* ---- clients ---- */

/* From the loopback address 127.0.0.`host`; 0: whatever the system takes. */
static inline int dial_from(const struct world *w, unsigned host)
{
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffu) + host)};
    const struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (host > 0) {
        assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (const struct sockaddr *)&w->at, sizeof(w->at)), 0);
    return fd;
}

static inline int dial(const struct world *w, bool local)
{
    const struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    if (!local) {
        return dial_from(w, 0);
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (const struct sockaddr *)&w->local_at, sizeof(w->local_at)), 0);
    return fd;
}

static inline void say_bytes(int fd, const char *text, size_t n)
{
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Everything up to the end, or to `until`, ended with 0. */
static inline size_t hear(int fd, char *ret, size_t cap, const char *until)
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

static inline void ask(const struct world *w, bool local, const char *request, char *ret,
                       size_t cap)
{
    const int fd = dial(w, local);
    say(fd, request);
    (void)hear(fd, ret, cap, NULL);
    close(fd);
}

static inline void wait_for(const _Atomic unsigned *n, unsigned least)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (atomic_load(n) < least) {
        assert_false(mono_due(mono_now(), until));
        (void)poll(NULL, 0, 2);
    }
}

/* Lets the server's thread run on_go(), and waits for it. */
static inline void go(struct world *w)
{
    const unsigned before = atomic_load(&w->looks);
    wake_signal(&w->go);
    wait_for(&w->looks, before + 1);
}

/* Until so many connections are open. */
static inline void wait_open(struct world *w, unsigned n)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    for (go(w); atomic_load(&w->open) != n; go(w)) {
        assert_false(mono_due(mono_now(), until));
        (void)poll(NULL, 0, 5);
    }
}

static inline bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Descriptors of this process. */
static inline unsigned count_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define KEEP "Host: x\r\n\r\n"
