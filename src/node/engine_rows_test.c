/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of link counters: one for each period, none too many, whole also after a crash. The loopback
 * interface has counters everywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "node/engine_rows.h"
#include "sys/linkcount.h"

#define S NSEC_PER_SEC

static char text[65536];

static unsigned lines(int fd)
{
    const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    unsigned found = 0;
    assert_true(n >= 0);
    text[n] = '\0';
    assert_true(n == 0 || text[n - 1] == '\n');
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) {
        found++;
    }
    return found;
}

static int memory(void)
{
    const int fd = memfd_create("rows", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static struct wanted wish(const char *name, int64_t start, int64_t stop, uint32_t period_ms)
{
    struct wanted w = {.kind = WANTED_ETHERNET,
                       .n_points = 1,
                       .start_ns = start,
                       .stop_ns = stop,
                       .period_ms = period_ms};
    (void)snprintf(w.point[0], sizeof(w.point[0]), "%s", name);
    return w;
}

static void a_row_a_period(void **state)
{
    (void)state;
    int counters = -1;
    struct engine_rows r;
    const struct wanted w = wish("lo", 100 * S, 110 * S, 500);
    const int fd = memory();
    assert_int_equal(linkcount_open(&counters, NULL), 0);
    engine_rows_init(&r);
    assert_int_equal(engine_rows_open(&r, fd, &w, 99 * S, NULL), 0);
    engine_rows_tick(&r, counters, 99 * S, w.stop_ns);
    assert_int_equal(lines(fd), 1);
    assert_int_equal(strncmp(text, "time,state,rx_bytes,rx_packets,", 31), 0);
    engine_rows_tick(&r, counters, 100 * S, w.stop_ns);
    engine_rows_tick(&r, counters, 100 * S + 1, w.stop_ns);
    assert_int_equal(lines(fd), 2);
    assert_non_null(strstr(text, "\n100000,"));
    for (int64_t t = 100 * S; t < 130 * S; t += S / 10) {
        engine_rows_tick(&r, counters, t, w.stop_ns);
    }
    assert_int_equal(lines(fd), 1 + 20); /* duration by period */
    assert_non_null(strstr(text, "\n109500,"));
    assert_null(strstr(text, "\n110000,"));
    assert_int_equal(r.written, 20);
    assert_int_equal(r.length, strlen(text));
    engine_rows_done(&r);
    close(counters);
}

static void an_interface_that_is_not_there(void **state)
{
    (void)state;
    int counters = -1;
    struct engine_rows r;
    struct linkcount c;
    const struct wanted w = wish("none9", 5 * S, 7 * S, 1000);
    const int fd = memory();
    assert_int_equal(linkcount_open(&counters, NULL), 0);
    assert_int_equal(linkcount_read(counters, "none9", &c), -ENODEV);
    assert_int_equal(linkcount_read(counters, "lo", &c),
                     0); /* the answer before is not taken for it */
    engine_rows_init(&r);
    assert_int_equal(engine_rows_open(&r, fd, &w, 5 * S, NULL), 0);
    engine_rows_tick(&r, counters, 9 * S, w.stop_ns);
    assert_int_equal(lines(fd), 3);
    assert_non_null(strstr(text, "\n5000,0,,,,,,,,,,,,\n6000,0,,,,,,,,,,,,\n"));
    engine_rows_done(&r);
    close(counters);
}

/* A process that died left half a row: the next one cuts it off, and goes on at the next period. */
static void goes_on_after_a_crash(void **state)
{
    (void)state;
    int counters = -1;
    struct engine_rows r;
    const struct wanted w = wish("lo", 10 * S, 20 * S, 1000);
    const int fd = memory(), again = dup(fd);
    assert_int_equal(linkcount_open(&counters, NULL), 0);
    engine_rows_init(&r);
    assert_int_equal(engine_rows_open(&r, fd, &w, 10 * S, NULL), 0);
    engine_rows_tick(&r, counters, 12 * S, w.stop_ns);
    assert_int_equal(lines(fd), 4);
    const uint64_t whole = r.length;
    assert_int_equal(pwrite(fd, "13000,1,5,", 10, (off_t)whole), 10);
    engine_rows_done(&r);
    assert_int_equal(engine_rows_open(&r, again, &w, 14 * S + 1, NULL), 0);
    assert_int_equal(r.length, whole);
    assert_int_equal(r.found, 3);
    engine_rows_tick(&r, counters, 16 * S, w.stop_ns);
    assert_int_equal(lines(again), 6);
    assert_non_null(strstr(text, "\n12000,"));
    assert_null(strstr(text, "\n13000,"));
    assert_null(strstr(text, "\n14000,"));
    assert_non_null(strstr(text, "\n15000,"));
    assert_non_null(strstr(text, "\n16000,"));
    engine_rows_done(&r);
    close(counters);
}

static void a_limit_of_bytes(void **state)
{
    (void)state;
    int counters = -1;
    struct engine_rows r;
    struct wanted w = wish("none9", 5 * S, 1000 * S, 1000);
    const int fd = memory();
    w.most_bytes = 200;
    assert_int_equal(linkcount_open(&counters, NULL), 0);
    engine_rows_init(&r);
    assert_int_equal(engine_rows_open(&r, fd, &w, 5 * S, NULL), 0);
    for (int64_t t = 5 * S; t < 100 * S; t += S) {
        engine_rows_tick(&r, counters, t, w.stop_ns);
    }
    assert_true(r.beyond == 1 && r.length <= 200 && r.length + 20 > 200);
    assert_int_equal(lines(fd), 1 + r.written);
    engine_rows_done(&r);
    close(counters);
}

/* Nobody has looked at the counters for long: there are no rows for that time, and it is told. */
static void what_is_too_late(void **state)
{
    (void)state;
    int counters = -1;
    struct engine_rows r;
    const struct wanted w = wish("none9", 100 * S, INT64_MAX, 1000);
    const int fd = memory();
    assert_int_equal(linkcount_open(&counters, NULL), 0);
    engine_rows_init(&r);
    assert_int_equal(engine_rows_open(&r, fd, &w, 101 * S, NULL), 0);
    engine_rows_tick(&r, counters, 101 * S, w.stop_ns);
    assert_true(r.from_ns == 100 * S && r.next_ns == 102 * S && r.written == 2);
    engine_rows_tick(&r, counters, 1000 * S + 1, w.stop_ns);
    assert_true(r.from_ns == 996 * S && r.next_ns == 1001 * S && r.written == 7);
    assert_int_equal(lines(fd), 8);
    engine_rows_done(&r);
    close(counters);
}

/* The clock is set: rows go on in its time, and none is missing or there twice. */
static void the_clock_is_set(void **state)
{
    (void)state;
    int counters = -1;
    struct engine_rows r;
    const struct wanted w = wish("none9", 100 * S, INT64_MAX, 1000);
    const int fd = memory();
    assert_int_equal(linkcount_open(&counters, NULL), 0);
    engine_rows_init(&r);
    assert_int_equal(engine_rows_open(&r, fd, &w, 100 * S, NULL), 0);
    engine_rows_tick(&r, counters, 101 * S, w.stop_ns);
    engine_rows_shift(&r, 3600 * S);
    engine_rows_tick(&r, counters, 3702 * S, w.stop_ns);
    assert_true(r.written == 3 && r.from_ns == 100 * S && r.next_ns == 3703 * S);
    engine_rows_shift(&r, -3650 * S);
    engine_rows_tick(&r, counters, 53 * S, w.stop_ns);
    assert_true(r.written == 4 && r.from_ns == 1 && r.next_ns == 54 * S);
    assert_int_equal(lines(fd), 5);
    engine_rows_done(&r);
    close(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_a_period),        cmocka_unit_test(an_interface_that_is_not_there),
        cmocka_unit_test(goes_on_after_a_crash), cmocka_unit_test(a_limit_of_bytes),
        cmocka_unit_test(what_is_too_late),      cmocka_unit_test(the_clock_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
