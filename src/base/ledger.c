/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ledger.h"

static const struct ledger_info table[LEDGER_COUNT] = {
#define X(id, stage, kind, key, words) [LEDGER_##id] = {LEDGER_##stage, LEDGER_##kind, key, words},
    LEDGER_TABLE(X)
#undef X
};

const struct ledger_info *ledger_info(enum ledger_id id)
{
    return &table[id];
}

const char *ledger_stage_name(enum ledger_stage stage)
{
    static const char *const names[LEDGER_STAGES] = {
        [LEDGER_RING] = "ring",       [LEDGER_SELECT] = "select",   [LEDGER_CUT] = "cut",
        [LEDGER_LINK_TX] = "link_tx", [LEDGER_LINK_RX] = "link_rx", [LEDGER_SINK] = "sink",
    };
    return stage < LEDGER_STAGES ? names[stage] : "?";
}

void ledger_publish(struct ledger *to, const struct ledger *from)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(to, (enum ledger_id)i, ledger_get(from, (enum ledger_id)i));
    }
}

void ledger_add_up(struct ledger *to, const struct ledger *from)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        uint64_t have = ledger_get(to, (enum ledger_id)i),
                 more = ledger_get(from, (enum ledger_id)i);
        bool fits = have < LEDGER_MOST && more < LEDGER_MOST - have;
        ledger_set(to, (enum ledger_id)i, fits ? have + more : LEDGER_MOST);
    }
}

struct ledger_sum ledger_sum(const struct ledger *l, enum ledger_stage stage)
{
    struct ledger_sum s = {0};
    int in = -1;
    for (unsigned i = LEDGER_COUNT; i-- > 0;) { /* IN stands first in its stage: read it last */
        if (table[i].stage != stage) {
            continue;
        }
        uint64_t v = ledger_get(l, (enum ledger_id)i);
        if (table[i].kind == LEDGER_IN) {
            s.in = v;
            in = (int)i;
        } else if (table[i].kind == LEDGER_OUT) {
            s.out += v;
        } else if (table[i].kind == LEDGER_MADE) {
            s.made += v;
        } else if (table[i].kind == LEDGER_DROP) {
            s.dropped += v;
        }
    }
    if (in < 0 && stage > 0) {
        s.in = ledger_sum(l, (enum ledger_stage)(stage - 1)).out;
    }
    s.in_flight = (int64_t)(s.in + s.made - s.out - s.dropped);
    return s;
}
