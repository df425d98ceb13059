/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict on a handshake message: what the listener is to do about it. Anyone can send HELLOs
 * from any address: a few are taken as they come, beyond that an address first shows by a cookie
 * that it is real, and then has a share that others cannot use up; a session's next key shares with
 * no stranger (model/admission.h; the data thread has told these kinds apart). Addresses that
 * guessed passphrases have to wait (model/guard.h). Handshakes that are under way are bounded,
 * apart for each kind (keys.c).
 */
#include <errno.h>

#include "data/link/listen/impl.h"

static enum admission_from known_as(const struct receiver_event *e)
{
    return e->kind == RECEIVER_REKEY    ? ADMISSION_LIVE
           : e->kind == RECEIVER_COOKIE ? ADMISSION_REAL
                                        : ADMISSION_ANYBODY;
}

/* A tap that shares an address with someone who guesses has to wait too, but not for the next key
 * of a session that is up. That is known by address and port, which can be forged: hence a limit.
 */
static bool may_try(struct listener *s, const struct receiver_event *e)
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

/* Begins the handshake: the verdict is to send its answer, unless it comes to nothing. */
static void begin(struct listener *s, const struct receiver_event *e, const struct link_hs *m,
                  struct verdict *ret)
{
    struct handshake_keys keys = {0};
    enum admission_from from = known_as(e);
    struct key *k = listener_make_key(s, e, from, m->receiver);
    if (!k) {
        return;
    }
    int n = handshake_collector_hello(&k->handshake, &s->conf.handshake, e->data, m, k->index,
                                      ret->answer, &keys, &ret->why);
    if (n < 0 ||
        (k->handshake.complete ? listener_key_use(s, k, &keys) : listener_key_expect(s, k)) < 0) {
        handshake_keys_wipe(&keys);
        listener_drop_key(s, k);
        ret->kind = n == -EACCES ? VERDICT_REJECT : VERDICT_DROP;
        return;
    }
    ret->kind = VERDICT_TAKE;
    ret->real = from != ADMISSION_ANYBODY;
    ret->len = n;
}

static void on_hello(struct listener *s, const struct receiver_event *e, const struct link_hs *m,
                     struct verdict *ret)
{
    uint8_t addr[16];
    udp_addr_ip(&e->from, addr);
    s->counters.handshakes++;
    switch (admission_hello(&s->admission, addr, known_as(e), mono_now())) {
    case ADMISSION_WORK:
        if (may_try(s, e)) {
            begin(s, e, m, ret);
        } else {
            ret->kind = VERDICT_REJECT;
            ret->why = LINK_REASON_BUSY;
        }
        break;
    case ADMISSION_COOKIE:
        ret->kind = VERDICT_COOKIE;
        break;
    case ADMISSION_LATER:
    default:
        s->counters.put_off++; /* who is honest asks again in a while */
        break;
    }
}

static void wrong_secret(struct listener *s, const struct receiver_event *e, struct verdict *ret)
{
    uint8_t addr[16];
    struct session *ss = listener_session_at(s, &e->from);
    udp_addr_ip(&e->from, addr);
    if (ss) {
        ss->guesses++;
    }
    ret->kind = VERDICT_REJECT;
    ret->why = LINK_REASON_SECRET;
    ret->guesses = guard_failed(&s->guard, addr, mono_now());
}

/* A handshake is one guess, which no number of CONFIRMs makes more: the first wrong one is counted,
 * and the right one still counts, whoever sent the others. */
static void on_confirm(struct listener *s, const struct receiver_event *e, const struct link_hs *m,
                       struct verdict *ret)
{
    uint8_t addr[16];
    struct handshake_keys keys;
    struct key *k = listener_find_key(s, m->receiver);
    if (!k || k->session || !udp_addr_equal(&k->from, &e->from)) {
        return;
    }
    bool repeated = k->handshake.complete;
    int n = handshake_collector_confirm(&k->handshake, m, ret->answer, &keys);
    if (n == -EACCES && !repeated && !k->guessed) {
        k->guessed = true;
        wrong_secret(s, e, ret);
    }
    if (n < 0) {
        return;
    }
    udp_addr_ip(&e->from, addr);
    guard_passed(&s->guard, addr, mono_now());
    if (!repeated && listener_key_use(s, k, &keys) < 0) {
        listener_drop_key(s, k);
        return;
    }
    handshake_keys_wipe(&keys);
    ret->kind = VERDICT_TAKE;
    ret->real = true;
    ret->len = n;
}

void listener_admit(struct listener *s, const struct receiver_event *e, const struct link_hs *m,
                    struct verdict *ret)
{
    *ret = (struct verdict){.kind = VERDICT_DROP};
    if (m->type == LINK_HELLO) {
        on_hello(s, e, m, ret);
    } else if (m->type == LINK_CONFIRM) {
        on_confirm(s, e, m, ret);
    }
}
