/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tap_summary.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cmd/cmd.h"

static void summary_of(const char *of, const struct ledger *l, uint64_t unconfirmed)
{
    char name[TEXT_ESCAPE * 32];
    text_name(name, sizeof(name), of, strlen(of));
    fprintf(stderr,
            "%s: %" PRIu64 " captured\n%s: %" PRIu64 " received by filter\n%s: %" PRIu64
            " dropped by kernel\n",
            name, ledger_get(l, LEDGER_RING_OUT), name, ledger_get(l, LEDGER_RING_IN), name,
            ledger_get(l, LEDGER_RING_FULL) + ledger_get(l, LEDGER_RING_OFFLOAD));
    static const struct {
        enum ledger_id id;
        const char *words;
    } drops[] = {
        {LEDGER_TX_NOSESSION, "dropped without a session"},
        {LEDGER_TX_BACKLOG_FULL, "dropped, oldest in a full backlog"},
        {LEDGER_TX_LEFT, "dropped, left in the backlog when time was up"},
    };
    for (size_t k = 0; k < ARRAY_SIZE(drops); k++) {
        uint64_t lost = ledger_get(l, drops[k].id);
        if (lost > 0) {
            fprintf(stderr, "%s: %" PRIu64 " %s\n", name, lost, drops[k].words);
        }
    }
    if (unconfirmed > 0) {
        fprintf(stderr, "%s: %" PRIu64 " %s\n", name, unconfirmed,
                ledger_info(LEDGER_TX_UNCONFIRMED)->words);
    }
}

int tap_summary(const struct tap *t, const char *collector, bool strict)
{
    struct dialer_status st;
    const struct dialer *d = tap_dialer(t);
    const struct interfaces *all = tap_interfaces(t);
    uint64_t unconfirmed = all->gone.counts.said.unconfirmed;
    for (unsigned k = 0; k < all->n; k++) {
        struct dialer_stream_status said;
        dialer_stream_status(d, all->at[k]->stream, &said);
        summary_of(all->at[k]->name, capture_ledger(all->at[k]->capture), said.unconfirmed);
        unconfirmed += said.unconfirmed;
    }
    if (all->gone.n > 0) {
        summary_of("interfaces that are gone", &all->gone.counts.ledger,
                   all->gone.counts.said.unconfirmed);
    }
    dialer_status(d, &st);
    if (st.sessions == 0) {
        say("tap", "there never was a session with the collector at %s", collector);
    }
    return st.sessions == 0 || (strict && unconfirmed > 0) ? EXIT_FAILURE : EXIT_SUCCESS;
}
