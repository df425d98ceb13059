/* SPDX-License-Identifier: Apache-2.0
 *
 * The handshakes that the collector works on. Anyone can send HELLOs from any address: a few are
 * taken as they come, beyond that an address first shows by a cookie that it is real, and then has
 * a share that others cannot use up; a session's next key shares with no stranger
 * (model/admission.h; the data thread has told these kinds apart). Addresses that guessed
 * passphrases have to wait (model/guard.h). Handshakes that are under way are bounded, apart for
 * each kind.
 */
#include <string.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"

/* Datagrams to a forged address may stay in our send buffer: a neighbour that is not there is asked
 * for during seconds. Half of the buffer is for sessions; once an eighth is taken, each address
 * that may be forged gets an answer now and then. */
void listener_answer(struct listener *s, const struct receiver_event *e, bool real,
                     const uint8_t *d, int len)
{
    uint8_t addr[16];
    int stuck = udp_unsent(s->io.fd);
    udp_addr_ip(&e->from, addr);
    if (len <= 0) {
        return;
    }
    if (stuck > s->send_buffer / 2 || (!real && stuck > s->send_buffer / 8 &&
                                       !admission_answer(&s->admission, addr, mono_now()))) {
        s->counters.unanswered++;
        return;
    }
    listener_send(s, &e->from, &e->local, d, (size_t)len);
}

void listener_reject(struct listener *s, const struct receiver_event *e, uint8_t why,
                     uint32_t receiver)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    listener_answer(s, e, false, d, handshake_reject(why, receiver, d));
}

static void send_cookie(struct listener *s, const struct receiver_event *e, const uint8_t addr[16],
                        uint32_t receiver)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX], cookie[LINK_COOKIE_LEN];
    cookie_make(&s->cookies, addr, udp_addr_port(&e->from), cookie);
    listener_answer(s, e, false, d, handshake_cookie(cookie, receiver, d));
    s->counters.cookies++;
}

bool listener_admits(struct listener *s, const struct receiver_event *e, const struct link_hs *m,
                     enum admission_from *ret_from)
{
    uint8_t addr[16];
    udp_addr_ip(&e->from, addr);
    *ret_from = e->kind == RECEIVER_REKEY    ? ADMISSION_LIVE
                : e->kind == RECEIVER_COOKIE ? ADMISSION_REAL
                                             : ADMISSION_ANYBODY;
    switch (admission_hello(&s->admission, addr, *ret_from, mono_now())) {
    case ADMISSION_WORK:
        return true;
    case ADMISSION_COOKIE:
        send_cookie(s, e, addr, m->sender);
        return false;
    case ADMISSION_LATER:
    default:
        s->counters.put_off++; /* who is honest asks again in a while */
        return false;
    }
}

/* A tap that shares an address with someone who guesses has to wait too, but not for the next key
 * of a session that is up. That is known by address and port, which can be forged: hence a limit.
 */
bool listener_may_try(struct listener *s, const struct receiver_event *e)
{
    uint8_t addr[16];
    udp_addr_ip(&e->from, addr);
    if (guard_allows(&s->guard, addr, mono_now())) {
        return true;
    }
    const struct session *ss = listener_session_at(s, &e->from);
    if (ss && ss->guesses < LISTENER_GUESSES) {
        return true;
    }
    s->counters.slowed++;
    return false;
}

/* ---- half-open keys ---- */

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
bool listener_half_room(struct listener *s, const struct udp_addr *from, enum admission_from kind)
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

void listener_half_add(struct listener *s, struct key *k)
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
