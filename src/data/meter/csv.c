/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proto/flowcsv.h"

enum {
    BUFFER = 64 << 10,
};

struct csv_exporter {
    struct exporter exporter;
    int fd;
    int error; /* errno of the first write that failed; nothing is written afterwards */
    struct flowcsv_sums sums;
    uint64_t records; /* in the buffer */
    size_t used;
    char buffer[BUFFER];
};

/* Writes what is buffered. A file that has become useless takes nothing more: half a line is the
 * last. */
static void write_out(struct csv_exporter *c)
{
    size_t at = 0;
    while (at < c->used && !c->error) {
        ssize_t n = write(c->fd, c->buffer + at, c->used - at);
        if (n < 0 && errno != EINTR) {
            c->error = errno;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    ledger_add(&c->exporter.ledger, c->error ? LEDGER_EXPORT_ERROR : LEDGER_EXPORT_OUT, c->records);
    c->records = 0;
    c->used = 0;
}

/* Room for a line. */
static char *room(struct csv_exporter *c)
{
    if (BUFFER - c->used < FLOWCSV_ROW) {
        write_out(c);
    }
    return c->buffer + c->used;
}

static void csv_record(struct exporter *e, const struct flowrec *r)
{
    struct csv_exporter *c = (struct csv_exporter *)e;
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    c->used += flowcsv_row(r, &c->sums, room(c));
    c->records++;
}

static int csv_finish(struct exporter *e, struct error *err)
{
    struct csv_exporter *c = (struct csv_exporter *)e;
    c->used += flowcsv_tail(&c->sums, room(c));
    write_out(c);
    if (close(c->fd) < 0 && !c->error) {
        c->error = errno;
    }
    c->fd = -1;
    return c->error ? error_sys(err, c->error, "cannot write to %s", e->name) : 0;
}

static void csv_free(struct exporter *e)
{
    struct csv_exporter *c = (struct csv_exporter *)e;
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    free(c);
}

static const struct exporter_ops ops = {
    .kind = "csv",
    .record = csv_record,
    .finish = csv_finish,
    .free = csv_free,
};

int csv_exporter_new(int fd, const char *name, struct exporter **ret)
{
    struct csv_exporter *c = calloc(1, sizeof(*c));
    if (!c) {
        return -ENOMEM;
    }
    c->exporter.ops = &ops;
    (void)snprintf(c->exporter.name, sizeof(c->exporter.name), "%s", name);
    c->fd = fd;
    c->used = flowcsv_head(c->buffer);
    *ret = &c->exporter;
    return 0;
}
