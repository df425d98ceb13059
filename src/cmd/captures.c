/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan captures`: the captures of a service, listed, shown, waited for, cancelled and deleted.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/capture_wait.h"
#include "cmd/captures_print.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"

static const char intro[] =
    "Usage: farspan captures [list] | {show|wait|cancel|delete} ID [OPTION...]\n"
    "\n"
    "Lists the captures of a farspan service, or shows one, waits for its end, ends it at once, "
    "or\n"
    "deletes it with its data. The beginning of an ID is enough where no other begins so.\n";

struct line {
    struct client_options client;
    const char *state;
};

static const struct conf_row rows[] = {
    {0, "state", "STATE", "list only those in that state", CONF_TEXT_AT(struct line, state),
     .words = "scheduled|running|finishing|done|failed|cancelled",
     .manual = "List only those in that state."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct line, client)}};
static const struct conf_table table = {"captures", parts, ARRAY_SIZE(parts)};
const struct options captures_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};

/* Ids are short, but tell from all others, also from those that are not listed. */
static int list(struct client *c, const struct line *l, struct error *err)
{
    char path[64];
    json_t *listed = NULL, *ids = NULL;
    (void)snprintf(path, sizeof(path), "/v1/captures?sort=-created%s%s", l->state ? "&state=" : "",
                   l->state ? l->state : "");
    int r = client_list(c, path, "captures", &listed, err);
    if (r == 0 && l->state && !l->client.json) {
        r = client_list(c, "/v1/captures?fields=id", "captures", &ids, err);
    }
    if (r == 0 && l->client.json) {
        client_json(listed);
    } else if (r == 0) {
        captures_table(listed, captures_id_len(ids ? ids : listed), stdout);
    }
    json_decref(listed);
    json_decref(ids);
    return r;
}

/* Asks, and shows the object that is the answer, if there is one. */
static int ask(struct client *c, const struct line *l, const char *method, const char *path,
               bool shows, struct error *err)
{
    json_t *o = NULL;
    const int r = client_ask(c, method, path, NULL, &o, err);
    if (r == 0 && o && (shows || l->client.json)) {
        client_show(o, l->client.json);
    }
    json_decref(o);
    return r;
}

/* An exit status of its own: how the capture has ended. */
static int wait_for(struct client *c, const struct line *l, const char *id, int *ret_status,
                    struct error *err)
{
    struct capture_wait w = {.client = c, .fd = -1};
    (void)snprintf(w.path, sizeof(w.path), "/v1/captures/%s", id);
    int r = capture_wait(&w, err);
    if (r == -EINTR) {
        r = error_set(err, EINTR, "the capture goes on; farspan captures cancel %s ends it", id);
    } else if (r == 0) {
        if (l->client.json) {
            client_json(w.capture);
        }
        *ret_status = captures_tell_end(w.capture, NULL);
    }
    capture_wait_done(&w);
    return r;
}

static int act(struct client *c, const struct line *l, const char *verb, const char *word,
               int *ret_status, struct error *err)
{
    char id[KIND_ID], path[80];
    int r = client_capture_id(c, word, id, err);
    if (r < 0) {
        return r;
    }
    if (strcmp(verb, "wait") == 0) {
        return wait_for(c, l, id, ret_status, err);
    }
    const bool cancels = strcmp(verb, "cancel") == 0, shows = strcmp(verb, "show") == 0;
    (void)snprintf(path, sizeof(path), "/v1/captures/%s%s", id, cancels ? "/cancel" : "");
    return ask(c, l, cancels ? "POST" : shows ? "GET" : "DELETE", path, shows, err);
}

static bool is_verb(const char *word)
{
    static const char *const verbs[] = {"show", "wait", "cancel", "delete"};
    bool is = false;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        is = is || strcmp(word, verbs[i]) == 0;
    }
    return is;
}

static int run(const struct line *l, int n, char *const *words)
{
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    int status = EXIT_SUCCESS;
    int r = client_open(&c, &l->client, &err);
    if (r == 0) {
        r = n < 2 ? list(&c, l, &err) : act(&c, l, words[0], words[1], &status, &err);
    }
    client_close(&c);
    return r < 0 ? client_exit("captures", r, &err) : end_output("captures", status);
}

int cmd_captures(int argc, char **argv)
{
    struct line l = {.state = NULL};
    const int r = options_parse(&captures_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    const int n = argc - optind;
    char *const *words = argv + optind;
    const bool lists = n == 0 || (n == 1 && strcmp(words[0], "list") == 0);
    if (!lists && !is_verb(words[0])) {
        return usage_error("captures", "\"%s\" is none of list, show, wait, cancel and delete",
                           words[0]);
    }
    if (!lists && n != 2) {
        return usage_error("captures", "%s wants one ID", words[0]);
    }
    return run(&l, lists ? 0 : 2, words);
}
