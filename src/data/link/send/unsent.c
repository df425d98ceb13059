/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/send/unsent.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    RUNS = 8, /* of datagrams of one size, of which the last may be shorter */
};

struct run {
    size_t len;
    uint32_t datagram;
};

struct unsent {
    size_t cap, at, end; /* of `data`, and the bytes that are still there */
    struct run run[RUNS];
    unsigned n;
    uint8_t data[];
};

struct unsent *unsent_new(size_t bytes)
{
    struct unsent *u = calloc(1, sizeof(*u) + bytes);
    if (u) {
        u->cap = bytes;
    }
    return u;
}

void unsent_free(struct unsent *u)
{
    free(u);
}

bool unsent_put(struct unsent *u, const uint8_t *data, size_t len, uint32_t datagram)
{
    struct run *last = u->n > 0 ? &u->run[u->n - 1] : NULL;
    bool same = last && last->datagram == datagram && last->len % datagram == 0;
    if (len == 0) {
        return true;
    }
    if (len > u->cap - u->end || (!same && u->n == RUNS)) {
        return false;
    }
    memcpy(u->data + u->end, data, len);
    u->end += len;
    if (same) {
        last->len += len;
    } else {
        u->run[u->n++] = (struct run){len, datagram};
    }
    return true;
}

const uint8_t *unsent_front(const struct unsent *u, size_t *ret_len, uint32_t *ret_datagram)
{
    *ret_len = u->n > 0 ? u->run[0].len : 0;
    *ret_datagram = u->run[0].datagram;
    return u->data + u->at;
}

void unsent_pop(struct unsent *u, size_t len)
{
    u->at += len;
    u->run[0].len -= len;
    if (u->run[0].len == 0 && len > 0) {
        memmove(&u->run[0], &u->run[1], --u->n * sizeof(u->run[0]));
    }
    if (u->n == 0) {
        u->at = u->end = 0;
    }
}

unsigned unsent_clear(struct unsent *u)
{
    unsigned n = unsent_datagrams(u);
    u->n = 0;
    u->at = u->end = 0;
    return n;
}

bool unsent_empty(const struct unsent *u)
{
    return u->n == 0;
}

unsigned unsent_datagrams(const struct unsent *u)
{
    size_t n = 0;
    for (unsigned i = 0; i < u->n; i++) {
        n += (u->run[i].len + u->run[i].datagram - 1) / u->run[i].datagram;
    }
    return (unsigned)n;
}

size_t unsent_bytes(const struct unsent *u)
{
    return u->end - u->at;
}
