/* SPDX-License-Identifier: Apache-2.0
 *
 * The framework of every route: who asks, whether they may, whether the request is well-formed, and
 * the form of answers are its work; a route is a row of a table, and its handler a straight
 * function that reads, builds a change and an answer.
 *
 * All handlers of one turn of the loop work in one transaction of the store. Their answers leave
 * after it is committed; where that fails, all of them are 503 or 507. So nobody is told what a
 * crash could forget. A handler makes all of its checks before its first change: one that refuses
 * after it changed something takes the whole turn with it.
 *
 * It has no socket: tests and fuzz targets give it requests and look at answers.
 */
#pragma once

#include "control/api_answer.h"
#include "control/api_turn.h"
#include "control/followers.h"
#include "control/json.h"
#include "control/route.h"
#include "control/store.h"

struct opentap_settings;

/* The rest of the control role, as far as handlers need it; tests fake it. All may answer later:
 * `waiter` is for api_wake(), and the edge is asked again then, with the same. */
struct api_edges {
    /* Is the filter one? 0: yes, -EINVAL with libpcap's words, -EAGAIN: known later, and then
     * api_wake(waiter) is to be called; another -errno: nobody can tell now. */
    int (*check_filter)(void *user, const char *filter, void *waiter, struct error *err);
    /* A descriptor for reading of the capture's file; `second`: that of a snapshot. -ENOENT: it has
     * none. As above. */
    int (*open_data)(void *user, const uint8_t id[16], bool second, void *waiter, int *ret_fd,
                     struct error *err);
    /* The file and its second are deleted. Not waited for. After the commit. */
    void (*delete_data)(void *user, const uint8_t id[16]);
    /* The flows of this moment of a running netflow capture into its second file. As above;
     * -EOPNOTSUPP: that cannot be done, and its file has what there is. */
    int (*snapshot)(void *user, const uint8_t id[16], void *waiter, struct error *err);
    /* Objects have changed: what is wanted may be something else. After the commit. */
    void (*changed)(void *user);
    /* http_more() of that body. */
    void (*more)(void *user, void *body);
};

struct api_conf {
    struct store *store;        /* borrowed */
    struct route_tables routes; /* borrowed */
    const struct api_edges *edges;
    void *user;               /* of the edges, and in each turn */
    struct wall (*now)(void); /* NULL: wall_now */
    enum api_role anonymous;  /* what requests by loopback without a token may */
    const char *const *hosts; /* names that Host may have beside loopback's; ends with NULL */
    uid_t owner;              /* beside root an admin by the local socket */
    int (*random)(void *ret, size_t n);              /* NULL: random_bytes */
    const struct opentap_settings *opentap_settings; /* of that adapter, borrowed; may be NULL */
    /* Members of the document at "/" by which clients of other APIs find theirs; NULL: none. */
    void (*put_versions)(struct text *to, const struct http_request *r);
};

int api_new(const struct api_conf *conf, struct api **ret, struct error *err);
/* Other rights, names of the host and settings of OpenTap from now on. */
void api_become(struct api *a, enum api_role anonymous, const char *const *hosts,
                const struct opentap_settings *opentap);
/* Calls that were not answered are forgotten. Takes NULL. */
void api_free(struct api *a);

/* A request; `reply` is called with its answer, once, at api_commit() or later, and takes what that
 * owns. The request must live until then. */
typedef void api_reply(void *call, struct http_answer *answer);
void api_request(struct api *a, const struct http_request *r, api_reply *reply, void *call);
/* The call is no more. */
void api_gone(struct api *a, void *call);
/* The thing that was waited for is known: the handler is called again, and an api_commit() is due.
 * `waiter` is what the edge got; one whose call has gone means nothing. */
void api_wake(struct api *a, void *waiter);
/* The turn is over: commits, and answers. */
void api_commit(struct api *a);
/* So much of the object's file is published now; `ended`: and no more will be. */
void api_published(struct api *a, const char *id, uint64_t published, bool ended);

/* ---- for handlers ---- */

const struct api_conf *api_conf_of(const struct api_turn *t);
/* A waiter, for the edges. */
void *api_waiter(const struct api_turn *t);
struct followers *api_followers(const struct api_turn *t);
const char *api_parameter(const struct api_turn *t, const char *name);
/* The store, in the turn's transaction. A failure has become the answer: 404 for what is not there
 * or is another project's, 503 where the store fails. *ret is object_done()'s. */
int api_get(struct api_turn *t, const struct kind *k, const char *id, struct object *ret);
/* Its generation grows. */
int api_put(struct api_turn *t, struct object *o);
int api_remove(struct api_turn *t, const struct kind *k, const char *id);
int api_each(struct api_turn *t, const struct kind *k, const struct store_query *q,
             int (*each)(void *user, const struct object *o), void *user);
int api_count(struct api_turn *t, const struct kind *k, const struct store_query *q, uint64_t *ret);
/* Does whoever asks see the objects of all projects? */
bool api_sees_all(const struct api_turn *t);
/* An event, and a line of the audit. `of` may be NULL. */
int api_event(struct api_turn *t, const char *what, const struct object *of, const char *fmt, ...)
    _printf_(4, 5);
/* A new object of the kind with id, project, owner, created and generation. */
int api_make(struct api_turn *t, const struct kind *k, struct object *ret);
/* The body into the object: json_take_object(). A failure has become the answer: 400 or 422. */
int api_take(struct api_turn *t, bool change, struct object *o);
/* The object as the answer, with its ETag; 304 where whoever asks has it. */
enum api_result api_object(struct api_turn *t, int status, const struct object *o);
/* 201, and where it is. */
enum api_result api_created(struct api_turn *t, const struct object *o);

/* Generic handlers of a route's kind: a page of it; one; make one; change one; delete one. */
api_handler api_list, api_show, api_create, api_update, api_delete;
