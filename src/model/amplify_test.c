/* SPDX-License-Identifier: Apache-2.0
 *
 * Stories in simulated time, by seed: a tap with its ring, what a user's programs do on the
 * interface, and a loop or none. FARSPAN_AMPLIFY_SEED tells one again, FARSPAN_AMPLIFY_STORIES is
 * how many of each kind there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/amplify.h"

enum {
    TICK_US = 500,
    PER_MS = 1000 / TICK_US,
    DELAYS = 2048, /* ticks of the way round that are kept */
    FRAME = 1400,
    RING = 12000,  /* frames */
    RETIRE_MS = 4, /* the tap sees frames by so much */
    LATEST_MS = 1000,
};

/* A user's traffic, in frames a tick. */
enum traffic {
    QUIET,
    STEADY,
    NOISY,
    BURSTS,   /* on and off, by times of its own */
    PERIODIC, /* the same in step with the slots, or nearly so */
    RISING,   /* starts small and doubles */
    FOLLOWS,  /* a program whose traffic rises with the tap's, some 100 ms later, and falls so */
    STARVED,  /* it wants the processor that the tap uses, and catches up in the pauses */
    SHARED,   /* TCP that shares its bottleneck with the tap's datagrams */
    TRAFFICS,
};

struct loop_conf {
    double delay_ms, jitter_ms, gain; /* gain 0: there is none */
    unsigned taps;                    /* two: the way round leads through another tap */
};

struct tap {
    struct amplify model;
    struct amplify_seen seen;
    double came, in_ring, ready, credit; /* frames */
    double way[DELAYS];                  /* to the next tap, by tick of arrival */
};

struct story {
    uint64_t dice;
    enum traffic traffic;
    double rate, most; /* frames a tick: the user's, and what the tap can send */
    double phase, period_ms, duty;
    struct loop_conf loop;
    struct tap tap[2];
    double sent[DELAYS]; /* by tick */
    double debt, window;
    double all, looped; /* frames that came to the first tap of late, and those by the loop */
    unsigned tick;
};

static double draw(struct story *s)
{
    s->dice ^= s->dice << 13;
    s->dice ^= s->dice >> 7;
    s->dice ^= s->dice << 17;
    return (double)(s->dice >> 11) / (double)(UINT64_C(1) << 53);
}

static double between(struct story *s, double a, double b)
{
    return a + draw(s) * (b - a);
}

/* Evenly by factors. */
static double scale(struct story *s, double a, double b)
{
    double v = a;
    for (double steps = between(s, 0, 64); v < b && steps > 0; steps--) {
        v *= 1 + (b > 100 * a ? 0.11 : 0.05);
    }
    return MIN(v, b);
}

static double sent_lately(const struct story *s, unsigned from_ms, unsigned to_ms)
{
    double sum = 0;
    for (unsigned i = from_ms * PER_MS; i < to_ms * PER_MS && i < s->tick && i < DELAYS; i++) {
        sum += s->sent[(s->tick - i) % DELAYS];
    }
    return sum / ((to_ms - from_ms) * PER_MS);
}

static double user(struct story *s)
{
    double ms = s->tick / (double)PER_MS, r = s->rate;
    switch (s->traffic) {
    case QUIET:
        return s->tick % (500 * PER_MS) == 0;
    case STEADY:
        return r;
    case NOISY:
        return r * 2 * draw(s);
    case BURSTS:
        if (s->phase <= 0) {
            s->phase = between(s, 1, 60) * PER_MS;
            s->duty = s->duty > 0 ? 0 : 1;
        }
        s->phase--;
        return s->duty * r * 2;
    case PERIODIC:
        return (double)((unsigned)(ms + s->phase) % (unsigned)s->period_ms) < s->duty * s->period_ms
                   ? r / s->duty
                   : 0;
    case RISING:
        return MIN(r, r / 1000 * (1 + ms * ms / 2000));
    case FOLLOWS:
        return MIN(r, r / 20 + sent_lately(s, 100, 400) * 1.1);
    case STARVED: {
        s->debt += r;
        double may = r * 1.5 * (1 - MIN(1, sent_lately(s, 0, 2) / s->most * 2));
        double now = MIN(s->debt, may);
        s->debt -= now;
        return now;
    }
    case SHARED:
        s->window =
            sent_lately(s, 5, 25) + s->window > r * 2 ? s->window * 0.97 : s->window + r / 400;
        return s->window * (0.5 + draw(s));
    case TRAFFICS:
        break;
    }
    return 0;
}

static void arrives(struct tap *t, double frames)
{
    t->came += frames;
    t->seen.frames = (uint64_t)t->came;
    double lost = MAX(0, t->in_ring + frames - RING);
    t->seen.dropped += (uint64_t)lost;
    t->in_ring += frames - lost;
    t->seen.pressed = t->in_ring > RING / 2.0;
}

/* What it reads it sends, or drops. Returns frames sent. */
static double work(struct story *s, struct tap *t)
{
    if (s->tick % (RETIRE_MS * PER_MS) == 0) {
        t->ready = t->in_ring;
    }
    amplify_step(&t->model, &t->seen, (struct mono){(s->tick + 1) * TICK_US * INT64_C(1000)});
    if (amplify_pauses(&t->model)) {
        return 0;
    }
    double n = MIN(t->ready, s->most);
    t->ready -= n;
    t->in_ring -= n;
    t->seen.read = t->seen.frames - t->seen.dropped -
                   MIN((uint64_t)t->in_ring, t->seen.frames - t->seen.dropped);
    if (amplify_drops(&t->model)) {
        return 0;
    }
    t->seen.long_bytes += (uint64_t)(n * FRAME);
    t->credit += n * 1.03;
    t->seen.datagrams += (uint64_t)t->credit;
    t->seen.sent_bytes += (uint64_t)t->credit * FRAME;
    t->credit -= (double)(uint64_t)t->credit;
    return n;
}

static void tick(struct story *s)
{
    unsigned n = MAX(s->loop.taps, 1U);
    for (unsigned i = 0; i < n; i++) {
        struct tap *t = &s->tap[i];
        double *way = &t->way[s->tick % DELAYS];
        double own = i == 0 ? user(s) : 0;
        arrives(t, own + *way);
        if (i == 0) {
            s->all += own + *way - s->all / (100 * PER_MS);
            s->looped += *way - s->looped / (100 * PER_MS);
        }
        *way = 0;
        double sent = work(s, t);
        if (i == 0) {
            s->sent[s->tick % DELAYS] = sent;
        }
        double ms = s->loop.delay_ms + s->loop.jitter_ms * draw(s);
        unsigned later = 1 + (unsigned)(ms * PER_MS);
        s->tap[(i + 1) % n].way[(s->tick + later) % DELAYS] += sent * s->loop.gain;
    }
    s->tick++;
}

static void begin(struct story *s, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->dice = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = 0; i < 10; i++) {
        (void)draw(s);
    }
    s->rate = scale(s, 0.1, 400);
    s->most = between(s, 100, 800);
    s->period_ms = between(s, 2, 80);
    s->duty = between(s, 0.1, 0.9);
    for (unsigned i = 0; i < 2; i++) {
        amplify_init(&s->tap[i].model, (uint64_t)(draw(s) * 1e18), (struct mono){1});
    }
}

static uint64_t option(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void no_loop_no_alarm(void **state)
{
    (void)state;
    static struct story s;
    uint64_t first = option("FARSPAN_AMPLIFY_SEED", 1), n = option("FARSPAN_AMPLIFY_STORIES", 60);
    unsigned tests[TRAFFICS] = {0}, alarms = 0;
    for (uint64_t seed = first; seed < first + n * TRAFFICS; seed++) {
        begin(&s, seed);
        s.traffic = (enum traffic)(seed % TRAFFICS);
        while (s.tick < 6000 * PER_MS && !amplify_told(&s.tap[0].model)) {
            tick(&s);
            tests[s.traffic] += amplify_pauses(&s.tap[0].model);
        }
        if (amplify_told(&s.tap[0].model)) {
            printf("seed %lu, traffic %d: a false alarm after %u ms\n", seed, (int)s.traffic,
                   s.tick / PER_MS);
            alarms++;
        }
    }
    for (unsigned i = 0; i < TRAFFICS; i++) {
        printf("traffic %u: %u ms of pauses a story\n", i, tests[i] / PER_MS / (unsigned)n);
    }
    assert_int_equal(alarms, 0);
}

/* From AMPLIFY_FRAMES in a window on it takes a second. */
static void loops_are_found(void **state)
{
    (void)state;
    static struct story s;
    uint64_t first = option("FARSPAN_AMPLIFY_SEED", 1), n = option("FARSPAN_AMPLIFY_STORIES", 60);
    static const double delays[] = {0.2, 1, 4, 8, 15, 40, 100, 200};
    unsigned late = 0, sum[8] = {0}, worst[8] = {0};
    for (uint64_t seed = first; seed < first + n * 8; seed++) {
        begin(&s, seed);
        s.traffic = seed / 8 % 3 == 0 ? QUIET : seed / 8 % 3 == 1 ? STEADY : NOISY;
        s.loop = (struct loop_conf){.delay_ms = delays[seed % 8], .gain = between(&s, 1.05, 2)};
        s.loop.jitter_ms = s.loop.delay_ms * between(&s, 0, 0.1);
        s.loop.taps = getenv("TWO") ? 2 : 1;
        if (s.traffic != QUIET) {
            s.rate = scale(&s, 0.3, 30);
        }
        unsigned since = 0;
        while (s.tick < 20000 * PER_MS && !amplify_told(&s.tap[0].model) &&
               !amplify_told(&s.tap[1].model)) {
            tick(&s);
            if (!since && s.looped > AMPLIFY_FRAMES && s.looped > s.all / 2) {
                since = s.tick;
            }
        }
        unsigned took = (s.tick - since) / PER_MS;
        sum[seed % 8] += took;
        worst[seed % 8] = MAX(worst[seed % 8], took);
        if (took > LATEST_MS) {
            printf("seed %lu, delay %g, traffic %d rate %g: found after %u ms (%u)\n", seed,
                   s.loop.delay_ms, (int)s.traffic, s.rate, took, s.tick / PER_MS);
            late++;
        }
    }
    for (int i = 0; i < 8; i++)
        printf("delay %g: mean %u worst %u\n", delays[i], sum[i] / (unsigned)n, worst[i]);
    assert_int_equal(late, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_loop_no_alarm),
        cmocka_unit_test(loops_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
