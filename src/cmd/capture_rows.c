/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan capture`.
 */
#include <errno.h>

#include "cmd/capture_line.h"
#include "cmd/tables.h"

static const char intro[] =
    "Usage: farspan capture [OPTION...] PORT... [--] [FILTER]\n"
    "\n"
    "Asks a farspan service (farspan serve) for a capture of its ports. A word that is the name,\n"
    "alias or id of a port is one; the first that is not begins the FILTER, a pcap-filter(7)\n"
    "expression, as does whatever stands behind a \"--\". One of --for, --stop, --frames and "
    "--bytes\nsays how it ends.\n";

static int set_for(void *to, const struct conf_given *given, struct error *err)
{
    return client_duration(given->text, to) < 0
               ? error_set(err, EINVAL,
                           "%s is a time such as 500ms, 10s, 5min, 2h or 1d, not \"%s\"",
                           given->label, given->text)
               : 0;
}

static const struct conf_row rows[] = {
    {0, "for", "TIME", "for so long, such as 10s, 5min or 2h", set_for,
     .to = offsetof(struct capture_line, for_ns),
     .manual = "End it so long after its start: a number with *ms*, *s*, *min*, *h* or *d*."},
    {0, "start", "TIME", "begin then (default: now)", CONF_TEXT_AT(struct capture_line, start),
     .manual = "Begin then: a time in the form of RFC 3339, such as _2026-11-20T14:03:10Z_, or\n"
               "_+30s_ from now. Without it, it begins at once."},
    {0, "stop", "TIME", "end then", CONF_TEXT_AT(struct capture_line, stop),
     .manual = "End then, in the same forms."},
    {0, "frames", "N", "end with the Nth frame", CONF_U32_AT(struct capture_line, frames), .min = 1,
     .max = UINT32_MAX, .manual = "End with the frame of number _N_."},
    {0, "bytes", "N", "end before the data is longer than N bytes, such as 100M",
     CONF_SIZE_AT(struct capture_line, bytes), .min = 65536, .max = UINT64_C(10000000000),
     .manual = "End before the data is longer than _N_ bytes; K, M and G are units."},
    {0, "type", "TYPE", "packet, netflow or ethernet", CONF_TEXT_AT(struct capture_line, type),
     .dflt = "packet", .words = "packet|netflow|ethernet",
     .manual = "Packets, flow records, or the counters of the link."},
    {'f', "filter", "FILTER", "the filter as an option",
     CONF_TEXT_AT(struct capture_line, filter_option),
     .manual = "Only the frames that match a *pcap-filter*(7) expression. It may also be given\n"
               "as words behind the ports, but not both."},
    {0, "direction", "DIR", "in, out, or both", CONF_TEXT_AT(struct capture_line, direction),
     .dflt = "both", .words = "in|out|both",
     .manual = "Only the frames that come in to the host, only those that leave it, or both."},
    {0, "vlan", "LIST", "only these VLANs, such as 100,200-210",
     CONF_TEXT_AT(struct capture_line, vlans),
     .manual = "Only the frames of these VLANs; with several tags the outermost counts."},
    {'s', "snaplen", "BYTES", "keep the first BYTES of a frame",
     CONF_U32_AT(struct capture_line, snaplen), .min = 1, .max = 262144,
     .manual = "Keep the first _BYTES_ of a frame."},
    {0, "period", "MS", "of ethernet: a row each so many milliseconds (default 1000)",
     CONF_U32_AT(struct capture_line, period), .min = 10, .max = 3600000,
     .manual = "With *--type ethernet*, a row each so many milliseconds; by default 1000."},
    {'w', "write", "FILE", "write the data here as it comes; -: standard output",
     CONF_TEXT_AT(struct capture_line, write), .offer = CONF_FILE,
     .manual = "Write the data to _FILE_, which must not be there yet, as it comes; \"-\" is\n"
               "standard output."},
    {0, "detach", NULL, "print the id, and do not wait for the end",
     CONF_FLAG_AT(struct capture_line, detach),
     .manual = "Print the capture's id, and do not wait for its end."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct capture_line, client)}};
static const struct conf_table table = {"capture", parts, ARRAY_SIZE(parts)};
const struct options capture_options = {&table, intro, 26, NULL, NULL, NULL, CONF_INTERFACE};
