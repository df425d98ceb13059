/* SPDX-License-Identifier: Apache-2.0
 *
 * The programs that have connected to a socket (sys/tcp.h) and are given one stream of records:
 * first a header, then each record whole, as long as there is room for it. What a slow one has no
 * room for it misses, and nobody waits for it. What is on its way to a reader is in the system's
 * send buffer, which bounds it; here is only the end of what has begun.
 *
 * Where a stream has descriptions (pcapng's interfaces), each reader gets that of a point before
 * the point's first record, and a number of its own for it, as readers come at different times.
 *
 * One thread uses it, but for readers_tell(). Only pcapip.c does.
 */
#pragma once

#include <stdint.h>

#include "data/sink.h"

enum {
    READERS_MAX = 8,
    READERS_REST =
        512 << 10, /* the longest that may have begun: a header, a record, descriptions */
};

/* A record among others that follow each other in memory. */
struct readers_record {
    uint32_t end; /* where the next one begins */
    uint32_t point;
    uint8_t took, missed; /* readers, filled in by readers_give() */
};

struct readers;

/* `fd`: of tcp_listen(), taken, also on failure. `header`: copied, READERS_REST at most. -ENOMEM.
 */
int readers_new(int fd, const void *header, uint32_t len, struct readers **ret);
void readers_free(struct readers *r);

/* Takes in those that have connected, turns the ninth away, forgets those that have gone, and gives
 * what is left of records that had begun, as far as there is room. How many readers there are. */
unsigned readers_look(struct readers *r);
unsigned readers_count(const struct readers *r);

/* The description of a point from now on, taken over: a pcapng block. Readers who have another one
 * get it before the next record. */
void readers_describe(struct readers *r, uint32_t point, uint8_t *block, uint32_t len);

/* Gives records of `bytes`, `n` of them, to each reader. With descriptions, each record is an
 * enhanced packet block, in which the interface's number is filled in. */
void readers_give(struct readers *r, uint8_t *bytes, struct readers_record records[], uint32_t n);

/* Waits, `ms` at most, until the readers' systems have taken everything; then ends them. */
void readers_finish(struct readers *r, int64_t ms);

/* Any thread. */
void readers_tell(const struct readers *r, struct sink_readers *ret);
