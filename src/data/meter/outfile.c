/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/outfile.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"

/* Stands before the bytes of an entry. */
struct head {
    uint32_t len, records;
};

_Static_assert((int)OUTFILE_ENTRY <= PIPE_BUF, "a pipe takes an entry whole, or not at all");

int outfile_init(struct outfile *o, int fd, bool live)
{
    *o = (struct outfile){.fd = fd, .live = live};
    o->bytes = malloc(live ? OUTFILE_LIVE : OUTFILE_BUFFER);
    return o->bytes ? 0 : -ENOMEM;
}

static size_t capacity(const struct outfile *o)
{
    return o->live ? OUTFILE_LIVE : OUTFILE_BUFFER;
}

static struct head head_at(const struct outfile *o, size_t at)
{
    struct head h;
    memcpy(&h, o->bytes + at, sizeof(h));
    return h;
}

/* A pipe that is ready takes PIPE_BUF bytes without waiting. */
static bool is_ready(const struct outfile *o)
{
    struct pollfd p = {o->fd, POLLOUT, 0};
    return poll(&p, 1, 0) != 0;
}

static void write_bytes(struct outfile *o, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n && !o->error;) {
        const ssize_t r = write(o->fd, bytes + at, n - at);
        if (r < 0 && errno != EINTR) {
            o->error = errno;
        }
        at += r > 0 ? (size_t)r : 0;
    }
}

/* The bytes of the next entries, as many as fit. Returns their number, and moves *at behind them.
 */
static size_t gather(const struct outfile *o, size_t *at, char *ret, size_t most,
                     uint64_t *ret_records)
{
    size_t n = 0;
    *ret_records = 0;
    while (*at < o->used) {
        const struct head h = head_at(o, *at);
        if (n + h.len > most) {
            break;
        }
        memcpy(ret + n, o->bytes + *at + sizeof(h), h.len);
        n += h.len;
        *ret_records += h.records;
        *at += sizeof(h) + h.len;
    }
    return n;
}

void outfile_flush(struct outfile *o, struct ledger *ledger)
{
    char bytes[OUTFILE_BUFFER];
    const size_t most = o->live ? PIPE_BUF : sizeof(bytes);
    while (o->from < o->used && (!o->live || o->error || is_ready(o))) {
        size_t at = o->from;
        uint64_t records;
        const size_t n = gather(o, &at, bytes, most, &records);
        write_bytes(o, bytes, n);
        ledger_add(ledger, o->error ? LEDGER_EXPORT_ERROR : LEDGER_EXPORT_OUT, records);
        o->from = at;
    }
    if (o->from == o->used) {
        o->from = o->used = 0;
    }
}

/* Moves what waits to the beginning, where that makes much room. */
static void make_room(struct outfile *o)
{
    if (o->from > capacity(o) / 2) {
        memmove(o->bytes, o->bytes + o->from, o->used - o->from);
        o->used -= o->from;
        o->from = 0;
    }
}

char *outfile_room(struct outfile *o, size_t n, struct ledger *ledger)
{
    const size_t wanted = sizeof(struct head) + n;
    if (capacity(o) - o->used < wanted) {
        outfile_flush(o, ledger);
        make_room(o);
    }
    return capacity(o) - o->used < wanted ? NULL : o->bytes + o->used + sizeof(struct head);
}

void outfile_put(struct outfile *o, size_t n, uint32_t records)
{
    const struct head h = {(uint32_t)n, records};
    memcpy(o->bytes + o->used, &h, sizeof(h));
    o->used += sizeof(h) + n;
}

/* Live: for as long as its reader may take. */
static void flush_all(struct outfile *o, struct ledger *ledger)
{
    const struct mono end = mono_add_ms(mono_now(), OUTFILE_FINISH_MS);
    outfile_flush(o, ledger);
    for (int64_t left; o->used > 0 && (left = mono_diff(end, mono_now())) > 0;) {
        struct pollfd p = {o->fd, POLLOUT, 0};
        (void)poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1);
        outfile_flush(o, ledger);
    }
    for (; o->from < o->used; o->from += sizeof(struct head) + head_at(o, o->from).len) {
        ledger_add(ledger, LEDGER_EXPORT_SLOW, head_at(o, o->from).records);
    }
}

int outfile_finish(struct outfile *o, const char *name, struct ledger *ledger, struct error *err)
{
    flush_all(o, ledger);
    if (close(o->fd) < 0 && !o->error) {
        o->error = errno;
    }
    o->fd = -1;
    return o->error ? error_sys(err, o->error, "cannot write to %s", name) : 0;
}

void outfile_done(struct outfile *o)
{
    closep(&o->fd);
    free(o->bytes);
    o->bytes = NULL;
}
