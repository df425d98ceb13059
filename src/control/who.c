/* SPDX-License-Identifier: Apache-2.0 */
#include "control/who.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "control/tokens.h"
#include "model/kinds.h"

static const char *const role_words[] = {
    [API_NOBODY] = "nobody",
    [API_READ] = "read",
    [API_CAPTURE] = "capture",
    [API_ADMIN] = "admin",
};

const char *who_role_word(enum api_role role)
{
    return role_words[role];
}

static int refuse(struct who_refusal *ret, int status, const char *fmt, ...) _printf_(3, 4);

static int refuse(struct who_refusal *ret, int status, const char *fmt, ...)
{
    va_list args;
    *ret = (struct who_refusal){.status = status};
    va_start(args, fmt);
    (void)vsnprintf(ret->words, sizeof(ret->words), fmt, args);
    va_end(args);
    return -EACCES;
}

/* ---- where a request seems to go to, and which page it comes from ---- */

/* The host of "host", "host:80" or "[::1]:80": its length, or 0: it is in no such form. */
static size_t host_len(const char *authority)
{
    size_t len = authority[0] == '[' ? strcspn(authority, "]") : strcspn(authority, ":");
    if (authority[0] == '[') {
        if (authority[len] != ']') {
            return 0;
        }
        len++;
    }
    const char *port = authority + len;
    if (*port == '\0') {
        return len;
    }
    size_t digits = strspn(port + 1, "0123456789");
    return *port == ':' && digits > 0 && digits <= 5 && port[1 + digits] == '\0' ? len : 0;
}

/* 127.0.0.0/8 in four decimal numbers and no other form, which something might read otherwise. */
static bool is_loopback4(const char *s, size_t len)
{
    unsigned part[4] = {0}, at = 0, digits = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' && digits > 0 && at < 3) {
            at++;
            digits = 0;
        } else if (s[i] >= '0' && s[i] <= '9' && digits < 3) {
            part[at] = part[at] * 10 + (unsigned)(s[i] - '0');
            digits++;
        } else {
            return false;
        }
    }
    return at == 3 && digits > 0 && part[0] == 127 && part[1] < 256 && part[2] < 256 &&
           part[3] < 256;
}

static bool is(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

static bool host_is_ours(const struct who_conf *c, const char *authority)
{
    size_t len = host_len(authority);
    if (is(authority, len, "localhost") || is(authority, len, "[::1]") ||
        is_loopback4(authority, len)) {
        return true;
    }
    for (const char *const *h = c->hosts; h && *h; h++) {
        if (len > 0 && is(authority, len, *h)) {
            return true;
        }
    }
    return false;
}

static unsigned count(const struct http_request *r, const char *name, const char **ret)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->n_headers; i++) {
        if (strcasecmp(r->header[i].name, name) == 0) {
            *ret = r->header[i].value;
            n++;
        }
    }
    return n;
}

/* Is it a page of ours: the same host and port as the request's own, by http or https? */
static bool origin_is_ours(const char *origin, const char *host)
{
    for (size_t i = 0; i < 2; i++) {
        static const char *const scheme[] = {"http://", "https://"};
        size_t n = strlen(scheme[i]);
        if (strncasecmp(origin, scheme[i], n) == 0 && host && strcasecmp(origin + n, host) == 0) {
            return true;
        }
    }
    return false;
}

/* Where nobody without a token would be answered, the word for none is one like any other. */
static bool needs_none(const struct who_conf *c, const struct http_request *r)
{
    return r->peer.local || (r->peer.loopback && c->anonymous > API_NOBODY);
}

/* How many tokens are shown; *ret_secret is the last one, NULL where its header is in no form that
 * has one. */
static unsigned count_tokens(const struct who_conf *c, const struct http_request *r,
                             const struct who_header *also, const char **ret_secret)
{
    static const char scheme[] = "Bearer ";
    const char *value = NULL;
    unsigned n = count(r, "Authorization", &value);
    if (n > 0) {
        const bool has_one = strncasecmp(value, scheme, sizeof(scheme) - 1) == 0;
        *ret_secret = has_one ? value + sizeof(scheme) - 1 : NULL;
    }
    const unsigned more = also ? count(r, also->name, &value) : 0;
    if (more == 1 && also->nobody && strcmp(value, also->nobody) == 0 && needs_none(c, r)) {
        return n;
    }
    *ret_secret = more > 0 ? value : *ret_secret;
    return n + more;
}

bool who_is_foreign(const struct who_conf *c, const struct http_request *r,
                    const struct who_header *also, struct who_refusal *ret)
{
    const char *token = NULL, *site = NULL, *origin = NULL, *host = NULL;
    if (count_tokens(c, r, also, &token) > 0) {
        return false;
    }
    unsigned origins = count(r, "Origin", &origin);
    (void)count(r, "Host", &host);
    if (count(r, "Sec-Fetch-Site", &site) > 0 && strcasecmp(site, "same-origin") != 0 &&
        strcasecmp(site, "none") != 0) {
        return refuse(ret, 403,
                      "a page of another site asks for this (Sec-Fetch-Site), which needs a "
                      "token") < 0;
    }
    if (origins > 1 || (origins == 1 && !origin_is_ours(origin, host))) {
        return refuse(ret, 403, "a page of another origin asks for this, which needs a token") < 0;
    }
    return false;
}

/* ---- failures ---- */

static void forget_old(struct who_guard *g, int64_t now_ns)
{
    for (unsigned i = 0; i < g->n;) {
        if (g->at[i].until_ns <= now_ns) {
            g->at[i] = g->at[--g->n];
        } else {
            i++;
        }
    }
}

static struct who_failure *failures_of(struct who_guard *g, const char *address, int64_t now_ns)
{
    for (unsigned i = 0; i < g->n; i++) {
        if (strcmp(g->at[i].address, address) == 0 && g->at[i].until_ns > now_ns) {
            return &g->at[i];
        }
    }
    return NULL;
}

static void failed(struct who_guard *g, const char *address, int64_t now_ns)
{
    struct who_failure *f = failures_of(g, address, now_ns);
    if (f) {
        f->n++;
        return;
    }
    forget_old(g, now_ns);
    if (g->n < WHO_ADDRESSES) {
        f = &g->at[g->n++];
    } else {
        f = &g->at[0];
        for (unsigned i = 1; i < g->n; i++) {
            f = g->at[i].until_ns < f->until_ns ? &g->at[i] : f;
        }
    }
    *f = (struct who_failure){.until_ns = now_ns + WHO_WINDOW_S * NSEC_PER_SEC, .n = 1};
    snprintf(f->address, sizeof(f->address), "%s", address);
}

/* ---- tokens ---- */

static void who_of(const struct object *token, struct api_who *ret)
{
    int role = token->v[TOKEN_F_ROLE].set
                   ? field_word(&token->kind->field[TOKEN_F_ROLE], token->v[TOKEN_F_ROLE].text)
                   : -1;
    const char *name = token->v[TOKEN_F_NAME].text, *project = token->v[FIELD_OF_PROJECT].text;
    *ret = (struct api_who){.role = role < 0 ? API_NOBODY : (enum api_role)(API_READ + role),
                            .token = true};
    snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
    snprintf(ret->project, sizeof(ret->project), "%s", project ? project : "");
}

/* One failed: it counts against its address. */
static int wrong(struct who_guard *g, const struct http_request *r, int64_t now_ns,
                 struct who_refusal *ret, const char *words)
{
    failed(g, r->peer.address, now_ns);
    return refuse(ret, 401, "%s", words);
}

static int by_token(struct who_guard *g, const struct who_conf *c, const struct http_request *r,
                    const char *secret, int64_t now_ns, struct api_who *ret,
                    struct who_refusal *refusal)
{
    struct error err = {""};
    struct object token;
    const struct who_failure *f = failures_of(g, r->peer.address, now_ns);
    if (f && f->n >= WHO_FAILURES) {
        int64_t left = f->until_ns - now_ns;
        (void)refuse(refusal, 429, "%d tokens from this address were wrong within a minute",
                     WHO_FAILURES);
        refusal->retry_after_s = (unsigned)((left + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
        return -EACCES;
    }
    if (!secret) {
        return wrong(g, r, now_ns, refusal, "a token is shown as \"Authorization: Bearer TOKEN\"");
    }
    int e = token_find(c->store, secret, now_ns, &token, &err);
    if (e == -ENOENT) {
        return wrong(g, r, now_ns, refusal, "there is no such token");
    }
    if (e == -EKEYEXPIRED || e == -EKEYREVOKED) {
        return wrong(g, r, now_ns, refusal,
                     e == -EKEYEXPIRED ? "the token has expired" : "the token is revoked");
    }
    if (e < 0) {
        return refuse(refusal, 503, "the token cannot be looked up: %s", err.text);
    }
    who_of(&token, ret);
    object_done(&token);
    return 0;
}

/* ---- without ---- */

static void by_user(const struct who_conf *c, uid_t uid, struct api_who *ret)
{
    bool admin = uid == 0 || uid == c->owner;
    *ret = (struct api_who){.role = admin ? API_ADMIN : c->anonymous};
    /* The control role cannot read /etc/passwd: names of users other than these two are numbers. */
    if (uid == 0) {
        snprintf(ret->name, sizeof(ret->name), "local:root");
    } else {
        snprintf(ret->name, sizeof(ret->name), "local:%u", (unsigned)uid);
    }
    if (!admin) {
        snprintf(ret->project, sizeof(ret->project), WHO_LOCAL);
    }
}

int who_is(struct who_guard *g, const struct who_conf *c, const struct http_request *r,
           const struct who_header *also, int64_t now_ns, struct api_who *ret,
           struct who_refusal *ret_refusal)
{
    const char *token = NULL, *host = NULL;
    const unsigned tokens = count_tokens(c, r, also, &token), hosts = count(r, "Host", &host);
    if (hosts > 1) {
        return refuse(ret_refusal, 400, "the header Host is there twice");
    }
    if (tokens > 1) {
        return refuse(ret_refusal, 400, "several headers have a token: one Authorization%s%s",
                      also ? ", or one " : " has it", also ? also->name : "");
    }
    if (tokens == 1) {
        return by_token(g, c, r, token, now_ns, ret, ret_refusal);
    }
    struct api_who who = {.name = "anonymous", .project = WHO_LOCAL};
    if (r->peer.local) {
        by_user(c, r->peer.uid, &who);
    } else if (r->peer.loopback && c->anonymous > API_NOBODY) {
        if (!host || !host_is_ours(c, host)) {
            return refuse(ret_refusal, 403,
                          "without a token the header Host must name this host: localhost, a "
                          "loopback address, or a name of the setting host");
        }
        who.role = c->anonymous;
    }
    *ret = who;
    return 0;
}
