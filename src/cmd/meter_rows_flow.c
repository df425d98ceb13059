/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about flows, of a meter and of a collector that makes records.
 */
#include <errno.h>
#include <string.h>

#include "cmd/meter_rows.h"
#include "model/flows.h"
#include "node/meter.h"

static int set_tunnel(void *to, const struct conf_given *given, struct error *err)
{
    struct meter_conf *c = to;
    c->inner = strcmp(given->text, "inner") == 0;
    c->exports.tunnels = c->inner;
    return c->inner || strcmp(given->text, "outer") == 0
               ? 0
               : error_set(err, EINVAL, "%s is outer or inner, not \"%s\"", given->label,
                           given->text);
}

static const struct conf_row rows[] = {
    {0, "idle", "TIME", "a flow ends when no packet came for so long; 0: never",
     CONF_MS_AT(struct meter_conf, idle_ms), .max = 86400000, .dflt = "15s",
     .manual = "A flow ends when none of its packets has come for so long; 0 is never."},
    {0, "active", "TIME", "a record lasts for less than that; 0: for as long as the flow",
     CONF_MS_AT(struct meter_conf, active_ms), .max = 86400000, .dflt = "60s",
     .manual = "A packet that comes so long after the first of a record begins another record,\n"
               "so that none lasts for longer; 0 is never."},
    {0, "tunnel", "WHICH", "the packet of a tunnel that counts: outer or inner", set_tunnel,
     .dflt = "outer", .words = "outer|inner",
     .manual = "The packet that counts where a packet is in a tunnel: the _outer_ one, or the\n"
               "_inner_, with the tunnel's kind and identifier; see *TUNNELS*."},
    {0, "biflow", NULL, "one record for both directions of a flow",
     CONF_FLAG_AT(struct meter_conf, exports.biflow),
     .manual = "Write one record for both directions of a flow, the initiator's first, where the\n"
               "form has a place for the other; see *RECORDS*."},
    {0, "scale", NULL, "a frame counts for those, too, that a sample left out",
     CONF_FLAG_AT(struct meter_conf, scale),
     .manual = "Multiply the packets and bytes of records by the number of frames for which\n"
               "each frame stands where a sample has left others out; see *SAMPLES*."},
    {0, "flows", "N", "flows that are kept at a time", CONF_U32_AT(struct meter_conf, flows),
     .min = 1, .max = FLOWS_MAX, .dflt = "1000000",
     .manual = "The number of flows, with both directions, that are kept at a time. Beyond it\n"
               "those that were quiet for longest leave early, and count as _evicted_. Each\n"
               "takes some 160 bytes."},
};

const struct conf_group meter_flow_group = {NULL, rows, ARRAY_SIZE(rows)};
