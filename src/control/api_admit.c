/* SPDX-License-Identifier: Apache-2.0 */
#include "control/api_admit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "control/api_answer.h"
#include "control/negotiate.h"

/* Where the query is malformed, the path still says in which manner that is told. */
static void find_manner_of_path(const struct route_tables *routes, struct api_turn *t)
{
    _cleanup_(freep) char *path = strndup(t->request->target, strcspn(t->request->target, "?"));
    struct target only = {0};
    const struct api_route *route = NULL;
    char *segment[TARGET_SEGMENTS], allow[ROUTE_ALLOW];
    unsigned n = 0;
    if (path && target_parse(path, &only, NULL) == 0) {
        t->manner = route_manner(routes, &only);
        if (route_find(routes, t->request->method, &only, &route, segment, &n, allow) == 0) {
            t->manner = route->manner;
        }
    }
    target_done(&only);
}

/* The target, its route, and how the answer is to be. What is wrong is told later, by has_route():
 * 0 or -errno. */
static int find_route(const struct route_tables *routes, struct api_turn *t,
                      char ret_allow[ROUTE_ALLOW], struct error *err)
{
    int r = target_parse(t->request->target, &t->target, err);
    if (r < 0) {
        find_manner_of_path(routes, t);
        return r;
    }
    t->manner = route_manner(routes, &t->target);
    if (t->manner && t->manner->suffix) {
        target_trim(&t->target, t->manner->suffix);
    }
    r = route_find(routes, t->request->method, &t->target, &t->route, t->segment, &t->n_segments,
                   ret_allow);
    t->manner = r == 0 ? t->route->manner : t->manner;
    return r;
}

static bool has_route(struct api_turn *t, int found, const char *allow, const struct error *err)
{
    if (found == -EINVAL || found == -ENOMEM) {
        (void)api_problem(t, found == -ENOMEM ? 503 : 400, NULL, "%s", err->text);
    } else if (found == -ENOENT) {
        (void)api_problem(t, 404, NULL, "no route has this path");
    } else if (found < 0) {
        (void)api_problem(t, 405, NULL, "this path takes %s", allow);
        http_answer_header(&t->answer, "Allow", "%s", allow);
    }
    return found == 0;
}

/* A header for tokens beside Authorization. */
static const struct who_header *also(const struct api_turn *t)
{
    return t->manner ? t->manner->token : NULL;
}

static bool refused(struct api_turn *t, const struct who_refusal *why)
{
    (void)api_problem(t, why->status, NULL, "%s", why->words);
    if (why->retry_after_s > 0) {
        http_answer_header(&t->answer, "Retry-After", "%u", why->retry_after_s);
    }
    return false;
}

/* A token in the URL would stand in logs and histories. */
static bool has_token_in_url(const struct target *t)
{
    static const char *const names[] = {"token", "access_token", "api_key", "authorization"};
    for (unsigned i = 0; i < t->n_parameters; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
            if (strcasecmp(t->parameter[i].name, names[j]) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool may(struct admit *a, struct api_turn *t, int64_t now_ns)
{
    struct who_refusal why;
    if (has_token_in_url(&t->target)) {
        return api_problem(t, 400, NULL,
                           "a token stands in no URL, where logs keep it: revoke it, and show "
                           "another as \"Authorization: Bearer TOKEN\"") != API_DONE;
    }
    if (t->route->flags & API_FREE) {
        return true;
    }
    if (who_is(&a->guard, &a->who, t->request, also(t), now_ns, &t->who, &why) < 0) {
        return refused(t, &why);
    }
    if (t->who.role >= t->route->role) {
        return true;
    }
    if (t->who.token || t->who.role > API_NOBODY) {
        (void)api_problem(t, 403, NULL, "this needs the role %s, and %s has %s",
                          who_role_word(t->route->role), t->who.name, who_role_word(t->who.role));
    } else {
        (void)api_problem(t, 401, NULL, "this needs a token of the role %s",
                          who_role_word(t->route->role));
    }
    return false;
}

static bool has_right_parameters(struct api_turn *t)
{
    char shown[80];
    if (t->manner && t->manner->open) {
        return true;
    }
    if (t->target.twice) {
        text_name(shown, sizeof(shown), t->target.twice, strlen(t->target.twice));
        (void)api_problem(t, 400, NULL, "the parameter \"%s\" is there twice", shown);
        return false;
    }
    for (unsigned i = 0; i < t->target.n_parameters; i++) {
        if (!route_takes(t->route, t->target.parameter[i].name)) {
            (void)api_problem(t, 400, NULL, "there is no parameter \"%.100s\" here",
                              t->target.parameter[i].name);
            return false;
        }
    }
    return true;
}

static bool has_right_form(struct api_turn *t)
{
    const struct http_request *r = t->request;
    bool takes_body = r->method == HTTP_POST || r->method == HTTP_PATCH || r->method == HTTP_PUT;
    if (r->len > 0 && !takes_body) {
        (void)api_problem(t, 400, NULL, "a request of this method has no body");
        return false;
    }
    if (r->len > 0 && !negotiate_is(http_header_of(r, "Content-Type"), "application/json")) {
        (void)api_problem(t, 415, NULL,
                          "the body needs the header \"Content-Type: application/json\"");
        return false;
    }
    if (!(t->route->flags & API_NEGOTIATES) &&
        negotiate_accept(http_header_of(r, "Accept"), "application/json") == 0) {
        (void)api_problem(t, 406, NULL, "this is there as application/json, which Accept excludes");
        return false;
    }
    return true;
}

/* The refusal is for a page of strangers, and for no client of an API in whose manner it would be.
 */
static bool is_foreign(const struct admit *a, struct api_turn *t)
{
    struct who_refusal why;
    if (!who_is_foreign(&a->who, t->request, also(t), &why)) {
        return false;
    }
    t->manner = NULL;
    (void)refused(t, &why);
    return true;
}

bool api_admit(struct admit *a, struct api_turn *t, int64_t now_ns)
{
    char allow[ROUTE_ALLOW] = "";
    struct error err = {""};
    const int found = find_route(&a->routes, t, allow, &err);
    return !is_foreign(a, t) && has_route(t, found, allow, &err) && may(a, t, now_ns) &&
           has_right_parameters(t) && has_right_form(t);
}
