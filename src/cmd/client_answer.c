/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of a service: documents, problems, and data (client.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/client.h"

const char *client_text(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

int64_t client_int(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* Each fault: its field, unless its sentence begins with that, and the sentence: "points/0: there
 * is no port eth9; stop must be after start". */
static void put_faults(const json_t *faults, char *ret, size_t cap)
{
    size_t i, n = 0;
    const json_t *fault;
    ret[0] = '\0';
    json_array_foreach(faults, i, fault)
    {
        const char *at = client_text(fault, "pointer"), *detail = client_text(fault, "detail");
        at += at[0] == '/';
        const bool told = strncmp(detail, at, strlen(at)) == 0;
        if (n < cap) {
            n += (size_t)snprintf(ret + n, cap - n, "%s%s%s%s", n ? "; " : "", told ? "" : at,
                                  told ? "" : ": ", detail);
        }
    }
}

/* The service's own words, as a problem document has them. */
static void take_problem(const json_t *doc, int status, struct error *err)
{
    char text[sizeof(err->text)];
    const char *words = client_text(doc, "detail");
    words = words[0] ? words : client_text(doc, "title");
    put_faults(json_object_get(doc, "errors"), text, sizeof(text));
    if (!text[0] && words[0]) {
        (void)snprintf(text, sizeof(text), "%s", words);
    } else if (!text[0]) {
        (void)snprintf(text, sizeof(text), "the service refuses, by status %d", status);
    }
    text_line(err->text, sizeof(err->text), text);
}

static int refuse(const struct http_client_answer *a, struct error *err)
{
    struct error words = {""};
    json_t *doc = a->body ? json_loadb(a->body, a->len, 0, NULL) : NULL;
    take_problem(doc, a->status, &words);
    json_decref(doc);
    if (err) {
        *err = words;
    }
    return a->status == 404                       ? -ENOENT
           : a->status == 409                     ? -EBUSY
           : a->status == 401 || a->status == 403 ? -EACCES
                                                  : -EPROTO;
}

int client_ask(struct client *c, const char *method, const char *path, const json_t *body,
               json_t **ret, struct error *err)
{
    json_error_t why;
    struct http_client_answer a = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int r =
        body && !text
            ? error_sys(err, ENOMEM, "cannot ask")
            : http_client_ask(c->http,
                              &(struct http_client_ask){
                                  .method = method, .path = path, .body = text, .stop = c->stop},
                              &a, err);
    free(text);
    if (r < 0) {
        return r;
    }
    r = a.status >= 400 ? refuse(&a, err) : 0;
    json_t *doc = r == 0 && a.len > 0 ? json_loadb(a.body, a.len, 0, &why) : NULL;
    if (r == 0 && a.len > 0 && !doc) {
        r = error_set(err, EPROTO, "the service's answer is no JSON: %s", why.text);
    }
    http_client_answer_done(&a);
    if (r == 0 && ret) {
        *ret = doc;
    } else {
        json_decref(doc);
    }
    return r;
}

int client_take(struct client *c, const char *path, const char *accept,
                const struct client_taker *taker, struct error *err)
{
    struct http_client_answer a = {0};
    int r = http_client_ask(c->http,
                            &(struct http_client_ask){.method = "GET",
                                                      .path = path,
                                                      .accept = accept,
                                                      .take = taker->take,
                                                      .tick = taker->tick,
                                                      .user = taker->user,
                                                      .stop = c->stop},
                            &a, err);
    if (r == 0 && a.status >= 400) {
        r = refuse(&a, err);
    }
    http_client_answer_done(&a);
    return r;
}
