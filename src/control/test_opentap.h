/* SPDX-License-Identifier: Apache-2.0
 *
 * The API with OpenTap's routes and ours, for tests: a port eth0, which is also called web, and
 * calls as OpenTap's client makes them.
 */
#pragma once

#include "control/opentap.h"
#include "control/test_api.h"

#define NOT_READY "data file not found; may not be ready yet."
struct fixture {
    struct world w;
    struct opentap_conf conf;
    struct opentap_settings settings;
    char *body;
};

static _unused_ int64_t an_hour_ahead(int64_t ns)
{
    (void)ns;
    return 3600 * NSEC_PER_SEC;
}

static _unused_ int enter(void **state)
{
    static const struct api_route *table[2];
    static size_t n[2];
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    table[0] = opentap_routes;
    table[1] = v1_routes;
    n[0] = opentap_n_routes;
    n[1] = v1_n_routes;
    f->settings = (struct opentap_settings){&f->conf, an_hour_ahead};
    const struct api_conf conf = {
        .routes = {table, n, 2}, .anonymous = API_CAPTURE, .opentap_settings = &f->settings};
    world_start(&f->w, kinds, KINDS, &conf);
    world_port(&f->w, 1, "eth0", "web", true);
    *state = f;
    return 0;
}

static _unused_ int leave(void **state)
{
    struct fixture *f = *state;
    world_done(&f->w);
    free(f->body);
    free(f);
    return 0;
}

/* All of the answer's body, wherever it is, which the fixture keeps. */
static _unused_ const char *body(struct fixture *f)
{
    struct http_answer *a = &f->w.answer;
    char *all = calloc(1, 1 << 16);
    ssize_t n = 0;
    size_t len = 0;
    assert_non_null(all);
    if (a->bytes) {
        memcpy(all, a->bytes, a->len);
    } else if (a->fd >= 0) {
        assert_int_equal(pread(a->fd, all, a->len, (off_t)a->offset), a->len);
    } else if (a->body.read) {
        while ((n = a->body.read(a->body.user, (uint8_t *)all + len, 100)) > 0) {
            len += (size_t)n;
            assert_true(len < (1 << 16) - 100);
        }
        assert_int_equal(n, 0);
    }
    free(f->body);
    f->body = all;
    return all;
}

/* As the unmodified client asks; its answer, of exactly that type. */
static const char *get_as(struct fixture *f, const char *type, const char *target)
{
    static const char *const headers[] = {"Host", "127.0.0.1:2020", "Accept", "*/*", NULL};
    assert_int_equal(ask_with(&f->w, HTTP_GET, target, NULL, &peer_loopback, headers), 200);
    assert_string_equal(header_of(&f->w, "Content-Type"), type);
    return body(f);
}

static _unused_ const char *get(struct fixture *f, const char *target)
{
    return get_as(f, "application/json", target);
}

static _unused_ void refused(struct fixture *f, const char *target, const char *msg)
{
    char want[512];
    unsigned changes = f->w.counted.changes;
    (void)snprintf(want, sizeof(want), "{\"status\":\"error\",\"msg\":\"%s\"}\n", msg);
    assert_string_equal(get(f, target), want);
    assert_int_equal(f->w.counted.changes, changes);
}
