/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists in pages, and captures by the beginnings of their ids (client.h).
 */
#include <errno.h>
#include <string.h>

#include "cmd/client.h"

enum {
    PAGE = 1000,
    NAME = 256,   /* bytes of a port's name with its agent's */
    PAGES = 1000, /* of a list, in case a service never ends one */
};

/* Puts one page's objects behind those that are there, and finds the path of the next one; "":
 * there is none. A path that does not begin with a slash could name another host, which would be
 * shown the token. */
static int take_page(json_t *page, const char *name, json_t *all, char *next, size_t cap,
                     struct error *err)
{
    json_t *part = json_object_get(page, name);
    const char *behind = client_text(page, "next");
    if (!json_is_array(part) || json_array_extend(all, part) < 0) {
        return error_set(err, EPROTO, "the service's list has no \"%s\"", name);
    }
    if (strlen(behind) >= cap || (behind[0] && behind[0] != '/')) {
        return error_set(err, EPROTO, "the service's list goes on at no path");
    }
    (void)snprintf(next, cap, "%s", behind);
    return 0;
}

int client_list(struct client *c, const char *path, const char *name, json_t **ret,
                struct error *err)
{
    char next[8192];
    json_t *all = json_array();
    int r = all ? 0 : error_sys(err, ENOMEM, "cannot ask");
    (void)snprintf(next, sizeof(next), "%s%climit=%d", path, strchr(path, '?') ? '&' : '?', PAGE);
    for (unsigned n = 0; r == 0 && next[0] && n < PAGES; n++) {
        json_t *page = NULL;
        r = client_ask(c, "GET", next, NULL, &page, err);
        r = r < 0 ? r : take_page(page, name, all, next, sizeof(next), err);
        json_decref(page);
    }
    if (r == 0 && next[0]) {
        r = error_set(err, EPROTO, "the service's list has no end");
    }
    if (r < 0) {
        json_decref(all);
        return r;
    }
    *ret = all;
    return 0;
}

bool client_means_port(const json_t *port, const char *word)
{
    char point[NAME];
    static const char home[] = "home:"; /* of this service's own host, whose ports have no agent */
    const char *agent = client_text(port, "agent");
    (void)snprintf(point, sizeof(point), "%s%s%s", agent, agent[0] ? ":" : "",
                   client_text(port, "name"));
    word += strncmp(word, home, sizeof(home) - 1) == 0 && !agent[0] ? sizeof(home) - 1 : 0;
    /* one without an alias is not meant by a word without a letter */
    return word[0] && (strcmp(point, word) == 0 || strcmp(client_text(port, "alias"), word) == 0 ||
                       strcmp(client_text(port, "id"), word) == 0);
}

const json_t *client_named(const json_t *all, const char *what, const char *word, struct error *err)
{
    size_t i;
    const json_t *o, *found = NULL;
    unsigned n = 0;
    json_array_foreach(all, i, o)
    {
        if (strcmp(client_text(o, "id"), word) == 0) {
            return o;
        }
        if (strcmp(client_text(o, "name"), word) == 0) {
            found = o;
            n++;
        }
    }
    if (n > 1) {
        (void)error_set(err, EEXIST, "%u %ss have the name \"%s\": give an id, which --json has", n,
                        what, word);
        return NULL;
    }
    if (n == 0) {
        (void)error_set(err, ENOENT, "there is no %s \"%s\"", what, word);
    }
    return found;
}

int client_capture_id(struct client *c, const char *word, char ret[KIND_ID], struct error *err)
{
    json_t *all = NULL, *o;
    size_t i;
    unsigned found = 0;
    const size_t len = strlen(word);
    if (len == KIND_ID - 1 && strspn(word, "0123456789abcdef-") == len) {
        (void)snprintf(ret, KIND_ID, "%s", word); /* it is whole: nobody has to look for it */
        return 0;
    }
    int r = len > 0 && len < KIND_ID
                ? client_list(c, "/v1/captures?fields=id", "captures", &all, err)
                : 0;
    json_array_foreach(all, i, o)
    {
        const char *id = client_text(o, "id");
        if (strncmp(id, word, len) == 0 && strlen(id) < KIND_ID) {
            found++;
            (void)snprintf(ret, KIND_ID, "%s", id);
        }
    }
    json_decref(all);
    if (r < 0) {
        return r;
    }
    if (found == 0) {
        return error_set(err, ENOENT, "no capture's id begins with \"%s\"", word);
    }
    return found == 1 ? 0
                      : error_set(err, EEXIST,
                                  "the ids of %u captures begin with \"%s\": give more "
                                  "of it",
                                  found, word);
}
