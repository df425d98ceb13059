/* SPDX-License-Identifier: Apache-2.0
 *
 * Each row of the ledger's stage of outputs, with its exact number: where frames go that a device,
 * a file or a queue does not write. That a frame was late or early is counted beside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/time.h"
#include "data/sink/device.h"
#include "data/sink/fake.h"
#include "data/sink/file/testing.h"
#include "data/sink/queue/queue.h"
#include "sys/tapdev.h"

enum {
    DEADLINE_MS = 20000,
};

/* Port 1 was given `in` frames, of which each row has so many; all others have none. */
static void assert_rows(const struct sink *s, uint64_t in, const uint64_t rows[LEDGER_COUNT])
{
    util_balanced(s, 1, in);
    for (unsigned i = LEDGER_SINK_IN + 1; i < LEDGER_COUNT; i++) {
        if (util_count(s, 1, (enum ledger_id)i) != rows[i]) {
            fail_msg("%s: %lu, not %lu", ledger_info((enum ledger_id)i)->key,
                     (unsigned long)util_count(s, 1, (enum ledger_id)i), (unsigned long)rows[i]);
        }
    }
}

#define ROWS(...) ((const uint64_t[LEDGER_COUNT]){__VA_ARGS__})

static void a_device(void **state)
{
    (void)state;
    struct sink *s;
    int fd = memfd_create("device", MFD_CLOEXEC); /* takes what a TAP device takes, and more */
    assert_int_equal(device_sink_new("ntap0", fd, &s), 0);
    util_point(s, 1, "web1", NULL);
    for (uint32_t i = 0; i < 5; i++) {
        util_write(s, 1, i, 100 + i);
    }
    util_write(s, 1, 5, 0);
    util_write(s, 1, 6, TAPDEV_FRAME_MAX + 1);
    util_write(s, 1, 7, TAPDEV_FRAME_MAX + 2);
    assert_rows(s, 8,
                ROWS([LEDGER_SINK_OUT] = 5, [LEDGER_SINK_BYTES] = 510, [LEDGER_SINK_SHORT] = 1,
                     [LEDGER_SINK_LONG] = 2));
    sink_free(s);
    close(fd);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* and one that refuses */
    assert_int_equal(device_sink_new("ntap0", fd, &s), 0);
    util_point(s, 1, "web1", NULL);
    util_write(s, 1, 0, 100);
    assert_rows(s, 1, ROWS([LEDGER_SINK_ERROR] = 1));
    sink_free(s);
    close(fd);
}

/* Writes `n` frames into the descriptor: these rows count them. */
static void file_on(int fd, uint32_t n, int status, const uint64_t rows[LEDGER_COUNT])
{
    struct sink *s = util_sink(fd, false, &util_conf);
    util_point(s, 1, "web1", NULL);
    for (uint32_t i = 0; i < n; i++) {
        util_write(s, 1, i, 100 + i);
    }
    assert_int_equal(s->ops->finish(s, NULL), status);
    assert_rows(s, n, rows);
    sink_free(s);
}

static void a_file(void **state)
{
    (void)state;
    int fd[2];
    file_on(memfd_create("file", MFD_CLOEXEC), 20, 0,
            ROWS([LEDGER_SINK_OUT] = 20, [LEDGER_SINK_BYTES] = 20 * 100 + 190));
    file_on(open("/dev/full", O_RDWR | O_CLOEXEC), 7, -ENOSPC, ROWS([LEDGER_SINK_NOSPACE] = 7));
    file_on(eventfd(0, EFD_CLOEXEC), 9, -EINVAL, ROWS([LEDGER_SINK_ERROR] = 9));
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    close(fd[0]);
    file_on(fd[1], 11, -EPIPE, ROWS([LEDGER_SINK_CLOSED] = 11));
}

static void until_out(const struct sink *s, uint64_t n)
{
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    while (util_count(s, 1, LEDGER_SINK_OUT) < n) {
        assert_false(mono_due(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
}

static struct sink *queue(struct sink **ret_fake, struct queue_sink_conf conf)
{
    struct sink *s;
    assert_int_equal(fake_sink_new("fake", ret_fake), 0);
    assert_int_equal(queue_sink_new(*ret_fake, 1, &conf, &s), 0);
    return s;
}

/* The longest frame and one more: too long for a queue is as if it was full. */
static void a_queue(void **state)
{
    (void)state;
    struct sink *fake, *s = queue(&fake, (struct queue_sink_conf){.bytes = QUEUE_BYTES_MIN});
    util_point(s, 1, "web1", NULL);
    util_write(s, 1, 0, 100);
    until_out(s, 1);
    util_write(s, 1, 1, FRAME_LEN_MAX + 1);
    fake_sink_limit(fake, 2);
    util_write(s, 1, 2, 101);
    util_write(s, 1, 3, 102); /* the inner one's limit */
    assert_int_equal(s->ops->finish(s, NULL), 0);
    assert_rows(s, 4,
                ROWS([LEDGER_SINK_OUT] = 2, [LEDGER_SINK_BYTES] = 201, [LEDGER_SINK_FULL] = 2));
    sink_free(s);
}

static void a_refused_point(void **state)
{
    (void)state;
    struct sink *fake, *s = queue(&fake, (struct queue_sink_conf){0});
    fake_sink_room(fake, 0);
    util_point(s, 1, "web1", NULL);
    for (uint32_t i = 0; i < 6; i++) {
        util_write(s, 1, i, 100);
    }
    assert_int_equal(s->ops->finish(s, NULL), 0);
    assert_rows(s, 6, ROWS([LEDGER_SINK_REFUSED] = 6));
    sink_free(s);
}

/* util_write's timestamps are in the past and 1 ns apart: `id` says when. */
static void order_beside(void **state)
{
    (void)state;
    struct sink *fake, *s = queue(&fake, (struct queue_sink_conf){.order_ns = NSEC_PER_MSEC});
    util_point(s, 2, "a", NULL);
    util_point(s, 3, "b", NULL);
    util_point(s, 1, "c", NULL);
    util_write(s, 2, 0, 60);
    util_write(s, 3, 0, 60);
    for (uint32_t i = 0; i < 10; i++) { /* four seconds ahead of them */
        util_write(s, 1, 4000000000u + i, 60);
    }
    until_out(s, 10);
    assert_rows(s, 10,
                ROWS([LEDGER_SINK_OUT] = 10, [LEDGER_SINK_BYTES] = 600, [LEDGER_SINK_AHEAD] = 10));
    sink_free(s);
    s = queue(&fake, (struct queue_sink_conf){.order_ns = NSEC_PER_MSEC});
    util_point(s, 1, "a", NULL);
    util_write(s, 1, 1000, 60);
    until_out(s, 1);
    for (uint32_t i = 0; i < 10; i++) { /* before what was given out */
        util_write(s, 1, i, 60);
    }
    until_out(s, 11);
    assert_rows(s, 11,
                ROWS([LEDGER_SINK_OUT] = 11, [LEDGER_SINK_BYTES] = 660, [LEDGER_SINK_LATE] = 10));
    sink_free(s);
}

/* A window that does not end, and room for so many: what is out before the end went early. */
static void early_ones(void **state)
{
    (void)state;
    enum { FRAMES = 20000 };
    struct sink *fake, *s = queue(&fake, (struct queue_sink_conf){.bytes = QUEUE_BYTES_MIN,
                                                                  .order_ns = 3600 * NSEC_PER_SEC});
    util_point(s, 1, "web1", NULL);
    for (uint32_t i = 0; i < FRAMES; i++) {
        util_write(s, 1, i, 1000);
    }
    const uint64_t full = util_count(s, 1, LEDGER_SINK_FULL);
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    for (uint64_t out = 0; out == 0 || util_count(s, 1, LEDGER_SINK_OUT) > out;) {
        assert_false(mono_due(mono_now(), deadline));
        out = util_count(s, 1, LEDGER_SINK_OUT);
        poll(NULL, 0, 100);
    }
    const uint64_t early = util_count(s, 1, LEDGER_SINK_OUT);
    assert_true(early > 0);
    assert_int_equal(s->ops->finish(s, NULL), 0);
    assert_rows(
        s, FRAMES,
        ROWS([LEDGER_SINK_OUT] = FRAMES - full, [LEDGER_SINK_BYTES] = 1000 * (FRAMES - full),
             [LEDGER_SINK_FULL] = full, [LEDGER_SINK_EARLY] = early));
    sink_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device),     cmocka_unit_test(a_file),
        cmocka_unit_test(a_queue),      cmocka_unit_test(a_refused_point),
        cmocka_unit_test(order_beside), cmocka_unit_test(early_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
