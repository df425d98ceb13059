/* SPDX-License-Identifier: Apache-2.0
 *
 * The width of the tap's way to the collector: how large its packets may be, by model/pmtu.h.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "data/link/dial/impl.h"

static void use_size(struct dialer *c)
{
    c->status.datagram = MAX(c->pmtu.size - c->headers, (uint32_t)LINK_DATAGRAM_MIN);
    dialer_senders_size(c);
}

static void tell_user(struct dialer *c, unsigned actions)
{
    char text[80];
    if (actions & PMTU_DO_FAIL) {
        c->too_narrow = true;
        snprintf(text, sizeof(text), "packets of %u bytes do not pass", c->pmtu.min);
        dialer_note(c, HISTORY_PATH_MTU, text);
        dialer_say(c, true,
                   "the path to the collector at %s does not carry packets of %u bytes, the "
                   "smallest that are used: frames do not arrive; a link, tunnel or firewall on "
                   "the way drops them: give it a larger MTU%s",
                   c->conf.collector, c->pmtu.min,
                   c->pmtu.min > PMTU_MIN_V4 ? ", or this tap a smaller one with --mtu" : "");
    } else if (actions & PMTU_DO_FOUND && (c->pmtu.size != c->found_mtu || c->too_narrow)) {
        if (c->found_mtu || c->too_narrow) {
            snprintf(text, sizeof(text), "packets of %u bytes pass", c->pmtu.size);
            dialer_note(c, HISTORY_PATH_MTU, text);
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
            use_size(c);
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

void dialer_path_begin(struct dialer *c)
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
    use_size(c);
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

void dialer_path_tick(struct dialer *c, struct mono now)
{
    act(c, pmtu_kernel(&c->pmtu, udp_path_mtu(c->io.fd), now));
    act(c, pmtu_step(&c->pmtu, PMTU_TICK, now));
}
