/* SPDX-License-Identifier: Apache-2.0
 *
 * A small kind, objects of it by number, and questions, for the tests of stores.
 */
#pragma once

#include <stdint.h>

#include "control/store.h"

enum small_field {
    SMALL_RANK = FIELDS_COMMON, /* a number or null; sorted and filtered */
    SMALL_WORD,
    SMALL_LIST,
    SMALL_WHEN,
    SMALL_FLAG,
    SMALL_FIELDS,
};

#define TEST_NULL INT64_MIN /* in place of a rank: none */

extern const struct kind kind_small, kind_more;
/* kind_small, and another. */
extern const struct kind *const store_test_kinds[2];

/* A folder that is the test's own. */
struct scratch {
    char path[64];
};
int scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s);

/* By a seed, which is never 0. */
uint32_t chance(uint64_t *seed);
/* The id of an object of that number; ids are in the order of numbers. */
const char *test_id(unsigned number, char ret[KIND_ID]);
unsigned test_number(const struct object *o);
void test_object(struct object *o, unsigned number, const char *project, const char *owner,
                 int64_t rank);

/* Each fails the test where the store does not do it. */
void begin(struct store *s);
void commit(struct store *s);
void put_one(struct store *s, unsigned number, const char *project, const char *owner,
             int64_t rank);
/* Numbers `from` to `to`, in a transaction, of project "p" and owner "a", each of its number's
 * rank. */
void put_some(struct store *s, unsigned from, unsigned to);
uint64_t count_all(struct store *s);
/* The object is there, and like this one. */
void check_there(struct store *s, const struct object *o);
/* The list has these, "3 1 2". */
void check_numbers(struct store *s, const struct store_query *q, const char *numbers);
