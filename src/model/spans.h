/* SPDX-License-Identifier: Apache-2.0
 *
 * Times for which something is complete: a short list of spans, in order and apart. Adding is the
 * union, so that the same span may come any number of times and in any order. Where there is no
 * room, the shortest span is forgotten: the list may claim too little, and never too much.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    SPANS_MAX = 32,
};

struct span {
    int64_t from_ns, until_ns; /* [from, until) */
};

struct spans {
    unsigned n;
    struct span at[SPANS_MAX];
};

/* True where the list is another one now. An empty span changes nothing. */
bool spans_add(struct spans *s, int64_t from_ns, int64_t until_ns);
/* The first part of [from, until) that is in no span: true; false: there is none. */
bool spans_gap(const struct spans *s, int64_t from_ns, int64_t until_ns, struct span *ret);
