/* SPDX-License-Identifier: Apache-2.0
 *
 * The session of a data role with the control role, over a SOCK_SEQPACKET descriptor: one message a
 * datagram (proto/rolemsg.h). Control is taken for hostile: what is no message, or comes before
 * HELLO, ends the session, and another one is tried every half second.
 */
#pragma once

#include "node/teller.h"
#include "proto/rolemsg.h"
#include "sys/loop.h"

struct engine_link_conf {
    struct loop *loop;
    const struct teller *teller;
    uint64_t life; /* tells this process from those before and after it; not 0 */
    /* Gives another descriptor to the control role: 0, or -errno, to be tried again. */
    int (*meet)(void *meeter, int *ret_fd);
    void *meeter;
    /* A session has begun, and this side has said HELLO. */
    void (*begun)(void *user);
    /* A message but HELLO: 0, or -errno that ends the session, -EBADMSG: it is none. */
    int (*take)(void *user, const struct rolemsg *m);
    /* All messages that were there have been taken. */
    void (*took)(void *user);
    void *user;
};

struct engine_link;

/* -ENOMEM. There is no session yet. */
int engine_link_new(const struct engine_link_conf *conf, struct engine_link **ret);
/* Takes NULL. */
void engine_link_free(struct engine_link *l);
/* Now and then: meets the control role, if there is no session. */
void engine_link_tick(struct engine_link *l, struct mono now);
/* Both sides have said HELLO. */
bool engine_link_stands(const struct engine_link *l);
/* False: not now. */
bool engine_link_send(struct engine_link *l, const struct rolemsg *m);
