/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests before their handlers run: each needs a route, the right to it, and the form.
 */
#pragma once

#include "control/api_turn.h"

struct admit {
    struct route_tables routes;
    struct who_conf who;
    struct who_guard guard;
};

/* May the request's handler run? Its route, target and identity are set then. False: the refusal is
 * the answer. */
bool api_admit(struct admit *a, struct api_turn *t, int64_t now_ns);
