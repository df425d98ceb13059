/* SPDX-License-Identifier: Apache-2.0
 *
 * The declarations that all commands share: one function a command, messages, and keys
 * (cmd/secrets.h).
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#include "base/error.h"
#include "cmd/secrets.h"
#include "data/link/handshake.h"

enum {
    EXIT_USAGE = 2,
    CMD_PATH_MAX = 4096,
    OPTION_VALUES = 1024, /* getopt_long's values are below that */
};

int cmd_tap(int argc, char **argv);
int cmd_collector(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_status(int argc, char **argv);

/* One line to standard error, "farspan tap: …". */
void say(const char *command, const char *fmt, ...) _printf_(2, 3);
/* As say, then what to do about it; returns EXIT_USAGE. */
int usage_error(const char *command, const char *fmt, ...) _printf_(2, 3);
/* Carries out -h and -V, which every command has; false for another option. */
bool help_option(int opt, const char *help);
/* getopt_long's '?' and ':' in words; returns EXIT_USAGE. */
int option_error(const char *command, char **argv, int opt);

/* The options of a command line so far, so that none with a value silently replaces an earlier one.
 */
struct option_seen {
    bool opt[OPTION_VALUES];
};

/* Notes the option `opt` with value `arg` (NULL: it takes none, and may be repeated). Those of
 * `repeat` may be given several times. 0, or usage_error's EXIT_USAGE. `options` has the names. */
int option_once(struct option_seen *seen, const char *command, const struct option *options,
                int opt, const char *arg, const char *repeat);
/* The host's name as a tap's or collector's: what LINK_NAME allows, at least "host". */
void host_name(char ret[LINK_NAME_MAX + 1]);
/* "Linux 6.1.0 x86_64" */
void system_words(char *ret, size_t cap);
