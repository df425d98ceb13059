/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of sys/sandbox.h, sandbox_test.c and sandbox_walls_test.c: a child enters the
 * sandbox, and says how a forbidden thing ended.
 */
#pragma once

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sandbox.h"
#include "sys/sandbox_filter.h"

enum {
    NOBODY = 65534,
    DID_IT = 10,  /* the forbidden thing worked */
    REFUSED = 11, /* it failed with EPERM */
    OTHER = 12,   /* it failed in another way */
    NO_ENTRY = 13,
};

enum mode {
    AS_ROOT,
    AS_USER,
    MODES,
};

static inline void enter_as(enum mode mode, struct sandbox_conf conf)
{
    struct error err = {""};
    conf.parent = getppid();
    gid_t some[] = {1, 2};
    if (mode == AS_ROOT) {
        conf.change_ids = true;
        conf.uid = conf.gid = NOBODY;
        if (setgroups(2, some) < 0) {
            _exit(NO_ENTRY);
        }
    } else if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
               setresuid(NOBODY, NOBODY, NOBODY) < 0) {
        _exit(NO_ENTRY);
    }
    if (sandbox_enter(&conf, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(NO_ENTRY);
    }
}

static inline void enter_with(enum mode mode, enum sandbox_sends sends)
{
    enter_as(mode, (struct sandbox_conf){.sends = sends});
}

static inline void enter(enum mode mode)
{
    enter_with(mode, SANDBOX_SENDS_ANYWHERE);
}

/* The result of a system call as a status of the child: a forbidden call must not succeed. */
static inline int said(long r)
{
    return r >= 0 ? DID_IT : errno == EPERM ? REFUSED : OTHER;
}

static inline bool stopped(int status)
{
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    return killed || (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED);
}
