/* SPDX-License-Identifier: Apache-2.0
 *
 * The passphrase of -k, --key-file or FARSPAN_KEY, for secrets.c.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "cmd/secret_options.h"

/* Wipes. Takes NULL. */
void passphrase_free(char *phrase);
DEFINE_FREEP(char, passphrase_free)

/* Reads the passphrase: that of -k, which it takes out of the options, else the first line of
 * --key-file, else FARSPAN_KEY, which it takes out of the environment. -errno with a sentence. Says
 * what is unwise. */
int passphrase_load(struct secret_options *o, const char *command, char **ret, struct error *err);
