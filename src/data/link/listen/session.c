/* SPDX-License-Identifier: Apache-2.0
 *
 * The sessions of the collector: they begin with an INFO, go by the control records that taps send
 * on stream 0, and end. The answers leave through out.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/clock.h"
#include "data/link/listen/impl.h"

static struct receiver *of(const struct listener *s, const struct session *ss)
{
    return s->receiver[ss->thread];
}

/* Asks the data thread to close the books; the rest follows with RECEIVER_CLOSED. */
void listener_session_end(struct listener *s, struct session *ss)
{
    ss->closing = true;
    if (!ss->asked) {
        ss->asked = receiver_close(of(s, ss), ss->id) == 0; /* else at the next tick */
    }
}

void listener_session_closed(struct listener *s, uint32_t id)
{
    struct session *ss = s->session[id];
    if (!ss) {
        return;
    }
    if (ss->wants_ack && ss->key) {
        listener_send_report(s, ss); /* the tap's last word on what arrived */
        listener_send_control(s, ss->key, &(struct link_control){.type = LINK_CLOSE_ACK});
    }
    while (ss->keys) {
        listener_drop_key(s, ss->keys);
    }
    struct peer *t = ss->peer;
    t->unclosed += ss->wants_ack ? 0 : 1;
    listener_traffic_note(t);
    listener_tell_event(s, t, HISTORY_SESSION_OVER,
                        ss->wants_ack ? "session closed by the tap"
                                      : "session ended without the tap's last word");
    for (unsigned i = 0; i < t->n_points; i++) {
        if (t->point[i]->shown) {
            listener_point_idle(t->point[i]);
        }
    }
    if (t->session == ss) {
        t->session = NULL;
        if (t->device.fd >= 0) {
            close(TAKE_FD(t->device.fd));
            t->device_closed = mono_now();
        }
    }
    listener_session_remove(s, ss);
    free(ss);
}

/* NULL with *ret_wait: another session has to end first, or to show that it lives, or the tap has
 * begun too many. */
static struct session *session_make(struct listener *s, struct key *k, const struct link_info *info,
                                    bool *ret_wait)
{
    *ret_wait = false;
    struct peer *t =
        s->n_sessions < RECEIVER_SESSIONS ? listener_peer_for(s, info, k, ret_wait) : NULL;
    if (t && !bucket_has(&t->begins, LISTENER_BEGINS, LISTENER_BEGINS_BURST, mono_now())) {
        *ret_wait = true;
        return NULL;
    }
    if (t && t->session) {
        listener_session_end(s, t->session); /* the tap was started anew; wait for its old books */
        *ret_wait = true;
        return NULL;
    }
    struct session *ss = t ? calloc(1, sizeof(*ss)) : NULL;
    if (!ss) {
        return NULL;
    }
    ss->tag = info->tag;
    ss->thread = k->index % s->conf.n_threads;
    ss->peer = t;
    ss->entry = k->handshake.entry;
    ss->aligned.era = s->era;
    listener_session_add(s, ss);
    /* not all at once, where all came at once */
    ss->next_report = mono_add_ms(mono_now(), 1000 + ss->id % LISTENER_SPREAD * LISTENER_TICK_MS);
    (void)bucket_take(&t->begins, LISTENER_BEGINS, LISTENER_BEGINS_BURST, mono_now());
    t->session = ss;
    t->end = LISTENER_SILENT;
    t->sessions++;
    t->since = mono_now();
    t->cipher = aead_alg_name(k->alg);
    t->last_addr = k->from;
    return ss;
}

/* A tap that makes keys faster than old ones expire must not fill the table of all. */
static void drop_surplus(struct listener *s, struct session *ss)
{
    unsigned n = 0;
    struct key *oldest = NULL;
    for (struct key *k = ss->keys; k; k = k->next) {
        oldest = k != ss->key && (!oldest || k->made.ns < oldest->made.ns) ? k : oldest;
        n++;
    }
    if (n > LISTENER_KEYS) {
        listener_drop_key(s, oldest);
    }
}

static int take_key(struct listener *s, struct session *ss, struct key *k)
{
    struct key *old = ss->key;
    int r = receiver_bind(of(s, ss), k->index, ss->id);
    if (r < 0) {
        return r;
    }
    if (old && old != k) { /* what is under way under the old one is still taken */
        old->expires = mono_add_ms(mono_now(), LISTENER_OLD_KEY_MS);
    }
    handshake_collector_forget(&k->handshake);
    listener_half_remove(s, k);
    k->session = ss;
    k->expires = (struct mono){0};
    listener_list_key(k);
    ss->key = k;
    drop_surplus(s, ss);
    listener_session_moved(s, ss);
    ss->guesses = 0;
    s->counters.accepted++;
    return 0;
}

static int begin(struct listener *s, struct key *k, const struct link_info *info, bool *ret_wait)
{
    struct session *ss = listener_session_tagged(s, info->tag, k->handshake.entry);
    bool resumed = ss != NULL;
    *ret_wait = false;
    if (ss && ss->thread != k->index % s->conf.n_threads) {
        return -EAGAIN; /* it did not say whose HELLO it was, nor came from where it was known */
    }
    ss = ss ? ss : session_make(s, k, info, ret_wait);
    if (!ss) {
        return -EAGAIN;
    }
    ss->heard = ss->peer->heard = mono_now();
    if (take_key(s, ss, k) < 0) {
        if (!resumed) {
            listener_session_end(s, ss);
        }
        return -EAGAIN;
    }
    if (resumed) {
        ss->peer->rekeys++;
    } else {
        char text[UDP_ADDR_TEXT];
        udp_addr_text(&k->from, text);
        listener_tell(s, ss->peer, false, " at %s: session up (%s)", text,
                      k->alg == AEAD_NULL ? "NOT ENCRYPTED" : aead_alg_name(k->alg));
        char words[UDP_ADDR_TEXT + 16];
        snprintf(words, sizeof(words), "session up from %s", text);
        listener_tell_event(s, ss->peer, HISTORY_SESSION_UP, words);
    }
    k->proven = resumed; /* kept to answer a repeated INFO alike */
    return 0;
}

/* `d`: the record, kept if it has to wait, so that the tap need not ask again. */
static void on_info(struct listener *s, struct key *k, const struct link_info *info,
                    const uint8_t *d, size_t len)
{
    bool wait = false;
    if (k->asked.ns == 0) {
        k->asked = mono_now();
    }
    if (!k->session && begin(s, k, info, &wait) < 0) {
        if (wait && !k->info && (k->info = malloc(len)) != NULL) {
            memcpy(k->info, d, len);
            k->info_len = (uint16_t)len;
        }
        return;
    }
    listener_send_control(s, k,
                          &(struct link_control){.type = LINK_INFO_ACK,
                                                 .ack = {.resumed = k->proven,
                                                         .probes = true,
                                                         .weights = true,
                                                         .extensions = true,
                                                         .flows = true}});
}

void listener_info_waits(struct listener *s, struct key *k)
{
    _cleanup_(freep) uint8_t *d = TAKE_PTR(k->info);
    struct link_control c;
    if (!k->session && link_control_decode(d, k->info_len, &c) == 0) {
        on_info(s, k, &c.info, d, k->info_len);
    }
}

/* Why a stream is not served. The tap asks for it again and again: one sentence a session does. */
static void _printf_(3, 4) say_once(struct listener *s, struct session *ss, const char *fmt, ...)
{
    char why[256];
    va_list ap;
    if (ss->told_unserved) {
        return;
    }
    ss->told_unserved = true;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    listener_tell(s, ss->peer, true, " is not served: %s", why);
}

static int open_device(struct listener *s, struct peer *t)
{
    struct error err = {""};
    struct mono now = mono_now();
    if (t->device.fd >= 0) {
        return 0;
    }
    if ((t->device_next.ns != 0 && !mono_due(now, t->device_next)) ||
        !bucket_has(&s->devices, LISTENER_DEVICES, LISTENER_DEVICES_BURST, now)) {
        return -EAGAIN; /* the tap asks ten times a second */
    }
    int r = s->conf.ops->device(s->conf.user, t->name, &t->device, &err);
    if (r == -EEXIST && t->device_closed.ns != 0 &&
        !mono_due(now, mono_add_ms(t->device_closed, LISTENER_DEVICE_MS))) {
        return -EAGAIN; /* its last frames may still be on their way into the old one */
    }
    if (r < 0) {
        say_once(s, t->session, "%s", err.text);
    }
    if (t->device.fd >= 0) { /* one of its own: names cost nothing where all have one passphrase */
        (void)bucket_take(&s->devices, LISTENER_DEVICES, LISTENER_DEVICES_BURST, now);
    }
    t->device_next = r < 0 ? mono_add_ms(now, LISTENER_DEVICE_MS) : (struct mono){0};
    return r;
}

/* Its place, n_streams: none. */
static unsigned stream_at(const struct session *ss, uint16_t id)
{
    unsigned i = 0;
    while (i < ss->n_streams && ss->stream_id[i] != id) {
        i++;
    }
    return i;
}

static bool stream_known(const struct session *ss, uint16_t id)
{
    return stream_at(ss, id) < ss->n_streams;
}

/* Fills the fields that the data thread may read from now on until the session is closed. */
static void describe(struct point *p, const struct link_stream *ls)
{
    free(p->filter);
    p->filter = ls->filter.len > 0 ? calloc(1, (size_t)ls->filter.len + 1) : NULL;
    for (size_t i = 0; p->filter && i < ls->filter.len; i++) {
        char c = ls->filter.p[i];
        p->filter[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    p->snaplen = ls->snaplen;
    p->speed_bps = ls->speed_bps;
    p->linktype = ls->linktype;
    p->arphrd = ls->arphrd;
}

static bool add_stream(struct listener *s, struct session *ss, const struct link_stream *ls)
{
    const char *why = "";
    if (ss->n_streams == POINT_STREAMS || open_device(s, ss->peer) < 0 ||
        !bucket_take(&ss->peer->streams, LISTENER_STREAMS, LISTENER_STREAMS_BURST, mono_now())) {
        return false; /* it asks again */
    }
    struct point *p = listener_point_for(s, ss->peer, ls->ifname, &why);
    if (!p) {
        say_once(s, ss, "%.*s: %s", (int)MIN(ls->ifname.len, LINK_NAME_MAX), ls->ifname.p, why);
        return false;
    }
    if (p->has_stream) { /* two streams would write one ledger */
        say_once(s, ss, "%s comes twice in one session: the second is left out", p->ifname);
        return false;
    }
    if (!p->shown) {
        describe(p, ls);
    }
    atomic_store_explicit(&p->accounted, 0,
                          memory_order_relaxed); /* not those of its last session */
    atomic_store_explicit(&p->lost, 0, memory_order_relaxed);
    if (receiver_stream_add(of(s, ss), ss->id, ls->stream, p, ss->peer->device.fd) < 0) {
        return false;
    }
    ss->final[ss->n_streams] = ss->ending[ss->n_streams] = false;
    ss->stream_id[ss->n_streams] = ls->stream;
    ss->stream[ss->n_streams++] = p;
    p->has_stream = p->shown = true;
    p->reported_at = (struct mono){0};
    return true;
}

/* The tap asks again until it is answered. */
static void on_stream(struct listener *s, struct session *ss, struct key *k,
                      const struct link_stream *ls)
{
    /* one that is known: our answer was lost */
    bool taken = stream_known(ss, ls->stream) || add_stream(s, ss, ls);
    listener_note_refused(ss, ls->stream, !taken);
    if (taken) {
        listener_send_control(s, k, &(struct link_control){.type = LINK_STREAM_ACK, .stream = *ls});
    }
}

static void on_port(struct listener *s, struct session *ss, const struct link_port *lp)
{
    const char *why = "";
    if (lp->port >= POINT_OF_PEER || !stream_known(ss, lp->stream)) {
        return;
    }
    struct point *p = listener_point_for(s, ss->peer, lp->ifname, &why);
    if (!p) { /* its frames come under the stream's own name */
        say_once(s, ss, "%.*s: %s", (int)MIN(lp->ifname.len, LINK_NAME_MAX), lp->ifname.p, why);
        return;
    }
    p->shown = p->has_sub = true;
    (void)receiver_sub_add(of(s, ss), ss->id, lp->stream, lp->port, p, ss->peer->device.fd);
}

/* The tap's counters are of its whole life, of which nothing is known but what it has said in this
 * session: from then on they grow as fast as an interface can have them grow. */
static bool figures_plausible(const struct point *p, const struct link_report_stream *rs,
                              struct mono now)
{
    bool first = p->reported_at.ns == 0;
    int64_t s = first ? 0 : mono_diff(now, p->reported_at) / NSEC_PER_SEC + 2;
    uint64_t more = first || s > LISTENER_FIGURES_S ? LEDGER_MOST : (uint64_t)s * LISTENER_FIGURES;
    for (unsigned k = 0; k < LEDGER_COUNT; k++) {
        uint64_t last =
            ledger_get(&p->reported, (enum ledger_id)k) - ledger_get(&p->past, (enum ledger_id)k);
        if (rs->has[k] && rs->n[k] > MIN(first ? more : last + more, LEDGER_MOST)) {
            return false;
        }
    }
    return true;
}

static void take_figures(struct point *p, const struct link_report_stream *rs, struct mono now)
{
    for (unsigned k = 0; k < LEDGER_COUNT; k++) {
        if (rs->has[k]) {
            uint64_t past = ledger_get(&p->past, (enum ledger_id)k);
            ledger_set(&p->reported, (enum ledger_id)k, MIN(past + rs->n[k], LEDGER_MOST));
        }
    }
    p->reported_at = now;
}

static void on_report(struct listener *s, struct session *ss, const struct link_report *r)
{
    struct mono now = mono_now();
    struct peer *t = ss->peer;
    ss->last_now = r->now;
    ss->last_at = now;
    (void)link_clock(&ss->clock, r, wall_now().ns, now, &t->rtt_ns, &t->clock_offset_ns);
    listener_clock_report(s, ss, r, now);
    for (unsigned i = 0; i < r->count; i++) {
        const struct link_report_stream *rs = &r->stream[i];
        unsigned at = stream_at(ss, rs->stream);
        if (at == ss->n_streams) {
            continue;
        }
        struct point *p = ss->stream[at];
        ss->final[at] |= r->final;
        const struct receiver_report said = {.frames = rs->frames,
                                             .datagrams = rs->datagrams,
                                             .final = r->final,
                                             .implausible = !figures_plausible(p, rs, now)};
        if (!said.implausible) {
            take_figures(p, rs, now);
        }
        (void)receiver_report(of(s, ss), ss->id, rs->stream, &said);
    }
}

static void answer_end(struct listener *s, struct key *k, const struct link_stream_end *end)
{
    listener_send_control(s, k, &(struct link_control){.type = LINK_STREAM_END, .end = *end});
}

/* One stream ends, the session goes on. Its last REPORT, which counts its frames, comes before
 * this, or both come again. */
static void on_stream_end(struct listener *s, struct session *ss, struct key *k,
                          const struct link_stream_end *end)
{
    unsigned at = stream_at(ss, end->stream);
    if (at == ss->n_streams) { /* our answer was lost */
        listener_note_refused(ss, end->stream, false);
        answer_end(s, k, &(struct link_stream_end){.stream = end->stream});
    } else if (ss->final[at] && !ss->ending[at]) {
        ss->ending[at] =
            receiver_stream_end(of(s, ss), ss->id, end->stream, ss->stream[at]->has_sub) == 0;
    }
}

void listener_stream_ended(struct listener *s, uint32_t id, uint16_t stream)
{
    struct session *ss = s->session[id];
    unsigned at = ss ? stream_at(ss, stream) : 0;
    if (!ss || at == ss->n_streams) {
        return;
    }
    struct point *p = ss->stream[at];
    struct link_stream_end end = {.stream = stream};
    end.frames = atomic_load_explicit(&p->accounted, memory_order_acquire);
    end.lost = atomic_load_explicit(&p->lost, memory_order_relaxed);
    if (ss->key) {
        answer_end(s, ss->key, &end);
    }
    ledger_copy(&p->past, &p->reported); /* the next capture of that name counts from 0 */
    bool sub = p->has_sub;
    listener_point_idle(p);
    p->has_sub = p->shown = sub;
    unsigned last = --ss->n_streams;
    ss->stream[at] = ss->stream[last];
    ss->stream_id[at] = ss->stream_id[last];
    ss->final[at] = ss->final[last];
    ss->ending[at] = ss->ending[last];
}

static void on_tap_event(struct listener *s, struct key *k, struct peer *t,
                         const struct link_event *e)
{
    const struct history_event head = {.number = e->number, .at = {e->at}, .kind = e->kind};
    if (t->life != e->life) {
        t->life = e->life;
        t->rung[0] = '\0';
        t->breaches = 0;
        history_restart(&t->history);
    }
    if (history_take(&t->history, &head, e->subject.p, e->subject.len, e->words.p, e->words.len)) {
        listener_limit_note(t);
    }
    struct link_control known = {.type = LINK_EVENT};
    known.event = (struct link_event){.life = t->life, .number = t->history.last};
    known.event.subject.p = known.event.words.p = "";
    listener_send_control(s, k, &known);
}

/* A tap that ends by itself says why. */
static void tell_close(struct listener *s, struct peer *t, uint8_t reason)
{
    const char *why = reason == LINK_CLOSE_LIMIT ? "more was to be sent than its limit allows"
                      : reason == LINK_CLOSE_IDLE
                          ? "nothing comes to its interfaces any more (--max-idle)"
                          : NULL;
    listener_tell(s, t, why != NULL, ": session closed by the tap%s%s",
                  why ? ", which has stopped: " : "", why ? why : "");
    if (why) {
        char words[HISTORY_WORDS + 1];
        snprintf(words, sizeof(words), "the tap has stopped: %s", why);
        listener_tell_event(s, t, HISTORY_TAP_STOPPED, words);
    }
}

static void on_close(struct listener *s, struct session *ss, uint8_t reason)
{
    for (unsigned i = 0; i < ss->n_streams; i++) {
        if (!ss->final[i]) {
            return; /* its last REPORT was lost, which counts the frames: both come again */
        }
    }
    if (!ss->closing) {
        tell_close(s, ss->peer, reason);
        ss->peer->end = reason == LINK_CLOSE_LIMIT  ? LISTENER_LIMITED
                        : reason == LINK_CLOSE_IDLE ? LISTENER_IDLE
                                                    : LISTENER_ENDED;
    }
    ss->wants_ack = true;
    listener_session_end(s, ss);
}

void listener_control(struct listener *s, const struct receiver_event *e)
{
    struct key *k = listener_find_key(s, e->index);
    struct link_control c;
    if (!k || link_control_decode(e->data, e->len, &c) < 0) {
        return;
    }
    struct session *ss = k->session;
    listener_follow(s, k, e);
    if (c.type == LINK_INFO) {
        on_info(s, k, &c.info, e->data, e->len);
        return;
    }
    if (!ss || ss->closing) {
        return;
    }
    ss->heard = ss->peer->heard = mono_now();
    switch (c.type) {
    case LINK_PROBE: /* sent to where the tap is, as all else: no larger than what asked for it */
        listener_send_control(
            s, k,
            &(struct link_control){.type = LINK_PROBE_ACK, .probe = {c.probe.token, e->size}});
        break;
    case LINK_STREAM:
        on_stream(s, ss, k, &c.stream);
        break;
    case LINK_PORT:
        on_port(s, ss, &c.port);
        break;
    case LINK_REPORT:
        listener_proved(ss->key, &c.report);
        on_report(s, ss, &c.report);
        break;
    case LINK_STREAM_END:
        on_stream_end(s, ss, k, &c.end);
        break;
    case LINK_EVENT:
        on_tap_event(s, k, ss->peer, &c.event);
        break;
    case LINK_CLOSE:
        on_close(s, ss, c.reason);
        break;
    default: /* nothing else is for a collector */
        break;
    }
}

void listener_session_tick(struct listener *s, struct session *ss, struct mono now)
{
    if (ss->closing) {
        listener_session_end(s, ss);
        return;
    }
    listener_clock_align(s, ss);
    if (mono_due(now, mono_add_ms(ss->heard, LISTENER_GONE_MS))) {
        listener_tell(s, ss->peer, true, ": not heard for %d s, its session is closed",
                      LISTENER_GONE_MS / 1000);
        listener_session_end(s, ss);
    } else if (mono_due(now, ss->next_report)) {
        ss->next_report = mono_add_ms(now, LISTENER_REPORT_MS);
        listener_traffic_note(ss->peer);
        listener_send_report(s, ss);
    }
}
