/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as IPFIX messages: records keep the promises of ipfix_read.h and flowrec.h, and those
 * that were read are the same once ipfix.h has written them.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/ledger.h"
#include "proto/ipfix_read_testing.h"

enum {
    WRITTEN = 64, /* records that are written and read again */
};

/* NTP's form tells no later time. */
#define NTP_END ((INT64_C(1) << 32) * NSEC_PER_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_bounded(uint64_t packets, uint64_t bytes, int64_t first_ns, int64_t last_ns)
{
    return packets <= LEDGER_MOST && bytes <= LEDGER_MOST && first_ns >= 0 && first_ns <= last_ns;
}

static void check(void *user, const struct flowrec *r)
{
    static const uint8_t none[12];
    const struct flowrec_reverse *back = &r->reverse, nothing = {0};
    require(r->version == 4 || r->version == 6);
    require(r->version == 6 ||
            (memcmp(&r->addr[0][4], none, 12) == 0 && memcmp(&r->addr[1][4], none, 12) == 0));
    require(is_bounded(r->packets, r->bytes, r->first_ns, r->last_ns));
    require(is_bounded(back->packets, back->bytes, back->first_ns, back->last_ns));
    require(r->packets > 0 || back->packets > 0);
    require(back->packets > 0 || same_reverse(back, &nothing));
    require(r->biflow <= FLOWREC_RESPONDER && (r->biflow > 0 || back->packets == 0));
    require(r->vlans <= 2);
    for (unsigned i = 0; i < FLOWREC_VLANS; i++) {
        require(r->vlan[i] <= 0x0fff && (r->vlan[i] > 0) == (i < r->vlans));
    }
    require(r->label <= 0xffffff && r->has_label == (r->label > 0));
    require(r->has_mac == (memcmp(r->mac, none, sizeof(r->mac)) != 0));
    require(!flowrec_is_icmp(r) || r->port[0] == 0);
    require(!r->point && r->tunnel == TUNNEL_NONE && r->tunnel_id == 0 && r->outer_version == 0);
    seen_add(user, r);
}

static void write_and_read(const struct flowrec *r, unsigned with)
{
    static struct ipfix m;
    static struct seen again;
    const struct flowrec want = testing_read_back(r, with);
    ipfix_init_with(&m, TESTING_DOMAIN, with);
    require(ipfix_templates(&m) && ipfix_add(&m, r));
    require(seen_read(&again, m.sets.bytes, ipfix_end(&m)) == 0);
    if (want.packets == 0 && want.reverse.packets == 0) {
        require(again.n == 0 && again.counts.skipped == 1);
        return;
    }
    require(again.n == 1 && again.counts.messages == 1 && again.counts.records == 1);
    require(same_record(&again.r[0], &want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct seen seen;
    seen.n = 0;
    const int err = ipfix_read(data, size, check, &seen, &seen.counts);
    require(err == 0 || err == -EBADMSG);
    require(seen.counts.records == seen.n);
    require(seen.counts.records + seen.counts.skipped <= size);
    require(seen.counts.messages <= size / TESTING_HEADER);
    for (unsigned i = 0; i < MIN(seen.n, WRITTEN); i++) {
        const struct flowrec *r = &seen.r[i];
        const bool fits = r->last_ns < NTP_END && r->reverse.last_ns < NTP_END;
        const unsigned all = IPFIX_TUNNEL | IPFIX_BIFLOW | (fits ? IPFIX_NS : 0);
        for (unsigned with = 0; with <= all; with++) {
            write_and_read(r, with);
        }
    }
    return 0;
}
