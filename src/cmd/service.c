/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan service`: tap services, the ports at which copies of frames arrive.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/service_line.h"
#include "cmd/tables.h"

static void print_table(const struct tap_client_lists *l)
{
    static const struct client_column columns[] = {{"NAME", false, "name", NULL},
                                                   {"STATUS", false, "status", NULL},
                                                   {"PORT", false, "port_name", NULL},
                                                   {"PROJECT", false, "project", NULL},
                                                   {"REASON", false, "status_reason", NULL}};
    tap_client_name_ports(l);
    client_table(l->services, columns, ARRAY_SIZE(columns), stdout);
}

/* Is there one of that name at that port? */
static bool is_there(const struct tap_client_lists *l, const char *name, const char *port)
{
    size_t i, k;
    const json_t *o, *p;
    json_array_foreach(l->services, i, o)
    {
        json_array_foreach(l->ports, k, p)
        {
            if (strcmp(client_text(o, "name"), name) == 0 && client_means_port(p, port) &&
                strcmp(client_text(o, "port"), client_text(p, "id")) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int create(struct client *c, const struct service_line *l, const char *name,
                  struct error *err)
{
    char path[600], project[512] = "";
    json_t *body = json_object(), *made = NULL;
    int r = body ? 0 : error_sys(err, ENOMEM, "cannot ask");
    if (r == 0 && l->project && client_escape(l->project, project, sizeof(project)) < 0) {
        r = error_set(err, EINVAL, "--project: the name is too long");
    }
    (void)snprintf(path, sizeof(path), "/v1/tap_services%s%s", l->project ? "?project=" : "",
                   project);
    r = r < 0 ? r : tap_client_put_text(body, "name", name, err);
    r = r < 0 ? r : tap_client_put_text(body, "port", l->port, err);
    r = r < 0 ? r : tap_client_put_text(body, "frames", l->frames, err);
    r = r < 0 ? r : tap_client_put_text(body, "description", l->change.description, err);
    r = r < 0 ? r : client_ask(c, "POST", path, body, &made, err);
    if (r == 0 && l->client.json) {
        client_json(made);
    } else if (r == 0) {
        printf("%.40s\n", client_text(made, "id"));
    }
    json_decref(made);
    json_decref(body);
    return r;
}

static int act(struct client *c, const struct service_line *l, const char *verb, const char *name,
               const struct tap_client_lists *lists, struct error *err)
{
    if (strcmp(verb, "create") == 0) {
        return l->may_exist && is_there(lists, name, l->port) ? 0 : create(c, l, name, err);
    }
    const json_t *o = client_named(lists->services, "tap service", name, err);
    if (!o && l->if_exists && strcmp(verb, "delete") == 0) {
        return 0;
    }
    if (!o) {
        return -ENOENT;
    }
    if (strcmp(verb, "set") == 0) {
        return tap_client_set(c, "tap_services", o, &l->change, err);
    }
    if (strcmp(verb, "delete") == 0) {
        return tap_client_delete(c, "tap_services", o, err);
    }
    client_show(o, l->client.json);
    return 0;
}

/* Are these words and options ones? */
static bool is_sound(const struct service_line *l, int n, char *const *words)
{
    const char *verb = n > 0 ? words[0] : "list";
    const bool changes = l->change.name || l->change.description;
    if (strcmp(verb, "list") == 0) {
        return n <= 1;
    }
    if (n != 2 || (l->port != NULL) != (strcmp(verb, "create") == 0)) {
        return false;
    }
    return strcmp(verb, "set") == 0 ? changes
                                    : strcmp(verb, "create") == 0 || strcmp(verb, "show") == 0 ||
                                          strcmp(verb, "delete") == 0;
}

int cmd_service(int argc, char **argv)
{
    struct service_line l = {.port = NULL};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    struct tap_client_lists lists = {NULL, NULL, NULL};
    int r = options_parse(&service_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    const int n = argc - optind;
    char *const *words = argv + optind;
    if (!is_sound(&l, n, words)) {
        return usage_error("service", "list, create NAME --port PORT, show NAME, set NAME with "
                                      "--name or --description, or delete NAME");
    }
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : tap_client_lists_get(&c, &lists, &err);
    if (r == 0 && n < 2 && l.client.json) {
        client_json(lists.services);
    } else if (r == 0 && n < 2) {
        print_table(&lists);
    } else if (r == 0) {
        r = act(&c, &l, words[0], words[1], &lists, &err);
    }
    tap_client_lists_done(&lists);
    client_close(&c);
    return client_exit("service", r, &err);
}
