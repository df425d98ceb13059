/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/unixsock.h"

struct http_client {
    CURL *curl;
    char *server, *token;
    const char *unix_path; /* in `server`; NULL: it is a URL */
};

/* An answer as it comes. */
struct coming {
    struct http_client *client;
    const struct http_client_ask *ask;
    char *body;
    size_t len, cap;
    int error;   /* what ended it here; 0: nothing did */
    bool headed; /* the empty line behind the headers came */
};

/* "unix:PATH" or a URL that names a host. */
static bool is_server(const char *server)
{
    static const char *const begins[] = {"unix:", "http://", "https://"};
    for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
        const size_t n = strlen(begins[i]);
        if (strncmp(server, begins[i], n) == 0) {
            return i == 0 ? server[n] && strlen(server + n) < UNIXSOCK_PATH_MAX
                          : server[n] && server[n] != '/';
        }
    }
    return false;
}

bool http_client_is_token(const char *token)
{
    size_t n = 0;
    while (token[n] > ' ' && token[n] < 0x7f) {
        n++;
    }
    return n > 0 && n < HTTP_CLIENT_TOKEN && !token[n];
}

int http_client_new(const char *server, const char *token, struct http_client **ret,
                    struct error *err)
{
    const bool is_unix = strncmp(server, "unix:", 5) == 0;
    if (!is_server(server)) {
        return error_set(err, EINVAL,
                         "\"%s\" is no service: unix:PATH, http://HOST:PORT or https://HOST:PORT",
                         server);
    }
    if (token && !http_client_is_token(token)) {
        return error_set(err, EINVAL, "the token is none: it has a space or is too long");
    }
    struct http_client *c = calloc(1, sizeof(*c));
    if (c) {
        c->curl = curl_easy_init();
        c->server = strdup(server);
        c->token = token ? strdup(token) : NULL;
    }
    if (!c || !c->curl || !c->server || (token && !c->token)) {
        http_client_free(c);
        return error_sys(err, ENOMEM, "cannot ask %s", server);
    }
    c->unix_path = is_unix ? c->server + 5 : NULL;
    if (!is_unix && c->server[strlen(c->server) - 1] == '/') {
        c->server[strlen(c->server) - 1] = '\0';
    }
    *ret = c;
    return 0;
}

void http_client_free(struct http_client *c)
{
    if (c) {
        curl_easy_cleanup(c->curl);
        free(c->server);
        free(c->token);
        free(c);
    }
}

/* ---- callbacks of libcurl ---- */

static bool keep(struct coming *in, const char *p, size_t n)
{
    if (in->len + n > HTTP_CLIENT_BODY) {
        in->error = -EMSGSIZE;
        return false;
    }
    if (in->len + n + 1 > in->cap) {
        const size_t cap = 2 * (in->len + n) + 4096;
        char *larger = realloc(in->body, cap);
        if (!larger) {
            in->error = -ENOMEM;
            return false;
        }
        in->body = larger;
        in->cap = cap;
    }
    memcpy(in->body + in->len, p, n);
    in->len += n;
    in->body[in->len] = '\0';
    return true;
}

static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    struct coming *in = user;
    long status = 0;
    (void)curl_easy_getinfo(in->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (in->ask->take && status >= 200 && status < 300) {
        in->error = in->ask->take(in->ask->user, p, size * n);
        return in->error == 0 ? size * n : 0;
    }
    return keep(in, p, size * n) ? size * n : 0;
}

/* libcurl takes headers that end in the middle for an answer without a body. */
static size_t on_header(char *p, size_t size, size_t n, void *user)
{
    struct coming *in = user;
    in->headed = size * n <= 2 && (*p == '\r' || *p == '\n');
    return size * n;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    struct coming *in = user;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    if (in->ask->tick) {
        in->ask->tick(in->ask->user);
    }
    if (in->ask->stop && *in->ask->stop) {
        in->error = -EINTR;
        return 1;
    }
    return 0;
}

/* ---- asking ---- */

static struct curl_slist *headers_of(const struct http_client *c, const struct http_client_ask *ask)
{
    char line[512];
    struct curl_slist *list = NULL;
    (void)snprintf(line, sizeof(line), "Accept: %s",
                   ask->accept ? ask->accept : "application/json");
    list = curl_slist_append(list, line);
    if (c->token) {
        (void)snprintf(line, sizeof(line), "Authorization: Bearer %s", c->token);
        list = curl_slist_append(list, line);
    }
    if (ask->body) {
        list = curl_slist_append(list, "Content-Type: application/json");
    }
    return list;
}

static void set_up(struct http_client *c, const struct http_client_ask *ask, const char *url,
                   struct coming *in)
{
    CURL *k = c->curl;
    curl_easy_reset(k);
    (void)curl_easy_setopt(k, CURLOPT_URL, url);
    (void)curl_easy_setopt(k, CURLOPT_UNIX_SOCKET_PATH, c->unix_path);
    (void)curl_easy_setopt(k, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(k, CURLOPT_CUSTOMREQUEST, ask->method);
    (void)curl_easy_setopt(k, CURLOPT_NOBODY, strcmp(ask->method, "HEAD") == 0 ? 1L : 0L);
    (void)curl_easy_setopt(k, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(k, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(k, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
    (void)curl_easy_setopt(k, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(k, CURLOPT_WRITEDATA, in);
    (void)curl_easy_setopt(k, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(k, CURLOPT_HEADERDATA, in);
    (void)curl_easy_setopt(k, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(k, CURLOPT_XFERINFODATA, in);
    (void)curl_easy_setopt(k, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(k, CURLOPT_RANGE, ask->range);
    if (!ask->take) { /* data may rightly pause for long */
        (void)curl_easy_setopt(k, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void)curl_easy_setopt(k, CURLOPT_LOW_SPEED_TIME, (long)HTTP_CLIENT_SILENT_S);
    }
    if (ask->body) {
        (void)curl_easy_setopt(k, CURLOPT_POSTFIELDS, ask->body);
        (void)curl_easy_setopt(k, CURLOPT_POSTFIELDSIZE, (long)strlen(ask->body));
    }
}

/* The sentence of a request that has no answer. */
static int fail(const struct http_client *c, CURLcode code, int own, struct error *err)
{
    long os = 0;
    (void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os);
    if (own == -EINTR) {
        return error_set(err, EINTR, "interrupted");
    }
    if (own < 0) {
        return error_sys(err, -own, "the answer of %s was not taken to its end", c->server);
    }
    if (code == CURLE_COULDNT_CONNECT && os != 0) {
        const bool absent = os == ENOENT || os == ECONNREFUSED;
        return error_set(err, (int)os, "cannot reach the service at %s: %s%s", c->server,
                         strerror((int)os), absent ? ": is farspan serve running?" : "");
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return error_set(err, ETIMEDOUT, "the service at %s does not answer", c->server);
    }
    return error_set(err, EIO, "asking %s: %s", c->server, curl_easy_strerror(code));
}

static void take_type(const struct http_client *c, char ret[64])
{
    const char *type = NULL;
    (void)curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type);
    (void)snprintf(ret, 64, "%.*s", type ? (int)strcspn(type, "; ") : 0, type ? type : "");
}

int http_client_ask(struct http_client *c, const struct http_client_ask *ask,
                    struct http_client_answer *ret, struct error *err)
{
    char url[9000];
    long status = 0;
    struct coming in = {.client = c, .ask = ask};
    const int n = snprintf(url, sizeof(url), "%s%s", c->unix_path ? "http://localhost" : c->server,
                           ask->path);
    if (n < 0 || (size_t)n >= sizeof(url)) {
        return error_set(err, EMSGSIZE, "the request is too long");
    }
    struct curl_slist *headers = headers_of(c, ask);
    set_up(c, ask, url, &in);
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(c->curl);
    code = code == CURLE_OK && !in.headed ? CURLE_PARTIAL_FILE : code;
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        free(in.body);
        return fail(c, code, in.error, err);
    }
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    *ret = (struct http_client_answer){.status = (int)status, .body = in.body, .len = in.len};
    take_type(c, ret->type);
    return 0;
}

void http_client_answer_done(struct http_client_answer *a)
{
    free(a->body);
    *a = (struct http_client_answer){0};
}
