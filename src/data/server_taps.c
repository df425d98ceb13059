/* SPDX-License-Identifier: Apache-2.0
 *
 * Which taps the collector knows, by name, and their observation points. They outlive sessions, so
 * that a tap that comes back counts on in the same ledger.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/server_impl.h"

static struct tap *make(struct server *s, const char *name)
{
    struct tap *t = s->n_taps < SERVER_TAPS ? calloc(1, sizeof(*t)) : NULL;
    if (t) {
        snprintf(t->name, sizeof(t->name), "%s", name);
        t->device = -1;
        history_init(&t->history, HISTORY_TAP);
        s->tap[s->n_taps++] = t;
        table_add(&s->taps_by_name, &t->by_name,
                  table_hash(&s->taps_by_name, t->name, strlen(t->name)));
    }
    return t;
}

static void copy_text(char *to, size_t cap, struct link_text t)
{
    size_t n = MIN((size_t)t.len, cap - 1);
    for (size_t i = 0; i < n;
         i++) { /* what a tap says ends on terminals: printable or not at all */
        char c = t.p[i];
        to[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    to[n] = '\0';
}

/* The same host? Then a tap of the same name is the old one, started anew. */
static bool same_host(const struct udp_addr *a, const struct udp_addr *b)
{
    struct udp_addr x = *a, y = *b;
    if (x.sa.sa_family == AF_INET) {
        x.v4.sin_port = y.v4.sin_port = 0;
    } else {
        x.v6.sin6_port = y.v6.sin6_port = 0;
    }
    return udp_addr_equal(&x, &y);
}

enum rival { RIVAL_GONE, RIVAL_LIVES, RIVAL_UNKNOWN };

/* A session has the name that a new one of the same host wants: was the tap started anew, or are
 * these two? The old one reports every second if it lives. */
static enum rival rival(const struct session *old, const struct key *k)
{
    if (old->closing || mono_diff(mono_now(), old->heard) > SERVER_ALIVE_MS * NSEC_PER_MSEC) {
        return RIVAL_GONE;
    }
    return mono_diff(old->heard, k->asked) > 0 ? RIVAL_LIVES : RIVAL_UNKNOWN;
}

/* Who has proven a key is what the list says; who knows the passphrase is who it says, unless
 * another tap has that name: then "name-2" and so on. */
struct tap *server_tap_for(struct server *s, const struct link_info *info, const struct key *k,
                           bool *ret_wait)
{
    char name[LINK_NAME_MAX + 1], base[LINK_NAME_MAX + 1];
    const struct allow_entry *entry = k->handshake.entry;
    *ret_wait = false;
    snprintf(base, sizeof(base), "%.*s", (int)info->name.len, info->name.p);
    snprintf(name, sizeof(name), "%s", entry ? entry->name : base);
    struct tap *t = server_tap_named(s, name);
    for (unsigned n = 2; !entry && t && t->session && n < SERVER_TAPS; n++) {
        if (same_host(&t->last_addr, &k->from)) {
            enum rival r = rival(t->session, k);
            *ret_wait = r == RIVAL_UNKNOWN;
            if (r != RIVAL_LIVES) {
                break;
            }
        }
        int digits = snprintf(NULL, 0, "-%u", n);
        snprintf(name, sizeof(name), "%.*s-%u", LINK_NAME_MAX - digits, base, n);
        t = server_tap_named(s, name);
    }
    if (*ret_wait) {
        return NULL;
    }
    t = t ? t : make(s, name);
    if (t) {
        copy_text(t->host, sizeof(t->host), info->host);
        copy_text(t->software, sizeof(t->software), info->software);
    }
    return t;
}

struct receiver_port *server_port_for(struct server *s, struct tap *tap, const char *ifname,
                                      size_t len)
{
    char name[LINK_NAME_MAX + 1];
    copy_text(name, sizeof(name), (struct link_text){ifname, (uint16_t)len});
    for (unsigned i = 0; i < tap->n_ports; i++) {
        if (strcmp(tap->port[i]->ifname, name) == 0) {
            return tap->port[i];
        }
    }
    if (tap->n_ports == TAP_PORTS || s->n_ports == SERVER_PORTS) {
        return NULL;
    }
    struct receiver_port *p = calloc(1, sizeof(*p));
    if (p) {
        p->index = ++s->n_ports;
        snprintf(p->tap, sizeof(p->tap), "%s", tap->name);
        snprintf(p->ifname, sizeof(p->ifname), "%s", name);
        tap->port[tap->n_ports++] = p;
    }
    return p;
}

void server_each(const struct server *s, server_tap_fn *fn, void *user)
{
    struct mono now = mono_now();
    for (unsigned i = 0; i < s->n_taps; i++) {
        const struct tap *t = s->tap[i];
        struct server_tap view = {
            .name = t->name,
            .host = t->host,
            .software = t->software,
            .live = t->session != NULL,
            .silent = t->session && mono_due(now, mono_add_ms(t->heard, SERVER_SILENT_MS)),
            .cipher = t->cipher,
            .since = t->since,
            .heard = t->heard,
            .sessions = t->sessions,
            .rekeys = t->rekeys,
            .moves = t->moves,
            .unclosed = t->unclosed,
            .rtt_ns = t->rtt_ns,
            .clock_offset_ns = t->clock_offset_ns,
            .ports = t->port,
            .n_ports = t->n_ports,
            .history = &t->history,
        };
        udp_addr_text(&t->last_addr, view.address);
        fn(user, &view);
    }
}
