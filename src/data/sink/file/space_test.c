/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that becomes full: a small tmpfs in a mount namespace of the test's own, which goes when
 * the test does. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "data/sink/file/pool.h"
#include "data/sink/file/testing.h"

enum {
    FRAMES = 6000,
    DISK = 4 << 20,
};

static int own_disk(void **state)
{
    (void)state;
    /* EINVAL: the root is not a mount of its own (a chroot); then nothing is shared through it. */
    if (unshare(CLONE_NEWNS) < 0 ||
        (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 && errno != EINVAL) ||
        mount("farspan-test", "/mnt", "tmpfs", MS_NODEV | MS_NOSUID, "size=4m") < 0) {
        printf("a mount namespace cannot be made: are you root?\n");
        return -1;
    }
    return 0;
}

static void a_full_disk(void **state)
{
    (void)state;
    struct error err = {""};
    int fd = open("/mnt/out.pcapng", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct sink *s = util_sink(fd, true, &util_conf);
    util_point(s, 0, "web1", NULL);
    util_point(s, 1, "db2", NULL);
    for (uint32_t i = 0; i < FRAMES; i++) {
        util_write(s, i & 1, i, 900 + i % 300);
    }
    assert_int_equal(s->ops->finish(s, &err), -ENOSPC);
    assert_non_null(strstr(err.text, "the file: no space left on the disk"));
    struct util_file u = util_read_path("/mnt/out.pcapng");
    uint64_t out = 0, nospace = 0;
    for (uint32_t point = 0; point < 2; point++) {
        util_balanced(s, point, FRAMES / 2);
        out += util_count(s, point, LEDGER_SINK_OUT);
        nospace += util_count(s, point, LEDGER_SINK_NOSPACE);
        uint64_t bytes = 0; /* frames are written in their order */
        for (uint32_t i = point; i < point + 2 * util_count(s, point, LEDGER_SINK_OUT); i += 2) {
            bytes += 900 + i % 300;
        }
        assert_int_equal(util_count(s, point, LEDGER_SINK_BYTES), bytes);
    }
    assert_int_equal(u.whole, u.len);
    assert_in_range(u.len, DISK - 8192, DISK);
    assert_int_equal(u.frames, out);
    assert_int_equal(u.bad, 0);
    assert_int_equal(out + nospace, FRAMES);
    assert_true(nospace > 0);
    sink_free(s);
}

/* On a disk that is still full, continuing fails as clearly, and takes nothing away. */
static void a_full_disk_again(void **state)
{
    (void)state;
    struct util_file before = util_read_path("/mnt/out.pcapng");
    int fd = open("/mnt/out.pcapng", O_RDWR | O_CLOEXEC);
    struct sink *s = util_sink(fd, true, &util_conf);
    util_point(s, 0, "web1", NULL);
    for (uint32_t i = 0; i < 100; i++) {
        util_write(s, 0, i, 1000);
    }
    assert_int_equal(s->ops->finish(s, NULL), -ENOSPC);
    util_balanced(s, 0, 100);
    struct util_file after = util_read_path("/mnt/out.pcapng");
    assert_int_equal(after.frames, before.frames + util_count(s, 0, LEDGER_SINK_OUT));
    assert_int_equal(after.whole, after.len);
    sink_free(s);
}

/* The threads that two files share go on with the other one, and the end of neither waits. */
static void a_full_disk_beside_another(void **state)
{
    (void)state;
    struct error err = {""};
    struct file_pool *pool = NULL;
    struct file_sink_conf c = util_conf;
    assert_int_equal(unlink("/mnt/out.pcapng"), 0);
    assert_int_equal(mount("farspan-test", "/media", "tmpfs", MS_NODEV | MS_NOSUID, "size=32m"), 0);
    assert_int_equal(file_pool_new(&pool), 0);
    c.pool = pool;
    int full = open("/mnt/pool.pcapng", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int free = open("/media/pool.pcapng", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(full >= 0 && free >= 0);
    struct sink *a = util_sink(full, true, &c), *b = util_sink(free, true, &c);
    util_point(a, 0, "web1", NULL);
    util_point(b, 0, "web1", NULL);
    for (uint32_t i = 0; i < FRAMES; i++) {
        util_write(a, 0, i, 900 + i % 300);
        util_write(b, 0, i, 900 + i % 300);
    }
    assert_int_equal(a->ops->finish(a, &err), -ENOSPC);
    assert_int_equal(b->ops->finish(b, &err), 0);
    struct util_file u = util_read_path("/mnt/pool.pcapng");
    assert_int_equal(u.whole, u.len);
    assert_int_equal(u.len, file_sink_published(a));
    assert_int_equal(u.frames, util_count(a, 0, LEDGER_SINK_OUT));
    assert_in_range(u.len, DISK - 8192, DISK);
    assert_true(util_count(a, 0, LEDGER_SINK_NOSPACE) > 0);
    util_balanced(a, 0, FRAMES);
    u = util_read_path("/media/pool.pcapng");
    assert_int_equal(u.whole, u.len);
    assert_int_equal(u.frames, FRAMES);
    util_balanced(b, 0, FRAMES);
    sink_free(a);
    sink_free(b);
    file_pool_free(pool);
}

static void a_device_that_is_full(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    struct sink *s = util_sink(fd, false, &util_conf);
    util_point(s, 0, "web1", NULL);
    util_write(s, 0, 1, 60);
    assert_int_equal(s->ops->finish(s, NULL), -ENOSPC);
    assert_int_equal(util_count(s, 0, LEDGER_SINK_NOSPACE), 1);
    util_balanced(s, 0, 1);
    sink_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_full_disk_again),
        cmocka_unit_test(a_full_disk_beside_another),
        cmocka_unit_test(a_device_that_is_full),
    };
    return cmocka_run_group_tests(tests, own_disk, NULL);
}
