/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that the collector has given out: half-open ones, which are bounded for each kind of
 * sender, and those of sessions. The data threads are told of each.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"
#include "sys/crypto/kdf.h"

struct key *listener_find_key(struct listener *s, uint32_t index)
{
    struct key *k = s->key[index % RECEIVER_SLOTS];
    return k && k->index == index ? k : NULL;
}

void listener_list_key(struct key *k)
{
    k->at = &k->session->keys;
    k->next = *k->at;
    if (k->next) {
        k->next->at = &k->next;
    }
    *k->at = k;
}

static void unlist_key(struct key *k)
{
    if (k->at) {
        *k->at = k->next;
        if (k->next) {
            k->next->at = k->at;
        }
        k->at = NULL;
    }
}

static void half_add(struct listener *s, struct key *k)
{
    struct half_list *l = &s->half[k->kind];
    k->half_prev = l->last;
    k->half_next = NULL;
    *(l->last ? &l->last->half_next : &l->first) = k;
    l->last = k;
    l->n++;
    s->n_half++;
}

void listener_half_remove(struct listener *s, struct key *k)
{
    struct half_list *l = &s->half[k->kind];
    *(k->half_prev ? &k->half_prev->half_next : &l->first) = k->half_next;
    *(k->half_next ? &k->half_next->half_prev : &l->last) = k->half_prev;
    k->half_prev = k->half_next = NULL;
    l->n--;
    s->n_half--;
}

void listener_key_free(struct key *k)
{
    aead_free(k->tx);
    handshake_collector_done(&k->handshake);
    free(k->info);
    free(k);
}

void listener_drop_key(struct listener *s, struct key *k)
{
    if (!k->session) {
        listener_half_remove(s, k);
    } else if (k->session->key == k) {
        k->session->key = NULL;
        listener_session_moved(s, k->session);
    }
    (void)receiver_key_drop(listener_receiver(s, k->index), k->index);
    s->key[k->index % RECEIVER_SLOTS] = NULL;
    s->keys_of[k->index % s->conf.n_threads]--;
    unlist_key(k);
    listener_key_free(k);
}

/* ---- room for another half-open key ---- */

/* The bytes of an address that count as one sender. */
static void whose(const struct udp_addr *a, uint8_t ret[16])
{
    uint8_t ip[16];
    udp_addr_ip(a, ip);
    admission_address(ip, ret);
}

/* An honest handshake is half-open for a round trip, and not much longer where a thousand taps come
 * back at once: who has begun is left alone for a while. */
static bool had_its_time(const struct key *k)
{
    return mono_due(mono_now(), mono_add_ms(k->made, LISTENER_HALF_MIN_MS));
}

/* A tap that has waited begins anew and ignores answers to what it began before: what is half-open
 * from its address and port, which are known to be real, only takes room. It is not dropped at
 * once: somebody who repeats the tap's HELLO must not end what the tap has just begun. */
static void drop_superseded(struct listener *s, const struct udp_addr *from)
{
    for (unsigned i = 0; i < ADMISSION_KINDS; i++) {
        for (struct key *k = s->half[i].first, *next; k; k = next) {
            next = k->half_next;
            if (udp_addr_equal(&k->from, from) && had_its_time(k)) {
                listener_drop_key(s, k);
            }
        }
    }
}

/* The oldest gives way: of the same address where that one has its share already, else of all of
 * its kind; where it has not had its time, who comes asks again. */
static bool half_room(struct listener *s, const struct udp_addr *from, enum admission_from kind)
{
    static const unsigned limits[] = {LISTENER_HALF_FREE, LISTENER_HALF_REAL, LISTENER_HALF_LIVE};
    const struct half_list *l = &s->half[kind];
    unsigned limit = limits[kind], own = 0;
    struct key *victim = NULL;
    uint8_t mine[16], other[16];
    if (kind != ADMISSION_ANYBODY) {
        drop_superseded(s, from);
    }
    whose(from, mine);
    for (struct key *k = kind == ADMISSION_REAL ? l->first : NULL; k; k = k->half_next) {
        whose(&k->from, other);
        if (memcmp(mine, other, sizeof(mine)) == 0) {
            victim = victim ? victim : k;
            own++;
        }
    }
    if (own < LISTENER_HALF_OWN) {
        victim = l->n >= limit ? l->first : NULL;
    }
    if (!victim) {
        return true;
    }
    if (!had_its_time(victim)) {
        s->counters.put_off++;
        return false;
    }
    listener_drop_key(s, victim);
    return true;
}

/* The data thread for whom a HELLO came from: its session's, if it has one, which its own index of
 * it or its address tells. Both may be forged: the INFO decides what belongs to what. */
static unsigned thread_for(struct listener *s, const struct receiver_event *e, uint32_t hint)
{
    const struct key *k = hint ? listener_find_key(s, hint) : NULL;
    const struct session *ss = k ? k->session : listener_session_at(s, &e->from);
    unsigned least = 0;
    for (unsigned t = 1; t < s->conf.n_threads; t++) {
        least = s->keys_of[t] < s->keys_of[least] ? t : least;
    }
    return ss ? ss->thread : least;
}

/* A random index of that data thread whose slot is free. Slots of half-open keys and of sessions
 * are bounded far below their number, so a few draws do. */
struct key *listener_make_key(struct listener *s, const struct receiver_event *e,
                              enum admission_from kind, uint32_t hint)
{
    uint32_t index = 0, n = s->conf.n_threads;
    unsigned thread = thread_for(s, e, hint);
    if (!half_room(s, &e->from, kind)) {
        return NULL;
    }
    for (unsigned i = 0; i < 1000; i++) {
        if (random_bytes(&index, sizeof(index)) == 0) {
            index += thread - index % n;
        }
        if (index != 0 && index % n == thread && !s->key[index % RECEIVER_SLOTS]) {
            struct key *k = calloc(1, sizeof(*k));
            if (k) {
                k->index = index;
                k->from = k->sure = e->from;
                k->local = e->local;
                k->kind = kind;
                k->made = mono_now();
                k->expires = mono_add_ms(k->made, LISTENER_HALF_MS);
                s->key[index % RECEIVER_SLOTS] = k;
                s->keys_of[thread]++;
                half_add(s, k);
            }
            return k;
        }
    }
    return NULL;
}

/* ---- keys that the data threads get ---- */

int listener_key_use(struct listener *s, struct key *k, struct handshake_keys *keys)
{
    struct aead *rx = NULL;
    int r = aead_new(keys->alg, keys->send, &k->tx, NULL);
    if (r == 0) {
        r = aead_new(keys->alg, keys->recv, &rx, NULL);
    }
    if (r == 0) {
        r = receiver_key_add(listener_receiver(s, k->index), k->index, &k->from, rx);
    }
    k->alg = keys->alg;
    k->remote = keys->remote;
    handshake_keys_wipe(keys);
    return r;
}

int listener_key_expect(struct listener *s, const struct key *k)
{
    uint8_t tag[CPACE_TAG_LEN];
    int r = handshake_collector_expects(&k->handshake, tag);
    if (r == 0) {
        r = receiver_expect(listener_receiver(s, k->index), k->index, &k->from, tag);
    }
    secure_wipe(tag, sizeof(tag));
    return r;
}
