/* SPDX-License-Identifier: Apache-2.0
 *
 * The walls as seen from outside: what the kernel says about a process that waits behind one, how
 * an engine ends with its parent, and what the broker may do behind its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "sys/sandbox_testing.h"

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
    if (!d) {
        return 0;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
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
            bool told = write(ready[1], "x", 1) == 1;
            while (told) {
                told = poll(NULL, 0, -1) <= 0; /* for good, whatever interrupts it */
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

static int try_execve(void)
{
    char *argv[] = {NULL};
    return said(execve("/bin/true", argv, argv));
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

static int try_io_uring(void)
{
    return said(syscall(SYS_io_uring_setup, 1, NULL));
}

static int try_unshare(void)
{
    return said(unshare(CLONE_NEWUSER));
}

static int try_thread_in_namespace(void)
{
    return said(
        syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWUSER, 0, 0, 0, 0));
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
        _exit(sandbox_drop_child(&conf, "a-child", 0, 2) == 0 && geteuid() == NOBODY &&
                      fcntl(ring, F_GETFD) < 0
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

static int try_setns_network(void)
{
    _cleanup_(closep) int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return said(setns(fd, CLONE_NEWNET));
}

static int try_setns_mount(void)
{
    _cleanup_(closep) int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    return said(setns(fd, CLONE_NEWNS));
}

static int try_setns_any_kind(void)
{
    _cleanup_(closep) int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return said(setns(fd, 0));
}

/* Only with CAP_SYS_ADMIN, which a tap has only with --netns, and then into network namespaces. */
static void broker_enters_only_networks(void **state)
{
    (void)state;
    static const int with[] = {CAP_NET_RAW, CAP_SYS_ADMIN};
    static int (*const what[])(void) = {try_setns_network,  try_setns_mount,
                                        try_setns_any_kind, try_unshare,
                                        try_mount,          try_thread_in_namespace};
    assert_true(stopped(run_broker(try_setns_network)));
    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(sandbox_confine_broker(with, ARRAY_SIZE(with), NULL) < 0 ? NO_ENTRY : what[i]());
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (i == 0 ? !WIFEXITED(status) || WEXITSTATUS(status) != DID_IT : !stopped(status)) {
            fail_msg("case %zu: status %#x", i, status);
        }
    }
}

static long call_bpf(int command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* The kernel's own answer is none of the wall's. */
static bool reaches_kernel(int command, union bpf_attr attr)
{
    return call_bpf(command, &attr) >= 0 || errno != EPERM;
}

/* A map and a program, as sys/bpf.c makes them: 0. */
static int makes_programs(void)
{
    const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1},
                                    {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_PERCPU_ARRAY,
                          .key_size = 4,
                          .value_size = 8,
                          .max_entries = 1},
                   prog = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
                           .insn_cnt = ARRAY_SIZE(code),
                           .insns = (uintptr_t)code,
                           .license = (uintptr_t) "GPL"},
                   none = {.map_type = 0};
    const bool made = call_bpf(BPF_MAP_CREATE, &map) >= 0 && call_bpf(BPF_PROG_LOAD, &prog) >= 0;
    return !made                                           ? 1
           : !reaches_kernel(BPF_MAP_LOOKUP_ELEM, none)    ? 2
           : !reaches_kernel(BPF_OBJ_GET_INFO_BY_FD, none) ? 3
           : !reaches_kernel(BPF_LINK_CREATE, none)        ? 4
           : !reaches_kernel(BPF_LINK_UPDATE, none)        ? 5
           : !reaches_kernel(BPF_PROG_QUERY, none)         ? 6
                                                           : 0;
}

/* How a process ends that does this behind the broker's wall. */
static int behind_wall_of(const int *caps, size_t n, int (*what)(int), int arg)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(sandbox_confine_broker(caps, n, NULL) < 0 ? NO_ENTRY : what(arg));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int try_all_of_taps(int arg)
{
    (void)arg;
    return makes_programs();
}

static int try_command(int command)
{
    union bpf_attr none = {.map_type = 0};
    return said(call_bpf(command, &none));
}

/* A broker that taps has the commands of sys/bpf.c and no other; one that does not has none. */
static void broker_makes_programs_by_some_commands(void **state)
{
    (void)state;
    static const int with[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF},
                     without[] = {CAP_NET_RAW, CAP_NET_ADMIN},
                     listed[] = {BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM,    BPF_PROG_LOAD,
                                 BPF_PROG_QUERY, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE,
                                 BPF_LINK_UPDATE};
    assert_int_equal(behind_wall_of(with, ARRAY_SIZE(with), try_all_of_taps, 0), 0);
    for (int command = 0; command < 64; command++) {
        bool is_listed = false;
        for (size_t i = 0; i < ARRAY_SIZE(listed); i++) {
            is_listed = is_listed || listed[i] == command;
        }
        const int status = behind_wall_of(with, ARRAY_SIZE(with), try_command, command),
                  bare = behind_wall_of(without, ARRAY_SIZE(without), try_command, command);
        if (stopped(status) == is_listed || !stopped(bare)) {
            fail_msg("command %d: %#x, and %#x without the capability", command, status, bare);
        }
    }
    assert_true(stopped(behind_wall_of(with, ARRAY_SIZE(with), try_command, -1)));
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
        cmocka_unit_test(kernel_agrees),
        cmocka_unit_test(engine_ends_with_its_parent),
        cmocka_unit_test(broker_opens_but_does_not_run),
        cmocka_unit_test(broker_enters_only_networks),
        cmocka_unit_test(broker_makes_programs_by_some_commands),
        cmocka_unit_test(early_threads_are_refused),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
