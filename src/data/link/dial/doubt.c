/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap's doubt whether what it sends arrives: where it comes from beside silence, and what ends
 * it. While a session is held, each tick asks the collector for an answer; one that could not have
 * been given before the doubt began is the proof that both ways are good.
 */
#include "base/cleanup.h"
#include "data/link/dial/impl.h"

enum {
    AHEAD = 1 << 30, /* tokens from here on: the search for the path's width never comes so far */
};

/* Frames numbered in this session, and how many of them the collector has accounted for. */
static void sums(const struct dialer *c, uint64_t *ret_sent, uint64_t *ret_accounted)
{
    *ret_sent = *ret_accounted = c->ended_frames;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct link_sender_progress p;
        if (c->stream[i].conf.sender->ops->progress(c->stream[i].conf.sender, c->serial, &p)) {
            *ret_sent += p.frames;
            *ret_accounted += c->stream[i].accounted;
        }
    }
}

void dialer_arrival_begin(struct dialer *c)
{
    c->ended_frames = 0;
    arrival_begin(&c->arrival, mono_now());
}

void dialer_arrival_ended(struct dialer *c, const struct stream *s)
{
    struct link_sender_progress p;
    if (s->conf.sender->ops->progress(s->conf.sender, c->serial, &p)) {
        c->ended_frames += p.frames;
    }
}

static void ask(struct dialer *c)
{
    if (c->probes) { /* else a report tells, by the one that it echoes */
        (void)dialer_send_probe(c, c->proof, 0);
    }
}

static void begin(struct dialer *c)
{
    c->doubted = mono_now();
    c->proof = AHEAD | (c->proof + 1) % AHEAD;
    ask(c);
}

void dialer_doubt_changed(struct dialer *c, bool held)
{
    uint64_t sent = 0, accounted = 0;
    if (held) {
        begin(c);
        return;
    }
    sums(c, &sent, &accounted);
    arrival_forgive(&c->arrival, sent, mono_now());
}

bool dialer_doubt(struct dialer *c)
{
    if (c->uplink.held) {
        begin(c); /* answers to what was asked before it prove nothing now */
    }
    return !c->uplink.held;
}

bool dialer_doubt_acked(const struct dialer *c, const struct link_probe *ack)
{
    return c->uplink.held && ack->token == c->proof;
}

bool dialer_arrival_reported(struct dialer *c, const struct link_report *r)
{
    uint64_t sent = 0, accounted = 0;
    struct mono echoed = link_clock_echoed(&c->clock, r);
    sums(c, &sent, &accounted);
    arrival_reported(&c->arrival, accounted, mono_now());
    return c->uplink.held && echoed.ns > c->doubted.ns;
}

bool dialer_doubt_tick(struct dialer *c, struct mono now)
{
    uint64_t sent = 0, accounted = 0;
    if (!c->uplink.up) {
        return false;
    }
    sums(c, &sent, &accounted);
    arrival_sent(&c->arrival, sent, now);
    if (c->uplink.held) {
        ask(c);
        return false;
    }
    return arrival_doubtful(&c->arrival, c->status.rtt_ns, now);
}
