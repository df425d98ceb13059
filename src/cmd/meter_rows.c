/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan meter` about files that are written, and its table.
 */
#include "cmd/meter_line.h"
#include "cmd/tables.h"

static const char intro[] =
    "Usage: farspan meter {-i INTERFACE...|-r FILE} OUTPUT... [OPTION...] [FILTER]\n"
    "\n"
    "Adds packets up to flows, each packet to one, and writes a record for each direction of a "
    "flow\n"
    "when it ends: when nothing comes any more, when it has lasted for long, or by TCP's flags. "
    "At the\n"
    "end of a file, or of the meter, all end. FILTER is a pcap-filter(7) expression. OUTPUT is "
    "one or\n"
    "more of --csv, --csv-long, --json, --ipfix, --netflow9, --netflow5 and --kafka.\n";

static int set_file(void *to, const struct conf_given *given, struct error *err)
{
    (void)err;
    *(const char **)to = given->text ? given->text : "-";
    return 0;
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
    {&meter_flow_group, offsetof(struct meter_line, conf)},
    {&group, 0}};
static const struct conf_table table = {"meter", parts, ARRAY_SIZE(parts)};
const struct options meter_options = {&table, intro, 22, "filter", NULL, NULL, CONF_NOTHING};
