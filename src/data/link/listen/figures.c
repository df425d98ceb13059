/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap as a whole, as the collector can tell of it: the frames and bytes that it sent and that
 * came, its state, and what its events say of its limit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"

/* `mine` before `its`: a frame is never received before it is known to be sent. */
static void add(struct listener_traffic *t, const struct ledger *mine, const struct ledger *its,
                uint64_t *sent_in_life)
{
    t->frames_received += ledger_get(mine, LEDGER_RX_OUT);
    t->frames_sent += ledger_get(mine, LEDGER_RX_IN);
    t->bytes_received += ledger_get(mine, LEDGER_RX_BYTES);
    t->bytes_sent += ledger_get(its, LEDGER_TX_BYTES);
    t->restarts += ledger_get(its, LEDGER_RING_REOPENED);
    *sent_in_life += ledger_get(its, LEDGER_TX_OUT);
}

void listener_traffic(const struct peer *t, struct listener_traffic *ret)
{
    uint64_t in_life = 0;
    *ret = (struct listener_traffic){.frames_missing_most = t->frames_missing_most,
                                     .bytes_missing_most = t->bytes_missing_most};
    for (unsigned i = 0; i < t->n_points; i++) {
        add(ret, &t->point[i]->ledger, &t->point[i]->reported, &in_life);
    }
    if (t->past) {
        add(ret, &t->past->rx, &t->past->reported, &in_life);
    }
    ret->frames_missing = ret->frames_sent - MIN(ret->frames_received, ret->frames_sent);
    ret->frames_missing_most = MAX(ret->frames_missing_most, ret->frames_missing);
    ret->bytes_known = in_life <= ret->frames_sent;
    if (ret->bytes_known) {
        ret->bytes_missing = ret->bytes_sent - MIN(ret->bytes_received, ret->bytes_sent);
        ret->bytes_missing_most = MAX(ret->bytes_missing_most, ret->bytes_missing);
    }
}

void listener_traffic_note(struct peer *t)
{
    struct listener_traffic now;
    listener_traffic(t, &now);
    t->frames_missing_most = now.frames_missing_most;
    t->bytes_missing_most = now.bytes_missing_most;
}

/* The number is the last one of the words (node/limiter.c). */
static void note_breaches(struct peer *t, const char *words)
{
    const char *at = strrchr(words, ',');
    t->breaches = at ? strtoull(at + 1, NULL, 10) : t->breaches;
}

/* The step's words are those between the quotation marks behind "to" (node/limiter.c). */
void listener_limit_note(struct peer *t)
{
    static const char mark[] = "\" to \"";
    const struct history_event *e = t->history.n ? history_at(&t->history, t->history.n - 1) : NULL;
    const char *at = e && e->kind == HISTORY_LIMIT_RUNG ? strstr(e->words, mark) : NULL;
    if (e && e->kind == HISTORY_LIMIT_BREACH) {
        note_breaches(t, e->words);
    }
    if (at) {
        at += sizeof(mark) - 1;
        snprintf(t->rung, sizeof(t->rung), "%.*s", (int)strcspn(at, "\""), at);
    }
}

enum listener_state listener_state(const struct peer *t, struct mono now)
{
    if (t->session && !t->session->closing) {
        return mono_due(now, mono_add_ms(t->heard, LISTENER_SILENT_MS)) ? LISTENER_SILENT
                                                                        : LISTENER_UP;
    }
    return t->end;
}

const char *listener_state_word(enum listener_state state)
{
    static const char *const words[] = {[LISTENER_SILENT] = "silent",
                                        [LISTENER_UP] = "up",
                                        [LISTENER_LIMITED] = "stopped-by-limit",
                                        [LISTENER_IDLE] = "stopped-by-idle",
                                        [LISTENER_REVOKED] = "revoked",
                                        [LISTENER_ENDED] = "ended"};
    return words[state];
}
