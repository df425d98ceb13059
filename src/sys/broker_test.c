/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole program each time: a child splits itself into broker and engine, the engine does what the
 * case wants behind its wall, and what the broker ends with says how it went.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/broker.h"
#include "sys/sandbox_filter.h"

enum {
    NOBODY = 65534,

};

enum request {
    ANY, /* the first: what a message is taken for that says nothing */
    ECHO,
    RING,
    FILE_FD,
    FAILING,
    RUN,
    SLOW,
    LYING,
    LEAVE_FD,
    REQUESTS,
};

/* Shared by all processes of a test. */
struct shared {
    volatile pid_t broker, engine;
    volatile int ended, status, last_fd;
};

static int on_echo(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    memcpy(reply->data, args, len);
    reply->len = len;
    return 0;
}

static int on_any(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len, (void)reply;
    return 0;
}

static int on_ring(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    reply->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    return reply->fd < 0 ? error_sys(&reply->err, errno, "cannot capture; run it as root") : 0;
}

static int on_file(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    reply->fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    return reply->fd < 0 ? -errno : 0;
}

static int on_failing(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    reply->fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* must not come along */
    reply->len = 3;
    return -ENODEV;
}

static int on_run(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    char *argv[] = {NULL};
    execve("/bin/true", argv, argv);
    return error_sys(&reply->err, errno, "cannot run");
}

/* Answers only when its pipe (the context) says so: the caller has given up by then. */
static int on_slow(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len;
    reply->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    poll(NULL, 0, 200);
    return 0;
}

static int on_lying(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx, (void)args, (void)len, (void)reply;
    return 5;
}

/* The lowest free descriptor: grows when the broker keeps copies of what it hands over. */
static int on_leave(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct shared *sh = ctx;
    (void)args, (void)len;
    reply->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sh->last_fd = reply->fd;
    return 0;
}

static void at_end(void *owner, int status)
{
    struct shared *sh = owner;
    sh->status = status;
    sh->ended = 1;
}

static const struct broker_request TABLE[REQUESTS] = {
    [ANY] = {"take anything", on_any, 0, BROKER_ARGS_MAX},
    [ECHO] = {"echo", on_echo, 1, 100},
    [RING] = {"open the ring", on_ring, 0, 0},
    [FILE_FD] = {"open the file", on_file, 0, 0},
    [FAILING] = {"find the device", on_failing, 0, 0},
    [RUN] = {"run a program", on_run, 0, 0},
    [SLOW] = {"wait", on_slow, 0, 0},
    [LYING] = {"answer", on_lying, 0, 0},
    [LEAVE_FD] = {"open", on_leave, 0, 0},
};

static const int CAPS[] = {CAP_NET_RAW};

struct test {
    struct shared *sh;
    struct broker_conf conf;
    bool as_user;
    pid_t pid;
};

static void test_init(struct test *t)
{
    *t = (struct test){.conf = {.requests = TABLE,
                                .n_requests = REQUESTS,
                                .caps = CAPS,
                                .n_caps = ARRAY_SIZE(CAPS),
                                .user = "nobody",
                                .at_end = at_end}};
    t->sh = mmap(NULL, sizeof(*t->sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(t->sh, MAP_FAILED);
    t->conf.ctx = t->conf.owner = t->sh;
}

static void test_done(struct test *t)
{
    munmap(t->sh, sizeof(*t->sh));
}

static void be_user(void)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0) {
        _exit(99);
    }
}

/* Starts the program; its engine runs `what` behind the wall and exits with its result. */
static void start(struct test *t, int (*what)(struct broker *b, struct test *t))
{
    t->pid = fork();
    assert_true(t->pid >= 0);
    if (t->pid > 0) {
        return;
    }
    struct broker *b = NULL;
    struct sandbox_conf wall;
    struct error err = {""};
    if (t->as_user) {
        be_user();
    }
    t->sh->broker = getpid();
    if (broker_start(&t->conf, &b, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(98);
    }
    t->sh->engine = getpid();
    broker_sandbox(b, &wall);
    if (sandbox_enter(&wall, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(97);
    }
    _exit(what(b, t));
}

static int finish(struct test *t)
{
    int status = -1;
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    return status;
}

static void assert_exits(struct test *t, int code)
{
    int status = finish(t);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
    assert_int_equal(t->sh->ended, 1);
    test_done(t);
}

/* In the engine a failed check is the line where it failed, as an exit status. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int do_calls(struct broker *b, struct test *t)
{
    (void)t;
    char data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    struct error err = {""};
    int fd = -1;
    CHECK(broker_call(b, ECHO, "hello", 5, data, &len, NULL, &err) == 0);
    CHECK(len == 5 && memcmp(data, "hello", 5) == 0);
    len = 4;
    CHECK(broker_call(b, ECHO, "hello", 5, data, &len, NULL, &err) == -EMSGSIZE);
    CHECK(broker_call(b, RING, NULL, 0, NULL, NULL, &fd, &err) == 0);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    int type = 0;
    socklen_t size = sizeof(type);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &size) == 0 && type == AF_PACKET);
    close(fd);
    CHECK(broker_call(b, FILE_FD, NULL, 0, NULL, NULL, &fd, &err) == 0);
    ssize_t n = read(fd, data, sizeof(data) - 1);
    CHECK(n > 0);
    data[n] = '\0';
    CHECK(strstr(data, "Name:\tfarspan-broker\n") && strstr(data, "Uid:\t0\t0\t0\t0\n"));
    CHECK(strstr(data, "CapEff:\t0000000000002020\n") && strstr(data, "Seccomp:\t2\n"));
    close(fd);
    return 0;
}

static void requests_are_answered(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    start(&t, do_calls);
    assert_exits(&t, 0);
}

static int send_raw(struct broker *b, const void *data, size_t len, bool with_fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    char copy[2 * BROKER_REQUEST_MAX];
    memcpy(copy, data, len);
    struct iovec iov = {copy, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (with_fd) {
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &(int){2}, sizeof(int));
    }
    return sendmsg(broker_fd(b), &msg, 0) == (ssize_t)len ? 0 : -1;
}

static int do_refusals(struct broker *b, struct test *t)
{
    (void)t;
    static const uint8_t all[BROKER_ARGS_MAX];
    char args[200] = {0}, data[8];
    uint8_t raw[BROKER_REQUEST_MAX + 1] = {0};
    size_t len = sizeof(data);
    int fd = -7;
    struct error err = {""};
    struct broker_counters count;
    CHECK(broker_call(b, REQUESTS, NULL, 0, NULL, NULL, NULL, &err) == -EOPNOTSUPP);
    CHECK(strcmp(err.text, "the broker refused request 9: there is no such request") == 0);
    CHECK(broker_call(b, 0xffffffff, NULL, 0, NULL, NULL, NULL, &err) == -EOPNOTSUPP);
    CHECK(broker_call(b, ECHO, NULL, 0, NULL, NULL, NULL, &err) == -EINVAL);
    CHECK(broker_call(b, ECHO, args, 101, NULL, NULL, NULL, &err) == -EINVAL);
    /* Not sent at all. */
    CHECK(broker_call(b, ECHO, args, BROKER_ARGS_MAX + 1, NULL, NULL, NULL, &err) == -EMSGSIZE);
    CHECK(broker_count(b, &count, &err) == 0 && count.refused == 4 && count.answered == 0);
    CHECK(send_raw(b, "nonsense", 8, false) == 0);
    struct broker_msg_request q = {1000, RING, NULL, 0};
    int n = broker_msg_put_request(raw, sizeof(raw), &q);
    CHECK(n > 0 && send_raw(b, raw, (size_t)n, true) == 0);
    CHECK(broker_count(b, &count, &err) == 0 && count.refused == 6 && count.answered == 0);
    q = (struct broker_msg_request){1001, ANY, all, sizeof(all)}; /* and one byte too many */
    n = broker_msg_put_request(raw, sizeof(raw), &q);
    CHECK(n == BROKER_REQUEST_MAX && send_raw(b, raw, sizeof(raw), false) == 0);
    CHECK(broker_count(b, &count, &err) == 0 && count.refused == 7 && count.answered == 0);
    CHECK(broker_call(b, FAILING, NULL, 0, data, &len, &fd, &err) == -ENODEV);
    CHECK(strcmp(err.text, "cannot find the device: No such device") == 0);
    CHECK(fd == -7 && len == sizeof(data)); /* results are untouched by a failure */
    CHECK(broker_call(b, LYING, NULL, 0, NULL, NULL, NULL, &err) == -EIO);
    CHECK(broker_count(b, &count, &err) == 0 && count.refused == 7 && count.answered == 2);
    return 0;
}

static void refusals_are_counted(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    start(&t, do_refusals);
    assert_exits(&t, 0);
}

static int do_slow(struct broker *b, struct test *t)
{
    (void)t;
    char data[8];
    size_t len = sizeof(data);
    struct error err = {""};
    int fd = -1, next = MAX(dup(0), dup(0)); /* beyond the gaps */
    CHECK(broker_call(b, SLOW, NULL, 0, NULL, NULL, &fd, &err) == -ETIMEDOUT);
    CHECK(fd == -1 && strstr(err.text, "no answer"));
    /* The late reply and its descriptor are thrown away, and this one is ours. */
    int r = -ETIMEDOUT;
    for (int i = 0; i < 100 && r == -ETIMEDOUT; i++) {
        len = sizeof(data);
        r = broker_call(b, ECHO, "x", 1, data, &len, &fd, &err);
    }
    CHECK(r == 0 && len == 1 && data[0] == 'x' && fd == -1);
    CHECK(dup(0) == next + 1);
    return 0;
}

static void late_replies_are_thrown_away(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    t.conf.call_ms = 50;
    start(&t, do_slow);
    assert_exits(&t, 0);
}

static int do_many(struct broker *b, struct test *t)
{
    int first = -1;
    struct error err = {""};
    for (int i = 0; i < 200; i++) {
        CHECK(broker_call(b, LEAVE_FD, NULL, 0, NULL, NULL, NULL, &err) == 0);
        first = i == 0 ? t->sh->last_fd : first;
        CHECK(t->sh->last_fd == first);
    }
    return 0;
}

static void descriptors_are_not_kept(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    start(&t, do_many);
    assert_exits(&t, 0);
}

static int exit_7(struct broker *b, struct test *t)
{
    (void)t;
    broker_free(b);
    return 7;
}

static int end_by_sigsys(struct broker *b, struct test *t)
{
    (void)b, (void)t;
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 && errno == EPERM ? 128 + SIGSYS : 1;
}

static void status_is_the_engines(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    start(&t, exit_7);
    assert_exits(&t, 7);
    test_init(&t);
    start(&t, end_by_sigsys);
    assert_exits(&t, 128 + SIGSYS);
}

/* The engine tells which signal came by its exit status. */
static void on_term(int number)
{
    _exit(40 + number);
}

static int wait_signal(struct broker *b, struct test *t)
{
    (void)b;
    signal(SIGTERM, on_term);
    signal(SIGHUP, on_term);
    t->sh->last_fd = 1; /* ready */
    while (poll(NULL, 0, -1) < 0) {
    }
    return 1;
}

static void await_ready(const struct test *t)
{
    for (struct mono until = mono_add_ms(mono_now(), 10000); !t->sh->last_fd;) {
        assert_false(mono_due(mono_now(), until));
        poll(NULL, 0, 1);
    }
}

static void signals_are_passed_on(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct test t;
        test_init(&t);
        start(&t, wait_signal);
        await_ready(&t);
        kill(t.sh->broker, numbers[i]);
        assert_exits(&t, 40 + numbers[i]);
    }
}

/* A broker that is killed takes its engine along, by a signal on which it can finish its files. */
static void engine_ends_with_the_broker(void **state)
{
    (void)state;
    struct test t;
    int alive[2];
    char byte;
    test_init(&t);
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    start(&t, wait_signal);
    close(alive[1]);
    await_ready(&t);
    kill(t.sh->broker, SIGKILL);
    int status = finish(&t);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(read(alive[0], &byte, 1), 0); /* the engine held the last writer */
    close(alive[0]);
    test_done(&t);
}

static int do_run(struct broker *b, struct test *t)
{
    (void)t;
    struct error err = {""};
    signal(SIGTERM, SIG_IGN); /* to see the broken socket, not the parent's end */
    int r = broker_call(b, RUN, NULL, 0, NULL, NULL, NULL, &err);
    t->sh->last_fd = r;
    return 0;
}

static void broker_runs_no_program(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    start(&t, do_run);
    int status = finish(&t);
    if (SANDBOX_LENIENT) {
        assert_int_equal(status, 0);
        assert_int_equal(t.sh->last_fd, -EPERM);
    } else {
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
        await_ready(&t);
        assert_int_equal(t.sh->last_fd, -EPIPE);
    }
    test_done(&t);
}

static int do_as_user(struct broker *b, struct test *t)
{
    (void)t;
    char data[8];
    size_t len = sizeof(data);
    struct error err = {""};
    CHECK(broker_call(b, RING, NULL, 0, NULL, NULL, NULL, &err) == -EPERM);
    CHECK(strcmp(err.text, "cannot capture; run it as root: Operation not permitted") == 0);
    CHECK(broker_call(b, ECHO, "y", 1, data, &len, NULL, &err) == 0 && len == 1);
    return 0;
}

static void works_without_root(void **state)
{
    (void)state;
    struct test t;
    test_init(&t);
    t.as_user = true;
    t.conf.user = NULL;
    start(&t, do_as_user);
    assert_exits(&t, 0);
}

static void bad_configurations(void **state)
{
    (void)state;
    struct broker *b = NULL;
    struct error err = {""};
    struct broker_conf conf = {.requests = TABLE, .n_requests = REQUESTS, .user = "no-such-user"};
    assert_int_equal(broker_start(&conf, &b, &err), -ENOENT);
    assert_non_null(strstr(err.text, "there is no user \"no-such-user\""));
    struct broker_request wrong[] = {{"x", on_echo, 0, BROKER_ARGS_MAX + 1}};
    conf = (struct broker_conf){.requests = wrong, .n_requests = 1};
    assert_int_equal(broker_start(&conf, &b, &err), -EINVAL);
    assert_null(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),        cmocka_unit_test(refusals_are_counted),
        cmocka_unit_test(late_replies_are_thrown_away), cmocka_unit_test(descriptors_are_not_kept),
        cmocka_unit_test(status_is_the_engines),        cmocka_unit_test(signals_are_passed_on),
        cmocka_unit_test(engine_ends_with_the_broker),  cmocka_unit_test(broker_runs_no_program),
        cmocka_unit_test(works_without_root),           cmocka_unit_test(bad_configurations),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
