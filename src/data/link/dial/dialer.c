/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/dial/dialer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "data/link/dial/impl.h"
#include "sys/crypto/kdf.h"

/* A trouble of hours is said once a minute, not at each try, also where two sentences take turns.
 */
static bool said_lately(struct dialer *c, const struct error *e, struct mono now)
{
    unsigned at = 0;
    for (unsigned i = 0; i < DIALER_SAID; i++) {
        if (strcmp(c->said[i].words.text, e->text) == 0) {
            at = i;
            break;
        }
        at = c->said[i].at.ns < c->said[at].at.ns ? i : at;
    }
    if (strcmp(c->said[at].words.text, e->text) == 0 &&
        !mono_due(now, mono_add_ms(c->said[at].at, 60000))) {
        return true;
    }
    c->said[at].words = *e;
    c->said[at].at = now;
    return false;
}

void dialer_say(struct dialer *c, bool error, const char *fmt, ...)
{
    struct error e;
    struct mono now = mono_now();
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    if (error && said_lately(c, &e, now)) {
        return;
    }
    if (!error) {
        memset(c->said, 0, sizeof(c->said));
    }
    c->conf.ops->say(c->conf.user, error, e.text);
}

static void close_socket(struct dialer *c)
{
    loop_del_fd(c->loop, TAKE_PTR(c->io_event));
    if (c->io.fd >= 0) {
        close(TAKE_FD(c->io.fd));
    }
    udp_shared_unref(TAKE_PTR(c->io.shared));
}

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

static void datagram(struct dialer *c, uint8_t *d, size_t len)
{
    struct link_hs m;
    switch (link_peek(d, len)) {
    case LINK_RECORD:
        dialer_record(c, d, len);
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

static void on_readable(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    struct dialer *c = user;
    uint8_t buf[2048];
    for (unsigned i = 0; i < 64 && c->io.fd == fd; i++) {
        struct udp_packet p = {.data = buf, .size = sizeof(buf)};
        if (udp_recv(&c->io, &p, 1) <= 0) {
            break;
        }
        for (uint32_t at = 0; p.seg > 0 && at < p.len && c->io.fd == fd; at += p.seg) {
            uint32_t n = p.len - at < p.seg ? p.len - at : p.seg;
            datagram(c, buf + at, n);
        }
    }
    if (c->io.fd == fd && (c->io.refused || events & EPOLLERR)) {
        c->io.refused = false;
        dialer_path_answered(c, udp_answered(&c->io));
    }
}

int dialer_use_socket(struct dialer *c, int fd)
{
    struct ether_flow flow;
    socklen_t len = sizeof(c->peer.v6);
    struct udp_shared *shared = NULL;
    close_socket(c);
    int r = udp_shared_new(&shared);
    r = r < 0 ? r : loop_add_fd(c->loop, fd, EPOLLIN, on_readable, c, &c->io_event);
    if (r < 0) {
        udp_shared_unref(shared);
        close(fd);
        return r;
    }
    c->io = (struct udp_io){.fd = fd, .shared = shared};
    c->peer.len = getpeername(fd, &c->peer.sa, &len) == 0 ? len : 0;
    udp_addr_text(&c->peer, c->status.address);
    c->local = (struct udp_addr){0};
    c->headers = udp_headers(fd);
    c->unsendable = false;
    if (udp_local(fd, &c->local) == 0 && ether_flow_make(&c->local.sa, &c->peer.sa, &flow) == 0) {
        c->conf.ops->flow(c->conf.user, &flow);
    }
    return 0;
}

static enum uplink_event resolve(struct dialer *c)
{
    int fd = -1;
    struct error err = {""};
    if (c->uplink.up) {
        return UPLINK_RESOLVED; /* the session's own socket serves */
    }
    close_socket(c);
    enum dialer_where where = c->tried ? DIALER_WHERE_NEXT : DIALER_WHERE_NAME;
    int r = c->conf.ops->connect(c->conf.user, where, &fd, &err);
    if (r == 0) {
        c->tried = true;
        r = dialer_use_socket(c, fd);
    }
    if (r < 0) {
        dialer_say(c, true, "%s", err.text[0] ? err.text : "cannot make a socket");
    }
    return r == 0 ? UPLINK_RESOLVED : UPLINK_RESOLVE_FAILED;
}

static void send_message(struct dialer *c, const uint8_t *d, int len)
{
    size_t sent = 0;
    if (len > 0) {
        int r = udp_send_segments(&c->io, NULL, NULL, d, (size_t)len, (size_t)len, 0, &sent);
        dialer_path_sent(c, r);
    }
}

static void hello(struct dialer *c)
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

static void hold(struct dialer *c, bool held)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        c->stream[i].conf.sender->ops->hold(c->stream[i].conf.sender, held);
    }
}

static void down(struct dialer *c)
{
    hold(c, false); /* without a session frames are kept anyway */
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
    epoch_close(&c->current);
    epoch_close(&c->previous);
    dialer_path_down(c);
    c->status.rtt_ns = 0;
    if (c->closing == OPEN) {
        dialer_say(c, true, "session with the collector at %s is over", c->conf.collector);
        history_add(c->conf.history, wall_now(), HISTORY_SESSION_OVER, c->conf.collector,
                    "the session with the collector is over");
    }
}

static void take_pending(struct dialer *c)
{
    epoch_close(&c->previous);
    c->previous = c->current;
    c->current = c->pending;
    c->pending = (struct epoch){0};
    handshake_tap_done(&c->handshake);
    c->status.keyed = mono_now();
    c->status.cipher = aead_alg_name(c->current.keys.alg);
}

static void up(struct dialer *c)
{
    take_pending(c);
    c->serial++;
    c->last_now = 0;
    dialer_forget_ids(c);
    c->events_known = 0; /* this collector may be another, or a new one */
    c->status.since = c->status.keyed;
    c->status.sessions++;
    c->tried = false;
    c->next_report = mono_add_ms(mono_now(), DIALER_REPORT_MS);
    dialer_arrival_begin(c);
    dialer_path_up(c); /* first, so that the answer is there when frames begin */
    dialer_send_streams(c);
    c->announced = false;
}

/* For people a session is up once the frames of every interface go into it. */
static void announce(struct dialer *c, struct mono now)
{
    struct link_sender_progress p;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        if (c->stream[i].ending ||
            c->stream[i].conf.sender->ops->progress(c->stream[i].conf.sender, c->serial, &p)) {
            continue;
        }
        if (!c->stream[i].acked && mono_due(now, mono_add_ms(c->status.since, DIALER_SERVED_MS))) {
            dialer_say(c, true, "the collector at %s does not take the frames of %s: it says why",
                       c->conf.collector, c->stream[i].conf.ifname);
        }
        return;
    }
    c->announced = true;
    dialer_say(c, false, "session up with the collector at %s (%s)", c->status.address,
               c->current.keys.alg == AEAD_NULL ? "NOT ENCRYPTED" : c->status.cipher);
    history_add(c->conf.history, wall_now(), HISTORY_SESSION_UP, c->conf.collector,
                "session up with %s", c->status.address);
}

/* Senders that could not take the newest key get it at a later tick; the collector takes the old
 * key for a while. */
void dialer_hand_out_keys(struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct stream *s = &c->stream[i];
        struct link_sender_key key;
        if (s->ended && !s->acked) {
            s->ended = s->conf.sender->ops->down(s->conf.sender, s->past_accounted) < 0;
        }
        if (s->stale && dialer_sender_key(c, &key) == 0) {
            s->stale = s->conf.sender->ops->rekey(s->conf.sender, &key) < 0;
        }
    }
}

static void rekey(struct dialer *c)
{
    take_pending(c);
    c->status.rekeys++;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        c->stream[i].stale = c->stream[i].acked;
    }
    dialer_hand_out_keys(c);
}

void dialer_event(struct dialer *c, enum uplink_event event)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    if (event == UPLINK_HINT && c->closing != OPEN) {
        return; /* the collector has closed the session, as we want it to: no reason for another */
    }
    unsigned actions = uplink_step(&c->uplink, event, mono_now());
    if (actions & UPLINK_DO_SAY) {
        dialer_say(c, true, "%s", c->refusal.text);
    }
    if (actions & UPLINK_DO_DOWN) {
        down(c);
    }
    if (actions & UPLINK_DO_HELLO) {
        hello(c);
    }
    if (actions & UPLINK_DO_CONFIRM) {
        for (unsigned i = 0; i < HANDSHAKE_ANSWERS; i++) { /* one of them is the collector's */
            send_message(c, d, handshake_tap_confirm(&c->handshake, i, d));
        }
    }
    if (actions & UPLINK_DO_INFO) {
        dialer_send_info(c);
    }
    if (actions & UPLINK_DO_UP) {
        up(c);
    }
    if (actions & UPLINK_DO_REKEY) {
        rekey(c);
    }
    if (actions & UPLINK_DO_FORGET) {
        epoch_close(&c->pending);
        handshake_tap_done(&c->handshake);
    }
    if (actions & (UPLINK_DO_HOLD | UPLINK_DO_GO)) {
        hold(c, actions & UPLINK_DO_HOLD);
        dialer_doubt_changed(c, actions & UPLINK_DO_HOLD);
    }
    if (actions & UPLINK_DO_RESOLVE && c->closing == OPEN) {
        dialer_event(c, resolve(c));
    }
}

static void end(struct dialer *c)
{
    if (c->closing != CLOSED) {
        c->closing = CLOSED;
        c->conf.ops->stopped(c->conf.user);
    }
}

static bool senders_done(const struct dialer *c)
{
    for (uint16_t i = 0; i < c->n_streams; i++) {
        if (!c->stream[i].conf.sender->ops->done(c->stream[i].conf.sender)) {
            return false;
        }
    }
    return true;
}

void dialer_senders_changed(struct dialer *c)
{
    bool refused = false, stood = false;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        refused |= c->stream[i].conf.sender->ops->take_refused(c->stream[i].conf.sender);
        stood |= c->stream[i].conf.sender->ops->take_stood(c->stream[i].conf.sender);
    }
    if (refused) {
        dialer_event(c, UPLINK_SUSPECT);
    }
    if (stood) {
        dialer_doubt(c);
        for (uint16_t i = 0; i < c->n_streams; i++) {
            c->stream[i].conf.sender->ops->stood_known(c->stream[i].conf.sender);
        }
    }
    if (c->closing == DRAINING && senders_done(c)) {
        if (!c->uplink.up) {
            end(c);
            return;
        }
        c->closing = CLOSING;
        c->close_deadline = mono_add_ms(mono_now(), DIALER_CLOSE_MS);
        dialer_send_close(c);
    }
}

static void on_tick(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct dialer *c = user;
    if (c->closing == CLOSED) {
        return;
    }
    dialer_event(c, UPLINK_TICK);
    dialer_doubt_tick(c, now);
    dialer_path_tick(c, now);
    dialer_hand_out_keys(c);
    if (c->uplink.up) {
        dialer_send_event(c);
    }
    if (c->closing == OPEN) {
        dialer_end_streams(c);
    }
    if (c->uplink.up && c->closing == OPEN) {
        dialer_send_streams(c);
        if (!c->announced) {
            announce(c, now);
        }
    }
    if (c->closing == DRAINING && mono_due(now, c->close_deadline)) {
        dialer_say(c, true, "frames are left that cannot be sent");
        end(c);
        return;
    }
    if (c->closing == CLOSING) {
        if (!c->uplink.up || mono_due(now, c->close_deadline)) {
            end(c);
        } else {
            dialer_send_close(c);
        }
    } else if (c->uplink.up && mono_due(now, c->next_report)) {
        dialer_send_report(c, false);
        c->next_report = mono_add_ms(now, DIALER_REPORT_MS);
        if (dialer_worn_out(c)) {
            dialer_event(c, UPLINK_CLOSED);
        }
    }
}

int dialer_new(struct loop *loop, const struct dialer_conf *conf, struct dialer **ret,
               struct error *err)
{
    struct dialer *c = calloc(1, sizeof(*c));
    uint32_t seed = 0;
    if (!c) {
        return error_sys(err, ENOMEM, "cannot start the link");
    }
    c->loop = loop;
    c->conf = *conf;
    c->io.fd = -1;
    int r = random_bytes(&seed, sizeof(seed));
    if (r == 0) {
        r = random_bytes(&c->life, sizeof(c->life));
    }
    uplink_init(&c->uplink, seed);
    if (r == 0) {
        r = loop_add_timer(loop, mono_add_ms(mono_now(), DIALER_TICK_MS),
                           DIALER_TICK_MS * NSEC_PER_MSEC, on_tick, c, &c->tick);
    }
    if (r < 0) {
        dialer_free(c);
        return error_sys(err, -r, "cannot start the link");
    }
    *ret = c;
    return 0;
}

void dialer_free(struct dialer *c)
{
    if (!c) {
        return;
    }
    close_socket(c);
    loop_del_timer(c->loop, c->tick);
    epoch_close(&c->current);
    epoch_close(&c->previous);
    epoch_close(&c->pending);
    handshake_tap_done(&c->handshake);
    secure_wipe(c, sizeof(*c));
    free(c);
}

void dialer_start(struct dialer *c)
{
    dialer_event(c, UPLINK_START);
}

void dialer_stop(struct dialer *c)
{
    if (c->closing != OPEN) {
        return;
    }
    c->closing = DRAINING;
    c->close_deadline = mono_add_ms(mono_now(), DIALER_DRAIN_MS);
    for (uint16_t i = 0; i < c->n_streams; i++) {
        c->stream[i].conf.sender->ops->stop(c->stream[i].conf.sender);
    }
    dialer_senders_changed(c);
}

void dialer_status(const struct dialer *c, struct dialer_status *ret)
{
    *ret = c->status;
    ret->up = c->uplink.up;
    ret->state = uplink_words(&c->uplink);
    ret->cipher = c->uplink.up ? c->status.cipher : NULL;
    ret->path_mtu = c->uplink.up ? c->pmtu.size : 0;
    ret->path_state = pmtu_words(&c->pmtu);
}
