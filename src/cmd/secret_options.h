/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about keys, which taps and collectors share: the rows of secret_rows.c write
 * here, secrets.c and passphrase.c read the keys that they name.
 */
#pragma once

#include "base/conf.h"

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
conf_set secret_set_passphrase;

/* The rows that both ends have, and those of a tap and of a collector besides. */
extern const struct conf_group secret_group, secret_peer_group, secret_allow_group;

/* Do the options name exactly one kind of key, and all of it? 0 or -EINVAL with a sentence. */
int secret_check(const struct secret_options *o, bool collector, struct error *err);
