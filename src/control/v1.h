/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own routes, /v1 and what stands beside it: captures, ports, tokens, events, and what
 * describes them (api/openapi.yaml is the document for readers).
 */
#pragma once

#include "control/api.h"

extern const struct api_route v1_routes[];
extern const size_t v1_n_routes;

/* The capture has been put into the store with other bytes or another state: answers that follow
 * its file go on. After the commit. */
void v1_published(struct api *a, const struct object *capture);
