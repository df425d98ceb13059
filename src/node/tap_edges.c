/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_edges.h"

#include <errno.h>

#include "node/tap_capture.h"

static int start(void *user, struct interface *i, const struct interface_kind *kind,
                 struct error *err)
{
    struct tap_edges *e = user;
    const struct selection *s = e->common.select;
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
                                        .control = e->common.wake,
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

static void counts_of(void *user, const struct interface *i, struct interface_counts *ret)
{
    const struct tap_edges *e = user;
    struct dialer_stream_status st;
    dialer_stream_status(e->dialer, i->stream, &st);
    ret->said = (struct interface_said){st.confirmed, st.reported_lost, st.unconfirmed};
    ledger_copy(&ret->ledger, capture_ledger(i->capture));
}

static const struct interface_ops interface_ops = {
    .event = interface_edges_event,
    .say = interface_edges_say,
    .start = start,
    .open = interface_edges_open,
    .ring = interface_edges_ring,
    .renew = interface_edges_renew,
    .filter = give_filter,
    .kind = is_of_kind,
    .end = end,
    .told = interface_edges_told,
    .counts = counts_of,
    .free = interface_edges_free,
};

static bool has_session(void *user)
{
    const struct tap_edges *e = user;
    struct dialer_status st;
    dialer_status(e->dialer, &st);
    return st.up;
}

static const struct interfaces_ops interfaces_ops = {
    .watch = interface_edges_watch,
    .unwatch = interface_edges_unwatch,
    .ask = interface_edges_ask,
    .netns = interface_edges_netns,
    .own = interface_edges_own,
    .session = has_session,
};

void tap_edges_init(struct tap_edges *e, const struct selection *select)
{
    const struct interfaces_conf c = {"tapped", select, &interface_ops, &interfaces_ops, e};
    *e = (struct tap_edges){.seed = 0};
    interface_edges_init(&e->common, &c);
}
