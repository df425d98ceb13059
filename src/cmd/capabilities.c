/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan capabilities`: what a service can do.
 */
#include <getopt.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"

static const char intro[] = "Usage: farspan capabilities [OPTION...]\n"
                            "\n"
                            "Shows what a farspan service can capture, in which forms, within "
                            "which limits, and who asks.\n";

static const struct conf_part parts[] = {{&client_group, 0}};
static const struct conf_table table = {"capabilities", parts, ARRAY_SIZE(parts)};
const struct options capabilities_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};

int cmd_capabilities(int argc, char **argv)
{
    struct client_options l = {.json = false};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    json_t *doc = NULL;
    int r = options_parse(&capabilities_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    if (optind < argc) {
        return usage_error("capabilities", "\"%s\" is no option", argv[optind]);
    }
    r = client_open(&c, &l, &err);
    r = r < 0 ? r : client_ask(&c, "GET", "/v1/capabilities", NULL, &doc, &err);
    if (r == 0) {
        client_show(doc, l.json);
    }
    json_decref(doc);
    client_close(&c);
    return client_exit("capabilities", r, &err);
}
