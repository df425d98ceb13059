/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan port`: the ports of a service, their aliases, projects and sides.
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
    "Usage: farspan port [list] | show PORT | set PORT {--name|--project|--facing} VALUE...\n"
    "\n"
    "Lists what a farspan service can capture from and tap, shows one port, or changes its name,\n"
    "project or side.\n";

struct line {
    struct client_options client;
    const char *name, *project, *facing;
};

static const struct conf_row rows[] = {
    {0, "name", "NAME", "of set: another name for the port; \"\": none",
     CONF_TEXT_AT(struct line, name),
     .manual = "With *set*: another name, its alias, by which captures and tap flows may call the\n"
               "port; an empty one takes it away."},
    {0, "project", "PROJECT", "of set: whose frames the port has",
     CONF_TEXT_AT(struct line, project),
     .manual =
         "With *set*: the project whose captures and tap flows may have frames of the port,\n"
         "and which sees it. Ports that nobody was given are of _local_, the operator's own."},
    {0, "facing", "SIDE", "of set: owner, self or auto", CONF_TEXT_AT(struct line, facing),
     .words = "owner|self|auto",
     .manual = "With *set*: *owner* says that the port is the host's end of a cable to a machine\n"
               "or container, whose owner gets what the host sends; *self* says that the host is\n"
               "the owner. With *auto* it is as it looks: a TAP device without an address of its\n"
               "own faces its owner, and so does a veth whose other end is in another namespace."},
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
    static const struct client_column columns[] = {
        {"NAME", false, "name", NULL},       {"ALIAS", false, "alias", NULL},
        {"PROJECT", false, "project", NULL}, {"STATE", false, NULL, cell_state},
        {"FACES", false, "faces", NULL},     {"MTU", true, "mtu", NULL},
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

/* NULL: no value. */
static int put_text(json_t *o, const char *name, const char *text)
{
    return json_object_set_new(o, name, text ? json_string(text) : json_null());
}

static int set(struct client *c, const struct line *l, const json_t *port, struct error *err)
{
    char path[80];
    json_t *change = json_object();
    int e = l->name ? put_text(change, "alias", l->name[0] ? l->name : NULL) : 0;
    e = e == 0 && l->project ? put_text(change, "project", l->project) : e;
    e = e == 0 && l->facing
            ? put_text(change, "facing", strcmp(l->facing, "auto") != 0 ? l->facing : NULL)
            : e;
    if (!change || e != 0) {
        json_decref(change);
        return error_set(err, EINVAL, "a value is no text");
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
    struct line l = {.name = NULL};
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
        sets != (l.name != NULL || l.project != NULL || l.facing != NULL)) {
        return usage_error("port",
                           "list, show PORT, or set PORT with --name, --project or --facing");
    }
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : client_list(&c, "/v1/ports?sort=name", "ports", &all, &err);
    r = r < 0 ? r : act(&c, &l, lists ? 0 : n, words, all, &err);
    json_decref(all);
    client_close(&c);
    return client_exit("port", r, &err);
}
