/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_edges.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/text.h"
#include "node/tap_capture.h"
#include "node/tap_requests.h"

void tap_edges_event(const struct tap_edges *e, enum history_kind kind, const char *subject,
                     const char *words)
{
    char name[HISTORY_SUBJECT + 1];
    text_name(name, sizeof(name), subject, strlen(subject)); /* an interface's: bytes */
    history_add(e->history, wall_now(), kind, name, "%s", words);
    teller_tell(e->teller, "%s: %s", name, words);
}

/* ---- of one interface ---- */

static void on_event(void *user, enum history_kind kind, const char *subject, const char *words)
{
    tap_edges_event(user, kind, subject, words);
}

static void on_say(void *user, const char *text)
{
    const struct tap_edges *e = user;
    teller_tell(e->teller, "%s", text);
}

static int start(void *user, struct interface *i, const struct interface_kind *kind,
                 struct error *err)
{
    struct tap_edges *e = user;
    const struct selection *s = e->select;
    struct dialer_stream ds = {.ifname = i->name,
                               .filter = s->filter ? s->filter : "",
                               .snaplen = s->snaplen,
                               .linktype = kind->linktype,
                               .arphrd = kind->arphrd};
    const struct tap_capture_conf cc = {.stream = dialer_next_stream(e->dialer),
                                        .take_links = s->take_links,
                                        .keep_super = s->keep_super,
                                        .snaplen = s->snaplen,
                                        .stages = &s->stages,
                                        .restage = s->restage,
                                        .seed = e->seed,
                                        .name = i->name,
                                        .control = e->wake,
                                        .shared = &e->shared};
    if (cc.stream == 0) {
        return error_set(err, ENOSPC,
                         "%s is not tapped: too many interfaces came and went in a few minutes",
                         i->name);
    }
    int r = tap_capture_start(&cc, &i->capture, err);
    if (r < 0) {
        return r;
    }
    ds.sender = tap_capture_sender(i->capture);
    r = dialer_add_stream(e->dialer, &ds, &i->stream);
    if (r < 0) {
        capture_free(TAKE_PTR(i->capture));
        return error_sys(err, -r, "%s", i->name);
    }
    return 0;
}

static int open_ring(void *user, const struct interface *i, struct tapped *ret,
                     struct ring **ret_ring, struct error *err)
{
    struct tap_edges *e = user;
    struct tapped now;
    int fd = -1;
    int r = tap_request_ring(e->broker, i->name, &now, &fd, err);
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

static int give_ring(void *user, struct interface *i, struct ring *ring,
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

static int give_second_ring(void *user, struct interface *i, struct ring *ring,
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

static int give_filter(void *user, struct interface *i, struct filter_prog *program,
                       const struct ether_flow *flow)
{
    (void)user;
    return tap_capture_filter(i->capture, program, flow);
}

static void is_of_kind(void *user, struct interface *i, const struct interface_kind *kind)
{
    struct tap_edges *e = user;
    dialer_stream_kind(e->dialer, i->stream, kind->linktype, kind->arphrd);
}

static void end(void *user, struct interface *i)
{
    struct tap_edges *e = user;
    capture_stop(i->capture);
    dialer_end_stream(e->dialer, i->stream);
}

static struct history_event *told(void *user, const struct interface *i)
{
    (void)user;
    return capture_take_event(i->capture);
}

static void counts_of(void *user, const struct interface *i, struct interface_counts *ret)
{
    const struct tap_edges *e = user;
    struct dialer_stream_status st;
    dialer_stream_status(e->dialer, i->stream, &st);
    ret->said = (struct interface_said){st.confirmed, st.reported_lost, st.unconfirmed};
    ret->ledger = *capture_ledger(i->capture);
}

static void free_capture(void *user, struct interface *i)
{
    (void)user;
    capture_free(i->capture);
}

static const struct interface_ops interface_ops = {
    .event = on_event,
    .say = on_say,
    .start = start,
    .open = open_ring,
    .ring = give_ring,
    .renew = give_second_ring,
    .filter = give_filter,
    .kind = is_of_kind,
    .end = end,
    .told = told,
    .counts = counts_of,
    .free = free_capture,
};

/* ---- of all ---- */

static void on_link(void *user, enum ifwatch_kind kind, const struct netif *link)
{
    struct tap_edges *e = user;
    interfaces_hear(&e->interfaces, kind, link, mono_now());
}

void tap_edges_read(struct tap_edges *e)
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
    tap_edges_read(user);
}

static int watch(void *user, struct error *err)
{
    struct tap_edges *e = user;
    int r = tap_request_watch(e->broker, &e->watch, err);
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

static void unwatch(void *user)
{
    struct tap_edges *e = user;
    loop_del_fd(e->loop, TAKE_PTR(e->watch_event));
    close(TAKE_FD(e->watch));
}

static int ask(void *user)
{
    const struct tap_edges *e = user;
    return ifwatch_ask(e->watch);
}

static int which_netns(void *user, uint64_t *ret_id)
{
    const struct tap_edges *e = user;
    return tap_request_netns(e->broker, ret_id);
}

static bool is_own(void *user, int index)
{
    const struct tap_edges *e = user;
    return tap_request_own(e->broker, index);
}

static bool has_session(void *user)
{
    const struct tap_edges *e = user;
    struct dialer_status st;
    dialer_status(e->dialer, &st);
    return st.up;
}

static const struct interfaces_ops interfaces_ops = {
    .watch = watch,
    .unwatch = unwatch,
    .ask = ask,
    .netns = which_netns,
    .own = is_own,
    .session = has_session,
};

void tap_edges_init(struct tap_edges *e, const struct selection *select)
{
    const struct interfaces_conf c = {"tapped", select, &interface_ops, &interfaces_ops, e};
    *e = (struct tap_edges){.select = select, .watch = -1};
    interfaces_init(&e->interfaces, &c);
}

void tap_edges_done(struct tap_edges *e)
{
    interfaces_done(&e->interfaces);
}
