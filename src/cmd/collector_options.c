/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of `farspan collector`'s options, and how they are read; cmd/collector.c calls it.
 */
#include "cmd/collector_line.h"

#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"

#define FLAG(member) OPTION_FLAG(struct collector_line, member)
#define TEXT(member) OPTION_TEXT(struct collector_line, member)

/* Rows without an offset write to the conf. */
_Static_assert(offsetof(struct collector_line, conf) == 0, "the conf is first");

static const char intro[] =
    "Usage: farspan collector -p PORT [-i DEVICE] [-w FILE] [OPTION...]\n"
    "\n"
    "Receives the frames of taps and makes them appear on a virtual interface, in a file, or "
    "both.\n";

static const struct option_row rows[] = {
    {.group = "Where from:"},
    {'p', NULL, "PORT", "the UDP port to listen on", collector_set_port},
    {0, "bind", "ADDRESS", "listen on this address only", TEXT(conf.bind)},

    {.group = "Where to, one at least:"},
    {'i', NULL, "DEVICE",
     "make this TAP device, or take a persistent one that is not in use;\n"
     "\"ntap-%t\" makes one for each tap",
     collector_set_device},
    {0, "keep-device", NULL, "leave the device when the collector ends, for what listens on it",
     FLAG(conf.keep_device)},
    {'w', NULL, "FILE", "write pcapng; an existing file is continued; \"-\": standard output",
     TEXT(conf.file)},
    {0, "order", "TIME",
     "put frames in order of their timestamps, within this window,\n"
     "such as 50ms (default: in order of arrival)",
     collector_set_order},
    {0, "output-queue", "SIZE",
     "memory for frames that an output has not taken yet (default: 32M\n"
     "for devices, 68M for a file)",
     collector_set_queue},

    {.group = "Keys, one of:"},
    {'k', NULL, "PASSPHRASE", "shared with the taps", secret_set_passphrase,
     OPTION_AT(struct collector_line, secret, struct secret_options)},
    {0, "key-file", "FILE",
     "the same, in the first line of a file; or FARSPAN_KEY in the\n"
     "environment",
     TEXT(secret.key_file)},
    {0, "identity", "FILE", "the collector's own key (farspan keygen), with --allow",
     TEXT(secret.identity)},
    {0, "allow", "FILE", "the public keys of the taps that may connect, with their names",
     TEXT(secret.allow)},
    {'K', NULL, NULL, "no encryption at all; the taps must be started with -K too",
     FLAG(secret.plain)},

    {.group = "Other:"},
    {0, "threads", "N", "threads that receive, 1 to 16 (default: 1)", collector_set_threads},
    {0, "user", "USER", "the unprivileged user to run as (default: farspan, else nobody)",
     TEXT(conf.user)},
    {0, "json", NULL, "print the ledger at the end, as JSON", FLAG(json)},
};

static const struct option_table table = {"collector", intro, 26, false, rows, ARRAY_SIZE(rows)};

static int check(struct collector_line *l, int argc, char **argv)
{
    struct collector_conf *c = &l->conf;
    c->allow = l->secret.allow;
    if (optind < argc) {
        return usage_error("collector", "there is nothing to do with \"%s\"", argv[optind]);
    }
    if (c->port == 0) {
        return usage_error("collector", "a port to listen on is needed: -p PORT");
    }
    if (!c->device && !c->file) {
        return usage_error("collector", "an output is needed: -i DEVICE, -w FILE, or both");
    }
    if (c->keep_device && !c->device) {
        return usage_error("collector", "--keep-device is for the device of -i");
    }
    if (l->json && c->file && strcmp(c->file, "-") == 0) {
        return usage_error("collector", "--json and -w - both want standard output");
    }
    return secret_check(&l->secret, "collector", true);
}

int collector_parse(struct collector_line *l, int argc, char **argv)
{
    l->conf.threads = 1;
    int r = options_parse(&table, l, argc, argv);
    if (r != 0) {
        return r;
    }
    r = check(l, argc, argv);
    return r != 0 ? -1 - r : 0;
}
