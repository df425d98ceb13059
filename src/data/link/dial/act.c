/* SPDX-License-Identifier: Apache-2.0
 *
 * The actions of model/uplink.h, carried out: dialer_event takes an event, asks that machine, and
 * does what it wants. in.c and dialer.c bring the events; the files that act.c itself calls give
 * theirs back, and their caller brings them here.
 */
#include "base/cleanup.h"
#include "data/link/dial/impl.h"

static enum uplink_event resolve(struct dialer *c)
{
    int fd = -1;
    struct error err = {""};
    if (c->uplink.up) {
        return UPLINK_RESOLVED; /* the session's own socket serves */
    }
    dialer_close_socket(c);
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

static void down(struct dialer *c)
{
    dialer_senders_hold(c, false); /* without a session frames are kept anyway */
    dialer_senders_down(c);
    epoch_close(&c->current);
    epoch_close(&c->previous);
    dialer_path_down(c);
    c->status.rtt_ns = 0;
    if (c->closing == OPEN) {
        dialer_say(c, true, "session with the collector at %s is over", c->conf.collector);
        dialer_note(c, HISTORY_SESSION_OVER, "the session with the collector is over");
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
    c->looked_up = false;
    dialer_path_begin(c); /* first, so that the answer is there when frames begin */
    dialer_send_streams(c);
    c->announced = false;
}

static void rekey(struct dialer *c)
{
    take_pending(c);
    c->status.rekeys++;
    dialer_senders_rekey(c);
}

void dialer_event(struct dialer *c, enum uplink_event event)
{
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
        dialer_send_hello(c);
    }
    if (actions & UPLINK_DO_CONFIRM) {
        dialer_send_confirm(c);
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
        dialer_senders_hold(c, actions & UPLINK_DO_HOLD);
        dialer_doubt_changed(c, actions & UPLINK_DO_HOLD);
    }
    if (actions & UPLINK_DO_RESOLVE && c->closing == OPEN) {
        dialer_event(c, resolve(c));
    }
}
