/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan token`: the tokens with which others ask a service.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "cmd/token_line.h"

static const char intro[] =
    "Usage: farspan token [list] | create NAME [--role ROLE] [--expires TIME] | {show|delete} "
    "NAME\n"
    "\n"
    "Makes a token, which is printed once and never again, lists them, shows one, or deletes it.\n";

static int set_expires(void *to, const struct conf_given *given, struct error *err)
{
    return client_duration(given->text, to) < 0
               ? error_set(err, EINVAL, "%s is a time such as 12h or 90d, not \"%s\"", given->label,
                           given->text)
               : 0;
}

static const struct conf_row rows[] = {
    {0, "role", "ROLE", "of create: read, capture or admin", CONF_TEXT_AT(struct token_line, role),
     .dflt = "read", .words = "read|capture|admin",
     .manual = "With *create*: what it may. *read* looks, *capture* captures too, *admin* may do\n"
               "everything."},
    {0, "expires", "TIME", "of create: for so long, such as 90d (default: for ever)", set_expires,
     .to = offsetof(struct token_line, expires_ns),
     .manual = "With *create*: it holds for so long: a number with *min*, *h* or *d*."},
    {0, "project", "PROJECT", "of create: sees the captures of that project",
     CONF_TEXT_AT(struct token_line, project),
     .manual = "With *create*: the project to which it belongs, and whose captures it sees."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct token_line, client)}};
static const struct conf_table table = {"token", parts, ARRAY_SIZE(parts)};
const struct options token_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};

static void cell_expires(const json_t *o, char *ret, size_t cap)
{
    if (json_is_true(json_object_get(o, "revoked"))) {
        (void)snprintf(ret, cap, "revoked");
    } else {
        client_time_words(client_text(o, "expires"), ret, cap);
    }
}

static void print_table(const json_t *all)
{
    static const struct client_column columns[] = {{"NAME", false, "name", NULL},
                                                   {"ROLE", false, "role", NULL},
                                                   {"PROJECT", false, "project", NULL},
                                                   {"EXPIRES", false, NULL, cell_expires}};
    client_table(all, columns, ARRAY_SIZE(columns), stdout);
}

static int act(struct client *c, const struct token_line *l, const char *verb, const json_t *token,
               struct error *err)
{
    char path[80];
    if (strcmp(verb, "show") == 0) {
        client_show(token, l->client.json);
        return 0;
    }
    (void)snprintf(path, sizeof(path), "/v1/tokens/%.40s", client_text(token, "id"));
    return client_ask(c, "DELETE", path, NULL, NULL, err);
}

static int run(struct client *c, const struct token_line *l, int n, char *const *words,
               struct error *err)
{
    json_t *all = NULL;
    if (n == 2 && strcmp(words[0], "create") == 0) {
        return token_create(c, l, words[1], err);
    }
    int r = client_list(c, "/v1/tokens?sort=name", "tokens", &all, err);
    if (r == 0 && n == 2) {
        const json_t *token = client_named(all, "token", words[1], err);
        r = token ? act(c, l, words[0], token, err) : -ENOENT;
    } else if (r == 0 && l->client.json) {
        client_json(all);
    } else if (r == 0) {
        print_table(all);
    }
    json_decref(all);
    return r;
}

int cmd_token(int argc, char **argv)
{
    struct token_line l = {.role = NULL};
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    int r = options_parse(&token_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    const int n = argc - optind;
    char *const *words = argv + optind;
    const bool lists = n == 0 || (n == 1 && strcmp(words[0], "list") == 0);
    const bool one = n == 2 && (strcmp(words[0], "create") == 0 || strcmp(words[0], "show") == 0 ||
                                strcmp(words[0], "delete") == 0);
    if (!lists && !one) {
        return usage_error("token", "list, create NAME, show NAME or delete NAME");
    }
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : run(&c, &l, lists ? 0 : n, words, &err);
    client_close(&c);
    return client_exit("token", r, &err);
}
