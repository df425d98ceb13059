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
#include "data/link/listen/impl.h"

void listener_peer_free(struct peer *t)
{
    for (unsigned i = 0; i < t->n_points; i++) {
        free(t->point[i]->filter);
        free(t->point[i]);
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
static bool settled(const struct listener *s, const struct point *p)
{
    if (ledger_sum(&p->ledger, NULL, LEDGER_LINK_RX).in_flight != 0) {
        return false;
    }
    for (unsigned k = 0; k < FAN_SINKS; k++) {
        const struct ledger *l = point_output(p, s->output[k]);
        if (l && ledger_sum(l, NULL, LEDGER_SINK).in_flight != 0) {
            return false;
        }
    }
    return true;
}

static bool tap_settled(const struct listener *s, const struct peer *t)
{
    for (unsigned i = 0; i < t->n_points; i++) {
        if (!settled(s, t->point[i])) {
            return false;
        }
    }
    return true;
}

/* Its counts go to those of the tap's interfaces that are no more. */
static bool forget_point(struct listener *s, struct peer *t, unsigned at)
{
    struct point *p = t->point[at];
    if (!t->past) {
        t->past = calloc(1, sizeof(*t->past)); /* with it; read before it is gone */
    }
    if (!t->past) {
        return false;
    }
    t->past->n++;
    add_up(&t->past->rx, &p->ledger);
    add_up(&t->past->reported, &p->reported);
    for (unsigned k = 0; k < FAN_SINKS; k++) {
        add_up(&t->past->out[k], point_output(p, s->output[k]));
    }
    s->point_used[p->index] = false;
    s->n_points--;
    free(p->filter);
    free(p);
    t->point[at] = t->point[--t->n_points];
    return true;
}

static bool forget_tap(struct listener *s, unsigned at)
{
    struct peer *t = s->peer[at];
    struct listener_forgotten *f = &s->forgotten;
    while (t->n_points > 0) {
        if (!forget_point(s, t, t->n_points - 1)) {
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
        for (unsigned k = 0; k < FAN_SINKS; k++) {
            add_up(&f->past.out[k], &t->past->out[k]);
        }
    }
    if (f->taps == 1) {
        listener_say(s, true,
                     "no more than %d taps are remembered: those gone for longest are now counted "
                     "together",
                     LISTENER_PEERS);
    }
    listener_tell_rest(s, t);
    table_remove(&t->by_name);
    memmove(&s->peer[at], &s->peer[at + 1], (s->n_peers - at - 1) * sizeof(struct peer *));
    s->n_peers--;
    listener_peer_free(t);
    return true;
}

/* Makes room: of the taps that are gone, the one heard of last is the last to be forgotten. */
static bool forget_oldest(struct listener *s)
{
    unsigned oldest = s->n_peers;
    for (unsigned i = 0; i < s->n_peers; i++) {
        const struct peer *t = s->peer[i];
        if (!t->session && (oldest == s->n_peers || t->heard.ns < s->peer[oldest]->heard.ns) &&
            tap_settled(s, t)) {
            oldest = i;
        }
    }
    return oldest < s->n_peers && forget_tap(s, oldest);
}

const struct listener_forgotten *listener_forgotten(const struct listener *s)
{
    return &s->forgotten;
}

static struct peer *make(struct listener *s, const char *name)
{
    bool room = s->n_peers < LISTENER_PEERS || forget_oldest(s);
    struct peer *t = room ? calloc(1, sizeof(*t)) : NULL;
    if (t) {
        snprintf(t->name, sizeof(t->name), "%s", name);
        t->number = ++s->last_peer;
        t->device.fd = -1;
        bucket_init(&t->begins, LISTENER_BEGINS_BURST, mono_now());
        bucket_init(&t->streams, LISTENER_STREAMS_BURST, mono_now());
        history_init(&t->history, HISTORY_TAP);
        bucket_init(&t->names, POINT_OF_PEER, mono_now());
        s->peer[s->n_peers++] = t;
        table_add(&s->peers_by_name, &t->by_name,
                  table_hash(&s->peers_by_name, t->name, strlen(t->name)));
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
    if (old->closing || mono_diff(mono_now(), old->heard) > LISTENER_ALIVE_MS * NSEC_PER_MSEC) {
        return RIVAL_GONE;
    }
    return mono_diff(old->heard, k->asked) > 0 ? RIVAL_LIVES : RIVAL_UNKNOWN;
}

/* A tap that has proven a key has the list's name for it; one that knows the passphrase has the
 * name that it gives, unless another tap has that: then "name-2" and so on. */
struct peer *listener_peer_for(struct listener *s, const struct link_info *info,
                               const struct key *k, bool *ret_wait)
{
    char name[LINK_NAME_MAX + 1], base[LINK_NAME_MAX + 1];
    const struct allow_entry *entry = k->handshake.entry;
    *ret_wait = false;
    snprintf(base, sizeof(base), "%.*s", (int)info->name.len, info->name.p);
    snprintf(name, sizeof(name), "%s", entry ? entry->name : base);
    struct peer *t = listener_peer_named(s, name);
    for (unsigned n = 2; !entry && t && t->session && n < LISTENER_PEERS; n++) {
        if (same_host(&t->last_addr, &k->from)) {
            enum rival r = rival(t->session, k);
            *ret_wait = r == RIVAL_UNKNOWN;
            if (r != RIVAL_LIVES) {
                break;
            }
        }
        int digits = snprintf(NULL, 0, "-%u", n);
        snprintf(name, sizeof(name), "%.*s-%u", LINK_NAME_MAX - digits, base, n);
        t = listener_peer_named(s, name);
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

void listener_point_idle(struct point *p)
{
    p->has_stream = p->has_sub = p->shown = false;
    p->idle = mono_now();
}

static uint32_t free_index(struct listener *s)
{
    uint32_t i = s->last_point;
    do {
        i = i % POINT_COUNT + 1;
    } while (s->point_used[i]);
    s->point_used[i] = true;
    s->n_points++;
    return s->last_point = i;
}

/* Nothing counts in it any more, and what it counts is complete. */
static bool is_over(const struct listener *s, const struct point *p)
{
    return !p->has_stream && !p->has_sub && !p->shown &&
           mono_due(mono_now(), mono_add_ms(p->idle, LISTENER_IDLE_MS)) && settled(s, p);
}

/* The tap is within its share, or there is enough for it to have more. */
static bool has_place(const struct listener *s, const struct peer *tap)
{
    const unsigned left = POINT_COUNT - s->n_points;
    return tap->n_points < POINT_OF_PEER && left > (tap->n_points < POINT_SHARE ? 0 : POINT_SPARE);
}

struct place {
    struct peer *tap; /* NULL: none */
    unsigned at;
};

/* Is the point a better one to forget than that one? First those of taps beyond their share, then
 * those idle for longest. */
static bool goes_first(const struct peer *t, unsigned at, const struct place *than)
{
    bool greedy = t->n_points > POINT_SHARE;
    if (!than->tap || greedy != (than->tap->n_points > POINT_SHARE)) {
        return !than->tap || greedy;
    }
    return t->point[at]->idle.ns < than->tap->point[than->at]->idle.ns;
}

/* The place that a new point of the tap can have: of its own, or anybody's while it is within its
 * share. */
static struct place find_idle(const struct listener *s, const struct peer *tap)
{
    struct place found = {NULL, 0};
    for (unsigned i = 0; i < s->n_peers; i++) {
        struct peer *t = s->peer[i];
        if (t != tap && tap->n_points >= POINT_SHARE) {
            continue;
        }
        for (unsigned k = 0; k < t->n_points; k++) {
            if (is_over(s, t->point[k]) && goes_first(t, k, &found)) {
                found = (struct place){t, k};
            }
        }
    }
    return found;
}

static struct point *make_point(struct listener *s, struct peer *tap, const char *name)
{
    struct point *p = calloc(1, sizeof(*p));
    if (p) {
        p->index = free_index(s);
        p->idle = mono_now();
        snprintf(p->tap, sizeof(p->tap), "%s", tap->name);
        p->tap_number = tap->number;
        snprintf(p->ifname, sizeof(p->ifname), "%s", name);
        tap->point[tap->n_points++] = p;
    }
    return p;
}

struct point *listener_point_for(struct listener *s, struct peer *tap, struct link_text ifname,
                                 const char **ret_why)
{
    char name[POINT_IFNAME];
    struct place old = {NULL, 0};
    copy_text(name, sizeof(name), ifname);
    for (unsigned i = 0; i < tap->n_points; i++) {
        if (strcmp(tap->point[i]->ifname, name) == 0) {
            return tap->point[i];
        }
    }
    if (!has_place(s, tap)) {
        old = find_idle(s, tap);
        if (!old.tap) {
            *ret_why = "no more interfaces can be kept";
            return NULL;
        }
    }
    if (!bucket_take(&tap->names, PEER_NAMES_RATE, POINT_OF_PEER, mono_now())) {
        *ret_why = "too many new interfaces, it has to wait";
        return NULL;
    }
    *ret_why = "there is no memory for its interface";
    return !old.tap || forget_point(s, old.tap, old.at) ? make_point(s, tap, name) : NULL;
}

void listener_note_refused(struct session *ss, uint16_t stream, bool refused)
{
    unsigned i = 0;
    while (i < ss->n_refused && ss->refused[i] != stream) {
        i++;
    }
    if (refused && i == ss->n_refused && i < POINT_STREAMS) {
        ss->refused[ss->n_refused++] = stream;
    } else if (!refused && i < ss->n_refused) {
        ss->refused[i] = ss->refused[--ss->n_refused];
    }
}

void listener_each(const struct listener *s, listener_peer_fn *fn, void *user)
{
    struct mono now = mono_now();
    for (unsigned i = 0; i < s->n_peers; i++) {
        const struct peer *t = s->peer[i];
        struct listener_peer view = {
            .name = t->name,
            .host = t->host,
            .software = t->software,
            .live = t->session != NULL,
            .silent = t->session && mono_due(now, mono_add_ms(t->heard, LISTENER_SILENT_MS)),
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
            .clock_jumps = t->clock_jumps,
            .points = t->point,
            .n_points = t->n_points,
            .device = &t->device,
            .history = &t->history,
            .past = t->past,
        };
        view.aligned = t->session && t->session->aligned.of.ns != 0;
        view.state = listener_state(t, now);
        view.rung = t->rung;
        view.breaches = t->breaches;
        listener_traffic(t, &view.traffic);
        view.has_clock = t->session && listener_clock(t->session, &view.clock);
        udp_addr_text(&t->last_addr, view.address);
        fn(user, &view);
    }
}

void listener_each_device(struct listener *s, listener_device_fn *fn, void *user)
{
    for (unsigned i = 0; i < s->n_peers; i++) {
        if (s->peer[i]->device.fd >= 0) {
            fn(user, s->peer[i]->name, &s->peer[i]->device);
        }
    }
}

/* A place's sums are those of the output that has it. */
void listener_place(struct listener *s, unsigned place, struct sink *output)
{
    static const struct ledger zeros;
    s->output[place] = output;
    ledger_copy(&s->forgotten.past.out[place], &zeros);
    for (unsigned i = 0; i < s->n_peers; i++) {
        if (s->peer[i]->past) {
            ledger_copy(&s->peer[i]->past->out[place], &zeros);
        }
    }
}
