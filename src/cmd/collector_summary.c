/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collector_summary.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"

void collector_say_where(const struct collector_conf *c)
{
    const char *name[OUTPUTS_MAX + 1];
    char all[512] = "";
    unsigned n = 0;
    if (c->device) {
        name[n++] = c->device;
    }
    if (c->file) {
        name[n++] = c->file;
    }
    for (unsigned i = 0; i < c->outputs.n && n < OUTPUTS_MAX; i++) {
        const struct output_spec *s = &c->outputs.spec[i];
        name[n++] = s->name ? s->name : s->text;
    }
    if (collector_meters(c)) {
        name[n++] = "flow records";
    }
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(all);
        snprintf(all + len, sizeof(all) - len, "%s%s", i > 0 ? " and " : "", name[i]);
    }
    say("collector", "listening on %s%sport %u, output to %s", c->bind ? c->bind : "",
        c->bind ? " " : "", c->port, all);
    if (mirrors_wished(&c->mirrors)) {
        say("collector", "mirrored frames come in the clear: whoever can send from an address of "
                         "--from is believed");
    }
}

static void outputs_of(const struct outputs *o, const struct point *p)
{
    for (unsigned k = 0; k < o->n; k++) {
        const struct ledger *l = point_output(p, o->output[k]);
        if (l) {
            fprintf(stderr, "; %s: %" PRIu64 " written, %" PRIu64 " dropped", o->output[k]->name,
                    ledger_get(l, LEDGER_SINK_OUT), ledger_sum(l, NULL, LEDGER_SINK).dropped);
        }
    }
    fputc('\n', stderr);
}

static void mirrored_of(void *user, const struct mirror_point *m)
{
    const struct outputs *o = *(const struct outputs *const *)user;
    fprintf(stderr, "%s:%s: %" PRIu64 " received", m->point.tap, m->point.ifname,
            ledger_get(&m->point.ledger, LEDGER_MIR_OUT));
    outputs_of(o, &m->point);
}

static void summary_of(void *user, const struct listener_peer *tap)
{
    const struct outputs *o = *(const struct outputs *const *)user;
    for (unsigned i = 0; i < tap->n_points; i++) {
        const struct point *p = tap->points[i];
        fprintf(stderr, "%s:%s: %" PRIu64 " received, %" PRIu64 " lost on the link", p->tap,
                p->ifname, ledger_get(&p->ledger, LEDGER_RX_OUT),
                ledger_sum(&p->ledger, NULL, LEDGER_LINK_RX).dropped);
        outputs_of(o, p);
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
    const struct mirrors *m = collector_mirrors(c);
    listener_each(collector_listener(c), summary_of, &o);
    if (m) {
        const uint64_t others =
            ledger_sum(mirror_ledger(mirrors_source(m)), NULL, LEDGER_MIRROR).dropped;
        mirror_points_each(mirror_source_points(mirrors_source(m)), mirrored_of, &o, NULL);
        if (others > 0) {
            fprintf(stderr, "mirrored: %" PRIu64 " packets dropped that gave no frame\n", others);
        }
    }
}
