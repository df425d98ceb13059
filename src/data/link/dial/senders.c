/* SPDX-License-Identifier: Apache-2.0
 *
 * The streams' senders, as the dialer speaks to them: they get keys, sizes and news of the session,
 * and are asked how far they are (data/link/sender.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "data/link/dial/impl.h"

/* A sending key for a data thread; -errno. */
static int sender_key(struct dialer *c, struct link_sender_key *ret)
{
    struct link_sender_key key = {.fd = fcntl(c->io.fd, F_DUPFD_CLOEXEC, 3),
                                  .shared = udp_shared_ref(c->io.shared),
                                  .receiver = c->current.keys.remote,
                                  .datagram = c->status.datagram,
                                  .weights = c->weights,
                                  .extensions = c->extensions,
                                  .flows = c->flows};
    int r =
        key.fd < 0 ? -errno : aead_new(c->current.keys.alg, c->current.keys.send, &key.aead, NULL);
    if (r < 0) {
        dialer_say(c, true, "a data thread cannot have the session's socket and key: %s%s",
                   strerror(-r), r == -EMFILE ? "; raise the limit (ulimit -n)" : "");
        link_sender_key_done(&key);
        return r;
    }
    *ret = key;
    return 0;
}

void dialer_senders_begin(struct dialer *c, struct stream *s)
{
    struct link_sender_key key;
    if (sender_key(c, &key) == 0 &&
        s->conf.sender->ops->session(s->conf.sender, &key, c->serial, s->past_accounted) == 0) {
        s->conf.sender->ops->hold(s->conf.sender, c->uplink.held);
        s->acked = true;
    }
}

/* Senders that could not take the newest key get it at a later tick; the collector takes the old
 * key for a while. */
void dialer_senders_keys(struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct stream *s = &c->stream[i];
        struct link_sender_key key;
        if (s->ended && !s->acked) {
            s->ended = s->conf.sender->ops->down(s->conf.sender, s->past_accounted) < 0;
        }
        if (s->stale && sender_key(c, &key) == 0) {
            s->stale = s->conf.sender->ops->rekey(s->conf.sender, &key) < 0;
        }
    }
}

void dialer_senders_rekey(struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        c->stream[i].stale = c->stream[i].acked;
    }
    dialer_senders_keys(c);
}

void dialer_senders_size(struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct stream *s = &c->stream[i];
        if (s->acked && s->conf.sender->ops->size(s->conf.sender, c->status.datagram) < 0) {
            s->stale = true; /* with its key it gets the size too */
        }
    }
}

void dialer_senders_hold(struct dialer *c, bool held)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        c->stream[i].conf.sender->ops->hold(c->stream[i].conf.sender, held);
    }
}

void dialer_senders_down(struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct stream *s = &c->stream[i];
        s->past_accounted += s->accounted;
        s->past_lost += s->lost;
        s->accounted = s->lost = 0;
        s->ended = s->conf.sender->ops->down(s->conf.sender, s->past_accounted) < 0;
        s->acked = s->stale = false;
        s->asked = 0;
        s->told[0] = s->told[1] = 0;
    }
}

bool dialer_senders_done(const struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        if (!c->stream[i].conf.sender->ops->done(c->stream[i].conf.sender)) {
            return false;
        }
    }
    return true;
}

bool dialer_worn_out(const struct dialer *c)
{
    struct link_sender_progress p;
    bool worn = false;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        worn |= c->stream[i].conf.sender->ops->progress(c->stream[i].conf.sender, c->serial, &p) &&
                p.datagrams > LINK_COUNTER_MAX / 2;
    }
    return worn;
}
