/* SPDX-License-Identifier: Apache-2.0
 *
 * All that comes from the collector, or instead of its answer: handshake messages, control records,
 * and the net's refusals.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/clock.h"
#include "data/link/dial/impl.h"
#include "sys/crypto/kdf.h"

/* ---- handshakes ---- */

static void keep_refusal(struct dialer *c, const struct link_hs *m)
{
    const char *who = c->conf.collector;
    struct error *e = &c->refusal;
    switch (m->reason) {
    case LINK_REASON_VERSION:
        error_set(e, EPROTO,
                  "the collector at %s speaks versions %u to %u of the protocol, this tap version "
                  "%u: update the older one",
                  who, m->min_version, m->max_version, LINK_VERSION);
        break;
    case LINK_REASON_METHOD:
        error_set(e, EPROTO,
                  c->conf.handshake.method == LINK_PLAIN
                      ? "the collector at %s wants encryption: leave -K out and give it its key"
                      : "the collector at %s does not use this kind of key (passphrase, key pair "
                        "or none): both ends must be started alike",
                  who);
        break;
    case LINK_REASON_SECRET:
        error_set(e, EACCES, "the collector at %s refuses: wrong passphrase", who);
        break;
    case LINK_REASON_KEY:
        error_set(e, EACCES,
                  "the collector at %s does not allow this tap's key: add it to its list", who);
        break;
    case LINK_REASON_BUSY:
        error_set(e, EBUSY, "the collector at %s makes this tap wait after failed attempts", who);
        break;
    default:
        error_set(e, EACCES, "the collector at %s refuses (reason %u)", who, m->reason);
        break;
    }
}

/* A refusal that no key protects: it may explain why nothing goes, and decides nothing. */
static void rejected(struct dialer *c, const struct link_hs *m)
{
    if (m->reason != LINK_REASON_SESSION) {
        if (c->uplink.state >= UPLINK_HELLO && m->receiver == c->handshake.local) {
            keep_refusal(c, m);
            dialer_event(c, UPLINK_REFUSED);
        }
        return;
    }
    /* It repeats the index of our record: the collector's, which is all it knows. */
    if (!c->current.valid || m->receiver != c->current.keys.remote) {
        return;
    }
    if (c->closing == CLOSING) { /* most likely our CLOSE came and its acknowledgment did not */
        struct mono soon = mono_add_ms(mono_now(), DIALER_GONE_MS);
        if (soon.ns < c->close_deadline.ns) {
            c->close_deadline = soon;
        }
    } else {
        dialer_event(c, UPLINK_HINT);
    }
}

static void complete(struct dialer *c, struct handshake_keys *keys)
{
    int r = 0;
    if (!c->uplink.up) { /* one tag for all INFOs of a session, or the next key will not find it */
        r = random_bytes(&c->tag, sizeof(c->tag));
    }
    if (r == 0) {
        r = epoch_open(&c->pending, keys);
    }
    handshake_keys_wipe(keys);
    dialer_event(c, r == 0 ? UPLINK_ACCEPTED : UPLINK_FAILED);
}

static void answered(struct dialer *c, const uint8_t *d, size_t len, bool accept)
{
    struct handshake_keys keys;
    int r = accept ? handshake_tap_accept(&c->handshake, d, len, &keys)
                   : handshake_tap_answer(&c->handshake, d, len, &keys);
    if (r == 0) {
        complete(c, &keys);
    } else if (r == -EINPROGRESS) {
        dialer_event(c, UPLINK_ANSWER);
    }
}

static void cookie(struct dialer *c, const uint8_t *d, size_t len)
{
    if (handshake_tap_cookie(&c->handshake, d, len, c->cookie)) {
        c->cookie_until = mono_add_ms(mono_now(), COOKIE_USE_MS);
        dialer_event(c, UPLINK_COOKIE);
    }
}

/* ---- records ---- */

static void stream_acked(struct dialer *c, uint16_t id)
{
    struct stream *s = dialer_find_stream(c, id);
    if (s && !s->acked && !s->ending && c->uplink.up) {
        dialer_senders_begin(c, s);
    }
}

static void stream_ended(struct dialer *c, const struct link_stream_end *e)
{
    struct stream *s = dialer_find_stream(c, e->stream);
    if (!s || !s->ending || !s->conf.sender->ops->done(s->conf.sender)) {
        return;
    }
    if (e->frames >= s->accounted && e->lost <= e->frames) { /* else: it answered before, and that
                                                              * was lost */
        s->accounted = e->frames;
        s->lost = e->lost;
    }
    s->end_known = true;
}

static void reported(struct dialer *c, const struct link_report *r)
{
    struct mono now = mono_now();
    bool doubt = false;
    c->last_now = r->now;
    c->last_at = now;
    (void)link_clock(&c->clock, r, wall_now().ns, now, &c->status.rtt_ns,
                     &c->status.clock_offset_ns);
    for (unsigned i = 0; i < r->count; i++) {
        const struct link_report_stream *rs = &r->stream[i];
        struct stream *s = dialer_find_stream(c, rs->stream);
        if (s && rs->frames >= s->accounted && rs->lost <= rs->frames) { /* else: an older one */
            doubt |= rs->lost > s->lost || rs->frames < s->told[1];
            s->accounted = rs->frames;
            s->lost = rs->lost;
            s->conf.sender->ops->reported(s->conf.sender, rs->frames, rs->lost);
        }
    }
    dialer_path_reported(c, doubt);
    if (dialer_arrival_reported(c, r)) {
        dialer_event(c, UPLINK_PROVEN);
    }
}

static void event_known(struct dialer *c, const struct link_event *e)
{
    if (e->life == c->life && e->number > c->events_known && e->number <= c->conf.history->last) {
        c->events_known = e->number;
        dialer_send_event(c);
    }
}

static void control(struct dialer *c, struct epoch *e, const struct link_control *ctl)
{
    switch (ctl->type) {
    case LINK_INFO_ACK:
        if (e == &c->pending) {
            c->probes = ctl->ack.probes;
            c->weights = ctl->ack.weights;
            c->extensions = ctl->ack.extensions;
            c->flows = ctl->ack.flows;
            dialer_event(c, ctl->ack.resumed ? UPLINK_ACK_RESUMED : UPLINK_ACK_NEW);
        }
        break;
    case LINK_STREAM_ACK:
        stream_acked(c, ctl->stream.stream);
        break;
    case LINK_REPORT:
        reported(c, &ctl->report);
        break;
    case LINK_PROBE_ACK:
        dialer_path_acked(c, &ctl->probe);
        if (dialer_doubt_acked(c, &ctl->probe)) {
            dialer_event(c, UPLINK_PROVEN);
        }
        break;
    case LINK_EVENT:
        event_known(c, &ctl->event);
        break;
    case LINK_STREAM_END:
        stream_ended(c, &ctl->end);
        break;
    case LINK_CLOSE:
        dialer_say(c, true,
                   ctl->reason == LINK_CLOSE_REVOKED
                       ? "the collector at %s does not allow this tap any more"
                   : ctl->reason == LINK_CLOSE_CHANGED
                       ? "the collector at %s has another name or key for this tap now"
                       : "the collector at %s ends the session",
                   c->conf.collector);
        dialer_event(c, UPLINK_CLOSED);
        break;
    case LINK_CLOSE_ACK:
        if (c->closing == CLOSING) {
            c->close_deadline = mono_now();
        }
        break;
    default: /* nothing else is for a tap */
        break;
    }
}

static void record(struct dialer *c, uint8_t *d, size_t len)
{
    struct link_record rec;
    struct epoch *const all[] = {&c->current, &c->pending, &c->previous};
    if (link_record_decode(d, len, &rec) < 0 || rec.stream != 0) {
        c->status.refused_records++;
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        struct epoch *e = all[i];
        if (!e->valid || e->keys.local != rec.receiver) {
            continue;
        }
        uint8_t nonce[AEAD_NONCE_LEN];
        size_t tag = aead_tag_len(e->rx);
        struct link_control ctl;
        link_record_nonce(&rec, nonce);
        if (len < LINK_RECORD_HEADER + tag ||
            aead_open(e->rx, nonce, d, LINK_RECORD_HEADER, d + LINK_RECORD_HEADER,
                      len - LINK_RECORD_HEADER - tag, d + len - tag) < 0 ||
            !replay_accept(&e->replay, rec.counter)) {
            break;
        }
        if (e != &c->pending) {
            dialer_event(c, UPLINK_HEARD);
        }
        if (link_control_decode(d + LINK_RECORD_HEADER, len - LINK_RECORD_HEADER - tag, &ctl) ==
            0) {
            control(c, e, &ctl);
        }
        return;
    }
    c->status.refused_records++;
}

/* ---- both ---- */

void dialer_datagram(struct dialer *c, uint8_t *d, size_t len)
{
    struct link_hs m;
    switch (link_peek(d, len)) {
    case LINK_RECORD:
        record(c, d, len);
        break;
    case LINK_ANSWER:
        answered(c, d, len, false);
        break;
    case LINK_ACCEPT:
        answered(c, d, len, true);
        break;
    case LINK_COOKIE:
        cookie(c, d, len);
        break;
    case LINK_REJECT:
        if (link_hs_decode(d, len, &m) == 0) {
            rejected(c, &m);
        }
        break;
    default:
        c->status.refused_records++;
        break;
    }
}

/* No key protects it: it is told where nothing better is known, and a session is only doubted. */
void dialer_answered(struct dialer *c, enum udp_answer a)
{
    const char *who = c->conf.collector;
    if (!c->uplink.up && a == UDP_ANSWER_PORT) {
        dialer_say(c, true, "nobody listens at %s yet: trying again", who);
    } else if (!c->uplink.up && a == UDP_ANSWER_PROHIBITED) {
        dialer_say(c, true,
                   "a firewall refuses the datagrams to the collector at %s (ICMP: prohibited): it "
                   "has to let UDP to that port pass",
                   who);
    } else if (!c->uplink.up && a != UDP_ANSWER_NONE) {
        dialer_say(c, true, "the %s of the collector at %s is not reached (ICMP: unreachable)",
                   a == UDP_ANSWER_HOST ? "host" : "network", who);
    }
    if (a != UDP_ANSWER_NONE) {
        dialer_event(c, UPLINK_SUSPECT);
    }
}
