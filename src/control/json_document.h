/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of clients, parsed within bounds.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

enum {
    JSON_DEPTH = 16,    /* of what a client gives; deeper is refused */
    JSON_COMMAS = 2048, /* in it; with more it has more members than any kind or list */
};

/* *ret is the caller's to json_decref(). -EINVAL with a sentence: it is no document, has a key
 * twice, or is too large; -ENOMEM. */
int json_document(const void *bytes, size_t len, json_t **ret, struct error *err);
