/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/readers.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "data/sink/plain.h"
#include "proto/pcapng.h"
#include "sys/tcp.h"

enum {
    COMING = 16, /* connections that are looked at in a call */
};

struct reader {
    int fd;
    uint32_t rest_at, rest_end; /* of the bytes that it must be given before all others */
    uint32_t n_known;           /* points that it knows, … */
    uint32_t known[POINT_MAX];  /* … from 1 on, in their order; 0: it does not */
    uint8_t rest[READERS_REST];
};

struct block {
    uint8_t *bytes;
    uint32_t len;
};

struct readers {
    int fd;
    unsigned n;
    struct reader *reader[READERS_MAX];
    uint8_t *header;
    uint32_t header_len;
    bool described;
    struct block block[POINT_MAX];
    _Atomic uint32_t now;
    _Atomic uint64_t refused;
};

int readers_new(int fd, const void *header, uint32_t len, struct readers **ret)
{
    struct readers *r = calloc(1, sizeof(*r));
    uint8_t *copy = malloc(len);
    if (!r || !copy) {
        free(r);
        free(copy);
        close(fd);
        return -ENOMEM;
    }
    memcpy(copy, header, len);
    r->fd = fd;
    r->header = copy;
    r->header_len = len;
    *ret = r;
    return 0;
}

/* The last one takes its place. */
static void end_reader(struct readers *r, unsigned i)
{
    close(r->reader[i]->fd);
    free(r->reader[i]);
    r->reader[i] = r->reader[--r->n];
    r->now = r->n;
}

void readers_free(struct readers *r)
{
    if (!r) {
        return;
    }
    while (r->n > 0) {
        end_reader(r, r->n - 1);
    }
    for (unsigned i = 0; i < POINT_MAX; i++) {
        free(r->block[i].bytes);
    }
    close(r->fd);
    free(r->header);
    free(r);
}

/* ---- coming and going ---- */

/* False: the reader has gone. */
static bool give_rest(struct reader *d)
{
    size_t n = 0;
    if (d->rest_at < d->rest_end) {
        if (tcp_send(d->fd, d->rest + d->rest_at, d->rest_end - d->rest_at, &n) < 0) {
            return false;
        }
        d->rest_at += (uint32_t)n;
    }
    return true;
}

static bool owes_nothing(const struct reader *d)
{
    return d->rest_at == d->rest_end;
}

/* Without memory it is turned away too. */
static void take_in(struct readers *r, int fd)
{
    struct reader *d = r->n < READERS_MAX ? calloc(1, sizeof(*d)) : NULL;
    if (!d) {
        r->refused++;
        close(fd);
        return;
    }
    d->fd = fd;
    memcpy(d->rest, r->header, r->header_len);
    d->rest_end = r->header_len;
    r->reader[r->n++] = d;
    r->now = r->n;
}

unsigned readers_look(struct readers *r)
{
    struct pollfd p[1 + READERS_MAX] = {{.fd = r->fd, .events = POLLIN}};
    const unsigned before = r->n;
    for (unsigned i = 0; i < before; i++) {
        p[1 + i] = (struct pollfd){.fd = r->reader[i]->fd, .events = POLLIN | POLLRDHUP};
    }
    if (poll(p, 1 + before, 0) > 0) {
        for (unsigned i = before; i-- > 0;) {
            if (p[1 + i].revents != 0 && tcp_is_over(r->reader[i]->fd)) {
                end_reader(r, i);
            }
        }
        for (int k = 0, fd = 0; p[0].revents != 0 && k < COMING && fd >= 0; k++) {
            fd = tcp_accept(r->fd);
            if (fd >= 0) {
                take_in(r, fd);
            }
        }
    }
    for (unsigned i = r->n; i-- > 0;) {
        if (!give_rest(r->reader[i])) {
            end_reader(r, i);
        }
    }
    return r->n;
}

unsigned readers_count(const struct readers *r)
{
    return r->n;
}

void readers_tell(const struct readers *r, struct sink_readers *ret)
{
    *ret = (struct sink_readers){.now = r->now, .refused = r->refused};
}

/* ---- records ---- */

void readers_describe(struct readers *r, uint32_t point, uint8_t *block, uint32_t len)
{
    struct block *b = &r->block[point];
    if (b->bytes && b->len == len && memcmp(b->bytes, block, len) == 0) {
        free(block); /* it is as it was */
        return;
    }
    free(b->bytes);
    *b = (struct block){block, len};
    r->described = true;
    for (unsigned i = 0; i < r->n; i++) {
        r->reader[i]->known[point] = 0;
    }
}

/* Puts the description of each point that the reader does not know behind its rest, which is empty
 * before; false: some have no room now. */
static bool describe(const struct readers *r, struct reader *d,
                     const struct readers_record records[], uint32_t n)
{
    d->rest_at = d->rest_end = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t point = records[i].point;
        const struct block *b = &r->block[point];
        if (d->known[point] == 0) {
            if (b->len > READERS_REST - d->rest_end) {
                return false;
            }
            memcpy(d->rest + d->rest_end, b->bytes, b->len);
            d->rest_end += b->len;
            d->known[point] = ++d->n_known;
        }
    }
    return true;
}

static void put_numbers(const struct reader *d, uint8_t *bytes,
                        const struct readers_record records[], uint32_t n)
{
    for (uint32_t i = 0, at = 0; i < n; at = records[i++].end) {
        const uint32_t number = d->known[records[i].point] - 1;
        struct wr w = wr_make(bytes + at + PCAPNG_EPB_IFID, sizeof(number));
        wr_u32le(&w, number);
    }
}

/* Gives records until there is no more room; the rest of the last one that has begun is kept.
 * *ret_taken: so many have begun. False: the reader has gone. */
static bool give_records(struct reader *d, const uint8_t *bytes,
                         const struct readers_record records[], uint32_t n, uint32_t *ret_taken)
{
    size_t sent = 0;
    uint32_t taken = 0, begin = 0;
    if (tcp_send(d->fd, bytes, records[n - 1].end, &sent) < 0) {
        return false;
    }
    while (taken < n && begin < sent) {
        begin = records[taken++].end;
    }
    d->rest_at = 0;
    d->rest_end = begin - (uint32_t)sent;
    memcpy(d->rest, bytes + sent, d->rest_end);
    *ret_taken = taken;
    return true;
}

static bool give_reader(const struct readers *r, struct reader *d, uint8_t *bytes,
                        const struct readers_record records[], uint32_t n, uint32_t *ret_taken)
{
    *ret_taken = 0;
    if (!give_rest(d)) {
        return false;
    }
    if (!owes_nothing(d)) {
        return true;
    }
    if (r->described) {
        const bool all = describe(r, d, records, n);
        if (!give_rest(d)) {
            return false;
        }
        if (!all || !owes_nothing(d)) {
            return true;
        }
        put_numbers(d, bytes, records, n);
    }
    return give_records(d, bytes, records, n, ret_taken);
}

void readers_give(struct readers *r, uint8_t *bytes, struct readers_record records[], uint32_t n)
{
    for (unsigned k = r->n; k-- > 0;) {
        uint32_t taken = 0;
        if (!give_reader(r, r->reader[k], bytes, records, n, &taken)) {
            end_reader(r, k);
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            uint8_t *to = i < taken ? &records[i].took : &records[i].missed;
            (*to)++;
        }
    }
}

/* ---- the end ---- */

/* Whether the reader's system has everything, or the reader has gone. */
static bool is_served(struct reader *d)
{
    return !give_rest(d) || tcp_is_over(d->fd) || (owes_nothing(d) && tcp_unsent(d->fd) <= 0);
}

void readers_finish(struct readers *r, int64_t ms)
{
    const struct mono end = mono_add_ms(mono_now(), ms);
    while (r->n > 0) {
        const bool late = mono_due(mono_now(), end);
        for (unsigned i = r->n; i-- > 0;) {
            if (late || is_served(r->reader[i])) {
                end_reader(r, i);
            }
        }
        if (r->n > 0) {
            plain_wait();
        }
    }
}
