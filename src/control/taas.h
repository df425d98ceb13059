/* SPDX-License-Identifier: Apache-2.0
 *
 * The adapter of OpenStack Networking's API for taps (docs/taas.md): its clients run unmodified.
 * Its words, ids and codes are translated here, into tap services, flows and ports as all adapters
 * have them, and come no further.
 */
#pragma once

#include "control/api.h"

extern const struct api_route taas_routes[];
extern const size_t taas_n_routes;

/* {"versions":[…]} without the braces, for documents that clients find the API by. */
void taas_put_versions(struct text *to, const struct http_request *r);
