/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of a capture's thread, and those that the dialer gives as a link_sender, with what
 * it reads; capture.c has the thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "data/link/send/tx.h"
#include "node/capture_impl.h"

static void command_free(void *arg)
{
    struct capture_command *c = arg;
    link_sender_key_done(&c->key);
    filter_done(&c->prog);
    ring_free(c->ring);
    free(c);
}

int capture_command(struct capture *cap, void (*fn)(void *owner, void *arg),
                    struct capture_command from)
{
    struct capture_command *c = malloc(sizeof(*c));
    if (!c) {
        link_sender_key_done(&from.key);
        filter_done(&from.prog);
        ring_free(from.ring);
        return -ENOMEM;
    }
    *c = from;
    return thread_post(cap->thread, fn, c, command_free);
}

/* ---- in the thread ---- */

static void take_session(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct capture_command *c = arg;
    atomic_store_explicit(&cap->published_serial, 0, memory_order_relaxed);
    link_tx_session(cap->pipeline.sink, &c->key);
    link_tx_settle(cap->pipeline.sink, c->accounted);
    c->key = (struct link_sender_key){.fd = -1};
    cap->serial = c->serial;
}

static void take_key(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct capture_command *c = arg;
    link_tx_rekey(cap->pipeline.sink, &c->key);
    c->key = (struct link_sender_key){.fd = -1};
}

static void take_size(void *owner, void *arg)
{
    struct capture *cap = owner;
    link_tx_size(cap->pipeline.sink, ((const struct capture_command *)arg)->datagram);
}

static void go_down(void *owner, void *arg)
{
    struct capture *cap = owner;
    link_tx_down(cap->pipeline.sink);
    link_tx_settle(cap->pipeline.sink, ((const struct capture_command *)arg)->accounted);
    cap->serial = 0;
}

void capture_take_stages(void *owner, void *arg)
{
    struct capture *cap = owner;
    const struct capture_command *c = arg;
    if (pipeline_restage(&cap->pipeline, STAGE_AT_TAP, c->stages) < 0) {
        cap->pipeline.pass.event(cap->pipeline.pass.user, HISTORY_STAGE,
                                 "no memory for the stages that were read again");
    }
}

/* ---- in the control thread ---- */

static struct capture *of(struct link_sender *s)
{
    return (struct capture *)s;
}

static int sender_session(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                          uint64_t accounted)
{
    return capture_command(
        of(s), take_session,
        (struct capture_command){.key = *key, .serial = serial, .accounted = accounted});
}

static int sender_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    return capture_command(of(s), take_key, (struct capture_command){.key = *key});
}

static int sender_size(struct link_sender *s, uint32_t datagram)
{
    return capture_command(of(s), take_size,
                           (struct capture_command){.key.fd = -1, .datagram = datagram});
}

static int sender_down(struct link_sender *s, uint64_t accounted)
{
    return capture_command(of(s), go_down,
                           (struct capture_command){.key.fd = -1, .accounted = accounted});
}

static void sender_hold(struct link_sender *s, bool held)
{
    struct capture *cap = of(s);
    atomic_store_explicit(&cap->wants_hold, held, memory_order_relaxed);
    thread_wake(cap->thread);
}

static void sender_reported(struct link_sender *s, uint64_t accounted, uint64_t lost)
{
    struct capture *cap = of(s);
    atomic_store_explicit(&cap->accounted, accounted, memory_order_relaxed);
    atomic_store_explicit(&cap->lost, lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&cap->reports, 1, memory_order_release);
}

static void sender_stop(struct link_sender *s)
{
    thread_stop(of(s)->thread);
}

static bool sender_done(const struct link_sender *s)
{
    const struct capture *cap = (const struct capture *)s;
    return atomic_load_explicit(&cap->done, memory_order_acquire);
}

static bool sender_progress(const struct link_sender *s, uint32_t serial,
                            struct link_sender_progress *ret)
{
    const struct capture *cap = (const struct capture *)s;
    if (atomic_load_explicit(&cap->published_serial, memory_order_acquire) != serial) {
        return false;
    }
    ret->frames = atomic_load_explicit(&cap->frames, memory_order_relaxed);
    ret->datagrams = atomic_load_explicit(&cap->datagrams, memory_order_relaxed);
    return true;
}

static bool sender_take_refused(struct link_sender *s)
{
    return atomic_exchange_explicit(&of(s)->refused, false, memory_order_relaxed);
}

static bool sender_take_stood(struct link_sender *s)
{
    struct capture *cap = of(s);
    uint32_t before = cap->stood_told;
    cap->stood_told = atomic_load_explicit(&cap->stood, memory_order_relaxed);
    return cap->stood_told != before;
}

static void sender_stood_known(struct link_sender *s)
{
    struct capture *cap = of(s);
    atomic_store_explicit(&cap->stood_known, cap->stood_told, memory_order_release);
    thread_wake(cap->thread);
}

static const struct ledger *sender_ledger(const struct link_sender *s)
{
    return &((const struct capture *)s)->ledger;
}

static const struct ledger_way *sender_way(const struct link_sender *s)
{
    return &((const struct capture *)s)->pipeline.way;
}

const struct link_sender_ops capture_sender_ops = {
    .session = sender_session,
    .rekey = sender_rekey,
    .size = sender_size,
    .down = sender_down,
    .hold = sender_hold,
    .reported = sender_reported,
    .stop = sender_stop,
    .done = sender_done,
    .progress = sender_progress,
    .ledger = sender_ledger,
    .way = sender_way,
    .take_refused = sender_take_refused,
    .take_stood = sender_take_stood,
    .stood_known = sender_stood_known,
};
