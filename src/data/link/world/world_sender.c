/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/world/world_sender.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct world_sender *of(struct link_sender *s)
{
    return (struct world_sender *)s;
}

static void carry_out(struct world_sender *w, const struct world_command *c)
{
    struct link_sender *plain = &w->plain.head;
    switch (c->op) {
    case HELD_SESSION:
        (void)plain_sender_ops.session(plain, &c->key, c->number, c->accounted);
        w->sessions++;
        break;
    case HELD_REKEY:
        (void)plain_sender_ops.rekey(plain, &c->key);
        w->rekeys++;
        break;
    case HELD_SIZE:
        (void)plain_sender_ops.size(plain, c->number);
        w->datagram = c->number;
        break;
    case HELD_DOWN:
        (void)plain_sender_ops.down(plain, c->accounted);
        w->downs++;
        break;
    }
}

static int take(struct world_sender *w, const struct world_command *c)
{
    if (w->refuse > 0) {
        struct link_sender_key key = c->key;
        w->refuse--;
        link_sender_key_done(&key);
        return -EAGAIN;
    }
    if (w->hold) {
        assert_true(w->n_held < WORLD_HELD);
        w->held[w->n_held++] = *c;
        return 0;
    }
    carry_out(w, c);
    return 0;
}

static int take_session(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                        uint64_t accounted)
{
    return take(of(s), &(struct world_command){HELD_SESSION, *key, serial, accounted});
}

static int take_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    return take(of(s), &(struct world_command){.op = HELD_REKEY, .key = *key});
}

static int take_size(struct link_sender *s, uint32_t datagram)
{
    return take(of(s), &(struct world_command){HELD_SIZE, {.fd = -1}, datagram, 0});
}

static int take_down(struct link_sender *s, uint64_t accounted)
{
    return take(of(s), &(struct world_command){HELD_DOWN, {.fd = -1}, 0, accounted});
}

static void hold(struct link_sender *s, bool held)
{
    plain_sender_ops.hold(s, held);
    of(s)->holds += held ? 1 : 0;
}

static bool progress(const struct link_sender *s, uint32_t serial, struct link_sender_progress *ret)
{
    if (!plain_sender_ops.progress(s, serial, ret)) {
        return false;
    }
    ret->datagrams += ((const struct world_sender *)s)->sent_before;
    return true;
}

int world_sender_init(struct world_sender *w, uint16_t stream, struct backlog_pool *pool)
{
    *w = (struct world_sender){.ops = plain_sender_ops};
    w->ops.session = take_session;
    w->ops.rekey = take_rekey;
    w->ops.size = take_size;
    w->ops.down = take_down;
    w->ops.hold = hold;
    w->ops.progress = progress;
    int r = plain_sender_init(&w->plain, stream, pool);
    w->plain.head.ops = &w->ops;
    return r;
}

void world_sender_release(struct world_sender *w)
{
    w->hold = false;
    for (unsigned i = 0; i < w->n_held; i++) {
        carry_out(w, &w->held[i]);
    }
    w->n_held = 0;
}

void world_sender_done(struct world_sender *w)
{
    world_sender_release(w);
    plain_sender_done(&w->plain);
}
