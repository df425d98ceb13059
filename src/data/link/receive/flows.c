/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records that a tap has sent in place of frames: they are taken out of the batch before it
 * goes down the pipeline, read, counted, and given to whoever wants records.
 */
#include "base/cleanup.h"
#include "data/link/receive/impl.h"
#include "proto/ipfix_read.h"

enum {
    RECORD_MIN = 32, /* bytes: with fewer a record says too little to be worth what it costs here */
};

/* The records of one FLOWS. */
struct taker {
    const struct receiver *r;
    uint32_t point, left; /* left: so many may come still */
    struct ledger *ledger;
    const struct align_point *align; /* NULL: times stay as they are */
};

/* A record has no time before 1970. */
static int64_t aligned(const struct taker *t, int64_t ns)
{
    const int64_t ours = align_time(&t->align->to, ns, t->r->now);
    return MAX(ours, 0);
}

/* A tap can say any number. */
static void add_told(struct ledger *l, uint64_t packets)
{
    ledger_set(l, LEDGER_RX_TOLD, ledger_plus(ledger_get(l, LEDGER_RX_TOLD), packets));
}

static void take_record(void *user, const struct flowrec *rec)
{
    struct taker *t = user;
    struct flowrec own = *rec;
    if (t->left == 0) {
        return;
    }
    t->left--;
    if (t->align) {
        own.first_ns = aligned(t, own.first_ns);
        own.last_ns = aligned(t, own.last_ns);
        if (own.reverse.packets > 0) {
            own.reverse.first_ns = aligned(t, own.reverse.first_ns);
            own.reverse.last_ns = aligned(t, own.reverse.last_ns);
        }
    }
    ledger_add(t->ledger, LEDGER_RX_RECORDS, 1);
    add_told(t->ledger, own.packets + own.reverse.packets);
    if (t->r->conf.record) {
        t->r->conf.record(t->r->conf.user, t->point, &own);
    }
}

static void take(struct receiver *r, const struct frame *f)
{
    const struct align_point *align = r->align[f->point];
    struct taker t = {.r = r,
                      .point = f->point,
                      .left = f->caplen / RECORD_MIN,
                      .ledger = r->ledger[f->point],
                      .align = align && align->known ? align : NULL};
    struct ipfix_read_counts counts = {0};
    if (t.ledger) {
        const int e = ipfix_read(f->data, f->caplen, take_record, &t, &counts);
        const bool all = e == 0 && counts.skipped == 0 && counts.records <= f->caplen / RECORD_MIN;
        ledger_add(t.ledger, LEDGER_RX_UNREADABLE, !all);
    }
}

/* Frames stay in the batch. */
static bool keep(const struct frame *f, void *receiver)
{
    if (f->flows) {
        take(receiver, f);
    }
    return !f->flows;
}

void rx_take_flows(struct receiver *r)
{
    (void)batch_filter(&r->pipeline.batch, keep, r);
}
