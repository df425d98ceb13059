/* SPDX-License-Identifier: Apache-2.0 */
#include "node/limiter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static struct ladder_conf ladder_conf(const struct limiter *l)
{
    struct ladder_conf c = {.rate = l->budget.rate.bits / 8,
                            .queue_ms = l->budget.queue_ms,
                            .cpu_permille = l->conf.cpu_permille};
    for (unsigned i = 0; i < l->conf.n_rungs; i++) {
        if (l->conf.rung[i] != LADDER_FLOWS || l->flows) {
            c.rung[c.n++] = l->conf.rung[i];
        }
    }
    return c;
}

bool limiter_limits(const struct limiter_conf *conf, const struct budget_conf *budget)
{
    return budget->rate.bits > 0 || conf->cpu_permille > 0;
}

static bool wishes_flows(const struct limiter *l)
{
    for (unsigned i = 0; i < l->conf.n_rungs; i++) {
        if (l->conf.rung[i] == LADDER_FLOWS) {
            return l->conf.mode == LIMITER_LADDER;
        }
    }
    return false;
}

/* The captures take the step that is published. */
static void publish_step(struct limiter *l)
{
    atomic_store_explicit(&l->plan.step, limit_pack(ladder_at(&l->ladder)), memory_order_relaxed);
}

/* Whether flow records are a step too. */
static void publish_steps(struct limiter *l)
{
    atomic_store_explicit(&l->plan.flows, wishes_flows(l) && l->flows, memory_order_relaxed);
    publish_step(l);
}

/* The same of all that they take. */
static void publish(struct limiter *l, const struct limiter_conf *conf)
{
    atomic_store_explicit(&l->plan.keep, conf->keep.insns ? &conf->keep : NULL,
                          memory_order_release);
    atomic_store_explicit(&l->plan.ladder, conf->mode == LIMITER_LADDER, memory_order_relaxed);
    publish_steps(l);
}

int limiter_init(struct limiter *l, const struct limiter_conf *conf,
                 const struct budget_conf *budget,
                 void (*event)(void *user, enum history_kind kind, const char *words), void *user)
{
    *l = (struct limiter){.conf = *conf, .budget = *budget, .event = event, .user = user};
    const struct ladder_conf lc = ladder_conf(l);
    ladder_init(&l->ladder, &lc);
    publish(l, conf);
    return random_bytes(l->plan.key, sizeof(l->plan.key)) < 0 ? -EIO : 0;
}

void limiter_set(struct limiter *l, const struct limiter_conf *conf,
                 const struct budget_conf *budget)
{
    l->conf = *conf;
    l->budget = *budget;
    l->checked = (struct mono){0};
    l->breaches = 0;
    const struct ladder_conf lc = ladder_conf(l);
    ladder_set(&l->ladder, &lc);
    publish(l, conf);
}

void limiter_set_flows(struct limiter *l, bool takes)
{
    const bool wishes = wishes_flows(l), changes = takes != l->flows;
    l->flows = takes;
    if (wishes && changes) {
        const struct ladder_conf lc = ladder_conf(l);
        ladder_set(&l->ladder, &lc);
        publish_steps(l);
    }
    if (wishes && !takes && !l->told_no_flows) {
        l->event(l->user, HISTORY_LIMIT_RUNG,
                 "the collector takes no flow records: --on-limit goes on without this step");
    }
    l->told_no_flows = wishes && !takes;
}

static void tell(struct limiter *l, const struct ladder_step *from, enum ladder_why why)
{
    static const char *const words[] = {[LADDER_STAYS] = "",
                                        [LADDER_QUEUE] = "more is wished than --rate carries",
                                        [LADDER_CPU] = "the tap uses more than --cpu-limit",
                                        [LADDER_FITS] = "it has fitted for some seconds"};
    char was[48], is[48], event[HISTORY_WORDS];
    ladder_words(from, was);
    ladder_words(ladder_at(&l->ladder), is);
    snprintf(event, sizeof(event), "from \"%s\" to \"%s\": %s", was, is, words[why]);
    l->event(l->user, HISTORY_LIMIT_RUNG, event);
}

static void climb(struct limiter *l, struct ladder_seen *seen, struct mono now)
{
    for (unsigned k = 0; k < LIMIT_CLASSES; k++) {
        for (unsigned headers = 0; headers < 2; headers++) {
            seen->bytes[headers][k] =
                atomic_load_explicit(&l->plan.came[headers][k], memory_order_relaxed);
        }
    }
    seen->flows = atomic_load_explicit(&l->plan.told, memory_order_relaxed);
    const struct ladder_step from = *ladder_at(&l->ladder);
    enum ladder_why why = ladder_tick(&l->ladder, seen, now);
    if (why != LADDER_STAYS) {
        publish_step(l);
        tell(l, &from, why);
    }
    if (l->ladder.cpu_at_end && !l->told_end) {
        l->event(l->user, HISTORY_LIMIT_RUNG,
                 "the last step of --on-limit uses more than --cpu-limit, too");
    }
    l->told_end = l->ladder.cpu_at_end;
}

/* Tells of a breach; those between two events are in the next one's number. */
static void tell_breach(struct limiter *l, struct mono now)
{
    char event[HISTORY_WORDS];
    if (l->told.ns && !mono_due(now, mono_add_ms(l->told, LIMITER_TELL_MS))) {
        return;
    }
    l->told = now;
    snprintf(event, sizeof(event),
             "as much as --rate carries, or more, was wished in %u of %u intervals in a row, "
             "%" PRIu64 " in all",
             l->breaches, l->conf.breaches, l->breached);
    l->event(l->user, HISTORY_LIMIT_BREACH, event);
}

/* An interval whose wish reaches the rate is a breach. */
static bool is_at_end(struct limiter *l, const struct budget_figures *f, struct mono now)
{
    char event[HISTORY_WORDS];
    const int64_t ns = mono_diff(now, l->checked);
    if (l->checked.ns && ns < l->conf.check_ms * NSEC_PER_MSEC) {
        return false;
    }
    const uint64_t bits = (f->wished - MIN(l->wished, f->wished)) * 8;
    const bool breach = l->checked.ns && bits >= (uint64_t)((unsigned __int128)f->rate_bps *
                                                            (uint64_t)ns / NSEC_PER_SEC);
    l->breaches = breach ? l->breaches + 1 : 0;
    if (breach) {
        l->breached++;
        tell_breach(l, now);
    }
    l->checked = now;
    l->wished = f->wished;
    if (l->breaches < l->conf.breaches) {
        return false;
    }
    snprintf(event, sizeof(event),
             "as much as --rate carries, or more, was wished in %u intervals in a row "
             "(--on-limit stop): the tap ends",
             l->breaches);
    l->event(l->user, HISTORY_LIMIT_RUNG, event);
    return true;
}

bool limiter_tick(struct limiter *l, const struct budget_figures *f, uint32_t wait_ms,
                  uint64_t cpu_ns, struct mono now)
{
    if (l->conf.mode == LIMITER_LADDER) {
        struct ladder_seen seen = {
            .control = f ? f->charged : 0, .cpu_ns = cpu_ns, .wait_ms = wait_ms};
        climb(l, &seen, now);
    }
    return l->conf.mode == LIMITER_STOP && f && is_at_end(l, f, now);
}
