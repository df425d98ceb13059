/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/encode.h"

#include "base/cleanup.h"
#include "base/ledger.h"
#include "base/time.h"
#include "proto/ipfix_options.h"

void encode_init(struct encode *s, enum encode_form form, uint32_t source, unsigned with)
{
    s->form = form;
    s->records = 0;
    s->packets = s->bytes = 0;
    if (form == ENCODE_NETFLOW5) {
        netflow5_init(&s->v5, (uint8_t)source);
    } else if (form == ENCODE_NETFLOW9) {
        netflow9_init(&s->v9, source);
    } else {
        ipfix_init_with(&s->ipfix, source, with);
    }
}

unsigned encode_parts(const struct encode *s, const struct flowrec *r)
{
    return s->form == ENCODE_NETFLOW5 ? netflow5_parts(r) : 1;
}

void encode_time(struct encode *s, const struct flowrec *r)
{
    if (s->form == ENCODE_NETFLOW9) {
        uptime_take(&s->v9.uptime, r);
    } else if (s->form == ENCODE_IPFIX) {
        s->ipfix.time_s = MAX(s->ipfix.time_s, (uint32_t)(r->last_ns / NSEC_PER_SEC));
    }
}

static bool put(struct encode *s, const struct flowrec *r, unsigned n, unsigned i)
{
    if (s->form == ENCODE_NETFLOW5) {
        const struct flowrec part = netflow5_part(r, n, i);
        return netflow5_add(&s->v5, &part);
    }
    return s->form == ENCODE_NETFLOW9 ? netflow9_add(&s->v9, r) : ipfix_add(&s->ipfix, r);
}

bool encode_part(struct encode *s, const struct flowrec *r, unsigned n, unsigned i)
{
    if (!put(s, r, n, i)) {
        return false;
    }
    if (i == n - 1) {
        s->records++;
        s->packets = ledger_plus(s->packets, ledger_plus(r->packets, r->reverse.packets));
        s->bytes = ledger_plus(s->bytes, ledger_plus(r->bytes, r->reverse.bytes));
    }
    return true;
}

bool encode_templates(struct encode *s)
{
    switch (s->form) {
    case ENCODE_NETFLOW9:
        return netflow9_templates(&s->v9);
    case ENCODE_IPFIX:
        return ipfix_templates(&s->ipfix);
    case ENCODE_NETFLOW5:
    case ENCODE_FORMS:
        break;
    }
    return true;
}

bool encode_interface(struct encode *s, uint32_t interface, const char *name)
{
    switch (s->form) {
    case ENCODE_NETFLOW9:
        return netflow9_name(&s->v9, interface, name);
    case ENCODE_IPFIX:
        return ipfix_name(&s->ipfix, interface, name);
    case ENCODE_NETFLOW5:
    case ENCODE_FORMS:
        break;
    }
    return true;
}

bool encode_sampling(struct encode *s, const struct sampling *sampling)
{
    switch (s->form) {
    case ENCODE_NETFLOW9:
        return netflow9_sampling(&s->v9, sampling);
    case ENCODE_IPFIX:
        return ipfix_sampling(&s->ipfix, sampling);
    case ENCODE_NETFLOW5:
        netflow5_sampling(&s->v5, sampling);
        break;
    case ENCODE_FORMS:
        break;
    }
    return true;
}

const uint8_t *encode_end(struct encode *s, size_t *ret_len)
{
    const uint8_t *bytes = s->form == ENCODE_NETFLOW5   ? s->v5.bytes
                           : s->form == ENCODE_NETFLOW9 ? s->v9.sets.bytes
                                                        : s->ipfix.sets.bytes;
    *ret_len = s->form == ENCODE_NETFLOW5   ? netflow5_end(&s->v5)
               : s->form == ENCODE_NETFLOW9 ? netflow9_end(&s->v9)
                                            : ipfix_end(&s->ipfix);
    s->records = 0;
    s->packets = s->bytes = 0;
    return *ret_len > 0 ? bytes : NULL;
}
