/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: the plain sender (plain_sender.h) whose commands a test can refuse, or hold back
 * until it releases them. The tests' world (world.h) gives one to each tap.
 */
#pragma once

#include "data/link/world/plain_sender.h"

enum {
    WORLD_HELD = 32,
};

struct world_sender {
    struct plain_sender plain; /* first */
    struct link_sender_ops ops;
    uint32_t made;   /* frames, by world_frames */
    bool hold;       /* commands wait */
    unsigned refuse; /* so many commands are refused */
    struct world_command {
        enum { HELD_SESSION, HELD_REKEY, HELD_SIZE, HELD_DOWN } op;
        struct link_sender_key key;
        uint32_t number; /* the session's serial, or the datagram's size */
        uint64_t accounted;
    } held[WORLD_HELD];
    unsigned n_held, sessions, rekeys, downs, holds;
    uint32_t datagram;
    uint64_t sent_before; /* datagrams that it says to have sent beside its real ones */
};

/* As plain_sender_init. */
int world_sender_init(struct world_sender *w, uint16_t stream, struct backlog_pool *pool);
/* Carries out the commands that wait, and holds no more back. */
void world_sender_release(struct world_sender *w);
void world_sender_done(struct world_sender *w);
