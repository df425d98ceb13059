/* SPDX-License-Identifier: Apache-2.0
 *
 * The framework over a kind of its own, notes: the generic handlers, what is refused before any
 * handler, turns that commit or fail as a whole, handlers that wait, projects, and pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/problem.h"
#include "control/test_api.h"

enum {
    NOTE_TITLE = FIELDS_COMMON,
    NOTE_RANK,
    NOTE_SECRET,
};

static const struct field note_fields[] = {
    KIND_COMMON,
    {.name = "title",
     .type = FIELD_TEXT,
     .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_MUST | FIELD_FILTER | FIELD_SORT,
     .min = 1,
     .max = 20,
     .help = "what it is about"},
    {.name = "rank",
     .type = FIELD_INT,
     .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_NULL | FIELD_SORT,
     .max = 1000,
     .help = "its place"},
    {.name = "secret", .type = FIELD_TEXT, .flags = FIELD_HIDDEN | FIELD_NULL, .help = "hidden"},
};
static const struct kind kind_note = {"note", "notes", note_fields, ARRAY_SIZE(note_fields)};
static const struct kind *const note_kinds[] = {&kind_note, &kind_token};

/* ---- handlers that do what they should not, or wait ---- */

static enum api_result half(struct api_turn *t)
{
    struct object o;
    if (api_make(t, &kind_note, &o) == 0) {
        (void)object_set_text(&o, NOTE_TITLE, "half");
        (void)api_put(t, &o);
        object_done(&o);
    }
    return api_problem(t, 409, NULL, "changed my mind");
}

static enum api_result quiet(struct api_turn *t)
{
    struct text body = {0};
    text_add(&body, "{}");
    return api_json(t, 200, &body);
}

static enum api_result waits(struct api_turn *t)
{
    struct world *w = t->user;
    int r = w->filter;
    w->waiter = api_waiter(t);
    return r == -EAGAIN ? API_LATER : api_create(t);
}

static const char *const some_parameters[] = {"colour", NULL};

static const struct api_route note_routes[] = {
    {HTTP_GET, "/v1/notes", API_READ, &kind_note, api_list, 0, api_list_parameters},
    {HTTP_POST, "/v1/notes", API_CAPTURE, &kind_note, api_create, API_CHANGES},
    {HTTP_GET, "/v1/notes/{id}", API_READ, &kind_note, api_show},
    {HTTP_PATCH, "/v1/notes/{id}", API_CAPTURE, &kind_note, api_update, API_CHANGES},
    {HTTP_DELETE, "/v1/notes/{id}", API_CAPTURE, &kind_note, api_delete, API_CHANGES},
    {HTTP_GET, "/v1/shared/{id}", API_READ, &kind_note, api_show, API_SHARED},
    {HTTP_POST, "/v1/half", API_CAPTURE, NULL, half, API_CHANGES},
    {HTTP_POST, "/v1/quiet", API_CAPTURE, NULL, quiet, API_CHANGES},
    {HTTP_POST, "/v1/waits", API_CAPTURE, &kind_note, waits, API_CHANGES},
    {HTTP_GET, "/free", API_NOBODY, NULL, quiet, API_FREE, some_parameters},
    {HTTP_GET, "/v1/admins", API_ADMIN, NULL, quiet},
};

static int enter(void **state)
{
    static const struct api_route *const table[] = {note_routes};
    static const size_t n[] = {ARRAY_SIZE(note_routes)};
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    world_init(w, note_kinds, ARRAY_SIZE(note_kinds), table, n, API_READ);
    *state = w;
    return 0;
}

static int leave(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

static json_t *json_of(const struct world *w)
{
    json_t *j = json_loadb((const char *)w->answer.bytes, w->answer.len, 0, NULL);
    if (!j) {
        fail_msg("no JSON: %.*s", (int)w->answer.len, (const char *)w->answer.bytes);
    }
    return j;
}

/* The member as a text, which the caller frees. */
static char *member(const struct world *w, const char *name)
{
    json_t *j = json_of(w);
    const char *s = json_string_value(json_object_get(j, name));
    char *ret = s ? strdup(s) : NULL;
    json_decref(j);
    return ret;
}

static void put_note(struct world *w, unsigned number, const char *project, const char *title,
                     int64_t rank)
{
    struct object o;
    world_object(&o, &kind_note, number, project, "bob");
    assert_int_equal(object_set_text(&o, NOTE_TITLE, title), 0);
    if (rank >= 0) {
        object_set_int(&o, NOTE_RANK, rank);
    }
    world_put(w, &o);
    object_done(&o);
}

#define NOTE(n) "/v1/notes/00000000-0000-7000-8000-00000000000" #n

static unsigned events(struct world *w)
{
    uint64_t oldest = 0, last = 0;
    assert_int_equal(w->counted.real->ops->event_range(w->counted.real, &oldest, &last, NULL), 0);
    return (unsigned)last;
}

/* ---- generic handlers ---- */

static void a_life(void **state)
{
    struct world *w = *state;
    char path[128], etag[128];
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":\"milk\",\"rank\":3}"), 201);
    (void)snprintf(path, sizeof(path), "%s", header_of(w, "Location"));
    assert_memory_equal(path, "/v1/notes/0", 11);
    assert_string_equal(header_of(w, "Content-Type"), "application/json");
    assert_string_equal(header_of(w, "X-Content-Type-Options"), "nosniff");
    assert_true(body_has(w, "\"owner\":\"local:root\""));
    assert_true(body_has(w, "\"project\":\"local\""));
    assert_true(body_has(w, "\"generation\":1"));
    assert_false(body_has(w, "secret"));
    (void)snprintf(etag, sizeof(etag), "%s", header_of(w, "ETag"));
    assert_int_equal(ask(w, HTTP_GET, path, NULL), 200);
    assert_string_equal(header_of(w, "ETag"), etag);
    const char *const have[] = {"If-None-Match", etag, NULL};
    assert_int_equal(ask_with(w, HTTP_GET, path, NULL, &peer_root, have), 304);
    assert_int_equal(w->answer.len, 0);
    assert_string_equal(header_of(w, "ETag"), etag);
    assert_int_equal(ask(w, HTTP_PATCH, path, "{\"rank\":null}"), 200);
    assert_true(body_has(w, "\"rank\":null"));
    assert_true(body_has(w, "\"generation\":2"));
    assert_int_equal(ask_with(w, HTTP_GET, path, NULL, &peer_root, have), 200);
    assert_string_not_equal(header_of(w, "ETag"), etag);
    assert_int_equal(ask(w, HTTP_HEAD, path, NULL), 200);
    assert_int_equal(ask(w, HTTP_DELETE, path, NULL), 204);
    assert_int_equal(w->answer.len, 0);
    assert_int_equal(ask(w, HTTP_GET, path, NULL), 404);
    assert_int_equal(ask(w, HTTP_DELETE, path, NULL), 404);
    assert_int_equal(events(w), 3);
    assert_int_equal(w->changed, 3);
}

static void wrong_fields(void **state)
{
    struct world *w = *state;
    put_note(w, 1, "local", "one", 1);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes",
                         "{\"title\":\"\",\"rank\":\"x\",\"colour\":1,\"owner\":\"me\"}"),
                     422);
    assert_string_equal(header_of(w, "Content-Type"), "application/problem+json");
    json_t *j = json_of(w);
    assert_int_equal(json_integer_value(json_object_get(j, "status")), 422);
    assert_string_equal(json_string_value(json_object_get(j, "type")),
                        "/v1/problems/invalid-fields");
    json_t *errors = json_object_get(j, "errors");
    assert_int_equal(json_array_size(errors), 4); /* all at once */
    static const char *const pointers[] = {"/title", "/rank", "/colour", "/owner"};
    for (size_t i = 0; i < ARRAY_SIZE(pointers); i++) {
        bool found = false;
        for (size_t k = 0; k < 4; k++) {
            json_t *e = json_array_get(errors, k);
            const char *p = json_string_value(json_object_get(e, "pointer"));
            found = found || strcmp(p, pointers[i]) == 0;
            assert_true(json_string_length(json_object_get(e, "detail")) > 5);
        }
        assert_true(found);
    }
    json_decref(j);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"rank\":1}"), 422);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":"), 400);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "[]"), 400);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", NULL), 400);
    assert_int_equal(ask(w, HTTP_PATCH, NOTE(1), "{\"title\":null}"), 422);
    assert_int_equal(w->counted.changes, 0);
    assert_int_equal(events(w), 0);
}

/* ---- what is refused before any handler ---- */

static void paths_and_methods(void **state)
{
    struct world *w = *state;
    put_note(w, 1, "local", "one", 1);
    static const struct {
        enum http_method method;
        const char *target;
        int status;
    } cases[] = {
        {HTTP_GET, "/v1/nothing", 404},
        {HTTP_GET, "/v1/notes/", 404},
        {HTTP_GET, "/V1/notes", 404},
        {HTTP_GET, NOTE(1) "/more", 404},
        {HTTP_GET, "/v1/notes/1", 404},
        {HTTP_GET, "/v1/notes/%2e%2e", 400},
        {HTTP_GET, "/v1/notes/a%2fb", 400},
        {HTTP_GET, "/v1/notes/%00", 400},
        {HTTP_GET, "/v1/%6eotes", 200},
        {HTTP_GET, NOTE(2), 404},
        {HTTP_GET, "/v1/notes?limit=1&limit=2", 400},
        {HTTP_GET, "/v1/notes?colour=red", 400},
        {HTTP_GET, "/v1/notes?secret=x", 400},
        {HTTP_GET, "/v1/notes?rank=1", 400},
        {HTTP_GET, "/free?colour=red", 200},
        {HTTP_GET, "/free?limit=1", 400},
        {HTTP_GET, NOTE(1) "?limit=1", 400},
        {HTTP_GET, "/free?access_token=abc", 400},
        {HTTP_GET, "/v1/notes?Token=abc", 400},
        {HTTP_PUT, "/v1/notes", 405},
        {HTTP_OTHER, NOTE(1), 405},
        {HTTP_HEAD, NOTE(1), 200},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int status = ask(w, cases[i].method, cases[i].target, NULL);
        if (status != cases[i].status) {
            fail_msg("%s: %d", cases[i].target, status);
        }
        if (status >= 400) {
            char *detail = member(w, "detail");
            assert_true(strlen(detail) > 10);
            free(detail);
        }
    }
    assert_int_equal(ask(w, HTTP_PUT, NOTE(1), "{}"), 405);
    assert_string_equal(header_of(w, "Allow"), "GET, HEAD, PATCH, DELETE");
    assert_int_equal(ask(w, HTTP_GET, "/v1/notes?colour=red", NULL), 400);
    assert_true(body_has(w, "\\\"colour\\\""));
}

static void forms(void **state)
{
    struct world *w = *state;
    put_note(w, 1, "local", "one", 1);
    const char *const csv[] = {"Accept", "text/csv", NULL};
    const char *const any[] = {"Accept", "text/html, */*;q=0.1", NULL};
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_root, csv), 406);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_root, any), 200);
    struct http_request r =
        request_of(HTTP_POST, "/v1/notes", "{\"title\":\"a\"}", &peer_root, NULL);
    static const struct {
        const char *type;
        int status;
    } cases[] = {
        {"application/x-www-form-urlencoded", 415},
        {"text/plain", 415},
        {"application/json; charset=latin1", 415},
        {"application/json; charset=utf-8", 201},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        r.header[0].value = cases[i].type;
        api_request(w->api, &r, world_reply, w);
        api_commit(w->api);
        assert_int_equal(w->answer.status, cases[i].status);
    }
    r.n_headers = 0;
    api_request(w->api, &r, world_reply, w);
    api_commit(w->api);
    assert_int_equal(w->answer.status, 415);
    assert_int_equal(ask(w, HTTP_DELETE, NOTE(1), "{}"), 400);
    assert_int_equal(ask(w, HTTP_GET, NOTE(1), NULL), 200);
}

static void roles(void **state)
{
    struct world *w = *state;
    const char *const host[] = {"Host", "localhost", NULL};
    const char *const evil[] = {"Host", "evil.example", NULL};
    const char *const page[] = {"Host", "localhost", "Origin", "http://evil.example", NULL};
    const char *const bad[] = {"Authorization", "Bearer x", NULL};
    put_note(w, 1, "local", "one", 1);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_far, NULL), 401);
    assert_memory_equal(header_of(w, "WWW-Authenticate"), "Bearer", 6);
    assert_int_equal(ask_with(w, HTTP_GET, "/free", NULL, &peer_far, NULL), 200);
    assert_int_equal(ask_with(w, HTTP_GET, "/free", NULL, &peer_loopback, page), 403);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_loopback, host), 200);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_loopback, evil), 403);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_loopback, page), 403);
    assert_int_equal(ask_with(w, HTTP_DELETE, NOTE(1), NULL, &peer_loopback, host), 403);
    assert_true(body_has(w, "needs the role capture"));
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/admins", NULL, &peer_user, NULL), 403);
    for (unsigned i = 0; i < WHO_FAILURES; i++) {
        assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_loopback, bad), 401);
    }
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_loopback, bad), 429);
    assert_string_equal(header_of(w, "Retry-After"), "60");
    assert_int_equal(w->counted.changes, 0);
}

/* ---- turns ---- */

struct caller {
    int status;
    unsigned answers;
};

static void note_status(void *call, struct http_answer *answer)
{
    struct caller *c = call;
    c->status = answer->status;
    c->answers++;
    http_answer_done(answer);
}

static void one_commit(void **state)
{
    struct world *w = *state;
    struct caller c[4] = {{0}};
    const struct http_request make =
        request_of(HTTP_POST, "/v1/notes", "{\"title\":\"a\"}", &peer_root, NULL);
    const struct http_request list = request_of(HTTP_GET, "/v1/notes", NULL, &peer_root, NULL);
    const struct http_request bad = request_of(HTTP_GET, "/v1/x", NULL, &peer_root, NULL);
    api_request(w->api, &make, note_status, &c[0]);
    api_request(w->api, &make, note_status, &c[1]);
    api_request(w->api, &list, note_status, &c[2]);
    api_request(w->api, &bad, note_status, &c[3]);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(c[i].answers, 0); /* nobody is told before */
    }
    assert_int_equal(w->counted.commits, 0);
    api_commit(w->api);
    assert_int_equal(w->counted.commits, 1);
    static const int want[] = {201, 201, 200, 404};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(c[i].status, want[i]);
        assert_int_equal(c[i].answers, 1);
    }
    api_commit(w->api);
    assert_int_equal(w->counted.commits, 1);
    assert_int_equal(w->changed, 1);
}

static unsigned count_notes(struct world *w)
{
    const struct store_query q = {0};
    uint64_t n = 0;
    struct store *s = w->counted.real;
    assert_int_equal(s->ops->count(s, &kind_note, &q, &n, NULL), 0);
    return (unsigned)n;
}

static void failed_commit(void **state)
{
    struct world *w = *state;
    struct caller c[3] = {{0}};
    const struct http_request make =
        request_of(HTTP_POST, "/v1/notes", "{\"title\":\"a\"}", &peer_root, NULL);
    const struct http_request list = request_of(HTTP_GET, "/v1/notes", NULL, &peer_root, NULL);
    const struct http_request bad = request_of(HTTP_GET, "/v1/x", NULL, &peer_root, NULL);
    static const struct {
        int code, status;
    } cases[] = {{-EIO, 503}, {-ENOSPC, 507}};
    for (unsigned i = 0; i < 2; i++) {
        w->counted.fail_commit = cases[i].code;
        api_request(w->api, &make, note_status, &c[0]);
        api_request(w->api, &list, note_status, &c[1]);
        api_request(w->api, &bad, note_status, &c[2]);
        api_commit(w->api);
        assert_int_equal(c[0].status, cases[i].status);
        assert_int_equal(c[1].status, cases[i].status); /* it may have seen what is not there */
        assert_int_equal(c[2].status, 404);
        assert_int_equal(count_notes(w), 0);
    }
    assert_int_equal(w->changed, 0);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":\"a\"}"), 507);
    assert_true(body_has(w, "the disk said no"));
    w->counted.fail_commit = 0;
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":\"a\"}"), 201);
    assert_int_equal(count_notes(w), 1);
}

static void failing_store(void **state)
{
    struct world *w = *state;
    w->counted.fail_begin = -EIO;
    assert_int_equal(ask(w, HTTP_GET, "/v1/notes", NULL), 503);
    w->counted.fail_begin = 0;
    w->counted.fail_list = -EIO;
    assert_int_equal(ask(w, HTTP_GET, "/v1/notes", NULL), 503);
    w->counted.fail_list = 0;
    w->counted.fail_put = -ENOSPC;
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":\"a\"}"), 507);
    w->counted.fail_put = 0;
    /* The object is put and its line in the audit is not: neither is there. */
    w->counted.fail_event = -EIO;
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":\"a\"}"), 503);
    w->counted.fail_event = 0;
    assert_int_equal(count_notes(w), 0);
    assert_int_equal(w->changed, 0);
    assert_int_equal(ask(w, HTTP_POST, "/v1/notes", "{\"title\":\"a\"}"), 201);
    assert_int_equal(count_notes(w), 1);
}

/* A handler that changes and then refuses leaves nothing, and takes the turn with it. */
static void half_a_change(void **state)
{
    struct world *w = *state;
    struct caller c[2] = {{0}};
    const struct http_request make =
        request_of(HTTP_POST, "/v1/notes", "{\"title\":\"a\"}", &peer_root, NULL);
    const struct http_request wrong = request_of(HTTP_POST, "/v1/half", NULL, &peer_root, NULL);
    api_request(w->api, &make, note_status, &c[0]);
    api_request(w->api, &wrong, note_status, &c[1]);
    api_commit(w->api);
    assert_int_equal(c[0].status, 503);
    assert_int_equal(c[1].status, 503);
    assert_int_equal(w->counted.commits, 0);
    assert_int_equal(w->counted.rollbacks, 1);
    assert_int_equal(count_notes(w), 0);
    assert_int_equal(events(w), 0);
}

static void audit_is_never_left_out(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, HTTP_POST, "/v1/quiet", NULL), 200);
    assert_int_equal(events(w), 1);
    assert_int_equal(ask(w, HTTP_GET, "/free", NULL), 200);
    assert_int_equal(events(w), 1);
}

static void later(void **state)
{
    struct world *w = *state;
    struct caller c[2] = {{0}};
    const struct http_request slow =
        request_of(HTTP_POST, "/v1/waits", "{\"title\":\"slow\"}", &peer_root, NULL);
    w->filter = -EAGAIN;
    api_request(w->api, &slow, note_status, &c[0]);
    void *first = w->waiter;
    api_request(w->api, &slow, note_status, &c[1]);
    void *second = w->waiter;
    assert_ptr_not_equal(first, second);
    api_commit(w->api);
    assert_int_equal(c[0].answers + c[1].answers, 0);
    api_wake(w->api, first); /* for nothing: it waits on */
    api_commit(w->api);
    assert_int_equal(c[0].answers, 0);
    api_gone(w->api, &c[0]);
    w->filter = 0;
    api_wake(w->api, first); /* nobody waits for that any more */
    api_wake(w->api, second);
    assert_int_equal(c[1].answers, 0);
    api_commit(w->api);
    assert_int_equal(c[0].answers, 0);
    assert_int_equal(c[1].status, 201);
    api_wake(w->api, second);
    api_commit(w->api);
    assert_int_equal(c[1].answers, 1);
    assert_int_equal(count_notes(w), 1);
}

/* A change is committed, though whoever asked for it has gone. */
static void gone(void **state)
{
    struct world *w = *state;
    struct caller c = {0};
    const struct http_request make =
        request_of(HTTP_POST, "/v1/notes", "{\"title\":\"a\"}", &peer_root, NULL);
    api_request(w->api, &make, note_status, &c);
    api_gone(w->api, &c);
    api_gone(w->api, &c);
    api_commit(w->api);
    assert_int_equal(c.answers, 0);
    assert_int_equal(count_notes(w), 1);
    assert_int_equal(w->changed, 1);
    api_request(w->api, &make, note_status, &c); /* left for api_free() */
}

/* ---- projects ---- */

static void projects(void **state)
{
    struct world *w = *state;
    put_note(w, 1, "local", "ours", 1);
    put_note(w, 2, "red", "theirs", 1);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(1), NULL, &peer_user, NULL), 200);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(2), NULL, &peer_user, NULL), 404);
    char *theirs = body_of(w);
    assert_int_equal(ask_with(w, HTTP_GET, NOTE(3), NULL, &peer_user, NULL), 404);
    char *none = body_of(w);
    assert_string_equal(theirs, none); /* what is not there looks the same */
    free(theirs);
    free(none);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/notes", NULL, &peer_user, NULL), 200);
    assert_true(body_has(w, "ours"));
    assert_false(body_has(w, "theirs"));
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/notes?project=red", NULL, &peer_user, NULL), 200);
    assert_false(body_has(w, "theirs"));
    assert_int_equal(ask(w, HTTP_GET, "/v1/notes?project=red", NULL), 200);
    assert_true(body_has(w, "theirs"));
    assert_int_equal(ask(w, HTTP_GET, NOTE(2), NULL), 200);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/shared/00000000-0000-7000-8000-000000000002", NULL,
                              &peer_user, NULL),
                     200);
}

static void problems(void **state)
{
    (void)state;
    for (size_t i = 0; problem_at(i); i++) {
        assert_ptr_equal(problem_of(problem_at(i)->status), problem_at(i));
        assert_ptr_equal(problem_named(problem_at(i)->name), problem_at(i));
    }
    assert_int_equal(problem_of(418)->status, 500);
    assert_null(problem_named("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life, enter, leave),
        cmocka_unit_test_setup_teardown(wrong_fields, enter, leave),
        cmocka_unit_test_setup_teardown(paths_and_methods, enter, leave),
        cmocka_unit_test_setup_teardown(forms, enter, leave),
        cmocka_unit_test_setup_teardown(roles, enter, leave),
        cmocka_unit_test_setup_teardown(one_commit, enter, leave),
        cmocka_unit_test_setup_teardown(failed_commit, enter, leave),
        cmocka_unit_test_setup_teardown(failing_store, enter, leave),
        cmocka_unit_test_setup_teardown(half_a_change, enter, leave),
        cmocka_unit_test_setup_teardown(audit_is_never_left_out, enter, leave),
        cmocka_unit_test_setup_teardown(later, enter, leave),
        cmocka_unit_test_setup_teardown(gone, enter, leave),
        cmocka_unit_test_setup_teardown(projects, enter, leave),
        cmocka_unit_test(problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
