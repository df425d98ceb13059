/* SPDX-License-Identifier: Apache-2.0
 *
 * One interface that is tapped: its capture and stream, which stay, and its ring, which is another
 * one after each return (see tap_links.c).
 */
#include <errno.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/tap.h"
#include "proto/pcapng.h"

enum {
    /* The kernel slices frames up to this length, an ordinary one with two tags. What is longer may
     * be a super-packet, is captured whole, cut, and sliced then. */
    SLICE_UP_TO = 1522,
    RETRY_MS = 10000,
    CROWDED_MS = 500, /* the capture has not given the former ring up yet */
    IP6GRE = 823,     /* ARPHRD_IP6GRE, which only the kernel's own header has */
};

void tap_event(struct tap *t, enum history_kind kind, const char *subject, const char *fmt, ...)
{
    char words[HISTORY_WORDS + 1], name[HISTORY_SUBJECT + 1];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    text_name(name, sizeof(name), subject, strlen(subject)); /* an interface's: bytes */
    history_add(&t->history, wall_now(), kind, name, "%s", words);
    say("tap", "%s: %s", name, words);
}

/* ---- filters ---- */

static struct bpfsel_flow own_flow(const struct ether_flow *flow)
{
    struct bpfsel_flow bf = {
        .family = flow->family, .local_port = flow->port[0], .remote_port = flow->port[1]};
    memcpy(bf.local, flow->addr[0], sizeof(bf.local));
    memcpy(bf.remote, flow->addr[1], sizeof(bf.remote));
    return bf;
}

/* The program of one interface: our own part, then the user's. Into t->program. */
static int make_program(struct tap *t, const struct tap_interface *ti, unsigned *ret_n,
                        struct error *err)
{
    const struct filter_prog *user = &t->conf.program[ti->raw_ip ? NETIF_RAW_IP : NETIF_ETHERNET];
    const struct bpfsel_flow flows[2] = {own_flow(&t->flow), own_flow(&t->former)};
    const struct bpfsel_conf bc = {
        .raw_ip = ti->raw_ip,
        .dir = tap_direction(&t->conf, ti->now.arphrd),
        .vlans = t->conf.has_vlans ? &t->conf.vlans : NULL,
        .no_links = !t->conf.take_links,
        .flows = flows,
        .n_flows = !t->has_flow || !t->conf.take_links ? 0
                   : t->has_former                     ? 2
                                                       : 1,
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
    return capture_filter(ti->capture, &prog, t->has_flow ? &t->flow : NULL);
}

void tap_links_flow(struct tap *t, const struct ether_flow *flow)
{
    t->has_former = t->has_flow || t->has_former;
    t->former = t->has_flow ? t->flow : t->former;
    t->has_flow = flow != NULL;
    if (flow) {
        t->flow = *flow;
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct error err = {""};
        if (t->interface[i]->there && set_filter(t, t->interface[i], &err) < 0) {
            say("tap", "%s: %s", t->interface[i]->name, err.text);
        }
    }
}

/* ---- its life ---- */

struct tap_interface *tap_by_name(struct tap *t, const char *name)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->interface[i]->name, name) == 0) {
            return t->interface[i];
        }
    }
    return NULL;
}

struct tap_interface *tap_by_index(struct tap *t, int index)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = t->interface[i];
        if (ti->there && ti->now.index == (uint32_t)index) {
            return ti;
        }
    }
    return NULL;
}

/* The link type that its frames have in a capture file: tcpdump cooks GRE too. */
static uint16_t linktype_of(const struct tap_opened *o)
{
    switch (netif_framing(o->arphrd, o->flags)) {
    case NETIF_RAW_IP:
        return o->arphrd == ARPHRD_IPGRE || o->arphrd == IP6GRE ? PCAPNG_LINKTYPE_LINUX_SLL
                                                                : PCAPNG_LINKTYPE_RAW;
    case NETIF_COOKED:
        return PCAPNG_LINKTYPE_LINUX_SLL;
    case NETIF_ETHERNET:
    case NETIF_OTHER:
        break;
    }
    return PCAPNG_LINKTYPE_ETHERNET;
}

/* A capture and its stream, without a ring yet. */
static int start(struct tap *t, struct tap_interface *ti, const struct tap_opened *kind,
                 struct error *err)
{
    struct dialer_stream cs = {.ifname = ti->name,
                               .filter = t->conf.filter ? t->conf.filter : "",
                               .snaplen = t->conf.snaplen,
                               .linktype = linktype_of(kind),
                               .arphrd = kind->arphrd};
    struct capture_conf wc = {.stream = dialer_next_stream(t->dialer),
                              .take_links = t->conf.take_links,
                              .keep_super = t->conf.keep_super,
                              .snaplen = t->conf.snaplen,
                              .seed = t->seed,
                              .name = ti->name,
                              .control = &t->wake,
                              .backlog = t->backlog};
    if (wc.stream == 0) {
        return error_set(err, ENOSPC,
                         "%s is not tapped: too many interfaces came and went in a few minutes",
                         ti->name);
    }
    int r = capture_start(NULL, &wc, &ti->capture, err);
    if (r < 0) {
        return r;
    }
    cs.sender = capture_sender(ti->capture);
    r = dialer_add_stream(t->dialer, &cs, &ti->stream);
    if (r < 0) {
        capture_free(ti->capture);
        return error_sys(err, -r, "%s", ti->name);
    }
    return 0;
}

int tap_add(struct tap *t, const char *name, const struct tap_word *word,
            const struct tap_opened *kind, struct tap_interface **ret, struct error *err)
{
    if (t->n == TAP_INTERFACES) {
        t->crowded = true;
        return error_set(err, ENOSPC, "%s is not tapped: no more than %d interfaces are", name,
                         TAP_INTERFACES);
    }
    _cleanup_(freep) struct tap_interface *ti = calloc(1, sizeof(*ti));
    if (!ti) {
        return error_sys(err, ENOMEM, "%s", name);
    }
    ti->word = word;
    ti->gone = mono_now();
    snprintf(ti->name, sizeof(ti->name), "%s", name);
    int r = start(t, ti, kind, err);
    if (r < 0) {
        t->crowded |= r == -ENOSPC;
        return r;
    }
    *ret = ti;
    t->interface[t->n++] = TAKE_PTR(ti);
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
        struct ring_conf rc = tap_ring_conf(&t->conf, ti->word, &ti->now);
        ti->raw_ip = rc.raw_ip || rc.cooked;
        r = ring_attach(fd, &rc, ret, err);
    }
    if (r < 0) {
        close(fd);
    }
    return r;
}

int tap_bring_up(struct tap *t, struct tap_interface *ti, struct error *err)
{
    _cleanup_(ring_freep) struct ring *ring = NULL;
    unsigned n = 0;
    struct tap_opened before = ti->now;
    ti->retry = (struct mono){0};
    int r = open_ring(t, ti, &ring, err);
    if (r == 0 && ti->there && ti->now.index == before.index) {
        return -EALREADY; /* what was told is older than what is known */
    }
    r = r < 0 ? r : make_program(t, ti, &n, err);
    if (r == 0) { /* it captures from here on, while the capture may be busy with the ring before */
        r = ring_set_filter(ring, t->program, n, err);
    }
    if (r == 0) {
        r = capture_ring(ti->capture, TAKE_PTR(ring));
        r = r < 0 ? error_sys(err, -r, "%s", ti->name) : 0;
    }
    if (r < 0) {
        ti->retry = mono_add_ms(mono_now(), r == -EAGAIN ? CROWDED_MS : RETRY_MS);
        return r;
    }
    ti->there = ti->seen = true;
    dialer_stream_kind(t->dialer, ti->stream, linktype_of(&ti->now), ti->now.arphrd);
    (void)set_filter(t, ti, NULL); /* the same once more, with the flow for what comes after it */
    return 0;
}

void tap_let_go(struct tap *t, struct tap_interface *ti)
{
    (void)t;
    ti->there = false;
    ti->retry = (struct mono){0};
    ti->gone = mono_now();
    (void)capture_ring(ti->capture, NULL);
}

static void came_back(struct tap *t, struct tap_interface *ti, const struct tap_opened *old)
{
    const char *state = ti->now.flags & IFF_UP ? "" : ", down";
    if (old->index == 0) {
        tap_event(t, HISTORY_IF_APPEARED, ti->name, "is there and tapped (index %u, MTU %u%s)",
                  ti->now.index, ti->now.mtu, state);
        return;
    }
    tap_event(t, HISTORY_IF_APPEARED, ti->name, "is back (index %u, MTU %u%s)", ti->now.index,
              ti->now.mtu, state);
    if (old->index != ti->now.index) {
        tap_event(t, HISTORY_IF_INDEX, ti->name, "has index %u now, before %u", ti->now.index,
                  old->index);
    }
    if (old->arphrd != ti->now.arphrd) {
        tap_event(t, HISTORY_IF_TYPE, ti->name, "is of another kind now (ARPHRD %u, before %u)",
                  ti->now.arphrd, old->arphrd);
    }
    if (old->mtu != ti->now.mtu) {
        tap_event(t, HISTORY_IF_MTU, ti->name, "has MTU %u now, before %u", ti->now.mtu, old->mtu);
    }
}

/* Takes it up (again); what cannot be is said and, where that may help, tried again. */
void tap_take(struct tap *t, struct tap_interface *ti)
{
    struct error err = {""};
    struct tap_opened old = ti->now;
    int r = tap_bring_up(t, ti, &err);
    if (r == 0) {
        came_back(t, ti, &old);
        return;
    }
    ti->now = old;
    if (r == -EALREADY || r == -EAGAIN) {
        return;
    }
    if (r == -ENODEV || r == -ENOENT) { /* it has gone meanwhile: the kernel will say so */
        ti->retry = (struct mono){0};
    } else {
        tap_event(t, HISTORY_IF_REFUSED, ti->name, "is not tapped: %s", err.text);
    }
}

void tap_forget_gone(struct tap *t)
{
    unsigned gone = 0;
    struct dialer_status st;
    dialer_status(t->dialer, &st);
    for (unsigned i = 0; st.up && i < t->n; i++) { /* without a session they may have frames left */
        gone += !t->interface[i]->there && !t->interface[i]->ending;
    }
    while (gone > (t->crowded ? 0 : TAP_GONE)) {
        struct tap_interface *oldest = NULL;
        for (unsigned i = 0; i < t->n; i++) {
            struct tap_interface *ti = t->interface[i];
            bool may = ti->word->pattern && !ti->there && !ti->ending && ti->retry.ns == 0;
            if (may && (!oldest || ti->gone.ns < oldest->gone.ns)) {
                oldest = ti;
            }
        }
        if (!oldest || !mono_due(mono_now(), mono_add_ms(oldest->gone, TAP_GONE_MS))) {
            return;
        }
        oldest->ending = true;
        capture_stop(oldest->capture);
        dialer_end_stream(t->dialer, oldest->stream);
        gone--;
    }
}

void tap_tell_amplified(struct tap *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = t->interface[i];
        bool amplified = capture_amplified(ti->capture);
        if (amplified && !ti->amplified) {
            tap_event(t, HISTORY_AMPLIFIED, ti->name,
                      "frames come because frames are sent: what goes to the collector passes here "
                      "again, wrapped; its frames are dropped until that is over");
        } else if (!amplified && ti->amplified) {
            tap_event(
                t, HISTORY_AMPLIFIED_OVER, ti->name,
                "frames do not come because of what is sent any more: they are carried again");
        }
        ti->amplified = amplified;
    }
}

void tap_forgotten(struct tap *t, uint16_t stream)
{
    struct dialer_stream_status said;
    unsigned i = 0;
    while (i < t->n && t->interface[i]->stream != stream) {
        i++;
    }
    if (i == t->n) {
        return;
    }
    struct tap_interface *ti = t->interface[i];
    dialer_stream_status(t->dialer, stream, &said);
    t->gone.n++;
    t->gone.said.confirmed += said.confirmed;
    t->gone.said.reported_lost += said.reported_lost;
    t->gone.said.unconfirmed += said.unconfirmed;
    for (unsigned k = 0; k < LEDGER_COUNT; k++) {
        ledger_add(&t->gone.ledger, (enum ledger_id)k,
                   ledger_get(capture_ledger(ti->capture), (enum ledger_id)k));
    }
    capture_free(ti->capture);
    free(ti);
    t->interface[i] = t->interface[--t->n];
    if (t->crowded) { /* there may be one that found no place */
        t->crowded = false;
        t->lost = true;
    }
}
