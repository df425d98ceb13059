/* SPDX-License-Identifier: Apache-2.0 */
#include "control/api_answer.h"

#include <stdarg.h>

#include "control/problem.h"

static void refuse(struct api_turn *t, int status, const char *words,
                   const struct json_faults *faults)
{
    t->refused = true;
    if (t->manner && t->manner->refuse) {
        http_answer_done(&t->answer);
        t->answer = HTTP_ANSWER_NONE;
        t->manner->refuse(&t->answer, status, words);
        return;
    }
    problem_answer(&t->answer, status, words, faults);
    if (status == 401) {
        http_answer_header(&t->answer, "WWW-Authenticate", "Bearer realm=\"farspan\"");
    }
}

enum api_result api_problem(struct api_turn *t, int status, const struct json_faults *faults,
                            const char *fmt, ...)
{
    char words[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    refuse(t, status, words, faults);
    return API_DONE;
}

enum api_result api_text(struct api_turn *t, int status, const char *type, struct text *body)
{
    if (body->failed) {
        text_free(body);
        return api_problem(t, 503, NULL, "memory is short");
    }
    http_answer_done(&t->answer);
    t->answer = HTTP_ANSWER_NONE;
    t->answer.status = status;
    t->refused = status >= 400;
    http_answer_header(&t->answer, "Content-Type", "%s", type);
    t->answer.bytes = (uint8_t *)TAKE_PTR(body->p);
    t->answer.len = body->len;
    *body = (struct text){0};
    return API_DONE;
}

enum api_result api_json(struct api_turn *t, int status, struct text *body)
{
    return api_text(t, status, "application/json", body);
}
