/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ladder.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    LEARN_BYTES = 64 << 10, /* a second */
};

/* ---- the steps ---- */

static void add_step(struct ladder *l, struct ladder_step s)
{
    l->step[l->n_steps++] = s;
}

/* Rungs add up: each step has all of the one before, but that flow records tell of all frames. */
static void make_steps(struct ladder *l)
{
    struct ladder_step s = {0};
    l->n_steps = 0;
    add_step(l, s);
    for (unsigned i = 0; i < l->conf.n; i++) {
        if (l->conf.rung[i] == LADDER_SAMPLE) {
            while (s.halvings < LADDER_HALVINGS) {
                s.halvings++;
                add_step(l, s);
            }
        } else if (l->conf.rung[i] == LADDER_FLOWS) {
            s = (struct ladder_step){.flows = true};
            add_step(l, s);
        } else {
            s.headers |= l->conf.rung[i] == LADDER_HEADERS;
            s.count |= l->conf.rung[i] == LADDER_COUNT;
            add_step(l, s);
        }
    }
}

void ladder_init(struct ladder *l, const struct ladder_conf *conf)
{
    *l = (struct ladder){.conf = *conf};
    make_steps(l);
}

void ladder_set(struct ladder *l, const struct ladder_conf *conf)
{
    const bool same = conf->n == l->conf.n &&
                      memcmp(conf->rung, l->conf.rung, conf->n * sizeof(conf->rung[0])) == 0;
    if (!same) {
        ladder_init(l, conf);
        return;
    }
    l->conf = *conf;
    memset(l->fits, 0, sizeof(l->fits));
}

const struct ladder_step *ladder_at(const struct ladder *l)
{
    return &l->step[l->at];
}

void ladder_words(const struct ladder_step *step, char ret[48])
{
    const char *first = step->count     ? "counters only"
                        : step->flows   ? "flow records"
                        : step->headers ? "headers"
                                        : "";
    int n = snprintf(ret, 48, "%s", first);
    if (step->halvings > 0 && !step->count && !step->flows) {
        n += snprintf(ret + n, 48 - (size_t)n, "%s1 flow in %u", n > 0 ? ", " : "",
                      1u << step->halvings);
    }
    if (n == 0) {
        snprintf(ret, 48, "full");
    }
}

/* ---- the costs ---- */

/* The sample that is at least so old, or the oldest. */
static unsigned sample_before(const struct ladder *l, int64_t ms)
{
    const struct mono now = l->sample[l->newest].at;
    unsigned i = l->newest;
    for (unsigned k = 1; k < l->n_samples && mono_diff(now, l->sample[i].at) < ms * NSEC_PER_MSEC;
         k++) {
        i = (i + LADDER_SAMPLES - 1) % LADDER_SAMPLES;
    }
    return i;
}

static uint64_t a_second(uint64_t n, int64_t ns)
{
    return ns > 0 ? (uint64_t)((unsigned __int128)n * NSEC_PER_SEC / (uint64_t)ns) : 0;
}

/* Bytes a second of the step, by the frames of the last `ms`. */
static uint64_t cost(const struct ladder *l, const struct ladder_step *step, int64_t ms)
{
    const unsigned from = sample_before(l, ms);
    const struct ladder_seen *a = &l->sample[from].seen, *b = &l->sample[l->newest].seen;
    uint64_t bytes = b->control - a->control;
    bytes += step->flows && !step->count ? b->flows - a->flows : 0;
    for (unsigned k = step->halvings; k <= LADDER_HALVINGS && !step->count && !step->flows; k++) {
        bytes += b->bytes[step->headers][k] - a->bytes[step->headers][k];
    }
    return a_second(bytes, mono_diff(l->sample[l->newest].at, l->sample[from].at));
}

static uint64_t percent(uint64_t v, unsigned of)
{
    return v / 100 * of;
}

/* Does the step cost no more than so many percent of the rate? */
static bool is_within(const struct ladder *l, unsigned step, unsigned of, int64_t ms)
{
    return l->conf.rate == 0 || cost(l, &l->step[step], ms) <= percent(l->conf.rate, of);
}

/* Nanoseconds of processor time a second, over the last one. */
static uint64_t cpu_used(const struct ladder *l)
{
    const unsigned from = sample_before(l, LADDER_LONG_MS);
    return a_second(l->sample[l->newest].seen.cpu_ns - l->sample[from].seen.cpu_ns,
                    mono_diff(l->sample[l->newest].at, l->sample[from].at));
}

static uint64_t cpu_limit(const struct ladder *l)
{
    return (uint64_t)l->conf.cpu_permille * (NSEC_PER_SEC / 1000);
}

/* The cost of sending is seen where a step has changed how much is sent, by a good deal. */
static void learn(struct ladder *l, uint64_t used)
{
    const uint64_t sent = cost(l, ladder_at(l), LADDER_LONG_MS);
    if (l->before.known && l->before.sent > sent + LEARN_BYTES && l->before.used > used) {
        l->cpu_per_kib = (l->before.used - used) / ((l->before.sent - sent) / 1024);
    } else if (l->cpu_per_kib == 0 && sent > LEARN_BYTES) {
        l->cpu_per_kib = used / (sent / 1024); /* no less than it is */
    }
    l->before.known = false;
}

/* The processor time of a better step is that of this one and of the bytes more that it sends. */
static bool cpu_would_do(const struct ladder *l, unsigned step, uint64_t used)
{
    if (l->conf.cpu_permille == 0) {
        return true;
    }
    uint64_t here = cost(l, ladder_at(l), LADDER_LONG_MS),
             there = cost(l, &l->step[step], LADDER_LONG_MS);
    uint64_t more = there > here ? (there - here) / 1024 * l->cpu_per_kib : 0;
    return used + more <= percent(cpu_limit(l), LADDER_UP_PERCENT);
}

/* ---- the decision ---- */

static void take_sample(struct ladder *l, const struct ladder_seen *seen, struct mono now)
{
    l->newest = l->n_samples > 0 ? (l->newest + 1) % LADDER_SAMPLES : 0;
    l->sample[l->newest].at = now;
    l->sample[l->newest].seen = *seen;
    l->n_samples = MIN(l->n_samples + 1, (unsigned)LADDER_SAMPLES);
}

static void go(struct ladder *l, unsigned step, struct mono now)
{
    l->before.used = cpu_used(l);
    l->before.sent = cost(l, ladder_at(l), LADDER_LONG_MS);
    l->before.known = true;
    l->waits = (struct mono){0};
    l->cpu_next = mono_add_ms(now, LADDER_LONG_MS + 2 * LADDER_TICK_MS);
    if (step > l->at) {
        memset(l->fits, 0, sizeof(l->fits));
    }
    l->at = step;
}

/* Flow records that are too many wait only later, when their flows have ended. */
static bool has_waited(struct ladder *l, uint32_t wait_ms, struct mono now)
{
    if (l->conf.rate == 0 || (wait_ms <= l->conf.queue_ms / 2 && !ladder_at(l)->flows)) {
        l->waits = (struct mono){0};
        return false;
    }
    l->waits = l->waits.ns ? l->waits : now;
    return mono_diff(now, l->waits) >= LADDER_OVER_MS * NSEC_PER_MSEC;
}

/* The first step below this one that costs clearly less than the rate, or the last. */
static unsigned step_below(const struct ladder *l)
{
    unsigned step = l->at + 1;
    while (step + 1 < l->n_steps && !is_within(l, step, LADDER_DOWN_PERCENT, LADDER_RECENT_MS)) {
        step++;
    }
    return step;
}

/* The best step that has fitted for long enough; this one where none has. */
static unsigned step_above(struct ladder *l, uint64_t used, struct mono now)
{
    unsigned best = l->at;
    for (unsigned i = l->at; i-- > 0;) {
        if (!is_within(l, i, LADDER_UP_PERCENT, LADDER_LONG_MS) || !cpu_would_do(l, i, used)) {
            l->fits[i] = (struct mono){0};
        } else {
            l->fits[i] = l->fits[i].ns ? l->fits[i] : now;
            if (mono_diff(now, l->fits[i]) >= LADDER_FITS_MS * NSEC_PER_MSEC) {
                best = i;
            }
        }
    }
    return best;
}

enum ladder_why ladder_tick(struct ladder *l, const struct ladder_seen *seen, struct mono now)
{
    take_sample(l, seen, now);
    const bool last = l->at + 1 == l->n_steps;
    const uint64_t used = cpu_used(l);
    const bool measured = l->n_samples > LADDER_LONG_MS / LADDER_TICK_MS &&
                          (!l->cpu_next.ns || mono_due(now, l->cpu_next));
    if (measured) {
        learn(l, used);
    }
    const int64_t over = ladder_at(l)->flows ? LADDER_LONG_MS : LADDER_RECENT_MS;
    if (has_waited(l, seen->wait_ms, now) && !last &&
        !is_within(l, l->at, LADDER_STAY_PERCENT, over)) {
        go(l, step_below(l), now);
        return LADDER_QUEUE;
    }
    const bool too_much = l->conf.cpu_permille > 0 && measured && used > cpu_limit(l);
    l->cpu_at_end = too_much && last;
    if (too_much && !last) {
        go(l, l->at + 1, now);
        return LADDER_CPU;
    }
    const unsigned above = step_above(l, used, now);
    if (above < l->at) {
        go(l, above, now);
        return LADDER_FITS;
    }
    return LADDER_STAYS;
}
