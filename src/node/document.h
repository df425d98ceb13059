/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's document as text, and back. Counters have 64 bits and no sign, and JSON's numbers
 * have no bounds, but jansson's have 63: a larger one is a text of its own kind in the tree, and
 * the same number as ever in the text. What comes back was written by a program that may have been
 * taken over: no text in it does anything to a terminal.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* A member; missing memory leaves it out. */
void document_set(json_t *o, const char *key, uint64_t v);
json_t *document_uint(uint64_t v);
/* A number's value; those below 0 as their two's complement. 0 for what is none. */
uint64_t document_value(const json_t *v);

/* With JSON_… flags of json_dumps(). To be freed; NULL: no memory. */
char *document_text(const json_t *doc, size_t flags);
/* The same and a line's end, to a stream. */
void document_print(const json_t *doc, size_t flags, FILE *to);

/* NULL: it is no document. */
json_t *document_read(const char *text, size_t len);
