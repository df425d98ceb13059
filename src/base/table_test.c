/* SPDX-License-Identifier: Apache-2.0
 *
 * The hash table against the plainest model: objects are found and removed, with many collisions
 * and with few; and the hash depends on its key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/table.h"

enum { THINGS = 2000 };

struct thing {
    uint32_t number;
    bool in;
    struct table_link link;
};

/* Only so many different hashes, so that buckets and hashes are shared. */
static uint64_t hash_of(const struct table *t, uint32_t number, uint32_t different)
{
    uint32_t v = number % different;
    return table_hash(t, &v, sizeof(v));
}

static struct thing *find(const struct table *t, uint32_t number, uint32_t different)
{
    for (struct table_link *l = table_first(t, hash_of(t, number, different)); l;
         l = table_next(l)) {
        struct thing *x = CONTAINER_OF(l, struct thing, link);
        if (x->number == number) {
            return x;
        }
    }
    return NULL;
}

/* Against the plainest model there is, with many collisions and with hardly any. */
static void holds_what_was_added(void **state)
{
    (void)state;
    static struct thing thing[THINGS];
    for (uint32_t different = 7; different < 10000; different *= 30) {
        struct table t = {0};
        srand(different);
        assert_int_equal(table_init(&t, 64, 12345), 0);
        for (uint32_t i = 0; i < THINGS; i++) {
            thing[i] = (struct thing){.number = i};
        }
        for (unsigned step = 0; step < 20000; step++) {
            struct thing *x = &thing[rand() % THINGS];
            if (x->in) {
                table_remove(&x->link);
            } else {
                table_add(&t, &x->link, hash_of(&t, x->number, different));
            }
            x->in = !x->in;
        }
        for (uint32_t i = 0; i < THINGS; i++) {
            assert_ptr_equal(find(&t, i, different), thing[i].in ? &thing[i] : NULL);
        }
        table_done(&t);
    }
}

static void removes_only_what_is_there(void **state)
{
    (void)state;
    struct table t = {0};
    struct thing x = {.number = 1};
    table_remove(&x.link); /* in no table */
    assert_int_equal(table_init(&t, 1, 1), 0);
    table_add(&t, &x.link, 9);
    assert_non_null(table_first(&t, 9));
    assert_null(table_first(&t, 10)); /* the same bucket, another hash */
    table_remove(&x.link);
    table_remove(&x.link);
    assert_null(table_first(&t, 9));
    table_done(&t);
}

static void hash_depends_on_key_and_length(void **state)
{
    (void)state;
    const struct table a = {.key = 1}, b = {.key = 2};
    const char zeros[8] = {0};
    assert_true(table_hash(&a, "x", 1) == table_hash(&a, "x", 1));
    assert_true(table_hash(&a, "x", 1) != table_hash(&b, "x", 1));
    assert_true(table_hash(&a, zeros, 4) != table_hash(&a, zeros, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_added),
        cmocka_unit_test(removes_only_what_is_there),
        cmocka_unit_test(hash_depends_on_key_and_length),
    };
    return cmocka_run_group_tests_name("base/table", tests, NULL, NULL);
}
