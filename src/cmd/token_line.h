/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan token`, and the making of one (token_create.c).
 */
#pragma once

#include "cmd/client.h"

struct token_line {
    struct client_options client;
    const char *role, *project; /* project NULL: the service chooses */
    int64_t expires_ns;         /* from now; 0: never */
};

/* Makes a token of that name, and prints it, which nobody can do again. */
int token_create(struct client *c, const struct token_line *l, const char *name, struct error *err);
