/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/ipfix_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/meter/outfile.h"
#include "data/sink.h"
#include "proto/ipfix.h"

enum {
    DOMAIN_OPTIONS = 0,
    DOMAIN_RECORDS = 1,
};

struct ipfix_file {
    struct exporter exporter;
    struct outfile out;
    struct ipfix records, names;
    bool told[POINT_MAX + 1]; /* by the interface's number */
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
    memcpy(to, m->bytes, n);
    outfile_put(&x->out, n, records);
}

static void tell_name(struct ipfix_file *x, const struct flowrec *r)
{
    push(x, &x->records, x->records.records);
    x->names.time_s = x->records.time_s;
    (void)ipfix_name(&x->names, r->interface, r->point); /* there is room for one */
    push(x, &x->names, 0);
    x->told[r->interface] = true;
}

static void ipfix_record(struct exporter *e, const struct flowrec *r)
{
    struct ipfix_file *x = of(e);
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    if (r->point && r->interface <= POINT_MAX && !x->told[r->interface]) {
        tell_name(x, r);
    }
    if (!ipfix_add(&x->records, r)) {
        push(x, &x->records, x->records.records);
        (void)ipfix_add(&x->records, r); /* and for a record */
    }
}

static void ipfix_tick(struct exporter *e, const struct exporter_news *news)
{
    struct ipfix_file *x = of(e);
    if (news->live) { /* a file's messages do not depend on how fast it is read */
        push(x, &x->records, x->records.records);
    }
    outfile_flush(&x->out, &e->ledger);
}

static int ipfix_finish(struct exporter *e, struct error *err)
{
    struct ipfix_file *x = of(e);
    push(x, &x->records, x->records.records);
    return outfile_finish(&x->out, e->name, &e->ledger, err);
}

static void ipfix_free(struct exporter *e)
{
    outfile_done(&of(e)->out);
    free(e);
}

static const struct exporter_ops ops = {
    .kind = "ipfix",
    .record = ipfix_record,
    .tick = ipfix_tick,
    .finish = ipfix_finish,
    .free = ipfix_free,
};

int ipfix_file_exporter_new(int fd, const char *name, unsigned with, struct exporter **ret)
{
    struct ipfix_file *x = calloc(1, sizeof(*x));
    if (!x) {
        return -ENOMEM;
    }
    x->exporter.ops = &ops;
    x->exporter.biflows = with & IPFIX_BIFLOW;
    x->out.fd = fd;
    (void)snprintf(x->exporter.name, sizeof(x->exporter.name), "%s", name);
    ipfix_init_with(&x->records, DOMAIN_RECORDS, with);
    ipfix_init(&x->names, DOMAIN_OPTIONS);
    (void)ipfix_templates(&x->records);
    *ret = &x->exporter;
    return 0;
}
