/* SPDX-License-Identifier: Apache-2.0
 *
 * The adapter of OpenTap's routes (docs/opentap.md): its clients run unmodified. Its words, ids,
 * codes and times are translated here, into objects and files as all adapters have them, and come
 * no further. All answers have the status 200, refusals too, as its clients look at nothing else.
 */
#pragma once

#include "control/api.h"
#include "control/opentap_settings.h"

/* Its `GET /` stands before that of v1 in the order of tables. */
extern const struct api_route opentap_routes[];
extern const size_t opentap_n_routes;
