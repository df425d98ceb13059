/* SPDX-License-Identifier: Apache-2.0
 *
 * The kind of tokens: who may do what, and until when. Of the secret only its hash is kept.
 */
#include "model/kinds.h"

static const struct field fields[] = {
    KIND_COMMON,
    [TOKEN_F_NAME] = {.name = "name",
                      .type = FIELD_TEXT,
                      .flags = FIELD_CREATE | FIELD_MUST | FIELD_FILTER | FIELD_SORT,
                      .min = 1,
                      .max = 64,
                      .title = "NAME",
                      .help = "who has it; owner of what is made with it"},
    [TOKEN_F_ROLE] = {.name = "role",
                      .type = FIELD_WORD,
                      .flags = FIELD_CREATE | FIELD_FILTER,
                      .dflt = "read",
                      .words = "read|capture|admin",
                      .title = "ROLE",
                      .help = "each may what those before it may"},
    [TOKEN_F_EXPIRES] = {.name = "expires",
                         .type = FIELD_TIME,
                         .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_NULL,
                         .title = "EXPIRES",
                         .help = "when it is of no use any more; else never"},
    [TOKEN_F_REVOKED] = {.name = "revoked",
                         .type = FIELD_BOOL,
                         .flags = FIELD_CHANGE,
                         .dflt = "false",
                         .title = "REVOKED",
                         .help = "it is of no use from now on"},
    [TOKEN_F_HASH] = {.name = "hash",
                      .type = FIELD_TEXT,
                      .flags = FIELD_HIDDEN | FIELD_FILTER,
                      .min = 64,
                      .max = 64,
                      .help = "SHA-256 of the secret, in hexadecimal digits"},
};
_Static_assert(ARRAY_SIZE(fields) == TOKEN_FIELDS, "a row for each");

const struct kind kind_token = {"token", "tokens", fields, ARRAY_SIZE(fields)};
