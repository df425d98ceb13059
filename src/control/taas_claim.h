/* SPDX-License-Identifier: Apache-2.0
 *
 * Claims: ports that somebody who manages them elsewhere has told of, under ids of his own. A claim
 * is bound to the interface that its words name, "farspan" in "binding:profile", or else to one
 * that is called "tap" and the id's first 11 characters, or else to one with its "mac_address".
 * Until that is there a port stands in for it that has never been seen; then its interface's port
 * takes the claim, and whatever hung on the first.
 *
 * A claim's words are fields of the port and no objects of their own: the project that a claim is
 * made for is the port's, and two objects could tell of two.
 */
#pragma once

#include <jansson.h>

#include "control/store.h"
#include "model/kinds.h"

enum {
    CLAIM_WORDS_MAX = 16384, /* bytes of what a manager says of a port */
};

/* Does the port stand in for an interface that has not come yet? */
bool claim_waits(const struct object *port);
/* Sets name, agent and address of the port that stands in for a claim of that id and those words,
 * by which its interface is known. -EINVAL with a sentence: there is no such interface; -ENOMEM. */
int claim_expect(struct object *port, const char *id, const json_t *words, struct error *err);
/* The port that is there now and is meant by one that stands in. *ret is object_done()'s. -ENOENT:
 * there is none yet; -EBUSY: it is named outright, and has a claim or another project. */
int claim_find(struct store *s, const struct object *stand_in, struct object *ret,
               struct error *err);
/* The claim and its project go from one that stands in to another port. -ENOMEM. */
int claim_move(const struct object *stand_in, struct object *port);
/* Binds those whose interfaces have come, in a transaction of its own. How many there were, or
 * -errno. */
int claims_bind(struct store *s, int64_t now_ns, struct error *err);
