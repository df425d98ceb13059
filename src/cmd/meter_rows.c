/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan meter`.
 */
#include <errno.h>
#include <string.h>

#include "cmd/meter_line.h"
#include "cmd/tables.h"
#include "model/flows.h"

static const char intro[] =
    "Usage: farspan meter {-i INTERFACE...|-r FILE} OUTPUT... [OPTION...] [FILTER]\n"
    "\n"
    "Adds packets up to flows, each packet to one, and writes a record for each direction of a "
    "flow\n"
    "when it ends: when nothing comes any more, when it has lasted for long, or by TCP's flags. "
    "At the\n"
    "end of a file, or of the meter, all end. FILTER is a pcap-filter(7) expression. OUTPUT is "
    "one or\n"
    "more of --csv, --csv-long, --json, --ipfix, --netflow9 and --netflow5.\n";

static int set_file(void *to, const struct conf_given *given, struct error *err)
{
    (void)err;
    *(const char **)to = given->text ? given->text : "-";
    return 0;
}

static int set_tunnel(void *to, const struct conf_given *given, struct error *err)
{
    struct meter_line *l = to;
    l->conf.inner = strcmp(given->text, "inner") == 0;
    l->conf.exports.tunnels = l->conf.inner;
    return l->conf.inner || strcmp(given->text, "outer") == 0
               ? 0
               : error_set(err, EINVAL, "%s is outer or inner, not \"%s\"", given->label,
                           given->text);
}

static const struct conf_row rows[] = {
    {0, "csv", "FILE",
     "write records as nfdump does, comma-separated\n(without =FILE: standard output)", set_file,
     .to = offsetof(struct meter_line, conf.exports.file[EXPORT_CSV]), .flags = CONF_MAYBE,
     .offer = CONF_FILE,
     .manual = "Write the records as comma-separated values into _FILE_, which must not be there\n"
               "yet, or to standard output. The form is that of nfdump 1.6; see *RECORDS*."},
    {0, "csv-long", "FILE", "the same with all fields, and nanoseconds", set_file,
     .to = offsetof(struct meter_line, conf.exports.file[EXPORT_CSV_LONG]), .flags = CONF_MAYBE,
     .offer = CONF_FILE,
     .manual = "Write the records as comma-separated values with all fields; see *RECORDS*."},
    {0, "json", "FILE", "write records as JSON, an object a line", set_file,
     .to = offsetof(struct meter_line, conf.exports.file[EXPORT_JSON]), .flags = CONF_MAYBE,
     .offer = CONF_FILE, .manual = "Write the records as JSON, an object a line; see *RECORDS*."},
    {0, "idle", "TIME", "a flow ends when no packet came for so long; 0: never",
     CONF_MS_AT(struct meter_line, conf.idle_ms), .max = 86400000, .dflt = "15s",
     .manual = "A flow ends when none of its packets has come for so long; 0 is never."},
    {0, "active", "TIME", "a record lasts for less than that; 0: for as long as the flow",
     CONF_MS_AT(struct meter_line, conf.active_ms), .max = 86400000, .dflt = "60s",
     .manual = "A packet that comes so long after the first of a record begins another record,\n"
               "so that none lasts for longer; 0 is never."},
    {0, "tunnel", "WHICH", "the packet of a tunnel that counts: outer or inner", set_tunnel,
     .dflt = "outer", .words = "outer|inner",
     .manual = "The packet that counts where a packet is in a tunnel: the _outer_ one, or the\n"
               "_inner_, with the tunnel's kind and identifier; see *TUNNELS*."},
    {0, "biflow", NULL, "one record for both directions of a flow",
     CONF_FLAG_AT(struct meter_line, conf.exports.biflow),
     .manual = "Write one record for both directions of a flow, the initiator's first, where the\n"
               "form has a place for the other; see *RECORDS*."},
    {0, "flows", "N", "flows that are kept at a time", CONF_U32_AT(struct meter_line, conf.flows),
     .min = 1, .max = FLOWS_MAX, .dflt = "1000000",
     .manual = "The number of flows, with both directions, that are kept at a time. Beyond it\n"
               "those that were quiet for longest leave early, and count as _evicted_. Each\n"
               "takes some 160 bytes."},
    {0, "user", "USER", "the unprivileged user to run as (default: farspan, else nobody)",
     CONF_TEXT_AT(struct meter_line, user), .offer = CONF_USER,
     .manual = "The unprivileged user that the process which reads packets becomes, where\n"
               "root runs it; by default *farspan* if there is such a user, else *nobody*."},
    {0, "ledger", NULL, "print the ledger at the end, as JSON",
     CONF_FLAG_AT(struct meter_line, ledger),
     .manual = "Print the ledger as JSON at the end, to standard output. Not together with\n"
               "records there."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {
    {&meter_input_group, 0},
    {&meter_net_group, offsetof(struct meter_line, conf.exports)},
    {&group, 0}};
static const struct conf_table table = {"meter", parts, ARRAY_SIZE(parts)};
const struct options meter_options = {&table, intro, 22, "filter", NULL, NULL, CONF_NOTHING};
