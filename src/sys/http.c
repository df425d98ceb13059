/* SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd in our loop: a daemon for each listening socket, whose epoll descriptor the loop
 * watches. A connection whose request is with the program, or whose body has nothing to send, is
 * suspended, so that nothing spins.
 *
 * The library's own time-out begins anew with every byte, and it does not look at a connection that
 * is suspended. So a timer looks at all of them: at requests that take too long, at answers that
 * nobody takes, and at clients that have gone.
 */
#include "sys/http.h"
#include "sys/http_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/cidr.h"
#include "sys/udp.h"
#include "sys/unixsock.h"

enum {
    MEMORY = 96 << 10, /* bytes of a connection, for its request and headers */
    LOOKS = 8,         /* at connections, in the shortest of the times that are watched */
    LOOK_MS_MAX = 1000,
    PASSES = 4, /* of the library in one turn */
    /* At once by one socket, those that are turned away included. */
    ACCEPTED = HTTP_CONNECTIONS + 64,
    RETRY_AFTER_S = 1,
};

/* ---- calls ---- */

/* From wherever an answer was given. */
static void run_soon(struct http *h)
{
    if (h->resumed) {
        loop_set_timer(h->conf.loop, h->timer, mono_now(), 0);
    }
}

void http_reply(struct http_call *call, struct http_answer *answer)
{
    call->answer = *answer;
    *answer = HTTP_ANSWER_NONE;
    call->replied = true;
    if (!call->handling) {
        http_resume(call->conn);
        run_soon(call->http);
    }
}

void http_more(struct http *h, void *user)
{
    for (struct http_conn *c = h->conns; c; c = c->next) {
        if (c->body && c->body == user) {
            http_resume(c);
        }
    }
    run_soon(h);
}

unsigned http_open(const struct http *h)
{
    return h->open;
}

/* ---- connections ---- */

static bool is_loopback(const struct sockaddr *sa)
{
    struct udp_addr a = {.len = 0};
    uint8_t ip[16];
    if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) {
        return false;
    }
    memcpy(&a.v6, sa, sa->sa_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6));
    udp_addr_ip(&a, ip);
    return cidr_is_loopback(ip);
}

static void address_text(const struct sockaddr *sa, char ret[48])
{
    const void *at = sa->sa_family == AF_INET
                         ? (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr
                         : &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    if ((sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
        !inet_ntop(sa->sa_family, at, ret, 48)) {
        (void)snprintf(ret, 48, "local");
    }
}

/* HTTP_OF_ADDRESS counts an address, a user of this host, or by IPv6 a network of 64 bits, as one
 * host has all of that. */
static void whose_text(const struct http_conn *c, const struct sockaddr *sa, char ret[64])
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_UNSPEC};
    (void)snprintf(ret, 64, "%s", c->peer.address);
    if (c->peer.local) {
        (void)snprintf(ret, 64, "user %u", (unsigned)c->peer.uid);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof(v6));
        if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            memset(v6.sin6_addr.s6_addr + 8, 0, 8);
            (void)inet_ntop(AF_INET6, &v6.sin6_addr, ret, 64);
        }
    }
}

static bool has_room(const struct http *h, const char *whose)
{
    unsigned n = 0;
    for (const struct http_conn *c = h->conns; c; c = c->next) {
        n += strcmp(c->whose, whose) == 0;
    }
    return h->open < HTTP_CONNECTIONS && n < HTTP_OF_ADDRESS;
}

/* Before it has asked for anything. */
static void turn_away(int fd)
{
    char text[HTTP_REFUSAL_TEXT], all[2 * HTTP_REFUSAL_TEXT + 200];
    const struct http_refusal why = {503, "there are too many connections"};
    const int n =
        snprintf(all, sizeof(all),
                 "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: %d\r\n"
                 "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n%s",
                 RETRY_AFTER_S, http_refusal_text(text, &why), text);
    (void)send(fd, all, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_RDWR);
}

static void add_conn(struct http *h, struct http_conn *c)
{
    c->http = h;
    c->since = c->moved = mono_now();
    c->next = h->conns;
    c->at = &h->conns;
    if (c->next) {
        c->next->at = &c->next;
    }
    h->conns = c;
    h->open++;
}

static void begin_conn(struct http_daemon *d, struct MHD_Connection *mhd, void **ret)
{
    struct unixsock_peer who = {.uid = (uid_t)-1};
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *sa =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_conn *c = fd && sa ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        return;
    }
    c->fd = fd->connect_fd;
    c->peer.local = d->local && unixsock_peer(c->fd, &who) == 0;
    c->peer.uid = who.uid;
    c->peer.loopback = !d->local && is_loopback(sa->client_addr);
    address_text(sa->client_addr, c->peer.address);
    whose_text(c, sa->client_addr, c->whose);
    if (!has_room(d->http, c->whose)) {
        turn_away(c->fd);
        free(c);
        return;
    }
    add_conn(d->http, c);
    *ret = c;
}

static void end_conn(struct http *h, struct http_conn *c)
{
    *c->at = c->next;
    if (c->next) {
        c->next->at = c->at;
    }
    if (c->call) {
        c->call->conn = NULL;
    }
    h->open--;
    free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_daemon *d = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin_conn(d, mhd, context);
    } else if (*context) {
        end_conn(d->http, *context);
        *context = NULL;
    }
}

/* ---- times ---- */

static bool has_gone(const struct http_conn *c)
{
    struct pollfd p = {c->fd, POLLRDHUP, 0};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Bytes of answers that the other end's system has taken. By the Unix socket there is no such
 * count. */
static uint64_t acked_of(const struct http_conn *c)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    const bool known =
        !c->peer.local && getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        len >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked);
    return known ? info.tcpi_bytes_acked : 0;
}

static void cut(struct http_conn *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    http_resume(c);
}

static void look_at_answer(const struct http *h, struct http_conn *c, struct mono now)
{
    const uint64_t acked = acked_of(c);
    if (acked != c->acked) {
        c->acked = acked;
        c->moved = now;
    } else if (mono_due(now, mono_add_ms(c->moved, h->still_ms))) {
        cut(c);
    }
}

static void look_at(const struct http *h, struct http_conn *c, struct mono now)
{
    struct http_call *call = c->call;
    if (c->suspended) { /* an answer is made, or there is nothing to send now */
        if (has_gone(c)) {
            call->lost = true;
            cut(c);
        }
    } else if (call && call->queued) {
        look_at_answer(h, c, now);
    } else if ((!call || !call->given) && mono_due(now, mono_add_ms(c->since, h->request_ms))) {
        cut(c);
    }
}

static void run(struct http *h);

static void on_look(struct loop *l, struct mono now, void *user)
{
    struct http *h = user;
    (void)l;
    for (struct http_conn *c = h->conns, *next; c; c = next) {
        next = c->next;
        look_at(h, c, now);
    }
    run(h);
}

/* ---- the loop ---- */

static void set_timer(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms, least = UINT64_MAX;
    for (unsigned i = 0; i < h->n; i++) {
        if (MHD_get_timeout(h->daemon[i].mhd, &ms) == MHD_YES && ms < least) {
            least = ms;
        }
    }
    loop_set_timer(h->conf.loop, h->timer,
                   h->resumed            ? mono_now()
                   : least == UINT64_MAX ? (struct mono){0}
                                         : mono_add_ms(mono_now(), (int64_t)MIN(least, 60000ULL)),
                   0);
}

/* All daemons, and then what they have handed over is one turn. Answers of that turn leave at once:
 * the library looks at connections that were resumed when it runs again. */
static void run(struct http *h)
{
    for (unsigned pass = 0; pass < PASSES && (pass == 0 || h->resumed); pass++) {
        h->resumed = false;
        for (unsigned i = 0; i < h->n; i++) {
            (void)MHD_run(h->daemon[i].mhd);
        }
        if (h->given && h->conf.ops->turn) {
            h->given = false;
            h->conf.ops->turn(h->conf.user);
        }
    }
    set_timer(h);
}

static void on_event(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    run(user);
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    run(user);
}

/* ---- its life ---- */

static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static int add_daemon(struct http *h, int fd, bool local, struct error *err)
{
    struct http_daemon *d = &h->daemon[h->n];
    *d = (struct http_daemon){.http = h, .local = local};
    d->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, http_on_request, h,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ACCEPTED,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_URI_LOG_CALLBACK,
        http_on_target, h, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, d, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!d->mhd) {
        return error_set(err, EIO, "cannot serve HTTP");
    }
    h->n++;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    const int r =
        info ? loop_add_fd(h->conf.loop, info->epoll_fd, EPOLLIN, on_event, h, &d->event) : -EIO;
    return r < 0 ? error_sys(err, -r, "cannot serve HTTP") : 0;
}

int http_new(const struct http_conf *conf, struct http **ret, struct error *err)
{
    struct http *h = calloc(1, sizeof(*h));
    if (!h) {
        return error_sys(err, ENOMEM, "cannot serve HTTP");
    }
    h->conf = *conf;
    h->request_ms = conf->request_ms ? conf->request_ms : HTTP_REQUEST_MS;
    h->still_ms = conf->still_ms ? conf->still_ms : HTTP_STILL_MS;
    const int64_t look = MIN(MIN(h->request_ms, h->still_ms) / LOOKS + 1u, (unsigned)LOOK_MS_MAX);
    int r = loop_add_timer(conf->loop, (struct mono){0}, 0, on_timer, h, &h->timer);
    r = r < 0 ? r
              : loop_add_timer(conf->loop, mono_add_ms(mono_now(), look), look * NSEC_PER_MSEC,
                               on_look, h, &h->look);
    r = r < 0 ? error_sys(err, -r, "cannot serve HTTP") : 0;
    for (unsigned i = 0; r == 0 && i < conf->n_tcp; i++) {
        r = add_daemon(h, conf->tcp[i], false, err);
    }
    if (r == 0 && conf->local >= 0) {
        r = add_daemon(h, conf->local, true, err);
    }
    if (r < 0) {
        http_free(h);
        return r;
    }
    *ret = h;
    return 0;
}

/* The library ends no connection that is suspended. */
void http_free(struct http *h)
{
    if (!h) {
        return;
    }
    for (struct http_conn *c = h->conns; c; c = c->next) {
        if (c->call) {
            c->call->lost = true;
        }
        http_resume(c);
    }
    for (unsigned i = 0; i < h->n; i++) {
        loop_del_fd(h->conf.loop, h->daemon[i].event);
        /* The listening socket is borrowed: the library would close it. */
        (void)MHD_quiesce_daemon(h->daemon[i].mhd);
        MHD_stop_daemon(h->daemon[i].mhd);
    }
    loop_del_timer(h->conf.loop, h->timer);
    loop_del_timer(h->conf.loop, h->look);
    free(h);
}
