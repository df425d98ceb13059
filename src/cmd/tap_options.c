/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `farspan tap`'s options, and how they are read; cmd/tap.c calls it.
 */
#include <getopt.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/passphrase.h"
#include "cmd/stage_rows.h"
#include "cmd/tables.h"
#include "cmd/tap_line.h"

/* Rows without an offset write to the conf. */
_Static_assert(offsetof(struct tap_line, conf) == 0, "the conf is first");

static const char intro[] =
    "Usage: farspan tap -i INTERFACE... -c HOST:PORT [OPTION...] [FILTER]\n"
    "       farspan tap --list [--netns NAME|PID]\n"
    "\n"
    "Captures from interfaces and sends the frames to a collector through an encrypted link.\n"
    "FILTER is a pcap-filter(7) expression, run in the kernel.\n";

static const struct conf_part parts[] = {
    {&tap_select_group, 0},
    {&stage_group, offsetof(struct tap_line, conf.select.stages)},
    {&tap_link_group, 0},
    {&tap_limit_group, 0},
    {&tap_safe_group, 0},
    {&secret_group, offsetof(struct tap_line, secret)},
    {&secret_peer_group, offsetof(struct tap_line, secret)},
    {&common_group, offsetof(struct tap_line, common)},
    {&ledger_group, offsetof(struct tap_line, common)},
};

const struct conf_table tap_table = {"tap", parts, ARRAY_SIZE(parts)};
const struct options tap_options = {&tap_table,    intro, 26,          "filter",
                                    config_tables, NULL,  CONF_NOTHING};

int tap_parse(struct tap_line *l, int argc, char **argv)
{
    struct error err = {""};
    host_name(l->conf.name);
    int r = options_parse(&tap_options, l, argc, argv, &l->file);
    if (r != 0) {
        return r;
    }
    if (l->list) {
        return -1 - tap_list(l->conf.select.netns);
    }
    r = tap_check(l, argc - optind, argv + optind, &err);
    return r < 0 ? -1 - usage_error("tap", "%s", err.text) : 0;
}

void tap_line_done(struct tap_line *l)
{
    tap_conf_done(&l->conf);
    passphrase_free(l->secret.passphrase);
    free(l->file.text);
    free(l->file.fixed);
}
