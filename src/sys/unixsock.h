/* SPDX-License-Identifier: Apache-2.0
 *
 * Local stream sockets with a name: where `farspan status` finds the programs that run. The folder
 * is /run/farspan for root, $XDG_RUNTIME_DIR/farspan or else /tmp/farspan-UID for others. Listening
 * is done before the split (sys/broker.h); the engine accepts on the descriptor, and the broker
 * removes the name in the end, which the engine cannot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

enum {
    UNIXSOCK_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path),
};

struct unixsock_dir {
    char path[UNIXSOCK_PATH_MAX];
    mode_t mode; /* 0755 for root, 0700 for others */
};

/* Which folder it is: decided, not made. `xdg_runtime_dir` may be NULL or "". -ENAMETOOLONG. */
int unixsock_dir_for(uid_t euid, const char *xdg_runtime_dir, struct unixsock_dir *ret);

/* Makes the folder where it is missing, and refuses one that another user owns or may write to, and
 * a symbolic link: -EPERM with a sentence. */
int unixsock_make_dir(const struct unixsock_dir *dir, struct error *err);

/* "dir/name.sock". -EINVAL for a name that is empty, hidden or has a slash, -ENAMETOOLONG. */
int unixsock_path(const struct unixsock_dir *dir, const char *name, char ret[UNIXSOCK_PATH_MAX],
                  struct error *err);

/* Listens at `path` (SOCK_STREAM, non-blocking, close-on-exec), which gets `mode`, never more. What
 * a program left there that has ended is replaced; -EADDRINUSE when one answers, -EEXIST when it is
 * something else than a socket. The folder is locked meanwhile, so that two starts do not take
 * each other's socket for a left one. */
int unixsock_listen(const char *path, mode_t mode, int *ret_fd, struct error *err);

/* Blocking, close-on-exec. -ENOENT, -ECONNREFUSED … with a sentence. */
int unixsock_connect(const char *path, int *ret_fd, struct error *err);

/* To be called by the one who listened, at its end; a missing name is no error. */
int unixsock_remove(const char *path);

struct unixsock_name {
    char name[UNIXSOCK_PATH_MAX]; /* without folder and ".sock" */
};

/* The sockets of the folder on which somebody listens, by name; at most `cap`. A folder that is not
 * there has none. *ret_n how many were stored. */
int unixsock_list(const struct unixsock_dir *dir, struct unixsock_name ret[], size_t cap,
                  size_t *ret_n, struct error *err);

struct unixsock_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* The process at the other end, as of its connect (SO_PEERCRED). */
int unixsock_peer(int fd, struct unixsock_peer *ret);

/* Root, and the user that the program was started by. */
bool unixsock_peer_may(const struct unixsock_peer *peer, uid_t owner);
