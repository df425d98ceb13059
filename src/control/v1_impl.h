/* SPDX-License-Identifier: Apache-2.0
 *
 * The handlers of v1's table, by the files that have them, and what those share.
 */
#pragma once

#include "control/api.h"

/* v1_captures.c */
api_handler v1_capture_create, v1_capture_update, v1_capture_delete, v1_capture_cancel;
/* v1_data.c */
api_handler v1_capture_data;
/* v1_ports.c */
api_handler v1_port_update;
/* v1_tokens.c */
api_handler v1_token_create;
/* v1_events.c */
api_handler v1_events, v1_audit;
/* v1_about.c */
api_handler v1_versions, v1_capabilities, v1_problem, v1_openapi, v1_healthz;

extern const char *const v1_data_parameters[], *const v1_event_parameters[],
                                                   *const v1_token_parameters[];

enum {
    V1_POINT = 130, /* bytes of a port's name, with its agent's */
};
/* v1_ports.c: the port that is there now and that the name, alias or id means: "eth0", of an agent
 * "web1:eth0". -ENOENT: there is none; `ret_near` is then the name most like it, "" where there are
 * no ports. Another failure has become the answer. */
int v1_port_find(struct api_turn *t, const char *point, char ret[V1_POINT],
                 char ret_near[V1_POINT]);
/* The only port that there is. -ENOENT: there are none or several, which `ret_near` lists. */
int v1_port_only(struct api_turn *t, char ret[V1_POINT], char ret_names[V1_POINT]);

/* v1_data.c: {"packet":["pcapng"],…}, the forms that there are of each type's data. */
void v1_data_forms(struct text *to);
