/* SPDX-License-Identifier: Apache-2.0
 *
 * The declarations that all commands share: one function a command, messages, and secrets from the
 * command line.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#include "base/error.h"
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

/* ---- secrets ---- */

/* The options for keys; texts that getopt left in place. */
struct secret_options {
    char *passphrase;     /* -k, copied and wiped from the process list; owned */
    const char *key_file; /* --key-file */
    const char *identity; /* --identity */
    const char *peer;     /* --peer, tap */
    const char *allow;    /* --allow, collector */
    bool plain;           /* -K */
};

/* The options about keys, for a command's own table beside -k and -K. */
enum {
    OPT_KEY_FILE = 512,
    OPT_IDENTITY,
    OPT_PEER,
    OPT_ALLOW,
};

/* Takes one of them, or -k or -K: 0, EXIT_FAILURE, or -1 when it is another option. */
int secret_option(struct secret_options *o, int opt, char *arg);

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
/* Wipes. */
void secrets_done(struct secrets *s);
/* Reads a whole small file; the caller wipes and frees. */
int read_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err);
/* The same of one that is open; `path` is for sentences. */
int read_open_file(int fd, const char *path, size_t max, char **ret, size_t *ret_len,
                   struct error *err);
