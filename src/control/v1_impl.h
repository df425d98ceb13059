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
/* v1_taps.c */
api_handler v1_service_create, v1_service_delete, v1_flow_create, v1_flow_delete;
/* v1_tokens.c */
api_handler v1_token_create;
/* v1_events.c */
api_handler v1_events, v1_audit;
/* v1_about.c */
api_handler v1_versions, v1_capabilities, v1_problem, v1_openapi, v1_healthz;

extern const char *const v1_data_parameters[],
    *const v1_event_parameters[], *const v1_tap_parameters[], *const v1_token_parameters[];

/* v1_data.c: {"packet":["pcapng"],…}, the forms that there are of each type's data. */
void v1_data_forms(struct text *to);
