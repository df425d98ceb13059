/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/carry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/meter/encode.h"

enum {
    DOMAIN = 1,
};

struct piece {
    struct piece *next;
    struct carry_piece is;
    uint32_t records;
    uint8_t bytes[CARRY_PIECE];
};

struct carry {
    struct exporter exporter;
    struct encode encode;
    struct piece *first, *last; /* that wait */
    uint64_t waiting;           /* bytes of memory of these */
    struct piece *open;         /* gets the messages now; NULL: none */
    struct mono since;          /* when a tick first saw it; {0}: none did */
    uint64_t untold;
};

static struct carry *of(struct exporter *e)
{
    return (struct carry *)e;
}

/* ---- pieces ---- */

/* The message under way goes into the open piece, which has room for it. */
static void end_message(struct carry *c)
{
    struct piece *p = c->open;
    const uint32_t records = c->encode.records;
    const uint64_t packets = c->encode.packets;
    size_t len = 0;
    const uint8_t *message = encode_end(&c->encode, &len);
    if (message) {
        memcpy(p->bytes + p->is.len, message, len);
        p->is.len += (uint32_t)len;
        p->is.packets += packets;
        p->records += records;
    }
}

static void close_piece(struct carry *c)
{
    struct piece *p = c->open;
    if (!p) {
        return;
    }
    end_message(c);
    if (c->last) {
        c->last->next = p;
    } else {
        c->first = p;
    }
    c->last = p;
    c->waiting += sizeof(*p);
    c->open = NULL;
    c->since = (struct mono){0};
}

/* A piece that begins with the templates. False: there is no room for one. */
static bool open_piece(struct carry *c)
{
    if (c->open) {
        return true;
    }
    if (c->waiting + sizeof(*c->open) > CARRY_BYTES) {
        return false;
    }
    c->open = calloc(1, sizeof(*c->open));
    if (c->open) {
        c->open->is.bytes = c->open->bytes;
        (void)encode_templates(&c->encode);
    }
    return c->open != NULL;
}

/* ---- the exporter ---- */

/* True once the record is in a message. */
static bool put(struct carry *c, const struct flowrec *r)
{
    if (!open_piece(c)) {
        return false;
    }
    if (encode_part(&c->encode, r, 1, 0)) {
        return true;
    }
    end_message(c);
    if (c->open->is.len + IPFIX_MESSAGE > CARRY_PIECE) {
        close_piece(c);
    }
    return open_piece(c) && encode_part(&c->encode, r, 1, 0);
}

static void carry_record(struct exporter *e, const struct flowrec *r)
{
    struct carry *c = of(e);
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    if (!put(c, r)) {
        ledger_add(&e->ledger, LEDGER_EXPORT_SLOW, 1);
        c->untold += r->packets + r->reverse.packets;
    }
}

static void carry_tick(struct exporter *e, const struct exporter_news *news)
{
    struct carry *c = of(e);
    if (!c->open) {
        return;
    }
    c->since = c->since.ns ? c->since : news->now;
    if (news->last || mono_diff(news->now, c->since) >= CARRY_MS * NSEC_PER_MSEC) {
        close_piece(c);
    }
}

static int carry_finish(struct exporter *e, struct error *err)
{
    (void)err; /* it always can */
    close_piece(of(e));
    return 0;
}

static void carry_free(struct exporter *e)
{
    while (carry_first(e)) {
        carry_drop(e);
    }
    free(of(e)->open);
    free(e);
}

static const struct exporter_ops ops = {
    .kind = "link",
    .record = carry_record,
    .tick = carry_tick,
    .finish = carry_finish,
    .free = carry_free,
};

int carry_exporter_new(struct exporter **ret)
{
    struct carry *c = calloc(1, sizeof(*c));
    if (!c) {
        return -ENOMEM;
    }
    c->exporter.ops = &ops;
    c->exporter.biflows = true;
    (void)snprintf(c->exporter.name, sizeof(c->exporter.name), "link");
    encode_init(&c->encode, ENCODE_IPFIX, DOMAIN, IPFIX_BIFLOW | IPFIX_NS);
    *ret = &c->exporter;
    return 0;
}

/* ---- who takes them ---- */

const struct carry_piece *carry_first(const struct exporter *e)
{
    const struct carry *c = (const struct carry *)e;
    return c->first ? &c->first->is : NULL;
}

/* The oldest piece goes; its records count so. */
static void end_piece(struct carry *c, enum ledger_id as)
{
    struct piece *p = c->first;
    c->first = p->next;
    c->last = c->first ? c->last : NULL;
    c->waiting -= sizeof(*p);
    ledger_add(&c->exporter.ledger, as, p->records);
    free(p);
}

void carry_drop(struct exporter *e)
{
    end_piece(of(e), LEDGER_EXPORT_OUT);
}

void carry_shed(struct exporter *e)
{
    struct carry *c = of(e);
    while (c->first) {
        c->untold += c->first->is.packets;
        end_piece(c, LEDGER_EXPORT_SLOW);
    }
}

uint64_t carry_untold(const struct exporter *e)
{
    return ((const struct carry *)e)->untold;
}
