/* SPDX-License-Identifier: Apache-2.0 */
#include "model/amplify.h"

#include <string.h>

#include "base/cleanup.h"

#define BIN_NS (AMPLIFY_BIN_US * INT64_C(1000))

/* Of the bet: what is put each time; the least effect that counts, as (with - without) / both; and
 * how much of it may show the other way round at a delay near. */
static const double stake = 0.95, least_effect = 0.3, most_opposite = 0.6, clear_effect = 0.25;
/* Bytes of long frames and of datagrams are about as many when neither is less than this share of
 * the other. */
static const double about = 0.6;
/* By window, of the traffic that was found to be no loop's: half of it in 7 s. */
static const double fading = 0.99;

enum {
    NEAR = 16,       /* bins around a delay */
    MISSED_MS = 100, /* without a step an experiment is worth nothing */
    LOOKS = 100      /* the bet's worth at which an experiment is not broken off */
};

/* Random numbers without a state: the mixer of SplitMix64. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A coin for each slot, the same at every call. */
static bool coin(const struct amplify *a, uint64_t slot)
{
    return mix(a->seed + slot * UINT64_C(0x9e3779b97f4a7c15)) & 1;
}

/* The slot is none of the coin's: it goes on after so many pauses in a row. */
static bool forced(const struct amplify *a, uint64_t slot)
{
    for (uint64_t i = 1; i <= AMPLIFY_RUN; i++) {
        if (!coin(a, slot - i)) {
            return false;
        }
    }
    return true;
}

static bool is_pause(const struct amplify *a, uint64_t slot)
{
    return coin(a, slot) && !forced(a, slot);
}

/* In an experiment bins and slots are a->wide times as long. */
static uint64_t bin_at(const struct amplify *a, struct mono now)
{
    return (uint64_t)(now.ns / (BIN_NS * a->wide));
}

static uint64_t slot_at(const struct amplify *a, struct mono now)
{
    return bin_at(a, now) / AMPLIFY_SLOT_BINS;
}

void amplify_init(struct amplify *a, uint64_t seed, struct mono now)
{
    *a = (struct amplify){.seed = seed,
                          .wide = 1,
                          .at = now,
                          .window_at = now,
                          .rest = now,
                          .again = now,
                          .rest_ms = AMPLIFY_REST_MS,
                          .pause_ms = AMPLIFY_PAUSE_MS};
}

/* ---- arrivals ---- */

/* Frames since the last step, spread over the bins that it was. */
static void arrive(struct amplify *a, uint64_t frames, struct mono now)
{
    int64_t from = a->at.ns, span = now.ns - from;
    int64_t first = MAX(from / BIN_NS, now.ns / BIN_NS - AMPLIFY_BINS + 1);
    for (int64_t bin = first; bin <= now.ns / BIN_NS; bin++) {
        int64_t begin = MAX(from, bin * BIN_NS), end = MIN(now.ns, (bin + 1) * BIN_NS);
        double *in = &a->in[bin % AMPLIFY_BINS];
        if (bin != from / BIN_NS) {
            *in = 0;
        }
        if (span > 0) {
            *in += (double)frames * (double)(end - begin) / (double)span;
        }
    }
}

/* In the `n` bins up to this one. */
static double arrived(const struct amplify *a, uint64_t bin, unsigned n)
{
    double sum = 0;
    uint64_t last = (bin + 1) * a->wide - 1;
    for (unsigned i = 0; i < n * a->wide; i++) {
        sum += a->in[(last - i) % AMPLIFY_BINS];
    }
    return sum;
}

/* ---- the experiment ---- */

static void begin(struct amplify *a, bool limited, struct mono now)
{
    a->state = AMPLIFY_TEST;
    a->wide = a->unproven % 3 == 2 && !limited ? AMPLIFY_WIDE : 1;
    a->first = slot_at(a, now) + 1;
    a->slot = a->first - 1;
    a->done = a->first * AMPLIFY_SLOT_BINS - 1;
    memset(a->lag, 0, sizeof(a->lag));
    for (unsigned i = 0; i < AMPLIFY_LAGS; i++) {
        a->lag[i].bet = 1;
    }
}

/* It was no loop, or could not be told: the next one is not before that, and without a reason not
 * for longer. */
static void rest(struct amplify *a, struct mono now)
{
    double part = (double)(mix(~a->seed + a->slot) >> 11) / (double)(UINT64_C(1) << 53);
    a->state = AMPLIFY_WATCH;
    a->unproven++;
    a->rest = mono_add_ms(now, AMPLIFY_AGAIN_MS);
    a->again = mono_add_ms(now, (int64_t)((double)a->rest_ms * (0.2 + 1.6 * part)));
    a->rest_ms = MIN(a->rest_ms * 2, (int64_t)AMPLIFY_REST_MAX_MS);
}

/* The bin is over: with it end, at a quarter of the delays, the frames that came that much after
 * a slot. */
static void evaluate(struct amplify *a, uint64_t bin)
{
    double came = arrived(a, bin, AMPLIFY_SLOT_BINS);
    double lately = arrived(a, bin, AMPLIFY_REF_BINS) * AMPLIFY_SLOT_BINS / AMPLIFY_REF_BINS;
    for (uint64_t i = (bin + 1) % AMPLIFY_SLOT_BINS; i < AMPLIFY_LAGS; i += AMPLIFY_SLOT_BINS) {
        struct amplify_lag *lag = &a->lag[i];
        uint64_t slot = (bin + 1 - i) / AMPLIFY_SLOT_BINS - 1;
        if (bin + 1 - i < (a->first + 1) * AMPLIFY_SLOT_BINS || forced(a, slot)) {
            continue;
        }
        bool pause = is_pause(a, slot);
        double less = came + lately > 0 ? (lately - came) / (lately + came) : 0;
        double weight = a->weight[slot % AMPLIFY_WEIGHTS];
        lag->bet *= 1 + (pause ? stake : -stake) * weight * less;
        lag->sum[pause] += weight * came;
        lag->n[pause] += weight;
    }
}

/* A slot begins: what is put on it is the less the less there is to send or to keep back. That is
 * known before the coin. */
static void weigh(struct amplify *a, uint64_t waiting)
{
    double there = (double)waiting + arrived(a, a->done, AMPLIFY_SLOT_BINS);
    double lately = arrived(a, a->done, AMPLIFY_REF_BINS) * AMPLIFY_SLOT_BINS / AMPLIFY_REF_BINS;
    a->weight[a->slot % AMPLIFY_WEIGHTS] = lately > 0 ? MIN(1.0, 2 * there / lately) : 0;
}

/* How much less comes after pauses than otherwise: 1, if nothing does; below 0, if more does. */
static double effect(const struct amplify_lag *lag)
{
    double with = lag->n[0] > 0 ? lag->sum[0] / lag->n[0] : 0;
    double without = lag->n[1] > 0 ? lag->sum[1] / lag->n[1] : 0;
    return with + without > 0 ? (with - without) / (with + without) : 0;
}

/* The stakes on all delays, of which short ones are likelier, are one unit together. */
static double worth(const struct amplify *a, unsigned *ret_best)
{
    double sum = 0, all = 0;
    *ret_best = 0;
    for (unsigned i = 0; i < AMPLIFY_LAGS; i++) {
        double weight = 1.0 / (i + AMPLIFY_SLOT_BINS);
        sum += weight * a->lag[i].bet;
        all += weight;
        *ret_best = a->lag[i].bet > a->lag[*ret_best].bet ? i : *ret_best;
    }
    return sum / all;
}

static bool is_opposed(const struct amplify *a, unsigned best)
{
    double limit = -most_opposite * effect(&a->lag[best]);
    for (unsigned i = best > NEAR ? best - NEAR : 0; i < MIN(best + NEAR, AMPLIFY_LAGS); i++) {
        if (effect(&a->lag[i]) < limit) {
            return true;
        }
    }
    return false;
}

/* Nothing at any delay looks like a loop. */
static bool is_clear(const struct amplify *a)
{
    for (unsigned i = 0; i < AMPLIFY_LAGS; i++) {
        if (effect(&a->lag[i]) > clear_effect) {
            return false;
        }
    }
    return true;
}

static void prove(struct amplify *a, struct mono now)
{
    bool again = a->until.ns != 0 || (a->over.ns != 0 && !mono_due(now, a->over));
    a->pause_ms = again ? MIN(a->pause_ms * 2, (int64_t)AMPLIFY_PAUSE_MAX_MS) : AMPLIFY_PAUSE_MS;
    a->state = AMPLIFY_ENDED;
    a->until = mono_add_ms(now, a->pause_ms);
}

static void judge(struct amplify *a, struct mono now)
{
    unsigned best;
    double w = worth(a, &best);
    uint64_t slots = a->slot - a->first;
    if (w >= AMPLIFY_PROOF && effect(&a->lag[best]) >= least_effect && !is_opposed(a, best)) {
        prove(a, now);
    } else if ((slots >= AMPLIFY_SLOTS_MIN + AMPLIFY_LAGS / AMPLIFY_SLOT_BINS && is_clear(a)) ||
               (slots > AMPLIFY_SLOTS_MAX && w < LOOKS) || slots > AMPLIFY_SLOTS_END) {
        unsigned window = AMPLIFY_WINDOW_MS * 1000 / AMPLIFY_BIN_US / a->wide;
        a->cleared = MAX(a->cleared, arrived(a, a->done, window));
        rest(a, now);
    }
}

static void test(struct amplify *a, uint64_t waiting, struct mono now)
{
    for (; a->done + 1 < bin_at(a, now); a->done++) {
        evaluate(a, a->done + 1);
    }
    uint64_t slot = slot_at(a, now);
    if (slot != a->slot) {
        while (++a->slot < slot) { /* its begin was not seen */
            a->weight[a->slot % AMPLIFY_WEIGHTS] = 0;
        }
        weigh(a, waiting);
        judge(a, now);
    }
}

/* ---- suspicion ---- */

/* A window is over: `w` is what was in it. */
static void suspect(struct amplify *a, const struct amplify_seen *w, struct mono now)
{
    double in = (double)w->long_bytes, out = (double)w->sent_bytes;
    bool could = a->long_from > 0 && w->frames >= AMPLIFY_FRAMES &&
                 w->datagrams >= AMPLIFY_FRAMES && in >= about * out && out >= about * in;
    a->long_from = w->datagrams ? (uint32_t)(w->sent_bytes / w->datagrams / 2) : a->long_from;
    a->overflows = w->dropped > 0;
    a->cleared *= fading;
    if (a->cleared < AMPLIFY_FRAMES && mono_due(now, a->again)) {
        a->rest_ms = AMPLIFY_REST_MS;
        a->unproven = 0;
    }
    if (could && mono_due(now, a->rest) &&
        ((double)w->frames > 2 * a->cleared || mono_due(now, a->again))) {
        begin(a, w->limited, now);
    }
}

static void watch(struct amplify *a, const struct amplify_seen *seen, struct mono now)
{
    if (mono_due(now, a->until)) {
        a->until = (struct mono){0};
        a->over = mono_add_ms(now, AMPLIFY_MEMORY_MS);
    }
    if (mono_due(now, mono_add_ms(a->window_at, AMPLIFY_WINDOW_MS))) {
        const struct amplify_seen *from = &a->window;
        suspect(a,
                &(struct amplify_seen){.frames = seen->frames - from->frames,
                                       .dropped = seen->dropped - from->dropped,
                                       .long_bytes = seen->long_bytes - from->long_bytes,
                                       .datagrams = seen->datagrams - from->datagrams,
                                       .sent_bytes = seen->sent_bytes - from->sent_bytes,
                                       .limited = seen->limited},
                now);
        a->window = *seen;
        a->window_at = now;
    }
}

/* The pause is over: it is tried whether the loop is, as if nothing were known. */
static void try_again(struct amplify *a, const struct amplify_seen *seen, struct mono now)
{
    a->state = AMPLIFY_WATCH;
    a->until = mono_add_ms(now, AMPLIFY_TRIAL_MS);
    a->rest = a->again = now;
    a->cleared = 0;
    a->window = *seen;
    a->window_at = now;
}

void amplify_step(struct amplify *a, const struct amplify_seen *seen, struct mono now)
{
    bool missed = mono_due(now, mono_add_ms(a->at, MISSED_MS));
    a->overflows |= seen->dropped > a->dropped && !amplify_pauses(a);
    a->pressed = seen->pressed;
    a->dropped = seen->dropped;
    arrive(a, seen->frames - a->frames, now);
    a->frames = seen->frames;
    a->at = now;
    switch (a->state) {
    case AMPLIFY_WATCH:
        watch(a, seen, now);
        break;
    case AMPLIFY_TEST:
        if (missed) {
            rest(a, now);
        } else {
            test(a, seen->frames - seen->dropped - seen->read, now);
        }
        a->window = *seen;
        a->window_at = now;
        break;
    case AMPLIFY_ENDED:
        if (mono_due(now, a->until)) {
            try_again(a, seen, now);
        }
        break;
    }
}

bool amplify_testing(const struct amplify *a)
{
    return a->state == AMPLIFY_TEST;
}

bool amplify_pauses(const struct amplify *a)
{
    return a->state == AMPLIFY_TEST && (a->overflows || !a->pressed) &&
           is_pause(a, slot_at(a, a->at));
}

bool amplify_drops(const struct amplify *a)
{
    return a->state == AMPLIFY_ENDED;
}

bool amplify_told(const struct amplify *a)
{
    return a->until.ns != 0;
}

uint32_t amplify_long_from(const struct amplify *a)
{
    return a->long_from;
}
