/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a session's tap is: its records tell, and what it repeats shows whether that is true.
 */
#include "data/link/listen/impl.h"

/* A path that changes the source at each record must not fill the history: a few in ten seconds. */
static void tell_move(struct listener *s, struct peer *t, const struct udp_addr *to)
{
    struct mono now = mono_now();
    t->moves++;
    if (t->moved.ns == 0 || mono_due(now, mono_add_ms(t->moved, LISTENER_MOVED_MS))) {
        t->moved = now;
        t->moves_told = 0;
    }
    if (t->moves_told++ < LISTENER_MOVED_TOLD) {
        char text[UDP_ADDR_TEXT];
        udp_addr_text(to, text);
        listener_tell_event(s, t, HISTORY_MOVED, text);
        listener_tell(s, t, false, " has moved to %s", text);
    }
}

/* The newest record of the newest key tells where the tap is now. An older one, which took longer
 * or was held back, does not, and one that comes twice is no record at all. */
void listener_follow(struct listener *s, struct key *k, const struct receiver_event *e)
{
    struct session *ss = k->session;
    if ((ss && ss->key != k) || e->counter < k->newest) {
        return;
    }
    k->newest = e->counter + 1;
    bool elsewhere = !udp_addr_equal(&k->from, &e->from), moved = ss && !ss->closing && elsewhere;
    k->from = e->from;
    k->local = e->local;
    if (elsewhere && udp_addr_equal(&k->sure, &k->from)) {
        k->proof = (struct link_proof){0};
    } else if (elsewhere) {
        link_proof_ask(&k->proof);
    }
    link_proof_came(&k->proof, udp_addr_headers(&k->from) + e->size);
    if (ss) {
        ss->peer->last_addr = e->from;
    }
    if (ss && elsewhere) {
        listener_session_moved(s, ss);
    }
    if (moved) {
        tell_move(s, ss->peer, &e->from);
    }
}

void listener_proved(struct key *k, const struct link_report *r)
{
    if (k && link_proof_echo(&k->proof, r->echo)) {
        k->sure = k->from;
    }
}
