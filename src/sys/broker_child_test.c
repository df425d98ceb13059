/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that children of the broker carry out, and asking without waiting, in a whole program of
 * one or two roles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "sys/broker_server.h"
#include "sys/roles_testing.h"

enum request {
    ECHO,
    ECHO_CHILD,
    HANG,
    SPIN,
    CRASH,
    SILENT,
    LYING,
    GREEDY,
    WALLS,
    PROGRAM,
    FORGE,
    REFUSE,
    REQUESTS,
};

enum {
    NOBODY = 65534,
};

static int on_echo(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    memcpy(reply->data, args, len);
    reply->len = len;
    return 0;
}

static int hang(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct shared *sh = ctx;
    (void)args, (void)len, (void)reply;
    sh->signals[0]++;
    while (poll(NULL, 0, -1) < 0) {
    }
    return 0;
}

static int spin(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len, (void)reply;
    volatile bool on = true;
    while (on) {
    }
    return 0;
}

static int crash(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len, (void)reply;
    raise(SIGKILL);
    return 0;
}

static int be_silent(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len, (void)reply;
    _exit(0);
}

static int lie(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len, (void)reply;
    return 5;
}

static int be_greedy(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    void *p = malloc((size_t)BROKER_CHILD_BYTES);
    free(p);
    return p ? 0 : error_sys(&reply->err, errno, "no memory for the filter");
}

static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* The first thing that a child has and should not have, or 0. */
static int walls(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct rlimit r;
    (void)ctx, (void)args, (void)len;
    reply->len = 1;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    reply->data[0] = geteuid() != NOBODY || getegid() != NOBODY           ? 1
                     : setresuid(0, 0, 0) == 0                            ? 2
                     : open_fds() > 4                                     ? 3
                     : socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 ? 4
                     : pid >= 0                                           ? 5
                     : getrlimit(RLIMIT_CPU, &r) < 0 || r.rlim_cur != 2   ? 6
                     : prctl(PR_GET_SECCOMP) != 2                         ? 7
                     : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1        ? 8
                     : open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0     ? 9
                     : open("/proc/self/mem", O_RDWR | O_CLOEXEC) >= 0    ? 10
                                                                          : 0;
    return 0;
}

/* A compiled filter of 4096 instructions, in memory that nobody can change any more. */
static int give_program(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    char bytes[4096 * 8];
    (void)ctx, (void)args, (void)len;
    memset(bytes, 'p', sizeof(bytes));
    reply->fd = memfd_create("filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (reply->fd < 0 || write(reply->fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes)) {
        return -errno;
    }
    return fcntl(reply->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0 ? -errno
                                                                                         : 0;
}

/* A child in an attacker's hands sends answers of its own to whatever it has. */
static int forge(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    uint8_t buf[BROKER_REPLY_MAX];
    (void)ctx, (void)args, (void)len, (void)reply;
    for (uint32_t seq = 0; seq < 64; seq++) {
        const struct broker_msg_reply m = {.seq = 1000 + seq};
        int n = broker_msg_put_reply(buf, sizeof(buf), &m);
        for (int fd = 3; fd < 16; fd++) {
            _unused_ ssize_t sent = send(fd, buf, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
    _exit(0);
}

static int refuse(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    reply->fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* must not come along */
    return error_set(&reply->err, EINVAL, "syntax error in filter");
}

static const struct broker_request TABLE[REQUESTS] = {
    [ECHO] = {"echo", on_echo, 0, 100},
    [ECHO_CHILD] = {"echo", .args_max = BROKER_ARGS_MAX, .child = on_echo},
    [HANG] = {"hang", .child = hang},
    [SPIN] = {"spin", .child = spin},
    [CRASH] = {"crash", .child = crash},
    [SILENT] = {"be silent", .child = be_silent},
    [LYING] = {"lie", .child = lie},
    [GREEDY] = {"be greedy", .child = be_greedy},
    [WALLS] = {"look around", .child = walls},
    [PROGRAM] = {"compile", .child = give_program},
    [FORGE] = {"forge", .child = forge},
    [REFUSE] = {"refuse", .child = refuse},
};

/* -- in the role ------------------------------------------------------------------------------- */

/* Answers as they come. */
struct heard {
    unsigned n;
    int result;
    size_t len;
    int fd;
    uint8_t data[BROKER_DATA_MAX];
    struct error err;
};

static void on_answer(void *user, int result, const uint8_t *data, size_t len, int fd,
                      const struct error *err)
{
    struct heard *h = user;
    h->n++;
    h->result = result;
    h->len = len;
    h->fd = fd;
    h->err = *err;
    if (len > 0) {
        memcpy(h->data, data, len);
    }
}

/* Waits until so many answers have come, as a loop would. */
static int hear(struct broker *b, const struct heard *h, unsigned n)
{
    struct mono until = mono_add_ms(mono_now(), PATIENCE_MS);
    while (h->n < n && !mono_due(mono_now(), until)) {
        struct pollfd p = {broker_fd(b), POLLIN, 0};
        int64_t ms = broker_due(b).ns == 1 ? 0 : 100;
        if (poll(&p, 1, (int)ms) < 0 || broker_answers(b) < 0) {
            return -1;
        }
    }
    return h->n == n ? 0 : -1;
}

static int enter_asker(void *ctx, struct broker *b)
{
    signal(SIGTERM, SIG_DFL);
    return enter_role(ctx, b);
}

/* It did what it was to do, and waits for its end. */
static int finish(void *ctx)
{
    const struct place *at = ctx;
    at->program->sh->step = 100;
    while (poll(NULL, 0, -1) < 0) {
    }
    return 0;
}

static int do_ask(void *ctx, struct broker *b)
{
    struct heard first = {.n = 0}, second = {.n = 0}, gone = {.n = 0};
    struct error err = {""};
    uint8_t data[8];
    size_t len = sizeof(data);
    CHECK(enter_asker(ctx, b) == 0);
    CHECK(broker_due(b).ns == 0);
    CHECK(broker_ask(b, ECHO, "first", 5, on_answer, &first, &err) == 0);
    CHECK(broker_ask(b, ECHO, "gone", 4, on_answer, &gone, &err) == 0);
    CHECK(broker_ask(b, ECHO, "second", 6, on_answer, &second, &err) == 0);
    broker_forget(b, &gone);
    int64_t left = mono_diff(broker_due(b), mono_now());
    CHECK(left > 5 * NSEC_PER_SEC && left <= 10 * NSEC_PER_SEC);
    /* The call's answer is behind theirs, which are kept. */
    CHECK(broker_call(b, ECHO, "call", 4, data, &len, NULL, &err) == 0);
    CHECK(len == 4 && memcmp(data, "call", 4) == 0 && first.n == 0);
    CHECK(broker_due(b).ns == 1);
    CHECK(broker_answers(b) == 0);
    CHECK(first.n == 1 && first.result == 0 && first.len == 5 && first.fd == -1);
    CHECK(memcmp(first.data, "first", 5) == 0 && memcmp(second.data, "second", 6) == 0);
    CHECK(gone.n == 0 && broker_due(b).ns == 0);
    CHECK(broker_ask(b, REQUESTS, NULL, 0, on_answer, &first, &err) == 0);
    CHECK(hear(b, &first, 2) == 0 && first.result == -EOPNOTSUPP);
    CHECK(strcmp(first.err.text, "the broker refused request 12: there is no such request") == 0);
    CHECK(broker_ask(b, ECHO, data, BROKER_ARGS_MAX + 1, on_answer, &first, &err) == -EMSGSIZE);
    for (int i = 0; i < BROKER_ASKS_MAX; i++) {
        CHECK(broker_ask(b, ECHO, "x", 1, on_answer, &second, &err) == 0);
    }
    CHECK(broker_ask(b, ECHO, "x", 1, on_answer, &second, &err) == -EAGAIN);
    CHECK(hear(b, &second, 1 + BROKER_ASKS_MAX) == 0);
    return finish(ctx);
}

static int do_children(void *ctx, struct broker *b)
{
    static const struct {
        enum request request;
        int result;
        const char *sentence;
    } cases[] = {
        {CRASH, -EIO, "cannot crash: its process was ended by signal 9"},
        {SILENT, -EIO, "cannot be silent: its process gave no answer"},
        {LYING, -EIO, "cannot lie: the broker's answer is wrong"},
        {FORGE, -EIO, "cannot forge: its process gave no answer"},
        {REFUSE, -EINVAL, "syntax error in filter"},
        {GREEDY, -ENOMEM, "no memory for the filter: Cannot allocate memory"},
    };
    static const char args[BROKER_ARGS_MAX];
    struct error err = {""};
    uint8_t data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    int fd = -1;
    CHECK(enter_asker(ctx, b) == 0);
    CHECK(broker_call(b, ECHO_CHILD, "hello", 5, data, &len, NULL, &err) == 0);
    CHECK(len == 5 && memcmp(data, "hello", 5) == 0);
    len = sizeof(data);
    CHECK(broker_call(b, ECHO_CHILD, args, sizeof(data), data, &len, NULL, &err) == 0);
    CHECK(len == sizeof(data));
    for (size_t i = 0; i < ARRAY_SIZE(cases) - (SANDBOX_LENIENT ? 1 : 0); i++) {
        len = sizeof(data);
        CHECK(broker_call(b, cases[i].request, NULL, 0, data, &len, &fd, &err) == cases[i].result);
        CHECK(strcmp(err.text, cases[i].sentence) == 0);
        CHECK(fd == -1);
    }
    len = sizeof(data);
    CHECK(broker_call(b, WALLS, NULL, 0, data, &len, NULL, &err) == 0);
    CHECK(len == 1);
    if (data[0] != 0) {
        fprintf(stderr, "a child has what it should not have: case %d\n", data[0]);
        return 1;
    }
    CHECK(broker_call(b, PROGRAM, NULL, 0, NULL, NULL, &fd, &err) == 0);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(lseek(fd, 0, SEEK_END) == 32768);
    CHECK(write(fd, "x", 1) == -1 && errno == EPERM); /* sealed */
    void *p = mmap(NULL, 32768, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && ((char *)p)[32767] == 'p');
    return finish(ctx);
}

/* Other requests are answered while a child hangs, and it is killed at its deadline. */
static int do_hang(void *ctx, struct broker *b)
{
    struct heard h = {.n = 0}, spun = {.n = 0};
    struct error err = {""};
    struct mono start = mono_now();
    unsigned calls = 0;
    CHECK(enter_asker(ctx, b) == 0);
    CHECK(broker_ask(b, HANG, NULL, 0, on_answer, &h, &err) == 0);
    CHECK(broker_ask(b, SPIN, NULL, 0, on_answer, &spun, &err) == 0);
    while ((h.n == 0 || spun.n == 0) && mono_diff(mono_now(), start) < 15 * NSEC_PER_SEC) {
        uint8_t data[8];
        size_t len = sizeof(data);
        struct mono before = mono_now();
        CHECK(broker_call(b, ECHO, "x", 1, data, &len, NULL, &err) == 0);
        CHECK(mono_diff(mono_now(), before) < NSEC_PER_SEC);
        CHECK(broker_answers(b) == 0);
        calls++;
        poll(NULL, 0, 5);
    }
    CHECK(calls > 10);
    CHECK(h.n == 1 && h.result == -ETIMEDOUT);
    CHECK(strcmp(h.err.text, "cannot hang: it took longer than 2 s") == 0);
    CHECK(spun.n == 1 && spun.result == -ETIMEDOUT);
    CHECK(mono_diff(mono_now(), start) >= 2 * NSEC_PER_SEC - 50 * NSEC_PER_MSEC);
    return finish(ctx);
}

static int do_many(void *ctx, struct broker *b)
{
    struct heard hung = {.n = 0}, more = {.n = 0};
    struct error err = {""};
    CHECK(enter_asker(ctx, b) == 0);
    for (int i = 0; i < BROKER_CHILDREN; i++) {
        CHECK(broker_ask(b, HANG, NULL, 0, on_answer, &hung, &err) == 0);
    }
    CHECK(broker_ask(b, ECHO_CHILD, "x", 1, on_answer, &more, &err) == 0);
    CHECK(hear(b, &more, 1) == 0 && hung.n == 0);
    CHECK(more.result == -EAGAIN);
    CHECK(strcmp(more.err.text, "cannot echo: the broker is busy with 8 of these") == 0);
    CHECK(hear(b, &hung, BROKER_CHILDREN) == 0 && hung.result == -ETIMEDOUT);
    CHECK(broker_ask(b, ECHO_CHILD, "x", 1, on_answer, &more, &err) == 0);
    CHECK(hear(b, &more, 2) == 0 && more.result == 0); /* there is room again */
    return finish(ctx);
}

/* Dies the first time while its children hang; the next process is not told of them. */
static int do_leave(void *ctx, struct broker *b)
{
    const struct place *at = ctx;
    struct shared *sh = at->program->sh;
    struct heard h = {.n = 0}, late = {.n = 0};
    struct error err = {""};
    CHECK(enter_asker(ctx, b) == 0);
    if (sh->starts[at->number] == 1) {
        for (int i = 0; i < BROKER_CHILDREN; i++) {
            CHECK(broker_ask(b, HANG, NULL, 0, on_answer, &late, &err) == 0);
        }
        return finish(ctx);
    }
    /* As many as before, where the others have not been reaped yet: until there is room. */
    do {
        unsigned n = h.n;
        CHECK(broker_ask(b, ECHO_CHILD, "x", 1, on_answer, &h, &err) == 0);
        CHECK(hear(b, &h, n + 1) == 0 && (h.result == 0 || h.result == -EAGAIN));
    } while (h.result != 0);
    return finish(ctx);
}

/* The program of one such role, and that it did what it was to do. */
static void run(int (*what)(void *ctx, struct broker *b))
{
    struct program p;
    program_init(&p);
    program_role(&p, "asker", what, TABLE, REQUESTS);
    program_start(&p);
    AWAIT(p.sh->step == 100 || p.sh->n_died > 0);
    assert_int_equal(p.sh->n_died, 0);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 128 + SIGTERM);
}

static void asks_do_not_wait(void **state)
{
    (void)state;
    run(do_ask);
}

static void children_answer_or_fail(void **state)
{
    (void)state;
    run(do_children);
}

static void hanging_child_is_killed(void **state)
{
    (void)state;
    run(do_hang);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    run(do_many);
}

static void children_end_with_their_role(void **state)
{
    (void)state;
    struct program p;
    program_init(&p);
    program_role(&p, "asker", do_leave, TABLE, REQUESTS);
    program_start(&p);
    AWAIT(p.sh->step == 100 && p.sh->signals[0] > 0); /* a child hangs */
    p.sh->step = 0;
    kill(p.sh->pid[0], SIGKILL);
    AWAIT(p.sh->step == 100 && p.sh->starts[0] == 2);
    kill(p.pid, SIGTERM);
    assert_int_equal(program_end(&p), 128 + SIGTERM);
}

/* The next process of a role has another socket, and its own numbers of requests. */
static void next_process_is_told_nothing(void **state)
{
    (void)state;
    static struct broker_server s;
    uint8_t buf[BROKER_REQUEST_MAX];
    const struct broker_msg_request q = {.seq = 7, .number = HANG};
    int first[2], second[2];
    struct shared sh = {.step = 0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, first), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, second), 0);
    s = (struct broker_server){
        .sock = first[0], .requests = TABLE, .n_requests = REQUESTS, .ctx = &sh};
    int n = broker_msg_put_request(buf, sizeof(buf), &q);
    assert_int_equal(send(first[1], buf, (size_t)n, 0), n);
    assert_int_equal(broker_server_one(&s), 0);
    assert_true(s.children[0].pid > 0);
    broker_server_close(&s);
    assert_int_equal(recv(first[1], buf, sizeof(buf), 0), 0);
    s.sock = second[0];
    AWAIT((broker_server_reap(&s), s.children[0].pid == 0));
    assert_int_equal(recv(second[1], buf, sizeof(buf), MSG_DONTWAIT), -1);
    broker_server_done(&s);
    close(first[1]);
    close(second[1]);
}

/* One engine, without roles: sys/broker.h. */
static void engine_has_children_too(void **state)
{
    (void)state;
    static const int caps[] = {CAP_SETGID, CAP_SETUID};
    struct shared sh = {.step = 0};
    const struct broker_conf conf = {.requests = TABLE,
                                     .n_requests = REQUESTS,
                                     .ctx = &sh,
                                     .caps = caps,
                                     .n_caps = ARRAY_SIZE(caps),
                                     .user = "nobody"};
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct broker *b = NULL;
        struct sandbox_conf wall;
        struct error err = {""};
        uint8_t data[8];
        size_t len = sizeof(data);
        if (broker_start(&conf, &b, &err) < 0) {
            _exit(98);
        }
        broker_sandbox(b, &wall);
        if (sandbox_enter(&wall, &err) < 0 || broker_ready(b, &err) < 0) {
            _exit(97);
        }
        int fd = -1;
        int none = broker_peer(b, 0, &fd, &err);
        int r = broker_call(b, WALLS, NULL, 0, data, &len, NULL, &err);
        int crashed = broker_call(b, CRASH, NULL, 0, NULL, NULL, NULL, &err);
        broker_ask(b, HANG, NULL, 0, NULL, NULL, &err); /* the broker's end kills it */
        _exit(none != -EOPNOTSUPP ? 1 : r != 0 ? 2 : data[0] != 0 ? 3 : crashed != -EIO ? 4 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_do_not_wait),
        cmocka_unit_test(children_answer_or_fail),
        cmocka_unit_test(hanging_child_is_killed),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(children_end_with_their_role),
        cmocka_unit_test(next_process_is_told_nothing),
        cmocka_unit_test(engine_has_children_too),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
