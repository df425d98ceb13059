/* SPDX-License-Identifier: Apache-2.0
 *
 * Many files by one thread; the length below which a file never changes; a file that may become no
 * longer than it was told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/sink/file/pool.h"
#include "data/sink/file/testing.h"

enum {
    SINKS = 200,
    DEADLINE_MS = 20000,
};

static char folder[] = "/tmp/farspan-pool-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[300];
    DIR *d = opendir(folder);
    if (!d) {
        return -1;
    }
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        (void)snprintf(path, sizeof(path), "%s/%.200s", folder, e->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    return rmdir(folder);
}

static const char *path_of(unsigned k)
{
    static char path[64];
    (void)snprintf(path, sizeof(path), "%s/%u.pcapng", folder, k);
    return path;
}

static int create(unsigned k)
{
    const int fd = open(path_of(k), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static struct file_sink_conf conf_of(struct file_pool *pool)
{
    struct file_sink_conf c = util_conf;
    c.pool = pool;
    c.chunks = 8;
    c.chunk_bytes = FILE_SINK_CHUNK_MIN;
    return c;
}

static unsigned threads(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(d);
    return n;
}

static void wait_ended(const struct sink *s)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (!file_sink_ended(s)) {
        assert_false(mono_due(mono_now(), until));
        (void)poll(NULL, 0, 1);
    }
}

static void wait_published(const struct sink *s, uint64_t len)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (file_sink_published(s) < len) {
        assert_false(mono_due(mono_now(), until));
        (void)poll(NULL, 0, 1);
    }
}

/* Each has what it was given, and all are written by the pool's thread. */
static void many_files_one_thread(void **state)
{
    (void)state;
    static struct sink *s[SINKS];
    struct file_pool *pool = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    const unsigned before = threads();
    const struct file_sink_conf c = conf_of(pool);
    for (unsigned k = 0; k < SINKS; k++) {
        s[k] = util_sink(create(k), true, &c);
        util_point(s[k], 0, "", NULL);
    }
    assert_int_equal(threads(), before);
    for (uint32_t i = 0; i < 40; i++) {
        for (unsigned k = 0; k < SINKS; k++) {
            util_write(s[k], 0, 1000 * k + i, 100 + k);
            if (i % 7 == k % 7) {
                s[k]->ops->flush(s[k]);
            }
        }
    }
    for (unsigned k = 0; k < SINKS; k++) {
        s[k]->ops->point_remove(s[k], 0);
        file_sink_end(s[k]);
    }
    for (unsigned k = 0; k < SINKS; k++) {
        wait_ended(s[k]);
        assert_int_equal(s[k]->ops->finish(s[k], NULL), 0);
        const struct util_file u = util_read_path(path_of(k));
        assert_int_equal(u.frames, 40);
        assert_int_equal(u.bad, 0);
        assert_int_equal(u.stats, 1);
        assert_int_equal(u.whole, u.len);
        assert_int_equal(file_sink_published(s[k]), u.len);
        util_balanced(s[k], 0, 40);
        sink_free(s[k]);
    }
    file_pool_free(pool);
}

/* One is freed without an end, others go on. */
static void one_that_is_given_up(void **state)
{
    (void)state;
    struct file_pool *pool = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    const struct file_sink_conf c = conf_of(pool);
    struct sink *a = util_sink(create(300), true, &c), *b = util_sink(create(301), true, &c);
    util_point(a, 0, "", NULL);
    util_point(b, 0, "", NULL);
    for (uint32_t i = 0; i < 2000; i++) {
        util_write(a, 0, i, 500);
        util_write(b, 0, i, 50);
    }
    sink_free(a);
    assert_int_equal(b->ops->finish(b, NULL), 0);
    assert_int_equal(util_read_path(path_of(301)).frames, 2000);
    const struct util_file u = util_read_path(path_of(300));
    assert_int_equal(u.whole, u.len);
    sink_free(b);
    file_pool_free(pool);
}

static void a_pipe_has_its_own_thread(void **state)
{
    (void)state;
    int ends[2];
    struct file_pool *pool = NULL;
    struct sink *s = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct file_sink_conf c = conf_of(pool);
    assert_int_equal(file_sink_new(ends[1], false, &c, &s, NULL), -EINVAL);
    close(ends[0]);
    close(ends[1]);
    file_pool_free(pool);
}

/* Whenever somebody looks, what is published is whole blocks, and what was read before stays. */
static void what_is_published_stays(void **state)
{
    (void)state;
    struct file_pool *pool = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    const struct file_sink_conf c = conf_of(pool);
    struct sink *s = util_sink(create(302), true, &c);
    _cleanup_(closep) int fd = open(path_of(302), O_RDONLY | O_CLOEXEC);
    static uint8_t now[4 << 20], before[4 << 20];
    uint64_t len = 0;
    unsigned looks = 0;
    util_point(s, 0, "", NULL);
    for (uint32_t i = 0; i < 3000; i++) {
        util_write(s, 0, i, 60 + i % 900);
        if (i % 10 == 0) {
            s->ops->flush(s);
            wait_published(s, i % 500 == 0 ? len + 1 : len);
        }
        const uint64_t n = file_sink_published(s);
        assert_true(n >= len && n <= sizeof(now));
        if (n > len) {
            assert_int_equal(pread(fd, now, n, 0), n);
            assert_memory_equal(now, before, len);
            const struct util_file u = util_read(now, n);
            assert_int_equal(u.whole, n);
            assert_int_equal(u.bad, 0);
            memcpy(before, now, n);
            len = n;
            looks++;
        }
    }
    assert_true(looks > 5);
    assert_int_equal(s->ops->finish(s, NULL), 0);
    assert_int_equal(util_read_path(path_of(302)).frames, util_count(s, 0, LEDGER_SINK_OUT));
    util_balanced(s, 0, 3000);
    sink_free(s);
    file_pool_free(pool);
}

/* With statistics and all the file is no longer than it may be, and has as many frames as fit:
 * there is not room for one more and what belongs to it. */
static void no_longer_than_it_may_be(void **state)
{
    (void)state;
    struct file_pool *pool = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    struct file_sink_conf c = conf_of(pool);
    for (unsigned k = 0; k < 20; k++) {
        c.most_bytes = 20000 + 1000 * k;
        struct sink *s = util_sink(create(400 + k), true, &c);
        util_point(s, 0, "", NULL);
        util_point(s, 1, "", "udp");
        for (uint32_t i = 0; i < 200; i++) {
            util_write(s, i % 2, i, 1000);
        }
        assert_int_equal(s->ops->finish(s, NULL), 0);
        const struct util_file u = util_read_path(path_of(400 + k));
        assert_true(u.len <= c.most_bytes);
        assert_true(u.len + 12000 > c.most_bytes);
        assert_int_equal(u.frames + file_sink_beyond(s), 200);
        assert_int_equal(u.lost, 0);
        assert_int_equal(u.dropped, 0);
        util_balanced(s, 0, (u.frames + 1) / 2);
        util_balanced(s, 1, u.frames / 2);
        sink_free(s);
    }
    file_pool_free(pool);
}

/* A file that is continued counts what was there. */
static void a_limit_of_a_file_that_goes_on(void **state)
{
    (void)state;
    struct file_pool *pool = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    struct file_sink_conf c = conf_of(pool);
    c.most_bytes = 50000;
    uint64_t frames = 0;
    for (unsigned life = 0; life < 3; life++) {
        struct sink *s = util_sink(create(500), true, &c);
        util_point(s, 0, "", NULL);
        for (uint32_t i = 0; i < 20; i++) {
            util_write(s, 0, i, 1000);
        }
        assert_int_equal(s->ops->finish(s, NULL), 0);
        const struct util_file u = util_read_path(path_of(500));
        assert_true(u.len <= c.most_bytes);
        frames += 20 - file_sink_beyond(s);
        assert_int_equal(u.frames, frames);
        assert_int_equal(file_sink_beyond(s) > 0, life == 2);
        assert_int_equal(file_sink_beyond_ns(s),
                         life < 2 ? 0 : 1700000000000000000 + (int64_t)u.frames - 40);
        sink_free(s);
    }
    file_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_files_one_thread),
        cmocka_unit_test(one_that_is_given_up),
        cmocka_unit_test(a_pipe_has_its_own_thread),
        cmocka_unit_test(what_is_published_stays),
        cmocka_unit_test(no_longer_than_it_may_be),
        cmocka_unit_test(a_limit_of_a_file_that_goes_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
