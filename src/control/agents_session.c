/* SPDX-License-Identifier: Apache-2.0
 *
 * The session from its greeting to its end: what the peer says goes to whoever takes it, and it is
 * told what is wanted, as fast as its socket takes that.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "control/agents_impl.h"

enum {
    AGAIN_MS = 1000, /* most between two tries, … */
    FIRST_MS = 50,   /* … which begin so, behind one that is made at once, … */
    LONG_MS = 5000,  /* … and anew behind a session that was that long */
};

/* ---- the socket ---- */

void agents_lose(struct agents *a, struct mono now, const char *words)
{
    const bool was_open = a->state == AGENTS_OPEN;
    const bool was_long = was_open && mono_diff(now, a->since) >= LONG_MS * NSEC_PER_MSEC;
    (void)close(a->fd);
    a->fd = -1;
    a->state = AGENTS_AWAY;
    a->again_ms = was_long ? 0 : a->again_ms;
    a->connect_at = mono_add_ms(now, a->again_ms);
    a->again_ms = a->again_ms == 0 ? FIRST_MS : MIN(2 * a->again_ms, (int64_t)AGAIN_MS);
    a->telling = a->blocked = false;
    a->ports.n = a->ports.whole ? a->ports.n : 0;
    plan_lost(&a->plan);
    agents_snaps_lost(a);
    agents_taps_session(a);
    if (was_open || words[0]) {
        agents_event(a, "agent.lost", NULL, "the session with whoever captures has ended%s%s",
                     words[0] ? ": " : "", words);
    }
}

static void call(struct agents *a, struct mono now)
{
    const struct rolemsg hello = {.type = ROLEMSG_HELLO, .version = ROLEMSG_VERSION};
    struct error err = {""};
    int fd = -1;
    if (now.ns < a->connect_at.ns) {
        return;
    }
    a->connect_at = mono_add_ms(now, AGAIN_MS);
    if (a->conf.ops->connect(a->conf.user, &fd, &err) < 0) {
        agents_say(a, &err);
        return;
    }
    a->fd = fd;
    a->state = AGENTS_CALLS;
    a->since = now;
    if (agents_send(a, &hello) < 0) {
        agents_lose(a, now, "");
    }
}

/* ---- what comes ---- */

static int hear_hello(struct agents *a, const struct rolemsg *m, struct mono now, struct error *err)
{
    if (a->state == AGENTS_OPEN) {
        return error_set(err, EBADMSG, "it said hello twice");
    }
    if (m->version != ROLEMSG_VERSION) {
        return error_set(err, EBADMSG, "it speaks version %u and not %d", m->version,
                         ROLEMSG_VERSION);
    }
    if (m->life == 0) {
        return error_set(err, EBADMSG, "its life has no number");
    }
    const bool is_new = a->life != m->life;
    if (is_new) {
        a->changed = true; /* less may be wanted of it than of its earlier lives */
        agents_was_born(a);
    }
    a->life = m->life;
    a->state = AGENTS_OPEN;
    a->since = now;
    plan_session(&a->plan, now);
    agents_taps_session(a);
    agents_event(a, "agent.connected", NULL, "%s",
                 is_new ? "whoever captures has started" : "whoever captures is there again");
    return 0;
}

static int hear(struct agents *a, const struct rolemsg *m, struct mono now, struct error *err)
{
    if (m->type == ROLEMSG_HELLO) {
        return hear_hello(a, m, now, err);
    }
    if (a->state != AGENTS_OPEN) {
        return error_set(err, EBADMSG, "it did not begin with a hello");
    }
    switch (m->type) {
    case ROLEMSG_APPLIED:
        plan_acknowledged(&a->plan, m->generation);
        return 0;
    case ROLEMSG_IS:
        agents_report(a, &m->is, now);
        return 0;
    case ROLEMSG_PORT:
        return agents_port(a, m, err);
    case ROLEMSG_PORTS:
        agents_ports_end(a, m);
        return 0;
    case ROLEMSG_SNAPPED:
        agents_snapped(a, m);
        return 0;
    case ROLEMSG_TAPPED:
        agents_tapped(a, m->generation);
        return 0;
    case ROLEMSG_TAP_IS:
        agents_tap_report(a, &m->tap_is);
        return 0;
    case ROLEMSG_TAP:
    case ROLEMSG_UNTAP:
    case ROLEMSG_TAPS:
    case ROLEMSG_HELLO:
    case ROLEMSG_WANT:
    case ROLEMSG_SNAPSHOT:
        break;
    }
    return error_set(err, EBADMSG, "it sent what only control sends");
}

static bool is_flood(struct agents *a, struct mono now)
{
    if (mono_diff(now, a->window) >= NSEC_PER_SEC) {
        a->window = now;
        a->in_window = 0;
    }
    return ++a->in_window > AGENTS_RATE;
}

/* One message: 1; 0: there is none now; -EPIPE: the end; -EBADMSG with a sentence. */
static int take(struct agents *a, struct mono now, struct error *err)
{
    uint8_t buf[WANTED_MESSAGE_MAX];
    struct rolemsg m;
    const ssize_t n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
    }
    if (n == 0) {
        return -EPIPE;
    }
    if (is_flood(a, now)) {
        return error_set(err, EBADMSG, "it sent more than %d messages in a second", AGENTS_RATE);
    }
    if ((size_t)n > sizeof(buf) || rolemsg_get(buf, (size_t)n, &m) < 0) {
        return error_set(err, EBADMSG, "it sent a message that is none");
    }
    const int r = hear(a, &m, now, err);
    return r < 0 ? r : 1;
}

void agents_session(struct agents *a, struct mono now)
{
    if (a->state == AGENTS_AWAY) {
        call(a, now);
    }
    for (unsigned i = 0; a->state != AGENTS_AWAY && i < AGENTS_AT_ONCE; i++) {
        struct error err = {""};
        const int r = take(a, now, &err);
        if (r == 0) {
            break;
        }
        if (r < 0) {
            agents_lose(a, now, err.text);
        }
    }
}

/* ---- what is told ---- */

static void cannot_tell(struct agents *a, int r, struct mono now)
{
    a->blocked = r == -EAGAIN;
    if (!a->blocked) {
        agents_lose(a, now, "");
    }
}

static int tell_one(struct agents *a, size_t place)
{
    const struct agents_wants *w = &a->wants;
    struct rolemsg m = {.type = ROLEMSG_WANT,
                        .generation = a->plan.generation,
                        .place = (uint16_t)place,
                        .n = (uint16_t)w->n};
    if (w->n > 0) {
        struct rd r = rd_make(w->at[place].body, w->at[place].len);
        if (wanted_get(&r, &m.wanted) < 0) {
            return -EBADMSG; /* never: wanted_put() wrote it */
        }
    }
    return agents_send(a, &m);
}

static void tell_captures(struct agents *a, struct mono now)
{
    if (!a->telling && !plan_due(&a->plan, now)) {
        return;
    }
    if (!a->telling || a->telling_generation != a->plan.generation) {
        a->telling = true;
        a->telling_generation = a->plan.generation;
        a->next = 0;
    }
    const size_t n = a->wants.n > 0 ? a->wants.n : 1;
    while (a->next < n) {
        const int r = tell_one(a, a->next);
        if (r < 0) {
            cannot_tell(a, r, now);
            return;
        }
        a->next++;
    }
    a->telling = false;
    agents_was_told(a);
    plan_told(&a->plan, now);
}

void agents_tell(struct agents *a, struct mono now)
{
    if (a->state != AGENTS_OPEN) {
        return;
    }
    a->blocked = false;
    tell_captures(a, now);
    if (a->state == AGENTS_OPEN && !a->blocked) {
        const int r = agents_taps_tell(a);
        if (r < 0) {
            cannot_tell(a, r, now);
        }
    }
}
