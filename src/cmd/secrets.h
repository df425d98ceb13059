/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a tap or collector, which the command line names (secret_options.h): tap.c and
 * collector.c read them before privileges are given up.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "cmd/secret_options.h"
#include "data/link/handshake.h"

struct secrets {
    struct handshake_conf conf; /* borrows from below */
    char *passphrase;
    struct allow_list allow;
};

/* Reads everything; the options have passed secret_check. -errno with a sentence. Says what is
 * unwise. */
int secrets_load(struct secret_options *o, const char *command, bool collector, struct secrets *ret,
                 struct error *err);
/* Wipes. */
void secrets_done(struct secrets *s);
