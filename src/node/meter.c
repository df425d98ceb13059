/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter.h"

#include <string.h>

#include "base/time.h"
#include "data/meter/meter.h"
#include "node/document.h"

int meter_make(const struct meter_conf *conf, struct exports_opened *opened, enum meter_time time,
               struct meter *ret, struct error *err)
{
    struct meter_sink_conf sc = {.flows = conf->flows,
                                 .inner = conf->inner,
                                 .scale = conf->scale,
                                 .biflow = conf->exports.biflow,
                                 .idle_ns = conf->idle_ms * NSEC_PER_MSEC,
                                 .active_ns = conf->active_ms * NSEC_PER_MSEC,
                                 .time = time};
    int r = exports_make(&conf->exports, opened, time == METER_BY_POINTS, time != METER_BY_FRAMES,
                         sc.exporter, &sc.n_exporters);
    r = r < 0 ? r : meter_sink_new(&sc, &ret->sink);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    memcpy(ret->exporter, sc.exporter, sizeof(ret->exporter));
    ret->n_exporters = sc.n_exporters;
    return 0;
}

void meter_tend(struct meter *m, const struct meter_conf *conf, export_request *request,
                struct broker *b, struct mono now)
{
    exports_tend(&conf->exports, m->exporter, m->n_exporters, m->asked, request, b, now);
}

void meter_report(const struct meter *m, json_t *o)
{
    struct meter_sink_figures f;
    meter_sink_figures(m->sink, &f);
    document_set(o, "flows_now", f.now);
    document_set(o, "evicted", f.evicted);
    (void)json_object_set_new(o, "exports", exports_document(m->exporter, m->n_exporters));
}
