/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers of a captured frame (proto/inner.h) for stages that look at them: where they end, and
 * the frame's flow as a number, a keyed hash, the same for both directions. Stages that keep some
 * flows and not others compare it with a threshold.
 */
#pragma once

#include "base/cleanup.h"
#include "proto/inner.h"
#include "sys/crypto/kdf.h"

enum {
    FLOW_HEADERS_MAX = 192, /* bytes that are kept of headers, at most */
};

/* Walks a frame of any length. *ret points into the frame, or into `room`, where the first bytes of
 * a frame that is not in one piece are copied to. */
static inline void flow_walk(const struct frame *f, uint8_t room[INNER_SCRATCH], struct inner *ret)
{
    size_t len = 0;
    const uint8_t *bytes = inner_bytes(f, room, &len);
    inner_walk(bytes, len, ret);
}

/* The bytes of a frame that are kept where only its headers are: FLOW_HEADERS_MAX at most. */
static inline uint32_t flow_headers(const struct inner *in)
{
    return MIN(in->headers, (uint32_t)FLOW_HEADERS_MAX);
}

/* The flow as a number, any of 64 bits with the same probability for whoever has no key. */
static inline uint64_t flow_hash(const struct inner *in, const uint8_t key[KEYED_HASH_KEY_LEN])
{
    uint8_t words[INNER_KEY_MAX];
    return keyed_hash(key, words, inner_key(in, words));
}
