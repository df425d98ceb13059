/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/status_ask.h"
#include "node/document.h"

static const char help[] = "Usage: farspan status [NAME|PATH] [--json] [--watch]\n"
                           "\n"
                           "Shows the ledger of the taps and collectors that run on this host: "
                           "what came in at each stage,\n"
                           "what went on, and what was dropped, by reason. NAME is a tap's or "
                           "collector's, PATH a control\n"
                           "socket; without either, all are shown.\n"
                           "\n"
                           "      --json            print one JSON array\n"
                           "  -w, --watch           print again every second, until interrupted\n"
                           "  -h, --help            print this help\n"
                           "  -V, --version         print the version\n";

struct status {
    const char *name;
    bool json, watch;
};

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
            return r < 0 && !shown ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        (void)poll(NULL, 0, 1000);
    }
}

int cmd_status(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'J'},
                                            {"watch", no_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    struct status s = {0};
    int opt;
    while ((opt = getopt_long(argc, argv, ":whV", options, NULL)) != -1) {
        switch (opt) {
        case 'J':
            s.json = true;
            break;
        case 'w':
            s.watch = true;
            break;
        default:
            return help_option(opt, help) ? EXIT_SUCCESS : option_error("status", argv, opt);
        }
    }
    s.name = optind < argc ? argv[optind++] : NULL;
    if (optind < argc) {
        return usage_error("status", "one name at a time: \"%s\" is too much", argv[optind]);
    }
    return run(&s);
}
