/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ipfix_options.h"

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
    SET_OPTION_TEMPLATES = 3,
    TEMPLATE_FIRST = 259,    /* 258 has names */
    TEMPLATE_SAMPLING = 262, /* behind those of totals */
    PROCESS = 1,             /* the number of our exporting process */
    SELECTOR = 1,            /* of our sample */
    RANDOM_N_OF_N = 3,       /* selectorAlgorithm: random n-out-of-N (IANA's registry of PSAMP) */
    ROOM = 256,
    FIELDS = 3, /* of an option besides its scope */
};

/* A scope of 4 bytes, and counters of 8. */
struct option {
    uint16_t scope, n, element[FIELDS];
};

static const struct option options[] = {
    {149, 3, {41, 42, 40}},    /* observationDomainId; section 4.1: exported…TotalCount */
    {149, 2, {164, 165}},      /* section 4.2: ignoredPacketTotalCount, ignoredOctetTotalCount */
    {144, 3, {166, 167, 168}}, /* exportingProcessId; section 4.3: notSent…TotalCount */
};

/* Each is in a set of its own: some collectors read no more than one of options. */
static void put_template(struct wr *w, unsigned i)
{
    const struct option *o = &options[i];
    wr_u16(w, (uint16_t)(TEMPLATE_FIRST + i));
    wr_u16(w, (uint16_t)(1 + o->n)); /* fields, … */
    wr_u16(w, 1);                    /* … the first of which says what the others are of */
    wr_u16(w, o->scope);
    wr_u16(w, 4);
    for (unsigned k = 0; k < o->n; k++) {
        wr_u16(w, o->element[k]);
        wr_u16(w, 8);
    }
}

/* selectorId, which is the scope, selectorAlgorithm, samplingPacketInterval and Space, samplingSize
 * and Population. */
static const struct {
    uint16_t id, len;
} sampling[] = {{302, 8}, {304, 2}, {305, 4}, {306, 4}, {309, 4}, {310, 4}};

static void put_sampling_template(struct ipfix *m)
{
    uint8_t bytes[ROOM];
    struct wr w = wr_make(bytes, sizeof(bytes));
    wr_u16(&w, TEMPLATE_SAMPLING);
    wr_u16(&w, ARRAY_SIZE(sampling));
    wr_u16(&w, 1);
    for (size_t i = 0; i < ARRAY_SIZE(sampling); i++) {
        wr_u16(&w, sampling[i].id);
        wr_u16(&w, sampling[i].len);
    }
    (void)ipfix_put(m, SET_OPTION_TEMPLATES, bytes, wr_len(&w), 0);
}

bool ipfix_sampling(struct ipfix *m, const struct sampling *s)
{
    const size_t template = 6 + sizeof(sampling);
    uint8_t record[8 + 2 + 4 * 4];
    struct wr w = wr_make(record, sizeof(record));
    if (IPFIX_MESSAGE - m->sets.used < 2 * FLOWSETS_HEADER + template + sizeof(record)) {
        return false;
    }
    put_sampling_template(m);
    wr_u64(&w, SELECTOR);
    wr_u16(&w, RANDOM_N_OF_N);
    wr_u32(&w, 1);
    wr_u32(&w, s->packets - 1);
    wr_u32(&w, 1);
    wr_u32(&w, s->packets);
    return ipfix_put(m, TEMPLATE_SAMPLING, record, sizeof(record), 1);
}

bool ipfix_totals(struct ipfix *m, uint32_t domain, const struct ipfix_totals *t)
{
    uint8_t bytes[ROOM];
    const uint64_t value[][FIELDS] = {
        {t->messages, t->records, t->octets},
        {t->ignored, t->ignored_octets},
        {t->unsent_records, t->unsent_packets, t->unsent_bytes},
    };
    if (IPFIX_MESSAGE - m->sets.used < ROOM) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) { /* there is room for all */
        struct wr w = wr_make(bytes, sizeof(bytes));
        put_template(&w, i);
        (void)ipfix_put(m, SET_OPTION_TEMPLATES, bytes, wr_len(&w), 0);
        w = wr_make(bytes, sizeof(bytes));
        wr_u32(&w, options[i].scope == 144 ? PROCESS : domain);
        for (unsigned k = 0; k < options[i].n; k++) {
            wr_u64(&w, value[i][k]);
        }
        (void)ipfix_put(m, (uint16_t)(TEMPLATE_FIRST + i), bytes, wr_len(&w), 1);
    }
    return true;
}
