/* SPDX-License-Identifier: Apache-2.0
 *
 * "any": which interface a frame is from. The kernel's indexes may be any numbers and are given out
 * anew; frames carry a small number, whose name the collector was told.
 */
#include <string.h>

#include "cmd/tap.h"
#include "sys/tapdev.h"

enum {
    PORT_QUIET_MS = 5000, /* a port's number goes to another interface after that */
};

void tap_tell_ports(struct tap *t, struct tap_interface *ti)
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
void tap_push_ports(struct tap *t)
{
    for (unsigned i = 0; t->ports_changed && i < t->n; i++) {
        if (tap_is_any(t->interface[i])) {
            tap_tell_ports(t, t->interface[i]);
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

void tap_port_is(struct tap *t, const struct netlink_link *link)
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
            if (tap_is_any(t->interface[i])) {
                client_port_changed(t->client, t->interface[i]->stream,
                                    (uint16_t)(p - t->port + 1));
            }
        }
    }
    if (p) {
        t->ports_changed |= p->index != (uint32_t)link->index;
        p->index = (uint32_t)link->index;
        p->seen = true;
    }
}

void tap_port_gone(struct tap *t, int index)
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
bool tap_is_own(struct tap *t, const struct netlink_link *link)
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
