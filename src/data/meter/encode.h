/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms in which records go to collectors, behind one set of functions: a stream of messages of
 * 1400 bytes at most, by the codec of its form. Functions that put something into a message give
 * false when it has no room for that; the message is then to be ended, and the call repeated.
 */
#pragma once

#include "proto/ipfix.h"
#include "proto/netflow5.h"
#include "proto/netflow9.h"

enum encode_form { ENCODE_NETFLOW5, ENCODE_NETFLOW9, ENCODE_IPFIX, ENCODE_FORMS };

struct encode {
    enum encode_form form;
    union {
        struct netflow5 v5;
        struct netflow9 v9;
        struct ipfix ipfix;
    };
    /* Of flow records that end in the message so far. */
    uint32_t records;
    uint64_t packets, bytes;
};

/* `source`: the id of the source or observation domain, which tells streams apart; `with`: fields
 * of IPFIX (enum ipfix_with). */
void encode_init(struct encode *s, enum encode_form form, uint32_t source, unsigned with);
/* Records of the form that the flow takes; 0: it cannot carry it. */
unsigned encode_parts(const struct encode *s, const struct flowrec *r);
/* The message tells the time of the record from now on, where it has none yet. */
void encode_time(struct encode *s, const struct flowrec *r);
/* Number `i` of `n`, which encode_parts() gave. */
bool encode_part(struct encode *s, const struct flowrec *r, unsigned n, unsigned i);
/* True, and nothing, where the form has none. */
bool encode_templates(struct encode *s);
bool encode_interface(struct encode *s, uint32_t interface, const char *name);
/* The sample of which the records are, which is one. */
bool encode_sampling(struct encode *s, const struct sampling *sampling);
/* Ends the message; its bytes until something is put into the next, NULL: it is empty. */
const uint8_t *encode_end(struct encode *s, size_t *ret_len);
