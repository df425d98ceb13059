/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of sys/roles.h: a whole program each time, whose broker is a child of the test, and
 * memory that all of its processes share. Orphans become the test's, so that it sees any.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/roles.h"
#include "sys/sandbox_filter.h"

enum {
    DEATHS = 8,
    PATIENCE_MS = 20000,
};

/* Written by one process each, read by others. */
struct shared {
    volatile pid_t pid[ROLES_MAX];
    volatile int starts[ROLES_MAX], met[ROLES_MAX], ends[ROLES_MAX], signals[ROLES_MAX];
    volatile int n_died, died_status[DEATHS];
    volatile int64_t again_ms[DEATHS];
    volatile int ready, ended, step;
};

struct program {
    struct shared *sh;
    struct role roles[ROLES_MAX];
    struct roles_conf conf;
    struct place {
        struct program *program;
        unsigned number;
    } place[ROLES_MAX];
    pid_t pid;
};

static inline void on_ready(void *owner)
{
    ((struct shared *)owner)->ready++;
}

static inline void on_died(void *owner, const struct role *role, int status, int64_t again_ms)
{
    struct shared *sh = owner;
    (void)role;
    if (sh->n_died < DEATHS) {
        sh->died_status[sh->n_died] = status;
        sh->again_ms[sh->n_died] = again_ms;
        sh->n_died++;
    }
}

static inline void on_end(void *owner)
{
    ((struct shared *)owner)->ended++;
}

/* A role's context is a struct place. */
static inline void program_init(struct program *p)
{
    *p = (struct program){.pid = -1};
    p->sh = mmap(NULL, sizeof(*p->sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p->sh, MAP_FAILED);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    p->conf = (struct roles_conf){.roles = p->roles,
                                  .user = "nobody",
                                  .ready = on_ready,
                                  .died = on_died,
                                  .at_end = on_end,
                                  .owner = p->sh};
}

static inline void program_role(struct program *p, const char *name,
                                int (*run)(void *ctx, struct broker *b),
                                const struct broker_request *requests, size_t n)
{
    size_t at = p->conf.n++;
    p->place[at].program = p;
    p->place[at].number = (unsigned)at;
    p->roles[at] = (struct role){.name = name,
                                 .requests = requests,
                                 .n_requests = n,
                                 .grants = p->sh,
                                 .run = run,
                                 .ctx = &p->place[at]};
}

static inline void program_start(struct program *p)
{
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails leaves nothing behind */
        struct error err = {""};
        int r = roles_run(&p->conf, &err);
        if (r < 0) {
            fprintf(stderr, "%s\n", err.text);
        }
        _exit(r < 0 ? 99 : r);
    }
}

/* Waits for the program's end, and that nothing is left of it: its exit status. */
static inline int program_end(struct program *p)
{
    int status = -1;
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_true(WIFEXITED(status));
    assert_int_equal(p->sh->ended, 1);
    munmap(p->sh, sizeof(*p->sh));
    return WEXITSTATUS(status);
}

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        struct mono until_ = mono_add_ms(mono_now(), PATIENCE_MS);                                 \
        while (!(condition)) {                                                                     \
            assert_false(mono_due(mono_now(), until_));                                            \
            poll(NULL, 0, 1);                                                                      \
        }                                                                                          \
    } while (0)

/* In a role a failed check is said, and ends the role. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* In a role: behind its walls, and it says that it stands. */
static inline int enter_role(const struct place *at, struct broker *b)
{
    struct sandbox_conf wall;
    struct error err = {""};
    broker_sandbox(b, &wall);
    if (sandbox_enter(&wall, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    struct shared *sh = at->program->sh;
    sh->pid[at->number] = getpid();
    sh->starts[at->number]++;
    return broker_ready(b, &err);
}
