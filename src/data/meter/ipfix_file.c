/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/ipfix_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/meter/outfile.h"
#include "data/meter/streams.h"
#include "data/sink.h"
#include "proto/ipfix_options.h"

enum {
    DOMAIN_OPTIONS = 0,
    DOMAIN_RECORDS = 1,
};

struct ipfix_file {
    struct exporter exporter;
    struct outfile out;
    struct streams streams;
    struct ipfix names;
    struct sampling sampling; /* to be declared; 0: nothing is, or it was */
};

static struct ipfix_file *of(struct exporter *e)
{
    return (struct ipfix_file *)e;
}

/* The message is done. `records` of those in it are flow records. */
static void push(struct ipfix_file *x, struct ipfix *m, uint64_t records)
{
    char *to = outfile_room(&x->out, IPFIX_MESSAGE, &x->exporter.ledger);
    const size_t n = ipfix_end(m);
    if (to) {
        memcpy(to, m->sets.bytes, n);
        outfile_put(&x->out, n, (uint32_t)records);
    } else {
        ledger_add(&x->exporter.ledger, LEDGER_EXPORT_SLOW, records);
    }
}

static void push_records(struct ipfix_file *x, struct stream *st)
{
    push(x, &st->encode.ipfix, st->encode.ipfix.records);
}

static void tell_name(struct ipfix_file *x, struct stream *st, const struct flowrec *r)
{
    push_records(x, st);
    x->names.time_s = MAX(x->names.time_s, st->encode.ipfix.time_s);
    if (x->sampling.packets > 0) {
        (void)ipfix_sampling(&x->names, &x->sampling); /* there is room for both */
        x->sampling = (struct sampling){0};
    }
    (void)ipfix_name(&x->names, r->interface, r->point);
    push(x, &x->names, 0);
}

static void ipfix_record(struct exporter *e, const struct flowrec *r)
{
    struct ipfix_file *x = of(e);
    struct stream *st = streams_of(&x->streams, r);
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    if (!st) {
        ledger_add(&e->ledger, LEDGER_EXPORT_ERROR, 1);
        return;
    }
    if (!st->begun) {
        st->begun = true;
        (void)ipfix_templates(&st->encode.ipfix);
    }
    if (streams_new_name(&x->streams, r)) {
        tell_name(x, st, r);
    }
    if (!ipfix_add(&st->encode.ipfix, r)) {
        push_records(x, st);
        (void)ipfix_add(&st->encode.ipfix, r); /* and for a record */
    }
}

static void push_all(struct ipfix_file *x)
{
    for (unsigned i = 0; i < x->streams.n; i++) {
        push_records(x, streams_at(&x->streams, i));
    }
}

static void ipfix_tick(struct exporter *e, const struct exporter_news *news)
{
    struct ipfix_file *x = of(e);
    if (news->live) { /* a file's messages do not depend on how fast it is read */
        push_all(x);
    }
    outfile_flush(&x->out, &e->ledger);
}

static int ipfix_finish(struct exporter *e, struct error *err)
{
    struct ipfix_file *x = of(e);
    push_all(x);
    return outfile_finish(&x->out, e->name, &e->ledger, err);
}

static void ipfix_free(struct exporter *e)
{
    struct ipfix_file *x = of(e);
    outfile_done(&x->out);
    streams_done(&x->streams);
    free(e);
}

static const struct exporter_ops ops = {
    .kind = "ipfix",
    .record = ipfix_record,
    .tick = ipfix_tick,
    .finish = ipfix_finish,
    .free = ipfix_free,
};

/* One stream for all begins at once: a file without records has their templates. */
static bool begin(struct ipfix_file *x)
{
    struct stream *st = streams_of(&x->streams, &(struct flowrec){.packets = 0});
    if (st) {
        st->begun = true;
        (void)ipfix_templates(&st->encode.ipfix);
    }
    return st != NULL;
}

int ipfix_file_exporter_new(int fd, const char *name, unsigned with, bool each, bool live,
                            const struct sampling *sampling, struct exporter **ret)
{
    struct ipfix_file *x = calloc(1, sizeof(*x));
    if (!x || outfile_init(&x->out, fd, live) < 0) {
        free(x);
        return -ENOMEM;
    }
    x->exporter.ops = &ops;
    x->sampling = *sampling;
    x->exporter.biflows = with & IPFIX_BIFLOW;
    (void)snprintf(x->exporter.name, sizeof(x->exporter.name), "%s", name);
    streams_init(&x->streams, &(struct streams_conf){ENCODE_IPFIX, each, DOMAIN_RECORDS, with});
    ipfix_init(&x->names, DOMAIN_OPTIONS);
    if (!each && !begin(x)) {
        x->out.fd = -1; /* it stays the caller's */
        ipfix_free(&x->exporter);
        return -ENOMEM;
    }
    *ret = &x->exporter;
    return 0;
}
