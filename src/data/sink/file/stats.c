/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/stats.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/pcapng.h"

/* "ring: captured: 97", a line each; counters that are zero say nothing. */
static void put_words(char *out, size_t size, const struct ledger *figures,
                      const struct ledger *sink)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        bool ours = info->stage == LEDGER_SINK;
        uint64_t v = ledger_get(ours ? sink : figures, (enum ledger_id)i);
        if (v > 0 && used < size) {
            int n = snprintf(out + used, size - used, "%s%s: %s: %" PRIu64, used ? "\n" : "",
                             ledger_stage_name(info->stage), info->words, v);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

void file_stats_put(struct wr *w, const struct file_point *point, struct wall end)
{
    char words[4096];
    const struct ledger *figures = &point->figures;
    struct pcapng_isb isb = {.ifid = point->ifid, .ts_ns = end.ns, .end_ns = end.ns};
    isb.has = PCAPNG_HAS_START | PCAPNG_HAS_END | PCAPNG_HAS_USRDELIV | PCAPNG_HAS_IFDROP;
    isb.start_ns = point->start.ns;
    isb.usrdeliv = point->written;
    isb.ifdrop = ledger_sum(point->ledger, NULL, LEDGER_SINK).dropped;
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        bool lost = info->kind == LEDGER_DROP && info->stage != LEDGER_SINK &&
                    ledger_stage_drops(info->stage) == LEDGER_FAULT;
        isb.ifdrop += lost ? ledger_get(figures, (enum ledger_id)i) : 0;
    }
    uint64_t received = ledger_get(figures, LEDGER_RING_IN);
    if (received > 0) {
        isb.has |= PCAPNG_HAS_IFRECV | PCAPNG_HAS_ACCEPT | PCAPNG_HAS_OSDROP;
        isb.ifrecv = isb.accept = received;
        isb.osdrop =
            ledger_get(figures, LEDGER_RING_FULL) + ledger_get(figures, LEDGER_RING_OFFLOAD);
    }
    put_words(words, sizeof(words), figures, point->ledger);
    isb.comment = pcapng_text(words[0] ? words : NULL);
    pcapng_put_isb(w, &isb);
}
