/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes as tables: which method and path leads to which handler, for whom. A path is matched by
 * its decoded segments, so that there is one way to read it.
 */
#pragma once

#include "control/target.h"
#include "control/who.h"
#include "model/kind.h"
#include "sys/http.h"

struct api_turn;

enum api_result {
    API_DONE,  /* turn->answer is the answer */
    API_LATER, /* something was asked for: the handler is called again once that is known */
};

typedef enum api_result api_handler(struct api_turn *t);

enum api_flags {
    API_OPENTAP = 1,    /* refusals of the framework are in OpenTap's form, at 200 */
    API_CHANGES = 2,    /* it changes something: the audit has a line of it */
    API_FREE = 4,       /* without any right: healthz, the list of versions */
    API_SHARED = 8,     /* objects of its kind are of no project: whoever has the role sees them */
    API_NEGOTIATES = 16 /* it answers by Accept itself; the others are JSON */
};

/* A route. `path` has segments in braces that match any one segment: "/v1/captures/{id}/data". */
struct api_route {
    enum http_method method; /* GET also answers HEAD */
    const char *path;
    enum api_role role;
    const struct kind *kind; /* of generic handlers; NULL */
    api_handler *handler;
    unsigned flags;
    /* Names of query parameters that it takes, ends with NULL; others are refused by name. NULL:
     * none; api_list_parameters: those of a list of its kind. */
    const char *const *parameters;
};

extern const char *const api_list_parameters[];

struct route_tables {
    const struct api_route *const *table;
    const size_t *n; /* rows of each */
    size_t n_tables;
};

enum {
    ROUTE_ALLOW = 64, /* bytes of a list of methods */
};

/* Has each a handler and a path? -EINVAL with a sentence. */
int route_check(const struct route_tables *r, struct error *err);

/* The route, and what its braces matched, which points into the target. -ENOENT: no such path;
 * -EOPNOTSUPP: not by that method, but by those in `ret_allow` ("GET, HEAD, POST"). */
int route_find(const struct route_tables *r, enum http_method method, const struct target *t,
               const struct api_route **ret, char *ret_segment[TARGET_SEGMENTS],
               unsigned *ret_n_segments, char ret_allow[ROUTE_ALLOW]);

/* May the route have a parameter of that name? */
bool route_takes(const struct api_route *r, const char *name);
