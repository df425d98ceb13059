/* SPDX-License-Identifier: Apache-2.0
 *
 * The file sink on files, pipes and devices: what arrives, what is counted, and what is left of a
 * file when things go wrong. A full disk is space_test.c's.
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
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/align.h"
#include "data/sink/fake.h"
#include "data/sink/file/testing.h"
#include "proto/pcapng.h"
#include "proto/tshark_judge.h"

enum {
    MANY = 100000,
    DEADLINE_MS = 20000,
};

static int temp(char path[32])
{
    snprintf(path, 32, "/dev/shm/farspan-file.XXXXXX"); /* memory: each finish() syncs */
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void finish(struct sink *s)
{
    struct error err = {""};
    if (s->ops->finish(s, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void all_sizes_arrive(void **state)
{
    (void)state;
    char path[32];
    struct sink *s = util_sink(temp(path), false, &util_conf);
    uint32_t n = 0;
    util_point(s, 7, "web1", "tcp");
    for (uint32_t len = 0; len < 100; len++) {
        util_write(s, 7, n++, len);
    }
    const uint32_t large[] = {1514, 9000, 65535, 65536, 300000, FRAME_LEN_MAX - 1, FRAME_LEN_MAX};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(large); i++) {
        util_write(s, 7, n++, large[i / 2]);
    }
    util_write(s, 7, n, FRAME_LEN_MAX + 1);
    util_write(s, 8, n, 60); /* a point that was never added */
    s->ops->flush(s);
    finish(s);
    struct util_file u = util_read_path(path);
    assert_int_equal(u.frames, n);
    assert_int_equal(u.bad, 0);
    assert_int_equal(u.whole, u.len);
    assert_int_equal(u.sections, 1);
    assert_int_equal(u.interfaces, 1);
    assert_int_equal(u.stats, 1);
    assert_int_equal(u.delivered, n);
    assert_int_equal(util_count(s, 7, LEDGER_SINK_OUT), n);
    assert_int_equal(util_count(s, 7, LEDGER_SINK_LONG), 1);
    assert_null(sink_ledger(s, 8));
    util_balanced(s, 7, n + 1);
    sink_free(s);
    unlink(path);
}

static void insertions_and_loss(void **state)
{
    (void)state;
    static const char words[] =
        "stands for 10 frames; clock: -3600.250000 s against the collector's, taken off, wrong by "
        "0.001250 s at most; times before are its own";
    char path[32];
    struct batch b = {.n = 2};
    uint8_t data[60], got[1024];
    memset(data, 0xaa, sizeof(data));
    struct sink *s = util_sink(temp(path), false, &util_conf);
    util_point(s, 0, "web1", NULL);
    b.f[0] = (struct frame){.data = data,
                            .datalen = 60,
                            .caplen = 64,
                            .origlen = 64,
                            .lost = 3,
                            .ins_len = 4,
                            .ins_off = 12};
    memcpy(b.f[0].ins, "\x81\0\0\x05", 4);
    b.f[1] = b.f[0];
    b.f[1].caplen = 14; /* sliced in the midst of the tag */
    b.f[1].lost = 0;
    b.f[1].more = 9;
    b.f[1].clock = ALIGN_TELLS | ALIGN_FIRST;
    b.f[1].clock_offset = -3600250000000;
    b.f[1].clock_bound_us = 1250;
    s->ops->write(s, &b);
    finish(s);
    sink_free(s);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = (size_t)read(fd, got, sizeof(got)), at = 0;
    static struct pcapng_reader r;
    struct pcapng_item it;
    pcapng_reader_init(&r);
    for (unsigned frames = 0; frames < 2; at += it.len) {
        assert_int_equal(pcapng_read(&r, got + at, len - at, &it), 0);
        if (it.kind == PCAPNG_FRAME) {
            assert_int_equal(it.epb.caplen, frames ? 14 : 64);
            assert_int_equal(it.epb.lost, frames ? 0 : 3);
            assert_int_equal(it.epb.comment.len, frames ? strlen(words) : 0);
            assert_memory_equal(it.epb.comment.p, words, it.epb.comment.len);
            assert_memory_equal(it.data + 12, "\x81\0\0\x05", frames ? 2 : 4);
            assert_int_equal(it.data[frames ? 11 : 63], 0xaa);
            frames++;
        }
    }
    unlink(path);
}

static void many_frames_as_tshark_counts(void **state)
{
    (void)state;
    char path[32], line[64];
    struct sink *s = util_sink(temp(path), false, &util_conf);
    util_point(s, 0, "web1", NULL);
    util_point(s, 1, "db2", NULL);
    for (uint32_t i = 0; i < MANY; i++) {
        util_write(s, i & 1, i, 60 + i % 200);
        if (i % 1000 == 0) {
            s->ops->flush(s);
        }
    }
    finish(s);
    struct util_file u = util_read_path(path);
    uint64_t full = util_count(s, 0, LEDGER_SINK_FULL) + util_count(s, 1, LEDGER_SINK_FULL);
    assert_int_equal(u.frames, MANY - full);
    assert_int_equal(full, 0); /* 16 MB into 64 buffers */
    assert_int_equal(u.bad, 0);
    assert_int_equal(u.delivered, MANY);
    util_balanced(s, 0, MANY / 2);
    util_balanced(s, 1, MANY / 2);
    sink_free(s);
    if (!judge_missing()) {
        FILE *f = judge_open(path, "-e frame.interface_name -e frame.len");
        uint32_t n = 0;
        for (; fgets(line, sizeof(line), f); n++) {
            char want[64];
            snprintf(want, sizeof(want), "%s:eth0|%u\n", n & 1 ? "db2" : "web1", 67 + n % 200);
            assert_string_equal(line, want);
        }
        assert_int_equal(pclose(f), 0);
        assert_int_equal(n, MANY);
    }
    unlink(path);
}

static void make_pipe(int fd[2])
{
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
}

/* Waits until the ledger's figure is at least `min`, writing and flushing nothing. */
static void wait_count(struct sink *s, enum ledger_id id, uint64_t min)
{
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    while (util_count(s, 0, id) < min) {
        assert_false(mono_due(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
}

static void a_live_pipe_gets_frames_on_flush(void **state)
{
    (void)state;
    int fd[2];
    uint8_t got[4096];
    size_t len = 0;
    make_pipe(fd);
    struct sink *s = util_sink(fd[1], false, &util_conf);
    util_point(s, 0, "web1", NULL);
    util_write(s, 0, 1, 100);
    s->ops->flush(s);
    while (len < 4 || util_read(got, len).frames == 0) {
        struct pollfd p = {.fd = fd[0], .events = POLLIN};
        assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
        len += (size_t)read(fd[0], got + len, sizeof(got) - len);
    }
    finish(s);
    sink_free(s);
    close(fd[0]);
}

static void a_stalled_reader_costs_frames_not_time(void **state)
{
    (void)state;
    int fd[2];
    make_pipe(fd);
    struct file_sink_conf conf = util_conf;
    struct util_pipe d = {.fd = fd[0]};
    pthread_t t;
    uint32_t n = 0;
    conf.chunks = 2;
    struct sink *s = util_sink(fd[1], false, &conf);
    util_point(s, 0, "web1", NULL);
    while (n == 0 || util_count(s, 0, LEDGER_SINK_FULL) < 1000) {
        util_write(s, 0, n++, 1000);
    }
    assert_true(util_count(s, 0, LEDGER_SINK_OUT) == 0);
    pthread_create(&t, NULL, util_pipe_read, &d);
    wait_count(s, LEDGER_SINK_OUT, 1);
    uint64_t dropped = util_count(s, 0, LEDGER_SINK_FULL);
    util_write(s, 0, n++, 1000); /* a chunk is free: this one says what was lost before it */
    if (util_count(s, 0, LEDGER_SINK_FULL) != dropped) {
        wait_count(s, LEDGER_SINK_OUT, 1001);
        dropped++;
        util_write(s, 0, n++, 1000);
    }
    util_write(s, 0, n++, 1000); /* and only this one */
    finish(s);
    util_balanced(s, 0, n);
    uint64_t out = util_count(s, 0, LEDGER_SINK_OUT);
    sink_free(s);
    pthread_join(t, NULL);
    struct util_file u = util_read(d.data, d.len);
    assert_int_equal(u.whole, u.len);
    assert_int_equal(u.frames, out);
    assert_int_equal(u.bad, 0);
    assert_int_equal(u.lost, dropped);
    assert_int_equal(u.frames + u.lost, n);
    free(d.data);
    close(fd[0]);
}

static void a_reader_that_never_reads_is_given_up(void **state)
{
    (void)state;
    int fd[2];
    struct error err = {""};
    make_pipe(fd);
    struct file_sink_conf conf = util_conf;
    conf.finish_ms = 100;
    struct sink *s = util_sink(fd[1], false, &conf);
    int before = fcntl(fd[1], F_GETFL);
    util_point(s, 0, "web1", NULL);
    for (uint32_t i = 0; i < 3000; i++) {
        util_write(s, 0, i, 1000);
    }
    struct mono start = mono_now();
    assert_int_equal(s->ops->finish(s, &err), -ETIMEDOUT);
    assert_non_null(strstr(err.text, "in time"));
    assert_true(mono_diff(mono_now(), start) < 5 * NSEC_PER_SEC);
    util_balanced(s, 0, 3000);
    assert_true(util_count(s, 0, LEDGER_SINK_CLOSED) > 2900);
    /* Each frame that is counted as written is in the pipe, whole. */
    uint64_t out = util_count(s, 0, LEDGER_SINK_OUT);
    int copy = fcntl(fd[1], F_DUPFD_CLOEXEC, 0);
    sink_free(s);
    assert_true(before & O_NONBLOCK);
    assert_false(fcntl(copy, F_GETFL) & O_NONBLOCK); /* as it was */
    close(copy);
    struct util_pipe d = {.fd = fd[0]};
    util_pipe_read(&d);
    assert_int_equal(util_read(d.data, d.len).frames, out);
    free(d.data);
    close(fd[0]);
}

static void a_reader_that_goes_is_noticed(void **state)
{
    (void)state;
    for (int idle = 0; idle < 2; idle++) {
        int fd[2];
        struct error err = {""};
        make_pipe(fd);
        struct sink *s = util_sink(fd[1], false, &util_conf);
        struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
        util_point(s, 0, "web1", NULL);
        assert_int_equal(s->ops->check(s, &err), 0);
        close(fd[0]);
        if (!idle) {
            util_write(s, 0, 1, 100);
            s->ops->flush(s);
        }
        while (s->ops->check(s, &err) != -EPIPE) {
            assert_false(mono_due(mono_now(), deadline));
            poll(NULL, 0, 1);
        }
        assert_string_equal(err.text, "the file: the reader is gone");
        util_write(s, 0, 2, 100);
        assert_int_equal(s->ops->finish(s, NULL), -EPIPE);
        util_balanced(s, 0, idle ? 1 : 2);
        assert_int_equal(util_count(s, 0, LEDGER_SINK_CLOSED), idle ? 1 : 2);
        sink_free(s);
    }
}

/* A file of one section with `n` frames. */
static void make_file(char path[32], uint32_t n)
{
    struct sink *s = util_sink(temp(path), false, &util_conf);
    util_point(s, 0, "web1", NULL);
    for (uint32_t i = 0; i < n; i++) {
        util_write(s, 0, i, 50);
    }
    finish(s);
    sink_free(s);
}

static void torn_files_are_continued(void **state)
{
    (void)state;
    char path[32];
    make_file(path, 5);
    size_t full = util_read_path(path).len;
    unlink(path);
    for (size_t cut = 0; cut <= full - 12; cut += 3) {
        make_file(path, 5);
        size_t left = cut % 2 ? (full - cut) & ~(size_t)3 : full - cut;
        assert_int_equal(truncate(path, (off_t)left), 0);
        uint32_t kept = util_read_path(path).frames;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (cut % 2) { /* or the blocks at the end were never filled in */
            assert_int_equal(ftruncate(fd, (off_t)full + 100), 0);
        }
        struct sink *s = NULL;
        if (file_sink_new(fd, true, &util_conf, &s, NULL) < 0) {
            assert_true(cut % 2 && left < 28); /* of the first section too little is left */
            close(fd);
            unlink(path);
            continue;
        }
        assert_int_equal(file_sink_found(s), kept);
        util_point(s, 3, "web1", NULL);
        util_write(s, 3, 99, 70);
        finish(s);
        sink_free(s);
        struct util_file u = util_read_path(path);
        assert_int_equal(u.frames, kept + 1);
        assert_int_equal(u.bad, 0);
        assert_int_equal(u.whole, u.len);
        unlink(path);
    }
}

static void other_files_are_left_alone(void **state)
{
    (void)state;
    char path[32], text[32] = {0};
    struct error err = {""};
    struct sink *s = NULL;
    int fd = temp(path);
    assert_int_equal(write(fd, "somebody's only copy", 20), 20);
    assert_int_equal(file_sink_new(fd, true, &util_conf, &s, &err), -EEXIST);
    assert_string_equal(err.text,
                        "the file exists and is not a pcapng file: it will not be overwritten");
    assert_int_equal(pread(fd, text, sizeof(text), 0), 20);
    assert_string_equal(text, "somebody's only copy");
    close(fd);
    unlink(path);
    make_file(path, 50);
    struct util_file was = util_read_path(path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(file_sink_new(fd, false, &util_conf, &s, &err), -EEXIST);
    assert_non_null(strstr(err.text, "not empty"));
    assert_int_equal(pwrite(fd, "\xff\xff\xff", 3, 1000), 3); /* somewhere in the midst */
    assert_int_equal(pwrite(fd, "\x01\0\0\0\x05\0\0\0", 8, 28 + 24), 8);
    assert_int_equal(file_sink_new(fd, true, &util_conf, &s, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "damaged at byte"));
    assert_int_equal(lseek(fd, 0, SEEK_END), was.len);
    close(fd);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(file_sink_new(fd, true, &util_conf, &s, &err), -EBADF);
    close(fd);
    assert_null(s);
    unlink(path);
}

static void taps_come_and_go(void **state)
{
    (void)state;
    char path[32];
    struct ledger figures = {0};
    struct sink *s = util_sink(temp(path), false, &util_conf);
    struct point_offer again = {.index = 4, .tap = "x", .ifname = "eth0"};
    ledger_set(&figures, LEDGER_RING_IN, 20);
    ledger_set(&figures, LEDGER_RING_FULL, 7);
    ledger_set(&figures, LEDGER_RING_OUT, 13);
    ledger_set(&figures, LEDGER_SEL_TUNNEL, 3); /* left out on purpose */
    ledger_set(&figures, LEDGER_RX_LOST, 2);
    util_point(s, 4, "web1", "tcp");
    assert_int_equal(s->ops->point_add(s, &again, NULL), -EEXIST);
    again.index = POINT_MAX;
    assert_int_equal(s->ops->point_add(s, &again, NULL), -EINVAL);
    util_write(s, 4, 0, 60);
    s->ops->point_stats(s, 4, &figures);
    s->ops->point_remove(s, 4);
    s->ops->point_remove(s, 4);
    util_point(s, 4, "db2", NULL); /* the index goes to another */
    assert_int_equal(util_count(s, 4, LEDGER_SINK_IN), 0);
    util_point(s, 5, "web1", "tcp"); /* and the first comes back under another: interface 0 again */
    util_write(s, 5, 1, 60);
    assert_int_equal(util_count(s, 5, LEDGER_SINK_IN), 2);
    s->ops->point_remove(s, 5);
    util_point(s, 5, "web1", "udp"); /* with another filter: interface 2, 1 being db2 */
    util_write(s, 5, 2, 60);
    util_write(s, 5, 3, FRAME_LEN_MAX + 1);
    s->ops->point_stats(s, 5, &figures);
    s->ops->flush(s);
    finish(s);
    util_balanced(s, 4, 0);
    util_balanced(s, 5, 4);
    sink_free(s);
    struct util_file u = util_read_path(path);
    assert_int_equal(u.interfaces, 3);
    assert_int_equal(u.frames, 3);
    assert_int_equal(u.bad, 0);
    assert_int_equal(u.stats, 4); /* twice the first, db2, the third */
    assert_int_equal(u.delivered, 1 + 2 + 0 + 1);
    /* before the sink, and in it, where the first two may have been written too early for that */
    assert_in_range(u.dropped, 3 * (7 + 2) + 1, 3 * (7 + 2 + 1));
    assert_non_null(strstr(u.comment, "ring: dropped by kernel, ring full: 7\n"));
    assert_non_null(strstr(u.comment, "sink: written: 3"));
    unlink(path);
}

static void as_many_points_as_it_says(void **state)
{
    (void)state;
    char path[32], name[32];
    struct error err = {""};
    struct sink *s = util_sink(temp(path), false, &util_conf);
    for (uint32_t i = 0; i < POINT_MAX; i++) {
        snprintf(name, sizeof(name), "tap%u", i);
        util_point(s, i, name, NULL);
        util_write(s, i, i, 60);
    }
    s->ops->point_remove(s, 0);
    struct point_offer more = {.index = 0, .tap = "one more", .ifname = "eth0"};
    assert_int_equal(s->ops->point_add(s, &more, &err), -ENOSPC);
    s->ops->point_remove(s, 0);
    more.tap = "tap0";
    assert_int_equal(s->ops->point_add(s, &more, &err), 0);
    finish(s);
    sink_free(s);
    struct util_file u = util_read_path(path);
    assert_int_equal(u.interfaces, POINT_MAX);
    assert_int_equal(u.frames, POINT_MAX);
    assert_int_equal(u.stats, POINT_MAX + 1);
    assert_int_equal(u.bad, 0);
    unlink(path);
}

static void a_file_size_limit_leaves_whole_blocks(void **state)
{
    (void)state;
    char path[32];
    struct error err = {""};
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 1500001;
    struct sink *s = util_sink(temp(path), false, &util_conf);
    util_point(s, 0, "web1", NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        util_write(s, 0, i, 1000);
    }
    int failed = s->ops->finish(s, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(failed, -EFBIG);
    util_balanced(s, 0, 3000);
    struct util_file u = util_read_path(path);
    assert_int_equal(u.whole, u.len);
    assert_in_range(u.len, 1500001 - 1100, 1500001);
    assert_int_equal(u.frames, util_count(s, 0, LEDGER_SINK_OUT));
    assert_int_equal(u.frames + util_count(s, 0, LEDGER_SINK_NOSPACE), 3000);
    sink_free(s);
    unlink(path);
}

static void freed_without_an_end(void **state)
{
    (void)state;
    char path[32];
    struct sink *s = util_sink(temp(path), false, &util_conf);
    util_point(s, 0, "web1", NULL);
    util_write(s, 0, 1, 60);
    sink_free(s);
    struct util_file u = util_read_path(path);
    assert_int_equal(u.whole, u.len);
    unlink(path);
    sink_free(NULL);
}

static void the_fake(void **state)
{
    (void)state;
    struct sink *s;
    size_t n;
    assert_int_equal(fake_sink_new("fake", &s), 0);
    util_point(s, 2, "web1", "tcp");
    util_write(s, 2, 5, 60);
    fake_sink_limit(s, 2);
    util_write(s, 2, 6, 61);
    util_write(s, 2, 7, 62);
    assert_int_equal(s->ops->check(s, NULL), 0);
    fake_sink_fail(s, EIO);
    util_write(s, 2, 8, 63);
    s->ops->flush(s);
    assert_int_equal(s->ops->finish(s, NULL), -EIO);
    const struct fake_frame *f = fake_sink_frames(s, &n);
    assert_int_equal(n, 2);
    assert_int_equal(f[1].caplen, 61);
    assert_int_equal(f[1].data[3], 9);
    assert_int_equal(f[1].point, 2);
    assert_int_equal(util_count(s, 2, LEDGER_SINK_FULL), 1);
    assert_int_equal(util_count(s, 2, LEDGER_SINK_ERROR), 1);
    util_balanced(s, 2, 4);
    s->ops->point_remove(s, 2);
    assert_string_equal(fake_sink_point(s, 2)->filter, "tcp");
    assert_int_equal(fake_sink_point(s, 2)->removes, 1);
    assert_int_equal(fake_sink_flushes(s) + fake_sink_finishes(s), 2);
    sink_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes_arrive),
        cmocka_unit_test(insertions_and_loss),
        cmocka_unit_test(many_frames_as_tshark_counts),
        cmocka_unit_test(a_live_pipe_gets_frames_on_flush),
        cmocka_unit_test(a_stalled_reader_costs_frames_not_time),
        cmocka_unit_test(a_reader_that_never_reads_is_given_up),
        cmocka_unit_test(a_reader_that_goes_is_noticed),
        cmocka_unit_test(torn_files_are_continued),
        cmocka_unit_test(other_files_are_left_alone),
        cmocka_unit_test(taps_come_and_go),
        cmocka_unit_test(as_many_points_as_it_says),
        cmocka_unit_test(a_file_size_limit_leaves_whole_blocks),
        cmocka_unit_test(freed_without_an_end),
        cmocka_unit_test(the_fake),
    };
    signal(SIGXFSZ, SIG_DFL); /* the sink itself must keep these two from killing us */
    signal(SIGPIPE, SIG_DFL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
