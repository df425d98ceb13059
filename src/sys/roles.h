/* SPDX-License-Identifier: Apache-2.0
 *
 * Several engines under one broker (sys/broker.h). Each is a role: an unprivileged process with a
 * closed table of requests of its own, and walls of its own. The broker forks them, answers them,
 * and starts one that died again while the others go on: at once, then after 1, 2, 4 … 30 s. A role
 * that has run for a minute begins with "at once" again.
 *
 * Two roles talk over a socket pair (SOCK_SEQPACKET) that the broker makes and hands out and never
 * reads (broker_peer). When one of them dies, the other sees the end of that pair and asks for
 * another; it meets the new process there.
 */
#pragma once

#include "sys/broker.h"

enum {
    ROLES_MAX = 4,
};

struct role {
    const char *name; /* "data": the process is "farspan-data", and sentences say "the data role" */
    const struct broker_request *requests;
    size_t n_requests;
    void *grants; /* the requests' ctx */
    /* In the new process, which has the broker's privileges, each time the same, and calls
     * sandbox_enter (with what broker_sandbox gives) once it has what it needs. Returns the exit
     * status. It says that it stands by broker_ready(); one that ends before that, the first time,
     * ends the program. Signals that the caller of roles_run held (loop_hold_signals) are held. */
    int (*run)(void *ctx, struct broker *b);
    void *ctx;
};

struct roles_conf {
    const struct role *roles; /* a role's number is its place */
    size_t n;
    /* CAP_… that the broker keeps besides CAP_KILL, _SETUID, _SETGID, _SYS_CHROOT and _SETPCAP. */
    const int *caps;
    size_t n_caps;
    const char *user; /* as of struct broker_conf */
    /* In the broker: once every role stands for the first time; a role has died with that status
     * (as from waitpid), and `again_ms` is when it starts again, -1: not, as the program ends (then
     * only with a status other than 0); and at the end, to remove what only the broker can. May be
     * NULL. */
    void (*ready)(void *owner);
    void (*died)(void *owner, const struct role *role, int status, int64_t again_ms);
    void (*at_end)(void *owner);
    /* In the broker: a program has sent SIGHUP. Is it passed on to the roles? NULL: it is. */
    bool (*hangup)(void *owner);
    void *owner;
};

/* Becomes the broker, and serves until SIGINT or SIGTERM has ended every role; SIGHUP is passed on.
 * A role that has not ended 30 s later is killed. Returns the program's exit status: 0 where all
 * roles ended with 0, else the first other one, that of a signal being 128 + its number. -errno
 * with a sentence where it could not begin. The process stays confined, with these signals blocked;
 * no child of it is left. `conf` must live as long as the process. Call it before any thread is
 * made. */
int roles_run(const struct roles_conf *conf, struct error *err);

/* ---- public for the tests ---- */

/* How often a role has died of late; {0} at first. */
struct roles_pace {
    unsigned deaths;
};
/* It has died after so long: in how many milliseconds it starts again. */
int64_t roles_pace_ms(struct roles_pace *p, int64_t ran_ms);
