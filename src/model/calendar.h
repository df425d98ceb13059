/* SPDX-License-Identifier: Apache-2.0
 *
 * The hours of a week in which something is expected, as people write them down:
 *
 *   mon-fri 08:00-18:00, sat 09:00-12:00
 *   mon-fri 08:00-12:00,13:00-18:00      two spans for the same days
 *   sat,sun 10:00-16:00                  one span for two days
 *   mon-fri                              the whole of these days
 *   fri 22:00-06:00                      over midnight: until Saturday, 06:00
 *
 * Times hold for all days that stand before them; the last days of a text may have none. Pure: a
 * weekday and a second of the day go in, in whichever zone they are (sys/zone.h has local time).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    CALENDAR_DAYS = 7,
    CALENDAR_MINUTES = 24 * 60, /* of a day */
    CALENDAR_WORDS = (CALENDAR_MINUTES + 63) / 64,
};

struct calendar {
    uint64_t open[CALENDAR_DAYS][CALENDAR_WORDS]; /* bit m of a day: open in its minute m; Sunday is
                                                   * day 0, as in struct tm */
};

/* `what` names the text in the sentence, which says where the mistake is and what would be right.
 * A calendar that never opens is a mistake. -EINVAL. */
int calendar_parse(const char *text, const char *what, struct calendar *ret, struct error *err);
/* `second` of the day, a leap second included. */
bool calendar_is_open(const struct calendar *c, unsigned weekday, unsigned second);
