/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap's way to the collector: how large its packets may be (by model/pmtu.h), and that the
 * session goes on when either end has another address. Keys and numbering are bound to no address:
 * a new socket is all it takes, and the collector answers to where the newest record came from.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/link/dial/impl.h"

static void tell_senders(struct dialer *c)
{
    c->status.datagram = MAX(c->pmtu.size - c->headers, (uint32_t)LINK_DATAGRAM_MIN);
    for (uint16_t i = 0; i < c->n_streams; i++) {
        struct stream *s = &c->stream[i];
        if (s->acked && s->conf.sender->ops->size(s->conf.sender, c->status.datagram) < 0) {
            s->stale = true; /* with its key it gets the size too */
        }
    }
}

static void note(struct dialer *c, enum history_kind kind, const char *words)
{
    history_add(c->conf.history, wall_now(), kind, c->conf.collector, "%s", words);
}

static void tell_user(struct dialer *c, unsigned actions)
{
    char text[80];
    if (actions & PMTU_DO_FAIL) {
        c->too_narrow = true;
        snprintf(text, sizeof(text), "packets of %u bytes do not pass", c->pmtu.min);
        note(c, HISTORY_PATH_MTU, text);
        dialer_say(c, true,
                   "the path to the collector at %s does not carry packets of %u bytes, the "
                   "smallest that are used: frames do not arrive; a link, tunnel or firewall on "
                   "the way drops them: give it a larger MTU%s",
                   c->conf.collector, c->pmtu.min,
                   c->pmtu.min > PMTU_MIN_V4 ? ", or this tap a smaller one with --mtu" : "");
    } else if (actions & PMTU_DO_FOUND && (c->pmtu.size != c->found_mtu || c->too_narrow)) {
        if (c->found_mtu || c->too_narrow) {
            snprintf(text, sizeof(text), "packets of %u bytes pass", c->pmtu.size);
            note(c, HISTORY_PATH_MTU, text);
            dialer_say(c, false, "the path to the collector at %s now carries packets of %u bytes",
                       c->conf.collector, c->pmtu.size);
        }
        c->too_narrow = false;
        c->found_mtu = c->pmtu.size;
    }
}

static void act(struct dialer *c, unsigned actions)
{
    while (actions) {
        if (actions & PMTU_DO_SIZE) {
            tell_senders(c);
        }
        tell_user(c, actions);
        if (!(actions & PMTU_DO_PROBE)) {
            return;
        }
        uint32_t token = c->pmtu.token;
        int r = dialer_send_probe(c, token, c->pmtu.probe - c->headers);
        actions = 0;
        if (r == -EMSGSIZE) {
            actions = pmtu_step(&c->pmtu, PMTU_REFUSED, mono_now());
        } else {
            (void)dialer_send_probe(c, token + 1, 0);
        }
    }
}

static void begin(struct dialer *c)
{
    uint32_t least = c->headers + LINK_DATAGRAM_MIN;
    uint32_t min = c->headers > 28 ? PMTU_MIN_V6 : PMTU_MIN_V4;
    uint32_t max = c->conf.mtu ? MAX(c->conf.mtu, least) : 0;
    int kernel = udp_path_mtu(c->io.fd);
    if (c->probes) {
        act(c, pmtu_start(&c->pmtu, min, max, kernel, mono_now()));
        return;
    }
    /* A collector that knows nothing of probes: what the kernel believes has to do. */
    uint32_t size = kernel < (int)min ? min : MIN((uint32_t)kernel, (uint32_t)PMTU_MAX);
    pmtu_fix(&c->pmtu, max ? MIN(size, max) : size);
    tell_senders(c);
}

void dialer_path_up(struct dialer *c)
{
    c->looked_up = false;
    begin(c);
}

void dialer_path_down(struct dialer *c)
{
    pmtu_fix(&c->pmtu, 0);
}

void dialer_path_acked(struct dialer *c, const struct link_probe *ack)
{
    act(c, pmtu_acked(&c->pmtu, ack->token, ack->size + c->headers, mono_now()));
}

/* Since the last report: were datagrams mostly full, and did a good part of the frames arrive? Then
 * such datagrams pass, whatever else is lost: an overloaded path must not be taken for a narrow
 * one.
 */
static bool full_ones_pass(struct dialer *c)
{
    uint64_t sum[ARRAY_SIZE(c->passed)] = {0}, d[ARRAY_SIZE(c->passed)] = {0};
    for (uint16_t i = 0; i < c->n_streams; i++) {
        const struct stream *s = &c->stream[i];
        const struct ledger *l = s->conf.sender->ops->ledger(s->conf.sender);
        sum[0] += s->told[0];
        sum[1] += s->accounted - MIN(s->lost, s->accounted);
        sum[2] += ledger_get(l, LEDGER_TX_DATAGRAMS);
        sum[3] += ledger_get(l, LEDGER_TX_WIRE_BYTES);
    }
    for (size_t i = 0; i < ARRAY_SIZE(d); i++) {
        d[i] = sum[i] - MIN(c->passed[i], sum[i]);
        c->passed[i] = sum[i];
    }
    return d[1] > 0 && d[1] * 4 >= d[0] && d[2] >= 8 &&
           d[3] * 4 >= d[2] * 3 * (uint64_t)c->status.datagram;
}

void dialer_path_reported(struct dialer *c, bool doubt)
{
    bool pass = full_ones_pass(c);
    if (pass || doubt) {
        act(c, pmtu_step(&c->pmtu, pass ? PMTU_PASSES : PMTU_DOUBT, mono_now()));
    }
}

/* No key protects it: it is told where nothing better is known, and a session is only doubted. */
void dialer_path_answered(struct dialer *c, enum udp_answer a)
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

void dialer_path_sent(struct dialer *c, int r)
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

/* ---- another address ---- */

static bool same_host(const struct udp_addr *a, const struct udp_addr *b)
{
    struct udp_addr x = *a;
    x.v4.sin_port = b->v4.sin_port; /* at the same place in both families */
    return udp_addr_equal(&x, b);
}

static bool same_way(const struct dialer *c, int fd)
{
    struct udp_addr local = {0}, peer = {.len = sizeof(peer.v6)};
    return udp_local(fd, &local) == 0 && getpeername(fd, &peer.sa, &peer.len) == 0 &&
           same_host(&local, &c->local) && udp_addr_equal(&peer, &c->peer);
}

/* The session goes on over this socket. */
static void move(struct dialer *c, int fd)
{
    if (dialer_use_socket(c, fd) < 0) {
        return; /* without a socket the session ends by its silence, and begins anew */
    }
    c->status.moves++;
    for (uint16_t i = 0; i < c->n_streams; i++) {
        c->stream[i].stale = c->stream[i].acked;
    }
    begin(c);
    dialer_hand_out_keys(c);
    dialer_send_report(c, false);
    char text[UDP_ADDR_TEXT], words[2 * UDP_ADDR_TEXT + 16];
    udp_addr_text(&c->local, text);
    snprintf(words, sizeof(words), "from %s to %s", text, c->status.address);
    note(c, HISTORY_MOVED, words);
    dialer_say(c, false, "the way to the collector at %s has changed: going on from %s to %s",
               c->conf.collector, text, c->status.address);
}

/* Nothing comes, or nothing goes. Would a new socket have other addresses at its ends? This host's
 * may have changed, or its way out; later in the silence the collector's is looked up too, once, as
 * that may take seconds. */
static void look_for_another_way(struct dialer *c, bool lookup, struct mono now)
{
    struct error err = {""};
    int fd = -1;
    c->next_move = mono_add_ms(now, DIALER_MOVE_MS);
    enum dialer_where where = lookup ? DIALER_WHERE_NAME : DIALER_WHERE_FOUND;
    if (c->conf.ops->connect(c->conf.user, where, &fd, &err) < 0) {
        return;
    }
    c->looked_up |= lookup;
    if (same_way(c, fd) && !c->unsendable) {
        close(fd);
    } else {
        move(c, fd);
    }
    if (lookup) {
        dialer_event(c, UPLINK_MOVED); /* what has come meanwhile is read before it is judged */
    }
}

void dialer_path_tick(struct dialer *c, struct mono now)
{
    if (!c->uplink.up || c->io.fd < 0) {
        return;
    }
    bool silent = mono_due(now, mono_add_ms(c->uplink.heard, DIALER_SILENT_MS)) || c->uplink.held;
    bool lookup = mono_due(now, mono_add_ms(c->uplink.heard, DIALER_LOOKUP_MS)) && !c->looked_up;
    c->looked_up &= silent;
    if ((silent || c->unsendable) && (lookup || !c->next_move.ns || mono_due(now, c->next_move))) {
        look_for_another_way(c, lookup, now);
    }
    act(c, pmtu_kernel(&c->pmtu, udp_path_mtu(c->io.fd), now));
    act(c, pmtu_step(&c->pmtu, PMTU_TICK, now));
}
