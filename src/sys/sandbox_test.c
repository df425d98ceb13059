/* SPDX-License-Identifier: Apache-2.0
 *
 * Each case runs in a child of its own, behind the wall, in two ways: as root who becomes nobody,
 * and as a plain user who has nothing to drop. The child's end says what happened; what the kernel
 * says about a child that waits is read from outside.
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
#include "sys/sandbox.h"

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

static void enter(enum mode mode)
{
    struct sandbox_conf conf = {.parent = getppid()};
    struct error err = {""};
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

/* What a result of a system call says: forbidden ones must not succeed. */
static int said(long r)
{
    return r >= 0 ? DID_IT : errno == EPERM ? REFUSED : OTHER;
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

static bool stopped(int status)
{
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    return killed || (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED);
}

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
        p = realloc(p, n * 2);
        if (!p || p[n - 1] != 7) {
            return 2;
        }
        free(p);
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

/* -- as the kernel sees it --------------------------------------------------------------------- */

static void read_proc(pid_t pid, const char *name, char *text, size_t cap)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    _cleanup_(fclosep) FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, cap - 1, f)] = '\0';
}

static void assert_line(const char *text, const char *line)
{
    if (!strstr(text, line)) {
        fail_msg("no \"%s\" in:\n%s", line, text);
    }
}

static void assert_empty_root(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root/", pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        assert_int_equal(e->d_name[0], '.');
    }
    closedir(d);
    snprintf(path, sizeof(path), "/proc/%d/root/made", pid);
    assert_true(mkdir(path, 0700) < 0); /* a removed directory: not even root can fill it */
}

static unsigned left_behind(void)
{
    unsigned n = 0;
    DIR *d = opendir("/run");
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        n += strncmp(e->d_name, "farspan-empty", 13) == 0;
    }
    closedir(d);
    return n;
}

static void kernel_agrees(void **state)
{
    (void)state;
    unsigned before = left_behind();
    for (int mode = 0; mode < MODES; mode++) {
        int to[2], from[2];
        char byte, text[8192];
        assert_int_equal(pipe2(to, O_CLOEXEC), 0);
        assert_int_equal(pipe2(from, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            enter((enum mode)mode);
            _exit(write(from[1], "x", 1) == 1 && read(to[0], &byte, 1) == 1 ? 0 : 1);
        }
        assert_int_equal(read(from[0], &byte, 1), 1);
        read_proc(pid, "status", text, sizeof(text));
        assert_line(text, "Uid:\t65534\t65534\t65534\t65534\n");
        assert_line(text, "Gid:\t65534\t65534\t65534\t65534\n");
        assert_line(text, "Groups:\t \n");
        assert_line(text, "CapInh:\t0000000000000000\n");
        assert_line(text, "CapPrm:\t0000000000000000\n");
        assert_line(text, "CapEff:\t0000000000000000\n");
        assert_line(text, "CapAmb:\t0000000000000000\n");
        assert_line(text, "NoNewPrivs:\t1\n");
        assert_line(text, "Seccomp:\t2\n");
        if (mode == AS_ROOT) {
            assert_line(text, "CapBnd:\t0000000000000000\n");
            assert_empty_root(pid);
        }
        read_proc(pid, "limits", text, sizeof(text));
        assert_line(text, "Max core file size        0                    0");
        assert_int_equal(write(to[1], "x", 1), 1);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        for (size_t i = 0; i < 2; i++) {
            close(to[i]);
            close(from[i]);
        }
    }
    assert_int_equal(left_behind(), before);
}

/* A grandchild ends when its parent does, although it changed its identity in between. */
static void engine_ends_with_its_parent(void **state)
{
    (void)state;
    int alive[2];
    char byte;
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int ready[2];
        pid_t engine = pipe2(ready, O_CLOEXEC) == 0 ? fork() : -1;
        if (engine == 0) {
            enter(AS_ROOT);
            ssize_t n = write(ready[1], "x", 1);
            for (; n == 1;) {
                poll(NULL, 0, -1);
            }
            _exit(1);
        }
        _exit(engine > 0 && read(ready[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(alive[1]);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(alive[0], &byte, 1), 0); /* its last writer is gone */
    close(alive[0]);
}

/* -- the broker's wall ------------------------------------------------------------------------- */

static int run_broker(int (*what)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int caps[] = {CAP_NET_RAW, CAP_SETUID, CAP_SETGID};
        _exit(sandbox_confine_broker(caps, ARRAY_SIZE(caps), NULL) < 0 ? NO_ENTRY : what());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int broker_opens(void)
{
    _cleanup_(closep) int ring = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    _cleanup_(closep) int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
    if (ring < 0 || n < 0) {
        return 1;
    }
    text[n] = '\0';
    if (!strstr(text, "CapEff:\t00000000000020c0\n") ||
        !strstr(text, "CapBnd:\t00000000000020c0\n") || !strstr(text, "NoNewPrivs:\t1\n") ||
        !strstr(text, "Seccomp:\t2\n")) {
        return 2;
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_conf conf = {.change_ids = true, .uid = NOBODY, .gid = NOBODY};
        _exit(sandbox_drop_child(&conf, 2) == 0 && geteuid() == NOBODY && fcntl(ring, F_GETFD) < 0
                  ? 0
                  : 1);
    }
    int status = 1;
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 3;
}

static int broker_needs_net_admin(void)
{
    int one = 1;
    _cleanup_(closep) int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return said(setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &one, sizeof(one)));
}

static void broker_opens_but_does_not_run(void **state)
{
    (void)state;
    assert_int_equal(run_broker(broker_opens), 0);
    static int (*const what[])(void) = {try_execve,
                                        try_ptrace,
                                        try_mount,
                                        try_bpf,
                                        try_io_uring,
                                        try_unshare,
                                        try_thread_in_namespace,
                                        broker_needs_net_admin};
    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        int status = run_broker(what[i]);
        if (!stopped(status)) {
            fail_msg("case %zu: status %#x", i, status);
        }
    }
    const int wrong[] = {1000};
    struct error err = {""};
    assert_int_equal(sandbox_confine_broker(wrong, 1, &err), -EINVAL);
    assert_string_equal(err.text, "there is no capability 1000");
}

static void *idle(void *user)
{
    char byte;
    _unused_ ssize_t n = read(*(int *)user, &byte, 1);
    return NULL;
}

static void early_threads_are_refused(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        int p[2];
        pthread_t id;
        struct sandbox_conf conf = {.change_ids = true, .uid = NOBODY, .gid = NOBODY};
        if (pipe2(p, O_CLOEXEC) < 0 || pthread_create(&id, NULL, idle, &p[0]) != 0) {
            _exit(2);
        }
        _exit(SANDBOX_LENIENT || sandbox_enter(&conf, NULL) == -EBUSY ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_things_end_or_fail),
        cmocka_unit_test(attacks_are_deadly),
        cmocka_unit_test(allowed_things_work),
        cmocka_unit_test(handed_descriptors_work),
        cmocka_unit_test(kernel_agrees),
        cmocka_unit_test(engine_ends_with_its_parent),
        cmocka_unit_test(broker_opens_but_does_not_run),
        cmocka_unit_test(early_threads_are_refused),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
