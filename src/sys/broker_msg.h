/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between engine and broker (see sys/broker.h): one message a datagram of a
 * SOCK_SEQPACKET pair, a descriptor beside it. Pure functions; the broker trusts nothing that it
 * decodes, as the engine may be in an attacker's hands.
 *
 *   request:  magic u32, sequence u32, number u32, length u16, arguments
 *   reply:    magic u32, sequence u32, result i32, flags u16, words u16, data u16, words, data
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    BROKER_ARGS_MAX = 4608, /* a filter of 4096 bytes, and what goes with it */
    BROKER_DATA_MAX = 4096,
    BROKER_REQUEST_MAX = 14 + BROKER_ARGS_MAX,
    BROKER_REPLY_MAX = 18 + sizeof(((struct error *)0)->text) + BROKER_DATA_MAX,
};

/* Requests that every table has. */
enum {
    BROKER_BUILT_IN = 0x7ffffffd, /* the first of them */
    BROKER_PEER = BROKER_BUILT_IN,
    BROKER_READY,
    BROKER_COUNT,
};

struct broker_msg_request {
    uint32_t seq, number;
    const uint8_t *args; /* into the decoded buffer */
    size_t len;
};

struct broker_msg_reply {
    uint32_t seq;
    int32_t result;      /* 0 or -errno */
    bool has_fd;         /* a descriptor comes beside it */
    struct error err;    /* "" with result 0 */
    const uint8_t *data; /* into the decoded buffer */
    size_t len;
};

/* Each returns the message's length, or -EMSGSIZE when a part is too long or `cap` too small. */
int broker_msg_put_request(void *buf, size_t cap, const struct broker_msg_request *m);
int broker_msg_put_reply(void *buf, size_t cap, const struct broker_msg_reply *m);

/* Each takes exactly one message: 0, or -EBADMSG for anything else, *ret then untouched. */
int broker_msg_get_request(const void *buf, size_t len, struct broker_msg_request *ret);
int broker_msg_get_reply(const void *buf, size_t len, struct broker_msg_reply *ret);
