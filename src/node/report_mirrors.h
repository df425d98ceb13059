/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a collector's document (node/report.h) about frames that come without a tap.
 */
#pragma once

#include <jansson.h>

#include "node/describe.h"
#include "node/teller.h"

struct mirrors;

/* Puts "mirrored" into the document. */
void report_mirrors(json_t *doc, const struct mirrors *m, const struct describe_list *described);
/* Tells a line of the log for each sender's tunnel, "sender=ADDRESS tunnel=vxlan/77 …": key=value,
 * always in the same order. */
void report_mirrors_lines(const struct mirrors *m, const struct describe_list *described,
                          const struct teller *teller);
