/* SPDX-License-Identifier: Apache-2.0
 *
 * The replay window (the sliding bitmap of RFC 6479, section 2): each counter is accepted once, and
 * none that lies further back than the window. Asked only about records whose tag was right.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    REPLAY_WORDS = 32,
    REPLAY_WINDOW = (REPLAY_WORDS - 1) * 64, /* counters behind the highest that are remembered */
};

struct replay {
    uint64_t top; /* highest counter accepted + 1; 0: none yet */
    uint64_t bits[REPLAY_WORDS];
};

/* True when the counter is new: it is then marked as seen. */
static inline bool replay_accept(struct replay *w, uint64_t counter)
{
    if (counter == UINT64_MAX || counter + REPLAY_WINDOW < w->top) {
        return false;
    }
    uint64_t word = counter / 64;
    if (counter >= w->top) {
        uint64_t from = w->top ? (w->top - 1) / 64 : 0;
        uint64_t steps = w->top ? word - from : REPLAY_WORDS;
        if (steps > REPLAY_WORDS) {
            steps = REPLAY_WORDS;
        }
        for (uint64_t i = 0; i < steps; i++) {
            w->bits[(word - i) % REPLAY_WORDS] = 0;
        }
        w->top = counter + 1;
    }
    uint64_t bit = UINT64_C(1) << counter % 64;
    uint64_t *at = &w->bits[word % REPLAY_WORDS];
    bool fresh = !(*at & bit);
    *at |= bit;
    return fresh;
}
