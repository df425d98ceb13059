/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ledger.h"

#include <string.h>

static const struct ledger_info table[LEDGER_COUNT] = {
#define X(id, stage, kind, key, words) [LEDGER_##id] = {LEDGER_##stage, LEDGER_##kind, key, words},
    LEDGER_TABLE(X)
#undef X
};

static const struct {
    const char *name, *words;
    enum ledger_drops drops;
} stages[LEDGER_STAGE_COUNT] = {
#define X(id, name, words, drops) [LEDGER_##id] = {name, words, LEDGER_##drops},
    LEDGER_STAGE_TABLE(X)
#undef X
};

const struct ledger_info *ledger_info(enum ledger_id id)
{
    return &table[id];
}

const char *ledger_stage_name(enum ledger_stage stage)
{
    return stage < LEDGER_STAGE_COUNT ? stages[stage].name : "?";
}

const char *ledger_stage_words(const char *name)
{
    for (unsigned i = 0; i < LEDGER_STAGE_COUNT; i++) {
        if (strcmp(stages[i].name, name) == 0) {
            return stages[i].words;
        }
    }
    return name;
}

enum ledger_drops ledger_stage_drops(enum ledger_stage stage)
{
    return stages[stage].drops;
}

static bool has_counted(const struct ledger *l, enum ledger_stage stage)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        if (table[i].stage == stage && ledger_get(l, (enum ledger_id)i) > 0) {
            return true;
        }
    }
    return false;
}

static void way_add(struct ledger_way *way, enum ledger_stage stage)
{
    way->at[way->n++] = (uint8_t)stage;
}

struct ledger_way ledger_way_tap(const struct ledger *l)
{
    struct ledger_way way = {3, {LEDGER_RING, LEDGER_SELECT, LEDGER_CUT}};
    if (has_counted(l, LEDGER_STAGES)) {
        way_add(&way, LEDGER_STAGES);
    }
    if (has_counted(l, LEDGER_LIMIT)) {
        way_add(&way, LEDGER_LIMIT);
    }
    way_add(&way, LEDGER_LINK_TX);
    return way;
}

static struct ledger_way way_from(const struct ledger *l, enum ledger_stage first)
{
    struct ledger_way way = {1, {(uint8_t)first}};
    if (has_counted(l, LEDGER_STAGES_RX)) {
        way_add(&way, LEDGER_STAGES_RX);
    }
    return way;
}

struct ledger_way ledger_way_collector(const struct ledger *l)
{
    return way_from(l, LEDGER_LINK_RX);
}

struct ledger_way ledger_way_mirror(const struct ledger *l)
{
    return way_from(l, LEDGER_MIRROR);
}

static void publish_stage(struct ledger *to, const struct ledger *from, unsigned stage)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        if (table[i].stage == stage) {
            ledger_set(to, (enum ledger_id)i, ledger_get(from, (enum ledger_id)i));
        }
    }
}

void ledger_publish(struct ledger *to, const struct ledger *from, const struct ledger_way *way)
{
    for (unsigned k = 0; k < way->n; k++) {
        publish_stage(to, from, way->at[k]);
    }
}

void ledger_copy(struct ledger *to, const struct ledger *from)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(to, (enum ledger_id)i, ledger_get(from, (enum ledger_id)i));
    }
}

void ledger_add_up(struct ledger *to, const struct ledger *from)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const enum ledger_id id = (enum ledger_id)i;
        ledger_set(to, id, ledger_plus(ledger_get(to, id), ledger_get(from, id)));
    }
}

int ledger_way_place(const struct ledger_way *way, enum ledger_stage stage)
{
    for (int k = 0; k < way->n; k++) {
        if (way->at[k] == stage) {
            return k;
        }
    }
    return -1;
}

static uint64_t out_of(const struct ledger *l, enum ledger_stage stage)
{
    uint64_t out = 0;
    for (unsigned i = LEDGER_COUNT; i-- > 0;) {
        if (table[i].stage == stage && table[i].kind == LEDGER_OUT) {
            out += ledger_get(l, (enum ledger_id)i);
        }
    }
    return out;
}

struct ledger_sum ledger_sum(const struct ledger *l, const struct ledger_way *way,
                             enum ledger_stage stage)
{
    struct ledger_sum s = {0};
    bool in = false;
    for (unsigned i = LEDGER_COUNT; i-- > 0;) { /* IN stands first in its stage: read it last */
        if (table[i].stage != stage) {
            continue;
        }
        uint64_t v = ledger_get(l, (enum ledger_id)i);
        if (table[i].kind == LEDGER_IN) {
            s.in = v;
            in = true;
        } else if (table[i].kind == LEDGER_OUT) {
            s.out += v;
        } else if (table[i].kind == LEDGER_MADE) {
            s.made += v;
        } else if (table[i].kind == LEDGER_ASIDE) {
            s.aside += v;
        } else if (table[i].kind == LEDGER_DROP) {
            s.dropped += v;
        }
    }
    if (!in) {
        const struct ledger_way usual = way ? *way : ledger_way_tap(l);
        const int place = ledger_way_place(&usual, stage);
        s.in = place > 0 ? out_of(l, (enum ledger_stage)usual.at[place - 1]) : 0;
    }
    s.in_flight = (int64_t)(s.in + s.made - s.out - s.aside - s.dropped);
    return s;
}
