/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of a kind as columns of a table, and made of words of a command line. Only objects.c uses
 * it.
 */
#pragma once

#include <jansson.h>

#include "model/kind.h"

/* Its objects on standard output, with the columns of the kind. */
void objects_table(const struct kind *k, const json_t *all);
/* "FIELD=VALUE" into the body, in the field's form; without a value it is null where it may be.
 * -EINVAL with a sentence. */
int objects_put(const struct kind *k, const char *word, json_t *body, struct error *err);
