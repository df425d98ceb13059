/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` about the link to its collector.
 */
#include "cmd/tap_line.h"
#include "data/link/send/backlog.h"
#include "model/pmtu.h"

static const struct conf_row tap_link_rows[] = {
    {'c', "collector", "HOST:PORT", "the collector; an IPv6 address in brackets", tap_set_collector,
     .offer = CONF_HOST,
     .manual = "The collector: a name, an IPv4 address, or an IPv6 address in brackets. A\n"
               "link-local one needs its interface, as in _[fe80::1%eth0]:1234_. Where a name\n"
               "has several addresses, each try to connect takes the next one, those of IPv6\n"
               "and IPv4 in turns."},
    {0, "backlog", "SIZE",
     "memory for frames that wait while the collector cannot be\n"
     "reached, such as 512M; 0: none",
     CONF_SIZE_AT(struct tap_line, conf.backlog_bytes), .min = BACKLOG_MIN,
     .max = UINT64_C(64) << 30, .flags = CONF_ZERO, .dflt = "64M",
     .manual = "Memory for frames that wait while the collector cannot be reached, for all\n"
               "interfaces together: a number of bytes, with *K*, *M* or *G* for 2^10, 2^20 or\n"
               "2^30 of them. With 0 there is none, and such frames are dropped at once."},
    {0, "mtu", "BYTES", "send packets of at most so many bytes (default: as many as pass)",
     CONF_U32_AT(struct tap_line, conf.mtu), .min = PMTU_MIN_V4, .max = PMTU_MAX,
     .manual = "Send packets of at most so many bytes to the collector, IP header included. By\n"
               "default the tap finds out by itself what the path carries; see *THE PATH*."},
    {0, "name", "NAME", "what the collector calls this tap (default: the host's name)",
     tap_set_name,
     .manual = "The name under which the collector and *farspan-status*(1) know this tap:\n"
               "letters, digits, dots, dashes and underscores. By default the name of the\n"
               "host."},
    {0, "strict", NULL,
     "exit with 1 if the collector did not confirm every frame that was\n"
     "sent",
     CONF_FLAG_AT(struct tap_line, strict),
     .manual = "Exit with 1 if a frame was sent and the collector's reports never told what\n"
               "became of it."},
};

const struct conf_group tap_link_group = {"Where to:", tap_link_rows, ARRAY_SIZE(tap_link_rows)};
