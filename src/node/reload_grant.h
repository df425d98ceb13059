/* SPDX-License-Identifier: Apache-2.0
 *
 * The request for the configuration file as it is now, which a tap and a collector have alike: both
 * ends of it. cmd/reload.h has what reads the file and what becomes of it.
 */
#pragma once

#include <errno.h>

#include "sys/broker.h"

/* Of the broker: reads the file again, from which on its other grants are as it says, and makes a
 * descriptor for the engine, or refuses: -errno with a sentence. `serve` NULL: there is no file. */
struct reload_grant {
    int (*serve)(void *user, int *ret_fd, struct error *err);
    void *user;
};

/* Carries the request out. */
static inline int reload_serve(const struct reload_grant *g, struct broker_reply *reply)
{
    return g->serve ? g->serve(g->user, &reply->fd, &reply->err)
                    : error_set(&reply->err, ENOENT, "there is no configuration file");
}

/* In the engine, as broker_call: asks for it. */
typedef int reload_request(struct broker *b, int *ret_fd, struct error *err);
