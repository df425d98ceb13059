/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/mirror/points.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/crypto/kdf.h"

enum {
    FIRST = POINT_COUNT + 1, /* of their indices */
    KEY_BYTES = 16 + 1 + 1 + 4,
    LINKTYPE_ETHERNET = 1,
    ARPHRD_ETHERNET = 1,
};

/* Numbers of senders are none of taps, which count from 1 on. */
#define SENDERS_FROM (UINT64_C(1) << 63)

struct mirror_points {
    struct mirror_points_conf conf;
    struct sink *output[FAN_SINKS];
    struct table by_key;
    _Atomic(struct mirror_point *) at[POINT_MIRRORS];
    _Atomic uint32_t n;
    uint64_t last_sender;
    pthread_mutex_t lock; /* who looks at points, and who gives a place to another */
    struct mirror_past past;
};

static struct mirror_point *point_at(const struct mirror_points *p, uint32_t i)
{
    return atomic_load_explicit(&p->at[i], memory_order_acquire);
}

/* ---- keys ---- */

static uint64_t hash(const struct mirror_points *p, const struct mirror_key *key)
{
    uint8_t bytes[KEY_BYTES];
    memcpy(bytes, key->from, 16);
    bytes[16] = (uint8_t)key->carrier;
    bytes[17] = key->has_id;
    memcpy(bytes + 18, &key->id, 4);
    return table_hash(&p->by_key, bytes, sizeof(bytes));
}

static bool same(const struct mirror_key *a, const struct mirror_key *b)
{
    return memcmp(a->from, b->from, sizeof(a->from)) == 0 && a->carrier == b->carrier &&
           a->has_id == b->has_id && a->id == b->id;
}

static struct mirror_point *find(const struct mirror_points *p, const struct mirror_key *key,
                                 uint64_t h)
{
    for (struct table_link *l = table_first(&p->by_key, h); l; l = table_next(l)) {
        struct mirror_point *m = CONTAINER_OF(l, struct mirror_point, by_key);
        if (same(&m->key, key)) {
            return m;
        }
    }
    return NULL;
}

/* ---- a point's life ---- */

static void name(struct point *point, const struct mirror_key *key)
{
    static const char *const words[] = {
        [DECAP_VXLAN] = "vxlan", [DECAP_GRE] = "gre",     [DECAP_ERSPAN] = "erspan",
        [DECAP_TZSP] = "tzsp",   [DECAP_IVTAP] = "ivtap",
    };
    const bool four = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)key->from);
    (void)inet_ntop(four ? AF_INET : AF_INET6, four ? key->from + 12 : key->from, point->tap,
                    sizeof(point->tap));
    if (key->has_id) {
        snprintf(point->ifname, sizeof(point->ifname), "%s/%u", words[key->carrier], key->id);
    } else {
        snprintf(point->ifname, sizeof(point->ifname), "%s", words[key->carrier]);
    }
}

/* The number that all points of one address have. */
static uint64_t sender_number(struct mirror_points *p, const struct mirror_key *key)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const struct mirror_point *m = point_at(p, i);
        if (m->point.tap_number != 0 && memcmp(m->key.from, key->from, sizeof(key->from)) == 0) {
            return m->point.tap_number;
        }
    }
    return SENDERS_FROM + p->last_sender++;
}

static void offer(struct mirror_points *p, struct point *point)
{
    const struct point_offer o = {
        .index = point->index,
        .tap = point->tap,
        .tap_number = point->tap_number,
        .ifname = point->ifname,
        .linktype = point->linktype,
        .arphrd = point->arphrd,
        .fresh = true,
        .device = -1,
    };
    p->conf.ledgers[point->index] = &point->ledger;
    (void)p->conf.sink->ops->point_add(p->conf.sink, &o, NULL);
    atomic_store_explicit(&point->in_outputs, true, memory_order_release);
}

/* A point that no thread looks at becomes this key's, under its index. */
static void begin(struct mirror_points *p, struct mirror_point *m, uint32_t index,
                  const struct mirror_key *key, uint64_t h)
{
    *m = (struct mirror_point){.key = *key};
    m->point.index = index;
    m->point.tap_number = sender_number(p, key);
    m->point.linktype = LINKTYPE_ETHERNET;
    m->point.arphrd = ARPHRD_ETHERNET;
    name(&m->point, key);
    table_add(&p->by_key, &m->by_key, h);
}

static struct mirror_point *add(struct mirror_points *p, const struct mirror_key *key, uint64_t h)
{
    const uint32_t n = p->n;
    struct mirror_point *m = n < POINT_MIRRORS ? calloc(1, sizeof(*m)) : NULL;
    if (!m) {
        return NULL;
    }
    begin(p, m, FIRST + n, key, h);
    atomic_store_explicit(&p->at[n], m, memory_order_release);
    atomic_store_explicit(&p->n, n + 1, memory_order_release);
    offer(p, &m->point);
    return m;
}

/* Nothing of it is in an output. */
static bool settled(const struct mirror_points *p, const struct point *point)
{
    for (unsigned k = 0; k < FAN_SINKS; k++) {
        const struct ledger *l = point_output(point, p->output[k]);
        if (l && ledger_sum(l, NULL, LEDGER_SINK).in_flight != 0) {
            return false;
        }
    }
    return true;
}

static struct mirror_point *idle_longest(const struct mirror_points *p, struct mono now)
{
    struct mirror_point *oldest = NULL;
    int64_t heard = mono_add_ms(now, -MIRROR_IDLE_MS).ns;
    for (uint32_t i = 0; i < p->n; i++) {
        struct mirror_point *m = point_at(p, i);
        if (m->heard_ns <= heard && settled(p, &m->point)) {
            oldest = m;
            heard = m->heard_ns;
        }
    }
    return oldest;
}

static void add_to_past(struct mirror_points *p, const struct point *point)
{
    p->past.n++;
    ledger_add_up(&p->past.rx, &point->ledger);
    for (unsigned k = 0; k < FAN_SINKS; k++) {
        const struct ledger *l = point_output(point, p->output[k]);
        if (l) {
            ledger_add_up(&p->past.out[k], l);
        }
    }
}

/* The place of another, unless somebody looks at points just now. */
static struct mirror_point *replace(struct mirror_points *p, const struct mirror_key *key,
                                    uint64_t h, struct mono now)
{
    if (pthread_mutex_trylock(&p->lock) != 0) {
        return NULL;
    }
    struct mirror_point *m = idle_longest(p, now);
    if (m) {
        const uint32_t index = m->point.index;
        p->conf.sink->ops->point_remove(p->conf.sink, index);
        add_to_past(p, &m->point);
        table_remove(&m->by_key);
        begin(p, m, index, key, h);
        offer(p, &m->point);
    }
    pthread_mutex_unlock(&p->lock);
    return m;
}

struct mirror_point *mirror_points_get(struct mirror_points *p, const struct mirror_key *key,
                                       struct mono now)
{
    const uint64_t h = hash(p, key);
    struct mirror_point *m = find(p, key, h);
    m = m ? m : add(p, key, h);
    m = m || p->n < POINT_MIRRORS ? m : replace(p, key, h, now);
    if (m) {
        atomic_store_explicit(&m->heard_ns, now.ns, memory_order_relaxed);
    }
    return m;
}

void mirror_points_output(struct mirror_points *p, unsigned place, struct sink *output)
{
    static const struct ledger zeros;
    pthread_mutex_lock(&p->lock); /* for the sums; a report holds it for some milliseconds */
    p->output[place] = output;
    ledger_copy(&p->past.out[place], &zeros);
    pthread_mutex_unlock(&p->lock);
}

void mirror_points_remove(struct mirror_points *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const uint32_t index = point_at(p, i)->point.index;
        p->conf.ledgers[index] = NULL;
        p->conf.sink->ops->point_remove(p->conf.sink, index);
    }
}

/* ---- all of them ---- */

int mirror_points_new(const struct mirror_points_conf *conf, struct mirror_points **ret)
{
    struct mirror_points *p = calloc(1, sizeof(*p));
    uint64_t key = 0;
    int r = p ? random_bytes(&key, sizeof(key)) : -ENOMEM;
    r = r < 0 ? r : table_init(&p->by_key, POINT_MIRRORS, key);
    if (r < 0) {
        free(p);
        return r;
    }
    p->conf = *conf;
    for (unsigned i = 0; i < conf->n_outputs; i++) {
        p->output[i] = conf->outputs[i];
    }
    pthread_mutex_init(&p->lock, NULL);
    *ret = p;
    return 0;
}

void mirror_points_free(struct mirror_points *p)
{
    if (!p) {
        return;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        free(point_at(p, i));
    }
    table_done(&p->by_key);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void mirror_points_each(struct mirror_points *p, mirror_point_fn *fn, void *user,
                        struct mirror_past *past)
{
    pthread_mutex_lock(&p->lock);
    const uint32_t n = atomic_load_explicit(&p->n, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        fn(user, point_at(p, i));
    }
    if (past) {
        past->n = p->past.n;
        ledger_copy(&past->rx, &p->past.rx);
        for (unsigned k = 0; k < FAN_SINKS; k++) {
            ledger_copy(&past->out[k], &p->past.out[k]);
        }
    }
    pthread_mutex_unlock(&p->lock);
}
