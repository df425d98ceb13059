/* SPDX-License-Identifier: Apache-2.0
 *
 * The framework of every route: who asks, whether they may, whether the request is well-formed, and
 * the form of answers are its work; a route is a row of a table, and its handler a straight
 * function that reads, builds a change and an answer.
 *
 * All handlers of one turn of the loop work in one transaction of the store. Their answers leave
 * after it is committed; where that fails, all of them are 503 or 507. So nobody is told what a
 * crash could forget.
 *
 * It has no socket: tests and fuzz targets give it requests and look at answers.
 */
#pragma once

#include "control/json.h"
#include "control/store.h"
#include "sys/http.h"

enum api_role { /* each may what those before it may */
                API_NOBODY,
                API_READ,
                API_CAPTURE,
                API_ADMIN,
};

/* Whoever asks. */
struct api_who {
    enum api_role role;
    char name[97];    /* "alice", "local:root", "anonymous" */
    char project[65]; /* "default"; an admin of no project has "" and sees all */
};

enum {
    API_SEGMENTS = 8,
    API_PARAMETERS = 32,
};

struct api;
struct api_turn;

enum api_result {
    API_DONE,  /* turn->answer is the answer */
    API_LATER, /* something was asked for: the handler is called again once that is known */
};

typedef enum api_result api_handler(struct api_turn *t);

enum api_flags {
    API_OPENTAP = 1, /* refusals of the framework are in OpenTap's form, at 200 */
    API_CHANGES = 2, /* it changes something: the audit has a line of it */
    API_FREE = 4,    /* without any right: healthz, the list of versions */
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
     * none; API_LIST_PARAMETERS: those of a list of its kind. */
    const char *const *parameters;
};

extern const char *const api_list_parameters[];

struct api_parameter {
    char *name, *value; /* decoded */
};

/* A request under way. */
struct api_turn {
    struct api *api;
    const struct http_request *request;
    const struct api_route *route;
    struct api_who who;
    char *segment[API_SEGMENTS]; /* those in braces, in order, decoded */
    unsigned n_segments;
    struct api_parameter parameter[API_PARAMETERS];
    unsigned n_parameters;
    int64_t now_ns;
    struct http_answer answer;
    void *user; /* of struct api_conf */
    void *kept; /* a handler's own between API_LATER and its next call; freed by free() */
};

/* What the handlers need of the rest of the control role; tests fake it. All may answer later. */
struct api_edges {
    /* Is the filter one? 0: yes, -EINVAL with libpcap's words, -EAGAIN: known later, and then
     * api_wake(call) is to be called; another -errno: nobody can tell now. */
    int (*check_filter)(void *user, const char *filter, void *waiter, struct error *err);
    /* A descriptor for reading of the capture's file; `second`: that of a snapshot. As above. */
    int (*open_data)(void *user, const uint8_t id[16], bool second, void *waiter, int *ret_fd,
                     struct error *err);
    /* The file and its second are deleted. Not waited for. */
    void (*delete_data)(void *user, const uint8_t id[16]);
    /* The flows of this moment of a running netflow capture into its second file. As above. */
    int (*snapshot)(void *user, const uint8_t id[16], void *waiter, struct error *err);
    /* Objects have changed: what is wanted may be something else. */
    void (*changed)(void *user);
};

struct api_conf {
    struct store *store;                   /* borrowed */
    const struct api_route *const *routes; /* tables; … */
    const size_t *n_routes;                /* … rows of each */
    size_t n_tables;
    const struct api_edges *edges;
    void *user;               /* of the edges, and in each turn */
    struct wall (*now)(void); /* NULL: wall_now */
    enum api_role anonymous;  /* what requests by loopback without a token may */
    const char *const *hosts; /* names that Host may have beside loopback's; ends with NULL */
    uid_t owner;              /* beside root an admin by the local socket */
    void (*random)(void *ret, size_t n);
};

int api_new(const struct api_conf *conf, struct api **ret, struct error *err);
void api_free(struct api *a);

/* A request; `reply` is called with its answer, once, at api_commit() or later. */
typedef void api_reply(void *call, struct http_answer *answer);
void api_request(struct api *a, const struct http_request *r, api_reply *reply, void *call);
/* The call is no more. */
void api_gone(struct api *a, void *call);
/* What was waited for is known: its handler is called again. `waiter` is what the edge got. */
void api_wake(struct api *a, void *waiter);
/* The turn is over: commits, and answers. */
void api_commit(struct api *a);

/* ---- for handlers ---- */

const char *api_parameter(const struct api_turn *t, const char *name);
/* A problem document (RFC 9457); `faults` may be NULL. `title` is a sentence. */
enum api_result api_problem(struct api_turn *t, int status, const struct json_faults *faults,
                            const char *fmt, ...) _printf_(4, 5);
/* A JSON document; takes the text. */
enum api_result api_json(struct api_turn *t, int status, struct text *body);
/* The store, in the turn's transaction. A failure has become the answer. */
int api_get(struct api_turn *t, const struct kind *k, const char *id, struct object *ret);
int api_put(struct api_turn *t, struct object *o);
int api_remove(struct api_turn *t, const struct kind *k, const char *id);
/* An event, and a line of the audit. */
void api_event(struct api_turn *t, const char *what, const struct object *of, const char *fmt, ...)
    _printf_(4, 5);
/* A new object of the kind with id, project, owner, created and generation. */
int api_make(struct api_turn *t, const struct kind *k, struct object *ret);

/* Generic handlers of a kind: a page of it; one; make one; change one; delete one. */
api_handler api_list, api_show, api_create, api_update, api_delete;
