/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` by which it notices a capture to which nothing comes.
 */
#include "cmd/tap_line.h"

enum {
    MAX_IDLE_MIN_MS = 1000,
    MAX_IDLE_MAX_MS = 7 * 24 * 3600 * 1000,
};

static const struct conf_row tap_safe_rows[] = {
    {0, "max-idle", "TIME",
     "open the capture of an interface anew when no frame came for so long,\n"
     "such as 410s (default: never)",
     CONF_MS_AT(struct tap_line, conf.watch.idle.max_ms), .min = MAX_IDLE_MIN_MS,
     .max = MAX_IDLE_MAX_MS, .flags = CONF_LIVE,
     .manual = "Open the capture of an interface anew when it is up and no frame that the\n"
               "filter takes has come for so long, during *--business-hours*. By default that\n"
               "is never done. See *SILENT INTERFACES*."},
    {0, "max-restarts", "N", "so many times in a row, before the interface counts as dead",
     CONF_U32_AT(struct tap_line, conf.watch.idle.restarts), .max = 1000, .dflt = "3",
     .flags = CONF_LIVE,
     .manual = "An interface counts as dead when its capture was opened anew so many times in\n"
               "a row, and still nothing came. When all are, the tap ends with status 4."},
    {0, "business-hours", "HOURS", "when frames are expected, such as 'mon-fri 08:00-18:00'",
     tap_set_hours, .dflt = "mon-sun", .flags = CONF_LIVE,
     .manual = "The hours in which frames are expected, such as\n"
               "_'mon-fri 08:00-18:00, sat 09:00-12:00'_. Outside them nothing counts as idle.\n"
               "Times hold for all days before them (_sat,sun 10:00-16:00_), of which there\n"
               "may be several (_mon 08:00-12:00,13:00-18:00_); days without times are whole\n"
               "ones (_mon-fri_), and _fri 22:00-06:00_ ends on Saturday. A day ends at 24:00."},
    {0, "timezone", "ZONE", "of the business hours, such as Europe/Berlin (default: the host's)",
     tap_set_zone,
     .manual = "The time zone of *--business-hours*, as _/usr/share/zoneinfo_ has it:\n"
               "_Europe/Berlin_, _UTC_. With its summer time. By default that of the host."},
};

const struct conf_group tap_safe_group = {"Safety:", tap_safe_rows, ARRAY_SIZE(tap_safe_rows)};
