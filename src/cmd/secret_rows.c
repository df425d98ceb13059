/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about keys, of taps and collectors.
 */
#include "cmd/secret_options.h"

static const struct conf_row secret_rows[] = {
    {'k', "passphrase", "PASSPHRASE", "shared with the other end", secret_set_passphrase, 0,
     .flags = CONF_LINE,
     .manual = "The passphrase that the other end has too. The argument is wiped from the list\n"
               "of processes at once, and a warning recommends *--key-file*."},
    {0, "key-file", "FILE",
     "the same, in the first line of a file; or FARSPAN_KEY in the\n"
     "environment",
     CONF_TEXT_AT(struct secret_options, key_file), .offer = CONF_FILE,
     .manual = "Read the passphrase from the first line of _FILE_. Where none of *-k*,\n"
               "*--key-file*, *-K* and *--identity* is given, it is taken from the environment\n"
               "variable _FARSPAN_KEY_."},
    {'K', "no-encryption", NULL, "no encryption at all; the other end must be started with -K too",
     CONF_FLAG_AT(struct secret_options, plain),
     .manual = "No encryption and no authentication; the other end must have *-K* too. A\n"
               "collector without it refuses a tap that offers clear text."},
    {0, "identity", "FILE", "the own key (farspan keygen), with:",
     CONF_TEXT_AT(struct secret_options, identity), .offer = CONF_FILE,
     .manual = "The own key, made by *farspan-keygen*(1). At a tap it needs *--peer*, at a\n"
               "collector *--allow*."},
};

const struct conf_group secret_group = {"Keys, one of:", secret_rows, ARRAY_SIZE(secret_rows),
                                        true};

static const struct conf_row secret_peer_rows[] = {
    {0, "peer", "KEY", "the collector's public key", CONF_TEXT_AT(struct secret_options, peer),
     .manual = "The public key of the collector's identity, as *farspan-keygen*(1) printed it."},
};

const struct conf_group secret_peer_group = {NULL, secret_peer_rows, ARRAY_SIZE(secret_peer_rows),
                                             true};

static const struct conf_row secret_allow_rows[] = {
    {0, "allow", "FILE", "the public keys of the taps that may connect, with their names",
     CONF_TEXT_AT(struct secret_options, allow), .offer = CONF_FILE,
     .manual = "The taps that may connect: a public key and a name on each line, with _#_\n"
               "before a comment. The list is read again on SIGHUP, see *SIGNALS*."},
};

const struct conf_group secret_allow_group = {NULL, secret_allow_rows,
                                              ARRAY_SIZE(secret_allow_rows), true};
