/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "sys/linkcount.h"

enum {
    PIECE = 16 << 10, /* bytes of a file that are read at a time */
};

static const char header[] =
    "time,state,rx_bytes,rx_packets,rx_errors,rx_dropped,rx_overrun,rx_mcast,"
    "tx_bytes,tx_packets,tx_errors,tx_dropped,tx_carrier,tx_collision\n";

void engine_rows_init(struct engine_rows *r)
{
    *r = (struct engine_rows){.fd = -1};
}

void engine_rows_done(struct engine_rows *r)
{
    closep(&r->fd);
    r->fd = -1;
}

/* Where the last whole line ends, and how many there are. */
static int find_end(int fd, uint64_t *ret, uint64_t *ret_lines)
{
    char piece[PIECE];
    ssize_t n;
    *ret = *ret_lines = 0;
    for (uint64_t at = 0; (n = pread(fd, piece, sizeof(piece), (off_t)at)) > 0; at += (uint64_t)n) {
        const char *p = piece, *end = piece + n;
        while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
            p++;
            *ret = at + (uint64_t)(p - piece);
            (*ret_lines)++;
        }
    }
    return n < 0 ? -errno : 0;
}

/* All of it, or none: the file ends with a whole row. */
static void put(struct engine_rows *r, const char *text, size_t n)
{
    const ssize_t m = r->error == 0 ? pwrite(r->fd, text, n, (off_t)r->length) : 0;
    if (r->error == 0 && m != (ssize_t)n) {
        r->error = m < 0 ? -errno : -ENOSPC;
        if (ftruncate(r->fd, (off_t)r->length) < 0) {
            return; /* the next who continues it cuts it off */
        }
    }
    r->length += r->error == 0 ? n : 0;
}

/* The first time of a row that is not before then. */
static int64_t not_before(int64_t first_ns, int64_t period_ns, int64_t ns)
{
    const int64_t behind = ns > first_ns ? ns - first_ns : 0;
    return first_ns + (behind + period_ns - 1) / period_ns * period_ns;
}

int engine_rows_open(struct engine_rows *r, int fd, const struct wanted *w, int64_t now_ns,
                     struct error *err)
{
    uint64_t end = 0, lines = 0;
    int e = find_end(fd, &end, &lines);
    if (e == 0 && ftruncate(fd, (off_t)end) < 0) {
        e = -errno;
    }
    if (e < 0) {
        return error_sys(err, -e, "cannot continue the capture's file");
    }
    *r = (struct engine_rows){.fd = fd,
                              .period_ns = w->period_ms * NSEC_PER_MSEC,
                              .most_bytes = w->most_bytes,
                              .length = end,
                              .found = lines > 0 ? lines - 1 : 0};
    if (text_name_read(r->ifname, sizeof(r->ifname), w->point[0]) < 0) {
        r->ifname[0] = '\0'; /* such an interface is never there */
    }
    r->next_ns = w->start_ns;
    if (end == 0) {
        put(r, header, sizeof(header) - 1);
    } else { /* its next row is at the time that it would have had */
        r->next_ns = not_before(w->start_ns, r->period_ns, now_ns);
    }
    return 0;
}

static size_t make_row(const struct engine_rows *r, int counters, char ret[ENGINE_ROW])
{
    struct linkcount c;
    const int64_t ms = r->next_ns / NSEC_PER_MSEC;
    const int n = linkcount_read(counters, r->ifname, &c) < 0
                      ? snprintf(ret, ENGINE_ROW, "%" PRId64 ",0,,,,,,,,,,,,\n", ms)
                      : snprintf(ret, ENGINE_ROW,
                                 "%" PRId64 ",%d,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                                 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                                 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                                 ms, c.up, c.rx_bytes, c.rx_packets, c.rx_errors, c.rx_dropped,
                                 c.rx_overrun, c.rx_mcast, c.tx_bytes, c.tx_packets, c.tx_errors,
                                 c.tx_dropped, c.tx_carrier, c.tx_collision);
    return n > 0 ? (size_t)n : 0;
}

void engine_rows_tick(struct engine_rows *r, int counters, int64_t now_ns, int64_t stop_ns)
{
    char row[ENGINE_ROW];
    const int64_t least = MIN(now_ns, stop_ns) - ENGINE_ROWS_LATE_MS * NSEC_PER_MSEC;
    if (r->next_ns < least) {
        r->next_ns = not_before(r->next_ns, r->period_ns, least);
        r->from_ns = 0;
    }
    while (r->error == 0 && r->beyond == 0 && r->next_ns <= now_ns && r->next_ns < stop_ns) {
        const size_t n = make_row(r, counters, row);
        if (r->most_bytes > 0 && r->length + n > r->most_bytes) {
            r->beyond++;
            return;
        }
        put(r, row, n);
        if (r->error == 0) {
            r->written++;
            r->from_ns = r->from_ns > 0 ? r->from_ns : r->next_ns;
            r->next_ns += r->period_ns;
        }
    }
}

void engine_rows_shift(struct engine_rows *r, int64_t ns)
{
    r->next_ns = MAX(r->next_ns + ns, INT64_C(1));
    if (ns < 0 && r->from_ns > 0) { /* else they are complete for what never was, too */
        r->from_ns = MAX(r->from_ns + ns, INT64_C(1));
    }
}
