/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers and refusals in OpenStack Networking's form.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/taas_impl.h"

enum {
    MESSAGE = 512, /* bytes of a message */
};

/* The types of what any route may answer. A sentence of OpenStack's own stands where its clients
 * know that one. */
static const struct {
    int status;
    const char *type, *message;
} types[] = {
    {400, "HTTPBadRequest", NULL},
    {401, "HTTPUnauthorized", NULL},
    {403, "PolicyNotAuthorized", NULL},
    {404, "HTTPNotFound", "The resource could not be found."},
    {405, "HTTPMethodNotAllowed",
     "The server could not comply with the request since it is either malformed or otherwise "
     "incorrect."},
    {406, "HTTPNotAcceptable", NULL},
    {409, "Conflict", NULL},
    {413, "HTTPRequestEntityTooLarge", NULL},
    {415, "HTTPUnsupportedMediaType", NULL},
    {429, "HTTPTooManyRequests", NULL},
    {503, "ServiceUnavailable", NULL},
    {507, "ServiceUnavailable", NULL},
};

static void put_error(struct text *to, const char *type, const char *message)
{
    text_add(to, "{\"NeutronError\":{\"type\":\"%s\",\"message\":", type);
    text_add_json(to, message);
    text_add(to, ",\"detail\":\"\"}}");
}

void taas_refuse(struct http_answer *a, int status, const char *words)
{
    const char *type = "HTTPInternalServerError", *message = NULL;
    struct text t = {0};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (types[i].status == status) {
            type = types[i].type;
            message = types[i].message;
        }
    }
    a->status = status;
    put_error(&t, type, message ? message : words);
    http_answer_header(a, "Content-Type", "application/json");
    if (status == 401) {
        http_answer_header(a, "WWW-Authenticate", "Bearer realm=\"farspan\"");
    }
    if (t.failed) {
        text_free(&t);
        return;
    }
    a->len = t.len;
    a->bytes = (uint8_t *)TAKE_PTR(t.p);
}

enum api_result taas_error(struct api_turn *t, int status, const char *type, const char *fmt, ...)
{
    char message[MESSAGE];
    struct text body = {0};
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    put_error(&body, type, message);
    return api_json(t, status, &body);
}

enum api_result taas_invalid(struct api_turn *t, const char *attribute, const char *fmt, ...)
{
    char reason[MESSAGE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    return taas_error(t, 400, "HTTPBadRequest", "Invalid input for %s. Reason: %s", attribute,
                      reason);
}

enum api_result taas_no_memory(struct api_turn *t)
{
    return api_problem(t, 503, NULL, "memory is short");
}

enum api_result taas_answer(struct api_turn *t, int status, json_t *document)
{
    struct text body = {0};
    char *dump = document ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (!dump) {
        return taas_no_memory(t);
    }
    text_add_bytes(&body, dump, strlen(dump));
    free(dump);
    return api_json(t, status, &body);
}

/* ---- values in sentences ---- */

static void show(struct text *to, const json_t *value, bool inner)
{
    const char *key;
    const json_t *member;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_STRING:
        text_add(to, inner ? "'%s'" : "%s", json_string_value(value));
        return;
    case JSON_INTEGER:
        text_add(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    case JSON_REAL:
        text_add(to, "%g", json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        text_add(to, "%s", json_is_true(value) ? "True" : "False");
        return;
    case JSON_NULL:
        text_add(to, "None");
        return;
    case JSON_ARRAY:
        text_add(to, "[");
        json_array_foreach((json_t *)value, i, member)
        {
            text_add(to, i ? ", " : "");
            show(to, member, true); /* no deeper than JSON_DEPTH */
        }
        text_add(to, "]");
        return;
    case JSON_OBJECT:
        break;
    }
    const char *before = "{";
    json_object_foreach((json_t *)value, key, member)
    {
        text_add(to, "%s'%s': ", before, key);
        show(to, member, true);
        before = ", ";
    }
    text_add(to, "%s}", *before == '{' ? "{" : "");
}

void taas_shown(const json_t *value, char *ret, size_t cap)
{
    struct text t = {0};
    show(&t, value, false);
    (void)snprintf(ret, cap, "%s", t.failed || !t.p ? "" : t.p);
    text_free(&t);
}

void taas_origin(const struct http_request *r, char *ret, size_t cap)
{
    const char *host = http_header_of(r, "Host");
    (void)snprintf(ret, cap, "%s%s", host ? "http://" : "", host ? host : "");
}
