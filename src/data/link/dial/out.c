/* SPDX-License-Identifier: Apache-2.0
 *
 * All that the control thread sends to the collector: handshake messages and the control records of
 * stream 0.
 */
#include <errno.h>
#include <string.h>

#include "data/link/clock.h"
#include "data/link/dial/impl.h"
#include "sys/crypto/kdf.h"

/* A datagram was sent; `r` as of udp_send_segments(). */
static void note_sent(struct dialer *c, int r)
{
    if (r == -EPERM) {
        dialer_say(c, true,
                   "this host's own firewall does not let datagrams to the collector at %s out "
                   "(%s): it has to let UDP to that port pass",
                   c->conf.collector, strerror(EPERM));
    } else if (r < 0 && r != -EAGAIN && r != -EMSGSIZE && !c->uplink.up) {
        dialer_say(c, true, "cannot send to the collector at %s: %s", c->conf.collector,
                   strerror(-r));
    }
    switch (r) {
    case -EINVAL: /* what Linux says when the address that the socket sends from is gone */
    case -EADDRNOTAVAIL:
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -ENETDOWN:
    case -ENODEV:
        c->unsendable = true;
        break;
    default:
        break;
    }
}

/* Sends one datagram, at once whatever the rate: what data threads send next pays for it. */
static int transmit(struct dialer *c, const uint8_t *d, size_t len)
{
    size_t sent = 0;
    int r = udp_send_segments(&c->io, NULL, NULL, d, len, len, 0, &sent);
    if (c->conf.budget && sent > 0) {
        budget_charge(c->conf.budget, sent + c->headers);
    }
    note_sent(c, r);
    return r;
}

/* ---- handshakes ---- */

static void send_message(struct dialer *c, const uint8_t *d, int len)
{
    if (len > 0) {
        (void)transmit(c, d, (size_t)len);
    }
}

void dialer_send_hello(struct dialer *c)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    uint32_t index = 0;
    do {
        if (random_bytes(&index, sizeof(index)) < 0) {
            return;
        }
    } while (index == 0 || (c->current.valid && index == c->current.keys.local));
    epoch_close(&c->pending);
    uint32_t session = c->uplink.up && c->current.valid ? c->current.keys.remote : 0;
    int n = handshake_tap_again(&c->handshake, &c->conf.handshake, index, session, d);
    if (n > 0 && c->cookie_until.ns != 0 && !mono_due(mono_now(), c->cookie_until)) {
        link_hello_set_cookie(d, c->cookie);
    }
    send_message(c, d, n);
    if (!c->uplink.up && c->uplink.tries == UPLINK_TRIES) {
        bool same = strcmp(c->status.address, c->conf.collector) == 0;
        dialer_say(c, true, "no answer from the collector at %s%s%s yet: trying again",
                   c->conf.collector, same ? "" : ", ", same ? "" : c->status.address);
    }
}

void dialer_send_confirm(struct dialer *c)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    for (unsigned i = 0; i < HANDSHAKE_ANSWERS; i++) { /* one of them is the collector's */
        send_message(c, d, handshake_tap_confirm(&c->handshake, i, d));
    }
}

/* ---- records ---- */

/* Seals the `n` bytes behind the header's room in `d`, which has room for the tag too, and sends.
 */
static int seal_and_send(struct dialer *c, struct epoch *e, uint8_t *d, size_t n)
{
    uint8_t nonce[AEAD_NONCE_LEN];
    struct link_record rec = {0, e->keys.remote, e->counter++};
    link_record_encode(&rec, d);
    link_record_nonce(&rec, nonce);
    uint8_t *plain = d + LINK_RECORD_HEADER;
    int r = aead_seal(e->tx, nonce, d, LINK_RECORD_HEADER, plain, n, plain + n);
    if (r < 0) {
        return r;
    }
    return transmit(c, d, LINK_RECORD_HEADER + n + aead_tag_len(e->tx));
}

/* Nothing tells whether it went: it is repeated if it matters. */
static void send_control(struct dialer *c, struct epoch *e, const struct link_control *ctl)
{
    uint8_t d[LINK_RECORD_HEADER + LINK_CONTROL_MAX + AEAD_TAG_MAX];
    if (!e->valid || c->io.fd < 0) {
        return;
    }
    int n = link_control_encode(ctl, d + LINK_RECORD_HEADER, LINK_CONTROL_MAX);
    if (n >= 0) {
        (void)seal_and_send(c, e, d, (size_t)n);
    }
}

int dialer_send_probe(struct dialer *c, uint32_t token, uint32_t size)
{
    uint8_t d[LINK_PROBE_MAX + LINK_RECORD_HEADER + LINK_PROBE_LEN + AEAD_TAG_MAX] = {0};
    struct epoch *e = &c->current;
    if (!e->valid || c->io.fd < 0) {
        return -ENOTCONN;
    }
    size_t around = LINK_RECORD_HEADER + aead_tag_len(e->tx);
    size = MIN(MAX(size, (uint32_t)around + LINK_PROBE_LEN), (uint32_t)LINK_PROBE_MAX);
    const struct link_control ctl = {.type = LINK_PROBE, .probe = {token, (uint16_t)size}};
    int n = link_control_encode(&ctl, d + LINK_RECORD_HEADER, LINK_PROBE_LEN);
    return n < 0 ? n : seal_and_send(c, e, d, size - around);
}

static struct link_text text(const char *s, size_t max)
{
    size_t len = strlen(s);
    return (struct link_text){s, (uint16_t)(len < max ? len : max)};
}

void dialer_send_info(struct dialer *c)
{
    struct link_control ctl = {.type = LINK_INFO};
    ctl.info = (struct link_info){.tag = c->tag,
                                  .started = wall_now().ns,
                                  .name = text(c->conf.name, LINK_NAME_MAX),
                                  .host = text(c->conf.host, 128),
                                  .software = text(c->conf.software, 128)};
    send_control(c, &c->pending, &ctl);
}

void dialer_send_streams(struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct stream *s = &c->stream[i];
        if (s->acked || s->ending) {
            continue;
        }
        /* A long filter, which is for people only, must not keep frames from a narrow path. */
        size_t room = s->asked++ < DIALER_LONG_TRIES ? 900 : LINK_CONTROL_FIT - 64;
        struct link_control ctl = {.type = LINK_STREAM};
        ctl.stream = (struct link_stream){.stream = s->id,
                                          .snaplen = s->conf.snaplen,
                                          .speed_bps = s->conf.speed_bps,
                                          .ifname = text(s->conf.ifname, LINK_NAME_MAX),
                                          .filter = text(s->conf.filter, room),
                                          .linktype = s->conf.linktype,
                                          .arphrd = s->conf.arphrd};
        send_control(c, &c->current, &ctl);
    }
}

static void fill_report_stream(const struct stream *s, const struct link_sender_progress *p,
                               struct link_report_stream *ret)
{
    const struct ledger *l = s->conf.sender->ops->ledger(s->conf.sender);
    const struct ledger_way *way = s->conf.sender->ops->way(s->conf.sender);
    *ret = (struct link_report_stream){
        .stream = s->id, .frames = p->frames, .datagrams = p->datagrams};
    for (unsigned k = 0; k < LEDGER_COUNT; k++) {
        ret->has[k] = ledger_way_place(way, ledger_info((enum ledger_id)k)->stage) >= 0;
        ret->n[k] = ledger_get(l, (enum ledger_id)k);
    }
}

static void begin_report(struct dialer *c, bool final, struct link_control *ret)
{
    const struct time_pair t = time_pair();
    const struct mono now = t.mono;
    *ret = (struct link_control){.type = LINK_REPORT};
    ret->report = (struct link_report){.final = final, .now = t.wall.ns, .echo = c->last_now};
    ret->report.steady = t.apart <= TIME_PAIR_NS ? now.ns : 0;
    ret->report.echo_age = c->last_now ? (uint64_t)mono_diff(now, c->last_at) : 0;
    link_clock_sent(&c->clock, ret->report.now, now);
}

void dialer_send_end(struct dialer *c, struct stream *s)
{
    struct link_control ctl;
    struct link_sender_progress p = {0};
    (void)s->conf.sender->ops->progress(s->conf.sender, c->serial, &p);
    begin_report(c, true, &ctl);
    fill_report_stream(s, &p, &ctl.report.stream[ctl.report.count++]);
    send_control(c, &c->current, &ctl);
    ctl = (struct link_control){.type = LINK_STREAM_END};
    ctl.end = (struct link_stream_end){.stream = s->id, .frames = p.frames};
    send_control(c, &c->current, &ctl);
}

/* Sends the streams that are in it, but for the last when it only fits a path wider than the
 * narrowest; that one is the first of the next. */
static void report_full(struct dialer *c, struct link_control *ctl)
{
    uint8_t d[LINK_CONTROL_FIT];
    struct link_report *r = &ctl->report;
    bool fits = link_control_encode(ctl, d, sizeof(d)) >= 0;
    if (fits && r->count < LINK_REPORT_STREAMS) {
        return;
    }
    struct link_report_stream last = r->stream[r->count - 1];
    bool over = !fits && r->count > 1;
    r->count = (uint16_t)(r->count - (over ? 1 : 0));
    send_control(c, &c->current, ctl);
    r->count = over ? 1 : 0;
    r->stream[0] = last;
}

void dialer_send_report(struct dialer *c, bool final)
{
    struct link_control ctl;
    begin_report(c, final, &ctl);
    bool any = false;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct link_sender_progress p = {0};
        if (!c->stream[i].conf.sender->ops->progress(c->stream[i].conf.sender, c->serial, &p) &&
            !final) {
            continue; /* not begun: at the end that means no frames, which is said too */
        }
        fill_report_stream(&c->stream[i], &p, &ctl.report.stream[ctl.report.count++]);
        c->stream[i].told[1] = c->stream[i].told[0];
        c->stream[i].told[0] = p.frames;
        report_full(c, &ctl);
        any = true;
    }
    if (ctl.report.count > 0 || !any) { /* without streams it still is a sign of life */
        send_control(c, &c->current, &ctl);
    }
}

void dialer_send_event(struct dialer *c)
{
    const struct history *h = c->conf.history;
    unsigned i = 0;
    while (i < h->n && history_at(h, i)->number <= c->events_known) {
        i++;
    }
    if (i == h->n) {
        return;
    }
    const struct history_event *e = history_at(h, i);
    struct link_control ctl = {.type = LINK_EVENT};
    ctl.event = (struct link_event){.life = c->life,
                                    .number = e->number,
                                    .at = e->at.ns,
                                    .kind = e->kind,
                                    .subject = text(e->subject, HISTORY_SUBJECT),
                                    .words = text(e->words, HISTORY_WORDS)};
    send_control(c, &c->current, &ctl);
}

void dialer_send_close(struct dialer *c)
{
    dialer_send_report(c, true);
    send_control(c, &c->current,
                 &(struct link_control){.type = LINK_CLOSE, .reason = (uint8_t)c->close_reason});
}
