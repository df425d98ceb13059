/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about keys, which taps and collectors share: their rows write here (tap_options.c,
 * collector_options.c), secrets.c and passphrase.c read the keys that they name.
 */
#pragma once

#include <stdbool.h>

#include "cmd/options_row.h"

/* The options for keys; texts that getopt left in place. */
struct secret_options {
    char *passphrase;     /* -k, copied and wiped from the process list; owned */
    const char *key_file; /* --key-file */
    const char *identity; /* --identity */
    const char *peer;     /* --peer, tap */
    const char *allow;    /* --allow, collector */
    bool plain;           /* -K */
};

/* The setter of the row for -k; it writes to a struct secret_options. The other rows about keys are
 * texts and a flag. */
option_set secret_set_passphrase;

/* Do the options name exactly one kind of key, and all of it? 0 or usage_error's EXIT_USAGE. */
int secret_check(const struct secret_options *o, const char *command, bool collector);
