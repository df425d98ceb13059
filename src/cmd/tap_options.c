/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of `farspan tap`'s options, and how they are read; cmd/tap.c calls it.
 */
#include "cmd/tap_line.h"

#include "cmd/cmd.h"
#include "cmd/options.h"

#define FLAG(member) OPTION_FLAG(struct tap_line, member)
#define TEXT(member) OPTION_TEXT(struct tap_line, member)

/* Rows without an offset write to the conf. */
_Static_assert(offsetof(struct tap_line, conf) == 0, "the conf is first");

static const char intro[] =
    "Usage: farspan tap -i INTERFACE... -c HOST:PORT [OPTION...] [FILTER]\n"
    "       farspan tap --list [--netns NAME|PID]\n"
    "\n"
    "Captures from interfaces and sends the frames to a collector through an encrypted link.\n"
    "FILTER is a pcap-filter(7) expression, run in the kernel.\n";

static const struct option_row rows[] = {
    {.group = "What to tap:"},
    {'i', NULL, "INTERFACE",
     "tap this interface; may be given several times; \"any\": all;\n"
     "a pattern, such as 'veth*': each that matches, as they come and go",
     tap_set_interface, .repeat = true},
    {0, "netns", "NAME|PID", "the interfaces of another network namespace",
     TEXT(conf.select.netns)},
    {'l', "list", NULL, "list the interfaces and exit", FLAG(list)},
    {'f', NULL, "FILTER", "the filter as an option", TEXT(filter_option)},
    {0, "direction", "DIR", "in, out, or both (default both)", tap_set_direction},
    {0, "vlan", "LIST", "only these VLANs, such as 100,200-210", tap_set_vlans},
    {'s', NULL, "SNAPLEN", "send only the first SNAPLEN bytes of a frame (default: all)",
     tap_set_snaplen},
    {0, "keep-super", NULL,
     "send super-packets of segmentation offload whole, as the kernel has\n"
     "them (default: cut into the frames on the wire)",
     FLAG(conf.select.keep_super)},
    {0, "take-links", NULL,
     "also what farspan's links carry, but this tap's own (default: no\n"
     "tap captures what taps send)",
     FLAG(conf.select.take_links)},
    {'p', "no-promiscuous-mode", NULL,
     "only frames that the interface takes in for this host; by default\n"
     "all that it sees, but not with \"any\"",
     FLAG(conf.select.not_promiscuous)},
    {'B', NULL, "KIB", "kernel buffer for each interface, in KiB (default 32768)", tap_set_ring},

    {.group = "Where to:"},
    {'c', NULL, "HOST:PORT", "the collector; an IPv6 address in brackets", tap_set_collector},
    {0, "backlog", "SIZE",
     "memory for frames that wait while the collector cannot be\n"
     "reached, such as 512M; 0: none (default 64M)",
     tap_set_backlog},
    {0, "mtu", "BYTES", "send packets of at most so many bytes (default: as many as pass)",
     tap_set_mtu},
    {0, "name", "NAME", "what the collector calls this tap (default: the host's name)",
     tap_set_name},

    {.group = "Keys, one of:"},
    {'k', NULL, "PASSPHRASE", "shared with the collector", secret_set_passphrase,
     OPTION_AT(struct tap_line, secret, struct secret_options)},
    {0, "key-file", "FILE",
     "the same, in the first line of a file; or FARSPAN_KEY in the\n"
     "environment",
     TEXT(secret.key_file)},
    {0, "identity", "FILE", "this tap's own key (farspan keygen), with --peer",
     TEXT(secret.identity)},
    {0, "peer", "KEY", "the collector's public key", TEXT(secret.peer)},
    {'K', NULL, NULL, "no encryption at all; the collector must be started with -K too",
     FLAG(secret.plain)},

    {.group = "Other:"},
    {0, "user", "USER", "the unprivileged user to run as (default: farspan, else nobody)",
     TEXT(conf.user)},
    {0, "json", NULL, "print the ledger at the end, as JSON", FLAG(json)},
    {0, "strict", NULL,
     "exit with 1 if the collector did not confirm every frame that was\n"
     "sent",
     FLAG(strict)},
};

static const struct option_table table = {"tap", intro, 26, true, rows, ARRAY_SIZE(rows)};

int tap_parse(struct tap_line *l, int argc, char **argv)
{
    host_name(l->conf.name);
    int r = options_parse(&table, l, argc, argv);
    if (r != 0) {
        return r;
    }
    if (l->list) {
        return -1 - tap_list(l->conf.select.netns);
    }
    r = tap_check(l, argc - optind, argv + optind);
    return r != 0 ? -1 - r : 0;
}
