/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap as a whole, as the collector sees it: in its document (report_collector.c), and as a line
 * of the log. What cannot be known is left out of both.
 */
#pragma once

#include <stdio.h>

#include "node/report_parts.h"

#include "data/link/listen/listener.h"

enum {
    TAP_LINE_MAX = 1536, /* bytes of a line of the log */
};

/* Adds its members to the tap's object. `described`: the user's words for it, or NULL. */
void report_tap_view(json_t *o, const struct listener_peer *tap, const char *described);

/* A pair of such a line, " key=value", and a quoted one. Texts are clean (base/text.h). */
void report_put(FILE *to, const char *key, int64_t v);
void report_put_text(FILE *to, const char *key, const char *text);

/* "tap=web1 address=… state=up …": key=value, always in the same order, with blanks between. A
 * value with blanks or quotes has quotes around it. */
void report_tap_line(const struct listener_peer *tap, const char *described,
                     char ret[TAP_LINE_MAX]);
