/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Unknown system calls, and those that nothing in the program or below it makes. */
#define ACT_DEADLY (SANDBOX_LENIENT ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS)

#ifdef __s390__
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

/* clone makes a thread of this process, and nothing else: each of these flags is looked at. */
#define CLONE_WATCHED                                                                              \
    (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VFORK | CLONE_PTRACE | CLONE_NEWNS |          \
     CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
     CLONE_IO)
#define CLONE_OF_THREAD (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

/* Both halves: bytes over descriptors that are there already, memory, time, threads, the end. */
static const int COMMON[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(signalfd4),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(dup),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(fadvise64),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getcpu),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* To whomever: for the broker, and for an engine that answers those who come. */
static const int SEND_ANYWHERE[] = {
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
};

/* Of any descriptor: for the broker, and for an engine that has no firm ones. */
static const int CLOSE_ANY[] = {
    SCMP_SYS(close),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
};

/* The engine: a library may try these by itself (a time zone, a locale, the number of processors),
 * and goes on without. */
static const int ENGINE_FAILS[] = {
    SCMP_SYS(openat2),     SCMP_SYS(statfs), SCMP_SYS(fstatfs),     SCMP_SYS(getdents64),
    SCMP_SYS(setpriority), SCMP_SYS(mbind),  SCMP_SYS(userfaultfd),
};

/* These too, but for an engine that has a folder: it is what looking at a file takes. */
static const int ENGINE_LOOKS[] = {
    SCMP_SYS(open),     SCMP_SYS(openat), SCMP_SYS(stat),       SCMP_SYS(lstat),
    SCMP_SYS(statx),    SCMP_SYS(access), SCMP_SYS(faccessat),  SCMP_SYS(faccessat2),
    SCMP_SYS(readlink), SCMP_SYS(getcwd), SCMP_SYS(readlinkat),
};

/* An engine that has a folder. A database would also give a new file the mode of another, and goes
 * on without. */
static const int ENGINE_FILES[] = {
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
};
static const int ENGINE_FILES_FAIL[] = {
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown),
    SCMP_SYS(mkdir),
};
static const int ENGINE_FILES_FCNTL[] = {F_SETLK, F_SETLKW, F_GETLK};

/* The broker opens, connects, configures and removes; its resolver child also drops its identity,
 * loads name service modules and talks to servers. */
static const int BROKER_MORE[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),      SCMP_SYS(newfstatat),   SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(statx),       SCMP_SYS(statfs),       SCMP_SYS(fstatfs),
    SCMP_SYS(access),     SCMP_SYS(faccessat),   SCMP_SYS(faccessat2),   SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getdents64),  SCMP_SYS(getcwd),       SCMP_SYS(chdir),
    SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),     SCMP_SYS(rmdir),        SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),   SCMP_SYS(rename),      SCMP_SYS(renameat),     SCMP_SYS(renameat2),
    SCMP_SYS(chmod),      SCMP_SYS(fchmod),      SCMP_SYS(fchmodat),     SCMP_SYS(fchown),
    SCMP_SYS(umask),      SCMP_SYS(flock),       SCMP_SYS(fcntl),        SCMP_SYS(ioctl),
    SCMP_SYS(pipe),       SCMP_SYS(pipe2),       SCMP_SYS(memfd_create), SCMP_SYS(mmap),
    SCMP_SYS(mprotect),   SCMP_SYS(socket),      SCMP_SYS(socketpair),   SCMP_SYS(bind),
    SCMP_SYS(connect),    SCMP_SYS(listen),      SCMP_SYS(accept),       SCMP_SYS(setsockopt),
    SCMP_SYS(kill),       SCMP_SYS(tgkill),      SCMP_SYS(wait4),        SCMP_SYS(waitid),
    SCMP_SYS(fork),       SCMP_SYS(vfork),       SCMP_SYS(getpgrp),      SCMP_SYS(getpgid),
    SCMP_SYS(getsid),     SCMP_SYS(getgroups),   SCMP_SYS(getresuid),    SCMP_SYS(getresgid),
    SCMP_SYS(setgroups),  SCMP_SYS(setresuid),   SCMP_SYS(setresgid),    SCMP_SYS(capget),
    SCMP_SYS(capset),     SCMP_SYS(seccomp),     SCMP_SYS(prctl),        SCMP_SYS(prlimit64),
    SCMP_SYS(getrlimit),  SCMP_SYS(setrlimit),   SCMP_SYS(setpriority),  SCMP_SYS(alarm),
    SCMP_SYS(setitimer),  SCMP_SYS(close_range), SCMP_SYS(fchdir),       SCMP_SYS(sendfile),
    SCMP_SYS(openat2),
};

/* The broker: everything that is not listed fails, so that a handler's surprise is an error message
 * and not the end of the capture; these are no surprise but an attack. */
static const int BROKER_DEADLY[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsconfig),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(unshare),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
};

static const int ENGINE_FCNTL[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC};

/* A terminal's width; what stdio asks of its output; bytes waiting in a socket, both ways; what
 * kind of TAP device a descriptor is. None changes anything. */
static const unsigned long ENGINE_IOCTL[] = {TIOCGWINSZ, TCGETS, FIONREAD, TIOCOUTQ, TUNGETIFF};

/* Of a datagram socket: sizes and time-outs of its buffers, its filter, segmentation, path MTU,
 * marks of service. Not SOL_PACKET (rings, fanout), not SO_BINDTODEVICE, not BPF programs. */
static const struct {
    int level, option;
} ENGINE_SETSOCKOPT[] = {
    {SOL_SOCKET, SO_ATTACH_FILTER},
    {SOL_SOCKET, SO_DETACH_FILTER},
    {SOL_SOCKET, SO_RCVBUF},
    {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_RXQ_OVFL},
    {SOL_SOCKET, SO_TIMESTAMPNS},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},
    {SOL_UDP, UDP_SEGMENT},
    {SOL_UDP, UDP_GRO},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_DONTFRAG},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_TCP, TCP_NODELAY},
};

/* One rule a list entry. A call that this architecture does not have is left out by libseccomp. */
static int add_all(scmp_filter_ctx f, uint32_t action, const int calls[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = seccomp_rule_add(f, action, calls[i], 0);
        if (r < 0 && r != -EDOM) {
            return r;
        }
    }
    return 0;
}

static int add_engine_lists(scmp_filter_ctx f)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ENGINE_FCNTL); i++) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)ENGINE_FCNTL[i]));
    }
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ENGINE_IOCTL); i++) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_EQ, ENGINE_IOCTL[i]));
    }
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ENGINE_SETSOCKOPT); i++) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
                             SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)ENGINE_SETSOCKOPT[i].level),
                             SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)ENGINE_SETSOCKOPT[i].option));
    }
    return r;
}

/* Memory that is never executable; threads and no processes. */
static int add_engine_memory(scmp_filter_ctx f)
{
    int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    if (r >= 0) {
        r = seccomp_rule_add(
            f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
            SCMP_CMP(CLONE_FLAGS_ARG, SCMP_CMP_MASKED_EQ, CLONE_WATCHED, CLONE_OF_THREAD));
    }
    if (r >= 0) { /* its flags are behind a pointer; glibc goes on with clone */
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    return r;
}

/* Calls about oneself: abort()'s signal, a thread's name, reading (not setting) a limit. */
static int add_engine_self(scmp_filter_ctx f)
{
    int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                             SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    }
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                             SCMP_A0(SCMP_CMP_NE, PR_SET_NAME));
    }
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
                             SCMP_A2(SCMP_CMP_EQ, 0));
    }
    return r;
}

/* Without addresses only send() is left, as the C library makes it: sendto with no address, which
 * goes where the socket was connected to or bound, and that was the broker's doing. */
static int add_sends_connected(scmp_filter_ctx f)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2, SCMP_A4(SCMP_CMP_EQ, 0),
                            SCMP_A5(SCMP_CMP_EQ, 0));
}

/* Calls of the list for which the argument is a descriptor that is firm, or is not. The kernel
 * takes the lower half of the argument, and so does the mask. */
static int add_firm(scmp_filter_ctx f, uint32_t action, const int calls[], size_t n,
                    const unsigned arg[], unsigned from, bool firm)
{
    const scmp_datum_t mask = UINT32_MAX & ~((scmp_datum_t)from - 1);
    for (size_t i = 0; i < n; i++) {
        int r = seccomp_rule_add(
            f, action, calls[i], 1,
            SCMP_CMP(arg[i], SCMP_CMP_MASKED_EQ, mask, firm ? (scmp_datum_t)from : 0));
        if (r < 0 && r != -EDOM) {
            return r;
        }
    }
    return 0;
}

/* A firm descriptor stays what it is: else its number could become another socket's. */
static int add_sends_firm(scmp_filter_ctx f, unsigned from)
{
    static const unsigned of_send[] = {0, 0, 0}, of_close[] = {0, 1, 1};
    int r = add_sends_connected(f);
    if (r >= 0) {
        r = add_firm(f, SCMP_ACT_ALLOW, SEND_ANYWHERE, ARRAY_SIZE(SEND_ANYWHERE), of_send, from,
                     true);
    }
    if (r >= 0) {
        r = add_firm(f, SCMP_ACT_ALLOW, CLOSE_ANY, ARRAY_SIZE(CLOSE_ANY), of_close, from, false);
    }
    if (r >= 0 && !SANDBOX_LENIENT) { /* the end of the program tries it */
        r = add_firm(f, SCMP_ACT_ERRNO(EPERM), CLOSE_ANY, 1, of_close, from, true);
    }
    return r;
}

/* A message to a stream goes where that goes; but one with MSG_FASTOPEN connects it first, and a
 * listening socket that was shut down could be connected to anybody. */
static int add_http(scmp_filter_ctx f, const struct sandbox_list *k)
{
    int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(sendfile), 0);
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
                             SCMP_A1(SCMP_CMP_EQ, IPPROTO_TCP), SCMP_A2(SCMP_CMP_EQ, TCP_CORK));
    }
    if (r >= 0 && k->sends == SANDBOX_SENDS_CONNECTED) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    }
    return r;
}

static int add_engine_files(scmp_filter_ctx f)
{
    int r = add_all(f, SCMP_ACT_ALLOW, ENGINE_LOOKS, ARRAY_SIZE(ENGINE_LOOKS));
    if (r >= 0) {
        r = add_all(f, SCMP_ACT_ALLOW, ENGINE_FILES, ARRAY_SIZE(ENGINE_FILES));
    }
    if (r >= 0 && !SANDBOX_LENIENT) {
        r = add_all(f, SCMP_ACT_ERRNO(EPERM), ENGINE_FILES_FAIL, ARRAY_SIZE(ENGINE_FILES_FAIL));
    }
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0);
    }
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ENGINE_FILES_FCNTL); i++) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)ENGINE_FILES_FCNTL[i]));
    }
    return r;
}

static int add_engine_no_files(scmp_filter_ctx f)
{
    int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                             SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
    if (SANDBOX_LENIENT || r < 0) {
        return r;
    }
    r = add_all(f, SCMP_ACT_ERRNO(EPERM), ENGINE_LOOKS, ARRAY_SIZE(ENGINE_LOOKS));
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(newfstatat), 1,
                             SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH));
    }
    return r;
}

static int add_engine_sends(scmp_filter_ctx f, const struct sandbox_list *k)
{
    if (k->sends == SANDBOX_SENDS_FIRM) {
        return add_sends_firm(f, k->firm);
    }
    int r = add_all(f, SCMP_ACT_ALLOW, CLOSE_ANY, ARRAY_SIZE(CLOSE_ANY));
    if (r < 0) {
        return r;
    }
    return k->sends == SANDBOX_SENDS_CONNECTED
               ? add_sends_connected(f)
               : add_all(f, SCMP_ACT_ALLOW, SEND_ANYWHERE, ARRAY_SIZE(SEND_ANYWHERE));
}

static int build_engine(scmp_filter_ctx f, const void *list)
{
    const struct sandbox_list *k = list;
    int r = add_all(f, SCMP_ACT_ALLOW, COMMON, ARRAY_SIZE(COMMON));
    if (r >= 0) {
        r = add_engine_sends(f, k);
    }
    if (r >= 0) {
        r = add_engine_lists(f);
    }
    if (r >= 0) {
        r = add_engine_memory(f);
    }
    if (r >= 0) {
        r = add_engine_self(f);
    }
    if (r >= 0) {
        r = k->files ? add_engine_files(f) : add_engine_no_files(f);
    }
    if (r >= 0 && k->http) {
        r = add_http(f, k);
    }
    if (SANDBOX_LENIENT || r < 0) {
        return r; /* the default is the same action then, which libseccomp refuses to add */
    }
    return add_all(f, SCMP_ACT_ERRNO(EPERM), ENGINE_FAILS, ARRAY_SIZE(ENGINE_FAILS));
}

/* Entering a network namespace and no other kind, where the command line asks for one. */
static int add_setns(scmp_filter_ctx f, bool netns)
{
    int r = 0;
    if (netns) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setns), 1,
                             SCMP_A1(SCMP_CMP_EQ, CLONE_NEWNET));
    }
    if (r >= 0 && netns && !SANDBOX_LENIENT) {
        r = seccomp_rule_add(f, ACT_DEADLY, SCMP_SYS(setns), 1, SCMP_A1(SCMP_CMP_NE, CLONE_NEWNET));
    } else if (r >= 0 && !SANDBOX_LENIENT) {
        r = seccomp_rule_add(f, ACT_DEADLY, SCMP_SYS(setns), 0);
    }
    return r;
}

/* A role that starts again (sys/roles.h) changes its root directory. */
static int add_chroot(scmp_filter_ctx f, bool may)
{
    if (may) {
        return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(chroot), 0);
    }
    return SANDBOX_LENIENT ? 0 : seccomp_rule_add(f, ACT_DEADLY, SCMP_SYS(chroot), 0);
}

/* The commands of sys/bpf.c; a command is the call's first argument. */
static int add_bpf(scmp_filter_ctx f, bool allow)
{
    static const int commands[] = {BPF_MAP_CREATE,         BPF_MAP_LOOKUP_ELEM, BPF_PROG_LOAD,
                                   BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE,     BPF_LINK_UPDATE,
                                   BPF_PROG_QUERY};
    int r = 0;
    for (size_t i = 0; allow && r >= 0 && i < ARRAY_SIZE(commands); i++) {
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    }
    return r;
}

static int build_broker(scmp_filter_ctx f, const void *list)
{
    const struct sandbox_broker_list *k = list;
    int r = add_all(f, SCMP_ACT_ALLOW, COMMON, ARRAY_SIZE(COMMON));
    if (r >= 0) {
        r = add_all(f, SCMP_ACT_ALLOW, CLOSE_ANY, ARRAY_SIZE(CLOSE_ANY));
    }
    if (r >= 0) {
        r = add_all(f, SCMP_ACT_ALLOW, SEND_ANYWHERE, ARRAY_SIZE(SEND_ANYWHERE));
    }
    if (r >= 0) {
        r = add_all(f, SCMP_ACT_ALLOW, BROKER_MORE, ARRAY_SIZE(BROKER_MORE));
    }
    if (r >= 0) {
        r = add_setns(f, k->netns);
    }
    if (r >= 0) {
        r = add_chroot(f, k->chroot);
    }
    if (r >= 0) {
        r = add_bpf(f, k->bpf);
    }
    if (r >= 0 && !SANDBOX_LENIENT) {
        r = add_all(f, ACT_DEADLY, BROKER_DEADLY, ARRAY_SIZE(BROKER_DEADLY));
    }
    if (r >= 0) { /* fork for the resolver, and for roles, in no new namespace */
        r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_CMP(CLONE_FLAGS_ARG, SCMP_CMP_MASKED_EQ,
                                      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                          CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
                                      0));
    }
    if (r >= 0) {
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    return r;
}

static int install(uint32_t otherwise, int (*build)(scmp_filter_ctx, const void *),
                   const void *list, struct error *err)
{
    scmp_filter_ctx f = seccomp_init(otherwise);
    if (!f) {
        return error_set(err, ENOMEM, "cannot make the system call filter: out of memory");
    }
    int r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, ACT_DEADLY);
    if (r >= 0) {
        r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    }
    if (r >= 0) { /* a search tree instead of a chain: the calls are many */
        r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    if (r >= 0) {
        r = build(f, list);
    }
    if (r >= 0) {
        r = seccomp_load(f);
    }
    seccomp_release(f);
    return r < 0 ? error_sys(err, -r, "cannot install the system call filter") : 0;
}

int sandbox_filter_engine(const struct sandbox_list *list, struct error *err)
{
    return install(ACT_DEADLY, build_engine, list, err);
}

int sandbox_filter_broker(const struct sandbox_broker_list *list, struct error *err)
{
    return install(SCMP_ACT_ERRNO(EPERM), build_broker, list, err);
}
