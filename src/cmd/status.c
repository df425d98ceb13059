/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan status`: what the programs on this host say of themselves, printed.
 */
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/print.h"
#include "cmd/status_ask.h"
#include "cmd/tables.h"
#include "node/document.h"

static const char intro[] =
    "Usage: farspan status [NAME|PATH] [--json] [--watch]\n"
    "\n"
    "Shows the ledger of the taps, collectors and meters that run on this host: what came in at\n"
    "each stage, what went on, and what was dropped, by reason. NAME is one's of these, PATH a\n"
    "control socket; without either, all are shown.\n";

struct status {
    const char *name;
    bool json, watch;
};

static const struct conf_row rows[] = {
    {0, "json", NULL, "print one JSON array", CONF_FLAG_AT(struct status, json),
     .manual = "Print one JSON array, with an object for each of them, on a single\n"
               "line with *--watch*. The counters are named by stage and reason, as in the\n"
               "table below; they go up to 2^64-1, as plain numbers. In names of interfaces,\n"
               "which are bytes, what is no printable ASCII, and the backslash, is \\\\xNN, here\n"
               "and in all that is shown; *-i* wants the name itself."},
    {'w', "watch", NULL, "print again every second, until interrupted",
     CONF_FLAG_AT(struct status, watch),
     .manual = "Print again every second, until interrupted or until what was asked has ended."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static const struct conf_table table = {"status", &part, 1};
const struct options status_options = {&table, intro, 24, NULL, NULL, NULL, CONF_STATUS};

static void show(const struct status *s, const json_t *all)
{
    size_t i;
    json_t *doc;
    if (s->json) {
        document_print(all, s->watch ? JSON_COMPACT : JSON_INDENT(2), stdout);
    } else {
        json_array_foreach(all, i, doc)
        {
            print_report(doc, stdout);
        }
        if (s->watch) {
            putchar('\n');
        }
    }
    fflush(stdout);
}

static int run(const struct status *s)
{
    bool shown = false;
    for (;;) {
        struct error err = {""};
        json_t *all = json_array();
        int r = status_ask(s->name, all, &err);
        if (r == 0) {
            show(s, all);
            shown = true;
        }
        json_decref(all);
        if (r < 0 || !s->watch || ferror(stdout)) {
            if (r < 0 && !shown) {
                say("status", "%s", err.text);
            }
            const int status = r < 0 && !shown ? EXIT_FAILURE : EXIT_SUCCESS;
            return s->watch ? status : end_output("status", status); /* a watch ends so, too */
        }
        (void)poll(NULL, 0, 1000);
    }
}

int cmd_status(int argc, char **argv)
{
    struct status s = {0};
    int r = options_parse(&status_options, &s, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    s.name = optind < argc ? argv[optind++] : NULL;
    if (optind < argc) {
        return usage_error("status", "one name at a time: \"%s\" is too much", argv[optind]);
    }
    return run(&s);
}
