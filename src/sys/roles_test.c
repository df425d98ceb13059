/* SPDX-License-Identifier: Apache-2.0
 *
 * Roles that live, meet, die and come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "sys/roles_testing.h"

static int on_echo(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    memcpy(reply->data, args, len);
    reply->len = len;
    return 0;
}

static const struct broker_request TABLE[] = {{"echo", on_echo, 0, 100}};

/* -- pace -------------------------------------------------------------------------------------- */

static void pace_grows_and_begins_anew(void **state)
{
    (void)state;
    static const int64_t ms[] = {0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    struct roles_pace p = {0};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(ms); i++) {
            assert_int_equal(roles_pace_ms(&p, i == 0 ? 60000 : 59999), ms[i]);
        }
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(roles_pace_ms(&p, 0), 30000);
    }
    assert_int_equal(roles_pace_ms(&p, INT64_MAX), 0);
}

/* -- meeting ----------------------------------------------------------------------------------- */

static void end_well(int number)
{
    (void)number;
    _exit(0);
}

/* Meets the other role, says a byte, and meets it again when it has gone. */
static int meet(void *ctx, struct broker *b)
{
    const struct place *at = ctx;
    struct shared *sh = at->program->sh;
    struct error err = {""};
    char byte;
    signal(SIGTERM, end_well);
    CHECK(enter_role(at, b) == 0);
    for (;;) {
        int fd = -1;
        CHECK(broker_peer(b, 1 - at->number, &fd, &err) == 0);
        CHECK(send(fd, "x", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE);
        if (recv(fd, &byte, 1, 0) == 1) {
            sh->met[at->number]++;
        }
        while (recv(fd, &byte, 1, 0) > 0) {
        }
        sh->ends[at->number]++;
        close(fd);
    }
}

static void read_status(pid_t pid, char *text, size_t cap)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, cap - 1, f)] = '\0';
    fclose(f);
}

/* The walls of a role are those of an engine, the first time and again. */
static void assert_walls(pid_t pid, const char *name)
{
    char text[8192], path[64], root[256];
    read_status(pid, text, sizeof(text));
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, "Uid:\t65534\t65534\t65534\t65534\n"));
    assert_non_null(strstr(text, "Groups:\t \n"));
    assert_non_null(strstr(text, "CapPrm:\t0000000000000000\n"));
    assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
    assert_non_null(strstr(text, "CapBnd:\t0000000000000000\n"));
    assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(text, "Seccomp:\t2\n"));
    snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
    ssize_t n = readlink(path, root, sizeof(root) - 1);
    assert_true(n > 0);
    root[n] = '\0';
    assert_non_null(strstr(root, "farspan-empty-"));
}

static unsigned count_fds(pid_t pid)
{
    unsigned n = 0;
    char path[64];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
        n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return n;
}

static void roles_meet_again(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "data", meet, TABLE, 1);
    program_role(&p, "control", meet, TABLE, 1);
    program_start(&p);
    struct shared *sh = p.sh;
    AWAIT(sh->met[0] == 1 && sh->met[1] == 1);
    assert_int_equal(sh->ready, 1);
    assert_walls(sh->pid[0], "Name:\tfarspan-data\n");
    assert_walls(sh->pid[1], "Name:\tfarspan-control\n");
    unsigned fds = count_fds(sh->pid[0]), broker_fds = count_fds(p.pid);
    for (int victim = 0; victim < 2; victim++) {
        pid_t before = sh->pid[victim], other = sh->pid[1 - victim];
        int met = sh->met[0], ends = sh->ends[1 - victim];
        kill(before, SIGKILL);
        AWAIT(sh->met[0] == met + 1 && sh->met[1] == met + 1);
        assert_int_not_equal(sh->pid[victim], before);
        assert_int_equal(sh->pid[1 - victim], other); /* it goes on */
        assert_int_equal(sh->ends[1 - victim], ends + 1);
        assert_walls(sh->pid[victim], "Name:\tfarspan-");
        assert_int_equal(sh->n_died, victim + 1);
        assert_true(WIFSIGNALED(sh->died_status[victim]));
        assert_int_equal(sh->again_ms[victim], 0);
        assert_int_equal(count_fds(sh->pid[victim]), fds);
        assert_int_equal(count_fds(p.pid), broker_fds);
    }
    assert_int_equal(sh->ready, 1);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 0);
}

/* A second death in a row is followed by a second of peace. */
static void second_start_waits(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "data", meet, TABLE, 1);
    program_role(&p, "control", meet, TABLE, 1);
    program_start(&p);
    struct shared *sh = p.sh;
    AWAIT(sh->ready == 1);
    for (int i = 0; i < 2; i++) {
        struct mono at = mono_now();
        kill(sh->pid[1], SIGKILL);
        AWAIT(sh->starts[1] == 2 + i);
        assert_int_equal(sh->again_ms[i], i * 1000);
        assert_true(mono_diff(mono_now(), at) >= i * 1000 * NSEC_PER_MSEC);
    }
    assert_int_equal(sh->starts[0], 1);
    /* One that waits for its start does not hold up the end. */
    kill(sh->pid[1], SIGKILL);
    AWAIT(sh->n_died == 3);
    assert_int_equal(sh->again_ms[2], 2000);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 0);
}

static int be_choosy(void *ctx, struct broker *b)
{
    const struct place *at = ctx;
    struct error err = {""};
    int first = -1, second = -1;
    char byte;
    signal(SIGINT, end_well);
    CHECK(enter_role(at, b) == 0);
    CHECK(broker_peer(b, 0, &first, &err) == -EINVAL);
    CHECK(strcmp(err.text, "the only role has no peer 0") == 0);
    CHECK(broker_peer(b, 2, &first, &err) == -EINVAL);
    CHECK(broker_peer(b, UINT32_MAX, &first, &err) == -EINVAL && first == -1);
    CHECK(broker_call(b, BROKER_PEER, "x", 1, NULL, NULL, NULL, &err) == -EINVAL);
    CHECK(broker_call(b, BROKER_READY, "x", 1, NULL, NULL, NULL, &err) == -EINVAL);
    CHECK(broker_peer(b, 1, &first, &err) == 0 && fcntl(first, F_GETFD) == FD_CLOEXEC);
    /* The end that still waits is taken back, and the other sees it. */
    CHECK(recv(first, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(broker_peer(b, 1, &second, &err) == 0);
    CHECK(recv(first, &byte, 1, MSG_DONTWAIT) == 0);
    CHECK(recv(second, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    at->program->sh->step = 1;
    while (poll(NULL, 0, -1) < 0) {
    }
    return 1;
}

static int wait_for_term(void *ctx, struct broker *b)
{
    signal(SIGTERM, end_well);
    signal(SIGINT, end_well);
    CHECK(enter_role(ctx, b) == 0);
    while (poll(NULL, 0, -1) < 0) {
    }
    return 1;
}

static void peers_are_checked(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "only", be_choosy, TABLE, 1);
    program_role(&p, "other", wait_for_term, TABLE, 1);
    program_start(&p);
    AWAIT((p.sh->step == 1 && p.sh->ready == 1) || p.sh->n_died > 0);
    assert_int_equal(p.sh->n_died, 0);
    kill(p.pid, SIGINT);
    assert_int_equal(program_end(&p), 0);
}

static void await_step(const struct shared *sh, int step)
{
    while (sh->step < step) {
        poll(NULL, 0, 1);
    }
}

/* Asks for the other and dies before that has asked; its next process asks when it is told to. */
static int ask_and_die(void *ctx, struct broker *b)
{
    const struct place *at = ctx;
    struct shared *sh = at->program->sh;
    struct error err = {""};
    int fd = -1;
    signal(SIGTERM, end_well);
    CHECK(enter_role(at, b) == 0);
    if (sh->starts[0] > 1) {
        await_step(sh, 2);
    }
    CHECK(broker_peer(b, 1, &fd, &err) == 0 && send(fd, "2", 1, MSG_NOSIGNAL) == 1);
    if (sh->starts[0] == 1) {
        sh->step = 1;
    }
    while (poll(NULL, 0, -1) < 0) {
    }
    return 1;
}

/* Meets the second process and sees nothing of the first. */
static int meet_the_second(void *ctx, struct broker *b)
{
    const struct place *at = ctx;
    struct shared *sh = at->program->sh;
    struct error err = {""};
    char byte;
    int fd = -1;
    signal(SIGTERM, end_well);
    CHECK(enter_role(at, b) == 0);
    while (sh->starts[0] < 2) {
        poll(NULL, 0, 1);
    }
    CHECK(broker_peer(b, 0, &fd, &err) == 0);
    CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    sh->step = 2;
    CHECK(recv(fd, &byte, 1, 0) == 1 && byte == '2');
    sh->step = 3;
    while (poll(NULL, 0, -1) < 0) {
    }
    return 1;
}

static void pair_of_the_dead_is_not_handed_out(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "early", ask_and_die, TABLE, 1);
    program_role(&p, "late", meet_the_second, TABLE, 1);
    program_start(&p);
    AWAIT(p.sh->step == 1 && p.sh->ready == 1);
    kill(p.sh->pid[0], SIGKILL);
    AWAIT(p.sh->step == 3 || p.sh->n_died > 1);
    assert_int_equal(p.sh->n_died, 1);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 0);
}

/* -- the end ----------------------------------------------------------------------------------- */

static int fail_7(void *ctx, struct broker *b)
{
    (void)ctx, (void)b;
    return 7;
}

static int crash_at_once(void *ctx, struct broker *b)
{
    (void)ctx, (void)b;
    raise(SIGKILL);
    return 0;
}

static void failing_first_start_ends_the_program(void **state)
{
    (void)state;
    static int (*const what[])(void *, struct broker *) = {fail_7, crash_at_once};
    static const int status[] = {7, 128 + SIGKILL};
    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        struct program p;
        program_init(&p);
        program_role(&p, "data", wait_for_term, TABLE, 1);
        program_role(&p, "control", what[i], TABLE, 1);
        program_start(&p);
        struct shared sh;
        int s = -1;
        assert_int_equal(waitpid(p.pid, &s, 0), p.pid);
        memcpy(&sh, p.sh, sizeof(sh));
        assert_int_equal(WEXITSTATUS(s), status[i]);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_true(sh.n_died >= 1 && sh.again_ms[0] == -1);
        assert_int_equal(sh.ended, 1);
        assert_int_equal(sh.ready, 0);
        munmap(p.sh, sizeof(*p.sh));
    }
}

static void end_with_40(int number)
{
    _exit(40 + number);
}

static int end_badly(void *ctx, struct broker *b)
{
    signal(SIGTERM, end_with_40);
    CHECK(enter_role(ctx, b) == 0);
    while (poll(NULL, 0, -1) < 0) {
    }
    return 1;
}

static void status_is_the_first_bad_one(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "a", wait_for_term, TABLE, 1);
    program_role(&p, "b", end_badly, TABLE, 1);
    program_role(&p, "c", wait_for_term, TABLE, 1);
    program_start(&p);
    AWAIT(p.sh->ready == 1);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 40 + SIGTERM);
}

static volatile sig_atomic_t hups; /* in a role */

static void on_hup(int number)
{
    (void)number;
    hups++;
}

static int count_hups(void *ctx, struct broker *b)
{
    const struct place *at = ctx;
    signal(SIGTERM, end_well);
    signal(SIGHUP, on_hup);
    CHECK(enter_role(at, b) == 0);
    while (poll(NULL, 0, 10) <= 0) {
        at->program->sh->signals[at->number] = hups;
    }
    return 1;
}

static void hup_is_passed_on(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "a", count_hups, TABLE, 1);
    program_role(&p, "b", count_hups, TABLE, 1);
    program_start(&p);
    AWAIT(p.sh->ready == 1);
    kill(p.pid, SIGHUP);
    AWAIT(p.sh->signals[0] == 1 && p.sh->signals[1] == 1);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 0);
}

/* The first one is kept from them. */
static bool pass_on_later(void *owner)
{
    return ++((struct shared *)owner)->step > 1;
}

static void hup_is_looked_at_before(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "a", count_hups, TABLE, 1);
    p.conf.hangup = pass_on_later;
    program_start(&p);
    AWAIT(p.sh->ready == 1);
    kill(p.pid, SIGHUP);
    AWAIT(p.sh->step == 1);
    assert_int_equal(p.sh->signals[0], 0);
    kill(p.pid, SIGHUP);
    AWAIT(p.sh->signals[0] == 1);
    assert_int_equal(p.sh->step, 2);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 0);
}

/* A broker that is killed takes its roles along. */
static void roles_end_with_the_broker(void **state)
{
    (void)state;
    struct program p;
    int status = 0;
    program_init(&p);
    program_role(&p, "a", wait_for_term, TABLE, 1);
    program_role(&p, "b", wait_for_term, TABLE, 1);
    program_start(&p);
    AWAIT(p.sh->ready == 1);
    kill(p.pid, SIGKILL);
    assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
    for (int i = 0; i < 2; i++) {
        assert_true(waitpid(p.sh->pid[i], &status, 0) == p.sh->pid[i]);
        assert_int_equal(status, 0);
    }
    munmap(p.sh, sizeof(*p.sh));
}

static void bad_configurations(void **state)
{
    (void)state;
    struct error err = {""};
    const struct broker_request wrong[] = {{"x", on_echo, 2, 1}};
    struct role roles[ROLES_MAX + 1] = {{.name = "a", .requests = wrong, .n_requests = 1}};
    struct roles_conf conf = {.roles = roles, .n = ROLES_MAX + 1};
    assert_int_equal(roles_run(&conf, &err), -EINVAL);
    conf.n = 0;
    assert_int_equal(roles_run(&conf, &err), -EINVAL);
    conf.n = 1;
    assert_int_equal(roles_run(&conf, &err), -EINVAL);
    roles[0].run = fail_7;
    assert_int_equal(roles_run(&conf, &err), -EINVAL);
    assert_string_equal(err.text, "the a role: request 0 of the broker's table is wrong");
    roles[0].n_requests = 0;
    conf.user = "no-such-user";
    assert_int_equal(roles_run(&conf, &err), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_grows_and_begins_anew),
        cmocka_unit_test(bad_configurations),
        cmocka_unit_test(roles_meet_again),
        cmocka_unit_test(second_start_waits),
        cmocka_unit_test(peers_are_checked),
        cmocka_unit_test(pair_of_the_dead_is_not_handed_out),
        cmocka_unit_test(failing_first_start_ends_the_program),
        cmocka_unit_test(status_is_the_first_bad_one),
        cmocka_unit_test(hup_is_passed_on),
        cmocka_unit_test(hup_is_looked_at_before),
        cmocka_unit_test(roles_end_with_the_broker),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
