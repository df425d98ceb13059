/* SPDX-License-Identifier: Apache-2.0 */
#include "node/interface_edges.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/text.h"
#include "node/interface_requests.h"

enum {
    SETTLE_MS = 3000, /* for the first answer */
};

void interface_edges_tell(const struct interface_edges *e, enum history_kind kind,
                          const char *subject, const char *words)
{
    char name[HISTORY_SUBJECT + 1];
    text_name(name, sizeof(name), subject, strlen(subject)); /* an interface's: bytes */
    history_add(e->history, wall_now(), kind, name, "%s", words);
    teller_tell(e->teller, "%s: %s", name, words);
}

/* ---- of one interface ---- */

void interface_edges_event(void *user, enum history_kind kind, const char *subject,
                           const char *words)
{
    interface_edges_tell(user, kind, subject, words);
}

void interface_edges_say(void *user, const char *text)
{
    const struct interface_edges *e = user;
    teller_tell(e->teller, "%s", text);
}

int interface_edges_open(void *user, const struct interface *i, struct tapped *ret,
                         struct ring **ret_ring, struct error *err)
{
    struct interface_edges *e = user;
    struct tapped now;
    int fd = -1;
    int r = interface_request_ring(e->broker, i->name, &now, &fd, err);
    if (r < 0) {
        return r;
    }
    const struct ring_conf rc = selection_ring(e->select, i->word, &now);
    r = ring_attach(fd, &rc, ret_ring, err);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret = now;
    return 0;
}

int interface_edges_ring(void *user, struct interface *i, struct ring *ring,
                         const struct sock_filter *program, unsigned n, struct error *err)
{
    _cleanup_(ring_freep) struct ring *own = ring;
    (void)user;
    int r = own ? ring_set_filter(own, program, n, err) : 0;
    if (r < 0) {
        return r;
    }
    r = capture_ring(i->capture, TAKE_PTR(own));
    return r < 0 ? error_sys(err, -r, "%s", i->name) : 0;
}

int interface_edges_renew(void *user, struct interface *i, struct ring *ring,
                          const struct sock_filter *program, unsigned n, uint64_t known,
                          struct error *err)
{
    _cleanup_(ring_freep) struct ring *own = ring;
    (void)user;
    int r = ring_set_filter(own, program, n, err);
    if (r < 0) {
        return r;
    }
    r = capture_renew(i->capture, TAKE_PTR(own), known);
    return r < 0 ? error_sys(err, -r, "%s", i->name) : 0;
}

struct history_event *interface_edges_told(void *user, const struct interface *i)
{
    (void)user;
    return capture_take_event(i->capture);
}

void interface_edges_free(void *user, struct interface *i)
{
    (void)user;
    capture_free(i->capture);
}

const char *interface_edges_state(const struct interface *i)
{
    bool down = i->now.index != 0 && !(i->now.flags & IFF_UP);
    return !i->there ? "gone" : down ? "down" : i->idle.dead ? "dead" : "up";
}

/* ---- of all ---- */

static void on_link(void *user, enum ifwatch_kind kind, const struct netif *link)
{
    struct interface_edges *e = user;
    interfaces_hear(&e->interfaces, kind, link, mono_now());
}

void interface_edges_read(struct interface_edges *e)
{
    static const struct netif none;
    if (ifwatch_read(e->watch, on_link, e) < 0) {
        on_link(e, IFWATCH_LOST, &none);
    }
    interfaces_heard(&e->interfaces, mono_now());
}

static void on_watch(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    interface_edges_read(user);
}

int interface_edges_watch(void *user, struct error *err)
{
    struct interface_edges *e = user;
    int r = interface_request_watch(e->broker, &e->watch, err);
    if (r < 0) {
        return r;
    }
    r = loop_add_fd(e->loop, e->watch, EPOLLIN, on_watch, e, &e->watch_event);
    if (r < 0) {
        close(TAKE_FD(e->watch));
        return error_sys(err, -r, "cannot watch the interfaces");
    }
    return 0;
}

void interface_edges_unwatch(void *user)
{
    struct interface_edges *e = user;
    loop_del_fd(e->loop, TAKE_PTR(e->watch_event));
    close(TAKE_FD(e->watch));
}

int interface_edges_ask(void *user)
{
    const struct interface_edges *e = user;
    return ifwatch_ask(e->watch);
}

int interface_edges_netns(void *user, uint64_t *ret_id)
{
    const struct interface_edges *e = user;
    return interface_request_netns(e->broker, ret_id);
}

bool interface_edges_own(void *user, int index)
{
    const struct interface_edges *e = user;
    return interface_request_own(e->broker, index);
}

/* ---- together ---- */

void interface_edges_init(struct interface_edges *e, const struct interfaces_conf *conf)
{
    *e = (struct interface_edges){.select = conf->select, .watch = -1};
    interfaces_init(&e->interfaces, conf);
}

void interface_edges_done(struct interface_edges *e)
{
    interfaces_done(&e->interfaces);
}

void interface_edges_settle(struct interface_edges *e)
{
    const struct mono end = mono_add_ms(mono_now(), SETTLE_MS);
    while (!interfaces_settled(&e->interfaces) && !mono_due(mono_now(), end)) {
        struct pollfd p = {e->watch, POLLIN, 0};
        if (poll(&p, 1, 100) > 0) {
            interface_edges_read(e);
        }
    }
    interfaces_say_waiting(&e->interfaces);
}

void interface_edges_woke(struct interface_edges *e)
{
    for (unsigned k = 0; k < e->interfaces.n; k++) {
        const struct interface *i = e->interfaces.at[k];
        int r = capture_take_error(i->capture);
        if (r != 0 && r != ENETDOWN) { /* of that one the kernel tells more */
            teller_tell(e->teller, "%s: %s", i->name, strerror(r));
        }
    }
    interfaces_tell(&e->interfaces);
}
