/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/batch.h"
#include "node/mirror_impl.h"
#include "sys/crypto/kdf.h"

enum {
    BUCKETS = 4096,
    APPLY_MS = 20,
};

/* ---- flows ---- */

static struct mirrored *find(const struct mirror *m, const uint8_t id[WANTED_ID])
{
    const uint64_t hash = table_hash(&m->by_id, id, WANTED_ID);
    for (struct table_link *l = table_first(&m->by_id, hash); l; l = table_next(l)) {
        struct mirrored *f = CONTAINER_OF(l, struct mirrored, by_id);
        if (memcmp(f->flow.id, id, WANTED_ID) == 0) {
            return f;
        }
    }
    return NULL;
}

static void free_flow(struct mirror *m, struct mirrored *f)
{
    for (unsigned i = 0; i < MIRROR_WAYS; i++) {
        mirror_part(f, i);
    }
    table_remove(&f->by_id);
    m->flow[f->place] = m->flow[--m->n];
    m->flow[f->place]->place = f->place;
    free(f->filter);
    free(f->next_filter);
    free(f);
}

static bool is_alike(const struct mirror_flow *a, const struct mirror_flow *b)
{
    return memcmp(a->service, b->service, sizeof(a->service)) == 0 &&
           strcmp(a->source, b->source) == 0 && strcmp(a->destination, b->destination) == 0 &&
           a->dir == b->dir && a->super == b->super && a->has_vlans == b->has_vlans &&
           (!a->has_vlans || memcmp(&a->vlans, &b->vlans, sizeof(a->vlans)) == 0) &&
           a->n_filter == b->n_filter;
}

static struct mirrored *add(struct mirror *m, const struct mirror_flow *f)
{
    struct mirrored *made = calloc(1, sizeof(*made));
    if (!made) {
        return NULL;
    }
    made->flow = *f;
    made->place = m->n;
    m->flow[m->n++] = made;
    table_add(&m->by_id, &made->by_id, table_hash(&m->by_id, f->id, WANTED_ID));
    return made;
}

/* All that is to be known of it has come: where anything is another, its programs are. */
static void take(struct mirrored *f)
{
    const size_t bytes = f->next.n_filter * sizeof(*f->filter);
    const bool same = f->complete && is_alike(&f->flow, &f->next) &&
                      (bytes == 0 || memcmp(f->filter, f->next_filter, bytes) == 0);
    f->is_new = false;
    if (same) {
        free(TAKE_PTR(f->next_filter));
        return;
    }
    for (unsigned i = 0; i < MIRROR_WAYS; i++) {
        mirror_part(f, i);
    }
    free(f->filter);
    f->alone = false;
    f->filter = TAKE_PTR(f->next_filter);
    f->flow = f->next;
    f->complete = true;
}

int mirror_put(struct mirror *m, const struct mirror_flow *f, struct error *err)
{
    struct mirrored *to = find(m, f->id);
    if (strcmp(f->source, f->destination) == 0) {
        return error_set(err, EINVAL, "%s cannot be tapped to itself", f->source);
    }
    if (!to && m->n == TAPWANT_MAX) {
        return error_set(err, ENOSPC, "%d tap flows are there, and no more can be", TAPWANT_MAX);
    }
    if (!to && !(to = add(m, f))) {
        return error_sys(err, ENOMEM, "cannot tap %s", f->source);
    }
    if (f->n_filter > 0) { /* it comes now, and is compared with the one that is there then */
        struct sock_filter *next = calloc(f->n_filter, sizeof(*next));
        if (!next) {
            return error_sys(err, ENOMEM, "cannot tap %s", f->source);
        }
        free(to->next_filter);
        to->next_filter = next;
        to->n_come = 0;
    }
    to->next = *f;
    to->marked = false;
    to->is_new = true;
    if (f->n_filter == 0) {
        take(to);
    }
    return 0;
}

int mirror_code(struct mirror *m, const uint8_t id[WANTED_ID], unsigned at,
                const struct sock_filter *code, unsigned n, struct error *err)
{
    struct mirrored *f = find(m, id);
    if (!f || !f->is_new) {
        return error_set(err, ENOENT, "no filter is waited for");
    }
    if (at != f->n_come || n == 0 || n > f->next.n_filter - f->n_come) {
        return error_set(err, EINVAL, "the filter comes in another order than its own");
    }
    memcpy(f->next_filter + at, code, n * sizeof(*code));
    f->n_come += n;
    if (f->n_come == f->next.n_filter) {
        const struct filter_prog p = {f->next_filter, f->n_come};
        if (!filter_is_valid(&p)) {
            return error_set(err, EINVAL, "the filter is none");
        }
        take(f);
    }
    return 0;
}

void mirror_drop(struct mirror *m, const uint8_t id[WANTED_ID])
{
    struct mirrored *f = find(m, id);
    if (f) {
        free_flow(m, f);
    }
}

void mirror_begin(struct mirror *m)
{
    for (unsigned i = 0; i < m->n; i++) {
        m->flow[i]->marked = true;
    }
}

void mirror_end(struct mirror *m)
{
    for (unsigned i = 0; i < m->n;) {
        if (m->flow[i]->marked) {
            free_flow(m, m->flow[i]);
        } else {
            i++;
        }
    }
}

/* ---- the ways of a flow ---- */

static bool wants_way(const struct mirrored *f, unsigned way)
{
    return f->complete && (f->flow.dir == FRAME_DIR_UNKNOWN ||
                           (f->flow.dir == FRAME_DIR_OUT) == (way == MIRROR_EGRESS));
}

static int join_all(struct mirror *m, struct mirrored *f)
{
    for (unsigned way = 0; way < MIRROR_WAYS; way++) {
        if (wants_way(f, way) && !f->at[way].group) {
            const int r = mirror_join(m, f, way);
            if (r < 0) {
                (void)error_sys(&f->why, -r, "cannot tap %s", f->flow.source);
                return r;
            }
        }
    }
    f->why.text[0] = '\0';
    return 0;
}

int mirror_recover(struct mirror *m, struct error *err)
{
    m->recovered = true;
    return mirror_wires_recover(m->wires, err);
}

bool mirror_apply(struct mirror *m, struct mono now)
{
    const struct mono until = mono_add_ms(now, APPLY_MS);
    if (!m->recovered) {
        (void)mirror_recover(m, NULL);
    }
    for (unsigned i = 0; i < m->n; i++) {
        (void)join_all(m, m->flow[i]);
    }
    return mirror_groups_apply(m, until);
}

/* ---- what is ---- */

int mirror_read(const struct mirror *m, const uint8_t id[WANTED_ID], struct mirror_is *ret)
{
    const struct mirrored *f = find(m, id);
    const char *words = NULL;
    if (!f) {
        return -ENOENT;
    }
    *ret = (struct mirror_is){.state = TAP_IS_FLOWING, .counts = f->carried};
    if (!f->complete) {
        ret->state = TAP_IS_AWAY;
        words = "";
    } else if (f->why.text[0]) {
        ret->state = TAP_IS_FAILED;
        words = f->why.text;
    }
    for (unsigned way = 0; way < MIRROR_WAYS; way++) {
        struct ebpf_taps_count c;
        if (!f->at[way].group) {
            continue;
        }
        const enum tap_state s = mirror_group_state(f->at[way].group, &words);
        ret->state = s > ret->state ? s : ret->state;
        mirror_counts(f, way, &c);
        mirror_add_counts(&ret->counts, &c);
    }
    if (ret->state != TAP_IS_FLOWING && words) {
        (void)snprintf(ret->words, sizeof(ret->words), "%s", words);
    }
    return 0;
}

/* ---- its life ---- */

int mirror_new(int notes, struct mirror **ret)
{
    struct mirror *m = calloc(1, sizeof(*m));
    uint64_t key = 0;
    int r = m ? random_bytes(&key, sizeof(key)) : -ENOMEM;
    r = r < 0 ? r : random_bytes(&m->life, sizeof(m->life));
    r = r < 0 ? r : table_init(&m->by_id, BUCKETS, key);
    r = r < 0 ? r : table_init(&m->groups, BUCKETS, key);
    r = r < 0 ? r : mirror_wires_new(notes, &m->wires);
    if (r < 0) {
        mirror_free(m);
        return r;
    }
    m->life |= 1;
    *ret = m;
    return 0;
}

uint64_t mirror_life(const struct mirror *m)
{
    return m->life;
}

void mirror_free(struct mirror *m)
{
    if (!m) {
        return;
    }
    while (m->n > 0) {
        free_flow(m, m->flow[0]);
    }
    mirror_groups_done(m);
    mirror_wires_free(m->wires); /* when no copy goes out any more */
    table_done(&m->by_id);
    table_done(&m->groups);
    free(m);
}
