/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a tap or collector: the options that name them, and their reading before privileges
 * are given up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cmd/options.h"
#include "data/link/handshake.h"

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

struct secrets {
    struct handshake_conf conf; /* borrows from below */
    char *passphrase;
    struct allow_list allow;
};

/* Reads everything; the options have passed secret_check. -errno with a sentence. Says what is
 * unwise. */
int secrets_load(struct secret_options *o, const char *command, bool collector, struct secrets *ret,
                 struct error *err);
/* The part of it that is about a passphrase. */
int passphrase_load(struct secret_options *o, const char *command, struct secrets *ret,
                    struct error *err);
/* Wipes. */
void secrets_done(struct secrets *s);
/* Warns of a file of secrets that others may read. */
void warn_if_open(const char *command, const char *path);
