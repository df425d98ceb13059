/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files into memory: of the largest size that is allowed and of one byte more, in pieces, of
 * nothing, and what is no file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/read_file.h"

enum {
    MAX_LEN = 100,
};

static void write_file(char path[32], const char *bytes, size_t n)
{
    snprintf(path, 32, "/tmp/read-file-test-XXXXXX");
    _cleanup_(closep) int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
}

static void files_up_to_the_largest(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, MAX_LEN - 1, MAX_LEN};
    char bytes[MAX_LEN + 1], path[32];
    memset(bytes, 'x', sizeof(bytes));
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *text = NULL;
        size_t len = 77;
        struct error err = {""};
        write_file(path, bytes, sizes[i]);
        assert_int_equal(read_file(path, MAX_LEN, &text, &len, &err), 0);
        unlink(path);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(text, bytes, len);
        assert_int_equal(text[len], '\0');
        assert_string_equal(err.text, "");
        free(text);
    }
}

static void one_byte_more_is_refused(void **state)
{
    (void)state;
    char bytes[MAX_LEN + 1] = {0}, path[32], want[128];
    char *text = NULL;
    size_t len = 0;
    struct error err = {""};
    write_file(path, bytes, sizeof(bytes));
    assert_int_equal(read_file(path, MAX_LEN, &text, &len, &err), -EFBIG);
    unlink(path);
    snprintf(want, sizeof(want), "%s is larger than 100 bytes: not a file of keys or settings",
             path);
    assert_string_equal(err.text, want);
    assert_null(text);
}

static void what_is_no_file(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    struct error err = {""};
    assert_int_equal(read_file("/no/such/file", MAX_LEN, &text, &len, &err), -ENOENT);
    assert_string_equal(err.text, "cannot read /no/such/file: No such file or directory");
    assert_int_equal(read_file("/tmp", MAX_LEN, &text, &len, &err), -EISDIR);
    assert_string_equal(err.text, "cannot read /tmp: Is a directory");
    assert_null(text);
}

/* Writes the file in two pieces, with the reader waiting between them. */
static void *write_pieces(void *fd)
{
    int to = *(const int *)fd;
    assert_int_equal(write(to, "one ", 4), 4);
    assert_int_equal(write(to, "other", 5), 5);
    close(to);
    return NULL;
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int fd[2];
    pthread_t writer;
    char *text = NULL;
    size_t len = 0;
    struct error err = {""};
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_pieces, &fd[1]), 0);
    assert_int_equal(read_open_file(fd[0], "pipe", MAX_LEN, &text, &len, &err), 0);
    assert_int_equal(pthread_join(writer, NULL), 0);
    close(fd[0]);
    assert_int_equal(len, 9);
    assert_string_equal(text, "one other");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_up_to_the_largest),
        cmocka_unit_test(one_byte_more_is_refused),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
