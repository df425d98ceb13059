/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "data/meter/community.h"
#include "proto/flowtext.h"
#include "sys/kafka.h"

enum {
    HEAD = 4,       /* lengths of a key and of a value */
    WAIT_MS = 1000, /* for room, between two looks */
    END_MS = KAFKA_FINISH_MS + 2000,
};

struct kafka {
    struct exporter exporter;
    struct kafka_exporter_conf conf;
    bool gone;           /* the process is */
    uint64_t slow, away; /* that it was not given */
    struct kafka_counts told;
    _Atomic bool hurry;
    struct mono until; /* of finishing; never: it runs */
    uint32_t records;  /* in the packet */
    size_t used;
    uint8_t packet[KAFKA_PACKET];
};

static struct kafka *of(struct exporter *e)
{
    return (struct kafka *)e;
}

static void count(struct kafka *x)
{
    struct ledger *l = &x->exporter.ledger;
    ledger_set(l, LEDGER_EXPORT_OUT, x->told.delivered);
    ledger_set(l, LEDGER_EXPORT_AWAY, x->told.away + x->away);
    ledger_set(l, LEDGER_EXPORT_SLOW, x->told.slow + x->slow);
    ledger_set(l, LEDGER_EXPORT_REFUSED, x->told.refused);
}

/* All that the process has told; false: it has ended. */
static bool hear(struct kafka *x)
{
    struct kafka_counts c;
    for (;;) {
        const ssize_t n = read(x->conf.fd, &c, sizeof(c));
        if (n == (ssize_t)sizeof(c)) {
            x->told = c;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else {
            count(x);
            return n < 0 && errno == EAGAIN;
        }
    }
}

static void wait_for(const struct kafka *x, short events, struct mono end)
{
    struct pollfd p = {x->conf.fd, events, 0};
    const int64_t left = mono_diff(end, mono_now()) / NSEC_PER_MSEC;
    (void)poll(&p, 1, (int)MAX(INT64_C(0), MIN(left, (int64_t)WAIT_MS)));
}

static bool may_wait(const struct kafka *x)
{
    if (x->until.ns) {
        return !mono_due(mono_now(), x->until);
    }
    return x->conf.waits && !atomic_load_explicit(&x->hurry, memory_order_relaxed);
}

/* A packet to the process: 0, -EAGAIN: it takes none now, -EPIPE: it has ended. */
static int give(struct kafka *x, const void *packet, size_t len)
{
    for (;;) {
        const ssize_t n = write(x->conf.fd, packet, len);
        if (n == (ssize_t)len) {
            return 0;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            return -EPIPE;
        }
        if (!may_wait(x)) {
            return -EAGAIN;
        }
        wait_for(x, POLLOUT, mono_add_ms(mono_now(), WAIT_MS));
        if (!hear(x)) {
            return -EPIPE;
        }
    }
}

static void push(struct kafka *x)
{
    const int r = x->used == 0 ? 0 : x->gone ? -EPIPE : give(x, x->packet, x->used);
    if (r == -EPIPE) {
        x->gone = true;
        x->away += x->records;
    } else if (r < 0) {
        x->slow += x->records;
    }
    x->used = 0;
    x->records = 0;
    count(x);
}

static void kafka_record(struct exporter *e, const struct flowrec *r)
{
    struct kafka *x = of(e);
    char id[COMMUNITY_LEN + 1] = "", row[FLOWTEXT_ROW];
    const bool has_id = community_id(r, id);
    const size_t key = has_id ? strlen(id) : 0;
    const size_t value = flowtext_json(r, has_id ? id : NULL, row) - 1; /* without the line's end */
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    if (sizeof(x->packet) - x->used < HEAD + key + value) {
        push(x);
    }
    struct wr w = wr_make(x->packet + x->used, sizeof(x->packet) - x->used);
    wr_u16(&w, (uint16_t)key);
    wr_u16(&w, (uint16_t)value);
    wr_copy(&w, id, key);
    wr_copy(&w, row, value);
    x->used += wr_len(&w);
    x->records++;
}

static void kafka_tick(struct exporter *e, const struct exporter_news *news)
{
    struct kafka *x = of(e);
    (void)news;
    push(x);
    x->gone |= !hear(x);
}

static void kafka_hurry(struct exporter *e)
{
    atomic_store_explicit(&of(e)->hurry, true, memory_order_relaxed);
}

static int kafka_finish(struct exporter *e, struct error *err)
{
    static const uint8_t over = 0;
    struct kafka *x = of(e);
    x->until = mono_add_ms(mono_now(), END_MS);
    push(x);
    const bool gone = x->gone || give(x, &over, 1) < 0;
    while (!x->gone && hear(x) && !mono_due(mono_now(), x->until)) {
        wait_for(x, POLLIN, x->until);
    }
    const struct kafka_counts *c = &x->told;
    const uint64_t known = c->delivered + c->away + c->slow + c->refused + x->slow + x->away;
    x->away += ledger_get(&e->ledger, LEDGER_EXPORT_IN) - known;
    count(x);
    const struct ledger *l = &e->ledger;
    const uint64_t lost = ledger_get(l, LEDGER_EXPORT_AWAY) + ledger_get(l, LEDGER_EXPORT_SLOW) +
                          ledger_get(l, LEDGER_EXPORT_REFUSED);
    if (!gone && lost > 0 && x->conf.waits) {
        return error_set(err, EIO, "%s: %" PRIu64 " of %" PRIu64 " records were not delivered",
                         e->name, lost, ledger_get(l, LEDGER_EXPORT_IN));
    }
    return gone ? error_set(err, EPIPE, "%s: the process that sends to Kafka has ended", e->name)
                : 0;
}

static void kafka_free(struct exporter *e)
{
    closep(&of(e)->conf.fd);
    free(e);
}

static const struct exporter_ops ops = {
    .kind = "kafka",
    .record = kafka_record,
    .tick = kafka_tick,
    .hurry = kafka_hurry,
    .finish = kafka_finish,
    .free = kafka_free,
};

int kafka_exporter_new(const struct kafka_exporter_conf *conf, struct exporter **ret)
{
    struct kafka *x = calloc(1, sizeof(*x));
    if (!x) {
        return -ENOMEM;
    }
    x->exporter.ops = &ops;
    x->conf = *conf;
    (void)snprintf(x->exporter.name, sizeof(x->exporter.name), "%s", conf->name);
    *ret = &x->exporter;
    return 0;
}
