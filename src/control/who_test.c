/* SPDX-License-Identifier: Apache-2.0
 *
 * Identities: tokens and how they fail, users of the local socket, loopback with and without the
 * right Host, pages of other sites, and addresses that guess.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/test_api.h"
#include "control/tokens.h"

struct room {
    struct store *store;
    struct who_guard guard;
    const struct who_header *also; /* of the request */
    char secret[TOKEN_TEXT];
};

static void put_token(struct room *r, unsigned number, const char *role, int64_t expires,
                      bool revoked, char secret[TOKEN_TEXT])
{
    uint8_t random[TOKEN_BYTES] = {(uint8_t)number, 1, 2, 3};
    char hash[TOKEN_HASH];
    struct object o;
    world_object(&o, &kind_token, number, "red", "local:root");
    token_make(random, secret, hash);
    assert_int_equal(object_set_text(&o, TOKEN_F_NAME, "alice"), 0);
    assert_int_equal(object_set_text(&o, TOKEN_F_ROLE, role), 0);
    assert_int_equal(object_set_text(&o, TOKEN_F_HASH, hash), 0);
    object_set_int(&o, TOKEN_F_REVOKED, revoked);
    if (expires) {
        object_set_int(&o, TOKEN_F_EXPIRES, expires);
    }
    assert_int_equal(r->store->ops->begin(r->store, NULL), 0);
    assert_int_equal(r->store->ops->put(r->store, &o, NULL), 0);
    assert_int_equal(r->store->ops->commit(r->store, NULL), 0);
    object_done(&o);
}

static int enter(void **state)
{
    static const struct kind *const list[] = {&kind_token};
    const struct store_conf c = {.kinds = list, .n = 1};
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_int_equal(store_fake_new(&c, &r->store), 0);
    put_token(r, 1, "capture", 0, false, r->secret);
    *state = r;
    return 0;
}

static int leave(void **state)
{
    struct room *r = *state;
    store_free(r->store);
    free(r);
    return 0;
}

/* The status of the refusal, or 0 and who it is. */
static int who(struct room *r, enum api_role anonymous, const struct http_peer *peer,
               const char *const *headers, int64_t now_ns, struct api_who *ret,
               struct who_refusal *why)
{
    static const char *const hosts[] = {"tap.example", NULL};
    const struct who_conf c = {r->store, anonymous, hosts, 990};
    const struct http_request q = request_of(HTTP_GET, "/", NULL, peer, headers);
    *why = (struct who_refusal){0};
    if (who_is_foreign(&c, &q, r->also, why)) {
        return why->status;
    }
    return who_is(&r->guard, &c, &q, r->also, now_ns, ret, why) < 0 ? why->status : 0;
}

static void by_token(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    char header[80];
    const char *const good[] = {"Authorization", header, NULL};
    (void)snprintf(header, sizeof(header), "bearer %s", r->secret);
    assert_int_equal(who(r, API_NOBODY, &peer_far, good, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_CAPTURE);
    assert_string_equal(w.name, "alice");
    assert_string_equal(w.project, "red");
    /* it counts where others would be admin without one */
    assert_int_equal(who(r, API_NOBODY, &peer_root, good, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_CAPTURE);
    header[10] = header[10] == 'A' ? 'B' : 'A';
    assert_int_equal(who(r, API_ADMIN, &peer_root, good, WORLD_NOW, &w, &why), 401);
    assert_non_null(strstr(why.words, "no such token"));
    const char *const basic[] = {"Authorization", "Basic YTpi", NULL};
    assert_int_equal(who(r, API_READ, &peer_loopback, basic, WORLD_NOW, &w, &why), 401);
    const char *const twice[] = {"Authorization", "Bearer a", "authorization", "Bearer b", NULL};
    assert_int_equal(who(r, API_READ, &peer_far, twice, WORLD_NOW, &w, &why), 400);
    const char *const empty[] = {"Authorization", "Bearer ", NULL};
    assert_int_equal(who(r, API_READ, &peer_far, empty, WORLD_NOW, &w, &why), 401);
}

static void expired_and_revoked(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    char expires[TOKEN_TEXT], revoked[TOKEN_TEXT], header[80];
    const char *const headers[] = {"Authorization", header, NULL};
    put_token(r, 2, "admin", WORLD_NOW, false, expires);
    put_token(r, 3, "admin", 0, true, revoked);
    (void)snprintf(header, sizeof(header), "Bearer %s", expires);
    assert_int_equal(who(r, API_NOBODY, &peer_far, headers, WORLD_NOW - 1, &w, &why), 0);
    assert_int_equal(w.role, API_ADMIN);
    assert_int_equal(who(r, API_NOBODY, &peer_far, headers, WORLD_NOW, &w, &why), 401);
    assert_non_null(strstr(why.words, "expired"));
    (void)snprintf(header, sizeof(header), "Bearer %s", revoked);
    assert_int_equal(who(r, API_NOBODY, &peer_far, headers, WORLD_NOW, &w, &why), 401);
    assert_non_null(strstr(why.words, "revoked"));
}

static void by_socket(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    struct http_peer owner = {.local = true, .uid = 990, .address = "local"};
    assert_int_equal(who(r, API_NOBODY, &peer_root, NULL, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_ADMIN);
    assert_string_equal(w.name, "local:root");
    assert_string_equal(w.project, "");
    assert_int_equal(who(r, API_NOBODY, &owner, NULL, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_ADMIN);
    assert_int_equal(who(r, API_READ, &peer_user, NULL, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_READ);
    assert_string_equal(w.name, "local:1000");
    assert_string_equal(w.project, "local");
}

static void by_loopback(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    static const struct {
        const char *host;
        bool good;
    } hosts[] = {
        {"localhost", true},
        {"LocalHost:2020", true},
        {"127.0.0.1", true},
        {"127.0.0.1:2020", true},
        {"127.9.9.9", true},
        {"[::1]:2020", true},
        {"[::1]", true},
        {"tap.example:80", true},
        {"127.0.0.1.evil.example", false},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"tap.example.evil", false},
        {"127.0.0.1:2020.evil", false},
        {"127.0.0.256", false},
        {"127.1", false},
        {"0177.0.0.1", false},
        {"10.0.0.1", false},
        {"[::1]evil", false},
        {"[::1", false},
        {"[::2]", false},
        {"localhost:", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        const char *const headers[] = {"Host", hosts[i].host, NULL};
        int status = who(r, API_READ, &peer_loopback, headers, WORLD_NOW, &w, &why);
        if (status != (hosts[i].good ? 0 : 403)) {
            fail_msg("%s: %d", hosts[i].host, status);
        }
    }
    const char *const good[] = {"Host", "localhost", NULL};
    const char *const twice[] = {"Host", "localhost", "Host", "evil.example", NULL};
    assert_int_equal(who(r, API_READ, &peer_loopback, NULL, WORLD_NOW, &w, &why), 403);
    assert_int_equal(who(r, API_READ, &peer_loopback, twice, WORLD_NOW, &w, &why), 400);
    assert_int_equal(who(r, API_CAPTURE, &peer_loopback, good, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_CAPTURE);
    assert_string_equal(w.name, "anonymous");
    assert_int_equal(who(r, API_NOBODY, &peer_loopback, good, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_NOBODY);
    /* from afar nobody is let in without a token */
    assert_int_equal(who(r, API_CAPTURE, &peer_far, good, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_NOBODY);
}

static void by_pages(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    char token[80];
    static const struct {
        const char *name, *value;
        bool good;
    } cases[] = {
        {"Origin", "http://localhost:2020", true},
        {"Origin", "https://localhost:2020", true},
        {"Origin", "http://localhost:8080", false},
        {"Origin", "http://localhost", false},
        {"Origin", "http://evil.example", false},
        {"Origin", "null", false},
        {"Origin", "", false},
        {"Sec-Fetch-Site", "same-origin", true},
        {"Sec-Fetch-Site", "none", true},
        {"Sec-Fetch-Site", "cross-site", false},
        {"sec-fetch-site", "Cross-Site", false},
        {"Sec-Fetch-Site", "same-site", false},
    };
    (void)snprintf(token, sizeof(token), "Bearer %s", r->secret);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const headers[] = {"Host", "localhost:2020", cases[i].name, cases[i].value,
                                       NULL};
        const char *const with[] = {
            "Host", "localhost:2020", cases[i].name, cases[i].value, "Authorization", token, NULL};
        int status = who(r, API_READ, &peer_loopback, headers, WORLD_NOW, &w, &why);
        if (status != (cases[i].good ? 0 : 403)) {
            fail_msg("%s: %s: %d", cases[i].name, cases[i].value, status);
        }
        assert_int_equal(who(r, API_READ, &peer_loopback, with, WORLD_NOW, &w, &why), 0);
    }
    const char *const twice[] = {"Host",   "localhost:2020",        "Origin", "http://evil.example",
                                 "Origin", "http://localhost:2020", NULL};
    assert_int_equal(who(r, API_READ, &peer_loopback, twice, WORLD_NOW, &w, &why), 403);
}

static void guesses(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    char token[80];
    const char *const good[] = {"Authorization", token, NULL};
    const char *const bad[] = {"Authorization", "Bearer x", NULL};
    const char *const none[] = {"Host", "localhost", NULL};
    (void)snprintf(token, sizeof(token), "Bearer %s", r->secret);
    for (unsigned i = 0; i < WHO_FAILURES; i++) {
        assert_int_equal(who(r, API_READ, &peer_loopback, good, WORLD_NOW, &w, &why), 0);
        assert_int_equal(who(r, API_READ, &peer_loopback, bad, WORLD_NOW, &w, &why), 401);
    }
    assert_int_equal(who(r, API_READ, &peer_loopback, bad, WORLD_NOW + 1, &w, &why), 429);
    assert_int_equal(why.retry_after_s, WHO_WINDOW_S);
    assert_int_equal(who(r, API_READ, &peer_loopback, good, WORLD_NOW + NSEC_PER_SEC, &w, &why),
                     429);
    assert_int_equal(why.retry_after_s, WHO_WINDOW_S - 1);
    /* others, and requests without a token, do not notice */
    assert_int_equal(who(r, API_READ, &peer_far, good, WORLD_NOW, &w, &why), 0);
    assert_int_equal(who(r, API_READ, &peer_loopback, none, WORLD_NOW, &w, &why), 0);
    int64_t later = WORLD_NOW + WHO_WINDOW_S * NSEC_PER_SEC;
    assert_int_equal(who(r, API_READ, &peer_loopback, good, later - 1, &w, &why), 429);
    assert_int_equal(who(r, API_READ, &peer_loopback, good, later, &w, &why), 0);
}

/* However many addresses there are, their table does not grow, and the newest are in it. */
static void many_addresses(void **state)
{
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    const char *const bad[] = {"Authorization", "Bearer x", NULL};
    for (unsigned i = 0; i < WHO_ADDRESSES + 100; i++) {
        struct http_peer peer = {0};
        (void)snprintf(peer.address, sizeof(peer.address), "10.0.%u.%u", i / 256, i % 256);
        assert_int_equal(who(r, API_READ, &peer, bad, WORLD_NOW + i, &w, &why), 401);
    }
    assert_int_equal(r->guard.n, WHO_ADDRESSES);
    struct http_peer last = {.address = "10.0.4.99"};
    for (unsigned i = 1; i < WHO_FAILURES; i++) {
        assert_int_equal(who(r, API_READ, &last, bad, WORLD_NOW + 2000, &w, &why), 401);
    }
    assert_int_equal(who(r, API_READ, &last, bad, WORLD_NOW + 2000, &w, &why), 429);
}

static void tokens(void **state)
{
    (void)state;
    uint8_t random[TOKEN_BYTES] = {0};
    char text[TOKEN_TEXT], hash[TOKEN_HASH], again[TOKEN_HASH];
    token_make(random, text, hash);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    /* printf %s AAAA… | sha256sum */
    assert_string_equal(hash, "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a");
    assert_int_equal(token_hash(text, again), 0);
    assert_string_equal(hash, again);
    assert_int_equal(token_hash("AAAA", again), -EINVAL);
    text[42] = 'B'; /* bits that no byte has */
    assert_int_equal(token_hash(text, again), -EINVAL);
    text[42] = '=';
    assert_int_equal(token_hash(text, again), -EINVAL);
}

/* A token in a header of its own, for an API whose clients have it there. */
static void another_header(void **state)
{
    static const struct who_header header = {"X-Auth-Token", "notused"};
    struct room *r = *state;
    struct api_who w;
    struct who_refusal why;
    const char *const own[] = {"x-auth-token", r->secret, NULL};
    const char *const wrong[] = {"X-Auth-Token", "x", NULL};
    const char *const none[] = {"Host", "localhost", "X-Auth-Token", "notused", NULL};
    const char *const both[] = {"X-Auth-Token", r->secret, "Authorization", "Bearer x", NULL};
    const char *const two[] = {"X-Auth-Token", r->secret, "X-Auth-Token", r->secret, NULL};
    const char *const page[] = {
        "Host", "localhost", "X-Auth-Token", "notused", "Origin", "http://evil.example", NULL};
    r->also = &header;
    assert_int_equal(who(r, API_NOBODY, &peer_far, own, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_CAPTURE);
    assert_true(w.token);
    assert_int_equal(who(r, API_READ, &peer_loopback, none, WORLD_NOW, &w, &why), 0);
    assert_string_equal(w.name, "anonymous");
    assert_string_equal(w.project, WHO_LOCAL);
    assert_false(w.token);
    assert_int_equal(who(r, API_READ, &peer_root, none, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_ADMIN);
    assert_int_equal(who(r, API_READ, &peer_loopback, page, WORLD_NOW, &w, &why), 403);
    assert_int_equal(who(r, API_READ, &peer_far, both, WORLD_NOW, &w, &why), 400);
    assert_int_equal(who(r, API_READ, &peer_far, two, WORLD_NOW, &w, &why), 400);
    for (unsigned i = 0; i < WHO_FAILURES; i++) { /* where nobody may, it is a wrong one */
        const char *const *h = i % 2 ? wrong : none;
        assert_int_equal(who(r, API_NOBODY, &peer_loopback, h, WORLD_NOW, &w, &why), 401);
    }
    assert_int_equal(who(r, API_NOBODY, &peer_loopback, own, WORLD_NOW, &w, &why), 429);
    r->also = NULL; /* elsewhere the header means nothing */
    assert_int_equal(who(r, API_NOBODY, &peer_far, own, WORLD_NOW, &w, &why), 0);
    assert_int_equal(w.role, API_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_token, enter, leave),
        cmocka_unit_test_setup_teardown(expired_and_revoked, enter, leave),
        cmocka_unit_test_setup_teardown(by_socket, enter, leave),
        cmocka_unit_test_setup_teardown(by_loopback, enter, leave),
        cmocka_unit_test_setup_teardown(by_pages, enter, leave),
        cmocka_unit_test_setup_teardown(guesses, enter, leave),
        cmocka_unit_test_setup_teardown(many_addresses, enter, leave),
        cmocka_unit_test(tokens),
        cmocka_unit_test_setup_teardown(another_header, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
