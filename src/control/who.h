/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity behind a request, and what it may. A request has a token in its header
 * Authorization, or comes by the local Unix socket from a process of a user, or by loopback from
 * anybody, as far as the configuration lets those. A browser on this host would send what a page of
 * strangers tells it to: requests without a token are refused where one could stand behind them.
 */
#pragma once

#include <sys/types.h>

#include "control/store.h"
#include "sys/http.h"

enum api_role { /* each may what those before it may */
                API_NOBODY,
                API_READ,
                API_CAPTURE,
                API_ADMIN,
};

/* An identity: a token, a local user, or nobody in particular. */
struct api_who {
    enum api_role role;
    char name[97];    /* "alice", "local:root", "anonymous" */
    char project[65]; /* an admin of no project has "" and sees all */
    bool token;       /* it was shown by one */
};

/* A header that has a token and nothing else, for those who show theirs in no Authorization. */
struct who_header {
    const char *name;
    /* The word for no token, where one without is answered; NULL: there is none. */
    const char *nobody;
};

/* The project of the operator: of tokens that name none, of requests without a token, and of ports
 * that were given to nobody. */
#define WHO_LOCAL "local"

enum {
    WHO_FAILURES = 10,    /* of an address in … */
    WHO_WINDOW_S = 60,    /* … so many seconds; then its tokens are not looked at */
    WHO_ADDRESSES = 1024, /* that are kept; where more come, the one that ends first goes */
};

/* Failed authentications by address. Zeros: none. */
struct who_guard {
    struct who_failure {
        char address[48];
        int64_t until_ns;
        unsigned n;
    } at[WHO_ADDRESSES];
    unsigned n;
};

struct who_conf {
    struct store *store;
    enum api_role anonymous;  /* of requests by loopback without a token */
    const char *const *hosts; /* that Host may name beside loopback; ends with NULL; may be NULL */
    uid_t owner;              /* beside root an admin by the local socket */
};

struct who_refusal {
    int status;             /* 400, 401, 403, 429, 503 */
    unsigned retry_after_s; /* of 429 */
    char words[320];
};

/* Is there anything for which nobody without a token is answered? True with the refusal. `also` is
 * a header beside Authorization, or NULL. */
bool who_is_foreign(const struct who_conf *c, const struct http_request *r,
                    const struct who_header *also, struct who_refusal *ret);
/* 0, or -EACCES with the refusal. Without a token and any right it is role API_NOBODY. */
int who_is(struct who_guard *g, const struct who_conf *c, const struct http_request *r,
           const struct who_header *also, int64_t now_ns, struct api_who *ret,
           struct who_refusal *ret_refusal);

const char *who_role_word(enum api_role role);
