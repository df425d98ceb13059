/* SPDX-License-Identifier: Apache-2.0 */
#include "model/uplink.h"

void uplink_init(struct uplink *u, uint32_t seed)
{
    *u = (struct uplink){.state = UPLINK_IDLE, .random = seed | 1};
}

/* The one place where the state changes. */
static unsigned enter(struct uplink *u, enum uplink_state state, struct mono deadline,
                      unsigned actions)
{
    u->state = state;
    u->deadline = deadline;
    u->refused = u->cookie = false;
    return actions;
}

/* Of [0, n]; xorshift is random enough for jitter. */
static int64_t jitter(struct uplink *u, int64_t n)
{
    u->random ^= u->random << 13;
    u->random ^= u->random >> 17;
    u->random ^= u->random << 5;
    return (int64_t)(u->random % (uint32_t)(n + 1));
}

/* Doubles with each failure, plus or minus a quarter. */
static int64_t backoff_ms(struct uplink *u)
{
    unsigned doublings = u->failures > 1 ? u->failures - 1 : 0;
    int64_t ms = UPLINK_BACKOFF_MAX_MS;
    if (doublings < 5) {
        ms = (int64_t)UPLINK_BACKOFF_MS << doublings;
    }
    return ms - ms / 4 + jitter(u, ms / 2);
}

static unsigned fail(struct uplink *u, struct mono now)
{
    u->failures++;
    return enter(u, UPLINK_WAIT, mono_add_ms(now, backoff_ms(u)), UPLINK_DO_FORGET);
}

static unsigned resolve(struct uplink *u)
{
    /* The caller answers in its own time: with RESOLVED or RESOLVE_FAILED. */
    return enter(u, UPLINK_RESOLVE, (struct mono){0}, UPLINK_DO_RESOLVE);
}

static unsigned send_in(struct uplink *u, enum uplink_state state, struct mono now, unsigned action)
{
    u->tries = u->state == state ? u->tries + 1 : 1;
    int64_t wait = (int64_t)UPLINK_TRY_MS << (u->tries - 1);
    return enter(u, state, mono_add_ms(now, wait), action);
}

/* The state's deadline has passed. */
static unsigned try_again(struct uplink *u, struct mono now)
{
    switch (u->state) {
    case UPLINK_WAIT:
        return resolve(u);
    case UPLINK_HELLO:
        return u->tries < UPLINK_TRIES ? send_in(u, UPLINK_HELLO, now, UPLINK_DO_HELLO)
                                       : fail(u, now);
    case UPLINK_CONFIRM:
        return u->tries < UPLINK_TRIES ? send_in(u, UPLINK_CONFIRM, now, UPLINK_DO_CONFIRM)
                                       : fail(u, now);
    case UPLINK_INFO:
        return u->tries < UPLINK_TRIES ? send_in(u, UPLINK_INFO, now, UPLINK_DO_INFO)
                                       : fail(u, now);
    case UPLINK_IDLE:
    case UPLINK_RESOLVE:
    default:
        return 0;
    }
}

static unsigned timed_out(struct uplink *u, struct mono now)
{
    unsigned say = u->refused ? UPLINK_DO_SAY : 0;
    return say | try_again(u, now);
}

/* Sets whether the session is in doubt. */
static unsigned hold(struct uplink *u, bool held)
{
    if (u->held == held) {
        return 0;
    }
    u->held = held;
    return held ? UPLINK_DO_HOLD : UPLINK_DO_GO;
}

/* The session is over; what its doubt was is, too. */
static unsigned down(struct uplink *u)
{
    u->up = u->held = false;
    return UPLINK_DO_DOWN;
}

static unsigned tick_session(struct uplink *u, struct mono now)
{
    if (u->up && (mono_due(now, mono_add_ms(u->heard, UPLINK_DEAD_MS)) ||
                  mono_due(now, mono_add_ms(u->keyed, UPLINK_KEY_MAX_MS)))) {
        unsigned actions = down(u);
        /* INFO spoke of the session that is over: its acknowledgment must not bring that back. */
        if (u->state == UPLINK_IDLE || u->state == UPLINK_INFO) {
            actions |= UPLINK_DO_FORGET | resolve(u);
        }
        return actions;
    }
    if (u->up && u->state == UPLINK_IDLE && mono_due(now, mono_add_ms(u->keyed, u->rekey_ms))) {
        /* The socket is there and works: the same flow carries the new handshake. */
        return send_in(u, UPLINK_HELLO, now, UPLINK_DO_HELLO);
    }
    return mono_due(now, u->deadline) ? timed_out(u, now) : 0;
}

static unsigned tick(struct uplink *u, struct mono now)
{
    unsigned actions = tick_session(u, now);
    if (u->up && mono_due(now, mono_add_ms(u->heard, UPLINK_HOLD_MS))) {
        actions |= hold(u, true);
    }
    return actions;
}

static unsigned suspect(struct uplink *u, struct mono now)
{
    if (!u->up || u->held ||
        (u->doubted.ns != 0 && !mono_due(now, mono_add_ms(u->doubted, UPLINK_SUSPECT_MS)))) {
        return 0;
    }
    u->doubted = now;
    return hold(u, true);
}

static unsigned hint(struct uplink *u, struct mono now)
{
    unsigned actions = suspect(u, now);
    if (u->state != UPLINK_IDLE ||
        (u->hinted.ns != 0 && !mono_due(now, mono_add_ms(u->hinted, UPLINK_HINT_MS)))) {
        return actions;
    }
    u->hinted = now;
    return actions | send_in(u, UPLINK_HELLO, now, UPLINK_DO_HELLO);
}

/* Once a try: whoever is on the path could send cookies for ever. The deadline stays. */
static unsigned cookie(struct uplink *u)
{
    if (u->state != UPLINK_HELLO || u->cookie) {
        return 0;
    }
    u->cookie = true;
    return UPLINK_DO_HELLO;
}

static unsigned closed(struct uplink *u, struct mono now)
{
    if (!u->up) {
        return 0;
    }
    return down(u) | fail(u, now); /* it will not answer at once */
}

static unsigned acknowledged(struct uplink *u, bool resumed, struct mono now)
{
    unsigned actions = UPLINK_DO_REKEY;
    if (!u->up) {
        actions = UPLINK_DO_UP;
    } else if (!resumed) {
        actions = down(u) | UPLINK_DO_UP; /* the collector had forgotten the session */
    } else {
        actions |= hold(u, false);
    }
    u->up = true;
    u->failures = 0;
    u->heard = u->keyed = now;
    u->rekey_ms = UPLINK_REKEY_MS - jitter(u, UPLINK_REKEY_JITTER_MS);
    return enter(u, UPLINK_IDLE, (struct mono){0}, actions);
}

static struct mono later(struct mono a, struct mono b)
{
    return a.ns > b.ns ? a : b;
}

unsigned uplink_step(struct uplink *u, enum uplink_event event, struct mono now)
{
    switch (event) {
    case UPLINK_START:
        return u->state == UPLINK_IDLE && !u->up ? resolve(u) : 0;
    case UPLINK_TICK:
        return tick(u, now);
    case UPLINK_RESOLVED:
        return u->state == UPLINK_RESOLVE ? send_in(u, UPLINK_HELLO, now, UPLINK_DO_HELLO) : 0;
    case UPLINK_RESOLVE_FAILED:
        return u->state == UPLINK_RESOLVE ? fail(u, now) : 0;
    case UPLINK_COOKIE:
        return cookie(u);
    case UPLINK_ANSWER:
        return u->state == UPLINK_HELLO     ? send_in(u, UPLINK_CONFIRM, now, UPLINK_DO_CONFIRM)
               : u->state == UPLINK_CONFIRM ? UPLINK_DO_CONFIRM /* the first may be forged */
                                            : 0;
    case UPLINK_ACCEPTED:
        return u->state == UPLINK_HELLO || u->state == UPLINK_CONFIRM
                   ? send_in(u, UPLINK_INFO, now, UPLINK_DO_INFO)
                   : 0;
    case UPLINK_ACK_NEW:
    case UPLINK_ACK_RESUMED:
        return u->state == UPLINK_INFO ? acknowledged(u, event == UPLINK_ACK_RESUMED, now) : 0;
    case UPLINK_FAILED:
        return u->state >= UPLINK_HELLO ? fail(u, now) : 0;
    case UPLINK_REFUSED:
        u->refused |= u->state >= UPLINK_HELLO;
        return 0;
    case UPLINK_HINT:
        return hint(u, now);
    case UPLINK_SUSPECT:
        return suspect(u, now);
    case UPLINK_DOUBT:
        return u->up ? hold(u, true) : 0;
    case UPLINK_HEARD:
        u->heard = now;
        return 0;
    case UPLINK_PROVEN:
        return hold(u, false);
    case UPLINK_MOVED: /* looking for it may have taken seconds */
        u->heard = later(u->heard, mono_add_ms(now, UPLINK_MOVED_MS - UPLINK_DEAD_MS));
        return 0;
    case UPLINK_CLOSED:
        return closed(u, now);
    default:
        return 0;
    }
}

struct mono uplink_next(const struct uplink *u)
{
    struct mono next = u->deadline;
    if (u->up) {
        next = mono_earlier(next, mono_add_ms(u->heard, UPLINK_DEAD_MS));
        next = mono_earlier(next, mono_add_ms(u->keyed, UPLINK_KEY_MAX_MS));
        if (!u->held) {
            next = mono_earlier(next, mono_add_ms(u->heard, UPLINK_HOLD_MS));
        }
        if (u->state == UPLINK_IDLE) {
            next = mono_earlier(next, mono_add_ms(u->keyed, u->rekey_ms));
        }
    }
    return next;
}

const char *uplink_words(const struct uplink *u)
{
    if (u->up) {
        return u->held ? "waiting for a sign of life" : "up";
    }
    switch (u->state) {
    case UPLINK_WAIT:
        return "waiting to retry";
    case UPLINK_RESOLVE:
        return "looking the collector up";
    case UPLINK_HELLO:
        return "waiting for an answer";
    case UPLINK_CONFIRM:
    case UPLINK_INFO:
        return "shaking hands";
    case UPLINK_IDLE:
    default:
        return "not started";
    }
}
