/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap's control records: what goes to the collector on stream 0 and what comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "data/link/clock.h"
#include "data/link/dial/impl.h"
#include "sys/crypto/kdf.h"

int epoch_open(struct epoch *e, const struct handshake_keys *keys)
{
    epoch_close(e);
    int r = aead_new(keys->alg, keys->send, &e->tx, NULL);
    if (r == 0) {
        r = aead_new(keys->alg, keys->recv, &e->rx, NULL);
    }
    if (r < 0) {
        epoch_close(e);
        return r;
    }
    e->keys = *keys;
    e->valid = true;
    return 0;
}

void epoch_close(struct epoch *e)
{
    aead_free(e->tx);
    aead_free(e->rx);
    secure_wipe(e, sizeof(*e));
}

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
    size_t len = LINK_RECORD_HEADER + n + aead_tag_len(e->tx), sent = 0;
    r = udp_send_segments(&c->io, NULL, NULL, d, len, len, 0, &sent);
    dialer_path_sent(c, r);
    return r;
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
    *ret = (struct link_report_stream){
        .stream = s->id, .frames = p->frames, .datagrams = p->datagrams};
    for (unsigned k = 0; k <= LEDGER_TX_UNCONFIRMED; k++) {
        ret->has[k] = true;
        ret->n[k] = ledger_get(l, (enum ledger_id)k);
    }
}

static void begin_report(struct dialer *c, bool final, struct link_control *ret)
{
    struct mono now = mono_now();
    *ret = (struct link_control){.type = LINK_REPORT};
    ret->report = (struct link_report){.final = final, .now = wall_now().ns, .echo = c->last_now};
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

static void event_known(struct dialer *c, const struct link_event *e)
{
    if (e->life == c->life && e->number > c->events_known && e->number <= c->conf.history->last) {
        c->events_known = e->number;
        dialer_send_event(c);
    }
}

void dialer_send_close(struct dialer *c)
{
    dialer_send_report(c, true);
    send_control(c, &c->current, &(struct link_control){.type = LINK_CLOSE});
}

int dialer_sender_key(struct dialer *c, struct link_sender_key *ret)
{
    struct link_sender_key key = {.fd = fcntl(c->io.fd, F_DUPFD_CLOEXEC, 3),
                                  .shared = udp_shared_ref(c->io.shared),
                                  .receiver = c->current.keys.remote,
                                  .datagram = c->status.datagram};
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

static void begin_stream(struct dialer *c, struct stream *s)
{
    struct link_sender_key key;
    if (dialer_sender_key(c, &key) == 0 &&
        s->conf.sender->ops->session(s->conf.sender, &key, c->serial, s->past_accounted) == 0) {
        s->conf.sender->ops->hold(s->conf.sender, c->uplink.held);
        s->acked = true;
    }
}

static void stream_acked(struct dialer *c, uint16_t id)
{
    struct stream *s = dialer_find_stream(c, id);
    if (s && !s->acked && !s->ending && c->uplink.up) {
        begin_stream(c, s);
    }
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
    dialer_arrival_reported(c, r);
}

static void control(struct dialer *c, struct epoch *e, const struct link_control *ctl)
{
    switch (ctl->type) {
    case LINK_INFO_ACK:
        if (e == &c->pending) {
            c->probes = ctl->ack.probes;
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
        dialer_doubt_acked(c, &ctl->probe);
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

void dialer_record(struct dialer *c, uint8_t *d, size_t len)
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
