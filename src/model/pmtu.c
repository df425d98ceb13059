/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pmtu.h"

#include "base/cleanup.h"

/* The order in which a search looks; each step goes on to the next when it has nothing to ask. */
enum step {
    STEP_BASE,
    STEP_MIN,  /* the base did not pass */
    STEP_HINT, /* what the kernel says */
    STEP_EDGE, /* it did pass: then most likely one byte more does not, and the search is over */
    STEP_USUAL,
    STEP_EDGE_AGAIN,
    STEP_HALVE,
};

/* The sizes that paths usually have, upwards: what succeeds costs one round trip, what fails
 * several times the timer, and going upwards only one of these fails. */
static const uint16_t usual[] = {
    1280, 1380, 1400, 1420, /* WireGuard over IPv6 */
    1440,                   /* WireGuard over IPv4 */
    1450,                   /* VXLAN */
    1460,                   /* some clouds */
    1472, 1476,             /* GRE */
    1480,                   /* 6in4, IPIP */
    1492,                   /* PPPoE */
    1500, 8500, 8900, 9000,
};

static uint32_t base_of(const struct pmtu *p)
{
    return MIN(MAX((uint32_t)PMTU_BASE, p->min), p->max);
}

static int64_t timer_ns(const struct pmtu *p)
{
    int64_t most = PMTU_TIMER_MAX_MS * NSEC_PER_MSEC, least = PMTU_TIMER_MIN_MS * NSEC_PER_MSEC;
    return p->rtt_ns ? MIN(MAX(4 * p->rtt_ns, least), most) : PMTU_TIMER_MS * NSEC_PER_MSEC;
}

static struct mono *sent_at(struct pmtu *p, uint32_t token)
{
    return &p->sent[token / 2 % PMTU_SENT];
}

/* How many probes in a row must be lost before the size is to blame: so many that chance alone does
 * it in a few cases of a thousand, by what became of the companions. To call the whole path too
 * narrow takes more, and is not urgent. */
static unsigned tries_wanted(const struct pmtu *p)
{
    double each = (p->asked - p->answered + 0.5) / (p->asked + 1.5), all = 1;
    unsigned n = p->probe == p->min ? PMTU_TRIES_MAX : 0;
    while (n < PMTU_TRIES_MAX && (n < PMTU_TRIES || all > 0.002)) {
        all *= each;
        n++;
    }
    return n;
}

static unsigned ask(struct pmtu *p, uint32_t size, struct mono now)
{
    if (sent_at(p, p->token)->ns) {
        p->asked++;
        p->answered += p->echoed ? 1 : 0;
    }
    if (p->asked >= 32) { /* what was long ago counts for less */
        p->asked /= 2;
        p->answered /= 2;
    }
    if (size != p->probe) {
        p->tries = p->echoes = 0;
    }
    p->token += 2;
    p->first = size != p->probe ? p->token : p->first;
    p->tries++;
    p->probe = size;
    p->echoed = false;
    *sent_at(p, p->token) = now;
    p->deadline = (struct mono){now.ns + timer_ns(p)};
    return PMTU_DO_PROBE;
}

static unsigned complete(struct pmtu *p, struct mono now)
{
    p->state = PMTU_COMPLETE;
    p->probe = 0;
    p->raise = mono_add_ms(now, PMTU_RAISE_MS);
    p->deadline = mono_add_ms(now, PMTU_CONFIRM_MS);
    return PMTU_DO_FOUND;
}

static unsigned give_up(struct pmtu *p, struct mono now)
{
    unsigned told = p->state == PMTU_ERROR ? 0 : PMTU_DO_FAIL;
    p->state = PMTU_ERROR;
    p->probe = 0;
    p->deadline = mono_add_ms(now, PMTU_ERROR_MS);
    return told;
}

/* The size that this step of the search asks for; 0: none, on to the next step. */
static uint32_t candidate(const struct pmtu *p, enum step step)
{
    switch (step) {
    case STEP_BASE:
        return base_of(p);
    case STEP_MIN:
        return p->good < p->min ? p->min : 0;
    case STEP_HINT:
        return p->hint;
    case STEP_EDGE:
        return p->hint && p->good == p->hint ? p->good + 1 : 0;
    case STEP_USUAL:
        for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
            if (usual[i] > p->good) {
                return usual[i];
            }
        }
        return 0;
    case STEP_EDGE_AGAIN:
        return p->good + 1;
    case STEP_HALVE:
    default:
        return p->good + (p->bad - p->good) / 2;
    }
}

/* The next size to ask for, or the end of the search. */
static unsigned search(struct pmtu *p, struct mono now)
{
    if (p->doubt && p->good) {
        p->doubt = false;
        return ask(p, p->size, now);
    }
    while (p->good + 1 < p->bad && p->bad > p->min) {
        uint32_t size = candidate(p, (enum step)p->step);
        bool again = p->step == STEP_USUAL || p->step == STEP_HALVE;
        if (!again || size <= p->good || size >= p->bad) {
            p->step += p->step < STEP_HALVE ? 1 : 0;
        }
        if (size > p->good && size < p->bad) {
            return ask(p, size, now);
        }
    }
    return p->good ? complete(p, now) : give_up(p, now);
}

/* From the smallest on: data is safe there at once. */
static unsigned begin(struct pmtu *p, uint32_t bad, struct mono now)
{
    p->state = PMTU_SEARCH;
    p->size = p->min;
    p->good = 0;
    p->bad = bad;
    p->step = STEP_BASE;
    p->probe = 0;
    p->doubt = false;
    p->oldest = p->token + 2; /* answers to what was asked of the old path count no more */
    return search(p, now);
}

static unsigned upwards(struct pmtu *p, struct mono now)
{
    p->state = PMTU_SEARCH;
    p->bad = p->max + 1;
    p->step = STEP_HINT;
    return search(p, now);
}

static uint32_t as_hint(const struct pmtu *p, int kernel)
{
    return kernel < (int)p->min ? 0 : MIN((uint32_t)kernel, p->max);
}

unsigned pmtu_start(struct pmtu *p, uint32_t min, uint32_t max, int kernel, struct mono now)
{
    uint32_t token = p->token;
    *p = (struct pmtu){.token = token};
    p->max = max && max < PMTU_MAX ? max : PMTU_MAX;
    p->min = MIN(min, p->max);
    p->kernel = kernel > 0 ? (uint32_t)kernel : 0;
    p->hint = as_hint(p, kernel);
    return begin(p, p->max + 1, now) | PMTU_DO_SIZE;
}

void pmtu_fix(struct pmtu *p, uint32_t size)
{
    *p = (struct pmtu){.token = p->token, .size = size, .min = size, .max = size};
}

/* The probe under way does not pass. */
static unsigned failed(struct pmtu *p, struct mono now)
{
    uint32_t size = p->probe;
    p->probe = 0;
    if (p->state == PMTU_ERROR || size == p->min) {
        p->bad = p->min;
        p->good = 0;
        return give_up(p, now);
    }
    if (size == p->size) { /* a black hole: what passed passes no more (section 4.3) */
        p->hint = as_hint(p, (int)p->kernel);
        return begin(p, size, now) | PMTU_DO_SIZE;
    }
    p->bad = MIN(p->bad, size);
    return search(p, now);
}

static unsigned timed_out(struct pmtu *p, struct mono now)
{
    if (p->tries < tries_wanted(p)) {
        return ask(p, p->probe, now);
    }
    if (p->echoes >= PMTU_ECHOES) {
        return failed(p, now);
    }
    /* Next to nothing comes back, whatever its size: no reason to believe anything of sizes. */
    unsigned a = ask(p, p->probe, now);
    p->tries--;
    p->deadline = p->echoes ? p->deadline : mono_add_ms(now, PMTU_TIMER_MS);
    return a;
}

static unsigned tick(struct pmtu *p, struct mono now)
{
    if (!mono_due(now, p->deadline)) {
        return 0;
    }
    if (p->probe) {
        return timed_out(p, now);
    }
    if (p->state == PMTU_COMPLETE && p->size < p->max && mono_due(now, p->raise)) {
        p->hint = as_hint(p, (int)p->kernel);
        return upwards(p, now);
    }
    return ask(p, p->state == PMTU_ERROR ? p->min : p->size, now);
}

static unsigned doubted(struct pmtu *p, struct mono now)
{
    if (p->state == PMTU_SEARCH) {
        p->doubt |= p->probe != p->size;
        return 0;
    }
    bool soon = p->checked.ns && !mono_due(now, mono_add_ms(p->checked, PMTU_DOUBT_MS));
    return p->state != PMTU_COMPLETE || p->probe || soon ? 0 : ask(p, p->size, now);
}

static void passes(struct pmtu *p, struct mono now)
{
    if (p->probe && p->kernel && p->kernel < p->size) {
        return; /* what arrived may have been sent before the router said so */
    }
    p->doubt = false;
    if (p->state == PMTU_COMPLETE) {
        p->probe = 0;
        p->checked = now;
        p->deadline = mono_add_ms(now, PMTU_CONFIRM_MS);
        p->deadline = p->raise.ns < p->deadline.ns ? p->raise : p->deadline;
    }
}

unsigned pmtu_step(struct pmtu *p, enum pmtu_event event, struct mono now)
{
    if (p->state == PMTU_OFF) {
        return 0;
    }
    switch (event) {
    case PMTU_TICK:
        return tick(p, now);
    case PMTU_REFUSED:
        *sent_at(p, p->token) = (struct mono){0};
        return p->probe ? failed(p, now) : 0;
    case PMTU_DOUBT:
        return doubted(p, now);
    case PMTU_PASSES:
        passes(p, now);
        return 0;
    default:
        return 0;
    }
}

/* A companion came back: the path is alive, and so long an answer takes. */
static void companion(struct pmtu *p, uint32_t token, struct mono now)
{
    p->echoes += (int32_t)(token - p->first) >= 0 ? 1 : 0;
    if (token == p->token + 1) {
        p->echoed = true;
    } else {
        p->answered += p->answered < p->asked ? 1 : 0;
    }
    struct mono at = *sent_at(p, token);
    if (p->token - (token & ~1u) < 2 * PMTU_SENT && at.ns) {
        int64_t rtt = MAX(mono_diff(now, at), (int64_t)1);
        p->rtt_ns = p->rtt_ns < rtt ? rtt : (7 * p->rtt_ns + rtt) / 8;
    }
    struct mono sooner = {sent_at(p, p->token)->ns + timer_ns(p)};
    if (p->probe && sooner.ns < p->deadline.ns) {
        p->deadline = sooner;
    }
}

unsigned pmtu_acked(struct pmtu *p, uint32_t token, uint32_t size, struct mono now)
{
    if (p->state == PMTU_OFF || (int32_t)(token - p->oldest) < 0 ||
        (int32_t)(token - p->token) > 1) {
        return 0;
    }
    if (token & 1) {
        companion(p, token, now);
        return 0;
    }
    if (size < p->min || size > p->max) {
        return 0;
    }
    if (p->state == PMTU_ERROR) {
        p->hint = as_hint(p, (int)p->kernel);
        p->bad = p->max + 1;
        p->state = PMTU_SEARCH;
        p->step = STEP_BASE;
    }
    unsigned actions = size >= p->size ? PMTU_DO_SIZE : 0; /* again: should one have gone astray */
    if (size == p->size) {
        p->checked = now;
    }
    p->good = MAX(p->good, size);
    p->size = MAX(p->size, size);
    p->bad = p->bad <= size ? p->max + 1 : p->bad; /* it was given up too early */
    if (size != p->probe) {
        return actions; /* an answer that came late: what is under way goes on */
    }
    p->probe = 0;
    if (p->state == PMTU_COMPLETE) {
        p->deadline = mono_add_ms(now, PMTU_CONFIRM_MS);
        return actions;
    }
    return actions | search(p, now);
}

unsigned pmtu_kernel(struct pmtu *p, int mtu, struct mono now)
{
    uint32_t old = p->kernel;
    if (mtu <= 0 || (uint32_t)mtu == old || p->state == PMTU_OFF) {
        return 0;
    }
    p->kernel = (uint32_t)mtu;
    p->hint = as_hint(p, mtu);
    if (p->state == PMTU_SEARCH && p->hint > p->good && p->hint < p->bad && p->step > STEP_HINT) {
        p->step = STEP_HINT; /* a router has answered a probe: that comes next */
    }
    if (p->kernel < p->size) {
        p->checked = (struct mono){0};
        return doubted(p, now);
    }
    return p->kernel > old && p->state == PMTU_COMPLETE && !p->probe && p->size < p->max
               ? upwards(p, now)
               : 0;
}

const char *pmtu_words(const struct pmtu *p)
{
    switch (p->state) {
    case PMTU_SEARCH:
        return "being found out";
    case PMTU_COMPLETE:
        return "found";
    case PMTU_ERROR:
        return "too small";
    case PMTU_OFF:
    default:
        return "not probed";
    }
}
