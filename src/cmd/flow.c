/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan flow`: tap flows, which have frames of a port copied to a tap service.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/flow_line.h"
#include "cmd/flow_wait.h"
#include "cmd/options.h"
#include "cmd/tables.h"

static void print_table(const struct tap_client_lists *l)
{
    static const struct client_column columns[] = {{"NAME", false, "name", NULL},
                                                   {"STATUS", false, "status", NULL},
                                                   {"SOURCE", false, "source_name", NULL},
                                                   {"SERVICE", false, "service_name", NULL},
                                                   {"DIRECTION", false, "direction", NULL},
                                                   {"DATAPATH", false, "datapath", NULL},
                                                   {"FRAMES", true, "matched_frames", NULL},
                                                   {"DROPPED", true, "dropped", NULL},
                                                   {"REASON", false, "status_reason", NULL}};
    tap_client_name_ports(l);
    client_table(l->flows, columns, ARRAY_SIZE(columns), stdout);
}

/* ---- verbs ---- */

static int body_of(const struct flow_line *l, const char *name, json_t *body, struct error *err)
{
    int r = tap_client_put_text(body, "name", name, err);
    r = r < 0 ? r : tap_client_put_text(body, "source", l->source, err);
    r = r < 0 ? r : tap_client_put_text(body, "service", l->service, err);
    r = r < 0 ? r : tap_client_put_text(body, "direction", l->direction, err);
    r = r < 0 ? r : tap_client_put_text(body, "vlans", l->vlans, err);
    r = r < 0 ? r : tap_client_put_text(body, "filter", l->filter, err);
    return r < 0 ? r : tap_client_put_text(body, "description", l->change.description, err);
}

static int create(struct client *c, const struct flow_line *l, const char *name,
                  const struct tap_client_lists *lists, struct error *err)
{
    char path[600], project[512] = "";
    json_t *body = json_object(), *made = NULL;
    int r = body ? body_of(l, name, body, err) : error_sys(err, ENOMEM, "cannot ask");
    if (r == 0 && l->project && client_escape(l->project, project, sizeof(project)) < 0) {
        r = error_set(err, EINVAL, "--project: the name is too long");
    }
    (void)snprintf(path, sizeof(path), "/v1/tap_flows%s%s", l->project ? "?project=" : "", project);
    r = r < 0 ? r : client_ask(c, "POST", path, body, &made, err);
    r = r < 0 || l->wait_ns == 0 ? r : flow_wait(c, l->wait_ns, &made, err);
    if (made && l->client.json) {
        client_json(made);
    } else if (made) {
        flow_print(lists, made);
    }
    json_decref(made);
    json_decref(body);
    return r;
}

static int act(struct client *c, const struct flow_line *l, const char *verb, const char *name,
               const struct tap_client_lists *lists, struct error *err)
{
    const bool creates = strcmp(verb, "create") == 0;
    const json_t *o = client_named(lists->flows, "tap flow", name, err);
    if (creates) {
        return o && l->may_exist ? 0 : create(c, l, name, lists, err);
    }
    if (!o && l->if_exists && strcmp(verb, "delete") == 0) {
        return 0;
    }
    if (!o) {
        return -ENOENT;
    }
    if (strcmp(verb, "set") == 0) {
        return tap_client_set(c, "tap_flows", o, &l->change, err);
    }
    if (strcmp(verb, "delete") == 0) {
        return tap_client_delete(c, "tap_flows", o, err);
    }
    if (l->watch) {
        return flow_watch(c, lists, client_text(o, "id"), err);
    }
    client_show(o, l->client.json);
    return 0;
}

/* Are these words and options ones? */
static bool is_sound(const struct flow_line *l, int n, char *const *words)
{
    const char *verb = n > 0 ? words[0] : "list";
    const bool creates = strcmp(verb, "create") == 0, has_ends = l->source && l->service;
    if (strcmp(verb, "list") == 0) {
        return n <= 1;
    }
    if (n != 2 || (creates ? !has_ends
                           : l->source || l->service || l->vlans || l->filter || l->wait_ns > 0)) {
        return false;
    }
    return strcmp(verb, "set") == 0
               ? l->change.name || l->change.description
               : creates || strcmp(verb, "show") == 0 || strcmp(verb, "delete") == 0;
}

int cmd_flow(int argc, char **argv)
{
    struct flow_line l = {.source = NULL};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    struct tap_client_lists lists = {NULL, NULL, NULL};
    int r = options_parse(&flow_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    const int n = argc - optind;
    char *const *words = argv + optind;
    if (!is_sound(&l, n, words)) {
        return usage_error("flow", "list, create NAME --source PORT --service SERVICE, show NAME, "
                                   "set NAME with --name or --description, or delete NAME");
    }
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : tap_client_lists_get(&c, &lists, &err);
    if (r == 0 && n < 2 && l.client.json) {
        client_json(lists.flows);
    } else if (r == 0 && n < 2) {
        print_table(&lists);
    } else if (r == 0) {
        err.text[0] = '\0';
        r = act(&c, &l, words[0], words[1], &lists, &err);
    }
    tap_client_lists_done(&lists);
    client_close(&c);
    return client_exit("flow", r, &err);
}
