/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/dial/dialer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "data/link/dial/impl.h"
#include "sys/crypto/kdf.h"

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
            dialer_datagram(c, buf + at, n);
        }
    }
    if (c->io.fd == fd && (c->io.refused || events & EPOLLERR)) {
        c->io.refused = false;
        dialer_answered(c, udp_answered(c->io.fd));
    }
}

/* For people a session is up once the frames of every interface go into it. */
static void announce(struct dialer *c, struct mono now)
{
    struct link_sender_progress p;
    char words[UDP_ADDR_TEXT + 16];
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
    snprintf(words, sizeof(words), "session up with %s", c->status.address);
    dialer_note(c, HISTORY_SESSION_UP, words);
}

static void end(struct dialer *c)
{
    if (c->closing != CLOSED) {
        c->closing = CLOSED;
        c->conf.ops->stopped(c->conf.user);
    }
}

/* There is a reason for doubt, a new one. */
static void doubt(struct dialer *c)
{
    if (dialer_doubt(c)) {
        dialer_event(c, UPLINK_DOUBT);
    }
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
        doubt(c);
        for (uint16_t i = 0; i < c->n_streams; i++) {
            c->stream[i].conf.sender->ops->stood_known(c->stream[i].conf.sender);
        }
    }
    if (c->closing == DRAINING && dialer_senders_done(c)) {
        if (!c->uplink.up) {
            end(c);
            return;
        }
        c->closing = CLOSING;
        c->close_deadline = mono_add_ms(mono_now(), DIALER_CLOSE_MS);
        dialer_send_close(c);
    }
}

/* Do datagrams arrive, and how large may they be? */
static void tick_path(struct dialer *c, struct mono now)
{
    if (awake_jumped(&c->ticked, DIALER_STOOD_MS)) {
        doubt(c);
    }
    if (dialer_doubt_tick(c, now)) {
        doubt(c);
    }
    if (!c->uplink.up || c->io.fd < 0) {
        return;
    }
    if (dialer_move_tick(c, now)) {
        dialer_event(c, UPLINK_MOVED); /* what has come meanwhile is read before it is judged */
    }
    dialer_path_tick(c, now);
}

static void on_tick(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct dialer *c = user;
    if (c->closing == CLOSED) {
        return;
    }
    dialer_event(c, UPLINK_TICK);
    tick_path(c, now);
    dialer_senders_keys(c);
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
    c->readable = on_readable;
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
    dialer_close_socket(c);
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
    dialer_end(c, LINK_CLOSE_END);
}

void dialer_end(struct dialer *c, enum link_close why)
{
    if (c->closing != OPEN) {
        return;
    }
    c->closing = DRAINING;
    c->close_reason = why;
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
    ret->flows = c->flows;
    ret->path_mtu = c->uplink.up ? c->pmtu.size : 0;
    ret->path_state = pmtu_words(&c->pmtu);
}
