/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's streams: they are added and end while sessions come and go, and their ids are used again.
 */
#include <errno.h>
#include <string.h>

#include "data/client_impl.h"

struct stream *client_find_stream(struct client *c, uint16_t id)
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
static bool id_free(const struct client *c, uint16_t id)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        if (c->stream[i].id == id) {
            return false;
        }
    }
    return c->retired[id] == 0 || c->status.rekeys >= c->retired[id] - 1 + CLIENT_ID_REKEYS;
}

uint16_t client_next_stream(const struct client *c)
{
    uint16_t id = c->last_id;
    for (unsigned i = 0; c->n_streams < CLIENT_STREAMS && i < LINK_STREAM_MAX; i++) {
        id = (uint16_t)(id % LINK_STREAM_MAX + 1);
        if (id_free(c, id)) {
            return id;
        }
    }
    return 0;
}

int client_add_stream(struct client *c, const struct client_stream *s, uint16_t *ret_id)
{
    uint16_t id = client_next_stream(c);
    if (id == 0) {
        return -ENOSPC;
    }
    c->stream[c->n_streams++] = (struct stream){.id = id, .conf = *s};
    *ret_id = c->last_id = id;
    if (c->uplink.up && c->closing == OPEN) {
        client_send_streams(c);
    }
    return 0;
}

void client_stream_kind(struct client *c, uint16_t id, uint16_t linktype, uint16_t arphrd)
{
    struct stream *s = client_find_stream(c, id);
    if (s) {
        s->conf.linktype = linktype;
        s->conf.arphrd = arphrd;
    }
}

void client_forget_ids(struct client *c)
{
    memset(c->retired, 0, sizeof(c->retired));
}

void client_end_stream(struct client *c, uint16_t id)
{
    struct stream *s = client_find_stream(c, id);
    if (s) {
        s->ending = true;
    }
}

void client_end_streams(struct client *c)
{
    for (uint16_t i = c->n_streams; i-- > 0;) {
        struct stream *s = &c->stream[i];
        if (!s->ending || !worker_done(s->conf.worker)) {
            continue;
        }
        if (c->uplink.up && !s->end_known) {
            client_send_end(c, s);
            continue;
        }
        uint16_t id = s->id;
        c->retired[id] = c->status.rekeys + 1;
        c->conf.ops->stream_ended(c->conf.user, id);
        c->stream[i] = c->stream[--c->n_streams];
    }
}

void client_stream_status(const struct client *c, uint16_t id, struct client_stream_status *ret)
{
    *ret = (struct client_stream_status){0};
    for (uint16_t i = 0; i < c->n_streams; i++) {
        const struct stream *s = &c->stream[i];
        if (s->id == id) {
            ret->reported_lost = s->past_lost + s->lost;
            ret->confirmed = s->past_accounted + s->accounted - ret->reported_lost;
        }
    }
}
