/* SPDX-License-Identifier: Apache-2.0 */
#include "control/store_testing.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct field fields[] = {
    KIND_COMMON,
    [SMALL_RANK] = {.name = "rank",
                    .type = FIELD_INT,
                    .flags = FIELD_CREATE | FIELD_NULL | FIELD_FILTER | FIELD_SORT},
    [SMALL_WORD] = {.name = "word", .type = FIELD_WORD, .dflt = "one", .words = "one|two"},
    [SMALL_LIST] = {.name = "list", .type = FIELD_TEXTS, .flags = FIELD_NULL},
    [SMALL_WHEN] = {.name = "from", .type = FIELD_TIME, .flags = FIELD_NULL | FIELD_SORT},
    [SMALL_FLAG] = {.name = "order", .type = FIELD_BOOL, .dflt = "false"},
};

const struct kind kind_small = {"small", "smalls", fields, SMALL_FIELDS};
const struct kind kind_more = {"more", "mores", fields, SMALL_FIELDS};
const struct kind *const store_test_kinds[2] = {&kind_small, &kind_more};

int scratch_make(struct scratch *s)
{
    *s = (struct scratch){"/tmp/farspan-store-XXXXXX"};
    if (!mkdtemp(s->path)) {
        s->path[0] = '\0';
        return -1;
    }
    return 0;
}

void scratch_remove(struct scratch *s)
{
    DIR *d = s->path[0] ? opendir(s->path) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char path[64 + sizeof(e->d_name)];
        snprintf(path, sizeof(path), "%s/%s", s->path, e->d_name);
        if (e->d_name[0] != '.') {
            unlink(path);
        }
    }
    if (d) {
        closedir(d);
        rmdir(s->path);
    }
}

uint32_t chance(uint64_t *seed)
{
    *seed ^= *seed << 13; /* xorshift64 */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 32);
}

const char *test_id(unsigned number, char ret[KIND_ID])
{
    const uint8_t random[UUID_RANDOM] = {0};
    uint8_t id[UUID_BYTES];
    uuid_make(number, random, id);
    uuid_text(id, ret);
    return ret;
}

unsigned test_number(const struct object *o)
{
    uint8_t id[UUID_BYTES];
    assert_int_equal(uuid_parse(o->v[FIELD_OF_ID].text, id), 0);
    return (unsigned)id[3] << 16 | (unsigned)id[4] << 8 | id[5];
}

void test_object(struct object *o, unsigned number, const char *project, const char *owner,
                 int64_t rank)
{
    char id[KIND_ID];
    object_init(o, &kind_small);
    assert_int_equal(object_set_text(o, FIELD_OF_ID, test_id(number, id)), 0);
    assert_int_equal(object_set_text(o, FIELD_OF_PROJECT, project), 0);
    assert_int_equal(object_set_text(o, FIELD_OF_OWNER, owner), 0);
    object_set_int(o, FIELD_OF_GENERATION, 1);
    object_set_int(o, FIELD_OF_CREATED, number);
    if (rank != TEST_NULL) {
        object_set_int(o, SMALL_RANK, rank);
    }
    assert_int_equal(object_defaults(o, NULL), 0);
}

void begin(struct store *s)
{
    assert_int_equal(s->ops->begin(s, NULL), 0);
}

void commit(struct store *s)
{
    assert_int_equal(s->ops->commit(s, NULL), 0);
}

void put_one(struct store *s, unsigned number, const char *project, const char *owner, int64_t rank)
{
    struct object o;
    struct error err = {""};
    test_object(&o, number, project, owner, rank);
    if (s->ops->put(s, &o, &err) < 0) {
        fail_msg("%s", err.text);
    }
    object_done(&o);
}

void put_some(struct store *s, unsigned from, unsigned to)
{
    begin(s);
    for (unsigned i = from; i <= to; i++) {
        put_one(s, i, "p", "a", i);
    }
    commit(s);
}

uint64_t count_all(struct store *s)
{
    const struct store_query q = {0};
    uint64_t n = 0;
    assert_int_equal(s->ops->count(s, &kind_small, &q, &n, NULL), 0);
    return n;
}

void check_there(struct store *s, const struct object *o)
{
    struct object back;
    assert_int_equal(s->ops->get(s, o->kind, o->v[FIELD_OF_ID].text, &back, NULL), 0);
    assert_ptr_equal(back.kind, o->kind);
    for (size_t i = 0; i < o->kind->n; i++) {
        assert_int_equal(value_compare(&o->kind->field[i], &o->v[i], &back.v[i]), 0);
    }
    object_done(&back);
}

struct numbers {
    char text[256];
    size_t n;
};

static int note(void *user, const struct object *o)
{
    struct numbers *to = user;
    int n = snprintf(to->text + to->n, sizeof(to->text) - to->n, "%s%u", to->n ? " " : "",
                     test_number(o));
    assert_true(n > 0 && (size_t)n < sizeof(to->text) - to->n);
    to->n += (size_t)n;
    return 0;
}

void check_numbers(struct store *s, const struct store_query *q, const char *numbers)
{
    struct numbers got = {.n = 0};
    struct error err = {""};
    int r = s->ops->list(s, &kind_small, q, note, &got, &err);
    if (r < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(got.text, numbers);
}
