/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan token create` (token_line.h).
 */
#include <errno.h>

#include "base/text.h"
#include "base/time.h"
#include "cmd/token_line.h"
#include "model/time_text.h"

enum {
    PROJECT = 512,
    SECRET = 256,
};

/* -EINVAL with a sentence. */
static int make_path(const char *project, char *ret, size_t cap, struct error *err)
{
    char escaped[PROJECT];
    if (!project) {
        (void)snprintf(ret, cap, "/v1/tokens");
        return 0;
    }
    if (client_escape(project, escaped, sizeof(escaped)) < 0) {
        return error_set(err, EINVAL, "--project is too long");
    }
    (void)snprintf(ret, cap, "/v1/tokens?project=%s", escaped);
    return 0;
}

static int make_wish(const struct token_line *l, const char *name, int64_t now_ns, json_t **ret,
                     struct error *err)
{
    char expires[TIME_TEXT];
    if (l->expires_ns > INT64_MAX - now_ns) {
        return error_set(err, EINVAL, "--expires is too long");
    }
    json_t *wish = json_pack("{s:s, s:s}", "name", name, "role", l->role);
    if (!wish) {
        return error_set(err, EINVAL, "the name is no text");
    }
    if (l->expires_ns > 0) {
        time_text(now_ns + l->expires_ns, expires);
        (void)json_object_set_new(wish, "expires", json_string(expires));
    }
    *ret = wish;
    return 0;
}

int token_create(struct client *c, const struct token_line *l, const char *name, struct error *err)
{
    char path[PROJECT + 32], secret[SECRET];
    json_t *made = NULL, *wish = NULL;
    int r = make_path(l->project, path, sizeof(path), err);
    r = r < 0 ? r : make_wish(l, name, wall_now().ns, &wish, err);
    r = r < 0 ? r : client_ask(c, "POST", path, wish, &made, err);
    if (r == 0 && l->client.json) {
        client_json(made);
    } else if (r == 0) {
        text_line(secret, sizeof(secret), client_text(made, "token"));
        printf("%s\n", secret);
    }
    json_decref(wish);
    json_decref(made);
    return r;
}
