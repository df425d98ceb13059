/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending end's dealings with the rate (impl.h): datagrams leave as the budget lets them, and
 * the stage before the link learns what waits.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "data/link/send/impl.h"

static uint64_t on_wire(const struct link_tx *t, size_t len, uint32_t datagram)
{
    return len + (uint64_t)tx_datagrams(len, datagram) * t->headers;
}

int tx_transmit(struct link_tx *t, const uint8_t *data, size_t len, uint32_t datagram, int wait,
                size_t *ret_sent)
{
    if (!t->budget) {
        return udp_send_segments(&t->io, NULL, NULL, data, len, datagram, wait, ret_sent);
    }
    int r = 0;
    *ret_sent = 0;
    while (*ret_sent < len && r == 0) {
        uint32_t whole = datagram + t->headers;
        unsigned n = budget_take(t->budget, &t->seat, whole,
                                 tx_datagrams(len - *ret_sent, datagram), &t->wait_ms);
        if (n == 0) {
            t->may = 0;
            return -EDQUOT;
        }
        size_t part = MIN((size_t)n * datagram, len - *ret_sent), sent = 0;
        r = udp_send_segments(&t->io, NULL, NULL, data + *ret_sent, part, datagram, wait, &sent);
        budget_left(t->budget, &t->seat, (uint64_t)n * whole, on_wire(t, sent, datagram));
        t->view.left += on_wire(t, sent, datagram);
        t->may -= MIN(t->may, n);
        *ret_sent += sent;
    }
    return r;
}

/* All that waits, in bytes of the link. */
static uint64_t waiting_bytes(const struct link_tx *t)
{
    uint64_t frames = backlog_bytes(t->backlog) + LIMIT_FRAME * backlog_frames(t->backlog);
    return limit_bytes(&t->view, frames) + unsent_bytes(t->unsent) +
           (uint64_t)unsent_datagrams(t->unsent) * t->headers;
}

void tx_publish_limit(struct link_tx *t)
{
    struct limit_view *v = &t->view;
    v->waiting = waiting_bytes(t);
    if (v->waiting == 0 && t->told[0] == 0 && v->dropped == t->told[1]) {
        return;
    }
    const struct frame *f = backlog_front(t->backlog);
    int64_t oldest = !unsent_empty(t->unsent) ? t->sealed_ns : f ? f->ts_ns : 0;
    v->room = budget_tell(t->budget, &t->seat, v->waiting, oldest, v->dropped);
    /* It lives on the backlog's memory, of which a frame takes up to twice its bytes. */
    v->room = MIN(v->room, backlog_share(t->backlog) / 2);
    t->told[0] = v->waiting;
    t->told[1] = v->dropped;
}
