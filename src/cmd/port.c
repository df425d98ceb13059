/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan port`: the ports of a service, and their aliases.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"

static const char intro[] =
    "Usage: farspan port [list] | show PORT | set PORT --alias NAME [OPTION...]\n"
    "\n"
    "Lists what a farspan service can capture from, shows one port, or gives it another name.\n";

struct line {
    struct client_options client;
    const char *alias;
};

static const struct conf_row rows[] = {
    {0, "alias", "NAME", "of set: another name for the port; \"\": none",
     CONF_TEXT_AT(struct line, alias),
     .manual = "With *set*: another name, by which captures may call the port; an empty one takes\n"
               "it away."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct line, client)}};
static const struct conf_table table = {"port", parts, ARRAY_SIZE(parts)};
const struct options port_options = {&table, intro, 26, NULL, NULL, NULL, CONF_INTERFACE};

static void cell_state(const json_t *o, char *ret, size_t cap)
{
    const bool there = json_is_true(json_object_get(o, "there")),
               up = json_is_true(json_object_get(o, "up"));
    (void)snprintf(ret, cap, "%s", !there ? "gone" : up ? "up" : "down");
}

static void print_table(const json_t *all)
{
    static const struct client_column columns[] = {{"NAME", false, "name", NULL},
                                                   {"ALIAS", false, "alias", NULL},
                                                   {"STATE", false, NULL, cell_state},
                                                   {"MTU", true, "mtu", NULL},
                                                   {"MAC", false, "mac", NULL}};
    client_table(all, columns, ARRAY_SIZE(columns), stdout);
}

/* The port of that name, alias or id, borrowed from the array. */
static const json_t *find(const json_t *all, const char *word)
{
    size_t i;
    const json_t *o;
    json_array_foreach(all, i, o)
    {
        if (client_means_port(o, word)) {
            return o;
        }
    }
    return NULL;
}

static int set(struct client *c, const struct line *l, const json_t *port, struct error *err)
{
    char path[80];
    const char *alias = l->alias && l->alias[0] ? l->alias : NULL;
    json_t *change = json_pack("{s:s?}", "alias", alias);
    if (!change) {
        return error_set(err, EINVAL, "the alias is no text");
    }
    (void)snprintf(path, sizeof(path), "/v1/ports/%.40s", client_text(port, "id"));
    const int r = client_ask(c, "PATCH", path, change, NULL, err);
    json_decref(change);
    return r;
}

static int act(struct client *c, const struct line *l, int n, char *const *words, const json_t *all,
               struct error *err)
{
    if (n < 2) {
        (l->client.json ? client_json : print_table)(all);
        return 0;
    }
    const json_t *port = find(all, words[1]);
    if (!port) {
        return error_set(err, ENOENT, "the service has no port \"%s\"", words[1]);
    }
    if (strcmp(words[0], "set") == 0) {
        return set(c, l, port, err);
    }
    client_show(port, l->client.json);
    return 0;
}

int cmd_port(int argc, char **argv)
{
    struct line l = {.alias = NULL};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    json_t *all = NULL;
    int r = options_parse(&port_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    const int n = argc - optind;
    char *const *words = argv + optind;
    const bool lists = n == 0 || (n == 1 && strcmp(words[0], "list") == 0);
    const bool sets = n == 2 && strcmp(words[0], "set") == 0;
    if ((!lists && !sets && !(n == 2 && strcmp(words[0], "show") == 0)) ||
        sets != (l.alias != NULL)) {
        return usage_error("port", "list, show PORT, or set PORT --alias NAME");
    }
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : client_list(&c, "/v1/ports?sort=name", "ports", &all, &err);
    r = r < 0 ? r : act(&c, &l, lists ? 0 : n, words, all, &err);
    json_decref(all);
    client_close(&c);
    return client_exit("port", r, &err);
}
