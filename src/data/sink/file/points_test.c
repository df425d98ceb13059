/* SPDX-License-Identifier: Apache-2.0
 *
 * The file sink and the interfaces of taps: more than it has room for, and how it describes them.
 * And the lock that keeps two sinks from one file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/sink/file/lock.h"
#include "data/sink/file/testing.h"
#include "proto/pcapng.h"

enum {
    DEADLINE_MS = 20000,
    STALLED = 2 * FILE_SINK_CHUNK / 1000 + 200, /* frames of 1000 bytes: more than two chunks */
};

/* How many blocks of a type there are; more interfaces than the reader of pcapng.h knows. */
static uint64_t blocks(const struct util_pipe *d, uint32_t type)
{
    uint64_t n = 0;
    size_t at = 0;
    for (uint32_t head[2]; at < d->len; at += head[1]) {
        memcpy(head, d->data + at, sizeof(head));
        assert_true(head[1] >= PCAPNG_BLOCK_MIN && head[1] <= d->len - at);
        n += head[0] == type ? 1 : 0;
    }
    return n;
}

/* A tap whose interfaces come and go while the reader stands still, until there is room for no
 * other: what the next one sends is counted, and there is room for it when the reader reads. */
static void there_is_room_again(void **state)
{
    (void)state;
    int fd[2];
    char name[32];
    struct error err = {""};
    struct file_sink_conf conf = util_conf;
    conf.chunks = 2;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    struct sink *s = util_sink(fd[1], false, &conf);
    util_point(s, 1, "first", NULL);
    for (uint32_t i = 0; i < STALLED; i++) {
        util_write(s, 1, i, 1000);
    }
    assert_true(util_count(s, 1, LEDGER_SINK_FULL) > 0);
    for (uint32_t i = 1; i < POINT_MAX; i++) {
        snprintf(name, sizeof(name), "tap%u", i);
        util_point(s, 2, name, NULL);
        s->ops->point_remove(s, 2);
    }
    const struct point_offer more = {.index = 2, .tap = "one more", .ifname = "eth0"};
    assert_int_equal(s->ops->check(s, &err), 0);
    assert_int_equal(s->ops->point_add(s, &more, &err), -ENOSPC);
    for (uint32_t i = 0; i < 10; i++) {
        util_write(s, 2, i, 60);
    }
    assert_int_equal(s->ops->check(s, &err), 1);
    assert_non_null(strstr(err.text, "the file: no room for 1 interface of taps"));
    util_balanced(s, 2, 10);
    assert_int_equal(util_count(s, 2, LEDGER_SINK_REFUSED), 10);
    struct util_pipe d = {.fd = fd[0]};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, util_pipe_read, &d), 0);
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    while (s->ops->point_add(s, &more, NULL) == -ENOSPC) {
        assert_false(mono_due(mono_now(), deadline));
        s->ops->flush(s);
        poll(NULL, 0, 1);
    }
    assert_int_equal(s->ops->check(s, &err), 0);
    util_write(s, 2, 10, 60);
    assert_int_equal(s->ops->finish(s, &err), 0);
    util_balanced(s, 1, STALLED);
    util_balanced(s, 2, 11);
    assert_int_equal(util_count(s, 2, LEDGER_SINK_OUT), 1);
    uint64_t out = util_count(s, 1, LEDGER_SINK_OUT) + 1;
    sink_free(s);
    pthread_join(t, NULL);
    assert_int_equal(blocks(&d, PCAPNG_EPB), out);
    /* those that sent nothing are described as far as there was room, which is one chunk where the
     * reader is slow; each has its statistics */
    assert_in_range(blocks(&d, PCAPNG_IDB), POINT_MAX / 8, POINT_MAX + 1);
    assert_int_equal(blocks(&d, PCAPNG_ISB), blocks(&d, PCAPNG_IDB));
    free(d.data);
    close(fd[0]);
}

/* The first frame of an interface where a chunk has room for all of it, but for its description. */
static void descriptions_at_the_end_of_a_chunk(void **state)
{
    (void)state;
    struct file_sink_conf conf = util_conf;
    conf.chunks = 2;
    for (uint32_t left = 0; left < 600; left += 8) {
        char path[] = "/dev/shm/farspan-chunk.XXXXXX";
        struct sink *s = util_sink(mkostemp(path, O_CLOEXEC), false, &conf);
        util_point(s, 1, "web1", NULL);
        util_point(s, 2, "db2", NULL);
        util_write(s, 1, 0, FILE_SINK_CHUNK - FRAME_LEN_MAX);
        util_write(s, 1, 3, FRAME_LEN_MAX - 200 - left);
        util_write(s, 2, 6, 60);
        assert_int_equal(s->ops->finish(s, NULL), 0);
        assert_int_equal(util_count(s, 2, LEDGER_SINK_OUT), 1);
        sink_free(s);
        struct util_file u = util_read_path(path);
        assert_int_equal(u.whole, u.len);
        assert_int_equal(u.frames, 3);
        assert_int_equal(u.bad, 0);
        assert_int_equal(u.interfaces, 2);
        assert_int_equal(u.last_interface, 1);
        unlink(path);
    }
}

/* The snaplen of every interface in a file, which must be one. */
static uint32_t snaplen_of(const char *path)
{
    static uint8_t buf[1 << 20];
    struct util_pipe d = {.data = buf};
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, buf, sizeof(buf));
    assert_true(n > 0 && (size_t)n < sizeof(buf));
    d.len = (size_t)n;
    assert_true(blocks(&d, PCAPNG_IDB) > 0);
    uint32_t head[4], found = 0, interfaces = 0;
    for (size_t at = 0; at < d.len; at += head[1]) {
        memcpy(head, buf + at, 12);
        if (head[0] == PCAPNG_IDB) {
            memcpy(head, buf + at, sizeof(head));
            assert_true(interfaces++ == 0 || head[3] == found);
            found = head[3];
        }
    }
    return found;
}

/* Continues the file by taps that cut to other lengths. */
static void continue_with(const char *path, uint32_t len, uint32_t n)
{
    struct sink *s = util_sink(open(path, O_RDWR | O_CLOEXEC), true, &util_conf);
    const struct point_offer point[] = {
        {.index = 1, .tap = "web1", .ifname = "eth0"},
        {.index = 2, .tap = "db2", .ifname = "eth0", .snaplen = 64},
        {.index = 3, .tap = "db3", .ifname = "eth0", .snaplen = 65535},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(point); i++) {
        assert_int_equal(s->ops->point_add(s, &point[i], NULL), 0);
        util_write(s, point[i].index, i, i == 0 ? len : 64);
    }
    assert_int_equal(s->ops->finish(s, NULL), 0);
    assert_int_equal(util_count(s, 1, LEDGER_SINK_OUT), n);
    assert_int_equal(util_count(s, 1, LEDGER_SINK_LONG), 1 - n);
    sink_free(s);
}

/* A file whose one interface has that snaplen. */
static void make_other(const char *path, uint32_t snaplen)
{
    static uint8_t buf[4096];
    struct wr w = wr_make(buf, sizeof(buf));
    pcapng_put_shb(&w, &(struct pcapng_shb){.app = pcapng_text("another")});
    pcapng_put_idb(&w, &(struct pcapng_idb){.linktype = 1, .snaplen = snaplen});
    _cleanup_(closep) int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, buf, wr_len(&w)), wr_len(&w));
}

/* Programs that use libpcap read a file as long as all its interfaces have one snaplen and no frame
 * is longer. */
static void one_snaplen_in_a_file(void **state)
{
    (void)state;
    char path[] = "/dev/shm/farspan-snaplen.XXXXXX";
    close(mkostemp(path, O_CLOEXEC));
    continue_with(path, 300000, 1);
    assert_int_equal(snaplen_of(path), FRAME_LEN_MAX);
    continue_with(path, 300000, 1);
    assert_int_equal(snaplen_of(path), FRAME_LEN_MAX);
    make_other(path, 0); /* libpcap: 262144 */
    continue_with(path, 262144, 1);
    continue_with(path, 262145, 0);
    assert_int_equal(snaplen_of(path), 0);
    make_other(path, 262144);
    continue_with(path, 262144, 1);
    continue_with(path, 262145, 0);
    assert_int_equal(snaplen_of(path), 262144);
    make_other(path, 96);
    struct error err = {""};
    struct sink *s = NULL;
    _cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_int_equal(file_sink_new(fd, true, &util_conf, &s, &err), -EEXIST);
    assert_non_null(strstr(err.text, "the file has frames of at most 96 bytes"));
    assert_int_equal(lseek(fd, 0, SEEK_END), size);
    unlink(path);
}

static int open_again(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void assert_locked(const char *path, bool locked)
{
    struct error err = {""};
    int lock = -1;
    _cleanup_(closep) int fd = open_again(path);
    assert_int_equal(file_lock(fd, path, &lock, &err), locked ? -EBUSY : 0);
    assert_int_equal(lock < 0, locked);
    assert_int_equal(strstr(err.text, path) == err.text && strstr(err.text, "end that one first"),
                     locked);
    if (lock >= 0) {
        close(lock);
    }
}

/* The descriptor as the other process gets it. */
static int passed_on(int fd)
{
    int pair[2];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    char byte = 1;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    assert_int_equal(sendmsg(pair[0], &m, 0), 1);
    close(fd);
    assert_int_equal(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC), 1);
    memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
    close(pair[0]);
    close(pair[1]);
    return fd;
}

/* A file has one who writes it, until its last descriptor of the lock is closed. */
static void one_writes_a_file(void **state)
{
    (void)state;
    char path[] = "/dev/shm/farspan-lock.XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC), lock = -1, go[2];
    assert_true(fd >= 0);
    assert_int_equal(file_lock(fd, path, &lock, NULL), 0);
    assert_true(lock >= 0);
    int copy = dup(fd);
    close(fd);
    close(copy); /* what a process closes of the file itself does not matter */
    assert_locked(path, true);
    lock = passed_on(lock);
    assert_locked(path, true);
    close(lock);
    assert_locked(path, false);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fd = open_again(path);
        _exit(file_lock(fd, path, &lock, NULL) == 0 && write(go[1], "", 1) == 1 ? pause() : 1);
    }
    char byte;
    assert_int_equal(read(go[0], &byte, 1), 1);
    assert_locked(path, true);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_locked(path, false);
    unlink(path);
    close(go[0]);
    close(go[1]);
}

static void what_is_no_file_needs_no_lock(void **state)
{
    (void)state;
    int fd[2], lock;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    for (unsigned i = 0; i < 2; i++) {
        lock = 0;
        assert_int_equal(file_lock(fd[1], "-", &lock, NULL), 0);
        assert_int_equal(lock, -1);
    }
    close(fd[0]);
    close(fd[1]);
    fd[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(file_lock(fd[0], "/dev/null", &lock, NULL), 0);
    assert_int_equal(lock, -1);
    close(fd[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions_at_the_end_of_a_chunk),
        cmocka_unit_test(one_snaplen_in_a_file),
        cmocka_unit_test(one_writes_a_file),
        cmocka_unit_test(what_is_no_file_needs_no_lock),
        cmocka_unit_test(there_is_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
