/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's streams: they are added and end while sessions come and go, and their ids are used again.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/dial/impl.h"

struct stream *dialer_find_stream(struct dialer *c, uint16_t id)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        if (c->stream[i].id == id) {
            return &c->stream[i];
        }
    }
    return NULL;
}

/* Counters begin at 0 with a stream, and a late record of an earlier stream must not be taken for
 * one of this: the key under which it was sealed is taken until some time after the next. */
static bool id_free(const struct dialer *c, uint16_t id)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        if (c->stream[i].id == id) {
            return false;
        }
    }
    return c->retired[id] == 0 || c->status.rekeys >= c->retired[id] - 1 + DIALER_ID_REKEYS;
}

uint16_t dialer_next_stream(const struct dialer *c)
{
    uint16_t id = c->last_id;
    for (unsigned i = 0; c->n_streams < DIALER_STREAMS && i < LINK_STREAM_MAX; i++) {
        id = (uint16_t)(id % LINK_STREAM_MAX + 1);
        if (id_free(c, id)) {
            return id;
        }
    }
    return 0;
}

int dialer_add_stream(struct dialer *c, const struct dialer_stream *s, uint16_t *ret_id)
{
    uint16_t id = dialer_next_stream(c);
    if (id == 0) {
        return -ENOSPC;
    }
    c->stream[c->n_streams++] = (struct stream){.id = id, .conf = *s};
    *ret_id = c->last_id = id;
    if (c->uplink.up && c->closing == OPEN) {
        dialer_send_streams(c);
    }
    return 0;
}

void dialer_stream_kind(struct dialer *c, uint16_t id, uint16_t linktype, uint16_t arphrd)
{
    struct stream *s = dialer_find_stream(c, id);
    if (s) {
        s->conf.linktype = linktype;
        s->conf.arphrd = arphrd;
    }
}

void dialer_forget_ids(struct dialer *c)
{
    memset(c->retired, 0, sizeof(c->retired));
}

void dialer_end_stream(struct dialer *c, uint16_t id)
{
    struct stream *s = dialer_find_stream(c, id);
    if (s) {
        s->ending = true;
    }
}

void dialer_end_streams(struct dialer *c)
{
    for (uint16_t i = c->n_streams; i-- > 0;) {
        struct stream *s = &c->stream[i];
        if (!s->ending || !s->conf.sender->ops->done(s->conf.sender)) {
            continue;
        }
        if (c->uplink.up && !s->end_known) {
            dialer_send_end(c, s);
            continue;
        }
        uint16_t id = s->id;
        c->retired[id] = c->status.rekeys + 1;
        dialer_arrival_ended(c, s);
        c->conf.ops->stream_ended(c->conf.user, id);
        c->stream[i] = c->stream[--c->n_streams];
    }
}

/* Nothing more is sent of it, nor heard: what is not accounted for never will be. */
static bool settled(const struct dialer *c, const struct stream *s)
{
    return c->closing == CLOSED ||
           (s->conf.sender->ops->done(s->conf.sender) && (!c->uplink.up || s->end_known));
}

static uint64_t unconfirmed(const struct dialer *c, const struct stream *s)
{
    const struct ledger *l = s->conf.sender->ops->ledger(s->conf.sender);
    uint64_t sent = ledger_get(l, LEDGER_TX_OUT), known = s->past_accounted + s->accounted;
    return settled(c, s) ? sent - MIN(known, sent) : ledger_get(l, LEDGER_TX_UNCONFIRMED);
}

void dialer_stream_status(const struct dialer *c, uint16_t id, struct dialer_stream_status *ret)
{
    *ret = (struct dialer_stream_status){0};
    for (uint16_t i = 0; i < c->n_streams; i++) {
        const struct stream *s = &c->stream[i];
        if (s->id == id) {
            ret->reported_lost = s->past_lost + s->lost;
            ret->confirmed = s->past_accounted + s->accounted - ret->reported_lost;
            ret->unconfirmed = unconfirmed(c, s);
        }
    }
}
