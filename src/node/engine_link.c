/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MEET_MS = 500,  /* between two tries */
    READ_MOST = 64, /* messages at once */
};

struct engine_link {
    struct engine_link_conf conf;
    int fd; /* -1: there is no session */
    struct loop_fd *event;
    bool greeted; /* by the control role */
    struct mono meet;
    struct rolemsg message; /* that is read; here because it is large */
    uint8_t bytes[WANTED_MESSAGE_MAX];
};

static void part(struct engine_link *l)
{
    if (l->fd >= 0) {
        loop_del_fd(l->conf.loop, TAKE_PTR(l->event));
        close(TAKE_FD(l->fd));
    }
    l->greeted = false;
    l->meet = mono_add_ms(mono_now(), MEET_MS);
}

bool engine_link_stands(const struct engine_link *l)
{
    return l->fd >= 0 && l->greeted;
}

bool engine_link_send(struct engine_link *l, const struct rolemsg *m)
{
    const int n = rolemsg_put(l->bytes, sizeof(l->bytes), m);
    if (l->fd < 0 || n < 0) {
        return false;
    }
    if (send(l->fd, l->bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n) {
        return true;
    }
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
        part(l);
    }
    return false;
}

static int take(struct engine_link *l, const struct rolemsg *m)
{
    if (m->type != ROLEMSG_HELLO) {
        return l->greeted ? l->conf.take(l->conf.user, m) : -EBADMSG;
    }
    if (l->greeted || m->version != ROLEMSG_VERSION) {
        return -EBADMSG;
    }
    l->greeted = true;
    return 0;
}

/* One message: 1; 0: there is none now; -EPIPE: the end; another -errno: the session is to end. */
static int read_one(struct engine_link *l)
{
    const ssize_t n = recv(l->fd, l->bytes, sizeof(l->bytes), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
    }
    if (n == 0) {
        return -EPIPE;
    }
    if ((size_t)n > sizeof(l->bytes) || rolemsg_get(l->bytes, (size_t)n, &l->message) < 0) {
        return -EBADMSG;
    }
    const int r = take(l, &l->message);
    return r < 0 ? r : 1;
}

static void on_message(struct loop *loop, int fd, uint32_t events, void *user)
{
    struct engine_link *l = user;
    int r = 1;
    (void)loop;
    (void)events;
    for (unsigned i = 0; r > 0 && i < READ_MOST && l->fd == fd; i++) {
        r = read_one(l);
    }
    if (r == -EBADMSG) {
        teller_tell(l->conf.teller, "the control role sent a message that is none: the connection "
                                    "to it begins anew");
    }
    if (r < 0) {
        part(l);
    }
    l->conf.took(l->conf.user);
}

void engine_link_tick(struct engine_link *l, struct mono now)
{
    int fd = -1;
    const struct rolemsg hello = {
        .type = ROLEMSG_HELLO, .version = ROLEMSG_VERSION, .life = l->conf.life};
    if (l->fd >= 0 || (l->meet.ns != 0 && !mono_due(now, l->meet))) {
        return;
    }
    l->meet = mono_add_ms(now, MEET_MS);
    if (l->conf.meet(l->conf.meeter, &fd) < 0) {
        return;
    }
    if (loop_add_fd(l->conf.loop, fd, EPOLLIN, on_message, l, &l->event) < 0) {
        close(fd);
        return;
    }
    l->fd = fd;
    if (engine_link_send(l, &hello)) {
        l->conf.begun(l->conf.user);
    } else {
        part(l);
    }
}

int engine_link_new(const struct engine_link_conf *conf, struct engine_link **ret)
{
    struct engine_link *l = calloc(1, sizeof(*l));
    if (!l) {
        return -ENOMEM;
    }
    l->conf = *conf;
    l->fd = -1;
    *ret = l;
    return 0;
}

void engine_link_free(struct engine_link *l)
{
    if (l) {
        part(l);
        free(l);
    }
}
