/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that follow a file: each byte once, nothing beyond what is published, and an end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "control/followers.h"

static unsigned woken;

static void more(void *user, void *body)
{
    (void)user;
    (void)body;
    woken++;
}

static int file_of(const char *bytes)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    return fd;
}

static void follows(void **state)
{
    (void)state;
    struct followers s = {0};
    struct http_body body = {0};
    uint8_t buf[16];
    int fd = file_of("0123456789");
    assert_int_equal(followers_open(&s, "a", &fd, 0, 4, false, &body), 0);
    assert_int_equal(fd, -1);
    assert_int_equal(body.read(body.user, buf, 3), 3);
    assert_int_equal(body.read(body.user, buf + 3, 9), 1);
    assert_memory_equal(buf, "0123", 4);
    assert_int_equal(body.read(body.user, buf, 9), -EAGAIN);
    woken = 0;
    followers_published(&s, "b", 9, true, more, NULL);
    followers_published(&s, "a", 4, false, more, NULL);
    followers_published(&s, "a", 3, false, more, NULL); /* what is published stays so */
    assert_int_equal(woken, 0);
    assert_int_equal(body.read(body.user, buf, 9), -EAGAIN);
    followers_published(&s, "a", 6, false, more, NULL);
    assert_int_equal(woken, 1);
    assert_int_equal(body.read(body.user, buf, 9), 2);
    assert_memory_equal(buf, "45", 2);
    followers_published(&s, "a", 10, true, more, NULL);
    assert_int_equal(body.read(body.user, buf, 9), 4);
    assert_int_equal(body.read(body.user, buf, 9), 0);
    body.free(body.user);
    assert_null(s.first);
}

static void several(void **state)
{
    (void)state;
    struct followers s = {0};
    struct http_body body[3];
    uint8_t buf[16];
    for (unsigned i = 0; i < 3; i++) {
        int fd = file_of("0123456789");
        assert_int_equal(followers_open(&s, i == 1 ? "b" : "a", &fd, i, 4, false, &body[i]), 0);
    }
    woken = 0;
    followers_published(&s, "a", 0, true, more, NULL); /* its object is gone */
    assert_int_equal(woken, 2);
    assert_int_equal(body[2].read(body[2].user, buf, 9), 2);
    assert_int_equal(body[2].read(body[2].user, buf, 9), 0);
    body[1].free(body[1].user);
    followers_done(&s);
    assert_null(s.first);
    assert_int_equal(body[0].read(body[0].user, buf, 9), 0);
    body[0].free(body[0].user);
    body[2].free(body[2].user);
}

/* A file that is shorter than was published: the connection is cut, as an end would look whole. */
static void shorter(void **state)
{
    (void)state;
    struct followers s = {0};
    struct http_body body = {0};
    uint8_t buf[16];
    int fd = file_of("01");
    assert_int_equal(followers_open(&s, "a", &fd, 0, 4, true, &body), 0);
    assert_int_equal(body.read(body.user, buf, 9), 2);
    assert_int_equal(body.read(body.user, buf, 9), -EIO);
    body.free(body.user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows),
        cmocka_unit_test(several),
        cmocka_unit_test(shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
