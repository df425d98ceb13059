/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table of objects that carry their own links: adding and removing allocates nothing and
 * cannot fail. It has a fixed number of buckets, for as many objects as its owner bounds itself to.
 * Hashes are keyed, so that who chooses names or addresses cannot aim at one bucket.
 *
 *     for (struct table_link *l = table_first(&t, h); l; l = table_next(l)) {
 *         struct thing *x = CONTAINER_OF(l, struct thing, by_name); … compare, hashes may collide
 *     }
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Zeros: in no table. */
struct table_link {
    struct table_link *next, **at;
    uint64_t hash;
};

struct table {
    struct table_link **bucket;
    size_t mask;
    uint64_t key;
};

/* At least `buckets` of them; `key` is random. 0 or -ENOMEM. */
int table_init(struct table *t, size_t buckets, uint64_t key);
/* Forgets all objects, which keep their links. Takes a zeroed table. */
void table_done(struct table *t);

/* Of `n` bytes, under the table's key. */
uint64_t table_hash(const struct table *t, const void *bytes, size_t n);

/* The object must be in no table. */
void table_add(struct table *t, struct table_link *l, uint64_t hash);
/* Takes one that is in no table. */
void table_remove(struct table_link *l);

/* Objects of that hash, the newest first. */
struct table_link *table_first(const struct table *t, uint64_t hash);
struct table_link *table_next(const struct table_link *l);
