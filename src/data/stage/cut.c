/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts super-packets into the frames that are on the wire (proto/gso.h), finishes checksums that
 * were left to the card, and slices to the snaplen, in this order: so a tool downstream sees what a
 * capture with all offloads off would have seen.
 *
 * An expanding stage: more may come out than went in. Frames that need no work pass without a copy.
 * While the tap's limit leaves headers only, the payload of super-packets is summed and not copied.
 */

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/stage.h"
#include "proto/gso.h"

enum {
    ARENA = 1 << 20, /* bytes of cut frames in one batch */
};

struct cut_stage {
    struct stage stage;
    bool cut;
    uint32_t snaplen;               /* 0: all */
    const struct limit_view *limit; /* NULL: there is none */
    uint32_t most;                  /* bytes that are made of a frame of this batch */
    struct ledger *ledger;          /* of the pass under way */
    uint32_t at;                    /* in the batch that is being worked on */
    uint32_t next; /* frame of the plan that comes next; 0: there is no plan under way */
    struct gso_plan plan;
    uint32_t used;
    uint8_t arena[ARENA];
};

static void slice(const struct cut_stage *c, uint32_t *caplen)
{
    if (c->snaplen && *caplen > c->snaplen) {
        *caplen = c->snaplen;
        ledger_add(c->ledger, LEDGER_CUT_SLICED, 1);
    }
}

/* Payload that goes at the end of the pipeline, and that nothing looks at until then, need not be
 * copied. */
static uint32_t most_to_make(const struct cut_stage *c, const struct pass *p)
{
    const bool headers = c->limit && p->plain && limit_unpack(limit_step(c->limit)).headers;
    return headers && !limit_keep(c->limit) ? GSO_HEADERS_MAX : UINT32_MAX;
}

/* A checksum of which the card was to do the rest. In place: the memory is the ring's or our own,
 * and nobody else reads it before it is given back. */
static void finish_checksum(const struct cut_stage *c, const struct frame *f)
{
    uint8_t *data = (uint8_t *)(uintptr_t)f->data;
    uint32_t before = f->ins_len > 0 && f->ins_off <= f->csum_start ? f->ins_len : 0;
    if (f->caplen != f->origlen || f->csum_start < before ||
        gso_finish_checksum(data, f->datalen, (uint16_t)(f->csum_start - before), f->csum_offset) <
            0) {
        ledger_add(c->ledger, LEDGER_CUT_NOSUM, 1);
    } else {
        ledger_add(c->ledger, LEDGER_CUT_SUMMED, 1);
    }
}

/* Frames of the plan under way, as many as fit. False when that is not all of them. */
static bool emit(struct cut_stage *c, const struct frame *in, struct batch *out)
{
    uint32_t need = c->plan.header_len + c->plan.size;
    for (; c->next < c->plan.frames; c->next++) {
        if (out->n == BATCH_MAX || ARENA - c->used < need) {
            return false;
        }
        struct frame *f = &out->f[out->n++];
        *f = *in;
        f->data = c->arena + c->used;
        struct gso_made made = gso_frame(&c->plan, in, c->next, c->most, c->arena + c->used);
        slice(c, &made.caplen);
        f->origlen = made.origlen;
        f->datalen = made.written;
        f->caplen = MIN(made.caplen, made.written);
        f->full = made.caplen > made.written ? made.caplen : 0;
        f->ins_len = 0;
        f->ins_off = 0;
        f->gso_type = f->vnet_flags = 0;
        c->used += made.written;
    }
    ledger_add(c->ledger, LEDGER_CUT_SUPER, 1);
    ledger_add(c->ledger, LEDGER_CUT_MADE, c->plan.frames - 1);
    ledger_add(c->ledger, LEDGER_CUT_OUT, c->plan.frames);
    c->next = 0;
    return true;
}

static void pass(struct cut_stage *c, const struct frame *in, struct batch *out)
{
    struct frame *f = &out->f[out->n++];
    *f = *in;
    if (in->gso_type == 0 && in->vnet_flags & GSO_NEEDS_CSUM) {
        finish_checksum(c, in);
    } else if (in->gso_type != 0) {
        ledger_add(c->ledger, LEDGER_CUT_UNCUT, 1);
    }
    slice(c, &f->caplen);
    ledger_add(c->ledger, LEDGER_CUT_OUT, 1);
}

static bool cut_expand(struct stage *s, struct batch *in, struct batch *out, const struct pass *p)
{
    struct cut_stage *c = (struct cut_stage *)s;
    c->ledger = p->common;
    c->used = 0;
    c->most = most_to_make(c, p);
    while (c->at < in->n && out->n < BATCH_MAX) {
        const struct frame *f = &in->f[c->at];
        bool plan = c->next > 0;
        if (!plan && c->cut && f->gso_type != 0 && gso_plan(f, &c->plan) == 0 &&
            c->plan.header_len + c->plan.size <= ARENA) {
            plan = true;
        }
        if (plan && !emit(c, f, out)) {
            /* `next` may be 0 when not one fitted: out is then not empty, and it is tried again */
            return true;
        }
        if (!plan) {
            pass(c, f, out);
        }
        c->at++;
    }
    if (c->at < in->n) {
        return true;
    }
    c->at = 0;
    return false;
}

static const struct stage_ops ops = {
    .expand = cut_expand,
    .free = stage_free,
};

int cut_stage_new(const struct stage_conf *conf, struct stage **ret)
{
    struct cut_stage *c = calloc(1, sizeof(*c));
    if (!c) {
        return -ENOMEM;
    }
    c->stage.ops = &ops;
    c->cut = !conf->keep_super;
    c->snaplen = conf->snaplen;
    c->limit = conf->limit;
    *ret = &c->stage;
    return 0;
}
