/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of a ledger's document that a tap's (print_tap.c) and a collector's (print_collector.c)
 * both have. A member that is missing, or of another kind, counts as 0 or "".
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "node/document.h"

static inline uint64_t num(const json_t *o, const char *key)
{
    return document_value(json_object_get(o, key));
}

static inline int64_t signed_num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static inline const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* A line of the stage's frames, and one for each drop that happened; nothing for NULL. */
void print_stage(FILE *to, const char *label, const char *stage, const json_t *o);
/* The stages of a tap, from the ring to the link. */
void print_tap_stages(FILE *to, const json_t *stages);
/* A line a stage, and one a drop, in the order of the document. */
void print_stages(FILE *to, const json_t *stages);
/* The counts of an output. */
void print_output(FILE *to, const json_t *out);
/* The end of a line: the round trip, where it is known. */
void print_clock(FILE *to, const json_t *o);
/* The last events; all that are kept are in --json. */
void print_history(const json_t *doc, FILE *to);

/* The lines about a tap as a whole, of a collector's document. */
void print_tap_view(FILE *to, const json_t *tap);

void print_tap(const json_t *doc, FILE *to);
/* The flows that are kept, and the records: of a meter, or of a collector that has one. */
void print_records(const json_t *doc, FILE *to);
void print_meter(const json_t *doc, FILE *to);
void print_collector(const json_t *doc, FILE *to);
/* Of a collector's document, the member "mirrored". */
void print_mirrored(const json_t *m, FILE *to);
