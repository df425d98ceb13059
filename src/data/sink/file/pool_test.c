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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* Flushes until more than so much is published. */
static void publish(struct sink *s, uint64_t than)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (file_sink_published(s) <= than) {
        assert_false(mono_due(mono_now(), until));
        s->ops->flush(s);
        (void)poll(NULL, 0, 1);
    }
}

static void wait_count(const _Atomic uint64_t *n, uint64_t least)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (atomic_load(n) < least) {
        assert_false(mono_due(mono_now(), until));
        (void)poll(NULL, 0, 1);
    }
}

/* Each has what it was given, and there is no thread more for any of them. */
static void many_files_few_threads(void **state)
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

/* A job of the test's own: a slow piece lasts until the test says so. */
struct piece {
    struct file_job job;
    bool slow;
    _Atomic bool may_end;
    _Atomic uint64_t began, done;
};

static bool do_piece(void *owner)
{
    struct piece *p = owner;
    if (p->slow && !atomic_exchange(&p->job.slow, true)) {
        return true;
    }
    atomic_fetch_add(&p->began, 1);
    while (p->slow && !atomic_load(&p->may_end)) {
        (void)poll(NULL, 0, 1);
    }
    atomic_fetch_add(&p->done, 1);
    return false;
}

/* While one is put on the disk, others are written. */
static void no_file_waits_for_the_end_of_another(void **state)
{
    (void)state;
    static struct piece slow = {.slow = true}, quick;
    struct file_pool *pool = NULL;
    assert_int_equal(file_pool_new(&pool), 0);
    slow.job = (struct file_job){.step = do_piece, .owner = &slow};
    quick.job = (struct file_job){.step = do_piece, .owner = &quick};
    file_pool_add(pool, &slow.job);
    file_pool_add(pool, &quick.job);
    file_pool_want(pool, &slow.job);
    wait_count(&slow.began, 1);
    for (unsigned i = 1; i <= 100; i++) {
        file_pool_want(pool, &quick.job);
        wait_count(&quick.done, i);
    }
    assert_int_equal(slow.done, 0);
    file_pool_remove(pool, &quick.job);
    atomic_store(&slow.may_end, true);
    wait_count(&slow.done, 1);
    file_pool_remove(pool, &slow.job);
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

/* Someone who reads a file while it is written, in a thread. */
struct reader {
    const struct sink *s;
    int fd;
    _Atomic bool over; /* all is published */
    _Atomic uint64_t seen;
    unsigned looks;
    struct util_file last;
};

enum {
    READ_MAX = 4 << 20,
};

/* One look: whole blocks to the published end, and all that was there before is as it was. */
static void look(struct reader *r, uint8_t *now, uint8_t *before)
{
    const uint64_t was = r->seen, n = file_sink_published(r->s);
    assert_true(n >= was && n <= READ_MAX);
    if (n > was) {
        assert_int_equal(pread(r->fd, now, n, 0), n);
        assert_memory_equal(now, before, was);
        r->last = util_read(now, n);
        assert_int_equal(r->last.whole, n);
        assert_int_equal(r->last.bad, 0);
        memcpy(before, now, n);
        r->looks++;
        atomic_store(&r->seen, n);
    }
}

static void *read_on(void *arg)
{
    static uint8_t now[READ_MAX], before[READ_MAX];
    struct reader *r = arg;
    for (bool over = false; !over;) {
        over = atomic_load(&r->over); /* before the look, which is the last one then */
        look(r, now, before);
        (void)sched_yield();
    }
    return NULL;
}

static void what_is_published_stays(void **state)
{
    (void)state;
    struct file_pool *pool = NULL;
    pthread_t thread;
    assert_int_equal(file_pool_new(&pool), 0);
    const struct file_sink_conf c = conf_of(pool);
    struct sink *s = util_sink(create(302), true, &c);
    _cleanup_(closep) int fd = open(path_of(302), O_RDONLY | O_CLOEXEC);
    static struct reader r;
    uint64_t mark = 0;
    r = (struct reader){.s = s, .fd = fd};
    assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
    util_point(s, 0, "", NULL);
    for (uint32_t i = 0; i < 3000; i++) {
        util_write(s, 0, i, 60 + i % 900);
        if (i % 10 == 0) {
            s->ops->flush(s);
        }
        if (i % 300 == 0) { /* the reader has its turn, and nothing is dropped */
            publish(s, mark);
            mark = file_sink_published(s);
            wait_count(&r.seen, mark);
        }
    }
    assert_int_equal(s->ops->finish(s, NULL), 0);
    atomic_store(&r.over, true);
    pthread_join(thread, NULL);
    assert_true(r.looks >= 10);
    assert_int_equal(r.last.frames, util_count(s, 0, LEDGER_SINK_OUT));
    assert_int_equal(r.last.len, util_read_path(path_of(302)).len);
    util_balanced(s, 0, 3000);
    sink_free(s);
    file_pool_free(pool);
}

/* A process that goes on with the file, until it is killed; `whole`: after one frame it ends. */
static void write_on(_Atomic uint64_t *published, bool whole)
{
    struct file_pool *pool = NULL;
    struct sink *s = NULL;
    struct file_sink_conf c = conf_of(NULL);
    c.most_bytes = 64 << 20;
    (void)alarm(DEADLINE_MS / 1000 * 2); /* should the test itself have failed */
    if (file_pool_new(&pool) < 0) {
        _exit(1);
    }
    c.pool = pool;
    if (file_sink_new(create(303), true, &c, &s, NULL) < 0) {
        _exit(2);
    }
    util_point(s, 0, "", NULL);
    for (uint32_t i = 0; i == 0 || !whole; i++) {
        util_write(s, 0, i, 60 + i % 900);
        atomic_store(published, file_sink_published(s));
    }
    _exit(s->ops->finish(s, NULL) < 0 ? 3 : 0);
}

static pid_t start_writer(_Atomic uint64_t *published, bool whole)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        write_on(published, whole);
    }
    return child;
}

/* Killed while it writes, a capture goes on in the same file: all that was published is there, and
 * a torn end is cut off. This process has no thread, or TSan would have none in its children. */
static void killed_and_continued(void **state)
{
    (void)state;
    enum { LIVES = 5 };
    static uint8_t before[1 << 20], now[1 << 20];
    int status = 0;
    _Atomic uint64_t *published =
        mmap(NULL, sizeof(*published), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(published != MAP_FAILED);
    _cleanup_(closep) int fd = create(303);
    uint64_t was = 0;
    for (unsigned life = 0; life < LIVES; life++) {
        const uint64_t len = util_read_path(path_of(303)).len;
        const pid_t child = start_writer(published, false);
        wait_count(published, len + 1 + life * UINT64_C(10000)); /* some of its section is there */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        const uint64_t n = MIN(atomic_load(published), sizeof(now));
        assert_int_equal(pread(fd, now, n, 0), n);
        assert_memory_equal(now, before, MIN(was, n));
        memcpy(before, now, n);
        was = atomic_load(published);
        assert_int_equal(util_read_path(path_of(303)).bad, 0);
    }
    const pid_t child = start_writer(published, true);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    const struct util_file u = util_read_path(path_of(303));
    assert_int_equal(u.whole, u.len);
    assert_int_equal(u.bad, 0);
    assert_int_equal(u.sections, LIVES + 1);
    assert_true(u.len > was);
    munmap(published, sizeof(*published));
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
        cmocka_unit_test(killed_and_continued), /* before there is a thread */
        cmocka_unit_test(many_files_few_threads),
        cmocka_unit_test(no_file_waits_for_the_end_of_another),
        cmocka_unit_test(one_that_is_given_up),
        cmocka_unit_test(a_pipe_has_its_own_thread),
        cmocka_unit_test(what_is_published_stays),
        cmocka_unit_test(no_longer_than_it_may_be),
        cmocka_unit_test(a_limit_of_a_file_that_goes_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
