/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's stages as members of a document; report_tap.c and report_collector.c call it.
 */
#include "node/document.h"
#include "node/report.h"
#include "node/report_parts.h"

json_t *report_stage(const struct ledger *l, const struct ledger_way *way, enum ledger_stage stage)
{
    json_t *o = json_object(), *drops = json_object();
    struct ledger_sum sum = ledger_sum(l, way, stage);
    document_set(o, "in", sum.in);
    if (sum.made > 0) {
        document_set(o, "made", sum.made);
    }
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->stage == stage && info->kind == LEDGER_DROP) {
            document_set(drops, info->key, ledger_get(l, (enum ledger_id)i));
        }
    }
    (void)json_object_set_new(o, "drops", drops);
    document_set(o, "out", sum.out);
    report_set_int(o, "in_flight", sum.in_flight);
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->stage == stage && (info->kind == LEDGER_INFO || info->kind == LEDGER_ASIDE)) {
            document_set(o, info->key, ledger_get(l, (enum ledger_id)i));
        }
    }
    return o;
}

json_t *report_stages(const struct ledger *l, const struct ledger_way *way)
{
    json_t *o = json_object();
    for (unsigned k = 0; k < way->n; k++) {
        const enum ledger_stage stage = (enum ledger_stage)way->at[k];
        (void)json_object_set_new(o, ledger_stage_name(stage), report_stage(l, way, stage));
    }
    return o;
}

json_t *report_tap_stages(const struct ledger *l, const struct ledger_way *way,
                          const struct dialer_stream_status *said)
{
    json_t *o = report_stages(l, way);
    json_t *tx = json_object_get(o, ledger_stage_name(LEDGER_LINK_TX));
    const char *acked = ledger_info(LEDGER_TX_ACKED)->key;
    const char *lost = ledger_info(LEDGER_TX_REPORTED_LOST)->key;
    if (said) {
        document_set(tx, acked, said->confirmed);
        document_set(tx, lost, said->reported_lost);
        document_set(tx, ledger_info(LEDGER_TX_UNCONFIRMED)->key, said->unconfirmed);
    } else {
        (void)json_object_del(tx, acked);
        (void)json_object_del(tx, lost);
        (void)json_object_del(tx, ledger_info(LEDGER_TX_BACKLOG_BYTES)->key);
    }
    return o;
}

void report_set_outputs(json_t *o, struct sink *const outputs[], unsigned n,
                        const struct ledger *const ledger[])
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++) {
        if (ledger[i]) {
            json_t *v = report_stage(ledger[i], NULL, LEDGER_SINK);
            report_set_str(v, "name", outputs[i]->name);
            report_set_str(v, "kind", outputs[i]->ops->kind);
            (void)json_array_append_new(list, v);
        }
    }
    (void)json_object_set_new(o, "outputs", list);
}
