/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of a kind of its own, things: each once in any order, while rows come and go; filters,
 * fields and limits; and markers that no list gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/base64url.h"
#include "control/test_api.h"

enum {
    THING_NAME = FIELDS_COMMON,
    THING_SIZE,
    THING_GOOD,
    ALL = 57,
};

static const struct field thing_fields[] = {
    KIND_COMMON,
    {.name = "name",
     .type = FIELD_TEXT,
     .flags = FIELD_FILTER | FIELD_SORT | FIELD_NULL,
     .max = 20},
    {.name = "size", .type = FIELD_INT, .flags = FIELD_SORT | FIELD_NULL},
    {.name = "good", .type = FIELD_BOOL, .flags = FIELD_FILTER | FIELD_SORT},
};
static const struct kind kind_thing = {"thing", "things", thing_fields, ARRAY_SIZE(thing_fields)};
static const struct kind *const thing_kinds[] = {&kind_thing};
static const struct api_route thing_routes[] = {
    {HTTP_GET, "/things", API_READ, &kind_thing, api_list, 0, api_list_parameters},
};

static void put_thing(struct world *w, unsigned number)
{
    static const char *const names[] = {"b", "a", "a b&c=d", "\xc3\xa4", "b"};
    struct object o;
    world_object(&o, &kind_thing, number, "local", "bob");
    if (number % 7) {
        assert_int_equal(object_set_text(&o, THING_NAME, names[number % ARRAY_SIZE(names)]), 0);
    }
    if (number % 5) {
        object_set_int(&o, THING_SIZE, (int64_t)(number * 37 % 11) - 5);
    }
    object_set_int(&o, THING_GOOD, number % 3 == 0);
    world_put(w, &o);
    object_done(&o);
}

static int enter(void **state)
{
    static const struct api_route *const table[] = {thing_routes};
    static const size_t n[] = {ARRAY_SIZE(thing_routes)};
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    world_init(w, thing_kinds, 1, table, n, API_READ);
    for (unsigned i = 1; i <= ALL; i++) {
        put_thing(w, i);
    }
    *state = w;
    return 0;
}

static int leave(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

/* The numbers of the page's things are added, and the address of the next comes into `path`; false:
 * there is none. */
static bool take_page(struct world *w, char path[512], unsigned *number, unsigned *n)
{
    json_t *j = json_loadb((const char *)w->answer.bytes, w->answer.len, 0, NULL);
    json_t *rows = json_object_get(j, "things");
    assert_true(json_is_array(rows));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(rows, i), "id"));
        assert_non_null(id);
        number[(*n)++] = (unsigned)strtoul(id + 24, NULL, 16);
        assert_true(*n < 4 * ALL);
    }
    const char *next = json_string_value(json_object_get(j, "next"));
    bool more = next != NULL;
    (void)snprintf(path, 512, "%s", more ? next : "");
    json_decref(j);
    return more;
}

static unsigned walk(struct world *w, const char *first, unsigned *number)
{
    char path[512];
    unsigned n = 0;
    (void)snprintf(path, sizeof(path), "%s", first);
    do {
        assert_int_equal(ask(w, HTTP_GET, path, NULL), 200);
    } while (take_page(w, path, number, &n));
    return n;
}

static void every_order(void **state)
{
    struct world *w = *state;
    static const char *const sorts[] = {"",           "&sort=id",    "&sort=-id",  "&sort=created",
                                        "&sort=name", "&sort=-name", "&sort=size", "&sort=-size",
                                        "&sort=good", "&sort=-good", "&sort=owner"};
    for (size_t s = 0; s < ARRAY_SIZE(sorts); s++) {
        unsigned whole[4 * ALL], pages[4 * ALL];
        char path[128];
        (void)snprintf(path, sizeof(path), "/things?limit=1000%s", sorts[s]);
        assert_int_equal(walk(w, path, whole), ALL);
        for (unsigned limit = 1; limit <= ALL; limit += 8) {
            (void)snprintf(path, sizeof(path), "/things?limit=%u%s", limit, sorts[s]);
            assert_int_equal(walk(w, path, pages), ALL);
            assert_memory_equal(whole, pages, ALL * sizeof(*whole));
        }
    }
    unsigned up[4 * ALL], down[4 * ALL];
    (void)walk(w, "/things?sort=size", up);
    (void)walk(w, "/things?sort=-size", down);
    for (unsigned i = 0; i < ALL; i++) {
        assert_int_equal(up[i], down[ALL - 1 - i]);
    }
}

/* A page that is full to the last row has no next one. */
static void exactly_full(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, HTTP_GET, "/things?limit=57", NULL), 200);
    assert_false(body_has(w, "\"next\""));
    assert_int_equal(ask(w, HTTP_GET, "/things?limit=56", NULL), 200);
    assert_true(body_has(w, "\"next\":\"/things?limit=56&marker="));
    assert_int_equal(ask(w, HTTP_GET, "/things?name=nobody", NULL), 200);
    assert_true(body_has(w, "{\"things\":[]}"));
}

static void remove_thing(struct world *w, unsigned number)
{
    char id[KIND_ID];
    struct store *s = w->counted.real;
    (void)snprintf(id, sizeof(id), "00000000-0000-7000-8000-%012x", number);
    assert_int_equal(s->ops->begin(s, NULL), 0);
    assert_int_equal(s->ops->remove(s, &kind_thing, id, NULL), 0);
    assert_int_equal(s->ops->commit(s, NULL), 0);
}

static void rows_come_and_go(void **state)
{
    struct world *w = *state;
    unsigned number[4 * ALL], n = 0, seen[2 * ALL] = {0};
    char path[512] = "/things?limit=10&sort=-created";
    unsigned more = ALL;
    bool goes_on = true;
    while (goes_on) {
        unsigned before = n;
        assert_int_equal(ask(w, HTTP_GET, path, NULL), 200);
        goes_on = take_page(w, path, number, &n);
        for (unsigned i = before; i < n; i++) {
            seen[number[i]]++;
        }
        put_thing(w, ++more);           /* before all that were seen */
        remove_thing(w, number[n - 1]); /* the one that the marker names */
    }
    for (unsigned i = 1; i <= ALL; i++) {
        assert_int_equal(seen[i], 1);
    }
}

static void filters_and_fields(void **state)
{
    struct world *w = *state;
    unsigned number[4 * ALL];
    unsigned n = walk(w, "/things?good=true&limit=4&sort=name", number);
    assert_int_equal(n, ALL / 3);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(number[i] % 3, 0);
    }
    n = walk(w, "/things?name=a+b%26c%3Dd&limit=2", number); /* kept in each next */
    assert_int_equal(n, 10);
    assert_int_equal(walk(w, "/things?name=%C3%A4&good=false&limit=1", number), 6);
    assert_int_equal(ask(w, HTTP_GET, "/things?fields=size,good&limit=1", NULL), 200);
    assert_true(body_has(w, "{\"size\":"));
    assert_false(body_has(w, "\"id\""));
    assert_true(body_has(w, "fields=size,good&"));
}

static void refused(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "limit=0",     "limit=1001",  "limit=x",         "limit=-1",     "limit=",
        "sort=nobody", "sort=",       "sort=-",          "sort=--id",    "sort=generation",
        "fields=",     "fields=a,id", "fields=id,,name", "good=perhaps", "marker=",
        "marker=A",    "marker=%2e",  "marker=AAAA",     "size=1",       "name=%00",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "/things?%s", bad[i]);
        int status = ask(w, HTTP_GET, path, NULL);
        if (status != 400) {
            fail_msg("%s: %d", bad[i], status);
        }
    }
}

static void forged_markers(void **state)
{
    struct world *w = *state;
#define ID "00000000-0000-7000-8000-000000000005"
    static const struct {
        const char *sort, *marker;
        int status;
    } cases[] = {
        {"size", "+size=" ID " 3", 200},
        {"size", "+size!" ID " ", 200},
        {"-size", "-size=" ID " -3", 200},
        {"name", "+name=" ID " any text", 200},
        {"name", "+name=" ID " ", 200},
        {"size", "-size=" ID " 3", 400},
        {"size", "+name=" ID " 3", 400},
        {"size", "+size=" ID " x", 400},
        {"size", "+size=" ID " 3 ", 400},
        {"size", "+size=" ID " 99999999999999999999", 400},
        {"size", "+size!" ID " 3", 400},
        {"size", "+size=" ID, 400},
        {"size", "+size=../../../../../../etc/passwd/0000 3", 400},
        {"size", "+size?" ID " 3", 400},
        {"name", "+name=" ID " a\nb", 400},
        {"name", "+name=" ID " \xff", 400},
        {"size", "", 400},
        {"size", "+", 400},
        {"size", "+size", 400},
        {"size", "+size=", 400},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char marker[256], path[512];
        base64url_put(cases[i].marker, strlen(cases[i].marker), marker);
        (void)snprintf(path, sizeof(path), "/things?sort=%s&marker=%s", cases[i].sort, marker);
        int status = ask(w, HTTP_GET, path, NULL);
        if (status != cases[i].status) {
            fail_msg("%s: %d", cases[i].marker, status);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_order, enter, leave),
        cmocka_unit_test_setup_teardown(exactly_full, enter, leave),
        cmocka_unit_test_setup_teardown(rows_come_and_go, enter, leave),
        cmocka_unit_test_setup_teardown(filters_and_fields, enter, leave),
        cmocka_unit_test_setup_teardown(refused, enter, leave),
        cmocka_unit_test_setup_teardown(forged_markers, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
