/* SPDX-License-Identifier: Apache-2.0 */
#include "model/taps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int taps_check_vlans(const char *text, struct error *err)
{
    struct vlan_set set;
    return parse_vlan_filter(text, &set, err) < 0 ? -EINVAL : 0;
}

enum frame_dir taps_dir(enum tap_direction d, bool faces_owner)
{
    if (d == TAP_BOTH) {
        return FRAME_DIR_UNKNOWN;
    }
    return (d == TAP_IN) != faces_owner ? FRAME_DIR_IN : FRAME_DIR_OUT;
}

/* ---- the status ---- */

static enum tap_status away(char ret[TAP_REASON_MAX + 1], const char *name, const char *how)
{
    (void)snprintf(ret, TAP_REASON_MAX + 1, "the port %.130s %s", name, how);
    return TAP_DOWN;
}

enum tap_status taps_status(const struct taps_ends *e, char ret_reason[TAP_REASON_MAX + 1])
{
    ret_reason[0] = '\0';
    if (!e->source_there) {
        return away(ret_reason, e->source, "is not there");
    }
    if (!e->service_there) {
        return away(ret_reason, e->destination, "is not there");
    }
    if (!e->service_up) {
        return away(ret_reason, e->destination, "is down");
    }
    if (e->reported == TAPS_FLOWS) {
        return TAP_ACTIVE;
    }
    (void)snprintf(ret_reason, TAP_REASON_MAX + 1, "%s",
                   e->reported == TAPS_UNKNOWN       ? "it is being set up"
                   : e->words && e->words[0] != '\0' ? e->words
                                                     : "no reason was told");
    return e->reported == TAPS_FAILED ? TAP_ERROR : TAP_DOWN;
}

/* ---- counts ---- */

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

struct taps_counts taps_sum(const struct taps_progress *p)
{
    return (struct taps_counts){sum(p->before.frames, p->now.frames),
                                sum(p->before.bytes, p->now.bytes),
                                sum(p->before.dropped, p->now.dropped)};
}

bool taps_take(struct taps_progress *p, uint64_t life, const struct taps_counts *c)
{
    const struct taps_counts old = taps_sum(p);
    if (p->life != life) {
        *p = (struct taps_progress){.life = life, .before = old};
    }
    if (c->frames < p->now.frames || c->bytes < p->now.bytes || c->dropped < p->now.dropped) {
        return false;
    }
    p->now = *c;
    const struct taps_counts new = taps_sum(p);
    return new.frames != old.frames || new.bytes != old.bytes || new.dropped != old.dropped;
}

/* ---- circles ---- */

static int by_from(const void *a, const void *b)
{
    const struct taps_edge *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* The first edge from that port, or the place where it would be. */
static size_t first_from(const struct taps_edge *edges, size_t n, uint32_t port)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (edges[mid].from < port) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct walk {
    const struct taps_edge *edges;
    size_t n;
    bool *seen;      /* by edge */
    uint32_t *queue; /* ports that are still to be looked at: at most one for each edge, and one */
    size_t n_queue;
};

static void look_behind(struct walk *w, uint32_t port)
{
    for (size_t i = first_from(w->edges, w->n, port); i < w->n && w->edges[i].from == port; i++) {
        if (!w->seen[i]) {
            w->seen[i] = true;
            w->queue[w->n_queue++] = w->edges[i].to;
        }
    }
}

int taps_closes_circle(struct taps_edge *edges, size_t n, struct taps_edge add)
{
    struct walk w = {.edges = edges, .n = n};
    bool closes = add.from == add.to;
    if (n > TAPS_EDGES_MAX) {
        return -ENOMEM;
    }
    w.seen = calloc(n + 1, sizeof(*w.seen));
    w.queue = calloc(n + 1, sizeof(*w.queue));
    if (!w.seen || !w.queue) {
        free(w.seen);
        free(w.queue);
        return -ENOMEM;
    }
    if (n > 0) { /* no edges have no address either */
        qsort(edges, n, sizeof(*edges), by_from);
    }
    w.queue[w.n_queue++] = add.to;
    for (size_t i = 0; i < w.n_queue && !closes; i++) {
        closes = w.queue[i] == add.from;
        if (!closes) {
            look_behind(&w, w.queue[i]);
        }
    }
    free(w.seen);
    free(w.queue);
    return closes;
}
