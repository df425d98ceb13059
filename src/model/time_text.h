/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as people and other programs write them: RFC 3339, seconds since 1970, or from now on.
 * Pure, and without the C library's calendar, which reads files of time zones.
 */
#pragma once

#include <stdint.h>

enum {
    TIME_TEXT = 40, /* bytes of a time's text, its end included */
};

/* Times are of [0, TIME_TEXT_END) ns since 1970: before the year 2200. */
#define TIME_TEXT_END (INT64_C(7258118400) * 1000000000)

/* RFC 3339 with as many digits of a second as there are, in UTC: "2026-11-20T14:03:10.5Z". Any
 * number has a text, also one that is no time of the above. */
void time_text(int64_t ns, char ret[TIME_TEXT]);
/* RFC 3339, with any offset from UTC; digits behind the ninth of a fraction do not count. A leap
 * second is the one after it. -EINVAL. */
int time_parse_rfc3339(const char *text, int64_t *ret);
/* Seconds since 1970, with a fraction if there is one. -EINVAL. */
int time_parse_seconds(const char *text, int64_t *ret);
/* Either, or "now", or "+30s" from now on (ms, s, min, h, d). -EINVAL. */
int time_parse(const char *text, int64_t now_ns, int64_t *ret);
