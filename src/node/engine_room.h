/* SPDX-License-Identifier: Apache-2.0
 *
 * The things that the captures of an engine have in common (node/engine.h).
 */
#pragma once

#include "data/sink/file/pool.h"
#include "node/engine_ports.h"

/* All captures of an engine share these; borrowed. */
struct engine_room {
    struct broker *broker;
    struct engine_ports *ports;
    struct file_pool *pool;
    const struct wake *wake; /* signalled when something is to be looked at */
    int counters;            /* a socket of sys/linkcount.h */
    const char *system;      /* of files' headers: "Linux 6.1" */
};
