/* SPDX-License-Identifier: Apache-2.0
 *
 * The data role of a service: it hears what is wanted (proto/rolemsg.h), runs those captures on
 * this host's interfaces, and tells what is. The control role is taken for hostile; a session that
 * ends leaves running captures as they are, and the next one, which tells the whole set again, goes
 * on with them.
 */
#pragma once

#include "node/engine_ports.h"
#include "proto/rolemsg.h"

struct engine;

struct engine_conf {
    struct loop *loop;
    struct broker *broker; /* with the requests of node/serve_requests.h */
    const struct teller *teller;
    const struct selection *select; /* the interfaces that are ports, and how frames are taken */
    const char *system;             /* of files' headers */
    /* Another descriptor to the control role, non-blocking and the engine's: 0 or -errno, to be
     * tried again. */
    int (*meet)(void *user, int *ret_fd);
    void *user;
};

int engine_new(const struct engine_conf *conf, struct engine **ret, struct error *err);
/* Other interfaces are ports from now on. A capture of one that is none any more goes on; its ring
 * is not opened again. Both selections live as long as the engine. */
void engine_select(struct engine *e, const struct selection *select);
/* No capture goes on: their files end whole, after which engine_is_stopped(). */
void engine_stop(struct engine *e);
bool engine_is_stopped(const struct engine *e);
/* Takes NULL. Captures that have not ended are cut off where they are. */
void engine_free(struct engine *e);
