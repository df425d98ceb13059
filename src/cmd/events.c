/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan events`: what happened at a service.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"

static const char intro[] = "Usage: farspan events [--after N] [OPTION...]\n"
                            "\n"
                            "Lists what happened at a farspan service, the oldest first.\n";

struct line {
    struct client_options client;
    uint64_t after;
};

static int set_after(void *to, const struct conf_given *given, struct error *err)
{
    return parse_u64(given->text, given->label, 0, INT64_MAX, to, err);
}

static const struct conf_row rows[] = {
    {0, "after", "N", "only those behind number N", set_after, .to = offsetof(struct line, after),
     .manual = "Only the events behind the one of number _N_."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct line, client)}};
static const struct conf_table table = {"events", parts, ARRAY_SIZE(parts)};
const struct options events_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};

static void cell_time(const json_t *o, char *ret, size_t cap)
{
    client_time_words(client_text(o, "time"), ret, cap);
}

static void print(const json_t *all, bool json)
{
    static const struct client_column columns[] = {{"NUMBER", true, "number", NULL},
                                                   {"TIME", false, NULL, cell_time},
                                                   {"WHAT", false, "what", NULL},
                                                   {"WORDS", false, "words", NULL}};
    if (json) {
        client_json(all);
    } else {
        client_table(all, columns, ARRAY_SIZE(columns), stdout);
    }
}

int cmd_events(int argc, char **argv)
{
    struct line l = {.after = 0};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    json_t *all = NULL;
    char path[64];
    int r = options_parse(&events_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    if (optind < argc) {
        return usage_error("events", "\"%s\" is no option", argv[optind]);
    }
    (void)snprintf(path, sizeof(path), "/v1/events?after=%" PRIu64, l.after);
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : client_list(&c, path, "events", &all, &err);
    if (r == 0) {
        print(all, l.client.json);
    }
    json_decref(all);
    client_close(&c);
    return client_exit("events", r, &err);
}
