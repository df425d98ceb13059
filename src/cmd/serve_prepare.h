/* SPDX-License-Identifier: Apache-2.0
 *
 * The things that a service needs privileges for, once, before it is split: folders and sockets.
 */
#pragma once

#include "cmd/serve_line.h"
#include "sys/unixsock.h"

struct serve_opened {
    int captures;   /* the folder of captures' files */
    int interfaces; /* that of the note of what was changed at interfaces */
    int tcp[SERVE_LISTEN];
    unsigned n_tcp;
    int local; /* the Unix socket of the API */
    char local_path[UNIXSOCK_PATH_MAX];
    char store[4096]; /* the path of the store's folder */
};

/* Reads the files of --opentap-conf into the line, and takes their address where it has none; where
 * they have none either, it is the default. What they say and nobody knows is told. -errno with a
 * sentence. */
int serve_read_opentap(struct serve_line *l, struct error *err);

/* Folders are made where they are missing; that of the store is `user`'s (NULL: as the roles are by
 * default). 0, or -errno with a sentence: serve_close() is due all the same. */
int serve_open(const struct serve_line *l, struct serve_opened *ret, struct error *err);
/* Closes them, and takes the socket's name away if `names`. */
void serve_close(struct serve_opened *o, bool names);
