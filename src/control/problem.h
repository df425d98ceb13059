/* SPDX-License-Identifier: Apache-2.0
 *
 * Problem details (RFC 9457): a refusal as a document, with the cause in it. Its `type` is a page
 * that the server has, of one of the names here.
 */
#pragma once

#include "control/json.h"
#include "sys/http.h"

struct problem {
    int status;
    const char *name;  /* "not-found": the page is PROBLEM_PAGES and that */
    const char *title; /* a sentence */
    const char *page;  /* some sentences */
};

#define PROBLEM_PAGES "/v1/problems/"

/* The problem of the status; one that is not in the table is as 500. Never NULL. */
const struct problem *problem_of(int status);
/* NULL: there is none of the name. */
const struct problem *problem_named(const char *name);
/* The n-th; NULL: there are no more. */
const struct problem *problem_at(size_t n);

/* Makes the answer a problem document, in place of what it was. `faults` may be NULL. */
void problem_answer(struct http_answer *a, int status, const char *detail,
                    const struct json_faults *faults);
