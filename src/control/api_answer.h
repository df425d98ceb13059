/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents and refusals, as answers; a refusal is in the manner of the request's route.
 */
#pragma once

#include "control/api_turn.h"
#include "control/json.h"

/* A problem document (RFC 9457); `faults` may be NULL. The format makes its detail, a sentence. */
enum api_result api_problem(struct api_turn *t, int status, const struct json_faults *faults,
                            const char *fmt, ...) _printf_(4, 5);
/* A JSON document; takes the text. */
enum api_result api_json(struct api_turn *t, int status, struct text *body);
/* Any text of that type; takes it. */
enum api_result api_text(struct api_turn *t, int status, const char *type, struct text *body);
