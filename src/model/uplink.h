/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's connection to its collector as a pure state machine: events and the time go in, actions
 * come out; sockets, cryptography and clocks are its caller's.
 *
 *          START                RESOLVED            ANSWER          ACCEPTED          INFO_ACKED
 *   WAIT ---------> RESOLVE ---------------> HELLO --------> CONFIRM --------> INFO ----------->
 * IDLE ^                 |                       |                |                | (session up)
 *    +-----------------+-----------------------+----------------+----------------+
 *               failed, or no answer after all tries: back-off with jitter
 *
 * The states are those of a handshake; whether a session is up is apart from them, for in a session
 * a new handshake is made before its key is too old (re-keying), and the old session carries frames
 * until the new key is there. A session ends when nothing was heard of the collector for DEAD_MS,
 * or when a new handshake shows that the collector has forgotten it. Before that comes a state of
 * doubt, "held": after HOLD_MS of silence, twice what a report takes, data threads keep new frames
 * instead of sending them into what may be nothing. The caller has two reasons of its own: frames
 * do not arrive though reports do (model/arrival.h), and a clock that has jumped, so that this end
 * stood still and knows nothing of the time since. A doubt ends when something that was sent after
 * its beginning is answered: a word of the collector alone says nothing of the way to it.
 *
 * A message that no key protects is only a hint. "No such session" hastens a handshake; a refusal
 * of the handshake is told to the user when the collector's real answer did not follow within the
 * try, but the tries go on: whoever can forge the one cannot keep the tap from the other. Both "no
 * such session" and "port unreachable" raise doubt at once, but not twice within SUSPECT_MS, so
 * that a forger can make frames late and not stop them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    UPLINK_TRY_MS = 500,      /* first wait for an answer; doubled at each try */
    UPLINK_TRIES = 4,         /* messages of one kind before the handshake is given up */
    UPLINK_BACKOFF_MS = 1000, /* first wait between handshakes; doubled, plus or minus a quarter */
    UPLINK_BACKOFF_MAX_MS = 30000,
    UPLINK_REKEY_MS = 110000,       /* a key's age at which the next one is negotiated, … */
    UPLINK_REKEY_JITTER_MS = 10000, /* … or up to so much earlier: taps that came all at once are
                                     * to spread */
    UPLINK_KEY_MAX_MS = 180000,     /* no frame is sent under a key older than this */
    UPLINK_DEAD_MS = 5000,          /* silence after which the session is over */
    UPLINK_HOLD_MS = 2200,     /* silence after which it is in doubt: two reports did not come */
    UPLINK_SUSPECT_MS = 10000, /* at most one doubt in this time for unproven reasons */
    UPLINK_MOVED_MS = 2000,    /* at least so long it is listened for at another address */
    UPLINK_HINT_MS = 1000,     /* at most one handshake in this time because of hints */
};

enum uplink_state {
    UPLINK_IDLE, /* no handshake under way */
    UPLINK_WAIT,
    UPLINK_RESOLVE,
    UPLINK_HELLO,
    UPLINK_CONFIRM,
    UPLINK_INFO,
};

enum uplink_event {
    UPLINK_START,
    UPLINK_TICK,
    UPLINK_RESOLVED, /* a socket to the collector is there */
    UPLINK_RESOLVE_FAILED,
    UPLINK_COOKIE,      /* the collector wants a HELLO with a cookie, which is there */
    UPLINK_ANSWER,      /* a valid ANSWER that wants a CONFIRM */
    UPLINK_ACCEPTED,    /* the handshake is complete: keys are there */
    UPLINK_ACK_NEW,     /* INFO was acknowledged as a new session */
    UPLINK_ACK_RESUMED, /* INFO was acknowledged as going on */
    UPLINK_FAILED,      /* the handshake came to nothing at this end */
    UPLINK_REFUSED,     /* an unproven refusal of this handshake */
    UPLINK_HINT,        /* an unproven "no such session" */
    UPLINK_SUSPECT,     /* an unproven "port unreachable" */
    UPLINK_DOUBT,       /* frames do not arrive, or this end stood still for a while */
    UPLINK_HEARD,       /* an authentic record of the session came */
    UPLINK_PROVEN,      /* one that answers what was sent after the doubt began */
    UPLINK_MOVED,       /* the collector may be heard at another address now: once in a silence */
    UPLINK_CLOSED,      /* and it says that the collector ends the session */
};

/* Actions: a set of bits, to be carried out in this order. */
enum uplink_action {
    UPLINK_DO_DOWN = 1 << 0,    /* the session is over: data threads stop sending */
    UPLINK_DO_RESOLVE = 1 << 1, /* look the collector's name up and make a socket */
    UPLINK_DO_HELLO = 1 << 2,   /* begin a handshake with fresh ephemeral keys and send HELLO */
    UPLINK_DO_CONFIRM = 1 << 3, /* send CONFIRM */
    UPLINK_DO_INFO = 1 << 4,    /* send INFO under the new key */
    UPLINK_DO_UP = 1 << 5,      /* a new session: data threads begin with the new key */
    UPLINK_DO_REKEY = 1 << 6,   /* data threads go on with the new key */
    UPLINK_DO_FORGET = 1 << 7,  /* drop the half-made handshake */
    UPLINK_DO_SAY = 1 << 8,     /* tell the refusal: no better answer came */
    UPLINK_DO_HOLD = 1 << 9,    /* data threads keep frames back; DOWN ends that too */
    UPLINK_DO_GO = 1 << 10,     /* and send them */
};

struct uplink {
    enum uplink_state state;
    bool up;
    bool held;            /* the session is in doubt */
    bool refused;         /* a refusal came in this try */
    bool cookie;          /* HELLO was sent again for a cookie in this try */
    unsigned tries;       /* messages sent in this state */
    unsigned failures;    /* handshakes failed in a row */
    struct mono deadline; /* of the state; "never" in IDLE */
    struct mono heard;    /* last sign of life in the session */
    struct mono keyed;    /* when the session's key was made */
    int64_t rekey_ms;     /* its age at which the next is negotiated */
    struct mono hinted;   /* last handshake begun by a hint */
    struct mono doubted;  /* last time that it was held for an unproven reason */
    uint32_t random;      /* state of the jitter's generator */
};

/* `seed` makes the jitter: random, so that taps do not come back all at once. */
void uplink_init(struct uplink *u, uint32_t seed);
/* Returns the actions. */
unsigned uplink_step(struct uplink *u, enum uplink_event event, struct mono now);
/* When a TICK is wanted next. */
struct mono uplink_next(const struct uplink *u);
/* For people: "waiting to retry", "up", … */
const char *uplink_words(const struct uplink *u);
