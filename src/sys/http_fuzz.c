/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes on a connection of the server, in pieces whose length the first byte says: what reaches
 * the program is within its bounds, each call is answered once, and the connection ends.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/http.h"

enum {
    REQUEST_MS = 10, /* of what ends in the middle */
};

struct client {
    struct loop *loop;
    struct loop_fd *event;
    const uint8_t *data;
    size_t len, piece;
    unsigned calls;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_request(void *user, struct http_call *call, const struct http_request *r)
{
    struct client *c = user;
    struct http_answer a = HTTP_ANSWER_NONE;
    size_t bytes = 0;
    const char *length = http_header_of(r, "Content-Length");
    assert(strlen(r->target) <= HTTP_TARGET_MAX && r->n_headers <= HTTP_HEADERS);
    assert(r->len <= HTTP_BODY_MAX && (r->len == 0 || r->body));
    assert(!length || !http_header_of(r, "Transfer-Encoding"));
    assert(!length || strtoull(length, NULL, 10) == r->len);
    assert(strpbrk(r->target, " \r\n\t\x7f") == NULL);
    for (unsigned i = 0; i < r->n_headers; i++) {
        bytes += strlen(r->header[i].name) + strlen(r->header[i].value);
        assert(strpbrk(r->header[i].name, " \t\r\n:\"(),/") == NULL);
        assert(strpbrk(r->header[i].value, "\n") == NULL);
    }
    assert(bytes <= HTTP_HEADERS_MAX && r->peer.local);
    a.status = 200;
    a.bytes = (uint8_t *)strdup("hello");
    a.len = 5;
    c->calls++;
    http_reply(call, &a);
}

static void on_gone(void *user, struct http_call *call)
{
    (void)user;
    (void)call;
    abort(); /* each was answered at once */
}

/* A piece is said; behind the last one comes the end, and then all is heard. */
static void on_client(struct loop *l, int fd, uint32_t events, void *user)
{
    struct client *c = user;
    char heard[4096];
    const size_t want = MIN(c->piece, c->len);
    const ssize_t n =
        want > 0 && (events & EPOLLOUT) ? send(fd, c->data, want, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    c->data += n > 0 ? n : 0;
    c->len -= n > 0 ? (size_t)n : 0;
    if (c->len == 0 || (n < 0 && errno != EAGAIN)) {
        c->len = 0;
        (void)shutdown(fd, SHUT_WR);
        (void)loop_mod_fd(l, c->event, EPOLLIN);
    }
    if (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) == 0 || (events & (EPOLLERR | EPOLLHUP))) {
        loop_del_fd(l, TAKE_PTR(c->event));
        loop_stop(l, 0);
    }
}

static int listening(struct sockaddr_un *at)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(at->sun_path + 1, 60, "farspan-http-fuzz-%d", (int)getpid());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = bind(fd, (const struct sockaddr *)at, sizeof(*at));
    r = r < 0 ? r : listen(fd, 4);
    assert(r == 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_ops ops = {.request = on_request, .gone = on_gone};
    struct client c = {.data = data + 1, .len = size - 1, .piece = size ? data[0] : 0};
    struct http *h = NULL;
    struct sockaddr_un at;
    if (size < 2) {
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    c.piece = c.piece == 0 ? c.len : c.piece;
    int r = loop_new(&c.loop);
    _cleanup_(closep) const int server = listening(&at);
    const struct http_conf conf = {
        .loop = c.loop, .local = server, .ops = &ops, .user = &c, .request_ms = REQUEST_MS};
    r = r < 0 ? r : http_new(&conf, &h, NULL);
    _cleanup_(closep) const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r = r < 0 ? r : connect(fd, (const struct sockaddr *)&at, sizeof(at));
    r = r < 0 ? r : loop_add_fd(c.loop, fd, EPOLLIN | EPOLLOUT, on_client, &c, &c.event);
    assert(r == 0);
    r = loop_run(c.loop);
    assert(r == 0);
    http_free(h);
    loop_free(c.loop);
    return 0;
}
