/* SPDX-License-Identifier: Apache-2.0 */
#include "node/interface.h"

#include <errno.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/pcapng.h"

enum {
    RETRY_MS = 10000,
    CROWDED_MS = 500, /* the capture has not given the former ring up yet */
    IP6GRE = 823,     /* ARPHRD_IP6GRE, which only the kernel's own header has */
};

void interface_event(const struct interface_room *room, enum history_kind kind, const char *subject,
                     const char *fmt, ...)
{
    char words[HISTORY_WORDS + 1];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    room->ops->event(room->user, kind, subject, words);
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

/* Into room->program. */
static int make_program(struct interface_room *room, const struct interface *i, unsigned *ret_n,
                        struct error *err)
{
    const struct bpfsel_flow flows[2] = {own_flow(&room->flow), own_flow(&room->former)};
    unsigned n = room->has_flow ? 1 + room->has_former : 0;
    return selection_program(room->select, &i->now, flows, n, room->program, ret_n, err);
}

static int set_filter(struct interface_room *room, struct interface *i, struct error *err)
{
    struct filter_prog prog = {0};
    int r = make_program(room, i, &prog.n, err);
    if (r < 0) {
        return r;
    }
    prog.insns = malloc(prog.n * sizeof(*prog.insns));
    if (!prog.insns) {
        return error_sys(err, ENOMEM, "filter");
    }
    memcpy(prog.insns, room->program, prog.n * sizeof(*prog.insns));
    return room->ops->filter(room->user, i, &prog, room->has_flow ? &room->flow : NULL);
}

void interface_set_filter(struct interface_room *room, struct interface *i)
{
    char text[IFNAMSIZ + sizeof(struct error)];
    struct error err = {""};
    if (i->there && set_filter(room, i, &err) < 0) {
        snprintf(text, sizeof(text), "%s: %s", i->name, err.text);
        room->ops->say(room->user, text);
    }
}

/* ---- its life ---- */

/* tcpdump cooks GRE too. */
static struct interface_kind kind_of(const struct tapped *o)
{
    struct interface_kind k = {PCAPNG_LINKTYPE_ETHERNET, o->arphrd};
    switch (netif_framing(o->arphrd, o->flags)) {
    case NETIF_RAW_IP:
        k.linktype = o->arphrd == ARPHRD_IPGRE || o->arphrd == IP6GRE ? PCAPNG_LINKTYPE_LINUX_SLL
                                                                      : PCAPNG_LINKTYPE_RAW;
        break;
    case NETIF_COOKED:
        k.linktype = PCAPNG_LINKTYPE_LINUX_SLL;
        break;
    case NETIF_ETHERNET:
    case NETIF_OTHER:
        break;
    }
    return k;
}

int interface_new(struct interface_room *room, const char *name, const struct selection_word *word,
                  const struct tapped *kind, struct mono now, struct interface **ret,
                  struct error *err)
{
    const struct interface_kind k = kind_of(kind);
    _cleanup_(freep) struct interface *i = calloc(1, sizeof(*i));
    if (!i) {
        return error_sys(err, ENOMEM, "%s", name);
    }
    i->word = word;
    i->gone = now;
    snprintf(i->name, sizeof(i->name), "%s", name);
    int r = room->ops->start(room->user, i, &k, err);
    if (r == 0) {
        *ret = TAKE_PTR(i);
    }
    return r;
}

void interface_free(struct interface_room *room, struct interface *i)
{
    if (i) {
        room->ops->free(room->user, i);
        free(i);
    }
}

int interface_bring_up(struct interface_room *room, struct interface *i, struct mono now,
                       struct error *err)
{
    _cleanup_(ring_freep) struct ring *ring = NULL;
    unsigned n = 0;
    struct tapped before = i->now;
    int r = room->ops->open(room->user, i, &i->now, &ring, err);
    if (r == 0 && i->there && i->now.index == before.index) {
        return -EALREADY; /* what was told is older than what is known */
    }
    r = r < 0 ? r : make_program(room, i, &n, err);
    if (r == 0) { /* it captures from here on, while the capture may be busy with the ring before */
        r = room->ops->ring(room->user, i, TAKE_PTR(ring), room->program, n, err);
    }
    if (r < 0) {
        i->retry = mono_add_ms(now, r == -EAGAIN ? CROWDED_MS : RETRY_MS);
        return r;
    }
    i->there = i->seen = true;
    i->idle = (struct idle){0};
    const struct interface_kind k = kind_of(&i->now);
    room->ops->kind(room->user, i, &k);
    (void)set_filter(room, i, NULL); /* the same once more, with the flow for what follows it */
    return 0;
}

int interface_renew(struct interface_room *room, struct interface *i, uint64_t known,
                    struct error *err)
{
    _cleanup_(ring_freep) struct ring *ring = NULL;
    unsigned n = 0;
    struct tapped now;
    int r = room->ops->open(room->user, i, &now, &ring, err);
    if (r == 0 && (now.index != i->now.index || now.arphrd != i->now.arphrd)) {
        return error_set(err, ENODEV, "%s is another one now", i->name);
    }
    r = r < 0 ? r : make_program(room, i, &n, err);
    return r < 0 ? r
                 : room->ops->renew(room->user, i, TAKE_PTR(ring), room->program, n, known, err);
}

void interface_let_go(struct interface_room *room, struct interface *i, struct mono now)
{
    i->there = false;
    i->retry = (struct mono){0};
    i->gone = now;
    (void)room->ops->ring(room->user, i, NULL, NULL, 0, NULL);
}

static void came_back(struct interface_room *room, const struct interface *i,
                      const struct tapped *old)
{
    const char *state = i->now.flags & IFF_UP ? "" : ", down";
    if (old->index == 0) {
        interface_event(room, HISTORY_IF_APPEARED, i->name, "is there and %s (index %u, MTU %u%s)",
                        room->verb, i->now.index, i->now.mtu, state);
        return;
    }
    interface_event(room, HISTORY_IF_APPEARED, i->name, "is back (index %u, MTU %u%s)",
                    i->now.index, i->now.mtu, state);
    if (old->index != i->now.index) {
        interface_event(room, HISTORY_IF_INDEX, i->name, "has index %u now, before %u",
                        i->now.index, old->index);
    }
    if (old->arphrd != i->now.arphrd) {
        interface_event(room, HISTORY_IF_TYPE, i->name,
                        "is of another kind now (ARPHRD %u, before %u)", i->now.arphrd,
                        old->arphrd);
    }
    if (old->mtu != i->now.mtu) {
        interface_event(room, HISTORY_IF_MTU, i->name, "has MTU %u now, before %u", i->now.mtu,
                        old->mtu);
    }
}

/* A failure is said and, where that may help, tried again. */
void interface_take(struct interface_room *room, struct interface *i, struct mono now)
{
    struct error err = {""};
    struct tapped old = i->now;
    int r = interface_bring_up(room, i, now, &err);
    if (r == 0) {
        came_back(room, i, &old);
        return;
    }
    i->now = old;
    if (r == -EALREADY || r == -EAGAIN) {
        return;
    }
    if (r == -ENODEV || r == -ENOENT) { /* it has gone meanwhile: the kernel will say so */
        i->retry = (struct mono){0};
    } else {
        interface_event(room, HISTORY_IF_REFUSED, i->name, "is not %s: %s", room->verb, err.text);
    }
}

int interface_changed(struct interface_room *room, struct interface *i, const struct netif *link,
                      struct mono now, struct error *err)
{
    struct tapped old = i->now;
    i->seen = true;
    i->now.flags = link->flags;
    i->now.mtu = link->mtu;
    if ((old.flags ^ link->flags) & IFF_UP) {
        bool up = link->flags & IFF_UP;
        interface_event(room, up ? HISTORY_IF_UP : HISTORY_IF_DOWN, i->name, "%s",
                        up ? "came up" : "went down; capture goes on when it comes up again");
    }
    if (old.mtu != link->mtu) {
        interface_event(room, HISTORY_IF_MTU, i->name, "has MTU %u now, before %u", link->mtu,
                        old.mtu);
    }
    if (old.arphrd == link->arphrd &&
        netif_framing(old.arphrd, old.flags) == netif_framing(link->arphrd, link->flags)) {
        return 0;
    }
    interface_event(room, HISTORY_IF_TYPE, i->name, "is of another kind now (ARPHRD %u, before %u)",
                    link->arphrd, old.arphrd);
    i->now.arphrd = link->arphrd;
    interface_let_go(room, i, now); /* its frames begin in another way: a ring of that kind */
    int r = selection_may_carry(room->select, link, err);
    return r < 0 ? r : interface_bring_up(room, i, now, err);
}

void interface_end(struct interface_room *room, struct interface *i)
{
    i->ending = true;
    room->ops->end(room->user, i);
}

void interface_tell(struct interface_room *room, struct interface *i)
{
    for (struct history_event *e; (e = room->ops->told(room->user, i)) != NULL; free(e)) {
        interface_event(room, (enum history_kind)e->kind, i->name, "%s", e->words);
    }
}
