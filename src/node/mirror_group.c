/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs of flows. A group keeps its map for its life, so that no count is lost when a program
 * takes another's place. A group whose last flow has gone is taken off with the next look at it.
 */
#include <errno.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sockmark.h"
#include "node/mirror_impl.h"
#include "sys/bpf.h"
#include "sys/netif.h"

enum {
    AGAIN_MS = 1000, /* before something that failed is tried again, … */
    AGAIN_MAX_MS = 30000,
    PROGRAMS_MAX = 56, /* of one port in one direction; the kernel takes BPF_CHAIN_MAX of all */
};

/* ---- rows ---- */

static void key_of(const struct mirrored *f, unsigned way, struct mirror_key *ret)
{
    *ret = (struct mirror_key){.way = (uint8_t)way};
    memcpy(ret->service, f->flow.service, sizeof(ret->service));
    memcpy(ret->source, f->flow.source, sizeof(ret->source));
    memcpy(ret->destination, f->flow.destination, sizeof(ret->destination));
}

static bool is_key(const struct mirror_group *g, const struct mirror_key *k)
{
    return memcmp(g->key.service, k->service, sizeof(k->service)) == 0 && g->key.way == k->way &&
           strcmp(g->key.source, k->source) == 0 && strcmp(g->key.destination, k->destination) == 0;
}

static uint64_t hash_of(const struct mirror *m, const struct mirror_key *k)
{
    uint8_t bytes[sizeof(*k)] = {0};
    memcpy(bytes, k, sizeof(*k));
    return table_hash(&m->groups, bytes, sizeof(bytes));
}

static struct mirror_group *new_group(struct mirror *m, const struct mirror_key *k)
{
    struct mirror_group *g = m->n_groups < ARRAY_SIZE(m->group) ? calloc(1, sizeof(*g)) : NULL;
    if (!g) {
        return NULL;
    }
    g->key = *k;
    g->mirror = m;
    g->index = m->n_groups;
    g->map = g->place = -1;
    g->state = TAP_IS_AWAY;
    m->group[m->n_groups++] = g;
    table_add(&m->groups, &g->by_key, hash_of(m, k));
    return g;
}

/* EBPF_TAPS_FLOWS: there is none. */
static unsigned free_row(const struct mirror_group *g)
{
    unsigned row = 0;
    while (row < EBPF_TAPS_FLOWS && (g->flow[row] || g->stale >> row & 1)) {
        row++;
    }
    return row;
}

/* One of that key with a free row. */
static struct mirror_group *group_for(struct mirror *m, const struct mirror_key *k)
{
    for (struct table_link *l = table_first(&m->groups, hash_of(m, k)); l; l = table_next(l)) {
        struct mirror_group *g = CONTAINER_OF(l, struct mirror_group, by_key);
        if (is_key(g, k) && !g->alone && free_row(g) < EBPF_TAPS_FLOWS) {
            return g;
        }
    }
    return new_group(m, k);
}

static void read_row(const struct mirror_group *g, unsigned row, struct ebpf_taps_count *ret)
{
    *ret = (struct ebpf_taps_count){0};
    if (g->map >= 0) {
        (void)bpf_map_sum(g->map, row, (uint64_t *)ret, sizeof(*ret), NULL);
    }
}

void mirror_add_counts(struct ebpf_taps_count *to, const struct ebpf_taps_count *c)
{
    to->frames += c->frames;
    to->bytes += c->bytes;
    to->failed_down += c->failed_down;
    to->failed_gone += c->failed_gone;
    to->failed_big += c->failed_big;
    to->failed_full += c->failed_full;
    to->failed_other += c->failed_other;
}

static void subtract(struct ebpf_taps_count *c, const struct ebpf_taps_count *base)
{
    c->frames -= base->frames;
    c->bytes -= base->bytes;
    c->failed_down -= base->failed_down;
    c->failed_gone -= base->failed_gone;
    c->failed_big -= base->failed_big;
    c->failed_full -= base->failed_full;
    c->failed_other -= base->failed_other;
}

void mirror_counts(const struct mirrored *f, unsigned way, struct ebpf_taps_count *ret)
{
    read_row(f->at[way].group, f->at[way].row, ret);
    subtract(ret, &f->at[way].base);
}

/* It is looked at again, and at once. */
static void make_dirty(struct mirror_group *g)
{
    g->dirty = true;
    g->again = (struct mono){0};
    g->mirror->behind = g->mirror->behind || g->index < g->mirror->next;
}

int mirror_join(struct mirror *m, struct mirrored *f, unsigned way)
{
    struct mirror_key k;
    key_of(f, way, &k);
    struct mirror_group *g = f->alone ? new_group(m, &k) : group_for(m, &k);
    if (!g) {
        return -ENOMEM;
    }
    g->alone = f->alone;
    const unsigned row = free_row(g);
    g->flow[row] = f;
    g->fresh |= UINT32_C(1) << row;
    g->n++;
    make_dirty(g);
    f->at[way].group = g;
    f->at[way].row = row;
    read_row(g, row, &f->at[way].base);
    return 0;
}

void mirror_part(struct mirrored *f, unsigned way)
{
    struct mirror_group *g = f->at[way].group;
    struct ebpf_taps_count c;
    if (!g) {
        return;
    }
    mirror_counts(f, way, &c);
    mirror_add_counts(&f->carried, &c);
    g->flow[f->at[way].row] = NULL;
    g->fresh &= ~(UINT32_C(1) << f->at[way].row);
    g->stale |= g->place >= 0 ? UINT32_C(1) << f->at[way].row : 0;
    g->n--;
    make_dirty(g);
    f->at[way].group = NULL;
}

/* ---- the program ---- */

static void detach(struct mirror_group *g)
{
    closep(&g->place);
    g->place = -1;
    g->program = 0;
    g->source = 0;
    g->stale = 0;
    g->dirty = true;
}

static void away(struct mirror_group *g, const char *name, const char *how)
{
    g->state = TAP_IS_AWAY;
    (void)error_set(&g->why, ENODEV, "the interface %s %s", name, how);
}

/* It is tried again, later each time. */
static void failed(struct mirror_group *g, struct mono now)
{
    const int64_t ms = (int64_t)AGAIN_MS << MIN(g->tries, 5U);
    g->state = TAP_IS_FAILED;
    g->tries++;
    g->again = mono_add_ms(now, MIN(ms, (int64_t)AGAIN_MAX_MS));
}

static unsigned fill_flows(const struct mirror_group *g, struct ebpf_taps_flow ret[EBPF_TAPS_FLOWS])
{
    unsigned n = 0;
    for (unsigned row = 0; row < EBPF_TAPS_FLOWS; row++) {
        const struct mirrored *f = g->flow[row];
        if (f) {
            ret[n++] = (struct ebpf_taps_flow){.vlans = f->flow.has_vlans ? &f->flow.vlans : NULL,
                                               .filter = f->filter,
                                               .n_filter = f->flow.n_filter,
                                               .counter = row};
        }
    }
    return n;
}

/* The program's descriptor, or -errno with a sentence. */
static int make_program(struct mirror_group *g, const struct netif *from, const struct netif *to,
                        struct error *err)
{
    struct ebpf_taps_flow flows[EBPF_TAPS_FLOWS];
    struct ebpf_taps conf = {.egress = g->key.way == MIRROR_EGRESS,
                             .hatype = from->arphrd,
                             .mark = SOCKMARK_COPY,
                             .to = (uint32_t)to->index,
                             .longest = to->mtu + ETHER_HDR_LEN,
                             .map_fd = g->map,
                             .flows = flows,
                             .n_flows = fill_flows(g, flows)};
    unsigned n = 0;
    _cleanup_(freep) struct bpf_insn *insns = calloc(EBPF_TAPS_ROOM, sizeof(*insns));
    if (!insns) {
        return error_sys(err, ENOMEM, "cannot make the program");
    }
    const int r = ebpf_taps_make(&conf, insns, EBPF_TAPS_ROOM, &n, err);
    return r < 0 ? r : bpf_prog_load("farspan_tap", insns, n, err);
}

static unsigned programs_at(const struct mirror_group *g)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->mirror->n_groups; i++) {
        const struct mirror_group *o = g->mirror->group[i];
        n += o->place >= 0 && o->key.way == g->key.way && strcmp(o->key.source, g->key.source) == 0;
    }
    return n;
}

static int put_program(struct mirror_group *g, int prog, int ifindex, struct error *err)
{
    int r = -ENOLINK;
    if (g->place >= 0) {
        r = bpf_swap(g->place, prog, err);
        if (r == -ENOLINK) {
            detach(g);
        }
    }
    if (r == -ENOLINK) {
        if (programs_at(g) >= PROGRAMS_MAX) {
            return error_set(err, ENOSPC, "%s has the flows of %d programs, and takes no more",
                             g->key.source, PROGRAMS_MAX);
        }
        r = bpf_attach(prog, ifindex, g->key.way == MIRROR_EGRESS, err);
        g->place = r >= 0 ? r : -1;
    }
    return r < 0 ? r : bpf_prog_id(prog, &g->program, err);
}

/* A destination with an address of this host would have the copies look like its own traffic. */
static int check_destination(const char *name, struct error *err)
{
    struct netif link;
    const int r = netif_find(name, &link, err);
    for (unsigned i = 0; r == 0 && i < link.n_addrs; i++) {
        if (!netif_addr_is_link_local(&link.addrs[i])) {
            return error_set(err, EADDRINUSE,
                             "%s has an address of this host: copies need a port of their own",
                             name);
        }
    }
    return r;
}

/* One flow that wants frames as on a cable is enough. */
static bool wants_wire(const struct mirror_group *g)
{
    for (unsigned row = 0; row < EBPF_TAPS_FLOWS; row++) {
        if (g->flow[row] && !g->flow[row]->flow.super) {
            return true;
        }
    }
    return false;
}

static int renew(struct mirror_group *g, const struct netif *from, const struct netif *to,
                 struct error *err)
{
    int r = 0;
    if (g->map < 0) {
        r = bpf_map_create("farspan_taps", sizeof(struct ebpf_taps_count), EBPF_TAPS_FLOWS, err);
        g->map = r >= 0 ? r : -1;
    }
    _cleanup_(closep) int prog = r < 0 ? r : make_program(g, from, to, err);
    g->refused = r >= 0 && prog < 0;
    r = prog < 0 ? prog : put_program(g, prog, from->index, err);
    if (r < 0) {
        return r;
    }
    g->source = from->index;
    g->destination = to->index;
    g->longest = to->mtu;
    g->hatype = from->arphrd;
    g->stale = g->fresh = 0;
    g->dirty = false;
    g->tries = 0;
    return 0;
}

/* One flow that no program can have is not to take those with it that had one before: all that have
 * come since get programs of their own. True: there were some, and the group is looked at again. */
static bool isolate(struct mirror_group *g)
{
    const uint32_t fresh = g->fresh;
    if (!g->refused || g->n < 2 || fresh == 0) {
        return false;
    }
    for (unsigned row = 0; row < EBPF_TAPS_FLOWS; row++) {
        if (fresh >> row & 1) {
            g->flow[row]->alone = true;
            mirror_part(g->flow[row], g->key.way);
        }
    }
    g->why.text[0] = '\0';
    g->mirror->behind = true;
    return true;
}

/* Somebody else may have taken it off. */
static bool is_attached(const struct mirror_group *g)
{
    struct bpf_chain c;
    if (g->place < 0 || bpf_chain(g->source, g->key.way == MIRROR_EGRESS, &c, NULL) < 0) {
        return false;
    }
    for (unsigned i = 0; i < c.n; i++) {
        if (c.ids[i] == g->program) {
            return true;
        }
    }
    return false;
}

/* The destination is as the flows want it before the first copy goes there. */
static int settle(struct mirror_group *g, const struct netif *from, const struct netif *to)
{
    const bool is_new = g->destination != to->index || g->longest != to->mtu ||
                        g->hatype != from->arphrd || g->dirty || g->place < 0;
    int r = is_new ? check_destination(to->name, &g->why) : 0;
    if (r == 0 && wants_wire(g)) {
        r = mirror_wires_hold(g->mirror->wires, to, &g->why);
        if (r < 0) {
            detach(g);
        }
    }
    r = r < 0 || !is_new ? r : renew(g, from, to, &g->why);
    if (r < 0 && (g->destination != to->index || g->stale != 0)) {
        detach(g); /* another interface may have that number now, or a flow has gone */
    }
    return r;
}

static void apply(struct mirror_group *g, struct mono now)
{
    struct netif from, to;
    if (wants_wire(g)) {
        mirror_wires_want(g->mirror->wires, g->key.destination);
    }
    if (g->again.ns != 0 && !mono_due(now, g->again)) {
        return;
    }
    if (netif_get(g->key.source, &from, NULL) < 0) {
        detach(g);
        away(g, g->key.source, "is not there");
        return;
    }
    if (netif_get(g->key.destination, &to, NULL) < 0) {
        detach(g);
        away(g, g->key.destination, "is not there");
        return;
    }
    if (g->source != 0 && (g->source != from.index || !is_attached(g))) {
        detach(g);
    }
    g->refused = false;
    if (settle(g, &from, &to) < 0) {
        if (!isolate(g)) {
            failed(g, now);
        }
    } else if (!(to.flags & IFF_UP)) {
        away(g, g->key.destination, "is down");
    } else if (!(to.flags & IFF_RUNNING)) {
        away(g, g->key.destination, "has no carrier");
    } else {
        g->state = TAP_IS_FLOWING;
        g->why.text[0] = '\0';
    }
}

static void free_group(struct mirror_group *g)
{
    struct mirror *m = g->mirror;
    closep(&g->place);
    closep(&g->map);
    table_remove(&g->by_key);
    m->group[g->index] = m->group[--m->n_groups];
    m->group[g->index]->index = g->index;
    free(g);
}

bool mirror_groups_apply(struct mirror *m, struct mono until)
{
    while (m->next < m->n_groups) {
        struct mirror_group *g = m->group[m->next];
        const struct mono now = mono_now();
        if (mono_due(now, until)) {
            return true;
        }
        if (g->n == 0) {
            free_group(g); /* another one stands at its place now */
        } else {
            apply(g, now);
            m->next++;
        }
    }
    const bool more = m->behind;
    m->next = 0;
    m->behind = false;
    (void)mirror_wires_round(m->wires, NULL); /* what fails is tried again */
    return more;
}

enum tap_state mirror_group_state(const struct mirror_group *g, const char **ret_words)
{
    if (g->state != TAP_IS_FLOWING) {
        *ret_words = g->why.text;
    }
    return g->state;
}

void mirror_groups_done(struct mirror *m)
{
    while (m->n_groups > 0) {
        free_group(m->group[0]);
    }
}
