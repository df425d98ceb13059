/* SPDX-License-Identifier: Apache-2.0 */
#include "node/status_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "node/document.h"

enum {
    CLIENTS = 16,     /* at a time */
    DIALER_MS = 5000, /* for taking the document */
};

struct dialer_end {
    struct status_server *server;
    int fd; /* -1: free */
    struct loop_fd *event;
    char *text;
    size_t len, sent;
    struct mono until;
};

struct status_server {
    struct loop *loop;
    int fd;
    struct loop_fd *event;
    struct loop_timer *timer;
    int spare; /* for who asks when no other descriptor is free; -1: it is in use, or none was */
    json_t *(*make)(void *user);
    void *user;
    struct dialer_end client[CLIENTS];
};

int status_socket_listen(struct status_socket *c, const char *name, struct error *err)
{
    struct unixsock_dir dir;
    char other[64];
    *c = (struct status_socket){.fd = -1};
    int r = unixsock_dir_for(geteuid(), getenv("XDG_RUNTIME_DIR"), &dir);
    if (r == 0) {
        r = unixsock_make_dir(&dir, err);
    }
    for (int i = 0; r == 0 && i < 2 && c->fd < 0; i++) {
        snprintf(other, sizeof(other), "%s-%d", name, (int)getpid());
        r = unixsock_path(&dir, i == 0 ? name : other, c->path, err);
        r = r < 0 ? r : unixsock_listen(c->path, 0600, &c->fd, err);
        if (r == -EADDRINUSE && i == 0) {
            r = 0;
        }
    }
    return r;
}

void status_socket_remove(struct status_socket *c)
{
    if (c->path[0]) {
        (void)unixsock_remove(c->path);
    }
}

/* Somebody has gone, or time has passed. */
static void listen_again(struct status_server *s)
{
    if (s->event && s->spare < 0) {
        s->spare = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
    }
    if (s->event) {
        (void)loop_mod_fd(s->loop, s->event, EPOLLIN);
    }
}

/* A listener stays readable when nobody can be taken from it, which would be asked about again and
 * again: nobody is listened to until then. */
static int take_one(struct status_server *s)
{
    int c = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (c < 0 && (errno == EMFILE || errno == ENFILE) && s->spare >= 0) {
        close(TAKE_FD(s->spare));
        c = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    if (c < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        (void)loop_mod_fd(s->loop, s->event, 0);
    }
    return c;
}

static void drop(struct dialer_end *e)
{
    if (e->fd >= 0) {
        loop_del_fd(e->server->loop, e->event);
        close(e->fd);
        free(e->text);
        *e = (struct dialer_end){.server = e->server, .fd = -1};
        listen_again(e->server);
    }
}

static void on_writable(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)events;
    struct dialer_end *e = user;
    ssize_t n = send(fd, e->text + e->sent, e->len - e->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    e->sent += n > 0 ? (size_t)n : 0;
    if (n <= 0 || e->sent == e->len) {
        drop(e);
    }
}

static void on_client(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    struct status_server *s = user;
    int c = take_one(s);
    if (c < 0) {
        return;
    }
    struct dialer_end *e = NULL;
    for (unsigned i = 0; i < CLIENTS && !e; i++) {
        e = s->client[i].fd < 0 ? &s->client[i] : NULL;
    }
    json_t *doc = e ? s->make(s->user) : NULL;
    char *text = doc ? document_text(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (!text) {
        close(c);
        listen_again(s);
        return;
    }
    *e = (struct dialer_end){.server = s, .fd = c, .text = text, .len = strlen(text)};
    e->until = mono_add_ms(mono_now(), DIALER_MS);
    if (loop_add_fd(s->loop, c, EPOLLOUT, on_writable, e, &e->event) < 0) {
        drop(e);
    }
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct status_server *s = user;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (s->client[i].fd >= 0 && mono_due(now, s->client[i].until)) {
            drop(&s->client[i]);
        }
    }
    listen_again(s);
}

int status_socket_serve(struct loop *l, const struct status_socket *c, json_t *(*make)(void *user),
                        void *user, struct status_server **ret)
{
    struct status_server *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    *s = (struct status_server){.loop = l, .fd = c->fd, .make = make, .user = user, .spare = -1};
    for (unsigned i = 0; i < CLIENTS; i++) {
        s->client[i] = (struct dialer_end){.server = s, .fd = -1};
    }
    int r = c->fd < 0 ? 0 : loop_add_fd(l, c->fd, EPOLLIN, on_client, s, &s->event);
    if (r == 0) {
        r = loop_add_timer(l, mono_add_ms(mono_now(), DIALER_MS), DIALER_MS * NSEC_PER_MSEC,
                           on_timer, s, &s->timer);
    }
    if (r < 0) {
        status_socket_free(s);
        return r;
    }
    listen_again(s);
    *ret = s;
    return 0;
}

void status_socket_free(struct status_server *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        drop(&s->client[i]);
    }
    loop_del_fd(s->loop, s->event);
    loop_del_timer(s->loop, s->timer);
    closep(&s->spare);
    free(s);
}
