/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records with all their fields, as text: an object of JSON a line, or comma-separated values.
 * One table has the fields for both. Names are those of IANA's registry of IPFIX information
 * elements where there is one; times are UTC with nanoseconds. In JSON a field that a record does
 * not have is left out, in the other form it is empty. What belongs together is an object of its
 * own in JSON, and "object.field" in the other form. Pure.
 */
#pragma once

#include <stddef.h>

#include "proto/flowrec.h"

enum {
    FLOWTEXT_ROW = 2048, /* bytes that any line has at most, its end and a zero byte included */
};

/* A line each, with its end; returns its length. `community`: the Community ID, NULL: none. */
size_t flowtext_json(const struct flowrec *r, const char *community, char ret[FLOWTEXT_ROW]);
size_t flowtext_head(char ret[FLOWTEXT_ROW]);
size_t flowtext_row(const struct flowrec *r, const char *community, char ret[FLOWTEXT_ROW]);
