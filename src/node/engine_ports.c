/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/meter/meter.h"
#include "node/capture_impl.h"

/* A frame is read so long after it was captured, at most: blocks of a ring are closed after 22 ms.
 */
#define LATE_NS (100 * NSEC_PER_MSEC)

/* A place as the port's thread knows it. */
struct place {
    struct sink *meter; /* of a consumer that is one; NULL */
    uint32_t point;
};

/* The part of a capture (capture_impl.h) that serves several. The control thread's, but for what is
 * atomic and for the places, which are the port's thread's. */
struct engine_port {
    struct engine_ports *ports;
    struct capture *cap;
    struct sink *spread; /* the pipeline's */
    uint32_t stream;
    uint64_t number;
    bool taken[SPREAD_PLACES], place_meter[SPREAD_PLACES];
    int64_t since_ns;
    struct place place[SPREAD_PLACES];
    unsigned n_places; /* up to the last that was ever in use; the thread's */
    _Atomic int64_t read_ns;
};

struct names {
    unsigned n;
    char name[INTERFACES_MAX][IFNAMSIZ];
    struct selection select;
};

struct engine_ports {
    struct interface_edges common; /* first: the user of both tables of functions */
    struct engine_ports_conf conf;
    struct history history;
    struct names names[2]; /* the interfaces look at one, the other is made */
    unsigned current;
    uint64_t numbers;                             /* of ports that there were */
    struct engine_port *port[INTERFACES_MAX + 1]; /* by stream */
};

static struct engine_ports *of(void *user)
{
    return user;
}

/* ---- the part of a capture ---- */

static int make_sink(void *part, struct capture *cap, struct sink **ret, struct stage_conf *wishes)
{
    struct engine_port *port = part;
    (void)wishes;
    port->cap = cap;
    const int r = spread_new(&cap->counting, &port->spread);
    if (r == 0) {
        *ret = port->spread;
    }
    return r;
}

/* After each run: what was captured until a moment ago has been given away, if there is no more. */
static int ran(void *part, bool more)
{
    struct engine_port *port = part;
    const int64_t now = wall_now().ns;
    for (unsigned i = 0; i < port->n_places; i++) {
        if (port->place[i].meter) {
            meter_sink_read(port->place[i].meter, port->place[i].point, !more, now);
        }
    }
    if (!more) {
        atomic_store_explicit(&port->read_ns, now - LATE_NS, memory_order_release);
    }
    return -1;
}

static void free_part(void *part)
{
    free(part);
}

static const struct capture_ops capture_ops = {.sink = make_sink, .ran = ran, .free = free_part};

/* ---- edges: what interfaces need ---- */

static uint32_t free_stream(const struct engine_ports *p)
{
    uint32_t i = 0;
    while (i < INTERFACES_MAX && p->port[i]) {
        i++;
    }
    return i;
}

static int start(void *user, struct interface *i, const struct interface_kind *kind,
                 struct error *err)
{
    struct engine_ports *p = of(user);
    char name[16];
    (void)kind;
    struct engine_port *port = calloc(1, sizeof(*port));
    if (!port) {
        return error_sys(err, ENOMEM, "%s", i->name);
    }
    port->ports = p;
    port->stream = free_stream(p);
    port->number = ++p->numbers;
    (void)snprintf(name, sizeof(name), "cap %.11s", i->name);
    const struct capture_conf cc = {.name = i->name,
                                    .point = port->stream,
                                    .thread = name,
                                    .control = p->conf.wake,
                                    .ops = &capture_ops,
                                    .part = port,
                                    .end = STAGE_AT_TAP,
                                    .wishes = {.take_links = true}};
    const int r = capture_start(&cc, &i->capture, err); /* which takes the part over */
    if (r == 0) {
        i->stream = (uint16_t)port->stream;
        p->port[port->stream] = port;
    }
    return r;
}

/* Time begins anew with each ring: what was before it is not to be had. */
static int give_ring(void *user, struct interface *i, struct ring *ring,
                     const struct sock_filter *program, unsigned n, struct error *err)
{
    struct engine_port *port = of(user)->port[i->stream];
    const bool is = ring != NULL;
    port->since_ns = 0;
    const int r = interface_edges_ring(user, i, ring, program, n, err);
    if (r == 0 && is) {
        port->since_ns = wall_now().ns;
        wake_signal(port->ports->conf.wake);
    }
    return r;
}

static int give_filter(void *user, struct interface *i, struct filter_prog *program,
                       const struct ether_flow *flow)
{
    (void)user;
    (void)flow;
    return capture_filter(i->capture, program);
}

static void is_of_kind(void *user, struct interface *i, const struct interface_kind *kind)
{
    (void)user;
    (void)i;
    (void)kind;
}

static void end(void *user, struct interface *i)
{
    (void)user;
    capture_stop(i->capture);
}

static void counts_of(void *user, const struct interface *i, struct interface_counts *ret)
{
    (void)user;
    *ret = (struct interface_counts){.said = {0}};
    ledger_copy(&ret->ledger, capture_ledger(i->capture));
}

static void free_capture(void *user, struct interface *i)
{
    of(user)->port[i->stream] = NULL;
    capture_free(i->capture);
}

/* A port is taken up when somebody wants it, and given up when nobody does, which is no news. */
static void event(void *user, enum history_kind kind, const char *subject, const char *words)
{
    const bool wanted = kind == HISTORY_IF_APPEARED && strncmp(words, "is there", 8) == 0;
    const bool unwanted = kind == HISTORY_IF_REFUSED && strstr(words, "not selected any more");
    if (!wanted && !unwanted) {
        interface_edges_event(user, kind, subject, words);
    }
}

static const struct interface_ops interface_ops = {
    .event = event,
    .say = interface_edges_say,
    .start = start,
    .open = interface_edges_open,
    .ring = give_ring,
    .renew = interface_edges_renew,
    .filter = give_filter,
    .kind = is_of_kind,
    .end = end,
    .told = interface_edges_told,
    .counts = counts_of,
    .free = free_capture,
};

/* No frame waits for a session: those that are gone may be forgotten. */
static bool has_session(void *user)
{
    (void)user;
    return true;
}

static const struct interfaces_ops interfaces_ops = {
    .watch = interface_edges_watch,
    .unwatch = interface_edges_unwatch,
    .ask = interface_edges_ask,
    .netns = interface_edges_netns,
    .own = interface_edges_own,
    .session = has_session,
};

/* ---- all of them ---- */

/* A selection of exactly these names, in the place that nobody looks at. */
static const struct selection *select_names(struct engine_ports *p, const char *const *names,
                                            unsigned n)
{
    struct names *to = &p->names[!p->current];
    to->select = *p->conf.select;
    to->select.n_words = 0;
    to->n = MIN(n, (unsigned)INTERFACES_MAX);
    for (unsigned i = 0; i < to->n; i++) {
        (void)snprintf(to->name[i], IFNAMSIZ, "%s", names[i]);
        to->select.word[to->select.n_words++] = (struct selection_word){.text = to->name[i]};
    }
    p->current = !p->current;
    return &to->select;
}

int engine_ports_new(const struct engine_ports_conf *conf, struct engine_ports **ret,
                     struct error *err)
{
    struct engine_ports *p = calloc(1, sizeof(*p));
    if (!p) {
        return error_sys(err, ENOMEM, "cannot watch the interfaces");
    }
    p->conf = *conf;
    history_init(&p->history, HISTORY_MAX);
    const struct selection *none = select_names(p, NULL, 0);
    const struct interfaces_conf ic = {"captured", none, &interface_ops, &interfaces_ops, p};
    interface_edges_init(&p->common, &ic);
    p->common.loop = conf->loop;
    p->common.broker = conf->broker;
    p->common.teller = conf->teller;
    p->common.wake = conf->wake;
    p->common.history = &p->history;
    const int r = interfaces_start(&p->common.interfaces, NULL, mono_now(), err);
    if (r < 0) {
        engine_ports_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void engine_ports_free(struct engine_ports *p)
{
    if (p) {
        interface_edges_done(&p->common);
        history_done(&p->history);
        free(p);
    }
}

static bool has_name(const struct names *all, const char *name)
{
    unsigned at = 0;
    while (at < all->n && strcmp(all->name[at], name) != 0) {
        at++;
    }
    return at < all->n;
}

/* Each name comes once: the order, in which captures that have begun are first, is of no matter. */
static bool are_same(const struct names *is, const char *const *names, unsigned n)
{
    bool same = is->n == n;
    for (unsigned i = 0; same && i < n; i++) {
        same = has_name(is, names[i]);
    }
    return same;
}

void engine_ports_want(struct engine_ports *p, const char *const *names, unsigned n,
                       struct mono now)
{
    if (!are_same(&p->names[p->current], names, n)) {
        p->common.select = select_names(p, names, n);
        interfaces_select(&p->common.interfaces, p->common.select, now);
        interfaces_tick(&p->common.interfaces, now); /* which asks for those that are new */
    }
}

void engine_ports_select(struct engine_ports *p, const struct selection *select)
{
    p->conf.select = select;
}

/* Those that were given up have ended: they go, and one that is wanted again is looked for. */
static void look_at_ended(struct engine_ports *p)
{
    struct interfaces *all = &p->common.interfaces;
    for (unsigned k = 0; k < all->n;) {
        const struct interface *i = all->at[k];
        if (i->ending && capture_done(i->capture)) { /* another one is in its place then */
            interfaces_stream_ended(all, i->stream);
            all->lost = true;
        } else {
            k++;
        }
    }
}

void engine_ports_tick(struct engine_ports *p, struct mono now)
{
    interface_edges_woke(&p->common);
    look_at_ended(p);
    interfaces_tick(&p->common.interfaces, now);
}

void engine_ports_shift(struct engine_ports *p, int64_t ns)
{
    for (unsigned i = 0; i < ARRAY_SIZE(p->port); i++) {
        struct engine_port *port = p->port[i];
        if (port) {
            port->since_ns = port->since_ns > 0 ? MAX(port->since_ns + ns, INT64_C(1)) : 0;
            atomic_store_explicit(&port->read_ns, 0, memory_order_release);
            capture_look(port->cap);
        }
    }
}

struct engine_port *engine_ports_find(struct engine_ports *p, const char *name)
{
    const struct interfaces *all = &p->common.interfaces;
    for (unsigned k = 0; k < all->n; k++) {
        if (!all->at[k]->ending && strcmp(all->at[k]->name, name) == 0) {
            return p->port[all->at[k]->stream];
        }
    }
    return NULL;
}

struct engine_port *engine_ports_get(struct engine_ports *p, uint64_t number)
{
    for (unsigned i = 0; i < ARRAY_SIZE(p->port); i++) {
        if (p->port[i] && p->port[i]->number == number) {
            return p->port[i];
        }
    }
    return NULL;
}

/* ---- one ---- */

uint64_t engine_port_number(const struct engine_port *port)
{
    return port->number;
}

int64_t engine_port_since(const struct engine_port *port)
{
    return port->since_ns;
}

int64_t engine_port_read(const struct engine_port *port)
{
    const int64_t read = atomic_load_explicit(&port->read_ns, memory_order_acquire);
    return port->since_ns > 0 && read > port->since_ns ? read : 0;
}

const struct ledger *engine_port_ledger(const struct engine_port *port)
{
    return capture_ledger(port->cap);
}

void engine_port_look(const struct engine_port *port)
{
    capture_look(port->cap);
}

/* A place that is to be somebody's, or free (want.sink NULL). */
struct setting {
    struct spread_want want;
    unsigned place;
    bool meter;
    _Atomic int64_t *at;
    _Atomic bool *gone;
    const struct wake *control;
};

/* In the port's thread. */
static void set_place(void *owner, void *arg)
{
    struct engine_port *port = ((struct capture *)owner)->part;
    const struct setting *s = arg;
    const bool is = s->want.sink != NULL;
    spread_set(port->spread, s->place, is ? &s->want : NULL);
    port->place[s->place] =
        (struct place){is && s->meter ? s->want.sink : NULL, is ? s->want.point : 0};
    port->n_places = MAX(port->n_places, s->place + 1);
    if (s->at) {
        atomic_store_explicit(s->at, wall_now().ns, memory_order_release);
    }
    if (s->gone) {
        atomic_store_explicit(s->gone, true, memory_order_release);
    }
    wake_signal(s->control);
}

static int post(struct engine_port *port, const struct setting *from)
{
    struct setting *s = malloc(sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    *s = *from;
    s->control = port->ports->conf.wake;
    return capture_post(port->cap, set_place, s, free);
}

int engine_port_add(struct engine_port *port, const struct spread_want *w, bool meter,
                    _Atomic int64_t *ret_at)
{
    unsigned place = 0;
    while (place < SPREAD_PLACES && port->taken[place]) {
        place++;
    }
    if (place == SPREAD_PLACES) {
        return -ENOSPC;
    }
    const int r =
        post(port, &(struct setting){.want = *w, .place = place, .meter = meter, .at = ret_at});
    if (r < 0) {
        return r;
    }
    port->taken[place] = true;
    port->place_meter[place] = meter;
    return (int)place;
}

int engine_port_change(struct engine_port *port, unsigned place, const struct spread_want *w)
{
    return post(port,
                &(struct setting){.want = *w, .place = place, .meter = port->place_meter[place]});
}

int engine_port_remove(struct engine_port *port, unsigned place, _Atomic bool *ret_gone)
{
    const int r = post(port, &(struct setting){.place = place, .gone = ret_gone});
    if (r == 0) {
        port->taken[place] = false;
    }
    return r;
}
