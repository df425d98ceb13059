/* SPDX-License-Identifier: Apache-2.0
 *
 * A request on its way through the framework (control/api.h) and its handler.
 */
#pragma once

#include "control/route.h"
#include "control/target.h"
#include "control/who.h"
#include "sys/http.h"

struct api;

/* A request under way. */
struct api_turn {
    struct api *api;
    const struct http_request *request;
    const struct api_route *route;
    const struct api_manner *manner; /* the route's, or the path's; NULL: ours */
    struct api_who who;
    struct target target;
    char *segment[TARGET_SEGMENTS]; /* those in braces, in order, decoded */
    unsigned n_segments;
    int64_t now_ns;
    struct http_answer answer;
    void *user; /* of struct api_conf */
    void *kept; /* a handler's own between API_LATER and its next call; freed by free() */
    /* For after the commit: what is wanted has changed; and the file of that id is of no use. */
    bool after_changed, after_delete;
    uint8_t deleted[16];
    /* The framework's. */
    bool changed, told, refused;
};
