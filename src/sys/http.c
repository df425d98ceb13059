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

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/unixsock.h"

enum {
    DAEMONS = 5,           /* listening sockets */
    MEMORY = 96 << 10,     /* of a connection, for its request and headers */
    READ_BLOCK = 64 << 10, /* bytes of an answer that are asked for at once */
    LOOKS = 8,             /* at connections, in the shortest of the times that are watched */
    LOOK_MS_MAX = 1000,
    RETRY_AFTER_S = 1,
};

struct conn;

/* A request. Its connection has one at a time. */
struct http_call {
    struct http *http;
    struct conn *conn;
    struct MHD_Connection *mhd;
    char *target;
    uint8_t *body;
    size_t len;
    int refused; /* status of a refusal by the server itself; 0: none */
    bool begun;  /* its headers were looked at */
    bool given;  /* to the program, … */
    bool replied, queued;
    bool handling; /* the library waits for the outcome of this call */
    bool lost;     /* the client has gone */
    struct http_answer answer;
    struct http_request request;
};

struct conn {
    struct conn *next, **at;
    int fd;
    struct http_peer peer;
    struct http_call *call; /* NULL: between two requests */
    struct MHD_Connection *suspended;
    struct mono since; /* a request is waited for since then, … */
    struct mono moved; /* … and an answer has moved on then last */
    uint64_t sent;     /* as the system counts it, or bytes that were asked for */
};

struct daemon {
    struct http *http;
    struct MHD_Daemon *mhd;
    struct loop_fd *event;
    bool local;
};

struct http {
    struct http_conf conf;
    struct daemon daemon[DAEMONS];
    unsigned n;
    struct loop_timer *timer, *look;
    struct conn *conns;
    unsigned open;
    unsigned request_ms, still_ms;
    bool given; /* requests, in this turn */
};

/* ---- answers ---- */

void http_answer_header(struct http_answer *a, const char *name, const char *fmt, ...)
{
    char value[HTTP_TARGET_MAX + 64];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (a->n_headers == HTTP_ANSWER_HEADERS || n < 0 || (size_t)n >= sizeof(value)) {
        return;
    }
    char *own_name = strdup(name), *own_value = strdup(value);
    if (!own_name || !own_value) {
        free(own_name);
        free(own_value);
        return;
    }
    a->header[a->n_headers++] = (struct http_header){own_name, own_value};
}

void http_answer_done(struct http_answer *a)
{
    for (unsigned i = 0; i < a->n_headers; i++) {
        free((char *)(uintptr_t)a->header[i].name);
        free((char *)(uintptr_t)a->header[i].value);
    }
    free(a->bytes);
    closep(&a->fd);
    if (a->body.read && a->body.free) {
        a->body.free(a->body.user);
    }
    *a = HTTP_ANSWER_NONE;
}

const char *http_header_of(const struct http_request *r, const char *name)
{
    for (unsigned i = 0; i < r->n_headers; i++) {
        if (strcasecmp(r->header[i].name, name) == 0) {
            return r->header[i].value;
        }
    }
    return NULL;
}

/* ---- suspended connections ---- */

static void suspend(struct conn *c, struct MHD_Connection *mhd)
{
    if (!c->suspended) {
        c->suspended = mhd;
        MHD_suspend_connection(mhd);
    }
}

static void resume(struct conn *c)
{
    if (c->suspended) {
        MHD_resume_connection(TAKE_PTR(c->suspended));
    }
}

/* ---- bodies that are made as they are sent ---- */

/* The place of one in the library's answer. */
struct reading {
    struct http_body body;
    struct conn *conn; /* while the answer is being sent */
    struct MHD_Connection *mhd;
    int fd;            /* of a file that is read so; -1 */
    uint64_t at, left; /* there */
};

static ssize_t read_file_part(struct reading *r, char *buf, size_t cap)
{
    const size_t want = (size_t)MIN(r->left, (uint64_t)cap);
    const ssize_t n = want > 0 ? pread(r->fd, buf, want, (off_t)r->at) : 0;
    if (n > 0) {
        r->at += (uint64_t)n;
        r->left -= (uint64_t)n;
    }
    return n < 0 ? -errno : n;
}

static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t cap)
{
    struct reading *r = cls;
    (void)pos;
    const ssize_t n =
        r->fd >= 0 ? read_file_part(r, buf, cap) : r->body.read(r->body.user, (uint8_t *)buf, cap);
    if (n == -EAGAIN) {
        suspend(r->conn, r->mhd);
        return 0;
    }
    r->conn->sent += n > 0 ? (uint64_t)n : 0;
    return n > 0    ? n
           : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                    : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_read_done(void *cls)
{
    struct reading *r = cls;
    if (r->fd < 0 && r->body.free) {
        r->body.free(r->body.user);
    }
    closep(&r->fd);
    free(r);
}

static struct MHD_Response *read_response(struct http_call *call, int fd)
{
    struct http_answer *a = &call->answer;
    struct reading *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    *r = (struct reading){.body = a->body,
                          .conn = call->conn,
                          .mhd = call->mhd,
                          .fd = fd,
                          .at = a->offset,
                          .left = a->len};
    struct MHD_Response *m = MHD_create_response_from_callback(
        fd >= 0 ? a->len : MHD_SIZE_UNKNOWN, READ_BLOCK, on_read, r, on_read_done);
    if (!m) {
        free(r);
    }
    return m;
}

/* By the Unix socket no count of the system's tells how much was taken: files are read there. */
static struct MHD_Response *file_response(struct http_call *call)
{
    struct http_answer *a = &call->answer;
    struct MHD_Response *m =
        call->conn->peer.local ? read_response(call, a->fd)
                               : MHD_create_response_from_fd_at_offset64(a->len, a->fd, a->offset);
    if (m) {
        a->fd = -1; /* it is the response's */
    }
    return m;
}

static struct MHD_Response *make_response(struct http_call *call)
{
    struct http_answer *a = &call->answer;
    struct MHD_Response *m;
    if (a->fd >= 0) {
        m = file_response(call);
    } else if (a->body.read) {
        m = read_response(call, -1);
        a->body = m ? (struct http_body){.read = NULL} : a->body;
    } else {
        m = MHD_create_response_from_buffer(a->len, a->bytes, MHD_RESPMEM_MUST_FREE);
        a->bytes = m ? NULL : a->bytes;
    }
    for (unsigned i = 0; m && i < a->n_headers; i++) {
        (void)MHD_add_response_header(m, a->header[i].name, a->header[i].value);
    }
    return m;
}

/* Gives the answer to the library. */
static enum MHD_Result queue(struct http_call *call)
{
    struct MHD_Response *m = make_response(call);
    const int status = call->answer.status;
    http_answer_done(&call->answer);
    if (!m) {
        return MHD_NO;
    }
    call->queued = true;
    call->conn->moved = mono_now();
    const enum MHD_Result r = MHD_queue_response(call->mhd, (unsigned)status, m);
    MHD_destroy_response(m);
    return r;
}

/* ---- refusals of the server itself ---- */

static const char *refusal_words(int status)
{
    switch (status) {
    case 413:
        return "the body is too long";
    case 414:
        return "the address is too long";
    case 431:
        return "the headers are too long";
    case 503:
        return "out of memory";
    default:
        return "the length of the body is told twice";
    }
}

static enum MHD_Result refuse(struct http_call *call, int status)
{
    char text[200];
    struct http_answer *a = &call->answer;
    const int n =
        snprintf(text, sizeof(text), "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d}\n",
                 refusal_words(status), status);
    *a = HTTP_ANSWER_NONE;
    a->status = status;
    a->bytes = (uint8_t *)strdup(text);
    a->len = a->bytes && n > 0 ? (size_t)n : 0;
    http_answer_header(a, "Content-Type", "application/problem+json");
    http_answer_header(a, "Connection", "close");
    return queue(call);
}

/* ---- requests ---- */

struct header_count {
    struct http_call *call;
    size_t bytes;
    unsigned lengths, encodings;
    bool too_many;
};

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct header_count *h = cls;
    struct http_request *r = &h->call->request;
    (void)kind;
    h->bytes += strlen(name) + (value ? strlen(value) : 0) + 4;
    h->lengths += strcasecmp(name, "Content-Length") == 0;
    h->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
    if (r->n_headers < HTTP_HEADERS) {
        r->header[r->n_headers++] = (struct http_header){name, value ? value : ""};
    } else {
        h->too_many = true;
    }
    return MHD_YES;
}

/* The status of a refusal, or 0. */
static int look_at_headers(struct http_call *call)
{
    struct header_count h = {.call = call};
    call->request.n_headers = 0;
    (void)MHD_get_connection_values(call->mhd, MHD_HEADER_KIND, on_header, &h);
    const char *length = http_header_of(&call->request, "Content-Length");
    if (!call->target || strlen(call->target) > HTTP_TARGET_MAX) {
        return 414;
    }
    if (h.too_many || h.bytes > HTTP_HEADERS_MAX) {
        return 431;
    }
    if (h.lengths > 1 || h.encodings > 1 || (h.lengths > 0 && h.encodings > 0)) {
        return 400;
    }
    return length && strtoull(length, NULL, 10) > HTTP_BODY_MAX ? 413 : 0;
}

static enum http_method method_of(const char *word)
{
    static const char *const words[] = {
        [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST",
        [HTTP_PATCH] = "PATCH", [HTTP_PUT] = "PUT",   [HTTP_DELETE] = "DELETE"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

/* Part of a body. Where it is too long the rest is thrown away. */
static void take_body(struct http_call *call, const char *data, size_t n)
{
    if (call->refused == 0 && call->len + n > HTTP_BODY_MAX) {
        call->refused = 413;
    }
    uint8_t *larger = call->refused == 0 ? realloc(call->body, call->len + n) : NULL;
    if (call->refused == 0 && !larger) {
        call->refused = 503;
    }
    if (call->refused == 0) {
        memcpy(larger + call->len, data, n);
        call->body = larger;
        call->len += n;
    }
}

/* The request is whole: the program answers it now or later. */
static enum MHD_Result give(struct http_call *call, const char *method)
{
    struct http *h = call->http;
    struct http_request *r = &call->request;
    (void)look_at_headers(call); /* the library has them at other places by now */
    r->method = method_of(method);
    r->target = call->target;
    r->body = call->body;
    r->len = call->len;
    r->peer = call->conn->peer;
    call->given = h->given = true;
    call->handling = true;
    h->conf.ops->request(h->conf.user, call, r);
    call->handling = false;
    if (call->replied) {
        return queue(call);
    }
    suspend(call->conn, call->mhd);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **con_cls)
{
    struct http_call *call = *con_cls;
    (void)cls;
    (void)url;
    (void)version;
    if (!call || !call->conn) {
        return MHD_NO;
    }
    call->mhd = mhd;
    if (!call->begun) {
        call->begun = true;
        const int status = look_at_headers(call);
        return status ? refuse(call, status) : MHD_YES;
    }
    if (*upload_size > 0) {
        take_body(call, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (call->refused) {
        return refuse(call, call->refused);
    }
    if (!call->given) {
        return give(call, method);
    }
    return call->lost || !call->replied ? MHD_NO : queue(call);
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The first word of a request: what it is for, as it was sent. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct conn *c = conn_of(mhd);
    struct http_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return NULL;
    }
    call->http = cls;
    call->conn = c;
    call->mhd = mhd;
    call->target = strdup(uri);
    call->answer = HTTP_ANSWER_NONE;
    if (c) {
        c->call = call;
    }
    return call;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *con_cls;
    struct http *h = cls;
    (void)mhd;
    (void)code;
    if (!call) {
        return;
    }
    if (call->given && !call->replied) {
        h->conf.ops->gone(h->conf.user, call);
    }
    if (call->conn) {
        call->conn->call = NULL;
        call->conn->since = mono_now();
    }
    http_answer_done(&call->answer);
    free(call->target);
    free(call->body);
    free(call);
    *con_cls = NULL;
}

void http_reply(struct http_call *call, struct http_answer *answer)
{
    call->answer = *answer;
    *answer = HTTP_ANSWER_NONE;
    call->replied = true;
    if (!call->handling) {
        resume(call->conn);
    }
}

void http_more(struct http *h, void *user)
{
    for (struct conn *c = h->conns; c; c = c->next) {
        if (c->call && c->call->queued && c->suspended) {
            resume(c); /* whose body is another's looks, and sleeps again */
        }
    }
    (void)user;
}

unsigned http_open(const struct http *h)
{
    return h->open;
}

/* ---- connections ---- */

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    return sa->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127));
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

/* One address does not take up all the room. By the Unix socket all have one address. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *sa, socklen_t len)
{
    const struct daemon *d = cls;
    char address[48];
    unsigned of_address = 0;
    (void)len;
    address_text(sa, address);
    for (const struct conn *c = d->http->conns; c; c = c->next) {
        of_address += strcmp(c->peer.address, address) == 0;
    }
    return d->http->open < HTTP_CONNECTIONS && of_address < HTTP_OF_ADDRESS ? MHD_YES : MHD_NO;
}

static void begin_conn(struct daemon *d, struct MHD_Connection *mhd, void **ret)
{
    struct unixsock_peer who = {.uid = (uid_t)-1};
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *sa =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct conn *c = calloc(1, sizeof(*c));
    if (!c || !fd || !sa) {
        free(c);
        return;
    }
    c->fd = fd->connect_fd;
    c->since = c->moved = mono_now();
    c->peer.local = d->local && unixsock_peer(c->fd, &who) == 0;
    c->peer.uid = who.uid;
    c->peer.loopback = !d->local && is_loopback(sa->client_addr);
    address_text(sa->client_addr, c->peer.address);
    c->next = d->http->conns;
    c->at = &d->http->conns;
    if (c->next) {
        c->next->at = &c->next;
    }
    d->http->conns = c;
    d->http->open++;
    *ret = c;
}

static void end_conn(struct http *h, struct conn *c)
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
    struct daemon *d = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin_conn(d, mhd, context);
    } else if (*context) {
        end_conn(d->http, *context);
        *context = NULL;
    }
}

/* ---- times ---- */

static bool has_gone(const struct conn *c)
{
    struct pollfd p = {c->fd, POLLRDHUP, 0};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Bytes of answers that the other end's system has taken, or that were asked for to be sent. */
static uint64_t progress(const struct conn *c)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    const bool known =
        !c->peer.local && getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        len >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked);
    return known ? info.tcpi_bytes_acked : c->sent;
}

static void cut(struct conn *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    resume(c);
}

/* It is suspended: an answer is made, or there is nothing to send now. */
static void look_at_suspended(struct conn *c)
{
    if (has_gone(c)) {
        c->call->lost = true;
        cut(c);
    }
}

static void look_at(const struct http *h, struct conn *c, struct mono now)
{
    const struct http_call *call = c->call;
    if (c->suspended) {
        look_at_suspended(c);
    } else if (!call || (!call->given && !call->queued)) {
        if (mono_due(now, mono_add_ms(c->since, h->request_ms))) {
            cut(c);
        }
    } else if (call->queued) {
        const uint64_t sent = progress(c);
        if (sent != c->sent) {
            c->sent = sent;
            c->moved = now;
        } else if (mono_due(now, mono_add_ms(c->moved, h->still_ms))) {
            cut(c);
        }
    }
}

static void run(struct http *h);

static void on_look(struct loop *l, struct mono now, void *user)
{
    struct http *h = user;
    (void)l;
    for (struct conn *c = h->conns, *next; c; c = next) {
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
                   least == UINT64_MAX ? (struct mono){0}
                                       : mono_add_ms(mono_now(), (int64_t)MIN(least, 60000ULL)),
                   0);
}

/* All daemons, and then what they have handed over is one turn. */
static void run(struct http *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        (void)MHD_run(h->daemon[i].mhd);
    }
    if (h->given && h->conf.ops->turn) {
        h->given = false;
        h->conf.ops->turn(h->conf.user);
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
    struct daemon *d = &h->daemon[h->n];
    *d = (struct daemon){.http = h, .local = local};
    d->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, d, on_request, h,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        h, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
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
    for (struct conn *c = h->conns; c; c = c->next) {
        if (c->call) {
            c->call->lost = true;
        }
        resume(c);
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
