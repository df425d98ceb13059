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

/* A refusal in another form than problem details: an answer of that status, which may be another
 * then, out of the sentence. */
typedef void api_refusal(struct http_answer *a, int status, const char *words);

/* How an API differs from ours: the same one of all of its routes. */
struct api_manner {
    api_refusal *refuse; /* NULL: problem details */
    /* The first segment of its paths: what begins so and is no route is refused in its form, too.
     * NULL: its routes alone. */
    const char *prefix;
    const char *suffix;             /* of any path below the prefix, which means nothing; NULL */
    const struct who_header *token; /* beside Authorization; NULL */
    bool open; /* parameters may be there several times, and unknown ones mean nothing */
};

enum api_flags {
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
    const struct api_manner *manner; /* NULL: as all of ours */
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

/* The manner of whatever is below the target's first segment; NULL: it is ours. */
const struct api_manner *route_manner(const struct route_tables *r, const struct target *t);

/* May the route have a parameter of that name? */
bool route_takes(const struct api_route *r, const char *name);
