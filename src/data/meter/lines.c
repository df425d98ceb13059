/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/meter/community.h"
#include "proto/flowcsv.h"
#include "proto/flowtext.h"

enum {
    BUFFER = 64 << 10,
    ROW = FLOWTEXT_ROW, /* of any form */
};

_Static_assert((int)ROW >= (int)FLOWCSV_ROW, "room for a line of each form");

/* A form: each puts a line, or several, and returns its length. NULL: there is none. */
struct form {
    size_t (*head)(char *ret);
    size_t (*row)(const struct flowrec *r, struct flowcsv_sums *sums, char *ret);
    size_t (*tail)(const struct flowcsv_sums *sums, char *ret);
};

struct lines_exporter {
    struct exporter exporter;
    const struct form *form;
    int fd;
    int error; /* errno of the first write that failed; nothing is written afterwards */
    struct flowcsv_sums sums;
    uint64_t records; /* in the buffer */
    size_t used;
    char buffer[BUFFER];
};

/* Writes what is buffered. A file that has become useless takes nothing more: half a line is the
 * last. */
static void write_out(struct lines_exporter *c)
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
static char *room(struct lines_exporter *c)
{
    if (BUFFER - c->used < ROW) {
        write_out(c);
    }
    return c->buffer + c->used;
}

static void lines_record(struct exporter *e, const struct flowrec *r)
{
    struct lines_exporter *c = (struct lines_exporter *)e;
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    c->used += c->form->row(r, &c->sums, room(c));
    c->records++;
}

static int lines_finish(struct exporter *e, struct error *err)
{
    struct lines_exporter *c = (struct lines_exporter *)e;
    c->used += c->form->tail ? c->form->tail(&c->sums, room(c)) : 0;
    write_out(c);
    if (close(c->fd) < 0 && !c->error) {
        c->error = errno;
    }
    c->fd = -1;
    return c->error ? error_sys(err, c->error, "cannot write to %s", e->name) : 0;
}

static void lines_free(struct exporter *e)
{
    struct lines_exporter *c = (struct lines_exporter *)e;
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    free(c);
}

static size_t json_row(const struct flowrec *r, struct flowcsv_sums *sums, char *ret)
{
    char id[COMMUNITY_LEN + 1];
    (void)sums;
    return flowtext_json(r, community_id(r, id) ? id : NULL, ret);
}

static size_t long_row(const struct flowrec *r, struct flowcsv_sums *sums, char *ret)
{
    char id[COMMUNITY_LEN + 1];
    (void)sums;
    return flowtext_row(r, community_id(r, id) ? id : NULL, ret);
}

static const struct form forms[LINES_FORMS] = {
    [LINES_CSV] = {flowcsv_head, flowcsv_row, flowcsv_tail},
    [LINES_CSV_LONG] = {flowtext_head, long_row, NULL},
    [LINES_JSON] = {NULL, json_row, NULL},
};

#define OPS(name)                                                                                  \
    {                                                                                              \
        .kind = name, .record = lines_record, .finish = lines_finish, .free = lines_free           \
    }
static const struct exporter_ops ops[LINES_FORMS] = {
    [LINES_CSV] = OPS("csv"),
    [LINES_CSV_LONG] = OPS("csv-long"),
    [LINES_JSON] = OPS("json"),
};
#undef OPS

int lines_exporter_new(enum lines_form form, int fd, const char *name, struct exporter **ret)
{
    struct lines_exporter *c = calloc(1, sizeof(*c));
    if (!c) {
        return -ENOMEM;
    }
    c->exporter.ops = &ops[form];
    c->form = &forms[form];
    (void)snprintf(c->exporter.name, sizeof(c->exporter.name), "%s", name);
    c->fd = fd;
    c->used = c->form->head ? c->form->head(c->buffer) : 0;
    *ret = &c->exporter;
    return 0;
}
