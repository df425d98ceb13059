/* SPDX-License-Identifier: Apache-2.0 */
#include "control/problem.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const struct problem problems[] = {
    {400, "bad-request", "The request is malformed.",
     "The target, a header, a parameter or the body is in no form that the service reads. `detail` "
     "says what is wrong. Parameters and fields that the service does not know are refused, as a "
     "misspelt one would otherwise be left out in silence."},
    {401, "unauthorized", "This needs a token.",
     "A token is shown in the header \"Authorization: Bearer TOKEN\", and nowhere else. Tokens are "
     "made by `farspan token create`, expire, and can be revoked. Root and the service's own user "
     "need none at the local socket."},
    {403, "forbidden", "You may not do that.",
     "The token, or whoever asks without one, lacks the role: read, capture or admin. A request "
     "without a token is also refused if its Host names another host than this one, or if a page "
     "of "
     "another site is behind it."},
    {404, "not-found", "There is no such thing.",
     "No route has this path, or no object this id. Objects of other projects look the same."},
    {405, "method-not-allowed", "The path does not take this method.",
     "The header Allow has the methods that it takes."},
    {406, "not-acceptable", "There is no such form of it.",
     "The header Accept, or the parameter `format`, asks for a form that the service does not have "
     "of this. `detail` names those that there are."},
    {409, "conflict", "That does not go with how things are.",
     "The request is right, but not now: a capture has not begun, has ended, or the owner has as "
     "many as may be."},
    {412, "precondition-failed", "It has changed meanwhile.",
     "The object is of another generation than the header If-Match says."},
    {413, "content-too-large", "The body is too large.", "A body has at most 64 KiB."},
    {414, "uri-too-long", "The target is too long.", "A target has at most 8 KiB."},
    {415, "unsupported-media-type", "The body is in no form that is read.",
     "Bodies are JSON: the request needs the header \"Content-Type: application/json\"."},
    {416, "range-not-satisfiable", "Nothing of that range is there.",
     "The header Range asks for bytes that are not there, or not yet. The header Content-Range "
     "says "
     "how many there are."},
    {422, "invalid-fields", "Some fields are wrong.",
     "`errors` has a JSON pointer and a sentence for each field that is wrong."},
    {429, "too-many-requests", "That was too much.",
     "Too many wrong tokens came from the address, or the owner has as many captures as may be at "
     "once. The header Retry-After, if it is there, says for how many seconds to wait."},
    {431, "headers-too-large", "The headers are too large.", "They have at most 16 KiB."},
    {500, "internal", "The service is at fault.",
     "Something went wrong that should not. The service's log has more."},
    {503, "unavailable", "That cannot be done now.",
     "The store or another part of the service does not answer. Nothing has been changed. Try "
     "again."},
    {507, "insufficient-storage", "The disk is full.",
     "Nothing has been changed. Delete captures, or give the service more room."},
};

const struct problem *problem_of(int status)
{
    const struct problem *internal = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
        if (problems[i].status == status) {
            return &problems[i];
        }
        internal = problems[i].status == 500 ? &problems[i] : internal;
    }
    return internal;
}

const struct problem *problem_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
        if (strcmp(problems[i].name, name) == 0) {
            return &problems[i];
        }
    }
    return NULL;
}

const struct problem *problem_at(size_t n)
{
    return n < ARRAY_SIZE(problems) ? &problems[n] : NULL;
}

static void put_faults(struct text *t, const struct json_faults *faults)
{
    text_add(t, ",\"errors\":[");
    for (unsigned i = 0; i < faults->n; i++) {
        text_add(t, i ? ",{\"pointer\":" : "{\"pointer\":");
        text_add_json(t, faults->at[i].pointer);
        text_add(t, ",\"detail\":");
        text_add_json(t, faults->at[i].text);
        text_add(t, "}");
    }
    text_add(t, "]");
}

void problem_answer(struct http_answer *a, int status, const char *detail,
                    const struct json_faults *faults)
{
    const struct problem *p = problem_of(status);
    struct text t = {0};
    http_answer_done(a);
    *a = HTTP_ANSWER_NONE;
    a->status = status;
    text_add(&t, "{\"type\":\"" PROBLEM_PAGES "%s\",\"title\":", p->name);
    text_add_json(&t, p->title);
    text_add(&t, ",\"status\":%d,\"detail\":", status);
    text_add_json(&t, detail);
    if (faults && faults->n > 0) {
        put_faults(&t, faults);
    }
    text_add(&t, "}\n");
    if (t.failed) { /* the status has to do */
        text_free(&t);
        return;
    }
    http_answer_header(a, "Content-Type", "application/problem+json");
    a->bytes = (uint8_t *)TAKE_PTR(t.p);
    a->len = t.len;
}
