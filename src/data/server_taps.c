/* SPDX-License-Identifier: Apache-2.0
 *
 * Which taps the collector knows, by name, and their observation points. They outlive sessions, so
 * that a tap that comes back counts on in the same ledger. As there is room for so many only, those
 * gone for longest are forgotten one by one, and what they counted is kept in one sum.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "data/server_impl.h"

void server_tap_free(struct tap *t)
{
    for (unsigned i = 0; i < t->n_ports; i++) {
        free(t->port[i]->filter);
        free(t->port[i]);
    }
    closep(&t->device.fd);
    history_done(&t->history);
    free(t->past);
    free(t);
}

static void add_up(struct ledger *to, const struct ledger *from)
{
    if (from) {
        ledger_add_up(to, from);
    }
}

/* Nothing of it is between the link and the end of an output. */
static bool settled(const struct server *s, const struct receiver_port *p)
{
    if (ledger_sum(&p->ledger, LEDGER_LINK_RX).in_flight != 0) {
        return false;
    }
    for (unsigned k = 0; k < s->conf.n_outputs; k++) {
        const struct ledger *l = receiver_port_output(p, s->conf.outputs[k]);
        if (l && ledger_sum(l, LEDGER_SINK).in_flight != 0) {
            return false;
        }
    }
    return true;
}

static bool tap_settled(const struct server *s, const struct tap *t)
{
    for (unsigned i = 0; i < t->n_ports; i++) {
        if (!settled(s, t->port[i])) {
            return false;
        }
    }
    return true;
}

/* Its counts go to those of the tap's interfaces that are no more. */
static bool forget_port(struct server *s, struct tap *t, unsigned at)
{
    struct receiver_port *p = t->port[at];
    if (!t->past) {
        t->past = calloc(1, sizeof(*t->past)); /* with it; read before it is gone */
    }
    if (!t->past) {
        return false;
    }
    t->past->n++;
    add_up(&t->past->rx, &p->ledger);
    add_up(&t->past->reported, &p->reported);
    for (unsigned k = 0; k < s->conf.n_outputs; k++) {
        add_up(&t->past->out[k], receiver_port_output(p, s->conf.outputs[k]));
    }
    s->port_used[p->index] = false;
    s->n_ports--;
    free(p->filter);
    free(p);
    t->port[at] = t->port[--t->n_ports];
    return true;
}

static bool forget_tap(struct server *s, unsigned at)
{
    struct tap *t = s->tap[at];
    struct server_forgotten *f = &s->forgotten;
    while (t->n_ports > 0) {
        if (!forget_port(s, t, t->n_ports - 1)) {
            return false;
        }
    }
    f->taps++;
    f->sessions += t->sessions;
    f->unclosed += t->unclosed;
    if (t->past) {
        f->past.n += t->past->n;
        add_up(&f->past.rx, &t->past->rx);
        add_up(&f->past.reported, &t->past->reported);
        for (unsigned k = 0; k < s->conf.n_outputs; k++) {
            add_up(&f->past.out[k], &t->past->out[k]);
        }
    }
    if (f->taps == 1) {
        server_say(s, true,
                   "no more than %d taps are remembered: those gone for longest are now counted "
                   "together",
                   SERVER_TAPS);
    }
    server_tell_rest(s, t);
    table_remove(&t->by_name);
    memmove(&s->tap[at], &s->tap[at + 1], (s->n_taps - at - 1) * sizeof(struct tap *));
    s->n_taps--;
    server_tap_free(t);
    return true;
}

/* Makes room: of the taps that are gone, the one heard of last is the last to be forgotten. */
static bool forget_oldest(struct server *s)
{
    unsigned oldest = s->n_taps;
    for (unsigned i = 0; i < s->n_taps; i++) {
        const struct tap *t = s->tap[i];
        if (!t->session && (oldest == s->n_taps || t->heard.ns < s->tap[oldest]->heard.ns) &&
            tap_settled(s, t)) {
            oldest = i;
        }
    }
    return oldest < s->n_taps && forget_tap(s, oldest);
}

const struct server_forgotten *server_forgotten(const struct server *s)
{
    return &s->forgotten;
}

static struct tap *make(struct server *s, const char *name)
{
    bool room = s->n_taps < SERVER_TAPS || forget_oldest(s);
    struct tap *t = room ? calloc(1, sizeof(*t)) : NULL;
    if (t) {
        snprintf(t->name, sizeof(t->name), "%s", name);
        t->number = ++s->last_tap;
        t->device.fd = -1;
        load_bucket_init(&t->begins, SERVER_BEGINS_BURST, mono_now());
        load_bucket_init(&t->streams, SERVER_STREAMS_BURST, mono_now());
        history_init(&t->history, HISTORY_TAP);
        load_bucket_init(&t->names, TAP_PORTS, mono_now());
        s->tap[s->n_taps++] = t;
        table_add(&s->taps_by_name, &t->by_name,
                  table_hash(&s->taps_by_name, t->name, strlen(t->name)));
    }
    return t;
}

static void copy_text(char *to, size_t cap, struct link_text t)
{
    text_name(to, cap, t.p, t.len); /* what a tap says ends on terminals */
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

void server_port_idle(struct receiver_port *p)
{
    p->has_stream = p->has_sub = p->shown = false;
    p->idle = mono_now();
}

static uint32_t free_index(struct server *s)
{
    uint32_t i = s->last_port;
    do {
        i = i % SERVER_PORTS + 1;
    } while (s->port_used[i]);
    s->port_used[i] = true;
    s->n_ports++;
    return s->last_port = i;
}

/* Nothing counts in it any more, and what it counts is complete. */
static bool is_over(const struct server *s, const struct receiver_port *p)
{
    return !p->has_stream && !p->has_sub && !p->shown &&
           mono_due(mono_now(), mono_add_ms(p->idle, SERVER_IDLE_MS)) && settled(s, p);
}

/* The tap is within its share, or there is enough for it to have more. */
static bool has_place(const struct server *s, const struct tap *tap)
{
    const unsigned left = SERVER_PORTS - s->n_ports;
    return tap->n_ports < TAP_PORTS && left > (tap->n_ports < SERVER_SHARE ? 0 : SERVER_SPARE);
}

struct place {
    struct tap *tap; /* NULL: none */
    unsigned at;
};

/* Is the port a better one to forget than that one? First those of taps beyond their share, then
 * those idle for longest. */
static bool goes_first(const struct tap *t, unsigned at, const struct place *than)
{
    bool greedy = t->n_ports > SERVER_SHARE;
    if (!than->tap || greedy != (than->tap->n_ports > SERVER_SHARE)) {
        return !than->tap || greedy;
    }
    return t->port[at]->idle.ns < than->tap->port[than->at]->idle.ns;
}

/* The place that a new point of the tap can have: of its own, or anybody's while it is within its
 * share. */
static struct place find_idle(const struct server *s, const struct tap *tap)
{
    struct place found = {NULL, 0};
    for (unsigned i = 0; i < s->n_taps; i++) {
        struct tap *t = s->tap[i];
        if (t != tap && tap->n_ports >= SERVER_SHARE) {
            continue;
        }
        for (unsigned k = 0; k < t->n_ports; k++) {
            if (is_over(s, t->port[k]) && goes_first(t, k, &found)) {
                found = (struct place){t, k};
            }
        }
    }
    return found;
}

static struct receiver_port *make_port(struct server *s, struct tap *tap, const char *name)
{
    struct receiver_port *p = calloc(1, sizeof(*p));
    if (p) {
        p->index = free_index(s);
        p->idle = mono_now();
        snprintf(p->tap, sizeof(p->tap), "%s", tap->name);
        p->tap_number = tap->number;
        snprintf(p->ifname, sizeof(p->ifname), "%s", name);
        tap->port[tap->n_ports++] = p;
    }
    return p;
}

struct receiver_port *server_port_for(struct server *s, struct tap *tap, struct link_text ifname,
                                      const char **ret_why)
{
    char name[RECEIVER_IFNAME];
    struct place old = {NULL, 0};
    copy_text(name, sizeof(name), ifname);
    for (unsigned i = 0; i < tap->n_ports; i++) {
        if (strcmp(tap->port[i]->ifname, name) == 0) {
            return tap->port[i];
        }
    }
    if (!has_place(s, tap)) {
        old = find_idle(s, tap);
        if (!old.tap) {
            *ret_why = "no more interfaces can be kept";
            return NULL;
        }
    }
    if (!load_bucket_take(&tap->names, TAP_NAMES_RATE, TAP_PORTS, mono_now())) {
        *ret_why = "too many new interfaces, it has to wait";
        return NULL;
    }
    *ret_why = "there is no memory for its interface";
    return !old.tap || forget_port(s, old.tap, old.at) ? make_port(s, tap, name) : NULL;
}

void server_note_refused(struct session *ss, uint16_t stream, bool refused)
{
    unsigned i = 0;
    while (i < ss->n_refused && ss->refused[i] != stream) {
        i++;
    }
    if (refused && i == ss->n_refused && i < RECEIVER_STREAMS) {
        ss->refused[ss->n_refused++] = stream;
    } else if (!refused && i < ss->n_refused) {
        ss->refused[i] = ss->refused[--ss->n_refused];
    }
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
            .refused = t->session ? t->session->n_refused : 0,
            .rtt_ns = t->rtt_ns,
            .clock_offset_ns = t->clock_offset_ns,
            .ports = t->port,
            .n_ports = t->n_ports,
            .device = &t->device,
            .history = &t->history,
            .past = t->past,
        };
        udp_addr_text(&t->last_addr, view.address);
        fn(user, &view);
    }
}

void server_each_device(struct server *s, server_device_fn *fn, void *user)
{
    for (unsigned i = 0; i < s->n_taps; i++) {
        if (s->tap[i]->device.fd >= 0) {
            fn(user, s->tap[i]->name, &s->tap[i]->device);
        }
    }
}
