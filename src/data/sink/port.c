/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/outputs.h"
#include "data/sink/plain.h"
#include "sys/tapdev.h"
#include "sys/txring.h"

enum {
    PENDING = 1024, /* more than a ring has places */
};

struct pending {
    struct ledger *ledger;
    uint32_t bytes, mtu;
};

struct port_sink {
    struct plain_sink plain;
    struct port_wish wish;
    int ifindex;                     /* of the first socket */
    struct txring *ring;             /* the queue's thread's */
    _Atomic(struct txring *) next;   /* takes its place; NULL: it stays */
    struct pending pending[PENDING]; /* put into the ring and not taken, … */
    unsigned first, n;               /* … the oldest at `first`; none between two batches */
    _Atomic int state;               /* enum port_state */
    _Atomic uint32_t mtu;
};

static struct port_sink *of(struct sink *s)
{
    return (struct port_sink *)s;
}

/* ---- what waits in the ring ---- */

static struct pending oldest(struct port_sink *p)
{
    struct pending one = p->pending[p->first];
    p->first = (p->first + 1) % PENDING;
    p->n--;
    return one;
}

/* It is too long, as the kernel says. */
static void lose_oldest(struct port_sink *p)
{
    struct pending one = oldest(p);
    ledger_add(one.ledger, LEDGER_SINK_LONG, 1);
    plain_miss_mtu(&p->plain, one.mtu);
    txring_drop(p->ring);
}

static void lose_all(struct port_sink *p, enum ledger_id why)
{
    while (p->n > 0) {
        ledger_add(oldest(p).ledger, why, 1);
    }
    txring_forget(p->ring);
}

/* Frames are lost for this reason while the port is in that state; false: it is up. */
static bool reason(const struct port_sink *p, enum ledger_id *ret)
{
    switch ((enum port_state)p->state) {
    case PORT_UP:
        return false;
    case PORT_NO_CARRIER:
    case PORT_DOWN:
        *ret = LEDGER_SINK_CARRIER;
        return true;
    case PORT_GONE:
        break;
    }
    *ret = LEDGER_SINK_GONE;
    return true;
}

/* Gives the kernel what waits, until it has all or, with `room`, until the ring has a place: one is
 * free only when its frame has left, and not when the kernel has taken it. What the kernel does not
 * take until `end`, or ever, is lost. */
static void push(struct port_sink *p, bool room, struct mono end)
{
    for (;;) {
        int r = 0;
        enum ledger_id why = LEDGER_SINK_ERROR;
        unsigned taken = txring_push(p->ring, &r);
        for (unsigned i = 0; i < taken; i++) {
            struct pending one = oldest(p);
            ledger_add(one.ledger, LEDGER_SINK_OUT, 1);
            ledger_add(one.ledger, LEDGER_SINK_BYTES, one.bytes);
        }
        if (room ? !txring_full(p->ring) : p->n == 0) {
            return;
        }
        if (r == -EMSGSIZE) {
            lose_oldest(p);
        } else if (r == -ENXIO || r == -ENODEV) {
            lose_all(p, LEDGER_SINK_GONE);
        } else if (r == -ENETDOWN) {
            lose_all(p, LEDGER_SINK_CARRIER);
        } else if (reason(p, &why) || mono_due(mono_now(), end)) {
            lose_all(p, why);
            return;
        } else {
            plain_wait();
        }
    }
}

/* Another socket, for an interface that has come back. */
static void take_next(struct port_sink *p)
{
    if (atomic_load_explicit(&p->next, memory_order_relaxed)) {
        txring_free(p->ring);
        p->ring = atomic_exchange(&p->next, NULL);
    }
}

/* ---- frames ---- */

static void put(struct port_sink *p, struct ledger *ledger, const struct frame *f, struct mono end)
{
    enum ledger_id why = LEDGER_SINK_GONE;
    uint32_t mtu = p->mtu;
    if (reason(p, &why)) {
        ledger_add(ledger, why, 1);
        return;
    }
    if (f->caplen < TXRING_SHORTEST) {
        ledger_add(ledger, LEDGER_SINK_SHORT, 1);
        return;
    }
    const struct pending one = {ledger, f->caplen, txring_needs_mtu(f)};
    int r = mtu > 0 && one.mtu > mtu ? -EMSGSIZE : txring_put(p->ring, f);
    if (r == -EAGAIN) {
        push(p, true, end);
        r = txring_put(p->ring, f);
    }
    if (r < 0) {
        ledger_add(ledger, r == -EMSGSIZE ? LEDGER_SINK_LONG : LEDGER_SINK_ERROR, 1);
        if (r == -EMSGSIZE) {
            plain_miss_mtu(&p->plain, one.mtu);
        }
        return;
    }
    p->pending[(p->first + p->n++) % PENDING] = one;
}

static void port_write(struct sink *s, const struct batch *b)
{
    struct port_sink *p = of(s);
    const struct mono end = mono_add_ms(mono_now(), PLAIN_STUCK_MS);
    take_next(p);
    for (uint32_t i = 0; i < b->n; i++) {
        struct ledger *ledger = plain_count_in(&p->plain, &b->f[i]);
        if (ledger) {
            put(p, ledger, &b->f[i], end);
        }
    }
    push(p, false, end);
}

static int port_check_state(struct sink *s, struct error *err)
{
    static const char *const words[] = {[PORT_NO_CARRIER] = "has no carrier",
                                        [PORT_DOWN] = "is down",
                                        [PORT_GONE] = "is not there"};
    const struct port_sink *p = of(s);
    enum port_state state = (enum port_state)p->state;
    return state == PORT_UP ? 0 : error_set(err, ENETDOWN, "%s %s", p->wish.name, words[state]);
}

static void port_free(struct sink *s)
{
    struct port_sink *p = of(s);
    txring_free(p->ring);
    txring_free(p->next);
    sink_done(s);
    free(p);
}

static const struct sink_ops ops = {
    .kind = "port",
    .counts = LEDGER_SINK,
    .waits = true,
    .point_add = plain_point_add,
    .point_stats = plain_point_stats,
    .point_remove = plain_point_remove,
    .write = port_write,
    .flush = plain_flush,
    .check = port_check_state,
    .missed_mtu = plain_missed_mtu,
    .finish = port_check_state,
    .free = port_free,
};

int port_sink_new(const struct port_wish *w, int fd, struct sink **ret, struct error *err)
{
    struct port_sink *p = calloc(1, sizeof(*p));
    if (!p || sink_init(&p->plain.sink, &ops, w->name) < 0) {
        free(p);
        close(fd);
        return error_sys(err, ENOMEM, "%s", w->name);
    }
    p->wish = *w;
    int r = txring_attach(fd, &p->ring, err);
    if (r < 0) {
        close(fd);
        port_free(&p->plain.sink);
        return r;
    }
    p->ifindex = txring_ifindex(p->ring);
    *ret = &p->plain.sink;
    return 0;
}

/* ---- beside it ---- */

void port_sink_tell(struct sink *s, enum port_state state, uint32_t mtu)
{
    of(s)->mtu = mtu;
    of(s)->state = state;
}

int port_sink_renew(struct sink *s, int fd, struct error *err)
{
    struct txring *next = NULL;
    int r = txring_attach(fd, &next, err);
    if (r < 0) {
        close(fd);
        return r;
    }
    txring_free(atomic_exchange(&of(s)->next, next));
    return 0;
}

int port_sink_ifindex(const struct sink *s)
{
    return ((const struct port_sink *)s)->ifindex;
}

const struct port_wish *port_sink_wish(const struct sink *s)
{
    return &((const struct port_sink *)s)->wish;
}

/* ---- the output ---- */

/* An address by which others reach the interface: not what the kernel gives each of itself. */
static bool has_address(const struct netif *n)
{
    for (unsigned i = 0; i < n->n_addrs; i++) {
        const uint8_t *a = n->addrs[i].addr;
        if (n->addrs[i].family != AF_INET6 || a[0] != 0xfe || (a[1] & 0xc0) != 0x80) {
            return true;
        }
    }
    return false;
}

int port_check(const struct port_wish *w, struct netif *ret, struct error *err)
{
    int r = netif_find(w->name, ret, err);
    if (r < 0) {
        return r;
    }
    if (netif_framing(ret->arphrd, ret->flags) != NETIF_ETHERNET) {
        return error_set(err, EINVAL, "%s is no Ethernet interface", w->name);
    }
    if (has_address(ret) && !w->force) {
        return error_set(err, EADDRINUSE,
                         "%s has an address, so that hosts talk to this one there: take an "
                         "interface without one, or write \"%s,force\"",
                         w->name, w->name);
    }
    return 0;
}

int port_output_read(const char *text, void **ret, struct error *err)
{
    struct port_wish w = {.force = false};
    size_t len = strcspn(text, ",");
    if (len >= sizeof(w.name)) {
        return error_set(err, EINVAL, "an interface's name has at most %d characters",
                         (int)sizeof(w.name) - 1);
    }
    memcpy(w.name, text, len);
    if (!tapdev_name_valid(w.name)) {
        return error_set(err, EINVAL, "\"%s\" is no interface's name", w.name);
    }
    if (text[len] != '\0' && strcmp(text + len, ",force") != 0) {
        return error_set(err, EINVAL, "\"%s\" is no setting of a port, but \"force\" is",
                         text + len + 1);
    }
    w.force = text[len] != '\0';
    struct port_wish *own = malloc(sizeof(*own));
    if (!own) {
        return error_sys(err, ENOMEM, "%s", w.name);
    }
    *own = w;
    *ret = own;
    return 0;
}

int port_output_open(const void *own, const struct resolve_conf *names, int *ret_fd,
                     struct error *err)
{
    struct netif n;
    (void)names;
    int r = port_check(own, &n, err);
    return r < 0 ? r : txring_open(&n, ret_fd, err);
}

int port_output(const struct output_wish *w, struct sink **ret, struct error *err)
{
    return port_sink_new(w->own, w->fd, ret, err);
}
