/* SPDX-License-Identifier: Apache-2.0
 *
 * The wall (sandbox.h) lets some things be done and others not. Each case runs in a child of its
 * own, in two ways: as root who becomes nobody, and as a plain user who has nothing to drop. The
 * child's end says what happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "sys/sandbox_testing.h"

static int run(enum mode mode, int (*what)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enter(mode);
        _exit(what());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int try_open(void)
{
    return said(open("/", O_RDONLY | O_CLOEXEC));
}

static int try_openat_raw(void)
{
    return said(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0));
}

static int try_stat(void)
{
    struct stat st;
    return said(stat("/", &st));
}

static int try_socket(void)
{
    return said(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int try_connect(void)
{
    struct sockaddr sa = {.sa_family = AF_UNSPEC};
    return said(connect(0, &sa, sizeof(sa)));
}

static int try_execve(void)
{
    char *argv[] = {NULL};
    return said(execve("/bin/true", argv, argv));
}

static int try_fork(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    return said(pid);
}

static int try_glibc_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return said(pid);
}

static int try_thread_in_namespace(void)
{
    return said(
        syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWUSER, 0, 0, 0, 0));
}

static int try_exec_memory(void)
{
    return said((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int try_mprotect(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) < 0) {
        return OTHER;
    }
    return said(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int try_setuid(void)
{
    return said(syscall(SYS_setresuid, 0, 0, 0));
}

static int try_kill_parent(void)
{
    return said(kill(getppid(), 0));
}

static int try_tgkill_parent(void)
{
    return said(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int try_ptrace(void)
{
    return said(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int try_mount(void)
{
    return said(mount("none", "/", "tmpfs", 0, NULL));
}

static int try_bpf(void)
{
    return said(syscall(SYS_bpf, 0, NULL, 0));
}

static int try_unshare(void)
{
    return said(unshare(CLONE_NEWUSER));
}

static int try_io_uring(void)
{
    return said(syscall(SYS_io_uring_setup, 1, NULL));
}

static int try_tty_input(void)
{
    char c = 'x';
    return said(ioctl(0, TIOCSTI, &c));
}

static int try_bind_device(void)
{
    return said(setsockopt(0, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
}

static int try_unlink(void)
{
    return said(unlink("/x"));
}

static int try_raise_limit(void)
{
    struct rlimit r = {1, 1};
    return said(setrlimit(RLIMIT_CORE, &r));
}

static const struct {
    const char *name;
    int (*what)(void);
} FORBIDDEN[] = {
    {"open", try_open},
    {"openat", try_openat_raw},
    {"stat", try_stat},
    {"socket", try_socket},
    {"connect", try_connect},
    {"execve", try_execve},
    {"clone", try_fork},
    {"fork", try_glibc_fork},
    {"clone with a namespace", try_thread_in_namespace},
    {"mmap PROT_EXEC", try_exec_memory},
    {"mprotect PROT_EXEC", try_mprotect},
    {"setresuid 0", try_setuid},
    {"kill the parent", try_kill_parent},
    {"tgkill the parent", try_tgkill_parent},
    {"ptrace", try_ptrace},
    {"mount", try_mount},
    {"bpf", try_bpf},
    {"unshare", try_unshare},
    {"io_uring", try_io_uring},
    {"TIOCSTI", try_tty_input},
    {"SO_BINDTODEVICE", try_bind_device},
    {"unlink", try_unlink},
    {"setrlimit", try_raise_limit},
};

static void forbidden_things_end_or_fail(void **state)
{
    (void)state;
    for (int mode = 0; mode < MODES; mode++) {
        for (size_t i = 0; i < ARRAY_SIZE(FORBIDDEN); i++) {
            int status = run((enum mode)mode, FORBIDDEN[i].what);
            if (!stopped(status)) {
                fail_msg("%s (mode %d): status %#x", FORBIDDEN[i].name, mode, status);
            }
        }
    }
}

static void attacks_are_deadly(void **state)
{
    (void)state;
    static int (*const what[])(void) = {try_socket, try_execve, try_fork, try_ptrace, try_setuid};
    for (size_t i = 0; i < ARRAY_SIZE(what) && !SANDBOX_LENIENT; i++) {
        int status = run(AS_ROOT, what[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
    }
}

/* -- what the engine needs --------------------------------------------------------------------- */

static void *in_thread(void *user)
{
    prctl(PR_SET_NAME, "data");
    char *block = malloc(300000);
    if (block) {
        memset(block, 1, 300000);
        *(int *)user += block[299999];
    }
    free(block);
    return NULL;
}

static int use_threads(void)
{
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        pthread_t id;
        if (pthread_create(&id, NULL, in_thread, &sum) != 0 || pthread_join(id, NULL) != 0) {
            return 1;
        }
    }
    return sum == 4 ? 0 : 2;
}

static int use_memory(void)
{
    for (size_t n = 100; n < (64U << 20); n *= 3) {
        char *p = malloc(n);
        if (!p) {
            return 1;
        }
        memset(p, 7, n);
        char *larger = realloc(p, n * 2);
        if (!larger || larger[n - 1] != 7) {
            return 2; /* the process ends here */
        }
        free(larger);
    }
    return 0;
}

static int use_timers(void)
{
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    struct epoll_event ev = {.events = EPOLLIN};
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int e = epoll_create1(EPOLL_CLOEXEC);
    int w = eventfd(1, EFD_CLOEXEC);
    if (t < 0 || e < 0 || w < 0 || timerfd_settime(t, 0, &soon, NULL) < 0) {
        return 1;
    }
    return epoll_ctl(e, EPOLL_CTL_ADD, t, &ev) < 0 || epoll_wait(e, &ev, 1, 5000) != 1 ? 2 : 0;
}

static int use_stdio(void)
{
    struct stat st;
    time_t now = time(NULL);
    struct tm tm;
    char text[64];
    if (!localtime_r(&now, &tm) || strftime(text, sizeof(text), "%F %T %Z", &tm) == 0) {
        return 1;
    }
    if (fprintf(stderr, "from behind the wall: %s, %s\n", text, strerror(ENOENT)) < 0) {
        return 2;
    }
    printf("and %d on standard output\n", 1);
    return fflush(stdout) != 0 || fstat(1, &st) < 0 ? 3 : 0;
}

static void allowed_things_work(void **state)
{
    (void)state;
    static int (*const what[])(void) = {use_threads, use_memory, use_timers, use_stdio};
    for (int mode = 0; mode < MODES; mode++) {
        for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
            assert_int_equal(run((enum mode)mode, what[i]), 0);
        }
    }
}

/* Descriptors that were there before, and one that comes over a socket. */
static int use_sockets(int sock)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1) {
        return 1;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int udp = -1, size = 100000;
    if (!c || c->cmsg_type != SCM_RIGHTS) {
        return 2;
    }
    memcpy(&udp, CMSG_DATA(c), sizeof(udp));
    if (setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
        fcntl(udp, F_SETFL, O_NONBLOCK) < 0) {
        return 3;
    }
    struct mmsghdr mm = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    if (recvmmsg(udp, &mm, 1, MSG_DONTWAIT, NULL) != -1 || errno != EAGAIN) {
        return 4;
    }
    return sendmmsg(sock, &mm, 1, MSG_NOSIGNAL) == 1 ? 0 : 5;
}

static void give_fd(int sock, int fd)
{
    char byte = 'x';
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    assert_int_equal(sendmsg(sock, &msg, 0), 1);
}

static void handed_descriptors_work(void **state)
{
    (void)state;
    int pair[2], status = 0;
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        enter(AS_ROOT);
        _exit(use_sockets(pair[1]));
    }
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    give_fd(pair[0], udp);
    assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(udp);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_things_end_or_fail),
        cmocka_unit_test(attacks_are_deadly),
        cmocka_unit_test(allowed_things_work),
        cmocka_unit_test(handed_descriptors_work),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
