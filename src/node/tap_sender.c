/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that the dialer gives to a tap's capture as a link_sender, with what it reads;
 * tap_capture.c has the rest of what the capture does.
 */
#include <errno.h>
#include <stdlib.h>

#include "node/tap_capture_impl.h"

/* A function of the thread takes what it knows of it. */
struct sender_command {
    struct link_sender_key key;
    uint32_t serial, datagram;
    uint64_t accounted;
};

/* ---- in the thread ---- */

static struct tap_capture *part_of(void *owner)
{
    return ((struct capture *)owner)->part;
}

static void take_session(void *owner, void *arg)
{
    struct tap_capture *t = part_of(owner);
    struct sender_command *c = arg;
    atomic_store_explicit(&t->published_serial, 0, memory_order_relaxed);
    link_tx_session(t->capture->pipeline.sink, &c->key);
    link_tx_settle(t->capture->pipeline.sink, c->accounted);
    c->key = (struct link_sender_key){.fd = -1};
    t->serial = c->serial;
}

static void take_key(void *owner, void *arg)
{
    struct tap_capture *t = part_of(owner);
    struct sender_command *c = arg;
    link_tx_rekey(t->capture->pipeline.sink, &c->key);
    c->key = (struct link_sender_key){.fd = -1};
}

static void take_size(void *owner, void *arg)
{
    struct tap_capture *t = part_of(owner);
    link_tx_size(t->capture->pipeline.sink, ((const struct sender_command *)arg)->datagram);
}

static void go_down(void *owner, void *arg)
{
    struct tap_capture *t = part_of(owner);
    link_tx_down(t->capture->pipeline.sink);
    link_tx_settle(t->capture->pipeline.sink, ((const struct sender_command *)arg)->accounted);
    t->serial = 0;
}

/* ---- in the control thread ---- */

static struct tap_capture *of(struct link_sender *s)
{
    return (struct tap_capture *)s;
}

static void command_free(void *arg)
{
    struct sender_command *c = arg;
    link_sender_key_done(&c->key);
    free(c);
}

/* Has the thread call `fn` with the capture and a copy of the command. What is in it belongs to the
 * thread, also on failure. -ENOMEM, -EAGAIN. */
static int command(struct link_sender *s, void (*fn)(void *owner, void *arg),
                   struct sender_command from)
{
    struct sender_command *c = malloc(sizeof(*c));
    if (!c) {
        link_sender_key_done(&from.key);
        return -ENOMEM;
    }
    *c = from;
    return capture_post(of(s)->capture, fn, c, command_free);
}

static int sender_session(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                          uint64_t accounted)
{
    return command(s, take_session,
                   (struct sender_command){.key = *key, .serial = serial, .accounted = accounted});
}

static int sender_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    return command(s, take_key, (struct sender_command){.key = *key});
}

static int sender_size(struct link_sender *s, uint32_t datagram)
{
    return command(s, take_size, (struct sender_command){.key.fd = -1, .datagram = datagram});
}

static int sender_down(struct link_sender *s, uint64_t accounted)
{
    return command(s, go_down, (struct sender_command){.key.fd = -1, .accounted = accounted});
}

static void sender_hold(struct link_sender *s, bool held)
{
    struct tap_capture *t = of(s);
    atomic_store_explicit(&t->wants_hold, held, memory_order_relaxed);
    capture_look(t->capture);
}

static void sender_reported(struct link_sender *s, uint64_t accounted, uint64_t lost)
{
    struct tap_capture *t = of(s);
    atomic_store_explicit(&t->accounted, accounted, memory_order_relaxed);
    atomic_store_explicit(&t->lost, lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->reports, 1, memory_order_release);
}

static void sender_stop(struct link_sender *s)
{
    capture_stop(of(s)->capture);
}

static bool sender_done(const struct link_sender *s)
{
    const struct tap_capture *t = (const struct tap_capture *)s;
    return capture_done(t->capture);
}

static bool sender_progress(const struct link_sender *s, uint32_t serial,
                            struct link_sender_progress *ret)
{
    const struct tap_capture *t = (const struct tap_capture *)s;
    if (atomic_load_explicit(&t->published_serial, memory_order_acquire) != serial) {
        return false;
    }
    ret->frames = atomic_load_explicit(&t->frames, memory_order_relaxed);
    ret->datagrams = atomic_load_explicit(&t->datagrams, memory_order_relaxed);
    return true;
}

static bool sender_take_refused(struct link_sender *s)
{
    return atomic_exchange_explicit(&of(s)->refused, false, memory_order_relaxed);
}

static bool sender_take_stood(struct link_sender *s)
{
    struct tap_capture *t = of(s);
    uint32_t before = t->stood_told;
    t->stood_told = atomic_load_explicit(&t->stood, memory_order_relaxed);
    return t->stood_told != before;
}

static void sender_stood_known(struct link_sender *s)
{
    struct tap_capture *t = of(s);
    atomic_store_explicit(&t->stood_known, t->stood_told, memory_order_release);
    capture_look(t->capture);
}

static const struct ledger *sender_ledger(const struct link_sender *s)
{
    return capture_ledger(((const struct tap_capture *)s)->capture);
}

static const struct ledger_way *sender_way(const struct link_sender *s)
{
    return capture_way(((const struct tap_capture *)s)->capture);
}

const struct link_sender_ops tap_sender_ops = {
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
