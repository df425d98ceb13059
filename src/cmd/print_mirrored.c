/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a collector's document about frames that come without a tap; cmd/print_collector.c
 * calls it.
 */
#include <inttypes.h>

#include "base/ledger.h"
#include "cmd/print_parts.h"

static void print_figures(FILE *to, const json_t *stage)
{
    for (unsigned i = LEDGER_MIR_GAPS; i <= LEDGER_MIR_TAGGED; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (num(stage, info->key) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " %s\n", "", num(stage, info->key), info->words);
        }
    }
}

static void print_word(FILE *to, const json_t *word)
{
    if (word) {
        fprintf(to,
                "  ivTAP's client: %s, latency %" PRId64 " ms, %" PRId64 " bytes sent, %" PRId64
                " not received, %" PRId64 " at most\n",
                str(word, "state"), signed_num(word, "latency_ms"), signed_num(word, "bytes_sent"),
                signed_num(word, "difference"), signed_num(word, "difference_max"));
    }
}

static void print_way(FILE *to, const json_t *o)
{
    size_t i;
    json_t *out;
    const json_t *stages = json_object_get(o, "stages");
    print_stages(to, stages);
    print_figures(to, json_object_get(stages, "mirror"));
    print_word(to, json_object_get(o, "ivtap"));
    json_array_foreach(json_object_get(o, "outputs"), i, out)
    {
        print_output(to, out);
    }
}

void print_mirrored(const json_t *m, FILE *to)
{
    size_t i, k;
    json_t *sender, *o;
    const json_t *senders = json_object_get(m, "senders");
    const json_t *others = json_object_get(json_object_get(m, "stages"), "mirror");
    fprintf(to, "mirrored without a tap: %zu sender%s\n", json_array_size(senders),
            json_array_size(senders) == 1 ? "" : "s");
    if (num(others, "in") != 0) {
        print_stage(to, "of no sender", "mirror", others);
    }
    json_array_foreach(senders, i, sender)
    {
        fprintf(to, "sender %s: last heard %" PRId64 " s ago", str(sender, "address"),
                signed_num(sender, "heard_seconds"));
        fprintf(to, json_object_get(sender, "description") ? ", %s\n" : "%s\n",
                str(sender, "description"));
        json_array_foreach(json_object_get(sender, "interfaces"), k, o)
        {
            fprintf(to, " %s\n", str(o, "name"));
            print_way(to, o);
        }
    }
    o = json_object_get(m, "gone_interfaces");
    if (o) {
        fprintf(to, "of senders that are not remembered one by one: %" PRId64 "\n",
                signed_num(o, "count"));
        print_way(to, o);
    }
}
