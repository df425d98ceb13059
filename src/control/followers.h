/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that follow a file while it grows: each gives what is published of it, waits for more,
 * and ends with the file. Whoever knows that more is published tells all that follow it.
 */
#pragma once

#include "base/cleanup.h"
#include "model/kind.h"
#include "sys/http.h"

struct follower;

/* All that are under way. Zeros: none. */
struct followers {
    struct follower *first;
};

/* A body over the file from `from` on, of which `published` bytes are there, and no more if
 * `ended`. Takes the descriptor. -ENOMEM. */
int followers_open(struct followers *s, const char *id, int *fd, uint64_t from, uint64_t published,
                   bool ended, struct http_body *ret);
/* The body is part of another one, which is to be told of in its place. */
void followers_within(const struct http_body *follower, void *body);
/* There is more of the file, or its end. `more` is called with the user of each body that may go
 * on (http_more()). */
void followers_published(struct followers *s, const char *id, uint64_t published, bool ended,
                         void (*more)(void *user, void *body), void *user);
/* Leaves none behind: each ends where it is. */
void followers_done(struct followers *s);
