/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine that has a folder for its root directory, and one that serves HTTP, behind their walls:
 * what a database and a server need works, and nothing leads out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "sys/sandbox_testing.h"

/* A folder of nobody's, "root", and beside it a file that all may read, "secret". */
static struct world {
    char top[64], root[80], secret[80];
    int listener, client; /* TCP, on the loopback interface, not yet accepted */
    int file;             /* of 5 bytes */
} world;

static int make_world(void **state)
{
    (void)state;
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    snprintf(world.top, sizeof(world.top), "/tmp/farspan-files-XXXXXX");
    assert_non_null(mkdtemp(world.top));
    snprintf(world.root, sizeof(world.root), "%s/root", world.top);
    snprintf(world.secret, sizeof(world.secret), "%s/secret", world.top);
    assert_int_equal(chmod(world.top, 0755), 0);
    assert_int_equal(mkdir(world.root, 0700), 0);
    assert_int_equal(chown(world.root, NOBODY, NOBODY), 0);
    world.file = open(world.secret, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(world.file, "hello", 5), 5);
    char link[96];
    snprintf(link, sizeof(link), "%s/way-out", world.root);
    assert_int_equal(symlink(world.secret, link), 0);
    world.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    world.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(world.listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(world.listener, 8), 0);
    assert_int_equal(getsockname(world.listener, (struct sockaddr *)&sin, &len), 0);
    assert_int_equal(connect(world.client, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return 0;
}

static int remove_world(void **state)
{
    (void)state;
    static const char *const names[] = {"root/way-out", "root/a.db", "root/b.db", "root", "secret"};
    close(world.listener);
    close(world.client);
    close(world.file);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", world.top, names[i]);
        remove(path);
    }
    return rmdir(world.top);
}

static int run(enum mode mode, const struct sandbox_conf *conf, int (*what)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enter_as(mode, *conf);
        _exit(what());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* The same as a role's process: what the broker has is all that it begins with. */
static int run_as_role(const struct sandbox_conf *conf, int (*what)(void))
{
    static const int caps[] = {CAP_KILL, CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT, CAP_SETPCAP};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (sandbox_confine_broker(caps, ARRAY_SIZE(caps), NULL) < 0) {
            _exit(NO_ENTRY);
        }
        enter_as(AS_ROOT, *conf);
        _exit(what());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, strerror(errno));           \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* -- files ------------------------------------------------------------------------------------- */

static int keep_a_database(void)
{
    struct stat st;
    char buf[8], cwd[128];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    _cleanup_(closep) int fd = open("a.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && getcwd(cwd, sizeof(cwd)));
    CHECK(fcntl(fd, F_SETLK, &lock) == 0 && fcntl(fd, F_GETLK, &lock) == 0);
    CHECK(pwrite(fd, "page", 4, 4096) == 4 && pread(fd, buf, 4, 4096) == 4);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && ftruncate(fd, 4096) == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 4096 && stat("a.db", &st) == 0);
    CHECK(lstat("a.db", &st) == 0 && access("a.db", F_OK) == 0);
    CHECK(syscall(SYS_newfstatat, AT_FDCWD, "a.db", &st, 0) == 0);
    CHECK(access("a.db-wal", F_OK) < 0 && errno == ENOENT);
    CHECK(readlink("a.db", buf, sizeof(buf)) < 0 && errno == EINVAL);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && munmap(p, 4096) == 0);
    CHECK(fchmod(fd, 0644) < 0 && errno == EPERM);
    CHECK(rename("a.db", "b.db") == 0 && unlink("b.db") == 0);
    _cleanup_(closep) int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir >= 0 && fsync(dir) == 0);
    return 0;
}

static bool cannot_read(const char *path)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        fprintf(stderr, "%s can be read\n", path);
    }
    return fd < 0 && errno == ENOENT;
}

static int reach_nothing_else(void)
{
    static const char *const paths[] = {"/etc/passwd",         "../secret",
                                        "/../secret",          "../../../../etc/passwd",
                                        "/proc/self/maps",     "/proc/1/root/secret",
                                        "/dev/null",           "way-out",
                                        "/dev/fd/0",           "/tmp",
                                        "/proc/self/fd/../cwd"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        CHECK(cannot_read(paths[i]));
    }
    CHECK(cannot_read(world.secret));
    /* Above the root there is the root. */
    CHECK(rename("way-out", "../out") == 0 && rename("out", "way-out") == 0);
    return 0;
}

static void folder_is_all_there_is(void **state)
{
    (void)state;
    const struct sandbox_conf conf = {.root = world.root, .sends = SANDBOX_SENDS_CONNECTED};
    assert_int_equal(run(AS_ROOT, &conf, keep_a_database), 0);
    assert_int_equal(run(AS_ROOT, &conf, reach_nothing_else), 0);
    assert_int_equal(run_as_role(&conf, keep_a_database), 0);
    assert_int_equal(run_as_role(&conf, reach_nothing_else), 0);
    /* Without CAP_SYS_CHROOT it works alike, by names without a slash at their beginning; the
     * folder is the user's own. */
    assert_int_equal(run(AS_USER, &conf, keep_a_database), 0);
}

static int try_mkdir(void)
{
    return said(mkdir("folder", 0700));
}

static int try_symlink(void)
{
    return said(symlink("/", "link"));
}

static int try_link(void)
{
    return said(link("a.db", "b.db"));
}

static int try_mknod(void)
{
    return said(mknod("pipe", S_IFIFO | 0600, 0));
}

static int try_chmod(void)
{
    return said(chmod("a.db", 0777));
}

static int try_chroot(void)
{
    return said(chroot("."));
}

static int try_chdir(void)
{
    return said(chdir(".."));
}

static int try_openat2(void)
{
    return said(syscall(SYS_openat2, AT_FDCWD, "a.db", NULL, 0));
}

static int try_execute(void)
{
    char *argv[] = {NULL};
    return said(execve("a.db", argv, argv));
}

static int try_map_executable(void)
{
    int fd = open("a.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return said((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
}

static int try_socket(void)
{
    return said(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int try_list(void)
{
    char buf[512];
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return said(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
}

static void other_calls_end_or_fail(void **state)
{
    (void)state;
    static int (*const what[])(void) = {try_mkdir,   try_symlink,        try_link,   try_mknod,
                                        try_chmod,   try_chroot,         try_chdir,  try_openat2,
                                        try_execute, try_map_executable, try_socket, try_list};
    const struct sandbox_conf conf = {.root = world.root, .sends = SANDBOX_SENDS_CONNECTED};
    for (int mode = 0; mode < MODES; mode++) {
        for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
            int status = run((enum mode)mode, &conf, what[i]);
            if (!stopped(status)) {
                fail_msg("case %zu (mode %d): status %#x", i, mode, status);
            }
        }
    }
}

static void folder_that_is_none(void **state)
{
    (void)state;
    const struct sandbox_conf conf = {.root = "/no/such/folder"};
    int status = run(AS_ROOT, &conf, keep_a_database);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == NO_ENTRY);
}

/* -- HTTP -------------------------------------------------------------------------------------- */

static int answer_by_pieces(int fd)
{
    char line[] = "HTTP/1.1 200 OK\r\n", end[] = "\r\n";
    struct iovec iov[] = {{line, 17}, {end, 2}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    int on = 1, off = 0;
    off_t at = 0;
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
    CHECK(sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_MORE) == 19);
    CHECK(sendfile(fd, world.file, &at, 5) == 5);
    CHECK(writev(fd, iov, 2) == 19 && send(fd, "x", 1, MSG_NOSIGNAL) == 1);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
    return 0;
}

static int serve(void)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof(sin);
    struct epoll_event ev = {.events = EPOLLIN};
    char buf[64];
    int e = epoll_create1(EPOLL_CLOEXEC), error = -1;
    CHECK(e >= 0 && epoll_ctl(e, EPOLL_CTL_ADD, world.listener, &ev) == 0);
    CHECK(epoll_wait(e, &ev, 1, 5000) == 1);
    int fd = accept4(world.listener, (struct sockaddr *)&sin, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(fd >= 0 && getpeername(fd, (struct sockaddr *)&sin, &len) == 0);
    CHECK(recv(fd, buf, sizeof(buf), 0) < 0 && errno == EAGAIN);
    CHECK(answer_by_pieces(fd) == 0);
    len = sizeof(error);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
    CHECK(recv(world.client, buf, sizeof(buf), MSG_WAITALL | MSG_DONTWAIT) == 19 + 5 + 19 + 1);
    CHECK(shutdown(fd, SHUT_WR) == 0 && recv(world.client, buf, sizeof(buf), 0) == 0);
    return 0;
}

static int try_sendto(void)
{
    const struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(9)};
    return said(sendto(world.client, "x", 1, 0, (const struct sockaddr *)&sin, sizeof(sin)));
}

/* A listening socket, shut down and sent by with MSG_FASTOPEN, would connect to anybody. */
static int try_connect_by_sending(void)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char x = 'x';
    struct iovec iov = {&x, 1};
    struct msghdr msg = {
        .msg_name = &sin, .msg_namelen = sizeof(sin), .msg_iov = &iov, .msg_iovlen = 1};
    if (shutdown(world.listener, SHUT_RDWR) < 0) {
        return OTHER;
    }
    return said(sendmsg(world.listener, &msg, MSG_FASTOPEN | MSG_NOSIGNAL));
}

static int try_connect(void)
{
    const struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(9)};
    return said(connect(world.client, (const struct sockaddr *)&sin, sizeof(sin)));
}

static int try_listen(void)
{
    return said(listen(world.listener, 100));
}

static int try_sendmmsg(void)
{
    struct mmsghdr mm = {.msg_hdr = {.msg_iovlen = 0}};
    return said(sendmmsg(world.client, &mm, 1, 0));
}

static int try_sendfile(void)
{
    off_t at = 0;
    return said(sendfile(world.client, world.file, &at, 5));
}

static int try_cork(void)
{
    int on = 1;
    return said(setsockopt(world.client, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
}

static int try_fastopen_option(void)
{
    int on = 1;
    return said(setsockopt(world.client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)));
}

static int try_sendmsg(void)
{
    char x = 'x';
    struct iovec iov = {&x, 1};
    const struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return said(sendmsg(world.client, &msg, MSG_NOSIGNAL));
}

/* Each time there is one more that wants to be served. */
static int connect_again(void)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof(sin);
    close(world.client);
    world.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getsockname(world.listener, (struct sockaddr *)&sin, &len), 0);
    return connect(world.client, (struct sockaddr *)&sin, sizeof(sin));
}

static void server_serves(void **state)
{
    (void)state;
    const struct sandbox_conf conf = {
        .root = world.root, .http = true, .sends = SANDBOX_SENDS_CONNECTED};
    assert_int_equal(run(AS_ROOT, &conf, serve), 0);
    assert_int_equal(connect_again(), 0);
    assert_int_equal(run_as_role(&conf, serve), 0);
    assert_int_equal(connect_again(), 0); /* for those behind */
}

static void server_reaches_nobody(void **state)
{
    (void)state;
    static int (*const what[])(void) = {try_sendto, try_connect_by_sending, try_connect,
                                        try_listen, try_sendmmsg,           try_fastopen_option,
                                        try_socket};
    static int (*const plain[])(void) = {try_sendfile, try_cork, try_sendmsg};
    struct sandbox_conf conf = {.http = true, .sends = SANDBOX_SENDS_CONNECTED};
    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        int status = run(AS_ROOT, &conf, what[i]);
        if (!stopped(status)) {
            fail_msg("case %zu: status %#x", i, status);
        }
    }
    conf.http = false;
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        int status = run(AS_ROOT, &conf, plain[i]);
        if (!stopped(status)) {
            fail_msg("case %zu without HTTP: status %#x", i, status);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder_is_all_there_is), cmocka_unit_test(other_calls_end_or_fail),
        cmocka_unit_test(folder_that_is_none),    cmocka_unit_test(server_serves),
        cmocka_unit_test(server_reaches_nobody),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
