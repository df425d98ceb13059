/* SPDX-License-Identifier: Apache-2.0
 *
 * The lives of what a tap watches: interfaces that go down, vanish, come back as others, those that
 * a pattern takes up, and the namespace that they are in. Each keeps its observation point, its
 * worker and its counts; only the ring is another one after each return.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cmd/tap.h"
#include "sys/tapdev.h"

enum {
    /* The kernel slices frames up to this length, an ordinary one with two tags. What is longer may
     * be a super-packet, is captured whole, cut, and sliced then. */
    SLICE_UP_TO = 1522,
    RETRY_MS = 10000,
    ASK_MS = 2000,        /* an answer that is not complete by then was lost */
    SETTLE_MS = 3000,     /* for the first answer, before the link is begun */
    PORT_QUIET_MS = 5000, /* a port's number goes to another interface after that */
    FULL_MS = 60000,      /* between two complaints about the same limit */
};

static void _printf_(4, 5)
    event(struct tap *t, enum history_kind kind, const char *subject, const char *fmt, ...)
{
    char words[HISTORY_WORDS + 1];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    history_add(&t->history, wall_now(), kind, subject, "%s", words);
    say("tap", "%s: %s", subject, words);
}

/* ---- filters ---- */

/* The program of one interface: our own part, then the user's. Into t->program. */
static int make_program(struct tap *t, const struct tap_interface *ti, unsigned *ret_n,
                        struct error *err)
{
    const struct ether_flow *flow = t->has_flow ? &t->flow : NULL;
    const struct filter_prog *user =
        &t->conf.program[ti->raw_ip ? NETLINK_RAW_IP : NETLINK_ETHERNET];
    struct bpfsel_flow bf = {0};
    if (flow) {
        bf.family = flow->family;
        memcpy(bf.local, flow->addr[0], sizeof(bf.local));
        memcpy(bf.remote, flow->addr[1], sizeof(bf.remote));
        bf.local_port = flow->port[0];
        bf.remote_port = flow->port[1];
    }
    const struct bpfsel_conf bc = {
        .raw_ip = ti->raw_ip,
        .dir = t->conf.dir,
        .vlans = t->conf.has_vlans ? &t->conf.vlans : NULL,
        .flows = &bf,
        .n_flows = flow ? 1 : 0,
        .user = user->insns,
        .n_user = user->n,
        .snaplen = t->conf.snaplen,
        .slice_up_to = t->conf.snaplen ? SLICE_UP_TO : 0,
    };
    return bpfsel_make(&bc, t->program, ret_n, err);
}

static int set_filter(struct tap *t, struct tap_interface *ti, struct error *err)
{
    struct filter_prog prog = {0};
    int r = make_program(t, ti, &prog.n, err);
    if (r < 0) {
        return r;
    }
    prog.insns = malloc(prog.n * sizeof(*prog.insns));
    if (!prog.insns) {
        return error_sys(err, ENOMEM, "filter");
    }
    memcpy(prog.insns, t->program, prog.n * sizeof(*prog.insns));
    return worker_filter(ti->worker, &prog, t->has_flow ? &t->flow : NULL);
}

void tap_links_flow(struct tap *t, const struct ether_flow *flow)
{
    t->has_flow = flow != NULL;
    if (flow) {
        t->flow = *flow;
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct error err = {""};
        if (t->interface[i].there && set_filter(t, &t->interface[i], &err) < 0) {
            say("tap", "%s: %s", t->interface[i].name, err.text);
        }
    }
}

/* ---- "any": which interface a frame is from ---- */

static bool is_any(const struct tap_interface *ti)
{
    return strcmp(ti->name, "any") == 0;
}

static void tell_ports(struct tap *t, struct tap_interface *ti)
{
    uint32_t indexes[PORTS_MAX];
    for (unsigned i = 0; i < t->n_ports; i++) {
        indexes[i] = t->port[i].index;
    }
    (void)worker_ports(ti->worker, indexes, t->n_ports);
    (void)worker_own_devices(ti->worker, t->own, t->n_own);
    client_set_ports(t->client, ti->stream, t->n_ports);
}

/* What changed since the last time. */
static void push_ports(struct tap *t)
{
    for (unsigned i = 0; t->ports_changed && i < t->n; i++) {
        if (is_any(&t->interface[i])) {
            tell_ports(t, &t->interface[i]);
        }
    }
    t->ports_changed = false;
}

/* A place for a new name: a free one, or that of an interface which went long enough ago. */
static struct tap_port *port_place(struct tap *t)
{
    struct tap_port *oldest = NULL;
    if (t->n_ports < PORTS_MAX) {
        t->port_name[t->n_ports] = t->port[t->n_ports].name;
        return &t->port[t->n_ports++];
    }
    for (unsigned i = 0; i < t->n_ports; i++) {
        struct tap_port *p = &t->port[i];
        if (p->index == 0 && (!oldest || p->gone.ns < oldest->gone.ns)) {
            oldest = p;
        }
    }
    return oldest && mono_due(mono_now(), mono_add_ms(oldest->gone, PORT_QUIET_MS)) ? oldest : NULL;
}

static void port_is(struct tap *t, const struct netlink_link *link)
{
    struct tap_port *p = NULL;
    for (unsigned i = 0; i < t->n_ports; i++) {
        if (strcmp(t->port[i].name, link->name) == 0) {
            p = &t->port[i];
        } else if (t->port[i].index == (uint32_t)link->index) { /* renamed */
            t->port[i].index = 0;
            t->port[i].gone = mono_now();
        }
    }
    if (!p && (p = port_place(t)) != NULL) {
        memcpy(p->name, link->name, sizeof(p->name));
        p->index = 0;
        for (unsigned i = 0; i < t->n; i++) {
            if (is_any(&t->interface[i])) {
                client_port_changed(t->client, t->interface[i].stream, (uint16_t)(p - t->port + 1));
            }
        }
    }
    if (p) {
        t->ports_changed |= p->index != (uint32_t)link->index;
        p->index = (uint32_t)link->index;
        p->seen = true;
    }
}

static void port_gone(struct tap *t, int index)
{
    for (unsigned i = 0; i < t->n_ports; i++) {
        if (t->port[i].index == (uint32_t)index) {
            t->port[i].index = 0;
            t->port[i].gone = mono_now();
            t->ports_changed = true;
        }
    }
    for (unsigned i = 0; i < t->n_own; i++) {
        if (t->own[i] == index) {
            t->own[i] = t->own[--t->n_own];
            t->ports_changed = true;
        }
    }
}

/* A collector's device: nobody is to tap what a collector puts there, for that would never end. */
static bool is_own(struct tap *t, const struct netlink_link *link)
{
    if (strcmp(link->alias, TAPDEV_ALIAS) != 0) {
        return false;
    }
    for (unsigned i = 0; i < t->n_own; i++) {
        if (t->own[i] == link->index) {
            return true;
        }
    }
    if (t->n_own < RING_OWN_MAX) {
        t->own[t->n_own++] = link->index;
        t->ports_changed = true;
    }
    return true;
}

/* ---- one interface ---- */

static struct tap_interface *by_name(struct tap *t, const char *name)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->interface[i].name, name) == 0) {
            return &t->interface[i];
        }
    }
    return NULL;
}

static struct tap_interface *by_index(struct tap *t, int index)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = &t->interface[i];
        if (ti->there && ti->now.index == (uint32_t)index) {
            return ti;
        }
    }
    return NULL;
}

/* A worker and its stream, without a ring yet. */
static int add(struct tap *t, const char *name, const struct tap_word *word,
               struct tap_interface **ret, struct error *err)
{
    if (t->n == TAP_INTERFACES) {
        return error_set(err, ENOSPC, "%s is not tapped: no more than %d interfaces are", name,
                         TAP_INTERFACES);
    }
    struct tap_interface *ti = &t->interface[t->n];
    *ti = (struct tap_interface){.word = word, .gone = mono_now()};
    snprintf(ti->name, sizeof(ti->name), "%s", name);
    struct client_stream cs = {.ifname = ti->name,
                               .filter = t->conf.filter ? t->conf.filter : "",
                               .snaplen = t->conf.snaplen};
    struct worker_conf wc = {.stream = client_next_stream(t->client),
                             .keep_super = t->conf.keep_super,
                             .snaplen = t->conf.snaplen,
                             .name = ti->name,
                             .control = &t->wake};
    int r = worker_start(NULL, &wc, &ti->worker, err);
    if (r < 0) {
        return r;
    }
    cs.worker = ti->worker;
    cs.ports = is_any(ti) ? t->port_name : NULL;
    cs.n_ports = is_any(ti) ? t->n_ports : 0;
    r = client_add_stream(t->client, &cs, &ti->stream);
    if (r < 0) {
        worker_free(ti->worker);
        return error_sys(err, -r, "%s", ti->name);
    }
    t->n++;
    *ret = ti;
    return 0;
}

/* A ring of what has that name now. */
static int open_ring(struct tap *t, struct tap_interface *ti, struct ring **ret, struct error *err)
{
    uint8_t name[IFNAMSIZ] = {0}, data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    int fd = -1;
    snprintf((char *)name, sizeof(name), "%s", ti->name);
    int r = broker_call(t->broker, TAP_OPEN_RING, name, sizeof(name), data, &len, &fd, err);
    if (r < 0) {
        return r;
    }
    r = tap_opened_decode(data, len, &ti->now);
    if (r == 0) {
        struct ring_conf rc = tap_ring_conf(&t->conf, ti->word, ti->now.index, ti->now.arphrd);
        ti->raw_ip = rc.raw_ip;
        r = ring_attach(fd, &rc, ret, err);
    }
    if (r < 0) {
        close(fd);
    }
    return r;
}

static int bring_up(struct tap *t, struct tap_interface *ti, struct error *err)
{
    _cleanup_(ring_freep) struct ring *ring = NULL;
    unsigned n = 0;
    ti->retry = (struct mono){0};
    int r = open_ring(t, ti, &ring, err);
    r = r < 0 ? r : make_program(t, ti, &n, err);
    if (r == 0) { /* it captures from here on, while the worker may be busy with the ring before */
        r = ring_set_filter(ring, t->program, n, err);
    }
    if (r == 0) {
        r = worker_ring(ti->worker, TAKE_PTR(ring));
        r = r < 0 ? error_sys(err, -r, "%s", ti->name) : 0;
    }
    if (r < 0) {
        ti->retry = mono_add_ms(mono_now(), RETRY_MS);
        return r;
    }
    ti->there = ti->seen = true;
    (void)set_filter(t, ti, NULL); /* the same once more, with the flow for what comes after it */
    if (is_any(ti)) {
        tell_ports(t, ti);
    }
    return 0;
}

static void let_go(struct tap *t, struct tap_interface *ti)
{
    (void)t;
    ti->there = false;
    ti->retry = (struct mono){0};
    ti->gone = mono_now();
    (void)worker_ring(ti->worker, NULL);
}

static void came_back(struct tap *t, struct tap_interface *ti, const struct tap_opened *old)
{
    const char *state = ti->now.flags & IFF_UP ? "" : ", down";
    if (is_any(ti)) {
        event(t, HISTORY_IF_APPEARED, ti->name, "all interfaces are tapped again");
        return;
    }
    if (old->index == 0) {
        event(t, HISTORY_IF_APPEARED, ti->name, "is there and tapped (index %u, MTU %u%s)",
              ti->now.index, ti->now.mtu, state);
        return;
    }
    event(t, HISTORY_IF_APPEARED, ti->name, "is back (index %u, MTU %u%s)", ti->now.index,
          ti->now.mtu, state);
    if (old->index != ti->now.index) {
        event(t, HISTORY_IF_INDEX, ti->name, "has index %u now, before %u", ti->now.index,
              old->index);
    }
    if (old->arphrd != ti->now.arphrd) {
        event(t, HISTORY_IF_TYPE, ti->name, "is of another kind now (ARPHRD %u, before %u)",
              ti->now.arphrd, old->arphrd);
    }
    if (old->mtu != ti->now.mtu) {
        event(t, HISTORY_IF_MTU, ti->name, "has MTU %u now, before %u", ti->now.mtu, old->mtu);
    }
}

/* Takes it up (again); what cannot be is said and, where that may help, tried again. */
static void take(struct tap *t, struct tap_interface *ti)
{
    struct error err = {""};
    struct tap_opened old = ti->now;
    int r = bring_up(t, ti, &err);
    if (r == 0) {
        came_back(t, ti, &old);
        return;
    }
    ti->now = old;
    if (r == -ENODEV || r == -ENOENT) { /* it has gone meanwhile: the kernel will say so */
        ti->retry = (struct mono){0};
    } else {
        event(t, HISTORY_IF_REFUSED, ti->name, "is not tapped: %s", err.text);
    }
}

/* Once for each interface: some are matched by a pattern and cannot be. */
static void refuse(struct tap *t, const struct netlink_link *link, const char *why)
{
    for (unsigned i = 0; i < MIN(t->n_refused, (unsigned)TAP_REFUSED); i++) {
        if (t->refused[i] == link->index) {
            return;
        }
    }
    t->refused[t->n_refused++ % TAP_REFUSED] = link->index;
    event(t, HISTORY_IF_REFUSED, link->name, "is not tapped: %s", why);
}

static void appeared(struct tap *t, const struct netlink_link *link, struct tap_interface *ti)
{
    struct error err = {""};
    const struct tap_word *word = tap_word_for(&t->conf, link->name);
    if (!word) {
        return;
    }
    /* A collector names its device a moment after it has made it, and before it sets it up. */
    bool unnamed = strcmp(link->kind, "tun") == 0 && !(link->flags & IFF_UP) && !link->alias[0];
    if (word->pattern && (unnamed || strcmp(link->alias, TAPDEV_ALIAS) == 0)) {
        return;
    }
    if (tap_may_carry(&t->conf, link->name, link->arphrd, &err) < 0) {
        refuse(t, link, err.text);
        return;
    }
    if (!ti && add(t, link->name, word, &ti, &err) < 0) {
        if (t->full_said.ns == 0 || mono_due(mono_now(), mono_add_ms(t->full_said, FULL_MS))) {
            t->full_said = mono_now();
            event(t, HISTORY_IF_REFUSED, link->name, "%s", err.text);
        }
        return;
    }
    take(t, ti);
}

/* It is the one that is tapped; what is different? */
static void changed(struct tap *t, struct tap_interface *ti, const struct netlink_link *link)
{
    struct tap_opened old = ti->now;
    ti->seen = true;
    ti->now.flags = link->flags;
    ti->now.mtu = link->mtu;
    if ((old.flags ^ link->flags) & IFF_UP) {
        bool up = link->flags & IFF_UP;
        event(t, up ? HISTORY_IF_UP : HISTORY_IF_DOWN, ti->name, "%s",
              up ? "came up" : "went down; capture goes on when it comes up again");
    }
    if (old.mtu != link->mtu) {
        event(t, HISTORY_IF_MTU, ti->name, "has MTU %u now, before %u", link->mtu, old.mtu);
    }
    if (old.arphrd == link->arphrd) {
        return;
    }
    event(t, HISTORY_IF_TYPE, ti->name, "is of another kind now (ARPHRD %u, before %u)",
          link->arphrd, old.arphrd);
    ti->now.arphrd = link->arphrd;
    let_go(t, ti); /* its frames begin in another way: a ring of that kind */
    struct error err = {""};
    int r = tap_may_carry(&t->conf, ti->name, link->arphrd, &err);
    r = r < 0 ? r : bring_up(t, ti, &err);
    if (r < 0) {
        refuse(t, link, err.text);
    }
}

static void link_is(struct tap *t, const struct netlink_link *link)
{
    struct tap_interface *ti = by_index(t, link->index);
    if (!is_own(t, link)) {
        port_is(t, link);
    } else if (ti && ti->word->pattern) { /* it is found out only now */
        let_go(t, ti);
        return;
    }
    if (ti && strcmp(ti->name, link->name) != 0) {
        event(t, HISTORY_IF_RENAMED, ti->name, "is called %s now", link->name);
        let_go(t, ti);
        ti = NULL;
    }
    ti = ti ? ti : by_name(t, link->name);
    if (ti && ti->there && ti->now.index == (uint32_t)link->index) {
        changed(t, ti, link);
    } else if (ti && ti->there) { /* another one, of which more was not heard yet */
        let_go(t, ti);
        take(t, ti);
    } else if (!ti || ti->retry.ns == 0) {
        appeared(t, link, ti);
    }
}

static void link_gone(struct tap *t, struct tap_interface *ti)
{
    event(t, HISTORY_IF_GONE, ti->name, "is gone");
    let_go(t, ti);
}

/* ---- all of them ---- */

static void ask(struct tap *t)
{
    t->lost = false;
    t->asked = mono_now();
    for (unsigned i = 0; i < t->n; i++) {
        t->interface[i].seen = false;
    }
    for (unsigned i = 0; i < t->n_ports; i++) {
        t->port[i].seen = false;
    }
    if (linkwatch_ask(t->watch) < 0) {
        t->lost = true;
    }
}

/* The answer is complete: what it did not mention is not there. */
static void sweep(struct tap *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = &t->interface[i];
        if (ti->there && !ti->seen && !is_any(ti)) {
            link_gone(t, ti);
        }
    }
    for (unsigned i = 0; i < t->n_ports; i++) {
        if (t->port[i].index != 0 && !t->port[i].seen) {
            port_gone(t, (int)t->port[i].index);
        }
    }
}

static void on_link(void *user, enum linkwatch_kind kind, const struct netlink_link *link)
{
    struct tap *t = user;
    struct tap_interface *ti;
    switch (kind) {
    case LINKWATCH_IS:
        link_is(t, link);
        break;
    case LINKWATCH_GONE:
        port_gone(t, link->index);
        ti = by_index(t, link->index);
        if (ti) {
            link_gone(t, ti);
        }
        break;
    case LINKWATCH_ALL:
        t->asked = (struct mono){0};
        if (!t->lost) {
            sweep(t);
        }
        break;
    case LINKWATCH_LOST:
        t->lost = true;
        break;
    }
}

static void close_watch(struct tap *t)
{
    loop_del_fd(t->loop, TAKE_PTR(t->watch_event));
    if (t->watch >= 0) {
        close(TAKE_FD(t->watch));
    }
    t->asked = (struct mono){0};
}

static void read_watch(struct tap *t)
{
    int r = linkwatch_read(t->watch, on_link, t);
    if (r < 0) {
        t->lost = true;
    }
    if (t->lost && t->asked.ns == 0) {
        ask(t);
    }
    push_ports(t);
}

static void on_watch(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    read_watch(user);
}

static int open_watch(struct tap *t, struct error *err)
{
    int r = broker_call(t->broker, TAP_WATCH, NULL, 0, NULL, NULL, &t->watch, err);
    if (r < 0) {
        return r;
    }
    r = loop_add_fd(t->loop, t->watch, EPOLLIN, on_watch, t, &t->watch_event);
    if (r < 0) {
        return error_sys(err, -r, "cannot watch the interfaces");
    }
    ask(t);
    return 0;
}

/* ---- the namespace ---- */

static void netns_gone(struct tap *t, uint64_t id)
{
    const char *what = t->conf.netns_text;
    close_watch(t);
    for (unsigned i = 0; i < t->n; i++) {
        if (t->interface[i].there) {
            link_gone(t, &t->interface[i]);
        }
    }
    for (unsigned i = 0; i < t->n_ports; i++) {
        t->port[i].index = 0;
    }
    t->n_own = 0;
    event(t, HISTORY_NETNS_GONE, what, "%s",
          id != 0 ? "the namespace of this name is another one now"
          : strspn(what, "0123456789") == strlen(what)
              ? "the process has ended; its namespace is let go and will not come back"
              : "the namespace is gone; one of this name will be tapped when it comes");
}

static void netns_back(struct tap *t)
{
    struct error err = {""};
    event(t, HISTORY_NETNS_BACK, t->conf.netns_text, "the namespace is there again");
    if (open_watch(t, &err) < 0) {
        say("tap", "%s", err.text);
        close_watch(t);
        t->netns_id = 0; /* once more at the next tick */
        return;
    }
    for (unsigned i = 0; i < t->n; i++) {
        if (is_any(&t->interface[i])) {
            take(t, &t->interface[i]);
        }
    }
}

static int look_for_netns(struct tap *t, uint64_t *ret)
{
    uint8_t data[8];
    size_t len = sizeof(data);
    int r = broker_call(t->broker, TAP_NETNS, NULL, 0, data, &len, NULL, NULL);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    uint64_t id = rd_u64(&rd);
    if (r == 0 && rd_ok(&rd)) {
        *ret = id;
    }
    return r == 0 && !rd_ok(&rd) ? -EBADMSG : r;
}

static void check_netns(struct tap *t)
{
    uint64_t id = 0;
    if (!t->conf.netns_text || look_for_netns(t, &id) < 0 || id == t->netns_id) {
        return;
    }
    if (t->netns_id != 0) {
        netns_gone(t, id);
    }
    t->netns_id = id;
    if (id != 0) {
        netns_back(t);
    }
}

/* ---- start, tick, end ---- */

void tap_links_tick(struct tap *t)
{
    struct mono now = mono_now();
    check_netns(t);
    bool late = t->asked.ns != 0 && mono_due(now, mono_add_ms(t->asked, ASK_MS));
    if (t->watch >= 0 && (late || (t->lost && t->asked.ns == 0))) {
        ask(t);
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = &t->interface[i];
        if (!ti->there && mono_due(now, ti->retry)) {
            take(t, ti);
        }
    }
}

/* Until it is known what there is. */
static void settle(struct tap *t)
{
    struct mono end = mono_add_ms(mono_now(), SETTLE_MS);
    while (t->asked.ns != 0 && !mono_due(mono_now(), end)) {
        struct pollfd p = {t->watch, POLLIN, 0};
        if (poll(&p, 1, 100) > 0) {
            read_watch(t);
        }
    }
    for (unsigned w = 0; w < t->conf.n_words; w++) {
        bool found = !t->conf.word[w].pattern;
        for (unsigned i = 0; i < t->n; i++) {
            found |= t->interface[i].word == &t->conf.word[w];
        }
        if (!found) {
            say("tap", "no interface matches \"%s\" yet: waiting for one", t->conf.word[w].text);
        }
    }
}

int tap_links_start(struct tap *t, struct error *err)
{
    int r = open_watch(t, err);
    if (r == 0 && t->conf.netns_text) {
        r = look_for_netns(t, &t->netns_id);
        r = r < 0 ? error_sys(err, -r, "--netns %s", t->conf.netns_text) : 0;
    }
    for (unsigned i = 0; r == 0 && i < t->conf.n_words; i++) {
        const struct tap_word *w = &t->conf.word[i];
        struct tap_interface *ti = NULL;
        if (!w->pattern) {
            r = add(t, w->text, w, &ti, err);
            r = r < 0 ? r : bring_up(t, ti, err);
        }
        if (r == 0 && ti) {
            say("tap", "listening on %s, sending to %s", w->text, t->conf.collector_text);
        }
    }
    if (r == 0) {
        settle(t);
    }
    return r;
}

void tap_links_stop(struct tap *t)
{
    close_watch(t);
}
