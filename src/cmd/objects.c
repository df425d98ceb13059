/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan objects`: the resources of a service, of whatever kind; columns, fields and the forms of
 * their values come from the kind's table. What only one kind has is a command of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/objects_fields.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "model/kinds.h"

static const char intro[] =
    "Usage: farspan objects KIND [list] | KIND {show|delete} ID |\n"
    "       KIND create FIELD=VALUE... | KIND set ID FIELD=VALUE... [OPTION...]\n"
    "\n"
    "Lists the resources of a kind that a farspan service has, such as captures, ports or tokens;\n"
    "shows, makes, changes or deletes one.\n";

static const struct conf_part parts[] = {{&client_group, 0}};
static const struct conf_table table = {"objects", parts, ARRAY_SIZE(parts)};
const struct options objects_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};

enum verb {
    LIST,
    SHOW,
    DELETE,
    CREATE,
    SET,
    NO_VERB,
};

static enum verb verb_of(int n, char *const *words)
{
    static const char *const names[] = {"list", "show", "delete", "create", "set"};
    unsigned v = LIST;
    while (n > 1 && v < NO_VERB && strcmp(words[1], names[v]) != 0) {
        v++;
    }
    const bool takes = v == LIST                  ? n <= 2
                       : v == SHOW || v == DELETE ? n == 3
                       : v == CREATE              ? n >= 3
                                                  : n >= 4;
    return n > 0 && v < NO_VERB && takes ? (enum verb)v : NO_VERB;
}

static const struct kind *find_kind(const char *word, struct error *err)
{
    char all[256] = "";
    const struct kind *k = kinds_find(word);
    for (size_t i = 0, n = 0; !k && i < KINDS && n < sizeof(all); i++) {
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i == 0 ? "" : ", ",
                              kinds[i]->plural);
    }
    if (!k) {
        (void)error_set(err, EINVAL, "there is no kind \"%s\"; the kinds are %s", word, all);
    }
    return k;
}

static int list(struct client *c, const struct client_options *o, const struct kind *k,
                struct error *err)
{
    char path[80];
    json_t *all = NULL;
    (void)snprintf(path, sizeof(path), "/v1/%s", k->plural);
    const int r = client_list(c, path, k->plural, &all, err);
    if (r == 0 && o->json) {
        client_json(all);
    } else if (r == 0) {
        objects_table(k, all);
    }
    json_decref(all);
    return r;
}

/* ---- verbs ---- */

static int send_fields(struct client *c, const struct client_options *o, const struct kind *k,
                       const char *method, const char *path, int n, char *const *words,
                       struct error *err)
{
    json_t *body = json_object(), *object = NULL;
    int r = body ? 0 : error_sys(err, ENOMEM, "cannot ask");
    for (int i = 0; r == 0 && i < n; i++) {
        r = objects_put(k, words[i], body, err);
    }
    r = r < 0 ? r : client_ask(c, method, path, body, &object, err);
    if (r == 0 && object) {
        client_show(object, o->json);
    }
    json_decref(object);
    json_decref(body);
    return r;
}

static int act(struct client *c, const struct client_options *o, const struct kind *k,
               enum verb verb, int n, char *const *words, struct error *err)
{
    char path[512], id[128] = "";
    json_t *object = NULL;
    if (verb == LIST) {
        return list(c, o, k, err);
    }
    if (verb == CREATE) {
        (void)snprintf(path, sizeof(path), "/v1/%s", k->plural);
        return send_fields(c, o, k, "POST", path, n - 2, words + 2, err);
    }
    if (client_escape(words[2], id, sizeof(id)) < 0) {
        return error_set(err, EINVAL, "\"%s\" is too long for an id", words[2]);
    }
    (void)snprintf(path, sizeof(path), "/v1/%s/%s", k->plural, id);
    if (verb == SET) {
        return send_fields(c, o, k, "PATCH", path, n - 3, words + 3, err);
    }
    const int r = client_ask(c, verb == SHOW ? "GET" : "DELETE", path, NULL, &object, err);
    if (r == 0 && object) {
        client_show(object, o->json);
    }
    json_decref(object);
    return r;
}

int cmd_objects(int argc, char **argv)
{
    struct client_options o = {.server = NULL};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    int r = options_parse(&objects_options, &o, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    const int n = argc - optind;
    char *const *words = argv + optind;
    const enum verb verb = verb_of(n, words);
    if (verb == NO_VERB) {
        return usage_error("objects", "KIND, and list, show ID, delete ID, create FIELD=VALUE..., "
                                      "or set ID FIELD=VALUE...");
    }
    const struct kind *k = find_kind(words[0], &err);
    r = k ? client_open(&c, &o, &err) : -EINVAL;
    r = r < 0 ? r : act(&c, &o, k, verb, n, words, &err);
    client_close(&c);
    return client_exit("objects", r, &err);
}
