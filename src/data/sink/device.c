/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/device.h"

#include <errno.h>
#include <stdlib.h>

#include "sys/tapdev.h"

struct device_port {
    int fd;
    struct ledger *ledger; /* NULL: not added */
};

struct device_sink {
    struct sink sink;
    int fd;
    struct device_port port[SINK_PORTS_MAX];
};

static struct device_sink *of(struct sink *s)
{
    return (struct device_sink *)s;
}

static int device_port_add(struct sink *s, const struct sink_port *port, struct error *err)
{
    struct ledger *ledger = NULL;
    int r = sink_port_open(s, port, &ledger, err);
    if (r == 0) {
        of(s)->port[port->index] = (struct device_port){
            .fd = port->device > 0 ? port->device : of(s)->fd, .ledger = ledger};
    }
    return r;
}

static void device_port_remove(struct sink *s, uint32_t index)
{
    if (index < SINK_PORTS_MAX && of(s)->port[index].ledger) {
        of(s)->port[index].ledger = NULL;
        sink_port_close(s, index);
    }
}

static void device_port_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    (void)s;
    (void)index;
    (void)figures; /* a device has no place for them */
}

static enum ledger_id reason(int r)
{
    switch (r) {
    case -EINVAL:
        return LEDGER_SINK_SHORT;
    case -EMSGSIZE:
        return LEDGER_SINK_LONG;
    case -EBADFD:
        return LEDGER_SINK_CLOSED;
    default:
        return LEDGER_SINK_ERROR;
    }
}

static void device_write(struct sink *s, const struct batch *b)
{
    struct device_sink *d = of(s);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        struct device_port *p = f->port < SINK_PORTS_MAX ? &d->port[f->port] : NULL;
        if (!p || !p->ledger) {
            continue; /* it was not added: a device has room for every port */
        }
        sink_count_in(s, p->ledger);
        int r = tapdev_write(p->fd, f);
        if (r < 0) {
            ledger_add(p->ledger, reason(r), 1);
        } else {
            ledger_add(p->ledger, LEDGER_SINK_OUT, 1);
            ledger_add(p->ledger, LEDGER_SINK_BYTES, f->caplen);
        }
    }
}

static void device_flush(struct sink *s)
{
    (void)s;
}

static int device_check(struct sink *s, struct error *err)
{
    (void)s;
    (void)err;
    return 0;
}

static void device_free(struct sink *s)
{
    sink_done(s);
    free(of(s));
}

static const struct sink_ops ops = {
    .kind = "tap-device",
    .port_add = device_port_add,
    .port_stats = device_port_stats,
    .port_remove = device_port_remove,
    .write = device_write,
    .flush = device_flush,
    .check = device_check,
    .finish = device_check,
    .free = device_free,
};

int device_sink_new(const char *name, int fd, struct sink **ret)
{
    struct device_sink *d = calloc(1, sizeof(*d));
    if (!d || sink_init(&d->sink, &ops, name) < 0) {
        free(d);
        return -ENOMEM;
    }
    d->fd = fd;
    *ret = &d->sink;
    return 0;
}
