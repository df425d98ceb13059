/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/meter/community.h"
#include "data/meter/outfile.h"
#include "proto/flowcsv.h"
#include "proto/flowtext.h"

enum {
    ROW = FLOWTEXT_ROW, /* of any form */
};

_Static_assert((int)ROW >= (int)FLOWCSV_ROW, "room for a line of each form");

/* A form: each function puts a line, or several, and returns its length. NULL: there is none. */
struct form {
    struct exporter_ops ops;
    size_t (*head)(char *ret);
    size_t (*row)(const struct flowrec *r, struct flowcsv_sums *sums, char *ret);
    size_t (*tail)(const struct flowcsv_sums *sums, char *ret);
    bool biflows; /* it has a place for both directions */
};

struct lines_exporter {
    struct exporter exporter;
    const struct form *form;
    struct flowcsv_sums sums;
    struct outfile out;
};

static struct lines_exporter *of(struct exporter *e)
{
    return (struct lines_exporter *)e;
}

static void lines_record(struct exporter *e, const struct flowrec *r)
{
    struct lines_exporter *x = of(e);
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    char *to = outfile_room(&x->out, ROW, &e->ledger);
    if (!to) {
        ledger_add(&e->ledger, LEDGER_EXPORT_SLOW, 1);
        return;
    }
    outfile_put(&x->out, x->form->row(r, &x->sums, to), 1);
}

static void lines_tick(struct exporter *e, const struct exporter_news *news)
{
    (void)news;
    outfile_flush(&of(e)->out, &e->ledger);
}

static int lines_finish(struct exporter *e, struct error *err)
{
    struct lines_exporter *x = of(e);
    char *to = x->form->tail ? outfile_room(&x->out, ROW, &e->ledger) : NULL;
    if (to) {
        outfile_put(&x->out, x->form->tail(&x->sums, to), 0);
    }
    return outfile_finish(&x->out, e->name, &e->ledger, err);
}

static void lines_free(struct exporter *e)
{
    outfile_done(&of(e)->out);
    free(e);
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

#define OPS(name)                                                                                  \
    {                                                                                              \
        .kind = name, .record = lines_record, .tick = lines_tick, .finish = lines_finish,          \
        .free = lines_free                                                                         \
    }
static const struct form forms[LINES_FORMS] = {
    [LINES_CSV] = {OPS("csv"), flowcsv_head, flowcsv_row, flowcsv_tail, false},
    [LINES_CSV_LONG] = {OPS("csv-long"), flowtext_head, long_row, NULL, true},
    [LINES_JSON] = {OPS("json"), NULL, json_row, NULL, true},
};
#undef OPS

int lines_exporter_new(enum lines_form form, int fd, const char *name, bool live,
                       struct exporter **ret)
{
    struct lines_exporter *x = calloc(1, sizeof(*x));
    if (!x || outfile_init(&x->out, fd, live) < 0) {
        free(x);
        return -ENOMEM;
    }
    x->form = &forms[form];
    x->exporter.ops = &x->form->ops;
    x->exporter.biflows = x->form->biflows;
    (void)snprintf(x->exporter.name, sizeof(x->exporter.name), "%s", name);
    if (x->form->head) {
        outfile_put(&x->out, x->form->head(outfile_room(&x->out, ROW, &x->exporter.ledger)), 0);
    }
    *ret = &x->exporter;
    return 0;
}
