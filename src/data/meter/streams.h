/* SPDX-License-Identifier: Apache-2.0
 *
 * The streams of messages of an exporter: one for all records, or one for each observation point,
 * whose number is then its observation domain (RFC 7011, section 3.1) or source (RFC 3954).
 */
#pragma once

#include "base/time.h"
#include "data/meter/encode.h"
#include "data/sink.h"

struct stream {
    struct encode encode;
    bool begun;          /* it has had a record */
    bool fresh;          /* nothing is in the message under way */
    struct mono partial; /* when that was first seen; never: it was not */
    uint32_t since;      /* records since the last templates */
};

struct streams_conf {
    enum encode_form form;
    bool each;       /* of the points, one */
    uint32_t source; /* of the one for all */
    unsigned with;   /* fields of IPFIX (enum ipfix_with) */
};

struct streams {
    struct streams_conf conf;
    struct stream *at[POINT_MAX + 1]; /* by the point's number; or at 0 */
    uint16_t used[POINT_MAX + 1];     /* their places, … */
    unsigned n;                       /* … so many */
    char *name[POINT_MAX + 1];        /* of interfaces, as they were told, by their numbers */
};

void streams_init(struct streams *s, const struct streams_conf *conf);
void streams_done(struct streams *s);
/* The record's stream. NULL: no memory for it. */
struct stream *streams_of(struct streams *s, const struct flowrec *r);
/* The name of the record's interface is not the one that was told; it counts as told from now on.
 * False where there is no memory: with the next record, perhaps. */
bool streams_new_name(struct streams *s, const struct flowrec *r);
/* Number `i`, < s->n. */
static inline struct stream *streams_at(const struct streams *s, unsigned i)
{
    return s->at[s->used[i]];
}
