/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collector_summary.h"

#include <inttypes.h>

#include "cmd/cmd.h"

void collector_say_where(const struct collector_conf *c)
{
    say("collector", "listening on %s%sport %u, output to %s%s%s", c->bind ? c->bind : "",
        c->bind ? " " : "", c->port, c->device ? c->device : "",
        c->device && c->file ? " and " : "", c->file ? c->file : "");
}

static void summary_of(void *user, const struct listener_peer *tap)
{
    const struct outputs *o = *(const struct outputs *const *)user;
    for (unsigned i = 0; i < tap->n_points; i++) {
        const struct point *p = tap->points[i];
        fprintf(stderr, "%s:%s: %" PRIu64 " received, %" PRIu64 " lost on the link", p->tap,
                p->ifname, ledger_get(&p->ledger, LEDGER_RX_OUT),
                ledger_sum(&p->ledger, NULL, LEDGER_LINK_RX).dropped);
        for (unsigned k = 0; k < o->n; k++) {
            const struct ledger *l = point_output(p, o->output[k]);
            if (l) {
                fprintf(stderr, "; %s: %" PRIu64 " written, %" PRIu64 " dropped",
                        o->output[k]->name, ledger_get(l, LEDGER_SINK_OUT),
                        ledger_sum(l, NULL, LEDGER_SINK).dropped);
            }
        }
        fputc('\n', stderr);
    }
    if (tap->past) {
        fprintf(stderr,
                "%s: %" PRIu64 " interfaces that are gone: %" PRIu64 " received, %" PRIu64
                " lost on the link\n",
                tap->name, tap->past->n, ledger_get(&tap->past->rx, LEDGER_RX_OUT),
                ledger_sum(&tap->past->rx, NULL, LEDGER_LINK_RX).dropped);
    }
}

void collector_summary(const struct collector *c)
{
    const struct outputs *o = collector_outputs(c);
    listener_each(collector_listener(c), summary_of, &o);
}
